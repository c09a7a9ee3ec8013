// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: fuzzing the decoder of state trees
 *
 * The input's first byte chooses a table among all device classes and the
 * architecture's, the second what is done with the rest: either it is taken
 * as a whole tree, or it is a list of changes to a tree that was right (the
 * fuzzer would hardly come by one itself). What the decoder accepts must pass
 * the check of a state, and survive being saved and loaded again.
 */
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

#include "migration/state_tree.h"
#include "tests/lib/state_random.h"
#include "vmm/arch.h"
#include "vmm/device.h"

#define NODE	"fuzz"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static const struct state_desc *choose(u32 n)
{
	const struct device_class *const *classes;
	u32 nr;

	classes = device_classes(&nr);
	n %= nr + 2;
	if (n < nr && classes[n]->state)
		return classes[n]->state;
	return n & 1 ? arch_vcpu_state() : arch_vm_state();
}

static void *save(const struct state_desc *desc, const void *state, u32 *len)
{
	struct tree_writer w;
	void *blob;
	int ret;

	tree_begin(&w);
	ret = state_encode(desc, state, &w, NODE, NULL);
	assert(!ret);
	ret = tree_finish(&w, &blob, len, NULL);
	assert(!ret);
	return blob;
}

static void accepted(const struct state_desc *desc, const void *state)
{
	void *blob, *again;
	u32 len;
	int ret = state_check(desc, state, NODE, NULL);

	assert(!ret);
	blob = save(desc, state, &len);
	ret = state_decode_new(desc, blob, fdt_path_offset(blob, "/" NODE),
			       &again, NULL);
	assert(!ret);
	assert(!memcmp(state, again, desc->size));
	free(again);
	free(blob);
}

static void try_tree(const struct state_desc *desc, const void *blob, u32 len)
{
	struct error err = ERROR_INIT;
	void *state;
	int node;

	if (state_tree_check(blob, len, &err) < 0) {
		assert(err.code < 0 && err.text[0]);
		return;
	}
	node = fdt_path_offset(blob, "/" NODE);
	if (node < 0)
		return;
	if (state_decode_new(desc, blob, node, &state, &err) < 0) {
		assert(err.code < 0 && err.text[0]);
		return;
	}
	accepted(desc, state);
	free(state);
}

/* Changes of three bytes each: where (16 bits), and what. */
static void change(u8 *blob, u32 len, const u8 *data, size_t size)
{
	for (; size >= 3; data += 3, size -= 3)
		blob[(data[0] | data[1] << 8) % len] ^= data[2];
}

/**
 * LLVMFuzzerTestOneInput() - one input
 * @data: the input
 * @size: its bytes
 *
 * Return: 0.
 */
int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	const struct state_desc *desc;
	struct test_random rnd;
	void *state, *blob;
	u32 len;

	if (size < 2)
		return 0;
	desc = choose(data[0]);
	if (data[1] & 1) {
		len = (u32)size - 2;
		blob = malloc(len + 1);
		memcpy(blob, data + 2, len);
	} else {
		state = malloc(desc->size);
		test_random_seed(&rnd, data[1]);
		test_state_least(desc, state);
		/* Large states take long: now and then is enough. */
		if (data[1] >= 0xf0)
			test_state_random(&rnd, desc, state);
		blob = save(desc, state, &len);
		free(state);
		change(blob, len, data + 2, size - 2);
	}
	try_tree(desc, blob, len);
	free(blob);
	return 0;
}
