// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: UNIX sockets that programs of the host connect to
 *
 * A socket is made at a path that is free, for its owner only, and removed when
 * it is closed. What a killed machine has left there, a socket of ours that
 * nobody listens at, is replaced; everything else that is in the way stays, and
 * is said in one line.
 *
 * Threads: the caller's.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "virtio/listener.h"

/**
 * listener_socket() - a UNIX socket that never blocks
 *
 * Return: its descriptor, or a negative errno.
 */
int listener_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd < 0 ? -errno : fd;
}

/**
 * listener_connect() - connect to whoever listens at a path
 * @path: shorter than LISTENER_PATH
 *
 * Return: a descriptor that does not block, or a negative errno.
 */
int listener_connect(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = listener_socket(), ret;

	if (fd < 0)
		return fd;
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		ret = -errno;
		close(fd);
		return ret;
	}
	return fd;
}

/* A socket that nobody listens at any more is what a killed machine leaves. */
static int remove_dead(const char *path, struct error *err)
{
	struct stat st;
	int fd;

	if (lstat(path, &st))
		return errno == ENOENT ? 0 :
		       error_set(err, -errno, "path=%s: %m", path);
	if (!S_ISSOCK(st.st_mode) || st.st_uid != geteuid())
		return error_set(err, -EEXIST,
				 "path=%s: is there already; name another one or remove it",
				 path);
	fd = listener_connect(path);
	if (fd >= 0)
		close(fd);
	if (fd != -ECONNREFUSED)
		return error_set(err, -EEXIST,
				 "path=%s: another program listens there; name another one",
				 path);
	if (unlink(path) && errno != ENOENT)
		return error_set(err, -errno, "path=%s: %m", path);
	return 0;
}

static int bind_it(struct listener *l, int backlog, struct error *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct stat st;

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", l->path);
	if (bind(l->fd, (struct sockaddr *)&addr, sizeof(addr)))
		return error_set(err, -errno, "path=%s: %m", l->path);
	/* Nobody can connect before listen(). */
	if (chmod(l->path, 0600) || lstat(l->path, &st) ||
	    listen(l->fd, backlog)) {
		error_set(err, -errno, "path=%s: %m", l->path);
		unlink(l->path);
		return err->code;
	}
	l->bound_dev = st.st_dev;
	l->bound_ino = st.st_ino;
	return 0;
}

/**
 * listener_open() - make the socket
 * @l: its path is filled
 * @backlog: how many may wait to be accepted
 * @err: filled on failure
 *
 * Return: 0 or a negative errno: -EEXIST when the path is taken. @l has no
 * descriptor then.
 */
int listener_open(struct listener *l, int backlog, struct error *err)
{
	int ret;

	l->fd = -1;
	ret = remove_dead(l->path, err);
	if (ret)
		return ret;
	l->fd = listener_socket();
	if (l->fd < 0)
		return error_set(err, l->fd, "socket: %s", strerror(-l->fd));
	ret = bind_it(l, backlog, err);
	if (ret) {
		close(l->fd);
		l->fd = -1;
	}
	return ret;
}

/**
 * listener_close() - the socket goes, and its place in the file system
 * @l: the socket; nothing happens when it has no descriptor
 */
void listener_close(struct listener *l)
{
	struct stat st;

	if (l->fd < 0)
		return;
	/* Somebody may have put another one there. */
	if (!lstat(l->path, &st) && st.st_dev == l->bound_dev &&
	    st.st_ino == l->bound_ino)
		unlink(l->path);
	close(l->fd);
	l->fd = -1;
}
