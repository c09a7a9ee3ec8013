// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: a small virtio driver for tests without a vCPU
 *
 * See virtio_driver.h. VIRTIO-1.2 2.7, 2.8, 3.1, 4.1.
 */
#include <linux/pci_regs.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/testvm.h"
#include "tests/lib/virtio_driver.h"
#include "vmm/base/clock.h"
#include "vmm/base/math.h"

#define TABLE_LEN	64

static __noreturn void die(struct virtio_driver *drv, const char *what)
{
	printf("# virtio driver of slot %u: %s\n", drv->slot, what);
	fflush(stdout);
	abort();
}

static u16 get16(const void *at)
{
	return le16_to_cpu((__force __le16)
			   atomic_load_explicit((const _Atomic u16 *)at,
						memory_order_acquire));
}

static void put16(void *at, u16 value)
{
	atomic_store_explicit((_Atomic u16 *)at,
			      (__force u16)cpu_to_le16(value),
			      memory_order_release);
}

/* ---- the device --------------------------------------------------------------- */

static void find_cap(struct virtio_driver *drv, u32 cap)
{
	struct vm *vm = drv->vm;
	u32 type = testvm_config_read(vm, drv->slot, cap + 3, 1);
	u32 bar = testvm_config_read(vm, drv->slot, cap + 4, 1);
	u64 addr = testvm_bar(vm, drv->slot, bar) +
		   testvm_config_read(vm, drv->slot, cap + 8, 4);

	switch (type) {
	case VIRTIO_CAP_COMMON:
		drv->common = addr;
		break;
	case VIRTIO_CAP_NOTIFY:
		drv->notify = addr;
		drv->notify_multiplier = testvm_config_read(vm, drv->slot,
							    cap + 16, 4);
		break;
	case VIRTIO_CAP_ISR:
		drv->isr = addr;
		break;
	case VIRTIO_CAP_DEVICE:
		drv->config = addr;
		break;
	default:
		break;
	}
}

/**
 * virtio_driver_init() - find a device
 * @drv: filled; the arena is all of RAM from VIRTIO_DRIVER_ARENA on
 * @vm: the machine
 * @slot: the device's slot
 */
void virtio_driver_init(struct virtio_driver *drv, struct vm *vm, u32 slot)
{
	u32 cap, seen;

	memset(drv, 0, sizeof(*drv));
	drv->vm = vm;
	drv->slot = slot;
	drv->timeout_ms = 20000;
	drv->arena_next = VIRTIO_DRIVER_ARENA;
	drv->arena_end = TESTVM_RAM + vm->memory.blocks[0].size;
	cap = testvm_config_read(vm, slot, PCI_CAPABILITY_LIST, 1);
	for (seen = 0; cap && seen < 48; seen++) {
		if (testvm_config_read(vm, slot, cap, 1) == PCI_CAP_ID_VNDR)
			find_cap(drv, cap);
		cap = testvm_config_read(vm, slot, cap + 1, 1);
	}
	if (!drv->common || !drv->notify || !drv->isr)
		die(drv, "a capability is missing");
	testvm_bus_master(vm, slot, true);
}

/**
 * virtio_driver_read() - read a register of the common configuration
 * @drv: the device
 * @reg: VIRTIO_REG
 * @len: its width
 *
 * Return: the value.
 */
u64 virtio_driver_read(struct virtio_driver *drv, u32 reg, u32 len)
{
	return testvm_mmio_read(drv->vm, drv->common + reg, len);
}

/**
 * virtio_driver_write() - write a register of the common configuration
 * @drv: the device
 * @reg: VIRTIO_REG
 * @value: the value
 * @len: its width
 */
void virtio_driver_write(struct virtio_driver *drv, u32 reg, u64 value, u32 len)
{
	testvm_mmio_write(drv->vm, drv->common + reg, value, len);
}

/**
 * virtio_driver_status() - device_status
 * @drv: the device
 *
 * Return: the register.
 */
u8 virtio_driver_status(struct virtio_driver *drv)
{
	return (u8)virtio_driver_read(drv, VIRTIO_REG_DEVICE_STATUS, 1);
}

/**
 * virtio_driver_wait_status() - wait for bits of device_status
 * @drv: the device
 * @mask: which
 * @value: how they are to be
 *
 * Return: false when they did not become so in time.
 */
