/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_TERMINAL_H
#define LKVM_TERMINAL_H

#include "vmm/base/error.h"
#include "vmm/base/types.h"

int terminal_raw(int fd, struct error *err) __must_check;
void terminal_restore(void);
void terminal_suspend(void);
void terminal_again(void);
bool terminal_is_raw(void);
void terminal_size(u16 *cols, u16 *rows);
int terminal_open_pty(int *fd, int *other_fd, char *name, size_t len,
		      struct error *err) __must_check;

#endif /* LKVM_TERMINAL_H */
