/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_BLOCK_H
#define LKVM_BLOCK_H

#include <sys/uio.h>

#include "vmm/base/error.h"
#include "vmm/base/types.h"
#include "vmm/iothread.h"

struct block;
struct block_lane;

/**
 * enum block_cache - who caches
 * @BLOCK_CACHE_NONE: O_DIRECT: the host's page cache is not used; the disk's
 *                    own volatile cache remains, so flushes matter
 * @BLOCK_CACHE_WRITEBACK: the host's page cache
 */
enum block_cache {
	BLOCK_CACHE_NONE,
	BLOCK_CACHE_WRITEBACK,
};

/* What begins so is no file but a disk that stores nothing. */
#define BLOCK_NULL_PREFIX	"null:"

/**
 * struct block_config - how to open a disk
 * @path: image file or block device; "null:SIZE" is a disk that stores
 *        nothing, for measuring (reads give zeros)
 * @readonly: never write; a shared instead of an exclusive lock
 * @cache: see enum block_cache
 * @discard: pass discards on; otherwise they succeed and do nothing
 * @no_lock: do not lock now: block_lock() comes later, or somebody else holds
 *           the lock for us
 */
struct block_config {
	const char *path;
	bool readonly;
	enum block_cache cache;
	bool discard;
	bool no_lock;
};

/**
 * struct block_info - what an open disk is
 * @fd: the open file or block device; -1 when nothing is stored
 * @size: bytes, a multiple of @logical_block_size
 * @logical_block_size: unit of every position and length, bytes; 512 to 65536
 * @physical_block_size: preferred alignment, bytes
 * @discard_granularity: bytes, 0 when discards do nothing
 * @readonly: writes fail with -EROFS
 * @zero_after_discard: discarded ranges read as zeros
 * @is_device: a block device, not a file
 * @direct: the host's page cache is not used
 */
struct block_info {
	int fd;
	u64 size;
	u32 logical_block_size;
	u32 physical_block_size;
	u32 discard_granularity;
	bool readonly;
	bool zero_after_discard;
	bool is_device;
	bool direct;
};

/**
 * enum block_flags - per request
 * @BLOCK_FUA: a write is on stable storage when it completes
 * @BLOCK_MAY_DISCARD: write zeroes by giving space back, if that reads zeros
 */
enum block_flags {
	BLOCK_FUA		= 1,
	BLOCK_MAY_DISCARD	= 2,
};

/**
 * enum block_kind - what a request does
 * @BLOCK_READ: disk to memory
 * @BLOCK_WRITE: memory to disk
 * @BLOCK_FLUSH: every write that has completed goes to stable storage
 * @BLOCK_WRITE_ZEROES: a range reads as zeros afterwards
 * @BLOCK_DISCARD: the contents of a range do not matter any more
 */
enum block_kind {
	BLOCK_READ,
	BLOCK_WRITE,
	BLOCK_FLUSH,
	BLOCK_WRITE_ZEROES,
	BLOCK_DISCARD,
};

/**
 * struct block_req - one request to a disk, embedded in the device's request
 * @op: in the ring
 * @done: set by the device: called on the loop's thread, exactly once, never
 *        from within the call that made the request: 0 when every byte was
 *        moved, else a negative errno
 * @lane: the disk and the loop that works on it
 * @iov: what is left of the vectors (short transfers are continued)
 * @iov_nr: how many
 * @kind: enum block_kind
 * @flags: see enum block_flags
 * @step: which operation of a longer request is in the ring
 * @retries: how often the same operation was tried without progress
 * @cancelled: block_cancel() was called: do not begin anything new
 * @cancel_busy: @cancel is in the ring, so the request must stay
 * @finished: all is done but for @cancel_busy; @res holds the result
 * @res: result on its way to @done
 * @offset: what is left: position, bytes
 * @left: what is left: bytes
 * @cut: bytes that the first vector has lost at its front
 * @bounce: an aligned copy, when a vector does not suit O_DIRECT
 * @chunk: bytes that @bounce holds
 * @one: what is left of @bounce, or a vector of zeros
 * @call: its link is in a list of the lane or the worker while no @op is in the
 *        ring; brings the worker's result to the loop
 * @cancel: the operation that cancels @op
 *
 * The device sets @done and may read @lane; everything else is the block
 * layer's. The vectors must stay until @done is called; the block layer
 * changes them meanwhile, and @done finds them as they were.
 */
struct block_req {
	struct io_op op;
	void (*done)(struct block_req *req, int res);
	struct block_lane *lane;
	struct iovec *iov;
	u32 iov_nr;
	u8 kind;
	u8 flags;
	u8 step;
	u8 retries;
	bool cancelled;
	bool cancel_busy;
	bool finished;
	int res;
	u64 offset;
	u64 left;
	u64 cut;
	void *bounce;
	u32 chunk;
	struct iovec one;
	struct loop_call call;
	struct io_op cancel;
};

int block_open(const struct block_config *config, struct block **out,
	       struct error *err) __must_check;
void block_close(struct block *blk);
const struct block_info *block_info(const struct block *blk);
const char *block_path(const struct block *blk);
int block_check_block_size(const struct block *blk, u32 bytes,
			   struct error *err) __must_check;
u32 block_in_flight(const struct block *blk);

int block_lock(struct block *blk, struct error *err) __must_check;
void block_unlock(struct block *blk);
int block_take(struct block *blk, struct error *err) __must_check;
int block_give(struct block *blk, struct error *err) __must_check;

void block_read(struct block *blk, struct iothread *t, struct block_req *req,
		struct iovec *iov, u32 iov_nr, u64 offset);
void block_write(struct block *blk, struct iothread *t, struct block_req *req,
		 struct iovec *iov, u32 iov_nr, u64 offset, u32 flags);
void block_flush(struct block *blk, struct iothread *t, struct block_req *req);
void block_write_zeroes(struct block *blk, struct iothread *t,
			struct block_req *req, u64 offset, u64 len, u32 flags);
void block_discard(struct block *blk, struct iothread *t,
		   struct block_req *req, u64 offset, u64 len);
bool block_cancel(struct block_req *req);

#endif /* LKVM_BLOCK_H */
