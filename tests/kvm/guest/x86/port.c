// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: x86-64: port I/O and the serial console
 *
 * Ports need CPL 0, see cpu.h. A call costs more than the access, so the
 * console writes a whole line in one call.
 *
 * 16550 data sheet.
 */
#include "tests/kvm/guest/lib.h"
#include "tests/kvm/guest/platform.h"
#include "tests/kvm/guest/serial.h"
#include "tests/kvm/guest/x86/cpu.h"

#define COM1			0x3f8
#define COM1_LSR		(COM1 + UART_LSR)

/**
 * struct com_port - where a serial port is
 * @base: its first I/O port
 * @line: its interrupt
 */
struct com_port {
	uint16_t base;
	uint16_t line;
};

static const struct com_port com[SERIAL_PORTS] = {
	{ COM1, 4 }, { 0x2f8, 3 }, { 0x3e8, 6 }, { 0x2e8, 7 },
};

/* b is the value; a is the port and 1, 2 or 4 bytes in the upper half. */
static void out_cpl0(uint64_t a, uint64_t b, uint64_t *frame)
{
	const uint16_t port = (uint16_t)a;

	(void)frame;
	switch (a >> 32) {
	case 1:
		asm volatile("outb %b0, %w1" : : "a"(b), "d"(port) : "memory");
		break;
	case 2:
		asm volatile("outw %w0, %w1" : : "a"(b), "d"(port) : "memory");
		break;
	default:
		asm volatile("outl %k0, %w1" : : "a"(b), "d"(port) : "memory");
	}
}

/* b points at the result. */
static void in_cpl0(uint64_t a, uint64_t b, uint64_t *frame)
{
	uint32_t *result = (uint32_t *)b;
	const uint16_t port = (uint16_t)a;
	uint32_t v = 0;

	(void)frame;
	if (a >> 32 == 1)
		asm volatile("inb %w1, %b0" : "+a"(v) : "d"(port) : "memory");
	else
		asm volatile("inl %w1, %k0" : "+a"(v) : "d"(port) : "memory");
	*result = v;
}

/**
 * outb - write a byte to a port
 * @port: number
 * @v:    value
 */
void outb(uint16_t port, uint8_t v)
{
	cpl0_call(out_cpl0, port | 1ull << 32, v);
}

/**
 * outw - write two bytes to a port
 * @port: number
 * @v:    value
 */
void outw(uint16_t port, uint16_t v)
{
	cpl0_call(out_cpl0, port | 2ull << 32, v);
}

/**
 * outl - write four bytes to a port
 * @port: number
 * @v:    value
 */
void outl(uint16_t port, uint32_t v)
{
	cpl0_call(out_cpl0, port | 4ull << 32, v);
}

/**
 * inb - read a byte from a port
 * @port: number
 *
 * Return: its value.
 */
uint8_t inb(uint16_t port)
{
	uint32_t v;

	cpl0_call(in_cpl0, port | 1ull << 32, (uint64_t)&v);
	return (uint8_t)v;
}

/**
 * inl - read four bytes from a port
 * @port: number
 *
 * Return: its value.
 */
uint32_t inl(uint16_t port)
{
	uint32_t v;

	cpl0_call(in_cpl0, port | 4ull << 32, (uint64_t)&v);
	return v;
}

/**
 * serial_read - read a register of a serial port
 * @port: number
 * @reg:  UART_*
 *
 * Return: its value.
 */
uint8_t serial_read(unsigned int port, unsigned int reg)
{
	return inb((uint16_t)(com[port].base + reg));
}

/**
 * serial_write - write a register of a serial port
 * @port: number
 * @reg:  UART_*
 * @v:    value
 */
void serial_write(unsigned int port, unsigned int reg, uint8_t v)
{
	outb((uint16_t)(com[port].base + reg), v);
}

/**
 * serial_line - the interrupt line of a serial port
 * @port: number
 *
 * Return: I/O APIC pin.
 */
unsigned int serial_line(unsigned int port)
{
	return com[port].line;
}

static void write_cpl0(uint64_t a, uint64_t b, uint64_t *frame)
{
	const char *s = (const char *)a;
	uint8_t status;
	size_t n;

	(void)frame;
	for (; b; b -= n) {
		do
			asm volatile("inb %w1, %0" : "=a"(status)
				     : "d"(COM1_LSR) : "memory");
		while (!(status & LSR_THR_EMPTY));
		n = MIN(b, UART_FIFO);
		asm volatile("mov %1, %%rcx; rep outsb" : "+S"(s)
			     : "r"(n), "d"(COM1) : "rcx", "memory");
	}
}

/**
 * console_write - write to the first serial port
 * @s:   text
 * @len: characters
 */
void console_write(const char *s, size_t len)
{
	cpl0_call(write_cpl0, (uint64_t)s, len);
}

static void read_cpl0(uint64_t a, uint64_t b, uint64_t *frame)
{
	int *result = (int *)a;
	uint8_t v;

	(void)b;
	(void)frame;
	*result = -1;
	asm volatile("inb %w1, %0" : "=a"(v) : "d"(COM1_LSR) : "memory");
	if (!(v & LSR_DATA))
		return;
	asm volatile("inb %w1, %0" : "=a"(v) : "d"(COM1) : "memory");
	*result = v;
}

/**
 * console_read - take a character from the first serial port
 *
 * Return: the character, or -1 if there is none.
 */
int console_read(void)
{
	int c;

	cpl0_call(read_cpl0, (uint64_t)&c, 0);
	return c;
}
