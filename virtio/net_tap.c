// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: mode=tap: an Ethernet interface of the host
 *
 * The interface is one that is there already (tapif=), one that was opened by
 * whoever started us (fd=), or one that is made now and goes with the machine.
 * That last kind is given the address host_ip= and set up, unless a script does
 * that; it needs CAP_NET_ADMIN, as kvmtool does.
 *
 * The kernel takes and gives frames with the very header that the guest uses
 * (IFF_VNET_HDR), so checksums and segmentation pass through: a segment of
 * 64 KiB crosses as one frame. What the guest can take is told to the kernel
 * (TUNSETOFFLOAD); the host's own stack checks what the guest claims.
 *
 * With IFF_MULTI_QUEUE each lane has a descriptor of its own.
 *
 * Threads: a lane's descriptor belongs to its loop; opening, closing and
 * TUNSETOFFLOAD are control.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "virtio/net_backend_priv.h"
#include "virtio/net_child.h"

#define TUN_PATH	"/dev/net/tun"
#define TAP_NAME	"tap%d"
#define DEFAULT_HOST_IP	"192.168.33.1"	/* kvmtool's */

/* Since Linux 6.2; the headers of older ones lack them. */
#ifndef TUN_F_USO4
#define TUN_F_USO4	0x20
#define TUN_F_USO6	0x40
#endif

/**
 * struct tap_queue - a lane's way into the interface
 * @fd: the queue
 * @detached: no frames come
 * @buf: the frame that was read last
 */
struct tap_queue {
	int fd;
	bool detached;
	u8 *buf;
};

/**
 * struct net_tap - a tap interface
 * @backend: the common part
 * @name: the interface's name
 * @vnet: each frame has a struct net_hdr in front
 * @queues: one for each lane
 * @downscript: see &net_config.downscript; owned
 */
struct net_tap {
	struct net_backend backend;
	char name[IFNAMSIZ];
	bool vnet;
	struct tap_queue queues[NET_PAIRS_MAX];
	char *downscript;
};

static struct net_tap *tap_of(struct net_backend *backend)
{
	return container_of(backend, struct net_tap, backend);
}

static struct tap_queue *queue_of(struct net_lane *lane)
{
	return &tap_of(lane->backend)->queues[lane->index];
}

/* ---- frames ------------------------------------------------------------- */

static void in_ready(struct io_poll *poll)
{
	struct net_lane *lane = container_of(poll, struct net_lane, in);

	lane->rx_ready(lane);
}

static void out_ready(struct io_poll *poll)
{
	struct net_lane *lane = container_of(poll, struct net_lane, out);

	lane->tx_ready(lane);
}

static void tap_start(struct net_lane *lane)
{
	struct tap_queue *q = queue_of(lane);

	io_poll_init(&lane->in, lane->loop, q->fd, in_ready);
	io_poll_init(&lane->out, lane->loop, q->fd, out_ready);
	lane->rx_ready(lane);
	lane->tx_ready(lane);
}

static void tap_stop(struct net_lane *lane)
{
	io_poll_remove(&lane->in);
	io_poll_remove(&lane->out);
}

static void interface_lost(struct net_tap *tap)
{
	if (!atomic_load(&tap->backend.link))
		return;
	log_warning("%s: the interface has gone (%m); the guest's link is down",
		    tap->name);
	net_backend_set_link(&tap->backend, false);
}

static int tap_recv(struct net_lane *lane, struct net_rx *rx)
{
	struct net_tap *tap = tap_of(lane->backend);
	struct tap_queue *q = queue_of(lane);
	u32 header = tap->vnet ? sizeof(rx->hdr) : 0;
	ssize_t n;

	do {
		n = read(q->fd, q->buf, sizeof(rx->hdr) + NET_FRAME_MAX);
	} while ((n >= 0 && n < header + ETH_HEADER) ||
		 (n < 0 && errno == EINTR));
	if (n < 0) {
		/* EBADFD from a queue that is detached: nothing will come. */
		if (errno == EAGAIN)
			io_poll_arm(&lane->in, POLLIN);
		else if (!q->detached)
			interface_lost(tap);
		return 0;
	}
	rx->hdr = (struct net_hdr){ 0 };
	if (tap->vnet)
		memcpy(&rx->hdr, q->buf, sizeof(rx->hdr));
	rx->hdr.num_buffers = cpu_to_le16(0);
	rx->data = q->buf + header;
	rx->len = (u32)n - header;
	return 1;
}

