// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: split virtqueues
 *
 * VIRTIO-1.2 2.7. The Descriptor Area is a table of descriptors; the Driver
 * Area (available ring) lists the heads of chains that the driver offers, the
 * Device Area (used ring) those that the device has given back. Each of the
 * latter two ends with the event index of the other side.
 */
#include "virtio/ring_priv.h"

#define AREA_FLAGS	0
#define AREA_IDX	2
#define AREA_RING	4

static u16 driver_idx(const struct virtio_ring *ring)
{
	/* Acquire: pairs with the driver's barrier before its index. */
	return ring_get16(ring->driver + AREA_IDX, memory_order_acquire);
}

static size_t slot_of(const struct virtio_ring *ring, u16 index)
{
	return index & (ring->size - 1);
}

/**
 * ring_split_has_work() - see virtio_ring_has_work()
 * @ring: the ring
 *
 * Return: true when there is a chain.
 */
bool ring_split_has_work(const struct virtio_ring *ring)
{
	return driver_idx(ring) != ring->next;
}

/* The entries of a table of @nr, beginning with @at, until one has no next. */
static int walk_table(struct virtio_walk *walk, const u8 *table, u32 nr, u32 at,
		      bool indirect)
{
	struct virtq_desc desc;
	u32 left = nr;
	u16 flags;
	int ret;

	do {
		/* A loop comes by more entries than there are. */
		if (at >= nr || !left--)
			return -EPROTO;
		ring_fetch(&desc, table + at * sizeof(desc), sizeof(desc));
		flags = le16_to_cpu(desc.flags);
		if (flags & VIRTQ_DESC_F_INDIRECT) {
			/* The last of a chain, and not in a table again. */
			if (indirect || (flags & VIRTQ_DESC_F_NEXT))
				return -EPROTO;
			table = ring_walk_table(walk, le64_to_cpu(desc.addr),
						le32_to_cpu(desc.len), &nr);
			if (!table)
				return -EPROTO;
			return walk_table(walk, table, nr, 0, true);
		}
		ret = ring_walk_add(walk, le64_to_cpu(desc.addr),
				    le32_to_cpu(desc.len), flags);
		if (ret)
			return ret;
		at = le16_to_cpu(desc.next);
	} while (flags & VIRTQ_DESC_F_NEXT);
	return 0;
}

/**
 * ring_split_pop() - see virtio_ring_pop()
 * @walk: what is to be filled
 *
 * Return: as there.
 */
int ring_split_pop(struct virtio_walk *walk)
{
	struct virtio_ring *ring = walk->ring;
	u16 waiting = (u16)(driver_idx(ring) - ring->next);
	u16 head;
	int ret;

	if (!waiting)
		return 0;
	if (waiting > ring->size)
		return -EPROTO;
	head = ring_get16(ring->driver + AREA_RING +
			  2 * slot_of(ring, ring->next), memory_order_relaxed);
	ret = walk_table(walk, ring->desc, ring->size, head, false);
	if (ret)
		return ret;
	walk->chain->id = head;
	walk->chain->slots = 1;
	ring->next++;
	return 1;
}

static void mark(struct virtio_ring *ring, size_t offset, size_t len)
{
	guest_memory_mark_dirty(ring->gate->memory,
				gpa_add(ring->device_addr, offset), len);
}

/**
 * ring_split_push() - see virtio_ring_push()
 * @ring: the ring
 * @chain: the chain
 * @len: bytes written
 */
void ring_split_push(struct virtio_ring *ring,
		     const struct virtio_chain *chain, u32 len)
{
	struct virtq_used_elem elem = {
		.id = cpu_to_le32(chain->id),
		.len = cpu_to_le32(len),
	};
	size_t at = AREA_RING + sizeof(elem) * slot_of(ring, ring->used);

	memcpy(ring->device + at, &elem, sizeof(elem));
	mark(ring, at, sizeof(elem));
	ring->used++;
	if (!ring->held)
		ring_split_publish(ring);
}

/**
 * ring_split_publish() - let the driver see what was given back
 * @ring: the ring
 */
void ring_split_publish(struct virtio_ring *ring)
{
	/* Release: pairs with the driver's barrier after its look at it. */
	ring_put16(ring->device + AREA_IDX, ring->used, memory_order_release);
	mark(ring, AREA_IDX, 2);
}

/**
 * ring_split_wants_signal() - see virtio_ring_wants_signal()
 * @ring: the ring
 *
 * Return: true when an interrupt is due.
 */
bool ring_split_wants_signal(struct virtio_ring *ring)
{
	u16 old = ring->signalled;
	bool valid = ring->signalled_valid;
	u16 event;

	if (!ring->event_idx)
		return !(ring_get16(ring->driver + AREA_FLAGS,
				    memory_order_relaxed) &
			 VIRTQ_AVAIL_F_NO_INTERRUPT);
	ring->signalled = ring->used;
	ring->signalled_valid = true;
	event = ring_get16(ring->driver + AREA_RING + 2U * ring->size,
			   memory_order_relaxed);
	return !valid || ring_passed(event, ring->used, old);
}

/**
 * ring_split_notify() - ask for notifications or not
 * @ring: the ring
 * @on: for the next chain
 *
 * With an event index there is nothing to be done for none: it stays behind.
 */
void ring_split_notify(struct virtio_ring *ring, bool on)
{
	size_t event = AREA_RING + 8U * ring->size;

	if (!ring->event_idx) {
		ring_put16(ring->device + AREA_FLAGS,
			   on ? 0 : VIRTQ_USED_F_NO_NOTIFY,
			   memory_order_relaxed);
		mark(ring, AREA_FLAGS, 2);
	} else if (on) {
		ring_put16(ring->device + event, ring->next,
			   memory_order_relaxed);
		mark(ring, event, 2);
	}
}
