/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "vdaf/verify.h"

/*
 * A VDAF of as many rounds as a test asks for, in place of the real layer: the
 * program that links this file takes every symbol of src/vdaf from here. Prio3
 * has one round, so nothing else gets the aggregators to continue a job.
 *
 * It counts, and proves nothing. A share is a number, a seed that both shares
 * have in common, and the measurement in the clear: 2 is refused by the helper
 * when it hears from the leader again, 3 by the leader at the helper's first
 * message. Message m (from 0, the leader's first) is its number and the seed;
 * message `rounds` is the last. With 99 rounds it takes an aggregation parameter.
 */
struct vdaf {
    struct vdaf_param rounds;
};

struct share {
    uint64_t value, seed, measurement;
};

enum { CODEPOINT = 0x7fffffff, MESSAGE_SIZE = 9, NOT_EAGER = 99 };

struct status vdaf_new(const char *name, const struct vdaf_param params[], size_t count,
                       unsigned shares, struct vdaf **out) {
    if (strcmp(name, "Rounds") != 0 || count != 1 || shares != 2) {
        return FAIL(INVALID_ARGUMENT);
    }
    *out = malloc(sizeof **out);
    **out = (struct vdaf){params[0]};
    return OK;
}

struct status vdaf_from_config(uint32_t codepoint, struct span config, struct vdaf **out) {
    if (codepoint != CODEPOINT || config.len != 1) {
        return FAIL(UNSUPPORTED_ALGORITHM);
    }
    return vdaf_new("Rounds", &(struct vdaf_param){"rounds", config.data[0]}, 1, 2, out);
}

void vdaf_free(struct vdaf *vdaf) { free(vdaf); }

const char *vdaf_name(const struct vdaf *vdaf) {
    (void)vdaf;
    return "Rounds";
}

uint32_t vdaf_codepoint(const struct vdaf *vdaf) {
    (void)vdaf;
    return CODEPOINT;
}

size_t vdaf_params(const struct vdaf *vdaf, const struct vdaf_param **out) {
    *out = &vdaf->rounds;
    return 1;
}

struct status vdaf_encode_config(const struct vdaf *vdaf, struct buffer *out) {
    return buffer_append_u8(out, (uint8_t)vdaf->rounds.value);
}

unsigned vdaf_rounds(const struct vdaf *vdaf) { return (unsigned)vdaf->rounds.value; }

#define CONSTANT(type, name, value)                                                                \
    type name(const struct vdaf *vdaf) {                                                           \
        (void)vdaf;                                                                                \
        return value;                                                                              \
    }
CONSTANT(unsigned, vdaf_shares, 2)
CONSTANT(size_t, vdaf_verify_key_size, 32)
CONSTANT(size_t, vdaf_rand_size, 16)
CONSTANT(size_t, vdaf_public_share_size, 0)
CONSTANT(size_t, vdaf_agg_share_size, sizeof(uint64_t))
CONSTANT(size_t, vdaf_measurement_len, 1)
CONSTANT(size_t, vdaf_result_len, 1)

size_t vdaf_input_share_size(const struct vdaf *vdaf, unsigned share) {
    (void)vdaf;
    (void)share;
    return sizeof(struct share);
}

struct status vdaf_parse_measurement(const struct vdaf *vdaf, struct span text, uint64_t values[]) {
    (void)vdaf;
    values[0] = (uint64_t)(text.data[0] - '0');
    return OK;
}

struct status vdaf_check_measurement(const struct vdaf *vdaf, const uint64_t values[],
                                     size_t count) {
    (void)vdaf;
    return count == 1 && values[0] <= 3 ? OK : FAIL(INVALID_ARGUMENT);
}

struct status vdaf_check_agg_param(const struct vdaf *vdaf, struct span agg_param) {
    bool wanted = vdaf->rounds.value == NOT_EAGER;
    return (agg_param.len > 0) == wanted ? OK : FAIL(INVALID_AGGREGATION_PARAMETER);
}

