/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: x86-64: the CPUs that the MADT lists
 */
#ifndef TESTS_KVM_GUEST_X86_SMP_H
#define TESTS_KVM_GUEST_X86_SMP_H

#include <stdint.h>

struct cpu;

void cpus_add(uint32_t apic_id);
uint32_t cpus_highest_id(void);
struct cpu *cpu_get(unsigned int index);

#endif
