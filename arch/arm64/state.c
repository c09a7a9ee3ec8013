// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the tables that describe arm64's state
 *
 * What the structs of arch/arm64/state.h hold, as vmm/state.h wants it: names
 * of the properties, ranges. Data only; vcpu_state.c, vm_state.c and
 * gic_state.c move it out of KVM and in again.
 */
#include <linux/kvm.h>

#include "arch/arm64/state.h"
#include "vmm/arch.h"
#include "vmm/state.h"

#define U64_MAX_VALUE	UINT64_MAX
#define U32_MAX_VALUE	UINT32_MAX

#define VCPU	struct arm64_vcpu_state
#define FLAG(_member, _name)	STATE_U8(VCPU, _member, _name, 0, 1)

static const struct state_field vcpu_fields[] = {
	STATE_U32(VCPU, mp_state, "mp-state", 0, KVM_MP_STATE_STOPPED),
	FLAG(serror_pending, "serror-pending"),
	FLAG(serror_has_esr, "serror-has-esr"),
	FLAG(ext_dabt_pending, "external-abort-pending"),
	STATE_U8(VCPU, reserved, "reserved", 0, 0),
	STATE_U64(VCPU, serror_esr, "serror-esr", 0, U64_MAX_VALUE),
	STATE_INTS_COUNTED(STATE_KIND_U64, VCPU, regs, regs_nr, "register-ids",
			   0, U64_MAX_VALUE),
	STATE_BYTES_COUNTED(VCPU, values, values_size, "register-values"),
};

static const struct state_desc vcpu_desc =
	STATE_DESC("lkvm,arm64-vcpu-v1", VCPU, vcpu_fields);

