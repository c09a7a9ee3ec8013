// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: what can be asked of a running machine
 *
 * One table: command, its arguments, what it does. A request is
 * ``{"id": ANY, "command": NAME, "arguments": {...}}``; the answer repeats the
 * id and has either a result or an error, never both::
 *
 *   {"id": 1, "result": {...}}
 *   {"id": 1, "error": {"code": "busy", "message": "..."}}
 *
 * Whatever is in a request that the schema does not have is refused, so that
 * a misspelt argument does not go unnoticed. The client is the user, but may
 * be a broken program: depth and length are bounded.
 *
 * Threads: the main loop. A command that needs the vCPUs to stand still
 * pauses the machine and lets it go on.
 */
#include <ctype.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "vmm/arch.h"
#include "vmm/cli/control.h"
#include "vmm/device.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

#define REQUEST_DEPTH	8
#define DUMP_BYTES	8192

/**
 * struct control_command - something that can be asked for
 * @name: "status"
 * @argument: the one argument that it takes, a vCPU's number; NULL for none
 * @fn: does it and fills the result; on failure says why
 */
struct control_command {
	const char *name;
	const char *argument;
	int (*fn)(struct vm *vm, s64 argument, struct json_object *result,
		  struct error *err);
};

/* An argument that was not given. */
#define NO_ARGUMENT	(-1)

static void add_int(struct json_object *obj, const char *key, u64 v)
{
	json_object_object_add(obj, key, json_object_new_uint64(v));
}

static void add_text(struct json_object *obj, const char *key, const char *v)
{
	json_object_object_add(obj, key, json_object_new_string(v));
}

static u64 up_ms(const struct vm *vm)
{
	struct timespec ts;

	if (!vm->started_ns)
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((u64)ts.tv_sec * 1000000000 + (u64)ts.tv_nsec -
		vm->started_ns) / 1000000;
}

static int status(struct vm *vm, s64 argument, struct json_object *result,
		  struct error *err)
{
	add_text(result, "name", vm->name);
	add_int(result, "pid", (u64)getpid());
	add_text(result, "state", vm_phase_name(vm_phase_get(vm)));
	add_text(result, "arch", arch_name);
	add_text(result, "version", LKVM_VERSION);
	add_int(result, "cpus", vm->cpus_nr);
	add_int(result, "memory-bytes", guest_memory_size(&vm->memory));
	add_int(result, "up-ms", up_ms(vm));
	return 0;
}