static u32 tap_send(struct net_lane *lane, const struct net_tx *tx, u32 nr)
{
	struct net_tap *tap = tap_of(lane->backend);
	struct tap_queue *q = queue_of(lane);
	struct iovec iov[NET_IOV_MAX];
	u32 i, first = tap->vnet ? 1 : 0;
	ssize_t n;

	for (i = 0; i < nr; i++) {
		iov[0].iov_base = (void *)&tx[i].hdr;
		iov[0].iov_len = sizeof(tx[i].hdr);
		memcpy(iov + first, tx[i].iov, tx[i].iov_nr * sizeof(*iov));
		do {
			n = writev(q->fd, iov, (int)(tx[i].iov_nr + first));
		} while (n < 0 && errno == EINTR);
		if (n < 0 && errno == EAGAIN) {
			io_poll_arm(&lane->out, POLLOUT);
			break;
		}
		/* Any other failure is a frame lost: an interface is down. */
	}
	return i;
}

static void tap_offload(struct net_backend *backend, u64 features)
{
	static const struct {
		u32 feature;
		unsigned int flag;
	} map[] = {
		{ NET_F_GUEST_CSUM, TUN_F_CSUM },
		{ NET_F_GUEST_TSO4, TUN_F_TSO4 },
		{ NET_F_GUEST_TSO6, TUN_F_TSO6 },
		{ NET_F_GUEST_ECN, TUN_F_TSO_ECN },
		{ NET_F_GUEST_USO4, TUN_F_USO4 },
		{ NET_F_GUEST_USO6, TUN_F_USO6 },
	};
	struct net_tap *tap = tap_of(backend);
	unsigned int flags = 0, i;

	if (!tap->vnet)
		return;
	for (i = 0; i < ARRAY_SIZE(map); i++)
		if (features & BIT_ULL(map[i].feature))
			flags |= map[i].flag;
	if (ioctl(tap->queues[0].fd, TUNSETOFFLOAD, flags))
		log_limited(LOG_WARNING, "%s: TUNSETOFFLOAD: %m", tap->name);
}

static void tap_attach(struct net_lane *lane, bool on)
{
	struct net_tap *tap = tap_of(lane->backend);
	struct tap_queue *q = queue_of(lane);
	struct ifreq ifr = {
		.ifr_flags = on ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE,
	};

	if (tap->backend.lanes_nr == 1 || q->detached == !on)
		return;
	if (ioctl(q->fd, TUNSETQUEUE, &ifr)) {
		log_limited(LOG_WARNING, "%s: TUNSETQUEUE: %m", tap->name);
		return;
	}
	q->detached = !on;
	if (on)
		lane->rx_ready(lane);
	else
		io_poll_remove(&lane->in);
}

/* ---- open and close ----------------------------------------------------- */

static int run_script(const char *script, const char *name, struct error *err)
{
	char *argv[] = { (char *)script, (char *)name, NULL };

	return net_child_run(argv, err);
}

static void tap_close(struct net_backend *backend)
{
	struct net_tap *tap = tap_of(backend);
	struct error err = ERROR_INIT;
	u32 i;

	if (tap->downscript && run_script(tap->downscript, tap->name, &err))
		log_warning("%s: %s", tap->name, err.text);
	for (i = 0; i < backend->lanes_nr; i++) {
		if (tap->queues[i].fd >= 0)
			close(tap->queues[i].fd);
		free(tap->queues[i].buf);
	}
	free(tap->downscript);
	free(tap);
}

static const struct net_backend_ops tap_ops = {
	.start		= tap_start,
	.stop		= tap_stop,
	.recv		= tap_recv,
	.send		= tap_send,
	.offload	= tap_offload,
	.attach		= tap_attach,
	.close		= tap_close,
};

static int explain(int code, const char *name, struct error *err)
{
	const char *hint = code == -EPERM || code == -EACCES ?
		"; it takes CAP_NET_ADMIN, or an interface that was made for you" :
		code == -EBUSY ? "; somebody else uses it" :
		code == -EINVAL ?
		"; with mq= it must be made with multi_queue" : "";

	return error_set(err, code, "tap interface %s: %s%s", name,
			 strerror(-code), hint);
}

