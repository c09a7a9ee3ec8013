// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: disks: what all back ends have in common
 *
 * A device opens a disk once and then makes requests (struct block_req) from
 * the threads of its event loops. Each loop has a lane at the disk, so that
 * requests of two loops share nothing that is written: no lock, no atomic
 * read-modify-write on the way.
 *
 * Here a request is checked (range, whole blocks, may the disk be written?)
 * and counted, then the back end has it, then it is completed. Completion
 * never happens within the call that makes the request, so a device does not
 * see its own call stack again: what has its result at once waits in the lane
 * for the loop's next turn.
 *
 * Requests that overlap are not ordered against each other, as on any disk.
 *
 * Back ends: file.c (image files and block devices), null.c (for measuring).
 */
#include <stdlib.h>
#include <string.h>

#include "devices/block/block_priv.h"
#include "vmm/base/math.h"

static void lane_call(struct loop_call *call);

/**
 * block_init() - set up the common part, for the back ends
 * @blk: zeroed; the start of the back end's struct
 * @ops: what the back end does
 * @config: path and options
 *
 * Return: 0 or -ENOMEM.
 */
int block_init(struct block *blk, const struct block_ops *ops,
	       const struct block_config *config)
{
	u32 i;

	blk->path = strdup(config->path);
	if (!blk->path)
		return -ENOMEM;
	blk->ops = ops;
	blk->discard = config->discard;
	blk->info.readonly = config->readonly;
	blk->info.fd = -1;
	for (i = 0; i < BLOCK_LANES; i++) {
		struct block_lane *lane = &blk->lanes[i];

		lane->blk = blk;
		list_init(&lane->later);
		list_init(&lane->bounce.waiting);
		loop_call_init(&lane->call, lane_call);
	}
	return 0;
}

/**
 * block_fini() - undo block_init()
 * @blk: the disk
 */
void block_fini(struct block *blk)
{
	u32 i;

	for (i = 0; i < BLOCK_LANES; i++)
		bounce_pool_destroy(&blk->lanes[i].bounce);
	free(blk->path);
}

/**
 * block_open() - open a disk
 * @config: which, and how; not needed afterwards
 * @out: the disk
 * @err: why it cannot be had: names the path and the remedy
 *
 * Context: the main thread; may block.
 * Return: 0 or a negative errno; -EBUSY when somebody else uses the disk.
 */
int block_open(const struct block_config *config, struct block **out,
	       struct error *err)
{
	if (block_null_path(config->path))
		return block_null_open(config, out, err);
	return block_file_open(config, out, err);
}

/**
 * block_close() - close a disk and give up its lock
 * @blk: the disk, with nothing in flight; NULL is allowed
 */
void block_close(struct block *blk)
{
	if (!blk)
		return;
	assert(!block_in_flight(blk));
	blk->ops->close(blk);
}

/**
 * block_info() - what is known of an open disk
 * @blk: the disk
 *
 * Return: valid until the disk is closed; does not change.
 */
const struct block_info *block_info(const struct block *blk)
{
	return &blk->info;
}

/**
 * block_path() - the path that the disk was opened by
 * @blk: the disk
 *
 * Return: valid until the disk is closed.
 */
const char *block_path(const struct block *blk)
{
	return blk->path;
}

/**
 * block_check_block_size() - can a device have blocks of this size here?
 * @blk: the disk
 * @bytes: the device's block size, a power of two
 * @err: why not
 *
 * Smaller blocks than the disk's own would need read-modify-write, which is
 * neither atomic nor fast, so they are refused.
 *
 * Return: 0 or -EINVAL.
 */
int block_check_block_size(const struct block *blk, u32 bytes,
			   struct error *err)
{
	u32 own = blk->info.logical_block_size;

	if (bytes < own)
		return error_set(err, -EINVAL,
				 "%s: a block size of %u is below the %u of the disk: use bs=%u or cache=writeback",
				 blk->path, bytes, own, own);
	if (blk->info.size < bytes)
		return error_set(err, -EINVAL,
				 "%s: the disk is smaller than a block of %u bytes",
				 blk->path, bytes);
	return 0;
}

/**
 * block_in_flight() - requests that have begun and not yet ended
 * @blk: the disk
 *
 * Context: any thread; exact only while no loop makes new requests.
 * Return: how many.
 */
u32 block_in_flight(const struct block *blk)
{
	u32 i, sum = 0;

	/* Acquire: pairs with lane_count(): who sees 0 sees what was done. */
	for (i = 0; i < BLOCK_LANES; i++)
		sum += atomic_load_explicit(&blk->lanes[i].in_flight,
					    memory_order_acquire);
	return sum;
}

/**
 * block_lock() - take the lock that is the right to use a disk
 * @blk: the disk; having the lock already is fine
 * @err: who has it, where that can be known
 *
 * Return: 0, -EBUSY, or another negative errno.
 */
int block_lock(struct block *blk, struct error *err)
{
	return blk->ops->lock ? blk->ops->lock(blk, err) : 0;
}

