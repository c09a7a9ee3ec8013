// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the state of real vCPUs: saved, loaded elsewhere, reset
 *
 * Needs /dev/kvm. A few instructions run on the vCPU, so that its registers
 * are not those of power-on; then the state must survive the way to another
 * machine and back, and a reset must undo all of it.
 */
#include "tests/lib/harness.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/procfs.h>
#include <sys/user.h>
#include <unistd.h>

#include "arch/x86/layout.h"
#include "arch/x86/state.h"
#include "arch/x86/x86_priv.h"
#include "migration/state_tree.h"
#include "vmm/arch.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"
#include "vmm/vmcoreinfo.h"

#define CPUS		2
#define CODE_BASE	0x8000
#define XMM3		(160 + 3 * 16)	/* in the XSAVE area */
#define XSTATE_BV	512
#define MSR_STAR	0xc0000081

/* mov $0x1234, %bx; mov %bx, %ds; out %al, $0xfe */
static const u8 code[] = { 0xbb, 0x34, 0x12, 0x8e, 0xdb, 0xe6, 0xfe };

FIXTURE(vcpu_state) {
	struct vm *vm;
	struct error err;
	struct x86_vcpu_state *a;
	struct x86_vcpu_state *b;
};

static struct vm *machine(struct error *err)
{
	struct vm_config config = {
		.name = "test", .cpus = CPUS, .memory_bytes = 2 * MIB,
		.kvm_path = "/dev/kvm",
	};
	struct vm *vm;

	if (vm_create(&config, &vm, err) || vm_start(vm, err))
		return NULL;
	return vm;
}

FIXTURE_SETUP(vcpu_state)
{
	memset(self, 0, sizeof(*self));
	if (access("/dev/kvm", R_OK | W_OK))
		SKIP(return, "no access to /dev/kvm");
	self->vm = machine(&self->err);
	self->a = calloc(1, sizeof(*self->a));
	self->b = calloc(1, sizeof(*self->b));
	ASSERT_NE(NULL, self->vm) TH_LOG("%s", self->err.text);
}

FIXTURE_TEARDOWN(vcpu_state)
{
	if (self->vm)
		vm_destroy(self->vm);
	free(self->a);
	free(self->b);
}

/*
 * XMM3, and that SSE state is not the initial one (SDM 1 13.4). Not every KVM
 * emulates vector instructions in real mode.
 */
static int set_vector_register(struct vcpu *vcpu, struct error *err)
{
	struct kvm_xsave xsave;
	u8 *bytes = (u8 *)xsave.region;
	int ret;

	ret = x86_ioctl(vcpu->fd, KVM_GET_XSAVE, &xsave, "xsave", err);
	bytes[XMM3 + 5] = 0x42;
	bytes[XSTATE_BV] |= 2;
	if (!ret)
		ret = x86_ioctl(vcpu->fd, KVM_SET_XSAVE, &xsave, "xsave", err);
	return ret;
}

/* Runs the code above on the boot CPU, up to its write to port 0xfe. */
static int run_code(struct vm *vm, struct error *err)
{
	struct vcpu *vcpu = vm->vcpus;
	struct kvm_regs regs = { .rip = CODE_BASE, .rflags = 2, .r9 = 99 };
	struct kvm_sregs2 sregs;
	struct guest_gate gate;
	int ret;

	guest_gate_init(&gate, &vm->memory);
	ret = guest_write(&gate, gpa(CODE_BASE), code, sizeof(code));
	if (!ret)
		ret = x86_ioctl(vcpu->fd, KVM_GET_SREGS2, &sregs, "sregs",
				err);
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	if (!ret)
		ret = x86_ioctl(vcpu->fd, KVM_SET_SREGS2, &sregs, "sregs",
				err);
	if (!ret)
		ret = x86_ioctl(vcpu->fd, KVM_SET_REGS, &regs, "regs", err);
	if (!ret)
		ret = msr_set(vcpu, MSR_STAR, 0x0023001000000000, err);
	if (!ret)
		ret = set_vector_register(vcpu, err);
	if (!ret)
		ret = x86_ioctl(vcpu->fd, KVM_RUN, NULL, "run", err);
	if (!ret && vcpu->run->exit_reason != KVM_EXIT_IO)
		ret = error_set(err, -EIO, "exit %u", vcpu->run->exit_reason);
	/* Atomic: a kick's handler writes it on the vCPU's own thread. */
	__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_RELAXED);
	ioctl(vcpu->fd, KVM_RUN, 0);
	__atomic_store_n(&vcpu->run->immediate_exit, 0, __ATOMIC_RELAXED);
	return ret;
}

