// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: a hostile virtio driver that runs a program
 *
 * See virtio_fuzz.h. One machine serves all inputs: making one takes longer than
 * running a program. Each input begins with a reset, and with the guest memory
 * that programs use cleared, so that inputs repeat.
 */
#include <linux/pci_regs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/fuzz_program.h"
#include "tests/lib/testvm.h"
#include "tests/lib/virtio_fuzz.h"
#include "vmm/base/math.h"
#include "vmm/device.h"

#define SLOT		4
#define MEMORY		(16 * MIB)
#define ENTRIES		16
#define AREA		(64 * KIB)	/* what programs write to */
#define BUFS_MAX	8

/**
 * struct fuzz - the machine, and where programs work in it
 * @target: the device's description
 * @vm: the machine
 * @dev: the device
 * @drv: its driver
 * @bar0: its registers, to put them back after a Function Level Reset
 * @area: AREA bytes of guest memory
 */
struct fuzz {
	const struct virtio_fuzz_target *target;
	struct vm *vm;
	struct device *dev;
	struct virtio_driver drv;
	u64 bar0;
	u64 area;
};

/* Everything that was begun has ended, or waits for the guest. */
static void settle(struct fuzz *f)
{
	u32 i;

	for (i = 0; i < 20; i++) {
		testvm_poll(f->vm);
		if (i % 10 == 9)
			usleep(20);
	}
}

static __noreturn void broken(const char *what)
{
	printf("%s\n", what);
	fflush(stdout);
	abort();
}

static void begin(struct fuzz *f, u64 features)
{
	struct virtio_driver *drv = &f->drv;
	u16 i;

	virtio_driver_init(drv, f->vm, SLOT);
	testvm_msix_enable(f->vm, SLOT, 2);
	f->area = virtio_driver_alloc(drv, AREA);
	features &= virtio_driver_offered(drv);
	if (!virtio_driver_negotiate(drv, features | VIRTIO_F_VERSION_1))
		return;
	for (i = 0; i < f->target->queues; i++)
		virtio_driver_queue(drv, i, ENTRIES);
	virtio_driver_ok(drv);
}

/* Most addresses into the area, some as the input says. */
static u64 bend(struct fuzz *f, u64 addr)
{
	return addr >> 60 == 0xf ? addr : f->area + addr % AREA;
}

static struct virtio_vq *take_queue(struct fuzz *f, struct program *p)
{
	struct virtio_vq *vq = &f->drv.vq[take8(p) % f->target->queues];

	return vq->size ? vq : NULL;
}

static void step_chain(struct fuzz *f, struct program *p)
{
	struct virtio_vq *vq = take_queue(f, p);
	struct virtio_buf bufs[BUFS_MAX];
	u8 shape = take8(p);
	u32 nr = 1 + shape % BUFS_MAX, i;
	u8 head[16];

	take(p, head, sizeof(head));
	for (i = 0; i < nr; i++) {
		u32 v = take32(p);

		bufs[i].addr = bend(f, (u64)v >> 12);
		bufs[i].len = v & 0xfff;
		bufs[i].in = i && i >= nr - (shape >> 3) % (BUFS_MAX / 2);
	}
	if (shape & 0x80)
		bufs[0].len = sizeof(head);
	if (guest_is_memory(&f->vm->memory, gpa(bufs[0].addr), sizeof(head)))
		memcpy(testvm_ram(f->vm, bufs[0].addr, sizeof(head)), head,
		       sizeof(head));
	if (!vq)
		return;
	/* Entries are used again whether they have come back or not. */
	vq->free = vq->size;
	memset(vq->busy, 0, sizeof(vq->busy));
	virtio_driver_add(vq, bufs, nr, shape & 0x40);
	virtio_driver_notify(vq);
}

static void step_memory(struct fuzz *f, struct program *p)
{
	u32 at = take32(p) % AREA;
	u32 len = min_of((u32)take8(p), (u32)AREA - at);

	take(p, testvm_ram(f->vm, f->area + at, len + !len), len);
}

static void step_ring(struct fuzz *f, struct program *p)
{
	struct virtio_vq *vq = take_queue(f, p);
	u8 which = take8(p), at = take8(p);
	u8 bytes[16];

	take(p, bytes, sizeof(bytes));
	if (!vq)
		return;
	if (which % 3 == 0) {
		u64 addr;

		memcpy(&addr, bytes, sizeof(addr));
		addr = bend(f, addr);
		memcpy(bytes, &addr, sizeof(addr));
		memcpy(vq->desc + 16 * (at % ENTRIES), bytes, 16);
	} else {
		memcpy((which % 3 == 1 ? vq->driver : vq->device) +
		       at % (4 + 2 * ENTRIES), bytes, 2);
	}
}

static void step_notify(struct fuzz *f, struct program *p)
{
	u16 index = take8(p);

	testvm_mmio_write(f->vm, f->drv.notify +
			  (u64)index % VIRTIO_DRIVER_QUEUES *
			  f->drv.notify_multiplier, index, 2);
}

