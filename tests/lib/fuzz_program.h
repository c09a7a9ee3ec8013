/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: a fuzzer's input, read as a program
 *
 * Values are little-endian. Behind its end the input goes on with zeros.
 */
#ifndef TESTS_LIB_FUZZ_PROGRAM_H
#define TESTS_LIB_FUZZ_PROGRAM_H

#include <string.h>

#include "vmm/base/math.h"
#include "vmm/base/types.h"

/**
 * struct program - the input
 * @data: what is left of it
 * @left: bytes
 */
struct program {
	const u8 *data;
	size_t left;
};

static inline void take(struct program *p, void *buf, size_t len)
{
	size_t n = min_of(len, p->left);

	memset(buf, 0, len);
	if (n)
		memcpy(buf, p->data, n);
	p->data += n;
	p->left -= n;
}

static inline u8 take8(struct program *p)
{
	u8 v;

	take(p, &v, sizeof(v));
	return v;
}

static inline u32 take32(struct program *p)
{
	__le32 v;

	take(p, &v, sizeof(v));
	return le32_to_cpu(v);
}

static inline u64 take64(struct program *p)
{
	__le64 v;

	take(p, &v, sizeof(v));
	return le64_to_cpu(v);
}

#endif /* TESTS_LIB_FUZZ_PROGRAM_H */
