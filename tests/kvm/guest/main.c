// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the guest's main program
 *
 * The entry code of the architecture has set up the CPU, the console, memory
 * and time, and calls guest_main(). The command line names the tests:
 * test=NAME or test=NAME,NAME. They run in this order until one fails. Each
 * says "guest: start NAME" and "guest: pass NAME"; the machine ends through
 * the debug-exit port. The special test "exit" ends it at the first
 * instructions: the entry code does that.
 */
#include "tests/kvm/guest/lib.h"
#include "tests/kvm/guest/platform.h"
#include "tests/kvm/guest/test.h"
#include "tests/kvm/proto.h"

static const struct test *const tables[] = {
	machine_tests,
	time_tests,
	serial_tests,
	end_tests,
	pci_tests,
	nvme_tests,
	stamp_tests,
	dirty_tests,
};

static const struct test *test_find(const char *name)
{
	const struct test *t;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(tables); i++)
		for (t = tables[i]; t->name; t++)
			if (str_equal(t->name, name))
				return t;
	return NULL;
}

static noreturn void usage(const char *name)
{
	const struct test *t;
	unsigned int i;

	print("guest: no test \"%s\"; there are:\n", name);
	for (i = 0; i < ARRAY_SIZE(tables); i++)
		for (t = tables[i]; t->name; t++)
			print("guest:   %-14s %s\n", t->name, t->summary);
	machine_exit(GUEST_EXIT_USAGE);
}

static void test_run(const char *name)
{
	const struct test *t = test_find(name);
	uint64_t start = now_ns();

	if (!t)
		usage(name);
	print("guest: start %s\n", name);
	if (t->run()) {
		print("guest: fail %s\n", name);
		machine_exit(GUEST_EXIT_FAIL);
	}
	print("guest: pass %s %lu us\n", name, (now_ns() - start) / 1000);
}

/**
 * guest_main - run what the command line asks for and end the machine
 *
 * Context: the boot CPU, the others are not started yet.
 */
void guest_main(void)
{
	char names[256];
	char *p = names;

	print("guest: up after %lu us: %s\n", now_ns() / 1000, args_line());
	arg_text("test", names, sizeof(names));
	while (*p) {
		char *end = p;

		while (*end && *end != ',')
			end++;
		if (*end)
			*end++ = '\0';
		test_run(p);
		p = end;
	}
	if (p == names)
		usage("");
	print("guest: done\n");
	machine_exit(GUEST_EXIT_PASS);
}
