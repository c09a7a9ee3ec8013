// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: guest memory into an image, round after round
 *
 * Each round puts the pages whose bits are set: all of them in the first one,
 * those that were written meanwhile in the next. A round is cut into pieces of
 * 4 MiB that several threads take in turn, so that one disk request is being
 * made while others are under way. There is no order among the pieces of a
 * round; between rounds all threads have ended.
 *
 * The guest may run: a page that changes while it is put is dirty in the next
 * round. The last round is made with the machine paused.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "migration/memory_save.h"
#include "vmm/base/bitmap.h"
#include "vmm/base/math.h"

#define PIECE_PAGES	1024ULL	/* a multiple of 64: no word is shared */

static u64 block_pages(const struct memory_save *ms, u32 block)
{
	return ms->memory->blocks[block].size / MEMORY_PAGE_SIZE;
}

/**
 * memory_save_init() - all pages of a machine are to be put
 * @ms: to be filled
 * @image: an image without blocks; gets those of @memory
 * @memory: the machine's memory
 * @threads: how many put pages, cut to 1 .. MEMORY_SAVE_THREADS_MAX
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int memory_save_init(struct memory_save *ms, struct image *image,
		     struct guest_memory *memory, u32 threads,
		     struct error *err)
{
	int ret;
	u32 i;

	memset(ms, 0, sizeof(*ms));
	ms->image = image;
	ms->memory = memory;
	ms->threads = min_of(max_of(threads, 1U),
			     (u32)MEMORY_SAVE_THREADS_MAX);
	for (i = 0; i < memory->nr; i++) {
		const struct memory_block *b = &memory->blocks[i];
		u64 pages = block_pages(ms, i), p;

		ret = image_add_block(image, b->name, gpa_raw(b->gpa), b->size,
				      err);
		if (ret)
			goto err_free;
		ms->bits[i] = calloc(BITMAP_WORDS(pages), sizeof(u64));
		if (!ms->bits[i]) {
			ret = error_set(err, -ENOMEM, "out of memory");
			goto err_free;
		}
		for (p = 0; p < pages; p++)
			bitmap_set(ms->bits[i], p);
	}
	return 0;

err_free:
	memory_save_destroy(ms);
	return ret;
}

/**
 * memory_save_destroy() - free what memory_save_init() made; the image stays
 * @ms: the work
 */
void memory_save_destroy(struct memory_save *ms)
{
	u32 i;

	for (i = 0; i < MEMORY_BLOCKS_MAX; i++)
		free(ms->bits[i]);
	memset(ms->bits, 0, sizeof(ms->bits));
}

/**
 * struct round - what the threads of a round share
 * @ms: the work
 * @next: the next piece, counted over all blocks
 * @failed: somebody has failed
 * @lock: protects @err
 * @err: the first failure
 */
struct round {
	struct memory_save *ms;
	_Atomic u64 next;
	_Atomic bool failed;
	pthread_mutex_t lock;
	struct error err;
};

static void round_fail(struct round *r, const struct error *err)
{
	pthread_mutex_lock(&r->lock);
	if (!atomic_exchange(&r->failed, true))
		r->err = *err;
	pthread_mutex_unlock(&r->lock);
}

static bool piece_find(const struct memory_save *ms, u64 piece, u32 *block,
		       u64 *page)
{
	for (*block = 0; *block < ms->memory->nr; (*block)++) {
		u64 pieces = div_round_up(block_pages(ms, *block),
					  PIECE_PAGES);

		if (piece < pieces) {
			*page = piece * PIECE_PAGES;
			return true;
		}
		piece -= pieces;
	}
	return false;
}

/* Puts the runs of set bits of one piece, and clears what was put. */
static int put_piece(struct memory_save *ms, u32 block, u64 page,
		     struct error *err)
{
	const struct memory_block *b = &ms->memory->blocks[block];
	u64 end = min_of(page + PIECE_PAGES, block_pages(ms, block));
	u64 *bits = ms->bits[block];
	u64 run, i;
	int ret;

	for (;;) {
		page = bitmap_find_next(bits, end, page);
		if (page == end)
			return 0;
		run = bitmap_find_next_zero(bits, end, page) - page;
		ret = image_put_pages(ms->image, block, page,
				      b->host + page * MEMORY_PAGE_SIZE, run,
				      err);
		if (ret)
			return ret;
		for (i = 0; i < run; i++)
			bitmap_clear(bits, page + i);
		atomic_fetch_add(&ms->progress.done, run * MEMORY_PAGE_SIZE);
		page += run;
	}
}

static void *round_thread(void *arg)
{
	struct error err = ERROR_INIT;
	struct round *r = arg;
	u32 block;
	u64 page;

	while (!atomic_load(&r->failed) &&
	       piece_find(r->ms, atomic_fetch_add(&r->next, 1), &block,
			  &page)) {
		if (put_piece(r->ms, block, page, &err)) {
			round_fail(r, &err);
			break;
		}
	}
	return NULL;
}

static u64 pages_left(const struct memory_save *ms)
{
	u64 sum = 0, i;
	u32 block;

	for (block = 0; block < ms->memory->nr; block++)
		for (i = 0; i < BITMAP_WORDS(block_pages(ms, block)); i++)
			sum += (u64)__builtin_popcountll(ms->bits[block][i]);
	return sum;
}

/**
 * memory_save_round() - put all pages that are to be put
 * @ms: the work
 * @err: filled on failure
 *
 * On failure the bits of the pages that were not put stay set.
 *
 * Context: any thread, one at a time; may block for long. &channel.control of
 * the image's channel cancels.
 * Return: 0 or a negative errno.
 */
int memory_save_round(struct memory_save *ms, struct error *err)
{
	struct round r = { .ms = ms, .lock = PTHREAD_MUTEX_INITIALIZER };
	pthread_t id[MEMORY_SAVE_THREADS_MAX];
	u64 left = pages_left(ms);
	u32 n = 0, want = ms->threads;

	ms->progress.total = atomic_load(&ms->progress.done) +
			     left * MEMORY_PAGE_SIZE;
	/* A few pages are put sooner than a thread is started. */
	if (left < PIECE_PAGES)
		want = 1;
	while (n + 1 < want &&
	       !pthread_create(&id[n], NULL, round_thread, &r))
		n++;
	round_thread(&r);
	while (n)
		pthread_join(id[--n], NULL);
	pthread_mutex_destroy(&r.lock);
	return atomic_load(&r.failed) ? error_copy(err, &r.err) : 0;
}

/**
 * memory_save_take() - the pages that were written are to be put (again)
 * @ms: the work
 * @log: the machine's dirty log
 * @pages: how many are to be put now
 * @err: filled on failure
 *
 * Context: any thread, one at a time.
 * Return: 0 or a negative errno.
 */
int memory_save_take(struct memory_save *ms, struct dirty_log *log,
		     u64 *pages, struct error *err)
{
	u64 n;
	u32 i;
	int ret;

	*pages = 0;
	for (i = 0; i < ms->memory->nr; i++) {
		ret = dirty_log_take(log, i, ms->bits[i], &n, err);
		if (ret)
			return ret;
		*pages += n;
	}
	return 0;
}
