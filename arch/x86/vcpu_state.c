// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: a vCPU out of KVM and in again
 *
 * The order matters both ways. Saving: the MP state first, because asking for
 * it lets KVM take in a pending INIT or SIPI, the events last, because reading
 * registers may still move one along; all vCPUs are parked. Loading: the TSC's
 * frequency before its value; general registers early, because setting them
 * clears pending exceptions; control registers before the local APIC, whose
 * mode they hold, and before the guest's own guests, which need EFER.SVME;
 * the local APIC before MSRs, because the TSC deadline is dropped unless the
 * timer is in that mode; events last.
 *
 * A deadline that has passed reads as 0. The interrupt may not be in the local
 * APIC's registers yet, so it would be lost: while the timer is in deadline
 * mode and not masked, 0 is saved as the present TSC, which makes it fire at
 * once at the other end. One interrupt too many is harmless, the kernel's
 * handler looks at the clock.
 *
 * Context: the main loop's thread, the vCPU parked.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "arch/x86/cpuid.h"
#include "arch/x86/state.h"
#include "arch/x86/x86_priv.h"
#include "vmm/arch.h"
#include "vmm/base/math.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

#define LAPIC_LVT_TIMER		0x320
#define LVT_MASKED		BIT(16)
#define LVT_TIMER_MODE		(3u << 17)
#define LVT_TIMER_DEADLINE	(2u << 17)
#define NS_PER_MS		1000000ULL

/**
 * lapic_read() - a register in a local APIC's page
 * @lapic: KVM_APIC_REG_SIZE bytes
 * @reg: offset, a multiple of 16
 *
 * Return: its value.
 */
u32 lapic_read(const u8 *lapic, u32 reg)
{
	u32 value;

	memcpy(&value, lapic + reg, sizeof(value));
	return value;
}

/**
 * lapic_write() - set a register in a local APIC's page
 * @lapic: KVM_APIC_REG_SIZE bytes
 * @reg: offset, a multiple of 16
 * @value: its value
 */
void lapic_write(u8 *lapic, u32 reg, u32 value)
{
	memcpy(lapic + reg, &value, sizeof(value));
}

/**
 * segment_from_kvm() - a segment register in our form
 * @to: to be filled
 * @from: as KVM gives it
 */
void segment_from_kvm(struct x86_segment_state *to,
		      const struct kvm_segment *from)
{
	to->base = from->base;
	to->limit = from->limit;
	to->selector = from->selector;
	to->rights = (from->type & X86_SEGMENT_TYPE) |
		     (from->s ? X86_SEGMENT_S : 0) |
		     (from->dpl & 3u) << X86_SEGMENT_DPL_SHIFT |
		     (from->present ? X86_SEGMENT_P : 0) |
		     (from->avl ? X86_SEGMENT_AVL : 0) |
		     (from->l ? X86_SEGMENT_L : 0) |
		     (from->db ? X86_SEGMENT_DB : 0) |
		     (from->g ? X86_SEGMENT_G : 0) |
		     (from->unusable ? X86_SEGMENT_UNUSABLE : 0);
}

/**
 * segment_to_kvm() - a segment register in KVM's form
 * @to: to be filled
 * @from: ours
 */
void segment_to_kvm(struct kvm_segment *to,
		    const struct x86_segment_state *from)
{
	*to = (struct kvm_segment){
		.base = from->base,
		.limit = from->limit,
		.selector = (u16)from->selector,
		.type = from->rights & X86_SEGMENT_TYPE,
		.s = !!(from->rights & X86_SEGMENT_S),
		.dpl = from->rights >> X86_SEGMENT_DPL_SHIFT & 3,
		.present = !!(from->rights & X86_SEGMENT_P),
		.avl = !!(from->rights & X86_SEGMENT_AVL),
		.l = !!(from->rights & X86_SEGMENT_L),
		.db = !!(from->rights & X86_SEGMENT_DB),
		.g = !!(from->rights & X86_SEGMENT_G),
		.unusable = !!(from->rights & X86_SEGMENT_UNUSABLE),
	};
}

