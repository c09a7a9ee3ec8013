// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: x86-64: local APIC (xAPIC by MMIO, or x2APIC), I/O APIC, vectors
 *
 * An "irq" of platform.h is a vector. Vectors are given out for the whole
 * machine, and an MSI names the CPU, so one vector belongs to one CPU.
 *
 * The x2APIC is used if the command line says x2apic=1 or a CPU has an id
 * above 254.
 *
 * Intel SDM volume 3 chapter 11; Intel I/O APIC (82093AA) data sheet.
 */
#include "tests/kvm/guest/lib.h"
#include "tests/kvm/guest/x86/acpi.h"
#include "tests/kvm/guest/x86/apic.h"
#include "tests/kvm/guest/x86/cpu.h"
#include "tests/kvm/guest/x86/smp.h"

#define MSR_APIC_BASE		0x1b
#define APIC_BASE_X2APIC	(1u << 10)
#define APIC_BASE_ENABLE	(1u << 11)
#define MSR_X2APIC		0x800
#define MSR_X2APIC_ICR		0x830
#define LAPIC_DEFAULT		0xfee00000u
#define TIMER_HZ		1000000000u	/* KVM and QEMU; measured by a test */
#define TIMER_DIVIDE_16		3

#define IOAPIC_VERSION		1
#define IOAPIC_ENTRY(n)		(0x10 + 2 * (n))
#define IOAPIC_MASKED		0x10000u
#define IOAPIC_LEVEL		0x08000u

/* Interrupts that have come in, by vector; written by trap.S. */
uint32_t irq_count[256];
irq_hook irq_hooks[256];
const unsigned int irq_tick = VECTOR_TICK;
bool lapic_x2apic;
uint64_t lapic_eoi = LAPIC_DEFAULT + LAPIC_EOI;

static uint64_t lapic_base = LAPIC_DEFAULT;
static volatile uint32_t *ioapic;
static unsigned int ioapic_pins;
static uint8_t vector_used[256];
static struct lock lock;

/**
 * lapic_read - read a register of this CPU's local APIC
 * @reg: LAPIC_*
 *
 * Return: its value, the low 32 bits.
 */
uint32_t lapic_read(unsigned int reg)
{
	uint64_t v = 0;

	if (!lapic_x2apic)
		return *(volatile uint32_t *)(lapic_base + reg);
	msr_read(MSR_X2APIC + reg / 16, &v);
	return (uint32_t)v;
}

/**
 * lapic_write - write a register of this CPU's local APIC
 * @reg: LAPIC_*, not the ICR
 * @v:   value
 */
void lapic_write(unsigned int reg, uint32_t v)
{
	if (lapic_x2apic)
		msr_write(MSR_X2APIC + reg / 16, v);
	else
		*(volatile uint32_t *)(lapic_base + reg) = v;
}

/**
 * lapic_own_id - the id of this CPU's local APIC
 *
 * Return: the id.
 */
uint32_t lapic_own_id(void)
{
	const uint32_t v = lapic_read(LAPIC_ID);

	return lapic_x2apic ? v : v >> 24;
}

/**
 * lapic_ipi - send an interprocessor interrupt
 * @apic_id: to which CPU
 * @icr:     ICR_* and a vector
 */
void lapic_ipi(uint32_t apic_id, uint32_t icr)
{
	if (lapic_x2apic) {
		msr_write(MSR_X2APIC_ICR, (uint64_t)apic_id << 32 | icr);
		return;
	}
	lapic_write(LAPIC_ICR_HIGH, apic_id << 24);
	lapic_write(LAPIC_ICR, icr);
}

/**
 * lapic_tick - this CPU's regular timer interrupt
 * @on: start or stop
 */
void lapic_tick(bool on)
{
	lapic_write(LAPIC_TIMER_DIVIDE, TIMER_DIVIDE_16);
	lapic_write(LAPIC_LVT_TIMER, VECTOR_TICK |
		    (on ? LVT_TIMER_PERIODIC : LVT_MASKED));
	lapic_write(LAPIC_TIMER_INITIAL, on ? TIMER_HZ / 16 / TICK_HZ : 0);
}

/**
 * lapic_init - switch this CPU's local APIC on and start the tick
 *
 * Context: each CPU, interrupts off.
 */
