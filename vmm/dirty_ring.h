/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_DIRTY_RING_H
#define LKVM_DIRTY_RING_H

#include "vmm/base/error.h"
#include "vmm/base/mutex.h"
#include "vmm/base/types.h"

struct guest_memory;
struct kvm_dirty_gfn;

/* Instead of a number of entries. */
#define DIRTY_RING_NONE	UINT32_MAX

/**
 * struct dirty_ring - what one vCPU has written
 * @entries: shared with KVM; NULL for none
 * @next: the entry that is looked at next
 */
struct dirty_ring {
	struct kvm_dirty_gfn *entries;
	u32 next;
};

/**
 * struct dirty_rings - KVM's dirty rings, one for each vCPU
 * @memory: where what they say is marked
 * @vm_fd: KVM's machine
 * @entries: of each ring, a power of two; 0: KVM keeps a dirty log instead
 * @bitmap: KVM also has a bitmap, for what no vCPU writes
 * @overflown: entries were lost, and the rings are of no use any more
 * @lock: protects the rings; who holds it sees no page that is marked and can
 *        still be written unseen (LOCK_LEAF)
 * @ring: for each vCPU, by its number
 * @nr: how many @ring has
 */
struct dirty_rings {
	struct guest_memory *memory;
	int vm_fd;
	u32 entries;
	bool bitmap;
	bool overflown;
	struct mutex lock;
	struct dirty_ring *ring;
	u32 nr;
};

int dirty_rings_init(struct dirty_rings *r, struct guest_memory *memory,
		     u32 vcpus, u32 entries, struct error *err) __must_check;
void dirty_rings_destroy(struct dirty_rings *r);
int dirty_rings_add(struct dirty_rings *r, u32 vcpu, int fd,
		    struct error *err) __must_check;
void dirty_rings_remove(struct dirty_rings *r, u32 vcpu);
int dirty_rings_collect(struct dirty_rings *r);
int dirty_rings_empty(struct dirty_rings *r, struct error *err) __must_check;

#endif /* LKVM_DIRTY_RING_H */
