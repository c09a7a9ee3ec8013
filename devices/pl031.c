// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: a real-time clock that counts seconds, a PL031
 *
 * A counter of 32 bits that runs with the host's CLOCK_REALTIME (UTC), plus an
 * offset that changes when the guest sets it, and a match register that
 * interrupts.
 *
 * Nothing ticks here. Whether the counter has passed the match register is
 * worked out when the guest looks; a timer runs only while the interrupt is
 * enabled and has not come yet.
 *
 * The clock has a battery: a reset of the machine only disables the interrupt.
 *
 * Threads: registers on vCPU threads; the timer and the operations on the main
 * loop. All under the device's lock. A vCPU thread that needs the timer set
 * posts that to the main loop.
 *
 * Specification: PrimeCell Real Time Clock (PL031), Arm DDI 0224C.
 *
 * Deviates: the counter cannot be stopped, as on the chip once it was started;
 * there are no test registers.
 */
#include <time.h>

#include "devices/platform.h"
#include "devices/primecell.h"
#include "vmm/base/math.h"
#include "vmm/vm.h"

#define REG_DR		0x00
#define REG_MR		0x04
#define REG_LR		0x08
#define REG_CR		0x0c
#define REG_IMSC	0x10
#define REG_RIS		0x14
#define REG_MIS		0x18
#define REG_ICR		0x1c

#define IRQ_MATCH	BIT(0)
#define CR_START	BIT(0)
#define PL031_PART	0x031

#define NS_PER_S	1000000000ULL
#define RECHECK_S	60		/* the host's clock may be set */

/**
 * struct pl031_state - what is saved
 * @offset: seconds that the clock is ahead of the host's UTC, modulo 2^32
 * @seen: the counter when it was last looked at
 * @match: match register
 * @load: what the counter was last set to
 * @enable: the interrupt is enabled
 * @pending: the counter has passed the match register
 */
struct pl031_state {
	u32 offset;
	u32 seen;
	u32 match;
	u32 load;
	u32 enable;
	u32 pending;
};

/**
 * struct pl031 - the device
 * @dev: the device
 * @region: its registers
 * @irq: its interrupt
 * @rearm: posted to have the timer set on the main loop
 * @timer: until the counter reaches the match register
 * @running: the machine is not paused
 * @s: the chip
 */
struct pl031 {
	struct device dev;
	struct bus_region region;
	struct irq_line irq;
	struct loop_call rearm;
	struct io_timer timer;
	bool running;
	struct pl031_state s;
};

static struct pl031 *to_pl031(struct device *dev)
{
	return container_of(dev, struct pl031, dev);
}

static u32 host_seconds(u64 *ns)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	*ns = (u64)ts.tv_nsec;
	return (u32)ts.tv_sec;
}

static u32 counter(const struct pl031 *p, u64 *ns)
{
	return host_seconds(ns) + p->s.offset;
}

static void irq_update(struct pl031 *p)
{
	irq_line_set(&p->irq, p->s.pending && p->s.enable);
}

/* Looks at the counter; a host's clock that was set back has done nothing. */
static void look(struct pl031 *p)
{
	struct pl031_state *s = &p->s;
	u64 ns;
	u32 now = counter(p, &ns), went = now - s->seen;

	if (went && went <= INT32_MAX && s->match - s->seen - 1 < went)
		s->pending = 1;
	s->seen = now;
	irq_update(p);
}

/* Main loop, with the lock held. */
static void timer_update(struct pl031 *p)
{
	u64 ns;
	u32 left;

	look(p);
	left = p->s.match - counter(p, &ns);
	if (!p->running || !p->s.enable || p->s.pending || !left) {
		io_timer_cancel(&p->timer);
		return;
	}
	left = min_of(left, (u32)RECHECK_S);
	io_timer_set(&p->timer, left * NS_PER_S - ns);
}

static void rearm_run(struct loop_call *call)
{
	struct pl031 *p = container_of(call, struct pl031, rearm);

	mutex_lock(&p->dev.lock);
	timer_update(p);
	mutex_unlock(&p->dev.lock);
}

static void timer_run(struct io_timer *timer)
{
	struct pl031 *p = container_of(timer, struct pl031, timer);

	mutex_lock(&p->dev.lock);
	timer_update(p);
	mutex_unlock(&p->dev.lock);
}

