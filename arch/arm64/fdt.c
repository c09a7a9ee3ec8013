// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the device tree that describes the machine to its guest
 *
 * Written from the machine's devices, at the addresses of layout.c. One table
 * says how each platform device is described.
 *
 * Specification: Devicetree Specification 0.4; the bindings of Linux
 * (Documentation/devicetree/bindings).
 *
 * What it does not say: caches, NUMA, idle states, power domains.
 */
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "arch/arm64/boot_priv.h"
#include "arch/arm64/layout.h"
#include "vmm/base/math.h"
#include "vmm/base/tree_writer.h"
#include "vmm/device.h"
#include "vmm/vm.h"

#define PHANDLE_GIC	1
#define PHANDLE_MSI	2
#define PHANDLE_CLOCK	3
#define PHANDLE_GPIO	4

/* Interrupt specifiers: bindings/interrupt-controller/arm,gic-v3.yaml */
#define SPI		0
#define PPI		1
#define EDGE_RISING	1
#define LEVEL_HIGH	4
/* A GICv2 wants to know which CPUs have a private interrupt. */
#define PPI_CPUS_SHIFT	8

/* Ranges of a PCI bridge: IEEE 1275 PCI binding, 2.2.1.1 */
#define PCI_MMIO32	0x02000000
#define PCI_MMIO64	0x03000000

#define SERIAL_HZ	1843200
#define CLOCK_HZ	24000000
#define KEY_POWER	116
#define POWER_LINE	3	/* of the GPIO controller, see devices/pl061.c */
#define RNG_SEED_SIZE	64

static void cells(struct tree_writer *w, const char *name, const u32 *values,
		  u32 nr)
{
	fdt32_t *at = tree_property(w, name, nr * sizeof(*at));
	u32 i;

	for (i = 0; at && i < nr; i++)
		fdt32_st(at + i, values[i]);
}

#define CELLS(_w, _name, ...)						\
	cells(_w, _name, (const u32[]){ __VA_ARGS__ },			\
	      sizeof((const u32[]){ __VA_ARGS__ }) / sizeof(u32))
/* An address or a size takes two cells. */
#define LONG(_value)	(u32)((u64)(_value) >> 32), (u32)(_value)

static void empty(struct tree_writer *w, const char *name)
{
	tree_property(w, name, 0);
}

/* Several texts, with the NUL of each but the last written out. */
static void texts(struct tree_writer *w, const char *name, const char *text,
		  size_t len)
{
	void *at = tree_property(w, name, len);

	if (at)
		memcpy(at, text, len);
}

#define TEXTS(_w, _name, _text)	texts(_w, _name, _text, sizeof(_text))

static void node(struct tree_writer *w, const char *name, u64 at)
{
	char full[64];

	snprintf(full, sizeof(full), "%s@%llx", name, at);
	tree_node_begin(w, full);
}

/* ---- memory, what to boot ----------------------------------------------- */

static int random_property(struct tree_writer *w, const char *name, size_t len,
			   struct error *err)
{
	void *at = tree_property(w, name, len);

	if (at && getrandom(at, len, 0) != (ssize_t)len)
		return error_set(err, -errno, "getrandom: %m");
	return 0;
}

static int write_chosen(struct tree_writer *w, const struct fdt_params *p,
			struct error *err)
{
	int ret = 0;

	tree_node_begin(w, "chosen");
	tree_property_string(w, "bootargs", p->cmdline);
	tree_property_string(w, "stdout-path", "serial0");
	if (p->initrd_size) {
		tree_property_u64(w, "linux,initrd-start", p->initrd);
		tree_property_u64(w, "linux,initrd-end",
				  p->initrd + p->initrd_size);
	}
	if (p->kaslr_seed)
		tree_property_u64(w, "kaslr-seed", p->kaslr_seed);
	else
		ret = random_property(w, "kaslr-seed", sizeof(u64), err);
	if (!ret)
		ret = random_property(w, "rng-seed", RNG_SEED_SIZE, err);
	tree_node_end(w);
	return ret;
}

static void write_memory(struct tree_writer *w, const struct vm *vm)
{
	node(w, "memory", ARM64_RAM_BASE);
	tree_property_string(w, "device_type", "memory");
	CELLS(w, "reg", LONG(ARM64_RAM_BASE), LONG(vm->config.memory_bytes));
	tree_node_end(w);
	tree_node_begin(w, "reserved-memory");
	tree_property_u32(w, "#address-cells", 2);
	tree_property_u32(w, "#size-cells", 2);
	empty(w, "ranges");
	node(w, "machine", ARM64_RAM_BASE);
	CELLS(w, "reg", LONG(ARM64_RAM_BASE), LONG(ARM64_RESERVED_SIZE));
	empty(w, "no-map");
	tree_node_end(w);
	tree_node_end(w);
}

