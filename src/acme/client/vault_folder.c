/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "acme/client/vault.h"
#include "base/file.h"

/* A lease is a lock on "<name>.lock", which the system ends with the process; its
 * token is the descriptor, so whoever has one holds it. */

struct folder {
    struct vault vault; /* its place is the folder's path */
    char path[];
};

static const char *path_of(const struct vault *vault, struct arena *arena, const char *name) {
    return arena_printf(arena, "%s/%s", vault->place, name);
}

/* ---- Files ---- */

static struct status folder_load(struct vault *vault, const char *name, struct arena *arena,
                                 struct span *out) {
    const char *path = path_of(vault, arena, name);
    return path == NULL ? FAIL(NO_MEMORY) : file_read(path, VAULT_FILE_MAX, arena, out);
}

static struct status folder_save(struct vault *vault, const char *name, struct span content,
                                 const struct vault_lease *lease) {
    struct arena arena = ARENA_INIT;
    (void)lease; /* whoever has one holds it */
    if (content.len > VAULT_FILE_MAX) {
        return FAIL(TOO_LARGE);
    }
    const char *path = path_of(vault, &arena, name);
    struct status status = path == NULL ? FAIL(NO_MEMORY) : file_replace(path, content, 0600);
    arena_release(&arena);
    return status;
}

static struct status folder_drop(struct vault *vault, const char *name) {
    struct arena arena = ARENA_INIT;
    const char *path = path_of(vault, &arena, name);
    struct status status = path == NULL                                 ? FAIL(NO_MEMORY)
                           : unlink(path) == 0 || errno == ENOENT ? OK
                                                                        : FAIL(IO);
    arena_release(&arena);
    return status;
}

static int by_bytes(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* What file_replace() has under its hands is no file yet. */
static bool is_listed(const char *name, const char *prefix) {
    static const char staged[] = ".new";
    const size_t len = strlen(name);
    return strncmp(name, prefix, strlen(prefix)) == 0 &&
           (len < sizeof(staged) - 1 || strcmp(name + len - (sizeof(staged) - 1), staged) != 0);
}

static struct status read_names(DIR *folder, const char *prefix, struct arena *arena,
                                const char ***names, size_t *count) {
    enum { MORE = 16 };
    const char **list = NULL;
    size_t found = 0;
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (!is_listed(entry->d_name, prefix)) {
            continue;
        }
        if (found % MORE == 0) {
            const char **longer = ARENA_ARRAY(arena, const char *, found + MORE);
            if (longer == NULL) {
                return FAIL(NO_MEMORY);
            }
            if (found > 0) {
                memcpy(longer, list, found * sizeof(list[0]));
            }
            list = longer;
        }
        list[found] = arena_printf(arena, "%s", entry->d_name);
        if (list[found++] == NULL) {
            return FAIL(NO_MEMORY);
        }
    }
    *names = list;
    *count = found;
    return OK;
}

static struct status folder_list(struct vault *vault, const char *prefix, struct arena *arena,
                                 const char *const **names, size_t *count) {
    const char **list;
    DIR *folder = opendir(vault->place);
    if (folder == NULL) {
        return errno == EACCES ? FAIL(PERMISSION_DENIED) : FAIL(IO);
    }
    struct status status = read_names(folder, prefix, arena, &list, count);
    closedir(folder);
    TRY(status);
    if (*count > 0) {
        qsort(list, *count, sizeof(list[0]), by_bytes);
    }
    *names = list;
    return OK;
}

/* ---- Leases ---- */

static struct status lock(const char *path, int64_t *token) {
    const int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) {
        return errno == EACCES ? FAIL(PERMISSION_DENIED) : FAIL(IO);
    }
    if (flock(file, LOCK_EX | LOCK_NB) != 0) {
        struct status status = errno == EWOULDBLOCK ? FAIL(BUSY) : FAIL(IO);
        close(file);
        return status;
    }
    *token = file;
    return OK;
}

static struct status folder_take(struct vault *vault, struct vault_lease *lease) {
    struct arena arena = ARENA_INIT;
    const char *path = arena_printf(&arena, "%s/%s.lock", vault->place, lease->name);
    struct status status = path == NULL ? FAIL(NO_MEMORY) : lock(path, &lease->token);
    arena_release(&arena);
    return status;
}

static struct status folder_keep(struct vault *vault, const struct vault_lease *lease) {
    (void)vault;
    (void)lease;
    return OK;
}

static void folder_give_back(struct vault *vault, const struct vault_lease *lease) {
    (void)vault;
    close((int)lease->token);
}

/* ---- Life ---- */

static void folder_free(struct vault *vault) { free(vault); }

static const struct vault_driver folder_driver = {
    .load = folder_load,
    .save = folder_save,
    .drop = folder_drop,
    .list = folder_list,
    .take = folder_take,
    .keep = folder_keep,
    .give_back = folder_give_back,
    .free = folder_free,
};

struct status vault_folder_new(const char *path, struct vault **out) {
    const size_t size = strlen(path) + 1;
    struct folder *folder = malloc(sizeof(*folder) + size);
    if (folder == NULL) {
        return FAIL(NO_MEMORY);
    }
    memcpy(folder->path, path, size);
    folder->vault = (struct vault){&folder_driver, folder->path};
    *out = &folder->vault;
    return OK;
}
