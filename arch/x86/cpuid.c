// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: what a vCPU says about itself
 *
 * Starts from what KVM offers on this host (KVM_GET_SUPPORTED_CPUID) and makes
 * it true for the guest: the topology is one package of single-threaded cores,
 * every id is the vCPU's own, caches are shared as that topology says, and
 * what the machine has no state or resources for (SGX, power management,
 * user-mode wait) is not promised.
 *
 * Leaves by vendor: Intel and AMD SDMs, CPUID. Hypervisor leaves: Linux
 * Documentation/virt/kvm/x86/cpuid.rst. No ioctl but the first; pure
 * functions of their arguments otherwise.
 *
 * What it does not do: threads and several packages; AMX (KVM leaves it out
 * unless the process asks for the permission).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "arch/x86/cpuid.h"
#include "vmm/base/math.h"

#define LEAF_FEATURES		0x1
#define LEAF_CACHE		0x4
#define LEAF_POWER		0x6
#define LEAF_STRUCTURED		0x7
#define LEAF_TOPOLOGY		0xb
#define LEAF_XSAVE		0xd
#define LEAF_SGX		0x12
#define LEAF_TOPOLOGY_V2	0x1f
#define LEAF_HYPERVISOR		0x40000000
#define LEAF_KVM_FEATURES	0x40000001
#define LEAF_FREQUENCY		0x40000010
#define LEAF_AMD_FEATURES	0x80000001
#define LEAF_AMD_POWER		0x80000007
#define LEAF_AMD_SIZES		0x80000008
#define LEAF_AMD_CACHE		0x8000001d
#define LEAF_AMD_TOPOLOGY	0x8000001e
#define LEAF_AMD_TOPOLOGY_V2	0x80000026

#define F1_ECX_X2APIC		BIT(21)
#define F1_ECX_TSC_DEADLINE	BIT(24)
#define F1_ECX_OSXSAVE		BIT(27)
#define F1_ECX_HYPERVISOR	BIT(31)
#define F1_EDX_HTT		BIT(28)
#define F6_EAX_ARAT		BIT(2)
#define F7_EBX_SGX		BIT(2)
#define F7_ECX_WAITPKG		BIT(5)
#define F7_ECX_SGX_LC		BIT(30)
#define AMD_ECX_CMP_LEGACY	BIT(1)
#define AMD_EDX_INVARIANT_TSC	BIT(8)
#define KVM_EAX_MSI_EXT_DEST_ID	BIT(15)

#define TOPOLOGY_SMT		1u
#define TOPOLOGY_CORE		2u
#define LAPIC_BUS_KHZ		1000000u

/* Entries that cpuid_make() may append: two topology leaves, frequency. */
#define APPENDED_MAX		7

/* Bits of an APIC id below the package number. */
static u32 core_bits(u32 cores)
{
	u32 bits = 0;

	while ((1u << bits) < cores)
		bits++;
	return bits;
}

/* The ids that a package can hold, which is what "sharing" fields count. */
static u32 core_ids(u32 cores)
{
	return 1u << core_bits(cores);
}

static void replace(u32 *reg, u32 shift, u32 width, u32 value)
{
	u32 mask = (width == 32 ? 0 : BIT(width)) - 1;

	*reg = (*reg & ~(mask << shift)) | (value & mask) << shift;
}

static void fix_features(struct kvm_cpuid_entry2 *e,
			 const struct cpuid_params *p)
{
	replace(&e->ebx, 16, 8, min_of(core_ids(p->cores), 255u));
	replace(&e->ebx, 24, 8, p->apic_id);
	e->ecx |= F1_ECX_HYPERVISOR;
	if (p->tsc_deadline)
		e->ecx |= F1_ECX_TSC_DEADLINE;
	/* KVM sets it from CR4 as the guest goes. */
	e->ecx &= ~F1_ECX_OSXSAVE;
	if (p->cores > 1)
		e->edx |= F1_EDX_HTT;
	else
		e->edx &= ~F1_EDX_HTT;
}