static int sregs_save(struct vcpu *vcpu, struct x86_sregs_state *to,
		      struct error *err)
{
	struct kvm_sregs2 s = { 0 };
	int ret;

	ret = x86_ioctl(vcpu->fd, KVM_GET_SREGS2, &s, "KVM_GET_SREGS2", err);
	if (ret)
		return ret;
	segment_from_kvm(&to->cs, &s.cs);
	segment_from_kvm(&to->ds, &s.ds);
	segment_from_kvm(&to->es, &s.es);
	segment_from_kvm(&to->fs, &s.fs);
	segment_from_kvm(&to->gs, &s.gs);
	segment_from_kvm(&to->ss, &s.ss);
	segment_from_kvm(&to->tr, &s.tr);
	segment_from_kvm(&to->ldt, &s.ldt);
	to->gdt_base = s.gdt.base;
	to->gdt_limit = s.gdt.limit;
	to->idt_base = s.idt.base;
	to->idt_limit = s.idt.limit;
	to->cr0 = s.cr0;
	to->cr2 = s.cr2;
	to->cr3 = s.cr3;
	to->cr4 = s.cr4;
	to->cr8 = s.cr8;
	to->efer = s.efer;
	to->apic_base = s.apic_base;
	to->flags = s.flags;
	if (s.flags & KVM_SREGS2_FLAGS_PDPTRS_VALID)
		memcpy(to->pdptrs, s.pdptrs, sizeof(to->pdptrs));
	return 0;
}

static int sregs_load(struct vcpu *vcpu, const struct x86_sregs_state *from,
		      struct error *err)
{
	struct kvm_sregs2 s = {
		.gdt = { .base = from->gdt_base, .limit = (u16)from->gdt_limit },
		.idt = { .base = from->idt_base, .limit = (u16)from->idt_limit },
		.cr0 = from->cr0,
		.cr2 = from->cr2,
		.cr3 = from->cr3,
		.cr4 = from->cr4,
		.cr8 = from->cr8,
		.efer = from->efer,
		.apic_base = from->apic_base,
		.flags = from->flags,
	};

	segment_to_kvm(&s.cs, &from->cs);
	segment_to_kvm(&s.ds, &from->ds);
	segment_to_kvm(&s.es, &from->es);
	segment_to_kvm(&s.fs, &from->fs);
	segment_to_kvm(&s.gs, &from->gs);
	segment_to_kvm(&s.ss, &from->ss);
	segment_to_kvm(&s.tr, &from->tr);
	segment_to_kvm(&s.ldt, &from->ldt);
	memcpy(s.pdptrs, from->pdptrs, sizeof(s.pdptrs));
	return x86_ioctl(vcpu->fd, KVM_SET_SREGS2, &s, "KVM_SET_SREGS2", err);
}

/* KVM's buffer may be larger than what a state can hold never: see machine.c */
static int xsave_save(struct vcpu *vcpu, struct x86_vcpu_state *to,
		      struct error *err)
{
	to->xsave_size = vcpu->vm->arch->xsave_size;
	if (to->xsave_size > sizeof(struct kvm_xsave))
		return x86_ioctl(vcpu->fd, KVM_GET_XSAVE2, to->xsave,
				 "KVM_GET_XSAVE2", err);
	return x86_ioctl(vcpu->fd, KVM_GET_XSAVE, to->xsave, "KVM_GET_XSAVE",
			 err);
}

static int xsave_load(struct vcpu *vcpu, const struct x86_vcpu_state *from,
		      struct error *err)
{
	u32 size = vcpu->vm->arch->xsave_size;
	u8 *buf;
	int ret;

	if (from->xsave_size > size)
		return error_set(err, -ENOTSUP,
				 "%u bytes of vector registers, this host's CPU has %u",
				 from->xsave_size, size);
	buf = calloc(1, size);
	if (!buf)
		return error_set(err, -ENOMEM, "out of memory");
	memcpy(buf, from->xsave, from->xsave_size);
	ret = x86_ioctl(vcpu->fd, KVM_SET_XSAVE, buf, "KVM_SET_XSAVE", err);
	free(buf);
	return ret;
}

