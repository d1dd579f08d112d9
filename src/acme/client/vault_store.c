/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "acme/client/vault.h"
#include "store/vault.h"

/* Names in the database begin with what they are of. */
#define NAMESPACE "acme/"

struct database {
    struct vault vault;
    struct store *store;
    const struct clock *clock;
    int64_t lease_us;
};

/* What a transaction takes and gives. */
struct call {
    struct arena names;
    struct arena *arena; /* of what it gives */
    const char *name;
    struct span content;
    const struct store_lease *guard; /* of a save; may be NULL */
    struct store_lease lease;
    int64_t now, until;
    struct store_item *items;
    size_t count;
};

static const char *name_of(struct call *call, const char *name) {
    return arena_printf(&call->names, NAMESPACE "%s", name);
}

/* Runs it, and releases the names. */
static struct status run(struct vault *vault, enum store_mode mode, store_function *function,
                         struct call *call, const char *name) {
    const struct database *database = (const struct database *)vault;
    call->name = name_of(call, name);
    call->lease.name = call->name;
    call->now = clock_now_us(database->clock);
    call->until = call->now + database->lease_us;
    struct status status = call->name == NULL
                               ? FAIL(NO_MEMORY)
                               : store_run(database->store, mode, function, call);
    arena_release(&call->names);
    return status;
}

/* ---- Files ---- */

static struct status load_run(struct store_tx *tx, void *argument) {
    struct call *call = argument;
    return store_item_get(tx, call->arena, call->name, &call->content);
}

static struct status store_load(struct vault *vault, const char *name, struct arena *arena,
                                struct span *out) {
    struct call call = {.names = ARENA_INIT, .arena = arena};
    TRY(run(vault, STORE_READ, load_run, &call, name));
    *out = call.content;
    return OK;
}

static struct status save_run(struct store_tx *tx, void *argument) {
    const struct call *call = argument;
    const struct store_item item = {call->name, call->content};
    return store_item_put(tx, &item, call->guard);
}

static struct status store_save(struct vault *vault, const char *name, struct span content,
                                const struct vault_lease *lease) {
    struct call call = {.names = ARENA_INIT, .content = content};
    struct store_lease guard;
    if (content.len > VAULT_FILE_MAX) {
        return FAIL(TOO_LARGE);
    }
    if (lease != NULL) {
        guard = (struct store_lease){name_of(&call, lease->name), lease->token};
        call.guard = &guard;
        if (guard.name == NULL) {
            return FAIL(NO_MEMORY);
        }
    }
    return run(vault, STORE_WRITE, save_run, &call, name);
}

static struct status drop_run(struct store_tx *tx, void *argument) {
    const struct call *call = argument;
    return store_item_delete(tx, call->name);
}

static struct status store_drop(struct vault *vault, const char *name) {
    struct call call = {.names = ARENA_INIT};
    return run(vault, STORE_WRITE, drop_run, &call, name);
}

static struct status list_run(struct store_tx *tx, void *argument) {
    struct call *call = argument;
    return store_item_list(tx, call->arena, call->name, &call->items, &call->count);
}

static struct status store_list(struct vault *vault, const char *prefix, struct arena *arena,
                                const char *const **names, size_t *count) {
    struct call call = {.names = ARENA_INIT, .arena = arena};
    TRY(run(vault, STORE_READ, list_run, &call, prefix));
    const char **list = ARENA_ARRAY(arena, const char *, call.count + 1);
    if (list == NULL) {
        return FAIL(NO_MEMORY);
    }
    for (size_t i = 0; i < call.count; i++) {
        list[i] = call.items[i].name + sizeof(NAMESPACE) - 1;
    }
    *names = list;
    *count = call.count;
    return OK;
}

/* ---- Leases ---- */

static struct status take_run(struct store_tx *tx, void *argument) {
    struct call *call = argument;
    return store_lease_take(tx, &call->lease, call->now, call->until);
}

static struct status store_take(struct vault *vault, struct vault_lease *lease) {
    struct call call = {.names = ARENA_INIT};
    TRY(run(vault, STORE_WRITE, take_run, &call, lease->name));
    lease->token = call.lease.token;
    return OK;
}

static struct status keep_run(struct store_tx *tx, void *argument) {
    const struct call *call = argument;
    return store_lease_extend(tx, &call->lease, call->until);
}

static struct status store_keep(struct vault *vault, const struct vault_lease *lease) {
    struct call call = {.names = ARENA_INIT, .lease = {.token = lease->token}};
    return run(vault, STORE_WRITE, keep_run, &call, lease->name);
}

static struct status end_run(struct store_tx *tx, void *argument) {
    const struct call *call = argument;
    return store_lease_end(tx, &call->lease);
}

/* If this fails, it ends by itself. */
static void store_give_back(struct vault *vault, const struct vault_lease *lease) {
    struct call call = {.names = ARENA_INIT, .lease = {.token = lease->token}};
    struct status ignored = run(vault, STORE_WRITE, end_run, &call, lease->name);
    (void)ignored;
}

/* ---- Life ---- */

static void store_free(struct vault *vault) { free(vault); }

static const struct vault_driver store_driver = {
    .load = store_load,
    .save = store_save,
    .drop = store_drop,
    .list = store_list,
    .take = store_take,
    .keep = store_keep,
    .give_back = store_give_back,
    .free = store_free,
};

struct status vault_store_new(struct store *store, const struct clock *clock, int64_t lease_us,
                              struct vault **out) {
    struct database *database = malloc(sizeof(*database));
    if (database == NULL) {
        return FAIL(NO_MEMORY);
    }
    *database = (struct database){{&store_driver, "the database"}, store, clock, lease_us};
    *out = &database->vault;
    return OK;
}
