/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_CHANNEL_RING_H
#define LKVM_CHANNEL_RING_H

#include <pthread.h>

#include "migration/channel.h"

struct channel_ring;

/**
 * struct channel_rings - the rings of a channel, one for each thread in it
 * @lock: protects @idle and @none
 * @idle: those that no thread uses just now
 * @none: there are none: the kernel refuses io_uring
 */
struct channel_rings {
	pthread_mutex_t lock;
	struct channel_ring *idle;
	bool none;
};

void channel_rings_init(struct channel_rings *rings);
void channel_rings_destroy(struct channel_rings *rings);
void channel_rings_batch(struct channel_rings *rings,
			 const struct channel_control *control,
			 struct channel_piece *pieces, const int *fds, u32 nr,
			 bool write);

#endif /* LKVM_CHANNEL_RING_H */
