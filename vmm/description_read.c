// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: reading a machine description that comes from anywhere
 *
 * A description may come from an image or a peer, so nothing in it is
 * believed: the tree must be well-formed (fdt_check_full()), hold the nodes
 * and properties that description.c writes and no others, none twice, and
 * each value must be in range. What will not do is named by node and property.
 * All is checked before anything is made.
 *
 * Threads: none of its own.
 */
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/arch.h"
#include "vmm/description_priv.h"

/* ---- nodes and properties ----------------------------------------------- */

static int find_word(const char *const *words, u32 nr, const char *word)
{
	u32 i;

	for (i = 0; i < nr; i++)
		if (!strcmp(words[i], word))
			return (int)i;
	return -1;
}

/* The sub-nodes are those named, each once; all behind @needed may be missing. */
static int expect_nodes(const void *fdt, int node, const char *const *names,
			u32 nr, u32 needed, int *found, struct error *err)
{
	const char *name;
	int sub, at;
	u32 i;

	for (i = 0; i < nr; i++)
		found[i] = -1;
	fdt_for_each_subnode(sub, fdt, node) {
		name = fdt_get_name(fdt, sub, NULL);
		at = find_word(names, nr, name);
		if (at < 0)
			return error_set(err, -EINVAL, "%.64s: unknown node",
					 name);
		if (found[at] >= 0)
			return error_set(err, -EINVAL, "%s: node comes twice",
					 name);
		found[at] = sub;
	}
	for (i = 0; i < needed; i++)
		if (found[i] < 0)
			return error_set(err, -EINVAL, "%s: node is missing",
					 names[i]);
	return 0;
}

/* The properties are those named, each once; their values are for later. */
static int expect_props(const void *fdt, int node, const char *const *names,
			u32 nr, struct error *err)
{
	const char *name;
	const void *data;
	int prop, len;
	u32 i;

	fdt_for_each_property_offset(prop, fdt, node) {
		data = fdt_getprop_by_offset(fdt, prop, &name, &len);
		if (!data)
			return error_set(err, -EINVAL, "damaged property: %s",
					 fdt_strerror(len));
		if (find_word(names, nr, name) < 0)
			return error_set(err, -EINVAL,
					 "%.64s: unknown property", name);
		if (fdt_getprop(fdt, node, name, NULL) != data)
			return error_set(err, -EINVAL,
					 "%s: property comes twice", name);
	}
	for (i = 0; i < nr; i++)
		if (!fdt_getprop(fdt, node, names[i], NULL))
			return error_set(err, -EINVAL,
					 "%s: property is missing", names[i]);
	return 0;
}

static int prop_number(const void *fdt, int node, const char *name, int bytes,
		       u64 *v, struct error *err)
{
	int len;
	const void *data = fdt_getprop(fdt, node, name, &len);

	if (len != bytes)
		return error_set(err, -EINVAL,
				 "%s: property has %d bytes instead of %d",
				 name, len, bytes);
	*v = bytes == 8 ? fdt64_ld(data) : fdt32_ld(data);
	return 0;
}

static int prop_below(const void *fdt, int node, const char *name, u32 limit,
		      u32 *v, struct error *err)
{
	u64 wide = 0;
	int ret = prop_number(fdt, node, name, 4, &wide, err);

	if (ret)
		return ret;
	if (wide >= limit)
		return error_set(err, -EINVAL, "%s=%llu: must be below %u",
				 name, wide, limit);
	*v = (u32)wide;
	return 0;
}

static int prop_string(const void *fdt, int node, const char *name,
		       const char **text, struct error *err)
{
	int len;
	const char *data = fdt_getprop(fdt, node, name, &len);

	if (len <= 0 || strnlen(data, (size_t)len) + 1 != (size_t)len)
		return error_set(err, -EINVAL, "%s: property is not a string",
				 name);
	*text = data;
	return 0;
}

static int prop_equals(const void *fdt, int node, const char *name,
		       const char *want, struct error *err)
{
	const char *text;
	int ret = prop_string(fdt, node, name, &text, err);

	if (!ret && strcmp(text, want))
		return error_set(err, -EINVAL, "%s: is not \"%s\"", name, want);
	return ret;
}

/* ---- the parts ---------------------------------------------------------- */

static int read_options(const void *fdt, int node,
			const struct option_table *table, void *config,
			struct error *err)
{
	static const struct option_table nothing = { .name = "options" };
	static const char *const names[] = { "guest", "host" };
	int sub[ARRAY_SIZE(names)];
	int ret;

