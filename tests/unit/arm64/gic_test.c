// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: arch/arm64: which interrupt controller, its frame, a GICv2's registers;
 * what a host has no room for
 *
 * Without KVM: ioctl() below is a KVM that offers what a test wants it to, and
 * that has a GICv2's registers. Where one register sets bits and another clears
 * them it does as hardware does; the others keep what was written.
 */
#include "tests/lib/harness.h"

#include <linux/kvm.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arch/arm64/arm64_priv.h"
#include "arch/arm64/gic_regs.h"
#include "arch/arm64/options.h"
#include "tests/lib/random.h"
#include "vmm/arch.h"
#include "vmm/base/math.h"
#include "vmm/option.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

#define KVM_FD		1000000	/* nobody has that many */
#define REGS		0x1000
#define CPUS		ARM64_GICV2_CPUS
#define OFFERS(_type)	BIT(KVM_DEV_TYPE_ARM_VGIC_##_type)

/*
 * What KVM is, and what it was told:
 * @offers: kinds of devices, a bit for each
 * @made: the last one
 * @dist: the distributor as each CPU sees it, shared words with the first
 * @interface: each CPU's
 * @first_write: offset of the first register that was written
 * @writes: how many were
 * @fail_at: the write that fails, counted from 1; 0 for none
 * @ipa_bits: KVM_CAP_ARM_VM_IPA_SIZE
 * @vcpus_max: KVM_CAP_MAX_VCPUS
 * @lines: how often KVM_IRQ_LINE was called
 * @line: the last one
 */
static struct {
	u32 offers;
	u32 made;
	u32 dist[CPUS][REGS / 4];
	u32 interface[CPUS][64];
	u32 first_write;
	u32 writes;
	u32 fail_at;
	u32 ipa_bits;
	u32 vcpus_max;
	u32 lines;
	struct kvm_irq_level line;
} kvm;

static int fail(int code)
{
	errno = code;
	return -1;
}

static int create_device(struct kvm_create_device *device)
{
	if (!(kvm.offers & BIT(device->type)))
		return fail(ENODEV);
	if (device->flags & KVM_CREATE_DEVICE_TEST)
		return 0;
	kvm.made |= BIT(device->type);
	device->fd = KVM_FD;
	return 0;
}

/* The row of registers that @offset clears, 0 for none; @mirror sets. */
static u32 cleared_by(u32 offset)
{
	static const u32 pairs[][3] = {
		{ GICD_ICENABLER, GICD_ISENABLER, 0x80 },
		{ GICD_ICPENDR, GICD_ISPENDR, 0x80 },
		{ GICD_ICACTIVER, GICD_ISACTIVER, 0x80 },
		{ GICD_CPENDSGIR, GICD_SPENDSGIR, 0x10 },
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(pairs); i++)
		if (offset >= pairs[i][0] && offset < pairs[i][0] + pairs[i][2])
			return offset - pairs[i][0] + pairs[i][1];
	return 0;
}

static bool sets(u32 offset)
{
	return (offset >= GICD_ISENABLER && offset < GICD_ICENABLER) ||
	       (offset >= GICD_ISPENDR && offset < GICD_ICPENDR) ||
	       (offset >= GICD_ISACTIVER && offset < GICD_ICACTIVER) ||
	       offset >= GICD_SPENDSGIR;
}

static bool is_private(u32 offset)
{
	return offset >= GICD_CPENDSGIR || !(offset % 0x80) ||
	       (offset >= GICD_IPRIORITYR && offset < GICD_IPRIORITYR + 32) ||
	       (offset >= GICD_ICFGR && offset < GICD_ICFGR + 8);
}

static u32 *dist_reg(u32 cpu, u32 offset)
{
	return &kvm.dist[is_private(offset) ? cpu : 0][offset / 4];
}

static int write_reg(u32 group, u32 cpu, u32 offset, u32 value)
{
	u32 *reg;

	if (++kvm.writes == kvm.fail_at)
		return fail(EINVAL);
	if (kvm.writes == 1)
		kvm.first_write = offset;
	if (group == KVM_DEV_ARM_VGIC_GRP_CPU_REGS) {
		kvm.interface[cpu][offset / 4] = value;
		return 0;
	}
	if (cleared_by(offset)) {
		*dist_reg(cpu, cleared_by(offset)) &= ~value;
		return 0;
	}
	reg = dist_reg(cpu, offset);
	*reg = sets(offset) ? *reg | value : value;
	return 0;
}

