// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the machine around the vCPUs: what KVM is asked for, in which order
 *
 * The width of guest physical addresses is chosen when KVM makes the machine;
 * then the interrupt controller is made, then the vCPUs, and at last the
 * controller is told that it is complete (gic_complete()), because it has a
 * part for each vCPU.
 *
 * Context: the main loop's thread throughout, vCPUs parked or not there yet.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "arch/arm64/arm64_priv.h"
#include "arch/arm64/layout.h"
#include "arch/arm64/options.h"
#include "vmm/arch.h"
#include "vmm/base/math.h"
#include "vmm/kvm.h"
#include "vmm/option.h"
#include "vmm/vm.h"

#define PCI_MMIO64_SIZE		(64 * GIB)
#define PCI_MMIO64_ALIGN	GIB
/* What KVM gives when it is not asked, and every 64-bit host can do. */
#define IPA_BITS_DEFAULT	40u
#define IPA_BITS_MAX		52u

/**
 * arm64_ioctl() - an ioctl whose failure ends what is being done
 * @fd: of KVM, the machine, a vCPU or a device of KVM's
 * @request: what
 * @arg: its argument
 * @what: its name, for @err
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int arm64_ioctl(int fd, unsigned long request, void *arg, const char *what,
		struct error *err)
{
	if (ioctl(fd, request, arg) < 0)
		return error_set(err, -errno, "%s: %m", what);
	return 0;
}

/* Bits of a guest physical address that this host can have. */
static u32 ipa_bits_max(int kvm_fd)
{
	u32 bits = kvm_extension(kvm_fd, KVM_CAP_ARM_VM_IPA_SIZE);

	return bits ? min_of(bits, IPA_BITS_MAX) : IPA_BITS_DEFAULT;
}

/* As many as the machine needs, but no fewer than KVM's default. */
static u32 ipa_bits(int kvm_fd, u64 memory_bytes)
{
	u64 end = ARM64_RAM_BASE + memory_bytes + PCI_MMIO64_ALIGN +
		  PCI_MMIO64_SIZE;
	u32 bits = IPA_BITS_DEFAULT;

	while (bits < IPA_BITS_MAX && end > BIT_ULL(bits))
		bits++;
	return min_of(bits, ipa_bits_max(kvm_fd));
}

static int check_memory(int kvm_fd, u64 memory_bytes, struct error *err)
{
	u32 bits = ipa_bits_max(kvm_fd);
	u64 room = BIT_ULL(bits) - ARM64_RAM_BASE;

	if (memory_bytes <= room)
		return 0;
	return error_set(err, -EINVAL,
			 "%llu MiB of memory: this host's KVM has %u bits of guest addresses, which is %llu MiB at most",
			 memory_bytes / MIB, bits, room / MIB);
}

/**
 * arch_vm_type() - the argument of KVM_CREATE_VM
 * @kvm_fd: /dev/kvm
 * @memory_bytes: the machine's RAM
 * @type: out: the width of guest physical addresses (KVM-API 4.2); 0, the
 *        default, on a host that has no choice
 * @err: filled on failure
 *
 * Return: 0; -EINVAL when the host cannot address so much.
 */
int arch_vm_type(int kvm_fd, u64 memory_bytes, unsigned long *type,
		 struct error *err)
{
	*type = 0;
	if (kvm_extension(kvm_fd, KVM_CAP_ARM_VM_IPA_SIZE))
		*type = KVM_VM_TYPE_ARM_IPA_SIZE(ipa_bits(kvm_fd,
							  memory_bytes));
	return check_memory(kvm_fd, memory_bytes, err);
}

/**
 * arch_cpus_max() - most vCPUs that a machine can have on this host
 * @kvm_fd: /dev/kvm
 *
 * Return: a number from 1 to VM_CPUS_MAX.
 */
u32 arch_cpus_max(int kvm_fd)
{
	u32 cpus = kvm_extension(kvm_fd, KVM_CAP_MAX_VCPUS);

	return max_of(min_of(cpus, (u32)VM_CPUS_MAX), 1u);
}

/**
 * arch_dirty_rings_are_exact() - can dirty rings of this host be relied on?
 *
 * Return: true, KVM needs EL2 here.
 */
bool arch_dirty_rings_are_exact(void)
{
	return true;
}

/**
 * arch_irq_routes() - the lines of devices, as KVM wants them
 * @entries: to be filled
 * @max: room in it
 *
 * Return: entries filled.
 */
