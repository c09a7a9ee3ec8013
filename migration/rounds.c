// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the rounds over the memory of a machine that moves
 *
 * While the guest runs its memory goes to the peer: first all of it, then, round
 * after round, what was written meanwhile, until the rest fits the time that the
 * guest may stand still. A guest that writes faster than can be sent is slowed
 * down step by step.
 *
 * Threads: one at a time; what concerns the guest's speed is done by the main
 * loop, which the others have it do.
 */
#include <string.h>

#include "migration/channel_peer.h"
#include "migration/rounds.h"
#include "vmm/base/clock.h"
#include "vmm/base/log.h"
#include "vmm/base/math.h"
#include "vmm/vm.h"

#define ROUNDS_MAX	100
#define PAGES_LEAST	64		/* not worth another round */
#define ROUNDS_PATIENT	3		/* before the guest is slowed down */
#define THROTTLE_FIRST	20		/* percent */
#define THROTTLE_STEP	10

/**
 * rounds_init() - no rounds yet
 * @r: to be filled
 * @vm: the machine
 *
 * Context: main loop.
 */
void rounds_init(struct rounds *r, struct vm *vm)
{
	memset(r, 0, sizeof(*r));
	r->vm = vm;
	throttle_init(&r->throttle, vm);
}

/**
 * rounds_destroy() - free all; the guest has its full speed
 * @r: the rounds
 *
 * Context: main loop.
 */
void rounds_destroy(struct rounds *r)
{
	rounds_unwatch(r);
	throttle_destroy(&r->throttle);
	memory_save_destroy(&r->ms);
}

/**
 * rounds_watch() - from now on it is known what the guest writes
 * @r: the rounds
 * @err: filled on failure
 *
 * Context: main loop.
 * Return: 0 or a negative errno.
 */
int rounds_watch(struct rounds *r, struct error *err)
{
	return dirty_log_start(&r->log, &r->vm->memory, err);
}

/**
 * rounds_unwatch() - it is not needed any more
 * @r: the rounds
 *
 * Context: main loop.
 */
void rounds_unwatch(struct rounds *r)
{
	dirty_log_stop(&r->log);
}

/**
 * rounds_full_speed() - the guest is not slowed down any more
 * @r: the rounds
 *
 * Context: main loop.
 */
void rounds_full_speed(struct rounds *r)
{
	throttle_set(&r->throttle, 0);
}

/**
 * rounds_aim() - say where memory goes
 * @r: the rounds
 * @to: where to; copied
 * @err: filled on failure
 *
 * All pages are to be sent then.
 *
 * Return: 0 or a negative errno.
 */
int rounds_aim(struct rounds *r, const struct rounds_target *to,
	       struct error *err)
{
	int ret = memory_save_init(&r->ms, to->image, &r->vm->memory,
				   to->links_nr, err);

	r->to = *to;
	/* Pairs with the load in rounds_report(): @to comes first. */
	atomic_store(&r->aimed, true);
	return ret;
}

/**
 * rounds_mark() - wait until everything that was sent has arrived
 * @r: the rounds
 * @err: filled on failure
 *
 * Over all connections: what is sent afterwards comes later than what was sent
 * before, whichever connection they take.
 *
 * Context: any thread; may block.
 * Return: 0 or a negative errno.
 */
int rounds_mark(struct rounds *r, struct error *err)
{
	struct frame f;
	int ret = 0;
	u32 i;

	r->round++;
	for (i = r->to.links_nr; !ret && i--;)
		ret = frame_send(&r->to.links[i], FRAME_ROUND, r->round, NULL,
				 0, err);
	if (!ret)
		ret = frame_expect(&r->to.links[0], FRAME_ROUND_DONE, &f, err);
	if (!ret && f.pos != r->round)
		ret = error_set(err, -EPROTO, "%s: the end of round %llu instead of %llu",
				r->to.name, f.pos, r->round);
	return ret;
}

/* Of all connections at the same time. */
static u64 busy_ns(const struct rounds *r)
{
	return atomic_load(&channel_peer_stats(r->to.peer)->busy_ns) /
	       r->to.links_nr;
}

static int one_round(struct rounds *r, struct error *err)
{
	const struct peer_stats *stats = channel_peer_stats(r->to.peer);
	u64 waited;
	int ret;

	figures_begin(&r->figures, atomic_load(&stats->data), busy_ns(r));
	ret = memory_save_round(&r->ms, err);
	waited = now_ns();
	if (!ret)
		ret = rounds_mark(r, err);
	if (ret)
		return ret;
	waited = now_ns() - waited;
	figures_end(&r->figures, atomic_load(&stats->data),
		    busy_ns(r) + waited);
	return 0;
}

