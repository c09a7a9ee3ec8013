/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: the few words that every file uses
 *
 * Fixed-width integers in the kernel's spelling, little-endian types and
 * their conversions, and the compiler attributes of the project. Nothing here
 * has state; any thread may use it.
 *
 * sparse (make C=1) treats the types marked __bitwise as distinct: a gpa_t
 * does not turn into a number, nor an __le32 into a u32, but by the functions
 * below.
 */
#ifndef LKVM_BASE_TYPES_H
#define LKVM_BASE_TYPES_H

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef __u8	u8;
typedef __u16	u16;
typedef __u32	u32;
typedef __u64	u64;
typedef __s32	s32;
typedef __s64	s64;

#ifdef __CHECKER__
#define __force			__attribute__((force))
#else
#define __force
#endif

#define __must_check		__attribute__((warn_unused_result))
#define __printf(fmt, args)	__attribute__((format(printf, fmt, args)))
#define __maybe_unused		__attribute__((unused))
#define __cacheline_aligned	__attribute__((aligned(64)))
#define __noreturn		__attribute__((noreturn))

#define likely(x)		__builtin_expect(!!(x), 1)
#define unlikely(x)		__builtin_expect(!!(x), 0)

#define ARRAY_SIZE(a)							\
	(sizeof(a) / sizeof((a)[0]) +					\
	 0 * sizeof(char[1 - 2 * __builtin_types_compatible_p(		\
			__typeof__(a), __typeof__(&(a)[0]))]))

#define container_of(ptr, type, member) __extension__({			\
	const __typeof__(((type *)0)->member) *__member = (ptr);	\
	(type *)((uintptr_t)__member - offsetof(type, member)); })

#define KIB			(1ULL << 10)
#define MIB			(1ULL << 20)
#define GIB			(1ULL << 30)

#define BIT(n)			(1U << (n))
#define BIT_ULL(n)		(1ULL << (n))

/**
 * typedef gpa_t - a guest physical address
 *
 * Made with gpa(), taken apart with gpa_raw(); arithmetic goes through
 * gpa_add(), so that an address is not mixed up with a length.
 */
typedef u64 __bitwise gpa_t;

static inline gpa_t gpa(u64 raw)
{
	return (__force gpa_t)raw;
}

static inline u64 gpa_raw(gpa_t addr)
{
	return (__force u64)addr;
}

/* Wraps at 2^64; whoever adds checks the range with range_fits() first. */
static inline gpa_t gpa_add(gpa_t addr, u64 bytes)
{
	return (__force gpa_t)((__force u64)addr + bytes);
}

static inline u16 le16_to_cpu(__le16 v) { return le16toh((__force u16)v); }
static inline u32 le32_to_cpu(__le32 v) { return le32toh((__force u32)v); }
static inline u64 le64_to_cpu(__le64 v) { return le64toh((__force u64)v); }
static inline __le16 cpu_to_le16(u16 v) { return (__force __le16)htole16(v); }
static inline __le32 cpu_to_le32(u32 v) { return (__force __le32)htole32(v); }
static inline __le64 cpu_to_le64(u64 v) { return (__force __le64)htole64(v); }

#endif /* LKVM_BASE_TYPES_H */
