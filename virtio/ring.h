/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: a virtqueue's ring as the device sees it
 *
 * Split and packed rings behind one set of calls: take a chain of buffers that
 * the driver has made available, give it back, and tell each other when to
 * wake up. ring.c has what both have in common and dispatches, ring_split.c and
 * ring_packed.c the two layouts.
 *
 * Everything in guest memory is hostile: each descriptor is copied once, the
 * copy is checked, then used; no chain is longer than VIRTIO_CHAIN_MAX.
 *
 * Threads: a ring belongs to one thread at a time.
 */
#ifndef LKVM_VIRTIO_RING_H
#define LKVM_VIRTIO_RING_H

#include <sys/uio.h>

#include "virtio/virtio_spec.h"
#include "vmm/guest_memory.h"

/* Most descriptors in one chain, with those of an indirect table. */
#define VIRTIO_CHAIN_MAX	1024

/**
 * struct virtio_ring_params - where a ring is and how it is to be read
 * @features: the negotiated features
 * @size: entries; a power of two, for a packed ring any number
 * @desc: Descriptor Area
 * @driver: Driver Area
 * @device: Device Area
 */
struct virtio_ring_params {
	u64 features;
	u16 size;
	gpa_t desc;
	gpa_t driver;
	gpa_t device;
};

/**
 * struct virtio_chain - a chain of buffers that was taken from a ring
 * @id: what the driver knows it by
 * @slots: entries of the ring that it takes
 * @out_nr: vectors that the device reads, the first in @iov
 * @in_nr: vectors that the device writes, behind those
 * @out_len: bytes to read
 * @in_len: bytes that can be written
 * @iov: the vectors, of the array that was given to virtio_queue_pop()
 */
struct virtio_chain {
	u16 id;
	u16 slots;
	u32 out_nr;
	u32 in_nr;
	u64 out_len;
	u64 in_len;
	struct iovec *iov;
};

/**
 * struct virtio_ring - a ring
 * @gate: the device's door to guest memory
 * @packed: layout
 * @event_idx: VIRTIO_F_EVENT_IDX was negotiated
 * @indirect: VIRTIO_F_INDIRECT_DESC was negotiated
 * @size: entries
 * @next: split: the driver's index, modulo 65536, of the chain to be taken
 *        next; packed: the entry
 * @next_wrap: packed: the wrap counter there
 * @used: likewise, of the chain to be given back next
 * @used_wrap: packed: the wrap counter there
 * @signalled: @used when the driver was last interrupted
 * @signalled_valid: that is known
 * @held: what is given back is not to be seen yet
 * @held_at: packed: the first of those, NULL for none
 * @held_flags: packed: what makes it visible
 * @desc: Descriptor Area, mapped
 * @driver: Driver Area, mapped
 * @device: Device Area, mapped
 * @desc_addr: where the Descriptor Area is, to mark it dirty
 * @device_addr: where the Device Area is, to mark it dirty
 */
struct virtio_ring {
	struct guest_gate *gate;
	bool packed;
	bool event_idx;
	bool indirect;
	u16 size;
	u16 next;
	bool next_wrap;
	u16 used;
	bool used_wrap;
	u16 signalled;
	bool signalled_valid;
	bool held;
	u8 *held_at;
	u16 held_flags;
	u8 *desc;
	u8 *driver;
	u8 *device;
	gpa_t desc_addr;
	gpa_t device_addr;
};

bool virtio_ring_size_is_valid(u64 features, u32 size);
int virtio_ring_open(struct virtio_ring *ring, struct guest_gate *gate,
		     const struct virtio_ring_params *params) __must_check;
bool virtio_ring_has_work(const struct virtio_ring *ring);
int virtio_ring_pop(struct virtio_ring *ring, struct virtio_chain *chain,
		    struct iovec *iov, u32 iov_max) __must_check;
void virtio_ring_unpop(struct virtio_ring *ring,
		       const struct virtio_chain *chain);
void virtio_ring_mark(struct virtio_ring *ring,
		      const struct virtio_chain *chain, u64 len);
int virtio_ring_push(struct virtio_ring *ring,
		     const struct virtio_chain *chain, u32 len) __must_check;
void virtio_ring_hold(struct virtio_ring *ring);
void virtio_ring_publish(struct virtio_ring *ring);
bool virtio_ring_wants_signal(struct virtio_ring *ring);
bool virtio_ring_arm(struct virtio_ring *ring);
void virtio_ring_disarm(struct virtio_ring *ring);

u64 virtio_chain_read(const struct virtio_chain *chain, u64 offset, void *buf,
		      u64 len);
u64 virtio_chain_write(const struct virtio_chain *chain, u64 offset,
		       const void *buf, u64 len);

#endif /* LKVM_VIRTIO_RING_H */
