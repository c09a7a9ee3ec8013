/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_DESCRIPTION_H
#define LKVM_DESCRIPTION_H

#include "vmm/base/error.h"
#include "vmm/base/types.h"
#include "vmm/device.h"
#include "vmm/option.h"

struct vm;
struct vm_config;

/* Most bytes that a machine description may have. */
#define DESCRIPTION_MAX		(1U << 20)
#define DESCRIPTION_COMPATIBLE	"lkvm,machine-v1"

/**
 * enum machine_reboot - what a reboot of the guest does
 * @REBOOT_EXIT: ends lkvm, as kvmtool does
 * @REBOOT_RESTART: starts the kernel anew
 */
enum machine_reboot {
	REBOOT_EXIT,
	REBOOT_RESTART,
};

/**
 * struct machine_config - the machine as a whole; filled by &machine_options
 * @cpus: vCPUs
 * @memory: guest RAM in bytes
 * @name: the machine's name
 * @kernel: path of the kernel image, NULL for none
 * @initrd: path, NULL for none
 * @cmdline: the kernel's command line
 * @reboot: see enum machine_reboot
 * @hugetlbfs: a mounted hugetlbfs that RAM comes from, NULL for none
 * @kvm: path of KVM's device
 * @arch: a struct of &arch_options; NULL for the defaults; owned by the
 *        description that it was read from
 */
struct machine_config {
	u32 cpus;
	u64 memory;
	char *name;
	char *kernel;
	char *initrd;
	char *cmdline;
	u32 reboot;
	char *hugetlbfs;
	char *kvm;
	void *arch;
};

extern const struct option_table machine_options;

/**
 * struct description_request - a device that the user wants
 * @class: what kind
 * @config: its options, a struct of the class's table; stays the caller's
 */
struct description_request {
	const struct device_class *class;
	const void *config;
};

/**
 * struct description_device - a device of a description that has been checked
 * @class: what kind
 * @index: number among those of its class
 * @addr: where the guest finds it
 * @config: its options, owned until the device is made
 */
struct description_device {
	const struct device_class *class;
	u32 index;
	struct device_address addr;
	void *config;
};

/**
 * struct description - a description that has been checked
 * @machine: the machine as a whole; owned
 * @devices: in the order in which they are made; owned
 * @nr: how many
 */
struct description {
	struct machine_config *machine;
	struct description_device *devices;
	u32 nr;
};

int description_write(const struct machine_config *machine,
		      const struct description_request *requests, u32 nr,
		      void **fdt, struct error *err) __must_check;
int description_encode(const struct description *d, void **fdt,
		       struct error *err) __must_check;
int description_read(const void *fdt, size_t size, struct description **out,
		     struct error *err) __must_check;
void description_free(struct description *d);
void description_vm_config(const struct description *d,
			   struct vm_config *config);
int description_build(struct description *d, struct vm *vm, struct error *err)
	__must_check;

#endif /* LKVM_DESCRIPTION_H */
