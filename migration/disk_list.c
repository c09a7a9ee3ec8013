// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the disks of a machine, and their note in an image
 *
 * The note is a device tree: a node disk@N for each disk, in the order of
 * devices and numbers, with its device, number and paths as properties and its
 * state as a sub-node that a table describes.
 *
 * Threads: the main loop's.
 */
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "migration/disks.h"
#include "migration/state_tree.h"
#include "vmm/base/math.h"
#include "vmm/base/tree_writer.h"
#include "vmm/description.h"
#include "vmm/device.h"
#include "vmm/vm.h"

#define DISKS_COMPATIBLE	"lkvm,disks-v1"
#define DISK_COMPATIBLE		"lkvm,disk-v1"
#define STATE_NODE		"state"
#define PATH_MAX_BYTES		4095

#define U64_ANY(_member, _name)						\
	STATE_U64(struct disk_state, _member, _name, 0, UINT64_MAX)

static const struct state_field state_fields[] = {
	STATE_U32(struct disk_state, kind, "kind", 0, DISK_DEVICE),
	STATE_U32(struct disk_state, readonly, "read-only", 0, 1),
	STATE_U64(struct disk_state, size, "size", 1, INT64_MAX),
	U64_ANY(filesystem, "file-system"),
	U64_ANY(inode, "inode"),
	U64_ANY(birth_ns, "birth-ns"),
	U64_ANY(mtime_ns, "written-ns"),
	U64_ANY(ctime_ns, "changed-ns"),
	U64_ANY(sequence, "disk-sequence"),
	U64_ANY(written_sectors, "written-sectors"),
	U64_ANY(fingerprint, "fingerprint"),
	STATE_BYTES(struct disk_state, boot_id, "boot-id"),
};

static const struct state_desc state_desc =
	STATE_DESC("lkvm,disk-state-v1", struct disk_state, state_fields);

static void set_name(struct disk *disk)
{
	snprintf(disk->name, sizeof(disk->name), "%sn%u", disk->device,
		 disk->number);
}

static struct disk *list_add(struct disk_list *list, struct error *err)
{
	struct disk *v;

