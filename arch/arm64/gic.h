/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: the interrupt controllers that a machine can have
 *
 * gic.c chooses and makes one, gicv2_state.c and gicv3_state.c know the
 * registers of each kind, its.c and v2m.c are what takes messages from devices.
 */
#ifndef LKVM_ARM64_GIC_H
#define LKVM_ARM64_GIC_H

#include "arch/arm64/state.h"
#include "vmm/base/error.h"
#include "vmm/bus.h"

struct arch_vm;
struct vm;

/**
 * enum gic_kind - what a machine has
 * @GIC_AUTO: not decided yet: the best that the host has
 * @GIC_V2: GICv2; no messages, devices use their lines
 * @GIC_V2M: GICv2, with a frame for messages
 * @GIC_V3: GICv3, with such a frame
 * @GIC_V3_ITS: GICv3 with an Interrupt Translation Service
 * @GIC_KINDS: how many there are
 *
 * The numbers are not part of any format, the words are.
 */
enum gic_kind {
	GIC_AUTO,
	GIC_V2,
	GIC_V2M,
	GIC_V3,
	GIC_V3_ITS,
	GIC_KINDS,
};

/* The kinds as words, as an option wants them. */
extern const char *const gic_words[GIC_KINDS + 1];

/**
 * struct v2m - the frame that takes messages for an interrupt controller
 * @region: its registers
 */
struct v2m {
	struct bus_region region;
};

/**
 * struct gic_access - one direction of moving registers
 * @fd: KVM's interrupt controller
 * @set: to KVM
 * @name: of the controller, for @err
 * @group: which registers
 * @cpu: whose, as KVM names it
 * @ret: the first failure
 * @err: filled with the first failure
 *
 * After a failure nothing more is done.
 */
struct gic_access {
	int fd;
	bool set;
	const char *name;
	u32 group;
	u64 cpu;
	int ret;
	struct error *err;
};

/* gic.c */
int gic_create(struct vm *vm, enum gic_kind wanted, struct error *err)
	__must_check;
void gic_destroy(struct arch_vm *arch);
int gic_complete(struct vm *vm, struct error *err) __must_check;
bool gic_is_v2(enum gic_kind kind);
bool gic_has_frame(enum gic_kind kind);
int gic_attr(int fd, unsigned long request, u32 group, u64 attr, void *value,
	     const char *what, struct error *err) __must_check;

/* gic_state.c */
int gic_save(struct vm *vm, struct arm64_vm_state *s, struct error *err)
	__must_check;
int gic_load(struct vm *vm, const struct arm64_vm_state *s, struct error *err)
	__must_check;
void gic_move(struct gic_access *a, u64 attr, void *value, const char *what);
void gic_words_move(struct gic_access *a, u32 offset, u32 *values, u32 nr);
void gic_bits_move(struct gic_access *a, u32 set, u32 clear, u32 *values,
		   u32 nr);

/* gicv2_state.c, gicv3_state.c */
void gicv2_move(struct gic_access *a, struct arm64_vm_state *s);
void gicv3_move(struct gic_access *a, struct arm64_vm_state *s);

/* its.c */
int its_create(struct vm *vm, struct error *err) __must_check;
int its_reset(struct vm *vm, struct error *err) __must_check;
int its_settle(struct vm *vm, struct error *err) __must_check;
int its_save(struct vm *vm, struct arm64_its_state *s, struct error *err)
	__must_check;
int its_load(struct vm *vm, const struct arm64_its_state *s, struct error *err)
	__must_check;

/* v2m.c */
int v2m_create(struct v2m *v2m, struct vm *vm, struct error *err) __must_check;
void v2m_destroy(struct v2m *v2m);

#endif /* LKVM_ARM64_GIC_H */
