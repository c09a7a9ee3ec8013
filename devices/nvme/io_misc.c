// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: Flush, Write Zeroes, Dataset Management, Verify, Write Uncorrectable
 *
 * Flush: NVMe-2.0 7.1; all namespaces by NSID FFFFFFFFh, one after the other.
 * The others: NVMCS-1.0 3.2.3, 3.2.5, 3.2.7, 3.2.8.
 *
 * Write Zeroes gives space back when Deallocate is set and the disk then reads
 * zeros. Dataset Management acts on Deallocate alone; its other attributes are
 * hints. All ranges are checked before the first is deallocated.
 */
#include "devices/nvme/nvme_priv.h"
#include "vmm/base/math.h"

/* What a step leaves: an error, or the wish to end it. */
static int step_result(const struct nvme_req *req, int res)
{
	return !res && req->aborted ? -ECANCELED : res;
}

/* ---- Flush ----------------------------------------------------------------- */

static void flush_done(struct nvme_req *req, int res)
{
	nvme_req_complete(req, nvme_req_errno(req, res));
}

static void flush_next(struct nvme_req *req, int res)
{
	struct nvme_ctrl *ctrl = req->sq->ctrl;
	u32 nsid = (u32)req->priv[0];

	res = step_result(req, res);
	while (!res && ++nsid <= ctrl->ns_nr) {
		req->ns = nvme_ns_active(ctrl, nsid);
		if (!req->ns)
			continue;
		req->priv[0] = nsid;
		nvme_disk_flush(req, flush_next);
		return;
	}
	nvme_req_complete(req, nvme_req_errno(req, res));
}

/**
 * nvme_io_flush() - Flush
 * @req: checked
 *
 * Return: status or NVME_REQ_PENDING.
 */
nvme_status_t nvme_io_flush(struct nvme_req *req)
{
	if (req->ns)
		nvme_disk_flush(req, flush_done);
	else
		flush_next(req, 0);
	return NVME_REQ_PENDING;
}

/* ---- Write Zeroes ---------------------------------------------------------- */

static void zeroes_done(struct nvme_req *req, int res)
{
	if (!res)
		nvme_unc_clear(req->ns, req->slba, req->nlb);
	nvme_req_complete(req, nvme_req_errno(req, res));
}

/**
 * nvme_io_write_zeroes() - Write Zeroes
 * @req: checked
 *
 * Return: status or NVME_REQ_PENDING.
 */
nvme_status_t nvme_io_write_zeroes(struct nvme_req *req)
{
	u32 cdw12 = le32_to_cpu(req->sqe.cdw12);
	u32 flags = nvme_write_flags(req, cdw12 & NVME_RW_CDW12_FUA);

	if (cdw12 & NVME_RW_CDW12_DEAC)
		flags |= BLOCK_MAY_DISCARD;
	nvme_disk_write_zeroes(req, req->slba << req->ns->lba_shift,
			       (u64)req->nlb << req->ns->lba_shift, flags,
			       zeroes_done);
	return NVME_REQ_PENDING;
}

/* ---- Dataset Management ----------------------------------------------------- */

/* &nvme_req.priv: the ranges are at the start of the scratch buffer. */
enum {
	DSM_NR,
	DSM_AT,
};

static void dsm_next(struct nvme_req *req, int res)
{
	const struct nvme_dsm_range *ranges = req->arg;
	struct nvme_ns *ns = req->ns;
	u64 at = req->priv[DSM_AT];
	u64 slba, nlb;

	res = step_result(req, res);
	for (; !res && at < req->priv[DSM_NR]; at++) {
		slba = le64_to_cpu(ranges[at].slba);
		nlb = le32_to_cpu(ranges[at].nlb);
		if (!nlb)
			continue;
		req->priv[DSM_AT] = at + 1;
		nvme_disk_discard(req, slba << ns->lba_shift,
				  nlb << ns->lba_shift, dsm_next);
		return;
	}
	/* With the write cache disabled nothing stays volatile. */
	if (!res && nvme_write_flags(req, false) &&
	    req->priv[DSM_AT] != UINT64_MAX) {
		req->priv[DSM_AT] = UINT64_MAX;
		nvme_disk_flush(req, dsm_next);
		return;
	}
	nvme_scratch_end(req, nvme_req_errno(req, res));
}

