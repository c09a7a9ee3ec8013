/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: what the files of devices/block share
 *
 * file.c opens what file_io.c works on; lock.c, bounce.c and worker.c serve
 * them.
 */
#ifndef LKVM_BLOCK_PRIV_H
#define LKVM_BLOCK_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "devices/block/block_ops.h"

#define BLOCK_MEM_ALIGN_MAX	4096
#define BLOCK_ZEROES_BYTES	(1U << 20)

/**
 * struct block_worker - a thread for what io_uring cannot do
 * @thread: the thread
 * @started: it exists
 * @mutex: protects @queue and @stop. A plain one: it is the innermost lock
 *         and a condition variable needs it so.
 * @cond: signalled when @queue or @stop changes
 * @queue: struct block_req to be done
 * @stop: end the thread
 * @work: does one request, on the thread; returns its result
 */
struct block_worker {
	pthread_t thread;
	bool started;
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	struct list queue;
	bool stop;
	int (*work)(struct block_req *req);
};

/**
 * struct block_file - an image file or a block device
 * @blk: the common part
 * @fd: the open file
 * @mem_mask: bits of a memory address that must be 0; 0 without O_DIRECT
 * @len_mask: bits of each vector's length that must be 0
 * @sector_mask: bits of a position that must be 0 in fallocate and BLKDISCARD
 * @no_punch: the file system has refused FALLOC_FL_PUNCH_HOLE
 * @no_zero_range: the file system has refused FALLOC_FL_ZERO_RANGE
 * @discard_by_ioctl: discards are BLKDISCARD, done by @worker
 * @zeroes: BLOCK_ZEROES_BYTES of zeros to write from, read-only
 * @worker: see struct block_worker
 */
struct block_file {
	struct block blk;
	int fd;
	u32 mem_mask;
	u32 len_mask;
	u32 sector_mask;
	_Atomic bool no_punch;
	_Atomic bool no_zero_range;
	bool discard_by_ioctl;
	void *zeroes;
	struct block_worker worker;
};

static inline struct block_file *block_file_of(struct block *blk)
{
	return container_of(blk, struct block_file, blk);
}

static inline struct block_file *block_req_file(const struct block_req *req)
{
	return block_file_of(req->lane->blk);
}

int block_init(struct block *blk, const struct block_ops *ops,
	       const struct block_config *config) __must_check;
void block_fini(struct block *blk);

int block_file_open(const struct block_config *config, struct block **out,
		    struct error *err) __must_check;
int block_null_open(const struct block_config *config, struct block **out,
		    struct error *err) __must_check;
bool block_null_path(const char *path);

void block_file_submit(struct block_req *req);
bool block_file_cancel(struct block_req *req);
int block_file_discard_ioctl(struct block_req *req);

int block_lock_file(int fd, const char *path, bool shared, struct error *err)
	__must_check;
void block_unlock_file(int fd);

int bounce_get(struct block_req *req);
bool bounce_unwait(struct block_req *req);
struct block_req *bounce_put(struct block_req *req);
void bounce_fill(struct block_req *req);
void bounce_drain(struct block_req *req);
void bounce_pool_destroy(struct bounce_pool *pool);
void block_iov_advance(struct block_req *req, u64 bytes);

int block_worker_start(struct block_worker *worker,
		       int (*work)(struct block_req *req)) __must_check;
void block_worker_stop(struct block_worker *worker);
void block_worker_queue(struct block_worker *worker, struct block_req *req);
bool block_worker_unqueue(struct block_worker *worker, struct block_req *req);

#endif /* LKVM_BLOCK_PRIV_H */
