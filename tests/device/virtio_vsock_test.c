// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the socket device, from a driver's queues to sockets of the host
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include "tests/lib/harness.h"
#include "tests/lib/random.h"
#include "tests/lib/testvm.h"
#include "tests/lib/virtio_driver.h"
#include "virtio/virtio.h"
#include "virtio/vsock_conn.h"
#include "virtio/vsock_spec.h"
#include "vmm/base/math.h"

#define SLOT		3
#define RAM		(32 * MIB)
#define CID		5
#define GUEST_PORT	900
#define HOST_PORT	700
#define RX_ENTRIES	16
#define RX_BYTES	4096
#define HDR		sizeof(struct vsock_hdr)
#define PATIENCE_MS	3000

/**
 * struct guest - a driver's view
 * @drv: the driver
 * @rx_addr: buffer of each identifier
 * @tx: where packets are put together
 * @hdr: the last packet received
 * @data: its payload
 * @len: bytes of it
 * @taken: bytes received in all, for the credit
 */
struct guest {
	struct virtio_driver drv;
	u64 rx_addr[256];
	u64 tx;
	struct vsock_hdr hdr;
	u8 data[RX_BYTES];
	u32 len;
	u32 taken;
};

FIXTURE(vsock)
{
	struct vm *vm;
	struct device *dev;
	struct guest g;
	char dir[64];
	char path[96];
	struct error err;
};

FIXTURE_VARIANT(vsock)
{
	u64 features;
};

FIXTURE_VARIANT_ADD(vsock, split)
{
	.features = VIRTIO_F_VERSION_1,
};

FIXTURE_VARIANT_ADD(vsock, packed_event)
{
	.features = VIRTIO_F_VERSION_1 | VIRTIO_F_RING_PACKED |
		    VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC,
};

static void rx_offer(struct guest *g, u64 addr)
{
	const struct virtio_buf buf = { addr, RX_BYTES, true };
	int id = virtio_driver_add(&g->drv.vq[VSOCK_QUEUE_RX], &buf, 1, false);

	assert(id >= 0 && id < (int)ARRAY_SIZE(g->rx_addr));
	g->rx_addr[id] = addr;
}

static void guest_start(struct guest *g, u64 features, bool with_buffers)
{
	u32 i;

	assert(virtio_driver_negotiate(&g->drv, features));
	for (i = 0; i < VSOCK_QUEUES; i++)
		virtio_driver_queue(&g->drv, (u16)i, i ? 8 : RX_ENTRIES);
	virtio_driver_ok(&g->drv);
	g->tx = virtio_driver_alloc(&g->drv, 256 << 10);
	for (i = 0; with_buffers && i < RX_ENTRIES; i++)
		rx_offer(g, virtio_driver_alloc(&g->drv, RX_BYTES));
	virtio_driver_notify(&g->drv.vq[VSOCK_QUEUE_RX]);
}

