/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_STORE_STORE_H
#define MOIETY_STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/status.h"

/*
 * What an aggregator remembers, behind one interface with several databases.
 *
 * Work happens in transactions: store_run() calls a function with a
 * transaction, commits if it returns OK and rolls back otherwise. A function
 * may be run again from the start when the database says that the transaction
 * lost a race or the connection failed, so it must not change anything in
 * memory that a second run would see. When store_run() returns OK for
 * STORE_WRITE, everything that the function did is durable (it survives a kill
 * of this process and, with the database's default settings, of the machine);
 * otherwise nothing of it happened.
 *
 * Transactions are serialisable. The functions below say what is true when the
 * transaction commits. All times are microseconds since the Unix epoch unless
 * called otherwise; report times are in the task's time_precision (DAP,
 * section "Times, Durations and Intervals").
 *
 * Fields marked "sealed" are secret: the store encrypts them under a data key
 * before they reach the database, and the data key under a wrapping key that
 * the database never sees. What a function returns lives in the transaction's
 * arena, which is the caller's and is wiped when released.
 *
 * A failure of the database sticks to the transaction: it can't commit, even if
 * its function goes on and returns OK. Any other failure (NOT_FOUND, CONFLICT,
 * ...) has changed nothing, and the function may go on.
 *
 * Where a task is named that isn't there, the answer is UNRECOGNIZED_TASK.
 *
 * The store is thread-safe; a transaction belongs to one thread, which must not
 * call store_run() again inside it.
 */
struct store;
struct store_tx;

/* A key outside the database that wraps the data keys. Several can be given
 * while they rotate; the first one wraps new data keys. */
struct store_wrapping_key {
    uint8_t key[32];
};

struct store_options {
    const struct store_wrapping_key *wrapping_keys;
    size_t wrapping_key_count; /* at least 1 */
    const struct clock *clock;
    bool create;    /* make the database if there is none */
    bool read_only; /* for diagnosis: no writes, no migration */
    bool alone;     /* migration: no server of an earlier version runs on it */
};

/*
 * Opens the database at `url`: "sqlite:PATH" (or a bare path), or
 * "postgresql://..." (see postgres.h). The schema must be this program's or a later one that
 * serves it too, else STORE_SCHEMA, except that an empty database is given the
 * schema if `create` is set. UNKNOWN_KEY if
 * no wrapping key opens the stored data keys, NOT_FOUND if there is no database,
 * PERMISSION_DENIED, INVALID_ARGUMENT for a URL of another kind. Several
 * processes may have one database open.
 */
struct status store_open(const char *url, const struct store_options *options, struct store **out);
void store_close(struct store *store);
/* Brings the schema to this program's version, unless it is later already. CONFLICT, and
 * nothing changed, if servers that run on it couldn't go on and `alone` isn't set. */
struct store_migration {
    int from, to;
    int serves; /* the oldest version whose programs may run on it now */
};
struct status store_migrate(const char *url, const struct store_options *options,
                            struct store_migration *out);
/* Rewraps the data keys that lie under another wrapping key under the first one,
 * and says how many. Rows stay untouched. */
struct status store_reseal(struct store *store, size_t *rewrapped);
/* Adds a fresh data key, used from now on for what is sealed anew, by other
 * processes once they open the database again. After a failure it may have been
 * added all the same: nothing is lost by that, nor by doing it again. */
struct status store_rotate_data_key(struct store *store);

enum store_mode {
    STORE_READ,
    STORE_WRITE,
    /* Without waiting for the disk: survives a kill of the process, but not yet a
     * crash of its machine. The next STORE_WRITE makes it durable too, before it
     * returns: what is durable never refers to what got lost. */
    STORE_WRITE_RELAXED,
};
typedef struct status store_function(struct store_tx *tx, void *argument);
struct status store_run(struct store *store, enum store_mode mode, store_function *function,
                        void *argument); /* STORE_BUSY after half a minute of lost races */
/* The same, run again no later than `deadline_ns` of clock_monotonic_ns(), for whoever
 * would rather be told soon. What waits for a lock then still does, some seconds. */
struct status store_run_until(struct store *store, enum store_mode mode, int64_t deadline_ns,
                              store_function *function, void *argument);

enum { STORE_ID_SIZE = 16, STORE_TASK_ID_SIZE = 32, STORE_BATCH_ID_SIZE = 32, STORE_DIGEST_SIZE = 32 };

