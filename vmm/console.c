// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the user's end of a serial line
 *
 * Two rings between a device and the descriptors of a terminal, a pipe or a
 * pty. The device side (console_read(), console_write()) never blocks and may
 * be called from any thread; the main loop moves bytes between the rings and
 * the descriptors with one io_uring operation each way.
 *
 * Nothing is lost on the way: a reader that is slow, or has stopped the
 * terminal, lets the output ring fill, console_write() then takes less and the
 * device makes the guest wait; a guest that is slow lets the input ring fill,
 * and the rest of a paste stays in the terminal. Only output that can never
 * arrive is dropped: no descriptor, or one whose reader is gone for good
 * (EPIPE); that is said once.
 *
 * A guest writes its console byte by byte, and each byte would wake the main
 * loop and make a write: output waits up to a millisecond, or until there is a
 * good deal of it.
 *
 * Descriptors are used as they are found. They are often shared with other
 * processes, so O_NONBLOCK is neither set nor cleared: io_uring waits in
 * either case.
 *
 * Threads: the device's, and the main loop. Documentation/locking.rst has the
 * lock.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vmm/base/log.h"
#include "vmm/base/math.h"
#include "vmm/console.h"

#define INPUT_CHUNK	4096
#define OUTPUT_SOON_NS	1000000ULL
#define OUTPUT_MUCH	4096

/**
 * struct console_io - the main loop's side
 * @console: back
 * @kick: posted by the device side: there is something to do
 * @in_op: read or poll in flight
 * @out_op: write or poll in flight
 * @out_timer: output is written when it fires
 * @flushing: output is not to wait
 * @in_busy: @in_op is in the ring
 * @out_busy: @out_op is in the ring
 * @in_poll: wait until @in_fd is readable before the next read
 * @out_poll: wait until @out_fd is writable before the next write
 * @in_eof: no more input will come
 * @closing: console_destroy() waits for the operations
 * @buf: what is being read
 */
struct console_io {
	struct console *console;
	struct loop_call kick;
	struct io_op in_op;
	struct io_op out_op;
	struct io_timer out_timer;
	bool flushing;
	bool in_busy;
	bool out_busy;
	bool in_poll;
	bool out_poll;
	bool in_eof;
	bool closing;
	u8 buf[INPUT_CHUNK];
};

static_assert(!(CONSOLE_BUFFER & (CONSOLE_BUFFER - 1)), "positions wrap");

static u32 ring_put(u8 *ring, u32 *tail, u32 head, const u8 *buf, size_t len)
{
	u32 at = *tail % CONSOLE_BUFFER;
	u32 n = (u32)min_of(len, (size_t)(CONSOLE_BUFFER - (*tail - head)));
	u32 first = min_of(n, CONSOLE_BUFFER - at);

	memcpy(ring + at, buf, first);
	memcpy(ring, buf + first, n - first);
	*tail += n;
	return n;
}

static u32 ring_take(const u8 *ring, u32 *head, u32 tail, u8 *buf, size_t max)
{
	u32 at = *head % CONSOLE_BUFFER;
	u32 n = (u32)min_of(max, (size_t)(tail - *head));
	u32 first = min_of(n, CONSOLE_BUFFER - at);

	memcpy(buf, ring + at, first);
	memcpy(buf + first, ring, n - first);
	*head += n;
	return n;
}

static bool is_temporary(s32 res)
{
	return res == -EAGAIN || res == -EINTR;
}

/* ---- the main loop's side ----------------------------------------------- */

static void start_input(struct console_io *io)
{
	struct console *c = io->console;
	struct io_uring_sqe *sqe;
	u32 room;

	mutex_lock(&c->lock);
	room = CONSOLE_BUFFER - (c->in_tail - c->in_head);
	mutex_unlock(&c->lock);
	if (c->in_fd < 0 || io->in_busy || io->in_eof || io->closing || !room)
		return;
	io->in_busy = true;
	sqe = iothread_sqe(c->loop, &io->in_op);
	if (io->in_poll)
		io_uring_prep_poll_add(sqe, c->in_fd, POLLIN);
	else
		io_uring_prep_read(sqe, c->in_fd, io->buf,
				   min_of(room, (u32)INPUT_CHUNK), (u64)-1);
}

static void take_input(struct console_io *io, size_t len)
{
	struct console *c = io->console;
	struct console_client *client;

	if (c->escape)
		len = c->escape(c->escape_arg, io->buf, len);
	mutex_lock(&c->lock);
	/* There is room: only we put, and we asked for no more. */
	ring_put(c->in, &c->in_tail, c->in_head, io->buf, len);
	client = c->client;
	mutex_unlock(&c->lock);
	if (len && client)
		client->input_ready(client);
}

static void input_done(struct io_op *op, s32 res, u32 flags)
{
	struct console_io *io = container_of(op, struct console_io, in_op);
	bool polled = io->in_poll;

	io->in_busy = false;
	io->in_poll = false;
	if (polled && res > 0)
		goto again;
	if (is_temporary(res))
		io->in_poll = res == -EAGAIN;
	else if (res > 0)
		take_input(io, (size_t)res);
	else
		io->in_eof = true;
again:
	start_input(io);
}

