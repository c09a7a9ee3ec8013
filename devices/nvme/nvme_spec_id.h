/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: layouts and numbers of NVM Express: what Identify returns
 *
 * NVM Express Base Specification 2.0 ("NVMe-2.0") 5.17 and NVM Command Set
 * Specification 1.0 ("NVMCS-1.0") 4.1.5. Part of nvme_spec.h; include that.
 */
#ifndef LKVM_NVME_SPEC_ID_H
#define LKVM_NVME_SPEC_ID_H

#include "vmm/base/types.h"

#define NVME_IDENTIFY_SIZE	4096

/* Controller or Namespace Structure (NVMe-2.0 5.17, Figure 273) */
#define NVME_CNS_NS			0x00
#define NVME_CNS_CTRL			0x01
#define NVME_CNS_NS_LIST		0x02	/* active namespaces */
#define NVME_CNS_NS_DESCS		0x03	/* identification descriptors */
#define NVME_CNS_NVMSET_LIST		0x04
#define NVME_CNS_IOCS_NS		0x05	/* per I/O command set */
#define NVME_CNS_IOCS_CTRL		0x06	/* per I/O command set */
#define NVME_CNS_IOCS_NS_LIST		0x07	/* active namespaces */
#define NVME_CNS_INDEPENDENT_NS		0x08	/* of any command set */
#define NVME_CNS_ALLOC_NS_LIST		0x10	/* allocated namespaces */
#define NVME_CNS_ALLOC_NS		0x11
#define NVME_CNS_NS_CTRL_LIST		0x12	/* attached to a namespace */
#define NVME_CNS_CTRL_LIST		0x13	/* in the NVM subsystem */
#define NVME_CNS_IOCS			0x1c	/* I/O command set combinations */

/**
 * struct nvme_power_state - Power State Descriptor (NVMe-2.0 5.17.2.2)
 * @mp: Maximum Power, in units of &flags
 * @rsvd2: reserved
 * @flags: bit 0 MXPS (0: @mp in 10 mW), bit 1 NOPS (non-operational)
 * @enlat: Entry Latency, us
 * @exlat: Exit Latency, us
 * @rrt: Relative Read Throughput
 * @rrl: Relative Read Latency
 * @rwt: Relative Write Throughput
 * @rwl: Relative Write Latency
 * @idlp: Idle Power
 * @ips: Idle Power Scale
 * @rsvd19: reserved
 * @actp: Active Power
 * @apws: Active Power Workload and Scale
 * @rsvd23: reserved
 */
struct nvme_power_state {
	__le16 mp;
	u8 rsvd2;
	u8 flags;
	__le32 enlat;
	__le32 exlat;
	u8 rrt;
	u8 rrl;
	u8 rwt;
	u8 rwl;
	__le16 idlp;
	u8 ips;
	u8 rsvd19;
	__le16 actp;
	u8 apws;
	u8 rsvd23[9];
};
static_assert(sizeof(struct nvme_power_state) == 32, "power state descriptor");

#define NVME_POWER_STATES	32

