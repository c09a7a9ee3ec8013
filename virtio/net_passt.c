// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: mode=user: the network of the host without privileges, by passt
 *
 * passt(1) is started beside the machine and gets one end of a stream socket;
 * each frame on it has its length in front, 32 bits, big-endian, as QEMU's
 * stream sockets do it. passt answers ARP, DHCP and NDP itself, and turns what
 * the guest's TCP, UDP and ping do into sockets of its own.
 *
 * It starts a moment after the guest does, which might have to share a
 * processor with it; nothing waits for it, what the guest sends meanwhile is in
 * the socket. When it ends, for whatever reason, the link goes
 * down and one line says so; the machine runs on. It ends when the socket is
 * closed, so also when this process is killed.
 *
 * Many frames are sent by one system call, straight from guest memory. Of a
 * frame that fitted in part the rest is kept here and goes first, so that the
 * other side is never out of step. What comes is read in large pieces into a
 * buffer, from which frames are handed out.
 *
 * The socket has no place for checksums or segments that are left to do, so
 * no offloads are offered.
 *
 * Threads: the lane's loop owns all of it between start and stop; opening and
 * closing are the main loop's.
 *
 * Not here: several lanes, IP addresses in IPv6.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "virtio/net_backend_priv.h"
#include "virtio/net_child.h"
#include "vmm/base/math.h"

#define PROGRAM		"passt"
#define PACKAGE		"passt"
#define SOCKET_BUFFER	(1 << 20)
#define IN_BYTES	(256U << 10)
#define LENGTH_BYTES	4
#define OUT_BYTES	(LENGTH_BYTES + NET_FRAME_MAX)
#define ARGS_MAX	(24 + 2 * NET_FORWARDS_MAX)
#define START_NS	10000000ULL
#define RETRY_NS	200000000ULL
#define RETRIES		25

/**
 * struct net_passt - passt and our end of the socket
 * @backend: the common part
 * @card: name of the card, for messages
 * @path: the program
 * @args: its arguments, NULL-terminated
 * @args_nr: how many
 * @text: the forwarded ports, and what else @args points to
 * @mtu: the same
 * @forwards: ports
 * @forwards_nr: how many
 * @fd: our end, -1: there is no passt, frames are dropped
 * @theirs: the other end, until there is a passt, else -1
 * @child: passt
 * @end: watches for its end
 * @said: watches for its messages
 * @last: the last of them
 * @retries: how often it may be started again: the machine has come from this
 *           very host, maybe, where its old passt still has the ports
 * @again: when it is started
 * @in: what was read
 * @in_head: bytes of it that were handed out
 * @in_tail: bytes of it that were read
 * @in_empty: there is no more of it in the socket, as far as we know
 * @out: the rest of a frame
 * @out_head: bytes of it that were sent
 * @out_tail: bytes of it
 */
struct net_passt {
	struct net_backend backend;
	char card[24];
	char path[256];
	char *args[ARGS_MAX + 1];
	u32 args_nr;
	char *text[3];
	char mtu[12];
	struct net_forward forwards[NET_FORWARDS_MAX];
	u32 forwards_nr;
	int fd;
	int theirs;
	struct net_child child;
	struct io_watch end;
	struct io_watch said;
	char last[160];
	u32 retries;
	struct io_timer again;
	u8 *in;
	u32 in_head;
	u32 in_tail;
	bool in_empty;
	u8 *out;
	u32 out_head;
	u32 out_tail;
};

static struct net_passt *passt_of(struct net_backend *backend)
{
	return container_of(backend, struct net_passt, backend);
}

/* ---- the program -------------------------------------------------------- */

static void drop_socket(struct net_passt *p)
{
	struct net_lane *lane = &p->backend.lanes[0];

	if (p->fd < 0)
		return;
	io_poll_remove(&lane->in);
	io_poll_remove(&lane->out);
	close(p->fd);
	p->fd = -1;
	p->in_head = 0;
	p->in_tail = 0;
	p->in_empty = false;
	p->out_head = 0;
	p->out_tail = 0;
}

static void drop_theirs(struct net_passt *p)
{
	if (p->theirs >= 0)
		close(p->theirs);
	p->theirs = -1;
}

static void drop_child(struct net_passt *p)
{
	if (!p->child.pid)
		return;
	io_watch_remove(&p->end);
	io_watch_remove(&p->said);
	net_child_kill(&p->child);
	net_child_reap(&p->child);
}

