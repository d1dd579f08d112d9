/* SPDX-License-Identifier: Apache-2.0 */
#include "collect_state.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "cli.h"
#include "config/schema.h"
#include "wire/base64url.h"

enum { STATE_MAX = 1 << 20, JOURNAL_MAX = 256 << 20 };

static struct status read_members(const json_t *root, const uint8_t task_id[32],
                                  struct arena *arena, struct collect_state *out) {
    uint8_t id[32];
    const char *task = json_string_value(json_object_get(root, "task_id"));
    const char *request = json_string_value(json_object_get(root, "request"));
    const char *url = json_string_value(json_object_get(root, "job_url"));
    struct collect_state state = {.stored = json_is_true(json_object_get(root, "stored"))};
    if (task == NULL || request == NULL ||
        !status_ok(base64url_decode(id, sizeof(id), span_of_string(task))) ||
        memcmp(id, task_id, sizeof(id)) != 0) {
        return FAIL(INVALID_CONFIG);
    }
    TRY(base64url_decode_any(arena, span_of_string(request), &state.request));
    if (url != NULL) {
        state.job_url = arena_printf(arena, "%s", url);
        if (state.job_url == NULL) {
            return FAIL(NO_MEMORY);
        }
    }
    *out = state;
    return OK;
}

struct status collect_state_read(const char *path, const uint8_t task_id[32], struct arena *arena,
                                 struct collect_state *out) {
    struct span text;
    TRY(file_read(path, STATE_MAX, arena, &text));
    json_t *root = json_loadb((const char *)text.data, text.len, 0, NULL);
    if (root == NULL) {
        return FAIL(INVALID_CONFIG);
    }
    struct status status = read_members(root, task_id, arena, out);
    json_decref(root);
    return status;
}

/* The entry of a file in its folder is durable only when the folder is. */
static struct status sync_folder(const char *path, struct arena *arena) {
    const char *slash = strrchr(path, '/');
    const char *folder = slash == NULL   ? "."
                         : slash == path ? "/"
                                         : arena_printf(arena, "%.*s", (int)(slash - path), path);
    int fd = folder == NULL ? -1 : open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return FAIL(IO);
    }
    bool synced = fsync(fd) == 0;
    close(fd);
    return synced ? OK : FAIL(IO);
}

struct status collect_state_write(const char *path, const uint8_t task_id[32],
                                  const struct collect_state *state) {
    struct arena arena = ARENA_INIT;
    const char *task = base64url_string(&arena, span_of(task_id, 32));
    const char *request = base64url_string(&arena, state->request);
    json_t *root = json_pack("{s:s?, s:s?, s:s?, s:b}", "task_id", task, "request", request,
                             "job_url", state->job_url, "stored", state->stored);
    char *text = root == NULL || task == NULL || request == NULL ? NULL : json_dumps(root, 0);
    struct status status =
        text == NULL ? FAIL(NO_MEMORY) : file_replace(path, span_of_string(text), 0600);
    if (status_ok(status)) {
        status = sync_folder(path, &arena);
    }
    free(text);
    json_decref(root);
    arena_release(&arena);
    return status;
}

struct status collect_state_remove(const char *path) {
    return unlink(path) == 0 || errno == ENOENT ? OK : FAIL(IO);
}

static bool journal_has(struct span journal, const char *job_url) {
    return job_url != NULL && journal.len > 0 &&
           memmem(journal.data, journal.len, job_url, strlen(job_url)) != NULL;
}

static struct status append_durably(const char *path, struct span line) {
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) {
        return FAIL(IO);
    }
    bool written = write(fd, line.data, line.len) == (ssize_t)line.len && fsync(fd) == 0;
    return close(fd) == 0 && written ? OK : FAIL(IO);
}

struct status collect_journal_append(const char *path, const char *job_url, struct span line) {
    struct arena arena = ARENA_INIT;
    struct span journal = SPAN_EMPTY;
    struct status status = file_read(path, JOURNAL_MAX, &arena, &journal);
    if (status.code == STATUS_NOT_FOUND) {
        status = OK;
    }
    if (status_ok(status) && !journal_has(journal, job_url)) {
        status = append_durably(path, line);
    }
    if (status_ok(status)) {
        status = sync_folder(path, &arena);
    }
    arena_release(&arena);
    return status;
}
