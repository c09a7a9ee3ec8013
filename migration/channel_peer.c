// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: a peer's image as a channel
 *
 * What is written to a position of this channel goes to the same position of
 * the peer's image, as frames over one or more connections. The writer is the
 * one that also writes files; it does not know the difference.
 *
 * Each call takes a connection that nobody else uses at the moment and sends
 * one frame over it, so as many threads as there are connections write at the
 * same time. There is no order among connections but at the end of a round,
 * which is the business of who ends rounds.
 *
 * The guest may change its memory while it is being sent, and a checksum must
 * be that of what was sent. So a frame's payload is copied first, in pieces
 * that stay in the processor's cache until they are summed and sent. Where the
 * kernel does not copy what is sent (channel_zerocopy.c) the copy belongs to it
 * until it says otherwise, and the next piece goes into another buffer.
 *
 * The rate can be limited: who is ahead of it waits before the next frame.
 *
 * Threads: any number at once.
 */
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "migration/channel_peer.h"
#include "vmm/base/clock.h"
#include "vmm/base/math.h"

#define PIECE		(256U << 10)
#define BUFS		8	/* that can be on their way at once */
#define RATE_BURST_NS	10000000ULL	/* so far ahead of the rate is fine */
#define WAIT_MAX_MS	100

/**
 * struct peer_link - one of the connections
 * @link: the connection
 * @buf: PIECE bytes each, made when they are needed
 * @mark: what must be settled before a buffer is used again
 * @lent: bytes of it that the kernel was to read by itself
 * @at: the buffer that comes next
 * @busy: somebody uses it
 */
struct peer_link {
	struct frame_link *link;
	u8 *buf[BUFS];
	u32 mark[BUFS];
	u32 lent[BUFS];
	u32 at;
	bool busy;
};

/**
 * struct channel_peer - a peer's image as a channel
 * @ch: the channel
 * @links: the connections
 * @nr: how many
 * @lock: protects &peer_link.busy, @failed and @err
 * @freed: somebody has put a connection back
 * @failed: a connection has failed: nothing goes any more
 * @err: how
 * @stats: what went
 * @rate: bytes a second, 0 for no limit
 * @due_ns: CLOCK_MONOTONIC at which all that was sent would have been sent at
 *          that rate
 */
struct channel_peer {
	struct channel ch;
	struct peer_link links[PEER_LINKS_MAX];
	u32 nr;
	pthread_mutex_t lock;
	pthread_cond_t freed;
	bool failed;
	struct error err;
	struct peer_stats stats;
	_Atomic u64 rate;
	_Atomic u64 due_ns;
};

static struct channel_peer *to_peer(const struct channel *ch)
{
	return container_of((struct channel *)ch, struct channel_peer, ch);
}

/* Until this much may go; a cancellation is seen by the transfer itself. */
static void keep_rate(struct channel_peer *p, u64 bytes)
{
	u64 rate = atomic_load(&p->rate), now = now_ns(), due, next;
	struct pollfd fd = { .events = POLLIN, .fd = -1 };

	if (!rate)
		return;
	due = atomic_load(&p->due_ns);
	do {
		next = max_of(due, now) + bytes * 1000000000ULL / rate;
	} while (!atomic_compare_exchange_weak(&p->due_ns, &due, next));
	if (p->ch.control)
		fd.fd = p->ch.control->wake_fd;
	while (due > now && due - now > RATE_BURST_NS) {
		u64 ms = (due - now) / 1000000;

		if (poll(&fd, 1, (int)min_of(ms, (u64)WAIT_MAX_MS)) > 0)
			return;
		now = now_ns();
	}
}

static struct peer_link *take_link(struct channel_peer *p)
{
	struct peer_link *found = NULL;
	u32 i;

	pthread_mutex_lock(&p->lock);
	while (!p->failed && !found) {
		for (i = 0; i < p->nr && !found; i++)
			if (!p->links[i].busy)
				found = &p->links[i];
		if (!found)
			pthread_cond_wait(&p->freed, &p->lock);
	}
	if (found)
		found->busy = true;
	pthread_mutex_unlock(&p->lock);
	return found;
}

static void put_link(struct channel_peer *p, struct peer_link *l, int ret,
		     const struct error *err)
{
	pthread_mutex_lock(&p->lock);
	l->busy = false;
	if (ret && !p->failed) {
		p->failed = true;
		p->err = *err;
	}
	pthread_cond_broadcast(&p->freed);
	pthread_mutex_unlock(&p->lock);
}

static size_t gather(u8 *buf, const struct iovec *iov, int iov_nr)
{
	size_t len = 0;
	int i;

	for (i = 0; i < iov_nr && len < PIECE; i++) {
		size_t n = min_of(iov[i].iov_len, PIECE - len);

		memcpy(buf + len, iov[i].iov_base, n);
		len += n;
	}
	return len;
}

/*
 * A buffer that nobody reads any more; NULL on failure. It is a mapping, so that
 * what the kernel has not read yet when it is freed stays what it was.
 */
static u8 *take_buf(struct channel_peer *p, struct peer_link *l,
		    struct error *err)
{
	u32 at = l->at;
	void *buf;

