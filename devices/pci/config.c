// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: PCI configuration space of a function
 *
 * Configuration space is a byte array with two masks beside it: bits that the
 * guest may write, and bits that it clears by writing 1. A write goes through
 * the masks first; then whatever the registers that it touched stand for is
 * brought in line: where the BARs decode, whether DMA and interrupts may leave
 * the function, a reset that was asked for. The effects are computed from the
 * registers and never kept apart from them, so that a write, a reset and a
 * load from an image end in the same code (pci_refresh()).
 *
 * A device builds its function in realize: pci_device_init(), capabilities and
 * BARs, pci_device_publish(). There is no firmware in the guest, so a function
 * powers on with its BARs programmed and decoding (pci_device_reset()); after
 * a Function Level Reset they are zero as the specification wants it, and the
 * guest writes them back.
 *
 * Threads: configuration accesses come on vCPU threads, through the host
 * bridge, which takes the device's lock. pci_intx_set() is for any thread and
 * takes no device lock.
 *
 * Specifications: PCIe-4.0 7.5.1 (header, type 0), 7.5.2 (power management),
 * 7.5.3 (PCI Express capability), 6.6.2 (FLR).
 *
 * Not here: expansion ROMs, MSI without X, SR-IOV, AER, power states D1 and
 * D2, PME.
 */
#include "devices/pci/pci_priv.h"
#include "vmm/arch.h"
#include "vmm/base/math.h"
#include "vmm/vm.h"

#define EXPRESS_CAP_SIZE	0x3c	/* version 2 of the structure */

/* Writable in every function; decode bits come with the BARs. */
#define COMMAND_WRITABLE	(PCI_COMMAND_MASTER | PCI_COMMAND_PARITY | \
				 PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE)
#define STATUS_W1C		(PCI_STATUS_PARITY | PCI_STATUS_SIG_TARGET_ABORT | \
				 PCI_STATUS_REC_TARGET_ABORT |		\
				 PCI_STATUS_REC_MASTER_ABORT |		\
				 PCI_STATUS_SIG_SYSTEM_ERROR |		\
				 PCI_STATUS_DETECTED_PARITY)

/**
 * pci_device_init() - start to build a function
 * @pci: zeroed run-time struct whose &pci_device.dev is made
 * @ident: who the function says it is
 * @ops: what it wants to hear of, or NULL; must outlive the device
 * @err: says why it failed
 *
 * Nothing is to be undone when it fails, and pci_device_destroy() undoes it
 * when it succeeded. The guest cannot see the function before
 * pci_device_publish().
 *
 * Context: realize.
 * Return: 0, or -EINVAL: slot, function or class code out of range.
 */
int pci_device_init(struct pci_device *pci, const struct pci_ident *ident,
		    const struct pci_ops *ops, struct error *err)
{
	static const struct pci_ops no_ops;
	const struct device_address *addr = &pci->dev.addr;
	const struct arch_layout *layout = &arch_layout;
	u8 *c = pci->config;

	if (addr->slot > 31 || addr->function > 7)
		return error_set(err, -EINVAL,
				 "there is no PCI slot %u, function %u",
				 addr->slot, addr->function);
	if (ident->class >> 24)
		return error_set(err, -EINVAL,
				 "PCI class code %#x has more than 24 bits",
				 ident->class);
	pci->ident = *ident;
	pci->ops = ops ? ops : &no_ops;
	pci->cap_next = PCI_STD_HEADER_SIZEOF;
	pci->ecap_next = PCI_CFG_SPACE_SIZE;
	irq_line_init(&pci->intx, &pci->dev.vm->irq,
		      layout->pci_intx_base + addr->slot % layout->pci_intx_nr);

	pci_put16(c + PCI_VENDOR_ID, ident->vendor);
	pci_put16(c + PCI_DEVICE_ID, ident->device);
	pci_put32(c + PCI_CLASS_REVISION, ident->class << 8 | ident->revision);
	pci_put16(c + PCI_SUBSYSTEM_VENDOR_ID, ident->subsystem_vendor);
	pci_put16(c + PCI_SUBSYSTEM_ID, ident->subsystem);
	c[PCI_INTERRUPT_PIN] = ident->intx;

	pci_put16(pci->wmask + PCI_COMMAND, COMMAND_WRITABLE);
	pci_put16(pci->w1c + PCI_STATUS, STATUS_W1C);
	pci->wmask[PCI_CACHE_LINE_SIZE] = 0xff;
	pci->wmask[PCI_INTERRUPT_LINE] = 0xff;
	guest_gate_close(&pci->dev.gate, GATE_NO_BUS_MASTER);
	return 0;
}

