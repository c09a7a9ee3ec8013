/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_TREE_PRINT_H
#define LKVM_TREE_PRINT_H

#include <stdio.h>

#include "vmm/base/error.h"
#include "vmm/base/types.h"

struct json_object;

int tree_check(const void *fdt, u64 len, struct error *err) __must_check;
const char *tree_text(const void *fdt, const char *path, const char *name);
void tree_print_dts(const void *fdt, const char *name, FILE *out);
struct json_object *tree_to_json(const void *fdt, int node);
void tree_print_property(const void *fdt, int prop, FILE *out);

#endif /* LKVM_TREE_PRINT_H */
