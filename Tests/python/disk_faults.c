/* A disk that fails, to be loaded before a program (LD_PRELOAD). Only files whose path contains DISK_FAULT_PATH are concerned.
 *
 *   DISK_FAULT=CALL:NUMBER:WHAT   the CALL (read, write, fsync, rename, open, close) of that number, counted from 1, does WHAT:
 *       a number    fails with that errno
 *       short       reads or writes one byte
 *       interrupted fails with EINTR, and so do the next three
 *       truncate, grow, replace   (read) does so with the file that is read, before it reads
 *       kill        ends the process with SIGKILL
 *   DISK_FAULT_COUNT=PATH         writes there at exit how often each call was made
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum call { READ, WRITE, FSYNC, RENAME, OPEN, CLOSE, CALLS };
static const char *const names[CALLS] = {"read", "write", "fsync", "rename", "open", "close"};
static long counts[CALLS];

static int concerns(const char *path) {
    const char *part = getenv("DISK_FAULT_PATH");
    return part != NULL && path != NULL && strstr(path, part) != NULL;
}

static int concerns_descriptor(int descriptor, char *path, size_t size) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    const ssize_t count = readlink(link, path, size - 1);
    if (count < 0) return 0;
    path[count] = '\0';
    return concerns(path);
}

/* What a call is to do: NULL for its work. */
static const char *fault(enum call call) {
    const long number = ++counts[call];
    const char *wanted = getenv("DISK_FAULT");
    if (wanted == NULL) return NULL;
    const size_t length = strlen(names[call]);
    if (strncmp(wanted, names[call], length) != 0 || wanted[length] != ':') return NULL;
    char *what = NULL;
    const long first = strtol(wanted + length + 1, &what, 10);
    const long last = strcmp(what + 1, "interrupted") == 0 ? first + 3 : first;
    return number >= first && number <= last ? what + 1 : NULL;
}

static void change(const char *path, const char *what) {
    char other[4096];
    const char letters[64] = "other content";
    if (strcmp(what, "truncate") == 0) {
        if (truncate(path, 12) != 0) _exit(99);
        return;
    }
    snprintf(other, sizeof other, "%s.other", path);
    const int is_grown = strcmp(what, "grow") == 0;
    const int file = (int)syscall(SYS_open, is_grown ? path : other, is_grown ? O_WRONLY | O_APPEND : O_WRONLY | O_CREAT, 0644);
    if (file < 0 || syscall(SYS_write, file, letters, sizeof letters) != sizeof letters) _exit(99);
    syscall(SYS_close, file);
    if (!is_grown && syscall(SYS_rename, other, path) != 0) _exit(99);
}

/* -1 with errno if the call fails, else 0, with `count` cut where it is to be short. */
static int apply(const char *what, const char *path, size_t *count) {
    if (what == NULL) return 0;
    if (strcmp(what, "kill") == 0) kill(getpid(), SIGKILL);
    if (strcmp(what, "short") == 0) {
        if (count != NULL && *count > 1) *count = 1;
        return 0;
    }
    if (strcmp(what, "interrupted") == 0) errno = EINTR;
    else if (what[0] >= '0' && what[0] <= '9') errno = atoi(what);
    else {
        change(path, what);
        return 0;
    }
    return -1;
}

ssize_t read(int descriptor, void *buffer, size_t count) {
    char path[4096];
    if (concerns_descriptor(descriptor, path, sizeof path) && apply(fault(READ), path, &count) != 0) return -1;
    return syscall(SYS_read, descriptor, buffer, count);
}

ssize_t pread(int descriptor, void *buffer, size_t count, off_t offset) {
    char path[4096];
    if (concerns_descriptor(descriptor, path, sizeof path) && apply(fault(READ), path, &count) != 0) return -1;
    return syscall(SYS_pread64, descriptor, buffer, count, offset);
}

ssize_t pread64(int descriptor, void *buffer, size_t count, off_t offset) { return pread(descriptor, buffer, count, offset); }

ssize_t write(int descriptor, const void *buffer, size_t count) {
    char path[4096];
    if (concerns_descriptor(descriptor, path, sizeof path) && apply(fault(WRITE), path, &count) != 0) return -1;
    return syscall(SYS_write, descriptor, buffer, count);
}

int fsync(int descriptor) {
    char path[4096];
    if (concerns_descriptor(descriptor, path, sizeof path) && apply(fault(FSYNC), path, NULL) != 0) return -1;
    return (int)syscall(SYS_fsync, descriptor);
}

int close(int descriptor) {
    char path[4096];
    if (concerns_descriptor(descriptor, path, sizeof path) && apply(fault(CLOSE), path, NULL) != 0) {
        const int reason = errno;
        syscall(SYS_close, descriptor); /* as Linux does, whatever it says */
        errno = reason;
        return -1;
    }
    return (int)syscall(SYS_close, descriptor);
}

int rename(const char *from, const char *to) {
    if (concerns(to) && apply(fault(RENAME), to, NULL) != 0) return -1;
    return (int)syscall(SYS_rename, from, to);
}

static int open_file(const char *path, int flags, mode_t mode) {
    if (concerns(path) && apply(fault(OPEN), path, NULL) != 0) return -1;
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    const mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return open_file(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    const mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return open_file(path, flags, mode);
}

__attribute__((destructor)) static void report(void) {
    const char *path = getenv("DISK_FAULT_COUNT");
    FILE *file = path == NULL ? NULL : fopen(path, "w");
    if (file == NULL) return;
    for (int call = 0; call < CALLS; call++) fprintf(file, "%s %ld\n", names[call], counts[call]);
    fclose(file);
}
