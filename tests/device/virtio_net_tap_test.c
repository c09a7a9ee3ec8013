// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the network card, on a tap interface
 *
 * Each test has a network of its own, in which it may do everything: as root,
 * or where the host lets anybody have one. At the host's end of the interface
 * is a packet socket.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "tests/device/test_virtio.h"
#include "virtio/net_spec.h"

#define HDR		sizeof(struct net_hdr)
#define ENTRIES		64
#define NO_NETWORK	"a network of one's own needs root here"
#define TYPE		0x88b5	/* for experiments: nobody else sends it */

#define F(name)		BIT_ULL(NET_F_##name)
#define WANTED		(VIRTIO_F_VERSION_1 | F(MAC) | F(STATUS) | \
			 F(MRG_RXBUF) | F(CTRL_VQ) | F(CTRL_RX))

FIXTURE(tap)
{
	struct vm *vm;
	struct virtio_driver drv;
	int wire;
	u64 buf;
	u8 *mem;
};

static bool own_network(void)
{
	return !unshare(CLONE_NEWNET) || !unshare(CLONE_NEWUSER | CLONE_NEWNET);
}

FIXTURE_SETUP(tap)
{
	self->wire = -1;
	if (!own_network() || access("/dev/net/tun", R_OK | W_OK))
		return;
	self->vm = testvm_create(16 * MIB);
}

FIXTURE_TEARDOWN(tap)
{
	if (self->vm)
		testvm_destroy(self->vm);
	if (self->wire >= 0)
		close(self->wire);
}

/* The host's end of tap0, with headers. */
static int open_wire(void)
{
	struct sockaddr_ll sa = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex("tap0"),
	};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
	int one = 1;

	if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one,
				 sizeof(one)) ||
	    bind(fd, (struct sockaddr *)&sa, sizeof(sa)))
		abort();
	return fd;
}

static struct device *card_up(struct vm *vm, struct virtio_driver *drv,
			      const char *options, u64 features, u16 queues)
{
	struct device *dev = testvm_add_pci(vm, "network", 0, TEST_SLOT,
					    options);
	u16 i;

	dev->class->ops->resume(dev);
	virtio_driver_init(drv, vm, TEST_SLOT);
	drv->timeout_ms = 10000;
	if (!virtio_driver_negotiate(drv, features))
		abort();
	for (i = 0; i < queues; i++)
		virtio_driver_queue(drv, i, ENTRIES);
	virtio_driver_ok(drv);
	return dev;
}

#define CARD_UP(options, features, queues)				\
	({								\
		struct device *__dev = card_up(self->vm, &self->drv,	\
					       options, features, queues); \
		self->buf = virtio_driver_alloc(&self->drv, MIB);	\
		self->mem = virtio_driver_ptr(&self->drv, self->buf, MIB); \
		self->wire = open_wire();				\
		__dev;							\
	})

/* A frame of our own kind from the wire: its length with the header. */
static ssize_t from_wire(int wire, struct vm *vm, u8 *buf, size_t max, u16 type)
{
	struct pollfd ready = { .fd = wire, .events = POLLIN };
	ssize_t n;
	int i;

	for (i = 0; i < 1000; i++) {
		testvm_poll(vm);
		if (poll(&ready, 1, 1) <= 0)
			continue;
		n = recv(wire, buf, max, 0);
		if (n >= 10 + ETH_HEADER && buf[22] == type >> 8 &&
		    buf[23] == (u8)type)
			return n;
	}
	return -1;
}

static void make_frame(u8 *frame, u32 len, u8 seed)
{
	u32 i;

	for (i = 0; i < len; i++)
		frame[i] = (u8)(i * 3 + seed);
	memcpy(frame, "\x02\x15\x15\x15\x15\x15\x02\x00\x00\x00\x00\x01", 12);
	frame[12] = TYPE >> 8;
	frame[13] = TYPE & 0xff;
}

