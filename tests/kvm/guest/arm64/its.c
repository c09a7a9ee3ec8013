// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: arm64: the Interrupt Translation Service
 *
 * A device writes the number of an irq to the ITS's register, and the ITS knows
 * from who wrote it, and from tables that this file has it build, that this is
 * the LPI of that irq and which CPU shall get it. Each CPU is a collection of
 * its own. All tables are made at the start, since a test may want all memory
 * later on; those of a device with its first interrupt.
 *
 * Arm GIC architecture specification (IHI 0069) 5 and 12.
 */
#include "tests/kvm/guest/arm64/cpu.h"
#include "tests/kvm/guest/arm64/fdt.h"
#include "tests/kvm/guest/arm64/gic.h"
#include "tests/kvm/guest/lib.h"
#include "tests/kvm/guest/mem.h"
#include "tests/kvm/guest/platform.h"

#define GITS_CTLR		0x0000
#define GITS_TYPER		0x0008
#define GITS_CBASER		0x0080
#define GITS_CWRITER		0x0088
#define GITS_CREADR		0x0090
#define GITS_BASER(n)		(0x0100 + 8 * (n))
#define GITS_BASERS		8u
#define GITS_TRANSLATER		0x10040

#define BASER_TYPE(v)		((v) >> 56 & 7)
#define BASER_DEVICES		1u
#define BASER_COLLECTIONS	4u
#define TABLE_VALID		(1ull << 63)
#define TABLE_CACHED		(7ull << 59 | 1ull << 10)
#define TABLE_64K		(2ull << 8)

#define GICR_CTLR		0x0000
#define GICR_TYPER		0x0008
#define GICR_PROPBASER		0x0070
#define GICR_PENDBASER		0x0078
#define GICR_CTLR_LPIS		1u
#define LPI_CACHED		(7ull << 7 | 1ull << 10)
#define LPI_ID_BITS		14u
#define LPI_ON			0xa1		/* priority, enabled */

#define CMD_MAPD		0x08
#define CMD_MAPC		0x09
#define CMD_MAPTI		0x0a
#define CMD_INV			0x0c
#define CMD_SYNC		0x05
#define CMD_DISCARD		0x0f
#define CMD_WORDS		4u
#define QUEUE_SIZE		KIB(64)

#define EVENT_BITS		8u		/* an event for each irq */
#define DEVICES_MAX		64u

/**
 * struct its_event - an irq of a device
 * @sender: the device
 * @cpu:    who gets it
 * @mapped: the ITS knows it
 */
struct its_event {
	uint16_t sender;
	uint16_t cpu;
	bool mapped;
};

static volatile uint8_t *its;
static uint64_t *queue;
static unsigned int queue_tail;
static uint8_t *lpi_config;
static struct its_event events[IRQS];
static uint16_t devices[DEVICES_MAX];
static unsigned int devices_nr;
static struct lock lock;

/* One command, and waits until it has been done. */
static void command(uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t *at = queue + queue_tail * CMD_WORDS;

	at[0] = a;
	at[1] = b;
	at[2] = c;
	at[3] = 0;
	memory_barrier();
	queue_tail = (queue_tail + 1) % (QUEUE_SIZE / 8 / CMD_WORDS);
	mmio_put64(its, GITS_CWRITER, queue_tail * CMD_WORDS * 8);
	while (mmio_get64(its, GITS_CREADR) != queue_tail * CMD_WORDS * 8)
		cpu_relax();
}

/* How the ITS calls a CPU's redistributor. */
static uint64_t target(const struct cpu *c)
{
	const uint64_t type = mmio_get64(gic_redistributor(c->mpidr),
					 GICR_TYPER);

	return (type >> 8 & 0xffff) << 16;
}

static void tables_make(void)
{
	unsigned int i;

	for (i = 0; i < GITS_BASERS; i++) {
		const uint64_t v = mmio_get64(its, GITS_BASER(i));

		if (BASER_TYPE(v) == BASER_DEVICES ||
		    BASER_TYPE(v) == BASER_COLLECTIONS)
			mmio_put64(its, GITS_BASER(i), TABLE_VALID |
				   TABLE_CACHED | TABLE_64K |
				   (uint64_t)mem_alloc(KIB(64), KIB(64)));
	}
}

