/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/client/failure_note.h"

#include <inttypes.h>
#include <stdio.h>

static const char *name_of(const char *pair, struct arena *arena) {
    return arena_printf(arena, "%s.failed", pair);
}

bool failure_note_read(struct vault *vault, const char *pair, struct failure_note *out) {
    struct arena arena = ARENA_INIT;
    struct failure_note note;
    struct span text;
    bool read = false;
    const char *name = name_of(pair, &arena);
    if (name != NULL && status_ok(vault_load(vault, name, &arena, &text))) {
        const char *line = arena_printf(&arena, "%.*s", (int)text.len, (const char *)text.data);
        read = line != NULL && sscanf(line, "%u %" SCNd64 " %" SCNd64, &note.failures, &note.when,
                                      &note.again) == 3;
    }
    arena_release(&arena);
    if (read) {
        *out = note;
    }
    return read;
}

void failure_note_write(struct vault *vault, const char *pair, const struct failure_note *note) {
    struct arena arena = ARENA_INIT;
    const char *name = name_of(pair, &arena);
    const char *text = arena_printf(&arena, "%u %" PRId64 " %" PRId64 "\n", note->failures,
                                    note->when, note->again);
    if (name != NULL && text != NULL) {
        struct status ignored = vault_save(vault, name, span_of_string(text), NULL);
        (void)ignored;
    }
    arena_release(&arena);
}