	ret = expect_nodes(fdt, node, names, ARRAY_SIZE(names),
			   ARRAY_SIZE(names), sub, err);
	if (ret)
		return ret;
	if (!table)
		table = &nothing;
	ret = option_load_node(table, config, OPTION_GUEST, fdt, sub[0], err);
	if (ret)
		return error_prefix(err, "guest");
	ret = option_load_node(table, config, OPTION_HOST, fdt, sub[1], err);
	if (ret)
		return error_prefix(err, "host");
	ret = option_check(table, config, err);
	return ret;
}

static int read_machine(const void *fdt, int node, struct description *d,
			struct error *err)
{
	static const char *const props[] = { "arch" };
	int ret;

	d->machine = option_config_new(&machine_options);
	if (!d->machine)
		return error_set(err, -ENOMEM, "no memory");
	ret = expect_props(fdt, node, props, ARRAY_SIZE(props), err);
	if (!ret)
		ret = prop_equals(fdt, node, "arch", arch_name, err);
	if (!ret)
		ret = read_options(fdt, node, &machine_options, d->machine,
				   err);
	return ret;
}

/* @node: -1 when there is none: the defaults. */
static int read_arch(const void *fdt, int node, struct description *d,
		     struct error *err)
{
	int ret;

	d->machine->arch = option_config_new(&arch_options);
	if (!d->machine->arch)
		return error_set(err, -ENOMEM, "no memory");
	if (node < 0)
		return 0;
	ret = expect_props(fdt, node, NULL, 0, err);
	if (!ret)
		ret = read_options(fdt, node, &arch_options, d->machine->arch,
				   err);
	return ret;
}

static const struct device_class *class_of(const void *fdt, int node,
					   struct error *err)
{
	const struct device_class *const *classes;
	const char *text;
	u32 i, nr;

	if (!fdt_getprop(fdt, node, "compatible", NULL)) {
		error_set(err, -EINVAL, "compatible: property is missing");
		return NULL;
	}
	if (prop_string(fdt, node, "compatible", &text, err))
		return NULL;
	classes = device_classes(&nr);
	for (i = 0; i < nr; i++)
		if (!strcmp(classes[i]->compatible, text))
			return classes[i];
	error_set(err, -EINVAL, "compatible: this lkvm has no such device");
	return NULL;
}

static int read_slot(const void *fdt, int node, struct description_device *d,
		     struct error *err)
{
	static const char *const props[] = {
		"compatible", "index", "slot", "function",
	};
	int ret;

	ret = expect_props(fdt, node, props, ARRAY_SIZE(props), err);
	if (!ret)
		ret = prop_below(fdt, node, "slot", DESCRIPTION_SLOTS,
				 &d->addr.slot, err);
	if (!ret)
		ret = prop_below(fdt, node, "function", DESCRIPTION_FUNCTIONS,
				 &d->addr.function, err);
	if (!ret && !d->class->host && !d->addr.slot)
		ret = error_set(err, -EINVAL,
				"slot=0: belongs to the host bridge");
	return ret;
}

/* The architecture decides where a platform device sits: it must agree. */
static int read_resource(const void *fdt, int node,
			 const struct description_device *d, struct error *err)
{
	static const char *const props[] = {
		"compatible", "index", "base", "size", "gsi",
	};
	const struct arch_resource *r;
	struct {
		const char *name;
		int bytes;
		u64 here;
		u64 there;
	} place[3] = { { "base", 8 }, { "size", 8 }, { "gsi", 4 } };
	unsigned int i;
	int ret;

	ret = expect_props(fdt, node, props, ARRAY_SIZE(props), err);
	if (ret)
		return ret;
	r = arch_resource_find(d->class->name, d->index);
	if (!r)
		return error_set(err, -EINVAL,
				 "index=%u: there is no place for it on %s",
				 d->index, arch_name);
	place[0].here = r->base;
	place[1].here = r->size;
	place[2].here = r->gsi;
	for (i = 0; i < ARRAY_SIZE(place); i++) {
		ret = prop_number(fdt, node, place[i].name, place[i].bytes,
				  &place[i].there, err);
		if (ret)
			return ret;
		if (place[i].here != place[i].there)
			return error_set(err, -EINVAL,
					 "%s=0x%llx: this lkvm has it at 0x%llx",
					 place[i].name, place[i].there,
					 place[i].here);
	}
	return 0;
}

static int read_device(const void *fdt, int node, struct description_device *d,
		       struct error *err)
{
	char name[64];
	int ret;

