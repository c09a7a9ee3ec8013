// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: where everything is on an arm64 machine
 *
 * Nothing here is computed from the order of options or devices: an address
 * that a guest has seen once stays. Constants only; any thread may read them.
 *
 * There is no port I/O: the devices that have ports on other machines have
 * registers in memory, and the PCI bridge has no window for I/O BARs.
 *
 * GSI n is shared peripheral interrupt n, whose interrupt id is n + 32.
 */
#include <elf.h>
#include <string.h>

#include "arch/arm64/layout.h"
#include "vmm/arch.h"
#include "vmm/base/math.h"
#include "vmm/irq.h"
#include "vmm/vm.h"

static_assert(ARM64_PCI_BUSES * MIB == ARM64_PCI_ECAM_SIZE, "1 MiB a bus");
static_assert(ARM64_GICR_BASE + (VM_CPUS_MAX + 1) * ARM64_GICR_SIZE <=
	      ARM64_PCI_MMIO32_BASE, "a redistributor for each CPU");
static_assert(ARM64_PVTIME_BASE + VM_CPUS_MAX * ARM64_PVTIME_SIZE <=
	      ARM64_RAM_BASE + ARM64_RESERVED_SIZE, "stolen time of each CPU");
static_assert(ARM64_LINES <= IRQ_LINES_MAX, "lines");
static_assert(ARM64_SPI_FIRST + ARM64_LINES <= ARM64_GIC_IRQS, "lines");
static_assert(ARM64_GIC_IRQS % 32 == 0, "as KVM wants it");

const char arch_name[] = "arm64";
const u16 arch_elf_machine = EM_AARCH64;
const char arch_kernel_image[] = "Image";
const char arch_kernel_in_tree[] = "arch/arm64/boot/Image";
const char arch_root_partition_type[] = "b921b045-1df0-41c3-af44-4c6f280d3fae";

const struct arch_layout arch_layout = {
	.ram_low = { ARM64_RAM_BASE, BIT_ULL(46) },
	.ram_high_base = ARM64_RAM_BASE + BIT_ULL(46),
	.pci_ecam = { ARM64_PCI_ECAM_BASE, ARM64_PCI_ECAM_SIZE },
	.pci_mmio32 = { ARM64_PCI_MMIO32_BASE, ARM64_PCI_MMIO32_SIZE },
	.irq_lines = ARM64_LINES,
	.pci_intx_base = ARM64_PCI_INTX_GSI,
	.pci_intx_nr = ARM64_PCI_INTX_NR,
};

#define PLACE(_class, _index, _base, _size, _gsi)			\
	{								\
		.class = _class, .index = _index, .base = _base,	\
		.size = _size, .gsi = _gsi,				\
	}
#define SERIAL(_index)							\
	PLACE("serial", _index,						\
	      ARM64_SERIAL_BASE + (_index) * ARM64_SERIAL_STEP,		\
	      ARM64_SERIAL_SIZE, ARM64_SERIAL_GSI + (_index))

static const struct arch_resource resources[] = {
	SERIAL(0),
	SERIAL(1),
	SERIAL(2),
	SERIAL(3),
	PLACE("pl031", 0, ARM64_RTC_BASE, ARM64_RTC_SIZE, ARM64_RTC_GSI),
	PLACE("pl061", 0, ARM64_GPIO_BASE, ARM64_GPIO_SIZE, ARM64_GPIO_GSI),
	PLACE("pvpanic", 0, ARM64_PVPANIC_BASE, ARM64_PVPANIC_SIZE,
	      ARCH_NO_GSI),
	PLACE("debug-exit", 0, ARM64_DEBUG_EXIT_BASE, ARM64_DEBUG_EXIT_SIZE,
	      ARCH_NO_GSI),
	PLACE("pci-host", 0, ARM64_PCI_ECAM_BASE, ARM64_PCI_ECAM_SIZE,
	      ARCH_NO_GSI),
	/* No registers: memory that is not the guest's. */
	PLACE("vmgenid", 0, ARM64_VMGENID_BASE, ARM64_VMGENID_SIZE,
	      ARM64_VMGENID_GSI),
};

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
 * Nothing: the device tree says all that there is to say.
 *
 * Return: an empty string.
 */
const char *arch_default_cmdline(void)
{
	return "";
}
