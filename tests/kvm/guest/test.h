/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: the guest's tests
 */
#ifndef TESTS_KVM_GUEST_TEST_H
#define TESTS_KVM_GUEST_TEST_H

#include <stdnoreturn.h>

/**
 * struct test - one test
 * @name:	its name for test=NAME on the command line
 * @run:	does it; returns 0 if it passed, -1 after it said what is wrong
 * @summary:	what it shows, one line, with its command line words
 */
struct test {
	const char *name;
	int (*run)(void);
	const char *summary;
};

/* Each table ends with an entry without a name. */
extern const struct test pci_tests[];
extern const struct test nvme_tests[];
extern const struct test stamp_tests[];
extern const struct test dirty_tests[];
extern const struct test serial_tests[];
extern const struct test time_tests[];

/* These are the architecture's. */
extern const struct test machine_tests[];
extern const struct test end_tests[];

noreturn void guest_main(void);

#endif
