// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: a disk that stores nothing
 *
 * "null:SIZE" completes each request in the loop's next turn without a system
 * call, so that what is left to measure is the device in front of it. Reads
 * give zeros, writes are dropped.
 */
#include <stdlib.h>
#include <string.h>

#include "devices/block/block_priv.h"
#include "vmm/base/math.h"
#include "vmm/option.h"

#define NULL_BLOCK	512

/**
 * block_null_path() - is this path one of ours?
 * @path: as the user gave it
 *
 * A file of such a name is reached as "./null:...".
 *
 * Return: true when it is.
 */
bool block_null_path(const char *path)
{
	return !strncmp(path, BLOCK_NULL_PREFIX, strlen(BLOCK_NULL_PREFIX));
}

static void null_submit(struct block_req *req)
{
	u32 i;

	if (req->kind == BLOCK_READ)
		for (i = 0; i < req->iov_nr; i++)
			memset(req->iov[i].iov_base, 0, req->iov[i].iov_len);
	block_complete_later(req, 0);
}

static void null_close(struct block *blk)
{
	block_fini(blk);
	free(blk);
}

static const struct block_ops null_ops = {
	.submit	= null_submit,
	.close	= null_close,
};

/**
 * block_null_open() - make a disk that stores nothing
 * @config: its path is "null:SIZE"
 * @out: the disk
 * @err: why not
 *
 * Return: 0, -EINVAL for a bad size, or -ENOMEM.
 */
int block_null_open(const struct block_config *config, struct block **out,
		    struct error *err)
{
	const char *text = config->path + strlen(BLOCK_NULL_PREFIX);
	struct block *blk;
	u64 size;

	if (option_parse_size(text, 1, &size) < 0)
		return error_set(err, -EINVAL,
				 "%s: \"%s\" is not a size: write null:8G, say",
				 config->path, text);
	if (size < NULL_BLOCK || size > INT64_MAX)
		return error_set(err, -EINVAL,
				 "%s: a disk has from %u to 2^63-1 bytes",
				 config->path, NULL_BLOCK);
	blk = aligned_alloc(__alignof__(struct block), sizeof(*blk));
	if (!blk)
		return error_set(err, -ENOMEM, "%s: out of memory",
				 config->path);
	memset(blk, 0, sizeof(*blk));
	if (block_init(blk, &null_ops, config) < 0) {
		free(blk);
		return error_set(err, -ENOMEM, "%s: out of memory",
				 config->path);
	}
	blk->info.size = round_down_to(size, NULL_BLOCK);
	blk->info.logical_block_size = NULL_BLOCK;
	blk->info.physical_block_size = NULL_BLOCK;
	blk->info.discard_granularity = config->discard ? NULL_BLOCK : 0;
	blk->info.zero_after_discard = true;
	*out = blk;
	return 0;
}
