// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: requests to the control socket: from a line to a command, and back
 *
 * A request is ``{"id": ANY, "command": NAME, "arguments": {...}}``; the
 * answer repeats the id and has either a result or an error, never both::
 *
 *   {"id": 1, "result": {...}}
 *   {"id": 1, "error": {"code": "wrong-state", "message": "..."}}
 *
 * The arguments of a command are an option table (vmm/option.h), so that types
 * and ranges are checked as those of the command line are. Whatever is in a
 * request that the schema does not have is refused, so that a misspelt
 * argument does not go unnoticed. The client is the user, but may be a broken
 * program: depth and length are bounded.
 *
 * Threads: the main loop.
 */
#include <ctype.h>
#include <json-c/json.h>
#include <string.h>

#include "vmm/cli/control_priv.h"

#define REQUEST_DEPTH	8

/**
 * control_add_int() - add a number to an object
 * @obj: the object
 * @key: its name there
 * @v: the number
 */
void control_add_int(struct json_object *obj, const char *key, u64 v)
{
	json_object_object_add(obj, key, json_object_new_uint64(v));
}

/**
 * control_add_text() - add a text to an object
 * @obj: the object
 * @key: its name there
 * @v: the text; copied
 */
void control_add_text(struct json_object *obj, const char *key, const char *v)
{
	json_object_object_add(obj, key, json_object_new_string(v));
}

/**
 * struct request - a request, checked
 * @id: whatever the client gave, NULL for none; owned by @object
 * @command: what is wanted
 * @arguments: a struct of the command's table, NULL when it takes none; owned
 * @object: the whole
 */
struct request {
	struct json_object *id;
	const struct control_command *command;
	void *arguments;
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

/* A NUL within a string does not end it. */
static const char *plain_string(struct json_object *value)
{
	const char *text = json_object_get_string(value);

	return json_object_is_type(value, json_type_string) &&
		(size_t)json_object_get_string_len(value) == strlen(text) ?
		text : NULL;
}

static int parse_command(struct request *req, struct json_object *name,
			 struct error *err)
{
	const char *text = plain_string(name);

	if (!json_object_is_type(name, json_type_string))
		return bad(err, "request: \"command\" is not a string");
	req->command = text ? control_command_find(text) : NULL;
	return req->command ? 0 :
		error_set(err, -ENOSYS, "command \"%.64s\" is unknown",
			  json_object_get_string(name));
}

/* The value as option_set() wants it; NULL when it has the wrong type. */
static const char *argument_text(const struct option_desc *opt,
				 struct json_object *value)
{
	switch (opt->type) {
	case OPTION_BOOL:
		return !json_object_is_type(value, json_type_boolean) ? NULL :
			json_object_get_boolean(value) ? "on" : "off";
	case OPTION_U32:
	case OPTION_SIZE:
		return json_object_is_type(value, json_type_int) ?
			json_object_get_string(value) : NULL;
	default:
		return plain_string(value);
	}
}

static const char *type_name(const struct option_desc *opt)
{
	switch (opt->type) {
	case OPTION_BOOL:
		return "true or false";
	case OPTION_U32:
	case OPTION_SIZE:
		return "a number";
	default:
		return "a string";
	}
}

static int parse_argument(struct request *req, const char *key,
			  struct json_object *value, struct error *err)
{
	const struct option_table *table = req->command->arguments;
	const struct option_desc *opt = table ? option_find(table, key) : NULL;
	const char *text;

	if (!opt)
		return error_set(err, -EINVAL,
				 "argument \"%.64s\": %s has none of that name",
				 key, req->command->name);
	text = argument_text(opt, value);
	if (!text)
		return error_set(err, -EINVAL, "argument \"%s\": not %s",
				 key, type_name(opt));
	return option_set(table, req->arguments, key, text, err);
}

static int parse_arguments(struct request *req, struct json_object *arguments,
			   struct error *err)
{
	int ret;

	if (!json_object_is_type(arguments, json_type_object))
		return bad(err, "request: \"arguments\" is not an object");
	json_object_object_foreach(arguments, key, value) {
		ret = parse_argument(req, key, value, err);
		if (ret)
			return ret;
	}
	return 0;
}

static int take_arguments(struct request *req, struct json_object *arguments,
			  bool given, struct error *err)
{
	const struct option_table *table = req->command->arguments;
	int ret = 0;

	if (table) {
		req->arguments = option_config_new(table);
		if (!req->arguments)
			return error_set(err, -ENOMEM, "no memory");
	}
	if (given)
		ret = parse_arguments(req, arguments, err);
	if (!ret && table)
		ret = option_check(table, req->arguments, err);
	return ret;
}

static int parse_request(struct request *req, const char *line, size_t len,
			 struct error *err)
{
	struct json_object *command = NULL, *arguments = NULL;
	bool given = false;
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
		/* "arguments": null is there, too, and no object. */
		given = given || !strcmp(key, "arguments");
	}
	ret = parse_command(req, command, err);
	return ret ? ret : take_arguments(req, arguments, given, err);
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
	case -ECANCELED:
		return "cancelled";
	default:
		return "failed";
	}
}

/**
 * control_reply() - an answer
 * @id: of the request, NULL for none; stays the caller's
 * @result: what came of it; gets an owner here; NULL when @err tells
 * @err: why it was not done
 *
 * Return: the answer, which the caller owns.
 */
struct json_object *control_reply(struct json_object *id,
				  struct json_object *result,
				  const struct error *err)
{
	struct json_object *answer = json_object_new_object();
	struct json_object *body = result;

	json_object_object_add(answer, "id", json_object_get(id));
	if (!result) {
		body = json_object_new_object();
		control_add_text(body, "code", code_word(err->code));
		control_add_text(body, "message", err->text);
	}
	json_object_object_add(answer, result ? "result" : "error", body);
	return answer;
}

/**
 * control_answer() - do what a request asks for
 * @control: where it came from
 * @line: the request without its newline, not terminated; NULL for one that
 *        was too long
 * @len: bytes of it
 * @fds: descriptors that came with it; the caller closes those that are left
 * @job: out: what has been started, NULL when it is done
 *
 * Context: main loop.
 * Return: the answer, which the caller owns; NULL when @job will answer.
 */
struct json_object *control_answer(struct control *control, const char *line,
				   size_t len, struct control_fds *fds,
				   struct control_job **job)
{
	struct control_call call = {
		.control = control, .vm = control->vm, .fds = fds,
	};
	struct json_object *answer = NULL;
	struct error err = ERROR_INIT;
	struct request req = { 0 };
	int ret;

	call.result = json_object_new_object();
	ret = parse_request(&req, line, len, &err);
	call.arguments = req.arguments;
	if (!ret)
		ret = req.command->fn(&call, &err);
	if (ret || call.job)
		json_object_put(call.result);
	err.code = ret;
	if (call.job)
		call.job->id = json_object_get(req.id);
	else
		answer = control_reply(req.id, ret ? NULL : call.result, &err);
	*job = call.job;
	if (req.arguments)
		option_config_free(req.command->arguments, req.arguments);
	json_object_put(req.object);
	return answer;
}
