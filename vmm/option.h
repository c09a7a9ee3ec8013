/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_OPTION_H
#define LKVM_OPTION_H

#include "vmm/base/error.h"
#include "vmm/base/types.h"

struct tree_writer;

/* Longest string value, and most values of a list. */
#define OPTION_TEXT_MAX	4095
#define OPTION_LIST_MAX	256

/**
 * enum option_type - the C type behind an option, and how it is written
 * @OPTION_BOOL: bool; ``key``, ``key=on``, ``key=off`` (also yes/no/1/0)
 * @OPTION_U32: u32, decimal or 0x...
 * @OPTION_SIZE: u64 bytes; a number with a suffix B, K, M, G, T
 * @OPTION_STRING: char \*, owned by the configuration
 * @OPTION_ENUM: u32, index into &option_desc.words
 * @OPTION_LIST: struct option_list, appended to by each occurrence
 */
enum option_type {
	OPTION_BOOL,
	OPTION_U32,
	OPTION_SIZE,
	OPTION_STRING,
	OPTION_ENUM,
	OPTION_LIST,
};

/**
 * enum option_scope - whose business an option is
 * @OPTION_GUEST: the guest can see it: part of the machine, fixed for its life
 * @OPTION_HOST: paths, sockets, tuning: may be replaced at a restore
 */
enum option_scope {
	OPTION_GUEST,
	OPTION_HOST,
};

/**
 * struct option_list - the values of a repeatable option
 * @nr: how many
 * @v: the values; array and strings are owned by the configuration
 */
struct option_list {
	u32 nr;
	char **v;
};

/**
 * struct option_desc - one option: parser, help, man page and description
 * @name: the word before "="; also the property name in the description
 * @arg: what stands for the value in help texts ("FILE", "N"), NULL for a bool
 * @help: one line
 * @type: see enum option_type
 * @scope: see enum option_scope
 * @offset: of the field in the configuration struct
 * @min: smallest value, inclusive (numbers and sizes); least length (strings
 *       and list items)
 * @max: greatest value, inclusive; greatest length of strings and list items;
 *       0 leaves it to the type (OPTION_TEXT_MAX for strings)
 * @def: value when absent (numbers, sizes, bools, enums)
 * @def_str: value when absent (strings), NULL for none
 * @unit: OPTION_SIZE: what a bare number counts, 0 for bytes
 * @words: OPTION_ENUM: the words, NULL-terminated
 * @bare: the value of the name alone, for who needs none; NULL: it does
 * @path: strings and lists: names of files; written to a description as
 *        absolute ones, so that it holds in every working directory
 * @no_path: with @path: what begins so is no name of a file; NULL for none
 * @fresh: never taken from an image: whoever brings a machine up says it anew
 * @required: absence is an error (strings and lists only)
 */
struct option_desc {
	const char *name;
	const char *arg;
	const char *help;
	enum option_type type;
	enum option_scope scope;
	u32 offset;
	u64 min;
	u64 max;
	u64 def;
	const char *def_str;
	u64 unit;
	const char *const *words;
	const char *bare;
	bool path;
	const char *no_path;
	bool fresh;
	bool required;
};

/**
 * struct option_table - the options of one thing and the struct they fill
 * @name: of the thing, for messages ("nvme")
 * @config_size: bytes of the configuration struct
 * @positional: name of the option that a leading word without "=" fills,
 *              NULL for none (``--nvme disk.img,ro``: "file")
 * @dashes: its options are written ``--name``, for messages
 * @opts: the options
 * @nr: how many
 * @check: do the values make sense, each and together? By their text alone:
 *         nothing of this host is looked at. NULL: any do
 */
struct option_table {
	const char *name;
	u32 config_size;
	const char *positional;
	bool dashes;
	const struct option_desc *opts;
	u32 nr;
	int (*check)(const void *config, struct error *err);
};

void *option_config_new(const struct option_table *table);
void option_config_free(const struct option_table *table, void *config);
const struct option_desc *option_find(const struct option_table *table,
				      const char *name);
const char *option_get_string(const struct option_table *table,
			      const void *config, const char *name);
bool option_get_bool(const struct option_table *table, const void *config,
		     const char *name);
int option_set(const struct option_table *table, void *config,
	       const char *name, const char *value, struct error *err)
	__must_check;
int option_parse(const struct option_table *table, void *config,
		 const char *text, struct error *err) __must_check;
int option_replace(const struct option_table *table, void *config,
		   const char *text, struct error *err) __must_check;
void option_forget(const struct option_table *table, void *config);
bool option_has_text(const struct option_table *table, const void *config,
		     const char *text);
int option_swap_text(const struct option_table *table, void *config,
		     const char *from, const char *to, struct error *err)
	__must_check;
int option_check(const struct option_table *table, const void *config,
		 struct error *err) __must_check;
void option_save_node(const struct option_table *table, const void *config,
		      enum option_scope scope, struct tree_writer *w);
int option_load_node(const struct option_table *table, void *config,
		     enum option_scope scope, const void *fdt, int node,
		     struct error *err) __must_check;
int option_parse_size(const char *text, u64 unit, u64 *bytes) __must_check;

#endif /* LKVM_OPTION_H */
