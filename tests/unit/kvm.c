// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: vmm/kvm.c: extensions that are needed
 *
 * Without KVM: what is no KVM has none of them.
 */
#include "tests/lib/harness.h"

#include <linux/kvm.h>
#include <string.h>

#include "vmm/kvm.h"

TEST(the_first_that_is_not_there_is_named)
{
	static const struct kvm_need needs[] = {
		KVM_NEED(KVM_CAP_IRQFD),
		KVM_NEED(KVM_CAP_MP_STATE),
	};
	struct error err = ERROR_INIT;

	EXPECT_EQ(0, kvm_extension(-1, KVM_CAP_IRQFD));
	EXPECT_EQ(0, kvm_check_needs(-1, needs, 0, "1.0", &err));
	EXPECT_EQ(-ENOTSUP, kvm_check_needs(-1, needs, 2, "9.9", &err));
	EXPECT_STREQ("this host's KVM has no KVM_CAP_IRQFD; Linux 9.9 or later is needed",
		     err.text);
}

TEST_HARNESS_MAIN
