// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: lkvm run, lkvm restore: a machine from its description to its end
 *
 * The order: the name is claimed, the machine is built from the description,
 * its control socket opens, the kernel or the saved state is loaded, the
 * terminal becomes raw, the guest runs. Whatever fails, what was made is unmade
 * in reverse order and nothing is left behind; the exit code tells how the
 * guest ended.
 *
 * Signals are blocked before the first thread is made and read on the main
 * loop, so they need no care anywhere else.
 *
 * Threads: the first one, which becomes the main loop.
 */
#include <json-c/json.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "migration/receive.h"
#include "migration/restore.h"
#include "vmm/arch.h"
#include "vmm/base/math.h"
#include "vmm/cli/cli.h"
#include "vmm/cli/control.h"
#include "vmm/cli/output.h"
#include "vmm/cli/run.h"
#include "vmm/cli/runtime.h"
#include "vmm/cli/terminal.h"
#include "vmm/console.h"
#include "vmm/vm.h"

#define ESCAPE_KEY	1	/* Ctrl-a */
#define FLUSH_MS	2000

/**
 * struct port - a serial port's other end
 * @console: NULL when there is none
 * @fd: a pseudo terminal, -1 for none
 * @other_fd: its other end, held open so that it never hangs up
 */
struct port {
	struct console *console;
	int fd;
	int other_fd;
};

/**
 * struct run - a machine that runs in this process
 * @job: what is wanted
 * @d: its description
 * @claim: its name
 * @vm: the machine
 * @ports: what its serial ports are connected to
 * @hvc: what its virtio console is connected to, NULL when it has none
 * @control: its control socket
 * @signals: signalfd
 * @signal_watch: watches it
 * @signal: the signal that ended the guest, 0 for none
 * @escaped: Ctrl-a was typed
 */
struct run {
	const struct machine_job *job;
	struct description *d;
	struct runtime_claim claim;
	struct vm *vm;
	struct port ports[VM_CONSOLES];
	struct console *hvc;
	struct control *control;
	int signals;
	struct io_watch signal_watch;
	u32 signal;
	bool escaped;
};

/* ---- signals and keys --------------------------------------------------- */

/* What the terminal is connected to, NULL for nothing. */
static struct console *main_console(const struct run *run)
{
	if (run->hvc)
		return run->hvc;
	return run->job->tty != 0 ? run->ports[0].console : NULL;
}

static void look_at_size(struct run *run)
{
	struct console *console = main_console(run);
	u16 cols, rows;

	terminal_size(&cols, &rows);
	if (console)
		console_resize(console, cols, rows);
}

static void signal_ready(struct io_watch *watch)
{
	struct run *run = container_of(watch, struct run, signal_watch);
	struct signalfd_siginfo info;

	while (read(run->signals, &info, sizeof(info)) == sizeof(info)) {
		switch (info.ssi_signo) {
		case SIGTSTP:
			terminal_suspend();
			break;
		case SIGCONT:
			terminal_again();
			look_at_size(run);
			break;
		case SIGWINCH:
			look_at_size(run);
			break;
		default:
			if (!run->signal)
				run->signal = info.ssi_signo;
			vm_request_end(run->vm, VM_END_KILLED, 0);
		}
	}
}

static int block_signals(struct run *run, struct error *err)
{
	static const int taken[] = {
		SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH,
	};
	sigset_t set;
	unsigned int i;

	signal(SIGPIPE, SIG_IGN);
	/* A file that grows too large fails its write and not the machine. */
	signal(SIGXFSZ, SIG_IGN);
	sigemptyset(&set);
	for (i = 0; i < ARRAY_SIZE(taken); i++)
		sigaddset(&set, taken[i]);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	run->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return run->signals < 0 ? error_set(err, -errno, "signalfd: %m") : 0;
}

/*
 * Ctrl-a x ends the machine, Ctrl-a a and Ctrl-a Ctrl-a are a Ctrl-a; before
 * any other key Ctrl-a is dropped, as kvmtool does.
 */