struct status vdaf_shard(const struct vdaf *vdaf, const struct shard_input inputs[], size_t count,
                         struct arena *arena, struct shard_output outputs[]) {
    (void)vdaf;
    for (size_t i = 0; i < count; i++) {
        struct share *shares = ARENA_ARRAY(arena, struct share, 2);
        memcpy(&shares[1], inputs[i].rand, 16);
        shares[0] = shares[1];
        shares[0].value = inputs[i].values[0] - shares[1].value;
        for (size_t j = 0; j < 2; j++) {
            shares[j].measurement = inputs[i].values[0];
            outputs[i].input_shares[j] = span_of(&shares[j], sizeof shares[j]);
        }
        outputs[i].public_share = SPAN_EMPTY;
    }
    return OK;
}

/* ---- Aggregation ------------------------------------------------------------ */

static void agg_add(uint8_t into[], uint64_t value) {
    uint64_t sum;
    memcpy(&sum, into, sizeof sum);
    sum += value;
    memcpy(into, &sum, sizeof sum);
}

static uint64_t agg_value(struct span share) {
    uint64_t value;
    memcpy(&value, share.data, sizeof value);
    return value;
}

void vdaf_agg_init(const struct vdaf *vdaf, uint8_t agg_share[]) {
    (void)vdaf;
    memset(agg_share, 0, sizeof(uint64_t));
}

struct status vdaf_agg_merge(const struct vdaf *vdaf, uint8_t into[], struct span from) {
    (void)vdaf;
    agg_add(into, agg_value(from));
    return OK;
}

struct status vdaf_unshard(const struct vdaf *vdaf, struct span agg_param,
                           const struct span agg_shares[], uint64_t report_count,
                           vdaf_value values[]) {
    (void)vdaf;
    (void)agg_param;
    (void)report_count;
    values[0] = (uint64_t)(agg_value(agg_shares[0]) + agg_value(agg_shares[1]));
    return OK;
}

/* ---- Verification ------------------------------------------------------------- */

struct verify_report {
    struct share share;
    enum verify_state state;
    enum status_code verdict;
    uint8_t outbound[MESSAGE_SIZE];
};

struct verify_batch {
    unsigned aggregator, rounds;
    size_t count;
    struct verify_report reports[];
};

struct status verify_batch_new(const struct vdaf *vdaf, unsigned aggregator_id,
                               struct span agg_param, size_t count, struct verify_batch **out) {
    (void)agg_param;
    struct verify_batch *batch = calloc(1, sizeof *batch + count * sizeof batch->reports[0]);
    batch->aggregator = aggregator_id;
    batch->rounds = vdaf_rounds(vdaf);
    batch->count = count;
    *out = batch;
    return OK;
}

void verify_batch_free(struct verify_batch *batch) { free(batch); }
size_t verify_batch_count(const struct verify_batch *batch) { return batch->count; }

enum status_code verify_batch_verdict(const struct verify_batch *batch, size_t i) {
    return batch->reports[i].verdict;
}

void verify_batch_refuse(struct verify_batch *batch, size_t i, enum status_code verdict) {
    batch->reports[i].verdict = verdict;
    batch->reports[i].state = VERIFY_REJECTED;
}

enum verify_state pingpong_state(const struct verify_batch *batch, size_t i) {
    return batch->reports[i].state;
}

struct span pingpong_outbound(const struct verify_batch *batch, size_t i) {
    return SPAN_OF_ARRAY(batch->reports[i].outbound);
}

static void take_share(struct verify_batch *batch, size_t i, const struct verify_input *input) {
    struct verify_report *report = &batch->reports[i];
    if (report->verdict == STATUS_OK && input->input_share.len == sizeof report->share) {
        memcpy(&report->share, input->input_share.data, sizeof report->share);
    } else if (report->verdict == STATUS_OK) {
        verify_batch_refuse(batch, i, STATUS_INVALID_MESSAGE);
    }
}

