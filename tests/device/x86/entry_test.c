// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: a kernel's first instructions on a real vCPU
 *
 * Needs /dev/kvm. Kernels of a few bytes tell by a write to a port what they
 * found in the registers where the boot protocols put things.
 */
#include "tests/lib/harness.h"

#include <string.h>
#include <sys/ioctl.h>

#include "arch/x86/layout.h"
#include "arch/x86/x86_priv.h"
#include "tests/unit/x86/boot_kernel.h"
#include "vmm/arch.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

#define PORT	0x80

/* mov %esi, %eax; out %eax, $0x80; both the same in 32 and 64 bit */
static const u8 tell_esi[] = { 0x89, 0xf0, 0xe7, PORT };
/* mov %ebx, %eax; out %eax, $0x80 */
static const u8 tell_ebx[] = { 0x89, 0xd8, 0xe7, PORT };
/* mov %rsp, %rax; shr $4, %rax; out %eax, $0x80: 64 bit only */
static const u8 tell_rsp[] = { 0x48, 0x89, 0xe0, 0x48, 0xc1, 0xe8, 0x04,
			       0xe7, PORT };
/* mov 0x210(%rsi), %al; movzbl %al, %eax; out: type_of_loader */
static const u8 tell_loader[] = { 0x8a, 0x86, 0x10, 0x02, 0x00, 0x00,
				  0x0f, 0xb6, 0xc0, 0xe7, PORT };

FIXTURE(entry) {
	struct vm *vm;
	struct error err;
	struct test_bzimage bz;
	struct test_elf elf;
};

FIXTURE_SETUP(entry)
{
	struct vm_config config = {
		.name = "test", .cpus = 1, .memory_bytes = 32 * MIB,
		.kvm_path = "/dev/kvm",
	};

	memset(self, 0, sizeof(*self));
	if (access("/dev/kvm", R_OK | W_OK))
		SKIP(return, "no access to /dev/kvm");
	test_bzimage_init(&self->bz);
	test_elf_init(&self->elf);
	ASSERT_EQ(0, vm_create(&config, &self->vm, &self->err))
		TH_LOG("%s", self->err.text);
	ASSERT_EQ(0, vm_start(self->vm, &self->err));
}

FIXTURE_TEARDOWN(entry)
{
	if (self->vm)
		vm_destroy(self->vm);
}

static int load(struct vm *vm, const void *bytes, size_t len,
		struct error *err)
{
	char path[64];
	int fd = test_file(bytes, len, path, sizeof(path));
	struct arch_boot boot = { .kernel = path, .cmdline = "a=b" };
	int ret = arch_boot_load(vm, &boot, err);

	close(fd);
	return ret;
}

/* Runs up to the write to the port; what was written. */
static int run(struct vm *vm, u32 *value, struct error *err)
{
	const struct kvm_run *r = vm->vcpus->run;
	int ret;

	ret = x86_ioctl(vm->vcpus->fd, KVM_RUN, NULL, "KVM_RUN", err);
	if (ret)
		return ret;
	if (r->exit_reason != KVM_EXIT_IO || r->io.port != PORT)
		return error_set(err, -EIO, "exit %u", r->exit_reason);
	*value = 0;
	memcpy(value, (const u8 *)r + r->io.data_offset, r->io.size);
	return 0;
}

static int run_bzimage(struct vm *vm, struct test_bzimage *bz,
		       const u8 *code, size_t len, u32 *value,
		       struct error *err)
{
	int ret;

	memcpy(bz->bytes + KERNEL_CODE_OFFSET + 0x200, code, len);
	ret = load(vm, bz->bytes, sizeof(bz->bytes), err);
	return ret ? ret : run(vm, value, err);
}

#define RUN_BZIMAGE(code)						\
	run_bzimage(self->vm, &self->bz, code, sizeof(code), &value,	\
		    &self->err)

TEST_F(entry, bzimage_finds_boot_params_in_rsi)
{
	u32 value;

	ASSERT_EQ(0, RUN_BZIMAGE(tell_esi)) TH_LOG("%s", self->err.text);
	EXPECT_EQ(X86_ZERO_PAGE_BASE, value);
}

TEST_F(entry, bzimage_reads_boot_params)
{
	u32 value;

	ASSERT_EQ(0, RUN_BZIMAGE(tell_loader)) TH_LOG("%s", self->err.text);
	EXPECT_EQ(0xff, value);
}

TEST_F(entry, bzimage_is_in_long_mode)
{
	u32 value;

	ASSERT_EQ(0, RUN_BZIMAGE(tell_rsp)) TH_LOG("%s", self->err.text);
	EXPECT_EQ(X86_BOOT_STACK / 16, value);
}

TEST_F(entry, pvh_finds_start_info_in_ebx)
{
	u32 value;

	test_elf_add_note(&self->elf, 4, 4);
	memcpy(self->elf.bytes + ELF_CODE_OFFSET + ELF_PVH_ENTRY - KERNEL_BASE,
	       tell_ebx, sizeof(tell_ebx));
	ASSERT_EQ(0, load(self->vm, self->elf.bytes, sizeof(self->elf.bytes),
			  &self->err)) TH_LOG("%s", self->err.text);
	ASSERT_EQ(0, run(self->vm, &value, &self->err))
		TH_LOG("%s", self->err.text);
	EXPECT_EQ(X86_PVH_BASE, value);
}

TEST_F(entry, kernel_starts_again_after_a_reset)
{
	u32 value;

	ASSERT_EQ(0, RUN_BZIMAGE(tell_esi));
	ASSERT_EQ(0, vm_reset(self->vm, &self->err))
		TH_LOG("%s", self->err.text);
	ASSERT_EQ(0, RUN_BZIMAGE(tell_rsp)) TH_LOG("%s", self->err.text);
	EXPECT_EQ(X86_BOOT_STACK / 16, value);
}

TEST_F(entry, real_mode_reset_vector_resets)
{
	struct vcpu *vcpu = self->vm->vcpus;
	struct kvm_regs regs = { .rip = 0xfff0, .rflags = 2 };
	struct kvm_sregs2 sregs;

	ASSERT_EQ(0, load(self->vm, self->bz.bytes, sizeof(self->bz.bytes),
			  &self->err));
	ASSERT_EQ(0, vm_reset(self->vm, &self->err));
	ASSERT_EQ(0, x86_ioctl(vcpu->fd, KVM_GET_SREGS2, &sregs, "", NULL));
	/* F000:FFF0, where the power-on vector is FFFFFFF0. */
	sregs.cs.base = 0xf0000;
	ASSERT_EQ(0, x86_ioctl(vcpu->fd, KVM_SET_SREGS2, &sregs, "", NULL));
	ASSERT_EQ(0, x86_ioctl(vcpu->fd, KVM_SET_REGS, &regs, "", NULL));
	ASSERT_EQ(0, x86_ioctl(vcpu->fd, KVM_RUN, NULL, "", NULL));
	ASSERT_EQ(KVM_EXIT_IO, vcpu->run->exit_reason);
	EXPECT_EQ(X86_ACPI_RESET, vcpu->run->io.port);
	EXPECT_EQ(1, vcpu->run->io.size);
	EXPECT_EQ(X86_ACPI_RESET_VALUE,
		  *((u8 *)vcpu->run + vcpu->run->io.data_offset));
}

TEST_HARNESS_MAIN
