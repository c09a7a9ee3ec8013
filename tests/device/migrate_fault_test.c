// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: migration/migrate.c and receive.c: what the other side must not do
 *
 * Between two machines that migrate, frames are lost, held back, invented and
 * changed, with checksums that are right. Whoever may run runs, soon, and
 * nobody waits for ever.
 */
#include "tests/device/test_migrate.h"

#include <xxhash.h>

#include "tests/lib/channel_fault.h"

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
	_Atomic u64 seen_ns;
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
	/* A busy host still comes to the end within that. */
	self->timeout_ms = 1500;
	self->target_setup.patience_ms = 7000;
	io_timer_init(&self->timer, &self->vm->loop, later);
	io_timer_set(&self->timer, 2500 * MS);
	self->leave_target = true;
	migrate(_metadata, self, NEVER);
	EXPECT_NE(0, ready.seen_ns);
	EXPECT_LT((now_ns() - start) / MS, 6500);
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

	/* The source cannot write any more, but could still read. */
	for (i = 0; i < c->nr; i++)
		shutdown(c->pair[i][0], SHUT_RD);
	if (!move_all(c->pair[f->link][0], f->h, sizeof(*f->h), true))
		printf("# %m\n");
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
		EXPECT_LT((self->runs_again_ns - answer.seen_ns) / MS, 1500);
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

/* ---- frames that are not what they were ----------------------------------------- */

/**
 * enum lie - what becomes of one frame
 * @LIE_TYPE: it is another one
 * @LIE_POS: its position is another one
 * @LIE_FAR: its position is beyond everything
 * @LIE_LEN: its length is another one than that of its payload
 * @LIE_HUGE: its length is greater than everything
 * @LIE_RESERVED: what must be 0 is not
 * @LIE_PAYLOAD: a byte of its payload is another one
 * @LIE_SUM: the payload's checksum is wrong
 * @LIE_HEAD_SUM: the header's is
 * @LIE_MAGIC: it is no frame
 * @LIE_TWICE: it comes again
 * @LIE_NEVER: it does not come
 * @LIE_HALF: its second half does not come, and then nothing
 * @LIE_CUT: likewise, and the connections end
 * @LIES: how many there are
 */
enum lie {
	LIE_TYPE,
	LIE_POS,
	LIE_FAR,
	LIE_LEN,
	LIE_HUGE,
	LIE_RESERVED,
	LIE_PAYLOAD,
	LIE_SUM,
	LIE_HEAD_SUM,
	LIE_MAGIC,
	LIE_TWICE,
	LIE_NEVER,
	LIE_HALF,
	LIE_CUT,
	LIES,
};

/**
 * struct liar - changes a frame
 * @rnd: how
 * @lie: what it does
 * @type: to the first frame of this type
 * @told: it has done so
 */
struct liar {
	struct test_random *rnd;
	enum lie lie;
	u32 type;
	bool told;
};

static void lie_in_header(struct liar *l, struct carried *f)
{
	struct frame_header *h = f->h;
	u64 number = test_random_u64(l->rnd);

	switch (l->lie) {
	case LIE_TYPE:
		h->type = cpu_to_le16((u16)(number % (FRAME_TYPES + 2)));
		break;
	case LIE_POS:
		h->pos = cpu_to_le64(le64_to_cpu(h->pos) ^
				     BIT(number % 30));
		break;
	case LIE_FAR:
		h->pos = cpu_to_le64(number);
		break;
	case LIE_LEN:
		h->len = cpu_to_le64(le64_to_cpu(h->len) ^ BIT(number % 16));
		break;
	case LIE_HUGE:
		h->len = cpu_to_le64(number);
		break;
	case LIE_RESERVED:
		h->reserved = cpu_to_le16(1);
		break;
	case LIE_MAGIC:
		h->magic = cpu_to_le32((u32)number);
		break;
	case LIE_SUM:
		h->sum = cpu_to_le64(number);
		break;
	default:
		break;
	}
}

static void lie_in_payload(struct liar *l, struct carried *f)
{
	if (!f->len)
		return;
	f->data[test_random_below(l->rnd, f->len)] ^= 0x10;
	f->h->sum = cpu_to_le64(XXH3_64bits(f->data, f->len));
}

