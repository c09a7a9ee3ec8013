// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: what arm64 puts into a core file for debuggers
 *
 * The registers as the note NT_PRSTATUS has them, and whether a Linux kernel is
 * the one that a vCPU runs.
 *
 * Specification: Linux's struct elf_prstatus and user_pt_regs, whose layout is
 * part of the kernel's interface.
 *
 * Context: the main loop's thread, the vCPU parked.
 */
#include <string.h>

#include "arch/arm64/arm64_priv.h"
#include "vmm/arch.h"
#include "vmm/base/math.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"
#include "vmm/vmcoreinfo.h"

#define GENERAL_REGS	31
#define PSTATE_EL	0xc
#define PSTATE_EL1	0x4

/* Linux maps its image here, with a step of its largest small page. */
#define IMAGE_STEP	(64 * KIB)
#define IMAGE_MAX	(256 * MIB)

/**
 * struct core_prstatus - NT_PRSTATUS
 * @siginfo: no signal
 * @cursig: no signal
 * @sigpend: none
 * @sighold: none
 * @pid: the thread: a debugger shows a thread for each vCPU
 * @ids: parent, process group, session
 * @times: processor times
 * @x: x0 to x30
 * @sp: stack pointer in use
 * @pc: program counter
 * @pstate: processor state
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
	u64 x[GENERAL_REGS];
	u64 sp;
	u64 pc;
	u64 pstate;
	u64 fpvalid;
};

static_assert(offsetof(struct core_prstatus, pid) == 32, "layout");
static_assert(offsetof(struct core_prstatus, x) == 112, "layout");
static_assert(sizeof(struct core_prstatus) == 392, "layout");
static_assert(sizeof(struct core_prstatus) <= ARCH_PRSTATUS_MAX, "room");

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
	u32 i;
	int ret = 0;

	for (i = 0; !ret && i < GENERAL_REGS; i++)
		ret = reg_get(vcpu, REG_X(i), &status.x[i], err);
	if (!ret)
		ret = reg_get(vcpu, REG_PC, &status.pc, err);
	if (!ret)
		ret = reg_get(vcpu, REG_PSTATE, &status.pstate, err);
	if (!ret)
		ret = reg_get(vcpu, (status.pstate & PSTATE_EL) == PSTATE_EL1 ?
			      REG_SP_EL1 : REG_SP, &status.sp, err);
	if (ret)
		return ret;
	memcpy(note, &status, sizeof(status));
	*len = sizeof(status);
	return 0;
}

/* What belongs to the image is mapped with one distance, but for gaps. */
static u64 image_size(struct vcpu *vcpu, const struct arch_kernel *kernel)
{
	u64 size = 0, step, at;

	for (step = 0; step < IMAGE_MAX; step += IMAGE_STEP)
		if (mmu_translate(vcpu, kernel->linear + step, &at) &&
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
	u64 text, offset, at;

	if (vmcoreinfo_number(info, "SYMBOL(_stext)", 16, &text) ||
	    vmcoreinfo_number(info, "NUMBER(kimage_voffset)", 16, &offset) ||
	    !mmu_translate(vcpu, text, &at) || at != text - offset)
		return false;
	kernel->linear = text;
	kernel->physical = at;
	kernel->size = image_size(vcpu, kernel);
	return kernel->size;
}
