// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the serial console
 *
 * 16550 data sheet.
 */
#include "tests/kvm/guest/serial.h"

/**
 * console_init - set the console up: 115200 8N1, FIFOs, no interrupts
 */
void console_init(void)
{
	serial_write(0, UART_LCR, LCR_DIVISOR);
	serial_write(0, UART_DATA, 1);
	serial_write(0, UART_IER, 0);
	serial_write(0, UART_LCR, LCR_8N1);
	serial_write(0, UART_FCR, FCR_ON_CLEAR);
	serial_write(0, UART_MCR, MCR_NORMAL);
}
