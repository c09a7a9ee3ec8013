// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: flattened device trees for people and programs
 *
 * As source text (dts), which dtc compiles to the same tree again, and as
 * JSON. A property has no type; like other tools we take one that looks like
 * strings for strings, one of whole cells for numbers, and any other for bytes.
 * In JSON a property of 4 or 8 bytes is one number, since that is what ours
 * are, and bytes are a string of hexadecimal digits.
 *
 * A tree comes from a file and is hostile: tree_check() goes first, and nothing
 * is shown that would not be text on a terminal.
 */
#include <json-c/json.h>
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/cli/tree_print.h"

#define DEPTH_MAX	32

static bool is_printable(char c)
{
	return c >= ' ' && c < 0x7f;
}

static bool is_name(const char *name)
{
	while (name && is_printable(*name))
		name++;
	return name && !*name;
}

/* The names of a node and of its properties can be shown. */
static bool has_names(const void *fdt, int node)
{
	const char *name;
	int prop;

	if (!is_name(fdt_get_name(fdt, node, NULL)))
		return false;
	fdt_for_each_property_offset(prop, fdt, node) {
		fdt_getprop_by_offset(fdt, prop, &name, NULL);
		if (!is_name(name))
			return false;
	}
	return true;
}

/**
 * tree_check() - may a tree be looked at?
 * @fdt: the tree, at an address that is a multiple of 8
 * @len: how many bytes there are
 * @err: set on failure
 *
 * Return: 0 or -EINVAL.
 */
int tree_check(const void *fdt, u64 len, struct error *err)
{
	int ret = len < sizeof(struct fdt_header) ? -FDT_ERR_TRUNCATED :
						    fdt_check_full(fdt, len);
	int node, depth = 0;

	/* Behind the last one the depth is negative. */
	for (node = 0; !ret && node >= 0 && depth >= 0;
	     node = fdt_next_node(fdt, node, &depth))
		if (depth > DEPTH_MAX || !has_names(fdt, node))
			ret = -FDT_ERR_BADSTRUCTURE;
	return ret ? error_set(err, -EINVAL, "no device tree: %s",
			       fdt_strerror(ret)) : 0;
}

/**
 * tree_text() - a property that is to be one string
 * @fdt: a tree that tree_check() has passed
 * @path: of the node
 * @name: of the property
 *
 * Return: the string, "?" when there is none that can be shown.
 */
const char *tree_text(const void *fdt, const char *path, const char *name)
{
	int node = fdt_path_offset(fdt, path), len = 0;
	const char *text = node < 0 ? NULL : fdt_getprop(fdt, node, name,
							 &len);

	return text && len > 0 && !text[len - 1] && is_name(text) ? text : "?";
}

/* One string or more, none of them empty. */
static bool is_strings(const char *data, int len)
{
	int i;

	if (len < 2 || data[len - 1] || !data[0])
		return false;
	for (i = 0; i < len; i++)
		if (!is_printable(data[i]) && (data[i] || (i && !data[i - 1])))
			return false;
	return true;
}

/* In what is not source text. */
static bool is_empty_string(const char *data, int len)
{
	return len == 1 && !data[0];
}

static void put_strings(const char *data, int len, FILE *out)
{
	const char *end = data + len;

	while (data < end) {
		putc('"', out);
		for (; *data; data++) {
			if (*data == '"' || *data == '\\')
				putc('\\', out);
			putc(*data, out);
		}
		data++;
		fputs(data < end ? "\", " : "\"", out);
	}
}

static void put_value(const void *data, int len, FILE *out)
{
	const u8 *bytes = data;
	int i;

	if (is_strings(data, len)) {
		put_strings(data, len, out);
	} else if (len % 4 == 0) {
		for (i = 0; i < len; i += 4)
			fprintf(out, "%s0x%02x", i ? " " : "<",
				fdt32_ld((const fdt32_t *)(bytes + i)));
		putc('>', out);
	} else {
		for (i = 0; i < len; i++)
			fprintf(out, "%s%02x", i ? " " : "[", bytes[i]);
		putc(']', out);
	}
}

static void indent(int depth, FILE *out)
{
	while (depth--)
		putc('\t', out);
}

