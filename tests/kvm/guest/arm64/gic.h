/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: arm64: the interrupt controller GICv3, its ITS, and the virtual timer
 */
#ifndef TESTS_KVM_GUEST_ARM64_GIC_H
#define TESTS_KVM_GUEST_ARM64_GIC_H

#include <stdint.h>

#include "tests/kvm/guest/platform.h"

struct cpu;

/* What irq_alloc() gives out; those before it have a use of their own. */
#define IRQ_IPI			0u
#define IRQ_TICK		1u
#define IRQ_FIRST_FREE		16u
#define IRQS			256u

/* Locality-specific interrupts begin here; irq n is number LPI_FIRST + n. */
#define LPI_FIRST		8192u

/* gic.c */
int gic_init(void);
int gic_cpu_memory(struct cpu *c);
void gic_cpu_init(void);
void gic_ipi(uint64_t mpidr);
void tick_set(bool on);
void irq_handle(void);
volatile uint8_t *gic_redistributor(uint64_t mpidr);

/* its.c */
void its_init(void);
void its_cpu_add(struct cpu *c);
void its_cpu_enable(struct cpu *c);
struct msi_message its_message(unsigned int irq, unsigned int cpu,
			       uint16_t sender);

static inline uint32_t mmio_get(volatile uint8_t *base, unsigned int reg)
{
	return *(volatile uint32_t *)(base + reg);
}

static inline void mmio_put(volatile uint8_t *base, unsigned int reg,
			    uint32_t v)
{
	*(volatile uint32_t *)(base + reg) = v;
}

static inline uint64_t mmio_get64(volatile uint8_t *base, unsigned int reg)
{
	return *(volatile uint64_t *)(base + reg);
}

static inline void mmio_put64(volatile uint8_t *base, unsigned int reg,
			      uint64_t v)
{
	*(volatile uint64_t *)(base + reg) = v;
}

#endif
