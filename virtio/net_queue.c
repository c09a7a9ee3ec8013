// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: network card: frames
 *
 * VIRTIO-1.2 5.1.6. Out: up to NET_BATCH frames are taken and handed to the
 * back end in one call, as vectors that point into guest memory; what it had no
 * room for goes back into the ring, and is taken again when there is room.
 *
 * In: a frame is copied into buffers of the guest's, several of them where it
 * does not fit into one and the driver can merge them. Buffers that were taken
 * for a frame which needs more than there are wait with it. All buffers of a
 * frame become visible to the driver at once (VIRTIO-1.2 5.1.6.4).
 *
 * Nothing is allocated here, and nothing is under way between two calls.
 *
 * Threads: a pair's loop.
 */
#include <string.h>

#include "virtio/net_priv.h"
#include "vmm/base/counter.h"
#include "vmm/base/math.h"

#define RX_TURN		256	/* frames in a row */
#define TX_TURN		4	/* batches in a row */

/* ---- out ---------------------------------------------------------------- */

/* What the kernel would say no to is said no to here (VIRTIO-1.2 5.1.6.2). */
static bool header_is_ok(const struct virtio_device *v,
			 const struct net_hdr *hdr, u64 len)
{
	static const struct {
		u8 type;
		u8 feature;
	} types[] = {
		{ NET_HDR_GSO_TCPV4, NET_F_HOST_TSO4 },
		{ NET_HDR_GSO_TCPV6, NET_F_HOST_TSO6 },
		{ NET_HDR_GSO_UDP_L4, NET_F_HOST_USO },
	};
	u8 type = hdr->gso_type & (NET_HDR_GSO_ECN - 1);
	u32 i;

	if ((hdr->flags & NET_HDR_F_NEEDS_CSUM) &&
	    (!virtio_has(v, BIT_ULL(NET_F_CSUM)) ||
	     !range_fits(le16_to_cpu(hdr->csum_start),
			 le16_to_cpu(hdr->csum_offset) + 2U, len)))
		return false;
	if (hdr->gso_type == NET_HDR_GSO_NONE)
		return true;
	if (!(hdr->flags & NET_HDR_F_NEEDS_CSUM) || !hdr->gso_size)
		return false;
	if (hdr->gso_type != type && !virtio_has(v, BIT_ULL(NET_F_HOST_ECN)))
		return false;
	for (i = 0; i < ARRAY_SIZE(types); i++)
		if (types[i].type == type)
			return virtio_has(v, BIT_ULL(types[i].feature));
	return false;
}

/* Vectors without their first @skip bytes; how many there are. */
static u32 copy_vectors(struct iovec *to, const struct iovec *from, u32 nr,
			u64 skip)
{
	u32 i, n = 0;

	for (i = 0; i < nr; i++) {
		if (skip >= from[i].iov_len) {
			skip -= from[i].iov_len;
			continue;
		}
		to[n].iov_base = (u8 *)from[i].iov_base + skip;
		to[n++].iov_len = from[i].iov_len - skip;
		skip = 0;
	}
	return n;
}

/* Is it a frame, and are there few enough vectors for any back end? */
static bool make_frame(struct net_pair *pair, const struct virtio_chain *chain,
		       struct net_tx *tx, struct iovec *iov)
{
	u64 len = chain->out_len - sizeof(tx->hdr);

	if (chain->out_len < sizeof(tx->hdr) + ETH_HEADER ||
	    len > NET_FRAME_MAX || chain->out_nr > NET_IOV_MAX - 2)
		return false;
	virtio_chain_read(chain, 0, &tx->hdr, sizeof(tx->hdr));
	tx->hdr.flags &= NET_HDR_F_NEEDS_CSUM;
	tx->hdr.num_buffers = cpu_to_le16(0);
	if (!header_is_ok(&pair->card->v, &tx->hdr, len))
		return false;
	tx->iov = iov;
	tx->iov_nr = copy_vectors(iov, chain->iov, chain->out_nr,
				  sizeof(tx->hdr));
	tx->len = (u32)len;
	return true;
}

