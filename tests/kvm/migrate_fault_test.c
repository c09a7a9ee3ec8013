// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: a migration under I/O of which every step fails once
 *
 * Between two processes is one that closes the connections, resets them, lets
 * nothing through any more, or kills one of the two, before and behind every
 * kind of frame and in the middle of some. After each of these at most one of
 * the two has the machine, and has its disk; if the source may have it, it runs
 * on at once; the guest has lost nothing, of memory or disk, as it checks all
 * the time; and whoever has not the machine ends and leaves nothing behind.
 *
 * All of it takes minutes: a seed says which part is done, LKVM_LONG=1 all. Where
 * the guest is slow to start, the part is smaller, and all may take longer.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/harness.h"

#include "tests/kvm/disk.h"
#include "tests/kvm/machine.h"
#include "tests/kvm/proto.h"
#include "tests/kvm/proxy.h"
#include "tests/lib/random.h"

#define LIMIT_S		3000
#define WAIT_MS		100000
#define SETTLE_S	20
#define DECIDE_S	150	/* more than the source waits for the locks */
#define SEED		7
#define ONE_IN		5	/* of all cases, if not all */
#define SLOW_START_MS	1000	/* so long takes the start on a slow machine */
#define SLOW		4	/* there all takes so many times as long, or more */
#define BYTES		24	/* places in the middle of something */
#define STALLED_S	2u
/* From the break to the running guest, on a machine that does much else. */
#define SOON_MS		500

/**
 * struct times - how long something took, again and again
 * @ns: each
 * @nr: how many
 */
struct times {
	uint64_t ns[512];
	unsigned int nr;
};

FIXTURE(fault)
{
	struct machine m[2];
	unsigned int at;
	struct proxy proxy;
	struct test_random rnd;
	bool all;
	unsigned int slow;
	unsigned int cases;
	unsigned int moved;
	unsigned int lost;
	struct times live;
	struct times stopped;
};

/**
 * struct outcome - what has become of the two
 * @client: the command's process, 0 when it has ended
 * @stays_ns: when the source said that it stays, 0 for not yet
 * @source: it lives
 * @target: it has the machine
 * @target_ended: its process has ended
 * @source_over_ns: when it was known what has become of it
 * @told: the target was told to end
 * @mark: how much of each console is older
 */
