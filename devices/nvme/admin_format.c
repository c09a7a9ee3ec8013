// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: NVMe admin commands: Format NVM
 *
 * NVMe-2.0 5.14. A format goes through four steps:
 *
 *  1. the command is checked, and its namespaces refuse I/O from now on with
 *     Format In Progress;
 *  2. all loops fall silent, so that no command with addresses of the old
 *     geometry is anywhere. nvme_format_work() finds out when;
 *  3. the block size changes, the loops go on, and one of them erases the
 *     disk piece by piece, silent in between for whoever asks for silence.
 *     Everything reads as zeroes afterwards, whatever kind of erase was asked
 *     for; a flush makes it last;
 *  4. the namespaces take I/O again, and the command completes.
 *
 * A reset or an Abort in step 2 leaves everything as it was. In step 3 it ends
 * the erase after the piece at work; the namespace then has its new format and
 * part of its old data, which the specification leaves open.
 *
 * A pause of the machine waits for the end for a while. Then the format stops
 * after the piece at work and begins again when the machine goes on, here or
 * elsewhere.
 *
 * There is no metadata, no protection information and no cryptographic erase.
 *
 * All but the pieces of step 3 is on the main loop with the device's lock held.
 */
#include "devices/nvme/admin_priv.h"
#include "vmm/base/math.h"

#define ERASE_PIECE	(64 * MIB)

/* What &nvme_req.priv holds. */
enum {
	FORMAT_TARGETS,		/* bit n: the namespace with index n */
	FORMAT_LEFT,		/* those of them that are not erased yet */
	FORMAT_OFFSET,		/* how far the first of these is, bytes */
	FORMAT_LBAF,
};

#define OFFSET_WAITING	UINT64_MAX	/* for silence */
#define LBAF_STOP	UINT64_MAX	/* end early */

static_assert(NVME_NS_MAX <= 64, "a word holds the targets");

/* The namespaces that @req names, one bit each. */
static u64 targets_of(const struct nvme_req *req)
{
	struct nvme_ctrl *ctrl = nvme_req_ctrl(req);
	u32 nsid = nvme_req_nsid(req);
	u64 targets = 0;
	u32 i;

	for (i = 0; i < ctrl->ns_nr; i++) {
		if ((nsid == NVME_NSID_ALL || nsid == i + 1) &&
		    nvme_ns_active(ctrl, i + 1))
			targets |= BIT_ULL(i);
	}
	return targets;
}

#define for_each_target(ns, ctrl, targets, bit)				\
	for (bit = bitmap_find_next(&(targets), NVME_NS_MAX, 0);	\
	     bit < NVME_NS_MAX && ((ns) = (ctrl)->ns[bit], true);	\
	     bit = bitmap_find_next(&(targets), NVME_NS_MAX, bit + 1))

static nvme_status_t check_fields(u32 cdw10)
{
	u32 lbaf = nvme_get(NVME_FORMAT_CDW10_LBAFL, cdw10) |
		   nvme_get(NVME_FORMAT_CDW10_LBAFU, cdw10) << 4;
	u32 ses = nvme_get(NVME_FORMAT_CDW10_SES, cdw10);

	if (lbaf >= NVME_LBAFS || nvme_get(NVME_FORMAT_CDW10_PI, cdw10))
		return NVME_SC_FORMAT_INVALID;
	if (ses != NVME_FORMAT_SES_NONE && ses != NVME_FORMAT_SES_USER)
		return NVME_SC_INVALID_FIELD;
	return NVME_SC_SUCCESS;
}

static nvme_status_t check_targets(const struct nvme_req *req, u64 targets)
{
	struct nvme_ctrl *ctrl = nvme_req_ctrl(req);
	u32 lbaf = nvme_get(NVME_FORMAT_CDW10_LBAFL, nvme_cdw(req, 10));
	u32 nsid = nvme_req_nsid(req);
	const struct nvme_ns *ns;
	u64 bit;

	if (nsid != NVME_NSID_ALL && !nvme_nsid_valid(ctrl, nsid))
		return NVME_SC_INVALID_NS;
	if (!targets)
		return NVME_SC_INVALID_FIELD;
	for_each_target(ns, ctrl, targets, bit) {
		if (ns->readonly)
			return NVME_SC_NS_WRITE_PROTECTED;
		if (!nvme_ns_lbaf_fits(ns, lbaf))
			return NVME_SC_FORMAT_INVALID;
		if (atomic_load(&ns->formatting))
			return NVME_SC_FORMAT_IN_PROGRESS;
	}
	return NVME_SC_SUCCESS;
}

