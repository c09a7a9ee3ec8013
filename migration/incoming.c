// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: an image that arrives
 *
 * The receiver of a machine has the same image as a file would be, in pieces:
 * the head and the notes are in buffers, guest memory is the guest's memory
 * itself. Frames say what goes to which position; here each finds its place.
 * Head and notes can be read back through a channel, so that the code that
 * opens and checks an image in a file does so with this one.
 *
 * Every position comes from the peer. Memory takes whole pages within one
 * block; the notes grow without a gap, to INCOMING_TAIL_MAX at most; anything
 * else is refused. Before the memory is attached only head and notes can come.
 *
 * Memory starts as zeros. A page is cleared only where something was written,
 * and then it goes back to the host, so that pages that are zero at the source
 * take no memory here, also when they were not zero before.
 *
 * Threads: incoming_frame() may run on several, for different pages, and the
 * channel meanwhile on none; attaching is done when no frame can come.
 */
#include <stdlib.h>
#include <string.h>

#include "migration/incoming.h"
#include "vmm/base/bitmap.h"
#include "vmm/base/math.h"

static struct incoming *to_incoming(struct channel *ch)
{
	return container_of(ch, struct incoming, ch);
}

/* ---- reading back ------------------------------------------------------- */

static size_t copy_out(const struct incoming *in, u8 *to, size_t len, u64 pos)
{
	size_t n;

	if (pos < IMAGE_PAGE) {
		n = min_of(len, (size_t)(IMAGE_PAGE - pos));
		memcpy(to, in->head + pos, n);
		return n;
	}
	if (pos < in->tail_pos || pos - in->tail_pos >= in->tail_len)
		return 0;
	pos -= in->tail_pos;
	n = min_of(len, (size_t)(in->tail_len - pos));
	memcpy(to, in->tail + pos, n);
	return n;
}

static ssize_t incoming_preadv(struct channel *ch, const struct iovec *iov,
			       int iov_nr, u64 pos)
{
	struct incoming *in = to_incoming(ch);
	ssize_t moved = 0;
	size_t n;
	int i;

	for (i = 0; i < iov_nr; i++) {
		n = copy_out(in, iov[i].iov_base, iov[i].iov_len, pos);
		moved += (ssize_t)n;
		pos += n;
		if (n < iov[i].iov_len)
			break;
	}
	return moved;
}

static s64 incoming_size(struct channel *ch)
{
	const struct incoming *in = to_incoming(ch);

	return in->has_head ? (s64)(in->tail_pos + in->tail_len) : 0;
}

static void incoming_close(struct channel *ch)
{
	/* It belongs to its incoming. */
}

static const struct channel_ops incoming_ops = {
	.preadv = incoming_preadv,
	.size = incoming_size,
	.close = incoming_close,
};

/**
 * incoming_init() - an image of which nothing has arrived
 * @in: to be filled
 * @name: the peer, for error texts
 * @err: filled on failure
 *
 * Return: 0 or -ENOMEM.
 */
int incoming_init(struct incoming *in, const char *name, struct error *err)
{
	int ret;

	memset(in, 0, sizeof(*in));
	ret = channel_init(&in->ch, &incoming_ops, name, err);
	if (ret)
		return ret;
	pthread_mutex_init(&in->lock, NULL);
	return 0;
}

/**
 * incoming_destroy() - free what was gathered; guest memory stays
 * @in: the image
 */
void incoming_destroy(struct incoming *in)
{
	u32 i;

	for (i = 0; i < in->blocks_nr; i++)
		free(in->blocks[i].written);
	free(in->tail);
	pthread_mutex_destroy(&in->lock);
	channel_close(&in->ch);
}

/* ---- memory ------------------------------------------------------------- */

static struct memory_block *find_memory(struct guest_memory *memory,
					const struct image_block *b)
{
	u32 i;

	for (i = 0; i < memory->nr; i++)
		if (!strcmp(memory->blocks[i].name, b->name) &&
		    gpa_raw(memory->blocks[i].gpa) == b->gpa &&
		    memory->blocks[i].size == b->size)
			return &memory->blocks[i];
	return NULL;
}

/**
 * incoming_attach() - the machine exists: its memory can arrive
 * @in: an image whose head and notes were read
 * @image: what they say
 * @memory: the machine's memory, all zeros
 * @err: filled on failure
 *
 * The notes that have arrived are forgotten; others come at the end.
 *
 * Return: 0, -EINVAL when the blocks are not those of the image, -ENOMEM.
 */
int incoming_attach(struct incoming *in, const struct image *image,
		    struct guest_memory *memory, struct error *err)
{
	u32 i;

	in->memory = memory;
	if (image->blocks_nr != memory->nr)
		return error_set(err, -EINVAL,
				 "%s: %u blocks of memory, the machine has %u",
				 in->ch.name, image->blocks_nr, memory->nr);
	for (i = 0; i < image->blocks_nr; i++) {
		const struct image_block *b = &image->blocks[i];
		struct memory_block *m = find_memory(memory, b);

		if (!m)
			return error_set(err, -EINVAL,
					 "%s: memory %s is not what the machine description has",
					 in->ch.name, b->name);
		in->blocks[i] = (struct incoming_block){
			.pos = b->pos, .size = b->size, .gpa = m->gpa,
			.host = m->host,
			.written = calloc(BITMAP_WORDS(b->size / IMAGE_PAGE),
					  sizeof(u64)),
		};
		in->blocks_nr++;
		if (!in->blocks[i].written)
			return error_set(err, -ENOMEM, "%s: out of memory",
					 in->ch.name);
	}
	free(in->tail);
	in->tail = NULL;
	in->tail_len = 0;
	return 0;
}

