// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: virtqueues on their threads
 *
 * A loop looks at all its running queues in each of its rounds, and calls the
 * device's handler for those with chains. Interrupts are due once a round, for
 * all that was given back in it. Before the loop sleeps it asks the driver to
 * notify it of the next chain; while it is awake it does not need that.
 *
 * Control starts and stops a queue by posted calls. A queue that is to stop
 * takes no more chains; when the last one is given back the loop gives the
 * ring back to control and has the main loop look at the device.
 *
 * Threads: everything here runs on the queue's loop, but for what says
 * otherwise. No lock is taken.
 */
#include <stdarg.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "virtio/virtio_priv.h"
#include "vmm/base/counter.h"
#include "vmm/base/log.h"
#include "vmm/vm.h"

#define LOOP_ENTRIES	1024

static void queue_signal(struct virtio_queue *q)
{
	if (!q->unsignalled)
		return;
	q->unsignalled = false;
	if (q->discard || !virtio_ring_wants_signal(&q->ring))
		return;
	counter_add(&q->signals, 1);
	virtio_pci_interrupt(q->v, atomic_load(&q->vector), VIRTIO_ISR_QUEUE);
}

/* The ring is control's again. */
static void queue_silent(struct virtio_queue *q)
{
	queue_signal(q);
	list_del(&q->link);
	/* Release: pairs with the look in queues_collect(), virtio.c. */
	atomic_store_explicit(&q->silent, true, memory_order_release);
	virtio_kick(q->v);
}

static void queue_release(struct virtio_queue *q)
{
	q->inflight--;
	if (q->stopping && !q->inflight)
		queue_silent(q);
}

/**
 * virtio_queue_fail() - the driver did something that cannot be
 * @q: its queue; nothing is taken from it any more
 * @fmt: what it did
 *
 * The device asks to be reset (VIRTIO-1.2 2.1.2).
 *
 * Context: the queue's loop.
 */
void virtio_queue_fail(struct virtio_queue *q, const char *fmt, ...)
{
	char text[128];
	va_list ap;

	if (q->broken)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_limited(LOG_DEBUG, "%s: queue %u: %s", q->v->pci.dev.name,
		    q->index, text);
	q->broken = true;
	atomic_store(&q->v->failed, true);
	virtio_kick(q->v);
}

/**
 * virtio_queue_pop() - take the next chain
 * @q: the queue
 * @chain: filled
 * @iov: room for its vectors, until it is given back
 * @iov_max: how many vectors; a chain that needs more is an error of the
 *           driver's
 *
 * Each chain is given back by virtio_queue_push() or virtio_queue_unpop(). There
 * are never more than the queue has entries.
 *
 * Context: the queue's loop.
 * Return: false when there is none, or none may be taken now.
 */
bool virtio_queue_pop(struct virtio_queue *q, struct virtio_chain *chain,
		      struct iovec *iov, u32 iov_max)
{
	int ret;

	if (q->stopping || q->broken)
		return false;
	/* A driver that offers again what it has not got back. */
	if (q->inflight >= q->ring.size && virtio_ring_has_work(&q->ring)) {
		virtio_queue_fail(q, "more chains than entries");
		return false;
	}
	ret = virtio_ring_pop(&q->ring, chain, iov, iov_max);
	if (ret == 1) {
		q->inflight++;
		return true;
	}
	if (ret < 0 && ret != -EACCES)
		virtio_queue_fail(q, ret == -EFAULT ?
				  "a buffer is not in RAM" :
				  "a chain of descriptors cannot be");
	return false;
}

/**
 * virtio_queue_unpop() - as if a chain had not been taken
 * @q: the queue
 * @chain: the one that was taken last, of those that were not put back
 *
 * Context: the queue's loop.
 */
void virtio_queue_unpop(struct virtio_queue *q,
			const struct virtio_chain *chain)
{
	virtio_ring_unpop(&q->ring, chain);
	queue_release(q);
}

/**
 * virtio_queue_push() - give a chain back
 * @q: the queue; it may have stopped when this returns
 * @chain: the chain, with its vectors as they were
 * @len: bytes that were written into its buffers, from the start of the first
 *       one for writing
 *
 * Context: the queue's loop.
 */
void virtio_queue_push(struct virtio_queue *q,
		       const struct virtio_chain *chain, u32 len)
{
	virtio_ring_mark(&q->ring, chain, len);
	counter_add(&q->chains, 1);
	if (!q->discard) {
		if (virtio_ring_push(&q->ring, chain, len))
			virtio_queue_fail(q, "bus mastering ended too early");
		else
			q->unsignalled = true;
	}
	queue_release(q);
}

/**
 * virtio_queue_put_aside() - a chain is kept, and nothing is being done with it
 * @q: its queue, which is to stop and may have when this returns
 *
 * Context: the queue's loop.
 */
void virtio_queue_put_aside(struct virtio_queue *q)
{
	queue_release(q);
}

/**
 * virtio_queue_take_up() - a chain that was put aside is in work again
 * @q: its queue
 *
 * Context: the queue's loop, from &virtio_ops.queue_start.
 */
