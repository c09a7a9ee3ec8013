/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: interrupts, exceptions, and calls into CPL 0
 *
 * An interrupt adds one to irq_count[vector], calls the hook if the vector has
 * one, and acknowledges; the program looks at the counters. Kept this short
 * because CPL 0 may be emulated. Stubs have a fixed size, so that the IDT is
 * computed from the address of the first.
 */
#include "tests/kvm/guest/x86/cpu.h"

#define MSR_X2APIC_EOI	0x80b

	.text

/* void cpl0_call(fn, a, b): runs fn(a, b, frame) at CPL 0. */
	.globl	cpl0_call
cpl0_call:
	mov	%rdi, %rax
	mov	%rsi, %rdi
	mov	%rdx, %rsi
	mov	%cs, %edx
	test	$3, %dl
	jz	1f
	int3					/* VECTOR_CPL0 */
	ret
1:	jmp	*%rax				/* is there: a trap or a hook */

	.globl	cpl0_stub
cpl0_stub:
	mov	%rsp, %rdx
	sub	$8, %rsp			/* 16-byte alignment */
	call	*%rax
	add	$8, %rsp
	iretq

	.globl	spurious_stub
spurious_stub:
	iretq

/* Vectors 32 to 255, 16 bytes each. */
	.balign 16
	.globl	irq_stubs
irq_stubs:
	.set	vector, 32
	.rept	224
	.balign 16
	push	%rax
	mov	$vector, %eax
	jmp	irq_common
	.set	vector, vector + 1
	.endr

	.balign 16
irq_common:
	lock incl irq_count(, %rax, 4)
	cmpq	$0, irq_hooks(, %rax, 8)
	jne	irq_with_hook
irq_acknowledge:
	cmpb	$0, lapic_x2apic
	jne	1f
	mov	lapic_eoi, %rax
	movl	$0, (%rax)
	pop	%rax
	iretq
1:	push	%rcx
	push	%rdx
	mov	$MSR_X2APIC_EOI, %ecx
	xor	%eax, %eax
	xor	%edx, %edx
	wrmsr
	pop	%rdx
	pop	%rcx
	pop	%rax
	iretq

/* The stack: rax, then what the CPU pushed (40 bytes, ends 8 mod 16). */
irq_with_hook:
	push	%rcx
	push	%rdx
	push	%rsi
	push	%rdi
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	mov	%eax, %edi
	cld
	call	*irq_hooks(, %rax, 8)
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rdi
	pop	%rsi
	pop	%rdx
	pop	%rcx
	jmp	irq_acknowledge

/* Vectors 0 to 31, 16 bytes each. */
	.balign 16
	.globl	exception_stubs
exception_stubs:
	.set	vector, 0
	.rept	32
	.balign 16
	.if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21)
	push	$0				/* in place of the error code */
	.endif
	push	$vector
	jmp	exception_common
	.set	vector, vector + 1
	.endr

exception_common:
	push	%rax
	push	%rbx
	push	%rcx
	push	%rdx
	push	%rsi
	push	%rdi
	push	%rbp
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, %rdi
	cld
	call	exception_handle
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rbp
	pop	%rdi
	pop	%rsi
	pop	%rdx
	pop	%rcx
	pop	%rbx
	pop	%rax
	add	$16, %rsp
	iretq

	.section .note.GNU-stack, "", @progbits
