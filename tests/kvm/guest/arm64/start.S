/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: arm64: entry code: the Image header, the MMU, the other CPUs
 *
 * The page table is data of the program, so that nothing is written before the
 * caches are on: 1 GiB of devices, 1 GiB of RAM one to one, the rest is added
 * by mmio_map().
 *
 * Linux Documentation/arch/arm64/booting.rst; Arm ARM (DDI 0487) D8.
 */
#include "tests/kvm/guest/arm64/cpu.h"

#define IMAGE_MAGIC	0x644d5241
#define IMAGE_FLAGS	0xa		/* little endian, 4 KiB pages, anywhere */

/* Attributes: 0 device nGnRnE, 1 normal write-back */
#define MAIR		0xff00
/* 39 bits of virtual and 40 of physical addresses, 4 KiB, no upper half */
#define TCR		0x200803519
#define SCTLR_ON	0x1005		/* M, C, I */

	.section .text.entry, "ax"
	b	entry
	.long	0
	.quad	0			/* text_offset */
	.quad	image_size
	.quad	IMAGE_FLAGS
	.quad	0, 0, 0
	.long	IMAGE_MAGIC
	.long	0

/* x0 = the device tree */
entry:
	mov	x19, x0
	bl	mmu_on
	ldr	x0, =bss_start
	ldr	x1, =bss_end
1:	str	xzr, [x0], #8
	cmp	x0, x1
	b.lo	1b
	ldr	x0, =boot_cpu
	bl	cpu_set_up
	mov	x0, x19
	b	boot_main

/* x0 = struct cpu */
	.globl	ap_start
ap_start:
	mov	x19, x0
	bl	mmu_on
	mov	x0, x19
	bl	cpu_set_up
	b	ap_main

cpu_set_up:
	ldr	x1, [x0, #CPU_STACK]
	mov	sp, x1
	msr	tpidr_el1, x0
	ldr	x1, =vectors
	msr	vbar_el1, x1
	isb
	ret

mmu_on:
	ldr	x1, =MAIR
	msr	mair_el1, x1
	ldr	x1, =TCR
	msr	tcr_el1, x1
	ldr	x1, =page_table
	msr	ttbr0_el1, x1
	isb
	tlbi	vmalle1
	dsb	nsh
	isb
	mrs	x1, sctlr_el1
	mov	x2, #SCTLR_ON
	orr	x1, x1, x2
	msr	sctlr_el1, x1
	isb
	ret

	.ltorg

	.data
	.balign 4096
	.globl	page_table
page_table:
	.quad	0x0060000000000401	/* devices: no execution */
	.quad	0x0000000040000705	/* RAM: inner shareable */
	.fill	510, 8, 0

	.section .note.GNU-stack, "", @progbits
