// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: what the host's KVM can do
 *
 * Each architecture has a table of the extensions that its machines need.
 *
 * Specification: KVM-API 4.4.
 */
#include <sys/ioctl.h>

#include <linux/kvm.h>

#include "vmm/kvm.h"

/**
 * kvm_extension() - has KVM an extension?
 * @fd: of KVM, or of a machine
 * @cap: KVM_CAP_*
 *
 * Return: 0: no, nor when it cannot be asked; else what the extension says of
 * itself.
 */
u32 kvm_extension(int fd, unsigned long cap)
{
	int ret = ioctl(fd, KVM_CHECK_EXTENSION, cap);

	return ret < 0 ? 0 : (u32)ret;
}

/**
 * kvm_check_needs() - has KVM all of these extensions?
 * @fd: of KVM
 * @needs: a table of extensions
 * @nr: its rows
 * @linux_version: which Linux has all of them
 * @err: filled on failure
 *
 * Return: 0 or -ENOTSUP.
 */
int kvm_check_needs(int fd, const struct kvm_need *needs, size_t nr,
		    const char *linux_version, struct error *err)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (!kvm_extension(fd, needs[i].cap))
			return error_set(err, -ENOTSUP,
					 "this host's KVM has no %s; Linux %s or later is needed",
					 needs[i].name, linux_version);
	return 0;
}
