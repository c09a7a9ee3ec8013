/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: the state of an x86 vCPU and of the machine around it
 *
 * Plain structs that arch/x86/state.c describes as tables (vmm/state.h). They
 * follow the architecture: registers by name, segments with the access rights
 * of the VMCS, the local APIC's register page, the XSAVE area in its standard
 * form, MSRs by number.
 */
#ifndef LKVM_X86_STATE_H
#define LKVM_X86_STATE_H

#include <linux/kvm.h>

#include "vmm/base/types.h"

#define X86_MSRS_MAX		512
#define X86_CPUID_MAX		256
#define X86_XSAVE_MAX		16384
/* A header of 128 bytes and two pages: VMCS and shadow VMCS, or VMCB. */
#define X86_NESTED_MAX		8320

/* Segment access rights, as the VMCS has them: SDM 3C 25.4.1 */
#define X86_SEGMENT_TYPE	0xfu
#define X86_SEGMENT_S		BIT(4)
#define X86_SEGMENT_DPL_SHIFT	5
#define X86_SEGMENT_P		BIT(7)
#define X86_SEGMENT_AVL		BIT(12)
#define X86_SEGMENT_L		BIT(13)
#define X86_SEGMENT_DB		BIT(14)
#define X86_SEGMENT_G		BIT(15)
#define X86_SEGMENT_UNUSABLE	BIT(16)
#define X86_SEGMENT_RIGHTS_MAX	0x1f0ffu

/**
 * struct x86_segment_state - a segment register with its hidden part
 * @base: base address
 * @limit: in bytes, granularity applied
 * @rights: X86_SEGMENT_*
 * @selector: 16 bits
 */
struct x86_segment_state {
	u64 base;
	u32 limit;
	u32 rights;
	u64 selector;
};

/**
 * struct x86_sregs_state - control and segment registers
 * @cs: code segment
 * @ds: data segments ...
 * @es: ...
 * @fs: ...
 * @gs: ...
 * @ss: stack segment
 * @tr: task register
 * @ldt: local descriptor table
 * @gdt_base: descriptor table
 * @gdt_limit: its limit
 * @idt_base: interrupt descriptor table
 * @idt_limit: its limit
 * @cr0: control registers ...
 * @cr2: ...
 * @cr3: ...
 * @cr4: ...
 * @cr8: ... and the task priority
 * @efer: extended features
 * @apic_base: IA32_APIC_BASE
 * @flags: bit 0: @pdptrs hold
 * @pdptrs: PAE page directory pointers
 */
struct x86_sregs_state {
	struct x86_segment_state cs;
	struct x86_segment_state ds;
	struct x86_segment_state es;
	struct x86_segment_state fs;
	struct x86_segment_state gs;
	struct x86_segment_state ss;
	struct x86_segment_state tr;
	struct x86_segment_state ldt;
	u64 gdt_base;
	u64 gdt_limit;
	u64 idt_base;
	u64 idt_limit;
	u64 cr0;
	u64 cr2;
	u64 cr3;
	u64 cr4;
	u64 cr8;
	u64 efer;
	u64 apic_base;
	u64 flags;
	u64 pdptrs[4];
};

/**
 * struct x86_debug_state - debug registers
 * @db: breakpoint addresses, DR0 to DR3
 * @dr6: debug status
 * @dr7: debug control
 */
struct x86_debug_state {
	u64 db[4];
	u64 dr6;
	u64 dr7;
};

/**
 * struct x86_events_state - events on their way into a vCPU (KVM-API 4.31)
 * @exception_payload: CR2 or DR6 that comes with the exception
 * @exception_error_code: its error code, 32 bits
 * @exception_injected: delivery of an exception was interrupted
 * @exception_nr: its vector
 * @exception_has_error_code: it has one
 * @exception_pending: one waits
 * @exception_has_payload: it has one
 * @interrupt_injected: delivery of an interrupt was interrupted
 * @interrupt_nr: its vector
 * @interrupt_soft: it is a software interrupt
 * @interrupt_shadow: by STI (1) or MOV SS (2)
 * @nmi_injected: delivery of an NMI was interrupted
 * @nmi_pending: how many wait
 * @nmi_masked: one is being handled
 * @smm: in system management mode
 * @smi_pending: an SMI waits
 * @smm_inside_nmi: SMM interrupted an NMI handler
 * @latched_init: an INIT waits for the end of SMM
 * @triple_fault: a shutdown waits to be told
 */
struct x86_events_state {
	u64 exception_payload;
	u64 exception_error_code;
	u8 exception_injected;
	u8 exception_nr;
	u8 exception_has_error_code;
	u8 exception_pending;
	u8 exception_has_payload;
	u8 interrupt_injected;
	u8 interrupt_nr;
	u8 interrupt_soft;
	u8 interrupt_shadow;
	u8 nmi_injected;
	u8 nmi_pending;
	u8 nmi_masked;
	u8 smm;
	u8 smi_pending;
	u8 smm_inside_nmi;
	u8 latched_init;
	u64 triple_fault;
};

/**
 * struct x86_msr_state - a model-specific register
 * @index: its number
 * @value: its value
 */
struct x86_msr_state {
	u64 index;
	u64 value;
};

