// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: devices/pl031.c and devices/pl061.c: clock and power button
 */
#include "tests/lib/harness.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/lib/testvm.h"
#include "vmm/arch.h"

#define RAM		(2 * MIB)

/* PL031 */
#define DR		0x00
#define MR		0x04
#define LR		0x08
#define IMSC		0x10
#define RIS		0x14
#define MIS		0x18
#define ICR		0x1c

/* PL061 */
#define DATA(_mask)	((_mask) << 2)
#define DIR		0x400
#define IS		0x404
#define IBE		0x408
#define IEV		0x40c
#define IE		0x410
#define GPIO_RIS	0x414
#define GPIO_MIS	0x418
#define IC		0x41c
#define BUTTON		8

FIXTURE(primecell) {
	struct vm *vm;
	struct device *rtc;
	struct device *gpio;
	const struct arch_resource *rtc_at;
	const struct arch_resource *gpio_at;
	struct error err;
};

FIXTURE_SETUP(primecell)
{
	memset(self, 0, sizeof(*self));
	self->rtc_at = arch_resource_find("pl031", 0);
	self->gpio_at = arch_resource_find("pl061", 0);
	self->vm = testvm_create(RAM);
	self->rtc = testvm_add(self->vm, "pl031", 0, "");
	self->gpio = testvm_add(self->vm, "pl061", 0, "");
	ASSERT_EQ(0, vm_start(self->vm, &self->err));
	ASSERT_EQ(0, vm_resume(self->vm, &self->err));
}

FIXTURE_TEARDOWN(primecell)
{
	testvm_destroy(self->vm);
}

static u32 rtc_get(FIXTURE_DATA(primecell) *self, u32 reg)
{
	return (u32)testvm_mmio_read(self->vm, self->rtc_at->base + reg, 4);
}

static void rtc_put(FIXTURE_DATA(primecell) *self, u32 reg, u32 value)
{
	testvm_mmio_write(self->vm, self->rtc_at->base + reg, value, 4);
}

static u32 gpio_get(FIXTURE_DATA(primecell) *self, u32 reg)
{
	return (u32)testvm_mmio_read(self->vm, self->gpio_at->base + reg, 4);
}

static void gpio_put(FIXTURE_DATA(primecell) *self, u32 reg, u32 value)
{
	testvm_mmio_write(self->vm, self->gpio_at->base + reg, value, 4);
}

static bool rtc_irq(FIXTURE_DATA(primecell) *self)
{
	return irq_gsi_level(&self->vm->irq, self->rtc_at->gsi);
}

static bool gpio_irq(FIXTURE_DATA(primecell) *self)
{
	return irq_gsi_level(&self->vm->irq, self->gpio_at->gsi);
}

TEST_F(primecell, ids_are_those_of_the_parts)
{
	static const u8 rest[] = { 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1 };
	u32 i;

	EXPECT_EQ(0x31, rtc_get(self, 0xfe0));
	EXPECT_EQ(0x61, gpio_get(self, 0xfe0));
	EXPECT_EQ(0x10, rtc_get(self, 0xfe4));
	EXPECT_EQ(0x10, gpio_get(self, 0xfe4));
	for (i = 0; i < sizeof(rest); i++)
		EXPECT_EQ(rest[i], gpio_get(self, 0xfe8 + 4 * i));
}

TEST_F(primecell, clock_is_the_hosts_until_it_is_set)
{
	u32 now = (u32)time(NULL), seen = rtc_get(self, DR);

	EXPECT_LE(seen - now, 2U);
	rtc_put(self, LR, 1000);
	EXPECT_EQ(1000, rtc_get(self, LR));
	EXPECT_LE(rtc_get(self, DR) - 1000, 2U);
}

TEST_F(primecell, alarm_goes_off_once)
{
	u32 waited;

	rtc_put(self, LR, 1000);
	rtc_put(self, MR, 1001);
	rtc_put(self, IMSC, 1);
	EXPECT_FALSE(rtc_irq(self));
	for (waited = 0; waited < 30 && !rtc_irq(self); waited++) {
		struct timespec step = { .tv_nsec = 100000000 };

		nanosleep(&step, NULL);
		testvm_poll(self->vm);
	}
	EXPECT_TRUE(rtc_irq(self));
	EXPECT_EQ(1, rtc_get(self, MIS));
	rtc_put(self, ICR, 1);
	EXPECT_FALSE(rtc_irq(self));
	EXPECT_EQ(0, rtc_get(self, RIS));
}

