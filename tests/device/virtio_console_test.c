// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the console device, from a driver's queues to terminal and sockets
 *
 * The terminal is a pair of pipes behind a real console. Both ways of every
 * port the bytes are a sequence that tells its position, so that a lost,
 * doubled or misplaced byte is noticed at once.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "tests/lib/harness.h"
#include "tests/lib/random.h"
#include "tests/lib/testvm.h"
#include "tests/lib/virtio_driver.h"
#include "virtio/console_spec.h"
#include "virtio/virtio.h"
#include "vmm/base/clock.h"
#include "vmm/base/math.h"
#include "vmm/console.h"

#define SLOT		3
#define RAM		(32 * MIB)
#define ENTRIES		8
#define BUF		4096
#define QUEUES		8	/* of a console and two ports */
#define PATIENCE_MS	20000
#define MULTI		(VCON_F_MULTIPORT | VCON_F_SIZE)

#define RX(port)	((port) ? 2 * (port) + 2 : 0)
#define TX(port)	(RX(port) + 1)

/**
 * struct guest - a driver's view
 * @drv: the driver
 * @addr: buffer of each identifier, by queue
 * @ctrl: where control messages to the device are put
 * @out: where output is put together
 * @msg: the last control message from the device
 * @tail: what stood behind it
 * @tail_len: bytes of that
 */
struct guest {
	struct virtio_driver drv;
	u64 addr[QUEUES][VIRTIO_DRIVER_ENTRIES];
	u64 ctrl;
	u64 out;
	struct vcon_control msg;
	u8 tail[128];
	u32 tail_len;
};

FIXTURE(vcon)
{
	struct vm *vm;
	struct device *dev;
	struct console *terminal;
	struct guest g;
	int keys[2];
	int screen[2];
	char dir[64];
	char path[2][96];
	struct error err;
};

FIXTURE_VARIANT(vcon)
{
	u64 features;
};

FIXTURE_VARIANT_ADD(vcon, split)
{
	.features = VIRTIO_F_VERSION_1,
};

FIXTURE_VARIANT_ADD(vcon, packed_event)
{
	.features = VIRTIO_F_VERSION_1 | VIRTIO_F_RING_PACKED |
		    VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC,
};

static u8 pattern(u64 n)
{
	return (u8)(n * 31 + n / 253);
}

/* ---- the guest -------------------------------------------------------------- */

static void offer(struct guest *g, u32 queue, u64 addr, u32 len)
{
	const struct virtio_buf buf = { addr, len, true };
	int id = virtio_driver_add(&g->drv.vq[queue], &buf, 1, false);

	assert(id >= 0 && id < (int)ARRAY_SIZE(g->addr[queue]));
	g->addr[queue][id] = addr;
	virtio_driver_notify(&g->drv.vq[queue]);
}

static void offer_new(struct guest *g, u32 queue, u32 nr)
{
	while (nr--)
		offer(g, queue, virtio_driver_alloc(&g->drv, BUF), BUF);
}

static void queues_up(struct guest *g, u64 features)
{
	u32 i;

	assert(virtio_driver_negotiate(&g->drv, features));
	for (i = 0; i < QUEUES; i++)
		virtio_driver_queue(&g->drv, (u16)i, ENTRIES);
	virtio_driver_ok(&g->drv);
	g->ctrl = virtio_driver_alloc(&g->drv, BUF);
	g->out = virtio_driver_alloc(&g->drv, 64 * BUF);
}

/* A message of any length to the device. */
static bool say_raw(struct guest *g, const void *msg, u32 len)
{
	const struct virtio_buf buf = { g->ctrl, len, false };

	memcpy(virtio_driver_ptr(&g->drv, g->ctrl, len), msg, len);
	return virtio_driver_exec(&g->drv.vq[VCON_QUEUE_CTRL_TX], &buf, 1,
				  false) == 0;
}

static bool say(struct guest *g, u32 id, u32 event, u32 value)
{
	const struct vcon_control msg = {
		.id = cpu_to_le32(id),
		.event = cpu_to_le16((u16)event),
		.value = cpu_to_le16((u16)value),
	};

	return say_raw(g, &msg, sizeof(msg));
}

/* The next message of the device's: its event, or -1. */
static int hear(struct guest *g)
{
	struct virtio_vq *vq = &g->drv.vq[VCON_QUEUE_CTRL_RX];
	const u8 *p;
	u64 addr;
	u32 len;
	u16 id;

	if (!virtio_driver_wait(vq, &id, &len))
		return -1;
	addr = g->addr[VCON_QUEUE_CTRL_RX][id];
	p = virtio_driver_ptr(&g->drv, addr, BUF);
	assert(len >= sizeof(g->msg));
	memcpy(&g->msg, p, sizeof(g->msg));
	g->tail_len = len - (u32)sizeof(g->msg);
	assert(g->tail_len <= sizeof(g->tail));
	memcpy(g->tail, p + sizeof(g->msg), g->tail_len);
	offer(g, VCON_QUEUE_CTRL_RX, addr, BUF);
	return le16_to_cpu(g->msg.event);
}

/* Is it this one? */
static bool hears(struct guest *g, u32 id, u32 event, u32 value)
{
	int got = hear(g);

	if (got == (int)event && le32_to_cpu(g->msg.id) == id &&
	    le16_to_cpu(g->msg.value) == value)
		return true;
	printf("# heard of port %u event %d value %u\n",
	       le32_to_cpu(g->msg.id), got, le16_to_cpu(g->msg.value));
	return false;
}

static bool hears_nothing(struct guest *g)
{
	return virtio_driver_quiet(&g->drv.vq[VCON_QUEUE_CTRL_RX], 30);
}

