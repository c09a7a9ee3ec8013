// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: x86-64: the ACPI tables: find them, check them, take from them what the
 * guest needs
 *
 * acpi_init() collects the CPUs, the I/O APIC and the ECAM window, and is
 * forgiving; acpi_check_all() is the test and is strict about checksums,
 * lengths and what has to be there.
 *
 * ACPI 6.4; PCI Firmware Specification 3.3 (MCFG).
 */
#include "tests/kvm/guest/lib.h"
#include "tests/kvm/guest/platform.h"
#include "tests/kvm/guest/x86/acpi.h"
#include "tests/kvm/guest/x86/apic.h"
#include "tests/kvm/guest/x86/cpu.h"
#include "tests/kvm/guest/x86/smp.h"

#define RSDP_SIZE_V1		20
#define RSDP_SIZE_V2		36
#define RSDP_REVISION		15
#define RSDP_RSDT		16
#define RSDP_LENGTH		20
#define RSDP_XSDT		24

#define MADT_ENTRIES		44
#define MADT_LAPIC		0
#define MADT_IOAPIC		1
#define MADT_X2APIC		9
#define MADT_ENABLED		1u

#define MCFG_ENTRIES		44
#define MCFG_ENTRY_SIZE		16

#define IOAPIC_DEFAULT		0xfec00000u

static const uint8_t *rsdp;
static uint64_t ioapic_address = IOAPIC_DEFAULT;
static uint64_t ecam_address;

