// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: a hostile NVMe driver that runs a program
 *
 * See nvme_fuzz.h. One machine serves all inputs: making one takes longer than
 * running a program. Each input begins with a reset, and with the guest memory
 * that programs use cleared, so that inputs repeat.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/nvme/nvme_priv.h"
#include "tests/lib/fuzz_program.h"
#include "tests/lib/nvme_driver.h"
#include "tests/lib/nvme_fuzz.h"
#include "tests/lib/testvm.h"
#include "vmm/base/math.h"

#define SLOT		4
#define MEMORY		(16 * MIB)
#define ENTRIES		16
#define AREA		(64 * KIB)	/* what programs write to */
#define OPTIONS		"null:1M,ns=null:1M,queues=4,iothreads=2,serial=fuzz"

/**
 * struct fuzz - the machine, and where programs work in it
 * @vm: the machine
 * @dev: the controller
 * @drv: sets it up
 * @area: AREA bytes of guest memory
 * @ptr: the same, here
 * @shadow: shadow doorbells and event indexes, two pages
 */
struct fuzz {
	struct vm *vm;
	struct device *dev;
	struct nvme_driver drv;
	u64 area;
	u8 *ptr;
	u64 shadow;
};

static struct nvme_ctrl *ctrl_of(struct fuzz *f)
{
	return container_of(f->dev, struct nvme_ctrl, pci.dev);
}

/* Everything that was begun has ended, or waits for the guest. */
static void settle(struct fuzz *f)
{
	u32 i;

	for (i = 0; i < 50; i++) {
		testvm_poll(f->vm);
		if (i % 10 == 9)
			usleep(20);
	}
}

static void machine_make(struct fuzz *f)
{
	f->vm = testvm_create(MEMORY);
	f->dev = testvm_add_pci(f->vm, "nvme", 0, SLOT, OPTIONS);
	testvm_msix_enable(f->vm, SLOT, 5);
}

/* What outlives a reset, so that inputs repeat. */
static void namespaces_anew(struct fuzz *f)
{
	struct nvme_ctrl *ctrl = ctrl_of(f);
	u32 i;

	for (i = 0; i < ctrl->ns_nr; i++) {
		atomic_store(&ctrl->ns[i]->attached, true);
		nvme_ns_set_format(ctrl->ns[i], 0);
	}
}

static void begin(struct fuzz *f, bool shadows)
{
	struct nvme_sqe cmd = nvme_driver_cmd(NVME_ADM_DBBUF_CONFIG, 0);

	nvme_driver_init(&f->drv, f->vm, SLOT);
	f->area = nvme_driver_alloc(&f->drv, AREA);
	f->ptr = nvme_driver_ptr(&f->drv, f->area);
	f->shadow = nvme_driver_alloc(&f->drv, 8192);
	nvme_driver_disable(&f->drv);
	namespaces_anew(f);
	nvme_driver_enable(&f->drv, ENTRIES);
	nvme_driver_create_pair(&f->drv, 1, ENTRIES, 1);
	nvme_driver_create_pair(&f->drv, 2, ENTRIES, 2);
	cmd.prp.prp1 = cpu_to_le64(f->shadow);
	cmd.prp.prp2 = cpu_to_le64(f->shadow + 4096);
	if (shadows)
		nvme_driver_admin(&f->drv, &cmd);
}

/* Most addresses into the area, some as the input says. */
static u64 bend(struct fuzz *f, u64 addr)
{
	return addr >> 60 == 0xf ? addr : f->area + addr % AREA;
}

static void put_command(struct fuzz *f, struct program *p, u16 qid)
{
	struct nvme_pair *pair = &f->drv.pair[qid];
	struct nvme_sqe cmd;
	u32 dwords[16] = { 0 };
	u32 mask = take32(p), i;

	if (!pair->entries)
		return;
	for (i = 0; i < ARRAY_SIZE(dwords); i++)
		if (mask & BIT(i))
			dwords[i] = take32(p);
	memcpy(&cmd, dwords, sizeof(cmd));
	if (!(mask & BIT(16)))
		cmd.nsid = cpu_to_le32(le32_to_cpu(cmd.nsid) % 3);
	if (!(mask & BIT(17)))
		cmd.flags &= NVME_SQE_PSDT | NVME_SQE_FUSE;
	cmd.prp.prp1 = cpu_to_le64(bend(f, le64_to_cpu(cmd.prp.prp1)));
	if (!(cmd.flags & NVME_SQE_PSDT))
		cmd.prp.prp2 = cpu_to_le64(bend(f,
						le64_to_cpu(cmd.prp.prp2)));
	pair->sq[pair->tail] = cmd;
	pair->tail = (pair->tail + 1) % pair->entries;
	if (!(mask & BIT(18)))
		nvme_driver_ring(&f->drv, pair);
}

