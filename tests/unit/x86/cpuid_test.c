// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: CPUID tables made from what two imaginary hosts offer
 */
#include "tests/lib/harness.h"

#include <stdlib.h>
#include <string.h>

#include "arch/x86/cpuid.h"

#define INDEXED	KVM_CPUID_FLAG_SIGNIFCANT_INDEX

/* A host with 16 threads, whose own topology must not show. */
static const struct kvm_cpuid_entry2 intel[] = {
	{ .function = 0, .eax = 0x1f, .ebx = 0x756e6547, .ecx = 0x6c65746e,
	  .edx = 0x49656e69 },
	{ .function = 1, .eax = 0x806f8, .ebx = 0x0d100800, .ecx = 0x7ffafbff,
	  .edx = 0x0f8bfbff },
	{ .function = 4, .index = 0, .flags = INDEXED, .eax = 0x3c004121 },
	{ .function = 4, .index = 1, .flags = INDEXED, .eax = 0x3c004143 },
	{ .function = 4, .index = 2, .flags = INDEXED, .eax = 0x3c07c163 },
	{ .function = 4, .index = 3, .flags = INDEXED },
	{ .function = 6, .eax = 0xffffffff, .ebx = 3, .ecx = 9, .edx = 7 },
	{ .function = 7, .index = 0, .flags = INDEXED, .eax = 1,
	  .ebx = 0xffffffff, .ecx = 0xffffffff, .edx = 0x10 },
	{ .function = 7, .index = 1, .flags = INDEXED, .eax = 0x24 },
	{ .function = 0xb, .index = 0, .flags = INDEXED, .ecx = 1, .edx = 13 },
	{ .function = 0xb, .index = 1, .flags = INDEXED, .ecx = 2, .edx = 13 },
	{ .function = 0x12, .index = 0, .flags = INDEXED, .eax = 3 },
	{ .function = 0x1f, .index = 0, .flags = INDEXED, .edx = 13 },
	{ .function = 0x40000000, .eax = 0x40000001 },
	{ .function = 0x40000001, .eax = 0x0100fefb },
	{ .function = 0x80000001, .ecx = 0x123, .edx = 0x2c100800 },
	{ .function = 0x80000007, .edx = 0x100 },
	{ .function = 0x80000008, .eax = 0x302e, .ecx = 0x77 },
};

static const struct kvm_cpuid_entry2 amd[] = {
	{ .function = 0, .eax = 0xd, .ebx = 0x68747541, .ecx = 0x444d4163,
	  .edx = 0x69746e65 },
	{ .function = 1, .ebx = 0x0d100800, .ecx = 0x80202000,
	  .edx = 0x178bfbff },
	{ .function = 0x40000000, .eax = 0x40000001 },
	{ .function = 0x80000001, .ecx = 0x400002 },
	{ .function = 0x80000007 },
	{ .function = 0x80000008, .eax = 0x3028, .ecx = 0x7010 },
	{ .function = 0x8000001d, .index = 0, .flags = INDEXED,
	  .eax = 0x4121 },
	{ .function = 0x8000001d, .index = 3, .flags = INDEXED,
	  .eax = 0x1c163 },
	{ .function = 0x8000001e, .eax = 13, .ebx = 0x101, .ecx = 0x203 },
	{ .function = 0x80000026, .index = 0, .flags = INDEXED, .edx = 13 },
};

static struct kvm_cpuid2 *host(const struct kvm_cpuid_entry2 *entries, u32 nr)
{
	struct kvm_cpuid2 *t = calloc(1, sizeof(*t) + nr * sizeof(*entries));

	t->nent = nr;
	memcpy(t->entries, entries, nr * sizeof(*entries));
	return t;
}

