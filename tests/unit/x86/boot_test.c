// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: loading kernels, good and bad
 */
#include "tests/lib/harness.h"

#include "arch/x86/boot_priv.h"
#include "arch/x86/layout.h"
#include "tests/unit/x86/boot_kernel.h"

#define RAM_SIZE	(64 * MIB)

FIXTURE(boot) {
	struct guest_memory memory;
	struct boot_load load;
	struct error err;
	struct test_bzimage bz;
	struct test_elf elf;
};

static void add_ram(struct guest_memory *memory, const char *name, u64 at,
		    u64 size)
{
	struct memory_request req = {
		.name = name, .gpa = gpa(at), .size = size, .fd = -1,
	};
	int ret = guest_memory_add(memory, &req, NULL);

	assert(!ret);
}

FIXTURE_SETUP(boot)
{
	memset(self, 0, sizeof(*self));
	guest_memory_init(&self->memory, -1);
	add_ram(&self->memory, "ram-low", 0, RAM_SIZE);
	boot_load_init(&self->load, &self->memory);
	test_bzimage_init(&self->bz);
	test_elf_init(&self->elf);
}

FIXTURE_TEARDOWN(boot)
{
	guest_memory_destroy(&self->memory);
}

static int load_bytes(struct boot_load *load, const void *bytes, size_t len,
		      struct error *err)
{
	struct boot_file file;
	char path[64];
	int fd = test_file(bytes, len, path, sizeof(path));
	int ret;

	*err = (struct error)ERROR_INIT;
	ret = boot_file_open(&file, "kernel", path, err);
	if (!ret) {
		ret = boot_kernel_load(&file, load, err);
		boot_file_close(&file);
	}
	close(fd);
	return ret;
}

static const u8 *ram(struct boot_load *load, u64 at)
{
	return guest_ptr(&load->gate, gpa(at), 1, GUEST_READS);
}

#define LOAD(kernel)							\
	load_bytes(&self->load, (kernel).bytes, sizeof((kernel).bytes),	\
		   &self->err)

/* Refused, with an error that has these words in it. */
#define EXPECT_REFUSED(why, words) do {				\
	EXPECT_EQ(-(why), self->err.code);				\
	EXPECT_NE(NULL, strstr(self->err.text, words)) {		\
		TH_LOG("said: %s", self->err.text);			\
	}								\
} while (0)

TEST_F(boot, bzimage_is_placed_where_it_wants_to_be)
{
	const struct kernel_image *k = &self->load.kernel;

	ASSERT_EQ(0, LOAD(self->bz)) TH_LOG("%s", self->err.text);
	EXPECT_EQ(BOOT_LINUX64, k->protocol);
	EXPECT_EQ(KERNEL_BASE + 0x200, k->entry);
	EXPECT_EQ(KERNEL_BASE, k->base);
	EXPECT_EQ(KERNEL_BASE + KERNEL_INIT_SIZE, k->end);
	EXPECT_EQ(KERNEL_INITRD_MAX, k->initrd_max);
	EXPECT_EQ(KERNEL_CMDLINE_MAX, k->cmdline_max);
	EXPECT_EQ(0, *ram(&self->load, KERNEL_BASE - 1));
	EXPECT_EQ(KERNEL_CODE_BYTE, *ram(&self->load, KERNEL_BASE));
	EXPECT_EQ(KERNEL_CODE_BYTE,
		  *ram(&self->load, KERNEL_BASE + KERNEL_CODE_SIZE - 1));
	EXPECT_EQ(0, *ram(&self->load, KERNEL_BASE + KERNEL_CODE_SIZE));
}

