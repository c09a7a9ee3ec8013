/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_LIB_CHANNEL_FAULT_H
#define TESTS_LIB_CHANNEL_FAULT_H

#include "migration/channel.h"
#include "tests/lib/random.h"

/**
 * enum channel_fault - what goes wrong at one call
 * @FAULT_NONE: nothing
 * @FAULT_ONE_BYTE: one byte is moved
 * @FAULT_PART: a random part is moved
 * @FAULT_EINTR: interrupted before anything was moved
 * @FAULT_EAGAIN: not ready; the next wait finds it ready
 * @FAULT_EIO: the medium fails
 * @FAULT_ENOSPC: no space left
 * @FAULT_EPIPE: the peer has closed
 * @FAULT_ECONNRESET: the peer is gone
 * @FAULT_EOF: reads find the end, writes move nothing
 * @FAULT_HANG: not ready, and never will be
 * @FAULTS: how many there are
 */
enum channel_fault {
	FAULT_NONE,
	FAULT_ONE_BYTE,
	FAULT_PART,
	FAULT_EINTR,
	FAULT_EAGAIN,
	FAULT_EIO,
	FAULT_ENOSPC,
	FAULT_EPIPE,
	FAULT_ECONNRESET,
	FAULT_EOF,
	FAULT_HANG,
	FAULTS,
};

/**
 * struct channel_faulty - a channel around another one that fails on purpose
 * @ch: the channel to be used
 * @inner: the real one
 * @owns_inner: it is closed with this one
 * @closed: this one is
 * @fault: what goes wrong
 * @at: at which call, counted from 0; UINT64_MAX: at every call
 * @calls: calls up to now
 * @hit: the fault has happened
 * @injected: the last call did what it did because of the fault
 * @ready: a socket pair whose first end is ready for both directions
 * @never: a pipe whose first end is ready for none
 * @rnd: for FAULT_PART
 */
struct channel_faulty {
	struct channel ch;
	struct channel *inner;
	bool owns_inner;
	bool closed;
	enum channel_fault fault;
	u64 at;
	u64 calls;
	bool hit;
	bool injected;
	int ready[2];
	int never[2];
	struct test_random rnd;
};

int channel_faulty_init(struct channel_faulty *f, struct channel *inner,
			enum channel_fault fault, u64 at, uint64_t seed);
void channel_faulty_destroy(struct channel_faulty *f);
const char *channel_fault_name(enum channel_fault fault);

#endif /* TESTS_LIB_CHANNEL_FAULT_H */