void virtio_queue_take_up(struct virtio_queue *q)
{
	q->inflight++;
}

/**
 * virtio_queue_hold() - what is given back next is to be seen all at once
 * @q: the queue; virtio_queue_publish() comes before its handler returns
 *
 * Context: the queue's loop, its handler.
 */
void virtio_queue_hold(struct virtio_queue *q)
{
	virtio_ring_hold(&q->ring);
}

/**
 * virtio_queue_publish() - let the driver see what was given back
 * @q: the queue, since virtio_queue_hold()
 *
 * Context: the queue's loop, its handler.
 */
void virtio_queue_publish(struct virtio_queue *q)
{
	virtio_ring_publish(&q->ring);
}

/**
 * virtio_queue_wake() - have a queue looked at
 * @q: the queue; its handler has said VIRTIO_NEXT_WAKE, or not
 *
 * In this round of the loop when called from a completion or a watch.
 *
 * Context: the queue's loop.
 */
void virtio_queue_wake(struct virtio_queue *q)
{
	q->parked = false;
}

static bool queue_can_work(const struct virtio_queue *q)
{
	return !q->stopping && !q->broken && !q->parked &&
	       !atomic_load_explicit(&q->ring.gate->closed,
				     memory_order_relaxed);
}

static bool queue_poll(struct virtio_queue *q)
{
	bool any = queue_can_work(q) && virtio_ring_has_work(&q->ring);

	if (any)
		q->parked = q->v->setup.ops->handle(q) == VIRTIO_NEXT_WAKE;
	queue_signal(q);
	return any;
}

static bool loop_poll(struct io_poller *poller)
{
	struct virtio_loop *loop = container_of(poller, struct virtio_loop,
						poller);
	struct virtio_queue *q, *tmp;
	bool any = false;

	list_for_each_entry_safe(q, tmp, &loop->queues, link)
		any |= queue_poll(q);
	return any;
}

static bool loop_arm(struct io_poller *poller)
{
	struct virtio_loop *loop = container_of(poller, struct virtio_loop,
						poller);
	struct virtio_queue *q;
	bool any = false;

	list_for_each_entry(q, &loop->queues, link)
		if (queue_can_work(q))
			any |= virtio_ring_arm(&q->ring);
	return any;
}

static void loop_disarm(struct io_poller *poller)
{
	struct virtio_loop *loop = container_of(poller, struct virtio_loop,
						poller);
	struct virtio_queue *q;

	list_for_each_entry(q, &loop->queues, link)
		if (queue_can_work(q))
			virtio_ring_disarm(&q->ring);
}

static void bell_rung(struct io_watch *watch)
{
	/* The round that this completion began looks at the queues. */
}

/* ---- control ---------------------------------------------------------------- */

static void queue_leave(struct virtio_queue *q)
{
	const struct virtio_ops *ops = q->v->setup.ops;

	q->discard |= atomic_load(&q->stop_wanted) & VIRTIO_STOP_DISCARD;
	q->stopping = true;
	/* One more, so that the queue is still there when that returns. */
	q->inflight++;
	if (ops->queue_stop)
		ops->queue_stop(q);
	queue_release(q);
}

/*
 * A stop of before, which came for a queue that had stopped by then, may still
 * be waiting in front of this start, and a later stop is one with it. So what
 * is wanted now counts: a stop that is wanted later than this look finds no
 * stop waiting and is posted.
 */
static void queue_begin(struct loop_call *call)
{
	struct virtio_queue *q = container_of(call, struct virtio_queue, start);
	const struct virtio_ops *ops = q->v->setup.ops;

	q->stopping = false;
	q->discard = false;
	q->parked = false;
	list_add_tail(&q->loop->queues, &q->link);
	if (ops->queue_start)
		ops->queue_start(q);
	if (atomic_load(&q->stop_wanted))
		queue_leave(q);
}

static void queue_end(struct loop_call *call)
{
	struct virtio_queue *q = container_of(call, struct virtio_queue, stop);

	/* It may be silent by now. */
	if (!list_is_empty(&q->link))
		queue_leave(q);
}

static void hurry(void *arg)
{
	struct virtio_loop *loop = arg;
	struct virtio_queue *q, *tmp;

	list_for_each_entry_safe(q, tmp, &loop->queues, link)
		if (!q->discard)
			q->v->setup.ops->queue_hurry(q);
}

/**
 * virtio_loop_hurry() - have queues put aside what keeps them from stopping
 * @loop: all its queues have been asked to stop
 *
 * Context: main loop.
 */
void virtio_loop_hurry(struct virtio_loop *loop)
{
	if (loop->v->setup.ops->queue_hurry)
		iothread_call(loop->thread, hurry, loop);
}

static void go_on(void *arg)
{
	struct virtio_loop *loop = arg;
	struct virtio_queue *q;

	list_for_each_entry(q, &loop->queues, link) {
		if (!q->stopping || q->discard || q->broken)
			continue;
		q->stopping = false;
		atomic_store(&q->stop_wanted, 0);
		if (q->v->setup.ops->queue_start)
			q->v->setup.ops->queue_start(q);
	}
}

