/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_HELLO_H
#define LKVM_HELLO_H

#include "migration/frame.h"

#define HELLO_VERSION	1
#define HELLO_LINKS_MAX	16

/**
 * struct hello - the payload of FRAME_HELLO and FRAME_WELCOME
 * @version: HELLO_VERSION: of the protocol
 * @links: how many connections the source will use; the destination may lower
 *         it in its welcome on the first one
 * @index: which of them this one is; the first is 0
 * @elf_machine: ELF's e_machine of the guest's architecture
 * @job: random, the same on all connections of one migration
 */
struct hello {
	__le32 version;
	__le32 links;
	__le32 index;
	__le32 elf_machine;
	u8 job[16];
};

static_assert(sizeof(struct hello) == 32, "layout");

int hello_send(struct frame_link *link, enum frame_type type,
	       const struct hello *hello, struct error *err) __must_check;
int hello_receive(struct frame_link *link, enum frame_type type,
		  struct hello *hello, struct error *err) __must_check;

#endif /* LKVM_HELLO_H */
