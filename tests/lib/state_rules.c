// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: what every state table must keep to, whatever device it belongs to
 *
 * See state_rules.h. The rules about trees are tried on the state with every
 * value at its minimum, where each counted field has one element: all nodes
 * that can be there are there once, and small.
 */
#include <ctype.h>
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

#include "migration/state_tree.h"
#include "tests/lib/state_random.h"
#include "tests/lib/state_rules.h"
#include "vmm/base/math.h"

#define NAME_MAX_LEN	30
#define NODE		"rules"

static bool name_is_good(const char *name)
{
	size_t len = strlen(name), i;

	if (!len || len > NAME_MAX_LEN || !islower((u8)name[0]))
		return false;
	for (i = 0; i < len; i++)
		if (!islower((u8)name[i]) && !isdigit((u8)name[i]) &&
		    name[i] != '-')
			return false;
	return strcmp(name, "compatible");
}

/* "lkvm,NAME-vN" */
static bool compatible_is_good(const char *text)
{
	const char *version = strrchr(text, '-');
	char name[NAME_MAX_LEN + 1];
	size_t len;

	if (strncmp(text, "lkvm,", 5) || !version || version[1] != 'v')
		return false;
	len = (size_t)(version - text) - 5;
	if (len > NAME_MAX_LEN)
		return false;
	memcpy(name, text + 5, len);
	name[len] = 0;
	version += 2;
	return name_is_good(name) && version[0] >= '1' && version[0] <= '9' &&
	       strspn(version, "0123456789") == strlen(version);
}

static int field_rules(const struct state_desc *desc,
		       const struct state_field *f, struct error *err)
{
	u64 type_max = test_state_type_max(f);

	if (!name_is_good(f->name))
		return error_set(err, -EINVAL, "the name \"%s\"", f->name);
	if (!f->capacity)
		return error_set(err, -EINVAL, "\"%s\" has no capacity",
				 f->name);
	if ((f->kind == STATE_KIND_STRUCT) != !!f->nested)
		return error_set(err, -EINVAL, "\"%s\": nested table", f->name);
	if (!range_fits(f->offset, (u64)f->capacity * state_elem_size(f),
			desc->size))
		return error_set(err, -EINVAL, "\"%s\" ends beyond the struct",
				 f->name);
	if (f->count_offset != STATE_NO_COUNT &&
	    !range_fits(f->count_offset, sizeof(u32), desc->size))
		return error_set(err, -EINVAL,
				 "the count of \"%s\" ends beyond the struct",
				 f->name);
	if (f->kind == STATE_KIND_STRUCT || f->kind == STATE_KIND_BYTES)
		return 0;
	if (f->min > f->max || f->max > type_max)
		return error_set(err, -EINVAL, "\"%s\": its range", f->name);
	if (f->optional && (f->def < f->min || f->def > f->max))
		return error_set(err, -EINVAL,
				 "\"%s\": the default is not in its range",
				 f->name);
	return 0;
}

static int table_rules(const struct state_desc *desc, u32 depth,
		       struct error *err)
{
	u32 i, j;
	int ret;

	if (depth > STATE_DEPTH_MAX)
		return error_set(err, -EINVAL, "%s: nested too deeply",
				 desc->compatible);
	if (!compatible_is_good(desc->compatible))
		return error_set(err, -EINVAL, "%s: is not \"lkvm,NAME-vN\"",
				 desc->compatible);
	if (!desc->nr || desc->nr > STATE_FIELDS_MAX)
		return error_set(err, -EINVAL, "%s: has %u fields",
				 desc->compatible, desc->nr);
	for (i = 0; i < desc->nr; i++) {
		const struct state_field *f = &desc->fields[i];

		ret = field_rules(desc, f, err);
		if (ret)
			return error_prefix(err, "%s", desc->compatible);
		for (j = 0; j < i; j++)
			if (!strcmp(desc->fields[j].name, f->name))
				return error_set(err, -EINVAL,
						 "%s: \"%s\" is there twice",
						 desc->compatible, f->name);
		if (f->nested) {
			ret = table_rules(f->nested, depth + 1, err);
			if (ret)
				return ret;
		}
	}
	return 0;
}

