// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: arm64: the start of the body, memory, time, devices in memory, the end
 *
 * Everything is where the device tree says, but for the register that ends the
 * machine, of which no tree tells.
 */
#include "tests/kvm/guest/arm64/cpu.h"
#include "tests/kvm/guest/arm64/fdt.h"
#include "tests/kvm/guest/arm64/gic.h"
#include "tests/kvm/guest/lib.h"
#include "tests/kvm/guest/mem.h"
#include "tests/kvm/guest/platform.h"
#include "tests/kvm/guest/serial.h"
#include "tests/kvm/guest/test.h"
#include "tests/kvm/proto.h"

#define PAGE_DEVICE	0x0060000000000401ull
#define PAGE_NORMAL	0x0000000000000705ull
#define TYPE_RESERVED	2u
#define RESERVED_MAX	8u

/**
 * struct port_place - a serial port
 * @regs: its registers
 * @line: its interrupt
 */
struct port_place {
	volatile uint8_t *regs;
	unsigned int line;
};

static struct port_place ports[SERIAL_PORTS];
static volatile uint8_t *ecam;
static volatile uint8_t *rtc;
static uint64_t time_start;
static uint64_t ns_per_tick;	/* 32-bit fraction */

/**
 * bytes_set - fill memory
 * @dst: where
 * @c:   byte
 * @n:   how many
 */
void bytes_set(void *dst, int c, size_t n)
{
	const uint64_t word = (uint8_t)c * 0x0101010101010101ull;
	uint8_t *d = dst;

	for (; n && (uint64_t)d % 8; n--)
		*d++ = (uint8_t)c;
	for (; n >= 8; n -= 8, d += 8)
		*(uint64_t *)d = word;
	for (; n; n--)
		*d++ = (uint8_t)c;
}

/**
 * bytes_copy - copy memory
 * @dst: where to
 * @src: where from, no overlap
 * @n:   bytes
 */
void bytes_copy(void *dst, const void *src, size_t n)
{
	const uint8_t *s = src;
	uint8_t *d = dst;

	if (!(((uint64_t)d | (uint64_t)s) % 8))
		for (; n >= 8; n -= 8, d += 8, s += 8)
			*(uint64_t *)d = *(const uint64_t *)s;
	for (; n; n--)
		*d++ = *s++;
}

/**
 * memory_barrier - order all accesses before it against all after it
 */
void memory_barrier(void)
{
	asm volatile("dsb sy" : : : "memory");
}

/**
 * machine_exit - end the machine
 * @value: for the debug-exit register; a machine without it is switched off
 */
void machine_exit(uint8_t value)
{
	*(volatile uint8_t *)GUEST_EXIT_ADDRESS = value;
	psci(PSCI_SYSTEM_OFF, 0, 0, 0);
	for (;;)
		cpu_relax();
}

/**
 * machine_fail - end the machine after a failure that has been reported
 */
void machine_fail(void)
{
	machine_exit(GUEST_EXIT_FAIL);
}

static void map(uint64_t addr, uint64_t size, uint64_t attributes)
{
	uint64_t i = addr >> 30;

	for (; i <= (addr + size - 1) >> 30 && i < 512; i++)
		if (!page_table[i])
			page_table[i] = i << 30 | attributes;
	asm volatile("dsb ishst; isb" : : : "memory");
}

/**
 * mmio_map - make an area accessible at its own address
 * @addr: first byte
 * @size: bytes
 *
 * Each GiB is mapped as a whole, RAM or not: a machine has no GiB with both.
 * Nothing is ever unmapped, so no TLB has to be flushed.
 *
 * Context: boot CPU.
 * Return: the area.
 */
void *mmio_map(uint64_t addr, uint64_t size)
{
	map(addr, size, PAGE_DEVICE);
	return (void *)addr;
}

/**
 * now_ns - time since the guest's start
 *
 * Return: nanoseconds.
 */