/*
 * Takes frames until a call's worth is there. What is none goes back at once,
 * but never past a frame that may have to go back into the ring.
 */
static u32 gather(struct net_pair *pair)
{
	u32 nr = 0, bad = 0, taken = 0, vectors = 0;

	while (nr + bad < NET_BATCH && NET_VECTORS - taken >= NET_CHAIN_IOV) {
		struct virtio_chain *chain = &pair->tx_chains[nr];

		if (!virtio_queue_pop(pair->txq, chain, pair->tx_iov + taken,
				      NET_CHAIN_IOV))
			break;
		/* A call has a vector of its own for each frame. */
		if (nr && vectors + chain->out_nr + nr + 2 > NET_IOV_MAX) {
			virtio_queue_unpop(pair->txq, chain);
			break;
		}
		if (!make_frame(pair, chain, &pair->tx[nr],
				pair->tx_frame + vectors)) {
			if (nr) {
				virtio_queue_unpop(pair->txq, chain);
				break;
			}
			counter_add(&pair->count.tx_bad, 1);
			virtio_queue_push(pair->txq, chain, 0);
			bad++;
			continue;
		}
		taken += chain->out_nr + chain->in_nr;
		vectors += pair->tx[nr].iov_nr;
		nr++;
	}
	return nr;
}

static void give_back(struct net_pair *pair, u32 sent, u32 nr)
{
	u64 bytes = 0;
	u32 i;

	/* The last one taken goes first. */
	while (nr > sent)
		virtio_queue_unpop(pair->txq, &pair->tx_chains[--nr]);
	for (i = 0; i < sent; i++)
		bytes += pair->tx[i].len;
	counter_add(&pair->count.tx_frames, sent);
	counter_add(&pair->count.tx_bytes, bytes);
	for (i = 0; i < sent; i++)
		virtio_queue_push(pair->txq, &pair->tx_chains[i], 0);
}

/**
 * net_handle_tx() - &virtio_ops.handle of a queue for frames that go out
 * @pair: the pair
 *
 * Return: what it waits for.
 */
enum virtio_next net_handle_tx(struct net_pair *pair)
{
	u32 turn, nr, sent;

	for (turn = 0; turn < TX_TURN; turn++) {
		nr = gather(pair);
		if (!nr)
			return VIRTIO_NEXT_CHAIN;
		sent = pair->plugged ?
			net_lane_send(pair->lane, pair->tx, nr) : nr;
		give_back(pair, sent, nr);
		if (sent < nr)
			return VIRTIO_NEXT_WAKE;
	}
	return VIRTIO_NEXT_TURN;
}

/* ---- in ----------------------------------------------------------------- */

static void untake(struct net_pair *pair)
{
	while (pair->rx_nr)
		virtio_queue_unpop(pair->rxq,
				   &pair->rx_chains[--pair->rx_nr]);
	pair->rx_room = 0;
	pair->rx_iov_nr = 0;
}

/**
 * net_stop_rx() - a queue for frames that come in is to end
 * @pair: the pair
 *
 * Buffers that wait with a frame go back into the ring.
 */
void net_stop_rx(struct net_pair *pair)
{
	untake(pair);
}

static void drop_frame(struct net_pair *pair)
{
	counter_add(&pair->count.rx_dropped, 1);
	pair->rx_waits = false;
	untake(pair);
}

/* One more buffer for the frame; false: there is none, or it is of no use. */
static bool take_buffer(struct net_pair *pair)
{
	struct virtio_chain *chain = &pair->rx_chains[pair->rx_nr];

	if (!virtio_queue_pop(pair->rxq, chain, pair->rx_iov + pair->rx_iov_nr,
			      NET_CHAIN_IOV))
		return false;
	pair->rx_nr++;
	pair->rx_room += chain->in_len;
	pair->rx_iov_nr += chain->out_nr + chain->in_nr;
	if (chain->in_len >= sizeof(struct net_hdr))
		return true;
	untake(pair);
	virtio_queue_fail(pair->rxq, "a buffer has no room for a header");
	return false;
}

