// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: Compare, and Compare and Write fused
 *
 * NVMCS-1.0 3.2.1 and NVMe-2.0 3.4.2, 6.2 (fused operations). Compare reads
 * the blocks into a buffer of ours, piece by piece, and compares them with
 * what the host has in its memory.
 *
 * A fused pair is one operation: nothing else may come between the comparison
 * and the write, from no queue. So it runs while all loops are silent (see
 * freeze.c). When the first command fails the second is aborted; both are
 * checked before anything is done, and both complete in their order.
 */
#include <string.h>

#include "devices/nvme/nvme_priv.h"
#include "vmm/base/math.h"

/* &nvme_req.priv */
enum {
	CMP_AT,		/* bytes compared */
	CMP_PIECE,	/* bytes being read */
};

/* What the host has is compared in place: it is only looked at. */
static bool equals_host(const struct nvme_req *req, u64 at, u64 len)
{
	const u8 *disk = req->arg;
	u32 i;

	for (i = 0; i < req->iov_nr && len; i++) {
		const u8 *host = req->iov[i].iov_base;
		u64 n = req->iov[i].iov_len;

		if (at >= n) {
			at -= n;
			continue;
		}
		n = min_of(n - at, len);
		if (memcmp(host + at, disk, n))
			return false;
		at = 0;
		disk += n;
		len -= n;
	}
	return true;
}

static void compare_end(struct nvme_req *req, nvme_status_t status);

static void compare_next(struct nvme_req *req, int res)
{
	if (!res && req->aborted)
		res = -ECANCELED;
	if (res) {
		compare_end(req, nvme_req_errno(req, res));
		return;
	}
	if (!equals_host(req, req->priv[CMP_AT], req->priv[CMP_PIECE])) {
		compare_end(req, NVME_SC_COMPARE_FAILURE);
		return;
	}
	req->priv[CMP_AT] += req->priv[CMP_PIECE];
	if (req->priv[CMP_AT] == req->data_len) {
		compare_end(req, NVME_SC_SUCCESS);
		return;
	}
	req->priv[CMP_PIECE] = min_of(req->data_len - req->priv[CMP_AT],
				      (u64)NVME_SCRATCH_BYTES);
	req->own_iov.iov_base = req->arg;
	req->own_iov.iov_len = req->priv[CMP_PIECE];
	nvme_disk_read(req, &req->own_iov, 1,
		       (req->slba << req->ns->lba_shift) + req->priv[CMP_AT],
		       compare_next);
}

static void compare_begin(struct nvme_req *req)
{
	compare_next(req, 0);
}

static nvme_status_t compare_prepare(struct nvme_req *req)
{
	nvme_status_t status;

	status = nvme_dptr_map(req, req->data_len, NVME_DIR_OUT);
	if (!status && nvme_unc_hit(req->ns, req->slba, req->nlb))
		status = NVME_SC_READ_ERROR;
	return status;
}

/**
 * nvme_io_compare() - Compare
 * @req: checked
 *
 * Return: status or NVME_REQ_PENDING.
 */
nvme_status_t nvme_io_compare(struct nvme_req *req)
{
	nvme_status_t status = compare_prepare(req);

	return status ? status : nvme_scratch_run(req, compare_begin);
}

/* ---- fused -------------------------------------------------------------------- */

static void fused_write(struct nvme_req *write)
{
	nvme_status_t status = write->aborted ? write->aborted :
						write->cmd->run(write);

	if (status != NVME_REQ_PENDING)
		nvme_req_complete(write, status);
}

static void compare_end(struct nvme_req *req, nvme_status_t status)
{
	struct nvme_req *write = req->partner;

	nvme_scratch_end(req, status);
	if (!write)
		return;
	if (status)
		nvme_req_complete(write, NVME_SC_ABORTED_FUSED_FAILED);
	else
		fused_write(write);
}

/* Alone now. The second half ends the silence when it completes. */
static void fused_begin(struct nvme_req *compare)
{
	nvme_status_t status = nvme_scratch_run(compare, compare_begin);
	struct nvme_req *write = compare->partner;

	if (status == NVME_REQ_PENDING)
		return;
	nvme_req_complete(compare, status);
	nvme_req_complete(write, NVME_SC_ABORTED_FUSED_FAILED);
}

/* The pair must be of the same blocks. */
static nvme_status_t check_pair(struct nvme_req *compare,
				struct nvme_req *write)
{
	if (compare->sqe.opcode != NVME_IO_COMPARE ||
	    write->sqe.opcode != NVME_IO_WRITE)
		return NVME_SC_INVALID_FIELD;
	if (compare->ns != write->ns || compare->slba != write->slba ||
	    compare->nlb != write->nlb)
		return NVME_SC_INVALID_FIELD;
	return NVME_SC_SUCCESS;
}

/**
 * nvme_fused_start() - check and execute a fused pair
 * @first: with FUSE 01b
 * @second: with FUSE 10b, the next of the same queue
 *
 * Context: the queue's loop.
 */
void nvme_fused_start(struct nvme_req *first, struct nvme_req *second)
{
	nvme_status_t status = nvme_req_check(first);
	nvme_status_t second_status = nvme_req_check(second);

	if (!status && !second_status)
		status = check_pair(first, second);
	if (!status && !second_status)
		status = compare_prepare(first);
	if (status || second_status) {
		nvme_req_complete(first, status ? status :
				  NVME_SC_ABORTED_FUSED_FAILED);
		nvme_req_complete(second, second_status ? second_status :
				  NVME_SC_ABORTED_FUSED_FAILED);
		return;
	}
	first->partner = second;
	second->exclusive = true;
	nvme_exclusive_run(first, fused_begin);
}
