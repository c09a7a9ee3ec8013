/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: layouts and numbers of NVM Express: log pages and asynchronous events
 *
 * NVM Express Base Specification 2.0 ("NVMe-2.0") 5.2 and 5.16. Part of
 * nvme_spec.h; include that.
 */
#ifndef LKVM_NVME_SPEC_LOG_H
#define LKVM_NVME_SPEC_LOG_H

#include "vmm/base/types.h"

/* Log page identifiers (NVMe-2.0 5.16.1, Figure 202) */
#define NVME_LID_SUPPORTED	0x00	/* Supported Log Pages */
#define NVME_LID_ERROR		0x01	/* Error Information */
#define NVME_LID_SMART		0x02	/* SMART / Health Information */
#define NVME_LID_FW_SLOT	0x03	/* Firmware Slot Information */
#define NVME_LID_CHANGED_NS	0x04	/* Changed Namespace List */
#define NVME_LID_EFFECTS	0x05	/* Commands Supported and Effects */
#define NVME_LID_FID_EFFECTS	0x12	/* Feature IDs Supported and Effects */
#define NVME_LID_MI_EFFECTS	0x13	/* NVMe-MI Commands Supported */

/**
 * struct nvme_log_supported - Supported Log Pages, 00h (NVMe-2.0 5.16.1.1)
 * @lid: per log page, NVME_LOG_SUPPORTED_*
 */
struct nvme_log_supported {
	__le32 lid[256];
};
static_assert(sizeof(struct nvme_log_supported) == 1024, "supported logs");

#define NVME_LOG_SUPPORTED_LSUPP	BIT(0)	/* supported */
#define NVME_LOG_SUPPORTED_IOS		BIT(1)	/* index offset supported */

/**
 * struct nvme_log_error - entry of Error Information, 01h (NVMe-2.0 5.16.1.2)
 * @error_count: unique and rising, never reset; 0: entry not valid
 * @sqid: submission queue, FFFFh: no particular command
 * @cid: command identifier, FFFFh: no particular command
 * @status: as in &nvme_cqe.status
 * @location: Parameter Error Location: byte in 7:0, bit in 10:8
 * @lba: first logical block of the error, if any
 * @nsid: namespace of the error
 * @vendor: vendor specific log page with more, 0: none
 * @trtype: transport, 0: not reported (PCIe)
 * @csi: command set of @opcode
 * @opcode: of the command
 * @info: command specific
 * @trinfo: transport specific
 * @rsvd42: reserved
 * @version: of this entry; 1: @csi and @opcode are valid
 */
struct nvme_log_error {
	__le64 error_count;
	__le16 sqid;
	__le16 cid;
	__le16 status;
	__le16 location;
	__le64 lba;
	__le32 nsid;
	u8 vendor;
	u8 trtype;
	u8 csi;
	u8 opcode;
	__le64 info;
	__le16 trinfo;
	u8 rsvd42[21];
	u8 version;
};
static_assert(sizeof(struct nvme_log_error) == 64, "error log entry");
static_assert(offsetof(struct nvme_log_error, lba) == 16, "error log LBA");
static_assert(offsetof(struct nvme_log_error, info) == 32, "error log info");
static_assert(offsetof(struct nvme_log_error, version) == 63, "log version");

#define NVME_ERROR_LOCATION_BYTE	0x00ffU
#define NVME_ERROR_LOCATION_BIT		0x0700U
#define NVME_ERROR_LOCATION_NONE	0xffffU
#define NVME_ERROR_QUEUE_NONE		0xffff
#define NVME_ERROR_LOG_VERSION		1

