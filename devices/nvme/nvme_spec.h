/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: layouts and numbers of NVM Express: registers, queues, commands, status
 *
 * NVM Express Base Specification 2.0 ("NVMe-2.0"), NVM Command Set
 * Specification 1.0 ("NVMCS-1.0") and PCIe Transport Specification 1.0
 * ("PCIET-1.0"), as far as the controller uses them. What Identify returns is
 * in nvme_spec_id.h, what log pages hold in nvme_spec_log.h. Multi-byte fields
 * are little-endian; register and command fields are masks to be used with
 * nvme_get() on a value in host order. Zero-based fields end in _0based where
 * they are members of a struct.
 *
 * Only facts of the specifications: no function of the controller is here.
 */
#ifndef LKVM_NVME_SPEC_H
#define LKVM_NVME_SPEC_H

#include "devices/nvme/nvme_spec_id.h"
#include "devices/nvme/nvme_spec_log.h"
#include "vmm/base/types.h"

/* The value of a field: nvme_get(NVME_CC_MPS, cc). @mask is a constant. */
#define nvme_get(mask, value)						\
	(((value) & (mask)) / ((mask) & -(mask)))
/* A value put into its field; it must fit. */
#define nvme_put(mask, value)						\
	(((__typeof__(mask))(value) * ((mask) & -(mask))) & (mask))

/* ---- controller properties (NVMe-2.0 3.1.3, PCIET-1.0 3.1.2) ------------- */

#define NVME_REG_CAP		0x00	/* 64: Controller Capabilities */
#define NVME_REG_VS		0x08	/* Version */
#define NVME_REG_INTMS		0x0c	/* Interrupt Mask Set */
#define NVME_REG_INTMC		0x10	/* Interrupt Mask Clear */
#define NVME_REG_CC		0x14	/* Controller Configuration */
#define NVME_REG_CSTS		0x1c	/* Controller Status */
#define NVME_REG_NSSR		0x20	/* NVM Subsystem Reset */
#define NVME_REG_AQA		0x24	/* Admin Queue Attributes */
#define NVME_REG_ASQ		0x28	/* 64: Admin Submission Queue base */
#define NVME_REG_ACQ		0x30	/* 64: Admin Completion Queue base */
#define NVME_REG_CMBLOC		0x38	/* Controller Memory Buffer Location */
#define NVME_REG_CMBSZ		0x3c	/* Controller Memory Buffer Size */
#define NVME_REG_BPINFO		0x40	/* Boot Partition Information */
#define NVME_REG_BPRSEL		0x44	/* Boot Partition Read Select */
#define NVME_REG_BPMBL		0x48	/* 64: Boot Partition Memory Buffer */
#define NVME_REG_CMBMSC		0x50	/* 64: CMB Memory Space Control */
#define NVME_REG_CMBSTS		0x58	/* CMB Status */
#define NVME_REG_CMBEBS		0x5c	/* CMB Elasticity Buffer Size */
#define NVME_REG_CMBSWTP	0x60	/* CMB Sustained Write Throughput */
#define NVME_REG_NSSD		0x64	/* NVM Subsystem Shutdown */
#define NVME_REG_CRTO		0x68	/* Controller Ready Timeouts */
#define NVME_REG_PMRCAP		0xe00	/* Persistent Memory Region Cap. */
#define NVME_REG_PMRCTL		0xe04
#define NVME_REG_PMRSTS		0xe08
#define NVME_REG_PMREBS		0xe0c
#define NVME_REG_PMRSWTP	0xe10
#define NVME_REG_PMRMSCL	0xe14
#define NVME_REG_PMRMSCU	0xe18
#define NVME_REG_DOORBELLS	0x1000	/* SQ 0 tail, CQ 0 head, SQ 1 tail... */

/* CAP (NVMe-2.0 3.1.3.1) */
#define NVME_CAP_MQES		0xffffULL	/* zero-based */
#define NVME_CAP_CQR		BIT_ULL(16)	/* contiguous queues required */
#define NVME_CAP_AMS		(3ULL << 17)
#define NVME_CAP_AMS_WRR	BIT_ULL(17)
#define NVME_CAP_TO		(0xffULL << 24)	/* 500 ms units */
#define NVME_CAP_DSTRD		(0xfULL << 32)	/* 4 << n bytes */
#define NVME_CAP_NSSRS		BIT_ULL(36)	/* subsystem reset supported */
#define NVME_CAP_CSS		(0xffULL << 37)
#define NVME_CAP_CSS_NVM	BIT_ULL(37)
#define NVME_CAP_CSS_IOCS	BIT_ULL(43)	/* Identify CNS 1Ch selects */
#define NVME_CAP_CSS_NOIO	BIT_ULL(44)
#define NVME_CAP_BPS		BIT_ULL(45)
#define NVME_CAP_CPS		(3ULL << 46)	/* controller power scope */
#define NVME_CAP_MPSMIN		(0xfULL << 48)	/* 4 KiB << n */
#define NVME_CAP_MPSMAX		(0xfULL << 52)
#define NVME_CAP_PMRS		BIT_ULL(56)
#define NVME_CAP_CMBS		BIT_ULL(57)
#define NVME_CAP_NSSS		BIT_ULL(58)	/* subsystem shutdown */
#define NVME_CAP_CRMS		(3ULL << 59)
#define NVME_CAP_CRMS_CRWMS	BIT_ULL(59)	/* ready with media */
#define NVME_CAP_CRMS_CRIMS	BIT_ULL(60)	/* ready independent of media */

