// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the console: nothing is lost between a device and a descriptor
 *
 * The test is the device and the user at once, on one thread: it runs the
 * main loop by hand, so each test sees one order of events.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>

#include "tests/lib/harness.h"
#include "tests/lib/random.h"
#include "vmm/base/math.h"
#include "vmm/console.h"

#define TOTAL	(3 * CONSOLE_BUFFER + 777)

/* What byte n of a stream is: no short period. */
static u8 pattern(size_t n)
{
	return (u8)(n * 31 + n / 253);
}

struct test_device {
	struct console_client client;
	u32 input_ready;
	u32 output_ready;
};

static void input_ready(struct console_client *client)
{
	container_of(client, struct test_device, client)->input_ready++;
}

static void output_ready(struct console_client *client)
{
	container_of(client, struct test_device, client)->output_ready++;
}

FIXTURE(console)
{
	struct iothread loop;
	struct console *console;
	struct test_device dev;
	struct error err;
	int in[2];	/* the user writes in[1] */
	int out[2];	/* the user reads out[0] */
};

FIXTURE_VARIANT(console)
{
	int flags;
};

FIXTURE_VARIANT_ADD(console, blocking)
{
	.flags = 0,
};

FIXTURE_VARIANT_ADD(console, nonblocking)
{
	.flags = O_NONBLOCK,
};

FIXTURE_SETUP(console)
{
	signal(SIGPIPE, SIG_IGN);
	ASSERT_EQ(0, iothread_init(&self->loop, "main", 32, &self->err));
	ASSERT_EQ(0, pipe2(self->in, variant->flags));
	ASSERT_EQ(0, pipe2(self->out, variant->flags));
	/* The test's own ends never block. */
	ASSERT_EQ(0, fcntl(self->in[1], F_SETFL, O_NONBLOCK));
	ASSERT_EQ(0, fcntl(self->out[0], F_SETFL, O_NONBLOCK));
	ASSERT_EQ(0, console_create(&self->loop, self->in[0], self->out[1],
				    &self->console, &self->err));
	self->dev.client.input_ready = input_ready;
	self->dev.client.output_ready = output_ready;
	console_attach(self->console, &self->dev.client);
}

FIXTURE_TEARDOWN(console)
{
	console_detach(self->console);
	console_destroy(self->console);
	iothread_destroy(&self->loop);
}

static void run_loop(struct iothread *loop)
{
	int i;

	for (i = 0; i < 20; i++)
		iothread_run_once(loop, false);
}

/* Until something has happened so often, on a machine however slow. */
static void run_until(struct iothread *loop, const u32 *times, u32 nr)
{
	int i;

	for (i = 0; i < 10000 && *times < nr; i++) {
		iothread_run_once(loop, false);
		usleep(1000);
	}
}

TEST_F(console, output_to_slow_reader_arrives_whole)
{
	static u8 buf[5000];
	size_t given = 0, got = 0, i, n;
	struct test_random rnd;
	ssize_t r;
	int idle = 0;
	bool filled = false;

	test_random_init(&rnd);
	while (got < TOTAL && idle < 10000) {
		n = min_of(1 + test_random_below(&rnd, sizeof(buf)),
			   (u64)(TOTAL - given));
		for (i = 0; i < n; i++)
			buf[i] = pattern(given + i);
		i = console_write(self->console, buf, n);
		filled |= i < n;
		given += i;
		run_loop(&self->loop);
		/* The reader sleeps until the ring is full once. */
		r = filled ? read(self->out[0], buf,
				  1 + test_random_below(&rnd, 3000)) : 0;
		idle = r > 0 || !filled ? 0 : idle + 1;
		for (i = 0; r > 0 && i < (size_t)r; i++)
			ASSERT_EQ(pattern(got + i), buf[i])
				TH_LOG("byte %zu", got + i);
		got += r > 0 ? (size_t)r : 0;
	}
	EXPECT_EQ(TOTAL, got);
	EXPECT_TRUE(filled);
	EXPECT_GT(self->dev.output_ready, 0);
	EXPECT_EQ(0, self->dev.input_ready);
}