static void lost(struct net_passt *p, const char *why)
{
	drop_socket(p);
	if (p->retries) {
		p->retries--;
		io_timer_set(&p->again, RETRY_NS);
		return;
	}
	log_warning("%s: passt has ended (%s); the guest's link is down",
		    p->card, why);
	net_backend_set_link(&p->backend, false);
}

static void child_said(struct io_watch *watch)
{
	struct net_passt *p = container_of(watch, struct net_passt, said);

	if (!net_child_listen(&p->child, p->last, sizeof(p->last)))
		io_watch_remove(&p->said);
	log_debug("%s: passt: %s", p->card, p->last);
}

static void child_ended(struct io_watch *watch)
{
	struct net_passt *p = container_of(watch, struct net_passt, end);
	char how[32];
	int ret;

	net_child_listen(&p->child, p->last, sizeof(p->last));
	io_watch_remove(&p->end);
	io_watch_remove(&p->said);
	ret = net_child_reap(&p->child);
	snprintf(how, sizeof(how), ret < 0 ? "signal %d" : "exit code %d",
		 abs(ret));
	lost(p, ret > 0 && p->last[0] ? p->last : how);
}

static void in_ready(struct io_poll *poll);
static void out_ready(struct io_poll *poll);

static int make_sockets(struct net_passt *p)
{
	struct net_lane *lane = &p->backend.lanes[0];
	int fds[2], size = SOCKET_BUFFER;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		return -errno;
	/*
	 * passt drops what does not fit in its socket: it gets as much as the
	 * host allows. Ours is left as it is, since passt also drops what comes
	 * faster than it gets rid of it, where a full socket has us wait.
	 */
	setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	p->fd = fds[0];
	p->theirs = fds[1];
	io_poll_init(&lane->in, lane->loop, p->fd, in_ready);
	io_poll_init(&lane->out, lane->loop, p->fd, out_ready);
	return 0;
}

static void start_child(struct net_passt *p)
{
	struct net_lane *lane = &p->backend.lanes[0];
	int ret;

	p->last[0] = 0;
	ret = p->fd < 0 ? make_sockets(p) : 0;
	if (!ret)
		ret = net_child_start(&p->child, p->args, p->theirs);
	drop_theirs(p);
	if (ret) {
		p->retries = 0;
		lost(p, strerror(-ret));
		return;
	}
	io_watch_add(lane->loop, &p->end, p->child.pidfd, child_ended);
	io_watch_add(lane->loop, &p->said, p->child.errors, child_said);
	lane->rx_ready(lane);
	lane->tx_ready(lane);
}

static void start_now(struct io_timer *timer)
{
	start_child(container_of(timer, struct net_passt, again));
}

/* ---- frames ------------------------------------------------------------- */

/* Out of step or closed: passt is of no use any more, and its end tells why. */
static void hang_up(struct net_passt *p)
{
	drop_socket(p);
	net_child_kill(&p->child);
}

static bool flush(struct net_passt *p)
{
	ssize_t n;

	if (p->out_head == p->out_tail)
		return true;
	n = send(p->fd, p->out + p->out_head, p->out_tail - p->out_head,
		 MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n > 0)
		p->out_head += (u32)n;
	return p->out_head == p->out_tail;
}

static void in_ready(struct io_poll *poll)
{
	struct net_lane *lane = container_of(poll, struct net_lane, in);

	lane->rx_ready(lane);
}

static void out_ready(struct io_poll *poll)
{
	struct net_lane *lane = container_of(poll, struct net_lane, out);
	struct net_passt *p = passt_of(lane->backend);

	if (flush(p))
		lane->tx_ready(lane);
	else
		io_poll_arm(&lane->out, POLLOUT);
}

static void passt_start(struct net_lane *lane)
{
	struct net_passt *p = passt_of(lane->backend);

	io_timer_init(&p->again, lane->loop, start_now);
	if (make_sockets(p)) {
		lost(p, strerror(errno));
		return;
	}
	io_timer_set(&p->again, START_NS);
}

static void passt_stop(struct net_lane *lane)
{
	struct net_passt *p = passt_of(lane->backend);

	io_timer_destroy(&p->again);
	drop_child(p);
	drop_socket(p);
	drop_theirs(p);
}

/*
 * Reads as much as there is; false: nothing. A read that got less than there
 * was room for has emptied the socket: no need to ask again.
 */
