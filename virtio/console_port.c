// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: a console device: the host's end of its ports
 *
 * Port 0 is connected to the user's terminal (vmm/console.h), each other port
 * to whoever connects to its socket: one program at a time, the next one waits
 * until the first has gone.
 *
 * Nothing is read before the guest has a buffer for it and somebody there who
 * wants it, and nothing is kept here: what does not fit waits in the socket, in
 * the terminal, or in the guest's ring. So what the guest has written while
 * nobody was connected, or a program that has gone has not taken, is for the
 * next one.
 *
 * What a program has said before it went is delivered first; but when nobody
 * in the guest has the port open it is dropped, so that it does not keep the
 * next one waiting for ever.
 *
 * One epoll instance tells of all sockets, once for each change (EPOLLET); what
 * can be read or written is remembered until a call says EAGAIN. An event names
 * its socket by port and serial number, for it may be gone before its turn.
 *
 * Threads: the device's loop, but for making and ending.
 */
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "virtio/console_priv.h"
#include "vmm/base/log.h"
#include "vmm/vm.h"

#define EVENTS		64
#define BACKLOG		8
#define NAME_MAX_BYTES	63
#define SERIAL_LISTENER	0U	/* no client has it */

static int epoll_add(struct vcon *c, const struct vcon_port *p, int fd,
		     u32 serial)
{
	struct epoll_event ev = {
		.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
		.data.u64 = (u64)p->id << 32 | serial,
	};

	return epoll_ctl(c->epoll, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

static void wake(struct vcon *c, const struct vcon_port *p)
{
	virtio_queue_wake(vcon_rx(c, p));
	virtio_queue_wake(vcon_tx(c, p));
	if (c->v.queues_nr > VCON_QUEUE_CTRL_RX)
		virtio_queue_wake(&c->v.queues[VCON_QUEUE_CTRL_RX]);
}

/* Without VCON_F_MULTIPORT there is port 0 only, and even that may not be. */
static bool leads_nowhere(const struct vcon *c, const struct vcon_port *p)
{
	return !p->exists || (p->id ? !c->multiport : !c->terminal);
}

/**
 * vcon_port_has_host() - is somebody there at the host's end?
 * @c: the device
 * @p: the port
 *
 * Return: true for the console, whether its output is shown or not.
 */
bool vcon_port_has_host(const struct vcon *c, const struct vcon_port *p)
{
	return !p->id || p->fd >= 0;
}

/**
 * vcon_port_feeds() - does the guest want input?
 * @c: the device
 * @p: the port
 *
 * Return: true when somebody in the guest has it open, and knows of the one
 * who is there now.
 */
bool vcon_port_feeds(const struct vcon *c, const struct vcon_port *p)
{
	if (!c->multiport)
		return !p->id;
	return p->ready && p->guest_open && p->told_open && !p->stale;
}

/**
 * vcon_port_takes() - is it worth to try and give output?
 * @c: the device
 * @p: the port
 *
 * Return: false when it would not be taken now.
 */
bool vcon_port_takes(const struct vcon *c, const struct vcon_port *p)
{
	return p->writable || leads_nowhere(c, p);
}

/* ---- the one who is connected ------------------------------------------- */

static void caller_accept(struct vcon *c, struct vcon_port *p)
{
	int fd;

	while (p->callers && p->fd < 0 && !c->paused) {
		fd = accept4(p->listener.fd, NULL, NULL,
			     SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0) {
			/* No descriptors, say: with the next one who comes. */
			p->callers = errno == EINTR || errno == ECONNABORTED;
			if (!p->callers && errno != EAGAIN)
				log_limited(LOG_WARNING, "%s: accept: %m",
					    c->v.pci.dev.name);
			continue;
		}
		if (++p->serial == SERIAL_LISTENER)
			p->serial++;
		if (epoll_add(c, p, fd, p->serial)) {
			close(fd);
			continue;
		}
		p->fd = fd;
		p->readable = true;
		p->writable = true;
		atomic_fetch_add(&c->clients, 1);
		wake(c, p);
	}
}

static void hang_up(struct vcon *c, struct vcon_port *p)
{
	close(p->fd);
	p->fd = -1;
	p->readable = false;
	p->writable = false;
	p->ended = false;
	p->hung = false;
	p->stale = p->told_open;
	wake(c, p);
	caller_accept(c, p);
}

/**
 * vcon_port_look() - let go who is about to go, and let in who waits
 * @c: the device
 * @p: the port, whose state has changed
 *
 * Context: the device's loop, not paused.
 */
void vcon_port_look(struct vcon *c, struct vcon_port *p)
{
	/* Is there nobody who would ever want the rest? */
	bool wanted = c->multiport && p->ready && p->guest_open;

	if (p->fd >= 0 && p->hung && (p->ended || !wanted))
		hang_up(c, p);
	caller_accept(c, p);
}

static u32 read_terminal(struct vcon *c, struct vcon_port *p,
			 const struct iovec *iov, u32 nr)
{
	size_t got = 0, n;
	u32 i;

	for (i = 0; i < nr && p->readable; i++) {
		n = console_read(c->terminal, iov[i].iov_base, iov[i].iov_len);
		got += n;
		p->readable = n == iov[i].iov_len;
	}
	return (u32)got;
}

static u32 read_socket(struct vcon *c, struct vcon_port *p,
		       const struct iovec *iov, u32 nr)
{
	ssize_t n;

	do
		n = readv(p->fd, iov, (int)nr);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		return (u32)n;
	p->readable = false;
	if (n < 0 && errno == EAGAIN)
		return 0;
	p->ended = true;
	p->hung |= n < 0;
	return 0;
}

/**
 * vcon_port_read() - take input
 * @c: the device
 * @p: a port that has some
 * @iov: where to
 * @nr: how many
 *
 * Context: the device's loop.
 * Return: bytes, 0 when there is none after all.
 */
u32 vcon_port_read(struct vcon *c, struct vcon_port *p,
		   const struct iovec *iov, u32 nr)
{
	u32 n = p->id ? read_socket(c, p, iov, nr) :
			read_terminal(c, p, iov, nr);

	atomic_fetch_add(&c->to_guest, n);
	return n;
}

static size_t write_terminal(struct vcon *c, struct vcon_port *p,
			     const u8 *buf, size_t len)
{
	size_t n = console_write(c->terminal, buf, len);

	p->writable = n == len;
	return n;
}

static size_t write_socket(struct vcon_port *p, const u8 *buf, size_t len)
{
	size_t done = 0;
	ssize_t n;

	while (done < len && p->writable) {
		n = send(p->fd, buf + done, len - done,
			 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n >= 0) {
			done += (size_t)n;
			continue;
		}
		if (errno == EINTR)
			continue;
		p->writable = false;
		if (errno == EAGAIN)
			break;
		/* It takes nothing any more: it is about to go. */
		p->hung = true;
		p->readable = !p->ended;
	}
	return done;
}

/**
 * vcon_port_write() - give output
 * @c: the device
 * @p: the port
 * @chain: what the driver has written
 * @from: bytes of it that are written already
 *
 * When not all of it was taken the port's queue is woken as soon as there is
 * room again. Where no port is, output ends.
 *
 * Context: the device's loop.
 * Return: bytes of the chain that are written now.
 */
u64 vcon_port_write(struct vcon *c, struct vcon_port *p,
		    const struct virtio_chain *chain, u64 from)
{
	u64 at = 0, done = from;
	u32 i;

	if (leads_nowhere(c, p))
		return chain->out_len;
	for (i = 0; i < chain->out_nr && p->writable; i++) {
		const struct iovec *iov = &chain->iov[i];
		size_t skip = done - at;

		if (skip < iov->iov_len) {
			const u8 *buf = (const u8 *)iov->iov_base + skip;
			size_t len = iov->iov_len - skip;

			done += p->id ? write_socket(p, buf, len) :
					write_terminal(c, p, buf, len);
		}
		at += iov->iov_len;
	}
	if (done > from)
		atomic_fetch_add(&c->from_guest, done - from);
	return done;
}

/* ---- events ------------------------------------------------------------- */

static void client_event(struct vcon *c, struct vcon_port *p, u32 events)
{
	if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) &&
	    !p->ended)
		p->readable = true;
	if (events & EPOLLOUT)
		p->writable = true;
	if (events & (EPOLLHUP | EPOLLERR))
		p->hung = true;
	vcon_port_look(c, p);
	wake(c, p);
}

