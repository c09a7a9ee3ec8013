// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: what can be asked of a running machine
 *
 * One table: command, its arguments, what it does. Those that are more than a
 * few lines, or that take their time, have a file of their own.
 * Documentation/control-protocol.rst has the schema.
 *
 * Threads: the main loop. A command that needs the vCPUs to stand still
 * pauses the machine and lets it go on.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "vmm/arch.h"
#include "vmm/cli/control_priv.h"
#include "vmm/device.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

#define DUMP_BYTES	8192

/* An argument that was not given. */
#define NO_VCPU	UINT32_MAX

static u64 up_ms(const struct vm *vm)
{
	struct timespec ts;

	if (!vm->started_ns)
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((u64)ts.tv_sec * 1000000000 + (u64)ts.tv_nsec -
		vm->started_ns) / 1000000;
}

static int status(struct control_call *call, struct error *err)
{
	struct json_object *result = call->result;
	struct vm *vm = call->vm;

	control_add_text(result, "name", vm->name);
	control_add_int(result, "pid", (u64)getpid());
	control_add_text(result, "state", vm_phase_name(vm_phase_get(vm)));
	control_add_text(result, "arch", arch_name);
	control_add_text(result, "version", LKVM_VERSION);
	control_add_int(result, "cpus", vm->cpus_nr);
	control_add_int(result, "memory-bytes", guest_memory_size(&vm->memory));
	control_add_int(result, "up-ms", up_ms(vm));
	return 0;
}

static int stop(struct control_call *call, struct error *err)
{
	struct vm *vm = call->vm;

	if (!vm->power_button)
		return error_set(err, -EOPNOTSUPP,
				 "%s has no power button; use --force",
				 vm->name);
	if (vm_phase_get(vm) != VM_RUNNING)
		return error_set(err, -EBUSY,
				 "%s is paused and cannot switch itself off; resume it first, or use --force",
				 vm->name);
	vm->power_button(vm->power_device);
	return 0;
}

static int kill_machine(struct control_call *call, struct error *err)
{
	vm_request_end(call->vm, VM_END_KILLED, 0);
	return 0;
}

static int pause_machine(struct control_call *call, struct error *err)
{
	struct vm *vm = call->vm;

	if (vm->paused_for)
		return error_set(err, -EBUSY,
				 "%s stands still for %s and may go on afterwards; pause it then",
				 vm->name, vm->paused_for);
	return vm_pause(vm, err);
}

static int resume_machine(struct control_call *call, struct error *err)
{
	return vm_resume(call->vm, err);
}

/**
 * struct json_sink - counters on their way into an object
 * @sink: what the device sees
 * @obj: where they go
 */
struct json_sink {
	struct stat_sink sink;
	struct json_object *obj;
};

static void add_counter(struct stat_sink *sink, const char *name, u64 value)
{
	control_add_int(container_of(sink, struct json_sink, sink)->obj, name, value);
}

static void stat_vcpu(const struct vcpu *vcpu, struct json_object *list)
{
	struct json_object *obj = json_object_new_object();

	control_add_int(obj, "exits", atomic_load(&vcpu->stats.exits));
	control_add_int(obj, "pio", atomic_load(&vcpu->stats.pio));
	control_add_int(obj, "mmio", atomic_load(&vcpu->stats.mmio));
	control_add_int(obj, "unhandled", atomic_load(&vcpu->stats.unhandled));
	control_add_int(obj, "signals", atomic_load(&vcpu->stats.signals));
	json_object_array_add(list, obj);
}

static void stat_device(struct device *dev, struct json_object *all)
{
	struct json_sink to = {
		.sink.counter = add_counter, .obj = json_object_new_object(),
	};

	mutex_lock(&dev->lock);
	dev->class->ops->stat(dev, &to.sink);
	mutex_unlock(&dev->lock);
	json_object_object_add(all, dev->name, to.obj);
}

static int stat_machine(struct control_call *call, struct error *err)
{
	struct json_object *vcpus = json_object_new_array();
	struct json_object *devices = json_object_new_object();
	struct json_object *result = call->result;
	struct vm *vm = call->vm;
	struct device *dev;
	u32 i;

	control_add_int(result, "up-ms", up_ms(vm));
	for (i = 0; i < vm->cpus_nr; i++)
		stat_vcpu(&vm->vcpus[i], vcpus);
	json_object_object_add(result, "vcpus", vcpus);
	list_for_each_entry(dev, &vm->devices, link)
		if (dev->class->ops->stat)
			stat_device(dev, devices);
	json_object_object_add(result, "devices", devices);
	return 0;
}

