/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: what the parts of the boot loader share
 *
 * boot.c opens the files, finds out what the kernel is and puts the initrd and
 * the command line into memory; bzimage.c and elf.c place a kernel; linux64.c
 * and pvh.c leave what the two boot protocols ask for. None of it needs KVM
 * but the last step, which sets the boot CPU's registers (entry.c), so tests
 * and fuzzers run it on plain memory.
 */
#ifndef LKVM_X86_BOOT_PRIV_H
#define LKVM_X86_BOOT_PRIV_H

#include <asm/bootparam.h>

#include "vmm/arch.h"
#include "vmm/base/error.h"
#include "vmm/boot_file.h"
#include "vmm/guest_memory.h"

struct vcpu;
struct vm;

/* Linux's COMMAND_LINE_SIZE on x86, for kernels that cannot say: less NUL. */
#define CMDLINE_MAX_UNKNOWN	2047

/**
 * enum boot_protocol - how the kernel wants to be entered
 * @BOOT_LINUX64: Linux's 64-bit entry: long mode, boot_params in RSI
 * @BOOT_PVH: 32 bit, no paging, hvm_start_info in EBX
 */
enum boot_protocol {
	BOOT_LINUX64,
	BOOT_PVH,
};

/**
 * struct kernel_image - a kernel in guest memory
 * @protocol: how to enter it
 * @entry: where
 * @base: first byte that it needs for itself
 * @end: the byte behind the last
 * @initrd_max: greatest address that its initrd may reach
 * @cmdline_max: bytes of command line that it takes, without NUL
 * @header: setup header to hand back; zero but for the fixed fields when the
 *          kernel brought none
 */
struct kernel_image {
	enum boot_protocol protocol;
	u64 entry;
	u64 base;
	u64 end;
	u64 initrd_max;
	u32 cmdline_max;
	struct setup_header header;
};

/**
 * struct boot_load - one loading
 * @memory: the guest's
 * @gate: an open door to it
 * @ram_low_end: RAM that starts at 0 ends here
 * @kernel: the kernel
 * @initrd: address of the initrd
 * @initrd_size: its size, 0 for none
 * @cmdline_size: length of the command line at X86_CMDLINE_BASE, with NUL
 * @rsdp: address of ACPI's root pointer, 0 for none
 */
struct boot_load {
	struct guest_memory *memory;
	struct guest_gate gate;
	u64 ram_low_end;
	struct kernel_image kernel;
	u64 initrd;
	u64 initrd_size;
	u32 cmdline_size;
	u64 rsdp;
};

/**
 * struct e820_map - who owns which physical addresses
 * @nr: entries in use
 * @entries: in rising order
 */
struct e820_map {
	u32 nr;
	struct boot_e820_entry entries[E820_MAX_ENTRIES_ZEROPAGE];
};

#define E820_RAM	1
#define E820_RESERVED	2

int boot_file_read_guest(const struct boot_file *file, u64 offset,
			 struct boot_load *load, u64 addr, u64 len,
			 struct error *err) __must_check;
int boot_check_room(const struct boot_file *file, const struct boot_load *load,
		    u64 addr, u64 len, struct error *err) __must_check;

bool bzimage_detect(const u8 *head, size_t len);
int bzimage_load(const struct boot_file *file, struct boot_load *load,
		 struct error *err) __must_check;
int elf_load(const struct boot_file *file, struct boot_load *load,
	     struct error *err) __must_check;
int boot_kernel_load(const struct boot_file *file, struct boot_load *load,
		     struct error *err) __must_check;
void boot_load_init(struct boot_load *load, struct guest_memory *memory);
int boot_load_files(struct boot_load *load, const struct arch_boot *boot,
		    struct error *err) __must_check;

void e820_build(const struct guest_memory *memory, struct e820_map *map);

int linux64_prepare(struct boot_load *load, struct error *err) __must_check;
int pvh_prepare(struct boot_load *load, struct error *err) __must_check;
int entry_set(struct vcpu *vcpu, const struct kernel_image *kernel,
	      struct error *err) __must_check;

#endif /* LKVM_X86_BOOT_PRIV_H */
