// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: namespaces: disks with an identity and a block size
 *
 * Namespaces are made from the options and live as long as the controller.
 * Their identifiers (NGUID, EUI-64, UUID) are made from the controller's
 * serial number and the NSID, so they are the same in each run, and no two of
 * a machine are alike.
 *
 * Write Uncorrectable marks ranges of blocks that cannot be read until they
 * are written again. They are kept sorted, apart from each other, and are part
 * of the saved state; a disk image has no place for them, so they do not
 * outlive the machine. The list is usually empty, which is all that the data
 * path looks at.
 */
#include <stdlib.h>
#include <string.h>

#include "devices/nvme/nvme_priv.h"
#include "vmm/base/math.h"
#include "vmm/vm.h"

/* FNV-1a over text and number: an identity, not a secret. */
static u64 identity(const char *serial, u32 nsid, u32 part)
{
	u64 h = 0xcbf29ce484222325ULL;
	u32 i;

	for (; *serial; serial++)
		h = (h ^ (u8)*serial) * 0x100000001b3ULL;
	for (i = 0; i < 4; i++)
		h = (h ^ (u8)(nsid >> (8 * i))) * 0x100000001b3ULL;
	return (h ^ part) * 0x100000001b3ULL;
}

static void put_u64(u8 *at, u64 value)
{
	memcpy(at, &value, sizeof(value));
}

/**
 * nvme_uuid_make() - a UUID that is the same in each run
 * @uuid: 16 bytes
 * @name: what it stands for
 * @number: which one of that name
 */
void nvme_uuid_make(u8 *uuid, const char *name, u32 number)
{
	put_u64(uuid, identity(name, number, 0));
	put_u64(uuid + 8, identity(name, number, 1));
	/* RFC 9562: version 8 (custom), variant 10. */
	uuid[6] = (u8)((uuid[6] & 0x0f) | 0x80);
	uuid[8] = (u8)((uuid[8] & 0x3f) | 0x80);
}

static void set_identity(struct nvme_ns *ns, const char *serial)
{
	nvme_uuid_make(ns->uuid, serial, ns->nsid);
	put_u64(ns->nguid, identity(serial, ns->nsid, 2));
	put_u64(ns->nguid + 8, identity(serial, ns->nsid, 3));
	put_u64(ns->eui64, identity(serial, ns->nsid, 4));
	/* Locally assigned: they are nobody's OUI. */
	ns->eui64[0] = (u8)((ns->eui64[0] | 2) & ~1);
	ns->nguid[8] = (u8)((ns->nguid[8] | 2) & ~1);
}

static int ns_open(struct nvme_ns *ns, const struct nvme_config *config,
		   const char *path, bool elsewhere, struct error *err)
{
	struct block_config bc = {
		.path = path,
		.readonly = config->ro,
		.cache = (enum block_cache)config->cache,
		.discard = config->discard,
		.no_lock = elsewhere,
	};
	int ret;

	ret = block_open(&bc, &ns->blk, err);
	if (ret)
		return ret;
	ret = block_check_block_size(ns->blk, 1U << nvme_lbaf_shift(config->bs),
				     err);
	if (ret)
		block_close(ns->blk);
	return ret;
}

/**
 * nvme_ns_create() - open a disk as a namespace, attached
 * @ctrl: the controller
 * @nsid: its identifier
 * @path: of the disk
 * @err: filled on failure
 *
 * Context: realize.
 * Return: 0 or a negative errno.
 */
int nvme_ns_create(struct nvme_ctrl *ctrl, u32 nsid, const char *path,
		   struct error *err)
{
	struct nvme_ns *ns = calloc(1, sizeof(*ns));
	int ret;

