// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: NVMe admin commands: Get Log Page
 *
 * NVMe-2.0 5.16. A table of the log pages that there are; each row fills a
 * buffer of its whole size, of which the wanted part is copied to the host.
 * A read past the end of a page gives zeroes.
 *
 * The Error Information log has an entry for each command that ended with an
 * error, and for errors that belong to no command. Loops add entries, so it
 * has a lock of its own; all else here runs on the main loop with the
 * device's lock held.
 *
 * The temperature is a constant: there is no chip. Available spare and
 * percentage used speak of flash that is not there either. Counters are true.
 * The SMART log is of the controller and not kept per namespace.
 */
#include <stdlib.h>
#include <string.h>

#include "devices/nvme/admin_priv.h"
#include "vmm/base/math.h"

#define NS_PER_SECOND	1000000000ULL
#define NS_PER_MINUTE	(60 * NS_PER_SECOND)
#define NS_PER_HOUR	(60 * NS_PER_MINUTE)

/* ---- 00: Supported Log Pages, 05, 12, 13: what is there --------------------- */

static nvme_status_t build_supported(const struct nvme_req *req, void *buf)
{
	struct nvme_log_supported *log = buf;
	u32 i;

	for (i = 0; i < nvme_log_table_nr; i++)
		log->lid[nvme_log_table[i].lid] =
			cpu_to_le32(NVME_LOG_SUPPORTED_LSUPP);
	return NVME_SC_SUCCESS;
}

/*
 * There is a page for each I/O command set. Of one that is not there no command
 * is supported, which is what its page says: a controller that knows of command
 * sets (CAP.CSS) is asked for the others, too, and nvme-cli shows nothing at
 * all when one of them is refused.
 */
static nvme_status_t build_effects(const struct nvme_req *req, void *buf)
{
	u32 csi = nvme_get(NVME_LOG_CDW14_CSI, nvme_cdw(req, 14));
	struct nvme_log_effects *log = buf;
	u32 i;

	for (i = 0; i < nvme_admin_cmds_nr; i++)
		log->acs[i] = cpu_to_le32(nvme_admin_cmds[i].effects);
	for (i = 0; csi == NVME_CSI_NVM && i < nvme_io_cmds_nr; i++)
		log->iocs[i] = cpu_to_le32(nvme_io_cmds[i].effects);
	return NVME_SC_SUCCESS;
}

static nvme_status_t build_fid_effects(const struct nvme_req *req, void *buf)
{
	struct nvme_log_fid_effects *log = buf;
	u32 i;

	for (i = 0; i < nvme_feature_table_nr; i++)
		log->fid[nvme_feature_table[i].fid] =
			cpu_to_le32(nvme_feature_table[i].effects);
	return NVME_SC_SUCCESS;
}

/* No NVMe-MI command is supported. */
static nvme_status_t build_mi_effects(const struct nvme_req *req, void *buf)
{
	return NVME_SC_SUCCESS;
}

/* ---- 01: Error Information ----------------------------------------------------- */

static void error_log_put(struct nvme_error_log *log,
			  const struct nvme_log_error *entry)
{
	struct nvme_log_error *slot;

	mutex_lock(&log->lock);
	slot = &log->entries[log->count % NVME_ERRORS_MAX];
	*slot = *entry;
	slot->error_count = cpu_to_le64(++log->count);
	slot->version = NVME_ERROR_LOG_VERSION;
	mutex_unlock(&log->lock);
}

/**
 * nvme_error_log_add() - remember that a command has failed
 * @ctrl: the controller
 * @req: the command
 * @status: how it ended
 *
 * Context: the thread of the command's queue; takes a leaf lock.
 */
void nvme_error_log_add(struct nvme_ctrl *ctrl, const struct nvme_req *req,
			nvme_status_t status)
{
	struct nvme_log_error entry = {
		.sqid = cpu_to_le16(req->sq->qid),
		.cid = req->sqe.cid,
		.status = nvme_cqe_status(status, 0),
		.location = cpu_to_le16(NVME_ERROR_LOCATION_NONE),
		.lba = cpu_to_le64(req->slba),
		.nsid = req->sqe.nsid,
		.csi = NVME_CSI_NVM,
		.opcode = req->sqe.opcode,
	};

	error_log_put(&ctrl->errors, &entry);
}

/**
 * nvme_error_log_add_async() - remember an error that belongs to no command
 * @ctrl: the controller
 * @status: the status that fits best
 *
 * Context: any thread; takes a leaf lock.
 */
void nvme_error_log_add_async(struct nvme_ctrl *ctrl, nvme_status_t status)
{
	struct nvme_log_error entry = {
		.sqid = cpu_to_le16(NVME_ERROR_QUEUE_NONE),
		.cid = cpu_to_le16(NVME_CID_NONE),
		.status = nvme_cqe_status(status, 0),
		.location = cpu_to_le16(NVME_ERROR_LOCATION_NONE),
	};

	error_log_put(&ctrl->errors, &entry);
}

