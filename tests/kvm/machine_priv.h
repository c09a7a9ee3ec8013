/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: command lines of machines under test
 */
#ifndef TESTS_KVM_MACHINE_PRIV_H
#define TESTS_KVM_MACHINE_PRIV_H

#include <limits.h>
#include <stddef.h>

struct machine;
struct machine_setup;

#define WORDS_MAX	64

/**
 * struct words - a command line that is being put together
 * @word: the words, ended by NULL
 * @n:    how many
 * @text: where words that are made here stand
 * @used: bytes of @text
 */
struct words {
	char *word[WORDS_MAX];
	unsigned int n;
	char text[4096];
	size_t used;
};

void words_add(struct words *w, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void machine_guest(const struct machine_setup *s, char path[PATH_MAX]);
void machine_words_qemu(struct words *w, const struct machine *m,
			const struct machine_setup *s);
int machine_end_qemu(int code);

#endif /* TESTS_KVM_MACHINE_PRIV_H */