static nvme_status_t dsm_check(const struct nvme_req *req)
{
	const struct nvme_dsm_range *ranges = req->arg;
	u64 i;

	for (i = 0; i < req->priv[DSM_NR]; i++)
		if (!range_fits(le64_to_cpu(ranges[i].slba),
				le32_to_cpu(ranges[i].nlb), req->ns->lbas))
			return NVME_SC_LBA_RANGE;
	return NVME_SC_SUCCESS;
}

static void dsm_begin(struct nvme_req *req)
{
	u32 bytes = (u32)(req->priv[DSM_NR] * sizeof(struct nvme_dsm_range));
	nvme_status_t status = req->aborted;

	if (!status)
		status = nvme_req_from_host(req, req->arg, bytes);
	if (!status)
		status = dsm_check(req);
	if (status || !(le32_to_cpu(req->sqe.cdw11) & NVME_DSM_CDW11_AD))
		nvme_scratch_end(req, status);
	else
		dsm_next(req, 0);
}

/**
 * nvme_io_dsm() - Dataset Management
 * @req: checked
 *
 * Return: NVME_REQ_PENDING.
 */
nvme_status_t nvme_io_dsm(struct nvme_req *req)
{
	req->priv[DSM_NR] = nvme_get(NVME_DSM_CDW10_NR,
				     le32_to_cpu(req->sqe.cdw10)) + 1;
	return nvme_scratch_run(req, dsm_begin);
}

/* ---- Verify ----------------------------------------------------------------- */

/* &nvme_req.priv */
enum {
	VERIFY_AT,	/* bytes done */
	VERIFY_PIECE,	/* bytes being read */
};

static void verify_next(struct nvme_req *req, int res)
{
	u64 total = (u64)req->nlb << req->ns->lba_shift;

	res = step_result(req, res);
	req->priv[VERIFY_AT] += req->priv[VERIFY_PIECE];
	if (res || req->priv[VERIFY_AT] == total) {
		nvme_scratch_end(req, nvme_req_errno(req, res));
		return;
	}
	req->priv[VERIFY_PIECE] = min_of(total - req->priv[VERIFY_AT],
					 (u64)NVME_SCRATCH_BYTES);
	req->inline_iov[0].iov_base = req->arg;
	req->inline_iov[0].iov_len = req->priv[VERIFY_PIECE];
	nvme_disk_read(req, req->inline_iov, 1,
		       (req->slba << req->ns->lba_shift) +
		       req->priv[VERIFY_AT], verify_next);
}

static void verify_begin(struct nvme_req *req)
{
	verify_next(req, 0);
}

/**
 * nvme_io_verify() - Verify: can the blocks be read?
 * @req: checked
 *
 * Return: status or NVME_REQ_PENDING.
 */
nvme_status_t nvme_io_verify(struct nvme_req *req)
{
	if (nvme_unc_hit(req->ns, req->slba, req->nlb))
		return NVME_SC_READ_ERROR;
	return nvme_scratch_run(req, verify_begin);
}

/* ---- Write Uncorrectable ------------------------------------------------------ */

/**
 * nvme_io_write_uncorrectable() - Write Uncorrectable
 * @req: checked
 *
 * Return: status.
 */
nvme_status_t nvme_io_write_uncorrectable(struct nvme_req *req)
{
	return nvme_unc_mark(req->ns, req->slba, req->nlb) ? NVME_SC_SUCCESS :
							     NVME_SC_INTERNAL;
}