/* ---- step 4 ------------------------------------------------------------------- */

/* None of the targets could be detached or formatted by others meanwhile. */
static void format_end(struct nvme_req *req, nvme_status_t status)
{
	struct nvme_ctrl *ctrl = nvme_req_ctrl(req);
	struct nvme_ns *ns;
	u64 bit;

	for_each_target(ns, ctrl, req->priv[FORMAT_TARGETS], bit) {
		atomic_store(&ns->format_left, 0);
		atomic_store(&ns->formatting, false);
		if (status != NVME_REQ_AGAIN)
			nvme_ns_changed(ctrl, ns->nsid);
	}
	nvme_req_complete(req, status);
}

/* ---- step 3: a piece on a loop's thread, then the next from the main loop ------- */

static void piece_done(struct nvme_req *req, int res)
{
	nvme_offload_done(req, nvme_req_errno(req, res));
}

static u64 ns_bytes(const struct nvme_ns *ns)
{
	return ns->lbas << ns->lba_shift;
}

static u64 piece_len(const struct nvme_req *req)
{
	return min_of(ns_bytes(req->ns) - req->priv[FORMAT_OFFSET],
		      (u64)ERASE_PIECE);
}

/* After the last piece the disk is flushed. */
static void piece_run(struct nvme_req *req)
{
	u64 len = piece_len(req);

	if (req->aborted)
		nvme_offload_done(req, req->aborted);
	else if (len)
		nvme_disk_write_zeroes(req, req->priv[FORMAT_OFFSET], len,
				       BLOCK_MAY_DISCARD, piece_done);
	else
		nvme_disk_flush(req, piece_done);
}

static void piece_after(struct nvme_req *req, nvme_status_t status);

static void piece_start(struct nvme_req *req)
{
	struct nvme_ctrl *ctrl = nvme_req_ctrl(req);
	u64 index = bitmap_find_next(&req->priv[FORMAT_LEFT], NVME_NS_MAX, 0);
	u64 size, left;

	if (req->priv[FORMAT_LBAF] == LBAF_STOP) {
		format_end(req, NVME_SC_ABORTED);
		return;
	}
	if (index == NVME_NS_MAX) {
		format_end(req, NVME_SC_SUCCESS);
		return;
	}
	if (ctrl->quiesce_freeze.hurried) {
		format_end(req, NVME_REQ_AGAIN);
		return;
	}
	req->ns = ctrl->ns[index];
	size = ns_bytes(req->ns);
	left = size - req->priv[FORMAT_OFFSET];
	/* Per cent, rounded up: 0 means that no format is at work. */
	atomic_store(&req->ns->format_left,
		     (u32)max_of(div_round_up(left, size / 100 + 1), 1ULL));
	nvme_offload(req, &ctrl->loops[0], piece_run, piece_after);
}

static void piece_after(struct nvme_req *req, nvme_status_t status)
{
	u64 len = piece_len(req);

	/* Whoever aborts it waits for its end, so it cannot begin again. */
	if (status == NVME_REQ_AGAIN && req->priv[FORMAT_LBAF] == LBAF_STOP)
		status = NVME_SC_ABORTED;
	if (status) {
		format_end(req, status);
		return;
	}
	req->priv[FORMAT_OFFSET] += len;
	if (!len) {		/* that was the flush */
		bitmap_clear(&req->priv[FORMAT_LEFT], req->ns->nsid - 1);
		req->priv[FORMAT_OFFSET] = 0;
	}
	piece_start(req);
}

/* ---- steps 1 and 2 --------------------------------------------------------------- */