struct outcome {
	pid_t client;
	uint64_t stays_ns;
	bool source;
	bool target;
	bool target_ended;
	uint64_t source_over_ns;
	bool told;
	size_t mark[2];
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static struct machine *source(FIXTURE_DATA(fault) *self)
{
	return &self->m[self->at];
}

static struct machine *target(FIXTURE_DATA(fault) *self)
{
	return &self->m[!self->at];
}

static const char *unavailable(void)
{
	return machine_is_qemu() ? "this is about lkvm" : machine_unavailable();
}

FIXTURE_SETUP(fault)
{
	memset(self, 0, sizeof(*self));
	self->m[0] = (struct machine){ .in = -1, .out = -1 };
	self->m[1] = self->m[0];
	self->all = getenv("LKVM_LONG");
	self->slow = 1;
	test_random_init(&self->rnd);
}

FIXTURE_TEARDOWN(fault)
{
	machine_destroy(&self->m[1]);
	machine_destroy(&self->m[0]);
}

/* ---- two processes ---------------------------------------------------------- */

static bool start(FIXTURE_DATA(fault) *self)
{
	const struct machine_setup s = {
		.params = "test=stamp cpus=2 beat=10 seed=7",
		.cpus = 2, .mib = 16,
		.disk[0].mib[0] = 8,
	};
	const uint64_t begin = now_ns();

	machine_destroy(&self->m[1]);
	machine_destroy(&self->m[0]);
	self->m[1] = (struct machine){ .in = -1, .out = -1 };
	self->at = 0;
	if (machine_start(&self->m[0], &s) ||
	    !machine_expect(&self->m[0], "guest: beat", WAIT_MS))
		return false;
	if (now_ns() - begin > SLOW_START_MS * 1000000ull)
		self->slow = SLOW;
	return true;
}

static bool receive(FIXTURE_DATA(fault) *self, uint16_t port)
{
	char address[32], timeout[16];
	const char *const words[] = {
		"--listen", address, "--timeout", timeout, NULL,
	};
	struct machine *m = target(self);
	int ret;

	snprintf(address, sizeof(address), "127.0.0.1:%u", port);
	snprintf(timeout, sizeof(timeout), "%u", STALLED_S * self->slow);
	ret = m->folder[0] ? machine_receive_again(m, words) :
			     machine_receive(m, source(self), words);
	return !ret && machine_expect(m, "waiting for a machine", WAIT_MS);
}

static pid_t migrate(FIXTURE_DATA(fault) *self)
{
	char address[32], timeout[16];
	const char *words[] = {
		"migrate", "--to", address, "--channels", "2", "--timeout",
		timeout, NULL,
	};

	if (self->proxy.plan.act != PROXY_STALL)
		words[5] = NULL;
	snprintf(address, sizeof(address), "127.0.0.1:%u", self->proxy.port);
	snprintf(timeout, sizeof(timeout), "%u", STALLED_S * self->slow + 1);
	return machine_begin(source(self), words);
}

/* The number of the last beat on a console from there on, -1 for none. */
static long last_beat(const struct machine *m, size_t from)
{
	static const char text[] = "guest: beat ";
	const char *p = m->console + from;
	long n = -1;

	while ((p = strstr(p, text))) {
		p += strlen(text);
		n = atol(p);
	}
	return n;
}

/* It says what nobody ever says. */
static void listen_to(struct machine *m)
{
	machine_expect(m, "\a", 1);
}

/*
 * A source that ends before there is a machine was none: the target waits for
 * the next one, until somebody ends it.
 */
static void end_listener(FIXTURE_DATA(fault) *self, struct outcome *o)
{
	if (self->proxy.seen[FRAME_BUILT] ||
	    now_ns() - o->source_over_ns < 300000000u || o->told)
		return;
	o->told = true;
	kill(target(self)->pid, SIGTERM);
}

/* ---- what has become of them ------------------------------------------------- */

static bool is_over(FIXTURE_DATA(fault) *self, struct outcome *o)
{
	struct machine *s = source(self), *t = target(self);

	listen_to(s);
	if (!o->stays_ns && strstr(s->console + o->mark[0], "stays here: "))
		o->stays_ns = now_ns();
	listen_to(t);
	if (!o->target_ended &&
	    strstr(t->console + o->mark[1], "was handed over and"))
		o->target = true;
	if (o->client && waitpid(o->client, NULL, WNOHANG) == o->client)
		o->client = 0;
	if (o->source && !kill(s->pid, 0) && machine_wait(s, 1) >= 0)
		o->source = false;
	if (!o->target_ended && machine_wait(t, 1) >= 0) {
		o->target_ended = true;
		o->target = false;
	}
	if (o->client || (!o->stays_ns && o->source))
		return false;
	if (!o->source_over_ns)
		o->source_over_ns = now_ns();
	if (!o->target && !o->target_ended)
		end_listener(self, o);
	return o->target || o->target_ended;
}

static bool settle(FIXTURE_DATA(fault) *self, struct outcome *o)
{
	const uint64_t limit = self->all ? DECIDE_S : SETTLE_S * self->slow;
	const uint64_t begin = now_ns();

	while (!is_over(self, o))
		if (now_ns() - begin > limit * 1000000000u)
			return false;
	return true;
}

/*
 * The target may have been killed, or have heard of it, only now: the source does
 * not wait for the last frame. The proxy has stopped, and acts no more.
 */
static void look_again(FIXTURE_DATA(fault) *self, struct outcome *o)
{
	if (self->proxy.plan.act == PROXY_KILL_TARGET && o->target &&
	    self->proxy.acted_ns && machine_wait(target(self), WAIT_MS) >= 0) {
		o->target = false;
		o->target_ended = true;
	}
}

/* ---- what must be so ----------------------------------------------------------- */

static bool disk_is_free(FIXTURE_DATA(fault) *self)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char path[128];
	bool free_now;
	int fd;