#define NVME_CAP_CPS_NONE	0
#define NVME_CAP_CPS_CONTROLLER	1

/* VS (NVMe-2.0 3.1.3.2) */
#define NVME_VS(major, minor, tertiary)					\
	((u32)(major) << 16 | (u32)(minor) << 8 | (u32)(tertiary))

/* CC (NVMe-2.0 3.1.3.5) */
#define NVME_CC_EN		BIT(0)
#define NVME_CC_CSS		(7U << 4)
#define NVME_CC_MPS		(0xfU << 7)	/* 4 KiB << n */
#define NVME_CC_AMS		(7U << 11)
#define NVME_CC_SHN		(3U << 14)
#define NVME_CC_IOSQES		(0xfU << 16)	/* 1 << n bytes */
#define NVME_CC_IOCQES		(0xfU << 20)
#define NVME_CC_CRIME		BIT(24)		/* ready independent of media */

#define NVME_CC_CSS_NVM		0
#define NVME_CC_CSS_IOCS	6		/* all supported command sets */
#define NVME_CC_CSS_ADMIN	7		/* admin command set only */
#define NVME_CC_AMS_RR		0
#define NVME_CC_AMS_WRR		1
#define NVME_CC_SHN_NONE	0
#define NVME_CC_SHN_NORMAL	1
#define NVME_CC_SHN_ABRUPT	2

/* CSTS (NVMe-2.0 3.1.3.6) */
#define NVME_CSTS_RDY		BIT(0)
#define NVME_CSTS_CFS		BIT(1)		/* controller fatal status */
#define NVME_CSTS_SHST		(3U << 2)
#define NVME_CSTS_NSSRO		BIT(4)		/* subsystem reset occurred */
#define NVME_CSTS_PP		BIT(5)		/* processing paused */
#define NVME_CSTS_ST		BIT(6)		/* shutdown type: subsystem */

#define NVME_CSTS_SHST_NORMAL	0
#define NVME_CSTS_SHST_BUSY	1
#define NVME_CSTS_SHST_DONE	2

/* NSSR, NSSD (NVMe-2.0 3.1.3.7, 3.1.3.20) */
#define NVME_NSSR_MAGIC		0x4e564d65	/* "NVMe" */
#define NVME_NSSD_NORMAL	0x4e726d6c	/* "Nrml" */
#define NVME_NSSD_ABRUPT	0x41627072	/* "Abpr" */

/* AQA (NVMe-2.0 3.1.3.8), both zero-based */
#define NVME_AQA_ASQS		0xfffU
#define NVME_AQA_ACQS		(0xfffU << 16)

/* ASQ, ACQ: the low 12 bits are reserved (NVMe-2.0 3.1.3.9, 3.1.3.10) */
#define NVME_AQ_BASE		0xfffffffffffff000ULL

/* CRTO (NVMe-2.0 3.1.3.21), 500 ms units */
#define NVME_CRTO_CRWMT		0xffffU
#define NVME_CRTO_CRIMT		(0xffffU << 16)

/* Doorbells (PCIET-1.0 3.1.2.1, 3.1.2.2): the upper 16 bits are reserved */
#define NVME_DOORBELL_SQ(qid, stride)	\
	(NVME_REG_DOORBELLS + 2ULL * (qid) * (stride))
#define NVME_DOORBELL_CQ(qid, stride)	\
	(NVME_REG_DOORBELLS + (2ULL * (qid) + 1) * (stride))
#define NVME_DOORBELL_VALUE	0xffffU

/* ---- submission and completion queue entries ------------------------------ */

#define NVME_SQE_SIZE		64
#define NVME_SQE_SHIFT		6
#define NVME_CQE_SIZE		16
#define NVME_CQE_SHIFT		4
#define NVME_QUEUE_SIZE_MIN	2	/* NVMe-2.0 3.3.3.1 */
#define NVME_QUEUE_ADMIN	0

#define NVME_NSID_NONE		0U
#define NVME_NSID_ALL		0xffffffffU
#define NVME_NSID_MAX		0xfffffffeU
#define NVME_CNTLID_NONE	0xffff
#define NVME_CNTLID_MAX		0xffef
#define NVME_CID_NONE		0xffff	/* error log: no command */
#define NVME_CSI_NVM		0	/* NVM Command Set */

/**
 * struct nvme_sgl - SGL descriptor (NVMe-2.0 4.1.2)
 * @addr: address of the data block or segment
 * @length: bytes
 * @rsvd12: reserved, zero
 * @id: type in bits 7:4, sub type in bits 3:0
 */
