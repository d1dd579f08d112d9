/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_AGGREGATOR_TASK_SETTINGS_H
#define MOIETY_AGGREGATOR_TASK_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

/*
 * How this server runs a task: local policy, which the other parties neither
 * see nor agree on. Kept as a JSON object in store_task.settings; the JSON
 * names are the fields' names. Absent members take the defaults.
 */
struct task_settings {
    uint32_t max_job_size;      /* reports in one aggregation job; default 1000, 1 to 100000 */
    uint32_t job_linger_ms;     /* how long a job that isn't full waits for more; default 200 */
    uint64_t batch_target_size; /* leader-selected: close a batch here; 0: it stays open */
    uint32_t batch_deadline_s;  /* leader-selected: close a batch this old that has
                                 * min_batch_size reports; 0: never */
    uint64_t report_expiry_s;   /* forget reports this old; 0: never */
    uint64_t max_unaggregated_reports; /* quota; default 10,000,000; 0: none */
    uint64_t max_unaggregated_bytes;   /* quota; default 64 GiB; 0: none */
    bool helper_async;          /* helper: answer aggregation jobs later */
    bool allow_small_batches;   /* the operator accepts min_batch_size below 100 */
};

#define TASK_SETTINGS_DEFAULT                                                        \
    ((struct task_settings){.max_job_size = 1000, .job_linger_ms = 200,              \
                            .max_unaggregated_reports = 10000000,                    \
                            .max_unaggregated_bytes = UINT64_C(64) << 30})

enum { TASK_SETTINGS_ERROR_MAX = 160 };

/* Reads JSON; an empty span gives the defaults. INVALID_CONFIG for what is no
 * object, an unknown member, a wrong type or a value out of range; `error` then
 * says in words which (it may be NULL). Thread-safe. */
struct status task_settings_parse(struct span json, struct task_settings *out,
                                  char error[TASK_SETTINGS_ERROR_MAX]);
/* Appends all members as JSON that task_settings_parse() reads. */
struct status task_settings_print(const struct task_settings *settings, struct buffer *out);

#endif
