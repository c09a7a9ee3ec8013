// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: all state tables that this lkvm has
 *
 * Those of the registered device classes and those of the architecture: what
 * the state of a machine may consist of. For `lkvm state-schema` and for the
 * tests that look at every one of them.
 *
 * Pure functions, any thread.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "migration/state_tables.h"
#include "vmm/arch.h"
#include "vmm/device.h"

static int by_name(const void *a, const void *b)
{
	const struct state_table *ta = a, *tb = b;

	return strcmp(ta->name, tb->name);
}

/**
 * state_tables() - all state tables, by name
 * @out: room for STATE_TABLES_MAX
 *
 * Return: how many there are.
 */
u32 state_tables(struct state_table *out)
{
	const struct device_class *const *classes;
	u32 i, nr, found = 0;

	classes = device_classes(&nr);
	assert(nr + 2 <= STATE_TABLES_MAX);
	for (i = 0; i < nr; i++)
		if (classes[i]->state)
			out[found++] = (struct state_table) {
				classes[i]->name, classes[i]->state,
			};
	out[found++] = (struct state_table) { "machine", arch_vm_state() };
	out[found++] = (struct state_table) { "cpu", arch_vcpu_state() };
	qsort(out, found, sizeof(*out), by_name);
	return found;
}