/**
 * struct nvme_id_ctrl - Identify Controller, CNS 01h (NVMe-2.0 5.17.2.1)
 * @vid: PCI Vendor ID
 * @ssvid: PCI Subsystem Vendor ID
 * @sn: Serial Number, ASCII padded with spaces
 * @mn: Model Number, ASCII padded with spaces
 * @fr: Firmware Revision, ASCII padded with spaces
 * @rab: Recommended Arbitration Burst, 1 << n
 * @ieee: IEEE OUI, least significant byte first
 * @cmic: Controller Multi-Path I/O and Namespace Sharing Capabilities
 * @mdts: Maximum Data Transfer Size, CAP.MPSMIN pages << n; 0: no limit
 * @cntlid: Controller ID
 * @ver: Version, as the VS register
 * @rtd3r: RTD3 Resume Latency, us
 * @rtd3e: RTD3 Entry Latency, us
 * @oaes: Optional Asynchronous Events Supported, as feature 0Bh
 * @ctratt: Controller Attributes, NVME_CTRATT_*
 * @rrls: Read Recovery Levels Supported
 * @rsvd102: reserved
 * @cntrltype: Controller Type, NVME_CNTRLTYPE_*
 * @fguid: FRU Globally Unique Identifier
 * @crdt1: Command Retry Delay Time 1, 100 ms units
 * @crdt2: Command Retry Delay Time 2
 * @crdt3: Command Retry Delay Time 3
 * @rsvd134: reserved
 * @nvmsr: NVM Subsystem Report
 * @vwci: VPD Write Cycle Information
 * @mec: Management Endpoint Capabilities
 * @oacs: Optional Admin Command Support, NVME_OACS_*
 * @acl_0based: Abort Command Limit
 * @aerl_0based: Asynchronous Event Request Limit
 * @frmw: Firmware Updates, NVME_FRMW_*
 * @lpa: Log Page Attributes, NVME_LPA_*
 * @elpe_0based: Error Log Page Entries
 * @npss_0based: Number of Power States Support
 * @avscc: Admin Vendor Specific Command Configuration
 * @apsta: Autonomous Power State Transition Attributes
 * @wctemp: Warning Composite Temperature Threshold, kelvin
 * @cctemp: Critical Composite Temperature Threshold, kelvin
 * @mtfa: Maximum Time for Firmware Activation
 * @hmpre: Host Memory Buffer Preferred Size
 * @hmmin: Host Memory Buffer Minimum Size
 * @tnvmcap: Total NVM Capacity, bytes
 * @unvmcap: Unallocated NVM Capacity, bytes
 * @rpmbs: Replay Protected Memory Block Support
 * @edstt: Extended Device Self-test Time
 * @dsto: Device Self-test Options
 * @fwug: Firmware Update Granularity
 * @kas: Keep Alive Support, 100 ms units
 * @hctma: Host Controlled Thermal Management Attributes
 * @mntmt: Minimum Thermal Management Temperature
 * @mxtmt: Maximum Thermal Management Temperature
 * @sanicap: Sanitize Capabilities
 * @hmminds: Host Memory Buffer Minimum Descriptor Entry Size
 * @hmmaxd: Host Memory Maximum Descriptors Entries
 * @nsetidmax: NVM Set Identifier Maximum
 * @endgidmax: Endurance Group Identifier Maximum
 * @anatt: ANA Transition Time
 * @anacap: Asymmetric Namespace Access Capabilities
 * @anagrpmax: ANA Group Identifier Maximum
 * @nanagrpid: Number of ANA Group Identifiers
 * @pels: Persistent Event Log Size
 * @domainid: Domain Identifier
 * @rsvd358: reserved
 * @megcap: Max Endurance Group Capacity
 * @rsvd384: reserved
 * @sqes: Submission Queue Entry Size: minimum in 3:0, maximum in 7:4
 * @cqes: Completion Queue Entry Size, likewise
 * @maxcmd: Maximum Outstanding Commands, 0: not reported
 * @nn: Number of Namespaces: the greatest valid NSID
 * @oncs: Optional NVM Command Support, NVME_ONCS_*
 * @fuses: Fused Operation Support, NVME_FUSES_*
 * @fna: Format NVM Attributes, NVME_FNA_*
 * @vwc: Volatile Write Cache, NVME_VWC_*
 * @awun_0based: Atomic Write Unit Normal, logical blocks
 * @awupf_0based: Atomic Write Unit Power Fail, logical blocks
 * @icsvscc: I/O Command Set Vendor Specific Command Configuration
 * @nwpc: Namespace Write Protection Capabilities
 * @acwu_0based: Atomic Compare & Write Unit, logical blocks
 * @ocfs: Optional Copy Formats Supported, bit n: descriptor format n
 * @sgls: SGL Support, NVME_SGLS_*
 * @mnan: Maximum Number of Allowed Namespaces, 0: as @nn
 * @maxdna: Maximum Domain Namespace Attachments
 * @maxcna: Maximum I/O Controller Namespace Attachments
 * @rsvd564: reserved
 * @subnqn: NVM Subsystem NVMe Qualified Name, UTF-8, ends with NUL
 * @rsvd1024: reserved; fabrics from byte 1792
 * @psd: Power State Descriptors
 * @vs: vendor specific
 */
