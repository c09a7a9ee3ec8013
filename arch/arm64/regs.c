// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: all registers of a vCPU, by KVM's list of them
 *
 * KVM lists what a vCPU of this host has (KVM_GET_REG_LIST), in an order in
 * which it may be loaded: general and vector registers, firmware, timers,
 * system registers. That list is saved and loaded as it is, so no register can
 * be forgotten, whatever the host's Linux.
 *
 * A register that cannot be set is fine if it has the value already: most of
 * those that identify the CPU are so. Else this host cannot be that CPU, and
 * the error names what it lacks.
 *
 * The virtual counter goes on while the state lies in a file; by how much is
 * said by &arch_vm.away_ticks (vm_state.c).
 *
 * Context: the main loop's thread, the vCPU parked.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "arch/arm64/arm64_priv.h"
#include "vmm/arch.h"
#include "vmm/base/math.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

#define REG_BYTES_MAX	256	/* KVM_REG_SIZE_U2048 */

static u32 reg_bytes(u64 id)
{
	return BIT((id & KVM_REG_SIZE_MASK) >> KVM_REG_SIZE_SHIFT);
}

static int access_reg(struct vcpu *vcpu, unsigned long request, u64 id,
		      void *value)
{
	struct kvm_one_reg reg = { .id = id, .addr = (uintptr_t)value };

	return ioctl(vcpu->fd, request, &reg) < 0 ? -errno : 0;
}

static int told(struct vcpu *vcpu, int ret, const char *what, u64 id,
		struct error *err)
{
	char name[64];

	if (!ret)
		return 0;
	reg_name(id, name, sizeof(name));
	return error_set(err, ret, "vCPU %u: register %s cannot be %s: %s",
			 vcpu->index, name, what, strerror(-ret));
}

/**
 * reg_get() - a register of 64 bits
 * @vcpu: the vCPU
 * @id: which one
 * @value: out
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int reg_get(struct vcpu *vcpu, u64 id, u64 *value, struct error *err)
{
	return told(vcpu, access_reg(vcpu, KVM_GET_ONE_REG, id, value),
		    "read", id, err);
}

/**
 * reg_set() - set a register of 64 bits
 * @vcpu: the vCPU
 * @id: which one
 * @value: its value
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int reg_set(struct vcpu *vcpu, u64 id, u64 value, struct error *err)
{
	return told(vcpu, access_reg(vcpu, KVM_SET_ONE_REG, id, &value),
		    "set", id, err);
}

/**
 * regs_list() - ask KVM which registers there are
 * @vcpu: the vCPU, with all its features
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int regs_list(struct vcpu *vcpu, struct error *err)
{
	struct kvm_reg_list head = { .n = 0 }, *list;

	if (ioctl(vcpu->fd, KVM_GET_REG_LIST, &head) < 0 && errno != E2BIG)
		return error_set(err, -errno, "KVM_GET_REG_LIST: %m");
	if (head.n > ARM64_REGS_MAX)
		return error_set(err, -ENOTSUP,
				 "this host's CPU has more registers than we know how to save: %llu",
				 head.n);
	list = calloc(1, sizeof(*list) + head.n * sizeof(list->reg[0]));
	if (!list)
		return error_set(err, -ENOMEM, "out of memory");
	list->n = head.n;
	vcpu->arch->regs = list;
	return arm64_ioctl(vcpu->fd, KVM_GET_REG_LIST, list,
			   "KVM_GET_REG_LIST", err);
}

/**
 * regs_save() - all registers
 * @vcpu: a parked vCPU
 * @s: &arm64_vcpu_state.regs and &arm64_vcpu_state.values are filled
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int regs_save(struct vcpu *vcpu, struct arm64_vcpu_state *s, struct error *err)
{
	const struct kvm_reg_list *list = vcpu->arch->regs;
	u32 i;
	int ret;

	for (i = 0; i < list->n; i++) {
		u64 id = list->reg[i];

		if (!range_fits(s->values_size, reg_bytes(id),
				sizeof(s->values)))
			return error_set(err, -ENOTSUP,
					 "this host's CPU has more state than we know how to save");
		ret = told(vcpu, access_reg(vcpu, KVM_GET_ONE_REG, id,
					    s->values + s->values_size),
			   "read", id, err);
		if (ret)
			return ret;
		s->regs[s->regs_nr++] = id;
		s->values_size += reg_bytes(id);
	}
	return 0;
}

/**
 * reg_refuse() - say why a register cannot be what it was
 * @index: which vCPU
 * @id: the register
 * @guest: its value in the guest, or the beginning of it
 * @host: its value here
 * @ret: what KVM said
 * @err: filled
 *
 * Return: -ENOTSUP.
 */
int reg_refuse(u32 index, u64 id, u64 guest, u64 host, int ret,
	       struct error *err)
{
	char name[64], what[256];

