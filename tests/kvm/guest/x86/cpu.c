// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: x86-64: descriptor tables, exceptions, privileged instructions
 *
 * cpu_enter() is the only C code that runs at CPL 0 before the body; it sets
 * up what an interrupt from user mode needs. The rest of the IDT is filled in
 * user mode by idt_fill().
 */
#include "tests/kvm/guest/lib.h"
#include "tests/kvm/guest/platform.h"
#include "tests/kvm/guest/x86/apic.h"
#include "tests/kvm/guest/x86/cpu.h"
#include "tests/kvm/proto.h"

#define MSR_GS_BASE	0xc0000101

/**
 * struct idt_gate - an interrupt gate of the 64-bit IDT
 * @offset0:  handler bits 15:0
 * @selector: code segment
 * @stack:    0: the TSS's stack of CPL 0
 * @type:     present, privilege, interrupt gate
 * @offset1:  handler bits 31:16
 * @offset2:  handler bits 63:32
 * @reserved: zero
 */
struct idt_gate {
	uint16_t offset0;
	uint16_t selector;
	uint8_t stack;
	uint8_t type;
	uint16_t offset1;
	uint32_t offset2;
	uint32_t reserved;
};

#define GATE_KERNEL	0x8e
#define GATE_USER	0xee

/**
 * struct table_pointer - the operand of lidt
 * @limit: last byte
 * @base:  address
 */
struct table_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

/**
 * struct fixup - an instruction that may fault
 * @fault:  its address
 * @resume: where to go on if it did
 */
struct fixup {
	uint64_t fault;
	uint64_t resume;
};

/**
 * struct msr_access - the arguments of a privileged MSR access
 * @msr:    number
 * @value:  value read or to write
 * @failed: the CPU refused it
 */
struct msr_access {
	uint32_t msr;
	uint64_t value;
	uint64_t failed;
};

extern const struct fixup fixups_start[], fixups_end[];

static struct idt_gate idt[256] __attribute__((aligned(16)));

static uint8_t boot_stack[32768] __attribute__((aligned(16)));
static uint8_t boot_irq_stack[8192] __attribute__((aligned(16)));

struct cpu boot_cpu = {
	.self = &boot_cpu,
	.irq_stack = (uint64_t)boot_irq_stack + sizeof(boot_irq_stack),
	.stack = (uint64_t)boot_stack + sizeof(boot_stack),
	.online = true,
};

static void gate_set(unsigned int vector, const char *handler, uint8_t type)
{
	const uint64_t at = (uint64_t)handler;

	idt[vector] = (struct idt_gate){
		.offset0 = (uint16_t)at,
		.selector = SEL_CODE64,
		.type = type,
		.offset1 = (uint16_t)(at >> 16),
		.offset2 = (uint32_t)(at >> 32),
	};
}

/**
 * cpu_enter - the set-up that has to be done at CPL 0
 * @c: this CPU; self and the stacks are set
 *
 * Context: CPL 0, called by start.S on @c's interrupt stack.
 */
void cpu_enter(struct cpu *c)
{
	const struct table_pointer p = { sizeof(idt) - 1, (uint64_t)idt };
	const uint64_t base = (uint64_t)&c->tss;
	uint64_t *d = &gdt[SEL_TSS / 8 + 2 * c->index];

	c->tss.rsp[0] = c->irq_stack;
	c->tss.iomap = sizeof(c->tss);
	d[0] = (sizeof(c->tss) - 1) | (base & 0xffffff) << 16 |
	       0x89ull << 40 | (base >> 24 & 0xff) << 56;
	d[1] = base >> 32;
	asm volatile("ltr %0" : : "r"((uint16_t)(SEL_TSS + 16 * c->index)));
	gate_set(VECTOR_CPL0, cpl0_stub, GATE_USER);
	asm volatile("lidt %0" : : "m"(p));
	asm volatile("wrmsr" : : "c"(MSR_GS_BASE), "a"((uint32_t)(uint64_t)c),
		     "d"((uint32_t)((uint64_t)c >> 32)) : "memory");
}

/**
 * idt_fill - the rest of the interrupt table
 *
 * Context: boot CPU, interrupts off.
 */
void idt_fill(void)
{
	unsigned int v;

	for (v = 0; v < 32; v++)
		if (v != VECTOR_CPL0)
			gate_set(v, exception_stubs + 16 * v, GATE_KERNEL);
	for (; v < 256; v++)
		gate_set(v, irq_stubs + 16 * (v - 32), GATE_KERNEL);
	gate_set(VECTOR_SPURIOUS, spurious_stub, GATE_KERNEL);
}

/**
 * cpu_self - the CPU that runs this
 *
 * Return: its struct.
 */
struct cpu *cpu_self(void)
{
	struct cpu *c;

	asm volatile("mov %%gs:0, %0" : "=r"(c));
	return c;
}

/**
 * exception_handle - an exception: go on at its fixup, or report and end
 * @f: the registers
 *
 * Context: CPL 0, called by trap.S.
 */
