/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: what the parts of the boot loader share
 *
 * boot_load.c puts kernel and initrd into memory; image.c knows what a kernel
 * is, unpack.c unpacks those that are compressed; fdt.c writes the device tree,
 * and boot.c points the boot CPU at all of it. None of it needs KVM but the last
 * step, so tests run it on plain memory.
 */
#ifndef LKVM_ARM64_BOOT_PRIV_H
#define LKVM_ARM64_BOOT_PRIV_H

#include "arch/arm64/gic.h"
#include "vmm/arch.h"
#include "vmm/boot_file.h"
#include "vmm/guest_memory.h"

struct vm;

/* Bytes at the beginning of a kernel that say what it is. */
#define IMAGE_HEAD_SIZE		64

/**
 * struct boot_load - one loading
 * @gate: an open door to guest memory
 * @ram_end: RAM, which begins at ARM64_RAM_BASE, ends here
 * @entry: where the kernel is entered
 * @kernel_end: the byte behind the last that the kernel needs for itself
 * @initrd: address of the initrd
 * @initrd_size: its size, 0 for none
 */
struct boot_load {
	struct guest_gate gate;
	u64 ram_end;
	u64 entry;
	u64 kernel_end;
	u64 initrd;
	u64 initrd_size;
};

/**
 * struct fdt_params - what the device tree says besides the devices
 * @cmdline: for the kernel
 * @initrd: see struct boot_load
 * @initrd_size: see struct boot_load
 * @mpidr: affinity of each CPU
 * @cpus: how many
 * @gic: the interrupt controller
 * @pmu: there are performance counters
 * @kaslr_seed: for the kernel, 0 for a random one
 */
struct fdt_params {
	const char *cmdline;
	u64 initrd;
	u64 initrd_size;
	const u64 *mpidr;
	u32 cpus;
	enum gic_kind gic;
	bool pmu;
	u64 kaslr_seed;
};

bool unpack_wanted(const u8 *head, size_t len);
int unpack_kernel(const struct boot_file *file, struct boot_file *out,
		  struct error *err) __must_check;
int image_load(const struct boot_file *file, struct boot_load *load,
	       struct error *err) __must_check;
int boot_check_room(const struct boot_file *file, const struct boot_load *load,
		    u64 addr, u64 len, struct error *err) __must_check;
void boot_load_init(struct boot_load *load, struct guest_memory *memory);
int boot_load_files(struct boot_load *load, const struct arch_boot *boot,
		    struct error *err) __must_check;
int fdt_make(struct vm *vm, const struct fdt_params *params, void **blob,
	     u32 *len, struct error *err) __must_check;
int dump_dtb(const char *path, const void *blob, u32 len, struct error *err)
	__must_check;

#endif /* LKVM_ARM64_BOOT_PRIV_H */
