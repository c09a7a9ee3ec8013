// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: state structs as device-tree nodes
 *
 * A struct that a table describes (vmm/state.h) becomes a node: "compatible"
 * tells which table, each field of integers or bytes is a property, big-endian
 * as device trees have it, and each nested struct is a sub-node NAME@INDEX,
 * the index in hexadecimal and in rising order from 0. How many elements of a
 * counted field are in use follows from the property's length, or from the
 * number of sub-nodes.
 *
 * Decoding trusts nothing. A tree is first checked as a whole
 * (state_tree_check()), then each node: all that the table wants is there
 * once and nothing else is, every value is in its range. What is wrong is said
 * with node and property. Decoding goes into a fresh copy and touches no
 * device, so a bad tree changes nothing.
 *
 * Pure functions, any thread.
 */
#include <ctype.h>
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

#include "migration/state_tree.h"

#define NODE_NAME_MAX	48
#define TREE_DEPTH_MAX	16

/**
 * struct place - where in a tree of structs we are, for messages
 * @up: the struct around, NULL for the outermost
 * @name: of the field, or of the whole node
 * @index: which element; not said of the outermost
 */
struct place {
	const struct place *up;
	const char *name;
	u32 index;
};

static size_t place_text(const struct place *place, char *buf, size_t len)
{
	size_t n = 0;

	if (!place->up) {
		n = (size_t)snprintf(buf, len, "%s", place->name);
	} else {
		n = place_text(place->up, buf, len);
		if (n < len)
			n += (size_t)snprintf(buf + n, len - n, "/%s@%x",
					      place->name, place->index);
	}
	return n < len ? n : len;
}

static int __printf(4, 5) fail(const struct place *place, struct error *err,
			       int code, const char *fmt, ...)
{
	char path[200], *at;
	va_list ap;

	if (!err)
		return code;
	va_start(ap, fmt);
	error_set_v(err, code, fmt, ap);
	va_end(ap);
	/* Names from a hostile tree must not play with the terminal. */
	for (at = err->text; *at; at++)
		if (!isprint((u8)*at))
			*at = '?';
	place_text(place, path, sizeof(path));
	return error_prefix(err, "%s", path);
}

/**
 * state_elem_size() - bytes of one element of a field, in the struct
 * @field: the field
 *
 * Return: at least 1. Integers take as much in a property.
 */
u32 state_elem_size(const struct state_field *field)
{
	switch (field->kind) {
	case STATE_KIND_U16:
		return sizeof(u16);
	case STATE_KIND_U32:
		return sizeof(u32);
	case STATE_KIND_U64:
		return sizeof(u64);
	case STATE_KIND_STRUCT:
		return field->nested->size;
	case STATE_KIND_U8:
	case STATE_KIND_BYTES:
		break;
	}
	return sizeof(u8);
}

static u64 elem_get(const struct state_field *field, const u8 *at)
{
	u16 v16;
	u32 v32;
	u64 v64;

	switch (field->kind) {
	case STATE_KIND_U16:
		memcpy(&v16, at, sizeof(v16));
		return v16;
	case STATE_KIND_U32:
		memcpy(&v32, at, sizeof(v32));
		return v32;
	case STATE_KIND_U64:
		memcpy(&v64, at, sizeof(v64));
		return v64;
	default:
		return *at;
	}
}

static void elem_set(const struct state_field *field, u8 *at, u64 value)
{
	u16 v16 = (u16)value;
	u32 v32 = (u32)value;

	switch (field->kind) {
	case STATE_KIND_U16:
		memcpy(at, &v16, sizeof(v16));
		break;
	case STATE_KIND_U32:
		memcpy(at, &v32, sizeof(v32));
		break;
	case STATE_KIND_U64:
		memcpy(at, &value, sizeof(value));
		break;
	default:
		*at = (u8)value;
	}
}

/* Big-endian integers of any size in a property, at any alignment. */
static u64 cell_get(const u8 *at, u32 bytes)
{
	u64 value = 0;

	while (bytes--)
		value = value << 8 | *at++;
	return value;
}

static void cell_set(u8 *at, u32 bytes, u64 value)
{
	while (bytes--) {
		at[bytes] = (u8)value;
		value >>= 8;
	}
}

static bool is_nested(const struct state_field *field)
{
	return field->kind == STATE_KIND_STRUCT;
}

static bool has_range(const struct state_field *field)
{
	return field->kind != STATE_KIND_BYTES && !is_nested(field);
}

