/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_PCI_MSIX_H
#define LKVM_PCI_MSIX_H

#include "vmm/base/error.h"
#include "vmm/base/types.h"

struct msix;
struct pci_device;

#define MSIX_VECTORS_MAX	2048	/* PCIe-4.0 7.7.2.2 */

int msix_add(struct pci_device *pci, u32 bar, u32 vectors, struct error *err)
	__must_check;
void msix_remove(struct pci_device *pci);
void msix_reset(struct pci_device *pci);

void msix_notify(struct pci_device *pci, u32 vector);
void msix_cancel(struct pci_device *pci, u32 vector);
bool msix_enabled(const struct pci_device *pci);
u32 msix_vectors(const struct pci_device *pci);

#endif /* LKVM_PCI_MSIX_H */