/*
 * Cores may share a level 3 cache and nothing above it. The type field is 0
 * in the entry that ends the list.
 */
static void fix_cache(struct kvm_cpuid_entry2 *e, const struct cpuid_params *p)
{
	u32 level = e->eax >> 5 & 7;

	if (!(e->eax & 0x1f))
		return;
	replace(&e->eax, 14, 12, level >= 3 ? core_ids(p->cores) - 1 : 0);
	if (e->function == LEAF_CACHE)
		replace(&e->eax, 26, 6, min_of(core_ids(p->cores) - 1, 63u));
}

/* Keeps what concerns the APIC timer; there is no turbo, HWP or EPB. */
static void fix_power(struct kvm_cpuid_entry2 *e, const struct cpuid_params *p)
{
	e->eax &= F6_EAX_ARAT;
	e->ebx = 0;
	e->ecx = 0;
	e->edx = 0;
}

/*
 * No enclave memory, hence no SGX. User-mode wait could hold a host CPU for
 * as long as the guest likes.
 */
static void fix_structured(struct kvm_cpuid_entry2 *e,
			   const struct cpuid_params *p)
{
	if (e->index)
		return;
	e->ebx &= ~F7_EBX_SGX;
	e->ecx &= ~(F7_ECX_WAITPKG | F7_ECX_SGX_LC);
}

static void fix_sgx(struct kvm_cpuid_entry2 *e, const struct cpuid_params *p)
{
	e->eax = 0;
	e->ebx = 0;
	e->ecx = 0;
	e->edx = 0;
}

/*
 * The top leaf moves up only when there is something up there. KVM answers 0
 * for the leaves between.
 */
static void fix_hypervisor(struct kvm_cpuid_entry2 *e,
			   const struct cpuid_params *p)
{
	if (p->tsc_khz)
		e->eax = max_of(e->eax, (u32)LEAF_FREQUENCY);
}

/*
 * Message addresses are handed to KVM as the guest writes them: nobody here
 * unfolds the extended destination id.
 */
static void fix_kvm_features(struct kvm_cpuid_entry2 *e,
			     const struct cpuid_params *p)
{
	e->eax &= ~KVM_EAX_MSI_EXT_DEST_ID;
}

static void fix_amd_features(struct kvm_cpuid_entry2 *e,
			     const struct cpuid_params *p)
{
	if (p->cores > 1)
		return;
	e->ecx &= ~AMD_ECX_CMP_LEGACY;
}

/* ECX: number of cores minus one, and the width of an APIC id. */
static void fix_amd_sizes(struct kvm_cpuid_entry2 *e,
			  const struct cpuid_params *p)
{
	replace(&e->ecx, 0, 8, p->cores - 1);
	replace(&e->ecx, 12, 4, core_bits(p->cores));
}

/* One thread a core, all in node 0. */
static void fix_amd_topology(struct kvm_cpuid_entry2 *e,
			     const struct cpuid_params *p)
{
	e->eax = p->apic_id;
	e->ebx = p->apic_id & 0xff;
	e->ecx = 0;
	e->edx = 0;
}

/**
 * struct cpuid_fix - what is done to a leaf
 * @function: the leaf; all its sub-leaves are given to @fn
 * @amd: only on AMD and Hygon, where the bits mean what @fn thinks
 * @fn: changes the entry in place
 */
struct cpuid_fix {
	u32 function;
	bool amd;
	void (*fn)(struct kvm_cpuid_entry2 *e, const struct cpuid_params *p);
};

static const struct cpuid_fix fixes[] = {
	{ LEAF_FEATURES,	false,	fix_features },
	{ LEAF_CACHE,		false,	fix_cache },
	{ LEAF_POWER,		false,	fix_power },
	{ LEAF_STRUCTURED,	false,	fix_structured },
	{ LEAF_SGX,		false,	fix_sgx },
	{ LEAF_HYPERVISOR,	false,	fix_hypervisor },
	{ LEAF_KVM_FEATURES,	false,	fix_kvm_features },
	{ LEAF_AMD_FEATURES,	true,	fix_amd_features },
	{ LEAF_AMD_SIZES,	true,	fix_amd_sizes },
	{ LEAF_AMD_CACHE,	true,	fix_cache },
	{ LEAF_AMD_TOPOLOGY,	true,	fix_amd_topology },
};

