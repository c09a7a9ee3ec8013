// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: frames: what goes over a migration's connections
 *
 * A header of 40 bytes with a checksum of its own, then the payload, whose
 * checksum stands in the header. A peer is not trusted: the type, the length
 * and what must be zero are checked before anything is done with them, and no
 * more is read than the type allows.
 *
 * An error that the peer reports, and the end of a connection, come out as
 * errors of frame_receive() and frame_expect() whatever frame was expected.
 *
 * Threads: one that sends and one that receives, for each link.
 */
#include <string.h>

#include "migration/checksum.h"
#include "migration/frame.h"
#include "vmm/base/math.h"

#define FRAME_TEXT_MAX	(sizeof(((struct error *)0)->text) - 1)

/**
 * struct frame_rule - what a type of frame may hold
 * @name: for error texts
 * @max: most bytes of payload; 0 for no payload
 * @has_pos: the position may be other than 0
 * @has_range: the length is that of a range, and there is no payload
 * @not_empty: the length is not 0
 */
struct frame_rule {
	const char *name;
	u32 max;
	bool has_pos;
	bool has_range;
	bool not_empty;
};

static const struct frame_rule rules[FRAME_TYPES] = {
	[FRAME_HELLO]		= { "hello", 4096 },
	[FRAME_WELCOME]		= { "welcome", 4096 },
	[FRAME_WRITE]		= { "write", FRAME_DATA_MAX, .has_pos = true,
				    .not_empty = true },
	[FRAME_ZERO]		= { "zero", .has_pos = true,
				    .has_range = true, .not_empty = true },
	[FRAME_ROUND]		= { "round", .has_pos = true },
	[FRAME_ROUND_DONE]	= { "round-done", .has_pos = true },
	[FRAME_BUILD]		= { "build" },
	[FRAME_BUILT]		= { "built" },
	[FRAME_LOAD]		= { "load" },
	[FRAME_LOADED]		= { "loaded" },
	[FRAME_TAKE]		= { "take" },
	[FRAME_READY]		= { "ready" },
	[FRAME_GO]		= { "go", .has_pos = true },
	[FRAME_RUNNING]		= { "running" },
	[FRAME_ERROR]		= { "error", FRAME_TEXT_MAX },
	[FRAME_CHECK]		= { "check" },
	[FRAME_CHECKED]		= { "checked", FRAME_FINDINGS_MAX },
};

/**
 * frame_name() - a type in words
 * @type: enum frame_type, or anything
 *
 * Return: its name, "unknown" for none.
 */
const char *frame_name(u32 type)
{
	return type < FRAME_TYPES && rules[type].name ? rules[type].name :
							"unknown";
}

/**
 * frame_has_payload() - does a payload follow the header?
 * @type: enum frame_type
 *
 * Return: true when its length may be other than 0.
 */
bool frame_has_payload(u32 type)
{
	return rules[type].max;
}

/**
 * frame_link_init() - a connection that is to carry frames
 * @link: to be filled
 * @ch: the connection, which is the link's from now on
 */
void frame_link_init(struct frame_link *link, struct channel *ch)
{
	*link = (struct frame_link){ .ch = ch };
}

/**
 * frame_link_close() - end a connection
 * @link: the link; one that is closed or zeroed is fine
 */
void frame_link_close(struct frame_link *link)
{
	channel_close(link->ch);
	link->ch = NULL;
}

static u64 header_sum(const struct frame_header *h)
{
	return checksum(h, offsetof(struct frame_header, head_sum));
}

static int send_frame(struct frame_link *link, struct frame_header *h,
		      const void *data, u64 payload, struct error *err)
{
	struct iovec iov[2] = {
		{ .iov_base = h, .iov_len = sizeof(*h) },
		{ .iov_base = (void *)data, .iov_len = payload },
	};
	int ret;

	h->magic = cpu_to_le32(FRAME_MAGIC);
	h->head_sum = cpu_to_le64(header_sum(h));
	ret = channel_pwritev_all(link->ch, iov, 2, link->sent, err);
	if (!ret)
		link->sent += sizeof(*h) + payload;
	return ret;
}

/**
 * frame_send() - send a frame
 * @link: the connection
 * @type: what it says; not FRAME_ZERO
 * @pos: see struct frame_header
 * @data: the payload; must not change meanwhile
 * @len: its bytes, as many as the type allows at most; 0 without a payload
 * @err: filled on failure
 *
 * Context: may block; &channel.control of the connection ends the wait.
 * Return: 0 or a negative errno; then the connection is of no use any more.
 */
int frame_send(struct frame_link *link, enum frame_type type, u64 pos,
	       const void *data, u64 len, struct error *err)
{
	struct frame_header h = {
		.type = cpu_to_le16((u16)type),
		.pos = cpu_to_le64(pos),
		.len = cpu_to_le64(len),
	};

	assert(!rules[type].has_range && len <= rules[type].max);
	if (len)
		h.sum = cpu_to_le64(checksum(data, len));
	return send_frame(link, &h, data, len, err);
}

/**
 * frame_send_zero() - tell that a range is zero
 * @link: the connection
 * @pos: its first byte
 * @len: bytes
 * @err: filled on failure
 *
 * Return: as frame_send().
 */
