// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the memory map and the page allocator
 *
 * The entry code adds what the VMM told about memory. Allocation goes through
 * the RAM above 1 MiB from low to high addresses, without the guest's own
 * image, and nothing is ever given back: a test run is short. Memory comes
 * back zeroed, because the tests look at what devices leave untouched.
 */
#include "tests/kvm/guest/lib.h"
#include "tests/kvm/guest/mem.h"
#include "tests/kvm/guest/platform.h"

#define RANGES_MAX	64

static struct mem_range ranges[RANGES_MAX];
static unsigned int ranges_count;

/* What is free: rest of the range in use, and the ranges after it. */
static struct mem_range unused[RANGES_MAX];
static unsigned int unused_count;
static struct lock lock;

/**
 * mem_add - take over an entry of the VMM's memory map
 * @addr: first byte
 * @size: bytes
 * @type: as in e820
 */
void mem_add(uint64_t addr, uint64_t size, uint32_t type)
{
	if (ranges_count < RANGES_MAX)
		ranges[ranges_count++] = (struct mem_range){ addr, size, type };
}

static void unused_add(uint64_t start, uint64_t end)
{
	start = ALIGN_UP(start, PAGE_SIZE);
	end &= ~(uint64_t)(PAGE_SIZE - 1);
	if (start < end && unused_count < RANGES_MAX) {
		unused[unused_count].addr = start;
		unused[unused_count++].size = end - start;
	}
}

/**
 * mem_init - make the map's RAM available
 * @image_start: first byte of the guest program
 * @image_end:   end of it
 *
 * Return: 0, or -1 if there is no RAM.
 */
int mem_init(uint64_t image_start, uint64_t image_end)
{
	unsigned int i;

	for (i = 0; i < ranges_count; i++) {
		const struct mem_range *r = &ranges[i];
		uint64_t start = MAX(r->addr, MIB(1));
		uint64_t end = r->addr + r->size;

		if (r->type != MEM_RAM || end <= start)
			continue;
		if (image_start < end && image_end > start) {
			unused_add(start, image_start);
			start = image_end;
		}
		unused_add(start, end);
		if (end > GIB(4))
			mmio_map(MAX(start, GIB(4)),
				 end - MAX(start, GIB(4)));
	}
	return unused_count ? 0 : -1;
}

/**
 * mem_ranges - look at the memory map
 * @out: set to the first entry
 *
 * Return: number of entries.
 */
unsigned int mem_ranges(const struct mem_range **out)
{
	*out = ranges;
	return ranges_count;
}

/**
 * mem_is_ram - does an area lie in RAM
 * @addr: first byte
 * @size: bytes
 *
 * Return: true if one entry of the map, of type RAM, has all of it.
 */
bool mem_is_ram(uint64_t addr, uint64_t size)
{
	unsigned int i;

	for (i = 0; i < ranges_count; i++)
		if (ranges[i].type == MEM_RAM && addr >= ranges[i].addr &&
		    size <= ranges[i].size &&
		    addr - ranges[i].addr <= ranges[i].size - size)
			return true;
	return false;
}

/**
 * mem_alloc - get zeroed memory
 * @bytes: how much, above 0
 * @align: a power of two, at most 64 KiB
 *
 * Ends the machine if there is none left: a test asked for too much.
 *
 * Return: the memory; the same number is its address for a device.
 */
void *mem_alloc(size_t bytes, size_t align)
{
	unsigned int i;
	uint64_t at = 0;

	lock_take(&lock);
	for (i = 0; i < unused_count && !at; i++) {
		uint64_t start = ALIGN_UP(unused[i].addr, align);
		uint64_t end = unused[i].addr + unused[i].size;

		if (start >= end || bytes > end - start)
			continue;
		at = start;
		unused[i].addr = start + bytes;
		unused[i].size = end - unused[i].addr;
	}
	lock_release(&lock);
	if (!at) {
		print("guest: out of memory: %lu bytes wanted, %lu left\n",
		      (uint64_t)bytes, mem_available());
		machine_fail();
	}
	memset((void *)at, 0, bytes);
	return (void *)at;
}

/**
 * mem_available - what mem_alloc() can still give, in all
 *
 * Return: bytes.
 */
uint64_t mem_available(void)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < unused_count; i++)
		sum += unused[i].size;
	return sum;
}
