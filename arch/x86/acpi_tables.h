/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: layouts of the ACPI tables that we make
 *
 * ACPI 6.4: 5.2.5 (RSDP), 5.2.6 (headers), 5.2.8 (XSDT), 5.2.9 (FADT), 5.2.12
 * (MADT); PCI Firmware 3.0 4.1.2 (MCFG). All little-endian, packed.
 */
#ifndef LKVM_X86_ACPI_TABLES_H
#define LKVM_X86_ACPI_TABLES_H

#include "vmm/base/types.h"

#define __acpi_packed	__attribute__((packed))

struct acpi_rsdp {
	char signature[8];
	u8 checksum;
	char oem_id[6];
	u8 revision;
	__le32 rsdt_address;
	__le32 length;
	__le64 xsdt_address;
	u8 extended_checksum;
	u8 reserved[3];
} __acpi_packed;

#define ACPI_RSDP_V1_SIZE	20

struct acpi_header {
	char signature[4];
	__le32 length;
	u8 revision;
	u8 checksum;
	char oem_id[6];
	char oem_table_id[8];
	__le32 oem_revision;
	char creator_id[4];
	__le32 creator_revision;
} __acpi_packed;

/* Generic address structure: 5.2.3.2 */
struct acpi_address {
	u8 space_id;
	u8 bit_width;
	u8 bit_offset;
	u8 access_size;
	__le64 address;
} __acpi_packed;

#define ACPI_SPACE_IO		1
#define ACPI_ACCESS_BYTE	1

struct acpi_xsdt {
	struct acpi_header header;
	__le64 tables[3];
} __acpi_packed;

struct acpi_fadt {
	struct acpi_header header;
	__le32 firmware_ctrl;
	__le32 dsdt;
	u8 reserved0;
	u8 preferred_pm_profile;
	__le16 sci_int;
	__le32 smi_cmd;
	u8 acpi_enable;
	u8 acpi_disable;
	u8 s4bios_req;
	u8 pstate_cnt;
	__le32 fixed_blocks[8];
	u8 fixed_lengths[8];
	__le16 latencies[4];
	u8 duty_offset;
	u8 duty_width;
	u8 day_alrm;
	u8 mon_alrm;
	u8 century;
	__le16 iapc_boot_arch;
	u8 reserved1;
	__le32 flags;
	struct acpi_address reset_reg;
	u8 reset_value;
	__le16 arm_boot_arch;
	u8 minor_version;
	__le64 x_firmware_ctrl;
	__le64 x_dsdt;
	struct acpi_address x_fixed_blocks[8];
	struct acpi_address sleep_control_reg;
	struct acpi_address sleep_status_reg;
	char hypervisor_vendor[8];
} __acpi_packed;

#define FADT_REVISION			6
#define FADT_MINOR			4
#define FADT_BOOT_VGA_NOT_PRESENT	BIT(2)
#define FADT_BOOT_NO_CMOS_RTC		BIT(5)
#define FADT_WBINVD			BIT(0)
#define FADT_PWR_BUTTON			BIT(4)
#define FADT_SLP_BUTTON			BIT(5)
#define FADT_RESET_REG_SUP		BIT(10)
#define FADT_HW_REDUCED			BIT(20)

struct acpi_madt {
	struct acpi_header header;
	__le32 local_apic_address;
	__le32 flags;
} __acpi_packed;

#define MADT_REVISION	5
#define MADT_PCAT_COMPAT	BIT(0)

struct acpi_madt_local_apic {
	u8 type;
	u8 length;
	u8 processor_uid;
	u8 apic_id;
	__le32 flags;
} __acpi_packed;

#define MADT_ENABLED	BIT(0)

struct acpi_madt_io_apic {
	u8 type;
	u8 length;
	u8 id;
	u8 reserved;
	__le32 address;
	__le32 gsi_base;
} __acpi_packed;

struct acpi_madt_nmi {
	u8 type;
	u8 length;
	u8 processor_uid;
	__le16 flags;
	u8 lint;
} __acpi_packed;

#define MADT_ALL_PROCESSORS	0xff

enum acpi_madt_type {
	MADT_LOCAL_APIC		= 0,
	MADT_IO_APIC		= 1,
	MADT_LOCAL_APIC_NMI	= 4,
};

struct acpi_mcfg {
	struct acpi_header header;
	u8 reserved0[8];
	__le64 base;
	__le16 segment;
	u8 bus_first;
	u8 bus_last;
	u8 reserved1[4];
} __acpi_packed;

static_assert(sizeof(struct acpi_rsdp) == 36, "RSDP");
static_assert(sizeof(struct acpi_header) == 36, "header");
static_assert(sizeof(struct acpi_address) == 12, "generic address");
static_assert(offsetof(struct acpi_fadt, flags) == 112, "FADT flags");
static_assert(offsetof(struct acpi_fadt, reset_reg) == 116, "FADT RESET_REG");
static_assert(offsetof(struct acpi_fadt, x_dsdt) == 140, "FADT X_DSDT");
static_assert(offsetof(struct acpi_fadt, sleep_control_reg) == 244,
	      "FADT SLEEP_CONTROL_REG");
static_assert(sizeof(struct acpi_fadt) == 276, "FADT");
static_assert(sizeof(struct acpi_madt) == 44, "MADT");
static_assert(sizeof(struct acpi_madt_local_apic) == 8, "MADT local APIC");
static_assert(sizeof(struct acpi_madt_io_apic) == 12, "MADT I/O APIC");
static_assert(sizeof(struct acpi_madt_nmi) == 6, "MADT NMI");
static_assert(sizeof(struct acpi_mcfg) == 60, "MCFG with one entry");

#endif /* LKVM_X86_ACPI_TABLES_H */