static u64 *msr_in(struct x86_vcpu_state *s, u32 index)
{
	u32 i;

	for (i = 0; i < s->msrs_nr; i++)
		if (s->msrs[i].index == index)
			return &s->msrs[i].value;
	return NULL;
}

/*
 * Time goes on between saving and saving again; CPUID's XSAVE sizes and
 * OSXSAVE follow other registers and are compared with them.
 */
static void forget_time(struct x86_vcpu_state *s)
{
	u64 *tsc = msr_in(s, MSR_TSC);

	if (tsc)
		*tsc = 0;
}

TEST_F(vcpu_state, state_is_within_its_tables_ranges)
{
	ASSERT_EQ(0, run_code(self->vm, &self->err))
		TH_LOG("%s", self->err.text);
	ASSERT_EQ(0, arch_vcpu_save(self->vm->vcpus, self->a, &self->err))
		TH_LOG("%s", self->err.text);
	EXPECT_EQ(0, state_check(arch_vcpu_state(), self->a, "vcpu0",
				 &self->err)) TH_LOG("%s", self->err.text);
	memset(self->a, 0, sizeof(*self->a));
	ASSERT_EQ(0, arch_vcpu_save(self->vm->vcpus + 1, self->a, &self->err));
	EXPECT_EQ(0, state_check(arch_vcpu_state(), self->a, "vcpu1",
				 &self->err)) TH_LOG("%s", self->err.text);
}

TEST_F(vcpu_state, state_holds_what_the_code_has_done)
{
	ASSERT_EQ(0, run_code(self->vm, &self->err));
	ASSERT_EQ(0, arch_vcpu_save(self->vm->vcpus, self->a, &self->err));
	EXPECT_EQ(CODE_BASE + sizeof(code), self->a->regs.rip);
	EXPECT_EQ(99, self->a->regs.r9);
	EXPECT_EQ(0x1234, self->a->regs.rbx & 0xffff);
	EXPECT_EQ(0x1234, self->a->sregs.ds.selector);
	EXPECT_EQ(0x12340, self->a->sregs.ds.base);
	EXPECT_EQ(0x42, self->a->xsave[XMM3 + 5]);
	EXPECT_EQ(KVM_MP_STATE_RUNNABLE, self->a->mp_state);
	EXPECT_LT(0, self->a->tsc_khz);
	EXPECT_LT(10, self->a->cpuid_nr);
	ASSERT_NE(NULL, msr_in(self->a, MSR_STAR));
	EXPECT_EQ(0x0023001000000000, *msr_in(self->a, MSR_STAR));
}

TEST_F(vcpu_state, save_load_save_gives_the_same)
{
	struct vm *other;
	u32 i;

	ASSERT_EQ(0, run_code(self->vm, &self->err));
	other = machine(&self->err);
	ASSERT_NE(NULL, other);
	for (i = 0; i < CPUS; i++) {
		memset(self->a, 0, sizeof(*self->a));
		memset(self->b, 0, sizeof(*self->b));
		ASSERT_EQ(0, arch_vcpu_save(self->vm->vcpus + i, self->a,
					    &self->err));
		ASSERT_EQ(0, arch_vcpu_load(other->vcpus + i, self->a,
					    &self->err))
			TH_LOG("%s", self->err.text);
		ASSERT_EQ(0, arch_vcpu_save(other->vcpus + i, self->b,
					    &self->err));
		forget_time(self->a);
		forget_time(self->b);
		EXPECT_EQ(0, memcmp(&self->a->regs, &self->b->regs,
				    sizeof(self->a->regs)));
		EXPECT_EQ(0, memcmp(&self->a->sregs, &self->b->sregs,
				    sizeof(self->a->sregs)));
		EXPECT_EQ(0, memcmp(self->a->xsave, self->b->xsave,
				    sizeof(self->a->xsave)));
		EXPECT_EQ(0, memcmp(self->a->lapic, self->b->lapic,
				    sizeof(self->a->lapic)));
		EXPECT_EQ(0, memcmp(self->a->msrs, self->b->msrs,
				    sizeof(self->a->msrs)));
		EXPECT_EQ(0, memcmp(self->a, self->b, sizeof(*self->a)));
	}
	vm_destroy(other);
}