static u8 command(struct virtio_driver *drv, u64 buf, u16 queue, u8 class,
		  u8 cmd, const void *data, u32 len)
{
	const struct virtio_buf bufs[] = {
		{ buf, 2, false }, { buf + 64, len, false },
		{ buf + 256, 1, true },
	};
	u8 *mem = virtio_driver_ptr(drv, buf, 257);

	mem[0] = class;
	mem[1] = cmd;
	memcpy(mem + 64, data, len);
	mem[256] = 0xee;
	virtio_driver_exec(&drv->vq[queue], bufs, 3, false);
	return mem[256];
}

TEST_F(tap, frames_go_out_and_come_in)
{
	struct virtio_buf out = { 0, HDR + 500, false };
	struct virtio_buf in = { 0, 2048, true };
	u8 frame[500], got[2048], wire[10 + 500] = { 0 };
	u32 i, len;
	u16 id;

	if (!self->vm)
		SKIP(return, NO_NETWORK);
	CARD_UP("tap", WANTED, 3);
	out.addr = self->buf;
	make_frame(frame, sizeof(frame), 1);
	for (i = 0; i < 3 * ENTRIES; i++) {
		frame[20] = (u8)i;
		memset(self->mem, 0, HDR);
		memcpy(self->mem + HDR, frame, sizeof(frame));
		ASSERT_EQ(0, virtio_driver_exec(&self->drv.vq[1], &out, 1,
						false));
		ASSERT_EQ(510, from_wire(self->wire, self->vm, got,
					 sizeof(got), TYPE));
		ASSERT_EQ(0, memcmp(frame, got + 10, sizeof(frame)));
	}
	memcpy(wire + 10, frame, sizeof(frame));
	ASSERT_EQ(510, send(self->wire, wire, sizeof(wire), 0));
	/* The host says something as well when an interface comes up. */
	for (i = 0; i < 100; i++) {
		in.addr = self->buf + 65536 + (i % 8) * 4096;
		virtio_driver_add(&self->drv.vq[0], &in, 1, false);
		virtio_driver_notify(&self->drv.vq[0]);
		ASSERT_TRUE(virtio_driver_wait(&self->drv.vq[0], &id, &len));
		if (!memcmp(self->mem + 65536 + (i % 8) * 4096 + HDR, frame,
			    sizeof(frame)))
			break;
	}
	EXPECT_EQ(HDR + sizeof(frame), len);
	EXPECT_GT(100, i);
}

/* 40 KB of TCP as one frame, with the checksum still to be made. */
static const u8 headers[] = {
	2, 0x15, 0x15, 0x15, 0x15, 0x15, 2, 0, 0, 0, 0, 1, 8, 0,
	0x45, 0, 0x9c, 0x68, 0, 0, 0x40, 0, 64, 6, 0, 0,
	192, 168, 33, 15, 192, 168, 33, 1,
	0x10, 0, 0x10, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 1, 0,
	0, 0, 0, 0,
};

/* As struct net_hdr, without the number of buffers. */
static const u8 segmented[10] = {
	NET_HDR_F_NEEDS_CSUM, NET_HDR_GSO_TCPV4, 54, 0, 1448 & 0xff, 1448 >> 8,
	34, 0, 16, 0,
};

#define SEGMENTS	(ETH_HEADER + 0x9c68U)

TEST_F(tap, segments_are_cut_by_whoever_is_best_at_it)
{
	const u32 len = SEGMENTS;
	u8 *got = malloc(65536);
	struct virtio_buf out = { 0, HDR + len, false };
	u64 features = WANTED | F(CSUM) | F(HOST_TSO4);

	if (!self->vm)
		SKIP(return, NO_NETWORK);
	CARD_UP("tap", features, 3);
	if (!(virtio_driver_offered(&self->drv) & F(HOST_TSO4)))
		SKIP(return, "this host's taps have no offloads");
	out.addr = self->buf;
	memset(self->mem, 0, HDR);
	memcpy(self->mem, segmented, sizeof(segmented));
	memset(self->mem + HDR, 0x5a, len);
	memcpy(self->mem + HDR, headers, sizeof(headers));
	ASSERT_EQ(0, virtio_driver_exec(&self->drv.vq[1], &out, 1, false));
	ASSERT_EQ(10 + len, from_wire(self->wire, self->vm, got, 65536, 0x800));
	EXPECT_EQ(NET_HDR_F_NEEDS_CSUM, got[0]);
	EXPECT_EQ(NET_HDR_GSO_TCPV4, got[1]);
	EXPECT_EQ(0, memcmp(got + 10 + 54, self->mem + HDR + 54, len - 54));
	free(got);
}

