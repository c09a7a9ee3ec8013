/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: a guest whose first instructions say so
 *
 * Writes one byte to the first serial port and waits. The instructions mean the
 * same in 32-bit and 64-bit mode, so that it can be entered by PVH and by an
 * ELF header's entry, under any monitor.
 */
#define XEN_ELFNOTE_PHYS32_ENTRY	18
#define SERIAL_PORT			0x3f8

	.section .note.Xen, "a", @note
	.balign 4
	.long	4, 4, XEN_ELFNOTE_PHYS32_ENTRY
	.asciz	"Xen"
	.long	first

	.text
	.globl first
first:
	mov	$SERIAL_PORT, %edx
	mov	$1, %al
	out	%al, (%dx)
1:	hlt
	jmp	1b

	.section .note.GNU-stack, "", @progbits