/**
 * state_rules_table() - names, ranges and places within the struct
 * @desc: the table
 * @err: what is wrong
 *
 * Return: 0 or -EINVAL.
 */
int state_rules_table(const struct state_desc *desc, struct error *err)
{
	return table_rules(desc, 1, err);
}

static int claim(u8 *owner, u64 offset, u64 len, const char *name,
		 struct error *err)
{
	u64 i;

	for (i = offset; i < offset + len; i++)
		if (owner[i]++)
			return error_set(err, -EINVAL,
					 "byte %llu of the struct belongs to \"%s\" and to another field",
					 (unsigned long long)i, name);
	return 0;
}

/* The bytes that no field owns, and the field in front of them. */
static int find_gap(const struct state_desc *desc, const u8 *owner,
		    struct error *err)
{
	const char *before = "the beginning";
	u32 start, end, i, nearest = 0;

	for (start = 0; start < desc->size && owner[start]; start++)
		;
	if (start == desc->size)
		return 0;
	for (end = start; end < desc->size && !owner[end]; end++)
		;
	for (i = 0; i < desc->nr; i++) {
		if (desc->fields[i].offset < start &&
		    desc->fields[i].offset >= nearest) {
			nearest = desc->fields[i].offset;
			before = desc->fields[i].name;
		}
	}
	return error_set(err, -EINVAL,
			 "bytes %u to %u of the struct, behind \"%s\", belong to no field",
			 start, end - 1, before);
}

/**
 * state_rules_coverage() - every byte belongs to exactly one field
 * @desc: a table that state_rules_table() has passed
 * @err: which bytes do not
 *
 * Return: 0 or -EINVAL.
 */
int state_rules_coverage(const struct state_desc *desc, struct error *err)
{
	u8 *owner = calloc(1, desc->size);
	int ret = 0;
	u32 i;

	for (i = 0; i < desc->nr && !ret; i++) {
		const struct state_field *f = &desc->fields[i];

		ret = claim(owner, f->offset,
			    (u64)f->capacity * state_elem_size(f), f->name,
			    err);
		if (!ret && f->count_offset != STATE_NO_COUNT)
			ret = claim(owner, f->count_offset, sizeof(u32),
				    f->name, err);
	}
	if (!ret)
		ret = find_gap(desc, owner, err);
	free(owner);
	if (ret)
		return error_prefix(err, "%s", desc->compatible);
	for (i = 0; i < desc->nr && !ret; i++)
		if (desc->fields[i].nested)
			ret = state_rules_coverage(desc->fields[i].nested, err);
	return ret;
}

static int encode(const struct state_desc *desc, const void *state,
		  void **blob, u32 *len, struct error *err)
{
	struct tree_writer w;
	int ret;

	tree_begin(&w);
	ret = state_encode(desc, state, &w, NODE, err);
	if (ret) {
		tree_abandon(&w);
		return ret;
	}
	return tree_finish(&w, blob, len, err);
}

static int decode(const struct state_desc *desc, const void *blob, u32 len,
		  void **state, struct error *err)
{
	int ret = state_tree_check(blob, len, err);

	if (ret)
		return ret;
	return state_decode_new(desc, blob, fdt_path_offset(blob, "/" NODE),
				state, err);
}

/**
 * state_rules_survive() - a random legal state survives save, load and save
 * @desc: the table
 * @rnd: where chance comes from
 * @err: what does not
 *
 * Return: 0 or a negative errno.
 */
int state_rules_survive(const struct state_desc *desc, struct test_random *rnd,
			struct error *err)
{
	void *state = malloc(desc->size), *back = NULL;
	void *first = NULL, *second = NULL;
	u32 first_len, second_len;
	int ret;

