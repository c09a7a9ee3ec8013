// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the machine around the vCPUs: what KVM is asked for, in which order
 *
 * KVM keeps the interrupt controllers (8259A pair, I/O APIC, local APICs) and
 * the 8254 in the kernel. The order is KVM's: pages for Intel's real mode
 * first, then the controllers, then vCPUs (KVM-API 4.24, 4.35, 4.85).
 *
 * Local APIC ids are the vCPU numbers, at most VM_CPUS_MAX of them, so all fit
 * in eight bits and below the broadcast id: no interrupt remapping and no
 * extended destination ids are needed. The x2APIC interface is told to keep
 * ids in 32 bits and to treat 255 as an ordinary id.
 *
 * Context: the main loop's thread throughout, vCPUs parked or not there yet.
 */
#include <cpuid.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "arch/x86/cpuid.h"
#include "arch/x86/layout.h"
#include "arch/x86/state.h"
#include "arch/x86/x86_priv.h"
#include "vmm/arch.h"
#include "vmm/base/math.h"
#include "vmm/kvm.h"
#include "vmm/vm.h"

#define CPUID_ECX_VMX	BIT(5)		/* of 1, Intel SDM volume 2, CPUID */
#define CPUID_ECX_SVM	BIT(2)		/* of 0x80000001, AMD APM volume 3 */

#define PCI_MMIO64_SIZE		(64 * GIB)
#define PCI_MMIO64_ALIGN	GIB

/* The 8259A pair answers for the first sixteen pins as well. */
#define PIC_PINS		8

/**
 * x86_ioctl() - an ioctl whose failure ends what is being done
 * @fd: of KVM, the machine or a vCPU
 * @request: what
 * @arg: its argument
 * @what: its name, for @err
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int x86_ioctl(int fd, unsigned long request, void *arg, const char *what,
	      struct error *err)
{
	if (ioctl(fd, request, arg) < 0)
		return error_set(err, -errno, "%s: %m", what);
	return 0;
}

/**
 * arch_vm_type() - the argument of KVM_CREATE_VM
 * @kvm_fd: /dev/kvm
 * @memory_bytes: the machine's RAM
 * @type: out: an ordinary machine
 * @err: not used
 *
 * Return: 0.
 */
int arch_vm_type(int kvm_fd, u64 memory_bytes, unsigned long *type,
		 struct error *err)
{
	*type = 0;
	return 0;
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
	u32 ids = kvm_extension(kvm_fd, KVM_CAP_MAX_VCPU_ID);

	if (ids)
		cpus = min_of(cpus, ids);
	return max_of(min_of(cpus, (u32)VM_CPUS_MAX), 1u);
}

/**
 * arch_dirty_rings_are_exact() - can dirty rings of this host be relied on?
 *
 * A KVM that does without VMX and SVM runs many instructions of a guest between
 * two looks at a ring's level, and writes over entries nobody has read.
 *
 * Return: true where the processor virtualizes.
 */
bool arch_dirty_rings_are_exact(void)
{
	u32 eax, ebx, ecx, edx;

	if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) && ecx & CPUID_ECX_VMX)
		return true;
	return __get_cpuid(0x80000001, &eax, &ebx, &ecx, &edx) &&
	       ecx & CPUID_ECX_SVM;
}

/**
 * arch_irq_routes() - the pins of the interrupt controllers, as KVM wants them
 * @entries: to be filled
 * @max: room in it
 *
 * GSIs 0 to 15 are wired to the 8259A pair and to the I/O APIC, 16 to 23 to
 * the I/O APIC alone; which one the guest listens to is its own choice.
 *
 * Return: entries filled.
 */
u32 arch_irq_routes(struct kvm_irq_routing_entry *entries, u32 max)
{
	u32 gsi, n = 0;

	assert(max >= 2 * PIC_PINS + X86_IOAPIC_PINS);
	for (gsi = 0; gsi < X86_IOAPIC_PINS; gsi++) {
		entries[n].gsi = gsi;
		entries[n].type = KVM_IRQ_ROUTING_IRQCHIP;
		entries[n].u.irqchip.irqchip = KVM_IRQCHIP_IOAPIC;
		entries[n++].u.irqchip.pin = gsi;
		if (gsi >= 2 * PIC_PINS)
			continue;
		entries[n].gsi = gsi;
		entries[n].type = KVM_IRQ_ROUTING_IRQCHIP;
		entries[n].u.irqchip.irqchip = gsi < PIC_PINS ?
			KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE;
		entries[n++].u.irqchip.pin = gsi % PIC_PINS;
	}
	return n;
}

