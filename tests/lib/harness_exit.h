/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_LIB_HARNESS_EXIT_H
#define TESTS_LIB_HARNESS_EXIT_H

#include <stdnoreturn.h>

noreturn void harness_child_exit(int code);

#endif /* TESTS_LIB_HARNESS_EXIT_H */
