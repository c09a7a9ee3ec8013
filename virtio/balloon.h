/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_VIRTIO_BALLOON_H
#define LKVM_VIRTIO_BALLOON_H

#include "vmm/base/error.h"
#include "vmm/base/types.h"

struct vm;

#define BALLOON_STATS	10	/* VIRTIO-1.2 5.5.6.4 */

/**
 * struct balloon_info - how a balloon is
 * @target: bytes that it is to take
 * @actual: bytes that it takes, as the guest says
 */
struct balloon_info {
	u64 target;
	u64 actual;
};

/**
 * struct balloon_stats - what the guest says of its memory
 * @known: bits of what it says
 * @value: by tag
 * @age_ms: how old that is
 */
struct balloon_stats {
	u32 known;
	u64 value[BALLOON_STATS];
	u64 age_ms;
};

extern const char *const balloon_stat_names[BALLOON_STATS];

int balloon_get(struct vm *vm, struct balloon_info *info, struct error *err)
	__must_check;
int balloon_set(struct vm *vm, u64 bytes, struct error *err) __must_check;
int balloon_stats(struct vm *vm, struct balloon_stats *stats,
		  struct error *err) __must_check;

#endif /* LKVM_VIRTIO_BALLOON_H */
