// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: could this machine come to this host?
 *
 * What a source asks with *check* is tried out: a machine is built from its
 * description and thrown away again. Where that fails it goes on with less, so
 * that the user hears of everything at once: a machine without its devices
 * still shows whether the CPUs can be had. If nothing is in the way, the state
 * that the source has sent is loaded, which has KVM itself see all registers.
 *
 * No lock is taken, no name, and no memory is touched. A machine that really
 * comes is checked by the same functions before it is built, and its disks
 * before its memory is sent.
 *
 * Threads: the main loop's, before there is a machine.
 */
#include <libfdt.h>
#include <stdlib.h>

#include "migration/check.h"
#include "migration/disks.h"
#include "migration/machine_state.h"
#include "migration/receive.h"
#include "vmm/description.h"
#include "vmm/host_memory.h"
#include "vmm/vm.h"

static void tell(struct findings *f, const char *what, const struct error *why)
{
	findings_add(f, true, what, why->text);
}

/* The source's disks; none when it is one that does not send them. */
static int read_disks(const struct receive *r, struct disk_list *list,
		      struct error *err)
{
	const struct image_note *note;

	*list = (struct disk_list){ .nr = 0 };
	note = image_find_note(r->image, IMAGE_OWNER, IMAGE_NOTE_DISKS);
	return note ? disk_list_decode(list, note->data, note->len, err) : 0;
}

/**
 * check_host() - what can be seen before anything is built
 * @r: what has arrived; &receive.description with what the user has replaced
 * @config: how the machine would be made
 * @f: gets what is missing: memory, disks
 */
void check_host(struct receive *r, const struct vm_config *config,
		struct findings *f)
{
	struct error err = ERROR_INIT;
	struct disk_list list;

	/* That of a hugetlbfs is reserved when the machine is made. */
	if (!config->hugetlbfs &&
	    host_memory_check("", config->memory_bytes, &err))
		tell(f, "memory", &err);
	if (read_disks(r, &list, &err))
		tell(f, "disk", &err);
	else
		disk_list_reach(&list, r->description, f);
	disk_list_free(&list);
}

/**
 * check_disks() - are the disks those of the source?
 * @r: what has arrived
 * @vm: the machine, built
 * @f: gets what is wrong with them
 */
void check_disks(struct receive *r, struct vm *vm, struct findings *f)
{
	struct error err = ERROR_INIT;
	struct disk_list list;

	if (read_disks(r, &list, &err) || disk_list_same(&list, vm, f, &err))
		tell(f, "disk", &err);
	disk_list_free(&list);
}

static int add_devices(struct vm *vm, const void *fdt, struct error *err)
{
	struct description *d;
	int ret;

	ret = description_read(fdt, fdt_totalsize(fdt), &d, err);
	if (ret)
		return ret;
	ret = description_build(d, vm, err);
	description_free(d);
	return ret;
}

/* With or without devices; what fails has been told. */
static struct vm *make(const struct vm_config *config, const void *fdt,
		       struct findings *f)
{
	bool disks_known = findings_have(f, "disk");
	struct error err = ERROR_INIT;
	struct vm *vm;

	if (vm_create(config, &vm, &err)) {
		tell(f, config->hugetlbfs ? "memory" : "host", &err);
		return NULL;
	}
	if (fdt && add_devices(vm, fdt, &err)) {
		/* It would only say once more what is known of its disk. */
		if (!disks_known)
			tell(f, "device", &err);
		vm_destroy(vm);
		return NULL;
	}
	if (!vm_start(vm, &err))
		return vm;
	tell(f, "host", &err);
	vm_destroy(vm);
	return NULL;
}

static void check_state(struct receive *r, struct vm *vm, bool devices,
			struct findings *f)
{
	struct error err = ERROR_INIT;
	const struct image_note *note;

	note = image_find_note(r->image, IMAGE_OWNER, IMAGE_NOTE_STATE);
	if (!note)
		error_set(&err, -EINVAL, "the source has sent no machine state");
	else if (!machine_state_check(vm, note->data, note->len, devices, f,
				      &err))
		return;
	tell(f, "state", &err);
}

/* One that cannot be made as a whole: its CPUs, then its devices. */
static void check_halves(struct receive *r, const struct vm_config *config,
			 const void *fdt, struct findings *f)
{
	struct vm_config no_cpus = *config;
	struct vm *vm;

	vm = make(config, NULL, f);
	if (vm) {
		check_state(r, vm, false, f);
		vm_destroy(vm);
	}
	no_cpus.cpus = 0;
	vm = make(&no_cpus, fdt, f);
	if (vm) {
		check_disks(r, vm, f);
		vm_destroy(vm);
	}
}

/**
 * check_machine() - try the machine out
 * @r: what has arrived: description, state, disks
 * @config: how the machine would be made; &vm_config.disks_elsewhere is set
 * @f: has what check_host() has found; gets all else that is in the way
 *
 * Context: the main loop's thread; makes threads and ends them.
 */
void check_machine(struct receive *r, const struct vm_config *config,
		   struct findings *f)
{
	struct vm_config bare = *config;
	struct error err = ERROR_INIT;
	struct vm *vm;
	void *fdt;

	if (description_encode(r->description, &fdt, &err)) {
		tell(f, "device", &err);
		return;
	}
	/* None of the memory is touched: what it comes from does not matter. */
	bare.hugetlbfs = NULL;
	vm = make(config, fdt, f);
	if (!vm && config->hugetlbfs)
		vm = make(&bare, fdt, f);
	if (vm) {
		check_disks(r, vm, f);
		/* With other disks the devices are not those of the state. */
		check_state(r, vm, !findings_have(f, "disk"), f);
		vm_destroy(vm);
	} else {
		check_halves(r, &bare, fdt, f);
	}
	free(fdt);
}
