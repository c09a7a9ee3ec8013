// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: vmm/vmcoreinfo.c: the note in guest memory, and what only looks like it
 */
#include <string.h>
#include <sys/stat.h>

#include "tests/lib/harness.h"
#include "tests/lib/random.h"
#include "vmm/base/math.h"
#include "vmm/vmcoreinfo.h"

#define HIGH	(16 * MIB)

static const char good[] =
	"OSRELEASE=6.1.0-test\nBUILD-ID=00\nPAGESIZE=4096\n"
	"SYMBOL(_stext)=ffffffff9e400000\n"
	"NUMBER(phys_base)=-12582912\nKERNELOFFSET=1d400000\n";

FIXTURE(vmcoreinfo) {
	struct guest_memory memory;
	struct vmcoreinfo info;
	struct error err;
	gpa_t found[4];
};

static int add(FIXTURE_DATA(vmcoreinfo) *self, const char *name, u64 at,
	       u64 size)
{
	struct memory_request req = {
		.name = name, .gpa = gpa(at), .size = size, .fd = -1,
	};

	return guest_memory_add(&self->memory, &req, &self->err);
}

FIXTURE_SETUP(vmcoreinfo)
{
	memset(self, 0, sizeof(*self));
	ASSERT_EQ(0, guest_memory_init(&self->memory, -1));
	ASSERT_EQ(0, add(self, "low", 0, 4 * MIB));
	ASSERT_EQ(0, add(self, "high", HIGH, 4 * MIB));
}

FIXTURE_TEARDOWN(vmcoreinfo)
{
	guest_memory_destroy(&self->memory);
}

static u8 *host(FIXTURE_DATA(vmcoreinfo) *self, u64 at)
{
	struct memory_block *b = guest_memory_find(&self->memory, gpa(at));

	return b->host + (at - gpa_raw(b->gpa));
}

/* As the kernel does it. */
static void put(FIXTURE_DATA(vmcoreinfo) *self, u64 at, const char *text,
		u32 len)
{
	u32 head[3] = { 11, len, 0 };
	u8 *p = host(self, at);

	memcpy(p, head, sizeof(head));
	memcpy(p + 12, "VMCOREINFO\0", 12);
	memcpy(p + 24, text, strlen(text));
}

static u32 scan(FIXTURE_DATA(vmcoreinfo) *self)
{
	return vmcoreinfo_scan(&self->memory, self->found, 4);
}

static int read_at(FIXTURE_DATA(vmcoreinfo) *self, u64 at)
{
	return vmcoreinfo_read(&self->memory, gpa(at), &self->info);
}

TEST_F(vmcoreinfo, found_on_any_page_and_read)
{
	static const u64 places[] = {
		0, 4096, 63 * 4096, 64 * 4096, 65 * 4096, 4 * MIB - 4096, HIGH,
		HIGH + 4 * MIB - 4096,
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		put(self, places[i], good, sizeof(good) - 1);
		ASSERT_EQ(1, scan(self)) TH_LOG("at %llx", places[i]);
		EXPECT_EQ(places[i], gpa_raw(self->found[0]));
		ASSERT_EQ(0, read_at(self, places[i]));
		EXPECT_STREQ(good, self->info.text);
		EXPECT_EQ(sizeof(good) - 1, self->info.len);
		memset(host(self, places[i]), 0, 4096);
	}
}

TEST_F(vmcoreinfo, not_more_than_there_is_room_for)
{
	u64 i;

	for (i = 1; i <= 6; i++)
		put(self, i * 5 * 4096, good, sizeof(good) - 1);
	EXPECT_EQ(4, scan(self));
	EXPECT_EQ(20 * 4096, gpa_raw(self->found[3]));
}

/* Reading a hole would make the host give a page. */
TEST_F(vmcoreinfo, memory_that_nobody_touched_stays_so)
{
	struct stat before, after;

	put(self, 200 * 4096, good, sizeof(good) - 1);
	ASSERT_EQ(0, fstat(self->memory.blocks[1].fd, &before));
	EXPECT_EQ(1, scan(self));
	ASSERT_EQ(0, fstat(self->memory.blocks[1].fd, &after));
	EXPECT_EQ(0, before.st_blocks);
	EXPECT_EQ(0, after.st_blocks);
}

