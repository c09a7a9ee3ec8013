// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: lkvm receive: a machine from another host
 *
 * Waits for the connections of one migration, builds the machine from the
 * description that comes first, and runs it when the source hands it over.
 *
 * A source may only ask whether its machine could come (check.h). It is told,
 * and the next source may come.
 *
 * With ``-`` the machine comes over standard input, and the answers go to
 * standard output, as behind ssh. Then the process that was started only waits
 * until the machine has been handed over, and ends; the machine goes on in one
 * of its own that holds on to none of its descriptors.
 *
 * Threads: the first one, before any other is there.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "migration/check.h"
#include "migration/receive.h"
#include "vmm/base/log.h"
#include "vmm/cli/address.h"
#include "vmm/cli/cli.h"
#include "vmm/cli/detach.h"
#include "vmm/cli/output.h"
#include "vmm/cli/replace.h"
#include "vmm/cli/run.h"
#include "vmm/cli/runtime.h"
#include "vmm/description.h"
#include "vmm/vm.h"

#define HELLO_S		10	/* for a connection to say what it is */

/**
 * struct receive_options - options of `lkvm receive`
 * @replace: what of the host the machine gets
 * @listen: where to listen, or "-"
 * @timeout: seconds that the source may be silent
 * @loglevel: an enum log_level
 * @json: events as JSON on standard error
 */
struct receive_options {
	struct replace_options replace;
	char *listen;
	u32 timeout;
	u32 loglevel;
	bool json;
};

static const char *const loglevel_words[] = {
	"error", "warning", "info", "debug", NULL,
};

#define FIELD(_field)	.offset = offsetof(struct receive_options, _field)

static const struct option_desc receive_opts[] = {
	REPLACE_NAME(struct receive_options),
	REPLACE_TTY(struct receive_options),
	REPLACE_HUGETLBFS(struct receive_options),
	REPLACE_DEV(struct receive_options),
	{
		.name = "listen", .arg = "ADDRESS", .type = OPTION_STRING,
		.scope = OPTION_HOST, FIELD(listen), .min = 1,
		.help = "[HOST]:PORT, unix:PATH, or - for standard input and output",
	}, {
		.name = "timeout", .arg = "S", .type = OPTION_U32,
		.scope = OPTION_HOST, FIELD(timeout), .min = 1,
		.max = 1000000, .def = 120,
		.help = "give up when the source is silent for so many seconds (120)",
	}, {
		.name = "loglevel", FIELD(loglevel),
		.help = "how much lkvm says about itself (info)",
		.type = OPTION_ENUM, .scope = OPTION_HOST,
		.words = loglevel_words, .def = LOG_INFO,
	}, {
		.name = "json", .type = OPTION_BOOL, .scope = OPTION_HOST,
		FIELD(json),
		.help = "events and messages as JSON objects on standard error",
	},
};

static const struct option_table receive_table = {
	.name = "receive", .config_size = sizeof(struct receive_options),
	.dashes = true, .opts = receive_opts, .nr = ARRAY_SIZE(receive_opts),
};

static time_t now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

/* ---- connections -------------------------------------------------------- */

static int accept_one(int listener, struct channel **ch, struct error *err)
{
	int fd, ret;

	do {
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	} while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
	if (fd < 0)
		return error_set(err, -errno, "accept: %m");
	ret = channel_stream_open(fd, fd, "the source", ch, err);
	if (ret)
		close(fd);
	return ret;
}

/* Who says nothing, or something else, is sent away; the next one may do. */
static int accept_first(int listener, struct receive **r, struct error *err)
{
	struct channel *ch;
	int ret;

	for (;;) {
		ret = accept_one(listener, &ch, err);
		if (ret)
			return ret;
		ret = receive_create(ch, HELLO_LINKS_MAX, HELLO_S * 1000, r,
				     err);
		if (!ret)
			return 0;
		log_warning("%s", err->text);
	}
}

/*
 * Before all connections are there, nothing more comes over the first one but
 * its end.
 */
