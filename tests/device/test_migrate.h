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
	pthread_t thread;
	struct vm *vm;
	sem_t over;
	sem_t done;
	bool ended;
	bool runs;
	struct error err;
};

/**
 * struct carrier - carries frames between two ends
 * @pair: both ends, for each connection
 * @nr: connections
 * @cut_after: frames that are carried, over all connections both ways
 * @carried: so many were
 * @last: the type of the last one
 * @stop: it is enough
 * @thread: does it
 */
struct carrier {
	int pair[2][2];
	u32 nr;
	u32 cut_after;
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
	struct target target;
	struct carrier carrier;
	struct migrate *m;
	u32 links;
	bool done;
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

static inline int receive_first(struct target *t, struct receive **out)
{
	struct channel *ch;
	int ret;
	u32 i;

	ret = channel_stream_open(t->fds[0], t->fds[0], "source", &ch,
				  &t->err);
	if (!ret)
		ret = receive_create(ch, HELLO_LINKS_MAX, 0, out, &t->err);
	for (i = 1; !ret && i < t->nr; i++) {
		ret = channel_stream_open(t->fds[i], t->fds[i], "source", &ch,
					  &t->err);
		if (!ret)
			ret = receive_add(*out, ch, &t->err);
	}
	return ret ? ret : receive_machine(*out, &t->err);
}

static inline void *target_thread(void *arg)
{
	struct target *t = arg;
	struct receive *r = NULL;
	int ret;

	ret = receive_first(t, &r);
	if (!ret) {
		ret = build(r->description, true, &t->vm, &t->err);
		if (ret)
			receive_refuse(r, &t->err);
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

/* One frame from one end to the other; false: it is over. */
static inline bool carry(struct carrier *c, int from, int to)
{
	static u8 data[FRAME_DATA_MAX];
	struct frame_header h;
	u64 len;

	if (!move_all(from, &h, sizeof(h), false))
		return false;
	len = le16_to_cpu(h.type) == FRAME_ZERO ? 0 : le64_to_cpu(h.len);
	if (!move_all(from, data, len, false) ||
	    c->carried == c->cut_after)
		return false;
	c->carried++;
	c->last = le16_to_cpu(h.type);
	return move_all(to, &h, sizeof(h), true) &&
	       move_all(to, data, len, true);
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
		if (fds[i].revents &&
		    !carry(c, fds[i].fd, fds[i ^ 1].fd))
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
	test_random_fill(&self->rnd, testvm_ram(self->vm, MIB, 2 * MIB),
			 2 * MIB);
	ASSERT_EQ(0, vm_resume(self->vm, &self->err));
}

FIXTURE_TEARDOWN(migrate)
{
	vm_destroy(self->vm);
	test_dir_remove(&self->dir);
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
		c->pair[i][0] = near[1];
		c->pair[i][1] = far[1];
		self->target.fds[i] = far[0];
	}
}

/* One migration, cut after so many frames; both sides have ended. */
static inline void migrate(struct __test_metadata *_metadata,
			   FIXTURE_DATA(migrate) *self, u32 cut_after)
{
	struct channel *links[2];
	struct migrate_request req = {
		.links = links, .links_nr = self->links, .peer = "target",
		.downtime_ms = 100, .timeout_ms = 20000, .decide_ms = 300,
		.on_done = on_done, .arg = self,
	};

	memset(&self->target, 0, sizeof(self->target));
	memset(&self->carrier, 0, sizeof(self->carrier));
	self->done = false;
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
	while (sem_wait(&self->target.over) < 0)
		;
}

static inline void end_target(FIXTURE_DATA(migrate) *self)
{
	migrate_destroy(self->m);
	atomic_store(&self->carrier.stop, true);
	pthread_join(self->carrier.thread, NULL);
	sem_post(&self->target.done);
	pthread_join(self->target.thread, NULL);
	sem_destroy(&self->target.over);
	sem_destroy(&self->target.done);
}

static inline bool runs_here(FIXTURE_DATA(migrate) *self)
{
	return vm_phase_get(self->vm) == VM_RUNNING;
}

#endif /* TESTS_DEVICE_TEST_MIGRATE_H */
