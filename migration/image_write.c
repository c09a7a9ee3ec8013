// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: writing an image
 *
 * Blocks are declared first, which fixes every position. Pages may then be put
 * in any order, by several threads, and again when they have changed: the last
 * one counts. Pages of zeros become a hole, but for a few between others. What
 * has data is written in batches, so that a disk has much to do at once even
 * when only single pages have changed. Notes are gathered in memory and
 * written by image_commit(), in an order that makes the image whole at its last
 * step only: tail and head, then a sync, then the commit record, then a sync.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "migration/image_priv.h"
#include "vmm/base/bitmap.h"
#include "vmm/base/math.h"

#define PIECE_PAGES	(CHANNEL_PIECE / IMAGE_PAGE)
#define HOLE_PAGES	16	/* between pages with data */

static __le64 zero_page_sum(void)
{
	static const u8 zeros[IMAGE_PAGE];

	return cpu_to_le64(image_sum(zeros, sizeof(zeros)));
}

/**
 * image_create() - begin an image
 * @ch: an empty channel; stays the caller's
 * @machine: ELF's e_machine of the guest's architecture
 * @out: the image; image_free() frees it
 * @err: filled on failure
 *
 * Return: 0, -ENOMEM or -EIO.
 */
int image_create(struct channel *ch, u16 machine, struct image **out,
		 struct error *err)
{
	struct image *image = calloc(1, sizeof(*image));
	struct timespec now;

	if (!image)
		return error_set(err, -ENOMEM, "out of memory");
	image->ch = ch;
	image->machine = machine;
	image->tail_pos = IMAGE_ALIGN;
	clock_gettime(CLOCK_REALTIME, &now);
	image->created_ns = (u64)now.tv_sec * 1000000000ULL + (u64)now.tv_nsec;
	if (getrandom(image->id, sizeof(image->id), 0) != sizeof(image->id)) {
		free(image);
		return error_set(err, -EIO, "no random numbers: %m");
	}
	*out = image;
	return 0;
}

/**
 * image_set_transit() - the image is on its way to a peer
 * @image: the image; without blocks
 *
 * It has no checksums of pages: what carries it has its own. Such an image is
 * for image_open_transit().
 */
void image_set_transit(struct image *image)
{
	image->transit = true;
}

/**
 * image_add_block() - give a block of guest memory its place
 * @image: the image; no page was put yet
 * @name: the block's name
 * @gpa: guest physical address, a multiple of IMAGE_PAGE
 * @size: bytes, a multiple of IMAGE_PAGE, not 0
 * @err: filled on failure
 *
 * Pages that are never put read as zeros.
 *
 * Return: 0, -EINVAL, -ENOSPC or -ENOMEM.
 */
int image_add_block(struct image *image, const char *name, u64 gpa, u64 size,
		    struct error *err)
{
	struct image_block *b = &image->blocks[image->blocks_nr];
	__le64 zero_sum = zero_page_sum();
	u64 i, pages = size / IMAGE_PAGE;

	if (image->blocks_nr == IMAGE_BLOCKS_MAX)
		return error_set(err, -ENOSPC, "too many blocks of memory");
	if (!size || !is_aligned(gpa | size, IMAGE_PAGE) ||
	    !range_fits(image->tail_pos, size, INT64_MAX - IMAGE_TAIL_MAX))
		return error_set(err, -EINVAL, "block %s: bad range", name);
	snprintf(b->name, sizeof(b->name), "%s", name);
	b->gpa = gpa;
	b->size = size;
	b->pos = image->tail_pos;
	b->sums = image->transit ? NULL : malloc(pages * sizeof(*b->sums));
	b->written = calloc(BITMAP_WORDS(pages), sizeof(*b->written));
	if ((!b->sums && !image->transit) || !b->written) {
		free(b->sums);
		free(b->written);
		return error_set(err, -ENOMEM, "block %s: out of memory",
				 name);
	}
	for (i = 0; b->sums && i < pages; i++)
		b->sums[i] = zero_sum;
	image->blocks_nr++;
	image->tail_pos = round_up_to(b->pos + size, IMAGE_ALIGN);
	return 0;
}

/**
 * image_set_window() - show a part of memory at the guest's own address, too
 * @image: the image; all blocks were added
 * @window: which part; one that is not on a single block is left out
 *
 * Debuggers that want to walk the guest kernel's page tables find the first
 * one by its address in the kernel's image.
 */
