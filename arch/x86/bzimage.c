// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: bzImage: Linux packed with its own loader, by the 64-bit entry
 *
 * Linux Documentation/arch/x86/boot.rst, protocol 2.12 and later. The setup
 * code for real mode is skipped; what follows it is read to the kernel's
 * preferred address. The kernel wants init_size bytes there for itself, also
 * to unpack into. A relocatable kernel could be put elsewhere but gains
 * nothing by it: it never unpacks below its preferred address.
 */
#include <string.h>

#include "arch/x86/boot_priv.h"
#include "vmm/base/math.h"

#define SETUP_HEADER_OFFSET	0x1f1
#define SETUP_HEADER_END	0x202	/* plus the byte at 0x201 */
#define SETUP_SECTOR		512u
#define SETUP_SECTS_DEFAULT	4
#define SETUP_BOOT_FLAG		0xaa55
#define SETUP_MAGIC		0x53726448	/* "HdrS" */
#define SETUP_VERSION_MIN	0x20c
#define ENTRY_64_OFFSET		0x200
#define SYSSIZE_UNIT		16u

static_assert(offsetof(struct boot_params, hdr) == SETUP_HEADER_OFFSET,
	      "the header is at the same place in the file and in boot_params");

static struct setup_header header_of(const u8 *head)
{
	struct setup_header h = { 0 };
	size_t len = SETUP_HEADER_END + head[0x201] - SETUP_HEADER_OFFSET;

	memcpy(&h, head + SETUP_HEADER_OFFSET, min_of(len, sizeof(h)));
	return h;
}

/**
 * bzimage_detect() - has a file a Linux/x86 setup header?
 * @head: its first bytes
 * @len: how many
 *
 * Return: true when it has.
 */
bool bzimage_detect(const u8 *head, size_t len)
{
	struct setup_header h;

	if (len < SETUP_HEADER_OFFSET + sizeof(h))
		return false;
	h = header_of(head);
	return h.boot_flag == SETUP_BOOT_FLAG && h.header == SETUP_MAGIC;
}

static int check_header(const struct boot_file *file,
			const struct setup_header *h, struct error *err)
{
	if (h->version < SETUP_VERSION_MIN)
		return error_set(err, -ENOEXEC,
				 "kernel %s is too old: boot protocol %u.%u; Linux 3.8 or later is needed",
				 file->path, h->version >> 8,
				 h->version & 0xff);
	if (!(h->xloadflags & XLF_KERNEL_64))
		return error_set(err, -ENOEXEC,
				 "kernel %s is a 32-bit x86 kernel; this machine is x86-64",
				 file->path);
	if (!(h->loadflags & LOADED_HIGH))
		return error_set(err, -ENOEXEC,
				 "kernel %s is a zImage; a bzImage is wanted",
				 file->path);
	return 0;
}

/**
 * bzimage_load() - place a bzImage
 * @file: the file, detected as one
 * @load: &boot_load.kernel is filled
 * @err: filled on failure
 *
 * Return: 0; -ENOEXEC for a file that is not what it says; -ENOMEM when there
 * is no room; or another negative errno.
 */
int bzimage_load(const struct boot_file *file, struct boot_load *load,
		 struct error *err)
{
	u8 head[SETUP_HEADER_OFFSET + sizeof(struct setup_header)];
	struct setup_header h;
	u64 offset, len, need;
	int ret;

	ret = boot_file_read(file, 0, head, sizeof(head), err);
	if (ret)
		return ret;
	h = header_of(head);
	ret = check_header(file, &h, err);
	if (ret)
		return ret;
	offset = (u64)((h.setup_sects ? h.setup_sects : SETUP_SECTS_DEFAULT) +
		       1) * SETUP_SECTOR;
	len = (u64)h.syssize * SYSSIZE_UNIT;
	/* The last unit may be counted although it is not full. */
	if (len >= SYSSIZE_UNIT && offset < file->size &&
	    len - (file->size - offset) < SYSSIZE_UNIT)
		len = file->size - offset;
	if (len <= ENTRY_64_OFFSET)
		return error_set(err, -ENOEXEC,
				 "kernel %s has no code behind its setup header",
				 file->path);
	need = max_of((u64)h.init_size, len);
	ret = boot_check_room(file, load, h.pref_address, need, err);
	if (!ret)
		ret = boot_file_read_guest(file, offset, load, h.pref_address,
					   len, err);
	if (ret)
		return ret;
	load->kernel = (struct kernel_image){
		.protocol = BOOT_LINUX64,
		.entry = h.pref_address + ENTRY_64_OFFSET,
		.base = h.pref_address,
		.end = h.pref_address + need,
		.initrd_max = h.initrd_addr_max,
		.cmdline_max = h.cmdline_size,
		.header = h,
	};
	return 0;
}
