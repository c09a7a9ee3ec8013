// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: a virtio block device
 *
 * VIRTIO-1.2 5.2, on the same disks as the NVMe controller (devices/block): the
 * same locks, flushes and discards. Several request queues, each on one of the
 * device's own threads.
 *
 * Positions and sizes are in sectors of 512 bytes; with a block size of 4096
 * requests are whole blocks of that size. There is a volatile cache unless the
 * driver switches it off. The identity that a driver can ask for is the serial
 * number.
 *
 * Not there: geometry, topology, life time, secure erase, zones. The size does
 * not change while the machine lives.
 *
 * blk_io.c has the requests, blk_state.c what is saved.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "virtio/blk_priv.h"
#include "vmm/base/math.h"
#include "vmm/vm.h"

#define BLK_PCI_CLASS	0x010000	/* mass storage, SCSI: as others do */

/**
 * blk_writeback_set() - is what is written kept in a volatile cache?
 * @blk: the device
 * @writeback: 1, or 0: it is stable when the request ends
 *
 * Context: device's lock held.
 */
void blk_writeback_set(struct blk *blk, u8 writeback)
{
	blk->regs.writeback = writeback;
	atomic_store(&blk->writeback, writeback);
}

static void config_written(struct virtio_device *v, u32 offset, u32 len)
{
	struct blk *blk = container_of(v, struct blk, v);

	blk_writeback_set(blk, blk->regs.writeback);
}

static void power_on(struct virtio_device *v)
{
	struct blk *blk = container_of(v, struct blk, v);
	u32 i;

	blk_writeback_set(blk, 1);
	for (i = 0; i < blk->config->queues; i++)
		blk_queue_forget(&blk->queues[i]);
}

static void queue_reset(struct virtio_queue *vq)
{
	struct blk *blk = container_of(vq->v, struct blk, v);

	blk_queue_forget(&blk->queues[vq->index]);
}

static const struct virtio_ops blk_virtio_ops = {
	.reset		= power_on,
	.config_written	= config_written,
	.handle		= blk_handle,
	.queue_start	= blk_queue_start,
	.queue_stop	= blk_queue_stop,
	.queue_reset	= queue_reset,
	.queue_hurry	= blk_queue_hurry,
};

/* What the driver may write: the writeback field is 0 or 1. */
static const u8 config_wmask[sizeof(struct virtio_blk_config)] = {
	[offsetof(struct virtio_blk_config, writeback)] = 1,
};

static void regs_init(struct blk *blk)
{
	u32 block = 1U << blk->block_shift;

	blk->regs = (struct virtio_blk_config){
		.capacity		= cpu_to_le64(blk->sectors),
		.seg_max		= cpu_to_le32(BLK_SEG_MAX),
		.blk_size		= cpu_to_le32(block),
		.writeback		= 1,
		.num_queues		= cpu_to_le16((u16)blk->config->queues),
		.max_discard_sectors	= cpu_to_le32(BLK_DISCARD_SECTORS),
		.max_discard_seg	= cpu_to_le32(BLK_DISCARD_SEGS),
		.discard_sector_alignment =
			cpu_to_le32(block >> VIRTIO_BLK_SECTOR_SHIFT),
		.max_write_zeroes_sectors = cpu_to_le32(BLK_ZEROES_SECTORS),
		.max_write_zeroes_seg	= cpu_to_le32(BLK_DISCARD_SEGS),
		.write_zeroes_may_unmap	= 1,
	};
}

static int disk_open(struct blk *blk, struct error *err)
{
	const struct blk_config *config = blk->config;
	struct block_config bc = {
		.path = config->file,
		.readonly = config->ro,
		.cache = config->direct ? BLOCK_CACHE_NONE :
					  BLOCK_CACHE_WRITEBACK,
		.discard = config->discard,
		.no_lock = blk->v.pci.dev.vm->config.disks_elsewhere,
	};
	u64 size;
	int ret;

	ret = block_open(&bc, &blk->disk, err);
	if (ret)
		return ret;
	blk->block_shift = config->bs ? 12 : 9;
	ret = block_check_block_size(blk->disk, 1U << blk->block_shift, err);
	if (ret) {
		block_close(blk->disk);
		return ret;
	}
	size = block_info(blk->disk)->size;
	blk->sectors = size >> blk->block_shift << blk->block_shift >>
		       VIRTIO_BLK_SECTOR_SHIFT;
	return 0;
}