void image_set_window(struct image *image, const struct image_window *window)
{
	if (is_aligned(window->linear | window->gpa | window->size,
		       IMAGE_PAGE) && image_window_block(image, window))
		image->window = *window;
}

/**
 * image_add_note() - have a note written with the commit
 * @image: the image
 * @owner: "LKVM", "CORE" or "VMCOREINFO"
 * @type: see enum image_note_type, or NT_* of <elf.h>
 * @data: its contents; copied
 * @len: bytes
 * @err: filled on failure
 *
 * Notes stand in the image in the order in which they were added.
 *
 * Return: 0, -ENOSPC or -ENOMEM.
 */
int image_add_note(struct image *image, const char *owner, u32 type,
		   const void *data, u64 len, struct error *err)
{
	struct image_note *note = &image->notes[image->notes_nr];

	if (image->notes_nr == IMAGE_NOTES_MAX || len > IMAGE_TAIL_MAX)
		return error_set(err, -ENOSPC, "too many or too long notes");
	note->data = malloc(len ? len : 1);
	if (!note->data)
		return error_set(err, -ENOMEM, "out of memory");
	memcpy(note->data, data, len);
	snprintf(note->owner, sizeof(note->owner), "%s", owner);
	note->type = type;
	note->len = len;
	image->notes_nr++;
	return 0;
}

/**
 * struct run - neighbouring pages that go the same way
 * @page: the first
 * @pages: how many
 * @zero: they are zero
 */
struct run {
	u64 page;
	u64 pages;
	bool zero;
};

/* Zeros over pages that were never written need nothing. */
static int put_zeros(struct image *image, struct image_block *b,
		     const struct run *run, struct error *err)
{
	u64 i = 0, start;
	int ret;

	while (i < run->pages) {
		if (!bitmap_test_atomic(b->written, run->page + i)) {
			i++;
			continue;
		}
		for (start = i; i < run->pages &&
		     bitmap_test_atomic(b->written, run->page + i); i++)
			;
		ret = channel_zero_all(image->ch, b->pos +
				       (run->page + start) * IMAGE_PAGE,
				       (i - start) * IMAGE_PAGE, err);
		if (ret)
			return ret;
	}
	return 0;
}

/**
 * image_batch_init() - nothing is on its way yet
 * @batch: to be filled
 * @image: the image
 */
void image_batch_init(struct image_batch *batch, struct image *image)
{
	batch->image = image;
	batch->zero_sum = zero_page_sum();
	batch->nr = 0;
	batch->pages_data = 0;
	batch->pages_again = 0;
	batch->pages_zero = 0;
}

/**
 * image_batch_flush() - have everything written that was added
 * @batch: the batch; empty afterwards, also after a failure
 * @err: filled on failure
 *
 * Context: may block.
 * Return: 0 or what the channel said.
 */
int image_batch_flush(struct image_batch *batch, struct error *err)
{
	u32 nr = batch->nr;

	batch->nr = 0;
	return nr ? channel_pwrite_pieces_all(batch->image->ch, batch->pieces,
					      nr, err) : 0;
}

static int put_data(struct image_batch *batch, struct image_block *b,
		    const struct run *run, const u8 *data, struct error *err)
{
	u64 i;

	for (i = 0; i < run->pages; i++) {
		if (b->sums)
			b->sums[run->page + i] =
				cpu_to_le64(image_sum(data + i * IMAGE_PAGE,
						      IMAGE_PAGE));
		batch->pages_again += bitmap_test_atomic(b->written,
							 run->page + i);
		bitmap_set_atomic(b->written, run->page + i);
	}
	batch->pages_data += run->pages;
	batch->pieces[batch->nr++] = (struct channel_piece){
		.buf = (void *)data,
		.len = run->pages * IMAGE_PAGE,
		.pos = b->pos + run->page * IMAGE_PAGE,
	};
	return batch->nr == CHANNEL_BATCH_MAX ? image_batch_flush(batch, err) :
						0;
}

static int put_run(struct image_batch *batch, struct image_block *b,
		   const struct run *run, const u8 *data, struct error *err)
{
	u64 i;

	if (!run->zero)
		return put_data(batch, b, run, data, err);
	for (i = 0; b->sums && i < run->pages; i++)
		b->sums[run->page + i] = batch->zero_sum;
	batch->pages_zero += run->pages;
	return put_zeros(batch->image, b, run, err);
}

/*
 * As many neighbours as go the same way and make one piece. A few pages of
 * zeros between others are written: a file of little holes is slow to write, to
 * sync and to read.
 */
