/* SPDX-License-Identifier: Apache-2.0 */
#include "run.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "higher_degree.h"
#include "vdaf/verify.h"

/* What the operations of one vector work on. */
struct run {
    const char *name;
    struct vector *vector;
    struct vdaf *vdaf;
    struct span ctx, verify_key, agg_param;
    size_t reports;
    struct verify_batch **batches; /* of one report; [report * shares + aggregator] */
};

static struct span bytes_or_empty(struct run *run, const char *key) {
    struct span bytes = SPAN_EMPTY;
    (void)vector_bytes(run->vector, &bytes, "%s", key);
    return bytes;
}

bool expect_bytes(const char *name, struct vector *vector, const char *what, const char *key,
                  struct span got) {
    struct span expected;
    if (!vector_bytes(vector, &expected, "%s", key)) {
        fprintf(stderr, "%s: %s: the vector has no %s\n", name, what, key);
        return false;
    }
    if (!span_equal_vartime(expected, got)) {
        fprintf(stderr, "%s: %s: %s differs\n", name, what, key);
        return false;
    }
    return true;
}

static const char *key_of(struct run *run, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static const char *key_of(struct run *run, const char *format, ...) {
    char key[128];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(key, sizeof(key), format, arguments);
    va_end(arguments);
    const char *copy = arena_printf(&run->vector->arena, "%s", key);
    return copy != NULL ? copy : "";
}

/* Whether an operation that ended with `code` did what the vector says. */
static bool expect_outcome(struct run *run, const struct vector_op *op, enum status_code code) {
    if ((code == STATUS_OK) == op->success) {
        return true;
    }
    fprintf(stderr, "%s: %s: %s, but the vector says %s\n", run->name, op->name,
            status_name(code), op->success ? "success" : "failure");
    return false;
}

static bool run_shard(struct run *run, const struct vector_op *op) {
    struct arena *arena = &run->vector->arena;
    struct span nonce, rand;
    uint64_t *values;
    const char *text = vector_text(run->vector, "report.%d.measurement", op->report);
    if (text == NULL || !vector_bytes(run->vector, &nonce, "report.%d.nonce", op->report) ||
        !vector_bytes(run->vector, &rand, "report.%d.rand", op->report) ||
        nonce.len != VDAF_NONCE_SIZE || rand.len != vdaf_rand_size(run->vdaf)) {
        fprintf(stderr, "%s: shard: inputs are missing or of a wrong size\n", run->name);
        return false;
    }
    const int64_t count = vector_numbers(run->vector, text, &values);
    if (count != (int64_t)vdaf_measurement_len(run->vdaf)) {
        return expect_outcome(run, op, STATUS_INVALID_ARGUMENT);
    }
    const struct shard_input input = {run->ctx, nonce.data, rand.data, values};
    struct shard_output output;
    const struct status status = vdaf_shard(run->vdaf, &input, 1, arena, &output);
    bool good = expect_outcome(run, op, status.code);
    if (!status_ok(status)) {
        return good;
    }
    good &= expect_bytes(run->name, run->vector, "shard",
                         key_of(run, "report.%d.public_share", op->report), output.public_share);
    for (unsigned share = 0; share < vdaf_shares(run->vdaf); share++) {
        good &= expect_bytes(run->name, run->vector, "shard",
                             key_of(run, "report.%d.input_shares.%u", op->report, share),
                             output.input_shares[share]);
    }
    return good;
}

static struct verify_batch **batch_of(struct run *run, const struct vector_op *op) {
    return &run->batches[(size_t)op->report * vdaf_shares(run->vdaf) + (unsigned)op->aggregator];
}

static bool run_verify_init(struct run *run, const struct vector_op *op) {
    struct verify_batch **batch = batch_of(run, op);
    struct span nonce;
    if (*batch != NULL ||
        !vector_bytes(run->vector, &nonce, "report.%d.nonce", op->report) ||
        nonce.len != VDAF_NONCE_SIZE) {
        fprintf(stderr, "%s: verify_init: out of order, or without a nonce\n", run->name);
        return false;
    }
    const struct verify_input input = {
        run->verify_key, run->ctx, nonce.data,
        bytes_or_empty(run, key_of(run, "report.%d.public_share", op->report)),
        bytes_or_empty(run, key_of(run, "report.%d.input_shares.%d", op->report, op->aggregator))};
    struct status status = verify_batch_new(run->vdaf, (unsigned)op->aggregator, run->agg_param, 1,
                                            batch);
    if (status_ok(status)) {
        status = verify_batch_init(*batch, &input);
    }
    if (!status_ok(status)) {
        return expect_outcome(run, op, status.code);
    }
    const enum status_code verdict = verify_batch_verdict(*batch, 0);
    return expect_outcome(run, op, verdict) &&
           (verdict != STATUS_OK ||
            expect_bytes(
                run->name, run->vector, "verify_init",
                key_of(run, "report.%d.verifier_shares.0.%d", op->report, op->aggregator),
                verify_batch_share(*batch, 0)));
}

static bool run_shares_to_message(struct run *run, const struct vector_op *op) {
    struct span shares[VDAF_SHARES_MAX], message;
    enum status_code verdict = STATUS_OK;
    for (unsigned share = 0; share < vdaf_shares(run->vdaf); share++) {
        shares[share] = bytes_or_empty(
            run, key_of(run, "report.%d.verifier_shares.%d.%u", op->report, op->round, share));
    }
    const struct status status =
        verify_shares_to_message(run->vdaf, run->agg_param, &run->ctx, shares, 1,
                                 &run->vector->arena, &message, &verdict);
    if (!status_ok(status)) {
        return expect_outcome(run, op, status.code);
    }
    return expect_outcome(run, op, verdict) &&
           (verdict != STATUS_OK ||
            expect_bytes(run->name, run->vector, "verifier_shares_to_message",
                         key_of(run, "report.%d.verifier_messages.%d", op->report, op->round),
                         message));
}

/* Puts the batch through its own encoding, as a server that restarts does. */
static struct status restart(struct run *run, const struct vector_op *op) {
    struct verify_batch **batch = batch_of(run, op);
    struct verify_batch *decoded = NULL;
    struct buffer encoded = BUFFER_INIT;
    struct status status = verify_batch_encode(*batch, &encoded);
    if (status_ok(status)) {
        status = verify_batch_decode(run->vdaf, (unsigned)op->aggregator, run->agg_param,
                                     buffer_span(&encoded), &decoded);
    }
    if (status_ok(status)) {
        verify_batch_free(*batch);
        *batch = decoded;
    }
    buffer_release(&encoded);
    return status;
}

static bool expect_next(struct run *run, const struct vector_op *op) {
    struct verify_batch *batch = *batch_of(run, op);
    struct span out_share;
    if ((unsigned)op->round < vdaf_rounds(run->vdaf)) {
        return expect_bytes(run->name, run->vector, "verify_next",
                            key_of(run, "report.%d.verifier_shares.%d.%d", op->report, op->round,
                                   op->aggregator),
                            verify_batch_share(batch, 0));
    }
    return status_ok(verify_batch_out_share(batch, 0, &run->vector->arena, &out_share)) &&
           expect_bytes(run->name, run->vector, "verify_next",
                        key_of(run, "report.%d.out_shares.%d", op->report, op->aggregator),
                        out_share);
}

static bool run_verify_next(struct run *run, const struct vector_op *op) {
    struct verify_batch **batch = batch_of(run, op);
    if (*batch == NULL || verify_batch_verdict(*batch, 0) != STATUS_OK || op->round < 1) {
        fprintf(stderr, "%s: verify_next: out of order\n", run->name);
        return false;
    }
    const struct span message = bytes_or_empty(
        run, key_of(run, "report.%d.verifier_messages.%d", op->report, op->round - 1));
    struct status status = restart(run, op);
    if (status_ok(status)) {
        status = verify_batch_next(*batch, &message);
    }
    if (!status_ok(status)) {
        return expect_outcome(run, op, status.code);
    }
    const enum status_code verdict = verify_batch_verdict(*batch, 0);
    return expect_outcome(run, op, verdict) && (verdict != STATUS_OK || expect_next(run, op));
}

static bool run_aggregate(struct run *run, const struct vector_op *op) {
    const size_t size = vdaf_agg_share_size(run->vdaf);
    uint8_t *agg_share = arena_alloc(&run->vector->arena, size, 1);
    if (agg_share == NULL) {
        return false;
    }
    vdaf_agg_init(run->vdaf, agg_share);
    struct status status = OK;
    for (size_t report = 0; report < run->reports && status_ok(status); report++) {
        const struct verify_batch *batch =
            run->batches[report * vdaf_shares(run->vdaf) + (unsigned)op->aggregator];
        const uint32_t bucket = 0;
        if (batch != NULL) {
            status = verify_batch_accumulate(batch, &bucket, &agg_share, 1);
        }
    }
    return expect_outcome(run, op, status.code) &&
           (!status_ok(status) ||
            expect_bytes(run->name, run->vector, "aggregate",
                         key_of(run, "agg_share.%d", op->aggregator), span_of(agg_share, size)));
}

/* The values as the vector writes them. */
static struct status print_values(const vdaf_value values[], size_t count, struct buffer *out) {
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            TRY(buffer_append_u8(out, ','));
        }
        TRY(vdaf_print_value(values[i], out));
    }
    return OK;
}

