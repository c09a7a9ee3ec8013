// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: requests of the virtio block device
 *
 * VIRTIO-1.2 5.2.6. A request is taken, its head is copied and checked, the
 * disk does it with vectors that point into guest memory, and one byte tells
 * the driver how it went. The driver may have cut the request up in any way, so
 * head, data and status are parts of the vectors.
 *
 * A request that is wrong gets VIRTIO_BLK_S_IOERR, one of a type that is not
 * there VIRTIO_BLK_S_UNSUPP; one without room for a status cannot be answered.
 *
 * When the driver has no way to flush, or has asked for it by the writeback
 * field, what is written is on stable storage before the request ends.
 *
 * Threads: the queue's loop.
 */
#include <stdlib.h>
#include <string.h>

#include "virtio/blk_priv.h"
#include "vmm/base/counter.h"
#include "vmm/base/math.h"

#define TURN	256	/* requests in a row, then others have their turn */

/* ---- beginning and end ------------------------------------------------------ */

/* virtio_queue_pop() sees to it that no more are in flight than entries. */
static struct blk_req *req_get(struct blk_queue *bq)
{
	struct list *link = list_pop(&bq->free);
	struct blk_req *req;

	if (link)
		return list_entry(link, struct blk_req, link);
	assert(bq->reqs_used < BLK_REQS);
	req = &bq->reqs[bq->reqs_used];
	req->q = bq;
	req->segs = &bq->segs[(size_t)bq->reqs_used * BLK_DISCARD_SEGS];
	list_init(&req->link);
	bq->reqs_used++;
	return req;
}

static void req_put(struct blk_req *req)
{
	list_del(&req->link);
	list_add_head(&req->q->free, &req->link);
}

/*
 * The chain as it was taken: the status is the last byte of its last vector, the
 * head is in front.
 */
static void chain_restore(struct blk_req *req)
{
	struct virtio_chain *chain = &req->chain;
	struct iovec *head = &chain->iov[req->head_vec];

	chain->iov[chain->out_nr + chain->in_nr - 1].iov_len++;
	head->iov_base = (u8 *)head->iov_base - req->head_cut;
	head->iov_len += req->head_cut;
}

/*
 * The driver is told of bytes that were written from the first one on
 * (VIRTIO-1.2 2.7.8.2), and the status is the last one: it counts when all in
 * front of it was written. More may have been written than that, after an
 * error for one, so all is marked.
 */
static void req_end(struct blk_req *req, u8 status)
{
	struct virtio_queue *vq = req->q->vq;
	struct virtio_chain *chain = &req->chain;
	bool all = req->filled == chain->in_len - 1;

	if (status)
		counter_add(&req->q->stats.errors, 1);
	if (!vq->discard)
		*req->status = status;
	chain_restore(req);
	if (!all)
		virtio_ring_mark(&vq->ring, chain, chain->in_len);
	req_put(req);
	virtio_queue_push(vq, chain,
			  (u32)(all ? chain->in_len : req->filled));
}

/*
 * Kept as it was taken, to be done again from its beginning: nothing that a disk
 * can be asked for is another thing when it is done twice. A part of it may have
 * been done, so all is marked.
 */
static void req_put_aside(struct blk_req *req)
{
	struct virtio_queue *vq = req->q->vq;

	chain_restore(req);
	virtio_ring_mark(&vq->ring, &req->chain, req->chain.in_len);
	list_del(&req->link);
	list_add_tail(&req->q->again, &req->link);
	virtio_queue_put_aside(vq);
}

static void req_end_errno(struct blk_req *req, int res)
{
	if (res == -ECANCELED && req->q->hurried && !req->q->vq->discard)
		req_put_aside(req);
	else
		req_end(req, res ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK);
}