	machine_disk_path(&self->m[0], 0, 0, path, sizeof(path));
	fd = open(path, O_RDWR | O_CLOEXEC);
	free_now = fd >= 0 && !fcntl(fd, F_OFD_SETLK, &lock);
	close(fd);
	return free_now;
}

/* The kernel may close what a killed process had in a ring when it is long gone. */
static bool disk_gets_free(FIXTURE_DATA(fault) *self)
{
	const uint64_t begin = now_ns();

	while (!disk_is_free(self)) {
		if (now_ns() - begin > WAIT_MS * 1000000ull)
			return false;
		usleep(1000);
	}
	return true;
}

/* Files in the runtime folder, after a list has removed what is stale. */
static int runtime_files(FIXTURE_DATA(fault) *self)
{
	const char *const words[] = { "list", NULL };
	struct dirent *entry;
	char path[128];
	int n = 0;
	DIR *dir;

	if (machine_run(&self->m[0], words, WAIT_MS))
		return -1;
	machine_path(&self->m[0], "lkvm", path, sizeof(path));
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		n += entry->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return n;
}

/* Its guest goes on where the last one was. */
static bool goes_on(struct machine *m, const struct machine *other)
{
	const long before = last_beat(other, 0);

	m->taken = m->len;
	return machine_expect(m, "guest: beat ", WAIT_MS) &&
	       last_beat(m, 0) > before;
}

/* The last lines that are not beats, and the last beat. */
static void show_end(const struct machine *m)
{
	const char *p = m->console, *end;

	printf("# ---- %s, last beat %ld\n", m->name, last_beat(m, 0));
	for (; (end = strchr(p, '\n')); p = end + 1)
		if (strncmp(p, "guest: beat", 11))
			printf("# %.*s\n", (int)(end - p), p);
	fflush(stdout);
}

static bool say(FIXTURE_DATA(fault) *self, const struct outcome *o,
		const char *what)
{
	const struct proxy_plan *p = &self->proxy.plan;

	printf("# %s: %s %s %s %u, byte %llu: source %d, target %d, go %u\n",
	       what, proxy_act_name(p->act), p->after ? "behind" : "before",
	       p->type ? "frame" : "-", p->type, (unsigned long long)p->byte,
	       o->source, o->target, self->proxy.seen[FRAME_GO]);
	show_end(source(self));
	show_end(target(self));
	return false;
}

/* Who has it must be one that may. */
static bool one_has_it(FIXTURE_DATA(fault) *self, const struct outcome *o)
{
	const bool word = self->proxy.seen[FRAME_GO];

	if (!self->proxy.acted_ns && self->proxy.plan.act != PROXY_STALL)
		return !o->source && o->target;
	switch (self->proxy.plan.act) {
	case PROXY_KILL_SOURCE:
		return !o->source && o->target == word;
	case PROXY_KILL_TARGET:
		return !o->target && (o->source || word);
	default:
		return o->source != o->target;
	}
}

static bool check(FIXTURE_DATA(fault) *self, const struct outcome *o)
{
	struct machine *m = o->source ? source(self) : target(self);
	const bool lives = o->source || o->target;

	if (!one_has_it(self, o))
		return say(self, o, "who has it");
	if (lives ? disk_is_free(self) : !disk_gets_free(self))
		return say(self, o, "who has the disk");
	if (runtime_files(self) != (lives ? 2 : 0))
		return say(self, o, "files in the runtime folder");
	if (lives && !goes_on(m, o->source ? target(self) : source(self)))
		return say(self, o, "it does not go on");
	return true;
}