static bool run_unshard(struct run *run, const struct vector_op *op) {
    struct span agg_shares[VDAF_SHARES_MAX];
    const size_t count = vdaf_result_len(run->vdaf);
    vdaf_value *values = ARENA_ARRAY(&run->vector->arena, vdaf_value, count);
    for (unsigned share = 0; share < vdaf_shares(run->vdaf); share++) {
        agg_shares[share] = bytes_or_empty(run, key_of(run, "agg_share.%u", share));
    }
    if (values == NULL) {
        return false;
    }
    struct status status =
        vdaf_unshard(run->vdaf, run->agg_param, agg_shares, run->reports, values);
    if (!status_ok(status)) {
        return expect_outcome(run, op, status.code);
    }
    struct buffer text = BUFFER_INIT;
    status = print_values(values, count, &text);
    const char *expected = vector_text(run->vector, "agg_result");
    const bool equal = status_ok(status) && expected != NULL &&
                       span_equal_vartime(buffer_span(&text), span_of_string(expected));
    buffer_release(&text);
    if (!equal) {
        fprintf(stderr, "%s: unshard: agg_result differs\n", run->name);
    }
    return expect_outcome(run, op, STATUS_OK) && equal;
}

enum { TAKES_REPORT = 1, TAKES_AGGREGATOR = 2, TAKES_ROUND = 4 };

