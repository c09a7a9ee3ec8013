/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: what Arm's PrimeCell peripherals have in common
 *
 * The last registers of each, a byte in each word, say what it is: part number,
 * designer (Arm), and that it is a PrimeCell.
 */
#ifndef LKVM_PRIMECELL_H
#define LKVM_PRIMECELL_H

#include "vmm/base/types.h"

#define PRIMECELL_ID		0xfe0
#define PRIMECELL_END		0x1000

/* What reads at @offset of the part; 0 where there is no register. */
static inline u32 primecell_id(u32 part, u64 offset)
{
	/* Part number in 12 bits, designer 41h in 8, revision 0; cell id. */
	const u8 id[] = {
		(u8)part, (u8)(0x10 | part >> 8), 0x04, 0x00,
		0x0d, 0xf0, 0x05, 0xb1,
	};

	if (offset < PRIMECELL_ID || offset >= PRIMECELL_END || offset & 3)
		return 0;
	return id[(offset - PRIMECELL_ID) / 4];
}

#endif /* LKVM_PRIMECELL_H */
