// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: a 16550A serial port
 *
 * The registers of the chip in front, a console behind (&vm.consoles). A port
 * without one is connected to nothing: its output is dropped.
 *
 * Nothing is lost. Input is taken from the console only as the receive FIFO
 * has room, so a paste waits in the console and then in the user's terminal. It
 * also waits while the guest holds DTR and drops RTS, which is how a driver
 * with hardware flow control says "not now".
 *
 * The line has no speed of its own, but it must not be so fast that the guest
 * does nothing but take interrupts: when the guest has emptied the FIFO, the
 * next characters come after as long a time as that took, so that at most half
 * of the guest's time goes there.
 *
 * Output goes to the console at
 * once; while the console is full, bytes stay in the transmit FIFO and THRE is
 * held back, so the guest waits as it would for a slow line, and no vCPU is
 * blocked. The console tells when there is room again.
 *
 * Threads: registers on vCPU threads; the console's calls and the operations on
 * the main loop. All under the device's lock. While the machine is paused the
 * console is not listened to.
 *
 * Specification: PC16550D data sheet (National Semiconductor, June 1995);
 * linux/serial_reg.h names its registers.
 *
 * Deviates: characters take no time, so the character time-out interrupt comes
 * as soon as fewer characters than the trigger level are there; a transmit
 * FIFO reset keeps the bytes that the console has not taken yet; the interrupt
 * is not gated by OUT2, which is wiring of the PC's adapter and not of the
 * chip; there are no parity and framing errors.
 */
#include <linux/serial_reg.h>
#include <string.h>
#include <time.h>

#include "devices/platform.h"
#include "vmm/base/clock.h"
#include "vmm/base/math.h"
#include "vmm/console.h"
#include "vmm/vm.h"

#define FIFO_SIZE	16
#define RX_BREAK	0x100	/* in the receive FIFO: it came with a break */
#define IER_BITS	(UART_IER_RDI | UART_IER_THRI | UART_IER_RLSI | \
			 UART_IER_MSI)
#define IIR_FIFOS	0xc0	/* the FIFOs are enabled */
#define MCR_BITS	0x1f
#define MSR_DELTAS	0x0f
#define DIVISOR_9600	12
#define REST_MAX_NS	5000000ULL

/**
 * struct serial_state - the chip, as it is saved
 * @rx_nr: characters in the receive FIFO
 * @tx_nr: characters in the transmit FIFO
 * @rx: receive FIFO, the next one to be read first; RX_BREAK marks a break
 * @divisor: divisor latch
 * @tx: transmit FIFO
 * @ier: Interrupt Enable
 * @fifo: the FIFOs are enabled
 * @trigger: receive trigger level, index of 1, 4, 8, 14
 * @lcr: Line Control
 * @mcr: Modem Control
 * @scr: Scratch
 * @deltas: bits 3:0 of Modem Status
 * @overrun: Overrun Error
 * @thre_irq: "transmitter empty" has not been told yet
 * @break_told: the break at the head of @rx was read from Line Status
 */
struct serial_state {
	u32 rx_nr;
	u32 tx_nr;
	u16 rx[FIFO_SIZE];
	u16 divisor;
	u8 tx[FIFO_SIZE];
	u8 ier;
	u8 fifo;
	u8 trigger;
	u8 lcr;
	u8 mcr;
	u8 scr;
	u8 deltas;
	u8 overrun;
	u8 thre_irq;
	u8 break_told;
};

/**
 * struct serial - the port
 * @dev: the device
 * @region: its registers
 * @irq: its interrupt
 * @client: for @console
 * @console: what it is connected to, NULL for none
 * @running: the machine is not paused: listen to the console
 * @rests: no input until @rest has run out
 * @filled_ns: CLOCK_MONOTONIC when the receive FIFO was filled
 * @took_ns: how long the guest took to empty it
 * @rest: runs between two fillings of the receive FIFO
 * @emptied: posted to the main loop to start @rest
 * @s: the chip
 */
struct serial {
	struct device dev;
	struct bus_region region;
	struct irq_line irq;
	struct console_client client;
	struct console *console;
	bool running;
	bool rests;
	u64 filled_ns;
	u64 took_ns;
	struct io_timer rest;
	struct loop_call emptied;
	struct serial_state s;
};

