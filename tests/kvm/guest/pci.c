// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: PCI: find functions, size their BARs, program MSI-X
 *
 * The VMM has placed the BARs; the guest sizes them and uses them where they
 * are. (With pci-window=ADDRESS the guest places those that have no address:
 * some firmware of other VMMs leaves that to the kernel.) Bus 0 only: there
 * are no bridges in the machines that run this.
 *
 * PCI Express Base 4.0 7.5.1 (header, BARs), 7.7.2 (MSI-X).
 */
#include "tests/kvm/guest/lib.h"
#include "tests/kvm/guest/pci.h"
#include "tests/kvm/guest/platform.h"

#define BAR_IO			0x1u
#define BAR_TYPE_MASK		0x6u
#define BAR_TYPE_64		0x4u
#define HEADER_MULTI		0x00800000u
#define HEADER_TYPE_MASK	0x007f0000u
#define MSIX_ENTRY_WORDS	4

static struct pci_function functions[PCI_FUNCTIONS_MAX];
static unsigned int function_count;
static bool scanned;

/**
 * pci_read - read a register of a function
 * @f:   function
 * @reg: offset, a multiple of 4
 *
 * Uses the memory window if the machine has one.
 *
 * Return: its value.
 */
uint32_t pci_read(const struct pci_function *f, unsigned int reg)
{
	return pci_config_read(f->bdf, reg, pci_has_ecam());
}

/**
 * pci_write - write a register of a function
 * @f:   function
 * @reg: offset, a multiple of 4
 * @v:   value
 */
void pci_write(const struct pci_function *f, unsigned int reg, uint32_t v)
{
	pci_config_write(f->bdf, reg, v, pci_has_ecam());
}

/**
 * pci_command - change the command register
 * @f:     function
 * @set:   PCI_COMMAND_* to set
 * @clear: PCI_COMMAND_* to clear
 */
void pci_command(const struct pci_function *f, uint32_t set, uint32_t clear)
{
	const uint32_t v = pci_read(f, PCI_COMMAND) & 0xffff;

	pci_write(f, PCI_COMMAND, (v & ~clear) | set);
}

/* The bits of a BAR that can be written, as all ones leave them. */
static uint32_t bar_probe(const struct pci_function *f, unsigned int reg)
{
	const uint32_t old = pci_read(f, reg);
	uint32_t v;

	pci_write(f, reg, 0xffffffff);
	v = pci_read(f, reg);
	pci_write(f, reg, old);
	return v;
}

static void bars_read(struct pci_function *f)
{
	const uint32_t command = pci_read(f, PCI_COMMAND) & 0xffff;
	unsigned int i;

	/* Decoding is off while the registers hold nonsense. */
	pci_write(f, PCI_COMMAND, command & ~(PCI_COMMAND_IO |
					      PCI_COMMAND_MEMORY));
	for (i = 0; i < PCI_BARS; i++) {
		const unsigned int reg = PCI_BAR0 + 4 * i;
		struct pci_bar *b = &f->bar[i];
		const uint32_t low = pci_read(f, reg);
		uint64_t ones = bar_probe(f, reg);

		b->io = low & BAR_IO;
		b->wide = !b->io && (low & BAR_TYPE_MASK) == BAR_TYPE_64;
		if (!ones)
			continue;
		b->addr = low & (b->io ? ~3u : ~15u);
		ones &= b->io ? ~3ull : ~15ull;
		if (b->wide) {
			b->addr |= (uint64_t)pci_read(f, reg + 4) << 32;
			ones |= (uint64_t)bar_probe(f, reg + 4) << 32;
			b->size = ~ones + 1;
			i++;
		} else {
			b->size = (uint32_t)~ones + 1;
			b->size &= b->io ? 0xffffu : 0xffffffffu;
		}
	}
	pci_write(f, PCI_COMMAND, command);
}

/* Gives an address to memory BARs without one, if there is a window. */
static void bars_place(struct pci_function *f)
{
	static uint64_t next;
	unsigned int i;

	if (!next)
		next = arg_number("pci-window", 0);
	for (i = 0; next && i < PCI_BARS; i++) {
		struct pci_bar *b = &f->bar[i];

		if (!b->size || b->io || b->addr)
			continue;
		b->addr = ALIGN_UP(next, b->size);
		next = b->addr + b->size;
		pci_write(f, PCI_BAR0 + 4 * i, (uint32_t)b->addr);
		if (b->wide)
			pci_write(f, PCI_BAR0 + 4 * i + 4,
				  (uint32_t)(b->addr >> 32));
	}
}

