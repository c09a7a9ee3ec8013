// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: vmm/iothread.c: posted calls, watches, timers, pollers
 */
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#include "tests/lib/harness.h"
#include "vmm/iothread.h"

FIXTURE(loop) {
	struct iothread t;
	struct error err;
};

FIXTURE_SETUP(loop)
{
	memset(&self->err, 0, sizeof(self->err));
	ASSERT_EQ(0, iothread_init(&self->t, "test", 8, &self->err));
}

FIXTURE_TEARDOWN(loop)
{
	iothread_destroy(&self->t);
}

struct counted_call {
	struct loop_call call;
	struct iothread *t;
	int ran;
	int again;
};

static void counted_run(struct loop_call *call)
{
	struct counted_call *c = container_of(call, struct counted_call, call);

	c->ran++;
	if (c->again-- > 0)
		iothread_post(c->t, call);
}

TEST_F(loop, a_call_runs_once_however_often_it_is_posted)
{
	struct counted_call c = { .t = &self->t };

	loop_call_init(&c.call, counted_run);
	iothread_post(&self->t, &c.call);
	iothread_post(&self->t, &c.call);
	iothread_run_once(&self->t, false);
	EXPECT_EQ(1, c.ran);
	iothread_post(&self->t, &c.call);
	iothread_run_once(&self->t, true);
	EXPECT_EQ(2, c.ran);
}

TEST_F(loop, a_call_may_post_itself_again)
{
	struct counted_call c = { .t = &self->t, .again = 3 };

	loop_call_init(&c.call, counted_run);
	iothread_post(&self->t, &c.call);
	while (c.ran < 4)
		iothread_run_once(&self->t, true);
	EXPECT_EQ(4, c.ran);
}

struct counted_watch {
	struct io_watch watch;
	u64 sum;
	int ready;
	bool remove;
};

static void watch_ready(struct io_watch *watch)
{
	struct counted_watch *w = container_of(watch, struct counted_watch,
					       watch);

	w->sum += watch->counter;
	w->ready++;
	if (w->remove)
		io_watch_remove(watch);
}

TEST_F(loop, an_eventfd_is_taken_each_time)
{
	int fd = eventfd(0, EFD_CLOEXEC);
	struct counted_watch w = { .sum = 0 };
	u64 three = 3;
	int i;

	io_watch_eventfd(&self->t, &w.watch, fd, watch_ready);
	for (i = 1; i <= 5; i++) {
		ASSERT_EQ(8, write(fd, &three, sizeof(three)));
		while (w.ready < i)
			iothread_run_once(&self->t, true);
	}
	EXPECT_EQ(15, w.sum);
	io_watch_remove(&w.watch);
	EXPECT_FALSE(w.watch.active);
	close(fd);
}

TEST_F(loop, a_watch_may_remove_itself)
{
	int fd = eventfd(1, EFD_CLOEXEC);
	struct counted_watch w = { .remove = true };
	int i;

	io_watch_eventfd(&self->t, &w.watch, fd, watch_ready);
	for (i = 0; i < 5; i++)
		iothread_run_once(&self->t, false);
	EXPECT_EQ(1, w.ready);
	EXPECT_FALSE(w.watch.active);
	close(fd);
}

TEST_F(loop, a_removal_loses_no_completion_of_others)
{
	int a = eventfd(0, EFD_CLOEXEC), b = eventfd(1, EFD_CLOEXEC);
	struct counted_watch wa = { .sum = 0 }, wb = { .sum = 0 };
	int i;

	io_watch_eventfd(&self->t, &wa.watch, a, watch_ready);
	io_watch_eventfd(&self->t, &wb.watch, b, watch_ready);
	iothread_submit(&self->t);
	/* b has completed by now or will while a is being removed. */
	io_watch_remove(&wa.watch);
	EXPECT_EQ(0, wb.ready);
	for (i = 0; i < 5; i++)
		iothread_run_once(&self->t, false);
	EXPECT_EQ(1, wb.ready);
	/* One that was put aside can be removed just as well. */
	io_watch_remove(&wb.watch);
	EXPECT_EQ(0, wa.ready);
	close(a);
	close(b);
}

TEST_F(loop, a_descriptor_stays_ready_until_it_is_read)
{
	struct counted_watch w = { .sum = 0 };
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	io_watch_add(&self->t, &w.watch, fds[0], watch_ready);
	ASSERT_EQ(1, write(fds[1], "x", 1));
	while (w.ready < 3)
		iothread_run_once(&self->t, true);
	io_watch_remove(&w.watch);
	close(fds[0]);
	close(fds[1]);
}

static int fired;

static void timer_fn(struct io_timer *timer)
{
	fired++;
}

static u64 now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000 + (u64)ts.tv_nsec;
}

