// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: ACPI tables: RSDP, XSDT, FADT, MADT, MCFG, DSDT
 *
 * ACPI 6.4, hardware-reduced: no SCI, no fixed registers but sleep control and
 * reset, the power button through a Generic Event Device. The tables lie below
 * 1 MiB, the RSDP first, where a kernel that was not told would look too.
 *
 * All ids are vCPU numbers below 255, so the MADT needs no x2APIC entries. No
 * interrupt source overrides: ISA interrupts are edge triggered and active
 * high on the pin of their own number.
 *
 * What it does not do: hot plug, power management, NUMA, thermal zones.
 */
#include <stdlib.h>
#include <string.h>

#include "arch/x86/acpi.h"
#include "arch/x86/acpi_tables.h"
#include "arch/x86/layout.h"
#include "vmm/base/math.h"
#include "vmm/device.h"
#include "vmm/guest_memory.h"
#include "vmm/vm.h"

#define TABLE_ALIGN	16
#define OEM_ID		"LKVM  "
#define OEM_TABLE_ID	"LKVM    "
#define OEM_REVISION	1
#define CREATOR_ID	"LKVM"
#define LINT1		1

/* Made by arch/x86/Makefile. */
static const u8 dsdt_aml[] = {
#include <arch/x86/dsdt.h>
};

/* The byte that makes the sum of all bytes 0. */
static u8 checksum(const void *table, size_t len)
{
	const u8 *p = table;
	u8 sum = 0;

	while (len--)
		sum = (u8)(sum + *p++);
	return (u8)-sum;
}

static void header_init(struct acpi_header *h, const char *signature,
			u8 revision)
{
	memcpy(h->signature, signature, sizeof(h->signature));
	h->revision = revision;
	memcpy(h->oem_id, OEM_ID, sizeof(h->oem_id));
	memcpy(h->oem_table_id, OEM_TABLE_ID, sizeof(h->oem_table_id));
	h->oem_revision = cpu_to_le32(OEM_REVISION);
	memcpy(h->creator_id, CREATOR_ID, sizeof(h->creator_id));
	h->creator_revision = cpu_to_le32(OEM_REVISION);
}

/* Room for @len bytes at the next boundary; NULL when there is none. */
static void *reserve(struct acpi_tables *t, size_t len)
{
	u32 at = (u32)round_up_to(t->size, TABLE_ALIGN);

	if (!range_fits(at, len, t->capacity))
		return NULL;
	t->size = at + (u32)len;
	return t->data + at;
}

static u64 address_of(const struct acpi_tables *t, const void *table)
{
	return X86_ACPI_BASE + (u64)((const u8 *)table - t->data);
}

/* The last step of each table: its length and, over all bytes, its checksum. */
static u64 finish(const struct acpi_tables *t, struct acpi_header *h,
		  size_t len)
{
	h->length = cpu_to_le32((u32)len);
	h->checksum = 0;
	h->checksum = checksum(h, len);
	return address_of(t, h);
}

static u64 put_dsdt(struct acpi_tables *t, const struct acpi_params *p)
{
	u8 *aml = reserve(t, sizeof(dsdt_aml));

	if (!aml)
		return 0;
	memcpy(aml, dsdt_aml, sizeof(dsdt_aml));
	if (aml_patch_dword(aml, sizeof(dsdt_aml), "DEVS", p->devices) ||
	    aml_patch_qword(aml, sizeof(dsdt_aml), "W64B", p->mmio64.base) ||
	    aml_patch_qword(aml, sizeof(dsdt_aml), "W64L", p->mmio64.size))
		return 0;
	return finish(t, (struct acpi_header *)aml, sizeof(dsdt_aml));
}

static struct acpi_address port(u16 address)
{
	return (struct acpi_address){
		.space_id = ACPI_SPACE_IO,
		.bit_width = 8,
		.access_size = ACPI_ACCESS_BYTE,
		.address = cpu_to_le64(address),
	};
}

