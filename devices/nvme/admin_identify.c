// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: NVMe admin commands: Identify
 *
 * NVMe-2.0 5.17, NVMCS-1.0 4.1.5. A table of the data structures that there
 * are; each row fills a zeroed buffer, which is then copied to the host.
 *
 * The controller is the only one of its NVM subsystem (controller identifier
 * 0), knows one I/O command set (NVM), and one format of 512 and one of 4096
 * bytes a block, both without metadata. There are no NVM sets, endurance
 * groups, domains, ANA groups or UUID lists.
 *
 * Runs on the main loop with the device's lock held.
 */
#include <stdio.h>
#include <string.h>

#include "devices/nvme/admin_priv.h"
#include "vmm/base/math.h"

/* Locally assigned, nobody's, as the namespaces' identifiers; low byte first. */
static const u8 ieee_oui[3] = { 0x00, 0x54, 0x52 };

/* ---- the controller --------------------------------------------------------- */

/* ASCII fields are padded with spaces and have no end mark. */
static void put_ascii(char *field, size_t size, const char *text)
{
	size_t len = strnlen(text, size);

	memset(field, ' ', size);
	memcpy(field, text, len);
}

/**
 * nvme_firmware_revision() - the firmware revision: our version
 * @fr: 8 characters, padded with spaces
 */
void nvme_firmware_revision(char fr[8])
{
	put_ascii(fr, 8, LKVM_VERSION);
}

/*
 * Each controller is an NVM subsystem of its own, and no two may share a
 * name: not even two with the same serial number (NVMe-2.0 4.5).
 */
static void put_subsystem_name(const struct nvme_ctrl *ctrl,
			       struct nvme_id_ctrl *id)
{
	char name[64];
	u8 u[16];

	snprintf(name, sizeof(name), "%s/%s", ctrl->serial, ctrl->pci.dev.name);
	nvme_uuid_make(u, name, 0);
	snprintf(id->subnqn, sizeof(id->subnqn),
		 "nqn.2014-08.org.nvmexpress:uuid:%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		 u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7],
		 u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15]);
}

static void put_names(const struct nvme_ctrl *ctrl, struct nvme_id_ctrl *id)
{
	put_ascii(id->sn, sizeof(id->sn), ctrl->serial);
	put_ascii(id->mn, sizeof(id->mn), ctrl->config->model);
	nvme_firmware_revision(id->fr);
	put_subsystem_name(ctrl, id);
}

/* Optional I/O commands, as the table has them. */
static u16 optional_commands(void)
{
	static const struct {
		u8 opcode;
		u16 oncs;
	} bits[] = {
		{ NVME_IO_COMPARE, NVME_ONCS_COMPARE },
		{ NVME_IO_WRITE_UNCORR, NVME_ONCS_WRITE_UNCORR },
		{ NVME_IO_DSM, NVME_ONCS_DSM },
		{ NVME_IO_WRITE_ZEROES, NVME_ONCS_WRITE_ZEROES },
		{ NVME_IO_VERIFY, NVME_ONCS_VERIFY },
		{ NVME_IO_COPY, NVME_ONCS_COPY },
	};
	u16 oncs = NVME_ONCS_SAVE_SELECT | NVME_ONCS_TIMESTAMP;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(bits); i++) {
		if (nvme_cmd_find(nvme_io_cmds, nvme_io_cmds_nr, bits[i].opcode))
			oncs |= bits[i].oncs;
	}
	return oncs;
}

static u64 total_capacity(const struct nvme_ctrl *ctrl)
{
	u64 bytes = 0;
	u32 i;

	for (i = 0; i < ctrl->ns_nr; i++) {
		if (ctrl->ns[i])
			bytes += ctrl->ns[i]->lbas << ctrl->ns[i]->lba_shift;
	}
	return bytes;
}

static void put_admin_limits(const struct nvme_ctrl *ctrl,
			     struct nvme_id_ctrl *id)
{
	id->oaes = cpu_to_le32(NVME_OAES);
	id->oacs = cpu_to_le16(NVME_OACS_FORMAT | NVME_OACS_DBBUF);
	id->acl_0based = NVME_ABORTS_MAX - 1;
	id->aerl_0based = NVME_AERS_MAX - 1;
	id->frmw = NVME_FRMW_SLOT1_RO | nvme_put(NVME_FRMW_SLOTS, 1);
	id->lpa = NVME_LPA_EFFECTS | NVME_LPA_EXTENDED | NVME_LPA_SUPPORTED;
	id->elpe_0based = NVME_ERRORS_MAX - 1;
	id->wctemp = cpu_to_le16(NVME_TEMPERATURE_WARN);
	id->cctemp = cpu_to_le16(NVME_TEMPERATURE_CRIT);
	nvme_put_u128(id->tnvmcap, total_capacity(ctrl));
	id->psd[0].mp = cpu_to_le16(2500);	/* 25 W, in 10 mW */
	id->psd[0].enlat = cpu_to_le32(16);
	id->psd[0].exlat = cpu_to_le32(4);
}