static void add_time(FIXTURE_DATA(fault) *self, const struct outcome *o)
{
	struct times *t = self->proxy.seen[FRAME_LOAD] ? &self->stopped :
							 &self->live;

	if (o->stays_ns && self->proxy.acted_ns && t->nr < 512 &&
	    self->proxy.plan.act != PROXY_STALL)
		t->ns[t->nr++] = o->stays_ns - self->proxy.acted_ns;
}

/* ---- cases ------------------------------------------------------------------ */

/* Both are gone: what was on the disk is whole. */
static bool begin_again(FIXTURE_DATA(fault) *self)
{
	const struct disk_report disk = { .nsid = 1, .block_size = 512 };
	char path[128];

	self->lost++;
	machine_disk_path(&self->m[0], 0, 0, path, sizeof(path));
	return disk_stamps_check(path, &disk, SEED) && start(self);
}

static bool one(FIXTURE_DATA(fault) *self, struct proxy_plan plan)
{
	struct outcome o = { .source = true };
	const uint16_t port = proxy_free_port();
	bool good;

	if (!receive(self, port))
		return say(self, &o, "it does not wait for a machine");
	plan.source = source(self)->pid;
	plan.target = target(self)->pid;
	listen_to(source(self));
	o.mark[0] = source(self)->len;
	o.mark[1] = target(self)->len;
	if (proxy_start(&self->proxy, port, &plan))
		return say(self, &o, "no proxy");
	o.client = migrate(self);
	good = o.client > 0 && (settle(self, &o) || say(self, &o, "a hang"));
	proxy_stop(&self->proxy);
	look_again(self, &o);
	if (!good || !check(self, &o))
		return false;
	self->cases++;
	self->moved += o.target;
	add_time(self, &o);
	if (!o.source && !o.target)
		return begin_again(self);
	if (o.target)
		self->at = !self->at;
	return true;
}

/* Ends the guest, which checks all once more. */
static bool ends_well(FIXTURE_DATA(fault) *self)
{
	const char end = GUEST_INPUT_END;
	int code = -1;

	if (machine_send(source(self), &end, 1, WAIT_MS))
		code = machine_wait(source(self), WAIT_MS);
	if (code == GUEST_EXIT_PASS && disks_check(source(self), SEED) == 1)
		return true;
	printf("# end: %d\n", code);
	machine_show(source(self));
	return false;
}