static int xcr0_save(struct vcpu *vcpu, u64 *xcr0, struct error *err)
{
	struct kvm_xcrs xcrs = { 0 };
	int ret;

	if (!vcpu->vm->arch->xcrs)
		return 0;
	ret = x86_ioctl(vcpu->fd, KVM_GET_XCRS, &xcrs, "KVM_GET_XCRS", err);
	if (!ret && xcrs.nr_xcrs && xcrs.xcrs[0].xcr == 0)
		*xcr0 = xcrs.xcrs[0].value;
	return ret;
}

/* 0 is not a value that XCR0 can have: the guest's CPU has no XSAVE. */
static int xcr0_load(struct vcpu *vcpu, u64 xcr0, struct error *err)
{
	struct kvm_xcrs xcrs = { .nr_xcrs = 1, .xcrs[0].value = xcr0 };

	if (!xcr0)
		return 0;
	return x86_ioctl(vcpu->fd, KVM_SET_XCRS, &xcrs, "KVM_SET_XCRS", err);
}

static int debug_save(struct vcpu *vcpu, struct x86_debug_state *to,
		      struct error *err)
{
	struct kvm_debugregs d = { 0 };
	int ret;

	ret = x86_ioctl(vcpu->fd, KVM_GET_DEBUGREGS, &d, "KVM_GET_DEBUGREGS",
			err);
	memcpy(to->db, d.db, sizeof(to->db));
	to->dr6 = d.dr6;
	to->dr7 = d.dr7;
	return ret;
}

static int debug_load(struct vcpu *vcpu, const struct x86_debug_state *from,
		      struct error *err)
{
	struct kvm_debugregs d = { .dr6 = from->dr6, .dr7 = from->dr7 };

	memcpy(d.db, from->db, sizeof(d.db));
	return x86_ioctl(vcpu->fd, KVM_SET_DEBUGREGS, &d, "KVM_SET_DEBUGREGS",
			 err);
}

static int events_save(struct vcpu *vcpu, struct x86_events_state *to,
		       struct error *err)
{
	struct kvm_vcpu_events e = { 0 };
	int ret;

	ret = x86_ioctl(vcpu->fd, KVM_GET_VCPU_EVENTS, &e,
			"KVM_GET_VCPU_EVENTS", err);
	if (ret)
		return ret;
	to->exception_payload = e.exception_payload;
	to->exception_error_code = e.exception.error_code;
	to->exception_injected = e.exception.injected;
	to->exception_nr = e.exception.nr;
	to->exception_has_error_code = e.exception.has_error_code;
	to->exception_pending = e.exception.pending;
	to->exception_has_payload = e.exception_has_payload;
	to->interrupt_injected = e.interrupt.injected;
	to->interrupt_nr = e.interrupt.nr;
	to->interrupt_soft = e.interrupt.soft;
	to->interrupt_shadow = e.interrupt.shadow;
	to->nmi_injected = e.nmi.injected;
	to->nmi_pending = e.nmi.pending;
	to->nmi_masked = e.nmi.masked;
	to->smm = e.smi.smm;
	to->smi_pending = e.smi.pending;
	to->smm_inside_nmi = e.smi.smm_inside_nmi;
	to->latched_init = e.smi.latched_init;
	to->triple_fault = e.triple_fault.pending;
	return 0;
}

/*
 * Which parts this KVM takes is what it says when asked for the present
 * events: the flags stand for capabilities, not for values.
 */
static int events_load(struct vcpu *vcpu, const struct x86_events_state *from,
		       struct error *err)
{
	struct kvm_vcpu_events now = { 0 };
	struct kvm_vcpu_events e = {
		.exception_payload = from->exception_payload,
		.exception.error_code = (u32)from->exception_error_code,
		.exception.injected = from->exception_injected,
		.exception.nr = from->exception_nr,
		.exception.has_error_code = from->exception_has_error_code,
		.exception.pending = from->exception_pending,
		.exception_has_payload = from->exception_has_payload,
		.interrupt.injected = from->interrupt_injected,
		.interrupt.nr = from->interrupt_nr,
		.interrupt.soft = from->interrupt_soft,
		.interrupt.shadow = from->interrupt_shadow,
		.nmi.injected = from->nmi_injected,
		.nmi.pending = from->nmi_pending,
		.nmi.masked = from->nmi_masked,
		.smi.smm = from->smm,
		.smi.pending = from->smi_pending,
		.smi.smm_inside_nmi = from->smm_inside_nmi,
		.smi.latched_init = from->latched_init,
		.triple_fault.pending = (u8)from->triple_fault,
	};
	int ret;

