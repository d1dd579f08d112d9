/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct status failed(int error) {
    return error == EEXIST                    ? FAIL(CONFLICT)
           : error == ENOENT                  ? FAIL(NOT_FOUND)
           : error == EACCES || error == EPERM ? FAIL(PERMISSION_DENIED)
                                              : FAIL(IO);
}

static bool write_all(int fd, struct span content) {
    for (size_t at = 0; at < content.len;) {
        const ssize_t written = write(fd, content.data + at, content.len - at);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        at += written > 0 ? (size_t)written : 0;
    }
    return fsync(fd) == 0;
}

/* Makes a name that was added or changed last through a crash. */
static struct status sync_folder(const char *path) {
    const char *slash = strrchr(path, '/');
    char *folder = slash == NULL   ? strdup(".")
                   : slash == path ? strdup("/")
                                   : strndup(path, (size_t)(slash - path));
    if (folder == NULL) {
        return FAIL(NO_MEMORY);
    }
    const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(folder);
    if (fd < 0) {
        return failed(errno);
    }
    const bool good = fsync(fd) == 0;
    close(fd);
    return good ? OK : FAIL(IO);
}

/* The bytes are durable, the name not yet. */
static struct status create(const char *path, struct span content, unsigned mode) {
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0) {
        return failed(errno);
    }
    const bool good = write_all(fd, content);
    if (close(fd) != 0 || !good) {
        unlink(path);
        return FAIL(IO);
    }
    return OK;
}

struct status file_create(const char *path, struct span content, unsigned mode) {
    TRY(create(path, content, mode));
    return sync_folder(path);
}

struct status file_replace(const char *path, struct span content, unsigned mode) {
    char *staged = NULL;
    if (asprintf(&staged, "%s.new", path) < 0) {
        return FAIL(NO_MEMORY);
    }
    unlink(staged); /* what a crash left behind */
    struct status status = create(staged, content, mode);
    if (status_ok(status) && rename(staged, path) != 0) {
        unlink(staged);
        status = FAIL(IO);
    }
    free(staged);
    TRY(status);
    return sync_folder(path);
}

static struct status read_all(int fd, size_t max, struct arena *arena, struct span *out) {
    struct stat about;
    if (fstat(fd, &about) != 0 || S_ISDIR(about.st_mode)) {
        return FAIL(IO);
    }
    if (about.st_size < 0 || (uint64_t)about.st_size > max) {
        return FAIL(TOO_LARGE);
    }
    size_t size = (size_t)about.st_size;
    uint8_t *data = arena_alloc(arena, size + 1, 1);
    if (data == NULL) {
        return FAIL(NO_MEMORY);
    }
    size_t len = 0;
    while (len < size) {
        ssize_t got = read(fd, data + len, size - len);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return FAIL(IO);
        }
        if (got == 0) {
            break;
        }
        len += (size_t)got;
    }
    *out = span_of(data, len);
    return OK;
}

struct status file_read(const char *path, size_t max, struct arena *arena, struct span *out) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return failed(errno);
    }
    struct status status = read_all(fd, max, arena, out);
    close(fd);
    return status;
}