/**
 * cpuid_find() - one entry of a table
 * @table: the table
 * @function: leaf (EAX)
 * @index: sub-leaf (ECX), for leaves that have them
 *
 * Return: the entry, or NULL when the table has none.
 */
const struct kvm_cpuid_entry2 *cpuid_find(const struct kvm_cpuid2 *table,
					  u32 function, u32 index)
{
	u32 i;

	for (i = 0; i < table->nent; i++) {
		const struct kvm_cpuid_entry2 *e = &table->entries[i];

		if (e->function != function)
			continue;
		if (e->index == index ||
		    !(e->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX))
			return e;
	}
	return NULL;
}

/**
 * cpuid_phys_bits() - width of a physical address on this host
 * @supported: from cpuid_read_supported()
 *
 * Return: bits; 36 when the CPU does not say.
 */
u32 cpuid_phys_bits(const struct kvm_cpuid2 *supported)
{
	const struct kvm_cpuid_entry2 *e =
		cpuid_find(supported, LEAF_AMD_SIZES, 0);
	u32 bits = e ? e->eax & 0xff : 0;

	return bits ? bits : 36;
}

static struct kvm_cpuid2 *table_new(u32 nr)
{
	struct kvm_cpuid2 *table;

	table = calloc(1, sizeof(*table) + nr * sizeof(table->entries[0]));
	if (table)
		table->nent = nr;
	return table;
}

/**
 * cpuid_read_supported() - what KVM can offer on this host
 * @kvm_fd: /dev/kvm
 * @out: a table that the caller frees
 * @err: why not
 *
 * KVM says E2BIG until the buffer is large enough, and nothing about how
 * large that is (KVM-API 4.46).
 *
 * Return: 0, -ENOMEM, or KVM's negative errno.
 */
int cpuid_read_supported(int kvm_fd, struct kvm_cpuid2 **out, struct error *err)
{
	u32 nr;

	for (nr = 128; nr <= 16 * CPUID_ENTRIES_MAX; nr *= 2) {
		struct kvm_cpuid2 *table = table_new(nr);

		if (!table)
			return error_set(err, -ENOMEM, "out of memory");
		if (!ioctl(kvm_fd, KVM_GET_SUPPORTED_CPUID, table)) {
			*out = table;
			return 0;
		}
		free(table);
		if (errno != E2BIG)
			break;
	}
	return error_set(err, -errno, "KVM does not tell its CPUID: %s",
			 strerror(errno));
}

static bool vendor_is_amd(const struct kvm_cpuid2 *table)
{
	static const char amd[] = "AuthenticAMD", hygon[] = "HygonGenuine";
	const struct kvm_cpuid_entry2 *e = cpuid_find(table, 0, 0);
	u32 name[3];

	if (!e)
		return false;
	name[0] = e->ebx;
	name[1] = e->edx;
	name[2] = e->ecx;
	return !memcmp(name, amd, sizeof(name)) ||
	       !memcmp(name, hygon, sizeof(name));
}

/* Leaves that are made anew rather than corrected. */
static bool is_replaced(u32 function)
{
	return function == LEAF_TOPOLOGY || function == LEAF_TOPOLOGY_V2 ||
	       function == LEAF_AMD_TOPOLOGY_V2 || function == LEAF_FREQUENCY;
}

static void append(struct kvm_cpuid2 *table, struct kvm_cpuid_entry2 e)
{
	table->entries[table->nent++] = e;
}

/*
 * Leaves 0xb and 0x1f: thread, core, end. The x2APIC id stands in EDX of each
 * sub-leaf, also in the last.
 */
