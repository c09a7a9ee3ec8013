// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the state of a whole machine as one device tree
 *
 *	/			compatible "lkvm,state-v1"
 *	/machine/state		what the architecture keeps once
 *	/cpus/cpu@N		each vCPU, N in hexadecimal
 *	/devices/NAME		each device that has a state ("nvme0")
 *
 * Loading is staged: everything is decoded into fresh copies, then each device
 * checks its copy, and only when all of that has passed is anything installed.
 * So a bad tree changes nothing. What can still fail afterwards is KVM itself,
 * when it refuses registers; the machine is then not fit to run.
 *
 * A machine without KVM (device tests) has neither /machine nor /cpus.
 *
 * All on the main loop's thread, with the machine paused and quiesced, or not
 * yet started.
 */
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "migration/findings.h"
#include "migration/machine_state.h"
#include "migration/state_tree.h"
#include "vmm/arch.h"
#include "vmm/device.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

#define PART_NAME_MAX	24

/**
 * enum part_group - the nodes below the root
 * @GROUP_MACHINE: the architecture's
 * @GROUP_CPUS: vCPUs
 * @GROUP_DEVICES: devices
 * @GROUPS: how many there are
 */
enum part_group {
	GROUP_MACHINE,
	GROUP_CPUS,
	GROUP_DEVICES,
	GROUPS,
};

static const char *const group_names[] = {
	[GROUP_MACHINE]	= "machine",
	[GROUP_CPUS]	= "cpus",
	[GROUP_DEVICES]	= "devices",
};

/**
 * struct part - something that has a state
 * @group: where its node is
 * @name: of the node
 * @desc: its table
 * @vcpu: GROUP_CPUS: the vCPU
 * @dev: GROUP_DEVICES: the device
 * @state: its copy, owned; NULL while there is none
 */
struct part {
	enum part_group group;
	char name[PART_NAME_MAX];
	const struct state_desc *desc;
	struct vcpu *vcpu;
	struct device *dev;
	void *state;
};

/**
 * struct parts - all that has a state in a machine
 * @vm: the machine
 * @nr: how many
 * @part: grouped, in the order in which they are saved and installed
 */
struct parts {
	struct vm *vm;
	u32 nr;
	struct part part[];
};

static void add_part(struct parts *parts, enum part_group group,
		     const char *name, const struct state_desc *desc)
{
	struct part *part = &parts->part[parts->nr++];

	part->group = group;
	snprintf(part->name, sizeof(part->name), "%s", name);
	part->desc = desc;
}

static void add_cpu(struct parts *parts, struct vcpu *vcpu)
{
	char name[PART_NAME_MAX];

	snprintf(name, sizeof(name), "cpu@%x", vcpu->index);
	add_part(parts, GROUP_CPUS, name, arch_vcpu_state());
	parts->part[parts->nr - 1].vcpu = vcpu;
}

static struct parts *list_parts(struct vm *vm)
{
	struct parts *parts;
	struct device *dev;
	size_t most = 1 + vm->cpus_nr;
	u32 i;

	list_for_each_entry(dev, &vm->devices, link)
		most++;
	parts = calloc(1, sizeof(*parts) + most * sizeof(parts->part[0]));
	if (!parts)
		return NULL;
	parts->vm = vm;
	if (vm->cpus_nr)
		add_part(parts, GROUP_MACHINE, "state", arch_vm_state());
	for (i = 0; i < vm->cpus_nr; i++)
		add_cpu(parts, &vm->vcpus[i]);
	list_for_each_entry(dev, &vm->devices, link) {
		if (!dev->class->state)
			continue;
		add_part(parts, GROUP_DEVICES, dev->name, dev->class->state);
		parts->part[parts->nr - 1].dev = dev;
	}
	return parts;
}

static void free_parts(struct parts *parts)
{
	u32 i;

	for (i = 0; i < parts->nr; i++)
		free(parts->part[i].state);
	free(parts);
}

/* ---- saving ---- */

static int save_part(struct parts *parts, struct part *part,
		     struct error *err)
{
	part->state = calloc(1, part->desc->size);
	if (!part->state)
		return error_set(err, -ENOMEM, "%s: out of memory",
				 part->name);
	if (part->group == GROUP_MACHINE)
		return arch_vm_save(parts->vm, part->state, err);
	if (part->group == GROUP_CPUS)
		return arch_vcpu_save(part->vcpu, part->state, err);
	mutex_lock(&part->dev->lock);
	part->dev->class->ops->save(part->dev, part->state);
	mutex_unlock(&part->dev->lock);
	return 0;
}

