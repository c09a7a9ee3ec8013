// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: what is between two machines that migrate
 *
 * See proxy.h. One thread, which blocks only while it writes: the target reads
 * whatever the source sends, and what the target answers is short.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/kvm/proxy.h"

#define CHUNK		65536u
#define POLL_MS		10

static const char *const act_names[PROXY_ACTS] = {
	"nothing", "cut", "reset", "stall", "kill the source",
	"kill the target",
};

/**
 * proxy_act_name() - an act in words
 * @act: which
 *
 * Return: its name.
 */
const char *proxy_act_name(enum proxy_act act)
{
	return act_names[act];
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static struct sockaddr_in local(uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
}

/* Bound to any port that is free. */
static int bind_any(uint16_t *port)
{
	struct sockaddr_in a = local(0);
	socklen_t len = sizeof(a);
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) ||
	    getsockname(fd, (struct sockaddr *)&a, &len)) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	*port = ntohs(a.sin_port);
	return fd;
}

/**
 * proxy_free_port() - a port that nobody listens on at the moment
 *
 * Return: its number, 0 when there is none.
 */
uint16_t proxy_free_port(void)
{
	uint16_t port = 0;
	const int fd = bind_any(&port);

	if (fd >= 0)
		close(fd);
	return port;
}

/* ---- what it does ----------------------------------------------------------- */

static void close_all(struct proxy *p, bool reset)
{
	const struct linger hard = { .l_onoff = 1 };

	while (p->ways) {
		const struct proxy_way *w = &p->way[--p->ways];

		/* Each descriptor is where one of the two comes from. */
		if (reset)
			setsockopt(w->from, SOL_SOCKET, SO_LINGER, &hard,
				   sizeof(hard));
		if (w->from >= 0)
			close(w->from);
	}
}

/* One of the two is gone: the other one hears of it, as from a host. */
static void reset_link(struct proxy *p, unsigned int i)
{
	const struct linger hard = { .l_onoff = 1 };
	struct proxy_way *w = &p->way[i & ~1u];
	unsigned int k;

	for (k = 0; k < 2; k++) {
		setsockopt(w[k].from, SOL_SOCKET, SO_LINGER, &hard,
			   sizeof(hard));
		close(w[k].from);
		w[k].from = -1;
		w[k].ended = true;
	}
}

static void act(struct proxy *p)
{
	atomic_store(&p->acted_ns, now_ns());
	switch (p->plan.act) {
	case PROXY_CUT:
	case PROXY_RESET:
		close_all(p, p->plan.act == PROXY_RESET);
		break;
	case PROXY_STALL:
		while (!atomic_load(&p->stop))
			usleep(1000);
		break;
	case PROXY_KILL_SOURCE:
		kill(p->plan.source, SIGKILL);
		break;
	case PROXY_KILL_TARGET:
		kill(p->plan.target, SIGKILL);
		break;
	default:
		break;
	}
}

static bool is_due(const struct proxy *p)
{
	return p->plan.act != PROXY_NOTHING && !atomic_load(&p->acted_ns);
}

/* Is this the frame of the plan? */
static bool is_frame(const struct proxy *p, const struct proxy_way *w)
{
	const uint32_t type = le16_to_cpu(w->header.type);

	return is_due(p) && !p->plan.byte && type == p->plan.type &&
	       p->seen[type] == p->plan.nth + 1;
}

/* ---- carrying ----------------------------------------------------------------- */