FIXTURE_SETUP(vsock)
{
	char options[128];

	strcpy(self->dir, "/tmp/vsock-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	snprintf(self->path, sizeof(self->path), "%s/v", self->dir);
	snprintf(options, sizeof(options), "%d,path=%s", CID, self->path);
	memset(&self->err, 0, sizeof(self->err));
	self->vm = testvm_create(RAM);
	self->dev = testvm_add_pci(self->vm, "vsock", 0, SLOT, options);
	memset(&self->g, 0, sizeof(self->g));
	virtio_driver_init(&self->g.drv, self->vm, SLOT);
	guest_start(&self->g, variant->features, true);
}

FIXTURE_TEARDOWN(vsock)
{
	char path[128];

	testvm_destroy(self->vm);
	/* It leaves nothing behind. */
	EXPECT_NE(0, access(self->path, F_OK));
	snprintf(path, sizeof(path), "%s_%u", self->path, HOST_PORT);
	unlink(path);
	EXPECT_EQ(0, rmdir(self->dir));
}

/* ---- the guest ------------------------------------------------------------- */

static struct vsock_hdr header(u32 op, u32 len, const struct guest *g)
{
	return (struct vsock_hdr){
		.src_cid = cpu_to_le64(CID),
		.dst_cid = cpu_to_le64(VSOCK_CID_HOST),
		.src_port = cpu_to_le32(GUEST_PORT),
		.dst_port = cpu_to_le32(HOST_PORT),
		.len = cpu_to_le32(len),
		.type = cpu_to_le16(VSOCK_TYPE_STREAM),
		.op = cpu_to_le16((u16)op),
		.buf_alloc = cpu_to_le32(1 << 16),
		.fwd_cnt = cpu_to_le32(g->taken),
	};
}

/* Header and payload in two buffers; false when the device does not take it. */
static bool send_raw(struct guest *g, const struct vsock_hdr *hdr,
		     const void *data, u32 len)
{
	struct virtio_vq *vq = &g->drv.vq[VSOCK_QUEUE_TX];
	const struct virtio_buf bufs[] = {
		{ g->tx, HDR, false }, { g->tx + 4096, len, false },
	};
	u16 id;

	memcpy(virtio_driver_ptr(&g->drv, g->tx, HDR), hdr, HDR);
	if (len)
		memcpy(virtio_driver_ptr(&g->drv, g->tx + 4096, len), data,
		       len);
	if (virtio_driver_add(vq, bufs, len ? 2 : 1, false) < 0)
		return false;
	virtio_driver_notify(vq);
	return virtio_driver_wait(vq, &id, &len);
}

static bool send_op(struct guest *g, u32 op)
{
	struct vsock_hdr hdr = header(op, 0, g);

	return send_raw(g, &hdr, NULL, 0);
}

static bool send_shutdown(struct guest *g, u32 flags)
{
	struct vsock_hdr hdr = header(VSOCK_OP_SHUTDOWN, 0, g);

	hdr.flags = cpu_to_le32(flags);
	return send_raw(g, &hdr, NULL, 0);
}

static bool send_data(struct guest *g, const void *data, u32 len)
{
	struct vsock_hdr hdr = header(VSOCK_OP_RW, len, g);

	return send_raw(g, &hdr, data, len);
}

static void take_buffer(struct guest *g, u16 id, u32 len)
{
	const u8 *p = virtio_driver_ptr(&g->drv, g->rx_addr[id], RX_BYTES);

	assert(len >= HDR && len <= RX_BYTES);
	memcpy(&g->hdr, p, HDR);
	g->len = len - (u32)HDR;
	assert(g->len == le32_to_cpu(g->hdr.len));
	memcpy(g->data, p + HDR, g->len);
	g->taken += g->len;
	rx_offer(g, g->rx_addr[id]);
	virtio_driver_notify(&g->drv.vq[VSOCK_QUEUE_RX]);
}

/* The operation of the next packet, 0 when there is none. */
static u32 next(struct guest *g)
{
	u32 len;
	u16 id;

	if (!virtio_driver_wait(&g->drv.vq[VSOCK_QUEUE_RX], &id, &len))
		return 0;
	take_buffer(g, id, len);
	return le16_to_cpu(g->hdr.op);
}

/* The next but for what is only about credit. */
static u32 next_real(struct guest *g)
{
	u32 op;

	do
		op = next(g);
	while (op == VSOCK_OP_CREDIT_UPDATE || op == VSOCK_OP_CREDIT_REQUEST);
	return op;
}

static bool is_quiet(struct guest *g)
{
	return virtio_driver_quiet(&g->drv.vq[VSOCK_QUEUE_RX], 30);
}

/* ---- the host -------------------------------------------------------------- */

static struct sockaddr_un address(const char *path, u32 port)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	if (port)
		snprintf(addr.sun_path, sizeof(addr.sun_path), "%s_%u", path,
			 port);
	else
		snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	return addr;
}

static int host_listen(const char *path, u32 port)
{
	struct sockaddr_un addr = address(path, port);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 8))
		return -1;
	return fd;
}

