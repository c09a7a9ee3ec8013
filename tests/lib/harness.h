/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: the harness of the C tests
 *
 * The kernel's kselftest harness (TEST, TEST_F, EXPECT_*, ASSERT_*), with two
 * additions of our own:
 *
 *  - each test runs in a child process that ends with _exit(), which the leak
 *    checker of AddressSanitizer never sees: the child calls it by hand;
 *  - under a sanitizer, or on an emulated processor (TEST_EMULATED, as which
 *    counts whatever is built for another architecture than the builder's), code
 *    runs several times slower and the time limits are longer.
 *
 * A test file includes this header and ends with TEST_HARNESS_MAIN.
 */
#ifndef TESTS_LIB_HARNESS_H
#define TESTS_LIB_HARNESS_H

#include <unistd.h>

#include "tests/lib/harness_exit.h"

#define _exit(code) harness_child_exit(code)
#include <kselftest_harness.h>
#undef _exit

/* Ours, with a check of the type, comes with vmm/base/types.h. */
#undef ARRAY_SIZE

/* FIXTURE_SETUP() and its like make functions without a prototype. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
	defined(TEST_EMULATED)
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 180
#endif

#endif /* TESTS_LIB_HARNESS_H */
