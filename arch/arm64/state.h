/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: the state of an arm64 vCPU and of the machine around it
 *
 * Plain structs that arch/arm64/state.c describes as tables (vmm/state.h). The
 * registers of a vCPU are those that KVM lists, by KVM's ids, which name the
 * architecture's registers; the interrupt controller's are those of the GIC
 * architecture, by name.
 */
#ifndef LKVM_ARM64_STATE_H
#define LKVM_ARM64_STATE_H

#include "arch/arm64/layout.h"
#include "vmm/base/types.h"
#include "vmm/vm.h"

#define ARM64_REGS_MAX		2048
/* SVE with vectors of 2048 bits takes 9 KiB of it. */
#define ARM64_REG_BYTES_MAX	32768

/**
 * struct arm64_vcpu_state - all of a vCPU
 * @mp_state: KVM_MP_STATE_*
 * @serror_pending: a system error waits
 * @serror_has_esr: @serror_esr holds
 * @ext_dabt_pending: an external abort waits
 * @reserved: always 0
 * @serror_esr: syndrome of the system error
 * @regs_nr: how many @regs
 * @values_size: bytes in use of @values
 * @regs: ids of the registers (KVM-API 4.68), in the order in which they are
 *        loaded
 * @values: the registers one behind the other, each of the size that its id
 *          says, little-endian
 */
struct arm64_vcpu_state {
	u32 mp_state;
	u8 serror_pending;
	u8 serror_has_esr;
	u8 ext_dabt_pending;
	u8 reserved;
	u64 serror_esr;
	u32 regs_nr;
	u32 values_size;
	u64 regs[ARM64_REGS_MAX];
	u8 values[ARM64_REG_BYTES_MAX];
};

/* Words of one bit, bytes and two bits for each shared interrupt. */
#define ARM64_SPIS		(ARM64_GIC_IRQS - ARM64_SPI_FIRST)
#define ARM64_SPI_WORDS		(ARM64_SPIS / 32)
#define ARM64_SPI_PRIORITIES	(ARM64_SPIS / 4)
#define ARM64_SPI_CONFIGS	(ARM64_SPIS / 16)

/* Most vCPUs of a GICv2. */
#define ARM64_GICV2_CPUS	8

/**
 * struct arm64_gicd_state - the distributor (IHI 0069 12.9, IHI 0048 4.3)
 * @ctlr: GICD_CTLR
 * @statusr: GICD_STATUSR
 * @iidr: GICD_IIDR, which revision of KVM's it is
 * @reserved: always 0
 * @igroupr: GICD_IGROUPR of the shared interrupts, and so on
 * @isenabler: enabled
 * @ispendr: pending latches
 * @isactiver: active
 * @level: levels of the lines (KVM_DEV_ARM_VGIC_GRP_LEVEL_INFO)
 * @ipriorityr: priorities
 * @icfgr: level or edge
 * @irouter: GICD_IROUTER, of a GICv3
 * @itargetsr: GICD_ITARGETSR, of a GICv2
 */
struct arm64_gicd_state {
	u32 ctlr;
	u32 statusr;
	u32 iidr;
	u32 reserved;
	u32 igroupr[ARM64_SPI_WORDS];
	u32 isenabler[ARM64_SPI_WORDS];
	u32 ispendr[ARM64_SPI_WORDS];
	u32 isactiver[ARM64_SPI_WORDS];
	u32 level[ARM64_SPI_WORDS];
	u32 ipriorityr[ARM64_SPI_PRIORITIES];
	u32 icfgr[ARM64_SPI_CONFIGS];
	u64 irouter[ARM64_SPIS];
	u32 itargetsr[ARM64_SPI_PRIORITIES];
};