TEST_F(console, paste_arrives_whole)
{
	static u8 buf[5000];
	size_t given = 0, got = 0, i, n;
	struct test_random rnd;
	ssize_t r;
	int idle = 0, held = 0;

	test_random_init(&rnd);
	while (got < TOTAL && idle < 10000) {
		n = min_of(sizeof(buf), TOTAL - given);
		for (i = 0; i < n; i++)
			buf[i] = pattern(given + i);
		r = n ? write(self->in[1], buf, n) : 0;
		given += r > 0 ? (size_t)r : 0;
		run_loop(&self->loop);
		/* The guest sleeps until the ring and the pipe are full. */
		if (held < 3 && given < TOTAL) {
			held += r < 0;
			continue;
		}
		n = console_read(self->console, buf,
				 1 + test_random_below(&rnd, 3000));
		for (i = 0; i < n; i++)
			ASSERT_EQ(pattern(got + i), buf[i])
				TH_LOG("byte %zu", got + i);
		idle = n ? 0 : idle + 1;
		got += n;
	}
	EXPECT_EQ(TOTAL, got);
	EXPECT_EQ(3, held);
	EXPECT_GT(self->dev.input_ready, 0);
}

TEST_F(console, output_without_reader_is_dropped)
{
	static u8 buf[CONSOLE_BUFFER + 1];
	int i;

	EXPECT_EQ(CONSOLE_BUFFER,
		  console_write(self->console, buf, sizeof(buf)));
	close(self->out[0]);
	for (i = 0; i < 1000 && !self->dev.output_ready; i++)
		run_loop(&self->loop);
	EXPECT_EQ(1, self->dev.output_ready);
	EXPECT_EQ(sizeof(buf), console_write(self->console, buf, sizeof(buf)));
	EXPECT_EQ(0, console_flush(self->console, 1000));
}

TEST_F(console, end_of_input_is_quiet)
{
	u8 buf[8];

	ASSERT_EQ(3, write(self->in[1], "abc", 3));
	close(self->in[1]);
	run_until(&self->loop, &self->dev.input_ready, 1);
	EXPECT_EQ(3, console_read(self->console, buf, sizeof(buf)));
	EXPECT_EQ(0, memcmp(buf, "abc", 3));
	run_loop(&self->loop);
	EXPECT_EQ(0, console_read(self->console, buf, sizeof(buf)));
	EXPECT_EQ(1, self->dev.input_ready);
	EXPECT_EQ(2, console_write(self->console, (const u8 *)"ok", 2));
	EXPECT_EQ(0, console_flush(self->console, 1000));
	EXPECT_EQ(2, read(self->out[0], buf, sizeof(buf)));
}

/* Keeps upper case only. */
static size_t only_upper(void *arg, u8 *buf, size_t len)
{
	size_t i, kept = 0;

	for (i = 0; i < len; i++)
		if (buf[i] >= 'A' && buf[i] <= 'Z')
			buf[kept++] = buf[i];
	*(u32 *)arg += 1;
	return kept;
}

TEST_F(console, escape_filter_sees_all_input)
{
	u32 called = 0;
	u8 buf[8];

	self->console->escape = only_upper;
	self->console->escape_arg = &called;
	ASSERT_EQ(3, write(self->in[1], "abc", 3));
	run_until(&self->loop, &called, 1);
	EXPECT_EQ(1, called);
	EXPECT_EQ(0, self->dev.input_ready);
	ASSERT_EQ(4, write(self->in[1], "aBcD", 4));
	run_until(&self->loop, &called, 2);
	EXPECT_EQ(2, called);
	EXPECT_EQ(2, console_read(self->console, buf, sizeof(buf)));
	EXPECT_EQ(0, memcmp(buf, "BD", 2));
}

TEST_F(console, flush_waits_no_longer_than_told)
{
	static u8 buf[CONSOLE_BUFFER];
	ssize_t n = 0;
	size_t got = 0;

	EXPECT_EQ(sizeof(buf), console_write(self->console, buf, sizeof(buf)));
	EXPECT_EQ(0, console_flush(self->console, 10000));
	EXPECT_EQ(sizeof(buf), console_write(self->console, buf, sizeof(buf)));
	EXPECT_EQ(-ETIMEDOUT, console_flush(self->console, 50));
	for (n = 1; n > 0; got += n > 0 ? (size_t)n : 0) {
		n = read(self->out[0], buf, sizeof(buf));
		run_loop(&self->loop);
	}
	EXPECT_EQ(0, console_flush(self->console, 5000));
	EXPECT_EQ(2 * sizeof(buf), got);
}