static u64 put_fadt(struct acpi_tables *t, const struct acpi_params *p,
		    u64 dsdt)
{
	struct acpi_fadt *f = reserve(t, sizeof(*f));
	u32 flags = FADT_WBINVD | FADT_PWR_BUTTON | FADT_SLP_BUTTON |
		    FADT_HW_REDUCED;
	u16 boot_arch = FADT_BOOT_VGA_NOT_PRESENT;

	if (!f)
		return 0;
	header_init(&f->header, "FACP", FADT_REVISION);
	f->dsdt = cpu_to_le32((u32)dsdt);
	f->x_dsdt = cpu_to_le64(dsdt);
	f->minor_version = FADT_MINOR;
	if (p->devices & BIT(X86_DSDT_ACPI_PM)) {
		flags |= FADT_RESET_REG_SUP;
		f->reset_reg = port(X86_ACPI_RESET);
		f->reset_value = X86_ACPI_RESET_VALUE;
		f->sleep_control_reg = port(X86_ACPI_SLEEP_CONTROL);
		f->sleep_status_reg = port(X86_ACPI_SLEEP_STATUS);
	}
	if (!(p->devices & BIT(X86_DSDT_RTC)))
		boot_arch |= FADT_BOOT_NO_CMOS_RTC;
	f->iapc_boot_arch = cpu_to_le16(boot_arch);
	f->flags = cpu_to_le32(flags);
	memcpy(f->hypervisor_vendor, OEM_TABLE_ID,
	       sizeof(f->hypervisor_vendor));
	return finish(t, &f->header, sizeof(*f));
}

static u64 put_madt(struct acpi_tables *t, const struct acpi_params *p)
{
	size_t len = sizeof(struct acpi_madt) +
		     p->cpus * sizeof(struct acpi_madt_local_apic) +
		     sizeof(struct acpi_madt_io_apic) +
		     sizeof(struct acpi_madt_nmi);
	struct acpi_madt *m = reserve(t, len);
	struct acpi_madt_local_apic *cpu;
	struct acpi_madt_io_apic *ioapic;
	struct acpi_madt_nmi *nmi;
	u32 i;

	if (!m)
		return 0;
	header_init(&m->header, "APIC", MADT_REVISION);
	m->local_apic_address = cpu_to_le32(X86_LAPIC_BASE);
	m->flags = cpu_to_le32(MADT_PCAT_COMPAT);
	cpu = (struct acpi_madt_local_apic *)(m + 1);
	for (i = 0; i < p->cpus; i++)
		*cpu++ = (struct acpi_madt_local_apic){
			.type = MADT_LOCAL_APIC, .length = sizeof(*cpu),
			.processor_uid = (u8)i, .apic_id = (u8)i,
			.flags = cpu_to_le32(MADT_ENABLED),
		};
	ioapic = (struct acpi_madt_io_apic *)cpu;
	*ioapic = (struct acpi_madt_io_apic){
		.type = MADT_IO_APIC, .length = sizeof(*ioapic),
		.address = cpu_to_le32(X86_IOAPIC_BASE),
	};
	nmi = (struct acpi_madt_nmi *)(ioapic + 1);
	*nmi = (struct acpi_madt_nmi){
		.type = MADT_LOCAL_APIC_NMI, .length = sizeof(*nmi),
		.processor_uid = MADT_ALL_PROCESSORS, .lint = LINT1,
	};
	return finish(t, &m->header, len);
}

static u64 put_mcfg(struct acpi_tables *t)
{
	struct acpi_mcfg *m = reserve(t, sizeof(*m));

	if (!m)
		return 0;
	header_init(&m->header, "MCFG", 1);
	m->base = cpu_to_le64(X86_PCI_ECAM_BASE);
	m->bus_last = X86_PCI_BUS_LAST;
	return finish(t, &m->header, sizeof(*m));
}

static u64 put_xsdt(struct acpi_tables *t, u64 fadt, u64 madt, u64 mcfg)
{
	struct acpi_xsdt *x = reserve(t, sizeof(*x));

	if (!x)
		return 0;
	header_init(&x->header, "XSDT", 1);
	x->tables[0] = cpu_to_le64(fadt);
	x->tables[1] = cpu_to_le64(madt);
	x->tables[2] = cpu_to_le64(mcfg);
	return finish(t, &x->header, sizeof(*x));
}

