// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the machine description: written, read back, and damaged on purpose
 *
 * Classes of our own stand beside those of the product; device_classes() finds
 * them all.
 */
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/harness.h"
#include "tests/lib/random.h"
#include "vmm/arch.h"
#include "vmm/description.h"
#include "vmm/vm.h"

struct disk_config {
	char *file;
	u32 queues;
};

static const struct option_desc disk_opts[] = {
	{
		.name = "file", .arg = "FILE", .type = OPTION_STRING,
		.scope = OPTION_HOST, .min = 1, .required = true, .path = true,
		.no_path = "none:",
		.offset = offsetof(struct disk_config, file),
	}, {
		.name = "queues", .arg = "N", .type = OPTION_U32,
		.scope = OPTION_GUEST, .min = 1, .max = 64, .def = 4,
		.offset = offsetof(struct disk_config, queues),
	},
};

static const struct option_table disk_table = {
	.name = "testdisk", .config_size = sizeof(struct disk_config),
	.positional = "file", .opts = disk_opts, .nr = ARRAY_SIZE(disk_opts),
};

static const struct device_ops no_ops;

static const struct device_class disk_class = {
	.name = "testdisk", .compatible = "lkvm,testdisk",
	.summary = "a disk", .kind = DEVICE_PCI, .max = 40,
	.instance_size = sizeof(struct device), .options = &disk_table,
	.ops = &no_ops,
};

DEVICE_CLASS_REGISTER(disk_class);

/* Every machine has one, and it is no part of what the user counts. */
static const struct device_class always_class = {
	.name = "aalways", .compatible = "lkvm,aalways",
	.summary = "always there", .kind = DEVICE_PCI, .max = 1,
	.by_default = true, .hidden = true,
	.instance_size = sizeof(struct device), .ops = &no_ops,
};

DEVICE_CLASS_REGISTER(always_class);

/* A platform device that no architecture has a place for. */
static const struct device_class nowhere_class = {
	.name = "nowhere", .compatible = "lkvm,nowhere",
	.summary = "nowhere", .kind = DEVICE_PLATFORM, .max = 1,
	.by_default = true, .instance_size = sizeof(struct device),
	.ops = &no_ops,
};

DEVICE_CLASS_REGISTER(nowhere_class);

FIXTURE(description)
{
	struct machine_config machine;
	struct description *d;
	struct error err;
	void *fdt;
};

/* A configuration owns its strings, so they are not const. */
#define STRING(text)	((char[]){ text })

FIXTURE_SETUP(description)
{
	self->machine = (struct machine_config){
		.cpus = 3, .memory = 512 * MIB, .reboot = REBOOT_RESTART,
		.name = strdup("box"), .kernel = strdup("/k"),
		.cmdline = strdup("root=/dev/nvme0n1 quiet"),
	};
}

FIXTURE_TEARDOWN(description)
{
	description_free(self->d);
	free(self->fdt);
	free(self->machine.name);
	free(self->machine.kernel);
	free(self->machine.cmdline);
}

/* Two disks: a.img with 8 queues, b.img. */
static int write_two(struct machine_config *machine, void **fdt,
		     struct error *err)
{
	struct disk_config a = {
		.file = STRING("/nowhere/a.img"), .queues = 8,
	};
	struct disk_config b = { .file = STRING("b.img"), .queues = 4 };
	struct description_request reqs[] = {
		{ &disk_class, &a }, { &disk_class, &b },
	};

	return description_write(machine, reqs, 2, fdt, err);
}

static const struct description_device *find(const struct description *d,
					     const struct device_class *class,
					     u32 index)
{
	u32 i;

	for (i = 0; i < d->nr; i++)
		if (d->devices[i].class == class && d->devices[i].index == index)
			return &d->devices[i];
	return NULL;
}