static void put_io_limits(const struct nvme_ctrl *ctrl, struct nvme_id_ctrl *id)
{
	id->rab = NVME_RAB;
	id->mdts = (u8)ctrl->config->mdts;
	id->sqes = NVME_SQE_SHIFT << 4 | NVME_SQE_SHIFT;
	id->cqes = NVME_CQE_SHIFT << 4 | NVME_CQE_SHIFT;
	id->nn = cpu_to_le32(ctrl->ns_nr);
	id->oncs = cpu_to_le16(optional_commands());
	id->fuses = cpu_to_le16(NVME_FUSES_COMPARE_WRITE);
	id->vwc = NVME_VWC_PRESENT | NVME_VWC_FLUSH_ALL;
	id->ocfs = cpu_to_le16(BIT(0));
	id->sgls = cpu_to_le32(NVME_CTRL_SGLS);
}

static nvme_status_t build_ctrl(const struct nvme_req *req, void *buf)
{
	const struct nvme_ctrl *ctrl = nvme_req_ctrl(req);
	struct nvme_id_ctrl *id = buf;

	id->vid = cpu_to_le16(ctrl->pci.ident.vendor);
	id->ssvid = cpu_to_le16(ctrl->pci.ident.subsystem_vendor);
	put_names(ctrl, id);
	memcpy(id->ieee, ieee_oui, sizeof(id->ieee));
	id->cntlid = cpu_to_le16(NVME_CNTLID);
	id->ver = cpu_to_le32(NVME_VERSION);
	id->cntrltype = NVME_CNTRLTYPE_IO;
	put_admin_limits(ctrl, id);
	put_io_limits(ctrl, id);
	return NVME_SC_SUCCESS;
}

/* NVMCS-1.0 4.1.5.4: no limits but those of each command's own fields */
static nvme_status_t build_iocs_ctrl(const struct nvme_req *req, void *buf)
{
	return NVME_SC_SUCCESS;
}

/* ---- a namespace -------------------------------------------------------------- */

/*
 * The namespace that NSID names: *ns is NULL for a valid identifier without
 * a namespace (that is attached, with @active), whose data are zeroes.
 */
static nvme_status_t find_ns(const struct nvme_req *req, bool active,
			     const struct nvme_ns **ns)
{
	struct nvme_ctrl *ctrl = nvme_req_ctrl(req);
	u32 nsid = nvme_req_nsid(req);

	if (!nvme_nsid_valid(ctrl, nsid))
		return NVME_SC_INVALID_NS;
	*ns = active ? nvme_ns_active(ctrl, nsid) : nvme_ns_find(ctrl, nsid);
	return NVME_SC_SUCCESS;
}

static u8 format_progress(const struct nvme_ns *ns)
{
	return NVME_FPI_SUPPORTED | (u8)ns->format_left;
}

/* Blocks of @bytes, zero-based; 0 bytes: not reported. */
static __le16 granularity(const struct nvme_ns *ns, u64 bytes)
{
	u64 blocks = bytes >> ns->lba_shift;

	return cpu_to_le16((u16)(blocks ? min_of(blocks, 65536ULL) - 1 : 0));
}

static void put_block_hints(const struct nvme_ns *ns, struct nvme_id_ns *id)
{
	const struct block_info *info = block_info(ns->blk);

	id->nsfeat = NVME_NSFEAT_OPTPERF;
	id->npwg_0based = granularity(ns, info->physical_block_size);
	id->npwa_0based = id->npwg_0based;
	id->npdg_0based = granularity(ns, info->discard_granularity);
	id->npda_0based = id->npdg_0based;
	id->dlfeat = NVME_DLFEAT_WZ_DEAC;
	if (info->zero_after_discard)
		id->dlfeat |= NVME_DLFEAT_READ_ZEROES;
}