static struct kvm_cpuid2 *make(const struct kvm_cpuid_entry2 *entries, u32 nr,
			       u32 apic_id, u32 cores)
{
	struct cpuid_params p = {
		.apic_id = apic_id, .cores = cores, .tsc_deadline = true,
		.tsc_khz = 2500000,
	};
	struct kvm_cpuid2 *supported = host(entries, nr), *table;
	int ret = cpuid_make(supported, &p, &table, NULL);

	assert(!ret);
	free(supported);
	return table;
}

#define INTEL(id, cores)	make(intel, ARRAY_SIZE(intel), id, cores)
#define AMD(id, cores)		make(amd, ARRAY_SIZE(amd), id, cores)

TEST(feature_leaf_has_own_id_and_hypervisor_bit)
{
	struct kvm_cpuid2 *t = INTEL(5, 6);
	const struct kvm_cpuid_entry2 *e = cpuid_find(t, 1, 0);

	EXPECT_EQ(0x05080800, e->ebx);
	EXPECT_EQ(BIT(31) | BIT(24), e->ecx & (BIT(31) | BIT(24) | BIT(27)));
	EXPECT_EQ(BIT(28), e->edx & BIT(28));
	free(t);
	t = INTEL(0, 1);
	e = cpuid_find(t, 1, 0);
	EXPECT_EQ(0x00010800, e->ebx);
	EXPECT_EQ(0, e->edx & BIT(28));
	free(t);
}

TEST(last_of_255_keeps_its_id)
{
	struct kvm_cpuid2 *t = INTEL(254, 255);

	EXPECT_EQ(0xfeff0800, cpuid_find(t, 1, 0)->ebx);
	EXPECT_EQ(254, cpuid_find(t, 0xb, 0)->edx);
	EXPECT_EQ(8, cpuid_find(t, 0xb, 1)->eax);
	EXPECT_EQ(255, cpuid_find(t, 0xb, 1)->ebx);
	EXPECT_EQ(63, cpuid_find(t, 4, 0)->eax >> 26);
	free(t);
}

TEST(topology_leaves_are_the_guests)
{
	static const u32 leaves[] = { 0xb, 0x1f };
	struct kvm_cpuid2 *t = INTEL(2, 4);
	size_t i;
	u32 n = 0, k;

	for (k = 0; k < t->nent; k++)
		n += t->entries[k].function == 0xb;
	EXPECT_EQ(3, n);
	for (i = 0; i < ARRAY_SIZE(leaves); i++) {
		const struct kvm_cpuid_entry2 *e = cpuid_find(t, leaves[i], 0);

		EXPECT_EQ(0, e->eax);
		EXPECT_EQ(1, e->ebx);
		EXPECT_EQ(0x100, e->ecx);
		EXPECT_EQ(2, e->edx);
		e = cpuid_find(t, leaves[i], 1);
		EXPECT_EQ(2, e->eax);
		EXPECT_EQ(4, e->ebx);
		EXPECT_EQ(0x201, e->ecx);
		EXPECT_EQ(2, e->edx);
		e = cpuid_find(t, leaves[i], 2);
		EXPECT_EQ(0, e->ebx);
		EXPECT_EQ(2, e->ecx);
		EXPECT_EQ(2, e->edx);
	}
	free(t);
}

TEST(no_topology_leaf_above_the_highest)
{
	struct kvm_cpuid2 *t = AMD(0, 2);

	EXPECT_NE(NULL, cpuid_find(t, 0xb, 0));
	EXPECT_EQ(NULL, cpuid_find(t, 0x1f, 0));
	EXPECT_EQ(NULL, cpuid_find(t, 0x80000026, 0));
	free(t);
}

