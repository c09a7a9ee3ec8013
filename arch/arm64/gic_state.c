// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the interrupt controller out of KVM and in again
 *
 * KVM takes most registers as words at their offsets. What the guest sets and
 * clears by two registers is loaded by clearing all of it first. The ITS comes
 * last. A frame for messages has no state: its registers are constants, and
 * what it does to lines is in the distributor.
 *
 * What is saved is all that there is, because no message is on its way: devices
 * have been quiesced, and irq_chip_flush() has waited for those messages that
 * KVM had put into a work queue (vm_pause()). Only then the ITS's tables and
 * pending messages go to guest memory (its_settle()).
 *
 * Context: the main loop's thread, vCPUs parked or not there yet.
 */
#include <linux/kvm.h>

#include "arch/arm64/arm64_priv.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

/**
 * gic_move() - move one register
 * @a: the direction
 * @attr: KVM's name for it, without the vCPU
 * @value: of the size that KVM wants
 * @what: for an error
 */
void gic_move(struct gic_access *a, u64 attr, void *value, const char *what)
{
	if (a->ret)
		return;
	a->ret = gic_attr(a->fd, a->set ? KVM_SET_DEVICE_ATTR :
			  KVM_GET_DEVICE_ATTR, a->group, a->cpu | attr, value,
			  what, a->err);
	if (a->ret)
		error_prefix(a->err, "%s register 0x%llx", a->name, attr);
}

/**
 * gic_words_move() - move a row of words
 * @a: the direction
 * @offset: of the first
 * @values: the words
 * @nr: how many
 */
void gic_words_move(struct gic_access *a, u32 offset, u32 *values, u32 nr)
{
	u32 i;

	for (i = 0; i < nr; i++)
		gic_move(a, offset + 4 * i, &values[i], "word");
}

/**
 * gic_bits_move() - move bits that one register sets and another one clears
 * @a: the direction
 * @set: offset of the first word that sets
 * @clear: offset of the first word that clears
 * @values: the words
 * @nr: how many
 */
void gic_bits_move(struct gic_access *a, u32 set, u32 clear, u32 *values,
		   u32 nr)
{
	u32 all = UINT32_MAX, i;

	for (i = 0; a->set && i < nr; i++)
		gic_words_move(a, clear + 4 * i, &all, 1);
	gic_words_move(a, set, values, nr);
}

static void move_all(struct gic_access *a, struct vm *vm,
		     struct arm64_vm_state *s)
{
	a->fd = vm->arch->gic_fd;
	if (gic_is_v2(vm->arch->gic)) {
		a->name = "GICv2";
		gicv2_move(a, s);
	} else {
		a->name = "GICv3";
		gicv3_move(a, s);
	}
}

/**
 * gic_save() - the interrupt controller's registers
 * @vm: a paused machine
 * @s: to be filled, zeroed
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int gic_save(struct vm *vm, struct arm64_vm_state *s, struct error *err)
{
	struct gic_access a = { .err = err };
	u32 i;

	if (gic_is_v2(vm->arch->gic)) {
		s->cpus_v2_nr = vm->cpus_nr;
	} else {
		s->cpus_nr = vm->cpus_nr;
		for (i = 0; i < vm->cpus_nr; i++)
			s->cpus[i].mpidr = vm->vcpus[i].arch->mpidr;
	}
	move_all(&a, vm, s);
	return a.ret ? a.ret : its_save(vm, &s->its, err);
}

/* The state is one of a controller of this kind. */
static int check_cpus(const struct vm *vm, const struct arm64_vm_state *s,
		      struct error *err)
{
	bool v2 = gic_is_v2(vm->arch->gic);
	u32 i;

	if ((v2 ? s->cpus_nr : s->cpus_v2_nr) > 0)
		return error_set(err, -EINVAL,
				 "%s: the machine has no such interrupt controller, but a %s",
				 v2 ? "gic-cpu" : "gic-cpu-v2",
				 gic_words[vm->arch->gic]);
	if ((v2 ? s->cpus_v2_nr : s->cpus_nr) != vm->cpus_nr)
		return error_set(err, -EINVAL, "%s: %u of them for %u vCPUs",
				 v2 ? "gic-cpu-v2" : "gic-cpu",
				 v2 ? s->cpus_v2_nr : s->cpus_nr, vm->cpus_nr);
	for (i = 0; i < s->cpus_nr; i++)
		if (s->cpus[i].mpidr != vm->vcpus[i].arch->mpidr)
			return error_set(err, -ENOTSUP,
					 "vCPU %u: its affinity is 0x%llx, on this host it would be 0x%llx",
					 i, s->cpus[i].mpidr,
					 vm->vcpus[i].arch->mpidr);
	return 0;
}

/**
 * gic_load() - install them
 * @vm: a paused machine with its memory
 * @s: from gic_save()
 * @err: filled on failure
 *
 * Return: 0; -ENOTSUP when this host's vCPUs or its interrupt controller are
 * others; or another negative errno.
 */
int gic_load(struct vm *vm, const struct arm64_vm_state *s, struct error *err)
{
	struct gic_access a = { .set = true, .err = err };
	int ret;

	ret = check_cpus(vm, s, err);
	if (ret)
		return ret;
	/* Registers are only read through the pointers. */
	move_all(&a, vm, (struct arm64_vm_state *)s);
	return a.ret ? a.ret : its_load(vm, &s->its, err);
}