static void append_topology(struct kvm_cpuid2 *table, u32 function,
			    const struct cpuid_params *p)
{
	struct kvm_cpuid_entry2 e = {
		.function = function,
		.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
		.edx = p->apic_id,
	};

	e.ebx = 1;
	e.ecx = TOPOLOGY_SMT << 8;
	append(table, e);
	e.index = 1;
	e.eax = core_bits(p->cores);
	e.ebx = p->cores;
	e.ecx = TOPOLOGY_CORE << 8 | e.index;
	append(table, e);
	e.index = 2;
	e.eax = 0;
	e.ebx = 0;
	e.ecx = e.index;
	append(table, e);
}

/* The frequency can be told only when it never changes. */
static u32 fixed_tsc_khz(const struct kvm_cpuid2 *supported,
			 const struct cpuid_params *p)
{
	const struct kvm_cpuid_entry2 *e =
		cpuid_find(supported, LEAF_AMD_POWER, 0);

	return e && e->edx & AMD_EDX_INVARIANT_TSC ? p->tsc_khz : 0;
}

static void append_made(struct kvm_cpuid2 *table,
			const struct kvm_cpuid2 *supported,
			const struct cpuid_params *p)
{
	const struct kvm_cpuid_entry2 *max = cpuid_find(supported, 0, 0);

	if (max && max->eax >= LEAF_TOPOLOGY)
		append_topology(table, LEAF_TOPOLOGY, p);
	if (max && max->eax >= LEAF_TOPOLOGY_V2)
		append_topology(table, LEAF_TOPOLOGY_V2, p);
	if (p->tsc_khz)
		append(table, (struct kvm_cpuid_entry2){
			.function = LEAF_FREQUENCY,
			.eax = p->tsc_khz,
			.ebx = LAPIC_BUS_KHZ,
		});
}

static void fix_entry(struct kvm_cpuid_entry2 *e, bool amd,
		      const struct cpuid_params *p)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(fixes); i++)
		if (fixes[i].function == e->function && (amd || !fixes[i].amd))
			fixes[i].fn(e, p);
}

/**
 * cpuid_make() - the table of one vCPU
 * @supported: from cpuid_read_supported()
 * @params: which vCPU of what machine
 * @out: a table that the caller frees
 * @err: why not
 *
 * Return: 0, -ENOMEM, or -E2BIG when KVM would not take so long a table.
 */
int cpuid_make(const struct kvm_cpuid2 *supported,
	       const struct cpuid_params *params, struct kvm_cpuid2 **out,
	       struct error *err)
{
	struct cpuid_params p = *params;
	struct kvm_cpuid2 *table = table_new(supported->nent + APPENDED_MAX);
	bool amd = vendor_is_amd(supported);
	u32 i;

	if (!table)
		return error_set(err, -ENOMEM, "out of memory");
	p.tsc_khz = fixed_tsc_khz(supported, &p);
	table->nent = 0;
	for (i = 0; i < supported->nent; i++) {
		struct kvm_cpuid_entry2 e = supported->entries[i];

		if (is_replaced(e.function))
			continue;
		fix_entry(&e, amd, &p);
		append(table, e);
	}
	append_made(table, supported, &p);
	if (table->nent > CPUID_ENTRIES_MAX) {
		u32 nr = table->nent;

		free(table);
		return error_set(err, -E2BIG,
				 "CPUID has %u entries, KVM takes %u", nr,
				 CPUID_ENTRIES_MAX);
	}
	*out = table;
	return 0;
}

/**
 * struct cpuid_feature_reg - a register that is a set of features
 * @function: leaf
 * @index: sub-leaf
 * @reg: which register
 * @ignore: bits that are no features of the host, or that KVM emulates
 */
struct cpuid_feature_reg {
	u32 function;
	u32 index;
	enum cpuid_reg reg;
	u32 ignore;
};

