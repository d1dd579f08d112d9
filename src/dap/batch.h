/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_DAP_BATCH_H
#define MOIETY_DAP_BATCH_H

#include "dap/messages.h"

/*
 * Batches, as queries, batch selectors and aggregation jobs name them (draft
 * 18, section 5). A query for a leader-selected batch names none: the leader
 * picks the next. Thread-safe.
 */
struct batch {
    enum batch_mode mode;
    struct interval interval; /* if time_interval */
    struct batch_id id;       /* if leader_selected */
};

/* What a collector asks for; `out->id` is zero if leader_selected.
 * INVALID_MESSAGE if the mode isn't the task's or the configuration doesn't
 * decode; BATCH_INVALID for an interval that is empty or overflows. */
struct status batch_of_query(const struct query *query, enum batch_mode task_mode,
                             struct batch *out);

/* What a leader asks for, checked against the collector's query. Errors as
 * above; BATCH_INVALID also if the two are not consistent. */
struct status batch_of_selector(const struct batch_selector *selector, const struct query *query,
                                enum batch_mode task_mode, struct batch *out);

/* Encodes a batch. The configuration lives in the arena. */
struct status batch_to_query(const struct batch *batch, struct arena *arena, struct query *out);
struct status batch_to_selector(const struct batch *batch, struct arena *arena,
                                struct batch_selector *out);

/*
 * Checks the extensions of an aggregation job against the task's batch mode,
 * and takes the batch ID from them if it is leader_selected. (For time_interval
 * the batch of each report follows from its time, and *out is untouched.)
 * UNSUPPORTED_EXTENSION for one that we don't know, INVALID_MESSAGE for
 * extensions out of order, a missing or malformed batch ID, or a batch ID in
 * another batch mode.
 */
struct status batch_of_extensions(const struct aggregation_job_extension_list *extensions,
                                  enum batch_mode task_mode, struct batch_id *out);

/* The extensions that a leader sends for a batch: one for leader_selected,
 * none for time_interval. */
struct status batch_to_extensions(const struct batch *batch, struct arena *arena,
                                  struct aggregation_job_extension_list *out);

/* Checks the extensions of a collection job: INVALID_EXTENSION if they are out
 * of order, UNSUPPORTED_EXTENSION for any that we don't know (there is none yet
 * that we do). */
struct status collection_job_check_extensions(const struct collection_job_extension_list *extensions);

#endif
