// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: a guest that writes to its memory at a steady rate, without end
 *
 * The guest of the migration benchmark: how long it stands still depends on how
 * much of its memory is new since the last round. After a pause it does not
 * catch up.
 */
#include "tests/kvm/guest/lib.h"
#include "tests/kvm/guest/mem.h"
#include "tests/kvm/guest/platform.h"
#include "tests/kvm/guest/test.h"

#define NS_PER_S	1000000000ull
#define BEHIND_NS	20000000ull	/* so late it is still made up for */

static int test_dirty(void)
{
	const uint64_t pages = MIB(arg_number("mem", 64)) / PAGE_SIZE;
	const uint64_t step = NS_PER_S / arg_number("rate", 1000);
	uint64_t *at = mem_alloc(pages * PAGE_SIZE, PAGE_SIZE);
	uint64_t n, now, due = now_ns();

	CHECK(step, "rate is at most %lu pages a second", (uint64_t)NS_PER_S);
	print("guest: dirty: %lu pages, one every %lu ns\n", pages, step);
	for (n = 0;; n++) {
		do
			now = now_ns();
		while (now < due);
		due = now - due > BEHIND_NS ? now : due + step;
		at[n % pages * (PAGE_SIZE / sizeof(*at))] = now;
	}
}

const struct test dirty_tests[] = {
	{ "dirty", test_dirty,
	  "write to pages of mem MiB in turn, rate in a second, without end" },
	{ 0 },
};
