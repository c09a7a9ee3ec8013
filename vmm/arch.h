/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: the one header that each architecture fills in
 *
 * Everything that only a CPU architecture can decide is declared here and
 * defined in arch/ARCH; the linker resolves it, there is no #ifdef. The core
 * and the devices know an architecture through this header alone.
 */
#ifndef LKVM_ARCH_H
#define LKVM_ARCH_H

#include "vmm/base/error.h"
#include "vmm/base/types.h"

struct kvm_irq_routing_entry;
struct option_table;
struct state_desc;
struct vcpu;
struct vm;
struct vmcoreinfo;

/**
 * struct arch_range - a range of guest addresses or ports
 * @base: first
 * @size: how many bytes
 */
struct arch_range {
	u64 base;
	u64 size;
};

/**
 * struct arch_layout - the guest's address map
 * @ram_low: where RAM begins, and how much fits before the hole for devices
 * @ram_high_base: where the rest of RAM goes
 * @pci_ecam: configuration space of the PCI host bridge, 1 MiB a bus
 * @pci_mmio32: window for 32-bit BARs
 * @pci_pio: window for I/O BARs
 * @irq_lines: pins of the interrupt controller that a device can drive
 * @pci_intx_base: GSI of the first of the pins shared by PCI functions
 * @pci_intx_nr: how many of them, a power of two
 */
struct arch_layout {
	struct arch_range ram_low;
	u64 ram_high_base;
	struct arch_range pci_ecam;
	struct arch_range pci_mmio32;
	struct arch_range pci_pio;
	u32 irq_lines;
	u32 pci_intx_base;
	u32 pci_intx_nr;
};

/**
 * struct arch_resource - where a platform device sits on this architecture
 * @class: the device class's name
 * @index: which device of that class
 * @pio: port I/O, else MMIO or memory
 * @base: first port or address
 * @size: how many
 * @gsi: its interrupt line, ARCH_NO_GSI for none
 */
struct arch_resource {
	const char *class;
	u32 index;
	bool pio;
	u64 base;
	u64 size;
	u32 gsi;
};

#define ARCH_NO_GSI	UINT32_MAX

/* NULL when this architecture has no such device. */
const struct arch_resource *arch_resource_find(const char *class, u32 index);

extern const struct arch_layout arch_layout;
extern const char arch_name[];
/* ELF's e_machine of the guest's CPUs. */
extern const u16 arch_elf_machine;
/* The kernel's image: what it is called, and where its build puts it. */
extern const char arch_kernel_image[];
extern const char arch_kernel_in_tree[];
/* GPT type of a root partition (Discoverable Partitions Specification). */
extern const char arch_root_partition_type[];

/**
 * struct arch_boot - what to start the guest with
 * @kernel: path of the kernel image
 * @initrd: path, or NULL
 * @cmdline: the kernel's command line
 */
struct arch_boot {
	const char *kernel;
	const char *initrd;
	const char *cmdline;
};

/*
 * The options that machines of this architecture have beside those that all
 * have; their struct is the architecture's own business. `lkvm run` takes all,
 * whoever brings up a saved machine those of OPTION_HOST.
 */
extern const struct option_table arch_options;

/*
 * The machine, after KVM_CREATE_VM and before any vCPU. What
 * &vm_config.arch_options leave to the host is decided, and said in them.
 */
int arch_vm_init(struct vm *vm, struct error *err) __must_check;
/* After all devices are realized: tables for the guest are made in load. */
void arch_vm_destroy(struct vm *vm);
/* The window for 64-bit BARs: above RAM, within what the CPUs can address. */
struct arch_range arch_pci_mmio64(const struct vm *vm);

/*
 * The vCPUs have been parked and the devices are quiesced: what KVM keeps in
 * guest memory on the guest's behalf is put there now, so that it is saved with
 * the memory. A failure is told by arch_vm_save().
 */
void arch_vm_settle(struct vm *vm);

/* One vCPU, after KVM_CREATE_VCPU, on the thread that makes the machine. */
int arch_vcpu_init(struct vcpu *vcpu, struct error *err) __must_check;
void arch_vcpu_destroy(struct vcpu *vcpu);
/* Its thread exists: say where it may run, if there is something to say. */
int arch_vcpu_started(struct vcpu *vcpu, struct error *err) __must_check;
/*
 * Power-on state of one vCPU: CPUID, MSRs, local interrupt controller; the
 * boot CPU's registers are set by arch_boot_load(). Not running.
 */