/* ---- Peers and tasks (task.c) ------------------------------------------ */

/* The other party of a task, under a name that the operator gives it: tokens,
 * certificate names and dialect are its, and tasks refer to it. */
struct store_peer {
    const char *name;
    const char *dialect;          /* "draft-18", "janus-2026-08" */
    struct span token;            /* sealed: what we send it; may be empty */
    struct span token_hash;       /* SHA-256 of what it sends us; may be empty */
    const char *certificate_name; /* the TLS client certificate's name; may be NULL */
};
struct status store_peer_put(struct store_tx *tx, const struct store_peer *peer);
struct status store_peer_get(struct store_tx *tx, struct arena *arena, const char *name,
                             struct store_peer *out); /* NOT_FOUND */
struct status store_peer_list(struct store_tx *tx, struct arena *arena, struct store_peer **out,
                              size_t *count);
/* CONFLICT while a task refers to it. */
struct status store_peer_delete(struct store_tx *tx, const char *name);

struct store_task {
    uint8_t id[STORE_TASK_ID_SIZE];
    uint8_t role;                  /* DAP Role: leader(2) or helper(3) */
    struct span config;            /* encoded TaskConfiguration: bound into AADs, byte for byte */
    struct span collector_config;  /* encoded HpkeConfig of the collector */
    struct span verify_keys;       /* sealed: encoded list of (key id, key) */
    const char *aggregator_peer;   /* name of the other aggregator's peer */
    const char *collector_peer;    /* leader only, else NULL */
    struct span settings;          /* JSON: local policy, not part of the protocol */
    int64_t created_at;
};
/* Makes a task. Putting the same one again changes nothing; CONFLICT if the id
 * is taken by a task that differs in any field but created_at. NOT_FOUND if
 * there is no peer of a name given. */
struct status store_task_put(struct store_tx *tx, const struct store_task *task);
/* UNRECOGNIZED_TASK if there is none. */
struct status store_task_get(struct store_tx *tx, struct arena *arena,
                             const uint8_t id[STORE_TASK_ID_SIZE], struct store_task *out);
struct status store_task_list(struct store_tx *tx, struct arena *arena, struct store_task **out,
                              size_t *count);
/* Replaces the settings alone: a task's parameters never change. */
struct status store_task_set_settings(struct store_tx *tx, const uint8_t id[STORE_TASK_ID_SIZE],
                                      struct span settings);
/* Deletes the task and all that belongs to it, what guards against replay and
 * double collection too. */
struct status store_task_delete(struct store_tx *tx, const uint8_t id[STORE_TASK_ID_SIZE]);
/* Changes with every write to peers, tasks and HPKE keys, by whichever process:
 * caches compare it. */
struct status store_config_version(struct store_tx *tx, uint64_t *version);

/* What happened in a task, counted for ever under short names such as
 * "upload_accepted", "report_rejected_vdaf_verify_error", "aggregated". */
struct store_counter {
    const char *name;
    uint64_t value;
};
struct status store_counter_add(struct store_tx *tx, const uint8_t task_id[STORE_TASK_ID_SIZE],
                                const char *name, uint64_t increment);
struct status store_counter_list(struct store_tx *tx, struct arena *arena,
                                 const uint8_t task_id[STORE_TASK_ID_SIZE],
                                 struct store_counter **out, size_t *count);

/* ---- HPKE keys of this server (key.c) ----------------------------------- */

enum store_key_state { STORE_KEY_ADVERTISED, STORE_KEY_ACCEPTED, STORE_KEY_OPEN_ONLY };
struct store_hpke_key {
    uint8_t id;
    uint16_t kem_id, kdf_id, aead_id;
    struct span public_key;
    struct span private_key; /* sealed */
    enum store_key_state state;
    int64_t created_at;
    int64_t state_since;
};
/* CONFLICT if the id is in use. */
struct status store_hpke_key_put(struct store_tx *tx, const struct store_hpke_key *key);
/* Newest first. */
struct status store_hpke_key_list(struct store_tx *tx, struct arena *arena,
                                  struct store_hpke_key **out, size_t *count);
struct status store_hpke_key_set_state(struct store_tx *tx, uint8_t id, enum store_key_state state,
                                       int64_t now);
/* CONFLICT while any stored report names it, waiting or in a job, or any pending
 * resource (config_ids). */
struct status store_hpke_key_delete(struct store_tx *tx, uint8_t id);

