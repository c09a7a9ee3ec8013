// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: random 4 KiB reads through the NVMe controller, without a vCPU
 *
 *	nvme_bench [-s MILLISECONDS] [-r ROUNDS] FILE
 *
 * On one queue of the controller, at queue depths 1, 32 and 256, in turn
 *
 *	io_uring	the same reads of the same file by io_uring alone: what a
 *			program without any controller can do
 *	nvme		through the controller: a driver that looks for
 *			completions by itself rings shadow doorbells, as a guest's
 *			would; each completion batch raises its MSI-X interrupt
 *	nvme-null	the same with a disk that stores nothing: the controller
 *			alone
 *
 * with direct I/O. Prints one line for each measurement, tab-separated: what,
 * queue depth, requests per second, and CPU-microseconds per request (of
 * all threads but the driver's).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/nvme_driver.h"
#include "tests/lib/random.h"
#include "tests/lib/testvm.h"
#include "vmm/base/math.h"
#include "vmm/iothread.h"

#define IO_BYTES	4096U
#define DEPTH_MAX	256U
#define ENTRIES		1024U
#define SLOT		3
#define QUEUE		1
#define NULL_DISK	"null:64G"

static const u32 depths[] = { 1, 32, 256 };

/**
 * struct sample - one measurement
 * @requests: how many were done
 * @wall_ns: in this time
 * @cpu_ns: by threads that worked on them
 */
struct sample {
	u64 requests;
	u64 wall_ns;
	u64 cpu_ns;
};

static __noreturn void die(const char *what, int code)
{
	fprintf(stderr, "nvme_bench: %s: %s\n", what, strerror(code));
	exit(1);
}

static u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000ULL + (u64)ts.tv_nsec;
}

static u64 cpu_ns(int who)
{
	struct rusage u;

	getrusage(who, &u);
	return ((u64)u.ru_utime.tv_sec + (u64)u.ru_stime.tv_sec) *
	       1000000000ULL +
	       ((u64)u.ru_utime.tv_usec + (u64)u.ru_stime.tv_usec) * 1000;
}

static void print_sample(const char *what, u32 depth, const struct sample *s)
{
	printf("%s\t%u\t%.0f\t%.3f\n", what, depth,
	       (double)s->requests * 1e9 / (double)s->wall_ns,
	       (double)s->cpu_ns / 1e3 / (double)s->requests);
	fflush(stdout);
}

/* ---- io_uring alone ---- */

/**
 * struct bare - the reads of a program without a controller
 * @ring: its ring, set up as an iothread's
 * @fd: the file, with O_DIRECT
 * @blocks: of IO_BYTES in the file
 * @buf: DEPTH_MAX blocks
 * @rnd: where to read next
 */
struct bare {
	struct io_uring ring;
	int fd;
	u64 blocks;
	u8 *buf;
	struct test_random rnd;
};

static void bare_open(struct bare *b, const char *path)
{
	struct stat st;
	int ret;

	b->fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (b->fd < 0 || fstat(b->fd, &st) < 0)
		die(path, errno);
	b->blocks = (u64)st.st_size / IO_BYTES;
	b->buf = aligned_alloc(IO_BYTES, DEPTH_MAX * IO_BYTES);
	test_random_seed(&b->rnd, 1);
	ret = io_uring_queue_init(DEPTH_MAX * 2, &b->ring,
				  IORING_SETUP_SINGLE_ISSUER |
				  IORING_SETUP_DEFER_TASKRUN);
	if (ret < 0)
		die("io_uring", -ret);
}

static void bare_close(struct bare *b)
{
	io_uring_queue_exit(&b->ring);
	free(b->buf);
	close(b->fd);
}

static void bare_read(struct bare *b, u64 slot)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&b->ring);

	if (!sqe)
		die("io_uring: the queue is full", EBUSY);
	io_uring_prep_read(sqe, b->fd, b->buf + slot * IO_BYTES, IO_BYTES,
			   test_random_below(&b->rnd, b->blocks) * IO_BYTES);
	io_uring_sqe_set_data64(sqe, slot);
}

