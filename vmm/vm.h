/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_VM_H
#define LKVM_VM_H

#include <stdatomic.h>

#include "vmm/base/error.h"
#include "vmm/base/list.h"
#include "vmm/base/mutex.h"
#include "vmm/bus.h"
#include "vmm/dirty_ring.h"
#include "vmm/guest_memory.h"
#include "vmm/iothread.h"
#include "vmm/irq.h"

struct arch_vm;
struct console;
struct device;
struct vcpu;

#define VM_CPUS_MAX	255
#define VM_CONSOLES	4	/* serial ports that can be connected */

/**
 * enum vm_phase - what the machine as a whole is doing
 * @VM_BUILDING: devices are being made; no vCPU thread exists
 * @VM_PAUSED: vCPUs are parked, devices are quiesced, state is stable
 * @VM_RUNNING: vCPUs run
 * @VM_PAUSING: on the way from running to paused
 * @VM_ENDED: it will not run again; only vm_destroy() is left
 * @VM_PHASES: how many there are
 */
enum vm_phase {
	VM_BUILDING,
	VM_PAUSED,
	VM_RUNNING,
	VM_PAUSING,
	VM_ENDED,
	VM_PHASES,
};

/**
 * enum vm_end - why a guest ended, or asks for an end
 * @VM_END_NONE: it has not
 * @VM_END_POWEROFF: it switched itself off
 * @VM_END_REBOOT: it asked for a reset
 * @VM_END_PANIC: it told us that its kernel has panicked (pvpanic)
 * @VM_END_TRIPLE_FAULT: a CPU gave up
 * @VM_END_KILLED: the user ended it (stop --force, Ctrl-a x, a signal)
 * @VM_END_DEBUG_EXIT: it wrote to the debug-exit port; see @code
 * @VM_END_SAVED: a snapshot has been taken, to end with
 * @VM_END_MOVED: it runs on another host now
 * @VM_END_ERROR: the VMM or KVM failed; the reason is in &vm.end_error
 * @VM_ENDS: how many there are
 */
enum vm_end {
	VM_END_NONE,
	VM_END_POWEROFF,
	VM_END_REBOOT,
	VM_END_PANIC,
	VM_END_TRIPLE_FAULT,
	VM_END_KILLED,
	VM_END_DEBUG_EXIT,
	VM_END_SAVED,
	VM_END_MOVED,
	VM_END_ERROR,
	VM_ENDS,
};

/* Most blocks that RAM is divided into: below and above the devices' hole. */
#define VM_RAM_BLOCKS	2

/**
 * struct vm_ram_file - a file that holds the contents of a block of RAM
 * @fd: the file, mapped privately: nothing is written to it; the caller keeps
 *      the descriptor
 * @offset: where the block begins, page aligned
 */
struct vm_ram_file {
	int fd;
	u64 offset;
};

/**
 * enum vm_clock - where the guest's clocks go on when a saved state is loaded
 * @VM_CLOCK_HOST: where they would be had the machine run all the while, by
 *                 the host's wall clock
 * @VM_CLOCK_SAVED: where they were: the time in between has not happened
 */
enum vm_clock {
	VM_CLOCK_HOST,
	VM_CLOCK_SAVED,
};

/**
 * struct vm_config - what the core itself must know to make a machine
 * @name: the machine's name
 * @cpus: vCPUs, 1 to VM_CPUS_MAX; 0 makes a machine without KVM and vCPUs,
 *        for tests that drive devices directly
 * @memory_bytes: guest RAM, a multiple of the page size
 * @hugetlbfs: a mounted hugetlbfs that RAM comes from, or NULL
 * @ram: a file for each of vm_ram_blocks(), used by vm_create() only; NULL for
 *       RAM that begins as zeros
 * @kvm_path: "/dev/kvm"
 * @dirty_ring: entries of each vCPU's dirty ring at most, a power of two; 0 for
 *              as many as are good, where rings are exact; DIRTY_RING_NONE for
 *              none: KVM keeps a dirty log of each slot, as it does where it
 *              has no rings
 * @arch_options: a struct of &arch_options, which outlives the machine; choices
 *                that it leaves open are made in it (arch_vm_init()); NULL for
 *                the defaults
 * @runtime: the folder for sockets of devices that were given no other place;
 *           NULL for none
 * @disks_elsewhere: another machine still has the locks of the disks:
 *                   device_disks_take() takes them when it has given them up
 */