TEST_F(vmcoreinfo, what_is_no_such_note_is_not_found)
{
	u8 *p = host(self, 4096);
	u32 i;

	/* Not at the beginning of a page. */
	put(self, 8192 + 64, good, sizeof(good) - 1);
	EXPECT_EQ(0, scan(self));
	for (i = 0; i < 24; i++) {
		put(self, 4096, good, sizeof(good) - 1);
		p[i] ^= 0x80;
		/* The low byte of the length may be any. */
		EXPECT_EQ(i == 4, scan(self)) TH_LOG("byte %u", i);
	}
	put(self, 4096, good, VMCOREINFO_MAX + 1);
	EXPECT_EQ(0, scan(self));
	EXPECT_EQ(-ENOENT, read_at(self, 4096));
	put(self, 4096, good, 0);
	EXPECT_EQ(0, scan(self));
}

TEST_F(vmcoreinfo, what_no_kernel_would_write_is_refused)
{
	static const char *const bad[] = {
		"KERNELOFFSET=0\nPAGESIZE=4096\n",
		"OSRELEASE=6.1\n",
		"OSRELEASE=6.1\nPAGESIZE=\n",
		"OSRELEASE=6.1\nPAGESIZE=4097\n",
		"OSRELEASE=6.1\nPAGESIZE=512\n",
		"OSRELEASE=6.1\nPAGESIZE=4096x\n",
		"OSRELEASE=6.1\nXPAGESIZE=4096\n",
		"OSRELEASE=6.1\nPAGESIZE=4096\n\001\n",
		"OSRELEASE=6.1\nPAGESIZE=4096\n\377\n",
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		put(self, 4096, bad[i], (u32)strlen(bad[i]));
		EXPECT_EQ(1, scan(self));
		EXPECT_EQ(-ENOENT, read_at(self, 4096)) TH_LOG("%s", bad[i]);
	}
	/* Zeros behind a text, and a text that ends beyond memory. */
	put(self, 4096, good, sizeof(good));
	EXPECT_EQ(-ENOENT, read_at(self, 4096));
	put(self, 4 * MIB - 4096, good, VMCOREINFO_MAX);
	EXPECT_EQ(-ENOENT, read_at(self, 4 * MIB - 4096));
	EXPECT_EQ(-ENOENT, read_at(self, 8 * MIB));
}

TEST_F(vmcoreinfo, numbers)
{
	u64 value;

	put(self, 0, good, sizeof(good) - 1);
	ASSERT_EQ(0, read_at(self, 0));
	ASSERT_EQ(0, vmcoreinfo_number(&self->info, "KERNELOFFSET", 16,
				       &value));
	EXPECT_EQ(0x1d400000, value);
	ASSERT_EQ(0, vmcoreinfo_number(&self->info, "NUMBER(phys_base)", 10,
				       &value));
	EXPECT_EQ(-12582912, (s64)value);
	ASSERT_EQ(0, vmcoreinfo_number(&self->info, "SYMBOL(_stext)", 16,
				       &value));
	EXPECT_EQ(0xffffffff9e400000, value);
	EXPECT_EQ(-ENOENT, vmcoreinfo_number(&self->info, "OSRELEASE", 10,
					     &value));
	EXPECT_EQ(-ENOENT, vmcoreinfo_number(&self->info, "KERNEL", 16,
					     &value));
	EXPECT_EQ(-ENOENT, vmcoreinfo_number(&self->info, "OFFSET", 16,
					     &value));
}

/* Texts and headers with random bytes in them: nothing but a yes or no. */
TEST_F(vmcoreinfo, random_bytes_do_no_harm)
{
	struct test_random rnd;
	u32 i, k;

	test_random_init(&rnd);
	for (i = 0; i < 2000; i++) {
		put(self, 4096, good, sizeof(good) - 1);
		for (k = 0; k < 3; k++)
			host(self, 4096)[test_random_below(&rnd, 200)] =
				(u8)test_random_u64(&rnd);
		EXPECT_LE(scan(self), 1);
		if (!read_at(self, 4096))
			EXPECT_LE(self->info.len, VMCOREINFO_MAX);
	}
}

TEST_HARNESS_MAIN
