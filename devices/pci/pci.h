/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: what a PCI function is built of
 *
 * A device of kind DEVICE_PCI starts its run-time struct with a struct
 * pci_device. Its realize calls pci_device_init(), adds capabilities, BARs and
 * MSI-X, and ends with pci_device_publish(); its reset, save, check and load
 * call the functions of that name here for the PCI part. config.c has
 * configuration space, bar.c the BARs, msix.c MSI-X, host.c the bus.
 */
#ifndef LKVM_PCI_H
#define LKVM_PCI_H

#include <stdatomic.h>

#include "devices/pci/msix.h"
#include "vmm/bus.h"
#include "vmm/device.h"
#include "vmm/irq.h"

#define PCI_CONFIG_SIZE		4096
#define PCI_BARS		6

struct msix;
struct pci_device;
struct pci_host;

/**
 * struct pci_ident - the read-only identity of a function
 * @vendor: Vendor ID
 * @device: Device ID
 * @subsystem_vendor: Subsystem Vendor ID
 * @subsystem: Subsystem ID
 * @class: 24-bit class code: base class, sub-class, programming interface
 * @revision: Revision ID
 * @intx: the function has an interrupt pin (INTA#)
 */
struct pci_ident {
	u16 vendor;
	u16 device;
	u16 subsystem_vendor;
	u16 subsystem;
	u32 class;
	u8 revision;
	bool intx;
};

/**
 * enum pci_bar_flags - what kind of BAR
 * @PCI_BAR_MMIO32: memory, 32 bit
 * @PCI_BAR_MMIO64: memory, 64 bit; takes the next BAR's register too
 * @PCI_BAR_PREFETCH: memory without side effects
 * @PCI_BAR_PIO: I/O ports
 */
enum pci_bar_flags {
	PCI_BAR_MMIO32		= 0,
	PCI_BAR_MMIO64		= 1,
	PCI_BAR_PREFETCH	= 2,
	PCI_BAR_PIO		= 4,
};

/**
 * struct pci_bar - one base address register
 * @region: on the bus while the function decodes; its base is the address
 *          that the guest (or at power-on the VMM) has programmed
 * @size: bytes, a power of two; 0: not there
 * @flags: see enum pci_bar_flags
 * @initial: the address that the VMM gives it at power-on
 */
struct pci_bar {
	struct bus_region region;
	u64 size;
	u32 flags;
	u64 initial;
};

/**
 * struct pci_ops - what a function hears of its configuration space
 * @command_changed: the Command register was written: memory decode, bus
 *                   master (the gate is already set), INTx disable
 * @bars_moved: a BAR was mapped, moved or unmapped: bus events placed by
 *              address must follow; &pci_bar.region.bus tells whether, and
 *              &pci_bar.region.base where it is mapped
 * @flr: the guest asked for a Function Level Reset: reset all but
 *       configuration space, BARs, MSI-X and INTA#, which the caller resets
 *       afterwards. The gate is closed already.
 * @config_read: configuration space is about to be read: bring the bytes up to
 *               date
 * @config_written: bytes that the guest can write have been written, and what
 *                  they stand for has been brought in line
 *
 * Called on a vCPU thread with the device's lock held; @bars_moved also from
 * pci_device_reset(), pci_state_load() and when the machine resumes, on the
 * main loop's thread. Each may be NULL.
 */
struct pci_ops {
	void (*command_changed)(struct pci_device *pci);
	void (*bars_moved)(struct pci_device *pci);
	void (*flr)(struct pci_device *pci);
	void (*config_read)(struct pci_device *pci, u32 offset, u32 len);
	void (*config_written)(struct pci_device *pci, u32 offset, u32 len);
};