static nvme_status_t build_error(const struct nvme_req *req, void *buf)
{
	struct nvme_error_log *log = &nvme_req_ctrl(req)->errors;
	struct nvme_log_error *entries = buf;
	u64 i, nr;

	mutex_lock(&log->lock);
	nr = min_of(log->count, (u64)NVME_ERRORS_MAX);
	for (i = 0; i < nr; i++)	/* the newest comes first */
		entries[i] = log->entries[(log->count - 1 - i) %
					  NVME_ERRORS_MAX];
	mutex_unlock(&log->lock);
	return NVME_SC_SUCCESS;
}

static void read_error(struct nvme_ctrl *ctrl)
{
	nvme_event_clear(ctrl, NVME_AER_ERROR, NVME_LID_ERROR);
}

/* ---- 02: SMART / Health Information ---------------------------------------------- */

/**
 * nvme_smart_warnings() - the Critical Warning field
 * @ctrl: the controller
 *
 * Return: set of NVME_SMART_WARN_*
 */
u8 nvme_smart_warnings(const struct nvme_ctrl *ctrl)
{
	if (ctrl->feat.temp_over[0] <= NVME_TEMPERATURE ||
	    ctrl->feat.temp_under[0] >= NVME_TEMPERATURE)
		return NVME_SMART_WARN_TEMPERATURE;
	return 0;
}

/* Data Units are thousands of 512 bytes, rounded up. */
static void put_units(__le64 field[2], u64 sectors)
{
	nvme_put_u128(field, div_round_up(sectors, 1000));
}

static u64 error_entries(struct nvme_error_log *log)
{
	u64 count;

	mutex_lock(&log->lock);
	count = log->count;
	mutex_unlock(&log->lock);
	return count;
}

static void put_life(const struct nvme_smart *smart, struct nvme_log_smart *log)
{
	u64 on_ns = smart->power_on_ns + nvme_now_ns() - smart->powered_on_at_ns;

	nvme_put_u128(log->power_cycles, smart->power_cycles);
	nvme_put_u128(log->power_on_hours, on_ns / NS_PER_HOUR);
	nvme_put_u128(log->unsafe_shutdowns, smart->unsafe_shutdowns);
}

static nvme_status_t build_smart(const struct nvme_req *req, void *buf)
{
	struct nvme_ctrl *ctrl = nvme_req_ctrl(req);
	struct nvme_log_smart *log = buf;
	u32 nsid = nvme_req_nsid(req);
	struct nvme_stats sum;

	if (nsid != NVME_NSID_NONE && nsid != NVME_NSID_ALL)
		return nvme_nsid_valid(ctrl, nsid) ? NVME_SC_INVALID_FIELD :
						     NVME_SC_INVALID_NS;
	nvme_stats_sum(ctrl, &sum);
	log->critical_warning = nvme_smart_warnings(ctrl);
	log->temperature[0] = NVME_TEMPERATURE & 0xff;
	log->temperature[1] = NVME_TEMPERATURE >> 8;
	log->avail_spare = 100;
	log->spare_thresh = 10;
	put_units(log->data_units_read, sum.read_units);
	put_units(log->data_units_written, sum.write_units);
	nvme_put_u128(log->host_reads, sum.reads);
	nvme_put_u128(log->host_writes, sum.writes);
	nvme_put_u128(log->busy_time, sum.busy_ns / NS_PER_MINUTE);
	put_life(&ctrl->smart, log);
	nvme_put_u128(log->media_errors, sum.media_errors);
	nvme_put_u128(log->error_entries, error_entries(&ctrl->errors));
	return NVME_SC_SUCCESS;
}

static void read_smart(struct nvme_ctrl *ctrl)
{
	nvme_event_clear(ctrl, NVME_AER_SMART, NVME_LID_SMART);
}

/* ---- 03: Firmware Slot Information, 04: Changed Namespace List -------------------- */

static nvme_status_t build_fw_slot(const struct nvme_req *req, void *buf)
{
	struct nvme_log_fw_slot *log = buf;

	log->afi = 1;
	nvme_firmware_revision(log->frs[0]);
	return NVME_SC_SUCCESS;
}

/* There are never more than fit, so never the FFFFFFFFh that would say so. */
static nvme_status_t build_changed_ns(const struct nvme_req *req, void *buf)
{
	const struct nvme_ctrl *ctrl = nvme_req_ctrl(req);
	struct nvme_log_changed_ns *log = buf;
	u64 bit;
	u32 nr = 0;

	for (bit = bitmap_find_next(ctrl->changed_ns, NVME_NS_MAX, 0);
	     bit < NVME_NS_MAX;
	     bit = bitmap_find_next(ctrl->changed_ns, NVME_NS_MAX, bit + 1))
		log->nsid[nr++] = cpu_to_le32((u32)bit + 1);
	return NVME_SC_SUCCESS;
}

