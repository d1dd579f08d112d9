/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/resource.h>

#include "aggregator/keyring.h"
#include "base/log.h"
#include "dap/messages.h"
#include "hpke/provider/default.h"
#include "server.h"

enum { SMALL_BATCH = 100 };

/* Connections take a descriptor each, and secrets must not reach a core file. */
void startup_raise_limits(void) {
    struct rlimit files;
    const struct rlimit no_core = {0, 0};
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &files) != 0) {
            log_event(LOG_WARN, "could not raise the limit of open files");
        }
    }
    if (setrlimit(RLIMIT_CORE, &no_core) != 0) {
        log_event(LOG_WARN, "could not switch core files off");
    }
}

/* ---- The first HPKE key ---- */

struct key_count {
    struct arena arena;
    size_t advertised;
};

static struct status count_keys(struct store_tx *tx, void *argument) {
    struct key_count *count = argument;
    struct store_hpke_key *keys;
    size_t total;
    TRY(store_hpke_key_list(tx, &count->arena, &keys, &total));
    count->advertised = 0;
    for (size_t i = 0; i < total; i++) {
        count->advertised += keys[i].state == STORE_KEY_ADVERTISED;
    }
    return OK;
}

bool startup_make_key(struct moietyd *d) {
    struct key_count count = {.arena = ARENA_INIT};
    uint8_t id;
    struct status status = store_run(d->store, STORE_READ, count_keys, &count);
    arena_release(&count.arena);
    if (status_ok(status) && count.advertised == 0) {
        status = keyring_add(d->store, hpke_provider_default(), moietyd_suite(d->config),
                             clock_now_us(&clock_system), &id);
        if (status_ok(status)) {
            log_event(LOG_INFO, "made the first HPKE key", LOG_INT("id", id));
        }
    }
    if (!status_ok(status)) {
        log_event(LOG_ERROR, "no HPKE key", LOG_STRING("reason", status_text(status.code)));
    }
    return status_ok(status);
}

/* ---- Tasks whose batches may be small ---- */

struct task_review {
    struct arena arena;
    struct store_task *tasks;
    size_t count;
};

static struct status list_tasks(struct store_tx *tx, void *argument) {
    struct task_review *review = argument;
    return store_task_list(tx, &review->arena, &review->tasks, &review->count);
}

static void review_task(const struct store_task *task, struct arena *arena) {
    struct task_configuration config;
    struct span id = span_of(task->id, sizeof(task->id));
    if (!status_ok(task_configuration_decode(task->config, arena, &config))) {
        log_event(LOG_ERROR, "a stored task can't be read", LOG_BYTES("task", id));
    } else if (config.min_batch_size < SMALL_BATCH) {
        log_event(LOG_WARN, "small batches tell about people: the minimum is under 100",
                  LOG_BYTES("task", id), LOG_INT("min_batch_size", config.min_batch_size));
    }
}

bool startup_review_tasks(struct moietyd *d) {
    struct task_review review = {.arena = ARENA_INIT};
    struct status status = store_run(d->store, STORE_READ, list_tasks, &review);
    if (status_ok(status)) {
        for (size_t i = 0; i < review.count; i++) {
            review_task(&review.tasks[i], &review.arena);
        }
        log_event(LOG_INFO, "tasks", LOG_INT("count", review.count));
    } else {
        log_event(LOG_ERROR, "tasks can't be listed",
                  LOG_STRING("reason", status_text(status.code)));
    }
    arena_release(&review.arena);
    return status_ok(status);
}