/**
 * arch_irq_line() - what KVM_IRQ_LINE calls a pin
 * @gsi: the pin
 *
 * Return: the same number.
 */
u32 arch_irq_line(u32 gsi)
{
	return gsi;
}

static u64 ram_end(const struct vm *vm)
{
	u64 end = X86_RAM_HIGH_BASE;

	if (vm->config.memory_bytes > X86_RAM_LOW_SIZE)
		end += vm->config.memory_bytes - X86_RAM_LOW_SIZE;
	return end;
}

/**
 * arch_pci_mmio64() - the window for 64-bit BARs
 * @vm: the machine
 *
 * Follows RAM and depends on nothing but its size, so that it is the same on
 * every host, unless the host's CPU cannot address so far.
 *
 * Return: the window; of size 0 when there is no room for one.
 */
struct arch_range arch_pci_mmio64(const struct vm *vm)
{
	u64 limit = vm->arch ? 1ULL << vm->arch->phys_bits : UINT64_MAX;
	struct arch_range range = {
		.base = round_up_to(ram_end(vm), PCI_MMIO64_ALIGN),
	};

	if (range.base < limit)
		range.size = min_of(limit - range.base, PCI_MMIO64_SIZE);
	return range;
}

static const struct kvm_need needs[] = {
	KVM_NEED(KVM_CAP_SET_TSS_ADDR),
	KVM_NEED(KVM_CAP_SET_IDENTITY_MAP_ADDR),
	KVM_NEED(KVM_CAP_IRQCHIP),
	KVM_NEED(KVM_CAP_PIT2),
	KVM_NEED(KVM_CAP_PIT_STATE2),
	KVM_NEED(KVM_CAP_EXT_CPUID),
	KVM_NEED(KVM_CAP_IRQFD),
	KVM_NEED(KVM_CAP_IOEVENTFD),
	KVM_NEED(KVM_CAP_IMMEDIATE_EXIT),
	KVM_NEED(KVM_CAP_ADJUST_CLOCK),
	KVM_NEED(KVM_CAP_MP_STATE),
	KVM_NEED(KVM_CAP_VCPU_EVENTS),
	KVM_NEED(KVM_CAP_DEBUGREGS),
	KVM_NEED(KVM_CAP_XSAVE),
	KVM_NEED(KVM_CAP_SREGS2),
};

static int enable(struct vm *vm, u32 cap, u64 arg, const char *what,
		  struct error *err)
{
	struct kvm_enable_cap enable_cap = { .cap = cap, .args = { arg } };

	return x86_ioctl(vm->vm_fd, KVM_ENABLE_CAP, &enable_cap, what, err);
}

/* Things that older hosts lack and machines can live without. */
static int enable_optional(struct vm *vm, struct error *err)
{
	u64 x2apic = KVM_X2APIC_API_USE_32BIT_IDS |
		     KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK;
	int ret = 0;

	if (((u64)kvm_extension(vm->kvm_fd, KVM_CAP_X2APIC_API) & x2apic) ==
	    x2apic)
		ret = enable(vm, KVM_CAP_X2APIC_API, x2apic, "x2APIC API", err);
	if (!ret && kvm_extension(vm->kvm_fd, KVM_CAP_EXCEPTION_PAYLOAD))
		ret = enable(vm, KVM_CAP_EXCEPTION_PAYLOAD, 1,
			     "exception payload", err);
	if (!ret && kvm_extension(vm->kvm_fd, KVM_CAP_X86_TRIPLE_FAULT_EVENT))
		ret = enable(vm, KVM_CAP_X86_TRIPLE_FAULT_EVENT, 1,
			     "triple fault event", err);
	return ret;
}

