// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: opening an image
 *
 * An image comes from anywhere: every number in it is checked before it is
 * used. First the file's end: without a commit record whose size and checksum
 * are right the image is not whole. Then the checksums of head and notes, then
 * their contents. The checksums of the pages are read by image_verify() only,
 * so that opening takes as long for a great machine as for a small one.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "migration/image_priv.h"
#include "vmm/base/math.h"

#define VERIFY_PIECE	(4ULL << 20)
#define VERIFY_THREADS_MAX	64

static const u64 commit_note_size = sizeof(struct image_commit_note);

static int bad(const struct image *image, struct error *err, const char *why)
{
	return error_set(err, -EINVAL, "%s: %s", image->ch->name, why);
}

static int check_ehdr(const struct image *image, const Elf64_Ehdr *e,
		      struct error *err)
{
	if (memcmp(e->e_ident, ELFMAG, SELFMAG))
		return bad(image, err, "not an image of lkvm (no ELF file)");
	if (e->e_ident[EI_CLASS] != ELFCLASS64 ||
	    e->e_ident[EI_DATA] != ELFDATA2LSB || e->e_type != ET_CORE)
		return bad(image, err,
			   "not an image of lkvm (no 64-bit ELF core file)");
	if (e->e_phoff != offsetof(struct image_head, phdr) ||
	    e->e_phentsize != sizeof(Elf64_Phdr) ||
	    e->e_ehsize != sizeof(*e) || e->e_phnum < 2 ||
	    e->e_phnum > IMAGE_PHDRS_MAX)
		return bad(image, err, "not an image of lkvm (other headers)");
	return 0;
}

static int read_block(struct image *image, const Elf64_Phdr *ph, u64 *end,
		      struct error *err)
{
	struct image_block *b = &image->blocks[image->blocks_nr];
	u32 i;

	if (ph->p_type != PT_LOAD || !ph->p_filesz || ph->p_vaddr ||
	    ph->p_memsz != ph->p_filesz ||
	    !is_aligned(ph->p_filesz | ph->p_paddr, IMAGE_PAGE) ||
	    !is_aligned(ph->p_offset, IMAGE_ALIGN) || ph->p_offset < *end ||
	    !range_fits(ph->p_offset, ph->p_filesz, UINT64_MAX) ||
	    !range_fits(ph->p_paddr, ph->p_filesz, UINT64_MAX))
		return error_set(err, -EINVAL,
				 "%s: program header %u is malformed",
				 image->ch->name, image->blocks_nr + 1);
	if (!range_fits(ph->p_offset, ph->p_filesz, image->size))
		return error_set(err, -EINVAL,
				 "%s: truncated: program header %u goes beyond its end",
				 image->ch->name, image->blocks_nr + 1);
	for (i = 0; i < image->blocks_nr; i++)
		if (ranges_overlap(image->blocks[i].gpa, image->blocks[i].size,
				   ph->p_paddr, ph->p_filesz))
			return error_set(err, -EINVAL,
					 "%s: memory of program headers %u and %u overlaps",
					 image->ch->name, i + 1,
					 image->blocks_nr + 1);
	b->gpa = ph->p_paddr;
	b->size = ph->p_filesz;
	b->pos = ph->p_offset;
	*end = ph->p_offset + ph->p_filesz;
	image->blocks_nr++;
	return 0;
}

/* The last program header may be a window on a block. */
static int read_window(struct image *image, const Elf64_Phdr *ph,
		       struct error *err)
{
	struct image_window *w = &image->window;
	const struct image_block *b;

	*w = (struct image_window){
		.linear = ph->p_vaddr, .gpa = ph->p_paddr,
		.size = ph->p_filesz,
	};
	b = image_window_block(image, w);
	if (ph->p_type != PT_LOAD || !w->size || ph->p_memsz != w->size ||
	    !is_aligned(w->linear | w->gpa | w->size, IMAGE_PAGE) || !b ||
	    ph->p_offset != b->pos + (w->gpa - b->gpa))
		return bad(image, err, "the kernel's program header is malformed");
	return 0;
}

/* Blocks and the place of the tail from the headers. */
static int read_head(struct image *image, struct image_head *head,
		     struct error *err)
{
	const Elf64_Phdr *note = &head->phdr[0];
	u64 end = IMAGE_ALIGN;
	int ret;
	u32 i;