static u32 count_get(const struct state_field *field, const void *state)
{
	u32 count;

	if (field->count_offset == STATE_NO_COUNT)
		return field->capacity;
	memcpy(&count, (const u8 *)state + field->count_offset, sizeof(count));
	return count;
}

static void count_set(const struct state_field *field, void *state, u32 count)
{
	if (field->count_offset != STATE_NO_COUNT)
		memcpy((u8 *)state + field->count_offset, &count,
		       sizeof(count));
}

static int check_value(const struct state_field *field, u32 index, u64 value,
		       const struct place *place, struct error *err)
{
	const char *why = value < field->min ? "below" : "above";
	u64 limit = value < field->min ? field->min : field->max;

	if (value >= field->min && value <= field->max)
		return 0;
	if (field->capacity == 1)
		return fail(place, err, -ERANGE,
			    "property \"%s\": %#llx is %s %#llx", field->name,
			    (unsigned long long)value, why,
			    (unsigned long long)limit);
	return fail(place, err, -ERANGE,
		    "property \"%s\": element %u: %#llx is %s %#llx",
		    field->name, index, (unsigned long long)value, why,
		    (unsigned long long)limit);
}

/* ---- a struct as it is in memory ---- */

static int check_struct(const struct state_desc *desc, const u8 *state,
			const struct place *place, struct error *err);

static int check_elements(const struct state_field *field, const u8 *elems,
			  u32 count, const struct place *place,
			  struct error *err)
{
	u32 size = state_elem_size(field), i;
	int ret = 0;

	for (i = 0; i < count && !ret; i++) {
		const u8 *at = elems + (size_t)i * size;

		if (is_nested(field)) {
			struct place inner = { place, field->name, i };

			ret = check_struct(field->nested, at, &inner, err);
		} else if (has_range(field)) {
			ret = check_value(field, i, elem_get(field, at), place,
					  err);
		}
	}
	return ret;
}

static int check_field(const struct state_field *field, const u8 *state,
		       const struct place *place, struct error *err)
{
	u32 size = state_elem_size(field);
	u32 count = count_get(field, state);
	const u8 *elems = state + field->offset;
	size_t i;

	if (count > field->capacity)
		return fail(place, err, -ERANGE,
			    "\"%s\" has %u elements, at most %u are possible",
			    field->name, count, field->capacity);
	for (i = (size_t)count * size; i < (size_t)field->capacity * size; i++)
		if (elems[i])
			return fail(place, err, -EINVAL,
				    "\"%s\" has data beyond its %u elements",
				    field->name, count);
	return check_elements(field, elems, count, place, err);
}

static int check_struct(const struct state_desc *desc, const u8 *state,
			const struct place *place, struct error *err)
{
	u32 i;
	int ret = 0;

	for (i = 0; i < desc->nr && !ret; i++)
		ret = check_field(&desc->fields[i], state, place, err);
	return ret;
}

/**
 * state_check() - is every value of a state in its range?
 * @desc: the table
 * @state: the struct
 * @name: what it is the state of, for messages
 * @err: which field is not, and why
 *
 * Return: 0, -ERANGE, or -EINVAL when unused elements are not zero.
 */
int state_check(const struct state_desc *desc, const void *state,
		const char *name, struct error *err)
{
	struct place place = { NULL, name, 0 };

	return check_struct(desc, state, &place, err);
}

/* ---- struct to node ---- */

static void encode_struct(const struct state_desc *desc, const u8 *state,
			  struct tree_writer *w);

static void encode_property(const struct state_field *field, const u8 *state,
			    struct tree_writer *w)
{
	u32 size = state_elem_size(field), count = count_get(field, state), i;
	const u8 *elems = state + field->offset;
	u8 *out = tree_property(w, field->name, count * size);

	if (!out)
		return;
	if (size == 1) {
		memcpy(out, elems, count);
		return;
	}
	for (i = 0; i < count; i++)
		cell_set(out + (size_t)i * size, size,
			 elem_get(field, elems + (size_t)i * size));
}

static void encode_nested(const struct state_field *field, const u8 *state,
			  struct tree_writer *w)
{
	u32 count = count_get(field, state), i;
	char name[NODE_NAME_MAX];

	for (i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "%s@%x", field->name, i);
		tree_node_begin(w, name);
		encode_struct(field->nested, state + field->offset +
			      (size_t)i * field->nested->size, w);
		tree_node_end(w);
	}
}

static void encode_struct(const struct state_desc *desc, const u8 *state,
			  struct tree_writer *w)
{
	u32 i;

