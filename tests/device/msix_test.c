// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: MSI-X, with one thread and with several
 */
#include <pthread.h>
#include <sched.h>

#include "tests/device/test_pci.h"
#include "tests/lib/random.h"

#define SLOT		3
#define ENTRY(n)	(16 * (n))
#define CONTROL(n)	(ENTRY(n) + 12)
#define ROUNDS		500	/* of threads against each other */

/* The guest's side of one function. */
struct msix_guest {
	struct vm *vm;
	u64 table;
	u64 pba;
	u32 flags;
};

static struct msix_guest guest_of(struct vm *vm)
{
	return (struct msix_guest){
		.vm = vm,
		.table = testvm_msix_table(vm, SLOT),
		.pba = testvm_msix_pba(vm, SLOT),
		.flags = testvm_capability(vm, SLOT, PCI_CAP_ID_MSIX) +
			 PCI_MSIX_FLAGS,
	};
}

static void mask(struct msix_guest *g, u32 vector, bool on)
{
	testvm_mmio_write(g->vm, g->table + CONTROL(vector), on, 4);
}

static void flags(struct msix_guest *g, u32 value)
{
	testvm_config_write(g->vm, SLOT, g->flags, value, 2);
}

static bool pending(struct msix_guest *g, u32 vector)
{
	return testvm_mmio_read(g->vm, g->pba + vector / 64 * 8, 8) >>
	       (vector % 64) & 1;
}

static u64 take(struct msix_guest *g, u32 vector)
{
	return testvm_msix_take(g->vm, SLOT, vector);
}

TEST_F(pci, msix_capability_describes_table)
{
	struct vm *vm = self->vm;
	u32 cap = testvm_capability(vm, SLOT, PCI_CAP_ID_MSIX);

	ASSERT_NE(0, cap);
	EXPECT_EQ(TEST_VECTORS - 1,
		  testvm_config_read(vm, SLOT, cap + PCI_MSIX_FLAGS, 2));
	EXPECT_EQ(4, testvm_config_read(vm, SLOT, cap + PCI_MSIX_TABLE, 4));
	EXPECT_EQ(0x1004, testvm_config_read(vm, SLOT, cap + PCI_MSIX_PBA, 4));
	EXPECT_EQ(TEST_VECTORS, msix_vectors(&self->t->pci));
	/* Table Size and the reserved bits cannot be written. */
	testvm_config_write(vm, SLOT, cap + PCI_MSIX_FLAGS, 0xffff, 2);
	EXPECT_EQ(0xc000 | (TEST_VECTORS - 1),
		  testvm_config_read(vm, SLOT, cap + PCI_MSIX_FLAGS, 2));
}

TEST_F(pci, entries_are_masked_and_zero_at_power_on)
{
	struct msix_guest g = guest_of(self->vm);
	u32 i;

	for (i = 0; i < TEST_VECTORS; i++) {
		EXPECT_EQ(0, testvm_mmio_read(g.vm, g.table + ENTRY(i), 8));
		EXPECT_EQ(1ULL << 32, testvm_mmio_read(g.vm, g.table +
						       ENTRY(i) + 8, 8));
		EXPECT_EQ(false, pending(&g, i));
	}
}

TEST_F(pci, only_defined_bits_of_an_entry_can_be_written)
{
	struct msix_guest g = guest_of(self->vm);

	testvm_mmio_write(g.vm, g.table, ~0ULL, 8);
	testvm_mmio_write(g.vm, g.table + 8, ~0ULL, 8);
	EXPECT_EQ(~3ULL, testvm_mmio_read(g.vm, g.table, 8));
	EXPECT_EQ(0x1ffffffffULL, testvm_mmio_read(g.vm, g.table + 8, 8));
}

TEST_F(pci, every_width_and_alignment_gives_the_same_bytes)
{
	struct msix_guest g = guest_of(self->vm);
	u8 shadow[ENTRY(TEST_VECTORS)];
	static const u8 keep[16] = {
		0xfc, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0x01, 0x00, 0x00, 0x00,
	};
	struct test_random rnd;
	u32 round, i;

	test_random_init(&rnd);
	for (i = 0; i < sizeof(shadow); i++)
		shadow[i] = i % 16 == 12;
	for (round = 0; round < 5000; round++) {
		u32 len = 1U << test_random_below(&rnd, 4);
		u32 at = (u32)test_random_below(&rnd, sizeof(shadow) + 32);
		u64 value = test_random_u64(&rnd), expect = 0, mask_len;

		mask_len = len == 8 ? ~0ULL : (1ULL << (8 * len)) - 1;
		if (test_random_below(&rnd, 2)) {
			testvm_mmio_write(g.vm, g.table + at, value, len);
			for (i = 0; i < len; i++)
				if (at + i < sizeof(shadow))
					shadow[at + i] = (u8)(value >> (8 * i)) &
						keep[(at + i) % 16];
		}
		for (i = 0; i < len; i++)
			if (at + i < sizeof(shadow))
				expect |= (u64)shadow[at + i] << (8 * i);
		ASSERT_EQ(expect & mask_len,
			  testvm_mmio_read(g.vm, g.table + at, len));
	}
}

