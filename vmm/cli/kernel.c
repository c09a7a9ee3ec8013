// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: finding a kernel when the user names none
 *
 * As kvmtool: the kernel tree one stands in, or stands two folders below the
 * top of (tools/kvm), then the kernel that the host runs; and then, which
 * kvmtool does not, the newest of all in /boot.
 *
 * Threads: the first one.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "vmm/arch.h"
#include "vmm/cli/kernel.h"

/**
 * struct tried - the places that had no kernel, for the message
 * @text: separated by commas
 * @len: bytes of it
 */
struct tried {
	char text[400];
	size_t len;
};

static bool is_readable_file(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISREG(st.st_mode) && !access(path, R_OK);
}

/* True when @path is it; it is then kept in @found. */
static bool try_path(struct tried *tried, char *path, char **found)
{
	int n;

	if (is_readable_file(path)) {
		*found = path;
		return true;
	}
	n = snprintf(tried->text + tried->len,
		     sizeof(tried->text) - tried->len, "%s%s",
		     tried->len ? ", " : "", path);
	free(path);
	if (n > 0 && (size_t)n < sizeof(tried->text) - tried->len)
		tried->len += (size_t)n;
	else
		tried->text[tried->len] = 0;
	return false;
}

__printf(3, 4)
static bool try_format(struct tried *tried, char **found, const char *fmt, ...)
{
	va_list ap;
	char *path;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&path, fmt, ap);
	va_end(ap);
	return n >= 0 && try_path(tried, path, found);
}

/* "6.10" is newer than "6.9"; the release behind "vmlinuz-" counts. */
static char *newest_in(const char *folder)
{
	DIR *dir = opendir(folder);
	char *best = NULL, *path;
	struct dirent *d;

	while (dir && (d = readdir(dir))) {
		if (strncmp(d->d_name, "vmlinuz-", 8) ||
		    asprintf(&path, "%s/%s", folder, d->d_name) < 0)
			continue;
		if (is_readable_file(path) &&
		    (!best || strverscmp(path, best) > 0)) {
			free(best);
			best = path;
		} else {
			free(path);
		}
	}
	if (dir)
		closedir(dir);
	return best;
}

/**
 * kernel_find() - find a kernel image
 * @where: where to look
 * @path: out: what was found, to be freed
 * @err: names every place tried
 *
 * Return: 0 or -ENOENT.
 */
int kernel_find(const struct kernel_search *where, char **path,
		struct error *err)
{
	struct tried tried = { .len = 0 };
	char *boot;

	if (try_format(&tried, path, "./%s", arch_kernel_image) ||
	    try_format(&tried, path, "./%s", arch_kernel_in_tree) ||
	    try_format(&tried, path, "../../%s", arch_kernel_in_tree) ||
	    try_format(&tried, path, "%s/boot/vmlinuz-%s", where->root,
		       where->release) ||
	    try_format(&tried, path, "%s/boot/%s-%s", where->root,
		       arch_kernel_image, where->release))
		return 0;
	if (asprintf(&boot, "%s/boot", where->root) < 0)
		return error_set(err, -ENOMEM, "no memory");
	*path = newest_in(boot);
	free(boot);
	if (*path)
		return 0;
	return error_set(err, -ENOENT,
			 "no readable kernel image; tried %s, %s/boot/vmlinuz-*; name one with --kernel",
			 tried.text, where->root);
}

/**
 * kernel_find_default() - find a kernel image on this host
 * @path: out: what was found, to be freed
 * @err: names every place tried
 *
 * Return: 0 or -ENOENT.
 */
int kernel_find_default(char **path, struct error *err)
{
	struct kernel_search where = { .root = "" };
	struct utsname uts;

	uname(&uts);
	where.release = uts.release;
	return kernel_find(&where, path, err);
}
