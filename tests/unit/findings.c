// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: what a destination says: there and back, and from one that lies
 */
#include "tests/lib/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "migration/findings.h"
#include "migration/frame.h"
#include "tests/lib/random.h"

FIXTURE(findings) {
	struct findings a;
	struct findings b;
	struct error err;
};

FIXTURE_SETUP(findings)
{
	memset(self, 0, sizeof(*self));
	findings_init(&self->a);
}

FIXTURE_TEARDOWN(findings)
{
}

static int there_and_back(FIXTURE_DATA(findings) *self)
{
	char *text;
	u32 len;
	int ret = findings_encode(&self->a, &text, &len, &self->err);

	if (ret)
		return ret;
	ret = len <= FRAME_FINDINGS_MAX ?
		findings_decode(&self->b, text, len, "peer", &self->err) : -E2BIG;
	free(text);
	return ret;
}

TEST_F(findings, they_arrive_as_they_were)
{
	ASSERT_EQ(0, there_and_back(self));
	EXPECT_EQ(0, self->b.nr);
	findings_add(&self->a, true, "cpu", "it lacks avx512f, la57");
	findings_add(&self->a, false, "disk", "nvme0n1 is not locked here");
	findings_add(&self->a, true, "memory", "none");
	ASSERT_EQ(0, there_and_back(self));
	ASSERT_EQ(3, self->b.nr);
	EXPECT_EQ(2, self->b.stops);
	EXPECT_TRUE(self->b.v[0].stops);
	EXPECT_STREQ("cpu", self->b.v[0].what);
	EXPECT_STREQ("it lacks avx512f, la57", self->b.v[0].text);
	EXPECT_FALSE(self->b.v[1].stops);
	EXPECT_STREQ("disk", self->b.v[1].what);
	EXPECT_STREQ("none", self->b.v[2].text);
}

TEST_F(findings, nothing_is_said_twice)
{
	findings_add(&self->a, true, "cpu", "it lacks sse2");
	findings_add(&self->a, true, "cpu", "it lacks sse2");
	EXPECT_EQ(1, self->a.nr);
	EXPECT_EQ(1, self->a.stops);
}

TEST_F(findings, as_many_as_fit_and_as_long_as_can_be)
{
	char text[600];
	u32 i;

	for (i = 0; i < FINDINGS_MAX + 10; i++) {
		memset(text, 'x', sizeof(text));
		snprintf(text, 8, "%06u", i);
		text[6] = ' ';
		text[sizeof(text) - 1] = '\0';
		findings_add(&self->a, true, "a-very-long-word-of-them", text);
	}
	EXPECT_EQ(FINDINGS_MAX, self->a.nr);
	EXPECT_EQ(FINDINGS_MAX + 10, self->a.stops);
	ASSERT_EQ(0, there_and_back(self)) TH_LOG("%s", self->err.text);
	EXPECT_EQ(FINDINGS_MAX, self->b.nr);
	EXPECT_EQ(0, memcmp(&self->a.v, &self->b.v, sizeof(self->a.v)));
}

TEST_F(findings, what_is_no_finding_is_refused)
{
	static const char *const bad[] = {
		"stop cpu it lacks sse2", "stop cpu\040\n", "stop cpu\n", "stop\n",
		"\n", "halt cpu it lacks sse2\n", "stop  it lacks sse2\n",
		" cpu it lacks sse2\n", "stop cpu x\n\n",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EPROTO, findings_decode(&self->b, bad[i],
						   (u32)strlen(bad[i]), "peer",
						   &self->err))
			TH_LOG("%zu", i);
		EXPECT_STREQ("peer: its findings cannot be read",
			     self->err.text);
	}
}

TEST_F(findings, nothing_of_them_reaches_a_terminal_as_control)
{
	static const char text[] = "stop c\033u it \033[2Jlacks\r\177\n";

	ASSERT_EQ(0, findings_decode(&self->b, text, sizeof(text) - 1, "peer",
				     &self->err));
	EXPECT_STREQ("c?u", self->b.v[0].what);
	EXPECT_STREQ("it ?[2Jlacks??", self->b.v[0].text);
}

TEST_F(findings, any_bytes_are_refused_or_printable)
{
	struct test_random rnd;
	char text[64];
	u32 i, k;

	test_random_init(&rnd);
	for (i = 0; i < 20000; i++) {
		test_random_fill(&rnd, text, sizeof(text));
		memcpy(text, "stop x y", 8);
		text[sizeof(text) - 1] = '\n';
		if (findings_decode(&self->b, text, sizeof(text), "peer",
				    &self->err))
			continue;
		for (k = 0; self->b.v[0].text[k]; k++)
			ASSERT_LE(' ', (u8)self->b.v[0].text[k]);
	}
}

TEST_HARNESS_MAIN
