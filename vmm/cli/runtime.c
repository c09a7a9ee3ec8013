// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the folder of running machines, and the right to a name
 *
 * Each running machine has two files in the user's runtime folder:
 * NAME.sock, its control socket, and NAME.lock, which it holds locked with
 * flock() as long as it lives; and NAME.vsock, if it has such a device. The
 * folder is $XDG_RUNTIME_DIR/lkvm, else /run/user/UID/lkvm, else /tmp/lkvm-UID;
 * it must belong to the user and be open to nobody else.
 *
 * The lock decides: whoever gets it has the name, so of two starts at once one
 * is refused, and what a killed machine has left behind is found to be stale
 * because its lock can be taken. The lock file is removed only by who holds
 * the lock; a file that was removed while somebody waited for it is noticed by
 * its inode, which then is not the path's any more.
 *
 * Threads: the first one.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/cli/runtime.h"

#define LOCK_TRIES	16
#define PATIENCE	5
#define PATIENCE_US	20000

/**
 * runtime_check_name() - can a machine be called that?
 * @name: the name
 * @err: why not
 *
 * Return: 0 or -EINVAL.
 */
int runtime_check_name(const char *name, struct error *err)
{
	size_t len = strlen(name), i;

	if (!len || len > RUNTIME_NAME_MAX)
		return error_set(err, -EINVAL,
				 "--name: %zu characters, give 1 to %u", len,
				 RUNTIME_NAME_MAX);
	for (i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]) &&
		    (!i || !strchr("._-", name[i])))
			return error_set(err, -EINVAL,
					 "--name: character %zu will not do, give letters, digits and, behind the first, '.', '_', '-'",
					 i + 1);
	return 0;
}

/* The folder that holds ours, and what ours is called in it. */
static int find_base(char *path, size_t len)
{
	const char *xdg = getenv("XDG_RUNTIME_DIR");
	unsigned int uid = geteuid();
	struct stat st;
	char run[64];

	if (xdg && xdg[0] == '/')
		return snprintf(path, len, "%s/lkvm", xdg);
	snprintf(run, sizeof(run), "/run/user/%u", uid);
	if (!lstat(run, &st) && S_ISDIR(st.st_mode) && st.st_uid == uid)
		return snprintf(path, len, "%s/lkvm", run);
	return snprintf(path, len, "/tmp/lkvm-%u", uid);
}

static int check_folder(const struct runtime *rt, struct error *err)
{
	struct stat st;

	if (fstat(rt->fd, &st))
		return error_set(err, -errno, "%s: %m", rt->path);
	if (st.st_uid != geteuid())
		return error_set(err, -EPERM,
				 "%s: belongs to user %u; set XDG_RUNTIME_DIR to a folder of your own",
				 rt->path, st.st_uid);
	if (st.st_mode & 077)
		return error_set(err, -EPERM,
				 "%s: is open to others (mode %04o); 'chmod 700' it",
				 rt->path, st.st_mode & 07777);
	return 0;
}

/**
 * runtime_open() - open the folder of running machines, make it if need be
 * @rt: out, to be closed with runtime_close()
 * @err: set on failure
 *
 * Return: 0 or a negative errno.
 */
int runtime_open(struct runtime *rt, struct error *err)
{
	int len = find_base(rt->path, sizeof(rt->path));
	int ret;

	if (len < 0 || (size_t)len >= sizeof(rt->path))
		return error_set(err, -ENAMETOOLONG,
				 "XDG_RUNTIME_DIR: too long for a socket's path; set it to a folder of at most %zu characters",
				 sizeof(rt->path) - sizeof("/lkvm"));
	if (mkdir(rt->path, 0700) && errno != EEXIST)
		return error_set(err, -errno,
				 "%s: %m; set XDG_RUNTIME_DIR to a folder that you may write",
				 rt->path);
	rt->fd = open(rt->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
		      O_CLOEXEC);
	if (rt->fd < 0)
		return error_set(err, -errno, "%s: %m", rt->path);
	ret = check_folder(rt, err);
	if (ret)
		runtime_close(rt);
	return ret;
}

/**
 * runtime_close() - close the folder
 * @rt: the folder
 */