static struct serial *to_serial(struct device *dev)
{
	return container_of(dev, struct serial, dev);
}

static bool in_loopback(const struct serial *p)
{
	return p->s.mcr & UART_MCR_LOOP;
}

static u32 fifo_size(const struct serial *p)
{
	return p->s.fifo ? FIFO_SIZE : 1;
}

static bool break_at_head(const struct serial *p)
{
	return p->s.rx_nr && (p->s.rx[0] & RX_BREAK) && !p->s.break_told;
}

/* ---- interrupt ---------------------------------------------------------- */

/* The highest of the reasons to interrupt, as IIR tells it. */
static u8 irq_reason(const struct serial *p)
{
	static const u8 triggers[] = { 1, 4, 8, 14 };
	const struct serial_state *s = &p->s;

	if ((s->ier & UART_IER_RLSI) && (s->overrun || break_at_head(p)))
		return UART_IIR_RLSI;
	if ((s->ier & UART_IER_RDI) && s->rx_nr)
		return s->fifo && s->rx_nr < triggers[s->trigger] ?
		       UART_IIR_RX_TIMEOUT : UART_IIR_RDI;
	if ((s->ier & UART_IER_THRI) && s->thre_irq)
		return UART_IIR_THRI;
	if ((s->ier & UART_IER_MSI) && s->deltas)
		return UART_IIR_MSI;
	return UART_IIR_NO_INT;
}

static void irq_update(struct serial *p)
{
	irq_line_set(&p->irq, irq_reason(p) != UART_IIR_NO_INT);
}

/* ---- receiving ---------------------------------------------------------- */

static void rx_push(struct serial *p, u16 c)
{
	struct serial_state *s = &p->s;

	if (s->rx_nr < fifo_size(p)) {
		s->rx[s->rx_nr++] = c;
		return;
	}
	s->overrun = 1;
	/* Without FIFOs the new character replaces the old one. */
	if (!s->fifo)
		s->rx[0] = c;
}

static u8 rx_pop(struct serial *p)
{
	struct serial_state *s = &p->s;
	u8 c = (u8)s->rx[0];

	if (!s->rx_nr)
		return 0;
	s->rx_nr--;
	memmove(s->rx, s->rx + 1, s->rx_nr * sizeof(s->rx[0]));
	s->rx[s->rx_nr] = 0;
	s->break_told = 0;
	return c;
}

static void rx_clear(struct serial *p)
{
	memset(p->s.rx, 0, sizeof(p->s.rx));
	p->s.rx_nr = 0;
	p->s.break_told = 0;
}

/* In loopback the line is cut; a guest with flow control may say "not now". */
static bool rx_is_held(const struct serial *p)
{
	return !p->console || !p->running || p->rests || in_loopback(p) ||
	       (p->s.mcr & (UART_MCR_DTR | UART_MCR_RTS)) == UART_MCR_DTR;
}

/* Takes as much input as there is room for. */
static void rx_fill(struct serial *p)
{
	u8 buf[FIFO_SIZE];
	size_t i, n;

	if (p->s.rx_nr >= fifo_size(p) || rx_is_held(p))
		return;
	n = console_read(p->console, buf, fifo_size(p) - p->s.rx_nr);
	for (i = 0; i < n; i++)
		rx_push(p, buf[i]);
	if (n)
		p->filled_ns = now_ns();
}

/* The guest has taken all that there was. */
static void rx_emptied(struct serial *p)
{
	if (!p->console || p->rests || in_loopback(p))
		return;
	p->rests = true;
	p->took_ns = now_ns() - p->filled_ns;
	/* A timer is the main loop's. */
	iothread_post(&p->dev.vm->loop, &p->emptied);
}

static void rest_start(struct loop_call *call)
{
	struct serial *p = container_of(call, struct serial, emptied);

	mutex_lock(&p->dev.lock);
	io_timer_set(&p->rest, min_of(p->took_ns, REST_MAX_NS));
	mutex_unlock(&p->dev.lock);
}

