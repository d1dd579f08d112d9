/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_AGGREGATOR_LEADER_JOB_H
#define MOIETY_AGGREGATOR_LEADER_JOB_H

#include "aggregator/context.h"
#include "aggregator/leader_dialect.h"
#include "aggregator/leader_pace.h"
#include "aggregator/lease.h"
#include "vdaf/verify.h"

/*
 * One aggregation job at a leader, while this process holds its lease.
 *
 * What is durable is the store_job; this is what a worker needs beside it, and
 * it can be rebuilt from the store at any time. The members, once fixed, never
 * change, and the request's body follows from them alone: not from the clock,
 * nor from which keys are advertised. So every send of a step has the same
 * bytes, whichever process makes it.
 *
 * One thread at a time has the job: a worker until it sends, then nobody until
 * the HTTP client's callback hands it to a worker again.
 */

/* A report that is still in the running. */
struct job_report {
    uint32_t member; /* in leader_job.members */
    uint32_t index;  /* in the verify batch */
    struct report_id id;
};

struct leader_job {
    struct aggregator *aggregator;
    struct pace *pace;
    const struct served_task *task;
    const struct leader_dialect *dialect;
    struct arena arena; /* everything below; opened shares, so it is wiped */
    struct store_job row;
    struct lease lease;
    int64_t hold_until; /* polled from here; then it is anyone's again */
    bool counted;     /* in `pace` */
    bool sent_before; /* its members were fixed when it was claimed */
    struct store_member *members;
    size_t member_count;
    struct job_report *reports; /* in the order of the members */
    size_t report_count;
    struct verify_batch *batch;
    struct report_tally rejected; /* before the first send, not yet durable */
    struct buffer body;           /* of this step's request */
    const char *url;              /* of the request under way */
    int64_t sent_ns;              /* when it was sent */
    bool polling;
    struct http_client_response *response;
};

/* ---- Building (leader_build.c) -------------------------------------------- */

/*
 * From a claimed row to this step's request: reads the members, opens and
 * verifies them (step 0) or decodes the verify states (later steps), fixes the
 * members if they aren't yet, and encodes the body. report_count may end up 0:
 * then there is nothing to send. INTERNAL if a fixed job's body is not what it
 * was when it was fixed.
 */
struct status leader_job_build(struct leader_job *job);
/* What continues the job after a restart: to be stored before the next step. */
struct status leader_job_encode_state(const struct leader_job *job, struct buffer *out);

/* ---- The helper's responses (leader_verdicts.c) ---------------------------- */

struct verdicts {
    struct span *inbound; /* of each report of the verify batch */
    bool *later;          /* of each member: whether it may be tried in another job */
    struct report_tally rejected;
    bool goes_on;         /* reports have another message for the helper */
    const char *nonsense; /* why the job has to be abandoned, or NULL */
    bool undecodable;     /* the answer says nothing at all */
};

/* Checks the responses, takes out what the helper rejected, and continues the
 * rest. `verdicts` is zero on entry; its arrays live in the job's arena. What a
 * helper gets wrong is told by `nonsense`, not by a failure. */
struct status leader_job_verify(struct leader_job *job, struct span body,
                                struct verdicts *verdicts);
/* Narrows the job's reports to those that weren't rejected. */
void leader_job_drop_rejected(struct leader_job *job);

/* ---- Driving (leader_job.c) ----------------------------------------------- */

/* An empty job; NULL if out of memory. */
struct leader_job *leader_job_new(struct aggregator *aggregator, struct pace *pace);
/* Runs a job whose row was claimed into the job's arena, on the queue's
 * workers, until its lease is given back. Takes the job. */
void leader_job_launch(struct leader_job *job);
void leader_job_free(struct leader_job *job); /* NULL is allowed */

/* Asks for a look at what is due, soon: more reports may be waiting, a
 * collection job may have become ready. Thread-safe. */
void leader_wake(struct leader *leader);

#endif
