// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the clock and CMOS memory of a PC, an MC146818
 *
 * The clock runs with the host's CLOCK_REALTIME (UTC), plus an offset that
 * changes when the guest sets the time. It is counted in ticks of the chip's
 * crystal, 32768 a second; every period of the chip is a power of two of them.
 *
 * Nothing ticks here. The flags of register C are worked out from the time
 * since they were last looked at, when the guest reads them; a timer runs only
 * while an interrupt is enabled that has not come yet, up to the moment when it
 * will.
 *
 * The clock stands while SET (register B) or the divider's reset (register A)
 * holds it; the time registers are then plain memory. After the divider's reset
 * the first second is half as long, which is how systems set the clock to a
 * fraction.
 *
 * The clock and the memory have a battery: a reset of the machine only disables
 * the interrupts.
 *
 * Threads: registers on vCPU threads; the timer and the operations on the main
 * loop. All under the device's lock. A vCPU thread that needs the timer set
 * posts that to the main loop.
 *
 * Specification: MC146818A data sheet (Motorola, 1984); the century in byte
 * 32h is what PCs do and ACPI's FADT names.
 *
 * Deviates: the day of the week follows from the date; the other two crystals
 * that the divider can select run at the same speed; there is no square wave
 * and no daylight saving.
 */
#include <string.h>
#include <time.h>

#include "devices/platform.h"
#include "vmm/vm.h"

#define TICKS		32768		/* a second */
#define TICKS_SHIFT	15
#define UIP_TICKS	8		/* UIP comes 244 us before an update */
#define RECHECK_NS	60000000000ULL	/* the host's clock may be set */
#define DAY_S		86400

#define PORT_INDEX	0
#define PORT_DATA	1

#define CMOS_SIZE	128
#define REG_SECONDS	0x00
#define REG_SECONDS_ALARM 0x01
#define REG_MINUTES	0x02
#define REG_MINUTES_ALARM 0x03
#define REG_HOURS	0x04
#define REG_HOURS_ALARM	0x05
#define REG_WEEKDAY	0x06
#define REG_DAY		0x07
#define REG_MONTH	0x08
#define REG_YEAR	0x09
#define REG_A		0x0a
#define REG_B		0x0b
#define REG_C		0x0c
#define REG_D		0x0d
#define REG_CENTURY	0x32

#define A_UIP		BIT(7)
#define A_DIVIDER_RESET	0x60		/* both upper bits: held in reset */
#define A_RATE		0x0f
#define B_SET		BIT(7)
#define B_BINARY	BIT(2)
#define B_24H		BIT(1)
#define B_SQUARE_WAVE	BIT(3)
#define C_IRQ		BIT(7)
#define C_PERIODIC	BIT(6)
#define C_ALARM		BIT(5)
#define C_UPDATE	BIT(4)
#define C_FLAGS		(C_PERIODIC | C_ALARM | C_UPDATE)
#define D_VALID		BIT(7)		/* the battery is good */
#define HOUR_PM		BIT(7)
#define ALARM_ANY	0xc0		/* both upper bits: matches always */

/*
 * Offsets are saved as unsigned numbers. No date that the registers can hold
 * is further away than this (2^41 seconds).
 */
#define OFFSET_BIAS	(1ULL << (41 + TICKS_SHIFT))

/**
 * struct rtc_state - what is saved
 * @offset: ticks that the clock is ahead of the host's UTC, plus OFFSET_BIAS
 * @seen: the clock's ticks since 1970 when the flags were last worked out,
 *        plus OFFSET_BIAS
 * @cmos: the registers and the memory. While the clock runs its registers for
 *        time and date hold what they were when it last stood still.
 * @index: the address port
 * @flags: register C, without its summary bit
 * @reserved: always 0
 */
struct rtc_state {
	u64 offset;
	u64 seen;
	u8 cmos[CMOS_SIZE];
	u8 index;
	u8 flags;
	u8 reserved[6];
};

/**
 * struct rtc - the device
 * @dev: the device
 * @region: its ports
 * @irq: its interrupt
 * @rearm: posted to have the timer set on the main loop
 * @timer: until the next interrupt
 * @running: the machine is not paused
 * @offset: ticks that the clock is ahead of the host's UTC
 * @seen: the clock's ticks when @flags were last worked out
 * @cmos: see struct rtc_state
 * @index: the address port
 * @flags: register C, without its summary bit
 */
