// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: many transfers of a file channel at once, by io_uring
 *
 * A batch of pieces is put into a ring, submitted with one call, and waited
 * for. The ring belongs to the thread for as long as that takes; afterwards it
 * waits for the next thread that wants one.
 *
 * The wait ends early when the job is cancelled (its eventfd is polled by the
 * same ring) or its deadline passes: what is under way is then called back, and
 * all of it is waited for, because the kernel works on the caller's memory. A
 * request that a disk has begun cannot be called back and is waited for.
 *
 * The kernel may refuse io_uring (seccomp, kernel.io_uring_disabled, an old
 * one). Then nothing is done here, and the channel's plain calls do it all: a
 * piece that was not moved says so itself.
 *
 * Buffers are not registered. For guest memory that would pin all of it, and
 * fill its holes; pinning the pages of a request of 1 MiB costs about as much
 * as 1 % of the time that a disk of 2 GB/s needs for them.
 *
 * Threads: any number at once.
 */
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>

#include "migration/channel_ring.h"
#include "vmm/base/math.h"

/* A batch, the poll for a cancellation, and the two that call others back. */
#define RING_ENTRIES	(CHANNEL_BATCH_MAX + 4)

/* What an entry's user_data says when it is not a piece. */
enum ring_tag {
	TAG_WAKE	= 1,
	TAG_OTHER	= 2,
	TAGS		= 3,
};

/**
 * struct channel_ring - a ring and what is in it
 * @next: in &channel_rings.idle
 * @ring: the ring
 * @busy: entries that were submitted and have not ended
 * @queued: entries that were not yet submitted
 * @waking: the poll for a cancellation is one of them
 * @broken: it cannot be used any more
 */
struct channel_ring {
	struct channel_ring *next;
	struct io_uring ring;
	u32 busy;
	u32 queued;
	bool waking;
	bool broken;
};

/**
 * channel_rings_init() - no rings yet
 * @rings: to be filled
 */
void channel_rings_init(struct channel_rings *rings)
{
	*rings = (struct channel_rings){ .lock = PTHREAD_MUTEX_INITIALIZER };
}

static void ring_free(struct channel_ring *r)
{
	io_uring_queue_exit(&r->ring);
	free(r);
}

/**
 * channel_rings_destroy() - free all rings
 * @rings: no thread uses them
 */
void channel_rings_destroy(struct channel_rings *rings)
{
	while (rings->idle) {
		struct channel_ring *r = rings->idle;

		rings->idle = r->next;
		ring_free(r);
	}
	pthread_mutex_destroy(&rings->lock);
}

/* Waits with a timeout must not need an entry of their own (Linux 5.11). */
static struct channel_ring *ring_new(void)
{
	struct channel_ring *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	if (io_uring_queue_init(RING_ENTRIES, &r->ring, 0) < 0) {
		free(r);
		return NULL;
	}
	if (r->ring.features & IORING_FEAT_EXT_ARG)
		return r;
	ring_free(r);
	return NULL;
}

static struct channel_ring *ring_get(struct channel_rings *rings)
{
	struct channel_ring *r;
	bool none;

	pthread_mutex_lock(&rings->lock);
	r = rings->idle;
	if (r)
		rings->idle = r->next;
	none = rings->none;
	pthread_mutex_unlock(&rings->lock);
	if (r || none)
		return r;
	r = ring_new();
	if (!r) {
		pthread_mutex_lock(&rings->lock);
		rings->none = true;
		pthread_mutex_unlock(&rings->lock);
	}
	return r;
}

static void ring_put(struct channel_rings *rings, struct channel_ring *r)
{
	if (r->broken) {
		ring_free(r);
		return;
	}
	pthread_mutex_lock(&rings->lock);
	r->next = rings->idle;
	rings->idle = r;
	pthread_mutex_unlock(&rings->lock);
}

/* There is always room: see RING_ENTRIES. */
static struct io_uring_sqe *entry(struct channel_ring *r)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&r->ring);

	assert(sqe);
	r->queued++;
	return sqe;
}

