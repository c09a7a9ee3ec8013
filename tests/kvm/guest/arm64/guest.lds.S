/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest program, linked where an Image is loaded.
 */
#include "tests/kvm/guest/arm64/cpu.h"

SECTIONS
{
	. = IMAGE_BASE;
	image_start = .;
	.text : { KEEP(*(.text.entry)) *(.text .text.*) }
	.rodata : ALIGN(8) { *(.rodata .rodata.*) }
	.data : ALIGN(4096) { *(.data .data.*) }
	.bss : ALIGN(4096) {
		bss_start = .;
		*(.bss .bss.* COMMON)
		. = ALIGN(8);
		bss_end = .;
	}
	. = ALIGN(4096);
	image_end = .;
	image_size = ABSOLUTE(image_end - image_start);
	/DISCARD/ : { *(.comment) *(.note.*) *(.eh_frame*) }
}
