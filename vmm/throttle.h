/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_THROTTLE_H
#define LKVM_THROTTLE_H

#include "vmm/iothread.h"

struct vm;

#define THROTTLE_MAX	99

/**
 * struct throttle - vCPUs that do not run all the time
 * @vm: the machine
 * @timer: the next rest
 * @percent: of the time they rest, 0 for none
 */
struct throttle {
	struct vm *vm;
	struct io_timer timer;
	u32 percent;
};

void throttle_init(struct throttle *t, struct vm *vm);
void throttle_set(struct throttle *t, u32 percent);
void throttle_destroy(struct throttle *t);

#endif /* LKVM_THROTTLE_H */