static void change_geometry(struct nvme_req *req)
{
	struct nvme_ctrl *ctrl = nvme_req_ctrl(req);
	u64 lbaf = req->priv[FORMAT_LBAF];
	struct nvme_ns *ns;
	u64 bit;

	req->priv[FORMAT_OFFSET] = 0;
	for_each_target(ns, ctrl, req->priv[FORMAT_TARGETS], bit)
		if (lbaf != LBAF_STOP)
			nvme_ns_set_format(ns, (u32)lbaf);
	piece_start(req);
}

/* A request that waits to run alone has addresses of the old geometry too. */
static bool exclusive_busy(struct nvme_ctrl *ctrl)
{
	bool busy;

	mutex_lock(&ctrl->excl_lock);
	busy = ctrl->excl_run || !list_is_empty(&ctrl->excl);
	mutex_unlock(&ctrl->excl_lock);
	return busy;
}

static bool is_format(const struct nvme_req *req)
{
	return req->sqe.opcode == NVME_ADM_FORMAT_NVM &&
	       req->priv[FORMAT_TARGETS];
}

static void go_on(struct nvme_ctrl *ctrl, struct nvme_sq *admin, bool silent)
{
	struct nvme_req *req, *tmp;

	list_for_each_entry_safe(req, tmp, &admin->busy, link) {
		if (!is_format(req))
			continue;
		if (ctrl->resetting)
			req->priv[FORMAT_LBAF] = LBAF_STOP;
		if (silent && req->priv[FORMAT_OFFSET] == OFFSET_WAITING)
			change_geometry(req);
	}
}

/**
 * nvme_format_work() - go on with the formats that wait for silence
 * @ctrl: the controller
 *
 * Ends those that are at work when the controller is being reset.
 */
void nvme_format_work(struct nvme_ctrl *ctrl)
{
	bool silent = nvme_freeze_done(&ctrl->format_freeze) &&
		      !exclusive_busy(ctrl);
	struct nvme_sq *admin = ctrl->sqs[NVME_QUEUE_ADMIN];

	if (admin && (silent || ctrl->resetting))
		go_on(ctrl, admin, silent);
	if (silent)
		nvme_freeze_end(&ctrl->format_freeze);
}

/**
 * nvme_format_abort() - end a format early
 * @ctrl: the controller
 * @cid: its command identifier
 *
 * Return: the command, which will complete sooner or later; NULL when there
 * is no such format.
 */
struct nvme_req *nvme_format_abort(struct nvme_ctrl *ctrl, u16 cid)
{
	struct nvme_req *req;

	list_for_each_entry(req, &ctrl->sqs[NVME_QUEUE_ADMIN]->busy, link) {
		if (le16_to_cpu(req->sqe.cid) == cid && is_format(req)) {
			req->priv[FORMAT_LBAF] = LBAF_STOP;
			return req;
		}
	}
	return NULL;
}

/**
 * nvme_admin_format_nvm() - Format NVM
 * @req: the command; NSID may name all active namespaces
 *
 * Source: NVMe-2.0 5.14
 * Return: status or NVME_REQ_PENDING
 */
nvme_status_t nvme_admin_format_nvm(struct nvme_req *req)
{
	struct nvme_ctrl *ctrl = nvme_req_ctrl(req);
	u32 cdw10 = nvme_cdw(req, 10);
	u64 targets = targets_of(req);
	nvme_status_t status;
	struct nvme_ns *ns;
	u64 bit;

	status = check_fields(cdw10);
	if (!status)
		status = check_targets(req, targets);
	if (status)
		return status;
	for_each_target(ns, ctrl, targets, bit) {
		atomic_store(&ns->format_left, 100);
		atomic_store(&ns->formatting, true);
	}
	req->priv[FORMAT_TARGETS] = targets;
	req->priv[FORMAT_LEFT] = targets;
	req->priv[FORMAT_OFFSET] = OFFSET_WAITING;
	req->priv[FORMAT_LBAF] = nvme_get(NVME_FORMAT_CDW10_LBAFL, cdw10);
	if (!ctrl->format_freeze.active)
		nvme_freeze_start(&ctrl->format_freeze);
	return NVME_REQ_PENDING;
}
