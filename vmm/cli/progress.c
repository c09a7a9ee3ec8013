// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: a bar for work that takes its time, and the key that ends it
 *
 * The bar is drawn on standard error, and only where that is a terminal, so
 * that what is written to a file or a pipe is the result alone. SIGINT,
 * SIGTERM and SIGHUP become a descriptor, so that who waits for something else
 * can wait for them as well and leave nothing behind.
 *
 * Threads: the first one of a short-lived process, before others are made.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "vmm/base/math.h"
#include "vmm/cli/progress.h"

#define WIDTH_DEFAULT	80U
#define BAR_MAX		40U
#define ERASE_LINE	"\r\033[K"

static u64 now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000 + (u64)ts.tv_nsec / 1000000;
}

/**
 * progress_bytes() - a number of bytes for a person
 * @bytes: the number
 * @buf: for the text
 * @len: bytes of it
 *
 * Return: @buf.
 */
const char *progress_bytes(u64 bytes, char *buf, size_t len)
{
	static const char *const units[] = {
		"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB",
	};
	u64 whole = bytes, rest = 0;
	unsigned int i = 0;

	for (; whole >= 1024; i++) {
		rest = whole % 1024;
		whole /= 1024;
	}
	if (i)
		snprintf(buf, len, "%llu.%llu %s", whole, rest * 10 / 1024,
			 units[i]);
	else
		snprintf(buf, len, "%llu B", whole);
	return buf;
}

/**
 * progress_begin() - work begins
 * @p: to be filled
 * @quiet: show nothing
 */
void progress_begin(struct progress *p, bool quiet)
{
	*p = (struct progress) {
		.shown = !quiet && isatty(STDERR_FILENO),
		.start_ms = now_ms(),
	};
}

/**
 * progress_elapsed_ms() - how long it has taken so far
 * @p: the work
 *
 * Return: milliseconds.
 */
u64 progress_elapsed_ms(const struct progress *p)
{
	return now_ms() - p->start_ms;
}

static u32 width(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) || !size.ws_col)
		return WIDTH_DEFAULT;
	return size.ws_col;
}

/**
 * progress_line() - draw the bar, with a text behind it
 * @p: the work
 * @done: bytes dealt with
 * @total: bytes to deal with, which may change
 * @line: the text, cut where the terminal ends
 */
void progress_line(struct progress *p, u64 done, u64 total, const char *line)
{
	static const char full[] = "########################################";
	u32 columns, bar, filled;

	if (!p->shown)
		return;
	done = min_of(done, total);
	columns = width();
	bar = columns > strlen(line) + 3 ?
		min_of(columns - (u32)strlen(line) - 3, BAR_MAX) : 0;
	filled = total ? (u32)(done * bar / total) : 0;
	if (bar > 4)
		fprintf(stderr, ERASE_LINE "[%-*.*s]%s", (int)bar, (int)filled,
			full, line);
	else
		fprintf(stderr, ERASE_LINE "%.*s", (int)columns - 1, line);
	fflush(stderr);
	p->drawn = true;
}

/**
 * progress_show() - draw the bar, and tell of bytes and time
 * @p: the work
 * @done: bytes dealt with
 * @total: bytes to deal with, which may change
 * @what: a word or two, for the end of the line; or ""
 */
void progress_show(struct progress *p, u64 done, u64 total, const char *what)
{
	u64 ms = progress_elapsed_ms(p), rate, left;
	char a[32], b[32], c[32], line[256];

	done = min_of(done, total);
	rate = ms ? done * 1000 / ms : 0;
	left = rate ? (total - done) / rate : 0;
	snprintf(line, sizeof(line), " %3llu %%  %s of %s  %s/s  %llu:%02llu left  %s",
		 total ? done * 100 / total : 0, progress_bytes(done, a, sizeof(a)),
		 progress_bytes(total, b, sizeof(b)),
		 progress_bytes(rate, c, sizeof(c)), left / 60, left % 60,
		 what);
	progress_line(p, done, total, line);
}

/**
 * progress_end() - take the bar away
 * @p: the work
 */
void progress_end(struct progress *p)
{
	if (p->drawn)
		fputs(ERASE_LINE, stderr);
	p->drawn = false;
}

/**
 * cancel_key_open() - from now on Ctrl-C does not end the process
 * @key: to be filled
 * @err: set on failure
 *
 * A signal that was ignored (nohup) stays so.
 *
 * Context: before other threads are made.
 * Return: 0 or a negative errno.
 */
int cancel_key_open(struct cancel_key *key, struct error *err)
{
	static const int taken[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action;
	sigset_t set;
	u32 i;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	for (i = 0; i < ARRAY_SIZE(taken); i++)
		if (!sigaction(taken[i], NULL, &action) &&
		    action.sa_handler != SIG_IGN)
			sigaddset(&set, taken[i]);
	pthread_sigmask(SIG_BLOCK, &set, &key->old);
	key->signal = 0;
	key->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return key->fd < 0 ? error_set(err, -errno, "signalfd: %m") : 0;
}

/**
 * cancel_key_take() - has it been pressed (again)?
 * @key: the key
 *
 * Return: true when it has, since the last call.
 */
bool cancel_key_take(struct cancel_key *key)
{
	struct signalfd_siginfo info;
	bool pressed = false;

	while (read(key->fd, &info, sizeof(info)) == sizeof(info)) {
		if (!key->signal)
			key->signal = (int)info.ssi_signo;
		pressed = true;
	}
	return pressed;
}

/**
 * cancel_key_close() - Ctrl-C ends the process again
 * @key: the key
 */
void cancel_key_close(struct cancel_key *key)
{
	close(key->fd);
	pthread_sigmask(SIG_SETMASK, &key->old, NULL);
}