static int device_attr(const struct kvm_device_attr *attr, bool set)
{
	u32 cpu = attr->attr >> KVM_DEV_ARM_VGIC_CPUID_SHIFT & 0xff;
	u32 offset = (u32)attr->attr, *value = (u32 *)(uintptr_t)attr->addr;

	if (attr->group != KVM_DEV_ARM_VGIC_GRP_DIST_REGS &&
	    attr->group != KVM_DEV_ARM_VGIC_GRP_CPU_REGS)
		return 0;
	if (cpu >= CPUS || offset >= REGS || offset % 4)
		return fail(ENXIO);
	if (set)
		return write_reg(attr->group, cpu, offset, *value);
	*value = attr->group == KVM_DEV_ARM_VGIC_GRP_CPU_REGS ?
		kvm.interface[cpu][offset / 4] : *dist_reg(cpu, offset);
	return 0;
}

static int check_extension(unsigned long cap)
{
	switch (cap) {
	case KVM_CAP_ARM_VM_IPA_SIZE:
		return (int)kvm.ipa_bits;
	case KVM_CAP_MAX_VCPUS:
		return (int)kvm.vcpus_max;
	default:
		return 0;
	}
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (fd != KVM_FD)
		return (int)syscall(SYS_ioctl, fd, request, arg);
	switch (request) {
	case KVM_CHECK_EXTENSION:
		return check_extension((uintptr_t)arg);
	case KVM_CREATE_DEVICE:
		return create_device(arg);
	case KVM_SET_DEVICE_ATTR:
		return device_attr(arg, true);
	case KVM_GET_DEVICE_ATTR:
		return device_attr(arg, false);
	case KVM_IRQ_LINE:
		kvm.lines++;
		kvm.line = *(struct kvm_irq_level *)arg;
		return 0;
	default:
		return fail(ENOTTY);
	}
}

/* ---- a machine ---------------------------------------------------------- */

FIXTURE(gic) {
	struct vm vm;
	struct arch_vm arch;
	struct vcpu vcpus[CPUS + 1];
	struct arch_vcpu arch_vcpus[CPUS + 1];
	struct error err;
};

static void machine(FIXTURE_DATA(gic) *self, u32 cpus)
{
	struct vm *vm = &self->vm;
	u32 i;

	vm->vm_fd = KVM_FD;
	vm->config.cpus = cpus;
	vm->cpus_nr = cpus;
	vm->vcpus = self->vcpus;
	for (i = 0; i < cpus; i++) {
		self->vcpus[i].arch = &self->arch_vcpus[i];
		self->arch_vcpus[i].mpidr = i;
	}
}

FIXTURE_SETUP(gic)
{
	memset(self, 0, sizeof(*self));
	memset(&kvm, 0, sizeof(kvm));
	bus_init(&self->vm.mmio, "mmio", -1, false);
	ASSERT_EQ(0, irq_chip_init(&self->vm.irq, KVM_FD, ARM64_LINES,
				   &self->err));
	self->vm.arch = &self->arch;
	self->arch.gic_fd = -1;
	self->arch.its_fd = -1;
	machine(self, 1);
}

FIXTURE_TEARDOWN(gic)
{
	v2m_destroy(&self->arch.v2m);
	irq_chip_destroy(&self->vm.irq);
	bus_destroy(&self->vm.mmio);
}

static int make(FIXTURE_DATA(gic) *self, enum gic_kind kind)
{
	v2m_destroy(&self->arch.v2m);
	memset(&self->vm.irq.frame, 0, sizeof(self->vm.irq.frame));
	self->err = (struct error)ERROR_INIT;
	kvm.made = 0;
	return gic_create(&self->vm, kind, &self->err);
}

/* ---- which -------------------------------------------------------------- */

TEST_F(gic, auto_is_the_best_that_the_host_has)
{
	static const struct {
		u32 offers;
		enum gic_kind kind;
		u32 made;
	} hosts[] = {
		{ OFFERS(V3) | OFFERS(ITS) | OFFERS(V2), GIC_V3_ITS,
		  OFFERS(V3) | OFFERS(ITS) },
		{ OFFERS(V3) | OFFERS(ITS), GIC_V3_ITS,
		  OFFERS(V3) | OFFERS(ITS) },
		{ OFFERS(V3) | OFFERS(V2), GIC_V3, OFFERS(V3) },
		{ OFFERS(V3), GIC_V3, OFFERS(V3) },
		{ OFFERS(V2), GIC_V2M, OFFERS(V2) },
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(hosts); i++) {
		kvm.offers = hosts[i].offers;
		ASSERT_EQ(0, make(self, GIC_AUTO));
		EXPECT_EQ(hosts[i].kind, self->arch.gic);
		EXPECT_EQ(hosts[i].made, kvm.made);
	}
	kvm.offers = 0;
	EXPECT_EQ(-ENOTSUP, make(self, GIC_AUTO));
	EXPECT_NE(NULL, strstr(self->err.text, "neither GICv3 nor GICv2"));
}

