// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: sending from memory that is not copied
 *
 * With MSG_ZEROCOPY the kernel takes pages instead of bytes. It numbers such
 * sends, and says on the socket's error queue which of them are done with: until
 * then the memory must not change, or what arrives is not what was sent.
 *
 * It helps where a network card reads the pages. Where the receiver is on this
 * host the kernel has to copy after all, and says so: then sends are ordinary
 * ones from there on. Where there is no room for a send's pages (RLIMIT_MEMLOCK)
 * or for its message (net.core.optmem_max) that send is an ordinary one, and when
 * this comes with none under way, so are all that follow. So it is never slower
 * than copying.
 *
 * Threads: any; who waits for memory and who sends may be two.
 *
 * Specification: Linux, Documentation/networking/msg_zerocopy.rst.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
/* It needs struct timespec. */
#include <linux/errqueue.h>

#include "migration/channel_zerocopy.h"
#include "vmm/base/log.h"
#include "vmm/base/math.h"

/**
 * zerocopy_init() - a socket whose sends are ordinary ones
 * @z: to be filled
 */
void zerocopy_init(struct zerocopy *z)
{
	memset(z, 0, sizeof(*z));
	pthread_mutex_init(&z->lock, NULL);
}

/**
 * zerocopy_destroy() - the socket is closed
 * @z: its sends
 */
void zerocopy_destroy(struct zerocopy *z)
{
	pthread_mutex_destroy(&z->lock);
}

/* Also true for a connection through another address of this host. */
static bool is_local(int fd)
{
	struct sockaddr_storage here = { 0 }, there = { 0 };
	socklen_t here_len = sizeof(here), there_len = sizeof(there);

	if (getsockname(fd, (struct sockaddr *)&here, &here_len) ||
	    getpeername(fd, (struct sockaddr *)&there, &there_len))
		return true;
	if (here.ss_family == AF_INET6)
		return !memcmp(&((struct sockaddr_in6 *)&here)->sin6_addr,
			       &((struct sockaddr_in6 *)&there)->sin6_addr,
			       sizeof(struct in6_addr));
	return ((struct sockaddr_in *)&here)->sin_addr.s_addr ==
	       ((struct sockaddr_in *)&there)->sin_addr.s_addr;
}

/**
 * zerocopy_start() - sends of a TCP connection may be so from now on
 * @z: its sends
 * @fd: the socket
 *
 * Nothing changes where it cannot help.
 */
void zerocopy_start(struct zerocopy *z, int fd)
{
	int one = 1;

	if (!z->always && is_local(fd))
		return;
	if (!setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)))
		atomic_store(&z->on, true);
}

/**
 * zerocopy_note() - the kernel is done with some sends
 * @z: the sends
 * @first: the number of the first of them
 * @last: of the last one
 * @copied: it had to copy them
 *
 * Context: under @z->lock.
 */
void zerocopy_note(struct zerocopy *z, u32 first, u32 last, bool copied)
{
	u32 settled = atomic_load(&z->settled), i = first;
	u64 *word, bit;

	/* Numbers wrap; what was never sent cannot be done. */
	for (; i - settled < ZEROCOPY_WINDOW && last - i < ZEROCOPY_WINDOW; i++)
		z->done[i % ZEROCOPY_WINDOW / 64] |= 1ULL << i % 64;
	for (; settled != atomic_load(&z->sent); settled++) {
		word = &z->done[settled % ZEROCOPY_WINDOW / 64];
		bit = 1ULL << settled % 64;
		if (!(*word & bit))
			break;
		*word &= ~bit;
	}
	atomic_store(&z->settled, settled);
	if (copied && !z->always)
		atomic_store(&z->on, false);
}

static const struct sock_extended_err *find_note(struct msghdr *msg)
{
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		const struct sock_extended_err *e = (void *)CMSG_DATA(c);

		if (((c->cmsg_level == SOL_IP && c->cmsg_type == IP_RECVERR) ||
		     (c->cmsg_level == SOL_IPV6 &&
		      c->cmsg_type == IPV6_RECVERR)) &&
		    e->ee_origin == SO_EE_ORIGIN_ZEROCOPY && !e->ee_errno)
			return e;
	}
	return NULL;
}

/**
 * zerocopy_collect() - hear what the kernel is done with
 * @z: the sends
 * @fd: the socket
 * @name: the peer, for messages
 *
 * As long as there are messages poll() reports an error, so this is done before
 * each wait.
 *
 * Context: any thread; does not block.
 * Return: true when it has turned out that the kernel copies.
 */
bool zerocopy_collect(struct zerocopy *z, int fd, const char *name)
{
	union {
		struct cmsghdr align;
		u8 bytes[256];
	} control;
	bool was_on, ended;

	if (atomic_load(&z->settled) == atomic_load(&z->sent))
		return false;
	pthread_mutex_lock(&z->lock);
	was_on = atomic_load(&z->on);
	for (;;) {
		struct msghdr msg = {
			.msg_control = control.bytes,
			.msg_controllen = sizeof(control.bytes),
		};
		const struct sock_extended_err *e;

		if (recvmsg(fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
			break;
		e = find_note(&msg);
		if (e)
			zerocopy_note(z, e->ee_info, e->ee_data,
				      e->ee_code & SO_EE_CODE_ZEROCOPY_COPIED);
	}
	ended = was_on && !atomic_load(&z->on);
	if (ended)
		log_debug("%s: the kernel has to copy what is sent: no zero-copy",
			 name);
	pthread_mutex_unlock(&z->lock);
	return ended;
}

/**
 * zerocopy_send() - send without copying, if that is possible
 * @z: the sends
 * @fd: the socket
 * @name: the peer, for messages
 * @iov: what; must not change until it is settled
 *
 * After zerocopy_collect().
 *
 * Return: how many bytes were taken, or a negative errno; 0: send it in the
 * ordinary way.
 */
ssize_t zerocopy_send(struct zerocopy *z, int fd, const char *name,
		      const struct iovec *iov)
{
	struct msghdr msg = { .msg_iov = (struct iovec *)iov, .msg_iovlen = 1 };
	u32 under_way;
	ssize_t n;

	under_way = atomic_load(&z->sent) - atomic_load(&z->settled);
	if (!atomic_load(&z->on) || iov->iov_len < ZEROCOPY_MIN ||
	    under_way == ZEROCOPY_WINDOW)
		return 0;
	n = sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_ZEROCOPY);
	if (n > 0)
		atomic_fetch_add(&z->sent, 1);
	if (n >= 0 || errno != ENOBUFS)
		return n < 0 ? -errno : n;
	if (!under_way && atomic_exchange(&z->on, false))
		log_info("%s: no room for pages that are sent (ulimit -l): no zero-copy",
			 name);
	return 0;
}
