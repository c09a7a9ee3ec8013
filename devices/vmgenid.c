// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: VM Generation ID: tells a guest that it was cloned
 *
 * 16 bytes in guest memory, at a place that the architecture's tables name
 * (ACPI: a device with the _CID "VM_Gen_Counter" and an object ADDR). They are
 * random, and others after each restore of the machine from an image; the
 * guest is told by an event, of ACPI or by an interrupt of its own, as the
 * architecture has it. Linux since 5.18 stirs them into its random
 * numbers, so that two machines from one image do not draw the same ones.
 *
 * A migration is no clone: the ID goes along unchanged, as do a reset and a
 * pause.
 *
 * The guest may write to the place like to any other memory; the ID is put
 * back whenever the machine goes on.
 *
 * Threads: the main loop's.
 * Specification: Microsoft, "Virtual Machine Generation ID", 2012.
 */
#include <sys/random.h>

#include "devices/acpi_pm.h"
#include "vmm/arch.h"
#include "vmm/base/log.h"
#include "vmm/device.h"
#include "vmm/irq.h"
#include "vmm/vm.h"

/**
 * struct vmgenid_state - what is saved
 * @guid: the ID
 */
struct vmgenid_state {
	u8 guid[16];
};

/**
 * struct vmgenid - the device
 * @dev: the device
 * @addr: where the guest finds the ID
 * @irq: its interrupt; without a controller where it has none
 * @s: the ID
 */
struct vmgenid {
	struct device dev;
	gpa_t addr;
	struct irq_line irq;
	struct vmgenid_state s;
};

static struct vmgenid *to_vmgenid(struct device *dev)
{
	return container_of(dev, struct vmgenid, dev);
}

static int draw(struct vmgenid *v, struct error *err)
{
	struct vmgenid_state s;

	if (getrandom(s.guid, sizeof(s.guid), 0) != sizeof(s.guid))
		return error_set(err, -errno, "getrandom: %m");
	v->s = s;
	return 0;
}

/* The gate of a paused machine is closed: the guest sees it at its resume. */
static int new_generation(struct device *dev, struct error *err)
{
	struct vmgenid *v = to_vmgenid(dev);
	int ret;

	mutex_lock(&dev->lock);
	ret = draw(v, err);
	mutex_unlock(&dev->lock);
	if (ret)
		return ret;
	if (v->irq.chip)
		irq_line_pulse(&v->irq);
	else
		acpi_pm_event(dev->vm, ACPI_EVENT_GENERATION);
	return 0;
}

static int vmgenid_realize(struct device *dev, struct error *err)
{
	const struct arch_resource *res =
		arch_resource_find(dev->class->name, dev->index);
	struct vmgenid *v = to_vmgenid(dev);
	int ret;

	if (!res)
		return error_set(err, -ENODEV, "%s has no place for it",
				 arch_name);
	v->addr = gpa(res->base);
	if (res->gsi != ARCH_NO_GSI)
		irq_line_init(&v->irq, &dev->vm->irq, res->gsi);
	ret = draw(v, err);
	if (ret)
		return ret;
	dev->vm->new_generation = new_generation;
	dev->vm->generation_device = dev;
	return 0;
}

static void vmgenid_unrealize(struct device *dev)
{
	dev->vm->new_generation = NULL;
	dev->vm->generation_device = NULL;
}

static void vmgenid_save(const struct device *dev, void *state)
{
	*(struct vmgenid_state *)state =
		container_of(dev, struct vmgenid, dev)->s;
}

static void vmgenid_load(struct device *dev, const void *state)
{
	to_vmgenid(dev)->s = *(const struct vmgenid_state *)state;
}

static void vmgenid_resume(struct device *dev)
{
	struct vmgenid *v = to_vmgenid(dev);

	if (guest_write(&dev->gate, v->addr, v->s.guid, sizeof(v->s.guid)))
		log_warning("%s: no memory at 0x%llx", dev->name,
			    gpa_raw(v->addr));
}

static const struct device_ops vmgenid_ops = {
	.realize = vmgenid_realize,
	.save = vmgenid_save,
	.load = vmgenid_load,
	.resume = vmgenid_resume,
	.unrealize = vmgenid_unrealize,
};

static const struct state_field vmgenid_fields[] = {
	STATE_BYTES(struct vmgenid_state, guid, "guid"),
};

static const struct state_desc vmgenid_state =
	STATE_DESC("lkvm,vmgenid-v1", struct vmgenid_state, vmgenid_fields);

static const struct device_class vmgenid_class = {
	.name = "vmgenid",
	.compatible = "lkvm,vmgenid",
	.summary = "tells the guest that it was cloned",
	.kind = DEVICE_PLATFORM,
	.by_default = true,
	.hidden = true,
	.max = 1,
	.instance_size = sizeof(struct vmgenid),
	.state = &vmgenid_state,
	.ops = &vmgenid_ops,
};

DEVICE_CLASS_REGISTER(vmgenid_class);
