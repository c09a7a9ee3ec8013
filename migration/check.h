/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_CHECK_H
#define LKVM_CHECK_H

#include "migration/findings.h"

struct receive;
struct vm;
struct vm_config;

void check_host(struct receive *r, const struct vm_config *config,
		struct findings *f);
void check_disks(struct receive *r, struct vm *vm, struct findings *f);
void check_machine(struct receive *r, const struct vm_config *config,
		   struct findings *f);

#endif /* LKVM_CHECK_H */
