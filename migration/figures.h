/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_FIGURES_H
#define LKVM_FIGURES_H

#include <stdatomic.h>

#include "vmm/base/types.h"

/**
 * struct figures - how a migration goes, in numbers
 * @rounds: rounds over memory that have ended while the guest ran
 * @rate: bytes a second that the connections carry; 0: not known yet
 * @dirty_bytes: left to be sent when the last round had ended
 * @dirty_rate: bytes a second that the guest writes
 * @throttle: percent of the time that the vCPUs rest, so that what they write
 *            can be sent as fast
 * @begin_bytes: what was sent when this round began
 * @begin_busy_ns: time spent sending before this round
 * @taken_ns: since when @taken counts; 0: not yet
 * @taken: bytes that the guest has written since
 *
 * Written by the thread that makes the rounds, read by any.
 */
struct figures {
	_Atomic u32 rounds;
	_Atomic u64 rate;
	_Atomic u64 dirty_bytes;
	_Atomic u64 dirty_rate;
	_Atomic u32 throttle;
	_Atomic u64 begin_bytes;
	_Atomic u64 begin_busy_ns;
	u64 taken_ns;
	u64 taken;
};

void figures_begin(struct figures *f, u64 bytes, u64 busy_ns);
void figures_end(struct figures *f, u64 bytes, u64 busy_ns);
void figures_taken(struct figures *f, u64 bytes, u64 now_ns);
u64 figures_rate(const struct figures *f, u64 bytes, u64 busy_ns);
u64 figures_ms(u64 bytes, u64 rate);

#endif /* LKVM_FIGURES_H */