static int host_call(const char *path, const char *line)
{
	struct sockaddr_un addr = address(path, 0);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    send(fd, line, strlen(line), MSG_NOSIGNAL) < 0)
		return -1;
	return fd;
}

/* Reads @len bytes, or up to the end; -1 for an error or nothing in time. */
static ssize_t host_take(int fd, void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t n = -1;

		if (poll(&p, 1, PATIENCE_MS) == 1)
			n = read(fd, (u8 *)buf + done, len - done);
		if (n < 0)
			return -1;
		if (!n)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static bool host_ended(int fd)
{
	u8 byte;

	return host_take(fd, &byte, 1) == 0;
}

/* A connection that the guest has begun; gives the host's end. */
static int open_from_guest(struct guest *g, const char *path)
{
	int listener = host_listen(path, HOST_PORT), fd;
	char name[128];

	assert(listener >= 0);
	assert(send_op(g, VSOCK_OP_REQUEST));
	assert(next(g) == VSOCK_OP_RESPONSE);
	fd = accept(listener, NULL, NULL);
	close(listener);
	snprintf(name, sizeof(name), "%s_%u", path, HOST_PORT);
	unlink(name);
	return fd;
}

/* ---- tests ----------------------------------------------------------------- */

TEST_F(vsock, the_guest_reads_its_address)
{
	EXPECT_EQ(CID, testvm_mmio_read(self->vm, self->g.drv.config, 8));
	EXPECT_EQ(0, virtio_driver_offered(&self->g.drv) & 0xffffff);
}

TEST_F(vsock, a_guest_connects)
{
	struct guest *g = &self->g;
	char buf[16];
	int fd = open_from_guest(g, self->path);

	ASSERT_LE(0, fd);
	EXPECT_EQ(VSOCK_CID_HOST, le64_to_cpu(g->hdr.src_cid));
	EXPECT_EQ(CID, le64_to_cpu(g->hdr.dst_cid));
	EXPECT_EQ(HOST_PORT, le32_to_cpu(g->hdr.src_port));
	EXPECT_EQ(GUEST_PORT, le32_to_cpu(g->hdr.dst_port));
	ASSERT_TRUE(send_data(g, "to the host", 11));
	ASSERT_EQ(11, host_take(fd, buf, 11));
	EXPECT_EQ(0, memcmp(buf, "to the host", 11));
	ASSERT_EQ(12, write(fd, "to the guest", 12));
	ASSERT_EQ(VSOCK_OP_RW, next(g));
	ASSERT_EQ(12, g->len);
	EXPECT_EQ(0, memcmp(g->data, "to the guest", 12));
	EXPECT_EQ(11, le32_to_cpu(g->hdr.fwd_cnt));
	/* The guest closes. */
	ASSERT_TRUE(send_shutdown(g, VSOCK_SHUTDOWN_BOTH));
	EXPECT_EQ(VSOCK_OP_RST, next(g));
	EXPECT_TRUE(host_ended(fd));
	close(fd);
	/* Nobody listens any more. */
	ASSERT_TRUE(send_op(g, VSOCK_OP_REQUEST));
	EXPECT_EQ(VSOCK_OP_RST, next(g));
}

TEST_F(vsock, the_host_connects)
{
	struct guest *g = &self->g;
	struct vsock_hdr hdr;
	char line[32] = "", expected[32];
	u32 port;
	int fd;

	/* What comes with the line is data. */
	fd = host_call(self->path, "CONNECT 900\nhello");
	ASSERT_LE(0, fd);
	ASSERT_EQ(VSOCK_OP_REQUEST, next(g));
	EXPECT_EQ(900, le32_to_cpu(g->hdr.dst_port));
	port = le32_to_cpu(g->hdr.src_port);
	hdr = header(VSOCK_OP_RESPONSE, 0, g);
	hdr.dst_port = cpu_to_le32(port);
	ASSERT_TRUE(send_raw(g, &hdr, NULL, 0));
	snprintf(expected, sizeof(expected), "OK %u\n", port);
	ASSERT_EQ((ssize_t)strlen(expected),
		  host_take(fd, line, strlen(expected)));
	EXPECT_STREQ(expected, line);
	ASSERT_EQ(VSOCK_OP_RW, next(g));
	ASSERT_EQ(5, g->len);
	EXPECT_EQ(0, memcmp(g->data, "hello", 5));
	/* The host closes. */
	close(fd);
	ASSERT_EQ(VSOCK_OP_SHUTDOWN, next(g));
	EXPECT_EQ(VSOCK_SHUTDOWN_BOTH, le32_to_cpu(g->hdr.flags));
	hdr.op = cpu_to_le16(VSOCK_OP_RST);
	ASSERT_TRUE(send_raw(g, &hdr, NULL, 0));
	EXPECT_TRUE(is_quiet(g));
	/* Refused: the program sees the end. */
	fd = host_call(self->path, "CONNECT 901\n");
	ASSERT_EQ(VSOCK_OP_REQUEST, next(g));
	hdr.dst_port = g->hdr.src_port;
	hdr.src_port = g->hdr.dst_port;
	ASSERT_TRUE(send_raw(g, &hdr, NULL, 0));
	EXPECT_TRUE(host_ended(fd));
	close(fd);
}

TEST_F(vsock, lines_that_will_not_do)
{
	static const char *const bad[] = {
		"\n", "CONNECT\n", "CONNECT\040\n", "CONNECT x\n", "connect 1\n",
		"CONNECT 1\040\n", "CONNECT -1\n", "CONNECT 4294967296\n",
		"CONNECT 00000000000000000000000000000000000001\n",
		"GET / HTTP/1.1\r\nHost: here and there and nowhere\r\n",
	};
	struct guest *g = &self->g;
	int fd[80];
	u32 i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		fd[0] = host_call(self->path, bad[i]);
		ASSERT_LE(0, fd[0]);
		EXPECT_GE(0, host_take(fd[0], &fd[1], 1)) {
			TH_LOG("%s", bad[i]);
		}
		close(fd[0]);
	}
	EXPECT_TRUE(is_quiet(g));
	/* In pieces it is a line as well, whoever else says nothing. */
	for (i = 0; i < ARRAY_SIZE(fd); i++)
		fd[i] = host_call(self->path, "CONNECT ");
	ASSERT_EQ(2, write(fd[0], "42", 2));
	EXPECT_TRUE(is_quiet(g));
	ASSERT_EQ(1, write(fd[0], "\n", 1));
	ASSERT_EQ(VSOCK_OP_REQUEST, next(g));
	EXPECT_EQ(42, le32_to_cpu(g->hdr.dst_port));
	/* More than it listens to at a time: they get their turn. */
	for (i = 1; i < ARRAY_SIZE(fd) - 1; i++)
		close(fd[i]);
	ASSERT_EQ(4, write(fd[i], "430\n", 4));
	ASSERT_EQ(VSOCK_OP_REQUEST, next(g));
	EXPECT_EQ(430, le32_to_cpu(g->hdr.dst_port));
	close(fd[0]);
	close(fd[i]);
}