TEST(caches_are_shared_as_the_topology_says)
{
	struct kvm_cpuid2 *t = INTEL(0, 6);

	EXPECT_EQ(0, cpuid_find(t, 4, 0)->eax >> 14 & 0xfff);
	EXPECT_EQ(0, cpuid_find(t, 4, 1)->eax >> 14 & 0xfff);
	EXPECT_EQ(7, cpuid_find(t, 4, 2)->eax >> 14 & 0xfff);
	EXPECT_EQ(7, cpuid_find(t, 4, 0)->eax >> 26);
	EXPECT_EQ(0, cpuid_find(t, 4, 3)->eax);
	EXPECT_EQ(0x121, cpuid_find(t, 4, 0)->eax & 0x3fff);
	free(t);
	t = AMD(0, 4);
	EXPECT_EQ(0x121, cpuid_find(t, 0x8000001d, 0)->eax);
	EXPECT_EQ(3, cpuid_find(t, 0x8000001d, 3)->eax >> 14 & 0xfff);
	free(t);
}

TEST(amd_leaves_have_the_guests_ids)
{
	struct kvm_cpuid2 *t = AMD(3, 4);

	EXPECT_EQ(0x2003, cpuid_find(t, 0x80000008, 0)->ecx & 0xf0ff);
	EXPECT_EQ(3, cpuid_find(t, 0x8000001e, 0)->eax);
	EXPECT_EQ(3, cpuid_find(t, 0x8000001e, 0)->ebx);
	EXPECT_EQ(0, cpuid_find(t, 0x8000001e, 0)->ecx);
	EXPECT_EQ(0x400002, cpuid_find(t, 0x80000001, 0)->ecx);
	free(t);
	t = AMD(0, 1);
	EXPECT_EQ(0x400000, cpuid_find(t, 0x80000001, 0)->ecx);
	free(t);
	/* The same bits mean something else on Intel. */
	t = INTEL(0, 1);
	EXPECT_EQ(0x77, cpuid_find(t, 0x80000008, 0)->ecx);
	EXPECT_EQ(0x123, cpuid_find(t, 0x80000001, 0)->ecx);
	free(t);
}

TEST(what_the_machine_has_not_is_not_promised)
{
	struct kvm_cpuid2 *t = INTEL(0, 1);

	EXPECT_EQ(BIT(2), cpuid_find(t, 6, 0)->eax);
	EXPECT_EQ(0, cpuid_find(t, 6, 0)->ecx);
	EXPECT_EQ(~BIT(2), cpuid_find(t, 7, 0)->ebx);
	EXPECT_EQ(~(BIT(5) | BIT(30)), cpuid_find(t, 7, 0)->ecx);
	EXPECT_EQ(0x24, cpuid_find(t, 7, 1)->eax);
	EXPECT_EQ(0, cpuid_find(t, 0x12, 0)->eax);
	EXPECT_EQ(0x01007efb, cpuid_find(t, 0x40000001, 0)->eax);
	free(t);
}

TEST(frequency_is_told_only_when_it_never_changes)
{
	struct kvm_cpuid2 *t = INTEL(0, 1);

	EXPECT_EQ(0x40000010, cpuid_find(t, 0x40000000, 0)->eax);
	EXPECT_EQ(2500000, cpuid_find(t, 0x40000010, 0)->eax);
	EXPECT_EQ(1000000, cpuid_find(t, 0x40000010, 0)->ebx);
	free(t);
	t = AMD(0, 1);
	EXPECT_EQ(0x40000001, cpuid_find(t, 0x40000000, 0)->eax);
	EXPECT_EQ(NULL, cpuid_find(t, 0x40000010, 0));
	free(t);
}

TEST(table_that_kvm_would_not_take_is_refused)
{
	struct kvm_cpuid_entry2 many[CPUID_ENTRIES_MAX - 1] = { 0 };
	struct cpuid_params p = { .cores = 1 };
	struct error err = ERROR_INIT;
	struct kvm_cpuid2 *t, *supported;

	many[0].eax = 0xb;
	supported = host(many, ARRAY_SIZE(many));
	EXPECT_EQ(-E2BIG, cpuid_make(supported, &p, &t, &err));
	EXPECT_NE(NULL, strstr(err.text, "258 entries"));
	free(supported);
}