TEST_F(vcpu_state, reset_undoes_everything)
{
	u32 i;

	ASSERT_EQ(0, arch_vcpu_save(self->vm->vcpus, self->a, &self->err));
	ASSERT_EQ(0, run_code(self->vm, &self->err));
	ASSERT_EQ(0, vm_reset(self->vm, &self->err))
		TH_LOG("%s", self->err.text);
	ASSERT_EQ(0, arch_vcpu_save(self->vm->vcpus, self->b, &self->err));
	forget_time(self->a);
	forget_time(self->b);
	for (i = 0; i < self->a->msrs_nr; i++)
		EXPECT_EQ(self->a->msrs[i].value, self->b->msrs[i].value)
			TH_LOG("MSR 0x%llx", self->a->msrs[i].index);
	EXPECT_EQ(0, memcmp(self->a, self->b, sizeof(*self->a)));
}

TEST_F(vcpu_state, each_vcpu_keeps_its_apic_id_over_a_reset)
{
	ASSERT_EQ(0, vm_reset(self->vm, &self->err));
	ASSERT_EQ(0, arch_vcpu_save(self->vm->vcpus + 1, self->a, &self->err));
	EXPECT_EQ(1 << 24, lapic_read(self->a->lapic, 0x20));
	EXPECT_EQ(KVM_MP_STATE_UNINITIALIZED, self->a->mp_state);
}

TEST_F(vcpu_state, power_on_is_what_firmware_leaves)
{
	ASSERT_EQ(0, arch_vcpu_save(self->vm->vcpus, self->a, &self->err));
	EXPECT_EQ(0x700, lapic_read(self->a->lapic, 0x350));
	EXPECT_EQ(0x400, lapic_read(self->a->lapic, 0x360));
	ASSERT_NE(NULL, msr_in(self->a, MSR_MTRR_DEF_TYPE));
	EXPECT_EQ(0x806, *msr_in(self->a, MSR_MTRR_DEF_TYPE));
	EXPECT_EQ(1, *msr_in(self->a, MSR_MISC_ENABLE) & 1);
}

TEST_F(vcpu_state, fired_deadline_is_not_lost)
{
	const u32 deadline_unmasked = 2 << 17 | 0xec;
	u64 *value;

	ASSERT_EQ(0, arch_vcpu_save(self->vm->vcpus, self->a, &self->err));
	value = msr_in(self->a, MSR_TSC_DEADLINE);
	if (!value)
		SKIP(return, "KVM has no TSC deadline timer");
	EXPECT_EQ(0, *value);
	/* Software-enabled, in deadline mode, nothing armed. */
	lapic_write(self->a->lapic, 0xf0, 0x1ff);
	lapic_write(self->a->lapic, 0x320, deadline_unmasked);
	ASSERT_EQ(0, arch_vcpu_load(self->vm->vcpus, self->a, &self->err))
		TH_LOG("%s", self->err.text);
	ASSERT_EQ(0, arch_vcpu_save(self->vm->vcpus, self->b, &self->err));
	EXPECT_EQ(deadline_unmasked, lapic_read(self->b->lapic, 0x320));
	EXPECT_EQ(*msr_in(self->b, MSR_TSC),
		  *msr_in(self->b, MSR_TSC_DEADLINE));
}

TEST_F(vcpu_state, refused_msr_is_named)
{
	u64 *value;

	ASSERT_EQ(0, arch_vcpu_save(self->vm->vcpus, self->a, &self->err));
	value = msr_in(self->a, MSR_MTRR_DEF_TYPE);
	ASSERT_NE(NULL, value);
	*value = 0xdeadbeef00000002;
	EXPECT_NE(0, arch_vcpu_load(self->vm->vcpus, self->a, &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "MSR 0x2ff"))
		TH_LOG("%s", self->err.text);
}