static void rest_end(struct io_timer *timer)
{
	struct serial *p = container_of(timer, struct serial, rest);

	mutex_lock(&p->dev.lock);
	p->rests = false;
	rx_fill(p);
	irq_update(p);
	mutex_unlock(&p->dev.lock);
}

/* ---- sending ------------------------------------------------------------ */

/* Gives the console what it takes; the last byte empties the transmitter. */
static void tx_drain(struct serial *p)
{
	struct serial_state *s = &p->s;
	size_t n = s->tx_nr;

	if (!s->tx_nr)
		return;
	if (p->console)
		n = console_write(p->console, s->tx, s->tx_nr);
	s->tx_nr -= (u32)n;
	memmove(s->tx, s->tx + n, s->tx_nr);
	memset(s->tx + s->tx_nr, 0, FIFO_SIZE - s->tx_nr);
	if (!s->tx_nr)
		s->thre_irq = 1;
}

static void tx_write(struct serial *p, u8 c)
{
	struct serial_state *s = &p->s;

	s->thre_irq = 0;
	/* The interrupt may be edge triggered: it goes down in between. */
	irq_update(p);
	if (in_loopback(p)) {
		rx_push(p, c);
		s->thre_irq = 1;
		return;
	}
	/* A guest that does not wait for THRE loses the byte, as on a chip. */
	if (s->tx_nr < fifo_size(p))
		s->tx[s->tx_nr++] = c;
	tx_drain(p);
}

/* ---- modem lines -------------------------------------------------------- */

/* Bits 7:4 of Modem Status: somebody listens, or the chip hears itself. */
static u8 modem_lines(const struct serial *p)
{
	u8 mcr = p->s.mcr, lines = 0;

	if (!in_loopback(p))
		return UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD;
	if (mcr & UART_MCR_RTS)
		lines |= UART_MSR_CTS;
	if (mcr & UART_MCR_DTR)
		lines |= UART_MSR_DSR;
	if (mcr & UART_MCR_OUT1)
		lines |= UART_MSR_RI;
	if (mcr & UART_MCR_OUT2)
		lines |= UART_MSR_DCD;
	return lines;
}

static void mcr_write(struct serial *p, u8 value)
{
	u8 old = modem_lines(p), changed;

	p->s.mcr = value & MCR_BITS;
	changed = old ^ modem_lines(p);
	/* RI tells its trailing edge only. */
	if (!(old & UART_MSR_RI))
		changed &= (u8)~UART_MSR_RI;
	p->s.deltas |= changed >> 4;
	rx_fill(p);
	/* What a loopback has held up goes on. */
	tx_drain(p);
}

/* ---- registers ---------------------------------------------------------- */

static void lcr_write(struct serial *p, u8 value)
{
	bool began = (value & ~p->s.lcr) & UART_LCR_SBC;

	p->s.lcr = value;
	/* The console has no breaks; the chip hears its own in loopback. */
	if (began && in_loopback(p))
		rx_push(p, RX_BREAK);
}

static void fcr_write(struct serial *p, u8 value)
{
	struct serial_state *s = &p->s;
	u8 enable = value & UART_FCR_ENABLE_FIFO;

	if (enable != s->fifo || (enable && (value & UART_FCR_CLEAR_RCVR)))
		rx_clear(p);
	s->fifo = enable;
	/* The other bits are taken with bit 0 set only. */
	s->trigger = enable ? value >> 6 : 0;
	rx_fill(p);
}

static void ier_write(struct serial *p, u8 value)
{
	u8 began = value & ~p->s.ier;

	p->s.ier = value & IER_BITS;
	if ((began & UART_IER_THRI) && !p->s.tx_nr)
		p->s.thre_irq = 1;
}

static u8 lsr_read(struct serial *p)
{
	struct serial_state *s = &p->s;
	u8 lsr = 0;
	u32 i;

	if (s->rx_nr)
		lsr |= UART_LSR_DR;
	if (s->overrun)
		lsr |= UART_LSR_OE;
	if (break_at_head(p))
		lsr |= UART_LSR_BI;
	if (!s->tx_nr)
		lsr |= UART_LSR_THRE | UART_LSR_TEMT;
	for (i = s->break_told; s->fifo && i < s->rx_nr; i++)
		if (s->rx[i] & RX_BREAK)
			lsr |= UART_LSR_FIFOE;
	s->overrun = 0;
	s->break_told |= (lsr & UART_LSR_BI) != 0;
	return lsr;
}