/**
 * struct pci_device - the PCI part of a function's run-time struct
 * @dev: the device; &device.addr is its slot and function
 * @ops: see struct pci_ops
 * @ident: its identity
 * @config: configuration space as the guest reads it
 * @wmask: bits that the guest may write
 * @w1c: bits that the guest clears by writing 1
 * @power_on: @config at power-on
 * @bars: base address registers
 * @cap_next: where the next capability goes
 * @ecap_next: where the next extended capability goes
 * @ecap_last: the last extended capability, 0 for none
 * @pcie_cap: offset of the PCI Express capability, 0 for none
 * @pm_cap: offset of the Power Management capability, 0 for none
 * @msix: MSI-X, NULL for none
 * @intx: the wire of INTA#, shared with other functions
 * @intx_level: what the function wants the wire to be
 * @intx_blocked: but it stays low: INTx Disable is set, MSI-X is enabled or
 *                the function is not in D0
 * @host: the host bridge, NULL until the function is published
 * @bar_conflict: a BAR could not be mapped because another region was there;
 *                the host bridge tries again when something else has moved
 */
struct pci_device {
	struct device dev;
	const struct pci_ops *ops;
	struct pci_ident ident;
	u8 config[PCI_CONFIG_SIZE];
	u8 wmask[PCI_CONFIG_SIZE];
	u8 w1c[PCI_CONFIG_SIZE];
	u8 power_on[PCI_CONFIG_SIZE];
	struct pci_bar bars[PCI_BARS];
	u32 cap_next;
	u32 ecap_next;
	u32 ecap_last;
	u32 pcie_cap;
	u32 pm_cap;
	struct msix *msix;
	struct irq_line intx;
	_Atomic bool intx_level;
	_Atomic bool intx_blocked;
	struct pci_host *host;
	bool bar_conflict;
};

/**
 * struct msix_vector_state - a vector's table entry and pending bit
 * @addr_low: Message Address, bits 31:0
 * @addr_high: Message Upper Address
 * @data: Message Data
 * @masked: Mask Bit of Vector Control
 * @pending: its bit in the Pending Bit Array
 */
struct msix_vector_state {
	u32 addr_low;
	u32 addr_high;
	u32 data;
	u16 masked;
	u16 pending;
};

/**
 * struct pci_state - what is saved of a function's PCI part
 * @config: configuration space; bits that the guest cannot write must be those
 *          of the device as it was built
 * @intx: what the function drives on INTA#, before INTx Disable
 * @vectors_nr: MSI-X table size, 0 without MSI-X
 * @vectors: MSI-X table and pending bits
 *
 * Embed it in the device's state struct (its size is a multiple of 8) and name
 * &pci_state_desc in the device's table.
 */
struct pci_state {
	u8 config[PCI_CONFIG_SIZE];
	u32 intx;
	u32 vectors_nr;
	struct msix_vector_state vectors[MSIX_VECTORS_MAX];
};

extern const struct state_desc pci_state_desc;

int pci_device_init(struct pci_device *pci, const struct pci_ident *ident,
		    const struct pci_ops *ops, struct error *err) __must_check;
void pci_device_destroy(struct pci_device *pci);
void pci_device_reset(struct pci_device *pci);
int pci_capability_add(struct pci_device *pci, u8 id, u32 len, u32 *offset,
		       struct error *err) __must_check;
int pci_ecapability_add(struct pci_device *pci, u16 id, u8 version, u32 len,
			u32 *offset, struct error *err) __must_check;
int pci_express_add(struct pci_device *pci, struct error *err) __must_check;
int pci_pm_add(struct pci_device *pci, struct error *err) __must_check;
int pci_bar_add(struct pci_device *pci, u32 bar, u64 size, u32 flags,
		const struct bus_ops *ops, void *opaque, struct error *err)
	__must_check;
int pci_device_publish(struct pci_device *pci, struct error *err) __must_check;

bool pci_bar_mapped(const struct pci_device *pci, u32 bar);
bool pci_intx_disabled(const struct pci_device *pci);
void pci_intx_set(struct pci_device *pci, bool level);

u32 pci_config_read(struct pci_device *pci, u32 offset, u32 len);
void pci_config_write(struct pci_device *pci, u32 offset, u32 value, u32 len);

void pci_state_save(const struct pci_device *pci, struct pci_state *state);
int pci_state_check(const struct pci_device *pci,
		    const struct pci_state *state, struct error *err)
	__must_check;
void pci_state_load(struct pci_device *pci, const struct pci_state *state);

#endif /* LKVM_PCI_H */