	tree_property_string(w, "compatible", desc->compatible);
	for (i = 0; i < desc->nr; i++)
		if (!is_nested(&desc->fields[i]))
			encode_property(&desc->fields[i], state, w);
	for (i = 0; i < desc->nr; i++)
		if (is_nested(&desc->fields[i]))
			encode_nested(&desc->fields[i], state, w);
}

/**
 * state_encode() - write a state as a node
 * @desc: the table
 * @state: the struct
 * @w: the tree; the node becomes a child of the one that is open
 * @name: of the node
 * @err: which field is out of its range
 *
 * A state that could not be loaded is not saved: it is checked first.
 *
 * Return: 0, -ERANGE or -EINVAL. What goes wrong in @w is told by
 * tree_finish().
 */
int state_encode(const struct state_desc *desc, const void *state,
		 struct tree_writer *w, const char *name, struct error *err)
{
	int ret = state_check(desc, state, name, err);

	if (ret < 0)
		return ret;
	tree_node_begin(w, name);
	encode_struct(desc, state, w);
	tree_node_end(w);
	return 0;
}

/* ---- node to struct ---- */

/*
 * libfdt's calls do not see a property that follows a sub-node; such a tree
 * is malformed.
 */
static int check_order(const void *fdt, struct error *err)
{
	int offset = 0, next, depth = 0;
	u32 tag, last = FDT_NOP;

	for (;; offset = next) {
		tag = fdt_next_tag(fdt, offset, &next);
		if (tag == FDT_END)
			return next < 0 ? error_set(err, -EINVAL,
				"device tree: %s", fdt_strerror(next)) : 0;
		if (tag == FDT_PROP && last == FDT_END_NODE)
			return error_set(err, -EINVAL,
					 "device tree: a property at %#x follows a sub-node",
					 offset);
		depth += tag == FDT_BEGIN_NODE;
		depth -= tag == FDT_END_NODE;
		if (depth > TREE_DEPTH_MAX)
			return error_set(err, -EINVAL,
					 "device tree: more than %d levels of nodes",
					 TREE_DEPTH_MAX);
		if (tag != FDT_NOP)
			last = tag;
	}
}

/**
 * state_tree_check() - is this a whole and well-formed device tree?
 * @blob: the tree, 8-byte aligned
 * @len: bytes that are there
 * @err: what is wrong
 *
 * To be called once, before anything else looks at a tree from outside.
 *
 * Return: 0 or -EINVAL.
 */
int state_tree_check(const void *blob, size_t len, struct error *err)
{
	int ret;

	if (len < sizeof(struct fdt_header) || len > INT32_MAX)
		return error_set(err, -EINVAL,
				 "device tree: %zu bytes cannot be one", len);
	ret = fdt_check_full(blob, len);
	if (ret < 0)
		return error_set(err, -EINVAL, "device tree: %s",
				 fdt_strerror(ret));
	return check_order(blob, err);
}

static int decode_struct(const struct state_desc *desc, const void *fdt,
			 int node, u8 *state, const struct place *place,
			 struct error *err);

static const struct state_field *find_field(const struct state_desc *desc,
					    const char *name, size_t len,
					    bool nested)
{
	u32 i;

	for (i = 0; i < desc->nr; i++) {
		const struct state_field *field = &desc->fields[i];

		if (is_nested(field) == nested &&
		    strlen(field->name) == len &&
		    !memcmp(field->name, name, len))
			return field;
	}
	return NULL;
}

static int check_compatible(const struct state_desc *desc, const void *fdt,
			    int node, const struct place *place,
			    struct error *err)
{
	int len;
	const char *text = fdt_getprop(fdt, node, "compatible", &len);

	if (!text)
		return fail(place, err, -EINVAL,
			    "property \"compatible\" is missing");
	if (len != (int)strlen(desc->compatible) + 1 ||
	    memcmp(text, desc->compatible, (size_t)len))
		return fail(place, err, -EINVAL,
			    "property \"compatible\": \"%.*s\" is not \"%s\"",
			    (int)strnlen(text, len < 64 ? (size_t)len : 64),
			    text, desc->compatible);
	return 0;
}

static int decode_property(const struct state_field *field, const u8 *value,
			   u32 len, u8 *state, const struct place *place,
			   struct error *err)
{
	u32 size = state_elem_size(field), count = len / size, i;
	int ret = 0;

