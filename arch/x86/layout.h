/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: the guest's address map on x86
 *
 * Plain numbers without suffixes, because dsdt.asl is run through the C
 * preprocessor with this header: what the ACPI tables say and where things
 * are cannot drift apart. arch/x86/layout.c makes arch_layout and the table
 * of platform devices of them.
 *
 *   0            RAM, up to 3 GiB, but for 0x9fc00 to 0xfffff (reserved)
 *   0x500        what a boot loader leaves: GDT, zero page, page tables
 *   0x20000      kernel command line
 *   0xe0000      ACPI tables
 *   0xffff0      code at the real-mode reset vector
 *   0x100000     kernels, initrd
 *   0xc0000000   window for 32-bit BARs, 512 MiB
 *   0xe0000000   PCI configuration space (ECAM) of bus 0
 *   0xfec00000   I/O APIC
 *   0xfee00000   local APICs
 *   0xfffbc000   four pages that KVM needs on Intel: identity map and TSS
 *   0x100000000  rest of RAM, then the window for 64-bit BARs
 */
#ifndef LKVM_X86_LAYOUT_H
#define LKVM_X86_LAYOUT_H

/* RAM and the holes in it */
#define X86_RAM_LOW_SIZE	0xc0000000
#define X86_RAM_HIGH_BASE	0x100000000
#define X86_EBDA_BASE		0x9fc00
#define X86_EBDA_SIZE		0x60400		/* up to 1 MiB */
#define X86_HIGH_MEMORY		0x100000

/* What the boot protocols leave in low memory */
#define X86_GDT_BASE		0x500
#define X86_PVH_BASE		0x6000
#define X86_PVH_SIZE		0x1000
#define X86_ZERO_PAGE_BASE	0x7000
#define X86_BOOT_STACK		0x8ff0
#define X86_PAGE_TABLES_BASE	0x9000
#define X86_PAGE_TABLES_SIZE	0x6000
#define X86_SETUP_DATA_BASE	0xf000
#define X86_CMDLINE_BASE	0x20000
#define X86_CMDLINE_SIZE	0x10000
#define X86_ACPI_BASE		0xe0000
#define X86_ACPI_SIZE		0x10000
#define X86_VMGENID_BASE	0xf0000
#define X86_VMGENID_SIZE	0x10
#define X86_RESET_VECTOR	0xffff0
#define X86_RESET_VECTOR_SIZE	0x10

/* PCI */
#define X86_PCI_MMIO32_BASE	0xc0000000
#define X86_PCI_MMIO32_SIZE	0x20000000
#define X86_PCI_MMIO32_LAST	0xdfffffff
#define X86_PCI_ECAM_BASE	0xe0000000
/*
 * One bus: there are no bridges. Linux probes each slot of every bus that is
 * announced beyond the first, two exits a slot: 0.7 s for 256 buses where exits
 * are slow.
 */
#define X86_PCI_ECAM_SIZE	0x100000
#define X86_PCI_BUS_LAST	0
#define X86_PCI_BUSES		1
#define X86_PCI_CF8_BASE	0xcf8
#define X86_PCI_CF8_SIZE	0x8
/* Ports that a BAR may have: all but CONFIG_ADDRESS and CONFIG_DATA. */
#define X86_PCI_PORTS0_LAST	0xcf7
#define X86_PCI_PORTS0_SIZE	0xcf8
#define X86_PCI_PORTS1_BASE	0xd00
#define X86_PCI_PORTS1_LAST	0xffff
#define X86_PCI_PORTS1_SIZE	0xf300
#define X86_PCI_PIO_BASE	0xc000
#define X86_PCI_PIO_SIZE	0x4000
#define X86_PCI_INTX_BASE	16
#define X86_PCI_INTX_NR		8

/* Interrupt controllers */
#define X86_IOAPIC_BASE		0xfec00000
#define X86_LAPIC_BASE		0xfee00000
#define X86_IOAPIC_PINS		24

/* KVM's own pages: KVM-API 4.35 and 4.85 */
#define X86_IDENTITY_MAP_BASE	0xfffbc000
#define X86_TSS_BASE		0xfffbd000
#define X86_KVM_PAGES_SIZE	0x4000

/* Platform devices: first port, ports, interrupt */
#define X86_COM1_BASE		0x3f8
#define X86_COM2_BASE		0x2f8
#define X86_COM3_BASE		0x3e8
#define X86_COM4_BASE		0x2e8
#define X86_COM_SIZE		0x8
#define X86_COM1_GSI		4
#define X86_COM2_GSI		3
#define X86_COM3_GSI		6
#define X86_COM4_GSI		7
#define X86_RTC_BASE		0x70
#define X86_RTC_SIZE		0x2
#define X86_RTC_GSI		8
#define X86_I8042_BASE		0x60
#define X86_I8042_SIZE		0x5
#define X86_DEBUG_EXIT_BASE	0x501
#define X86_DEBUG_EXIT_SIZE	0x1
#define X86_PVPANIC_BASE	0x505
#define X86_PVPANIC_SIZE	0x1

/*
 * Sleep, reset and the power button, device class "acpi-pm" (ACPI-6.4
 * 4.8.3.7, 4.8.3.6, 5.6.9). Registers by offset:
 *   0 SLEEP_CONTROL, 8 bit: SLP_TYP in bits 2 to 4, SLP_EN bit 5
 *   1 SLEEP_STATUS, 8 bit
 *   2 reset register, 8 bit: X86_ACPI_RESET_VALUE resets the machine
 *   4 events, 32 bit, reading clears: bit 0 the power button was pressed
 * The interrupt is edge triggered, active high: pulsed for each event.
 */
#define X86_ACPI_PM_BASE	0x600
#define X86_ACPI_PM_SIZE	0x10
#define X86_ACPI_PM_GSI		9
#define X86_ACPI_SLEEP_CONTROL	0x600
#define X86_ACPI_SLEEP_STATUS	0x601
#define X86_ACPI_RESET		0x602
#define X86_ACPI_RESET_VALUE	1
#define X86_ACPI_EVENTS		0x604
#define X86_ACPI_S5_TYPE	5

/* Bits of the name DEVS in dsdt.asl: devices that a machine may have. */
#define X86_DSDT_COM1		0
#define X86_DSDT_COM2		1
#define X86_DSDT_COM3		2
#define X86_DSDT_COM4		3
#define X86_DSDT_RTC		4
#define X86_DSDT_PVPANIC	5
#define X86_DSDT_ACPI_PM	6
#define X86_DSDT_VMGENID	7

#endif /* LKVM_X86_LAYOUT_H */
