// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: fuzzing what a source sends
 *
 * The input is what comes over a connection. Its frames' checksums are made
 * right first, where a bit of the first byte says so, since otherwise they
 * would catch everything. Another bit says what receives it: the hello and all
 * up to the machine description, or the memory of a machine that exists. What
 * is refused must be refused with a reason.
 */
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "migration/image.h"
#include "migration/incoming.h"
#include "migration/receive.h"
#include "vmm/base/math.h"

#define RAM	(64 * KIB)
#define INPUT	(256 * KIB)

/* Of the input's first byte. */
#define FIX_SUMS	BIT(0)
#define TO_MEMORY	BIT(1)

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
	receive_destroy(r);
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
	if (data[0] & TO_MEMORY)
		to_memory(buf, size - 1);
	else
		to_receiver(buf, size - 1);
	return 0;
}
