// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: vmm/irq.c without KVM: shared lines and message eventfds
 *
 * What is said to KVM goes to a machine of the test's own: a descriptor by
 * which ioctl() below knows it.
 */
#include "tests/lib/harness.h"

#include <linux/kvm.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/base/math.h"
#include "vmm/irq.h"

#define CALLS	64

/* What KVM would have been told since kvm_begin(). */
static struct {
	int fd;
	int fail_assign;
	struct kvm_irq_routing_entry routes[CALLS];
	u32 routes_nr;
	struct kvm_irqfd irqfds[CALLS];
	u32 irqfds_nr;
	struct kvm_irq_level levels[CALLS];
	u32 levels_nr;
} kvm;

static int kvm_routing(const struct kvm_irq_routing *table)
{
	u32 i;

	kvm.routes_nr = 0;
	for (i = 0; i < table->nr; i++)
		if (table->entries[i].gsi >= IRQ_LINES_MAX)
			kvm.routes[kvm.routes_nr++] = table->entries[i];
	return 0;
}

static int kvm_irqfd(const struct kvm_irqfd *irqfd)
{
	kvm.irqfds[kvm.irqfds_nr++] = *irqfd;
	if (!(irqfd->flags & KVM_IRQFD_FLAG_DEASSIGN) && kvm.fail_assign) {
		errno = kvm.fail_assign;
		return -1;
	}
	return 0;
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (fd != kvm.fd || fd < 0)
		return (int)syscall(SYS_ioctl, fd, request, arg);
	switch (request) {
	case KVM_SET_GSI_ROUTING:
		return kvm_routing(arg);
	case KVM_IRQFD:
		return kvm_irqfd(arg);
	case KVM_IRQ_LINE:
		kvm.levels[kvm.levels_nr++] = *(struct kvm_irq_level *)arg;
		return 0;
	default:
		return 0;
	}
}

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

/* ---- what KVM is told ---------------------------------------------------- */

FIXTURE(kvm) {
	struct irq_chip chip;
	struct msi_route route[3];
	struct error err;
};

FIXTURE_SETUP(kvm)
{
	u32 i;

	memset(&kvm, 0, sizeof(kvm));
	memset(&self->err, 0, sizeof(self->err));
	kvm.fd = eventfd(0, EFD_CLOEXEC);
	ASSERT_LE(0, kvm.fd);
	ASSERT_EQ(0, irq_chip_init(&self->chip, kvm.fd, 24, &self->err));
	for (i = 0; i < ARRAY_SIZE(self->route); i++)
		ASSERT_EQ(0, msi_route_init(&self->route[i], &self->chip,
					    IRQ_NO_DEVID, &self->err));
}

FIXTURE_TEARDOWN(kvm)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(self->route); i++)
		msi_route_destroy(&self->route[i]);
	irq_chip_destroy(&self->chip);
	close(kvm.fd);
	kvm.fd = -1;
}

#define FRAME	0x8020040ULL

static void frame(struct irq_chip *chip)
{
	chip->frame = (struct irq_frame){
		.addr = FRAME, .first = 64, .nr = 160, .pin = 32,
	};
}

TEST_F(kvm, a_message_to_the_frame_is_a_line)
{
	struct msi_route *r = self->route;

	frame(&self->chip);
	ASSERT_EQ(0, msi_route_set(&r[0], FRAME, 64));
	ASSERT_EQ(0, msi_route_set(&r[1], FRAME, 223));
	ASSERT_EQ(0, msi_route_set(&r[2], FRAME + 4, 64));
	ASSERT_EQ(3, kvm.routes_nr);
	EXPECT_EQ(KVM_IRQ_ROUTING_IRQCHIP, kvm.routes[0].type);
	EXPECT_EQ(r[0].gsi, kvm.routes[0].gsi);
	EXPECT_EQ(32, kvm.routes[0].u.irqchip.pin);
	EXPECT_EQ(0, kvm.routes[0].flags);
	EXPECT_EQ(191, kvm.routes[1].u.irqchip.pin);
	/* Beside it is memory like any other. */
	EXPECT_EQ(KVM_IRQ_ROUTING_MSI, kvm.routes[2].type);
	EXPECT_EQ(FRAME + 4, kvm.routes[2].u.msi.address_lo);
}

