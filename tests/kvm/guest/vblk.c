// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: a virtio disk that is stamped and checked
 *
 * VIRTIO 1.2: modern PCI transport (4.1), a split queue (2.7), block device
 * (5.2). No feature but VIRTIO_F_VERSION_1, so what is written is stable when
 * the request ends. Some requests are always under way; the used ring is looked
 * at, and interrupts are not used.
 *
 * Only the boot CPU comes here.
 */
#include "tests/kvm/guest/vblk.h"
#include "tests/kvm/guest/mem.h"
#include "tests/kvm/guest/pci.h"
#include "tests/kvm/guest/platform.h"
#include "tests/kvm/stamp.h"

#define VIRTIO_VENDOR		0x1af4
#define CLASS_STORAGE_SCSI	0x010000
#define CAP_VENDOR		0x09
#define CAP_COMMON		1
#define CAP_NOTIFY		2
#define VERSION_1_WORD		1u	/* bit 32: of the second word */

#define STATUS_DRIVER		0x3	/* acknowledge, driver */
#define STATUS_DRIVER_OK	0x4
#define STATUS_FEATURES_OK	0x8

#define QUEUE_SIZE		16	/* three descriptors for each request */
#define SLOTS			4
#define BLOCK			4096
#define BLOCKS			512
#define SECTORS_PER_BLOCK	(BLOCK / 512)
#define DESC_NEXT		1
#define DESC_WRITE		2
#define TYPE_READ		0
#define TYPE_WRITE		1
#define SPACE			STAMP_SPACE_DISK(0x100, 1)
#define PATIENCE_NS		60000000000ull

/* 4.1.4.3 */
struct common_config {
	uint32_t device_feature_select;
	uint32_t device_feature;
	uint32_t driver_feature_select;
	uint32_t driver_feature;
	uint16_t config_vector;
	uint16_t num_queues;
	uint8_t status;
	uint8_t generation;
	uint16_t queue_select;
	uint16_t queue_size;
	uint16_t queue_vector;
	uint16_t queue_enable;
	uint16_t queue_notify_off;
	uint32_t queue_address[6];	/* descriptors, driver, device */
};

struct descriptor {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};

struct driver_area {
	uint16_t flags;
	uint16_t idx;
	uint16_t ring[QUEUE_SIZE];
};

struct device_area {
	uint16_t flags;
	uint16_t idx;
	struct {
		uint32_t id;
		uint32_t len;
	} ring[QUEUE_SIZE];
};

/**
 * struct slot - a request
 * @type:   TYPE_READ or TYPE_WRITE
 * @unused: reserved
 * @sector: first one
 * @status: how it went
 * @busy:   under way
 * @block:  which block
 * @data:   its contents
 */
struct slot {
	uint32_t type;
	uint32_t unused;
	uint64_t sector;
	uint8_t status;
	bool busy;
	uint32_t block;
	void *data;
};

/**
 * struct vblk - a disk
 * @common: registers
 * @bell:   where the queue is notified
 * @desc:   descriptors
 * @driver: what is offered
 * @device: what has come back
 * @seen:   how much of that was looked at
 * @slot:   requests
 * @gen:    generation of each block
 * @seed:   of the stamps
 * @rng:    choices
 */
struct vblk {
	volatile struct common_config *common;
	volatile uint16_t *bell;
	struct descriptor *desc;
	volatile struct driver_area *driver;
	volatile struct device_area *device;
	uint16_t seen;
	struct slot slot[SLOTS];
	uint32_t gen[BLOCKS];
	uint64_t seed;
	struct rng rng;
};

/* ---- bringing it up ----------------------------------------------------- */

static void find_registers(struct vblk *d, const struct pci_function *f,
			   uint32_t *multiplier)
{
	unsigned int at = pci_read(f, PCI_CAPABILITIES) & 0xfc, hops = 0;
	uint32_t v, offset;
	uint64_t addr;

	for (; at && hops < 48; at = v >> 8 & 0xfc, hops++) {
		v = pci_read(f, at);
		if ((v & 0xff) != CAP_VENDOR)
			continue;
		offset = pci_read(f, at + 8);
		addr = f->bar[pci_read(f, at + 4) & 7].addr + offset;
		if (v >> 24 == CAP_COMMON) {
			d->common = mmio_map(addr, sizeof(*d->common));
		} else if (v >> 24 == CAP_NOTIFY) {
			d->bell = mmio_map(addr, 4096);
			*multiplier = pci_read(f, at + 16);
		}
	}
}

static void set_address(struct vblk *d, unsigned int which,
			const volatile void *at)
{
	d->common->queue_address[2 * which] = (uint32_t)(uint64_t)at;
	d->common->queue_address[2 * which + 1] =
		(uint32_t)((uint64_t)at >> 32);
}

static int start(struct vblk *d, uint32_t multiplier)
{
	volatile struct common_config *c = d->common;

	c->status = 0;
	while (c->status)
		;
	c->status = STATUS_DRIVER;
	c->driver_feature_select = 1;
	c->driver_feature = VERSION_1_WORD;
	c->status = STATUS_DRIVER | STATUS_FEATURES_OK;
	CHECK(c->status & STATUS_FEATURES_OK, "the disk wants more features");
	c->queue_select = 0;
	c->queue_size = QUEUE_SIZE;
	set_address(d, 0, d->desc);
	set_address(d, 1, d->driver);
	set_address(d, 2, d->device);
	d->bell += multiplier * c->queue_notify_off / 2;
	c->queue_enable = 1;
	c->status = STATUS_DRIVER | STATUS_FEATURES_OK | STATUS_DRIVER_OK;
	return 0;
}

