// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the first frames of each connection
 *
 * They tell versions and which migration a connection belongs to. A later
 * version may add fields behind those of this one, so a longer payload is fine
 * and what is not known of it is ignored. What was added to the first version
 * is 0 when the peer does not send it.
 *
 * Threads: as for frames.
 */
#include <string.h>

#include "migration/hello.h"
#include "vmm/arch.h"
#include "vmm/base/math.h"

#define HELLO_SIZE_MAX	4096

/**
 * hello_send() - send a hello or a welcome
 * @link: the connection
 * @type: FRAME_HELLO or FRAME_WELCOME
 * @hello: what it says; version, architecture and abilities are filled in
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int hello_send(struct frame_link *link, enum frame_type type,
	       const struct hello *hello, struct error *err)
{
	struct hello h = *hello;

	h.version = cpu_to_le32(HELLO_VERSION);
	h.elf_machine = cpu_to_le32(arch_elf_machine);
	h.can = cpu_to_le32(HELLO_CAN_CHECK);
	return frame_send(link, type, 0, &h, sizeof(h), err);
}

static int check(const struct frame_link *link, const struct hello *h,
		 struct error *err)
{
	u32 links = le32_to_cpu(h->links), version = le32_to_cpu(h->version);

	if (version != HELLO_VERSION)
		return error_set(err, -EPROTO,
				 "%s: speaks version %u of the migration protocol, and lkvm %s version %u: bring the %s of the two up to date",
				 link->ch->name, version, LKVM_VERSION,
				 HELLO_VERSION,
				 version > HELLO_VERSION ? "latter" : "former");
	if (le32_to_cpu(h->elf_machine) != arch_elf_machine)
		return error_set(err, -ENOTSUP,
				 "%s: has machines of another architecture (ELF machine %u); this host runs %s",
				 link->ch->name, le32_to_cpu(h->elf_machine),
				 arch_name);
	if (!links || links > HELLO_LINKS_MAX ||
	    le32_to_cpu(h->index) >= links)
		return error_set(err, -EPROTO, "%s: %u of %u connections",
				 link->ch->name, le32_to_cpu(h->index), links);
	return 0;
}

/**
 * hello_receive() - receive a hello or a welcome, and check it
 * @link: the connection
 * @type: FRAME_HELLO or FRAME_WELCOME
 * @hello: out
 * @err: filled on failure
 *
 * Return: 0; -EPROTO or -ENOTSUP for a peer that this lkvm cannot work with;
 * or as frame_expect().
 */
int hello_receive(struct frame_link *link, enum frame_type type,
		  struct hello *hello, struct error *err)
{
	u8 payload[HELLO_SIZE_MAX];
	struct frame f;
	int ret;

	ret = frame_expect(link, type, &f, err);
	if (ret)
		return ret;
	if (f.len < HELLO_SIZE_LEAST || f.len > sizeof(payload))
		return error_set(err, -EPROTO, "%s: malformed %s frame",
				 link->ch->name, frame_name(type));
	ret = frame_receive_payload(link, &f, payload, err);
	if (ret)
		return ret;
	memset(hello, 0, sizeof(*hello));
	memcpy(hello, payload, min_of(sizeof(*hello), (size_t)f.len));
	return check(link, hello, err);
}
