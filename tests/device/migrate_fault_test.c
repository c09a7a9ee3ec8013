// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: migration/migrate.c and receive.c: what the other side must not do
 *
 * Between two machines that migrate, frames are lost, held back, invented and
 * changed, with checksums that are right. Whoever may run runs, soon, and
 * nobody waits for ever.
 */
#include "tests/device/test_migrate.h"

#define MS	1000000ULL

static u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000 + (u64)ts.tv_nsec;
}

/* ---- a frame of one type, from one side ----------------------------------- */

/**
 * struct at_frame - what is done when a frame comes by
 * @type: which
 * @step: not before the source is as far as this
 * @what: what becomes of it
 * @before: called first, or NULL
 * @self: the test
 * @seen_ns: when it came
 * @round: the last round whose end came by
 */
struct at_frame {
	u32 type;
	enum migrate_step step;
	enum carriage what;
	void (*before)(struct at_frame *a, struct carrier *c,
		       struct carried *f);
	FIXTURE_DATA(migrate) *self;
	u64 seen_ns;
	u64 round;
};

static enum carriage see_frame(void *arg, struct carrier *c,
			       struct carried *f)
{
	struct at_frame *a = arg;

	if (f->type == FRAME_ROUND)
		a->round = le64_to_cpu(f->h->pos);
	if (f->type != a->type || a->seen_ns ||
	    (a->step && atomic_load(&a->self->m->step) < a->step))
		return CARRY;
	a->seen_ns = now_ns();
	if (a->before)
		a->before(a, c, f);
	return a->what;
}

static void at_frame(FIXTURE_DATA(migrate) *self, struct at_frame *a)
{
	a->self = self;
	self->carrier_setup.see = see_frame;
	self->carrier_setup.arg = a;
}

/* Who has the machine: one of the two, with its disk. */
static void check_one(struct __test_metadata *_metadata,
		      FIXTURE_DATA(migrate) *self, bool here)
{
	EXPECT_EQ(here, runs_here(self)) TH_LOG("%s", self->result.text);
	EXPECT_EQ(!here, self->target.runs && !self->target.err.code)
		TH_LOG("%s", self->target.err.text);
	EXPECT_EQ(here, self->result.code != 0);
	EXPECT_EQ(here, !device_disks_take(self->vm, &self->err))
		TH_LOG("%s", self->err.text);
}

/* ---- the word ------------------------------------------------------------- */

static void busy(struct loop_call *call)
{
	free(call);
	usleep(200000);
}

static void lose_other_connection(struct at_frame *a, struct carrier *c,
				  struct carried *f)
{
	struct loop_call *call = calloc(1, sizeof(*call));

	/* So that running takes a while. */
	loop_call_init(call, busy);
	iothread_post(&a->self->target.vm->loop, call);
	if (!move_all(c->pair[0][1], f->h, sizeof(*f->h), true))
		return;
	usleep(50000);
	shutdown(c->pair[1][1], SHUT_RDWR);
	usleep(50000);
}

/* The word has come: nothing that happens later takes it back. */
TEST_F(migrate, connection_that_breaks_at_the_word_changes_nothing)
{
	struct at_frame go = {
		.type = FRAME_GO, .what = DROP, .before = lose_other_connection,
	};

	at_frame(self, &go);
	migrate(_metadata, self, NEVER);
	check_one(_metadata, self, false);
	end_target(self);
}

/* The source is there, but nothing comes: the locks are given back. */
TEST_F(migrate, target_without_the_word_does_not_keep_the_disks)
{
	struct at_frame go = { .type = FRAME_GO, .what = STALL };

	at_frame(self, &go);
	self->timeout_ms = 1500;
	self->decide_ms = 10000;
	self->target_setup.patience_ms = 1000;
	migrate(_metadata, self, NEVER);
	check_one(_metadata, self, true);
	end_target(self);
}

static void run_there_for_a_while(struct at_frame *a, struct carrier *c,
				  struct carried *f)
{
	struct target *t = &a->self->target;
	int fd = open(a->self->image, O_WRONLY | O_CLOEXEC);

	/* What the guest did there, before that machine was killed. */
	if (pwrite(fd, "there", 5, 4096) != 5)
		printf("# %m\n");
	close(fd);
	while (sem_wait(&t->over) < 0)
		;
	sem_post(&t->over);
	sem_post(&t->done);
	pthread_join(t->thread, NULL);
	t->vm = NULL;
}

