// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: fuzzing the network card by a hostile driver
 *
 * The input is a program for a driver that keeps to no rules: chains of any
 * buffers, bytes written into buffers and rings, frames that come in, resets
 * and pauses at any moment. One machine serves all inputs; each begins with a
 * reset and with the memory that programs use cleared, so that inputs repeat.
 * passt is a stand-in, see tests/lib/fake_passt.h.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/fake_passt.h"
#include "tests/lib/testvm.h"
#include "tests/lib/virtio_driver.h"
#include "virtio/net_spec.h"
#include "virtio/virtio.h"
#include "vmm/base/math.h"

#define SLOT		4
#define ENTRIES		16
#define AREA		(256 * KIB)	/* what programs write to */
#define STEPS_MAX	200
#define FRAME_MAX	4096

#define WANTED								\
	(BIT_ULL(NET_F_MAC) | BIT_ULL(NET_F_STATUS) |			\
	 BIT_ULL(NET_F_MRG_RXBUF) | BIT_ULL(NET_F_CTRL_VQ) |		\
	 BIT_ULL(NET_F_CTRL_RX) | BIT_ULL(NET_F_CTRL_RX_EXTRA) |	\
	 BIT_ULL(NET_F_CTRL_MAC_ADDR) | BIT_ULL(NET_F_GUEST_ANNOUNCE))

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

/**
 * struct fuzz - the machine, and the input
 * @passt: the other end of the wire
 * @vm: the machine, NULL before the first input
 * @dev: the card
 * @drv: sets it up
 * @area: AREA bytes of guest memory
 * @ptr: the same, here
 * @data: what is left of the input
 * @left: bytes
 */
struct fuzz {
	struct fake_passt passt;
	struct vm *vm;
	struct device *dev;
	struct virtio_driver drv;
	u64 area;
	u8 *ptr;
	const u8 *data;
	size_t left;
};

static struct fuzz fuzz;

static void clean(void)
{
	fake_passt_destroy(&fuzz.passt);
}

static u32 take(struct fuzz *f, u32 bytes)
{
	u32 v = 0;

	while (bytes-- && f->left) {
		v = v << 8 | *f->data++;
		f->left--;
	}
	return v;
}

static void bring_up(struct fuzz *f, u8 how)
{
	u64 features = VIRTIO_F_VERSION_1 | WANTED;
	u16 i;

	features |= how & 1 ? VIRTIO_F_RING_PACKED : 0;
	features |= how & 2 ? VIRTIO_F_EVENT_IDX : 0;
	features |= how & 4 ? VIRTIO_F_INDIRECT_DESC : 0;
	features &= how & 8 ? ~BIT_ULL(NET_F_MRG_RXBUF) : ~0ULL;
	virtio_driver_init(&f->drv, f->vm, SLOT);
	if (!virtio_driver_negotiate(&f->drv, features))
		abort();
	for (i = 0; i < 3; i++)
		virtio_driver_queue(&f->drv, i, ENTRIES);
	virtio_driver_ok(&f->drv);
	f->area = virtio_driver_alloc(&f->drv, AREA);
	f->ptr = virtio_driver_ptr(&f->drv, f->area, AREA);
}

static void settle(struct fuzz *f)
{
	u32 i;

	for (i = 0; i < 20; i++) {
		testvm_poll(f->vm);
		if (i % 10 == 9)
			usleep(20);
	}
}

