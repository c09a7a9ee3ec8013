// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the first frames: peers of other versions, of other architectures
 */
#include "tests/lib/harness.h"

#include <string.h>
#include <sys/socket.h>

#include "migration/hello.h"
#include "vmm/arch.h"

FIXTURE(hello) {
	struct error err;
	struct frame_link a;
	struct frame_link b;
	u8 payload[128];
	struct hello got;
};

FIXTURE_SETUP(hello)
{
	struct channel *ch;
	int fd[2];

	memset(self, 0, sizeof(*self));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd));
	ASSERT_EQ(0, channel_stream_open(fd[0], fd[0], "a", &ch, &self->err));
	frame_link_init(&self->a, ch);
	ASSERT_EQ(0, channel_stream_open(fd[1], fd[1], "peer", &ch,
					 &self->err));
	frame_link_init(&self->b, ch);
}

FIXTURE_TEARDOWN(hello)
{
	frame_link_close(&self->a);
	frame_link_close(&self->b);
}

/* What another lkvm would send, in so many bytes. */
static int exchange(FIXTURE_DATA(hello) *self, u32 version, u32 machine,
		    u32 len)
{
	struct hello h = {
		.version = cpu_to_le32(version), .links = cpu_to_le32(2),
		.index = cpu_to_le32(1), .elf_machine = cpu_to_le32(machine),
		.job = { 1, 2, 3 }, .can = cpu_to_le32(0x80000001),
	};
	int ret;

	memset(self->payload, 0xff, sizeof(self->payload));
	memcpy(self->payload, &h, sizeof(h));
	ret = frame_send(&self->a, FRAME_HELLO, 0, self->payload, len,
			 &self->err);
	return ret ? ret : hello_receive(&self->b, FRAME_HELLO, &self->got,
					 &self->err);
}

TEST_F(hello, it_says_what_this_lkvm_can)
{
	struct hello h = { .links = cpu_to_le32(1) };

	ASSERT_EQ(0, hello_send(&self->a, FRAME_WELCOME, &h, &self->err));
	ASSERT_EQ(0, hello_receive(&self->b, FRAME_WELCOME, &self->got,
				   &self->err));
	EXPECT_EQ(HELLO_VERSION, le32_to_cpu(self->got.version));
	EXPECT_EQ(arch_elf_machine, le32_to_cpu(self->got.elf_machine));
	EXPECT_EQ(HELLO_CAN_CHECK, le32_to_cpu(self->got.can));
}

TEST_F(hello, an_older_one_says_nothing_of_what_it_can)
{
	ASSERT_EQ(0, exchange(self, HELLO_VERSION, arch_elf_machine, 32));
	EXPECT_EQ(0, le32_to_cpu(self->got.can));
	EXPECT_EQ(2, le32_to_cpu(self->got.links));
	EXPECT_EQ(3, self->got.job[2]);
}

TEST_F(hello, what_a_newer_one_adds_is_ignored)
{
	ASSERT_EQ(0, exchange(self, HELLO_VERSION, arch_elf_machine, 128));
	EXPECT_EQ(0x80000001, le32_to_cpu(self->got.can));
	EXPECT_EQ(-EPROTO, exchange(self, HELLO_VERSION, arch_elf_machine, 31));
	EXPECT_STREQ("peer: malformed hello frame", self->err.text);
}

TEST_F(hello, another_version_says_who_has_to_change)
{
	EXPECT_EQ(-EPROTO, exchange(self, HELLO_VERSION + 1, arch_elf_machine,
				    36));
	EXPECT_STREQ("peer: speaks version 2 of the migration protocol, and lkvm "
		     LKVM_VERSION
		     " version 1: bring the latter of the two up to date",
		     self->err.text);
	EXPECT_EQ(-EPROTO, exchange(self, 0, arch_elf_machine, 36));
	EXPECT_NE(NULL, strstr(self->err.text, "bring the former"));
}

TEST_F(hello, another_architecture_is_refused)
{
	EXPECT_EQ(-ENOTSUP, exchange(self, HELLO_VERSION, 0x1234, 36));
	EXPECT_NE(NULL, strstr(self->err.text,
			       "another architecture (ELF machine 4660)"));
	EXPECT_NE(NULL, strstr(self->err.text, arch_name));
}

TEST_HARNESS_MAIN