struct rtc {
	struct device dev;
	struct bus_region region;
	struct irq_line irq;
	struct loop_call rearm;
	struct io_timer timer;
	bool running;
	s64 offset;
	s64 seen;
	u8 cmos[CMOS_SIZE];
	u8 index;
	u8 flags;
};

static struct rtc *to_rtc(struct device *dev)
{
	return container_of(dev, struct rtc, dev);
}

/* ---- time --------------------------------------------------------------- */

static s64 host_ticks(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (s64)ts.tv_sec * TICKS +
	       ((s64)ts.tv_nsec << TICKS_SHIFT) / 1000000000;
}

static s64 rtc_ticks(const struct rtc *r)
{
	return host_ticks() + r->offset;
}

static s64 ticks_to_seconds(s64 ticks)
{
	return ticks >> TICKS_SHIFT;
}

static bool divider_held(const struct rtc *r)
{
	return (r->cmos[REG_A] & A_DIVIDER_RESET) == A_DIVIDER_RESET;
}

static bool clock_stands(const struct rtc *r)
{
	return (r->cmos[REG_B] & B_SET) || divider_held(r);
}

static u8 encode(const struct rtc *r, u32 value)
{
	if (r->cmos[REG_B] & B_BINARY)
		return (u8)value;
	return (u8)(value / 10 << 4 | value % 10);
}

static u32 decode(const struct rtc *r, u8 byte)
{
	if (r->cmos[REG_B] & B_BINARY)
		return byte;
	return (byte >> 4) * 10U + (byte & 0xf);
}

static u8 encode_hour(const struct rtc *r, u32 hour)
{
	if (r->cmos[REG_B] & B_24H)
		return encode(r, hour);
	return encode(r, hour % 12 ? hour % 12 : 12) |
	       (hour >= 12 ? HOUR_PM : 0);
}

static u32 decode_hour(const struct rtc *r, u8 byte)
{
	if (r->cmos[REG_B] & B_24H)
		return decode(r, byte);
	return decode(r, byte & (0xff ^ HOUR_PM)) % 12 +
	       (byte & HOUR_PM ? 12 : 0);
}

/* The time registers as they are at a moment. */
static void time_to_registers(struct rtc *r, s64 seconds)
{
	u8 *c = r->cmos;
	time_t t = seconds;
	struct tm tm;
	u32 year;

	gmtime_r(&t, &tm);
	year = (u32)(tm.tm_year + 1900);
	c[REG_SECONDS] = encode(r, (u32)tm.tm_sec);
	c[REG_MINUTES] = encode(r, (u32)tm.tm_min);
	c[REG_HOURS] = encode_hour(r, (u32)tm.tm_hour);
	c[REG_WEEKDAY] = encode(r, (u32)tm.tm_wday + 1);
	c[REG_DAY] = encode(r, (u32)tm.tm_mday);
	c[REG_MONTH] = encode(r, (u32)tm.tm_mon + 1);
	c[REG_YEAR] = encode(r, year % 100);
	c[REG_CENTURY] = encode(r, year / 100);
}

/*
 * The moment that the time registers name. What is out of range counts on, as
 * mktime(3) does; no byte can lead further than OFFSET_BIAS.
 */
static s64 registers_to_time(const struct rtc *r)
{
	const u8 *c = r->cmos;
	struct tm tm = {
		.tm_sec = (int)decode(r, c[REG_SECONDS]),
		.tm_min = (int)decode(r, c[REG_MINUTES]),
		.tm_hour = (int)decode_hour(r, c[REG_HOURS]),
		.tm_mday = (int)decode(r, c[REG_DAY]),
		.tm_mon = (int)decode(r, c[REG_MONTH]) - 1,
		.tm_year = (int)(decode(r, c[REG_CENTURY]) * 100 +
				 decode(r, c[REG_YEAR])) - 1900,
	};

	return timegm(&tm);
}

/* The clock runs on from what its registers say, @fraction into the second. */
static void clock_set(struct rtc *r, s64 fraction)
{
	r->offset = registers_to_time(r) * TICKS + fraction - host_ticks();
	r->seen = rtc_ticks(r);
}

/* ---- flags and interrupt ------------------------------------------------ */

/* Ticks between periodic interrupts, as a power of two; -1 for none. */
static int period_shift(const struct rtc *r)
{
	int rate = r->cmos[REG_A] & A_RATE;

	if (!rate || divider_held(r))
		return -1;
	/* At 32768 Hz the two fastest are those of 8 and 9 (256, 128 Hz). */
	return rate <= 2 ? rate + 6 : rate - 1;
}