struct nvme_sgl {
	__le64 addr;
	__le32 length;
	u8 rsvd12[3];
	u8 id;
};
static_assert(sizeof(struct nvme_sgl) == 16, "SGL descriptor");
static_assert(offsetof(struct nvme_sgl, id) == 15, "SGL identifier");

#define NVME_SGL_TYPE		0xf0U
#define NVME_SGL_SUBTYPE	0x0fU
#define NVME_SGL_DATA		0x0	/* data block */
#define NVME_SGL_BIT_BUCKET	0x1
#define NVME_SGL_SEGMENT	0x2
#define NVME_SGL_LAST_SEGMENT	0x3
#define NVME_SGL_KEYED_DATA	0x4
#define NVME_SGL_TRANSPORT_DATA	0x5
#define NVME_SGL_VENDOR		0xf
#define NVME_SGL_SUB_ADDRESS	0x0
#define NVME_SGL_SUB_OFFSET	0x1
#define NVME_SGL_SUB_TRANSPORT	0xa

/**
 * struct nvme_prps - a pair of PRP entries
 * @prp1: first page; may have an offset, dword aligned
 * @prp2: second page, or a PRP list, or reserved
 */
struct nvme_prps {
	__le64 prp1;
	__le64 prp2;
};

/**
 * struct nvme_sqe - submission queue entry, common format (NVMe-2.0 3.3.3.1)
 * @opcode: admin or I/O command
 * @flags: fused operation and kind of data pointer, NVME_SQE_*
 * @cid: command identifier, unique among the queue's outstanding commands
 * @nsid: namespace, or 0, or NVME_NSID_ALL
 * @cdw2: command dword 2; reserved in most commands
 * @cdw3: command dword 3; reserved in most commands
 * @mptr: metadata pointer
 * @prp: data pointer as PRPs
 * @sgl: data pointer as an SGL descriptor
 * @cdw10: and following: specific to the command
 * @cdw11: see @cdw10
 * @cdw12: see @cdw10
 * @cdw13: see @cdw10
 * @cdw14: see @cdw10
 * @cdw15: see @cdw10
 */
struct nvme_sqe {
	u8 opcode;
	u8 flags;
	__le16 cid;
	__le32 nsid;
	__le32 cdw2;
	__le32 cdw3;
	__le64 mptr;
	union {
		struct nvme_prps prp;
		struct nvme_sgl sgl;
	};
	__le32 cdw10;
	__le32 cdw11;
	__le32 cdw12;
	__le32 cdw13;
	__le32 cdw14;
	__le32 cdw15;
};
static_assert(sizeof(struct nvme_sqe) == NVME_SQE_SIZE, "SQE");
static_assert(offsetof(struct nvme_sqe, nsid) == 4, "SQE NSID");
static_assert(offsetof(struct nvme_sqe, mptr) == 16, "SQE MPTR");
static_assert(offsetof(struct nvme_sqe, prp) == 24, "SQE DPTR");
static_assert(offsetof(struct nvme_sqe, cdw10) == 40, "SQE CDW10");

/* &nvme_sqe.flags: command dword 0 bits 15:8 */
#define NVME_SQE_FUSE		0x03U
#define NVME_SQE_RESERVED	0x3cU
#define NVME_SQE_PSDT		0xc0U

#define NVME_FUSE_NONE		0
#define NVME_FUSE_FIRST		1
#define NVME_FUSE_SECOND	2
#define NVME_PSDT_PRP		0
#define NVME_PSDT_SGL_MPTR	1	/* metadata pointer is an address */
#define NVME_PSDT_SGL_MSGL	2	/* metadata pointer points to an SGL */

/**
 * struct nvme_cqe - completion queue entry (NVMe-2.0 3.3.3.2)
 * @dw0: specific to the command
 * @dw1: specific to the command
 * @sq_head: submission queue head: slots before it may be used again
 * @sqid: submission queue
 * @cid: command identifier
 * @status: phase tag in bit 0, status in bits 15:1; see nvme_cqe_status()
 */
struct nvme_cqe {
	__le32 dw0;
	__le32 dw1;
	__le16 sq_head;
	__le16 sqid;
	__le16 cid;
	__le16 status;
};
static_assert(sizeof(struct nvme_cqe) == NVME_CQE_SIZE, "CQE");
static_assert(offsetof(struct nvme_cqe, status) == 14, "CQE status");

#define NVME_CQE_PHASE		1U

/* ---- status (NVMe-2.0 3.3.3.2.1) ------------------------------------------ */

/**
 * typedef nvme_status_t - how a command ended
 *
 * The completion's status field without the phase tag: status code in bits
 * 7:0, status code type in 10:8, CRD in 12:11, More in bit 13, DNR in bit 14.
 * 0 is success. A type of its own, so that it is not mixed up with an errno.
 */
typedef u16 __bitwise nvme_status_t;