bool virtio_driver_wait_status(struct virtio_driver *drv, u8 mask, u8 value)
{
	u64 end = now_ms() + drv->timeout_ms;

	while ((virtio_driver_status(drv) & mask) != value) {
		if (now_ms() > end)
			return false;
		testvm_poll(drv->vm);
	}
	return true;
}

/**
 * virtio_driver_reset() - reset the device and wait for it
 * @drv: the device; its queues are gone
 */
void virtio_driver_reset(struct virtio_driver *drv)
{
	virtio_driver_write(drv, VIRTIO_REG_DEVICE_STATUS, 0, 1);
	if (!virtio_driver_wait_status(drv, 0xff, 0))
		die(drv, "the reset did not end");
	memset(drv->vq, 0, sizeof(drv->vq));
	drv->features = 0;
}

/**
 * virtio_driver_offered() - the device's features
 * @drv: the device
 *
 * Return: both halves.
 */
u64 virtio_driver_offered(struct virtio_driver *drv)
{
	u64 features = 0;
	u32 i;

	for (i = 0; i < 2; i++) {
		virtio_driver_write(drv, VIRTIO_REG_DEVICE_FEATURE_SELECT, i,
				    4);
		features |= virtio_driver_read(drv, VIRTIO_REG_DEVICE_FEATURE,
					       4) << (32 * i);
	}
	return features;
}

/**
 * virtio_driver_negotiate() - reset the device and agree on features
 * @drv: the device
 * @features: what is wanted
 *
 * Return: false when the device refuses.
 */
bool virtio_driver_negotiate(struct virtio_driver *drv, u64 features)
{
	u8 status = VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER;
	u32 i;

	virtio_driver_reset(drv);
	virtio_driver_write(drv, VIRTIO_REG_DEVICE_STATUS,
			    VIRTIO_STATUS_ACKNOWLEDGE, 1);
	virtio_driver_write(drv, VIRTIO_REG_DEVICE_STATUS, status, 1);
	for (i = 0; i < 2; i++) {
		virtio_driver_write(drv, VIRTIO_REG_DRIVER_FEATURE_SELECT, i,
				    4);
		virtio_driver_write(drv, VIRTIO_REG_DRIVER_FEATURE,
				    (u32)(features >> (32 * i)), 4);
	}
	virtio_driver_write(drv, VIRTIO_REG_DEVICE_STATUS,
			    status | VIRTIO_STATUS_FEATURES_OK, 1);
	drv->features = features;
	return virtio_driver_status(drv) & VIRTIO_STATUS_FEATURES_OK;
}

/**
 * virtio_driver_ok() - let the device begin
 * @drv: the device, with its queues
 */
void virtio_driver_ok(struct virtio_driver *drv)
{
	virtio_driver_write(drv, VIRTIO_REG_DEVICE_STATUS,
			    virtio_driver_status(drv) |
			    VIRTIO_STATUS_DRIVER_OK, 1);
}

/**
 * virtio_driver_alloc() - guest memory
 * @drv: the device
 * @bytes: how much
 *
 * Return: guest address, aligned to 4096, zeroed.
 */
u64 virtio_driver_alloc(struct virtio_driver *drv, u64 bytes)
{
	u64 addr = drv->arena_next;

	bytes = round_up_to(bytes, 4096);
	if (!range_fits(addr, bytes, drv->arena_end))
		die(drv, "out of guest memory");
	drv->arena_next += bytes;
	memset(testvm_ram(drv->vm, addr, bytes), 0, bytes);
	return addr;
}

/**
 * virtio_driver_ptr() - guest memory as we see it
 * @drv: the device
 * @addr: guest address
 * @len: bytes
 *
 * Return: the pointer.
 */
void *virtio_driver_ptr(struct virtio_driver *drv, u64 addr, u64 len)
{
	return testvm_ram(drv->vm, addr, len);
}

/* ---- queues ------------------------------------------------------------------- */

/**
 * virtio_driver_queue_enable() - tell the device where a queue is
 * @drv: the device
 * @index: a queue that has memory; begins anew
 */
