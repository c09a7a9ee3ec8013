// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: Copy
 *
 * NVMCS-1.0 3.2.2, source range descriptors of format 0. The ranges are read
 * one after the other into a buffer of ours and written behind each other at
 * the destination. All of them are checked before the first block is written.
 *
 * Source and destination may overlap (the result is then as if the pieces were
 * copied in order, which the specification leaves open). A failure leaves the
 * destination partly written; dword 0 of the completion is the first source
 * range that was not copied whole.
 */
#include "devices/nvme/nvme_priv.h"
#include "vmm/base/math.h"

/* &nvme_req.priv */
enum {
	COPY_NR,	/* ranges */
	COPY_RANGE,	/* the one being copied */
	COPY_AT,	/* blocks of it that are done */
	COPY_PIECE,	/* blocks in the buffer */
};

/* The buffer: the ranges first, then the data. */
#define RANGES_BYTES	(NVME_COPY_RANGES_MAX * sizeof(struct nvme_copy_range))
#define DATA_BYTES	(NVME_SCRATCH_BYTES - RANGES_BYTES)

static const struct nvme_copy_range *range_of(const struct nvme_req *req)
{
	const struct nvme_copy_range *ranges = req->arg;

	return &ranges[req->priv[COPY_RANGE]];
}

static u64 range_nlb(const struct nvme_copy_range *range)
{
	return le16_to_cpu(range->nlb_0based) + 1ULL;
}

static void data_iov(struct nvme_req *req)
{
	req->own_iov.iov_base = (u8 *)req->arg + RANGES_BYTES;
	req->own_iov.iov_len = req->priv[COPY_PIECE] << req->ns->lba_shift;
}

static void copy_end(struct nvme_req *req, nvme_status_t status)
{
	if (status)
		req->result = req->priv[COPY_RANGE];
	nvme_scratch_end(req, status);
}

static void copy_next(struct nvme_req *req);

static void copy_written(struct nvme_req *req, int res)
{
	if (!res && req->aborted)
		res = -ECANCELED;
	if (res) {
		copy_end(req, nvme_req_errno(req, res));
		return;
	}
	nvme_unc_clear(req->ns, req->slba, req->priv[COPY_PIECE]);
	req->slba += req->priv[COPY_PIECE];
	req->priv[COPY_AT] += req->priv[COPY_PIECE];
	if (req->priv[COPY_AT] == range_nlb(range_of(req))) {
		req->priv[COPY_AT] = 0;
		req->priv[COPY_RANGE]++;
	}
	copy_next(req);
}

static void copy_read(struct nvme_req *req, int res)
{
	u32 cdw12 = le32_to_cpu(req->sqe.cdw12);

	if (!res && req->aborted)
		res = -ECANCELED;
	if (res) {
		copy_end(req, res == -ECANCELED ? nvme_req_errno(req, res) :
						  NVME_SC_READ_ERROR);
		return;
	}
	data_iov(req);
	nvme_disk_write(req, &req->own_iov, 1,
			req->slba << req->ns->lba_shift,
			nvme_write_flags(req, cdw12 & NVME_COPY_CDW12_FUA),
			copy_written);
}

static void copy_next(struct nvme_req *req)
{
	const struct nvme_copy_range *range;
	u64 from, left;

	if (req->priv[COPY_RANGE] == req->priv[COPY_NR]) {
		copy_end(req, NVME_SC_SUCCESS);
		return;
	}
	range = range_of(req);
	from = le64_to_cpu(range->slba) + req->priv[COPY_AT];
	left = range_nlb(range) - req->priv[COPY_AT];
	req->priv[COPY_PIECE] = min_of(left, DATA_BYTES >> req->ns->lba_shift);
	if (nvme_unc_hit(req->ns, from, req->priv[COPY_PIECE])) {
		copy_end(req, NVME_SC_READ_ERROR);
		return;
	}
	data_iov(req);
	nvme_disk_read(req, &req->own_iov, 1, from << req->ns->lba_shift,
		       copy_read);
}

static nvme_status_t copy_check(struct nvme_req *req)
{
	const struct nvme_copy_range *ranges = req->arg;
	u64 total = 0;
	u64 i;

	for (i = 0; i < req->priv[COPY_NR]; i++) {
		u64 nlb = range_nlb(&ranges[i]);

		if (nlb > NVME_COPY_MSSRL)
			return NVME_SC_COMMAND_SIZE_LIMIT;
		if (!range_fits(le64_to_cpu(ranges[i].slba), nlb,
				req->ns->lbas))
			return NVME_SC_LBA_RANGE;
		total += nlb;
	}
	if (total > NVME_COPY_MCL)
		return NVME_SC_COMMAND_SIZE_LIMIT;
	return range_fits(req->slba, total, req->ns->lbas) ?
	       NVME_SC_SUCCESS : NVME_SC_LBA_RANGE;
}

static void copy_begin(struct nvme_req *req)
{
	u32 bytes = (u32)(req->priv[COPY_NR] * sizeof(struct nvme_copy_range));
	nvme_status_t status = req->aborted;

	if (!status)
		status = nvme_req_from_host(req, req->arg, bytes);
	if (!status)
		status = copy_check(req);
	if (status)
		nvme_scratch_end(req, status);
	else
		copy_next(req);
}

/**
 * nvme_io_copy() - Copy
 * @req: checked
 *
 * Return: status or NVME_REQ_PENDING.
 */
nvme_status_t nvme_io_copy(struct nvme_req *req)
{
	u32 cdw12 = le32_to_cpu(req->sqe.cdw12);

	if (cdw12 & (NVME_COPY_CDW12_DESFMT | NVME_COPY_CDW12_DTYPE))
		return NVME_SC_INVALID_FIELD;
	req->slba = le32_to_cpu(req->sqe.cdw10) |
		    (u64)le32_to_cpu(req->sqe.cdw11) << 32;
	req->priv[COPY_NR] = nvme_get(NVME_COPY_CDW12_NR, cdw12) + 1;
	if (req->priv[COPY_NR] > NVME_COPY_RANGES)
		return NVME_SC_COMMAND_SIZE_LIMIT;
	return nvme_scratch_run(req, copy_begin);
}