/**
 * struct nvme_log_smart - SMART / Health Information, 02h (NVMe-2.0 5.16.1.3)
 * @critical_warning: NVME_SMART_WARN_*
 * @temperature: Composite Temperature, kelvin
 * @avail_spare: Available Spare, per cent
 * @spare_thresh: Available Spare Threshold, per cent
 * @percent_used: Percentage Used
 * @eg_warning: Endurance Group Critical Warning Summary
 * @rsvd7: reserved
 * @data_units_read: thousands of 512-byte units, rounded up; 128 bit, low
 *                   half first, as the following
 * @data_units_written: likewise
 * @host_reads: Host Read Commands
 * @host_writes: Host Write Commands
 * @busy_time: Controller Busy Time, minutes
 * @power_cycles: Power Cycles
 * @power_on_hours: Power On Hours
 * @unsafe_shutdowns: Unsafe Shutdowns
 * @media_errors: Media and Data Integrity Errors
 * @error_entries: Number of Error Information Log Entries over the life
 * @warning_temp_time: minutes above WCTEMP
 * @critical_temp_time: minutes above CCTEMP
 * @sensor: Temperature Sensor 1 to 8, kelvin; 0: not there
 * @tmt1_count: Thermal Management Temperature 1 Transition Count
 * @tmt2_count: the same for 2
 * @tmt1_time: Total Time For Thermal Management Temperature 1, seconds
 * @tmt2_time: the same for 2
 * @rsvd232: reserved
 */
struct nvme_log_smart {
	u8 critical_warning;
	u8 temperature[2];
	u8 avail_spare;
	u8 spare_thresh;
	u8 percent_used;
	u8 eg_warning;
	u8 rsvd7[25];
	__le64 data_units_read[2];
	__le64 data_units_written[2];
	__le64 host_reads[2];
	__le64 host_writes[2];
	__le64 busy_time[2];
	__le64 power_cycles[2];
	__le64 power_on_hours[2];
	__le64 unsafe_shutdowns[2];
	__le64 media_errors[2];
	__le64 error_entries[2];
	__le32 warning_temp_time;
	__le32 critical_temp_time;
	__le16 sensor[8];
	__le32 tmt1_count;
	__le32 tmt2_count;
	__le32 tmt1_time;
	__le32 tmt2_time;
	u8 rsvd232[280];
};
static_assert(sizeof(struct nvme_log_smart) == 512, "SMART log");
static_assert(offsetof(struct nvme_log_smart, data_units_read) == 32, "DUR");
static_assert(offsetof(struct nvme_log_smart, error_entries) == 176, "NEILE");
static_assert(offsetof(struct nvme_log_smart, sensor) == 200, "sensors");

#define NVME_SMART_WARN_SPARE		BIT(0)
#define NVME_SMART_WARN_TEMPERATURE	BIT(1)
#define NVME_SMART_WARN_RELIABILITY	BIT(2)
#define NVME_SMART_WARN_READ_ONLY	BIT(3)
#define NVME_SMART_WARN_BACKUP		BIT(4)
#define NVME_SMART_WARN_PMR		BIT(5)

/**
 * struct nvme_log_fw_slot - Firmware Slot Information, 03h
 *	(NVMe-2.0 5.16.1.4)
 * @afi: Active Firmware Info: running slot in 2:0, next in 6:4
 * @rsvd1: reserved
 * @frs: Firmware Revision of slots 1 to 7, ASCII
 * @rsvd64: reserved
 */
struct nvme_log_fw_slot {
	u8 afi;
	u8 rsvd1[7];
	char frs[7][8];
	u8 rsvd64[448];
};
static_assert(sizeof(struct nvme_log_fw_slot) == 512, "firmware slot log");

/**
 * struct nvme_log_changed_ns - Changed Namespace List, 04h (NVMe-2.0 5.16.1.5)
 * @nsid: changed since the log was last read, in rising order, 0 after the
 *        last; FFFFFFFFh alone when there are more than fit
 */
struct nvme_log_changed_ns {
	__le32 nsid[1024];
};
static_assert(sizeof(struct nvme_log_changed_ns) == 4096, "changed ns log");

/**
 * struct nvme_log_effects - Commands Supported and Effects, 05h
 *	(NVMe-2.0 5.16.1.6)
 * @acs: per admin command, NVME_EFFECTS_*
 * @iocs: per I/O command
 * @rsvd2048: reserved
 */
struct nvme_log_effects {
	__le32 acs[256];
	__le32 iocs[256];
	u8 rsvd2048[2048];
};
static_assert(sizeof(struct nvme_log_effects) == 4096, "effects log");

