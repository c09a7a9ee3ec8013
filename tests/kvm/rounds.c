// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: how often a test does something, see rounds.h
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/kvm/rounds.h"

#define SLOW_MS	500	/* a round that takes so long */

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/**
 * rounds_begin() - set up rounds, the time of which begins now
 * @least:   as many in any case
 * @most:    as many at most, and with LKVM_LONG=1
 * @seconds: how long they may take where they are slow
 *
 * Return: rounds of which none has begun.
 */
struct rounds rounds_begin(unsigned int least, unsigned int most,
			   unsigned int seconds)
{
	return (struct rounds){
		.least = getenv("LKVM_LONG") ? most : least,
		.most = most,
		.start_ms = now_ms(),
		.slow_ms = seconds * 1000ll,
	};
}

static bool is_slow(const struct rounds *r)
{
	const int64_t ms = now_ms() - r->start_ms;

	return ms >= r->slow_ms && ms >= (int64_t)r->done * SLOW_MS;
}

/**
 * rounds_next() - begin a round
 * @r: rounds
 *
 * Tells of rounds that are left out.
 *
 * Return: false if there is none to begin.
 */
bool rounds_next(struct rounds *r)
{
	if (r->done == r->most)
		return false;
	if (r->done >= r->least && is_slow(r)) {
		printf("# a slow machine: %u rounds of %u\n", r->done, r->most);
		return false;
	}
	r->done++;
	return true;
}