struct nvme_id_ctrl {
	__le16 vid;
	__le16 ssvid;
	char sn[20];
	char mn[40];
	char fr[8];
	u8 rab;
	u8 ieee[3];
	u8 cmic;
	u8 mdts;
	__le16 cntlid;
	__le32 ver;
	__le32 rtd3r;
	__le32 rtd3e;
	__le32 oaes;
	__le32 ctratt;
	__le16 rrls;
	u8 rsvd102[9];
	u8 cntrltype;
	u8 fguid[16];
	__le16 crdt1;
	__le16 crdt2;
	__le16 crdt3;
	u8 rsvd134[119];
	u8 nvmsr;
	u8 vwci;
	u8 mec;
	__le16 oacs;
	u8 acl_0based;
	u8 aerl_0based;
	u8 frmw;
	u8 lpa;
	u8 elpe_0based;
	u8 npss_0based;
	u8 avscc;
	u8 apsta;
	__le16 wctemp;
	__le16 cctemp;
	__le16 mtfa;
	__le32 hmpre;
	__le32 hmmin;
	__le64 tnvmcap[2];
	__le64 unvmcap[2];
	__le32 rpmbs;
	__le16 edstt;
	u8 dsto;
	u8 fwug;
	__le16 kas;
	__le16 hctma;
	__le16 mntmt;
	__le16 mxtmt;
	__le32 sanicap;
	__le32 hmminds;
	__le16 hmmaxd;
	__le16 nsetidmax;
	__le16 endgidmax;
	u8 anatt;
	u8 anacap;
	__le32 anagrpmax;
	__le32 nanagrpid;
	__le32 pels;
	__le16 domainid;
	u8 rsvd358[10];
	__le64 megcap[2];
	u8 rsvd384[128];
	u8 sqes;
	u8 cqes;
	__le16 maxcmd;
	__le32 nn;
	__le16 oncs;
	__le16 fuses;
	u8 fna;
	u8 vwc;
	__le16 awun_0based;
	__le16 awupf_0based;
	u8 icsvscc;
	u8 nwpc;
	__le16 acwu_0based;
	__le16 ocfs;
	__le32 sgls;
	__le32 mnan;
	u8 maxdna[16];
	__le32 maxcna;
	u8 rsvd564[204];
	char subnqn[256];
	u8 rsvd1024[1024];
	struct nvme_power_state psd[NVME_POWER_STATES];
	u8 vs[1024];
};
static_assert(sizeof(struct nvme_id_ctrl) == NVME_IDENTIFY_SIZE, "id ctrl");
static_assert(offsetof(struct nvme_id_ctrl, cntlid) == 78, "CNTLID");
static_assert(offsetof(struct nvme_id_ctrl, oaes) == 92, "OAES");
static_assert(offsetof(struct nvme_id_ctrl, cntrltype) == 111, "CNTRLTYPE");
static_assert(offsetof(struct nvme_id_ctrl, oacs) == 256, "OACS");
static_assert(offsetof(struct nvme_id_ctrl, wctemp) == 266, "WCTEMP");
static_assert(offsetof(struct nvme_id_ctrl, tnvmcap) == 280, "TNVMCAP");
static_assert(offsetof(struct nvme_id_ctrl, kas) == 320, "KAS");
static_assert(offsetof(struct nvme_id_ctrl, sanicap) == 328, "SANICAP");
static_assert(offsetof(struct nvme_id_ctrl, anagrpmax) == 344, "ANAGRPMAX");
static_assert(offsetof(struct nvme_id_ctrl, megcap) == 368, "MEGCAP");
static_assert(offsetof(struct nvme_id_ctrl, sqes) == 512, "SQES");
static_assert(offsetof(struct nvme_id_ctrl, oncs) == 520, "ONCS");
static_assert(offsetof(struct nvme_id_ctrl, sgls) == 536, "SGLS");
static_assert(offsetof(struct nvme_id_ctrl, subnqn) == 768, "SUBNQN");
static_assert(offsetof(struct nvme_id_ctrl, psd) == 2048, "PSD");

