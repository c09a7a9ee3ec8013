// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the names of CPU features
 *
 * As the "flags" of Linux's /proc/cpuinfo call them, where they do; components
 * of XSAVE's state and what KVM itself offers have names of the same kind.
 *
 * Bits: Intel and AMD SDMs, CPUID; Linux Documentation/virt/kvm/x86/cpuid.rst.
 */
#include "arch/x86/cpuid.h"

/**
 * struct cpuid_names - the names of a register's bits
 * @function: leaf
 * @index: sub-leaf
 * @reg: which register
 * @name: of each bit; NULL: it has none
 */
struct cpuid_names {
	u32 function;
	u32 index;
	enum cpuid_reg reg;
	const char *name[32];
};

static const struct cpuid_names names[] = {
	{ 0x1, 0, CPUID_EDX, {
		"fpu", "vme", "de", "pse", "tsc", "msr", "pae", "mce",
		"cx8", "apic", [11] = "sep", "mtrr", "pge", "mca", "cmov",
		"pat", "pse36", "pn", "clflush", [21] = "dts", "acpi", "mmx",
		"fxsr", "sse", "sse2", "ss", "ht", "tm", "ia64", "pbe",
	} },
	{ 0x1, 0, CPUID_ECX, {
		"pni", "pclmulqdq", "dtes64", "monitor", "ds_cpl", "vmx",
		"smx", "est", "tm2", "ssse3", "cid", "sdbg", "fma", "cx16",
		"xtpr", "pdcm", [17] = "pcid", "dca", "sse4_1", "sse4_2",
		"x2apic", "movbe", "popcnt", "tsc_deadline_timer", "aes",
		"xsave", "osxsave", "avx", "f16c", "rdrand", "hypervisor",
	} },
	{ 0x7, 0, CPUID_EBX, {
		"fsgsbase", "tsc_adjust", "sgx", "bmi1", "hle", "avx2",
		[7] = "smep", "bmi2", "erms", "invpcid", "rtm", "cqm",
		[14] = "mpx", "rdt_a", "avx512f", "avx512dq", "rdseed", "adx",
		"smap", "avx512ifma", [23] = "clflushopt", "clwb", "intel_pt",
		"avx512pf", "avx512er", "avx512cd", "sha_ni", "avx512bw",
		"avx512vl",
	} },
	{ 0x7, 0, CPUID_ECX, {
		[1] = "avx512vbmi", "umip", "pku", "ospke", "waitpkg",
		"avx512_vbmi2", "shstk", "gfni", "vaes", "vpclmulqdq",
		"avx512_vnni", "avx512_bitalg", "tme", "avx512_vpopcntdq",
		[16] = "la57", [22] = "rdpid", [24] = "bus_lock_detect",
		"cldemote", [27] = "movdiri", "movdir64b", "enqcmd", "sgx_lc",
		"pks",
	} },
	{ 0x7, 0, CPUID_EDX, {
		[2] = "avx512_4vnniw", "avx512_4fmaps", "fsrm", "uintr",
		[8] = "avx512_vp2intersect", "srbds_ctrl", "md_clear",
		"rtm_always_abort", [13] = "tsx_force_abort", "serialize",
		"hybrid_cpu", "tsxldtrk", [18] = "pconfig", "arch_lbr", "ibt",
		[22] = "amx_bf16", "avx512_fp16", "amx_tile", "amx_int8",
		"spec_ctrl", "intel_stibp", "flush_l1d", "arch_capabilities",
		"core_capabilities", "spec_ctrl_ssbd",
	} },
	{ 0x7, 1, CPUID_EAX, {
		"sha512", "sm3", "sm4", [4] = "avx_vnni", "avx512_bf16",
		"lass", "cmpccxadd", "arch_perfmon_ext", [10] = "fzrm",
		"fsrs", "fsrc", [17] = "fred", "lkgs", "wrmsrns", "nmi_src",
		"amx_fp16", "hreset", "avx_ifma", [26] = "lam",
	} },
	{ 0x7, 1, CPUID_EDX, {
		[4] = "avx_vnni_int8", "avx_ne_convert", [8] = "amx_complex",
		[10] = "avx_vnni_int16", [14] = "prefetchiti", [19] = "avx10",
	} },
	{ 0x7, 2, CPUID_EDX, {
		"intel_psfd", "ipred_ctrl", "rrsba_ctrl", "ddpd_u", "bhi_ctrl",
		"mcdt_no",
	} },
	{ 0xd, 0, CPUID_EAX, {
		"xstate_x87", "xstate_sse", "xstate_avx", "xstate_bndregs",
		"xstate_bndcsr", "xstate_opmask", "xstate_zmm_hi256",
		"xstate_hi16_zmm", "xstate_pt", "xstate_pkru", "xstate_pasid",
		"xstate_cet_u", "xstate_cet_s", [17] = "xstate_tilecfg",
		"xstate_tiledata",
	} },
	{ 0xd, 1, CPUID_EAX, {
		"xsaveopt", "xsavec", "xgetbv1", "xsaves", "xfd",
	} },
	{ 0x40000001, 0, CPUID_EAX, {
		"kvmclock", "kvm_nop_io_delay", "kvm_mmu_op", "kvmclock2",
		"kvm_asyncpf", "kvm_steal_time", "kvm_pv_eoi", "kvm_pv_unhalt",
		[9] = "kvm_pv_tlb_flush", "kvm_asyncpf_vmexit",
		"kvm_pv_send_ipi", "kvm_poll_control", "kvm_pv_sched_yield",
		"kvm_asyncpf_int", "kvm_msi_ext_dest_id",
		"kvm_hc_map_gpa_range", "kvm_migration_control",
		[24] = "kvmclock_stable",
	} },
	{ 0x80000001, 0, CPUID_EDX, {
		"fpu", "vme", "de", "pse", "tsc", "msr", "pae", "mce",
		"cx8", "apic", [11] = "syscall", "mtrr", "pge", "mca", "cmov",
		"pat", "pse36", [19] = "mp", "nx", [22] = "mmxext", "mmx",
		"fxsr", "fxsr_opt", "pdpe1gb", "rdtscp", [29] = "lm",
		"3dnowext", "3dnow",
	} },
	{ 0x80000001, 0, CPUID_ECX, {
		"lahf_lm", "cmp_legacy", "svm", "extapic", "cr8_legacy", "abm",
		"sse4a", "misalignsse", "3dnowprefetch", "osvw", "ibs", "xop",
		"skinit", "wdt", [15] = "lwp", "fma4", "tce",
		[19] = "nodeid_msr", [21] = "tbm", "topoext", "perfctr_core",
		"perfctr_nb", [26] = "bpext", "ptsc", "perfctr_llc", "mwaitx",
	} },
	{ 0x80000007, 0, CPUID_EDX, {
		[8] = "nonstop_tsc",
	} },
	{ 0x80000008, 0, CPUID_EBX, {
		"clzero", "irperf", "xsaveerptr", [4] = "rdpru",
		[9] = "wbnoinvd", [12] = "amd_ibpb", [14] = "amd_ibrs",
		"amd_stibp", [17] = "amd_stibp_always_on", [23] = "amd_ppin",
		"amd_ssbd", "virt_ssbd", "amd_ssb_no", "cppc", "amd_psfd",
		"btc_no", [31] = "brs",
	} },
};

/**
 * cpuid_feature_name() - a feature in a word
 * @function: leaf
 * @index: sub-leaf
 * @reg: which register
 * @bit: 0 to 31
 *
 * Return: the word that Linux has for it, NULL for none.
 */
const char *cpuid_feature_name(u32 function, u32 index, enum cpuid_reg reg,
			       u32 bit)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].function == function && names[i].index == index &&
		    names[i].reg == reg)
			return names[i].name[bit];
	return NULL;
}
