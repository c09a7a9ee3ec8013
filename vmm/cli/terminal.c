// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the user's terminal: raw while a machine runs, restored whatever happens
 *
 * The settings found at the start are put back when lkvm ends in an orderly
 * way, by exit(), by a fault of its own (SIGSEGV, SIGABRT and the like: a
 * handler restores, then the signal has its usual effect, so there still is a
 * core dump) and around a stop by SIGTSTP. Only SIGKILL leaves the terminal
 * raw; "stty sane" helps then.
 *
 * The settings are one of the few non-const globals: a signal handler has no
 * other way to reach them. tcsetattr() is async-signal-safe.
 *
 * Threads: the first one; terminal_is_raw() and the handlers run on any.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "vmm/cli/terminal.h"

static struct {
	struct termios saved;
	int fd;
	_Atomic bool raw;
} terminal = { .fd = -1 };

static const int fatal_signals[] = {
	SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS, SIGQUIT,
	SIGXCPU, SIGXFSZ,
};

/**
 * terminal_restore() - put the user's settings back
 *
 * Harmless when there is nothing to put back. What the terminal has not shown
 * yet is shown first.
 *
 * Context: any, also a signal handler.
 */
void terminal_restore(void)
{
	if (atomic_exchange(&terminal.raw, false))
		tcsetattr(terminal.fd, TCSADRAIN, &terminal.saved);
}

/* SA_RESETHAND has put the default back: the signal strikes on return. */
static void fatal(int sig)
{
	terminal_restore();
	raise(sig);
}

static int set_raw(void)
{
	struct termios t = terminal.saved;

	cfmakeraw(&t);
	if (tcsetattr(terminal.fd, TCSADRAIN, &t) < 0)
		return -errno;
	atomic_store(&terminal.raw, true);
	return 0;
}

/**
 * terminal_raw() - give the guest every key as it is typed
 * @fd: the terminal; nothing happens when it is something else
 * @err: set on failure
 *
 * Return: 0 or a negative errno.
 */
int terminal_raw(int fd, struct error *err)
{
	struct sigaction sa = { .sa_handler = fatal, .sa_flags = SA_RESETHAND };
	unsigned int i;
	int ret;

	if (!isatty(fd))
		return 0;
	if (tcgetattr(fd, &terminal.saved) < 0)
		return error_set(err, -errno, "terminal settings: %m");
	terminal.fd = fd;
	sigfillset(&sa.sa_mask);
	for (i = 0; i < ARRAY_SIZE(fatal_signals); i++)
		sigaction(fatal_signals[i], &sa, NULL);
	atexit(terminal_restore);
	ret = set_raw();
	return ret ? error_set(err, ret, "terminal settings: %s",
			       strerror(-ret)) : 0;
}

/**
 * terminal_suspend() - stop the process as SIGTSTP does, terminal in order
 *
 * Returns when the process goes on. A terminal whose settings cannot be
 * changed then stays as the shell left it.
 */
void terminal_suspend(void)
{
	bool raw = atomic_load(&terminal.raw);

	terminal_restore();
	raise(SIGSTOP);
	if (raw)
		set_raw();
}

/**
 * terminal_again() - the process goes on after a stop that it did not see
 *
 * The shell has set the terminal to its own liking meanwhile.
 */
void terminal_again(void)
{
	if (atomic_load(&terminal.raw))
		set_raw();
}

/**
 * terminal_is_raw() - does a line need a carriage return?
 *
 * Context: any thread.
 * Return: true while the terminal is raw.
 */
bool terminal_is_raw(void)
{
	return atomic_load(&terminal.raw);
}

/**
 * terminal_size() - how large is the terminal that the user looks at?
 * @cols: out: width in characters; 0 when there is none, or it does not know
 * @rows: out: height
 */
void terminal_size(u16 *cols, u16 *rows)
{
	static const int fds[] = { STDOUT_FILENO, STDIN_FILENO };
	struct winsize size;
	unsigned int i;

	*cols = 0;
	*rows = 0;
	for (i = 0; i < ARRAY_SIZE(fds) && !*cols; i++) {
		if (ioctl(fds[i], TIOCGWINSZ, &size))
			continue;
		*cols = size.ws_col;
		*rows = size.ws_row;
	}
}

/**
 * terminal_open_pty() - make a pseudo terminal for a serial port
 * @fd: out: our end, close-on-exec
 * @other_fd: out: the other end, which is held open so that the pseudo
 *            terminal does not hang up when its user comes and goes
 * @name: out: path of the other end
 * @len: room in @name
 * @err: set on failure
 *
 * It is raw, so it does not send the guest's output back as input.
 *
 * Return: 0 or a negative errno.
 */
int terminal_open_pty(int *fd, int *other_fd, char *name, size_t len,
		      struct error *err)
{
	struct termios t;
	int ret;

	*fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*fd < 0)
		return error_set(err, -errno, "no pseudo terminal: %m");
	if (grantpt(*fd) || unlockpt(*fd) || ptsname_r(*fd, name, len))
		goto close_fd;
	*other_fd = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*other_fd < 0)
		goto close_fd;
	if (tcgetattr(*other_fd, &t))
		goto close_other;
	cfmakeraw(&t);
	if (!tcsetattr(*other_fd, TCSANOW, &t))
		return 0;
close_other:
	ret = -errno;
	close(*other_fd);
	errno = -ret;
close_fd:
	ret = -errno;
	close(*fd);
	*fd = -1;
	return error_set(err, ret, "pseudo terminal: %s", strerror(-ret));
}
