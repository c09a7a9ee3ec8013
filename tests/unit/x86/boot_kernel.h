/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: small kernels, made for tests
 *
 * A bzImage and an ELF kernel with a few bytes of code, right as they are, for
 * a test to put one thing wrong. They live in a memfd, which the loader opens
 * by its path in /proc.
 */
#ifndef TESTS_UNIT_X86_BOOT_KERNEL_H
#define TESTS_UNIT_X86_BOOT_KERNEL_H

#include <asm/bootparam.h>
#include <elf.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/base/types.h"

#define KERNEL_SETUP_SECTS	2
#define KERNEL_CODE_OFFSET	((KERNEL_SETUP_SECTS + 1) * 512)
#define KERNEL_CODE_SIZE	4096
#define KERNEL_SIZE		(KERNEL_CODE_OFFSET + KERNEL_CODE_SIZE)
#define KERNEL_BASE		0x1000000
#define KERNEL_INIT_SIZE	0x200000
#define KERNEL_INITRD_MAX	0x7fffffff
#define KERNEL_CMDLINE_MAX	200
#define KERNEL_CODE_BYTE	0x5a

/**
 * struct test_bzimage - a bzImage
 * @bytes: all of the file
 */
struct test_bzimage {
	u8 bytes[KERNEL_SIZE];
};

static inline struct setup_header *test_bzimage_header(struct test_bzimage *k)
{
	return (struct setup_header *)(k->bytes + 0x1f1);
}

static inline void test_bzimage_init(struct test_bzimage *k)
{
	struct setup_header *h = test_bzimage_header(k);

	memset(k, 0, sizeof(*k));
	memset(k->bytes + KERNEL_CODE_OFFSET, KERNEL_CODE_BYTE,
	       KERNEL_CODE_SIZE);
	h->setup_sects = KERNEL_SETUP_SECTS;
	h->syssize = KERNEL_CODE_SIZE / 16;
	h->boot_flag = 0xaa55;
	h->jump = 0xeb | (0x1f1 + sizeof(*h) - 0x202) << 8;
	h->header = 0x53726448;
	h->version = 0x20f;
	h->loadflags = LOADED_HIGH;
	h->initrd_addr_max = KERNEL_INITRD_MAX;
	h->kernel_alignment = 0x200000;
	h->relocatable_kernel = 1;
	h->xloadflags = XLF_KERNEL_64;
	h->cmdline_size = KERNEL_CMDLINE_MAX;
	h->pref_address = KERNEL_BASE;
	h->init_size = KERNEL_INIT_SIZE;
}

#define ELF_CODE_OFFSET	0x1000
#define ELF_NOTE_OFFSET	0x800
#define ELF_FILE_SIZE	(ELF_CODE_OFFSET + 4096)
#define ELF_VIRTUAL	0xffffffff81000000
#define ELF_BSS		8192
#define ELF_PVH_ENTRY	(KERNEL_BASE + 0x40)

/**
 * struct test_elf - an ELF kernel: one segment, one note
 * @ehdr: header
 * @load: segment with code and bss
 * @note: segment with notes
 * @bytes: all of the file, with room for the above
 */
struct test_elf {
	union {
		struct {
			Elf64_Ehdr ehdr;
			Elf64_Phdr load;
			Elf64_Phdr note;
		};
		u8 bytes[ELF_FILE_SIZE];
	};
};

static inline void test_elf_init(struct test_elf *k)
{
	memset(k, 0, sizeof(*k));
	memcpy(k->ehdr.e_ident, ELFMAG, SELFMAG);
	k->ehdr.e_ident[EI_CLASS] = ELFCLASS64;
	k->ehdr.e_ident[EI_DATA] = ELFDATA2LSB;
	k->ehdr.e_ident[EI_VERSION] = EV_CURRENT;
	k->ehdr.e_type = ET_EXEC;
	k->ehdr.e_machine = EM_X86_64;
	k->ehdr.e_version = EV_CURRENT;
	k->ehdr.e_entry = KERNEL_BASE + 0x10;
	k->ehdr.e_phoff = sizeof(Elf64_Ehdr);
	k->ehdr.e_ehsize = sizeof(Elf64_Ehdr);
	k->ehdr.e_phentsize = sizeof(Elf64_Phdr);
	k->ehdr.e_phnum = 1;
	k->load = (Elf64_Phdr){
		.p_type = PT_LOAD, .p_offset = ELF_CODE_OFFSET,
		.p_vaddr = ELF_VIRTUAL, .p_paddr = KERNEL_BASE,
		.p_filesz = 4096, .p_memsz = 4096 + ELF_BSS,
	};
	memset(k->bytes + ELF_CODE_OFFSET, KERNEL_CODE_BYTE, 4096);
}

/*
 * Another note, then Xen's with its 32-bit or 64-bit entry point, padded to
 * @align; returns the offset of the latter's header.
 */
static inline u32 test_elf_add_note(struct test_elf *k, u32 align, u32 size)
{
	const u32 pad = align - 1;
	Elf64_Nhdr other = { .n_namesz = 6, .n_descsz = 5, .n_type = 18 };
	Elf64_Nhdr xen = { .n_namesz = 4, .n_descsz = size, .n_type = 18 };
	u64 entry = ELF_PVH_ENTRY;
	u32 at = ELF_NOTE_OFFSET, start;

	memcpy(k->bytes + at, &other, sizeof(other));
	memcpy(k->bytes + at + sizeof(other), "Linux", 6);
	at += (u32)sizeof(other) + 6;
	at = ((at + pad) & ~pad) + 5;
	at = (at + pad) & ~pad;
	start = at;
	memcpy(k->bytes + at, &xen, sizeof(xen));
	memcpy(k->bytes + at + sizeof(xen), "Xen", 4);
	at += (u32)sizeof(xen) + 4;
	at = (at + pad) & ~pad;
	memcpy(k->bytes + at, &entry, size);
	k->note = (Elf64_Phdr){
		.p_type = PT_NOTE, .p_offset = ELF_NOTE_OFFSET,
		.p_filesz = at + size - ELF_NOTE_OFFSET, .p_align = align,
	};
	k->ehdr.e_phnum = 2;
	return start;
}

/* A file with these bytes; its path is put into @path. Close the result. */
static inline int test_file(const void *bytes, size_t len, char *path,
			    size_t path_len)
{
	int fd = memfd_create("test-kernel", MFD_CLOEXEC);

	assert(fd >= 0);
	assert(write(fd, bytes, len) == (ssize_t)len);
	snprintf(path, path_len, "/proc/self/fd/%d", fd);
	return fd;
}

#endif /* TESTS_UNIT_X86_BOOT_KERNEL_H */
