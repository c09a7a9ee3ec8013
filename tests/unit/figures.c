// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: migration/figures.c: rates that say something
 */
#include "tests/lib/harness.h"

#include "migration/figures.h"
#include "vmm/base/math.h"

#define MS	1000000ULL
#define S	(1000 * MS)

FIXTURE(figures)
{
	struct figures f;
};

FIXTURE_SETUP(figures)
{
	memset(&self->f, 0, sizeof(self->f));
}

FIXTURE_TEARDOWN(figures)
{
}

TEST_F(figures, nothing_is_known_at_first)
{
	EXPECT_EQ(0, figures_rate(&self->f, 0, 0));
	EXPECT_EQ(0, figures_ms(1 << 20, 0));
	EXPECT_EQ(0, atomic_load(&self->f.dirty_rate));
}

TEST_F(figures, rate_is_that_of_sending)
{
	figures_begin(&self->f, 10 * MIB, S);
	/* 100 MiB in half a second. */
	figures_end(&self->f, 110 * MIB, S + S / 2);
	EXPECT_EQ(200 * MIB, atomic_load(&self->f.rate));
	EXPECT_EQ(1, atomic_load(&self->f.rounds));
	figures_begin(&self->f, 110 * MIB, 2 * S);
	figures_end(&self->f, 210 * MIB, 3 * S);
	EXPECT_EQ(150 * MIB, atomic_load(&self->f.rate));
}

TEST_F(figures, small_rounds_do_not_count_after_others)
{
	figures_begin(&self->f, 0, 0);
	figures_end(&self->f, 4096, MS);
	/* Better than nothing. */
	EXPECT_EQ(4096000, atomic_load(&self->f.rate));
	figures_begin(&self->f, 4096, MS);
	figures_end(&self->f, 4096 + 64 * MIB, S + MS);
	figures_begin(&self->f, 4096 + 64 * MIB, S + MS);
	figures_end(&self->f, 8192 + 64 * MIB, 5 * S);
	EXPECT_EQ(32 * MIB + 2048000, atomic_load(&self->f.rate));
	EXPECT_EQ(3, atomic_load(&self->f.rounds));
}

TEST_F(figures, round_without_bytes_or_time_is_none)
{
	figures_begin(&self->f, 5, 5);
	figures_end(&self->f, 5, 5);
	EXPECT_EQ(0, atomic_load(&self->f.rate));
	figures_begin(&self->f, 5, 5);
	figures_end(&self->f, 5 + MIB, 5);
	EXPECT_LT(0, atomic_load(&self->f.rate));
}

TEST_F(figures, long_round_is_seen_while_it_goes_on)
{
	figures_begin(&self->f, 0, 0);
	EXPECT_EQ(0, figures_rate(&self->f, 1000, MS));
	EXPECT_EQ(GIB, figures_rate(&self->f, 10 * GIB, 10 * S));
	/* Read while the next round began. */
	figures_begin(&self->f, 20 * GIB, 20 * S);
	EXPECT_EQ(0, figures_rate(&self->f, 10 * GIB, 30 * S));
	EXPECT_EQ(0, figures_rate(&self->f, 30 * GIB, 20 * S));
}

TEST_F(figures, hundred_gigabytes_are_not_too_many)
{
	figures_begin(&self->f, 0, 0);
	figures_end(&self->f, 100 * GIB, 50 * S);
	EXPECT_EQ(2 * GIB, atomic_load(&self->f.rate));
	EXPECT_EQ(UINT64_MAX / 1000 * 1000, figures_ms(UINT64_MAX, 1000));
}

TEST_F(figures, guest_writes_since_it_was_last_asked)
{
	/* All pages, before the first round. */
	figures_taken(&self->f, 8 * GIB, S);
	EXPECT_EQ(0, atomic_load(&self->f.dirty_rate));
	EXPECT_EQ(0, atomic_load(&self->f.dirty_bytes));
	figures_taken(&self->f, 64 * MIB, S + S / 2);
	EXPECT_EQ(128 * MIB, atomic_load(&self->f.dirty_rate));
	EXPECT_EQ(64 * MIB, atomic_load(&self->f.dirty_bytes));
	/* At once: what is left is right, and no storm. */
	figures_taken(&self->f, 4096, S + S / 2 + 10);
	EXPECT_EQ(128 * MIB, atomic_load(&self->f.dirty_rate));
	EXPECT_EQ(4096, atomic_load(&self->f.dirty_bytes));
	/* It has stopped. */
	figures_taken(&self->f, 0, 3 * S + S / 2);
	EXPECT_EQ(64 * MIB + 1024, atomic_load(&self->f.dirty_rate));
	EXPECT_EQ(0, atomic_load(&self->f.dirty_bytes));
}

TEST_F(figures, time_is_rounded_up)
{
	EXPECT_EQ(0, figures_ms(0, 10));
	EXPECT_EQ(1, figures_ms(1, MIB));
	EXPECT_EQ(1500, figures_ms(3 * MIB, 2 * MIB));
}

TEST_HARNESS_MAIN
