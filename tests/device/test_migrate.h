/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: two machines and what is between them, for tests of migration
 *
 * Two machines without vCPUs and with an NVMe controller on the same image, one
 * on a thread of its own, and between them a thread that carries the frames and
 * cuts the connections after as many of them as it is told.
 */
#ifndef TESTS_DEVICE_TEST_MIGRATE_H
#define TESTS_DEVICE_TEST_MIGRATE_H

#include "tests/device/test_nvme.h"

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/socket.h>

#include "migration/check.h"
#include "migration/migrate.h"
#include "migration/receive.h"
#include "vmm/description.h"
#include "vmm/option.h"

#define RAM	(16 * MIB)
#define NEVER	UINT32_MAX

/**
 * struct target - the machine that receives, on its thread
 * @fds: its ends of the connections
 * @nr: how many
 * @patience_ms: how long the source may be silent, 0 for what it may by default
 * @wrap: what its connections are wrapped in, or NULL
 * @arg: for @wrap
 * @prepare: replaces what the user of the target would; or NULL
 * @findings: what a check has found
 * @thread: its thread
 * @vm: the machine, NULL when it came to nothing
 * @over: it has failed, or runs
 * @done: the test has seen enough
 * @ended: receiving has ended
 * @runs: the machine runs
 * @err: why it does not
 */
struct target {
	int fds[2];
	u32 nr;
	u64 patience_ms;
	struct channel *(*wrap)(void *arg, struct channel *ch, u32 link);
	void *arg;
	void (*prepare)(struct target *t, struct receive *r);
	struct findings findings;
	pthread_t thread;
	struct vm *_Atomic vm;
	sem_t over;
	sem_t done;
	bool ended;
	bool runs;
	struct error err;
};

struct carrier;

/**
 * enum carriage - what becomes of a frame
 * @CARRY: it arrives
 * @DROP: it does not, and the next one may
 * @STALL: nothing arrives any more, and nobody hears of it
 * @CUT: the connections are closed
 */
enum carriage {
	CARRY,
	DROP,
	STALL,
	CUT,
};

/**
 * struct carried - a frame on its way
 * @link: the connection
 * @to_target: it comes from the source
 * @type: &frame_header.type
 * @h: its header
 * @data: its payload
 * @len: bytes of that
 */
struct carried {
	u32 link;
	bool to_target;
	u32 type;
	struct frame_header *h;
	u8 *data;
	u64 len;
};

/**
 * struct carrier - carries frames between two ends
 * @pair: both ends, for each connection
 * @nr: connections
 * @cut_after: frames that are carried, over all connections both ways
 * @see: told of each frame before it is carried; or NULL
 * @arg: for @see
 * @stalled: whatever comes is lost
 * @carried: so many were
 * @last: the type of the last one
 * @stop: it is enough
 * @thread: does it
 */
struct carrier {
	int pair[2][2];
	u32 nr;
	u32 cut_after;
	enum carriage (*see)(void *arg, struct carrier *c, struct carried *f);
	void *arg;
	bool stalled;
	u32 carried;
	u32 last;
	_Atomic bool stop;
	pthread_t thread;
};

FIXTURE(migrate) {
	struct test_random rnd;
	struct test_dir dir;
	struct error err;
	char image[256];
	struct vm *vm;
	struct channel *(*wrap)(void *arg, struct channel *ch, u32 link);
	void *wrap_arg;
	struct target target, target_setup;
	struct carrier carrier, carrier_setup;
	struct migrate *m;
	u32 links;
	bool check_only;
	u64 timeout_ms;
	u64 silence_ms;
	u64 decide_ms;
	bool target_ends_itself;
	bool leave_target;
	struct io_timer timer;
	bool done;
	_Atomic bool stopped;
	u64 runs_again_ns;
	struct error result;
};

/* ---- the machine -------------------------------------------------------- */

static inline void *describe(const char *image)
{
	const struct device_class *nvme = device_class_find("nvme");
	struct machine_config machine = {
		.cpus = 1, .memory = RAM, .name = (char *)"moving",
	};
	struct description_request req = { .class = nvme };
	struct error err = ERROR_INIT;
	char text[300];
	void *fdt, *config;

	config = option_config_new(nvme->options);
	snprintf(text, sizeof(text), "%s,queues=4", image);
	if (option_parse(nvme->options, config, text, &err))
		abort();
	req.config = config;
	if (description_write(&machine, &req, 1, &fdt, &err))
		abort();
	option_config_free(nvme->options, config);
	return fdt;
}

/* Without vCPUs, whatever the description says. */
static inline int build(struct description *d, bool disks_elsewhere,
			struct vm **vm, struct error *err)
{
	struct vm_config config;
	int ret;

	description_vm_config(d, &config);
	config.cpus = 0;
	config.disks_elsewhere = disks_elsewhere;
	ret = vm_create(&config, vm, err);
	if (ret)
		return ret;
	ret = description_build(d, *vm, err);
	if (!ret)
		ret = vm_start(*vm, err);
	if (ret) {
		vm_destroy(*vm);
		*vm = NULL;
	}
	return ret;
}

