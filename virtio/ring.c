// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: virtqueue rings: what split and packed ones have in common
 *
 * VIRTIO-1.2 2.6 to 2.8. The three areas of a ring are mapped once, when the
 * driver enables the queue; each lies wholly in RAM. Buffers are turned into
 * vectors that point into guest memory, so devices copy nothing.
 *
 * A chain that cannot be (a loop, a table within a table, a buffer outside RAM,
 * a readable buffer behind a writable one) is an error of the driver: the
 * device that finds one asks to be reset (VIRTIO-1.2 2.1.2).
 *
 * Not here: VIRTIO_F_IN_ORDER, VIRTIO_F_ACCESS_PLATFORM.
 */
#include "virtio/ring_priv.h"

/**
 * virtio_ring_size_is_valid() - can a ring have so many entries?
 * @features: the negotiated features
 * @size: entries
 *
 * Return: false for 0, for more than VIRTQ_SIZE_MAX, and for a split ring
 * whose size is no power of two.
 */
bool virtio_ring_size_is_valid(u64 features, u32 size)
{
	if (!size || size > VIRTQ_SIZE_MAX)
		return false;
	return (features & VIRTIO_F_RING_PACKED) || is_power_of_2(size);
}

/* Bytes of an area, and its alignment (VIRTIO-1.2 2.7, 2.8.10.1). */
static void *area_map(struct guest_gate *gate, gpa_t addr, u64 len, u64 align)
{
	struct guest_gate open;

	/* Bus mastering matters when it is used, not where it is. */
	guest_gate_init(&open, gate->memory);
	if (!is_aligned(gpa_raw(addr), align))
		return NULL;
	return guest_ptr(&open, addr, len, GUEST_WRITES);
}

/**
 * virtio_ring_open() - begin to use a ring
 * @ring: filled, at its start
 * @gate: the device's door to guest memory
 * @params: where the ring is
 *
 * Guest memory is not touched.
 *
 * Return: 0, or -EFAULT: an area is not aligned or not in RAM, or the size
 * cannot be.
 */
int virtio_ring_open(struct virtio_ring *ring, struct guest_gate *gate,
		     const struct virtio_ring_params *params)
{
	u64 size = params->size;
	bool packed = params->features & VIRTIO_F_RING_PACKED;
	bool event_idx = params->features & VIRTIO_F_EVENT_IDX;
	u64 driver_len = packed ? 4 : 4 + 2 * size + (event_idx ? 2 : 0);
	u64 device_len = packed ? 4 : 4 + 8 * size + (event_idx ? 2 : 0);

	if (!virtio_ring_size_is_valid(params->features, params->size))
		return -EFAULT;
	*ring = (struct virtio_ring){
		.gate = gate,
		.packed = packed,
		.event_idx = event_idx,
		.indirect = params->features & VIRTIO_F_INDIRECT_DESC,
		.size = params->size,
		.next_wrap = packed,
		.used_wrap = packed,
		.desc_addr = params->desc,
		.device_addr = params->device,
	};
	ring->desc = area_map(gate, params->desc, 16 * size, 16);
	ring->driver = area_map(gate, params->driver, driver_len,
				packed ? 4 : 2);
	ring->device = area_map(gate, params->device, device_len, 4);
	return ring->desc && ring->driver && ring->device ? 0 : -EFAULT;
}

/**
 * virtio_ring_has_work() - is there a chain to be taken?
 * @ring: the ring
 *
 * Return: true when there is one, or when the driver's index cannot be.
 */
bool virtio_ring_has_work(const struct virtio_ring *ring)
{
	return ring->packed ? ring_packed_has_work(ring) :
			      ring_split_has_work(ring);
}

/**
 * ring_walk_add() - one more buffer of a chain
 * @walk: the chain
 * @addr: guest address
 * @len: bytes
 * @flags: VIRTQ_DESC_F
 *
 * Return: 0, -EPROTO: there are too many, none may come here or it is empty,
 * -EFAULT: not in RAM, -EACCES: the device may not reach memory.
 */
