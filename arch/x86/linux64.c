// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: what Linux's 64-bit entry finds in memory
 *
 * Linux Documentation/arch/x86/boot.rst, "64-bit BOOT PROTOCOL": boot_params
 * that were zeroed before the setup header was put in, an identity map of the
 * first 4 GiB in 2 MiB pages (1 GiB pages are not on every CPU), a GDT with
 * __BOOT_CS and __BOOT_DS. A seed for the kernel's random numbers comes as
 * setup data; the kernel wipes it.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "arch/x86/boot_priv.h"
#include "arch/x86/layout.h"

#define LOADER_UNDEFINED	0xff
#define RNG_SEED_SIZE		32
#define TABLE_ENTRIES		512
#define MAPPED_GIB		4
#define PAGE_PRESENT		BIT_ULL(0)
#define PAGE_WRITE		BIT_ULL(1)
#define PAGE_LARGE		BIT_ULL(7)
#define PAGE_TABLE_FLAGS	(PAGE_PRESENT | PAGE_WRITE)

/**
 * struct boot_tables - page tables as they lie at X86_PAGE_TABLES_BASE
 * @pml4: one entry
 * @pdpt: one entry a GiB
 * @pd: 2 MiB pages
 */
struct boot_tables {
	__le64 pml4[TABLE_ENTRIES];
	__le64 pdpt[TABLE_ENTRIES];
	__le64 pd[MAPPED_GIB][TABLE_ENTRIES];
};

static_assert(sizeof(struct boot_tables) == X86_PAGE_TABLES_SIZE,
	      "the page tables' place in the layout");
static_assert(sizeof(struct boot_params) == MEMORY_PAGE_SIZE,
	      "boot_params is one page");

/**
 * struct boot_rng_seed - a struct setup_data with a seed
 * @next: 0, it is the last
 * @type: SETUP_RNG_SEED
 * @len: bytes of @seed
 * @seed: random bytes
 */
struct boot_rng_seed {
	__le64 next;
	__le32 type;
	__le32 len;
	u8 seed[RNG_SEED_SIZE];
};

static_assert(offsetof(struct boot_rng_seed, seed) ==
	      offsetof(struct setup_data, data), "struct setup_data");

/* Null, null, __BOOT_CS, __BOOT_DS, TSS: as entry.c loads them. */
static const u64 gdt[] = {
	0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00008b0000000067, 0,
};

static int put(struct boot_load *load, u64 addr, const void *buf, size_t len,
	       struct error *err)
{
	int ret = guest_write(&load->gate, gpa(addr), buf, len);

	if (ret)
		return error_set(err, ret, "no memory at 0x%llx to boot from",
				 addr);
	return 0;
}

static int put_page_tables(struct boot_load *load, struct error *err)
{
	const u64 pdpt = X86_PAGE_TABLES_BASE + MEMORY_PAGE_SIZE;
	const u64 pd = pdpt + MEMORY_PAGE_SIZE;
	struct boot_tables *t = calloc(1, sizeof(*t));
	u64 gib, i;
	int ret;

	if (!t)
		return error_set(err, -ENOMEM, "out of memory");
	t->pml4[0] = cpu_to_le64(pdpt | PAGE_TABLE_FLAGS);
	for (gib = 0; gib < MAPPED_GIB; gib++) {
		t->pdpt[gib] = cpu_to_le64((pd + gib * MEMORY_PAGE_SIZE) |
					   PAGE_TABLE_FLAGS);
		for (i = 0; i < TABLE_ENTRIES; i++)
			t->pd[gib][i] = cpu_to_le64((gib * GIB + i * 2 * MIB) |
						    PAGE_TABLE_FLAGS |
						    PAGE_LARGE);
	}
	ret = put(load, X86_PAGE_TABLES_BASE, t, sizeof(*t), err);
	free(t);
	return ret;
}

static int put_rng_seed(struct boot_load *load, struct error *err)
{
	struct boot_rng_seed data = {
		.type = cpu_to_le32(SETUP_RNG_SEED),
		.len = cpu_to_le32(RNG_SEED_SIZE),
	};

	if (getrandom(data.seed, sizeof(data.seed), 0) != sizeof(data.seed))
		return error_set(err, -errno, "getrandom: %m");
	return put(load, X86_SETUP_DATA_BASE, &data, sizeof(data), err);
}

static void fill_header(const struct boot_load *load, struct boot_params *bp)
{
	struct setup_header *h = &bp->hdr;

	*h = load->kernel.header;
	h->type_of_loader = LOADER_UNDEFINED;
	h->loadflags = (h->loadflags | LOADED_HIGH) & ~CAN_USE_HEAP;
	h->cmd_line_ptr = X86_CMDLINE_BASE;
	h->ramdisk_image = (u32)load->initrd;
	h->ramdisk_size = (u32)load->initrd_size;
	h->setup_data = X86_SETUP_DATA_BASE;
	bp->ext_ramdisk_image = (u32)(load->initrd >> 32);
	bp->ext_ramdisk_size = (u32)(load->initrd_size >> 32);
}

static int put_boot_params(struct boot_load *load, struct error *err)
{
	struct boot_params *bp = calloc(1, sizeof(*bp));
	struct e820_map map;
	int ret;

	if (!bp)
		return error_set(err, -ENOMEM, "out of memory");
	fill_header(load, bp);
	bp->acpi_rsdp_addr = load->rsdp;
	e820_build(load->memory, &map);
	bp->e820_entries = (u8)map.nr;
	memcpy(bp->e820_table, map.entries, map.nr * sizeof(map.entries[0]));
	ret = put(load, X86_ZERO_PAGE_BASE, bp, sizeof(*bp), err);
	free(bp);
	return ret;
}

/**
 * linux64_prepare() - all that the 64-bit entry needs in memory
 * @load: with kernel, initrd, command line and ACPI loaded
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int linux64_prepare(struct boot_load *load, struct error *err)
{
	int ret;

	ret = put_page_tables(load, err);
	if (!ret)
		ret = put(load, X86_GDT_BASE, gdt, sizeof(gdt), err);
	if (!ret)
		ret = put_rng_seed(load, err);
	if (!ret)
		ret = put_boot_params(load, err);
	return ret;
}
