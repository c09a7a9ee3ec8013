// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: devices at fixed places
 *
 * Where a platform device sits is the architecture's to say; whether its
 * registers are ports or memory makes no difference to the device.
 */
#include "devices/platform.h"
#include "vmm/arch.h"
#include "vmm/vm.h"

/**
 * platform_attach() - put a device where the architecture has it
 * @dev: the device; its class's name and its index are looked up
 * @region: to be filled and added to its bus; &bus_region.opaque is @dev.
 *          bus_region_remove() undoes it.
 * @ops: what accesses do; called with the device's lock held
 * @irq: its interrupt line, to be filled; NULL for a device without one
 * @err: says why it failed
 *
 * Context: realize.
 * Return: 0, -ENODEV when the architecture has no place (or no interrupt) for
 * such a device, or what bus_region_add() says.
 */
int platform_attach(struct device *dev, struct bus_region *region,
		    const struct bus_ops *ops, struct irq_line *irq,
		    struct error *err)
{
	const struct arch_resource *res =
		arch_resource_find(dev->class->name, dev->index);

	if (!res || (irq && res->gsi == ARCH_NO_GSI))
		return error_set(err, -ENODEV, "%s has no place for it",
				 arch_name);
	if (irq)
		irq_line_init(irq, &dev->vm->irq, res->gsi);
	*region = (struct bus_region){
		.name = dev->name,
		.base = res->base,
		.size = res->size,
		.ops = ops,
		.opaque = dev,
		.lock = &dev->lock,
	};
	return bus_region_add(res->pio ? &dev->vm->pio : &dev->vm->mmio,
			      region, err);
}
