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
 *     disk piece by piece. Everything reads as zeroes afterwards, whatever
 *     kind of erase was asked for; a flush makes it last;
 *  4. the namespaces take I/O again, and the command completes.
 *
 * A reset in step 3 ends the erase after the piece at work. The namespace
 * then has its new format and part of its old data, which the specification
 * leaves open; it is never of one size to one part of us and of another size
 * to another.
 *
 * There is no metadata, no protection information and no cryptographic erase.
 *
 * Steps 1, 2 and 4 are on the main loop with the device's lock held.
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

/* ---- step 3, on a loop's thread ------------------------------------------------ */

static void erase_next(struct nvme_req *req);

static void erased_all(struct nvme_req *req, int res)
{
	atomic_store(&req->ns->format_left, 0);
	if (res) {
		nvme_offload_done(req, nvme_req_errno(req, res));
		return;
	}
	bitmap_clear(&req->priv[FORMAT_LEFT], req->ns->nsid - 1);
	req->priv[FORMAT_OFFSET] = 0;
	erase_next(req);
}

static void erased_piece(struct nvme_req *req, int res)
{
	if (res)
		nvme_offload_done(req, nvme_req_errno(req, res));
	else
		erase_next(req);
}

static void erase_piece(struct nvme_req *req)
{
	struct nvme_ns *ns = req->ns;
	u64 size = ns->lbas << ns->lba_shift;
	u64 offset = req->priv[FORMAT_OFFSET];
	u64 len = min_of(size - offset, (u64)ERASE_PIECE);

	if (!len) {
		nvme_disk_flush(req, erased_all);
		return;
	}
	/* Per cent, rounded up: 0 means that no format is at work. */
	atomic_store(&ns->format_left,
		     (u32)div_round_up(size - offset, size / 100 + 1));
	req->priv[FORMAT_OFFSET] = offset + len;
	nvme_disk_write_zeroes(req, offset, len, BLOCK_MAY_DISCARD,
			       erased_piece);
}

static void erase_next(struct nvme_req *req)
{
	u64 index = bitmap_find_next(&req->priv[FORMAT_LEFT], NVME_NS_MAX, 0);

	if (index == NVME_NS_MAX) {
		nvme_offload_done(req, NVME_SC_SUCCESS);
		return;
	}
	req->ns = nvme_req_ctrl(req)->ns[index];
	if (atomic_load(&req->ns->format_stop))
		nvme_offload_done(req, NVME_SC_ABORTED);
	else
		erase_piece(req);
}

/* ---- steps 1, 2 and 4 -------------------------------------------------------------- */

/* All of its targets have refused I/O, and none could be detached meanwhile. */
static void format_done(struct nvme_req *req, nvme_status_t status)
{
	struct nvme_ctrl *ctrl = nvme_req_ctrl(req);
	struct nvme_ns *ns;
	u64 bit;

	for_each_target(ns, ctrl, req->priv[FORMAT_TARGETS], bit) {
		atomic_store(&ns->format_left, 0);
		atomic_store(&ns->formatting, false);
		nvme_ns_changed(ctrl, ns->nsid);
	}
	nvme_req_complete(req, status);
}

static void change_geometry(struct nvme_req *req)
{
	struct nvme_ctrl *ctrl = nvme_req_ctrl(req);
	struct nvme_ns *ns;
	u64 bit;

	req->priv[FORMAT_OFFSET] = 0;
	for_each_target(ns, ctrl, req->priv[FORMAT_TARGETS], bit)
		nvme_ns_set_format(ns, (u32)req->priv[FORMAT_LBAF]);
	nvme_offload(req, &ctrl->loops[0], erase_next, format_done);
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

static void stop(struct nvme_req *req)
{
	struct nvme_ctrl *ctrl = nvme_req_ctrl(req);
	struct nvme_ns *ns;
	u64 bit;

	for_each_target(ns, ctrl, req->priv[FORMAT_TARGETS], bit)
		atomic_store(&ns->format_stop, true);
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
			stop(req);
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
			stop(req);
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
		atomic_store(&ns->format_stop, false);
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
