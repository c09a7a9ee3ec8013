// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: options as properties of a device-tree node
 *
 * How a configuration is kept in the machine description: a property per
 * option, named like it.
 *
 *  =============  ==========================================================
 *  type           property
 *  =============  ==========================================================
 *  OPTION_BOOL    a cell, 0 or 1
 *  OPTION_U32     a cell
 *  OPTION_SIZE    two cells, bytes
 *  OPTION_STRING  a string; no property while it has no value
 *  OPTION_ENUM    a string, the word
 *  OPTION_LIST    a list of strings; no property while it is empty
 *  =============  ==========================================================
 *
 * Guest-visible and host-only options are kept in nodes of their own, so one
 * call saves or loads those of one scope. A node is untrusted when it is
 * loaded: it has gone through fdt_check_full() before, and everything in it is
 * checked as if a user had typed it. A property that is not there leaves the
 * default, an unknown one or one that comes twice is refused.
 *
 * Threads: none of its own; a configuration belongs to its caller.
 */
#include <errno.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/base/tree_writer.h"
#include "vmm/option_priv.h"

static const void *field(const struct option_desc *opt, const void *config)
{
	return (const u8 *)config + opt->offset;
}

static bool has_prefix(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

/* The text that is written for a value: a copy, NULL when there is none. */
static char *saved_text(const struct option_desc *opt, const char *text)
{
	char *cwd, *whole = NULL;

	if (!opt->path || !*text || *text == '/' ||
	    (opt->no_path && has_prefix(text, opt->no_path)))
		return strdup(text);
	cwd = getcwd(NULL, 0);
	if (cwd && asprintf(&whole, "%s/%s", strcmp(cwd, "/") ? cwd : "",
			    text) < 0)
		whole = NULL;
	free(cwd);
	return whole;
}

static void save_list(const struct option_desc *opt, const void *config,
		      struct tree_writer *w)
{
	const struct option_list *list = field(opt, config);
	size_t size = 0, len;
	char *all = NULL, *more, *text;
	void *value;
	u32 i;

	for (i = 0; i < list->nr; i++) {
		text = saved_text(opt, list->v[i]);
		len = text ? strlen(text) + 1 : 0;
		more = text ? realloc(all, size + len) : NULL;
		if (more) {
			all = more;
			memcpy(all + size, text, len);
			size += len;
		} else {
			tree_fail(w, -errno);
		}
		free(text);
	}
	value = size ? tree_property(w, opt->name, size) : NULL;
	if (value)
		memcpy(value, all, size);
	free(all);
}

static void save_string(const struct option_desc *opt, const char *value,
			struct tree_writer *w)
{
	char *text;

	if (!value)
		return;
	text = saved_text(opt, value);
	if (text)
		tree_property_string(w, opt->name, text);
	else
		tree_fail(w, -errno);
	free(text);
}

static void save_option(const struct option_desc *opt, const void *config,
			struct tree_writer *w)
{
	const void *at = field(opt, config);

	switch (opt->type) {
	case OPTION_BOOL:
		tree_property_u32(w, opt->name, *(const bool *)at);
		break;
	case OPTION_U32:
		tree_property_u32(w, opt->name, *(const u32 *)at);
		break;
	case OPTION_SIZE:
		tree_property_u64(w, opt->name, *(const u64 *)at);
		break;
	case OPTION_ENUM:
		tree_property_string(w, opt->name,
				     opt->words[*(const u32 *)at]);
		break;
	case OPTION_STRING:
		save_string(opt, *(char *const *)at, w);
		break;
	case OPTION_LIST:
		save_list(opt, config, w);
		break;
	}
}

/**
 * option_save_node() - write options as properties
 * @table: the options
 * @config: the configuration
 * @scope: which of them
 * @w: a tree being written, in the node that gets them; at its end it tells
 *     what failed
 *
 * Names of files become absolute on the way.
 */
void option_save_node(const struct option_table *table, const void *config,
		      enum option_scope scope, struct tree_writer *w)
{
	u32 i;

	for (i = 0; i < table->nr; i++)
		if (table->opts[i].scope == scope)
			save_option(&table->opts[i], config, w);
}

/* ---- loading ------------------------------------------------------------ */

static int load_number(const struct option_table *table,
		       const struct option_desc *opt, void *config,
		       const void *data, int len, struct error *err)
{
	int want = opt->type == OPTION_SIZE ? 8 : 4;
	char text[24];
	u64 v;

	if (len != want)
		return option_error(table, opt, NULL, err,
				    "property has %d bytes instead of %d", len,
				    want);
	v = want == 8 ? fdt64_ld(data) : fdt32_ld(data);
	snprintf(text, sizeof(text), "%llu", v);
	if (opt->type == OPTION_BOOL && v > 1)
		return option_error(table, opt, text, err, "must be 0 or 1");
	return option_store_number(table, opt, config, v, text, err);
}

static int load_texts(const struct option_table *table,
		      const struct option_desc *opt, void *config,
		      const char *data, int len, struct error *err)
{
	const char *end = data + len;
	int ret = 0;

	if (len <= 0 || end[-1])
		return option_error(table, opt, NULL, err,
				    "property is not a string");
	if (opt->type != OPTION_LIST && strlen(data) + 1 != (size_t)len)
		return option_error(table, opt, data, err,
				    "property is more than one string");
	for (; !ret && data < end; data += strlen(data) + 1)
		ret = opt->type == OPTION_ENUM ?
			option_store_word(table, opt, config, data, err) :
			option_store_text(table, opt, config, data, err);
	return ret;
}

static int load_option(const struct option_table *table,
		       const struct option_desc *opt, void *config,
		       const void *data, int len, struct error *err)
{
	switch (opt->type) {
	case OPTION_STRING:
	case OPTION_ENUM:
	case OPTION_LIST:
		return load_texts(table, opt, config, data, len, err);
	default:
		return load_number(table, opt, config, data, len, err);
	}
}

static const struct option_desc *find_scoped(const struct option_table *table,
					     enum option_scope scope,
					     const char *name)
{
	const struct option_desc *opt = option_find(table, name);

	return opt && opt->scope == scope ? opt : NULL;
}

/* fdt_getprop() finds the first of that name: is it this one? */
static bool is_first(const void *fdt, int node, const char *name,
		     const void *data)
{
	return fdt_getprop(fdt, node, name, NULL) == data;
}

/**
 * option_load_node() - set options from properties
 * @table: the options
 * @config: the configuration, with the defaults
 * @scope: the options that the node holds
 * @fdt: a tree that fdt_check_full() has passed
 * @node: offset of the node
 * @err: names the property that will not do
 *
 * Return: 0, -EINVAL, -ENOMEM.
 */
int option_load_node(const struct option_table *table, void *config,
		     enum option_scope scope, const void *fdt, int node,
		     struct error *err)
{
	const struct option_desc *opt;
	struct option_desc unknown = { };
	const void *data;
	int prop, len, ret;

	fdt_for_each_property_offset(prop, fdt, node) {
		data = fdt_getprop_by_offset(fdt, prop, &unknown.name, &len);
		if (!data)
			return error_set(err, -EINVAL,
					 "%s: damaged property: %s",
					 table->name, fdt_strerror(len));
		opt = find_scoped(table, scope, unknown.name);
		if (!opt)
			return option_error(table, &unknown, NULL, err,
					    "unknown property");
		if (!is_first(fdt, node, opt->name, data))
			return option_error(table, opt, NULL, err,
					    "property comes twice");
		ret = load_option(table, opt, config, data, len, err);
		if (ret)
			return ret;
	}
	return 0;
}
