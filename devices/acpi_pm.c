// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: power off, reset and events of an ACPI machine
 *
 * The sleep registers of the hardware-reduced model, the reset register that
 * the FADT names, and the event register of a Generic Event Device. The
 * architecture's tables describe them to the guest:
 *
 *   offset 0  SLEEP_CONTROL, 8 bit: SLP_TYP in bits 4:2, SLP_EN in bit 5
 *   offset 1  SLEEP_STATUS, 8 bit: WAK_STS never sets, nothing sleeps
 *   offset 2  reset register, 8 bit: 1 resets the machine
 *   offset 4  events, 32 bit: bit 0 power button, bit 1 the machine was cloned
 *             (devices/vmgenid.c); reading clears
 *
 * The interrupt is edge triggered: one pulse for each event.
 *
 * Threads: registers on vCPU threads, events on the main loop; both under
 * the device's lock.
 * Specification: ACPI-6.4 4.8.3.6, 4.8.3.7, 5.6.9.
 * Not here: sleep states but S5, wake-up.
 */
#include "devices/acpi_pm.h"
#include "devices/platform.h"
#include "vmm/vm.h"

#define REG_SLEEP_CONTROL	0
#define REG_RESET		2
#define REG_EVENTS		4

#define SLEEP_TYPE		0x1c
#define SLEEP_TYPE_SHIFT	2
#define SLEEP_ENABLE		BIT(5)
#define SLEEP_S5		5	/* what the \_S5 package says */
#define RESET_VALUE		1

/**
 * struct acpi_pm_state - what is saved
 * @events: events that the guest has not read yet
 * @sleep_control: SLEEP_CONTROL as it reads
 */
struct acpi_pm_state {
	u32 events;
	u32 sleep_control;
};

/**
 * struct acpi_pm - the device
 * @dev: the device
 * @region: its registers
 * @irq: of the Generic Event Device
 * @s: its registers' contents
 */
struct acpi_pm {
	struct device dev;
	struct bus_region region;
	struct irq_line irq;
	struct acpi_pm_state s;
};

static struct acpi_pm *to_pm(struct device *dev)
{
	return container_of(dev, struct acpi_pm, dev);
}

/*
 * Reading takes all events, so only the whole register counts as read; parts
 * of it would lose the others.
 */
static u32 events_take(struct acpi_pm *pm)
{
	u32 events = pm->s.events;

	pm->s.events = 0;
	return events;
}

static u64 acpi_pm_read(struct bus_region *region, u64 offset, u32 len)
{
	struct acpi_pm *pm = to_pm(region->opaque);

	if (offset == REG_EVENTS && len == 4)
		return events_take(pm);
	if (offset == REG_SLEEP_CONTROL && len == 1)
		return pm->s.sleep_control;
	return 0;
}

static void acpi_pm_write(struct bus_region *region, u64 offset, u64 value,
			  u32 len)
{
	struct acpi_pm *pm = to_pm(region->opaque);
	u32 type = (value & SLEEP_TYPE) >> SLEEP_TYPE_SHIFT;

	if (len != 1)
		return;
	if (offset == REG_RESET && value == RESET_VALUE)
		vm_request_end(pm->dev.vm, VM_END_REBOOT, 0);
	if (offset != REG_SLEEP_CONTROL)
		return;
	/* SLP_EN is write-only. */
	pm->s.sleep_control = value & SLEEP_TYPE;
	if ((value & SLEEP_ENABLE) && type == SLEEP_S5)
		vm_request_end(pm->dev.vm, VM_END_POWEROFF, 0);
}

static const struct bus_ops acpi_pm_bus_ops = {
	.read = acpi_pm_read,
	.write = acpi_pm_write,
};

/**
 * acpi_pm_event() - tell the guest
 * @vm: the machine; one without such a device has no way to
 * @event: ACPI_EVENT_*
 *
 * Context: main loop, no device lock held.
 */
void acpi_pm_event(struct vm *vm, u32 event)
{
	struct device *dev = vm->power_device;
	struct acpi_pm *pm;

	if (!dev)
		return;
	pm = to_pm(dev);
	mutex_lock(&dev->lock);
	pm->s.events |= event;
	irq_line_pulse(&pm->irq);
	mutex_unlock(&dev->lock);
}

static void power_button(struct device *dev)
{
	acpi_pm_event(dev->vm, ACPI_EVENT_POWER_BUTTON);
}

static int acpi_pm_realize(struct device *dev, struct error *err)
{
	struct acpi_pm *pm = to_pm(dev);
	int ret;

	ret = platform_attach(dev, &pm->region, &acpi_pm_bus_ops, &pm->irq,
			      err);
	if (ret)
		return ret;
	dev->vm->power_button = power_button;
	dev->vm->power_device = dev;
	return 0;
}

static void acpi_pm_unrealize(struct device *dev)
{
	dev->vm->power_button = NULL;
	dev->vm->power_device = NULL;
	bus_region_remove(&to_pm(dev)->region);
}

static void acpi_pm_reset(struct device *dev)
{
	to_pm(dev)->s = (struct acpi_pm_state){ 0 };
}

static void acpi_pm_save(const struct device *dev, void *state)
{
	*(struct acpi_pm_state *)state =
		container_of(dev, struct acpi_pm, dev)->s;
}

static int acpi_pm_check(const struct device *dev, const void *state,
			 struct error *err)
{
	const struct acpi_pm_state *s = state;

	if (s->sleep_control & ~SLEEP_TYPE)
		return error_set(err, -EINVAL,
				 "sleep-control: %#x has bits that do not exist",
				 s->sleep_control);
	return 0;
}

static void acpi_pm_load(struct device *dev, const void *state)
{
	to_pm(dev)->s = *(const struct acpi_pm_state *)state;
}

/* The edge of an event that nobody has read may have been lost on the way. */
static void acpi_pm_resume(struct device *dev)
{
	struct acpi_pm *pm = to_pm(dev);

	mutex_lock(&dev->lock);
	if (pm->s.events)
		irq_line_pulse(&pm->irq);
	mutex_unlock(&dev->lock);
}

static const struct device_ops acpi_pm_ops = {
	.realize = acpi_pm_realize,
	.reset = acpi_pm_reset,
	.save = acpi_pm_save,
	.check = acpi_pm_check,
	.load = acpi_pm_load,
	.resume = acpi_pm_resume,
	.unrealize = acpi_pm_unrealize,
};

static const struct state_field acpi_pm_fields[] = {
	STATE_U32(struct acpi_pm_state, events, "events", 0, ACPI_EVENTS),
	STATE_U32(struct acpi_pm_state, sleep_control, "sleep-control", 0,
		  SLEEP_TYPE),
};

static const struct state_desc acpi_pm_state =
	STATE_DESC("lkvm,acpi-pm-v1", struct acpi_pm_state, acpi_pm_fields);

static const struct device_class acpi_pm_class = {
	.name = "acpi-pm",
	.compatible = "lkvm,acpi-pm",
	.summary = "ACPI power off, reset and power button",
	.kind = DEVICE_PLATFORM,
	.by_default = true,
	.hidden = true,
	.max = 1,
	.instance_size = sizeof(struct acpi_pm),
	.state = &acpi_pm_state,
	.ops = &acpi_pm_ops,
};

DEVICE_CLASS_REGISTER(acpi_pm_class);