int ring_walk_add(struct virtio_walk *walk, u64 addr, u32 len, u16 flags)
{
	struct virtio_chain *chain = walk->chain;
	bool in = flags & VIRTQ_DESC_F_WRITE;
	u32 before = chain->out_nr + chain->in_nr;
	u32 nr = before;
	int ret;

	if (!walk->left--)
		return -EPROTO;
	/* What the device reads comes first (VIRTIO-1.2 2.7.4.2). */
	if (!in && chain->in_nr)
		return -EPROTO;
	if (!len)
		return -EPROTO;
	/* The first to be written does not continue the last to be read. */
	if (in && !chain->in_nr) {
		u32 room = walk->iov_max - before, own = 0;

		ret = guest_map(walk->ring->gate, gpa(addr), len, GUEST_WRITES,
				chain->iov + before, room, &own);
		nr = before + own;
	} else {
		ret = guest_map(walk->ring->gate, gpa(addr), len,
				in ? GUEST_WRITES : GUEST_READS, chain->iov,
				walk->iov_max, &nr);
	}
	if (ret)
		return ret == -ENOSPC ? -EPROTO : ret;
	if (in) {
		chain->in_nr = nr - chain->out_nr;
		chain->in_len += len;
	} else {
		chain->out_nr = nr;
		chain->out_len += len;
	}
	return 0;
}

/**
 * ring_walk_table() - an indirect table
 * @walk: the chain
 * @addr: guest address
 * @len: bytes
 * @entries: how many it has
 *
 * Return: the table, hostile; NULL when there cannot be one: not negotiated,
 * no whole number of entries, too many, or not in RAM.
 */
const u8 *ring_walk_table(struct virtio_walk *walk, u64 addr, u32 len,
			  u32 *entries)
{
	struct guest_gate open;

	if (!walk->ring->indirect || !len ||
	    len % sizeof(struct virtq_desc) ||
	    len / sizeof(struct virtq_desc) > VIRTIO_CHAIN_MAX)
		return NULL;
	*entries = len / (u32)sizeof(struct virtq_desc);
	guest_gate_init(&open, walk->ring->gate->memory);
	return guest_ptr(&open, gpa(addr), len, GUEST_READS);
}

/**
 * virtio_ring_pop() - take the next chain
 * @ring: the ring
 * @chain: filled
 * @iov: room for its vectors
 * @iov_max: how many; a chain that needs more is an error of the driver, so
 *           it is what the device has promised, and one for each block of RAM
 *
 * Return: 1; 0: there is none; -EACCES: the device may not reach memory now;
 * -EPROTO or -EFAULT: a chain that cannot be.
 */
int virtio_ring_pop(struct virtio_ring *ring, struct virtio_chain *chain,
		    struct iovec *iov, u32 iov_max)
{
	struct virtio_walk walk = {
		.ring = ring,
		.chain = chain,
		.iov_max = iov_max,
		.left = VIRTIO_CHAIN_MAX,
	};

	if (atomic_load_explicit(&ring->gate->closed, memory_order_relaxed))
		return -EACCES;
	memset(chain, 0, sizeof(*chain));
	chain->iov = iov;
	return ring->packed ? ring_packed_pop(&walk) : ring_split_pop(&walk);
}

/**
 * virtio_ring_unpop() - put back what was taken last
 * @ring: the ring
 * @chain: the chain that was taken last, of those not put back
 */
void virtio_ring_unpop(struct virtio_ring *ring,
		       const struct virtio_chain *chain)
{
	if (ring->packed)
		ring_packed_unpop(ring, chain);
	else
		ring->next--;
}

/**
 * virtio_ring_mark() - a chain's buffers have been written
 * @ring: the ring
 * @chain: taken from it; its vectors are as they were
 * @len: bytes that were written, from the start of the first one for writing
 */
void virtio_ring_mark(struct virtio_ring *ring,
		      const struct virtio_chain *chain, u64 len)
{
	guest_unmap(ring->gate, chain->iov + chain->out_nr, chain->in_nr, len);
}

/**
 * virtio_ring_push() - give a chain back
 * @ring: the ring
 * @chain: taken from it
 * @len: bytes that were written into its buffers, from the start of the first
 *       one for writing
 *
 * Return: 0, or -EACCES: the device may not reach memory, and the driver does
 * not get to know.
 */