	ret = channel_pread_all(image->ch, head, sizeof(*head), 0, err);
	if (!ret)
		ret = check_ehdr(image, &head->ehdr, err);
	if (ret)
		return ret;
	image->machine = head->ehdr.e_machine;
	for (i = 1; i < head->ehdr.e_phnum; i++) {
		if (image->blocks_nr && i + 1 == head->ehdr.e_phnum &&
		    head->phdr[i].p_vaddr)
			ret = read_window(image, &head->phdr[i], err);
		else
			ret = read_block(image, &head->phdr[i], &end, err);
		if (ret)
			return ret;
	}
	if (note->p_type != PT_NOTE || note->p_offset < end ||
	    note->p_filesz > IMAGE_TAIL_MAX ||
	    note->p_filesz < commit_note_size ||
	    !range_fits(note->p_offset, note->p_filesz, image->size))
		return bad(image, err, "truncated, or its headers are malformed");
	image->tail_pos = note->p_offset;
	image->tail_len = note->p_filesz;
	return 0;
}

static int read_commit(struct image *image, struct image_commit *commit,
		       struct error *err)
{
	static const struct image_commit_note expect = {
		.nhdr = {
			.n_namesz = sizeof(IMAGE_OWNER),
			.n_descsz = sizeof(struct image_commit),
			.n_type = IMAGE_NOTE_COMMIT,
		},
		.owner = IMAGE_OWNER,
	};
	u64 end = image->tail_pos + image->tail_len;
	struct image_commit_note note;
	int ret;

	ret = channel_pread_all(image->ch, &note, sizeof(note),
				end - sizeof(note), err);
	if (ret)
		return ret;
	*commit = note.commit;
	if (memcmp(&note, &expect, offsetof(struct image_commit_note,
					    commit)) ||
	    le32_to_cpu(commit->magic) != IMAGE_MAGIC ||
	    le64_to_cpu(commit->sum) !=
	    image_sum(commit, offsetof(struct image_commit, sum)))
		return bad(image, err,
			   "no valid commit record: it was not written to its end");
	if (le32_to_cpu(commit->version) != IMAGE_VERSION)
		return error_set(err, -EPROTO,
				 "%s: format version %u; this lkvm reads version %u",
				 image->ch->name, le32_to_cpu(commit->version),
				 IMAGE_VERSION);
	if (le64_to_cpu(commit->size) != end || image->size != end)
		return error_set(err, -EINVAL,
				 "%s: %llu bytes long instead of %llu: truncated or grown",
				 image->ch->name, image->size,
				 le64_to_cpu(commit->size));
	return 0;
}

static int parse_note(struct image *image, const u8 *tail, u64 *at, u64 end,
		      struct error *err)
{
	struct image_note *note = &image->notes[image->notes_nr];
	Elf64_Nhdr nhdr;
	u64 name_len;

	if (image->notes_nr == IMAGE_NOTES_MAX)
		return bad(image, err, "too many notes");
	if (!range_fits(*at, sizeof(nhdr), end))
		return bad(image, err, "a note is cut off");
	memcpy(&nhdr, tail + *at, sizeof(nhdr));
	*at += sizeof(nhdr);
	name_len = round_up_to(nhdr.n_namesz, IMAGE_NOTE_ALIGN);
	if (!nhdr.n_namesz || nhdr.n_namesz > sizeof(note->owner) ||
	    !range_fits(*at, name_len, end) ||
	    !image_is_text(tail + *at, nhdr.n_namesz))
		return bad(image, err, "a note's owner is malformed");
	memcpy(note->owner, tail + *at, nhdr.n_namesz);
	*at += name_len;
	if (!range_fits(*at, round_up_to((u64)nhdr.n_descsz,
					 IMAGE_NOTE_ALIGN), end))
		return bad(image, err, "a note is cut off");
	note->type = nhdr.n_type;
	note->len = nhdr.n_descsz;
	/* A copy: a device tree wants to begin at a multiple of 8. */
	note->data = malloc(note->len ? note->len : 1);
	if (!note->data)
		return error_set(err, -ENOMEM, "out of memory");
	memcpy(note->data, tail + *at, note->len);
	*at += round_up_to((u64)nhdr.n_descsz, IMAGE_NOTE_ALIGN);
	image->notes_nr++;
	return 0;
}

