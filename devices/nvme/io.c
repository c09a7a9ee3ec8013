// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: disk requests of commands, and what their results mean
 *
 * A command makes one disk request at a time, on the thread of its loop; the
 * function that it names is called with the result, never from within the
 * call. What a host error means to the guest is decided here, for all
 * commands alike.
 */
#include "devices/nvme/nvme_priv.h"

static void disk_done(struct block_req *blk, int res)
{
	struct nvme_req *req = container_of(blk, struct nvme_req, blk);

	req->in_block = false;
	req->next(req, res);
}

static void disk_begin(struct nvme_req *req,
		       void (*next)(struct nvme_req *req, int res))
{
	req->blk.done = disk_done;
	req->in_block = true;
	req->next = next;
}

/**
 * nvme_disk_read() - read from the namespace's disk
 * @req: the request
 * @iov: where to
 * @iov_nr: vectors
 * @offset: position, bytes
 * @next: called with 0 or a negative errno
 *
 * Context: the thread of &nvme_req.loop, as all of these.
 */
void nvme_disk_read(struct nvme_req *req, struct iovec *iov, u32 iov_nr,
		    u64 offset, void (*next)(struct nvme_req *req, int res))
{
	disk_begin(req, next);
	block_read(req->ns->blk, req->loop->thread, &req->blk, iov, iov_nr,
		   offset);
}

/**
 * nvme_disk_write() - write to the namespace's disk
 * @req: the request
 * @iov: where from
 * @iov_nr: vectors
 * @offset: position, bytes
 * @flags: enum block_flags
 * @next: see nvme_disk_read()
 */
void nvme_disk_write(struct nvme_req *req, struct iovec *iov, u32 iov_nr,
		     u64 offset, u32 flags,
		     void (*next)(struct nvme_req *req, int res))
{
	disk_begin(req, next);
	block_write(req->ns->blk, req->loop->thread, &req->blk, iov, iov_nr,
		    offset, flags);
}

/**
 * nvme_disk_flush() - make completed writes durable
 * @req: the request
 * @next: see nvme_disk_read()
 */
void nvme_disk_flush(struct nvme_req *req,
		     void (*next)(struct nvme_req *req, int res))
{
	disk_begin(req, next);
	block_flush(req->ns->blk, req->loop->thread, &req->blk);
}

/**
 * nvme_disk_write_zeroes() - make a range read as zeros
 * @req: the request
 * @offset: position, bytes
 * @len: bytes
 * @flags: enum block_flags
 * @next: see nvme_disk_read()
 */
void nvme_disk_write_zeroes(struct nvme_req *req, u64 offset, u64 len,
			    u32 flags,
			    void (*next)(struct nvme_req *req, int res))
{
	disk_begin(req, next);
	block_write_zeroes(req->ns->blk, req->loop->thread, &req->blk, offset,
			   len, flags);
}

/**
 * nvme_disk_discard() - give a range's space back
 * @req: the request
 * @offset: position, bytes
 * @len: bytes
 * @next: see nvme_disk_read()
 */
void nvme_disk_discard(struct nvme_req *req, u64 offset, u64 len,
		       void (*next)(struct nvme_req *req, int res))
{
	disk_begin(req, next);
	block_discard(req->ns->blk, req->loop->thread, &req->blk, offset, len);
}

/**
 * nvme_write_flags() - flags of a write
 * @req: the request
 * @fua: the command has Force Unit Access
 *
 * With the volatile write cache disabled each write goes to stable storage
 * before it completes (NVMe-2.0 5.27.1.4).
 *
 * Return: enum block_flags.
 */
u32 nvme_write_flags(const struct nvme_req *req, bool fua)
{
	struct nvme_tuning *t = &req->sq->ctrl->tuning;

	if (fua || atomic_load_explicit(&t->write_through,
					memory_order_relaxed))
		return BLOCK_FUA;
	return 0;
}

static bool req_reads(const struct nvme_req *req)
{
	switch (req->sqe.opcode) {
	case NVME_IO_READ:
	case NVME_IO_COMPARE:
	case NVME_IO_VERIFY:
		return !req->sq->loop->admin;
	default:
		return false;
	}
}

/**
 * nvme_req_errno() - the status for what the host says
 * @req: the request
 * @res: 0 or a negative errno
 *
 * Return: the status.
 */
nvme_status_t nvme_req_errno(const struct nvme_req *req, int res)
{
	switch (res) {
	case 0:
		return NVME_SC_SUCCESS;
	case -ECANCELED:
		return req->aborted ? req->aborted : NVME_SC_INTERNAL;
	case -EROFS:
		return NVME_SC_NS_WRITE_PROTECTED;
	case -ENOSPC:
	case -EDQUOT:
		return NVME_SC_CAPACITY_EXCEEDED;
	case -ENOMEM:
	case -EAGAIN:
		return NVME_SC_INTERNAL;
	default:
		return req_reads(req) ? NVME_SC_READ_ERROR :
					NVME_SC_WRITE_FAULT;
	}
}
