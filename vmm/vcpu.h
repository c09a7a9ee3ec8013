/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_VCPU_H
#define LKVM_VCPU_H

#include <pthread.h>
#include <stdatomic.h>

#include "vmm/base/error.h"
#include "vmm/base/types.h"

struct arch_vcpu;
struct kvm_run;
struct vm;

/**
 * struct vcpu_stats - what a vCPU has done; written by its thread only
 * @exits: returns from KVM_RUN
 * @pio: port I/O exits
 * @mmio: MMIO exits
 * @unhandled: accesses that no device answered
 * @signals: KVM_RUN ended by a kick
 */
struct vcpu_stats {
	_Atomic u64 exits;
	_Atomic u64 pio;
	_Atomic u64 mmio;
	_Atomic u64 unhandled;
	_Atomic u64 signals;
};

/**
 * struct vcpu - a virtual CPU and the thread that runs it
 * @vm: its machine
 * @index: 0 is the boot CPU
 * @fd: KVM's vCPU
 * @run: shared with KVM
 * @thread: the thread
 * @started: it exists
 * @ran: KVM_RUN was called, so an I/O exit may wait to be finished
 * @want_pause: park at the next chance
 * @want_exit: end the thread at the next chance
 * @rest_ns: stay out of the guest for so long, once
 * @lock: protects @parked (LOCK_LEAF)
 * @changed: @parked, @want_pause, @want_exit or @rest_ns changed
 * @parked: the thread is outside KVM_RUN with no exit half done
 * @stats: counters
 * @arch: what the architecture keeps; owned by it
 */
struct vcpu {
	struct vm *vm;
	u32 index;
	int fd;
	struct kvm_run *run;
	pthread_t thread;
	bool started;
	bool ran;
	_Atomic bool want_pause;
	_Atomic bool want_exit;
	_Atomic u64 rest_ns;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool parked;
	struct vcpu_stats stats;
	struct arch_vcpu *arch;
};

int vcpu_create(struct vm *vm, struct vcpu *vcpu, u32 index,
		struct error *err) __must_check;
void vcpu_destroy(struct vcpu *vcpu);
int vcpu_signals_init(struct error *err) __must_check;
int vcpu_start(struct vcpu *vcpu, struct error *err) __must_check;
void vcpu_request_pause(struct vcpu *vcpu);
void vcpu_wait_parked(struct vcpu *vcpu);
void vcpu_unpark(struct vcpu *vcpu);
void vcpu_rest(struct vcpu *vcpu, u64 ns);

#endif /* LKVM_VCPU_H */
