// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: arch/arm64: the options of machines, and what follows from them
 *
 * Without KVM: parsing, the machine description, the device tree as a file,
 * lists of CPUs, the host's counters, vector lengths, why a CPU will not do.
 */
#include "tests/lib/harness.h"

#include <fcntl.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arch/arm64/affinity.h"
#include "arch/arm64/arm64_priv.h"
#include "arch/arm64/boot_priv.h"
#include "arch/arm64/layout.h"
#include "arch/arm64/options.h"
#include "tests/lib/testvm.h"
#include "vmm/arch.h"
#include "vmm/base/math.h"
#include "vmm/description.h"

FIXTURE(options) {
	struct arm64_options *o;
	struct error err;
	char dir[64];
};

FIXTURE_SETUP(options)
{
	memset(self, 0, sizeof(*self));
	self->o = option_config_new(&arch_options);
	snprintf(self->dir, sizeof(self->dir), "/tmp/lkvm-options-XXXXXX");
	if (!mkdtemp(self->dir))
		abort();
}

FIXTURE_TEARDOWN(options)
{
	char command[128];

	option_config_free(&arch_options, self->o);
	snprintf(command, sizeof(command), "rm -rf %s", self->dir);
	if (system(command))
		abort();
}

/* Refused in one line that has these words in it. */
#define EXPECT_SAID(words) do {						\
	EXPECT_NE(NULL, strstr(self->err.text, words)) {		\
		TH_LOG("said: %s", self->err.text);			\
	}								\
	EXPECT_EQ(NULL, strchr(self->err.text, '\n'));			\
	self->err = (struct error)ERROR_INIT;				\
} while (0)

static int set(FIXTURE_DATA(options) *self, const char *name, const char *value)
{
	return option_set(&arch_options, self->o, name, value, &self->err);
}

TEST_F(options, defaults_leave_all_to_the_host)
{
	EXPECT_EQ(CHOICE_AUTO, self->o->sve);
	EXPECT_EQ(CHOICE_AUTO, self->o->pauth);
	EXPECT_EQ(CHOICE_AUTO, self->o->pvtime);
	EXPECT_EQ(ARM64_SVE_BITS_MAX, self->o->sve_max_vl);
	EXPECT_FALSE(self->o->pmu);
	EXPECT_EQ(NULL, self->o->vcpu_affinity);
	EXPECT_EQ(NULL, self->o->dump_dtb);
	EXPECT_EQ(0, self->o->kaslr_seed);
}

TEST_F(options, are_parsed)
{
	EXPECT_EQ(0, set(self, "pmu", NULL));
	EXPECT_EQ(0, set(self, "no-pvtime", NULL));
	EXPECT_EQ(0, set(self, "disable-mte", NULL));
	EXPECT_EQ(0, set(self, "sve-max-vl", "512"));
	EXPECT_EQ(0, set(self, "pauth", "off"));
	EXPECT_EQ(0, set(self, "kaslr-seed", "0xfedcba9876543210"));
	EXPECT_TRUE(self->o->pmu && self->o->no_pvtime);
	EXPECT_EQ(512, self->o->sve_max_vl);
	EXPECT_EQ(CHOICE_OFF, self->o->pauth);
	EXPECT_EQ(0xfedcba9876543210, self->o->kaslr_seed);
}

TEST_F(options, bad_values_are_refused)
{
	static const struct {
		const char *name;
		const char *value;
	} bad[] = {
		{ "sve-max-vl", "0" }, { "sve-max-vl", "127" },
		{ "sve-max-vl", "2049" }, { "sve-max-vl", "-128" },
		{ "sve-max-vl", "long" }, { "sve", "yes" }, { "sve", "" },
		{ "pmu", "perhaps" }, { "kaslr-seed", "random" },
		{ "kaslr-seed", "0x10000000000000000" },
		{ "vcpu-affinity", "" }, { "dump-dtb", "" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EINVAL, set(self, bad[i].name, bad[i].value)) {
			TH_LOG("%s=%s", bad[i].name, bad[i].value);
		}
		EXPECT_SAID(bad[i].name);
	}
}