TEST_F(vcpu_state, missing_cpu_feature_is_named)
{
	u32 i;

	ASSERT_EQ(0, arch_vcpu_save(self->vm->vcpus, self->a, &self->err));
	for (i = 0; i < self->a->cpuid_nr; i++)
		if (self->a->cpuid[i].function == 7)
			self->a->cpuid[i].edx = UINT32_MAX;
	EXPECT_EQ(-ENOTSUP, arch_vcpu_load(self->vm->vcpus, self->a,
					   &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "lacks features"))
		TH_LOG("%s", self->err.text);
	EXPECT_NE(NULL, strstr(self->err.text, "leaf 0x7/0 edx bit 0, "))
		TH_LOG("%s", self->err.text);
	EXPECT_NE(NULL, strstr(self->err.text, ", avx512_4vnniw, "))
		TH_LOG("%s", self->err.text);
}

/**
 * struct reasons - what was told
 * @text: the reasons, each behind a bar
 * @nr: how many
 */
struct reasons {
	char text[2048];
	u32 nr;
};

static void gather(void *arg, const struct error *why)
{
	struct reasons *r = arg;

	strcat(strcat(r->text, "|"), why->text);
	r->nr++;
}

TEST_F(vcpu_state, all_that_this_host_cannot_be_is_told)
{
	struct reasons r = { .nr = 0 };
	bool scales;
	u32 i;

	ASSERT_EQ(0, arch_vcpu_save(self->vm->vcpus, self->a, &self->err));
	arch_vcpu_check(self->vm->vcpus, self->a, gather, &r);
	EXPECT_EQ(0, r.nr) TH_LOG("%s", r.text);
	for (i = 0; i < self->a->cpuid_nr; i++)
		if (self->a->cpuid[i].function == 7)
			self->a->cpuid[i].edx = UINT32_MAX;
	/* Slower, since KVM helps a CPU that is too slow by other means. */
	self->a->tsc_khz = self->a->tsc_khz / 4 * 3;
	scales = ioctl(self->vm->kvm_fd, KVM_CHECK_EXTENSION,
		       KVM_CAP_TSC_CONTROL) > 0;
	arch_vcpu_check(self->vm->vcpus, self->a, gather, &r);
	EXPECT_NE(NULL, strstr(r.text, "avx512_4vnniw")) TH_LOG("%s", r.text);
	EXPECT_EQ(!scales, !!strstr(r.text, "cannot scale it"))
		TH_LOG("%s", r.text);
	EXPECT_EQ(scales ? 1 : 2, r.nr);
}

TEST_F(vcpu_state, vm_state_survives)
{
	struct x86_vm_state *a = calloc(1, sizeof(*a));
	struct x86_vm_state *b = calloc(1, sizeof(*b));
	struct vm *other = machine(&self->err);

	ASSERT_NE(NULL, other);
	ASSERT_EQ(0, arch_vm_save(self->vm, a, &self->err));
	EXPECT_EQ(0, state_check(arch_vm_state(), a, "machine", &self->err))
		TH_LOG("%s", self->err.text);
	a->ioapic.redirtbl[5] = 0x10031;
	a->pic_master.imr = 0xfb;
	a->clock_ns = 3600000000000;
	ASSERT_EQ(0, arch_vm_load(other, a, &self->err))
		TH_LOG("%s", self->err.text);
	ASSERT_EQ(0, arch_vm_save(other, b, &self->err));
	EXPECT_LE(a->clock_ns, b->clock_ns);
	EXPECT_LT(b->clock_ns - a->clock_ns, 60000000000);
	b->clock_ns = a->clock_ns;
	b->clock_realtime_ns = a->clock_realtime_ns;
	EXPECT_EQ(0, memcmp(a, b, sizeof(*a)));
	/* A reset undoes that. */
	ASSERT_EQ(0, vm_reset(other, &self->err));
	memset(b, 0, sizeof(*b));
	ASSERT_EQ(0, arch_vm_save(other, b, &self->err));
	EXPECT_NE(0x10031, b->ioapic.redirtbl[5]);
	EXPECT_EQ(0, b->pic_master.imr);
	free(a);
	free(b);
	vm_destroy(other);
}

