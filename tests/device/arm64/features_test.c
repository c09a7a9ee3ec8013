// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the features of real vCPUs: what options leave, what a host refuses
 *
 * Needs /dev/kvm. The registers that identify a CPU are changed in a saved
 * state, as if it came from another host.
 */
#include "tests/lib/harness.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arch/arm64/arm64_priv.h"
#include "arch/arm64/options.h"
#include "vmm/arch.h"
#include "vmm/base/math.h"
#include "vmm/option.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

#define REG_ISAR0	ARM64_SYS_REG(3, 0, 0, 6, 0)
#define REG_PMCR	ARM64_SYS_REG(3, 3, 9, 12, 0)
#define REG_APIAKEYLO	ARM64_SYS_REG(3, 0, 2, 1, 0)
#define ATOMIC		20
#define SHA3		32

FIXTURE(features) {
	struct arm64_options *o;
	struct arm64_vcpu_state *state;
	struct vm *vm;
	struct error err;
	u32 told;
	bool lacks_atomic;
	bool lacks_sha3;
};

static int make(FIXTURE_DATA(features) *self)
{
	struct vm_config config = {
		.name = "test", .cpus = 1, .memory_bytes = 16 * MIB,
		.kvm_path = "/dev/kvm", .arch_options = self->o,
	};
	int ret = vm_create(&config, &self->vm, &self->err);

	if (ret)
		self->vm = NULL;
	return ret ? ret : vm_start(self->vm, &self->err);
}

FIXTURE_SETUP(features)
{
	memset(self, 0, sizeof(*self));
	if (access("/dev/kvm", R_OK | W_OK))
		SKIP(return, "no access to /dev/kvm");
	self->o = option_config_new(&arch_options);
	self->state = calloc(1, sizeof(*self->state));
	ASSERT_TRUE(self->o && self->state);
}

FIXTURE_TEARDOWN(features)
{
	if (self->vm)
		vm_destroy(self->vm);
	option_config_free(&arch_options, self->o);
	free(self->state);
}

/* Where a register's value is in a state; NULL when it is not there. */
static u8 *value_of(struct arm64_vcpu_state *s, u64 id)
{
	u32 i, at = 0;

	for (i = 0; i < s->regs_nr; i++) {
		if (s->regs[i] == id)
			return s->values + at;
		at += 1U << ((s->regs[i] & KVM_REG_SIZE_MASK) >>
			     KVM_REG_SIZE_SHIFT);
	}
	return NULL;
}

static void tell(void *arg, const struct error *why)
{
	FIXTURE_DATA(features) *self = arg;

	self->told++;
	if (strstr(why->text, "CPU lacks") &&
	    strstr(why->text, "ID_AA64ISAR0_EL1")) {
		self->lacks_atomic |= !!strstr(why->text, "ATOMIC");
		self->lacks_sha3 |= !!strstr(why->text, "SHA3");
	}
}

TEST_F(features, no_choice_is_left_open)
{
	ASSERT_EQ(0, make(self)) TH_LOG("%s", self->err.text);
	EXPECT_NE(CHOICE_AUTO, self->o->sve);
	EXPECT_NE(CHOICE_AUTO, self->o->pauth);
	EXPECT_NE(CHOICE_AUTO, self->o->pvtime);
}

TEST_F(features, what_is_off_is_not_there)
{
	self->o->sve = CHOICE_OFF;
	self->o->pauth = CHOICE_OFF;
	self->o->pvtime = CHOICE_OFF;
	ASSERT_EQ(0, make(self)) TH_LOG("%s", self->err.text);
	ASSERT_EQ(0, arch_vcpu_save(self->vm->vcpus, self->state, &self->err));
	EXPECT_EQ(NULL, value_of(self->state, KVM_REG_ARM64_SVE_VLS));
	EXPECT_EQ(NULL, value_of(self->state, REG_APIAKEYLO));
	EXPECT_EQ(NULL, value_of(self->state, REG_PMCR));
	EXPECT_EQ(CHOICE_OFF, self->o->pauth);
}

TEST_F(features, counters_are_saved_and_loaded)
{
	u64 pmcr;

	self->o->pmu = true;
	if (make(self)) {
		EXPECT_NE(NULL, strstr(self->err.text, "--pmu: this host"));
		SKIP(return, "%s", self->err.text);
	}
	ASSERT_EQ(0, arch_vcpu_save(self->vm->vcpus, self->state, &self->err));
	ASSERT_NE(NULL, value_of(self->state, REG_PMCR));
	ASSERT_EQ(0, arch_vcpu_load(self->vm->vcpus, self->state, &self->err))
		TH_LOG("%s", self->err.text);
	EXPECT_EQ(0, reg_get(self->vm->vcpus, REG_PMCR, &pmcr, &self->err));
	EXPECT_EQ(0, memcmp(&pmcr, value_of(self->state, REG_PMCR),
			    sizeof(pmcr)));
}

TEST_F(features, vectors_that_are_not_there_are_refused)
{
	self->o->sve = CHOICE_ON;
	self->o->sve_max_vl = 128;
	if (make(self)) {
		EXPECT_EQ(-ENOTSUP, self->err.code);
		EXPECT_NE(NULL, strstr(self->err.text, "--sve on: "));
		return;
	}
	ASSERT_EQ(0, arch_vcpu_save(self->vm->vcpus, self->state, &self->err));
	ASSERT_NE(NULL, value_of(self->state, KVM_REG_ARM64_SVE_VLS));
	EXPECT_EQ(1, *value_of(self->state, KVM_REG_ARM64_SVE_VLS));
	/* As if it came from a host with vectors of 512 bits. */
	*value_of(self->state, KVM_REG_ARM64_SVE_VLS) = 1 | 8;
	EXPECT_EQ(-ENOTSUP, arch_vcpu_load(self->vm->vcpus, self->state,
					   &self->err));
	EXPECT_NE(NULL, strstr(self->err.text,
			       "lacks SVE vectors of 512 bits"))
		TH_LOG("%s", self->err.text);
}

TEST_F(features, a_state_of_this_cpu_is_welcome)
{
	ASSERT_EQ(0, make(self)) TH_LOG("%s", self->err.text);
	ASSERT_EQ(0, arch_vcpu_save(self->vm->vcpus, self->state, &self->err));
	arch_vcpu_check(self->vm->vcpus, self->state, tell, self);
	EXPECT_EQ(0, self->told);
}

TEST_F(features, all_that_a_cpu_lacks_is_named)
{
	u64 isar0;

	ASSERT_EQ(0, make(self)) TH_LOG("%s", self->err.text);
	ASSERT_EQ(0, arch_vcpu_save(self->vm->vcpus, self->state, &self->err));
	ASSERT_NE(NULL, value_of(self->state, REG_ISAR0));
	memcpy(&isar0, value_of(self->state, REG_ISAR0), sizeof(isar0));
	isar0 |= 0xfULL << ATOMIC | 0xfULL << SHA3;
	memcpy(value_of(self->state, REG_ISAR0), &isar0, sizeof(isar0));
	arch_vcpu_check(self->vm->vcpus, self->state, tell, self);
	EXPECT_EQ(1, self->told);
	EXPECT_TRUE(self->lacks_atomic && self->lacks_sha3);
	EXPECT_EQ(-ENOTSUP, arch_vcpu_load(self->vm->vcpus, self->state,
					   &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "ATOMIC, SHA3"))
		TH_LOG("%s", self->err.text);
}

TEST_HARNESS_MAIN