static void send_half(struct carrier *c, struct carried *f)
{
	int to = c->pair[f->link][f->to_target];
	u64 half = (sizeof(*f->h) + f->len) / 2;

	if (move_all(to, f->h, min_of(half, sizeof(*f->h)), true) &&
	    half > sizeof(*f->h))
		(void)move_all(to, f->data, half - sizeof(*f->h), true);
}

static enum carriage tell_lie(void *arg, struct carrier *c, struct carried *f)
{
	int to = c->pair[f->link][f->to_target];
	struct liar *l = arg;

	if (l->told || f->type != l->type)
		return CARRY;
	l->told = true;
	lie_in_header(l, f);
	if (l->lie == LIE_PAYLOAD)
		lie_in_payload(l, f);
	f->h->head_sum = cpu_to_le64(XXH3_64bits(f->h,
			offsetof(struct frame_header, head_sum)));
	if (l->lie == LIE_HEAD_SUM)
		f->h->head_sum ^= cpu_to_le64(1);
	if (l->lie == LIE_HALF || l->lie == LIE_CUT)
		send_half(c, f);
	if (l->lie == LIE_TWICE &&
	    (!move_all(to, f->h, sizeof(*f->h), true) ||
	     !move_all(to, f->data, f->len, true)))
		return CUT;
	if (l->lie == LIE_CUT)
		return CUT;
	return l->lie == LIE_HALF ? STALL : l->lie == LIE_NEVER ? DROP : CARRY;
}

static void one_lie(struct __test_metadata *_metadata,
		    FIXTURE_DATA(migrate) *self, struct liar *l)
{
	bool here, there;

	l->told = false;
	migrate(_metadata, self, NEVER);
	here = runs_here(self);
	there = self->target.runs && !self->target.err.code;
	/* A machine may also be there and paused: the word can say so. */
	EXPECT_GE(1, here + there)
		TH_LOG("lie %u about %s: here %d (%s), there %d (%s)", l->lie,
		       frame_name(l->type), here, self->result.text, there,
		       self->target.err.text);
	EXPECT_EQ(here, self->result.code != 0)
		TH_LOG("lie %u about %s: %s", l->lie, frame_name(l->type),
		       self->result.text);
	EXPECT_EQ(NULL, strchr(self->result.text, '\n'));
	EXPECT_EQ(NULL, strchr(self->target.err.text, '\n'));
	EXPECT_TRUE(here || self->target.vm);
	end_target(self);
	if (!here) {
		EXPECT_EQ(0, device_disks_take(self->vm, &self->err));
		EXPECT_EQ(0, vm_resume(self->vm, &self->err));
	}
}

TEST_F_TIMEOUT(migrate, lies_end_it_or_change_nothing, 1000)
{
	struct liar l = { .rnd = &self->rnd };
	bool all = getenv("LKVM_LONG");
	u32 told = 0;

	self->carrier_setup.see = tell_lie;
	self->carrier_setup.arg = &l;
	self->silence_ms = 300;
	self->decide_ms = 1500;
	self->target_setup.patience_ms = 600;
	for (l.type = FRAME_HELLO; l.type < FRAME_ERROR; l.type++)
		for (l.lie = 0; l.lie < LIES; l.lie++)
			if (all || !test_random_below(&self->rnd, 6)) {
				one_lie(_metadata, self, &l);
				told++;
			}
	printf("# %u lies\n", told);
}

/* ---- every call of a socket fails once ---------------------------------------- */

/**
 * struct sweep - a connection of which a call fails
 * @f: it, for one side and one of its connections
 * @on_target: which side
 * @link: which connection
 * @fault: what happens
 * @at: at which call
 * @made: there is @f
 */
struct sweep {
	struct channel_faulty f;
	bool on_target;
	u32 link;
	enum channel_fault fault;
	u64 at;
	bool made;
};

static struct channel *make_faulty(void *arg, struct channel *ch, u32 link)
{
	struct sweep *s = arg;

