// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: migration/machine_state.c: all or nothing
 *
 * A machine without vCPUs and with devices of a class of our own, which say
 * whether anything was installed.
 */
#include "tests/lib/harness.h"

#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

#include "migration/machine_state.h"
#include "migration/state_tree.h"
#include "tests/lib/testvm.h"

struct gadget_state {
	u32 value;
	u32 limit;
};

/**
 * struct gadget - a device that only has a state
 * @dev: the device
 * @now: its state
 * @loads: how often one was installed
 */
struct gadget {
	struct device dev;
	struct gadget_state now;
	u32 loads;
};

static const struct state_field gadget_fields[] = {
	STATE_U32(struct gadget_state, value, "value", 0, 100),
	STATE_U32(struct gadget_state, limit, "limit", 1, 100),
};

static const struct state_desc gadget_desc =
	STATE_DESC("lkvm,gadget-v1", struct gadget_state, gadget_fields);

static int gadget_realize(struct device *dev, struct error *err)
{
	return 0;
}

static void gadget_save(const struct device *dev, void *state)
{
	const struct gadget *g = container_of(dev, struct gadget, dev);

	memcpy(state, &g->now, sizeof(g->now));
}

/* What no table can say: one field's limit is another field. */
static int gadget_check(const struct device *dev, const void *state,
			struct error *err)
{
	const struct gadget_state *s = state;

	if (s->value > s->limit)
		return error_set(err, -EINVAL, "value %u is above limit %u",
				 s->value, s->limit);
	return 0;
}

static void gadget_load(struct device *dev, const void *state)
{
	struct gadget *g = container_of(dev, struct gadget, dev);

	memcpy(&g->now, state, sizeof(g->now));
	g->loads++;
}

static const struct device_ops gadget_ops = {
	.realize = gadget_realize,
	.save = gadget_save,
	.check = gadget_check,
	.load = gadget_load,
};

static const struct device_class gadget_class = {
	.name = "gadget",
	.compatible = "lkvm,gadget",
	.summary = "a state and nothing else",
	.kind = DEVICE_PLATFORM,
	.max = 8,
	.instance_size = sizeof(struct gadget),
	.state = &gadget_desc,
	.ops = &gadget_ops,
};

DEVICE_CLASS_REGISTER(gadget_class);

FIXTURE(state) {
	struct vm *vm;
	struct gadget *a;
	struct gadget *b;
	struct error err;
	void *blob;
	void *edit;
	u32 len;
	u32 edit_len;
};

FIXTURE_SETUP(state)
{
	memset(&self->err, 0, sizeof(self->err));
	self->vm = testvm_create(1 << 20);
	self->a = container_of(testvm_add(self->vm, "gadget", 0, NULL),
			       struct gadget, dev);
	self->b = container_of(testvm_add(self->vm, "gadget", 1, NULL),
			       struct gadget, dev);
	self->a->now = (struct gadget_state){ 1, 10 };
	self->b->now = (struct gadget_state){ 2, 20 };
	ASSERT_EQ(0, machine_state_save(self->vm, &self->blob, &self->len,
					&self->err));
	self->edit_len = self->len + 1024;
	self->edit = malloc(self->edit_len);
	ASSERT_EQ(0, fdt_open_into(self->blob, self->edit,
				   (int)self->edit_len));
	self->a->now = (struct gadget_state){ 3, 30 };
	self->b->now = (struct gadget_state){ 4, 40 };
}

FIXTURE_TEARDOWN(state)
{
	free(self->edit);
	free(self->blob);
	testvm_destroy(self->vm);
}

#define EXPECT_REFUSED(word) do {					\
	EXPECT_GT(0, machine_state_load(self->vm, self->edit,		\
					self->edit_len, &self->err));	\
	EXPECT_NE(NULL, strstr(self->err.text, word)) {			\
		TH_LOG("%s", self->err.text);				\
	}								\
	EXPECT_EQ(0, self->a->loads + self->b->loads);			\
	EXPECT_EQ(3, self->a->now.value);				\
	EXPECT_EQ(4, self->b->now.value);				\
} while (0)

