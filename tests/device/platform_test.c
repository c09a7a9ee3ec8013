// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the small devices: power, keyboard controller, pvpanic, debug exit
 */
#include "tests/lib/harness.h"
#include "tests/lib/random.h"
#include "tests/lib/testvm.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/arch.h"

#define I8042_DATA	0
#define I8042_STATUS	4

FIXTURE(platform)
{
	struct vm *vm;
	const struct arch_resource *res;
	struct device *dev;
};

FIXTURE_SETUP(platform)
{
	self->vm = testvm_create(16 * MIB);
}

FIXTURE_TEARDOWN(platform)
{
	testvm_destroy(self->vm);
}

static u64 get_at(const struct arch_resource *res, struct vm *vm, u32 reg,
		  u32 len)
{
	return res->pio ? testvm_pio_read(vm, res->base + reg, len) :
			  testvm_mmio_read(vm, res->base + reg, len);
}

static void put_at(const struct arch_resource *res, struct vm *vm, u32 reg,
		   u64 value, u32 len)
{
	if (res->pio)
		testvm_pio_write(vm, res->base + reg, value, len);
	else
		testvm_mmio_write(vm, res->base + reg, value, len);
}

#define ended()		atomic_load(&self->vm->end)
#define get(reg)	get_at(self->res, self->vm, reg, 1)
#define put(reg, value)	put_at(self->res, self->vm, reg, value, 1)

/* Adds the device, or skips where the architecture has none. */
#define NEED(_class)							\
	do {								\
		self->res = arch_resource_find(_class, 0);		\
		if (!self->res)						\
			SKIP(return, "no " _class " on this architecture"); \
		self->dev = testvm_add(self->vm, _class, 0, NULL);	\
	} while (0)

TEST_F(platform, debug_exit_tells_its_byte)
{
	NEED("debug-exit");
	EXPECT_EQ(0, get(0));
	EXPECT_EQ(VM_END_NONE, ended());
	put(0, 0xa7);
	EXPECT_EQ(VM_END_DEBUG_EXIT, ended());
	EXPECT_EQ(0xa7, self->vm->end_code);
	/* The first reason stays. */
	put(0, 1);
	EXPECT_EQ(0xa7, self->vm->end_code);
}

TEST_F(platform, pvpanic_knows_two_events)
{
	NEED("pvpanic");
	EXPECT_EQ(3, get(0));
	put(0, 0xfc);
	EXPECT_EQ(VM_END_NONE, ended());
	put(0, 2);
	EXPECT_EQ(VM_END_NONE, ended());
	put(0, 1);
	EXPECT_EQ(VM_END_PANIC, ended());
}

TEST_F(platform, acpi_powers_off_on_s5_only)
{
	u32 type;

	NEED("acpi-pm");
	for (type = 0; type < 8; type++) {
		if (type == 5)
			continue;
		put(0, type << 2 | 0x20);
		EXPECT_EQ(type << 2, get(0));
	}
	put(0, 5 << 2);		/* without SLP_EN */
	EXPECT_EQ(VM_END_NONE, ended());
	EXPECT_EQ(0, get(1));
	put(0, 5 << 2 | 0x20);
	EXPECT_EQ(VM_END_POWEROFF, ended());
}

TEST_F(platform, acpi_resets_on_the_reset_value_only)
{
	NEED("acpi-pm");
	put(2, 0);
	put(2, 6);
	put_at(self->res, self->vm, 2, 1, 2);
	EXPECT_EQ(VM_END_NONE, ended());
	put(2, 1);
	EXPECT_EQ(VM_END_REBOOT, ended());
}

TEST_F(platform, power_button_is_an_event_and_an_edge)
{
	struct irq_chip *chip = &self->vm->irq;

	NEED("acpi-pm");
	ASSERT_TRUE(!!self->vm->power_button);
	EXPECT_EQ(0, get_at(self->res, self->vm, 4, 4));
	self->vm->power_button(self->vm->power_device);
	EXPECT_EQ(false, irq_gsi_level(chip, self->res->gsi));
	/* Only a read of the whole register takes it. */
	EXPECT_EQ(0, get(4));
	EXPECT_EQ(1, get_at(self->res, self->vm, 4, 4));
	EXPECT_EQ(0, get_at(self->res, self->vm, 4, 4));
}

