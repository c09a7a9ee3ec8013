// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: a port that ends the machine with a code, for guests that are tests
 *
 * Writing a byte ends the machine with VM_END_DEBUG_EXIT and that byte; reading
 * gives zero, so that a guest can tell that the port is there. A machine has it
 * only when it is asked for (--debug-exit).
 */
#include "devices/platform.h"
#include "vmm/vm.h"

/**
 * struct debug_exit - the device; it has no state
 * @dev: the device
 * @region: its port
 */
struct debug_exit {
	struct device dev;
	struct bus_region region;
};

static u64 debug_exit_read(struct bus_region *region, u64 offset, u32 len)
{
	return 0;
}

static void debug_exit_write(struct bus_region *region, u64 offset, u64 value,
			     u32 len)
{
	struct device *dev = region->opaque;

	vm_request_end(dev->vm, VM_END_DEBUG_EXIT, value & 0xff);
}

static const struct bus_ops debug_exit_bus_ops = {
	.read = debug_exit_read,
	.write = debug_exit_write,
};

static int debug_exit_realize(struct device *dev, struct error *err)
{
	struct debug_exit *d = container_of(dev, struct debug_exit, dev);

	return platform_attach(dev, &d->region, &debug_exit_bus_ops, NULL,
			       err);
}

static void debug_exit_unrealize(struct device *dev)
{
	bus_region_remove(&container_of(dev, struct debug_exit, dev)->region);
}

static const struct device_ops debug_exit_ops = {
	.realize = debug_exit_realize,
	.unrealize = debug_exit_unrealize,
};

static const struct device_class debug_exit_class = {
	.name = "debug-exit",
	.compatible = "lkvm,debug-exit",
	.summary = "a port that ends the machine with a code, for test guests",
	.kind = DEVICE_PLATFORM,
	.max = 1,
	.instance_size = sizeof(struct debug_exit),
	.ops = &debug_exit_ops,
};

DEVICE_CLASS_REGISTER(debug_exit_class);
