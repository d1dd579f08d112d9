/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/gc.h"

#include <malloc.h>

#include "base/log.h"

enum { ROWS_PER_TRANSACTION = 2000 };

struct gc_task {
    const struct served_task *task;
    uint64_t watermark; /* epoch */
    int64_t ended_before;
    size_t deleted;
    struct store_usage usage;
};

static struct status advance_run(struct store_tx *tx, void *argument) {
    const struct gc_task *work = argument;
    return store_watermark_advance(tx, work->task->dap.id.bytes, work->watermark);
}

static struct status expire_run(struct store_tx *tx, void *argument) {
    struct gc_task *work = argument;
    return store_expire(tx, work->task->dap.id.bytes, work->ended_before, ROWS_PER_TRANSACTION,
                        &work->deleted);
}

/* The epoch before which every report is older than `expiry_s`; 0: none is. */
static uint64_t expiry_epoch(uint64_t expiry_s, uint64_t now_s) {
    return expiry_s == 0 || expiry_s >= now_s ? 0 : (now_s - expiry_s) / STORE_EPOCH_SECONDS;
}

static struct status usage_run(struct store_tx *tx, void *argument) {
    struct gc_task *work = argument;
    return store_usage_get(tx, work->task->dap.id.bytes, &work->usage);
}

/* In small transactions, so that uploads get in between. */
static struct status gc_one(struct aggregator *aggregator, const struct served_task *task) {
    struct store *store = aggregator->options.store;
    uint64_t now_s = clock_now_s(aggregator->options.clock);
    struct gc_task work = {
        .task = task,
        .watermark = expiry_epoch(task->settings.report_expiry_s, now_s),
        .ended_before = aggregator_now(aggregator) - (int64_t)GC_RESOURCE_RETAIN_S * 1000000,
    };
    if (work.watermark > 0) {
        TRY(store_run(store, STORE_WRITE, advance_run, &work));
    }
    size_t total = 0;
    do {
        work.deleted = 0;
        TRY(store_run(store, STORE_WRITE, expire_run, &work));
        total += work.deleted;
    } while (work.deleted > 0 && !atomic_load(&aggregator->draining));
    TRY(store_run(store, STORE_READ, usage_run, &work));
    metric_set(metric_series(aggregator->counts.waiting, &task->id_text),
               (int64_t)work.usage.reports);
    if (total > 0) {
        log_event(LOG_INFO, "expired", LOG_STRING("task", task->id_text), LOG_INT("rows", total));
    }
    return OK;
}

struct task_list {
    struct arena arena;
    struct store_task *tasks;
    size_t count;
};

static struct status list_run(struct store_tx *tx, void *argument) {
    struct task_list *list = argument;
    return store_task_list(tx, &list->arena, &list->tasks, &list->count);
}

static struct status gc_tasks(struct aggregator *aggregator) {
    struct task_list list = {.arena = ARENA_INIT};
    struct status status = store_run(aggregator->options.store, STORE_READ, list_run, &list);
    for (size_t i = 0; status_ok(status) && i < list.count; i++) {
        const struct served_task *task;
        if (!status_ok(task_acquire(aggregator, list.tasks[i].id, &task))) {
            continue;
        }
        struct status one = gc_one(aggregator, task);
        if (!status_ok(one) && one.code != STATUS_UNRECOGNIZED_TASK) { /* else just deleted */
            log_event(LOG_WARN, "a task's expired data was not deleted",
                      LOG_STRING("task", task->id_text),
                      LOG_STRING("error", status_text(one.code)));
        }
        task_release(task);
    }
    arena_release(&list.arena);
    return status;
}

static struct status rotate_keys(struct aggregator *aggregator) {
    const struct aggregator_options *options = &aggregator->options;
    struct keyring_policy policy = {
        .lifetime_s = options->hpke_key_lifetime_s,
        .config_max_age_s = options->hpke_config_max_age_s,
        .suite = options->hpke_suite,
    };
    if (policy.suite.kem_id == 0) {
        policy.suite = (struct hpke_suite){MOIETY_KEM_X25519_HKDF_SHA256, MOIETY_KDF_HKDF_SHA256,
                                           MOIETY_AEAD_AES_128_GCM};
    }
    struct keyring_changes changes = {0};
    TRY(keyring_rotate(options->store, options->provider, &policy, aggregator_now(aggregator),
                       &changes));
    if (changes.added + changes.accepted + changes.open_only + changes.deleted > 0) {
        log_event(LOG_INFO, "HPKE keys rotated", LOG_INT("added", changes.added),
                  LOG_INT("accepted", changes.accepted), LOG_INT("open_only", changes.open_only),
                  LOG_INT("deleted", changes.deleted));
    }
    return OK;
}

struct status gc_pass(struct aggregator *aggregator) {
    struct status keys = rotate_keys(aggregator);
    struct status tasks = gc_tasks(aggregator);
    return status_ok(keys) ? tasks : keys;
}

/* Requests and jobs take much for a short time. What stays behind among it keeps
 * the pages, and over months more and more of them. */
static void give_memory_back(void) {
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

static void gc_work(void *argument, bool cancelled) {
    struct aggregator *aggregator = argument;
    if (cancelled || atomic_load(&aggregator->draining)) {
        return;
    }
    struct status status = gc_pass(aggregator);
    if (!status_ok(status)) {
        log_event(LOG_WARN, "garbage collection ended early",
                  LOG_STRING("error", status_text(status.code)));
    }
    give_memory_back();
    status = gc_start(aggregator);
    if (!status_ok(status) && status.code != STATUS_CANCELLED) {
        log_event(LOG_ERROR, "garbage collection stopped",
                  LOG_STRING("error", status_text(status.code)));
    }
}

struct status gc_start(struct aggregator *aggregator) {
    return work_queue_submit_after_ms(aggregator->options.queue,
                                      (int64_t)aggregator->options.gc_interval_s * 1000, gc_work,
                                      aggregator);
}
