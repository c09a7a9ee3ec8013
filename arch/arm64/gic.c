// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: making the interrupt controller: a GICv3 in the kernel
 *
 * Distributor, one redistributor for each vCPU in one region, and the
 * Interrupt Translation Service where the host has one (its.c). Its state is
 * in gic_state.c.
 *
 * Specification: Documentation/virt/kvm/devices/arm-vgic-v3.rst of Linux;
 * GIC architecture IHI 0069.
 *
 * Context: the main loop's thread, no vCPU runs.
 */
#include <sys/ioctl.h>
#include <unistd.h>

#include "arch/arm64/arm64_priv.h"
#include "arch/arm64/layout.h"
#include "vmm/vm.h"

/* KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION: count, base, flags, index */
#define REGION_COUNT_SHIFT	52

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

static int place(struct vm *vm, struct error *err)
{
	u64 dist = ARM64_GICD_BASE;
	u64 redist = (u64)vm->config.cpus << REGION_COUNT_SHIFT |
		     ARM64_GICR_BASE;
	u32 irqs = ARM64_GIC_IRQS;
	int ret;

	ret = set(vm, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_DIST,
		  &dist, "GICv3 distributor", err);
	if (!ret)
		ret = set(vm, KVM_DEV_ARM_VGIC_GRP_ADDR,
			  KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION, &redist,
			  "GICv3 redistributors", err);
	if (!ret)
		ret = set(vm, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, &irqs,
			  "GICv3 interrupts", err);
	return ret;
}

/**
 * gic_create() - make the interrupt controller
 * @vm: the machine, without vCPUs
 * @err: filled on failure
 *
 * Return: 0; -ENOTSUP on a host without GICv3; or another negative errno.
 */
int gic_create(struct vm *vm, struct error *err)
{
	struct kvm_create_device device = {
		.type = KVM_DEV_TYPE_ARM_VGIC_V3,
	};
	int ret;

	if (ioctl(vm->vm_fd, KVM_CREATE_DEVICE, &device) < 0) {
		if (errno == ENODEV)
			return error_set(err, -ENOTSUP,
					 "this host has no GICv3 interrupt controller for guests");
		return error_set(err, -errno, "GICv3: KVM_CREATE_DEVICE: %m");
	}
	vm->arch->gic_fd = (int)device.fd;
	ret = place(vm, err);
	return ret ? ret : its_create(vm, err);
}

/**
 * gic_destroy() - forget the interrupt controller; it goes with the machine
 * @arch: the machine's
 */
void gic_destroy(struct arch_vm *arch)
{
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
		  NULL, "GICv3 for all vCPUs", err);
	if (!ret)
		vm->arch->initialized = true;
	return ret;
}
