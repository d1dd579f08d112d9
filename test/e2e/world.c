/* SPDX-License-Identifier: Apache-2.0
 *
 * Preloaded into a program, it gives the program a clock that is wrong and a disk
 * that is full. The file that WORLD names says how, at any moment: two integers of
 * 64 bits, the microseconds that the clock is ahead, and whether the disk is full.
 * On a full disk what is there can be overwritten and nothing grows.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct world {
    int64_t ahead_us;
    int64_t full;
};

static const struct world ordinary;
static const volatile struct world *world = &ordinary;

__attribute__((constructor)) static void world_enter(void) {
    const char *path = getenv("WORLD");
    int file = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (file >= 0) {
        void *map = mmap(NULL, sizeof(struct world), PROT_READ, MAP_SHARED, file, 0);
        world = map == MAP_FAILED ? &ordinary : map;
        close(file);
    }
}

/* The next definition of the function that this one stands before. */
#define NEXT(name) ((__typeof__(&name))next_of(#name))

static void *next_of(const char *name) {
    void *next = dlsym(RTLD_NEXT, name);
    if (next == NULL) {
        abort();
    }
    return next;
}

/* ---- The clock ---- */

int clock_gettime(clockid_t clock, struct timespec *out) {
    static __typeof__(&clock_gettime) next;
    next = next != NULL ? next : NEXT(clock_gettime);
    int result = next(clock, out);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        int64_t us = (int64_t)out->tv_sec * 1000000 + out->tv_nsec / 1000 + world->ahead_us;
        out->tv_sec = us / 1000000;
        out->tv_nsec = us % 1000000 * 1000 + out->tv_nsec % 1000;
    }
    return result;
}

time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out != NULL) {
        *out = now.tv_sec;
    }
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    *out = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return 0;
}

/* ---- The disk ---- */

/* Whether there is no room for the file to reach `end`. What a program says on
 * standard error goes to another disk. */
static int no_room(int file, off_t end) {
    struct stat is;
    if (world->full == 0 || file <= STDERR_FILENO || fstat(file, &is) != 0 ||
        !S_ISREG(is.st_mode) || end <= is.st_size) {
        return 0;
    }
    errno = ENOSPC;
    return 1;
}

/* Where write() writes. */
static off_t place_of(int file) {
    struct stat is;
    if (world->full == 0) {
        return 0;
    }
    int flags = fcntl(file, F_GETFL);
    return flags >= 0 && (flags & O_APPEND) != 0 && fstat(file, &is) == 0
               ? is.st_size
               : lseek(file, 0, SEEK_CUR);
}

static off_t length_of(const struct iovec *parts, int count) {
    off_t length = 0;
    for (int i = 0; i < count; i++) {
        length += (off_t)parts[i].iov_len;
    }
    return length;
}

ssize_t write(int file, const void *data, size_t len) {
    static __typeof__(&write) next;
    next = next != NULL ? next : NEXT(write);
    return no_room(file, place_of(file) + (off_t)len) ? -1 : next(file, data, len);
}

ssize_t writev(int file, const struct iovec *parts, int count) {
    static __typeof__(&writev) next;
    next = next != NULL ? next : NEXT(writev);
    return no_room(file, place_of(file) + length_of(parts, count)) ? -1 : next(file, parts, count);
}

/* pwrite() and ftruncate() have a second name each, for offsets of 64 bits: the
 * two are one here. */
_Static_assert(sizeof(off_t) == 8, "files may be long");

ssize_t pwrite(int file, const void *data, size_t len, off_t at) {
    static __typeof__(&pwrite) next;
    next = next != NULL ? next : NEXT(pwrite);
    return no_room(file, at + (off_t)len) ? -1 : next(file, data, len, at);
}

ssize_t pwrite64(int file, const void *data, size_t len, off_t at) {
    return pwrite(file, data, len, at);
}

ssize_t pwritev(int file, const struct iovec *parts, int count, off_t at) {
    static __typeof__(&pwritev) next;
    next = next != NULL ? next : NEXT(pwritev);
    return no_room(file, at + length_of(parts, count)) ? -1 : next(file, parts, count, at);
}

int ftruncate(int file, off_t length) {
    static __typeof__(&ftruncate) next;
    next = next != NULL ? next : NEXT(ftruncate);
    return no_room(file, length) ? -1 : next(file, length);
}

int ftruncate64(int file, off_t length) { return ftruncate(file, length); }

int posix_fallocate(int file, off_t at, off_t len) {
    static __typeof__(&posix_fallocate) next;
    next = next != NULL ? next : NEXT(posix_fallocate);
    return no_room(file, at + len) ? ENOSPC : next(file, at, len);
}