/* The teardown has a read in flight always, here a write that is stuck, too. */
TEST_F(console, ends_with_a_write_in_flight)
{
	static u8 buf[CONSOLE_BUFFER];
	int i;

	for (i = 0; i < 10; i++) {
		console_write(self->console, buf, sizeof(buf));
		run_loop(&self->loop);
	}
	EXPECT_LT(console_write(self->console, buf, sizeof(buf)), sizeof(buf));
}

static bool fired;

static void timer_fired(struct io_timer *timer)
{
	fired = true;
}

TEST_F(console, idle_console_does_not_spin)
{
	u64 before = atomic_load(&self->loop.loops);
	struct io_timer timer;

	io_timer_init(&timer, &self->loop, timer_fired);
	io_timer_set(&timer, 200 * 1000000ULL);
	while (!fired)
		iothread_run_once(&self->loop, true);
	io_timer_destroy(&timer);
	EXPECT_LT(atomic_load(&self->loop.loops) - before, 20);
}

TEST(without_descriptors)
{
	struct error err = ERROR_INIT;
	struct iothread loop;
	struct console *c;
	u8 buf[4];

	ASSERT_EQ(0, iothread_init(&loop, "main", 32, &err));
	ASSERT_EQ(0, console_create(&loop, -1, -1, &c, &err));
	EXPECT_EQ(4, console_write(c, buf, 4));
	run_loop(&loop);
	EXPECT_EQ(0, console_read(c, buf, 4));
	EXPECT_EQ(0, console_flush(c, 1000));
	console_destroy(c);
	iothread_destroy(&loop);
}

TEST(input_from_dev_null)
{
	int fd = open("/dev/null", O_RDWR);
	struct error err = ERROR_INIT;
	struct iothread loop;
	struct console *c;
	u8 buf[4];

	ASSERT_EQ(0, iothread_init(&loop, "main", 32, &err));
	ASSERT_EQ(0, console_create(&loop, fd, fd, &c, &err));
	run_loop(&loop);
	EXPECT_EQ(0, console_read(c, buf, 4));
	EXPECT_EQ(4, console_write(c, buf, 4));
	EXPECT_EQ(0, console_flush(c, 1000));
	console_destroy(c);
	iothread_destroy(&loop);
}

TEST(pty_both_ways)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave, i;
	struct error err = ERROR_INIT;
	struct iothread loop;
	struct console *c;
	struct termios t;
	u8 buf[8] = { 0 };
	size_t n = 0;

	ASSERT_GE(master, 0);
	ASSERT_EQ(0, grantpt(master));
	ASSERT_EQ(0, unlockpt(master));
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	ASSERT_GE(slave, 0);
	ASSERT_EQ(0, tcgetattr(slave, &t));
	cfmakeraw(&t);
	ASSERT_EQ(0, tcsetattr(slave, TCSANOW, &t));
	ASSERT_EQ(0, iothread_init(&loop, "main", 32, &err));
	/* As a user's terminal: one descriptor for both. */
	ASSERT_EQ(0, console_create(&loop, slave, slave, &c, &err));
	ASSERT_EQ(3, write(master, "key", 3));
	for (i = 0; i < 1000 && n < 3; i++) {
		run_loop(&loop);
		n += console_read(c, buf + n, sizeof(buf) - n);
		usleep(100);
	}
	EXPECT_STREQ("key", (char *)buf);
	EXPECT_EQ(4, console_write(c, (const u8 *)"text", 4));
	EXPECT_EQ(0, console_flush(c, 1000));
	EXPECT_EQ(4, read(master, buf, sizeof(buf)));
	EXPECT_EQ(0, memcmp(buf, "text", 4));
	console_destroy(c);
	iothread_destroy(&loop);
}

TEST_HARNESS_MAIN
