// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the stamp test: memory and disks are stamped and checked without end
 *
 * It is the guest of the snapshot and migration tests: whatever happens to the
 * machine meanwhile, every page and every block must stay what they are. Each
 * CPU has its own pages and queues. The boot CPU prints a line for each beat:
 *
 *   guest: beat N t=MS mem=CHECKED/WRITTEN disk=READS/WRITES flush=N
 *
 * It ends after beats=N lines, or when it reads EOT from the console; then
 * everything is checked once more. A mismatch ends it at once. At an ENQ from
 * the console everything is checked, too, and it goes on.
 */
#include "tests/kvm/guest/lib.h"
#include "tests/kvm/guest/mem.h"
#include "tests/kvm/guest/nvme.h"
#include "tests/kvm/guest/platform.h"
#include "tests/kvm/guest/test.h"
#include "tests/kvm/guest/vblk.h"
#include "tests/kvm/guest/workload.h"
#include "tests/kvm/proto.h"
#include "tests/kvm/stamp.h"

#define PAGES_PER_STEP		16
#define COMMANDS_PER_STEP	16
#define RESERVE			MIB(2)

/**
 * struct stamp_cpu - a CPU's share
 * @page:	its pages
 * @pages:	how many
 * @first:	number of the first of them
 * @gen:	generation of each
 * @rng:	choices
 * @checked:	pages checked
 * @written:	pages stamped
 */
struct stamp_cpu {
	uint64_t *page;
	uint32_t pages;
	uint64_t first;
	uint32_t *gen;
	struct rng rng;
	uint64_t checked;
	uint64_t written;
};

/**
 * struct stamp_run - the whole test
 * @cpu:   shares
 * @disks: I/O jobs, or NULL without a disk
 * @vblk:  a virtio disk, or NULL; the boot CPU's
 * @seed:  of everything
 * @beats: lines to print, 0 for no end
 * @beat_ns: time between them
 * @checks: how often the boot CPU has asked all to check everything
 * @checked: how often one of them has done so
 * @told:  how often that was told
 * @stop:  set by the boot CPU at the end
 */
struct stamp_run {
	struct stamp_cpu *cpu;
	struct workload *disks;
	struct vblk *vblk;
	uint64_t seed;
	uint64_t beats;
	uint64_t beat_ns;
	uint32_t checks;
	uint32_t checked;
	uint32_t told;
	bool stop;
};

static struct stamp page_stamp(const struct stamp_run *run,
			       const struct stamp_cpu *c, uint32_t i)
{
	return (struct stamp){
		.seed = run->seed,
		.where = c->first + i,
		.space = STAMP_SPACE_MEMORY,
		.gen = c->gen[i],
	};
}

static int page_check(const struct stamp_run *run, struct stamp_cpu *c,
		      uint32_t i)
{
	const uint64_t *p = (const uint64_t *)c->page[i];
	struct stamp want = page_stamp(run, c, i);
	const size_t at = stamp_diff(p, PAGE_SIZE, &want);

	c->checked++;
	if (at == PAGE_SIZE)
		return 0;
	print("guest: MISMATCH page %lu at %lx: from byte %lu, generation %u expected\n",
	      c->first + i, (uint64_t)p, (uint64_t)at, c->gen[i]);
	print("guest:   found %lx %lx %lx %lx, at the byte %lx\n", p[0], p[1],
	      p[2], p[3], p[at / 8]);
	return -1;
}

static void page_write(const struct stamp_run *run, struct stamp_cpu *c,
		       uint32_t i)
{
	struct stamp s;

	c->gen[i]++;
	s = page_stamp(run, c, i);
	stamp_fill((void *)c->page[i], PAGE_SIZE, &s);
	c->written++;
}

static int memory_step(const struct stamp_run *run, struct stamp_cpu *c)
{
	unsigned int n;

	for (n = 0; n < PAGES_PER_STEP && c->pages; n++) {
		const uint32_t i = rng_below(&c->rng, c->pages);

		if (page_check(run, c, i))
			return -1;
		if (rng_next(&c->rng) & 1)
			page_write(run, c, i);
	}
	return 0;
}

static int disk_step(const struct stamp_run *run, unsigned int cpu)
{
	unsigned int i;

	if (!cpu && run->vblk && vblk_step(run->vblk))
		return -1;
	for (i = 0; run->disks && i < run->disks->jobs; i++)
		if (run->disks->job[i]->queue->cpu == cpu &&
		    io_run(run->disks->job[i], COMMANDS_PER_STEP))
			return -1;
	return 0;
}

static int check_everything(const struct stamp_run *run, unsigned int cpu)
{
	struct stamp_cpu *c = &run->cpu[cpu];
	uint32_t i;

	for (i = 0; i < c->pages; i++)
		if (page_check(run, c, i))
			return -1;
	if (!cpu && run->vblk && vblk_check_all(run->vblk))
		return -1;
	for (i = 0; run->disks && i < run->disks->jobs; i++)
		if (run->disks->job[i]->queue->cpu == cpu &&
		    io_check_all(run->disks->job[i]))
			return -1;
	return 0;
}

