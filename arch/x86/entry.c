// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the boot CPU's registers at a kernel's entry point
 *
 * 64-bit: long mode with the tables of linux64.c, RSI = boot_params. PVH: 32
 * bit, protected mode without paging, EBX = start info. Interrupts are off in
 * both. The task register has to hold something valid, or VMX would not enter
 * the guest. Everything else stays as at power-on.
 */
#include <string.h>

#include "arch/x86/boot_priv.h"
#include "arch/x86/layout.h"
#include "arch/x86/x86_priv.h"
#include "vmm/vcpu.h"

#define CR0_PE		BIT_ULL(0)
#define CR0_ET		BIT_ULL(4)
#define CR0_PG		BIT_ULL(31)
#define CR4_PAE		BIT_ULL(5)
#define EFER_LME	BIT_ULL(8)
#define EFER_LMA	BIT_ULL(10)
#define RFLAGS_FIXED	BIT_ULL(1)

#define BOOT_CS		0x10
#define BOOT_DS		0x18
#define BOOT_TSS	0x20
#define GDT_LIMIT	0x2f
#define TSS_LIMIT	0x67

static const struct kvm_segment code64 = {
	.limit = 0xffffffff, .selector = BOOT_CS, .type = 0xb, .present = 1,
	.s = 1, .l = 1, .g = 1,
};

static const struct kvm_segment code32 = {
	.limit = 0xffffffff, .selector = BOOT_CS, .type = 0xb, .present = 1,
	.s = 1, .db = 1, .g = 1,
};

static const struct kvm_segment data = {
	.limit = 0xffffffff, .selector = BOOT_DS, .type = 0x3, .present = 1,
	.s = 1, .db = 1, .g = 1,
};

static const struct kvm_segment tss = {
	.limit = TSS_LIMIT, .selector = BOOT_TSS, .type = 0xb, .present = 1,
};

static void segments_set(struct kvm_sregs2 *s, const struct kvm_segment *code)
{
	s->cs = *code;
	s->ds = data;
	s->es = data;
	s->fs = data;
	s->gs = data;
	s->ss = data;
	s->tr = tss;
}

static void linux64_sregs(struct kvm_sregs2 *s)
{
	segments_set(s, &code64);
	s->gdt = (struct kvm_dtable){ .base = X86_GDT_BASE,
				      .limit = GDT_LIMIT };
	s->idt = (struct kvm_dtable){ 0 };
	s->cr3 = X86_PAGE_TABLES_BASE;
	s->cr4 = CR4_PAE;
	s->cr0 = CR0_PE | CR0_ET | CR0_PG;
	s->efer = EFER_LME | EFER_LMA;
}

static void pvh_sregs(struct kvm_sregs2 *s)
{
	segments_set(s, &code32);
	s->cr4 = 0;
	s->cr0 = CR0_PE | CR0_ET;
	s->efer = 0;
}

/**
 * entry_set() - point the boot CPU at a kernel
 * @vcpu: the boot CPU, reset and parked
 * @kernel: the kernel in memory
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int entry_set(struct vcpu *vcpu, const struct kernel_image *kernel,
	      struct error *err)
{
	struct kvm_regs regs = { .rip = kernel->entry, .rflags = RFLAGS_FIXED };
	struct kvm_sregs2 sregs = { 0 };
	int ret;

	ret = x86_ioctl(vcpu->fd, KVM_GET_SREGS2, &sregs, "KVM_GET_SREGS2",
			err);
	if (ret)
		return ret;
	if (kernel->protocol == BOOT_PVH) {
		pvh_sregs(&sregs);
		regs.rbx = X86_PVH_BASE;
	} else {
		linux64_sregs(&sregs);
		regs.rsi = X86_ZERO_PAGE_BASE;
		regs.rsp = X86_BOOT_STACK;
	}
	ret = x86_ioctl(vcpu->fd, KVM_SET_SREGS2, &sregs, "KVM_SET_SREGS2",
			err);
	if (!ret)
		ret = x86_ioctl(vcpu->fd, KVM_SET_REGS, &regs, "KVM_SET_REGS",
				err);
	return ret;
}
