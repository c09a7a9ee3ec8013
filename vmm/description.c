// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the machine description: writing one, and building a machine from it
 *
 * A machine is described by a flattened device tree that names every device
 * with an explicit address. It is made once, from the command line, and a
 * machine is built from it and from nothing else; so a restore, which finds it
 * in the image, builds the very same machine whatever the defaults, the order
 * of options or the order of linking are by then::
 *
 *   / {
 *       compatible = "lkvm,machine-v1";
 *       machine {
 *           arch = "...";
 *           guest { cpus = <2>; memory = <0 0x10000000>; };
 *           host { label = "..."; kernel = "..."; ... };
 *       };
 *       arch {
 *           guest { }; host { };
 *       };
 *       devices {
 *           serial0 {
 *               compatible = "lkvm,serial";
 *               index = <0>;
 *               base = <0 0x3f8>; size = <0 8>; gsi = <4>;
 *               guest { }; host { };
 *           };
 *           nvme0 {
 *               compatible = "lkvm,nvme";
 *               index = <0>; slot = <1>; function = <0>;
 *               guest { queues = <64>; ... };
 *               host { file = "..."; ... };
 *           };
 *       };
 *   };
 *
 * The options in "guest" are part of the machine; those in "host" may be
 * replaced at a restore. Both come from option tables (option_tree.c). "arch"
 * has those of the architecture (&arch_options); it is not there where an
 * architecture has none, and who reads it may do without it.
 *
 * Devices are made in one order: host bridges, platform devices by name and
 * index, PCI functions by slot and function. Reading is in
 * description_read.c.
 *
 * Threads: none of its own; devices are made on the main loop.
 */
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/arch.h"
#include "vmm/base/tree_writer.h"
#include "vmm/description_priv.h"
#include "vmm/vm.h"

static const char *const reboot_words[] = { "exit", "restart", NULL };

#define HOST_PATH(_field)						\
	{								\
		.name = #_field, .type = OPTION_STRING,			\
		.scope = OPTION_HOST,					\
		.offset = offsetof(struct machine_config, _field),	\
		.min = 1, .path = true,					\
	}

static const struct option_desc machine_opts[] = {
	{
		.name = "cpus", .type = OPTION_U32, .scope = OPTION_GUEST,
		.offset = offsetof(struct machine_config, cpus),
		.min = 1, .max = VM_CPUS_MAX, .def = 1,
	}, {
		.name = "memory", .type = OPTION_SIZE, .scope = OPTION_GUEST,
		.offset = offsetof(struct machine_config, memory),
		.min = MEMORY_PAGE_SIZE, .max = 1ULL << 46, .def = 256 * MIB,
	},
	{
		/* A property "name" would have to be that of its node. */
		.name = "label", .type = OPTION_STRING, .scope = OPTION_HOST,
		.offset = offsetof(struct machine_config, name), .min = 1,
	},
	HOST_PATH(kernel),
	HOST_PATH(initrd),
	{
		.name = "cmdline", .type = OPTION_STRING,
		.scope = OPTION_HOST,
		.offset = offsetof(struct machine_config, cmdline),
		.def_str = "",
	}, {
		.name = "reboot", .type = OPTION_ENUM, .scope = OPTION_HOST,
		.offset = offsetof(struct machine_config, reboot),
		.words = reboot_words,
	},
	HOST_PATH(hugetlbfs),
	HOST_PATH(kvm),
};

const struct option_table machine_options = {
	.name = "machine", .config_size = sizeof(struct machine_config),
	.opts = machine_opts, .nr = ARRAY_SIZE(machine_opts),
};

/**
 * struct plan - the devices of a description that is being written
 * @devices: configurations are borrowed from the requests
 * @nr: how many
 */
struct plan {
	struct description_device devices[DESCRIPTION_DEVICES];
	u32 nr;
};

static int rank(const struct description_device *d)
{
	return d->class->host ? 0 : d->class->kind == DEVICE_PLATFORM ? 1 : 2;
}

/**
 * description_order() - the order in which devices are made
 * @a: a struct description_device
 * @b: another
 *
 * For qsort().
 *
 * Return: below, equal to or above 0 as @a is made before or after @b.
 */
int description_order(const void *a, const void *b)
{
	const struct description_device *x = a, *y = b;
	int by_name;

	if (rank(x) != rank(y))
		return rank(x) - rank(y);
	if (rank(x) == 2 && x->addr.slot != y->addr.slot)
		return x->addr.slot < y->addr.slot ? -1 : 1;
	if (rank(x) == 2 && x->addr.function != y->addr.function)
		return x->addr.function < y->addr.function ? -1 : 1;
	by_name = strcmp(x->class->name, y->class->name);
	return by_name ? by_name : (x->index > y->index) - (x->index < y->index);
}

/* ---- writing ------------------------------------------------------------ */

