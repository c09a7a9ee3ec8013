/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: arm64: CPU state
 *
 * All of the guest runs at EL1, each CPU on one stack. TPIDR_EL1 points to the
 * CPU's struct.
 */
#ifndef TESTS_KVM_GUEST_ARM64_CPU_H
#define TESTS_KVM_GUEST_ARM64_CPU_H

/* Where Image files are loaded: 2 MiB behind the beginning of RAM. */
#define IMAGE_BASE	0x40200000

/* Offset in struct cpu for the assembler. */
#define CPU_STACK	0

/* The frame of trap.S: x0 to x30, sp, elr, spsr. */
#define FRAME_SIZE	272

#ifndef __ASSEMBLER__
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdnoreturn.h>

#define CPUS_MAX	64

/* Affinity fields of MPIDR_EL1. */
#define MPIDR_AFFINITY	0xff00ffffffull

/**
 * struct cpu - a CPU of the guest
 * @stack:	top of its stack
 * @mpidr:	its affinity
 * @index:	0 for the boot CPU, then in the order of the device tree
 * @online:	set by the CPU itself when it waits for work
 * @has_work:	1 from when it shall run @work until that is done
 * @work:	what it shall run
 * @arg:	for @work
 * @result:	what @work returned
 */
struct cpu {
	uint64_t stack;
	uint64_t mpidr;
	uint32_t index;
	bool online;
	uint32_t has_work;
	int (*work)(unsigned int cpu, void *arg);
	void *arg;
	int result;
};

static_assert(offsetof(struct cpu, stack) == CPU_STACK, "offset");

/**
 * struct trap_frame - the registers at an exception
 * @x:    x0 to x30
 * @sp:   stack pointer
 * @elr:  where
 * @spsr: flags
 */
struct trap_frame {
	uint64_t x[31];
	uint64_t sp;
	uint64_t elr;
	uint64_t spsr;
};

static_assert(sizeof(struct trap_frame) == FRAME_SIZE, "trap.S");

#define sysreg_read(name)						\
	({								\
		uint64_t value_;					\
									\
		asm volatile("mrs %0, " name : "=r"(value_) : : "memory"); \
		value_;							\
	})

#define sysreg_write(name, value)					\
	({								\
		asm volatile("msr " name ", %0; isb"			\
			     : : "r"((uint64_t)(value)) : "memory");	\
	})

/* start.S */
extern char image_start[], image_end[], ap_start[];
extern uint64_t page_table[512];

/* cpu.c */
extern struct cpu boot_cpu;
struct cpu *cpu_self(void);
struct cpu *cpu_get(unsigned int index);
unsigned int cpus_listed(void);
void cpus_add(uint64_t mpidr);
int64_t psci(uint32_t function, uint64_t a, uint64_t b, uint64_t c);
void cpu_sleep_while(const uint32_t *counter, uint32_t value);
void irqs_on(void);
noreturn void exception_handle(const struct trap_frame *f, uint64_t kind);

#define PSCI_SYSTEM_OFF		0x84000008u
#define PSCI_SYSTEM_RESET	0x84000009u
#define PSCI_VERSION		0x84000000u
#define PSCI_CPU_ON		0xc4000003u

#endif
#endif