	if (l->lent[at] && channel_settle(l->link->ch, l->mark[at], err))
		return NULL;
	if (l->buf[at])
		return l->buf[at];
	buf = mmap(NULL, PIECE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (buf == MAP_FAILED) {
		error_set(err, -ENOMEM, "%s: out of memory", p->ch.name);
		return NULL;
	}
	l->buf[at] = buf;
	return buf;
}

static int send_piece(struct channel_peer *p, struct peer_link *l,
		      const struct iovec *iov, int iov_nr, u64 pos,
		      size_t *len, struct error *err)
{
	u32 before = channel_mark(l->link->ch), after, settled = l->lent[l->at];
	u8 *buf = take_buf(p, l, err);
	int ret;

	if (!buf)
		return err->code;
	*len = gather(buf, iov, iov_nr);
	keep_rate(p, *len);
	ret = frame_send(l->link, FRAME_WRITE, pos, buf, *len, err);
	after = channel_mark(l->link->ch);
	l->lent[l->at] = 0;
	if (l->link->ch->copied)
		atomic_store(&p->stats.lent, 0);
	else
		atomic_fetch_add(&p->stats.lent, settled);
	if (after != before) {
		l->mark[l->at] = after;
		l->lent[l->at] = (u32)*len;
		l->at = (l->at + 1) % BUFS;
	}
	return ret;
}

static ssize_t peer_pwritev(struct channel *ch, const struct iovec *iov,
			    int iov_nr, u64 pos)
{
	struct channel_peer *p = to_peer(ch);
	struct peer_link *l = take_link(p);
	struct error err = ERROR_INIT;
	u64 start = now_ns();
	size_t len = 0;
	int ret;

	if (!l)
		return -EPIPE;
	ret = send_piece(p, l, iov, iov_nr, pos, &len, &err);
	put_link(p, l, ret, &err);
	if (ret)
		return ret;
	atomic_fetch_add(&p->stats.data, len);
	atomic_fetch_add(&p->stats.busy_ns, now_ns() - start);
	atomic_fetch_add(&p->stats.frames, 1);
	return (ssize_t)len;
}

static int peer_zero(struct channel *ch, u64 pos, u64 len)
{
	struct channel_peer *p = to_peer(ch);
	struct peer_link *l = take_link(p);
	struct error err = ERROR_INIT;
	int ret;

	if (!l)
		return -EPIPE;
	ret = frame_send_zero(l->link, pos, len, &err);
	put_link(p, l, ret, &err);
	if (ret)
		return ret;
	atomic_fetch_add(&p->stats.zero, len);
	atomic_fetch_add(&p->stats.frames, 1);
	return 0;
}

static void peer_close(struct channel *ch)
{
	struct channel_peer *p = to_peer(ch);
	u32 i;

	for (i = 0; i < p->nr * BUFS; i++)
		if (p->links[i / BUFS].buf[i % BUFS])
			munmap(p->links[i / BUFS].buf[i % BUFS], PIECE);
	pthread_cond_destroy(&p->freed);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

static const struct channel_ops peer_ops = {
	.pwritev = peer_pwritev,
	.zero = peer_zero,
	.close = peer_close,
};

/**
 * channel_peer_open() - make connections to a peer the channel to its image
 * @links: the connections, which must outlive the channel
 * @nr: how many, 1 to PEER_LINKS_MAX
 * @name: the peer, for error texts
 * @out: the channel; channel_close() frees it and leaves the connections
 * @err: filled on failure
 *
 * It can only be written to.
 *
 * Return: 0 or -ENOMEM.
 */
int channel_peer_open(struct frame_link *links, u32 nr, const char *name,
		      struct channel **out, struct error *err)
{
	struct channel_peer *p = calloc(1, sizeof(*p));
	int ret;
	u32 i;

	assert(nr >= 1 && nr <= PEER_LINKS_MAX);
	if (!p)
		return error_set(err, -ENOMEM, "%s: out of memory", name);
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->freed, NULL);
	for (i = 0; i < nr; i++) {
		p->links[i].link = &links[i];
		p->nr++;
	}
	ret = channel_init(&p->ch, &peer_ops, name, err);
	if (ret)
		goto err_free;
	*out = &p->ch;
	return 0;

err_free:
	peer_close(&p->ch);
	return ret;
}

/**
 * channel_peer_rate() - limit how much goes
 * @ch: made by channel_peer_open()
 * @bytes_per_s: of payload, over all connections; 0 for no limit
 *
 * Context: any thread, at any time.
 */
void channel_peer_rate(struct channel *ch, u64 bytes_per_s)
{
	atomic_store(&to_peer(ch)->rate, bytes_per_s);
}

/**
 * channel_peer_stats() - what went to the peer so far
 * @ch: made by channel_peer_open()
 *
 * Return: counters that go on counting.
 */
const struct peer_stats *channel_peer_stats(const struct channel *ch)
{
	return &to_peer(ch)->stats;
}

/**
 * channel_peer_failure() - how the first connection failed
 * @ch: made by channel_peer_open()
 * @err: filled when one has
 *
 * Says more than the error of the call that found it.
 *
 * Return: 0 when none has, else its negative errno.
 */
int channel_peer_failure(const struct channel *ch, struct error *err)
{
	struct channel_peer *p = to_peer(ch);
	int ret = 0;

	pthread_mutex_lock(&p->lock);
	if (p->failed)
		ret = error_copy(err, &p->err);
	pthread_mutex_unlock(&p->lock);
	return ret;
}
