/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_BASE_LOG_H
#define LKVM_BASE_LOG_H

#include <stdarg.h>
#include <stdatomic.h>

#include "vmm/base/types.h"

/**
 * enum log_level - how much a message matters, kvmtool's --loglevel words
 * @LOG_ERROR: the machine or a device cannot go on as asked
 * @LOG_WARNING: something is not as it should be, the machine runs on
 * @LOG_INFO: what a user wants to see once
 * @LOG_DEBUG: for the developer; guest faults are of this level
 */
enum log_level {
	LOG_ERROR,
	LOG_WARNING,
	LOG_INFO,
	LOG_DEBUG,
};

/**
 * struct log_limit - state of one rate-limited call site
 * @window_start_s: start of the current window, seconds of CLOCK_MONOTONIC
 * @count: messages asked for in it
 *
 * Static at the call site; used through log_limited() only. Races between
 * threads may let a message more through, never break anything.
 */
struct log_limit {
	_Atomic s64 window_start_s;
	_Atomic u32 count;
};

typedef void (*log_sink_fn)(enum log_level level, const char *line);

void log_set_sink(log_sink_fn sink, enum log_level max);
bool log_enabled(enum log_level level);
void log_write(enum log_level level, const char *fmt, ...) __printf(2, 3);
bool log_limit_pass(struct log_limit *limit);

#define log_error(...)		log_write(LOG_ERROR, __VA_ARGS__)
#define log_warning(...)	log_write(LOG_WARNING, __VA_ARGS__)
#define log_info(...)		log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...)							\
	do {								\
		if (log_enabled(LOG_DEBUG))				\
			log_write(LOG_DEBUG, __VA_ARGS__);		\
	} while (0)

/* What a guest can provoke goes through here: five lines in ten seconds. */
#define log_limited(level, ...)						\
	do {								\
		static struct log_limit __limit;			\
		if (log_enabled(level) && log_limit_pass(&__limit))	\
			log_write(level, __VA_ARGS__);			\
	} while (0)

#endif /* LKVM_BASE_LOG_H */
