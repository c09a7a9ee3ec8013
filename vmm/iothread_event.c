// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: what a loop waits for: descriptors, pollers, timers
 *
 * A watch and a timer are each an operation in the loop's ring that is made
 * anew whenever it is done. Either may be removed from within its own function;
 * its memory is in the ring's hands until then, so the removal waits for that.
 *
 * All run on the loop's thread.
 */
#include <poll.h>
#include <string.h>

#include "vmm/iothread_priv.h"

static void watch_arm(struct io_watch *w)
{
	struct io_uring_sqe *sqe = iothread_sqe(w->loop, &w->op);

	if (w->eventfd)
		io_uring_prep_read(sqe, w->fd, &w->counter,
				   sizeof(w->counter), 0);
	else
		io_uring_prep_poll_add(sqe, w->fd, POLLIN);
	w->active = true;
}

static void watch_done(struct io_op *op, s32 res, u32 flags)
{
	struct io_watch *w = container_of(op, struct io_watch, op);

	w->active = false;
	if (w->closing || res == -ECANCELED || res == -EBADF)
		return;
	if (res >= 0)
		w->ready(w);
	if (!w->closing && !w->active)
		watch_arm(w);
}

static void watch_add(struct iothread *t, struct io_watch *watch, int fd,
		      bool is_eventfd, void (*ready)(struct io_watch *))
{
	memset(watch, 0, sizeof(*watch));
	watch->op.done = watch_done;
	watch->loop = t;
	watch->fd = fd;
	watch->ready = ready;
	watch->eventfd = is_eventfd;
	watch_arm(watch);
}

/**
 * io_watch_add() - be told whenever a descriptor is readable
 * @t: the loop
 * @watch: to be filled; stays until io_watch_remove()
 * @fd: the descriptor; hang-ups and errors count as readable
 * @ready: called on the loop's thread; it reads without blocking
 *
 * Context: the loop's thread.
 */
void io_watch_add(struct iothread *t, struct io_watch *watch, int fd,
		  void (*ready)(struct io_watch *watch))
{
	watch_add(t, watch, fd, false, ready);
}

/**
 * io_watch_eventfd() - be told whenever an eventfd was signalled
 * @t: the loop
 * @watch: to be filled; stays until io_watch_remove()
 * @fd: the eventfd; its counter is taken before @ready is called
 * @ready: called on the loop's thread
 *
 * Context: the loop's thread.
 */
void io_watch_eventfd(struct iothread *t, struct io_watch *watch, int fd,
		      void (*ready)(struct io_watch *watch))
{
	watch_add(t, watch, fd, true, ready);
}

/**
 * io_watch_remove() - stop watching
 * @watch: the watch; afterwards its memory is the caller's again
 *
 * May be called from within @ready.
 *
 * Context: the loop's thread.
 */
void io_watch_remove(struct io_watch *watch)
{
	watch->closing = true;
	iothread_cancel_wait(watch->loop, &watch->op, &watch->active);
}

static void poll_done(struct io_op *op, s32 res, u32 flags)
{
	struct io_poll *poll = container_of(op, struct io_poll, op);

	poll->active = false;
	if (!poll->closing && res != -ECANCELED)
		poll->ready(poll);
}

/**
 * io_poll_init() - make a poll that looks out for nothing yet
 * @poll: to be filled
 * @t: the loop
 * @fd: the descriptor
 * @ready: called on the loop's thread, once for each io_poll_arm()
 */
void io_poll_init(struct io_poll *poll, struct iothread *t, int fd,
		  void (*ready)(struct io_poll *poll))
{
	memset(poll, 0, sizeof(*poll));
	poll->op.done = poll_done;
	poll->loop = t;
	poll->fd = fd;
	poll->ready = ready;
}

/**
 * io_poll_arm() - be told once when a descriptor is ready
 * @poll: the poll; nothing happens when it is looking out already
 * @events: POLLIN or POLLOUT; always the same for a poll
 *
 * Context: the loop's thread.
 */