/* ---- CPUs and what belongs to them -------------------------------------- */

static void write_cpus(struct tree_writer *w, const struct fdt_params *p)
{
	u32 i;

	tree_node_begin(w, "cpus");
	tree_property_u32(w, "#address-cells", 2);
	tree_property_u32(w, "#size-cells", 0);
	for (i = 0; i < p->cpus; i++) {
		node(w, "cpu", p->mpidr[i]);
		tree_property_string(w, "device_type", "cpu");
		tree_property_string(w, "compatible", "arm,armv8");
		tree_property_string(w, "enable-method", "psci");
		CELLS(w, "reg", LONG(p->mpidr[i]));
		tree_node_end(w);
	}
	tree_node_end(w);
}

static void write_psci(struct tree_writer *w)
{
	tree_node_begin(w, "psci");
	TEXTS(w, "compatible", "arm,psci-1.0\0arm,psci-0.2");
	tree_property_string(w, "method", "hvc");
	tree_node_end(w);
}

/* The third cell of a private interrupt, which is high when it is active. */
static u32 ppi_high(const struct fdt_params *p)
{
	return LEVEL_HIGH | (gic_is_v2(p->gic) ?
			     (BIT(p->cpus) - 1) << PPI_CPUS_SHIFT : 0);
}

/* Secure, non-secure, virtual, hypervisor. */
static void write_timer(struct tree_writer *w, const struct fdt_params *p)
{
	u32 high = ppi_high(p);

	tree_node_begin(w, "timer");
	tree_property_string(w, "compatible", "arm,armv8-timer");
	CELLS(w, "interrupts", PPI, 13, high, PPI, 14, high, PPI, 11, high,
	      PPI, 10, high);
	empty(w, "always-on");
	tree_node_end(w);
}

static void write_pmu(struct tree_writer *w, const struct fdt_params *p)
{
	tree_node_begin(w, "pmu");
	tree_property_string(w, "compatible", "arm,armv8-pmuv3");
	CELLS(w, "interrupts", PPI, ARM64_PMU_PPI, ppi_high(p));
	tree_node_end(w);
}

static void write_its(struct tree_writer *w)
{
	node(w, "msi-controller", ARM64_ITS_BASE);
	tree_property_string(w, "compatible", "arm,gic-v3-its");
	empty(w, "msi-controller");
	tree_property_u32(w, "#msi-cells", 1);
	CELLS(w, "reg", LONG(ARM64_ITS_BASE), LONG(ARM64_ITS_SIZE));
	tree_property_u32(w, "phandle", PHANDLE_MSI);
	tree_node_end(w);
}

static void write_v2m(struct tree_writer *w)
{
	node(w, "v2m", ARM64_V2M_BASE);
	tree_property_string(w, "compatible", "arm,gic-v2m-frame");
	empty(w, "msi-controller");
	CELLS(w, "reg", LONG(ARM64_V2M_BASE), LONG(ARM64_V2M_SIZE));
	tree_property_u32(w, "arm,msi-base-spi", ARM64_V2M_SPI_FIRST);
	tree_property_u32(w, "arm,msi-num-spis", ARM64_V2M_SPIS);
	tree_property_u32(w, "phandle", PHANDLE_MSI);
	tree_node_end(w);
}

static void write_gic(struct tree_writer *w, const struct fdt_params *p)
{
	bool v2 = gic_is_v2(p->gic);

	node(w, "interrupt-controller", ARM64_GICD_BASE);
	tree_property_string(w, "compatible",
			     v2 ? "arm,cortex-a15-gic" : "arm,gic-v3");
	empty(w, "interrupt-controller");
	tree_property_u32(w, "#interrupt-cells", 3);
	tree_property_u32(w, "#address-cells", 2);
	tree_property_u32(w, "#size-cells", 2);
	empty(w, "ranges");
	if (v2)
		CELLS(w, "reg",
		      LONG(ARM64_GICD_BASE), LONG(ARM64_GICD_V2_SIZE),
		      LONG(ARM64_GICC_BASE), LONG(ARM64_GICC_SIZE));
	else
		CELLS(w, "reg", LONG(ARM64_GICD_BASE), LONG(ARM64_GICD_SIZE),
		      LONG(ARM64_GICR_BASE), LONG(p->cpus * ARM64_GICR_SIZE));
	CELLS(w, "interrupts", PPI, 9, ppi_high(p));
	tree_property_u32(w, "phandle", PHANDLE_GIC);
	if (p->gic == GIC_V3_ITS)
		write_its(w);
	if (gic_has_frame(p->gic))
		write_v2m(w);
	tree_node_end(w);
}

/* ---- PCI ---------------------------------------------------------------- */

