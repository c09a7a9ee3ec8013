/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: what parsing options and loading them from a tree share
 */
#ifndef LKVM_OPTION_PRIV_H
#define LKVM_OPTION_PRIV_H

#include "vmm/option.h"

int option_error(const struct option_table *table,
		 const struct option_desc *opt, const char *value,
		 struct error *err, const char *fmt, ...) __printf(5, 6);
int option_store_number(const struct option_table *table,
			const struct option_desc *opt, void *config, u64 v,
			const char *text, struct error *err) __must_check;
int option_store_text(const struct option_table *table,
		      const struct option_desc *opt, void *config,
		      const char *text, struct error *err) __must_check;
int option_store_word(const struct option_table *table,
		      const struct option_desc *opt, void *config,
		      const char *value, struct error *err) __must_check;

#endif /* LKVM_OPTION_PRIV_H */