static size_t filter_keys(void *arg, u8 *buf, size_t len)
{
	struct run *run = arg;
	size_t i, kept = 0;

	for (i = 0; i < len; i++) {
		if (!run->escaped && buf[i] == ESCAPE_KEY) {
			run->escaped = true;
			continue;
		}
		if (run->escaped && buf[i] == 'x')
			vm_request_end(run->vm, VM_END_KILLED, 0);
		else if (run->escaped && buf[i] == 'a')
			buf[kept++] = ESCAPE_KEY;
		else
			buf[kept++] = buf[i];
		run->escaped = false;
	}
	return kept;
}

/* ---- events ------------------------------------------------------------- */

static void add_text(struct json_object *obj, const char *key, const char *v)
{
	json_object_object_add(obj, key, json_object_new_string(v));
}

static struct json_object *new_event(const char *name)
{
	struct json_object *obj = json_object_new_object();

	add_text(obj, "event", name);
	return obj;
}

static void phase_changed(struct vm *vm, void *arg)
{
	struct json_object *obj = new_event("state");

	add_text(obj, "state", vm_phase_name(vm_phase_get(vm)));
	output_event(obj);
}

static void tell_start(const struct run *run)
{
	const struct machine_config *m = run->d->machine;
	struct json_object *obj = new_event("start");
	struct sockaddr_un addr;

	runtime_socket(&run->claim.runtime, run->claim.name, &addr);
	add_text(obj, "name", m->name);
	json_object_object_add(obj, "pid", json_object_new_int(getpid()));
	add_text(obj, "socket", addr.sun_path);
	if (run->job->image)
		add_text(obj, "image", run->job->image_path);
	if (m->kernel)
		add_text(obj, "kernel", m->kernel);
	add_text(obj, "cmdline", m->cmdline);
	json_object_object_add(obj, "cpus", json_object_new_int64(m->cpus));
	json_object_object_add(obj, "memory-bytes",
			       json_object_new_uint64(m->memory));
	output_event(obj);
	if (run->job->line)
		output_info(run->job->line);
}

static void tell_end(const struct run *run, enum vm_end end, int code)
{
	struct json_object *obj = new_event("end");

	add_text(obj, "reason", vm_end_name(end));
	json_object_object_add(obj, "exit-code", json_object_new_int(code));
	if (end == VM_END_DEBUG_EXIT)
		json_object_object_add(obj, "debug-value",
				       json_object_new_int64(run->vm->end_code));
	if (run->signal)
		json_object_object_add(obj, "signal",
				       json_object_new_int64(run->signal));
	output_event(obj);
	switch (end) {
	case VM_END_POWEROFF:
	case VM_END_REBOOT:
		log_info("KVM session ended normally.");
		break;
	case VM_END_PANIC:
		log_error("%s: the guest's kernel panicked", run->vm->name);
		break;
	case VM_END_TRIPLE_FAULT:
		log_error("%s: triple fault: the guest's CPU gave up",
			  run->vm->name);
		break;
	case VM_END_ERROR:
		log_error("%s: %s", run->vm->name, run->vm->end_error.text);
		break;
	default:
		log_info("KVM session ended: %s.", vm_end_name(end));
	}
}

static int exit_code(const struct run *run, enum vm_end end)
{
	switch (end) {
	case VM_END_POWEROFF:
	case VM_END_REBOOT:
	case VM_END_SAVED:
	case VM_END_MOVED:
		return EXIT_OK;
	case VM_END_PANIC:
		return EXIT_GUEST_PANIC;
	case VM_END_TRIPLE_FAULT:
		return EXIT_TRIPLE_FAULT;
	case VM_END_KILLED:
		return run->signal ? EXIT_SIGNAL + (int)run->signal :
				     EXIT_KILLED;
	case VM_END_DEBUG_EXIT:
		return EXIT_DEBUG + (int)min_of(run->vm->end_code,
						(u32)EXIT_DEBUG_MAX);
	default:
		return EXIT_ERROR;
	}
}

/* ---- serial ports ------------------------------------------------------- */