uint64_t now_ns(void)
{
	uint64_t ticks;

	asm volatile("isb; mrs %0, cntvct_el0" : "=r"(ticks) : : "memory");
	return (uint64_t)(((__uint128_t)(ticks - time_start) * ns_per_tick) >>
			  32);
}

/**
 * delay_us - wait
 * @us: at least so long
 */
void delay_us(uint64_t us)
{
	const uint64_t end = now_ns() + us * 1000;

	while (now_ns() < end)
		cpu_relax();
}

/**
 * rtc_seconds - the date and time of the real-time clock, a PL031
 *
 * Return: seconds since 1970, UTC; 0 without a clock.
 */
uint64_t rtc_seconds(void)
{
	return rtc ? mmio_get(rtc, 0) : 0;
}

/**
 * serial_read - read a register of a serial port
 * @port: number
 * @reg:  UART_*
 *
 * Return: its value, all ones without such a port.
 */
uint8_t serial_read(unsigned int port, unsigned int reg)
{
	return ports[port].regs ? ports[port].regs[reg] : 0xff;
}

/**
 * serial_write - write a register of a serial port
 * @port: number
 * @reg:  UART_*
 * @v:    value
 */
void serial_write(unsigned int port, unsigned int reg, uint8_t v)
{
	if (ports[port].regs)
		ports[port].regs[reg] = v;
}

/**
 * serial_line - the interrupt line of a serial port
 * @port: number
 *
 * Return: its number.
 */
unsigned int serial_line(unsigned int port)
{
	return ports[port].line;
}

/**
 * console_write - write to the first serial port
 * @s:   text
 * @len: characters
 */
void console_write(const char *s, size_t len)
{
	size_t n;

	while (len) {
		while (!(serial_read(0, UART_LSR) & LSR_THR_EMPTY))
			;
		for (n = MIN(len, UART_FIFO); n; n--, len--)
			serial_write(0, UART_DATA, (uint8_t)*s++);
	}
}

/**
 * console_read - take a character from the first serial port
 *
 * Return: the character, or -1 if there is none.
 */
int console_read(void)
{
	if (!(serial_read(0, UART_LSR) & LSR_DATA))
		return -1;
	return serial_read(0, UART_DATA);
}

/**
 * pci_has_ecam - is configuration space mapped into memory
 *
 * Return: true if there is a PCI bridge.
 */
bool pci_has_ecam(void)
{
	return ecam;
}

/**
 * pci_config_read - read a register of configuration space
 * @bdf:  bus, device and function
 * @reg:  offset, a multiple of 4
 * @by_memory: not looked at: there is no other way
 *
 * Return: its value, all ones without a bridge.
 */
uint32_t pci_config_read(uint16_t bdf, unsigned int reg, bool by_memory)
{
	(void)by_memory;
	return ecam ? mmio_get(ecam + ((uint64_t)bdf << 12), reg) : 0xffffffff;
}

/**
 * pci_config_write - write a register of configuration space
 * @bdf:  as for pci_config_read()
 * @reg:  as for pci_config_read()
 * @v:    value
 * @by_memory: as for pci_config_read()
 */
void pci_config_write(uint16_t bdf, unsigned int reg, uint32_t v,
		      bool by_memory)
{
	(void)by_memory;
	if (ecam)
		mmio_put(ecam + ((uint64_t)bdf << 12), reg, v);
}

static void ports_find(void)
{
	struct fdt_node n;
	unsigned int i;

	for (i = 0; i < SERIAL_PORTS && fdt_find(&n, "ns16550a", i); i++) {
		ports[i].regs = (volatile uint8_t *)fdt_cells(&n, "reg", 0, 2);
		ports[i].line = (unsigned int)fdt_cells(&n, "interrupts", 1, 1);
	}
}

/**
 * struct reserved - RAM that is not the guest's to use
 * @start: first byte
 * @end:   end of it
 */
struct reserved {
	uint64_t start;
	uint64_t end;
};