/**
 * pci_device_destroy() - take a function off the bus
 * @pci: the function, also one that was never published
 *
 * msix_remove() comes before. Context: unrealize, or a failed realize.
 */
void pci_device_destroy(struct pci_device *pci)
{
	atomic_store(&pci->intx_level, false);
	pci_intx_drive(pci);
	pci_bars_unmap(pci);
	pci_host_detach(pci);
}

/**
 * pci_device_publish() - let the guest see a function
 * @pci: the function with all its capabilities and BARs
 * @err: says why it failed
 *
 * What configuration space holds now is its power-on state. The addresses that
 * the BARs have at power-on are computed over all functions published so far,
 * so they are final once the last device is realized. Nothing decodes before
 * pci_device_reset().
 *
 * Context: realize, as its last step or near it.
 * Return: 0, -EEXIST: another function is there, -ENODEV: no host bridge,
 * -ENOSPC: the BARs do not fit the windows.
 */
int pci_device_publish(struct pci_device *pci, struct error *err)
{
	memcpy(pci->power_on, pci->config, sizeof(pci->power_on));
	return pci_host_attach(pci, err);
}

/* Registers to their default; what decodes is for the caller to refresh. */
static void config_default(struct pci_device *pci)
{
	memcpy(pci->config, pci->power_on, sizeof(pci->config));
	msix_reset(pci);
	atomic_store(&pci->intx_level, false);
}

/**
 * pci_device_reset() - power-on values of a function's PCI part
 * @pci: the function
 *
 * BARs at the addresses of &pci_bar.initial and decoding, DMA refused, MSI-X
 * disabled, INTA# low.
 *
 * Context: the device's reset, with its lock held.
 */
void pci_device_reset(struct pci_device *pci)
{
	u32 i;

	config_default(pci);
	for (i = 0; i < PCI_BARS; i++)
		if (pci->bars[i].size)
			pci_bar_set_address(pci, i, pci->bars[i].initial);
	/* The decode bits that the function has at all. */
	pci_put16(pci->config + PCI_COMMAND,
		  pci_get16(pci->wmask + PCI_COMMAND) &
		  (PCI_COMMAND_IO | PCI_COMMAND_MEMORY));
	pci_refresh(pci);
}

/*
 * PCIe-4.0 6.6.2: everything to its default but Max_Payload_Size (and fields
 * that we do not have). The device stops first, while its messages still have
 * a place to go.
 */
static void function_level_reset(struct pci_device *pci)
{
	u8 *devctl = pci->config + pci->pcie_cap + PCI_EXP_DEVCTL;
	u16 payload = pci_get16(devctl) & PCI_EXP_DEVCTL_PAYLOAD;

	guest_gate_close(&pci->dev.gate, GATE_NO_BUS_MASTER);
	if (pci->ops->flr)
		pci->ops->flr(pci);
	config_default(pci);
	pci_put16(devctl, (pci_get16(devctl) & ~PCI_EXP_DEVCTL_PAYLOAD) |
		  payload);
	pci_refresh(pci);
	if (pci->ops->command_changed)
		pci->ops->command_changed(pci);
}

/**
 * pci_capability_add() - add a capability in the first 256 bytes
 * @pci: the function, not yet published
 * @id: capability ID
 * @len: bytes, with the two of its header
 * @offset: where it is; its registers are zero and read-only until the caller
 *          sets them in &pci_device.config and &pci_device.wmask
 * @err: says why it failed
 *
 * Return: 0, or -ENOSPC.
 */
int pci_capability_add(struct pci_device *pci, u8 id, u32 len, u32 *offset,
		       struct error *err)
{
	u8 *c = pci->config;
	u32 at = pci->cap_next;

