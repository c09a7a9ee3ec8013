// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: what a destination says that would stop a machine
 *
 * On their way they are lines, each ended by a newline: "stop" or "note", a
 * word that says what it is about, the text, with a blank between. What comes
 * from a peer may hold anything: it is cut into lines of printable characters.
 *
 * Threads: any; no state of its own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "migration/findings.h"
#include "migration/frame.h"
#include "vmm/base/math.h"

#define STOP	"stop"
#define NOTE	"note"

/**
 * findings_init() - nothing was found out yet
 * @f: to be filled
 */
void findings_init(struct findings *f)
{
	f->nr = 0;
	f->stops = 0;
}

static bool is_known(const struct findings *f, const char *text)
{
	u32 i;

	for (i = 0; i < f->nr; i++)
		if (!strcmp(f->v[i].text, text))
			return true;
	return false;
}

/**
 * findings_add() - add one
 * @f: the findings; what they have already is not added again
 * @stops: see struct finding
 * @what: likewise; no blanks
 * @text: likewise
 */
void findings_add(struct findings *f, bool stops, const char *what,
		  const char *text)
{
	struct finding *v;

	if (is_known(f, text))
		return;
	f->stops += stops;
	if (f->nr == FINDINGS_MAX)
		return;
	v = &f->v[f->nr++];
	v->stops = stops;
	snprintf(v->what, sizeof(v->what), "%s", what);
	snprintf(v->text, sizeof(v->text), "%s", text);
}

/**
 * findings_have() - would something of this kind stop it?
 * @f: the findings
 * @what: the word
 *
 * Return: true if so.
 */
bool findings_have(const struct findings *f, const char *what)
{
	u32 i;

	for (i = 0; i < f->nr; i++)
		if (f->v[i].stops && !strcmp(f->v[i].what, what))
			return true;
	return false;
}

/**
 * findings_error() - what would stop it as an error
 * @f: the findings
 * @err: the first of those that would, and how many more there are
 *
 * Return: 0 when there is none, else -ENOTSUP.
 */
int findings_error(const struct findings *f, struct error *err)
{
	const struct finding *v = f->v;

	if (!f->stops)
		return 0;
	while (!v->stops)
		v++;
	if (f->stops == 1)
		return error_set(err, -ENOTSUP, "%s", v->text);
	return error_set(err, -ENOTSUP,
			 "%.400s (and %u more: see 'lkvm migrate --dry-run')",
			 v->text, f->stops - 1);
}

/**
 * findings_encode() - as they are sent
 * @f: the findings
 * @text: out: the lines; the caller frees it
 * @len: out: its bytes, FRAME_FINDINGS_MAX at most
 * @err: filled on failure
 *
 * Return: 0 or -ENOMEM.
 */
int findings_encode(const struct findings *f, char **text, u32 *len,
		    struct error *err)
{
	u32 i;

	static_assert(FINDINGS_MAX * sizeof(struct finding) <=
		      FRAME_FINDINGS_MAX, "they fit into a frame");
	*text = malloc(FRAME_FINDINGS_MAX);
	if (!*text)
		return error_set(err, -ENOMEM, "out of memory");
	*len = 0;
	for (i = 0; i < f->nr; i++)
		*len += (u32)snprintf(*text + *len, FRAME_FINDINGS_MAX - *len,
				      "%s %s %s\n", f->v[i].stops ? STOP : NOTE,
				      f->v[i].what, f->v[i].text);
	return 0;
}

/* One line, its newline replaced by a NUL. */
static bool decode_line(struct findings *f, char *line)
{
	char *what, *text;

	for (what = line; *what; what++)
		if ((u8)*what < ' ' || *what == 0x7f)
			*what = '?';
	what = strchr(line, ' ');
	text = what ? strchr(what + 1, ' ') : NULL;
	if (!text || text == what + 1 || !text[1])
		return false;
	*what++ = '\0';
	*text++ = '\0';
	if (strcmp(line, STOP) && strcmp(line, NOTE))
		return false;
	findings_add(f, !strcmp(line, STOP), what, text);
	return true;
}

/**
 * findings_decode() - as they were received
 * @f: to be filled
 * @text: the lines, untrusted
 * @len: bytes
 * @peer: who has sent them, for the error's text
 * @err: filled on failure
 *
 * Return: 0, -EPROTO for anything else than such lines, or -ENOMEM.
 */
int findings_decode(struct findings *f, const char *text, u32 len,
		    const char *peer, struct error *err)
{
	char *copy = malloc((size_t)len + 1), *line, *end;
	int ret = 0;

	findings_init(f);
	if (!copy)
		return error_set(err, -ENOMEM, "out of memory");
	memcpy(copy, text, len);
	copy[len] = '\0';
	line = copy;
	while (line < copy + len) {
		end = memchr(line, '\n', (size_t)(copy + len - line));
		if (!end)
			break;
		*end = '\0';
		if (!decode_line(f, line))
			break;
		line = end + 1;
	}
	if (line < copy + len)
		ret = error_set(err, -EPROTO, "%s: its findings cannot be read",
				peer);
	free(copy);
	return ret;
}
