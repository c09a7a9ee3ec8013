// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: log lines on their way to whoever prints
 *
 * Library code does not print: it hands a line to the sink that vmm/cli (or
 * a test) has set before any thread was started. The sink is one of the few
 * non-const globals, because a message can come from any depth and thread.
 */
#include <stdio.h>
#include <time.h>

#include "vmm/base/log.h"

#define LOG_WINDOW_S		10
#define LOG_PER_WINDOW		5

static struct {
	log_sink_fn sink;
	enum log_level max;
} log_state = { .max = LOG_INFO };

/**
 * log_set_sink() - say where lines go
 * @sink: called with each line, from any thread; NULL drops all
 * @max: lines above this level are not made at all
 *
 * Context: before threads are started; the sink itself must be thread-safe.
 */
void log_set_sink(log_sink_fn sink, enum log_level max)
{
	log_state.sink = sink;
	log_state.max = max;
}

/**
 * log_enabled() - would a line of this level go anywhere?
 * @level: the level
 *
 * Context: any thread.
 * Return: true when it would.
 */
bool log_enabled(enum log_level level)
{
	return log_state.sink && level <= log_state.max;
}

/**
 * log_write() - hand one line to the sink
 * @level: how much it matters
 * @fmt: printf format, without newline
 *
 * Context: any thread; may block as long as the sink does.
 */
void log_write(enum log_level level, const char *fmt, ...)
{
	char line[512];
	va_list ap;

	if (!log_enabled(level))
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	log_state.sink(level, line);
}

/**
 * log_limit_pass() - may this call site speak again?
 * @limit: the call site's state
 *
 * Context: any thread, lock-free.
 * Return: true for the first few calls in each window of ten seconds.
 */
bool log_limit_pass(struct log_limit *limit)
{
	struct timespec now;
	s64 start;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	start = atomic_load_explicit(&limit->window_start_s,
				     memory_order_relaxed);
	if (!start || now.tv_sec - start >= LOG_WINDOW_S) {
		atomic_store_explicit(&limit->window_start_s, now.tv_sec,
				      memory_order_relaxed);
		atomic_store_explicit(&limit->count, 0, memory_order_relaxed);
	}
	return atomic_fetch_add_explicit(&limit->count, 1,
					 memory_order_relaxed) < LOG_PER_WINDOW;
}