/* Cuts the head from what is read and the status from what is written. */
static bool req_parse(struct blk_req *req)
{
	struct virtio_chain *chain = &req->chain;
	struct iovec *iov = chain->iov;
	struct virtio_blk_head head;
	struct iovec *last = &iov[chain->out_nr + chain->in_nr - 1];
	u64 skip = sizeof(head);
	u32 i = 0;

	req->filled = 0;
	req->head_vec = 0;
	req->head_cut = 0;
	last->iov_len--;
	req->status = (u8 *)last->iov_base + last->iov_len;
	if (virtio_chain_read(chain, 0, &head, sizeof(head)) != sizeof(head))
		return false;
	req->type = le32_to_cpu(head.type);
	req->sector = le64_to_cpu(head.sector);
	while (i < chain->out_nr && skip >= iov[i].iov_len)
		skip -= iov[i++].iov_len;
	if (skip) {
		iov[i].iov_base = (u8 *)iov[i].iov_base + skip;
		iov[i].iov_len -= skip;
		req->head_vec = i;
		req->head_cut = skip;
	}
	if (req->type == VIRTIO_BLK_T_IN || req->type == VIRTIO_BLK_T_GET_ID) {
		req->data = iov + chain->out_nr;
		req->data_nr = chain->in_nr - !last->iov_len;
		req->data_len = chain->in_len - 1;
	} else {
		req->data = iov + i;
		req->data_nr = chain->out_nr - i;
		req->data_len = chain->out_len - sizeof(head);
	}
	return true;
}

static bool must_be_stable(const struct blk *blk)
{
	if (!virtio_has(&blk->v, VIRTIO_BLK_F_FLUSH))
		return true;
	return virtio_has(&blk->v, VIRTIO_BLK_F_CONFIG_WCE) &&
	       !atomic_load_explicit(&blk->writeback, memory_order_relaxed);
}

/* Whole blocks that are there. */
static bool range_is_ok(const struct blk *blk, u64 sector, u64 bytes)
{
	u64 block = 1ULL << blk->block_shift;

	return sector <= blk->sectors &&
	       bytes >> VIRTIO_BLK_SECTOR_SHIFT <= blk->sectors - sector &&
	       is_aligned(bytes, block) &&
	       is_aligned(sector << VIRTIO_BLK_SECTOR_SHIFT, block);
}

static struct iothread *thread_of(const struct blk_req *req)
{
	return req->q->vq->loop->thread;
}

/* ---- read, write, flush ----------------------------------------------------- */

static void read_done(struct block_req *block, int res)
{
	struct blk_req *req = container_of(block, struct blk_req, blk);

	if (!res) {
		counter_add(&req->q->stats.reads, 1);
		counter_add(&req->q->stats.read_bytes, req->data_len);
		req->filled = req->data_len;
	}
	req_end_errno(req, res);
}

static void do_read(struct blk *blk, struct blk_req *req)
{
	if (!range_is_ok(blk, req->sector, req->data_len)) {
		req_end(req, VIRTIO_BLK_S_IOERR);
		return;
	}
	req->blk.done = read_done;
	block_read(blk->disk, thread_of(req), &req->blk, req->data,
		   req->data_nr, req->sector << VIRTIO_BLK_SECTOR_SHIFT);
}

static void write_done(struct block_req *block, int res)
{
	struct blk_req *req = container_of(block, struct blk_req, blk);

	if (!res) {
		counter_add(&req->q->stats.writes, 1);
		counter_add(&req->q->stats.write_bytes, req->data_len);
	}
	req_end_errno(req, res);
}

static void do_write(struct blk *blk, struct blk_req *req)
{
	if (!range_is_ok(blk, req->sector, req->data_len)) {
		req_end(req, VIRTIO_BLK_S_IOERR);
		return;
	}
	req->blk.done = write_done;
	block_write(blk->disk, thread_of(req), &req->blk, req->data,
		    req->data_nr, req->sector << VIRTIO_BLK_SECTOR_SHIFT,
		    must_be_stable(blk) ? BLOCK_FUA : 0);
}

static void flush_done(struct block_req *block, int res)
{
	req_end_errno(container_of(block, struct blk_req, blk), res);
}

static void do_flush(struct blk *blk, struct blk_req *req)
{
	req->blk.done = flush_done;
	block_flush(blk->disk, thread_of(req), &req->blk);
}

static void do_get_id(struct blk *blk, struct blk_req *req)
{
	req->filled = virtio_chain_write(&req->chain, 0, blk->serial,
					 min_of(req->data_len,
						(u64)sizeof(blk->serial)));
	req_end(req, VIRTIO_BLK_S_OK);
}

/* ---- discard and write zeroes ------------------------------------------------ */

