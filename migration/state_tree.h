/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_MIGRATION_STATE_TREE_H
#define LKVM_MIGRATION_STATE_TREE_H

#include <stdio.h>

#include "vmm/base/tree_writer.h"
#include "vmm/state.h"

#define STATE_FIELDS_MAX	256	/* in one table */
#define STATE_DEPTH_MAX		8	/* tables within tables */

u32 state_elem_size(const struct state_field *field);
int state_check(const struct state_desc *desc, const void *state,
		const char *name, struct error *err) __must_check;
int state_encode(const struct state_desc *desc, const void *state,
		 struct tree_writer *w, const char *name, struct error *err)
	__must_check;
int state_tree_check(const void *blob, size_t len, struct error *err)
	__must_check;
int state_decode(const struct state_desc *desc, const void *fdt, int node,
		 void *state, struct error *err) __must_check;
int state_decode_new(const struct state_desc *desc, const void *fdt, int node,
		     void **state, struct error *err) __must_check;
void state_schema_write(const struct state_desc *desc, FILE *out);

#endif /* LKVM_MIGRATION_STATE_TREE_H */
