// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the tests that the guest does alone: what it is given, and that it passes
 *
 * Where the guest did I/O, the images are checked from outside, too. What only one
 * architecture has is in its folder.
 */
#include "tests/kvm/disk.h"
#include "tests/kvm/machine.h"
#include "tests/kvm/proto.h"
#include "tests/lib/harness.h"
#include "tests/lib/random.h"

#define LIMIT_S		300
#define WAIT_MS		280000

FIXTURE(guest)
{
	struct machine m;
	uint64_t seed;
};

/* not_qemu: it has no such thing, or (7.2, resets with I/O) it crashes. */
FIXTURE_VARIANT(guest)
{
	struct machine_setup setup;
	bool has_io;
	bool not_qemu;
};

FIXTURE_VARIANT_ADD(guest, first_instruction) {
	.setup = { .params = "test=exit" },
};

FIXTURE_VARIANT_ADD(guest, hello) {
	.setup = { .params = "test=hello,memory" },
};

FIXTURE_VARIANT_ADD(guest, small_memory) {
	.setup = { .params = "test=memory", .mib = 4 },
	.not_qemu = true,
};

FIXTURE_VARIANT_ADD(guest, memory_above_4g) {
	.setup = { .params = "test=hello,memory", .mib = 5120 },
};

FIXTURE_VARIANT_ADD(guest, rtc) {
	.setup = { .params = "test=rtc" },
};

FIXTURE_VARIANT_ADD(guest, timer) {
	.setup = { .params = "test=timer", .cpus = 2 },
};

FIXTURE_VARIANT_ADD(guest, one_cpu) {
	.setup = { .params = "test=smp" },
};

FIXTURE_VARIANT_ADD(guest, four_cpus) {
	.setup = { .params = "test=smp", .cpus = 4 },
};

FIXTURE_VARIANT_ADD(guest, sixteen_cpus) {
	.setup = { .params = "test=smp", .cpus = 16 },
};

FIXTURE_VARIANT_ADD(guest, serial_loopback) {
	.setup = { .params = "test=serial-loop" },
};

FIXTURE_VARIANT_ADD(guest, pci) {
	.setup = {
		.params = "test=pci-scan",
		.disk = { { .mib = { 1 } }, { .mib = { 1 } } },
	},
};

FIXTURE_VARIANT_ADD(guest, bar_moves) {
	.setup = { .params = "test=pci-bar-move", .disk[0].mib[0] = 16 },
};

FIXTURE_VARIANT_ADD(guest, nvme_identify) {
	.setup = {
		.params = "test=nvme-id",
		.disk = { { .mib = { 1, 2, 3 } }, { .mib = { 4 } } },
	},
};

FIXTURE_VARIANT_ADD(guest, nvme_interrupt_kinds) {
	.setup = { .params = "test=nvme-kinds", .disk[0].mib[0] = 16 },
};

FIXTURE_VARIANT_ADD(guest, nvme_masked_vector) {
	.setup = { .params = "test=nvme-mask", .disk[0].mib[0] = 16 },
};

FIXTURE_VARIANT_ADD(guest, nvme_event) {
	.setup = { .params = "test=nvme-event", .disk[0].mib[0] = 16 },
};

FIXTURE_VARIANT_ADD(guest, nvme_errors) {
	.setup = { .params = "test=nvme-errors", .disk[0].mib[0] = 16 },
};

FIXTURE_VARIANT_ADD(guest, io_prp) {
	.setup = { .params = "test=nvme-io pointer=prp", .disk[0].mib[0] = 16 },
	.has_io = true,
};

FIXTURE_VARIANT_ADD(guest, io_sgl) {
	.setup = { .params = "test=nvme-io pointer=sgl", .disk[0].mib[0] = 16 },
	.has_io = true,
};

FIXTURE_VARIANT_ADD(guest, io_large) {
	.setup = {
		.params = "test=nvme-io kb=512 qd=4 span=16384",
		.disk[0].mib[0] = 16,
	},
	.has_io = true,
};

FIXTURE_VARIANT_ADD(guest, io_large_pages) {
	.setup = {
		.params = "test=nvme-io page=65536 kb=256 qd=4",
		.disk[0].mib[0] = 16,
	},
	.has_io = true,
};

FIXTURE_VARIANT_ADD(guest, io_intx) {
	.setup = { .params = "test=nvme-io irq=intx", .disk[0].mib[0] = 16 },
	.has_io = true,
};

FIXTURE_VARIANT_ADD(guest, io_polled) {
	.setup = { .params = "test=nvme-io irq=poll", .disk[0].mib[0] = 16 },
	.has_io = true,
};

FIXTURE_VARIANT_ADD(guest, io_shadow_doorbells) {
	.setup = {
		.params = "test=nvme-io shadow=1 ops=1000",
		.disk[0].mib[0] = 16,
	},
	.has_io = true,
};

