/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_ROUNDS_H
#define LKVM_ROUNDS_H

#include "migration/figures.h"
#include "migration/frame.h"
#include "migration/image.h"
#include "migration/memory_save.h"
#include "vmm/dirty.h"
#include "vmm/throttle.h"

struct vm;

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
 * @aimed: @to is there
 * @ms: the memory
 * @log: what the guest writes meanwhile
 * @throttle: slows the guest down
 * @round: rounds whose end was told
 * @hopeless: rounds, one after the other, in which the guest wrote too much
 * @figures: how it goes
 */
struct rounds {
	struct vm *vm;
	struct rounds_target to;
	_Atomic bool aimed;
	struct memory_save ms;
	struct dirty_log log;
	struct throttle throttle;
	u64 round;
	u32 hopeless;
	struct figures figures;
};

/**
 * struct rounds_report - how it goes, for who asks
 * @rounds: rounds that have ended while the guest ran
 * @throttle: percent of the time that the vCPUs rest
 * @done: bytes of memory dealt with, over all rounds
 * @total: what that will be at the end of this round
 * @sent: bytes sent
 * @lent: bytes of them that were not copied on their way to the network card
 * @rate: bytes a second, 0: not known yet
 * @dirty_bytes: left to be sent when the last round had ended
 * @dirty_rate: bytes a second that the guest writes
 * @downtime_ms: how long it would take to send @dirty_bytes
 * @left_ms: how long this round goes on
 * @pages_sent: pages that were sent
 * @pages_again: those of them that had been sent before
 * @pages_zero: pages of zeros, which need not be sent
 */
struct rounds_report {
	u32 rounds;
	u32 throttle;
	u64 done;
	u64 total;
	u64 sent;
	u64 lent;
	u64 rate;
	u64 dirty_bytes;
	u64 dirty_rate;
	u64 downtime_ms;
	u64 left_ms;
	u64 pages_sent;
	u64 pages_again;
	u64 pages_zero;
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
void rounds_report(const struct rounds *r, struct rounds_report *report);

#endif /* LKVM_ROUNDS_H */
