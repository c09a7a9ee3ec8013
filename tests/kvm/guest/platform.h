/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: what the guest's drivers and tests need from the architecture
 *
 * The files beside this one know nothing of a CPU architecture; a folder per
 * architecture (x86/, arm64/) has the entry code and the functions below. Memory is
 * mapped one to one, so a pointer to RAM is also the address for a device.
 */
#ifndef TESTS_KVM_GUEST_PLATFORM_H
#define TESTS_KVM_GUEST_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdnoreturn.h>

/**
 * struct msi_message - how a device reaches an interrupt of this machine
 * @address: what it writes to
 * @data:    what it writes
 */
struct msi_message {
	uint64_t address;
	uint32_t data;
};

/* Called in interrupt context before the interrupt is acknowledged. */
typedef void (*irq_hook)(unsigned int irq);

/* console: the first serial port */
void console_write(const char *s, size_t len);
int console_read(void);

/* the end of the machine: neither comes back */
noreturn void machine_exit(uint8_t value);
noreturn void machine_fail(void);

/* time since start, and by the real-time clock since 1970 */
uint64_t now_ns(void);
void delay_us(uint64_t us);
uint64_t rtc_seconds(void);

/* CPUs */
unsigned int cpu_count(void);
unsigned int cpu_index(void);
int cpus_start(unsigned int wanted);
int cpus_run(int (*fn)(unsigned int cpu, void *arg), void *arg);
void cpu_relax(void);

/*
 * interrupts: an irq is a small number that means the same on each CPU. The
 * tick ends sleeps, so a lost interrupt does not hang the guest.
 */
#define TICK_HZ		50u
extern const unsigned int irq_tick;
int irq_alloc(irq_hook hook);
void irq_free(unsigned int irq);
uint32_t irq_seen(unsigned int irq);
struct msi_message irq_message(unsigned int irq, unsigned int cpu,
			       uint16_t sender);
void irq_wait(unsigned int irq, uint32_t seen);
int irq_line_attach(unsigned int line, unsigned int irq, bool level);
void irq_line_detach(unsigned int line);
unsigned int irq_line_count(void);

/* memory */
void *mmio_map(uint64_t addr, uint64_t size);
void bytes_set(void *dst, int c, size_t n);
void bytes_copy(void *dst, const void *src, size_t n);
void memory_barrier(void);

/*
 * PCI configuration space: by the ECAM window if ecam is true, else by ports if
 * the architecture has them
 */
uint32_t pci_config_read(uint16_t bdf, unsigned int reg, bool ecam);
void pci_config_write(uint16_t bdf, unsigned int reg, uint32_t v, bool ecam);
bool pci_has_ecam(void);

#endif
