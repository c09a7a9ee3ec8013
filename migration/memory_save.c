// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: guest memory into an image, round after round
 *
 * Each round puts the pages whose bits are set: all of them in the first one,
 * those that were written meanwhile in the next. A round is cut into pieces of
 * 4 MiB that several threads take in turn, so that some compare and sum up
 * pages while the disk has the requests of others. A thread writes what it has
 * from one piece, or from many that have few pages, in one batch. There is no
 * order among the pieces of a round; between rounds all threads have ended.
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
#define CLAIMS_MAX	64
#define HOLE_PAGES	64ULL	/* how finely holes are looked for */

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
	ret = channel_set_size(image->ch, image->tail_pos, err);
	if (ret)
		goto err_free;
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

/*
 * Where a run with data ends, roughly: asking for the next hole itself would
 * look at all of a large block that has none.
 */
static u64 data_end(const struct memory_block *b, u64 page, u64 end)
{
	do
		page = min_of(page + HOLE_PAGES, end);
	while (page < end && memory_block_data(b, page, end) == page);
	return page;
}

/**
 * struct claim - a piece that a thread has taken
 * @block: the block
 * @page: the first page
 * @end: the page behind the last one
 */
struct claim {
	u32 block;
	u64 page;
	u64 end;
};

static bool piece_find(const struct memory_save *ms, u64 piece,
		       struct claim *c)
{
	for (c->block = 0; c->block < ms->memory->nr; c->block++) {
		u64 pages = block_pages(ms, c->block);
		u64 pieces = div_round_up(pages, PIECE_PAGES);

		if (piece < pieces) {
			c->page = piece * PIECE_PAGES;
			c->end = min_of(c->page + PIECE_PAGES, pages);
			return true;
		}
		piece -= pieces;
	}
	return false;
}

/**
 * struct worker - a thread of a round
 * @ms: the work
 * @batch: what was put and not yet written
 * @claims: the pieces that it came from
 * @nr: how many
 * @pages: pages with their bits set in them
 */
struct worker {
	struct memory_save *ms;
	struct image_batch batch;
	struct claim claims[CLAIMS_MAX];
	u32 nr;
	u64 pages;
};

/* What was never touched is not looked at. */
static int put_run(struct worker *w, u32 block, u64 page, u64 end,
		   struct error *err)
{
	const struct memory_block *b = &w->ms->memory->blocks[block];
	u64 data, stop;
	int ret = 0;

	while (page < end && !ret) {
		data = memory_block_data(b, page, end);
		stop = data < end ? data_end(b, data, end) : end;
		if (data > page)
			ret = image_batch_zeros(&w->batch, block, page,
						data - page, err);
		if (stop > data && !ret)
			ret = image_batch_pages(&w->batch, block, data,
						b->host + data *
						MEMORY_PAGE_SIZE,
						stop - data, err);
		page = stop;
	}
	return ret;
}

/* Puts the runs of set bits of one piece. */
static int put_piece(struct worker *w, const struct claim *c,
		     struct error *err)
{
	const u64 *bits = w->ms->bits[c->block];
	u64 page = bitmap_find_next(bits, c->end, c->page);
	int ret = 0;

	while (page < c->end && !ret) {
		u64 stop = bitmap_find_next_zero(bits, c->end, page);

		ret = put_run(w, c->block, page, stop, err);
		w->pages += stop - page;
		page = bitmap_find_next(bits, c->end, stop);
	}
	return ret;
}

/* What has been written need not be put any more. */
static int worker_flush(struct worker *w, struct error *err)
{
	int ret = image_batch_flush(&w->batch, err);
	u64 page;
	u32 i;

	if (ret)
		return ret;
	for (i = 0; i < w->nr; i++)
		for (page = w->claims[i].page; page < w->claims[i].end; page++)
			bitmap_clear(w->ms->bits[w->claims[i].block], page);
	atomic_fetch_add(&w->ms->progress.done, w->pages * MEMORY_PAGE_SIZE);
	w->nr = 0;
	w->pages = 0;
	return 0;
}

/* Pieces with few pages are written together. */
static int worker_run(struct worker *w, struct round *r, struct error *err)
{
	int ret = 0;

	while (!ret && !atomic_load(&r->failed)) {
		struct claim *c = &w->claims[w->nr];

		if (!piece_find(w->ms, atomic_fetch_add(&r->next, 1), c))
			return worker_flush(w, err);
		w->nr++;
		ret = put_piece(w, c, err);
		if (!ret && (w->nr == CLAIMS_MAX || w->pages >= PIECE_PAGES))
			ret = worker_flush(w, err);
	}
	return ret;
}

static void *round_thread(void *arg)
{
	struct error err = ERROR_INIT;
	struct round *r = arg;
	struct worker w = { .ms = r->ms };

	image_batch_init(&w.batch, r->ms->image);
	if (worker_run(&w, r, &err))
		round_fail(r, &err);
	atomic_fetch_add(&r->ms->count.sent, w.batch.pages_data);
	atomic_fetch_add(&r->ms->count.again, w.batch.pages_again);
	atomic_fetch_add(&r->ms->count.zero, w.batch.pages_zero);
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
