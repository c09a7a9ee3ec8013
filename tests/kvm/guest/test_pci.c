// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: tests of PCI configuration space and BARs
 */
#include "tests/kvm/guest/lib.h"
#include "tests/kvm/guest/mem.h"
#include "tests/kvm/guest/nvme_spec.h"
#include "tests/kvm/guest/pci.h"
#include "tests/kvm/guest/platform.h"
#include "tests/kvm/guest/test.h"

/* The I/O APIC; no BARs from here to 4 GiB. */
#define PLATFORM_DEVICES	0xfec00000

/* Both ways into configuration space show the same registers. */
static int config_compare(const struct pci_function *f)
{
	unsigned int reg;

	for (reg = 0; reg < 256; reg += 4) {
		const uint32_t ports = pci_config_read(f->bdf, reg, false);
		const uint32_t window = pci_config_read(f->bdf, reg, true);

		CHECK(ports == window, "%x register %x: ports %x, window %x",
		      f->bdf, reg, ports, window);
	}
	return 0;
}

static bool overlaps(const struct pci_bar *a, const struct pci_bar *b)
{
	return a->io == b->io && a->addr < b->addr + b->size &&
	       b->addr < a->addr + a->size;
}

static int bars_compare(const struct pci_function *f,
			const struct pci_function *g)
{
	unsigned int i, k;

	for (i = 0; i < PCI_BARS; i++)
		for (k = 0; k < PCI_BARS; k++)
			CHECK(!f->bar[i].size || !g->bar[k].size ||
			      (f == g && i == k) ||
			      !overlaps(&f->bar[i], &g->bar[k]),
			      "%x BAR %u and %x BAR %u overlap", f->bdf, i,
			      g->bdf, k);
	return 0;
}

static int bars_check(const struct pci_function *f)
{
	unsigned int i;

	for (i = 0; i < PCI_BARS; i++) {
		const struct pci_bar *b = &f->bar[i];

		if (!b->size)
			continue;
		print("guest: pci %x BAR %u: %s %lx size %lx\n", f->bdf, i,
		      b->io ? "io" : b->wide ? "mem64" : "mem32", b->addr,
		      b->size);
		CHECK(b->addr && !(b->addr & (b->size - 1)) &&
		      !(b->size & (b->size - 1)), "address or size");
		CHECK(b->io || !mem_is_ram(b->addr, 1), "in RAM");
	}
	return 0;
}

static int test_scan(void)
{
	struct pci_function *f;
	unsigned int i, k, n = pci_scan(&f);

	CHECK(n, "no functions at all");
	for (i = 0; i < n; i++) {
		print("guest: pci %x: %x:%x class %x msix %u\n", f[i].bdf,
		      f[i].vendor, f[i].device, f[i].class, f[i].msix_count);
		if (pci_has_ecam() && config_compare(&f[i]))
			return -1;
		if (bars_check(&f[i]))
			return -1;
		for (k = 0; k <= i; k++)
			if (bars_compare(&f[i], &f[k]))
				return -1;
	}
	return 0;
}

static bool place_counts(const struct pci_bar *b, bool wide)
{
	const bool above = b->addr >= GIB(4);

	return b->size && !b->io && above == wide;
}

/*
 * A place behind all memory BARs that is a multiple of @size, or, if they reach
 * up to the platform's own devices, before them.
 */
static uint64_t place_find(uint64_t size, bool wide)
{
	struct pci_function *f;
	unsigned int i, k, n = pci_scan(&f);
	uint64_t start = UINT64_MAX, end = 0;

	for (i = 0; i < n; i++) {
		for (k = 0; k < PCI_BARS; k++) {
			const struct pci_bar *b = &f[i].bar[k];

			if (!place_counts(b, wide))
				continue;
			start = MIN(start, b->addr);
			end = MAX(end, b->addr + b->size);
		}
	}
	end = ALIGN_UP(end, size);
	if (!wide && end >= PLATFORM_DEVICES)
		return (start - size) & ~(size - 1);
	return end;
}

static void bar_set(const struct pci_function *f, uint64_t addr)
{
	pci_command(f, 0, PCI_COMMAND_MEMORY);
	pci_write(f, PCI_BAR0, (uint32_t)addr);
	if (f->bar[0].wide)
		pci_write(f, PCI_BAR0 + 4, (uint32_t)(addr >> 32));
	pci_command(f, PCI_COMMAND_MEMORY, 0);
}

static uint32_t version_at(uint64_t bar)
{
	return *(volatile uint32_t *)(bar + NVME_VS);
}

/* Moves a controller's registers away and back. */
static int test_bar_move(void)
{
	struct pci_function *f = pci_find_class(NVME_PCI_CLASS, 0);
	uint64_t old, new;
	uint32_t version;

	CHECK(f, "there is no NVMe controller");
	old = f->bar[0].addr;
	new = place_find(f->bar[0].size, old >= GIB(4));
	mmio_map(old, f->bar[0].size);
	mmio_map(new, f->bar[0].size);
	pci_command(f, PCI_COMMAND_MEMORY, 0);
	version = version_at(old);
	CHECK(version && version != 0xffffffff, "version %x at %lx", version,
	      old);
	bar_set(f, new);
	CHECK(version_at(new) == version, "version %x at %lx",
	      version_at(new), new);
	CHECK(version_at(old) != version, "version %x left at %lx",
	      version_at(old), old);
	pci_command(f, 0, PCI_COMMAND_MEMORY);
	CHECK(version_at(new) != version, "decoding is off, but %x at %lx",
	      version_at(new), new);
	bar_set(f, old);
	CHECK(version_at(old) == version, "version %x at %lx",
	      version_at(old), old);
	CHECK(version_at(new) != version, "version %x left at %lx",
	      version_at(new), new);
	return 0;
}

const struct test pci_tests[] = {
	{ "pci-scan", test_scan, "functions, BARs, both ways of access" },
	{ "pci-bar-move", test_bar_move, "move a BAR and back" },
	{ 0 },
};