/**
 * vblk_open - bring the virtio disk up
 * @seed: of its stamps
 *
 * Return: the disk, or NULL: there is none, or what is wrong was reported.
 */
struct vblk *vblk_open(uint64_t seed)
{
	struct pci_function *f = pci_find_class(CLASS_STORAGE_SCSI, 0);
	uint32_t multiplier = 0;
	struct vblk *d;
	unsigned int i;

	if (!f || f->vendor != VIRTIO_VENDOR)
		return NULL;
	pci_command(f, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 0);
	d = mem_alloc(sizeof(*d), 64);
	find_registers(d, f, &multiplier);
	d->desc = mem_alloc(QUEUE_SIZE * sizeof(*d->desc), 16);
	d->driver = mem_alloc(sizeof(*d->driver), 4);
	d->device = mem_alloc(sizeof(*d->device), 4);
	for (i = 0; i < SLOTS; i++)
		d->slot[i].data = mem_alloc(BLOCK, BLOCK);
	d->seed = seed;
	d->rng.state = seed + 5;
	return d->common && d->bell && !start(d, multiplier) ? d : NULL;
}

/* ---- requests ----------------------------------------------------------- */

static struct stamp stamp_of(const struct vblk *d, uint32_t block)
{
	return (struct stamp){
		.seed = d->seed,
		.where = block,
		.space = SPACE,
		.gen = d->gen[block],
	};
}

static void submit(struct vblk *d, unsigned int i, uint32_t type,
		   uint32_t block)
{
	struct slot *s = &d->slot[i];
	struct descriptor *desc = &d->desc[3 * i];
	struct stamp stamp;

	s->type = type;
	s->sector = (uint64_t)block * SECTORS_PER_BLOCK;
	s->status = 0xff;
	s->block = block;
	s->busy = true;
	if (type == TYPE_WRITE) {
		d->gen[block]++;
		stamp = stamp_of(d, block);
		stamp_fill(s->data, BLOCK, &stamp);
	} else {
		bytes_set(s->data, 0xa5, BLOCK);
	}
	desc[0] = (struct descriptor){
		(uint64_t)s, 16, DESC_NEXT, (uint16_t)(3 * i + 1),
	};
	desc[1] = (struct descriptor){
		(uint64_t)s->data, BLOCK,
		DESC_NEXT | (type == TYPE_READ ? DESC_WRITE : 0),
		(uint16_t)(3 * i + 2),
	};
	desc[2] = (struct descriptor){
		(uint64_t)&s->status, 1, DESC_WRITE, 0,
	};
	d->driver->ring[d->driver->idx % QUEUE_SIZE] = (uint16_t)(3 * i);
	memory_barrier();
	d->driver->idx++;
	memory_barrier();
	*d->bell = 0;
}

static int finish(struct vblk *d, struct slot *s)
{
	struct stamp want = stamp_of(d, s->block);
	size_t at;

	CHECK(s->busy, "the disk has ended what it was not asked for");
	CHECK(!s->status, "the disk says %u of block %u", s->status, s->block);
	s->busy = false;
	if (s->type == TYPE_WRITE)
		return 0;
	at = stamp_diff(s->data, BLOCK, &want);
	if (at == BLOCK)
		return 0;
	print("guest: MISMATCH virtio block %u: from byte %lu, generation %u expected\n",
	      s->block, (uint64_t)at, d->gen[s->block]);
	return -1;
}

/* What has come back; how many are under way still, or -1. */
static int reap(struct vblk *d)
{
	unsigned int i;
	int busy = 0;

	while (d->seen != d->device->idx) {
		memory_barrier();
		i = d->device->ring[d->seen++ % QUEUE_SIZE].id;
		CHECK(i % 3 == 0 && i / 3 < SLOTS, "a request %u", i);
		if (finish(d, &d->slot[i / 3]))
			return -1;
	}
	for (i = 0; i < SLOTS; i++)
		busy += d->slot[i].busy;
	return busy;
}

static bool is_in_use(const struct vblk *d, uint32_t block)
{
	unsigned int i;

	for (i = 0; i < SLOTS; i++)
		if (d->slot[i].busy && d->slot[i].block == block)
			return true;
	return false;
}

/**
 * vblk_step - check what has come back, ask for more
 * @d: the disk
 *
 * Does not wait.
 *
 * Return: 0, or -1 after reporting what is wrong.
 */
int vblk_step(struct vblk *d)
{
	unsigned int i;
	uint32_t block;

	if (reap(d) < 0)
		return -1;
	for (i = 0; i < SLOTS; i++) {
		block = rng_below(&d->rng, BLOCKS);
		if (!d->slot[i].busy && !is_in_use(d, block))
			submit(d, i, rng_next(&d->rng) & 1 ? TYPE_WRITE :
			       TYPE_READ, block);
	}
	return 0;
}

static int drain(struct vblk *d)
{
	const uint64_t end = now_ns() + PATIENCE_NS;
	int busy;

	while ((busy = reap(d)) > 0)
		CHECK(now_ns() < end, "the disk does not end %d requests",
		      busy);
	return busy;
}

/**
 * vblk_check_all - read all blocks
 * @d: the disk
 *
 * Return: 0, or -1 after reporting what is wrong.
 */
int vblk_check_all(struct vblk *d)
{
	uint32_t block;

	for (block = 0; block < BLOCKS; block++) {
		if (drain(d))
			return -1;
		submit(d, 0, TYPE_READ, block);
	}
	return drain(d);
}
