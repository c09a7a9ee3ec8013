/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: what the files of arch/x86 share
 *
 * What is kept for a machine and for a vCPU, the numbers of MSRs, and the
 * functions by which power-on (vcpu.c), MSRs (msr.c) and saved state
 * (vcpu_state.c, vm_state.c) reach each other.
 */
#ifndef LKVM_X86_PRIV_H
#define LKVM_X86_PRIV_H

#include <linux/kvm.h>

#include "vmm/base/error.h"
#include "vmm/base/types.h"

struct vcpu;
struct vm;
struct x86_segment_state;
struct x86_vcpu_state;
struct x86_vm_state;

/* Model-specific registers that this code itself speaks of: SDM vol. 4 */
#define MSR_TSC			0x10
#define MSR_MTRR_CAP		0xfe
#define MSR_FEATURE_CONTROL	0x3a
#define MSR_MISC_ENABLE		0x1a0
#define MSR_MTRR_PHYS_BASE	0x200
#define MSR_MTRR_FIX_64K	0x250
#define MSR_MTRR_FIX_16K	0x258
#define MSR_MTRR_FIX_4K		0x268
#define MSR_MTRR_DEF_TYPE	0x2ff
#define MSR_MC0_CTL		0x400
#define MSR_TSC_DEADLINE	0x6e0

/* Banks of the machine check architecture, as real machines have them. */
#define X86_MCE_BANKS		10

/**
 * struct arch_vm - what x86 keeps for a machine
 * @supported: what KVM offers as CPUID on this host; owned
 * @msrs: numbers of the registers that make up a vCPU's state, rising; owned
 * @msrs_nr: how many
 * @msrs_probed: those that KVM lists but does not let us read were left out
 * @xsave_size: bytes of KVM's XSAVE area
 * @nested_size: bytes of a vCPU's nested state, 0 when KVM has none
 * @xcrs: the CPU has XSAVE, hence XCR0
 * @tsc_deadline: the local APICs have the TSC deadline timer
 * @phys_bits: width of a guest physical address
 * @power_on: state of the boot CPU and of all others at power-on, taken when
 *            the first of each kind was made; owned
 * @power_on_vm: state of what they share at power-on; owned
 * @away_ns: how long the state that is being loaded lay in a file, as far as
 *           it is to count for the guest's clocks
 */
struct arch_vm {
	struct kvm_cpuid2 *supported;
	u32 *msrs;
	u32 msrs_nr;
	bool msrs_probed;
	u32 xsave_size;
	u32 nested_size;
	bool xcrs;
	bool tsc_deadline;
	u32 phys_bits;
	struct x86_vcpu_state *power_on[2];
	struct x86_vm_state *power_on_vm;
	u64 away_ns;
};

/**
 * struct arch_vcpu - what x86 keeps for a vCPU
 * @powered_on: arch_vcpu_reset() has been called before
 */
struct arch_vcpu {
	bool powered_on;
};

/* An ioctl that must not fail; @what names it in @err. */
int x86_ioctl(int fd, unsigned long request, void *arg, const char *what,
	      struct error *err) __must_check;

int msr_list_read(int kvm_fd, struct arch_vm *arch, struct error *err)
	__must_check;
int msr_list_probe(struct vcpu *vcpu, struct error *err) __must_check;
int msr_get(struct vcpu *vcpu, u32 index, u64 *value, struct error *err)
	__must_check;
int msr_set(struct vcpu *vcpu, u32 index, u64 value, struct error *err)
	__must_check;
int msrs_save(struct vcpu *vcpu, struct x86_vcpu_state *state,
	      struct error *err) __must_check;
int msrs_load(struct vcpu *vcpu, const struct x86_vcpu_state *state,
	      struct error *err) __must_check;

int vcpu_registers_load(struct vcpu *vcpu, const struct x86_vcpu_state *s,
			struct error *err) __must_check;

u32 lapic_read(const u8 *lapic, u32 reg);
void lapic_write(u8 *lapic, u32 reg, u32 value);

void segment_from_kvm(struct x86_segment_state *to,
		      const struct kvm_segment *from);
void segment_to_kvm(struct kvm_segment *to,
		    const struct x86_segment_state *from);

#endif /* LKVM_X86_PRIV_H */