	d->class = class_of(fdt, node, err);
	if (!d->class)
		return -EINVAL;
	if (!fdt_getprop(fdt, node, "index", NULL))
		return error_set(err, -EINVAL, "index: property is missing");
	ret = prop_below(fdt, node, "index", d->class->max, &d->index, err);
	if (ret)
		return ret;
	snprintf(name, sizeof(name), "%s%u", d->class->name, d->index);
	if (strcmp(name, fdt_get_name(fdt, node, NULL)))
		return error_set(err, -EINVAL, "is named unlike %s", name);
	ret = d->class->kind == DEVICE_PCI ? read_slot(fdt, node, d, err) :
					     read_resource(fdt, node, d, err);
	if (ret)
		return ret;
	if (d->class->options) {
		d->config = option_config_new(d->class->options);
		if (!d->config)
			return error_set(err, -ENOMEM, "no memory");
	}
	return read_options(fdt, node, d->class->options, d->config, err);
}

static bool is_same_place(const struct description_device *a,
			  const struct description_device *b)
{
	if (a->class == b->class && a->index == b->index)
		return true;
	return a->class->kind == DEVICE_PCI && b->class->kind == DEVICE_PCI &&
		a->addr.slot == b->addr.slot &&
		a->addr.function == b->addr.function;
}

static int read_devices(const void *fdt, int node, struct description *d,
			struct error *err)
{
	struct description_device *dev;
	int sub, ret;
	u32 i;

	ret = expect_props(fdt, node, NULL, 0, err);
	if (ret)
		return ret;
	d->devices = calloc(DESCRIPTION_DEVICES, sizeof(*d->devices));
	if (!d->devices)
		return error_set(err, -ENOMEM, "no memory");
	fdt_for_each_subnode(sub, fdt, node) {
		if (d->nr == DESCRIPTION_DEVICES)
			return error_set(err, -EINVAL, "more than %u devices",
					 DESCRIPTION_DEVICES);
		dev = &d->devices[d->nr];
		ret = read_device(fdt, sub, dev, err);
		/* From here on description_free() sees to its options. */
		d->nr += !!dev->class;
		for (i = 0; !ret && i + 1 < d->nr; i++)
			if (is_same_place(&d->devices[i], dev))
				ret = error_set(err, -EINVAL,
						"is where %s%u is",
						d->devices[i].class->name,
						d->devices[i].index);
		if (ret)
			return error_prefix(err, "%.64s",
					    fdt_get_name(fdt, sub, NULL));
	}
	qsort(d->devices, d->nr, sizeof(*d->devices), description_order);
	return 0;
}

static int read_tree(const void *fdt, struct description *d, struct error *err)
{
	static const char *const props[] = { "compatible" };
	static const char *const nodes[] = { "machine", "devices", "arch" };
	u32 needed = ARRAY_SIZE(nodes) - 1;
	int sub[ARRAY_SIZE(nodes)] = { -1, -1, -1 };
	int ret;

	ret = expect_props(fdt, 0, props, ARRAY_SIZE(props), err);
	if (!ret)
		ret = prop_equals(fdt, 0, "compatible", DESCRIPTION_COMPATIBLE,
				  err);
	if (!ret)
		ret = expect_nodes(fdt, 0, nodes,
				   needed + !!arch_options.nr, needed, sub,
				   err);
	if (ret)
		return error_prefix(err, "/");
	ret = read_machine(fdt, sub[0], d, err);
	if (ret)
		return error_prefix(err, "/machine");
	ret = read_arch(fdt, sub[2], d, err);
	if (ret)
		return error_prefix(err, "/arch");
	ret = read_devices(fdt, sub[1], d, err);
	if (ret)
		return error_prefix(err, "/devices");
	return 0;
}

/* A hostile name must not reach the terminal as it is. */
static void make_printable(struct error *err)
{
	char *c;

	for (c = err ? err->text : NULL; c && *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
}

/**
 * description_read() - check a machine description and take it apart
 * @fdt: the description, at an address that is a multiple of 8
 * @size: how many bytes there are
 * @out: out: what it says, to be freed with description_free()
 * @err: names the node and property that will not do
 *
 * Return: 0, -EINVAL, -ENOMEM.
 */
int description_read(const void *fdt, size_t size, struct description **out,
		     struct error *err)
{
	struct description *d;
	int ret;

	if (size > DESCRIPTION_MAX)
		return error_set(err, -EINVAL,
				 "machine description: more than %u KiB",
				 DESCRIPTION_MAX / 1024);
	ret = size < sizeof(struct fdt_header) ? -FDT_ERR_TRUNCATED :
						 fdt_check_full(fdt, size);
	if (ret)
		return error_set(err, -EINVAL, "machine description: %s",
				 fdt_strerror(ret));
	d = calloc(1, sizeof(*d));
	if (!d)
		return error_set(err, -ENOMEM, "no memory");
	ret = read_tree(fdt, d, err);
	if (ret) {
		error_prefix(err, "machine description");
		make_printable(err);
		description_free(d);
		return ret;
	}
	*out = d;
	return 0;
}