/* What is left can never arrive: forget it, and do not hold the guest up. */
static void output_gone(struct console_io *io, int code)
{
	struct console *c = io->console;
	struct console_client *client = NULL;

	log_warning("console: output: %s; it is dropped from now on",
		    strerror(-code));
	mutex_lock(&c->lock);
	c->out_fd = -1;
	c->out_head = c->out_tail;
	if (c->out_wanted)
		client = c->client;
	c->out_wanted = false;
	mutex_unlock(&c->lock);
	if (client)
		client->output_ready(client);
}

static void start_output(struct console_io *io)
{
	struct console *c = io->console;
	struct io_uring_sqe *sqe;
	u32 head, len;

	mutex_lock(&c->lock);
	head = c->out_head % CONSOLE_BUFFER;
	len = min_of(c->out_tail - c->out_head, CONSOLE_BUFFER - head);
	mutex_unlock(&c->lock);
	if (c->out_fd < 0 || io->out_busy || io->closing || !len)
		return;
	io->out_busy = true;
	sqe = iothread_sqe(c->loop, &io->out_op);
	if (io->out_poll)
		io_uring_prep_poll_add(sqe, c->out_fd, POLLOUT);
	else
		io_uring_prep_write(sqe, c->out_fd, c->out + head, len,
				    (u64)-1);
}

/* Now when it is much, else in a millisecond together with what follows. */
static void schedule_output(struct console_io *io)
{
	struct console *c = io->console;
	u32 len;

	mutex_lock(&c->lock);
	len = c->out_tail - c->out_head;
	mutex_unlock(&c->lock);
	if (len >= OUTPUT_MUCH || io->flushing || io->out_poll)
		start_output(io);
	else if (len && !io->out_timer.active && !io->closing)
		io_timer_set(&io->out_timer, OUTPUT_SOON_NS);
}

static void output_is_due(struct io_timer *timer)
{
	start_output(container_of(timer, struct console_io, out_timer));
}

static void give_output(struct console_io *io, u32 len)
{
	struct console *c = io->console;
	struct console_client *client = NULL;

	mutex_lock(&c->lock);
	c->out_head += len;
	if (c->out_wanted)
		client = c->client;
	c->out_wanted = false;
	mutex_unlock(&c->lock);
	if (client)
		client->output_ready(client);
}

static void output_done(struct io_op *op, s32 res, u32 flags)
{
	struct console_io *io = container_of(op, struct console_io, out_op);
	bool polled = io->out_poll;

	io->out_busy = false;
	io->out_poll = false;
	if (io->closing || (polled && res > 0))
		goto again;
	if (is_temporary(res))
		io->out_poll = res == -EAGAIN;
	else if (res > 0)
		give_output(io, (u32)res);
	else
		output_gone(io, res ? res : -EIO);
again:
	if (polled)
		start_output(io);
	else
		schedule_output(io);
}

static void kick(struct loop_call *call)
{
	struct console_io *io = container_of(call, struct console_io, kick);

	schedule_output(io);
	start_input(io);
}

/* ---- the device's side -------------------------------------------------- */

/**
 * console_read() - take input
 * @console: the console
 * @buf: where to
 * @max: how much at most
 *
 * Context: any thread; device locks may be held.
 * Return: how much; 0 when there is none.
 */
size_t console_read(struct console *console, u8 *buf, size_t max)
{
	struct console_io *io = console->priv;
	bool was_full;
	size_t n;

	mutex_lock(&console->lock);
	was_full = console->in_tail - console->in_head == CONSOLE_BUFFER;
	n = ring_take(console->in, &console->in_head, console->in_tail, buf,
		      max);
	mutex_unlock(&console->lock);
	if (n && was_full)
		iothread_post(console->loop, &io->kick);
	return n;
}

/**
 * console_write() - give output
 * @console: the console
 * @buf: what
 * @len: how much
 *
 * When less is taken, &console_client.output_ready follows as soon as there
 * is room again.
 *
 * Context: any thread; device locks may be held.
 * Return: how much was taken.
 */
size_t console_write(struct console *console, const u8 *buf, size_t len)
{
	struct console_io *io = console->priv;
	u32 before = 0, after = 0;
	size_t n = len;

	mutex_lock(&console->lock);
	if (console->out_fd >= 0) {
		before = console->out_tail - console->out_head;
		n = ring_put(console->out, &console->out_tail,
			     console->out_head, buf, len);
		console->out_wanted = n < len;
		after = console->out_tail - console->out_head;
	}
	mutex_unlock(&console->lock);
	/* In between, the loop knows already that there is some. */
	if ((!before && after) || (before < OUTPUT_MUCH &&
				   after >= OUTPUT_MUCH))
		iothread_post(console->loop, &io->kick);
	return n;
}