TEST_F(description, says_what_it_was_told)
{
	const struct description_device *a, *b;
	const struct disk_config *c;

	ASSERT_EQ(0, write_two(&self->machine, &self->fdt, &self->err));
	ASSERT_EQ(0, description_read(self->fdt, fdt_totalsize(self->fdt),
				      &self->d, &self->err))
		TH_LOG("%s", self->err.text);
	EXPECT_EQ(3, self->d->machine->cpus);
	EXPECT_EQ(512 * MIB, self->d->machine->memory);
	EXPECT_STREQ("box", self->d->machine->name);
	EXPECT_STREQ("/k", self->d->machine->kernel);
	EXPECT_STREQ("root=/dev/nvme0n1 quiet", self->d->machine->cmdline);
	EXPECT_EQ(NULL, self->d->machine->initrd);
	EXPECT_EQ(REBOOT_RESTART, self->d->machine->reboot);
	a = find(self->d, &disk_class, 0);
	b = find(self->d, &disk_class, 1);
	ASSERT_TRUE(a && b);
	c = a->config;
	EXPECT_STREQ("/nowhere/a.img", c->file);
	EXPECT_EQ(8, c->queues);
	EXPECT_EQ(a->addr.slot + 1, b->addr.slot);
	EXPECT_EQ(0, a->addr.function);
	EXPECT_NE(NULL, find(self->d, &always_class, 0));
	EXPECT_EQ(NULL, find(self->d, &nowhere_class, 0));
}

TEST_F(description, files_are_named_from_the_root_on)
{
	const struct description_device *b;
	const struct disk_config *c;
	char *cwd = getcwd(NULL, 0);
	char want[4200];

	free(self->machine.kernel);
	self->machine.kernel = strdup("./k");
	ASSERT_EQ(0, write_two(&self->machine, &self->fdt, &self->err));
	ASSERT_EQ(0, chdir("/"));
	ASSERT_EQ(0, description_read(self->fdt, fdt_totalsize(self->fdt),
				      &self->d, &self->err));
	snprintf(want, sizeof(want), "%s/./k", cwd);
	EXPECT_STREQ(want, self->d->machine->kernel);
	b = find(self->d, &disk_class, 1);
	ASSERT_NE(NULL, b);
	c = b->config;
	snprintf(want, sizeof(want), "%s/b.img", cwd);
	EXPECT_STREQ(want, c->file);
	ASSERT_EQ(0, chdir(cwd));
	free(cwd);
}

TEST_F(description, what_is_no_file_keeps_its_name)
{
	struct disk_config c = { .file = STRING("none:1G"), .queues = 1 };
	struct description_request req = { &disk_class, &c };
	const struct description_device *d;

	ASSERT_EQ(0, description_write(&self->machine, &req, 1, &self->fdt,
				       &self->err));
	ASSERT_EQ(0, description_read(self->fdt, fdt_totalsize(self->fdt),
				      &self->d, &self->err));
	d = find(self->d, &disk_class, 0);
	ASSERT_NE(NULL, d);
	EXPECT_STREQ("none:1G", ((const struct disk_config *)d->config)->file);
}

TEST_F(description, written_again_it_is_the_same)
{
	void *again;

	ASSERT_EQ(0, write_two(&self->machine, &self->fdt, &self->err));
	ASSERT_EQ(0, description_read(self->fdt, fdt_totalsize(self->fdt),
				      &self->d, &self->err));
	ASSERT_EQ(0, description_encode(self->d, &again, &self->err));
	ASSERT_EQ(fdt_totalsize(self->fdt), fdt_totalsize(again));
	EXPECT_EQ(0, memcmp(self->fdt, again, fdt_totalsize(again)));
	free(again);
}

TEST_F(description, vm_config_has_defaults)
{
	struct vm_config config;

	ASSERT_EQ(0, write_two(&self->machine, &self->fdt, &self->err));
	ASSERT_EQ(0, description_read(self->fdt, fdt_totalsize(self->fdt),
				      &self->d, &self->err));
	description_vm_config(self->d, &config);
	EXPECT_STREQ("box", config.name);
	EXPECT_EQ(3, config.cpus);
	EXPECT_EQ(512 * MIB, config.memory_bytes);
	EXPECT_STREQ("/dev/kvm", config.kvm_path);
}

TEST_F(description, every_platform_device_is_where_the_architecture_has_it)
{
	const struct device_class *const *classes;
	u32 i, nr;

	classes = device_classes(&nr);
	ASSERT_EQ(0, write_two(&self->machine, &self->fdt, &self->err));
	ASSERT_EQ(0, description_read(self->fdt, fdt_totalsize(self->fdt),
				      &self->d, &self->err));
	for (i = 0; i < nr; i++) {
		bool here = classes[i]->by_default &&
			(classes[i]->kind == DEVICE_PCI ||
			 arch_resource_find(classes[i]->name, 0));

		if (classes[i] == &disk_class)
			continue;
		EXPECT_EQ(here, !!find(self->d, classes[i], 0))
			TH_LOG("class %s", classes[i]->name);
	}
}

