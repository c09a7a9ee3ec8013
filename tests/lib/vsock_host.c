// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the host's end of vsock connections, for tests
 */
#include <sys/socket.h>

#include "tests/lib/vsock_host.h"
#include "vmm/base/math.h"

/**
 * vsock_host_byte() - what stands at a position of a stream
 * @position: from its beginning
 *
 * Return: the byte; the sequence repeats after a prime number of bytes.
 */
u8 vsock_host_byte(u64 position)
{
	return (u8)((position % 251) * 7 + 3);
}

/**
 * vsock_host_open() - one more socket
 * @host: the host
 *
 * Return: its descriptor.
 */
int vsock_host_open(struct vsock_host *host)
{
	int fd = 0;

	while (host->ends[fd].used)
		fd++;
	host->ends[fd] = (struct vsock_host_end){
		.used = true, .room = host->room,
	};
	host->nr++;
	return fd;
}

static struct vsock_host_end *end_of(struct vsock_table *t,
				     const struct vsock_conn *c)
{
	struct vsock_host *host = t->arg;

	assert(c->fd >= 0 && host->ends[c->fd].used);
	return &host->ends[c->fd];
}

static int host_connect(struct vsock_table *t, struct vsock_conn *c)
{
	struct vsock_host *host = t->arg;

	if (host->refuse)
		return host->refuse;
	c->fd = vsock_host_open(host);
	return 0;
}

static int host_opened(struct vsock_table *t, struct vsock_conn *c)
{
	struct vsock_host_end *e = end_of(t, c);

	e->opened = true;
	return e->write_error;
}

static ssize_t host_read(struct vsock_table *t, struct vsock_conn *c,
			 const struct iovec *iov, u32 nr)
{
	struct vsock_host_end *e = end_of(t, c);
	u64 done = 0, k, n;
	u32 i;

	if (!e->avail)
		return e->eof || e->shut_read ? 0 :
		       e->read_error ? e->read_error : -EAGAIN;
	for (i = 0; i < nr; i++) {
		n = min_of((u64)iov[i].iov_len, e->avail);
		for (k = 0; k < n; k++)
			((u8 *)iov[i].iov_base)[k] =
				vsock_host_byte(e->sent + k);
		e->sent += n;
		e->avail -= n;
		done += n;
	}
	assert(done);
	return (ssize_t)done;
}

static ssize_t host_write(struct vsock_table *t, struct vsock_conn *c,
			  const struct iovec *iov, u32 nr)
{
	struct vsock_host_end *e = end_of(t, c);
	u64 done = 0, k, n;
	u32 i;

	assert(!e->shut_write);
	if (e->write_error)
		return e->write_error;
	if (!e->room)
		return -EAGAIN;
	for (i = 0; i < nr; i++) {
		n = min_of((u64)iov[i].iov_len, e->room);
		for (k = 0; k < n; k++)
			e->wrong |= ((u8 *)iov[i].iov_base)[k] !=
				    vsock_host_byte(e->got + k);
		e->got += n;
		e->room -= n;
		done += n;
	}
	assert(done);
	return (ssize_t)done;
}

static void host_shutdown(struct vsock_table *t, struct vsock_conn *c, int how)
{
	struct vsock_host_end *e = end_of(t, c);

	if (how == SHUT_RD)
		e->shut_read = true;
	else
		e->shut_write = true;
}

static void host_close(struct vsock_table *t, struct vsock_conn *c)
{
	struct vsock_host *host = t->arg;

	end_of(t, c)->used = false;
	host->nr--;
}

const struct vsock_host_ops vsock_host_ops = {
	.connect = host_connect,
	.opened = host_opened,
	.read = host_read,
	.write = host_write,
	.shutdown = host_shutdown,
	.close = host_close,
};