int frame_send_zero(struct frame_link *link, u64 pos, u64 len,
		    struct error *err)
{
	struct frame_header h = {
		.type = cpu_to_le16(FRAME_ZERO),
		.pos = cpu_to_le64(pos),
		.len = cpu_to_le64(len),
	};

	return send_frame(link, &h, NULL, 0, err);
}

/**
 * frame_send_error() - tell the peer why this side gives up
 * @link: the connection
 * @why: the reason
 * @err: filled on failure
 *
 * Return: as frame_send().
 */
int frame_send_error(struct frame_link *link, const struct error *why,
		     struct error *err)
{
	return frame_send(link, FRAME_ERROR, 0, why->text,
			  strnlen(why->text, FRAME_TEXT_MAX), err);
}

static int check_header(const struct frame_link *link,
			const struct frame_header *h, struct error *err)
{
	u32 type = le16_to_cpu(h->type);
	u64 pos = le64_to_cpu(h->pos), len = le64_to_cpu(h->len);
	const struct frame_rule *rule;

	if (le32_to_cpu(h->magic) != FRAME_MAGIC)
		return error_set(err, -EPROTO,
				 "%s: does not speak lkvm's migration protocol",
				 link->ch->name);
	if (le64_to_cpu(h->head_sum) != header_sum(h))
		return error_set(err, -EBADMSG,
				 "%s: checksum error in a frame's header",
				 link->ch->name);
	if (type >= FRAME_TYPES || !rules[type].name)
		return error_set(err, -EPROTO,
				 "%s: frame of unknown type %u; is it a newer lkvm?",
				 link->ch->name, type);
	rule = &rules[type];
	if (h->reserved || (pos && !rule->has_pos) ||
	    (rule->not_empty && !len) ||
	    (!rule->has_range && len > rule->max) ||
	    !range_fits(pos, len, INT64_MAX) ||
	    (h->sum && (rule->has_range || !len)))
		return error_set(err, -EPROTO, "%s: malformed %s frame",
				 link->ch->name, rule->name);
	return 0;
}

/* What the peer says may hold anything: one line of printable characters. */
static void clean_text(char *text, u64 len)
{
	u64 i;

	for (i = 0; i < len; i++)
		if ((u8)text[i] < ' ' || text[i] == 0x7f)
			text[i] = '?';
	text[len] = 0;
}

static int peer_failed(struct frame_link *link, const struct frame *frame,
		       struct error *err)
{
	char text[FRAME_TEXT_MAX + 1];
	int ret;

	ret = frame_receive_payload(link, frame, text, err);
	if (ret)
		return ret;
	clean_text(text, frame->len);
	return error_set(err, -EREMOTEIO, "%s: %s", link->ch->name, text);
}

/**
 * frame_receive() - receive a frame's header
 * @link: the connection
 * @frame: out
 * @err: filled on failure
 *
 * The caller receives the payload next, if there is one.
 *
 * Context: may block; &channel.control of the connection ends the wait.
 * Return: 1; 0 when the peer has closed the connection between two frames (@err
 * is not touched); -EREMOTEIO when the peer gave up, with its reason; -EPROTO,
 * -EBADMSG, or what the connection said.
 */
int frame_receive(struct frame_link *link, struct frame *frame,
		  struct error *err)
{
	struct frame_header h;
	int ret;

	ret = channel_pread_all_eof(link->ch, &h, sizeof(h), link->received,
				    err);
	if (ret <= 0)
		return ret;
	link->received += sizeof(h);
	ret = check_header(link, &h, err);
	if (ret)
		return ret;
	*frame = (struct frame){
		.type = le16_to_cpu(h.type),
		.pos = le64_to_cpu(h.pos),
		.len = le64_to_cpu(h.len),
		.sum = le64_to_cpu(h.sum),
	};
	return frame->type == FRAME_ERROR ? peer_failed(link, frame, err) : 1;
}

/**
 * frame_receive_payload() - receive what follows a frame's header
 * @link: the connection
 * @frame: as received
 * @buf: room for &frame.len bytes
 * @err: filled on failure
 *
 * Return: 0, -EBADMSG when it is not what was sent, or what the connection
 * said.
 */
int frame_receive_payload(struct frame_link *link, const struct frame *frame,
			  void *buf, struct error *err)
{
	int ret;

	ret = channel_pread_all(link->ch, buf, frame->len, link->received, err);
	if (ret)
		return ret;
	link->received += frame->len;
	if (frame->len && checksum(buf, frame->len) != frame->sum)
		return error_set(err, -EBADMSG,
				 "%s: checksum error in a %s frame",
				 link->ch->name, frame_name(frame->type));
	return 0;
}

/**
 * frame_expect() - receive the one frame that may come now
 * @link: the connection
 * @type: which
 * @frame: out
 * @err: filled on failure
 *
 * Return: 0, -ENOTCONN when the peer has closed the connection, -EPROTO for
 * another frame, or as frame_receive().
 */
int frame_expect(struct frame_link *link, enum frame_type type,
		 struct frame *frame, struct error *err)
{
	int ret = frame_receive(link, frame, err);

	if (ret < 0)
		return ret;
	if (!ret)
		return error_set(err, -ENOTCONN,
				 "%s: has closed the connection while %s was awaited",
				 link->ch->name, frame_name(type));
	if (frame->type != type)
		return error_set(err, -EPROTO, "%s: %s frame instead of %s",
				 link->ch->name, frame_name(frame->type),
				 frame_name(type));
	return 0;
}