void runtime_close(struct runtime *rt)
{
	close(rt->fd);
}

/**
 * runtime_socket() - the address of a machine's control socket
 * @rt: the folder
 * @name: a name that runtime_check_name() has passed
 * @addr: out
 */
void runtime_socket(const struct runtime *rt, const char *name,
		    struct sockaddr_un *addr)
{
	memset(addr, 0, sizeof(*addr));
	addr->sun_family = AF_UNIX;
	/* Both lengths are limited so that this fits. */
	snprintf(addr->sun_path, sizeof(addr->sun_path), "%.*s/%.*s.sock",
		 (int)sizeof(rt->path) - 1, rt->path, RUNTIME_NAME_MAX, name);
}

static void file_name(char *buf, size_t len, const char *name,
		      const char *suffix)
{
	snprintf(buf, len, "%.*s.%s", RUNTIME_NAME_MAX, name, suffix);
}

/* -EWOULDBLOCK: somebody has it; @fd is then open for a look at it. */
static int lock_once(struct runtime *rt, const char *file, int flags, int *fd)
{
	struct stat open_st, path_st;

	*fd = openat(rt->fd, file, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags,
		     0600);
	if (*fd < 0)
		return -errno;
	if (flock(*fd, LOCK_EX | LOCK_NB))
		return -errno;
	if (!fstat(*fd, &open_st) &&
	    !fstatat(rt->fd, file, &path_st, AT_SYMLINK_NOFOLLOW) &&
	    open_st.st_ino == path_st.st_ino &&
	    open_st.st_dev == path_st.st_dev)
		return 0;
	/* Its last owner removed it before we got the lock. */
	close(*fd);
	*fd = -1;
	return -EAGAIN;
}

static int lock_file(struct runtime *rt, const char *file, int flags, int *fd)
{
	int tries, ret = -EAGAIN;

	static_assert(EAGAIN == EWOULDBLOCK, "told apart by the descriptor");
	for (tries = 0; tries < LOCK_TRIES; tries++) {
		ret = lock_once(rt, file, flags, fd);
		if (ret != -EAGAIN || *fd >= 0)
			break;
	}
	return ret;
}

static void remove_files(struct runtime *rt, const char *name)
{
	char file[RUNTIME_NAME_MAX + sizeof(".vsock")];

	file_name(file, sizeof(file), name, "sock");
	unlinkat(rt->fd, file, 0);
	file_name(file, sizeof(file), name, "vsock");
	unlinkat(rt->fd, file, 0);
	file_name(file, sizeof(file), name, "lock");
	unlinkat(rt->fd, file, 0);
}

/**
 * runtime_remove_stale() - remove what a machine has left that was killed
 * @rt: the folder
 * @name: the machine
 *
 * Return: true when it was stale, or there was nothing; false when it lives.
 */
bool runtime_remove_stale(struct runtime *rt, const char *name)
{
	char file[RUNTIME_NAME_MAX + sizeof(".lock")];
	int fd = -1, ret;

	file_name(file, sizeof(file), name, "sock");
	/* A lock is made only for a socket that has none: somebody starts. */
	ret = faccessat(rt->fd, file, F_OK, AT_SYMLINK_NOFOLLOW);
	file_name(file, sizeof(file), name, "lock");
	ret = lock_file(rt, file, ret ? 0 : O_CREAT, &fd);
	if (!ret)
		remove_files(rt, name);
	if (fd >= 0)
		close(fd);
	return !ret || ret == -ENOENT;
}