TEST_F(boot, setup_sects_0_means_4)
{
	u8 bytes[5 * 512 + KERNEL_CODE_SIZE];

	test_bzimage_header(&self->bz)->setup_sects = 0;
	memcpy(bytes, self->bz.bytes, 3 * 512);
	memset(bytes + 3 * 512, 0x11, 2 * 512);
	memset(bytes + 5 * 512, KERNEL_CODE_BYTE, KERNEL_CODE_SIZE);
	ASSERT_EQ(0, load_bytes(&self->load, bytes, sizeof(bytes), &self->err));
	EXPECT_EQ(KERNEL_CODE_BYTE, *ram(&self->load, KERNEL_BASE));
}

TEST_F(boot, header_ends_where_the_file_says)
{
	struct setup_header *h = test_bzimage_header(&self->bz);

	/* Up to cmdline_size: what follows is code and no field. */
	h->jump = 0xeb | (0x23c - 0x202) << 8;
	h->pref_address = 0x2000000;
	EXPECT_NE(0, LOAD(self->bz));
	EXPECT_EQ(0, self->load.kernel.header.pref_address);
}

TEST_F(boot, trailing_signature_is_not_loaded)
{
	u8 bytes[KERNEL_SIZE + 512];

	memcpy(bytes, self->bz.bytes, KERNEL_SIZE);
	memset(bytes + KERNEL_SIZE, 0x77, 512);
	ASSERT_EQ(0, load_bytes(&self->load, bytes, sizeof(bytes), &self->err));
	EXPECT_EQ(0, *ram(&self->load, KERNEL_BASE + KERNEL_CODE_SIZE));
}

TEST_F(boot, cut_off_bzimage_is_refused)
{
	EXPECT_NE(0, load_bytes(&self->load, self->bz.bytes, KERNEL_SIZE - 16,
				&self->err));
	EXPECT_REFUSED(ENOEXEC, "cut off");
	/* The last unit of 16 bytes need not be full. */
	EXPECT_EQ(0, load_bytes(&self->load, self->bz.bytes, KERNEL_SIZE - 15,
				&self->err));
	EXPECT_NE(0, load_bytes(&self->load, self->bz.bytes, 600, &self->err));
	EXPECT_REFUSED(ENOEXEC, "not a kernel");
	EXPECT_NE(0, load_bytes(&self->load, self->bz.bytes,
				KERNEL_CODE_OFFSET, &self->err));
	EXPECT_REFUSED(ENOEXEC, "cut off");
}

TEST_F(boot, empty_file_is_refused)
{
	EXPECT_NE(0, load_bytes(&self->load, "", 0, &self->err));
	EXPECT_REFUSED(ENOEXEC, "not a kernel");
}

TEST_F(boot, missing_file_and_folder_are_named)
{
	struct arch_boot boot = { .kernel = "/nonexistent/vmlinuz",
				  .cmdline = "" };

	EXPECT_EQ(-ENOENT, boot_load_files(&self->load, &boot, &self->err));
	EXPECT_REFUSED(ENOENT, "/nonexistent/vmlinuz");
	boot.kernel = "/";
	EXPECT_EQ(-EINVAL, boot_load_files(&self->load, &boot, &self->err));
	EXPECT_REFUSED(EINVAL, "not a regular file");
}

TEST_F(boot, old_bzimage_is_refused)
{
	test_bzimage_header(&self->bz)->version = 0x20b;
	EXPECT_NE(0, LOAD(self->bz));
	EXPECT_REFUSED(ENOEXEC, "too old: boot protocol 2.11");
}

TEST_F(boot, bzimage_for_32_bit_is_refused)
{
	test_bzimage_header(&self->bz)->xloadflags = 0;
	EXPECT_NE(0, LOAD(self->bz));
	EXPECT_REFUSED(ENOEXEC, "32-bit x86");
}

TEST_F(boot, zimage_is_refused)
{
	test_bzimage_header(&self->bz)->loadflags = 0;
	EXPECT_NE(0, LOAD(self->bz));
	EXPECT_REFUSED(ENOEXEC, "zImage");
}

TEST_F(boot, bzimage_without_code_is_refused)
{
	test_bzimage_header(&self->bz)->syssize = 0x200 / 16;
	EXPECT_NE(0, LOAD(self->bz));
	EXPECT_REFUSED(ENOEXEC, "no code");
}

