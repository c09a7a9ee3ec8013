// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: an arm64 vCPU: making it, power-on, exits that only arm64 has
 *
 * Power-on is KVM_ARM_VCPU_INIT: it resets every register, and for all vCPUs
 * but the first it leaves the power off until the guest asks for it (PSCI). It
 * may be called again with the same features.
 *
 * The time that a vCPU was ready and did not run is told to the guest in 64
 * bytes of memory for each (Arm DEN0057, "stolen time").
 *
 * Context: the main loop's thread unless said otherwise.
 */
#include <stdlib.h>
#include <sys/ioctl.h>

#include "arch/arm64/arm64_priv.h"
#include "arch/arm64/layout.h"
#include "arch/arm64/options.h"
#include "vmm/arch.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

/**
 * arm64_counter_hz() - frequency of the system counter
 *
 * Return: ticks a second, the same for host and guests.
 */
u64 arm64_counter_hz(void)
{
	u64 hz;

	asm volatile("mrs %0, cntfrq_el0" : "=r" (hz));
	return hz;
}

static bool has_feature(const struct vcpu *vcpu, u32 feature)
{
	return vcpu->vm->arch->cpu_features & BIT(feature);
}

static int power_on(struct vcpu *vcpu, struct error *err)
{
	struct kvm_vcpu_init init = {
		.target = vcpu->vm->arch->cpu_target,
		.features = { vcpu->vm->arch->cpu_features },
	};

	if (vcpu->index)
		init.features[0] |= BIT(KVM_ARM_VCPU_POWER_OFF);
	return arm64_ioctl(vcpu->fd, KVM_ARM_VCPU_INIT, &init,
			   "KVM_ARM_VCPU_INIT", err);
}

/*
 * Hosts whose scheduler does not count it cannot tell it; which one this is
 * shows at the first vCPU.
 */
static int init_stolen_time(struct vcpu *vcpu, struct error *err)
{
	u64 at = ARM64_PVTIME_BASE + vcpu->index * ARM64_PVTIME_SIZE;
	u32 *pvtime = &vcpu->vm->arch->options->pvtime;
	struct kvm_device_attr attr = {
		.group = KVM_ARM_VCPU_PVTIME_CTRL,
		.attr = KVM_ARM_VCPU_PVTIME_IPA,
		.addr = (uintptr_t)&at,
	};
	bool here = !ioctl(vcpu->fd, KVM_HAS_DEVICE_ATTR, &attr);
	int ret = option_decide(pvtime, here, "pvtime", "stolen time", err);

	if (ret || *pvtime == CHOICE_OFF)
		return ret;
	return arm64_ioctl(vcpu->fd, KVM_SET_DEVICE_ATTR, &attr,
			   "KVM_ARM_VCPU_PVTIME_IPA", err);
}

/**
 * arch_vcpu_init() - what has to be said to KVM once for a new vCPU
 * @vcpu: the vCPU
 * @err: filled on failure
 *
 * Return: 0 or a negative errno; then nothing is left behind.
 */
int arch_vcpu_init(struct vcpu *vcpu, struct error *err)
{
	int ret;

	vcpu->arch = calloc(1, sizeof(*vcpu->arch));
	if (!vcpu->arch)
		return error_set(err, -ENOMEM, "out of memory");
	ret = power_on(vcpu, err);
	if (!ret && has_feature(vcpu, KVM_ARM_VCPU_SVE))
		ret = sve_init(vcpu, err);
	if (!ret)
		ret = init_stolen_time(vcpu, err);
	if (!ret)
		ret = regs_list(vcpu, err);
	if (!ret)
		ret = reg_get(vcpu, REG_MPIDR, &vcpu->arch->mpidr, err);
	if (ret) {
		arch_vcpu_destroy(vcpu);
		return ret;
	}
	vcpu->arch->mpidr &= MPIDR_AFFINITY;
	return 0;
}

/**
 * arch_vcpu_destroy() - free what arch_vcpu_init() made
 * @vcpu: the vCPU
 */
void arch_vcpu_destroy(struct vcpu *vcpu)
{
	free(vcpu->arch->regs);
	free(vcpu->arch);
	vcpu->arch = NULL;
}

/**
 * arch_vcpu_reset() - power-on state
 * @vcpu: a vCPU that has not run yet, or a parked one
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int arch_vcpu_reset(struct vcpu *vcpu, struct error *err)
{
	int ret = power_on(vcpu, err);

	return ret ? error_prefix(err, "vCPU %u", vcpu->index) : 0;
}

/**
 * arch_vcpu_resume() - a vCPU runs on after a pause
 * @vcpu: a parked vCPU
 *
 * An arm64 guest has no clock that could be told.
 */
void arch_vcpu_resume(struct vcpu *vcpu)
{
}

static u64 guest_pc(struct vcpu *vcpu)
{
	struct error err = ERROR_INIT;
	u64 pc = 0;

	return reg_get(vcpu, REG_PC, &pc, &err) ? 0 : pc;
}

/**
 * arch_vcpu_exit() - an exit that the core does not know
 * @vcpu: the vCPU, on its own thread
 * @err: why the machine cannot go on
 *
 * Return: 0 to run on, or a negative errno.
 */
int arch_vcpu_exit(struct vcpu *vcpu, struct error *err)
{
	const struct kvm_run *run = vcpu->run;

	switch (run->exit_reason) {
	case KVM_EXIT_ARM_NISV:
		return error_set(err, -EIO,
				 "vCPU %u: an access to 0x%llx by an instruction that does not say what it wants, at pc 0x%llx",
				 vcpu->index, run->arm_nisv.fault_ipa,
				 guest_pc(vcpu));
	case KVM_EXIT_INTERNAL_ERROR:
		return error_set(err, -EIO,
				 "vCPU %u: KVM internal error %u at pc 0x%llx",
				 vcpu->index, run->internal.suberror,
				 guest_pc(vcpu));
	case KVM_EXIT_FAIL_ENTRY:
		return error_set(err, -EIO,
				 "vCPU %u: the CPU refuses to enter the guest: hardware reason 0x%llx at pc 0x%llx",
				 vcpu->index,
				 run->fail_entry.hardware_entry_failure_reason,
				 guest_pc(vcpu));
	default:
		return error_set(err, -EIO,
				 "vCPU %u: KVM exit %u is not expected at pc 0x%llx",
				 vcpu->index, run->exit_reason,
				 guest_pc(vcpu));
	}
}

/**
 * arch_vcpu_nmi() - a non-maskable interrupt
 * @vcpu: which vCPU
 * @err: filled
 *
 * Return: -ENOTSUP.
 */
int arch_vcpu_nmi(struct vcpu *vcpu, struct error *err)
{
	return error_set(err, -ENOTSUP,
			 "%s has no non-maskable interrupt", arch_name);
}
