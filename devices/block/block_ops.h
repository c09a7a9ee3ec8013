/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: what a disk back end is made of
 *
 * For the back ends, and for tests that put themselves in between: devices
 * use devices/block/block.h only.
 */
#ifndef LKVM_BLOCK_OPS_H
#define LKVM_BLOCK_OPS_H

#include <stdatomic.h>

#include "devices/block/block.h"

#define BLOCK_LANES	64	/* event loops that can work on one disk */

/**
 * struct block_ops - what a back end does
 * @submit: begin a request. Position and length are within the disk and whole
 *          blocks, the disk may be written if it has to be, and there is
 *          something to do; &block_req.left is the sum of the vectors. Ends
 *          in one call of block_complete() or block_complete_later(), the
 *          former not from within @submit. On the lane's thread; must not
 *          block.
 * @cancel: try to end a request early. Same thread. NULL: never possible.
 *          True when it was asked for.
 * @lock: take the lock on the disk. NULL: there is nothing to lock.
 * @unlock: give it back
 * @close: free what open has acquired; nothing is in flight
 */
struct block_ops {
	void (*submit)(struct block_req *req);
	bool (*cancel)(struct block_req *req);
	int (*lock)(struct block *blk, struct error *err);
	void (*unlock)(struct block *blk);
	void (*close)(struct block *blk);
};

#define BOUNCE_BUFS	16
#define BOUNCE_BYTES	65536U

/**
 * struct bounce_pool - aligned buffers of one lane, made when first needed
 * @bufs: those not in use
 * @free_nr: how many
 * @made: how many exist
 * @waiting: struct block_req that wait for one
 *
 * Only the lane's thread touches it.
 */
struct bounce_pool {
	void *bufs[BOUNCE_BUFS];
	u32 free_nr;
	u32 made;
	struct list waiting;
};

/**
 * struct block_lane - one event loop's part of a disk
 * @blk: the disk
 * @loop: the loop; NULL while the lane is free
 * @in_flight: requests between submit and done; only the loop's thread writes
 * @later: struct block_req that have their result and wait for @call
 * @call: completes what is in @later
 * @bounce: see struct bounce_pool
 *
 * All but @in_flight and @loop belong to the loop's thread, so that requests
 * of different loops share nothing that is written.
 */
struct block_lane {
	struct block *blk;
	struct iothread *_Atomic loop;
	_Atomic u32 in_flight;
	struct list later;
	struct loop_call call;
	struct bounce_pool bounce;
} __cacheline_aligned;

/**
 * struct block - an open disk; a back end's own struct starts with it
 * @ops: what it does
 * @info: what it is
 * @path: as it was given; owned
 * @discard: discards are passed on
 * @lanes: one for each event loop that has used the disk, the first ones first
 */
struct block {
	const struct block_ops *ops;
	struct block_info info;
	char *path;
	bool discard;
	struct block_lane lanes[BLOCK_LANES];
};

static inline struct iothread *block_lane_loop(const struct block_lane *lane)
{
	return atomic_load_explicit(&lane->loop, memory_order_relaxed);
}

/* The first vector whole again. */
static inline void block_iov_restore(struct block_req *req)
{
	if (!req->cut)
		return;
	req->iov->iov_base = (u8 *)req->iov->iov_base - req->cut;
	req->iov->iov_len += req->cut;
	req->cut = 0;
}

void block_complete(struct block_req *req, int res);
void block_complete_later(struct block_req *req, int res);

#endif /* LKVM_BLOCK_OPS_H */
