/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/upload_commit.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "aggregator/commit.h"
#include "net/loop.h"
#include "net/work_queue.h"

/* What one commit takes at most, so that no upload waits for a huge one. */
enum { GROUP_REQUESTS_MAX = 512, GROUP_REPORTS_MAX = 50000 };

/* A group waits for as many as there were in the one before, for so much of the time
 * that its commit took, and at most so long. A group that is large anyway doesn't:
 * it is better committed while others are on their way. */
enum { COMPANY_COMMIT_FRACTION = 4, COMPANY_MAX_NS = 1000000, COMPANY_REQUESTS = 64 };

/* Invariant: while `running`, commit_all() is submitted or runs, and will take what
 * is in the list; otherwise the list is empty. */
struct upload_committer {
    struct aggregator *aggregator;
    pthread_mutex_t lock;
    bool running;
    struct pending_upload *first, **last;
    size_t waiting;       /* in the list */
    size_t wanted;        /* how many of them to tell of; 0: none */
    pthread_cond_t company;
    size_t last_requests; /* of the last group.. */
    int64_t last_ns;      /* ..and how long its commit took */
};

struct status upload_committer_new(struct aggregator *aggregator, struct upload_committer **out) {
    struct upload_committer *committer = calloc(1, sizeof(*committer));
    if (committer == NULL) {
        return FAIL(NO_MEMORY);
    }
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&committer->lock, NULL);
    pthread_cond_init(&committer->company, &monotonic);
    pthread_condattr_destroy(&monotonic);
    committer->aggregator = aggregator;
    committer->last = &committer->first;
    *out = committer;
    return OK;
}

void upload_committer_free(struct upload_committer *committer) {
    if (committer != NULL) {
        pthread_cond_destroy(&committer->company);
        pthread_mutex_destroy(&committer->lock);
        free(committer);
    }
}

/* ---- The transaction --------------------------------------------------------- */

struct upload_group {
    struct pending_upload *first;
    struct arena arena; /* of one run of the transaction */
};

/* All uploads of one task in a group, put together. */
struct task_uploads {
    const struct served_task *task;
    struct store_report *reports;
    enum report_error **errors; /* where each report's error goes */
    size_t count;
    struct report_tally tally;
    uint64_t over_quota;
    bool asked;     /* whether reports of this time come too late: */
    uint64_t time;
    bool collected;
};

static bool same_task(const struct pending_upload *a, const struct served_task *task) {
    return memcmp(a->task->dap.id.bytes, task->dap.id.bytes, STORE_TASK_ID_SIZE) == 0;
}

static uint64_t upload_bytes(const struct pending_upload *upload) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < upload->count; i++) {
        bytes += upload->reports[i].body.len;
    }
    return bytes;
}

/* Takes the upload's room out of the quota, if there is enough. */
static bool quota_takes(const struct task_settings *settings, const struct pending_upload *upload,
                        struct store_usage *usage) {
    uint64_t bytes = upload_bytes(upload);
    if (upload->count > 0 &&
        ((settings->max_unaggregated_reports != 0 &&
          usage->reports + upload->count > settings->max_unaggregated_reports) ||
         (settings->max_unaggregated_bytes != 0 &&
          usage->bytes + bytes > settings->max_unaggregated_bytes))) {
        return false;
    }
    usage->reports += upload->count;
    usage->bytes += bytes;
    return true;
}

/* Whether a report's bucket was collected. Those that come together mostly have
 * one time, of which the store is asked once. */
static struct status ask_collected(struct store_tx *tx, struct task_uploads *all, uint64_t time) {
    if (!task_is_time_interval(all->task) || (all->asked && all->time == time)) {
        return OK;
    }
    TRY(store_collected_interval_overlaps(tx, all->task->dap.id.bytes, time, 1, &all->collected));
    all->asked = true;
    all->time = time;
    return OK;
}

/* Adds the upload's reports, except those whose bucket was collected: the draft
 * has report_replayed for them. */
static struct status gather(struct store_tx *tx, const struct pending_upload *upload,
                            struct task_uploads *all) {
    for (size_t i = 0; i < upload->count; i++) {
        const struct store_report *report = &upload->reports[i];
        TRY(ask_collected(tx, all, report->time));
        if (all->collected) {
            upload->errors[i] = REPORT_ERROR_REPORT_REPLAYED;
            all->tally.by_error[REPORT_ERROR_BATCH_COLLECTED]++;
            continue;
        }
        all->reports[all->count] = *report;
        all->errors[all->count++] = &upload->errors[i];
    }
    return OK;
}

