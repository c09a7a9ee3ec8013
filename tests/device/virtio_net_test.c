// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the network card, on a stand-in for passt
 *
 * The test is the driver at one end of the wire and passt at the other, with
 * four kinds of rings.
 */
#include <sys/socket.h>

#include "tests/device/test_virtio.h"
#include "tests/lib/fake_passt.h"
#include "virtio/net_spec.h"

#define RX		(&self->drv.vq[0])
#define TX		(&self->drv.vq[1])
#define CTRL		(&self->drv.vq[2])
#define HDR		sizeof(struct net_hdr)
#define ENTRIES		64
#define OPTIONS		"mode=user,guest_mac=02:00:00:00:00:07"

#define F(name)		BIT_ULL(NET_F_##name)
#define WANTED		(F(MAC) | F(STATUS) | F(MRG_RXBUF) | F(CTRL_VQ) | \
			 F(CTRL_RX) | F(CTRL_RX_EXTRA) | F(CTRL_MAC_ADDR) | \
			 F(GUEST_ANNOUNCE))

FIXTURE(net)
{
	struct vm *vm;
	struct device *dev;
	struct virtio_driver drv;
	struct fake_passt passt;
	u64 buf;
	u8 *mem;
};

FIXTURE_VARIANT(net)
{
	u64 features;
};

FIXTURE_VARIANT_ADD(net, split) { .features = RING_SPLIT };
FIXTURE_VARIANT_ADD(net, split_event) { .features = RING_SPLIT_EVENT };
FIXTURE_VARIANT_ADD(net, packed) { .features = RING_PACKED };
FIXTURE_VARIANT_ADD(net, packed_event) { .features = RING_PACKED_EVENT };

static void driver_up(struct virtio_driver *drv, u64 features)
{
	u16 i;

	if (!virtio_driver_negotiate(drv, features))
		abort();
	for (i = 0; i < 3; i++)
		virtio_driver_queue(drv, i, ENTRIES);
	virtio_driver_ok(drv);
}

FIXTURE_SETUP(net)
{
	fake_passt_init(&self->passt);
	self->vm = testvm_create(32 * MIB);
	self->dev = testvm_add_pci(self->vm, "network", 0, TEST_SLOT, OPTIONS);
	self->dev->class->ops->resume(self->dev);
	fake_passt_accept(&self->passt, self->vm);
	virtio_driver_init(&self->drv, self->vm, TEST_SLOT);
	self->drv.timeout_ms = 10000;
	driver_up(&self->drv, variant->features | WANTED);
	self->buf = virtio_driver_alloc(&self->drv, 4 * MIB);
	self->mem = virtio_driver_ptr(&self->drv, self->buf, 4 * MIB);
}

FIXTURE_TEARDOWN(net)
{
	testvm_destroy(self->vm);
	fake_passt_destroy(&self->passt);
}

/* A frame that can be told from others. */
static void make_frame(u8 *frame, u32 len, u8 seed)
{
	static const u8 to[6] = { 2, 0, 0, 0, 0, 7 };
	u32 i;

	for (i = 0; i < len; i++)
		frame[i] = (u8)(i * 7 + i / 256 + seed);
	memcpy(frame, to, 6);
}

/* One counter of the card. */
struct one_counter {
	struct stat_sink sink;
	const char *name;
	u64 value;
};

static void take_counter(struct stat_sink *sink, const char *name, u64 value)
{
	struct one_counter *c = container_of(sink, struct one_counter, sink);

	if (!strcmp(name, c->name))
		c->value = value;
}

static u64 counter(struct device *dev, const char *name)
{
	struct one_counter c = { { take_counter }, name, UINT64_MAX };

	dev->class->ops->stat(dev, &c.sink);
	return c.value;
}

static u16 status_of(struct virtio_driver *drv)
{
	return (u16)testvm_mmio_read(drv->vm, drv->config + 6, 2);
}

static bool wait_for_status(struct virtio_driver *drv, u16 mask, u16 want)
{
	u32 i;

	for (i = 0; i < 3000 && (status_of(drv) & mask) != want; i++) {
		testvm_poll(drv->vm);
		usleep(1000);
	}
	return (status_of(drv) & mask) == want;
}

/* One command, and its answer. */
static u8 command(struct virtio_driver *drv, u64 buf, u8 class, u8 cmd,
		  const void *data, u32 len)
{
	const struct virtio_buf bufs[] = {
		{ buf, 2, false }, { buf + 64, len, false },
		{ buf + 65536, 1, true },
	};
	u8 *mem = virtio_driver_ptr(drv, buf, 65537);

	mem[0] = class;
	mem[1] = cmd;
	if (len)
		memcpy(mem + 64, data, len);
	mem[65536] = 0xee;
	if (len)
		virtio_driver_exec(&drv->vq[2], bufs, 3, false);
	else
		virtio_driver_exec(&drv->vq[2],
				   (struct virtio_buf[]){ bufs[0], bufs[2] },
				   2, false);
	return mem[65536];
}