/* The notes before the one of checksums. */
static int read_tail(struct image *image, const struct image_commit *commit,
		     const struct image_head *head, struct error *err)
{
	u64 checksums = sizeof(Elf64_Nhdr) +
			round_up_to(sizeof(IMAGE_OWNER), IMAGE_NOTE_ALIGN) +
			image_checksums_size(image);
	u64 at = 0, len;
	u8 *tail;
	int ret;

	if (!range_fits(commit_note_size, checksums, image->tail_len))
		return bad(image, err, "its notes are cut off");
	len = image->tail_len - commit_note_size - checksums;
	tail = malloc(len ? len : 1);
	if (!tail)
		return error_set(err, -ENOMEM, "%s: %llu bytes of notes: out of memory",
				 image->ch->name, len);
	ret = channel_pread_all(image->ch, tail, len, image->tail_pos, err);
	if (!ret && le64_to_cpu(commit->head_sum) !=
	    image_sum(head, image_head_size(image)))
		ret = bad(image, err, "checksum error in its headers");
	if (!ret && le64_to_cpu(commit->tail_sum) != image_sum(tail, len))
		ret = bad(image, err, "checksum error in its notes");
	while (!ret && at < len)
		ret = parse_note(image, tail, &at, len, err);
	free(tail);
	return ret;
}

static int open_any(struct channel *ch, bool transit, struct image **out,
		    struct error *err)
{
	struct image *image = calloc(1, sizeof(*image));
	struct image_commit commit;
	struct image_head head;
	s64 size;
	int ret;

	if (!image)
		return error_set(err, -ENOMEM, "out of memory");
	image->ch = ch;
	image->transit = transit;
	size = channel_size(ch, err);
	ret = size < 0 ? (int)size : 0;
	image->size = (u64)size;
	if (!ret && image->size < IMAGE_ALIGN)
		ret = bad(image, err, "not an image of lkvm (too short)");
	if (!ret)
		ret = read_head(image, &head, err);
	if (!ret)
		ret = read_commit(image, &commit, err);
	if (!ret)
		ret = read_tail(image, &commit, &head, err);
	if (!ret)
		ret = image_layout_read(image, err);
	if (ret) {
		image_free(image);
		return ret;
	}
	*out = image;
	return 0;
}

/**
 * image_open() - open an image for reading
 * @ch: where it is; stays the caller's
 * @out: the image; image_free() frees it
 * @err: filled on failure
 *
 * Return: 0; -EINVAL for a file that is no image, or not a whole one; -EPROTO
 * for an image of another version; or what the channel said.
 */
int image_open(struct channel *ch, struct image **out, struct error *err)
{
	return open_any(ch, false, out, err);
}

/**
 * image_open_transit() - open an image that has come from a peer
 * @ch: where it is; stays the caller's
 * @out: the image; image_free() frees it
 * @err: filled on failure
 *
 * Return: as image_open().
 */
int image_open_transit(struct channel *ch, struct image **out,
		       struct error *err)
{
	return open_any(ch, true, out, err);
}

/* The checksums of one block, and their part in the sum over all of them. */
static int read_block_sums(struct image *image, struct image_block *b,
			   u64 *pos, XXH3_state_t *all, struct error *err)
{
	u64 len = image_block_pages(b) * sizeof(*b->sums);
	int ret;

	free(b->sums);
	b->sums = malloc(len);
	if (!b->sums)
		return error_set(err, -ENOMEM, "out of memory");
	ret = channel_pread_all(image->ch, b->sums, len, *pos, err);
	if (ret)
		return ret;
	XXH3_64bits_update(all, b->sums, len);
	*pos += len;
	return 0;
}

/* The checksums of all pages into the blocks. */
static int read_checksums(struct image *image, struct error *err)
{
	u64 header = sizeof(Elf64_Nhdr) +
		     round_up_to(sizeof(IMAGE_OWNER), IMAGE_NOTE_ALIGN);
	u64 pos = image->tail_pos + image->tail_len - commit_note_size -
		  image_checksums_size(image);
	XXH3_state_t *all = XXH3_createState();
	struct image_commit commit;
	u8 note[32];
	int ret;
	u32 i;

	if (!all)
		return error_set(err, -ENOMEM, "out of memory");
	XXH3_64bits_reset(all);
	ret = read_commit(image, &commit, err);
	if (!ret)
		ret = channel_pread_all(image->ch, note, header, pos - header,
					err);
	if (!ret)
		XXH3_64bits_update(all, note, header);
	for (i = 0; !ret && i < image->blocks_nr; i++)
		ret = read_block_sums(image, &image->blocks[i], &pos, all,
				      err);
	if (!ret && XXH3_64bits_digest(all) !=
	    le64_to_cpu(commit.checksums_sum))
		ret = bad(image, err, "checksum error in its checksums");
	XXH3_freeState(all);
	return ret;
}

