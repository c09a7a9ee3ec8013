/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: a guest that says so again and again
 *
 * Writes a byte to the first serial port, counts a little, and begins anew: it
 * is saved at any moment, and when it goes on from a file one sees it at once.
 * Entered like first.S.
 */
#define XEN_ELFNOTE_PHYS32_ENTRY	18
#define SERIAL_PORT			0x3f8
#define COUNT				100

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
1:	out	%al, (%dx)
	mov	$COUNT, %ecx
2:	sub	$1, %ecx
	jnz	2b
	jmp	1b

	.section .note.GNU-stack, "", @progbits
