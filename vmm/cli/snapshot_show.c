// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: lkvm snapshot show: what is in an image
 *
 * Only what any image has is relied upon: an image of another architecture, or
 * of a machine with devices that this lkvm does not know, is shown as well.
 * Its checksums over headers and notes were right when it could be opened;
 * those of memory are for "lkvm snapshot verify".
 */
#include <elf.h>
#include <json-c/json.h>
#include <libfdt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "vmm/base/math.h"
#include "vmm/cli/cli.h"
#include "vmm/cli/output.h"
#include "vmm/cli/progress.h"
#include "vmm/cli/snapshot.h"
#include "vmm/cli/tree_print.h"

static const struct {
	const char *name;
	u32 type;
} trees[] = {
	{ "machine", IMAGE_NOTE_MACHINE },
	{ "state", IMAGE_NOTE_STATE },
	{ "disks", IMAGE_NOTE_DISKS },
	{ "layout", IMAGE_NOTE_LAYOUT },
};

/**
 * struct shown - an image that is being shown
 * @path: the file
 * @image: the image
 * @tree: those of &trees that it has, checked; NULL for none
 * @disk_bytes: what the file takes on its disk
 */
struct shown {
	const char *path;
	const struct image *image;
	const void *tree[ARRAY_SIZE(trees)];
	u64 disk_bytes;
};

static const void *find_tree(const struct shown *s, u32 type)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(trees); i++)
		if (trees[i].type == type)
			return s->tree[i];
	return NULL;
}

static int check_trees(struct shown *s, struct error *err)
{
	const struct image_note *note;
	int ret = 0;
	u32 i;

	for (i = 0; !ret && i < ARRAY_SIZE(trees); i++) {
		note = image_find_note(s->image, IMAGE_OWNER, trees[i].type);
		if (!note)
			continue;
		ret = tree_check(note->data, note->len, err);
		if (ret)
			error_prefix(err, "%s: note \"%s\"", s->path,
				     trees[i].name);
		s->tree[i] = note->data;
	}
	return ret;
}

static const char *text_at(const void *tree, const char *path,
			   const char *name)
{
	return tree ? tree_text(tree, path, name) : "?";
}

static u64 age_s(const struct image *image)
{
	struct timespec ts;
	u64 then = image->created_ns / 1000000000;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (u64)ts.tv_sec > then ? (u64)ts.tv_sec - then : 0;
}

static void add_text(struct json_object *obj, const char *key, const char *v)
{
	json_object_object_add(obj, key, json_object_new_string(v));
}

static void add_int(struct json_object *obj, const char *key, u64 v)
{
	json_object_object_add(obj, key, json_object_new_uint64(v));
}

static const char *id_text(const struct image *image, char *buf, size_t len)
{
	u32 i;

	for (i = 0; i < sizeof(image->id); i++)
		snprintf(buf + 2 * i, len - 2 * i, "%02x", image->id[i]);
	return buf;
}

static const char *time_text(const struct image *image, char *buf, size_t len)
{
	time_t when = (time_t)(image->created_ns / 1000000000);
	struct tm tm;

	if (!gmtime_r(&when, &tm) || !strftime(buf, len, "%FT%TZ", &tm))
		snprintf(buf, len, "?");
	return buf;
}

/* ---- for a program ------------------------------------------------------ */

static struct json_object *blocks_json(const struct image *image)
{
	struct json_object *list = json_object_new_array(), *obj;
	u32 i;

	for (i = 0; i < image->blocks_nr; i++) {
		const struct image_block *b = &image->blocks[i];

		obj = json_object_new_object();
		add_text(obj, "name", b->name);
		add_int(obj, "address", b->gpa);
		add_int(obj, "bytes", b->size);
		add_int(obj, "position", b->pos);
		json_object_array_add(list, obj);
	}
	return list;
}

static struct json_object *notes_json(const struct image *image)
{
	struct json_object *list = json_object_new_array(), *obj;
	u32 i;

	for (i = 0; i < image->notes_nr; i++) {
		obj = json_object_new_object();
		add_text(obj, "owner", image->notes[i].owner);
		add_int(obj, "type", image->notes[i].type);
		add_int(obj, "bytes", image->notes[i].len);
		json_object_array_add(list, obj);
	}
	return list;
}

static void show_json(const struct shown *s)
{
	const void *machine = find_tree(s, IMAGE_NOTE_MACHINE);
	const void *disks = find_tree(s, IMAGE_NOTE_DISKS);
	struct json_object *obj = json_object_new_object();
	char text[64];

	add_text(obj, "file", s->path);
	add_int(obj, "format", IMAGE_VERSION);
	add_text(obj, "version", text_at(find_tree(s, IMAGE_NOTE_LAYOUT), "/",
					 "lkvm-version"));
	add_text(obj, "arch", text_at(machine, "/machine", "arch"));
	add_text(obj, "id", id_text(s->image, text, sizeof(text)));
	add_text(obj, "created", time_text(s->image, text, sizeof(text)));
	add_int(obj, "age-s", age_s(s->image));
	add_int(obj, "bytes", s->image->size);
	add_int(obj, "disk-bytes", s->disk_bytes);
	json_object_object_add(obj, "blocks", blocks_json(s->image));
	json_object_object_add(obj, "notes", notes_json(s->image));
	json_object_object_add(obj, "description",
			       machine ? tree_to_json(machine, 0) : NULL);
	json_object_object_add(obj, "disks",
			       disks ? tree_to_json(disks, 0) : NULL);
	output_print_json(obj);
	json_object_put(obj);
}

/* ---- for a person ------------------------------------------------------- */