/**
 * struct verifier - what the threads of image_verify() share
 * @image: the image
 * @progress: see image_verify()
 * @next: the next piece, counted over all blocks
 * @failed: somebody has found a fault
 * @lock: protects @err
 * @err: the first fault
 */
struct verifier {
	struct image *image;
	struct image_progress *progress;
	_Atomic u64 next;
	_Atomic bool failed;
	pthread_mutex_t lock;
	struct error *err;
};

static void verify_fail(struct verifier *v, const struct error *err)
{
	pthread_mutex_lock(&v->lock);
	if (!atomic_exchange(&v->failed, true))
		error_copy(v->err, err);
	pthread_mutex_unlock(&v->lock);
}

/* The block and the bytes of a piece; false when there is none left. */
static bool piece_find(const struct image *image, u64 piece,
		       struct image_block const **block, u64 *offset, u64 *len)
{
	u32 i;

	for (i = 0; i < image->blocks_nr; i++) {
		const struct image_block *b = &image->blocks[i];
		u64 pieces = div_round_up(b->size, VERIFY_PIECE);

		if (piece < pieces) {
			*block = b;
			*offset = piece * VERIFY_PIECE;
			*len = min_of(VERIFY_PIECE, b->size - *offset);
			return true;
		}
		piece -= pieces;
	}
	return false;
}

static int verify_piece(struct verifier *v, const struct image_block *b,
			u64 offset, u64 len, u8 *buf)
{
	struct error err = ERROR_INIT;
	u64 at;
	int ret;

	ret = channel_pread_all(v->image->ch, buf, len, b->pos + offset, &err);
	for (at = 0; !ret && at < len; at += IMAGE_PAGE) {
		u64 sum = image_sum(buf + at, IMAGE_PAGE);

		if (sum != le64_to_cpu(b->sums[(offset + at) / IMAGE_PAGE]))
			ret = error_set(&err, -EBADMSG,
					"%s: checksum error in %s at guest address 0x%llx",
					v->image->ch->name, b->name,
					b->gpa + offset + at);
	}
	if (ret)
		verify_fail(v, &err);
	return ret;
}

static void *verify_thread(void *arg)
{
	struct error err = ERROR_INIT;
	const struct image_block *b;
	struct verifier *v = arg;
	u64 offset, len;
	u8 *buf;

	buf = aligned_alloc(IMAGE_PAGE, VERIFY_PIECE);
	if (!buf) {
		error_set(&err, -ENOMEM, "out of memory");
		verify_fail(v, &err);
		return NULL;
	}
	while (!atomic_load(&v->failed) &&
	       piece_find(v->image, atomic_fetch_add(&v->next, 1), &b, &offset,
			  &len)) {
		if (verify_piece(v, b, offset, len, buf))
			break;
		if (v->progress)
			atomic_fetch_add(&v->progress->done, len);
	}
	free(buf);
	return NULL;
}

/**
 * image_verify() - check every page against its checksum
 * @image: an open image
 * @threads: how many, 1 to 64
 * @progress: @done is added to by the threads; or NULL
 * @err: filled on failure: the first bad page by name
 *
 * Context: may block for long; &channel.control cancels.
 * Return: 0; -EBADMSG for a page that is not what was written; -EINVAL when
 * the checksums are damaged; or what the channel said.
 */
int image_verify(struct image *image, u32 threads,
		 struct image_progress *progress, struct error *err)
{
	struct verifier v = {
		.image = image,
		.progress = progress,
		.lock = PTHREAD_MUTEX_INITIALIZER,
	};
	struct error first = ERROR_INIT;
	pthread_t id[VERIFY_THREADS_MAX];
	u32 n = 0;
	int ret;

	ret = read_checksums(image, err);
	if (ret)
		return ret;
	v.err = &first;
	threads = min_of(threads, (u32)VERIFY_THREADS_MAX);
	while (n + 1 < threads &&
	       !pthread_create(&id[n], NULL, verify_thread, &v))
		n++;
	/* This thread takes part, so one is enough. */
	verify_thread(&v);
	while (n)
		pthread_join(id[--n], NULL);
	pthread_mutex_destroy(&v.lock);
	return atomic_load(&v.failed) ? error_copy(err, &first) : 0;
}