#define NVME_STATUS(sct, sc)	((__force nvme_status_t)((sct) << 8 | (sc)))
#define NVME_STATUS_SC		0x00ffU
#define NVME_STATUS_SCT		0x0700U
#define NVME_STATUS_CRD		0x1800U
#define NVME_STATUS_MORE	0x2000U
#define NVME_STATUS_DNR		0x4000U

#define NVME_SCT_GENERIC	0
#define NVME_SCT_COMMAND	1
#define NVME_SCT_MEDIA		2
#define NVME_SCT_PATH		3
#define NVME_SCT_VENDOR		7

static inline u16 nvme_status_raw(nvme_status_t status)
{
	return (__force u16)status;
}

/* Status code and type alone, to compare with the codes below. */
static inline nvme_status_t nvme_status_code(nvme_status_t status)
{
	return (__force nvme_status_t)((__force u16)status &
				       (NVME_STATUS_SCT | NVME_STATUS_SC));
}

/* "Do Not Retry": the same command would fail again. */
static inline nvme_status_t nvme_status_dnr(nvme_status_t status)
{
	return (__force nvme_status_t)((__force u16)status | NVME_STATUS_DNR);
}

/* "More": the Error Information log has an entry for this command. */
static inline nvme_status_t nvme_status_more(nvme_status_t status)
{
	return (__force nvme_status_t)((__force u16)status | NVME_STATUS_MORE);
}

static inline __le16 nvme_cqe_status(nvme_status_t status, bool phase)
{
	return cpu_to_le16((u16)((__force u16)status << 1 | phase));
}

/* Generic Command Status (NVMe-2.0 3.3.3.2.1.1, NVMCS-1.0 3.1.2.1) */
#define NVME_SC_SUCCESS			NVME_STATUS(0, 0x00)
#define NVME_SC_INVALID_OPCODE		NVME_STATUS(0, 0x01)
#define NVME_SC_INVALID_FIELD		NVME_STATUS(0, 0x02)
#define NVME_SC_CID_CONFLICT		NVME_STATUS(0, 0x03)
#define NVME_SC_DATA_TRANSFER		NVME_STATUS(0, 0x04)
#define NVME_SC_POWER_LOSS		NVME_STATUS(0, 0x05)
#define NVME_SC_INTERNAL		NVME_STATUS(0, 0x06)
#define NVME_SC_ABORTED			NVME_STATUS(0, 0x07)
#define NVME_SC_ABORTED_SQ_DELETED	NVME_STATUS(0, 0x08)
#define NVME_SC_ABORTED_FUSED_FAILED	NVME_STATUS(0, 0x09)
#define NVME_SC_ABORTED_FUSED_MISSING	NVME_STATUS(0, 0x0a)
#define NVME_SC_INVALID_NS		NVME_STATUS(0, 0x0b)
#define NVME_SC_SEQUENCE		NVME_STATUS(0, 0x0c)
#define NVME_SC_SGL_INVALID_SEGMENT	NVME_STATUS(0, 0x0d)
#define NVME_SC_SGL_INVALID_COUNT	NVME_STATUS(0, 0x0e)
#define NVME_SC_SGL_DATA_LENGTH		NVME_STATUS(0, 0x0f)
#define NVME_SC_SGL_METADATA_LENGTH	NVME_STATUS(0, 0x10)
#define NVME_SC_SGL_INVALID_TYPE	NVME_STATUS(0, 0x11)
#define NVME_SC_CMB_INVALID_USE		NVME_STATUS(0, 0x12)
#define NVME_SC_PRP_INVALID_OFFSET	NVME_STATUS(0, 0x13)
#define NVME_SC_ATOMIC_WRITE_EXCEEDED	NVME_STATUS(0, 0x14)
#define NVME_SC_OPERATION_DENIED	NVME_STATUS(0, 0x15)
#define NVME_SC_SGL_INVALID_OFFSET	NVME_STATUS(0, 0x16)
#define NVME_SC_HOST_ID_FORMAT		NVME_STATUS(0, 0x18)
#define NVME_SC_KA_EXPIRED		NVME_STATUS(0, 0x19)
#define NVME_SC_KA_INVALID		NVME_STATUS(0, 0x1a)
#define NVME_SC_ABORTED_PREEMPT		NVME_STATUS(0, 0x1b)
#define NVME_SC_SANITIZE_FAILED		NVME_STATUS(0, 0x1c)
#define NVME_SC_SANITIZE_IN_PROGRESS	NVME_STATUS(0, 0x1d)
#define NVME_SC_SGL_GRANULARITY		NVME_STATUS(0, 0x1e)
#define NVME_SC_CMB_QUEUE		NVME_STATUS(0, 0x1f)
#define NVME_SC_NS_WRITE_PROTECTED	NVME_STATUS(0, 0x20)
#define NVME_SC_INTERRUPTED		NVME_STATUS(0, 0x21)
#define NVME_SC_TRANSIENT_TRANSPORT	NVME_STATUS(0, 0x22)
#define NVME_SC_LOCKED_DOWN		NVME_STATUS(0, 0x23)
#define NVME_SC_MEDIA_NOT_READY		NVME_STATUS(0, 0x24)
#define NVME_SC_LBA_RANGE		NVME_STATUS(0, 0x80)
#define NVME_SC_CAPACITY_EXCEEDED	NVME_STATUS(0, 0x81)
#define NVME_SC_NS_NOT_READY		NVME_STATUS(0, 0x82)
#define NVME_SC_RESERVATION_CONFLICT	NVME_STATUS(0, 0x83)
#define NVME_SC_FORMAT_IN_PROGRESS	NVME_STATUS(0, 0x84)

