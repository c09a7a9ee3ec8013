/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_STATE_TABLES_H
#define LKVM_STATE_TABLES_H

#include <stdio.h>

#include "vmm/state.h"

#define STATE_TABLES_MAX	64

/**
 * struct state_table - a state table and whose it is
 * @name: a device class, or "machine" or "cpu" for the architecture's
 * @desc: the table
 */
struct state_table {
	const char *name;
	const struct state_desc *desc;
};

u32 state_tables(struct state_table *out);

#endif /* LKVM_STATE_TABLES_H */
