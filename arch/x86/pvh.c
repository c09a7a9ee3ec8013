// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: what a PVH kernel finds in memory
 *
 * Xen's "x86/HVM direct boot ABI", start info version 1: magic number, command
 * line, the initrd as module 0, ACPI's root pointer, and the memory map, whose
 * types are those of e820. One page holds all of it.
 */
#include <string.h>

#include "arch/x86/boot_priv.h"
#include "arch/x86/layout.h"

#define PVH_MAGIC	0x336ec578
#define PVH_VERSION	1

struct pvh_start_info {
	__le32 magic;
	__le32 version;
	__le32 flags;
	__le32 nr_modules;
	__le64 modlist_paddr;
	__le64 cmdline_paddr;
	__le64 rsdp_paddr;
	__le64 memmap_paddr;
	__le32 memmap_entries;
	__le32 reserved;
};

struct pvh_module {
	__le64 paddr;
	__le64 size;
	__le64 cmdline_paddr;
	__le64 reserved;
};

struct pvh_memmap {
	__le64 addr;
	__le64 size;
	__le32 type;
	__le32 reserved;
};

/**
 * struct pvh_page - the page at X86_PVH_BASE
 * @info: what EBX points to
 * @initrd: the only module
 * @memmap: the map
 */
struct pvh_page {
	struct pvh_start_info info;
	struct pvh_module initrd;
	struct pvh_memmap memmap[E820_MAX_ENTRIES_ZEROPAGE];
};

static_assert(sizeof(struct pvh_start_info) == 56, "hvm_start_info");
static_assert(sizeof(struct pvh_module) == 32, "hvm_modlist_entry");
static_assert(sizeof(struct pvh_memmap) == 24, "hvm_memmap_table_entry");
static_assert(sizeof(struct pvh_page) <= X86_PVH_SIZE, "fits into its page");

static u32 fill_memmap(const struct boot_load *load, struct pvh_memmap *to)
{
	struct e820_map map;
	u32 i;

	e820_build(load->memory, &map);
	for (i = 0; i < map.nr; i++) {
		to[i].addr = cpu_to_le64(map.entries[i].addr);
		to[i].size = cpu_to_le64(map.entries[i].size);
		to[i].type = cpu_to_le32(map.entries[i].type);
	}
	return map.nr;
}

/**
 * pvh_prepare() - all that a PVH kernel needs in memory
 * @load: with kernel, initrd, command line and ACPI loaded
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int pvh_prepare(struct boot_load *load, struct error *err)
{
	struct pvh_page page = {
		.info = {
			.magic = cpu_to_le32(PVH_MAGIC),
			.version = cpu_to_le32(PVH_VERSION),
			.cmdline_paddr = cpu_to_le64(X86_CMDLINE_BASE),
			.rsdp_paddr = cpu_to_le64(load->rsdp),
			.memmap_paddr = cpu_to_le64(X86_PVH_BASE +
				offsetof(struct pvh_page, memmap)),
		},
		.initrd = {
			.paddr = cpu_to_le64(load->initrd),
			.size = cpu_to_le64(load->initrd_size),
		},
	};
	int ret;

	if (load->initrd_size) {
		page.info.nr_modules = cpu_to_le32(1);
		page.info.modlist_paddr = cpu_to_le64(X86_PVH_BASE +
			offsetof(struct pvh_page, initrd));
	}
	page.info.memmap_entries = cpu_to_le32(fill_memmap(load, page.memmap));
	ret = guest_write(&load->gate, gpa(X86_PVH_BASE), &page, sizeof(page));
	if (ret)
		return error_set(err, ret, "no memory for the start info");
	return 0;
}
