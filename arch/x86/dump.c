// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: a vCPU as text, for `lkvm debug --dump`
 *
 * General, control and segment registers, the bytes at RIP and the words at
 * RSP. Addresses are translated by KVM (KVM_TRANSLATE walks the guest's page
 * tables in whatever mode they are); what is not mapped is said to be so.
 *
 * Context: the main loop's thread, the vCPU parked.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "arch/x86/x86_priv.h"
#include "vmm/arch.h"
#include "vmm/base/math.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

#define CODE_BEFORE	16
#define CODE_BYTES	48
#define STACK_WORDS	16

/**
 * struct text - a text that grows and never overflows
 * @buf: the text, always terminated
 * @len: room
 * @at: how much is used
 */
struct text {
	char *buf;
	size_t len;
	size_t at;
};

static void __printf(2, 3) say(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->buf + t->at, t->len - t->at, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->at = min_of(t->at + (size_t)n, t->len - 1);
}

static void say_regs(struct text *t, const struct kvm_regs *r)
{
	say(t, " rip %016llx  rsp %016llx  rflags %08llx\n", r->rip, r->rsp,
	    r->rflags);
	say(t, " rax %016llx  rbx %016llx  rcx %016llx\n", r->rax, r->rbx,
	    r->rcx);
	say(t, " rdx %016llx  rsi %016llx  rdi %016llx\n", r->rdx, r->rsi,
	    r->rdi);
	say(t, " rbp %016llx  r8  %016llx  r9  %016llx\n", r->rbp, r->r8,
	    r->r9);
	say(t, " r10 %016llx  r11 %016llx  r12 %016llx\n", r->r10, r->r11,
	    r->r12);
	say(t, " r13 %016llx  r14 %016llx  r15 %016llx\n", r->r13, r->r14,
	    r->r15);
}

static void say_segment(struct text *t, const char *name,
			const struct kvm_segment *s)
{
	say(t, " %-3s %04x  base %016llx  limit %08x  type %x s %u dpl %u p %u l %u db %u g %u%s\n",
	    name, s->selector, s->base, s->limit, s->type, s->s, s->dpl,
	    s->present, s->l, s->db, s->g, s->unusable ? " unusable" : "");
}

static void say_sregs(struct text *t, const struct kvm_sregs2 *s)
{
	say(t, " cr0 %016llx  cr2 %016llx  cr3 %016llx\n", s->cr0, s->cr2,
	    s->cr3);
	say(t, " cr4 %016llx  cr8 %016llx  efer %016llx\n", s->cr4, s->cr8,
	    s->efer);
	say(t, " apic_base %016llx\n", s->apic_base);
	say_segment(t, "cs", &s->cs);
	say_segment(t, "ds", &s->ds);
	say_segment(t, "es", &s->es);
	say_segment(t, "fs", &s->fs);
	say_segment(t, "gs", &s->gs);
	say_segment(t, "ss", &s->ss);
	say_segment(t, "tr", &s->tr);
	say_segment(t, "ldt", &s->ldt);
	say(t, " gdt       base %016llx  limit %04x\n", s->gdt.base,
	    s->gdt.limit);
	say(t, " idt       base %016llx  limit %04x\n", s->idt.base,
	    s->idt.limit);
}

/* One byte, because the next may be on another page. */
static bool read_byte(struct vcpu *vcpu, u64 linear, u8 *byte)
{
	struct kvm_translation tr = { .linear_address = linear };
	struct guest_gate gate;

	guest_gate_init(&gate, &vcpu->vm->memory);
	return !ioctl(vcpu->fd, KVM_TRANSLATE, &tr) && tr.valid &&
	       !guest_read(&gate, gpa(tr.physical_address), byte, 1);
}

static void say_code(struct text *t, struct vcpu *vcpu, u64 linear)
{
	u32 i;

	say(t, " code at rip - %u:", CODE_BEFORE);
	for (i = 0; i < CODE_BYTES; i++) {
		bool here = i == CODE_BEFORE;
		u8 byte;

		if (!read_byte(vcpu, linear - CODE_BEFORE + i, &byte))
			say(t, " --");
		else
			say(t, here ? " <%02x>" : " %02x", byte);
	}
	say(t, "\n");
}

static void say_stack(struct text *t, struct vcpu *vcpu, u64 linear)
{
	u32 i, k;

	say(t, " stack at rsp:\n");
	for (i = 0; i < STACK_WORDS; i++) {
		u64 word = 0;
		u8 byte;

		for (k = 0; k < sizeof(word); k++) {
			if (!read_byte(vcpu, linear + i * sizeof(word) + k,
				       &byte)) {
				say(t, "  %016llx: not mapped\n",
				    linear + i * sizeof(word));
				return;
			}
			word |= (u64)byte << 8 * k;
		}
		say(t, "  %016llx: %016llx\n", linear + i * sizeof(word),
		    word);
	}
}

/**
 * arch_vcpu_dump() - a vCPU as text
 * @vcpu: a parked vCPU
 * @buf: filled with lines; cut when they do not fit
 * @len: its size, 1 or more
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int arch_vcpu_dump(struct vcpu *vcpu, char *buf, size_t len, struct error *err)
{
	struct text t = { .buf = buf, .len = len };
	struct kvm_sregs2 sregs = { 0 };
	struct kvm_regs regs = { 0 };
	int ret;

	ret = x86_ioctl(vcpu->fd, KVM_GET_REGS, &regs, "KVM_GET_REGS", err);
	if (!ret)
		ret = x86_ioctl(vcpu->fd, KVM_GET_SREGS2, &sregs,
				"KVM_GET_SREGS2", err);
	if (ret)
		return ret;
	say(&t, "vCPU %u\n", vcpu->index);
	say_regs(&t, &regs);
	say_sregs(&t, &sregs);
	say_code(&t, vcpu, sregs.cs.base + regs.rip);
	say_stack(&t, vcpu, sregs.ss.base + regs.rsp);
	return 0;
}
