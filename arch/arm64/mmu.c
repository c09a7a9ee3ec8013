// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the guest's page tables, for debuggers
 *
 * A walk of the stage 1 tables at EL1 and EL0 with pages of 4, 16 or 64 KiB
 * and addresses of up to 48 bits, as Linux has them. Descriptors are read from
 * the guest's memory and may be anything.
 *
 * Specification: Arm ARM (DDI 0487) D8.3.
 *
 * What it does not do: permissions; linear addresses of 52 bits.
 *
 * Context: the main loop's thread, the vCPU parked.
 */
#include "arch/arm64/arm64_priv.h"
#include "vmm/base/math.h"
#include "vmm/guest_memory.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

#define SCTLR_MMU		BIT_ULL(0)
#define TCR_T0SZ_SHIFT		0
#define TCR_TG0_SHIFT		14
#define TCR_T1SZ_SHIFT		16
#define TCR_TG1_SHIFT		30
#define TCR_SIZE		0x3f
#define TCR_GRANULE		3
#define UPPER_HALF		BIT_ULL(55)
#define ADDRESS			0x0000ffffffffffffULL
#define ENTRY_VALID		BIT_ULL(0)
#define ENTRY_TABLE		BIT_ULL(1)

/**
 * struct tables - what one half of the address space is translated by
 * @base: the first table
 * @bits: of a linear address
 * @page_shift: size of a page; 0: none that we know
 */
struct tables {
	u64 base;
	u32 bits;
	u32 page_shift;
};

static int tables_of(struct vcpu *vcpu, u64 linear, struct tables *t)
{
	/* TG0 and TG1 number the sizes of pages in different ways. */
	static const u32 shift0[] = { 12, 16, 14, 0 };
	static const u32 shift1[] = { 0, 14, 12, 16 };
	bool upper = linear & UPPER_HALF;
	struct error err = ERROR_INIT;
	u64 tcr, sctlr;
	u32 size;

	if (reg_get(vcpu, REG_SCTLR, &sctlr, &err) ||
	    reg_get(vcpu, REG_TCR, &tcr, &err) ||
	    reg_get(vcpu, upper ? REG_TTBR1 : REG_TTBR0, &t->base, &err) ||
	    !(sctlr & SCTLR_MMU))
		return -ENOENT;
	size = tcr >> (upper ? TCR_T1SZ_SHIFT : TCR_T0SZ_SHIFT) & TCR_SIZE;
	t->bits = 64 - size;
	t->page_shift = upper ? shift1[tcr >> TCR_TG1_SHIFT & TCR_GRANULE] :
				shift0[tcr >> TCR_TG0_SHIFT & TCR_GRANULE];
	/* Bit 0 is CnP, the ASID is above. */
	t->base &= ADDRESS & ~1ULL;
	return t->page_shift && t->bits > t->page_shift && t->bits <= 48 ?
		0 : -ENOENT;
}

static bool fits_half(u64 linear, u32 bits)
{
	u64 top = (linear & ADDRESS) >> bits << bits;

	return top == (linear & UPPER_HALF ? ADDRESS >> bits << bits : 0);
}

/**
 * mmu_translate() - where a linear address is in physical memory
 * @vcpu: a parked vCPU
 * @linear: as its kernel uses it
 * @physical: out
 *
 * Return: false when it is not mapped.
 */
bool mmu_translate(struct vcpu *vcpu, u64 linear, u64 *physical)
{
	struct guest_gate gate;
	struct tables t;
	u32 bits, shift;
	u64 entry;
	__le64 raw;

	if (tables_of(vcpu, linear, &t) || !fits_half(linear, t.bits))
		return false;
	guest_gate_init(&gate, &vcpu->vm->memory);
	bits = t.page_shift - 3;
	shift = t.page_shift + (t.bits - t.page_shift - 1) / bits * bits;
	for (;; shift -= bits) {
		u32 width = min_of(bits, t.bits - shift);
		u64 index = linear >> shift & (BIT_ULL(width) - 1);

		if (guest_read(&gate, gpa(t.base + index * sizeof(raw)), &raw,
			       sizeof(raw)))
			return false;
		entry = le64_to_cpu(raw);
		if (!(entry & ENTRY_VALID))
			return false;
		if (shift == t.page_shift || !(entry & ENTRY_TABLE))
			break;
		t.base = (entry & ADDRESS) >> t.page_shift << t.page_shift;
	}
	*physical = ((entry & ADDRESS) >> shift << shift) |
		    (linear & (BIT_ULL(shift) - 1));
	return true;
}
