// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: virtual CPUs and their threads
 *
 * A vCPU's thread runs KVM_RUN and answers its exits: accesses to devices go
 * to the buses, the rest to the architecture. It is stopped by parking: a
 * signal ends KVM_RUN, or, when it arrives just before, its handler sets
 * immediate_exit, which makes the next KVM_RUN return at once; so no kick is
 * lost. Before it parks the thread enters KVM once more with immediate_exit
 * set, which finishes an I/O instruction whose answer KVM has not taken yet
 * (KVM-API 5, "struct kvm_run"). Then its registers are those between two
 * instructions and may be saved.
 *
 * A thread also parks by itself as soon as the machine has ended.
 */
#include <linux/kvm.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/arch.h"
#include "vmm/base/counter.h"
#include "vmm/base/log.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

#define VCPU_KICK_SIGNAL	SIGRTMIN

static __thread struct kvm_run *current_run;

/* Shared with KVM, and written by the signal handler on the same thread. */
static void immediate_exit_set(struct kvm_run *run, __u8 value)
{
	__atomic_store_n(&run->immediate_exit, value, __ATOMIC_RELAXED);
}

static void kick_handler(int sig)
{
	int saved = errno;

	/* Not yet in KVM_RUN: make it return at once. */
	if (current_run)
		immediate_exit_set(current_run, 1);
	errno = saved;
}

/**
 * vcpu_signals_init() - install the handler of the kick signal
 * @err: filled on failure
 *
 * Once a process, before the first vCPU starts.
 *
 * Return: 0 or a negative errno.
 */
int vcpu_signals_init(struct error *err)
{
	struct sigaction sa = { .sa_handler = kick_handler };

	sigemptyset(&sa.sa_mask);
	if (sigaction(VCPU_KICK_SIGNAL, &sa, NULL) < 0)
		return error_set(err, -errno, "signal handler: %m");
	return 0;
}

/**
 * vcpu_create() - make a vCPU that does not run yet
 * @vm: its machine
 * @vcpu: to be filled
 * @index: its number, also its id in KVM
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int vcpu_create(struct vm *vm, struct vcpu *vcpu, u32 index,
		struct error *err)
{
	pthread_condattr_t attr;
	int ret;

	memset(vcpu, 0, sizeof(*vcpu));
	vcpu->vm = vm;
	vcpu->index = index;
	vcpu->fd = ioctl(vm->vm_fd, KVM_CREATE_VCPU, (unsigned long)index);
	if (vcpu->fd < 0)
		return error_set(err, -errno, "vCPU %u: KVM_CREATE_VCPU: %m",
				 index);
	vcpu->run = mmap(NULL, vm->vcpu_mmap_size, PROT_READ | PROT_WRITE,
			 MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED) {
		ret = error_set(err, -errno, "vCPU %u: mmap: %m", index);
		goto err_close;
	}
	ret = dirty_rings_add(&vm->rings, index, vcpu->fd, err);
	if (ret)
		goto err_unmap;
	ret = arch_vcpu_init(vcpu, err);
	if (ret) {
		error_prefix(err, "vCPU %u", index);
		goto err_ring;
	}
	atomic_init(&vcpu->want_pause, true);
	pthread_mutex_init(&vcpu->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&vcpu->changed, &attr);
	pthread_condattr_destroy(&attr);
	return 0;

err_ring:
	dirty_rings_remove(&vm->rings, index);
err_unmap:
	munmap(vcpu->run, vm->vcpu_mmap_size);
err_close:
	close(vcpu->fd);
	return ret;
}

/**
 * vcpu_destroy() - end the thread and free the vCPU
 * @vcpu: the vCPU
 */
void vcpu_destroy(struct vcpu *vcpu)
{
	if (vcpu->started) {
		pthread_mutex_lock(&vcpu->lock);
		atomic_store(&vcpu->want_exit, true);
		pthread_cond_broadcast(&vcpu->changed);
		pthread_mutex_unlock(&vcpu->lock);
		pthread_kill(vcpu->thread, VCPU_KICK_SIGNAL);
		pthread_join(vcpu->thread, NULL);
	}
	arch_vcpu_destroy(vcpu);
	pthread_cond_destroy(&vcpu->changed);
	pthread_mutex_destroy(&vcpu->lock);
	dirty_rings_remove(&vcpu->vm->rings, vcpu->index);
	munmap(vcpu->run, vcpu->vm->vcpu_mmap_size);
	close(vcpu->fd);
}

