// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: x86-64: the start of the body, memory map, PCI configuration space, the
 * end of the machine
 *
 * boot_main() runs in user mode on the boot CPU with interrupts off.
 *
 * PVH start of day structures; Linux Documentation/arch/x86/boot.rst and
 * zero-page.rst.
 */
#include "tests/kvm/guest/lib.h"
#include "tests/kvm/guest/mem.h"
#include "tests/kvm/guest/platform.h"
#include "tests/kvm/guest/serial.h"
#include "tests/kvm/guest/test.h"
#include "tests/kvm/guest/x86/acpi.h"
#include "tests/kvm/guest/x86/apic.h"
#include "tests/kvm/guest/x86/clock.h"
#include "tests/kvm/guest/x86/cpu.h"
#include "tests/kvm/proto.h"

#define PVH_MAGIC		0x336ec578u

/* struct boot_params, the fields that are used */
#define ZERO_PAGE_RSDP		0x070
#define ZERO_PAGE_E820_COUNT	0x1e8
#define ZERO_PAGE_CMDLINE	0x228
#define ZERO_PAGE_E820		0x2d0

#define PCI_ADDRESS		0xcf8
#define PCI_DATA		0xcfc

#define PTE_MAP			7	/* present, writable, user */
#define PTE_LARGE		0x80
#define PTE_ADDRESS		0x000ffffffffff000ull

extern char image_start[], image_end[];

/**
 * struct pvh_info - hvm_start_info version 1
 * @magic: PVH_MAGIC
 * @version: 1 for the memory map to be there
 * @flags: not used
 * @modules: how many
 * @modules_addr: where
 * @cmdline: address of the text
 * @rsdp: address
 * @memmap: address of the memory map
 * @memmap_entries: how many
 * @reserved: zero
 */
struct pvh_info {
	uint32_t magic;
	uint32_t version;
	uint32_t flags;
	uint32_t modules;
	uint64_t modules_addr;
	uint64_t cmdline;
	uint64_t rsdp;
	uint64_t memmap;
	uint32_t memmap_entries;
	uint32_t reserved;
};

static_assert(sizeof(struct pvh_info) == 56, "hvm_start_info");

/**
 * struct pvh_range - an entry of PVH's memory map
 * @addr: first byte
 * @size: bytes
 * @type: as in e820
 * @reserved: zero
 */
struct pvh_range {
	uint64_t addr;
	uint64_t size;
	uint32_t type;
	uint32_t reserved;
};

/**
 * struct e820_range - an entry of the Linux boot protocol's memory map
 * @addr: first byte
 * @size: bytes
 * @type: MEM_RAM or something else
 */
struct e820_range {
	uint64_t addr;
	uint64_t size;
	uint32_t type;
} __attribute__((packed));

/**
 * bytes_set - fill memory
 * @dst: where
 * @c:   byte
 * @n:   how many
 */
void bytes_set(void *dst, int c, size_t n)
{
	asm volatile("rep stosb" : "+D"(dst), "+c"(n) : "a"(c) : "memory");
}

/**
 * bytes_copy - copy memory
 * @dst: where to
 * @src: where from, no overlap
 * @n:   bytes
 */
void bytes_copy(void *dst, const void *src, size_t n)
{
	asm volatile("rep movsb" : "+D"(dst), "+S"(src), "+c"(n) : : "memory");
}

/**
 * memory_barrier - order all accesses before it against all after it
 */
void memory_barrier(void)
{
	asm volatile("mfence" : : : "memory");
}

/**
 * cpu_relax - a pause in a loop that waits
 */
void cpu_relax(void)
{
	asm volatile("pause" : : : "memory");
}

/**
 * machine_exit - end the machine
 * @value: for the debug-exit port; a machine without that port is reset
 */
