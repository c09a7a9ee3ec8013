/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_RESTORE_H
#define LKVM_RESTORE_H

#include "migration/disks.h"
#include "migration/image.h"
#include "vmm/base/error.h"
#include "vmm/vm.h"

struct description;

/**
 * struct restore - an image that a machine is to be made from
 * @ch: the file
 * @image: what is in it
 * @control: cancels what takes long
 * @description: what it says about the machine; the caller may replace what
 *               belongs to the host before the machine is built
 * @ram: where each block of RAM is in the file
 * @disks: what it says about disks
 * @force_disks: use also disks that were written since
 * @clock: where the guest's clocks go on
 * @interrupted: asked now and then while much is read: shall it end? NULL: no
 * @interrupted_arg: for @interrupted
 */
struct restore {
	struct channel *ch;
	struct image *image;
	struct channel_control control;
	struct description *description;
	struct vm_ram_file ram[VM_RAM_BLOCKS];
	struct disk_list disks;
	bool force_disks;
	enum vm_clock clock;
	bool (*interrupted)(void *arg);
	void *interrupted_arg;
};

int restore_open(const char *path, struct restore **out, struct error *err)
	__must_check;
void restore_close(struct restore *r);
void restore_config(const struct restore *r, struct vm_config *config);
int restore_mark_disks(struct restore *r, struct error *err) __must_check;
int restore_find_disks(struct restore *r, enum disk_mode mode,
		       struct error *err) __must_check;
int restore_check_disks(struct restore *r, struct vm *vm, struct error *err)
	__must_check;
int restore_memory(struct restore *r, struct vm *vm, bool eager,
		   struct error *err) __must_check;
int restore_state(struct restore *r, struct vm *vm, struct error *err)
	__must_check;

#endif /* LKVM_RESTORE_H */