#define NVME_CMIC_MULTI_PORT	BIT(0)
#define NVME_CMIC_MULTI_CTRL	BIT(1)
#define NVME_CTRATT_HOSTID128	BIT(0)
#define NVME_CNTRLTYPE_IO	1
#define NVME_OACS_SECURITY	BIT(0)
#define NVME_OACS_FORMAT	BIT(1)
#define NVME_OACS_FIRMWARE	BIT(2)
#define NVME_OACS_NS_MANAGEMENT	BIT(3)
#define NVME_OACS_SELF_TEST	BIT(4)
#define NVME_OACS_DIRECTIVES	BIT(5)
#define NVME_OACS_NVME_MI	BIT(6)
#define NVME_OACS_VIRTUALIZATION	BIT(7)
#define NVME_OACS_DBBUF		BIT(8)
#define NVME_OACS_LBA_STATUS	BIT(9)
#define NVME_OACS_LOCKDOWN	BIT(10)
#define NVME_FRMW_SLOT1_RO	BIT(0)
#define NVME_FRMW_SLOTS		0x0eU
#define NVME_LPA_SMART_NS	BIT(0)	/* SMART log per namespace */
#define NVME_LPA_EFFECTS	BIT(1)	/* log page 05h */
#define NVME_LPA_EXTENDED	BIT(2)	/* NUMDU, LPOL, LPOU */
#define NVME_LPA_TELEMETRY	BIT(3)
#define NVME_LPA_PERSISTENT	BIT(4)
#define NVME_LPA_SUPPORTED	BIT(5)	/* log pages 00h, 12h, 13h */
#define NVME_ONCS_COMPARE	BIT(0)
#define NVME_ONCS_WRITE_UNCORR	BIT(1)
#define NVME_ONCS_DSM		BIT(2)
#define NVME_ONCS_WRITE_ZEROES	BIT(3)
#define NVME_ONCS_SAVE_SELECT	BIT(4)	/* Save and Select of features */
#define NVME_ONCS_RESERVATIONS	BIT(5)
#define NVME_ONCS_TIMESTAMP	BIT(6)
#define NVME_ONCS_VERIFY	BIT(7)
#define NVME_ONCS_COPY		BIT(8)
#define NVME_FUSES_COMPARE_WRITE	BIT(0)
#define NVME_FNA_FORMAT_ALL	BIT(0)	/* a format is of all namespaces */
#define NVME_FNA_ERASE_ALL	BIT(1)	/* a secure erase is of all */
#define NVME_FNA_CRYPTO		BIT(2)	/* cryptographic erase supported */
#define NVME_FNA_NO_BROADCAST	BIT(3)	/* NSID FFFFFFFFh refused */
#define NVME_VWC_PRESENT	BIT(0)
#define NVME_VWC_FLUSH_NSID	0x06U	/* how NSID FFFFFFFFh is taken */
#define NVME_VWC_FLUSH_ONE	(2U << 1)	/* refused */
#define NVME_VWC_FLUSH_ALL	(3U << 1)	/* flushes all namespaces */
#define NVME_SGLS_SUPPORTED	0x3U
#define NVME_SGLS_ANY_ALIGNMENT	0x1U	/* no alignment needed */
#define NVME_SGLS_DWORD		0x2U	/* dword alignment and granularity */
#define NVME_SGLS_KEYED		BIT(2)
#define NVME_SGLS_BIT_BUCKET	BIT(16)
#define NVME_SGLS_MPTR_BYTES	BIT(17)
#define NVME_SGLS_LONGER	BIT(18)	/* may be longer than the data */
#define NVME_SGLS_MPTR_SGL	BIT(19)
#define NVME_SGLS_OFFSET	BIT(20)