static void put_properties(const void *fdt, int node, int depth, FILE *out)
{
	const char *name;
	const void *data;
	int prop, len;

	fdt_for_each_property_offset(prop, fdt, node) {
		data = fdt_getprop_by_offset(fdt, prop, &name, &len);
		if (!data)
			continue;
		indent(depth, out);
		fputs(name, out);
		if (len) {
			fputs(" = ", out);
			put_value(data, len, out);
		}
		fputs(";\n", out);
	}
}

static void put_node(const void *fdt, int node, const char *name, int depth,
		     FILE *out)
{
	int sub;

	indent(depth, out);
	fputs(name, out);
	fputs(" {\n", out);
	put_properties(fdt, node, depth + 1, out);
	fdt_for_each_subnode(sub, fdt, node)
		put_node(fdt, sub, fdt_get_name(fdt, sub, NULL), depth + 1,
			 out);
	indent(depth, out);
	fputs("};\n", out);
}

/**
 * tree_print_dts() - a tree as source text, as one node below a root
 * @fdt: a tree that tree_check() has passed
 * @name: of the node
 * @out: where to
 */
void tree_print_dts(const void *fdt, const char *name, FILE *out)
{
	put_node(fdt, 0, name, 1, out);
}

/**
 * tree_print_property() - "name=value", for one line of text
 * @fdt: a tree that tree_check() has passed
 * @prop: offset of the property
 * @out: where to
 */
void tree_print_property(const void *fdt, int prop, FILE *out)
{
	const char *name;
	int len, i;
	const void *data = fdt_getprop_by_offset(fdt, prop, &name, &len);
	const char *text = data;

	if (!data)
		return;
	fputs(name, out);
	putc('=', out);
	if (is_strings(data, len) || is_empty_string(data, len))
		for (i = 0; i < len - 1; i++)
			putc(text[i] ? text[i] : ',', out);
	else if (len == 4)
		fprintf(out, "%u", fdt32_ld(data));
	else if (len == 8)
		fprintf(out, "%llu", (unsigned long long)fdt64_ld(data));
	else
		for (i = 0; i < len; i++)
			fprintf(out, "%02x", (unsigned int)(u8)text[i]);
}

static struct json_object *strings_to_json(const char *data, int len)
{
	const char *end = data + len;
	struct json_object *list;

	if ((int)strlen(data) + 1 == len)
		return json_object_new_string(data);
	list = json_object_new_array();
	for (; data < end; data += strlen(data) + 1)
		json_object_array_add(list, json_object_new_string(data));
	return list;
}

static struct json_object *bytes_to_json(const u8 *data, int len)
{
	static const char digits[] = "0123456789abcdef";
	struct json_object *obj;
	char *text = malloc(2 * (size_t)len + 1);
	int i;

	if (!text)
		return NULL;
	for (i = 0; i < len; i++) {
		text[2 * i] = digits[data[i] >> 4];
		text[2 * i + 1] = digits[data[i] & 15];
	}
	text[2 * len] = '\0';
	obj = json_object_new_string(text);
	free(text);
	return obj;
}

static struct json_object *value_to_json(const void *data, int len)
{
	if (is_strings(data, len) || is_empty_string(data, len))
		return strings_to_json(data, len);
	if (len == 4)
		return json_object_new_int64(fdt32_ld(data));
	if (len == 8)
		return json_object_new_uint64(fdt64_ld(data));
	return bytes_to_json(data, len);
}

/**
 * tree_to_json() - a node with its properties and sub-nodes as an object
 * @fdt: a tree that tree_check() has passed
 * @node: offset of the node
 *
 * Return: the object, which the caller owns.
 */
struct json_object *tree_to_json(const void *fdt, int node)
{
	struct json_object *obj = json_object_new_object();
	const char *name;
	const void *data;
	int prop, sub, len;

	fdt_for_each_property_offset(prop, fdt, node) {
		data = fdt_getprop_by_offset(fdt, prop, &name, &len);
		if (data)
			json_object_object_add(obj, name,
					       value_to_json(data, len));
	}
	fdt_for_each_subnode(sub, fdt, node)
		json_object_object_add(obj, fdt_get_name(fdt, sub, NULL),
				       tree_to_json(fdt, sub));
	return obj;
}
