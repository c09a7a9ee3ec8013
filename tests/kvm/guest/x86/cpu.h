/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: x86-64: CPU state, privileged calls, port I/O
 *
 * The guest's body runs in user mode (CPL 3) with all memory mapped for it, so
 * MMIO works there. What needs CPL 0 (ports, MSRs, CPUID, hlt, the interrupt
 * flag) goes through cpl0_call(). The reason: some hosts run guest user mode
 * at full speed, but emulate guest kernel mode instruction by instruction and
 * do not know IOPL.
 */
#ifndef TESTS_KVM_GUEST_X86_CPU_H
#define TESTS_KVM_GUEST_X86_CPU_H

/* Segment selectors; each CPU's TSS descriptor follows (16 bytes each). */
#define SEL_CODE32	0x08
#define SEL_CODE64	0x10
#define SEL_DATA	0x18
#define SEL_USER_DATA	0x23
#define SEL_USER_CODE	0x2b
#define SEL_TSS		0x30

/* Flags of the user mode body at its start: interrupts off. */
#define USER_FLAGS	0x002
#define FLAGS_IF	0x200

#define CPUS_MAX	256

/* Where the other CPUs start in real mode. */
#define AP_START	0x8000

/* The breakpoint exception: some hosts pass no other software interrupt. */
#define VECTOR_CPL0	3
#define VECTOR_SPURIOUS	0xff

/* Offsets in struct cpu for the assembler. */
#define CPU_IRQ_STACK	8
#define CPU_STACK	16

/* How the VMM entered the guest: kinds of boot information. */
#define BOOT_PVH	1
#define BOOT_LINUX	2

#ifndef __ASSEMBLER__
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct tss - the 64-bit task state segment
 * @reserved0:	zero
 * @rsp:	stacks for CPL 0 to 2
 * @reserved1:	zero
 * @stacks:	interrupt stack table, not used
 * @reserved2:	zero
 * @iomap:	end of the segment: no I/O bitmap
 */
struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t stacks[7];
	uint8_t reserved2[10];
	uint16_t iomap;
} __attribute__((packed));

static_assert(sizeof(struct tss) == 104, "TSS");

/**
 * struct cpu - a CPU of the guest, at the base of its GS segment
 * @self:	this struct
 * @irq_stack:	top of the CPL 0 stack
 * @stack:	top of the user mode stack
 * @index:	0 for the boot CPU, then in the order of the MADT
 * @apic_id:	its local APIC's id
 * @online:	set by the CPU itself when it waits for work
 * @has_work:	1 from when it shall run @work until that is done
 * @work:	what it shall run
 * @arg:	for @work
 * @result:	what @work returned
 * @tss:	its task state
 */
struct cpu {
	struct cpu *self;
	uint64_t irq_stack;
	uint64_t stack;
	uint32_t index;
	uint32_t apic_id;
	bool online;
	uint32_t has_work;
	int (*work)(unsigned int cpu, void *arg);
	void *arg;
	int result;
	struct tss tss;
};

static_assert(offsetof(struct cpu, irq_stack) == CPU_IRQ_STACK, "offset");
static_assert(offsetof(struct cpu, stack) == CPU_STACK, "offset");

/* The general registers in the order in which trap.S stores them. */
enum trap_register {
	R15, R14, R13, R12, R11, R10, R9, R8, RBP, RDI, RSI, RDX, RCX, RBX, RAX,
	REGISTERS,
};

/**
 * struct trap_frame - the registers at an exception
 * @general: by enum trap_register
 * @vector:  exception number
 * @error:   error code, 0 where there is none
 * @rip:     where
 * @cs:      code segment
 * @rflags:  flags
 * @rsp:     stack pointer
 * @ss:      stack segment
 */
struct trap_frame {
	uint64_t general[REGISTERS];
	uint64_t vector;
	uint64_t error;
	uint64_t rip;
	uint64_t cs;
	uint64_t rflags;
	uint64_t rsp;
	uint64_t ss;
};

/**
 * struct cpuid - the four registers of a CPUID leaf
 * @a: EAX
 * @b: EBX
 * @c: ECX
 * @d: EDX
 */
struct cpuid {
	uint32_t a, b, c, d;
};

/* What runs at CPL 0: @frame is rip, cs, rflags, rsp, ss of the caller. */
typedef void (*cpl0_fn)(uint64_t a, uint64_t b, uint64_t *frame);

/* trap.S */
void cpl0_call(cpl0_fn fn, uint64_t a, uint64_t b);
extern char irq_stubs[], exception_stubs[], cpl0_stub[], spurious_stub[];

/* start.S */
extern char ap_start[], ap_end[];
extern struct cpu *ap_cpu;
extern uint64_t boot_info, boot_kind;
extern uint64_t gdt[], pml4[], pdpt[];

/* cpu.c */
extern struct cpu boot_cpu;
void cpu_enter(struct cpu *c);
void exception_handle(struct trap_frame *f);
void idt_fill(void);
struct cpu *cpu_self(void);
int msr_read(uint32_t msr, uint64_t *value);
int msr_write(uint32_t msr, uint64_t value);
void cpu_sleep_while(const uint32_t *counter, uint32_t value);
void cpu_triple_fault(void);
struct cpuid cpuid(uint32_t leaf, uint32_t subleaf);
void irqs_on(void);

/* port.c */
void outb(uint16_t port, uint8_t v);
void outw(uint16_t port, uint16_t v);
void outl(uint16_t port, uint32_t v);
uint8_t inb(uint16_t port);
uint32_t inl(uint16_t port);

static inline uint64_t rdtsc(void)
{
	uint32_t lo, hi;

	asm volatile("rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

#endif
#endif
