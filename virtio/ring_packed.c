// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: packed virtqueues
 *
 * VIRTIO-1.2 2.8. One ring of descriptors that both sides write: two flags in
 * each, compared with a counter that flips when one comes round the ring, tell
 * whose it is. Driver Area and Device Area only say when to wake up.
 */
#include "virtio/ring_priv.h"

#define EVENT_OFF_WRAP	0
#define EVENT_FLAGS	2

static u8 *entry(const struct virtio_ring *ring, u16 at)
{
	return ring->desc + at * sizeof(struct virtq_packed_desc);
}

static u16 entry_flags(const struct virtio_ring *ring, u16 at)
{
	/* Acquire: the driver has written the flags of a chain's head last. */
	return ring_get16(entry(ring, at) +
			  offsetof(struct virtq_packed_desc, flags),
			  memory_order_acquire);
}

static bool is_available(const struct virtio_ring *ring)
{
	u16 flags = entry_flags(ring, ring->next);

	return !!(flags & VIRTQ_DESC_F_AVAIL) == ring->next_wrap &&
	       !!(flags & VIRTQ_DESC_F_USED) != ring->next_wrap;
}

/* A position in the ring goes on, and round its end. */
static void advance(const struct virtio_ring *ring, u16 *at, bool *wrap,
		    u16 slots)
{
	u32 to = (u32)*at + slots;

	if (to >= ring->size) {
		to -= ring->size;
		*wrap = !*wrap;
	}
	*at = (u16)to;
}

/**
 * ring_packed_has_work() - see virtio_ring_has_work()
 * @ring: the ring
 *
 * Return: true when there is a chain.
 */
bool ring_packed_has_work(const struct virtio_ring *ring)
{
	return is_available(ring);
}

/* VIRTIO-1.2 2.8.8: the entries of a table come one after the other. */
static int walk_table(struct virtio_walk *walk,
		      const struct virtq_packed_desc *head)
{
	struct virtq_packed_desc desc;
	const u8 *table;
	u32 nr = 0, i;
	int ret = 0;

	table = ring_walk_table(walk, le64_to_cpu(head->addr),
				le32_to_cpu(head->len), &nr);
	if (!table)
		return -EPROTO;
	for (i = 0; i < nr && !ret; i++) {
		u16 flags;

		ring_fetch(&desc, table + i * sizeof(desc), sizeof(desc));
		flags = le16_to_cpu(desc.flags);
		if (flags & VIRTQ_DESC_F_INDIRECT)
			return -EPROTO;
		ret = ring_walk_add(walk, le64_to_cpu(desc.addr),
				    le32_to_cpu(desc.len), flags);
	}
	return ret;
}

/* The entries of a chain; the last one has its identifier. */
static int walk_chain(struct virtio_walk *walk)
{
	struct virtio_ring *ring = walk->ring;
	struct virtio_chain *chain = walk->chain;
	struct virtq_packed_desc desc;
	u32 at = ring->next;
	u16 flags;
	int ret;

	do {
		/* Longer than the ring. */
		if (chain->slots == ring->size)
			return -EPROTO;
		ring_fetch(&desc, entry(ring, (u16)at), sizeof(desc));
		flags = le16_to_cpu(desc.flags);
		chain->slots++;
		if (flags & VIRTQ_DESC_F_INDIRECT) {
			/* VIRTIO-1.2 2.8.8: alone. */
			if (chain->slots > 1 || (flags & VIRTQ_DESC_F_NEXT))
				return -EPROTO;
			ret = walk_table(walk, &desc);
		} else {
			ret = ring_walk_add(walk, le64_to_cpu(desc.addr),
					    le32_to_cpu(desc.len), flags);
		}
		if (ret)
			return ret;
		if (++at == ring->size)
			at = 0;
	} while (flags & VIRTQ_DESC_F_NEXT);
	chain->id = le16_to_cpu(desc.id);
	return 0;
}

/**
 * ring_packed_pop() - see virtio_ring_pop()
 * @walk: what is to be filled
 *
 * Return: as there.
 */
int ring_packed_pop(struct virtio_walk *walk)
{
	struct virtio_ring *ring = walk->ring;
	int ret;

	if (!is_available(ring))
		return 0;
	ret = walk_chain(walk);
	if (ret)
		return ret;
	advance(ring, &ring->next, &ring->next_wrap, walk->chain->slots);
	return 1;
}

/**
 * ring_packed_unpop() - see virtio_ring_unpop()
 * @ring: the ring
 * @chain: the chain
 */