/**
 * vcon_ports_ready() - deal with what the sockets have to say
 * @c: the device
 *
 * Context: the device's loop.
 */
void vcon_ports_ready(struct vcon *c)
{
	struct epoll_event ev[EVENTS];
	int i, n;

	/* They tell it when the machine goes on. */
	if (c->paused || c->epoll < 0)
		return;
	n = epoll_wait(c->epoll, ev, EVENTS, 0);
	for (i = 0; i < n; i++) {
		struct vcon_port *p = &c->ports[ev[i].data.u64 >> 32];
		u32 serial = (u32)ev[i].data.u64;

		if (serial == SERIAL_LISTENER) {
			p->callers = true;
			caller_accept(c, p);
		} else if (p->fd >= 0 && p->serial == serial) {
			client_event(c, p, ev[i].events);
		}
	}
}

/* ---- made and taken apart ----------------------------------------------- */

static int port_name(struct vcon *c, struct vcon_port *p, const char *name,
		     struct error *err)
{
	u32 i;

	if (strlen(name) > NAME_MAX_BYTES || strchr(name, '/'))
		return error_set(err, -EINVAL,
				 "port=%.64s: a name has at most %u characters and no \"/\"",
				 name, NAME_MAX_BYTES);
	for (i = 1; i < p->id; i++)
		if (!strcmp(c->ports[i].name, name))
			return error_set(err, -EINVAL,
					 "port=%s: is there twice", name);
	p->name = name;
	return 0;
}

