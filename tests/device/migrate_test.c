// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: migration/migrate.c and receive.c: whatever breaks, exactly one runs
 */
#include "tests/device/test_migrate.h"

TEST_F(migrate, machine_runs_there_with_its_memory_and_disk)
{
	struct vm *there;

	migrate(_metadata, self, NEVER);
	there = self->target.vm;
	EXPECT_EQ(0, self->result.code) TH_LOG("%s", self->result.text);
	EXPECT_EQ(0, self->target.err.code)
		TH_LOG("%s", self->target.err.text);
	EXPECT_TRUE(self->target.runs);
	EXPECT_FALSE(runs_here(self));
	ASSERT_NE(NULL, there);
	EXPECT_EQ(0, memcmp(testvm_ram(self->vm, TESTVM_RAM, RAM),
			    testvm_ram(there, TESTVM_RAM, RAM), RAM));
	/* The disk is the other one's. */
	EXPECT_EQ(-EBUSY, device_disks_take(self->vm, &self->err));
	end_target(self);
}

TEST_F(migrate, paused_machine_stays_paused)
{
	ASSERT_EQ(0, vm_pause(self->vm, &self->err));
	migrate(_metadata, self, NEVER);
	EXPECT_EQ(0, self->result.code) TH_LOG("%s", self->result.text);
	EXPECT_EQ(0, self->target.err.code)
		TH_LOG("%s", self->target.err.text);
	EXPECT_FALSE(self->target.runs);
	ASSERT_NE(NULL, self->target.vm);
	EXPECT_EQ(VM_PAUSED, vm_phase_get(self->target.vm));
	/* And it is the target's all the same. */
	EXPECT_EQ(-EBUSY, device_disks_take(self->vm, &self->err));
	end_target(self);
}

TEST_F(migrate, numbers_are_told)
{
	struct rounds_report report;

	migrate(_metadata, self, NEVER);
	ASSERT_EQ(0, self->result.code) TH_LOG("%s", self->result.text);
	rounds_report(&self->m->rounds, &report);
	EXPECT_LT(0, report.rounds);
	EXPECT_EQ(report.total, report.done);
	/* The setup has filled two mebibytes, tables are there, nobody writes. */
	EXPECT_LE(2 * MIB / MEMORY_PAGE_SIZE, report.pages_sent);
	EXPECT_GT(3 * MIB / MEMORY_PAGE_SIZE, report.pages_sent);
	EXPECT_EQ(0, report.pages_again);
	EXPECT_EQ(RAM / MEMORY_PAGE_SIZE,
		  report.pages_sent + report.pages_zero);
	/* Head and notes are sent as well. */
	EXPECT_LT(2 * MIB, report.sent);
	EXPECT_GT(3 * MIB, report.sent);
	EXPECT_LT(0, report.rate);
	EXPECT_EQ(0, report.dirty_bytes);
	EXPECT_EQ(0, report.dirty_rate);
	EXPECT_EQ(0, report.downtime_ms);
	EXPECT_EQ(0, report.left_ms);
	EXPECT_EQ(0, report.throttle);
	end_target(self);
}

TEST_F(migrate, one_connection_is_enough)
{
	self->links = 1;
	migrate(_metadata, self, NEVER);
	EXPECT_EQ(0, self->result.code) TH_LOG("%s", self->result.text);
	EXPECT_TRUE(self->target.runs);
	end_target(self);
}

/* Every frame in turn is the one that does not arrive any more. */
TEST_F(migrate, exactly_one_runs_wherever_the_link_breaks)
{
	u32 cut, total = 0;
	bool here, there;

	for (cut = 0; !total && cut < 400; cut++) {
		migrate(_metadata, self, cut);
		here = runs_here(self);
		there = self->target.runs;
		EXPECT_EQ(1, here + there)
			TH_LOG("cut after %u, a %s: here %d (%s), there %d (%s)",
			       cut, frame_name(self->carrier.last), here,
			       self->result.text, there,
			       self->target.err.text);
		/* Who runs has the disk, and says how it came to that. */
		EXPECT_EQ(here, self->result.code != 0);
		EXPECT_EQ(0, here ? device_disks_take(self->vm, &self->err) :
			     0);
		if (there)
			total = cut;
		end_target(self);
	}
	EXPECT_LT(10, total);
}

TEST_F(migrate, cancelled_it_runs_on_here)
{
	struct channel *links[2];
	struct migrate_request req = {
		.links = links, .links_nr = 2, .peer = "target",
		.downtime_ms = 100, .rate = 256 * KIB, .on_done = on_done,
		.arg = self,
	};

	sem_init(&self->target.over, 0, 0);
	sem_init(&self->target.done, 0, 0);
	connect_all(_metadata, self, links);
	self->carrier.cut_after = NEVER;
	ASSERT_EQ(0, pthread_create(&self->target.thread, NULL, target_thread,
				    &self->target));
	ASSERT_EQ(0, pthread_create(&self->carrier.thread, NULL,
				    carrier_thread, &self->carrier));
	ASSERT_EQ(0, migrate_start(self->vm, &req, &self->m, &self->err));
	/* At this rate the first round takes eight seconds. */
	while (atomic_load(&self->m->step) != MIGRATE_ROUNDS)
		iothread_run_once(&self->vm->loop, false);
	EXPECT_EQ(0, migrate_cancel(self->m, &self->err));
	while (!self->done)
		iothread_run_once(&self->vm->loop, true);
	EXPECT_EQ(-ECANCELED, self->result.code)
		TH_LOG("%s", self->result.text);
	EXPECT_TRUE(runs_here(self));
	migrate_destroy(self->m);
	self->m = NULL;
	while (sem_wait(&self->target.over) < 0)
		;
	EXPECT_FALSE(self->target.runs);
	end_target(self);
}

TEST_F(migrate, what_the_target_cannot_have_is_said_here)
{
	char moved[300];

	/* The image is not where the target looks for it. */
	snprintf(moved, sizeof(moved), "%s.moved", self->image);
	ASSERT_EQ(0, rename(self->image, moved));
	migrate(_metadata, self, NEVER);
	EXPECT_EQ(-EREMOTEIO, self->result.code);
	EXPECT_NE(NULL, strstr(self->result.text, "disk.img"))
		TH_LOG("%s", self->result.text);
	EXPECT_TRUE(runs_here(self));
	ASSERT_EQ(0, rename(moved, self->image));
	end_target(self);
}

TEST_HARNESS_MAIN
