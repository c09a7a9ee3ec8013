// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: event loops: one thread, one io_uring, one loop
 *
 * A round of the loop takes the completions that are there, runs the calls
 * that were posted, looks at the pollers, and hands all that this made to the
 * kernel with one io_uring_enter. A round that found nothing looks around for
 * a while (poll_ns, which adapts between 0 and what the user allows), then arms
 * the pollers' notifications and sleeps in the ring.
 *
 * The ring belongs to its thread (IORING_SETUP_SINGLE_ISSUER): other threads
 * reach the loop by iothread_post() only. Completion work is deferred to the
 * loop (IORING_SETUP_DEFER_TASKRUN) where the kernel has that (6.1), so a
 * completion never interrupts the thread.
 *
 * The data path of a loop takes no lock; posting takes the short LOCK_LOOP.
 *
 * Watches, pollers and timers are in iothread_event.c.
 */
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vmm/base/clock.h"
#include "vmm/base/math.h"
#include "vmm/iothread_priv.h"

#define POLL_START_NS	4000

static int ring_init(struct iothread *t, u32 entries)
{
	static const u32 flags[] = {
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
		IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL,
		IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
		0,
	};
	int ret = -EINVAL;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(flags) && ret == -EINVAL; i++)
		ret = io_uring_queue_init(entries, &t->ring, flags[i]);
	return ret;
}

static void wake_ready(struct io_watch *watch)
{
	/* The calls are run by the round that this completion began. */
}

/**
 * iothread_init() - make a loop for the calling thread
 * @t: to be filled
 * @name: at most 15 characters
 * @entries: submission queue entries, a power of two
 * @err: filled on failure
 *
 * Only the calling thread may run it. A thread may have several loops that
 * take turns, as the main loops of two machines in a test do.
 *
 * Return: 0 or a negative errno.
 */
int iothread_init(struct iothread *t, const char *name, u32 entries,
		  struct error *err)
{
	int ret;

	memset(t, 0, sizeof(*t));
	snprintf(t->name, sizeof(t->name), "%s", name);
	mutex_init(&t->lock, LOCK_LOOP);
	list_init(&t->calls);
	list_init(&t->pollers);
	t->wake_fd = eventfd(0, EFD_CLOEXEC);
	if (t->wake_fd < 0)
		return error_set(err, -errno, "%s: eventfd: %m", name);
	ret = ring_init(t, entries);
	if (ret < 0) {
		close(t->wake_fd);
		return error_set(err, ret,
				 "%s: io_uring: %s; see sysctl kernel.io_uring_disabled and the memlock limit",
				 name, strerror(-ret));
	}
	t->owner = pthread_self();
	io_watch_eventfd(t, &t->wake, t->wake_fd, wake_ready);
	return 0;
}

/**
 * iothread_is_current() - is this the loop's own thread?
 * @t: the loop
 *
 * Return: true on it.
 */
bool iothread_is_current(const struct iothread *t)
{
	return pthread_equal(t->owner, pthread_self());
}

/**
 * struct starter - what iothread_start() hands to its thread
 * @t: the loop
 * @name: its name
 * @entries: SQ entries
 * @poll_max_ns: longest look around before a sleep
 * @ready: posted when @ret is known
 * @ret: how it went
 * @err: why not
 */
struct starter {
	struct iothread *t;
	const char *name;
	u32 entries;
	u64 poll_max_ns;
	sem_t ready;
	int ret;
	struct error *err;
};

static void *thread_main(void *arg)
{
	struct starter *s = arg;
	struct iothread *t = s->t;

	pthread_setname_np(pthread_self(), s->name);
	s->ret = iothread_init(t, s->name, s->entries, s->err);
	t->poll_max_ns = s->poll_max_ns;
	if (s->ret) {
		sem_post(&s->ready);
		return NULL;
	}
	sem_post(&s->ready);
	iothread_run(t);
	return NULL;
}

/**
 * iothread_start() - make a loop on a thread of its own
 * @t: to be filled
 * @name: at most 15 characters
 * @entries: submission queue entries, a power of two
 * @poll_max_ns: how long it may look around before it sleeps, 0 for not at all
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int iothread_start(struct iothread *t, const char *name, u32 entries,
		   u64 poll_max_ns, struct error *err)
{
	struct starter s = {
		.t = t,
		.name = name,
		.entries = entries,
		.poll_max_ns = poll_max_ns,
		.err = err,
	};
	sigset_t all, old;
	pthread_t thread;
	int ret;

	sem_init(&s.ready, 0, 0);
	/* Signals are the first thread's business. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = -pthread_create(&thread, NULL, thread_main, &s);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (ret) {
		sem_destroy(&s.ready);
		return error_set(err, ret, "%s: thread: %s", name,
				 strerror(-ret));
	}
	while (sem_wait(&s.ready) < 0)
		;
	sem_destroy(&s.ready);
	if (s.ret) {
		pthread_join(thread, NULL);
		return s.ret;
	}
	t->thread = thread;
	t->started = true;
	return 0;
}

/**
 * iothread_request_stop() - make the loop end after this round
 * @t: the loop
 *
 * Context: any thread.
 */