/* As a driver does it, with the ports 0 to 2 open; port 1 comes last. */
static bool guest_start(struct guest *g, u64 features)
{
	u32 i;

	queues_up(g, features | MULTI);
	offer_new(g, VCON_QUEUE_CTRL_RX, ENTRIES - 1);
	if (!say(g, 0xffffffff, VCON_DEVICE_READY, 1))
		return false;
	for (i = 0; i < 3; i++)
		if (!hears(g, i, VCON_PORT_ADD, 1))
			return false;
	for (i = 0; i < 3; i++)
		if (!say(g, i, VCON_PORT_OPEN, 1))
			return false;
	return say(g, 0, VCON_PORT_READY, 1) &&
	       hears(g, 0, VCON_CONSOLE_PORT, 1) &&
	       hears(g, 0, VCON_RESIZE, 1) && hears(g, 0, VCON_PORT_OPEN, 1) &&
	       say(g, 2, VCON_PORT_READY, 1) &&
	       hears(g, 2, VCON_PORT_NAME, 1) &&
	       say(g, 1, VCON_PORT_READY, 1) && hears(g, 1, VCON_PORT_NAME, 1);
}

/* Offers @len bytes of the sequence; false when it does not fit. */
static bool put(struct guest *g, u32 port, u64 from, u32 len)
{
	struct virtio_vq *vq = &g->drv.vq[TX(port)];
	/* In two pieces, as a driver may cut it. */
	u64 addr = g->out + (u64)(port * ENTRIES + vq->next % ENTRIES) * BUF;
	u32 cut = len > 1 ? len / 3 : len, i;
	const struct virtio_buf bufs[] = {
		{ addr, cut, false }, { addr + cut, len - cut, false },
	};
	u8 *p = virtio_driver_ptr(&g->drv, addr, BUF);

	assert(len <= BUF);
	if (vq->free < 2)
		return false;
	for (i = 0; i < len; i++)
		p[i] = pattern(from + i);
	if (virtio_driver_add(vq, bufs, cut && cut < len ? 2 : 1, false) < 0)
		return false;
	virtio_driver_notify(vq);
	return true;
}

static u32 reap(struct guest *g, u32 queue)
{
	u32 len, nr = 0;
	u16 id;

	while (virtio_driver_reap(&g->drv.vq[queue], &id, &len))
		nr++;
	return nr;
}

/* Takes what is there into *@got and offers the buffers again; false: wrong. */
static bool take(struct guest *g, u32 port, u32 size, u64 *got)
{
	struct virtio_vq *vq = &g->drv.vq[RX(port)];
	u32 len, i;
	u16 id;

	while (virtio_driver_reap(vq, &id, &len)) {
		u64 addr = g->addr[RX(port)][id];
		const u8 *p = virtio_driver_ptr(&g->drv, addr, size);

		for (i = 0; i < len; i++)
			if (len > size || p[i] != pattern(*got + i))
				return false;
		*got += len;
		offer(g, RX(port), addr, size);
	}
	return true;
}

/* ---- the host ---------------------------------------------------------------- */

static int host_call(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (!connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return fd;
	close(fd);
	return -1;
}

/* Says what it can of the sequence from *@sent up to @end. */
static void host_say(int fd, u64 *sent, u64 end)
{
	u8 buf[BUF];
	ssize_t n;
	u32 i;

	n = (ssize_t)min_of(end - *sent, (u64)BUF);
	for (i = 0; i < (u32)n; i++)
		buf[i] = pattern(*sent + i);
	n = write(fd, buf, (size_t)n);
	if (n > 0)
		*sent += (u64)n;
}

/* Takes what is there, up to @max; false when it is wrong. */
static bool host_take(int fd, u64 *got, u32 max)
{
	u8 buf[BUF];
	ssize_t n = read(fd, buf, min_of(max, (u32)BUF)), i;

	for (i = 0; i < n; i++)
		if (buf[i] != pattern(*got + (u64)i))
			return false;
	if (n > 0)
		*got += (u64)n;
	return true;
}

static bool host_ended(struct vm *vm, int fd)
{
	u64 end = now_ns() + PATIENCE_MS * 1000000ULL;
	u8 byte;

	while (now_ns() < end) {
		if (!recv(fd, &byte, 1, MSG_DONTWAIT))
			return true;
		testvm_poll(vm);
	}
	return false;
}

/* Runs the loop until @cond holds. */
#define WAIT_FOR(vm, cond) ({						\
	u64 __end = now_ns() + PATIENCE_MS * 1000000ULL;		\
	bool __ok;							\
									\
	while (!(__ok = (cond)) && now_ns() < __end)			\
		testvm_poll(vm);					\
	__ok;								\
})

