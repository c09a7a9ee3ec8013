/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: arm64: the device tree that the machine is described by
 */
#ifndef TESTS_KVM_GUEST_ARM64_FDT_H
#define TESTS_KVM_GUEST_ARM64_FDT_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct fdt_node - a node, while the tree is gone through
 * @name:  with its unit address
 * @depth: 0 for the root
 * @props: where its properties begin
 */
struct fdt_node {
	const char *name;
	unsigned int depth;
	const uint32_t *props;
};

bool fdt_init(const void *blob);
uint32_t fdt_size(void);
bool fdt_next(struct fdt_node *n);
const void *fdt_property(const struct fdt_node *n, const char *name,
			 uint32_t *len);
uint64_t fdt_cells(const struct fdt_node *n, const char *name,
		   unsigned int first, unsigned int cells);
bool fdt_named(const struct fdt_node *n, const char *name);
bool fdt_find(struct fdt_node *n, const char *compatible, unsigned int nth);
uint64_t fdt_address(const char *compatible, unsigned int nth);

#endif
