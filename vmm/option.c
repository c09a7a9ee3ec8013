// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: options as tables: parsing, defaults, ranges
 *
 * A device, the machine and each subcommand describe their options in a
 * table (struct option_table) and get a plain struct filled in. Nothing here
 * knows where a text came from: the command line, a script, a test. The same
 * tables are what help texts, man pages, shell completion and the machine
 * description (option_tree.c) are made from.
 *
 * A text is ``word,key=value,key,key=value``: a leading word without "=" is
 * the table's positional option, a bare key is a bool. A comma within a value
 * is written twice. A scalar that is given again replaces the earlier value;
 * a list grows.
 *
 * A failure is one line that names the option, the value and the remedy.
 * Values never hold control characters, so such a line stays one line.
 *
 * Threads: none of its own; a configuration belongs to its caller.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/option_priv.h"

/* How much of a refused value a message repeats. */
#define SHOWN	64

static void *field(const struct option_desc *opt, const void *config)
{
	return (u8 *)(uintptr_t)config + opt->offset;
}

/**
 * option_error() - say what is wrong with one option
 * @table: whose option
 * @opt: the option
 * @value: what was given, NULL when that does not matter
 * @err: where to
 * @fmt: printf format: what is wrong with it, and the remedy
 *
 * Return: -EINVAL.
 */
int option_error(const struct option_table *table,
		 const struct option_desc *opt, const char *value,
		 struct error *err, const char *fmt, ...)
{
	const char *dashes = table->dashes ? "--" : "";
	va_list ap;
	char *c;

	va_start(ap, fmt);
	error_set_v(err, -EINVAL, fmt, ap);
	va_end(ap);
	if (value)
		error_prefix(err, "%s: %s%s=%.*s%s", table->name, dashes,
			     opt->name, SHOWN, value,
			     strlen(value) > SHOWN ? "..." : "");
	else
		error_prefix(err, "%s: %s%s", table->name, dashes, opt->name);
	for (c = err ? err->text : NULL; c && *c; c++)
		if (iscntrl((unsigned char)*c))
			*c = '?';
	return -EINVAL;
}

/* ---- values ------------------------------------------------------------- */

static u64 number_max(const struct option_desc *opt)
{
	u64 limit = opt->type == OPTION_SIZE ? UINT64_MAX : UINT32_MAX;

	return opt->max && opt->max < limit ? opt->max : limit;
}

/* As one would write it: 64M rather than 67108864. */
static const char *number_text(const struct option_desc *opt, u64 v, char *buf,
			       size_t len)
{
	static const char suffix[] = "BKMGTP";
	unsigned int i = 0;

	if (opt->type != OPTION_SIZE) {
		snprintf(buf, len, "%llu", v);
		return buf;
	}
	while (v && v % KIB == 0 && i + 2 < sizeof(suffix)) {
		v /= KIB;
		i++;
	}
	snprintf(buf, len, "%llu%c", v, suffix[i]);
	return buf;
}

static int range_error(const struct option_table *table,
		       const struct option_desc *opt, const char *value,
		       struct error *err)
{
	char lo[32], hi[32];

	return option_error(table, opt, value, err,
			    "out of range, give %s to %s",
			    number_text(opt, opt->min, lo, sizeof(lo)),
			    number_text(opt, number_max(opt), hi, sizeof(hi)));
}

/**
 * option_store_number() - set a number, a size, a bool or an enum
 * @table: whose option
 * @opt: the option, of one of these types
 * @config: the configuration
 * @v: the number; 0 or 1, an index into the words
 * @text: how it was written, for the message
 * @err: set on failure
 *
 * Return: 0, or -EINVAL when it is out of range.
 */