/**
 * struct nvme_lbaf - LBA Format Data Structure (NVMCS-1.0 Figure 98)
 * @ms: Metadata Size, bytes
 * @lbads: LBA Data Size, 1 << n bytes, 0: format not available
 * @rp: Relative Performance, 0 is best
 */
struct nvme_lbaf {
	__le16 ms;
	u8 lbads;
	u8 rp;
};
static_assert(sizeof(struct nvme_lbaf) == 4, "LBA format");

#define NVME_LBAFS_MAX	64

/**
 * struct nvme_id_ns - Identify Namespace, NVM Command Set, CNS 00h and 11h
 *	(NVMCS-1.0 4.1.5.1)
 * @nsze: Namespace Size, logical blocks
 * @ncap: Namespace Capacity, logical blocks
 * @nuse: Namespace Utilization, logical blocks
 * @nsfeat: Namespace Features, NVME_NSFEAT_*
 * @nlbaf_0based: Number of LBA Formats
 * @flbas: Formatted LBA Size: format in 3:0 and 6:5, bit 4 extended metadata
 * @mc: Metadata Capabilities
 * @dpc: End-to-end Data Protection Capabilities
 * @dps: End-to-end Data Protection Type Settings
 * @nmic: Namespace Multi-path I/O and Namespace Sharing Capabilities
 * @rescap: Reservation Capabilities
 * @fpi: Format Progress Indicator, NVME_FPI_*
 * @dlfeat: Deallocate Logical Block Features, NVME_DLFEAT_*
 * @nawun_0based: Namespace Atomic Write Unit Normal
 * @nawupf_0based: Namespace Atomic Write Unit Power Fail
 * @nacwu_0based: Namespace Atomic Compare & Write Unit
 * @nabsn_0based: Namespace Atomic Boundary Size Normal
 * @nabo: Namespace Atomic Boundary Offset
 * @nabspf_0based: Namespace Atomic Boundary Size Power Fail
 * @noiob: Namespace Optimal I/O Boundary
 * @nvmcap: NVM Capacity, bytes
 * @npwg_0based: Namespace Preferred Write Granularity
 * @npwa_0based: Namespace Preferred Write Alignment
 * @npdg_0based: Namespace Preferred Deallocate Granularity
 * @npda_0based: Namespace Preferred Deallocate Alignment
 * @nows_0based: Namespace Optimal Write Size
 * @mssrl: Maximum Single Source Range Length, logical blocks (Copy)
 * @mcl: Maximum Copy Length, logical blocks
 * @msrc_0based: Maximum Source Range Count
 * @rsvd81: reserved
 * @anagrpid: ANA Group Identifier
 * @rsvd96: reserved
 * @nsattr: Namespace Attributes, NVME_NSATTR_*
 * @nvmsetid: NVM Set Identifier
 * @endgid: Endurance Group Identifier
 * @nguid: Namespace Globally Unique Identifier, big-endian
 * @eui64: IEEE Extended Unique Identifier, big-endian
 * @lbaf: LBA Formats
 * @vs: vendor specific
 */