	ret = x86_ioctl(vcpu->fd, KVM_GET_VCPU_EVENTS, &now,
			"KVM_GET_VCPU_EVENTS", err);
	if (ret)
		return ret;
	e.flags = now.flags | KVM_VCPUEVENT_VALID_NMI_PENDING |
		  KVM_VCPUEVENT_VALID_SHADOW;
	return x86_ioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &e,
			 "KVM_SET_VCPU_EVENTS", err);
}

static int nested_save(struct vcpu *vcpu, struct x86_vcpu_state *to,
		       struct error *err)
{
	struct kvm_nested_state *nested = (void *)to->nested;
	int ret;

	if (!vcpu->vm->arch->nested_size)
		return 0;
	nested->size = vcpu->vm->arch->nested_size;
	ret = x86_ioctl(vcpu->fd, KVM_GET_NESTED_STATE, nested,
			"KVM_GET_NESTED_STATE", err);
	to->nested_size = nested->size;
	return ret;
}

static int nested_load(struct vcpu *vcpu, const struct x86_vcpu_state *from,
		       struct error *err)
{
	struct kvm_nested_state head;
	u8 buf[X86_NESTED_MAX] __attribute__((aligned(8)));

	if (!from->nested_size)
		return 0;
	memcpy(buf, from->nested, sizeof(buf));
	memcpy(&head, buf, sizeof(head));
	if (from->nested_size < sizeof(head) || head.size != from->nested_size)
		return error_set(err, -EINVAL,
				 "nested state of %u bytes in %u", head.size,
				 from->nested_size);
	if (!vcpu->vm->arch->nested_size)
		return error_set(err, -ENOTSUP,
				 "nested virtualization is not available on this host; load kvm_intel or kvm_amd with nested=1");
	return x86_ioctl(vcpu->fd, KVM_SET_NESTED_STATE, buf,
			 "KVM_SET_NESTED_STATE", err);
}

/* See the head of this file. */
static void keep_fired_deadline(struct x86_vcpu_state *s)
{
	u32 lvt = lapic_read(s->lapic, LAPIC_LVT_TIMER);
	u64 tsc = 0;
	u32 i;

	if ((lvt & (LVT_TIMER_MODE | LVT_MASKED)) != LVT_TIMER_DEADLINE)
		return;
	for (i = 0; i < s->msrs_nr; i++) {
		if (s->msrs[i].index == MSR_TSC)
			tsc = s->msrs[i].value;
		if (s->msrs[i].index == MSR_TSC_DEADLINE && !s->msrs[i].value)
			s->msrs[i].value = tsc;
	}
}

static struct kvm_cpuid2 *cpuid_alloc(struct error *err)
{
	struct kvm_cpuid2 *table;

	table = calloc(1, sizeof(*table) +
		       X86_CPUID_MAX * sizeof(table->entries[0]));
	if (table)
		table->nent = X86_CPUID_MAX;
	else
		error_set(err, -ENOMEM, "out of memory");
	return table;
}

static int cpuid_save(struct vcpu *vcpu, struct x86_vcpu_state *to,
		      struct error *err)
{
	struct kvm_cpuid2 *table = cpuid_alloc(err);
	int ret;
	u32 i;

	if (!table)
		return -ENOMEM;
	ret = x86_ioctl(vcpu->fd, KVM_GET_CPUID2, table, "KVM_GET_CPUID2", err);
	for (i = 0; !ret && i < table->nent; i++) {
		const struct kvm_cpuid_entry2 *e = &table->entries[i];

		to->cpuid[i] = (struct x86_cpuid_state){
			.function = e->function, .index = e->index,
			.flags = e->flags, .eax = e->eax, .ebx = e->ebx,
			.ecx = e->ecx, .edx = e->edx,
		};
		to->cpuid_nr = i + 1;
	}
	free(table);
	return ret;
}