TEST_F(gic, what_is_asked_for_is_made_or_refused_by_name)
{
	static const struct {
		enum gic_kind kind;
		u32 needs;
		const char *lacks;
	} kinds[] = {
		{ GIC_V2, OFFERS(V2), "GICv2 for guests" },
		{ GIC_V2M, OFFERS(V2), "GICv2 for guests" },
		{ GIC_V3, OFFERS(V3), "GICv3 for guests" },
		{ GIC_V3_ITS, OFFERS(V3) | OFFERS(ITS), "GICv3 for guests" },
	};
	u32 all = OFFERS(V2) | OFFERS(V3) | OFFERS(ITS), i;
	char word[32];

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		kvm.offers = all;
		ASSERT_EQ(0, make(self, kinds[i].kind));
		EXPECT_EQ(kinds[i].kind, self->arch.gic);
		EXPECT_EQ(kinds[i].needs, kvm.made);
		EXPECT_EQ(gic_has_frame(kinds[i].kind),
			  !!self->vm.irq.frame.addr);
		kvm.offers = all & ~kinds[i].needs;
		EXPECT_EQ(-ENOTSUP, make(self, kinds[i].kind));
		EXPECT_EQ(0, kvm.made);
		EXPECT_NE(NULL, strstr(self->err.text, kinds[i].lacks));
		snprintf(word, sizeof(word), " %s:",
			 gic_words[kinds[i].kind]);
		EXPECT_NE(NULL, strstr(self->err.text, word));
		EXPECT_EQ(NULL, strchr(self->err.text, '\n'));
	}
	kvm.offers = OFFERS(V3);
	EXPECT_EQ(-ENOTSUP, make(self, GIC_V3_ITS));
	EXPECT_NE(NULL, strstr(self->err.text,
			       "no Interrupt Translation Service"));
}

TEST_F(gic, a_gicv2_has_room_for_eight_vcpus)
{
	kvm.offers = OFFERS(V2);
	machine(self, CPUS);
	EXPECT_EQ(0, make(self, GIC_V2M));
	machine(self, CPUS + 1);
	EXPECT_EQ(-EINVAL, make(self, GIC_V2M));
	EXPECT_EQ(0, kvm.made);
	EXPECT_STREQ("9 vCPUs: the interrupt controller gicv2m has room for 8",
		     self->err.text);
	EXPECT_EQ(-EINVAL, make(self, GIC_V2));
	EXPECT_EQ(-EINVAL, make(self, GIC_AUTO));
	kvm.offers |= OFFERS(V3);
	EXPECT_EQ(0, make(self, GIC_AUTO));
}

TEST_F(gic, the_option_has_these_words_only)
{
	struct arm64_options *o = option_config_new(&arch_options);
	u32 kind;

	ASSERT_NE(NULL, o);
	EXPECT_EQ(GIC_AUTO, o->irqchip);
	for (kind = 0; kind < GIC_KINDS; kind++) {
		EXPECT_EQ(0, option_set(&arch_options, o, "irqchip",
					gic_words[kind], &self->err));
		EXPECT_EQ(kind, o->irqchip);
	}
	EXPECT_EQ(-EINVAL, option_set(&arch_options, o, "irqchip", "gicv4",
				      &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "gicv4"));
	EXPECT_NE(NULL, strstr(self->err.text, "gicv3-its"));
	EXPECT_EQ(GIC_KINDS - 1, o->irqchip);
	option_config_free(&arch_options, o);
}

TEST_F(gic, memory_beyond_the_guest_addresses)
{
	unsigned long type = 0;
	u64 most;

	/* A host that has no choice has 40 bits; RAM begins at 1 GiB. */
	most = BIT_ULL(40) - GIB;
	EXPECT_EQ(0, arch_vm_type(KVM_FD, most, &type, &self->err));
	EXPECT_EQ(0, type);
	EXPECT_EQ(-EINVAL, arch_vm_type(KVM_FD, most + MIB, &type,
					&self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "1047553 MiB of memory"));
	EXPECT_NE(NULL, strstr(self->err.text, "40 bits"));
	EXPECT_NE(NULL, strstr(self->err.text, "1047552 MiB at most"));
	kvm.ipa_bits = 36;
	EXPECT_EQ(0, arch_vm_type(KVM_FD, 63 * GIB, &type, &self->err));
	EXPECT_EQ(36, type);
	EXPECT_EQ(-EINVAL, arch_vm_type(KVM_FD, 64 * GIB, &type, &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "36 bits"));
	/* With the window for BARs behind it. */
	kvm.ipa_bits = 48;
	EXPECT_EQ(0, arch_vm_type(KVM_FD, most, &type, &self->err));
	EXPECT_EQ(41, type);
	EXPECT_EQ(0, arch_vm_type(KVM_FD, 2 * GIB, &type, &self->err));
	EXPECT_EQ(40, type);
}

