/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_IOTHREAD_PRIV_H
#define LKVM_IOTHREAD_PRIV_H

#include "vmm/iothread.h"

void iothread_cancel_wait(struct iothread *t, struct io_op *op,
			  const bool *active);

#endif /* LKVM_IOTHREAD_PRIV_H */
