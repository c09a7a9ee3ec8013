// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the PCI host bridge
 *
 * One bus, 32 slots, no bridges behind. Configuration space is reached through
 * the memory-mapped window of PCI Express (ECAM), and through the address and
 * data ports 0xcf8 and 0xcfc where the architecture has them. The bridge is
 * itself function 0 of slot 0.
 *
 * There is no firmware to place BARs, so the bridge computes where each BAR is
 * at power-on: in the order of slots, functions and BARs, each at the next
 * naturally aligned address of its window. That depends on the machine
 * description alone, not on the order in which devices are made. The guest may
 * move them afterwards.
 *
 * Threads: accesses come on vCPU threads with the bridge's lock held (its rank
 * is below that of other devices); the function's own lock is taken inside.
 *
 * Specifications: PCIe-4.0 7.2.2 (ECAM), PCI Local Bus 3.0 3.2.2.3.2
 * (configuration mechanism #1).
 */
#include "devices/pci/pci_priv.h"
#include "vmm/arch.h"
#include "vmm/base/log.h"
#include "vmm/base/math.h"
#include "vmm/vm.h"

#define FUNCTIONS	256	/* of one bus */
#define HEADER_MULTIFUNCTION	0x80
#define CF8_ENABLE	BIT(31)
#define CF8_WRITABLE	(CF8_ENABLE | 0x00fffffc)

/**
 * enum pci_window_id - where BARs can be
 * @WINDOW_MMIO32: below 4 GiB
 * @WINDOW_MMIO64: above RAM
 * @WINDOW_PIO: I/O ports
 * @WINDOWS: how many
 */
enum pci_window_id {
	WINDOW_MMIO32,
	WINDOW_MMIO64,
	WINDOW_PIO,
	WINDOWS,
};

/**
 * struct pci_host - the host bridge
 * @bridge: its own function; its lock is the bridge's lock
 * @windows: the addresses that it forwards to its bus
 * @functions: by slot and function, NULL where nothing is. Written only while
 *             the machine is built or taken apart
 * @cf8: the address port's register
 * @ecam: memory-mapped configuration space
 * @ports: the address and data ports
 */
struct pci_host {
	struct pci_device bridge;
	struct arch_range windows[WINDOWS];
	struct pci_device *functions[FUNCTIONS];
	u32 cf8;
	struct bus_region ecam;
	struct bus_region ports;
};

/**
 * struct pci_host_state - what is saved of the host bridge
 * @bridge: its own function
 * @cf8: the address port's register
 */
struct pci_host_state {
	struct pci_state bridge;
	u32 cf8;
};

/*
 * Nobody has given us numbers of our own; these are the ones of a generic
 * virtual host bridge, which no driver binds to.
 */
static const struct pci_ident bridge_ident = {
	.vendor = 0x1b36,
	.device = 0x0008,
	.subsystem_vendor = 0x1af4,
	.subsystem = 0x1100,
	.class = 0x060000,	/* host bridge */
};

static struct pci_host *to_host(const struct device *dev)
{
	return container_of(dev, struct pci_host, bridge.dev);
}

/* The bridge's own function is under the lock that is held already. */
static void function_lock(struct pci_host *host, struct pci_device *pci)
{
	if (pci != &host->bridge)
		mutex_lock(&pci->dev.lock);
}

static void function_unlock(struct pci_host *host, struct pci_device *pci)
{
	if (pci != &host->bridge)
		mutex_unlock(&pci->dev.lock);
}

/* BARs that found their place taken may find it free now. */
static void retry_conflicts(struct pci_host *host)
{
	u32 i;

	for (i = 0; i < FUNCTIONS; i++) {
		struct pci_device *pci = host->functions[i];

		if (!pci || !pci->bar_conflict)
			continue;
		function_lock(host, pci);
		pci_bars_update(pci);
		function_unlock(host, pci);
	}
}

/* Within one dword of one function. */
static u32 function_read(struct pci_host *host, u32 devfn, u32 reg, u32 len)
{
	struct pci_device *pci = host->functions[devfn];
	u32 value;

	if (!pci)
		return UINT32_MAX;
	function_lock(host, pci);
	value = pci_config_read(pci, reg, len);
	function_unlock(host, pci);
	return value;
}

static void function_write(struct pci_host *host, u32 devfn, u32 reg,
			   u32 value, u32 len)
{
	struct pci_device *pci = host->functions[devfn];

	if (!pci)
		return;
	function_lock(host, pci);
	pci_config_write(pci, reg, value, len);
	function_unlock(host, pci);
	retry_conflicts(host);
}

/* Only bus 0 is there. @at is a byte address as in the ECAM window. */
static u32 ecam_dword_read(struct pci_host *host, u64 at, u32 len)
{
	if (at >> 20)
		return UINT32_MAX;
	return function_read(host, (u32)at >> 12, at & 0xfff, len);
}

static void ecam_dword_write(struct pci_host *host, u64 at, u32 value, u32 len)
{
	if (!(at >> 20))
		function_write(host, (u32)at >> 12, at & 0xfff, value, len);
}

/* The address port takes dwords only; its other bytes are somebody else's. */
static u32 port_dword_read(struct pci_host *host, u64 at, u32 len)
{
	if (at < 4)
		return at == 0 && len == 4 ? host->cf8 : UINT32_MAX;
	if (!(host->cf8 & CF8_ENABLE))
		return UINT32_MAX;
	return ecam_dword_read(host, (host->cf8 & 0xffff00) << 4 |
			       (host->cf8 & 0xfc) | (at & 3), len);
}

static void port_dword_write(struct pci_host *host, u64 at, u32 value, u32 len)
{
	if (at < 4) {
		if (at == 0 && len == 4)
			host->cf8 = value & CF8_WRITABLE;
		return;
	}
	if (host->cf8 & CF8_ENABLE)
		ecam_dword_write(host, (host->cf8 & 0xffff00) << 4 |
				 (host->cf8 & 0xfc) | (at & 3), value, len);
}

/* Bytes up to the end of the dword that @at is in, at most @len. */
static u32 dword_part(u64 at, u32 len)
{
	return min_of(len, 4 - (u32)(at & 3));
}

/* An access of any width and alignment is one access to each dword. */
static u64 split_read(struct pci_host *host, u64 at, u32 len,
		      u32 (*read)(struct pci_host *host, u64 at, u32 len))
{
	u64 value = 0;
	u32 done, n;

	for (done = 0; done < len; done += n) {
		u32 part;

		n = dword_part(at + done, len - done);
		part = read(host, at + done, n);
		if (n < 4)
			part &= (1U << (8 * n)) - 1;
		value |= (u64)part << (8 * done);
	}
	return value;
}

static void split_write(struct pci_host *host, u64 at, u64 value, u32 len,
			void (*write)(struct pci_host *host, u64 at,
				      u32 value, u32 len))
{
	u32 done, n;

	for (done = 0; done < len; done += n) {
		n = dword_part(at + done, len - done);
		write(host, at + done, (u32)(value >> (8 * done)), n);
	}
}

static u64 ecam_read(struct bus_region *region, u64 offset, u32 len)
{
	return split_read(region->opaque, offset, len, ecam_dword_read);
}

static void ecam_write(struct bus_region *region, u64 offset, u64 value,
		       u32 len)
{
	split_write(region->opaque, offset, value, len, ecam_dword_write);
}

static u64 ports_read(struct bus_region *region, u64 offset, u32 len)
{
	return split_read(region->opaque, offset, len, port_dword_read);
}

static void ports_write(struct bus_region *region, u64 offset, u64 value,
			u32 len)
{
	split_write(region->opaque, offset, value, len, port_dword_write);
}

static const struct bus_ops ecam_ops = {
	.read = ecam_read,
	.write = ecam_write,
};

static const struct bus_ops ports_ops = {
	.read = ports_read,
	.write = ports_write,
};

/**
 * pci_host_forwards() - does the bridge pass accesses on to its bus?
 * @host: the bridge
 * @addr: first address or port
 * @size: bytes
 * @pio: ports
 *
 * Context: any thread; the windows do not change.
 * Return: true when all of the range is in one of its windows.
 */
bool pci_host_forwards(const struct pci_host *host, u64 addr, u64 size,
		       bool pio)
{
	u32 i;

	for (i = 0; i < WINDOWS; i++)
		if ((i == WINDOW_PIO) == pio &&
		    range_within(addr, size, host->windows[i].base,
				 host->windows[i].size))
			return true;
	return false;
}

/* Takes the next naturally aligned range from what is left of a window. */
static int window_take(struct arch_range *left, u64 size, u64 *addr)
{
	u64 pad = -left->base & (size - 1);

	if (!range_fits(pad, size, left->size))
		return -ENOSPC;
	*addr = left->base + pad;
	left->base += pad + size;
	left->size -= pad + size;
	return 0;
}

/* 64-bit BARs go above RAM as long as there is room. */
static int bar_place(struct arch_range *left, struct pci_bar *bar)
{
	if (bar->flags & PCI_BAR_PIO)
		return window_take(&left[WINDOW_PIO], bar->size,
				   &bar->initial);
	if ((bar->flags & PCI_BAR_MMIO64) &&
	    !window_take(&left[WINDOW_MMIO64], bar->size, &bar->initial))
		return 0;
	return window_take(&left[WINDOW_MMIO32], bar->size, &bar->initial);
}

/* Power-on addresses of all BARs of all functions. */
static int bars_place(struct pci_host *host, struct error *err)
{
	struct arch_range left[WINDOWS];
	u32 i, bar;

	memcpy(left, host->windows, sizeof(left));
	for (i = 0; i < FUNCTIONS * PCI_BARS; i++) {
		struct pci_device *pci = host->functions[i / PCI_BARS];

		bar = i % PCI_BARS;
		if (!pci || !pci->bars[bar].size)
			continue;
		if (bar_place(left, &pci->bars[bar]))
			return error_set(err, -ENOSPC,
					 "no room for BAR %u of %s (%llu KiB)",
					 bar, pci->dev.name,
					 pci->bars[bar].size / KIB);
	}
	return 0;
}

/*
 * A function in a lower slot came after others, which now have new power-on
 * addresses: those that are powered on already move there.
 */
static void bars_move(struct pci_host *host)
{
	u32 i, bar;

	for (i = 0; i < FUNCTIONS; i++)
		if (host->functions[i])
			pci_bars_unmap(host->functions[i]);
	for (i = 0; i < FUNCTIONS; i++) {
		struct pci_device *pci = host->functions[i];

		if (!pci)
			continue;
		for (bar = 0; bar < PCI_BARS; bar++)
			if (pci->bars[bar].size)
				pci_bar_set_address(pci, bar,
						    pci->bars[bar].initial);
		pci_bars_update(pci);
	}
}

/* Header Type tells in every function of a slot whether there are several. */
static void slot_mark_multifunction(struct pci_host *host, u32 slot)
{
	struct pci_device **f = &host->functions[slot * 8];
	u8 multi = 0;
	u32 i;

	for (i = 1; i < 8; i++)
		if (f[i])
			multi = HEADER_MULTIFUNCTION;
	for (i = 0; i < 8; i++) {
		if (!f[i])
			continue;
		f[i]->config[PCI_HEADER_TYPE] = multi;
		f[i]->power_on[PCI_HEADER_TYPE] = multi;
	}
}

/**
 * pci_host_attach() - put a function on the bus
 * @pci: the function
 * @err: says why it failed
 *
 * Computes the power-on addresses of all BARs anew.
 *
 * Context: while the machine is built.
 * Return: 0, -ENODEV: no bridge, -EEXIST: the place is taken, -ENOSPC: the
 * windows are full.
 */
int pci_host_attach(struct pci_device *pci, struct error *err)
{
	struct device *dev = device_find_class(pci->dev.vm, "pci-host", 0);
	struct pci_host *host;
	u32 devfn = pci_devfn(pci);
	int ret;

	if (!dev)
		return error_set(err, -ENODEV, "the machine has no PCI bus");
	host = to_host(dev);
	if (host->functions[devfn])
		return error_set(err, -EEXIST,
				 "PCI slot %u, function %u is taken by %s",
				 pci->dev.addr.slot, pci->dev.addr.function,
				 host->functions[devfn]->dev.name);
	host->functions[devfn] = pci;
	ret = bars_place(host, err);
	if (ret) {
		host->functions[devfn] = NULL;
		return ret;
	}
	pci->host = host;
	slot_mark_multifunction(host, pci->dev.addr.slot);
	bars_move(host);
	return 0;
}

/**
 * pci_host_detach() - take a function off the bus
 * @pci: the function, may be on none
 *
 * The others stay where they are.
 *
 * Context: while the machine is built or taken apart.
 */
void pci_host_detach(struct pci_device *pci)
{
	if (!pci->host)
		return;
	pci->host->functions[pci_devfn(pci)] = NULL;
	pci->host = NULL;
}

static int ecam_add(struct pci_host *host, struct error *err)
{
	const struct arch_range *range = &arch_layout.pci_ecam;
	struct device *dev = &host->bridge.dev;

	host->ecam = (struct bus_region){
		.name = "pci-ecam",
		.base = range->base,
		.size = range->size,
		.ops = &ecam_ops,
		.opaque = host,
		.lock = &dev->lock,
	};
	return bus_region_add(&dev->vm->mmio, &host->ecam, err);
}

/* An architecture without ports has ECAM only. */
static int ports_add(struct pci_host *host, struct error *err)
{
	const struct arch_resource *res = arch_resource_find("pci-host", 0);
	struct device *dev = &host->bridge.dev;

	if (!res || !res->pio)
		return 0;
	host->ports = (struct bus_region){
		.name = "pci-ports",
		.base = res->base,
		.size = res->size,
		.ops = &ports_ops,
		.opaque = host,
		.lock = &dev->lock,
	};
	return bus_region_add(&dev->vm->pio, &host->ports, err);
}

static int pci_host_realize(struct device *dev, struct error *err)
{
	struct pci_host *host = to_host(dev);
	int ret;

	host->windows[WINDOW_MMIO32] = arch_layout.pci_mmio32;
	host->windows[WINDOW_MMIO64] = arch_pci_mmio64(dev->vm);
	host->windows[WINDOW_PIO] = arch_layout.pci_pio;
	ret = pci_device_init(&host->bridge, &bridge_ident, NULL, err);
	if (ret)
		return ret;
	ret = pci_device_publish(&host->bridge, err);
	if (ret)
		goto err_function;
	ret = ecam_add(host, err);
	if (ret)
		goto err_function;
	ret = ports_add(host, err);
	if (ret)
		goto err_ecam;
	return 0;

err_ecam:
	bus_region_remove(&host->ecam);
err_function:
	pci_device_destroy(&host->bridge);
	return ret;
}

static void pci_host_unrealize(struct device *dev)
{
	struct pci_host *host = to_host(dev);

	bus_region_remove(&host->ports);
	bus_region_remove(&host->ecam);
	pci_device_destroy(&host->bridge);
}

static void pci_host_reset(struct device *dev)
{
	struct pci_host *host = to_host(dev);

	host->cf8 = 0;
	pci_device_reset(&host->bridge);
}

static void pci_host_save(const struct device *dev, void *state)
{
	const struct pci_host *host = to_host(dev);
	struct pci_host_state *s = state;

	pci_state_save(&host->bridge, &s->bridge);
	s->cf8 = host->cf8;
}

static int pci_host_check(const struct device *dev, const void *state,
			  struct error *err)
{
	const struct pci_host_state *s = state;

	if (s->cf8 & ~CF8_WRITABLE)
		return error_set(err, -EINVAL,
				 "address-port: %#x has bits that do not exist",
				 s->cf8);
	return pci_state_check(&to_host(dev)->bridge, &s->bridge, err);
}

static void pci_host_load(struct device *dev, const void *state)
{
	struct pci_host *host = to_host(dev);
	const struct pci_host_state *s = state;

	host->cf8 = s->cf8;
	pci_state_load(&host->bridge, &s->bridge);
}

/*
 * Functions are reset and loaded one by one, so that a BAR may have found its
 * place still taken by another one that moved away later; and load drives no
 * wires. The bridge resumes before what is behind it.
 */
static void pci_host_resume(struct device *dev)
{
	struct pci_host *host = to_host(dev);
	u32 i;

	mutex_lock(&dev->lock);
	retry_conflicts(host);
	for (i = 0; i < FUNCTIONS; i++)
		if (host->functions[i])
			pci_intx_drive(host->functions[i]);
	mutex_unlock(&dev->lock);
}

static const struct device_ops pci_host_ops = {
	.realize = pci_host_realize,
	.reset = pci_host_reset,
	.save = pci_host_save,
	.check = pci_host_check,
	.load = pci_host_load,
	.resume = pci_host_resume,
	.unrealize = pci_host_unrealize,
};

static const struct state_field pci_host_fields[] = {
	STATE_STRUCT(struct pci_host_state, bridge, "function",
		     &pci_state_desc),
	STATE_U32(struct pci_host_state, cf8, "address-port", 0,
		  CF8_WRITABLE),
};

static const struct state_desc pci_host_state =
	STATE_DESC("lkvm,pci-host-v1", struct pci_host_state, pci_host_fields);

static const struct device_class pci_host_class = {
	.name = "pci-host",
	.compatible = "lkvm,pci-host",
	.summary = "PCI Express host bridge",
	.kind = DEVICE_PLATFORM,
	.by_default = true,
	.hidden = true,
	.host = true,
	.max = 1,
	.instance_size = sizeof(struct pci_host),
	.state = &pci_host_state,
	.ops = &pci_host_ops,
};

DEVICE_CLASS_REGISTER(pci_host_class);
