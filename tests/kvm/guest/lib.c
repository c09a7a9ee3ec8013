// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: text output, strings, random numbers, the command line
 *
 * print() builds a whole piece of text in a buffer and hands it to the console
 * under a lock, so lines of several CPUs do not mix. It knows %s %c %d %u %x
 * %% with a width, zero padding, and the lengths l and z.
 */
#include "tests/kvm/guest/lib.h"
#include "tests/kvm/guest/platform.h"
#include "tests/kvm/stamp.h"

#define PRINT_MAX	320
#define CMDLINE_MAX	2048

static struct lock print_lock;
static char cmdline[CMDLINE_MAX];

/**
 * struct text - a bounded buffer that text is added to
 * @buf: the characters
 * @len: how many are in use
 */
struct text {
	char buf[PRINT_MAX];
	size_t len;
};

static void text_char(struct text *t, char c)
{
	if (t->len < sizeof(t->buf))
		t->buf[t->len++] = c;
}

static void text_string(struct text *t, const char *s, unsigned int width)
{
	size_t n = strlen(s);

	while (*s)
		text_char(t, *s++);
	while (n++ < width)
		text_char(t, ' ');
}

static void text_number(struct text *t, uint64_t v, unsigned int base,
			unsigned int width, char pad)
{
	char digits[20];
	unsigned int n = 0;

	do {
		digits[n++] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	while (width > n) {
		text_char(t, pad);
		width--;
	}
	while (n)
		text_char(t, digits[--n]);
}

/* One conversion; fmt points behind the percent sign. Returns what follows. */
static const char *text_convert(struct text *t, const char *fmt, va_list *ap)
{
	unsigned int width = 0;
	bool is_long = false;
	char pad = ' ';
	int64_t v;

	if (*fmt == '-')
		fmt++;
	if (*fmt == '0')
		pad = '0';
	while (*fmt >= '0' && *fmt <= '9')
		width = width * 10 + (unsigned int)(*fmt++ - '0');
	while (*fmt == 'l' || *fmt == 'z') {
		is_long = true;
		fmt++;
	}
	switch (*fmt) {
	case 's':
		text_string(t, va_arg(*ap, const char *), width);
		break;
	case 'c':
		text_char(t, (char)va_arg(*ap, int));
		break;
	case 'd':
		v = is_long ? va_arg(*ap, int64_t) : va_arg(*ap, int);
		if (v < 0)
			text_char(t, '-');
		text_number(t, v < 0 ? -(uint64_t)v : (uint64_t)v, 10, width,
			    pad);
		break;
	case 'u':
	case 'x':
		text_number(t, is_long ? va_arg(*ap, uint64_t) :
			    va_arg(*ap, unsigned int),
			    *fmt == 'x' ? 16 : 10, width, pad);
		break;
	default:
		text_char(t, *fmt);
	}
	return *fmt ? fmt + 1 : fmt;
}

/**
 * print - write formatted text to the console
 * @fmt: printf format, see above for what is known
 *
 * Context: any CPU, not from an interrupt hook.
 */
void print(const char *fmt, ...)
{
	struct text t = { .len = 0 };
	va_list ap;

	va_start(ap, fmt);
	while (*fmt) {
		if (*fmt == '%')
			fmt = text_convert(&t, fmt + 1, &ap);
		else
			text_char(&t, *fmt++);
	}
	va_end(ap);
	lock_take(&print_lock);
	console_write(t.buf, t.len);
	lock_release(&print_lock);
}

/**
 * report_failure - say that a check failed
 * @file: source file
 * @line: line in it
 * @what: the condition that does not hold
 */
void report_failure(const char *file, int line, const char *what)
{
	print("guest: FAILED %s:%d: %s\n", file, line, what);
}

/**
 * memset - the C library's function; the compiler calls it too
 * @dst: where to
 * @c:   the byte
 * @n:   how many
 *
 * Return: @dst.
 */
void *memset(void *dst, int c, size_t n)
{
	void *d = dst;

	bytes_set(d, c, n);
	return dst;
}

/**
 * memcpy - the C library's function; the compiler calls it too
 * @dst: where to
 * @src: where from
 * @n:   how many bytes
 *
 * Return: @dst.
 */
void *memcpy(void *dst, const void *src, size_t n)
{
	bytes_copy(dst, src, n);
	return dst;
}

/**
 * memcmp - the C library's function; the compiler calls it too
 * @a: one
 * @b: other
 * @n: how many bytes
 *
 * Return: the difference of the first two bytes that differ, or 0.
 */
int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;

	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

/**
 * strlen - the C library's function
 * @s: a string
 *
 * Return: its length without the NUL.
 */
size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

/**
 * str_equal - compare two strings
 * @a: one
 * @b: other
 *
 * Return: true if they are the same.
 */
bool str_equal(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

/**
 * rng_next - the next random number
 * @r: generator
 *
 * Return: 64 random bits.
 */
uint64_t rng_next(struct rng *r)
{
	r->state += 0x9e3779b97f4a7c15ull;
	return stamp_mix(r->state);
}

/**
 * rng_below - a random number in a range
 * @r: generator
 * @n: end of the range, above 0
 *
 * Return: a number in [0, @n).
 */
uint32_t rng_below(struct rng *r, uint32_t n)
{
	return (uint32_t)(((rng_next(r) >> 32) * n) >> 32);
}

/**
 * args_init - keep a copy of the kernel command line
 * @line: the text, or NULL if there is none
 */
void args_init(const char *line)
{
	size_t n = line ? MIN(strlen(line), sizeof(cmdline) - 1) : 0;

	memcpy(cmdline, line, n);
	cmdline[n] = '\0';
}

/**
 * args_line - the command line
 *
 * Return: the whole text.
 */
const char *args_line(void)
{
	return cmdline;
}

/* The text behind "key=" of the last such word, or NULL. */
static const char *arg_find(const char *key)
{
	const size_t n = strlen(key);
	const char *found = NULL;
	const char *p = cmdline;

	while (*p) {
		if (!memcmp(p, key, n) && p[n] == '=')
			found = p + n + 1;
		while (*p && *p != ' ')
			p++;
		while (*p == ' ')
			p++;
	}
	return found;
}

/**
 * arg_text - get the value of a word key=value of the command line
 * @key: which; the last one counts
 * @buf: takes the value, cut off if it is too long, and a NUL
 * @cap: size of @buf
 *
 * Return: true if the word is there; else @buf is empty.
 */
bool arg_text(const char *key, char *buf, size_t cap)
{
	const char *v = arg_find(key);
	size_t n = 0;

	if (v)
		for (; v[n] && v[n] != ' ' && n < cap - 1; n++)
			buf[n] = v[n];
	buf[n] = '\0';
	return v;
}

/**
 * arg_number - get a number from the command line
 * @key:       as for arg_text()
 * @otherwise: what it is if the word is not there
 *
 * Decimal, or hexadecimal after 0x.
 *
 * Return: the number.
 */
uint64_t arg_number(const char *key, uint64_t otherwise)
{
	const char *v = arg_find(key);
	unsigned int base = 10;
	uint64_t n = 0;

	if (!v)
		return otherwise;
	if (v[0] == '0' && v[1] == 'x') {
		base = 16;
		v += 2;
	}
	for (; *v && *v != ' '; v++) {
		unsigned int d = *v >= 'a' ? (unsigned int)(*v - 'a') + 10 :
					     (unsigned int)(*v - '0');

		if (d >= base)
			break;
		n = n * base + d;
	}
	return n;
}

/**
 * arg_is - does the command line say key=value
 * @key:   as for arg_text()
 * @value: what to compare with
 *
 * Return: true if it does.
 */
bool arg_is(const char *key, const char *value)
{
	char buf[64];

	return arg_text(key, buf, sizeof(buf)) && str_equal(buf, value);
}

/**
 * lock_take - take a lock
 * @l: lock
 */
void lock_take(struct lock *l)
{
	/* Acquire: pairs with the release in lock_release(). */
	while (__atomic_exchange_n(&l->held, 1, __ATOMIC_ACQUIRE))
		cpu_relax();
}

/**
 * lock_release - give a lock back
 * @l: lock, taken by this CPU
 */
void lock_release(struct lock *l)
{
	/* Release: pairs with the acquire in lock_take(). */
	__atomic_store_n(&l->held, 0, __ATOMIC_RELEASE);
}