static void put_ns(const struct nvme_ns *ns, struct nvme_id_ns *id)
{
	u32 i;

	id->nsze = cpu_to_le64(ns->lbas);
	id->ncap = id->nsze;
	id->nuse = id->nsze;
	put_block_hints(ns, id);
	id->nlbaf_0based = NVME_LBAFS - 1;
	id->flbas = (u8)nvme_ns_lbaf(ns);
	id->fpi = format_progress(ns);
	nvme_put_u128(id->nvmcap, ns->lbas << ns->lba_shift);
	id->mssrl = cpu_to_le16(NVME_COPY_MSSRL);
	id->mcl = cpu_to_le32(NVME_COPY_MCL);
	id->msrc_0based = NVME_COPY_RANGES - 1;
	id->nsattr = ns->readonly ? NVME_NSATTR_WRITE_PROTECTED : 0;
	memcpy(id->nguid, ns->nguid, sizeof(id->nguid));
	memcpy(id->eui64, ns->eui64, sizeof(id->eui64));
	for (i = 0; i < NVME_LBAFS; i++) {
		if (nvme_ns_lbaf_fits(ns, i))
			id->lbaf[i].lbads = (u8)nvme_lbaf_shift(i);
	}
}

static nvme_status_t build_any_ns(const struct nvme_req *req, void *buf,
				  bool active)
{
	const struct nvme_ns *ns;
	nvme_status_t status = find_ns(req, active, &ns);

	if (!status && ns)
		put_ns(ns, buf);
	return status;
}

static nvme_status_t build_ns(const struct nvme_req *req, void *buf)
{
	return build_any_ns(req, buf, true);
}

static nvme_status_t build_alloc_ns(const struct nvme_req *req, void *buf)
{
	return build_any_ns(req, buf, false);
}

/* NVMCS-1.0 4.1.5.3: nothing to say without protection information */
static nvme_status_t build_iocs_ns(const struct nvme_req *req, void *buf)
{
	const struct nvme_ns *ns;

	return find_ns(req, true, &ns);
}

static nvme_status_t build_independent_ns(const struct nvme_req *req, void *buf)
{
	struct nvme_id_ns_independent *id = buf;
	const struct nvme_ns *ns;
	nvme_status_t status = find_ns(req, true, &ns);

	if (status || !ns)
		return status;
	id->fpi = format_progress(ns);
	id->nsattr = ns->readonly ? NVME_NSATTR_WRITE_PROTECTED : 0;
	id->nstat = NVME_NSTAT_READY;
	return NVME_SC_SUCCESS;
}

static u8 *put_desc(u8 *at, u8 type, const void *id, u8 len)
{
	struct nvme_ns_desc head = { .nidt = type, .nidl = len };

	memcpy(at, &head, sizeof(head));
	memcpy(at + sizeof(head), id, len);
	return at + sizeof(head) + len;
}

static nvme_status_t build_ns_descs(const struct nvme_req *req, void *buf)
{
	static const u8 csi = NVME_CSI_NVM;
	const struct nvme_ns *ns;
	nvme_status_t status = find_ns(req, true, &ns);
	u8 *at = buf;

	if (status)
		return status;
	if (!ns)
		return NVME_SC_INVALID_FIELD;
	at = put_desc(at, NVME_NIDT_EUI64, ns->eui64, NVME_NIDL_EUI64);
	at = put_desc(at, NVME_NIDT_NGUID, ns->nguid, NVME_NIDL_NGUID);
	at = put_desc(at, NVME_NIDT_UUID, ns->uuid, NVME_NIDL_UUID);
	put_desc(at, NVME_NIDT_CSI, &csi, NVME_NIDL_CSI);
	return NVME_SC_SUCCESS;
}

/* ---- lists ---------------------------------------------------------------------- */

/* Identifiers above NSID, in rising order. */
static nvme_status_t build_any_ns_list(const struct nvme_req *req, void *buf,
				       bool active)
{
	struct nvme_ctrl *ctrl = nvme_req_ctrl(req);
	struct nvme_ns_list *list = buf;
	u32 nsid = nvme_req_nsid(req);
	u32 nr = 0;

	if (nsid >= NVME_NSID_MAX)
		return NVME_SC_INVALID_NS;
	while (nsid < ctrl->ns_nr && nr < NVME_NS_LIST_MAX) {
		nsid++;
		if (active ? nvme_ns_active(ctrl, nsid) :
			     nvme_ns_find(ctrl, nsid))
			list->nsid[nr++] = cpu_to_le32(nsid);
	}
	return NVME_SC_SUCCESS;
}

static nvme_status_t build_ns_list(const struct nvme_req *req, void *buf)
{
	return build_any_ns_list(req, buf, true);
}

static nvme_status_t build_alloc_ns_list(const struct nvme_req *req, void *buf)
{
	return build_any_ns_list(req, buf, false);
}