TEST_F(vcpu_state, dump_shows_registers_code_and_stack)
{
	char text[8192], small[40];

	ASSERT_EQ(0, run_code(self->vm, &self->err));
	ASSERT_EQ(0, arch_vcpu_dump(self->vm->vcpus, text, sizeof(text),
				    &self->err));
	EXPECT_NE(NULL, strstr(text, "vCPU 0\n"));
	EXPECT_NE(NULL, strstr(text, "rip 0000000000008007"));
	EXPECT_NE(NULL, strstr(text, "r9  0000000000000063"));
	EXPECT_NE(NULL, strstr(text, "ds  1234  base 0000000000012340"));
	EXPECT_NE(NULL, strstr(text, " bb 34 12 8e db e6 fe <00>"))
		TH_LOG("%s", text);
	ASSERT_EQ(0, arch_vcpu_dump(self->vm->vcpus, small, sizeof(small),
				    &self->err));
	EXPECT_EQ(sizeof(small) - 1, strlen(small));
}

/* The C library's idea of the layout against ours. */
TEST_F(vcpu_state, registers_for_a_core_file)
{
	u8 note[ARCH_PRSTATUS_MAX];
	struct elf_prstatus status;
	struct user_regs_struct regs;
	u32 len;

	ASSERT_EQ(0, run_code(self->vm, &self->err));
	ASSERT_EQ(0, arch_vcpu_prstatus(self->vm->vcpus, note, &len,
					&self->err));
	ASSERT_EQ(sizeof(status), len);
	memcpy(&status, note, len);
	EXPECT_EQ(1, status.pr_pid);
	EXPECT_EQ(0, status.pr_fpvalid);
	memcpy(&regs, status.pr_reg, sizeof(regs));
	EXPECT_EQ(CODE_BASE + sizeof(code), regs.rip);
	EXPECT_EQ(0x1234, regs.rbx);
	EXPECT_EQ(0x63, regs.r9);
	EXPECT_EQ(0x1234, regs.ds);
	EXPECT_EQ(2, regs.eflags & 2);
	ASSERT_EQ(0, arch_vcpu_prstatus(self->vm->vcpus + 1, note, &len,
					&self->err));
	memcpy(&status, note, len);
	EXPECT_EQ(2, status.pr_pid);
}

#define TABLES		0x10000ULL	/* a page for each level */
#define KERNEL_TEXT	0xffffffff9e400000ULL
#define KERNEL_AT	0x1600000ULL
#define KERNEL_ENTRY(n)	(((KERNEL_TEXT >> 21 & 511) + (n)) * 8)

static void put_entry(struct vm *vm, u64 at, u64 entry)
{
	struct guest_gate gate;

	guest_gate_init(&gate, &vm->memory);
	assert(!guest_write(&gate, gpa(at), &entry, sizeof(entry)));
}

/* Long mode with the kernel's text mapped by a large page. */
static int map_kernel(struct vm *vm, struct error *err)
{
	struct kvm_sregs2 s;
	u64 table = TABLES;
	u32 shift;
	int ret;

	for (shift = 39; shift > 21; shift -= 9, table += 4096)
		put_entry(vm, table + (KERNEL_TEXT >> shift & 511) * 8,
			  (table + 4096) | 3);
	put_entry(vm, table + (KERNEL_TEXT >> 21 & 511) * 8, KERNEL_AT | 0x83);
	ret = x86_ioctl(vm->vcpus->fd, KVM_GET_SREGS2, &s, "get", err);
	s.cr3 = TABLES;
	s.cr4 |= 1 << 5;	/* PAE */
	s.cr0 |= 0x80000001;
	s.efer |= 0x500;
	s.cs.l = 1;
	s.cs.db = 0;
	if (!ret)
		ret = x86_ioctl(vm->vcpus->fd, KVM_SET_SREGS2, &s, "set", err);
	return ret;
}

