// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: arm64: read the device tree
 *
 * Nodes are gone through in the order of the blob; nothing is built from them.
 *
 * Devicetree Specification 0.4, 5.
 */
#include "tests/kvm/guest/arm64/fdt.h"
#include "tests/kvm/guest/lib.h"

#define FDT_MAGIC	0xd00dfeedu
#define FDT_BEGIN_NODE	1u
#define FDT_END_NODE	2u
#define FDT_PROP	3u
#define FDT_NOP		4u

static const uint32_t *header;

static uint32_t big(uint32_t v)
{
	return __builtin_bswap32(v);
}

static const void *at(uint32_t offset)
{
	return (const char *)header + offset;
}

/**
 * fdt_init - take a device tree
 * @blob: where it is
 *
 * Return: whether it is one.
 */
bool fdt_init(const void *blob)
{
	header = blob;
	return header && big(header[0]) == FDT_MAGIC;
}

/**
 * fdt_size - how large the device tree is
 *
 * Return: bytes.
 */
uint32_t fdt_size(void)
{
	return big(header[1]);
}

static const uint32_t *skip_name(const uint32_t *p)
{
	return p + strlen((const char *)p) / 4 + 1;
}

static const uint32_t *skip_property(const uint32_t *p)
{
	return p + 3 + (big(p[1]) + 3) / 4;
}

/**
 * fdt_next - the next node
 * @n: a node, with props NULL before the first; replaced
 *
 * Return: false at the end.
 */
bool fdt_next(struct fdt_node *n)
{
	const uint32_t *p = n->props ? n->props : at(big(header[2]));
	unsigned int depth = n->props ? n->depth + 1 : 0;

	for (;;) {
		switch (big(*p)) {
		case FDT_BEGIN_NODE:
			n->name = (const char *)(p + 1);
			n->props = skip_name(p + 1);
			n->depth = depth;
			return true;
		case FDT_END_NODE:
			depth--;
			p++;
			break;
		case FDT_PROP:
			p = skip_property(p);
			break;
		case FDT_NOP:
			p++;
			break;
		default:
			return false;
		}
	}
}

/**
 * fdt_property - look for a property
 * @n:    node
 * @name: its name
 * @len:  set to its bytes, may be NULL
 *
 * Return: its value, or NULL.
 */
const void *fdt_property(const struct fdt_node *n, const char *name,
			 uint32_t *len)
{
	const uint32_t *p = n->props;

	while (big(*p) == FDT_PROP || big(*p) == FDT_NOP) {
		if (big(*p) == FDT_NOP) {
			p++;
			continue;
		}
		if (str_equal(at(big(header[3]) + big(p[2])), name)) {
			if (len)
				*len = big(p[1]);
			return p + 3;
		}
		p = skip_property(p);
	}
	return NULL;
}

/**
 * fdt_cells - a number in a property
 * @n:     node
 * @name:  of the property
 * @first: its first cell
 * @cells: 1 or 2
 *
 * Return: the number, 0 if it is not there.
 */
uint64_t fdt_cells(const struct fdt_node *n, const char *name,
		   unsigned int first, unsigned int cells)
{
	uint32_t len;
	const uint32_t *p = fdt_property(n, name, &len);
	uint64_t v = 0;

	if (!p || len < 4 * (first + cells))
		return 0;
	for (; cells; cells--)
		v = v << 32 | big(p[first++]);
	return v;
}

/**
 * fdt_named - does a node have this name
 * @n:    node
 * @name: without a unit address
 *
 * Return: true if it has.
 */
bool fdt_named(const struct fdt_node *n, const char *name)
{
	const size_t len = strlen(name);
	size_t i;

	for (i = 0; i < len; i++)
		if (n->name[i] != name[i])
			return false;
	return !n->name[len] || n->name[len] == '@';
}

static bool compatible_with(const struct fdt_node *n, const char *what)
{
	uint32_t len = 0, i = 0;
	const char *p = fdt_property(n, "compatible", &len);

	for (; p && i < len; i += (uint32_t)strlen(p + i) + 1)
		if (str_equal(p + i, what))
			return true;
	return false;
}

/**
 * fdt_find - look for a device
 * @n:          set to its node
 * @compatible: what it is
 * @nth:        0 for the first
 *
 * Return: whether there is one.
 */
bool fdt_find(struct fdt_node *n, const char *compatible, unsigned int nth)
{
	n->props = NULL;
	while (fdt_next(n))
		if (compatible_with(n, compatible) && !nth--)
			return true;
	return false;
}

/**
 * fdt_address - where a device is
 * @compatible: as for fdt_find()
 * @nth:        as for fdt_find()
 *
 * Return: the address of its first registers, 0 if there is no such device.
 */
uint64_t fdt_address(const char *compatible, unsigned int nth)
{
	struct fdt_node n;

	return fdt_find(&n, compatible, nth) ? fdt_cells(&n, "reg", 0, 2) : 0;
}