int option_store_number(const struct option_table *table,
			const struct option_desc *opt, void *config, u64 v,
			const char *text, struct error *err)
{
	switch (opt->type) {
	case OPTION_BOOL:
		*(bool *)field(opt, config) = v;
		return 0;
	case OPTION_ENUM:
		*(u32 *)field(opt, config) = (u32)v;
		return 0;
	case OPTION_U32:
	case OPTION_SIZE:
		break;
	default:
		assert(!"not a number");
	}
	if (v < opt->min || v > number_max(opt))
		return range_error(table, opt, text, err);
	if (opt->type == OPTION_SIZE)
		*(u64 *)field(opt, config) = v;
	else
		*(u32 *)field(opt, config) = (u32)v;
	return 0;
}

static int check_text(const struct option_table *table,
		      const struct option_desc *opt, const char *text,
		      struct error *err)
{
	u64 max = opt->max ? opt->max : OPTION_TEXT_MAX;
	size_t len = strlen(text), i;

	if (len < opt->min)
		return option_error(table, opt, text, err,
				    "too short, give at least %llu character%s",
				    opt->min, opt->min == 1 ? "" : "s");
	if (len > max)
		return option_error(table, opt, text, err,
				    "%zu characters are too many, give at most %llu",
				    len, max);
	for (i = 0; i < len; i++)
		if (iscntrl((unsigned char)text[i]) && text[i] != '\t')
			return option_error(table, opt, text, err,
					    "has a control character (byte %zu), leave it out",
					    i);
	return 0;
}

/**
 * option_store_text() - set a string, or append to a list
 * @table: whose option
 * @opt: the option, of one of these types
 * @config: the configuration, which gets a copy
 * @text: the value
 * @err: set on failure
 *
 * Return: 0, -EINVAL when the text will not do, -ENOMEM.
 */
int option_store_text(const struct option_table *table,
		      const struct option_desc *opt, void *config,
		      const char *text, struct error *err)
{
	struct option_list *list = field(opt, config);
	char *copy, **v;
	int ret;

	ret = check_text(table, opt, text, err);
	if (ret)
		return ret;
	if (opt->type == OPTION_LIST && list->nr == OPTION_LIST_MAX)
		return option_error(table, opt, text, err,
				    "given more than %u times", list->nr);
	copy = strdup(text);
	if (!copy)
		goto no_memory;
	if (opt->type == OPTION_STRING) {
		free(*(char **)field(opt, config));
		*(char **)field(opt, config) = copy;
		return 0;
	}
	v = realloc(list->v, (list->nr + 1) * sizeof(*v));
	if (!v)
		goto free_copy;
	list->v = v;
	list->v[list->nr++] = copy;
	return 0;
free_copy:
	free(copy);
no_memory:
	return error_set(err, -ENOMEM, "%s: no memory for option %s",
			 table->name, opt->name);
}

static int parse_number(const char *text, u64 *v, const char **end)
{
	unsigned int base = 10, digit;
	const char *c = text;

	if (c[0] == '0' && (c[1] == 'x' || c[1] == 'X')) {
		base = 16;
		text = c += 2;
	}
	for (*v = 0;; c++) {
		if (isdigit((unsigned char)*c))
			digit = (unsigned int)(*c - '0');
		else if (base == 16 && isxdigit((unsigned char)*c))
			digit = (unsigned int)(tolower(*c) - 'a') + 10;
		else
			break;
		if (__builtin_mul_overflow(*v, (u64)base, v) ||
		    __builtin_add_overflow(*v, (u64)digit, v))
			return -ERANGE;
	}
	*end = c;
	return c == text ? -EINVAL : 0;
}

/**
 * option_parse_size() - a number of bytes with an optional suffix
 * @text: decimal or 0x..., then B, K, M, G, T or P in either case; in a
 *        hexadecimal number B is a digit
 * @unit: what a number without suffix counts, in bytes; 0 means 1
 * @bytes: out
 *
 * Return: 0, -EINVAL when it is not a size, -ERANGE when it is above 2^64.
 */