static void queues_destroy(struct blk *blk)
{
	u32 i;

	for (i = 0; i < blk->config->queues; i++)
		blk_queue_destroy(&blk->queues[i]);
	free(blk->queues);
}

static int queues_create(struct blk *blk, struct error *err)
{
	u32 i;
	int ret = 0;

	blk->queues = calloc(blk->config->queues, sizeof(*blk->queues));
	if (!blk->queues)
		return error_set(err, -ENOMEM, "out of memory");
	for (i = 0; i < blk->config->queues && !ret; i++)
		ret = blk_queue_init(&blk->queues[i], blk);
	if (!ret)
		return 0;
	queues_destroy(blk);
	return error_set(err, ret, "out of memory");
}

static void serial_init(struct blk *blk)
{
	char text[64];

	if (blk->config->serial)
		snprintf(text, sizeof(text), "%s", blk->config->serial);
	else
		snprintf(text, sizeof(text), "lkvm-%s", blk->v.pci.dev.name);
	/* Padded with zeros, not ended by one (VIRTIO-1.2 5.2.6). */
	memcpy(blk->serial, text, strnlen(text, sizeof(blk->serial)));
}

static int blk_realize(struct device *dev, struct error *err)
{
	struct blk *blk = blk_of(dev);
	const struct blk_config *config = dev->config;
	const struct virtio_setup setup = {
		.id		= VIRTIO_ID_BLOCK,
		.pci_class	= BLK_PCI_CLASS,
		.features	= VIRTIO_BLK_F_SEG_MAX | VIRTIO_BLK_F_BLK_SIZE |
				  VIRTIO_BLK_F_FLUSH | VIRTIO_BLK_F_CONFIG_WCE |
				  VIRTIO_BLK_F_MQ |
				  (config->ro ? VIRTIO_BLK_F_RO :
				   VIRTIO_BLK_F_DISCARD |
				   VIRTIO_BLK_F_WRITE_ZEROES),
		.queues_nr	= config->queues,
		.queue_size	= BLK_QUEUE_SIZE,
		.loops_nr	= min_of(config->iothreads, config->queues),
		.poll_ns	= 1000ULL * config->poll_us,
		.config		= &blk->regs,
		.config_len	= sizeof(blk->regs),
		.config_wmask	= config_wmask,
		.ops		= &blk_virtio_ops,
	};
	int ret;

	blk->config = config;
	serial_init(blk);
	ret = disk_open(blk, err);
	if (ret)
		return ret;
	ret = queues_create(blk, err);
	if (ret)
		goto err_disk;
	regs_init(blk);
	ret = virtio_realize(&blk->v, &setup, err);
	if (ret)
		goto err_queues;
	return 0;

err_queues:
	queues_destroy(blk);
err_disk:
	block_close(blk->disk);
	return ret;
}

static int blk_quiesce(struct device *dev, struct error *err)
{
	int ret = virtio_quiesce(dev, err);

	if (ret)
		return ret;
	ret = blk_state_fits(blk_of(dev), err);
	if (ret)
		virtio_resume(dev);
	return ret;
}

static void blk_unrealize(struct device *dev)
{
	struct blk *blk = blk_of(dev);

	virtio_unrealize(&blk->v);
	queues_destroy(blk);
	block_close(blk->disk);
}

/* ---- for the rest of lkvm ---------------------------------------------------- */

static void blk_stat(const struct device *dev, struct stat_sink *sink)
{
	const struct blk *blk = blk_of_const(dev);
	u64 reads = 0, writes = 0, read_bytes = 0, write_bytes = 0, errors = 0;
	u32 i;

	for (i = 0; i < blk->config->queues; i++) {
		const struct blk_stats *s = &blk->queues[i].stats;

		reads += atomic_load(&s->reads);
		writes += atomic_load(&s->writes);
		read_bytes += atomic_load(&s->read_bytes);
		write_bytes += atomic_load(&s->write_bytes);
		errors += atomic_load(&s->errors);
	}
	sink->counter(sink, "reads", reads);
	sink->counter(sink, "writes", writes);
	sink->counter(sink, "read-bytes", read_bytes);
	sink->counter(sink, "write-bytes", write_bytes);
	sink->counter(sink, "errors", errors);
	virtio_stat(dev, sink);
}

