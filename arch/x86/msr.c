// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: model-specific registers
 *
 * The list of registers that make up a vCPU is what KVM says
 * (KVM_GET_MSR_INDEX_LIST), and the memory type ranges and machine check
 * banks, which it does not list everywhere. It is in rising order, which is
 * also the order in which the registers have to be written: the TSC (0x10)
 * before its deadline (0x6e0) and before kvmclock (0x4b564d00 and up).
 *
 * KVM takes and gives registers until the first that it refuses and says how
 * many went through (KVM-API 4.18, 4.19); a refused one is an error that names
 * it, except while the list is being probed.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "arch/x86/state.h"
#include "arch/x86/x86_priv.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

/**
 * struct msr_range - registers with consecutive numbers
 * @first: the first
 * @nr: how many
 */
struct msr_range {
	u32 first;
	u32 nr;
};

/* State that KVM does not list on every version of Linux. */
static const struct msr_range more_msrs[] = {
	{ MSR_MTRR_PHYS_BASE, 16 },
	{ MSR_MTRR_FIX_64K, 1 },
	{ MSR_MTRR_FIX_16K, 2 },
	{ MSR_MTRR_FIX_4K, 8 },
	{ MSR_MTRR_DEF_TYPE, 1 },
	{ MSR_MC0_CTL, 4 * X86_MCE_BANKS },
};

/**
 * struct msr_buffer - what KVM_GET_MSRS and KVM_SET_MSRS take: struct kvm_msrs
 * @nmsrs: how many
 * @pad: 0
 * @entries: the registers
 */
struct msr_buffer {
	u32 nmsrs;
	u32 pad;
	struct kvm_msr_entry entries[X86_MSRS_MAX];
};

/* The same for one register. */
struct msr_one {
	u32 nmsrs;
	u32 pad;
	struct kvm_msr_entry entry;
};

static_assert(offsetof(struct msr_buffer, entries) ==
	      offsetof(struct kvm_msrs, entries), "struct kvm_msrs");
static_assert(offsetof(struct msr_one, entry) ==
	      offsetof(struct kvm_msrs, entries), "struct kvm_msrs");

static int compare_u32(const void *a, const void *b)
{
	u32 x = *(const u32 *)a, y = *(const u32 *)b;

	return x < y ? -1 : x > y;
}

static struct kvm_msr_list *read_index_list(int kvm_fd)
{
	struct kvm_msr_list *list;
	u32 nr = 0;

	/* The first call says how many there are, by failing with E2BIG. */
	for (;;) {
		list = calloc(1, sizeof(*list) + nr * sizeof(list->indices[0]));
		if (!list)
			return NULL;
		list->nmsrs = nr;
		if (!ioctl(kvm_fd, KVM_GET_MSR_INDEX_LIST, list))
			return list;
		if (errno != E2BIG || list->nmsrs <= nr) {
			free(list);
			return NULL;
		}
		nr = list->nmsrs;
		free(list);
	}
}

static u32 sort_unique(u32 *v, u32 nr)
{
	u32 i, n = 0;

	qsort(v, nr, sizeof(*v), compare_u32);
	for (i = 0; i < nr; i++)
		if (!n || v[n - 1] != v[i])
			v[n++] = v[i];
	return n;
}

/**
 * msr_list_read() - which registers make up a vCPU on this host
 * @kvm_fd: /dev/kvm
 * @arch: &arch_vm.msrs is filled
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int msr_list_read(int kvm_fd, struct arch_vm *arch, struct error *err)
{
	struct kvm_msr_list *list = read_index_list(kvm_fd);
	u32 nr, more = 0;
	size_t i;
	u32 k;

	if (!list)
		return error_set(err, -errno, "KVM_GET_MSR_INDEX_LIST: %m");
	nr = list->nmsrs;
	for (i = 0; i < ARRAY_SIZE(more_msrs); i++)
		more += more_msrs[i].nr;
	arch->msrs = calloc(nr + more, sizeof(*arch->msrs));
	if (!arch->msrs) {
		free(list);
		return error_set(err, -ENOMEM, "out of memory");
	}
	memcpy(arch->msrs, list->indices, nr * sizeof(*arch->msrs));
	free(list);
	for (i = 0; i < ARRAY_SIZE(more_msrs); i++)
		for (k = 0; k < more_msrs[i].nr; k++)
			arch->msrs[nr++] = more_msrs[i].first + k;
	arch->msrs_nr = sort_unique(arch->msrs, nr);
	if (arch->msrs_nr > X86_MSRS_MAX)
		return error_set(err, -ENOTSUP,
				 "KVM lists %u MSRs, more than the %u that we can save",
				 arch->msrs_nr, X86_MSRS_MAX);
	return 0;
}

static void buffer_fill(struct msr_buffer *buf, const u32 *indices, u32 nr)
{
	u32 i;

	buf->nmsrs = nr;
	buf->pad = 0;
	for (i = 0; i < nr; i++)
		buf->entries[i] = (struct kvm_msr_entry){ .index = indices[i] };
}

/**
 * msr_list_probe() - leave out what KVM lists but this vCPU does not have
 * @vcpu: the machine's first vCPU, with its CPUID
 * @err: filled on failure
 *
 * Once a machine: all vCPUs are alike.
 *
 * Return: 0 or a negative errno.
 */
