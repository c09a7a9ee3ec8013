// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: where machines go to and come from
 *
 *  ==================  ====================================================
 *  HOST:PORT           TCP; an IPv6 number in brackets: [::1]:4444
 *  unix:PATH           a UNIX stream socket
 *  exec:COMMAND        standard input and output of a shell command
 *  file:PATH           a file, as a snapshot
 *  ``-``               our own standard input and output
 *  ==================  ====================================================
 *
 * Threads: the first one; all of it may block.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "vmm/cli/address.h"

#define BACKLOG	16

static const struct {
	const char *prefix;
	enum address_kind kind;
} prefixes[] = {
	{ "unix:", ADDRESS_UNIX },
	{ "exec:", ADDRESS_EXEC },
	{ "file:", ADDRESS_FILE },
};

static int parse_tcp(const char *text, struct address *a, struct error *err)
{
	const char *host = text, *colon = strrchr(text, ':'), *end = colon;
	unsigned long port;
	char *rest;

	if (!colon)
		goto bad;
	if (*text == '[' && end > text && end[-1] == ']') {
		host++;
		end--;
	} else if (memchr(text, ':', (size_t)(colon - text))) {
		goto bad;
	}
	errno = 0;
	port = strtoul(colon + 1, &rest, 10);
	if (colon[1] < '0' || colon[1] > '9' || *rest || errno || !port ||
	    port > UINT16_MAX)
		return error_set(err, -EINVAL, "%s: the port is a number from 1 to 65535",
				 text);
	a->kind = ADDRESS_TCP;
	a->host = strndup(host, (size_t)(end - host));
	a->rest = colon + 1;
	return a->host ? 0 : error_set(err, -ENOMEM, "no memory");
bad:
	return error_set(err, -EINVAL,
			 "%s: give HOST:PORT (an IPv6 number in brackets), unix:PATH, exec:COMMAND, file:PATH or -",
			 text);
}

/**
 * address_parse() - understand what the user gave
 * @text: what the user gave; must outlive @a
 * @a: to be filled; address_free() frees it
 * @err: what is wrong with it
 *
 * Return: 0, -EINVAL or -ENOMEM.
 */
int address_parse(const char *text, struct address *a, struct error *err)
{
	unsigned int i;

	*a = (struct address){ .text = text };
	if (!strcmp(text, "-")) {
		a->kind = ADDRESS_STDIO;
		return 0;
	}
	for (i = 0; i < ARRAY_SIZE(prefixes); i++) {
		size_t len = strlen(prefixes[i].prefix);

		if (strncmp(text, prefixes[i].prefix, len))
			continue;
		a->kind = prefixes[i].kind;
		a->rest = text + len;
		return *a->rest ? 0 :
			error_set(err, -EINVAL, "%s: nothing stands behind the colon",
				  text);
	}
	return parse_tcp(text, a, err);
}

/**
 * address_free() - free what address_parse() made
 * @a: the address
 */
void address_free(struct address *a)
{
	free(a->host);
	a->host = NULL;
}

static int find_tcp(const struct address *a, bool passive,
		    struct addrinfo **list, struct error *err)
{
	const struct addrinfo hints = {
		.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICSERV | (passive ? AI_PASSIVE : 0),
	};
	int ret;

	ret = getaddrinfo(*a->host ? a->host : NULL, a->rest, &hints, list);
	return ret ? error_set(err, -EHOSTUNREACH, "%s: %s", a->text,
			       gai_strerror(ret)) : 0;
}

static int connect_tcp(const struct address *a, int *fd, struct error *err)
{
	struct addrinfo *list, *ai;
	int ret, why = EHOSTUNREACH;

	ret = find_tcp(a, false, &list, err);
	if (ret)
		return ret;
	*fd = -1;
	for (ai = list; ai && *fd < 0; ai = ai->ai_next) {
		*fd = socket(ai->ai_family, ai->ai_socktype | SOCK_CLOEXEC, 0);
		if (*fd >= 0 &&
		    !connect(*fd, ai->ai_addr, ai->ai_addrlen))
			break;
		why = errno;
		if (*fd >= 0)
			close(*fd);
		*fd = -1;
	}
	freeaddrinfo(list);
	return *fd >= 0 ? 0 :
		error_set(err, -why, "%s: %s; does 'lkvm receive' listen there?",
			  a->text, strerror(why));
}

static int unix_address(const struct address *a, struct sockaddr_un *addr,
			struct error *err)
{
	*addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(a->rest) >= sizeof(addr->sun_path))
		return error_set(err, -ENAMETOOLONG,
				 "%s: a socket's path has at most %zu characters",
				 a->text, sizeof(addr->sun_path) - 1);
	strcpy(addr->sun_path, a->rest);
	return 0;
}