/* ---- Reports waiting at a leader (report.c) ------------------------------ */

/*
 * Reports are kept many to a row: a segment holds reports of one task and one
 * epoch of report time, and goes when its last report is terminal. The store
 * assigns reports to jobs in the order in which they came.
 */
struct store_report {
    uint8_t id[STORE_ID_SIZE];
    uint64_t time;      /* in time_precision units */
    uint64_t epoch;     /* of the report's time: see store_epoch() */
    uint8_t config_id;  /* HPKE key of the leader's ciphertext */
    struct span body;   /* the encoded Report, opaque here */
};

/* An epoch is the unit in which report IDs expire: seven days of report time. */
enum { STORE_EPOCH_SECONDS = 7 * 24 * 3600 };
static inline uint64_t store_epoch(uint64_t report_time, uint64_t time_precision) {
    uint64_t seconds;
    return __builtin_mul_overflow(report_time, time_precision, &seconds)
               ? UINT64_MAX / STORE_EPOCH_SECONDS
               : seconds / STORE_EPOCH_SECONDS;
}

enum store_outcome {
    STORE_NEW,       /* stored, or committed */
    STORE_REPLAYED,  /* the ID was stored (or committed) before, in any live epoch, or earlier in the same call */
    STORE_EXPIRED,   /* its epoch is behind the task's watermark */
};

/* Stores the new ones of `reports` and their IDs; sets outcomes[i]. They are
 * durable when the transaction commits, and it pays to store many in one.
 * INVALID_ARGUMENT for a report time of 2^63 or later. */
struct status store_reports_put(struct store_tx *tx, const uint8_t task_id[STORE_TASK_ID_SIZE],
                                const struct store_report reports[], size_t count,
                                enum store_outcome outcomes[]);

/* What a task has not aggregated yet: reports waiting or in a job. */
struct store_usage {
    uint64_t reports;
    uint64_t bytes;      /* of stored segments, so it falls when a segment goes */
    uint64_t unassigned; /* of the reports: in no job */
    int64_t oldest_at;   /* when the oldest unassigned one was stored; 0 if none */
};
struct status store_usage_get(struct store_tx *tx, const uint8_t task_id[STORE_TASK_ID_SIZE],
                              struct store_usage *out);

/* ---- Leases (lease.c) ------------------------------------------------------ */

/* For a server that starts. Where a database serves one server alone (SQLite),
 * whoever held a lease is gone, so all are given back and work goes on at once;
 * should the holder live after all, fencing keeps it from writing. Elsewhere
 * nothing happens: leases run out. */
struct status store_leases_end(struct store *store);

/* For who works longer than its lease: it now lasts until `lease_until`.
 * LEASE_LOST if another has taken over, or the work has ended; that the lease
 * ran out is no harm as long as nobody has. Allowed in a transaction of its own
 * or beside any write-back that keeps the lease. */
struct store_job;
struct store_resource;
struct status store_job_extend(struct store_tx *tx, const struct store_job *job,
                               int64_t lease_until);
struct status store_resource_extend(struct store_tx *tx, const struct store_resource *resource,
                                    int64_t lease_until);

/* ---- Aggregation jobs at a leader (job.c) --------------------------------- */

/*
 * A job takes reports out of the waiting ones, durably and each into one job
 * only. While it runs it is leased: every write-back names the lease, and
 * LEASE_LOST says that another worker took it over and nothing was written.
 *
 * Life: create (claimed by its maker) -> fix the members before the first send
 * -> retry any number of times with the same members -> finish or abandon.
 */
struct store_job {
    uint8_t id[STORE_ID_SIZE];           /* ours, random; the helper chooses its own */
    uint8_t task_id[STORE_TASK_ID_SIZE];
    bool has_batch;
    uint8_t batch_id[STORE_BATCH_ID_SIZE]; /* leader-selected mode */
    struct span agg_param;
    uint8_t verify_key_id;
    bool fixed;                            /* members and digest are final; it may have been sent */
    uint8_t digest[STORE_DIGEST_SIZE];     /* SHA-256 of the request body, once fixed */
    uint16_t step;
    const char *location;                  /* the helper's resource, once known; else NULL */
    struct span state;                     /* sealed: verify states, when there is something to carry */
    uint32_t attempts;
    uint64_t member_count;
    uint64_t time_min, time_max;           /* of the members, inclusive */
    int64_t retry_at;
    uint64_t lease;                        /* fencing token */
};

