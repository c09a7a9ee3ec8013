// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the registers of a GICv2 out of KVM and in again
 *
 * The distributor's registers, of which each vCPU has its own for its private
 * interrupts, and those of the CPU interface, all as words at their offsets
 * (arm-vgic.rst). Tables say which, in the order of loading: GICD_IIDR comes
 * first, for KVM takes interrupt groups only from who has shown that he knows
 * its revision; configuration before pending bits.
 *
 * KVM has no way to ask for the level of a line: what is pending because a line
 * is high cannot be told from what is latched, and is loaded as a latch. That
 * is one interrupt which finds its line high as it was, because who drives a
 * line drives it anew when it is loaded. Software generated interrupts have
 * their senders in registers of their own; by GICD_ISPENDR the receiver would
 * become the sender.
 *
 * Context: the main loop's thread, vCPUs parked or not there yet.
 */
#include <linux/kvm.h>

#include "arch/arm64/gic.h"
#include "arch/arm64/gic_regs.h"
#include "vmm/base/math.h"

/* CPU interface: IHI 0048 4.1.3 */
#define GICC_CTLR	0x00
#define GICC_PMR	0x04	/* of which KVM shows the upper five bits */
#define GICC_BPR	0x08
#define GICC_ABPR	0x1c
#define GICC_APR	0xd0

#define SGIS		16

/**
 * struct gicv2_reg - a register, or a row of them
 * @group: KVM_DEV_ARM_VGIC_GRP_*
 * @offset: of the first
 * @clear: what this one sets that one clears; 0: it is written as a whole
 * @field: offset in the state
 * @nr: how many words
 */
struct gicv2_reg {
	u32 group;
	u32 offset;
	u32 clear;
	size_t field;
	u32 nr;
};

#define REG(_type, _group, _offset, _clear, _field)			\
	{								\
		.group = KVM_DEV_ARM_VGIC_GRP_##_group,			\
		.offset = _offset, .clear = _clear,			\
		.field = offsetof(_type, _field),			\
		.nr = sizeof(((_type *)0)->_field) / sizeof(u32),	\
	}
#define SHARED(_offset, _clear, _field)					\
	REG(struct arm64_gicd_state, DIST_REGS, _offset, _clear, _field)
#define PRIVATE(_offset, _clear, _field)				\
	REG(struct arm64_gicv2_cpu_state, DIST_REGS, _offset, _clear, _field)
#define INTERFACE(_offset, _field)					\
	REG(struct arm64_gicv2_cpu_state, CPU_REGS, _offset, 0, _field)

/* Private interrupts have the first words: of a bit, a byte, two bits each. */
#define BITS(_reg)	((_reg) + ARM64_SPI_FIRST / 8)
#define BYTES(_reg)	((_reg) + ARM64_SPI_FIRST)
#define PAIRS(_reg)	((_reg) + ARM64_SPI_FIRST / 4)

static const struct gicv2_reg shared_regs[] = {
	SHARED(GICD_IIDR, 0, iidr),
	SHARED(GICD_CTLR, 0, ctlr),
	SHARED(BITS(GICD_IGROUPR), 0, igroupr),
	SHARED(PAIRS(GICD_ICFGR), 0, icfgr),
	SHARED(BYTES(GICD_IPRIORITYR), 0, ipriorityr),
	SHARED(BYTES(GICD_ITARGETSR), 0, itargetsr),
	SHARED(BITS(GICD_ISENABLER), BITS(GICD_ICENABLER), isenabler),
	SHARED(BITS(GICD_ISPENDR), BITS(GICD_ICPENDR), ispendr),
	SHARED(BITS(GICD_ISACTIVER), BITS(GICD_ICACTIVER), isactiver),
};

static const struct gicv2_reg cpu_regs[] = {
	PRIVATE(GICD_IGROUPR, 0, igroupr),
	PRIVATE(GICD_ICFGR, 0, icfgr),
	PRIVATE(GICD_IPRIORITYR, 0, ipriorityr),
	PRIVATE(GICD_ISENABLER, GICD_ICENABLER, isenabler),
	PRIVATE(GICD_ISPENDR, GICD_ICPENDR, ispendr),
	PRIVATE(GICD_SPENDSGIR, GICD_CPENDSGIR, spendsgir),
	PRIVATE(GICD_ISACTIVER, GICD_ICACTIVER, isactiver),
	INTERFACE(GICC_CTLR, gicc_ctlr),
	INTERFACE(GICC_PMR, gicc_pmr),
	INTERFACE(GICC_BPR, gicc_bpr),
	INTERFACE(GICC_ABPR, gicc_abpr),
	INTERFACE(GICC_APR, gicc_apr),
};

static void move_regs(struct gic_access *a, const struct gicv2_reg *regs,
		      u32 nr, void *state)
{
	u32 i;

	for (i = 0; i < nr; i++) {
		u32 *values = (u32 *)((u8 *)state + regs[i].field);

		a->group = regs[i].group;
		if (regs[i].clear)
			gic_bits_move(a, regs[i].offset, regs[i].clear, values,
				      regs[i].nr);
		else
			gic_words_move(a, regs[i].offset, values, regs[i].nr);
	}
}

/**
 * gicv2_move() - all registers, in one direction
 * @a: the direction
 * @s: where to, or where from; @s->cpus_v2_nr says how many vCPUs
 */
void gicv2_move(struct gic_access *a, struct arm64_vm_state *s)
{
	u32 i;

	a->cpu = 0;
	move_regs(a, shared_regs, ARRAY_SIZE(shared_regs), &s->gicd);
	for (i = 0; i < s->cpus_v2_nr; i++) {
		struct arm64_gicv2_cpu_state cpu = s->cpus_v2[i];

		cpu.ispendr &= ~(u32)(BIT(SGIS) - 1);
		a->cpu = (u64)i << KVM_DEV_ARM_VGIC_CPUID_SHIFT;
		move_regs(a, cpu_regs, ARRAY_SIZE(cpu_regs), &cpu);
		cpu.ispendr &= ~(u32)(BIT(SGIS) - 1);
		if (!a->set)
			s->cpus_v2[i] = cpu;
	}
}
