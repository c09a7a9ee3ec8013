// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: choosing and making the interrupt controller, which is in the kernel
 *
 * A GICv3: distributor, one redistributor for each vCPU in one region, and for
 * messages the Interrupt Translation Service (its.c) or a frame (v2m.c). A
 * GICv2: distributor and CPU interface, and a frame or nothing, then devices
 * use their lines. One table has the kinds, the best first; where the choice is
 * left to us, it is the first that the host has. A frame is our own work, so
 * whatever the host is, there are messages.
 *
 * The choice is part of the machine: a saved one is built with the same, or not
 * at all.
 *
 * Specification: Documentation/virt/kvm/devices/arm-vgic.rst and
 * arm-vgic-v3.rst of Linux; GIC architecture IHI 0048 (v2), IHI 0069 (v3).
 *
 * Context: the main loop's thread, no vCPU runs.
 */
#include <sys/ioctl.h>
#include <unistd.h>

#include "arch/arm64/arm64_priv.h"
#include "arch/arm64/layout.h"
#include "vmm/base/math.h"
#include "vmm/vm.h"

/* KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION: count, base, flags, index */
#define REGION_COUNT_SHIFT	52

const char *const gic_words[GIC_KINDS + 1] = {
	[GIC_AUTO]	= "auto",
	[GIC_V2]	= "gicv2",
	[GIC_V2M]	= "gicv2m",
	[GIC_V3]	= "gicv3",
	[GIC_V3_ITS]	= "gicv3-its",
};

static int place_v2(struct vm *vm, struct error *err);
static int place_v3(struct vm *vm, struct error *err);

/**
 * struct gic_model - how a kind of interrupt controller is made
 * @kind: which
 * @device: KVM's name for it
 * @name: of that, for messages
 * @its: it has an Interrupt Translation Service
 * @frame: it has a frame for messages
 * @cpus_max: most vCPUs
 * @place: tells KVM where it is
 */
struct gic_model {
	enum gic_kind kind;
	u32 device;
	const char *name;
	bool its;
	bool frame;
	u32 cpus_max;
	int (*place)(struct vm *vm, struct error *err);
};

static const struct gic_model models[] = {
	{
		.kind = GIC_V3_ITS, .device = KVM_DEV_TYPE_ARM_VGIC_V3,
		.name = "GICv3", .its = true, .cpus_max = VM_CPUS_MAX,
		.place = place_v3,
	}, {
		.kind = GIC_V3, .device = KVM_DEV_TYPE_ARM_VGIC_V3,
		.name = "GICv3", .frame = true, .cpus_max = VM_CPUS_MAX,
		.place = place_v3,
	}, {
		.kind = GIC_V2M, .device = KVM_DEV_TYPE_ARM_VGIC_V2,
		.name = "GICv2", .frame = true, .cpus_max = ARM64_GICV2_CPUS,
		.place = place_v2,
	}, {
		.kind = GIC_V2, .device = KVM_DEV_TYPE_ARM_VGIC_V2,
		.name = "GICv2", .cpus_max = ARM64_GICV2_CPUS,
		.place = place_v2,
	},
};

static const struct gic_model *model_of(enum gic_kind kind)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(models); i++)
		if (models[i].kind == kind)
			return &models[i];
	return NULL;
}

/**
 * gic_is_v2() - is it of version 2?
 * @kind: of interrupt controller, not GIC_AUTO
 *
 * Return: true when it is, false for version 3.
 */
bool gic_is_v2(enum gic_kind kind)
{
	return model_of(kind)->device == KVM_DEV_TYPE_ARM_VGIC_V2;
}

/**
 * gic_has_frame() - does it take messages by a frame?
 * @kind: of interrupt controller, not GIC_AUTO
 *
 * Return: true when it does.
 */
bool gic_has_frame(enum gic_kind kind)
{
	return model_of(kind)->frame;
}