static int open_pty(struct run *run, u32 index, struct error *err)
{
	struct port *port = &run->ports[index];
	struct json_object *obj;
	char path[64];
	int ret;

	ret = terminal_open_pty(&port->fd, &port->other_fd, path,
				sizeof(path), err);
	if (ret)
		return ret;
	obj = new_event("tty");
	json_object_object_add(obj, "port", json_object_new_int64(index));
	add_text(obj, "path", path);
	output_event(obj);
	log_info("ttyS%u is connected to %s", index, path);
	return console_create(&run->vm->loop, port->fd, port->fd,
			      &port->console, err);
}

static bool has_hvc(const struct description *d)
{
	u32 i;

	for (i = 0; i < d->nr; i++)
		if (run_has_hvc(d->devices[i].class, d->devices[i].config))
			return true;
	return false;
}

/*
 * With a virtio console the first serial port hears nothing, but what the guest
 * writes there, early in its boot, is shown as well.
 */
static int connect_terminal(struct run *run, struct error *err)
{
	struct iothread *loop = &run->vm->loop;
	struct console *console;
	int ret = 0;

	if (has_hvc(run->d))
		ret = console_create(loop, STDIN_FILENO, STDOUT_FILENO,
				     &run->hvc, err);
	if (!ret && run->job->tty != 0)
		ret = console_create(loop, run->hvc ? -1 : STDIN_FILENO,
				     STDOUT_FILENO, &run->ports[0].console,
				     err);
	console = main_console(run);
	if (ret || !console)
		return ret;
	if (isatty(STDIN_FILENO)) {
		console->escape = filter_keys;
		console->escape_arg = run;
	}
	look_at_size(run);
	return 0;
}

static int connect_ports(struct run *run, struct error *err)
{
	u32 tty = run->job->tty, i;
	int ret = 0;

	if (tty != TTY_NONE)
		ret = open_pty(run, tty, err);
	if (!ret)
		ret = connect_terminal(run, err);
	for (i = 0; !ret && i < VM_CONSOLES; i++)
		run->vm->consoles[i] = run->ports[i].console;
	run->vm->hvc = run->hvc;
	return ret;
}

static void disconnect_ports(struct run *run)
{
	u32 i;

	console_destroy(run->hvc);
	for (i = 0; i < VM_CONSOLES; i++) {
		console_destroy(run->ports[i].console);
		if (run->ports[i].fd < 0)
			continue;
		close(run->ports[i].fd);
		close(run->ports[i].other_fd);
	}
}

static void flush(struct console *console)
{
	if (console && console_flush(console, FLUSH_MS))
		log_warning("console: the last output could not be written within %u ms",
			    FLUSH_MS);
}

static void flush_ports(struct run *run)
{
	flush(run->hvc);
	/* Nobody may be there to read from a pseudo terminal. */
	if (run->ports[0].fd < 0)
		flush(run->ports[0].console);
}

/* ---- the machine -------------------------------------------------------- */

static int load_kernel(struct run *run, struct error *err)
{
	const struct machine_config *m = run->d->machine;
	const struct arch_boot boot = {
		.kernel = m->kernel,
		.initrd = m->initrd,
		.cmdline = m->cmdline,
	};

	return arch_boot_load(run->vm, &boot, err);
}

static void received(void *arg, const struct error *err)
{
	struct run *run = arg;

	if (err) {
		vm_request_error(run->vm, err);
		return;
	}
	log_info("%s was handed over and %s", run->vm->name,
		 vm_phase_get(run->vm) == VM_RUNNING ? "runs" :
						       "is paused, as it was");
	if (run->job->arrived)
		run->job->arrived(run->job->arrived_arg);
}

/* What the guest begins with, or goes on from. */
static int load(struct run *run, struct error *err)
{
	struct restore *image = run->job->image;
	int ret;

	if (run->job->receive)
		return receive_start(run->job->receive, run->vm, received, run,
				     err);
	if (!image)
		return load_kernel(run, err);
	ret = restore_check_disks(image, run->vm, err);
	return ret ? ret : restore_state(image, run->vm, err);
}

/* Has the user given up, before there is a main loop to notice it? */
static bool is_interrupted(void *arg)
{
	const struct run *run = arg;
	struct pollfd signals = { .fd = run->signals, .events = POLLIN };

	return poll(&signals, 1, 0) > 0;
}