static const struct cpuid_feature_reg feature_regs[] = {
	{ LEAF_FEATURES, 0, CPUID_ECX, F1_ECX_OSXSAVE | F1_ECX_HYPERVISOR |
	  F1_ECX_TSC_DEADLINE | F1_ECX_X2APIC },
	{ LEAF_FEATURES, 0, CPUID_EDX, F1_EDX_HTT },
	{ LEAF_STRUCTURED, 0, CPUID_EBX },
	{ LEAF_STRUCTURED, 0, CPUID_ECX, BIT(4) },	/* OSPKE */
	{ LEAF_STRUCTURED, 0, CPUID_EDX },
	{ LEAF_STRUCTURED, 1, CPUID_EAX },
	{ LEAF_STRUCTURED, 1, CPUID_EDX },
	{ LEAF_STRUCTURED, 2, CPUID_EDX },
	{ LEAF_XSAVE, 0, CPUID_EAX },
	{ LEAF_XSAVE, 0, CPUID_EDX },
	{ LEAF_XSAVE, 1, CPUID_EAX },
	{ LEAF_KVM_FEATURES, 0, CPUID_EAX },
	{ LEAF_AMD_FEATURES, 0, CPUID_ECX, AMD_ECX_CMP_LEGACY },
	{ LEAF_AMD_FEATURES, 0, CPUID_EDX },
	{ LEAF_AMD_POWER, 0, CPUID_EDX },
	{ LEAF_AMD_SIZES, 0, CPUID_EBX },
};

/* A register's features in a table; none when it lacks the leaf. */
static u32 features_in(const struct kvm_cpuid2 *table,
		       const struct cpuid_feature_reg *f)
{
	static const struct kvm_cpuid_entry2 none;
	const struct kvm_cpuid_entry2 *found =
		cpuid_find(table, f->function, f->index);
	const struct kvm_cpuid_entry2 *e = found ? found : &none;
	const u32 regs[] = { e->eax, e->ebx, e->ecx, e->edx };

	return regs[f->reg];
}

/**
 * struct missing - features that a host lacks, as a text
 * @text: the names, separated
 * @len: of it
 * @nr: how many there are
 * @left_out: so many of them did not fit
 */
struct missing {
	char text[320];
	size_t len;
	u32 nr;
	u32 left_out;
};

static void add_missing(struct missing *m, const struct cpuid_feature_reg *f,
			u32 bit)
{
	static const char *const regs[] = { "eax", "ebx", "ecx", "edx" };
	const char *name = cpuid_feature_name(f->function, f->index, f->reg,
					      bit);
	char word[64];
	size_t n;

	if (name)
		n = (size_t)snprintf(word, sizeof(word), "%s%s",
				     m->len ? ", " : "", name);
	else
		n = (size_t)snprintf(word, sizeof(word),
				     "%sCPUID leaf 0x%x/%u %s bit %u",
				     m->len ? ", " : "", f->function, f->index,
				     regs[f->reg], bit);
	m->nr++;
	if (m->left_out || n >= sizeof(m->text) - m->len) {
		m->left_out++;
		return;
	}
	memcpy(m->text + m->len, word, n + 1);
	m->len += n;
}

/**
 * cpuid_check() - could this host be the CPU that a guest has seen?
 * @wanted: the table that the guest has been given
 * @supported: what KVM offers here
 * @present: what a new vCPU has here: KVM may give it more than it offers
 * @err: the features that are missing, by their names
 *
 * Return: 0, or -ENOTSUP.
 */
int cpuid_check(const struct kvm_cpuid2 *wanted,
		const struct kvm_cpuid2 *supported,
		const struct kvm_cpuid2 *present, struct error *err)
{
	struct missing m = { .len = 0 };
	char more[32] = "";
	size_t i;
	u32 bit;

	for (i = 0; i < ARRAY_SIZE(feature_regs); i++) {
		const struct cpuid_feature_reg *f = &feature_regs[i];
		u32 here = features_in(supported, f) | features_in(present, f);
		u32 missing = features_in(wanted, f) & ~here & ~f->ignore;

		for (bit = 0; bit < 32; bit++)
			if (missing & BIT(bit))
				add_missing(&m, f, bit);
	}
	if (!m.nr)
		return 0;
	if (m.left_out)
		snprintf(more, sizeof(more), " and %u more", m.left_out);
	return error_set(err, -ENOTSUP,
			 "this host's CPU lacks features that the guest uses: %s%s",
			 m.text, more);
}