static int plan_add(struct plan *plan, const struct device_class *class,
		    const void *config, struct error *err)
{
	struct description_device *d = &plan->devices[plan->nr];
	u32 i, index = 0;

	for (i = 0; i < plan->nr; i++)
		index += plan->devices[i].class == class;
	if (index >= class->max)
		return error_set(err, -EINVAL,
				 "%s: a machine has at most %u of them",
				 class->name, class->max);
	if (plan->nr == DESCRIPTION_DEVICES)
		return error_set(err, -EINVAL, "%s: more than %u devices",
				 class->name, DESCRIPTION_DEVICES);
	if (class->kind == DEVICE_PLATFORM &&
	    !arch_resource_find(class->name, index))
		return error_set(err, -EINVAL,
				 "%s%u: there is no place for it on %s",
				 class->name, index, arch_name);
	*d = (struct description_device){
		.class = class, .index = index, .config = (void *)config,
	};
	plan->nr++;
	return 0;
}

static bool is_planned(const struct plan *plan, const struct device_class *class)
{
	u32 i;

	for (i = 0; i < plan->nr; i++)
		if (plan->devices[i].class == class)
			return true;
	return false;
}

static bool exists_here(const struct device_class *class)
{
	return class->kind == DEVICE_PCI || arch_resource_find(class->name, 0);
}

static int plan_defaults(struct plan *plan, struct error *err)
{
	const struct device_class *const *classes;
	u32 i, nr;
	int ret = 0;

	classes = device_classes(&nr);
	for (i = 0; !ret && i < nr; i++)
		if (classes[i]->by_default && exists_here(classes[i]) &&
		    !is_planned(plan, classes[i]))
			ret = plan_add(plan, classes[i], NULL, err);
	return ret;
}

/*
 * Slot 0 is the host bridge. The others are numbered in the order in which
 * the user named the devices, behind those that every machine has; from here
 * on the number is fixed.
 */
static int plan_slots(struct plan *plan, u32 requested, struct error *err)
{
	u32 slot = 1, i, k;

	qsort(plan->devices + requested, plan->nr - requested,
	      sizeof(plan->devices[0]), description_order);
	for (k = 0; k < plan->nr; k++) {
		i = (k + requested) % plan->nr;
		if (plan->devices[i].class->kind != DEVICE_PCI)
			continue;
		if (slot == DESCRIPTION_SLOTS)
			return error_set(err, -EINVAL,
					 "more than %u PCI devices",
					 DESCRIPTION_SLOTS - 1);
		plan->devices[i].addr.slot =
			plan->devices[i].class->host ? 0 : slot++;
	}
	return 0;
}

static int plan_make(struct plan *plan,
		     const struct description_request *requests, u32 nr,
		     struct error *err)
{
	u32 i;
	int ret;

	plan->nr = 0;
	for (i = 0; i < nr; i++) {
		ret = plan_add(plan, requests[i].class, requests[i].config,
			       err);
		if (ret)
			return ret;
	}
	ret = plan_defaults(plan, err);
	if (!ret)
		ret = plan_slots(plan, nr, err);
	if (ret)
		return ret;
	qsort(plan->devices, plan->nr, sizeof(plan->devices[0]),
	      description_order);
	return 0;
}

static void write_options(struct tree_writer *w,
			  const struct option_table *table, const void *config)
{
	static const struct {
		const char *node;
		enum option_scope scope;
	} scopes[] = { { "guest", OPTION_GUEST }, { "host", OPTION_HOST } };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(scopes); i++) {
		tree_node_begin(w, scopes[i].node);
		if (table)
			option_save_node(table, config, scopes[i].scope, w);
		tree_node_end(w);
	}
}

static void write_arch(struct tree_writer *w,
		       const struct machine_config *machine)
{
	void *defaults = NULL;

	if (!arch_options.nr)
		return;
	if (!machine->arch) {
		defaults = option_config_new(&arch_options);
		if (!defaults) {
			tree_fail(w, -ENOMEM);
			return;
		}
	}
	tree_node_begin(w, "arch");
	write_options(w, &arch_options, defaults ? defaults : machine->arch);
	tree_node_end(w);
	option_config_free(&arch_options, defaults);
}

static void write_place(struct tree_writer *w,
			const struct description_device *d)
{
	const struct arch_resource *r;

	if (d->class->kind == DEVICE_PCI) {
		tree_property_u32(w, "slot", d->addr.slot);
		tree_property_u32(w, "function", d->addr.function);
		return;
	}
	r = arch_resource_find(d->class->name, d->index);
	tree_property_u64(w, "base", r->base);
	tree_property_u64(w, "size", r->size);
	tree_property_u32(w, "gsi", r->gsi);
}