static void cpuid_to_kvm(struct kvm_cpuid2 *to,
			 const struct x86_vcpu_state *from)
{
	u32 i;

	to->nent = from->cpuid_nr;
	for (i = 0; i < from->cpuid_nr; i++) {
		const struct x86_cpuid_state *e = &from->cpuid[i];

		to->entries[i] = (struct kvm_cpuid_entry2){
			.function = e->function, .index = e->index,
			.flags = e->flags, .eax = e->eax, .ebx = e->ebx,
			.ecx = e->ecx, .edx = e->edx,
		};
	}
}

/* Its features against what this vCPU has, and on success the table itself. */
static int cpuid_compare(struct vcpu *vcpu, const struct x86_vcpu_state *from,
			 struct kvm_cpuid2 **out, struct error *err)
{
	struct kvm_cpuid2 *present = cpuid_alloc(err);
	struct kvm_cpuid2 *wanted = cpuid_alloc(err);
	int ret = -ENOMEM;

	if (present && wanted) {
		cpuid_to_kvm(wanted, from);
		ret = x86_ioctl(vcpu->fd, KVM_GET_CPUID2, present,
				"KVM_GET_CPUID2", err);
		if (!ret)
			ret = cpuid_check(wanted, vcpu->vm->arch->supported,
					  present, err);
	}
	free(present);
	if (ret)
		free(wanted);
	else
		*out = wanted;
	return ret;
}

static int cpuid_load(struct vcpu *vcpu, const struct x86_vcpu_state *from,
		      struct error *err)
{
	struct kvm_cpuid2 *wanted;
	int ret;

	ret = cpuid_compare(vcpu, from, &wanted, err);
	if (ret)
		return ret;
	ret = x86_ioctl(vcpu->fd, KVM_SET_CPUID2, wanted, "KVM_SET_CPUID2",
			err);
	free(wanted);
	return ret;
}

static int tsc_khz_load(struct vcpu *vcpu, u32 khz, struct error *err)
{
	int now = ioctl(vcpu->fd, KVM_GET_TSC_KHZ, 0);

	if (!khz || now < 0 || (u32)now == khz)
		return 0;
	if (ioctl(vcpu->fd, KVM_SET_TSC_KHZ, (unsigned long)khz) < 0)
		return error_set(err, -ENOTSUP,
				 "the guest's TSC runs at %u kHz, this host's at %d kHz and its CPU cannot scale it",
				 khz, now);
	return 0;
}