	test_state_random(rnd, desc, state);
	ret = encode(desc, state, &first, &first_len, err);
	if (!ret)
		ret = decode(desc, first, first_len, &back, err);
	if (!ret && memcmp(state, back, desc->size))
		ret = error_set(err, -EINVAL, "%s: what is read is not what was written",
				desc->compatible);
	if (!ret)
		ret = encode(desc, back, &second, &second_len, err);
	if (!ret && (first_len != second_len ||
		     memcmp(first, second, first_len)))
		ret = error_set(err, -EINVAL, "%s: two trees of one state differ",
				desc->compatible);
	free(second);
	free(first);
	free(back);
	free(state);
	return ret;
}

/**
 * struct tree_walk - the same thing tried at each node of a tree
 * @desc: table of the whole
 * @blob: the good tree
 * @len: its bytes
 * @err: what went wrong
 * @visit: tries it at one node; 0 to go on
 */
struct tree_walk {
	const struct state_desc *desc;
	const void *blob;
	u32 len;
	struct error *err;
	int (*visit)(struct tree_walk *walk, const struct state_desc *desc,
		     int node);
};

static int walk_node(struct tree_walk *walk, const struct state_desc *desc,
		     int node)
{
	char name[NAME_MAX_LEN + 3];
	int ret = walk->visit(walk, desc, node), child;
	u32 i;

	for (i = 0; i < desc->nr && !ret; i++) {
		const struct state_field *f = &desc->fields[i];

		if (!f->nested)
			continue;
		snprintf(name, sizeof(name), "%s@0", f->name);
		child = fdt_subnode_offset(walk->blob, node, name);
		ret = walk_node(walk, f->nested, child);
	}
	return ret;
}

static int walk_tree(const struct state_desc *desc, struct error *err,
		     int (*visit)(struct tree_walk *walk,
				  const struct state_desc *desc, int node))
{
	struct tree_walk walk = {
		.desc = desc,
		.err = err,
		.visit = visit,
	};
	void *state = malloc(desc->size), *blob = NULL;
	int ret;

	test_state_least(desc, state);
	ret = encode(desc, state, &blob, &walk.len, err);
	walk.blob = blob;
	if (!ret)
		ret = walk_node(&walk, desc, fdt_path_offset(blob, "/" NODE));
	free(blob);
	free(state);
	return ret;
}

/* A bad tree is refused, and the message names the property. */
static int expect_refused(struct tree_walk *walk, const void *bad, u32 len,
			  const char *name, const char *what)
{
	struct error why = ERROR_INIT;
	char quoted[NAME_MAX_LEN + 3];
	void *state;

	if (!decode(walk->desc, bad, len, &state, &why)) {
		free(state);
		return error_set(walk->err, -EINVAL, "%s: \"%s\" %s is accepted",
				 walk->desc->compatible, name, what);
	}
	snprintf(quoted, sizeof(quoted), "\"%s\"", name);
	if (strstr(why.text, quoted) && strstr(why.text, "/" NODE))
		return 0;
	return error_set(walk->err, -EINVAL, "%s: \"%s\" %s gives: %s",
			 walk->desc->compatible, name, what, why.text);
}

static int try_value(struct tree_walk *walk, const struct state_field *f,
		     int node, u64 value, const char *what)
{
	u32 size = state_elem_size(f), i;
	u8 cell[8];
	void *bad = malloc(walk->len);
	int ret;

	for (i = 0; i < size; i++)
		cell[i] = (u8)(value >> 8 * (size - 1 - i));
	memcpy(bad, walk->blob, walk->len);
	ret = fdt_setprop_inplace_namelen_partial(bad, node, f->name,
						  (int)strlen(f->name), 0,
						  cell, (int)size);
	if (ret)
		ret = error_set(walk->err, -EINVAL, "%s: %s", f->name,
				fdt_strerror(ret));
	else
		ret = expect_refused(walk, bad, walk->len, f->name, what);
	free(bad);
	return ret;
}