int msr_list_probe(struct vcpu *vcpu, struct error *err)
{
	struct arch_vm *arch = vcpu->vm->arch;
	u32 done = 0, kept = 0;
	struct msr_buffer *buf;
	int got;

	if (arch->msrs_probed)
		return 0;
	buf = malloc(sizeof(*buf));
	if (!buf)
		return error_set(err, -ENOMEM, "out of memory");
	while (done < arch->msrs_nr) {
		buffer_fill(buf, arch->msrs + done, arch->msrs_nr - done);
		got = ioctl(vcpu->fd, KVM_GET_MSRS, buf);
		if (got < 0) {
			free(buf);
			return error_set(err, -errno, "KVM_GET_MSRS: %m");
		}
		memmove(arch->msrs + kept, arch->msrs + done,
			(u32)got * sizeof(*arch->msrs));
		kept += (u32)got;
		done += (u32)got + 1;
	}
	arch->msrs_nr = kept;
	arch->msrs_probed = true;
	free(buf);
	return 0;
}

/**
 * msr_get() - read one register
 * @vcpu: of which vCPU
 * @index: its number
 * @value: its value
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int msr_get(struct vcpu *vcpu, u32 index, u64 *value, struct error *err)
{
	struct msr_one one = { .nmsrs = 1, .entry.index = index };

	if (ioctl(vcpu->fd, KVM_GET_MSRS, &one) != 1)
		return error_set(err, -EIO, "KVM does not give MSR 0x%x",
				 index);
	*value = one.entry.data;
	return 0;
}

/**
 * msr_set() - write one register
 * @vcpu: of which vCPU
 * @index: its number
 * @value: its value
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int msr_set(struct vcpu *vcpu, u32 index, u64 value, struct error *err)
{
	struct msr_one one = {
		.nmsrs = 1, .entry = { .index = index, .data = value },
	};

	if (ioctl(vcpu->fd, KVM_SET_MSRS, &one) != 1)
		return error_set(err, -EIO,
				 "KVM does not take MSR 0x%x = 0x%llx", index,
				 value);
	return 0;
}

/**
 * msrs_save() - all registers of the list into a state
 * @vcpu: a parked vCPU
 * @state: &x86_vcpu_state.msrs is filled
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int msrs_save(struct vcpu *vcpu, struct x86_vcpu_state *state,
	      struct error *err)
{
	const struct arch_vm *arch = vcpu->vm->arch;
	struct msr_buffer *buf = malloc(sizeof(*buf));
	int got;
	u32 i;

	if (!buf)
		return error_set(err, -ENOMEM, "out of memory");
	buffer_fill(buf, arch->msrs, arch->msrs_nr);
	got = ioctl(vcpu->fd, KVM_GET_MSRS, buf);
	for (i = 0; i < arch->msrs_nr && (int)i < got; i++) {
		state->msrs[i].index = buf->entries[i].index;
		state->msrs[i].value = buf->entries[i].data;
	}
	state->msrs_nr = i;
	free(buf);
	if (got < 0)
		return error_set(err, -errno, "KVM_GET_MSRS: %m");
	if (i < arch->msrs_nr)
		return error_set(err, -EIO, "KVM does not give MSR 0x%x",
				 arch->msrs[i]);
	return 0;
}

/**
 * msrs_load() - all registers of a state into a vCPU
 * @vcpu: a parked vCPU
 * @state: what to load; checked against the tables' ranges
 * @err: filled on failure, names the register
 *
 * Return: 0 or a negative errno.
 */
int msrs_load(struct vcpu *vcpu, const struct x86_vcpu_state *state,
	      struct error *err)
{
	struct msr_buffer *buf = calloc(1, sizeof(*buf));
	int took;
	u32 i;

	if (!buf)
		return error_set(err, -ENOMEM, "out of memory");
	buf->nmsrs = state->msrs_nr;
	for (i = 0; i < buf->nmsrs; i++) {
		buf->entries[i].index = (u32)state->msrs[i].index;
		buf->entries[i].data = state->msrs[i].value;
	}
	took = ioctl(vcpu->fd, KVM_SET_MSRS, buf);
	free(buf);
	if (took < 0)
		return error_set(err, -errno, "KVM_SET_MSRS: %m");
	if ((u32)took < state->msrs_nr)
		return error_set(err, -ENOTSUP,
				 "KVM does not take MSR 0x%llx = 0x%llx",
				 state->msrs[took].index,
				 state->msrs[took].value);
	return 0;
}