static int blk_disks(const struct device *dev, struct disk_sink *sink,
		     struct error *err)
{
	const struct blk *blk = blk_of_const(dev);
	const struct block_info *info = block_info(blk->disk);
	const struct device_disk disk = {
		.number = 1,
		.path = block_path(blk->disk),
		.fd = info->fd,
		.size = info->size,
		.readonly = info->readonly,
		.direct = info->direct,
	};

	return sink->disk(sink, dev, &disk, err);
}

static int blk_disks_take(struct device *dev, struct error *err)
{
	return block_take(blk_of(dev)->disk, err);
}

static int blk_disks_give(struct device *dev, struct error *err)
{
	return block_give(blk_of(dev)->disk, err);
}

/* ---- the class ---------------------------------------------------------------- */

static const char *const bs_words[] = { "512", "4096", NULL };

#define FIELD(_member)	.offset = offsetof(struct blk_config, _member)

static const struct option_desc options[] = {
	{
		.name = "file", .arg = "FILE", .type = OPTION_STRING,
		.scope = OPTION_HOST, FIELD(file), .min = 1, .max = 4095,
		.required = true, .path = true, .no_path = BLOCK_NULL_PREFIX,
		.help = "disk image or block device",
	}, {
		.name = "ro", .type = OPTION_BOOL, .scope = OPTION_GUEST,
		FIELD(ro), .help = "write protect it",
	}, {
		.name = "direct", .type = OPTION_BOOL, .scope = OPTION_HOST,
		FIELD(direct), .help = "do not use the host's page cache",
	}, {
		.name = "serial", .arg = "S", .type = OPTION_STRING,
		.scope = OPTION_GUEST, FIELD(serial), .min = 1,
		.max = VIRTIO_BLK_ID_BYTES, .help = "serial number",
	}, {
		.name = "queues", .arg = "N", .type = OPTION_U32,
		.scope = OPTION_GUEST, FIELD(queues), .min = 1,
		.max = BLK_QUEUES_MAX, .def = 4, .help = "request queues",
	}, {
		.name = "bs", .arg = "N", .type = OPTION_ENUM,
		.scope = OPTION_GUEST, FIELD(bs), .words = bs_words,
		.help = "logical block size in bytes",
	}, {
		.name = "discard", .type = OPTION_BOOL, .scope = OPTION_HOST,
		FIELD(discard), .def = 1,
		.help = "give deallocated space back to the host",
	}, {
		.name = "iothreads", .arg = "N", .type = OPTION_U32,
		.scope = OPTION_HOST, FIELD(iothreads), .min = 1,
		.max = VIRTIO_LOOPS_MAX, .def = 1,
		.help = "threads that serve the queues",
	}, {
		.name = "poll-us", .arg = "N", .type = OPTION_U32,
		.scope = OPTION_HOST, FIELD(poll_us), .max = 1000000,
		.help = "longest time a thread looks for work before it sleeps",
	},
};

static const struct option_table option_table = {
	.name		= "disk",
	.config_size	= sizeof(struct blk_config),
	.positional	= "file",
	.opts		= options,
	.nr		= ARRAY_SIZE(options),
};

static const struct device_ops blk_ops = {
	.realize	= blk_realize,
	.reset		= virtio_reset,
	.quiesce	= blk_quiesce,
	.save		= blk_save,
	.check		= blk_check,
	.load		= blk_load,
	.resume		= virtio_resume,
	.unrealize	= blk_unrealize,
	.stat		= blk_stat,
	.disks		= blk_disks,
	.disks_take	= blk_disks_take,
	.disks_give	= blk_disks_give,
};

static const struct device_class blk_class = {
	.name		= "disk",
	.compatible	= "lkvm,virtio-blk",
	.summary	= "virtio disk",
	.kind		= DEVICE_PCI,
	.max		= 31,
	.guest_disk	= "/dev/vda",
	.guest_partition = "",
	.instance_size	= sizeof(struct blk),
	.options	= &option_table,
	.state		= &blk_state_desc,
	.ops		= &blk_ops,
};

DEVICE_CLASS_REGISTER(blk_class);