static void send(struct verify_batch *batch, struct verify_report *report, unsigned number) {
    report->outbound[0] = (uint8_t)number;
    memcpy(report->outbound + 1, &report->share.seed, sizeof report->share.seed);
    report->state = number == batch->rounds ? VERIFY_FINISHED_WITH_OUTBOUND : VERIFY_CONTINUED;
}

/* A message has to be the first, or the one after our last, and bear the seed. */
static void receive(struct verify_batch *batch, size_t i, bool first, struct span message) {
    struct verify_report *report = &batch->reports[i];
    if (report->verdict != STATUS_OK || report->state == VERIFY_FINISHED) {
        return;
    }
    unsigned number = first ? 0 : report->outbound[0] + 1u;
    bool helper_refuses = batch->aggregator == 1 && number >= 2 && report->share.measurement == 2;
    bool leader_refuses = batch->aggregator == 0 && number == 1 && report->share.measurement == 3;
    if (message.len != MESSAGE_SIZE || message.data[0] != number ||
        memcmp(message.data + 1, &report->share.seed, sizeof report->share.seed) != 0 ||
        helper_refuses || leader_refuses) {
        verify_batch_refuse(batch, i, STATUS_VERIFY_FAILED);
    } else if (number == batch->rounds) {
        report->state = VERIFY_FINISHED;
    } else {
        send(batch, report, number + 1);
    }
}

struct status pingpong_leader_init(struct verify_batch *batch, const struct verify_input inputs[]) {
    for (size_t i = 0; i < batch->count; i++) {
        take_share(batch, i, &inputs[i]);
        if (batch->reports[i].verdict == STATUS_OK) {
            send(batch, &batch->reports[i], 0);
        }
    }
    return OK;
}

struct status pingpong_helper_init(struct verify_batch *batch, const struct verify_input inputs[],
                                   const struct span inbound[]) {
    for (size_t i = 0; i < batch->count; i++) {
        take_share(batch, i, &inputs[i]);
        receive(batch, i, true, inbound[i]);
    }
    return OK;
}

static struct status continued(struct verify_batch *batch, const struct span inbound[]) {
    for (size_t i = 0; i < batch->count; i++) {
        receive(batch, i, false, inbound[i]);
    }
    return OK;
}

struct status pingpong_leader_continued(struct verify_batch *batch, const struct span inbound[]) {
    return continued(batch, inbound);
}

struct status pingpong_helper_continued(struct verify_batch *batch, const struct span inbound[]) {
    return continued(batch, inbound);
}

struct status verify_batch_encode(const struct verify_batch *batch, struct buffer *out) {
    return buffer_append(out, span_of(batch->reports, batch->count * sizeof batch->reports[0]));
}

struct status verify_batch_decode(const struct vdaf *vdaf, unsigned aggregator_id,
                                  struct span agg_param, struct span encoded,
                                  struct verify_batch **out) {
    size_t count = encoded.len / sizeof(struct verify_report);
    struct verify_batch *batch;
    TRY(verify_batch_new(vdaf, aggregator_id, agg_param, count, &batch));
    memcpy(batch->reports, encoded.data, encoded.len);
    *out = batch;
    return OK;
}

struct status verify_batch_accumulate(const struct verify_batch *batch, const uint32_t bucket_of[],
                                      uint8_t *const agg_shares[], size_t buckets) {
    (void)buckets;
    for (size_t i = 0; i < batch->count; i++) {
        enum verify_state state = batch->reports[i].state;
        if (state == VERIFY_FINISHED || state == VERIFY_FINISHED_WITH_OUTBOUND) {
            agg_add(agg_shares[bucket_of[i]], batch->reports[i].share.value);
        }
    }
    return OK;
}

struct status verify_batch_subtract(const struct verify_batch *batch, size_t i,
                                    uint8_t agg_share[]) {
    agg_add(agg_share, (uint64_t)-batch->reports[i].share.value);
    return OK;
}
