/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: what the two layouts of a ring have in common
 */
#ifndef LKVM_VIRTIO_RING_PRIV_H
#define LKVM_VIRTIO_RING_PRIV_H

#include <stdatomic.h>
#include <string.h>

#include "virtio/ring.h"
#include "vmm/base/math.h"

/**
 * struct virtio_walk - a chain while it is being put together
 * @ring: whose chain
 * @chain: what is known of it
 * @iov_max: room in its vectors
 * @left: descriptors that it may still have
 */
struct virtio_walk {
	struct virtio_ring *ring;
	struct virtio_chain *chain;
	u32 iov_max;
	u32 left;
};

/* One load or store of a guest's 16-bit field; names the ordering. */
static inline u16 ring_get16(const void *at, memory_order order)
{
	return le16_to_cpu((__force __le16)
			   atomic_load_explicit((const _Atomic u16 *)at,
						order));
}

static inline void ring_put16(void *at, u16 value, memory_order order)
{
	atomic_store_explicit((_Atomic u16 *)at,
			      (__force u16)cpu_to_le16(value), order);
}

/*
 * Copies a descriptor once: what is looked at afterwards is the copy, whatever
 * the guest does meanwhile.
 */
static inline void ring_fetch(void *to, const void *from, size_t len)
{
	memcpy(to, from, len);
	atomic_signal_fence(memory_order_seq_cst);
}

/* VIRTIO-1.2 2.7.7.2, 2.7.10: has @new passed @event since @old? */
static inline bool ring_passed(u16 event, u16 new, u16 old)
{
	return (u16)(new - event - 1) < (u16)(new - old);
}

/* ring.c */
int ring_walk_add(struct virtio_walk *walk, u64 addr, u32 len, u16 flags)
	__must_check;
const u8 *ring_walk_table(struct virtio_walk *walk, u64 addr, u32 len,
			  u32 *entries) __must_check;

/* ring_split.c */
bool ring_split_has_work(const struct virtio_ring *ring);
int ring_split_pop(struct virtio_walk *walk) __must_check;
void ring_split_push(struct virtio_ring *ring,
		     const struct virtio_chain *chain, u32 len);
void ring_split_publish(struct virtio_ring *ring);
bool ring_split_wants_signal(struct virtio_ring *ring);
void ring_split_notify(struct virtio_ring *ring, bool on);

/* ring_packed.c */
bool ring_packed_has_work(const struct virtio_ring *ring);
int ring_packed_pop(struct virtio_walk *walk) __must_check;
void ring_packed_unpop(struct virtio_ring *ring,
		       const struct virtio_chain *chain);
void ring_packed_push(struct virtio_ring *ring,
		      const struct virtio_chain *chain, u32 len);
void ring_packed_publish(struct virtio_ring *ring);
bool ring_packed_wants_signal(struct virtio_ring *ring);
void ring_packed_notify(struct virtio_ring *ring, bool on);

#endif /* LKVM_VIRTIO_RING_PRIV_H */
