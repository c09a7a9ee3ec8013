// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: x86-64: tests of the serial ports
 *
 * serial-echo reads until EOT and tells how many bytes came and their hash;
 * the host sends as fast as it can, and nothing may be lost. With slow=US the
 * guest takes a rest after each character, so that the host has to wait.
 * serial-port answers lines on another port.
 */
#include "tests/kvm/guest/lib.h"
#include "tests/kvm/guest/platform.h"
#include "tests/kvm/guest/test.h"
#include "tests/kvm/guest/x86/cpu.h"
#include "tests/kvm/guest/x86/serial.h"
#include "tests/kvm/proto.h"

#define SILENCE_NS	20000000000ull

/* What the interrupt hook has received; the test empties it. */
static volatile uint8_t ring[1024];
static volatile uint32_t ring_in, ring_out;
static volatile bool ring_full;

/* A full ring switches the port's interrupts off: the host has to wait. */
static void receive_hook(unsigned int irq)
{
	int c;

	(void)irq;
	for (;;) {
		ring_full = ring_in - ring_out == sizeof(ring);
		if (ring_full) {
			outb(COM_IER, 0);
			return;
		}
		c = console_read();
		if (c < 0)
			return;
		ring[ring_in++ % sizeof(ring)] = (uint8_t)c;
	}
}

static int ring_read(unsigned int irq)
{
	const uint32_t seen = irq_seen(irq);

	if (ring_in == ring_out && ring_full) {
		ring_full = false;
		outb(COM_IER, IER_RECEIVE);
	}
	if (ring_in == ring_out)
		irq_wait(irq, seen);
	if (ring_in == ring_out)
		return -1;
	return ring[ring_out++ % sizeof(ring)];
}

static int receive(int irq)
{
	const uint64_t slow = arg_number("slow", 0);
	uint64_t last = now_ns();
	uint64_t hash = GUEST_INPUT_HASH_INIT;
	uint64_t n = 0;
	int c;

	print("guest: serial-echo: ready\n");
	for (;;) {
		c = irq < 0 ? console_read() : ring_read((unsigned int)irq);
		if (c < 0) {
			CHECK(now_ns() - last < SILENCE_NS,
			      "silence after %lu bytes, hash %lx", n, hash);
			continue;
		}
		last = now_ns();
		if (c == GUEST_INPUT_END)
			break;
		hash = guest_input_hash(hash, (uint8_t)c);
		n++;
		if (slow)
			delay_us(slow);
	}
	CHECK(!(inb(COM_LSR) & LSR_OVERRUN), "overrun after %lu bytes", n);
	print("guest: serial-echo: bytes %lu hash %lx\n", n, hash);
	return 0;
}

static int test_echo(void)
{
	int irq = -1;
	int ret;

	if (arg_is("rx", "irq")) {
		irq = irq_alloc(receive_hook);
		CHECK(irq >= 0 && !irq_line_attach(COM1_LINE, (unsigned int)irq,
						   false), "no interrupt");
		outb(COM_IER, IER_RECEIVE);
	}
	ret = receive(irq);
	outb(COM_IER, 0);
	irq_line_detach(COM1_LINE);
	return ret;
}

/* Loopback mode: what is sent comes back and the host sees nothing. */
static int test_loopback(void)
{
	unsigned int i;
	uint64_t end;
	int c;

	outb(COM_SCRATCH, 0x5a);
	CHECK(inb(COM_SCRATCH) == 0x5a, "scratch register %x",
	      inb(COM_SCRATCH));
	outb(COM_MCR, MCR_NORMAL | MCR_LOOPBACK);
	for (i = 0; i < 256; i += 37) {
		outb(COM1, (uint8_t)i);
		end = now_ns() + 10000000000ull;
		do
			c = console_read();
		while (c < 0 && now_ns() < end);
		if (c != (int)i) {
			outb(COM_MCR, MCR_NORMAL);
			CHECK(false, "%d came back for %u", c, i);
		}
	}
	outb(COM_MCR, MCR_NORMAL);
	CHECK(inb(COM_IIR) & IIR_NONE, "interrupt pending: %x", inb(COM_IIR));
	return 0;
}

/**
 * struct other_port - a serial port that is not the console
 * @base: its first port
 * @line: its interrupt
 */
struct other_port {
	uint16_t base;
	unsigned int line;
};

static const struct other_port other_ports[] = { { 0x2f8, 3 }, { 0x3e8, 6 }, { 0x2e8, 7 } };

static const struct other_port *other;

static uint16_t other_at(uint16_t reg)
{
	return (uint16_t)(other->base + reg - COM1);
}

static void other_hook(unsigned int irq)
{
	(void)irq;
	while (inb(other_at(COM_LSR)) & LSR_DATA)
		ring[ring_in++ % sizeof(ring)] = inb(other->base);
}

static void other_put(uint8_t c)
{
	while (!(inb(other_at(COM_LSR)) & LSR_THR_EMPTY))
		;
	outb(other->base, c);
}

/*
 * Takes bytes by interrupts and sends them back, letters made capitals. An
 * empty line is the end, by which the host tells that it has read all.
 */
static int other_lines(unsigned int irq)
{
	const uint64_t end = now_ns() + SILENCE_NS;
	uint8_t c = 0, before = 0;

	do {
		const uint32_t seen = irq_seen(irq);

		if (ring_in == ring_out)
			irq_wait(irq, seen);
		CHECK(ring_in != ring_out || now_ns() < end, "nothing came");
		if (ring_in == ring_out)
			continue;
		before = c;
		c = ring[ring_out++ % sizeof(ring)];
		other_put(c >= 'a' && c <= 'z' ? (uint8_t)(c - 32) : c);
	} while (c != '\n' || before != '\n');
	return 0;
}

static int test_port(void)
{
	const uint64_t n = arg_number("port", 1);
	int irq = irq_alloc(other_hook);
	int ret;

	CHECK(n >= 1 && n <= ARRAY_SIZE(other_ports), "port %lu", n);
	other = &other_ports[n - 1];
	CHECK(irq >= 0 && !irq_line_attach(other->line, (unsigned int)irq,
					   false), "no interrupt");
	outb(other_at(COM_LCR), LCR_8N1);
	outb(other_at(COM_FCR), FCR_ON_CLEAR);
	outb(other_at(COM_MCR), MCR_NORMAL);
	outb(other_at(COM_IER), IER_RECEIVE);
	print("guest: serial-port: ready\n");
	ret = other_lines((unsigned int)irq);
	outb(other_at(COM_IER), 0);
	irq_line_detach(other->line);
	return ret;
}

const struct test serial_tests[] = {
	{ "serial-echo", test_echo,
	  "receive until EOT, tell bytes and hash (rx=irq slow=US)" },
	{ "serial-port", test_port,
	  "answer lines on another port (port=1 to 3)" },
	{ "serial-loop", test_loopback, "loopback mode of the serial port" },
	{ 0 },
};
