/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_LIB_STATE_RANDOM_H
#define TESTS_LIB_STATE_RANDOM_H

#include "tests/lib/random.h"
#include "vmm/state.h"

void test_state_random(struct test_random *rnd, const struct state_desc *desc,
		       void *state);
void test_state_least(const struct state_desc *desc, void *state);
u64 test_state_get(const struct state_field *field, const void *state,
		   u32 index);
void test_state_set(const struct state_field *field, void *state, u32 index,
		    u64 value);
u32 test_state_count(const struct state_field *field, const void *state);
void test_state_set_count(const struct state_field *field, void *state,
			  u32 count);
u64 test_state_type_max(const struct state_field *field);

#endif /* TESTS_LIB_STATE_RANDOM_H */