static bool fill(struct net_passt *p)
{
	u32 room;
	ssize_t n;

	if (p->in_empty) {
		p->in_empty = false;
		return false;
	}
	if (p->in_head) {
		memmove(p->in, p->in + p->in_head, p->in_tail - p->in_head);
		p->in_tail -= p->in_head;
		p->in_head = 0;
	}
	room = IN_BYTES - p->in_tail;
	n = recv(p->fd, p->in + p->in_tail, room, MSG_DONTWAIT);
	if (!n || (n < 0 && errno != EAGAIN && errno != EINTR))
		hang_up(p);
	if (n <= 0)
		return false;
	p->in_tail += (u32)n;
	p->in_empty = n < room;
	return true;
}

/* 1: a frame; 0: not all of one; -EPROTO: none that can be. */
static int next_frame(struct net_passt *p, struct net_rx *rx)
{
	u32 have = p->in_tail - p->in_head;
	__be32 be;

	if (have < LENGTH_BYTES)
		return 0;
	memcpy(&be, p->in + p->in_head, LENGTH_BYTES);
	rx->len = ntohl((__force u32)be);
	if (rx->len < ETH_HEADER || rx->len > NET_FRAME_MAX)
		return -EPROTO;
	if (have - LENGTH_BYTES < rx->len)
		return 0;
	rx->data = p->in + p->in_head + LENGTH_BYTES;
	p->in_head += LENGTH_BYTES + rx->len;
	return 1;
}

static int passt_recv(struct net_lane *lane, struct net_rx *rx)
{
	struct net_passt *p = passt_of(lane->backend);
	int ret;

	rx->hdr = (struct net_hdr){ 0 };
	do {
		if (p->fd < 0)
			return 0;
		ret = next_frame(p, rx);
		if (ret == -EPROTO)
			hang_up(p);
		if (ret)
			return ret > 0;
	} while (fill(p));
	if (p->fd >= 0)
		io_poll_arm(&lane->in, POLLIN);
	return 0;
}

/* What is left of a frame, of which @sent bytes are gone, its length included. */
static void keep_rest(struct net_passt *p, const struct net_tx *tx, u32 sent)
{
	__be32 be = (__force __be32)htonl(tx->len);
	u32 i, at = LENGTH_BYTES;

	memcpy(p->out, &be, LENGTH_BYTES);
	for (i = 0; i < tx->iov_nr; i++) {
		memcpy(p->out + at, tx->iov[i].iov_base, tx->iov[i].iov_len);
		at += (u32)tx->iov[i].iov_len;
	}
	p->out_head = sent;
	p->out_tail = at;
}

/* Of @bytes that were sent: how many frames; one that has begun is gone. */
static u32 count_sent(struct net_passt *p, const struct net_tx *tx, u32 nr,
		      u64 bytes)
{
	u32 i;

	for (i = 0; i < nr && bytes >= LENGTH_BYTES + tx[i].len; i++)
		bytes -= LENGTH_BYTES + tx[i].len;
	if (i < nr && bytes)
		keep_rest(p, &tx[i++], (u32)bytes);
	return i;
}

