// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: tests of the serial ports
 *
 * serial-echo reads until EOT and tells how many bytes came and their hash;
 * the host sends as fast as it can, and nothing may be lost. With slow=US the
 * guest takes a rest after each character, so that the host has to wait.
 * serial-port answers lines on another port.
 */
#include "tests/kvm/guest/lib.h"
#include "tests/kvm/guest/platform.h"
#include "tests/kvm/guest/serial.h"
#include "tests/kvm/guest/test.h"
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
			serial_write(0, UART_IER, 0);
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
		serial_write(0, UART_IER, IER_RECEIVE);
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
	CHECK(!(serial_read(0, UART_LSR) & LSR_OVERRUN), "overrun after %lu bytes", n);
	print("guest: serial-echo: bytes %lu hash %lx\n", n, hash);
	return 0;
}

static int test_echo(void)
{
	int irq = -1;
	int ret;

	if (arg_is("rx", "irq")) {
		irq = irq_alloc(receive_hook);
		CHECK(irq >= 0 && !irq_line_attach(serial_line(0),
						   (unsigned int)irq,
						   false), "no interrupt");
		serial_write(0, UART_IER, IER_RECEIVE);
	}
	ret = receive(irq);
	serial_write(0, UART_IER, 0);
	irq_line_detach(serial_line(0));
	return ret;
}

/* Loopback mode: what is sent comes back and the host sees nothing. */
static int test_loopback(void)
{
	unsigned int i;
	uint64_t end;
	int c;

	serial_write(0, UART_SCRATCH, 0x5a);
	CHECK(serial_read(0, UART_SCRATCH) == 0x5a, "scratch register %x",
	      serial_read(0, UART_SCRATCH));
	serial_write(0, UART_MCR, MCR_NORMAL | MCR_LOOPBACK);
	for (i = 0; i < 256; i += 37) {
		serial_write(0, UART_DATA, (uint8_t)i);
		end = now_ns() + 10000000000ull;
		do
			c = console_read();
		while (c < 0 && now_ns() < end);
		if (c != (int)i) {
			serial_write(0, UART_MCR, MCR_NORMAL);
			CHECK(false, "%d came back for %u", c, i);
		}
	}
	serial_write(0, UART_MCR, MCR_NORMAL);
	CHECK(serial_read(0, UART_IIR) & IIR_NONE, "interrupt pending: %x",
	      serial_read(0, UART_IIR));
	return 0;
}

static unsigned int other;

static void other_hook(unsigned int irq)
{
	(void)irq;
	while (serial_read(other, UART_LSR) & LSR_DATA)
		ring[ring_in++ % sizeof(ring)] = serial_read(other, UART_DATA);
}

static void other_put(uint8_t c)
{
	while (!(serial_read(other, UART_LSR) & LSR_THR_EMPTY))
		;
	serial_write(other, UART_DATA, c);
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

	CHECK(n >= 1 && n < SERIAL_PORTS, "port %lu", n);
	other = (unsigned int)n;
	CHECK(irq >= 0 && !irq_line_attach(serial_line(other),
					   (unsigned int)irq, false),
	      "no interrupt");
	serial_write(other, UART_LCR, LCR_8N1);
	serial_write(other, UART_FCR, FCR_ON_CLEAR);
	serial_write(other, UART_MCR, MCR_NORMAL);
	serial_write(other, UART_IER, IER_RECEIVE);
	print("guest: serial-port: ready\n");
	ret = other_lines((unsigned int)irq);
	serial_write(other, UART_IER, 0);
	irq_line_detach(serial_line(other));
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
