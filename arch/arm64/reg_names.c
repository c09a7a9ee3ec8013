// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: what registers and features are called, for messages
 *
 * The registers that identify a CPU consist of fields of four bits, each of
 * which stands for a feature: the greater, the more there is of it. The names
 * are those of the Arm ARM, which Linux uses, too (arch/arm64/tools/sysreg).
 *
 * Specification: Arm ARM (DDI 0487) D19.2. Data and pure functions; any thread.
 */
#include <stdio.h>
#include <string.h>

#include "arch/arm64/arm64_priv.h"
#include "arch/arm64/options.h"
#include "vmm/base/math.h"

/**
 * struct id_field - a feature
 * @id: register
 * @name: what it is called
 * @shift: lowest bit of its field
 * @is_signed: 15 stands for -1: even less than 0
 */
struct id_field {
	u64 id;
	const char *name;
	u8 shift;
	bool is_signed;
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

#define FIELD(_reg, _shift, _name)	{ _reg, #_name, _shift, false }
#define SIGNED(_reg, _shift, _name)	{ _reg, #_name, _shift, true }

static const struct id_field id_fields[] = {
	FIELD(PFR0, 0, EL0), FIELD(PFR0, 4, EL1), FIELD(PFR0, 8, EL2),
	FIELD(PFR0, 12, EL3), SIGNED(PFR0, 16, FP),
	SIGNED(PFR0, 20, AdvSIMD), FIELD(PFR0, 24, GIC),
	FIELD(PFR0, 28, RAS), FIELD(PFR0, 32, SVE), FIELD(PFR0, 36, SEL2),
	FIELD(PFR0, 40, MPAM), FIELD(PFR0, 44, AMU), FIELD(PFR0, 48, DIT),
	FIELD(PFR0, 52, RME), FIELD(PFR0, 56, CSV2), FIELD(PFR0, 60, CSV3),
	FIELD(PFR1, 0, BT), FIELD(PFR1, 4, SSBS), FIELD(PFR1, 8, MTE),
	FIELD(PFR1, 12, RAS_frac), FIELD(PFR1, 16, MPAM_frac),
	FIELD(PFR1, 24, SME), FIELD(PFR1, 28, RNDR_trap),
	FIELD(PFR1, 32, CSV2_frac), FIELD(PFR1, 36, NMI),
	FIELD(ZFR0, 0, SVEver), FIELD(ZFR0, 4, AES),
	FIELD(ZFR0, 16, BitPerm), FIELD(ZFR0, 20, BF16),
	FIELD(ZFR0, 32, SHA3), FIELD(ZFR0, 40, SM4), FIELD(ZFR0, 44, I8MM),
	FIELD(ZFR0, 52, F32MM), FIELD(ZFR0, 56, F64MM),
	FIELD(DFR0, 0, DebugVer), FIELD(DFR0, 4, TraceVer),
	FIELD(DFR0, 8, PMUVer), FIELD(DFR0, 12, BRPs), FIELD(DFR0, 20, WRPs),
	FIELD(DFR0, 28, CTX_CMPs), FIELD(DFR0, 32, PMSVer),
	SIGNED(DFR0, 36, DoubleLock), FIELD(DFR0, 40, TraceFilt),
	FIELD(DFR0, 44, TraceBuffer), FIELD(DFR0, 48, MTPMU),
	FIELD(DFR0, 52, BRBE), FIELD(DFR0, 60, HPMN0),
	FIELD(ISAR0, 4, AES), FIELD(ISAR0, 8, SHA1), FIELD(ISAR0, 12, SHA2),
	FIELD(ISAR0, 16, CRC32), FIELD(ISAR0, 20, ATOMIC),
	FIELD(ISAR0, 24, TME), FIELD(ISAR0, 28, RDM), FIELD(ISAR0, 32, SHA3),
	FIELD(ISAR0, 36, SM3), FIELD(ISAR0, 40, SM4), FIELD(ISAR0, 44, DP),
	FIELD(ISAR0, 48, FHM), FIELD(ISAR0, 52, TS), FIELD(ISAR0, 56, TLB),
	FIELD(ISAR0, 60, RNDR),
	FIELD(ISAR1, 0, DPB), FIELD(ISAR1, 4, APA), FIELD(ISAR1, 8, API),
	FIELD(ISAR1, 12, JSCVT), FIELD(ISAR1, 16, FCMA),
	FIELD(ISAR1, 20, LRCPC), FIELD(ISAR1, 24, GPA),
	FIELD(ISAR1, 28, GPI), FIELD(ISAR1, 32, FRINTTS),
	FIELD(ISAR1, 36, SB), FIELD(ISAR1, 40, SPECRES),
	FIELD(ISAR1, 44, BF16), FIELD(ISAR1, 48, DGH),
	FIELD(ISAR1, 52, I8MM), FIELD(ISAR1, 56, XS), FIELD(ISAR1, 60, LS64),
	FIELD(ISAR2, 0, WFxT), FIELD(ISAR2, 4, RPRES), FIELD(ISAR2, 8, GPA3),
	FIELD(ISAR2, 12, APA3), FIELD(ISAR2, 16, MOPS), FIELD(ISAR2, 20, BC),
	FIELD(ISAR2, 24, PAC_frac), FIELD(ISAR2, 28, CLRBHB),
	FIELD(ISAR2, 48, RPRFM), FIELD(ISAR2, 52, CSSC),
	FIELD(MMFR0, 0, PARANGE), FIELD(MMFR0, 4, ASIDBITS),
	FIELD(MMFR0, 8, BIGEND), FIELD(MMFR0, 12, SNSMEM),
	FIELD(MMFR0, 16, BIGENDEL0), FIELD(MMFR0, 20, TGRAN16),
	SIGNED(MMFR0, 24, TGRAN64), SIGNED(MMFR0, 28, TGRAN4),
	FIELD(MMFR0, 32, TGRAN16_2), FIELD(MMFR0, 36, TGRAN64_2),
	FIELD(MMFR0, 40, TGRAN4_2), FIELD(MMFR0, 44, EXS),
	FIELD(MMFR0, 56, FGT), FIELD(MMFR0, 60, ECV),
	FIELD(MMFR1, 0, HAFDBS), FIELD(MMFR1, 4, VMIDBits),
	FIELD(MMFR1, 8, VH), FIELD(MMFR1, 12, HPDS), FIELD(MMFR1, 16, LO),
	FIELD(MMFR1, 20, PAN), FIELD(MMFR1, 24, SpecSEI),
	FIELD(MMFR1, 28, XNX), FIELD(MMFR1, 32, TWED), FIELD(MMFR1, 36, ETS),
	FIELD(MMFR1, 40, HCX), FIELD(MMFR1, 44, AFP),
	FIELD(MMFR1, 48, nTLBPA), FIELD(MMFR1, 52, TIDCP1),
	FIELD(MMFR1, 56, CMOW), FIELD(MMFR1, 60, ECBHB),
	FIELD(MMFR2, 0, CnP), FIELD(MMFR2, 4, UAO), FIELD(MMFR2, 8, LSM),
	FIELD(MMFR2, 12, IESB), FIELD(MMFR2, 16, VARange),
	FIELD(MMFR2, 20, CCIDX), FIELD(MMFR2, 24, NV), FIELD(MMFR2, 28, ST),
	FIELD(MMFR2, 32, AT), FIELD(MMFR2, 36, IDS), FIELD(MMFR2, 40, FWB),
	FIELD(MMFR2, 48, TTL), FIELD(MMFR2, 52, BBM), FIELD(MMFR2, 56, EVT),
	FIELD(MMFR2, 60, E0PD),
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

/* Appends to a list with commas between. */
static void add_name(char *buf, size_t len, const char *name)
{
	size_t n = strlen(buf);

	snprintf(buf + n, len - n, "%s%s", n ? ", " : "", name);
}

static int field_value(const struct id_field *f, u64 value)
{
	int v = value >> f->shift & 0xf;

	return f->is_signed && v > 7 ? v - 16 : v;
}

static u32 vector_lengths(u64 more, u64 less, char *buf, size_t len)
{
	char name[32];
	u32 i, nr = 0;

	for (i = 0; i < ARM64_SVE_BITS_MAX / ARM64_SVE_BITS_MIN; i++) {
		if (!(more & ~less & BIT_ULL(i)))
			continue;
		snprintf(name, sizeof(name), "SVE vectors of %u bits",
			 (i + 1) * ARM64_SVE_BITS_MIN);
		add_name(buf, len, name);
		nr++;
	}
	return nr;
}

/**
 * reg_features() - what one CPU has more of than another
 * @id: a register
 * @more: its value in the one
 * @less: its value in the other
 * @buf: filled with the names of the features, with commas between
 * @len: its size
 *
 * Return: how many there are; 0 also when the register is not one that names
 * features.
 */
u32 reg_features(u64 id, u64 more, u64 less, char *buf, size_t len)
{
	u32 nr = 0;
	size_t i;

	*buf = '\0';
	if (id == KVM_REG_ARM64_SVE_VLS)
		return vector_lengths(more, less, buf, len);
	for (i = 0; i < ARRAY_SIZE(id_fields); i++) {
		const struct id_field *f = &id_fields[i];

		if (f->id != id || field_value(f, more) <= field_value(f, less))
			continue;
		add_name(buf, len, f->name);
		nr++;
	}
	return nr;
}