/**
 * virtio_loop_go_on() - queues that have not stopped yet need not
 * @loop: where they live
 *
 * Context: main loop, device's lock held; the device is live, so it was a pause
 * that has asked for the stops that discard nothing.
 */
void virtio_loop_go_on(struct virtio_loop *loop)
{
	struct virtio_device *v = loop->v;
	u32 i;

	iothread_call(loop->thread, go_on, loop);
	for (i = 0; i < v->queues_nr; i++) {
		struct virtio_queue *q = &v->queues[i];

		if (q->loop == loop && q->phase == VIRTIO_QUEUE_STOPPING &&
		    !atomic_load(&q->stop_wanted))
			q->phase = VIRTIO_QUEUE_RUNNING;
	}
}

/**
 * virtio_queue_init() - set up a queue that does not run
 * @q: zeroed
 * @v: its device
 * @index: its number
 * @loop: where it will live
 */
void virtio_queue_init(struct virtio_queue *q, struct virtio_device *v,
		       u16 index, struct virtio_loop *loop)
{
	q->v = v;
	q->index = index;
	q->loop = loop;
	list_init(&q->link);
	list_init(&q->event.link);
	loop_call_init(&q->start, queue_begin);
	loop_call_init(&q->stop, queue_end);
}

/**
 * virtio_queue_start() - let a queue's loop have its ring
 * @q: idle, its ring is open
 *
 * Context: any thread, device's lock held; does not wait.
 */
void virtio_queue_start(struct virtio_queue *q)
{
	assert(q->phase == VIRTIO_QUEUE_IDLE);
	q->phase = VIRTIO_QUEUE_RUNNING;
	atomic_store(&q->silent, false);
	atomic_store(&q->stop_wanted, 0);
	iothread_post(q->loop->thread, &q->start);
}

/**
 * virtio_queue_stop() - have a queue's ring back
 * @q: in any phase
 * @discard: nobody wants what is in flight
 *
 * The queue is idle when the main loop has seen &virtio_queue.silent.
 *
 * Context: any thread, device's lock held; does not wait.
 */
void virtio_queue_stop(struct virtio_queue *q, bool discard)
{
	if (q->phase == VIRTIO_QUEUE_IDLE)
		return;
	atomic_fetch_or(&q->stop_wanted,
			VIRTIO_STOP | (discard ? VIRTIO_STOP_DISCARD : 0));
	q->phase = VIRTIO_QUEUE_STOPPING;
	iothread_post(q->loop->thread, &q->stop);
}

/**
 * virtio_loop_ring() - have a loop look at its queues
 * @loop: the loop
 *
 * Context: any thread.
 */
void virtio_loop_ring(struct virtio_loop *loop)
{
	u64 one = 1;
	ssize_t n = write(loop->bell, &one, sizeof(one));

	(void)n;
}

/**
 * virtio_loop_init() - set up a loop without a thread
 * @loop: zeroed
 * @v: its device
 */
void virtio_loop_init(struct virtio_loop *loop, struct virtio_device *v)
{
	loop->v = v;
	loop->bell = -1;
	loop->poller.poll = loop_poll;
	loop->poller.arm = loop_arm;
	loop->poller.disarm = loop_disarm;
	list_init(&loop->queues);
}

static void loop_enter(void *arg)
{
	struct virtio_loop *loop = arg;

	io_poller_add(loop->thread, &loop->poller);
	io_watch_eventfd(loop->thread, &loop->bell_watch, loop->bell,
			 bell_rung);
}

static void loop_leave(void *arg)
{
	struct virtio_loop *loop = arg;

	assert(list_is_empty(&loop->queues));
	io_watch_remove(&loop->bell_watch);
	io_poller_remove(&loop->poller);
}

/**
 * virtio_loop_start() - give a loop its thread
 * @loop: set up
 * @index: its number, for the thread's name
 * @err: filled on failure
 *
 * Context: main loop.
 * Return: 0 or a negative errno.
 */
int virtio_loop_start(struct virtio_loop *loop, u32 index, struct error *err)
{
	struct virtio_device *v = loop->v;
	char name[48];
	int ret;

	loop->thread = &v->pci.dev.vm->loop;
	loop->bell = eventfd(0, EFD_CLOEXEC);
	if (loop->bell < 0)
		return error_set(err, -errno, "eventfd: %m");
	if (v->setup.loops_nr) {
		snprintf(name, sizeof(name), "%s/%u", v->pci.dev.name, index);
		name[15] = 0;
		ret = iothread_start(&loop->own, name, LOOP_ENTRIES,
				     v->setup.poll_ns, err);
		if (ret) {
			close(loop->bell);
			return ret;
		}
		loop->thread = &loop->own;
	}
	iothread_call(loop->thread, loop_enter, loop);
	return 0;
}

/**
 * virtio_loop_stop() - undo virtio_loop_start()
 * @loop: no queue runs on it
 *
 * Context: main loop.
 */
void virtio_loop_stop(struct virtio_loop *loop)
{
	iothread_call(loop->thread, loop_leave, loop);
	if (loop->thread == &loop->own)
		iothread_destroy(&loop->own);
	close(loop->bell);
}
