// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the test guest under QEMU
 *
 * LKVM_TEST_VMM=qemu: tells whether it is the guest or lkvm that is wrong.
 * QEMU emulates, which it does the same everywhere.
 */
#include <stdio.h>

#include "tests/kvm/machine.h"
#include "tests/kvm/machine_priv.h"
#include "tests/kvm/proto.h"
#include "vmm/base/types.h"

/* QEMU's exit codes: its own, and what its debug-exit device makes of values. */
#define QEMU_OFF	0
#define QEMU_PANIC	1

static void words_disk(struct words *w, const struct machine *m,
		       const struct machine_disk *d, unsigned int number)
{
	char path[128];
	unsigned int k;

	words_add(w, "-device");
	words_add(w, "nvme,id=c%u,serial=C%u", number, number);
	for (k = 0; k < MACHINE_NAMESPACES && d->mib[k]; k++) {
		machine_disk_path(m, number, k, path, sizeof(path));
		words_add(w, "-drive");
		words_add(w, "if=none,id=d%u.%u,format=raw,file=%s", number, k,
			  path);
		words_add(w, "-device");
		words_add(w, "nvme-ns,bus=c%u,drive=d%u.%u,nsid=%u", number,
			  number, k, k + 1);
	}
}

/**
 * machine_words_qemu() - the command line for the same machine under QEMU
 * @w: command line
 * @m: its files
 * @s: what it shall be
 */
void machine_words_qemu(struct words *w, const struct machine *m,
			const struct machine_setup *s)
{
	static const char *const fixed[] = {
		"qemu-system-x86_64", "-M", "q35", "-accel", "tcg", "-cpu",
		"max", "-display", "none", "-vga", "none", "-nodefaults",
		"-no-reboot", "-serial", "stdio", "-device", "pvpanic",
		"-action", "panic=exit-failure",
	};
	char guest[PATH_MAX];
	unsigned int i;

	machine_guest(s, guest);
	for (i = 0; i < ARRAY_SIZE(fixed); i++)
		words_add(w, "%s", fixed[i]);
	words_add(w, "-device");
	words_add(w, "isa-debug-exit,iobase=%#x,iosize=1", GUEST_EXIT_PORT);
	words_add(w, "-smp");
	words_add(w, "%u", s->cpus ? s->cpus : 1);
	words_add(w, "-m");
	words_add(w, "%u", s->mib ? s->mib : 64);
	words_add(w, "-kernel");
	words_add(w, "%s", guest);
	words_add(w, "-append");
	words_add(w, "%s", s->params);
	for (i = 0; i < MACHINE_DISKS; i++)
		if (s->disk[i].mib[0])
			words_disk(w, m, &s->disk[i], i);
}

/**
 * machine_end_qemu() - what an exit code of QEMU means
 * @code: exit code
 *
 * Return: as machine_wait().
 */
int machine_end_qemu(int code)
{
	if (code == QEMU_OFF)
		return MACHINE_OFF;
	if (code == QEMU_PANIC)
		return MACHINE_PANIC;
	/* A value v becomes v << 1 | 1. */
	return code & 1 ? code >> 1 : MACHINE_OTHER;
}
