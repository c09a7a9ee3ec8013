// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: fuzzing the kernel loader
 *
 * The input is a kernel file. So that the fuzzer need not find magic numbers
 * first, the first byte chooses what is put under it: nothing, or a bzImage or
 * an ELF kernel that was right, of which the input then changes bytes, three
 * at a time: offset, offset, value. What is accepted must lie where RAM is,
 * and its boot protocol must find room for what it needs.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "arch/x86/boot_priv.h"
#include "arch/x86/layout.h"
#include "tests/unit/x86/boot_kernel.h"
#include "vmm/base/math.h"

#define RAM_SIZE	(32 * MIB)
#define FILE_MAX	65536

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

enum base { BASE_NONE, BASE_BZIMAGE, BASE_ELF, BASE_ELF_NOTE, BASES };

static size_t make_file(const u8 *data, size_t size, u8 *file)
{
	enum base base = data[0] % BASES;
	struct test_bzimage bz;
	struct test_elf elf;
	size_t len = sizeof(elf), i;

	data++;
	size--;
	if (base == BASE_NONE) {
		memcpy(file, data, min_of(size, (size_t)FILE_MAX));
		return min_of(size, (size_t)FILE_MAX);
	}
	test_bzimage_init(&bz);
	test_elf_init(&elf);
	if (base == BASE_ELF_NOTE)
		test_elf_add_note(&elf, 4, 4);
	memcpy(file, &elf, sizeof(elf));
	if (base == BASE_BZIMAGE) {
		memcpy(file, &bz, sizeof(bz));
		len = sizeof(bz);
	}
	for (i = 0; i + 3 <= size; i += 3)
		file[(data[i] | data[i + 1] << 8) % len] = data[i + 2];
	return len;
}

static void accepted(struct boot_load *load)
{
	const struct kernel_image *k = &load->kernel;
	int ret;

	assert(k->base >= X86_HIGH_MEMORY && k->base < k->end);
	assert(k->end <= load->ram_low_end);
	assert(k->entry >= k->base && k->entry < k->end);
	ret = k->protocol == BOOT_PVH ? pvh_prepare(load, NULL) :
		linux64_prepare(load, NULL);
	assert(!ret);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static u8 bytes[FILE_MAX];
	struct memory_request req = {
		.name = "ram-low", .size = RAM_SIZE, .fd = -1,
	};
	struct guest_memory memory;
	struct boot_file file = { .what = "kernel", .path = "fuzz" };
	struct boot_load load;
	struct error err;
	int ret;

	if (!size)
		return 0;
	file.size = make_file(data, size, bytes);
	file.fd = memfd_create("fuzz", MFD_CLOEXEC);
	assert(file.fd >= 0);
	assert(write(file.fd, bytes, file.size) == (ssize_t)file.size);
	guest_memory_init(&memory, -1);
	ret = guest_memory_add(&memory, &req, NULL);
	assert(!ret);
	boot_load_init(&load, &memory);
	if (!boot_kernel_load(&file, &load, &err))
		accepted(&load);
	guest_memory_destroy(&memory);
	close(file.fd);
	return 0;
}