int option_parse_size(const char *text, u64 unit, u64 *bytes)
{
	static const char suffix[] = "bkmgtp";
	const char *end, *at;
	u64 v;
	int ret;

	ret = parse_number(text, &v, &end);
	if (ret)
		return ret;
	if (!unit)
		unit = 1;
	if (*end) {
		at = strchr(suffix, tolower((unsigned char)*end));
		if (!at || end[1])
			return -EINVAL;
		unit = 1ULL << (10 * (at - suffix));
	}
	return __builtin_mul_overflow(v, unit, bytes) ? -ERANGE : 0;
}

static int set_number(const struct option_table *table,
		      const struct option_desc *opt, void *config,
		      const char *value, struct error *err)
{
	const char *end = "";
	u64 v;
	int ret;

	if (opt->type == OPTION_SIZE)
		ret = option_parse_size(value, opt->unit, &v);
	else
		ret = parse_number(value, &v, &end);
	if (ret == -ERANGE)
		return range_error(table, opt, value, err);
	if (ret && opt->type == OPTION_SIZE)
		return option_error(table, opt, value, err,
				    "not a size, give a number and at most one of K, M, G, T");
	if (ret || *end)
		return option_error(table, opt, value, err,
				    "not a number, give digits or 0x...");
	return option_store_number(table, opt, config, v, value, err);
}

static int set_bool(const struct option_table *table,
		    const struct option_desc *opt, void *config,
		    const char *value, struct error *err)
{
	static const char *const words[][2] = {
		{ "off", "on" }, { "no", "yes" }, { "0", "1" },
	};
	unsigned int i, v;

	if (!value)
		return option_store_number(table, opt, config, 1, NULL, err);
	for (i = 0; i < ARRAY_SIZE(words); i++)
		for (v = 0; v < 2; v++)
			if (!strcmp(value, words[i][v]))
				return option_store_number(table, opt, config,
							   v, value, err);
	return option_error(table, opt, value, err, "give on or off");
}

/**
 * option_store_word() - set an enum by its word
 * @table: whose option
 * @opt: the option
 * @config: the configuration
 * @value: one of the option's words
 * @err: set on failure
 *
 * Return: 0, or -EINVAL when there is no such word.
 */
int option_store_word(const struct option_table *table,
		      const struct option_desc *opt, void *config,
		      const char *value, struct error *err)
{
	char all[256] = "";
	size_t n = 0;
	u32 i;

	for (i = 0; opt->words[i]; i++)
		if (!strcmp(value, opt->words[i]))
			return option_store_number(table, opt, config, i,
						   value, err);
	for (i = 0; opt->words[i] && n < sizeof(all); i++)
		n += (size_t)snprintf(all + n, sizeof(all) - n, "%s%s",
				      i ? (opt->words[i + 1] ? ", " : " or ") :
				      "", opt->words[i]);
	return option_error(table, opt, value, err, "give %s", all);
}

/* ---- tables ------------------------------------------------------------- */

/**
 * option_find() - an option by its name
 * @table: where
 * @name: the word before "="
 *
 * Return: the option, NULL when the table has none of that name.
 */
const struct option_desc *option_find(const struct option_table *table,
				      const char *name)
{
	u32 i;

	for (i = 0; i < table->nr; i++)
		if (!strcmp(table->opts[i].name, name))
			return &table->opts[i];
	return NULL;
}

/**
 * option_get_string() - what a string option is set to
 * @table: the options
 * @config: the configuration
 * @name: of the option
 *
 * For callers that know an option by name only, because the struct belongs to
 * a device.
 *
 * Return: the value, owned by @config; NULL when it is absent, or when there
 * is no string option of that name.
 */
const char *option_get_string(const struct option_table *table,
			      const void *config, const char *name)
{
	const struct option_desc *opt = option_find(table, name);

	if (!opt || opt->type != OPTION_STRING)
		return NULL;
	return *(char *const *)field(opt, config);
}

/**
 * option_get_bool() - is a bool option on?
 * @table: the options
 * @config: the configuration
 * @name: of the option
 *
 * Return: its value; false when there is no bool option of that name.
 */