/* Segments one after the other, then a flush where one is due. */
static void seg_next(struct block_req *block, int res)
{
	struct blk_req *req = container_of(block, struct blk_req, blk);
	struct blk *blk = req->q->blk;
	const struct virtio_blk_seg *seg = &req->segs[req->seg];
	u64 offset, len;

	if (res || req->seg > req->segs_nr || req->q->vq->discard) {
		req_end_errno(req, res);
		return;
	}
	if (req->seg++ == req->segs_nr) {
		if (must_be_stable(blk))
			do_flush(blk, req);
		else
			req_end(req, VIRTIO_BLK_S_OK);
		return;
	}
	offset = le64_to_cpu(seg->sector) << VIRTIO_BLK_SECTOR_SHIFT;
	len = (u64)le32_to_cpu(seg->sectors) << VIRTIO_BLK_SECTOR_SHIFT;
	req->blk.done = seg_next;
	if (req->type == VIRTIO_BLK_T_DISCARD)
		block_discard(blk->disk, thread_of(req), &req->blk, offset,
			      len);
	else
		block_write_zeroes(blk->disk, thread_of(req), &req->blk,
				   offset, len,
				   le32_to_cpu(seg->flags) &
				   VIRTIO_BLK_SEG_UNMAP ? BLOCK_MAY_DISCARD :
							  0);
}

static u8 seg_check(const struct blk *blk, const struct blk_req *req,
		    const struct virtio_blk_seg *seg)
{
	bool discard = req->type == VIRTIO_BLK_T_DISCARD;
	u32 flags = le32_to_cpu(seg->flags);
	u32 sectors = le32_to_cpu(seg->sectors);

	/* VIRTIO-1.2 5.2.6.2: a discard has no flags. */
	if (flags & ~(discard ? 0U : VIRTIO_BLK_SEG_UNMAP))
		return VIRTIO_BLK_S_UNSUPP;
	if (sectors > (discard ? BLK_DISCARD_SECTORS : BLK_ZEROES_SECTORS) ||
	    !range_is_ok(blk, le64_to_cpu(seg->sector),
			 (u64)sectors << VIRTIO_BLK_SECTOR_SHIFT))
		return VIRTIO_BLK_S_IOERR;
	return VIRTIO_BLK_S_OK;
}

/* All are checked before the first one is done. */
static void do_segs(struct blk *blk, struct blk_req *req)
{
	u8 status = VIRTIO_BLK_S_OK;
	u32 i;

	if (!req->data_len || req->data_len % sizeof(*req->segs) ||
	    req->data_len / sizeof(*req->segs) > BLK_DISCARD_SEGS ||
	    blk->config->ro) {
		req_end(req, VIRTIO_BLK_S_IOERR);
		return;
	}
	req->segs_nr = (u32)(req->data_len / sizeof(*req->segs));
	req->seg = 0;
	/* The head was cut off. */
	virtio_chain_read(&(struct virtio_chain){
				.iov = req->data, .out_nr = req->data_nr,
			  }, 0, req->segs, req->data_len);
	for (i = 0; i < req->segs_nr && !status; i++)
		status = seg_check(blk, req, &req->segs[i]);
	if (status)
		req_end(req, status);
	else
		seg_next(&req->blk, 0);
}

/* ---- dispatch ----------------------------------------------------------------- */

static const struct {
	u32 type;
	u64 feature;
	void (*begin)(struct blk *blk, struct blk_req *req);
} requests[] = {
	{ VIRTIO_BLK_T_IN,		0,	do_read },
	{ VIRTIO_BLK_T_OUT,		0,	do_write },
	{ VIRTIO_BLK_T_FLUSH,		VIRTIO_BLK_F_FLUSH, do_flush },
	{ VIRTIO_BLK_T_GET_ID,		0,	do_get_id },
	{ VIRTIO_BLK_T_DISCARD,		VIRTIO_BLK_F_DISCARD, do_segs },
	{ VIRTIO_BLK_T_WRITE_ZEROES,	VIRTIO_BLK_F_WRITE_ZEROES, do_segs },
};

static void req_begin(struct blk *blk, struct blk_req *req)
{
	u32 i;

	if (!req_parse(req)) {
		req_end(req, VIRTIO_BLK_S_IOERR);
		return;
	}
	for (i = 0; i < ARRAY_SIZE(requests); i++) {
		if (req->type != requests[i].type)
			continue;
		if (requests[i].feature &&
		    !virtio_has(&blk->v, requests[i].feature))
			break;
		requests[i].begin(blk, req);
		return;
	}
	req_end(req, VIRTIO_BLK_S_UNSUPP);
}

