/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/counts.h"

#include <stdio.h>

static const double commit_sizes[] = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000};

struct status counts_init(struct counts *counts, struct metrics *metrics) {
    const struct {
        struct metric_family **family;
        struct metric_description description;
    } rows[] = {
        {&counts->uploads,
         {.name = "moiety_uploaded_reports_total",
          .help = "Reports that clients uploaded, by what became of them.",
          .kind = METRIC_COUNTER,
          .labels = {"task", "outcome"}}},
        {&counts->reports,
         {.name = "moiety_aggregated_reports_total",
          .help = "Reports in aggregation jobs, by what became of them.",
          .kind = METRIC_COUNTER,
          .labels = {"task", "role", "outcome"}}},
        {&counts->jobs,
         {.name = "moiety_aggregation_jobs_total",
          .help = "Aggregation jobs, by how they ended.",
          .kind = METRIC_COUNTER,
          .labels = {"task", "role", "outcome"}}},
        {&counts->collections,
         {.name = "moiety_collections_total",
          .help = "Collection jobs and aggregate shares, by how they ended.",
          .kind = METRIC_COUNTER,
          .labels = {"task", "role", "outcome"}}},
        {&counts->waiting,
         {.name = "moiety_unaggregated_reports",
          .help = "Reports that wait for aggregation or are in a job, as of the last expiry.",
          .kind = METRIC_GAUGE,
          .labels = {"task"}}},
        {&counts->seconds,
         {.name = "moiety_request_seconds",
          .help = "From a request's last byte to its answer.",
          .kind = METRIC_HISTOGRAM,
          .labels = {"endpoint"},
          .buckets = metric_buckets_seconds,
          .bucket_count = metric_buckets_seconds_count}},
        {&counts->commit_seconds,
         {.name = "moiety_upload_commit_seconds",
          .help = "How long it took to make a group of uploads durable.",
          .kind = METRIC_HISTOGRAM,
          .buckets = metric_buckets_seconds,
          .bucket_count = metric_buckets_seconds_count}},
        {&counts->commit_uploads,
         {.name = "moiety_upload_commit_requests",
          .help = "Upload requests that shared a commit.",
          .kind = METRIC_HISTOGRAM,
          .buckets = commit_sizes,
          .bucket_count = sizeof(commit_sizes) / sizeof(commit_sizes[0])}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        TRY(metrics_family(metrics, &rows[i].description, rows[i].family));
    }
    return OK;
}

void counts_add(struct metric_family *family, const char *task, const char *role,
                const char *outcome, uint64_t amount) {
    const char *with_role[] = {task, role, outcome};
    const char *without[] = {task, outcome};
    metric_add(metric_series(family, role != NULL ? with_role : without), (int64_t)amount);
}

enum { OUTCOME_MAX = 64 };
static void rejected_name(char out[OUTCOME_MAX], const char *event, int error) {
    snprintf(out, OUTCOME_MAX, "%s_%s", event, report_error_name((enum report_error)error));
}

struct status tally_store(const struct report_tally *tally, struct store_tx *tx,
                          const uint8_t task_id[STORE_TASK_ID_SIZE], const char *accepted,
                          const char *rejected) {
    for (int error = 0; error < 256; error++) {
        if (tally->by_error[error] == 0) {
            continue;
        }
        char name[OUTCOME_MAX];
        rejected_name(name, rejected, error);
        TRY(store_counter_add(tx, task_id, error == 0 ? accepted : name,
                              tally->by_error[error]));
    }
    return OK;
}

void tally_count(const struct report_tally *tally, struct metric_family *family, const char *task,
                 const char *role, const char *accepted) {
    for (int error = 0; error < 256; error++) {
        if (tally->by_error[error] > 0) {
            char name[OUTCOME_MAX];
            rejected_name(name, "rejected", error);
            counts_add(family, task, role, error == 0 ? accepted : name, tally->by_error[error]);
        }
    }
}
