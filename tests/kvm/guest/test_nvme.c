// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: tests of the NVMe controller as a driver sees it
 */
#include "tests/kvm/guest/io.h"
#include "tests/kvm/guest/lib.h"
#include "tests/kvm/guest/mem.h"
#include "tests/kvm/guest/nvme.h"
#include "tests/kvm/guest/pci.h"
#include "tests/kvm/guest/platform.h"
#include "tests/kvm/guest/test.h"
#include "tests/kvm/guest/workload.h"

#define EVENT_TYPE_SMART	1u
#define EVENT_TEMPERATURE	1u

/* Opens the first controller with one queue of this CPU. */
static struct nvme_ctrl *open_simple(void)
{
	struct nvme_setup s;
	struct nvme_ctrl *c = nvme_find(0);

	if (!c) {
		print("guest: there is no NVMe controller\n");
		return NULL;
	}
	if (io_setup_read(&s) || nvme_open(c, &s))
		return NULL;
	return c;
}

static int test_id(void)
{
	struct nvme_ctrl *c = open_simple();
	unsigned int i, n;

	if (!c)
		return -1;
	for (n = 0; (c = nvme_find(n)); n++) {
		struct nvme_setup s;

		if (io_setup_read(&s) || nvme_open(c, &s))
			return -1;
		print("guest: nvme%u at %x: serial %s vs %x cap %lx oacs %x sgls %x max %u bytes\n",
		      n, c->pci->bdf, c->serial, nvme_reg32(c, NVME_VS), c->cap,
		      c->oacs, c->sgls, c->max_bytes);
		for (i = 0; i < c->ns_count; i++)
			print("guest: nvme%un%u: %lu blocks of %u bytes\n", n,
			      c->ns[i].nsid, c->ns[i].blocks,
			      1u << c->ns[i].block_shift);
		if (nvme_shutdown(c))
			return -1;
	}
	return 0;
}

static int io_worker(unsigned int cpu, void *arg)
{
	struct workload *w = arg;
	const uint64_t ops = arg_number("ops", 400);
	uint64_t done;
	unsigned int i;

	/* A CPU with several queues goes round them. */
	for (done = 0; done < ops; done += 16)
		for (i = 0; i < w->jobs; i++)
			if (w->job[i]->queue->cpu == cpu &&
			    io_run(w->job[i], 16))
				return -1;
	for (i = 0; i < w->jobs; i++)
		if (w->job[i]->queue->cpu == cpu && io_check_all(w->job[i]))
			return -1;
	return 0;
}

static int test_io(void)
{
	struct workload *w = workload_open();

	if (!w || cpus_run(io_worker, w))
		return -1;
	workload_report(w);
	return workload_close(w);
}

/* Resets the controllers with commands under way, and goes on. */
static int test_reset(void)
{
	const unsigned int loops = (unsigned int)arg_number("loops", 5);
	struct workload *w = workload_open();
	struct rng rng = { arg_number("seed", 1) };
	unsigned int i, k;

	if (!w)
		return -1;
	CHECK(cpu_count() == 1, "this test wants one CPU");
	for (i = 0; i < loops; i++) {
		for (k = 0; k < w->jobs; k++)
			if (io_run(w->job[k], 32) || io_fill(w->job[k]))
				return -1;
		delay_us(rng_below(&rng, 300));
		if (workload_reopen(w))
			return -1;
		for (k = 0; k < w->jobs; k++)
			if (io_settle(w->job[k]))
				return -1;
	}
	for (k = 0; k < w->jobs; k++)
		if (io_check_all(w->job[k]))
			return -1;
	workload_report(w);
	return workload_close(w);
}

static int set_feature(struct nvme_ctrl *c, uint32_t feature, uint32_t value)
{
	struct nvme_command cmd = {
		.opcode = NVME_ADMIN_SET_FEATURES,
		.cdw10 = feature,
		.cdw11 = value,
	};

	return nvme_sync(&c->queue[0], &cmd, NULL);
}

static int temperature_read(struct nvme_ctrl *c, uint16_t *kelvin)
{
	uint8_t *log = mem_alloc(4096, 4096);
	struct nvme_command cmd = {
		.opcode = NVME_ADMIN_LOG_PAGE,
		.nsid = 0xffffffff,
		.prp = { (uint64_t)log },
		.cdw10 = NVME_LOG_SMART | (512 / 4 - 1) << 16,
	};

	if (nvme_sync(&c->queue[0], &cmd, NULL))
		return -1;
	memcpy(kelvin, log + 1, sizeof(*kelvin));
	CHECK(*kelvin > 250 && *kelvin < 400, "temperature %u K", *kelvin);
	return 0;
}

/* A temperature threshold below the temperature completes a request. */
static int test_event(void)
{
	struct nvme_ctrl *c = open_simple();
	struct nvme_done done;
	uint16_t kelvin;

	if (!c || nvme_event_request(c) || nvme_event_request(c) ||
	    temperature_read(c, &kelvin) ||
	    set_feature(c, NVME_FEATURE_ASYNC_EVENT, 2))
		return -1;
	CHECK(!c->events_waiting, "an event without a reason: %x",
	      c->events[0]);
	if (set_feature(c, NVME_FEATURE_TEMPERATURE, kelvin - 10u))
		return -1;
	if (!c->events_waiting) {
		if (nvme_wait(&c->queue[0], &done))
			return -1;
		CHECK(nvme_event_take(c, done.cid, done.result),
		      "cid %u completed, not an event request", done.cid);
	}
	CHECK(c->events_waiting == 1, "%u events", c->events_waiting);
	CHECK((c->events[0] & 7) == EVENT_TYPE_SMART &&
	      (c->events[0] >> 8 & 0xff) == EVENT_TEMPERATURE &&
	      (c->events[0] >> 16 & 0xff) == NVME_LOG_SMART, "event %x",
	      c->events[0]);
	CHECK(c->event_count == 1, "%u requests outstanding", c->event_count);
	/* The other one is still outstanding when the controller stops. */
	return nvme_shutdown(c);
}