static const struct operation {
    const char *name;
    unsigned takes;
    bool (*run)(struct run *run, const struct vector_op *op);
} operations[] = {
    {"shard", TAKES_REPORT, run_shard},
    {"verify_init", TAKES_REPORT | TAKES_AGGREGATOR, run_verify_init},
    {"verifier_shares_to_message", TAKES_REPORT | TAKES_ROUND, run_shares_to_message},
    {"verify_next", TAKES_REPORT | TAKES_AGGREGATOR | TAKES_ROUND, run_verify_next},
    {"aggregate", TAKES_AGGREGATOR, run_aggregate},
    {"unshard", 0, run_unshard},
};

static bool index_fits(unsigned takes, unsigned which, int index, size_t limit) {
    return !(takes & which) || (index >= 0 && (size_t)index < limit);
}

static bool run_op(struct run *run, const struct vector_op *op) {
    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
        const struct operation *operation = &operations[i];
        if (strcmp(operation->name, op->name) != 0) {
            continue;
        }
        if (!index_fits(operation->takes, TAKES_REPORT, op->report, run->reports) ||
            !index_fits(operation->takes, TAKES_AGGREGATOR, op->aggregator,
                        vdaf_shares(run->vdaf)) ||
            !index_fits(operation->takes, TAKES_ROUND, op->round,
                        vdaf_rounds(run->vdaf) + 1)) {
            fprintf(stderr, "%s: %s: an index is out of range\n", run->name, op->name);
            return false;
        }
        return operation->run(run, op);
    }
    fprintf(stderr, "%s: there is no operation %s\n", run->name, op->name);
    return false;
}

