// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: devices/vmgenid.c: the ID in memory, and how the guest is told
 */
#include "tests/lib/harness.h"

#include <stdlib.h>
#include <string.h>

#include "tests/lib/testvm.h"
#include "vmm/arch.h"

#define RAM		(2 * MIB)
#define EVENTS		4
#define EVENT_CLONED	2

FIXTURE(vmgenid) {
	struct vm *vm;
	struct device *dev;
	const struct arch_resource *place;
	const struct arch_resource *events;
	struct error err;
};

FIXTURE_SETUP(vmgenid)
{
	memset(self, 0, sizeof(*self));
	self->place = arch_resource_find("vmgenid", 0);
	self->events = arch_resource_find("acpi-pm", 0);
	if (!self->place || !self->events)
		SKIP(return, "not on this architecture");
	self->vm = testvm_create(RAM);
	testvm_add(self->vm, "acpi-pm", 0, "");
	self->dev = testvm_add(self->vm, "vmgenid", 0, "");
	ASSERT_EQ(0, vm_start(self->vm, &self->err));
}

FIXTURE_TEARDOWN(vmgenid)
{
	if (self->vm)
		testvm_destroy(self->vm);
}

static void *id(FIXTURE_DATA(vmgenid) *self)
{
	return testvm_ram(self->vm, self->place->base, 16);
}

static u64 take_events(FIXTURE_DATA(vmgenid) *self)
{
	return testvm_pio_read(self->vm, self->events->base + EVENTS, 4);
}

TEST_F(vmgenid, is_random_and_stays)
{
	static const u8 zeros[16];
	u8 first[16];

	ASSERT_EQ(0, vm_resume(self->vm, &self->err));
	memcpy(first, id(self), sizeof(first));
	EXPECT_NE(0, memcmp(first, zeros, sizeof(first)));
	/* Whatever the guest does to it, and across pauses and resets. */
	memset(id(self), 0x77, sizeof(first));
	ASSERT_EQ(0, vm_pause(self->vm, &self->err));
	ASSERT_EQ(0, vm_resume(self->vm, &self->err));
	EXPECT_EQ(0, memcmp(first, id(self), sizeof(first)));
	ASSERT_EQ(0, vm_reset(self->vm, &self->err));
	ASSERT_EQ(0, vm_resume(self->vm, &self->err));
	EXPECT_EQ(0, memcmp(first, id(self), sizeof(first)));
	EXPECT_EQ(0, take_events(self));
}

TEST_F(vmgenid, clone_gets_another_and_an_event)
{
	u8 first[16], second[16];

	ASSERT_EQ(0, vm_resume(self->vm, &self->err));
	memcpy(first, id(self), sizeof(first));
	ASSERT_EQ(0, vm_pause(self->vm, &self->err));
	ASSERT_EQ(0, self->vm->new_generation(self->vm->generation_device,
					      &self->err));
	/* Memory of a machine that stands still does not change. */
	EXPECT_EQ(0, memcmp(first, id(self), sizeof(first)));
	ASSERT_EQ(0, vm_resume(self->vm, &self->err));
	memcpy(second, id(self), sizeof(second));
	EXPECT_NE(0, memcmp(first, second, sizeof(first)));
	EXPECT_EQ(EVENT_CLONED, take_events(self));
	EXPECT_EQ(0, take_events(self));
}

TEST_F(vmgenid, goes_along_in_the_state)
{
	void *state = testvm_save(self->dev);
	u8 first[16];

	ASSERT_EQ(0, vm_resume(self->vm, &self->err));
	memcpy(first, id(self), sizeof(first));
	ASSERT_EQ(0, vm_pause(self->vm, &self->err));
	ASSERT_EQ(0, self->vm->new_generation(self->vm->generation_device,
					      &self->err));
	ASSERT_EQ(0, testvm_load(self->dev, state, &self->err));
	ASSERT_EQ(0, vm_resume(self->vm, &self->err));
	EXPECT_EQ(0, memcmp(first, id(self), sizeof(first)));
	free(state);
}

TEST_F(vmgenid, what_is_written_is_marked_dirty)
{
	struct memory_block *b = &self->vm->memory.blocks[0];
	u64 page = self->place->base >> MEMORY_PAGE_SHIFT;

	ASSERT_EQ(0, guest_memory_track_start(&self->vm->memory));
	ASSERT_EQ(0, vm_resume(self->vm, &self->err));
	EXPECT_NE(0, b->dirty[page / 64] >> page % 64 & 1);
	guest_memory_track_stop(&self->vm->memory);
}

TEST_HARNESS_MAIN