/* An interface that is there may be of either kind; one of ours is what suits. */
static int attach_queue(struct net_tap *tap, u32 index, struct error *err)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int fd, ret;

	fd = open(TUN_PATH, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return error_set(err, -errno, "%s: %m; load the module tun",
				 TUN_PATH);
	tap->queues[index].fd = fd;
	memcpy(ifr.ifr_name, tap->name, sizeof(ifr.ifr_name));
	if (tap->backend.lanes_nr > 1)
		ifr.ifr_flags |= IFF_MULTI_QUEUE;
	ret = ioctl(fd, TUNSETIFF, &ifr);
	if (ret && errno == EINVAL && tap->backend.lanes_nr == 1) {
		ifr.ifr_flags |= IFF_MULTI_QUEUE;
		ret = ioctl(fd, TUNSETIFF, &ifr);
	}
	if (ret)
		return explain(-errno, tap->name, err);
	memcpy(tap->name, ifr.ifr_name, sizeof(tap->name));
	return 0;
}

static int take_fd(struct net_tap *tap, u32 number, struct error *err)
{
	struct ifreq ifr = { 0 };
	int fd;

	if (number > INT32_MAX || ioctl((int)number, TUNGETIFF, &ifr))
		return error_set(err, -EBADF,
				 "fd=%u: is no open tap interface", number);
	if (!(ifr.ifr_flags & IFF_TAP) || !(ifr.ifr_flags & IFF_NO_PI))
		return error_set(err, -EINVAL,
				 "fd=%u: is not opened with IFF_TAP and IFF_NO_PI",
				 number);
	/* A copy of our own, which is closed at the end. */
	fd = fcntl((int)number, F_DUPFD_CLOEXEC, 0);
	if (fd < 0 || fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK))
		return error_set(err, -errno, "fd=%u: %m", number);
	tap->queues[0].fd = fd;
	tap->vnet = ifr.ifr_flags & IFF_VNET_HDR;
	memcpy(tap->name, ifr.ifr_name, sizeof(tap->name));
	return 0;
}

static void set_offloads(struct net_tap *tap)
{
	u64 *offloads = &tap->backend.info.offloads;
	unsigned int flags = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 |
			     TUN_F_TSO_ECN;
	int fd = tap->queues[0].fd;

	if (!tap->vnet || ioctl(fd, TUNSETOFFLOAD, flags))
		return;
	*offloads = NET_OFFLOADS_ALL & ~NET_OFFLOADS_USO;
	if (!ioctl(fd, TUNSETOFFLOAD, flags | TUN_F_USO4 | TUN_F_USO6))
		*offloads |= NET_OFFLOADS_USO;
	/* Nothing, until the guest says what it can take. */
	ioctl(fd, TUNSETOFFLOAD, 0);
}

static int set_header(struct net_tap *tap, struct error *err)
{
	int size = sizeof(struct net_hdr), little = 1;
	u32 i;

	for (i = 0; tap->vnet && i < tap->backend.lanes_nr; i++) {
		int fd = tap->queues[i].fd;

		if (ioctl(fd, TUNSETVNETHDRSZ, &size))
			return error_set(err, -errno,
					 "tap interface %s: header of 12 bytes: %m",
					 tap->name);
		/* The machine's own order anyway where this is not known. */
		ioctl(fd, TUNSETVNETLE, &little);
	}
	return 0;
}