static int write_group(struct parts *parts, enum part_group group,
		       struct tree_writer *w, struct error *err)
{
	int ret = 0;
	u32 i;

	tree_node_begin(w, group_names[group]);
	for (i = 0; i < parts->nr && !ret; i++) {
		struct part *part = &parts->part[i];

		if (part->group != group)
			continue;
		ret = save_part(parts, part, err);
		if (!ret)
			ret = state_encode(part->desc, part->state, w,
					   part->name, err);
	}
	tree_node_end(w);
	return ret;
}

/**
 * machine_state_save() - write the state of a machine
 * @vm: the machine, paused and quiesced; not changed
 * @blob: the tree; the caller frees it
 * @len: its bytes
 * @err: whose state cannot be saved, and why
 *
 * Context: the main loop's thread; takes each device's lock.
 * Return: 0 or a negative errno.
 */
int machine_state_save(struct vm *vm, void **blob, u32 *len,
		       struct error *err)
{
	struct parts *parts = list_parts(vm);
	struct tree_writer w;
	u32 group;
	int ret = 0;

	if (!parts)
		return error_set(err, -ENOMEM, "out of memory");
	tree_begin(&w);
	tree_property_string(&w, "compatible", MACHINE_STATE_COMPATIBLE);
	for (group = 0; group < GROUPS && !ret; group++)
		ret = write_group(parts, group, &w, err);
	free_parts(parts);
	if (ret) {
		tree_abandon(&w);
		return ret;
	}
	return tree_finish(&w, blob, len, err);
}

/* ---- loading ---- */

static int decode_part(struct parts *parts, enum part_group group,
		       const void *fdt, int node, struct error *err)
{
	const char *name = fdt_get_name(fdt, node, NULL);
	u32 i;

	for (i = 0; i < parts->nr; i++) {
		struct part *part = &parts->part[i];

		if (part->group != group || !name || strcmp(part->name, name))
			continue;
		if (part->state)
			return error_set(err, -EINVAL,
					 "/%s/%s: is there twice",
					 group_names[group], name);
		return state_decode_new(part->desc, fdt, node, &part->state,
					err);
	}
	return error_set(err, -EINVAL,
			 "/%s: a node that is nothing of this machine",
			 group_names[group]);
}

static int decode_group(struct parts *parts, enum part_group group,
			const void *fdt, int node, struct error *err)
{
	int child, ret;
	u32 i;

	if (fdt_first_property_offset(fdt, node) >= 0)
		return error_set(err, -EINVAL, "/%s: has a property",
				 group_names[group]);
	fdt_for_each_subnode(child, fdt, node) {
		ret = decode_part(parts, group, fdt, child, err);
		if (ret)
			return ret;
	}
	for (i = 0; i < parts->nr; i++)
		if (parts->part[i].group == group && !parts->part[i].state)
			return error_set(err, -EINVAL, "/%s/%s: is missing",
					 group_names[group],
					 parts->part[i].name);
	return 0;
}

/* The root has its one property and the groups in their order. */
static int decode_all(struct parts *parts, const void *fdt, struct error *err)
{
	int len, node, ret, property;
	const char *text = fdt_getprop(fdt, 0, "compatible", &len);
	u32 group = 0;

	if (!text || len != (int)sizeof(MACHINE_STATE_COMPATIBLE) ||
	    memcmp(text, MACHINE_STATE_COMPATIBLE, (size_t)len))
		return error_set(err, -EINVAL, "/: is not \"%s\"",
				 MACHINE_STATE_COMPATIBLE);
	property = fdt_first_property_offset(fdt, 0);
	if (fdt_next_property_offset(fdt, property) >= 0)
		return error_set(err, -EINVAL, "/: has other properties");
	fdt_for_each_subnode(node, fdt, 0) {
		const char *name = fdt_get_name(fdt, node, NULL);

		if (group == GROUPS || !name ||
		    strcmp(name, group_names[group]))
			break;
		ret = decode_group(parts, group++, fdt, node, err);
		if (ret)
			return ret;
	}
	if (group < GROUPS)
		return error_set(err, -EINVAL, "/%s: is missing",
				 group_names[group]);
	if (node >= 0)
		return error_set(err, -EINVAL, "/: has other nodes");
	return 0;
}

static int check_device(const struct part *part, struct error *err)
{
	int ret;

	if (!part->dev || !part->dev->class->ops->check)
		return 0;
	mutex_lock(&part->dev->lock);
	ret = part->dev->class->ops->check(part->dev, part->state, err);
	mutex_unlock(&part->dev->lock);
	return ret ? error_prefix(err, "%s", part->name) : 0;
}