/**
 * console_attach() - say which device is at the other end
 * @console: the console, without a device so far
 * @client: the device; outlives its place here
 *
 * Input that has come already waits for its console_read().
 *
 * Context: main loop.
 */
void console_attach(struct console *console, struct console_client *client)
{
	mutex_lock(&console->lock);
	console->client = client;
	mutex_unlock(&console->lock);
}

/**
 * console_detach() - the device goes
 * @console: the console
 *
 * Context: main loop; the device is not called any more afterwards.
 */
void console_detach(struct console *console)
{
	mutex_lock(&console->lock);
	console->client = NULL;
	console->out_wanted = false;
	mutex_unlock(&console->lock);
}

/**
 * console_resize() - the user's terminal has another size
 * @console: the console
 * @cols: width in characters; 0 when it is no terminal
 * @rows: height
 *
 * Context: main loop.
 */
void console_resize(struct console *console, u16 cols, u16 rows)
{
	struct console_client *client;

	if (console->cols == cols && console->rows == rows)
		return;
	console->cols = cols;
	console->rows = rows;
	mutex_lock(&console->lock);
	client = console->client;
	mutex_unlock(&console->lock);
	if (client && client->resized)
		client->resized(client);
}

/**
 * console_size() - how large the user's terminal is
 * @console: the console
 * @cols: out: width in characters; 0 when it is no terminal
 * @rows: out: height
 *
 * Context: main loop.
 */
void console_size(const struct console *console, u16 *cols, u16 *rows)
{
	*cols = console->cols;
	*rows = console->rows;
}

/* ---- making and ending -------------------------------------------------- */

/**
 * console_create() - connect a device to two descriptors
 * @loop: the main loop
 * @in_fd: where input comes from, -1 for none; stays the caller's
 * @out_fd: where output goes, -1 for none; stays the caller's
 * @out: the console, without a device
 * @err: set on failure
 *
 * Context: main loop.
 * Return: 0 or -ENOMEM.
 */
int console_create(struct iothread *loop, int in_fd, int out_fd,
		   struct console **out, struct error *err)
{
	struct console *c = calloc(1, sizeof(*c));
	struct console_io *io = calloc(1, sizeof(*io));

	if (!c || !io) {
		free(c);
		free(io);
		return error_set(err, -ENOMEM, "console: no memory");
	}
	mutex_init(&c->lock, LOCK_LEAF);
	c->loop = loop;
	c->in_fd = in_fd;
	c->out_fd = out_fd;
	c->priv = io;
	io->console = c;
	io->in_op.done = input_done;
	io->out_op.done = output_done;
	io_timer_init(&io->out_timer, loop, output_is_due);
	loop_call_init(&io->kick, kick);
	iothread_post(loop, &io->kick);
	*out = c;
	return 0;
}

static u64 now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000 + (u64)ts.tv_nsec / 1000000;
}

static void timer_ends_sleep(struct io_timer *timer)
{
	/* The loop is awake: that is all. */
}

static bool has_output(struct console *c)
{
	bool has;

	mutex_lock(&c->lock);
	has = c->out_fd >= 0 && c->out_head != c->out_tail;
	mutex_unlock(&c->lock);
	return has;
}

/**
 * console_flush() - wait until all output was written
 * @console: the console
 * @timeout_ms: how long at most
 *
 * Runs the loop meanwhile.
 *
 * Context: main loop's thread, outside of the loop.
 * Return: 0, or -ETIMEDOUT when some is left.
 */
int console_flush(struct console *console, u32 timeout_ms)
{
	u64 end_ms = now_ms() + timeout_ms, now = now_ms();
	struct console_io *io = console->priv;
	struct io_timer timer;

	io_timer_init(&timer, console->loop, timer_ends_sleep);
	io->flushing = true;
	start_output(io);
	while (has_output(console) && now < end_ms) {
		io_timer_set(&timer, (end_ms - now) * 1000000);
		iothread_run_once(console->loop, true);
		now = now_ms();
	}
	io_timer_destroy(&timer);
	io->flushing = false;
	return has_output(console) ? -ETIMEDOUT : 0;
}

static void cancel(struct iothread *loop, struct io_op *op)
{
	io_uring_prep_cancel(iothread_sqe(loop, NULL), op, 0);
}

/**
 * console_destroy() - the end of a console, of what is in it too
 * @console: the console, without a device; or NULL
 *
 * Context: main loop's thread, outside of the loop.
 */
void console_destroy(struct console *console)
{
	struct console_io *io;

	if (!console)
		return;
	io = console->priv;
	io->closing = true;
	if (io->in_busy)
		cancel(console->loop, &io->in_op);
	if (io->out_busy)
		cancel(console->loop, &io->out_op);
	io_timer_destroy(&io->out_timer);
	/* Also until a posted kick has run: it must not find us gone. */
	while (io->in_busy || io->out_busy || atomic_load(&io->kick.queued))
		iothread_run_once(console->loop, true);
	mutex_destroy(&console->lock);
	free(io);
	free(console);
}