u32 arch_irq_routes(struct kvm_irq_routing_entry *entries, u32 max)
{
	u32 gsi;

	assert(max >= ARM64_LINES);
	for (gsi = 0; gsi < ARM64_LINES; gsi++) {
		entries[gsi].gsi = gsi;
		entries[gsi].type = KVM_IRQ_ROUTING_IRQCHIP;
		entries[gsi].u.irqchip.pin = gsi;
	}
	return gsi;
}

/**
 * arch_irq_line() - what KVM_IRQ_LINE calls a line
 * @gsi: the line
 *
 * Return: kind and interrupt id, KVM-API 4.25.
 */
u32 arch_irq_line(u32 gsi)
{
	return KVM_ARM_IRQ_TYPE_SPI << KVM_ARM_IRQ_TYPE_SHIFT |
	       (gsi + ARM64_SPI_FIRST);
}

/**
 * arm64_ram_end() - where RAM ends
 * @vm: the machine
 *
 * Return: the address behind it.
 */
u64 arm64_ram_end(const struct vm *vm)
{
	return ARM64_RAM_BASE + vm->config.memory_bytes;
}

/**
 * arch_pci_mmio64() - the window for 64-bit BARs
 * @vm: the machine
 *
 * Follows RAM and depends on nothing but its size, so that it is the same on
 * every host, unless the host cannot address so far.
 *
 * Return: the window; of size 0 when there is no room for one.
 */
struct arch_range arch_pci_mmio64(const struct vm *vm)
{
	u64 limit = vm->arch ? BIT_ULL(vm->arch->ipa_bits) : UINT64_MAX;
	struct arch_range range = {
		.base = round_up_to(arm64_ram_end(vm), PCI_MMIO64_ALIGN),
	};

	if (range.base < limit)
		range.size = min_of(limit - range.base, PCI_MMIO64_SIZE);
	return range;
}

static const struct kvm_need needs[] = {
	KVM_NEED(KVM_CAP_IRQCHIP),
	KVM_NEED(KVM_CAP_IRQFD),
	KVM_NEED(KVM_CAP_IRQ_ROUTING),
	KVM_NEED(KVM_CAP_IOEVENTFD),
	KVM_NEED(KVM_CAP_ONE_REG),
	KVM_NEED(KVM_CAP_ARM_PSCI_0_2),
	KVM_NEED(KVM_CAP_IMMEDIATE_EXIT),
	KVM_NEED(KVM_CAP_MP_STATE),
	KVM_NEED(KVM_CAP_VCPU_EVENTS),
};

static int take_options(struct vm *vm, struct error *err)
{
	struct arch_vm *arch = vm->arch;

	arch->options = vm->config.arch_options;
	if (arch->options)
		return 0;
	arch->own_options = option_config_new(&arch_options);
	arch->options = arch->own_options;
	return arch->options ? 0 : error_set(err, -ENOMEM, "out of memory");
}

/**
 * arch_vm_init() - the machine, after KVM_CREATE_VM and before any vCPU
 * @vm: the machine, with its memory
 * @err: filled on failure
 *
 * Return: 0 or a negative errno; then nothing is left behind.
 */
int arch_vm_init(struct vm *vm, struct error *err)
{
	int ret;

	ret = kvm_check_needs(vm->kvm_fd, needs, ARRAY_SIZE(needs), "5.10",
			      err);
	if (ret)
		return ret;
	vm->arch = calloc(1, sizeof(*vm->arch));
	if (!vm->arch)
		return error_set(err, -ENOMEM, "out of memory");
	vm->arch->gic_fd = -1;
	vm->arch->its_fd = -1;
	vm->arch->ipa_bits = ipa_bits(vm->kvm_fd, vm->config.memory_bytes);
	ret = take_options(vm, err);
	if (!ret)
		ret = features_choose(vm, err);
	if (!ret)
		ret = gic_create(vm, (enum gic_kind)vm->arch->options->irqchip,
				 err);
	if (ret)
		arch_vm_destroy(vm);
	else
		vm->arch->options->irqchip = vm->arch->gic;
	return ret;
}

/**
 * arch_vm_destroy() - free what arch_vm_init() made; KVM's part goes with it
 * @vm: the machine, without vCPUs
 */
void arch_vm_destroy(struct vm *vm)
{
	if (!vm->arch)
		return;
	gic_destroy(vm->arch);
	option_config_free(&arch_options, vm->arch->own_options);
	free(vm->arch->power_on);
	free(vm->arch);
	vm->arch = NULL;
}