static int stop(struct vm *vm, s64 argument, struct json_object *result,
		struct error *err)
{
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

static int kill_machine(struct vm *vm, s64 argument,
			struct json_object *result, struct error *err)
{
	vm_request_end(vm, VM_END_KILLED, 0);
	return 0;
}

static int pause_machine(struct vm *vm, s64 argument,
			 struct json_object *result, struct error *err)
{
	return vm_pause(vm, err);
}

static int resume_machine(struct vm *vm, s64 argument,
			  struct json_object *result, struct error *err)
{
	return vm_resume(vm, err);
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
	add_int(container_of(sink, struct json_sink, sink)->obj, name, value);
}

static void stat_vcpu(const struct vcpu *vcpu, struct json_object *list)
{
	struct json_object *obj = json_object_new_object();

	add_int(obj, "exits", atomic_load(&vcpu->stats.exits));
	add_int(obj, "pio", atomic_load(&vcpu->stats.pio));
	add_int(obj, "mmio", atomic_load(&vcpu->stats.mmio));
	add_int(obj, "unhandled", atomic_load(&vcpu->stats.unhandled));
	add_int(obj, "signals", atomic_load(&vcpu->stats.signals));
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

static int stat_machine(struct vm *vm, s64 argument,
			struct json_object *result, struct error *err)
{
	struct json_object *vcpus = json_object_new_array();
	struct json_object *devices = json_object_new_object();
	struct device *dev;
	u32 i;

	add_int(result, "up-ms", up_ms(vm));
	for (i = 0; i < vm->cpus_nr; i++)
		stat_vcpu(&vm->vcpus[i], vcpus);
	json_object_object_add(result, "vcpus", vcpus);
	list_for_each_entry(dev, &vm->devices, link)
		if (dev->class->ops->stat)
			stat_device(dev, devices);
	json_object_object_add(result, "devices", devices);
	return 0;
}

static int check_vcpu(const struct vm *vm, s64 n, struct error *err)
{
	if (n < vm->cpus_nr)
		return 0;
	return error_set(err, -EINVAL, "vcpu %lld: %s has vCPUs 0 to %u",
			 (long long)n, vm->name, vm->cpus_nr - 1);
}

static int dump_vcpus(struct vm *vm, s64 only, struct json_object *list,
		      struct error *err)
{
	char text[DUMP_BYTES];
	int ret = 0;
	u32 i;

	for (i = 0; !ret && i < vm->cpus_nr; i++) {
		if (only != NO_ARGUMENT && (u32)only != i)
			continue;
		ret = arch_vcpu_dump(&vm->vcpus[i], text, sizeof(text), err);
		if (!ret)
			json_object_array_add(list,
					      json_object_new_string(text));
	}
	return ret;
}

static int dump(struct vm *vm, s64 vcpu, struct json_object *result,
		struct error *err)
{
	bool runs = vm_phase_get(vm) == VM_RUNNING;
	struct json_object *list = json_object_new_array();
	struct error again = ERROR_INIT;
	int ret;

	json_object_object_add(result, "vcpus", list);
	ret = check_vcpu(vm, vcpu, err);
	/* KVM answers for a vCPU only while it does not run. */
	if (!ret && runs)
		ret = vm_pause(vm, err);
	if (ret)
		return ret;
	ret = dump_vcpus(vm, vcpu, list, err);
	if (runs && vm_resume(vm, &again) && !ret)
		ret = error_copy(err, &again);
	return ret;
}

static int nmi(struct vm *vm, s64 vcpu, struct json_object *result,
	       struct error *err)
{
	bool runs = vm_phase_get(vm) == VM_RUNNING;
	struct error again = ERROR_INIT;
	int ret;

	ret = check_vcpu(vm, vcpu, err);
	if (!ret && runs)
		ret = vm_pause(vm, err);
	if (ret)
		return ret;
	ret = arch_vcpu_nmi(&vm->vcpus[vcpu == NO_ARGUMENT ? 0 : vcpu], err);
	if (runs && vm_resume(vm, &again) && !ret)
		ret = error_copy(err, &again);
	return ret;
}

static const struct control_command commands[] = {
	{ "status",	NULL,	status },
	{ "stop",	NULL,	stop },
	{ "kill",	NULL,	kill_machine },
	{ "pause",	NULL,	pause_machine },
	{ "resume",	NULL,	resume_machine },
	{ "stat",	NULL,	stat_machine },
	{ "dump",	"vcpu",	dump },
	{ "nmi",	"vcpu",	nmi },
};

/* ---- requests ----------------------------------------------------------- */

/**
 * struct request - a request, checked
 * @id: whatever the client gave, NULL for none; owned by @object
 * @command: what is wanted
 * @argument: its argument or NO_ARGUMENT
 * @object: the whole
 */
struct request {
	struct json_object *id;
	const struct control_command *command;
	s64 argument;
	struct json_object *object;
};

static int bad(struct error *err, const char *what)
{
	return error_set(err, -EBADMSG, "%s", what);
}

static int parse_line(const char *line, size_t len, struct json_object **obj,
		      struct error *err)
{
	struct json_tokener *tok;
	enum json_tokener_error how;
	int ret = 0;

	if (!line)
		return bad(err, "request: the line is too long");
	while (len && isspace((unsigned char)line[len - 1]))
		len--;
	tok = json_tokener_new_ex(REQUEST_DEPTH);
	if (!tok)
		return error_set(err, -ENOMEM, "no memory");
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT |
			       JSON_TOKENER_VALIDATE_UTF8);
	*obj = json_tokener_parse_ex(tok, line, (int)len);
	how = json_tokener_get_error(tok);
	/* A number could go on; nothing but an object is wanted anyway. */
	if (how != json_tokener_success)
		ret = error_set(err, -EBADMSG, "request: not JSON: %s",
				how == json_tokener_continue ? "it is cut off" :
				json_tokener_error_desc(how));
	else if (json_tokener_get_parse_end(tok) != len)
		ret = bad(err, "request: something stands behind the object");
	else if (!json_object_is_type(*obj, json_type_object))
		ret = bad(err, "request: not an object");
	json_tokener_free(tok);
	return ret;
}

static int parse_command(struct request *req, struct json_object *name,
			 struct error *err)
{
	const char *text = json_object_get_string(name);
	unsigned int i;

