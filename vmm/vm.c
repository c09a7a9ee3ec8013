// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the machine: made, run, paused, reset, ended
 *
 * A machine is built on one thread, which then runs its main loop (vm_run()).
 * Its phase moves along one const table; every other move is a fault of ours.
 * Pausing and resuming are one function each: vCPUs park, then devices are
 * quiesced in reverse order of creation, then state is stable; resuming is the
 * mirror.
 *
 * The end of a guest can be noticed on any thread (a vCPU writes to a power
 * register, a signal arrives): vm_request_end() records the first reason and
 * the main loop leaves vm_run(). What happens then, exit or reboot, is for the
 * caller to decide.
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vmm/arch.h"
#include "vmm/base/clock.h"
#include "vmm/base/log.h"
#include "vmm/base/math.h"
#include "vmm/device.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

#define MAIN_LOOP_ENTRIES	128

static const char *const phase_names[VM_PHASES] = {
	[VM_BUILDING]	= "building",
	[VM_PAUSED]	= "paused",
	[VM_RUNNING]	= "running",
	[VM_PAUSING]	= "pausing",
	[VM_ENDED]	= "ended",
};

/* Bit n of an entry: phase n may follow. */
static const u32 phase_moves[VM_PHASES] = {
	[VM_BUILDING]	= BIT(VM_PAUSED) | BIT(VM_ENDED),
	[VM_PAUSED]	= BIT(VM_RUNNING) | BIT(VM_ENDED),
	[VM_RUNNING]	= BIT(VM_PAUSING),
	[VM_PAUSING]	= BIT(VM_PAUSED) | BIT(VM_RUNNING),
	[VM_ENDED]	= 0,
};

static const char *const end_names[VM_ENDS] = {
	[VM_END_NONE]		= "none",
	[VM_END_POWEROFF]	= "poweroff",
	[VM_END_REBOOT]		= "reboot",
	[VM_END_PANIC]		= "panic",
	[VM_END_TRIPLE_FAULT]	= "triple-fault",
	[VM_END_KILLED]		= "killed",
	[VM_END_DEBUG_EXIT]	= "debug-exit",
	[VM_END_SAVED]		= "saved",
	[VM_END_MOVED]		= "moved",
	[VM_END_ERROR]		= "error",
};

/**
 * vm_phase_name() - a phase as a word
 * @phase: the phase
 *
 * Return: a constant string.
 */
const char *vm_phase_name(enum vm_phase phase)
{
	return phase_names[phase];
}

/**
 * vm_end_name() - the reason of an end as a word
 * @end: the reason
 *
 * Return: a constant string.
 */
const char *vm_end_name(enum vm_end end)
{
	return end_names[end];
}

/**
 * vm_phase_get() - what the machine is doing
 * @vm: the machine
 *
 * Context: any thread that holds no lock.
 * Return: its phase.
 */
enum vm_phase vm_phase_get(struct vm *vm)
{
	enum vm_phase phase;

	mutex_lock(&vm->lock);
	phase = vm->phase;
	mutex_unlock(&vm->lock);
	return phase;
}

static void phase_set(struct vm *vm, enum vm_phase to)
{
	mutex_lock(&vm->lock);
	assert(phase_moves[vm->phase] & BIT(to));
	vm->phase = to;
	mutex_unlock(&vm->lock);
	if (vm->on_phase)
		vm->on_phase(vm, vm->on_phase_arg);
}