TEST_F(options, an_open_choice_is_made_once)
{
	u32 choice = CHOICE_AUTO;

	EXPECT_EQ(0, option_decide(&choice, true, "sve", "SVE", &self->err));
	EXPECT_EQ(CHOICE_ON, choice);
	/* The next host has none. */
	EXPECT_EQ(-ENOTSUP, option_decide(&choice, false, "sve", "SVE",
					  &self->err));
	EXPECT_SAID("--sve on: this host's CPU or KVM has no SVE");
	choice = CHOICE_AUTO;
	EXPECT_EQ(0, option_decide(&choice, false, "sve", "SVE", &self->err));
	EXPECT_EQ(CHOICE_OFF, choice);
	EXPECT_EQ(0, option_decide(&choice, true, "sve", "SVE", &self->err));
	EXPECT_EQ(CHOICE_OFF, choice);
}

/* ---- the machine description -------------------------------------------- */

static struct description *describe(FIXTURE_DATA(options) *self, void **fdt)
{
	struct machine_config machine = {
		.cpus = 1, .memory = 64 * MIB, .arch = self->o,
	};
	struct description *d = NULL;

	if (description_write(&machine, NULL, 0, fdt, &self->err) ||
	    description_read(*fdt, fdt_totalsize(*fdt), &d, &self->err))
		abort();
	return d;
}

TEST_F(options, are_part_of_the_machine)
{
	const struct arm64_options *o;
	struct description *d;
	struct vm_config config;
	void *fdt = NULL;

	self->o->pmu = true;
	self->o->sve = CHOICE_ON;
	self->o->sve_max_vl = 256;
	self->o->pvtime = CHOICE_OFF;
	self->o->kaslr_seed = 77;
	d = describe(self, &fdt);
	ASSERT_NE(NULL, d);
	description_vm_config(d, &config);
	o = config.arch_options;
	ASSERT_NE(NULL, o);
	EXPECT_TRUE(o->pmu);
	EXPECT_EQ(CHOICE_ON, o->sve);
	EXPECT_EQ(256, o->sve_max_vl);
	EXPECT_EQ(CHOICE_OFF, o->pvtime);
	EXPECT_EQ(77, o->kaslr_seed);
	description_free(d);
	free(fdt);
}

TEST_F(options, a_description_without_them_has_the_defaults)
{
	struct description *d;
	void *fdt = NULL;

	self->o->pmu = true;
	description_free(describe(self, &fdt));
	ASSERT_EQ(0, fdt_del_node(fdt, fdt_path_offset(fdt, "/arch")));
	ASSERT_EQ(0, description_read(fdt, fdt_totalsize(fdt), &d,
				      &self->err));
	EXPECT_FALSE(((struct arm64_options *)d->machine->arch)->pmu);
	description_free(d);
	free(fdt);
}

TEST_F(options, a_description_is_not_believed)
{
	struct description *d;
	void *fdt = NULL;
	int node;

	description_free(describe(self, &fdt));
	node = fdt_path_offset(fdt, "/arch/guest");
	ASSERT_EQ(0, fdt_setprop_inplace_u32(fdt, node, "sve-max-vl", 4096));
	EXPECT_EQ(-EINVAL, description_read(fdt, fdt_totalsize(fdt), &d,
					    &self->err));
	EXPECT_SAID("/arch: guest");
	ASSERT_EQ(0, fdt_setprop_inplace_u32(fdt, node, "sve-max-vl", 256));
	ASSERT_EQ(0, fdt_setprop_inplace_u32(fdt, node, "pmu", 2));
	EXPECT_EQ(-EINVAL, description_read(fdt, fdt_totalsize(fdt), &d,
					    &self->err));
	EXPECT_SAID("pmu");
	free(fdt);
}

/* ---- the device tree ---------------------------------------------------- */

static void *make_tree(FIXTURE_DATA(options) *self, bool pmu, u64 seed)
{
	static const u64 mpidr[] = { 0, 1 };
	struct fdt_params p = {
		.cmdline = "", .mpidr = mpidr, .cpus = ARRAY_SIZE(mpidr),
		.gic = GIC_V3_ITS, .pmu = pmu, .kaslr_seed = seed,
	};
	struct vm *vm = testvm_create(16 * MIB);
	void *blob = NULL;
	u32 len = 0;

	if (fdt_make(vm, &p, &blob, &len, &self->err) ||
	    fdt_check_full(blob, len))
		abort();
	testvm_destroy(vm);
	return blob;
}

static u64 seed_of(const void *fdt)
{
	int len, node = fdt_path_offset(fdt, "/chosen");
	const fdt64_t *seed = fdt_getprop(fdt, node, "kaslr-seed", &len);

	return seed && len == sizeof(*seed) ? fdt64_ld(seed) : 0;
}