void virtio_driver_queue_enable(struct virtio_driver *drv, u16 index)
{
	struct virtio_vq *vq = &drv->vq[index];

	vq->next = 0;
	vq->used = 0;
	vq->next_wrap = vq->packed;
	vq->used_wrap = vq->packed;
	vq->free = vq->size;
	memset(vq->busy, 0, sizeof(vq->busy));
	memset(vq->desc, 0, 16U * vq->size);
	memset(vq->driver, 0, 6U + 2U * vq->size);
	memset(vq->device, 0, 6U + 8U * vq->size);
	virtio_driver_write(drv, VIRTIO_REG_QUEUE_SELECT, index, 2);
	virtio_driver_write(drv, VIRTIO_REG_QUEUE_SIZE, vq->size, 2);
	virtio_driver_write(drv, VIRTIO_REG_QUEUE_VECTOR, index, 2);
	virtio_driver_write(drv, VIRTIO_REG_QUEUE_DESC, vq->desc_gpa, 8);
	virtio_driver_write(drv, VIRTIO_REG_QUEUE_DRIVER, vq->driver_gpa, 8);
	virtio_driver_write(drv, VIRTIO_REG_QUEUE_DEVICE, vq->device_gpa, 8);
	virtio_driver_write(drv, VIRTIO_REG_QUEUE_ENABLE, 1, 2);
}

/**
 * virtio_driver_queue() - make a queue
 * @drv: the device, features are negotiated
 * @index: its number
 * @size: entries
 */
void virtio_driver_queue(struct virtio_driver *drv, u16 index, u16 size)
{
	struct virtio_vq *vq = &drv->vq[index];

	memset(vq, 0, sizeof(*vq));
	vq->drv = drv;
	vq->index = index;
	vq->size = size;
	vq->packed = drv->features & VIRTIO_F_RING_PACKED;
	vq->desc_gpa = virtio_driver_alloc(drv, 16U * size);
	vq->driver_gpa = virtio_driver_alloc(drv, 6U + 2U * size);
	vq->device_gpa = virtio_driver_alloc(drv, 6U + 8U * size);
	vq->desc = virtio_driver_ptr(drv, vq->desc_gpa, 16U * size);
	vq->driver = virtio_driver_ptr(drv, vq->driver_gpa, 6U + 2U * size);
	vq->device = virtio_driver_ptr(drv, vq->device_gpa, 6U + 8U * size);
	vq->table_len = TABLE_LEN;
	vq->tables_gpa = virtio_driver_alloc(drv, 16ULL * TABLE_LEN * size);
	virtio_driver_queue_enable(drv, index);
}

static int take_free(struct virtio_vq *vq)
{
	u16 i;

	for (i = 0; i < vq->size; i++) {
		if (!vq->busy[i]) {
			vq->busy[i] = true;
			return i;
		}
	}
	return -1;
}

static u16 buf_flags(const struct virtio_buf *buf, bool more)
{
	return (u16)((buf->in ? VIRTQ_DESC_F_WRITE : 0) |
		     (more ? VIRTQ_DESC_F_NEXT : 0));
}

/* An indirect table; @buf becomes the one buffer that is the table. */
static void make_table(struct virtio_vq *vq, u32 at,
		       const struct virtio_buf *bufs, u32 nr,
		       struct virtio_buf *table)
{
	u64 addr = vq->tables_gpa + 16ULL * vq->table_len * at;
	struct virtq_desc *desc;
	u32 i;

	if (nr > vq->table_len)
		die(vq->drv, "too many buffers for a table");
	desc = virtio_driver_ptr(vq->drv, addr, 16ULL * nr);
	for (i = 0; i < nr; i++) {
		u16 flags = buf_flags(&bufs[i], i + 1 < nr);

		/* A packed table has neither. */
		if (vq->packed)
			flags &= (u16)~VIRTQ_DESC_F_NEXT;
		desc[i] = (struct virtq_desc){
			.addr = cpu_to_le64(bufs[i].addr),
			.len = cpu_to_le32(bufs[i].len),
		};
		if (vq->packed) {
			struct virtq_packed_desc *p = (void *)&desc[i];

			p->flags = cpu_to_le16(flags);
		} else {
			desc[i].flags = cpu_to_le16(flags);
			desc[i].next = cpu_to_le16((u16)(i + 1));
		}
	}
	*table = (struct virtio_buf){ .addr = addr, .len = 16 * nr };
}

static void put_split(struct virtio_vq *vq, u16 at, const struct virtio_buf *buf,
		      u16 flags, u16 next)
{
	struct virtq_desc *desc = (struct virtq_desc *)vq->desc + at;

	*desc = (struct virtq_desc){
		.addr = cpu_to_le64(buf->addr),
		.len = cpu_to_le32(buf->len),
		.flags = cpu_to_le16(flags),
		.next = cpu_to_le16(next),
	};
}

