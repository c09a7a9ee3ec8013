/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_X86_ACPI_H
#define LKVM_X86_ACPI_H

#include "vmm/arch.h"
#include "vmm/base/error.h"
#include "vmm/base/types.h"

struct guest_gate;
struct vm;

/**
 * struct acpi_params - what the tables say about a machine
 * @cpus: vCPUs, with local APIC ids from 0
 * @devices: X86_DSDT_* bits
 * @mmio64: window for 64-bit BARs, of size 0 for none
 */
struct acpi_params {
	u32 cpus;
	u32 devices;
	struct arch_range mmio64;
};

/**
 * struct acpi_tables - the tables, as they lie at X86_ACPI_BASE
 * @size: bytes in use of @data
 * @capacity: bytes that there is room for
 * @data: the RSDP first
 */
struct acpi_tables {
	u32 size;
	u32 capacity;
	u8 *data;
};

int acpi_build(const struct acpi_params *params, struct acpi_tables *tables,
	       struct error *err) __must_check;
int acpi_load(struct vm *vm, struct guest_gate *gate, u64 *rsdp,
	      struct error *err) __must_check;
int aml_patch_dword(u8 *aml, size_t len, const char *name, u32 value)
	__must_check;
int aml_patch_qword(u8 *aml, size_t len, const char *name, u64 value)
	__must_check;

#endif /* LKVM_X86_ACPI_H */
