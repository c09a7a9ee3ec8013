// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: which features a machine's vCPUs have
 *
 * All that the host has, unless options say otherwise; what was asked for and
 * is not there is refused. The lengths of SVE's vectors are a set that KVM gives
 * and that can be cut short before a vCPU is final (KVM-API 4.68).
 *
 * Context: the main loop's thread, while the machine is made.
 */
#include <string.h>
#include <sys/ioctl.h>

#include "arch/arm64/arm64_priv.h"
#include "arch/arm64/options.h"
#include "vmm/base/math.h"
#include "vmm/kvm.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

static bool has(const struct vm *vm, unsigned long cap)
{
	return kvm_extension(vm->vm_fd, cap);
}

static int choose_sve(struct vm *vm, struct arm64_options *o, struct error *err)
{
	if (o->sve_max_vl % ARM64_SVE_BITS_MIN)
		return error_set(err, -EINVAL,
				 "--sve-max-vl %u: give a multiple of %u up to %u",
				 o->sve_max_vl, ARM64_SVE_BITS_MIN,
				 ARM64_SVE_BITS_MAX);
	/* Who limits vectors wants to have some. */
	if (o->sve == CHOICE_AUTO && o->sve_max_vl != ARM64_SVE_BITS_MAX)
		o->sve = CHOICE_ON;
	return option_decide(&o->sve, has(vm, KVM_CAP_ARM_SVE), "sve",
			     "scalable vectors (SVE)", err);
}

/* One kind of key does not go without the other: KVM-API 4.82. */
static int choose_pauth(struct vm *vm, struct arm64_options *o,
			struct error *err)
{
	return option_decide(&o->pauth,
			     has(vm, KVM_CAP_ARM_PTRAUTH_ADDRESS) &&
			     has(vm, KVM_CAP_ARM_PTRAUTH_GENERIC), "pauth",
			     "pointer authentication", err);
}

static int choose_pmu(struct vm *vm, struct arm64_options *o, struct error *err)
{
	if (o->pmu && !has(vm, KVM_CAP_ARM_PMU_V3))
		return error_set(err, -ENOTSUP,
				 "--pmu: this host's CPU or KVM has no performance counters for guests (PMUv3)");
	return 0;
}

/* Whether it can be had shows at the first vCPU (vcpu.c). */
static int choose_pvtime(struct arm64_options *o, struct error *err)
{
	if (!o->no_pvtime)
		return 0;
	if (o->pvtime == CHOICE_ON)
		return error_set(err, -EINVAL,
				 "--no-pvtime: goes against --pvtime on");
	o->pvtime = CHOICE_OFF;
	return 0;
}

/**
 * features_choose() - what every vCPU gets
 * @vm: the machine; &arch_vm.cpu_target and &arch_vm.cpu_features are filled in,
 *      and choices are made in &arch_vm.options
 * @err: names what the host lacks
 *
 * Return: 0 or a negative errno.
 */
int features_choose(struct vm *vm, struct error *err)
{
	struct arm64_options *o = vm->arch->options;
	struct kvm_vcpu_init init = { 0 };
	int ret;

	ret = arm64_ioctl(vm->vm_fd, KVM_ARM_PREFERRED_TARGET, &init,
			  "KVM_ARM_PREFERRED_TARGET", err);
	if (!ret)
		ret = choose_sve(vm, o, err);
	if (!ret)
		ret = choose_pauth(vm, o, err);
	if (!ret)
		ret = choose_pmu(vm, o, err);
	if (!ret)
		ret = choose_pvtime(o, err);
	if (ret)
		return ret;
	vm->arch->cpu_target = init.target;
	vm->arch->cpu_features = BIT(KVM_ARM_VCPU_PSCI_0_2);
	if (o->sve == CHOICE_ON)
		vm->arch->cpu_features |= BIT(KVM_ARM_VCPU_SVE);
	if (o->pauth == CHOICE_ON)
		vm->arch->cpu_features |= BIT(KVM_ARM_VCPU_PTRAUTH_ADDRESS) |
					  BIT(KVM_ARM_VCPU_PTRAUTH_GENERIC);
	if (o->pmu)
		vm->arch->cpu_features |= BIT(KVM_ARM_VCPU_PMU_V3);
	return 0;
}

/**
 * sve_limit() - leave out the longest vectors
 * @lengths: a bit for each length that there is: bit n for n + 1 times 128 bits
 * @max_bits: the longest that may stay
 *
 * Return: the longest that has stayed, in bits; 0 for none.
 */
u32 sve_limit(u64 *lengths, u32 max_bits)
{
	u32 nr = max_bits / ARM64_SVE_BITS_MIN;

	if (nr < 64)
		*lengths &= BIT_ULL(nr) - 1;
	for (nr = 64; nr; nr--)
		if (*lengths & BIT_ULL(nr - 1))
			return nr * ARM64_SVE_BITS_MIN;
	return 0;
}

/**
 * sve_init() - the vectors of a vCPU
 * @vcpu: a vCPU with SVE that is not final
 * @err: filled on failure
 *
 * &arm64_options.sve_max_vl becomes what there is.
 *
 * Return: 0 or a negative errno.
 */
int sve_init(struct vcpu *vcpu, struct error *err)
{
	struct arm64_options *o = vcpu->vm->arch->options;
	u64 lengths[KVM_ARM64_SVE_VLS_WORDS] = { 0 };
	struct kvm_one_reg reg = {
		.id = KVM_REG_ARM64_SVE_VLS, .addr = (uintptr_t)lengths,
	};
	int feature = KVM_ARM_VCPU_SVE;
	u32 longest;
	int ret;

	ret = arm64_ioctl(vcpu->fd, KVM_GET_ONE_REG, &reg,
			  "KVM_GET_ONE_REG: SVE vector lengths", err);
	if (ret)
		return ret;
	longest = sve_limit(&lengths[0], o->sve_max_vl);
	if (!longest)
		return error_set(err, -ENOTSUP,
				 "--sve-max-vl %u: this host has no vectors that short",
				 o->sve_max_vl);
	ret = arm64_ioctl(vcpu->fd, KVM_SET_ONE_REG, &reg,
			  "KVM_SET_ONE_REG: SVE vector lengths", err);
	if (!ret)
		ret = arm64_ioctl(vcpu->fd, KVM_ARM_VCPU_FINALIZE, &feature,
				  "KVM_ARM_VCPU_FINALIZE: SVE", err);
	o->sve_max_vl = longest;
	return ret;
}