TEST_F(description, devices_are_made_in_one_order)
{
	const struct description_device *a, *b;
	u32 i;

	ASSERT_EQ(0, write_two(&self->machine, &self->fdt, &self->err));
	ASSERT_EQ(0, description_read(self->fdt, fdt_totalsize(self->fdt),
				      &self->d, &self->err));
	for (i = 0; i + 1 < self->d->nr; i++) {
		a = &self->d->devices[i];
		b = &self->d->devices[i + 1];
		EXPECT_GE(a->class->host, b->class->host);
		if (a->class->host != b->class->host)
			continue;
		EXPECT_LE(a->class->kind, b->class->kind);
		if (a->class->kind == DEVICE_PCI &&
		    b->class->kind == DEVICE_PCI)
			EXPECT_LT(a->addr.slot, b->addr.slot);
	}
}

TEST_F(description, slots_do_not_depend_on_what_comes_behind)
{
	struct disk_config a = { .file = STRING("a.img"), .queues = 8 };
	struct description_request one = { &disk_class, &a };
	u32 slot;

	ASSERT_EQ(0, description_write(&self->machine, &one, 1, &self->fdt,
				       &self->err));
	ASSERT_EQ(0, description_read(self->fdt, fdt_totalsize(self->fdt),
				      &self->d, &self->err));
	slot = find(self->d, &disk_class, 0)->addr.slot;
	description_free(self->d);
	free(self->fdt);
	self->d = NULL;
	ASSERT_EQ(0, write_two(&self->machine, &self->fdt, &self->err));
	ASSERT_EQ(0, description_read(self->fdt, fdt_totalsize(self->fdt),
				      &self->d, &self->err));
	EXPECT_EQ(slot, find(self->d, &disk_class, 0)->addr.slot);
}

TEST_F(description, what_takes_too_much_is_refused)
{
	char *words = malloc(DESCRIPTION_MAX + 1);

	ASSERT_NE(NULL, words);
	memset(words, 'a', DESCRIPTION_MAX);
	words[DESCRIPTION_MAX] = 0;
	free(self->machine.cmdline);
	self->machine.cmdline = words;
	EXPECT_EQ(-E2BIG, description_write(&self->machine, NULL, 0,
					    &self->fdt, &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "1024 KiB"));
	EXPECT_EQ(NULL, self->fdt);
}

TEST_F(description, too_many_devices_are_refused)
{
	struct disk_config c = { .file = STRING("x"), .queues = 1 };
	struct description_request reqs[41];
	u32 i;

	for (i = 0; i < 41; i++)
		reqs[i] = (struct description_request){ &disk_class, &c };
	EXPECT_EQ(-EINVAL, description_write(&self->machine, reqs, 41,
					     &self->fdt, &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "at most 40"));
	EXPECT_EQ(-EINVAL, description_write(&self->machine, reqs, 40,
					     &self->fdt, &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "more than 31 PCI devices"))
		TH_LOG("%s", self->err.text);
	reqs[0] = (struct description_request){ &nowhere_class, NULL };
	EXPECT_EQ(-EINVAL, description_write(&self->machine, reqs, 1,
					     &self->fdt, &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "no place for it"));
}

/* ---- damage ------------------------------------------------------------- */

enum damage_kind {
	SET,		/* a property gets this value */
	DROP,		/* a property goes */
	ADD_NODE,	/* a sub-node comes */
	DROP_NODE,	/* the node goes */
	RENAME,		/* the node gets another name */
};

struct damage {
	enum damage_kind kind;
	const char *node;
	const char *name;
	const char *value;
	int len;
	const char *says;
};

#define DAMAGE(_kind, _node, _name, _value, _says)			\
	{								\
		.kind = _kind, .node = _node, .name = _name,		\
		.value = _value, .len = sizeof(_value) - 1, .says = _says, \
	}