TEST_F(primecell, alarm_in_the_past_does_not_go_off)
{
	rtc_put(self, LR, 1000);
	rtc_put(self, MR, 900);
	rtc_put(self, IMSC, 1);
	EXPECT_EQ(0, rtc_get(self, RIS));
	EXPECT_FALSE(rtc_irq(self));
}

TEST_F(primecell, clock_survives_reset_and_a_saved_state)
{
	void *state;

	rtc_put(self, LR, 5000);
	rtc_put(self, IMSC, 1);
	state = testvm_save(self->rtc);
	rtc_put(self, LR, 9000);
	ASSERT_EQ(0, testvm_load(self->rtc, state, &self->err));
	EXPECT_LE(rtc_get(self, DR) - 5000, 2U);
	EXPECT_EQ(1, rtc_get(self, IMSC));
	ASSERT_EQ(0, vm_reset(self->vm, &self->err));
	EXPECT_EQ(0, rtc_get(self, IMSC));
	EXPECT_LE(rtc_get(self, DR) - 5000, 2U);
	free(state);
}

/* As gpio-keys sets the line up. */
static void both_edges(FIXTURE_DATA(primecell) *self)
{
	gpio_put(self, IBE, BUTTON);
	gpio_put(self, IC, 0xff);
	gpio_put(self, IE, BUTTON);
}

TEST_F(primecell, button_is_pressed_and_released)
{
	u32 waited;

	both_edges(self);
	EXPECT_EQ(0, gpio_get(self, DATA(0xff)));
	self->vm->power_button(self->vm->power_device);
	EXPECT_EQ(BUTTON, gpio_get(self, DATA(0xff)));
	EXPECT_EQ(0, gpio_get(self, DATA(0xffU & ~BUTTON)));
	EXPECT_TRUE(gpio_irq(self));
	EXPECT_EQ(BUTTON, gpio_get(self, GPIO_MIS));
	gpio_put(self, IC, BUTTON);
	EXPECT_FALSE(gpio_irq(self));
	for (waited = 0; waited < 30 && !gpio_irq(self); waited++) {
		struct timespec step = { .tv_nsec = 20000000 };

		nanosleep(&step, NULL);
		testvm_poll(self->vm);
	}
	EXPECT_TRUE(gpio_irq(self));
	EXPECT_EQ(0, gpio_get(self, DATA(0xff)));
}

TEST_F(primecell, edges_and_levels)
{
	/* Rising edge only, then high level. */
	gpio_put(self, IEV, BUTTON);
	gpio_put(self, IE, BUTTON);
	EXPECT_FALSE(gpio_irq(self));
	self->vm->power_button(self->vm->power_device);
	EXPECT_TRUE(gpio_irq(self));
	gpio_put(self, IC, BUTTON);
	EXPECT_FALSE(gpio_irq(self));
	gpio_put(self, IS, BUTTON);
	EXPECT_TRUE(gpio_irq(self));
	gpio_put(self, IC, BUTTON);
	EXPECT_TRUE(gpio_irq(self));
	gpio_put(self, IEV, 0);
	EXPECT_FALSE(gpio_irq(self));
}

TEST_F(primecell, outputs_read_as_they_are_driven)
{
	gpio_put(self, DIR, 0x13);
	gpio_put(self, DATA(0xf1), 0xff);
	EXPECT_EQ(0x11, gpio_get(self, DATA(0xff)));
	gpio_put(self, DATA(0x02), 0xff);
	EXPECT_EQ(0x13, gpio_get(self, DATA(0xff)));
	EXPECT_EQ(0x01, gpio_get(self, DATA(0x01)));
}

TEST_F(primecell, pressed_button_goes_along_and_is_released)
{
	void *state;
	u32 waited;

	both_edges(self);
	self->vm->power_button(self->vm->power_device);
	state = testvm_save(self->gpio);
	ASSERT_EQ(0, vm_pause(self->vm, &self->err));
	ASSERT_EQ(0, testvm_load(self->gpio, state, &self->err));
	ASSERT_EQ(0, vm_resume(self->vm, &self->err));
	EXPECT_TRUE(gpio_irq(self));
	for (waited = 0; waited < 30 && gpio_get(self, DATA(0xff)); waited++) {
		struct timespec step = { .tv_nsec = 20000000 };

		nanosleep(&step, NULL);
		testvm_poll(self->vm);
	}
	EXPECT_EQ(0, gpio_get(self, DATA(0xff)));
	free(state);
}

TEST_HARNESS_MAIN