static unsigned int reserved_find(struct reserved *r, uint64_t tree)
{
	struct fdt_node n = { .props = NULL };
	unsigned int count = 1, depth = 0;

	r[0].start = tree;
	r[0].end = ALIGN_UP(tree + fdt_size(), PAGE_SIZE);
	while (fdt_next(&n)) {
		if (fdt_named(&n, "reserved-memory"))
			depth = n.depth + 1;
		else if (n.depth < depth)
			depth = 0;
		if (!depth || n.depth != depth || count == RESERVED_MAX)
			continue;
		r[count].start = fdt_cells(&n, "reg", 0, 2);
		r[count].end = r[count].start + fdt_cells(&n, "reg", 2, 2);
		count++;
	}
	return count;
}

/* RAM without what is reserved in it. */
static void ram_add(uint64_t start, uint64_t end, const struct reserved *r,
		    unsigned int count)
{
	unsigned int i, first;

	while (start < end) {
		first = count;
		for (i = 0; i < count; i++)
			if (r[i].start >= start && r[i].start < end &&
			    (first == count || r[i].start < r[first].start))
				first = i;
		if (first == count) {
			mem_add(start, end - start, MEM_RAM);
			return;
		}
		if (r[first].start > start)
			mem_add(start, r[first].start - start, MEM_RAM);
		mem_add(r[first].start, r[first].end - r[first].start,
			TYPE_RESERVED);
		start = r[first].end;
	}
}

static void memory_find(uint64_t tree)
{
	struct fdt_node n = { .props = NULL };
	struct reserved r[RESERVED_MAX];
	const unsigned int count = reserved_find(r, tree);
	uint64_t start, size;

	while (fdt_next(&n)) {
		if (n.depth != 1 || !fdt_named(&n, "memory"))
			continue;
		start = fdt_cells(&n, "reg", 0, 2);
		size = fdt_cells(&n, "reg", 2, 2);
		map(start, size, PAGE_NORMAL);
		ram_add(start, start + size, r, count);
	}
}

static void nodes_read(void)
{
	struct fdt_node n = { .props = NULL };
	uint32_t len = 0;

	while (fdt_next(&n)) {
		if (n.depth == 1 && fdt_named(&n, "chosen"))
			args_init(fdt_property(&n, "bootargs", NULL));
		if (n.depth != 2 || !fdt_named(&n, "cpu"))
			continue;
		fdt_property(&n, "reg", &len);
		cpus_add(fdt_cells(&n, "reg", 0, len / 4));
	}
}

static void devices_find(void)
{
	struct fdt_node n;

	if (fdt_find(&n, "pci-host-ecam-generic", 0))
		ecam = mmio_map(fdt_cells(&n, "reg", 0, 2),
				fdt_cells(&n, "reg", 2, 2));
	if (fdt_find(&n, "arm,pl031", 0))
		rtc = mmio_map(fdt_cells(&n, "reg", 0, 2), 4);
}

/**
 * boot_main - the start of the body
 * @tree: address of the device tree
 *
 * Context: boot CPU, interrupts off; called by start.S.
 */
noreturn void boot_main(uint64_t tree);
void boot_main(uint64_t tree)
{
	time_start = sysreg_read("cntvct_el0");
	ns_per_tick = (1000000000ull << 32) / sysreg_read("cntfrq_el0");
	if (!fdt_init((const void *)tree))
		machine_fail();
	nodes_read();
	if (arg_is("test", "exit"))
		machine_exit(GUEST_EXIT_PASS);
	ports_find();
	console_init();
	boot_cpu.mpidr = sysreg_read("mpidr_el1") & MPIDR_AFFINITY;
	memory_find(tree);
	if (mem_init((uint64_t)image_start, (uint64_t)image_end)) {
		print("guest: the memory map has no RAM\n");
		machine_fail();
	}
	devices_find();
	if (gic_init())
		machine_fail();
	irqs_on();
	guest_main();
}