static uint32_t get_u32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint64_t get_u64(const void *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint8_t byte_sum(const void *p, size_t n)
{
	const uint8_t *b = p;
	uint8_t sum = 0;

	while (n--)
		sum += *b++;
	return sum;
}

static const uint8_t *rsdp_scan(uint64_t from, uint64_t to)
{
	for (; from < to; from += 16)
		if (!memcmp((const void *)from, "RSD PTR ", 8) &&
		    !byte_sum((const void *)from, RSDP_SIZE_V1))
			return (const uint8_t *)from;
	return NULL;
}

/* The root table: XSDT if there is one, with 8-byte entries, or RSDT. */
static const struct acpi_header *root_table(unsigned int *entry_size)
{
	*entry_size = 4;
	if (!rsdp)
		return NULL;
	if (rsdp[RSDP_REVISION] >= 2 && get_u64(rsdp + RSDP_XSDT)) {
		*entry_size = 8;
		return (const void *)get_u64(rsdp + RSDP_XSDT);
	}
	return (const void *)(uint64_t)get_u32(rsdp + RSDP_RSDT);
}

static const struct acpi_header *root_entry(unsigned int i)
{
	unsigned int size;
	const struct acpi_header *root = root_table(&size);
	const uint8_t *p = (const uint8_t *)(root + 1) + i * size;

	if (!root || i >= (root->length - sizeof(*root)) / size)
		return NULL;
	return (const void *)(size == 8 ? get_u64(p) : get_u32(p));
}

/**
 * acpi_find - find a table
 * @signature: four characters
 *
 * Return: the first such table, or NULL.
 */
const struct acpi_header *acpi_find(const char *signature)
{
	const struct acpi_header *h;
	unsigned int i;

	for (i = 0; (h = root_entry(i)); i++)
		if (!memcmp(h->signature, signature, 4))
			return h;
	return NULL;
}

static void madt_read(void)
{
	const struct acpi_header *madt = acpi_find("APIC");
	const uint8_t *p, *end;

	if (!madt) {
		cpus_add(0);
		return;
	}
	p = (const uint8_t *)madt + MADT_ENTRIES;
	end = (const uint8_t *)madt + madt->length;
	for (; p + 2 <= end && p[1] >= 2; p += p[1]) {
		if (p[0] == MADT_LAPIC && (get_u32(p + 4) & MADT_ENABLED))
			cpus_add(p[3]);
		else if (p[0] == MADT_X2APIC && (get_u32(p + 8) & MADT_ENABLED))
			cpus_add(get_u32(p + 4));
		else if (p[0] == MADT_IOAPIC)
			ioapic_address = get_u32(p + 4);
	}
}

/**
 * acpi_init - find the tables
 * @hint: where the boot protocol says that the RSDP is, or 0
 */
void acpi_init(uint64_t hint)
{
	const struct acpi_header *mcfg;

	if (hint)
		rsdp = (const void *)hint;
	else
		rsdp = rsdp_scan(0xe0000, 0x100000);
	madt_read();
	mcfg = acpi_find("MCFG");
	if (mcfg && mcfg->length >= MCFG_ENTRIES + MCFG_ENTRY_SIZE)
		ecam_address = get_u64((const uint8_t *)mcfg + MCFG_ENTRIES);
}

/**
 * acpi_ioapic_address - where the I/O APIC is
 *
 * Return: its address.
 */
uint64_t acpi_ioapic_address(void)
{
	return ioapic_address;
}

/**
 * acpi_ecam_address - where PCI configuration space is in memory
 *
 * Return: the address of bus 0, or 0 if there is no MCFG table.
 */
uint64_t acpi_ecam_address(void)
{
	return ecam_address;
}

/**
 * acpi_fadt_u32 - a field of the FADT
 * @offset: in the table
 *
 * Return: its value, or 0 if there is no FADT or it is too short.
 */
uint32_t acpi_fadt_u32(unsigned int offset)
{
	const struct acpi_header *fadt = acpi_find("FACP");

	if (!fadt || fadt->length < offset + 4)
		return 0;
	return get_u32((const uint8_t *)fadt + offset);
}

/**
 * acpi_fadt_address - a register that the FADT names
 * @offset: of the generic address structure in the table
 *
 * Return: the register, all zero if there is none.
 */
struct acpi_address acpi_fadt_address(unsigned int offset)
{
	const struct acpi_header *fadt = acpi_find("FACP");
	struct acpi_address a = { 0 };

	if (fadt && fadt->length >= offset + sizeof(a))
		memcpy(&a, (const uint8_t *)fadt + offset, sizeof(a));
	return a;
}

/**
 * acpi_write - write a register
 * @a: where
 * @v: what; a 16-bit register takes 16 bits, any other 8
 */
void acpi_write(const struct acpi_address *a, uint32_t v)
{
	if (a->space == ACPI_SPACE_IO && a->bits == 16)
		outw((uint16_t)a->addr, (uint16_t)v);
	else if (a->space == ACPI_SPACE_IO)
		outb((uint16_t)a->addr, (uint8_t)v);
	else if (a->bits == 16)
		*(volatile uint16_t *)a->addr = (uint16_t)v;
	else
		*(volatile uint8_t *)a->addr = (uint8_t)v;
}

/**
 * acpi_dsdt - the table with the machine's description in AML
 *
 * Return: the table, or NULL.
 */
const struct acpi_header *acpi_dsdt(void)
{
	const struct acpi_header *fadt = acpi_find("FACP");
	uint64_t at = 0;

	if (!fadt)
		return NULL;
	if (fadt->length >= FADT_X_DSDT + 8)
		at = get_u64((const uint8_t *)fadt + FADT_X_DSDT);
	if (!at)
		at = acpi_fadt_u32(FADT_DSDT);
	return (const void *)at;
}

/**
 * acpi_s5_type - the sleep type of the soft-off state
 * @type: set to the first element of the package _S5_ in the DSDT
 *
 * Looks for the name's bytes instead of interpreting AML: NameOp "_S5_"
 * PackageOp PkgLength NumElements, then a constant.
 *
 * Return: 0, or -1 if there is no such package.
 */
int acpi_s5_type(uint8_t *type)
{
	const struct acpi_header *dsdt = acpi_dsdt();
	const uint8_t *p = (const uint8_t *)dsdt;
	uint32_t i;

	if (!dsdt)
		return -1;
	for (i = sizeof(*dsdt); i + 12 < dsdt->length; i++) {
		if (memcmp(p + i, "_S5_", 4) || p[i + 4] != 0x12)
			continue;
		/* bits 7:6 of PkgLength: how many bytes follow it */
		i += 6 + (p[i + 5] >> 6) + 1;
		*type = p[i] == 0x0a ? p[i + 1] : p[i] & 1;
		return 0;
	}
	return -1;
}

static int table_check(const struct acpi_header *h)
{
	char name[5] = { 0 };

	memcpy(name, h->signature, 4);
	CHECK(h->length >= sizeof(*h) && h->length < MIB(1),
	      "%s at %lx: length %u", name, (uint64_t)h, h->length);
	CHECK(!byte_sum(h, h->length), "%s at %lx: checksum", name,
	      (uint64_t)h);
	print("guest: acpi %s at %lx length %u revision %u\n", name,
	      (uint64_t)h, h->length, h->revision);
	return 0;
}

/**
 * acpi_check_all - the RSDP and each table that can be reached from it
 *
 * Return: 0, or -1 after telling what is wrong.
 */
int acpi_check_all(void)
{
	static const char *const needed[] = { "FACP", "APIC", "MCFG" };
	const struct acpi_header *h;
	unsigned int i, size;

	CHECK(rsdp, "no RSDP");
	CHECK(!memcmp(rsdp, "RSD PTR ", 8), "RSDP at %lx: signature",
	      (uint64_t)rsdp);
	CHECK(!byte_sum(rsdp, RSDP_SIZE_V1), "RSDP: first checksum");
	if (rsdp[RSDP_REVISION] >= 2) {
		CHECK(get_u32(rsdp + RSDP_LENGTH) == RSDP_SIZE_V2,
		      "RSDP: length %u", get_u32(rsdp + RSDP_LENGTH));
		CHECK(!byte_sum(rsdp, RSDP_SIZE_V2), "RSDP: second checksum");
	}
	h = root_table(&size);
	CHECK(h, "no root table");
	if (table_check(h))
		return -1;
	for (i = 0; (h = root_entry(i)); i++)
		if (table_check(h))
			return -1;
	for (i = 0; i < ARRAY_SIZE(needed); i++)
		CHECK(acpi_find(needed[i]), "no table %s", needed[i]);
	h = acpi_dsdt();
	CHECK(h && !memcmp(h->signature, "DSDT", 4), "no DSDT");
	return table_check(h);
}