void iothread_request_stop(struct iothread *t)
{
	atomic_store(&t->stop, true);
	iothread_wake(t);
}

/**
 * iothread_destroy() - stop the loop's thread and free the loop
 * @t: the loop; nothing is in flight but its own watch
 *
 * Context: the loop's own thread for a loop made by iothread_init(), any other
 * for one made by iothread_start().
 */
void iothread_destroy(struct iothread *t)
{
	if (t->started) {
		iothread_request_stop(t);
		pthread_join(t->thread, NULL);
	}
	/* Closing the ring cancels the read on the eventfd. */
	io_uring_queue_exit(&t->ring);
	close(t->wake_fd);
	free(t->aside);
	mutex_destroy(&t->lock);
}

/**
 * iothread_sqe() - room for one operation
 * @t: the loop
 * @op: whose @done will get the result; NULL for an operation without answer
 *
 * Submits what has been gathered when the queue is full. The caller prepares
 * the entry with one of liburing's io_uring_prep_*() at once; those leave the
 * user data alone since liburing 2.2.
 *
 * Context: the loop's thread.
 * Return: the entry.
 */
struct io_uring_sqe *iothread_sqe(struct iothread *t, struct io_op *op)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&t->ring);

	while (unlikely(!sqe)) {
		iothread_submit(t);
		sqe = io_uring_get_sqe(&t->ring);
	}
	io_uring_sqe_set_data(sqe, op);
	return sqe;
}

/**
 * iothread_submit() - hand what has been gathered to the kernel
 * @t: the loop
 *
 * The loop does it once a round; only who cannot wait calls it.
 *
 * Context: the loop's thread.
 */
void iothread_submit(struct iothread *t)
{
	int ret;

	do {
		ret = io_uring_submit(&t->ring);
	} while (ret == -EINTR || ret == -EAGAIN);
}

/**
 * iothread_wake() - end the loop's sleep, if it sleeps
 * @t: the loop
 *
 * What the caller wrote before is seen by the round that this begins: the
 * exchange pairs with the store of @sleeping in the loop, which looks at its
 * calls and pollers once more after it.
 *
 * Context: any thread, no lock.
 */
void iothread_wake(struct iothread *t)
{
	u64 one = 1;
	ssize_t n;

	atomic_thread_fence(memory_order_seq_cst);
	if (!atomic_load_explicit(&t->sleeping, memory_order_relaxed))
		return;
	if (!atomic_exchange(&t->sleeping, false))
		return;
	n = write(t->wake_fd, &one, sizeof(one));
	(void)n;
}

/**
 * loop_call_init() - make a call that can be posted
 * @call: the call
 * @fn: what it calls
 */
void loop_call_init(struct loop_call *call, void (*fn)(struct loop_call *))
{
	list_init(&call->link);
	call->fn = fn;
	atomic_init(&call->queued, false);
}

/**
 * iothread_post() - have a function called on a loop's thread
 * @t: the loop
 * @call: the call; nothing happens when it is waiting already
 *
 * Context: any thread; takes LOCK_LOOP for a moment.
 */
void iothread_post(struct iothread *t, struct loop_call *call)
{
	if (atomic_exchange(&call->queued, true))
		return;
	mutex_lock(&t->lock);
	list_add_tail(&t->calls, &call->link);
	atomic_fetch_add_explicit(&t->calls_nr, 1, memory_order_relaxed);
	mutex_unlock(&t->lock);
	iothread_wake(t);
}

/**
 * iothread_unpost() - a call's memory is the caller's again
 * @t: the loop
 * @call: the call, which nobody posts any more; may not be waiting
 *
 * Context: the loop's thread.
 */
void iothread_unpost(struct iothread *t, struct loop_call *call)
{
	mutex_lock(&t->lock);
	if (atomic_load(&call->queued)) {
		list_del(&call->link);
		atomic_fetch_sub_explicit(&t->calls_nr, 1,
					  memory_order_relaxed);
		atomic_store(&call->queued, false);
	}
	mutex_unlock(&t->lock);
}

