// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: ACPI tables, read as a guest reads them
 */
#include "tests/lib/harness.h"

#include <stdlib.h>
#include <string.h>

#include "arch/x86/acpi.h"
#include "arch/x86/acpi_tables.h"
#include "arch/x86/layout.h"
#include "vmm/base/math.h"

FIXTURE(acpi) {
	struct acpi_tables tables;
	struct acpi_params params;
	struct error err;
};

FIXTURE_SETUP(acpi)
{
	memset(self, 0, sizeof(*self));
	self->tables.capacity = X86_ACPI_SIZE;
	self->tables.data = calloc(1, X86_ACPI_SIZE);
	self->params = (struct acpi_params){
		.cpus = 4, .devices = BIT(X86_DSDT_ACPI_PM) |
				      BIT(X86_DSDT_RTC),
		.mmio64 = { 0x200000000, 0x1000000000 },
	};
	ASSERT_NE(NULL, self->tables.data);
}

FIXTURE_TEARDOWN(acpi)
{
	free(self->tables.data);
}

static u8 sum(const void *p, size_t len)
{
	const u8 *b = p;
	u8 total = 0;

	while (len--)
		total = (u8)(total + *b++);
	return total;
}

/* A table at an address, when it is all there and its bytes add up to 0. */
static const void *table_at(const struct acpi_tables *t, u64 address,
			    const char *signature)
{
	const struct acpi_header *h;
	u64 at = address - X86_ACPI_BASE;

	if (!range_fits(at, sizeof(*h), t->size))
		return NULL;
	h = (const struct acpi_header *)(t->data + at);
	if (memcmp(h->signature, signature, 4) ||
	    !range_fits(at, le32_to_cpu(h->length), t->size) ||
	    sum(h, le32_to_cpu(h->length)))
		return NULL;
	return h;
}

static const struct acpi_xsdt *xsdt_of(const struct acpi_tables *t)
{
	const struct acpi_rsdp *r = (const struct acpi_rsdp *)t->data;

	if (memcmp(r->signature, "RSD PTR ", 8) || r->revision != 2 ||
	    sum(r, 20) || sum(r, 36))
		return NULL;
	return table_at(t, le64_to_cpu(r->xsdt_address), "XSDT");
}

/* The table that the XSDT has under this signature. */
static const void *find(const struct acpi_tables *t, const char *signature)
{
	const struct acpi_xsdt *x = xsdt_of(t);
	const void *found = NULL;
	size_t i;

	for (i = 0; x && !found && i < ARRAY_SIZE(x->tables); i++)
		found = table_at(t, le64_to_cpu(x->tables[i]), signature);
	return found;
}

TEST_F(acpi, all_tables_are_found_and_add_up)
{
	const struct acpi_fadt *f;

	ASSERT_EQ(0, acpi_build(&self->params, &self->tables, &self->err));
	ASSERT_NE(NULL, xsdt_of(&self->tables));
	ASSERT_NE(NULL, find(&self->tables, "APIC"));
	ASSERT_NE(NULL, find(&self->tables, "MCFG"));
	f = find(&self->tables, "FACP");
	ASSERT_NE(NULL, f);
	EXPECT_NE(NULL, table_at(&self->tables, le64_to_cpu(f->x_dsdt),
				 "DSDT"));
	EXPECT_EQ(le64_to_cpu(f->x_dsdt), le32_to_cpu(f->dsdt));
}

TEST_F(acpi, fadt_says_what_there_is)
{
	const struct acpi_fadt *f;

	ASSERT_EQ(0, acpi_build(&self->params, &self->tables, &self->err));
	f = find(&self->tables, "FACP");
	EXPECT_EQ(6, f->header.revision);
	EXPECT_EQ(BIT(0) | BIT(4) | BIT(5) | BIT(10) | BIT(20),
		  le32_to_cpu(f->flags));
	/* No VGA; a CMOS clock; no keyboard controller. */
	EXPECT_EQ(BIT(2), le16_to_cpu(f->iapc_boot_arch));
	EXPECT_EQ(1, f->reset_reg.space_id);
	EXPECT_EQ(8, f->reset_reg.bit_width);
	EXPECT_EQ(0x602, le64_to_cpu(f->reset_reg.address));
	EXPECT_EQ(1, f->reset_value);
	EXPECT_EQ(0x600, le64_to_cpu(f->sleep_control_reg.address));
	EXPECT_EQ(0x601, le64_to_cpu(f->sleep_status_reg.address));
}

TEST_F(acpi, fadt_without_devices)
{
	const struct acpi_fadt *f;

	self->params.devices = 0;
	ASSERT_EQ(0, acpi_build(&self->params, &self->tables, &self->err));
	f = find(&self->tables, "FACP");
	EXPECT_EQ(0, le32_to_cpu(f->flags) & BIT(10));
	EXPECT_EQ(0, le64_to_cpu(f->reset_reg.address));
	EXPECT_EQ(0, le64_to_cpu(f->sleep_control_reg.address));
	EXPECT_EQ(BIT(2) | BIT(5), le16_to_cpu(f->iapc_boot_arch));
}