/* Command Specific Status (NVMe-2.0 3.3.3.2.1.2, NVMCS-1.0 3.1.2.2) */
#define NVME_SC_CQ_INVALID		NVME_STATUS(1, 0x00)
#define NVME_SC_QID_INVALID		NVME_STATUS(1, 0x01)
#define NVME_SC_QUEUE_SIZE_INVALID	NVME_STATUS(1, 0x02)
#define NVME_SC_ABORT_LIMIT		NVME_STATUS(1, 0x03)
#define NVME_SC_AER_LIMIT		NVME_STATUS(1, 0x05)
#define NVME_SC_FIRMWARE_SLOT		NVME_STATUS(1, 0x06)
#define NVME_SC_FIRMWARE_IMAGE		NVME_STATUS(1, 0x07)
#define NVME_SC_VECTOR_INVALID		NVME_STATUS(1, 0x08)
#define NVME_SC_LOG_INVALID		NVME_STATUS(1, 0x09)
#define NVME_SC_FORMAT_INVALID		NVME_STATUS(1, 0x0a)
#define NVME_SC_QUEUE_DELETION		NVME_STATUS(1, 0x0c)
#define NVME_SC_FEATURE_NOT_SAVEABLE	NVME_STATUS(1, 0x0d)
#define NVME_SC_FEATURE_NOT_CHANGEABLE	NVME_STATUS(1, 0x0e)
#define NVME_SC_FEATURE_NOT_NS		NVME_STATUS(1, 0x0f)
#define NVME_SC_OVERLAPPING_RANGE	NVME_STATUS(1, 0x14)
#define NVME_SC_NS_INSUFFICIENT_CAP	NVME_STATUS(1, 0x15)
#define NVME_SC_NSID_UNAVAILABLE	NVME_STATUS(1, 0x16)
#define NVME_SC_NS_ALREADY_ATTACHED	NVME_STATUS(1, 0x18)
#define NVME_SC_NS_PRIVATE		NVME_STATUS(1, 0x19)
#define NVME_SC_NS_NOT_ATTACHED		NVME_STATUS(1, 0x1a)
#define NVME_SC_CTRL_LIST_INVALID	NVME_STATUS(1, 0x1c)
#define NVME_SC_CNTLID_INVALID		NVME_STATUS(1, 0x1f)
#define NVME_SC_NS_ATTACH_LIMIT		NVME_STATUS(1, 0x27)
#define NVME_SC_IOCS_NOT_SUPPORTED	NVME_STATUS(1, 0x29)
#define NVME_SC_IOCS_NOT_ENABLED	NVME_STATUS(1, 0x2a)
#define NVME_SC_IOCS_COMBINATION	NVME_STATUS(1, 0x2b)
#define NVME_SC_IOCS_INVALID		NVME_STATUS(1, 0x2c)
#define NVME_SC_CONFLICTING_ATTRIBUTES	NVME_STATUS(1, 0x80)
#define NVME_SC_PROT_INFO_INVALID	NVME_STATUS(1, 0x81)
#define NVME_SC_WRITE_READ_ONLY_RANGE	NVME_STATUS(1, 0x82)
#define NVME_SC_COMMAND_SIZE_LIMIT	NVME_STATUS(1, 0x83)

/* Media and Data Integrity Errors (NVMe-2.0 3.3.3.2.1.3, NVMCS-1.0 3.1.2.3) */
#define NVME_SC_WRITE_FAULT		NVME_STATUS(2, 0x80)
#define NVME_SC_READ_ERROR		NVME_STATUS(2, 0x81)
#define NVME_SC_GUARD_CHECK		NVME_STATUS(2, 0x82)
#define NVME_SC_APPTAG_CHECK		NVME_STATUS(2, 0x83)
#define NVME_SC_REFTAG_CHECK		NVME_STATUS(2, 0x84)
#define NVME_SC_COMPARE_FAILURE		NVME_STATUS(2, 0x85)
#define NVME_SC_ACCESS_DENIED		NVME_STATUS(2, 0x86)
#define NVME_SC_UNWRITTEN_BLOCK		NVME_STATUS(2, 0x87)

/* ---- admin commands (NVMe-2.0 5, Figure 138) ------------------------------ */