static bool send_all(struct proxy *p, struct proxy_way *w, const void *data,
		     size_t len)
{
	const char *at = data;
	ssize_t n;

	while (len) {
		n = send(w->to, at, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		w->broken = n <= 0;
		if (w->broken)
			return false;
		at += n;
		len -= (size_t)n;
		p->bytes += (size_t)n;
	}
	return true;
}

/* Up to the byte of the plan, and there what is planned. */
static bool carry_bytes(struct proxy *p, struct proxy_way *w, const void *data,
			size_t len)
{
	uint64_t until = p->plan.byte - p->bytes;

	if (!p->plan.byte || !is_due(p) || until > len)
		return send_all(p, w, data, len);
	if (!send_all(p, w, data, until))
		return false;
	act(p);
	return p->ways && send_all(p, w, (const char *)data + until,
				   len - until);
}

static bool frame_ends(struct proxy *p, struct proxy_way *w)
{
	w->got = 0;
	if (is_frame(p, w) && p->plan.after)
		act(p);
	return p->ways;
}

/* A whole header is here. */
static bool frame_begins(struct proxy *p, struct proxy_way *w)
{
	const uint32_t type = le16_to_cpu(w->header.type);

	if (type >= FRAME_TYPES)
		return false;
	p->seen[type]++;
	if (is_frame(p, w) && !p->plan.after)
		act(p);
	if (!p->ways)
		return false;
	w->left = type == FRAME_ZERO ? 0 : le64_to_cpu(w->header.len);
	if (!carry_bytes(p, w, &w->header, sizeof(w->header)))
		return false;
	return w->left || frame_ends(p, w);
}

static ssize_t take(struct proxy_way *w, void *buf, size_t len)
{
	ssize_t n;

	do {
		n = recv(w->from, buf, len, 0);
	} while (n < 0 && errno == EINTR);
	return n;
}

/* Some bytes; false when nothing more can be carried this way. */
static bool carry(struct proxy *p, struct proxy_way *w)
{
	static char data[CHUNK];
	ssize_t n;

	if (w->got < sizeof(w->header)) {
		n = take(w, (char *)&w->header + w->got,
			 sizeof(w->header) - w->got);
		if (n <= 0)
			return false;
		w->got += (size_t)n;
		return w->got < sizeof(w->header) || frame_begins(p, w);
	}
	n = take(w, data, w->left < CHUNK ? w->left : CHUNK);
	if (n <= 0)
		return false;
	w->left -= (size_t)n;
	if (!carry_bytes(p, w, data, (size_t)n))
		return false;
	return w->left || frame_ends(p, w);
}

static void add_way(struct proxy *p, int from, int to)
{
	const int one = 1;

	setsockopt(from, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	p->way[p->ways++] = (struct proxy_way){ .from = from, .to = to };
}

static void add_connection(struct proxy *p)
{
	const struct sockaddr_in a = local(p->target_port);
	const int source = accept(p->listener, NULL, NULL);
	const int target = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (source >= 0 && target >= 0 && p->ways < 2 * PROXY_LINKS &&
	    !connect(target, (const struct sockaddr *)&a, sizeof(a))) {
		add_way(p, source, target);
		add_way(p, target, source);
		return;
	}
	if (source >= 0)
		close(source);
	if (target >= 0)
		close(target);
}

/* Whoever ends, the other one hears of it as soon as all has been carried. */
static void carry_ready(struct proxy *p, const struct pollfd *fds,
			unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n && i < p->ways; i++) {
		struct proxy_way *w = &p->way[i];

		if (!fds[i].revents || w->from < 0 || carry(p, w) ||
		    i >= p->ways)
			continue;
		w->ended = true;
		if (w->broken)
			reset_link(p, i);
		else if (w->from >= 0)
			shutdown(w->to, SHUT_WR);
	}
}

static void *proxy_thread(void *arg)
{
	struct pollfd fds[2 * PROXY_LINKS + 1];
	struct proxy *p = arg;
	unsigned int i, n;

	while (!atomic_load(&p->stop)) {
		n = p->ways;
		for (i = 0; i < n; i++)
			fds[i] = (struct pollfd){
				.fd = p->way[i].ended ? -1 : p->way[i].from,
				.events = POLLIN,
			};
		fds[n] = (struct pollfd){ .fd = p->listener, .events = POLLIN };
		if (poll(fds, n + 1, POLL_MS) <= 0)
			continue;
		if (fds[n].revents)
			add_connection(p);
		carry_ready(p, fds, n);
	}
	close_all(p, false);
	return NULL;
}

/**
 * proxy_start() - begin to carry
 * @p: set up here; proxy_stop() ends it
 * @target_port: where the target listens
 * @plan: what to do
 *
 * Return: 0, or -1 when there is no socket or thread.
 */
int proxy_start(struct proxy *p, uint16_t target_port,
		const struct proxy_plan *plan)
{
	memset(p, 0, sizeof(*p));
	p->plan = *plan;
	p->target_port = target_port;
	p->listener = bind_any(&p->port);
	if (p->listener < 0)
		return -1;
	if (listen(p->listener, PROXY_LINKS) ||
	    pthread_create(&p->thread, NULL, proxy_thread, p)) {
		close(p->listener);
		return -1;
	}
	return 0;
}

/**
 * proxy_stop() - close all connections
 * @p: the proxy
 */
void proxy_stop(struct proxy *p)
{
	atomic_store(&p->stop, true);
	pthread_join(p->thread, NULL);
	close(p->listener);
}
