// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the console on standard input and output, and ports on pseudo terminals
 *
 * What is typed, however fast, arrives whole at a guest that reads slowly.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/kvm/disk.h"
#include "tests/kvm/machine.h"
#include "tests/kvm/proto.h"
#include "tests/lib/harness.h"
#include "tests/lib/random.h"

#define LIMIT_S		300
#define WAIT_MS		120000

/* A machine, and what to type. */
struct console {
	struct machine m;
	struct test_random rnd;
};

FIXTURE(console)
{
	struct console c;
};

FIXTURE_SETUP(console)
{
	self->c.m = (struct machine){ .in = -1, .out = -1 };
	test_random_init(&self->c.rnd);
}

FIXTURE_TEARDOWN(console)
{
	machine_destroy(&self->c.m);
}

/* Any byte but EOT, which ends the input, and Ctrl-a, lkvm's own. */
static uint8_t random_byte(struct test_random *rnd)
{
	uint8_t c;

	do
		c = (uint8_t)test_random_below(rnd, 256);
	while (c == GUEST_INPUT_END || c == 1);
	return c;
}

static void paste(struct __test_metadata *_metadata, struct console *c,
		  const char *params, size_t len)
{
	const struct machine_setup s = { .params = params };
	uint64_t hash = GUEST_INPUT_HASH_INIT;
	uint8_t *text;
	unsigned long long bytes = 0, got = 0;
	const char *line;
	size_t i;

	if (machine_unavailable())
		SKIP(return, "%s", machine_unavailable());
	text = malloc(len + 1);
	ASSERT_NE(NULL, text);
	for (i = 0; i < len; i++) {
		text[i] = random_byte(&c->rnd);
		hash = guest_input_hash(hash, text[i]);
	}
	text[len] = GUEST_INPUT_END;
	ASSERT_EQ(0, machine_start(&c->m, &s));
	EXPECT_NE(NULL, machine_expect(&c->m, "serial-echo: ready", WAIT_MS));
	EXPECT_TRUE(machine_send(&c->m, text, len + 1, WAIT_MS));
	free(text);
	line = machine_expect(&c->m, "serial-echo: bytes", WAIT_MS);
	if (!line)
		machine_show(&c->m);
	ASSERT_NE(NULL, line);
	EXPECT_TRUE(sscanf(line, "serial-echo: bytes %llu hash %llx", &bytes,
			   &got) == 2);
	EXPECT_EQ(len, bytes);
	EXPECT_EQ(hash, got);
	EXPECT_EQ(GUEST_EXIT_PASS, machine_wait(&c->m, WAIT_MS));
}

TEST_F_TIMEOUT(console, paste_to_polling_guest, LIMIT_S)
{
	paste(_metadata, &self->c, "test=serial-echo", 8192);
}

TEST_F_TIMEOUT(console, paste_to_guest_with_interrupts, LIMIT_S)
{
	paste(_metadata, &self->c, "test=serial-echo rx=irq", 16384);
}

TEST_F_TIMEOUT(console, paste_to_slow_guest, LIMIT_S)
{
	paste(_metadata, &self->c, "test=serial-echo rx=irq slow=500", 8192);
}

/* The guest's beat goes on until the end is typed. */
TEST_F_TIMEOUT(console, end_of_stamp_is_typed, LIMIT_S)
{
	const struct machine_setup s = {
		.params = "test=stamp cpus=2 beat=50 seed=7",
		.cpus = 2,
		.disk = { { .mib = { 16 } } },
	};
	const char end = GUEST_INPUT_END;
	int i;

	if (machine_unavailable())
		SKIP(return, "%s", machine_unavailable());
	ASSERT_EQ(0, machine_start(&self->c.m, &s));
	for (i = 0; i < 10; i++)
		EXPECT_NE(NULL, machine_expect(&self->c.m, "guest: beat",
					       WAIT_MS));
	EXPECT_TRUE(machine_send(&self->c.m, &end, 1, WAIT_MS));
	i = machine_wait(&self->c.m, WAIT_MS);
	if (i != GUEST_EXIT_PASS)
		machine_show(&self->c.m);
	EXPECT_EQ(GUEST_EXIT_PASS, i);
	EXPECT_EQ(1, disks_check(&self->c.m, 7));
}

/* Reads until the end of a line, or of patience. */
static size_t read_line(int fd, char *line, size_t cap)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t n = 0;
	ssize_t got;

	while (n + 1 < cap && poll(&p, 1, WAIT_MS) > 0) {
		got = read(fd, line + n, 1);
		if (got <= 0)
			break;
		if (line[n++] == '\n')
			break;
	}
	line[n] = 0;
	return n;
}

/* The console stays where it is, and the port is the pseudo terminal. */
static void pseudo_terminal(struct __test_metadata *_metadata,
			    struct machine *m, const char *port)
{
	struct machine_setup s = { .more = { "--tty", port } };
	char params[40], path[40], line[40];
	const char *said;
	int fd;

	if (machine_is_qemu())
		SKIP(return, "pseudo terminals are lkvm's");
	if (machine_unavailable())
		SKIP(return, "%s", machine_unavailable());
	snprintf(params, sizeof(params), "test=serial-port port=%s", port);
	s.params = params;
	ASSERT_EQ(0, machine_start(m, &s));
	snprintf(line, sizeof(line), "ttyS%s is connected to ", port);
	said = machine_expect(m, line, WAIT_MS);
	ASSERT_NE(NULL, said);
	EXPECT_TRUE(sscanf(said + strlen(line), "%39s", path) == 1);
	EXPECT_NE(NULL, machine_expect(m, "serial-port: ready", WAIT_MS));
	fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(11, write(fd, "Hello port\n", 11));
	EXPECT_EQ(11, read_line(fd, line, sizeof(line)));
	EXPECT_STREQ("HELLO PORT\n", line);
	/* What nobody has read is gone when the machine ends: so not before. */
	EXPECT_EQ(1, write(fd, "\n", 1));
	EXPECT_EQ(GUEST_EXIT_PASS, machine_wait(m, WAIT_MS));
	close(fd);
}

TEST_F_TIMEOUT(console, second_port_on_a_pseudo_terminal, LIMIT_S)
{
	pseudo_terminal(_metadata, &self->c.m, "1");
}

TEST_F_TIMEOUT(console, third_port_on_a_pseudo_terminal, LIMIT_S)
{
	pseudo_terminal(_metadata, &self->c.m, "2");
}

TEST_F_TIMEOUT(console, fourth_port_on_a_pseudo_terminal, LIMIT_S)
{
	pseudo_terminal(_metadata, &self->c.m, "3");
}

TEST_HARNESS_MAIN