	if (!ns)
		return error_set(err, -ENOMEM, "out of memory");
	ns->nsid = nsid;
	ret = ns_open(ns, ctrl->config, path,
		      ctrl->pci.dev.vm->config.disks_elsewhere, err);
	if (ret) {
		free(ns);
		return ret;
	}
	ns->readonly = ctrl->config->ro;
	mutex_init(&ns->unc_lock, LOCK_LEAF);
	set_identity(ns, ctrl->serial);
	nvme_ns_set_format(ns, ctrl->config->bs);
	atomic_store(&ns->attached, true);
	ctrl->ns[nsid - 1] = ns;
	return 0;
}

/**
 * nvme_ns_destroy() - close a namespace's disk
 * @ctrl: the controller
 * @nsid: its identifier; nothing happens when there is none
 */
void nvme_ns_destroy(struct nvme_ctrl *ctrl, u32 nsid)
{
	struct nvme_ns *ns = ctrl->ns[nsid - 1];

	if (!ns)
		return;
	ctrl->ns[nsid - 1] = NULL;
	block_close(ns->blk);
	mutex_destroy(&ns->unc_lock);
	free(ns);
}

/**
 * nvme_ns_find() - an allocated namespace
 * @ctrl: the controller
 * @nsid: its identifier
 *
 * Context: any thread.
 * Return: the namespace, NULL when there is none.
 */
struct nvme_ns *nvme_ns_find(struct nvme_ctrl *ctrl, u32 nsid)
{
	return nsid && nsid <= ctrl->ns_nr ? ctrl->ns[nsid - 1] : NULL;
}

/**
 * nvme_ns_active() - an attached namespace
 * @ctrl: the controller
 * @nsid: its identifier
 *
 * Context: any thread.
 * Return: the namespace, NULL when it is not there or not attached.
 */
struct nvme_ns *nvme_ns_active(struct nvme_ctrl *ctrl, u32 nsid)
{
	struct nvme_ns *ns = nvme_ns_find(ctrl, nsid);

	return ns && atomic_load_explicit(&ns->attached,
					  memory_order_acquire) ? ns : NULL;
}

/**
 * nvme_ns_lbaf() - the LBA format in use
 * @ns: the namespace
 *
 * Return: index of the format.
 */
u32 nvme_ns_lbaf(const struct nvme_ns *ns)
{
	u32 i = 0;

	while (nvme_lbaf_shift(i) != ns->lba_shift)
		i++;
	return i;
}

/**
 * nvme_ns_lbaf_fits() - can the namespace have this LBA format?
 * @ns: the namespace
 * @lbaf: index of the format
 *
 * Return: false for a format that is not there or that the disk cannot do.
 */
bool nvme_ns_lbaf_fits(const struct nvme_ns *ns, u32 lbaf)
{
	struct error ignored = ERROR_INIT;

	return lbaf < NVME_LBAFS &&
	       !block_check_block_size(ns->blk, 1U << nvme_lbaf_shift(lbaf),
				       &ignored);
}

/**
 * nvme_ns_set_format() - change the block size
 * @ns: the namespace
 * @lbaf: index of an LBA format that fits
 *
 * Blocks marked uncorrectable are forgotten: Format NVM writes all of them.
 *
 * Context: nothing uses the namespace: realize, or all loops are frozen.
 */
void nvme_ns_set_format(struct nvme_ns *ns, u32 lbaf)
{
	ns->lba_shift = nvme_lbaf_shift(lbaf);
	ns->lbas = block_info(ns->blk)->size >> ns->lba_shift;
	atomic_store(&ns->unc_nr, 0);
}

static bool touches(const struct nvme_lba_range *r, u64 slba, u64 nlb)
{
	return ranges_overlap(r->slba, r->nlb, slba, nlb);
}

/**
 * nvme_unc_hit() - is one of these blocks uncorrectable?
 * @ns: the namespace
 * @slba: first block
 * @nlb: how many
 *
 * Context: any thread; takes a lock only when there are such blocks.
 * Return: true when a read of them must fail.
 */
