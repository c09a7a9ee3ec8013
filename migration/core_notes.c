// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: notes that make an image a core file for gdb and drgn
 *
 * NT_PRSTATUS for each vCPU, in their order, and the VMCOREINFO of the Linux
 * kernel that runs, if one does; and that kernel's image at its own address,
 * where debuggers find its page tables. A restore does not need them and does
 * not look at them.
 *
 * Memory is searched while the guest still runs, because that takes time; what
 * was found is looked at when it is stopped, because only then the vCPUs can be
 * asked what they run.
 */
#include <elf.h>
#include <stdlib.h>

#include "migration/core_notes.h"
#include "vmm/arch.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"
#include "vmm/vmcoreinfo.h"

/**
 * core_notes_scan() - look for what a Linux guest has left for debuggers
 * @notes: filled
 * @vm: the machine, which may run
 *
 * Context: any thread.
 */
void core_notes_scan(struct core_notes *notes, struct vm *vm)
{
	notes->nr = vmcoreinfo_scan(&vm->memory, notes->found,
				    CORE_NOTES_FOUND_MAX);
}

static bool is_running(struct vm *vm, const struct vmcoreinfo *info,
		       struct arch_kernel *kernel)
{
	u32 i;

	for (i = 0; i < vm->cpus_nr; i++)
		if (arch_vcpu_runs_kernel(&vm->vcpus[i], info, kernel))
			return true;
	return false;
}

static int add_vmcoreinfo(const struct core_notes *notes, struct vm *vm,
			  struct image *image, struct error *err)
{
	struct vmcoreinfo *info = malloc(sizeof(*info));
	struct image_window window;
	struct arch_kernel kernel;
	int ret = 0;
	u32 i;

	if (!info)
		return error_set(err, -ENOMEM, "out of memory");
	for (i = 0; i < notes->nr; i++) {
		if (vmcoreinfo_read(&vm->memory, notes->found[i], info) ||
		    !is_running(vm, info, &kernel))
			continue;
		window = (struct image_window){
			kernel.linear, kernel.physical, kernel.size,
		};
		image_set_window(image, &window);
		ret = image_add_note(image, "VMCOREINFO", 0, info->text,
				     info->len, err);
		break;
	}
	free(info);
	return ret;
}

/**
 * core_notes_add() - add what debuggers look for to an image
 * @notes: what core_notes_scan() has found
 * @vm: the machine, paused
 * @image: the image
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int core_notes_add(const struct core_notes *notes, struct vm *vm,
		   struct image *image, struct error *err)
{
	u8 status[ARCH_PRSTATUS_MAX];
	u32 i, len;
	int ret;

	for (i = 0; i < vm->cpus_nr; i++) {
		ret = arch_vcpu_prstatus(&vm->vcpus[i], status, &len, err);
		if (!ret)
			ret = image_add_note(image, "CORE", NT_PRSTATUS, status,
					     len, err);
		if (ret)
			return ret;
	}
	return add_vmcoreinfo(notes, vm, image, err);
}