static void read_changed_ns(struct nvme_ctrl *ctrl)
{
	memset(ctrl->changed_ns, 0, sizeof(ctrl->changed_ns));
	nvme_event_clear(ctrl, NVME_AER_NOTICE, NVME_LID_CHANGED_NS);
}

/* ---- the command -------------------------------------------------------------------- */

const struct nvme_log nvme_log_table[] = {
	{ "Supported Log Pages", NVME_LID_SUPPORTED,
	  sizeof(struct nvme_log_supported), build_supported, NULL },
	{ "Error Information", NVME_LID_ERROR,
	  NVME_ERRORS_MAX * sizeof(struct nvme_log_error), build_error,
	  read_error },
	{ "SMART / Health Information", NVME_LID_SMART,
	  sizeof(struct nvme_log_smart), build_smart, read_smart },
	{ "Firmware Slot Information", NVME_LID_FW_SLOT,
	  sizeof(struct nvme_log_fw_slot), build_fw_slot, NULL },
	{ "Changed Namespace List", NVME_LID_CHANGED_NS,
	  sizeof(struct nvme_log_changed_ns), build_changed_ns,
	  read_changed_ns },
	{ "Commands Supported and Effects", NVME_LID_EFFECTS,
	  sizeof(struct nvme_log_effects), build_effects, NULL },
	{ "Feature Identifiers Supported and Effects", NVME_LID_FID_EFFECTS,
	  sizeof(struct nvme_log_fid_effects), build_fid_effects, NULL },
	{ "NVMe-MI Commands Supported and Effects", NVME_LID_MI_EFFECTS,
	  sizeof(struct nvme_log_mi_effects), build_mi_effects, NULL },
};

const u32 nvme_log_table_nr = ARRAY_SIZE(nvme_log_table);

static const struct nvme_log *find_log(u32 lid)
{
	u32 i;

	for (i = 0; i < nvme_log_table_nr; i++) {
		if (nvme_log_table[i].lid == lid)
			return &nvme_log_table[i];
	}
	return NULL;
}

/**
 * struct log_part - the part of a log page that a command asks for
 * @offset: bytes
 * @len: bytes
 */
struct log_part {
	u64 offset;
	u64 len;
};

static nvme_status_t parse_part(const struct nvme_req *req, u32 size,
				struct log_part *part)
{
	u64 numd_low = nvme_get(NVME_LOG_CDW10_NUMDL, nvme_cdw(req, 10));
	u64 numd_high = nvme_get(NVME_LOG_CDW11_NUMDU, nvme_cdw(req, 11));
	u32 mdts = nvme_req_ctrl(req)->config->mdts;

	part->offset = (u64)nvme_cdw(req, 13) << 32 | nvme_cdw(req, 12);
	part->len = ((numd_high << 16 | numd_low) + 1) * sizeof(u32);
	if (nvme_cdw(req, 14) & NVME_LOG_CDW14_OT)
		return NVME_SC_INVALID_FIELD;
	if (!is_aligned(part->offset, sizeof(u32)) || part->offset > size)
		return NVME_SC_INVALID_FIELD;
	if (part->len > MEMORY_PAGE_SIZE << mdts)
		return NVME_SC_INVALID_FIELD;
	return NVME_SC_SUCCESS;
}

/* Builds the whole page and sends a part of it, with zeroes behind its end. */
static nvme_status_t send_part(struct nvme_req *req, const struct nvme_log *log,
			       const struct log_part *part)
{
	u64 have = min_of((u64)log->size - part->offset, part->len);
	nvme_status_t status;
	u8 *page, *out;

	page = calloc(1, log->size + part->len);
	if (!page)
		return NVME_SC_INTERNAL;
	out = page + log->size;
	status = log->build(req, page);
	if (!status) {
		memcpy(out, page + part->offset, have);
		status = nvme_req_to_host(req, out, (u32)part->len);
	}
	free(page);
	return status;
}

/**
 * nvme_admin_get_log_page() - Get Log Page
 * @req: the command
 *
 * Source: NVMe-2.0 5.16
 * Return: status
 */
nvme_status_t nvme_admin_get_log_page(struct nvme_req *req)
{
	u32 cdw10 = nvme_cdw(req, 10);
	const struct nvme_log *log;
	struct log_part part;
	nvme_status_t status;

	log = find_log(nvme_get(NVME_LOG_CDW10_LID, cdw10));
	if (!log)
		return NVME_SC_LOG_INVALID;
	status = parse_part(req, log->size, &part);
	if (status)
		return status;
	status = send_part(req, log, &part);
	if (!status && !(cdw10 & NVME_LOG_CDW10_RAE) && log->read)
		log->read(nvme_req_ctrl(req));
	return status;
}
