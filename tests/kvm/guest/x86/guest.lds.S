/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest program: linked at 1 MiB and loaded as it lies, with the PVH note
 * in front. With GUEST_WITHOUT_PVH there is none, and a VMM has to use the
 * ELF header's entry, which takes the 64-bit Linux protocol.
 */
ENTRY(linux_entry)

PHDRS
{
	all PT_LOAD FLAGS(7);
#ifndef GUEST_WITHOUT_PVH
	note PT_NOTE FLAGS(4);
#endif
}

SECTIONS
{
	. = 0x100000;
	image_start = .;
#ifndef GUEST_WITHOUT_PVH
	.note : { KEEP(*(.note.Xen)) } :all :note
#endif
	.text : { *(.text.entry) *(.text .text.*) } :all
	.rodata : { *(.rodata .rodata.*) } :all
	.fixups : ALIGN(8) {
		fixups_start = .;
		KEEP(*(.fixups))
		fixups_end = .;
	} :all
	.data : ALIGN(4096) { *(.data .data.*) } :all
	.bss : ALIGN(4096) { *(.bss .bss.* COMMON) } :all
	. = ALIGN(4096);
	image_end = .;
	/DISCARD/ : { *(.comment) *(.note.*) *(.eh_frame*) }
}