/* Most buffers lie in the area, some where the input says. */
static void add_chain(struct fuzz *f)
{
	struct virtio_vq *vq = &f->drv.vq[take(f, 1) % 3];
	struct virtio_buf bufs[8];
	u32 nr = 1 + take(f, 1) % 8, i;

	for (i = 0; i < nr; i++) {
		u8 kind = (u8)take(f, 1);

		bufs[i].in = kind & 1;
		bufs[i].addr = f->area + take(f, 2) * 4ULL;
		bufs[i].len = take(f, 2);
		if (kind & 2)
			bufs[i].len &= 0x3f;
		if (kind & 4)
			bufs[i].len = 1514;
		if (kind > 250)
			bufs[i].addr = (u64)take(f, 4) << 32 | take(f, 4);
		if (kind == 250)
			bufs[i].len = take(f, 4);
	}
	virtio_driver_add(vq, bufs, nr, take(f, 1) & 1 &&
			  (f->drv.features & VIRTIO_F_INDIRECT_DESC));
}

static void write_area(struct fuzz *f)
{
	u32 at = take(f, 2) * 4U % AREA, nr = take(f, 1) % 32, i;

	for (i = 0; i < nr && at + i < AREA; i++)
		f->ptr[at + i] = (u8)take(f, 1);
}

/* Descriptors and indexes, under the hands of the card. */
static void write_ring(struct fuzz *f)
{
	struct virtio_vq *vq = &f->drv.vq[take(f, 1) % 3];
	u32 where = take(f, 1);

	if (where & 1)
		vq->desc[take(f, 1) % (16 * ENTRIES)] = (u8)take(f, 1);
	else
		vq->driver[take(f, 1) % (4 + 2 * ENTRIES)] = (u8)take(f, 1);
}

static void send_frame(struct fuzz *f)
{
	struct pollfd room = { .fd = f->passt.wire, .events = POLLOUT };
	u8 frame[FRAME_MAX] = { 0 };
	u32 len = ETH_HEADER + take(f, 2) % (FRAME_MAX - ETH_HEADER);

	memset(frame, (int)take(f, 1), 6);
	/* A guest without buffers lets the wire fill up. */
	if (poll(&room, 1, 0) > 0)
		fake_passt_send(&f->passt, frame, len);
}

static void pause_and_move(struct fuzz *f)
{
	const struct device_ops *ops = f->dev->class->ops;
	struct error err = ERROR_INIT;
	void *state;

	if (ops->quiesce(f->dev, &err))
		abort();
	state = testvm_save(f->dev);
	/* A queue that cannot be is refused; the card goes on as it was. */
	if (testvm_load(f->dev, state, &err) && !err.text[0])
		abort();
	free(state);
	ops->resume(f->dev);
}

static void drain(struct fuzz *f)
{
	u8 sink[65536];

	while (recv(f->passt.wire, sink, sizeof(sink), MSG_DONTWAIT) > 0)
		;
}

static void step(struct fuzz *f)
{
	switch (take(f, 1) % 16) {
	case 0 ... 5:
		add_chain(f);
		break;
	case 6 ... 7:
		write_area(f);
		break;
	case 8 ... 10:
		virtio_driver_notify(&f->drv.vq[take(f, 1) % 3]);
		break;
	case 11:
		send_frame(f);
		break;
	case 12:
		settle(f);
		break;
	case 13:
		write_ring(f);
		break;
	case 14:
		pause_and_move(f);
		break;
	default:
		bring_up(f, (u8)take(f, 1));
	}
	drain(f);
}

static void machine_make(struct fuzz *f)
{
	fake_passt_init(&f->passt);
	atexit(clean);
	f->vm = testvm_create(32 * MIB);
	f->dev = testvm_add_pci(f->vm, "network", 0, SLOT, "mode=user");
	testvm_msix_enable(f->vm, SLOT, 4);
	f->dev->class->ops->resume(f->dev);
	fake_passt_accept(&f->passt, f->vm);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct fuzz *f = &fuzz;
	u32 i;

	if (!f->vm)
		machine_make(f);
	f->data = data;
	f->left = size;
	bring_up(f, (u8)take(f, 1));
	memset(f->ptr, 0, AREA);
	for (i = 0; f->left && i < STEPS_MAX; i++)
		step(f);
	settle(f);
	drain(f);
	virtio_driver_reset(&f->drv);
	return 0;
}