/* The last driver wanted segments, this one does not. */
TEST_F(tap, segments_do_not_outlive_a_reset)
{
	u64 features = WANTED | F(GUEST_CSUM) | F(GUEST_TSO4);
	struct virtio_vq *rx = &self->drv.vq[0];
	struct virtio_buf in = { 0, 2048, true };
	u8 *frame = calloc(1, 10 + SEGMENTS);
	u32 i, len, whole = 0;
	bool last = false;
	u16 id;

	if (!self->vm)
		SKIP(return, NO_NETWORK);
	CARD_UP("tap", features, 3);
	if (!(virtio_driver_offered(&self->drv) & F(GUEST_TSO4)))
		SKIP(return, "this host's taps have no offloads");
	memcpy(frame, segmented, sizeof(segmented));
	memcpy(frame + 10, headers, sizeof(headers));
	ASSERT_EQ(10 + SEGMENTS, send(self->wire, frame, 10 + SEGMENTS, 0));
	ASSERT_TRUE(virtio_driver_negotiate(&self->drv, WANTED));
	for (i = 0; i < 3; i++)
		virtio_driver_queue(&self->drv, (u16)i, ENTRIES);
	virtio_driver_ok(&self->drv);
	memset(frame, 0, 10);
	make_frame(frame + 10, 100, 9);
	ASSERT_EQ(110, send(self->wire, frame, 110, 0));
	for (i = 0; i < ENTRIES; i++) {
		in.addr = self->buf + i * 4096ULL;
		ASSERT_EQ((int)i, virtio_driver_add(rx, &in, 1, false));
	}
	virtio_driver_notify(rx);
	/* It is the last of all that have come. */
	while (!last) {
		const u8 *got;

		ASSERT_TRUE(virtio_driver_wait(rx, &id, &len));
		got = self->mem + id * 4096U;
		if (whole) {
			whole--;
			continue;
		}
		whole = got[10] - 1U;
		EXPECT_EQ(0, got[0]);
		EXPECT_EQ(NET_HDR_GSO_NONE, got[1]);
		last = !memcmp(got + HDR, frame + 10, 100);
	}
	free(frame);
}

TEST_F(tap, pairs_of_queues)
{
	static const u8 none[2], one[2] = { 1 }, two[2] = { 2 }, three[2] = { 3 };
	struct virtio_buf out = { 0, HDR + 100, false };
	u8 got[2048];
	u32 i;

	if (!self->vm)
		SKIP(return, NO_NETWORK);
	CARD_UP("tap,mq=2", WANTED | F(MQ), 5);
	out.addr = self->buf + 4096;
	EXPECT_EQ(2, testvm_mmio_read(self->vm, self->drv.config + 8, 2));
	EXPECT_EQ(NET_CTRL_ERR, command(&self->drv, self->buf, 4, NET_CTRL_MQ,
					0, none, 2));
	EXPECT_EQ(NET_CTRL_ERR, command(&self->drv, self->buf, 4, NET_CTRL_MQ,
					0, three, 2));
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(NET_CTRL_OK, command(&self->drv, self->buf, 4,
					       NET_CTRL_MQ, 0,
					       i % 2 ? one : two, 2));
		memset(self->mem + 4096, 0, HDR);
		make_frame(self->mem + 4096 + HDR, 100, (u8)i);
		ASSERT_EQ(0, virtio_driver_exec(&self->drv.vq[i % 2 ? 1 : 3],
						&out, 1, false));
		ASSERT_EQ(110, from_wire(self->wire, self->vm, got,
					 sizeof(got), TYPE));
		ASSERT_EQ(0, memcmp(got + 10, self->mem + 4096 + HDR, 100));
	}
}