static int expect(struct nvme_queue *q, struct nvme_command *cmd,
		  uint16_t status)
{
	struct nvme_done done;

	if (nvme_sync_status(q, cmd, &done))
		return -1;
	CHECK(done.status == status, "opcode %x: status %x, not %x",
	      cmd->opcode, done.status, status);
	return 0;
}

/* Commands that fail, and the queues go on. */
static int test_errors(void)
{
	struct nvme_ctrl *c = open_simple();
	uint8_t *buf = mem_alloc(4096, 4096);
	struct nvme_command bad = { .opcode = 0x7f };
	struct nvme_command range = {
		.opcode = NVME_IO_READ,
		.prp = { (uint64_t)buf },
	};

	if (!c)
		return -1;
	range.nsid = c->ns[0].nsid;
	range.cdw10 = (uint32_t)c->ns[0].blocks;
	range.cdw11 = (uint32_t)(c->ns[0].blocks >> 32);
	bad.nsid = range.nsid;
	if (expect(&c->queue[0], &bad, NVME_SC_INVALID_OPCODE) ||
	    expect(&c->queue[1], &bad, NVME_SC_INVALID_OPCODE) ||
	    expect(&c->queue[1], &range, NVME_SC_LBA_RANGE))
		return -1;
	range.cdw10--;
	return nvme_sync(&c->queue[1], &range, NULL);
}

/* A masked vector keeps its interrupt in the pending bits. */
static int test_mask(void)
{
	struct nvme_ctrl *c = open_simple();
	struct nvme_command cmd = { .opcode = NVME_IO_FLUSH };
	struct nvme_queue *q;
	struct nvme_done done;
	uint64_t end;
	uint32_t seen;
	int ret;

	if (!c)
		return -1;
	q = &c->queue[1];
	CHECK(q->irq >= 0, "this test wants irq=msix");
	cmd.nsid = c->ns[0].nsid;
	pci_msix_mask(c->pci, q->id, true);
	seen = irq_seen((unsigned int)q->irq);
	CHECK(nvme_push(q, &cmd) >= 0, "queue is full");
	nvme_ring(q);
	end = now_ns() + 30000000000ull;
	do {
		ret = nvme_reap(q, &done);
	} while (!ret && now_ns() < end);
	CHECK(ret == 1 && !done.status, "flush: %d status %x", ret,
	      done.status);
	while (!pci_msix_pending(c->pci, q->id) && now_ns() < end)
		cpu_relax();
	CHECK(pci_msix_pending(c->pci, q->id), "pending bit is not set");
	CHECK(irq_seen((unsigned int)q->irq) == seen,
	      "a masked vector has raised an interrupt");
	pci_msix_mask(c->pci, q->id, false);
	while (irq_seen((unsigned int)q->irq) == seen && now_ns() < end)
		cpu_relax();
	CHECK(irq_seen((unsigned int)q->irq) == seen + 1,
	      "%u interrupts after unmasking",
	      irq_seen((unsigned int)q->irq) - seen);
	CHECK(!pci_msix_pending(c->pci, q->id), "pending bit stays set");
	return 0;
}

/* All interrupt kinds one after the other on the same controller. */
static int test_kinds(void)
{
	static const enum nvme_irq kinds[] = {
		NVME_IRQ_MSIX, NVME_IRQ_INTX, NVME_IRQ_POLL, NVME_IRQ_INTX,
		NVME_IRQ_MSIX,
	};
	struct nvme_command cmd = { .opcode = NVME_IO_FLUSH };
	struct nvme_ctrl *c = nvme_find(0);
	struct nvme_setup s;
	unsigned int i, k;

	CHECK(c, "there is no NVMe controller");
	if (io_setup_read(&s))
		return -1;
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		s.irq = kinds[i];
		if (nvme_open(c, &s))
			return -1;
		for (k = 0; k < 20; k++) {
			cmd.nsid = c->ns[0].nsid;
			if (nvme_sync(&c->queue[1], &cmd, NULL))
				return -1;
		}
	}
	return nvme_shutdown(c);
}

const struct test nvme_tests[] = {
	{ "nvme-id", test_id, "bring each controller up and show it" },
	{ "nvme-io", test_io,
	  "verified I/O (seed ops qd queues depth irq pointer shadow kb span page zeroes cpus)" },
	{ "nvme-reset", test_reset,
	  "controller reset with commands under way (as nvme-io, and loops)" },
	{ "nvme-event", test_event, "an asynchronous event" },
	{ "nvme-errors", test_errors, "commands that fail" },
	{ "nvme-mask", test_mask, "MSI-X mask and pending bits" },
	{ "nvme-kinds", test_kinds, "MSI-X, INTx and polling in turn" },
	{ 0 },
};