TEST_F(boot, kernel_that_needs_more_memory_says_how_much)
{
	test_bzimage_header(&self->bz)->init_size = RAM_SIZE - KERNEL_BASE + 1;
	EXPECT_NE(0, LOAD(self->bz));
	EXPECT_REFUSED(ENOMEM, "needs memory up to 65 MiB and the machine has 64 MiB");
	test_bzimage_header(&self->bz)->init_size = RAM_SIZE - KERNEL_BASE;
	EXPECT_EQ(0, LOAD(self->bz));
}

TEST_F(boot, kernel_at_an_impossible_address_is_refused)
{
	static const u64 addresses[] = {
		0, 0x1000, 0xff000, 0xc0000000, 0xfee00000, 0x100000000,
		UINT64_MAX, UINT64_MAX - 0xfff, 0x8000000000000000,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(addresses); i++) {
		test_bzimage_header(&self->bz)->pref_address = addresses[i];
		EXPECT_NE(0, LOAD(self->bz)) TH_LOG("%llx", addresses[i]);
		EXPECT_REFUSED(ENOMEM, "no machine has memory");
	}
}

TEST_F(boot, foreign_kernels_are_named)
{
	static const struct {
		u32 offset;
		const char *magic;
		u32 len;
		const char *words;
	} cases[] = {
		{ 56, "ARM\x64", 4, "arm64" },
		{ 56, "RSC\x05", 4, "RISC-V" },
		{ 4, "zimg", 4, "zboot" },
		{ 0x24, "\x18\x28\x6f\x01", 4, "32-bit Arm" },
		{ 0, "\x1f\x8b\x08", 3, "gzip" },
		{ 0, "\x28\xb5\x2f\xfd", 4, "zstd" },
		{ 0, "070701", 6, "initrd" },
		{ 0, "hello world", 11, "not a kernel" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		u8 bytes[4096] = { 0 };

		memcpy(bytes + cases[i].offset, cases[i].magic, cases[i].len);
		EXPECT_NE(0, load_bytes(&self->load, bytes, sizeof(bytes),
					&self->err));
		EXPECT_REFUSED(ENOEXEC, cases[i].words);
	}
}

TEST_F(boot, elf_without_note_is_entered_as_linux)
{
	const struct kernel_image *k = &self->load.kernel;

	memset((u8 *)ram(&self->load, KERNEL_BASE + 4096), 0xee, ELF_BSS);
	ASSERT_EQ(0, LOAD(self->elf)) TH_LOG("%s", self->err.text);
	EXPECT_EQ(BOOT_LINUX64, k->protocol);
	EXPECT_EQ(KERNEL_BASE + 0x10, k->entry);
	EXPECT_EQ(KERNEL_BASE, k->base);
	EXPECT_EQ(KERNEL_BASE + 4096 + ELF_BSS, k->end);
	EXPECT_EQ(KERNEL_CODE_BYTE, *ram(&self->load, KERNEL_BASE + 4095));
	EXPECT_EQ(0, *ram(&self->load, KERNEL_BASE + 4096));
	EXPECT_EQ(0, *ram(&self->load, KERNEL_BASE + 4096 + ELF_BSS - 1));
}

TEST_F(boot, elf_entry_may_be_virtual)
{
	self->elf.ehdr.e_entry = ELF_VIRTUAL + 0x20;
	ASSERT_EQ(0, LOAD(self->elf));
	EXPECT_EQ(KERNEL_BASE + 0x20, self->load.kernel.entry);
}

TEST_F(boot, elf_pvh_note_is_found_in_every_form)
{
	static const struct { u32 align, size; } cases[] = {
		{ 4, 4 }, { 4, 8 }, { 8, 4 }, { 8, 8 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		test_elf_init(&self->elf);
		test_elf_add_note(&self->elf, cases[i].align, cases[i].size);
		ASSERT_EQ(0, LOAD(self->elf)) TH_LOG("%s", self->err.text);
		EXPECT_EQ(BOOT_PVH, self->load.kernel.protocol);
		EXPECT_EQ(ELF_PVH_ENTRY, self->load.kernel.entry);
	}
}

TEST_F(boot, broken_notes_are_ignored)
{
	u32 at = test_elf_add_note(&self->elf, 4, 4);
	Elf64_Nhdr *n = (Elf64_Nhdr *)(self->elf.bytes + at);

	n->n_descsz = 0xffffffff;
	ASSERT_EQ(0, LOAD(self->elf));
	EXPECT_EQ(BOOT_LINUX64, self->load.kernel.protocol);
	n->n_descsz = 4;
	n->n_namesz = 0xfffffff0;
	ASSERT_EQ(0, LOAD(self->elf));
	EXPECT_EQ(BOOT_LINUX64, self->load.kernel.protocol);
	n->n_namesz = 4;
	self->elf.note.p_filesz = 1ULL << 40;
	EXPECT_NE(0, LOAD(self->elf));
	EXPECT_REFUSED(ENOEXEC, "cut off");
}

TEST_F(boot, elf_for_another_machine_is_named)
{
	self->elf.ehdr.e_machine = EM_AARCH64;
	EXPECT_NE(0, LOAD(self->elf));
	EXPECT_REFUSED(ENOEXEC, "is for arm64");
	self->elf.ehdr.e_machine = EM_386;
	self->elf.ehdr.e_ident[EI_CLASS] = ELFCLASS32;
	EXPECT_NE(0, LOAD(self->elf));
	EXPECT_REFUSED(ENOEXEC, "32-bit x86");
	self->elf.ehdr.e_machine = __builtin_bswap16(EM_S390);
	self->elf.ehdr.e_ident[EI_DATA] = ELFDATA2MSB;
	EXPECT_NE(0, LOAD(self->elf));
	EXPECT_REFUSED(ENOEXEC, "s390");
	self->elf.ehdr.e_machine = 0x1234;
	EXPECT_NE(0, LOAD(self->elf));
	EXPECT_REFUSED(ENOEXEC, "another architecture");
}

TEST_F(boot, elf_that_is_no_program_is_refused)
{
	self->elf.ehdr.e_type = ET_REL;
	EXPECT_NE(0, LOAD(self->elf));
	EXPECT_REFUSED(ENOEXEC, "not a 64-bit executable");
}

TEST_F(boot, elf_with_bad_headers_is_refused)
{
	self->elf.ehdr.e_phnum = 65;
	EXPECT_NE(0, LOAD(self->elf));
	EXPECT_REFUSED(ENOEXEC, "program headers");
	self->elf.ehdr.e_phnum = 1;
	self->elf.ehdr.e_phentsize = 32;
	EXPECT_NE(0, LOAD(self->elf));
	EXPECT_REFUSED(ENOEXEC, "program headers");
	self->elf.ehdr.e_phentsize = sizeof(Elf64_Phdr);
	self->elf.ehdr.e_phoff = UINT64_MAX - 8;
	EXPECT_NE(0, LOAD(self->elf));
	EXPECT_REFUSED(ENOEXEC, "cut off");
	EXPECT_NE(0, load_bytes(&self->load, self->elf.bytes, 30, &self->err));
	EXPECT_REFUSED(ENOEXEC, "cut off");
}

TEST_F(boot, elf_with_bad_segments_is_refused)
{
	Elf64_Phdr good = self->elf.load;

	self->elf.load.p_filesz = good.p_memsz + 1;
	EXPECT_NE(0, LOAD(self->elf));
	EXPECT_REFUSED(ENOEXEC, "more bytes in the file");
	self->elf.load = good;
	self->elf.load.p_offset = UINT64_MAX - 100;
	EXPECT_NE(0, LOAD(self->elf));
	EXPECT_REFUSED(ENOEXEC, "cut off");
	self->elf.load = good;
	self->elf.load.p_paddr = UINT64_MAX - 100;
	EXPECT_NE(0, LOAD(self->elf));
	EXPECT_REFUSED(ENOMEM, "no machine has memory");
	self->elf.load = good;
	self->elf.load.p_memsz = UINT64_MAX;
	EXPECT_NE(0, LOAD(self->elf));
	EXPECT_REFUSED(ENOMEM, "no machine has memory");
	self->elf.load = good;
	self->elf.load.p_memsz = RAM_SIZE;
	EXPECT_NE(0, LOAD(self->elf));
	EXPECT_REFUSED(ENOMEM, "give it more");
	self->elf.load = good;
	self->elf.load.p_type = PT_NULL;
	EXPECT_NE(0, LOAD(self->elf));
	EXPECT_REFUSED(ENOEXEC, "nothing to load");
}

TEST_F(boot, elf_entry_outside_its_segments_is_refused)
{
	self->elf.ehdr.e_entry = KERNEL_BASE + 4096;
	EXPECT_NE(0, LOAD(self->elf));
	EXPECT_REFUSED(ENOEXEC, "entry point");
}

/* All of a loading: kernel, initrd of @initrd_len bytes, command line. */
static int load_all(struct boot_load *load, struct test_bzimage *bz,
		    size_t initrd_len, const char *cmdline, struct error *err)
{
	char kernel[64], initrd[64];
	int fd = test_file(bz->bytes, sizeof(bz->bytes), kernel,
			   sizeof(kernel));
	int initrd_fd = test_file("initrd", 6, initrd, sizeof(initrd));
	struct arch_boot boot = { .kernel = kernel, .initrd = initrd,
				  .cmdline = cmdline };
	int ret;

	ret = ftruncate(initrd_fd, (off_t)initrd_len);
	assert(!ret);
	*err = (struct error)ERROR_INIT;
	ret = boot_load_files(load, &boot, err);
	close(fd);
	close(initrd_fd);
	return ret;
}

TEST_F(boot, initrd_lies_as_high_as_it_may)
{
	ASSERT_EQ(0, load_all(&self->load, &self->bz, 5000, "a b",
			      &self->err)) TH_LOG("%s", self->err.text);
	EXPECT_EQ(RAM_SIZE - 8192, self->load.initrd);
	EXPECT_EQ(5000, self->load.initrd_size);
	EXPECT_EQ(0, memcmp(ram(&self->load, self->load.initrd), "initrd", 6));
	EXPECT_EQ(0, strcmp((const char *)ram(&self->load, X86_CMDLINE_BASE),
			    "a b"));
	EXPECT_EQ(4, self->load.cmdline_size);
}

TEST_F(boot, initrd_obeys_the_kernels_limit)
{
	test_bzimage_header(&self->bz)->initrd_addr_max = 0x2ffffff;
	ASSERT_EQ(0, load_all(&self->load, &self->bz, 4096, "", &self->err));
	EXPECT_EQ(0x2fff000, self->load.initrd);
}

TEST_F(boot, initrd_keeps_out_of_the_kernels_space)
{
	/* Above the kernel there is no room, below it there is. */
	test_bzimage_header(&self->bz)->init_size = RAM_SIZE - KERNEL_BASE;
	ASSERT_EQ(0, load_all(&self->load, &self->bz, MIB, "", &self->err));
	EXPECT_EQ(KERNEL_BASE - MIB, self->load.initrd);
}

TEST_F(boot, initrd_that_does_not_fit_is_refused)
{
	EXPECT_NE(0, load_all(&self->load, &self->bz, RAM_SIZE, "",
			      &self->err));
	EXPECT_REFUSED(ENOMEM, "do not fit");
	EXPECT_NE(0, load_all(&self->load, &self->bz, 1ULL << 40, "",
			      &self->err));
	EXPECT_REFUSED(ENOMEM, "do not fit");
	EXPECT_NE(0, load_all(&self->load, &self->bz, 0, "", &self->err));
	EXPECT_REFUSED(EINVAL, "empty");
	test_bzimage_header(&self->bz)->initrd_addr_max = 0;
	EXPECT_NE(0, load_all(&self->load, &self->bz, 4096, "", &self->err));
	EXPECT_REFUSED(ENOMEM, "do not fit");
}

TEST_F(boot, command_line_has_the_kernels_limit)
{
	char line[KERNEL_CMDLINE_MAX + 2];

	memset(line, 'x', sizeof(line));
	line[KERNEL_CMDLINE_MAX] = '\0';
	EXPECT_EQ(0, load_all(&self->load, &self->bz, 1, line, &self->err));
	line[KERNEL_CMDLINE_MAX] = 'x';
	line[KERNEL_CMDLINE_MAX + 1] = '\0';
	EXPECT_NE(0, load_all(&self->load, &self->bz, 1, line, &self->err));
	EXPECT_REFUSED(E2BIG, "201 bytes and this kernel takes 200");
}

TEST_F(boot, boot_params_have_the_header_and_nothing_else_of_the_file)
{
	const struct boot_params *bp;

	memset(self->bz.bytes, 0xff, 0x1f1);
	ASSERT_EQ(0, load_all(&self->load, &self->bz, 4096, "x", &self->err));
	self->load.rsdp = 0xe0000;
	memset((u8 *)ram(&self->load, X86_ZERO_PAGE_BASE), 0xff, 4096);
	ASSERT_EQ(0, linux64_prepare(&self->load, &self->err));
	bp = guest_ptr(&self->load.gate, gpa(X86_ZERO_PAGE_BASE), 4096,
		       GUEST_READS);
	EXPECT_EQ(0, bp->sentinel);
	EXPECT_EQ(0xe0000, bp->acpi_rsdp_addr);
	EXPECT_EQ(0xff, bp->hdr.type_of_loader);
	EXPECT_EQ(X86_CMDLINE_BASE, bp->hdr.cmd_line_ptr);
	EXPECT_EQ(self->load.initrd, bp->hdr.ramdisk_image);
	EXPECT_EQ(4096, bp->hdr.ramdisk_size);
	EXPECT_EQ(KERNEL_BASE, bp->hdr.pref_address);
	EXPECT_EQ(0, bp->hdr.loadflags & CAN_USE_HEAP);
	EXPECT_EQ(X86_SETUP_DATA_BASE, bp->hdr.setup_data);
	EXPECT_LT(4, bp->e820_entries);
}

/* Walks the tables as the processor does. */
static u64 translate(struct boot_load *load, u64 linear)
{
	u64 table = X86_PAGE_TABLES_BASE, entry;
	u32 level;

	for (level = 3; level; level--) {
		int ret = guest_read(&load->gate,
				     gpa(table + (linear >> (12 + 9 * level) &
						  511) * 8),
				     &entry, sizeof(entry));

		if (ret || (entry & 3) != 3)
			return UINT64_MAX;
		table = entry & 0xffffffffff000;
		if (entry & 0x80)
			return level == 1 ? table + (linear & 0x1fffff) :
				UINT64_MAX;
	}
	return UINT64_MAX;
}

TEST_F(boot, first_4_gib_are_mapped_onto_themselves)
{
	ASSERT_EQ(0, load_all(&self->load, &self->bz, 4096, "", &self->err));
	ASSERT_EQ(0, linux64_prepare(&self->load, &self->err));
	EXPECT_EQ(0, translate(&self->load, 0));
	EXPECT_EQ(0x7123, translate(&self->load, 0x7123));
	EXPECT_EQ(0x3fffffff, translate(&self->load, 0x3fffffff));
	EXPECT_EQ(0x40000000, translate(&self->load, 0x40000000));
	EXPECT_EQ(0xfee00000, translate(&self->load, 0xfee00000));
	EXPECT_EQ(0xffffffff, translate(&self->load, 0xffffffff));
	EXPECT_EQ(UINT64_MAX, translate(&self->load, 0x100000000));
}

TEST_F(boot, pvh_start_info_is_complete)
{
	__le64 quad[4];
	__le32 word[4];

	ASSERT_EQ(0, load_all(&self->load, &self->bz, 4096, "", &self->err));
	self->load.rsdp = 0xe0000;
	ASSERT_EQ(0, pvh_prepare(&self->load, &self->err));
	ASSERT_EQ(0, guest_read(&self->load.gate, gpa(X86_PVH_BASE), word, 16));
	EXPECT_EQ(0x336ec578, le32_to_cpu(word[0]));
	EXPECT_EQ(1, le32_to_cpu(word[1]));
	EXPECT_EQ(1, le32_to_cpu(word[3]));
	ASSERT_EQ(0, guest_read(&self->load.gate, gpa(X86_PVH_BASE + 16), quad,
				32));
	EXPECT_EQ(X86_CMDLINE_BASE, le64_to_cpu(quad[1]));
	EXPECT_EQ(0xe0000, le64_to_cpu(quad[2]));
	ASSERT_EQ(0, guest_read(&self->load.gate, gpa(le64_to_cpu(quad[3])),
				word, 16));
	ASSERT_EQ(0, guest_read(&self->load.gate, gpa(le64_to_cpu(quad[0])),
				quad, 16));
	EXPECT_EQ(self->load.initrd, le64_to_cpu(quad[0]));
	EXPECT_EQ(4096, le64_to_cpu(quad[1]));
	EXPECT_EQ(0, le32_to_cpu(word[0]));
	EXPECT_EQ(X86_EBDA_BASE, le32_to_cpu(word[2]));
}

TEST(e820_map_tells_ram_from_what_is_reserved)
{
	static const struct boot_e820_entry wanted[] = {
		{ 0, 0x9fc00, E820_RAM },
		{ 0x9fc00, 0x60400, E820_RESERVED },
		{ 0x100000, 0xbff00000, E820_RAM },
		{ X86_PCI_ECAM_BASE, X86_PCI_ECAM_SIZE, E820_RESERVED },
		{ 0xfec00000, 0x1000, E820_RESERVED },
		{ 0xfee00000, 0x1000, E820_RESERVED },
		{ 0xfffbc000, 0x4000, E820_RESERVED },
		{ 0x100000000, 0x40000000, E820_RAM },
	};
	struct guest_memory memory;
	struct e820_map map;
	u32 i;

	guest_memory_init(&memory, -1);
	add_ram(&memory, "ram-low", 0, X86_RAM_LOW_SIZE);
	add_ram(&memory, "ram-high", X86_RAM_HIGH_BASE, GIB);
	add_ram(&memory, "controller-buffer", 0x200000000, MIB);
	e820_build(&memory, &map);
	ASSERT_EQ(ARRAY_SIZE(wanted), map.nr);
	for (i = 0; i < map.nr; i++) {
		EXPECT_EQ(wanted[i].addr, map.entries[i].addr);
		EXPECT_EQ(wanted[i].size, map.entries[i].size);
		EXPECT_EQ(wanted[i].type, map.entries[i].type);
	}
	guest_memory_destroy(&memory);
}

TEST(e820_map_of_a_machine_without_high_memory)
{
	struct guest_memory memory;
	struct e820_map map;

	guest_memory_init(&memory, -1);
	add_ram(&memory, "ram-low", 0, 0x80000);
	e820_build(&memory, &map);
	EXPECT_EQ(6, map.nr);
	EXPECT_EQ(0x80000, map.entries[0].size);
	EXPECT_EQ(E820_RESERVED, map.entries[1].type);
	guest_memory_destroy(&memory);
}

TEST_HARNESS_MAIN
