/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: a machine under test: lkvm in a process of its own with the test guest
 *
 * The test starts it, waits for lines on its console, types into it, and takes
 * its exit code. It is started in a fresh folder, with a runtime folder of its
 * own, and is killed when the test ends, however that happens.
 *
 * LKVM names the lkvm to test; by default it is where the build puts it, two
 * folders above tests/kvm, where the guest is, and the test program or the
 * folder of an architecture with it. LKVM_TEST_VMM=qemu runs the same guest with
 * QEMU instead: what fails there too is the guest's fault.
 */
#ifndef TESTS_KVM_MACHINE_H
#define TESTS_KVM_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MACHINE_DISKS		4
#define MACHINE_NAMESPACES	3

/* How a machine ended, see machine_wait(); a guest's exit value is below 256. */
#define MACHINE_OFF		256	/* power-off or reset; saved and stopped */
#define MACHINE_PANIC		257	/* the guest told so */
#define MACHINE_TRIPLE_FAULT	258
#define MACHINE_KILLED		259	/* by lkvm stop --force or the like */
#define MACHINE_OTHER		260	/* anything else; shown on the console */
#define MACHINE_SIGNAL		512	/* plus a signal that lkvm was sent */

/**
 * struct machine_disk - an NVMe controller
 * @mib:     sizes of its namespaces in MiB, 0 ends
 * @options: for --nvme, with the leading comma, or NULL
 */
struct machine_disk {
	uint32_t mib[MACHINE_NAMESPACES];
	const char *options;
};

/**
 * struct machine_setup - a machine to start
 * @params:   the guest's command line
 * @guest:    file name of the guest, NULL for the usual one
 * @cpus:     0 for 1
 * @mib:      RAM, 0 for 64
 * @disk:     controllers
 * @more:     further words for lkvm run, ended by NULL
 */
struct machine_setup {
	const char *params;
	const char *guest;
	unsigned int cpus;
	unsigned int mib;
	struct machine_disk disk[MACHINE_DISKS];
	const char *more[8];
};

/**
 * struct machine - a machine that runs or has ended
 * @pid:     process, 0 when it has been waited for
 * @in:      its standard input, -1 when closed
 * @out:     its standard output and error
 * @folder:  where its disks and sockets are
 * @borrowed: @folder belongs to another machine, which outlives this one
 * @name:    what lkvm calls it
 * @console: all that it has printed, with a NUL
 * @len:     bytes of that
 * @taken:   how much machine_expect() has gone through
 * @said:    what the last machine_command() printed, with a NUL
 */
struct machine {
	pid_t pid;
	int in;
	int out;
	char folder[64];
	bool borrowed;
	char name[64];
	char *console;
	size_t len;
	size_t taken;
	char said[4096];
};

const char *machine_unavailable(void);
bool machine_is_qemu(void);
int machine_start(struct machine *m, const struct machine_setup *s);
int machine_restore(struct machine *m, const struct machine *from,
		    const char *const *words);
int machine_restore_again(struct machine *m, const char *const *words);
int machine_receive(struct machine *m, const struct machine *from,
		    const char *const *words);
int machine_receive_again(struct machine *m, const char *const *words);
const char *machine_expect(struct machine *m, const char *text, int timeout_ms);
bool machine_send(struct machine *m, const void *data, size_t len,
		  int timeout_ms);
int machine_wait(struct machine *m, int timeout_ms);
bool machine_ends(struct machine *m, const struct machine_setup *s, int want,
		  int timeout_ms);
void machine_destroy(struct machine *m);
int machine_command(struct machine *m, const char *const *words,
		    int timeout_ms);
int machine_run(struct machine *m, const char *const *words, int timeout_ms);
int machine_verify(struct machine *m, const char *path, int timeout_ms);
pid_t machine_begin(struct machine *m, const char *const *words);
void machine_show(const struct machine *m);
void machine_disk_path(const struct machine *m, unsigned int disk,
		       unsigned int ns, char *path, size_t cap);
void machine_path(const struct machine *m, const char *file, char *path,
		  size_t cap);
const char *machine_lkvm(void);

#endif /* TESTS_KVM_MACHINE_H */