/**
 * struct sync_call - a posted call that somebody waits for
 * @call: what is posted
 * @fn: the function
 * @arg: its argument
 * @done: posted when it has run
 */
struct sync_call {
	struct loop_call call;
	void (*fn)(void *arg);
	void *arg;
	sem_t done;
};

static void sync_call_run(struct loop_call *call)
{
	struct sync_call *s = container_of(call, struct sync_call, call);

	s->fn(s->arg);
	sem_post(&s->done);
}

/**
 * iothread_call() - call a function on a loop's thread and wait for it
 * @t: the loop
 * @fn: the function
 * @arg: its argument
 *
 * Context: any thread that the loop's thread never waits for; directly when
 * it is the loop's own.
 */
void iothread_call(struct iothread *t, void (*fn)(void *arg), void *arg)
{
	struct sync_call s = { .fn = fn, .arg = arg };

	if (iothread_is_current(t)) {
		fn(arg);
		return;
	}
	sem_init(&s.done, 0, 0);
	loop_call_init(&s.call, sync_call_run);
	iothread_post(t, &s.call);
	while (sem_wait(&s.done) < 0)
		;
	sem_destroy(&s.done);
}

/**
 * struct try_call - a call that can fail
 * @fn: the function
 * @arg: its argument
 * @err: filled by it
 * @ret: what it returned
 */
struct try_call {
	int (*fn)(void *arg, struct error *err);
	void *arg;
	struct error *err;
	int ret;
};

static void try_call_run(void *arg)
{
	struct try_call *t = arg;

	t->ret = t->fn(t->arg, t->err);
}

/**
 * iothread_try() - as iothread_call(), for a function that can fail
 * @t: the loop
 * @fn: the function
 * @arg: its argument
 * @err: filled by @fn
 *
 * Context: as iothread_call().
 * Return: what @fn returned.
 */
int iothread_try(struct iothread *t, int (*fn)(void *arg, struct error *err),
		 void *arg, struct error *err)
{
	struct try_call call = { .fn = fn, .arg = arg, .err = err };

	iothread_call(t, try_call_run, &call);
	return call.ret;
}

static struct loop_call *call_pop(struct iothread *t)
{
	struct list *link;

	mutex_lock(&t->lock);
	link = list_pop(&t->calls);
	if (link)
		atomic_fetch_sub_explicit(&t->calls_nr, 1,
					  memory_order_relaxed);
	mutex_unlock(&t->lock);
	return link ? list_entry(link, struct loop_call, link) : NULL;
}

static bool run_calls(struct iothread *t)
{
	struct loop_call *call;
	bool any = false;

	/* A stale 0 does no harm: who adds one wakes the loop after it. */
	if (!atomic_load_explicit(&t->calls_nr, memory_order_relaxed))
		return false;
	while ((call = call_pop(t))) {
		/* Before the call: it may be posted again from within. */
		atomic_store(&call->queued, false);
		call->fn(call);
		any = true;
	}
	return any;
}

static bool take_cqe(struct iothread *t, struct io_result *r)
{
	struct io_uring_cqe *cqe;

	if (io_uring_peek_cqe(&t->ring, &cqe) < 0)
		return false;
	r->op = io_uring_cqe_get_data(cqe);
	r->res = cqe->res;
	r->flags = cqe->flags;
	io_uring_cqe_seen(&t->ring, cqe);
	return true;
}

/* Those put aside come first: they are older. */
static bool take_result(struct iothread *t, struct io_result *r)
{
	if (likely(!t->aside_nr))
		return take_cqe(t, r);
	*r = t->aside[0];
	t->aside_nr--;
	memmove(t->aside, t->aside + 1, t->aside_nr * sizeof(*t->aside));
	return true;
}

static bool run_completions(struct iothread *t)
{
	struct io_result r;
	bool any = false;

	while (take_result(t, &r)) {
		any = true;
		if (r.op)
			r.op->done(r.op, r.res, r.flags);
	}
	return any;
}

static bool run_pollers(struct iothread *t)
{
	struct io_poller *p, *tmp;
	bool any = false;

	list_for_each_entry_safe(p, tmp, &t->pollers, link)
		any |= p->poll(p);
	return any;
}

static bool arm_pollers(struct iothread *t)
{
	struct io_poller *p;
	bool any = false;

	list_for_each_entry(p, &t->pollers, link)
		if (p->arm)
			any |= p->arm(p);
	return any;
}