static int visit_ranges(struct tree_walk *walk, const struct state_desc *desc,
			int node)
{
	int ret = 0;
	u32 i;

	for (i = 0; i < desc->nr && !ret; i++) {
		const struct state_field *f = &desc->fields[i];

		if (f->nested || f->kind == STATE_KIND_BYTES)
			continue;
		if (f->min)
			ret = try_value(walk, f, node, f->min - 1,
					"below its minimum");
		if (!ret && f->max < test_state_type_max(f))
			ret = try_value(walk, f, node, f->max + 1,
					"above its maximum");
	}
	return ret;
}

/**
 * state_rules_ranges() - values next to each field's range are refused
 * @desc: the table
 * @err: which is not
 *
 * Return: 0 or a negative errno.
 */
int state_rules_ranges(const struct state_desc *desc, struct error *err)
{
	return walk_tree(desc, err, visit_ranges);
}

static int try_missing(struct tree_walk *walk, const char *name, int node)
{
	void *bad = malloc(walk->len);
	int ret;

	memcpy(bad, walk->blob, walk->len);
	fdt_nop_property(bad, node, name);
	ret = expect_refused(walk, bad, walk->len, name, "missing");
	free(bad);
	return ret;
}

static int try_unknown(struct tree_walk *walk, int node)
{
	u32 len = walk->len + 256;
	void *bad = malloc(len);
	int ret;

	fdt_open_into(walk->blob, bad, (int)len);
	fdt_setprop_u32(bad, node, "not-a-field", 1);
	ret = expect_refused(walk, bad, len, "not-a-field", "unknown");
	free(bad);
	return ret;
}

/* Copies a node; the property at offset @twice is written twice. */
static void copy_node(const void *fdt, int node, struct tree_writer *w,
		      int twice)
{
	int offset, child, len, times;

	fdt_for_each_property_offset(offset, fdt, node) {
		const char *name;
		const void *value = fdt_getprop_by_offset(fdt, offset, &name,
							  &len);

		for (times = offset == twice ? 2 : 1; times; times--) {
			void *at = tree_property(w, name, (u32)len);

			if (at)
				memcpy(at, value, (size_t)len);
		}
	}
	fdt_for_each_subnode(child, fdt, node) {
		tree_node_begin(w, fdt_get_name(fdt, child, NULL));
		copy_node(fdt, child, w, twice);
		tree_node_end(w);
	}
}

static int try_doubled(struct tree_walk *walk, const char *name, int offset)
{
	struct tree_writer w;
	void *bad;
	u32 len;
	int ret;

	tree_begin(&w);
	copy_node(walk->blob, 0, &w, offset);
	ret = tree_finish(&w, &bad, &len, walk->err);
	if (ret)
		return ret;
	ret = expect_refused(walk, bad, len, name, "doubled");
	free(bad);
	return ret;
}

static bool is_optional(const struct state_desc *desc, const char *name)
{
	u32 i;

	for (i = 0; i < desc->nr; i++)
		if (!strcmp(desc->fields[i].name, name))
			return desc->fields[i].optional;
	return false;
}

static int visit_properties(struct tree_walk *walk,
			    const struct state_desc *desc, int node)
{
	int offset, ret = try_unknown(walk, node);

	fdt_for_each_property_offset(offset, walk->blob, node) {
		const char *name;

		fdt_getprop_by_offset(walk->blob, offset, &name, NULL);
		if (!ret && !is_optional(desc, name))
			ret = try_missing(walk, name, node);
		if (!ret)
			ret = try_doubled(walk, name, offset);
		if (ret)
			return ret;
	}
	return ret;
}

/**
 * state_rules_properties() - unknown, missing and doubled ones are refused
 * @desc: the table
 * @err: which is not
 *
 * Return: 0 or a negative errno.
 */
int state_rules_properties(const struct state_desc *desc, struct error *err)
{
	return walk_tree(desc, err, visit_properties);
}