struct store_member {
    struct store_report report;
    uint64_t segment; /* where the report lies; opaque to callers */
    uint32_t index;
};

/* Takes up to `max_reports` unassigned reports of one task, the longest waiting
 * first, or NOT_FOUND if it has none that may be assigned at `now`. Reports that
 * another replica is taking are passed over; if there are no others, the
 * transaction is run again when those are settled. They may be of several
 * epochs, none behind the watermark. `batch_id` may be NULL. Making a job counts
 * as its first attempt. */
struct status store_job_create(struct store_tx *tx, struct arena *arena,
                               const uint8_t task_id[STORE_TASK_ID_SIZE],
                               const uint8_t *batch_id, struct span agg_param,
                               uint8_t verify_key_id, size_t max_reports, int64_t now,
                               int64_t lease_until, struct store_job *out);
/* Leases a job that is due (retry_at <= now) and not leased; NOT_FOUND if
 * there is none. Counts an attempt. Of the tasks that have such jobs each gets
 * one in turn, as long as there are fewer than 64 whose jobs are all leased or
 * not yet due for each that has a due one; else a claim now and then goes to the
 * job that is due longest. In one task the job that is due longest comes first.
 * The cost depends neither on how many tasks there are nor on how many jobs. */
struct status store_job_claim(struct store_tx *tx, struct arena *arena, int64_t now,
                              int64_t lease_until, struct store_job *out);
/* The reports of a job, in the order that the request names them. NOT_FOUND if
 * the job has ended. */
struct status store_job_members(struct store_tx *tx, struct arena *arena,
                                const struct store_job *job, struct store_member **out,
                                size_t *count);
/* Makes the members final: `keep[i]` says which stay; the others are terminal.
 * Afterwards a retry sends a body with this digest. CONFLICT if they are final
 * already. INVALID_ARGUMENT if none stays (finish the job instead) or if
 * `count` isn't the number of members. The lease is kept. */
struct status store_job_fix(struct store_tx *tx, const struct store_job *job, const bool keep[],
                            size_t count, const uint8_t digest[STORE_DIGEST_SIZE]);
/* Gives the job back until `retry_at`. Location, step and state replace those
 * stored (location NULL and state empty leave them). */
struct status store_job_release(struct store_tx *tx, const struct store_job *job,
                                const char *location, uint16_t step, struct span state,
                                int64_t retry_at);
/* Ends the job: each member is terminal, except that `later[i]` (NULL for
 * none) puts a report back among the waiting ones, for report_too_early: it may
 * be assigned from a minute after the store's clock on. */
struct status store_job_finish(struct store_tx *tx, const struct store_job *job,
                               const bool later[], size_t count);
/* Ends the job and puts all members back among the waiting ones (DAP,
 * "Aggregation Job Abandonment and Deletion"). */
struct status store_job_abandon(struct store_tx *tx, const struct store_job *job);

/* A task that has unassigned reports which may be assigned at some time `now`. */
struct store_waiting {
    uint8_t task_id[STORE_TASK_ID_SIZE];
    uint64_t position;   /* of the task among all, not 0 */
    uint64_t unassigned; /* at least so many reports: those of its first STORE_WAITING_SEGMENTS */
    int64_t oldest_at;   /* when the first of them was stored */
};
enum { STORE_WAITING_SEGMENTS = 256 };
/* The next such tasks behind a position (0: from the first). At most `max` (not 0)
 * are looked at; those whose reports all wait for a later time are left out.
 * `*next` is the position to go on from, 0 if these were the last. The cost
 * depends on `max` alone. */
struct status store_waiting_list(struct store_tx *tx, struct arena *arena, uint64_t after,
                                 int64_t now, size_t max, struct store_waiting **out,
                                 size_t *count, uint64_t *next);
/* The same of one task; NOT_FOUND if nothing waits. */
struct status store_waiting_get(struct store_tx *tx, const uint8_t task_id[STORE_TASK_ID_SIZE],
                                int64_t now, struct store_waiting *out);

/* Work that may still add to a batch: unassigned reports and unfinished jobs
 * of the task with a report time in [start, start + duration), or of the
 * batch. Exact; includes reports that wait for a later time, and no expired
 * ones. A report belongs to no batch before a job, so `unassigned` of a batch
 * is 0. */
