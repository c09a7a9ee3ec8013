/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_BLOCK_H
#define LKVM_BLOCK_H

#include <sys/uio.h>

#include "vmm/base/error.h"
#include "vmm/base/types.h"
#include "vmm/iothread.h"

struct block;

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

/**
 * struct block_config - how to open a disk
 * @path: image file or block device; "null:SIZE" is a disk that stores
 *        nothing, for measuring (reads give zeros)
 * @readonly: never write; a shared instead of an exclusive lock
 * @cache: see enum block_cache
 * @discard: pass discards on; otherwise they succeed and do nothing
 * @no_lock: somebody else holds the lock for us
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
 * @size: bytes
 * @logical_block_size: smallest unit of direct I/O, bytes
 * @physical_block_size: preferred alignment, bytes
 * @discard_granularity: bytes, 0 when discards do nothing
 * @readonly: writes fail with -EROFS
 * @zero_after_discard: discarded ranges read as zeros
 * @is_device: a block device, not a file
 */
struct block_info {
	u64 size;
	u32 logical_block_size;
	u32 physical_block_size;
	u32 discard_granularity;
	bool readonly;
	bool zero_after_discard;
	bool is_device;
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
 * struct block_req - one request to a disk, embedded in the device's request
 * @op: in the ring
 * @done: called on the loop's thread, exactly once: 0 when every byte was
 *        moved, else a negative errno
 * @blk: the disk
 * @loop: the loop that works on it
 * @iov: what is left of the vectors (short transfers are continued)
 * @iov_nr: how many
 * @offset: what is left: position, bytes
 * @left: what is left: bytes
 * @kind: what it does
 * @flags: see enum block_flags
 * @bounce: an aligned copy, when a vector does not suit O_DIRECT
 *
 * The vectors must stay until @done; they may be changed by the block layer.
 */
struct block_req {
	struct io_op op;
	void (*done)(struct block_req *req, int res);
	struct block *blk;
	struct iothread *loop;
	struct iovec *iov;
	u32 iov_nr;
	u64 offset;
	u64 left;
	u32 kind;
	u32 flags;
	void *bounce;
};

int block_open(const struct block_config *config, struct block **out,
	       struct error *err) __must_check;
void block_close(struct block *blk);
const struct block_info *block_info(const struct block *blk);
const char *block_path(const struct block *blk);

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