static void tally_merge(struct report_tally *into, const struct report_tally *from) {
    for (int i = 0; i < 256; i++) {
        into->by_error[i] += from->by_error[i];
    }
}

static struct status put_reports(struct store_tx *tx, struct arena *arena,
                                 struct task_uploads *all) {
    enum store_outcome *outcomes = ARENA_ARRAY(arena, enum store_outcome, all->count);
    if (outcomes == NULL) {
        return FAIL(NO_MEMORY);
    }
    TRY(store_reports_put(tx, all->task->dap.id.bytes, all->reports, all->count, outcomes));
    for (size_t i = 0; i < all->count; i++) {
        enum report_error error = commit_outcome_error(outcomes[i]);
        *all->errors[i] = error;
        all->tally.by_error[error]++;
    }
    return OK;
}

/* Settles every upload from `first` on that is of first's task. */
static struct status commit_task(struct store_tx *tx, struct upload_group *group,
                                 struct pending_upload *first, struct task_uploads *all) {
    const uint8_t *task_id = first->task->dap.id.bytes;
    struct store_usage usage;
    size_t count = 0;
    for (struct pending_upload *upload = first; upload != NULL; upload = upload->next) {
        count += same_task(upload, first->task) ? upload->count : 0;
    }
    *all = (struct task_uploads){.task = first->task,
                                 .reports = ARENA_ARRAY(&group->arena, struct store_report, count),
                                 .errors = ARENA_ARRAY(&group->arena, enum report_error *, count)};
    if (count > 0 && (all->reports == NULL || all->errors == NULL)) {
        return FAIL(NO_MEMORY);
    }
    TRY(store_usage_get(tx, task_id, &usage));
    for (struct pending_upload *upload = first; upload != NULL; upload = upload->next) {
        if (!same_task(upload, first->task)) {
            continue;
        }
        upload->settled = true;
        upload->status = OK;
        tally_merge(&all->tally, &upload->refused);
        if (!quota_takes(&first->task->settings, upload, &usage)) {
            upload->status = FAIL(TOO_MANY_REQUESTS);
            all->over_quota += upload->count;
            continue;
        }
        TRY(gather(tx, upload, all));
    }
    if (all->count > 0) {
        TRY(put_reports(tx, &group->arena, all));
    }
    if (all->over_quota > 0) {
        TRY(store_counter_add(tx, task_id, "upload_rejected_quota", all->over_quota));
    }
    return tally_store(&all->tally, tx, task_id, "upload_accepted", "upload_rejected");
}

/* The first upload of the task that has the lowest ID of those that are left, so
 * that all servers take the locks of tasks in one order; NULL if none is. */
static struct pending_upload *next_task(const struct upload_group *group) {
    struct pending_upload *next = NULL;
    for (struct pending_upload *upload = group->first; upload != NULL; upload = upload->next) {
        if (!upload->settled &&
            (next == NULL || memcmp(upload->task->dap.id.bytes, next->task->dap.id.bytes,
                                    STORE_TASK_ID_SIZE) < 0)) {
            next = upload;
        }
    }
    return next;
}

static struct status commit_group(struct store_tx *tx, void *argument) {
    struct upload_group *group = argument;
    struct pending_upload *first;
    arena_release(&group->arena);
    for (struct pending_upload *upload = group->first; upload != NULL; upload = upload->next) {
        upload->settled = false;
    }
    while ((first = next_task(group)) != NULL) {
        struct task_uploads all;
        TRY(commit_task(tx, group, first, &all));
    }
    return OK;
}

/* ---- The group ---------------------------------------------------------------- */

static void count_upload(struct aggregator *aggregator, const struct pending_upload *upload) {
    struct report_tally tally = upload->refused;
    const char *task = upload->task->id_text;
    if (!status_ok(upload->status)) {
        counts_add(aggregator->counts.uploads, task, NULL, status_name(upload->status.code),
                   upload->count);
        return;
    }
    for (size_t i = 0; i < upload->count; i++) {
        tally.by_error[upload->errors[i]]++;
    }
    tally_count(&tally, aggregator->counts.uploads, task, NULL, "accepted");
}

/* Ends the uploads, all with `failure` if that is one. */
static void answer(struct aggregator *aggregator, struct pending_upload *first,
                   struct status failure) {
    loop_batch_begin();
    while (first != NULL) {
        struct pending_upload *upload = first;
        first = first->next;
        if (!status_ok(failure)) {
            upload->status = failure;
        }
        count_upload(aggregator, upload);
        upload->done(upload);
    }
    loop_batch_end();
}

