/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_MIGRATE_SHOW_H
#define LKVM_MIGRATE_SHOW_H

#include <stddef.h>

struct json_object;

void migrate_show_progress(struct json_object *event, char *buf, size_t len);
void migrate_show_result(struct json_object *result, const char *name,
			 char *buf, size_t len);

#endif /* LKVM_MIGRATE_SHOW_H */
