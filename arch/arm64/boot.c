// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: from files to a machine that is ready to run
 *
 * When kernel and initrd are loaded (boot_load.c), the device tree goes to its
 * fixed place in the first 2 MiB of RAM. Then the boot CPU's registers: x0
 * points to the device tree, all else is as at power-on, which is what the boot
 * protocol asks for (EL1, interrupts masked, MMU off).
 *
 * Specification: Documentation/arch/arm64/booting.rst of Linux.
 *
 * Context: the main loop's thread, the machine paused.
 */
#include <stdlib.h>

#include "arch/arm64/arm64_priv.h"
#include "arch/arm64/boot_priv.h"
#include "arch/arm64/layout.h"
#include "arch/arm64/options.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

static int describe(struct vm *vm, struct boot_load *load, const char *cmdline,
		    struct error *err)
{
	const struct arm64_options *options = vm->arch->options;
	u64 mpidr[VM_CPUS_MAX];
	struct fdt_params params = {
		.cmdline = cmdline,
		.initrd = load->initrd,
		.initrd_size = load->initrd_size,
		.mpidr = mpidr,
		.cpus = vm->cpus_nr,
		.gic = vm->arch->gic,
		.pmu = options->pmu,
		.kaslr_seed = options->kaslr_seed,
	};
	void *blob;
	u32 len, i;
	int ret;

	for (i = 0; i < vm->cpus_nr; i++)
		mpidr[i] = vm->vcpus[i].arch->mpidr;
	ret = fdt_make(vm, &params, &blob, &len, err);
	if (ret)
		return ret;
	ret = guest_write(&load->gate, gpa(ARM64_FDT_BASE), blob, len);
	if (ret)
		error_set(err, ret, "no memory for the device tree");
	else if (options->dump_dtb)
		ret = dump_dtb(options->dump_dtb, blob, len, err);
	free(blob);
	return ret;
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
		ret = describe(vm, &load, boot->cmdline, err);
	if (!ret)
		ret = reg_set(vm->vcpus, REG_X(0), ARM64_FDT_BASE, err);
	if (!ret)
		ret = reg_set(vm->vcpus, REG_PC, load.entry, err);
	return ret;
}