static int keep_name(char ***names, u32 *nr, const char *file, size_t len)
{
	char **more = reallocarray(*names, *nr + 1, sizeof(**names));

	if (!more)
		return -ENOMEM;
	*names = more;
	more[*nr] = strndup(file, len);
	if (!more[*nr])
		return -ENOMEM;
	++*nr;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/**
 * runtime_names() - the names of all machines that have a socket
 * @rt: the folder
 * @names: out: sorted, to be freed with runtime_names_free()
 * @nr: out: how many
 * @err: set on failure
 *
 * Some may be stale.
 *
 * Return: 0 or a negative errno.
 */
int runtime_names(struct runtime *rt, char ***names, u32 *nr,
		  struct error *err)
{
	int fd = dup(rt->fd), ret = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *d;
	size_t len;

	*names = NULL;
	*nr = 0;
	if (!dir) {
		ret = error_set(err, -errno, "%s: %m", rt->path);
		if (fd >= 0)
			close(fd);
		return ret;
	}
	rewinddir(dir);
	while (!ret && (d = readdir(dir))) {
		len = strlen(d->d_name);
		if (len <= 5 || strcmp(d->d_name + len - 5, ".sock"))
			continue;
		d->d_name[len - 5] = 0;
		if (!runtime_check_name(d->d_name, NULL))
			ret = keep_name(names, nr, d->d_name, len - 5);
	}
	closedir(dir);
	if (ret) {
		runtime_names_free(*names, *nr);
		return error_set(err, ret, "no memory");
	}
	if (*nr)
		qsort(*names, *nr, sizeof(**names), by_name);
	return 0;
}

/**
 * runtime_names_free() - free what runtime_names() has given
 * @names: the names
 * @nr: how many
 */
void runtime_names_free(char **names, u32 nr)
{
	while (nr)
		free(names[--nr]);
	free(names);
}

/*
 * Who looks for stale machines holds a lock for a moment: that is not the
 * name's owner.
 */
static int lock_patiently(struct runtime *rt, const char *file, int *fd)
{
	int tries, ret;

	for (tries = 0;; tries++) {
		ret = lock_file(rt, file, O_CREAT, fd);
		if (ret != -EAGAIN || tries == PATIENCE)
			return ret;
		if (*fd >= 0)
			close(*fd);
		usleep(PATIENCE_US);
	}
}

static int busy_name(const char *name, int lock_fd, struct error *err)
{
	char pid[16] = "";
	ssize_t n = pread(lock_fd, pid, sizeof(pid) - 1, 0);

	pid[n > 0 ? strspn(pid, "0123456789") : 0] = 0;
	return error_set(err, -EBUSY,
			 "a machine called %s is running already%s%s; give another --name, or end it with 'lkvm stop -n %s'",
			 name, *pid ? ", PID " : "", pid, name);
}

/**
 * runtime_claim() - take a name
 * @claim: out, to be given back with runtime_release()
 * @name: the name
 * @err: set on failure
 *
 * Return: 0, -EBUSY when a running machine has it, -EINVAL, another negative
 * errno.
 */
int runtime_claim(struct runtime_claim *claim, const char *name,
		  struct error *err)
{
	char file[RUNTIME_NAME_MAX + sizeof(".lock")];
	int fd = -1, ret;

	ret = runtime_check_name(name, err);
	if (!ret)
		ret = runtime_open(&claim->runtime, err);
	if (ret)
		return ret;
	snprintf(claim->name, sizeof(claim->name), "%s", name);
	file_name(file, sizeof(file), name, "lock");
	ret = lock_patiently(&claim->runtime, file, &fd);
	if (ret) {
		ret = fd >= 0 ? busy_name(name, fd, err) :
				error_set(err, ret, "%s/%s: %s",
					  claim->runtime.path, file,
					  strerror(-ret));
		goto close_all;
	}
	/* For the message of who comes later; nothing depends on it. */
	if (ftruncate(fd, 0) || dprintf(fd, "%d\n", getpid()) < 0) {
		ret = error_set(err, -errno, "%s/%s: %m", claim->runtime.path,
				file);
		unlinkat(claim->runtime.fd, file, 0);
		goto close_all;
	}
	claim->lock_fd = fd;
	file_name(file, sizeof(file), name, "sock");
	unlinkat(claim->runtime.fd, file, 0);
	return 0;
close_all:
	if (fd >= 0)
		close(fd);
	runtime_close(&claim->runtime);
	return ret;
}

/**
 * runtime_release() - give a name back and leave nothing behind
 * @claim: the claim
 */
void runtime_release(struct runtime_claim *claim)
{
	remove_files(&claim->runtime, claim->name);
	close(claim->lock_fd);
	runtime_close(&claim->runtime);
}