static bool runs(struct vm *vm, u64 stext, u64 phys_base,
		 struct arch_kernel *kernel)
{
	struct vmcoreinfo info;

	info.len = (u32)snprintf(info.text, sizeof(info.text),
				 "OSRELEASE=x\nSYMBOL(_stext)=%llx\n"
				 "NUMBER(phys_base)=%lld\n",
				 stext, (s64)phys_base);
	return arch_vcpu_runs_kernel(vm->vcpus, &info, kernel);
}

TEST_F(vcpu_state, the_kernel_that_runs_is_known_by_its_page_tables)
{
	const u64 base = KERNEL_AT - (KERNEL_TEXT - 0xffffffff80000000ULL);
	struct vmcoreinfo info = { .text = "OSRELEASE=x\n" };
	struct arch_kernel kernel;
	struct kvm_sregs2 s;

	/* Not in long mode yet. */
	EXPECT_FALSE(runs(self->vm, KERNEL_TEXT, base, &kernel));
	ASSERT_EQ(0, map_kernel(self->vm, &self->err))
		TH_LOG("%s", self->err.text);
	EXPECT_TRUE(runs(self->vm, KERNEL_TEXT, base, &kernel));
	EXPECT_EQ(KERNEL_TEXT, kernel.linear);
	EXPECT_EQ(KERNEL_AT, kernel.physical);
	EXPECT_EQ(2 * MIB, kernel.size);
	/* More of it behind a gap, and something else behind that. */
	put_entry(self->vm, TABLES + 0x2000 + KERNEL_ENTRY(3),
		  (KERNEL_AT + 6 * MIB) | 0x83);
	put_entry(self->vm, TABLES + 0x2000 + KERNEL_ENTRY(4), 0x400083);
	EXPECT_TRUE(runs(self->vm, KERNEL_TEXT + 4096, base, &kernel));
	EXPECT_EQ(KERNEL_TEXT, kernel.linear);
	EXPECT_EQ(8 * MIB, kernel.size);
	/* Another physical or virtual place: a kernel from before. */
	EXPECT_FALSE(runs(self->vm, KERNEL_TEXT, base + 2 * MIB, &kernel));
	EXPECT_FALSE(runs(self->vm, KERNEL_TEXT + 2 * MIB, base - 2 * MIB, &kernel));
	EXPECT_FALSE(runs(self->vm, 0x1000, base, &kernel));
	EXPECT_FALSE(arch_vcpu_runs_kernel(self->vm->vcpus, &info, &kernel));
	/* A process of its own table: the other one is the page before. */
	ASSERT_EQ(0, x86_ioctl(self->vm->vcpus->fd, KVM_GET_SREGS2, &s, "get",
			       &self->err));
	s.cr3 = TABLES | 0x1000;
	put_entry(self->vm, s.cr3 + (KERNEL_TEXT >> 39 & 511) * 8, 0);
	put_entry(self->vm, TABLES + (KERNEL_TEXT >> 39 & 511) * 8,
		  (TABLES + 0x5000) | 3);
	put_entry(self->vm, TABLES + 0x5000 + (KERNEL_TEXT >> 30 & 511) * 8,
		  (TABLES + 0x2000) | 3);
	ASSERT_EQ(0, x86_ioctl(self->vm->vcpus->fd, KVM_SET_SREGS2, &s, "set",
			       &self->err));
	EXPECT_TRUE(runs(self->vm, KERNEL_TEXT, base, &kernel));
	/* A table outside memory. */
	put_entry(self->vm, TABLES + 0x5000 + (KERNEL_TEXT >> 30 & 511) * 8,
		  BIT_ULL(50) | 3);
	EXPECT_FALSE(runs(self->vm, KERNEL_TEXT, base, &kernel));
}

TEST_F(vcpu_state, nmi_reaches_a_vcpu)
{
	ASSERT_EQ(0, arch_vcpu_nmi(self->vm->vcpus, &self->err))
		TH_LOG("%s", self->err.text);
	ASSERT_EQ(0, arch_vcpu_save(self->vm->vcpus, self->a, &self->err));
	EXPECT_EQ(1, self->a->events.nmi_pending);
}

TEST_HARNESS_MAIN