/* ---- what it is ------------------------------------------------------------- */

TEST_F(net, says_what_it_is)
{
	static const u8 mac[6] = { 2, 0, 0, 0, 0, 7 };
	u64 offered = virtio_driver_offered(&self->drv);
	u32 i;

	EXPECT_EQ(WANTED, offered & WANTED);
	/* passt takes whole frames with their checksums. */
	EXPECT_EQ(0, offered & (NET_OFFLOADS_ALL | F(CTRL_GUEST_OFFLOADS)));
	EXPECT_EQ(0, offered & (F(MQ) | F(MTU)));
	for (i = 0; i < 6; i++)
		EXPECT_EQ(mac[i], testvm_mmio_read(self->vm,
						   self->drv.config + i, 1));
	EXPECT_EQ(NET_S_LINK_UP, status_of(&self->drv));
}

TEST_F(net, features_that_make_no_sense_alone)
{
	EXPECT_FALSE(virtio_driver_negotiate(&self->drv, variant->features |
					     F(CTRL_RX)));
	EXPECT_FALSE(virtio_driver_negotiate(&self->drv, variant->features |
					     F(CSUM)));
	EXPECT_TRUE(virtio_driver_negotiate(&self->drv, variant->features));
}

/* ---- out -------------------------------------------------------------------- */

TEST_F(net, frames_go_out_whole_however_they_are_cut)
{
	static const u32 cuts[][3] = {
		{ HDR, 0, 0 }, { HDR + 100, 0, 0 }, { 1, 11, 14 },
		{ 5, 20, 300 }, { HDR + 13, 1, 1 },
	};
	bool indirect = variant->features & VIRTIO_F_INDIRECT_DESC;
	struct virtio_buf bufs[4];
	u8 frame[2048], got[2048];
	u32 round, k, nr, at, len;

	for (round = 0; round < 3 * ENTRIES; round++) {
		u32 bytes = 60 + round * 7, total = bytes + (u32)HDR;

		memset(self->mem, 0, HDR);
		make_frame(self->mem + HDR, bytes, (u8)round);
		memcpy(frame, self->mem + HDR, bytes);
		for (k = 0, nr = 0, at = 0; k < 4 && at < total; k++) {
			u32 n = k < 3 ? cuts[round % 5][k] : total - at;

			n = n && k < 3 ? min_of(n, total - at) : total - at;
			bufs[nr++] = (struct virtio_buf){ self->buf + at, n,
							  false };
			at += n;
		}
		ASSERT_EQ(0, virtio_driver_exec(TX, bufs, nr,
						indirect && round % 2));
		ASSERT_TRUE(fake_passt_recv(&self->passt, self->vm, got,
					    sizeof(got), &len));
		ASSERT_EQ(bytes, len);
		ASSERT_EQ(0, memcmp(frame, got, len));
	}
	EXPECT_EQ(3 * ENTRIES, counter(self->dev, "tx-frames"));
	EXPECT_EQ(0, counter(self->dev, "tx-bad"));
}

TEST_F(net, what_is_no_frame_is_dropped)
{
	static const struct {
		u32 len;
		u8 flags;
		u8 gso;
	} bad[] = {
		{ 1, 0, 0 },			/* no header */
		{ HDR, 0, 0 },			/* no frame */
		{ HDR + 13, 0, 0 },		/* no Ethernet header */
		{ HDR + 65554, 0, 0 },		/* too long */
		{ HDR + 200000, 0, 0 },
		{ HDR + 60, NET_HDR_F_NEEDS_CSUM, 0 },
		{ HDR + 60, 0, NET_HDR_GSO_TCPV4 },
		{ HDR + 60, NET_HDR_F_NEEDS_CSUM, NET_HDR_GSO_TCPV6 },
		{ HDR + 60, 0, 0x7f },
		{ HDR + 60, 0, NET_HDR_GSO_ECN },
	};
	struct virtio_buf buf = { self->buf, 0, false };
	u8 got[65536];
	u32 i, len;

	memset(self->mem, 0, 1 * MIB);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		buf.len = bad[i].len;
		self->mem[0] = bad[i].flags;
		self->mem[1] = bad[i].gso;
		ASSERT_EQ(0, virtio_driver_exec(TX, &buf, 1, false));
	}
	EXPECT_EQ(ARRAY_SIZE(bad), counter(self->dev, "tx-bad"));
	EXPECT_EQ(0, counter(self->dev, "tx-frames"));
	/* A good one goes its way behind them. */
	memset(self->mem, 0, HDR);
	buf.len = HDR + 14;
	ASSERT_EQ(0, virtio_driver_exec(TX, &buf, 1, false));
	ASSERT_TRUE(fake_passt_recv(&self->passt, self->vm, got, sizeof(got),
				    &len));
	EXPECT_EQ(14, len);
}

