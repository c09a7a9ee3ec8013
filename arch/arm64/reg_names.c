// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: what registers and features are called, for messages
 *
 * The registers that identify a CPU consist of fields of four bits, each of
 * which stands for a feature; 0 means that it is not there (in those of
 * floating point and vectors, 15 does).
 *
 * Specification: Arm ARM (DDI 0487) D19.2. Data and pure functions; any thread.
 */
#include <stdio.h>

#include "arch/arm64/arm64_priv.h"

/**
 * struct id_field - a feature
 * @id: register
 * @shift: lowest bit of its field
 * @name: what it is called
 */
struct id_field {
	u64 id;
	u32 shift;
	const char *name;
};

#define PFR0	ARM64_SYS_REG(3, 0, 0, 4, 0)
#define PFR1	ARM64_SYS_REG(3, 0, 0, 4, 1)
#define ZFR0	ARM64_SYS_REG(3, 0, 0, 4, 4)
#define DFR0	ARM64_SYS_REG(3, 0, 0, 5, 0)
#define ISAR0	ARM64_SYS_REG(3, 0, 0, 6, 0)
#define ISAR1	ARM64_SYS_REG(3, 0, 0, 6, 1)
#define ISAR2	ARM64_SYS_REG(3, 0, 0, 6, 2)
#define MMFR0	ARM64_SYS_REG(3, 0, 0, 7, 0)
#define MMFR1	ARM64_SYS_REG(3, 0, 0, 7, 1)
#define MMFR2	ARM64_SYS_REG(3, 0, 0, 7, 2)

static const struct id_field id_fields[] = {
	{ PFR0, 0, "EL0 in 32 bits" }, { PFR0, 16, "FP" },
	{ PFR0, 20, "AdvSIMD" }, { PFR0, 24, "GICv3 registers" },
	{ PFR0, 28, "RAS" }, { PFR0, 32, "SVE" }, { PFR0, 44, "AMU" },
	{ PFR0, 48, "DIT" }, { PFR0, 56, "CSV2" }, { PFR0, 60, "CSV3" },
	{ PFR1, 0, "BTI" }, { PFR1, 4, "SSBS" }, { PFR1, 8, "MTE" },
	{ PFR1, 24, "SME" },
	{ ZFR0, 0, "SVE2" }, { ZFR0, 4, "SVE AES" }, { ZFR0, 16, "SVE BitPerm" },
	{ ZFR0, 20, "SVE BF16" }, { ZFR0, 32, "SVE SHA3" },
	{ ZFR0, 40, "SVE SM4" }, { ZFR0, 44, "SVE I8MM" },
	{ ZFR0, 52, "SVE F32MM" }, { ZFR0, 56, "SVE F64MM" },
	{ DFR0, 0, "debug architecture" }, { DFR0, 8, "PMU" },
	{ DFR0, 12, "breakpoints" }, { DFR0, 20, "watchpoints" },
	{ ISAR0, 4, "AES" }, { ISAR0, 8, "SHA1" }, { ISAR0, 12, "SHA2" },
	{ ISAR0, 16, "CRC32" }, { ISAR0, 20, "atomics" }, { ISAR0, 28, "RDM" },
	{ ISAR0, 32, "SHA3" }, { ISAR0, 36, "SM3" }, { ISAR0, 40, "SM4" },
	{ ISAR0, 44, "dot product" }, { ISAR0, 48, "FHM" },
	{ ISAR0, 52, "flag manipulation" }, { ISAR0, 56, "TLB ranges" },
	{ ISAR0, 60, "random numbers" },
	{ ISAR1, 0, "DC CVAP" }, { ISAR1, 4, "pointer authentication" },
	{ ISAR1, 8, "pointer authentication" }, { ISAR1, 12, "JSCVT" },
	{ ISAR1, 16, "FCMA" }, { ISAR1, 20, "LRCPC" },
	{ ISAR1, 24, "pointer authentication" },
	{ ISAR1, 28, "pointer authentication" }, { ISAR1, 32, "FRINTTS" },
	{ ISAR1, 36, "SB" }, { ISAR1, 40, "SPECRES" }, { ISAR1, 44, "BF16" },
	{ ISAR1, 48, "DGH" }, { ISAR1, 52, "I8MM" },
	{ ISAR2, 0, "WFxT" }, { ISAR2, 4, "RPRES" },
	{ ISAR2, 8, "pointer authentication" },
	{ ISAR2, 12, "pointer authentication" }, { ISAR2, 16, "MOPS" },
	{ MMFR0, 0, "physical addresses" }, { MMFR0, 4, "ASIDs of 16 bits" },
	{ MMFR0, 20, "pages of 16 KiB" }, { MMFR0, 24, "pages of 64 KiB" },
	{ MMFR0, 28, "pages of 4 KiB" }, { MMFR0, 60, "ECV" },
	{ MMFR1, 0, "hardware access flag" }, { MMFR1, 4, "VMIDs of 16 bits" },
	{ MMFR1, 12, "HPDS" }, { MMFR1, 20, "PAN" }, { MMFR1, 28, "XNX" },
	{ MMFR2, 0, "CnP" }, { MMFR2, 4, "UAO" },
	{ MMFR2, 16, "linear addresses of 52 bits" }, { MMFR2, 24, "NV" },
	{ MMFR2, 28, "unaligned atomics" }, { MMFR2, 52, "BBM" },
	{ MMFR2, 60, "E0PD" },
};

