// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: Read and Write
 *
 * NVMCS-1.0 3.2.4, 3.2.6. The disk request's vectors point into guest memory,
 * so nothing is copied. Force Unit Access on a write reaches stable storage
 * before the command completes; on a read what is cached is made stable first.
 *
 * Without end-to-end protection and metadata PRINFO and the tags mean nothing;
 * without directives DTYPE must be zero. Limited Retry and the access hints
 * are hints.
 */
#include "devices/nvme/nvme_priv.h"
#include "vmm/base/counter.h"

static u64 byte_offset(const struct nvme_req *req)
{
	return req->slba << req->ns->lba_shift;
}

static void read_done(struct nvme_req *req, int res)
{
	if (likely(!res)) {
		counter_add(&req->loop->stats.reads, 1);
		counter_add(&req->loop->stats.read_units, req->data_len >> 9);
	}
	nvme_req_complete(req, nvme_req_errno(req, res));
}

static void read_begin(struct nvme_req *req)
{
	nvme_disk_read(req, req->iov, req->iov_nr, byte_offset(req),
		       read_done);
}

static void read_flushed(struct nvme_req *req, int res)
{
	if (res || req->aborted)
		nvme_req_complete(req, nvme_req_errno(req, res ? res :
						      -ECANCELED));
	else
		read_begin(req);
}

/**
 * nvme_io_read() - Read
 * @req: checked
 *
 * Return: status or NVME_REQ_PENDING.
 */
nvme_status_t nvme_io_read(struct nvme_req *req)
{
	nvme_status_t status;

	status = nvme_dptr_map(req, req->data_len, NVME_DIR_IN);
	if (unlikely(status))
		return status;
	if (unlikely(nvme_unc_hit(req->ns, req->slba, req->nlb)))
		return NVME_SC_READ_ERROR;
	if (unlikely(le32_to_cpu(req->sqe.cdw12) & NVME_RW_CDW12_FUA))
		nvme_disk_flush(req, read_flushed);
	else
		read_begin(req);
	return NVME_REQ_PENDING;
}

static void write_done(struct nvme_req *req, int res)
{
	if (likely(!res)) {
		counter_add(&req->loop->stats.writes, 1);
		counter_add(&req->loop->stats.write_units, req->data_len >> 9);
		nvme_unc_clear(req->ns, req->slba, req->nlb);
	}
	nvme_req_complete(req, nvme_req_errno(req, res));
}

/**
 * nvme_io_write() - Write
 * @req: checked
 *
 * Return: status or NVME_REQ_PENDING.
 */
nvme_status_t nvme_io_write(struct nvme_req *req)
{
	u32 cdw12 = le32_to_cpu(req->sqe.cdw12);
	nvme_status_t status;

	if (unlikely(cdw12 & NVME_RW_CDW12_DTYPE))
		return NVME_SC_INVALID_FIELD;
	status = nvme_dptr_map(req, req->data_len, NVME_DIR_OUT);
	if (unlikely(status))
		return status;
	nvme_disk_write(req, req->iov, req->iov_nr, byte_offset(req),
			nvme_write_flags(req, cdw12 & NVME_RW_CDW12_FUA),
			write_done);
	return NVME_REQ_PENDING;
}