static int by_size(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static bool tell_times(struct times *t, const char *what, unsigned int slow)
{
	if (!t->nr)
		return true;
	qsort(t->ns, t->nr, sizeof(t->ns[0]), by_size);
	printf("# until it stays, guest %s: median %.1f ms, 90 %% %.1f ms, most %.1f ms, of %u\n",
	       what, (double)t->ns[t->nr / 2] / 1e6,
	       (double)t->ns[t->nr * 9 / 10] / 1e6,
	       (double)t->ns[t->nr - 1] / 1e6, t->nr);
	return t->ns[t->nr / 2] < SOON_MS * 1000000ull * slow;
}

static bool tell(FIXTURE_DATA(fault) *self)
{
	bool live, stopped;

	printf("# %u faults: %u moves, %u machines lost with their process\n",
	       self->cases, self->moved, self->lost);
	live = tell_times(&self->live, "running", self->slow);
	stopped = tell_times(&self->stopped, "stopped", self->slow);
	return live && stopped;
}

/* The target runs, and the source hears no word of it: that takes a minute. */
static bool takes_long(const struct proxy_plan *p)
{
	return p->act != PROXY_KILL_SOURCE && p->act != PROXY_KILL_TARGET &&
	       ((p->type == FRAME_GO && p->after) ||
		(p->type == FRAME_RUNNING && !p->after));
}

static bool is_chosen(FIXTURE_DATA(fault) *self, const struct proxy_plan *p)
{
	const bool end = p->type >= FRAME_LOAD;

	return self->all || (!takes_long(p) &&
			     !test_random_below(&self->rnd, self->slow *
						(end ? 2 : ONE_IN)));
}

/* How many frames of a type there are in every migration, two at most. */
static unsigned int nths(uint32_t type)
{
	return type >= FRAME_BUILD ? 1 : 2;
}

/* Every kind of frame; those of the hand-over are the ones that matter. */
static bool all_frames(FIXTURE_DATA(fault) *self, enum proxy_act act)
{
	struct proxy_plan plan = { .act = act };
	bool good = true;

	for (plan.type = FRAME_HELLO; plan.type < FRAME_ERROR; plan.type++) {
		/* Also of the second connection, and of the second round. */
		for (plan.nth = 0; good && plan.nth < nths(plan.type);
		     plan.nth++) {
			plan.after = false;
			if (is_chosen(self, &plan))
				good = one(self, plan);
			plan.after = true;
			if (good && is_chosen(self, &plan))
				good = one(self, plan);
		}
	}
	return good;
}

TEST_F_TIMEOUT(fault, cut_behind_and_before_every_frame, LIMIT_S)
{
	if (unavailable())
		SKIP(return, "%s", unavailable());
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(all_frames(self, PROXY_CUT));
	ASSERT_TRUE(all_frames(self, PROXY_RESET));
	EXPECT_TRUE(tell(self));
	ASSERT_TRUE(ends_well(self));
}

TEST_F_TIMEOUT(fault, target_killed_at_every_frame, LIMIT_S)
{
	if (unavailable())
		SKIP(return, "%s", unavailable());
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(all_frames(self, PROXY_KILL_TARGET));
	EXPECT_TRUE(tell(self));
	ASSERT_TRUE(ends_well(self));
}

TEST_F_TIMEOUT(fault, source_killed_at_every_frame, LIMIT_S)
{
	if (unavailable())
		SKIP(return, "%s", unavailable());
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(all_frames(self, PROXY_KILL_SOURCE));
	EXPECT_TRUE(tell(self));
	ASSERT_TRUE(ends_well(self));
}

/* Seconds each: the deadlines end them. Behind the word it takes a minute. */
TEST_F_TIMEOUT(fault, nothing_comes_through_any_more, LIMIT_S)
{
	static const uint32_t few[] = {
		FRAME_WELCOME, FRAME_WRITE, FRAME_LOADED, FRAME_TAKE, FRAME_GO,
	};
	struct proxy_plan plan = { .act = PROXY_STALL };
	unsigned int i;

	if (unavailable())
		SKIP(return, "%s", unavailable());
	ASSERT_TRUE(start(self));
	for (i = 0; !self->all && i < ARRAY_SIZE(few); i++) {
		plan.type = few[i];
		ASSERT_TRUE(one(self, plan));
	}
	if (self->all)
		ASSERT_TRUE(all_frames(self, PROXY_STALL));
	EXPECT_TRUE(tell(self));
	ASSERT_TRUE(ends_well(self));
}

/* In the middle of frames, wherever that is. */
TEST_F_TIMEOUT(fault, at_any_byte, LIMIT_S)
{
	struct proxy_plan plan = { .act = PROXY_NOTHING };
	unsigned int i, nr;
	uint64_t bytes;

	if (unavailable())
		SKIP(return, "%s", unavailable());
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(one(self, plan));
	bytes = self->proxy.bytes;
	nr = self->all ? 8 * BYTES : BYTES / self->slow;
	for (i = 0; i < nr; i++) {
		plan.act = PROXY_CUT + (enum proxy_act)(i % 4);
		if (plan.act == PROXY_STALL)
			plan.act = PROXY_KILL_TARGET;
		plan.byte = 1 + test_random_below(&self->rnd, i % 3 ? bytes :
						  10000);
		ASSERT_TRUE(one(self, plan));
	}
	EXPECT_TRUE(tell(self));
	ASSERT_TRUE(ends_well(self));
}

TEST_HARNESS_MAIN