static struct run next_run(const u8 *data, u64 page, u64 pages)
{
	struct run run = { .page = page };
	u64 i, zeros = 0;

	run.zero = image_is_zero(data, IMAGE_PAGE);
	if (!run.zero)
		pages = min_of(pages, PIECE_PAGES);
	for (i = 0; i < pages && zeros < HOLE_PAGES; i++) {
		bool zero = image_is_zero(data + i * IMAGE_PAGE, IMAGE_PAGE);

		if (run.zero && !zero)
			break;
		zeros = zero && !run.zero ? zeros + 1 : 0;
	}
	run.pages = i - zeros;
	return run;
}

static int check_pages(const struct image *image, u32 block, u64 page,
		       u64 pages, struct error *err)
{
	if (block >= image->blocks_nr ||
	    !range_fits(page, pages, image_block_pages(&image->blocks[block])))
		return error_set(err, -EINVAL, "page beyond its block");
	return 0;
}

/**
 * image_batch_pages() - put pages of a block into the image
 * @batch: what goes there together
 * @block: which block, by the order in which they were added
 * @page: the first page
 * @data: the pages; they may change meanwhile if they are put again later, and
 *        must stay until image_batch_flush()
 * @pages: how many
 * @err: filled on failure
 *
 * Context: any thread; a page is put by one thread at a time. May block.
 * Return: 0, -EINVAL for pages beyond the block, or what the channel said.
 */
int image_batch_pages(struct image_batch *batch, u32 block, u64 page,
		      const void *data, u64 pages, struct error *err)
{
	struct image_block *b = &batch->image->blocks[block];
	const u8 *at = data;
	int ret;
	u64 i;

	ret = check_pages(batch->image, block, page, pages, err);
	for (i = 0; i < pages && !ret;) {
		const u8 *start = at + i * IMAGE_PAGE;
		struct run run = next_run(start, page + i, pages - i);

		ret = put_run(batch, b, &run, start, err);
		i += run.pages;
	}
	return ret;
}

/**
 * image_batch_zeros() - put pages of zeros into the image
 * @batch: what goes there together
 * @block: which block, by the order in which they were added
 * @page: the first page
 * @pages: how many
 * @err: filled on failure
 *
 * As image_batch_pages(), for who knows that they are zero without a look.
 *
 * Context: any thread; a page is put by one thread at a time. May block.
 * Return: as image_batch_pages().
 */
int image_batch_zeros(struct image_batch *batch, u32 block, u64 page,
		      u64 pages, struct error *err)
{
	struct run run = { .page = page, .pages = pages, .zero = true };
	int ret = check_pages(batch->image, block, page, pages, err);

	return ret ? ret : put_run(batch, &batch->image->blocks[block], &run,
				   NULL, err);
}

/**
 * image_put_pages() - put pages of a block into the image, at once
 * @image: the image
 * @block: which block, by the order in which they were added
 * @page: the first page
 * @data: the pages; they may change meanwhile if they are put again later
 * @pages: how many
 * @err: filled on failure
 *
 * Context: any thread; a page is put by one thread at a time. May block.
 * Return: as image_batch_pages().
 */
int image_put_pages(struct image *image, u32 block, u64 page, const void *data,
		    u64 pages, struct error *err)
{
	struct image_batch batch;
	int ret;

	image_batch_init(&batch, image);
	ret = image_batch_pages(&batch, block, page, data, pages, err);
	return ret ? ret : image_batch_flush(&batch, err);
}

static void checksums_copy(const struct image *image, u8 *at)
{
	u32 i;

	for (i = 0; !image->transit && i < image->blocks_nr; i++) {
		const struct image_block *b = &image->blocks[i];
		u64 len = image_block_pages(b) * sizeof(*b->sums);

		memcpy(at, b->sums, len);
		at += len;
	}
}

static int add_checksums(struct image *image, struct error *err)
{
	u64 len;
	u8 *all;
	int ret;

	len = image_checksums_size(image);
	all = malloc(len ? len : 1);
	if (!all)
		return error_set(err, -ENOMEM, "out of memory");
	checksums_copy(image, all);
	ret = image_add_note(image, IMAGE_OWNER, IMAGE_NOTE_CHECKSUMS, all,
			     len, err);
	free(all);
	return ret;
}