FIXTURE_VARIANT_ADD(guest, io_smallest_queue) {
	.setup = {
		.params = "test=nvme-io depth=2 qd=1",
		.disk[0].mib[0] = 16,
	},
	.has_io = true,
};

FIXTURE_VARIANT_ADD(guest, io_deep) {
	.setup = {
		.params = "test=nvme-io depth=256 qd=200 kb=8 ops=2000",
		.disk[0].mib[0] = 16,
	},
	.has_io = true,
};

FIXTURE_VARIANT_ADD(guest, io_many_queues) {
	.setup = {
		.params = "test=nvme-io queues=32 ops=64 qd=2",
		.disk[0].mib[0] = 16,
	},
	.has_io = true,
};

FIXTURE_VARIANT_ADD(guest, io_cpus) {
	.setup = {
		.params = "test=nvme-io cpus=4",
		.cpus = 4,
		.disk[0].mib[0] = 16,
	},
	.has_io = true,
};

FIXTURE_VARIANT_ADD(guest, io_cpus_shadow_doorbells) {
	.setup = {
		.params = "test=nvme-io cpus=2 queues=4 shadow=1",
		.cpus = 2,
		.disk[0].mib[0] = 16,
	},
	.has_io = true,
};

FIXTURE_VARIANT_ADD(guest, io_iothreads) {
	.setup = {
		.params = "test=nvme-io cpus=2 queues=4",
		.cpus = 2,
		.disk = { { .mib = { 16 }, .options = ",iothreads=2" } },
	},
	.has_io = true,
	.not_qemu = true,
};

FIXTURE_VARIANT_ADD(guest, io_blocks_of_4096) {
	.setup = {
		.params = "test=nvme-io",
		.disk = { { .mib = { 16 }, .options = ",bs=4096" } },
	},
	.has_io = true,
	.not_qemu = true,
};

FIXTURE_VARIANT_ADD(guest, io_writeback) {
	.setup = {
		.params = "test=nvme-io",
		.disk = { { .mib = { 16 }, .options = ",cache=writeback" } },
	},
	.has_io = true,
	.not_qemu = true,
};

FIXTURE_VARIANT_ADD(guest, io_namespaces) {
	.setup = {
		.params = "test=nvme-io queues=2",
		.disk = { { .mib = { 8, 4, 2 } } },
	},
	.has_io = true,
};

FIXTURE_VARIANT_ADD(guest, io_controllers) {
	.setup = {
		.params = "test=nvme-io cpus=2",
		.cpus = 2,
		.disk = { { .mib = { 8 } }, { .mib = { 8, 8 } }, { .mib = { 4 } } },
	},
	.has_io = true,
};

FIXTURE_VARIANT_ADD(guest, io_through_reset) {
	.setup = { .params = "test=nvme-reset loops=10", .disk[0].mib[0] = 16 },
	.has_io = true,
	.not_qemu = true,
};

FIXTURE_VARIANT_ADD(guest, io_through_reset_with_shadow_doorbells) {
	.setup = {
		.params = "test=nvme-reset shadow=1 queues=4",
		.disk[0].mib[0] = 16,
	},
	.has_io = true,
	.not_qemu = true,
};

FIXTURE_VARIANT_ADD(guest, io_through_reset_with_intx) {
	.setup = { .params = "test=nvme-reset irq=intx", .disk[0].mib[0] = 16 },
	.has_io = true,
	.not_qemu = true,
};

FIXTURE_VARIANT_ADD(guest, stamp) {
	.setup = {
		.params = "test=stamp beats=5 mem=all cpus=2",
		.cpus = 2,
		.disk[0].mib[0] = 16,
	},
	.has_io = true,
};

FIXTURE_VARIANT_ADD(guest, stamp_without_disk) {
	.setup = { .params = "test=stamp beats=5 mem=32" },
};

FIXTURE_SETUP(guest)
{
	struct test_random rnd;

	self->seed = test_random_init(&rnd);
	self->m = (struct machine){ .in = -1, .out = -1 };
}

FIXTURE_TEARDOWN(guest)
{
	machine_destroy(&self->m);
}

TEST_F_TIMEOUT(guest, passes, LIMIT_S)
{
	struct machine_setup s = variant->setup;
	char params[256];

	if (machine_unavailable())
		SKIP(return, "%s", machine_unavailable());
	if (variant->not_qemu && machine_is_qemu())
		SKIP(return, "not with QEMU");
	snprintf(params, sizeof(params), "%s seed=%llu", s.params,
		 (unsigned long long)self->seed);
	s.params = params;
	ASSERT_TRUE(machine_ends(&self->m, &s, GUEST_EXIT_PASS, WAIT_MS));
	if (variant->has_io) {
		const int checked = disks_check(&self->m, self->seed);

		if (checked <= 0)
			machine_show(&self->m);
		EXPECT_GT(checked, 0);
	}
}

TEST_HARNESS_MAIN