int virtio_ring_push(struct virtio_ring *ring,
		     const struct virtio_chain *chain, u32 len)
{
	if (atomic_load_explicit(&ring->gate->closed, memory_order_relaxed))
		return -EACCES;
	if (ring->packed)
		ring_packed_push(ring, chain, len);
	else
		ring_split_push(ring, chain, len);
	return 0;
}

/**
 * virtio_ring_hold() - what is given back next is to be seen all at once
 * @ring: the ring, until virtio_ring_publish()
 */
void virtio_ring_hold(struct virtio_ring *ring)
{
	ring->held = true;
}

/**
 * virtio_ring_publish() - let the driver see what was given back
 * @ring: the ring, since virtio_ring_hold()
 */
void virtio_ring_publish(struct virtio_ring *ring)
{
	ring->held = false;
	if (ring->packed)
		ring_packed_publish(ring);
	else
		ring_split_publish(ring);
}

/**
 * virtio_ring_wants_signal() - is an interrupt due for what was given back?
 * @ring: the ring
 *
 * Return: true once for what was given back since it was asked last, unless
 * the driver does not want to know.
 */
bool virtio_ring_wants_signal(struct virtio_ring *ring)
{
	/*
	 * Pairs with the driver's barrier between its wish and its look at
	 * the ring: one of the two sees the other.
	 */
	atomic_thread_fence(memory_order_seq_cst);
	return ring->packed ? ring_packed_wants_signal(ring) :
			      ring_split_wants_signal(ring);
}

/**
 * virtio_ring_arm() - ask to be notified of the next chain
 * @ring: the ring
 *
 * Return: true when there is one already.
 */
bool virtio_ring_arm(struct virtio_ring *ring)
{
	if (ring->packed)
		ring_packed_notify(ring, true);
	else
		ring_split_notify(ring, true);
	/*
	 * Pairs with the driver's barrier between a chain and its look
	 * whether to notify: one of the two sees the other.
	 */
	atomic_thread_fence(memory_order_seq_cst);
	return virtio_ring_has_work(ring);
}

/**
 * virtio_ring_disarm() - notifications are not needed
 * @ring: the ring
 */
void virtio_ring_disarm(struct virtio_ring *ring)
{
	if (ring->packed)
		ring_packed_notify(ring, false);
	else
		ring_split_notify(ring, false);
}

/* Copies between a buffer and vectors, from @offset on. */
static u64 iov_copy(const struct iovec *iov, u32 nr, u64 offset, u8 *buf,
		    u64 len, bool to_iov)
{
	u64 done = 0, n;
	u32 i;

	for (i = 0; i < nr && done < len; i++) {
		u8 *base = iov[i].iov_base;

		if (offset >= iov[i].iov_len) {
			offset -= iov[i].iov_len;
			continue;
		}
		n = min_of(iov[i].iov_len - offset, len - done);
		if (to_iov)
			memcpy(base + offset, buf + done, n);
		else
			memcpy(buf + done, base + offset, n);
		done += n;
		offset = 0;
	}
	return done;
}

/**
 * virtio_chain_read() - copy what the driver has sent
 * @chain: the chain
 * @offset: from its first byte for reading
 * @buf: where to
 * @len: bytes
 *
 * Return: how many bytes there were, at most @len.
 */
u64 virtio_chain_read(const struct virtio_chain *chain, u64 offset, void *buf,
		      u64 len)
{
	u64 done = iov_copy(chain->iov, chain->out_nr, offset, buf, len, false);

	atomic_signal_fence(memory_order_seq_cst);
	return done;
}

/**
 * virtio_chain_write() - answer the driver
 * @chain: the chain
 * @offset: from its first byte for writing
 * @buf: what
 * @len: bytes
 *
 * What is written is marked dirty when the chain is given back, as far as the
 * length says that is given then.
 *
 * Return: how many bytes there was room for, at most @len.
 */
u64 virtio_chain_write(const struct virtio_chain *chain, u64 offset,
		       const void *buf, u64 len)
{
	return iov_copy(chain->iov + chain->out_nr, chain->in_nr, offset,
			(u8 *)buf, len, true);
}