static int port_open(struct vcon *c, struct vcon_port *p, const char *path,
		     struct error *err)
{
	int ret;

	if (strlen(path) >= LISTENER_PATH)
		return error_set(err, -EINVAL,
				 "path=%.64s...: too long, a socket's path has at most %zu characters",
				 path, LISTENER_PATH - 1);
	strcpy(p->listener.path, path);
	ret = listener_open(&p->listener, BACKLOG, err);
	if (ret)
		return ret;
	ret = epoll_add(c, p, p->listener.fd, SERIAL_LISTENER);
	return ret ? error_set(err, ret, "epoll: %s", strerror(-ret)) : 0;
}

static int ports_check(const struct vcon_options *opts, struct error *err)
{
	if (!opts->console && !opts->port.nr)
		return error_set(err, -EINVAL,
				 "name a port, or say that it is the console, with port= or console");
	if (opts->port.nr >= VCON_PORTS_MAX)
		return error_set(err, -EINVAL,
				 "port: there are %u, a device has at most %u",
				 opts->port.nr, VCON_PORTS_MAX - 1);
	if (opts->path.nr < opts->port.nr)
		return error_set(err, -EINVAL,
				 "port=%.64s: name its socket with path=",
				 opts->port.v[opts->path.nr]);
	if (opts->path.nr > opts->port.nr)
		return error_set(err, -EINVAL,
				 "path=%.64s: there is no port for it; name one with port=",
				 opts->path.v[opts->port.nr]);
	return 0;
}

/**
 * vcon_ports_init() - make the ports and their sockets
 * @c: the device, zeroed
 * @err: filled on failure
 *
 * Return: 0 or a negative errno: -EEXIST when a path is taken. Nothing is left
 * then.
 */
int vcon_ports_init(struct vcon *c, struct error *err)
{
	const struct vcon_options *opts = c->v.pci.dev.config;
	u32 i;
	int ret;

	c->epoll = -1;
	ret = ports_check(opts, err);
	if (ret)
		return ret;
	c->ports_nr = 1 + opts->port.nr;
	for (i = 0; i < c->ports_nr; i++) {
		c->ports[i].id = i;
		c->ports[i].exists = i || opts->console;
		c->ports[i].fd = -1;
		c->ports[i].listener.fd = -1;
	}
	if (opts->port.nr) {
		c->epoll = epoll_create1(EPOLL_CLOEXEC);
		if (c->epoll < 0)
			return error_set(err, -errno, "epoll: %m");
	}
	for (i = 1; !ret && i < c->ports_nr; i++) {
		ret = port_name(c, &c->ports[i], opts->port.v[i - 1], err);
		if (!ret)
			ret = port_open(c, &c->ports[i], opts->path.v[i - 1],
					err);
	}
	if (ret)
		vcon_ports_fini(c);
	return ret;
}

/**
 * vcon_ports_fini() - undo vcon_ports_init()
 * @c: the device; its loop does not look at sockets any more
 */
void vcon_ports_fini(struct vcon *c)
{
	u32 i;

	for (i = 1; i < c->ports_nr; i++) {
		if (c->ports[i].fd >= 0)
			close(c->ports[i].fd);
		listener_close(&c->ports[i].listener);
	}
	if (c->epoll >= 0)
		close(c->epoll);
}