/* ---- the receiver ------------------------------------------------------- */

static inline void received(void *arg, const struct error *err)
{
	struct target *t = arg;

	t->ended = true;
	if (err)
		t->err = *err;
	t->runs = vm_phase_get(t->vm) == VM_RUNNING;
	sem_post(&t->over);
}

static inline int target_channel(struct target *t, u32 i, struct channel **ch)
{
	int ret = channel_stream_open(t->fds[i], t->fds[i], "source", ch,
				      &t->err);

	if (!ret && t->wrap)
		*ch = t->wrap(t->arg, *ch, i);
	return ret;
}

static inline int receive_first(struct target *t, struct receive **out)
{
	struct channel *ch;
	int ret;
	u32 i;

	ret = target_channel(t, 0, &ch);
	if (!ret)
		ret = receive_create(ch, HELLO_LINKS_MAX, t->patience_ms, out,
				     &t->err);
	if (!ret && t->patience_ms)
		receive_patience(*out, t->patience_ms);
	for (i = 1; !ret && i < t->nr; i++) {
		ret = target_channel(t, i, &ch);
		if (!ret)
			ret = receive_add(*out, ch, &t->err);
	}
	return ret ? ret : receive_machine(*out, &t->err);
}

static inline int answer_check(struct target *t, struct receive *r)
{
	struct vm_config config;

	description_vm_config(r->description, &config);
	config.cpus = 0;
	config.disks_elsewhere = true;
	findings_init(&t->findings);
	check_host(r, &config, &t->findings);
	check_machine(r, &config, &t->findings);
	return receive_answer(r, &t->findings, &t->err);
}

/* 1: there was nothing but a question. */
static inline int receive_and_build(struct target *t, struct receive *r,
				    struct vm **vm)
{
	int ret;

	if (t->prepare)
		t->prepare(t, r);
	if (r->check) {
		ret = answer_check(t, r);
		return ret ? ret : 1;
	}
	ret = build(r->description, true, vm, &t->err);
	if (ret)
		receive_refuse(r, &t->err);
	return ret;
}

static inline void *target_thread(void *arg)
{
	struct target *t = arg;
	struct receive *r = NULL;
	struct vm *vm = NULL;
	int ret;

	ret = receive_first(t, &r);
	if (!ret) {
		ret = receive_and_build(t, r, &vm);
		t->vm = vm;
	}
	if (!ret)
		ret = receive_start(r, t->vm, received, t, &t->err);
	if (ret)
		sem_post(&t->over);
	while (!ret && !t->ended)
		iothread_run_once(&t->vm->loop, true);
	receive_destroy(r);
	while (sem_wait(&t->done) < 0)
		;
	if (t->vm)
		vm_destroy(t->vm);
	return NULL;
}

/* ---- what is between ---------------------------------------------------- */

