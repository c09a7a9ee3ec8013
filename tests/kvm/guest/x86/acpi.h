/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: x86-64: the ACPI tables
 */
#ifndef TESTS_KVM_GUEST_X86_ACPI_H
#define TESTS_KVM_GUEST_X86_ACPI_H

#include <stdint.h>

/* Offsets in the FADT, ACPI 6.4 table 5.9. */
#define FADT_DSDT		40
#define FADT_PM1A_CNT_BLK	64
#define FADT_PM_TMR_BLK		76
#define FADT_FLAGS		112
#define FADT_RESET_REG		116
#define FADT_RESET_VALUE	128
#define FADT_X_DSDT		140
#define FADT_X_PM_TMR_BLK	208
#define FADT_SLEEP_CONTROL	244
#define FADT_SLEEP_STATUS	256

#define FADT_FLAG_RESET_REG	(1u << 10)
#define FADT_FLAG_HW_REDUCED	(1u << 20)

#define ACPI_SPACE_MEMORY	0
#define ACPI_SPACE_IO		1

/**
 * struct acpi_header - the head of each table
 * @signature: four characters
 * @length:    of the table with this head, in bytes
 * @revision:  of the table's layout
 * @checksum:  makes the sum of all bytes 0
 * @rest:      vendor names and revisions
 */
struct acpi_header {
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	uint8_t rest[26];
};

/**
 * struct acpi_address - a generic address structure
 * @space:  ACPI_SPACE_*
 * @bits:   register width
 * @offset: bit offset
 * @access: access size
 * @addr:   port or memory address
 */
struct acpi_address {
	uint8_t space;
	uint8_t bits;
	uint8_t offset;
	uint8_t access;
	uint64_t addr;
} __attribute__((packed));

void acpi_init(uint64_t rsdp);
const struct acpi_header *acpi_find(const char *signature);
const struct acpi_header *acpi_dsdt(void);
struct acpi_address acpi_fadt_address(unsigned int offset);
uint32_t acpi_fadt_u32(unsigned int offset);
void acpi_write(const struct acpi_address *a, uint32_t v);
uint64_t acpi_ioapic_address(void);
uint64_t acpi_ecam_address(void);
int acpi_check_all(void);
int acpi_s5_type(uint8_t *type);

#endif
