/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: registers of a GIC's distributor
 *
 * Those that version 2 and 3 have in common are at the same offsets, so are
 * the private interrupts' in a GICv3's redistributor: IHI 0048 4.1.2,
 * IHI 0069 12.9.1 and 12.11.1.
 */
#ifndef LKVM_ARM64_GIC_REGS_H
#define LKVM_ARM64_GIC_REGS_H

#define GICD_CTLR	0x0000
#define GICD_IIDR	0x0008
#define GICD_STATUSR	0x0010	/* GICv3 */
#define GICD_IGROUPR	0x0080
#define GICD_ISENABLER	0x0100
#define GICD_ICENABLER	0x0180
#define GICD_ISPENDR	0x0200
#define GICD_ICPENDR	0x0280
#define GICD_ISACTIVER	0x0300
#define GICD_ICACTIVER	0x0380
#define GICD_IPRIORITYR	0x0400
#define GICD_ITARGETSR	0x0800	/* GICv2 */
#define GICD_ICFGR	0x0c00
#define GICD_CPENDSGIR	0x0f10	/* GICv2 */
#define GICD_SPENDSGIR	0x0f20	/* GICv2 */
#define GICD_IROUTER	0x6000	/* GICv3 */

#endif /* LKVM_ARM64_GIC_REGS_H */
