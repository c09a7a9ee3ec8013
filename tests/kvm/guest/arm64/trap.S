/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: arm64: interrupts and exceptions
 *
 * An interrupt goes to irq_handle(), which looks up what it is; anything else is
 * a failure, and the registers are shown. Interrupts do not nest.
 */
#include "tests/kvm/guest/arm64/cpu.h"

	.text

	.macro	save_all
	sub	sp, sp, #FRAME_SIZE
	stp	x0, x1, [sp, #0]
	stp	x2, x3, [sp, #16]
	stp	x4, x5, [sp, #32]
	stp	x6, x7, [sp, #48]
	stp	x8, x9, [sp, #64]
	stp	x10, x11, [sp, #80]
	stp	x12, x13, [sp, #96]
	stp	x14, x15, [sp, #112]
	stp	x16, x17, [sp, #128]
	stp	x18, x19, [sp, #144]
	stp	x20, x21, [sp, #160]
	stp	x22, x23, [sp, #176]
	stp	x24, x25, [sp, #192]
	stp	x26, x27, [sp, #208]
	stp	x28, x29, [sp, #224]
	add	x0, sp, #FRAME_SIZE
	stp	x30, x0, [sp, #240]
	mrs	x0, elr_el1
	mrs	x1, spsr_el1
	stp	x0, x1, [sp, #256]
	.endm

	.macro	bad kind
	.balign 128
	save_all
	mov	x0, sp
	mov	x1, #\kind
	b	exception_handle
	.endm

/* Sixteen ways, 128 bytes each; ours are 4 to 7: this level, its own stack. */
	.balign 2048
	.globl	vectors
vectors:
	.set	kind, 0
	.rept	5
	bad	kind
	.set	kind, kind + 1
	.endr
	.balign 128
	b	irq_entry
	.set	kind, 6
	.rept	10
	bad	kind
	.set	kind, kind + 1
	.endr

/* What irq_handle() keeps by itself need not be saved. */
irq_entry:
	sub	sp, sp, #176
	stp	x0, x1, [sp, #0]
	stp	x2, x3, [sp, #16]
	stp	x4, x5, [sp, #32]
	stp	x6, x7, [sp, #48]
	stp	x8, x9, [sp, #64]
	stp	x10, x11, [sp, #80]
	stp	x12, x13, [sp, #96]
	stp	x14, x15, [sp, #112]
	stp	x16, x17, [sp, #128]
	stp	x18, x29, [sp, #144]
	str	x30, [sp, #160]
	bl	irq_handle
	ldp	x0, x1, [sp, #0]
	ldp	x2, x3, [sp, #16]
	ldp	x4, x5, [sp, #32]
	ldp	x6, x7, [sp, #48]
	ldp	x8, x9, [sp, #64]
	ldp	x10, x11, [sp, #80]
	ldp	x12, x13, [sp, #96]
	ldp	x14, x15, [sp, #112]
	ldp	x16, x17, [sp, #128]
	ldp	x18, x29, [sp, #144]
	ldr	x30, [sp, #160]
	add	sp, sp, #176
	eret

	.section .note.GNU-stack, "", @progbits
