// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: migration/restore.c with a real vCPU
 *
 * Needs /dev/kvm. The guest is a kernel of two instructions that counts in
 * memory, so that a machine that goes on shows it.
 */
#include "tests/lib/harness.h"

#include <fcntl.h>
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>

#include "arch/x86/layout.h"
#include "arch/x86/x86_priv.h"
#include "migration/restore.h"
#include "migration/snapshot.h"
#include "tests/unit/x86/boot_kernel.h"
#include "vmm/arch.h"
#include "vmm/description.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

#define RAM		(64 * MIB)
#define COUNTER		0x2000000
#define WAIT_S		60
#define CLONES		3

/* 1: incq 0x2000000; jmp 1b */
static const u8 count[] = { 0x48, 0xff, 0x04, 0x25, 0, 0, 0, 2, 0xeb, 0xf6 };

FIXTURE(restore) {
	struct vm *vm;
	struct error err;
	struct error result;
	enum vm_clock clock;
	int done;
	char dir[64];
	char path[96];
	char kernel[96];
	struct test_bzimage bz;
};

static void write_kernel(FIXTURE_DATA(restore) *self)
{
	int fd;

	test_bzimage_init(&self->bz);
	memcpy(self->bz.bytes + KERNEL_CODE_OFFSET + 0x200, count,
	       sizeof(count));
	fd = open(self->kernel, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert(write(fd, self->bz.bytes, sizeof(self->bz.bytes)) ==
	       sizeof(self->bz.bytes));
	close(fd);
}

/* A machine of this description; its kernel is not loaded. */
static int build(struct description *d, const struct vm_config *config,
		 struct vm **vm, struct error *err)
{
	int ret = vm_create(config, vm, err);

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

static int boot(FIXTURE_DATA(restore) *self, u32 cpus)
{
	struct machine_config machine = {
		.cpus = cpus, .memory = RAM, .name = (char *)"test",
		.kernel = self->kernel, .cmdline = (char *)"",
		.kvm = (char *)"/dev/kvm",
	};
	struct arch_boot kernel = { .kernel = self->kernel, .cmdline = "" };
	struct vm_config config;
	struct description *d;
	void *fdt;
	int ret;

	ret = description_write(&machine, NULL, 0, &fdt, &self->err);
	if (ret)
		return ret;
	ret = description_read(fdt, fdt_totalsize(fdt), &d, &self->err);
	free(fdt);
	if (ret)
		return ret;
	description_vm_config(d, &config);
	ret = build(d, &config, &self->vm, &self->err);
	description_free(d);
	if (!ret)
		ret = arch_boot_load(self->vm, &kernel, &self->err);
	return ret ? ret : vm_resume(self->vm, &self->err);
}

static u64 counter(struct vm *vm)
{
	struct guest_gate gate;
	u64 n = 0;

	guest_gate_init(&gate, &vm->memory);
	assert(!guest_read(&gate, gpa(COUNTER), &n, sizeof(n)));
	return n;
}

/* Waits until the guest has counted on. */
static bool counts(struct vm *vm)
{
	const struct timespec nap = { .tv_nsec = 1000000 };
	const u64 start = counter(vm);
	int i;

	for (i = 0; i < WAIT_S * 1000; i++) {
		iothread_run_once(&vm->loop, false);
		if (counter(vm) - start > 100)
			return true;
		nanosleep(&nap, NULL);
	}
	return false;
}

static void on_done(void *arg, const struct error *err)
{
	FIXTURE_DATA(restore) *self = arg;

	self->done = 1;
	memset(&self->result, 0, sizeof(self->result));
	if (err)
		self->result = *err;
}

static int take(FIXTURE_DATA(restore) *self, struct vm *vm,
		enum snapshot_mode mode)
{
	struct snapshot_request req = {
		.path = self->path, .mode = mode,
		.on_done = on_done, .arg = self,
	};
	struct snapshot *s;
	int ret;

	self->done = 0;
	ret = snapshot_start(vm, &req, &s, &self->err);
	if (ret)
		return ret;
	while (!self->done)
		iothread_run_once(&vm->loop, true);
	snapshot_destroy(s);
	return self->result.code;
}

/* A machine from the image, paused. */
static int restore(FIXTURE_DATA(restore) *self, bool eager, struct vm **vm)
{
	struct vm_config config;
	struct restore *r;
	int ret;

	*vm = NULL;
	ret = restore_open(self->path, &r, &self->err);
	if (ret)
		return ret;
	r->clock = self->clock;
	restore_config(r, &config);
	ret = build(r->description, &config, vm, &self->err);
	if (!ret)
		ret = restore_memory(r, *vm, eager, &self->err);
	if (!ret)
		ret = restore_state(r, *vm, &self->err);
	restore_close(r);
	if (ret && *vm) {
		vm_destroy(*vm);
		*vm = NULL;
	}
	return ret;
}

static bool image_is_whole(FIXTURE_DATA(restore) *self)
{
	struct restore *r;
	int ret;

	if (restore_open(self->path, &r, &self->err))
		return false;
	ret = image_verify(r->image, 2, NULL, &self->err);
	restore_close(r);
	return !ret;
}

FIXTURE_SETUP(restore)
{
	memset(self, 0, sizeof(*self));
	if (access("/dev/kvm", R_OK | W_OK))
		SKIP(return, "no access to /dev/kvm");
	strcpy(self->dir, "/var/tmp/lkvm-restore-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	snprintf(self->path, sizeof(self->path), "%s/vm.snap", self->dir);
	snprintf(self->kernel, sizeof(self->kernel), "%s/kernel", self->dir);
	write_kernel(self);
	ASSERT_EQ(0, boot(self, 1)) TH_LOG("%s", self->err.text);
	ASSERT_TRUE(counts(self->vm));
}

FIXTURE_TEARDOWN(restore)
{
	if (self->vm)
		vm_destroy(self->vm);
	unlink(self->path);
	unlink(self->kernel);
	EXPECT_EQ(0, rmdir(self->dir));
}

TEST_F(restore, goes_on_where_it_stopped)
{
	struct vm *vm;
	u64 stopped;

	ASSERT_EQ(0, take(self, self->vm, SNAPSHOT_STOP))
		TH_LOG("%s%s", self->err.text, self->result.text);
	stopped = counter(self->vm);
	ASSERT_EQ(0, restore(self, false, &vm)) TH_LOG("%s", self->err.text);
	EXPECT_EQ(VM_PAUSED, vm_phase_get(vm));
	EXPECT_EQ(stopped, counter(vm));
	ASSERT_EQ(0, vm_resume(vm, &self->err));
	EXPECT_TRUE(counts(vm));
	vm_destroy(vm);
	EXPECT_EQ(stopped, counter(self->vm));
	EXPECT_TRUE(image_is_whole(self));
}

static void read_generation(struct vm *vm, u8 id[16])
{
	struct guest_gate gate;

	guest_gate_init(&gate, &vm->memory);
	assert(!guest_read(&gate, gpa(X86_VMGENID_BASE), id, 16));
}

TEST_F(restore, each_restore_is_another_generation)
{
	u8 id[3][16];
	struct vm *vm;
	u32 i;

	read_generation(self->vm, id[0]);
	ASSERT_EQ(0, take(self, self->vm, SNAPSHOT_STOP));
	for (i = 1; i < 3; i++) {
		ASSERT_EQ(0, restore(self, false, &vm))
			TH_LOG("%s", self->err.text);
		ASSERT_EQ(0, vm_resume(vm, &self->err));
		read_generation(vm, id[i]);
		vm_destroy(vm);
	}
	EXPECT_NE(0, memcmp(id[0], id[1], 16));
	EXPECT_NE(0, memcmp(id[0], id[2], 16));
	EXPECT_NE(0, memcmp(id[1], id[2], 16));
}

TEST_F(restore, original_runs_on_beside_its_clones)
{
	struct vm *vm[CLONES];
	u32 i;

	ASSERT_EQ(0, take(self, self->vm, SNAPSHOT_LIVE))
		TH_LOG("%s%s", self->err.text, self->result.text);
	for (i = 0; i < CLONES; i++) {
		ASSERT_EQ(0, restore(self, i == 1, &vm[i]))
			TH_LOG("%s", self->err.text);
		ASSERT_EQ(0, vm_resume(vm[i], &self->err));
	}
	for (i = 0; i < CLONES; i++)
		EXPECT_TRUE(counts(vm[i]));
	EXPECT_TRUE(counts(self->vm));
	EXPECT_TRUE(image_is_whole(self));
	for (i = 0; i < CLONES; i++)
		vm_destroy(vm[i]);
}

/* The image that its memory is mapped from gets another of the same name. */
TEST_F(restore, restored_machine_is_saved_under_the_same_name)
{
	struct vm *vm;
	u64 last = 0;
	int i;

	ASSERT_EQ(0, take(self, self->vm, SNAPSHOT_STOP));
	for (i = 0; i < 10; i++) {
		ASSERT_EQ(0, restore(self, false, &vm))
			TH_LOG("%s", self->err.text);
		EXPECT_LT(last, counter(vm));
		ASSERT_EQ(0, vm_resume(vm, &self->err));
		last = counter(vm);
		EXPECT_TRUE(counts(vm));
		ASSERT_EQ(0, take(self, vm, SNAPSHOT_LIVE))
			TH_LOG("%s%s", self->err.text, self->result.text);
		EXPECT_TRUE(counts(vm));
		vm_destroy(vm);
		EXPECT_TRUE(image_is_whole(self));
	}
}

static u64 kvmclock_ns(struct vm *vm)
{
	struct kvm_clock_data clock = { 0 };

	assert(!ioctl(vm->vm_fd, KVM_GET_CLOCK, &clock));
	return clock.clock;
}

static u64 tsc(struct vm *vm)
{
	struct error err;
	u64 value = 0;

	assert(!msr_get(vm->vcpus, MSR_TSC, &value, &err));
	return value;
}

/* Some hosts give every guest their own TSC, whatever is written to it. */
static bool tsc_can_be_set(struct vm *vm)
{
	u64 now = tsc(vm);
	struct error err;

	return !msr_set(vm->vcpus, MSR_TSC, now << 1, &err) &&
	       tsc(vm) >= now << 1;
}

TEST_F(restore, clocks_count_the_time_between_or_do_not)
{
	const struct timespec away = { .tv_sec = 1, .tv_nsec = 500000000 };
	u64 clock, ticks, passed, now;
	struct vm *vm;
	int khz, i;

	ASSERT_EQ(0, take(self, self->vm, SNAPSHOT_STOP));
	clock = kvmclock_ns(self->vm);
	ticks = tsc(self->vm);
	khz = ioctl(self->vm->vcpus->fd, KVM_GET_TSC_KHZ, 0);
	nanosleep(&away, NULL);
	for (i = 0; i < 2; i++) {
		self->clock = i ? VM_CLOCK_SAVED : VM_CLOCK_HOST;
		/* What the stopped machine's clock says is the truth. */
		passed = kvmclock_ns(self->vm) - clock;
		ASSERT_EQ(0, restore(self, false, &vm))
			TH_LOG("%s", self->err.text);
		now = kvmclock_ns(vm);
		EXPECT_TRUE(i ? now < clock + passed :
				now + 100000000 >= clock + passed);
		EXPECT_LE(clock, now + 1000000000);
		passed = passed / 1000000 * (u64)khz;
		EXPECT_TRUE(!i ? tsc(vm) >= ticks + passed / 2 :
			    !tsc_can_be_set(self->vm) ||
			    tsc(vm) < ticks + passed);
		vm_destroy(vm);
	}
}

static bool stop(void *arg)
{
	++*(int *)arg;
	return true;
}

TEST_F(restore, eager_can_be_interrupted)
{
	struct vm_config config;
	struct restore *r;
	struct vm *vm;
	int asked = 0;

	ASSERT_EQ(0, take(self, self->vm, SNAPSHOT_STOP));
	ASSERT_EQ(0, restore_open(self->path, &r, &self->err));
	r->interrupted = stop;
	r->interrupted_arg = &asked;
	restore_config(r, &config);
	ASSERT_EQ(0, vm_create(&config, &vm, &self->err));
	EXPECT_EQ(0, restore_memory(r, vm, false, &self->err));
	EXPECT_EQ(0, asked);
	EXPECT_EQ(-EINTR, restore_memory(r, vm, true, &self->err));
	EXPECT_EQ(1, asked);
	vm_destroy(vm);
	restore_close(r);
}

/* An image with these blocks and this description, and no state. */
static void write_image(FIXTURE_DATA(restore) *self, u16 machine, u64 size,
			bool described)
{
	struct channel_file_config config = {
		.path = self->path, .dirfd = AT_FDCWD, .write = true,
		.create = true,
	};
	struct image *image;
	struct channel *ch;

	unlink(self->path);
	assert(!channel_file_open(&config, &ch, NULL));
	assert(!image_create(ch, machine, &image, NULL));
	assert(!image_add_block(image, "ram-low", 0, size, NULL));
	if (described)
		assert(!image_add_note(image, IMAGE_OWNER, IMAGE_NOTE_MACHINE,
				       self->vm->description,
				       self->vm->description_len, NULL));
	assert(!image_commit(image, NULL));
	image_free(image);
	channel_close(ch);
}

#define EXPECT_REFUSED(_code, _text) do {				\
	struct restore *__r = NULL;					\
									\
	EXPECT_EQ(_code, restore_open(self->path, &__r, &self->err));	\
	EXPECT_NE(NULL, strstr(self->err.text, _text))			\
		TH_LOG("%s", self->err.text);				\
	restore_close(__r);						\
} while (0)

TEST_F(restore, images_that_do_not_fit_are_refused)
{
	struct vm *vm;

	write_image(self, EM_AARCH64, RAM, true);
	EXPECT_REFUSED(-ENOTSUP, "another architecture (ELF machine 183)");
	write_image(self, arch_elf_machine, RAM, false);
	EXPECT_REFUSED(-EINVAL, "has no machine description");
	write_image(self, arch_elf_machine, RAM - MIB, true);
	EXPECT_REFUSED(-EINVAL, "memory ram-low: is not 65536 KiB at 0x0");
	write_image(self, arch_elf_machine, RAM, true);
	EXPECT_EQ(-EINVAL, restore(self, false, &vm));
	EXPECT_NE(NULL, strstr(self->err.text, "has no machine state"));
	unlink(self->path);
	EXPECT_REFUSED(-ENOENT, "No such file");
}

TEST_HARNESS_MAIN
