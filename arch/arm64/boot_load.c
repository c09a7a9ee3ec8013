// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: kernel and initrd into guest memory
 *
 * The kernel goes behind the first 2 MiB of RAM, the initrd behind the kernel.
 * Nothing here is of the CPU that it runs on, so that a fuzzer can have it on
 * any machine.
 *
 * Specification: Documentation/arch/arm64/booting.rst of Linux.
 *
 * Context: the main loop's thread, the machine paused.
 */
#include <string.h>

#include "arch/arm64/boot_priv.h"
#include "arch/arm64/layout.h"
#include "vmm/base/math.h"

/* The largest page that a kernel may use. */
#define INITRD_ALIGN	(64 * KIB)
/* Kernel and initrd have to be within one such range (booting.rst). */
#define BOOT_WINDOW	(32 * GIB)
/* Linux's COMMAND_LINE_SIZE on arm64, less NUL. */
#define CMDLINE_MAX	2047

/**
 * boot_load_init() - a loading without anything loaded
 * @load: to be filled
 * @memory: the guest's
 */
void boot_load_init(struct boot_load *load, struct guest_memory *memory)
{
	struct memory_block *ram = guest_memory_find(memory,
						     gpa(ARM64_RAM_BASE));

	memset(load, 0, sizeof(*load));
	guest_gate_init(&load->gate, memory);
	load->ram_end = ARM64_RAM_BASE + (ram ? ram->size : 0);
}

/**
 * boot_check_room() - does something fit into RAM where it has to be?
 * @file: what it is, for the message
 * @load: the machine's memory
 * @addr: where
 * @len: bytes
 * @err: filled on failure
 *
 * Return: 0 or -ENOMEM.
 */
int boot_check_room(const struct boot_file *file, const struct boot_load *load,
		    u64 addr, u64 len, struct error *err)
{
	if (range_within(addr, len, ARM64_RAM_BASE,
			 min_of(load->ram_end - ARM64_RAM_BASE, BOOT_WINDOW)))
		return 0;
	return error_set(err, -ENOMEM,
			 "%s %s needs %llu MiB of memory behind the first %llu MiB and the machine has %llu MiB; give it more (--mem)",
			 file->what, file->path, div_round_up(len, MIB),
			 (addr - ARM64_RAM_BASE) / MIB,
			 (load->ram_end - ARM64_RAM_BASE) / MIB);
}

static int kernel_load(struct boot_load *load, const char *path,
		       struct error *err)
{
	struct boot_file file, unpacked;
	u8 head[IMAGE_HEAD_SIZE] = { 0 };
	size_t len;
	int ret;

	ret = boot_file_open(&file, "kernel", path, err);
	if (ret)
		return ret;
	len = min_of(file.size, (u64)sizeof(head));
	ret = boot_file_read(&file, 0, head, len, err);
	if (!ret && unpack_wanted(head, len)) {
		ret = unpack_kernel(&file, &unpacked, err);
		if (!ret) {
			boot_file_close(&file);
			file = unpacked;
		}
	}
	if (!ret)
		ret = image_load(&file, load, err);
	boot_file_close(&file);
	return ret;
}

static int initrd_load(struct boot_load *load, const char *path,
		       struct error *err)
{
	struct boot_file file;
	int ret;

	ret = boot_file_open(&file, "initrd", path, err);
	if (ret)
		return ret;
	load->initrd = round_up_to(load->kernel_end, INITRD_ALIGN);
	load->initrd_size = file.size;
	if (!file.size)
		ret = error_set(err, -EINVAL, "initrd %s is empty", path);
	if (!ret)
		ret = boot_check_room(&file, load, load->initrd, file.size,
				      err);
	if (!ret)
		ret = boot_file_place(&file, 0, &load->gate, load->initrd,
				      file.size, err);
	boot_file_close(&file);
	return ret;
}

/**
 * boot_load_files() - kernel and initrd into guest memory
 * @load: from boot_load_init()
 * @boot: what to load
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int boot_load_files(struct boot_load *load, const struct arch_boot *boot,
		    struct error *err)
{
	int ret;

	if (strlen(boot->cmdline) > CMDLINE_MAX)
		return error_set(err, -E2BIG,
				 "the kernel's command line has %zu bytes and an arm64 kernel takes %u",
				 strlen(boot->cmdline), CMDLINE_MAX);
	ret = kernel_load(load, boot->kernel, err);
	if (!ret && boot->initrd)
		ret = initrd_load(load, boot->initrd, err);
	return ret;
}
