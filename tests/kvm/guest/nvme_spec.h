/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: NVMe layouts and numbers, as far as the guest's driver uses them
 *
 * Written from the specification and not shared with the controller in
 * devices/nvme, so that an error in one is not repeated by the other.
 *
 * NVM Express Base 2.0, NVM Command Set 1.0, PCIe Transport 1.0.
 */
#ifndef TESTS_KVM_GUEST_NVME_SPEC_H
#define TESTS_KVM_GUEST_NVME_SPEC_H

#include <assert.h>
#include <stdint.h>

#define NVME_PCI_CLASS		0x010802

/* Registers, NVMe-2.0 3.1.3. */
#define NVME_CAP		0x00
#define NVME_VS			0x08
#define NVME_INTMS		0x0c
#define NVME_INTMC		0x10
#define NVME_CC			0x14
#define NVME_CSTS		0x1c
#define NVME_AQA		0x24
#define NVME_ASQ		0x28
#define NVME_ACQ		0x30
#define NVME_DOORBELLS		0x1000

#define CC_ENABLE		0x1u
#define CC_SHN_NORMAL		(1u << 14)
#define CC_SHN_MASK		(3u << 14)
#define CC_ENTRY_SIZES		(6u << 16 | 4u << 20)	/* 64 and 16 bytes */

#define CSTS_READY		0x1u
#define CSTS_FATAL		0x2u
#define CSTS_SHST_MASK		(3u << 2)
#define CSTS_SHST_DONE		(2u << 2)

/* Admin commands, NVMe-2.0 figure 138. */
#define NVME_ADMIN_DELETE_SQ	0x00
#define NVME_ADMIN_CREATE_SQ	0x01
#define NVME_ADMIN_LOG_PAGE	0x02
#define NVME_ADMIN_DELETE_CQ	0x04
#define NVME_ADMIN_CREATE_CQ	0x05
#define NVME_ADMIN_IDENTIFY	0x06
#define NVME_ADMIN_ABORT	0x08
#define NVME_ADMIN_SET_FEATURES	0x09
#define NVME_ADMIN_GET_FEATURES	0x0a
#define NVME_ADMIN_ASYNC_EVENT	0x0c
#define NVME_ADMIN_DOORBELLS	0x7c

/* I/O commands, NVM-1.0 figure 13. */
#define NVME_IO_FLUSH		0x00
#define NVME_IO_WRITE		0x01
#define NVME_IO_READ		0x02
#define NVME_IO_COMPARE		0x05
#define NVME_IO_WRITE_ZEROES	0x08
#define NVME_IO_DSM		0x09

#define NVME_FUA		(1u << 30)	/* command dword 12 */
#define NVME_DEALLOCATE		(1u << 25)	/* Write Zeroes, dword 12 */
#define NVME_DSM_DEALLOCATE	(1u << 2)	/* dword 11 */

#define NVME_FEATURE_TEMPERATURE 0x04
#define NVME_FEATURE_QUEUES	0x07
#define NVME_FEATURE_ASYNC_EVENT 0x0b

#define NVME_LOG_SMART		0x02

#define NVME_CNS_NAMESPACE	0x00
#define NVME_CNS_CONTROLLER	0x01
#define NVME_CNS_ACTIVE_LIST	0x02

/* Flags in command dword 0. */
#define NVME_CMD_SGL		0x40	/* PSDT 01b, in the flags byte */

/* Queue flags in dword 11 of the create commands. */
#define NVME_QUEUE_CONTIGUOUS	0x1u
#define NVME_CQ_INTERRUPTS	0x2u

#define NVME_STATUS_MASK	0x7ff	/* SCT and SC, without the phase */
#define NVME_SC_INVALID_OPCODE	0x001
#define NVME_SC_INVALID_FIELD	0x002
#define NVME_SC_ABORTED_SQ	0x008
#define NVME_SC_LBA_RANGE	0x080
#define NVME_SC_COMPARE_FAILURE	0x285

/* SGL descriptor types, in the upper half of the last byte. */
#define NVME_SGL_DATA		0x00
#define NVME_SGL_SEGMENT	0x20
#define NVME_SGL_LAST_SEGMENT	0x30

/**
 * struct nvme_sgl - an SGL descriptor
 * @addr: address
 * @len:  bytes
 * @zero: reserved
 * @type: NVME_SGL_*
 */
struct nvme_sgl {
	uint64_t addr;
	uint32_t len;
	uint8_t zero[3];
	uint8_t type;
};

/**
 * struct nvme_command - a submission queue entry
 * @opcode: NVME_ADMIN_* or NVME_IO_*
 * @flags:  fuse and PSDT
 * @cid:    command identifier
 * @nsid:   namespace
 * @cdw2:   by command
 * @cdw3:   by command
 * @mptr:   metadata pointer
 * @prp:    data pointer as PRP entries
 * @sgl:    data pointer as an SGL descriptor
 * @cdw10:  by command
 * @cdw11:  by command
 * @cdw12:  by command
 * @cdw13:  by command
 * @cdw14:  by command
 * @cdw15:  by command
 */
struct nvme_command {
	uint8_t opcode;
	uint8_t flags;
	uint16_t cid;
	uint32_t nsid;
	uint32_t cdw2, cdw3;
	uint64_t mptr;
	union {
		uint64_t prp[2];
		struct nvme_sgl sgl;
	};
	uint32_t cdw10, cdw11, cdw12, cdw13, cdw14, cdw15;
};

/**
 * struct nvme_completion - a completion queue entry
 * @result:  by command
 * @result1: by command
 * @sq_head: how far the submission queue has been fetched
 * @sq_id:   submission queue
 * @cid:     of the command
 * @status:  bit 0 phase, bits 15:1 status
 */
struct nvme_completion {
	uint32_t result;
	uint32_t result1;
	uint16_t sq_head;
	uint16_t sq_id;
	uint16_t cid;
	uint16_t status;
};

static_assert(sizeof(struct nvme_sgl) == 16, "SGL descriptor");
static_assert(sizeof(struct nvme_command) == 64, "submission entry");
static_assert(sizeof(struct nvme_completion) == 16, "completion entry");

/* Offsets in the Identify data, NVMe-2.0 figure 275, NVM-1.0 figure 97. */
#define ID_CTRL_SERIAL		4
#define ID_CTRL_MODEL		24
#define ID_CTRL_MDTS		77
#define ID_CTRL_OACS		256
#define ID_CTRL_AERL		259
#define ID_CTRL_SGLS		536
#define ID_NS_SIZE		0
#define ID_NS_FLBAS		26
#define ID_NS_LBAF		128
#define OACS_DOORBELLS		(1u << 8)

#endif