/**
 * struct vcpu_argument - which vCPU
 * @vcpu: its number, NO_VCPU when it was not said
 */
struct vcpu_argument {
	u32 vcpu;
};

static const struct option_desc vcpu_opts[] = {
	{
		.name = "vcpu", .type = OPTION_U32,
		.offset = offsetof(struct vcpu_argument, vcpu),
		.max = VM_CPUS_MAX - 1, .def = NO_VCPU,
	},
};

static const struct option_table dump_arguments = {
	.name = "dump", .config_size = sizeof(struct vcpu_argument),
	.opts = vcpu_opts, .nr = ARRAY_SIZE(vcpu_opts),
};

static const struct option_table nmi_arguments = {
	.name = "nmi", .config_size = sizeof(struct vcpu_argument),
	.opts = vcpu_opts, .nr = ARRAY_SIZE(vcpu_opts),
};

static int check_vcpu(const struct vm *vm, u32 n, struct error *err)
{
	if (n == NO_VCPU || n < vm->cpus_nr)
		return 0;
	return error_set(err, -EINVAL, "vcpu %u: %s has vCPUs 0 to %u",
			 n, vm->name, vm->cpus_nr - 1);
}

static int dump_vcpus(struct vm *vm, u32 only, struct json_object *list,
		      struct error *err)
{
	char text[DUMP_BYTES];
	int ret = 0;
	u32 i;

	for (i = 0; !ret && i < vm->cpus_nr; i++) {
		if (only != NO_VCPU && only != i)
			continue;
		ret = arch_vcpu_dump(&vm->vcpus[i], text, sizeof(text), err);
		if (!ret)
			json_object_array_add(list,
					      json_object_new_string(text));
	}
	return ret;
}

static int dump(struct control_call *call, struct error *err)
{
	const struct vcpu_argument *arg = call->arguments;
	struct json_object *list = json_object_new_array();
	struct error again = ERROR_INIT;
	struct vm *vm = call->vm;
	bool runs = vm_phase_get(vm) == VM_RUNNING;
	int ret;

	json_object_object_add(call->result, "vcpus", list);
	ret = check_vcpu(vm, arg->vcpu, err);
	/* KVM answers for a vCPU only while it does not run. */
	if (!ret && runs)
		ret = vm_pause(vm, err);
	if (ret)
		return ret;
	ret = dump_vcpus(vm, arg->vcpu, list, err);
	if (runs && vm_resume(vm, &again) && !ret)
		ret = error_copy(err, &again);
	return ret;
}

static int nmi(struct control_call *call, struct error *err)
{
	const struct vcpu_argument *arg = call->arguments;
	u32 vcpu = arg->vcpu == NO_VCPU ? 0 : arg->vcpu;
	struct error again = ERROR_INIT;
	struct vm *vm = call->vm;
	bool runs = vm_phase_get(vm) == VM_RUNNING;
	int ret;

	ret = check_vcpu(vm, vcpu, err);
	if (!ret && runs)
		ret = vm_pause(vm, err);
	if (ret)
		return ret;
	ret = arch_vcpu_nmi(&vm->vcpus[vcpu], err);
	if (runs && vm_resume(vm, &again) && !ret)
		ret = error_copy(err, &again);
	return ret;
}

static const struct control_command simple_commands[] = {
	{ "status",	NULL,			status },
	{ "stop",	NULL,			stop },
	{ "kill",	NULL,			kill_machine },
	{ "pause",	NULL,			pause_machine },
	{ "resume",	NULL,			resume_machine },
	{ "stat",	NULL,			stat_machine },
	{ "dump",	&dump_arguments,	dump },
	{ "nmi",	&nmi_arguments,		nmi },
};

/* Those that have a file of their own. */
static const struct control_command *const other_commands[] = {
	&control_snapshot,
	&control_snapshot_cancel,
	&control_migrate,
	&control_migrate_cancel,
	&control_balloon,
	&control_memory_stat,
};

/**
 * control_command_find() - a command by its name
 * @name: "status"
 *
 * Return: the command, NULL when there is none of that name.
 */
const struct control_command *control_command_find(const char *name)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(simple_commands); i++)
		if (!strcmp(simple_commands[i].name, name))
			return &simple_commands[i];
	for (i = 0; i < ARRAY_SIZE(other_commands); i++)
		if (!strcmp(other_commands[i]->name, name))
			return other_commands[i];
	return NULL;
}