static void beat_print(const struct stamp_run *run, uint64_t n)
{
	uint64_t checked = 0, written = 0, reads = 0, writes = 0, flushes = 0;
	unsigned int i;

	for (i = 0; i < cpu_count(); i++) {
		checked += run->cpu[i].checked;
		written += run->cpu[i].written;
	}
	for (i = 0; run->disks && i < run->disks->jobs; i++) {
		reads += run->disks->job[i]->reads;
		writes += run->disks->job[i]->writes;
		flushes += run->disks->job[i]->flushes;
	}
	print("guest: beat %lu t=%lu mem=%lu/%lu disk=%lu/%lu flush=%lu\n", n,
	      now_ns() / 1000000, checked, written, reads, writes, flushes);
}

static void input_step(struct stamp_run *run)
{
	const int byte = console_read();

	if (byte == GUEST_INPUT_END)
		run->stop = true;
	if (byte == GUEST_INPUT_CHECK)
		__atomic_store_n(&run->checks, run->checks + 1,
				 __ATOMIC_RELAXED);
	if (run->told == run->checks ||
	    __atomic_load_n(&run->checked, __ATOMIC_RELAXED) !=
	    run->checks * cpu_count())
		return;
	run->told = run->checks;
	print("guest: everything is right\n");
}

/* When the boot CPU has asked for it. */
static int check_step(struct stamp_run *run, unsigned int cpu, uint32_t *done)
{
	if (*done == __atomic_load_n(&run->checks, __ATOMIC_RELAXED))
		return 0;
	if (check_everything(run, cpu))
		return -1;
	++*done;
	__atomic_add_fetch(&run->checked, 1, __ATOMIC_RELAXED);
	return 0;
}

/* The boot CPU's extra work: the beat, the end, and that time goes forward. */
static int beat_step(struct stamp_run *run, uint64_t *next, uint64_t *n)
{
	static uint64_t last;
	const uint64_t now = now_ns();

	CHECK(now >= last, "time went back from %lu to %lu ns", last, now);
	last = now;
	input_step(run);
	if (now < *next)
		return 0;
	*next = now + run->beat_ns;
	beat_print(run, ++*n);
	if (*n == run->beats)
		run->stop = true;
	return 0;
}

static int stamp_worker(unsigned int cpu, void *arg)
{
	struct stamp_run *run = arg;
	uint64_t next = 0, n = 0;
	uint32_t checks = 0;

	while (!__atomic_load_n(&run->stop, __ATOMIC_RELAXED)) {
		if (memory_step(run, &run->cpu[cpu]) || disk_step(run, cpu) ||
		    check_step(run, cpu, &checks) ||
		    (!cpu && beat_step(run, &next, &n)))
			machine_fail();
	}
	return check_everything(run, cpu);
}

/* mem=MIB, or mem=all: what there is, less a reserve. */
static uint64_t pages_wanted(void)
{
	const uint64_t left = mem_available();

	if (arg_is("mem", "all"))
		return left < 2 * RESERVE ? 0 : (left - RESERVE) / PAGE_SIZE;
	return MIB(arg_number("mem", 8)) / PAGE_SIZE;
}

static void share_init(struct stamp_run *run, unsigned int cpu, uint32_t pages)
{
	struct stamp_cpu *c = &run->cpu[cpu];
	uint32_t i;

	c->pages = pages;
	c->first = (uint64_t)cpu * pages;
	c->rng.state = run->seed + 77 * cpu;
	for (i = 0; i < pages; i++)
		c->page[i] = (uint64_t)mem_alloc(PAGE_SIZE, PAGE_SIZE);
}

static int test_stamp(void)
{
	struct stamp_run *run = mem_alloc(sizeof(*run), 8);
	const bool disks = nvme_find(0);
	unsigned int i, cpus;
	uint32_t share;

	run->seed = arg_number("seed", 1);
	run->beats = arg_number("beats", 0);
	run->beat_ns = arg_number("beat", 100) * 1000000;
	if (disks)
		run->disks = workload_open();
	else if (cpus_start((unsigned int)arg_number("cpus", 1)))
		return -1;
	if (disks && !run->disks)
		return -1;
	run->vblk = vblk_open(run->seed);
	cpus = cpu_count();
	run->cpu = mem_alloc(cpus * sizeof(run->cpu[0]), 8);
	/* A page needs 12 bytes more: its address and its generation. */
	share = (uint32_t)(pages_wanted() * PAGE_SIZE / (PAGE_SIZE + 16) / cpus);
	for (i = 0; i < cpus; i++) {
		run->cpu[i].page = mem_alloc((share + 1) * 8ul, 8);
		run->cpu[i].gen = mem_alloc((share + 1) * 4ul, 4);
	}
	for (i = 0; i < cpus; i++)
		share_init(run, i, share);
	print("guest: stamp: %u cpus, %lu pages, seed %lu%s\n", cpus,
	      (uint64_t)share * cpus, run->seed,
	      run->vblk ? ", a virtio disk" : "");
	if (cpus_run(stamp_worker, run))
		return -1;
	if (!run->disks)
		return 0;
	workload_report(run->disks);
	return workload_close(run->disks);
}

const struct test stamp_tests[] = {
	{ "stamp", test_stamp,
	  "stamp and check memory and disks (as nvme-io, and mem beat beats)" },
	{ 0 },
};
