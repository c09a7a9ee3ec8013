// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: a socket device: UNIX sockets at the host's end
 *
 * Host to guest: a program connects to the device's socket PATH and says
 * "CONNECT port" and a newline. When the guest accepts it gets "OK port" and a
 * newline, with the port that stands for it at the host's end, and everything
 * after that is the connection. Whatever goes wrong closes it.
 *
 * Guest to host: a connection to port P of CID 2 becomes one to the socket
 * PATH_P, where a program of the host listens. If none does, the guest's
 * connect() fails.
 *
 * One epoll instance, which the device's loop watches, tells of all sockets. It
 * does so once for each change (EPOLLET), and what can be read or written is
 * remembered until a call says EAGAIN: so a connection that the guest keeps
 * waiting costs nothing. An event names its socket by place and serial number,
 * because the socket may be gone, and another one in its place, before its turn
 * comes.
 *
 * Threads: the device's loop, but for opening and closing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "virtio/vsock_priv.h"
#include "vmm/base/log.h"
#include "vmm/vm.h"

#define EVENTS		64
#define LINE_MAX_BYTES	32
#define BACKLOG		64
/* Room behind PATH for "_4294967295" and the end. */
#define PATH_TAIL	12

/* What an event is about: in the upper half of its data, the serial below. */
#define ABOUT_LISTENER	0U
#define ABOUT_CALLER	1U
#define ABOUT_CONN	2U

static u64 tag(u32 about, u32 place, u32 serial)
{
	return (u64)about << 56 | (u64)place << 32 | serial;
}

static int epoll_set(struct vsock *s, int op, int fd, u64 data)
{
	struct epoll_event ev = {
		.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
		.data.u64 = data,
	};

	return epoll_ctl(s->epoll, op, fd, &ev) ? -errno : 0;
}

static u64 conn_tag(const struct vsock *s, const struct vsock_conn *c)
{
	return tag(ABOUT_CONN, (u32)(c - s->table.conns), c->serial);
}

/* ---- the host's end of a connection ------------------------------------- */

static int host_connect(struct vsock_table *t, struct vsock_conn *c)
{
	char path[LISTENER_PATH + PATH_TAIL];
	struct vsock *s = t->arg;
	int fd, ret;

	snprintf(path, sizeof(path), "%s_%u", s->listener.path, c->host_port);
	fd = listener_connect(path);
	if (fd < 0)
		return fd;
	ret = epoll_set(s, EPOLL_CTL_ADD, fd, conn_tag(s, c));
	if (ret) {
		close(fd);
		return ret;
	}
	c->fd = fd;
	return 0;
}

static int host_opened(struct vsock_table *t, struct vsock_conn *c)
{
	char line[LINE_MAX_BYTES];
	int len = snprintf(line, sizeof(line), "OK %u\n", c->host_port);

	/* Nothing has been sent yet, so there is room. */
	return send(c->fd, line, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT) ==
	       len ? 0 : -EPIPE;
}

