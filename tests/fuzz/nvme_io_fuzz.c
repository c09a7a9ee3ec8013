// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: fuzzing the NVMe controller by a hostile driver: I/O queues
 *
 * The input is a program for a driver that keeps to no rules. See
 * tests/lib/nvme_fuzz.h for its steps. The machine begins with an enabled
 * controller and two I/O queue pairs, so that most programs reach the commands.
 */
#include "tests/lib/nvme_fuzz.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	nvme_fuzz_run(data, size, NVME_FUZZ_IO);
	return 0;
}
