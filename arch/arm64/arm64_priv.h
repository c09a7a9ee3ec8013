/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: what the files of arch/arm64 share
 *
 * What is kept for a machine and for a vCPU, and the functions by which
 * power-on, saved state, the interrupt controller and the boot loader reach
 * each other.
 */
#ifndef LKVM_ARM64_PRIV_H
#define LKVM_ARM64_PRIV_H

#include <linux/kvm.h>

#include "arch/arm64/gic.h"
#include "arch/arm64/state.h"
#include "vmm/base/error.h"
#include "vmm/base/types.h"

struct arm64_options;
struct vcpu;
struct vm;

/* Registers that this code itself speaks of: Arm ARM D19 */
#define REG_CORE(_field)						\
	(KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE |		\
	 KVM_REG_ARM_CORE_REG(_field))
#define REG_X(_n)		(REG_CORE(regs.regs[0]) + 2 * (_n))
#define REG_PC			REG_CORE(regs.pc)
#define REG_SP			REG_CORE(regs.sp)
#define REG_PSTATE		REG_CORE(regs.pstate)
#define REG_SP_EL1		REG_CORE(sp_el1)
#define REG_ELR_EL1		REG_CORE(elr_el1)
#define REG_MPIDR		ARM64_SYS_REG(3, 0, 0, 0, 5)
#define REG_SCTLR		ARM64_SYS_REG(3, 0, 1, 0, 0)
#define REG_TTBR0		ARM64_SYS_REG(3, 0, 2, 0, 0)
#define REG_TTBR1		ARM64_SYS_REG(3, 0, 2, 0, 1)
#define REG_TCR			ARM64_SYS_REG(3, 0, 2, 0, 2)
#define REG_ESR			ARM64_SYS_REG(3, 0, 5, 2, 0)
#define REG_FAR			ARM64_SYS_REG(3, 0, 6, 0, 0)
#define REG_VBAR		ARM64_SYS_REG(3, 0, 12, 0, 0)

/* The affinity fields of MPIDR_EL1, without those bits that say other things. */
#define MPIDR_AFFINITY		0xff00ffffffULL

/**
 * struct arch_vm - what arm64 keeps for a machine
 * @options: what it was told; no choice is open when arch_vm_init() is through
 * @own_options: @options, when nobody else has them; owned
 * @gic: the interrupt controller that the machine has
 * @gic_fd: KVM's
 * @its_fd: its Interrupt Translation Service, -1 when it has none
 * @v2m: its frame for messages, if it has one
 * @initialized: the interrupt controller has been told that it is complete
 * @ipa_bits: width of a guest physical address
 * @cpu_target: the kind of CPU, as KVM_ARM_VCPU_INIT wants it
 * @cpu_features: bits of KVM_ARM_VCPU_*, the same for each vCPU
 * @settle_ret: why the interrupt controller's tables could not be put into
 *              guest memory, 0 for success
 * @settle_err: the same as a text
 * @power_on: the interrupt controller at power-on; owned
 * @away_ticks: how long the state that is being loaded lay in a file, in ticks
 *              of the counter, as far as it is to count
 */
struct arch_vm {
	struct arm64_options *options;
	struct arm64_options *own_options;
	enum gic_kind gic;
	int gic_fd;
	int its_fd;
	struct v2m v2m;
	bool initialized;
	u32 ipa_bits;
	u32 cpu_target;
	u32 cpu_features;
	int settle_ret;
	struct error settle_err;
	struct arm64_vm_state *power_on;
	u64 away_ticks;
};

/**
 * struct arch_vcpu - what arm64 keeps for a vCPU
 * @mpidr: its affinity, which is its name for the interrupt controller
 * @regs: ids of all registers that KVM has, in KVM's order; owned
 */
struct arch_vcpu {
	u64 mpidr;
	struct kvm_reg_list *regs;
};

/* machine.c: an ioctl that must not fail; @what names it in @err. */
int arm64_ioctl(int fd, unsigned long request, void *arg, const char *what,
		struct error *err) __must_check;
u64 arm64_ram_end(const struct vm *vm);

/* features.c */
int features_choose(struct vm *vm, struct error *err) __must_check;
u32 sve_limit(u64 *lengths, u32 max_bits);
int sve_init(struct vcpu *vcpu, struct error *err) __must_check;

/* pmu.c */
int pmu_init(struct vm *vm, struct error *err) __must_check;

/* vcpu.c */
u64 arm64_counter_hz(void);

/* regs.c */
int regs_list(struct vcpu *vcpu, struct error *err) __must_check;
int reg_get(struct vcpu *vcpu, u64 id, u64 *value, struct error *err)
	__must_check;
int reg_set(struct vcpu *vcpu, u64 id, u64 value, struct error *err)
	__must_check;
int reg_refuse(u32 index, u64 id, u64 guest, u64 host, int ret,
	       struct error *err);
int regs_save(struct vcpu *vcpu, struct arm64_vcpu_state *s,
	      struct error *err) __must_check;
int regs_load(struct vcpu *vcpu, const struct arm64_vcpu_state *s,
	      struct error *err) __must_check;

/* reg_names.c */
void reg_name(u64 id, char *buf, size_t len);
u32 reg_features(u64 id, u64 more, u64 less, char *buf, size_t len);

/* mmu.c */
bool mmu_translate(struct vcpu *vcpu, u64 linear, u64 *physical);

#endif /* LKVM_ARM64_PRIV_H */