	if (link != s->link)
		return ch;
	if (channel_faulty_init(&s->f, ch, s->fault, s->at, s->at + 1))
		abort();
	s->f.owns_inner = true;
	s->made = true;
	return &s->f.ch;
}

static bool is_harmless(enum channel_fault fault)
{
	return fault <= FAULT_EAGAIN;
}

/* Whatever happens, one has the machine, and its memory is what it was. */
static void check_sweep(struct __test_metadata *_metadata,
			FIXTURE_DATA(migrate) *self, const struct sweep *s)
{
	bool here = runs_here(self);
	bool there = self->target.runs && !self->target.err.code;

	EXPECT_EQ(1, here + there)
		TH_LOG("%s at call %llu of the %s's connection %u: here %d (%s), there %d (%s)",
		       channel_fault_name(s->fault), s->at,
		       s->on_target ? "target" : "source", s->link, here,
		       self->result.text, there, self->target.err.text);
	EXPECT_EQ(here, self->result.code != 0);
	if (is_harmless(s->fault) || !s->f.hit)
		EXPECT_TRUE(there) TH_LOG("%s at call %llu: %s; %s",
					  channel_fault_name(s->fault), s->at,
					  self->result.text,
					  self->target.err.text);
	if (there)
		EXPECT_EQ(0, memcmp(testvm_ram(self->vm, TESTVM_RAM, RAM),
				    testvm_ram(self->target.vm, TESTVM_RAM, RAM), RAM));
}

static void sweep_one(struct __test_metadata *_metadata,
		      FIXTURE_DATA(migrate) *self, struct sweep *s)
{
	bool hangs = s->fault == FAULT_HANG;

	s->made = false;
	self->wrap = s->on_target ? NULL : make_faulty;
	self->wrap_arg = s;
	self->target_setup.wrap = s->on_target ? make_faulty : NULL;
	self->target_setup.arg = s;
	self->silence_ms = hangs ? 300 : 0;
	self->decide_ms = 3000;
	self->target_setup.patience_ms = hangs ? 600 : 0;
	migrate(_metadata, self, NEVER);
	check_sweep(_metadata, self, s);
	end_target(self);
	if (s->made)
		channel_faulty_destroy(&s->f);
	/* Where it was, for the next one. */
	if (!runs_here(self)) {
		EXPECT_EQ(0, device_disks_take(self->vm, &self->err));
		EXPECT_EQ(0, vm_resume(self->vm, &self->err))
			TH_LOG("%s", self->err.text);
	}
}

static void sweep_calls(struct __test_metadata *_metadata,
			FIXTURE_DATA(migrate) *self, bool on_target, u32 link)
{
	struct sweep s = { .on_target = on_target, .link = link };
	u64 calls, done = 0, stride, first;

	sweep_one(_metadata, self, &s);
	calls = s.f.calls;
	EXPECT_LT(4, calls);
	for (s.fault = FAULT_NONE + 1; s.fault < FAULTS; s.fault++) {
		stride = getenv("LKVM_LONG") ? 1 : calls / 3;
		if (s.fault == FAULT_HANG && stride > 1)
			stride = calls;
		first = test_random_below(&self->rnd, stride);
		for (s.at = first; s.at < calls; s.at += stride, done++)
			sweep_one(_metadata, self, &s);
	}
	/* And at every call, where that comes to an end. */
	s.at = UINT64_MAX;
	for (s.fault = FAULT_PART; s.fault <= FAULT_EAGAIN; s.fault++, done++)
		sweep_one(_metadata, self, &s);
	printf("# %s, connection %u: %llu calls, %llu migrations\n",
	       on_target ? "target" : "source", link, calls, done);
}

TEST_F_TIMEOUT(migrate, every_call_of_the_source_fails_once, 3000)
{
	sweep_calls(_metadata, self, false, 0);
	sweep_calls(_metadata, self, false, 1);
}

TEST_F_TIMEOUT(migrate, every_call_of_the_target_fails_once, 3000)
{
	sweep_calls(_metadata, self, true, 0);
	sweep_calls(_metadata, self, true, 1);
}

TEST_HARNESS_MAIN