/**
 * arch_vcpu_save() - all of a vCPU
 * @vcpu: a parked vCPU
 * @state: a zeroed struct x86_vcpu_state
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int arch_vcpu_save(struct vcpu *vcpu, void *state, struct error *err)
{
	struct x86_vcpu_state *s = state;
	struct kvm_mp_state mp = { 0 };
	int ret, khz;

	ret = x86_ioctl(vcpu->fd, KVM_GET_MP_STATE, &mp, "KVM_GET_MP_STATE",
			err);
	s->mp_state = mp.mp_state;
	if (!ret)
		ret = x86_ioctl(vcpu->fd, KVM_GET_REGS, &s->regs,
				"KVM_GET_REGS", err);
	if (!ret)
		ret = sregs_save(vcpu, &s->sregs, err);
	if (!ret)
		ret = xsave_save(vcpu, s, err);
	if (!ret)
		ret = xcr0_save(vcpu, &s->xcr0, err);
	if (!ret)
		ret = debug_save(vcpu, &s->debug, err);
	if (!ret)
		ret = x86_ioctl(vcpu->fd, KVM_GET_LAPIC, s->lapic,
				"KVM_GET_LAPIC", err);
	if (!ret)
		ret = msrs_save(vcpu, s, err);
	if (!ret)
		ret = nested_save(vcpu, s, err);
	if (!ret)
		ret = cpuid_save(vcpu, s, err);
	if (!ret)
		ret = events_save(vcpu, &s->events, err);
	if (ret)
		return ret;
	khz = ioctl(vcpu->fd, KVM_GET_TSC_KHZ, 0);
	s->tsc_khz = khz > 0 ? (u32)khz : 0;
	keep_fired_deadline(s);
	return 0;
}

/**
 * vcpu_registers_load() - all of a state but its CPUID
 * @vcpu: a parked vCPU that has its CPUID
 * @s: the state
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int vcpu_registers_load(struct vcpu *vcpu, const struct x86_vcpu_state *s,
			struct error *err)
{
	struct kvm_mp_state mp = { .mp_state = s->mp_state };
	struct kvm_lapic_state lapic;
	struct kvm_regs regs = s->regs;
	int ret;

	memcpy(lapic.regs, s->lapic, sizeof(lapic.regs));
	ret = tsc_khz_load(vcpu, s->tsc_khz, err);
	if (!ret)
		ret = x86_ioctl(vcpu->fd, KVM_SET_MP_STATE, &mp,
				"KVM_SET_MP_STATE", err);
	if (!ret)
		ret = x86_ioctl(vcpu->fd, KVM_SET_REGS, &regs, "KVM_SET_REGS",
				err);
	if (!ret)
		ret = sregs_load(vcpu, &s->sregs, err);
	if (!ret)
		ret = xsave_load(vcpu, s, err);
	if (!ret)
		ret = xcr0_load(vcpu, s->xcr0, err);
	if (!ret)
		ret = debug_load(vcpu, &s->debug, err);
	if (!ret)
		ret = x86_ioctl(vcpu->fd, KVM_SET_LAPIC, &lapic,
				"KVM_SET_LAPIC", err);
	if (!ret)
		ret = nested_load(vcpu, s, err);
	if (!ret)
		ret = msrs_load(vcpu, s, err);
	if (!ret)
		ret = events_load(vcpu, &s->events, err);
	return ret;
}

/* The TSC counts on while the state lies in a file: see vm_state.c. */
static void advance_tsc(struct x86_vcpu_state *s, u64 ns)
{
	u64 ticks = ns / NS_PER_MS * s->tsc_khz +
		    ns % NS_PER_MS * s->tsc_khz / NS_PER_MS;
	u32 i;

	for (i = 0; i < s->msrs_nr; i++)
		if (s->msrs[i].index == MSR_TSC)
			s->msrs[i].value += ticks;
}

/**
 * arch_vcpu_load() - install a vCPU's state
 * @vcpu: a parked vCPU; one that has run already keeps its CPUID
 * @state: a struct x86_vcpu_state within its table's ranges
 * @err: filled on failure; names the CPU feature, the register or the call
 *
 * Return: 0 or a negative errno: -ENOTSUP when this host cannot be that CPU.
 */
int arch_vcpu_load(struct vcpu *vcpu, const void *state, struct error *err)
{
	struct x86_vcpu_state *s = malloc(sizeof(*s));
	int ret;

	if (!s)
		return error_set(err, -ENOMEM, "out of memory");
	memcpy(s, state, sizeof(*s));
	advance_tsc(s, vcpu->vm->arch->away_ns);
	ret = cpuid_load(vcpu, s, err);
	if (!ret)
		ret = vcpu_registers_load(vcpu, s, err);
	free(s);
	return ret;
}

/**
 * arch_vcpu_check() - why this host cannot be the CPU of a state
 * @vcpu: a vCPU that has been reset and will not run
 * @state: a struct x86_vcpu_state within its table's ranges
 * @tell: called for each reason: missing features, a TSC of another frequency
 * @arg: for @tell
 */
void arch_vcpu_check(struct vcpu *vcpu, const void *state,
		     void (*tell)(void *arg, const struct error *why),
		     void *arg)
{
	const struct x86_vcpu_state *s = state;
	struct error why = ERROR_INIT;
	struct kvm_cpuid2 *wanted;

	if (cpuid_compare(vcpu, s, &wanted, &why))
		tell(arg, &why);
	else
		free(wanted);
	why = (struct error)ERROR_INIT;
	if (tsc_khz_load(vcpu, s->tsc_khz, &why))
		tell(arg, &why);
}
