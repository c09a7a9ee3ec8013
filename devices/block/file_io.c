// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: requests to image files and block devices
 *
 * A request is one io_uring operation after another, never two at a time:
 *
 *   read, write    STEP_RW until everything is moved. A short transfer goes on
 *                  at the next byte; with O_DIRECT at the next whole block. A
 *                  request whose vectors do not suit O_DIRECT goes through
 *                  bounce.c, chunk by chunk.
 *   flush          STEP_SYNC
 *   write zeroes   STEP_PUNCH if space may be given back, else
 *                  STEP_ZERO_RANGE; where the file system can do neither,
 *                  STEP_ZEROES writes zeros. With FUA then STEP_SYNC.
 *   discard        STEP_PUNCH, or the worker's BLKDISCARD
 *
 * FUA on a write is RWF_DSYNC. EINTR and EAGAIN are tried again, from a kernel
 * thread that can wait (IOSQE_ASYNC).
 *
 * Everything here runs on the loop's thread of the request's lane. Nothing is
 * allocated but bounce buffers, once.
 */
#include <limits.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include "devices/block/block_priv.h"
#include "vmm/base/math.h"

#define RETRIES_MAX	100		/* without any progress */
#define MOVE_MAX	0x7ffff000U	/* what the kernel moves in one call */

enum file_step {
	STEP_NONE,		/* nothing in the ring: waits in lane.later */
	STEP_WAIT,		/* for a bounce buffer */
	STEP_WORKER,
	STEP_RW,
	STEP_SYNC,
	STEP_PUNCH,
	STEP_ZERO_RANGE,
	STEP_ZEROES,
};

static void prep_rw(struct io_uring_sqe *sqe, struct block_file *file,
		    struct block_req *req)
{
	struct iovec *iov = req->bounce ? &req->one : req->iov;
	u32 nr = req->bounce ? 1 : req->iov_nr;
	u32 len = (u32)min_of((u64)iov->iov_len, (u64)MOVE_MAX);

	/* A single vector is cheaper without the array around it. */
	if (req->kind == BLOCK_READ && nr == 1)
		io_uring_prep_read(sqe, file->fd, iov->iov_base, len,
				   req->offset);
	else if (req->kind == BLOCK_READ)
		io_uring_prep_readv(sqe, file->fd, iov,
				    min_of(nr, (u32)IOV_MAX), req->offset);
	else if (nr == 1)
		io_uring_prep_write(sqe, file->fd, iov->iov_base, len,
				    req->offset);
	else
		io_uring_prep_writev(sqe, file->fd, iov,
				     min_of(nr, (u32)IOV_MAX), req->offset);
	if (req->flags & BLOCK_FUA)
		sqe->rw_flags = (__force __kernel_rwf_t)RWF_DSYNC;
}

static void prep_zeroes(struct io_uring_sqe *sqe, struct block_file *file,
			struct block_req *req)
{
	u32 len = (u32)min_of(req->left, (u64)BLOCK_ZEROES_BYTES);

	io_uring_prep_write(sqe, file->fd, file->zeroes, len, req->offset);
	if (req->flags & BLOCK_FUA)
		sqe->rw_flags = (__force __kernel_rwf_t)RWF_DSYNC;
}

static void issue(struct block_req *req, enum file_step step)
{
	struct block_file *file = block_req_file(req);
	struct io_uring_sqe *sqe;

	sqe = iothread_sqe(block_lane_loop(req->lane), &req->op);
	req->step = (u8)step;
	switch (step) {
	case STEP_RW:
		prep_rw(sqe, file, req);
		break;
	case STEP_SYNC:
		io_uring_prep_fsync(sqe, file->fd, IORING_FSYNC_DATASYNC);
		break;
	case STEP_PUNCH:
		io_uring_prep_fallocate(sqe, file->fd,
					FALLOC_FL_PUNCH_HOLE |
					FALLOC_FL_KEEP_SIZE,
					(off_t)req->offset, (off_t)req->left);
		break;
	case STEP_ZERO_RANGE:
		io_uring_prep_fallocate(sqe, file->fd,
					FALLOC_FL_ZERO_RANGE |
					FALLOC_FL_KEEP_SIZE,
					(off_t)req->offset, (off_t)req->left);
		break;
	case STEP_ZEROES:
		prep_zeroes(sqe, file, req);
		break;
	default:
		assert(!"not an operation of the ring");
	}
	if (req->retries)
		sqe->flags |= IOSQE_ASYNC;
}

