// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: what x86-64 puts into a core file for debuggers
 *
 * The registers as the note NT_PRSTATUS has them, and whether a Linux kernel is
 * the one that a vCPU runs.
 *
 * Specification: System V ABI, AMD64 supplement, and Linux's struct
 * elf_prstatus and user_regs_struct, whose layout is part of the kernel's
 * interface; page tables: SDM vol. 3, 4.5.
 *
 * Context: the main loop's thread, the vCPU parked.
 */
#include <string.h>

#include "arch/x86/x86_priv.h"
#include "vmm/arch.h"
#include "vmm/base/math.h"
#include "vmm/guest_memory.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"
#include "vmm/vmcoreinfo.h"

/* In the order of user_regs_struct; orig_rax is -1 outside system calls. */
struct core_regs {
	u64 r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8;
	u64 rax, rcx, rdx, rsi, rdi, orig_rax;
	u64 rip, cs, eflags, rsp, ss, fs_base, gs_base, ds, es, fs, gs;
};

/**
 * struct core_prstatus - NT_PRSTATUS
 * @siginfo: no signal
 * @cursig: no signal
 * @sigpend: none
 * @sighold: none
 * @pid: the thread: a debugger shows a thread for each vCPU
 * @ids: parent, process group, session
 * @times: processor times
 * @regs: registers
 * @fpvalid: there is no note with floating-point registers
 */
struct core_prstatus {
	u32 siginfo[3];
	u32 cursig;
	u64 sigpend;
	u64 sighold;
	u32 pid;
	u32 ids[3];
	u64 times[8];
	struct core_regs regs;
	u64 fpvalid;
};

static_assert(sizeof(struct core_regs) == 27 * 8, "layout");
static_assert(sizeof(struct core_prstatus) == 336, "layout");
static_assert(offsetof(struct core_prstatus, pid) == 32, "layout");
static_assert(offsetof(struct core_prstatus, regs) == 112, "layout");
static_assert(sizeof(struct core_prstatus) <= ARCH_PRSTATUS_MAX, "room");

#define REG(_name)	._name = r->_name
#define SELECTOR(_name)	._name = s->_name.selector

static void fill_regs(struct core_regs *regs, const struct kvm_regs *r,
		      const struct kvm_sregs2 *s)
{
	*regs = (struct core_regs){
		REG(r15), REG(r14), REG(r13), REG(r12), REG(rbp), REG(rbx),
		REG(r11), REG(r10), REG(r9), REG(r8), REG(rax), REG(rcx),
		REG(rdx), REG(rsi), REG(rdi), .orig_rax = ~0ULL,
		REG(rip), SELECTOR(cs), .eflags = r->rflags, REG(rsp),
		SELECTOR(ss), .fs_base = s->fs.base, .gs_base = s->gs.base,
		SELECTOR(ds), SELECTOR(es), SELECTOR(fs), SELECTOR(gs),
	};
}

/**
 * arch_vcpu_prstatus() - a vCPU's registers for a core file
 * @vcpu: a parked vCPU
 * @note: filled, ARCH_PRSTATUS_MAX bytes or more
 * @len: out: bytes of it
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int arch_vcpu_prstatus(struct vcpu *vcpu, void *note, u32 *len,
		       struct error *err)
{
	struct core_prstatus status = { .pid = vcpu->index + 1 };
	struct kvm_sregs2 sregs;
	struct kvm_regs regs;
	int ret;

	ret = x86_ioctl(vcpu->fd, KVM_GET_REGS, &regs, "KVM_GET_REGS", err);
	if (!ret)
		ret = x86_ioctl(vcpu->fd, KVM_GET_SREGS2, &sregs,
				"KVM_GET_SREGS2", err);
	if (ret)
		return ret;
	fill_regs(&status.regs, &regs, &sregs);
	memcpy(note, &status, sizeof(status));
	*len = sizeof(status);
	return 0;
}

/* ---- the kernel that runs ----------------------------------------------- */