static u32 bare_reap(struct bare *b, bool again)
{
	struct io_uring_cqe *cqe;
	unsigned int head;
	u32 nr = 0;

	io_uring_for_each_cqe(&b->ring, head, cqe) {
		if (cqe->res != (s32)IO_BYTES)
			die("read", cqe->res < 0 ? -cqe->res : EIO);
		if (again)
			bare_read(b, cqe->user_data);
		nr++;
	}
	io_uring_cq_advance(&b->ring, nr);
	return nr;
}

static void bare_run(struct bare *b, u32 depth, u64 ns, struct sample *s)
{
	u64 start = now_ns(), cpu = cpu_ns(RUSAGE_SELF);
	u32 left = depth, i;

	memset(s, 0, sizeof(*s));
	for (i = 0; i < depth; i++)
		bare_read(b, i);
	while (now_ns() - start < ns) {
		io_uring_submit_and_wait(&b->ring, 1);
		s->requests += bare_reap(b, true);
	}
	io_uring_submit(&b->ring);
	s->wall_ns = now_ns() - start;
	s->cpu_ns = cpu_ns(RUSAGE_SELF) - cpu;
	while (left) {
		io_uring_submit_and_wait(&b->ring, 1);
		left -= bare_reap(b, false);
	}
}

/* ---- through the controller ---- */

/**
 * struct guest - a machine with a controller, and the driver that uses it
 * @vm: the machine
 * @drv: the driver
 * @pair: its I/O queue
 * @shadow: shadow doorbells of all queues
 * @index: event indexes of all queues
 * @sq_rung: submission queue tail that the controller was last told
 * @cq_rung: completion queue head that it was last told
 * @blocks: of IO_BYTES in the namespace
 * @buf: DEPTH_MAX blocks in guest memory
 * @rnd: where to read next
 */
struct guest {
	struct vm *vm;
	struct nvme_driver drv;
	struct nvme_pair *pair;
	_Atomic u32 *shadow;
	_Atomic u32 *index;
	u32 sq_rung;
	u32 cq_rung;
	u64 blocks;
	u64 buf;
	struct test_random rnd;
};

static u64 namespace_blocks(struct guest *g)
{
	u64 page = nvme_driver_alloc(&g->drv, NVME_DRIVER_PAGE);
	__le64 nsze;
	u8 *data = nvme_driver_ptr(&g->drv, page);
	u8 lbads;

	if (nvme_driver_identify(&g->drv, NVME_CNS_NS, 1, page))
		die("identify", EIO);
	memcpy(&nsze, data, sizeof(nsze));
	/* LBA format 0 or the one in use; its size is in byte 2 of 4. */
	lbads = data[128 + 4 * (data[26] & 0xf) + 2];
	return (le64_to_cpu(nsze) << lbads) / IO_BYTES;
}

static void doorbell_buffers(struct guest *g)
{
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_ADM_DBBUF_CONFIG, 0);
	u64 shadow = nvme_driver_alloc(&g->drv, NVME_DRIVER_PAGE);
	u64 index = nvme_driver_alloc(&g->drv, NVME_DRIVER_PAGE);

	cmd.prp.prp1 = cpu_to_le64(shadow);
	cmd.prp.prp2 = cpu_to_le64(index);
	if (nvme_driver_admin(&g->drv, &cmd))
		die("doorbell buffer config", EIO);
	g->shadow = nvme_driver_ptr(&g->drv, shadow);
	g->index = nvme_driver_ptr(&g->drv, index);
}

static void guest_start(struct guest *g, const char *disk)
{
	char options[512];

	memset(g, 0, sizeof(*g));
	test_random_seed(&g->rnd, 1);
	snprintf(options, sizeof(options), "%s,cache=none,ro,bs=512", disk);
	g->vm = testvm_create(64 * MIB);
	testvm_add_pci(g->vm, "nvme", 0, SLOT, options);
	testvm_bus_master(g->vm, SLOT, true);
	testvm_msix_enable(g->vm, SLOT, 4);
	nvme_driver_init(&g->drv, g->vm, SLOT);
	nvme_driver_enable(&g->drv, 32);
	nvme_driver_create_pair(&g->drv, QUEUE, ENTRIES, 1);
	g->pair = &g->drv.pair[QUEUE];
	g->blocks = namespace_blocks(g);
	g->buf = nvme_driver_alloc(&g->drv, DEPTH_MAX * IO_BYTES);
	doorbell_buffers(g);
}

