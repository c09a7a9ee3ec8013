/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: PCI: find functions, BARs, MSI-X
 *
 * PCI Express Base 4.0 chapter 7.
 */
#ifndef TESTS_KVM_GUEST_PCI_H
#define TESTS_KVM_GUEST_PCI_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/kvm/guest/platform.h"

#define PCI_ID			0x00
#define PCI_COMMAND		0x04
#define PCI_CLASS		0x08
#define PCI_HEADER		0x0c
#define PCI_BAR0		0x10
#define PCI_CAPABILITIES	0x34
#define PCI_INTERRUPT		0x3c

#define PCI_COMMAND_IO		0x0001u
#define PCI_COMMAND_MEMORY	0x0002u
#define PCI_COMMAND_MASTER	0x0004u
#define PCI_COMMAND_INTX_OFF	0x0400u
#define PCI_STATUS_INTX		0x00080000u
#define PCI_STATUS_CAPS		0x00100000u

#define PCI_CAP_MSIX		0x11
#define MSIX_ENABLE		(1u << 31)
#define MSIX_MASK_ALL		(1u << 30)

#define PCI_BARS		6
#define PCI_FUNCTIONS_MAX	64

/**
 * struct pci_bar - a base address register
 * @addr:  where it is
 * @size:  bytes, 0 if there is none
 * @io:    I/O ports instead of memory
 * @wide:  64 bits: the next register is its upper half
 */
struct pci_bar {
	uint64_t addr;
	uint64_t size;
	bool io;
	bool wide;
};

/**
 * struct pci_function - a function that pci_scan() found
 * @bdf:	bus << 8 | device << 3 | function
 * @vendor:	vendor id
 * @device:	device id
 * @class:	class code, 24 bits
 * @bar:	the base address registers
 * @msix:	offset of the MSI-X capability, or 0
 * @msix_count:	vectors
 * @msix_table:	the vector table, four words each
 */
struct pci_function {
	uint16_t bdf;
	uint16_t vendor;
	uint16_t device;
	uint32_t class;
	struct pci_bar bar[PCI_BARS];
	unsigned int msix;
	unsigned int msix_count;
	volatile uint32_t *msix_table;
};

unsigned int pci_scan(struct pci_function **out);
struct pci_function *pci_find_class(uint32_t class, unsigned int nth);
uint32_t pci_read(const struct pci_function *f, unsigned int reg);
void pci_write(const struct pci_function *f, unsigned int reg, uint32_t v);
void pci_command(const struct pci_function *f, uint32_t set, uint32_t clear);
void pci_msix_set(const struct pci_function *f, unsigned int vector,
		  struct msi_message m);
void pci_msix_mask(const struct pci_function *f, unsigned int vector,
		   bool masked);
void pci_msix_enable(const struct pci_function *f, bool on);
bool pci_msix_pending(const struct pci_function *f, unsigned int vector);

#endif
