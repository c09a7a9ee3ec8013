// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: I/O jobs for all queues of all controllers, as the command line says
 *
 * cpus=N starts CPUs first (1 by default, 0 for all); then each controller is
 * opened and each of its I/O queues gets a job, which the queue's CPU runs.
 */
#include "tests/kvm/guest/workload.h"
#include "tests/kvm/guest/lib.h"
#include "tests/kvm/guest/mem.h"
#include "tests/kvm/guest/platform.h"

/**
 * workload_open - start CPUs, open all controllers, make the jobs
 *
 * Return: the workload, or NULL after reporting what is wrong.
 */
struct workload *workload_open(void)
{
	struct workload *w = mem_alloc(sizeof(*w), 8);
	struct io_options o;
	struct nvme_setup s;
	unsigned int i;

	if (cpus_start((unsigned int)arg_number("cpus", 1)) ||
	    io_setup_read(&s))
		return NULL;
	io_options_read(&o);
	for (; w->ctrls < ARRAY_SIZE(w->ctrl); w->ctrls++) {
		struct nvme_ctrl *c = nvme_find(w->ctrls);

		if (!c)
			break;
		w->ctrl[w->ctrls] = c;
		if (nvme_open(c, &s) || nvme_event_request(c))
			return NULL;
		for (i = 1; i <= c->queues && w->jobs < 256; i++) {
			struct io_job *j = mem_alloc(sizeof(*j), 8);

			io_job_init(j, &c->queue[i], &o);
			w->job[w->jobs++] = j;
		}
	}
	if (!w->ctrls)
		print("guest: there is no NVMe controller\n");
	return w->ctrls ? w : NULL;
}

/**
 * workload_reopen - reset all controllers and bring them up as they were
 * @w: workload
 *
 * Return: 0, or -1 after reporting what is wrong.
 */
int workload_reopen(struct workload *w)
{
	unsigned int i;

	for (i = 0; i < w->ctrls; i++) {
		const struct nvme_setup s = w->ctrl[i]->setup;

		if (nvme_open(w->ctrl[i], &s) || nvme_event_request(w->ctrl[i]))
			return -1;
	}
	return 0;
}

/**
 * workload_report - say what has been done and what is on the disks
 * @w: workload, its jobs are drained
 */
void workload_report(const struct workload *w)
{
	uint64_t reads = 0, writes = 0, flushes = 0, bytes = 0;
	uint64_t rings = 0, sleeps = 0;
	unsigned int i;

	for (i = 0; i < w->jobs; i++) {
		reads += w->job[i]->reads;
		writes += w->job[i]->writes;
		flushes += w->job[i]->flushes;
		bytes += w->job[i]->bytes;
		rings += w->job[i]->queue->rings;
		sleeps += w->job[i]->queue->sleeps;
	}
	print("guest: io: %u queues, %u cpus, doorbells %lu sleeps %lu\n",
	      w->jobs, cpu_count(), rings, sleeps);
	print("guest: io: reads %lu writes %lu flushes %lu KiB %lu\n", reads,
	      writes, flushes, bytes / 1024);
	io_report_disks((const struct io_job *const *)w->job, w->jobs);
}

/**
 * workload_close - shut all controllers down
 * @w: workload
 *
 * Return: 0, or -1 after reporting what is wrong.
 */
int workload_close(struct workload *w)
{
	unsigned int i;

	for (i = 0; i < w->ctrls; i++)
		if (nvme_shutdown(w->ctrl[i]))
			return -1;
	return 0;
}