static void write_device(struct tree_writer *w,
			 const struct description_device *d)
{
	void *defaults = NULL;
	char name[64];

	if (d->class->options && !d->config) {
		defaults = option_config_new(d->class->options);
		if (!defaults)
			tree_fail(w, -ENOMEM);
	}
	snprintf(name, sizeof(name), "%s%u", d->class->name, d->index);
	tree_node_begin(w, name);
	tree_property_string(w, "compatible", d->class->compatible);
	tree_property_u32(w, "index", d->index);
	write_place(w, d);
	if (d->config || defaults || !d->class->options)
		write_options(w, d->class->options,
			      d->config ? d->config : defaults);
	tree_node_end(w);
	if (defaults)
		option_config_free(d->class->options, defaults);
}

static int write_fdt(const struct machine_config *machine,
		     const struct description_device *devices, u32 nr,
		     void **fdt, struct error *err)
{
	struct tree_writer w;
	void *blob;
	u32 i, len;

	tree_begin(&w);
	tree_property_string(&w, "compatible", DESCRIPTION_COMPATIBLE);
	tree_node_begin(&w, "machine");
	tree_property_string(&w, "arch", arch_name);
	write_options(&w, &machine_options, machine);
	tree_node_end(&w);
	write_arch(&w, machine);
	tree_node_begin(&w, "devices");
	for (i = 0; i < nr; i++)
		write_device(&w, &devices[i]);
	tree_node_end(&w);
	if (tree_finish(&w, &blob, &len, err))
		return error_prefix(err, "machine description");
	if (len > DESCRIPTION_MAX) {
		free(blob);
		return error_set(err, -E2BIG,
				 "the options of this machine take more than %u KiB",
				 DESCRIPTION_MAX / 1024);
	}
	*fdt = blob;
	return 0;
}

/**
 * description_write() - describe a machine
 * @machine: the machine as a whole
 * @requests: the devices that the user asked for, in the user's order
 * @nr: how many
 * @fdt: out: the description, of fdt_totalsize() bytes, to be freed
 * @err: set on failure
 *
 * Adds the devices that every machine has and gives each its place. Names of
 * files become absolute.
 *
 * Return: 0, -EINVAL when there is no place for a device, -E2BIG, -ENOMEM, or
 * why the working directory has no name.
 */
int description_write(const struct machine_config *machine,
		      const struct description_request *requests, u32 nr,
		      void **fdt, struct error *err)
{
	struct plan *plan = malloc(sizeof(*plan));
	int ret;

	if (!plan)
		return error_set(err, -ENOMEM, "no memory");
	ret = plan_make(plan, requests, nr, err);
	if (!ret)
		ret = write_fdt(machine, plan->devices, plan->nr, fdt, err);
	free(plan);
	return ret;
}

/**
 * description_encode() - write a description that was read, and maybe changed
 * @d: the description
 * @fdt: out: the description, of fdt_totalsize() bytes, to be freed
 * @err: set on failure
 *
 * Devices stay where they are.
 *
 * Return: 0, -E2BIG, -ENOMEM, or why the working directory has no name.
 */
int description_encode(const struct description *d, void **fdt,
		       struct error *err)
{
	return write_fdt(d->machine, d->devices, d->nr, fdt, err);
}

/* ---- building ----------------------------------------------------------- */

/**
 * description_vm_config() - what the core must know to make the machine
 * @d: the description, which strings and the architecture's options belong to
 * @config: out
 */
void description_vm_config(const struct description *d,
			   struct vm_config *config)
{
	*config = (struct vm_config){
		.name = d->machine->name ? d->machine->name : "guest",
		.cpus = d->machine->cpus,
		.memory_bytes = d->machine->memory,
		.hugetlbfs = d->machine->hugetlbfs,
		.kvm_path = d->machine->kvm ? d->machine->kvm : "/dev/kvm",
		.arch_options = d->machine->arch,
	};
}

/**
 * description_build() - make the devices of a machine
 * @d: the description; the devices' configurations move into the machine
 * @vm: the machine, without devices
 * @err: set on failure; some devices may exist then, vm_destroy() frees them
 *
 * The machine keeps the description as it is now, for &vm.description.
 *
 * Context: main loop, before vm_start().
 * Return: 0 or a negative errno.
 */
int description_build(struct description *d, struct vm *vm, struct error *err)
{
	struct device *dev;
	u32 i;
	int ret;

	assert(!vm->description);
	ret = description_encode(d, &vm->description, err);
	if (!ret)
		vm->description_len = fdt_totalsize(vm->description);
	for (i = 0; !ret && i < d->nr; i++) {
		ret = device_create(vm, d->devices[i].class,
				    d->devices[i].index, &d->devices[i].addr,
				    d->devices[i].config, &dev, err);
		d->devices[i].config = NULL;
	}
	return ret;
}

/**
 * description_free() - free a description that has been read
 * @d: the description, or NULL
 */
void description_free(struct description *d)
{
	u32 i;

	if (!d)
		return;
	for (i = 0; i < d->nr; i++)
		if (d->devices[i].class->options)
			option_config_free(d->devices[i].class->options,
					   d->devices[i].config);
	free(d->devices);
	if (d->machine)
		option_config_free(&arch_options, d->machine->arch);
	option_config_free(&machine_options, d->machine);
	free(d);
}
