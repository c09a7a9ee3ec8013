/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_PCI_MSIX_H
#define LKVM_PCI_MSIX_H

#include "vmm/base/error.h"
#include "vmm/base/types.h"

struct msix;
struct pci_device;

#define MSIX_VECTORS_MAX	2048

int msix_add(struct pci_device *pci, u32 bar, u32 vectors, struct error *err)
	__must_check;
void msix_remove(struct pci_device *pci);
void msix_reset(struct pci_device *pci);

/*
 * Any thread, no lock: sends the message, or sets the pending bit while the
 * vector or the function is masked (the message then follows at unmask).
 * Does nothing while MSI-X is disabled or @vector is out of range.
 */
void msix_notify(struct pci_device *pci, u32 vector);
/* Any thread, no lock: MSI-X Enable is set, so INTx must not be used. */
bool msix_enabled(const struct pci_device *pci);
u32 msix_vectors(const struct pci_device *pci);

#endif /* LKVM_PCI_MSIX_H */
