/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/client/vault.h"

#include <stdlib.h>
#include <string.h>

/*
 * A challenge is a file "challenge-<token>" of four lines: until when it counts, in
 * seconds since 1970; its type; the identifier; the key authorization.
 */
static const char prefix[] = "challenge-";

enum { LIFE_S = 3600 };

static struct status check_token(const char *token) {
    return challenge_token_good(token) ? OK : FAIL(INVALID_ARGUMENT);
}

struct status vault_challenge_put(struct vault *vault, const struct vault_challenge *challenge,
                                  int64_t now_s) {
    struct arena arena = ARENA_INIT;
    TRY(check_token(challenge->token));
    const char *name = arena_printf(&arena, "%s%s", prefix, challenge->token);
    const char *text =
        arena_printf(&arena, "%lld\n%s\n%s\n%s\n", (long long)now_s + LIFE_S,
                     challenge_name(challenge->type), challenge->identifier.value,
                     challenge->authorization);
    struct status status = name == NULL || text == NULL
                               ? FAIL(NO_MEMORY)
                               : vault_save(vault, name, span_of_string(text), NULL);
    arena_release(&arena);
    return status;
}

struct status vault_challenge_drop(struct vault *vault, const char *token) {
    struct arena arena = ARENA_INIT;
    TRY(check_token(token));
    const char *name = arena_printf(&arena, "%s%s", prefix, token);
    struct status status = name == NULL ? FAIL(NO_MEMORY) : vault_drop(vault, name);
    arena_release(&arena);
    return status;
}

/* Ends the first line, and moves behind it; NULL if there is none. */
static const char *line_of(char **text) {
    const char *line = *text;
    char *end = strchr(line, '\n');
    if (end == NULL) {
        return NULL;
    }
    *end = '\0';
    *text = end + 1;
    return line;
}

/* False if it is no such file. */
static bool read(char *text, struct arena *arena, int64_t *until, struct vault_challenge *out) {
    const char *lines[4];
    for (size_t i = 0; i < 4; i++) {
        if ((lines[i] = line_of(&text)) == NULL) {
            return false;
        }
    }
    *until = strtoll(lines[0], NULL, 10);
    out->type = challenge_of_name(lines[1]);
    out->authorization = lines[3];
    return out->type != CHALLENGE_NONE &&
           status_ok(identifier_parse(lines[2], arena, &out->identifier));
}

/* `*there` is false if it went while it was listed, or has had its time. */
static struct status look(struct vault *vault, const char *name, int64_t now_s,
                          struct arena *arena, struct vault_challenge *out, bool *there) {
    struct span content;
    int64_t until = 0;
    struct status status = vault_load(vault, name, arena, &content);
    *there = false;
    if (!status_ok(status)) {
        return status.code == STATUS_NOT_FOUND ? OK : status;
    }
    char *text = arena_printf(arena, "%.*s", (int)content.len, (const char *)content.data);
    if (text == NULL) {
        return FAIL(NO_MEMORY);
    }
    out->token = name + sizeof(prefix) - 1;
    *there = read(text, arena, &until, out) && until > now_s;
    return *there ? OK : vault_drop(vault, name);
}

struct status vault_challenge_list(struct vault *vault, int64_t now_s, struct arena *arena,
                                   struct vault_challenge **out, size_t *count) {
    const char *const *names;
    size_t listed;
    size_t found = 0;
    TRY(vault->driver->list(vault, prefix, arena, &names, &listed));
    struct vault_challenge *challenges = ARENA_ARRAY(arena, struct vault_challenge, listed + 1);
    if (challenges == NULL) {
        return FAIL(NO_MEMORY);
    }
    for (size_t i = 0; i < listed; i++) {
        bool there;
        TRY(look(vault, names[i], now_s, arena, &challenges[found], &there));
        found += there;
    }
    *out = challenges;
    *count = found;
    return OK;
}
