// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the power button, on a PL061 GPIO controller
 *
 * Eight lines, of which line 3 is the button: high while it is pressed. A press
 * lasts PRESS_NS, because the guest looks at the line when the interrupt comes
 * and takes a line that is low again for one that has not been touched. The
 * other lines read as what the guest drives them to.
 *
 * Threads: registers on vCPU threads, button and timer on the main loop; all
 * under the device's lock.
 *
 * Specification: PrimeCell General Purpose Input/Output (PL061), Arm DDI 0190B.
 *
 * What it does not do: hardware control of lines (AFSEL is only kept).
 */
#include "devices/platform.h"
#include "devices/primecell.h"
#include "vmm/vm.h"

#define REG_DATA_END	0x400	/* address bits 9:2 are a mask */
#define REG_DIR		0x400
#define REG_IS		0x404
#define REG_IBE		0x408
#define REG_IEV		0x40c
#define REG_IE		0x410
#define REG_RIS		0x414
#define REG_MIS		0x418
#define REG_IC		0x41c
#define REG_AFSEL	0x420

#define POWER_LINE	BIT(3)
#define PRESS_NS	200000000ULL
#define PL061_PART	0x061

/**
 * struct pl061_state - the chip, as it is saved
 * @inputs: what drives the lines from outside
 * @data: what the guest drives them to
 * @dir: lines that are outputs
 * @is: interrupts are by level
 * @ibe: interrupts are by both edges
 * @iev: by rising edge or high level, else by falling edge or low level
 * @ie: interrupts are enabled
 * @edges: edges that have interrupted and have not been cleared
 * @afsel: Mode Control
 * @reserved: always 0
 */
struct pl061_state {
	u8 inputs;
	u8 data;
	u8 dir;
	u8 is;
	u8 ibe;
	u8 iev;
	u8 ie;
	u8 edges;
	u8 afsel;
	u8 reserved[3];
};

/**
 * struct pl061 - the device
 * @dev: the device
 * @region: its registers
 * @irq: its interrupt
 * @release: until the button is released
 * @s: the chip
 */
struct pl061 {
	struct device dev;
	struct bus_region region;
	struct irq_line irq;
	struct io_timer release;
	struct pl061_state s;
};

static struct pl061 *to_pl061(struct device *dev)
{
	return container_of(dev, struct pl061, dev);
}

static u8 lines(const struct pl061_state *s)
{
	return (u8)((s->data & s->dir) | (s->inputs & ~s->dir));
}

static u8 raw_interrupts(const struct pl061_state *s)
{
	u8 active = (u8)~(lines(s) ^ s->iev);

	return (u8)((s->edges & ~s->is) | (active & s->is & ~s->dir));
}

static void irq_update(struct pl061 *p)
{
	irq_line_set(&p->irq, raw_interrupts(&p->s) & p->s.ie);
}

static void inputs_set(struct pl061 *p, u8 inputs)
{
	struct pl061_state *s = &p->s;
	u8 changed = (u8)((s->inputs ^ inputs) & ~s->dir & ~s->is);

	s->inputs = inputs;
	/* A line that is now as IEV says has had the edge that IEV names. */
	s->edges |= changed & (s->ibe | (u8)~(inputs ^ s->iev));
	irq_update(p);
}

static u8 *plain_register(struct pl061_state *s, u64 offset)
{
	switch (offset) {
	case REG_DIR:
		return &s->dir;
	case REG_IS:
		return &s->is;
	case REG_IBE:
		return &s->ibe;
	case REG_IEV:
		return &s->iev;
	case REG_IE:
		return &s->ie;
	case REG_AFSEL:
		return &s->afsel;
	default:
		return NULL;
	}
}

static u64 pl061_read(struct bus_region *region, u64 offset, u32 len)
{
	struct pl061_state *s = &to_pl061(region->opaque)->s;
	const u8 *plain = plain_register(s, offset);

	if (offset < REG_DATA_END)
		return lines(s) & (offset >> 2);
	if (plain)
		return *plain;
	if (offset == REG_RIS)
		return raw_interrupts(s);
	if (offset == REG_MIS)
		return raw_interrupts(s) & s->ie;
	return primecell_id(PL061_PART, offset);
}