static u8 iir_read(struct serial *p)
{
	u8 iir = irq_reason(p);

	if (iir == UART_IIR_THRI)
		p->s.thre_irq = 0;
	return iir | (p->s.fifo ? IIR_FIFOS : 0);
}

static u8 msr_read(struct serial *p)
{
	u8 msr = modem_lines(p) | p->s.deltas;

	p->s.deltas = 0;
	return msr;
}

static u8 rbr_read(struct serial *p)
{
	bool had = p->s.rx_nr;
	u8 c = rx_pop(p);

	if (had && !p->s.rx_nr)
		rx_emptied(p);
	return c;
}

static u8 register_read(struct serial *p, u64 reg)
{
	bool dlab = p->s.lcr & UART_LCR_DLAB;

	switch (reg) {
	case UART_RX:
		return dlab ? (u8)p->s.divisor : rbr_read(p);
	case UART_IER:
		return dlab ? (u8)(p->s.divisor >> 8) : p->s.ier;
	case UART_IIR:
		return iir_read(p);
	case UART_LCR:
		return p->s.lcr;
	case UART_MCR:
		return p->s.mcr;
	case UART_LSR:
		return lsr_read(p);
	case UART_MSR:
		return msr_read(p);
	default:
		return p->s.scr;
	}
}

static void register_write(struct serial *p, u64 reg, u8 value)
{
	bool dlab = p->s.lcr & UART_LCR_DLAB;

	switch (reg) {
	case UART_TX:
		if (dlab)
			p->s.divisor = (u16)((p->s.divisor & 0xff00) | value);
		else
			tx_write(p, value);
		break;
	case UART_IER:
		if (dlab)
			p->s.divisor = (u16)((p->s.divisor & 0xff) |
						value << 8);
		else
			ier_write(p, value);
		break;
	case UART_FCR:
		fcr_write(p, value);
		break;
	case UART_LCR:
		lcr_write(p, value);
		break;
	case UART_MCR:
		mcr_write(p, value);
		break;
	case UART_SCR:
		p->s.scr = value;
		break;
	/* Line and Modem Status: for the factory's tests only. */
	}
}

/* Registers are bytes; a wider access is one to each, lowest first. */
static u64 serial_read(struct bus_region *region, u64 offset, u32 len)
{
	struct serial *p = to_serial(region->opaque);
	u64 value = 0;
	u32 i;

	for (i = 0; i < len; i++)
		value |= (u64)register_read(p, offset + i) << (8 * i);
	irq_update(p);
	return value;
}

static void serial_write(struct bus_region *region, u64 offset, u64 value,
			 u32 len)
{
	struct serial *p = to_serial(region->opaque);
	u32 i;

	for (i = 0; i < len; i++)
		register_write(p, offset + i, (u8)(value >> (8 * i)));
	irq_update(p);
}

static const struct bus_ops serial_bus_ops = {
	.read = serial_read,
	.write = serial_write,
};

/* ---- the console's calls ------------------------------------------------ */

static void serial_input_ready(struct console_client *client)
{
	struct serial *p = container_of(client, struct serial, client);

	mutex_lock(&p->dev.lock);
	rx_fill(p);
	irq_update(p);
	mutex_unlock(&p->dev.lock);
}

static void serial_output_ready(struct console_client *client)
{
	struct serial *p = container_of(client, struct serial, client);

	mutex_lock(&p->dev.lock);
	if (p->running)
		tx_drain(p);
	irq_update(p);
	mutex_unlock(&p->dev.lock);
}

/* ---- lifecycle ---------------------------------------------------------- */

static int serial_realize(struct device *dev, struct error *err)
{
	struct serial *p = to_serial(dev);
	int ret;

	ret = platform_attach(dev, &p->region, &serial_bus_ops, &p->irq, err);
	if (ret)
		return ret;
	io_timer_init(&p->rest, &dev->vm->loop, rest_end);
	loop_call_init(&p->emptied, rest_start);
	p->running = true;
	p->console = dev->vm->consoles[dev->index];
	if (p->console) {
		p->client.input_ready = serial_input_ready;
		p->client.output_ready = serial_output_ready;
		console_attach(p->console, &p->client);
	}
	return 0;
}

