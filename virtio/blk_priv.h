/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: the virtio block device: what its files share
 *
 * blk.c is the device, blk_io.c its requests, blk_state.c what is saved.
 */
#ifndef LKVM_VIRTIO_BLK_PRIV_H
#define LKVM_VIRTIO_BLK_PRIV_H

#include "devices/block/block.h"
#include "virtio/blk_spec.h"
#include "virtio/virtio.h"

#define BLK_QUEUES_MAX		16
#define BLK_QUEUE_SIZE		256
/* For a full queue, and to look at a chain that may not be taken then. */
#define BLK_REQS		(BLK_QUEUE_SIZE + 1)
#define BLK_SEG_MAX		254	/* with head and status a full queue */
#define BLK_IOVS_MAX		(BLK_SEG_MAX + 2 + MEMORY_BLOCKS_MAX)
#define BLK_DISCARD_SEGS	64
#define BLK_DISCARD_SECTORS	(1U << 22)	/* 2 GiB in a segment */
#define BLK_ZEROES_SECTORS	(1U << 16)	/* 32 MiB */

/**
 * struct blk_config - options, as the table in blk.c fills them
 * @file: disk image or block device
 * @ro: the guest cannot write
 * @direct: the host's page cache is not used
 * @serial: what the guest reads as the disk's identity
 * @queues: request queues
 * @bs: block size, index into "512", "4096"
 * @discard: discards give space back
 * @iothreads: threads that serve the queues
 * @poll_us: longest time that such a thread looks for work
 */
struct blk_config {
	char *file;
	bool ro;
	bool direct;
	char *serial;
	u32 queues;
	u32 bs;
	bool discard;
	u32 iothreads;
	u32 poll_us;
};

/**
 * struct blk_req - a request
 * @blk: at the disk
 * @link: in &blk_queue.busy or &blk_queue.free
 * @q: its queue
 * @chain: its buffers
 * @head_vec: the vector in which the head ends
 * @head_cut: bytes of it that the head has
 * @status: where the driver looks how it went
 * @type: VIRTIO_BLK_T
 * @sector: the first sector
 * @data: the buffers without head and status
 * @data_nr: how many
 * @data_len: bytes
 * @filled: bytes of the answer in front of the status, from the first one on
 * @segs: discard and write zeroes: the segments
 * @segs_nr: how many
 * @seg: the next one
 * @iov: vectors of @chain
 */
struct blk_req {
	struct block_req blk;
	struct list link;
	struct blk_queue *q;
	struct virtio_chain chain;
	u32 head_vec;
	u64 head_cut;
	u8 *status;
	u32 type;
	u64 sector;
	struct iovec *data;
	u32 data_nr;
	u64 data_len;
	u64 filled;
	struct virtio_blk_seg *segs;
	u32 segs_nr;
	u32 seg;
	struct iovec iov[BLK_IOVS_MAX];
};

/**
 * struct blk_stats - counters of a queue; written by its loop only
 * @reads: reads that ended well
 * @writes: writes that ended well
 * @read_bytes: bytes of those
 * @write_bytes: bytes of those
 * @errors: requests that did not end well
 */
struct blk_stats {
	_Atomic u64 reads;
	_Atomic u64 writes;
	_Atomic u64 read_bytes;
	_Atomic u64 write_bytes;
	_Atomic u64 errors;
};

/**
 * struct blk_queue - the device's part of a queue; its loop's
 * @blk: the device
 * @vq: the queue
 * @reqs: BLK_REQS requests; those never used cost no memory
 * @reqs_used: how many of them were ever used
 * @free: struct blk_req, used before and free again
 * @busy: struct blk_req, in flight
 * @again: struct blk_req, put aside by a pause, as they were taken
 * @hurried: what is cancelled now is put aside
 * @segs: BLK_DISCARD_SEGS for each of @reqs, likewise
 * @stats: counters
 */
struct blk_queue {
	struct blk *blk;
	struct virtio_queue *vq;
	struct blk_req *reqs;
	u32 reqs_used;
	struct list free;
	struct list busy;
	struct list again;
	bool hurried;
	struct virtio_blk_seg *segs;
	struct blk_stats stats;
};

/**
 * struct blk - the device
 * @v: its virtio part
 * @config: its options
 * @disk: the disk
 * @block_shift: log2 of the block size
 * @sectors: size of the disk
 * @regs: what the driver reads as configuration; device's lock
 * @writeback: &virtio_blk_config.writeback, for the loops
 * @serial: GET_ID
 * @queues: &blk_config.queues of them
 */
struct blk {
	struct virtio_device v;
	const struct blk_config *config;
	struct block *disk;
	u32 block_shift;
	u64 sectors;
	struct virtio_blk_config regs;
	_Atomic bool writeback;
	u8 serial[VIRTIO_BLK_ID_BYTES];
	struct blk_queue *queues;
};

/* blk_io.c */
int blk_queue_init(struct blk_queue *bq, struct blk *blk) __must_check;
void blk_queue_destroy(struct blk_queue *bq);
enum virtio_next blk_handle(struct virtio_queue *vq);
void blk_queue_start(struct virtio_queue *vq);
void blk_queue_stop(struct virtio_queue *vq);
void blk_queue_hurry(struct virtio_queue *vq);
void blk_queue_forget(struct blk_queue *bq);
struct blk_req *blk_req_load(struct blk_queue *bq);

/* blk_state.c */
extern const struct state_desc blk_state_desc;
int blk_state_fits(const struct blk *blk, struct error *err) __must_check;
void blk_save(const struct device *dev, void *state);
int blk_check(const struct device *dev, const void *state, struct error *err);
void blk_load(struct device *dev, const void *state);

/* blk.c */
void blk_writeback_set(struct blk *blk, u8 writeback);

static inline struct blk *blk_of(struct device *dev)
{
	return container_of(dev, struct blk, v.pci.dev);
}

static inline const struct blk *blk_of_const(const struct device *dev)
{
	return container_of(dev, const struct blk, v.pci.dev);
}

#endif /* LKVM_VIRTIO_BLK_PRIV_H */
