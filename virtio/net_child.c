// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: programs that a back end needs
 *
 * A child is made by posix_spawn(), which holds only the thread that calls it
 * until the new program has begun, so that it costs a running machine nothing.
 * It has no descriptor of ours but the one it is given as number 3, no input,
 * and its messages come to us: the terminal belongs to the guest. It is in a
 * process group of its own, so keys that are meant for the machine do not
 * reach it.
 *
 * A descriptor of the process tells of its end, and it is by that alone that
 * it is killed: a number may be somebody else's by then.
 *
 * Threads: a child belongs to one thread at a time.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "virtio/net_child.h"

#define CHILD_FD	3	/* of the descriptor that the program is given */
#define LISTEN_READS	32	/* in a row: more than a pipe holds */

/**
 * net_child_find() - where is a program?
 * @program: its name, or a path
 * @path: filled
 * @len: room in @path
 *
 * Return: 0, -ENOENT, or -ENAMETOOLONG.
 */
int net_child_find(const char *program, char *path, size_t len)
{
	const char *dirs = getenv("PATH"), *end;
	int n;

	if (strchr(program, '/') || !dirs) {
		n = snprintf(path, len, "%s", program);
		return n < 0 || (size_t)n >= len ? -ENAMETOOLONG :
			access(path, X_OK) ? -ENOENT : 0;
	}
	for (; *dirs; dirs = *end ? end + 1 : end) {
		end = strchrnul(dirs, ':');
		n = snprintf(path, len, "%.*s/%s", (int)(end - dirs), dirs,
			     program);
		if (n > 0 && (size_t)n < len && !access(path, X_OK))
			return 0;
	}
	return -ENOENT;
}

/* Signals are blocked or ignored here, but not there. */
static void reset_signals(posix_spawnattr_t *attr)
{
	sigset_t set;

	sigemptyset(&set);
	posix_spawnattr_setsigmask(attr, &set);
	sigaddset(&set, SIGPIPE);
	sigaddset(&set, SIGXFSZ);
	posix_spawnattr_setsigdefault(attr, &set);
	posix_spawnattr_setpgroup(attr, 0);
	posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK |
				 POSIX_SPAWN_SETSIGDEF |
				 POSIX_SPAWN_SETPGROUP);
}

static int spawn(pid_t *pid, char *const argv[], int fd, int errors)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	int ret;

	if (posix_spawn_file_actions_init(&files))
		return -ENOMEM;
	if (posix_spawnattr_init(&attr)) {
		posix_spawn_file_actions_destroy(&files);
		return -ENOMEM;
	}
	reset_signals(&attr);
	ret = posix_spawn_file_actions_addopen(&files, STDIN_FILENO,
					       "/dev/null", O_RDONLY, 0);
	if (!ret)
		ret = posix_spawn_file_actions_adddup2(&files, errors,
						       STDOUT_FILENO);
	if (!ret)
		ret = posix_spawn_file_actions_adddup2(&files, errors,
						       STDERR_FILENO);
	if (!ret && fd >= 0)
		ret = posix_spawn_file_actions_adddup2(&files, fd, CHILD_FD);
	if (!ret)
		ret = posix_spawn_file_actions_addclosefrom_np(&files,
				CHILD_FD + (fd >= 0));
	if (!ret)
		ret = posix_spawn(pid, argv[0], &files, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return -ret;
}

/**
 * net_child_start() - start a program
 * @child: filled
 * @argv: its path and its arguments
 * @fd: what it is given as descriptor 3; above 3; -1 for none
 *
 * Return: 0 or a negative errno.
 */
int net_child_start(struct net_child *child, char *const argv[], int fd)
{
	int fds[2], ret;

	/* Its end does not block either: nobody waits for us to listen. */
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK))
		return -errno;
	ret = spawn(&child->pid, argv, fd, fds[1]);
	close(fds[1]);
	if (!ret) {
		child->pidfd = pidfd_open(child->pid, 0);
		ret = child->pidfd < 0 ? -errno : 0;
		if (ret) {
			kill(child->pid, SIGKILL);
			waitpid(child->pid, NULL, 0);
		}
	}
	if (ret) {
		close(fds[0]);
		child->pid = 0;
		return ret;
	}
	child->errors = fds[0];
	return 0;
}

/**
 * net_child_kill() - have a program ended
 * @child: the program; net_child_reap() is still due
 */
void net_child_kill(struct net_child *child)
{
	if (child->pid)
		pidfd_send_signal(child->pidfd, SIGKILL, NULL, 0);
}

/* passt says so of each of its messages where there is no system log. */
static bool is_noise(const char *line)
{
	return !*line || !strncmp(line, "Failed to send ", 15);
}

/**
 * net_child_listen() - the last line that a program wrote
 * @child: the program
 * @line: filled if there is one: programs say why they end, and end
 * @len: room in @line
 *
 * Does not wait, not even for the end of a program's chatter.
 *
 * Return: false when it has closed its end and there will be no more.
 */
bool net_child_listen(struct net_child *child, char *line, size_t len)
{
	char buf[4096], *at, *next;
	ssize_t n = 0;
	u32 i;

	for (i = 0; i < LISTEN_READS; i++) {
		n = read(child->errors, buf, sizeof(buf) - 1);
		if (n <= 0)
			break;
		buf[n] = 0;
		for (at = buf; at; at = next) {
			next = strchr(at, '\n');
			if (next)
				*next++ = 0;
			if (!is_noise(at))
				snprintf(line, len, "%s", at);
		}
	}
	for (; *line; line++)
		if ((unsigned char)*line < ' ')
			*line = ' ';
	return n > 0 || (n < 0 && errno == EAGAIN);
}

/**
 * net_child_reap() - a program has ended or was killed: let go of it
 * @child: the program
 *
 * Waits for its end.
 *
 * Return: its exit code, or the signal that ended it, negative.
 */
int net_child_reap(struct net_child *child)
{
	siginfo_t info = { 0 };

	if (!child->pid)
		return 0;
	while (waitid((idtype_t)P_PIDFD, (id_t)child->pidfd, &info, WEXITED) &&
	       errno == EINTR)
		;
	close(child->errors);
	close(child->pidfd);
	child->pid = 0;
	return info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
}

/**
 * net_child_run() - run a program to its end
 * @argv: its path and its arguments
 * @err: what it said when it failed
 *
 * Return: 0, -EIO: it failed, or another negative errno.
 */
int net_child_run(char *const argv[], struct error *err)
{
	struct net_child child;
	struct pollfd end;
	char why[160] = "";
	int ret;

	ret = net_child_start(&child, argv, -1);
	if (ret)
		return error_set(err, ret, "%s: %s", argv[0], strerror(-ret));
	end = (struct pollfd){ .fd = child.pidfd, .events = POLLIN };
	while (poll(&end, 1, -1) < 0 && errno == EINTR)
		;
	net_child_listen(&child, why, sizeof(why));
	ret = net_child_reap(&child);
	if (!ret)
		return 0;
	return error_set(err, -EIO, "%s: %s %d%s%s", argv[0],
			 ret < 0 ? "signal" : "exit code", abs(ret),
			 why[0] ? ": " : "", why);
}