/* passt does not read: what does not fit stays in the ring, in order. */
TEST_F(net, a_full_wire_is_waited_for)
{
	const u32 bytes = 60000, nr = 60;
	struct virtio_buf buf = { 0, bytes + HDR, false };
	u32 i, len, back = 0, wlen;
	u8 *got = malloc(65536), *want = malloc(65536);
	u16 id;

	for (i = 0; i < nr; i++) {
		buf.addr = self->buf + i * 65536ULL;
		memset(self->mem + i * 65536, 0, HDR);
		make_frame(self->mem + i * 65536 + HDR, bytes, (u8)i);
		ASSERT_LE(0, virtio_driver_add(TX, &buf, 1, false));
	}
	virtio_driver_notify(TX);
	for (i = 0; i < 200; i++) {
		testvm_poll(self->vm);
		usleep(1000);
		back += virtio_driver_reap(TX, &id, &wlen);
	}
	EXPECT_GT(nr, back);
	for (i = 0; i < nr; i++) {
		ASSERT_TRUE(fake_passt_recv(&self->passt, self->vm, got, 65536,
					    &len));
		make_frame(want, bytes, (u8)i);
		ASSERT_EQ(bytes, len);
		ASSERT_EQ(0, memcmp(want, got, bytes));
	}
	while (back < nr && virtio_driver_wait(TX, &id, &wlen))
		back++;
	EXPECT_EQ(nr, back);
	free(got);
	free(want);
}

/* A frame that is none is in its place in line, whatever is sent before it. */
TEST_F(net, what_is_no_frame_waits_for_a_full_wire_as_well)
{
	const u32 bytes = 65000, nr = 60, every = 10;
	struct virtio_buf buf = { 0, bytes + HDR, false };
	u32 i, len, back = 0, wlen;
	u8 *got = malloc(65536), *want = malloc(65536);
	u16 id;

	for (i = 0; i < nr; i++) {
		buf.addr = self->buf + i * 65536ULL;
		memset(self->mem + i * 65536, 0, HDR);
		make_frame(self->mem + i * 65536 + HDR, bytes, (u8)i);
		if (i % every == every - 1)
			self->mem[i * 65536] = NET_HDR_F_NEEDS_CSUM;
		ASSERT_LE(0, virtio_driver_add(TX, &buf, 1, false));
	}
	virtio_driver_notify(TX);
	for (i = 0; i < nr; i++) {
		if (i % every == every - 1)
			continue;
		ASSERT_TRUE(fake_passt_recv(&self->passt, self->vm, got, 65536,
					    &len)) {
			TH_LOG("frame %u", i);
		}
		make_frame(want, bytes, (u8)i);
		ASSERT_EQ(bytes, len);
		ASSERT_EQ(0, memcmp(want, got, bytes)) {
			TH_LOG("frame %u", i);
		}
	}
	while (back < nr && virtio_driver_wait(TX, &id, &wlen))
		back++;
	EXPECT_EQ(nr, back);
	EXPECT_TRUE(virtio_driver_quiet(TX, 20));
	EXPECT_EQ(nr / every, counter(self->dev, "tx-bad"));
	EXPECT_EQ(nr - nr / every, counter(self->dev, "tx-frames"));
	free(got);
	free(want);
}

/* ---- in --------------------------------------------------------------------- */

/* Offers a buffer of @len bytes at page @page. */
static void offer(struct virtio_driver *drv, u64 buf, u32 page, u32 len)
{
	const struct virtio_buf b = { buf + page * 4096ULL, len, true };

	if (virtio_driver_add(&drv->vq[0], &b, 1, false) < 0)
		abort();
}

TEST_F(net, frames_come_in_whole)
{
	u8 frame[3000];
	u32 round, len, bytes;
	u16 id;

	for (round = 0; round < 2 * ENTRIES; round++) {
		bytes = 60 + round * 10;
		make_frame(frame, bytes, (u8)round);
		memset(self->mem, 0xaa, 8192);
		offer(&self->drv, self->buf, 0, 3000);
		virtio_driver_notify(RX);
		fake_passt_send(&self->passt, frame, bytes);
		ASSERT_TRUE(virtio_driver_wait(RX, &id, &len));
		ASSERT_EQ(HDR + bytes, len);
		ASSERT_TRUE(test_all(self->mem, 0, HDR - 2));
		ASSERT_EQ(1, self->mem[10]);
		ASSERT_EQ(0, self->mem[11]);
		ASSERT_EQ(0, memcmp(frame, self->mem + HDR, bytes));
		ASSERT_TRUE(test_all(self->mem + len, 0xaa, 4096));
	}
	EXPECT_EQ(2 * ENTRIES, counter(self->dev, "rx-frames"));
}

