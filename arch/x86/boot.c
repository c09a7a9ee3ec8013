// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: from files to a machine that is ready to run
 *
 * Reads the kernel straight into guest memory, the initrd as high as the
 * kernel allows, the command line to its fixed place; then ACPI's tables, what
 * the boot protocol asks for, and at last the boot CPU's registers.
 *
 * Files are hostile: each length and offset is checked against the file's size
 * (vmm/boot_file.c) and against guest memory.
 *
 * Context: the main loop's thread, the machine paused.
 */
#include <string.h>

#include "arch/x86/acpi.h"
#include "arch/x86/boot_priv.h"
#include "arch/x86/layout.h"
#include "vmm/base/math.h"
#include "vmm/vm.h"

#define INITRD_ALIGN	MEMORY_PAGE_SIZE
/* What a kernel's head must have before we look at it: the setup header. */
#define HEAD_SIZE	1024

/**
 * boot_check_room() - does something fit into low RAM above 1 MiB?
 * @file: what it is, for the message
 * @load: the machine's memory
 * @addr: where it has to be
 * @len: bytes
 * @err: filled on failure
 *
 * Return: 0 or -ENOMEM.
 */
int boot_check_room(const struct boot_file *file, const struct boot_load *load,
		    u64 addr, u64 len, struct error *err)
{
	u64 need;

	if (load->ram_low_end > X86_HIGH_MEMORY &&
	    range_within(addr, len, X86_HIGH_MEMORY,
			 load->ram_low_end - X86_HIGH_MEMORY))
		return 0;
	need = len > X86_RAM_LOW_SIZE || addr > X86_RAM_LOW_SIZE - len ?
		0 : div_round_up(addr + len, MIB);
	if (!need || addr < X86_HIGH_MEMORY)
		return error_set(err, -ENOMEM,
				 "%s %s wants %llu bytes at 0x%llx, where no machine has memory",
				 file->what, file->path, len, addr);
	return error_set(err, -ENOMEM,
			 "%s %s needs memory up to %llu MiB and the machine has %llu MiB; give it more (--mem)",
			 file->what, file->path, need,
			 load->ram_low_end / MIB);
}

/**
 * boot_file_read_guest() - a part of a file into guest memory
 * @file: the file
 * @offset: where in it
 * @load: the machine's memory
 * @addr: guest physical address, 1 MiB or more
 * @len: bytes
 * @err: filled on failure
 *
 * Return: 0, -ENOEXEC, -ENOMEM when it does not fit, or a negative errno.
 */
int boot_file_read_guest(const struct boot_file *file, u64 offset,
			 struct boot_load *load, u64 addr, u64 len,
			 struct error *err)
{
	int ret;

	ret = boot_file_check(file, offset, len, err);
	if (!ret)
		ret = boot_check_room(file, load, addr, len, err);
	if (!ret)
		ret = boot_file_place(file, offset, &load->gate, addr, len,
				      err);
	return ret;
}

/**
 * struct foreign_image - a file that is a kernel, but not for us
 * @offset: where its magic number is
 * @magic: the magic number
 * @len: bytes of it
 * @what: what it is, and what to do
 */
struct foreign_image {
	u32 offset;
	const char *magic;
	u32 len;
	const char *what;
};

static const struct foreign_image foreign[] = {
	{ 56, "ARM\x64", 4,
	  "is an arm64 kernel; this machine is x86-64" },
	{ 56, "RSC\x05", 4,
	  "is a RISC-V kernel; this machine is x86-64" },
	{ 56, "\xcd\x23\x82\x81", 4,
	  "is a LoongArch kernel; this machine is x86-64" },
	{ 4, "zimg", 4,
	  "is an EFI zboot kernel of another architecture; this machine is x86-64" },
	{ 0x24, "\x18\x28\x6f\x01", 4,
	  "is a 32-bit Arm kernel; this machine is x86-64" },
	{ 0, "\x1f\x8b", 2,
	  "is compressed with gzip; unpack it first, or use the bzImage" },
	{ 0, "\xfd\x37zXZ", 5,
	  "is compressed with xz; unpack it first, or use the bzImage" },
	{ 0, "\x28\xb5\x2f\xfd", 4,
	  "is compressed with zstd; unpack it first, or use the bzImage" },
	{ 0, "\x02\x21\x4c\x18", 4,
	  "is compressed with lz4; unpack it first, or use the bzImage" },
	{ 0, "070701", 6, "is an initrd, not a kernel" },
};

static int refuse(const struct boot_file *file, const u8 *head, size_t len,
		  struct error *err)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(foreign); i++) {
		const struct foreign_image *f = &foreign[i];

		if (range_fits(f->offset, f->len, len) &&
		    !memcmp(head + f->offset, f->magic, f->len))
			return error_set(err, -ENOEXEC, "kernel %s %s",
					 file->path, f->what);
	}
	return error_set(err, -ENOEXEC,
			 "kernel %s is not a kernel; a bzImage or an ELF vmlinux for x86-64 is wanted",
			 file->path);
}

/**
 * boot_kernel_load() - find out what a kernel file is and place it
 * @file: the file
 * @load: &boot_load.kernel is filled
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int boot_kernel_load(const struct boot_file *file, struct boot_load *load,
		     struct error *err)
{
	u8 head[HEAD_SIZE] = { 0 };
	size_t len = min_of(file->size, (u64)sizeof(head));
	int ret;

	ret = boot_file_read(file, 0, head, len, err);
	if (ret)
		return ret;
	if (len >= 4 && !memcmp(head, "\177ELF", 4))
		return elf_load(file, load, err);
	if (bzimage_detect(head, len))
		return bzimage_load(file, load, err);
	return refuse(file, head, len, err);
}

/**
 * boot_load_init() - a loading without anything loaded
 * @load: to be filled
 * @memory: the guest's
 */
