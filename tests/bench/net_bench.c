// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: how much a guest's network card carries
 *
 *	net_bench serve ADDRESS PORT
 *	net_bench run ADDRESS PORT JOB CONNECTIONS SECONDS
 *
 * The first is started on the host, the second in the guest, which asks for a
 * job, opens the connections and does its part until the host ends them. JOB is
 *
 *	send	guest to host, as much as can be
 *	recv	host to guest, likewise
 *	rr	the host sends one byte on each connection, the guest sends it
 *		back, the host sends the next one
 *
 * The host counts and measures, for the clock of a guest need not be right, and
 * tells the guest: KiB per second, or requests per second. The guest prints
 * that.
 *
 * Linked statically and without the rest of lkvm, for a guest that has no
 * libraries. One thread; the server does one job at a time.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "vmm/base/types.h"

#define CONNECTIONS_MAX	64
#define PIECE		(128U << 10)
#define CONNECT_TRIES	50
#define PATIENCE_S	20

enum job { JOB_SEND, JOB_RECV, JOB_RR, JOBS };

static const char *const job_names[JOBS] = { "send", "recv", "rr" };

/**
 * struct request - what the guest asks for; both ends are of one architecture
 * @job: enum job
 * @connections: how many
 * @seconds: how long
 */
struct request {
	u32 job;
	u32 connections;
	u32 seconds;
};

static u8 piece[PIECE];

static u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000ULL + (u64)ts.tv_nsec;
}

static __noreturn void die(const char *what)
{
	fprintf(stderr, "net_bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static struct sockaddr_in address_of(char **argv)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons((u16)atoi(argv[1])),
	};

	if (inet_pton(AF_INET, argv[0], &addr.sin_addr) != 1) {
		errno = EINVAL;
		die(argv[0]);
	}
	return addr;
}

/* A small message goes at once, and one that never comes is an error. */
static void set_up(int fd, bool blocking)
{
	struct timeval patience = { .tv_sec = PATIENCE_S };
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (!blocking)
		return;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
}

static bool move_all(int fd, void *buf, size_t len, bool out)
{
	u8 *at = buf;
	ssize_t n;

	for (; len; at += n, len -= (size_t)n) {
		n = out ? send(fd, at, len, MSG_NOSIGNAL) : recv(fd, at, len, 0);
		if (n <= 0)
			return false;
	}
	return true;
}

/* ---- host --------------------------------------------------------------- */

/*
 * One step of a connection that is ready. Returns what counts: bytes, or the
 * answers of an rr; -1 when the connection is of no use any more.
 */
static ssize_t serve_step(enum job job, int fd)
{
	ssize_t n = job == JOB_RECV ?
		send(fd, piece, PIECE, MSG_DONTWAIT | MSG_NOSIGNAL) :
		recv(fd, piece, PIECE, MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0 || (job == JOB_RR && send(fd, piece, 1, MSG_NOSIGNAL) != 1))
		return -1;
	return n;
}

static u64 do_job(const struct request *req, struct pollfd *fds)
{
	u64 start = now_ns(), end = start + req->seconds * 1000000000ULL;
	u64 now = start, sum = 0;
	ssize_t n;
	u32 i;

	for (i = 0; i < req->connections; i++) {
		fds[i].events = req->job == JOB_RECV ? POLLOUT : POLLIN;
		if (req->job == JOB_RR)
			send(fds[i].fd, piece, 1, MSG_NOSIGNAL);
	}
	for (; now < end; now = now_ns()) {
		if (poll(fds, req->connections,
			 (int)((end - now) / 1000000) + 1) <= 0)
			continue;
		for (i = 0; i < req->connections; i++) {
			if (!fds[i].revents)
				continue;
			n = serve_step(req->job, fds[i].fd);
			if (n < 0)
				return 0;
			sum += (u64)n;
		}
	}
	if (req->job != JOB_RR)
		sum /= 1024;
	return (u64)((double)sum * 1e9 / (double)(now - start));
}