TEST_F(net, a_long_frame_takes_several_buffers_at_once)
{
	u8 frame[4000];
	u32 round, len[3], i;
	u16 id;

	for (round = 0; round < ENTRIES; round++) {
		make_frame(frame, sizeof(frame), (u8)round);
		offer(&self->drv, self->buf, 0, 1500);
		offer(&self->drv, self->buf, 1, 1500);
		virtio_driver_notify(RX);
		fake_passt_send(&self->passt, frame, sizeof(frame));
		/* Too few: nothing of it is to be seen. */
		if (!round)
			ASSERT_TRUE(virtio_driver_quiet(RX, 50));
		offer(&self->drv, self->buf, 2, 1500);
		virtio_driver_notify(RX);
		ASSERT_TRUE(virtio_driver_wait(RX, &id, &len[0]));
		/* The others are there with the first. */
		ASSERT_TRUE(virtio_driver_reap(RX, &id, &len[1]));
		ASSERT_TRUE(virtio_driver_reap(RX, &id, &len[2]));
		ASSERT_EQ(1500, len[0]);
		ASSERT_EQ(1500, len[1]);
		ASSERT_EQ(1012, len[2]);
		ASSERT_EQ(3, self->mem[10]);
		ASSERT_EQ(0, memcmp(frame, self->mem + HDR, 1488));
		for (i = 1; i < 3; i++)
			ASSERT_EQ(0, memcmp(frame + 1488 + 1500 * (i - 1),
					    self->mem + i * 4096, len[i]));
	}
}

TEST_F(net, a_frame_that_does_not_fit_is_dropped)
{
	u8 frame[2000];
	u32 len;
	u16 id;

	driver_up(&self->drv, variant->features | (WANTED & ~F(MRG_RXBUF)));
	make_frame(frame, sizeof(frame), 1);
	offer(&self->drv, self->buf, 0, HDR + 1000);
	virtio_driver_notify(RX);
	fake_passt_send(&self->passt, frame, 1001);
	fake_passt_send(&self->passt, frame, 2000);
	fake_passt_send(&self->passt, frame, 1000);
	ASSERT_TRUE(virtio_driver_wait(RX, &id, &len));
	EXPECT_EQ(HDR + 1000, len);
	EXPECT_EQ(0, memcmp(frame, self->mem + HDR, 1000));
	EXPECT_EQ(2, counter(self->dev, "rx-dropped"));
}

TEST_F(net, a_buffer_without_room_for_a_header)
{
	u8 frame[60];

	make_frame(frame, sizeof(frame), 1);
	offer(&self->drv, self->buf, 0, HDR - 1);
	virtio_driver_notify(RX);
	fake_passt_send(&self->passt, frame, sizeof(frame));
	EXPECT_TRUE(virtio_driver_wait_status(&self->drv,
					      VIRTIO_STATUS_NEEDS_RESET,
					      VIRTIO_STATUS_NEEDS_RESET));
	/* And it goes on after a reset. */
	driver_up(&self->drv, variant->features | WANTED);
	EXPECT_EQ(NET_S_LINK_UP, status_of(&self->drv));
}

/* ---- control ---------------------------------------------------------------- */

/* Does a frame to that address reach the guest? */
static bool reaches(struct virtio_driver *drv, struct fake_passt *passt,
		    u64 buf, u8 first, u8 last)
{
	u8 frame[60] = { first, 0, 0, 0, 0, last };
	static const u8 end[60] = { 2, 0, 0, 0, 0, 7, 0x55 };
	u8 *mem = virtio_driver_ptr(drv, buf, 65536);
	bool came;
	u32 len;
	u16 id;

	if (first == 0xff)
		memset(frame, 0xff, 6);
	offer(drv, buf, 0, 2048);
	offer(drv, buf, 1, 2048);
	virtio_driver_notify(&drv->vq[0]);
	fake_passt_send(passt, frame, sizeof(frame));
	fake_passt_send(passt, end, sizeof(end));
	if (!virtio_driver_wait(&drv->vq[0], &id, &len))
		abort();
	came = !memcmp(mem + HDR, frame, 6) && mem[HDR + 6] != 0x55;
	/* The other buffer is used up as well before the next one. */
	if (!came)
		fake_passt_send(passt, end, sizeof(end));
	if (!virtio_driver_wait(&drv->vq[0], &id, &len))
		abort();
	return came;
}

