/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: a small virtio driver for tests without a vCPU
 *
 * It does what an operating system's driver does, through the same doors:
 * finds the registers by the capabilities in configuration space, negotiates
 * features, makes queues in guest memory (split or packed, as negotiated) and
 * notifies with bus_write(). Rings are reached by plain pointers into guest
 * RAM, also for tests that want to break them.
 *
 * Whoever waits here runs the machine's main loop meanwhile, on the calling
 * thread. What goes wrong on the way (no memory, no answer in time) ends the
 * test at once with the reason.
 */
#ifndef TESTS_LIB_VIRTIO_DRIVER_H
#define TESTS_LIB_VIRTIO_DRIVER_H

#include "virtio/virtio_spec.h"
#include "vmm/vm.h"

#define VIRTIO_DRIVER_QUEUES	32
#define VIRTIO_DRIVER_ENTRIES	1024
/* The arena begins here. */
#define VIRTIO_DRIVER_ARENA	(TESTVM_RAM + (1ULL << 20))

/**
 * struct virtio_buf - one buffer of a chain
 * @addr: guest physical address
 * @len: bytes
 * @in: the device writes it
 */
struct virtio_buf {
	u64 addr;
	u32 len;
	bool in;
};

/**
 * struct virtio_vq - a queue
 * @drv: its driver
 * @index: its number
 * @size: entries, 0 when it has not been set up
 * @packed: layout
 * @desc_gpa: Descriptor Area
 * @driver_gpa: Driver Area
 * @device_gpa: Device Area
 * @desc: the same in memory
 * @driver: the same in memory
 * @device: the same in memory
 * @tables_gpa: an indirect table for each entry, of @table_len descriptors
 * @table_len: see @tables_gpa
 * @next: split: the index that is published next; packed: the next entry
 * @next_wrap: packed: the wrap counter there
 * @used: likewise, of the next used one
 * @used_wrap: packed: the wrap counter there
 * @free: entries that are not in use
 * @busy: split: descriptor in use; packed: identifier in use
 * @slots: entries that a chain takes, by its identifier
 * @link: split: the descriptor behind each in its chain
 * @id_base: packed: the device knows a chain by so much more than its identifier
 */
struct virtio_vq {
	struct virtio_driver *drv;
	u16 index;
	u16 size;
	bool packed;
	u64 desc_gpa;
	u64 driver_gpa;
	u64 device_gpa;
	u8 *desc;
	u8 *driver;
	u8 *device;
	u64 tables_gpa;
	u32 table_len;
	u16 next;
	bool next_wrap;
	u16 used;
	bool used_wrap;
	u32 free;
	bool busy[VIRTIO_DRIVER_ENTRIES];
	u16 slots[VIRTIO_DRIVER_ENTRIES];
	u16 link[VIRTIO_DRIVER_ENTRIES];
	u16 id_base;
};

/**
 * struct virtio_driver - one device and how far it has been set up
 * @vm: the machine
 * @slot: PCI slot of the device
 * @common: address of the common configuration
 * @isr: address of the ISR status
 * @config: address of the device configuration, 0 for none
 * @notify: address of the notifications
 * @notify_multiplier: notify_off_multiplier
 * @arena_next: next free guest address
 * @arena_end: end of the arena
 * @features: what was negotiated
 * @vq: queues
 * @timeout_ms: how long the waits wait
 */
struct virtio_driver {
	struct vm *vm;
	u32 slot;
	u64 common;
	u64 isr;
	u64 config;
	u64 notify;
	u32 notify_multiplier;
	u64 arena_next;
	u64 arena_end;
	u64 features;
	struct virtio_vq vq[VIRTIO_DRIVER_QUEUES];
	u32 timeout_ms;
};

/* ---- the device --------------------------------------------------------------- */

void virtio_driver_init(struct virtio_driver *drv, struct vm *vm, u32 slot);
u64 virtio_driver_read(struct virtio_driver *drv, u32 reg, u32 len);
void virtio_driver_write(struct virtio_driver *drv, u32 reg, u64 value,
			 u32 len);
u8 virtio_driver_status(struct virtio_driver *drv);
bool virtio_driver_wait_status(struct virtio_driver *drv, u8 mask, u8 value);
void virtio_driver_reset(struct virtio_driver *drv);
u64 virtio_driver_offered(struct virtio_driver *drv);
bool virtio_driver_negotiate(struct virtio_driver *drv, u64 features);
void virtio_driver_ok(struct virtio_driver *drv);
u64 virtio_driver_alloc(struct virtio_driver *drv, u64 bytes);
void *virtio_driver_ptr(struct virtio_driver *drv, u64 addr, u64 len);

/* ---- queues ------------------------------------------------------------------- */

void virtio_driver_queue(struct virtio_driver *drv, u16 index, u16 size);
void virtio_driver_queue_enable(struct virtio_driver *drv, u16 index);
int virtio_driver_add(struct virtio_vq *vq, const struct virtio_buf *bufs,
		      u32 nr, bool indirect);
void virtio_driver_notify(struct virtio_vq *vq);
bool virtio_driver_wants_notify(struct virtio_vq *vq, u16 old);
bool virtio_driver_reap(struct virtio_vq *vq, u16 *id, u32 *len);
bool virtio_driver_wait(struct virtio_vq *vq, u16 *id, u32 *len);
bool virtio_driver_quiet(struct virtio_vq *vq, u32 ms);
u32 virtio_driver_exec(struct virtio_vq *vq, const struct virtio_buf *bufs,
		       u32 nr, bool indirect);

#endif /* TESTS_LIB_VIRTIO_DRIVER_H */