/* Controllers from CNTID on: there is but one. */
static void put_ctrl(const struct nvme_req *req, struct nvme_ctrl_list *list)
{
	u32 from = nvme_get(NVME_IDENTIFY_CDW10_CNTID, nvme_cdw(req, 10));

	if (from > NVME_CNTLID)
		return;
	list->nr = cpu_to_le16(1);
	list->cntlid[0] = cpu_to_le16(NVME_CNTLID);
}

static nvme_status_t build_ctrl_list(const struct nvme_req *req, void *buf)
{
	put_ctrl(req, buf);
	return NVME_SC_SUCCESS;
}

static nvme_status_t build_ns_ctrl_list(const struct nvme_req *req, void *buf)
{
	const struct nvme_ns *ns;
	nvme_status_t status;

	if (nvme_req_nsid(req) == NVME_NSID_ALL)
		return NVME_SC_INVALID_FIELD;
	status = find_ns(req, true, &ns);
	if (!status && ns)
		put_ctrl(req, buf);
	return status;
}

static nvme_status_t build_iocs(const struct nvme_req *req, void *buf)
{
	u32 cntid = nvme_get(NVME_IDENTIFY_CDW10_CNTID, nvme_cdw(req, 10));
	struct nvme_id_iocs *id = buf;

	if (cntid != NVME_CNTLID && cntid != NVME_CNTLID_NONE)
		return NVME_SC_CNTLID_INVALID;
	id->vector[0] = cpu_to_le64(BIT_ULL(NVME_CSI_NVM));
	return NVME_SC_SUCCESS;
}

/* ---- the command ------------------------------------------------------------------ */

const struct nvme_cns nvme_cns_table[] = {
	{ "Identify Namespace", NVME_CNS_NS, false, build_ns },
	{ "Identify Controller", NVME_CNS_CTRL, false, build_ctrl },
	{ "Active Namespace ID list", NVME_CNS_NS_LIST, false, build_ns_list },
	{ "Namespace Identification Descriptor list", NVME_CNS_NS_DESCS, false,
	  build_ns_descs },
	{ "I/O Command Set specific Identify Namespace", NVME_CNS_IOCS_NS, true,
	  build_iocs_ns },
	{ "I/O Command Set specific Identify Controller", NVME_CNS_IOCS_CTRL,
	  true, build_iocs_ctrl },
	{ "I/O Command Set specific Active Namespace ID list",
	  NVME_CNS_IOCS_NS_LIST, true, build_ns_list },
	{ "I/O Command Set Independent Identify Namespace",
	  NVME_CNS_INDEPENDENT_NS, false, build_independent_ns },
	{ "Allocated Namespace ID list", NVME_CNS_ALLOC_NS_LIST, false,
	  build_alloc_ns_list },
	{ "Identify Namespace, allocated", NVME_CNS_ALLOC_NS, false,
	  build_alloc_ns },
	{ "Controller list of a namespace", NVME_CNS_NS_CTRL_LIST, false,
	  build_ns_ctrl_list },
	{ "Controller list of the NVM subsystem", NVME_CNS_CTRL_LIST, false,
	  build_ctrl_list },
	{ "I/O Command Set data structure", NVME_CNS_IOCS, false, build_iocs },
};

const u32 nvme_cns_table_nr = ARRAY_SIZE(nvme_cns_table);

static const struct nvme_cns *find_cns(u8 cns)
{
	u32 i;

	for (i = 0; i < nvme_cns_table_nr; i++) {
		if (nvme_cns_table[i].cns == cns)
			return &nvme_cns_table[i];
	}
	return NULL;
}

/**
 * nvme_admin_identify() - Identify
 * @req: the command
 *
 * Source: NVMe-2.0 5.17
 * Return: status
 */
nvme_status_t nvme_admin_identify(struct nvme_req *req)
{
	u8 data[NVME_IDENTIFY_SIZE] = { 0 };
	u32 cns = nvme_get(NVME_IDENTIFY_CDW10_CNS, nvme_cdw(req, 10));
	u32 csi = nvme_get(NVME_IDENTIFY_CDW11_CSI, nvme_cdw(req, 11));
	const struct nvme_cns *row = find_cns((u8)cns);
	nvme_status_t status;

	if (!row)
		return NVME_SC_INVALID_FIELD;
	if (row->csi && csi != NVME_CSI_NVM)
		return NVME_SC_IOCS_INVALID;
	status = row->build(req, data);
	if (status)
		return status;
	return nvme_req_to_host(req, data, sizeof(data));
}
