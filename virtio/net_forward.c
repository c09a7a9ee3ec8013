// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: ports of the host that lead into the guest
 *
 * They are written as QEMU's users know them:
 *
 *   hostfwd=tcp:[ADDRESS]:PORT-[GUEST]:PORT
 *
 * with an IPv6 address in brackets. The guest's address may be left out and is
 * not looked at: behind a card there is one guest only. A short form without
 * the empty parts, tcp:2222-22, is understood as well.
 *
 * A port that somebody else has is found here, before anything has begun, by
 * binding to it: passt binds only while it starts, and then it is too late to
 * refuse.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "virtio/net_backend_priv.h"

/**
 * struct place - an address and a port
 * @host: the address, empty for any
 * @port: 1 to 65535
 */
struct place {
	char host[INET6_ADDRSTRLEN];
	u16 port;
};

static int parse_port(const char *text, size_t len, u16 *port)
{
	unsigned long v = 0;
	size_t i;

	if (!len || len > 5)
		return -EINVAL;
	for (i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		v = v * 10 + (unsigned long)(text[i] - '0');
	}
	*port = (u16)v;
	return v && v <= UINT16_MAX ? 0 : -EINVAL;
}

/* "PORT", ":PORT", "1.2.3.4:PORT", "[::1]:PORT". */
static int parse_place(const char *text, size_t len, struct place *p)
{
	const char *colon = memrchr(text, ':', len);
	size_t host = colon ? (size_t)(colon - text) : 0;
	size_t port = colon ? host + 1 : 0;

	p->host[0] = 0;
	if (host > 1 && text[0] == '[' && text[host - 1] == ']') {
		text++;
		host -= 2;
		port--;
		len--;
	}
	if (host >= sizeof(p->host))
		return -EINVAL;
	memcpy(p->host, text, host);
	p->host[host] = 0;
	return parse_port(text + port, len - port, &p->port);
}

/* The addresses that are to be bound: one, or any of both families. */
static int make_address(const struct place *p, int family,
			struct sockaddr_storage *sa, socklen_t *len)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)sa;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)sa;

	memset(sa, 0, sizeof(*sa));
	sa->ss_family = (sa_family_t)family;
	if (family == AF_INET) {
		v4->sin_port = htons(p->port);
		*len = sizeof(*v4);
		return p->host[0] && inet_pton(family, p->host,
					       &v4->sin_addr) != 1 ? -1 : 0;
	}
	v6->sin6_port = htons(p->port);
	*len = sizeof(*v6);
	return p->host[0] && inet_pton(family, p->host, &v6->sin6_addr) != 1 ?
		-1 : 0;
}

static int try_bind(const struct place *p, int family, bool udp)
{
	struct sockaddr_storage sa;
	socklen_t len;
	int fd, one = 1, ret = 0;

	if (make_address(p, family, &sa, &len))
		return -EAFNOSUPPORT;
	fd = socket(family, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (!udp)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&sa, len) ||
	    (!udp && listen(fd, 1)))
		ret = -errno;
	close(fd);
	return ret;
}

static int probe_port(const char *text, const struct place *p, bool udp,
		      struct error *err)
{
	int ret = try_bind(p, AF_INET, udp);

	if (ret == -EAFNOSUPPORT)
		ret = try_bind(p, AF_INET6, udp);
	if (!ret)
		return 0;
	return error_set(err, ret, "hostfwd=%s: %s port %u of this host: %s",
			 text, udp ? "UDP" : "TCP", p->port, strerror(-ret));
}

static bool is_address(const struct place *p)
{
	u8 any[16];

	return !p->host[0] || inet_pton(AF_INET, p->host, any) == 1 ||
	       inet_pton(AF_INET6, p->host, any) == 1;
}

/**
 * net_forward_parse() - read a forwarded port
 * @text: "tcp:127.0.0.1:2222-:22"
 * @probe: fail when the port cannot be had
 * @fwd: filled
 * @err: what is wrong with it
 *
 * Return: 0, -EINVAL, or why the port cannot be had.
 */
int net_forward_parse(const char *text, bool probe, struct net_forward *fwd,
		      struct error *err)
{
	const char *dash = strrchr(text, '-');
	struct place host, guest;

	fwd->udp = !strncmp(text, "udp:", 4);
	if ((!fwd->udp && strncmp(text, "tcp:", 4)) || !dash ||
	    dash < text + 4 ||
	    parse_place(text + 4, (size_t)(dash - text - 4), &host) ||
	    parse_place(dash + 1, strlen(dash + 1), &guest))
		return error_set(err, -EINVAL,
				 "hostfwd=%.64s: write tcp::2222-:22 or udp:127.0.0.1:5353-:53, say",
				 text);
	if (!is_address(&host))
		return error_set(err, -EINVAL,
				 "hostfwd=%.64s: \"%s\" is no IP address",
				 text, host.host);
	snprintf(fwd->spec, sizeof(fwd->spec), "%s%s%u:%u", host.host,
		 host.host[0] ? "/" : "", host.port, guest.port);
	return probe ? probe_port(text, &host, fwd->udp, err) : 0;
}