static void serve_one(int listener, int control)
{
	struct pollfd fds[CONNECTIONS_MAX];
	struct pollfd more = { .fd = listener, .events = POLLIN };
	struct request req;
	u32 nr = 0, i;
	u64 rate = 0;

	if (!move_all(control, &req, sizeof(req), false) || req.job >= JOBS ||
	    !req.connections || req.connections > CONNECTIONS_MAX)
		return;
	while (nr < req.connections && poll(&more, 1, PATIENCE_S * 1000) > 0) {
		fds[nr].fd = accept(listener, NULL, NULL);
		if (fds[nr].fd < 0)
			break;
		set_up(fds[nr++].fd, false);
	}
	if (nr == req.connections)
		rate = do_job(&req, fds);
	for (i = 0; i < nr; i++)
		close(fds[i].fd);
	move_all(control, &rate, sizeof(rate), true);
}

static __noreturn void serve(char **argv)
{
	struct sockaddr_in addr = address_of(argv);
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1, control;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    listen(fd, CONNECTIONS_MAX))
		die("listen");
	while ((control = accept(fd, NULL, NULL)) >= 0) {
		set_up(control, true);
		serve_one(fd, control);
		close(control);
	}
	die("accept");
}

/* ---- guest -------------------------------------------------------------- */

static int connect_to(const struct sockaddr_in *addr, u32 tries)
{
	int fd;

	for (; tries; tries--) {
		fd = socket(AF_INET, SOCK_STREAM, 0);
		if (fd < 0)
			die("socket");
		if (!connect(fd, (const struct sockaddr *)addr, sizeof(*addr)))
			return fd;
		close(fd);
		usleep(100000);
	}
	die("connect");
}

/* Until the host closes the connection, which may be by a reset. */
static bool run_step(enum job job, int fd)
{
	ssize_t n = job == JOB_SEND ?
		send(fd, piece, PIECE, MSG_DONTWAIT | MSG_NOSIGNAL) :
		recv(fd, piece, PIECE, MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return true;
	return n > 0 && (job != JOB_RR ||
			 send(fd, piece, (size_t)n, MSG_NOSIGNAL) == n);
}

static void take_part(enum job job, struct pollfd *fds, u32 nr)
{
	u32 i, left = nr;

	for (i = 0; i < nr; i++)
		fds[i].events = job == JOB_SEND ? POLLOUT : POLLIN;
	while (left && poll(fds, nr, PATIENCE_S * 1000) > 0)
		for (i = 0; i < nr; i++) {
			if (!fds[i].revents || run_step(job, fds[i].fd))
				continue;
			close(fds[i].fd);
			fds[i].fd = -1;
			left--;
		}
}

static int run(char **argv)
{
	struct sockaddr_in addr = address_of(argv);
	struct pollfd fds[CONNECTIONS_MAX];
	struct request req = {
		.connections = (u32)atoi(argv[3]),
		.seconds = (u32)atoi(argv[4]),
	};
	int control;
	u64 rate;
	u32 i;

	while (req.job < JOBS && strcmp(job_names[req.job], argv[2]))
		req.job++;
	if (req.job == JOBS || !req.connections ||
	    req.connections > CONNECTIONS_MAX) {
		errno = EINVAL;
		die("job");
	}
	control = connect_to(&addr, CONNECT_TRIES);
	set_up(control, true);
	if (!move_all(control, &req, sizeof(req), true))
		die("request");
	for (i = 0; i < req.connections; i++) {
		fds[i].fd = connect_to(&addr, 1);
		set_up(fds[i].fd, false);
	}
	take_part(req.job, fds, req.connections);
	if (!move_all(control, &rate, sizeof(rate), false))
		die("result");
	printf("%llu\n", rate);
	return 0;
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	if (argc == 4 && !strcmp(argv[1], "serve"))
		serve(argv + 2);
	if (argc == 7 && !strcmp(argv[1], "run"))
		return run(argv + 2);
	fprintf(stderr, "net_bench serve|run, see its source\n");
	return 2;
}