TEST_F(vsock, packets_of_strangers_are_dropped)
{
	struct guest *g = &self->g;
	struct vsock_hdr hdr = header(VSOCK_OP_REQUEST, 0, g);
	struct virtio_vq *vq = &g->drv.vq[VSOCK_QUEUE_TX];
	struct virtio_buf buf = { g->tx, HDR - 1, false };
	u32 len;
	u16 id;

	hdr.src_cid = cpu_to_le64(CID + 1);
	ASSERT_TRUE(send_raw(g, &hdr, NULL, 0));
	hdr.src_cid = cpu_to_le64(CID | 1ULL << 32);
	ASSERT_TRUE(send_raw(g, &hdr, NULL, 0));
	hdr = header(VSOCK_OP_REQUEST, 0, g);
	hdr.dst_cid = cpu_to_le64(1);
	ASSERT_TRUE(send_raw(g, &hdr, NULL, 0));
	/* Payload that is not there. */
	hdr = header(VSOCK_OP_RW, 1, g);
	ASSERT_TRUE(send_raw(g, &hdr, NULL, 0));
	hdr.len = cpu_to_le32(UINT32_MAX);
	ASSERT_TRUE(send_raw(g, &hdr, "xy", 2));
	/* Not even a header; and nothing to be read. */
	ASSERT_LE(0, virtio_driver_add(vq, &buf, 1, false));
	virtio_driver_notify(vq);
	ASSERT_TRUE(virtio_driver_wait(vq, &id, &len));
	buf.in = true;
	ASSERT_LE(0, virtio_driver_add(vq, &buf, 1, false));
	virtio_driver_notify(vq);
	ASSERT_TRUE(virtio_driver_wait(vq, &id, &len));
	EXPECT_TRUE(is_quiet(g));
	/* It goes on. */
	ASSERT_TRUE(send_op(g, VSOCK_OP_RW));
	EXPECT_EQ(VSOCK_OP_RST, next(g));
}