TEST_F(acpi, madt_has_every_cpu_once)
{
	static const u32 counts[] = { 1, 2, 4, 254, 255 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		const struct acpi_madt *m;
		const u8 *p, *end;
		u32 cpus = 0, ioapics = 0, nmis = 0;

		self->params.cpus = counts[i];
		self->tables.size = 0;
		memset(self->tables.data, 0, self->tables.capacity);
		ASSERT_EQ(0, acpi_build(&self->params, &self->tables,
					&self->err));
		m = find(&self->tables, "APIC");
		ASSERT_NE(NULL, m);
		EXPECT_EQ(0xfee00000, le32_to_cpu(m->local_apic_address));
		end = (const u8 *)m + le32_to_cpu(m->header.length);
		for (p = (const u8 *)(m + 1); p < end; p += p[1]) {
			ASSERT_LT(1, p[1]);
			if (p[0] == 0) {
				EXPECT_EQ(cpus, p[2]);
				EXPECT_EQ(cpus, p[3]);
				EXPECT_EQ(1, p[4]);
				cpus++;
			}
			ioapics += p[0] == 1;
			nmis += p[0] == 4 && p[2] == 0xff && p[5] == 1;
		}
		EXPECT_EQ(end, p);
		EXPECT_EQ(counts[i], cpus);
		EXPECT_EQ(1, ioapics);
		EXPECT_EQ(1, nmis);
	}
}

TEST_F(acpi, mcfg_has_the_configuration_space)
{
	const struct acpi_mcfg *m;

	ASSERT_EQ(0, acpi_build(&self->params, &self->tables, &self->err));
	m = find(&self->tables, "MCFG");
	EXPECT_EQ(arch_layout.pci_ecam.base, le64_to_cpu(m->base));
	EXPECT_EQ(0, m->bus_first);
	EXPECT_EQ(arch_layout.pci_ecam.size >> 20, m->bus_last + 1);
}

/* The value behind a name's encoding; how often it occurs in @times. */
static u64 named(const void *aml, size_t len, const char *encoding,
		 size_t width, u32 *times)
{
	const u8 *p = aml;
	size_t at, head = strlen(encoding);
	u64 value = 0;

	*times = 0;
	for (at = 0; at + head + width <= len; at++)
		if (!memcmp(p + at, encoding, head)) {
			memcpy(&value, p + at + head, width);
			++*times;
		}
	return value;
}

TEST_F(acpi, dsdt_is_filled_in)
{
	const struct acpi_header *d;
	const struct acpi_fadt *f;
	u32 times;
	size_t len;

	ASSERT_EQ(0, acpi_build(&self->params, &self->tables, &self->err));
	f = find(&self->tables, "FACP");
	d = table_at(&self->tables, le64_to_cpu(f->x_dsdt), "DSDT");
	ASSERT_NE(NULL, d);
	len = le32_to_cpu(d->length);
	EXPECT_EQ(self->params.devices,
		  named(d, len, "\010DEVS\014", 4, &times));
	EXPECT_EQ(1, times);
	EXPECT_EQ(self->params.mmio64.base,
		  named(d, len, "\010W64B\016", 8, &times));
	EXPECT_EQ(1, times);
	EXPECT_EQ(self->params.mmio64.size,
		  named(d, len, "\010W64L\016", 8, &times));
	EXPECT_EQ(1, times);
}

TEST_F(acpi, too_little_room_is_an_error)
{
	u32 full;

	ASSERT_EQ(0, acpi_build(&self->params, &self->tables, &self->err));
	full = self->tables.size;
	self->tables.size = 0;
	self->tables.capacity = full;
	EXPECT_EQ(0, acpi_build(&self->params, &self->tables, &self->err));
	self->tables.size = 0;
	self->tables.capacity = full - 1;
	EXPECT_EQ(-ENOSPC, acpi_build(&self->params, &self->tables,
				      &self->err));
	self->tables.size = 0;
	self->tables.capacity = 10;
	EXPECT_EQ(-ENOSPC, acpi_build(&self->params, &self->tables,
				      &self->err));
}

TEST(patch_wants_exactly_one_name)
{
	u8 aml[64] = { 0 };

	memcpy(aml + 3, "\010ABCD\014", 6);
	EXPECT_EQ(0, aml_patch_dword(aml, sizeof(aml), "ABCD", 0x01020304));
	EXPECT_EQ(0, memcmp(aml + 9, "\x04\x03\x02\x01\x00", 5));
	EXPECT_EQ(-ENOENT, aml_patch_dword(aml, sizeof(aml), "ABCE", 1));
	EXPECT_EQ(-ENOENT, aml_patch_qword(aml, sizeof(aml), "ABCD", 1));
	/* A number that is cut off by the end is none. */
	EXPECT_EQ(-ENOENT, aml_patch_dword(aml, 12, "ABCD", 1));
	EXPECT_EQ(0, aml_patch_dword(aml, 13, "ABCD", 1));
	memcpy(aml + 30, "\010ABCD\014", 6);
	EXPECT_EQ(-EEXIST, aml_patch_dword(aml, sizeof(aml), "ABCD", 1));
	memcpy(aml + 40, "\010EFGH\016", 6);
	EXPECT_EQ(0, aml_patch_qword(aml, sizeof(aml), "EFGH",
				     0x0102030405060708));
	EXPECT_EQ(8, aml[46]);
	EXPECT_EQ(1, aml[53]);
}

TEST(places_do_not_overlap)
{
	static const char *const classes[] = {
		"serial", "rtc", "i8042", "pvpanic", "debug-exit", "acpi-pm",
		"pci-host",
	};
	const struct arch_resource *found[32];
	size_t i, k, n = 0;
	u32 index;

	for (i = 0; i < ARRAY_SIZE(classes); i++)
		for (index = 0; index < 5; index++) {
			found[n] = arch_resource_find(classes[i], index);
			n += !!found[n];
		}
	EXPECT_EQ(10, n);
	for (i = 0; i < n; i++)
		for (k = 0; k < i; k++) {
			EXPECT_FALSE(ranges_overlap(found[i]->base,
						    found[i]->size,
						    found[k]->base,
						    found[k]->size));
			EXPECT_TRUE(found[i]->gsi == ARCH_NO_GSI ||
				    found[i]->gsi != found[k]->gsi);
		}
	EXPECT_EQ(NULL, arch_resource_find("nonsense", 0));
}

TEST_HARNESS_MAIN