void boot_load_init(struct boot_load *load, struct guest_memory *memory)
{
	struct memory_block *low = guest_memory_find(memory, gpa(0));

	memset(load, 0, sizeof(*load));
	load->memory = memory;
	guest_gate_init(&load->gate, memory);
	if (low)
		load->ram_low_end = min_of(low->size, (u64)X86_RAM_LOW_SIZE);
}

/*
 * As high as it may be, out of the way of a kernel that moves itself about;
 * else right behind the kernel's own space, or below.
 */
static int initrd_place(const struct boot_file *file, struct boot_load *load,
			struct error *err)
{
	const struct kernel_image *k = &load->kernel;
	u64 size = round_up_to(file->size, INITRD_ALIGN);
	u64 top = min_of(load->ram_low_end, k->initrd_max == UINT64_MAX ?
			 UINT64_MAX : k->initrd_max + 1);
	u64 addr;

	if (file->size <= X86_RAM_LOW_SIZE && size <= top) {
		addr = round_down_to(top - size, INITRD_ALIGN);
		if (ranges_overlap(addr, size, k->base, k->end - k->base))
			addr = k->base < size ? 0 :
			       round_down_to(k->base - size, INITRD_ALIGN);
		if (addr >= X86_HIGH_MEMORY) {
			load->initrd = addr;
			load->initrd_size = file->size;
			return 0;
		}
	}
	return error_set(err, -ENOMEM,
			 "initrd %s: its %llu MiB do not fit beside the kernel into %llu MiB of memory; give the machine more (--mem)",
			 file->path, div_round_up(file->size, MIB),
			 load->ram_low_end / MIB);
}

static int initrd_load(struct boot_load *load, const char *path,
		       struct error *err)
{
	struct boot_file file;
	int ret;

	ret = boot_file_open(&file, "initrd", path, err);
	if (ret)
		return ret;
	if (!file.size)
		ret = error_set(err, -EINVAL, "initrd %s is empty", path);
	if (!ret)
		ret = initrd_place(&file, load, err);
	if (!ret)
		ret = boot_file_read_guest(&file, 0, load, load->initrd,
					   load->initrd_size, err);
	boot_file_close(&file);
	return ret;
}

static int cmdline_load(struct boot_load *load, const char *cmdline,
			struct error *err)
{
	size_t len = strlen(cmdline);
	u32 max = min_of(load->kernel.cmdline_max, X86_CMDLINE_SIZE - 1u);
	int ret;

	if (len > max)
		return error_set(err, -E2BIG,
				 "the kernel's command line has %zu bytes and this kernel takes %u",
				 len, max);
	load->cmdline_size = (u32)len + 1;
	ret = guest_write(&load->gate, gpa(X86_CMDLINE_BASE), cmdline, len + 1);
	if (ret)
		return error_set(err, ret,
				 "no memory for the kernel's command line");
	return 0;
}

/**
 * boot_load_files() - kernel, initrd and command line into guest memory
 * @load: from boot_load_init()
 * @boot: what to load
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int boot_load_files(struct boot_load *load, const struct arch_boot *boot,
		    struct error *err)
{
	struct boot_file file;
	int ret;

	ret = boot_file_open(&file, "kernel", boot->kernel, err);
	if (ret)
		return ret;
	ret = boot_kernel_load(&file, load, err);
	boot_file_close(&file);
	if (!ret && boot->initrd)
		ret = initrd_load(load, boot->initrd, err);
	if (!ret)
		ret = cmdline_load(load, boot->cmdline, err);
	return ret;
}

/*
 * Linux on hardware-reduced ACPI resets by EFI and, where there is none, by the
 * BIOS: back to real mode and to the reset vector, where a machine without
 * firmware has nothing. So there is something that resets.
 */
static int reset_vector_load(struct boot_load *load, struct error *err)
{
	static const u8 code[] = {
		0xb0, X86_ACPI_RESET_VALUE,		/* mov $1, %al */
		0xba, X86_ACPI_RESET & 0xff, X86_ACPI_RESET >> 8, /* %dx */
		0xee,					/* out %al, %dx */
		0xf4,					/* hlt */
		0xeb, 0xfd,				/* jmp to hlt */
	};
	int ret;

	static_assert(sizeof(code) <= X86_RESET_VECTOR_SIZE, "fits");
	ret = guest_write(&load->gate, gpa(X86_RESET_VECTOR), code,
			  sizeof(code));
	if (ret)
		return error_set(err, ret, "no memory at the reset vector");
	return 0;
}

/**
 * arch_boot_load() - load a kernel and point the boot CPU at it
 * @vm: the machine, paused, its devices and vCPUs reset
 * @boot: what to load
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int arch_boot_load(struct vm *vm, const struct arch_boot *boot,
		   struct error *err)
{
	struct boot_load load;
	int ret;

	boot_load_init(&load, &vm->memory);
	ret = boot_load_files(&load, boot, err);
	if (!ret)
		ret = reset_vector_load(&load, err);
	if (!ret)
		ret = acpi_load(vm, &load.gate, &load.rsdp, err);
	if (!ret)
		ret = load.kernel.protocol == BOOT_PVH ?
			pvh_prepare(&load, err) : linux64_prepare(&load, err);
	if (!ret)
		ret = entry_set(vm->vcpus, &load.kernel, err);
	return ret;
}