void ring_packed_unpop(struct virtio_ring *ring,
		       const struct virtio_chain *chain)
{
	if (ring->next < chain->slots) {
		ring->next = (u16)(ring->next + ring->size - chain->slots);
		ring->next_wrap = !ring->next_wrap;
	} else {
		ring->next = (u16)(ring->next - chain->slots);
	}
}

/**
 * ring_packed_push() - see virtio_ring_push()
 * @ring: the ring
 * @chain: the chain
 * @len: bytes written
 */
void ring_packed_push(struct virtio_ring *ring,
		      const struct virtio_chain *chain, u32 len)
{
	u8 *at = entry(ring, ring->used);
	__le32 le_len = cpu_to_le32(len);
	__le16 le_id = cpu_to_le16(chain->id);
	u16 flags = len ? VIRTQ_DESC_F_WRITE : 0;
	u16 before = ring->used;

	if (ring->used_wrap)
		flags |= VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED;
	memcpy(at + offsetof(struct virtq_packed_desc, len), &le_len, 4);
	memcpy(at + offsetof(struct virtq_packed_desc, id), &le_id, 2);
	at += offsetof(struct virtq_packed_desc, flags);
	/* The driver looks at the others when it has seen the first. */
	if (ring->held && !ring->held_at) {
		ring->held_at = at;
		ring->held_flags = flags;
	} else {
		/* Release: pairs with the driver's barrier after its look. */
		ring_put16(at, flags, memory_order_release);
	}
	at -= offsetof(struct virtq_packed_desc, flags);
	guest_memory_mark_dirty(ring->gate->memory,
				gpa_add(ring->desc_addr,
					(u64)(at - ring->desc)),
				sizeof(struct virtq_packed_desc));
	advance(ring, &ring->used, &ring->used_wrap, chain->slots);
	/* Positions before and behind the end cannot be compared. */
	if (ring->used <= before)
		ring->signalled_valid = false;
}

/**
 * ring_packed_publish() - let the driver see what was given back
 * @ring: the ring
 */
void ring_packed_publish(struct virtio_ring *ring)
{
	u8 *at = ring->held_at;

	if (!at)
		return;
	ring->held_at = NULL;
	/* Release: pairs with the driver's barrier after its look at it. */
	ring_put16(at, ring->held_flags, memory_order_release);
	guest_memory_mark_dirty(ring->gate->memory,
				gpa_add(ring->desc_addr,
					(u64)(at - ring->desc)), 2);
}

/**
 * ring_packed_wants_signal() - see virtio_ring_wants_signal()
 * @ring: the ring
 *
 * Return: true when an interrupt is due.
 */
bool ring_packed_wants_signal(struct virtio_ring *ring)
{
	u16 old = ring->signalled;
	bool valid = ring->signalled_valid;
	u16 flags, event, off;

	ring->signalled = ring->used;
	ring->signalled_valid = true;
	flags = ring_get16(ring->driver + EVENT_FLAGS, memory_order_acquire) &
		3;
	if (flags != VIRTQ_EVENT_DESC || !ring->event_idx)
		return flags != VIRTQ_EVENT_DISABLE;
	event = ring_get16(ring->driver + EVENT_OFF_WRAP,
			   memory_order_relaxed);
	off = event & (VIRTQ_EVENT_WRAP - 1);
	/* It is of the round before this one. */
	if (!!(event & VIRTQ_EVENT_WRAP) != ring->used_wrap)
		off = (u16)(off - ring->size);
	return !valid || ring_passed(off, ring->used, old);
}

/**
 * ring_packed_notify() - ask for notifications or not
 * @ring: the ring
 * @on: for the next chain
 */
void ring_packed_notify(struct virtio_ring *ring, bool on)
{
	u16 flags = VIRTQ_EVENT_DISABLE;

	if (on && ring->event_idx) {
		flags = VIRTQ_EVENT_DESC;
		ring_put16(ring->device + EVENT_OFF_WRAP,
			   ring->next |
			   (ring->next_wrap ? VIRTQ_EVENT_WRAP : 0),
			   memory_order_relaxed);
	} else if (on) {
		flags = VIRTQ_EVENT_ENABLE;
	}
	/* Release: pairs with the driver, who looks at the flags first. */
	ring_put16(ring->device + EVENT_FLAGS, flags, memory_order_release);
	guest_memory_mark_dirty(ring->gate->memory, ring->device_addr, 4);
}
