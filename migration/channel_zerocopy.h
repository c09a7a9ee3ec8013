/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_CHANNEL_ZEROCOPY_H
#define LKVM_CHANNEL_ZEROCOPY_H

#include <pthread.h>
#include <sys/uio.h>

#include "vmm/base/types.h"

/* Sends that the kernel may have under way; a multiple of 64. */
#define ZEROCOPY_WINDOW	1024U

/* What is shorter is copied sooner than pinned. */
#define ZEROCOPY_MIN	(16U << 10)

/**
 * struct zerocopy - sends of one socket from memory that the kernel reads later
 * @lock: protects all
 * @on: further sends may be so
 * @always: also where the kernel copies after all; for tests
 * @sent: sends so far, the number of the next one; wraps
 * @settled: all before this one are done with
 * @done: one bit for each of ZEROCOPY_WINDOW sends from @settled on
 */
struct zerocopy {
	pthread_mutex_t lock;
	_Atomic bool on;
	bool always;
	_Atomic u32 sent;
	_Atomic u32 settled;
	u64 done[ZEROCOPY_WINDOW / 64];
};

void zerocopy_init(struct zerocopy *z);
void zerocopy_destroy(struct zerocopy *z);
void zerocopy_start(struct zerocopy *z, int fd);
void zerocopy_note(struct zerocopy *z, u32 first, u32 last, bool copied);
bool zerocopy_collect(struct zerocopy *z, int fd, const char *name);
ssize_t zerocopy_send(struct zerocopy *z, int fd, const char *name,
		      const struct iovec *iov);

#endif /* LKVM_CHANNEL_ZEROCOPY_H */
