// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: pvpanic: the guest tells that it has panicked
 *
 * One port. Reading gives the events that we understand, writing tells one:
 * bit 0 that the kernel has panicked, which ends the machine with that reason;
 * bit 1 that it has, and that a crash kernel is going to take a dump: the
 * machine then runs on until that kernel ends it.
 *
 * Specification: the kernel's include/uapi/misc/pvpanic.h has the bits.
 */
#include "devices/platform.h"
#include "vmm/base/log.h"
#include "vmm/vm.h"

#define EVENT_PANICKED		BIT(0)
#define EVENT_CRASH_LOADED	BIT(1)

/**
 * struct pvpanic - the device; it has no state
 * @dev: the device
 * @region: its port
 */
struct pvpanic {
	struct device dev;
	struct bus_region region;
};

static u64 pvpanic_read(struct bus_region *region, u64 offset, u32 len)
{
	return EVENT_PANICKED | EVENT_CRASH_LOADED;
}

static void pvpanic_write(struct bus_region *region, u64 offset, u64 value,
			  u32 len)
{
	struct device *dev = region->opaque;

	if (value & EVENT_PANICKED)
		vm_request_end(dev->vm, VM_END_PANIC, 0);
	else if (value & EVENT_CRASH_LOADED)
		log_limited(LOG_WARNING,
			    "%s: the guest's kernel has panicked and starts its crash kernel",
			    dev->vm->name);
}

static const struct bus_ops pvpanic_bus_ops = {
	.read = pvpanic_read,
	.write = pvpanic_write,
};

static int pvpanic_realize(struct device *dev, struct error *err)
{
	struct pvpanic *p = container_of(dev, struct pvpanic, dev);

	return platform_attach(dev, &p->region, &pvpanic_bus_ops, NULL, err);
}

static void pvpanic_unrealize(struct device *dev)
{
	bus_region_remove(&container_of(dev, struct pvpanic, dev)->region);
}

static const struct device_ops pvpanic_ops = {
	.realize = pvpanic_realize,
	.unrealize = pvpanic_unrealize,
};

static const struct device_class pvpanic_class = {
	.name = "pvpanic",
	.compatible = "lkvm,pvpanic",
	.summary = "tells the host when the guest's kernel panics",
	.kind = DEVICE_PLATFORM,
	.by_default = true,
	.hidden = true,
	.max = 1,
	.instance_size = sizeof(struct pvpanic),
	.ops = &pvpanic_ops,
};

DEVICE_CLASS_REGISTER(pvpanic_class);
