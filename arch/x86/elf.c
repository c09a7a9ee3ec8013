// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: ELF kernels: vmlinux, or anything else with a PVH note
 *
 * The loadable segments go to their physical addresses (p_paddr). A note of
 * type 18 and owner "Xen" gives a 32-bit entry point and says that the kernel
 * speaks PVH; without one it is entered as Linux's 64-bit entry, at e_entry.
 * That is a physical address in a vmlinux; one that lies in a segment's
 * virtual range only is translated.
 *
 * Notes are padded to 4 bytes in vmlinux whatever the segment's alignment
 * says; files that obey an alignment of 8 exist too, so both are tried.
 */
#include <elf.h>
#include <string.h>

#include "arch/x86/boot_priv.h"
#include "vmm/base/math.h"

#define ELF_PHDRS_MAX		64
#define ELF_NOTES_MAX		65536
#define XEN_NOTE_NAME		"Xen"
#define XEN_NOTE_PHYS32_ENTRY	18

/**
 * struct elf_file - what was read of the file
 * @file: the file
 * @ehdr: its header
 * @phdrs: its program headers, &ehdr.e_phnum of them
 */
struct elf_file {
	const struct boot_file *file;
	Elf64_Ehdr ehdr;
	Elf64_Phdr phdrs[ELF_PHDRS_MAX];
};

/**
 * struct elf_machine - a name for e_machine
 * @id: EM_*
 * @name: what people call it
 */
struct elf_machine {
	u16 id;
	const char *name;
};

static const struct elf_machine machines[] = {
	{ EM_386, "32-bit x86" },
	{ EM_AARCH64, "arm64" },
	{ EM_ARM, "32-bit Arm" },
	{ EM_RISCV, "RISC-V" },
	{ EM_PPC64, "64-bit PowerPC" },
	{ EM_PPC, "PowerPC" },
	{ EM_S390, "s390" },
	{ EM_MIPS, "MIPS" },
	{ EM_SPARCV9, "64-bit SPARC" },
	{ 258, "LoongArch" },
};

static int check_machine(const struct elf_file *elf, struct error *err)
{
	size_t i;

	if (elf->ehdr.e_machine == EM_X86_64)
		return 0;
	for (i = 0; i < ARRAY_SIZE(machines); i++)
		if (machines[i].id == elf->ehdr.e_machine)
			return error_set(err, -ENOEXEC,
					 "kernel %s is for %s; this machine is x86-64",
					 elf->file->path, machines[i].name);
	return error_set(err, -ENOEXEC,
			 "kernel %s is for another architecture (ELF machine %u); this machine is x86-64",
			 elf->file->path, elf->ehdr.e_machine);
}

/* e_machine stands at the same place in 32-bit and 64-bit files. */
static int read_headers(struct elf_file *elf, struct error *err)
{
	Elf64_Ehdr *e = &elf->ehdr;
	int ret;

	ret = boot_file_read(elf->file, 0, e, sizeof(*e), err);
	if (ret)
		return ret;
	if (e->e_ident[EI_DATA] == ELFDATA2MSB)
		e->e_machine = __builtin_bswap16(e->e_machine);
	ret = check_machine(elf, err);
	if (ret)
		return ret;
	if (e->e_ident[EI_CLASS] != ELFCLASS64 ||
	    e->e_ident[EI_DATA] != ELFDATA2LSB ||
	    (e->e_type != ET_EXEC && e->e_type != ET_DYN))
		return error_set(err, -ENOEXEC,
				 "kernel %s is an ELF file, but not a 64-bit executable",
				 elf->file->path);
	if (e->e_phentsize != sizeof(Elf64_Phdr) || !e->e_phnum ||
	    e->e_phnum > ELF_PHDRS_MAX)
		return error_set(err, -ENOEXEC,
				 "kernel %s has %u program headers of %u bytes",
				 elf->file->path, e->e_phnum, e->e_phentsize);
	return boot_file_read(elf->file, e->e_phoff, elf->phdrs,
			      e->e_phnum * sizeof(Elf64_Phdr), err);
}

/* Memory may hold what a kernel before a reboot left there. */
static int clear_bss(struct boot_load *load, u64 addr, u64 len)
{
	void *p;

	if (!len)
		return 0;
	p = guest_ptr(&load->gate, gpa(addr), len, GUEST_WRITES);
	if (!p)
		return -EFAULT;
	memset(p, 0, len);
	guest_memory_mark_dirty(load->memory, gpa(addr), len);
	return 0;
}

static int load_segment(const struct elf_file *elf, const Elf64_Phdr *p,
			struct boot_load *load, struct error *err)
{
	int ret;

	if (p->p_filesz > p->p_memsz)
		return error_set(err, -ENOEXEC,
				 "kernel %s has a segment with more bytes in the file than in memory",
				 elf->file->path);
	if (!p->p_memsz)
		return 0;
	ret = boot_check_room(elf->file, load, p->p_paddr, p->p_memsz, err);
	if (!ret && p->p_filesz)
		ret = boot_file_read_guest(elf->file, p->p_offset, load,
					   p->p_paddr, p->p_filesz, err);
	if (ret)
		return ret;
	ret = clear_bss(load, p->p_paddr + p->p_filesz,
			p->p_memsz - p->p_filesz);
	if (ret)
		return error_set(err, ret, "kernel %s: no memory at 0x%llx",
				 elf->file->path, (u64)p->p_paddr);
	load->kernel.base = min_of(load->kernel.base, (u64)p->p_paddr);
	load->kernel.end = max_of(load->kernel.end,
				  (u64)(p->p_paddr + p->p_memsz));
	return 0;
}