static const struct damage damages[] = {
	DAMAGE(SET, "/", "compatible", "lkvm,machine-v2\0", "compatible"),
	DAMAGE(SET, "/", "compatible", "lkvm,machine-v1", "not a string"),
	DAMAGE(DROP, "/", "compatible", "", "compatible: property is missing"),
	DAMAGE(SET, "/", "extra", "", "extra: unknown property"),
	DAMAGE(ADD_NODE, "/", "extra", "", "extra: unknown node"),
	DAMAGE(DROP_NODE, "/machine", "", "", "machine: node is missing"),
	DAMAGE(DROP_NODE, "/devices", "", "", "devices: node is missing"),
	DAMAGE(SET, "/machine", "arch", "vax\0", "/machine: arch"),
	DAMAGE(SET, "/machine", "more", "\1", "more: unknown property"),
	DAMAGE(DROP, "/machine", "arch", "", "arch: property is missing"),
	DAMAGE(DROP_NODE, "/machine/guest", "", "", "guest: node is missing"),
	DAMAGE(SET, "/machine/guest", "cpus", "\0\0\0\0", "cpus=0"),
	DAMAGE(SET, "/machine/guest", "cpus", "\0\0\1\0", "cpus=256"),
	DAMAGE(SET, "/machine/guest", "memory", "\0\0\0\1", "memory"),
	DAMAGE(SET, "/machine/guest", "memory", "\377\377\377\377\377\377\377\377", "memory="),
	DAMAGE(SET, "/machine/guest", "name", "x\0", "name: unknown property"),
	DAMAGE(SET, "/machine/host", "reboot", "never\0", "reboot=never"),
	DAMAGE(SET, "/machine/host", "kernel", "a\0b\0", "kernel"),
	DAMAGE(SET, "/machine/host", "kernel", "a\33[2J\0", "control character"),
	DAMAGE(SET, "/devices", "x", "", "/devices: x: unknown property"),
	DAMAGE(ADD_NODE, "/devices", "new", "", "new: compatible: property is missing"),
	DAMAGE(SET, "/devices/testdisk0", "compatible", "lkvm,other\0", "testdisk0: compatible"),
	DAMAGE(SET, "/devices/testdisk0", "index", "\0\0\0\50", "index=40"),
	DAMAGE(SET, "/devices/testdisk0", "index", "\0\0\0\1", "named unlike testdisk1"),
	DAMAGE(SET, "/devices/testdisk0", "index", "\0", "index"),
	DAMAGE(DROP, "/devices/testdisk0", "index", "", "index: property is missing"),
	DAMAGE(SET, "/devices/testdisk0", "slot", "\0\0\0\40", "slot=32"),
	DAMAGE(SET, "/devices/testdisk0", "slot", "\0\0\0\0", "host bridge"),
	DAMAGE(SET, "/devices/testdisk0", "function", "\0\0\0\10", "function=8"),
	DAMAGE(DROP, "/devices/testdisk0", "slot", "", "slot: property is missing"),
	DAMAGE(SET, "/devices/testdisk0", "gsi", "\0\0\0\1", "gsi: unknown property"),
	DAMAGE(ADD_NODE, "/devices/testdisk0", "state", "", "state: unknown node"),
	DAMAGE(DROP_NODE, "/devices/testdisk0/host", "", "", "host: node is missing"),
	DAMAGE(DROP, "/devices/testdisk0/host", "file", "", "file: missing"),
	DAMAGE(SET, "/devices/testdisk0/guest", "queues", "\0\0\0\101",
	       "testdisk0: guest: testdisk: queues=65"),
	DAMAGE(SET, "/devices/testdisk0/guest", "\33[2J", "", "?[2J"),
	DAMAGE(RENAME, "/devices/testdisk0", "testdisk7", "", "testdisk7: is named unlike"),
};

static void do_damage(void *tree, const struct damage *d)
{
	int node = fdt_path_offset(tree, d->node), ret = 0;

	switch (d->kind) {
	case SET:
		ret = fdt_setprop(tree, node, d->name, d->value, d->len);
		break;
	case DROP:
		ret = fdt_delprop(tree, node, d->name);
		break;
	case ADD_NODE:
		ret = fdt_add_subnode(tree, node, d->name) < 0;
		break;
	case DROP_NODE:
		ret = fdt_del_node(tree, node);
		break;
	case RENAME:
		ret = fdt_set_name(tree, node, d->name);
		break;
	}
	assert(!ret);
}

TEST_F(description, each_damage_is_refused_and_named)
{
	static u8 tree[DESCRIPTION_MAX];
	unsigned int i;

	ASSERT_EQ(0, write_two(&self->machine, &self->fdt, &self->err));
	for (i = 0; i < ARRAY_SIZE(damages); i++) {
		ASSERT_EQ(0, fdt_open_into(self->fdt, tree, sizeof(tree)));
		do_damage(tree, &damages[i]);
		EXPECT_EQ(-EINVAL, description_read(tree, fdt_totalsize(tree),
						    &self->d, &self->err))
			TH_LOG("case %u: %s", i, damages[i].says);
		EXPECT_NE(NULL, strstr(self->err.text, damages[i].says))
			TH_LOG("case %u: \"%s\" is not in \"%s\"", i,
			       damages[i].says, self->err.text);
		EXPECT_EQ(NULL, strchr(self->err.text, '\33'));
	}
}

