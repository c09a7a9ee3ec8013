/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_TREE_WRITER_H
#define LKVM_TREE_WRITER_H

#include "vmm/base/error.h"
#include "vmm/base/types.h"

/**
 * struct tree_writer - a device tree that is being written, from top to bottom
 * @fdt: what there is of it, in libfdt's sequential-write form; owned
 * @size: bytes of the buffer
 * @depth: nodes that are open
 * @failed: a step has failed (negative errno): the others do nothing, and
 *          tree_finish() tells
 */
struct tree_writer {
	void *fdt;
	u32 size;
	u32 depth;
	int failed;
};

void tree_begin(struct tree_writer *w);
void tree_node_begin(struct tree_writer *w, const char *name);
void tree_node_end(struct tree_writer *w);
void tree_fail(struct tree_writer *w, int code);
void *tree_property(struct tree_writer *w, const char *name, size_t len);
void tree_property_string(struct tree_writer *w, const char *name,
			  const char *text);
void tree_property_u32(struct tree_writer *w, const char *name, u32 value);
void tree_property_u64(struct tree_writer *w, const char *name, u64 value);
int tree_finish(struct tree_writer *w, void **blob, u32 *len,
		struct error *err) __must_check;
void tree_abandon(struct tree_writer *w);

#endif /* LKVM_TREE_WRITER_H */
