/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: what transfers need to know of waits
 */
#ifndef LKVM_CHANNEL_PRIV_H
#define LKVM_CHANNEL_PRIV_H

#include "migration/channel.h"

/* channel_wait.c */
void channel_note_progress(struct channel_control *control);
int channel_wait(struct channel *ch, short events, struct error *err)
	__must_check;
const char *channel_wait_end(const struct channel *ch, int code);

#endif /* LKVM_CHANNEL_PRIV_H */