/**
 * blk_handle() - &virtio_ops.handle
 * @vq: a queue
 *
 * Return: what it waits for.
 */
enum virtio_next blk_handle(struct virtio_queue *vq)
{
	struct blk_queue *bq = vq->priv;
	struct blk_req *req;
	u32 n;

	for (n = 0; n < TURN; n++) {
		req = req_get(bq);
		if (!virtio_queue_pop(vq, &req->chain, req->iov,
				      BLK_IOVS_MAX)) {
			req_put(req);
			return VIRTIO_NEXT_CHAIN;
		}
		list_add_tail(&bq->busy, &req->link);
		if (!req->chain.in_len) {
			virtio_queue_fail(vq, "a request has no status");
			req_put(req);
			virtio_queue_unpop(vq, &req->chain);
			return VIRTIO_NEXT_CHAIN;
		}
		req_begin(bq->blk, req);
	}
	return VIRTIO_NEXT_TURN;
}

/**
 * blk_queue_start() - &virtio_ops.queue_start
 * @vq: a queue
 */
void blk_queue_start(struct virtio_queue *vq)
{
	struct blk *blk = container_of(vq->v, struct blk, v);

	struct blk_queue *bq = &blk->queues[vq->index];
	struct list *link;

	vq->priv = bq;
	bq->vq = vq;
	bq->hurried = false;
	while ((link = list_pop(&bq->again))) {
		list_add_tail(&bq->busy, link);
		virtio_queue_take_up(vq);
		req_begin(blk, list_entry(link, struct blk_req, link));
	}
}

/**
 * blk_queue_stop() - &virtio_ops.queue_stop
 * @vq: a queue
 *
 * A pause waits for all that is in flight; a reset need not.
 */
void blk_queue_stop(struct virtio_queue *vq)
{
	struct blk_queue *bq = vq->priv;
	struct blk_req *req;

	if (!vq->discard)
		return;
	list_for_each_entry(req, &bq->busy, link)
		block_cancel(&req->blk);
}

/**
 * blk_queue_hurry() - &virtio_ops.queue_hurry
 * @vq: a queue
 *
 * Every request can be done again; one that a disk does not let go of has to be
 * waited for.
 */
void blk_queue_hurry(struct virtio_queue *vq)
{
	struct blk_queue *bq = vq->priv;
	struct blk_req *req;

	bq->hurried = true;
	list_for_each_entry(req, &bq->busy, link)
		block_cancel(&req->blk);
}

/**
 * blk_queue_forget() - a reset has ended: nothing is done again
 * @bq: nothing is in flight
 *
 * Context: device's lock held, the queue does not run.
 */
void blk_queue_forget(struct blk_queue *bq)
{
	struct list *link;

	while ((link = list_pop(&bq->again)))
		list_add_head(&bq->free, link);
}

/**
 * blk_req_load() - one more request that is to be done again
 * @bq: the queue; it does not run
 *
 * Return: the request, its chain is to be filled; there are as many as the queue
 * has entries.
 */
struct blk_req *blk_req_load(struct blk_queue *bq)
{
	struct blk_req *req = req_get(bq);

	list_add_tail(&bq->again, &req->link);
	return req;
}

/**
 * blk_queue_init() - the device's part of a queue
 * @bq: zeroed
 * @blk: the device
 *
 * Return: 0 or -ENOMEM.
 */
int blk_queue_init(struct blk_queue *bq, struct blk *blk)
{
	bq->blk = blk;
	list_init(&bq->free);
	list_init(&bq->busy);
	list_init(&bq->again);
	bq->reqs = calloc(BLK_REQS, sizeof(*bq->reqs));
	bq->segs = calloc(BLK_REQS * BLK_DISCARD_SEGS, sizeof(*bq->segs));
	return bq->reqs && bq->segs ? 0 : -ENOMEM;
}

/**
 * blk_queue_destroy() - undo blk_queue_init()
 * @bq: nothing is in flight
 */
void blk_queue_destroy(struct blk_queue *bq)
{
	free(bq->segs);
	free(bq->reqs);
}