static int add_split(struct virtio_vq *vq, const struct virtio_buf *bufs,
		     u32 nr, u16 extra)
{
	int head = take_free(vq), at = head, next;
	u32 i;

	for (i = 0; i < nr; i++) {
		next = i + 1 < nr ? take_free(vq) : 0;
		put_split(vq, (u16)at, &bufs[i],
			  buf_flags(&bufs[i], i + 1 < nr) | extra, (u16)next);
		vq->link[at] = (u16)next;
		at = next;
	}
	vq->slots[head] = (u16)nr;
	vq->free -= nr;
	put16(vq->driver + 4 + 2 * (vq->next % vq->size), (u16)head);
	vq->next++;
	put16(vq->driver + 2, vq->next);
	return head;
}

static u16 packed_flags(bool wrap)
{
	return wrap ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED;
}

static int add_packed(struct virtio_vq *vq, const struct virtio_buf *bufs,
		      u32 nr, u16 extra)
{
	struct virtq_packed_desc *desc = (struct virtq_packed_desc *)vq->desc;
	int id = take_free(vq);
	u16 head = vq->next, head_flags = 0;
	u32 i;

	for (i = 0; i < nr; i++) {
		u16 flags = buf_flags(&bufs[i], i + 1 < nr) | extra |
			    packed_flags(vq->next_wrap);
		struct virtq_packed_desc *d = &desc[vq->next];

		d->addr = cpu_to_le64(bufs[i].addr);
		d->len = cpu_to_le32(bufs[i].len);
		d->id = cpu_to_le16((u16)(id + vq->id_base));
		if (i)
			put16(&d->flags, flags);
		else
			head_flags = flags;
		if (++vq->next == vq->size) {
			vq->next = 0;
			vq->next_wrap = !vq->next_wrap;
		}
	}
	/* The head last. */
	put16(&desc[head].flags, head_flags);
	vq->slots[id] = (u16)nr;
	vq->free -= nr;
	return id;
}

/**
 * virtio_driver_add() - offer a chain of buffers
 * @vq: the queue
 * @bufs: the buffers, those that the device reads first
 * @nr: how many
 * @indirect: by a table
 *
 * Return: what it will be known by, or -1 without room.
 */
int virtio_driver_add(struct virtio_vq *vq, const struct virtio_buf *bufs,
		      u32 nr, bool indirect)
{
	struct virtio_buf table;
	u16 extra = 0;
	u32 i;

	if (vq->free < (indirect ? 1 : nr))
		return -1;
	if (indirect) {
		/* The table of the entry that take_free() is going to take. */
		for (i = 0; vq->busy[i]; i++)
			;
		make_table(vq, i, bufs, nr, &table);
		bufs = &table;
		nr = 1;
		extra = VIRTQ_DESC_F_INDIRECT;
	}
	return vq->packed ? add_packed(vq, bufs, nr, extra) :
			    add_split(vq, bufs, nr, extra);
}

/**
 * virtio_driver_notify() - tell the device
 * @vq: the queue
 */
void virtio_driver_notify(struct virtio_vq *vq)
{
	struct virtio_driver *drv = vq->drv;

	atomic_thread_fence(memory_order_seq_cst);
	testvm_mmio_write(drv->vm, drv->notify +
			  (u64)drv->notify_multiplier * vq->index, vq->index,
			  2);
}

/**
 * virtio_driver_wants_notify() - does the device want to be told?
 * @vq: the queue
 * @old: its &virtio_vq.next before what was added
 *
 * Return: true when it does.
 */
bool virtio_driver_wants_notify(struct virtio_vq *vq, u16 old)
{
	bool event_idx = vq->drv->features & VIRTIO_F_EVENT_IDX;
	u16 event, flags, off;

	atomic_thread_fence(memory_order_seq_cst);
	if (!vq->packed) {
		if (!event_idx)
			return !(get16(vq->device) & VIRTQ_USED_F_NO_NOTIFY);
		event = get16(vq->device + 4 + 8 * vq->size);
		return (u16)(vq->next - event - 1) < (u16)(vq->next - old);
	}
	flags = get16(vq->device + 2) & 3;
	if (flags != VIRTQ_EVENT_DESC)
		return flags == VIRTQ_EVENT_ENABLE;
	event = get16(vq->device);
	off = event & 0x7fff;
	if (!!(event & VIRTQ_EVENT_WRAP) != vq->next_wrap)
		off = (u16)(off - vq->size);
	return (u16)(vq->next - off - 1) < (u16)(vq->next - old);
}