	if (list->nr == DISKS_MAX) {
		error_set(err, -E2BIG, "more than %u disks", DISKS_MAX);
		return NULL;
	}
	v = realloc(list->v, (list->nr + 1) * sizeof(*v));
	if (!v) {
		error_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	list->v = v;
	v += list->nr++;
	memset(v, 0, sizeof(*v));
	v->fd = -1;
	return v;
}

/**
 * struct collector - takes the disks of all devices
 * @sink: the devices know only this
 * @list: filled
 */
struct collector {
	struct disk_sink sink;
	struct disk_list *list;
};

static int collect(struct disk_sink *sink, const struct device *dev,
		   const struct device_disk *from, struct error *err)
{
	struct collector *c = container_of(sink, struct collector, sink);
	struct disk *disk = list_add(c->list, err);

	if (!disk)
		return -ENOMEM;
	snprintf(disk->device, sizeof(disk->device), "%s", dev->name);
	disk->number = from->number;
	set_name(disk);
	disk->fd = from->fd;
	disk->state.size = from->size;
	disk->state.readonly = from->readonly;
	disk->given = strdup(from->path);
	disk->path = from->fd < 0 ? NULL : realpath(from->path, NULL);
	/* Its name may be gone; the descriptor is what counts. */
	if (!disk->path)
		disk->path = strdup(from->path);
	if (!disk->given || !disk->path)
		return error_set(err, -ENOMEM, "out of memory");
	return 0;
}

/**
 * disk_list_collect() - ask all devices for their disks
 * @list: filled; disk_list_free() also after a failure
 * @vm: the machine
 * @err: filled on failure
 *
 * Context: the main loop.
 * Return: 0 or a negative errno.
 */
int disk_list_collect(struct disk_list *list, struct vm *vm, struct error *err)
{
	struct collector c = { .sink.disk = collect, .list = list };
	struct device *dev;
	int ret;

	memset(list, 0, sizeof(*list));
	list_for_each_entry(dev, &vm->devices, link) {
		if (!dev->class->ops->disks)
			continue;
		ret = dev->class->ops->disks(dev, &c.sink, err);
		if (ret < 0)
			return error_prefix(err, "%s", dev->name);
	}
	return 0;
}

/**
 * disk_list_free() - free a list; the devices keep their disks
 * @list: the list; empty afterwards
 */
void disk_list_free(struct disk_list *list)
{
	u32 i;

	for (i = 0; i < list->nr; i++) {
		channel_close(list->v[i].private_copy);
		free(list->v[i].given);
		free(list->v[i].path);
		free(list->v[i].copy);
	}
	free(list->v);
	memset(list, 0, sizeof(*list));
}

/**
 * disk_find_device() - the device of a disk
 * @d: a machine's description
 * @name: of the device ("nvme0")
 *
 * Return: the device, NULL when the machine has none of that name.
 */
struct description_device *disk_find_device(struct description *d,
					    const char *name)
{
	char here[24];
	u32 i;

	for (i = 0; i < d->nr; i++) {
		snprintf(here, sizeof(here), "%s%u", d->devices[i].class->name,
			 d->devices[i].index);
		if (!strcmp(here, name))
			return &d->devices[i];
	}
	return NULL;
}

/**
 * disk_list_find() - the same disk in another list
 * @list: the other list
 * @like: a disk
 *
 * Return: the disk of the same device and number, NULL for none.
 */
const struct disk *disk_list_find(const struct disk_list *list,
				  const struct disk *like)
{
	u32 i;

	for (i = 0; i < list->nr; i++)
		if (list->v[i].number == like->number &&
		    !strcmp(list->v[i].device, like->device))
			return &list->v[i];
	return NULL;
}

/**
 * disk_list_encode() - the note of a list
 * @list: the list
 * @blob: the device tree; the caller frees it
 * @len: its bytes
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int disk_list_encode(const struct disk_list *list, void **blob, u32 *len,
		     struct error *err)
{
	struct tree_writer w;
	char name[16];
	u32 i;
	int ret;

	tree_begin(&w);
	tree_property_string(&w, "compatible", DISKS_COMPATIBLE);
	for (i = 0; i < list->nr; i++) {
		const struct disk *disk = &list->v[i];

		snprintf(name, sizeof(name), "disk@%x", i);
		tree_node_begin(&w, name);
		tree_property_string(&w, "compatible", DISK_COMPATIBLE);
		tree_property_string(&w, "device", disk->device);
		tree_property_u32(&w, "number", disk->number);
		tree_property_string(&w, "given", disk->given);
		tree_property_string(&w, "path", disk->path);
		if (disk->copy)
			tree_property_string(&w, "copy", disk->copy);
		ret = state_encode(&state_desc, &disk->state, &w, STATE_NODE,
				   err);
		if (ret) {
			tree_abandon(&w);
			return error_prefix(err, "%s", disk->name);
		}
		tree_node_end(&w);
	}
	return tree_finish(&w, blob, len, err);
}

/* ---- from an image, which may have any contents -------------------------- */

static int bad(const char *node, const char *property, const char *why,
	       struct error *err)
{
	return error_set(err, -EINVAL, "disks: /%s: %s: %s", node, property,
			 why);
}

static int get_text(const void *fdt, int node, const char *name, size_t most,
		    const char **text, struct error *err)
{
	const char *in = fdt_get_name(fdt, node, NULL);
	int len;

	*text = fdt_getprop(fdt, node, name, &len);
	if (!*text)
		return bad(in, name, "is missing", err);
	if (len < 2 || (size_t)len > most + 1 ||
	    strnlen(*text, (size_t)len) != (size_t)len - 1)
		return bad(in, name, "is not a text of the right length", err);
	return 0;
}

/* The file is looked for beside the image and nowhere else. */
static int decode_copy(struct disk *disk, const void *fdt, int node,
		       struct error *err)
{
	const char *text;
	int ret;