static void handle_pio(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	u8 *data = (u8 *)run + run->io.data_offset;
	u32 i;

	counter_add(&vcpu->stats.pio, 1);
	for (i = 0; i < run->io.count; i++, data += run->io.size) {
		bool ok;

		if (run->io.direction == KVM_EXIT_IO_OUT)
			ok = bus_write(&vcpu->vm->pio, run->io.port, data,
				       run->io.size);
		else
			ok = bus_read(&vcpu->vm->pio, run->io.port, data,
				      run->io.size);
		if (ok)
			continue;
		counter_add(&vcpu->stats.unhandled, 1);
		log_limited(LOG_DEBUG, "vCPU %u: no device at port 0x%x",
			    vcpu->index, run->io.port);
	}
}

static void handle_mmio(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	u64 addr = run->mmio.phys_addr;
	bool ok;

	counter_add(&vcpu->stats.mmio, 1);
	if (run->mmio.is_write)
		ok = bus_write(&vcpu->vm->mmio, addr, run->mmio.data,
			       run->mmio.len);
	else
		ok = bus_read(&vcpu->vm->mmio, addr, run->mmio.data,
			      run->mmio.len);
	if (ok)
		return;
	counter_add(&vcpu->stats.unhandled, 1);
	log_limited(LOG_DEBUG, "vCPU %u: no device at address 0x%llx",
		    vcpu->index, addr);
}

static void handle_system_event(struct vcpu *vcpu)
{
	switch (vcpu->run->system_event.type) {
	case KVM_SYSTEM_EVENT_RESET:
		vm_request_end(vcpu->vm, VM_END_REBOOT, 0);
		break;
	case KVM_SYSTEM_EVENT_CRASH:
		vm_request_end(vcpu->vm, VM_END_PANIC, 0);
		break;
	default:
		vm_request_end(vcpu->vm, VM_END_POWEROFF, 0);
		break;
	}
}

static void handle_exit(struct vcpu *vcpu)
{
	struct error err = ERROR_INIT;

	switch (vcpu->run->exit_reason) {
	case KVM_EXIT_IO:
		handle_pio(vcpu);
		return;
	case KVM_EXIT_MMIO:
		handle_mmio(vcpu);
		return;
	case KVM_EXIT_INTR:
		return;
	case KVM_EXIT_DIRTY_RING_FULL:
		if (dirty_rings_empty(&vcpu->vm->rings, &err))
			vm_request_error(vcpu->vm, &err);
		return;
	case KVM_EXIT_SHUTDOWN:
		vm_request_end(vcpu->vm, VM_END_TRIPLE_FAULT, 0);
		return;
	case KVM_EXIT_SYSTEM_EVENT:
		handle_system_event(vcpu);
		return;
	default:
		if (arch_vcpu_exit(vcpu, &err))
			vm_request_error(vcpu->vm, &err);
	}
}

/* False when the machine cannot go on; the reason was recorded. */
static bool enter_guest(struct vcpu *vcpu)
{
	struct error err = ERROR_INIT;

	vcpu->ran = true;
	if (ioctl(vcpu->fd, KVM_RUN, 0) == 0) {
		counter_add(&vcpu->stats.exits, 1);
		handle_exit(vcpu);
		return true;
	}
	if (errno == EINTR || errno == EAGAIN) {
		counter_add(&vcpu->stats.signals, 1);
		return true;
	}
	error_set(&err, -errno, "vCPU %u: KVM_RUN: %m", vcpu->index);
	vm_request_error(vcpu->vm, &err);
	return false;
}

/*
 * Finish an instruction whose I/O we have answered but that KVM has not
 * completed. One that needs several exits (a string move, an access over two
 * regions) gets them here, until KVM says that nothing is left.
 */
static void finish_exit(struct vcpu *vcpu)
{
	if (!vcpu->ran)
		return;
	do {
		immediate_exit_set(vcpu->run, 1);
		if (ioctl(vcpu->fd, KVM_RUN, 0) < 0)
			break;
		handle_exit(vcpu);
	} while (!atomic_load(&vcpu->vm->end));
	immediate_exit_set(vcpu->run, 0);
}

static bool should_park(struct vcpu *vcpu)
{
	return atomic_load(&vcpu->want_pause) ||
	       atomic_load(&vcpu->vm->end) != VM_END_NONE;
}

static void park(struct vcpu *vcpu)
{
	finish_exit(vcpu);
	pthread_mutex_lock(&vcpu->lock);
	vcpu->parked = true;
	pthread_cond_broadcast(&vcpu->changed);
	while (should_park(vcpu) && !atomic_load(&vcpu->want_exit))
		pthread_cond_wait(&vcpu->changed, &vcpu->lock);
	vcpu->parked = false;
	pthread_mutex_unlock(&vcpu->lock);
}