static int await_other(int listener, const struct receive *r, time_t until,
		       struct error *err)
{
	struct pollfd fds[2] = {
		{ .fd = listener, .events = POLLIN },
		{ .fd = channel_stream_fd(r->links[0].link.ch),
		  .events = POLLIN },
	};
	time_t left = until - now_s();
	int ret = left > 0 ? poll(fds, 2, (int)left * 1000) : 0;

	if (ret > 0 && fds[0].revents)
		return 0;
	if (ret > 0)
		return error_set(err, -ENOTCONN,
				 "the source: has closed the connection");
	return error_set(err, -ETIMEDOUT,
			 "the source: %u of %u connections came within %u s",
			 r->links_nr, r->links_wanted, HELLO_S);
}

static int accept_others(int listener, struct receive *r, struct error *err)
{
	time_t until = now_s() + HELLO_S;
	struct channel *ch;
	int ret;

	while (r->links_nr < r->links_wanted) {
		ret = await_other(listener, r, until, err);
		if (!ret)
			ret = accept_one(listener, &ch, err);
		if (ret)
			return ret;
		if (receive_add(r, ch, err))
			log_warning("%s", err->text);
	}
	return 0;
}

static int listen_at(const struct address *a, int *listener, struct error *err)
{
	int ret;

	ret = address_listen(a, listener, err);
	if (ret)
		return ret;
	if (!address_is_local(*listener))
		log_warning("%s: the connection is neither encrypted nor authenticated: whoever reaches it can read and replace the machine",
			    a->text);
	log_info("waiting for a machine at %s", a->text);
	return 0;
}

static void stop_listening(const struct address *a, int listener)
{
	if (listener < 0)
		return;
	close(listener);
	if (a->kind == ADDRESS_UNIX)
		unlink(a->rest);
}

/* Standard input and output are the protocol's; the console gets nothing. */
static int from_stdio(struct receive **r, struct error *err)
{
	int in = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	int out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct channel *ch;
	int ret;

	if (in < 0 || out < 0 || null < 0)
		return error_set(err, -errno, "standard input and output: %m");
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	close(null);
	ret = channel_stream_open(in, out, "the source", &ch, err);
	return ret ? ret : receive_create(ch, 1, 0, r, err);
}

/* The machine is ours: whoever waits for us to let go may go on. */
static void arrived(void *arg)
{
	detach_end(arg);
}

/* ---- a source that only asks ------------------------------------------- */

/* The name is ours for a moment: nobody else has it. */
static void check_name(const struct machine_config *m, struct findings *f)
{
	struct runtime_claim claim;
	struct error err = ERROR_INIT;

	if (runtime_claim(&claim, m->name, &err))
		findings_add(f, true, "name", err.text);
	else
		runtime_release(&claim);
}

static void tell_findings(const struct receive *r, const struct findings *f)
{
	const char *name = r->description->machine->name;
	u32 i;

	for (i = 0; i < f->nr; i++)
		log_info("%s: %s: %s", name ? name : "?", f->v[i].what,
			 f->v[i].text);
	log_info("a source has asked whether %s could come here; reasons against it: %u",
		 name ? name : "a machine", f->stops);
}

static int answer_check(struct receive *r, const struct receive_options *opts,
			const struct cli_args *args, struct error *err)
{
	struct error why = ERROR_INIT;
	struct vm_config config;
	struct findings f;

	findings_init(&f);
	if (replace_description(r->description, &opts->replace, args, &why))
		findings_add(&f, true, "option", why.text);
	if (r->description->machine->name)
		check_name(r->description->machine, &f);
	description_vm_config(r->description, &config);
	config.disks_elsewhere = true;
	check_host(r, &config, &f);
	check_machine(r, &config, &f);
	tell_findings(r, &f);
	return receive_answer(r, &f, err);
}

/* ---- the command -------------------------------------------------------- */

/* All connections of a source. */
static int from_source(const struct address *a, int listener,
		       struct receive **r, struct error *err)
{
	int ret;

	if (a->kind == ADDRESS_STDIO)
		ret = from_stdio(r, err);
	else
		ret = accept_first(listener, r, err);
	if (!ret && listener >= 0)
		ret = accept_others(listener, *r, err);
	return ret;
}