static int kvm_open(struct vm *vm, struct error *err)
{
	const char *path = vm->config.kvm_path;
	int version, size;

	vm->kvm_fd = open(path, O_RDWR | O_CLOEXEC);
	if (vm->kvm_fd < 0 && errno == EACCES)
		return error_set(err, -EACCES,
				 "%s: permission denied; join the group that owns it ('usermod -aG kvm %s') and log in again",
				 path, getenv("USER") ? getenv("USER") : "USER");
	if (vm->kvm_fd < 0)
		return error_set(err, -errno,
				 "%s: %m; is the CPU's virtualization switched on and the kvm module loaded?",
				 path);
	version = ioctl(vm->kvm_fd, KVM_GET_API_VERSION, 0);
	if (version != KVM_API_VERSION)
		return error_set(err, -ENODEV, "%s: not KVM, or of version %d",
				 path, version);
	size = ioctl(vm->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (size < 0)
		return error_set(err, -errno, "%s: KVM_GET_VCPU_MMAP_SIZE: %m",
				 path);
	vm->vcpu_mmap_size = (size_t)size;
	return 0;
}

static int kvm_create(struct vm *vm, struct error *err)
{
	u32 max = arch_cpus_max(vm->kvm_fd);
	unsigned long type;
	int ret;

	if (vm->config.cpus > max)
		return error_set(err, -EINVAL,
				 "%u vCPUs: this host allows at most %u",
				 vm->config.cpus, max);
	ret = arch_vm_type(vm->kvm_fd, vm->config.memory_bytes, &type, err);
	if (ret)
		return ret;
	do {
		vm->vm_fd = ioctl(vm->kvm_fd, KVM_CREATE_VM, type);
	} while (vm->vm_fd < 0 && errno == EINTR);
	if (vm->vm_fd < 0)
		return error_set(err, -errno, "KVM_CREATE_VM: %m");
	return 0;
}

/**
 * vm_ram_blocks() - how a machine's RAM is divided into blocks
 * @bytes: all of it, a multiple of the page size
 * @req: filled: name, place and size of each block, in rising order of
 *       addresses
 *
 * Return: how many blocks there are.
 */
u32 vm_ram_blocks(u64 bytes, struct memory_request req[VM_RAM_BLOCKS])
{
	const struct arch_range *low = &arch_layout.ram_low;

	req[0] = (struct memory_request){
		.name = "ram-low",
		.gpa = gpa(low->base),
		.size = min_of(bytes, low->size),
		.fd = -1,
	};
	if (bytes <= low->size)
		return 1;
	req[1] = (struct memory_request){
		.name = "ram-high",
		.gpa = gpa(arch_layout.ram_high_base),
		.size = bytes - low->size,
		.fd = -1,
	};
	return 2;
}

static int add_ram(struct vm *vm, struct error *err)
{
	const struct vm_ram_file *file = vm->config.ram;
	struct memory_request req[VM_RAM_BLOCKS];
	u32 nr = vm_ram_blocks(vm->config.memory_bytes, req), i;
	int ret = 0;

	for (i = 0; !ret && i < nr; i++) {
		req[i].hugetlbfs = vm->config.hugetlbfs;
		if (file) {
			req[i].fd = file[i].fd;
			req[i].fd_offset = file[i].offset;
		}
		ret = guest_memory_add(&vm->memory, &req[i], err);
	}
	vm->config.ram = NULL;
	return ret;
}

static int create_vcpus(struct vm *vm, struct error *err)
{
	int ret;

	vm->vcpus = calloc(vm->config.cpus, sizeof(*vm->vcpus));
	if (!vm->vcpus)
		return error_set(err, -ENOMEM, "out of memory");
	while (vm->cpus_nr < vm->config.cpus) {
		ret = vcpu_create(vm, &vm->vcpus[vm->cpus_nr], vm->cpus_nr,
				  err);
		if (ret)
			return ret;
		vm->cpus_nr++;
	}
	return 0;
}

static void end_call_run(struct loop_call *call)
{
	/* Only there to end the loop's sleep; vm_run() looks at vm->end. */
}

static int config_check(const struct vm_config *config, struct error *err)
{
	if (config->cpus > VM_CPUS_MAX)
		return error_set(err, -EINVAL,
				 "%u vCPUs: a machine has 1 to %u",
				 config->cpus, VM_CPUS_MAX);
	if (!config->memory_bytes ||
	    !is_aligned(config->memory_bytes, MEMORY_PAGE_SIZE))
		return error_set(err, -EINVAL,
				 "memory size %llu is not a multiple of 4 KiB",
				 config->memory_bytes);
	return 0;
}

static struct vm *vm_alloc(const struct vm_config *config, struct error *err)
{
	struct vm *vm = calloc(1, sizeof(*vm));

	if (vm)
		vm->name = strdup(config->name);
	if (!vm || !vm->name) {
		free(vm);
		error_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	vm->config = *config;
	vm->config.name = vm->name;
	vm->kvm_fd = -1;
	vm->vm_fd = -1;
	mutex_init(&vm->lock, LOCK_VM);
	mutex_init(&vm->end_lock, LOCK_LEAF);
	list_init(&vm->devices);
	loop_call_init(&vm->end_call, end_call_run);
	return vm;
}

/**
 * vm_create() - make a machine without devices
 * @config: see struct vm_config
 * @out: the machine, in phase VM_BUILDING
 * @err: filled on failure
 *
 * With 0 vCPUs the machine has no KVM: memory, buses and interrupts work in
 * software, for tests that drive devices directly.
 *
 * Context: the thread that will run the main loop.
 * Return: 0 or a negative errno.
 */
int vm_create(const struct vm_config *config, struct vm **out,
	      struct error *err)
{
	struct vm *vm;
	int ret;

	ret = config_check(config, err);
	if (ret)
		return ret;
	vm = vm_alloc(config, err);
	if (!vm)
		return -ENOMEM;
	if (config->cpus) {
		ret = kvm_open(vm, err);
		if (!ret)
			ret = kvm_create(vm, err);
		if (ret)
			goto err_kvm;
	}
	ret = iothread_init(&vm->loop, "main", MAIN_LOOP_ENTRIES, err);
	if (ret)
		goto err_kvm;
	guest_memory_init(&vm->memory, vm->vm_fd);
	bus_init(&vm->mmio, "mmio", vm->vm_fd, false);
	bus_init(&vm->pio, "pio", vm->vm_fd, true);
	/* KVM wants to know before there are memory and vCPUs. */
	ret = dirty_rings_init(&vm->rings, &vm->memory, config->cpus,
			       config->dirty_ring, err);
	if (ret)
		goto err_memory;
	ret = irq_chip_init(&vm->irq, vm->vm_fd, arch_layout.irq_lines, err);
	if (ret)
		goto err_memory;
	ret = add_ram(vm, err);
	if (ret)
		goto err_irq;
	if (config->cpus) {
		ret = arch_vm_init(vm, err);
		if (ret)
			goto err_irq;
		ret = create_vcpus(vm, err);
		if (ret)
			goto err_vcpus;
	}
	*out = vm;
	return 0;

err_vcpus:
	while (vm->cpus_nr)
		vcpu_destroy(&vm->vcpus[--vm->cpus_nr]);
	free(vm->vcpus);
	arch_vm_destroy(vm);
err_irq:
	irq_chip_destroy(&vm->irq);
err_memory:
	dirty_rings_destroy(&vm->rings);
	bus_destroy(&vm->pio);
	bus_destroy(&vm->mmio);
	guest_memory_destroy(&vm->memory);
	iothread_destroy(&vm->loop);
err_kvm:
	if (vm->vm_fd >= 0)
		close(vm->vm_fd);
	if (vm->kvm_fd >= 0)
		close(vm->kvm_fd);
	free(vm->name);
	free(vm);
	return ret;
}

/**
 * vm_dismantle() - the end of vCPUs and devices; memory and main loop stay
 * @vm: the machine, in any phase; only vm_destroy() is left
 *
 * For callers that gave devices something which needs the main loop to end,
 * such as a console.
 *
 * Context: the main loop's thread, outside vm_run().
 */
void vm_dismantle(struct vm *vm)
{
	while (vm->cpus_nr)
		vcpu_destroy(&vm->vcpus[--vm->cpus_nr]);
	free(vm->vcpus);
	vm->vcpus = NULL;
	while (!list_is_empty(&vm->devices))
		device_destroy(list_entry(vm->devices.prev, struct device,
					  link));
}

/**
 * vm_destroy() - take a machine apart: vCPUs, devices, memory
 * @vm: the machine, in any phase
 *
 * Context: the main loop's thread, outside vm_run().
 */
void vm_destroy(struct vm *vm)
{
	vm_dismantle(vm);
	if (vm->vm_fd >= 0)
		arch_vm_destroy(vm);
	irq_chip_destroy(&vm->irq);
	bus_destroy(&vm->pio);
	bus_destroy(&vm->mmio);
	dirty_rings_destroy(&vm->rings);
	guest_memory_destroy(&vm->memory);
	iothread_destroy(&vm->loop);
	if (vm->vm_fd >= 0)
		close(vm->vm_fd);
	if (vm->kvm_fd >= 0)
		close(vm->kvm_fd);
	mutex_destroy(&vm->end_lock);
	mutex_destroy(&vm->lock);
	free(vm->description);
	free(vm->name);
	free(vm);
}

static int reset_cpus(struct vm *vm, struct error *err)
{
	u32 i;
	int ret = 0;

	if (vm->vm_fd < 0)
		return 0;
	ret = arch_vm_reset(vm, err);
	for (i = 0; !ret && i < vm->cpus_nr; i++)
		ret = arch_vcpu_reset(&vm->vcpus[i], err);
	return ret;
}

/**
 * vm_start() - end of building: vCPU threads exist and are parked
 * @vm: the machine, with all its devices
 * @err: filled on failure
 *
 * Afterwards the caller loads a kernel (arch_boot_load()) or a saved state,
 * then calls vm_resume().
 *
 * Context: main loop.
 * Return: 0 or a negative errno; then only vm_destroy() is left.
 */
int vm_start(struct vm *vm, struct error *err)
{
	struct device *dev;
	int ret;
	u32 i;

	list_for_each_entry(dev, &vm->devices, link)
		guest_gate_close(&dev->gate, GATE_PAUSED);
	if (vm->cpus_nr) {
		ret = vcpu_signals_init(err);
		if (ret)
			return ret;
	}
	ret = reset_cpus(vm, err);
	if (ret)
		return ret;
	for (i = 0; i < vm->cpus_nr; i++) {
		ret = vcpu_start(&vm->vcpus[i], err);
		if (ret)
			return ret;
	}
	phase_set(vm, VM_PAUSED);
	return 0;
}

static void resume_devices(struct vm *vm)
{
	struct device *dev;

	list_for_each_entry(dev, &vm->devices, link) {
		guest_gate_open(&dev->gate, GATE_PAUSED);
		if (dev->class->ops->resume)
			dev->class->ops->resume(dev);
	}
}

/* On failure those that were quiesced already are resumed again. */
static int quiesce_devices(struct vm *vm, struct error *err)
{
	struct list *at;
	int ret = 0;

	for (at = vm->devices.prev; at != &vm->devices; at = at->prev) {
		struct device *dev = list_entry(at, struct device, link);

		if (dev->class->ops->quiesce)
			ret = dev->class->ops->quiesce(dev, err);
		if (ret) {
			error_prefix(err, "%s", dev->name);
			break;
		}
		guest_gate_close(&dev->gate, GATE_PAUSED);
	}
	if (!ret)
		return 0;
	for (at = at->next; at != &vm->devices; at = at->next) {
		struct device *dev = list_entry(at, struct device, link);

		guest_gate_open(&dev->gate, GATE_PAUSED);
		if (dev->class->ops->resume)
			dev->class->ops->resume(dev);
	}
	return ret;
}

static void unpark_vcpus(struct vm *vm)
{
	u32 i;

	for (i = 0; i < vm->cpus_nr; i++)
		arch_vcpu_resume(&vm->vcpus[i]);
	for (i = 0; i < vm->cpus_nr; i++)
		vcpu_unpark(&vm->vcpus[i]);
}

/**
 * vm_pause() - park the vCPUs and quiesce the devices
 * @vm: the machine; one that is paused already stays so
 * @err: filled on failure
 *
 * Afterwards all state is stable and may be saved.
 *
 * Context: main loop.
 * Return: 0; -EBUSY in a phase without vCPUs; or what a device's quiesce or KVM
 * said, then the machine runs on.
 */
int vm_pause(struct vm *vm, struct error *err)
{
	int ret;
	u32 i;

	if (vm->phase == VM_PAUSED)
		return 0;
	if (vm->phase != VM_RUNNING)
		return error_set(err, -EBUSY, "%s is %s", vm->name,
				 vm_phase_name(vm->phase));
	phase_set(vm, VM_PAUSING);
	for (i = 0; i < vm->cpus_nr; i++)
		vcpu_request_pause(&vm->vcpus[i]);
	for (i = 0; i < vm->cpus_nr; i++)
		vcpu_wait_parked(&vm->vcpus[i]);
	ret = quiesce_devices(vm, err);
	if (!ret) {
		ret = irq_chip_flush(&vm->irq, err);
		if (ret)
			resume_devices(vm);
	}
	if (ret) {
		phase_set(vm, VM_RUNNING);
		unpark_vcpus(vm);
		return ret;
	}
	if (vm->cpus_nr)
		arch_vm_settle(vm);
	phase_set(vm, VM_PAUSED);
	return 0;
}

/**
 * vm_resume() - let devices and vCPUs go on
 * @vm: the machine; one that runs already does so
 * @err: filled on failure
 *
 * Context: main loop.
 * Return: 0; -EBUSY in another phase, or while something keeps it paused.
 */
int vm_resume(struct vm *vm, struct error *err)
{
	if (vm->phase == VM_RUNNING)
		return 0;
	if (vm->phase != VM_PAUSED)
		return error_set(err, -EBUSY, "%s is %s", vm->name,
				 vm_phase_name(vm->phase));
	if (vm->paused_for)
		return error_set(err, -EBUSY, "%s stays paused for %s",
				 vm->name, vm->paused_for);
	if (!vm->started_ns)
		vm->started_ns = now_ns();
	resume_devices(vm);
	phase_set(vm, VM_RUNNING);
	unpark_vcpus(vm);
	return 0;
}

/**
 * vm_reset() - everything back to power-on, as a reset button does
 * @vm: the machine; afterwards it is paused and has forgotten why it ended
 * @err: filled on failure
 *
 * Guest memory is kept, as on hardware; the caller loads a kernel again.
 *
 * Context: main loop.
 * Return: 0 or a negative errno.
 */
int vm_reset(struct vm *vm, struct error *err)
{
	struct device *dev;
	int ret;

	ret = vm_pause(vm, err);
	if (ret)
		return ret;
	list_for_each_entry(dev, &vm->devices, link) {
		mutex_lock(&dev->lock);
		if (dev->class->ops->reset)
			dev->class->ops->reset(dev);
		mutex_unlock(&dev->lock);
	}
	mutex_lock(&vm->end_lock);
	atomic_store(&vm->end, VM_END_NONE);
	mutex_unlock(&vm->end_lock);
	return reset_cpus(vm, err);
}

/**
 * vm_run() - run the main loop until the guest has ended
 * @vm: the machine, running or paused
 *
 * Before it returns the machine is paused, or at least its vCPUs are parked.
 *
 * Context: the main loop's thread.
 * Return: why it ended; details in &vm.end_code and &vm.end_error.
 */
enum vm_end vm_run(struct vm *vm)
{
	struct error err = ERROR_INIT;

	while (atomic_load(&vm->end) == VM_END_NONE)
		iothread_run_once(&vm->loop, true);
	if (vm->phase == VM_RUNNING && vm_pause(vm, &err))
		log_warning("%s: %s", vm->name, err.text);
	return (enum vm_end)atomic_load(&vm->end);
}

/*
 * The first reason counts. But who ends the machine from outside shall not be
 * in vain because the guest is just about to begin anew. Under &vm.end_lock.
 */
static bool may_end(struct vm *vm, enum vm_end why)
{
	u32 end = atomic_load(&vm->end);

	return end == VM_END_NONE ||
		(end == VM_END_REBOOT && (why == VM_END_KILLED ||
					  why == VM_END_ERROR));
}

/**
 * vm_request_end() - the guest has ended, or is to end
 * @vm: the machine
 * @why: the reason; a later one does not replace an earlier one, but
 *       VM_END_KILLED replaces a reboot
 * @code: VM_END_DEBUG_EXIT: the value, else 0
 *
 * Context: any thread, device locks may be held.
 */
void vm_request_end(struct vm *vm, enum vm_end why, u32 code)
{
	mutex_lock(&vm->end_lock);
	if (may_end(vm, why)) {
		vm->end_code = code;
		atomic_store(&vm->end, why);
	}
	mutex_unlock(&vm->end_lock);
	iothread_post(&vm->loop, &vm->end_call);
}

/**
 * vm_request_error() - end the machine because the VMM or KVM has failed
 * @vm: the machine
 * @err: the reason; copied
 *
 * Context: any thread, device locks may be held.
 */
void vm_request_error(struct vm *vm, const struct error *err)
{
	mutex_lock(&vm->end_lock);
	if (may_end(vm, VM_END_ERROR)) {
		vm->end_error = *err;
		atomic_store(&vm->end, VM_END_ERROR);
	}
	mutex_unlock(&vm->end_lock);
	iothread_post(&vm->loop, &vm->end_call);
}