int arch_vcpu_reset(struct vcpu *vcpu, struct error *err) __must_check;
/*
 * A parked vCPU is about to run on after a pause: tell its clocks, so that the
 * guest's watchdogs do not take the pause for a lock-up.
 */
void arch_vcpu_resume(struct vcpu *vcpu);
/*
 * An exit that the core does not know. 0: handled, run on; negative: the
 * machine cannot go on, @err says why.
 */
int arch_vcpu_exit(struct vcpu *vcpu, struct error *err) __must_check;

/* Machine-wide interrupt controllers and clocks back to power-on. */
int arch_vm_reset(struct vm *vm, struct error *err) __must_check;

/*
 * Load a kernel into guest memory, describe the machine to it (ACPI, FDT) and
 * point the boot CPU at it. All devices are realized and reset. Called again
 * for each reboot.
 */
int arch_boot_load(struct vm *vm, const struct arch_boot *boot,
		   struct error *err) __must_check;

/*
 * vCPU and machine state as plain structs (vmm/state.h), saved while the
 * machine is paused; the tables are valid for the life of the program.
 */
const struct state_desc *arch_vcpu_state(void);
const struct state_desc *arch_vm_state(void);
int arch_vcpu_save(struct vcpu *vcpu, void *state, struct error *err)
	__must_check;
int arch_vcpu_load(struct vcpu *vcpu, const void *state, struct error *err)
	__must_check;
/*
 * Could this vCPU, which has been reset and will not run, be one of that state?
 * Each reason why this host cannot be that CPU is told, not just the first;
 * the state itself may still be one that KVM refuses.
 */
void arch_vcpu_check(struct vcpu *vcpu, const void *state,
		     void (*tell)(void *arg, const struct error *why),
		     void *arg);
int arch_vm_save(struct vm *vm, void *state, struct error *err) __must_check;
/* Guest memory is there already. */
int arch_vm_load(struct vm *vm, const void *state, struct error *err)
	__must_check;

/*
 * The routing of the interrupt controller's own pins, which has to be given
 * to KVM again with every change of the message routes. Returns how many of
 * the @max entries were filled in.
 */
u32 arch_irq_routes(struct kvm_irq_routing_entry *entries, u32 max);
/* What KVM_IRQ_LINE calls a pin of the interrupt controller. */
u32 arch_irq_line(u32 gsi);

/* Text for `lkvm debug --dump`: registers, and code and stack where mapped. */
int arch_vcpu_dump(struct vcpu *vcpu, char *buf, size_t len,
		   struct error *err) __must_check;
/*
 * The registers of a parked vCPU as the note NT_PRSTATUS of a core file has
 * them: ARCH_PRSTATUS_MAX bytes at most.
 */
#define ARCH_PRSTATUS_MAX	512
int arch_vcpu_prstatus(struct vcpu *vcpu, void *note, u32 *len,
		       struct error *err) __must_check;
/**
 * struct arch_kernel - where a kernel's image is
 * @linear: first address of its text
 * @physical: the same, as a guest physical address
 * @size: bytes, up to the end of its data
 */
struct arch_kernel {
	u64 linear;
	u64 physical;
	u64 size;
};

/* Whether it is this Linux kernel that a parked vCPU runs, and where it is. */
bool arch_vcpu_runs_kernel(struct vcpu *vcpu, const struct vmcoreinfo *info,
			   struct arch_kernel *kernel);
/* A non-maskable interrupt, for `lkvm debug --nmi`. */
int arch_vcpu_nmi(struct vcpu *vcpu, struct error *err) __must_check;
/*
 * The argument of KVM_CREATE_VM, for a machine with so many bytes of RAM, which
 * this host may not be able to address.
 */
int arch_vm_type(int kvm_fd, u64 memory_bytes, unsigned long *type,
		 struct error *err) __must_check;
/* Most vCPUs that a machine can have on this host. */
u32 arch_cpus_max(int kvm_fd);
/*
 * Can KVM's dirty rings of this host be relied on? They are when KVM looks at a
 * ring's level each time before it enters the guest, as it does where the
 * processor virtualizes.
 */
bool arch_dirty_rings_are_exact(void);
/* What the kernel command line needs before the user's own words. */
const char *arch_default_cmdline(void);

#endif /* LKVM_ARCH_H */
