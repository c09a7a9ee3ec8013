/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_HELLO_H
#define LKVM_HELLO_H

#include <stddef.h>

#include "migration/frame.h"

#define HELLO_VERSION	1
#define HELLO_LINKS_MAX	16

/**
 * enum hello_can - what a side can do beyond the first version's frames
 * @HELLO_CAN_CHECK: answer FRAME_CHECK
 *
 * Unknown bits are ignored: nobody does what the other has not announced.
 */
enum hello_can {
	HELLO_CAN_CHECK		= 1,
};

/**
 * struct hello - the payload of FRAME_HELLO and FRAME_WELCOME
 * @version: HELLO_VERSION: of the protocol
 * @links: how many connections the source will use; the destination may lower
 *         it in its welcome on the first one
 * @index: which of them this one is; the first is 0
 * @elf_machine: ELF's e_machine of the guest's architecture
 * @job: random, the same on all connections of one migration
 * @can: a set of enum hello_can; 0 when the peer is so old that it does not
 *       send it
 */
struct hello {
	__le32 version;
	__le32 links;
	__le32 index;
	__le32 elf_machine;
	u8 job[16];
	__le32 can;
};

static_assert(sizeof(struct hello) == 36, "layout");
/* What every hello has. */
#define HELLO_SIZE_LEAST	offsetof(struct hello, can)

int hello_send(struct frame_link *link, enum frame_type type,
	       const struct hello *hello, struct error *err) __must_check;
int hello_receive(struct frame_link *link, enum frame_type type,
		  struct hello *hello, struct error *err) __must_check;

#endif /* LKVM_HELLO_H */