TEST_F(platform, power_button_survives_save_and_load)
{
	struct error err = ERROR_INIT;
	void *state;

	NEED("acpi-pm");
	self->vm->power_button(self->vm->power_device);
	state = testvm_save(self->dev);
	EXPECT_EQ(1, get_at(self->res, self->vm, 4, 4));
	ASSERT_EQ(0, testvm_load(self->dev, state, &err));
	EXPECT_EQ(1, get_at(self->res, self->vm, 4, 4));
	free(state);
}

TEST_F(platform, i8042_resets_the_machine)
{
	NEED("i8042");
	put(I8042_STATUS, 0xff);	/* pulses nothing */
	put(I8042_STATUS, 0xf1);	/* pulses other lines */
	EXPECT_EQ(VM_END_NONE, ended());
	put(I8042_STATUS, 0xfe);
	EXPECT_EQ(VM_END_REBOOT, ended());
}

TEST_F(platform, i8042_resets_by_its_output_port)
{
	NEED("i8042");
	put(I8042_STATUS, 0xd0);
	EXPECT_EQ(0xcf, get(I8042_DATA));
	put(I8042_STATUS, 0xd1);
	put(I8042_DATA, 0xcd);		/* A20 closed: reads back, does nothing */
	put(I8042_STATUS, 0xd0);
	EXPECT_EQ(0xcd, get(I8042_DATA));
	EXPECT_EQ(VM_END_NONE, ended());
	put(I8042_STATUS, 0xd1);
	put(I8042_DATA, 0xce);
	EXPECT_EQ(VM_END_REBOOT, ended());
}

/* The order of Linux' i8042 driver: it ends with no port, and never waits. */
TEST_F(platform, i8042_probe_ends_at_once)
{
	NEED("i8042");
	EXPECT_EQ(0, get(I8042_STATUS) & 3);
	put(I8042_STATUS, 0xaa);
	EXPECT_EQ(1, get(I8042_STATUS) & 3);
	EXPECT_EQ(0x55, get(I8042_DATA));
	EXPECT_EQ(0, get(I8042_STATUS) & 1);
	put(I8042_STATUS, 0x20);
	EXPECT_EQ(0x30, get(I8042_DATA));
	put(I8042_STATUS, 0x60);
	put(I8042_DATA, 0x74);
	put(I8042_STATUS, 0x20);
	EXPECT_EQ(0x74, get(I8042_DATA));
	put(I8042_STATUS, 0xd3);
	put(I8042_DATA, 0x5a);
	EXPECT_NE(0x5a, get(I8042_DATA));
	put(I8042_STATUS, 0xa9);
	EXPECT_EQ(1, get(I8042_DATA));
	put(I8042_STATUS, 0xab);
	EXPECT_EQ(1, get(I8042_DATA));
	/* A byte for a keyboard that is not there */
	put(I8042_DATA, 0xf2);
	EXPECT_EQ(0x41, get(I8042_STATUS) & 0x61);
	EXPECT_EQ(0xfe, get(I8042_DATA));
	put(I8042_STATUS, 0xd4);
	put(I8042_DATA, 0xf2);
	EXPECT_EQ(0x61, get(I8042_STATUS) & 0x61);
	EXPECT_EQ(0xfe, get(I8042_DATA));
}

TEST_F(platform, i8042_between_its_ports_is_nothing)
{
	NEED("i8042");
	put(1, 0xfe);
	EXPECT_EQ(0xff, get(1));
	EXPECT_EQ(0xffff, get_at(self->res, self->vm, 0, 2));
	EXPECT_EQ(VM_END_NONE, ended());
}

/* Each class by random accesses, from any state that its check lets pass. */
TEST_F(platform, any_access_is_survived)
{
	static const char *const classes[] = {
		"acpi-pm", "debug-exit", "i8042", "pvpanic",
	};
	struct test_random rnd;
	u32 i, n;

	test_random_init(&rnd);
	for (i = 0; i < ARRAY_SIZE(classes); i++) {
		const struct arch_resource *res =
			arch_resource_find(classes[i], 0);

		if (!res)
			continue;
		testvm_add(self->vm, classes[i], 0, NULL);
		for (n = 0; n < 5000; n++) {
			u32 len = 1U << test_random_below(&rnd, 4);
			u32 reg = (u32)test_random_below(&rnd, res->size);

			put_at(res, self->vm, reg, test_random_u64(&rnd), len);
			get_at(res, self->vm, reg, len);
		}
	}
}

TEST_HARNESS_MAIN