static int create_controllers(struct vm *vm, struct error *err)
{
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };
	u64 identity = X86_IDENTITY_MAP_BASE;
	int ret;

	ret = x86_ioctl(vm->vm_fd, KVM_SET_TSS_ADDR,
			(void *)(uintptr_t)X86_TSS_BASE, "KVM_SET_TSS_ADDR",
			err);
	if (!ret)
		ret = x86_ioctl(vm->vm_fd, KVM_SET_IDENTITY_MAP_ADDR,
				&identity, "KVM_SET_IDENTITY_MAP_ADDR", err);
	if (!ret)
		ret = x86_ioctl(vm->vm_fd, KVM_CREATE_IRQCHIP, NULL,
				"KVM_CREATE_IRQCHIP", err);
	if (!ret)
		ret = x86_ioctl(vm->vm_fd, KVM_CREATE_PIT2, &pit,
				"KVM_CREATE_PIT2", err);
	return ret;
}

static int check_memory(const struct vm *vm, struct error *err)
{
	u64 limit = 1ULL << vm->arch->phys_bits;

	if (ram_end(vm) <= limit)
		return 0;
	return error_set(err, -EINVAL,
			 "%llu MiB of memory: this host's CPU addresses %llu MiB at most",
			 vm->config.memory_bytes / MIB,
			 (limit - (X86_RAM_HIGH_BASE - X86_RAM_LOW_SIZE)) /
			 MIB);
}

static int read_sizes(struct vm *vm, struct error *err)
{
	struct arch_vm *arch = vm->arch;
	u32 xsave = kvm_extension(vm->vm_fd, KVM_CAP_XSAVE2);

	arch->xsave_size = max_of(xsave, (u32)sizeof(struct kvm_xsave));
	arch->xcrs = kvm_extension(vm->kvm_fd, KVM_CAP_XCRS);
	arch->nested_size = kvm_extension(vm->kvm_fd, KVM_CAP_NESTED_STATE);
	arch->tsc_deadline =
		kvm_extension(vm->kvm_fd, KVM_CAP_TSC_DEADLINE_TIMER);
	if (arch->xsave_size > X86_XSAVE_MAX ||
	    arch->nested_size > X86_NESTED_MAX)
		return error_set(err, -ENOTSUP,
				 "this host's CPU has more state than we know how to save: %u bytes of XSAVE, %u nested",
				 arch->xsave_size, arch->nested_size);
	return 0;
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

	ret = kvm_check_needs(vm->kvm_fd, needs, ARRAY_SIZE(needs), "5.14",
			      err);
	if (ret)
		return ret;
	vm->arch = calloc(1, sizeof(*vm->arch));
	if (!vm->arch)
		return error_set(err, -ENOMEM, "out of memory");
	ret = cpuid_read_supported(vm->kvm_fd, &vm->arch->supported, err);
	if (ret)
		goto err_free;
	vm->arch->phys_bits = min_of(cpuid_phys_bits(vm->arch->supported), 52u);
	ret = check_memory(vm, err);
	if (!ret)
		ret = msr_list_read(vm->kvm_fd, vm->arch, err);
	if (!ret)
		ret = enable_optional(vm, err);
	if (!ret)
		ret = create_controllers(vm, err);
	if (!ret)
		ret = read_sizes(vm, err);
	if (ret)
		goto err_free;
	return 0;

err_free:
	arch_vm_destroy(vm);
	return ret;
}

/**
 * arch_vm_settle() - the machine has been paused
 * @vm: the machine
 *
 * KVM keeps nothing of x86 in guest memory that it does not write at once.
 */
void arch_vm_settle(struct vm *vm)
{
}

/**
 * arch_vm_destroy() - free what arch_vm_init() made; KVM's part goes with it
 * @vm: the machine, without vCPUs
 */
void arch_vm_destroy(struct vm *vm)
{
	if (!vm->arch)
		return;
	free(vm->arch->power_on[0]);
	free(vm->arch->power_on[1]);
	free(vm->arch->power_on_vm);
	free(vm->arch->msrs);
	free(vm->arch->supported);
	free(vm->arch);
	vm->arch = NULL;
}
