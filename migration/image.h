/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_IMAGE_H
#define LKVM_IMAGE_H

#include <stdatomic.h>

#include "migration/channel.h"
#include "vmm/base/error.h"
#include "vmm/base/types.h"

#define IMAGE_PAGE		4096ULL
#define IMAGE_ALIGN		(2ULL << 20)
#define IMAGE_BLOCKS_MAX	16
#define IMAGE_NOTES_MAX		2048
#define IMAGE_TAIL_MAX		(1ULL << 30)
#define IMAGE_VERSION		1
#define IMAGE_OWNER		"LKVM"

/**
 * enum image_note_type - notes of the owner "LKVM"
 * @IMAGE_NOTE_MACHINE: the machine description, a flattened device tree
 * @IMAGE_NOTE_LAYOUT: names and places of the blocks, a flattened device tree
 * @IMAGE_NOTE_STATE: the state of devices and CPUs, a flattened device tree
 * @IMAGE_NOTE_DISKS: identities and generations of the disks, likewise
 * @IMAGE_NOTE_CHECKSUMS: an XXH3 hash for each page of each block
 * @IMAGE_NOTE_COMMIT: struct image_commit; the last bytes of the image
 *
 * Documentation/image-format.rst describes them. Many debuggers look at the
 * type alone, so these are far from every NT_* of <elf.h>.
 */
enum image_note_type {
	IMAGE_NOTE_MACHINE	= 0x4c4b0001,	/* "LK" */
	IMAGE_NOTE_LAYOUT	= 0x4c4b0002,
	IMAGE_NOTE_STATE	= 0x4c4b0003,
	IMAGE_NOTE_DISKS	= 0x4c4b0004,
	IMAGE_NOTE_CHECKSUMS	= 0x4c4b0005,
	IMAGE_NOTE_COMMIT	= 0x4c4b0006,
};

/**
 * struct image_block - one block of guest memory and its place in the image
 * @name: as &memory_block.name
 * @gpa: guest physical address, a multiple of IMAGE_PAGE
 * @size: bytes, a multiple of IMAGE_PAGE
 * @pos: position in the image, a multiple of IMAGE_ALIGN
 * @sums: XXH3 hash of each page, in the image's byte order (little-endian)
 * @written: one bit a page: the file has data there, so zeros need a hole
 */
struct image_block {
	char name[32];
	u64 gpa;
	u64 size;
	u64 pos;
	__le64 *sums;
	_Atomic u64 *written;
};

/**
 * struct image_window - memory of a block, seen where the guest has it mapped
 * @linear: the guest's address, a multiple of IMAGE_PAGE
 * @gpa: where it is, a multiple of IMAGE_PAGE
 * @size: bytes, a multiple of IMAGE_PAGE; 0: there is no window
 */
struct image_window {
	u64 linear;
	u64 gpa;
	u64 size;
};

/**
 * struct image_note - a note that waits to be written, or that was read
 * @owner: "LKVM", "CORE" or "VMCOREINFO"
 * @type: see enum image_note_type, or NT_* of <elf.h>
 * @data: its contents, owned by the image
 * @len: bytes
 */
struct image_note {
	char owner[16];
	u32 type;
	void *data;
	u64 len;
};

/**
 * struct image - an image that is being written or read
 * @ch: where it is; not owned
 * @machine: ELF's e_machine of the guest's architecture
 * @blocks: its memory, sorted by position
 * @blocks_nr: how many
 * @window: the guest kernel's image, for debuggers
 * @notes: its notes, in order
 * @notes_nr: how many
 * @tail_pos: where the notes begin
 * @tail_len: bytes of the notes; a reader's
 * @size: bytes of the whole image
 * @created_ns: CLOCK_REALTIME when it was begun
 * @id: random, different for each image
 * @transit: it is on its way to a peer: no checksums of pages, because what
 *           carries it has its own
 *
 * Threads: pages may be put by several at once if they are different ones; all
 * else by one.
 */
struct image {
	struct channel *ch;
	u16 machine;
	struct image_block blocks[IMAGE_BLOCKS_MAX];
	u32 blocks_nr;
	struct image_window window;
	struct image_note notes[IMAGE_NOTES_MAX];
	u32 notes_nr;
	u64 tail_pos;
	u64 tail_len;
	u64 size;
	u64 created_ns;
	u8 id[16];
	bool transit;
};

/**
 * struct image_batch - pages on their way into an image
 * @image: the image
 * @zero_sum: the checksum of a page of zeros
 * @pieces: runs of pages with data that wait to be written together
 * @nr: how many
 * @pages_data: pages with data that were put so far
 * @pages_again: those of them that had been put before
 * @pages_zero: pages of zeros that were put so far
 *
 * One for each thread that puts pages.
 */
struct image_batch {
	struct image *image;
	__le64 zero_sum;
	struct channel_piece pieces[CHANNEL_BATCH_MAX];
	u32 nr;
	u64 pages_data;
	u64 pages_again;
	u64 pages_zero;
};

/**
 * struct image_progress - who wants to know how far it is
 * @done: bytes dealt with, added to by several threads
 * @total: bytes to deal with
 */
struct image_progress {
	_Atomic u64 done;
	_Atomic u64 total;
};

u64 image_sum(const void *data, u64 len);

int image_create(struct channel *ch, u16 machine, struct image **out,
		 struct error *err) __must_check;
int image_add_block(struct image *image, const char *name, u64 gpa, u64 size,
		    struct error *err) __must_check;
void image_set_window(struct image *image, const struct image_window *window);
int image_add_note(struct image *image, const char *owner, u32 type,
		   const void *data, u64 len, struct error *err) __must_check;
int image_put_pages(struct image *image, u32 block, u64 page, const void *data,
		    u64 pages, struct error *err) __must_check;
void image_batch_init(struct image_batch *batch, struct image *image);
int image_batch_pages(struct image_batch *batch, u32 block, u64 page,
		      const void *data, u64 pages, struct error *err)
	__must_check;
int image_batch_zeros(struct image_batch *batch, u32 block, u64 page,
		      u64 pages, struct error *err) __must_check;
int image_batch_flush(struct image_batch *batch, struct error *err)
	__must_check;
int image_commit(struct image *image, struct error *err) __must_check;

void image_set_transit(struct image *image);

int image_open(struct channel *ch, struct image **out, struct error *err)
	__must_check;
int image_open_transit(struct channel *ch, struct image **out,
		       struct error *err) __must_check;
const struct image_note *image_find_note(const struct image *image,
					 const char *owner, u32 type);
int image_verify(struct image *image, u32 threads,
		 struct image_progress *progress, struct error *err)
	__must_check;

void image_free(struct image *image);

#endif /* LKVM_IMAGE_H */
