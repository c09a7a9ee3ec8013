/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: serial ports, 16550s: their registers
 *
 * Where they are, ports or memory, only the architecture knows. Port 0 is the
 * console.
 */
#ifndef TESTS_KVM_GUEST_SERIAL_H
#define TESTS_KVM_GUEST_SERIAL_H

#include <stdint.h>

#define SERIAL_PORTS		4

/* Registers */
#define UART_DATA		0
#define UART_IER		1
#define UART_IIR		2
#define UART_FCR		2
#define UART_LCR		3
#define UART_MCR		4
#define UART_LSR		5
#define UART_SCRATCH		7

#define UART_FIFO		16ul

#define IER_RECEIVE		0x01
#define IIR_NONE		0x01
#define FCR_ON_CLEAR		0x07
#define LCR_8N1			0x03
#define LCR_DIVISOR		0x80
#define MCR_NORMAL		0x0b	/* DTR, RTS, interrupts */
#define MCR_LOOPBACK		0x10
#define LSR_DATA		0x01
#define LSR_OVERRUN		0x02
#define LSR_THR_EMPTY		0x20

void console_init(void);

/* The architecture's. */
uint8_t serial_read(unsigned int port, unsigned int reg);
void serial_write(unsigned int port, unsigned int reg, uint8_t v);
unsigned int serial_line(unsigned int port);

#endif
