// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: a vCPU as text, for `lkvm debug --dump`
 *
 * General registers, those of the MMU and of exceptions, the instructions at PC
 * and the words at SP. What is not mapped is said to be so.
 *
 * Context: the main loop's thread, the vCPU parked.
 */
#include <stdarg.h>
#include <stdio.h>

#include "arch/arm64/arm64_priv.h"
#include "vmm/arch.h"
#include "vmm/base/math.h"
#include "vmm/guest_memory.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

#define CODE_BEFORE	4
#define CODE_WORDS	12
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

/**
 * struct dumped - a register that is shown
 * @name: what it is called
 * @id: KVM's
 */
struct dumped {
	const char *name;
	u64 id;
};

static const struct dumped special[] = {
	{ "pc", REG_PC }, { "pstate", REG_PSTATE }, { "sp_el0", REG_SP },
	{ "sp_el1", REG_SP_EL1 }, { "elr_el1", REG_ELR_EL1 },
	{ "esr_el1", REG_ESR }, { "far_el1", REG_FAR },
	{ "vbar_el1", REG_VBAR }, { "sctlr_el1", REG_SCTLR },
	{ "tcr_el1", REG_TCR }, { "ttbr0_el1", REG_TTBR0 },
	{ "ttbr1_el1", REG_TTBR1 }, { "mpidr_el1", REG_MPIDR },
};

static int say_regs(struct text *t, struct vcpu *vcpu, struct error *err)
{
	u64 value;
	u32 i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(special); i++) {
		ret = reg_get(vcpu, special[i].id, &value, err);
		if (ret)
			return ret;
		say(t, " %-9s %016llx%s", special[i].name, value,
		    i % 3 == 2 ? "\n" : "");
	}
	say(t, "\n");
	for (i = 0; i < 31; i++) {
		ret = reg_get(vcpu, REG_X(i), &value, err);
		if (ret)
			return ret;
		say(t, " x%-2u %016llx%s", i, value, i % 3 == 2 ? "\n" : "");
	}
	say(t, "\n");
	return 0;
}

/* @len is such that an aligned word is on one page. */
static bool read_linear(struct vcpu *vcpu, u64 linear, void *buf, size_t len)
{
	struct guest_gate gate;
	u64 physical;

	guest_gate_init(&gate, &vcpu->vm->memory);
	return mmu_translate(vcpu, linear, &physical) &&
	       !guest_read(&gate, gpa(physical), buf, len);
}

static void say_code(struct text *t, struct vcpu *vcpu, u64 pc)
{
	__le32 word;
	u32 i;

	say(t, " code at pc - %u:", 4 * CODE_BEFORE);
	for (i = 0; i < CODE_WORDS; i++) {
		u64 at = round_down_to(pc, 4) - 4 * CODE_BEFORE + 4 * i;

		if (!read_linear(vcpu, at, &word, sizeof(word)))
			say(t, " --------");
		else
			say(t, i == CODE_BEFORE ? " <%08x>" : " %08x",
			    le32_to_cpu(word));
	}
	say(t, "\n");
}

static void say_stack(struct text *t, struct vcpu *vcpu, u64 sp)
{
	__le64 word;
	u32 i;

	say(t, " stack at sp:\n");
	for (i = 0; i < STACK_WORDS; i++) {
		u64 at = round_down_to(sp, 8) + 8 * i;

		if (!read_linear(vcpu, at, &word, sizeof(word))) {
			say(t, "  %016llx: not mapped\n", at);
			return;
		}
		say(t, "  %016llx: %016llx\n", at, le64_to_cpu(word));
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
	u64 pc, sp;
	int ret;

	say(&t, "vCPU %u\n", vcpu->index);
	ret = say_regs(&t, vcpu, err);
	if (!ret)
		ret = reg_get(vcpu, REG_PC, &pc, err);
	if (!ret)
		ret = reg_get(vcpu, REG_SP_EL1, &sp, err);
	if (ret)
		return ret;
	say_code(&t, vcpu, pc);
	say_stack(&t, vcpu, sp);
	return 0;
}
