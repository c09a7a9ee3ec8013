// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: NVMe admin commands: the table, and the commands of one line
 *
 * NVMe-2.0 5. The table is all that the core knows of admin commands: it
 * finds the row, applies the rules for NSID, calls the handler. The Commands
 * Supported and Effects log and the coverage table in Documentation/nvme.rst
 * come from it as well.
 *
 * Everything here runs on the main loop with the device's lock held.
 *
 * Not there, and refused with Invalid Command Opcode: Namespace Management,
 * Firmware Commit and Download, Device Self-test, Keep Alive, Directives,
 * Virtualization Management, NVMe-MI, Security, Sanitize, Get LBA Status,
 * Lockdown.
 */
#include "devices/nvme/admin_priv.h"

#define CTRL	(NVME_EFFECTS_CSUPP | NVME_EFFECTS_SCOPE_CTRL)
#define NS	(NVME_EFFECTS_CSUPP | NVME_EFFECTS_SCOPE_NS)

/* Rows of one line read better than a line for each member. */
#define ROW(_opcode, _name, _dir, _effects, _run)			\
	[_opcode] = {							\
		.name = _name, .dir = _dir,				\
		.nsid = NVME_NSID_OWN, .len = NVME_LEN_OWN,		\
		.effects = _effects, .run = _run,			\
	}

const struct nvme_cmd nvme_admin_cmds[] = {
	ROW(NVME_ADM_DELETE_SQ, "Delete I/O Submission Queue", NVME_DIR_NONE,
	    CTRL, nvme_admin_delete_sq),
	ROW(NVME_ADM_CREATE_SQ, "Create I/O Submission Queue", NVME_DIR_NONE,
	    CTRL, nvme_admin_create_sq),
	ROW(NVME_ADM_GET_LOG_PAGE, "Get Log Page", NVME_DIR_IN,
	    CTRL, nvme_admin_get_log_page),
	ROW(NVME_ADM_DELETE_CQ, "Delete I/O Completion Queue", NVME_DIR_NONE,
	    CTRL, nvme_admin_delete_cq),
	ROW(NVME_ADM_CREATE_CQ, "Create I/O Completion Queue", NVME_DIR_NONE,
	    CTRL, nvme_admin_create_cq),
	ROW(NVME_ADM_IDENTIFY, "Identify", NVME_DIR_IN,
	    CTRL | NVME_EFFECTS_SCOPE_NS, nvme_admin_identify),
	ROW(NVME_ADM_ABORT, "Abort", NVME_DIR_NONE, CTRL, nvme_admin_abort),
	ROW(NVME_ADM_SET_FEATURES, "Set Features", NVME_DIR_OUT,
	    CTRL | NVME_EFFECTS_SCOPE_NS, nvme_admin_set_features),
	ROW(NVME_ADM_GET_FEATURES, "Get Features", NVME_DIR_IN,
	    CTRL | NVME_EFFECTS_SCOPE_NS, nvme_admin_get_features),
	ROW(NVME_ADM_AER, "Asynchronous Event Request", NVME_DIR_NONE,
	    CTRL, nvme_admin_aer),
	ROW(NVME_ADM_NS_ATTACHMENT, "Namespace Attachment", NVME_DIR_OUT,
	    NS | NVME_EFFECTS_NIC | NVME_EFFECTS_CSE_NS,
	    nvme_admin_ns_attachment),
	ROW(NVME_ADM_DBBUF_CONFIG, "Doorbell Buffer Config", NVME_DIR_NONE,
	    CTRL, nvme_admin_dbbuf_config),
	ROW(NVME_ADM_FORMAT_NVM, "Format NVM", NVME_DIR_NONE,
	    NS | NVME_EFFECTS_LBCC | NVME_EFFECTS_NCC | NVME_EFFECTS_CSE_NS,
	    nvme_admin_format_nvm),
};

const u32 nvme_admin_cmds_nr = ARRAY_SIZE(nvme_admin_cmds);

/**
 * nvme_admin_dbbuf_config() - Doorbell Buffer Config
 * @req: the command: PRP1 names the shadow doorbells, PRP2 the event indexes
 *
 * May be sent again at any time: the new buffers replace the old ones.
 *
 * Source: NVMe-2.0 5.8
 * Return: status
 */
nvme_status_t nvme_admin_dbbuf_config(struct nvme_req *req)
{
	struct nvme_ctrl *ctrl = nvme_req_ctrl(req);
	u64 shadow = le64_to_cpu(req->sqe.prp.prp1);
	u64 event = le64_to_cpu(req->sqe.prp.prp2);
	u64 page_mask = BIT_ULL(ctrl->page_shift) - 1;

	if ((shadow | event) & page_mask || shadow == event)
		return NVME_SC_INVALID_FIELD;
	return nvme_dbbuf_enable(ctrl, gpa(shadow), gpa(event));
}

static u32 aborts_in_flight(const struct nvme_sq *admin)
{
	const struct nvme_req *req;
	u32 nr = 0;

	list_for_each_entry(req, &admin->busy, link)
		nr += req->sqe.opcode == NVME_ADM_ABORT;
	return nr;
}

/* Format NVM is the only admin command that is in flight for long. */
static nvme_status_t abort_format(struct nvme_req *aborter, u16 cid)
{
	struct nvme_req *req = nvme_format_abort(nvme_req_ctrl(aborter), cid);

	if (!req || req->aborter) {
		aborter->result = NVME_ABORT_DW0_NOT_ABORTED;
		return NVME_SC_SUCCESS;
	}
	/* Ends with the format; only then it is known which of them won. */
	aborter->result = NVME_ABORT_DW0_NOT_ABORTED;
	nvme_loop_busy(aborter->loop);
	req->aborter = aborter;
	return NVME_REQ_PENDING;
}

/**
 * nvme_admin_abort() - Abort
 * @req: the command
 *
 * A waiting Asynchronous Event Request ends at once, a Format after the piece
 * at work, an I/O command where it is: the thread of its queue looks for it.
 * A command that cannot be found or stopped is not an error, bit 0 of the
 * result says so.
 *
 * Source: NVMe-2.0 5.1
 * Return: status or NVME_REQ_PENDING
 */
nvme_status_t nvme_admin_abort(struct nvme_req *req)
{
	struct nvme_ctrl *ctrl = nvme_req_ctrl(req);
	u32 cdw10 = nvme_cdw(req, 10);
	u16 sqid = (u16)nvme_get(NVME_ABORT_CDW10_SQID, cdw10);
	u16 cid = (u16)nvme_get(NVME_ABORT_CDW10_CID, cdw10);

	if (aborts_in_flight(req->sq) > NVME_ABORTS_MAX)
		return NVME_SC_ABORT_LIMIT;
	if (sqid == NVME_QUEUE_ADMIN) {
		if (nvme_event_abort(ctrl, cid))
			return NVME_SC_SUCCESS;
		return abort_format(req, cid);
	}
	nvme_sq_abort(ctrl, sqid, cid, req);
	return NVME_REQ_PENDING;
}
