// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the MC146818: time, alarm, the three interrupts, memory
 *
 * The clock runs with the host's, so some tests take a second or two.
 */
#include "tests/lib/harness.h"
#include "tests/lib/random.h"
#include "tests/lib/state_random.h"
#include "tests/lib/testvm.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vmm/arch.h"

#define SECONDS		0x00
#define MINUTES		0x02
#define HOURS		0x04
#define WEEKDAY		0x06
#define DAY		0x07
#define MONTH		0x08
#define YEAR		0x09
#define REG_A		0x0a
#define REG_B		0x0b
#define REG_C		0x0c
#define REG_D		0x0d
#define CENTURY		0x32

#define SET		0x80
#define PIE		0x40
#define AIE		0x20
#define UIE		0x10
#define BINARY		0x04
#define H24		0x02

#define PATIENCE_S	60	/* a busy machine may take its time */
#define TICKS		32768	/* of the clock's crystal, a second */
#define OFFSET_BIAS	(1LL << 56)

FIXTURE(rtc)
{
	struct vm *vm;
	struct device *dev;
	const struct arch_resource *res;
};

FIXTURE_SETUP(rtc)
{
	self->res = arch_resource_find("rtc", 0);
	if (!self->res)
		SKIP(return, "no MC146818 on this architecture");
	self->vm = testvm_create(16 * MIB);
	self->dev = testvm_add(self->vm, "rtc", 0, NULL);
}

FIXTURE_TEARDOWN(rtc)
{
	if (self->vm)
		testvm_destroy(self->vm);
}

static u8 rtc_get(struct vm *vm, u8 reg)
{
	u64 base = arch_resource_find("rtc", 0)->base;

	testvm_pio_write(vm, base, reg, 1);
	return (u8)testvm_pio_read(vm, base + 1, 1);
}

static void rtc_put(struct vm *vm, u8 reg, u8 value)
{
	u64 base = arch_resource_find("rtc", 0)->base;

	testvm_pio_write(vm, base, reg, 1);
	testvm_pio_write(vm, base + 1, value, 1);
}

#define get(reg)	rtc_get(self->vm, reg)
#define put(reg, value)	rtc_put(self->vm, reg, value)
#define irq()		irq_gsi_level(&self->vm->irq, self->res->gsi)

static u32 bcd(u8 byte)
{
	return (byte >> 4) * 10U + (byte & 0xf);
}

static u8 to_bcd(u32 value)
{
	return (u8)(value / 10 << 4 | value % 10);
}

/* A driver's read: the same twice, so no update came in between. */
static time_t read_clock(struct vm *vm)
{
	static const u8 regs[] = {
		SECONDS, MINUTES, HOURS, DAY, MONTH, YEAR, CENTURY,
	};
	u8 v[ARRAY_SIZE(regs)], again[ARRAY_SIZE(regs)];
	struct tm tm = { 0 };
	u32 i;

	do {
		for (i = 0; i < ARRAY_SIZE(regs); i++)
			v[i] = rtc_get(vm, regs[i]);
		for (i = 0; i < ARRAY_SIZE(regs); i++)
			again[i] = rtc_get(vm, regs[i]);
	} while (memcmp(v, again, sizeof(v)));
	tm.tm_sec = (int)bcd(v[0]);
	tm.tm_min = (int)bcd(v[1]);
	tm.tm_hour = (int)bcd(v[2]);
	tm.tm_mday = (int)bcd(v[3]);
	tm.tm_mon = (int)bcd(v[4]) - 1;
	tm.tm_year = (int)(bcd(v[5]) + bcd(v[6]) * 100) - 1900;
	return timegm(&tm);
}