TEST_F(vsock, a_buffer_too_small_for_a_packet)
{
	struct guest *g = &self->g;
	struct virtio_buf buf = { g->tx, HDR, true };
	u32 i;

	virtio_driver_reset(&g->drv);
	guest_start(g, variant->features, false);
	for (i = 0; i < 4; i++)
		virtio_driver_add(&g->drv.vq[VSOCK_QUEUE_RX], &buf, 1, false);
	virtio_driver_notify(&g->drv.vq[VSOCK_QUEUE_RX]);
	send_op(g, VSOCK_OP_RW);
	EXPECT_TRUE(virtio_driver_wait_status(&g->drv,
					      VIRTIO_STATUS_NEEDS_RESET,
					      VIRTIO_STATUS_NEEDS_RESET));
	/* And after a reset all is well. */
	virtio_driver_reset(&g->drv);
	guest_start(g, variant->features, true);
	ASSERT_TRUE(send_op(g, VSOCK_OP_RW));
	EXPECT_EQ(VSOCK_OP_RST, next(g));
}

TEST_F(vsock, answers_wait_for_buffers_and_packets_for_answers)
{
	struct guest *g = &self->g;
	struct virtio_vq *vq = &g->drv.vq[VSOCK_QUEUE_TX];
	struct virtio_buf buf = { .len = HDR };
	struct vsock_hdr hdr = header(VSOCK_OP_RW, 0, g);
	u32 sent = 0, i, len;
	u16 id;

	virtio_driver_reset(&g->drv);
	guest_start(g, variant->features, false);
	buf.addr = g->tx;
	memcpy(virtio_driver_ptr(&g->drv, g->tx, HDR), &hdr, HDR);
	do {
		while (virtio_driver_add(vq, &buf, 1, false) >= 0)
			sent++;
		virtio_driver_notify(vq);
		g->drv.timeout_ms = 500;
	} while (virtio_driver_wait(vq, &id, &len) && sent < 1000);
	/* It takes no more than it can answer; the rest is in the queue. */
	EXPECT_EQ(VSOCK_REPLIES_MAX + 8, sent);
	g->drv.timeout_ms = PATIENCE_MS;
	for (i = 0; i < RX_ENTRIES; i++)
		rx_offer(g, virtio_driver_alloc(&g->drv, RX_BYTES));
	virtio_driver_notify(&g->drv.vq[VSOCK_QUEUE_RX]);
	for (i = 0; i < sent; i++)
		ASSERT_EQ(VSOCK_OP_RST, next(g));
	EXPECT_TRUE(is_quiet(g));
}

/* What a program of the host writes and reads at random, in the background. */
struct bulk {
	int fd;
	u32 bytes;
	u32 sent;
	u32 got;
	bool wrong;
	struct test_random rnd;
};