struct store_pending {
    uint64_t unassigned;
    uint64_t jobs;
};
struct status store_pending_interval(struct store_tx *tx,
                                     const uint8_t task_id[STORE_TASK_ID_SIZE], uint64_t start,
                                     uint64_t duration, struct store_pending *out);
struct status store_pending_batch(struct store_tx *tx, const uint8_t task_id[STORE_TASK_ID_SIZE],
                                  const uint8_t batch_id[STORE_BATCH_ID_SIZE],
                                  struct store_pending *out);

/* ---- Committed IDs and batch buckets (bucket.c) --------------------------- */

/*
 * The second set of report IDs: what has been aggregated. Commits the IDs that
 * are new to the task; outcomes[i] says which. IDs are inserted in sorted
 * order, so replicas can't deadlock. Call it in the transaction that writes
 * the buckets.
 */
struct store_committed {
    uint8_t id[STORE_ID_SIZE];
    uint64_t epoch;
};
struct status store_ids_commit(struct store_tx *tx, const uint8_t task_id[STORE_TASK_ID_SIZE],
                               const struct store_committed ids[], size_t count,
                               enum store_outcome outcomes[]);

/*
 * The same for a leader, which needs no set to look into: the set of what was
 * uploaded let each report in once, and from then on it is in one place at a time,
 * a segment or a job, until it is terminal. So its IDs are only noted, all in one
 * row: outcomes[i] is STORE_NEW or STORE_EXPIRED.
 */
struct status store_ids_note(struct store_tx *tx, const uint8_t task_id[STORE_TASK_ID_SIZE],
                             const struct store_committed ids[], size_t count,
                             enum store_outcome outcomes[]);

/* What was noted, one call after another; `count` 0 behind the last. Begins with
 * `place` all zero. */
struct store_note {
    uint64_t epoch;
    int64_t number;
};
struct status store_notes_next(struct store_tx *tx, struct arena *arena,
                               const uint8_t task_id[STORE_TASK_ID_SIZE],
                               struct store_note *place, struct store_committed **out,
                               size_t *count);

/* What is in the set of store_ids_commit(), to be looked at: up to `max` in the order of epoch and ID,
 * behind `after` (NULL: from the first). The epoch is the one that the ID is filed
 * under, at least its report's. */
struct status store_ids_list(struct store_tx *tx, struct arena *arena,
                             const uint8_t task_id[STORE_TASK_ID_SIZE],
                             const struct store_committed *after, size_t max,
                             struct store_committed **out, size_t *count);

/* A batch bucket (DAP, "Batch Buckets"). Its key is the start time (8 bytes,
 * big-endian) in time-interval mode and the batch ID in leader-selected. */
struct store_bucket {
    struct span key;
    struct span agg_share; /* sealed; encoded by the VDAF; empty once collected */
    uint64_t report_count;
    uint8_t checksum[32];
    uint64_t time_min, time_max; /* inclusive, of the reports in it */
};
/* NOT_FOUND if there is none yet. `param_digest` is the SHA-256 of the
 * aggregation parameter; `shard` spreads concurrent writers. */
struct status store_bucket_get(struct store_tx *tx, struct arena *arena,
                               const uint8_t task_id[STORE_TASK_ID_SIZE], struct span key,
                               const uint8_t param_digest[STORE_DIGEST_SIZE], unsigned shard,
                               struct store_bucket *out);
struct status store_bucket_put(struct store_tx *tx, const uint8_t task_id[STORE_TASK_ID_SIZE],
                               const uint8_t param_digest[STORE_DIGEST_SIZE], unsigned shard,
                               const struct store_bucket *bucket);
/* Every shard of the buckets with first <= key <= last. */
struct status store_bucket_range(struct store_tx *tx, struct arena *arena,
                                 const uint8_t task_id[STORE_TASK_ID_SIZE], struct span first,
                                 struct span last, const uint8_t param_digest[STORE_DIGEST_SIZE],
                                 struct store_bucket **out, size_t *count);
/* Whether a bucket in the range was aggregated under another parameter. */
struct status store_bucket_other_param(struct store_tx *tx,
                                       const uint8_t task_id[STORE_TASK_ID_SIZE],
                                       struct span first, struct span last,
                                       const uint8_t param_digest[STORE_DIGEST_SIZE],
                                       bool *found);

