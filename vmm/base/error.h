/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_BASE_ERROR_H
#define LKVM_BASE_ERROR_H

#include <stdarg.h>

#include "vmm/base/types.h"

/**
 * struct error - why something failed, on its way up
 * @code: negative errno, 0 while nothing has failed
 * @text: one line for a person, without newline: what failed, on what, why,
 *        and what to do about it
 *
 * The caller owns it, usually on the stack, and starts it with ERROR_INIT.
 * A function that fails fills it once; callers on the way up put their
 * context in front. Not shared between threads.
 */
struct error {
	int code;
	char text[480];
};

#define ERROR_INIT { .code = 0 }

int error_set(struct error *err, int code, const char *fmt, ...)
	__printf(3, 4);
int error_set_v(struct error *err, int code, const char *fmt, va_list ap)
	__printf(3, 0);
int error_prefix(struct error *err, const char *fmt, ...) __printf(2, 3);
int error_copy(struct error *to, const struct error *from);

#endif /* LKVM_BASE_ERROR_H */
