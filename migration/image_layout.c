// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the layout note: what program headers cannot say
 *
 * A flattened device tree: when the image was made, its random id, the version
 * of the program, and a node for each block with its name. Address, size and
 * position stand in the program headers already; here they are repeated for
 * who reads the tree, and compared.
 */
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "migration/image_priv.h"

#define LAYOUT_COMPATIBLE	"lkvm,image-v1"
#define LAYOUT_SIZE		8192

static int layout_encode(const struct image *image, void *fdt)
{
	char name[24];
	int ret;
	u32 i;

	ret = fdt_create(fdt, LAYOUT_SIZE);
	ret = ret ?: fdt_finish_reservemap(fdt);
	ret = ret ?: fdt_begin_node(fdt, "");
	ret = ret ?: fdt_property_string(fdt, "compatible", LAYOUT_COMPATIBLE);
	ret = ret ?: fdt_property_string(fdt, "lkvm-version", LKVM_VERSION);
	ret = ret ?: fdt_property_u64(fdt, "created-ns", image->created_ns);
	ret = ret ?: fdt_property(fdt, "id", image->id, sizeof(image->id));
	for (i = 0; !ret && i < image->blocks_nr; i++) {
		const struct image_block *b = &image->blocks[i];

		snprintf(name, sizeof(name), "block@%u", i);
		ret = fdt_begin_node(fdt, name);
		ret = ret ?: fdt_property_string(fdt, "label", b->name);
		ret = ret ?: fdt_property_u64(fdt, "address", b->gpa);
		ret = ret ?: fdt_property_u64(fdt, "size", b->size);
		ret = ret ?: fdt_property_u64(fdt, "position", b->pos);
		ret = ret ?: fdt_end_node(fdt);
	}
	ret = ret ?: fdt_end_node(fdt);
	return ret ?: fdt_finish(fdt);
}

/**
 * image_layout_add() - add the layout note
 * @image: about to be committed, with all its blocks
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int image_layout_add(struct image *image, struct error *err)
{
	void *fdt = malloc(LAYOUT_SIZE);
	int ret;

	if (!fdt)
		return error_set(err, -ENOMEM, "out of memory");
	ret = layout_encode(image, fdt);
	if (ret)
		ret = error_set(err, -EFBIG, "layout of the image: %s",
				fdt_strerror(ret));
	else
		ret = image_add_note(image, IMAGE_OWNER, IMAGE_NOTE_LAYOUT,
				     fdt, fdt_totalsize(fdt), err);
	free(fdt);
	return ret;
}

static int get(const void *fdt, int node, const char *name, void *buf, int len,
	       struct error *err)
{
	const void *prop;
	int got;

	prop = fdt_getprop(fdt, node, name, &got);
	if (!prop)
		return error_set(err, -EINVAL, "%s: %s",
				 name, fdt_strerror(got));
	if (got != len)
		return error_set(err, -EINVAL, "%s: %d bytes instead of %d",
				 name, got, len);
	memcpy(buf, prop, (size_t)len);
	return 0;
}

static int get_u64(const void *fdt, int node, const char *name, u64 *value,
		   struct error *err)
{
	fdt64_t be = 0;
	int ret = get(fdt, node, name, &be, sizeof(be), err);

	*value = fdt64_to_cpu(be);
	return ret;
}

static int block_read(const void *fdt, int node, struct image_block *b,
		      struct error *err)
{
	u64 address, size, position;
	const char *name;
	int len, ret;

	name = fdt_getprop(fdt, node, "label", &len);
	if (!name || len < 2 || (size_t)len > sizeof(b->name) ||
	    !image_is_text(name, (u64)len))
		return error_set(err, -EINVAL, "label: missing or malformed");
	ret = get_u64(fdt, node, "address", &address, err);
	if (!ret)
		ret = get_u64(fdt, node, "size", &size, err);
	if (!ret)
		ret = get_u64(fdt, node, "position", &position, err);
	if (ret)
		return ret;
	if (address != b->gpa || size != b->size || position != b->pos)
		return error_set(err, -EINVAL,
				 "differs from its program header");
	memcpy(b->name, name, (size_t)len);
	return 0;
}

static int layout_decode(struct image *image, const void *fdt,
			 struct error *err)
{
	char path[24];
	int node, ret;
	u32 i, j;

	if (fdt_node_check_compatible(fdt, 0, LAYOUT_COMPATIBLE))
		return error_set(err, -EPROTO,
				 "not %s: made by another version of lkvm",
				 LAYOUT_COMPATIBLE);
	ret = get_u64(fdt, 0, "created-ns", &image->created_ns, err);
	if (!ret)
		ret = get(fdt, 0, "id", image->id, sizeof(image->id), err);
	for (i = 0; !ret && i < image->blocks_nr; i++) {
		snprintf(path, sizeof(path), "/block@%u", i);
		node = fdt_path_offset(fdt, path);
		if (node < 0)
			return error_set(err, -EINVAL, "%s: %s", path,
					 fdt_strerror(node));
		ret = block_read(fdt, node, &image->blocks[i], err);
		if (ret)
			return error_prefix(err, "%s", path);
		for (j = 0; j < i; j++)
			if (!strcmp(image->blocks[j].name,
				    image->blocks[i].name))
				return error_set(err, -EINVAL,
						 "%s: a second block %s", path,
						 image->blocks[i].name);
	}
	return ret;
}

/**
 * image_layout_read() - the names of the blocks, and when the image was made
 * @image: being opened; its headers and notes were read and checked
 * @err: filled on failure, with node and property
 *
 * Return: 0; -EINVAL for a malformed note; -EPROTO for another version's.
 */
int image_layout_read(struct image *image, struct error *err)
{
	const struct image_note *note;
	int ret;

	note = image_find_note(image, IMAGE_OWNER, IMAGE_NOTE_LAYOUT);
	if (!note)
		return error_set(err, -EINVAL, "%s: no layout note",
				 image->ch->name);
	ret = fdt_check_full(note->data, note->len);
	if (ret)
		return error_set(err, -EINVAL, "%s: layout note: %s",
				 image->ch->name, fdt_strerror(ret));
	ret = layout_decode(image, note->data, err);
	if (ret)
		return error_prefix(err, "%s: layout note", image->ch->name);
	return 0;
}