bool option_get_bool(const struct option_table *table, const void *config,
		     const char *name)
{
	const struct option_desc *opt = option_find(table, name);

	return opt && opt->type == OPTION_BOOL &&
		*(const bool *)field(opt, config);
}

static int set_default(const struct option_desc *opt, void *config)
{
	char **text = field(opt, config);

	switch (opt->type) {
	case OPTION_BOOL:
		*(bool *)field(opt, config) = opt->def;
		break;
	case OPTION_U32:
	case OPTION_ENUM:
		*(u32 *)field(opt, config) = (u32)opt->def;
		break;
	case OPTION_SIZE:
		*(u64 *)field(opt, config) = opt->def;
		break;
	case OPTION_STRING:
		*text = opt->def_str ? strdup(opt->def_str) : NULL;
		return opt->def_str && !*text ? -ENOMEM : 0;
	case OPTION_LIST:
		break;
	}
	return 0;
}

/**
 * option_config_new() - a configuration with the defaults of its table
 * @table: the options
 *
 * Return: the configuration, to be freed with option_config_free(); NULL
 * when there is no memory.
 */
void *option_config_new(const struct option_table *table)
{
	void *config = calloc(1, table->config_size ? table->config_size : 1);
	u32 i;

	for (i = 0; config && i < table->nr; i++)
		if (set_default(&table->opts[i], config))
			goto free_config;
	return config;
free_config:
	option_config_free(table, config);
	return NULL;
}

/**
 * option_config_free() - free a configuration and the strings it owns
 * @table: the options
 * @config: the configuration, or NULL
 */
void option_config_free(const struct option_table *table, void *config)
{
	struct option_list *list;
	u32 i, k;

	for (i = 0; config && i < table->nr; i++) {
		list = field(&table->opts[i], config);
		if (table->opts[i].type == OPTION_STRING)
			free(*(char **)field(&table->opts[i], config));
		if (table->opts[i].type != OPTION_LIST)
			continue;
		for (k = 0; k < list->nr; k++)
			free(list->v[k]);
		free(list->v);
	}
	free(config);
}

static int no_such_option(const struct option_table *table, const char *name,
			  struct error *err)
{
	const struct option_desc unknown = { .name = name };
	const char *dashes = table->dashes ? "--" : "";
	char all[320] = "none";
	size_t n = 0;
	u32 i;

	if (strlen(name) > SHOWN)
		return error_set(err, -EINVAL,
				 "%s: an option name of %zu characters, there is none",
				 table->name, strlen(name));
	for (i = 0; i < table->nr && n < sizeof(all); i++)
		n += (size_t)snprintf(all + n, sizeof(all) - n, "%s%s%s",
				      i ? ", " : "", dashes,
				      table->opts[i].name);
	return option_error(table, &unknown, NULL, err,
			    "no such option; there is: %s", all);
}

/**
 * option_set() - set one option
 * @table: the options
 * @config: the configuration
 * @name: of the option
 * @value: its value; NULL for a bare key, which only a bool can be
 * @err: set on failure
 *
 * Return: 0, -EINVAL when there is no such option or the value will not do,
 * -ENOMEM.
 */
int option_set(const struct option_table *table, void *config,
	       const char *name, const char *value, struct error *err)
{
	const struct option_desc *opt = option_find(table, name);

	if (!opt)
		return no_such_option(table, name, err);
	if (opt->type == OPTION_BOOL)
		return set_bool(table, opt, config, value, err);
	if (!value)
		value = opt->bare;
	if (!value)
		return option_error(table, opt, NULL, err,
				    "needs a value, give %s%s=%s",
				    table->dashes ? "--" : "", opt->name,
				    opt->arg ? opt->arg : "VALUE");
	switch (opt->type) {
	case OPTION_STRING:
	case OPTION_LIST:
		return option_store_text(table, opt, config, value, err);
	case OPTION_ENUM:
		return option_store_word(table, opt, config, value, err);
	default:
		return set_number(table, opt, config, value, err);
	}
}