static ssize_t host_read(struct vsock_table *t, struct vsock_conn *c,
			 const struct iovec *iov, u32 nr)
{
	ssize_t n;

	do
		n = readv(c->fd, iov, (int)nr);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static ssize_t host_write(struct vsock_table *t, struct vsock_conn *c,
			  const struct iovec *iov, u32 nr)
{
	struct msghdr msg = {
		.msg_iov = (struct iovec *)iov, .msg_iovlen = nr,
	};
	ssize_t n;

	do
		n = sendmsg(c->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static void host_shutdown(struct vsock_table *t, struct vsock_conn *c, int how)
{
	shutdown(c->fd, how);
}

static void host_close(struct vsock_table *t, struct vsock_conn *c)
{
	close(c->fd);
}

const struct vsock_host_ops vsock_socket_ops = {
	.connect	= host_connect,
	.opened		= host_opened,
	.read		= host_read,
	.write		= host_write,
	.shutdown	= host_shutdown,
	.close		= host_close,
};

/* ---- programs that connect ---------------------------------------------- */

static void caller_forget(struct vsock *s, struct vsock_caller *caller)
{
	caller->fd = -1;
	caller->serial++;
	s->callers_nr--;
}

static void caller_drop(struct vsock *s, struct vsock_caller *caller)
{
	close(caller->fd);
	caller_forget(s, caller);
}

/**
 * vsock_socket_drop_callers() - turn away who has not yet said where to
 * @s: the device
 */
void vsock_socket_drop_callers(struct vsock *s)
{
	u32 i;

	for (i = 0; i < VSOCK_CALLERS_MAX; i++)
		if (s->callers[i].fd >= 0)
			caller_drop(s, &s->callers[i]);
}

/*
 * "CONNECT port", digits only, up to the newline that @line has at @len - 1.
 */
static bool parse_line(const char *line, size_t len, u32 *port)
{
	static const char word[] = "CONNECT ";
	u64 v = 0;
	size_t i = sizeof(word) - 1;

	if (len < sizeof(word) + 1 || memcmp(line, word, i))
		return false;
	for (; i < len - 1; i++) {
		if (line[i] < '0' || line[i] > '9')
			return false;
		v = v * 10 + (u64)(line[i] - '0');
		if (v > UINT32_MAX)
			return false;
	}
	*port = (u32)v;
	return true;
}

/*
 * Looks for the line without taking more than it: what follows is data. 0: it
 * is there, and was taken; -EAGAIN: not yet; else there will be none.
 */
static int take_line(int fd, u32 *port)
{
	char line[LINE_MAX_BYTES];
	ssize_t n = recv(fd, line, sizeof(line), MSG_PEEK | MSG_DONTWAIT);
	char *end = n > 0 ? memchr(line, '\n', (size_t)n) : NULL;

	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	if (!n)
		return -EPIPE;
	if (!end)
		return (size_t)n < sizeof(line) ? -EAGAIN : -EPROTO;
	n = end + 1 - line;
	if (recv(fd, line, (size_t)n, MSG_DONTWAIT) != n)
		return -EPROTO;
	return parse_line(line, (size_t)n, port) ? 0 : -EPROTO;
}

static void caller_look(struct vsock *s, struct vsock_caller *caller)
{
	struct vsock_conn *c;
	u32 port = 0;
	int fd = caller->fd, ret;

	/* They wait until the machine goes on. */
	if (s->driver == VSOCK_DRIVER_PAUSED)
		return;
	ret = take_line(fd, &port);
	/* What has ended in the middle of the line will not go on. */
	if (ret == -EAGAIN && !caller->ended)
		return;
	c = ret || s->driver == VSOCK_DRIVER_ABSENT ? NULL :
		vsock_conn_open(&s->table, port, fd);
	if (!c) {
		caller_drop(s, caller);
		return;
	}
	caller_forget(s, caller);
	/* Makes its events anew: what has come already is told again. */
	if (epoll_set(s, EPOLL_CTL_MOD, fd, conn_tag(s, c)))
		vsock_conn_hung_up(&s->table, c);
}

/**
 * vsock_socket_retry() - look again at those who wait
 * @s: the device; the machine goes on
 *
 * Context: the device's loop.
 */
void vsock_socket_retry(struct vsock *s)
{
	u32 i;

	for (i = 0; i < VSOCK_CALLERS_MAX; i++)
		if (s->callers[i].fd >= 0)
			caller_look(s, &s->callers[i]);
}

static void caller_new(struct vsock *s, int fd)
{
	u32 i = 0;

	while (s->callers[i].fd >= 0)
		i++;
	s->callers[i].fd = fd;
	s->callers[i].ended = false;
	s->callers_nr++;
	if (epoll_set(s, EPOLL_CTL_ADD, fd,
		      tag(ABOUT_CALLER, i, s->callers[i].serial)))
		caller_drop(s, &s->callers[i]);
}

/**
 * vsock_socket_accept() - let in who waits, as far as there is room
 * @s: the device
 *
 * Context: the device's loop.
 */
void vsock_socket_accept(struct vsock *s)
{
	while (s->callers_waiting && s->callers_nr < VSOCK_CALLERS_MAX &&
	       !vsock_table_is_full(&s->table)) {
		int fd = accept4(s->listener.fd, NULL, NULL,
				 SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			caller_new(s, fd);
		} else if (errno == EAGAIN) {
			s->callers_waiting = false;
		} else if (errno != EINTR && errno != ECONNABORTED) {
			log_limited(LOG_WARNING, "%s: accept: %m",
				    s->v.pci.dev.name);
			/* No descriptors, say: with the next one who comes. */
			s->callers_waiting = false;
		}
	}
}

/* ---- events ------------------------------------------------------------- */

static void conn_event(struct vsock *s, u32 place, u32 serial, u32 events)
{
	struct vsock_conn *c = &s->table.conns[place];

	if (c->state == VSOCK_FREE || c->serial != serial || c->fd < 0)
		return;
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		vsock_conn_readable(&s->table, c);
	if (events & EPOLLOUT)
		vsock_conn_writable(&s->table, c);
	/* The write may have been its end. */
	if ((events & EPOLLHUP) && c->serial == serial)
		vsock_conn_hung_up(&s->table, c);
}

static void caller_event(struct vsock *s, struct vsock_caller *caller,
			 u32 serial, u32 events)
{
	if (caller->fd < 0 || caller->serial != serial)
		return;
	caller->ended |= events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);
	caller_look(s, caller);
}

static void event(struct vsock *s, const struct epoll_event *ev)
{
	u32 place = (u32)(ev->data.u64 >> 32) & 0xffffff;
	u32 serial = (u32)ev->data.u64;

	switch (ev->data.u64 >> 56) {
	case ABOUT_LISTENER:
		s->callers_waiting = true;
		break;
	case ABOUT_CALLER:
		caller_event(s, &s->callers[place], serial, ev->events);
		break;
	default:
		conn_event(s, place, serial, ev->events);
	}
}

/**
 * vsock_socket_ready() - deal with what the sockets have to say
 * @s: the device
 *
 * Context: the device's loop.
 */
void vsock_socket_ready(struct vsock *s)
{
	struct epoll_event ev[EVENTS];
	int i, n = epoll_wait(s->epoll, ev, EVENTS, 0);

	for (i = 0; i < n; i++)
		event(s, &ev[i]);
}

/* ---- made and taken apart ----------------------------------------------- */

/**
 * vsock_socket_path() - where the device's socket is
 * @s: the device; its path is filled
 * @err: filled on failure
 *
 * Return: 0 or -EINVAL.
 */
int vsock_socket_path(struct vsock *s, struct error *err)
{
	const struct device *dev = &s->v.pci.dev;
	const struct vsock_options *opts = dev->config;
	const struct vm_config *vm = &dev->vm->config;
	int n;

	if (!opts->path && !vm->runtime)
		return error_set(err, -EINVAL, "name its socket with path=");
	if (opts->path)
		n = snprintf(s->listener.path, LISTENER_PATH, "%s", opts->path);
	else
		n = snprintf(s->listener.path, LISTENER_PATH, "%s/%s.vsock",
			     vm->runtime, dev->vm->name);
	if (n < 0 || (size_t)n + PATH_TAIL > LISTENER_PATH)
		return error_set(err, -EINVAL,
				 "path=%.64s...: too long, a socket's path has at most %zu characters",
				 opts->path ? opts->path : s->listener.path,
				 LISTENER_PATH - PATH_TAIL);
	return 0;
}

/**
 * vsock_socket_open() - make the listening socket
 * @s: the device, its path is known
 * @err: filled on failure
 *
 * Return: 0 or a negative errno: -EEXIST when the path is taken.
 */
int vsock_socket_open(struct vsock *s, struct error *err)
{
	u32 i;
	int ret;

	for (i = 0; i < VSOCK_CALLERS_MAX; i++)
		s->callers[i].fd = -1;
	ret = listener_open(&s->listener, BACKLOG, err);
	if (ret)
		return ret;
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (s->epoll < 0) {
		ret = error_set(err, -errno, "epoll: %m");
		goto err_listener;
	}
	ret = epoll_set(s, EPOLL_CTL_ADD, s->listener.fd,
			tag(ABOUT_LISTENER, 0, 0));
	if (ret) {
		error_set(err, ret, "epoll: %s", strerror(-ret));
		goto err_epoll;
	}
	return 0;

err_epoll:
	close(s->epoll);
err_listener:
	listener_close(&s->listener);
	return ret;
}

/**
 * vsock_socket_close() - undo vsock_socket_open()
 * @s: the device; its loop does not look at sockets any more
 */
void vsock_socket_close(struct vsock *s)
{
	vsock_socket_drop_callers(s);
	listener_close(&s->listener);
	close(s->epoll);
}