static void reap_done(struct virtio_vq *vq, u16 id)
{
	u16 i, at = id;

	if (id >= vq->size || !vq->busy[id])
		die(vq->drv, "the device gave back what it does not have");
	for (i = 0; i < (vq->packed ? 1 : vq->slots[id]); i++) {
		vq->busy[at] = false;
		at = vq->link[at];
	}
	vq->free += vq->slots[id];
}

static bool reap_split(struct virtio_vq *vq, u16 *id, u32 *len)
{
	struct virtq_used_elem elem;

	if (get16(vq->device + 2) == vq->used)
		return false;
	memcpy(&elem, vq->device + 4 + 8 * (vq->used % vq->size),
	       sizeof(elem));
	vq->used++;
	*id = (u16)le32_to_cpu(elem.id);
	*len = le32_to_cpu(elem.len);
	return true;
}

static bool reap_packed(struct virtio_vq *vq, u16 *id, u32 *len)
{
	struct virtq_packed_desc *d = (struct virtq_packed_desc *)vq->desc +
				      vq->used;
	u16 flags = get16(&d->flags);

	if (!!(flags & VIRTQ_DESC_F_AVAIL) != vq->used_wrap ||
	    !!(flags & VIRTQ_DESC_F_USED) != vq->used_wrap)
		return false;
	*id = (u16)(le16_to_cpu(d->id) - vq->id_base);
	*len = flags & VIRTQ_DESC_F_WRITE ? le32_to_cpu(d->len) : 0;
	if (*id >= vq->size)
		die(vq->drv, "the device gave back what it does not have");
	vq->used = (u16)(vq->used + vq->slots[*id]);
	if (vq->used >= vq->size) {
		vq->used = (u16)(vq->used - vq->size);
		vq->used_wrap = !vq->used_wrap;
	}
	return true;
}

/**
 * virtio_driver_reap() - take a chain that the device has given back
 * @vq: the queue
 * @id: what virtio_driver_add() said
 * @len: bytes that the device says it has written
 *
 * Return: false when there is none.
 */
bool virtio_driver_reap(struct virtio_vq *vq, u16 *id, u32 *len)
{
	if (!(vq->packed ? reap_packed : reap_split)(vq, id, len))
		return false;
	reap_done(vq, *id);
	return true;
}

/**
 * virtio_driver_wait() - wait for a chain to come back
 * @vq: the queue
 * @id: which
 * @len: bytes that the device says it has written
 *
 * Return: false when none came in time.
 */
bool virtio_driver_wait(struct virtio_vq *vq, u16 *id, u32 *len)
{
	u64 end = now_ms() + vq->drv->timeout_ms;

	while (!virtio_driver_reap(vq, id, len)) {
		if (now_ms() > end)
			return false;
		testvm_poll(vq->drv->vm);
	}
	return true;
}

/**
 * virtio_driver_quiet() - see that nothing comes back
 * @vq: the queue
 * @ms: for how long
 *
 * Return: true when nothing did.
 */
bool virtio_driver_quiet(struct virtio_vq *vq, u32 ms)
{
	u64 end = now_ms() + ms;
	u32 len;
	u16 id;

	while (now_ms() < end) {
		if (virtio_driver_reap(vq, &id, &len))
			return false;
		testvm_poll(vq->drv->vm);
	}
	return true;
}

/**
 * virtio_driver_exec() - offer one chain and wait for it
 * @vq: the queue, with nothing else in flight
 * @bufs: the buffers
 * @nr: how many
 * @indirect: by a table
 *
 * Return: bytes that the device says it has written.
 */
u32 virtio_driver_exec(struct virtio_vq *vq, const struct virtio_buf *bufs,
		       u32 nr, bool indirect)
{
	int want = virtio_driver_add(vq, bufs, nr, indirect);
	u32 len = 0;
	u16 id = 0;

	if (want < 0)
		die(vq->drv, "no room in the queue");
	virtio_driver_notify(vq);
	if (!virtio_driver_wait(vq, &id, &len) || id != want)
		die(vq->drv, "the request did not end");
	return len;
}
