// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the tables that describe x86's state
 *
 * What the structs of arch/x86/state.h hold, as vmm/state.h wants it: names of
 * the properties, ranges. Data only; vcpu_state.c and vm_state.c move it out
 * of KVM and in again.
 */
#include <linux/kvm.h>

#include "arch/x86/state.h"
#include "vmm/arch.h"
#include "vmm/state.h"

#define U64_MAX_VALUE	UINT64_MAX
#define U32_MAX_VALUE	UINT32_MAX

#define REG(_name)							\
	STATE_U64(struct kvm_regs, _name, #_name, 0, U64_MAX_VALUE)

static const struct state_field regs_fields[] = {
	REG(rax), REG(rbx), REG(rcx), REG(rdx), REG(rsi), REG(rdi),
	REG(rsp), REG(rbp), REG(r8), REG(r9), REG(r10), REG(r11),
	REG(r12), REG(r13), REG(r14), REG(r15), REG(rip), REG(rflags),
};

static const struct state_desc regs_desc =
	STATE_DESC("lkvm,x86-regs-v1", struct kvm_regs, regs_fields);

static const struct state_field segment_fields[] = {
	STATE_U64(struct x86_segment_state, base, "base", 0, U64_MAX_VALUE),
	STATE_U32(struct x86_segment_state, limit, "limit", 0, U32_MAX_VALUE),
	STATE_U32(struct x86_segment_state, rights, "rights", 0,
		  X86_SEGMENT_RIGHTS_MAX),
	STATE_U64(struct x86_segment_state, selector, "selector", 0,
		  UINT16_MAX),
};

static const struct state_desc segment_desc =
	STATE_DESC("lkvm,x86-segment-v1", struct x86_segment_state,
		   segment_fields);

#define SEGMENT(_name)							\
	STATE_STRUCT(struct x86_sregs_state, _name, #_name, &segment_desc)
#define SREG(_member, _name, _max)					\
	STATE_U64(struct x86_sregs_state, _member, _name, 0, _max)

static const struct state_field sregs_fields[] = {
	SEGMENT(cs), SEGMENT(ds), SEGMENT(es), SEGMENT(fs), SEGMENT(gs),
	SEGMENT(ss), SEGMENT(tr), SEGMENT(ldt),
	SREG(gdt_base, "gdt-base", U64_MAX_VALUE),
	SREG(gdt_limit, "gdt-limit", UINT16_MAX),
	SREG(idt_base, "idt-base", U64_MAX_VALUE),
	SREG(idt_limit, "idt-limit", UINT16_MAX),
	SREG(cr0, "cr0", U32_MAX_VALUE),
	SREG(cr2, "cr2", U64_MAX_VALUE),
	SREG(cr3, "cr3", U64_MAX_VALUE),
	SREG(cr4, "cr4", U64_MAX_VALUE),
	SREG(cr8, "cr8", 15),
	SREG(efer, "efer", U64_MAX_VALUE),
	SREG(apic_base, "apic-base", U64_MAX_VALUE),
	SREG(flags, "flags", KVM_SREGS2_FLAGS_PDPTRS_VALID),
	STATE_INTS(STATE_KIND_U64, struct x86_sregs_state, pdptrs, "pdptrs", 0,
		   U64_MAX_VALUE),
};

static const struct state_desc sregs_desc =
	STATE_DESC("lkvm,x86-sregs-v1", struct x86_sregs_state, sregs_fields);

static const struct state_field debug_fields[] = {
	STATE_INTS(STATE_KIND_U64, struct x86_debug_state, db, "db", 0,
		   U64_MAX_VALUE),
	STATE_U64(struct x86_debug_state, dr6, "dr6", 0, U32_MAX_VALUE),
	STATE_U64(struct x86_debug_state, dr7, "dr7", 0, U32_MAX_VALUE),
};

static const struct state_desc debug_desc =
	STATE_DESC("lkvm,x86-debug-v1", struct x86_debug_state, debug_fields);

#define EVENT(_member, _name, _max)					\
	STATE_U8(struct x86_events_state, _member, _name, 0, _max)

static const struct state_field events_fields[] = {
	STATE_U64(struct x86_events_state, exception_payload,
		  "exception-payload", 0, U64_MAX_VALUE),
	STATE_U64(struct x86_events_state, exception_error_code,
		  "exception-error-code", 0, U32_MAX_VALUE),
	EVENT(exception_injected, "exception-injected", 1),
	EVENT(exception_nr, "exception-nr", 31),
	EVENT(exception_has_error_code, "exception-has-error-code", 1),
	EVENT(exception_pending, "exception-pending", 1),
	EVENT(exception_has_payload, "exception-has-payload", 1),
	EVENT(interrupt_injected, "interrupt-injected", 1),
	EVENT(interrupt_nr, "interrupt-nr", UINT8_MAX),
	EVENT(interrupt_soft, "interrupt-soft", 1),
	EVENT(interrupt_shadow, "interrupt-shadow", 3),
	EVENT(nmi_injected, "nmi-injected", 1),
	EVENT(nmi_pending, "nmi-pending", 2),
	EVENT(nmi_masked, "nmi-masked", 1),
	EVENT(smm, "smm", 1),
	EVENT(smi_pending, "smi-pending", 1),
	EVENT(smm_inside_nmi, "smm-inside-nmi", 1),
	EVENT(latched_init, "latched-init", 1),
	STATE_U64(struct x86_events_state, triple_fault, "triple-fault", 0, 1),
};

static const struct state_desc events_desc =
	STATE_DESC("lkvm,x86-events-v1", struct x86_events_state,
		   events_fields);

static const struct state_field msr_fields[] = {
	STATE_U64(struct x86_msr_state, index, "index", 0, U32_MAX_VALUE),
	STATE_U64(struct x86_msr_state, value, "value", 0, U64_MAX_VALUE),
};

static const struct state_desc msr_desc =
	STATE_DESC("lkvm,x86-msr-v1", struct x86_msr_state, msr_fields);

#define CPUID(_name, _max)						\
	STATE_U32(struct x86_cpuid_state, _name, #_name, 0, _max)

static const struct state_field cpuid_fields[] = {
	CPUID(function, U32_MAX_VALUE),
	CPUID(index, U32_MAX_VALUE),
	CPUID(flags, 7),
	CPUID(eax, U32_MAX_VALUE),
	CPUID(ebx, U32_MAX_VALUE),
	CPUID(ecx, U32_MAX_VALUE),
	CPUID(edx, U32_MAX_VALUE),
};

static const struct state_desc cpuid_desc =
	STATE_DESC("lkvm,x86-cpuid-v1", struct x86_cpuid_state, cpuid_fields);

static const struct state_field vcpu_fields[] = {
	STATE_STRUCT(struct x86_vcpu_state, regs, "regs", &regs_desc),
	STATE_STRUCT(struct x86_vcpu_state, sregs, "sregs", &sregs_desc),
	STATE_STRUCT(struct x86_vcpu_state, debug, "debug", &debug_desc),
	STATE_STRUCT(struct x86_vcpu_state, events, "events", &events_desc),
	STATE_U64(struct x86_vcpu_state, xcr0, "xcr0", 0, U64_MAX_VALUE),
	STATE_U32(struct x86_vcpu_state, mp_state, "mp-state", 0,
		  KVM_MP_STATE_SIPI_RECEIVED),
	STATE_U32(struct x86_vcpu_state, tsc_khz, "tsc-khz", 0, U32_MAX_VALUE),
	STATE_BYTES(struct x86_vcpu_state, lapic, "lapic"),
	STATE_BYTES_COUNTED(struct x86_vcpu_state, xsave, xsave_size, "xsave"),
	STATE_BYTES_COUNTED(struct x86_vcpu_state, nested, nested_size,
			    "nested"),
	STATE_STRUCTS(struct x86_vcpu_state, msrs, msrs_nr, "msr", &msr_desc),
	STATE_STRUCTS(struct x86_vcpu_state, cpuid, cpuid_nr, "cpuid",
		      &cpuid_desc),
};

static const struct state_desc vcpu_desc =
	STATE_DESC("lkvm,x86-vcpu-v1", struct x86_vcpu_state, vcpu_fields);

#define PIC(_name)							\
	STATE_U8(struct x86_pic_state, _name, #_name, 0, UINT8_MAX)
#define PIC_RANGE(_member, _name, _max)					\
	STATE_U8(struct x86_pic_state, _member, _name, 0, _max)

static const struct state_field pic_fields[] = {
	PIC_RANGE(last_irr, "last-irr", UINT8_MAX),
	PIC(irr), PIC(imr), PIC(isr),
	PIC_RANGE(priority_add, "priority-add", 7),
	PIC_RANGE(irq_base, "irq-base", UINT8_MAX),
	PIC_RANGE(read_reg_select, "read-reg-select", 1),
	PIC_RANGE(poll, "poll", 4),
	PIC_RANGE(special_mask, "special-mask", 1),
	PIC_RANGE(init_state, "init-state", 3),
	PIC_RANGE(auto_eoi, "auto-eoi", 2),
	PIC_RANGE(rotate_on_auto_eoi, "rotate-on-auto-eoi", 1),
	PIC_RANGE(special_fully_nested_mode, "special-fully-nested-mode", 16),
	PIC_RANGE(init4, "init4", 1),
	PIC(elcr),
	PIC_RANGE(elcr_mask, "elcr-mask", UINT8_MAX),
};

static const struct state_desc pic_desc =
	STATE_DESC("lkvm,x86-pic-v1", struct x86_pic_state, pic_fields);

static const struct state_field ioapic_fields[] = {
	STATE_U64(struct x86_ioapic_state, base_address, "base-address", 0,
		  U64_MAX_VALUE),
	STATE_U32(struct x86_ioapic_state, ioregsel, "ioregsel", 0, UINT8_MAX),
	STATE_U32(struct x86_ioapic_state, id, "id", 0, 15),
	STATE_U64(struct x86_ioapic_state, irr, "irr", 0,
		  BIT_ULL(KVM_IOAPIC_NUM_PINS) - 1),
	STATE_INTS(STATE_KIND_U64, struct x86_ioapic_state, redirtbl,
		   "redirtbl", 0, U64_MAX_VALUE),
};

static const struct state_desc ioapic_desc =
	STATE_DESC("lkvm,x86-ioapic-v1", struct x86_ioapic_state,
		   ioapic_fields);

#define PIT(_member, _name, _max)					\
	STATE_U8(struct x86_pit_channel_state, _member, _name, 0, _max)

static const struct state_field pit_fields[] = {
	STATE_U32(struct x86_pit_channel_state, count, "count", 0, 65536),
	STATE_U16(struct x86_pit_channel_state, latched_count,
		  "latched-count", 0, UINT16_MAX),
	PIT(count_latched, "count-latched", 3),
	PIT(status_latched, "status-latched", 1),
	PIT(status, "status", UINT8_MAX),
	PIT(read_state, "read-state", 4),
	PIT(write_state, "write-state", 4),
	PIT(write_latch, "write-latch", UINT8_MAX),
	PIT(rw_mode, "rw-mode", 3),
	PIT(mode, "mode", UINT8_MAX),
	PIT(bcd, "bcd", 1),
	PIT(gate, "gate", 1),
};

static const struct state_desc pit_desc =
	STATE_DESC("lkvm,x86-pit-v1", struct x86_pit_channel_state,
		   pit_fields);

static const struct state_field vm_fields[] = {
	STATE_U64(struct x86_vm_state, clock_ns, "clock-ns", 0, INT64_MAX),
	STATE_U64(struct x86_vm_state, clock_realtime_ns, "clock-realtime-ns",
		  0, INT64_MAX),
	STATE_STRUCT(struct x86_vm_state, ioapic, "ioapic", &ioapic_desc),
	STATE_STRUCT(struct x86_vm_state, pic_master, "pic-master", &pic_desc),
	STATE_STRUCT(struct x86_vm_state, pic_slave, "pic-slave", &pic_desc),
	STATE_STRUCT(struct x86_vm_state, pit0, "pit0", &pit_desc),
	STATE_STRUCT(struct x86_vm_state, pit1, "pit1", &pit_desc),
	STATE_STRUCT(struct x86_vm_state, pit2, "pit2", &pit_desc),
	STATE_U64(struct x86_vm_state, pit_flags, "pit-flags", 0, 3),
};

static const struct state_desc vm_desc =
	STATE_DESC("lkvm,x86-vm-v1", struct x86_vm_state, vm_fields);

/**
 * arch_vcpu_state() - the table of a vCPU's state
 *
 * Return: of struct x86_vcpu_state.
 */
const struct state_desc *arch_vcpu_state(void)
{
	return &vcpu_desc;
}

/**
 * arch_vm_state() - the table of the machine's own state
 *
 * Return: of struct x86_vm_state.
 */
const struct state_desc *arch_vm_state(void)
{
	return &vm_desc;
}
