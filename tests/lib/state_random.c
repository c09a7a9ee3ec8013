// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: states that a table allows, for tests
 *
 * Made from the table alone, so that they suit every device class. Values lie
 * at both ends of their range more often than chance would have it.
 */
#include <string.h>

#include "migration/state_tree.h"
#include "tests/lib/state_random.h"

/**
 * test_state_count() - elements in use
 * @field: the field
 * @state: the struct
 *
 * Return: how many.
 */
u32 test_state_count(const struct state_field *field, const void *state)
{
	u32 count = field->capacity;

	if (field->count_offset != STATE_NO_COUNT)
		memcpy(&count, (const u8 *)state + field->count_offset,
		       sizeof(count));
	return count;
}

/**
 * test_state_set_count() - say how many elements are in use
 * @field: the field; one without a count is left alone
 * @state: the struct
 * @count: how many
 */
void test_state_set_count(const struct state_field *field, void *state,
			  u32 count)
{
	if (field->count_offset != STATE_NO_COUNT)
		memcpy((u8 *)state + field->count_offset, &count,
		       sizeof(count));
}

/**
 * test_state_get() - the value of an element
 * @field: a field of integers
 * @state: the struct
 * @index: which element
 *
 * Return: its value.
 */
u64 test_state_get(const struct state_field *field, const void *state,
		   u32 index)
{
	u32 size = state_elem_size(field);
	u64 value = 0;

	/* The integers of a state are the host's, little-endian. */
	memcpy(&value, (const u8 *)state + field->offset + (u64)index * size,
	       size);
	return value;
}

/**
 * test_state_set() - set the value of an element
 * @field: a field of integers
 * @state: the struct
 * @index: which element
 * @value: may be outside of the field's range
 */
void test_state_set(const struct state_field *field, void *state, u32 index,
		    u64 value)
{
	u32 size = state_elem_size(field);

	memcpy((u8 *)state + field->offset + (u64)index * size, &value, size);
}

/**
 * test_state_type_max() - what fits an element's type
 * @field: a field of integers
 *
 * Return: the greatest value.
 */
u64 test_state_type_max(const struct state_field *field)
{
	u32 bits = state_elem_size(field) * 8;

	return bits >= 64 ? UINT64_MAX : (1ULL << bits) - 1;
}

static u64 random_value(struct test_random *rnd, const struct state_field *f)
{
	u64 span = f->max - f->min;

	switch (test_random_below(rnd, 4)) {
	case 0:
		return f->min;
	case 1:
		return f->max;
	default:
		return f->min + (span == UINT64_MAX ? test_random_u64(rnd) :
				 test_random_below(rnd, span + 1));
	}
}

static u32 random_count(struct test_random *rnd, const struct state_field *f)
{
	if (f->count_offset == STATE_NO_COUNT || !test_random_below(rnd, 4))
		return f->capacity;
	return (u32)test_random_below(rnd, (u64)f->capacity + 1);
}

/**
 * test_state_random() - a state that is legal, and otherwise random
 * @rnd: where chance comes from
 * @desc: the table
 * @state: the struct, all of it is set
 */
void test_state_random(struct test_random *rnd, const struct state_desc *desc,
		       void *state)
{
	u32 i, n;

	memset(state, 0, desc->size);
	for (i = 0; i < desc->nr; i++) {
		const struct state_field *f = &desc->fields[i];
		u32 count = random_count(rnd, f);
		u8 *at = (u8 *)state + f->offset;

		test_state_set_count(f, state, count);
		if (f->kind == STATE_KIND_BYTES) {
			test_random_fill(rnd, at, count);
			continue;
		}
		for (n = 0; n < count; n++) {
			if (f->kind == STATE_KIND_STRUCT)
				test_state_random(rnd, f->nested, at +
						  (u64)n * f->nested->size);
			else
				test_state_set(f, state, n,
					       random_value(rnd, f));
		}
	}
}

/**
 * test_state_least() - the state with every value at its minimum
 * @desc: the table
 * @state: the struct; one element of each counted field is in use
 */
void test_state_least(const struct state_desc *desc, void *state)
{
	u32 i, n;

	memset(state, 0, desc->size);
	for (i = 0; i < desc->nr; i++) {
		const struct state_field *f = &desc->fields[i];
		u32 count = f->count_offset == STATE_NO_COUNT ? f->capacity : 1;

		test_state_set_count(f, state, count);
		for (n = 0; n < count; n++) {
			if (f->kind == STATE_KIND_STRUCT)
				test_state_least(f->nested, (u8 *)state +
						 f->offset +
						 (u64)n * f->nested->size);
			else if (f->kind != STATE_KIND_BYTES)
				test_state_set(f, state, n, f->min);
		}
	}
}