#define REACHES(first, last) \
	reaches(&self->drv, &self->passt, self->buf, first, last)
#define COMMAND(class, cmd, data, len) \
	command(&self->drv, self->buf + MIB, class, cmd, data, len)

TEST_F(net, only_frames_that_the_guest_wants)
{
	static const u8 on = 1, off;
	static const u8 tables[] = {
		1, 0, 0, 0, 2, 0, 0, 0, 0, 9,
		1, 0, 0, 0, 3, 0, 0, 0, 0, 9,
	};

	EXPECT_TRUE(REACHES(2, 8));
	ASSERT_EQ(NET_CTRL_OK, COMMAND(NET_CTRL_RX, NET_CTRL_RX_PROMISC, &off,
				       1));
	EXPECT_FALSE(REACHES(2, 8));
	EXPECT_TRUE(REACHES(2, 7));
	EXPECT_TRUE(REACHES(0xff, 0));
	EXPECT_FALSE(REACHES(3, 9));
	ASSERT_EQ(NET_CTRL_OK, COMMAND(NET_CTRL_MAC, NET_CTRL_MAC_TABLE_SET,
				       tables, sizeof(tables)));
	EXPECT_TRUE(REACHES(2, 9));
	EXPECT_TRUE(REACHES(3, 9));
	EXPECT_FALSE(REACHES(3, 8));
	ASSERT_EQ(NET_CTRL_OK, COMMAND(NET_CTRL_RX, NET_CTRL_RX_ALLMULTI, &on,
				       1));
	EXPECT_TRUE(REACHES(3, 8));
	ASSERT_EQ(NET_CTRL_OK, COMMAND(NET_CTRL_RX, NET_CTRL_RX_NOBCAST, &on,
				       1));
	EXPECT_FALSE(REACHES(0xff, 0));
	ASSERT_EQ(NET_CTRL_OK, COMMAND(NET_CTRL_RX, NET_CTRL_RX_ALLUNI, &on,
				       1));
	EXPECT_TRUE(REACHES(2, 8));
	EXPECT_LT(0, counter(self->dev, "rx-filtered"));
}