/* Has a bounce buffer: the first, or the next, chunk. */
static void issue_chunk(struct block_req *req)
{
	bounce_fill(req);
	issue(req, STEP_RW);
}

/* Gives the buffer to the next in line, which then runs. */
static void release_bounce(struct block_req *req)
{
	struct block_req *next = bounce_put(req);

	if (next)
		issue_chunk(next);
}

static void finish(struct block_req *req, int res)
{
	if (req->bounce)
		release_bounce(req);
	if (req->cancel_busy) {
		req->finished = true;
		req->res = res;
		return;
	}
	block_complete(req, res);
}

static void cancel_done(struct io_op *op, s32 res, u32 flags)
{
	struct block_req *req = container_of(op, struct block_req, cancel);

	req->cancel_busy = false;
	if (req->finished)
		block_complete(req, req->res);
}

/* More is to be done: but not when the request has been cancelled. */
static void go_on(struct block_req *req, enum file_step step)
{
	if (req->cancelled)
		finish(req, -ECANCELED);
	else
		issue(req, step);
}

static void rw_done(struct block_req *req, u32 moved)
{
	req->offset += moved;
	req->left -= moved;
	if (req->bounce) {
		req->one.iov_base = (u8 *)req->one.iov_base + moved;
		req->one.iov_len -= moved;
		if (req->one.iov_len) {
			go_on(req, STEP_RW);
			return;
		}
		bounce_drain(req);
		if (req->left && !req->cancelled) {
			issue_chunk(req);
			return;
		}
	} else if (req->left) {
		block_iov_advance(req, moved);
		go_on(req, STEP_RW);
		return;
	}
	finish(req, req->left ? -ECANCELED : 0);
}

static void zeroes_done(struct block_req *req, u32 moved)
{
	req->offset += moved;
	req->left -= moved;
	if (req->left)
		go_on(req, STEP_ZEROES);
	else
		finish(req, 0);
}

/*
 * What is left over of a short transfer must be something that O_DIRECT
 * accepts: the torn block is moved once more.
 */
static void moved_some(struct block_req *req, u32 res)
{
	struct block_file *file = block_req_file(req);
	u64 moved = round_down_to(res, (u64)file->len_mask + 1);

	if (res >= req->left)
		moved = req->left;
	if (moved) {
		req->retries = 0;
	} else if (++req->retries > RETRIES_MAX) {
		finish(req, -EIO);
		return;
	}
	if (req->step == STEP_RW)
		rw_done(req, (u32)moved);
	else
		zeroes_done(req, (u32)moved);
}

static bool is_unsupported(s32 res)
{
	return res == -EOPNOTSUPP || res == -ENOSYS;
}

static enum file_step zeroes_step(struct block_req *req)
{
	struct block_file *file = block_req_file(req);

	if ((req->offset | req->left) & file->sector_mask)
		return STEP_ZEROES;
	if ((req->flags & BLOCK_MAY_DISCARD) && !atomic_load(&file->no_punch))
		return STEP_PUNCH;
	if (!atomic_load(&file->no_zero_range))
		return STEP_ZERO_RANGE;
	return STEP_ZEROES;
}

static void fallocate_done(struct block_req *req, s32 res)
{
	struct block_file *file = block_req_file(req);

	if (is_unsupported(res)) {
		if (req->step == STEP_PUNCH)
			atomic_store(&file->no_punch, true);
		else
			atomic_store(&file->no_zero_range, true);
		if (req->kind == BLOCK_DISCARD)
			finish(req, 0);
		else
			go_on(req, zeroes_step(req));
		return;
	}
	if (!res && (req->flags & BLOCK_FUA))
		go_on(req, STEP_SYNC);
	else
		finish(req, res);
}

static void file_op_done(struct io_op *op, s32 res, u32 flags)
{
	struct block_req *req = container_of(op, struct block_req, op);

	if (res == -EINTR || res == -EAGAIN) {
		if (++req->retries > RETRIES_MAX)
			finish(req, res);
		else
			go_on(req, req->step);
		return;
	}
	switch (req->step) {
	case STEP_PUNCH:
	case STEP_ZERO_RANGE:
		fallocate_done(req, res);
		return;
	case STEP_SYNC:
		finish(req, res);
		return;
	default:
		if (res > 0)
			moved_some(req, (u32)res);
		else
			finish(req, res ? res : -EIO);	/* end of file */
	}
}

