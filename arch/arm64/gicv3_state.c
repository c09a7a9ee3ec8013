// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the registers of a GICv3 out of KVM and in again
 *
 * KVM takes those of distributor and redistributors as words at their offsets,
 * those of the CPU interface by their names as system registers.
 *
 * Order of loading (arm-vgic-v3.rst): the distributor before the
 * redistributors; in each of those the tables' addresses before GICR_CTLR,
 * whose EnableLPIs freezes them; configuration before levels and pending
 * latches; then the CPU interface.
 *
 * Context: the main loop's thread, vCPUs parked or not there yet.
 */
#include <linux/kvm.h>

#include "arch/arm64/gic.h"
#include "arch/arm64/gic_regs.h"
#include "vmm/base/math.h"

/* Redistributor: 12.11; the second frame is that of private interrupts. */
#define GICR_CTLR	0x0000
#define GICR_STATUSR	0x0010
#define GICR_WAKER	0x0014
#define GICR_PROPBASER	0x0070
#define GICR_PENDBASER	0x0078
#define GICR_SGI	0x10000

/* CPU interface: op0, op1, CRn, CRm, op2 as in an instruction */
#define ICC(_crn, _crm, _op2)						\
	(3 << 14 | 0 << 11 | (_crn) << 7 | (_crm) << 3 | (_op2))
#define ICC_PMR		ICC(4, 6, 0)
#define ICC_BPR0	ICC(12, 8, 3)
#define ICC_AP0R(_n)	ICC(12, 8, 4 + (_n))
#define ICC_AP1R(_n)	ICC(12, 9, _n)
#define ICC_BPR1	ICC(12, 12, 3)
#define ICC_CTLR	ICC(12, 12, 4)
#define ICC_SRE		ICC(12, 12, 5)
#define ICC_IGRPEN0	ICC(12, 12, 6)
#define ICC_IGRPEN1	ICC(12, 12, 7)

#define ICC_CTLR_PRIBITS_SHIFT	8
#define ICC_CTLR_PRIBITS	7

static void word(struct gic_access *a, u32 offset, u32 *value)
{
	gic_words_move(a, offset, value, 1);
}

static void two_words(struct gic_access *a, u32 offset, u64 *value)
{
	u32 half[2] = { (u32)*value, (u32)(*value >> 32) };

	gic_words_move(a, offset, half, 2);
	if (!a->set)
		*value = half[0] | (u64)half[1] << 32;
}

static void levels(struct gic_access *a, u32 first, u32 *values, u32 nr)
{
	u32 group = a->group, i;

	a->group = KVM_DEV_ARM_VGIC_GRP_LEVEL_INFO;
	for (i = 0; i < nr; i++)
		gic_move(a, VGIC_LEVEL_INFO_LINE_LEVEL <<
		     KVM_DEV_ARM_VGIC_LINE_LEVEL_INFO_SHIFT | (first + 32 * i),
		     &values[i], "levels");
	a->group = group;
}

static void move_distributor(struct gic_access *a, struct arm64_gicd_state *s)
{
	u32 i;

	a->group = KVM_DEV_ARM_VGIC_GRP_DIST_REGS;
	/* First: what the others mean may depend on it. */
	word(a, GICD_IIDR, &s->iidr);
	word(a, GICD_CTLR, &s->ctlr);
	word(a, GICD_STATUSR, &s->statusr);
	gic_words_move(a, GICD_IGROUPR + 4, s->igroupr, ARM64_SPI_WORDS);
	gic_words_move(a, GICD_ICFGR + 8, s->icfgr, ARM64_SPI_CONFIGS);
	gic_words_move(a, GICD_IPRIORITYR + 32, s->ipriorityr, ARM64_SPI_PRIORITIES);
	for (i = 0; i < ARM64_SPIS; i++)
		two_words(a, GICD_IROUTER + 8 * (ARM64_SPI_FIRST + i),
			  &s->irouter[i]);
	gic_bits_move(a, GICD_ISENABLER + 4, GICD_ICENABLER + 4, s->isenabler,
		  ARM64_SPI_WORDS);
	levels(a, ARM64_SPI_FIRST, s->level, ARM64_SPI_WORDS);
	gic_words_move(a, GICD_ISPENDR + 4, s->ispendr, ARM64_SPI_WORDS);
	gic_bits_move(a, GICD_ISACTIVER + 4, GICD_ICACTIVER + 4, s->isactiver,
		  ARM64_SPI_WORDS);
}

