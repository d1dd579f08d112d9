/* SPDX-License-Identifier: Apache-2.0 */
#include "reports.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dap/messages.h"

static struct status map(const char *path, struct report_file *out) {
    struct stat about;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return FAIL(IO);
    }
    void *bytes = MAP_FAILED;
    if (fstat(fd, &about) == 0 && about.st_size > 0) {
        bytes = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    }
    close(fd);
    if (bytes == MAP_FAILED) {
        return FAIL(IO);
    }
    *out = (struct report_file){.bytes = bytes, .len = (size_t)about.st_size};
    return OK;
}

static struct status append_start(struct report_file *file, size_t start, size_t *room) {
    if (file->count == *room) {
        *room = *room == 0 ? 1024 : 2 * *room;
        size_t *grown = realloc(file->starts, *room * sizeof(*grown));
        if (grown == NULL) {
            return FAIL(NO_MEMORY);
        }
        file->starts = grown;
    }
    file->starts[file->count++] = start;
    return OK;
}

static struct status find_starts(struct report_file *file) {
    struct reader reader = reader_of(span_of(file->bytes, file->len));
    struct upload_request request;
    struct report report;
    bool found = true;
    size_t room = 0;
    TRY(upload_request_begin(&reader, NULL, &request));
    while (found) {
        TRY(append_start(file, (size_t)(reader.at - file->bytes), &room));
        TRY(upload_request_next(&reader, NULL, &report, &found));
    }
    file->count--; /* the last start is the end */
    return OK;
}

struct status report_file_open(const char *path, struct report_file *out) {
    struct report_file file;
    TRY(map(path, &file));
    struct status status = find_starts(&file);
    if (!status_ok(status)) {
        report_file_release(&file);
        return status;
    }
    *out = file;
    return OK;
}

void report_file_release(struct report_file *file) {
    munmap((void *)(uintptr_t)file->bytes, file->len);
    free(file->starts);
}
