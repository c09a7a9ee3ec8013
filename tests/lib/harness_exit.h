/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: how a test's child process ends
 *
 * Apart from harness.h, which defines functions and so can be included once in
 * a program.
 */
#ifndef TESTS_LIB_HARNESS_EXIT_H
#define TESTS_LIB_HARNESS_EXIT_H

#include <stdnoreturn.h>

noreturn void harness_child_exit(int code);

#endif /* TESTS_LIB_HARNESS_EXIT_H */