static u64 pl031_read(struct bus_region *region, u64 offset, u32 len)
{
	struct pl031 *p = to_pl031(region->opaque);

	look(p);
	switch (offset) {
	case REG_DR:
		return p->s.seen;
	case REG_MR:
		return p->s.match;
	case REG_LR:
		return p->s.load;
	case REG_CR:
		return CR_START;
	case REG_IMSC:
		return p->s.enable;
	case REG_RIS:
		return p->s.pending;
	case REG_MIS:
		return p->s.pending & p->s.enable;
	default:
		return primecell_id(PL031_PART, offset);
	}
}

static void clock_set(struct pl031 *p, u32 value)
{
	u64 ns;

	p->s.load = value;
	p->s.offset = value - host_seconds(&ns);
	p->s.seen = value;
	if (value == p->s.match)
		p->s.pending = 1;
}

static void pl031_write(struct bus_region *region, u64 offset, u64 value,
			u32 len)
{
	struct pl031 *p = to_pl031(region->opaque);

	look(p);
	switch (offset) {
	case REG_MR:
		p->s.match = (u32)value;
		if (p->s.match == p->s.seen)
			p->s.pending = 1;
		break;
	case REG_LR:
		clock_set(p, (u32)value);
		break;
	case REG_IMSC:
		p->s.enable = value & IRQ_MATCH;
		break;
	case REG_ICR:
		if (value & IRQ_MATCH)
			p->s.pending = 0;
		break;
	default:
		return;
	}
	irq_update(p);
	/* A timer is the main loop's. */
	iothread_post(&p->dev.vm->loop, &p->rearm);
}

static const struct bus_ops pl031_bus_ops = {
	.read = pl031_read,
	.write = pl031_write,
};

static int pl031_realize(struct device *dev, struct error *err)
{
	struct pl031 *p = to_pl031(dev);
	u64 ns;
	int ret;

	ret = platform_attach(dev, &p->region, &pl031_bus_ops, &p->irq, err);
	if (ret)
		return ret;
	loop_call_init(&p->rearm, rearm_run);
	io_timer_init(&p->timer, &dev->vm->loop, timer_run);
	p->running = true;
	p->s.seen = counter(p, &ns);
	return 0;
}

static void pl031_unrealize(struct device *dev)
{
	struct pl031 *p = to_pl031(dev);

	iothread_unpost(&dev->vm->loop, &p->rearm);
	io_timer_destroy(&p->timer);
	irq_line_set(&p->irq, false);
	bus_region_remove(&p->region);
}

static void pl031_reset(struct device *dev)
{
	struct pl031 *p = to_pl031(dev);

	look(p);
	p->s.enable = 0;
	p->s.pending = 0;
	irq_update(p);
}

static int pl031_quiesce(struct device *dev, struct error *err)
{
	struct pl031 *p = to_pl031(dev);

	mutex_lock(&dev->lock);
	p->running = false;
	timer_update(p);
	mutex_unlock(&dev->lock);
	return 0;
}

static void pl031_save(const struct device *dev, void *state)
{
	*(struct pl031_state *)state = container_of(dev, struct pl031, dev)->s;
}

static void pl031_load(struct device *dev, const void *state)
{
	to_pl031(dev)->s = *(const struct pl031_state *)state;
}

/* An alarm that came while the machine was paused goes off now. */
static void pl031_resume(struct device *dev)
{
	struct pl031 *p = to_pl031(dev);

	mutex_lock(&dev->lock);
	p->running = true;
	timer_update(p);
	mutex_unlock(&dev->lock);
}

static const struct device_ops pl031_ops = {
	.realize = pl031_realize,
	.reset = pl031_reset,
	.quiesce = pl031_quiesce,
	.save = pl031_save,
	.load = pl031_load,
	.resume = pl031_resume,
	.unrealize = pl031_unrealize,
};

#define FIELD(_member, _name, _max)					\
	STATE_U32(struct pl031_state, _member, _name, 0, _max)

static const struct state_field pl031_fields[] = {
	FIELD(offset, "offset", UINT32_MAX),
	FIELD(seen, "seen", UINT32_MAX),
	FIELD(match, "match", UINT32_MAX),
	FIELD(load, "load", UINT32_MAX),
	FIELD(enable, "enable", 1),
	FIELD(pending, "pending", 1),
};

static const struct state_desc pl031_state =
	STATE_DESC("lkvm,pl031-v1", struct pl031_state, pl031_fields);

static const struct device_class pl031_class = {
	.name = "pl031",
	.compatible = "lkvm,pl031",
	.summary = "PL031 real-time clock",
	.kind = DEVICE_PLATFORM,
	.by_default = true,
	.hidden = true,
	.max = 1,
	.instance_size = sizeof(struct pl031),
	.state = &pl031_state,
	.ops = &pl031_ops,
};

DEVICE_CLASS_REGISTER(pl031_class);