	if (len % size)
		return fail(place, err, -EINVAL,
			    "property \"%s\": %u bytes are not a multiple of %u",
			    field->name, len, size);
	if (count > field->capacity ||
	    (field->count_offset == STATE_NO_COUNT && count != field->capacity))
		return fail(place, err, -EINVAL,
			    "property \"%s\": has %u elements, %s %u",
			    field->name, count,
			    field->count_offset == STATE_NO_COUNT ?
			    "must have" : "can have", field->capacity);
	count_set(field, state, count);
	for (i = 0; i < count && !ret; i++) {
		u64 v = cell_get(value + (size_t)i * size, size);

		elem_set(field, state + field->offset + (size_t)i * size, v);
		if (has_range(field))
			ret = check_value(field, i, v, place, err);
	}
	return ret;
}

static int decode_properties(const struct state_desc *desc, const void *fdt,
			     int node, u8 *state, u32 *seen,
			     const struct place *place, struct error *err)
{
	bool compatible = false;
	int offset, ret;

	fdt_for_each_property_offset(offset, fdt, node) {
		const struct state_field *field;
		const char *name;
		const void *value;
		int len;

		value = fdt_getprop_by_offset(fdt, offset, &name, &len);
		if (!value || !name)
			return fail(place, err, -EINVAL,
				    "a property cannot be read: %s",
				    fdt_strerror(len));
		if (!strcmp(name, "compatible")) {
			if (compatible)
				return fail(place, err, -EINVAL,
					    "property \"compatible\" is there twice");
			compatible = true;
			continue;
		}
		field = find_field(desc, name, strlen(name), false);
		if (!field)
			return fail(place, err, -EINVAL,
				    "property \"%.64s\" is not known", name);
		if (seen[field - desc->fields]++)
			return fail(place, err, -EINVAL,
				    "property \"%s\" is there twice", name);
		ret = decode_property(field, value, (u32)len, state, place,
				      err);
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* The index after "@", in the one way of writing it; -1 when it is none. */
static s64 parse_index(const char *text)
{
	char again[16];
	char *end;
	unsigned long value;

	if (!*text || strlen(text) > 8)
		return -1;
	value = strtoul(text, &end, 16);
	snprintf(again, sizeof(again), "%lx", value);
	return strcmp(text, again) ? -1 : (s64)value;
}

static int decode_nested(const struct state_desc *desc, const void *fdt,
			 int node, u8 *state, u32 *seen,
			 const struct place *place, struct error *err)
{
	const struct state_field *field = NULL;
	const char *name = fdt_get_name(fdt, node, NULL);
	const char *at = name ? strchr(name, '@') : NULL;
	struct place inner = { place };
	s64 index;
	u32 next;

	if (at)
		field = find_field(desc, name, (size_t)(at - name), true);
	if (!field)
		return fail(place, err, -EINVAL, "node \"%.64s\" is not known",
			    name ? name : "?");
	next = seen[field - desc->fields];
	index = parse_index(at + 1);
	if (index < 0 || index >= field->capacity)
		return fail(place, err, -EINVAL,
			    "node \"%.64s\": its index is not a number below %#x",
			    name, field->capacity);
	if (index != next)
		return fail(place, err, -EINVAL, "node \"%.64s\": %s", name,
			    index < next ? "is there twice" :
			    "those before it are missing");
	seen[field - desc->fields]++;
	inner.name = field->name;
	inner.index = (u32)index;
	return decode_struct(field->nested, fdt, node, state + field->offset +
			     (size_t)index * field->nested->size, &inner, err);
}

static int absent_struct(const struct state_desc *desc, u8 *state,
			 const struct place *place, struct error *err);

/* A field that was not found: its default, if it may be absent. */
static int absent_field(const struct state_field *field, u8 *state,
			const struct place *place, struct error *err)
{
	u32 size = state_elem_size(field), i;
	int ret = 0;

	if (!field->optional)
		return fail(place, err, -EINVAL, "%s \"%s\" is missing",
			    is_nested(field) ? "node" : "property",
			    field->name);
	if (field->count_offset != STATE_NO_COUNT)
		return 0;
	for (i = 0; i < field->capacity && !ret; i++) {
		u8 *at = state + field->offset + (size_t)i * size;
		struct place inner = { place, field->name, i };

		if (is_nested(field))
			ret = absent_struct(field->nested, at, &inner, err);
		else
			elem_set(field, at, field->def);
	}
	return ret;
}

static int absent_struct(const struct state_desc *desc, u8 *state,
			 const struct place *place, struct error *err)
{
	int ret = 0;
	u32 i;

	for (i = 0; i < desc->nr && !ret; i++)
		ret = absent_field(&desc->fields[i], state, place, err);
	return ret;
}

static int finish_field(const struct state_field *field, u8 *state, u32 seen,
			const struct place *place, struct error *err)
{
	bool nested = is_nested(field);

	/* No sub-nodes is a count like any other. */
	if (nested && field->count_offset != STATE_NO_COUNT) {
		count_set(field, state, seen);
		return 0;
	}
	if (!seen)
		return absent_field(field, state, place, err);
	if (nested && seen != field->capacity)
		return fail(place, err, -EINVAL, "node \"%s@%x\" is missing",
			    field->name, seen);
	return 0;
}

static int decode_struct(const struct state_desc *desc, const void *fdt,
			 int node, u8 *state, const struct place *place,
			 struct error *err)
{
	u32 seen[STATE_FIELDS_MAX] = { 0 }, i;
	int child, ret;

	assert(desc->nr <= STATE_FIELDS_MAX);
	ret = check_compatible(desc, fdt, node, place, err);
	if (ret < 0)
		return ret;
	ret = decode_properties(desc, fdt, node, state, seen, place, err);
	if (ret < 0)
		return ret;
	fdt_for_each_subnode(child, fdt, node) {
		ret = decode_nested(desc, fdt, child, state, seen, place, err);
		if (ret < 0)
			return ret;
	}
	for (i = 0; i < desc->nr && !ret; i++)
		ret = finish_field(&desc->fields[i], state, seen[i], place,
				   err);
	return ret;
}

/**
 * state_decode() - read a state from a node
 * @desc: the table
 * @fdt: a tree that state_tree_check() has passed
 * @node: offset of the node
 * @state: the struct; its former contents are lost, also on failure
 * @err: which node and property is wrong, and why
 *
 * Return: 0, -EINVAL for a malformed node, -ERANGE for a value.
 */
int state_decode(const struct state_desc *desc, const void *fdt, int node,
		 void *state, struct error *err)
{
	char path[128];
	struct place place = { NULL, path, 0 };

	if (fdt_get_path(fdt, node, path, sizeof(path)) < 0)
		strcpy(path, "?");
	memset(state, 0, desc->size);
	return decode_struct(desc, fdt, node, state, &place, err);
}

/**
 * state_decode_new() - read a state into a fresh copy
 * @desc: the table
 * @fdt: see state_decode()
 * @node: offset of the node
 * @state: the copy; the caller frees it
 * @err: what is wrong
 *
 * Return: 0, -ENOMEM, or as state_decode().
 */
int state_decode_new(const struct state_desc *desc, const void *fdt, int node,
		     void **state, struct error *err)
{
	void *copy = malloc(desc->size);
	int ret;

	if (!copy)
		return error_set(err, -ENOMEM, "%s: out of memory",
				 desc->compatible);
	ret = state_decode(desc, fdt, node, copy, err);
	if (ret < 0) {
		free(copy);
		return ret;
	}
	*state = copy;
	return 0;
}

/* ---- documentation ---- */

static void schema_field(const struct state_field *field, FILE *out)
{
	static const char *const words[] = {
		[STATE_KIND_U8]		= "u8",
		[STATE_KIND_U16]	= "u16",
		[STATE_KIND_U32]	= "u32",
		[STATE_KIND_U64]	= "u64",
		[STATE_KIND_BYTES]	= "bytes",
		[STATE_KIND_STRUCT]	= "node",
	};

	fprintf(out, "%s %s", field->name, words[field->kind]);
	if (field->count_offset != STATE_NO_COUNT)
		fprintf(out, "[0..%u]", field->capacity);
	else if (field->capacity > 1)
		fprintf(out, "[%u]", field->capacity);
	if (has_range(field))
		fprintf(out, " %#llx..%#llx", (unsigned long long)field->min,
			(unsigned long long)field->max);
	if (field->optional)
		fprintf(out, " default %#llx", (unsigned long long)field->def);
	fputc('\n', out);
}

static void schema_struct(const struct state_desc *desc, FILE *out, int depth)
{
	u32 i;

	fprintf(out, "%*scompatible \"%s\"\n", depth * 4, "", desc->compatible);
	for (i = 0; i < desc->nr; i++) {
		fprintf(out, "%*s", depth * 4, "");
		schema_field(&desc->fields[i], out);
		if (is_nested(&desc->fields[i]))
			schema_struct(desc->fields[i].nested, out, depth + 1);
	}
}

/**
 * state_schema_write() - what a table promises, as text
 * @desc: the table
 * @out: where to
 *
 * One line a field: name, kind, number of elements, range, default; nested
 * tables are indented below their field. Two versions of lkvm understand each
 * other's images where these texts are equal.
 */
void state_schema_write(const struct state_desc *desc, FILE *out)
{
	schema_struct(desc, out, 0);
}
