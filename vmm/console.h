/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_CONSOLE_H
#define LKVM_CONSOLE_H

#include "vmm/base/error.h"
#include "vmm/base/mutex.h"
#include "vmm/base/types.h"
#include "vmm/iothread.h"

#define CONSOLE_BUFFER	65536

/**
 * struct console_client - the device at the guest's end
 * @input_ready: there is input to console_read()
 * @output_ready: after a console_write() that took less than all: go on
 * @resized: console_size() is another one; NULL: it does not matter
 *
 * All are called on the main loop's thread without any lock held.
 */
struct console_client {
	void (*input_ready)(struct console_client *client);
	void (*output_ready)(struct console_client *client);
	void (*resized)(struct console_client *client);
};

/**
 * struct console - the user's end: a terminal, a pipe, a pty
 * @lock: protects the two buffers (LOCK_LEAF)
 * @loop: the main loop, which does the I/O
 * @client: the device, NULL for none
 * @in_fd: where input comes from, -1 for none
 * @out_fd: where output goes, -1 for none (output is then dropped)
 * @in: ring of input that the device has not taken yet. A full ring stops
 *      reading from @in_fd, so that a paste waits in the terminal and nothing
 *      is lost.
 * @in_head: where the device takes
 * @in_tail: where input is put
 * @out: ring of output not written yet
 * @out_head: where output is taken to be written
 * @out_tail: where the device puts
 * @out_wanted: the device waits for room in @out
 * @cols: width in characters, 0 when it is no terminal; the main loop's
 * @rows: height; the main loop's
 * @escape: filter over the input ("Ctrl-a x"), or NULL: returns how many
 *          bytes of @buf remain for the guest. On the main loop's thread.
 * @escape_arg: for @escape
 * @priv: what console.c needs besides
 */
struct console {
	struct mutex lock;
	struct iothread *loop;
	struct console_client *client;
	int in_fd;
	int out_fd;
	u8 in[CONSOLE_BUFFER];
	u32 in_head;
	u32 in_tail;
	u8 out[CONSOLE_BUFFER];
	u32 out_head;
	u32 out_tail;
	bool out_wanted;
	u16 cols;
	u16 rows;
	size_t (*escape)(void *arg, u8 *buf, size_t len);
	void *escape_arg;
	void *priv;
};

int console_create(struct iothread *loop, int in_fd, int out_fd,
		   struct console **out, struct error *err) __must_check;
void console_destroy(struct console *console);
void console_attach(struct console *console, struct console_client *client);
void console_detach(struct console *console);
size_t console_read(struct console *console, u8 *buf, size_t max);
size_t console_write(struct console *console, const u8 *buf, size_t len);
void console_resize(struct console *console, u16 cols, u16 rows);
void console_size(const struct console *console, u16 *cols, u16 *rows);
int console_flush(struct console *console, u32 timeout_ms);

#endif /* LKVM_CONSOLE_H */