TEST_F(loop, a_timer_fires_once_and_not_early)
{
	struct io_timer timer;
	u64 start = now();
	int i;

	io_timer_init(&timer, &self->t, timer_fn);
	io_timer_set(&timer, 2000000);
	while (!fired)
		iothread_run_once(&self->t, true);
	EXPECT_LE(2000000, now() - start);
	for (i = 0; i < 10; i++)
		iothread_run_once(&self->t, false);
	EXPECT_EQ(1, fired);
	io_timer_destroy(&timer);
}

TEST_F(loop, a_timer_set_anew_fires_at_the_later_time_only)
{
	struct io_timer timer;
	u64 start = now();

	io_timer_init(&timer, &self->t, timer_fn);
	io_timer_set(&timer, 1000000000000ULL);
	iothread_run_once(&self->t, false);
	io_timer_set(&timer, 3000000);
	while (!fired)
		iothread_run_once(&self->t, true);
	EXPECT_LE(3000000, now() - start);
	EXPECT_EQ(1, fired);
	io_timer_set(&timer, 1000000);
	io_timer_cancel(&timer);
	io_timer_destroy(&timer);
	EXPECT_EQ(1, fired);
}

struct counted_poller {
	struct io_poller poller;
	_Atomic int work;
	int late;
	int done;
	int armed;
	int disarmed;
};

static bool poller_poll(struct io_poller *poller)
{
	struct counted_poller *p = container_of(poller, struct counted_poller,
						poller);
	int n = atomic_exchange(&p->work, 0);

	p->done += n;
	return n != 0;
}

static bool poller_arm(struct io_poller *poller)
{
	struct counted_poller *p = container_of(poller, struct counted_poller,
						poller);

	p->armed++;
	p->work = p->late;
	return poller_poll(poller);
}

static void poller_disarm(struct io_poller *poller)
{
	struct counted_poller *p = container_of(poller, struct counted_poller,
						poller);

	p->disarmed++;
}

TEST_F(loop, work_that_comes_while_arming_keeps_the_loop_awake)
{
	struct counted_poller p = {
		.poller = {
			.poll = poller_poll,
			.arm = poller_arm,
			.disarm = poller_disarm,
		},
		.work = 2,
	};

	io_poller_add(&self->t, &p.poller);
	iothread_run_once(&self->t, true);
	EXPECT_EQ(2, p.done);
	EXPECT_EQ(0, p.armed);
	/* Nothing at first sight, something at the second: it does not sleep. */
	p.late = 3;
	iothread_run_once(&self->t, true);
	EXPECT_EQ(5, p.done);
	EXPECT_EQ(1, p.armed);
	EXPECT_EQ(1, p.disarmed);
	io_poller_remove(&p.poller);
}

TEST_F(loop, more_operations_than_entries_are_submitted_on_the_way)
{
	struct counted_watch w[64];
	int fd = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE), i, sum = 0;
	u64 n = 64;

	memset(w, 0, sizeof(w));
	for (i = 0; i < 64; i++)
		io_watch_eventfd(&self->t, &w[i].watch, fd, watch_ready);
	ASSERT_EQ(8, write(fd, &n, sizeof(n)));
	while (sum < 64) {
		iothread_run_once(&self->t, true);
		for (i = 0, sum = 0; i < 64; i++)
			sum += w[i].ready;
	}
	for (i = 0; i < 64; i++)
		io_watch_remove(&w[i].watch);
	close(fd);
}

static void add_one(void *arg)
{
	++*(int *)arg;
}

TEST(calls_from_many_rounds_reach_another_thread)
{
	struct error err = ERROR_INIT;
	struct iothread t;
	int i, n = 0;

	ASSERT_EQ(0, iothread_start(&t, "worker", 32, 50000, &err));
	EXPECT_FALSE(iothread_is_current(&t));
	for (i = 0; i < 20000; i++)
		iothread_call(&t, add_one, &n);
	EXPECT_EQ(20000, n);
	iothread_destroy(&t);
}

static int divide_by_two(void *arg, struct error *err)
{
	int *n = arg;

	if (*n & 1)
		return error_set(err, -ERANGE, "%d is odd", *n);
	*n /= 2;
	return 0;
}

TEST(a_call_that_fails_says_so_to_the_other_thread)
{
	struct error err = ERROR_INIT;
	struct iothread t;
	int n = 6;

	ASSERT_EQ(0, iothread_start(&t, "worker", 32, 0, &err));
	EXPECT_EQ(0, iothread_try(&t, divide_by_two, &n, &err));
	EXPECT_EQ(3, n);
	EXPECT_EQ(-ERANGE, iothread_try(&t, divide_by_two, &n, &err));
	EXPECT_STREQ("3 is odd", err.text);
	EXPECT_EQ(3, n);
	iothread_destroy(&t);
}

TEST(a_bad_ring_size_is_an_error)
{
	struct error err = ERROR_INIT;
	struct iothread t;

	EXPECT_GT(0, iothread_start(&t, "worker", 1U << 30, 0, &err));
	EXPECT_NE(NULL, strstr(err.text, "io_uring"));
}

TEST_HARNESS_MAIN