static struct incoming_block *find_block(struct incoming *in, u64 pos, u64 len)
{
	u32 i;

	for (i = 0; i < in->blocks_nr; i++)
		if (range_within(pos, len, in->blocks[i].pos,
				 in->blocks[i].size))
			return &in->blocks[i];
	return NULL;
}

static int receive_pages(struct incoming *in, struct incoming_block *b,
			 struct frame_link *link, const struct frame *frame,
			 struct error *err)
{
	u64 offset = frame->pos - b->pos, page = offset / IMAGE_PAGE, i;

	/* First the bits: a frame that is cut off has written something. */
	for (i = 0; i < frame->len / IMAGE_PAGE; i++)
		bitmap_set_atomic(b->written, page + i);
	atomic_fetch_add(&in->received, frame->len);
	return frame_receive_payload(link, frame, b->host + offset, err);
}

/* Pages in a row, from @page on, where something was written, or nothing was. */
static u64 same_kind(struct incoming_block *b, u64 page, u64 end, bool written)
{
	u64 nr = 0;

	while (page + nr < end &&
	       bitmap_test_atomic(b->written, page + nr) == written)
		nr++;
	return nr;
}

/* The host has them back; what it does not take is cleared. */
static void give_back(struct incoming *in, struct incoming_block *b, u64 page,
		      u64 nr)
{
	u64 offset = page * IMAGE_PAGE, len = nr * IMAGE_PAGE, given = 0;

	if (guest_memory_discard(in->memory, gpa_add(b->gpa, offset), len,
				 &given) || given < len)
		memset(b->host + offset, 0, len);
	for (; nr; nr--, page++)
		bitmap_clear_atomic(b->written, page);
}

static void clear_pages(struct incoming *in, struct incoming_block *b, u64 pos,
			u64 len)
{
	u64 page = (pos - b->pos) / IMAGE_PAGE, end = page + len / IMAGE_PAGE;
	u64 nr;

	for (; page < end; page += nr) {
		bool written = bitmap_test_atomic(b->written, page);

		/* Nobody else has frames for these pages. */
		nr = same_kind(b, page, end, written);
		if (written)
			give_back(in, b, page, nr);
	}
}

/* ---- head and notes ----------------------------------------------------- */

static int refuse(const struct incoming *in, const struct frame *frame,
		  struct error *err)
{
	return error_set(err, -EPROTO,
			 "%s: %s of %llu bytes at %llu: nothing of the machine is there",
			 in->ch.name, frame_name(frame->type), frame->len,
			 frame->pos);
}

static int put_tail(struct incoming *in, const struct frame *frame,
		    const u8 *data, struct error *err)
{
	u64 at = frame->pos - in->tail_pos;
	u8 *bigger;

	if (at > in->tail_len || !range_fits(at, frame->len, INCOMING_TAIL_MAX))
		return refuse(in, frame, err);
	if (at + frame->len > in->tail_len) {
		bigger = realloc(in->tail, at + frame->len);
		if (!bigger)
			return error_set(err, -ENOMEM, "%s: out of memory",
					 in->ch.name);
		in->tail = bigger;
		in->tail_len = at + frame->len;
	}
	memcpy(in->tail + at, data, frame->len);
	return 0;
}

static int put_notes(struct incoming *in, const struct frame *frame,
		     const u8 *data, struct error *err)
{
	if (range_fits(frame->pos, frame->len, IMAGE_PAGE)) {
		memcpy(in->head + frame->pos, data, frame->len);
		in->has_head = true;
		return 0;
	}
	if (frame->pos < IMAGE_ALIGN)
		return refuse(in, frame, err);
	/* The first of them says where they begin; the head must say so, too. */
	if (!in->tail_pos)
		in->tail_pos = frame->pos;
	return frame->pos < in->tail_pos ? refuse(in, frame, err) :
					   put_tail(in, frame, data, err);
}

static int receive_notes(struct incoming *in, struct frame_link *link,
			 const struct frame *frame, struct error *err)
{
	u8 *data = malloc(frame->len ? frame->len : 1);
	int ret;

	if (!data)
		return error_set(err, -ENOMEM, "%s: out of memory",
				 in->ch.name);
	ret = frame_receive_payload(link, frame, data, err);
	if (!ret) {
		pthread_mutex_lock(&in->lock);
		ret = put_notes(in, frame, data, err);
		pthread_mutex_unlock(&in->lock);
	}
	free(data);
	return ret;
}

/**
 * incoming_frame() - put a frame where it belongs
 * @in: the image
 * @link: the connection, about to deliver the payload
 * @frame: FRAME_WRITE or FRAME_ZERO
 * @err: filled on failure
 *
 * Context: any thread; may block.
 * Return: 0; -EPROTO for a position where nothing of the machine is; or as
 * frame_receive_payload().
 */
int incoming_frame(struct incoming *in, struct frame_link *link,
		   const struct frame *frame, struct error *err)
{
	struct incoming_block *b = find_block(in, frame->pos, frame->len);

	if (b && !is_aligned(frame->pos | frame->len, IMAGE_PAGE))
		return refuse(in, frame, err);
	if (frame->type == FRAME_WRITE)
		return b ? receive_pages(in, b, link, frame, err) :
			   receive_notes(in, link, frame, err);
	if (!b)
		return refuse(in, frame, err);
	clear_pages(in, b, frame->pos, frame->len);
	return 0;
}