/* ---- texts -------------------------------------------------------------- */

/*
 * Copies the item at *text into @item (room for all of it) with doubled
 * commas made single, and moves *text behind it. False at the end.
 */
static bool next_item(const char **text, char *item)
{
	const char *c = *text;

	if (!c)
		return false;
	for (; *c; c++) {
		if (*c == ',') {
			if (c[1] != ',')
				break;
			c++;
		}
		*item++ = *c;
	}
	*item = 0;
	*text = *c ? c + 1 : NULL;
	return true;
}

static int parse_item(const struct option_table *table, void *config,
		      char *item, bool first, struct error *err)
{
	char *equals = strchr(item, '=');
	int ret;

	if (!*item)
		return error_set(err, -EINVAL,
				 "%s: an option is empty; a comma within a value is written twice",
				 table->name);
	if (first && !equals && table->positional)
		return option_set(table, config, table->positional, item, err);
	if (equals)
		*equals = 0;
	ret = option_set(table, config, item, equals ? equals + 1 : NULL, err);
	if (ret && first && equals && table->positional &&
	    !option_find(table, item))
		error_set(err, ret,
			  "%s: no option %.*s; for a value with \"=\" in it give %s=%.*s=...",
			  table->name, SHOWN, item, table->positional, SHOWN,
			  item);
	return ret;
}

/**
 * option_parse() - set options from a text
 * @table: the options
 * @config: the configuration
 * @text: ``word,key=value,key``; empty sets nothing
 * @err: set on failure; some options may have been set then
 *
 * Whether all that is required was given is for option_check() to say.
 *
 * Return: 0, -EINVAL, -ENOMEM.
 */
int option_parse(const struct option_table *table, void *config,
		 const char *text, struct error *err)
{
	bool first = true;
	char *item;
	int ret = 0;

	if (!*text)
		return 0;
	item = malloc(strlen(text) + 1);
	if (!item)
		return error_set(err, -ENOMEM, "%s: no memory", table->name);
	while (!ret && next_item(&text, item)) {
		ret = parse_item(table, config, item, first, err);
		first = false;
	}
	free(item);
	return ret;
}

/* An option that was set before; a list begins anew when it is first named. */
static int replace_item(const struct option_table *table, void *config,
			char *item, bool first, bool *begun, struct error *err)
{
	const size_t len = strcspn(item, "=");
	const bool positional = first && !item[len] && table->positional;
	const struct option_desc *opt = NULL;
	struct option_list *list;
	u32 i;

	for (i = 0; i < table->nr && !opt; i++)
		if (positional ? !strcmp(table->opts[i].name,
					 table->positional) :
		    strlen(table->opts[i].name) == len &&
		    !strncmp(table->opts[i].name, item, len))
			opt = &table->opts[i];
	if (opt && opt->scope == OPTION_GUEST)
		return option_error(table, opt, NULL, err,
				    "the guest has seen it, so it is fixed for the life of the machine");
	if (opt && opt->type == OPTION_LIST && !begun[opt - table->opts]) {
		begun[opt - table->opts] = true;
		list = field(opt, config);
		for (i = 0; i < list->nr; i++)
			free(list->v[i]);
		list->nr = 0;
	}
	return parse_item(table, config, item, first, err);
}

/**
 * option_replace() - replace options of a machine that exists
 * @table: the options
 * @config: the configuration
 * @text: as for option_parse(); of a list all items are given
 * @err: set on failure; some options may have been replaced then
 *
 * Only what belongs to the host can be replaced.
 *
 * Return: 0, -EINVAL, -ENOMEM.
 */
int option_replace(const struct option_table *table, void *config,
		   const char *text, struct error *err)
{
	bool *begun = calloc(table->nr + 1, sizeof(*begun));
	char *item = malloc(strlen(text) + 1);
	bool first = true;
	int ret = 0;

	if (!begun || !item)
		ret = error_set(err, -ENOMEM, "%s: no memory", table->name);
	while (!ret && next_item(&text, item)) {
		ret = replace_item(table, config, item, first, begun, err);
		first = false;
	}
	free(item);
	free(begun);
	return ret;
}