static u8 bulk_byte(u32 at)
{
	return (u8)(at % 251 * 3 + 1);
}

static void bulk_step(struct bulk *b)
{
	u8 buf[9000];
	ssize_t n, i;
	u32 len = 1 + (u32)test_random_below(&b->rnd, sizeof(buf));

	n = recv(b->fd, buf, len, MSG_DONTWAIT);
	for (i = 0; i < n; i++)
		b->wrong |= buf[i] != bulk_byte(b->got + (u32)i);
	b->got += n > 0 ? (u32)n : 0;
	len = min_of(len, b->bytes - b->sent);
	for (i = 0; i < (ssize_t)len; i++)
		buf[i] = bulk_byte(b->sent + (u32)i);
	n = len ? send(b->fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
	b->sent += n > 0 ? (u32)n : 0;
}

TEST_F(vsock, megabytes_both_ways)
{
	struct guest *g = &self->g;
	struct bulk b = { .fd = open_from_guest(g, self->path),
			  .bytes = 3 * MIB };
	u32 sent = 0, told = 0, got = 0, idle = 0, len, i;
	u8 buf[5000];
	u16 id;

	TH_LOG("seed %llu", (unsigned long long)test_random_init(&b.rnd));
	ASSERT_LE(0, b.fd);
	while ((got < b.bytes || b.got < b.bytes) && idle < 5000) {
		u32 before = got + b.got;

		bulk_step(&b);
		len = min_of((u32)sizeof(buf), b.bytes - sent);
		len = min_of(len, VSOCK_BUF_BYTES - (sent - told));
		for (i = 0; i < len; i++)
			buf[i] = bulk_byte(sent + i);
		/* Without data it tells how much it has taken. */
		ASSERT_TRUE(send_data(g, buf, len));
		sent += len;
		while (virtio_driver_reap(&g->drv.vq[VSOCK_QUEUE_RX], &id,
					  &len)) {
			take_buffer(g, id, len);
			told = le32_to_cpu(g->hdr.fwd_cnt);
			for (i = 0; i < g->len; i++)
				b.wrong |= g->data[i] != bulk_byte(got + i);
			got += g->len;
		}
		idle = got + b.got == before ? idle + 1 : 0;
	}
	EXPECT_EQ(b.bytes, got);
	EXPECT_EQ(b.bytes, b.got);
	EXPECT_FALSE(b.wrong);
	close(b.fd);
}

TEST_F(vsock, one_half_ends_before_the_other)
{
	struct guest *g = &self->g;
	int fd = open_from_guest(g, self->path);
	char buf[8];

	ASSERT_TRUE(send_data(g, "last", 4));
	ASSERT_TRUE(send_shutdown(g, VSOCK_SHUTDOWN_SEND));
	ASSERT_EQ(4, host_take(fd, buf, sizeof(buf)));
	ASSERT_EQ(5, write(fd, "first", 5));
	ASSERT_EQ(VSOCK_OP_RW, next(g));
	EXPECT_EQ(5, g->len);
	ASSERT_EQ(0, shutdown(fd, SHUT_WR));
	ASSERT_EQ(VSOCK_OP_SHUTDOWN, next_real(g));
	EXPECT_EQ(VSOCK_SHUTDOWN_BOTH, le32_to_cpu(g->hdr.flags));
	ASSERT_TRUE(send_op(g, VSOCK_OP_RST));
	EXPECT_TRUE(is_quiet(g));
	close(fd);
}

TEST_F(vsock, a_reset_at_any_time)
{
	struct guest *g = &self->g;
	u8 buf[4096] = { 0 };
	u32 state, i;
	int fd;

	for (state = 0; state < 6; state++) {
		switch (state) {
		case 0:	/* The host has asked. */
			fd = host_call(self->path, "CONNECT 900\n");
			ASSERT_EQ(VSOCK_OP_REQUEST, next(g));
			break;
		case 1:	/* It is about to ask. */
			fd = host_call(self->path, "CONNECT 9");
			break;
		default:
			fd = open_from_guest(g, self->path);
		}
		if (state == 3) /* Data wait for the host. */
			for (i = 0; i < 25; i++)
				ASSERT_TRUE(send_data(g, buf, sizeof(buf)));
		if (state == 4) { /* The host has closed. */
			close(fd);
			ASSERT_EQ(VSOCK_OP_SHUTDOWN, next(g));
			fd = -1;
		}
		if (state == 5) /* Data wait for the guest. */
			for (i = 0; i < 40; i++)
				ASSERT_EQ(4096, write(fd, buf, sizeof(buf)));
		virtio_driver_reset(&g->drv);
		g->taken = 0;
		guest_start(g, variant->features, true);
		EXPECT_TRUE(is_quiet(g)) {
			TH_LOG("state %u", state);
		}
		if (state != 1 && fd >= 0) {
			while (host_take(fd, buf, 1) == 1)
				;
		} else if (fd >= 0) {
			ASSERT_EQ(3, write(fd, "00\n", 3));
			ASSERT_EQ(VSOCK_OP_REQUEST, next(g));
			ASSERT_EQ(900, le32_to_cpu(g->hdr.dst_port));
		}
		if (fd >= 0)
			close(fd);
		virtio_driver_reset(&g->drv);
		guest_start(g, variant->features, true);
	}
	fd = open_from_guest(g, self->path);
	EXPECT_LE(0, fd);
	close(fd);
}

TEST_F(vsock, without_a_driver_callers_are_turned_away)
{
	int fd;

	virtio_driver_reset(&self->g.drv);
	fd = host_call(self->path, "CONNECT 1\n");
	ASSERT_LE(0, fd);
	EXPECT_TRUE(host_ended(fd));
	close(fd);
}

TEST_F(vsock, a_pause_loses_nothing)
{
	const struct device_ops *ops = self->dev->class->ops;
	struct guest *g = &self->g;
	int fd = open_from_guest(g, self->path), caller;
	struct pollfd p;
	char buf[8];
	u32 op;

	ASSERT_EQ(0, ops->quiesce(self->dev, &self->err));
	ASSERT_EQ(4, write(fd, "wait", 4));
	caller = host_call(self->path, "CONNECT 8\n");
	ASSERT_LE(0, caller);
	EXPECT_TRUE(is_quiet(g));
	p = (struct pollfd){ .fd = caller, .events = POLLIN };
	EXPECT_EQ(0, poll(&p, 1, 20));
	ops->resume(self->dev);
	/* Both, in either order. */
	op = next(g);
	EXPECT_EQ(VSOCK_OP_REQUEST + VSOCK_OP_RW, op + next(g));
	ASSERT_TRUE(send_data(g, "on", 2));
	ASSERT_EQ(2, host_take(fd, buf, 2));
	/* No connection was lost, so there is no event. */
	EXPECT_EQ(0, self->g.drv.vq[VSOCK_QUEUE_EVENT].used);
	close(fd);
	close(caller);
}

static u32 take_event(struct guest *g, u64 addr)
{
	struct virtio_vq *vq = &g->drv.vq[VSOCK_QUEUE_EVENT];
	u32 len = 0, id32;
	u16 id;

	if (!virtio_driver_wait(vq, &id, &len) || len != 4)
		return UINT32_MAX;
	memcpy(&id32, virtio_driver_ptr(&g->drv, addr, 4), 4);
	return id32;
}

static void offer_event(struct guest *g, u64 addr)
{
	const struct virtio_buf buf = { addr, 8, true };

	memset(virtio_driver_ptr(&g->drv, addr, 8), 0xff, 8);
	assert(virtio_driver_add(&g->drv.vq[VSOCK_QUEUE_EVENT], &buf, 1,
				 false) >= 0);
	virtio_driver_notify(&g->drv.vq[VSOCK_QUEUE_EVENT]);
}

TEST_F(vsock, who_is_restored_hears_that_connections_are_gone)
{
	const struct device_ops *ops = self->dev->class->ops;
	struct guest *g = &self->g;
	u64 addr = virtio_driver_alloc(&g->drv, 64);
	void *state, *again;
	u32 round;
	int fd;

	offer_event(g, addr);
	for (round = 0; round < 2; round++) {
		fd = open_from_guest(g, self->path);
		ASSERT_EQ(0, ops->quiesce(self->dev, &self->err));
		state = testvm_save(self->dev);
		ASSERT_EQ(0, testvm_load(self->dev, state, &self->err));
		EXPECT_TRUE(host_ended(fd));
		/* Saved once more before the guest has heard of it. */
		again = testvm_save(self->dev);
		EXPECT_EQ(0, memcmp(state, again,
				    self->dev->class->state->size));
		ops->resume(self->dev);
		EXPECT_EQ(VSOCK_EVENT_TRANSPORT_RESET, take_event(g, addr));
		/* It does not know the connection any more. */
		ASSERT_TRUE(send_op(g, VSOCK_OP_RW));
		EXPECT_EQ(VSOCK_OP_RST, next(g));
		offer_event(g, addr);
		close(fd);
		free(state);
		free(again);
	}
	/* Without a connection there is nothing to be heard. */
	ASSERT_EQ(0, ops->quiesce(self->dev, &self->err));
	state = testvm_save(self->dev);
	ASSERT_EQ(0, testvm_load(self->dev, state, &self->err));
	ops->resume(self->dev);
	EXPECT_TRUE(virtio_driver_quiet(&g->drv.vq[VSOCK_QUEUE_EVENT], 30));
	fd = open_from_guest(g, self->path);
	EXPECT_LE(0, fd);
	close(fd);
	free(state);
}

static int try(struct vm *vm, const char *options, struct error *err)
{
	struct device *dev;

	return testvm_try_add(vm, "vsock", 1, 4, options, &dev, err);
}

TEST_F(vsock, what_cannot_be_is_told_in_a_line)
{
	char text[256], other[96], line[200];
	struct sockaddr_un addr;
	struct device *dev;
	struct stat st;
	int fd;

	EXPECT_EQ(-EINVAL, try(self->vm, "5", &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "name its socket with path="));
	snprintf(other, sizeof(other), "%s/o", self->dir);
	memset(line, 'x', sizeof(line));
	snprintf(text, sizeof(text), "5,path=/%.120s", line);
	EXPECT_EQ(-EINVAL, try(self->vm, text, &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "too long"));

	/* The one that listens there, a file, a folder that is not there. */
	snprintf(text, sizeof(text), "5,path=%s", self->path);
	EXPECT_EQ(-EEXIST, try(self->vm, text, &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "another program listens"));
	close(open(other, O_CREAT | O_WRONLY, 0600));
	snprintf(text, sizeof(text), "5,path=%s", other);
	EXPECT_EQ(-EEXIST, try(self->vm, text, &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "is there already"));
	EXPECT_EQ(0, unlink(other));
	snprintf(text, sizeof(text), "5,path=%s/no/where", self->dir);
	EXPECT_EQ(-ENOENT, try(self->vm, text, &self->err));

	/* What a killed machine has left is replaced. */
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	addr = address(other, 0);
	ASSERT_EQ(0, bind(fd, (struct sockaddr *)&addr, sizeof(addr)));
	close(fd);
	snprintf(text, sizeof(text), "5,path=%s", other);
	ASSERT_EQ(0, testvm_try_add(self->vm, "vsock", 1, 4, text, &dev,
				    &self->err));
	ASSERT_EQ(0, stat(other, &st));
	EXPECT_EQ(0600, st.st_mode & 0777);
	/* What somebody has put in its place stays. */
	ASSERT_EQ(0, unlink(other));
	close(open(other, O_CREAT | O_WRONLY, 0600));
	device_destroy(dev);
	EXPECT_EQ(0, unlink(other));
}

TEST_HARNESS_MAIN
