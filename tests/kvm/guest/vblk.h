/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_KVM_GUEST_VBLK_H
#define TESTS_KVM_GUEST_VBLK_H

#include "tests/kvm/guest/lib.h"

struct vblk;

struct vblk *vblk_open(uint64_t seed);
int vblk_step(struct vblk *d);
int vblk_check_all(struct vblk *d);

#endif