void exception_handle(struct trap_frame *f)
{
	const uint64_t *g = f->general;
	const struct fixup *x;
	uint64_t cr2;

	for (x = fixups_start; x < fixups_end; x++) {
		if (x->fault == f->rip) {
			f->rip = x->resume;
			return;
		}
	}
	asm volatile("mov %%cr2, %0" : "=r"(cr2));
	print("\nguest: FAILED exception %lu error %lx at %lx cs %lx cr2 %lx\n",
	      f->vector, f->error, f->rip, f->cs, cr2);
	print("guest:   cpu %u rsp %lx flags %lx rbp %lx\n", cpu_index(), f->rsp,
	      f->rflags, g[RBP]);
	print("guest:   rax %lx rbx %lx rcx %lx rdx %lx rsi %lx rdi %lx\n",
	      g[RAX], g[RBX], g[RCX], g[RDX], g[RSI], g[RDI]);
	machine_exit(GUEST_EXIT_TRAP);
}

static void msr_read_cpl0(uint64_t arg, uint64_t unused, uint64_t *frame)
{
	struct msr_access *m = (struct msr_access *)arg;
	uint32_t lo = 0, hi = 0;

	(void)unused;
	(void)frame;
	m->failed = 1;
	asm volatile("1: rdmsr\n"
		     "movq $0, %[failed]\n"
		     "2:\n"
		     ".pushsection .fixups, \"a\"\n"
		     ".quad 1b, 2b\n"
		     ".popsection\n"
		     : "+a"(lo), "+d"(hi), [failed] "+m"(m->failed)
		     : "c"(m->msr));
	m->value = (uint64_t)hi << 32 | lo;
}

static void msr_write_cpl0(uint64_t arg, uint64_t unused, uint64_t *frame)
{
	struct msr_access *m = (struct msr_access *)arg;

	(void)unused;
	(void)frame;
	m->failed = 1;
	asm volatile("1: wrmsr\n"
		     "movq $0, %[failed]\n"
		     "2:\n"
		     ".pushsection .fixups, \"a\"\n"
		     ".quad 1b, 2b\n"
		     ".popsection\n"
		     : [failed] "+m"(m->failed)
		     : "a"((uint32_t)m->value),
		       "d"((uint32_t)(m->value >> 32)), "c"(m->msr) : "memory");
}

/**
 * msr_read - read a model-specific register
 * @msr:   number
 * @value: set to what it holds
 *
 * Return: 0, or -1 if the CPU has no such register.
 */
int msr_read(uint32_t msr, uint64_t *value)
{
	struct msr_access m = { .msr = msr };

	cpl0_call(msr_read_cpl0, (uint64_t)&m, 0);
	*value = m.value;
	return m.failed ? -1 : 0;
}

/**
 * msr_write - write a model-specific register
 * @msr:   number
 * @value: what to write
 *
 * Return: 0, or -1 if the CPU refuses.
 */
int msr_write(uint32_t msr, uint64_t value)
{
	struct msr_access m = { .msr = msr, .value = value };

	cpl0_call(msr_write_cpl0, (uint64_t)&m, 0);
	return m.failed ? -1 : 0;
}

static void sleep_cpl0(uint64_t counter, uint64_t value, uint64_t *frame)
{
	(void)frame;
	/*
	 * Interrupts are off: none comes between the look at the counter and
	 * hlt, because sti takes effect after the next instruction.
	 */
	if (*(const volatile uint32_t *)counter == value)
		asm volatile("sti; hlt; cli" : : : "memory");
}

/**
 * cpu_sleep_while - sleep until an interrupt, unless a counter has moved
 * @counter: changed by interrupts or by other CPUs before they send one
 * @value:   its value when there was nothing to do
 */
void cpu_sleep_while(const uint32_t *counter, uint32_t value)
{
	cpl0_call(sleep_cpl0, (uint64_t)counter, value);
}

static void irqs_on_cpl0(uint64_t a, uint64_t b, uint64_t *frame)
{
	(void)a;
	(void)b;
	frame[2] |= FLAGS_IF;
}

/**
 * irqs_on - let interrupts come from now on
 *
 * Context: user mode.
 */
void irqs_on(void)
{
	cpl0_call(irqs_on_cpl0, 0, 0);
}

static void no_idt_cpl0(uint64_t a, uint64_t b, uint64_t *frame)
{
	const struct table_pointer none = { 0, 0 };

	(void)a;
	(void)b;
	(void)frame;
	asm volatile("lidt %0" : : "m"(none));
}

/**
 * cpu_triple_fault - cause a shutdown of the CPU
 */
void cpu_triple_fault(void)
{
	cpl0_call(no_idt_cpl0, 0, 0);
	/* Breakpoint without a handler, and its faults have none either. */
	asm volatile("int3");
}

static void cpuid_cpl0(uint64_t a, uint64_t b, uint64_t *frame)
{
	struct cpuid *r = (struct cpuid *)b;

	(void)frame;
	asm volatile("cpuid" : "=a"(r->a), "=b"(r->b), "=c"(r->c), "=d"(r->d)
		     : "a"((uint32_t)a), "c"((uint32_t)(a >> 32)));
}

/**
 * cpuid - look at a CPUID leaf
 * @leaf:    EAX
 * @subleaf: ECX
 *
 * Return: the registers.
 */
struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid r;

	cpl0_call(cpuid_cpl0, leaf | (uint64_t)subleaf << 32, (uint64_t)&r);
	return r;
}