static void step_register(struct fuzz *f, struct program *p)
{
	u8 reg = take8(p), len = take8(p);
	u64 value = take64(p);
	u64 base = f->drv.common;

	if (reg & 0x80)
		base = f->drv.config ? f->drv.config : f->drv.isr;
	/* Rings are mostly where there is memory. */
	if (!(reg & 0x80) && (reg & 0x7f) >= VIRTIO_REG_QUEUE_DESC &&
	    (reg & 0x7f) < VIRTIO_REG_QUEUE_NOTIFY_DATA)
		value = bend(f, value) & ~15ULL;
	testvm_mmio_read(f->vm, base + (reg & 0x7f), 1U << len % 4);
	testvm_mmio_write(f->vm, base + (reg & 0x7f), value, 1U << len % 4);
}

/* Reached again: awake, and where it was. */
static void bars_back(struct fuzz *f)
{
	u32 pm = testvm_capability(f->vm, SLOT, PCI_CAP_ID_PM);

	testvm_config_write(f->vm, SLOT, pm + PCI_PM_CTRL, 0, 2);
	testvm_config_write(f->vm, SLOT, PCI_BASE_ADDRESS_0, (u32)f->bar0, 4);
	testvm_config_write(f->vm, SLOT, PCI_BASE_ADDRESS_1,
			    (u32)(f->bar0 >> 32), 4);
	testvm_config_write(f->vm, SLOT, PCI_COMMAND,
			    PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
}

static void step_function(struct fuzz *f, struct program *p)
{
	u8 what = take8(p), at = take8(p);
	u32 value = take32(p);

	switch (what % 4) {
	case 0:
		testvm_bus_master(f->vm, SLOT, false);
		break;
	case 1:
		testvm_bus_master(f->vm, SLOT, true);
		break;
	case 2:
		at = (u8)testvm_capability(f->vm, SLOT, PCI_CAP_ID_EXP);
		testvm_config_write(f->vm, SLOT, at + PCI_EXP_DEVCTL,
				    PCI_EXP_DEVCTL_BCR_FLR, 2);
		bars_back(f);
		break;
	default:
		/* Behind the header: capabilities, the window's among them. */
		testvm_config_write(f->vm, SLOT,
				    PCI_STD_HEADER_SIZEOF + at % 192, value,
				    1U << what / 4 % 3);
		testvm_config_read(f->vm, SLOT,
				   PCI_STD_HEADER_SIZEOF + at % 192, 4);
		break;
	}
}

static void step_begin(struct fuzz *f, struct program *p)
{
	static const u64 ring_features[] = {
		VIRTIO_F_INDIRECT_DESC, VIRTIO_F_EVENT_IDX,
		VIRTIO_F_RING_PACKED, VIRTIO_F_RING_RESET,
	};
	u8 which = take8(p);
	u64 features = take32(p);
	u32 i;

	for (i = 0; i < ARRAY_SIZE(ring_features); i++)
		if (which >> i & 1)
			features |= ring_features[i];
	bars_back(f);
	begin(f, features);
}

static void step_pause(struct fuzz *f, struct program *p)
{
	const struct device_ops *ops = f->dev->class->ops;
	struct error err = ERROR_INIT;
	void *state;

	if (ops->quiesce(f->dev, &err))
		broken(err.text);
	state = testvm_save(f->dev);
	if (testvm_load(f->dev, state, &err))
		broken(err.text);
	free(state);
	ops->resume(f->dev);
}

static void step_wait(struct fuzz *f, struct program *p)
{
	settle(f);
}

static void (*const steps[])(struct fuzz *f, struct program *p) = {
	step_chain, step_chain, step_chain, step_memory, step_ring,
	step_notify, step_register, step_function, step_begin, step_pause,
	step_wait,
};

static void machine_make(struct fuzz *f)
{
	f->vm = testvm_create(MEMORY);
	f->dev = testvm_add_pci(f->vm, f->target->class, 0, SLOT,
				f->target->options);
	f->bar0 = testvm_bar(f->vm, SLOT, 0);
}

/* Power-on values of what a driver does not reset, configuration space too. */
static void power_on(struct fuzz *f)
{
	struct error err = ERROR_INIT;

	if (f->dev->class->ops->quiesce(f->dev, &err))
		broken(err.text);
	mutex_lock(&f->dev->lock);
	f->dev->class->ops->reset(f->dev);
	mutex_unlock(&f->dev->lock);
	f->dev->class->ops->resume(f->dev);
}

/* A good driver finds a good device. */
static void probe(struct fuzz *f)
{
	const struct virtio_fuzz_target *t = f->target;
	struct virtio_buf bufs[BUFS_MAX];
	u32 i;

	bars_back(f);
	begin(f, VIRTIO_F_VERSION_1);
	for (i = 0; i < t->probe_nr; i++) {
		bufs[i] = t->probe[i];
		bufs[i].addr += f->area;
	}
	virtio_driver_exec(&f->drv.vq[t->probe_queue], bufs, t->probe_nr,
			   false);
}

/**
 * virtio_fuzz_run() - run one program
 * @data: the program
 * @size: bytes
 * @target: the device, the same one each time
 */
void virtio_fuzz_run(const u8 *data, size_t size,
		     const struct virtio_fuzz_target *target)
{
	static struct fuzz fuzz;
	struct program p = { .data = data, .left = size };

	if (!fuzz.vm) {
		fuzz.target = target;
		machine_make(&fuzz);
	}
	power_on(&fuzz);
	begin(&fuzz, take8(&p) & 1 ? ~0ULL & ~VIRTIO_F_RING_PACKED : ~0ULL);
	while (p.left)
		steps[take8(&p) % ARRAY_SIZE(steps)](&fuzz, &p);
	settle(&fuzz);
	probe(&fuzz);
}
