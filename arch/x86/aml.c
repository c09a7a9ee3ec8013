// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: filling in named constants in compiled AML
 *
 * ``Name (DEVS, 0xA5C3F00D)`` compiles to NameOp, the four letters, a prefix
 * that says how wide the number is, the number (ACPI-6.4 20.2.2, 20.2.3,
 * 20.2.5.1). The first six bytes identify it; a name that is not there exactly
 * once is a fault of the build that the unit tests find.
 */
#include <string.h>

#include "arch/x86/acpi.h"
#include "vmm/base/math.h"

#define AML_NAME_OP		0x08
#define AML_DWORD_PREFIX	0x0c
#define AML_QWORD_PREFIX	0x0e
#define AML_NAME_LEN		4
#define AML_HEAD_LEN		(1 + AML_NAME_LEN + 1)

static int patch(u8 *aml, size_t len, const char *name, u8 prefix,
		 const void *value, size_t size)
{
	u8 head[AML_HEAD_LEN] = { AML_NAME_OP };
	u8 *found = NULL;
	size_t at;

	memcpy(head + 1, name, AML_NAME_LEN);
	head[AML_HEAD_LEN - 1] = prefix;
	for (at = 0; range_fits(at, AML_HEAD_LEN + size, len); at++) {
		if (memcmp(aml + at, head, AML_HEAD_LEN))
			continue;
		if (found)
			return -EEXIST;
		found = aml + at + AML_HEAD_LEN;
	}
	if (!found)
		return -ENOENT;
	memcpy(found, value, size);
	return 0;
}

/**
 * aml_patch_dword() - set a named 32-bit constant
 * @aml: compiled code
 * @len: its length
 * @name: four letters
 * @value: its new value
 *
 * Return: 0, -ENOENT when there is no such name, -EEXIST when there are two.
 */
int aml_patch_dword(u8 *aml, size_t len, const char *name, u32 value)
{
	__le32 v = cpu_to_le32(value);

	return patch(aml, len, name, AML_DWORD_PREFIX, &v, sizeof(v));
}

/**
 * aml_patch_qword() - set a named 64-bit constant
 * @aml: compiled code
 * @len: its length
 * @name: four letters
 * @value: its new value
 *
 * Return: 0, -ENOENT when there is no such name, -EEXIST when there are two.
 */
int aml_patch_qword(u8 *aml, size_t len, const char *name, u64 value)
{
	__le64 v = cpu_to_le64(value);

	return patch(aml, len, name, AML_QWORD_PREFIX, &v, sizeof(v));
}