/**
 * block_unlock() - give the lock back and keep the disk open
 * @blk: the disk; the caller makes no more requests
 */
void block_unlock(struct block *blk)
{
	if (blk->ops->unlock)
		blk->ops->unlock(blk);
}

/**
 * block_take() - take over a disk that another machine has had open
 * @blk: the disk; opened with &block_config.no_lock
 * @err: who has it, where that can be known
 *
 * What was read from it before may be out of date, and is forgotten.
 *
 * Return: as block_lock().
 */
int block_take(struct block *blk, struct error *err)
{
	int ret = block_lock(blk, err);

	if (!ret && blk->info.fd >= 0 && !blk->info.direct)
		posix_fadvise(blk->info.fd, 0, 0, POSIX_FADV_DONTNEED);
	return ret;
}

/**
 * block_give() - leave a disk to another machine
 * @blk: the disk, without requests in flight; it stays open
 * @err: filled on failure
 *
 * Context: may block for long.
 * Return: 0 when all that was written is on stable storage and the lock is
 * given back; else a negative errno, and the lock is kept.
 */
int block_give(struct block *blk, struct error *err)
{
	if (blk->info.fd >= 0 && !blk->info.readonly &&
	    fdatasync(blk->info.fd) < 0)
		return error_set(err, -errno, "%s: sync: %m", block_path(blk));
	block_unlock(blk);
	return 0;
}

static struct block_lane *lane_claim(struct block *blk, struct iothread *t)
{
	u32 i;

	for (i = 0; i < BLOCK_LANES; i++) {
		struct iothread *none = NULL;

		if (atomic_compare_exchange_strong(&blk->lanes[i].loop, &none,
						   t))
			return &blk->lanes[i];
	}
	assert(!"more event loops than lanes");
	return NULL;
}

/* Only @t's own thread looks for @t, so nobody else claims a lane for it. */
static struct block_lane *lane_of(struct block *blk, struct iothread *t)
{
	u32 i;

	for (i = 0; i < BLOCK_LANES; i++) {
		struct iothread *loop = block_lane_loop(&blk->lanes[i]);

		if (loop == t)
			return &blk->lanes[i];
		if (!loop)
			break;
	}
	return lane_claim(blk, t);
}

/* One writer, so no read-modify-write. Pairs with block_in_flight(). */
static void lane_count(struct block_lane *lane, int add)
{
	u32 n = atomic_load_explicit(&lane->in_flight, memory_order_relaxed);

	atomic_store_explicit(&lane->in_flight, n + (u32)add,
			      memory_order_release);
}

/**
 * block_complete() - a request has ended
 * @req: the request; the device may free or reuse it before this returns
 * @res: 0 or a negative errno
 *
 * Context: the lane's thread, never from within &block_ops.submit.
 */
void block_complete(struct block_req *req, int res)
{
	lane_count(req->lane, -1);
	block_iov_restore(req);
	req->done(req, res);
}

/**
 * block_complete_later() - a request has its result already
 * @req: the request, with no operation in the ring
 * @res: 0 or a negative errno
 *
 * It is completed in the loop's next turn, all such requests together.
 *
 * Context: the lane's thread.
 */
void block_complete_later(struct block_req *req, int res)
{
	struct block_lane *lane = req->lane;
	bool first = list_is_empty(&lane->later);

	req->res = res;
	list_add_tail(&lane->later, &req->call.link);
	if (first)
		iothread_post(block_lane_loop(lane), &lane->call);
}

static void lane_call(struct loop_call *call)
{
	struct block_lane *lane = container_of(call, struct block_lane, call);
	struct list batch, *link;

	/* Completions make new requests: those have their own turn. */
	list_init(&batch);
	while ((link = list_pop(&lane->later)))
		list_add_tail(&batch, link);
	while ((link = list_pop(&batch))) {
		struct block_req *req = list_entry(link, struct block_req,
						   call.link);

		block_complete(req, req->res);
	}
}

static bool req_writes(const struct block_req *req)
{
	return req->kind == BLOCK_WRITE || req->kind == BLOCK_WRITE_ZEROES ||
	       req->kind == BLOCK_DISCARD;
}

/* 1: the back end has to do something. */
static int req_check(const struct block *blk, const struct block_req *req)
{
	if (req_writes(req) && blk->info.readonly)
		return -EROFS;
	if (req->kind == BLOCK_FLUSH)
		return 1;
	if (!range_fits(req->offset, req->left, blk->info.size) ||
	    !is_aligned(req->offset | req->left, blk->info.logical_block_size))
		return -EINVAL;
	if (!req->left || (req->kind == BLOCK_DISCARD && !blk->discard))
		return 0;
	return 1;
}