	if (!json_object_is_type(name, json_type_string))
		return bad(err, "request: \"command\" is not a string");
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		/* A NUL within it does not end it. */
		if ((size_t)json_object_get_string_len(name) == strlen(text) &&
		    !strcmp(commands[i].name, text))
			req->command = &commands[i];
	return req->command ? 0 :
		error_set(err, -ENOSYS, "command \"%.64s\" is unknown", text);
}

static int parse_arguments(struct request *req, struct json_object *arguments,
			   struct error *err)
{
	if (!json_object_is_type(arguments, json_type_object))
		return bad(err, "request: \"arguments\" is not an object");
	json_object_object_foreach(arguments, key, value) {
		if (!req->command->argument ||
		    strcmp(req->command->argument, key))
			return error_set(err, -EINVAL,
					 "argument \"%.64s\": %s has none of that name",
					 key, req->command->name);
		req->argument = json_object_get_int64(value);
		if (!json_object_is_type(value, json_type_int) ||
		    req->argument < 0)
			return error_set(err, -EINVAL,
					 "argument \"%s\": not a number from 0 on",
					 key);
	}
	return 0;
}

static int parse_request(struct request *req, const char *line, size_t len,
			 struct error *err)
{
	struct json_object *command = NULL, *arguments = NULL;
	int ret;

	ret = parse_line(line, len, &req->object, err);
	if (ret)
		return ret;
	json_object_object_get_ex(req->object, "id", &req->id);
	json_object_object_foreach(req->object, key, value) {
		if (!strcmp(key, "command"))
			command = value;
		else if (!strcmp(key, "arguments"))
			arguments = value;
		else if (strcmp(key, "id"))
			return error_set(err, -EBADMSG,
					 "request: unknown member \"%.64s\"",
					 key);
	}
	ret = parse_command(req, command, err);
	/* "arguments": null is there, too, and no object. */
	if (!ret && json_object_object_get_ex(req->object, "arguments", NULL))
		ret = parse_arguments(req, arguments, err);
	return ret;
}

static const char *code_word(int code)
{
	switch (code) {
	case -EBADMSG:
		return "bad-request";
	case -ENOSYS:
		return "unknown-command";
	case -EINVAL:
		return "bad-argument";
	case -EBUSY:
		return "wrong-state";
	case -EOPNOTSUPP:
		return "not-supported";
	default:
		return "failed";
	}
}

/**
 * control_answer() - do what a request asks for
 * @vm: the machine
 * @line: the request without its newline, not terminated; NULL for one that
 *        was too long
 * @len: bytes of it
 *
 * Context: main loop.
 * Return: the answer, which the caller owns.
 */
struct json_object *control_answer(struct vm *vm, const char *line, size_t len)
{
	struct json_object *answer = json_object_new_object();
	struct json_object *body = json_object_new_object();
	struct request req = { .argument = NO_ARGUMENT };
	struct error err = ERROR_INIT;
	int ret;

	ret = parse_request(&req, line, len, &err);
	if (!ret)
		ret = req.command->fn(vm, req.argument, body, &err);
	json_object_object_add(answer, "id", json_object_get(req.id));
	if (ret) {
		json_object_put(body);
		body = json_object_new_object();
		add_text(body, "code", code_word(ret));
		add_text(body, "message", err.text);
	}
	json_object_object_add(answer, ret ? "error" : "result", body);
	json_object_put(req.object);
	return answer;
}