#define NVME_ADM_DELETE_SQ	0x00
#define NVME_ADM_CREATE_SQ	0x01
#define NVME_ADM_GET_LOG_PAGE	0x02
#define NVME_ADM_DELETE_CQ	0x04
#define NVME_ADM_CREATE_CQ	0x05
#define NVME_ADM_IDENTIFY	0x06
#define NVME_ADM_ABORT		0x08
#define NVME_ADM_SET_FEATURES	0x09
#define NVME_ADM_GET_FEATURES	0x0a
#define NVME_ADM_AER		0x0c
#define NVME_ADM_NS_MANAGEMENT	0x0d
#define NVME_ADM_FW_COMMIT	0x10
#define NVME_ADM_FW_DOWNLOAD	0x11
#define NVME_ADM_SELF_TEST	0x14
#define NVME_ADM_NS_ATTACHMENT	0x15
#define NVME_ADM_KEEP_ALIVE	0x18
#define NVME_ADM_DIRECTIVE_SEND	0x19
#define NVME_ADM_DIRECTIVE_RECV	0x1a
#define NVME_ADM_DBBUF_CONFIG	0x7c
#define NVME_ADM_FORMAT_NVM	0x80
#define NVME_ADM_SECURITY_SEND	0x81
#define NVME_ADM_SECURITY_RECV	0x82
#define NVME_ADM_SANITIZE	0x84
#define NVME_ADM_GET_LBA_STATUS	0x86

/* Bits 1:0 of an opcode say which way data goes (NVMe-2.0 3.3.3.1) */
#define NVME_OPCODE_TRANSFER	3U
#define NVME_TRANSFER_NONE	0
#define NVME_TRANSFER_TO_CTRL	1
#define NVME_TRANSFER_TO_HOST	2
#define NVME_TRANSFER_BOTH	3

/* Create I/O Completion Queue (5.4), Create I/O Submission Queue (5.5) */
#define NVME_CQUEUE_CDW10_QID	0x0000ffffU
#define NVME_CQUEUE_CDW10_QSIZE	0xffff0000U	/* zero-based */
#define NVME_CREATE_CDW11_PC	BIT(0)		/* physically contiguous */
#define NVME_CCQ_CDW11_IEN	BIT(1)		/* interrupts enabled */
#define NVME_CCQ_CDW11_IV	0xffff0000U	/* interrupt vector */
#define NVME_CSQ_CDW11_QPRIO	0x00000006U
#define NVME_CSQ_CDW11_CQID	0xffff0000U
/* Delete I/O Completion, Submission Queue (5.6, 5.7) */
#define NVME_DQUEUE_CDW10_QID	0x0000ffffU

/* Identify (5.17) */
#define NVME_IDENTIFY_CDW10_CNS	0x000000ffU
#define NVME_IDENTIFY_CDW10_CNTID	0xffff0000U
#define NVME_IDENTIFY_CDW11_CNSSID	0x0000ffffU
#define NVME_IDENTIFY_CDW11_CSI	0xff000000U
#define NVME_CDW14_UIDX		0x0000007fU	/* also Get Log, Features */

/* Get Log Page (5.16) */
#define NVME_LOG_CDW10_LID	0x000000ffU
#define NVME_LOG_CDW10_LSP	0x00007f00U	/* log specific parameter */
#define NVME_LOG_CDW10_RAE	BIT(15)		/* retain asynchronous event */
#define NVME_LOG_CDW10_NUMDL	0xffff0000U	/* dwords, zero-based */
#define NVME_LOG_CDW11_NUMDU	0x0000ffffU
#define NVME_LOG_CDW11_LSI	0xffff0000U	/* log specific identifier */
#define NVME_LOG_CDW14_OT	BIT(23)		/* offset is an index */
#define NVME_LOG_CDW14_CSI	0xff000000U

/* Get Features (5.15), Set Features (5.27) */
#define NVME_FEATURE_CDW10_FID	0x000000ffU
#define NVME_FEATURE_CDW10_SEL	0x00000700U
#define NVME_FEATURE_CDW10_SV	BIT(31)		/* save */
#define NVME_FEATURE_SEL_CURRENT	0
#define NVME_FEATURE_SEL_DEFAULT	1
#define NVME_FEATURE_SEL_SAVED		2
#define NVME_FEATURE_SEL_CAPABILITIES	3
/* Get Features, completion dword 0 for Supported Capabilities */
#define NVME_FEATURE_CAP_SAVEABLE	BIT(0)
#define NVME_FEATURE_CAP_NS_SPECIFIC	BIT(1)
#define NVME_FEATURE_CAP_CHANGEABLE	BIT(2)

/* Abort (5.1) */
#define NVME_ABORT_CDW10_SQID	0x0000ffffU
#define NVME_ABORT_CDW10_CID	0xffff0000U
#define NVME_ABORT_DW0_NOT_ABORTED	BIT(0)

