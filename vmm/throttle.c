// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: slowing vCPUs down
 *
 * Slices of RUN_NS in which the vCPUs run alternate with rests that are long
 * enough to make up the part of the time that is wanted. Interrupts and timers
 * of the guest go on, and wait for the end of a rest.
 *
 * Threads: the main loop; the vCPUs rest on their own threads.
 */
#include "vmm/base/math.h"
#include "vmm/throttle.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

#define RUN_NS	10000000ULL

static void tick(struct io_timer *timer)
{
	struct throttle *t = container_of(timer, struct throttle, timer);
	u64 rest = RUN_NS * t->percent / (100 - t->percent);
	u32 i;

	if (!t->percent)
		return;
	for (i = 0; i < t->vm->cpus_nr; i++)
		vcpu_rest(&t->vm->vcpus[i], rest);
	io_timer_set(timer, RUN_NS + rest);
}

/**
 * throttle_init() - vCPUs that run all the time
 * @t: to be filled
 * @vm: the machine
 *
 * Context: main loop.
 */
void throttle_init(struct throttle *t, struct vm *vm)
{
	t->vm = vm;
	t->percent = 0;
	io_timer_init(&t->timer, &vm->loop, tick);
}

/**
 * throttle_set() - slow vCPUs down, or let them run again
 * @t: the throttle
 * @percent: of the time that they rest, cut to THROTTLE_MAX; 0 for none
 *
 * Context: main loop.
 */
void throttle_set(struct throttle *t, u32 percent)
{
	bool was = t->percent;
	u32 i;

	t->percent = min_of(percent, (u32)THROTTLE_MAX);
	for (i = 0; !percent && i < t->vm->cpus_nr; i++)
		vcpu_rest(&t->vm->vcpus[i], 0);
	if (percent && !was)
		io_timer_set(&t->timer, RUN_NS);
}

/**
 * throttle_destroy() - let vCPUs run again and free the timer
 * @t: the throttle
 *
 * Context: main loop.
 */
void throttle_destroy(struct throttle *t)
{
	throttle_set(t, 0);
	io_timer_destroy(&t->timer);
}
