/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: entry code: PVH, the 64-bit Linux boot protocol, and the other CPUs
 *
 * All three ways lead to long mode with the page tables below (the first
 * 4 GiB one to one, 2 MiB pages, open to user mode), then to cpu_enter() and
 * with an iret to the body in user mode. As little as possible happens here;
 * see cpu.h for the reason. The page tables are data of the program, so no
 * code is needed to build them.
 *
 * test=exit in the command line ends the machine before anything else is
 * done: with it one measures the time from the start of the VMM.
 */
#include "tests/kvm/guest/x86/cpu.h"
#include "tests/kvm/proto.h"

#define XEN_ELFNOTE_PHYS32_ENTRY	18

/* struct hvm_start_info, struct boot_params */
#define PVH_CMDLINE		24
#define LINUX_CMDLINE		0x228

#define CR0_PE			0x00000001
#define CR0_PG			0x80000000
#define CR4_PAE			0x20
#define MSR_EFER		0xc0000080
#define EFER_LME		0x100

	.section .note.Xen, "a", @note
	.balign 4
	.long	4, 4, XEN_ELFNOTE_PHYS32_ENTRY
	.asciz	"Xen"
	.long	pvh_entry

/* Ends the machine if "test=exit" is in the text at \ptr (a register). */
	.macro exit_if_asked ptr
1:	cmpl	$0x74736574, (\ptr)		/* "test" */
	jne	2f
	cmpl	$0x6978653d, 4(\ptr)		/* "=exi" */
	jne	2f
	mov	$GUEST_EXIT_PORT, %edx
	mov	$GUEST_EXIT_PASS, %al
	out	%al, (%dx)
2:	cmpb	$0, (\ptr)
	lea	1(\ptr), \ptr
	jne	1b
	.endm

/* From protected mode, segments flat, to 64-bit code at \where. */
	.macro enter_long_mode where
	mov	$CR4_PAE, %eax
	mov	%eax, %cr4
	mov	$pml4, %eax
	mov	%eax, %cr3
	mov	$MSR_EFER, %ecx
	rdmsr
	or	$EFER_LME, %eax
	wrmsr
	mov	$(CR0_PE | CR0_PG), %eax
	mov	%eax, %cr0
	ljmpl	$SEL_CODE64, $\where
	.endm

	.macro load_data_segments
	mov	$SEL_DATA, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	xor	%eax, %eax
	mov	%eax, %fs
	mov	%eax, %gs
	.endm

/* Go on in user mode at \where on the stack \stack. */
	.macro enter_user_mode where, stack
	pushq	$SEL_USER_DATA
	pushq	\stack
	subq	$8, (%rsp)			/* as after a call */
	pushq	$USER_FLAGS
	pushq	$SEL_USER_CODE
	pushq	$\where
	iretq
	.endm

	.section .text.entry, "ax"

/* PVH: protected mode, paging off, EBX = struct hvm_start_info. */
	.code32
	.globl	pvh_entry
pvh_entry:
	mov	PVH_CMDLINE(%ebx), %esi
	test	%esi, %esi
	jz	3f
	exit_if_asked %esi
3:	cli
	lgdt	gdt_pointer
	mov	$BOOT_PVH, %edi
	enter_long_mode long_mode

/* Linux: long mode, RSI = struct boot_params. */
	.code64
	.globl	linux_entry
linux_entry:
	mov	%rsi, %rbx
	mov	LINUX_CMDLINE(%rbx), %esi
	test	%esi, %esi
	jz	3f
	exit_if_asked %rsi
3:	cli
	lgdt	gdt_pointer
	mov	$pml4, %eax
	mov	%rax, %cr3
	mov	$BOOT_LINUX, %edi
	mov	$first_stack, %esp		/* for the far return */
	pushq	$SEL_CODE64
	pushq	$long_mode
	lretq

/* Both: RBX = boot information, EDI = its kind. */
long_mode:
	load_data_segments
	mov	%rbx, boot_info
	mov	%rdi, boot_kind
	mov	$boot_cpu, %edi
	mov	CPU_IRQ_STACK(%rdi), %rsp
	call	cpu_enter
	enter_user_mode boot_main, boot_cpu + CPU_STACK

/* The other CPUs: this is copied to AP_START; CS = AP_START / 16. */
	.code16
	.globl	ap_start, ap_end
ap_start:
	cli
	mov	%cs, %ax
	mov	%ax, %ds
	lgdtl	gdt_pointer_copy - ap_start
	mov	$CR0_PE, %eax
	mov	%eax, %cr0
	ljmpl	$SEL_CODE32, $(AP_START + ap_protected - ap_start)
	.code32
ap_protected:
	mov	$SEL_DATA, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	enter_long_mode ap_long_mode
	.balign 8
gdt_pointer_copy:
	.word	SEL_TSS + CPUS_MAX * 16 - 1
	.long	gdt
ap_end:

	.code64
ap_long_mode:
	load_data_segments
	mov	ap_cpu, %rdi
	mov	CPU_IRQ_STACK(%rdi), %rsp
	mov	%rdi, %rbx
	call	cpu_enter
	enter_user_mode ap_main, CPU_STACK(%rbx)

	.data
	.balign 16
	.globl	gdt
gdt:
	.quad	0
	.quad	0x00cf9b000000ffff		/* SEL_CODE32 */
	.quad	0x00af9b000000ffff		/* SEL_CODE64 */
	.quad	0x00cf93000000ffff		/* SEL_DATA */
	.quad	0x00cff3000000ffff		/* SEL_USER_DATA */
	.quad	0x00affb000000ffff		/* SEL_USER_CODE */
	.fill	CPUS_MAX * 2, 8, 0		/* SEL_TSS and on */
gdt_pointer:
	.word	SEL_TSS + CPUS_MAX * 16 - 1
	.quad	gdt

	.balign 8
	.globl	boot_info, boot_kind, ap_cpu
boot_info:
	.quad	0
boot_kind:
	.quad	0
ap_cpu:
	.quad	0

/* present, writable, user; 0x80: a 2 MiB page */
	.balign 4096
	.globl	pml4
pml4:
	.quad	pdpt + 7
	.fill	511, 8, 0
	.globl	pdpt
pdpt:
	.quad	pd + 0x0007
	.quad	pd + 0x1007
	.quad	pd + 0x2007
	.quad	pd + 0x3007
	.fill	508, 8, 0
pd:
	.set	page, 0
	.rept	4 * 512
	.quad	(page << 21) | 0x87
	.set	page, page + 1
	.endr

	.bss
	.balign 16
	.fill	64
first_stack:

	.section .note.GNU-stack, "", @progbits