void machine_exit(uint8_t value)
{
	outb(GUEST_EXIT_PORT, value);
	outb(0x64, 0xfe);
	cpu_triple_fault();
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

static uint64_t *table_entry(uint64_t *table, unsigned int index)
{
	if (!(table[index] & 1))
		table[index] = (uint64_t)mem_alloc(PAGE_SIZE, PAGE_SIZE) |
			       PTE_MAP;
	return (uint64_t *)(table[index] & PTE_ADDRESS);
}

/**
 * mmio_map - make an area accessible at its own address
 * @addr: first byte
 * @size: bytes
 *
 * The first 4 GiB always are. Nothing is ever unmapped, so no TLB has to be
 * flushed.
 *
 * Context: boot CPU.
 * Return: the area.
 */
void *mmio_map(uint64_t addr, uint64_t size)
{
	uint64_t at = addr & ~(MIB(2) - 1);

	if (addr < GIB(4))
		return (void *)addr;
	for (; at < addr + size; at += MIB(2)) {
		uint64_t *t = table_entry(pml4, at >> 39 & 511);

		t = table_entry(t, at >> 30 & 511);
		t[at >> 21 & 511] = at | PTE_LARGE | PTE_MAP;
	}
	return (void *)addr;
}

/**
 * pci_has_ecam - is configuration space mapped into memory
 *
 * Return: true if the MCFG table says so.
 */
bool pci_has_ecam(void)
{
	return acpi_ecam_address();
}

static volatile uint32_t *ecam_register(uint16_t bdf, unsigned int reg)
{
	const uint64_t at = acpi_ecam_address() + ((uint64_t)bdf << 12) + reg;

	return mmio_map(at, 4);
}

/**
 * pci_config_read - read a register of configuration space
 * @bdf:  bus, device and function
 * @reg:  offset, a multiple of 4; up to 255 without @ecam
 * @ecam: through memory instead of the ports
 *
 * Return: its value.
 */
uint32_t pci_config_read(uint16_t bdf, unsigned int reg, bool ecam)
{
	if (ecam)
		return *ecam_register(bdf, reg);
	outl(PCI_ADDRESS, 1u << 31 | (uint32_t)bdf << 8 | reg);
	return inl(PCI_DATA);
}

/**
 * pci_config_write - write a register of configuration space
 * @bdf:  as for pci_config_read()
 * @reg:  as for pci_config_read()
 * @v:    value
 * @ecam: as for pci_config_read()
 */
void pci_config_write(uint16_t bdf, unsigned int reg, uint32_t v, bool ecam)
{
	if (ecam) {
		*ecam_register(bdf, reg) = v;
		return;
	}
	outl(PCI_ADDRESS, 1u << 31 | (uint32_t)bdf << 8 | reg);
	outl(PCI_DATA, v);
}

static uint64_t boot_read_pvh(const struct pvh_info *p)
{
	const struct pvh_range *r = (const void *)p->memmap;
	uint32_t i;

	args_init((const char *)p->cmdline);
	if (p->magic == PVH_MAGIC && p->version >= 1)
		for (i = 0; i < p->memmap_entries; i++)
			mem_add(r[i].addr, r[i].size, r[i].type);
	return p->rsdp;
}

static uint64_t boot_read_linux(const uint8_t *zero_page)
{
	const struct e820_range *r = (const void *)(zero_page + ZERO_PAGE_E820);
	uint32_t cmdline;
	uint64_t rsdp;
	unsigned int i;

	memcpy(&cmdline, zero_page + ZERO_PAGE_CMDLINE, sizeof(cmdline));
	memcpy(&rsdp, zero_page + ZERO_PAGE_RSDP, sizeof(rsdp));
	args_init((const char *)(uint64_t)cmdline);
	for (i = 0; i < zero_page[ZERO_PAGE_E820_COUNT]; i++)
		mem_add(r[i].addr, r[i].size, r[i].type);
	return rsdp;
}

/**
 * boot_main - the start of the body
 *
 * Context: boot CPU, user mode, interrupts off; called by start.S.
 */
noreturn void boot_main(void);
void boot_main(void)
{
	uint64_t rsdp;

	idt_fill();
	console_init();
	if (boot_kind == BOOT_PVH)
		rsdp = boot_read_pvh((const void *)boot_info);
	else
		rsdp = boot_read_linux((const void *)boot_info);
	acpi_init(rsdp);
	if (mem_init((uint64_t)image_start, (uint64_t)image_end)) {
		print("guest: the memory map has no RAM\n");
		machine_fail();
	}
	clock_init();
	ioapic_init();
	lapic_init();
	boot_cpu.apic_id = lapic_own_id();
	irqs_on();
	guest_main();
}
