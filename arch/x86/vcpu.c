// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: an x86 vCPU: making it, power-on, exits that only x86 has
 *
 * CPUID comes first, because KVM lets a vCPU's other properties depend on it.
 * Power-on is what KVM makes of a new vCPU plus what firmware would have done:
 * memory is write-back by default (MTRR), fast string operations are on, the
 * local APIC passes on the 8259A's interrupts and NMIs. All vCPUs but the
 * first wait for an INIT.
 *
 * The state at power-on is read back from the first vCPU and from the second,
 * once, and installed again at each later reset: so nothing that KVM keeps
 * for a vCPU can be forgotten, whatever the host's Linux.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "arch/x86/cpuid.h"
#include "arch/x86/layout.h"
#include "arch/x86/state.h"
#include "arch/x86/x86_priv.h"
#include "vmm/arch.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

#define MCG_CTL_P		BIT_ULL(8)
#define MISC_ENABLE_FAST_STRING	BIT_ULL(0)
#define MTRR_ENABLE		BIT_ULL(11)
#define MTRR_TYPE_WRITE_BACK	6

#define LAPIC_ID		0x20
#define LAPIC_ID_SHIFT		24
#define LAPIC_LVT_LINT0		0x350
#define LAPIC_LVT_LINT1		0x360
#define LVT_NMI			(4u << 8)
#define LVT_EXTINT		(7u << 8)
#define MSI_DEST_SHIFT		12

static int init_cpuid(struct vcpu *vcpu, struct error *err)
{
	const struct arch_vm *arch = vcpu->vm->arch;
	int khz = ioctl(vcpu->fd, KVM_GET_TSC_KHZ, 0);
	struct cpuid_params params = {
		.apic_id = vcpu->index,
		.cores = vcpu->vm->config.cpus,
		.tsc_deadline = arch->tsc_deadline,
		.tsc_khz = khz > 0 ? (u32)khz : 0,
	};
	struct kvm_cpuid2 *table;
	int ret;

	ret = cpuid_make(arch->supported, &params, &table, err);
	if (ret)
		return ret;
	ret = x86_ioctl(vcpu->fd, KVM_SET_CPUID2, table, "KVM_SET_CPUID2", err);
	free(table);
	return ret;
}

/* As many banks as real machines have; KVM would offer 32. */
static int init_machine_check(struct vcpu *vcpu, struct error *err)
{
	u64 cap = 0;

	if (ioctl(vcpu->vm->kvm_fd, KVM_X86_GET_MCE_CAP_SUPPORTED, &cap) < 0)
		return 0;
	cap = X86_MCE_BANKS | (cap & MCG_CTL_P);
	return x86_ioctl(vcpu->fd, KVM_X86_SETUP_MCE, &cap,
			 "KVM_X86_SETUP_MCE", err);
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
	ret = init_cpuid(vcpu, err);
	if (!ret)
		ret = init_machine_check(vcpu, err);
	if (ret)
		arch_vcpu_destroy(vcpu);
	return ret;
}

/**
 * arch_vcpu_destroy() - free what arch_vcpu_init() made
 * @vcpu: the vCPU
 */
void arch_vcpu_destroy(struct vcpu *vcpu)
{
	free(vcpu->arch);
	vcpu->arch = NULL;
}

/**
 * arch_vcpu_started() - a vCPU has got its thread
 * @vcpu: the vCPU, parked
 * @err: not touched
 *
 * It may run wherever the process may.
 *
 * Return: 0.
 */
int arch_vcpu_started(struct vcpu *vcpu, struct error *err)
{
	return 0;
}

static int firmware_msrs(struct vcpu *vcpu, struct error *err)
{
	u64 misc;
	int ret;

	ret = msr_get(vcpu, MSR_MISC_ENABLE, &misc, err);
	if (!ret)
		ret = msr_set(vcpu, MSR_MISC_ENABLE,
			      misc | MISC_ENABLE_FAST_STRING, err);
	if (!ret)
		ret = msr_set(vcpu, MSR_MTRR_DEF_TYPE,
			      MTRR_ENABLE | MTRR_TYPE_WRITE_BACK, err);
	return ret;
}

static int firmware_lapic(struct vcpu *vcpu, struct error *err)
{
	struct kvm_lapic_state lapic;
	int ret;

	ret = x86_ioctl(vcpu->fd, KVM_GET_LAPIC, &lapic, "KVM_GET_LAPIC", err);
	if (ret)
		return ret;
	lapic_write((u8 *)lapic.regs, LAPIC_LVT_LINT0, LVT_EXTINT);
	lapic_write((u8 *)lapic.regs, LAPIC_LVT_LINT1, LVT_NMI);
	return x86_ioctl(vcpu->fd, KVM_SET_LAPIC, &lapic, "KVM_SET_LAPIC", err);
}

/* Forgets what differs from one vCPU to the next: time. */
static void forget_time(struct x86_vcpu_state *s)
{
	u32 i;

	for (i = 0; i < s->msrs_nr; i++)
		if (s->msrs[i].index == MSR_TSC ||
		    s->msrs[i].index == MSR_TSC_DEADLINE)
			s->msrs[i].value = 0;
}