/**
 * its_init - find the ITS, give it its tables, switch it on
 *
 * Context: boot CPU. Does nothing on a machine without an ITS.
 */
void its_init(void)
{
	const uint64_t at = fdt_address("arm,gic-v3-its", 0);

	if (!at)
		return;
	its = mmio_map(at, GITS_TRANSLATER + 4);
	lpi_config = mem_alloc((1u << LPI_ID_BITS) - LPI_FIRST, PAGE_SIZE);
	tables_make();
	queue = mem_alloc(QUEUE_SIZE, KIB(64));
	mmio_put64(its, GITS_CBASER, TABLE_VALID | TABLE_CACHED |
		   (uint64_t)queue | (QUEUE_SIZE / PAGE_SIZE - 1));
	mmio_put64(its, GITS_CWRITER, 0);
	mmio_put(its, GITS_CTLR, 1);
}

/**
 * its_cpu_add - the tables of a CPU's redistributor
 * @c: the CPU
 *
 * Context: boot CPU; @c does not take interrupts yet.
 */
void its_cpu_add(struct cpu *c)
{
	volatile uint8_t *r = gic_redistributor(c->mpidr);

	if (!its)
		return;
	mmio_put64(r, GICR_PROPBASER, LPI_CACHED | (uint64_t)lpi_config |
		   (LPI_ID_BITS - 1));
	mmio_put64(r, GICR_PENDBASER, LPI_CACHED | 1ull << 62 |
		   (uint64_t)mem_alloc(KIB(64), KIB(64)));
}

/**
 * its_cpu_enable - let this CPU take messages
 * @c: this CPU
 */
void its_cpu_enable(struct cpu *c)
{
	volatile uint8_t *r = gic_redistributor(c->mpidr);

	if (!its)
		return;
	mmio_put(r, GICR_CTLR, mmio_get(r, GICR_CTLR) | GICR_CTLR_LPIS);
	lock_take(&lock);
	command(CMD_MAPC, 0, TABLE_VALID | target(c) | c->index);
	command(CMD_SYNC, 0, target(c));
	lock_release(&lock);
}

static void device_map(uint16_t sender)
{
	const unsigned int entry = (mmio_get64(its, GITS_TYPER) >> 4 & 15) + 1;
	unsigned int i;

	for (i = 0; i < devices_nr; i++)
		if (devices[i] == sender)
			return;
	if (devices_nr == DEVICES_MAX) {
		print("guest: too many devices with messages\n");
		machine_fail();
	}
	devices[devices_nr++] = sender;
	command(CMD_MAPD | (uint64_t)sender << 32, EVENT_BITS - 1, TABLE_VALID |
		(uint64_t)mem_alloc((size_t)entry << EVENT_BITS, 256));
}

/**
 * its_message - what a device has to write to raise an interrupt
 * @irq:    interrupt
 * @cpu:    the CPU that shall get it
 * @sender: bus, device and function
 *
 * Ends the machine if there is no ITS.
 *
 * Return: address and data.
 */
struct msi_message its_message(unsigned int irq, unsigned int cpu,
			       uint16_t sender)
{
	struct its_event *e = &events[irq];

	if (!its) {
		print("guest: no ITS, and so no messages\n");
		machine_fail();
	}
	lock_take(&lock);
	device_map(sender);
	if (e->mapped && (e->sender != sender || e->cpu != cpu)) {
		command(CMD_DISCARD | (uint64_t)e->sender << 32, irq, 0);
		e->mapped = false;
	}
	if (!e->mapped) {
		lpi_config[irq] = LPI_ON;
		command(CMD_MAPTI | (uint64_t)sender << 32,
			irq | (uint64_t)(LPI_FIRST + irq) << 32, cpu);
		command(CMD_INV | (uint64_t)sender << 32, irq, 0);
		command(CMD_SYNC, 0, target(cpu_get(cpu)));
		*e = (struct its_event){ sender, (uint16_t)cpu, true };
	}
	lock_release(&lock);
	return (struct msi_message){
		.address = (uint64_t)its + GITS_TRANSLATER, .data = irq,
	};
}
