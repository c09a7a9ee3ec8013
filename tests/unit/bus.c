// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: vmm/bus.c: who answers an address
 */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>

#include "tests/lib/harness.h"
#include "vmm/bus.h"

struct probe {
	struct bus_region region;
	struct mutex lock;
	u64 offset;
	u64 value;
	u32 len;
	u32 calls;
};

static u64 probe_read(struct bus_region *region, u64 offset, u32 len)
{
	struct probe *p = region->opaque;

	mutex_assert_held(&p->lock);
	p->offset = offset;
	p->len = len;
	p->calls++;
	return p->value;
}

static void probe_write(struct bus_region *region, u64 offset, u64 value,
			u32 len)
{
	struct probe *p = region->opaque;

	mutex_assert_held(&p->lock);
	p->offset = offset;
	p->value = value;
	p->len = len;
	p->calls++;
}

static const struct bus_ops probe_ops = {
	.read = probe_read,
	.write = probe_write,
};

static void probe_init(struct probe *p, const char *name, u64 base, u64 size)
{
	memset(p, 0, sizeof(*p));
	mutex_init(&p->lock, LOCK_DEVICE);
	p->region.name = name;
	p->region.base = base;
	p->region.size = size;
	p->region.ops = &probe_ops;
	p->region.opaque = p;
	p->region.lock = &p->lock;
}

FIXTURE(bus) {
	struct bus bus;
	struct probe a;
	struct probe b;
	struct error err;
};

FIXTURE_SETUP(bus)
{
	memset(&self->err, 0, sizeof(self->err));
	bus_init(&self->bus, "mmio", -1, false);
	probe_init(&self->b, "b", 0x2000, 0x100);
	probe_init(&self->a, "a", 0x1000, 0x100);
	ASSERT_EQ(0, bus_region_add(&self->bus, &self->b.region, &self->err));
	ASSERT_EQ(0, bus_region_add(&self->bus, &self->a.region, &self->err));
}

FIXTURE_TEARDOWN(bus)
{
	bus_region_remove(&self->a.region);
	bus_region_remove(&self->b.region);
	bus_destroy(&self->bus);
}

TEST_F(bus, the_right_region_answers_with_its_offset)
{
	u32 v = 0x12345678;
	u16 got = 0;

	EXPECT_TRUE(bus_write(&self->bus, 0x2010, &v, 4));
	EXPECT_EQ(0x10, self->b.offset);
	EXPECT_EQ(0x12345678, self->b.value);
	EXPECT_EQ(4, self->b.len);
	EXPECT_EQ(0, self->a.calls);
	self->a.value = 0xabcdef;
	EXPECT_TRUE(bus_read(&self->bus, 0x10fe, &got, 2));
	EXPECT_EQ(0xcdef, got);
	EXPECT_EQ(0xfe, self->a.offset);
}

TEST_F(bus, nobody_answers_with_all_ones)
{
	u64 got = 0;

	EXPECT_FALSE(bus_read(&self->bus, 0x3000, &got, 8));
	EXPECT_EQ(UINT64_MAX, got);
	/* Half inside, half outside, and a length that no CPU makes. */
	EXPECT_FALSE(bus_read(&self->bus, 0x10ff, &got, 2));
	EXPECT_FALSE(bus_read(&self->bus, 0x1000, &got, 3));
	EXPECT_FALSE(bus_write(&self->bus, UINT64_MAX, &got, 8));
	EXPECT_EQ(0, self->a.calls);
}

TEST_F(bus, overlap_and_wrap_are_refused)
{
	struct probe c;

	probe_init(&c, "c", 0x10ff, 2);
	EXPECT_EQ(-EEXIST, bus_region_add(&self->bus, &c.region, &self->err));
	EXPECT_STREQ("c: mmio 0x10ff overlaps a", self->err.text);
	probe_init(&c, "c", UINT64_MAX - 1, 4);
	EXPECT_EQ(-EINVAL, bus_region_add(&self->bus, &c.region, &self->err));
	probe_init(&c, "c", 0x1100, 0xf00);
	EXPECT_EQ(0, bus_region_add(&self->bus, &c.region, &self->err));
	bus_region_remove(&c.region);
	bus_region_remove(&c.region);
}

TEST_F(bus, a_moved_region_answers_at_its_new_place_only)
{
	u8 v = 0;

	mutex_lock(&self->a.lock);
	bus_region_remove(&self->a.region);
	self->a.region.base = 0x5000;
	ASSERT_EQ(0, bus_region_add(&self->bus, &self->a.region, &self->err));
	mutex_unlock(&self->a.lock);
	EXPECT_FALSE(bus_read(&self->bus, 0x1000, &v, 1));
	EXPECT_TRUE(bus_read(&self->bus, 0x5000, &v, 1));
}

static u64 taken(int fd)
{
	u64 n = 0;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

TEST_F(bus, an_event_takes_the_write_from_the_region)
{
	struct bus_event any = { .addr = 0x1008, .len = 4 };
	struct bus_event seven = {
		.addr = 0x2008, .len = 4, .match = true, .value = 7,
	};
	u32 v = 7, w = 8;

	any.fd = eventfd(0, EFD_NONBLOCK);
	seven.fd = eventfd(0, EFD_NONBLOCK);
	ASSERT_EQ(0, bus_event_add(&self->bus, &any, &self->err));
	ASSERT_EQ(0, bus_event_add(&self->bus, &seven, &self->err));
	EXPECT_TRUE(bus_write(&self->bus, 0x1008, &v, 4));
	EXPECT_EQ(1, taken(any.fd));
	EXPECT_EQ(0, self->a.calls);
	EXPECT_TRUE(bus_write(&self->bus, 0x2008, &v, 4));
	EXPECT_EQ(1, taken(seven.fd));
	EXPECT_TRUE(bus_write(&self->bus, 0x2008, &w, 4));
	EXPECT_EQ(0, taken(seven.fd));
	EXPECT_EQ(1, self->b.calls);
	/* Another width is another register. */
	EXPECT_TRUE(bus_write(&self->bus, 0x1008, &v, 2));
	EXPECT_EQ(1, self->a.calls);
	bus_event_remove(&any);
	bus_event_remove(&any);
	bus_event_remove(&seven);
	EXPECT_TRUE(bus_write(&self->bus, 0x1008, &v, 4));
	EXPECT_EQ(2, self->a.calls);
	close(any.fd);
	close(seven.fd);
}

struct mover {
	struct bus *bus;
	struct probe *probe;
	_Atomic bool stop;
};

static void *reader(void *arg)
{
	struct mover *m = arg;
	u32 v;

	while (!atomic_load(&m->stop)) {
		bus_read(m->bus, 0x1000, &v, 4);
		bus_read(m->bus, 0x8000, &v, 4);
	}
	return NULL;
}

TEST_F(bus, a_region_may_move_while_it_is_read)
{
	struct mover m = { .bus = &self->bus, .probe = &self->a };
	pthread_t thread;
	int i;

	ASSERT_EQ(0, pthread_create(&thread, NULL, reader, &m));
	for (i = 0; i < 20000; i++) {
		mutex_lock(&self->a.lock);
		bus_region_remove(&self->a.region);
		self->a.region.base = i % 2 ? 0x1000 : 0x8000;
		ASSERT_EQ(0, bus_region_add(&self->bus, &self->a.region,
					    &self->err));
		mutex_unlock(&self->a.lock);
	}
	atomic_store(&m.stop, true);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, self->a.offset);
}

TEST_HARNESS_MAIN