/* The disk has gone on, so the memory here does not fit it any more. */
TEST_F(migrate, machine_that_ran_there_and_was_killed_does_not_run_here)
{
	struct at_frame running = {
		.type = FRAME_RUNNING, .what = CUT,
		.before = run_there_for_a_while,
	};

	at_frame(self, &running);
	self->decide_ms = 10000;
	self->target_ends_itself = true;
	migrate(_metadata, self, NEVER);
	EXPECT_FALSE(runs_here(self));
	EXPECT_EQ(0, self->result.code) TH_LOG("%s", self->result.text);
	end_target(self);
}

/* A target that never says 'ready', and keeps what it has. */
static void later(struct io_timer *timer)
{
	FIXTURE_DATA(migrate) *self;

	self = container_of(timer, FIXTURE_DATA(migrate), timer);
	vm_request_end(self->vm, VM_END_KILLED, 0);
}

TEST_F(migrate, machine_that_waits_for_its_disks_can_be_ended)
{
	struct at_frame ready = { .type = FRAME_READY, .what = STALL };
	u64 start = now_ns();

	at_frame(self, &ready);
	self->timeout_ms = 200;
	self->target_setup.patience_ms = 5000;
	io_timer_init(&self->timer, &self->vm->loop, later);
	io_timer_set(&self->timer, 1000 * MS);
	self->leave_target = true;
	migrate(_metadata, self, NEVER);
	EXPECT_LT((now_ns() - start) / MS, 4000);
	EXPECT_NE(0, self->result.code);
	EXPECT_FALSE(runs_here(self));
	io_timer_destroy(&self->timer);
	end_target(self);
}

/* ---- the guest goes on at once ---------------------------------------------- */

static void take_nothing_more(struct at_frame *a, struct carrier *c,
			      struct carried *f)
{
	u32 i;

	move_all(c->pair[f->link][0], f->h, sizeof(*f->h), true);
	/* The source cannot write any more, but could still read. */
	for (i = 0; i < c->nr; i++)
		shutdown(c->pair[i][0], SHUT_RD);
	a->seen_ns = now_ns();
}

/* What the target may have to say is not worth stopping the guest for. */
TEST_F(migrate, guest_does_not_wait_for_last_words)
{
	static const u32 types[] = { FRAME_ROUND_DONE, FRAME_LOADED };
	u32 i;

	self->target_setup.patience_ms = 1000;
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		struct at_frame answer = {
			.type = types[i], .step = MIGRATE_STOPPED,
			.what = STALL, .before = take_nothing_more,
		};

		at_frame(self, &answer);
		migrate(_metadata, self, NEVER);
		check_one(_metadata, self, true);
		EXPECT_LT(answer.seen_ns, self->runs_again_ns);
		EXPECT_LT((self->runs_again_ns - answer.seen_ns) / MS, 500);
		printf("# %s: %llu us\n", frame_name(types[i]),
		       (self->runs_again_ns - answer.seen_ns) / 1000);
		end_target(self);
	}
}

/* A target that is silent holds the guest up for a while, not for ever. */
TEST_F(migrate, silent_target_is_given_up_when_the_guest_is_stopped)
{
	static const u32 types[] = {
		FRAME_WELCOME, FRAME_BUILT, FRAME_ROUND_DONE, FRAME_LOADED,
		FRAME_READY,
	};
	u64 start;
	u32 i;

	self->timeout_ms = 0;
	self->silence_ms = 300;
	self->target_setup.patience_ms = 600;
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		struct at_frame answer = { .type = types[i], .what = STALL };

		at_frame(self, &answer);
		start = now_ns();
		migrate(_metadata, self, NEVER);
		check_one(_metadata, self, true);
		EXPECT_EQ(-ETIMEDOUT, self->result.code)
			TH_LOG("%s: %s", frame_name(types[i]),
			       self->result.text);
		EXPECT_LT((now_ns() - start) / MS, 5000);
		end_target(self);
	}
}

/* ---- order ---------------------------------------------------------------- */

static void end_a_round_more(struct at_frame *a, struct carrier *c,
			     struct carried *f)
{
	struct error err = ERROR_INIT;
	struct frame_link link;
	struct channel *ch;

	if (channel_stream_open(dup(c->pair[1][1]), dup(c->pair[1][1]), "x",
				&ch, &err))
		return;
	frame_link_init(&link, ch);
	if (frame_send(&link, FRAME_ROUND, a->round + 1, NULL, 0, &err))
		printf("# %s\n", err.text);
	frame_link_close(&link);
	usleep(50000);
}

/* It is waited for the first connection, which has other things to do. */
TEST_F(migrate, round_of_one_connection_alone_is_not_waited_for)
{
	struct at_frame load = {
		.type = FRAME_LOAD, .what = CARRY, .before = end_a_round_more,
	};

	at_frame(self, &load);
	migrate(_metadata, self, NEVER);
	EXPECT_GE(1, runs_here(self) + self->target.runs);
	end_target(self);
}

TEST_HARNESS_MAIN