/**
 * struct x86_cpuid_state - an entry of the CPUID table
 * @function: leaf
 * @index: sub-leaf
 * @flags: KVM_CPUID_FLAG_*
 * @eax: what CPUID returns ...
 * @ebx: ...
 * @ecx: ...
 * @edx: ...
 */
struct x86_cpuid_state {
	u32 function;
	u32 index;
	u32 flags;
	u32 eax;
	u32 ebx;
	u32 ecx;
	u32 edx;
};

/**
 * struct x86_vcpu_state - all of a vCPU
 * @regs: general registers
 * @sregs: control and segment registers
 * @debug: debug registers
 * @events: events on their way
 * @xcr0: enabled XSAVE features
 * @mp_state: KVM_MP_STATE_*
 * @tsc_khz: frequency of its TSC
 * @xsave_size: bytes in use of @xsave
 * @nested_size: bytes in use of @nested, 0 when KVM has no nesting
 * @msrs_nr: how many @msrs
 * @cpuid_nr: how many @cpuid
 * @lapic: register page of the local APIC
 * @xsave: floating point and vector registers
 * @nested: struct kvm_nested_state, the guest's own guests
 * @msrs: in rising order of their numbers
 * @cpuid: what the guest has been told about its CPU
 */
struct x86_vcpu_state {
	struct kvm_regs regs;
	struct x86_sregs_state sregs;
	struct x86_debug_state debug;
	struct x86_events_state events;
	u64 xcr0;
	u32 mp_state;
	u32 tsc_khz;
	u32 xsave_size;
	u32 nested_size;
	u32 msrs_nr;
	u32 cpuid_nr;
	u8 lapic[KVM_APIC_REG_SIZE];
	u8 xsave[X86_XSAVE_MAX];
	u8 nested[X86_NESTED_MAX];
	struct x86_msr_state msrs[X86_MSRS_MAX];
	struct x86_cpuid_state cpuid[X86_CPUID_MAX];
};

/**
 * struct x86_pic_state - one 8259A
 * @last_irr: edge detection
 * @irr: requests
 * @imr: masks
 * @isr: in service
 * @priority_add: rotation
 * @irq_base: vector of its first input
 * @read_reg_select: OCW3: what a read gives
 * @poll: poll mode
 * @special_mask: special mask mode
 * @init_state: which ICW is expected
 * @auto_eoi: automatic end of interrupt
 * @rotate_on_auto_eoi: with rotation
 * @special_fully_nested_mode: of the master
 * @init4: ICW4 is expected
 * @elcr: level-triggered inputs
 * @elcr_mask: which of them can be
 */
struct x86_pic_state {
	u8 last_irr;
	u8 irr;
	u8 imr;
	u8 isr;
	u8 priority_add;
	u8 irq_base;
	u8 read_reg_select;
	u8 poll;
	u8 special_mask;
	u8 init_state;
	u8 auto_eoi;
	u8 rotate_on_auto_eoi;
	u8 special_fully_nested_mode;
	u8 init4;
	u8 elcr;
	u8 elcr_mask;
};

/**
 * struct x86_ioapic_state - the I/O APIC
 * @base_address: of its registers
 * @ioregsel: selected register
 * @id: its id
 * @irr: level of each input, one bit a pin
 * @redirtbl: redirection table
 */
struct x86_ioapic_state {
	u64 base_address;
	u32 ioregsel;
	u32 id;
	u64 irr;
	u64 redirtbl[KVM_IOAPIC_NUM_PINS];
};

/**
 * struct x86_pit_channel_state - one counter of the 8254
 * @count: reload value, up to 65536
 * @latched_count: what a latch command caught
 * @count_latched: bytes of it not read yet
 * @status_latched: a status byte is latched
 * @status: the status byte
 * @read_state: which byte is read next
 * @write_state: which byte is written next
 * @write_latch: low byte, written first
 * @rw_mode: how bytes are transferred
 * @mode: counting mode
 * @bcd: counts in BCD
 * @gate: level of the gate input
 */
struct x86_pit_channel_state {
	u32 count;
	u16 latched_count;
	u8 count_latched;
	u8 status_latched;
	u8 status;
	u8 read_state;
	u8 write_state;
	u8 write_latch;
	u8 rw_mode;
	u8 mode;
	u8 bcd;
	u8 gate;
};

/**
 * struct x86_vm_state - the parts of a machine that all vCPUs share
 * @clock_ns: kvmclock
 * @clock_realtime_ns: CLOCK_REALTIME of the host at that moment, 0 when KVM
 *                     does not say
 * @ioapic: I/O APIC
 * @pic_master: GSIs 0 to 7
 * @pic_slave: GSIs 8 to 15
 * @pit0: the timer's channels: GSI 0 ...
 * @pit1: ... unused ...
 * @pit2: ... speaker
 * @pit_flags: KVM_PIT_FLAGS_*
 */
struct x86_vm_state {
	u64 clock_ns;
	u64 clock_realtime_ns;
	struct x86_ioapic_state ioapic;
	struct x86_pic_state pic_master;
	struct x86_pic_state pic_slave;
	struct x86_pit_channel_state pit0;
	struct x86_pit_channel_state pit1;
	struct x86_pit_channel_state pit2;
	u64 pit_flags;
};

#endif /* LKVM_X86_STATE_H */
