// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: fuzzing what a source sends
 *
 * The input is what comes over a connection. Its frames' checksums are made
 * right first, where a bit of the first byte says so, since otherwise they
 * would catch everything. Another bit says what receives it: the hello and all
 * up to the machine description, or the memory of a machine that exists. Where
 * the source asks whether the machine could come, the state and the disks that
 * it has sent are held against one. A third bit has a source receive what a
 * destination answers. What is refused must be refused with a reason.
 */
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "migration/check.h"
#include "migration/image.h"
#include "migration/incoming.h"
#include "migration/machine_state.h"
#include "migration/receive.h"
#include "tests/lib/testvm.h"
#include "vmm/base/math.h"

#define RAM	(64 * KIB)
#define INPUT	(256 * KIB)

/* Of the input's first byte. */
#define FIX_SUMS	BIT(0)
#define TO_MEMORY	BIT(1)
#define TO_SOURCE	BIT(2)

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

/* Header by header, as far as the lengths lead. */
static void fix_sums(u8 *buf, u64 size)
{
	struct frame_header h;
	u64 at = 0, len;

	while (range_fits(at, sizeof(h), size)) {
		memcpy(&h, buf + at, sizeof(h));
		h.magic = cpu_to_le32(FRAME_MAGIC);
		len = le16_to_cpu(h.type) == FRAME_ZERO ? 0 :
			le64_to_cpu(h.len);
		h.sum = 0;
		if (len && range_fits(at + sizeof(h), len, size))
			h.sum = cpu_to_le64(XXH3_64bits(buf + at + sizeof(h),
							len));
		h.head_sum = cpu_to_le64(XXH3_64bits(&h,
				offsetof(struct frame_header, head_sum)));
		memcpy(buf + at, &h, sizeof(h));
		if (!range_fits(at + sizeof(h), len, size))
			return;
		at += sizeof(h) + len;
	}
}

/* What the user gets to see. */
static void check_findings(const struct findings *f)
{
	const char *p;
	u32 i;

	assert(f->nr <= FINDINGS_MAX);
	for (i = 0; i < f->nr; i++) {
		assert(f->v[i].what[0] && f->v[i].text[0]);
		for (p = f->v[i].text; *p; p++)
			assert((u8)*p >= ' ' && *p != 0x7f);
	}
}

static void could_it_come(struct receive *r)
{
	struct error err = ERROR_INIT;
	const struct image_note *note;
	static struct findings f;
	static struct vm *vm;

	/* As little as the device tests have, whose state the corpus holds. */
	if (!vm) {
		vm = testvm_create(2 * MIB);
		testvm_add_pci(vm, "nvme", 0, 1, "null:1M,queues=4");
	}
	findings_init(&f);
	check_disks(r, vm, &f);
	note = image_find_note(r->image, IMAGE_OWNER, IMAGE_NOTE_STATE);
	if (note && machine_state_check(vm, note->data, note->len, true, &f,
					&err))
		assert(*err.text);
	check_findings(&f);
}

/* What the receiver answers goes over what it has read already. */
static void to_receiver(u8 *buf, u64 size)
{
	struct error err = ERROR_INIT;
	struct receive *r = NULL;
	struct channel *ch;
	int ret;

	ret = channel_memory_open(buf, size, &ch, &err);
	if (!ret)
		ret = receive_create(ch, HELLO_LINKS_MAX, 0, &r, &err);
	if (!ret)
		ret = receive_machine(r, &err);
	assert(!ret || *err.text);
	if (!ret && r->check)
		could_it_come(r);
	receive_destroy(r);
}

static void to_source(u8 *buf, u64 size)
{
	static char text[FRAME_FINDINGS_MAX];
	static struct findings f;
	struct error err = ERROR_INIT;
	struct frame_link link;
	struct frame frame;
	struct channel *ch;
	struct hello h;
	int ret;

	ret = channel_memory_open(buf, size, &ch, &err);
	assert(!ret);
	frame_link_init(&link, ch);
	ret = hello_receive(&link, FRAME_WELCOME, &h, &err);
	if (!ret)
		ret = frame_expect(&link, FRAME_CHECKED, &frame, &err);
	if (!ret)
		ret = frame_receive_payload(&link, &frame, text, &err);
	if (!ret)
		ret = findings_decode(&f, text, (u32)frame.len, "peer", &err);
	if (!ret)
		check_findings(&f);
	assert(!ret || *err.text);
	frame_link_close(&link);
}

static struct image *make_image(void)
{
	struct error err = ERROR_INIT;
	static u8 medium[4 * IMAGE_ALIGN];
	struct image *image;
	struct channel *ch;
	int ret;

	ret = channel_memory_open(medium, sizeof(medium), &ch, &err);
	if (!ret)
		ret = image_create(ch, EM_X86_64, &image, &err);
	if (!ret) {
		image_set_transit(image);
		ret = image_add_block(image, "ram", 0, RAM, &err);
	}
	assert(!ret);
	return image;
}

static void receive_all(struct incoming *in, struct frame_link *link)
{
	struct error err = ERROR_INIT;
	struct frame f;
	int ret;

	while ((ret = frame_receive(link, &f, &err)) > 0) {
		if (f.type != FRAME_WRITE && f.type != FRAME_ZERO)
			break;
		ret = incoming_frame(in, link, &f, &err);
		assert(!ret || *err.text);
		if (ret)
			break;
	}
	assert(ret >= 0 || *err.text);
}

static void to_memory(u8 *buf, u64 size)
{
	struct memory_request req = {
		.name = "ram", .gpa = gpa(0), .size = RAM, .fd = -1,
	};
	static struct image *image;
	struct error err = ERROR_INIT;
	struct guest_memory memory;
	struct frame_link link;
	struct incoming in;
	struct channel *ch;
	int ret;

	if (!image)
		image = make_image();
	ret = guest_memory_init(&memory, -1);
	if (!ret)
		ret = guest_memory_add(&memory, &req, &err);
	if (!ret)
		ret = incoming_init(&in, "source", &err);
	if (!ret)
		ret = incoming_attach(&in, image, &memory, &err);
	if (!ret)
		ret = channel_memory_open(buf, size, &ch, &err);
	assert(!ret);
	frame_link_init(&link, ch);
	receive_all(&in, &link);
	frame_link_close(&link);
	incoming_destroy(&in);
	guest_memory_destroy(&memory);
}

/**
 * LLVMFuzzerTestOneInput() - what a source sends
 * @data: the input, see above
 * @size: its bytes
 *
 * Return: 0.
 */
int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static u8 buf[INPUT];

	if (size < 1 || size > sizeof(buf))
		return 0;
	memcpy(buf, data + 1, size - 1);
	if (data[0] & FIX_SUMS)
		fix_sums(buf, size - 1);
	if (data[0] & TO_SOURCE)
		to_source(buf, size - 1);
	else if (data[0] & TO_MEMORY)
		to_memory(buf, size - 1);
	else
		to_receiver(buf, size - 1);
	return 0;
}