TEST_F(net, commands_that_cannot_be)
{
	static const u8 zeros[64];
	static const u8 many[] = { 255, 255, 255, 255, 2, 0, 0, 0, 0, 9 };
	static const u8 group[] = {
		1, 0, 0, 0, 3, 0, 0, 0, 0, 9, 0, 0, 0, 0,
	};
	static const u8 wrong[] = {
		0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 9,
	};
	static const u8 mac[] = { 3, 0, 0, 0, 0, 1 };
	const struct {
		u8 class;
		u8 cmd;
		const void *data;
		u32 len;
	} bad[] = {
		{ NET_CTRL_RX, NET_CTRL_RX_PROMISC, zeros, 0 },
		{ NET_CTRL_RX, NET_CTRL_RX_PROMISC, zeros, 2 },
		{ NET_CTRL_RX, 6, zeros, 1 },
		{ NET_CTRL_MAC, NET_CTRL_MAC_TABLE_SET, zeros, 0 },
		{ NET_CTRL_MAC, NET_CTRL_MAC_TABLE_SET, zeros, 4 },
		{ NET_CTRL_MAC, NET_CTRL_MAC_TABLE_SET, zeros, 7 },
		{ NET_CTRL_MAC, NET_CTRL_MAC_TABLE_SET, zeros, 9 },
		{ NET_CTRL_MAC, NET_CTRL_MAC_TABLE_SET, many, sizeof(many) },
		{ NET_CTRL_MAC, NET_CTRL_MAC_TABLE_SET, group,
		  sizeof(group) },
		{ NET_CTRL_MAC, NET_CTRL_MAC_TABLE_SET, wrong,
		  sizeof(wrong) },
		{ NET_CTRL_MAC, NET_CTRL_MAC_ADDR_SET, zeros, 5 },
		{ NET_CTRL_MAC, NET_CTRL_MAC_ADDR_SET, mac, 6 },
		{ NET_CTRL_ANNOUNCE, NET_CTRL_ANNOUNCE_ACK, zeros, 1 },
		{ NET_CTRL_ANNOUNCE, 1, zeros, 0 },
		/* Not negotiated. */
		{ NET_CTRL_MQ, NET_CTRL_MQ_PAIRS_SET, "\1", 2 },
		{ NET_CTRL_OFFLOADS, NET_CTRL_OFFLOADS_SET, zeros, 8 },
		{ 2, 0, zeros, 2 },
		{ 255, 255, zeros, 64 },
	};
	const struct virtio_buf short_one[] = {
		{ self->buf, 1, false }, { self->buf + 64, 1, true },
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_EQ(NET_CTRL_ERR, COMMAND(bad[i].class, bad[i].cmd,
						bad[i].data, bad[i].len)) {
			TH_LOG("case %u", i);
		}
	EXPECT_EQ(1, virtio_driver_exec(CTRL, short_one, 2, false));
	EXPECT_EQ(NET_CTRL_ERR, self->mem[64]);
	/* Nowhere to put an answer: the buffer comes back all the same. */
	EXPECT_EQ(0, virtio_driver_exec(CTRL, short_one, 1, false));
	/* Nothing has changed. */
	EXPECT_TRUE(REACHES(2, 8));
	EXPECT_EQ(7, testvm_mmio_read(self->vm, self->drv.config + 5, 1));
}

TEST_F(net, the_guest_gives_the_card_another_address)
{
	static const u8 mac[] = { 2, 0, 0, 0, 0, 33 }, off;

	ASSERT_EQ(NET_CTRL_OK, COMMAND(NET_CTRL_RX, NET_CTRL_RX_PROMISC, &off,
				       1));
	ASSERT_EQ(NET_CTRL_OK, COMMAND(NET_CTRL_MAC, NET_CTRL_MAC_ADDR_SET,
				       mac, 6));
	EXPECT_EQ(33, testvm_mmio_read(self->vm, self->drv.config + 5, 1));
	ASSERT_EQ(0, test_quiesce(self->dev));
	ASSERT_EQ(0, test_save_load(self->dev));
	self->dev->class->ops->resume(self->dev);
	EXPECT_EQ(33, testvm_mmio_read(self->vm, self->drv.config + 5, 1));
	/* A reset brings its own back. */
	virtio_driver_reset(&self->drv);
	EXPECT_EQ(7, testvm_mmio_read(self->vm, self->drv.config + 5, 1));
}

/* ---- passt's end ------------------------------------------------------------ */

TEST_F(net, passt_ends_and_the_link_goes_down)
{
	const struct virtio_buf buf = { self->buf, HDR + 60, false };
	u32 i;

	EXPECT_EQ(NET_S_LINK_UP, status_of(&self->drv));
	fake_passt_end(&self->passt, 1);
	EXPECT_TRUE(wait_for_status(&self->drv, NET_S_LINK_UP, 0));
	/* Frames go nowhere, and the guest's buffers come back. */
	for (i = 0; i < 2 * ENTRIES; i++)
		ASSERT_EQ(0, virtio_driver_exec(TX, &buf, 1, false));
	/* A reset does not bring it back. */
	driver_up(&self->drv, variant->features | WANTED);
	EXPECT_EQ(0, status_of(&self->drv));
}

TEST_F(net, passt_hangs_up_in_the_middle_of_a_frame)
{
	static const u8 part[] = { 0, 0, 1, 0, 2, 0 };

	offer(&self->drv, self->buf, 0, 2048);
	virtio_driver_notify(RX);
	ASSERT_EQ(6, send(self->passt.wire, part, 6, 0));
	shutdown(self->passt.wire, SHUT_RDWR);
	EXPECT_TRUE(wait_for_status(&self->drv, NET_S_LINK_UP, 0));
	EXPECT_TRUE(virtio_driver_quiet(RX, 20));
}

/* Is the link down after a frame of such a length? */
static bool ends_by_length(struct virtio_driver *drv, struct fake_passt *passt,
			   u64 buf, u32 length)
{
	const u8 be[] = {
		(u8)(length >> 24), (u8)(length >> 16), (u8)(length >> 8),
		(u8)length,
	};

	offer(drv, buf, 0, 2048);
	virtio_driver_notify(&drv->vq[0]);
	return send(passt->wire, be, 4, 0) == 4 &&
	       wait_for_status(drv, NET_S_LINK_UP, 0);
}

TEST_F(net, passt_says_a_length_below_that_of_a_header)
{
	EXPECT_TRUE(ends_by_length(&self->drv, &self->passt, self->buf, 13));
}

TEST_F(net, passt_says_a_length_above_any_frame)
{
	EXPECT_TRUE(ends_by_length(&self->drv, &self->passt, self->buf,
				   65554));
}

TEST_F(net, passt_says_an_absurd_length)
{
	EXPECT_TRUE(ends_by_length(&self->drv, &self->passt, self->buf,
				   UINT32_MAX));
}

/* Nobody waits for the end of what passt has to say. */
TEST_F(net, passt_has_a_lot_to_say)
{
	u8 frame[60];
	u32 i, len;
	u16 id;

	fake_passt_tell(&self->passt, FAKE_PASST_CHATTER);
	make_frame(frame, sizeof(frame), 1);
	for (i = 0; i < 500; i++) {
		offer(&self->drv, self->buf, 0, 2048);
		virtio_driver_notify(RX);
		fake_passt_send(&self->passt, frame, sizeof(frame));
		ASSERT_TRUE(virtio_driver_wait(RX, &id, &len));
	}
}

/* A loop that has nothing to do sleeps. */
TEST_F(net, passt_has_nothing_to_say_any_more)
{
	struct iothread *loop = virtio_device_of(self->dev)->loops[0].thread;
	u64 before;

	fake_passt_tell(&self->passt, FAKE_PASST_SILENT);
	usleep(100000);
	before = atomic_load(&loop->loops);
	usleep(300000);
	EXPECT_GT(1000, atomic_load(&loop->loops) - before);
	/* The link is as good as before. */
	EXPECT_EQ(NET_S_LINK_UP, status_of(&self->drv));
}

TEST_F(net, frames_in_small_pieces)
{
	u8 wire[4 + 200] = { 0, 0, 0, 200 };
	u32 i, len;
	u16 id;

	make_frame(wire + 4, 200, 9);
	offer(&self->drv, self->buf, 0, 2048);
	virtio_driver_notify(RX);
	for (i = 0; i < sizeof(wire); i++) {
		ASSERT_EQ(1, send(self->passt.wire, wire + i, 1, 0));
		if (i % 16 == 0)
			usleep(500);
	}
	ASSERT_TRUE(virtio_driver_wait(RX, &id, &len));
	EXPECT_EQ(HDR + 200, len);
	EXPECT_EQ(0, memcmp(wire + 4, self->mem + HDR, 200));
}

/* ---- moved ------------------------------------------------------------------ */

TEST_F(net, a_card_that_goes_on_elsewhere_announces_itself)
{
	static const u8 rarp[] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 7,
		0x80, 0x35, 0, 1, 8, 0, 6, 4, 0, 3,
		2, 0, 0, 0, 0, 7, 0, 0, 0, 0, 2, 0, 0, 0, 0, 7, 0, 0, 0, 0,
	};
	u8 got[2048];
	u32 len, i;

	ASSERT_EQ(0, test_quiesce(self->dev));
	ASSERT_EQ(0, test_save_load(self->dev));
	EXPECT_EQ(NET_S_LINK_UP, status_of(&self->drv));
	self->dev->class->ops->resume(self->dev);
	EXPECT_EQ(NET_S_LINK_UP | NET_S_ANNOUNCE, status_of(&self->drv));
	EXPECT_EQ(NET_CTRL_ERR, COMMAND(NET_CTRL_ANNOUNCE,
					NET_CTRL_ANNOUNCE_ACK, "", 1));
	EXPECT_EQ(NET_S_LINK_UP | NET_S_ANNOUNCE, status_of(&self->drv));
	EXPECT_EQ(NET_CTRL_OK, COMMAND(NET_CTRL_ANNOUNCE,
				       NET_CTRL_ANNOUNCE_ACK, NULL, 0));
	EXPECT_EQ(NET_S_LINK_UP, status_of(&self->drv));
	for (i = 0; i < 5; i++) {
		ASSERT_TRUE(fake_passt_recv(&self->passt, self->vm, got,
					    sizeof(got), &len) ||
			    fake_passt_recv(&self->passt, self->vm, got,
					    sizeof(got), &len));
		ASSERT_EQ(60, len);
		ASSERT_EQ(0, memcmp(got, rarp, sizeof(rarp)));
	}
	EXPECT_FALSE(fake_passt_recv(&self->passt, self->vm, got, sizeof(got),
				     &len));
}

