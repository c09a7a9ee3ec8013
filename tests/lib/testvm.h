/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: a machine for device tests
 *
 * A machine without KVM and vCPUs: memory, buses and interrupts work in
 * software, and the test does through the bus what a driver would do. Whatever
 * fails while the machine is built ends the test at once with the reason, so
 * that a test need not check each step.
 *
 * The calling thread is the main loop's thread; testvm_poll() runs the loop.
 */
#ifndef TESTS_LIB_TESTVM_H
#define TESTS_LIB_TESTVM_H

#include "devices/pci/pci.h"
#include "vmm/arch.h"
#include "vmm/device.h"
#include "vmm/vm.h"

/* Where RAM begins on this architecture. */
#define TESTVM_RAM		arch_layout.ram_low.base

/* Where testvm_msix_enable() sends messages; data is the vector's number. */
#define TESTVM_MSI_ADDR(slot)	(0xfee00000ULL | (slot) << 12)

struct vm *testvm_create(u64 memory_bytes);
void testvm_destroy(struct vm *vm);
void testvm_poll(struct vm *vm);

struct device *testvm_add(struct vm *vm, const char *class_name, u32 index,
			  const char *options);
struct device *testvm_add_pci(struct vm *vm, const char *class_name,
			      u32 index, u32 slot, const char *options);
int testvm_try_add(struct vm *vm, const char *class_name, u32 index, u32 slot,
		   const char *options, struct device **out,
		   struct error *err);

u64 testvm_mmio_read(struct vm *vm, u64 addr, u32 len);
void testvm_mmio_write(struct vm *vm, u64 addr, u64 value, u32 len);
u64 testvm_pio_read(struct vm *vm, u64 port, u32 len);
void testvm_pio_write(struct vm *vm, u64 port, u64 value, u32 len);

u32 testvm_config_read(struct vm *vm, u32 slot, u32 reg, u32 len);
void testvm_config_write(struct vm *vm, u32 slot, u32 reg, u32 value, u32 len);
u32 testvm_capability(struct vm *vm, u32 slot, u8 id);
u64 testvm_bar(struct vm *vm, u32 slot, u32 bar);
void testvm_bus_master(struct vm *vm, u32 slot, bool on);
u64 testvm_msix_table(struct vm *vm, u32 slot);
u64 testvm_msix_pba(struct vm *vm, u32 slot);
void testvm_msix_enable(struct vm *vm, u32 slot, u32 vectors);
u64 testvm_msix_take(struct vm *vm, u32 slot, u32 vector);
u32 testvm_intx_gsi(u32 slot);

void *testvm_ram(struct vm *vm, u64 addr, u64 len);
u64 testvm_eventfd_take(int fd);

void *testvm_save(struct device *dev);
int testvm_load(struct device *dev, const void *state, struct error *err);

#endif /* TESTS_LIB_TESTVM_H */
