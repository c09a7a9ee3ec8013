// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: base address registers
 *
 * A BAR's size is in its write mask: the low bits cannot be written, so that
 * the guest's all-ones probe reads the size back. Whether and where a BAR is
 * on its bus is computed from the registers alone: the decode bit of the
 * Command register, the power state, and an address within a window of the
 * host bridge (others are not forwarded to the function; the all-ones address
 * of a size probe is one).
 *
 * Two BARs at one address are a fault of the guest, or a moment between two
 * writes of a guest that swaps them. The second one is not mapped then; the
 * host bridge tries it again after each configuration write and before the
 * machine resumes.
 *
 * Threads: the device's lock is held, or the device is being built.
 * Specification: PCIe-4.0 7.5.1.2.1.
 */
#include "devices/pci/pci_priv.h"
#include "vmm/base/log.h"
#include "vmm/base/math.h"
#include "vmm/vm.h"

static bool bar_is_pio(const struct pci_bar *bar)
{
	return bar->flags & PCI_BAR_PIO;
}

static bool bar_is_64(const struct pci_bar *bar)
{
	return bar->flags & PCI_BAR_MMIO64;
}

static u8 *bar_register(u8 *config, u32 bar)
{
	return config + PCI_BASE_ADDRESS_0 + 4 * bar;
}

static u64 bar_address(struct pci_device *pci, u32 i)
{
	const u8 *reg = bar_register(pci->config, i);
	u64 addr = pci_get32(reg);

	if (bar_is_pio(&pci->bars[i]))
		return addr & PCI_BASE_ADDRESS_IO_MASK & UINT32_MAX;
	addr &= ~0xfULL;
	if (bar_is_64(&pci->bars[i]))
		addr |= (u64)pci_get32(reg + 4) << 32;
	return addr;
}

/**
 * pci_bar_set_address() - program a BAR as the guest would
 * @pci: the function
 * @i: the BAR, one that exists
 * @addr: aligned to its size
 *
 * Decoding follows with the next pci_bars_update().
 *
 * Context: the device's lock is held, or the machine is being built.
 */
void pci_bar_set_address(struct pci_device *pci, u32 i, u64 addr)
{
	u8 *reg = bar_register(pci->config, i);
	const u8 *fixed = bar_register(pci->power_on, i);

	pci_put32(reg, pci_get32(fixed) | (u32)addr);
	if (bar_is_64(&pci->bars[i]))
		pci_put32(reg + 4, (u32)(addr >> 32));
}

/* A BAR's register or registers are free, and its size can be told by them. */
static int bar_check(const struct pci_device *pci, u32 i, u64 size, u32 flags,
		     struct error *err)
{
	u32 last = flags & PCI_BAR_MMIO64 ? i + 1 : i;
	u64 min = flags & PCI_BAR_PIO ? 4 : 16;
	u64 max = flags & PCI_BAR_PIO ? 256 :
		  flags & PCI_BAR_MMIO64 ? 1ULL << 62 : 2 * GIB;

	if (last >= PCI_BARS)
		return error_set(err, -EINVAL, "there is no BAR %u", last);
	if ((flags & PCI_BAR_PIO) && flags != PCI_BAR_PIO)
		return error_set(err, -EINVAL,
				 "BAR %u is neither memory nor ports", i);
	if (!is_power_of_2(size) || size < min || size > max)
		return error_set(err, -EINVAL,
				 "BAR %u cannot have a size of %#llx", i, size);
	if (pci->bars[i].size || pci->bars[last].size ||
	    (i && bar_is_64(&pci->bars[i - 1])))
		return error_set(err, -EINVAL, "BAR %u is taken", i);
	return 0;
}

/**
 * pci_bar_add() - give a function a BAR
 * @pci: the function, not yet published
 * @bar: number; a 64-bit one takes the next number too
 * @size: bytes, a power of two
 * @flags: see enum pci_bar_flags
 * @ops: what accesses do; called with the device's lock held
 * @opaque: &bus_region.opaque for @ops
 * @err: says why it failed
 *
 * Context: realize.
 * Return: 0, or -EINVAL.
 */