static void put_memory(struct fuzz *f, struct program *p)
{
	u32 at = take32(p) % AREA;
	u32 len = take8(p);

	take(p, f->ptr + at, min_of(len, AREA - at));
}

/* PRPs and SGL descriptors have addresses: bend a qword of the area. */
static void put_address(struct fuzz *f, struct program *p)
{
	u32 at = round_down_to(take32(p) % AREA, 8);
	__le64 addr = cpu_to_le64(bend(f, take32(p)));

	memcpy(f->ptr + at, &addr, sizeof(addr));
}

static void ring_doorbell(struct fuzz *f, struct program *p)
{
	u32 index = take8(p) % 16;
	u32 value = take32(p);

	nvme_driver_write32(&f->drv, NVME_DOORBELLS + 4 * index,
			    index & 8 ? value : value % (ENTRIES + 1));
}

static void write_register(struct fuzz *f, struct program *p)
{
	u32 offset = take8(p) & ~3U;
	u32 value = take32(p);

	nvme_driver_write32(&f->drv, offset, value);
	nvme_driver_read32(&f->drv, take8(p) & ~3U);
}

static void put_shadow(struct fuzz *f, struct program *p)
{
	u32 index = take8(p) % 16;
	__le32 value = cpu_to_le32(take32(p) % (ENTRIES + 2));
	u8 *at = nvme_driver_ptr(&f->drv, f->shadow + 4 * index);

	memcpy(at, &value, sizeof(value));
	if (take8(p) & 1)
		nvme_driver_write32(&f->drv, NVME_DOORBELLS + 4 * index, 0);
}

static void consume(struct fuzz *f, struct program *p)
{
	struct nvme_pair *pair = &f->drv.pair[take8(p) % 3];
	struct nvme_cqe cqe;

	settle(f);
	if (!pair->entries)
		return;
	while (nvme_driver_reap(pair, &cqe))
		;
	nvme_driver_ack(&f->drv, pair);
}

/* What was saved from a machine that ran can be loaded into it again. */
static void pause_and_load(struct fuzz *f)
{
	const struct device_ops *ops = f->dev->class->ops;
	struct error err = ERROR_INIT;
	void *state;
	int ret;

	ret = ops->quiesce(f->dev, &err);
	assert(!ret);
	state = testvm_save(f->dev);
	ret = testvm_load(f->dev, state, &err);
	if (ret) {
		fprintf(stderr, "own state refused: %s\n", err.text);
		abort();
	}
	free(state);
	ops->resume(f->dev);
}

static void step(struct fuzz *f, struct program *p, enum nvme_fuzz_kind kind)
{
	u8 what = take8(p);

	switch (what % 10) {
	case 0:
	case 1:
		put_command(f, p, kind == NVME_FUZZ_IO ? 1 + (what >> 7) : 0);
		break;
	case 2:
		put_command(f, p, kind == NVME_FUZZ_IO ? 0 : 1);
		break;
	case 3:
		put_memory(f, p);
		break;
	case 4:
		put_address(f, p);
		break;
	case 5:
		ring_doorbell(f, p);
		break;
	case 6:
		if (kind == NVME_FUZZ_ADMIN)
			write_register(f, p);
		else
			put_shadow(f, p);
		break;
	case 7:
		consume(f, p);
		break;
	case 8:
		settle(f);
		break;
	case 9:
		pause_and_load(f);
		break;
	}
}

/* After a reset it is a controller as any other. */
static void must_be_usable(struct fuzz *f)
{
	u16 status;

	nvme_driver_init(&f->drv, f->vm, SLOT);
	nvme_driver_enable(&f->drv, ENTRIES);
	status = nvme_driver_identify(&f->drv, NVME_CNS_CTRL, 0,
				      nvme_driver_alloc(&f->drv, 4096));
	assert(!status);
	assert(!ctrl_of(f)->loops[0].inflight);
}

/**
 * nvme_fuzz_run() - run one input
 * @data: the program
 * @size: bytes
 * @kind: where its commands go
 */
void nvme_fuzz_run(const u8 *data, size_t size, enum nvme_fuzz_kind kind)
{
	static struct fuzz f;
	struct program p = { .data = data, .left = size };

	if (!f.vm)
		machine_make(&f);
	begin(&f, take8(&p) & 1);
	while (p.left)
		step(&f, &p, kind);
	settle(&f);
	must_be_usable(&f);
}
