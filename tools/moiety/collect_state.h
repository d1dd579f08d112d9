/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_COLLECT_STATE_H
#define MOIETY_COLLECT_STATE_H

#include "base/arena.h"

/*
 * A collection under way, on disk: a batch can be collected once, so a crash
 * between the request and its result must not lose which job it was. The state
 * is there before the request is first sent, and goes when the result is in
 * the journal and the job deleted.
 */
struct collect_state {
    struct span request; /* the encoded CollectionJobReq */
    const char *job_url; /* NULL until the leader gave one */
    bool stored;         /* the result is in the journal */
};

/* NOT_FOUND if there is none; INVALID_CONFIG if the file is something else. */
struct status collect_state_read(const char *path, const uint8_t task_id[32], struct arena *arena,
                                 struct collect_state *out);
/* Durable when it returns. */
struct status collect_state_write(const char *path, const uint8_t task_id[32],
                                  const struct collect_state *state);
struct status collect_state_remove(const char *path);

/* Appends a result, one line of JSON, to the journal of results, durably,
 * unless its job is there already. */
struct status collect_journal_append(const char *path, const char *job_url, struct span line);

#endif