static bool suits_direct(const struct block_file *file,
			 const struct block_req *req)
{
	u64 bad = 0;
	u32 i;

	for (i = 0; i < req->iov_nr; i++)
		bad |= ((uintptr_t)req->iov[i].iov_base & file->mem_mask) |
		       (req->iov[i].iov_len & file->len_mask);
	return !bad;
}

static void submit_rw(struct block_req *req)
{
	int ret;

	/* No vectors of length 0 in front: each operation moves something. */
	block_iov_advance(req, 0);
	if (likely(suits_direct(block_req_file(req), req))) {
		issue(req, STEP_RW);
		return;
	}
	req->step = STEP_WAIT;
	ret = bounce_get(req);
	if (!ret) {
		issue_chunk(req);
	} else if (ret != -EAGAIN) {
		req->step = STEP_NONE;
		block_complete_later(req, ret);
	}
}

/* Whole sectors within the range; what is around them stays as it is. */
static void trim_to_sectors(struct block_req *req, u32 mask)
{
	u64 end = round_down_to(req->offset + req->left, (u64)mask + 1);

	req->offset = round_up_to(req->offset, (u64)mask + 1);
	req->left = end > req->offset ? end - req->offset : 0;
}

static void submit_discard(struct block_req *req)
{
	struct block_file *file = block_req_file(req);

	trim_to_sectors(req, file->sector_mask);
	if (!req->left) {
		block_complete_later(req, 0);
	} else if (file->discard_by_ioctl) {
		req->step = STEP_WORKER;
		block_worker_queue(&file->worker, req);
	} else if (atomic_load(&file->no_punch)) {
		block_complete_later(req, 0);
	} else {
		issue(req, STEP_PUNCH);
	}
}

/**
 * block_file_submit() - begin a request, see struct block_ops
 * @req: the request
 *
 * Context: the lane's thread; does not block.
 */
void block_file_submit(struct block_req *req)
{
	req->op.done = file_op_done;
	req->step = STEP_NONE;
	switch (req->kind) {
	case BLOCK_READ:
	case BLOCK_WRITE:
		submit_rw(req);
		break;
	case BLOCK_FLUSH:
		issue(req, STEP_SYNC);
		break;
	case BLOCK_WRITE_ZEROES:
		issue(req, zeroes_step(req));
		break;
	case BLOCK_DISCARD:
		submit_discard(req);
		break;
	}
}

/**
 * block_file_cancel() - try to end a request early, see struct block_ops
 * @req: the request
 *
 * Context: the lane's thread; does not block.
 * Return: true when it was asked for.
 */
bool block_file_cancel(struct block_req *req)
{
	struct block_file *file = block_req_file(req);
	struct io_uring_sqe *sqe;

	if (req->step == STEP_NONE || req->finished)
		return false;
	if (req->step == STEP_WAIT || req->step == STEP_WORKER) {
		if (req->step == STEP_WAIT ? !bounce_unwait(req) :
		    !block_worker_unqueue(&file->worker, req))
			return false;
		req->step = STEP_NONE;
		block_complete_later(req, -ECANCELED);
		return true;
	}
	req->cancelled = true;
	if (!req->cancel_busy) {
		req->cancel_busy = true;
		req->cancel.done = cancel_done;
		sqe = iothread_sqe(block_lane_loop(req->lane), &req->cancel);
		io_uring_prep_cancel(sqe, &req->op, 0);
	}
	return true;
}

/**
 * block_file_discard_ioctl() - discard on a block device
 * @req: a discard
 *
 * Context: the worker's thread; blocks.
 * Return: 0 or a negative errno. Advice that the device does not take is no
 * failure.
 */
int block_file_discard_ioctl(struct block_req *req)
{
	u64 range[2] = { req->offset, req->left };

	if (ioctl(block_req_file(req)->fd, BLKDISCARD, range) == 0 ||
	    errno == EOPNOTSUPP)
		return 0;
	return -errno;
}