/**
 * gic_attr() - an attribute of the interrupt controller
 * @fd: the device
 * @request: KVM_SET_DEVICE_ATTR or KVM_GET_DEVICE_ATTR
 * @group: which group
 * @attr: which one of it
 * @value: its value, NULL for none
 * @what: for @err
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int gic_attr(int fd, unsigned long request, u32 group, u64 attr, void *value,
	     const char *what, struct error *err)
{
	struct kvm_device_attr arg = {
		.group = group,
		.attr = attr,
		.addr = (uintptr_t)value,
	};

	return arm64_ioctl(fd, request, &arg, what, err);
}

static int set(struct vm *vm, u32 group, u64 attr, void *value,
	       const char *what, struct error *err)
{
	return gic_attr(vm->arch->gic_fd, KVM_SET_DEVICE_ATTR, group, attr,
			value, what, err);
}

static int place_v2(struct vm *vm, struct error *err)
{
	u64 dist = ARM64_GICD_BASE, cpu = ARM64_GICC_BASE;
	int ret;

	ret = set(vm, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V2_ADDR_TYPE_DIST,
		  &dist, "GICv2 distributor", err);
	if (!ret)
		ret = set(vm, KVM_DEV_ARM_VGIC_GRP_ADDR,
			  KVM_VGIC_V2_ADDR_TYPE_CPU, &cpu,
			  "GICv2 CPU interface", err);
	return ret;
}

static int place_v3(struct vm *vm, struct error *err)
{
	u64 dist = ARM64_GICD_BASE;
	u64 redist = (u64)vm->config.cpus << REGION_COUNT_SHIFT |
		     ARM64_GICR_BASE;
	int ret;

	ret = set(vm, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_DIST,
		  &dist, "GICv3 distributor", err);
	if (!ret)
		ret = set(vm, KVM_DEV_ARM_VGIC_GRP_ADDR,
			  KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION, &redist,
			  "GICv3 redistributors", err);
	return ret;
}

static bool host_has(const struct vm *vm, u32 type)
{
	struct kvm_create_device device = {
		.type = type, .flags = KVM_CREATE_DEVICE_TEST,
	};

	return !ioctl(vm->vm_fd, KVM_CREATE_DEVICE, &device);
}

static bool host_has_model(const struct vm *vm, const struct gic_model *model)
{
	return host_has(vm, model->device) &&
	       (!model->its || host_has(vm, KVM_DEV_TYPE_ARM_VGIC_ITS));
}

static const struct gic_model *choose(const struct vm *vm,
				      enum gic_kind wanted, struct error *err)
{
	const struct gic_model *model = model_of(wanted);
	size_t i;

	if (model && host_has_model(vm, model))
		return model;
	for (i = 0; !model && i < ARRAY_SIZE(models); i++)
		if (host_has_model(vm, &models[i]))
			return &models[i];
	if (!model)
		error_set(err, -ENOTSUP,
			  "this host's KVM has no interrupt controller for guests, neither GICv3 nor GICv2");
	else
		error_set(err, -ENOTSUP,
			  "interrupt controller %s: this host's KVM has no %s for guests",
			  gic_words[wanted], host_has(vm, model->device) ?
			  "Interrupt Translation Service" : model->name);
	return NULL;
}

static int create(struct vm *vm, const struct gic_model *model,
		  struct error *err)
{
	struct kvm_create_device device = { .type = model->device };
	u32 irqs = ARM64_GIC_IRQS;
	int ret;

	if (vm->config.cpus > model->cpus_max)
		return error_set(err, -EINVAL,
				 "%u vCPUs: the interrupt controller %s has room for %u",
				 vm->config.cpus, gic_words[model->kind],
				 model->cpus_max);
	ret = arm64_ioctl(vm->vm_fd, KVM_CREATE_DEVICE, &device, model->name,
			  err);
	if (ret)
		return ret;
	vm->arch->gic_fd = (int)device.fd;
	ret = model->place(vm, err);
	if (!ret)
		ret = set(vm, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, &irqs,
			  "number of interrupts", err);
	if (!ret && model->its)
		ret = its_create(vm, err);
	if (!ret && model->frame)
		ret = v2m_create(&vm->arch->v2m, vm, err);
	return ret;
}

/**
 * gic_create() - make the interrupt controller
 * @vm: the machine, without vCPUs
 * @wanted: which; afterwards &arch_vm.gic says which it is
 * @err: filled on failure
 *
 * Return: 0; -ENOTSUP on a host that has no such thing; -EINVAL when it has no
 * room for so many vCPUs; or another negative errno.
 */
int gic_create(struct vm *vm, enum gic_kind wanted, struct error *err)
{
	const struct gic_model *model = choose(vm, wanted, err);

	if (!model)
		return -ENOTSUP;
	vm->arch->gic = model->kind;
	return create(vm, model, err);
}

/**
 * gic_destroy() - forget the interrupt controller; it goes with the machine
 * @arch: the machine's
 */
void gic_destroy(struct arch_vm *arch)
{
	v2m_destroy(&arch->v2m);
	if (arch->its_fd >= 0)
		close(arch->its_fd);
	if (arch->gic_fd >= 0)
		close(arch->gic_fd);
}

/**
 * gic_complete() - all vCPUs are there
 * @vm: the machine
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int gic_complete(struct vm *vm, struct error *err)
{
	int ret;

	if (vm->arch->initialized)
		return 0;
	ret = set(vm, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT,
		  NULL, "interrupt controller for all vCPUs", err);
	if (!ret)
		vm->arch->initialized = true;
	return ret;
}