FIXTURE_SETUP(vcon)
{
	char options[300];
	u32 i;

	strcpy(self->dir, "/tmp/vcon-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	for (i = 0; i < 2; i++)
		snprintf(self->path[i], sizeof(self->path[i]), "%s/%u",
			 self->dir, i);
	snprintf(options, sizeof(options),
		 "org.qemu.guest_agent.0,path=%s,port=log,path=%s,console",
		 self->path[0], self->path[1]);
	memset(&self->err, 0, sizeof(self->err));
	ASSERT_EQ(0, pipe2(self->keys, O_CLOEXEC | O_NONBLOCK));
	ASSERT_EQ(0, pipe2(self->screen, O_CLOEXEC | O_NONBLOCK));
	self->vm = testvm_create(RAM);
	ASSERT_EQ(0, console_create(&self->vm->loop, self->keys[0],
				    self->screen[1], &self->terminal,
				    &self->err));
	console_resize(self->terminal, 80, 25);
	self->vm->hvc = self->terminal;
	self->dev = testvm_add_pci(self->vm, "virtio-console", 0, SLOT,
				   options);
	memset(&self->g, 0, sizeof(self->g));
	virtio_driver_init(&self->g.drv, self->vm, SLOT);
}

FIXTURE_TEARDOWN(vcon)
{
	u32 i;

	vm_dismantle(self->vm);
	console_destroy(self->terminal);
	vm_destroy(self->vm);
	for (i = 0; i < 2; i++) {
		/* It leaves nothing behind. */
		EXPECT_NE(0, access(self->path[i], F_OK));
		close(self->keys[i]);
		close(self->screen[i]);
	}
	EXPECT_EQ(0, rmdir(self->dir));
}

/* ---- messages ---------------------------------------------------------------- */

TEST_F(vcon, the_guest_hears_of_ports)
{
	struct guest *g = &self->g;
	struct vcon_resize size;
	u32 i;

	EXPECT_EQ(MULTI | VCON_F_EMERG_WRITE,
		  virtio_driver_offered(&g->drv) & 0xffffff);
	EXPECT_EQ(80, testvm_mmio_read(self->vm, g->drv.config, 2));
	EXPECT_EQ(25, testvm_mmio_read(self->vm, g->drv.config + 2, 2));
	EXPECT_EQ(3, testvm_mmio_read(self->vm, g->drv.config + 4, 4));
	queues_up(g, variant->features | MULTI);
	offer_new(g, VCON_QUEUE_CTRL_RX, ENTRIES - 1);
	/* It says nothing before it is asked. */
	EXPECT_TRUE(hears_nothing(g));
	ASSERT_TRUE(say(g, 0xffffffff, VCON_DEVICE_READY, 1));
	for (i = 0; i < 3; i++)
		EXPECT_TRUE(hears(g, i, VCON_PORT_ADD, 1));
	EXPECT_TRUE(hears_nothing(g));
	ASSERT_TRUE(say(g, 0, VCON_PORT_READY, 1));
	EXPECT_TRUE(hears(g, 0, VCON_CONSOLE_PORT, 1));
	EXPECT_TRUE(hears(g, 0, VCON_RESIZE, 1));
	ASSERT_EQ(sizeof(size), g->tail_len);
	memcpy(&size, g->tail, sizeof(size));
	EXPECT_EQ(80, le16_to_cpu(size.cols));
	EXPECT_EQ(25, le16_to_cpu(size.rows));
	EXPECT_TRUE(hears(g, 0, VCON_PORT_OPEN, 1));
	ASSERT_TRUE(say(g, 2, VCON_PORT_READY, 1));
	EXPECT_TRUE(hears(g, 2, VCON_PORT_NAME, 1));
	ASSERT_EQ(3, g->tail_len);
	EXPECT_EQ(0, memcmp(g->tail, "log", 3));
	ASSERT_TRUE(say(g, 1, VCON_PORT_READY, 1));
	EXPECT_TRUE(hears(g, 1, VCON_PORT_NAME, 1));
	ASSERT_EQ(22, g->tail_len);
	EXPECT_EQ(0, memcmp(g->tail, "org.qemu.guest_agent.0", 22));
	/* Said again, heard again: a driver that was suspended does that. */
	ASSERT_TRUE(say(g, 1, VCON_PORT_READY, 1));
	EXPECT_TRUE(hears(g, 1, VCON_PORT_NAME, 1));
	ASSERT_TRUE(say(g, 0, VCON_DEVICE_READY, 1));
	for (i = 0; i < 3; i++)
		EXPECT_TRUE(hears(g, i, VCON_PORT_ADD, 1));
	EXPECT_TRUE(hears_nothing(g));
}

TEST_F(vcon, messages_wait_for_buffers)
{
	struct guest *g = &self->g;
	u32 i;
	int fd;

	queues_up(g, variant->features | MULTI);
	for (i = 0; i < 1000; i++) {
		ASSERT_TRUE(say(g, 0, VCON_DEVICE_READY, 1));
		ASSERT_TRUE(say(g, i % 3, VCON_PORT_READY, 1));
	}
	/* One that came and went leaves no trace. */
	fd = host_call(self->path[0]);
	close(fd);
	offer_new(g, VCON_QUEUE_CTRL_RX, 1);
	/* The last was port 0 (999 is a multiple of 3): it was ready. */
	EXPECT_TRUE(hears(g, 0, VCON_CONSOLE_PORT, 1));
	EXPECT_TRUE(hears(g, 0, VCON_RESIZE, 1));
	EXPECT_TRUE(hears(g, 0, VCON_PORT_OPEN, 1));
	EXPECT_TRUE(hears(g, 1, VCON_PORT_ADD, 1));
	EXPECT_TRUE(hears(g, 2, VCON_PORT_ADD, 1));
	EXPECT_TRUE(hears_nothing(g));
}

TEST_F(vcon, messages_that_mean_nothing)
{
	struct guest *g = &self->g;
	u8 text[16] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	u32 i;

	ASSERT_TRUE(guest_start(g, variant->features));
	ASSERT_TRUE(say_raw(g, text, 1));
	ASSERT_TRUE(say_raw(g, text, 7));
	ASSERT_TRUE(say_raw(g, text, 16));
	for (i = 0; i < 12; i++) {
		ASSERT_TRUE(say(g, 3, i, 1) || i == VCON_DEVICE_READY);
		ASSERT_TRUE(say(g, 0x80000000, i, 1) || !i);
		if (i == VCON_DEVICE_READY)
			for (u32 k = 0; k < 6; k++)
				hear(g);
		else if (i != VCON_PORT_READY && i != VCON_PORT_OPEN)
			ASSERT_TRUE(say(g, 1, i, 1));
	}
	EXPECT_TRUE(hears_nothing(g));
	EXPECT_FALSE(virtio_driver_status(&g->drv) & VIRTIO_STATUS_NEEDS_RESET);
	/* The driver could not set something up. */
	ASSERT_TRUE(say(g, 1, VCON_PORT_READY, 0));
	ASSERT_TRUE(say(g, 0, VCON_DEVICE_READY, 0));
	EXPECT_TRUE(hears_nothing(g));
}

TEST_F(vcon, buffers_that_will_not_do)
{
	static const struct {
		u32 queue;
		u32 len;
		bool in;
	} bad[] = {
		{ VCON_QUEUE_CTRL_RX, 7, true },
		{ VCON_QUEUE_CTRL_RX, 64, false },
		{ RX(0), 64, false },
		{ RX(1), 64, false },
	};
	struct guest *g = &self->g;
	u32 i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		struct virtio_buf buf = { 0, bad[i].len, bad[i].in };

		if (bad[i].queue == VCON_QUEUE_CTRL_RX) {
			queues_up(g, variant->features | MULTI);
			ASSERT_TRUE(say(g, 1, VCON_PORT_READY, 1));
		} else {
			ASSERT_TRUE(guest_start(g, variant->features));
		}
		fd = host_call(self->path[0]);
		ASSERT_EQ(1, write(fd, "x", 1));
		ASSERT_EQ(1, write(self->keys[1], "x", 1));
		buf.addr = g->out;
		ASSERT_LE(0, virtio_driver_add(&g->drv.vq[bad[i].queue], &buf,
					       1, false));
		virtio_driver_notify(&g->drv.vq[bad[i].queue]);
		EXPECT_TRUE(virtio_driver_wait_status(&g->drv,
			VIRTIO_STATUS_NEEDS_RESET, VIRTIO_STATUS_NEEDS_RESET));
		close(fd);
		virtio_driver_reset(&g->drv);
	}
	ASSERT_TRUE(guest_start(g, variant->features));
}

