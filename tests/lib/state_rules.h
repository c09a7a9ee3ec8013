/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: what every state table must keep to, whatever device it belongs to
 *
 * Each function looks at one table, with all that are nested in it, and says
 * in one line what is wrong with it.
 */
#ifndef TESTS_LIB_STATE_RULES_H
#define TESTS_LIB_STATE_RULES_H

#include "tests/lib/random.h"
#include "vmm/base/error.h"
#include "vmm/state.h"

int state_rules_table(const struct state_desc *desc, struct error *err);
int state_rules_coverage(const struct state_desc *desc, struct error *err);
int state_rules_survive(const struct state_desc *desc, struct test_random *rnd,
			struct error *err);
int state_rules_ranges(const struct state_desc *desc, struct error *err);
int state_rules_properties(const struct state_desc *desc, struct error *err);

#endif /* TESTS_LIB_STATE_RULES_H */