TEST_F(options, tree_has_counters_when_asked)
{
	void *with = make_tree(self, true, 0);
	void *without = make_tree(self, false, 0);
	int len, node = fdt_path_offset(with, "/pmu");
	const fdt32_t *irq = fdt_getprop(with, node, "interrupts", &len);

	EXPECT_EQ(0, fdt_node_check_compatible(with, node, "arm,armv8-pmuv3"));
	ASSERT_EQ(12, len);
	EXPECT_EQ(1, fdt32_ld(irq));
	EXPECT_EQ(ARM64_PMU_PPI, fdt32_ld(irq + 1));
	EXPECT_GT(0, fdt_path_offset(without, "/pmu"));
	free(with);
	free(without);
}

TEST_F(options, tree_has_the_seed_that_was_given)
{
	void *given = make_tree(self, false, 0x123456789abcdef0);
	void *one = make_tree(self, false, 0), *other = make_tree(self, false, 0);

	EXPECT_EQ(0x123456789abcdef0, seed_of(given));
	EXPECT_NE(0, seed_of(one));
	EXPECT_NE(seed_of(one), seed_of(other));
	free(given);
	free(one);
	free(other);
}

TEST_F(options, tree_as_a_file_is_whole)
{
	char path[128], bytes[5] = "";
	struct stat st;
	FILE *f;

	snprintf(path, sizeof(path), "%s/tree", self->dir);
	ASSERT_EQ(0, dump_dtb(path, "longer", 6, &self->err));
	ASSERT_EQ(0, dump_dtb(path, "tree", 4, &self->err));
	ASSERT_EQ(0, stat(path, &st));
	EXPECT_EQ(4, st.st_size);
	f = fopen(path, "r");
	ASSERT_NE(NULL, f);
	EXPECT_EQ(4, fread(bytes, 1, 5, f));
	fclose(f);
	EXPECT_STREQ("tree", bytes);
	/* Nothing else is left there. */
	ASSERT_EQ(0, unlink(path));
	EXPECT_EQ(0, rmdir(self->dir));
	ASSERT_EQ(0, mkdir(self->dir, 0700));
}

TEST_F(options, tree_that_cannot_be_written_is_one_line)
{
	char path[128];

	EXPECT_EQ(-ENOSPC, dump_dtb("/dev/full", "tree", 4, &self->err));
	EXPECT_SAID("--dump-dtb /dev/full: ");
	snprintf(path, sizeof(path), "%s/no/tree", self->dir);
	EXPECT_EQ(-ENOENT, dump_dtb(path, "tree", 4, &self->err));
	EXPECT_SAID("/no/tree: ");
	EXPECT_EQ(-EISDIR, dump_dtb(self->dir, "tree", 4, &self->err));
	EXPECT_SAID(self->dir);
}

/* ---- CPUs of the host --------------------------------------------------- */

TEST(lists_of_cpus)
{
	static const char *const bad[] = {
		"", ",", "1,", ",1", "a", "1-", "-1", "3-1", "1--2", "0x1",
		"1 2", "99999", "0-99999", "4294967296", "1-2-3",
	};
	cpu_set_t cpus;
	size_t i;

	EXPECT_TRUE(cpu_list_parse("0", &cpus));
	EXPECT_EQ(1, CPU_COUNT(&cpus));
	EXPECT_TRUE(cpu_list_parse("0-3,8,6-6,1023", &cpus));
	EXPECT_EQ(7, CPU_COUNT(&cpus));
	EXPECT_TRUE(CPU_ISSET(8, &cpus) && CPU_ISSET(1023, &cpus));
	EXPECT_FALSE(CPU_ISSET(7, &cpus));
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_FALSE(cpu_list_parse(bad[i], &cpus)) {
			TH_LOG("list %zu", i);
		}
	}
}

static void add_pmu(const char *dir, const char *name, const char *cpus,
		    const char *type)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (mkdir(path, 0700))
		abort();
	snprintf(path, sizeof(path), "%s/%s/cpus", dir, name);
	f = cpus ? fopen(path, "w") : NULL;
	if (f && (fputs(cpus, f) < 0 || fclose(f)))
		abort();
	snprintf(path, sizeof(path), "%s/%s/type", dir, name);
	f = fopen(path, "w");
	if (!f || fputs(type, f) < 0 || fclose(f))
		abort();
}

