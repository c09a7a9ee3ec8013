/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_OUTPUT_H
#define LKVM_OUTPUT_H

#include "vmm/base/log.h"
#include "vmm/base/types.h"

struct json_object;

void output_init(enum log_level max, bool json);
void output_info(const char *text);
void output_event(struct json_object *obj);
void output_print_json(struct json_object *obj);

#endif /* LKVM_OUTPUT_H */