static bool alarm_matches(u8 alarm, u8 now)
{
	return (alarm & ALARM_ANY) == ALARM_ANY || alarm == now;
}

/* The first second after @after at which the alarm goes off; false for never. */
static bool next_alarm(const struct rtc *r, s64 after, s64 *at)
{
	const u8 *c = r->cmos;
	s64 t = after + 1;

	while (t <= after + DAY_S) {
		/* Seconds of a day; t may be before 1970. */
		u32 s = (u32)(((t % DAY_S) + DAY_S) % DAY_S);

		if (!alarm_matches(c[REG_HOURS_ALARM],
				   encode_hour(r, s / 3600)))
			t += 3600 - s % 3600;
		else if (!alarm_matches(c[REG_MINUTES_ALARM],
					encode(r, s / 60 % 60)))
			t += 60 - s % 60;
		else if (!alarm_matches(c[REG_SECONDS_ALARM],
					encode(r, s % 60)))
			t++;
		else
			break;
	}
	*at = t;
	return t <= after + DAY_S;
}

static void irq_update(struct rtc *r)
{
	irq_line_set(&r->irq, r->flags & r->cmos[REG_B] & C_FLAGS);
}

/* Works out what has happened since the last time. */
static void flags_update(struct rtc *r)
{
	s64 now = rtc_ticks(r), seen = r->seen;
	int shift = period_shift(r);

	r->seen = now;
	/* The host's clock was set back: nothing has happened. */
	if (now > seen && shift >= 0 && now >> shift != seen >> shift)
		r->flags |= C_PERIODIC;
	if (now > seen && !clock_stands(r) &&
	    ticks_to_seconds(now) != ticks_to_seconds(seen)) {
		s64 alarm;

		r->flags |= C_UPDATE;
		if (next_alarm(r, ticks_to_seconds(seen), &alarm) &&
		    alarm <= ticks_to_seconds(now))
			r->flags |= C_ALARM;
	}
	irq_update(r);
}

/* Ticks from now until the next enabled interrupt, -1 for none. */
static s64 next_irq(const struct rtc *r)
{
	u8 enabled = r->cmos[REG_B] & C_FLAGS;
	int shift = period_shift(r);
	s64 now = r->seen, second = ticks_to_seconds(now), next = INT64_MAX;
	s64 alarm;

	/* One is enough: the line stays up until the guest reads register C. */
	if (r->flags & enabled)
		return -1;
	if ((enabled & C_PERIODIC) && shift >= 0)
		next = ((now >> shift) + 1) * (1LL << shift);
	if ((enabled & C_UPDATE) && !clock_stands(r) &&
	    (second + 1) * TICKS < next)
		next = (second + 1) * TICKS;
	if ((enabled & C_ALARM) && !clock_stands(r) &&
	    next_alarm(r, second, &alarm) && alarm * TICKS < next)
		next = alarm * TICKS;
	return next == INT64_MAX ? -1 : next - now;
}

/* Main loop, with the lock held. */
static void timer_update(struct rtc *r)
{
	s64 ticks;
	u64 ns;

	flags_update(r);
	ticks = r->running ? next_irq(r) : -1;
	if (ticks < 0) {
		io_timer_cancel(&r->timer);
		return;
	}
	/* A tick more, so that the moment has come for certain. */
	ns = ((u64)ticks + 1) * 1000000000 / TICKS;
	io_timer_set(&r->timer, ns < RECHECK_NS ? ns : RECHECK_NS);
}

static void rearm_run(struct loop_call *call)
{
	struct rtc *r = container_of(call, struct rtc, rearm);

	mutex_lock(&r->dev.lock);
	timer_update(r);
	mutex_unlock(&r->dev.lock);
}

static void timer_run(struct io_timer *timer)
{
	struct rtc *r = container_of(timer, struct rtc, timer);

	mutex_lock(&r->dev.lock);
	timer_update(r);
	mutex_unlock(&r->dev.lock);
}

/* From any thread: what the timer waits for may have changed. */
static void timer_changed(struct rtc *r)
{
	iothread_post(&r->dev.vm->loop, &r->rearm);
}

/* ---- registers ---------------------------------------------------------- */