static void disarm_pollers(struct iothread *t)
{
	struct io_poller *p;

	list_for_each_entry(p, &t->pollers, link)
		if (p->disarm)
			p->disarm(p);
}

/*
 * The time looked around is worth it when the wait that follows is short:
 * grow it after a sleep that a longer look would have saved, halve it after
 * one that no allowed look could have.
 */
static void poll_adapt(struct iothread *t, u64 slept_ns)
{
	if (slept_ns > t->poll_max_ns)
		t->poll_ns /= 2;
	else
		t->poll_ns = min_of(max_of(t->poll_ns * 2,
					   (u64)POLL_START_NS),
				    t->poll_max_ns);
	if (t->poll_ns < POLL_START_NS / 4)
		t->poll_ns = 0;
}

static void loop_sleep(struct iothread *t)
{
	u64 start;

	/* From here on who has work for us writes to the eventfd. */
	atomic_store(&t->sleeping, true);
	if (arm_pollers(t) || atomic_load(&t->calls_nr) ||
	    atomic_load(&t->stop)) {
		atomic_store(&t->sleeping, false);
		disarm_pollers(t);
		iothread_submit(t);
		return;
	}
	atomic_fetch_add_explicit(&t->sleeps, 1, memory_order_relaxed);
	start = t->poll_max_ns ? now_ns() : 0;
	io_uring_submit_and_wait(&t->ring, 1);
	atomic_store(&t->sleeping, false);
	disarm_pollers(t);
	if (t->poll_max_ns)
		poll_adapt(t, now_ns() - start);
}

/**
 * iothread_run_once() - one round of the loop
 * @t: the loop
 * @wait: sleep when there is nothing to do
 *
 * May be called from within a call or completion of the same loop by who has
 * to wait for something that the loop does (a device's quiesce, for one).
 *
 * Context: the loop's thread.
 */
void iothread_run_once(struct iothread *t, bool wait)
{
	bool any;

	atomic_fetch_add_explicit(&t->loops, 1, memory_order_relaxed);
	any = run_completions(t);
	any |= run_calls(t);
	any |= run_pollers(t);
	if (any) {
		if (t->poll_ns)
			t->busy_until_ns = now_ns() + t->poll_ns;
		io_uring_submit_and_get_events(&t->ring);
		return;
	}
	if (wait && t->poll_ns && now_ns() < t->busy_until_ns) {
		if (io_uring_sq_ready(&t->ring))
			iothread_submit(t);
		return;
	}
	if (wait)
		loop_sleep(t);
	else
		io_uring_submit_and_get_events(&t->ring);
}

/**
 * iothread_run() - run the loop until it is asked to stop
 * @t: the loop
 *
 * Context: the loop's thread.
 */
void iothread_run(struct iothread *t)
{
	while (!atomic_load_explicit(&t->stop, memory_order_acquire))
		iothread_run_once(t, true);
}

static void aside_put(struct iothread *t, const struct io_result *r)
{
	if (t->aside_nr == t->aside_cap) {
		u32 cap = t->aside_cap ? t->aside_cap * 2 : 64;
		struct io_result *bigger;

		bigger = realloc(t->aside, cap * sizeof(*bigger));
		/* Losing a completion would be worse than ending here. */
		assert(bigger);
		t->aside = bigger;
		t->aside_cap = cap;
	}
	t->aside[t->aside_nr++] = *r;
}

/**
 * iothread_cancel_wait() - cancel an operation, wait until the ring let it go
 * @t: the loop
 * @op: the operation
 * @active: false once @op is done; its @done changes that
 *
 * Completions of others are put aside for the next round, so nothing runs from
 * within.
 *
 * Context: the loop's thread.
 */
void iothread_cancel_wait(struct iothread *t, struct io_op *op,
			  const bool *active)
{
	struct io_uring_sqe *sqe;
	struct io_result r;
	u32 i;

	assert(iothread_is_current(t));
	for (i = 0; i < t->aside_nr; i++) {
		if (t->aside[i].op == op) {
			r = t->aside[i];
			t->aside[i].op = NULL;
			op->done(op, r.res, r.flags);
		}
	}
	if (!*active)
		return;
	sqe = iothread_sqe(t, NULL);
	io_uring_prep_cancel(sqe, op, 0);
	while (*active) {
		io_uring_submit_and_wait(&t->ring, 1);
		while (*active && take_cqe(t, &r)) {
			if (r.op == op)
				op->done(op, r.res, r.flags);
			else
				aside_put(t, &r);
		}
	}
}
