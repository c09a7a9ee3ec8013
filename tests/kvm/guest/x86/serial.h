/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: x86-64: the first serial port, a 16550
 */
#ifndef TESTS_KVM_GUEST_X86_SERIAL_H
#define TESTS_KVM_GUEST_X86_SERIAL_H

#define COM1			0x3f8
#define COM_IER			(COM1 + 1)
#define COM_IIR			(COM1 + 2)
#define COM_FCR			(COM1 + 2)
#define COM_LCR			(COM1 + 3)
#define COM_MCR			(COM1 + 4)
#define COM_LSR			(COM1 + 5)
#define COM_SCRATCH		(COM1 + 7)
#define COM1_LINE		4
#define COM_FIFO		16ul

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

#endif