TEST_F(net, what_the_guest_has_said_moves_along)
{
	static const u8 off;
	u8 frame[4000];
	u32 len, i;
	u16 id;

	ASSERT_EQ(NET_CTRL_OK, COMMAND(NET_CTRL_RX, NET_CTRL_RX_PROMISC, &off,
				       1));
	/* A frame waits with one of the buffers that it needs. */
	make_frame(frame, sizeof(frame), 3);
	offer(&self->drv, self->buf, 0, 2000);
	virtio_driver_notify(RX);
	fake_passt_send(&self->passt, frame, sizeof(frame));
	ASSERT_TRUE(virtio_driver_quiet(RX, 20));
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, test_quiesce(self->dev));
		ASSERT_EQ(0, test_save_load(self->dev));
		self->dev->class->ops->resume(self->dev);
	}
	offer(&self->drv, self->buf, 1, 2500);
	virtio_driver_notify(RX);
	ASSERT_TRUE(virtio_driver_wait(RX, &id, &len));
	EXPECT_EQ(2000, len);
	ASSERT_TRUE(virtio_driver_reap(RX, &id, &len));
	EXPECT_EQ(2012, len);
	EXPECT_EQ(0, memcmp(frame, self->mem + HDR, 1988));
	EXPECT_FALSE(REACHES(2, 8));
}

