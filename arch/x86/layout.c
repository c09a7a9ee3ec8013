// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: where everything is on an x86 machine
 *
 * Nothing here is computed from the order of options or devices: an address
 * that a guest has seen once stays. Constants only; any thread may read them.
 *
 * PCI interrupt pins are wired to the I/O APIC's pins 16 to 23 and shared:
 * slot s, pin p (0 is INTA#) drives 16 + (s + p) % 8. dsdt.asl's _PRT says the
 * same to the guest.
 */
#include <elf.h>
#include <string.h>

#include "arch/x86/layout.h"
#include "vmm/arch.h"
#include "vmm/base/math.h"
#include "vmm/option.h"

/* What iasl cannot compute in a resource descriptor stands in layout.h. */
static_assert(X86_PCI_MMIO32_BASE + X86_PCI_MMIO32_SIZE ==
	      X86_PCI_MMIO32_LAST + 1ULL, "32-bit window");
static_assert(X86_PCI_BUS_LAST + 1 == X86_PCI_BUSES, "buses");
static_assert(X86_PCI_BUSES * MIB == X86_PCI_ECAM_SIZE, "1 MiB a bus");
static_assert(X86_PCI_CF8_BASE == X86_PCI_PORTS0_SIZE, "ports below CF8");
static_assert(X86_PCI_CF8_BASE - 1 == X86_PCI_PORTS0_LAST, "ports below CF8");
static_assert(X86_PCI_CF8_BASE + X86_PCI_CF8_SIZE == X86_PCI_PORTS1_BASE,
	      "ports above CFC");
static_assert(X86_PCI_PORTS1_BASE + X86_PCI_PORTS1_SIZE == 0x10000,
	      "ports above CFC");

const char arch_name[] = "x86-64";
const u16 arch_elf_machine = EM_X86_64;
const char arch_kernel_image[] = "bzImage";
const char arch_kernel_in_tree[] = "arch/x86/boot/bzImage";
const char arch_root_partition_type[] = "4f68bce3-e8cd-4db1-96e7-fbcaf984b709";

const struct arch_layout arch_layout = {
	.ram_low = { 0, X86_RAM_LOW_SIZE },
	.ram_high_base = X86_RAM_HIGH_BASE,
	.pci_ecam = { X86_PCI_ECAM_BASE, X86_PCI_ECAM_SIZE },
	.pci_mmio32 = { X86_PCI_MMIO32_BASE, X86_PCI_MMIO32_SIZE },
	.pci_pio = { X86_PCI_PIO_BASE, X86_PCI_PIO_SIZE },
	.irq_lines = X86_IOAPIC_PINS,
	.pci_intx_base = X86_PCI_INTX_BASE,
	.pci_intx_nr = X86_PCI_INTX_NR,
};

#define PORTS(_class, _index, _name, _gsi)				\
	{								\
		.class = _class, .index = _index, .pio = true,		\
		.base = X86_##_name##_BASE, .size = X86_##_name##_SIZE,	\
		.gsi = _gsi,						\
	}
#define COM(_index, _name)						\
	{								\
		.class = "serial", .index = _index, .pio = true,	\
		.base = X86_##_name##_BASE, .size = X86_COM_SIZE,	\
		.gsi = X86_##_name##_GSI,				\
	}

/* The i8042 answers at 0x60 and 0x64 only; the range has holes. */
static const struct arch_resource resources[] = {
	COM(0, COM1),
	COM(1, COM2),
	COM(2, COM3),
	COM(3, COM4),
	PORTS("rtc", 0, RTC, X86_RTC_GSI),
	PORTS("i8042", 0, I8042, ARCH_NO_GSI),
	PORTS("pvpanic", 0, PVPANIC, ARCH_NO_GSI),
	PORTS("debug-exit", 0, DEBUG_EXIT, ARCH_NO_GSI),
	PORTS("acpi-pm", 0, ACPI_PM, X86_ACPI_PM_GSI),
	PORTS("pci-host", 0, PCI_CF8, ARCH_NO_GSI),
	/* No registers: ordinary memory that the tables point to. */
	{
		.class = "vmgenid", .base = X86_VMGENID_BASE,
		.size = X86_VMGENID_SIZE, .gsi = ARCH_NO_GSI,
	},
};

/* Machines have none here that others have not. */
const struct option_table arch_options = { .name = arch_name, .dashes = true };

/**
 * arch_resource_find() - where a platform device sits
 * @class: the device class's name
 * @index: which device of that class
 *
 * Return: the place, or NULL when this architecture has no such device.
 */
const struct arch_resource *arch_resource_find(const char *class, u32 index)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(resources); i++)
		if (resources[i].index == index &&
		    !strcmp(resources[i].class, class))
			return &resources[i];
	return NULL;
}

/**
 * arch_default_cmdline() - what the kernel must be told before all else
 *
 * Nothing: ACPI and CPUID say all that there is to say.
 *
 * Return: an empty string.
 */
const char *arch_default_cmdline(void)
{
	return "";
}