static void move_redistributor(struct gic_access *a,
			       struct arm64_gic_cpu_state *s)
{
	a->group = KVM_DEV_ARM_VGIC_GRP_REDIST_REGS;
	word(a, GICR_STATUSR, &s->statusr);
	word(a, GICR_WAKER, &s->waker);
	two_words(a, GICR_PROPBASER, &s->propbaser);
	two_words(a, GICR_PENDBASER, &s->pendbaser);
	word(a, GICR_CTLR, &s->ctlr);
	word(a, GICR_SGI + GICD_IGROUPR, &s->igroupr);
	gic_words_move(a, GICR_SGI + GICD_ICFGR, s->icfgr, ARRAY_SIZE(s->icfgr));
	gic_words_move(a, GICR_SGI + GICD_IPRIORITYR, s->ipriorityr,
	      ARRAY_SIZE(s->ipriorityr));
	gic_bits_move(a, GICR_SGI + GICD_ISENABLER, GICR_SGI + GICD_ICENABLER,
		  &s->isenabler, 1);
	levels(a, 0, &s->level, 1);
	word(a, GICR_SGI + GICD_ISPENDR, &s->ispendr);
	gic_bits_move(a, GICR_SGI + GICD_ISACTIVER, GICR_SGI + GICD_ICACTIVER,
		  &s->isactiver, 1);
}

/* How many registers of active priorities there are (IHI 0069 4.8.4). */
static u32 active_priorities(u64 ctlr)
{
	u32 bits = (ctlr >> ICC_CTLR_PRIBITS_SHIFT & ICC_CTLR_PRIBITS) + 1;

	return bits >= 7 ? 4 : bits == 6 ? 2 : 1;
}

static void move_interface(struct gic_access *a, struct arm64_gic_cpu_state *s)
{
	u32 i, nr;

	a->group = KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS;
	gic_move(a, ICC_SRE, &s->icc_sre, "ICC_SRE_EL1");
	gic_move(a, ICC_CTLR, &s->icc_ctlr, "ICC_CTLR_EL1");
	gic_move(a, ICC_IGRPEN0, &s->icc_igrpen0, "ICC_IGRPEN0_EL1");
	gic_move(a, ICC_IGRPEN1, &s->icc_igrpen1, "ICC_IGRPEN1_EL1");
	gic_move(a, ICC_PMR, &s->icc_pmr, "ICC_PMR_EL1");
	gic_move(a, ICC_BPR0, &s->icc_bpr0, "ICC_BPR0_EL1");
	gic_move(a, ICC_BPR1, &s->icc_bpr1, "ICC_BPR1_EL1");
	nr = active_priorities(s->icc_ctlr);
	for (i = 0; i < nr; i++)
		gic_move(a, ICC_AP0R(i), &s->icc_ap0r[i], "ICC_AP0R_EL1");
	for (i = 0; i < nr; i++)
		gic_move(a, ICC_AP1R(i), &s->icc_ap1r[i], "ICC_AP1R_EL1");
}

/* KVM names a vCPU by its affinity, in 32 bits. */
static u64 cpu_attr(u64 mpidr)
{
	return ((mpidr >> 8 & 0xff000000) | (mpidr & 0xffffff)) <<
	       KVM_DEV_ARM_VGIC_V3_MPIDR_SHIFT;
}

/**
 * gicv3_move() - all registers, in one direction
 * @a: the direction
 * @s: where to, or where from; @s->cpus says which vCPUs
 */
void gicv3_move(struct gic_access *a, struct arm64_vm_state *s)
{
	u32 i;

	move_distributor(a, &s->gicd);
	for (i = 0; i < s->cpus_nr; i++) {
		a->cpu = cpu_attr(s->cpus[i].mpidr);
		move_redistributor(a, &s->cpus[i]);
		move_interface(a, &s->cpus[i]);
	}
}
