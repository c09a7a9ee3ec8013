// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: a vCPU out of KVM and in again
 *
 * Registers first both ways: reading one makes KVM do a reset that another
 * vCPU's PSCI CPU_ON has left to be done; then whether the power is on, and
 * system errors that wait.
 *
 * Context: the main loop's thread, the vCPU parked.
 */
#include "arch/arm64/arm64_priv.h"
#include "vmm/arch.h"
#include "vmm/vcpu.h"

static int events_save(struct vcpu *vcpu, struct arm64_vcpu_state *s,
		       struct error *err)
{
	struct kvm_vcpu_events events = { 0 };
	int ret;

	ret = arm64_ioctl(vcpu->fd, KVM_GET_VCPU_EVENTS, &events,
			  "KVM_GET_VCPU_EVENTS", err);
	s->serror_pending = events.exception.serror_pending;
	s->serror_has_esr = events.exception.serror_has_esr;
	s->serror_esr = events.exception.serror_esr;
	s->ext_dabt_pending = events.exception.ext_dabt_pending;
	return ret;
}

static int events_load(struct vcpu *vcpu, const struct arm64_vcpu_state *s,
		       struct error *err)
{
	struct kvm_vcpu_events events = {
		.exception.serror_pending = s->serror_pending,
		.exception.serror_has_esr = s->serror_has_esr,
		.exception.serror_esr = s->serror_esr,
		.exception.ext_dabt_pending = s->ext_dabt_pending,
	};

	return arm64_ioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &events,
			   "KVM_SET_VCPU_EVENTS", err);
}

/**
 * arch_vcpu_save() - a vCPU's state
 * @vcpu: a parked vCPU
 * @state: a zeroed struct arm64_vcpu_state
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int arch_vcpu_save(struct vcpu *vcpu, void *state, struct error *err)
{
	struct kvm_mp_state mp = { 0 };
	struct arm64_vcpu_state *s = state;
	int ret;

	ret = regs_save(vcpu, s, err);
	if (!ret)
		ret = events_save(vcpu, s, err);
	if (!ret)
		ret = arm64_ioctl(vcpu->fd, KVM_GET_MP_STATE, &mp,
				  "KVM_GET_MP_STATE", err);
	s->mp_state = mp.mp_state;
	return ret;
}

/**
 * arch_vcpu_load() - install a vCPU's state
 * @vcpu: a parked vCPU
 * @state: a struct arm64_vcpu_state within its table's ranges
 * @err: filled on failure; names the CPU feature, the register or the call
 *
 * Return: 0 or a negative errno: -ENOTSUP when this host cannot be that CPU.
 */
int arch_vcpu_load(struct vcpu *vcpu, const void *state, struct error *err)
{
	const struct arm64_vcpu_state *s = state;
	struct kvm_mp_state mp = { .mp_state = s->mp_state };
	int ret;

	ret = regs_load(vcpu, s, err);
	if (!ret)
		ret = events_load(vcpu, s, err);
	if (!ret)
		ret = arm64_ioctl(vcpu->fd, KVM_SET_MP_STATE, &mp,
				  "KVM_SET_MP_STATE", err);
	return ret;
}