#define MAP_CELLS	10
#define SLOT_SHIFT	11
#define PCI_PINS	4

/* Slot s, pin p drives line (s + p) % ARM64_PCI_INTX_NR. */
static void write_interrupt_map(struct tree_writer *w)
{
	u32 map[ARM64_PCI_INTX_NR * PCI_PINS * MAP_CELLS], slot, pin, n = 0;

	for (slot = 0; slot < ARM64_PCI_INTX_NR; slot++)
		for (pin = 0; pin < PCI_PINS; pin++) {
			const u32 entry[MAP_CELLS] = {
				slot << SLOT_SHIFT, 0, 0, pin + 1,
				PHANDLE_GIC, 0, 0, SPI, ARM64_PCI_INTX_GSI +
					(slot + pin) % ARM64_PCI_INTX_NR,
				LEVEL_HIGH,
			};

			memcpy(map + n, entry, sizeof(entry));
			n += MAP_CELLS;
		}
	cells(w, "interrupt-map", map, n);
	CELLS(w, "interrupt-map-mask",
	      (ARM64_PCI_INTX_NR - 1) << SLOT_SHIFT, 0, 0, 7);
}

static void write_pci(struct tree_writer *w, const struct vm *vm,
		      const struct fdt_params *p)
{
	struct arch_range mmio64 = arch_pci_mmio64(vm);

	node(w, "pcie", ARM64_PCI_ECAM_BASE);
	tree_property_string(w, "compatible", "pci-host-ecam-generic");
	tree_property_string(w, "device_type", "pci");
	tree_property_u32(w, "#address-cells", 3);
	tree_property_u32(w, "#size-cells", 2);
	tree_property_u32(w, "#interrupt-cells", 1);
	tree_property_u32(w, "linux,pci-domain", 0);
	CELLS(w, "bus-range", 0, ARM64_PCI_BUSES - 1);
	CELLS(w, "reg", LONG(ARM64_PCI_ECAM_BASE), LONG(ARM64_PCI_ECAM_SIZE));
	if (mmio64.size)
		CELLS(w, "ranges",
		      PCI_MMIO32, LONG(ARM64_PCI_MMIO32_BASE),
		      LONG(ARM64_PCI_MMIO32_BASE), LONG(ARM64_PCI_MMIO32_SIZE),
		      PCI_MMIO64, LONG(mmio64.base), LONG(mmio64.base),
		      LONG(mmio64.size));
	else
		CELLS(w, "ranges",
		      PCI_MMIO32, LONG(ARM64_PCI_MMIO32_BASE),
		      LONG(ARM64_PCI_MMIO32_BASE), LONG(ARM64_PCI_MMIO32_SIZE));
	empty(w, "dma-coherent");
	/* The id of a message's sender is its slot and function. */
	if (p->gic == GIC_V3_ITS)
		CELLS(w, "msi-map", 0, PHANDLE_MSI, 0, 0x10000);
	if (gic_has_frame(p->gic))
		tree_property_u32(w, "msi-parent", PHANDLE_MSI);
	write_interrupt_map(w);
	tree_node_end(w);
}

/* ---- platform devices --------------------------------------------------- */

static void write_place(struct tree_writer *w, const struct arch_resource *r,
			u32 trigger)
{
	CELLS(w, "reg", LONG(r->base), LONG(r->size));
	if (r->gsi != ARCH_NO_GSI)
		CELLS(w, "interrupts", SPI, r->gsi, trigger);
}

static void write_serial(struct tree_writer *w, const struct arch_resource *r)
{
	tree_property_string(w, "compatible", "ns16550a");
	tree_property_u32(w, "clock-frequency", SERIAL_HZ);
	write_place(w, r, LEVEL_HIGH);
}

/* A PrimeCell wants to know its clock. */
static void write_primecell(struct tree_writer *w,
			    const struct arch_resource *r)
{
	tree_property_u32(w, "clocks", PHANDLE_CLOCK);
	tree_property_string(w, "clock-names", "apb_pclk");
	write_place(w, r, LEVEL_HIGH);
}

static void write_rtc(struct tree_writer *w, const struct arch_resource *r)
{
	TEXTS(w, "compatible", "arm,pl031\0arm,primecell");
	write_primecell(w, r);
}

static void write_gpio(struct tree_writer *w, const struct arch_resource *r)
{
	TEXTS(w, "compatible", "arm,pl061\0arm,primecell");
	empty(w, "gpio-controller");
	tree_property_u32(w, "#gpio-cells", 2);
	empty(w, "interrupt-controller");
	tree_property_u32(w, "#interrupt-cells", 2);
	tree_property_u32(w, "phandle", PHANDLE_GPIO);
	write_primecell(w, r);
}

