// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: what vCPUs share out of KVM and in again: interrupts and time
 *
 * The guest's virtual counter is saved with each vCPU, as its register. With
 * it goes the host's wall clock of that moment; when the state is loaded,
 * &vm.clock says whether the time in between has happened for the guest: with
 * VM_CLOCK_HOST the counter is put forward by it, so that the guest's clock is
 * right at once; with VM_CLOCK_SAVED it goes on from where it was. A wall clock
 * that was put back meanwhile counts as no time.
 *
 * The counter's frequency is the host's and cannot be another one for a guest,
 * so hosts must agree on it.
 *
 * Context: the main loop's thread, the machine paused.
 */
#include <stdlib.h>
#include <time.h>

#include "arch/arm64/arm64_priv.h"
#include "vmm/arch.h"
#include "vmm/base/math.h"
#include "vmm/vm.h"

#define NS_PER_S	1000000000ULL

static u64 realtime_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (u64)ts.tv_sec * NS_PER_S + (u64)ts.tv_nsec;
}

static u64 away_ticks(const struct vm *vm, const struct arm64_vm_state *s)
{
	u64 now = realtime_ns(), ns;

	if (vm->clock == VM_CLOCK_SAVED || !s->clock_realtime_ns ||
	    s->clock_realtime_ns > now)
		return 0;
	ns = now - s->clock_realtime_ns;
	return ns / NS_PER_S * s->counter_hz +
	       ns % NS_PER_S * s->counter_hz / NS_PER_S;
}

/**
 * arch_vm_settle() - the machine has been paused
 * @vm: the machine
 *
 * The tables of the interrupt controller go to guest memory.
 */
void arch_vm_settle(struct vm *vm)
{
	struct arch_vm *arch = vm->arch;

	arch->settle_ret = its_settle(vm, &arch->settle_err);
}

/**
 * arch_vm_save() - the machine's own state
 * @vm: a paused machine
 * @state: a zeroed struct arm64_vm_state
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int arch_vm_save(struct vm *vm, void *state, struct error *err)
{
	struct arm64_vm_state *s = state;

	if (vm->arch->settle_ret)
		return error_copy(err, &vm->arch->settle_err);
	s->clock_realtime_ns = realtime_ns();
	s->counter_hz = arm64_counter_hz();
	return gic_save(vm, s, err);
}

/**
 * arch_vm_load() - install a machine's state
 * @vm: a paused machine with its memory; its vCPUs are loaded after it
 * @state: a struct arm64_vm_state within its table's ranges
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int arch_vm_load(struct vm *vm, const void *state, struct error *err)
{
	const struct arm64_vm_state *s = state;

	if (s->counter_hz != arm64_counter_hz())
		return error_set(err, -ENOTSUP,
				 "counter-hz: the guest's counter runs at %llu Hz and this host's at %llu Hz",
				 s->counter_hz, arm64_counter_hz());
	vm->arch->away_ticks = away_ticks(vm, s);
	return gic_load(vm, s, err);
}

/**
 * arch_vm_reset() - the interrupt controller back to power-on
 * @vm: a paused machine, or one that has not run yet
 * @err: filled on failure
 *
 * The first call, before anything has run and with all vCPUs there, remembers
 * what power-on is. The counter goes on.
 *
 * Return: 0 or a negative errno.
 */
int arch_vm_reset(struct vm *vm, struct error *err)
{
	struct arch_vm *arch = vm->arch;
	struct arm64_vm_state *s;
	int ret;

	if (arch->power_on)
		return gic_load(vm, arch->power_on, err);
	ret = gic_complete(vm, err);
	if (!ret)
		ret = pmu_init(vm, err);
	if (ret)
		return ret;
	s = calloc(1, sizeof(*s));
	if (!s)
		return error_set(err, -ENOMEM, "out of memory");
	ret = gic_save(vm, s, err);
	if (ret)
		free(s);
	else
		arch->power_on = s;
	return ret;
}