/* A driver that has little room gets the beginning. */
TEST_F(vcon, long_messages_and_short_buffers)
{
	struct guest *g = &self->g;
	struct virtio_vq *vq = &g->drv.vq[VCON_QUEUE_CTRL_RX];
	u32 len;
	u16 id;

	queues_up(g, variant->features | MULTI);
	offer(g, VCON_QUEUE_CTRL_RX, g->out, 12);
	ASSERT_TRUE(say(g, 1, VCON_PORT_READY, 1));
	ASSERT_TRUE(virtio_driver_wait(vq, &id, &len));
	EXPECT_EQ(12, len);
	EXPECT_EQ(0, memcmp((u8 *)virtio_driver_ptr(&g->drv, g->out, 12) + 8,
			    "org.", 4));
}

TEST_F(vcon, the_size_changes)
{
	struct guest *g = &self->g;
	struct vcon_resize size;

	ASSERT_TRUE(guest_start(g, variant->features));
	console_resize(self->terminal, 132, 50);
	EXPECT_TRUE(hears(g, 0, VCON_RESIZE, 1));
	memcpy(&size, g->tail, sizeof(size));
	EXPECT_EQ(132, le16_to_cpu(size.cols));
	EXPECT_EQ(50, le16_to_cpu(size.rows));
	EXPECT_EQ(132, testvm_mmio_read(self->vm, g->drv.config, 2));
	EXPECT_EQ(VIRTIO_ISR_CONFIG, VIRTIO_ISR_CONFIG &
		  testvm_mmio_read(self->vm, g->drv.isr, 1));
	/* The same once more is nothing new; what is no terminal has none. */
	console_resize(self->terminal, 132, 50);
	console_resize(self->terminal, 0, 0);
	EXPECT_TRUE(hears_nothing(g));
	EXPECT_EQ(132, testvm_mmio_read(self->vm, g->drv.config, 2));
}

/* ---- bytes --------------------------------------------------------------------- */

TEST_F(vcon, one_port_without_messages)
{
	struct guest *g = &self->g;
	u64 got = 0, sent = 0, shown = 0;

	queues_up(g, variant->features | VCON_F_SIZE);
	offer_new(g, RX(0), 4);
	host_say(self->keys[1], &sent, 1000);
	ASSERT_TRUE(WAIT_FOR(self->vm, !take(g, 0, BUF, &got) || got == 1000));
	EXPECT_EQ(1000, got);
	ASSERT_TRUE(put(g, 0, 0, 500));
	ASSERT_TRUE(WAIT_FOR(self->vm, !host_take(self->screen[0], &shown,
						  BUF) || shown == 500));
	EXPECT_EQ(500, shown);
	EXPECT_EQ(1, reap(g, TX(0)));
	/* Of other ports it knows nothing: what goes there ends there. */
	ASSERT_TRUE(put(g, 1, 0, 100));
	EXPECT_TRUE(WAIT_FOR(self->vm, reap(g, TX(1)) == 1));
	EXPECT_TRUE(say(g, 0, VCON_DEVICE_READY, 1));
	offer_new(g, VCON_QUEUE_CTRL_RX, 1);
	EXPECT_TRUE(hears_nothing(g));
}

TEST_F(vcon, a_character_in_need)
{
	struct guest *g = &self->g;
	u8 buf[8];

	/* No driver, no queue. */
	testvm_mmio_write(self->vm, g->drv.config + 8, 'o', 4);
	testvm_mmio_write(self->vm, g->drv.config + 8, 'h', 1);
	testvm_mmio_write(self->vm, g->drv.config + 9, 'x', 1);
	testvm_mmio_write(self->vm, g->drv.config, 'x', 4);
	ASSERT_TRUE(WAIT_FOR(self->vm, read(self->screen[0], buf, 8) == 2));
	EXPECT_EQ(0, memcmp(buf, "oh", 2));
	EXPECT_EQ(0, testvm_mmio_read(self->vm, g->drv.config + 8, 4));
	EXPECT_EQ(80, testvm_mmio_read(self->vm, g->drv.config, 2));
}