static int load_segments(const struct elf_file *elf, struct boot_load *load,
			 struct error *err)
{
	int ret;
	u32 i;

	load->kernel.base = UINT64_MAX;
	load->kernel.end = 0;
	for (i = 0; i < elf->ehdr.e_phnum; i++) {
		const Elf64_Phdr *p = &elf->phdrs[i];

		if (p->p_type != PT_LOAD)
			continue;
		ret = load_segment(elf, p, load, err);
		if (ret)
			return ret;
	}
	if (!load->kernel.end)
		return error_set(err, -ENOEXEC,
				 "kernel %s has nothing to load",
				 elf->file->path);
	return 0;
}

static bool is_loaded(const struct elf_file *elf, u64 addr)
{
	u32 i;

	for (i = 0; i < elf->ehdr.e_phnum; i++) {
		const Elf64_Phdr *p = &elf->phdrs[i];

		if (p->p_type == PT_LOAD &&
		    range_within(addr, 1, p->p_paddr, p->p_filesz))
			return true;
	}
	return false;
}

static u64 entry_address(const struct elf_file *elf)
{
	u64 entry = elf->ehdr.e_entry;
	u32 i;

	if (is_loaded(elf, entry))
		return entry;
	for (i = 0; i < elf->ehdr.e_phnum; i++) {
		const Elf64_Phdr *p = &elf->phdrs[i];

		if (p->p_type == PT_LOAD &&
		    range_within(entry, 1, p->p_vaddr, p->p_filesz))
			return entry - p->p_vaddr + p->p_paddr;
	}
	return entry;
}

/**
 * find_pvh_note() - look for the PVH entry point in a note segment
 * @notes: the segment
 * @len: its length
 * @align: what names and descriptions are padded to
 * @entry: filled when found
 *
 * Return: true when found.
 */
static bool find_pvh_note(const u8 *notes, u64 len, u64 align, u64 *entry)
{
	u64 at = 0;

	while (range_fits(at, sizeof(Elf64_Nhdr), len)) {
		u64 name, desc, next;
		Elf64_Nhdr n;

		memcpy(&n, notes + at, sizeof(n));
		name = at + sizeof(n);
		desc = round_up_to(name + n.n_namesz, align);
		next = round_up_to(desc + n.n_descsz, align);
		if (!range_fits(desc, n.n_descsz, len))
			return false;
		if (n.n_type == XEN_NOTE_PHYS32_ENTRY &&
		    n.n_namesz == sizeof(XEN_NOTE_NAME) &&
		    !memcmp(notes + name, XEN_NOTE_NAME, n.n_namesz) &&
		    (n.n_descsz == 4 || n.n_descsz == 8)) {
			*entry = 0;
			memcpy(entry, notes + desc, n.n_descsz);
			return true;
		}
		at = next;
	}
	return false;
}

/* 1: found, 0: none, negative: the file is broken. */
static int pvh_entry(const struct elf_file *elf, u64 *entry, struct error *err)
{
	u8 notes[ELF_NOTES_MAX];
	u32 i;
	int ret;

	for (i = 0; i < elf->ehdr.e_phnum; i++) {
		const Elf64_Phdr *p = &elf->phdrs[i];
		u64 len = min_of((u64)p->p_filesz, (u64)sizeof(notes));

		if (p->p_type != PT_NOTE)
			continue;
		ret = boot_file_read(elf->file, p->p_offset, notes, len, err);
		if (ret)
			return ret;
		if (find_pvh_note(notes, len, 4, entry) ||
		    find_pvh_note(notes, len, 8, entry))
			return 1;
	}
	return 0;
}

/**
 * elf_load() - place an ELF kernel
 * @file: the file, which begins with ELF's magic number
 * @load: &boot_load.kernel is filled
 * @err: filled on failure
 *
 * Return: 0; -ENOEXEC for a file that is not what it says; -ENOMEM when there
 * is no room; or another negative errno.
 */
int elf_load(const struct boot_file *file, struct boot_load *load,
	     struct error *err)
{
	struct elf_file elf = { .file = file };
	struct kernel_image *k = &load->kernel;
	u64 entry;
	int ret;

	*k = (struct kernel_image){
		.initrd_max = UINT64_MAX,
		.cmdline_max = CMDLINE_MAX_UNKNOWN,
		.header.boot_flag = 0xaa55,
		.header.header = 0x53726448,
		.header.version = 0x20c,
		.header.kernel_alignment = 0x1000000,
		.header.cmdline_size = CMDLINE_MAX_UNKNOWN,
	};
	ret = read_headers(&elf, err);
	if (!ret)
		ret = load_segments(&elf, load, err);
	if (ret)
		return ret;
	ret = pvh_entry(&elf, &entry, err);
	if (ret < 0)
		return ret;
	k->protocol = ret ? BOOT_PVH : BOOT_LINUX64;
	k->entry = ret ? entry : entry_address(&elf);
	if (!is_loaded(&elf, k->entry))
		return error_set(err, -ENOEXEC,
				 "kernel %s: its entry point 0x%llx is in none of its segments",
				 file->path, k->entry);
	return 0;
}