/* Marks of what has been collected: an interval, or a batch ID. Remembered as
 * long as the task. Marking also drops the aggregate shares of the range; counts
 * and checksums stay. CONFLICT if the interval overlaps a mark, or the batch has
 * one; INVALID_ARGUMENT for an interval that is empty or ends at 2^63 or later. */
struct status store_collected_interval_put(struct store_tx *tx,
                                           const uint8_t task_id[STORE_TASK_ID_SIZE],
                                           uint64_t start, uint64_t duration);
struct status store_collected_batch_put(struct store_tx *tx,
                                        const uint8_t task_id[STORE_TASK_ID_SIZE],
                                        const uint8_t batch_id[STORE_BATCH_ID_SIZE]);
struct status store_collected_interval_overlaps(struct store_tx *tx,
                                                const uint8_t task_id[STORE_TASK_ID_SIZE],
                                                uint64_t start, uint64_t duration, bool *found);
struct status store_collected_batch_has(struct store_tx *tx,
                                        const uint8_t task_id[STORE_TASK_ID_SIZE],
                                        const uint8_t batch_id[STORE_BATCH_ID_SIZE], bool *found);
/* All collected intervals of a task, for caches. */
struct store_interval {
    uint64_t start, duration;
};
struct status store_collected_intervals(struct store_tx *tx, struct arena *arena,
                                        const uint8_t task_id[STORE_TASK_ID_SIZE],
                                        struct store_interval **out, size_t *count);

/* ---- Batches that a leader selects (batch.c) ------------------------------ */

enum store_batch_state { STORE_BATCH_OPEN, STORE_BATCH_CLOSED, STORE_BATCH_COLLECTING, STORE_BATCH_COLLECTED };
struct store_batch {
    uint8_t id[STORE_BATCH_ID_SIZE];
    enum store_batch_state state;
    uint64_t assigned;  /* reports put into jobs for it, less those rejected since */
    int64_t opened_at;
};
struct status store_batch_put(struct store_tx *tx, const uint8_t task_id[STORE_TASK_ID_SIZE],
                              const struct store_batch *batch);
/* Batches in the given state, oldest first. */
struct status store_batch_list(struct store_tx *tx, struct arena *arena,
                               const uint8_t task_id[STORE_TASK_ID_SIZE],
                               enum store_batch_state state, struct store_batch **out,
                               size_t *count);
struct status store_batch_get(struct store_tx *tx, const uint8_t task_id[STORE_TASK_ID_SIZE],
                              const uint8_t id[STORE_BATCH_ID_SIZE], struct store_batch *out);

/* ---- Resources that others made here (resource.c) ------------------------- */

/*
 * What a POST created: at a helper an aggregation job or an aggregate share,
 * at a leader a collection job. Resource IDs are random. Among live resources
 * of one task and kind the digest of the creating body is unique, which is the
 * idempotency of DAP's section "Resource Creation". A resource that failed or
 * was deleted is no longer live; its row stays until expiry, so that its
 * failure can be asked for.
 */
enum store_kind { STORE_AGGREGATION_JOB, STORE_AGGREGATE_SHARE, STORE_COLLECTION_JOB };
enum store_resource_state { STORE_RESOURCE_PENDING, STORE_RESOURCE_READY, STORE_RESOURCE_FAILED, STORE_RESOURCE_DELETED };
struct store_resource {
    uint8_t id[STORE_ID_SIZE];
    uint8_t task_id[STORE_TASK_ID_SIZE];
    enum store_kind kind;
    enum store_resource_state state;
    uint8_t digest[STORE_DIGEST_SIZE]; /* SHA-256 of the creating body */
    struct span config_ids;            /* HPKE key ids that the request still needs, a byte each */
    struct span request;               /* the latest request body; may be emptied when done */
    struct span response;              /* the representation, once ready */
    struct span note;                  /* sealed: the owner's own (verify state, batch in collection) */
    uint16_t step;
    uint8_t step_digest[STORE_DIGEST_SIZE]; /* of the latest continuation request */
    enum status_code problem;          /* when failed */
    uint32_t attempts;
    int64_t created_at;
    int64_t retry_at;
    uint64_t lease;
};
/* Makes `resource`, or finds the live one with its task, kind and digest.
 * `*found` says which; `*out` is the row that stands. If `lease_until` is not
 * 0 a resource that is made is leased to its maker. An id that is taken
 * (dialects where the peer chooses ids) is CONFLICT. */
struct status store_resource_create(struct store_tx *tx, struct arena *arena,
                                    const struct store_resource *resource, int64_t lease_until,
                                    struct store_resource *out, bool *found);