static inline bool move_all(int fd, void *buf, size_t len, bool write_it)
{
	u8 *p = buf;
	ssize_t n;

	while (len) {
		n = write_it ? send(fd, p, len, MSG_NOSIGNAL) :
			       recv(fd, p, len, 0);
		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

/* What becomes of a frame that is wholly here. */
static inline bool pass_on(struct carrier *c, struct carried *f)
{
	enum carriage what = c->see ? c->see(c->arg, c, f) : CARRY;
	int to = c->pair[f->link][f->to_target];

	if (what == CUT || c->carried == c->cut_after)
		return false;
	c->stalled |= what == STALL;
	if (what != CARRY)
		return true;
	c->carried++;
	c->last = f->type;
	return move_all(to, f->h, sizeof(*f->h), true) &&
	       move_all(to, f->data, f->len, true);
}

/* One frame from one end to the other; false: it is over. */
static inline bool carry(struct carrier *c, u32 link, bool to_target)
{
	static u8 data[FRAME_DATA_MAX];
	int from = c->pair[link][!to_target];
	struct frame_header h;
	struct carried f = {
		.link = link, .to_target = to_target, .h = &h, .data = data,
	};

	if (c->stalled) {
		/* Who closes is not heard either. */
		if (recv(from, data, sizeof(data), 0) <= 0)
			usleep(1000);
		return true;
	}
	if (!move_all(from, &h, sizeof(h), false))
		return false;
	f.type = le16_to_cpu(h.type);
	f.len = f.type == FRAME_ZERO ? 0 : le64_to_cpu(h.len);
	return move_all(from, data, f.len, false) && pass_on(c, &f);
}

static inline bool carry_one(struct carrier *c)
{
	struct pollfd fds[4];
	u32 i;

	for (i = 0; i < 2 * c->nr; i++)
		fds[i] = (struct pollfd){
			.fd = c->pair[i / 2][i % 2], .events = POLLIN,
		};
	if (poll(fds, 2 * c->nr, 20) < 0)
		return false;
	for (i = 0; i < 2 * c->nr; i++)
		if (fds[i].revents && !carry(c, i / 2, i % 2 == 0))
			return false;
	return true;
}

static inline void *carrier_thread(void *arg)
{
	struct carrier *c = arg;
	u32 i;

	while (!atomic_load(&c->stop) && carry_one(c))
		;
	for (i = 0; i < 2 * c->nr; i++)
		close(c->pair[i / 2][i % 2]);
	return NULL;
}

/* ---- the source ---------------------------------------------------------- */

FIXTURE_SETUP(migrate)
{
	struct description *d;
	void *fdt;

	memset(self, 0, sizeof(*self));
	test_random_init(&self->rnd);
	self->links = 2;
	self->timeout_ms = 20000;
	self->decide_ms = 300;
	ASSERT_EQ(0, test_dir_make(&self->dir));
	test_dir_file(&self->dir, "disk.img", self->image,
		      sizeof(self->image));
	ASSERT_EQ(0, test_image_make(self->image, MIB));
	fdt = describe(self->image);
	ASSERT_EQ(0, description_read(fdt, DESCRIPTION_MAX, &d, &self->err))
		TH_LOG("%s", self->err.text);
	ASSERT_EQ(0, build(d, false, &self->vm, &self->err))
		TH_LOG("%s", self->err.text);
	description_free(d);
	free(fdt);
	test_random_fill(&self->rnd, testvm_ram(self->vm, TESTVM_RAM + MIB, 2 * MIB),
			 2 * MIB);
	ASSERT_EQ(0, vm_resume(self->vm, &self->err));
}

FIXTURE_TEARDOWN(migrate)
{
	vm_destroy(self->vm);
	test_dir_remove(&self->dir);
}

/* When does the guest run, after it was stopped? */
static inline void phase_seen(struct vm *vm, void *arg)
{
	FIXTURE_DATA(migrate) *self = arg;
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	if (vm_phase_get(vm) == VM_PAUSED)
		self->stopped = true;
	if (vm_phase_get(vm) == VM_RUNNING)
		self->runs_again_ns = (u64)ts.tv_sec * 1000000000 +
				      (u64)ts.tv_nsec;
}

static inline void on_done(void *arg, const struct error *err)
{
	FIXTURE_DATA(migrate) *self = arg;

	self->done = true;
	self->result = (struct error)ERROR_INIT;
	if (err)
		self->result = *err;
}

static inline void connect_all(struct __test_metadata *_metadata,
			       FIXTURE_DATA(migrate) *self,
			       struct channel **links)
{
	struct carrier *c = &self->carrier;
	int near[2], far[2];
	u32 i;

	c->nr = self->links;
	self->target.nr = self->links;
	for (i = 0; i < self->links; i++) {
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
					near));
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
					far));
		ASSERT_EQ(0, channel_stream_open(near[0], near[0], "target",
						 &links[i], &self->err));
		if (self->wrap)
			links[i] = self->wrap(self->wrap_arg, links[i], i);
		c->pair[i][0] = near[1];
		c->pair[i][1] = far[1];
		self->target.fds[i] = far[0];
	}
}

/* One migration, cut after so many frames; both sides have ended. */
static inline void migrate(struct __test_metadata *_metadata,
			   FIXTURE_DATA(migrate) *self, u32 cut_after)
{
	u32 i;
	struct channel *links[2];
	struct migrate_request req = {
		.links = links, .links_nr = self->links, .peer = "target",
		.downtime_ms = 100, .timeout_ms = self->timeout_ms,
		.silence_ms = self->silence_ms, .decide_ms = self->decide_ms,
		.check_only = self->check_only, .on_done = on_done, .arg = self,
	};

	self->target = self->target_setup;
	self->carrier = self->carrier_setup;
	self->done = false;
	self->m = NULL;
	self->stopped = false;
	self->runs_again_ns = 0;
	self->vm->on_phase = phase_seen;
	self->vm->on_phase_arg = self;
	sem_init(&self->target.over, 0, 0);
	sem_init(&self->target.done, 0, 0);
	connect_all(_metadata, self, links);
	self->carrier.cut_after = cut_after;
	ASSERT_EQ(0, pthread_create(&self->target.thread, NULL, target_thread,
				    &self->target));
	ASSERT_EQ(0, pthread_create(&self->carrier.thread, NULL,
				    carrier_thread, &self->carrier));
	ASSERT_EQ(0, migrate_start(self->vm, &req, &self->m, &self->err))
		TH_LOG("%s", self->err.text);
	while (!self->done)
		iothread_run_once(&self->vm->loop, true);
	/* As lkvm does: its connections are closed. */
	for (i = 0; self->result.code && i < self->links; i++)
		frame_link_close(&self->m->links[i]);
	while (!self->leave_target && sem_wait(&self->target.over) < 0)
		;
}

static inline void end_target(FIXTURE_DATA(migrate) *self)
{
	migrate_destroy(self->m);
	atomic_store(&self->carrier.stop, true);
	pthread_join(self->carrier.thread, NULL);
	sem_post(&self->target.done);
	if (!self->target_ends_itself)
		pthread_join(self->target.thread, NULL);
	sem_destroy(&self->target.over);
	sem_destroy(&self->target.done);
}

static inline bool runs_here(FIXTURE_DATA(migrate) *self)
{
	return vm_phase_get(self->vm) == VM_RUNNING;
}

#endif /* TESTS_DEVICE_TEST_MIGRATE_H */