/* ---- offloads ---------------------------------------------------------------- */

#define ALL_OFFLOADS	(F(CSUM) | F(HOST_TSO4) | F(GUEST_CSUM) | \
			 F(GUEST_TSO4) | F(CTRL_VQ) | F(CTRL_GUEST_OFFLOADS))

/* A card that is plugged into nothing has all of them. */
FIXTURE(offloads)
{
	struct vm *vm;
	struct device *dev;
	struct virtio_driver drv;
	u64 buf;
	u8 *mem;
};

FIXTURE_SETUP(offloads)
{
	self->vm = testvm_create(32 * MIB);
	self->dev = testvm_add_pci(self->vm, "network", 0, TEST_SLOT,
				   "mode=none");
	self->dev->class->ops->resume(self->dev);
	virtio_driver_init(&self->drv, self->vm, TEST_SLOT);
	driver_up(&self->drv, VIRTIO_F_VERSION_1 | ALL_OFFLOADS);
	self->buf = virtio_driver_alloc(&self->drv, 4 * MIB);
	self->mem = virtio_driver_ptr(&self->drv, self->buf, 4 * MIB);
}

FIXTURE_TEARDOWN(offloads)
{
	testvm_destroy(self->vm);
}

TEST_F(offloads, a_checksum_is_within_the_frame)
{
	static const struct {
		u16 start;
		u16 offset;
		bool good;
	} cases[] = {
		{ 58, 0, true }, { 0, 58, true }, { 34, 16, true },
		{ 59, 0, false }, { 0, 59, false }, { 60, 0, false },
		{ 61, 65535, false }, { 65535, 65535, false },
	};
	const struct virtio_buf buf = { self->buf, HDR + 60, false };
	struct net_hdr *hdr = (struct net_hdr *)self->mem;
	u64 bad = 0;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		*hdr = (struct net_hdr){
			.flags = NET_HDR_F_NEEDS_CSUM,
			.csum_start = cpu_to_le16(cases[i].start),
			.csum_offset = cpu_to_le16(cases[i].offset),
		};
		bad += !cases[i].good;
		ASSERT_EQ(0, virtio_driver_exec(TX, &buf, 1, false));
		EXPECT_EQ(bad, counter(self->dev, "tx-bad")) {
			TH_LOG("case %u", i);
		}
	}
}

TEST_F(offloads, that_make_no_sense_alone)
{
	static const struct {
		u64 offloads;
		u8 answer;
	} cases[] = {
		{ F(GUEST_CSUM) | F(GUEST_TSO4), NET_CTRL_OK },
		{ F(GUEST_CSUM), NET_CTRL_OK },
		{ 0, NET_CTRL_OK },
		{ F(GUEST_TSO4), NET_CTRL_ERR },
		{ F(GUEST_CSUM) | F(GUEST_TSO6), NET_CTRL_ERR },
		{ F(CSUM), NET_CTRL_ERR },
	};
	__le64 le;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		le = cpu_to_le64(cases[i].offloads);
		EXPECT_EQ(cases[i].answer,
			  COMMAND(NET_CTRL_OFFLOADS, NET_CTRL_OFFLOADS_SET,
				  &le, sizeof(le))) {
			TH_LOG("case %u", i);
		}
	}
}

/* ---- resets ----------------------------------------------------------------- */

TEST_F(net, reset_at_any_moment)
{
	struct test_random r;
	u8 frame[4000];
	u32 round, i;

	test_random_init(&r);
	make_frame(frame, sizeof(frame), 3);
	for (round = 0; round < 30; round++) {
		for (i = (u32)test_random_below(&r, 8); i; i--)
			offer(&self->drv, self->buf, i, 2000);
		virtio_driver_notify(RX);
		for (i = (u32)test_random_below(&r, 8); i; i--) {
			const struct virtio_buf buf = {
				self->buf + 65536, HDR + 1000, false,
			};

			virtio_driver_add(TX, &buf, 1, false);
		}
		virtio_driver_notify(TX);
		for (i = (u32)test_random_below(&r, 3); i; i--)
			fake_passt_send(&self->passt, frame, sizeof(frame));
		if ((u32)test_random_below(&r, 2))
			usleep((u32)test_random_below(&r, 300));
		virtio_driver_reset(&self->drv);
		driver_up(&self->drv, variant->features | WANTED);
	}
	EXPECT_EQ(NET_S_LINK_UP, status_of(&self->drv));
	EXPECT_TRUE(virtio_driver_status(&self->drv) &
		    VIRTIO_STATUS_DRIVER_OK);
}

TEST_HARNESS_MAIN