/* A megabyte through buffers of a few bytes, on every port at once. */
TEST_F(vcon, a_paste_arrives_as_it_was)
{
	const u64 total = MIB;
	struct guest *g = &self->g;
	u64 sent[3] = { 0 }, got[3] = { 0 };
	u32 p, i, turn = 0;
	int fd[3];

	ASSERT_TRUE(guest_start(g, variant->features));
	fd[0] = self->keys[1];
	for (p = 1; p < 3; p++) {
		fd[p] = host_call(self->path[p - 1]);
		ASSERT_LE(0, fd[p]);
		ASSERT_TRUE(hears(g, p, VCON_PORT_OPEN, 1));
	}
	for (p = 0; p < 3; p++)
		for (i = 0; i < ENTRIES; i++)
			offer(g, RX(p), virtio_driver_alloc(&g->drv, BUF),
			      512);
	ASSERT_TRUE(WAIT_FOR(self->vm, ({
		for (p = 0; p < 3; p++) {
			if (sent[p] < total)
				host_say(fd[p], &sent[p], total);
			/* Now and then the guest is slow. */
			if (turn++ % 7)
				ASSERT_TRUE(take(g, p, 512, &got[p]));
		}
		got[0] == total && got[1] == total && got[2] == total;
	})));
	close(fd[1]);
	close(fd[2]);
}

/* The guest's output waits for who takes it, and nothing is lost or doubled. */
TEST_F(vcon, a_slow_reader)
{
	const u64 total = MIB / 2;
	struct guest *g = &self->g;
	u64 given[3] = { 0 }, got[3] = { 0 };
	struct test_random rnd;
	u32 p, len;
	int fd[3];

	test_random_init(&rnd);
	ASSERT_TRUE(guest_start(g, variant->features));
	fd[0] = self->screen[0];
	for (p = 1; p < 3; p++) {
		fd[p] = host_call(self->path[p - 1]);
		ASSERT_LE(0, fd[p]);
	}
	/* Nobody reads: in the end the guest can give no more. */
	for (p = 0; p < 3; p++) {
		ASSERT_TRUE(WAIT_FOR(self->vm, ({
			u32 nr = reap(g, TX(p));

			len = 1 + test_random_below(&rnd, BUF);
			while (given[p] < total && put(g, p, given[p], len)) {
				given[p] += len;
				nr++;
			}
			!nr && virtio_driver_quiet(&g->drv.vq[TX(p)], 300);
		})));
		EXPECT_GT(total, given[p]);
		EXPECT_LT(16384, given[p]);
	}
	/* Then somebody does, in little pieces. */
	ASSERT_TRUE(WAIT_FOR(self->vm, ({
		bool all = true;

		for (p = 0; p < 3; p++) {
			reap(g, TX(p));
			if (given[p] < total && put(g, p, given[p], 3000))
				given[p] += 3000;
			ASSERT_TRUE(host_take(fd[p], &got[p], 1 +
					      test_random_below(&rnd, BUF)));
			all &= given[p] >= total && got[p] == given[p];
		}
		all;
	})));
	close(fd[1]);
	close(fd[2]);
}

/* ---- who comes and goes --------------------------------------------------------- */

TEST_F(vcon, clients_come_and_go)
{
	struct guest *g = &self->g;
	u64 sent = 0, got = 0, shown = 0;
	u32 round;
	int fd, next;

	ASSERT_TRUE(guest_start(g, variant->features));
	offer_new(g, RX(1), ENTRIES);
	for (round = 1; round < 20; round++) {
		fd = host_call(self->path[0]);
		ASSERT_LE(0, fd);
		ASSERT_TRUE(hears(g, 1, VCON_PORT_OPEN, 1));
		/* The next one waits for its turn. */
		next = host_call(self->path[0]);
		ASSERT_LE(0, next);
		ASSERT_TRUE(put(g, 1, shown, 100));
		host_say(fd, &sent, round * 200 - 100);
		ASSERT_TRUE(WAIT_FOR(self->vm, host_take(fd, &shown, BUF) &&
				     !(shown % 200 - 100)));
		/* What it has said before it goes is heard, and then its end. */
		close(fd);
		ASSERT_TRUE(hears(g, 1, VCON_PORT_OPEN, 0));
		ASSERT_TRUE(take(g, 1, BUF, &got));
		ASSERT_EQ(round * 200 - 100, got);
		ASSERT_TRUE(hears(g, 1, VCON_PORT_OPEN, 1));
		host_say(next, &sent, round * 200);
		ASSERT_TRUE(put(g, 1, shown, 100));
		ASSERT_TRUE(WAIT_FOR(self->vm, host_take(next, &shown, BUF) &&
				     !(shown % 200)));
		/* One that only listens is there as well. */
		ASSERT_EQ(0, shutdown(next, SHUT_WR));
		ASSERT_TRUE(WAIT_FOR(self->vm, take(g, 1, BUF, &got) &&
				     got == round * 200));
		EXPECT_TRUE(round > 1 || hears_nothing(g));
		close(next);
		ASSERT_TRUE(hears(g, 1, VCON_PORT_OPEN, 0));
		reap(g, TX(1));
	}
}