struct nvme_id_ns {
	__le64 nsze;
	__le64 ncap;
	__le64 nuse;
	u8 nsfeat;
	u8 nlbaf_0based;
	u8 flbas;
	u8 mc;
	u8 dpc;
	u8 dps;
	u8 nmic;
	u8 rescap;
	u8 fpi;
	u8 dlfeat;
	__le16 nawun_0based;
	__le16 nawupf_0based;
	__le16 nacwu_0based;
	__le16 nabsn_0based;
	__le16 nabo;
	__le16 nabspf_0based;
	__le16 noiob;
	__le64 nvmcap[2];
	__le16 npwg_0based;
	__le16 npwa_0based;
	__le16 npdg_0based;
	__le16 npda_0based;
	__le16 nows_0based;
	__le16 mssrl;
	__le32 mcl;
	u8 msrc_0based;
	u8 rsvd81[11];
	__le32 anagrpid;
	u8 rsvd96[3];
	u8 nsattr;
	__le16 nvmsetid;
	__le16 endgid;
	u8 nguid[16];
	u8 eui64[8];
	struct nvme_lbaf lbaf[NVME_LBAFS_MAX];
	u8 vs[3712];
};
static_assert(sizeof(struct nvme_id_ns) == NVME_IDENTIFY_SIZE, "id ns");
static_assert(offsetof(struct nvme_id_ns, nvmcap) == 48, "NVMCAP");
static_assert(offsetof(struct nvme_id_ns, mssrl) == 74, "MSSRL");
static_assert(offsetof(struct nvme_id_ns, anagrpid) == 92, "ANAGRPID");
static_assert(offsetof(struct nvme_id_ns, nsattr) == 99, "NSATTR");
static_assert(offsetof(struct nvme_id_ns, nguid) == 104, "NGUID");
static_assert(offsetof(struct nvme_id_ns, lbaf) == 128, "LBAF");
static_assert(offsetof(struct nvme_id_ns, vs) == 384, "vendor specific");

#define NVME_NSFEAT_THIN	BIT(0)
#define NVME_NSFEAT_ATOMIC	BIT(1)	/* NAWUN, NAWUPF, NACWU valid */
#define NVME_NSFEAT_DAE		BIT(2)	/* deallocated block error */
#define NVME_NSFEAT_UIDREUSE	BIT(3)	/* NGUID and EUI64 not reused */
#define NVME_NSFEAT_OPTPERF	BIT(4)	/* NPWG..NOWS valid */
#define NVME_FLBAS_LOW		0x0fU
#define NVME_FLBAS_EXTENDED	BIT(4)
#define NVME_FLBAS_HIGH		0x60U
#define NVME_NMIC_SHARED	BIT(0)
#define NVME_FPI_SUPPORTED	BIT(7)
#define NVME_FPI_REMAINING	0x7fU	/* per cent */
#define NVME_DLFEAT_READ	0x07U	/* what deallocated blocks read as */
#define NVME_DLFEAT_READ_ZEROES	1
#define NVME_DLFEAT_READ_ONES	2
#define NVME_DLFEAT_WZ_DEAC	BIT(3)	/* Write Zeroes can deallocate */
#define NVME_NSATTR_WRITE_PROTECTED	BIT(0)

/**
 * struct nvme_id_ns_nvm - NVM Command Set Identify Namespace, CNS 05h CSI 00h
 *	(NVMCS-1.0 4.1.5.3)
 * @lbstm: Logical Block Storage Tag Mask
 * @pic: Protection Information Capabilities
 * @rsvd9: reserved
 * @elbaf: Extended LBA Formats: storage tag size in 6:0, guard format in 8:7
 * @rsvd268: reserved
 */
struct nvme_id_ns_nvm {
	__le64 lbstm;
	u8 pic;
	u8 rsvd9[3];
	__le32 elbaf[NVME_LBAFS_MAX];
	u8 rsvd268[3828];
};
static_assert(sizeof(struct nvme_id_ns_nvm) == NVME_IDENTIFY_SIZE, "id ns nvm");
static_assert(offsetof(struct nvme_id_ns_nvm, elbaf) == 12, "ELBAF");

/**
 * struct nvme_id_ctrl_nvm - NVM Command Set Identify Controller, CNS 06h
 *	CSI 00h (NVMCS-1.0 4.1.5.4)
 * @vsl: Verify Size Limit, CAP.MPSMIN pages << n; 0: no limit
 * @wzsl: Write Zeroes Size Limit, likewise
 * @wusl: Write Uncorrectable Size Limit, likewise
 * @dmrl: Dataset Management Ranges Limit; 0: no limit
 * @dmrsl: Dataset Management Range Size Limit, logical blocks
 * @dmsl: Dataset Management Size Limit, logical blocks
 * @rsvd16: reserved
 */