/* The live resource that a body with this digest made, so that a retry needn't
 * do the work again to learn that it was done. NOT_FOUND */
struct status store_resource_find(struct store_tx *tx, struct arena *arena,
                                  const uint8_t task_id[STORE_TASK_ID_SIZE], enum store_kind kind,
                                  const uint8_t digest[STORE_DIGEST_SIZE],
                                  struct store_resource *out);
/* NOT_FOUND */
struct status store_resource_get(struct store_tx *tx, struct arena *arena,
                                 const uint8_t task_id[STORE_TASK_ID_SIZE], enum store_kind kind,
                                 const uint8_t id[STORE_ID_SIZE], struct store_resource *out);
/* Leases a pending resource of the kind that is due; NOT_FOUND if none. Tasks take
 * turns, as with store_job_claim(). */
struct status store_resource_claim(struct store_tx *tx, struct arena *arena, enum store_kind kind,
                                   int64_t now, int64_t lease_until, struct store_resource *out);
/* Writes state, config_ids, request, response, note, step, step_digest, problem
 * and retry_at, and gives the lease back (keeps it if `lease_until` is not 0).
 * LEASE_LOST if another holds it, or if it is no longer live or there; a row
 * without a lease is written if its lease number is still the one given. */
struct status store_resource_update(struct store_tx *tx, const struct store_resource *resource,
                                    int64_t lease_until);
/* Ends liveness at the owner's wish, whoever holds the lease, and empties
 * request, response and note. NOT_FOUND. */
struct status store_resource_delete(struct store_tx *tx,
                                    const uint8_t task_id[STORE_TASK_ID_SIZE],
                                    enum store_kind kind, const uint8_t id[STORE_ID_SIZE]);
/* The resources of a kind and state in a task, oldest first, to be looked at. */
struct status store_resource_list(struct store_tx *tx, struct arena *arena,
                                  const uint8_t task_id[STORE_TASK_ID_SIZE], enum store_kind kind,
                                  enum store_resource_state state, struct store_resource **out,
                                  size_t *count);

/* ---- Expiry (expiry.c) ---------------------------------------------------- */

/* First moves the task's watermark to `epoch` (it never moves back), in a
 * transaction of its own; from then on older reports are STORE_EXPIRED. It stops
 * at the epoch of the oldest report in a job, and goes on when the job has
 * ended: the helper may have counted it, so it must stay committable here. */
struct status store_watermark_advance(struct store_tx *tx,
                                      const uint8_t task_id[STORE_TASK_ID_SIZE], uint64_t epoch);
struct status store_watermark_get(struct store_tx *tx, const uint8_t task_id[STORE_TASK_ID_SIZE],
                                  uint64_t *epoch);
/* Then deletes up to `max` rows behind the watermark: IDs of both sets and
 * waiting reports; and resources that ended before `ended_before`. Collected
 * marks stay. `*deleted` is 0 when nothing is left. */
struct status store_expire(struct store_tx *tx, const uint8_t task_id[STORE_TASK_ID_SIZE],
                           int64_t ended_before, size_t max, size_t *deleted);

/* ---- After a restore (restored.c) ------------------------------------------- */

/* What a task had that is not counted any more. */
struct store_restored {
    uint64_t reports;    /* waiting or in a job */
    uint64_t jobs;
    uint64_t aggregated; /* in batches that had not been collected */
};
/*
 * Makes a task safe to serve in a database that was put back to an earlier state,
 * which has forgotten the IDs committed since. Before any server runs on it:
 * deletes waiting reports and jobs, fails pending resources, closes every batch,
 * and moves the watermark to `epoch`, whatever jobs there were. `horizon` is a
 * report time that no report can have reached while the forgotten time lasted
 * (now, and the clock skew that is allowed). In a task whose batches are intervals
 * all before it is closed, so reports from then on can be taken at once, and
 * `epoch` may be its own; in others nothing tells old reports from new ones but
 * their epoch, so `epoch` must be the one after it. Doing it again is harmless.
 * INVALID_ARGUMENT for a horizon of 0 or from 2^63 on.
 */
struct status store_task_restored(struct store_tx *tx, const uint8_t task_id[STORE_TASK_ID_SIZE],
                                  bool by_interval, uint64_t horizon, uint64_t epoch,
                                  struct store_restored *out);

#endif
