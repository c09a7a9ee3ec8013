/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_IMAGE_PRIV_H
#define LKVM_IMAGE_PRIV_H

#include <elf.h>

#include "migration/image.h"

#define IMAGE_MAGIC		0x4d564b4cU	/* "LKVM" */
#define IMAGE_NOTE_ALIGN	4ULL

/* What is at position 0: as much as is ever needed, always in one page. */
#define IMAGE_PHDRS_MAX		(IMAGE_BLOCKS_MAX + 2)

/**
 * struct image_head - the first bytes of an image
 * @ehdr: ELF header
 * @phdr: PT_NOTE, then a PT_LOAD for each block, then one for the window
 */
struct image_head {
	Elf64_Ehdr ehdr;
	Elf64_Phdr phdr[IMAGE_PHDRS_MAX];
};

static_assert(sizeof(struct image_head) <= IMAGE_PAGE, "one page");

/**
 * struct image_commit - the last bytes of an image that is whole
 * @magic: IMAGE_MAGIC
 * @version: IMAGE_VERSION
 * @size: bytes of the image, this record included
 * @checksums_sum: hash of the note of checksums, with its header
 * @tail_sum: hash of all other notes before the one of this record
 * @head_sum: hash of the ELF header and the program headers
 * @sum: hash of the fields above
 */
struct image_commit {
	__le32 magic;
	__le32 version;
	__le64 size;
	__le64 checksums_sum;
	__le64 tail_sum;
	__le64 head_sum;
	__le64 sum;
} __attribute__((packed, aligned(4)));

static_assert(sizeof(struct image_commit) == 48, "layout");

/**
 * struct image_commit_note - the commit record with its note's header
 * @nhdr: header
 * @owner: IMAGE_OWNER, padded with zeros
 * @commit: the record
 */
struct image_commit_note {
	Elf64_Nhdr nhdr;
	char owner[8];
	struct image_commit commit;
};

static_assert(sizeof(struct image_commit_note) == 68, "layout");

bool image_is_zero(const void *data, u64 len);
bool image_is_text(const void *data, u64 len);
u64 image_note_size(const struct image_note *note);
const struct image_block *image_window_block(const struct image *image,
					     const struct image_window *window);
u64 image_block_pages(const struct image_block *b);
u64 image_checksums_size(const struct image *image);
void image_head_fill(const struct image *image, struct image_head *head,
		     u64 tail_len);
u64 image_head_size(const struct image *image);
int image_layout_add(struct image *image, struct error *err) __must_check;
int image_layout_read(struct image *image, struct error *err) __must_check;

#endif /* LKVM_IMAGE_PRIV_H */