/* Format NVM (5.14) */
#define NVME_FORMAT_CDW10_LBAFL	0x0000000fU
#define NVME_FORMAT_CDW10_MSET	BIT(4)
#define NVME_FORMAT_CDW10_PI	0x000000e0U
#define NVME_FORMAT_CDW10_PIL	BIT(8)
#define NVME_FORMAT_CDW10_SES	0x00000e00U
#define NVME_FORMAT_CDW10_LBAFU	0x00003000U
#define NVME_FORMAT_SES_NONE	0
#define NVME_FORMAT_SES_USER	1	/* user data erase */
#define NVME_FORMAT_SES_CRYPTO	2	/* cryptographic erase */

/* Namespace Attachment (5.22) */
#define NVME_ATTACH_CDW10_SEL	0x0000000fU
#define NVME_ATTACH_SEL_ATTACH	0
#define NVME_ATTACH_SEL_DETACH	1

/* ---- features (NVMe-2.0 5.27.1, Figure 317) ------------------------------- */

#define NVME_FID_ARBITRATION	0x01
#define NVME_FID_POWER		0x02
#define NVME_FID_LBA_RANGE	0x03
#define NVME_FID_TEMPERATURE	0x04
#define NVME_FID_ERROR_RECOVERY	0x05
#define NVME_FID_WRITE_CACHE	0x06
#define NVME_FID_QUEUES		0x07
#define NVME_FID_COALESCING	0x08
#define NVME_FID_VECTOR		0x09
#define NVME_FID_WRITE_ATOMICITY	0x0a
#define NVME_FID_AEC		0x0b
#define NVME_FID_APST		0x0c
#define NVME_FID_HMB		0x0d
#define NVME_FID_TIMESTAMP	0x0e
#define NVME_FID_KATO		0x0f
#define NVME_FID_HOST_BEHAVIOR	0x16

/* 01: Arbitration (5.27.1.1) */
#define NVME_FEAT_ARB_AB	0x00000007U	/* burst, 1 << n; 7: no limit */
#define NVME_FEAT_ARB_LPW	0x0000ff00U
#define NVME_FEAT_ARB_MPW	0x00ff0000U
#define NVME_FEAT_ARB_HPW	0xff000000U
#define NVME_FEAT_ARB_AB_UNLIMITED	7
/* 02: Power Management (5.27.1.2) */
#define NVME_FEAT_PM_PS		0x0000001fU
#define NVME_FEAT_PM_WH		0x000000e0U	/* workload hint */
/* 04: Temperature Threshold (5.27.1.3) */
#define NVME_FEAT_TEMP_TMPTH	0x0000ffffU	/* kelvin */
#define NVME_FEAT_TEMP_TMPSEL	0x000f0000U
#define NVME_FEAT_TEMP_THSEL	0x00300000U
#define NVME_FEAT_TEMP_SEL_COMPOSITE	0
#define NVME_FEAT_TEMP_SEL_ALL		0xf
#define NVME_FEAT_TEMP_OVER		0
#define NVME_FEAT_TEMP_UNDER		1
/* 05: Error Recovery (NVMCS-1.0 4.1.3.2) */
#define NVME_FEAT_ER_TLER	0x0000ffffU	/* 100 ms units, 0: no limit */
#define NVME_FEAT_ER_DULBE	BIT(16)		/* error on unwritten block */
/* 06: Volatile Write Cache (5.27.1.4) */
#define NVME_FEAT_VWC_WCE	BIT(0)
/* 07: Number of Queues (5.27.1.5), both zero-based */
#define NVME_FEAT_NQ_NSQR	0x0000ffffU
#define NVME_FEAT_NQ_NCQR	0xffff0000U
#define NVME_FEAT_NQ_INVALID	0xffff		/* 65,536 queues */
/* 08: Interrupt Coalescing (5.27.1.6) */
#define NVME_FEAT_IC_THR	0x000000ffU	/* entries, zero-based */
#define NVME_FEAT_IC_TIME	0x0000ff00U	/* 100 us units */
/* 09: Interrupt Vector Configuration (5.27.1.7) */
#define NVME_FEAT_IV_IV		0x0000ffffU
#define NVME_FEAT_IV_CD		BIT(16)		/* coalescing disable */
/* 0a: Write Atomicity Normal (NVMCS-1.0 4.1.3.3) */
#define NVME_FEAT_WA_DN		BIT(0)		/* disable normal */
/* 0b: Asynchronous Event Configuration (5.27.1.8), as Identify's OAES */
#define NVME_FEAT_AEC_SMART	0x000000ffU	/* NVME_SMART_WARN_* */
#define NVME_FEAT_AEC_NS_ATTR	BIT(8)
#define NVME_FEAT_AEC_FW_ACTIVATION	BIT(9)

/**
 * struct nvme_timestamp - feature 0Eh (NVMe-2.0 5.27.1.11)
 * @ms: milliseconds since 1970, 48 bits
 * @attr: NVME_TIMESTAMP_*
 * @rsvd7: reserved
 */
struct nvme_timestamp {
	u8 ms[6];
	u8 attr;
	u8 rsvd7;
};
static_assert(sizeof(struct nvme_timestamp) == 8, "timestamp");

