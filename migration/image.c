// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the machine image: an ELF core file with fixed positions
 *
 * Position 0 holds the ELF header and the program headers. Each block of guest
 * memory has a PT_LOAD at a multiple of 2 MiB, so that it can be mapped and
 * written with O_DIRECT. After the blocks stands the tail, one PT_NOTE segment:
 * what gdb and drgn want (NT_PRSTATUS, VMCOREINFO) and what lkvm wants
 * (notes of the owner "LKVM"). Its last note is the commit record, which makes
 * the image whole: it has checksums over head and tail.
 *
 * This file has what writing and reading share. Documentation/image-format.rst
 * describes the format.
 */
#include <stdlib.h>
#include <string.h>

#include "migration/checksum.h"
#include "migration/image_priv.h"
#include "vmm/base/math.h"

/**
 * image_sum() - the checksum of an image's parts
 * @data: what
 * @len: bytes
 *
 * Return: its XXH3 hash of 64 bits, seed 0.
 */
u64 image_sum(const void *data, u64 len)
{
	return checksum(data, len);
}

/**
 * image_is_zero() - is it all zeros?
 * @data: what
 * @len: bytes, at most IMAGE_PAGE
 *
 * The C library compares with vectors, and stops at the first difference.
 *
 * Return: true when it is.
 */
bool image_is_zero(const void *data, u64 len)
{
	static const u8 zeros[IMAGE_PAGE];

	return !memcmp(data, zeros, len);
}

/**
 * image_is_text() - is it a string that can be shown?
 * @data: what
 * @len: bytes, at least 1, the NUL included
 *
 * Return: true when it is printable ASCII with a NUL at its end.
 */
bool image_is_text(const void *data, u64 len)
{
	const char *text = data;
	u64 i;

	for (i = 0; i < len - 1; i++)
		if (text[i] < ' ' || text[i] > '~')
			return false;
	return !text[i];
}

/**
 * image_note_size() - what a note takes in the image
 * @note: the note
 *
 * Return: bytes of header, owner and contents with their padding.
 */
u64 image_note_size(const struct image_note *note)
{
	return sizeof(Elf64_Nhdr) +
	       round_up_to(strlen(note->owner) + 1, IMAGE_NOTE_ALIGN) +
	       round_up_to(note->len, IMAGE_NOTE_ALIGN);
}

/**
 * image_block_pages() - how many pages a block has
 * @b: the block
 *
 * Return: pages of IMAGE_PAGE bytes.
 */
u64 image_block_pages(const struct image_block *b)
{
	return b->size / IMAGE_PAGE;
}

/**
 * image_checksums_size() - how long the checksums of all pages are
 * @image: with all its blocks
 *
 * Return: bytes; 0 for an image in transit.
 */
u64 image_checksums_size(const struct image *image)
{
	u64 pages = 0;
	u32 i;

	for (i = 0; i < image->blocks_nr; i++)
		pages += image_block_pages(&image->blocks[i]);
	return image->transit ? 0 : pages * sizeof(__le64);
}

static u32 phdrs(const struct image *image)
{
	return 1 + image->blocks_nr + (image->window.size ? 1 : 0);
}

/**
 * image_window_block() - the block that a window is on
 * @image: with all its blocks
 * @window: the window
 *
 * Return: the block, or NULL when no block has all of it.
 */
const struct image_block *image_window_block(const struct image *image,
					     const struct image_window *window)
{
	u32 i;

	for (i = 0; i < image->blocks_nr; i++) {
		const struct image_block *b = &image->blocks[i];

		if (range_within(window->gpa, window->size, b->gpa, b->size))
			return b;
	}
	return NULL;
}

/**
 * image_head_size() - how much of struct image_head is in use
 * @image: with all its blocks
 *
 * Return: bytes.
 */
u64 image_head_size(const struct image *image)
{
	return offsetof(struct image_head, phdr) +
	       phdrs(image) * sizeof(Elf64_Phdr);
}

static void window_fill(const struct image *image, Elf64_Phdr *ph)
{
	const struct image_window *w = &image->window;
	const struct image_block *b = image_window_block(image, w);

	*ph = (Elf64_Phdr) {
		.p_type = PT_LOAD,
		.p_flags = PF_R | PF_W | PF_X,
		.p_offset = b->pos + (w->gpa - b->gpa),
		.p_vaddr = w->linear,
		.p_paddr = w->gpa,
		.p_filesz = w->size,
		.p_memsz = w->size,
		.p_align = IMAGE_PAGE,
	};
}

/**
 * image_head_fill() - header and program headers
 * @image: with all its blocks, from which they follow
 * @head: to be filled
 * @tail_len: bytes of all notes
 */
void image_head_fill(const struct image *image, struct image_head *head,
		     u64 tail_len)
{
	u32 i;

	memset(head, 0, sizeof(*head));
	head->ehdr = (Elf64_Ehdr) {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64,
			     ELFDATA2LSB, EV_CURRENT, ELFOSABI_NONE },
		.e_type = ET_CORE,
		.e_machine = image->machine,
		.e_version = EV_CURRENT,
		.e_phoff = offsetof(struct image_head, phdr),
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = (u16)phdrs(image),
	};
	head->phdr[0] = (Elf64_Phdr) {
		.p_type = PT_NOTE,
		.p_offset = image->tail_pos,
		.p_filesz = tail_len,
		.p_align = IMAGE_NOTE_ALIGN,
	};
	for (i = 0; i < image->blocks_nr; i++) {
		const struct image_block *b = &image->blocks[i];

		head->phdr[i + 1] = (Elf64_Phdr) {
			.p_type = PT_LOAD,
			.p_flags = PF_R | PF_W | PF_X,
			.p_offset = b->pos,
			.p_paddr = b->gpa,
			.p_filesz = b->size,
			.p_memsz = b->size,
			.p_align = IMAGE_ALIGN,
		};
	}
	if (image->window.size)
		window_fill(image, &head->phdr[i + 1]);
}

/**
 * image_find_note() - a note of an image
 * @image: the image
 * @owner: "LKVM", "CORE" or "VMCOREINFO"
 * @type: its type
 *
 * Return: the first such note, or NULL.
 */
const struct image_note *image_find_note(const struct image *image,
					 const char *owner, u32 type)
{
	u32 i;

	for (i = 0; i < image->notes_nr; i++)
		if (image->notes[i].type == type &&
		    !strcmp(image->notes[i].owner, owner))
			return &image->notes[i];
	return NULL;
}

/**
 * image_free() - free an image; its channel stays
 * @image: the image, NULL for none
 */
void image_free(struct image *image)
{
	u32 i;

	if (!image)
		return;
	for (i = 0; i < image->blocks_nr; i++) {
		free(image->blocks[i].sums);
		free(image->blocks[i].written);
	}
	for (i = 0; i < image->notes_nr; i++)
		free(image->notes[i].data);
	free(image);
}