void lapic_init(void)
{
	uint64_t base = 0;

	if (cpu_index() == 0)
		lapic_x2apic = arg_number("x2apic", 0) ||
			       cpus_highest_id() > 254;
	if (lapic_x2apic && !msr_read(MSR_APIC_BASE, &base))
		msr_write(MSR_APIC_BASE, base | APIC_BASE_ENABLE |
			  APIC_BASE_X2APIC);
	lapic_write(LAPIC_SPURIOUS, 0x100 | VECTOR_SPURIOUS);
	lapic_write(LAPIC_TPR, 0);
	lapic_write(LAPIC_LVT_LINT0, LVT_MASKED);
	lapic_tick(true);
}

/**
 * irq_alloc - get an interrupt
 * @hook: called at each, or NULL
 *
 * Return: its number, or -1 if there is none left.
 */
int irq_alloc(irq_hook hook)
{
	unsigned int v;
	int found = -1;

	lock_take(&lock);
	for (v = VECTOR_FIRST_FREE; v <= VECTOR_LAST_FREE && found < 0; v++) {
		if (vector_used[v])
			continue;
		vector_used[v] = 1;
		irq_hooks[v] = hook;
		found = (int)v;
	}
	lock_release(&lock);
	return found;
}

/**
 * irq_free - give an interrupt back
 * @irq: its number; the device does not raise it any more
 */
void irq_free(unsigned int irq)
{
	lock_take(&lock);
	vector_used[irq] = 0;
	irq_hooks[irq] = NULL;
	lock_release(&lock);
}

/**
 * irq_seen - how often an interrupt has come in
 * @irq: its number
 *
 * Return: the counter, which wraps.
 */
uint32_t irq_seen(unsigned int irq)
{
	return __atomic_load_n(&irq_count[irq], __ATOMIC_ACQUIRE);
}

/**
 * irq_message - what a device has to write to raise an interrupt
 * @irq: interrupt
 * @cpu: the CPU that shall get it
 * @sender: the device, of which nothing depends here
 *
 * Ids above 255 use the bits that KVM defines for them (bits 11:5 of the
 * address are id bits 14:8).
 *
 * Return: address and data.
 */
struct msi_message irq_message(unsigned int irq, unsigned int cpu,
			       uint16_t sender)
{
	const uint32_t id = cpu_get(cpu)->apic_id;

	(void)sender;
	return (struct msi_message){
		.address = LAPIC_DEFAULT | (id & 0xff) << 12 | (id >> 8) << 5,
		.data = irq,
	};
}

/**
 * irq_wait - sleep until an interrupt has come in
 * @irq:  which
 * @seen: irq_seen() before the caller looked for work
 *
 * Returns at other interrupts and at each tick too.
 */
void irq_wait(unsigned int irq, uint32_t seen)
{
	cpu_sleep_while(&irq_count[irq], seen);
}

static void ioapic_write(unsigned int reg, uint32_t v)
{
	ioapic[0] = reg;
	ioapic[4] = v;
}

/**
 * ioapic_init - find the I/O APIC and mask all of it; mask the old PICs
 */
void ioapic_init(void)
{
	unsigned int i;

	/* Firmware may have left the PICs on; their vectors are exceptions. */
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
	ioapic = mmio_map(acpi_ioapic_address(), 0x1000);
	ioapic[0] = IOAPIC_VERSION;
	ioapic_pins = (ioapic[4] >> 16 & 0xff) + 1;
	for (i = 0; i < ioapic_pins; i++)
		ioapic_write(IOAPIC_ENTRY(i), IOAPIC_MASKED);
}

/**
 * irq_line_count - how many interrupt lines the I/O APIC has
 *
 * Return: the number.
 */
unsigned int irq_line_count(void)
{
	return ioapic_pins;
}

/**
 * irq_line_attach - let a line raise an interrupt of the boot CPU
 * @line:  I/O APIC pin
 * @irq:   interrupt
 * @level: level-triggered, as PCI has it; else edge, as ISA has it
 *
 * Return: 0, or -1 if there is no such line.
 */
int irq_line_attach(unsigned int line, unsigned int irq, bool level)
{
	if (line >= ioapic_pins)
		return -1;
	ioapic_write(IOAPIC_ENTRY(line) + 1, cpu_get(0)->apic_id << 24);
	ioapic_write(IOAPIC_ENTRY(line), irq | (level ? IOAPIC_LEVEL : 0));
	return 0;
}

/**
 * irq_line_detach - mask a line
 * @line: I/O APIC pin
 */
void irq_line_detach(unsigned int line)
{
	if (line < ioapic_pins)
		ioapic_write(IOAPIC_ENTRY(line), IOAPIC_MASKED);
}