static int take(struct rounds *r, u64 *pages, struct error *err)
{
	int ret = memory_save_take(&r->ms, &r->log, pages, err);

	if (!ret)
		figures_taken(&r->figures, *pages * MEMORY_PAGE_SIZE, now_ns());
	return ret;
}

static u64 pages_in_downtime(const struct rounds *r)
{
	u64 bytes = atomic_load(&r->figures.rate) / 1000 * r->to.downtime_ms;

	return max_of(bytes / MEMORY_PAGE_SIZE, (u64)PAGES_LEAST);
}

static void slow_down(void *arg)
{
	struct rounds *r = arg;

	throttle_set(&r->throttle, atomic_load(&r->figures.throttle));
}

/*
 * A guest that writes more than half of what can be sent, in one round after
 * the other, would keep this going for ever: it is slowed down step by step.
 */
static void keep_up(struct rounds *r)
{
	u64 rate = atomic_load(&r->figures.rate);
	u32 throttle = atomic_load(&r->figures.throttle);

	if (!rate || atomic_load(&r->figures.dirty_rate) <= rate / 2 ||
	    atomic_load(&r->figures.rounds) < ROUNDS_PATIENT) {
		r->hopeless = 0;
		return;
	}
	if (++r->hopeless < 2 || throttle == THROTTLE_MAX)
		return;
	r->hopeless = 0;
	throttle = throttle ? throttle + THROTTLE_STEP : THROTTLE_FIRST;
	throttle = min_of(throttle, (u32)THROTTLE_MAX);
	atomic_store(&r->figures.throttle, throttle);
	log_info("%s: writes faster than can be sent, its CPUs rest %u %% of the time",
		 r->vm->name, throttle);
	iothread_call(&r->vm->loop, slow_down, r);
}

/**
 * rounds_live() - send memory while the guest runs
 * @r: the rounds, with a target, watching
 * @err: filled on failure
 *
 * Context: any thread but the main loop's; blocks for long.
 * Return: 0 when the rest fits the time that the guest may stand still, or it
 * never will; else a negative errno.
 */
int rounds_live(struct rounds *r, struct error *err)
{
	u64 pages = 0;
	int ret;

	/* At first the log may have all pages: those are sent anyway. */
	ret = take(r, &pages, err);
	while (!ret) {
		ret = one_round(r, err);
		if (!ret)
			ret = take(r, &pages, err);
		if (!ret && (pages <= pages_in_downtime(r) ||
			     atomic_load(&r->figures.rounds) == ROUNDS_MAX))
			break;
		if (!ret)
			keep_up(r);
	}
	return ret;
}

/**
 * rounds_rest() - send what is left, with the guest stopped
 * @r: the rounds
 * @err: filled on failure
 *
 * Context: any thread; may block.
 * Return: 0 or a negative errno.
 */
int rounds_rest(struct rounds *r, struct error *err)
{
	u64 pages;
	int ret;

	channel_peer_rate(r->to.peer, 0);
	ret = take(r, &pages, err);
	return ret ? ret : memory_save_round(&r->ms, err);
}

/**
 * rounds_report() - how it goes, now
 * @r: the rounds; may be without a target yet
 * @report: out
 *
 * Context: any thread.
 */
void rounds_report(const struct rounds *r, struct rounds_report *report)
{
	const struct figures *f = &r->figures;
	const struct memory_save *ms = &r->ms;
	const struct peer_stats *sent;
	u64 total;

	memset(report, 0, sizeof(*report));
	/* Pairs with the store in rounds_aim(). */
	if (!atomic_load(&r->aimed))
		return;
	total = atomic_load(&ms->progress.total);
	*report = (struct rounds_report){
		.rounds = atomic_load(&f->rounds),
		.throttle = atomic_load(&f->throttle),
		.done = min_of(atomic_load(&ms->progress.done), total),
		.total = total,
		.dirty_bytes = atomic_load(&f->dirty_bytes),
		.dirty_rate = atomic_load(&f->dirty_rate),
		.pages_sent = atomic_load(&ms->count.sent),
		.pages_again = atomic_load(&ms->count.again),
		.pages_zero = atomic_load(&ms->count.zero),
	};
	sent = channel_peer_stats(r->to.peer);
	report->sent = atomic_load(&sent->data);
	report->lent = atomic_load(&sent->lent);
	report->rate = figures_rate(f, report->sent, busy_ns(r));
	report->downtime_ms = figures_ms(report->dirty_bytes, report->rate);
	report->left_ms = figures_ms(total - report->done, report->rate);
}
