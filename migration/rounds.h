/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_ROUNDS_H
#define LKVM_ROUNDS_H

#include "migration/frame.h"
#include "migration/image.h"
#include "migration/memory_save.h"
#include "vmm/dirty.h"
#include "vmm/throttle.h"

struct vm;

/**
 * struct rounds_stats - how the rounds go
 * @rounds: rounds over memory that have ended
 * @dirty_pages: pages that the guest wrote during the last round
 * @rate: bytes a second of the last round
 * @throttle: percent of the time that the vCPUs rest, so that what they write
 *            can be sent as fast
 */
struct rounds_stats {
	_Atomic u32 rounds;
	_Atomic u64 dirty_pages;
	_Atomic u64 rate;
	_Atomic u32 throttle;
};

/**
 * struct rounds_target - where memory goes
 * @image: the image, without blocks, of the channel @peer
 * @peer: made by channel_peer_open()
 * @links: the connections
 * @links_nr: how many
 * @name: the destination, for texts
 * @downtime_ms: how long the guest may be stopped
 */
struct rounds_target {
	struct image *image;
	struct channel *peer;
	struct frame_link *links;
	u32 links_nr;
	const char *name;
	u64 downtime_ms;
};

/**
 * struct rounds - memory on its way to a peer, round after round
 * @vm: the machine
 * @to: where to
 * @ms: the memory
 * @log: what the guest writes meanwhile
 * @throttle: slows the guest down
 * @round: rounds whose end was told
 * @round_ns: how long the last round took
 * @hopeless: rounds, one after the other, in which the guest wrote too much
 * @stats: how it goes
 */
struct rounds {
	struct vm *vm;
	struct rounds_target to;
	struct memory_save ms;
	struct dirty_log log;
	struct throttle throttle;
	u64 round;
	u64 round_ns;
	u32 hopeless;
	struct rounds_stats stats;
};

void rounds_init(struct rounds *r, struct vm *vm);
void rounds_destroy(struct rounds *r);
int rounds_watch(struct rounds *r, struct error *err) __must_check;
void rounds_unwatch(struct rounds *r);
void rounds_full_speed(struct rounds *r);
int rounds_aim(struct rounds *r, const struct rounds_target *to,
	       struct error *err) __must_check;
int rounds_live(struct rounds *r, struct error *err) __must_check;
int rounds_rest(struct rounds *r, struct error *err) __must_check;
int rounds_mark(struct rounds *r, struct error *err) __must_check;

#endif /* LKVM_ROUNDS_H */