static int connect_unix(const struct address *a, int *fd, struct error *err)
{
	struct sockaddr_un addr;
	int ret;

	ret = unix_address(a, &addr, err);
	if (ret)
		return ret;
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*fd < 0)
		return error_set(err, -errno, "%s: %m", a->text);
	if (!connect(*fd, (struct sockaddr *)&addr, sizeof(addr)))
		return 0;
	ret = error_set(err, -errno, "%s: %m; does 'lkvm receive' listen there?",
			a->text);
	close(*fd);
	return ret;
}

/**
 * address_connect() - make one connection
 * @a: ADDRESS_TCP or ADDRESS_UNIX
 * @fd: out: a connected socket
 * @err: why not
 *
 * Return: 0 or a negative errno.
 */
int address_connect(const struct address *a, int *fd, struct error *err)
{
	return a->kind == ADDRESS_TCP ? connect_tcp(a, fd, err) :
					connect_unix(a, fd, err);
}

/**
 * address_run() - start the command of an address
 * @a: ADDRESS_EXEC
 * @fd: out: its standard input and output, a socket
 * @child: out: its process
 * @err: why not
 *
 * Its standard error is ours.
 *
 * Return: 0 or a negative errno.
 */
int address_run(const struct address *a, int *fd, pid_t *child,
		struct error *err)
{
	sigset_t none;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return error_set(err, -errno, "%s: %m", a->text);
	*child = fork();
	if (*child < 0) {
		close(pair[0]);
		close(pair[1]);
		return error_set(err, -errno, "%s: fork: %m", a->text);
	}
	if (!*child) {
		/* Our own handling of signals is not the command's. */
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		signal(SIGPIPE, SIG_DFL);
		dup2(pair[1], STDIN_FILENO);
		dup2(pair[1], STDOUT_FILENO);
		execl("/bin/sh", "sh", "-c", a->rest, (char *)NULL);
		_exit(127);
	}
	close(pair[1]);
	*fd = pair[0];
	return 0;
}

static int listen_on(const struct addrinfo *ai, int *fd)
{
	int one = 1, ret;

	*fd = socket(ai->ai_family, ai->ai_socktype | SOCK_CLOEXEC, 0);
	if (*fd < 0)
		return -errno;
	setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (!bind(*fd, ai->ai_addr, ai->ai_addrlen) && !listen(*fd, BACKLOG))
		return 0;
	ret = -errno;
	close(*fd);
	return ret;
}

static int listen_tcp(const struct address *a, int *fd, struct error *err)
{
	struct addrinfo *list, *ai;
	int ret;

	ret = find_tcp(a, true, &list, err);
	if (ret)
		return ret;
	for (ai = list; ai; ai = ai->ai_next) {
		ret = listen_on(ai, fd);
		if (!ret)
			break;
	}
	freeaddrinfo(list);
	return ret ? error_set(err, ret, "%s: %s", a->text, strerror(-ret)) :
		     0;
}

static int listen_unix(const struct address *a, int *fd, struct error *err)
{
	struct sockaddr_un addr;
	mode_t mask;
	int ret;

	ret = unix_address(a, &addr, err);
	if (ret)
		return ret;
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*fd < 0)
		return error_set(err, -errno, "%s: %m", a->text);
	/* Whoever can connect can put a machine here. */
	mask = umask(0177);
	ret = bind(*fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	      listen(*fd, BACKLOG) < 0 ? -errno : 0;
	umask(mask);
	if (!ret)
		return 0;
	close(*fd);
	return error_set(err, ret, "%s: %s%s", a->text, strerror(-ret),
			 ret == -EADDRINUSE ? "; remove it if nobody listens" :
					      "");
}

/**
 * address_listen() - wait for connections
 * @a: ADDRESS_TCP or ADDRESS_UNIX
 * @fd: out: a listening socket; the file of a UNIX one is the caller's
 * @err: why not
 *
 * Return: 0 or a negative errno.
 */
int address_listen(const struct address *a, int *fd, struct error *err)
{
	return a->kind == ADDRESS_TCP ? listen_tcp(a, fd, err) :
					listen_unix(a, fd, err);
}

/**
 * address_is_local() - can only this host reach a socket?
 * @fd: a bound socket
 *
 * Return: true for UNIX sockets and those on a loopback address.
 */
bool address_is_local(int fd)
{
	struct sockaddr_storage s = { 0 };
	socklen_t len = sizeof(s);
	const struct sockaddr_in *in4 = (const struct sockaddr_in *)&s;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&s;

	if (getsockname(fd, (struct sockaddr *)&s, &len) < 0)
		return false;
	if (s.ss_family == AF_INET)
		return ntohl(in4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	if (s.ss_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
	return s.ss_family == AF_UNIX;
}