struct nvme_id_ctrl_nvm {
	u8 vsl;
	u8 wzsl;
	u8 wusl;
	u8 dmrl;
	__le32 dmrsl;
	__le64 dmsl;
	u8 rsvd16[4080];
};
static_assert(sizeof(struct nvme_id_ctrl_nvm) == NVME_IDENTIFY_SIZE,
	      "id ctrl nvm");

/**
 * struct nvme_id_ns_independent - I/O Command Set Independent Identify
 *	Namespace, CNS 08h (NVMe-2.0 5.17.2.8)
 * @nsfeat: Namespace Features, bit 3 UIDREUSE as in &nvme_id_ns
 * @nmic: as in &nvme_id_ns
 * @rescap: as in &nvme_id_ns
 * @fpi: as in &nvme_id_ns
 * @anagrpid: as in &nvme_id_ns
 * @nsattr: as in &nvme_id_ns
 * @rsvd9: reserved
 * @nvmsetid: as in &nvme_id_ns
 * @endgid: as in &nvme_id_ns
 * @nstat: Namespace Status, NVME_NSTAT_*
 * @rsvd15: reserved
 */
struct nvme_id_ns_independent {
	u8 nsfeat;
	u8 nmic;
	u8 rescap;
	u8 fpi;
	__le32 anagrpid;
	u8 nsattr;
	u8 rsvd9;
	__le16 nvmsetid;
	__le16 endgid;
	u8 nstat;
	u8 rsvd15[4081];
};
static_assert(sizeof(struct nvme_id_ns_independent) == NVME_IDENTIFY_SIZE,
	      "id ns independent");
static_assert(offsetof(struct nvme_id_ns_independent, nstat) == 14, "NSTAT");

#define NVME_NSTAT_READY	BIT(0)

/**
 * struct nvme_ns_desc - head of a Namespace Identification Descriptor, CNS 03h
 *	(NVMe-2.0 5.17.2.3)
 * @nidt: type, NVME_NIDT_*
 * @nidl: bytes that follow the head
 * @rsvd2: reserved
 */
struct nvme_ns_desc {
	u8 nidt;
	u8 nidl;
	u8 rsvd2[2];
};
static_assert(sizeof(struct nvme_ns_desc) == 4, "namespace descriptor");

#define NVME_NIDT_EUI64		1
#define NVME_NIDT_NGUID		2
#define NVME_NIDT_UUID		3
#define NVME_NIDT_CSI		4
#define NVME_NIDL_EUI64		8
#define NVME_NIDL_NGUID		16
#define NVME_NIDL_UUID		16
#define NVME_NIDL_CSI		1

#define NVME_NS_LIST_MAX	1024
#define NVME_CTRL_LIST_MAX	2047
#define NVME_IOCS_VECTORS	512

/**
 * struct nvme_ns_list - Namespace List (NVMe-2.0 4.4.2)
 * @nsid: in rising order, 0 after the last
 */
struct nvme_ns_list {
	__le32 nsid[NVME_NS_LIST_MAX];
};
static_assert(sizeof(struct nvme_ns_list) == NVME_IDENTIFY_SIZE, "ns list");

/**
 * struct nvme_ctrl_list - Controller List (NVMe-2.0 4.4.1)
 * @nr: how many identifiers follow
 * @cntlid: in rising order
 */
struct nvme_ctrl_list {
	__le16 nr;
	__le16 cntlid[NVME_CTRL_LIST_MAX];
};
static_assert(sizeof(struct nvme_ctrl_list) == NVME_IDENTIFY_SIZE, "ctrl list");

/**
 * struct nvme_id_iocs - Identify I/O Command Set, CNS 1Ch (NVMe-2.0 5.17.2.20)
 * @vector: combinations of command sets, bit n is CSI n; 0 after the last
 */
struct nvme_id_iocs {
	__le64 vector[NVME_IOCS_VECTORS];
};
static_assert(sizeof(struct nvme_id_iocs) == NVME_IDENTIFY_SIZE, "id iocs");

#endif /* LKVM_NVME_SPEC_ID_H */
