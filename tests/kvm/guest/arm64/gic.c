// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: arm64: distributor, redistributors, CPU interface, virtual timer
 *
 * An "irq" of platform.h is a number below IRQS. The tick and the interrupt
 * between CPUs have one each; a line that is attached brings the one it was
 * attached to; a message from a device is that of the LPI with this number.
 *
 * Arm GIC architecture specification (IHI 0069) 12; Arm ARM (DDI 0487) D12.
 */
#include "tests/kvm/guest/arm64/cpu.h"
#include "tests/kvm/guest/arm64/fdt.h"
#include "tests/kvm/guest/arm64/gic.h"
#include "tests/kvm/guest/lib.h"
#include "tests/kvm/guest/platform.h"

#define GICD_CTLR		0x0000
#define GICD_TYPER		0x0004
#define GICD_IGROUPR		0x0080
#define GICD_ISENABLER		0x0100
#define GICD_ICENABLER		0x0180
#define GICD_IPRIORITYR		0x0400
#define GICD_ICFGR		0x0c00
#define GICD_IROUTER		0x6000
#define GICD_CTLR_RWP		(1u << 31)
#define GICD_CTLR_ON		0x12u		/* affinities, group 1 */

#define GICR_TYPER		0x0008
#define GICR_WAKER		0x0014
#define GICR_STRIDE		0x20000
#define GICR_SGI		0x10000		/* the second frame */
#define GICR_TYPER_LAST		0x10
#define GICR_WAKER_SLEEP	0x2u
#define GICR_WAKER_ASLEEP	0x4u

#define SGI_IPI			0u
#define PPI_TIMER		27u
#define SPI_FIRST		32u
#define SPIS			64u
#define INTID_SPECIAL		1020u
#define PRIORITY		0xa0a0a0a0u

#define ICC_PMR			"s3_0_c4_c6_0"
#define ICC_IAR1		"s3_0_c12_c12_0"
#define ICC_EOIR1		"s3_0_c12_c12_1"
#define ICC_BPR1		"s3_0_c12_c12_3"
#define ICC_CTLR		"s3_0_c12_c12_4"
#define ICC_SRE			"s3_0_c12_c12_5"
#define ICC_IGRPEN1		"s3_0_c12_c12_7"
#define ICC_SGI1R		"s3_0_c12_c11_5"

#define TIMER_ON		1u

const unsigned int irq_tick = IRQ_TICK;

static volatile uint8_t *dist;
static volatile uint8_t *redist;
static uint64_t redist_size;
static unsigned int lines;

static uint32_t irq_count[IRQS];
static irq_hook irq_hooks[IRQS];
static uint8_t irq_used[IRQS];
/* By line: the irq that it brings, 0 for none (which is the IPI's). */
static uint8_t line_irq[SPIS];
static struct lock lock;

/**
 * gic_redistributor - a CPU's redistributor
 * @mpidr: the CPU
 *
 * Return: its registers, NULL if there is none.
 */
volatile uint8_t *gic_redistributor(uint64_t mpidr)
{
	const uint32_t affinity = (uint32_t)(mpidr >> 32 << 24) |
				  (uint32_t)(mpidr & 0xffffff);
	uint64_t at, type;

	for (at = 0; at < redist_size; at += GICR_STRIDE) {
		type = mmio_get64(redist + at, GICR_TYPER);
		if (type >> 32 == affinity)
			return redist + at;
		if (type & GICR_TYPER_LAST)
			break;
	}
	return NULL;
}

static void dist_settle(void)
{
	while (mmio_get(dist, GICD_CTLR) & GICD_CTLR_RWP)
		cpu_relax();
}

/**
 * gic_init - find the interrupt controller, switch it on, all lines masked
 *
 * Context: boot CPU, memory can be allocated.
 * Return: 0, or -1 after reporting what is wrong.
 */
int gic_init(void)
{
	struct fdt_node n;
	unsigned int i;

	CHECK(fdt_find(&n, "arm,gic-v3", 0), "the tree has no GICv3");
	dist = mmio_map(fdt_cells(&n, "reg", 0, 2), fdt_cells(&n, "reg", 2, 2));
	redist_size = fdt_cells(&n, "reg", 6, 2);
	redist = mmio_map(fdt_cells(&n, "reg", 4, 2), redist_size);
	lines = MIN(32 * ((mmio_get(dist, GICD_TYPER) & 31) + 1) - SPI_FIRST,
		    SPIS);
	mmio_put(dist, GICD_CTLR, 0);
	dist_settle();
	for (i = SPI_FIRST; i < SPI_FIRST + lines; i += 32) {
		mmio_put(dist, GICD_ICENABLER + i / 8, 0xffffffff);
		mmio_put(dist, GICD_IGROUPR + i / 8, 0xffffffff);
	}
	for (i = SPI_FIRST; i < SPI_FIRST + lines; i += 4)
		mmio_put(dist, GICD_IPRIORITYR + i, PRIORITY);
	mmio_put(dist, GICD_CTLR, GICD_CTLR_ON);
	dist_settle();
	its_init();
	CHECK(!gic_cpu_memory(&boot_cpu), "no redistributor");
	gic_cpu_init();
	return 0;
}

/**
 * gic_cpu_memory - what a CPU's part of the controller needs of memory
 * @c: the CPU
 *
 * Context: boot CPU; @c does not run yet.
 * Return: 0, or -1 if it has no part in it.
 */
int gic_cpu_memory(struct cpu *c)
{
	if (!gic_redistributor(c->mpidr))
		return -1;
	its_cpu_add(c);
	return 0;
}