static int remember_power_on(struct vcpu *vcpu, struct error *err)
{
	struct x86_vcpu_state **slot = &vcpu->vm->arch->power_on[!!vcpu->index];
	struct x86_vcpu_state *s;
	int ret;

	if (*slot)
		return 0;
	ret = msr_list_probe(vcpu, err);
	if (ret)
		return ret;
	s = calloc(1, sizeof(*s));
	if (!s)
		return error_set(err, -ENOMEM, "out of memory");
	ret = arch_vcpu_save(vcpu, s, err);
	if (ret) {
		free(s);
		return ret;
	}
	forget_time(s);
	*slot = s;
	return 0;
}

static int power_on(struct vcpu *vcpu, struct error *err)
{
	int ret;

	ret = firmware_msrs(vcpu, err);
	if (!ret)
		ret = firmware_lapic(vcpu, err);
	if (!ret)
		ret = remember_power_on(vcpu, err);
	if (!ret)
		vcpu->arch->powered_on = true;
	return ret;
}

/**
 * arch_vcpu_reset() - power-on state
 * @vcpu: a vCPU that has not run yet, or a parked one
 * @err: filled on failure
 *
 * A TSC that is set to 0 goes on in step with the other vCPUs': KVM takes 0
 * as a wish to be synchronized.
 *
 * Return: 0 or a negative errno.
 */
int arch_vcpu_reset(struct vcpu *vcpu, struct error *err)
{
	struct x86_vcpu_state *s = vcpu->vm->arch->power_on[!!vcpu->index];
	int ret;

	if (vcpu->arch->powered_on) {
		lapic_write(s->lapic, LAPIC_ID, vcpu->index << LAPIC_ID_SHIFT);
		ret = vcpu_registers_load(vcpu, s, err);
	} else {
		ret = power_on(vcpu, err);
	}
	if (ret)
		error_prefix(err, "vCPU %u", vcpu->index);
	return ret;
}

/**
 * arch_vcpu_resume() - a vCPU runs on after a pause
 * @vcpu: a parked vCPU
 *
 * Sets the flag in its kvmclock page that says so (KVM-API 4.70). One without
 * kvmclock, or that has not run yet, is refused, which is no loss.
 */
void arch_vcpu_resume(struct vcpu *vcpu)
{
	ioctl(vcpu->fd, KVM_KVMCLOCK_CTRL, 0);
}

static u64 guest_rip(struct vcpu *vcpu)
{
	struct kvm_regs regs = { 0 };

	return ioctl(vcpu->fd, KVM_GET_REGS, &regs) < 0 ? 0 : regs.rip;
}

static int internal_error(struct vcpu *vcpu, struct error *err)
{
	const struct kvm_run *run = vcpu->run;
	char bytes[3 * sizeof(run->emulation_failure.insn_bytes) + 1] = "";
	u32 i, n = 0;
	size_t at = 0;

	if (run->internal.suberror != KVM_INTERNAL_ERROR_EMULATION)
		return error_set(err, -EIO,
				 "vCPU %u: KVM internal error %u at rip 0x%llx",
				 vcpu->index, run->internal.suberror,
				 guest_rip(vcpu));
	if (run->emulation_failure.ndata >= 1 &&
	    run->emulation_failure.flags &
	    KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES)
		n = run->emulation_failure.insn_size;
	if (n > sizeof(run->emulation_failure.insn_bytes))
		n = sizeof(run->emulation_failure.insn_bytes);
	for (i = 0; i < n; i++)
		at += (size_t)snprintf(bytes + at, sizeof(bytes) - at, " %02x",
				       run->emulation_failure.insn_bytes[i]);
	return error_set(err, -EIO,
			 "vCPU %u: KVM cannot emulate the instruction at rip 0x%llx%s%s",
			 vcpu->index, guest_rip(vcpu), n ? ":" : "", bytes);
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
	case KVM_EXIT_IRQ_WINDOW_OPEN:
	case KVM_EXIT_SET_TPR:
		return 0;
	case KVM_EXIT_INTERNAL_ERROR:
		return internal_error(vcpu, err);
	case KVM_EXIT_FAIL_ENTRY:
		return error_set(err, -EIO,
				 "vCPU %u: the CPU refuses to enter the guest: hardware reason 0x%llx at rip 0x%llx",
				 vcpu->index,
				 run->fail_entry.hardware_entry_failure_reason,
				 guest_rip(vcpu));
	case KVM_EXIT_UNKNOWN:
		return error_set(err, -EIO,
				 "vCPU %u: unknown hardware exit 0x%llx at rip 0x%llx",
				 vcpu->index, run->hw.hardware_exit_reason,
				 guest_rip(vcpu));
	default:
		return error_set(err, -EIO,
				 "vCPU %u: KVM exit %u is not expected at rip 0x%llx",
				 vcpu->index, run->exit_reason,
				 guest_rip(vcpu));
	}
}

/**
 * arch_vcpu_nmi() - a non-maskable interrupt
 * @vcpu: which vCPU
 * @err: filled on failure
 *
 * As a message with delivery mode NMI and not by KVM_NMI, which would wait
 * until the vCPU leaves KVM_RUN: an idle one never does.
 *
 * Context: any thread; the vCPU may run.
 * Return: 0 or a negative errno.
 */
int arch_vcpu_nmi(struct vcpu *vcpu, struct error *err)
{
	struct kvm_msi msi = {
		.address_lo = X86_LAPIC_BASE | vcpu->index << MSI_DEST_SHIFT,
		.data = LVT_NMI,
	};

	return x86_ioctl(vcpu->vm->vm_fd, KVM_SIGNAL_MSI, &msi,
			 "KVM_SIGNAL_MSI", err);
}