static int give_address(const struct net_tap *tap,
			const struct net_config *config, struct error *err)
{
	const char *text = config->host_ip ? config->host_ip : DEFAULT_HOST_IP;
	struct ifreq ifr = { 0 };
	struct sockaddr_in *in = (struct sockaddr_in *)&ifr.ifr_addr;
	int fd, ret;

	in->sin_family = AF_INET;
	if (inet_pton(AF_INET, text, &in->sin_addr) != 1)
		return error_set(err, -EINVAL,
				 "host_ip=%.64s: is no IPv4 address", text);
	memcpy(ifr.ifr_name, tap->name, sizeof(ifr.ifr_name));
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_set(err, -errno, "socket: %m");
	ret = ioctl(fd, SIOCSIFADDR, &ifr);
	if (!ret) {
		inet_pton(AF_INET, "255.255.255.0", &in->sin_addr);
		ret = ioctl(fd, SIOCSIFNETMASK, &ifr);
	}
	if (!ret)
		ret = ioctl(fd, SIOCGIFFLAGS, &ifr);
	if (!ret) {
		ifr.ifr_flags |= IFF_UP;
		ret = ioctl(fd, SIOCSIFFLAGS, &ifr);
	}
	ret = ret ? -errno : 0;
	close(fd);
	return ret ? error_set(err, ret, "tap interface %s, address %s: %s",
			       tap->name, text, strerror(-ret)) : 0;
}

static int set_mac(const struct net_tap *tap, const char *text,
		   struct error *err)
{
	struct ifreq ifr = { 0 };
	u8 mac[ETH_ADDRESS];
	int ret = net_mac_parse(text, mac, err);

	if (ret)
		return error_prefix(err, "host_mac");
	memcpy(ifr.ifr_name, tap->name, sizeof(ifr.ifr_name));
	ifr.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	memcpy(ifr.ifr_hwaddr.sa_data, mac, sizeof(mac));
	if (ioctl(tap->queues[0].fd, SIOCSIFHWADDR, &ifr))
		return error_set(err, -errno, "tap interface %s: host_mac=%s: %m",
				 tap->name, text);
	return 0;
}

static bool is_script(const char *script)
{
	return script && strcmp(script, "none");
}

/* An interface that somebody else has made is as that one wants it. */
static int set_up(struct net_tap *tap, const struct net_config *config,
		  struct error *err)
{
	int ret = 0;

	if (config->host_mac)
		ret = set_mac(tap, config->host_mac, err);
	if (!ret && is_script(config->script))
		ret = run_script(config->script, tap->name, err);
	else if (!ret && !config->script && !config->tapif &&
		 config->fd == NET_NO_FD)
		ret = give_address(tap, config, err);
	if (ret || !is_script(config->downscript))
		return ret;
	tap->downscript = strdup(config->downscript);
	return tap->downscript ? 0 : error_set(err, -ENOMEM, "out of memory");
}

static int open_queues(struct net_tap *tap, const struct net_config *config,
		       struct error *err)
{
	const char *name = config->tapif ? config->tapif : TAP_NAME;
	u32 i;
	int ret = 0;

	/* It fits: net_config_check(). */
	snprintf(tap->name, sizeof(tap->name), "%s", name);
	tap->vnet = true;
	if (config->fd != NET_NO_FD)
		ret = take_fd(tap, config->fd, err);
	for (i = 0; !ret && config->fd == NET_NO_FD && i < config->mq; i++)
		ret = attach_queue(tap, i, err);
	for (i = 0; !ret && i < config->mq; i++) {
		tap->queues[i].buf = malloc(sizeof(struct net_hdr) +
					    NET_FRAME_MAX);
		if (!tap->queues[i].buf)
			ret = error_set(err, -ENOMEM, "out of memory");
	}
	return ret;
}

/**
 * net_tap_open() - open a tap interface
 * @config: how
 * @out: the back end
 * @err: why not
 *
 * Context: main loop; runs a script to its end.
 * Return: 0 or a negative errno.
 */
int net_tap_open(const struct net_config *config, struct net_backend **out,
		 struct error *err)
{
	struct net_tap *tap = calloc(1, sizeof(*tap));
	u32 i;
	int ret;

	if (!tap)
		return error_set(err, -ENOMEM, "out of memory");
	net_backend_init(&tap->backend, &tap_ops, config->mq);
	for (i = 0; i < NET_PAIRS_MAX; i++)
		tap->queues[i].fd = -1;
	ret = open_queues(tap, config, err);
	if (!ret)
		ret = set_header(tap, err);
	if (!ret)
		ret = set_up(tap, config, err);
	if (ret) {
		tap_close(&tap->backend);
		return ret;
	}
	set_offloads(tap);
	tap->backend.info.name = tap->name;
	atomic_store(&tap->backend.link, true);
	*out = &tap->backend;
	return 0;
}