static void commit_and_answer(struct upload_committer *committer, struct pending_upload *first,
                              size_t requests) {
    struct aggregator *aggregator = committer->aggregator;
    struct upload_group group = {.first = first, .arena = ARENA_INIT};
    int64_t started = clock_monotonic_ns();
    /* The first came first, so the others have not waited for longer. */
    struct status status = store_run_until(aggregator->options.store, STORE_WRITE,
                                           first->deadline_ns, commit_group, &group);
    arena_release(&group.arena);
    if (!status_ok(status) && requests > 1 && status.code != STATUS_STORE_BUSY) {
        /* Maybe one of them is to blame: none shall fail for another. */
        while (first != NULL) {
            struct pending_upload *upload = first;
            first = first->next;
            upload->next = NULL;
            commit_and_answer(committer, upload, 1);
        }
        return;
    }
    committer->last_requests = requests;
    committer->last_ns = clock_monotonic_ns() - started;
    metric_observe(metric_series(aggregator->counts.commit_seconds, NULL),
                   (double)committer->last_ns / 1e9);
    metric_observe(metric_series(aggregator->counts.commit_uploads, NULL), (double)requests);
    answer(aggregator, first, status);
}

/* Waits until as many are there as in the last group, for a while. With the lock. */
static void wait_for_company(struct upload_committer *committer) {
    int64_t budget_ns = (int64_t)committer->aggregator->options.upload_delay_us * 1000;
    int64_t worth_ns = committer->last_ns / COMPANY_COMMIT_FRACTION;
    worth_ns = worth_ns < COMPANY_MAX_NS ? worth_ns : COMPANY_MAX_NS;
    int64_t until = clock_monotonic_ns() + (budget_ns > worth_ns ? budget_ns : worth_ns);
    const struct timespec time = {.tv_sec = until / 1000000000, .tv_nsec = until % 1000000000};
    size_t wanted = committer->last_requests < COMPANY_REQUESTS ? committer->last_requests
                                                                : COMPANY_REQUESTS;
    int late = 0;
    wanted = budget_ns > 0 && wanted < 2 ? 2 : wanted; /* a lone one waits as configured */
    committer->wanted = wanted;
    while (committer->waiting > 0 && committer->waiting < wanted && late == 0) {
        late = pthread_cond_timedwait(&committer->company, &committer->lock, &time);
    }
    committer->wanted = 0;
}

/* Takes a group off the list, or NULL and the end of the committer's run. */
static struct pending_upload *take_group(struct upload_committer *committer, bool patient,
                                         size_t *requests) {
    pthread_mutex_lock(&committer->lock);
    if (patient) {
        wait_for_company(committer);
    }
    struct pending_upload *first = committer->first, **at = &committer->first;
    size_t reports = 0;
    *requests = 0;
    while (*at != NULL && *requests < GROUP_REQUESTS_MAX &&
           (*requests == 0 || reports + (*at)->count <= GROUP_REPORTS_MAX)) {
        reports += (*at)->count;
        ++*requests;
        at = &(*at)->next;
    }
    committer->waiting -= *requests;
    committer->first = *at;
    if (committer->first == NULL) {
        committer->last = &committer->first;
    }
    if (first != NULL) {
        *at = NULL;
    } else {
        committer->running = false;
    }
    pthread_mutex_unlock(&committer->lock);
    return first;
}

static void commit_all(void *argument, bool cancelled) {
    struct upload_committer *committer = argument;
    struct pending_upload *first;
    size_t requests;
    while ((first = take_group(committer, !cancelled, &requests)) != NULL) {
        cancelled ? answer(committer->aggregator, first, FAIL(BUSY))
                  : commit_and_answer(committer, first, requests);
    }
}

void upload_commit(struct upload_committer *committer, struct pending_upload *upload) {
    upload->next = NULL;
    upload->deadline_ns = aggregator_upload_deadline_ns(committer->aggregator);
    pthread_mutex_lock(&committer->lock);
    *committer->last = upload;
    committer->last = &upload->next;
    bool enough = ++committer->waiting == committer->wanted;
    bool first = !committer->running;
    committer->running = true;
    pthread_mutex_unlock(&committer->lock);
    if (enough) {
        pthread_cond_signal(&committer->company);
    }
    /* What it commits was admitted already, so it doesn't queue behind what wasn't. */
    if (first && !status_ok(work_queue_submit_after_ms(committer->aggregator->options.queue, 0,
                                                       commit_all, committer))) {
        commit_all(committer, true);
    }
}
