// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the checksum of images and frames: XXH3, 64 bits, seed 0
 *
 * For some processors the library has a second entry, which looks what vectors
 * the processor has and is two to five times as fast as the first. It gives the
 * same sums.
 *
 * Threads: any.
 */
#include <xxhash.h>

#include "migration/checksum.h"

/* Where the library has none it is NULL. */
extern XXH64_hash_t XXH3_64bits_dispatch(const void *data, size_t len)
	__attribute__((weak));

/**
 * checksum() - the checksum of some bytes
 * @data: the bytes
 * @len: how many
 *
 * Return: XXH3 of them.
 */
u64 checksum(const void *data, u64 len)
{
	return XXH3_64bits_dispatch ? XXH3_64bits_dispatch(data, len) :
				      XXH3_64bits(data, len);
}