static void write_pvpanic(struct tree_writer *w, const struct arch_resource *r)
{
	tree_property_string(w, "compatible", "qemu,pvpanic-mmio");
	write_place(w, r, LEVEL_HIGH);
}

static void write_vmgenid(struct tree_writer *w, const struct arch_resource *r)
{
	tree_property_string(w, "compatible", "microsoft,vmgenid");
	write_place(w, r, EDGE_RISING);
}

/**
 * struct fdt_device - how a kind of device is described
 * @class: its class
 * @node: name of its node
 * @write: its properties
 */
struct fdt_device {
	const char *class;
	const char *node;
	void (*write)(struct tree_writer *w, const struct arch_resource *r);
};

static const struct fdt_device fdt_devices[] = {
	{ "serial", "serial", write_serial },
	{ "pl031", "rtc", write_rtc },
	{ "pl061", "gpio", write_gpio },
	{ "pvpanic", "pvpanic", write_pvpanic },
	{ "vmgenid", "rng", write_vmgenid },
};

static const struct arch_resource *place_of(struct vm *vm, const char *class,
					    u32 index)
{
	return device_find_class(vm, class, index) ?
		arch_resource_find(class, index) : NULL;
}

static void write_devices(struct tree_writer *w, struct vm *vm)
{
	const struct arch_resource *r;
	u32 i, index;

	for (i = 0; i < ARRAY_SIZE(fdt_devices); i++)
		for (index = 0; index < VM_CONSOLES; index++) {
			r = place_of(vm, fdt_devices[i].class, index);
			if (!r)
				continue;
			node(w, fdt_devices[i].node, r->base);
			fdt_devices[i].write(w, r);
			tree_node_end(w);
		}
}

static void write_aliases(struct tree_writer *w, struct vm *vm)
{
	char name[16], path[32];
	u32 index;

	tree_node_begin(w, "aliases");
	for (index = 0; index < VM_CONSOLES; index++) {
		const struct arch_resource *r = place_of(vm, "serial", index);

		if (!r)
			continue;
		snprintf(name, sizeof(name), "serial%u", index);
		snprintf(path, sizeof(path), "/serial@%llx", r->base);
		tree_property_string(w, name, path);
	}
	tree_node_end(w);
}

static void write_clock(struct tree_writer *w)
{
	tree_node_begin(w, "apb-pclk");
	tree_property_string(w, "compatible", "fixed-clock");
	tree_property_u32(w, "#clock-cells", 0);
	tree_property_u32(w, "clock-frequency", CLOCK_HZ);
	tree_property_u32(w, "phandle", PHANDLE_CLOCK);
	tree_node_end(w);
}

static void write_button(struct tree_writer *w, struct vm *vm)
{
	if (!place_of(vm, "pl061", 0))
		return;
	tree_node_begin(w, "gpio-keys");
	tree_property_string(w, "compatible", "gpio-keys");
	tree_node_begin(w, "power");
	tree_property_string(w, "label", "Power Button");
	tree_property_u32(w, "linux,code", KEY_POWER);
	CELLS(w, "gpios", PHANDLE_GPIO, POWER_LINE, 0);
	tree_node_end(w);
	tree_node_end(w);
}

/**
 * fdt_make() - write the device tree
 * @vm: the machine with all its devices
 * @p: what else it says
 * @blob: out, to be freed
 * @len: out: its bytes
 * @err: filled on failure
 *
 * Return: 0; -ENOSPC when it does not fit where the guest is to find it; or
 * another negative errno.
 */
int fdt_make(struct vm *vm, const struct fdt_params *p, void **blob, u32 *len,
	     struct error *err)
{
	struct tree_writer w;
	int ret;

	tree_begin(&w);
	tree_property_string(&w, "compatible", "linux,dummy-virt");
	tree_property_string(&w, "model", "lkvm");
	tree_property_u32(&w, "#address-cells", 2);
	tree_property_u32(&w, "#size-cells", 2);
	tree_property_u32(&w, "interrupt-parent", PHANDLE_GIC);
	write_aliases(&w, vm);
	ret = write_chosen(&w, p, err);
	write_memory(&w, vm);
	write_cpus(&w, p);
	write_psci(&w);
	write_timer(&w, p);
	if (p->pmu)
		write_pmu(&w, p);
	write_gic(&w, p);
	write_clock(&w);
	write_devices(&w, vm);
	write_button(&w, vm);
	write_pci(&w, vm, p);
	if (ret) {
		tree_abandon(&w);
		return ret;
	}
	ret = tree_finish(&w, blob, len, err);
	if (ret || *len <= ARM64_FDT_SIZE)
		return ret;
	free(*blob);
	return error_set(err, -ENOSPC,
			 "the device tree has %u bytes and there is room for %llu; shorten the kernel's command line",
			 *len, ARM64_FDT_SIZE);
}