/**
 * option_forget() - drop what is never taken from an image
 * @table: the options
 * @config: the configuration, as it was read; those options (strings and
 *          numbers) are as by default
 */
void option_forget(const struct option_table *table, void *config)
{
	u32 i;

	for (i = 0; i < table->nr; i++) {
		const struct option_desc *opt = &table->opts[i];

		if (!opt->fresh)
			continue;
		assert(opt->type == OPTION_STRING || opt->type == OPTION_U32);
		if (opt->type == OPTION_U32) {
			*(u32 *)field(opt, config) = (u32)opt->def;
		} else {
			free(*(char **)field(opt, config));
			*(char **)field(opt, config) = NULL;
		}
	}
}

/**
 * option_check() - is the configuration complete, and can it be?
 * @table: the options
 * @config: the configuration
 * @err: names the first option that is missing or cannot be
 *
 * Return: 0 or -EINVAL.
 */
int option_check(const struct option_table *table, const void *config,
		 struct error *err)
{
	const struct option_list *list;
	const char *text;
	u32 i;

	for (i = 0; i < table->nr; i++) {
		const struct option_desc *opt = &table->opts[i];

		if (!opt->required)
			continue;
		list = field(opt, config);
		text = opt->type == OPTION_STRING ?
			*(char *const *)field(opt, config) : NULL;
		if (opt->type == OPTION_STRING ? text && *text : list->nr > 0)
			continue;
		return option_error(table, opt, NULL, err,
				    "missing, give %s%s=%s",
				    table->dashes ? "--" : "", opt->name,
				    opt->arg ? opt->arg : "VALUE");
	}
	if (table->check && table->check(config, err))
		return error_prefix(err, "%s", table->name);
	return 0;
}

/* The place of each text among the values: the next after @at, NULL for none. */
static char **next_text(const struct option_table *table, void *config,
			const char *text, u32 *opt, u32 *item)
{
	for (; *opt < table->nr; (*opt)++, *item = 0) {
		const struct option_desc *o = &table->opts[*opt];
		void *field = (u8 *)config + o->offset;
		struct option_list *list = field;
		char **value = field;

		if (o->scope != OPTION_HOST)
			continue;
		if (o->type == OPTION_STRING && !*item) {
			(*item)++;
			if (*value && !strcmp(*value, text))
				return value;
		}
		while (o->type == OPTION_LIST && *item < list->nr)
			if (!strcmp(list->v[(*item)++], text))
				return &list->v[*item - 1];
	}
	return NULL;
}

/**
 * option_has_text() - is there an option of this value?
 * @table: the options
 * @config: the configuration
 * @text: of a string or an item of a list that belongs to the host
 *
 * Return: true when there is.
 */
bool option_has_text(const struct option_table *table, const void *config,
		     const char *text)
{
	u32 opt = 0, item = 0;

	return next_text(table, (void *)config, text, &opt, &item);
}

/**
 * option_swap_text() - replace a value wherever it stands
 * @table: the options
 * @config: the configuration
 * @from: of a string or an item of a list that belongs to the host
 * @to: what it becomes; copied
 * @err: filled on failure
 *
 * For paths that have to be said in another way.
 *
 * Return: how often it stood there, or -ENOMEM.
 */
int option_swap_text(const struct option_table *table, void *config,
		     const char *from, const char *to, struct error *err)
{
	u32 opt = 0, item = 0;
	char **value;
	int n = 0;

	while ((value = next_text(table, config, from, &opt, &item))) {
		char *copy = strdup(to);

		if (!copy)
			return error_set(err, -ENOMEM, "%s: no memory",
					 table->name);
		free(*value);
		*value = copy;
		n++;
	}
	return n;
}
