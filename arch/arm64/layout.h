/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: the address map of an arm64 machine
 *
 * Everything but RAM is below 1 GiB. RAM begins there and goes on without a
 * hole; its first 2 MiB belong to what the machine itself keeps in memory and
 * to the device tree, the kernel begins behind them.
 */
#ifndef LKVM_ARM64_LAYOUT_H
#define LKVM_ARM64_LAYOUT_H

/* Interrupt controller, of version 2 or 3 */
#define ARM64_GICD_BASE		0x08000000ULL
#define ARM64_GICD_SIZE		0x10000ULL
#define ARM64_GICD_V2_SIZE	0x1000ULL
#define ARM64_GICC_BASE		0x08010000ULL
#define ARM64_GICC_SIZE		0x2000ULL
#define ARM64_V2M_BASE		0x08020000ULL
#define ARM64_V2M_SIZE		0x1000ULL
#define ARM64_ITS_BASE		0x08080000ULL
#define ARM64_ITS_SIZE		0x20000ULL
#define ARM64_GICR_BASE		0x0a000000ULL
#define ARM64_GICR_SIZE		0x20000ULL	/* each CPU's */

/* Private peripheral interrupts (Arm BSA 1.0, 3.8.1) */
#define ARM64_PMU_PPI		7

/* Shared peripheral interrupts: lines of devices, then those of a v2m frame. */
#define ARM64_LINES		32
#define ARM64_SPI_FIRST		32	/* interrupt id of the first */
#define ARM64_GIC_IRQS		224	/* a multiple of 32, with those of CPUs */
#define ARM64_V2M_SPI_FIRST	(ARM64_SPI_FIRST + ARM64_LINES)
#define ARM64_V2M_SPIS		(ARM64_GIC_IRQS - ARM64_V2M_SPI_FIRST)

/* Platform devices */
#define ARM64_SERIAL_BASE	0x09000000ULL
#define ARM64_SERIAL_STEP	0x1000ULL
#define ARM64_SERIAL_SIZE	0x8ULL
#define ARM64_SERIAL_GSI	1
#define ARM64_RTC_BASE		0x09010000ULL
#define ARM64_RTC_SIZE		0x1000ULL
#define ARM64_RTC_GSI		5
#define ARM64_GPIO_BASE		0x09020000ULL
#define ARM64_GPIO_SIZE		0x1000ULL
#define ARM64_GPIO_GSI		6
#define ARM64_PVPANIC_BASE	0x09030000ULL
#define ARM64_PVPANIC_SIZE	0x2ULL
#define ARM64_DEBUG_EXIT_BASE	0x09040000ULL
#define ARM64_DEBUG_EXIT_SIZE	0x4ULL

/* PCI */
#define ARM64_PCI_MMIO32_BASE	0x10000000ULL
#define ARM64_PCI_MMIO32_SIZE	0x2ef00000ULL
#define ARM64_PCI_ECAM_BASE	0x3f000000ULL
#define ARM64_PCI_ECAM_SIZE	0x01000000ULL
#define ARM64_PCI_BUSES		16
#define ARM64_PCI_INTX_GSI	16
#define ARM64_PCI_INTX_NR	4

/* RAM, and what is at its beginning */
#define ARM64_RAM_BASE		0x40000000ULL
#define ARM64_RESERVED_SIZE	0x10000ULL	/* not the guest's */
#define ARM64_VMGENID_BASE	ARM64_RAM_BASE
#define ARM64_VMGENID_SIZE	0x10ULL
#define ARM64_VMGENID_GSI	7
#define ARM64_PVTIME_BASE	(ARM64_RAM_BASE + 0x1000)
#define ARM64_PVTIME_SIZE	0x40ULL		/* each CPU's */
#define ARM64_FDT_BASE		(ARM64_RAM_BASE + 0x100000)
#define ARM64_FDT_SIZE		0x100000ULL
#define ARM64_KERNEL_BASE	(ARM64_RAM_BASE + 0x200000)

#endif /* LKVM_ARM64_LAYOUT_H */
