/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: the guest's small library: text output, strings, random numbers, the
 * command line
 *
 * The guest is one freestanding program on one machine, so its state is
 * global: there is never a second of anything here.
 */
#ifndef TESTS_KVM_GUEST_LIB_H
#define TESTS_KVM_GUEST_LIB_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define ALIGN_UP(x, a)	(((x) + ((a) - 1)) & ~((uint64_t)(a) - 1))
#define MIN(a, b)	((a) < (b) ? (a) : (b))
#define MAX(a, b)	((a) > (b) ? (a) : (b))
#define KIB(n)		((uint64_t)(n) << 10)
#define MIB(n)		((uint64_t)(n) << 20)
#define GIB(n)		((uint64_t)(n) << 30)

/**
 * CHECK - a condition that must hold in a test or driver function
 * @cond: the condition
 * @...:  printf format and arguments that say what was seen
 *
 * Prints file, line and text and returns -1 from the calling function.
 */
#define CHECK(cond, ...)						\
	do {								\
		if (!(cond)) {						\
			report_failure(__FILE__, __LINE__, #cond);	\
			print("guest:   " __VA_ARGS__);			\
			print("\n");					\
			return -1;					\
		}							\
	} while (0)

#define print_format	__attribute__((format(printf, 1, 2)))

void print_format print(const char *fmt, ...);
void report_failure(const char *file, int line, const char *what);

void *memset(void *dst, int c, size_t n);
void *memcpy(void *dst, const void *src, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
bool str_equal(const char *a, const char *b);

/**
 * struct rng - a random number generator that repeats from its seed
 * @state: any value
 */
struct rng {
	uint64_t state;
};

uint64_t rng_next(struct rng *r);
uint32_t rng_below(struct rng *r, uint32_t n);

void args_init(const char *cmdline);
const char *args_line(void);
bool arg_text(const char *key, char *buf, size_t cap);
uint64_t arg_number(const char *key, uint64_t otherwise);
bool arg_is(const char *key, const char *value);

/**
 * struct lock - a lock between CPUs
 * @held: 1 while a CPU has it
 *
 * Not taken from interrupt hooks.
 */
struct lock {
	uint32_t held;
};

void lock_take(struct lock *l);
void lock_release(struct lock *l);

#endif