TEST_F(pci, beside_the_table_is_nothing)
{
	struct msix_guest g = guest_of(self->vm);
	u64 at;

	for (at = ENTRY(TEST_VECTORS); at < 0x1000; at += 8) {
		testvm_mmio_write(g.vm, g.table + at, ~0ULL, 8);
		EXPECT_EQ(0, testvm_mmio_read(g.vm, g.table + at, 8));
	}
	for (at = 0; at < 0x1000; at += 8) {
		testvm_mmio_write(g.vm, g.pba + at, ~0ULL, 8);
		EXPECT_EQ(0, testvm_mmio_read(g.vm, g.pba + at, 8));
	}
}

TEST_F(pci, message_goes_out_when_unmasked)
{
	struct msix_guest g = guest_of(self->vm);

	testvm_msix_enable(g.vm, SLOT, TEST_VECTORS);
	EXPECT_TRUE(msix_enabled(&self->t->pci));
	msix_notify(&self->t->pci, 0);
	msix_notify(&self->t->pci, 69);
	msix_notify(&self->t->pci, 69);
	EXPECT_EQ(1, take(&g, 0));
	EXPECT_EQ(0, take(&g, 1));
	EXPECT_EQ(2, take(&g, 69));
	EXPECT_EQ(false, pending(&g, 69));
	/* There is no vector 70. */
	msix_notify(&self->t->pci, 70);
	msix_notify(&self->t->pci, UINT32_MAX);
}

TEST_F(pci, disabled_function_sends_nothing_ever)
{
	struct msix_guest g = guest_of(self->vm);

	testvm_msix_enable(g.vm, SLOT, 2);
	flags(&g, 0);
	EXPECT_EQ(false, msix_enabled(&self->t->pci));
	msix_notify(&self->t->pci, 0);
	EXPECT_EQ(false, pending(&g, 0));
	flags(&g, PCI_MSIX_FLAGS_ENABLE);
	EXPECT_EQ(0, take(&g, 0));
	/* Pending when it is disabled: forgotten. */
	mask(&g, 0, true);
	msix_notify(&self->t->pci, 0);
	EXPECT_TRUE(pending(&g, 0));
	flags(&g, 0);
	EXPECT_EQ(false, pending(&g, 0));
	flags(&g, PCI_MSIX_FLAGS_ENABLE);
	mask(&g, 0, false);
	EXPECT_EQ(0, take(&g, 0));
}

TEST_F(pci, masked_vector_keeps_one_message)
{
	struct msix_guest g = guest_of(self->vm);

	testvm_msix_enable(g.vm, SLOT, TEST_VECTORS);
	mask(&g, 65, true);
	msix_notify(&self->t->pci, 65);
	msix_notify(&self->t->pci, 65);
	msix_notify(&self->t->pci, 64);
	EXPECT_EQ(0, take(&g, 65));
	EXPECT_EQ(1, take(&g, 64));
	EXPECT_TRUE(pending(&g, 65));
	EXPECT_EQ(false, pending(&g, 64));
	EXPECT_EQ(2, testvm_mmio_read(g.vm, g.pba + 8, 1));
	mask(&g, 65, false);
	EXPECT_EQ(1, take(&g, 65));
	EXPECT_EQ(false, pending(&g, 65));
	mask(&g, 65, true);
	mask(&g, 65, false);
	EXPECT_EQ(0, take(&g, 65));
}

