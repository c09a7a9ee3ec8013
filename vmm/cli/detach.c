// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: going on without the process that was started
 *
 * Whoever starts lkvm through ssh waits until the process has ended and nobody
 * holds its descriptors. A machine that is to live on does so in a child; the
 * parent ends when the child says that all is well, or with it.
 *
 * Threads: the first one.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/base/error.h"
#include "vmm/base/types.h"
#include "vmm/cli/cli.h"
#include "vmm/cli/detach.h"

/* Waits for the child to say how it went. */
static int wait_for_child(int from_child, pid_t child)
{
	u8 code = EXIT_ERROR;
	int status;
	ssize_t n;

	do {
		n = read(from_child, &code, 1);
	} while (n < 0 && errno == EINTR);
	if (n == 1)
		return code;
	/* It has ended without a word. */
	waitpid(child, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) ?
		WEXITSTATUS(status) : EXIT_ERROR;
}

/**
 * detach_begin() - go on in a child
 * @d: to be filled
 *
 * Context: before any thread is made.
 * Return: -1 in the child; in the parent, when all is said, an exit code.
 */
int detach_begin(struct detached *d)
{
	struct error err = ERROR_INIT;
	int pipes[2];
	pid_t child;

	if (pipe2(pipes, O_CLOEXEC) < 0) {
		error_set(&err, -errno, "pipe: %m");
		return cli_fail(EXIT_ERROR, &err);
	}
	child = fork();
	if (child < 0) {
		error_set(&err, -errno, "fork: %m");
		return cli_fail(EXIT_ERROR, &err);
	}
	if (child) {
		close(pipes[1]);
		return wait_for_child(pipes[0], child);
	}
	close(pipes[0]);
	setsid();
	d->to_parent = pipes[1];
	return -1;
}

/**
 * detach_end() - all is well: the parent may end
 * @d: begun in this process, else nothing happens
 *
 * Standard error, which is the parent's, is given up.
 */
void detach_end(struct detached *d)
{
	u8 code = EXIT_OK;
	ssize_t n;
	int null;

	if (d->to_parent < 0)
		return;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		dup2(null, STDERR_FILENO);
		close(null);
	}
	n = write(d->to_parent, &code, 1);
	(void)n;
	close(d->to_parent);
	d->to_parent = -1;
}