/**
 * struct arm64_gic_cpu_state - a redistributor and the CPU interface behind it
 * @mpidr: affinity of the vCPU
 * @propbaser: GICR_PROPBASER
 * @pendbaser: GICR_PENDBASER
 * @ctlr: GICR_CTLR
 * @statusr: GICR_STATUSR
 * @waker: GICR_WAKER
 * @igroupr: GICR_IGROUPR0
 * @isenabler: GICR_ISENABLER0
 * @ispendr: GICR_ISPENDR0
 * @isactiver: GICR_ISACTIVER0
 * @level: levels of the private lines
 * @ipriorityr: GICR_IPRIORITYR
 * @icfgr: GICR_ICFGR
 * @reserved: always 0
 * @icc_sre: ICC_SRE_EL1 ...
 * @icc_ctlr: ...
 * @icc_pmr: ...
 * @icc_bpr0: ...
 * @icc_bpr1: ...
 * @icc_igrpen0: ...
 * @icc_igrpen1: ...
 * @icc_ap0r: ICC_AP0Rn_EL1, those that there are
 * @icc_ap1r: ICC_AP1Rn_EL1, those that there are
 */
struct arm64_gic_cpu_state {
	u64 mpidr;
	u64 propbaser;
	u64 pendbaser;
	u32 ctlr;
	u32 statusr;
	u32 waker;
	u32 igroupr;
	u32 isenabler;
	u32 ispendr;
	u32 isactiver;
	u32 level;
	u32 ipriorityr[8];
	u32 icfgr[2];
	u64 icc_sre;
	u64 icc_ctlr;
	u64 icc_pmr;
	u64 icc_bpr0;
	u64 icc_bpr1;
	u64 icc_igrpen0;
	u64 icc_igrpen1;
	u64 icc_ap0r[4];
	u64 icc_ap1r[4];
};

/**
 * struct arm64_gicv2_cpu_state - a vCPU's part of a GICv2
 * @igroupr: GICD_IGROUPR of the private interrupts, and so on
 * @isenabler: enabled
 * @ispendr: pending; of software generated ones @spendsgir says it
 * @isactiver: active
 * @ipriorityr: priorities
 * @icfgr: level or edge
 * @spendsgir: GICD_SPENDSGIR, who has sent the software generated ones
 * @gicc_ctlr: GICC_CTLR
 * @gicc_pmr: GICC_PMR, its upper five bits
 * @gicc_bpr: GICC_BPR
 * @gicc_abpr: GICC_ABPR
 * @gicc_apr: active priorities (arm-vgic.rst)
 */
struct arm64_gicv2_cpu_state {
	u32 igroupr;
	u32 isenabler;
	u32 ispendr;
	u32 isactiver;
	u32 ipriorityr[8];
	u32 icfgr[2];
	u32 spendsgir[4];
	u32 gicc_ctlr;
	u32 gicc_pmr;
	u32 gicc_bpr;
	u32 gicc_abpr;
	u32 gicc_apr[4];
};

/**
 * struct arm64_its_state - the Interrupt Translation Service (IHI 0069 12.18)
 * @present: the machine has one
 * @ctlr: GITS_CTLR
 * @iidr: GITS_IIDR, which tells the layout of the tables in memory
 * @cbaser: GITS_CBASER
 * @cwriter: GITS_CWRITER
 * @creadr: GITS_CREADR
 * @baser: GITS_BASER
 */
struct arm64_its_state {
	u64 present;
	u64 ctlr;
	u64 iidr;
	u64 cbaser;
	u64 cwriter;
	u64 creadr;
	u64 baser[8];
};

/**
 * struct arm64_vm_state - what vCPUs share
 * @clock_realtime_ns: the host's wall clock when it was saved
 * @counter_hz: frequency of the system counter
 * @gicd: the distributor
 * @its: the Interrupt Translation Service
 * @cpus_nr: how many @cpus
 * @reserved: always 0
 * @cpus: each vCPU's part of a GICv3
 * @cpus_v2_nr: how many @cpus_v2
 * @reserved_v2: always 0
 * @cpus_v2: each vCPU's part of a GICv2
 */
struct arm64_vm_state {
	u64 clock_realtime_ns;
	u64 counter_hz;
	struct arm64_gicd_state gicd;
	struct arm64_its_state its;
	u32 cpus_nr;
	u32 reserved;
	struct arm64_gic_cpu_state cpus[VM_CPUS_MAX];
	u32 cpus_v2_nr;
	u32 reserved_v2;
	struct arm64_gicv2_cpu_state cpus_v2[ARM64_GICV2_CPUS];
};

#endif /* LKVM_ARM64_STATE_H */
