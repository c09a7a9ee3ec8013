/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_CHANNEL_PEER_H
#define LKVM_CHANNEL_PEER_H

#include "migration/frame.h"

#define PEER_LINKS_MAX	16

/**
 * struct peer_stats - what went to a peer
 * @data: bytes of payload
 * @zero: bytes told to be zero
 * @lent: bytes of @data that were not copied on their way to the network card
 * @frames: frames
 * @busy_ns: time spent sending, over all connections
 */
struct peer_stats {
	_Atomic u64 data;
	_Atomic u64 zero;
	_Atomic u64 lent;
	_Atomic u64 frames;
	_Atomic u64 busy_ns;
};

int channel_peer_open(struct frame_link *links, u32 nr, const char *name,
		      struct channel **out, struct error *err) __must_check;
void channel_peer_rate(struct channel *ch, u64 bytes_per_s);
const struct peer_stats *channel_peer_stats(const struct channel *ch);
int channel_peer_failure(const struct channel *ch, struct error *err);

#endif /* LKVM_CHANNEL_PEER_H */