TEST_F(gic, vcpus_beyond_what_the_host_has)
{
	kvm.vcpus_max = 8;
	EXPECT_EQ(8, arch_cpus_max(KVM_FD));
	kvm.vcpus_max = 512;
	EXPECT_EQ(VM_CPUS_MAX, arch_cpus_max(KVM_FD));
	kvm.vcpus_max = 0;
	EXPECT_EQ(1, arch_cpus_max(KVM_FD));
}

/* ---- the frame ---------------------------------------------------------- */

TEST_F(gic, registers_of_the_frame)
{
	u32 value = 0, typer;
	u16 part = 0;

	kvm.offers = OFFERS(V2);
	ASSERT_EQ(0, make(self, GIC_V2M));
	ASSERT_TRUE(bus_read(&self->vm.mmio, ARM64_V2M_BASE + 0x008, &typer,
			     4));
	EXPECT_EQ(ARM64_V2M_SPI_FIRST, typer >> 16);
	EXPECT_EQ(ARM64_V2M_SPIS, typer & 0x3ff);
	ASSERT_TRUE(bus_read(&self->vm.mmio, ARM64_V2M_BASE + 0xfcc, &value,
			     4));
	/* Those that have errata of theirs. */
	EXPECT_NE(0x06000170, value);
	EXPECT_NE(0x0000013f, value);
	ASSERT_TRUE(bus_read(&self->vm.mmio, ARM64_V2M_BASE + 0x008, &part, 2));
	EXPECT_EQ(0, part);
	value = 0;
	bus_write(&self->vm.mmio, ARM64_V2M_BASE + 0x008, &value, 4);
	ASSERT_TRUE(bus_read(&self->vm.mmio, ARM64_V2M_BASE + 0x008, &value,
			     4));
	EXPECT_EQ(typer, value);
}

static void message(struct vm *vm, u64 offset, u32 data, u32 len)
{
	__le32 raw = cpu_to_le32(data);

	bus_write(&vm->mmio, ARM64_V2M_BASE + offset, &raw, len);
}

TEST_F(gic, a_cpu_sends_a_message_to_the_frame)
{
	kvm.offers = OFFERS(V3);
	ASSERT_EQ(0, make(self, GIC_V3));
	message(&self->vm, 0x40, ARM64_V2M_SPI_FIRST + 3, 4);
	EXPECT_EQ(2, kvm.lines);
	EXPECT_EQ(arch_irq_line(ARM64_LINES + 3), kvm.line.irq);
	EXPECT_EQ(0, kvm.line.level);
	message(&self->vm, 0x40, ARM64_V2M_SPI_FIRST + ARM64_V2M_SPIS - 1, 4);
	EXPECT_EQ(4, kvm.lines);
	/* Lines of devices, private interrupts, what there is not; parts. */
	message(&self->vm, 0x40, ARM64_V2M_SPI_FIRST - 1, 4);
	message(&self->vm, 0x40, 0, 4);
	message(&self->vm, 0x40, ARM64_GIC_IRQS, 4);
	message(&self->vm, 0x40, UINT32_MAX, 4);
	message(&self->vm, 0x40, ARM64_V2M_SPI_FIRST, 2);
	message(&self->vm, 0x44, ARM64_V2M_SPI_FIRST, 4);
	EXPECT_EQ(4, kvm.lines);
}

/* ---- a GICv2's state ---------------------------------------------------- */

/* All registers hold something else. */
static void shuffle(struct test_random *r)
{
	u32 cpu, i;

	for (cpu = 0; cpu < CPUS; cpu++) {
		for (i = 0; i < REGS / 4; i++)
			kvm.dist[cpu][i] = (u32)test_random_u64(r);
		for (i = 0; i < ARRAY_SIZE(kvm.interface[cpu]); i++)
			kvm.interface[cpu][i] = (u32)test_random_u64(r);
	}
	kvm.writes = 0;
}

