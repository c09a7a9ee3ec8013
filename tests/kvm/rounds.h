/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: how often a test does something, on a fast machine and on a slow one
 *
 * Where a guest runs at its usual speed each test does all that it has to do. An
 * emulated processor takes some twenty times as long: where a round takes more than
 * half a second, a test does what it can in some seconds, and something in any
 * case. With LKVM_LONG=1 all is done everywhere.
 */
#ifndef TESTS_KVM_ROUNDS_H
#define TESTS_KVM_ROUNDS_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct rounds - how far a test is
 * @done:   rounds that have begun
 * @least:  as many there are in any case
 * @most:   as many there are at most
 * @start_ms: when the first began
 * @slow_ms: how long all of them may take where they are slow
 */
struct rounds {
	unsigned int done;
	unsigned int least;
	unsigned int most;
	int64_t start_ms;
	int64_t slow_ms;
};

struct rounds rounds_begin(unsigned int least, unsigned int most,
			   unsigned int seconds);
bool rounds_next(struct rounds *r);

#endif /* TESTS_KVM_ROUNDS_H */