static int create(struct run *run, struct error *err)
{
	struct restore *image = run->job->image;
	/* For comparison and tests; 0 for none. */
	const char *ring = getenv("LKVM_DIRTY_RING");
	struct vm_config config;
	int ret;

	description_vm_config(run->d, &config);
	if (ring)
		config.dirty_ring = strcmp(ring, "0") ?
			(u32)strtoul(ring, NULL, 10) : DIRTY_RING_NONE;
	if (image)
		restore_config(image, &config);
	config.disks_elsewhere = run->job->receive;
	config.runtime = run->claim.runtime.path;
	ret = vm_create(&config, &run->vm, err);
	if (ret || !image)
		return ret;
	image->interrupted = is_interrupted;
	image->interrupted_arg = run;
	ret = restore_memory(image, run->vm, run->job->eager, err);
	if (ret)
		vm_destroy(run->vm);
	return ret;
}

static enum vm_end run_until_end(struct run *run)
{
	struct error err = ERROR_INIT;
	enum vm_end end;

	for (;;) {
		end = vm_run(run->vm);
		if (end != VM_END_REBOOT ||
		    run->d->machine->reboot != REBOOT_RESTART)
			return end;
		output_event(new_event("reboot"));
		if (vm_reset(run->vm, &err) || load_kernel(run, &err) ||
		    vm_resume(run->vm, &err)) {
			vm_request_error(run->vm, &err);
			return VM_END_ERROR;
		}
	}
}

static int build(struct run *run, struct error *err)
{
	struct sockaddr_un addr;
	int ret;

	ret = connect_ports(run, err);
	if (!ret)
		ret = description_build(run->d, run->vm, err);
	if (ret)
		return ret;
	runtime_socket(&run->claim.runtime, run->claim.name, &addr);
	ret = control_create(run->vm, &addr, &run->control, err);
	if (ret)
		return ret;
	run->vm->on_phase = phase_changed;
	ret = vm_start(run->vm, err);
	return ret ? ret : load(run, err);
}

/* The machine exists: everything from here on is undone by the caller. */
static int run_built(struct run *run, struct error *err)
{
	enum vm_end end;
	int ret, code;

	io_watch_add(&run->vm->loop, &run->signal_watch, run->signals,
		     signal_ready);
	ret = build(run, err);
	if (ret)
		return cli_fail(EXIT_ERROR, err);
	tell_start(run);
	if (main_console(run))
		ret = terminal_raw(STDIN_FILENO, err);
	if (!ret && !run->job->paused && !run->job->receive)
		ret = vm_resume(run->vm, err);
	if (ret)
		return cli_fail(EXIT_ERROR, err);
	end = run_until_end(run);
	code = exit_code(run, end);
	flush_ports(run);
	terminal_restore();
	tell_end(run, end, code);
	return code;
}

static int run_claimed(struct run *run, struct error *err)
{
	int code;

	if (create(run, err))
		return cli_fail(EXIT_ERROR, err);
	code = run_built(run, err);
	receive_stop(run->job->receive);
	terminal_restore();
	control_destroy(run->control);
	io_watch_remove(&run->signal_watch);
	vm_dismantle(run->vm);
	disconnect_ports(run);
	vm_destroy(run->vm);
	return code;
}

/**
 * run_machine() - build a machine, run it, and tell how it ended
 * @job: the machine
 *
 * Return: an exit code.
 */
int run_machine(const struct machine_job *job)
{
	struct run run = { .job = job, .d = job->d };
	struct error err = ERROR_INIT;
	int code;
	u32 i;

	for (i = 0; i < VM_CONSOLES; i++)
		run.ports[i].fd = -1;
	if (block_signals(&run, &err))
		return cli_fail(EXIT_ERROR, &err);
	if (runtime_claim(&run.claim, run.d->machine->name, &err)) {
		code = cli_fail(EXIT_ERROR, &err);
	} else {
		code = run_claimed(&run, &err);
		runtime_release(&run.claim);
	}
	close(run.signals);
	/* The source runs on, and wants to know why. */
	if (job->receive && err.code)
		receive_refuse(job->receive, &err);
	return code;
}
