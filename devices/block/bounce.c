// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: aligned copies for O_DIRECT
 *
 * Direct I/O wants memory addresses and vector lengths that are multiples of
 * what the disk says. Guests need not keep to that: NVMe allows a buffer to
 * begin at any dword. Such a request goes through buffers of ours, a chunk at
 * a time.
 *
 * Each lane has a fixed number of them, made when they are first needed, so
 * that a guest cannot make us use memory without bound; a request that finds
 * none waits its turn. Whoever holds a buffer needs nothing else to finish,
 * so nobody waits for ever.
 */
#include <stdlib.h>
#include <string.h>

#include "devices/block/block_priv.h"
#include "vmm/base/math.h"

/**
 * bounce_get() - a buffer for a request
 * @req: the request, without one
 *
 * Context: the lane's thread.
 * Return: 0: &block_req.bounce is set; -EAGAIN: it has to wait and will be
 * returned by a bounce_put(); -ENOMEM.
 */
int bounce_get(struct block_req *req)
{
	struct bounce_pool *pool = &req->lane->bounce;

	if (pool->free_nr) {
		req->bounce = pool->bufs[--pool->free_nr];
		return 0;
	}
	if (pool->made < BOUNCE_BUFS) {
		req->bounce = aligned_alloc(BLOCK_MEM_ALIGN_MAX, BOUNCE_BYTES);
		if (req->bounce) {
			pool->made++;
			return 0;
		}
		if (!pool->made)
			return -ENOMEM;
	}
	list_add_tail(&pool->waiting, &req->call.link);
	return -EAGAIN;
}

/**
 * bounce_put() - give a request's buffer back
 * @req: the request that has it
 *
 * Context: the lane's thread.
 * Return: a request that waited and has the buffer now, or NULL.
 */
struct block_req *bounce_put(struct block_req *req)
{
	struct bounce_pool *pool = &req->lane->bounce;
	struct list *link = list_pop(&pool->waiting);
	struct block_req *next;

	if (!link) {
		pool->bufs[pool->free_nr++] = req->bounce;
		req->bounce = NULL;
		return NULL;
	}
	next = list_entry(link, struct block_req, call.link);
	next->bounce = req->bounce;
	req->bounce = NULL;
	return next;
}

/**
 * bounce_unwait() - stop waiting for a buffer
 * @req: the request
 *
 * Context: the lane's thread.
 * Return: true when it had been waiting.
 */
bool bounce_unwait(struct block_req *req)
{
	struct bounce_pool *pool = &req->lane->bounce;
	struct list *link;

	for (link = pool->waiting.next; link != &pool->waiting;
	     link = link->next) {
		if (link == &req->call.link) {
			list_del(link);
			return true;
		}
	}
	return false;
}

/**
 * bounce_pool_destroy() - free the buffers
 * @pool: all of them are back
 */
void bounce_pool_destroy(struct bounce_pool *pool)
{
	assert(pool->free_nr == pool->made);
	while (pool->free_nr)
		free(pool->bufs[--pool->free_nr]);
}

/**
 * block_iov_advance() - take bytes off the front of a request's vectors
 * @req: the request
 * @bytes: at most what they hold
 *
 * Vectors of length 0 in front are taken off too. A vector is cut only while
 * it is the first; when it is used up, or the request ends, it is as it was.
 */
void block_iov_advance(struct block_req *req, u64 bytes)
{
	while (req->iov_nr && bytes >= req->iov->iov_len) {
		bytes -= req->iov->iov_len;
		block_iov_restore(req);
		req->iov++;
		req->iov_nr--;
	}
	if (bytes) {
		assert(req->iov_nr);
		req->iov->iov_base = (u8 *)req->iov->iov_base + bytes;
		req->iov->iov_len -= bytes;
		req->cut += bytes;
	}
}

static void copy_chunk(struct block_req *req, bool to_bounce)
{
	u32 at = 0, i;

	for (i = 0; at < req->chunk; i++) {
		u32 len = (u32)min_of((u64)req->iov[i].iov_len,
				      (u64)(req->chunk - at));
		u8 *buf = (u8 *)req->bounce + at;

		if (to_bounce)
			memcpy(buf, req->iov[i].iov_base, len);
		else
			memcpy(req->iov[i].iov_base, buf, len);
		at += len;
	}
	block_iov_advance(req, req->chunk);
}

/**
 * bounce_fill() - begin the next chunk
 * @req: has a buffer
 *
 * Sets &block_req.chunk and &block_req.one. The data of a write is copied now
 * and its vectors are consumed.
 */
void bounce_fill(struct block_req *req)
{
	req->chunk = (u32)min_of(req->left, (u64)BOUNCE_BYTES);
	req->one.iov_base = req->bounce;
	req->one.iov_len = req->chunk;
	if (req->kind == BLOCK_WRITE)
		copy_chunk(req, true);
}

/**
 * bounce_drain() - a chunk was moved
 * @req: has a buffer
 *
 * The data of a read goes to its vectors, which are consumed.
 */
void bounce_drain(struct block_req *req)
{
	if (req->kind == BLOCK_READ)
		copy_chunk(req, false);
	req->chunk = 0;
}
