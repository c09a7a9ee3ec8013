// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: writing a device tree of any size
 *
 * libfdt writes into a buffer of a given size; here the buffer grows. A step
 * that fails makes the following ones do nothing, so that a writer need look
 * at the result only once, at tree_finish().
 *
 * One thread at a time per writer.
 */
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/tree_writer.h"

#define TREE_FIRST	(8 * KIB)	/* libfdt clears all of it */
#define TREE_MAX	(256 * MIB)	/* far below what libfdt's ints hold */

static int grow(struct tree_writer *w)
{
	void *bigger;
	u32 size = w->size * 2;

	if (size > TREE_MAX)
		return -E2BIG;
	/* Zeroed: libfdt leaves the padding of values as it finds it. */
	bigger = calloc(1, size);
	if (!bigger)
		return -ENOMEM;
	if (fdt_resize(w->fdt, bigger, (int)size) < 0) {
		free(bigger);
		return -EINVAL;
	}
	free(w->fdt);
	w->fdt = bigger;
	w->size = size;
	return 0;
}

/* Is the step done? False: the buffer has grown, take the step again. */
static bool step_done(struct tree_writer *w, int ret)
{
	if (ret == -FDT_ERR_NOSPACE)
		w->failed = grow(w);
	else if (ret < 0)
		w->failed = -EINVAL;
	else
		return true;
	return w->failed;
}

/**
 * tree_begin() - start a tree and open its root node
 * @w: the writer; what it held is forgotten
 */
void tree_begin(struct tree_writer *w)
{
	memset(w, 0, sizeof(*w));
	w->size = TREE_FIRST;
	w->fdt = calloc(1, w->size);
	if (!w->fdt) {
		w->failed = -ENOMEM;
		return;
	}
	if (fdt_create(w->fdt, (int)w->size) < 0 ||
	    fdt_finish_reservemap(w->fdt) < 0) {
		w->failed = -EINVAL;
		return;
	}
	tree_node_begin(w, "");
}

/**
 * tree_node_begin() - open a node
 * @w: the writer
 * @name: its name, with the unit address
 *
 * Properties come before sub-nodes.
 */
void tree_node_begin(struct tree_writer *w, const char *name)
{
	while (!w->failed && !step_done(w, fdt_begin_node(w->fdt, name)))
		;
	w->depth++;
}

/**
 * tree_node_end() - close the node that was opened last
 * @w: the writer
 */
void tree_node_end(struct tree_writer *w)
{
	assert(w->depth);
	while (!w->failed && !step_done(w, fdt_end_node(w->fdt)))
		;
	w->depth--;
}

/**
 * tree_fail() - the caller cannot go on
 * @w: the writer, which will do nothing more but tell
 * @code: negative errno; the first one counts
 */
void tree_fail(struct tree_writer *w, int code)
{
	if (!w->failed)
		w->failed = code;
}

/**
 * tree_property() - add a property whose value the caller fills in
 * @w: the writer
 * @name: its name
 * @len: bytes of its value
 *
 * Return: where the value goes, before the next step; NULL when the writer
 * has failed.
 */
void *tree_property(struct tree_writer *w, const char *name, size_t len)
{
	void *value = NULL;

	if (len > TREE_MAX)
		w->failed = -E2BIG;
	while (!w->failed &&
	       !step_done(w, fdt_property_placeholder(w->fdt, name, (int)len,
						      &value)))
		;
	return w->failed ? NULL : value;
}

/**
 * tree_property_string() - add a property that is a text
 * @w: the writer
 * @name: its name
 * @text: its value
 */
void tree_property_string(struct tree_writer *w, const char *name,
			  const char *text)
{
	size_t len = strlen(text) + 1;
	void *value = tree_property(w, name, len);

	if (value)
		memcpy(value, text, len);
}

/**
 * tree_property_u32() - add a property that is one cell
 * @w: the writer
 * @name: its name
 * @value: its value
 */
void tree_property_u32(struct tree_writer *w, const char *name, u32 value)
{
	void *at = tree_property(w, name, sizeof(value));

	if (at)
		fdt32_st(at, value);
}

/**
 * tree_property_u64() - add a property that is two cells
 * @w: the writer
 * @name: its name
 * @value: its value
 */
void tree_property_u64(struct tree_writer *w, const char *name, u64 value)
{
	void *at = tree_property(w, name, sizeof(value));

	if (at)
		fdt64_st(at, value);
}

/**
 * tree_finish() - close the root node and hand the tree out
 * @w: the writer, with no other node open; empty afterwards in any case
 * @blob: the tree; the caller frees it
 * @len: its bytes
 * @err: why there is none
 *
 * Return: 0, -ENOMEM, -E2BIG, or -EINVAL for a name that no tree can have.
 */
int tree_finish(struct tree_writer *w, void **blob, u32 *len,
		struct error *err)
{
	int ret;

	tree_node_end(w);
	assert(!w->depth);
	while (!w->failed && !step_done(w, fdt_finish(w->fdt)))
		;
	ret = w->failed;
	if (ret < 0) {
		tree_abandon(w);
		return error_set(err, ret, "cannot write a device tree: %s",
				 strerror(-ret));
	}
	*blob = w->fdt;
	*len = fdt_totalsize(w->fdt);
	memset(w, 0, sizeof(*w));
	return 0;
}

/**
 * tree_abandon() - throw away what was written
 * @w: the writer; one that is finished or zeroed is fine
 */
void tree_abandon(struct tree_writer *w)
{
	free(w->fdt);
	memset(w, 0, sizeof(*w));
}