struct vm_config {
	const char *name;
	u32 cpus;
	u64 memory_bytes;
	const char *hugetlbfs;
	const struct vm_ram_file *ram;
	const char *kvm_path;
	u32 dirty_ring;
	void *arch_options;
	const char *runtime;
	bool disks_elsewhere;
};

/**
 * struct vm - a machine
 * @name: its name; owned
 * @config: as given; strings belong to @name or to whoever made the machine
 * @lock: phase and end (LOCK_VM)
 * @phase: see enum vm_phase
 * @kvm_fd: /dev/kvm, or -1 on a machine without KVM
 * @vm_fd: KVM's machine, or -1
 * @vcpu_mmap_size: bytes of each vCPU's struct kvm_run mapping
 * @memory: its memory
 * @rings: what vCPUs have written
 * @mmio: memory-mapped registers
 * @pio: port I/O registers
 * @irq: interrupt lines and messages
 * @loop: the main loop, on the thread that calls vm_run()
 * @devices: struct device, in order of creation
 * @vcpus: @cpus_nr of them
 * @cpus_nr: how many
 * @arch: what the architecture keeps; owned by it
 * @clock: see enum vm_clock
 * @end_lock: protects @end_code and @end_error (LOCK_LEAF)
 * @end: why it ended
 * @end_code: VM_END_DEBUG_EXIT: the value written
 * @end_error: VM_END_ERROR: why
 * @end_call: posted to @loop when @end was set
 * @on_phase: told of each change of @phase, on the main loop; or NULL
 * @on_phase_arg: for @on_phase
 * @paused_for: what keeps it paused ("a snapshot"), so that it cannot be
 *              resumed; NULL for nothing. Main loop
 * @started_ns: CLOCK_MONOTONIC when it first ran
 * @consoles: what each serial port is connected to, NULL for nothing
 * @hvc: what the virtio console is connected to, NULL for nothing
 * @power_button: press the ACPI power button; set by the device that has it
 * @power_device: for @power_button
 * @new_generation: the machine was cloned: tell the guest when it goes on; set
 *                  by the device that does
 * @generation_device: for @new_generation
 * @description: what it was built from, a flattened device tree
 *               (vmm/description.h); NULL for a machine built by hand; owned
 * @description_len: bytes of it
 */
struct vm {
	char *name;
	struct vm_config config;
	struct mutex lock;
	enum vm_phase phase;
	int kvm_fd;
	int vm_fd;
	size_t vcpu_mmap_size;
	struct guest_memory memory;
	struct dirty_rings rings;
	struct bus mmio;
	struct bus pio;
	struct irq_chip irq;
	struct iothread loop;
	struct list devices;
	struct vcpu *vcpus;
	u32 cpus_nr;
	struct arch_vm *arch;
	enum vm_clock clock;
	struct mutex end_lock;
	_Atomic u32 end;
	u32 end_code;
	struct error end_error;
	struct loop_call end_call;
	void (*on_phase)(struct vm *vm, void *arg);
	void *on_phase_arg;
	const char *paused_for;
	u64 started_ns;
	struct console *consoles[VM_CONSOLES];
	struct console *hvc;
	void (*power_button)(struct device *dev);
	struct device *power_device;
	int (*new_generation)(struct device *dev, struct error *err);
	struct device *generation_device;
	void *description;
	u32 description_len;
};

u32 vm_ram_blocks(u64 bytes, struct memory_request req[VM_RAM_BLOCKS]);
int vm_create(const struct vm_config *config, struct vm **out,
	      struct error *err) __must_check;
void vm_dismantle(struct vm *vm);
void vm_destroy(struct vm *vm);

int vm_start(struct vm *vm, struct error *err) __must_check;
enum vm_end vm_run(struct vm *vm);
int vm_pause(struct vm *vm, struct error *err) __must_check;
int vm_resume(struct vm *vm, struct error *err) __must_check;
int vm_reset(struct vm *vm, struct error *err) __must_check;
enum vm_phase vm_phase_get(struct vm *vm);
const char *vm_phase_name(enum vm_phase phase);
const char *vm_end_name(enum vm_end end);

void vm_request_end(struct vm *vm, enum vm_end why, u32 code);
void vm_request_error(struct vm *vm, const struct error *err);

#endif /* LKVM_VM_H */
