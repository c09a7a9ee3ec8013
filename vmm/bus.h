/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_BUS_H
#define LKVM_BUS_H

#include "vmm/base/error.h"
#include "vmm/base/list.h"
#include "vmm/base/mutex.h"
#include "vmm/base/types.h"

struct bus_region;

/**
 * struct bus_ops - what happens when the guest accesses a region
 * @read: give @len (1, 2, 4 or 8) bytes at @offset as a little-endian number
 * @write: take them
 *
 * The access lies within the region. Called on a vCPU thread with
 * &bus_region.lock held.
 */
struct bus_ops {
	u64 (*read)(struct bus_region *region, u64 offset, u32 len);
	void (*write)(struct bus_region *region, u64 offset, u64 value,
		      u32 len);
};

/**
 * struct bus_region - a range of addresses that a device answers
 * @link: in &bus.regions, sorted by @base
 * @bus: the bus that it is on, NULL while it is not
 * @name: for messages and `lkvm debug`
 * @base: first address
 * @size: bytes
 * @ops: what it does
 * @opaque: for @ops
 * @lock: the device's lock, taken around @ops; NULL when @ops take it
 *
 * Owned by the device, which outlives every vCPU. Added, moved and removed
 * under @lock once the machine runs.
 */
struct bus_region {
	struct list link;
	struct bus *bus;
	const char *name;
	u64 base;
	u64 size;
	const struct bus_ops *ops;
	void *opaque;
	struct mutex *lock;
};

/**
 * struct bus_event - a write that only sets an eventfd: no exit to us
 * @link: in &bus.events
 * @bus: the bus that it is on, NULL while it is not
 * @addr: address
 * @len: bytes, 1 to 8; 0: any length
 * @match: only writes of @value
 * @value: see @match
 * @fd: the eventfd
 *
 * KVM does it in the kernel; on a machine without KVM (device tests) and for
 * accesses from the VMM itself bus_write() does the same.
 */
struct bus_event {
	struct list link;
	struct bus *bus;
	u64 addr;
	u32 len;
	bool match;
	u64 value;
	int fd;
};

/**
 * struct bus - an address space of device registers: MMIO or port I/O
 * @name: "mmio" or "pio"
 * @lock: protects @regions, @events and each region's place (LOCK_BUS)
 * @regions: struct bus_region, no two overlap
 * @events: struct bus_event
 * @vm_fd: KVM's, or -1
 * @pio: this is port I/O
 */
struct bus {
	const char *name;
	struct mutex lock;
	struct list regions;
	struct list events;
	int vm_fd;
	bool pio;
};

void bus_init(struct bus *bus, const char *name, int vm_fd, bool pio);
void bus_destroy(struct bus *bus);
int bus_region_add(struct bus *bus, struct bus_region *region,
		   struct error *err) __must_check;
void bus_region_remove(struct bus_region *region);
int bus_event_add(struct bus *bus, struct bus_event *event,
		  struct error *err) __must_check;
void bus_event_remove(struct bus_event *event);
bool bus_read(struct bus *bus, u64 addr, void *data, u32 len);
bool bus_write(struct bus *bus, u64 addr, const void *data, u32 len);

#endif /* LKVM_BUS_H */