static void req_begin(struct block *blk, struct iothread *t,
		      struct block_req *req, enum block_kind kind)
{
	req->lane = lane_of(blk, t);
	req->kind = (u8)kind;
	req->step = 0;
	req->flags = 0;
	req->retries = 0;
	req->cancelled = false;
	req->cancel_busy = false;
	req->finished = false;
	req->iov = NULL;
	req->iov_nr = 0;
	req->offset = 0;
	req->left = 0;
	req->bounce = NULL;
	req->cut = 0;
}

static void req_submit(struct block_req *req)
{
	struct block *blk = req->lane->blk;
	int ret = req_check(blk, req);

	lane_count(req->lane, 1);
	if (likely(ret > 0))
		blk->ops->submit(req);
	else
		block_complete_later(req, ret);
}

static u64 iov_bytes(const struct iovec *iov, u32 nr)
{
	u64 sum = 0;
	u32 i;

	for (i = 0; i < nr; i++)
		sum += iov[i].iov_len;
	return sum;
}

/**
 * block_read() - read from a disk into memory
 * @blk: the disk
 * @t: the caller's loop
 * @req: the request; its @done is set
 * @iov: vectors, which stay until @done is called; any number
 * @iov_nr: how many
 * @offset: position, bytes, a multiple of the logical block size, as is the
 *          sum of the vectors
 *
 * Ends with 0 or -EINVAL (beyond the disk or not whole blocks), -EIO (also:
 * the file was cut short under us), -ECANCELED, or what the host says.
 *
 * Context: @t's thread; does not block.
 */
void block_read(struct block *blk, struct iothread *t, struct block_req *req,
		struct iovec *iov, u32 iov_nr, u64 offset)
{
	req_begin(blk, t, req, BLOCK_READ);
	req->iov = iov;
	req->iov_nr = iov_nr;
	req->offset = offset;
	req->left = iov_bytes(iov, iov_nr);
	req_submit(req);
}

/**
 * block_write() - write from memory to a disk
 * @blk: the disk
 * @t: the caller's loop
 * @req: the request; its @done is set
 * @iov: see block_read()
 * @iov_nr: how many
 * @offset: see block_read()
 * @flags: BLOCK_FUA
 *
 * Ends as block_read() does, or with -EROFS. After a failure any part may
 * have been written.
 *
 * Context: @t's thread; does not block.
 */
void block_write(struct block *blk, struct iothread *t, struct block_req *req,
		 struct iovec *iov, u32 iov_nr, u64 offset, u32 flags)
{
	req_begin(blk, t, req, BLOCK_WRITE);
	req->flags = (u8)flags;
	req->iov = iov;
	req->iov_nr = iov_nr;
	req->offset = offset;
	req->left = iov_bytes(iov, iov_nr);
	req_submit(req);
}

/**
 * block_flush() - make every completed write, zeroing and discard durable
 * @blk: the disk
 * @t: the caller's loop
 * @req: the request; its @done is set
 *
 * Covers requests of all loops that were completed before. After a failure
 * it is not known which of them are durable, and a later success does not
 * tell either.
 *
 * Context: @t's thread; does not block.
 */
void block_flush(struct block *blk, struct iothread *t, struct block_req *req)
{
	req_begin(blk, t, req, BLOCK_FLUSH);
	req_submit(req);
}

/**
 * block_write_zeroes() - make a range read as zeros
 * @blk: the disk
 * @t: the caller's loop
 * @req: the request; its @done is set
 * @offset: position, bytes
 * @len: bytes
 * @flags: enum block_flags
 *
 * Context: @t's thread; does not block.
 */
void block_write_zeroes(struct block *blk, struct iothread *t,
			struct block_req *req, u64 offset, u64 len, u32 flags)
{
	req_begin(blk, t, req, BLOCK_WRITE_ZEROES);
	req->flags = (u8)(blk->discard ? flags : flags & ~BLOCK_MAY_DISCARD);
	req->offset = offset;
	req->left = len;
	req_submit(req);
}

/**
 * block_discard() - a range is not needed any more
 * @blk: the disk
 * @t: the caller's loop
 * @req: the request; its @done is set
 * @offset: position, bytes
 * @len: bytes
 *
 * Advice: succeeds without effect where the disk cannot do it or discards
 * are not passed on. &block_info.zero_after_discard tells what is read then.
 *
 * Context: @t's thread; does not block.
 */
void block_discard(struct block *blk, struct iothread *t,
		   struct block_req *req, u64 offset, u64 len)
{
	req_begin(blk, t, req, BLOCK_DISCARD);
	req->offset = offset;
	req->left = len;
	req_submit(req);
}

/**
 * block_cancel() - try to end a request early
 * @req: a request whose @done has not been called
 *
 * @done is called in any case, later: with -ECANCELED if it worked (any part
 * may have been done then), else with the true result. An operation that a
 * disk is already working on cannot be called back.
 *
 * Context: the thread that made the request; does not block.
 * Return: true when it was asked for, false when it is no use.
 */
bool block_cancel(struct block_req *req)
{
	const struct block_ops *ops = req->lane->blk->ops;

	return ops->cancel && ops->cancel(req);
}