static void fill_rsdp(struct acpi_rsdp *r, u64 xsdt)
{
	*r = (struct acpi_rsdp){
		.revision = 2,
		.length = cpu_to_le32(sizeof(*r)),
		.xsdt_address = cpu_to_le64(xsdt),
	};
	memcpy(r->signature, "RSD PTR ", sizeof(r->signature));
	memcpy(r->oem_id, OEM_ID, sizeof(r->oem_id));
	r->checksum = checksum(r, ACPI_RSDP_V1_SIZE);
	r->extended_checksum = checksum(r, sizeof(*r));
}

/**
 * acpi_build() - all tables of a machine
 * @params: the machine
 * @tables: zeroed memory that the tables are put into
 * @err: filled on failure
 *
 * Return: 0 or -ENOSPC.
 */
int acpi_build(const struct acpi_params *params, struct acpi_tables *tables,
	       struct error *err)
{
	struct acpi_rsdp *rsdp = reserve(tables, sizeof(*rsdp));
	u64 dsdt = put_dsdt(tables, params);
	u64 fadt = put_fadt(tables, params, dsdt);
	u64 madt = put_madt(tables, params);
	u64 mcfg = put_mcfg(tables);
	u64 xsdt = put_xsdt(tables, fadt, madt, mcfg);

	if (!rsdp || !dsdt || !fadt || !madt || !mcfg || !xsdt)
		return error_set(err, -ENOSPC,
				 "ACPI tables for %u vCPUs do not fit into %u bytes",
				 params->cpus, tables->capacity);
	fill_rsdp(rsdp, xsdt);
	return 0;
}

/**
 * struct acpi_device - a device that the DSDT may or may not have
 * @class: its class
 * @index: which one of it
 * @bit: X86_DSDT_*
 */
struct acpi_device {
	const char *class;
	u32 index;
	u32 bit;
};

static const struct acpi_device acpi_devices[] = {
	{ "serial", 0, X86_DSDT_COM1 },
	{ "serial", 1, X86_DSDT_COM2 },
	{ "serial", 2, X86_DSDT_COM3 },
	{ "serial", 3, X86_DSDT_COM4 },
	{ "rtc", 0, X86_DSDT_RTC },
	{ "pvpanic", 0, X86_DSDT_PVPANIC },
	{ "acpi-pm", 0, X86_DSDT_ACPI_PM },
	{ "vmgenid", 0, X86_DSDT_VMGENID },
};

static u32 devices_of(struct vm *vm)
{
	u32 devices = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(acpi_devices); i++)
		if (device_find_class(vm, acpi_devices[i].class,
				      acpi_devices[i].index))
			devices |= BIT(acpi_devices[i].bit);
	return devices;
}

/**
 * acpi_load() - describe a machine to its guest
 * @vm: the machine with all its devices
 * @gate: an open door to its memory
 * @rsdp: filled with the address of the root pointer
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int acpi_load(struct vm *vm, struct guest_gate *gate, u64 *rsdp,
	      struct error *err)
{
	struct acpi_params params = {
		.cpus = vm->cpus_nr,
		.devices = devices_of(vm),
		.mmio64 = arch_pci_mmio64(vm),
	};
	struct acpi_tables tables = { .capacity = X86_ACPI_SIZE };
	int ret;

	tables.data = calloc(1, tables.capacity);
	if (!tables.data)
		return error_set(err, -ENOMEM, "out of memory");
	ret = acpi_build(&params, &tables, err);
	if (!ret) {
		*rsdp = X86_ACPI_BASE;
		ret = guest_write(gate, gpa(X86_ACPI_BASE), tables.data,
				  tables.size);
		if (ret)
			error_set(err, ret, "no memory for the ACPI tables");
	}
	free(tables.data);
	return ret;
}
