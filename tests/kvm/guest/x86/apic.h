/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: x86-64: local APIC and I/O APIC
 */
#ifndef TESTS_KVM_GUEST_X86_APIC_H
#define TESTS_KVM_GUEST_X86_APIC_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/kvm/guest/platform.h"

/* Local APIC registers: offsets in the page; in x2APIC mode MSR 0x800 + n/16. */
#define LAPIC_ID		0x020
#define LAPIC_VERSION		0x030
#define LAPIC_TPR		0x080
#define LAPIC_EOI		0x0b0
#define LAPIC_SPURIOUS		0x0f0
#define LAPIC_ICR		0x300
#define LAPIC_ICR_HIGH		0x310
#define LAPIC_LVT_TIMER		0x320
#define LAPIC_LVT_LINT0		0x350
#define LAPIC_LVT_LINT1		0x360
#define LAPIC_TIMER_INITIAL	0x380
#define LAPIC_TIMER_CURRENT	0x390
#define LAPIC_TIMER_DIVIDE	0x3e0

#define LVT_MASKED		0x10000u
#define LVT_TIMER_PERIODIC	0x20000u
#define LVT_TIMER_DEADLINE	0x40000u

#define ICR_INIT		0x4500u
#define ICR_STARTUP		0x4600u
#define ICR_FIXED		0x4000u

/* The vectors that this guest gives out. */
#define VECTOR_TICK		0x20
#define VECTOR_IPI		0x21
#define VECTOR_FIRST_FREE	0x30
#define VECTOR_LAST_FREE	0xef

extern uint32_t irq_count[256];
extern irq_hook irq_hooks[256];
extern bool lapic_x2apic;
extern uint64_t lapic_eoi;

void lapic_init(void);
uint32_t lapic_read(unsigned int reg);
void lapic_write(unsigned int reg, uint32_t v);
uint32_t lapic_own_id(void);
void lapic_ipi(uint32_t apic_id, uint32_t icr);
void lapic_tick(bool on);
void ioapic_init(void);

#endif