/**
 * gic_cpu_init - switch this CPU's part on, start the tick
 *
 * Context: each CPU, interrupts off.
 */
void gic_cpu_init(void)
{
	volatile uint8_t *r = gic_redistributor(cpu_self()->mpidr);
	volatile uint8_t *sgi = r + GICR_SGI;
	unsigned int i;

	mmio_put(r, GICR_WAKER, mmio_get(r, GICR_WAKER) & ~GICR_WAKER_SLEEP);
	while (mmio_get(r, GICR_WAKER) & GICR_WAKER_ASLEEP)
		cpu_relax();
	its_cpu_enable(cpu_self());
	mmio_put(sgi, GICD_IGROUPR, 0xffffffff);
	for (i = 0; i < 32; i += 4)
		mmio_put(sgi, GICD_IPRIORITYR + i, PRIORITY);
	mmio_put(sgi, GICD_ISENABLER, 1u << SGI_IPI | 1u << PPI_TIMER);
	sysreg_write(ICC_SRE, sysreg_read(ICC_SRE) | 1);
	sysreg_write(ICC_PMR, 0xff);
	sysreg_write(ICC_BPR1, 0);
	sysreg_write(ICC_CTLR, 0);
	sysreg_write(ICC_IGRPEN1, 1);
	tick_set(true);
}

/**
 * tick_set - this CPU's regular timer interrupt
 * @on: start or stop
 */
void tick_set(bool on)
{
	sysreg_write("cntv_tval_el0", sysreg_read("cntfrq_el0") / TICK_HZ);
	sysreg_write("cntv_ctl_el0", on ? TIMER_ON : 0);
}

/**
 * gic_ipi - send an interrupt to a CPU
 * @mpidr: which
 */
void gic_ipi(uint64_t mpidr)
{
	asm volatile("dsb sy" : : : "memory");
	sysreg_write(ICC_SGI1R, (mpidr >> 32 & 0xff) << 48 |
		     (mpidr >> 16 & 0xff) << 32 | (uint64_t)SGI_IPI << 24 |
		     (mpidr >> 8 & 0xff) << 16 | 1ull << (mpidr & 15));
}

/* Which irq an interrupt of the controller is; IRQS if it is none of ours. */
static unsigned int irq_of(uint32_t intid)
{
	if (intid >= LPI_FIRST)
		return MIN(intid - LPI_FIRST, IRQS);
	if (intid == PPI_TIMER)
		return IRQ_TICK;
	if (intid == SGI_IPI)
		return IRQ_IPI;
	if (intid >= SPI_FIRST && intid < SPI_FIRST + SPIS &&
	    line_irq[intid - SPI_FIRST])
		return line_irq[intid - SPI_FIRST];
	return IRQS;
}

/**
 * irq_handle - an interrupt has come in
 *
 * Context: interrupts off, called by trap.S.
 */
void irq_handle(void)
{
	const uint32_t intid = (uint32_t)sysreg_read(ICC_IAR1);
	const unsigned int irq = irq_of(intid);

	if (intid >= INTID_SPECIAL && intid < LPI_FIRST)
		return;
	if (irq == IRQ_TICK)
		tick_set(true);
	if (irq < IRQS) {
		__atomic_add_fetch(&irq_count[irq], 1, __ATOMIC_RELEASE);
		if (irq_hooks[irq])
			irq_hooks[irq](irq);
	}
	sysreg_write(ICC_EOIR1, intid);
}

/**
 * irq_alloc - get an interrupt
 * @hook: called at each, or NULL
 *
 * Return: its number, or -1 if there is none left.
 */
int irq_alloc(irq_hook hook)
{
	unsigned int i;
	int found = -1;

	lock_take(&lock);
	for (i = IRQ_FIRST_FREE; i < IRQS && found < 0; i++) {
		if (irq_used[i])
			continue;
		irq_used[i] = 1;
		irq_hooks[i] = hook;
		found = (int)i;
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
	irq_used[irq] = 0;
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

/**
 * irq_message - what a device has to write to raise an interrupt
 * @irq:    interrupt
 * @cpu:    the CPU that shall get it
 * @sender: bus, device and function
 *
 * Return: address and data.
 */
struct msi_message irq_message(unsigned int irq, unsigned int cpu,
			       uint16_t sender)
{
	return its_message(irq, cpu, sender);
}

/**
 * irq_line_count - how many interrupt lines there are
 *
 * Return: the number.
 */
unsigned int irq_line_count(void)
{
	return lines;
}

/**
 * irq_line_attach - let a line raise an interrupt of the boot CPU
 * @line:  number of the shared peripheral interrupt
 * @irq:   interrupt
 * @level: level-triggered; what this controller's lines are in any case, but
 *	   those of devices that ask for an edge
 *
 * Return: 0, or -1 if there is no such line.
 */
int irq_line_attach(unsigned int line, unsigned int irq, bool level)
{
	const unsigned int intid = SPI_FIRST + line;

	(void)level;
	if (line >= lines)
		return -1;
	line_irq[line] = (uint8_t)irq;
	mmio_put64(dist, GICD_IROUTER + 8 * intid, boot_cpu.mpidr);
	memory_barrier();
	mmio_put(dist, GICD_ISENABLER + intid / 32 * 4, 1u << intid % 32);
	return 0;
}

/**
 * irq_line_detach - mask a line
 * @line: number
 */
void irq_line_detach(unsigned int line)
{
	const unsigned int intid = SPI_FIRST + line;

	if (line >= lines)
		return;
	mmio_put(dist, GICD_ICENABLER + intid / 32 * 4, 1u << intid % 32);
	dist_settle();
	line_irq[line] = 0;
}