/**
 * struct named - a register with a name
 * @id: register
 * @name: what it is called
 */
struct named {
	u64 id;
	const char *name;
};

static const struct named names[] = {
	{ REG_PC, "PC" }, { REG_SP, "SP_EL0" }, { REG_PSTATE, "PSTATE" },
	{ REG_MPIDR, "MPIDR_EL1" },
	{ ARM64_SYS_REG(3, 0, 0, 0, 0), "MIDR_EL1" },
	{ ARM64_SYS_REG(3, 0, 0, 0, 6), "REVIDR_EL1" },
	{ PFR0, "ID_AA64PFR0_EL1" }, { PFR1, "ID_AA64PFR1_EL1" },
	{ ZFR0, "ID_AA64ZFR0_EL1" }, { DFR0, "ID_AA64DFR0_EL1" },
	{ ISAR0, "ID_AA64ISAR0_EL1" }, { ISAR1, "ID_AA64ISAR1_EL1" },
	{ ISAR2, "ID_AA64ISAR2_EL1" }, { MMFR0, "ID_AA64MMFR0_EL1" },
	{ MMFR1, "ID_AA64MMFR1_EL1" }, { MMFR2, "ID_AA64MMFR2_EL1" },
	{ KVM_REG_ARM_PSCI_VERSION, "PSCI version" },
	{ KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_1, "Spectre v2 workaround" },
	{ KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_2, "Spectre v4 workaround" },
	{ KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_3, "Spectre BHB workaround" },
	{ KVM_REG_ARM64_SVE_VLS, "SVE vector lengths" },
	{ KVM_REG_ARM_TIMER_CNT, "CNTVCT_EL0" },
	{ KVM_REG_ARM_TIMER_CTL, "CNTV_CTL_EL0" },
	{ KVM_REG_ARM_TIMER_CVAL, "CNTV_CVAL_EL0" },
};

#define SYSREG_PART(_id, _part)						\
	((u32)(((_id) & KVM_REG_ARM64_SYSREG_##_part##_MASK) >>		\
	       KVM_REG_ARM64_SYSREG_##_part##_SHIFT))

/**
 * reg_name() - what a register is called
 * @id: the register, maybe one that does not exist
 * @buf: filled
 * @len: its size
 */
void reg_name(u64 id, char *buf, size_t len)
{
	u64 kind = id & KVM_REG_ARM_COPROC_MASK;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (names[i].id != id)
			continue;
		snprintf(buf, len, "%s", names[i].name);
		return;
	}
	if (kind == KVM_REG_ARM64_SYSREG)
		snprintf(buf, len, "S%u_%u_C%u_C%u_%u", SYSREG_PART(id, OP0),
			 SYSREG_PART(id, OP1), SYSREG_PART(id, CRN),
			 SYSREG_PART(id, CRM), SYSREG_PART(id, OP2));
	else if (kind == KVM_REG_ARM64_SVE)
		snprintf(buf, len, "SVE 0x%llx", id);
	else
		snprintf(buf, len, "0x%llx", id);
}

/**
 * reg_feature_missing() - in which feature two CPUs differ
 * @id: a register
 * @wanted: its value in the guest
 * @here: its value on this host
 * @buf: filled with the feature's name
 * @len: its size
 *
 * Return: false when the register is not one that names features, or when the
 * difference has no name.
 */
bool reg_feature_missing(u64 id, u64 wanted, u64 here, char *buf, size_t len)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(id_fields); i++) {
		const struct id_field *f = &id_fields[i];

		if (f->id != id ||
		    (wanted >> f->shift & 0xf) == (here >> f->shift & 0xf))
			continue;
		snprintf(buf, len, "%s", f->name);
		return true;
	}
	return false;
}