	if (len < 2 || !range_fits(at, len, PCI_CFG_SPACE_SIZE))
		return error_set(err, -ENOSPC,
				 "no room for PCI capability %#x", id);
	/* In front of the list: that needs no walk. */
	c[at] = id;
	c[at + 1] = c[PCI_CAPABILITY_LIST];
	c[PCI_CAPABILITY_LIST] = (u8)at;
	c[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
	pci->cap_next = (u32)round_up_to(at + len, 4);
	*offset = at;
	return 0;
}

/**
 * pci_ecapability_add() - add an extended capability
 * @pci: the function, not yet published
 * @id: extended capability ID
 * @version: of the capability, 1 to 15
 * @len: bytes, with the four of its header
 * @offset: where it is
 * @err: says why it failed
 *
 * Return: 0, or -ENOSPC.
 */
int pci_ecapability_add(struct pci_device *pci, u16 id, u8 version, u32 len,
			u32 *offset, struct error *err)
{
	u32 at = pci->ecap_next;

	if (len < 4 || !range_fits(at, len, PCI_CONFIG_SIZE))
		return error_set(err, -ENOSPC,
				 "no room for PCI extended capability %#x", id);
	/* The list starts at 256, so this one goes to its end. */
	pci_put32(pci->config + at, id | (u32)(version & 0xf) << 16);
	if (pci->ecap_last) {
		u8 *last = pci->config + pci->ecap_last;

		pci_put32(last, (pci_get32(last) & 0xfffff) | at << 20);
	}
	pci->ecap_last = at;
	pci->ecap_next = (u32)round_up_to(at + len, 4);
	*offset = at;
	return 0;
}

/**
 * pci_express_add() - add the PCI Express capability
 * @pci: the function, not yet published
 * @err: says why it failed
 *
 * A root complex integrated endpoint: there is no link, so there are no link
 * registers to get wrong. Function Level Reset is there.
 *
 * Return: 0, or -ENOSPC.
 */
int pci_express_add(struct pci_device *pci, struct error *err)
{
	u32 at = 0;
	int ret;

	ret = pci_capability_add(pci, PCI_CAP_ID_EXP, EXPRESS_CAP_SIZE, &at,
				 err);
	if (ret)
		return ret;
	pci->pcie_cap = at;
	pci_put16(pci->config + at + PCI_EXP_FLAGS,
		  2 | PCI_EXP_TYPE_RC_END << 4);
	pci_put32(pci->config + at + PCI_EXP_DEVCAP,
		  PCI_EXP_DEVCAP_RBER | PCI_EXP_DEVCAP_FLR);
	pci_put16(pci->config + at + PCI_EXP_DEVCTL,
		  PCI_EXP_DEVCTL_RELAX_EN | PCI_EXP_DEVCTL_NOSNOOP_EN |
		  PCI_EXP_DEVCTL_READRQ_512B);
	/* Initiate FLR is not among them: it always reads 0. */
	pci_put16(pci->wmask + at + PCI_EXP_DEVCTL,
		  PCI_EXP_DEVCTL_CERE | PCI_EXP_DEVCTL_NFERE |
		  PCI_EXP_DEVCTL_FERE | PCI_EXP_DEVCTL_URRE |
		  PCI_EXP_DEVCTL_RELAX_EN | PCI_EXP_DEVCTL_PAYLOAD |
		  PCI_EXP_DEVCTL_NOSNOOP_EN | PCI_EXP_DEVCTL_READRQ);
	pci_put16(pci->w1c + at + PCI_EXP_DEVSTA,
		  PCI_EXP_DEVSTA_CED | PCI_EXP_DEVSTA_NFED |
		  PCI_EXP_DEVSTA_FED | PCI_EXP_DEVSTA_URD);
	return 0;
}

/**
 * pci_pm_add() - add the power management capability
 * @pci: the function, not yet published
 * @err: says why it failed
 *
 * D0 and D3hot. In D3hot the function answers configuration accesses only; its
 * state stays (No_Soft_Reset).
 *
 * Return: 0, or -ENOSPC.
 */
int pci_pm_add(struct pci_device *pci, struct error *err)
{
	u32 at = 0;
	int ret;

	ret = pci_capability_add(pci, PCI_CAP_ID_PM, PCI_PM_SIZEOF, &at, err);
	if (ret)
		return ret;
	pci->pm_cap = at;
	pci_put16(pci->config + at + PCI_PM_PMC, 3);	/* version */
	pci_put16(pci->config + at + PCI_PM_CTRL, PCI_PM_CTRL_NO_SOFT_RESET);
	pci_put16(pci->wmask + at + PCI_PM_CTRL, PCI_PM_CTRL_STATE_MASK);
	return 0;
}

/**
 * pci_in_d0() - is the function awake?
 * @pci: the function
 *
 * Context: the device's lock is held.
 * Return: false in D3hot; true without power management.
 */
bool pci_in_d0(const struct pci_device *pci)
{
	return !pci->pm_cap ||
	       !(pci_get16(pci->config + pci->pm_cap + PCI_PM_CTRL) &
		 PCI_PM_CTRL_STATE_MASK);
}

/**
 * pci_intx_drive() - drive INTA# as it should be
 * @pci: the function
 *
 * Two threads that do it at once may come to different answers, and the older
 * answer may be set last. So each looks again after it has set the line:
 * whoever sets it last sees all that the others had stored before they looked.
 * (Sequentially consistent; the line itself is serialized by the lock in
 * irq_line_set().)
 *
 * Context: any thread; takes LOCK_IRQ.
 */
void pci_intx_drive(struct pci_device *pci)
{
	bool want, set;

	want = atomic_load(&pci->intx_level) &&
	       !atomic_load(&pci->intx_blocked);
	do {
		set = want;
		irq_line_set(&pci->intx, set);
		want = atomic_load(&pci->intx_level) &&
		       !atomic_load(&pci->intx_blocked);
	} while (want != set);
}

/**
 * pci_intx_set() - assert or deassert INTA#
 * @pci: the function
 * @level: true while the function has something to say
 *
 * The level is remembered while INTx Disable, MSI-X or D3hot keep the wire
 * low, and shows in Interrupt Status. A function without an interrupt pin has
 * no wire.
 *
 * Context: any thread; takes LOCK_IRQ.
 */
void pci_intx_set(struct pci_device *pci, bool level)
{
	if (!pci->ident.intx)
		return;
	/* The usual case is that nothing changes, on every completion. */
	if (atomic_exchange(&pci->intx_level, level) != level)
		pci_intx_drive(pci);
}

/**
 * pci_intx_disabled() - INTA# is cut off
 * @pci: the function
 *
 * Context: any thread.
 * Return: true while INTx Disable is set, MSI-X is enabled or the function is
 * not in D0.
 */
bool pci_intx_disabled(const struct pci_device *pci)
{
	return atomic_load(&pci->intx_blocked);
}

/*
 * Brings all that depends on configuration space in line with it, but for the
 * wire of INTA#, which pci_refresh() drives too.
 */
static void config_apply(struct pci_device *pci)
{
	u16 command = pci_get16(pci->config + PCI_COMMAND);
	bool d0 = pci_in_d0(pci);

	if (d0 && (command & PCI_COMMAND_MASTER))
		guest_gate_open(&pci->dev.gate, GATE_NO_BUS_MASTER);
	else
		guest_gate_close(&pci->dev.gate, GATE_NO_BUS_MASTER);
	pci_bars_update(pci);
	msix_refresh(pci);
	atomic_store(&pci->intx_blocked,
		     !d0 || (command & PCI_COMMAND_INTX_DISABLE) ||
		     msix_enabled(pci));
}

/**
 * pci_refresh() - bring all that depends on configuration space in line
 * @pci: the function
 *
 * Context: the device's lock is held.
 */
void pci_refresh(struct pci_device *pci)
{
	config_apply(pci);
	pci_intx_drive(pci);
}

/**
 * pci_config_read() - the guest reads configuration space
 * @pci: the function
 * @offset: first byte
 * @len: 1, 2 or 4
 *
 * Context: the device's lock is held.
 * Return: the bytes as a little-endian number; all ones beyond the end.
 */
u32 pci_config_read(struct pci_device *pci, u32 offset, u32 len)
{
	u8 bytes[4] = { 0xff, 0xff, 0xff, 0xff };

	if (len > sizeof(bytes) || !range_fits(offset, len, PCI_CONFIG_SIZE))
		return UINT32_MAX;
	if (pci->ops->config_read)
		pci->ops->config_read(pci, offset, len);
	memset(bytes, 0, sizeof(bytes));
	memcpy(bytes, pci->config + offset, len);
	/* Interrupt Status is the one bit that moves by itself. */
	if (pci_touches(offset, len, PCI_STATUS, 1) &&
	    atomic_load(&pci->intx_level))
		bytes[PCI_STATUS - offset] |= PCI_STATUS_INTERRUPT;
	return pci_get32(bytes);
}

/* The bytes through the masks. */
static void masked_write(struct pci_device *pci, u32 offset, u32 value, u32 len)
{
	u32 i;

	for (i = 0; i < len; i++) {
		u8 v = (u8)(value >> (8 * i));
		u8 w = pci->wmask[offset + i];
		u8 *at = &pci->config[offset + i];

		*at = (u8)((*at & ~w) | (v & w));
		*at &= (u8)~(v & pci->w1c[offset + i]);
	}
}

/* Initiate FLR: bit 15 of Device Control, in its second byte. */
static bool wants_flr(const struct pci_device *pci, u32 offset, u32 value,
		      u32 len)
{
	u32 at = pci->pcie_cap + PCI_EXP_DEVCTL + 1;

	return pci->pcie_cap && pci_touches(offset, len, at, 1) &&
	       value >> (8 * (at - offset)) & PCI_EXP_DEVCTL_BCR_FLR >> 8;
}

/**
 * pci_config_write() - the guest writes configuration space
 * @pci: the function
 * @offset: first byte
 * @value: the bytes as a little-endian number
 * @len: 1, 2 or 4
 *
 * Context: the device's lock is held.
 */
void pci_config_write(struct pci_device *pci, u32 offset, u32 value, u32 len)
{
	u32 pm = pci->pm_cap + PCI_PM_CTRL;
	u8 pm_old = pci->config[pm];

	if (len > sizeof(value) || !range_fits(offset, len, PCI_CONFIG_SIZE))
		return;
	masked_write(pci, offset, value, len);
	if (pci->pm_cap) {
		u8 state = pci->config[pm] & PCI_PM_CTRL_STATE_MASK;

		/* PCIe-4.0 7.5.2.2: a state that is not there changes nothing */
		if (state == 1 || state == 2)
			pci->config[pm] = pm_old;
	}
	if (wants_flr(pci, offset, value, len)) {
		function_level_reset(pci);
		return;
	}
	pci_refresh(pci);
	if (pci_touches(offset, len, PCI_COMMAND, 2) &&
	    pci->ops->command_changed)
		pci->ops->command_changed(pci);
	if (pci->ops->config_written)
		pci->ops->config_written(pci, offset, len);
}

static const struct state_field vector_fields[] = {
	STATE_U32(struct msix_vector_state, addr_low, "address-low", 0,
		  UINT32_MAX & ~3U),
	STATE_U32(struct msix_vector_state, addr_high, "address-high", 0,
		  UINT32_MAX),
	STATE_U32(struct msix_vector_state, data, "data", 0, UINT32_MAX),
	STATE_U16(struct msix_vector_state, masked, "masked", 0, 1),
	STATE_U16(struct msix_vector_state, pending, "pending", 0, 1),
};

static const struct state_desc vector_desc =
	STATE_DESC("lkvm,msix-vector-v1", struct msix_vector_state,
		   vector_fields);

static const struct state_field pci_fields[] = {
	STATE_BYTES(struct pci_state, config, "config"),
	STATE_U32(struct pci_state, intx, "intx", 0, 1),
	STATE_STRUCTS(struct pci_state, vectors, vectors_nr, "vector",
		      &vector_desc),
};

/* The table of struct pci_state, for the tables of devices that embed it. */
const struct state_desc pci_state_desc =
	STATE_DESC("lkvm,pci-function-v1", struct pci_state, pci_fields);

static_assert(sizeof(struct pci_state) % 8 == 0,
	      "a device puts 64-bit fields after it");

/**
 * pci_state_save() - copy a function's PCI part
 * @pci: the function
 * @state: zeroed; takes it
 *
 * Context: the device's save.
 */
void pci_state_save(const struct pci_device *pci, struct pci_state *state)
{
	memcpy(state->config, pci->config, sizeof(state->config));
	state->intx = atomic_load(&pci->intx_level);
	msix_save(pci, state);
}

/**
 * pci_state_check() - does a state fit the function as it was built?
 * @pci: the function
 * @state: decoded, its ranges checked
 * @err: says what does not fit
 *
 * A bit that the guest cannot write is a property of the device, and a device
 * that differs in one is another device: the driver in the guest has looked at
 * it long ago.
 *
 * Context: the device's check.
 * Return: 0, or -EINVAL.
 */
int pci_state_check(const struct pci_device *pci,
		    const struct pci_state *state, struct error *err)
{
	u32 i;

	for (i = 0; i < PCI_CONFIG_SIZE; i++) {
		u8 fixed = (u8)~(pci->wmask[i] | pci->w1c[i]);

		if ((state->config[i] ^ pci->config[i]) & fixed)
			return error_set(err, -EINVAL,
					 "config: byte %#x is %#04x, but the device has %#04x there",
					 i, state->config[i], pci->config[i]);
	}
	if (pci->pm_cap) {
		u8 power = state->config[pci->pm_cap + PCI_PM_CTRL] &
			   PCI_PM_CTRL_STATE_MASK;

		if (power == 1 || power == 2)
			return error_set(err, -EINVAL,
					 "config: power state D%u does not exist",
					 power);
	}
	if (state->intx && !pci->ident.intx)
		return error_set(err, -EINVAL,
				 "intx: the device has no interrupt pin");
	return msix_check(pci, state, err);
}

/**
 * pci_state_load() - install a state that pci_state_check() has passed
 * @pci: the function
 * @state: the state
 *
 * The wire of INTA# follows when the machine resumes.
 *
 * Context: the device's load, with its lock held.
 */
void pci_state_load(struct pci_device *pci, const struct pci_state *state)
{
	memcpy(pci->config, state->config, sizeof(pci->config));
	atomic_store(&pci->intx_level, state->intx);
	msix_load(pci, state);
	config_apply(pci);
}
