/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: I/O jobs for all queues of all controllers
 */
#ifndef TESTS_KVM_GUEST_WORKLOAD_H
#define TESTS_KVM_GUEST_WORKLOAD_H

#include "tests/kvm/guest/io.h"
#include "tests/kvm/guest/nvme.h"

/**
 * struct workload - what all CPUs do together
 * @ctrl:  controllers, all open
 * @ctrls: how many
 * @job:   a job for each I/O queue
 * @jobs:  how many
 */
struct workload {
	struct nvme_ctrl *ctrl[8];
	unsigned int ctrls;
	struct io_job *job[256];
	unsigned int jobs;
};

struct workload *workload_open(void);
int workload_reopen(struct workload *w);
void workload_report(const struct workload *w);
int workload_close(struct workload *w);

#endif