TEST_F(pci, function_mask_leaves_vector_masks_alone)
{
	struct msix_guest g = guest_of(self->vm);

	testvm_msix_enable(g.vm, SLOT, 3);
	mask(&g, 1, true);
	flags(&g, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	msix_notify(&self->t->pci, 0);
	msix_notify(&self->t->pci, 1);
	EXPECT_TRUE(pending(&g, 0));
	EXPECT_TRUE(pending(&g, 1));
	EXPECT_EQ(0, testvm_mmio_read(g.vm, g.table + CONTROL(0), 4));
	EXPECT_EQ(1, testvm_mmio_read(g.vm, g.table + CONTROL(1), 4));
	flags(&g, PCI_MSIX_FLAGS_ENABLE);
	EXPECT_EQ(1, take(&g, 0));
	EXPECT_EQ(0, take(&g, 1));
	EXPECT_TRUE(pending(&g, 1));
	mask(&g, 1, false);
	EXPECT_EQ(1, take(&g, 1));
}

TEST_F(pci, cancelled_message_does_not_follow)
{
	struct msix_guest g = guest_of(self->vm);

	testvm_msix_enable(g.vm, SLOT, 1);
	mask(&g, 0, true);
	msix_notify(&self->t->pci, 0);
	msix_cancel(&self->t->pci, 0);
	EXPECT_EQ(false, pending(&g, 0));
	mask(&g, 0, false);
	EXPECT_EQ(0, take(&g, 0));
	msix_cancel(&self->t->pci, TEST_VECTORS);
}

TEST_F(pci, without_bus_master_messages_wait)
{
	struct msix_guest g = guest_of(self->vm);

	testvm_msix_enable(g.vm, SLOT, 1);
	testvm_bus_master(g.vm, SLOT, false);
	msix_notify(&self->t->pci, 0);
	EXPECT_EQ(0, take(&g, 0));
	EXPECT_TRUE(pending(&g, 0));
	testvm_bus_master(g.vm, SLOT, true);
	EXPECT_EQ(1, take(&g, 0));
}

TEST_F(pci, message_written_while_masked_is_the_one_sent)
{
	struct msix_guest g = guest_of(self->vm);

	testvm_msix_enable(g.vm, SLOT, 1);
	mask(&g, 0, true);
	msix_notify(&self->t->pci, 0);
	testvm_mmio_write(g.vm, g.table + 8, 33, 4);
	EXPECT_EQ(0, take(&g, 33));
	mask(&g, 0, false);
	EXPECT_EQ(1, take(&g, 33));
	/* Not masked: the specification leaves it open, we take it at once. */
	testvm_mmio_write(g.vm, g.table + 8, 34, 4);
	msix_notify(&self->t->pci, 0);
	EXPECT_EQ(1, take(&g, 34));
}

TEST_F(pci, table_and_pending_bits_are_state)
{
	struct vm *to = testvm_create(16 * MIB);
	struct device *dev = testvm_add_pci(to, "test-pci", 0, SLOT, NULL);
	struct msix_guest g = guest_of(self->vm), h;
	struct error err = ERROR_INIT;
	void *state;

	testvm_msix_enable(g.vm, SLOT, TEST_VECTORS);
	mask(&g, 7, true);
	msix_notify(&self->t->pci, 7);
	state = testvm_save(self->dev);
	ASSERT_EQ(0, testvm_load(dev, state, &err)) TH_LOG("%s", err.text);
	free(state);
	h = guest_of(to);
	EXPECT_TRUE(pending(&h, 7));
	EXPECT_EQ(0, take(&h, 7));
	msix_notify(&to_test(dev)->pci, 8);
	EXPECT_EQ(1, take(&h, 8));
	mask(&h, 7, false);
	EXPECT_EQ(1, take(&h, 7));
	testvm_destroy(to);
}

TEST_F(pci, impossible_states_are_refused)
{
	struct msix_guest g = guest_of(self->vm);
	struct error err = ERROR_INIT;
	struct pci_state *state, *bad;

	testvm_msix_enable(g.vm, SLOT, TEST_VECTORS);
	state = testvm_save(self->dev);
	bad = malloc(sizeof(*bad));
	ASSERT_NE(NULL, bad);
#define REFUSED(_change, _text)						\
	do {								\
		*bad = *state;						\
		_change;						\
		EXPECT_EQ(-EINVAL, testvm_load(self->dev, bad, &err));	\
		EXPECT_NE(NULL, strstr(err.text, _text))		\
			TH_LOG("%s", err.text);				\
	} while (0)
	REFUSED(bad->vectors_nr--, "vector");
	REFUSED(bad->vectors_nr = MSIX_VECTORS_MAX, "vector");
	REFUSED(bad->vectors[5].addr_low |= 2, "vector@5");
	REFUSED(bad->vectors[6].pending = 1, "vector@6");
	/* MSI-X disabled and yet pending */
	REFUSED(bad->config[g.flags + 1] &= 0x7f; bad->vectors[7].pending = 1;
		bad->vectors[7].masked = 1, "vector@7");
#undef REFUSED
	/* Nothing of it was installed. */
	bad = memcpy(bad, state, sizeof(*bad));
	free(state);
	state = testvm_save(self->dev);
	EXPECT_EQ(0, memcmp(state, bad, sizeof(*bad)));
	free(state);
	free(bad);
}

/*
 * One thread notifies, this one masks and unmasks, by vector, by function and
 * by bus mastering.
 *
 * No message is lost: after the last unmask the consumer has seen a message
 * after the last notification. No message is sent twice: never more messages
 * than notifications. None leaves while the vector is masked.
 */
struct race {
	struct pci_device *pci;
	_Atomic bool stop;
	_Atomic u64 notified;
	u32 vector;
};

static void *race_notify(void *arg)
{
	struct race *r = arg;

	while (!atomic_load(&r->stop)) {
		/* Counted before, so that messages never outnumber it. */
		atomic_fetch_add(&r->notified, 1);
		msix_notify(r->pci, r->vector);
	}
	return NULL;
}

static void race_mask(struct msix_guest *g, u32 how, bool on)
{
	switch (how) {
	case 0:
		mask(g, 0, on);
		break;
	case 1:
		flags(g, PCI_MSIX_FLAGS_ENABLE |
		      (on ? PCI_MSIX_FLAGS_MASKALL : 0));
		break;
	default:
		testvm_bus_master(g->vm, SLOT, !on);
	}
}

TEST_F(pci, racing_notifications_are_sent_once)
{
	struct msix_guest g = guest_of(self->vm);
	struct race r = { .pci = &self->t->pci };
	struct test_random rnd;
	pthread_t threads[2];
	u64 taken = 0;
	u32 round, i, kept = 0;

	test_random_init(&rnd);
	testvm_msix_enable(g.vm, SLOT, 1);
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, race_notify,
					    &r));
	for (round = 0; round < ROUNDS; round++) {
		u32 how = (u32)test_random_below(&rnd, 3);
		u64 before;

		race_mask(&g, how, true);
		taken += take(&g, 0);
		before = atomic_load(&r.notified);
		while (atomic_load(&r.notified) < before + 4)
			sched_yield();
		/* Masked, so nothing more has come. */
		ASSERT_EQ(0, take(&g, 0));
		kept += pending(&g, 0);
		race_mask(&g, how, false);
		/* It was pending, so at least one message is out by now. */
		before = take(&g, 0);
		ASSERT_NE(0, before);
		taken += before;
	}
	atomic_store(&r.stop, true);
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	taken += take(&g, 0);
	EXPECT_EQ(ROUNDS, kept);
	EXPECT_LE(taken, atomic_load(&r.notified));
	EXPECT_EQ(false, pending(&g, 0));
}

