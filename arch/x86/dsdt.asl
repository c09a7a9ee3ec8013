// SPDX-License-Identifier: GPL-2.0-only
//
// The DSDT: what a guest cannot find out by itself. ACPI 6.4, hardware-reduced.
//
// Goes through the C preprocessor with the address map, then through iasl; the
// result is built into lkvm as a byte array. arch/x86/acpi.c fills in the three
// names below for each machine: their values here are placeholders that occur
// nowhere else.

#include "arch/x86/layout.h"

DefinitionBlock ("dsdt.aml", "DSDT", 2, "LKVM", "LKVMDSDT", 1)
{
	// Which devices the machine has, X86_DSDT_* bits
	Name (DEVS, 0xA5C3F00D)
	// Window for 64-bit BARs: first address, length; length 0: none
	Name (W64B, 0x1122334455667788)
	Name (W64L, 0x8877665544332211)

	Name (_S5, Package () { X86_ACPI_S5_TYPE, 0, 0, 0 })

	// Status of the device with this bit in DEVS: present or absent
	Method (DSTA, 1, NotSerialized)
	{
		If (((DEVS >> Arg0) & 1))
		{
			Return (0x0F)
		}
		Return (0)
	}

	Scope (\_SB)
	{
		Device (PCI0)
		{
			Name (_HID, EisaId ("PNP0A08"))
			Name (_CID, EisaId ("PNP0A03"))
			Name (_UID, 0)
			Name (_SEG, 0)
			Name (_BBN, 0)
			Name (_CCA, 1)

			Name (CRSL, ResourceTemplate ()
			{
				WordBusNumber (ResourceProducer, MinFixed,
					MaxFixed, PosDecode,
					0, 0, X86_PCI_BUS_LAST, 0,
					X86_PCI_BUSES)
				IO (Decode16, X86_PCI_CF8_BASE,
					X86_PCI_CF8_BASE, 1, X86_PCI_CF8_SIZE)
				WordIO (ResourceProducer, MinFixed, MaxFixed,
					PosDecode, EntireRange,
					0, 0, X86_PCI_PORTS0_LAST, 0,
					X86_PCI_PORTS0_SIZE)
				WordIO (ResourceProducer, MinFixed, MaxFixed,
					PosDecode, EntireRange,
					0, X86_PCI_PORTS1_BASE,
					X86_PCI_PORTS1_LAST, 0,
					X86_PCI_PORTS1_SIZE)
				DWordMemory (ResourceProducer, PosDecode,
					MinFixed, MaxFixed, NonCacheable,
					ReadWrite, 0, X86_PCI_MMIO32_BASE,
					X86_PCI_MMIO32_LAST,
					0, X86_PCI_MMIO32_SIZE)
			})

			Name (CRSH, ResourceTemplate ()
			{
				QWordMemory (ResourceProducer, PosDecode,
					MinFixed, MaxFixed, Cacheable,
					ReadWrite, 0, 0, 0, 0, 1, , , W64)
			})

			Method (_CRS, 0, Serialized)
			{
				If ((W64L == 0))
				{
					Return (CRSL)
				}
				CreateQWordField (CRSH, ^W64._MIN, WMIN)
				CreateQWordField (CRSH, ^W64._MAX, WMAX)
				CreateQWordField (CRSH, ^W64._LEN, WLEN)
				WMIN = W64B
				WMAX = (W64B + W64L) - 1
				WLEN = W64L
				Return (ConcatenateResTemplate (CRSL, CRSH))
			}

			// The guest may control whatever of PCI Express it
			// asks for; only the revision must be ours.
			Method (_OSC, 4, NotSerialized)
			{
				CreateDWordField (Arg3, 0, CDW1)
				If ((Arg0 != ToUUID (
					"33db4d5b-1ff7-401c-9657-7441c03dd766")))
				{
					CDW1 |= 4
				}
				ElseIf ((Arg1 != 1))
				{
					CDW1 |= 8
				}
				Return (Arg3)
			}

			// Slot s, pin p: GSI 16 + (s + p) % 8, straight to the
			// I/O APIC, as arch/x86/layout.c says.
#define PIN(slot, pin)							\
	Package () { 0x##slot##FFFF, pin, 0,				\
		     X86_PCI_INTX_BASE +				\
		     ((0x##slot + pin) % X86_PCI_INTX_NR) }
#define SLOT(slot)	PIN (slot, 0), PIN (slot, 1), PIN (slot, 2), PIN (slot, 3)
			Name (_PRT, Package ()
			{
				SLOT (00), SLOT (01), SLOT (02), SLOT (03),
				SLOT (04), SLOT (05), SLOT (06), SLOT (07),
				SLOT (08), SLOT (09), SLOT (0a), SLOT (0b),
				SLOT (0c), SLOT (0d), SLOT (0e), SLOT (0f),
				SLOT (10), SLOT (11), SLOT (12), SLOT (13),
				SLOT (14), SLOT (15), SLOT (16), SLOT (17),
				SLOT (18), SLOT (19), SLOT (1a), SLOT (1b),
				SLOT (1c), SLOT (1d), SLOT (1e), SLOT (1f)
			})
		}

		// Owns what nobody may allocate: configuration space, the
		// sleep and reset registers.
		Device (MBRD)
		{
			Name (_HID, EisaId ("PNP0C02"))
			Name (_UID, 1)
			Name (_CRS, ResourceTemplate ()
			{
				Memory32Fixed (ReadWrite, X86_PCI_ECAM_BASE,
					X86_PCI_ECAM_SIZE)
				IO (Decode16, X86_ACPI_PM_BASE,
					X86_ACPI_PM_BASE, 1, X86_ACPI_PM_SIZE)
			})
		}

#define COM(name, uid, bit, base, gsi)					\
	Device (name)							\
	{								\
		Name (_HID, EisaId ("PNP0501"))				\
		Name (_UID, uid)					\
		Method (_STA, 0, NotSerialized)				\
		{							\
			Return (DSTA (bit))				\
		}							\
		Name (_CRS, ResourceTemplate ()				\
		{							\
			IO (Decode16, base, base, 1, X86_COM_SIZE)	\
			Interrupt (ResourceConsumer, Edge, ActiveHigh,	\
				Exclusive) { gsi }			\
		})							\
	}
		COM (COM1, 1, X86_DSDT_COM1, X86_COM1_BASE, X86_COM1_GSI)
		COM (COM2, 2, X86_DSDT_COM2, X86_COM2_BASE, X86_COM2_GSI)
		COM (COM3, 3, X86_DSDT_COM3, X86_COM3_BASE, X86_COM3_GSI)
		COM (COM4, 4, X86_DSDT_COM4, X86_COM4_BASE, X86_COM4_GSI)

		Device (RTC)
		{
			Name (_HID, EisaId ("PNP0B00"))
			Method (_STA, 0, NotSerialized)
			{
				Return (DSTA (X86_DSDT_RTC))
			}
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, X86_RTC_BASE, X86_RTC_BASE, 1,
					X86_RTC_SIZE)
				Interrupt (ResourceConsumer, Edge, ActiveHigh,
					Exclusive) { X86_RTC_GSI }
			})
		}

		// Tells the VMM that the guest's kernel has panicked.
		Device (PEVT)
		{
			Name (_HID, "QEMU0001")
			Method (_STA, 0, NotSerialized)
			{
				Return (DSTA (X86_DSDT_PVPANIC))
			}
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, X86_PVPANIC_BASE,
					X86_PVPANIC_BASE, 1, X86_PVPANIC_SIZE)
			})
		}

		// A number that is another one in each clone of the machine.
		Device (VGEN)
		{
			Name (_HID, "LKVM0001")
			Name (_CID, Package () { "VM_Gen_Counter", "VMGENCTR" })
			Name (_DDN, "VM_Gen_Counter")
			Method (_STA, 0, NotSerialized)
			{
				Return (DSTA (X86_DSDT_VMGENID))
			}
			// Low and high half of its address
			Name (ADDR, Package () { X86_VMGENID_BASE, 0 })
		}

		Device (PWRB)
		{
			Name (_HID, EisaId ("PNP0C0C"))
			Method (_STA, 0, NotSerialized)
			{
				Return (DSTA (X86_DSDT_ACPI_PM))
			}
		}

		Device (GED)
		{
			Name (_HID, "ACPI0013")
			Name (_UID, 0)
			Method (_STA, 0, NotSerialized)
			{
				Return (DSTA (X86_DSDT_ACPI_PM))
			}
			Name (_CRS, ResourceTemplate ()
			{
				Interrupt (ResourceConsumer, Edge, ActiveHigh,
					Exclusive) { X86_ACPI_PM_GSI }
			})
			OperationRegion (EVRG, SystemIO, X86_ACPI_EVENTS, 4)
			Field (EVRG, DWordAcc, NoLock, Preserve)
			{
				EVTS, 32
			}
			Method (_EVT, 1, Serialized)
			{
				Local0 = EVTS
				If ((Local0 & 1))
				{
					Notify (PWRB, 0x80)
				}
				If ((Local0 & 2))
				{
					Notify (VGEN, 0x80)
				}
			}
		}
	}
}