void io_poll_arm(struct io_poll *poll, u32 events)
{
	struct io_uring_sqe *sqe;

	if (poll->active)
		return;
	sqe = iothread_sqe(poll->loop, &poll->op);
	io_uring_prep_poll_add(sqe, poll->fd, events);
	poll->active = true;
}

/**
 * io_poll_remove() - stop looking out
 * @poll: the poll; afterwards its memory is the caller's again, and it may be
 *        armed anew
 *
 * Context: the loop's thread.
 */
void io_poll_remove(struct io_poll *poll)
{
	poll->closing = true;
	iothread_cancel_wait(poll->loop, &poll->op, &poll->active);
	poll->closing = false;
}

/**
 * io_poller_add() - have something looked at in each round
 * @t: the loop
 * @poller: the poller
 *
 * Context: the loop's thread.
 */
void io_poller_add(struct iothread *t, struct io_poller *poller)
{
	list_add_tail(&t->pollers, &poller->link);
}

/**
 * io_poller_remove() - no longer look at it
 * @poller: the poller; not from within another poller's functions
 *
 * Context: the loop's thread.
 */
void io_poller_remove(struct io_poller *poller)
{
	list_del(&poller->link);
}

static void timer_arm(struct io_timer *timer)
{
	struct io_uring_sqe *sqe = iothread_sqe(timer->loop, &timer->op);

	io_uring_prep_timeout(sqe, &timer->ts, 0, 0);
	timer->active = true;
	timer->cancelled = false;
}

static void timer_done(struct io_op *op, s32 res, u32 flags)
{
	struct io_timer *timer = container_of(op, struct io_timer, op);
	bool wanted = !timer->cancelled;

	timer->active = false;
	if (timer->rearm) {
		timer->rearm = false;
		timer_arm(timer);
	} else if (wanted) {
		timer->fn(timer);
	}
}

/**
 * io_timer_init() - make a timer that is not running
 * @timer: to be filled
 * @t: the loop
 * @fn: called when the time has come
 */
void io_timer_init(struct io_timer *timer, struct iothread *t,
		   void (*fn)(struct io_timer *timer))
{
	memset(timer, 0, sizeof(*timer));
	timer->op.done = timer_done;
	timer->loop = t;
	timer->fn = fn;
}

/**
 * io_timer_set() - start the timer, or start it anew
 * @timer: the timer
 * @ns: nanoseconds from now (CLOCK_MONOTONIC)
 *
 * Context: the loop's thread.
 */
void io_timer_set(struct io_timer *timer, u64 ns)
{
	io_timer_cancel(timer);
	timer->ts.tv_sec = (s64)(ns / 1000000000ULL);
	timer->ts.tv_nsec = (s64)(ns % 1000000000ULL);
	if (timer->active)
		timer->rearm = true;
	else
		timer_arm(timer);
}

/**
 * io_timer_cancel() - @fn will not be called
 * @timer: the timer; nothing happens when it is not running
 *
 * The timer's memory must stay until it fires in vain or io_timer_destroy()
 * was called.
 *
 * Context: the loop's thread.
 */
void io_timer_cancel(struct io_timer *timer)
{
	struct io_uring_sqe *sqe;

	timer->rearm = false;
	if (!timer->active || timer->cancelled)
		return;
	timer->cancelled = true;
	sqe = iothread_sqe(timer->loop, NULL);
	io_uring_prep_timeout_remove(sqe, (__u64)(uintptr_t)&timer->op, 0);
}

/**
 * io_timer_destroy() - the timer's memory is the caller's again
 * @timer: the timer
 *
 * Context: the loop's thread.
 */
void io_timer_destroy(struct io_timer *timer)
{
	timer->rearm = false;
	timer->cancelled = true;
	iothread_cancel_wait(timer->loop, &timer->op, &timer->active);
}