/* What the machine gets of this host, and whether it has that. */
static int settle(struct receive *r, const struct receive_options *opts,
		  const struct cli_args *args, struct error *err)
{
	struct vm_config config;
	struct findings f;
	int ret;

	ret = replace_description(r->description, &opts->replace, args, err);
	if (!ret) {
		findings_init(&f);
		description_vm_config(r->description, &config);
		check_host(r, &config, &f);
		ret = findings_error(&f, err);
	}
	if (ret)
		receive_refuse(r, err);
	return ret;
}

/*
 * Who only asks gets an answer. After it, or when one is gone before there was
 * a machine, the next one may come; on standard input there is no next one.
 * Return: 1 when a machine comes, 0 when none does, or a negative errno.
 */
static int wait_for_machine(const struct receive_options *opts,
			    const struct cli_args *args,
			    const struct address *a, struct receive **r,
			    struct error *err)
{
	int listener = -1, ret = 0;

	if (a->kind != ADDRESS_STDIO)
		ret = listen_at(a, &listener, err);
	while (!ret) {
		ret = from_source(a, listener, r, err);
		if (!*r)
			break;
		receive_patience(*r, opts->timeout * 1000ULL);
		if (ret)
			receive_refuse(*r, err);
		else
			ret = receive_machine(*r, err);
		if (ret ? listener < 0 : !(*r)->check)
			break;
		if (!ret)
			ret = answer_check(*r, opts, args, err);
		if (ret)
			log_warning("%s", err->text);
		ret = 0;
		receive_destroy(*r);
		*r = NULL;
		if (listener < 0)
			return 0;
	}
	stop_listening(a, listener);
	if (!ret)
		ret = settle(*r, opts, args, err);
	return ret ? ret : 1;
}

static int receive_and_run(const struct receive_options *opts,
			   const struct cli_args *args,
			   const struct address *from, struct detached *d)
{
	struct machine_job job = {
		.tty = opts->replace.tty, .arrived = arrived, .arrived_arg = d,
	};
	struct receive *r = NULL;
	struct error err = ERROR_INIT;
	int ret, code;

	ret = wait_for_machine(opts, args, from, &r, &err);
	if (!ret) {
		detach_end(d);
		return EXIT_OK;
	}
	job.receive = r;
	if (ret > 0)
		job.d = r->description;
	code = ret < 0 ? cli_fail(EXIT_ERROR, &err) : run_machine(&job);
	receive_destroy(r);
	return code;
}

static int receive(const struct cli *cli, const struct cli_args *args)
{
	const struct receive_options *opts = args->config;
	struct detached d = DETACHED_NOT;
	struct error err = ERROR_INIT;
	struct address from;
	int code = -1;

	output_init((enum log_level)opts->loglevel, opts->json);
	if (!opts->listen) {
		error_set(&err, -EINVAL,
			  "where from? give --listen [HOST]:PORT, --listen unix:PATH or --listen -");
		return cli_fail(EXIT_USAGE, &err);
	}
	if (address_parse(opts->listen, &from, &err))
		return cli_fail(EXIT_USAGE, &err);
	if (from.kind == ADDRESS_EXEC || from.kind == ADDRESS_FILE) {
		error_set(&err, -EINVAL, "--listen %s: %s", opts->listen,
			  from.kind == ADDRESS_FILE ?
			  "'lkvm restore' makes a machine from a file" :
			  "'lkvm migrate' runs commands");
		address_free(&from);
		return cli_fail(EXIT_USAGE, &err);
	}
	signal(SIGPIPE, SIG_IGN);
	if (from.kind == ADDRESS_STDIO)
		code = detach_begin(&d);
	if (code < 0)
		code = receive_and_run(opts, args, &from, &d);
	address_free(&from);
	return code;
}

const struct cli_command cli_receive = {
	.name = "receive",
	.summary = "take over a machine from another host",
	.options = &receive_table,
	.absent = replace_absent,
	.replaces_devices = true,
	.fn = receive,
};