	reg_name(id, name, sizeof(name));
	if (reg_features(id, guest, host, what, sizeof(what)))
		return error_set(err, -ENOTSUP,
				 "vCPU %u: this host's CPU lacks %s: %s is 0x%llx here and 0x%llx in the guest",
				 index, what, name, host, guest);
	if (reg_features(id, host, guest, what, sizeof(what)))
		return error_set(err, -ENOTSUP,
				 "vCPU %u: this host's CPU cannot hide %s: %s is 0x%llx here and 0x%llx in the guest",
				 index, what, name, host, guest);
	return error_set(err, -ENOTSUP,
			 "vCPU %u: register %s is 0x%llx and cannot be 0x%llx on this host: %s",
			 index, name, host, guest, strerror(-ret));
}

static int refuse(struct vcpu *vcpu, int ret, u64 id, const void *wanted,
		  const void *here, struct error *err)
{
	u64 guest = 0, host = 0;
	char name[64];

	memcpy(&guest, wanted, min_of(reg_bytes(id), (u32)sizeof(guest)));
	memcpy(&host, here, min_of(reg_bytes(id), (u32)sizeof(host)));
	if (ret != -ENOENT)
		return reg_refuse(vcpu->index, id, guest, host, ret, err);
	reg_name(id, name, sizeof(name));
	return error_set(err, -ENOTSUP,
			 "vCPU %u: this host's CPU or KVM has no %s",
			 vcpu->index, name);
}

static int load_one(struct vcpu *vcpu, u64 id, const u8 *value,
		    struct error *err)
{
	u8 here[REG_BYTES_MAX] = { 0 }, copy[REG_BYTES_MAX] = { 0 };
	u64 count;
	int ret;

	memcpy(copy, value, reg_bytes(id));
	if (id == KVM_REG_ARM_TIMER_CNT || id == KVM_REG_ARM_PTIMER_CNT) {
		memcpy(&count, copy, sizeof(count));
		count += vcpu->vm->arch->away_ticks;
		memcpy(copy, &count, sizeof(count));
	}
	ret = access_reg(vcpu, KVM_SET_ONE_REG, id, copy);
	if (!ret)
		return 0;
	if (access_reg(vcpu, KVM_GET_ONE_REG, id, here))
		return refuse(vcpu, -ENOENT, id, copy, here, err);
	if (!memcmp(here, copy, reg_bytes(id)))
		return 0;
	return refuse(vcpu, ret, id, copy, here, err);
}

/*
 * Installs the registers until one fails; with @tell all of them, and each
 * failure is told.
 */
static int load_all(struct vcpu *vcpu, const struct arm64_vcpu_state *s,
		    void (*tell)(void *arg, const struct error *why),
		    void *arg, struct error *err)
{
	u32 at = 0, i;
	int ret;

	for (i = 0; i < s->regs_nr; i++) {
		struct error why = ERROR_INIT;
		u64 id = s->regs[i];

		if ((id & KVM_REG_ARCH_MASK) != KVM_REG_ARM64 ||
		    reg_bytes(id) > REG_BYTES_MAX)
			return error_set(err, -EINVAL,
					 "register-ids: 0x%llx is none of arm64",
					 id);
		if (!range_fits(at, reg_bytes(id), s->values_size))
			break;
		ret = load_one(vcpu, id, s->values + at, &why);
		if (ret && !tell)
			return error_copy(err, &why);
		if (ret)
			tell(arg, &why);
		at += reg_bytes(id);
	}
	if (i < s->regs_nr || at != s->values_size)
		return error_set(err, -EINVAL,
				 "register-values: %u bytes do not fit %u registers",
				 s->values_size, s->regs_nr);
	return 0;
}

/**
 * regs_load() - install all registers
 * @vcpu: a parked vCPU
 * @s: from regs_save(), maybe on another host
 * @err: filled on failure; names the register or the feature
 *
 * Return: 0; -EINVAL for lists that do not fit each other; -ENOTSUP when this
 * host cannot be that CPU.
 */
int regs_load(struct vcpu *vcpu, const struct arm64_vcpu_state *s,
	      struct error *err)
{
	return load_all(vcpu, s, NULL, NULL, err);
}

/**
 * arch_vcpu_check() - why this host cannot be the CPU of a state
 * @vcpu: a vCPU that has been reset and will not run; it is changed
 * @state: a struct arm64_vcpu_state within its table's ranges
 * @tell: called for each reason: registers that this host has not, or that
 *        cannot be what they are in the guest
 * @arg: for @tell
 */
void arch_vcpu_check(struct vcpu *vcpu, const void *state,
		     void (*tell)(void *arg, const struct error *why),
		     void *arg)
{
	struct error why = ERROR_INIT;

	if (load_all(vcpu, state, tell, arg, &why))
		tell(arg, &why);
}