TEST_F(description, two_devices_in_one_place_are_refused)
{
	static u8 tree[DESCRIPTION_MAX];
	u32 slot;
	int a, b;

	ASSERT_EQ(0, write_two(&self->machine, &self->fdt, &self->err));
	ASSERT_EQ(0, fdt_open_into(self->fdt, tree, sizeof(tree)));
	a = fdt_path_offset(tree, "/devices/testdisk0");
	slot = fdt32_ld(fdt_getprop(tree, a, "slot", NULL));
	b = fdt_path_offset(tree, "/devices/testdisk1");
	ASSERT_EQ(0, fdt_setprop_u32(tree, b, "slot", slot));
	EXPECT_EQ(-EINVAL, description_read(tree, fdt_totalsize(tree),
					    &self->d, &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "is where testdisk"))
		TH_LOG("%s", self->err.text);
}

TEST_F(description, another_place_of_a_platform_device_is_refused)
{
	static u8 tree[DESCRIPTION_MAX];
	const char *name;
	int sub, devices, tried = 0;

	ASSERT_EQ(0, write_two(&self->machine, &self->fdt, &self->err));
	ASSERT_EQ(0, fdt_open_into(self->fdt, tree, sizeof(tree)));
	devices = fdt_path_offset(tree, "/devices");
	fdt_for_each_subnode(sub, tree, devices) {
		const void *base = fdt_getprop(tree, sub, "base", NULL);

		if (!base)
			continue;
		tried++;
		name = fdt_get_name(tree, sub, NULL);
		ASSERT_EQ(0, fdt_setprop_inplace_u64(tree, sub, "base",
						     fdt64_ld(base) + 8));
		EXPECT_EQ(-EINVAL, description_read(tree, fdt_totalsize(tree),
						    &self->d, &self->err));
		EXPECT_NE(NULL, strstr(self->err.text, name));
		EXPECT_NE(NULL, strstr(self->err.text, "this lkvm has it at"));
		ASSERT_EQ(0, fdt_setprop_inplace_u64(tree, sub, "base",
						     fdt64_ld(base) - 8));
	}
	/* There is at least the host bridge. */
	EXPECT_GT(tried, 0);
}

TEST_F(description, short_and_huge_ones_are_refused)
{
	size_t size, n;
	u8 *copy;

	ASSERT_EQ(0, write_two(&self->machine, &self->fdt, &self->err));
	size = fdt_totalsize(self->fdt);
	EXPECT_EQ(-EINVAL, description_read(self->fdt, DESCRIPTION_MAX + 1,
					    &self->d, &self->err));
	/* A copy of exactly that size: a sanitizer sees each byte behind it. */
	for (n = 0; n < size; n += n < 64 ? 1 : 37) {
		copy = malloc(n);
		memcpy(copy, self->fdt, n);
		EXPECT_EQ(-EINVAL, description_read(copy, n, &self->d,
						    &self->err))
			TH_LOG("cut at %zu", n);
		free(copy);
	}
}

/* Whatever comes, there is a description or an error, never a crash. */
TEST_F(description, random_bytes_do_no_harm)
{
	struct test_random rnd;
	size_t size, k;
	u32 round, read = 0;
	u8 *copy;

	test_random_init(&rnd);
	ASSERT_EQ(0, write_two(&self->machine, &self->fdt, &self->err));
	size = fdt_totalsize(self->fdt);
	copy = malloc(size);
	ASSERT_NE(NULL, copy);
	for (round = 0; round < 20000; round++) {
		struct description *d = NULL;
		u64 hits = 1 + test_random_below(&rnd, 4);

		memcpy(copy, self->fdt, size);
		for (k = 0; k < hits; k++)
			copy[test_random_below(&rnd, size)] =
				(u8)test_random_u64(&rnd);
		if (!description_read(copy, size, &d, &self->err)) {
			read++;
			description_free(d);
		}
	}
	free(copy);
	/* Some hits change only a letter of a path. */
	EXPECT_GT(read, 0);
	EXPECT_LT(read, 20000);
}

TEST_HARNESS_MAIN