static u64 note_encode(const struct image_note *note, u8 *at)
{
	u64 name_len = strlen(note->owner) + 1;
	Elf64_Nhdr nhdr = {
		.n_namesz = (u32)name_len,
		.n_descsz = (u32)note->len,
		.n_type = note->type,
	};
	u8 *p = at;

	memset(at, 0, image_note_size(note));
	memcpy(p, &nhdr, sizeof(nhdr));
	p += sizeof(nhdr);
	memcpy(p, note->owner, name_len);
	p += round_up_to(name_len, IMAGE_NOTE_ALIGN);
	memcpy(p, note->data, note->len);
	return image_note_size(note);
}

/**
 * struct tail - the notes as they go into the image
 * @buf: all of them, the commit record's included
 * @len: bytes
 * @commit_at: where the commit record's note begins
 * @checksums_at: where the note of checksums begins
 */
struct tail {
	u8 *buf;
	u64 len;
	u64 commit_at;
	u64 checksums_at;
};

static int tail_encode(struct image *image, struct tail *t, struct error *err)
{
	u64 at = 0;
	u32 i;

	t->len = 0;
	for (i = 0; i < image->notes_nr; i++)
		t->len += image_note_size(&image->notes[i]);
	if (t->len > IMAGE_TAIL_MAX)
		return error_set(err, -EFBIG, "%s: more than %llu MiB of notes",
				 image->ch->name, IMAGE_TAIL_MAX / MIB);
	t->buf = malloc(t->len);
	if (!t->buf)
		return error_set(err, -ENOMEM, "out of memory");
	for (i = 0; i < image->notes_nr; i++) {
		if (i + 2 == image->notes_nr)
			t->checksums_at = at;
		if (i + 1 == image->notes_nr)
			t->commit_at = at;
		at += note_encode(&image->notes[i], t->buf + at);
	}
	return 0;
}

static void commit_fill(const struct image *image, const struct tail *t,
			const struct image_head *head,
			struct image_commit *commit)
{
	*commit = (struct image_commit){
		.magic = cpu_to_le32(IMAGE_MAGIC),
		.version = cpu_to_le32(IMAGE_VERSION),
		.size = cpu_to_le64(image->tail_pos + t->len),
		.checksums_sum = cpu_to_le64(image_sum(t->buf +
			t->checksums_at, t->commit_at - t->checksums_at)),
		.tail_sum = cpu_to_le64(image_sum(t->buf, t->checksums_at)),
		.head_sum = cpu_to_le64(image_sum(head,
						  image_head_size(image))),
	};
	commit->sum = cpu_to_le64(image_sum(commit,
				  offsetof(struct image_commit, sum)));
}

static int write_out(struct image *image, struct tail *t, struct error *err)
{
	struct image_commit commit;
	struct image_head head;
	int ret;

	image_head_fill(image, &head, t->len);
	commit_fill(image, t, &head, &commit);
	memcpy(t->buf + t->len - sizeof(commit), &commit, sizeof(commit));
	ret = channel_pwrite_all(image->ch, t->buf, t->commit_at,
				 image->tail_pos, err);
	if (!ret)
		ret = channel_pwrite_all(image->ch, &head,
					 image_head_size(image), 0, err);
	if (!ret)
		ret = channel_sync(image->ch, err);
	if (!ret)
		ret = channel_pwrite_all(image->ch, t->buf + t->commit_at,
					 t->len - t->commit_at,
					 image->tail_pos + t->commit_at, err);
	if (!ret)
		ret = channel_sync(image->ch, err);
	return ret;
}

/**
 * image_commit() - make the image whole
 * @image: the image; all pages were put and all notes added
 * @err: filled on failure
 *
 * More notes and pages may follow, and another commit.
 *
 * Context: may block for long.
 * Return: 0 when it is whole and on stable storage, else a negative errno.
 */
int image_commit(struct image *image, struct error *err)
{
	static const struct image_commit empty;
	struct tail t = { .buf = NULL };
	u32 notes = image->notes_nr;
	int ret;

	ret = image_layout_add(image, err);
	if (!ret)
		ret = add_checksums(image, err);
	if (!ret)
		ret = image_add_note(image, IMAGE_OWNER, IMAGE_NOTE_COMMIT,
				     &empty, sizeof(empty), err);
	if (!ret)
		ret = tail_encode(image, &t, err);
	if (!ret)
		ret = write_out(image, &t, err);
	while (image->notes_nr > notes)
		free(image->notes[--image->notes_nr].data);
	free(t.buf);
	return ret;
}