bool nvme_unc_hit(struct nvme_ns *ns, u64 slba, u64 nlb)
{
	bool hit = false;
	u32 i;

	if (likely(!atomic_load_explicit(&ns->unc_nr, memory_order_relaxed)))
		return false;
	mutex_lock(&ns->unc_lock);
	for (i = 0; i < atomic_load(&ns->unc_nr) && !hit; i++)
		hit = touches(&ns->unc[i], slba, nlb);
	mutex_unlock(&ns->unc_lock);
	return hit;
}

static void unc_remove(struct nvme_ns *ns, u32 at)
{
	u32 nr = atomic_load(&ns->unc_nr) - 1;

	memmove(&ns->unc[at], &ns->unc[at + 1],
		(nr - at) * sizeof(ns->unc[0]));
	atomic_store(&ns->unc_nr, nr);
}

static void unc_insert(struct nvme_ns *ns, u32 at,
		       const struct nvme_lba_range *r)
{
	u32 nr = atomic_load(&ns->unc_nr);

	memmove(&ns->unc[at + 1], &ns->unc[at],
		(nr - at) * sizeof(ns->unc[0]));
	ns->unc[at] = *r;
	atomic_store(&ns->unc_nr, nr + 1);
}

/**
 * nvme_unc_mark() - blocks become uncorrectable
 * @ns: the namespace
 * @slba: first block
 * @nlb: how many
 *
 * Context: any thread.
 * Return: false when there is no room for another range.
 */
bool nvme_unc_mark(struct nvme_ns *ns, u64 slba, u64 nlb)
{
	struct nvme_lba_range new = { .slba = slba, .nlb = nlb };
	bool room;
	u32 i = 0;

	mutex_lock(&ns->unc_lock);
	/* Everything that overlaps or adjoins becomes one range. */
	while (i < atomic_load(&ns->unc_nr)) {
		struct nvme_lba_range *r = &ns->unc[i];
		u64 end = max_of(r->slba + r->nlb, new.slba + new.nlb);

		if (new.slba > r->slba && new.slba - r->slba > r->nlb) {
			i++;
			continue;
		}
		if (r->slba > new.slba + new.nlb)
			break;
		new.slba = min_of(r->slba, new.slba);
		new.nlb = end - new.slba;
		unc_remove(ns, i);
	}
	room = atomic_load(&ns->unc_nr) < NVME_UNC_RANGES_MAX;
	if (room)
		unc_insert(ns, i, &new);
	mutex_unlock(&ns->unc_lock);
	return room;
}

/*
 * Cuts [slba, slba + nlb) out of range @i, which it touches. What is left is
 * nothing, one range or two; without room for the second it is given up, which
 * only makes blocks readable that hold what they held before.
 */
static void unc_cut(struct nvme_ns *ns, u32 i, u64 slba, u64 nlb)
{
	struct nvme_lba_range old = ns->unc[i];
	struct nvme_lba_range tail = {
		.slba = slba + nlb,
		.nlb = old.slba + old.nlb - min_of(slba + nlb,
						   old.slba + old.nlb),
	};

	unc_remove(ns, i);
	if (tail.nlb)
		unc_insert(ns, i, &tail);
	old.nlb = slba - min_of(slba, old.slba);
	if (old.nlb && atomic_load(&ns->unc_nr) < NVME_UNC_RANGES_MAX)
		unc_insert(ns, i, &old);
}

/**
 * nvme_unc_clear() - blocks were written and can be read again
 * @ns: the namespace
 * @slba: first block
 * @nlb: how many
 *
 * Context: any thread; takes a lock only when there are uncorrectable blocks.
 */
void nvme_unc_clear(struct nvme_ns *ns, u64 slba, u64 nlb)
{
	u32 i = 0;

	if (likely(!atomic_load_explicit(&ns->unc_nr, memory_order_relaxed)))
		return;
	mutex_lock(&ns->unc_lock);
	while (i < atomic_load(&ns->unc_nr)) {
		if (touches(&ns->unc[i], slba, nlb))
			unc_cut(ns, i, slba, nlb);
		else
			i++;
	}
	mutex_unlock(&ns->unc_lock);
}
