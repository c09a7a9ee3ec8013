/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: x86-64: time
 */
#ifndef TESTS_KVM_GUEST_X86_CLOCK_H
#define TESTS_KVM_GUEST_X86_CLOCK_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#define KVM_CLOCK_WALL	0x4b564d00
#define KVM_CLOCK_TIME	0x4b564d01

/**
 * struct kvm_clock - KVM's per-CPU time information
 * @version:   odd while the host changes it
 * @pad:       zero
 * @tsc:       TSC when @time was taken
 * @time:      nanoseconds since the machine was made
 * @mul:       TSC ticks to nanoseconds, 32-bit fraction
 * @shift:     shift of the ticks before that
 * @flags:     bit 0: @time is monotonic over all CPUs
 * @pad2:      zero
 */
struct kvm_clock {
	uint32_t version;
	uint32_t pad;
	uint64_t tsc;
	uint64_t time;
	uint32_t mul;
	int8_t shift;
	uint8_t flags;
	uint8_t pad2[2];
};

static_assert(sizeof(struct kvm_clock) == 32, "pvclock");

void clock_init(void);
uint64_t clock_tsc_khz(void);
const char *clock_source(void);
bool kvm_clock_present(void);
uint32_t kvm_leaf(void);
uint64_t kvm_clock_read(const struct kvm_clock *c);
uint8_t rtc_register(uint8_t reg);

#endif
