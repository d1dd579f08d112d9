/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_TEST_DAP_TASK_FIXTURE_H
#define MOIETY_TEST_DAP_TASK_FIXTURE_H

#include "dap/task.h"

/* A time-interval task with an hour's precision and no extensions. */
static inline struct task_configuration task_fixture(void) {
    return (struct task_configuration){
        .task_info = SPAN_OF_LITERAL("info"),
        .leader_aggregator_endpoint = SPAN_OF_LITERAL("https://leader.example/"),
        .helper_aggregator_endpoint = SPAN_OF_LITERAL("https://helper.example/dap"),
        .time_precision = 3600,
        .min_batch_size = 100,
        .batch_mode = BATCH_MODE_TIME_INTERVAL,
        .vdaf_type = 1,
    };
}

static inline struct task_id task_fixture_id(void) { return (struct task_id){{1, 2, 3}}; }

#endif