TEST_F(gic, gicv2_registers_survive)
{
	struct arm64_vm_state *s = calloc(1, sizeof(*s));
	struct arm64_vm_state *again = calloc(1, sizeof(*again));
	struct test_random r;
	u32 i;

	test_random_init(&r);
	kvm.offers = OFFERS(V2);
	machine(self, CPUS);
	ASSERT_EQ(0, make(self, GIC_V2M));
	shuffle(&r);
	ASSERT_EQ(0, gic_save(&self->vm, s, &self->err));
	EXPECT_EQ(0, kvm.writes);
	EXPECT_EQ(CPUS, s->cpus_v2_nr);
	EXPECT_EQ(0, s->cpus_nr);
	EXPECT_EQ(kvm.dist[0][GICD_ITARGETSR / 4 + 8], s->gicd.itargetsr[0]);
	EXPECT_EQ(kvm.dist[0][GICD_ICFGR / 4 + 2], s->gicd.icfgr[0]);
	EXPECT_EQ(kvm.dist[0][GICD_ISPENDR / 4 + 6],
		  s->gicd.ispendr[ARM64_SPI_WORDS - 1]);
	EXPECT_EQ(kvm.dist[7][GICD_ISENABLER / 4], s->cpus_v2[7].isenabler);
	EXPECT_EQ(kvm.dist[3][GICD_SPENDSGIR / 4 + 3],
		  s->cpus_v2[3].spendsgir[3]);
	EXPECT_EQ(kvm.interface[5][0xd0 / 4 + 3], s->cpus_v2[5].gicc_apr[3]);
	for (i = 0; i < CPUS; i++)
		EXPECT_EQ(0, s->cpus_v2[i].ispendr & 0xffff);
	shuffle(&r);
	ASSERT_EQ(0, gic_load(&self->vm, s, &self->err));
	EXPECT_EQ(GICD_IIDR, kvm.first_write);
	ASSERT_EQ(0, gic_save(&self->vm, again, &self->err));
	EXPECT_EQ(0, memcmp(s, again, sizeof(*s)));
	/* By GICD_ISPENDR they would come from the one that gets them. */
	for (i = 0; i < CPUS; i++)
		EXPECT_EQ(0, kvm.dist[i][GICD_ISPENDR / 4] & 0xffff);
	free(s);
	free(again);
}

TEST_F(gic, a_register_that_kvm_refuses_is_named)
{
	struct arm64_vm_state *s = calloc(1, sizeof(*s));
	u32 writes;

	kvm.offers = OFFERS(V2);
	ASSERT_EQ(0, make(self, GIC_V2));
	ASSERT_EQ(0, gic_save(&self->vm, s, &self->err));
	ASSERT_EQ(0, gic_load(&self->vm, s, &self->err));
	writes = kvm.writes;
	for (kvm.fail_at = 1; kvm.fail_at <= writes; kvm.fail_at++) {
		kvm.writes = 0;
		self->err = (struct error)ERROR_INIT;
		EXPECT_EQ(-EINVAL, gic_load(&self->vm, s, &self->err));
		EXPECT_EQ(kvm.fail_at, kvm.writes);
		EXPECT_NE(NULL, strstr(self->err.text, "GICv2 register 0x"));
	}
	free(s);
}

TEST_F(gic, state_of_another_controller_is_refused)
{
	struct arm64_vm_state *s = calloc(1, sizeof(*s));

	kvm.offers = OFFERS(V2);
	machine(self, 2);
	ASSERT_EQ(0, make(self, GIC_V2));
	ASSERT_EQ(0, gic_save(&self->vm, s, &self->err));
	s->its.present = 1;
	EXPECT_EQ(-ENOTSUP, gic_load(&self->vm, s, &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "gicv2"));
	s->its.present = 0;
	s->cpus_v2_nr = 1;
	kvm.writes = 0;
	EXPECT_EQ(-EINVAL, gic_load(&self->vm, s, &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "gic-cpu-v2"));
	s->cpus_v2_nr = 0;
	s->cpus_nr = 2;
	EXPECT_EQ(-EINVAL, gic_load(&self->vm, s, &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "gic-cpu"));
	EXPECT_EQ(0, kvm.writes);
	kvm.offers = OFFERS(V3);
	ASSERT_EQ(0, make(self, GIC_V3));
	s->cpus_v2_nr = 2;
	EXPECT_EQ(-EINVAL, gic_load(&self->vm, s, &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "gic-cpu-v2"));
	free(s);
}

TEST_HARNESS_MAIN
