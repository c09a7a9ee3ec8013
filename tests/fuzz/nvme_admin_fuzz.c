// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: fuzzing the NVMe controller by a hostile driver: admin queue, registers
 *
 * As nvme_io_fuzz.c, but commands go to the admin queue, and the registers are
 * written as well.
 */
#include "tests/lib/nvme_fuzz.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	nvme_fuzz_run(data, size, NVME_FUZZ_ADMIN);
	return 0;
}
