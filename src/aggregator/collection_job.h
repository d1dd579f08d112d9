/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_AGGREGATOR_COLLECTION_JOB_H
#define MOIETY_AGGREGATOR_COLLECTION_JOB_H

#include "aggregator/exchange.h"

/*
 * What a leader does for a collection job after the answer to the collector's
 * POST: waits until the batch is complete, freezes it, gets the helper's share,
 * and makes the result.
 *
 * The job is a store_resource. Its note, empty while it waits, is from the
 * moment of freezing on the record below: which batch, what the leader counted,
 * and its own share, sealed. Freezing writes the collected mark and the note in
 * one transaction, so nothing is committed to the batch afterwards and every
 * AggregateShareReq has the same bytes.
 */
struct collection_note {
    struct span selector; /* encoded BatchSelector */
    uint64_t report_count;
    uint8_t checksum[32];
    struct interval interval; /* smallest that holds all reports */
    struct span leader_share; /* encoded HpkeCiphertext */
    struct span location;     /* of the helper's resource, once it gave one; may be empty */
    uint32_t tries;           /* requests to the helper that failed */
};
struct status collection_note_encode(const struct collection_note *note, struct buffer *out);
/* Borrows the bytes. INTERNAL if they aren't a note. */
struct status collection_note_decode(struct span bytes, struct collection_note *out);

/* Handles a collector's CollectionJobReq: checks it and makes the resource with
 * this id, or finds the one that an identical request made. `id_counts`: the
 * collector chose the id, and requests with different ones are not identical;
 * CONFLICT if it is taken. */
struct status collection_submit(struct exchange *exchange, const uint8_t id[STORE_ID_SIZE],
                                bool id_counts, struct store_resource *out);
/* The answer that shows a collection job as it stands; fails as the job did. */
struct status collection_reply(struct exchange *exchange, const struct store_resource *resource,
                               struct reply *out);

/* Claims a collection job that is due and drives it, on a worker; `*found` is
 * false if none was due. */
struct status collection_drive_next(struct aggregator *aggregator, bool *found);

/* A sixteenth of the time that it has waited, so that neither a young job waits
 * long nor many old ones cost much. */
int64_t collection_look_again_ms(const struct aggregator *aggregator, int64_t age_us);

#endif