static bool can_take(const struct net_pair *pair)
{
	return !pair->rx_nr ||
	       (pair->mergeable && pair->rx_nr < NET_QUEUE_SIZE &&
		NET_VECTORS - pair->rx_iov_nr >= NET_CHAIN_IOV);
}

/* Spreads header and frame over the buffers, and gives them to the driver. */
static void fill(struct net_pair *pair)
{
	struct net_hdr hdr = pair->rx.hdr;
	u32 left = pair->rx.len, i;
	const u8 *data = pair->rx.data;

	if (!(pair->offloads & BIT_ULL(NET_F_GUEST_CSUM)))
		hdr.flags = 0;
	hdr.num_buffers = cpu_to_le16((u16)pair->rx_nr);
	virtio_chain_write(&pair->rx_chains[0], 0, &hdr, sizeof(hdr));
	virtio_queue_hold(pair->rxq);
	for (i = 0; i < pair->rx_nr; i++) {
		u32 at = i ? 0 : sizeof(hdr);
		u32 n = (u32)virtio_chain_write(&pair->rx_chains[i], at, data,
						left);

		data += n;
		left -= n;
		virtio_queue_push(pair->rxq, &pair->rx_chains[i], at + n);
	}
	virtio_queue_publish(pair->rxq);
	counter_add(&pair->count.rx_frames, 1);
	counter_add(&pair->count.rx_bytes, pair->rx.len);
	pair->rx_waits = false;
	pair->rx_nr = 0;
	pair->rx_room = 0;
	pair->rx_iov_nr = 0;
}

/*
 * Can the guest make sense of a frame's header? The back end knows what the
 * guest takes, but a frame may have been under way when that changed.
 */
static bool takes_header(const struct net_pair *pair)
{
	static const u64 wants[] = {
		[NET_HDR_GSO_TCPV4] = BIT_ULL(NET_F_GUEST_TSO4),
		[NET_HDR_GSO_TCPV6] = BIT_ULL(NET_F_GUEST_TSO6),
		[NET_HDR_GSO_UDP_L4] = BIT_ULL(NET_F_GUEST_USO4) |
				       BIT_ULL(NET_F_GUEST_USO6),
	};
	const struct net_hdr *hdr = &pair->rx.hdr;
	u8 type = hdr->gso_type & (NET_HDR_GSO_ECN - 1);

	if ((hdr->flags & NET_HDR_F_NEEDS_CSUM) &&
	    !(pair->offloads & BIT_ULL(NET_F_GUEST_CSUM)))
		return false;
	return hdr->gso_type == NET_HDR_GSO_NONE ||
	       (type < ARRAY_SIZE(wants) && (pair->offloads & wants[type]));
}

/* false: it waits for more buffers. */
static bool deliver(struct net_pair *pair)
{
	u64 need = sizeof(struct net_hdr) + pair->rx.len;

	/* It may have waited since before a reset. */
	if (!takes_header(pair)) {
		drop_frame(pair);
		return true;
	}
	while (pair->rx_room < need) {
		if (!can_take(pair)) {
			drop_frame(pair);
			return true;
		}
		if (!take_buffer(pair))
			return false;
	}
	fill(pair);
	return true;
}

/* The next frame, which waits for buffers if the guest wants it. */
static bool next_frame(struct net_pair *pair)
{
	if (!pair->plugged || !net_lane_recv(pair->lane, &pair->rx))
		return false;
	pair->rx_waits = net_filter_pass(&pair->filter, pair->rx.data);
	if (!pair->rx_waits)
		counter_add(&pair->count.rx_filtered, 1);
	return true;
}

/**
 * net_handle_rx() - &virtio_ops.handle of a queue for frames that come in
 * @pair: the pair
 *
 * Return: what it waits for.
 */
enum virtio_next net_handle_rx(struct net_pair *pair)
{
	u32 turn;

	for (turn = 0; turn < RX_TURN; turn++) {
		if (!pair->rx_waits && !next_frame(pair))
			return VIRTIO_NEXT_WAKE;
		if (pair->rx_waits && !deliver(pair))
			return VIRTIO_NEXT_CHAIN;
	}
	return VIRTIO_NEXT_TURN;
}