TEST(another_host_must_have_all_that_the_guest_uses)
{
	struct kvm_cpuid2 *here = host(intel, ARRAY_SIZE(intel));
	struct kvm_cpuid2 *present = INTEL(1, 4);
	struct kvm_cpuid2 *guest = INTEL(0, 4);
	struct error err = ERROR_INIT;

	EXPECT_EQ(0, cpuid_check(guest, here, present, &err));
	/* 7.0 EBX: missing in one of the two, then in both. */
	here->entries[7].ebx &= ~BIT(16);
	EXPECT_EQ(0, cpuid_check(guest, here, present, &err));
	EXPECT_EQ(-ENOTSUP, cpuid_check(guest, here, here, &err));
	EXPECT_STREQ("this host's CPU lacks features that the guest uses: avx512f",
		     err.text);
	/* In several registers, and one that has no name. */
	here->entries[7].ebx &= ~BIT(13);
	here->entries[15].edx &= ~BIT(29);
	EXPECT_EQ(-ENOTSUP, cpuid_check(guest, here, here, &err));
	EXPECT_NE(NULL, strstr(err.text,
			       ": CPUID leaf 0x7/0 ebx bit 13, avx512f, lm"))
		TH_LOG("%s", err.text);
	/* What is missing altogether has no features. */
	here->nent = 7;
	EXPECT_EQ(-ENOTSUP, cpuid_check(guest, here, here, &err));
	EXPECT_NE(NULL, strstr(err.text, "fsgsbase, tsc_adjust,"))
		TH_LOG("%s", err.text);
	EXPECT_NE(NULL, strstr(err.text, " more"));
	EXPECT_GT(sizeof(err.text) - 64, strlen(err.text));
	free(guest);
	free(present);
	free(here);
}

TEST(features_have_the_names_that_linux_has)
{
	EXPECT_STREQ("sse2", cpuid_feature_name(1, 0, CPUID_EDX, 26));
	EXPECT_STREQ("avx", cpuid_feature_name(1, 0, CPUID_ECX, 28));
	EXPECT_STREQ("hypervisor", cpuid_feature_name(1, 0, CPUID_ECX, 31));
	EXPECT_STREQ("avx512vl", cpuid_feature_name(7, 0, CPUID_EBX, 31));
	EXPECT_STREQ("la57", cpuid_feature_name(7, 0, CPUID_ECX, 16));
	EXPECT_STREQ("pks", cpuid_feature_name(7, 0, CPUID_ECX, 31));
	EXPECT_STREQ("spec_ctrl_ssbd", cpuid_feature_name(7, 0, CPUID_EDX, 31));
	EXPECT_STREQ("avx512_bf16", cpuid_feature_name(7, 1, CPUID_EAX, 5));
	EXPECT_STREQ("xsaves", cpuid_feature_name(0xd, 1, CPUID_EAX, 3));
	EXPECT_STREQ("kvmclock_stable",
		     cpuid_feature_name(0x40000001, 0, CPUID_EAX, 24));
	EXPECT_STREQ("lm", cpuid_feature_name(0x80000001, 0, CPUID_EDX, 29));
	EXPECT_STREQ("mwaitx", cpuid_feature_name(0x80000001, 0, CPUID_ECX, 29));
	EXPECT_STREQ("btc_no", cpuid_feature_name(0x80000008, 0, CPUID_EBX, 29));
	EXPECT_EQ(NULL, cpuid_feature_name(1, 0, CPUID_ECX, 16));
	EXPECT_EQ(NULL, cpuid_feature_name(2, 0, CPUID_EAX, 0));
}

TEST(width_of_addresses)
{
	struct kvm_cpuid2 *t = host(intel, ARRAY_SIZE(intel));

	EXPECT_EQ(46, cpuid_phys_bits(t));
	t->nent = 1;
	EXPECT_EQ(36, cpuid_phys_bits(t));
	free(t);
}

TEST_HARNESS_MAIN
