// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: connections as channels
 *
 * A socket, or two ends of pipes, as a channel, so that what goes over a
 * connection has the same ``_all`` calls as what goes to a file: short
 * transfers go on, waits end when the job is cancelled or its deadline has
 * passed.
 *
 * A connection has no positions: the caller counts the bytes of each direction
 * and gives that as the position, which error texts then name.
 *
 * The descriptors must not block. Whether they do is kept by the open file,
 * which may be somebody else's, too (standard input of a shell): the channel
 * puts it back when it is closed.
 *
 * Threads: one that reads and one that writes, at the same time.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "migration/channel.h"
#include "migration/channel_zerocopy.h"
#include "vmm/base/math.h"

/* A peer that is gone without a word is noticed after about half a minute. */
#define KEEPALIVE_IDLE_S	10
#define KEEPALIVE_STEP_S	5
#define KEEPALIVE_TRIES		4
#define UNANSWERED_MS		30000

/**
 * struct channel_stream - a connection as a channel
 * @ch: the channel
 * @in: read from
 * @out: written to; may be @in
 * @is_socket: @out is a socket
 * @in_flags: file status flags of @in as they were
 * @out_flags: likewise of @out
 * @is_tcp: @out is a TCP socket
 * @lent: sends whose memory the kernel reads later
 */
struct channel_stream {
	struct channel ch;
	int in;
	int out;
	bool is_socket;
	int in_flags;
	int out_flags;
	bool is_tcp;
	struct zerocopy lent;
};

static struct channel_stream *to_stream(struct channel *ch)
{
	return container_of(ch, struct channel_stream, ch);
}

static void collect(struct channel_stream *s)
{
	if (zerocopy_collect(&s->lent, s->out, s->ch.name))
		atomic_store(&s->ch.copied, true);
}

static ssize_t stream_preadv(struct channel *ch, const struct iovec *iov,
			     int iov_nr, u64 pos)
{
	struct channel_stream *s = to_stream(ch);
	ssize_t n = readv(s->in, iov, iov_nr);

	if (n >= 0)
		return n;
	n = -errno;
	if (n == -EAGAIN)
		collect(s);
	return n;
}

/* How many to send in the ordinary way at once; at least one. */
static size_t short_iovs(const struct iovec *iov, int iov_nr)
{
	int n = 1;

	while (n < iov_nr && iov[n].iov_len < ZEROCOPY_MIN)
		n++;
	return (size_t)n;
}

/* Pipes have no flag against SIGPIPE; the program ignores it. */
static ssize_t stream_pwritev(struct channel *ch, const struct iovec *iov,
			      int iov_nr, u64 pos)
{
	struct channel_stream *s = to_stream(ch);
	struct msghdr msg = {
		.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)iov_nr,
	};
	int flags = MSG_NOSIGNAL;
	ssize_t n;

	if (atomic_load(&s->lent.on)) {
		collect(s);
		n = zerocopy_send(&s->lent, s->out, ch->name, iov);
		if (n)
			return n;
		/* What is long has a call of its own. */
		msg.msg_iovlen = short_iovs(iov, iov_nr);
	}
	if (msg.msg_iovlen < (size_t)iov_nr)
		flags |= MSG_MORE;
	n = s->is_socket ? sendmsg(s->out, &msg, flags) :
			   writev(s->out, iov, iov_nr);
	if (n >= 0)
		return n;
	n = -errno;
	if (n == -EAGAIN)
		collect(s);
	return n;
}

static int stream_poll_fd(struct channel *ch, bool write)
{
	return write ? to_stream(ch)->out : to_stream(ch)->in;
}

static u32 stream_mark(struct channel *ch)
{
	return atomic_load(&to_stream(ch)->lent.sent);
}

static u32 stream_settled(struct channel *ch)
{
	struct channel_stream *s = to_stream(ch);

	collect(s);
	return atomic_load(&s->lent.settled);
}

static void stream_close(struct channel *ch)
{
	struct channel_stream *s = to_stream(ch);

	fcntl(s->in, F_SETFL, s->in_flags);
	fcntl(s->out, F_SETFL, s->out_flags);
	close(s->in);
	if (s->out != s->in)
		close(s->out);
	zerocopy_destroy(&s->lent);
	free(s);
}

static const struct channel_ops stream_ops = {
	.preadv = stream_preadv,
	.pwritev = stream_pwritev,
	.poll_fd = stream_poll_fd,
	.mark = stream_mark,
	.settled = stream_settled,
	.close = stream_close,
};

static int unblock(int fd, int *flags)
{
	*flags = fcntl(fd, F_GETFL);
	if (*flags < 0 || fcntl(fd, F_SETFL, *flags | O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

static void set_option(int fd, int level, int name, int value)
{
	/* Without it the connection works as well, only not as soon. */
	(void)setsockopt(fd, level, name, &value, sizeof(value));
}

/* -1 for what is no socket. */
static int socket_domain(int fd)
{
	int domain;
	socklen_t len = sizeof(domain);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0 ?
		-1 : domain;
}

static void tune_socket(int fd)
{
	set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
	set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_STEP_S);
	set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_TRIES);
	set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, UNANSWERED_MS);
}

/**
 * channel_stream_open() - make a connection a channel
 * @in: descriptor to read from
 * @out: descriptor to write to; the same as @in for a socket
 * @name: the peer, for error texts
 * @out_ch: the channel; channel_close() frees it and closes the descriptors
 * @err: filled on failure
 *
 * Return: 0 or a negative errno; then the descriptors stay the caller's.
 */
int channel_stream_open(int in, int out, const char *name,
			struct channel **out_ch, struct error *err)
{
	struct channel_stream *s = calloc(1, sizeof(*s));
	int ret, domain;

	if (!s)
		return error_set(err, -ENOMEM, "%s: out of memory", name);
	s->in = in;
	s->out = out;
	ret = unblock(in, &s->in_flags);
	if (!ret && out != in)
		ret = unblock(out, &s->out_flags);
	else
		s->out_flags = s->in_flags;
	if (ret) {
		error_set(err, ret, "%s: %m", name);
		goto err_free;
	}
	ret = channel_init(&s->ch, &stream_ops, name, err);
	if (ret)
		goto err_free;
	domain = socket_domain(out);
	s->is_socket = domain >= 0;
	s->is_tcp = domain == AF_INET || domain == AF_INET6;
	if (s->is_tcp)
		tune_socket(out);
	zerocopy_init(&s->lent);
	*out_ch = &s->ch;
	return 0;

err_free:
	free(s);
	return ret;
}

/**
 * channel_stream_fd() - the descriptor of a connection
 * @ch: made by channel_stream_open()
 *
 * Return: the one that is written to; it stays the channel's.
 */
int channel_stream_fd(const struct channel *ch)
{
	return to_stream((struct channel *)ch)->out;
}

/**
 * channel_stream_lend() - let writes return before memory has been read
 * @ch: made by channel_stream_open(), a moment ago
 * @always: also where it does not help; for tests
 *
 * Then memory of ZEROCOPY_MIN bytes or more that is written must not change until
 * channel_settle(). It is only done where it can help: over TCP to another host.
 *
 * Return: whether it is done.
 */
bool channel_stream_lend(struct channel *ch, bool always)
{
	struct channel_stream *s = to_stream(ch);

	s->lent.always = always;
	if (s->is_tcp)
		zerocopy_start(&s->lent, s->out);
	return atomic_load(&s->lent.on);
}