static int at(const void *fdt, const char *path)
{
	return fdt_path_offset(fdt, path);
}

TEST_F(state, what_was_saved_is_installed)
{
	void *again;
	u32 len;

	ASSERT_EQ(0, machine_state_load(self->vm, self->edit, self->edit_len,
					&self->err)) {
		TH_LOG("%s", self->err.text);
	}
	EXPECT_EQ(1, self->a->now.value);
	EXPECT_EQ(20, self->b->now.limit);
	EXPECT_EQ(1, self->a->loads);
	ASSERT_EQ(0, machine_state_save(self->vm, &again, &len, &self->err));
	ASSERT_EQ(self->len, len);
	EXPECT_EQ(0, memcmp(self->blob, again, len));
	free(again);
}

TEST_F(state, a_bad_value_in_the_last_device_changes_nothing)
{
	fdt_setprop_u32(self->edit, at(self->edit, "/devices/gadget1"),
			"value", 101);
	EXPECT_REFUSED("/devices/gadget1: property \"value\": 0x65 is above");
}

TEST_F(state, what_the_device_refuses_changes_nothing)
{
	fdt_setprop_u32(self->edit, at(self->edit, "/devices/gadget1"),
			"value", 21);
	EXPECT_REFUSED("gadget1: value 21 is above limit 20");
}

TEST_F(state, a_device_without_a_state)
{
	fdt_del_node(self->edit, at(self->edit, "/devices/gadget1"));
	EXPECT_REFUSED("/devices/gadget1: is missing");
}

TEST_F(state, a_state_without_a_device)
{
	fdt_add_subnode(self->edit, at(self->edit, "/devices"), "gadget2");
	EXPECT_REFUSED("/devices: a node that is nothing of this machine");
}

TEST_F(state, a_state_twice)
{
	fdt_set_name(self->edit, at(self->edit, "/devices/gadget1"), "gadget0");
	EXPECT_REFUSED("/devices/gadget0: is there twice");
}

TEST_F(state, a_cpu_that_the_machine_does_not_have)
{
	fdt_add_subnode(self->edit, at(self->edit, "/cpus"), "cpu@0");
	EXPECT_REFUSED("/cpus: a node that is nothing of this machine");
}

TEST_F(state, other_groups_and_properties)
{
	fdt_setprop_u32(self->edit, at(self->edit, "/devices"), "x", 1);
	EXPECT_REFUSED("/devices: has a property");
	fdt_delprop(self->edit, at(self->edit, "/devices"), "x");
	fdt_setprop_u32(self->edit, 0, "x", 1);
	EXPECT_REFUSED("/: has other properties");
	fdt_delprop(self->edit, 0, "x");
	/* A new node comes before the others. */
	fdt_add_subnode(self->edit, 0, "x");
	EXPECT_REFUSED("/machine: is missing");
	fdt_del_node(self->edit, at(self->edit, "/x"));
	fdt_del_node(self->edit, at(self->edit, "/devices"));
	EXPECT_REFUSED("/devices: is missing");
}

TEST_F(state, another_format)
{
	fdt_setprop_string(self->edit, 0, "compatible", "lkvm,state-v2");
	EXPECT_REFUSED("is not \"lkvm,state-v1\"");
	fdt_delprop(self->edit, 0, "compatible");
	EXPECT_REFUSED("is not \"lkvm,state-v1\"");
}

TEST_F(state, any_part_of_a_tree)
{
	u32 cut;

	for (cut = 0; cut < self->len; cut++) {
		void *part = malloc(cut ? cut : 1);

		memcpy(part, self->blob, cut);
		EXPECT_GT(0, machine_state_load(self->vm, part, cut,
						&self->err));
		free(part);
	}
	EXPECT_EQ(0, self->a->loads + self->b->loads);
}

TEST_F(state, a_state_out_of_its_range_is_not_saved)
{
	void *blob;
	u32 len;

	self->b->now.limit = 0;
	EXPECT_EQ(-ERANGE, machine_state_save(self->vm, &blob, &len,
					      &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "gadget1: property \"limit\""));
}

TEST_HARNESS_MAIN