static void pl061_write(struct bus_region *region, u64 offset, u64 value,
			u32 len)
{
	struct pl061 *p = to_pl061(region->opaque);
	struct pl061_state *s = &p->s;
	u8 *plain = plain_register(s, offset);

	if (offset < REG_DATA_END) {
		u8 mask = (u8)(offset >> 2) & s->dir;

		s->data = (u8)((s->data & ~mask) | (value & mask));
	} else if (plain) {
		*plain = (u8)value;
	} else if (offset == REG_IC) {
		s->edges &= (u8)~value;
	}
	irq_update(p);
}

static const struct bus_ops pl061_bus_ops = {
	.read = pl061_read,
	.write = pl061_write,
};

static void power_button(struct device *dev)
{
	struct pl061 *p = to_pl061(dev);

	mutex_lock(&dev->lock);
	inputs_set(p, p->s.inputs | POWER_LINE);
	io_timer_set(&p->release, PRESS_NS);
	mutex_unlock(&dev->lock);
}

static void release_run(struct io_timer *timer)
{
	struct pl061 *p = container_of(timer, struct pl061, release);

	mutex_lock(&p->dev.lock);
	inputs_set(p, p->s.inputs & (u8)~POWER_LINE);
	mutex_unlock(&p->dev.lock);
}

static int pl061_realize(struct device *dev, struct error *err)
{
	struct pl061 *p = to_pl061(dev);
	int ret;

	ret = platform_attach(dev, &p->region, &pl061_bus_ops, &p->irq, err);
	if (ret)
		return ret;
	io_timer_init(&p->release, &dev->vm->loop, release_run);
	dev->vm->power_button = power_button;
	dev->vm->power_device = dev;
	return 0;
}

static void pl061_unrealize(struct device *dev)
{
	struct pl061 *p = to_pl061(dev);

	dev->vm->power_button = NULL;
	dev->vm->power_device = NULL;
	io_timer_destroy(&p->release);
	irq_line_set(&p->irq, false);
	bus_region_remove(&p->region);
}

static void pl061_reset(struct device *dev)
{
	struct pl061 *p = to_pl061(dev);

	p->s = (struct pl061_state){ .inputs = p->s.inputs };
	irq_update(p);
}

static void pl061_save(const struct device *dev, void *state)
{
	*(struct pl061_state *)state = container_of(dev, struct pl061, dev)->s;
}

static void pl061_load(struct device *dev, const void *state)
{
	to_pl061(dev)->s = *(const struct pl061_state *)state;
}

/* A button that was pressed when the state was saved is released later. */
static void pl061_resume(struct device *dev)
{
	struct pl061 *p = to_pl061(dev);

	mutex_lock(&dev->lock);
	if (p->s.inputs & POWER_LINE)
		io_timer_set(&p->release, PRESS_NS);
	irq_update(p);
	mutex_unlock(&dev->lock);
}

static const struct device_ops pl061_ops = {
	.realize = pl061_realize,
	.reset = pl061_reset,
	.save = pl061_save,
	.load = pl061_load,
	.resume = pl061_resume,
	.unrealize = pl061_unrealize,
};

#define FIELD(_member, _name, _max)					\
	STATE_U8(struct pl061_state, _member, _name, 0, _max)

static const struct state_field pl061_fields[] = {
	FIELD(inputs, "inputs", POWER_LINE),
	FIELD(data, "data", UINT8_MAX),
	FIELD(dir, "direction", UINT8_MAX),
	FIELD(is, "interrupt-sense", UINT8_MAX),
	FIELD(ibe, "interrupt-both-edges", UINT8_MAX),
	FIELD(iev, "interrupt-event", UINT8_MAX),
	FIELD(ie, "interrupt-enable", UINT8_MAX),
	FIELD(edges, "edges", UINT8_MAX),
	FIELD(afsel, "mode-control", UINT8_MAX),
	STATE_INTS(STATE_KIND_U8, struct pl061_state, reserved, "reserved", 0,
		   0),
};

static const struct state_desc pl061_state =
	STATE_DESC("lkvm,pl061-v1", struct pl061_state, pl061_fields);

static const struct device_class pl061_class = {
	.name = "pl061",
	.compatible = "lkvm,pl061",
	.summary = "power button on a PL061 GPIO controller",
	.kind = DEVICE_PLATFORM,
	.by_default = true,
	.hidden = true,
	.max = 1,
	.instance_size = sizeof(struct pl061),
	.state = &pl061_state,
	.ops = &pl061_ops,
};

DEVICE_CLASS_REGISTER(pl061_class);