	if (!fdt_getprop(fdt, node, "copy", NULL))
		return 0;
	ret = get_text(fdt, node, "copy", 255, &text, err);
	if (ret)
		return ret;
	if (strchr(text, '/') || text[0] == '.')
		return bad(fdt_get_name(fdt, node, NULL), "copy",
			   "is not the name of a file", err);
	disk->copy = strdup(text);
	return disk->copy ? 0 : error_set(err, -ENOMEM, "out of memory");
}

static int decode_number(struct disk *disk, const void *fdt, int node,
			 struct error *err)
{
	const fdt32_t *p;
	int len;

	p = fdt_getprop(fdt, node, "number", &len);
	if (!p || len != sizeof(*p))
		return bad(fdt_get_name(fdt, node, NULL), "number",
			   "is missing or not a number", err);
	disk->number = fdt32_ld(p);
	return 0;
}

static int decode_names(struct disk *disk, const void *fdt, int node,
			struct error *err)
{
	const char *text, *given, *path;
	int ret;

	ret = get_text(fdt, node, "compatible", 64, &text, err);
	if (!ret && strcmp(text, DISK_COMPATIBLE))
		ret = bad(fdt_get_name(fdt, node, NULL), "compatible",
			  "is not \"" DISK_COMPATIBLE "\"", err);
	if (!ret)
		ret = get_text(fdt, node, "device", sizeof(disk->device) - 1,
			       &text, err);
	if (!ret)
		ret = get_text(fdt, node, "given", PATH_MAX_BYTES, &given,
			       err);
	if (!ret)
		ret = get_text(fdt, node, "path", PATH_MAX_BYTES, &path, err);
	if (ret)
		return ret;
	snprintf(disk->device, sizeof(disk->device), "%s", text);
	disk->given = strdup(given);
	disk->path = strdup(path);
	if (!disk->given || !disk->path)
		return error_set(err, -ENOMEM, "out of memory");
	return 0;
}

static int decode_disk(struct disk_list *list, const void *fdt, int node,
		       struct error *err)
{
	struct disk *disk = list_add(list, err);
	int state, ret;

	if (!disk)
		return -ENOMEM;
	ret = decode_names(disk, fdt, node, err);
	if (!ret)
		ret = decode_number(disk, fdt, node, err);
	if (!ret)
		ret = decode_copy(disk, fdt, node, err);
	if (ret)
		return ret;
	set_name(disk);
	state = fdt_subnode_offset(fdt, node, STATE_NODE);
	if (state < 0)
		return bad(fdt_get_name(fdt, node, NULL), STATE_NODE,
			   "is missing", err);
	ret = state_decode(&state_desc, fdt, state, &disk->state, err);
	return ret ? error_prefix(err, "disks: /%s",
				  fdt_get_name(fdt, node, NULL)) : 0;
}

/**
 * disk_list_decode() - read the note of an image
 * @list: filled; disk_list_free() also after a failure
 * @blob: the tree, untrusted, 8-byte aligned
 * @len: its bytes
 * @err: which node and property is wrong
 *
 * Return: 0, -EINVAL, -ERANGE or -ENOMEM.
 */
int disk_list_decode(struct disk_list *list, const void *blob, size_t len,
		     struct error *err)
{
	const char *text;
	u32 i = 0;
	int node, ret;

	memset(list, 0, sizeof(*list));
	ret = state_tree_check(blob, len, err);
	if (ret)
		return error_prefix(err, "disks");
	ret = get_text(blob, 0, "compatible", 64, &text, err);
	if (ret)
		return ret;
	if (strcmp(text, DISKS_COMPATIBLE))
		return bad("", "compatible",
			   "is not \"" DISKS_COMPATIBLE "\"", err);
	fdt_for_each_subnode(node, blob, 0) {
		char want[16];

		snprintf(want, sizeof(want), "disk@%x", i++);
		if (strcmp(fdt_get_name(blob, node, NULL), want))
			return error_set(err, -EINVAL, "disks: /%s: is not %s",
					 fdt_get_name(blob, node, NULL), want);
		ret = decode_disk(list, blob, node, err);
		if (ret)
			return ret;
	}
	return 0;
}
