/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_FINDINGS_H
#define LKVM_FINDINGS_H

#include "vmm/base/error.h"
#include "vmm/base/types.h"

#define FINDINGS_MAX	48

/**
 * struct finding - something that a destination has found out
 * @stops: it would stop the machine from coming; else good to know
 * @what: a word: what it is about ("cpu", "disk", "memory")
 * @text: one line for a person
 */
struct finding {
	bool stops;
	char what[16];
	char text[480];
};

/**
 * struct findings - all that a destination has found out
 * @v: in the order in which they were found, none twice
 * @nr: how many
 * @stops: how many of them, and of those that had no room, would stop it
 */
struct findings {
	struct finding v[FINDINGS_MAX];
	u32 nr;
	u32 stops;
};

void findings_init(struct findings *f);
void findings_add(struct findings *f, bool stops, const char *what,
		  const char *text);
bool findings_have(const struct findings *f, const char *what);
int findings_error(const struct findings *f, struct error *err);
int findings_encode(const struct findings *f, char **text, u32 *len,
		    struct error *err) __must_check;
int findings_decode(struct findings *f, const char *text, u32 len,
		    const char *peer, struct error *err) __must_check;

#endif /* LKVM_FINDINGS_H */
