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
#include "tests/kvm/guest/x86/cpu.h"
#include "tests/kvm/guest/x86/serial.h"

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
 * console_init - set the first serial port up: 115200 8N1, FIFOs, no interrupts
 */
void console_init(void)
{
	outb(COM_LCR, LCR_DIVISOR);
	outb(COM1, 1);
	outb(COM_IER, 0);
	outb(COM_LCR, LCR_8N1);
	outb(COM_FCR, FCR_ON_CLEAR);
	outb(COM_MCR, MCR_NORMAL);
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
				     : "d"(COM_LSR) : "memory");
		while (!(status & LSR_THR_EMPTY));
		n = MIN(b, COM_FIFO);
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
	asm volatile("inb %w1, %0" : "=a"(v) : "d"(COM_LSR) : "memory");
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