/* "name=value" of each property of a node, but for those that say its kind. */
static void put_properties(const void *tree, int node)
{
	const char *name;
	int prop;

	if (node < 0)
		return;
	fdt_for_each_property_offset(prop, tree, node) {
		fdt_getprop_by_offset(tree, prop, &name, NULL);
		if (!name || !strcmp(name, "compatible") ||
		    !strcmp(name, "index"))
			continue;
		putchar(' ');
		tree_print_property(tree, prop, stdout);
	}
}

static void put_options(const void *tree, int node)
{
	put_properties(tree, fdt_subnode_offset(tree, node, "guest"));
	put_properties(tree, fdt_subnode_offset(tree, node, "host"));
	putchar('\n');
}

static void show_machine(const void *tree)
{
	int node = fdt_path_offset(tree, "/machine"), sub;
	int devices = fdt_path_offset(tree, "/devices");

	printf("\nmachine\n ");
	if (node >= 0)
		put_options(tree, node);
	printf("\ndevices\n");
	if (devices < 0)
		return;
	fdt_for_each_subnode(sub, tree, devices) {
		printf("  %-12s", fdt_get_name(tree, sub, NULL));
		put_properties(tree, sub);
		put_options(tree, sub);
	}
}

static void show_blocks(const struct image *image)
{
	char bytes[32];
	u32 i;

	printf("\nmemory\n");
	for (i = 0; i < image->blocks_nr; i++) {
		const struct image_block *b = &image->blocks[i];

		printf("  %-12s %11s at 0x%llx, position 0x%llx\n", b->name,
		       progress_bytes(b->size, bytes, sizeof(bytes)), b->gpa,
		       b->pos);
	}
}

/* Whatever is told about disks: a line for each node. */
static void show_disks(const void *tree)
{
	int sub;

	printf("\ndisks\n");
	fdt_for_each_subnode(sub, tree, 0) {
		printf("  %-12s", fdt_get_name(tree, sub, NULL));
		put_properties(tree, sub);
		putchar('\n');
	}
}

static const char *note_name(const struct image_note *note)
{
	u32 i;

	if (!strcmp(note->owner, "CORE") && note->type == NT_PRSTATUS)
		return "registers of a vCPU";
	if (!strcmp(note->owner, "VMCOREINFO"))
		return "of the guest's kernel, for debuggers";
	for (i = 0; i < ARRAY_SIZE(trees); i++)
		if (!strcmp(note->owner, IMAGE_OWNER) &&
		    note->type == trees[i].type)
			return trees[i].name;
	return "";
}

static void show_notes(const struct image *image)
{
	u32 i;

	printf("\nnotes\n");
	for (i = 0; i < image->notes_nr; i++)
		printf("  %-12s type 0x%08x %8llu bytes  %s\n",
		       image->notes[i].owner, image->notes[i].type,
		       image->notes[i].len, note_name(&image->notes[i]));
}

static void show_age(const struct image *image)
{
	u64 s = age_s(image);
	char text[64];

	printf("  taken        %s, ", time_text(image, text, sizeof(text)));
	if (s < 120)
		printf("%llu s ago\n", s);
	else if (s < 7200)
		printf("%llu min ago\n", s / 60);
	else if (s < 172800)
		printf("%llu h ago\n", s / 3600);
	else
		printf("%llu days ago\n", s / 86400);
}

static void show_text(const struct shown *s)
{
	const void *machine = find_tree(s, IMAGE_NOTE_MACHINE);
	const void *disks = find_tree(s, IMAGE_NOTE_DISKS);
	const struct image *image = s->image;
	char text[64], more[32];
	u64 pages = 0;
	u32 i;

	for (i = 0; i < image->blocks_nr; i++)
		pages += image->blocks[i].size / IMAGE_PAGE;
	printf("%s\n", s->path);
	show_age(image);
	printf("  by           lkvm %s, format %u, %s\n",
	       text_at(find_tree(s, IMAGE_NOTE_LAYOUT), "/", "lkvm-version"),
	       IMAGE_VERSION, text_at(machine, "/machine", "arch"));
	printf("  id           %s\n", id_text(image, text, sizeof(text)));
	printf("  size         %s, on disk %s\n",
	       progress_bytes(image->size, text, sizeof(text)),
	       progress_bytes(s->disk_bytes, more, sizeof(more)));
	printf("  checksums    of headers and notes: right; of %llu pages: see %s\n",
	       pages, "'lkvm snapshot verify'");
	if (machine)
		show_machine(machine);
	show_blocks(image);
	if (disks)
		show_disks(disks);
	show_notes(image);
}

/* All trees as one, which dtc takes. */
static void show_dts(const struct shown *s)
{
	u32 i;

	printf("/dts-v1/;\n\n/ {\n");
	for (i = 0; i < ARRAY_SIZE(trees); i++)
		if (s->tree[i])
			tree_print_dts(s->tree[i], trees[i].name, stdout);
	printf("};\n");
}

/**
 * snapshot_show() - lkvm snapshot show
 * @opts: the options
 * @path: the file
 *
 * Return: an exit code.
 */
int snapshot_show(const struct snapshot_options *opts, const char *path)
{
	struct shown s = { .path = path };
	struct error err = ERROR_INIT;
	struct image *image;
	struct stat st;
	int code = EXIT_OK;

	if (snapshot_image_open(path, NULL, &image, &err))
		return cli_fail(EXIT_ERROR, &err);
	s.image = image;
	if (!fstat(channel_file_fd(image->ch), &st))
		s.disk_bytes = (u64)st.st_blocks * 512;
	if (check_trees(&s, &err))
		code = cli_fail(EXIT_ERROR, &err);
	else if (opts->json)
		show_json(&s);
	else if (opts->dts)
		show_dts(&s);
	else
		show_text(&s);
	snapshot_image_close(image);
	return code;
}