TEST_F(kvm, the_frame_takes_its_own_interrupts_only)
{
	static const u32 others[] = { 63, 224, 0, 32, UINT32_MAX, 1 << 16 };
	struct msi_route *r = self->route;
	u32 i;

	frame(&self->chip);
	for (i = 0; i < ARRAY_SIZE(others); i++) {
		ASSERT_EQ(0, msi_route_set(r, FRAME, 100));
		EXPECT_EQ(-EINVAL, msi_route_set(r, FRAME, others[i]));
		/* Rather no message than the old one. */
		EXPECT_FALSE(r->connected);
		irq_frame_write(&self->chip, others[i]);
	}
	EXPECT_EQ(0, kvm.levels_nr);
	EXPECT_EQ(2 * i, kvm.irqfds_nr);
	for (i = 0; i < kvm.irqfds_nr; i++)
		EXPECT_EQ(i % 2 ? KVM_IRQFD_FLAG_DEASSIGN : 0,
			  kvm.irqfds[i].flags);
	irq_frame_write(&self->chip, 64);
	ASSERT_EQ(2, kvm.levels_nr);
	EXPECT_EQ(1, kvm.levels[0].level);
	EXPECT_EQ(0, kvm.levels[1].level);
	EXPECT_EQ(kvm.levels[0].irq, kvm.levels[1].irq);
}

TEST_F(kvm, without_a_frame_nothing_is_a_line)
{
	ASSERT_EQ(0, msi_route_set(self->route, 0, 64));
	ASSERT_EQ(1, kvm.routes_nr);
	EXPECT_EQ(KVM_IRQ_ROUTING_MSI, kvm.routes[0].type);
}

TEST_F(kvm, a_flush_waits_for_those_that_fired)
{
	struct msi_route *r = self->route;
	int fd[] = { r[0].fd, r[1].fd, r[2].fd };
	u32 i;

	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, msi_route_set(&r[i], 0xfee00000, i));
	msi_route_fire(&r[0]);
	msi_route_fire(&r[2]);
	kvm.irqfds_nr = 0;
	ASSERT_EQ(0, irq_chip_flush(&self->chip, &self->err));
	/* Waited once, when both descriptors had been closed. */
	ASSERT_EQ(3, kvm.irqfds_nr);
	EXPECT_EQ(KVM_IRQFD_FLAG_DEASSIGN, kvm.irqfds[0].flags);
	EXPECT_EQ(r[0].gsi, kvm.irqfds[1].gsi);
	EXPECT_EQ(r[2].gsi, kvm.irqfds[2].gsi);
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(fd[i], r[i].fd);
		EXPECT_TRUE(r[i].connected);
		/* What was written before has gone with the old eventfd. */
		EXPECT_EQ(0, taken(r[i].fd));
	}
	EXPECT_EQ((u32)fd[0], kvm.irqfds[1].fd);
	/* A second time there is nothing to wait for. */
	ASSERT_EQ(0, irq_chip_flush(&self->chip, &self->err));
	EXPECT_EQ(3, kvm.irqfds_nr);
	msi_route_fire(&r[0]);
	EXPECT_EQ(1, taken(r[0].fd));
}

TEST_F(kvm, a_flush_leaves_alone_what_is_not_connected)
{
	msi_route_fire(self->route);
	ASSERT_EQ(0, irq_chip_flush(&self->chip, &self->err));
	EXPECT_EQ(0, kvm.irqfds_nr);
	/* It is sent when it is connected. */
	EXPECT_EQ(1, taken(self->route[0].fd));
}

TEST_F(kvm, a_flush_that_fails_says_so)
{
	ASSERT_EQ(0, msi_route_set(&self->route[0], 0xfee00000, 0));
	ASSERT_EQ(0, msi_route_set(&self->route[1], 0xfee00000, 1));
	msi_route_fire(&self->route[0]);
	msi_route_fire(&self->route[1]);
	kvm.fail_assign = ENOMEM;
	EXPECT_EQ(-ENOMEM, irq_chip_flush(&self->chip, &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "KVM_IRQFD"));
	EXPECT_FALSE(self->route[0].connected);
	EXPECT_FALSE(self->route[1].connected);
	/* They are connected again when they are set. */
	kvm.fail_assign = 0;
	EXPECT_EQ(0, msi_route_set(&self->route[0], 0xfee00000, 0));
	EXPECT_TRUE(self->route[0].connected);
}

TEST_HARNESS_MAIN
