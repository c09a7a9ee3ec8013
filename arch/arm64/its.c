// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the Interrupt Translation Service, which takes messages from devices
 *
 * Its tables (devices, events, collections), and which messages are pending,
 * belong to the guest's memory, but KVM keeps copies and writes them back only
 * when it is asked to. its_settle() asks, each time the machine is paused, and
 * KVM marks what it writes as dirty.
 *
 * Order of loading (arm-vgic-its.rst): guest memory and redistributors before,
 * then GITS_CBASER, the other registers, the tables, GITS_CTLR at last.
 *
 * Context: the main loop's thread, vCPUs parked or not there yet.
 */
#include "arch/arm64/arm64_priv.h"
#include "arch/arm64/layout.h"
#include "vmm/base/math.h"
#include "vmm/vm.h"

#define GITS_CTLR	0x00
#define GITS_IIDR	0x04
#define GITS_CBASER	0x80
#define GITS_CWRITER	0x88
#define GITS_CREADR	0x90
#define GITS_BASER	0x100

#define REG(_offset, _field)						\
	{ _offset, offsetof(struct arm64_its_state, _field), #_field }
#define BASER(_n)							\
	{ GITS_BASER + 8 * (_n),					\
	  offsetof(struct arm64_its_state, baser[_n]), "baser" }

/**
 * struct its_reg - a register
 * @offset: in the ITS's register frame
 * @field: offset in struct arm64_its_state
 * @name: for messages
 */
struct its_reg {
	u32 offset;
	size_t field;
	const char *name;
};

/* In the order of loading; CTLR comes behind the tables. */
static const struct its_reg its_regs[] = {
	REG(GITS_IIDR, iidr), REG(GITS_CBASER, cbaser),
	REG(GITS_CREADR, creadr), REG(GITS_CWRITER, cwriter),
	BASER(0), BASER(1), BASER(2), BASER(3),
	BASER(4), BASER(5), BASER(6), BASER(7),
};

static const struct its_reg its_ctlr = REG(GITS_CTLR, ctlr);

static int control(int fd, u64 attr, const char *what, struct error *err)
{
	return gic_attr(fd, KVM_SET_DEVICE_ATTR, KVM_DEV_ARM_VGIC_GRP_CTRL,
			attr, NULL, what, err);
}

/**
 * its_create() - make the ITS
 * @vm: the machine, with its GICv3
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int its_create(struct vm *vm, struct error *err)
{
	struct kvm_create_device device = {
		.type = KVM_DEV_TYPE_ARM_VGIC_ITS,
	};
	u64 base = ARM64_ITS_BASE;
	int ret;

	ret = arm64_ioctl(vm->vm_fd, KVM_CREATE_DEVICE, &device, "ITS", err);
	if (ret)
		return ret;
	vm->arch->its_fd = (int)device.fd;
	ret = gic_attr(vm->arch->its_fd, KVM_SET_DEVICE_ATTR,
		       KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_ITS_ADDR_TYPE,
		       &base, "ITS address", err);
	if (!ret)
		ret = control(vm->arch->its_fd, KVM_DEV_ARM_VGIC_CTRL_INIT,
			      "ITS", err);
	return ret;
}

/**
 * its_reset() - power-on state
 * @vm: the machine
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int its_reset(struct vm *vm, struct error *err)
{
	if (vm->arch->its_fd < 0)
		return 0;
	return control(vm->arch->its_fd, KVM_DEV_ARM_ITS_CTRL_RESET,
		       "ITS reset", err);
}

/**
 * its_settle() - put the tables into guest memory
 * @vm: a paused machine
 * @err: filled on failure
 *
 * Return: 0 or a negative errno: the guest has given no room for them.
 */
int its_settle(struct vm *vm, struct error *err)
{
	int ret;

	if (vm->arch->its_fd < 0)
		return 0;
	ret = control(vm->arch->its_fd, KVM_DEV_ARM_ITS_SAVE_TABLES,
		      "ITS tables", err);
	if (!ret)
		ret = control(vm->arch->gic_fd,
			      KVM_DEV_ARM_VGIC_SAVE_PENDING_TABLES,
			      "pending tables", err);
	return ret;
}

static int access_reg(struct vm *vm, unsigned long request,
		      const struct its_reg *reg, u64 *value, struct error *err)
{
	int ret;

	ret = gic_attr(vm->arch->its_fd, request, KVM_DEV_ARM_VGIC_GRP_ITS_REGS,
		       reg->offset, value, reg->name, err);
	return ret ? error_prefix(err, "ITS register") : 0;
}

/**
 * its_save() - the registers
 * @vm: a paused machine
 * @s: to be filled
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int its_save(struct vm *vm, struct arm64_its_state *s, struct error *err)
{
	int ret = 0;
	size_t i;

	if (vm->arch->its_fd < 0)
		return 0;
	s->present = 1;
	for (i = 0; !ret && i < ARRAY_SIZE(its_regs); i++)
		ret = access_reg(vm, KVM_GET_DEVICE_ATTR, &its_regs[i],
				 (u64 *)((u8 *)s + its_regs[i].field), err);
	if (!ret)
		ret = access_reg(vm, KVM_GET_DEVICE_ATTR, &its_ctlr, &s->ctlr,
				 err);
	return ret;
}

/**
 * its_load() - registers and tables
 * @vm: a paused machine, with its memory and redistributors loaded
 * @s: from its_save()
 * @err: filled on failure
 *
 * Return: 0; -ENOTSUP when the state has an ITS and the machine has none, or the
 * other way round; or another negative errno.
 */
int its_load(struct vm *vm, const struct arm64_its_state *s, struct error *err)
{
	struct arm64_its_state copy = *s;
	size_t i;
	int ret;

	if ((vm->arch->its_fd >= 0) != s->present)
		return error_set(err, -ENOTSUP,
				 "its: the guest has %s Interrupt Translation Service, but the machine's interrupt controller is a %s",
				 s->present ? "an" : "no",
				 gic_words[vm->arch->gic]);
	if (!s->present)
		return 0;
	ret = its_reset(vm, err);
	for (i = 0; !ret && i < ARRAY_SIZE(its_regs); i++)
		ret = access_reg(vm, KVM_SET_DEVICE_ATTR, &its_regs[i],
				 (u64 *)((u8 *)&copy + its_regs[i].field), err);
	if (!ret)
		ret = control(vm->arch->its_fd, KVM_DEV_ARM_ITS_RESTORE_TABLES,
			      "ITS tables in guest memory", err);
	if (!ret)
		ret = access_reg(vm, KVM_SET_DEVICE_ATTR, &its_ctlr,
				 &copy.ctlr, err);
	return ret;
}
