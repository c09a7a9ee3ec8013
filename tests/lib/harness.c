// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the end of a test's child process
 *
 * See harness.h. A leak is told by exit code 254, which the harness reports as
 * "failed at step #254".
 */
#include <stdio.h>
#include <stdnoreturn.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

#include "tests/lib/harness_exit.h"

#ifdef LKVM_COVERAGE
void __gcov_dump(void);
#endif

/**
 * harness_child_exit() - end the process of one test
 * @code: what the harness wants to tell its parent, 0 for a passed test
 *
 * Turns a passed test into a failed one when it leaked memory.
 */
noreturn void harness_child_exit(int code)
{
	fflush(NULL);
#ifdef __SANITIZE_ADDRESS__
	if (code == 0 && __lsan_do_recoverable_leak_check())
		code = 254;
#endif
#ifdef LKVM_COVERAGE
	__gcov_dump();
#endif
	_exit(code);
}