int pci_bar_add(struct pci_device *pci, u32 bar, u64 size, u32 flags,
		const struct bus_ops *ops, void *opaque, struct error *err)
{
	struct pci_bar *b;
	u16 decode = flags & PCI_BAR_PIO ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;
	u8 *reg, *wmask;
	u32 type = 0;
	int ret;

	ret = bar_check(pci, bar, size, flags, err);
	if (ret)
		return ret;
	b = &pci->bars[bar];
	b->size = size;
	b->flags = flags;
	b->region = (struct bus_region){
		.name = pci->dev.name,
		.size = size,
		.ops = ops,
		.opaque = opaque,
		.lock = &pci->dev.lock,
	};
	list_init(&b->region.link);

	reg = bar_register(pci->config, bar);
	wmask = bar_register(pci->wmask, bar);
	if (flags & PCI_BAR_PIO)
		type |= PCI_BASE_ADDRESS_SPACE_IO;
	if (flags & PCI_BAR_MMIO64)
		type |= PCI_BASE_ADDRESS_MEM_TYPE_64;
	if (flags & PCI_BAR_PREFETCH)
		type |= PCI_BASE_ADDRESS_MEM_PREFETCH;
	pci_put32(reg, type);
	pci_put32(wmask, (u32)~(size - 1));
	if (flags & PCI_BAR_MMIO64)
		pci_put32(wmask + 4, (u32)(~(size - 1) >> 32));
	pci_put16(pci->wmask + PCI_COMMAND,
		  pci_get16(pci->wmask + PCI_COMMAND) | decode);
	return 0;
}

/* The function answers at the address that the BAR holds. */
static bool bar_decodes(struct pci_device *pci, u32 i)
{
	const struct pci_bar *bar = &pci->bars[i];
	u16 decode = bar_is_pio(bar) ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;

	return bar->size && pci->host && pci_in_d0(pci) &&
	       (pci_get16(pci->config + PCI_COMMAND) & decode) &&
	       pci_host_forwards(pci->host, bar_address(pci, i), bar->size,
				 bar_is_pio(bar));
}

static bool bar_remove(struct pci_bar *bar)
{
	if (!bar->region.bus)
		return false;
	bus_region_remove(&bar->region);
	return true;
}

/* Takes away what is not where the registers say. */
static bool bars_remove_stale(struct pci_device *pci)
{
	bool moved = false;
	u32 i;

	for (i = 0; i < PCI_BARS; i++) {
		struct pci_bar *bar = &pci->bars[i];

		if (!bar_decodes(pci, i) ||
		    bar->region.base != bar_address(pci, i))
			moved |= bar_remove(bar);
	}
	return moved;
}

/* Adds what is missing. */
static bool bars_add_missing(struct pci_device *pci)
{
	struct vm *vm = pci->dev.vm;
	bool moved = false;
	u32 i;

	pci->bar_conflict = false;
	for (i = 0; i < PCI_BARS; i++) {
		struct pci_bar *bar = &pci->bars[i];
		struct error err = ERROR_INIT;

		if (bar->region.bus || !bar_decodes(pci, i))
			continue;
		bar->region.base = bar_address(pci, i);
		if (bus_region_add(bar_is_pio(bar) ? &vm->pio : &vm->mmio,
				   &bar->region, &err)) {
			pci->bar_conflict = true;
			log_limited(LOG_DEBUG, "%s: BAR %u: %s", pci->dev.name,
				    i, err.text);
			continue;
		}
		moved = true;
	}
	return moved;
}

/**
 * pci_bars_update() - put each BAR where the registers say
 * @pci: the function, which hears of it when anything changed
 *
 * Context: the device's lock is held, or the machine is being built.
 */
void pci_bars_update(struct pci_device *pci)
{
	bool removed = bars_remove_stale(pci);
	bool added = bars_add_missing(pci);

	if ((removed || added) && pci->ops->bars_moved)
		pci->ops->bars_moved(pci);
}

/**
 * pci_bars_unmap() - take all BARs off the bus, whatever the registers say
 * @pci: the function; it does not hear of it
 *
 * Context: the machine is being built or taken apart.
 */
void pci_bars_unmap(struct pci_device *pci)
{
	u32 i;

	for (i = 0; i < PCI_BARS; i++)
		bar_remove(&pci->bars[i]);
}

/**
 * pci_bar_mapped() - is a BAR on its bus?
 * @pci: the function
 * @bar: its number
 *
 * Context: the device's lock is held.
 * Return: true while the guest can reach it, at &pci_bar.region.base.
 */
bool pci_bar_mapped(const struct pci_device *pci, u32 bar)
{
	return bar < PCI_BARS && pci->bars[bar].region.bus;
}