static ssize_t send_all(struct net_passt *p, const struct net_tx *tx, u32 nr)
{
	__be32 lengths[NET_IOV_MAX / 2];
	struct iovec iov[NET_IOV_MAX];
	struct msghdr msg = { .msg_iov = iov };
	size_t n = 0;
	u32 i;

	for (i = 0; i < nr; i++) {
		lengths[i] = (__force __be32)htonl(tx[i].len);
		iov[n++] = (struct iovec){ &lengths[i], LENGTH_BYTES };
		memcpy(iov + n, tx[i].iov, tx[i].iov_nr * sizeof(*iov));
		n += tx[i].iov_nr;
	}
	msg.msg_iovlen = n;
	return sendmsg(p->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static u32 passt_send(struct net_lane *lane, const struct net_tx *tx, u32 nr)
{
	struct net_passt *p = passt_of(lane->backend);
	ssize_t n = 0;
	u32 sent = 0;

	if (p->fd < 0)
		return nr;
	if (flush(p)) {
		n = send_all(p, tx, nr);
		if (n < 0 && errno != EAGAIN && errno != EINTR &&
		    errno != ENOBUFS) {
			hang_up(p);
			return nr;
		}
		if (n > 0)
			sent = count_sent(p, tx, nr, (u64)n);
	}
	if (sent < nr || p->out_head != p->out_tail)
		io_poll_arm(&lane->out, POLLOUT);
	return sent;
}

static void passt_offload(struct net_backend *backend, u64 features)
{
}

/* ---- open and close ----------------------------------------------------- */

static void passt_close(struct net_backend *backend)
{
	struct net_passt *p = passt_of(backend);
	u32 i;

	for (i = 0; i < ARRAY_SIZE(p->text); i++)
		free(p->text[i]);
	free(p->in);
	free(p->out);
	free(p);
}

static const struct net_backend_ops passt_ops = {
	.start		= passt_start,
	.stop		= passt_stop,
	.recv		= passt_recv,
	.send		= passt_send,
	.offload	= passt_offload,
	.close		= passt_close,
};

static void add_arg(struct net_passt *p, const char *arg)
{
	assert(p->args_nr < ARGS_MAX);
	p->args[p->args_nr++] = (char *)arg;
}

/* An option with a value of the user's, which outlives the configuration. */
static int add_value(struct net_passt *p, u32 slot, const char *option,
		     const char *value)
{
	if (!value)
		return 0;
	p->text[slot] = strdup(value);
	if (!p->text[slot])
		return -ENOMEM;
	add_arg(p, option);
	add_arg(p, p->text[slot]);
	return 0;
}

/* So many at most: net_config_check(). */
static int add_forwards(struct net_passt *p, const struct net_config *config,
			bool probe, struct error *err)
{
	struct net_forward *fwd = p->forwards;
	bool udp = false;
	u32 i;
	int ret;

	for (i = 0; i < config->hostfwd.nr; i++, fwd++) {
		ret = net_forward_parse(config->hostfwd.v[i], probe, fwd, err);
		if (ret)
			return ret;
		add_arg(p, fwd->udp ? "-u" : "-t");
		add_arg(p, fwd->spec);
		udp |= fwd->udp;
	}
	/* Else it takes the TCP ports for UDP as well. */
	if (!udp) {
		add_arg(p, "-u");
		add_arg(p, "none");
	}
	return 0;
}

static int make_args(struct net_passt *p, const struct net_config *config,
		     bool probe, struct error *err)
{
	add_arg(p, p->path);
	add_arg(p, "--foreground");
	add_arg(p, "--quiet");
	add_arg(p, "--fd");
	add_arg(p, "3");
	if (config->mtu) {
		snprintf(p->mtu, sizeof(p->mtu), "%u", config->mtu);
		add_arg(p, "--mtu");
		add_arg(p, p->mtu);
	}
	if (add_value(p, 0, "--mac-addr", config->host_mac) ||
	    add_value(p, 1, "--gateway", config->host_ip) ||
	    add_value(p, 2, "--address", config->guest_ip))
		return error_set(err, -ENOMEM, "out of memory");
	/* kvmtool's networks are of that size. */
	if (config->guest_ip) {
		add_arg(p, "--netmask");
		add_arg(p, "24");
	}
	return add_forwards(p, config, probe, err);
}

/**
 * net_user_missing() - can a card of mode=user be had on this host?
 * @err: what is missing
 *
 * Return: 0, or -ENOENT.
 */
int net_user_missing(struct error *err)
{
	char path[256];

	if (!net_child_find(PROGRAM, path, sizeof(path)))
		return 0;
	return error_set(err, -ENOENT,
			 PROGRAM " is not installed (apt-get install " PACKAGE ")");
}

/**
 * net_passt_open() - make ready to start passt
 * @config: how
 * @card: name of the card
 * @arriving: see net_backend_open()
 * @out: the back end
 * @err: why not
 *
 * Return: 0 or a negative errno.
 */
int net_passt_open(const struct net_config *config, const char *card,
		   bool arriving, struct net_backend **out, struct error *err)
{
	struct net_passt *p;
	int ret;

	ret = net_user_missing(err);
	if (ret)
		return ret;
	p = calloc(1, sizeof(*p));
	if (!p)
		return error_set(err, -ENOMEM, "out of memory");
	net_backend_init(&p->backend, &passt_ops, 1);
	p->backend.info.name = PROGRAM;
	p->fd = -1;
	p->theirs = -1;
	p->retries = arriving ? RETRIES : 0;
	snprintf(p->card, sizeof(p->card), "%s", card);
	ret = net_child_find(PROGRAM, p->path, sizeof(p->path));
	p->in = malloc(IN_BYTES);
	p->out = malloc(OUT_BYTES);
	if (ret || !p->in || !p->out)
		ret = error_set(err, -ENOMEM, "out of memory");
	else
		ret = make_args(p, config, !arriving, err);
	if (ret) {
		passt_close(&p->backend);
		return ret;
	}
	atomic_store(&p->backend.link, true);
	*out = &p->backend;
	return 0;
}