static bool is_time_register(u8 reg)
{
	return reg == REG_CENTURY ||
	       (reg <= REG_YEAR && reg != REG_SECONDS_ALARM &&
		reg != REG_MINUTES_ALARM && reg != REG_HOURS_ALARM);
}

static u8 a_read(struct rtc *r)
{
	u8 a = r->cmos[REG_A];

	if (!clock_stands(r) &&
	    (rtc_ticks(r) & (TICKS - 1)) >= TICKS - UIP_TICKS)
		a |= A_UIP;
	return a;
}

static u8 c_read(struct rtc *r)
{
	u8 c;

	flags_update(r);
	c = r->flags;
	if (c & r->cmos[REG_B] & C_FLAGS)
		c |= C_IRQ;
	r->flags = 0;
	irq_update(r);
	if (r->cmos[REG_B] & C_FLAGS)
		timer_changed(r);
	return c;
}

static u8 register_read(struct rtc *r, u8 reg)
{
	switch (reg) {
	case REG_A:
		return a_read(r);
	case REG_C:
		return c_read(r);
	case REG_D:
		return D_VALID;
	}
	if (is_time_register(reg) && !clock_stands(r))
		time_to_registers(r, ticks_to_seconds(rtc_ticks(r)));
	return r->cmos[reg];
}

/* A register of the clock itself changes: what it shows now, and where it is. */
static s64 clock_freeze(struct rtc *r)
{
	s64 now = rtc_ticks(r);

	if (!clock_stands(r))
		time_to_registers(r, ticks_to_seconds(now));
	return now & (TICKS - 1);
}

static void ab_write(struct rtc *r, u8 reg, u8 value)
{
	bool stood, was_held = divider_held(r);
	s64 fraction;

	flags_update(r);
	stood = clock_stands(r);
	fraction = clock_freeze(r);
	if (reg == REG_A)
		r->cmos[REG_A] = value & (0xff ^ A_UIP);
	else
		r->cmos[REG_B] = value;
	/* SET clears UIE (data sheet, register B). */
	if (r->cmos[REG_B] & B_SET)
		r->cmos[REG_B] &= (u8)~C_UPDATE;
	if (was_held && !divider_held(r))
		fraction = TICKS / 2;
	if (stood && !clock_stands(r))
		clock_set(r, fraction);
	flags_update(r);
	timer_changed(r);
}

static void time_write(struct rtc *r, u8 reg, u8 value)
{
	s64 fraction;

	flags_update(r);
	fraction = clock_freeze(r);
	r->cmos[reg] = value;
	if (!clock_stands(r))
		clock_set(r, fraction);
	timer_changed(r);
}

static void register_write(struct rtc *r, u8 reg, u8 value)
{
	switch (reg) {
	case REG_A:
	case REG_B:
		ab_write(r, reg, value);
		break;
	case REG_C:
	case REG_D:
		break;
	case REG_SECONDS_ALARM:
	case REG_MINUTES_ALARM:
	case REG_HOURS_ALARM:
		/* What the old alarm has done so far stays. */
		flags_update(r);
		r->cmos[reg] = value;
		timer_changed(r);
		break;
	default:
		if (is_time_register(reg))
			time_write(r, reg, value);
		else
			r->cmos[reg] = value;
	}
}

static u64 rtc_read(struct bus_region *region, u64 offset, u32 len)
{
	struct rtc *r = to_rtc(region->opaque);

	/* The address port cannot be read. */
	if (offset != PORT_DATA || len != 1)
		return ~0ULL;
	return register_read(r, r->index);
}

static void rtc_write(struct bus_region *region, u64 offset, u64 value,
		      u32 len)
{
	struct rtc *r = to_rtc(region->opaque);

	if (len != 1)
		return;
	/* Bit 7 of the address port is the PC's NMI mask, not the chip's. */
	if (offset == PORT_INDEX)
		r->index = value & (CMOS_SIZE - 1);
	else
		register_write(r, r->index, (u8)value);
}

static const struct bus_ops rtc_bus_ops = {
	.read = rtc_read,
	.write = rtc_write,
};

/* ---- lifecycle ---------------------------------------------------------- */

static int rtc_realize(struct device *dev, struct error *err)
{
	struct rtc *r = to_rtc(dev);
	int ret;

	ret = platform_attach(dev, &r->region, &rtc_bus_ops, &r->irq, err);
	if (ret)
		return ret;
	loop_call_init(&r->rearm, rearm_run);
	io_timer_init(&r->timer, &dev->vm->loop, timer_run);
	r->running = true;
	/* What a PC's firmware leaves: 32768 Hz crystal, 1024 Hz, 24 h, BCD */
	r->cmos[REG_A] = 0x26;
	r->cmos[REG_B] = B_24H;
	r->seen = rtc_ticks(r);
	time_to_registers(r, ticks_to_seconds(r->seen));
	return 0;
}