/* What cannot be submitted stays in a ring that nobody uses again. */
static void submit(struct channel_ring *r)
{
	while (r->queued && !r->broken) {
		int n = io_uring_submit(&r->ring);

		if (n > 0) {
			r->queued -= (u32)n;
			r->busy += (u32)n;
		} else if (n != -EINTR) {
			r->broken = true;
		}
	}
}

static void take(struct channel_ring *r, struct io_uring_cqe *cqe)
{
	if (cqe->user_data == TAG_WAKE)
		r->waking = false;
	else if (cqe->user_data >= TAGS)
		((struct channel_piece *)io_uring_cqe_get_data(cqe))->moved =
			cqe->res;
	r->busy--;
	io_uring_cqe_seen(&r->ring, cqe);
}

/* False when the time is up, or the job was cancelled. */
static bool wait_one(struct channel_ring *r,
		     const struct channel_control *control)
{
	struct __kernel_timespec ts, *timeout = NULL;
	struct io_uring_cqe *cqe;
	s64 left;
	int ret;

	do {
		left = channel_control_left_ns(control);
		if (left >= 0) {
			ts.tv_sec = left / 1000000000;
			ts.tv_nsec = left % 1000000000;
			timeout = &ts;
		}
		ret = io_uring_wait_cqe_timeout(&r->ring, &cqe, timeout);
	} while (ret == -EINTR);
	if (ret)
		return false;
	take(r, cqe);
	return true;
}

/* As long as it takes: the kernel works on the caller's memory. */
static void wait_all(struct channel_ring *r)
{
	struct io_uring_cqe *cqe;

	while (r->busy)
		if (!io_uring_wait_cqe(&r->ring, &cqe))
			take(r, cqe);
}

static void call_back_all(struct channel_ring *r)
{
	struct io_uring_sqe *sqe = entry(r);

	io_uring_prep_cancel64(sqe, 0, IORING_ASYNC_CANCEL_ANY |
			       IORING_ASYNC_CANCEL_ALL);
	io_uring_sqe_set_data64(sqe, TAG_OTHER);
	submit(r);
}

static void wake_begin(struct channel_ring *r,
		       const struct channel_control *control)
{
	struct io_uring_sqe *sqe = entry(r);

	io_uring_prep_poll_add(sqe, control->wake_fd, POLLIN);
	io_uring_sqe_set_data64(sqe, TAG_WAKE);
	r->waking = true;
}

static void wake_end(struct channel_ring *r)
{
	struct io_uring_sqe *sqe;

	if (!r->waking)
		return;
	sqe = entry(r);
	io_uring_prep_poll_remove(sqe, TAG_WAKE);
	io_uring_sqe_set_data64(sqe, TAG_OTHER);
	submit(r);
}

static void queue_piece(struct channel_ring *r, struct channel_piece *p,
			int fd, bool write)
{
	u32 len = (u32)min_of(p->len, (u64)CHANNEL_CHUNK_MAX);
	struct io_uring_sqe *sqe = entry(r);

	if (write)
		io_uring_prep_write(sqe, fd, p->buf, len, p->pos);
	else
		io_uring_prep_read(sqe, fd, p->buf, len, p->pos);
	io_uring_sqe_set_data(sqe, p);
}

/**
 * channel_rings_batch() - move pieces at once, as far as possible
 * @rings: the rings
 * @control: ends it early; NULL: nothing does
 * @pieces: &channel_piece.moved of each is set if it was tried
 * @fds: where to or from, for each piece
 * @nr: how many, at most CHANNEL_BATCH_MAX
 * @write: to the descriptors
 *
 * Context: may block.
 */
void channel_rings_batch(struct channel_rings *rings,
			 const struct channel_control *control,
			 struct channel_piece *pieces, const int *fds, u32 nr,
			 bool write)
{
	struct channel_ring *r = ring_get(rings);
	u32 i;

	if (!r)
		return;
	for (i = 0; i < nr; i++)
		queue_piece(r, &pieces[i], fds[i], write);
	if (control)
		wake_begin(r, control);
	submit(r);
	while (r->busy > (r->waking ? 1 : 0) && wait_one(r, control))
		;
	if (r->busy > (r->waking ? 1 : 0))
		call_back_all(r);
	else
		wake_end(r);
	wait_all(r);
	ring_put(rings, r);
}