#define CR0_PG		BIT_ULL(31)
#define CR4_LA57	BIT_ULL(12)
#define EFER_LMA	BIT_ULL(10)
#define TABLE_ADDR	0x000ffffffffff000ULL
#define ENTRY_PRESENT	BIT_ULL(0)
#define ENTRY_LARGE	BIT_ULL(7)
#define LARGEST_SHIFT	30

/*
 * A process's own table of two, with the kernel left out, is the page behind
 * the other one (Linux: page table isolation).
 */
#define USER_TABLE	BIT_ULL(12)

/* Linux maps its image here, less where it is: __START_KERNEL_map. */
#define KERNEL_MAP	0xffffffff80000000ULL
#define KERNEL_MAP_END	0xffffffffc0000000ULL	/* modules follow */
#define IMAGE_STEP	(2 * MIB)
#define IMAGE_MAX	(512 * MIB)

static bool translate(struct vm *vm, u64 table, u32 levels, u64 linear,
		      u64 *physical)
{
	u32 shift = 12 + 9 * (levels - 1);
	struct guest_gate gate;
	__le64 raw;
	u64 entry;

	guest_gate_init(&gate, &vm->memory);
	for (;; shift -= 9) {
		u64 at = table + (linear >> shift & 511) * sizeof(raw);

		if (guest_read(&gate, gpa(at), &raw, sizeof(raw)))
			return false;
		entry = le64_to_cpu(raw);
		if (!(entry & ENTRY_PRESENT))
			return false;
		if (shift == 12 ||
		    (shift <= LARGEST_SHIFT && entry & ENTRY_LARGE))
			break;
		table = entry & TABLE_ADDR;
	}
	*physical = (entry & TABLE_ADDR & ~(BIT_ULL(shift) - 1)) |
		(linear & (BIT_ULL(shift) - 1));
	return true;
}

/*
 * What belongs to the image is mapped with one distance to physical memory, but
 * for the gaps between its sections.
 */
static u64 image_size(struct vm *vm, u64 table, u32 levels,
		      const struct arch_kernel *kernel)
{
	u64 size = 0, at, step;

	for (step = 0; step < IMAGE_MAX &&
	     kernel->linear + step < KERNEL_MAP_END; step += IMAGE_STEP)
		if (translate(vm, table, levels, kernel->linear + step, &at) &&
		    at == kernel->physical + step)
			size = step + IMAGE_STEP;
	return size;
}

/**
 * arch_vcpu_runs_kernel() - is this the kernel that a vCPU runs?
 * @vcpu: a parked vCPU
 * @info: what a kernel says of itself
 * @kernel: out: where it is, if it is
 *
 * It is when the vCPU's page tables have the kernel's text where that kernel
 * says that it is.
 *
 * Return: true when it is.
 */
bool arch_vcpu_runs_kernel(struct vcpu *vcpu, const struct vmcoreinfo *info,
			   struct arch_kernel *kernel)
{
	struct error err = ERROR_INIT;
	u64 text, base, at, table;
	struct kvm_sregs2 s;
	u32 levels;

	if (vmcoreinfo_number(info, "SYMBOL(_stext)", 16, &text) ||
	    vmcoreinfo_number(info, "NUMBER(phys_base)", 10, &base) ||
	    x86_ioctl(vcpu->fd, KVM_GET_SREGS2, &s, "KVM_GET_SREGS2", &err))
		return false;
	if (!(s.cr0 & CR0_PG) || !(s.efer & EFER_LMA))
		return false;
	levels = s.cr4 & CR4_LA57 ? 5 : 4;
	table = s.cr3 & TABLE_ADDR;
	if (!translate(vcpu->vm, table, levels, text, &at)) {
		table &= ~USER_TABLE;
		if (!translate(vcpu->vm, table, levels, text, &at))
			return false;
	}
	if (at != text - KERNEL_MAP + base)
		return false;
	kernel->linear = round_down_to(text, IMAGE_STEP);
	kernel->physical = at - (text - kernel->linear);
	kernel->size = image_size(vcpu->vm, table, levels, kernel);
	return true;
}
