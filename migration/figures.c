// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: how a migration goes, in numbers
 *
 * What the connections carry is measured over the time that was spent sending:
 * looking for pages of zeros takes time as well, but says nothing of how soon
 * the rest will be there. A round that sends little says little, and does not
 * count once there is a better one. Rates go half of the way to the newest.
 *
 * Threads: one writes, any reads.
 */
#include "migration/figures.h"
#include "vmm/base/math.h"

#define NS_PER_S	1000000000ULL
#define BYTES_LEAST	(1ULL << 20)	/* that say something of a rate */
#define NS_LEAST	20000000ULL

static u64 per_second(u64 bytes, u64 ns)
{
	ns = max_of(ns, (u64)1);
	/* Not beyond 64 bits, and exact enough. */
	if (bytes > UINT64_MAX / NS_PER_S)
		return bytes / max_of(ns / NS_PER_S, (u64)1);
	return bytes * NS_PER_S / ns;
}

static u64 smooth(u64 old, u64 new)
{
	return old ? old / 2 + new / 2 : new;
}

/**
 * figures_begin() - a round begins
 * @f: the figures
 * @bytes: sent so far
 * @busy_ns: time spent sending so far
 *
 * Context: the thread that makes the rounds.
 */
void figures_begin(struct figures *f, u64 bytes, u64 busy_ns)
{
	atomic_store(&f->begin_bytes, bytes);
	atomic_store(&f->begin_busy_ns, busy_ns);
}

/**
 * figures_end() - a round has ended
 * @f: the figures
 * @bytes: sent so far
 * @busy_ns: time spent sending so far, and waiting until all had arrived
 *
 * Context: the thread that makes the rounds.
 */
void figures_end(struct figures *f, u64 bytes, u64 busy_ns)
{
	u64 old = atomic_load(&f->rate);

	bytes -= atomic_load(&f->begin_bytes);
	busy_ns -= atomic_load(&f->begin_busy_ns);
	if (bytes && (!old || bytes >= BYTES_LEAST))
		atomic_store(&f->rate, smooth(old, per_second(bytes, busy_ns)));
	atomic_fetch_add(&f->rounds, 1);
}

/**
 * figures_taken() - it was asked what the guest has written
 * @f: the figures
 * @bytes: written since it was last asked
 * @now_ns: CLOCK_MONOTONIC
 *
 * What is said to be written before the first round is not the guest's.
 *
 * Context: the thread that makes the rounds.
 */
void figures_taken(struct figures *f, u64 bytes, u64 now_ns)
{
	u64 ns = now_ns - f->taken_ns;

	if (!f->taken_ns) {
		f->taken_ns = now_ns;
		return;
	}
	atomic_store(&f->dirty_bytes, bytes);
	f->taken += bytes;
	/* Asked again at once: one page would be a whole storm. */
	if (ns < NS_LEAST)
		return;
	atomic_store(&f->dirty_rate, smooth(atomic_load(&f->dirty_rate),
					    per_second(f->taken, ns)));
	f->taken_ns = now_ns;
	f->taken = 0;
}

/**
 * figures_rate() - what the connections carry, by what is known now
 * @f: the figures
 * @bytes: sent so far
 * @busy_ns: time spent sending so far
 *
 * The first round may be a long one, and it shall be seen how it goes.
 *
 * Context: any thread.
 * Return: bytes a second; 0: nobody knows yet.
 */
u64 figures_rate(const struct figures *f, u64 bytes, u64 busy_ns)
{
	u64 old = atomic_load(&f->rate), begin = atomic_load(&f->begin_bytes);
	u64 begin_ns = atomic_load(&f->begin_busy_ns);

	/* The two may have been read while a round began. */
	if (bytes < begin || bytes - begin < BYTES_LEAST || busy_ns <= begin_ns)
		return old;
	return smooth(old, per_second(bytes - begin, busy_ns - begin_ns));
}

/**
 * figures_ms() - how long something takes
 * @bytes: how much
 * @rate: bytes a second, 0: not known
 *
 * Return: milliseconds, rounded up; 0 when nobody knows.
 */
u64 figures_ms(u64 bytes, u64 rate)
{
	if (!rate)
		return 0;
	if (bytes > UINT64_MAX / 1000)
		return bytes / rate * 1000;
	return div_round_up(bytes * 1000, rate);
}