static int check_parts(const struct parts *parts, struct error *err)
{
	int ret = 0;
	u32 i;

	for (i = 0; i < parts->nr && !ret; i++)
		ret = check_device(&parts->part[i], err);
	return ret;
}

static int install_part(const struct parts *parts, const struct part *part,
			struct error *err)
{
	if (part->group == GROUP_MACHINE)
		return arch_vm_load(parts->vm, part->state, err);
	if (part->group == GROUP_CPUS)
		return arch_vcpu_load(part->vcpu, part->state, err);
	mutex_lock(&part->dev->lock);
	part->dev->class->ops->load(part->dev, part->state);
	mutex_unlock(&part->dev->lock);
	return 0;
}

/**
 * machine_state_load() - install the state of a machine
 * @vm: a machine of the same description, paused or never run
 * @blob: the tree, untrusted, 8-byte aligned
 * @len: its bytes
 * @err: which node and property is wrong, and why
 *
 * Nothing is changed when the tree is refused.
 *
 * Context: the main loop's thread; takes each device's lock.
 * Return: 0; -EINVAL or -ERANGE for a bad tree; another negative errno when
 * the host fails, possibly half way.
 */
int machine_state_load(struct vm *vm, const void *blob, size_t len,
		       struct error *err)
{
	struct parts *parts;
	u32 i;
	int ret;

	ret = state_tree_check(blob, len, err);
	if (ret)
		return ret;
	parts = list_parts(vm);
	if (!parts)
		return error_set(err, -ENOMEM, "out of memory");
	ret = decode_all(parts, blob, err);
	if (!ret)
		ret = check_parts(parts, err);
	for (i = 0; i < parts->nr && !ret; i++)
		ret = install_part(parts, &parts->part[i], err);
	free_parts(parts);
	return ret;
}

/* ---- trying ---- */

static void cpu_lacks(void *arg, const struct error *why)
{
	struct findings *f = arg;

	findings_add(f, true, "cpu", why->text);
}

static void look_at_part(const struct part *part, struct findings *f)
{
	struct error err = ERROR_INIT;

	if (part->group == GROUP_CPUS)
		arch_vcpu_check(part->vcpu, part->state, cpu_lacks, f);
	else if (check_device(part, &err))
		findings_add(f, true, "device", err.text);
}

/* Only what is not of the devices. */
static int decode_cpus(struct parts *parts, const void *fdt, struct error *err)
{
	u32 group;
	int node, ret;

	for (group = 0; group < GROUP_DEVICES; group++) {
		node = fdt_subnode_offset(fdt, 0, group_names[group]);
		if (node < 0)
			return error_set(err, -EINVAL, "/%s: is missing",
					 group_names[group]);
		ret = decode_group(parts, group, fdt, node, err);
		if (ret)
			return ret;
	}
	return 0;
}

/**
 * machine_state_check() - could this state be loaded?
 * @vm: a machine of the same description that will not run: it is changed
 * @blob: the tree, untrusted, 8-byte aligned
 * @len: its bytes
 * @devices: false: those of @vm are not looked at, it need not have them
 * @f: gets all that is in the way: of each CPU and device; if there is nothing
 *     then also what KVM says when it is loaded
 * @err: which node and property is wrong, and why
 *
 * Context: the main loop's thread; takes each device's lock.
 * Return: 0 when it could be looked at, whatever was found; -EINVAL or -ERANGE
 * for a bad tree, -ENOMEM.
 */
int machine_state_check(struct vm *vm, const void *blob, size_t len,
			bool devices, struct findings *f, struct error *err)
{
	u32 i, before = f->stops;
	struct parts *parts;
	int ret;

	ret = state_tree_check(blob, len, err);
	if (ret)
		return ret;
	parts = list_parts(vm);
	if (!parts)
		return error_set(err, -ENOMEM, "out of memory");
	ret = devices ? decode_all(parts, blob, err) :
			decode_cpus(parts, blob, err);
	for (i = 0; i < parts->nr && !ret; i++)
		if (parts->part[i].state)
			look_at_part(&parts->part[i], f);
	for (i = 0; i < parts->nr && !ret && f->stops == before; i++) {
		struct error why = ERROR_INIT;

		if (parts->part[i].state &&
		    install_part(parts, &parts->part[i], &why))
			findings_add(f, true, "cpu", why.text);
	}
	free_parts(parts);
	return ret;
}