/* The named type's parameters, in its order, from the vector. */
static struct status read_params(struct vector *vector, const struct vdaf_type *type,
                                 uint64_t params[]) {
    for (size_t i = 0; type->params[i].name != NULL; i++) {
        const char *text = vector_text(vector, "param.%s", type->params[i].name);
        uint64_t *number;
        if (text == NULL) {
            params[i] = 0;
        } else if (vector_numbers(vector, text, &number) == 1) {
            params[i] = number[0];
        } else {
            return FAIL(INVALID_ARGUMENT);
        }
    }
    return OK;
}

/* The draft's vectors leave out the number of proofs: it follows from the size
 * of the leader's share, which grows by as much with each. */
static struct status infer_proofs(struct vector *vector, const struct vdaf_type *type,
                                  uint64_t params[], unsigned shares) {
    size_t at = 0, sizes[2];
    struct span share;
    while (type->params[at].name != NULL && strcmp(type->params[at].name, "proofs") != 0) {
        at++;
    }
    if (type->params[at].name == NULL || params[at] != 0) {
        return OK;
    }
    for (unsigned proofs = 1; proofs <= 2; proofs++) {
        struct vdaf *vdaf;
        params[at] = proofs;
        TRY(vdaf_new_of_type(type, params, shares, &vdaf));
        sizes[proofs - 1] = vdaf_input_share_size(vdaf, 0);
        vdaf_free(vdaf);
    }
    if (!vector_bytes(vector, &share, "report.0.input_shares.0") || share.len < sizes[0]) {
        return FAIL(INVALID_ARGUMENT);
    }
    params[at] = 1 + (share.len - sizes[0]) / (sizes[1] - sizes[0]);
    return OK;
}

static const struct vdaf_type *type_of(const char *name) {
    return strcmp(name, vdaf_type_higher_degree.name) == 0 ? &vdaf_type_higher_degree
                                                           : vdaf_type_by_name(name);
}

static struct status make_vdaf(struct vector *vector, const struct vdaf_type *type,
                               struct vdaf **out) {
    uint64_t params[VDAF_PARAMS_MAX] = {0}, *shares, *reports;
    const char *shares_text = vector_text(vector, "shares");
    const char *reports_text = vector_text(vector, "reports");
    if (shares_text == NULL || vector_numbers(vector, shares_text, &shares) != 1 ||
        reports_text == NULL || vector_numbers(vector, reports_text, &reports) != 1 ||
        shares[0] > VDAF_SHARES_MAX || reports[0] > INT32_MAX) {
        return FAIL(INVALID_ARGUMENT);
    }
    TRY(read_params(vector, type, params));
    TRY(infer_proofs(vector, type, params, (unsigned)shares[0]));
    return vdaf_new_of_type(type, params, (unsigned)shares[0], out);
}

static bool run_ops(struct run *run) {
    const size_t batches = run->reports * vdaf_shares(run->vdaf);
    run->batches = ARENA_ARRAY(&run->vector->arena, struct verify_batch *, batches);
    bool good = run->batches != NULL && run->vector->op_count > 0;
    for (size_t i = 0; i < run->vector->op_count && run->batches != NULL; i++) {
        good &= run_op(run, &run->vector->ops[i]);
    }
    for (size_t i = 0; i < batches && run->batches != NULL; i++) {
        verify_batch_free(run->batches[i]);
    }
    return good;
}

enum outcome run_vdaf(const char *name, struct vector *vector) {
    struct run run = {.name = name, .vector = vector};
    const struct vdaf_type *type = type_of(vector_text(vector, "vdaf"));
    if (type == NULL) {
        fprintf(stderr, "%s: skipped: this build has no such VDAF\n", name);
        return SKIPPED;
    }
    const struct status status = make_vdaf(vector, type, &run.vdaf);
    if (!status_ok(status) || !vector_bytes(vector, &run.ctx, "ctx") ||
        !vector_bytes(vector, &run.verify_key, "verify_key") ||
        !vector_bytes(vector, &run.agg_param, "agg_param")) {
        fprintf(stderr, "%s: not a vector of this VDAF: %s\n", name, status_name(status.code));
        vdaf_free(status_ok(status) ? run.vdaf : NULL);
        return FAILED;
    }
    run.reports = strtoull(vector_text(vector, "reports"), NULL, 10);
    const bool good = run_ops(&run);
    vdaf_free(run.vdaf);
    return good ? PASSED : FAILED;
}