TEST_F(vcon, nobody_in_the_guest)
{
	struct guest *g = &self->g;
	u64 got = 0, sent = 0;
	int fd;

	ASSERT_TRUE(guest_start(g, variant->features));
	ASSERT_TRUE(say(g, 1, VCON_PORT_OPEN, 0));
	offer_new(g, RX(1), ENTRIES);
	fd = host_call(self->path[0]);
	ASSERT_TRUE(hears(g, 1, VCON_PORT_OPEN, 1));
	host_say(fd, &sent, 100);
	EXPECT_TRUE(virtio_driver_quiet(&g->drv.vq[RX(1)], 30));
	ASSERT_TRUE(say(g, 1, VCON_PORT_OPEN, 1));
	ASSERT_TRUE(WAIT_FOR(self->vm, take(g, 1, BUF, &got) && got == 100));
	/* Who goes while nobody wants to know takes along what it has said. */
	ASSERT_TRUE(say(g, 1, VCON_PORT_OPEN, 0));
	ASSERT_EQ(5, write(fd, "stale", 5));
	close(fd);
	ASSERT_TRUE(hears(g, 1, VCON_PORT_OPEN, 0));
	fd = host_call(self->path[0]);
	ASSERT_TRUE(hears(g, 1, VCON_PORT_OPEN, 1));
	ASSERT_TRUE(say(g, 1, VCON_PORT_OPEN, 1));
	host_say(fd, &sent, 200);
	ASSERT_TRUE(WAIT_FOR(self->vm, !take(g, 1, BUF, &got) || got == 200));
	EXPECT_EQ(200, got);
	close(fd);
}

/* What the guest writes while nobody is there is for the next one. */
TEST_F(vcon, nobody_at_the_host)
{
	struct guest *g = &self->g;
	u64 given = 0, got = 0;
	int fd;

	ASSERT_TRUE(guest_start(g, variant->features));
	while (put(g, 2, given, 1000))
		given += 1000;
	EXPECT_TRUE(virtio_driver_quiet(&g->drv.vq[TX(2)], 30));
	fd = host_call(self->path[1]);
	ASSERT_TRUE(WAIT_FOR(self->vm, !host_take(fd, &got, BUF) ||
			     got == given));
	EXPECT_EQ(given, got);
	close(fd);
}

TEST_F(vcon, a_reset_in_every_state)
{
	struct guest *g = &self->g;
	u64 given, got, sent;
	u32 state, i;
	int fd = host_call(self->path[0]);

	ASSERT_LE(0, fd);
	for (state = 0; state < 12; state++) {
		ASSERT_TRUE(guest_start(g, variant->features));
		/* The one who is there stays there. */
		ASSERT_TRUE(hears(g, 1, VCON_PORT_OPEN, 1));
		given = 0;
		got = 0;
		sent = 0;
		if (state % 3 == 1)
			offer_new(g, RX(1), ENTRIES);
		if (state % 3 == 2)
			host_say(fd, &sent, 1 << state);
		for (i = 0; state & 1 && i < 50; i++) {
			put(g, 2, given, BUF);
			put(g, 0, given, BUF);
			reap(g, TX(0));
		}
		if (state & 4)
			say(g, 0, VCON_DEVICE_READY, 1);
		virtio_driver_reset(&g->drv);
		EXPECT_EQ(0, virtio_driver_status(&g->drv));
		g->drv.arena_next = g->drv.arena_next > RAM / 2 ?
			VIRTIO_DRIVER_ARENA : g->drv.arena_next;
	}
	ASSERT_TRUE(guest_start(g, variant->features));
	ASSERT_TRUE(hears(g, 1, VCON_PORT_OPEN, 1));
	while (read(fd, &got, 8) > 0)
		;
	got = 0;
	ASSERT_TRUE(put(g, 1, 0, 777));
	ASSERT_TRUE(WAIT_FOR(self->vm, host_take(fd, &got, BUF) && got == 777));
	/* What it has said before is still for somebody. */
	offer_new(g, RX(1), ENTRIES);
	close(fd);
	EXPECT_TRUE(hears(g, 1, VCON_PORT_OPEN, 0));
}

/* ---- pause and state --------------------------------------------------------------- */

TEST_F(vcon, a_pause_waits_for_nobody)
{
	const struct device_ops *ops = self->dev->class->ops;
	struct guest *g = &self->g;
	u64 given = 0, got = 0, sent = 0, heard = 0;
	u32 i;
	int fd, next;

	ASSERT_TRUE(guest_start(g, variant->features));
	offer_new(g, RX(1), ENTRIES);
	fd = host_call(self->path[0]);
	ASSERT_TRUE(hears(g, 1, VCON_PORT_OPEN, 1));
	/* More than fits into the socket, and nobody reads. */
	ASSERT_TRUE(WAIT_FOR(self->vm, ({
		reap(g, TX(1));
		while (put(g, 1, given, BUF))
			given += BUF;
		virtio_driver_quiet(&g->drv.vq[TX(1)], 100);
	})));
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, ops->quiesce(self->dev, &self->err));
		host_say(fd, &sent, 100 * (i + 1));
		EXPECT_TRUE(virtio_driver_quiet(&g->drv.vq[RX(1)], 20));
		ops->resume(self->dev);
		ASSERT_TRUE(WAIT_FOR(self->vm, take(g, 1, BUF, &heard) &&
				     heard == sent));
		ASSERT_TRUE(host_take(fd, &got, 1234));
	}
	/* Who comes and goes meanwhile is noticed later. */
	ASSERT_EQ(0, ops->quiesce(self->dev, &self->err));
	ASSERT_TRUE(host_take(fd, &got, BUF));
	console_resize(self->terminal, 100, 30);
	EXPECT_EQ(80, testvm_mmio_read(self->vm, g->drv.config, 2));
	next = host_call(self->path[1]);
	ASSERT_LE(0, next);
	EXPECT_TRUE(hears_nothing(g));
	ops->resume(self->dev);
	/* Both, in either order. */
	EXPECT_EQ(VCON_RESIZE + VCON_PORT_OPEN, hear(g) + hear(g));
	ASSERT_TRUE(WAIT_FOR(self->vm, !host_take(fd, &got, BUF) ||
			     (reap(g, TX(1)), got == given)));
	EXPECT_EQ(given, got);
	close(fd);
	close(next);
}

