/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: what the files of devices/pci share among themselves
 */
#ifndef LKVM_PCI_PRIV_H
#define LKVM_PCI_PRIV_H

#include <linux/pci_regs.h>
#include <string.h>

#include "devices/pci/pci.h"

/* Message Control of MSI-X is in the capability's first dword. */
#define MSIX_CAP_SIZE	12

static inline u16 pci_get16(const u8 *at)
{
	__le16 v;

	memcpy(&v, at, sizeof(v));
	return le16_to_cpu(v);
}

static inline u32 pci_get32(const u8 *at)
{
	__le32 v;

	memcpy(&v, at, sizeof(v));
	return le32_to_cpu(v);
}

static inline void pci_put16(u8 *at, u16 value)
{
	__le16 v = cpu_to_le16(value);

	memcpy(at, &v, sizeof(v));
}

static inline void pci_put32(u8 *at, u32 value)
{
	__le32 v = cpu_to_le32(value);

	memcpy(at, &v, sizeof(v));
}

/* True when an access to [offset, offset + len) touches [reg, reg + size). */
static inline bool pci_touches(u32 offset, u32 len, u32 reg, u32 size)
{
	return offset < reg + size && reg < offset + len;
}

static inline u32 pci_devfn(const struct pci_device *pci)
{
	return pci->dev.addr.slot << 3 | pci->dev.addr.function;
}

/* config.c */
bool pci_in_d0(const struct pci_device *pci);
void pci_refresh(struct pci_device *pci);
void pci_intx_drive(struct pci_device *pci);

/* bar.c */
void pci_bar_set_address(struct pci_device *pci, u32 bar, u64 addr);
void pci_bars_update(struct pci_device *pci);
void pci_bars_unmap(struct pci_device *pci);

/* host.c */
int pci_host_attach(struct pci_device *pci, struct error *err) __must_check;
void pci_host_detach(struct pci_device *pci);
bool pci_host_forwards(const struct pci_host *host, u64 addr, u64 size,
		       bool pio);

/* msix.c */
void msix_refresh(struct pci_device *pci);
void msix_save(const struct pci_device *pci, struct pci_state *state);
int msix_check(const struct pci_device *pci, const struct pci_state *state,
	       struct error *err) __must_check;
void msix_load(struct pci_device *pci, const struct pci_state *state);

#endif /* LKVM_PCI_PRIV_H */
