// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: arm64 kernels: the Image format
 *
 * A header of 64 bytes, which is code as well, and behind it the kernel as it
 * is to be in memory: at a multiple of 2 MiB plus an offset that it names.
 *
 * Specification: Documentation/arch/arm64/booting.rst of Linux.
 */
#include <string.h>

#include "arch/arm64/boot_priv.h"
#include "arch/arm64/layout.h"
#include "vmm/base/math.h"

#define IMAGE_MAGIC		0x644d5241u	/* "ARM\x64" */
/* Kernels before 3.17 do not say how large they are, nor where. */
#define OLD_TEXT_OFFSET		0x80000ULL
#define OLD_BSS			(16 * MIB)
#define TEXT_OFFSET_MAX		(2 * MIB)

/**
 * struct image_header - the first 64 bytes
 * @code: instructions, or "MZ" and an instruction
 * @text_offset: from a multiple of 2 MiB
 * @image_size: bytes in memory, with what is not in the file; 0 unknown
 * @flags: endianness, page size, placement
 * @reserved: zeros
 * @magic: IMAGE_MAGIC
 * @pe_offset: of the EFI header
 */
struct image_header {
	__le32 code[2];
	__le64 text_offset;
	__le64 image_size;
	__le64 flags;
	__le64 reserved[3];
	__le32 magic;
	__le32 pe_offset;
};

static_assert(sizeof(struct image_header) == IMAGE_HEAD_SIZE, "layout");
static_assert(offsetof(struct image_header, magic) == 56, "layout");

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
	{ 0x202, "HdrS", 4, "is a bzImage; this machine is arm64" },
	{ 56, "RSC\x05", 4, "is a RISC-V kernel; this machine is arm64" },
	{ 56, "\xcd\x23\x82\x81", 4,
	  "is a LoongArch kernel; this machine is arm64" },
	{ 0x24, "\x18\x28\x6f\x01", 4,
	  "is a 32-bit Arm kernel; this machine is arm64" },
	{ 0, "\177ELF", 4,
	  "is an ELF file; an Image is wanted (arch/arm64/boot/Image)" },
	{ 0, "\xfd\x37zXZ", 5, "is compressed with xz; unpack it first" },
	{ 0, "\x02\x21\x4c\x18", 4, "is compressed with lz4; unpack it first" },
	{ 0, "\x04\x22\x4d\x18", 4, "is compressed with lz4; unpack it first" },
	{ 0, "070701", 6, "is an initrd, not a kernel" },
};

static int refuse(const struct boot_file *file, struct error *err)
{
	u8 head[1024] = { 0 };
	size_t len = min_of(file->size, (u64)sizeof(head)), i;
	int ret;

	ret = boot_file_read(file, 0, head, len, err);
	if (ret)
		return ret;
	for (i = 0; i < ARRAY_SIZE(foreign); i++) {
		const struct foreign_image *f = &foreign[i];

		if (range_fits(f->offset, f->len, len) &&
		    !memcmp(head + f->offset, f->magic, f->len))
			return error_set(err, -ENOEXEC, "kernel %s %s",
					 file->path, f->what);
	}
	return error_set(err, -ENOEXEC,
			 "kernel %s is not a kernel; an Image, an Image.gz or an EFI zboot image for arm64 is wanted",
			 file->path);
}

static int check_header(const struct boot_file *file, u64 text_offset,
			u64 image_size, struct error *err)
{
	if (text_offset >= TEXT_OFFSET_MAX)
		return error_set(err, -ENOEXEC,
				 "kernel %s has a wrong header: it is to begin 0x%llx bytes behind a multiple of 2 MiB",
				 file->path, text_offset);
	if (image_size < file->size)
		return error_set(err, -ENOEXEC,
				 "kernel %s has a wrong header: it takes %llu bytes of memory, and %llu of the file",
				 file->path, image_size, file->size);
	return 0;
}

/**
 * image_load() - place a kernel
 * @file: the file, or what it was unpacked to
 * @load: &boot_load.entry and &boot_load.kernel_end are filled
 * @err: filled on failure
 *
 * Return: 0; -ENOEXEC for what is no arm64 kernel; -ENOMEM when it does not
 * fit; or another negative errno.
 */
int image_load(const struct boot_file *file, struct boot_load *load,
	       struct error *err)
{
	struct image_header h;
	u64 text_offset, size;
	int ret;

	if (file->size < sizeof(h))
		return refuse(file, err);
	ret = boot_file_read(file, 0, &h, sizeof(h), err);
	if (ret)
		return ret;
	if (le32_to_cpu(h.magic) != IMAGE_MAGIC)
		return refuse(file, err);
	text_offset = le64_to_cpu(h.text_offset);
	size = le64_to_cpu(h.image_size);
	if (!size) {
		text_offset = OLD_TEXT_OFFSET;
		size = file->size + OLD_BSS;
	}
	ret = check_header(file, text_offset, size, err);
	if (ret)
		return ret;
	load->entry = ARM64_KERNEL_BASE + text_offset;
	ret = boot_check_room(file, load, load->entry, size, err);
	if (ret)
		return ret;
	load->kernel_end = load->entry + size;
	return boot_file_place(file, 0, &load->gate, load->entry, file->size,
			       err);
}
