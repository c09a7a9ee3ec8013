// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: vmm/irq.c without KVM: shared lines and message eventfds
 */
#include "tests/lib/harness.h"
#include "vmm/irq.h"

FIXTURE(irq) {
	struct irq_chip chip;
	struct error err;
};

FIXTURE_SETUP(irq)
{
	self->err.code = 0;
	ASSERT_EQ(0, irq_chip_init(&self->chip, -1, 24, &self->err));
}

FIXTURE_TEARDOWN(irq)
{
	irq_chip_destroy(&self->chip);
}

TEST_F(irq, a_shared_line_is_high_while_anyone_drives_it)
{
	struct irq_line a, b;

	irq_line_init(&a, &self->chip, 17);
	irq_line_init(&b, &self->chip, 17);
	irq_line_set(&a, true);
	irq_line_set(&a, true);
	irq_line_set(&b, true);
	irq_line_set(&a, false);
	EXPECT_TRUE(irq_gsi_level(&self->chip, 17));
	irq_line_set(&a, false);
	irq_line_set(&b, false);
	EXPECT_FALSE(irq_gsi_level(&self->chip, 17));
	irq_line_pulse(&a);
	EXPECT_FALSE(irq_gsi_level(&self->chip, 17));
}

static u64 taken(int fd)
{
	u64 n = 0;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

TEST_F(irq, routes_have_gsis_of_their_own)
{
	struct msi_route route[100];
	int i, j;

	for (i = 0; i < 100; i++)
		ASSERT_EQ(0, msi_route_init(&route[i], &self->chip,
					    IRQ_NO_DEVID, &self->err));
	for (i = 0; i < 100; i++) {
		EXPECT_LE(IRQ_LINES_MAX, route[i].gsi);
		for (j = 0; j < i; j++)
			EXPECT_NE(route[i].gsi, route[j].gsi);
	}
	msi_route_fire(&route[42]);
	msi_route_fire(&route[42]);
	EXPECT_EQ(2, taken(route[42].fd));
	EXPECT_EQ(0, taken(route[41].fd));
	j = (int)route[42].gsi;
	msi_route_destroy(&route[42]);
	ASSERT_EQ(0, msi_route_init(&route[42], &self->chip, IRQ_NO_DEVID,
				    &self->err));
	EXPECT_EQ((u32)j, route[42].gsi);
	EXPECT_EQ(0, msi_route_set(&route[42], 0xfee00000, 0x4041));
	EXPECT_TRUE(route[42].connected);
	for (i = 0; i < 100; i++)
		msi_route_destroy(&route[i]);
}

TEST_F(irq, routes_end_at_the_limit_with_an_error)
{
	static struct msi_route route[IRQ_ROUTES_MAX];
	int n = 0;

	/* Beyond what this process may open the error is another one. */
	while (n < IRQ_ROUTES_MAX && !msi_route_init(&route[n], &self->chip,
						     IRQ_NO_DEVID, &self->err))
		n++;
	EXPECT_LT(n, IRQ_ROUTES_MAX);
	EXPECT_GT(0, self->err.code);
	while (n)
		msi_route_destroy(&route[--n]);
}

TEST_HARNESS_MAIN
