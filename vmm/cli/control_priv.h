/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: what connections, requests and commands of the control socket share
 */
#ifndef LKVM_CONTROL_PRIV_H
#define LKVM_CONTROL_PRIV_H

#include "vmm/cli/control.h"
#include "vmm/option.h"

struct control_client;
struct control_job;

/**
 * struct control_fds - descriptors that came with a request
 * @fd: the descriptors; who takes them sets @nr to 0, all others are closed
 * @nr: how many
 */
struct control_fds {
	int fd[CONTROL_FDS_MAX];
	u32 nr;
};

/**
 * struct control_call - a request on its way through a command
 * @control: the socket that it came from
 * @vm: the machine
 * @arguments: a struct of the command's table, NULL when it takes none
 * @fds: descriptors that came with it
 * @result: to be filled by a command that is done when it returns
 * @job: set by a command that goes on after it has returned
 */
struct control_call {
	struct control *control;
	struct vm *vm;
	const void *arguments;
	struct control_fds *fds;
	struct json_object *result;
	struct control_job *job;
};

/**
 * struct control_command - something that can be asked for
 * @name: "status"
 * @arguments: what it takes, NULL for nothing; its name is the command's
 * @fn: does it and fills the result, or starts a job; on failure says why
 */
struct control_command {
	const char *name;
	const struct option_table *arguments;
	int (*fn)(struct control_call *call, struct error *err);
};

/**
 * struct control_job - a command that takes its time
 * @link: in &control.jobs
 * @control: where it was asked for
 * @client: who waits for its answer; NULL when nobody does any more
 * @id: of the request
 * @what: for messages: "a snapshot to /a/file"; the command's
 * @cancel: asks the job to give up; it must still end, later, by
 *          control_job_end()
 * @cancelled: why it was asked to, NULL when it was not
 *
 * The job is embedded in what the command keeps. It belongs to the client that
 * has asked for it: when that one hangs up the job is cancelled, and so it is
 * when the machine ends.
 */
struct control_job {
	struct list link;
	struct control *control;
	struct control_client *client;
	struct json_object *id;
	const char *what;
	void (*cancel)(struct control_job *job);
	const char *cancelled;
};

/* control.c */
int control_job_check(const struct control_call *call, struct error *err)
	__must_check;
void control_job_begin(struct control_call *call, struct control_job *job,
		       const char *what,
		       void (*cancel)(struct control_job *job));
void control_job_event(struct control_job *job, struct json_object *body);
void control_job_cancel(struct control_job *job, const char *why);
void control_job_end(struct control_job *job, struct json_object *result,
		     const struct error *err);

/* control_request.c */
struct json_object *control_answer(struct control *control, const char *line,
				   size_t len, struct control_fds *fds,
				   struct control_job **job);
struct json_object *control_reply(struct json_object *id,
				  struct json_object *result,
				  const struct error *err);
void control_add_int(struct json_object *obj, const char *key, u64 v);
void control_add_text(struct json_object *obj, const char *key, const char *v);

/* control_commands.c */
const struct control_command *control_command_find(const char *name);

/* control_snapshot.c */
extern const struct control_command control_snapshot;
extern const struct control_command control_snapshot_cancel;

/* control_migrate.c */
extern const struct control_command control_migrate;
extern const struct control_command control_migrate_cancel;

/* control_balloon.c */
extern const struct control_command control_balloon;
extern const struct control_command control_memory_stat;

#endif /* LKVM_CONTROL_PRIV_H */
