/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_IOTHREAD_H
#define LKVM_IOTHREAD_H

#include <liburing.h>
#include <pthread.h>
#include <stdatomic.h>

#include "vmm/base/error.h"
#include "vmm/base/list.h"
#include "vmm/base/mutex.h"
#include "vmm/base/types.h"

struct iothread;

/**
 * struct io_op - something that io_uring is doing for us
 * @done: called on the loop's thread with the result of the operation (0 or
 *        more, or a negative errno) and the CQE's flags
 *
 * Embedded in the request; &struct io_uring_sqe.user_data points to it. It
 * must stay where it is until @done was called (a multishot operation: until
 * @done was called without IORING_CQE_F_MORE).
 */
struct io_op {
	void (*done)(struct io_op *op, s32 res, u32 flags);
};

/**
 * struct loop_call - a function to be called on a loop's thread
 * @link: in the loop's list
 * @fn: the function; it may post the same call again
 * @queued: it is waiting; posting it once more does nothing
 */
struct loop_call {
	struct list link;
	void (*fn)(struct loop_call *call);
	_Atomic bool queued;
};

/**
 * struct io_watch - an eventfd, or any other descriptor, that a loop watches
 * @op: the operation in flight
 * @loop: the loop
 * @fd: the descriptor
 * @ready: called on the loop's thread when @fd is readable; for an eventfd
 *         added with io_watch_eventfd() the counter has been taken already
 * @counter: what was read from the eventfd
 * @eventfd: see @ready
 * @active: it is in the ring
 * @closing: io_watch_remove() waits for the ring to let go
 */
struct io_watch {
	struct io_op op;
	struct iothread *loop;
	int fd;
	void (*ready)(struct io_watch *watch);
	u64 counter;
	bool eventfd;
	bool active;
	bool closing;
};

/**
 * struct io_poll - one look out for a descriptor, when it is asked for
 * @op: the operation in flight
 * @loop: the loop
 * @fd: the descriptor
 * @ready: called on the loop's thread when what was asked for has come, or an
 *         error or a hang-up
 * @active: it is in the ring
 * @closing: io_poll_remove() waits for the ring to let go
 */
struct io_poll {
	struct io_op op;
	struct iothread *loop;
	int fd;
	void (*ready)(struct io_poll *poll);
	bool active;
	bool closing;
};

/**
 * struct io_poller - work that is found by looking, while it is worth it
 * @link: in &iothread.pollers
 * @poll: look once and do what is there; true when there was something
 * @arm: the loop is about to sleep: ask to be notified (an event index, say),
 *       then look once more; true when there was something after all
 * @disarm: the loop is awake again and looks by itself: notifications are not
 *          needed. May be NULL.
 */
struct io_poller {
	struct list link;
	bool (*poll)(struct io_poller *poller);
	bool (*arm)(struct io_poller *poller);
	void (*disarm)(struct io_poller *poller);
};

/**
 * struct io_timer - a call at a later time
 * @op: the operation in flight
 * @loop: the loop
 * @fn: called on the loop's thread when the time has come
 * @ts: what the kernel was given
 * @active: it is in the ring
 * @rearm: set again while the old one is being removed
 * @cancelled: the one in the ring is not wanted any more
 */
struct io_timer {
	struct io_op op;
	struct iothread *loop;
	void (*fn)(struct io_timer *timer);
	struct __kernel_timespec ts;
	bool active;
	bool rearm;
	bool cancelled;
};

/**
 * struct io_result - a completion put aside while another one was waited for
 * @op: what completed
 * @res: its result
 * @flags: its CQE's flags
 */
struct io_result {
	struct io_op *op;
	s32 res;
	u32 flags;
};

/**
 * struct iothread - one thread, one io_uring, one loop
 * @name: thread name, at most 15 characters
 * @ring: owned by the thread; nobody else touches it
 * @owner: the thread that may run it
 * @thread: the thread, when iothread_start() made one
 * @started: it did
 * @stop: leave the loop
 * @lock: protects @calls (LOCK_LOOP)
 * @calls: struct loop_call, first in first out
 * @calls_nr: how many, for a look without the lock
 * @wake: watches @wake_fd
 * @wake_fd: an eventfd that ends the loop's sleep
 * @sleeping: the loop is, or is about to be, in its sleep: wake it
 * @pollers: struct io_poller; only the loop's thread touches the list
 * @poll_max_ns: how long to look around before a sleep; 0 never
 * @poll_ns: how long at present: adapts between 0 and @poll_max_ns
 * @busy_until_ns: CLOCK_MONOTONIC until which it looks around before it sleeps
 * @aside: completions put aside by io_watch_remove() and io_timer_destroy()
 * @aside_nr: how many
 * @aside_cap: room in @aside
 * @loops: rounds of the loop
 * @sleeps: how often it slept
 *
 * The main loop is one as well, run on the process's first thread by
 * iothread_run().
 */
struct iothread {
	char name[16];
	struct io_uring ring;
	pthread_t owner;
	pthread_t thread;
	bool started;
	_Atomic bool stop;
	struct mutex lock;
	struct list calls;
	_Atomic u32 calls_nr;
	struct io_watch wake;
	int wake_fd;
	_Atomic bool sleeping;
	struct list pollers;
	u64 poll_max_ns;
	u64 poll_ns;
	u64 busy_until_ns;
	struct io_result *aside;
	u32 aside_nr;
	u32 aside_cap;
	_Atomic u64 loops;
	_Atomic u64 sleeps;
};

int iothread_init(struct iothread *t, const char *name, u32 entries,
		  struct error *err) __must_check;
int iothread_start(struct iothread *t, const char *name, u32 entries,
		   u64 poll_max_ns, struct error *err) __must_check;
void iothread_run(struct iothread *t);
void iothread_run_once(struct iothread *t, bool wait);
void iothread_request_stop(struct iothread *t);
void iothread_destroy(struct iothread *t);
bool iothread_is_current(const struct iothread *t);

struct io_uring_sqe *iothread_sqe(struct iothread *t, struct io_op *op);
void iothread_submit(struct iothread *t);
void iothread_wake(struct iothread *t);

void loop_call_init(struct loop_call *call, void (*fn)(struct loop_call *));
void iothread_post(struct iothread *t, struct loop_call *call);
void iothread_unpost(struct iothread *t, struct loop_call *call);
void iothread_call(struct iothread *t, void (*fn)(void *arg), void *arg);
int iothread_try(struct iothread *t, int (*fn)(void *arg, struct error *err),
		 void *arg, struct error *err) __must_check;

void io_watch_add(struct iothread *t, struct io_watch *watch, int fd,
		  void (*ready)(struct io_watch *watch));
void io_watch_eventfd(struct iothread *t, struct io_watch *watch, int fd,
		      void (*ready)(struct io_watch *watch));
void io_watch_remove(struct io_watch *watch);

void io_poll_init(struct io_poll *poll, struct iothread *t, int fd,
		  void (*ready)(struct io_poll *poll));
void io_poll_arm(struct io_poll *poll, u32 events);
void io_poll_remove(struct io_poll *poll);

void io_poller_add(struct iothread *t, struct io_poller *poller);
void io_poller_remove(struct io_poller *poller);

void io_timer_init(struct io_timer *timer, struct iothread *t,
		   void (*fn)(struct io_timer *timer));
void io_timer_set(struct io_timer *timer, u64 ns);
void io_timer_cancel(struct io_timer *timer);
void io_timer_destroy(struct io_timer *timer);

#endif /* LKVM_IOTHREAD_H */
