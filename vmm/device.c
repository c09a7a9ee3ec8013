// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: device classes and the devices made from them
 *
 * Each class registers itself by a pointer in the linker section
 * lkvm_device_classes, whose bounds the linker gives us. Order in that section
 * means nothing: addresses come from the machine description.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/device.h"
#include "vmm/vm.h"

extern const struct device_class *const __start_lkvm_device_classes[];
extern const struct device_class *const __stop_lkvm_device_classes[];

/**
 * device_classes() - all registered classes
 * @nr: how many
 *
 * Return: the table, in no particular order.
 */
const struct device_class *const *device_classes(u32 *nr)
{
	*nr = (u32)(__stop_lkvm_device_classes - __start_lkvm_device_classes);
	return __start_lkvm_device_classes;
}

/**
 * device_class_find() - a class by its name
 * @name: "nvme"
 *
 * Return: the class, or NULL.
 */
const struct device_class *device_class_find(const char *name)
{
	const struct device_class *const *classes;
	u32 i, nr;

	classes = device_classes(&nr);
	for (i = 0; i < nr; i++)
		if (!strcmp(classes[i]->name, name))
			return classes[i];
	return NULL;
}

/**
 * device_create() - make a device and realize it
 * @vm: its machine
 * @class: its class
 * @index: its number among the devices of its class
 * @addr: where the guest finds it, NULL for a platform device
 * @config: a struct of the class's option table, owned by the device from now
 *          on, also when this fails; NULL for a class without options
 * @out: the device
 * @err: filled on failure, prefixed with the device's name
 *
 * The device is left in its power-on state, with its gate open.
 *
 * Context: main loop, while the machine is built.
 * Return: 0 or a negative errno.
 */
int device_create(struct vm *vm, const struct device_class *class, u32 index,
		  const struct device_address *addr, void *config,
		  struct device **out, struct error *err)
{
	struct device *dev;
	int ret;

	assert(class->instance_size >= sizeof(*dev));
	dev = calloc(1, class->instance_size);
	if (!dev) {
		if (class->options)
			option_config_free(class->options, config);
		return error_set(err, -ENOMEM, "%s%u: out of memory",
				 class->name, index);
	}
	dev->class = class;
	dev->vm = vm;
	dev->index = index;
	dev->config = config;
	if (addr)
		dev->addr = *addr;
	snprintf(dev->name, sizeof(dev->name), "%s%u", class->name, index);
	mutex_init(&dev->lock, class->host ? LOCK_DEVICE_HOST : LOCK_DEVICE);
	guest_gate_init(&dev->gate, &vm->memory);
	list_add_tail(&vm->devices, &dev->link);
	if (device_find(vm, dev->name) != dev)
		ret = error_set(err, -EEXIST, "there is one already");
	else
		ret = class->ops->realize(dev, err);
	if (ret) {
		error_prefix(err, "%s", dev->name);
		device_destroy(dev);
		return ret;
	}
	dev->realized = true;
	mutex_lock(&dev->lock);
	if (class->ops->reset)
		class->ops->reset(dev);
	mutex_unlock(&dev->lock);
	*out = dev;
	return 0;
}

/**
 * device_destroy() - unrealize a device and free it
 * @dev: the device
 *
 * Context: main loop; vCPUs are gone or were never there.
 */
void device_destroy(struct device *dev)
{
	if (dev->realized && dev->class->ops->unrealize)
		dev->class->ops->unrealize(dev);
	list_del(&dev->link);
	mutex_destroy(&dev->lock);
	if (dev->class->options)
		option_config_free(dev->class->options, dev->config);
	free(dev);
}

/**
 * device_find() - a device by its name
 * @vm: the machine
 * @name: "nvme0"
 *
 * Return: the device, or NULL.
 */
struct device *device_find(struct vm *vm, const char *name)
{
	struct device *dev;

	list_for_each_entry(dev, &vm->devices, link)
		if (!strcmp(dev->name, name))
			return dev;
	return NULL;
}

/**
 * device_find_class() - a device by its class and number
 * @vm: the machine
 * @class_name: "serial"
 * @index: its number
 *
 * Return: the device, or NULL.
 */
struct device *device_find_class(struct vm *vm, const char *class_name,
				 u32 index)
{
	struct device *dev;

	list_for_each_entry(dev, &vm->devices, link)
		if (dev->index == index && !strcmp(dev->class->name, class_name))
			return dev;
	return NULL;
}

/**
 * device_disks_take() - take the locks of all disks of a machine
 * @vm: the machine
 * @err: which disk, and who has it where that can be known
 *
 * Having them already is fine. On failure those that were taken stay taken;
 * device_disks_give() gives all back.
 *
 * Context: main loop, the machine is paused.
 * Return: 0, -EBUSY, or another negative errno.
 */
int device_disks_take(struct vm *vm, struct error *err)
{
	struct device *dev;
	int ret;

	list_for_each_entry(dev, &vm->devices, link) {
		if (!dev->class->ops->disks_take)
			continue;
		ret = dev->class->ops->disks_take(dev, err);
		if (ret)
			return error_prefix(err, "%s", dev->name);
	}
	return 0;
}

/**
 * device_disks_give() - give the locks of all disks of a machine back
 * @vm: the machine
 * @err: which disk cannot be synced
 *
 * What was written is on stable storage then. On failure some may have been
 * given back: device_disks_take() takes all again.
 *
 * Context: main loop, the machine is paused; may block for long.
 * Return: 0 or a negative errno.
 */
int device_disks_give(struct vm *vm, struct error *err)
{
	struct device *dev;
	int ret;

	list_for_each_entry(dev, &vm->devices, link) {
		if (!dev->class->ops->disks_give)
			continue;
		ret = dev->class->ops->disks_give(dev, err);
		if (ret)
			return error_prefix(err, "%s", dev->name);
	}
	return 0;
}
