// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the map of physical addresses handed to the kernel
 *
 * RAM is what guest memory has in blocks named "ram-...", less the hole below
 * 1 MiB where the ACPI tables are. PCI configuration space, the interrupt
 * controllers and KVM's own pages are reserved explicitly: Linux uses ECAM
 * only where the map (or ACPI) says that nobody else does.
 */
#include <string.h>

#include "arch/x86/boot_priv.h"
#include "arch/x86/layout.h"
#include "vmm/base/math.h"

static const struct boot_e820_entry reserved[] = {
	{ X86_EBDA_BASE, X86_EBDA_SIZE, E820_RESERVED },
	{ X86_PCI_ECAM_BASE, X86_PCI_ECAM_SIZE, E820_RESERVED },
	{ X86_IOAPIC_BASE, MEMORY_PAGE_SIZE, E820_RESERVED },
	{ X86_LAPIC_BASE, MEMORY_PAGE_SIZE, E820_RESERVED },
	{ X86_IDENTITY_MAP_BASE, X86_KVM_PAGES_SIZE, E820_RESERVED },
};

/* Keeps the order; far fewer than the map has room for ever get here. */
static void insert(struct e820_map *map, u64 addr, u64 size, u32 type)
{
	u32 at = map->nr;

	if (!size || map->nr == ARRAY_SIZE(map->entries))
		return;
	while (at && map->entries[at - 1].addr > addr) {
		map->entries[at] = map->entries[at - 1];
		at--;
	}
	map->entries[at] = (struct boot_e820_entry){ addr, size, type };
	map->nr++;
}

static void insert_ram(struct e820_map *map, u64 addr, u64 size)
{
	const u64 hole = X86_EBDA_BASE, hole_end = X86_HIGH_MEMORY;

	if (addr >= hole_end) {
		insert(map, addr, size, E820_RAM);
		return;
	}
	if (addr < hole)
		insert(map, addr, min_of(size, hole - addr), E820_RAM);
	if (size > hole_end - addr)
		insert(map, hole_end, size - (hole_end - addr), E820_RAM);
}

/**
 * e820_build() - the map of a machine
 * @memory: its memory
 * @map: to be filled
 */
void e820_build(const struct guest_memory *memory, struct e820_map *map)
{
	size_t i;

	memset(map, 0, sizeof(*map));
	for (i = 0; i < ARRAY_SIZE(reserved); i++)
		insert(map, reserved[i].addr, reserved[i].size,
		       reserved[i].type);
	for (i = 0; i < memory->nr; i++) {
		const struct memory_block *b = &memory->blocks[i];

		if (!strncmp(b->name, "ram-", 4))
			insert_ram(map, gpa_raw(b->gpa), b->size);
	}
}
