/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_PROGRESS_H
#define LKVM_PROGRESS_H

#include <signal.h>

#include "vmm/base/error.h"
#include "vmm/base/types.h"

/**
 * struct progress - how far long work is, shown on a terminal
 * @shown: standard error is a terminal; else nothing is shown
 * @start_ms: CLOCK_MONOTONIC of its begin
 * @drawn: a bar stands on the line
 */
struct progress {
	bool shown;
	u64 start_ms;
	bool drawn;
};

void progress_begin(struct progress *p, bool quiet);
void progress_show(struct progress *p, u64 done, u64 total, const char *what);
void progress_line(struct progress *p, u64 done, u64 total, const char *line);
void progress_end(struct progress *p);
u64 progress_elapsed_ms(const struct progress *p);
const char *progress_bytes(u64 bytes, char *buf, size_t len);

/**
 * struct cancel_key - Ctrl-C and its like, as a descriptor
 * @fd: readable when the user wants the work to be given up
 * @signal: which signal that was, 0 for none yet
 * @old: the signals that were blocked before
 */
struct cancel_key {
	int fd;
	int signal;
	sigset_t old;
};

int cancel_key_open(struct cancel_key *key, struct error *err) __must_check;
bool cancel_key_take(struct cancel_key *key);
void cancel_key_close(struct cancel_key *key);

#endif /* LKVM_PROGRESS_H */