/* What Linux does to set the clock. */
static void set_clock(struct vm *vm, time_t t, bool hold_divider)
{
	u8 a = rtc_get(vm, REG_A), b = rtc_get(vm, REG_B);
	struct tm tm;

	gmtime_r(&t, &tm);
	rtc_put(vm, REG_B, b | SET);
	if (hold_divider)
		rtc_put(vm, REG_A, a | 0x70);
	rtc_put(vm, YEAR, to_bcd((u32)tm.tm_year % 100));
	rtc_put(vm, CENTURY, to_bcd((u32)(tm.tm_year + 1900) / 100));
	rtc_put(vm, MONTH, to_bcd((u32)tm.tm_mon + 1));
	rtc_put(vm, DAY, to_bcd((u32)tm.tm_mday));
	rtc_put(vm, HOURS, to_bcd((u32)tm.tm_hour));
	rtc_put(vm, MINUTES, to_bcd((u32)tm.tm_min));
	rtc_put(vm, SECONDS, to_bcd((u32)tm.tm_sec));
	rtc_put(vm, REG_B, b);
	rtc_put(vm, REG_A, a & 0x7f);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static s64 host_ticks(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (s64)ts.tv_sec * TICKS + (s64)ts.tv_nsec * TICKS / 1000000000;
}

static void sleep_ms(u32 ms)
{
	struct timespec ts = { .tv_sec = ms / 1000,
			       .tv_nsec = ms % 1000 * 1000000L };

	nanosleep(&ts, NULL);
}

/* Runs the main loop until the pin is high. */
static void wait_irq(struct vm *vm, u32 gsi)
{
	double start = now();

	while (!irq_gsi_level(&vm->irq, gsi) && now() - start < PATIENCE_S)
		iothread_run_once(&vm->loop, true);
}

TEST_F(rtc, shows_the_hosts_time)
{
	time_t before = time(NULL), seen = read_clock(self->vm);
	struct tm tm;

	EXPECT_LE(before, seen);
	EXPECT_LE(seen, time(NULL));
	gmtime_r(&seen, &tm);
	EXPECT_EQ(tm.tm_wday + 1, get(WEEKDAY));
	EXPECT_EQ(0x26, get(REG_A) & 0x7f);
	EXPECT_EQ(H24, get(REG_B));
	EXPECT_EQ(0x80, get(REG_D));
}

TEST_F(rtc, binary_and_twelve_hours)
{
	struct tm tm = { .tm_year = 126, .tm_mon = 10, .tm_mday = 21,
			 .tm_hour = 23, .tm_min = 59, .tm_sec = 30 };
	static const u8 noon[][2] = {
		{ 0, 0x12 }, { 1, 0x01 }, { 11, 0x11 }, { 12, 0x92 },
		{ 13, 0x81 }, { 23, 0x91 },
	};
	u32 i;

	set_clock(self->vm, timegm(&tm), false);
	EXPECT_EQ(0x23, get(HOURS));
	put(REG_B, H24 | BINARY);
	EXPECT_EQ(23, get(HOURS));
	EXPECT_EQ(59, get(MINUTES));
	EXPECT_EQ(20, get(CENTURY));
	EXPECT_EQ(26, get(YEAR));
	EXPECT_EQ(11, get(MONTH));
	for (i = 0; i < ARRAY_SIZE(noon); i++) {
		put(REG_B, H24 | BINARY);
		put(HOURS, noon[i][0]);
		put(REG_B, 0);
		EXPECT_EQ(noon[i][1], get(HOURS));
		/* And the other way round. */
		put(HOURS, noon[i][1]);
		put(REG_B, H24 | BINARY);
		EXPECT_EQ(noon[i][0], get(HOURS));
	}
}

TEST_F(rtc, can_be_set_and_goes_on_from_there)
{
	struct tm tm = { .tm_year = 99, .tm_mon = 11, .tm_mday = 31,
			 .tm_hour = 23, .tm_min = 59, .tm_sec = 59 };
	time_t t = timegm(&tm);

	set_clock(self->vm, t, true);
	EXPECT_LE(t, read_clock(self->vm));
	sleep_ms(1100);
	EXPECT_LT(t, read_clock(self->vm));
	EXPECT_EQ(0x20, get(CENTURY));
	EXPECT_EQ(0x00, get(YEAR));
	EXPECT_EQ(0x01, get(MONTH));
	EXPECT_EQ(0x01, get(DAY));
}

TEST_F(rtc, first_second_after_the_dividers_reset_is_half)
{
	s64 before = host_ticks(), after, offset;
	void *state;

	set_clock(self->vm, 1000000000, true);
	after = host_ticks();
	state = testvm_save(self->dev);
	memcpy(&offset, state, sizeof(offset));	/* the first field */
	free(state);
	offset -= OFFSET_BIAS;
	/* Half a second past what was written, at some moment in between. */
	EXPECT_LE(1000000000LL * TICKS + TICKS / 2 - after, offset);
	EXPECT_LE(offset, 1000000000LL * TICKS + TICKS / 2 - before);
}

TEST_F(rtc, stands_still_while_it_is_set)
{
	put(REG_B, H24 | SET);
	put(SECONDS, 0x58);
	sleep_ms(1100);
	EXPECT_EQ(0x58, get(SECONDS));
	EXPECT_EQ(0, get(REG_C) & (AIE | UIE));
	EXPECT_EQ(0, get(REG_A) & 0x80);
}

TEST_F(rtc, uip_comes_before_each_update)
{
	double start = now();
	u32 seen = 0;

	while (!seen && now() - start < PATIENCE_S) {
		u8 uip = get(REG_A) & 0x80;

		seen += uip != 0;
	}
	EXPECT_EQ(1, seen);
}

TEST_F(rtc, update_interrupt)
{
	get(REG_C);
	put(REG_B, H24 | UIE);
	wait_irq(self->vm, self->res->gsi);
	ASSERT_TRUE(irq());
	EXPECT_EQ(0x80 | UIE, get(REG_C) & (0x80 | UIE));
	EXPECT_EQ(false, irq());
	EXPECT_EQ(0, get(REG_C));
	/* And the next second again. */
	wait_irq(self->vm, self->res->gsi);
	EXPECT_TRUE(irq());
}

TEST_F(rtc, periodic_interrupt)
{
	double start;
	u32 i;

	put(REG_A, 0x2a);	/* 64 Hz */
	put(REG_B, H24 | PIE);
	get(REG_C);
	start = now();
	for (i = 0; i < 16; i++) {
		wait_irq(self->vm, self->res->gsi);
		ASSERT_TRUE(irq());
		EXPECT_EQ(0x80 | PIE, get(REG_C) & (0x80 | PIE));
		EXPECT_EQ(false, irq());
	}
	/* 15 whole periods lie between the first and the last. */
	EXPECT_LT(15 / 64.0 - 0.01, now() - start);
	put(REG_A, 0x20);
	get(REG_C);
	sleep_ms(50);
	EXPECT_EQ(0, get(REG_C) & PIE);
}

TEST_F(rtc, alarm_interrupt)
{
	struct tm tm = { .tm_year = 126, .tm_mon = 0, .tm_mday = 1,
			 .tm_hour = 11, .tm_min = 59, .tm_sec = 59 };

	put(0x01, 0x00);
	put(0x03, 0x00);
	put(0x05, 0x12);
	get(REG_C);
	put(REG_B, H24 | AIE);
	set_clock(self->vm, timegm(&tm), true);
	wait_irq(self->vm, self->res->gsi);
	ASSERT_TRUE(irq());
	EXPECT_EQ(0x80 | AIE, get(REG_C) & (0x80 | AIE));
	EXPECT_LE(timegm(&tm) + 1, read_clock(self->vm));
	/* Once a day. */
	sleep_ms(1200);
	EXPECT_EQ(UIE, get(REG_C) & (UIE | AIE));
}

TEST_F(rtc, alarm_that_matches_anything_comes_every_second)
{
	put(0x01, 0xff);
	put(0x03, 0xc0);
	put(0x05, 0xc5);
	get(REG_C);
	sleep_ms(1200);
	EXPECT_EQ(AIE | UIE, get(REG_C) & (0x80 | AIE | UIE));
	/* An hour that does not exist never comes. */
	put(0x05, 0x45);
	get(REG_C);
	sleep_ms(1200);
	EXPECT_EQ(UIE, get(REG_C) & (AIE | UIE));
}

TEST_F(rtc, flags_come_without_interrupts)
{
	get(REG_C);
	sleep_ms(1200);
	EXPECT_EQ(PIE | UIE, get(REG_C) & (0x80 | PIE | UIE));
	EXPECT_EQ(false, irq());
}

TEST_F(rtc, memory_is_memory)
{
	u32 i;

	for (i = 0x0e; i < 128; i++)
		if (i != CENTURY)
			put((u8)i, (u8)(i * 3));
	for (i = 0x0e; i < 128; i++)
		if (i != CENTURY)
			EXPECT_EQ((u8)(i * 3), get((u8)i));
	/* Bit 7 of the address is the NMI mask. */
	EXPECT_EQ((u8)(0x50 * 3), get(0xd0));
	/* C and D cannot be written. */
	put(REG_D, 0);
	EXPECT_EQ(0x80, get(REG_D));
}

TEST_F(rtc, reset_keeps_what_the_battery_keeps)
{
	set_clock(self->vm, 1000000000, false);
	put(0x40, 0x77);
	put(REG_B, H24 | PIE | AIE | UIE);
	mutex_lock(&self->dev->lock);
	self->dev->class->ops->reset(self->dev);
	mutex_unlock(&self->dev->lock);
	EXPECT_EQ(H24, get(REG_B));
	EXPECT_EQ(0x77, get(0x40));
	EXPECT_EQ(0, get(REG_C) & 0x80);
	EXPECT_LT(read_clock(self->vm) - 1000000000, 600);
}

TEST_F(rtc, time_and_flags_survive)
{
	struct error err = ERROR_INIT;
	void *state, *again;

	set_clock(self->vm, 1000000000, false);
	put(0x40, 0x77);
	put(REG_B, H24 | UIE);
	ASSERT_EQ(0, self->dev->class->ops->quiesce(self->dev, &err));
	state = testvm_save(self->dev);
	set_clock(self->vm, 5, false);
	put(0x40, 0);
	get(REG_C);
	sleep_ms(1100);
	ASSERT_EQ(0, testvm_load(self->dev, state, &err));
	again = testvm_save(self->dev);
	EXPECT_EQ(0, memcmp(state, again, self->dev->class->state->size));
	self->dev->class->ops->resume(self->dev);
	/* A second has gone by while it was paused. */
	EXPECT_TRUE(irq());
	EXPECT_EQ(0x80 | UIE, get(REG_C) & (0x80 | UIE));
	EXPECT_LT(1000000000, read_clock(self->vm));
	EXPECT_LT(read_clock(self->vm), 1000000600);
	EXPECT_EQ(0x77, get(0x40));
	free(state);
	free(again);
}

TEST_F(rtc, nothing_happens_while_paused)
{
	struct error err = ERROR_INIT;
	void *state, *again;

	put(REG_B, H24 | UIE);
	testvm_poll(self->vm);
	ASSERT_EQ(0, self->dev->class->ops->quiesce(self->dev, &err));
	state = testvm_save(self->dev);
	sleep_ms(1100);
	testvm_poll(self->vm);
	testvm_poll(self->vm);
	again = testvm_save(self->dev);
	EXPECT_EQ(0, memcmp(state, again, self->dev->class->state->size));
	EXPECT_EQ(false, irq());
	free(state);
	free(again);
}

/* States that a guest could never reach, and any access after them. */
TEST_F(rtc, any_state_and_access_is_survived)
{
	const struct state_desc *desc = self->dev->class->state;
	void *state = malloc(desc->size);
	struct test_random rnd;
	u32 i, n, loaded = 0;

	ASSERT_NE(NULL, state);
	test_random_init(&rnd);
	for (i = 0; i < 500; i++) {
		struct error err = ERROR_INIT;

		test_state_random(&rnd, desc, state);
		if (testvm_load(self->dev, state, &err))
			continue;
		loaded++;
		self->dev->class->ops->resume(self->dev);
		for (n = 0; n < 50; n++) {
			put((u8)test_random_below(&rnd, 16),
			    (u8)test_random_u64(&rnd));
			get((u8)test_random_below(&rnd, 16));
			testvm_poll(self->vm);
		}
	}
	EXPECT_LT(20, loaded);
	free(state);
}

TEST_HARNESS_MAIN