#define NVME_EFFECTS_CSUPP	BIT(0)	/* command supported */
#define NVME_EFFECTS_LBCC	BIT(1)	/* logical block content change */
#define NVME_EFFECTS_NCC	BIT(2)	/* namespace capability change */
#define NVME_EFFECTS_NIC	BIT(3)	/* namespace inventory change */
#define NVME_EFFECTS_CCC	BIT(4)	/* controller capability change */
#define NVME_EFFECTS_CSE	(7U << 16)	/* submission and execution */
#define NVME_EFFECTS_CSE_NS	(1U << 16)	/* alone in the namespace */
#define NVME_EFFECTS_CSE_ALL	(2U << 16)	/* alone in the controller */
#define NVME_EFFECTS_UUID	BIT(19)
#define NVME_EFFECTS_SCOPE_NS	BIT(20)	/* scope, when LPA bit 5 is set */
#define NVME_EFFECTS_SCOPE_CTRL	BIT(21)
#define NVME_EFFECTS_SCOPE_SUBSYS	BIT(25)

/**
 * struct nvme_log_fid_effects - Feature Identifiers Supported and Effects, 12h
 *	(NVMe-2.0 5.16.1.17)
 * @fid: per feature, NVME_FID_EFFECTS_*
 */
struct nvme_log_fid_effects {
	__le32 fid[256];
};
static_assert(sizeof(struct nvme_log_fid_effects) == 1024, "feature effects");

#define NVME_FID_EFFECTS_FSUPP	BIT(0)	/* feature supported */
#define NVME_FID_EFFECTS_UDCC	BIT(1)	/* user data content change */
#define NVME_FID_EFFECTS_NCC	BIT(2)	/* namespace capability change */
#define NVME_FID_EFFECTS_NIC	BIT(3)	/* namespace inventory change */
#define NVME_FID_EFFECTS_CCC	BIT(4)	/* controller capability change */
#define NVME_FID_EFFECTS_SCOPE_NS	BIT(20)
#define NVME_FID_EFFECTS_SCOPE_CTRL	BIT(21)

/**
 * struct nvme_log_mi_effects - NVMe-MI Commands Supported and Effects, 13h
 *	(NVMe-2.0 5.16.1.18)
 * @opcode: per NVMe-MI command
 * @rsvd1024: reserved
 */
struct nvme_log_mi_effects {
	__le32 opcode[256];
	u8 rsvd1024[3072];
};
static_assert(sizeof(struct nvme_log_mi_effects) == 4096, "MI effects log");

/* ---- asynchronous events (NVMe-2.0 5.2) ----------------------------------- */

/* Completion dword 0 of Asynchronous Event Request */
#define NVME_AER_DW0_TYPE	0x00000007U
#define NVME_AER_DW0_INFO	0x0000ff00U
#define NVME_AER_DW0_LID	0x00ff0000U

#define NVME_AER_ERROR		0	/* error status */
#define NVME_AER_SMART		1	/* SMART / health status */
#define NVME_AER_NOTICE		2
#define NVME_AER_IO		6	/* I/O command specific status */
#define NVME_AER_VENDOR		7
#define NVME_AER_TYPES		8

#define NVME_AER_ERROR_DOORBELL		0	/* invalid doorbell register */
#define NVME_AER_ERROR_DOORBELL_VALUE	1	/* invalid doorbell value */
#define NVME_AER_ERROR_DIAGNOSTIC	2
#define NVME_AER_ERROR_PERSISTENT	3	/* persistent internal error */
#define NVME_AER_ERROR_TRANSIENT	4	/* transient internal error */
#define NVME_AER_ERROR_FW_LOAD		5
#define NVME_AER_SMART_RELIABILITY	0
#define NVME_AER_SMART_TEMPERATURE	1
#define NVME_AER_SMART_SPARE		2
#define NVME_AER_NOTICE_NS_ATTR		0	/* namespace attribute */
#define NVME_AER_NOTICE_FW_ACTIVATION	1

#endif /* LKVM_NVME_SPEC_LOG_H */
