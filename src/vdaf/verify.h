/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_VDAF_VERIFY_H
#define MOIETY_VDAF_VERIFY_H

#include "vdaf/vdaf.h"

/*
 * Verification (draft-irtf-cfrg-vdaf-20, section 5.2) of a batch of reports of
 * one shape: one instance, one aggregation parameter, one aggregator. The
 * verification key, context and nonce belong to each report, so that reports
 * of small tasks can share the processor's lanes.
 *
 * A batch is used by one thread at a time. What a report does wrong is a
 * verdict on that report, never a failure of the call; a call fails only for
 * want of memory. Verdicts, once set, stay: later steps skip such reports.
 */
struct verify_batch;

struct verify_input {
    struct span verify_key;   /* vdaf_verify_key_size() bytes */
    struct span ctx;          /* DAP: "dap-18" || task_id */
    const uint8_t *nonce;     /* VDAF_NONCE_SIZE bytes */
    struct span public_share; /* encoded */
    struct span input_share;  /* encoded */
};

/* Where a report stands. The draft's ping-pong states (section 5.7). */
enum verify_state {
    VERIFY_CONTINUED,
    VERIFY_FINISHED_WITH_OUTBOUND,
    VERIFY_FINISHED,
    VERIFY_REJECTED,
};

/* `aggregator_id` is 0 for the leader. The spans must stay valid only for the
 * call of verify_batch_init() or the ping-pong call that takes the inputs. */
struct status verify_batch_new(const struct vdaf *vdaf, unsigned aggregator_id,
                               struct span agg_param, size_t count, struct verify_batch **out);
void verify_batch_free(struct verify_batch *batch);
size_t verify_batch_count(const struct verify_batch *batch);

/* STATUS_OK while the report is in good standing; STATUS_INVALID_MESSAGE if a
 * share or message doesn't decode; STATUS_VERIFY_FAILED if the proof is
 * refused. */
enum status_code verify_batch_verdict(const struct verify_batch *batch, size_t i);
/* Takes a report out of the batch for the caller's own reason. */
void verify_batch_refuse(struct verify_batch *batch, size_t i, enum status_code verdict);

/*
 * The draft's three steps, for any number of shares.
 */

/* verify_init: expands shares, computes the verifier shares. */
struct status verify_batch_init(struct verify_batch *batch, const struct verify_input inputs[]);
/* The encoded verifier share; empty if refused. Borrowed from the batch. */
struct span verify_batch_share(const struct verify_batch *batch, size_t i);

/* verifier_shares_to_message: `shares[i * vdaf_shares() + j]` is aggregator
 * j's encoded verifier share of report i. Messages live in the arena;
 * `verdicts[i]` as above, read too: a report that is not STATUS_OK on entry is
 * skipped. `ctx[i]` is the report's context. */
struct status verify_shares_to_message(const struct vdaf *vdaf, struct span agg_param,
                                       const struct span ctx[], const struct span shares[],
                                       size_t count, struct arena *arena, struct span messages[],
                                       enum status_code verdicts[]);

/* verify_next with the encoded verifier message: yields the output share,
 * which stays in the batch. */
struct status verify_batch_next(struct verify_batch *batch, const struct span messages[]);

/*
 * The ping-pong topology for two aggregators (section 5.7). An outbound
 * message is borrowed from the batch until its next step.
 */
struct status pingpong_leader_init(struct verify_batch *batch,
                                   const struct verify_input inputs[]);
struct status pingpong_helper_init(struct verify_batch *batch, const struct verify_input inputs[],
                                   const struct span inbound[]);
struct status pingpong_leader_continued(struct verify_batch *batch, const struct span inbound[]);
struct status pingpong_helper_continued(struct verify_batch *batch, const struct span inbound[]);
enum verify_state pingpong_state(const struct verify_batch *batch, size_t i);
struct span pingpong_outbound(const struct verify_batch *batch, size_t i);

/* Appends all that is needed to continue, for an aggregator that answers later
 * or restarts: secret. Decoding gives a batch of the same count and states. */
struct status verify_batch_encode(const struct verify_batch *batch, struct buffer *out);
struct status verify_batch_decode(const struct vdaf *vdaf, unsigned aggregator_id,
                                  struct span agg_param, struct span encoded,
                                  struct verify_batch **out);

/*
 * Aggregation of the output shares of reports in good standing that finished.
 * `bucket_of[i]` < `buckets` says which of the aggregate shares report i adds
 * to; the shares are encoded, as vdaf_agg_init() leaves them.
 */
struct status verify_batch_accumulate(const struct verify_batch *batch,
                                      const uint32_t bucket_of[], uint8_t *const agg_shares[],
                                      size_t buckets);
/* Takes report i out of an aggregate share that it was added to. */
struct status verify_batch_subtract(const struct verify_batch *batch, size_t i,
                                    uint8_t agg_share[]);
/* The encoded output share of a finished report, into the arena. */
struct status verify_batch_out_share(const struct verify_batch *batch, size_t i,
                                     struct arena *arena, struct span *out);

#endif
