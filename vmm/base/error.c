// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: struct error: the reason of a failure as one line of text
 *
 * Library code returns a negative errno and leaves the sentence for the user
 * here; only vmm/cli prints it. See struct error for who owns what.
 */
#include <stdio.h>
#include <string.h>

#include "vmm/base/error.h"

/**
 * error_set_v() - record a failure, arguments as a va_list
 * @err: where to, or NULL when the caller does not want the text
 * @code: negative errno
 * @fmt: printf format
 * @ap: its arguments
 *
 * Return: @code, so that callers can write ``return error_set_v(...)``.
 */
int error_set_v(struct error *err, int code, const char *fmt, va_list ap)
{
	assert(code < 0);
	if (!err)
		return code;
	err->code = code;
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	return code;
}

/**
 * error_set() - record a failure
 * @err: where to, or NULL when the caller does not want the text
 * @code: negative errno
 * @fmt: printf format; names the thing, the value and the remedy
 *
 * An earlier failure in @err is replaced.
 *
 * Return: @code, so that callers can write ``return error_set(...)``.
 */
int error_set(struct error *err, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	code = error_set_v(err, code, fmt, ap);
	va_end(ap);
	return code;
}

/**
 * error_prefix() - put context in front of a recorded failure
 * @err: holds a failure; NULL is allowed and gives -EIO
 * @fmt: printf format of the context; ": " is put between
 *
 * "size 1 is below 2" becomes "nvme0: queue 3: size 1 is below 2". A text
 * that grows too long is cut at its end.
 *
 * Return: the recorded code.
 */
int error_prefix(struct error *err, const char *fmt, ...)
{
	char old[sizeof(err->text)];
	va_list ap;
	size_t n;

	if (!err)
		return -EIO;
	memcpy(old, err->text, sizeof(old));
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	n = strlen(err->text);
	snprintf(err->text + n, sizeof(err->text) - n, ": %s", old);
	return err->code;
}

/**
 * error_copy() - hand a failure on to another struct error
 * @to: where to, or NULL
 * @from: holds a failure
 *
 * Return: the code of @from.
 */
int error_copy(struct error *to, const struct error *from)
{
	if (to)
		*to = *from;
	return from->code;
}