static void rtc_unrealize(struct device *dev)
{
	struct rtc *r = to_rtc(dev);

	iothread_unpost(&dev->vm->loop, &r->rearm);
	io_timer_destroy(&r->timer);
	irq_line_set(&r->irq, false);
	bus_region_remove(&r->region);
}

/* RESET# of the chip: the battery keeps all else. */
static void rtc_reset(struct device *dev)
{
	struct rtc *r = to_rtc(dev);

	flags_update(r);
	r->cmos[REG_B] &= (u8)~(C_FLAGS | B_SQUARE_WAVE);
	r->flags = 0;
	r->index = 0;
	irq_update(r);
	timer_changed(r);
}

static int rtc_quiesce(struct device *dev, struct error *err)
{
	struct rtc *r = to_rtc(dev);

	mutex_lock(&dev->lock);
	r->running = false;
	timer_update(r);
	mutex_unlock(&dev->lock);
	return 0;
}

static void rtc_save(const struct device *dev, void *state)
{
	const struct rtc *r = container_of(dev, struct rtc, dev);
	struct rtc_state *s = state;

	s->offset = (u64)r->offset + OFFSET_BIAS;
	s->seen = (u64)r->seen + OFFSET_BIAS;
	memcpy(s->cmos, r->cmos, sizeof(s->cmos));
	s->index = r->index;
	s->flags = r->flags;
}

static int rtc_check(const struct device *dev, const void *state,
		     struct error *err)
{
	const struct rtc_state *s = state;

	if (s->flags & ~C_FLAGS)
		return error_set(err, -EINVAL,
				 "flags: %#x has bits that do not exist",
				 s->flags);
	if (s->cmos[REG_A] & A_UIP)
		return error_set(err, -EINVAL,
				 "cmos: register A has its read-only bit set");
	return 0;
}

static void rtc_load(struct device *dev, const void *state)
{
	const struct rtc_state *s = state;
	struct rtc *r = to_rtc(dev);

	r->offset = (s64)(s->offset - OFFSET_BIAS);
	r->seen = (s64)(s->seen - OFFSET_BIAS);
	memcpy(r->cmos, s->cmos, sizeof(r->cmos));
	r->index = s->index;
	r->flags = s->flags;
}

/* An alarm that came while the machine was paused goes off now. */
static void rtc_resume(struct device *dev)
{
	struct rtc *r = to_rtc(dev);

	mutex_lock(&dev->lock);
	r->running = true;
	timer_update(r);
	mutex_unlock(&dev->lock);
}

static const struct device_ops rtc_ops = {
	.realize = rtc_realize,
	.reset = rtc_reset,
	.quiesce = rtc_quiesce,
	.save = rtc_save,
	.check = rtc_check,
	.load = rtc_load,
	.resume = rtc_resume,
	.unrealize = rtc_unrealize,
};

static const struct state_field rtc_fields[] = {
	STATE_U64(struct rtc_state, offset, "offset", 0, 2 * OFFSET_BIAS),
	STATE_U64(struct rtc_state, seen, "seen", 0, 2 * OFFSET_BIAS),
	STATE_BYTES(struct rtc_state, cmos, "cmos"),
	STATE_U8(struct rtc_state, index, "index", 0, CMOS_SIZE - 1),
	STATE_U8(struct rtc_state, flags, "flags", 0, C_FLAGS),
	STATE_INTS(STATE_KIND_U8, struct rtc_state, reserved, "reserved", 0,
		   0),
};

static const struct state_desc rtc_state =
	STATE_DESC("lkvm,rtc-v1", struct rtc_state, rtc_fields);

static const struct device_class rtc_class = {
	.name = "rtc",
	.compatible = "lkvm,rtc",
	.summary = "MC146818 clock and CMOS memory",
	.kind = DEVICE_PLATFORM,
	.by_default = true,
	.hidden = true,
	.max = 1,
	.instance_size = sizeof(struct rtc),
	.state = &rtc_state,
	.ops = &rtc_ops,
};

DEVICE_CLASS_REGISTER(rtc_class);