/* Every single notification is followed by a message, whatever the mask does. */
struct toggler {
	struct msix_guest g;
	_Atomic bool stop;
};

static void *toggle(void *arg)
{
	struct toggler *t = arg;

	while (!atomic_load(&t->stop)) {
		mask(&t->g, 0, true);
		mask(&t->g, 0, false);
	}
	return NULL;
}

TEST_F(pci, no_notification_is_lost_in_a_toggling_mask)
{
	struct toggler t = { .g = guest_of(self->vm) };
	pthread_t thread;
	u32 i;

	testvm_msix_enable(self->vm, SLOT, 1);
	ASSERT_EQ(0, pthread_create(&thread, NULL, toggle, &t));
	for (i = 0; i < 4 * ROUNDS; i++) {
		u64 got;

		msix_notify(&self->t->pci, 0);
		while (!(got = take(&t.g, 0)))
			sched_yield();
		ASSERT_EQ(1, got);
	}
	atomic_store(&t.stop, true);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, take(&t.g, 0));
}

static void *intx_toggle(void *arg)
{
	struct race *r = arg;
	u32 i;

	for (i = 0; i < 20000; i++)
		pci_intx_set(r->pci, i & 1);
	return NULL;
}

TEST_F(pci, racing_intx_ends_at_the_last_level)
{
	struct race r = { .pci = &self->t->pci };
	u32 gsi = testvm_intx_gsi(SLOT), round;
	pthread_t thread;

	for (round = 0; round < 20; round++) {
		u32 i;

		ASSERT_EQ(0, pthread_create(&thread, NULL, intx_toggle, &r));
		for (i = 0; i < 500; i++)
			testvm_config_write(self->vm, SLOT, PCI_COMMAND,
					    i & 1 ? PCI_COMMAND_INTX_DISABLE : 0,
					    2);
		testvm_config_write(self->vm, SLOT, PCI_COMMAND, 0, 2);
		pthread_join(thread, NULL);
		ASSERT_TRUE(irq_gsi_level(&self->vm->irq, gsi));
		pci_intx_set(&self->t->pci, false);
		ASSERT_EQ(false, irq_gsi_level(&self->vm->irq, gsi));
	}
}

TEST_HARNESS_MAIN
