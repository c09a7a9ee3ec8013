/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_SERIAL_H
#define LKVM_SERIAL_H

#include "vmm/device.h"

int serial_sysrq(struct device *dev, u8 key, struct error *err) __must_check;

#endif /* LKVM_SERIAL_H */