TEST_F(vcon, the_stream_goes_on_where_it_was)
{
	const struct device_ops *ops = self->dev->class->ops;
	const u32 size = self->dev->class->state->size;
	struct guest *g = &self->g;
	u64 given[3] = { 0 }, got[3] = { 0 };
	void *state, *again;
	u32 round, p;
	int fd;

	ASSERT_TRUE(guest_start(g, variant->features));
	for (round = 0; round < 4; round++) {
		fd = host_call(self->path[0]);
		ASSERT_LE(0, fd);
		ASSERT_TRUE(hears(g, 1, VCON_PORT_OPEN, 1));
		/* On 0 and 1 in the middle of a buffer, on 2 before the first. */
		ASSERT_TRUE(WAIT_FOR(self->vm, ({
			for (p = 0; p < 3; p++) {
				reap(g, TX(p));
				while (put(g, p, given[p], 3001))
					given[p] += 3001;
			}
			virtio_driver_quiet(&g->drv.vq[TX(0)], 20) &&
			virtio_driver_quiet(&g->drv.vq[TX(1)], 20);
		})));
		ASSERT_EQ(0, ops->quiesce(self->dev, &self->err));
		/* What the first machine has written can still be read. */
		while (host_take(fd, &got[1], BUF) &&
		       recv(fd, &p, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
			;
		state = testvm_save(self->dev);
		close(fd);
		ASSERT_EQ(0, testvm_load(self->dev, state, &self->err)) {
			TH_LOG("%s", self->err.text);
		}
		/* Saved once more before the guest has heard of it. */
		again = testvm_save(self->dev);
		EXPECT_EQ(0, memcmp(state, again, size));
		ops->resume(self->dev);
		free(state);
		free(again);
		ASSERT_TRUE(hears(g, 0, VCON_RESIZE, 1));
		ASSERT_TRUE(hears(g, 1, VCON_PORT_OPEN, 0));
	}
	/* The ring ends in the middle of what was begun: the next one gets it. */
	fd = host_call(self->path[0]);
	ASSERT_TRUE(hears(g, 1, VCON_PORT_OPEN, 1));
	ASSERT_TRUE(WAIT_FOR(self->vm, ({
		ASSERT_TRUE(host_take(fd, &got[1], BUF));
		ASSERT_TRUE(host_take(self->screen[0], &got[0], BUF));
		got[0] == given[0] && got[1] == given[1];
	})));
	close(fd);
	fd = host_call(self->path[1]);
	ASSERT_TRUE(WAIT_FOR(self->vm, !host_take(fd, &got[2], BUF) ||
			     got[2] == given[2]));
	EXPECT_EQ(given[2], got[2]);
	close(fd);
}

/* Messages that wait are state. */
TEST_F(vcon, messages_survive)
{
	const struct device_ops *ops = self->dev->class->ops;
	struct guest *g = &self->g;
	void *state;
	u32 i;

	queues_up(g, variant->features | MULTI);
	ASSERT_TRUE(say(g, 0, VCON_DEVICE_READY, 1));
	ASSERT_TRUE(say(g, 1, VCON_PORT_READY, 1));
	ASSERT_EQ(0, ops->quiesce(self->dev, &self->err));
	state = testvm_save(self->dev);
	mutex_lock(&self->dev->lock);
	ops->reset(self->dev);
	mutex_unlock(&self->dev->lock);
	ASSERT_EQ(0, testvm_load(self->dev, state, &self->err));
	testvm_bus_master(self->vm, SLOT, true);
	ops->resume(self->dev);
	offer_new(g, VCON_QUEUE_CTRL_RX, 1);
	EXPECT_TRUE(hears(g, 0, VCON_PORT_ADD, 1));
	EXPECT_TRUE(hears(g, 1, VCON_PORT_NAME, 1));
	EXPECT_TRUE(hears(g, 2, VCON_PORT_ADD, 1));
	for (i = 0; i < 3; i++)
		ASSERT_TRUE(say(g, i, VCON_PORT_READY, 1));
	free(state);
}

/* Where in the state the last port but @back is: it ends with 15 of 16 bytes. */
static u16 *port_field(void *state, u32 size, u32 port, u32 field)
{
	return (u16 *)((u8 *)state + size - 15 * 16 + 16 * port + 8) + field;
}

TEST_F(vcon, states_that_cannot_be)
{
	const struct device_ops *ops = self->dev->class->ops;
	const u32 size = self->dev->class->state->size;
	static const struct {
		u32 port;
		u32 field;
		u16 value;
	} bad[] = {
		{ 0, 3, 8 },	/* port 0 has no name */
		{ 1, 3, 2 },	/* port 1 is no console */
		{ 2, 3, 4 },	/* and has no size */
	};
	struct guest *g = &self->g;
	void *state;
	u16 *at, old;
	u32 i;

	ASSERT_TRUE(guest_start(g, variant->features));
	ASSERT_EQ(0, ops->quiesce(self->dev, &self->err));
	state = testvm_save(self->dev);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		at = port_field(state, size, bad[i].port, bad[i].field);
		old = *at;
		*at = bad[i].value;
		EXPECT_EQ(-EINVAL, testvm_load(self->dev, state, &self->err));
		EXPECT_NE(NULL, strstr(self->err.text, "messages-due"));
		*at = old;
	}
	EXPECT_EQ(0, testvm_load(self->dev, state, &self->err));
	/* What only a driver that knows ports can have. */
	ops->resume(self->dev);
	queues_up(g, variant->features);
	ASSERT_EQ(0, ops->quiesce(self->dev, &self->err));
	free(state);
	state = testvm_save(self->dev);
	for (i = 0; i < 4; i++) {
		at = port_field(state, size, 1, i);
		*at = 1;
		EXPECT_EQ(-EINVAL, testvm_load(self->dev, state, &self->err));
		EXPECT_NE(NULL, strstr(self->err.text, "port@1"));
		*at = 0;
	}
	/* Another number of ports. */
	*(u32 *)((u8 *)state + size - 15 * 16 - 4) = 2;
	EXPECT_EQ(-EINVAL, testvm_load(self->dev, state, &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "there are 2"));
	free(state);
	ops->resume(self->dev);
}

/* ---- options ------------------------------------------------------------------------ */

TEST_F(vcon, what_cannot_be_is_told_in_a_line)
{
	char text[512], other[96], longname[80];
	struct device *dev;
	u32 i;
	const struct {
		const char *options;
		int code;
		const char *says;
	} bad[] = {
		{ "", -EINVAL, "name a port" },
		{ "a", -EINVAL, "port=a: name its socket with path=" },
		{ "a,path=/x,path=/y", -EINVAL, "path=/y: there is no port" },
		{ "a/b,path=/x", -EINVAL, "no \"/\"" },
		{ longname, -EINVAL, "at most 63 characters" },
		{ "console=on", -EBUSY, "another device is the console" },
		{ "a,path=/nowhere/at/all", -ENOENT, "path=/nowhere/at/all" },
	};

	memset(longname, 'x', 64);
	strcpy(longname + 64, ",path=/x");
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(bad[i].code, testvm_try_add(self->vm,
			"virtio-console", 1, 4, bad[i].options, &dev,
			&self->err));
		EXPECT_NE(NULL, strstr(self->err.text, bad[i].says)) {
			TH_LOG("%s", self->err.text);
		}
	}
	/* The second is wrong: the first leaves nothing behind. */
	snprintf(other, sizeof(other), "%s/o", self->dir);
	snprintf(text, sizeof(text), "a,path=%s,port=a,path=%s2", other, other);
	EXPECT_EQ(-EINVAL, testvm_try_add(self->vm, "virtio-console", 1, 4,
					  text, &dev, &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "port=a: is there twice"));
	EXPECT_NE(0, access(other, F_OK));
	snprintf(text, sizeof(text), "a,path=%s,port=b,path=%s", other,
		 self->path[0]);
	EXPECT_EQ(-EEXIST, testvm_try_add(self->vm, "virtio-console", 1, 4,
					  text, &dev, &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "another program listens"));
	EXPECT_NE(0, access(other, F_OK));
	/* Too many. */
	strcpy(text, "a0,path=/x");
	for (i = 1; i < 15; i++)
		snprintf(text + strlen(text), 32, ",port=a%u,path=/x", i);
	EXPECT_EQ(-EINVAL, testvm_try_add(self->vm, "virtio-console", 1, 4,
					  text, &dev, &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "at most 14"));
}

