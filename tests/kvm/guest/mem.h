/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: the memory map and the page allocator
 */
#ifndef TESTS_KVM_GUEST_MEM_H
#define TESTS_KVM_GUEST_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_SIZE	4096u

/* Memory types, as in e820 and in PVH's memory map. */
#define MEM_RAM		1u

/**
 * struct mem_range - an entry of the memory map
 * @addr: first byte
 * @size: bytes
 * @type: MEM_RAM, or something that is not usable
 */
struct mem_range {
	uint64_t addr;
	uint64_t size;
	uint32_t type;
};

void mem_add(uint64_t addr, uint64_t size, uint32_t type);
int mem_init(uint64_t image_start, uint64_t image_end);
unsigned int mem_ranges(const struct mem_range **out);
bool mem_is_ram(uint64_t addr, uint64_t size);
void *mem_alloc(size_t bytes, size_t align);
uint64_t mem_available(void);

#endif
