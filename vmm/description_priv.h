/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: what writing and reading a machine description share
 */
#ifndef LKVM_DESCRIPTION_PRIV_H
#define LKVM_DESCRIPTION_PRIV_H

#include "vmm/description.h"

#define DESCRIPTION_DEVICES	256	/* most devices of a machine */
#define DESCRIPTION_SLOTS	32	/* of the PCI bus */
#define DESCRIPTION_FUNCTIONS	8	/* of a slot */

int description_order(const void *a, const void *b);

#endif /* LKVM_DESCRIPTION_PRIV_H */