/* As many as there can be, and no console. */
TEST_F(vcon, all_the_ports_there_can_be)
{
	struct virtio_driver drv;
	char text[2048];
	struct device *dev;
	struct stat st;
	u32 i;
	int fd;

	text[0] = 0;
	for (i = 1; i < 15; i++)
		snprintf(text + strlen(text), 128, "%sport=p%u,path=%s/p%u",
			 i > 1 ? "," : "", i, self->dir, i);
	ASSERT_EQ(0, testvm_try_add(self->vm, "virtio-console", 1, 4, text,
				    &dev, &self->err)) {
		TH_LOG("%s", self->err.text);
	}
	snprintf(text, sizeof(text), "%s/p14", self->dir);
	ASSERT_EQ(0, stat(text, &st));
	EXPECT_EQ(0600, st.st_mode & 0777);
	virtio_driver_init(&drv, self->vm, 4);
	EXPECT_EQ(VCON_F_MULTIPORT, virtio_driver_offered(&drv) & 0xffffff);
	EXPECT_EQ(15, testvm_mmio_read(self->vm, drv.config + 4, 4));
	EXPECT_EQ(32, virtio_driver_read(&drv, VIRTIO_REG_NUM_QUEUES, 2));
	fd = host_call(text);
	ASSERT_LE(0, fd);
	device_destroy(dev);
	EXPECT_NE(0, access(text, F_OK));
	EXPECT_TRUE(host_ended(self->vm, fd));
	close(fd);
}

/* A console alone: two queues, its size in the configuration. */
TEST_F(vcon, a_console_alone)
{
	struct virtio_driver drv;
	struct device *dev;
	u64 out;

	self->vm->hvc = NULL;
	dev = testvm_add_pci(self->vm, "virtio-console", 1, 4, "console=on");
	virtio_driver_init(&drv, self->vm, 4);
	EXPECT_EQ(VCON_F_SIZE | VCON_F_EMERG_WRITE,
		  virtio_driver_offered(&drv) & 0xffffff);
	EXPECT_EQ(2, virtio_driver_read(&drv, VIRTIO_REG_NUM_QUEUES, 2));
	/* It is connected to nothing: what is written there is dropped. */
	ASSERT_TRUE(virtio_driver_negotiate(&drv, variant->features));
	virtio_driver_queue(&drv, 0, ENTRIES);
	virtio_driver_queue(&drv, 1, ENTRIES);
	virtio_driver_ok(&drv);
	out = virtio_driver_alloc(&drv, BUF);
	{
		const struct virtio_buf buf = { out, BUF, false };

		EXPECT_EQ(0, virtio_driver_exec(&drv.vq[1], &buf, 1, false));
	}
	testvm_mmio_write(self->vm, drv.config + 8, 'x', 4);
	device_destroy(dev);
}

TEST_HARNESS_MAIN
