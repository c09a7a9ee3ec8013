/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: device state as plain structs described by tables
 *
 * What a device saves is a plain struct of fixed-width integers, byte arrays
 * and nested such structs, and one table of fields. Every byte of the struct
 * belongs to exactly one field (a test walks all registered classes and names
 * the bytes that do not), so there is no implicit padding. The table is all
 * that encoding, decoding, range checks, dumps and documentation know;
 * migration/state_tree.c does them on device trees.
 *
 * The struct models the device of the specification, not our implementation.
 * A new field is appended with a default for images that lack it; a changed
 * meaning is a new name, an incompatible layout a new @compatible.
 */
#ifndef LKVM_STATE_H
#define LKVM_STATE_H

#include "vmm/base/error.h"
#include "vmm/base/types.h"

/**
 * enum state_kind - what a field holds
 * @STATE_KIND_U8: u8, or an array of them with ranges (see STATE_KIND_BYTES)
 * @STATE_KIND_U16: u16 or an array
 * @STATE_KIND_U32: u32 or an array
 * @STATE_KIND_U64: u64 or an array
 * @STATE_KIND_BYTES: opaque bytes without a range
 * @STATE_KIND_STRUCT: nested structs, each a sub-node name@index
 */
enum state_kind {
	STATE_KIND_U8,
	STATE_KIND_U16,
	STATE_KIND_U32,
	STATE_KIND_U64,
	STATE_KIND_BYTES,
	STATE_KIND_STRUCT,
};

struct state_desc;

#define STATE_NO_COUNT	UINT32_MAX

/**
 * struct state_field - one property of a device's state
 * @name: property or sub-node name: lower case, digits, "-"
 * @kind: see enum state_kind
 * @offset: in the state struct
 * @capacity: elements that the struct has room for; 1 for a scalar
 * @count_offset: offset of the u32 that says how many elements are in use
 *                (that u32 belongs to this field), or STATE_NO_COUNT when all
 *                are always in use. Unused elements are zero.
 * @min: smallest legal value of each element, inclusive
 * @max: greatest legal value of each element, inclusive
 * @optional: images may lack it; the elements are then @def
 * @def: value when absent
 * @nested: STATE_KIND_STRUCT: the table of the nested struct
 */
struct state_field {
	const char *name;
	enum state_kind kind;
	u32 offset;
	u32 capacity;
	u32 count_offset;
	u64 min;
	u64 max;
	bool optional;
	u64 def;
	const struct state_desc *nested;
};

/**
 * struct state_desc - a state struct and its version
 * @compatible: "lkvm,NAME-vN"
 * @size: bytes of the struct
 * @fields: its fields, in the order of the struct
 * @nr: how many
 */
struct state_desc {
	const char *compatible;
	u32 size;
	const struct state_field *fields;
	u32 nr;
};

#define STATE_ELEM_SIZE(type, member)	sizeof(((type *)0)->member)

/* Scalars: STATE_U32(struct foo_state, bar, "bar", 0, 7) */
#define STATE_SCALAR(_kind, _ctype, _type, _member, _name, _min, _max)	\
	{								\
		.name = _name, .kind = _kind,				\
		.offset = offsetof(_type, _member) +			\
			0 * sizeof(char[STATE_ELEM_SIZE(_type, _member) == \
					sizeof(_ctype) ? 1 : -1]),	\
		.capacity = 1, .count_offset = STATE_NO_COUNT,		\
		.min = _min, .max = _max,				\
	}
#define STATE_U8(type, member, name, min, max)				\
	STATE_SCALAR(STATE_KIND_U8, u8, type, member, name, min, max)
#define STATE_U16(type, member, name, min, max)				\
	STATE_SCALAR(STATE_KIND_U16, u16, type, member, name, min, max)
#define STATE_U32(type, member, name, min, max)				\
	STATE_SCALAR(STATE_KIND_U32, u32, type, member, name, min, max)
#define STATE_U64(type, member, name, min, max)				\
	STATE_SCALAR(STATE_KIND_U64, u64, type, member, name, min, max)

/* Fixed arrays of integers of one range, _kind one of STATE_KIND_U8..U64 */
#define STATE_INTS(_kind, _type, _member, _name, _min, _max)		\
	{								\
		.name = _name, .kind = _kind,				\
		.offset = offsetof(_type, _member),			\
		.capacity = ARRAY_SIZE(((_type *)0)->_member),		\
		.count_offset = STATE_NO_COUNT,				\
		.min = _min, .max = _max,				\
	}
/* The same with a u32 member that counts the elements in use */
#define STATE_INTS_COUNTED(_kind, _type, _member, _count, _name, _min, _max) \
	{								\
		.name = _name, .kind = _kind,				\
		.offset = offsetof(_type, _member),			\
		.capacity = ARRAY_SIZE(((_type *)0)->_member),		\
		.count_offset = offsetof(_type, _count),		\
		.min = _min, .max = _max,				\
	}
/* A byte array without meaning to us */
#define STATE_BYTES(_type, _member, _name)				\
	{								\
		.name = _name, .kind = STATE_KIND_BYTES,		\
		.offset = offsetof(_type, _member),			\
		.capacity = STATE_ELEM_SIZE(_type, _member),		\
		.count_offset = STATE_NO_COUNT,				\
	}
#define STATE_BYTES_COUNTED(_type, _member, _count, _name)		\
	{								\
		.name = _name, .kind = STATE_KIND_BYTES,		\
		.offset = offsetof(_type, _member),			\
		.capacity = STATE_ELEM_SIZE(_type, _member),		\
		.count_offset = offsetof(_type, _count),		\
	}
/* One nested struct */
#define STATE_STRUCT(_type, _member, _name, _nested)			\
	{								\
		.name = _name, .kind = STATE_KIND_STRUCT,		\
		.offset = offsetof(_type, _member), .capacity = 1,	\
		.count_offset = STATE_NO_COUNT, .nested = _nested,	\
	}
/* An array of nested structs with a u32 member that counts those in use */
#define STATE_STRUCTS(_type, _member, _count, _name, _nested)		\
	{								\
		.name = _name, .kind = STATE_KIND_STRUCT,		\
		.offset = offsetof(_type, _member),			\
		.capacity = ARRAY_SIZE(((_type *)0)->_member),		\
		.count_offset = offsetof(_type, _count),		\
		.nested = _nested,					\
	}

#define STATE_DESC(_compatible, _type, _fields)				\
	{								\
		.compatible = _compatible, .size = sizeof(_type),	\
		.fields = _fields, .nr = ARRAY_SIZE(_fields),		\
	}

#endif /* LKVM_STATE_H */
