/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_X86_CPUID_H
#define LKVM_X86_CPUID_H

#include <linux/kvm.h>

#include "vmm/base/error.h"
#include "vmm/base/types.h"

/* KVM takes no longer table (KVM_MAX_CPUID_ENTRIES in Linux). */
#define CPUID_ENTRIES_MAX	256

/**
 * struct cpuid_params - what one vCPU's table is made for
 * @apic_id: its local APIC's id
 * @cores: cores of the machine's one package, one thread each; 1 or more
 * @tsc_deadline: KVM's local APIC has the TSC deadline timer
 * @tsc_khz: frequency of the guest's TSC, 0 when not known
 */
struct cpuid_params {
	u32 apic_id;
	u32 cores;
	bool tsc_deadline;
	u32 tsc_khz;
};

/**
 * enum cpuid_reg - what CPUID answers in
 * @CPUID_EAX: first
 * @CPUID_EBX: second
 * @CPUID_ECX: third
 * @CPUID_EDX: fourth
 */
enum cpuid_reg {
	CPUID_EAX,
	CPUID_EBX,
	CPUID_ECX,
	CPUID_EDX,
};

int cpuid_read_supported(int kvm_fd, struct kvm_cpuid2 **out,
			 struct error *err) __must_check;
int cpuid_make(const struct kvm_cpuid2 *supported,
	       const struct cpuid_params *params, struct kvm_cpuid2 **out,
	       struct error *err) __must_check;
int cpuid_check(const struct kvm_cpuid2 *wanted,
		const struct kvm_cpuid2 *supported,
		const struct kvm_cpuid2 *present, struct error *err)
	__must_check;
const struct kvm_cpuid_entry2 *cpuid_find(const struct kvm_cpuid2 *table,
					  u32 function, u32 index);
const char *cpuid_feature_name(u32 function, u32 index, enum cpuid_reg reg,
			       u32 bit);
u32 cpuid_phys_bits(const struct kvm_cpuid2 *supported);

#endif /* LKVM_X86_CPUID_H */