/* Out of the guest for a while, but for a pause or the end. */
static void rest(struct vcpu *vcpu)
{
	struct timespec until;
	u64 ns;
	int ret = 0;

	pthread_mutex_lock(&vcpu->lock);
	ns = atomic_load(&vcpu->rest_ns);
	clock_gettime(CLOCK_MONOTONIC, &until);
	ns += (u64)until.tv_nsec;
	until.tv_sec += (time_t)(ns / 1000000000);
	until.tv_nsec = (long)(ns % 1000000000);
	while (!ret && atomic_load(&vcpu->rest_ns) && !should_park(vcpu) &&
	       !atomic_load(&vcpu->want_exit))
		ret = pthread_cond_timedwait(&vcpu->changed, &vcpu->lock,
					     &until);
	atomic_store(&vcpu->rest_ns, 0);
	pthread_mutex_unlock(&vcpu->lock);
}

static void *vcpu_main(void *arg)
{
	struct vcpu *vcpu = arg;
	sigset_t mask;
	char name[16];

	snprintf(name, sizeof(name), "vcpu%u", vcpu->index);
	pthread_setname_np(pthread_self(), name);
	current_run = vcpu->run;
	sigfillset(&mask);
	sigdelset(&mask, VCPU_KICK_SIGNAL);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);

	while (!atomic_load(&vcpu->want_exit)) {
		if (should_park(vcpu)) {
			park(vcpu);
			continue;
		}
		if (unlikely(atomic_load_explicit(&vcpu->rest_ns,
						  memory_order_relaxed)))
			rest(vcpu);
		if (!enter_guest(vcpu))
			continue;
		/*
		 * Cleared before the flags are looked at: a kick that sets it
		 * again comes after the flag that it stands for.
		 */
		immediate_exit_set(vcpu->run, 0);
		atomic_signal_fence(memory_order_seq_cst);
	}
	current_run = NULL;
	return NULL;
}

/**
 * vcpu_start() - start the thread; it parks at once
 * @vcpu: the vCPU
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int vcpu_start(struct vcpu *vcpu, struct error *err)
{
	sigset_t all, old;
	int ret;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = -pthread_create(&vcpu->thread, NULL, vcpu_main, vcpu);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (ret)
		return error_set(err, ret, "vCPU %u: thread: %s", vcpu->index,
				 strerror(-ret));
	vcpu->started = true;
	return arch_vcpu_started(vcpu, err);
}

/**
 * vcpu_request_pause() - ask a vCPU to park
 * @vcpu: the vCPU
 *
 * Context: main loop; does not wait.
 */
void vcpu_request_pause(struct vcpu *vcpu)
{
	pthread_mutex_lock(&vcpu->lock);
	atomic_store(&vcpu->want_pause, true);
	/* It may rest. */
	pthread_cond_broadcast(&vcpu->changed);
	pthread_mutex_unlock(&vcpu->lock);
	if (vcpu->started)
		pthread_kill(vcpu->thread, VCPU_KICK_SIGNAL);
}

/**
 * vcpu_rest() - keep a vCPU out of the guest for a while
 * @vcpu: the vCPU
 * @ns: from now on; 0 ends a rest
 *
 * A pause and the end of the machine do not wait for it.
 *
 * Context: main loop; does not wait.
 */
void vcpu_rest(struct vcpu *vcpu, u64 ns)
{
	pthread_mutex_lock(&vcpu->lock);
	atomic_store(&vcpu->rest_ns, ns);
	pthread_cond_broadcast(&vcpu->changed);
	pthread_mutex_unlock(&vcpu->lock);
	if (ns && vcpu->started)
		pthread_kill(vcpu->thread, VCPU_KICK_SIGNAL);
}

/**
 * vcpu_wait_parked() - wait until a vCPU that was asked to has parked
 * @vcpu: the vCPU
 *
 * Context: main loop; waits for device code that the vCPU is in.
 */
void vcpu_wait_parked(struct vcpu *vcpu)
{
	if (!vcpu->started)
		return;
	pthread_mutex_lock(&vcpu->lock);
	while (!vcpu->parked)
		pthread_cond_wait(&vcpu->changed, &vcpu->lock);
	pthread_mutex_unlock(&vcpu->lock);
}

/**
 * vcpu_unpark() - let a vCPU run on
 * @vcpu: the vCPU
 *
 * Context: main loop.
 */
void vcpu_unpark(struct vcpu *vcpu)
{
	pthread_mutex_lock(&vcpu->lock);
	atomic_store(&vcpu->want_pause, false);
	pthread_cond_broadcast(&vcpu->changed);
	pthread_mutex_unlock(&vcpu->lock);
}