TEST_F(tap, offloads_are_switched)
{
	__le64 none = cpu_to_le64(0), csum = cpu_to_le64(F(GUEST_CSUM));
	__le64 tso = cpu_to_le64(F(GUEST_CSUM) | F(GUEST_TSO4));

	if (!self->vm)
		SKIP(return, NO_NETWORK);
	CARD_UP("tap", WANTED | F(GUEST_CSUM) | F(CTRL_GUEST_OFFLOADS), 3);
	EXPECT_EQ(NET_CTRL_OK, command(&self->drv, self->buf, 2,
				       NET_CTRL_OFFLOADS, 0, &none, 8));
	EXPECT_EQ(NET_CTRL_OK, command(&self->drv, self->buf, 2,
				       NET_CTRL_OFFLOADS, 0, &csum, 8));
	/* Not negotiated. */
	EXPECT_EQ(NET_CTRL_ERR, command(&self->drv, self->buf, 2,
					NET_CTRL_OFFLOADS, 0, &tso, 8));
}

TEST_F(tap, an_interface_has_one_user)
{
	struct error err = ERROR_INIT;
	struct device *dev;

	if (!self->vm)
		SKIP(return, NO_NETWORK);
	CARD_UP("tap", WANTED, 3);
	EXPECT_EQ(-EBUSY, testvm_try_add(self->vm, "network", 1, TEST_SLOT + 1,
					 "tap,tapif=tap0", &dev, &err));
	EXPECT_NE(NULL, strstr(err.text, "somebody else uses it"));
}

TEST_F(tap, a_descriptor_is_inherited)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	struct virtio_buf out = { 0, HDR + 100, false };
	char options[32];
	u8 got[2048];

	if (!self->vm)
		SKIP(return, NO_NETWORK);
	memcpy(ifr.ifr_name, "tap0", 5);
	ASSERT_EQ(0, ioctl(fd, TUNSETIFF, &ifr));
	ASSERT_EQ(0, system("ip link set tap0 up"));
	snprintf(options, sizeof(options), "tap,fd=%d", fd);
	CARD_UP(options, WANTED, 3);
	/* Opened without room for headers, so there are no offloads. */
	EXPECT_EQ(0, virtio_driver_offered(&self->drv) & NET_OFFLOADS_ALL);
	out.addr = self->buf;
	memset(self->mem, 0, HDR);
	make_frame(self->mem + HDR, 100, 7);
	ASSERT_EQ(0, virtio_driver_exec(&self->drv.vq[1], &out, 1, false));
	ASSERT_EQ(110, from_wire(self->wire, self->vm, got, sizeof(got),
				 TYPE));
	EXPECT_EQ(0, memcmp(got + 10, self->mem + HDR, 100));
	close(fd);
}

TEST_F(tap, an_interface_that_goes_takes_the_link_along)
{
	struct virtio_buf in = { 0, 2048, true };
	u32 i;

	if (!self->vm)
		SKIP(return, NO_NETWORK);
	CARD_UP("tap", WANTED, 3);
	in.addr = self->buf;
	for (i = 0; i < 32; i++)
		virtio_driver_add(&self->drv.vq[0], &in, 1, false);
	virtio_driver_notify(&self->drv.vq[0]);
	EXPECT_EQ(NET_S_LINK_UP, testvm_mmio_read(self->vm,
						  self->drv.config + 6, 2));
	ASSERT_EQ(0, system("ip link del tap0"));
	for (i = 0; i < 3000 && testvm_mmio_read(self->vm,
						 self->drv.config + 6, 2); i++) {
		testvm_poll(self->vm);
		usleep(1000);
	}
	EXPECT_EQ(0, testvm_mmio_read(self->vm, self->drv.config + 6, 2));
}

TEST_HARNESS_MAIN