#define GICD	struct arm64_gicd_state
#define GICD_REG(_name)	STATE_U32(GICD, _name, #_name, 0, U32_MAX_VALUE)
#define GICD_REGS(_name)						\
	STATE_INTS(STATE_KIND_U32, GICD, _name, #_name, 0, U32_MAX_VALUE)

static const struct state_field gicd_fields[] = {
	GICD_REG(ctlr), GICD_REG(statusr), GICD_REG(iidr),
	STATE_U32(GICD, reserved, "reserved", 0, 0),
	GICD_REGS(igroupr), GICD_REGS(isenabler), GICD_REGS(ispendr),
	GICD_REGS(isactiver), GICD_REGS(level), GICD_REGS(ipriorityr),
	GICD_REGS(icfgr),
	STATE_INTS(STATE_KIND_U64, GICD, irouter, "irouter", 0, U64_MAX_VALUE),
	{
		/* Images from before there was a GICv2 have none. */
		.name = "itargetsr", .kind = STATE_KIND_U32,
		.offset = offsetof(GICD, itargetsr),
		.capacity = ARRAY_SIZE(((GICD *)0)->itargetsr),
		.count_offset = STATE_NO_COUNT,
		.max = U32_MAX_VALUE, .optional = true,
	},
};

static const struct state_desc gicd_desc =
	STATE_DESC("lkvm,arm64-gicd-v1", GICD, gicd_fields);

#define GIC_CPU	struct arm64_gic_cpu_state
#define GICR_REG(_name)	STATE_U32(GIC_CPU, _name, #_name, 0, U32_MAX_VALUE)
#define GICR_LONG(_name)	STATE_U64(GIC_CPU, _name, #_name, 0, U64_MAX_VALUE)
#define ICC_REG(_member, _name)						\
	STATE_U64(GIC_CPU, _member, _name, 0, U64_MAX_VALUE)
#define ICC_REGS(_member, _name)					\
	STATE_INTS(STATE_KIND_U64, GIC_CPU, _member, _name, 0, U64_MAX_VALUE)

static const struct state_field gic_cpu_fields[] = {
	GICR_LONG(mpidr), GICR_LONG(propbaser), GICR_LONG(pendbaser),
	GICR_REG(ctlr), GICR_REG(statusr), GICR_REG(waker), GICR_REG(igroupr),
	GICR_REG(isenabler), GICR_REG(ispendr), GICR_REG(isactiver),
	GICR_REG(level),
	STATE_INTS(STATE_KIND_U32, GIC_CPU, ipriorityr, "ipriorityr", 0,
		   U32_MAX_VALUE),
	STATE_INTS(STATE_KIND_U32, GIC_CPU, icfgr, "icfgr", 0, U32_MAX_VALUE),
	ICC_REG(icc_sre, "icc-sre"),
	ICC_REG(icc_ctlr, "icc-ctlr"),
	ICC_REG(icc_pmr, "icc-pmr"),
	ICC_REG(icc_bpr0, "icc-bpr0"),
	ICC_REG(icc_bpr1, "icc-bpr1"),
	ICC_REG(icc_igrpen0, "icc-igrpen0"),
	ICC_REG(icc_igrpen1, "icc-igrpen1"),
	ICC_REGS(icc_ap0r, "icc-ap0r"),
	ICC_REGS(icc_ap1r, "icc-ap1r"),
};

static const struct state_desc gic_cpu_desc =
	STATE_DESC("lkvm,arm64-gic-cpu-v1", GIC_CPU, gic_cpu_fields);

#define V2_CPU	struct arm64_gicv2_cpu_state
#define V2_REG(_member, _name)						\
	STATE_U32(V2_CPU, _member, _name, 0, U32_MAX_VALUE)
#define V2_REGS(_member, _name)						\
	STATE_INTS(STATE_KIND_U32, V2_CPU, _member, _name, 0, U32_MAX_VALUE)

static const struct state_field gicv2_cpu_fields[] = {
	V2_REG(igroupr, "igroupr"),
	V2_REG(isenabler, "isenabler"),
	V2_REG(ispendr, "ispendr"),
	V2_REG(isactiver, "isactiver"),
	V2_REGS(ipriorityr, "ipriorityr"),
	V2_REGS(icfgr, "icfgr"),
	V2_REGS(spendsgir, "spendsgir"),
	V2_REG(gicc_ctlr, "gicc-ctlr"),
	V2_REG(gicc_pmr, "gicc-pmr"),
	V2_REG(gicc_bpr, "gicc-bpr"),
	V2_REG(gicc_abpr, "gicc-abpr"),
	V2_REGS(gicc_apr, "gicc-apr"),
};

static const struct state_desc gicv2_cpu_desc =
	STATE_DESC("lkvm,arm64-gic-cpu-v2-v1", V2_CPU, gicv2_cpu_fields);

#define ITS	struct arm64_its_state
#define ITS_REG(_name)	STATE_U64(ITS, _name, #_name, 0, U64_MAX_VALUE)

static const struct state_field its_fields[] = {
	STATE_U64(ITS, present, "present", 0, 1),
	ITS_REG(ctlr), ITS_REG(iidr), ITS_REG(cbaser), ITS_REG(cwriter),
	ITS_REG(creadr),
	STATE_INTS(STATE_KIND_U64, ITS, baser, "baser", 0, U64_MAX_VALUE),
};

static const struct state_desc its_desc =
	STATE_DESC("lkvm,arm64-its-v1", ITS, its_fields);

#define MACHINE	struct arm64_vm_state

static const struct state_field vm_fields[] = {
	STATE_U64(MACHINE, clock_realtime_ns, "clock-realtime-ns", 0,
		  INT64_MAX),
	STATE_U64(MACHINE, counter_hz, "counter-hz", 1, U32_MAX_VALUE),
	STATE_STRUCT(MACHINE, gicd, "gicd", &gicd_desc),
	STATE_STRUCT(MACHINE, its, "its", &its_desc),
	STATE_U32(MACHINE, reserved, "reserved", 0, 0),
	STATE_STRUCTS(MACHINE, cpus, cpus_nr, "gic-cpu", &gic_cpu_desc),
	{
		.name = "reserved-v2", .kind = STATE_KIND_U32,
		.offset = offsetof(MACHINE, reserved_v2), .capacity = 1,
		.count_offset = STATE_NO_COUNT, .optional = true,
	},
	STATE_STRUCTS(MACHINE, cpus_v2, cpus_v2_nr, "gic-cpu-v2",
		      &gicv2_cpu_desc),
};

static const struct state_desc vm_desc =
	STATE_DESC("lkvm,arm64-vm-v1", MACHINE, vm_fields);

/**
 * arch_vcpu_state() - the table of a vCPU's state
 *
 * Return: of struct arm64_vcpu_state.
 */
const struct state_desc *arch_vcpu_state(void)
{
	return &vcpu_desc;
}

/**
 * arch_vm_state() - the table of the machine's own state
 *
 * Return: of struct arm64_vm_state.
 */
const struct state_desc *arch_vm_state(void)
{
	return &vm_desc;
}