TEST_F(options, counters_are_those_of_all_cpus)
{
	cpu_set_t cpus;
	int id = 0;

	ASSERT_TRUE(cpu_list_parse("0-5", &cpus));
	EXPECT_EQ(0, pmu_find("/nonexistent", &cpus, &id, &self->err));
	EXPECT_GT(0, id);
	add_pmu(self->dir, "uncore", NULL, "5\n");
	add_pmu(self->dir, "armv8_little", "0-3\n", "8\n");
	EXPECT_EQ(0, pmu_find(self->dir, &cpus, &id, &self->err));
	EXPECT_GT(0, id);
	add_pmu(self->dir, "armv8_big", "4-5\n", "9\n");
	EXPECT_EQ(-EINVAL, pmu_find(self->dir, &cpus, &id, &self->err));
	EXPECT_SAID("--vcpu-affinity");
	ASSERT_TRUE(cpu_list_parse("1-3", &cpus));
	EXPECT_EQ(0, pmu_find(self->dir, &cpus, &id, &self->err));
	EXPECT_EQ(8, id);
	ASSERT_TRUE(cpu_list_parse("5", &cpus));
	EXPECT_EQ(0, pmu_find(self->dir, &cpus, &id, &self->err));
	EXPECT_EQ(9, id);
}

/* ---- features ----------------------------------------------------------- */

TEST(vectors_are_cut_short)
{
	u64 lengths = 0x8b;	/* 128, 256, 512, 1024 bits */

	EXPECT_EQ(1024, sve_limit(&lengths, ARM64_SVE_BITS_MAX));
	EXPECT_EQ(0x8b, lengths);
	EXPECT_EQ(512, sve_limit(&lengths, 896));
	EXPECT_EQ(0xb, lengths);
	EXPECT_EQ(256, sve_limit(&lengths, 384));
	EXPECT_EQ(128, sve_limit(&lengths, 128));
	EXPECT_EQ(1, lengths);
	lengths = 0x8;
	EXPECT_EQ(0, sve_limit(&lengths, 256));
}

TEST(features_have_names)
{
	u64 isar0 = ARM64_SYS_REG(3, 0, 0, 6, 0);
	u64 mmfr0 = ARM64_SYS_REG(3, 0, 0, 7, 0);
	char name[128];

	EXPECT_EQ(1, reg_features(isar0, 2ULL << 20, 0, name, sizeof(name)));
	EXPECT_STREQ("ATOMIC", name);
	EXPECT_EQ(2, reg_features(isar0, 0x1000000000000020ULL, 0x10, name,
				  sizeof(name)));
	EXPECT_STREQ("AES, RNDR", name);
	EXPECT_EQ(0, reg_features(isar0, 0x10, 0x20, name, sizeof(name)));
	EXPECT_EQ(0, reg_features(0, 2, 1, name, sizeof(name)));
	/* 15 is less than 0 in a field with a sign. */
	EXPECT_EQ(1, reg_features(mmfr0, 0, 0xfULL << 28, name, sizeof(name)));
	EXPECT_STREQ("TGRAN4", name);
	EXPECT_EQ(1, reg_features(KVM_REG_ARM64_SVE_VLS, 0xb, 0x83, name,
				  sizeof(name)));
	EXPECT_STREQ("SVE vectors of 512 bits", name);
	/* More than there is room for. */
	EXPECT_LT(10, reg_features(isar0, 0x7777777777777770ULL, 0, name, 16));
	EXPECT_GT(16, strlen(name));
}

TEST_F(options, a_cpu_that_will_not_do_is_refused_by_name)
{
	u64 pfr0 = ARM64_SYS_REG(3, 0, 0, 4, 0);

	EXPECT_EQ(-ENOTSUP, reg_refuse(1, pfr0, 1ULL << 32, 0, -EINVAL,
				       &self->err));
	EXPECT_SAID("vCPU 1: this host's CPU lacks SVE: ID_AA64PFR0_EL1 is 0x0 here");
	EXPECT_EQ(-ENOTSUP, reg_refuse(0, pfr0, 0, 1ULL << 48, -EINVAL,
				       &self->err));
	EXPECT_SAID("cannot hide DIT");
	EXPECT_EQ(-ENOTSUP, reg_refuse(0, KVM_REG_ARM64_SVE_VLS, 0xf, 3, -EPERM,
				       &self->err));
	EXPECT_SAID("lacks SVE vectors of 384 bits, SVE vectors of 512 bits");
	EXPECT_EQ(-ENOTSUP, reg_refuse(0, ARM64_SYS_REG(3, 0, 0, 0, 0), 1, 2,
				       -EINVAL, &self->err));
	EXPECT_SAID("register MIDR_EL1 is 0x2 and cannot be 0x1");
}

TEST_HARNESS_MAIN