static void serial_unrealize(struct device *dev)
{
	struct serial *p = to_serial(dev);

	if (p->console)
		console_detach(p->console);
	iothread_unpost(&dev->vm->loop, &p->emptied);
	io_timer_destroy(&p->rest);
	irq_line_set(&p->irq, false);
	bus_region_remove(&p->region);
}

/* What the console does not take now is lost, as in a chip that is reset. */
static void serial_reset(struct device *dev)
{
	struct serial *p = to_serial(dev);

	tx_drain(p);
	p->s = (struct serial_state){ .divisor = DIVISOR_9600 };
	irq_update(p);
}

static int serial_quiesce(struct device *dev, struct error *err)
{
	struct serial *p = to_serial(dev);

	mutex_lock(&dev->lock);
	p->running = false;
	mutex_unlock(&dev->lock);
	return 0;
}

static void serial_save(const struct device *dev, void *state)
{
	*(struct serial_state *)state =
		container_of(dev, struct serial, dev)->s;
}

static int serial_check(const struct device *dev, const void *state,
			struct error *err)
{
	const struct serial_state *s = state;

	if (!s->fifo && s->rx_nr > 1)
		return error_set(err, -EINVAL,
				 "receive: %u characters without a FIFO",
				 s->rx_nr);
	if (s->break_told && !(s->rx_nr && (s->rx[0] & RX_BREAK)))
		return error_set(err, -EINVAL,
				 "break-told: there is no break");
	return 0;
}

static void serial_load(struct device *dev, const void *state)
{
	to_serial(dev)->s = *(const struct serial_state *)state;
}

static void serial_resume(struct device *dev)
{
	struct serial *p = to_serial(dev);

	mutex_lock(&dev->lock);
	p->running = true;
	rx_fill(p);
	tx_drain(p);
	irq_update(p);
	mutex_unlock(&dev->lock);
}

static const struct device_ops serial_ops = {
	.realize = serial_realize,
	.reset = serial_reset,
	.quiesce = serial_quiesce,
	.save = serial_save,
	.check = serial_check,
	.load = serial_load,
	.resume = serial_resume,
	.unrealize = serial_unrealize,
};

static const struct state_field serial_fields[] = {
	STATE_INTS_COUNTED(STATE_KIND_U16, struct serial_state, rx, rx_nr,
			   "receive", 0, 0x1ff),
	STATE_U16(struct serial_state, divisor, "divisor", 0, 0xffff),
	STATE_BYTES_COUNTED(struct serial_state, tx, tx_nr, "transmit"),
	STATE_U8(struct serial_state, ier, "interrupt-enable", 0, IER_BITS),
	STATE_U8(struct serial_state, fifo, "fifo", 0, 1),
	STATE_U8(struct serial_state, trigger, "trigger", 0, 3),
	STATE_U8(struct serial_state, lcr, "line-control", 0, 0xff),
	STATE_U8(struct serial_state, mcr, "modem-control", 0, MCR_BITS),
	STATE_U8(struct serial_state, scr, "scratch", 0, 0xff),
	STATE_U8(struct serial_state, deltas, "modem-deltas", 0, MSR_DELTAS),
	STATE_U8(struct serial_state, overrun, "overrun", 0, 1),
	STATE_U8(struct serial_state, thre_irq, "transmitter-interrupt", 0, 1),
	STATE_U8(struct serial_state, break_told, "break-told", 0, 1),
};

static const struct state_desc serial_state =
	STATE_DESC("lkvm,serial-v1", struct serial_state, serial_fields);

static const struct device_class serial_class = {
	.name = "serial",
	.compatible = "lkvm,serial",
	.summary = "16550A serial port",
	.kind = DEVICE_PLATFORM,
	.by_default = true,
	.hidden = true,
	.max = VM_CONSOLES,
	.instance_size = sizeof(struct serial),
	.state = &serial_state,
	.ops = &serial_ops,
};

DEVICE_CLASS_REGISTER(serial_class);
