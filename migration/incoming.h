/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_INCOMING_H
#define LKVM_INCOMING_H

#include <pthread.h>

#include "migration/frame.h"
#include "migration/image.h"
#include "vmm/guest_memory.h"

/* Notes of an image on its way: no checksums of pages are among them. */
#define INCOMING_TAIL_MAX	(64U << 20)

/**
 * struct incoming_block - a block of guest memory that arrives
 * @pos: its position in the image
 * @size: bytes
 * @gpa: where the guest has it
 * @host: where it goes
 * @written: one bit a page: something other than zeros may be there
 */
struct incoming_block {
	u64 pos;
	u64 size;
	gpa_t gpa;
	u8 *host;
	_Atomic u64 *written;
};

/**
 * struct incoming - an image that arrives
 * @ch: reads what has arrived of head and tail
 * @lock: protects head and tail
 * @head: the first page of the image
 * @has_head: it was written
 * @tail: the notes
 * @tail_pos: their position; 0 before the first of them
 * @tail_len: bytes that have arrived
 * @memory: the machine's memory, once there is some
 * @blocks: its blocks
 * @blocks_nr: how many
 * @received: bytes of payload
 */
struct incoming {
	struct channel ch;
	pthread_mutex_t lock;
	u8 head[IMAGE_PAGE];
	bool has_head;
	u8 *tail;
	u64 tail_pos;
	u64 tail_len;
	struct guest_memory *memory;
	struct incoming_block blocks[IMAGE_BLOCKS_MAX];
	u32 blocks_nr;
	_Atomic u64 received;
};

int incoming_init(struct incoming *in, const char *name, struct error *err)
	__must_check;
void incoming_destroy(struct incoming *in);
int incoming_attach(struct incoming *in, const struct image *image,
		    struct guest_memory *memory, struct error *err)
	__must_check;
int incoming_frame(struct incoming *in, struct frame_link *link,
		   const struct frame *frame, struct error *err) __must_check;

#endif /* LKVM_INCOMING_H */