#define NVME_TIMESTAMP_SYNCH	BIT(0)	/* it was stopped meanwhile */
#define NVME_TIMESTAMP_ORIGIN	0x0eU
#define NVME_TIMESTAMP_ORIGIN_RESET	0	/* cleared at reset */
#define NVME_TIMESTAMP_ORIGIN_SET	1	/* by Set Features */

/**
 * struct nvme_host_behavior - feature 16h (NVMe-2.0 5.27.1.18)
 * @acre: Advanced Command Retry Enable
 * @etdas: Extended Telemetry Data Area 4 Supported
 * @lbafee: LBA Format Extension Enable
 * @rsvd3: reserved
 */
struct nvme_host_behavior {
	u8 acre;
	u8 etdas;
	u8 lbafee;
	u8 rsvd3[509];
};
static_assert(sizeof(struct nvme_host_behavior) == 512, "host behavior");

/* ---- I/O commands (NVMe-2.0 7, NVMCS-1.0 3.2) ----------------------------- */

#define NVME_IO_FLUSH		0x00
#define NVME_IO_WRITE		0x01
#define NVME_IO_READ		0x02
#define NVME_IO_WRITE_UNCORR	0x04
#define NVME_IO_COMPARE		0x05
#define NVME_IO_WRITE_ZEROES	0x08
#define NVME_IO_DSM		0x09
#define NVME_IO_VERIFY		0x0c
#define NVME_IO_RESV_REGISTER	0x0d
#define NVME_IO_RESV_REPORT	0x0e
#define NVME_IO_RESV_ACQUIRE	0x11
#define NVME_IO_RESV_RELEASE	0x15
#define NVME_IO_COPY		0x19

/* Command dword 12 of the commands that name a range of blocks */
#define NVME_RW_CDW12_NLB	0x0000ffffU	/* zero-based */
#define NVME_RW_CDW12_DTYPE	0x00f00000U	/* directive: Write */
#define NVME_RW_CDW12_STC	BIT(24)		/* storage tag check */
#define NVME_RW_CDW12_DEAC	BIT(25)		/* deallocate: Write Zeroes */
#define NVME_RW_CDW12_PRINFO	0x3c000000U	/* protection information */
#define NVME_RW_CDW12_FUA	BIT(30)
#define NVME_RW_CDW12_LR	BIT(31)		/* limited retry */

/* Dataset Management (NVMCS-1.0 3.2.3) */
#define NVME_DSM_CDW10_NR	0x000000ffU	/* ranges, zero-based */
#define NVME_DSM_CDW11_IDR	BIT(0)
#define NVME_DSM_CDW11_IDW	BIT(1)
#define NVME_DSM_CDW11_AD	BIT(2)		/* deallocate */
#define NVME_DSM_RANGES_MAX	256

/**
 * struct nvme_dsm_range - Dataset Management range (NVMCS-1.0 3.2.3.1)
 * @cattr: context attributes, hints
 * @nlb: logical blocks, not zero-based
 * @slba: first logical block
 */
struct nvme_dsm_range {
	__le32 cattr;
	__le32 nlb;
	__le64 slba;
};
static_assert(sizeof(struct nvme_dsm_range) == 16, "DSM range");

/* Copy (NVMCS-1.0 3.2.2) */
#define NVME_COPY_CDW12_NR	0x000000ffU	/* ranges, zero-based */
#define NVME_COPY_CDW12_DESFMT	0x00000f00U	/* descriptor format */
#define NVME_COPY_CDW12_PRINFOR	0x0000f000U
#define NVME_COPY_CDW12_DTYPE	0x00f00000U
#define NVME_COPY_CDW12_STCW	BIT(24)
#define NVME_COPY_CDW12_STCR	BIT(25)
#define NVME_COPY_CDW12_PRINFOW	0x3c000000U
#define NVME_COPY_CDW12_FUA	BIT(30)
#define NVME_COPY_CDW12_LR	BIT(31)
#define NVME_COPY_RANGES_MAX	256

/**
 * struct nvme_copy_range - source range, descriptor format 0 (NVMCS-1.0 3.2.2)
 * @rsvd0: reserved
 * @slba: first logical block
 * @nlb_0based: logical blocks less one
 * @rsvd18: reserved
 * @eilbrt: expected initial logical block reference tag
 * @elbat: expected logical block application tag
 * @elbatm: its mask
 */
struct nvme_copy_range {
	u8 rsvd0[8];
	__le64 slba;
	__le16 nlb_0based;
	u8 rsvd18[6];
	__le32 eilbrt;
	__le16 elbat;
	__le16 elbatm;
};
static_assert(sizeof(struct nvme_copy_range) == 32, "copy source range");
static_assert(offsetof(struct nvme_copy_range, slba) == 8, "copy SLBA");
static_assert(offsetof(struct nvme_copy_range, eilbrt) == 24, "copy EILBRT");

#endif /* LKVM_NVME_SPEC_H */