static void msix_find(struct pci_function *f)
{
	unsigned int at = pci_read(f, PCI_CAPABILITIES) & 0xfc;
	unsigned int hops = 0;
	uint32_t v, table;

	if (!(pci_read(f, PCI_COMMAND) & PCI_STATUS_CAPS))
		return;
	for (; at && hops < 48; at = v >> 8 & 0xfc, hops++) {
		v = pci_read(f, at);
		if ((v & 0xff) != PCI_CAP_MSIX)
			continue;
		table = pci_read(f, at + 4);
		if ((table & 7) >= PCI_BARS || !f->bar[table & 7].size)
			return;
		f->msix = at;
		f->msix_count = (v >> 16 & 0x7ff) + 1;
		f->msix_table = mmio_map(f->bar[table & 7].addr + (table & ~7u),
					 f->msix_count * 16);
		return;
	}
}

static void function_read(uint16_t bdf, uint32_t id)
{
	struct pci_function *f = &functions[function_count++];

	f->bdf = bdf;
	f->vendor = (uint16_t)id;
	f->device = (uint16_t)(id >> 16);
	f->class = pci_read(f, PCI_CLASS) >> 8;
	if (!(pci_read(f, PCI_HEADER) & HEADER_TYPE_MASK))
		bars_read(f);
	bars_place(f);
	msix_find(f);
}

/**
 * pci_scan - find all functions of bus 0
 * @out: set to the first
 *
 * The bus is only looked at the first time.
 *
 * Return: how many there are.
 */
unsigned int pci_scan(struct pci_function **out)
{
	uint16_t bdf;
	uint32_t id;

	*out = functions;
	for (bdf = 0; bdf < 256 && !scanned; bdf++) {
		id = pci_config_read(bdf, PCI_ID, pci_has_ecam());
		if (id == 0xffffffff || function_count == PCI_FUNCTIONS_MAX) {
			bdf |= bdf & 7 ? 0 : 7;
			continue;
		}
		function_read(bdf, id);
		if (!(bdf & 7) && !(pci_config_read(bdf, PCI_HEADER,
						    pci_has_ecam()) &
				    HEADER_MULTI))
			bdf |= 7;
	}
	scanned = true;
	return function_count;
}

/**
 * pci_find_class - find a function by its class
 * @class: class code
 * @nth:   0 for the first one
 *
 * Return: the function, or NULL.
 */
struct pci_function *pci_find_class(uint32_t class, unsigned int nth)
{
	struct pci_function *f;
	unsigned int i, n = pci_scan(&f);

	for (i = 0; i < n; i++)
		if (f[i].class == class && !nth--)
			return &f[i];
	return NULL;
}

/**
 * pci_msix_set - set a vector and unmask it
 * @f:      function
 * @vector: below its msix_count
 * @m:      what it writes and where to
 */
void pci_msix_set(const struct pci_function *f, unsigned int vector,
		  struct msi_message m)
{
	volatile uint32_t *e = f->msix_table + vector * MSIX_ENTRY_WORDS;

	e[3] = 1;
	e[0] = (uint32_t)m.address;
	e[1] = (uint32_t)(m.address >> 32);
	e[2] = m.data;
	e[3] = 0;
}

/**
 * pci_msix_mask - mask or unmask a vector
 * @f:      function
 * @vector: below its msix_count
 * @masked: which
 */
void pci_msix_mask(const struct pci_function *f, unsigned int vector,
		   bool masked)
{
	f->msix_table[vector * MSIX_ENTRY_WORDS + 3] = masked;
}

/**
 * pci_msix_enable - switch MSI-X on or off
 * @f:  function
 * @on: which
 */
void pci_msix_enable(const struct pci_function *f, bool on)
{
	uint32_t v = pci_read(f, f->msix);

	v &= ~(MSIX_ENABLE | MSIX_MASK_ALL);
	pci_write(f, f->msix, on ? v | MSIX_ENABLE : v);
}

/**
 * pci_msix_pending - look at a vector's bit in the pending bit array
 * @f:      function
 * @vector: below its msix_count
 *
 * Return: true if the vector is masked and waits.
 */
bool pci_msix_pending(const struct pci_function *f, unsigned int vector)
{
	const uint32_t where = pci_read(f, f->msix + 8);
	volatile uint32_t *pba;

	pba = mmio_map(f->bar[where & 7].addr + (where & ~7u),
		       f->msix_count / 8);
	return pba[vector / 32] >> (vector % 32) & 1;
}