/* Ring when the new value passes the event index, NVMe-2.0 Annex B.5. */
static bool must_ring(u32 index, u32 new, u32 old)
{
	return (u16)(new - index - 1) < (u16)(new - old);
}

/* The fence pairs with the one between the loop's index and its last look. */
static void ring(struct guest *g, u32 slot, u32 value, u32 *rung, bool sq)
{
	u32 old = *rung;

	*rung = value;
	atomic_store_explicit(&g->shadow[slot], value, memory_order_release);
	atomic_thread_fence(memory_order_seq_cst);
	if (!must_ring(atomic_load_explicit(&g->index[slot],
					    memory_order_relaxed), value, old))
		return;
	if (sq)
		nvme_driver_ring(&g->drv, g->pair);
	else
		nvme_driver_ack(&g->drv, g->pair);
}

static void guest_submit(struct guest *g, u32 slot)
{
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_IO_READ, 1);
	u64 block = test_random_below(&g->rnd, g->blocks);

	nvme_driver_set_rw(&cmd, block * (IO_BYTES / 512), IO_BYTES / 512);
	cmd.prp.prp1 = cpu_to_le64(g->buf + (u64)slot * IO_BYTES);
	nvme_driver_queue(g->pair, &cmd);
}

/* Completions that are there; each is followed by a new read, if wanted. */
static u32 guest_reap(struct guest *g, bool again)
{
	struct nvme_cqe cqe;
	u32 nr = 0;

	while (nvme_driver_reap(g->pair, &cqe)) {
		if (nvme_driver_status(&cqe))
			die("read", EIO);
		if (again)
			guest_submit(g, nr % DEPTH_MAX);
		nr++;
	}
	if (!nr)
		return 0;
	ring(g, 2 * QUEUE + 1, g->pair->head, &g->cq_rung, false);
	if (again)
		ring(g, 2 * QUEUE, g->pair->tail, &g->sq_rung, true);
	return nr;
}

static void guest_run(struct guest *g, u32 depth, u64 ns, struct sample *s)
{
	u64 start = now_ns();
	u64 cpu = cpu_ns(RUSAGE_SELF), own = cpu_ns(RUSAGE_THREAD);
	u32 left = depth, i;

	memset(s, 0, sizeof(*s));
	for (i = 0; i < depth; i++)
		guest_submit(g, i);
	ring(g, 2 * QUEUE, g->pair->tail, &g->sq_rung, true);
	while (now_ns() - start < ns)
		s->requests += guest_reap(g, true);
	s->wall_ns = now_ns() - start;
	s->cpu_ns = cpu_ns(RUSAGE_SELF) - cpu -
		    (cpu_ns(RUSAGE_THREAD) - own);
	while (left)
		left -= guest_reap(g, false);
}

static void measure_all(const char *disk, u64 ns, u32 rounds)
{
	struct guest *file = malloc(sizeof(*file));
	struct guest *null = malloc(sizeof(*null));
	struct bare bare;
	struct sample s;
	u32 round, i;

	bare_open(&bare, disk);
	guest_start(file, disk);
	guest_start(null, NULL_DISK);
	for (round = 0; round < rounds; round++) {
		for (i = 0; i < ARRAY_SIZE(depths); i++) {
			bare_run(&bare, depths[i], ns, &s);
			print_sample("io_uring", depths[i], &s);
			guest_run(file, depths[i], ns, &s);
			print_sample("nvme", depths[i], &s);
			guest_run(null, depths[i], ns, &s);
			print_sample("nvme-null", depths[i], &s);
		}
	}
	testvm_destroy(null->vm);
	testvm_destroy(file->vm);
	bare_close(&bare);
	free(null);
	free(file);
}

int main(int argc, char **argv)
{
	u64 ms = 1000;
	u32 rounds = 3;
	int opt;

	while ((opt = getopt(argc, argv, "s:r:")) != -1) {
		if (opt == 's')
			ms = strtoull(optarg, NULL, 0);
		else if (opt == 'r')
			rounds = (u32)strtoul(optarg, NULL, 0);
		else
			return 2;
	}
	if (optind + 1 != argc || !ms || !rounds)
		return 2;
	measure_all(argv[optind], ms * 1000000, rounds);
	return 0;
}
