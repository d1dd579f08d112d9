/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

/* Shares decode only whole, and only with elements below the modulus. */

/* The verdict on one report's inputs. */
static enum status_code init_verdict(const struct vdaf *vdaf, unsigned aggregator,
                                     struct verify_input input) {
    struct verify_batch *batch;
    const struct span input_share = copy_exact(input.input_share);
    const struct span public_share = copy_exact(input.public_share);
    input.input_share = input_share;
    input.public_share = public_share;
    cr_assert(status_ok(verify_batch_new(vdaf, aggregator, SPAN_EMPTY, 1, &batch)));
    cr_assert(status_ok(verify_batch_init(batch, &input)));
    const enum status_code verdict = verify_batch_verdict(batch, 0);
    verify_batch_free(batch);
    free((void *)input_share.data);
    free((void *)public_share.data);
    return verdict;
}

static size_t element_size(const struct vdaf *vdaf) {
    return vdaf_agg_share_size(vdaf) / vdaf_result_len(vdaf);
}

/* Every element of the leader's share in turn is made as large as can be. */
static void check_elements(const struct vdaf *vdaf, struct verify_input input) {
    const size_t size = element_size(vdaf);
    const size_t blind = vdaf_public_share_size(vdaf) > 0 ? 32 : 0;
    uint8_t bytes[4096];
    memcpy(bytes, input.input_share.data, input.input_share.len);
    const size_t len = input.input_share.len;
    for (size_t at = 0; at + blind < len; at += size) {
        memset(bytes + at, 0xff, size);
        input.input_share = span_of(bytes, len);
        cr_assert_eq(init_verdict(vdaf, 0, input), STATUS_INVALID_MESSAGE, "element at %zu", at);
        memset(bytes + at, 0, size);
        cr_assert_eq(init_verdict(vdaf, 0, input), STATUS_OK, "zero decodes");
    }
}

static void check_input(const struct vdaf *vdaf, unsigned aggregator,
                        const struct verify_input *good) {
    uint8_t input_share[4096] = {0}, public_share[256] = {0};
    memcpy(input_share, good->input_share.data, good->input_share.len);
    memcpy(public_share, good->public_share.data, good->public_share.len);
    cr_assert_eq(init_verdict(vdaf, aggregator, *good), STATUS_OK);
    for (size_t len = 0; len <= good->input_share.len + 1; len++) {
        struct verify_input input = *good;
        input.input_share = span_of(input_share, len);
        cr_assert_eq(init_verdict(vdaf, aggregator, input) == STATUS_OK,
                     len == good->input_share.len);
    }
    for (size_t len = 0; len <= good->public_share.len + 1; len++) {
        struct verify_input input = *good;
        input.public_share = span_of(public_share, len);
        cr_assert_eq(init_verdict(vdaf, aggregator, input) == STATUS_OK,
                     len == good->public_share.len);
    }
    struct verify_input input = *good;
    input.verify_key.len--;
    cr_assert_eq(init_verdict(vdaf, aggregator, input), STATUS_INVALID_ARGUMENT);
    if (aggregator == 0) {
        check_elements(vdaf, *good);
    }
}

Test(decode, input_and_public_shares) {
    for (int i = 0; i < INSTANCES; i++) {
        struct vdaf *vdaf = instance_new(i, 3);
        struct reports reports;
        reports_new(&reports, vdaf, 1);
        for (unsigned aggregator = 0; aggregator < 3; aggregator++) {
            check_input(vdaf, aggregator, reports_inputs(&reports, aggregator));
        }
        reports_release(&reports);
        vdaf_free(vdaf);
    }
}

static enum status_code message_verdict(const struct vdaf *vdaf, struct span ctx,
                                        const struct span shares[]) {
    struct arena arena = ARENA_INIT;
    struct span message;
    enum status_code verdict = STATUS_OK;
    cr_assert(status_ok(verify_shares_to_message(vdaf, SPAN_EMPTY, &ctx, shares, 1, &arena,
                                                 &message, &verdict)));
    cr_assert(verdict == STATUS_OK || message.len == 0);
    arena_release(&arena);
    return verdict;
}

static void check_verifier_shares(const struct vdaf *vdaf, struct reports *reports) {
    struct verify_batch *batches[3];
    struct span shares[3];
    for (unsigned j = 0; j < 3; j++) {
        cr_assert(status_ok(verify_batch_new(vdaf, j, SPAN_EMPTY, 1, &batches[j])));
        cr_assert(status_ok(verify_batch_init(batches[j], reports_inputs(reports, j))));
        shares[j] = verify_batch_share(batches[j], 0);
    }
    cr_assert_eq(message_verdict(vdaf, reports->ctx, shares), STATUS_OK);
    const size_t size = element_size(vdaf);
    const size_t part = vdaf_public_share_size(vdaf) > 0 ? 32 : 0;
    for (unsigned j = 0; j < 3; j++) {
        const struct span good = shares[j];
        uint8_t bytes[1024] = {0};
        memcpy(bytes, good.data, good.len);
        for (size_t len = 0; len <= good.len + 1; len++) {
            shares[j] = copy_exact(span_of(bytes, len));
            cr_assert_eq(message_verdict(vdaf, reports->ctx, shares),
                         len == good.len ? STATUS_OK : STATUS_INVALID_MESSAGE);
            free((void *)shares[j].data);
        }
        shares[j] = span_of(bytes, good.len);
        for (size_t at = 0; at + part < good.len; at += size) {
            memset(bytes + at, 0xff, size);
            cr_assert_eq(message_verdict(vdaf, reports->ctx, shares), STATUS_INVALID_MESSAGE);
            memcpy(bytes + at, good.data + at, size);
            bytes[at] ^= 1;
            cr_assert_neq(message_verdict(vdaf, reports->ctx, shares), STATUS_OK);
            bytes[at] ^= 1;
        }
        shares[j] = good;
    }
    for (unsigned j = 0; j < 3; j++) {
        verify_batch_free(batches[j]);
    }
}

Test(decode, verifier_shares) {
    for (int i = 0; i < INSTANCES; i++) {
        struct vdaf *vdaf = instance_new(i, 3);
        struct reports reports;
        reports_new(&reports, vdaf, 1);
        check_verifier_shares(vdaf, &reports);
        reports_release(&reports);
        vdaf_free(vdaf);
    }
}

static enum status_code next_verdict(const struct vdaf *vdaf, struct reports *reports,
                                     struct span message) {
    struct verify_batch *batch;
    const struct span copy = copy_exact(message);
    cr_assert(status_ok(verify_batch_new(vdaf, 1, SPAN_EMPTY, 1, &batch)));
    cr_assert(status_ok(verify_batch_init(batch, reports_inputs(reports, 1))));
    cr_assert(status_ok(verify_batch_next(batch, &copy)));
    const enum status_code verdict = verify_batch_verdict(batch, 0);
    cr_assert_eq(pingpong_state(batch, 0),
                 verdict == STATUS_OK ? VERIFY_FINISHED : VERIFY_REJECTED);
    verify_batch_free(batch);
    free((void *)copy.data);
    return verdict;
}

/* The message that two aggregators' shares make. */
static struct span message_of(const struct vdaf *vdaf, struct reports *reports) {
    struct span shares[2], message;
    enum status_code verdict = STATUS_OK;
    for (unsigned j = 0; j < 2; j++) {
        struct verify_batch *batch;
        cr_assert(status_ok(verify_batch_new(vdaf, j, SPAN_EMPTY, 1, &batch)));
        cr_assert(status_ok(verify_batch_init(batch, reports_inputs(reports, j))));
        cr_assert(status_ok(arena_copy(&reports->arena, verify_batch_share(batch, 0), &shares[j])));
        verify_batch_free(batch);
    }
    cr_assert(status_ok(verify_shares_to_message(vdaf, SPAN_EMPTY, &reports->ctx, shares, 1,
                                                 &reports->arena, &message, &verdict)));
    cr_assert_eq(verdict, STATUS_OK);
    return message;
}

Test(decode, verifier_messages) {
    for (int i = 0; i < INSTANCES; i++) {
        struct vdaf *vdaf = instance_new(i, 2);
        struct reports reports;
        uint8_t bytes[40] = {0};
        reports_new(&reports, vdaf, 1);
        const struct span good = message_of(vdaf, &reports);
        cr_assert_eq(good.len, vdaf_public_share_size(vdaf) / 2);
        memcpy(bytes, good.data, good.len);
        for (size_t len = 0; len <= good.len + 2; len++) {
            cr_assert_eq(next_verdict(vdaf, &reports, span_of(bytes, len)),
                         len == good.len ? STATUS_OK : STATUS_INVALID_MESSAGE);
        }
        for (size_t at = 0; at < good.len; at++) {
            bytes[at] ^= 0x80;
            cr_assert_eq(next_verdict(vdaf, &reports, span_of(bytes, good.len)),
                         STATUS_VERIFY_FAILED);
            bytes[at] ^= 0x80;
        }
        reports_release(&reports);
        vdaf_free(vdaf);
    }
}

Test(decode, a_skipped_report_stays_skipped) {
    struct vdaf *vdaf = instance_new(0, 2);
    struct arena arena = ARENA_INIT;
    const struct span ctx[2] = {SPAN_EMPTY, SPAN_EMPTY}, shares[4] = {0};
    struct span messages[2];
    enum status_code verdicts[2] = {STATUS_GONE, STATUS_OK};
    cr_assert(status_ok(verify_shares_to_message(vdaf, SPAN_EMPTY, ctx, shares, 2, &arena,
                                                 messages, verdicts)));
    cr_assert_eq(verdicts[0], STATUS_GONE);
    cr_assert_eq(verdicts[1], STATUS_INVALID_MESSAGE);
    arena_release(&arena);
    vdaf_free(vdaf);
}

Test(decode, aggregate_shares) {
    for (int i = 0; i < INSTANCES; i++) {
        struct vdaf *vdaf = instance_new(i, 2);
        const size_t size = vdaf_agg_share_size(vdaf), element = element_size(vdaf);
        uint8_t into[512], from[512];
        vdaf_value values[16];
        vdaf_agg_init(vdaf, into);
        memset(from, 1, sizeof(from));
        for (size_t len = 0; len <= size + 1; len++) {
            const struct span share = copy_exact(span_of(from, len));
            const struct span shares[] = {share, share};
            const enum status_code expected = len == size ? STATUS_OK : STATUS_INVALID_MESSAGE;
            cr_assert_eq(vdaf_agg_merge(vdaf, into, share).code, expected);
            cr_assert_eq(vdaf_unshard(vdaf, SPAN_EMPTY, shares, 1, values).code, expected);
            free((void *)share.data);
        }
        cr_assert_eq(memcmp(into, from, size), 0);
        for (size_t at = 0; at < size; at += element) {
            memset(from + at, 0xff, element);
            const struct span shares[] = {span_of(into, size), span_of(from, size)};
            cr_assert_eq(vdaf_agg_merge(vdaf, into, shares[1]).code, STATUS_INVALID_MESSAGE);
            cr_assert_eq(vdaf_unshard(vdaf, SPAN_EMPTY, shares, 1, values).code,
                         STATUS_INVALID_MESSAGE);
            memset(from + at, 1, element);
        }
        vdaf_free(vdaf);
    }
}

Test(decode, contexts_have_a_longest) {
    struct vdaf *vdaf = instance_new(0, 2);
    struct arena arena = ARENA_INIT;
    const uint8_t *zeros = arena_alloc(&arena, 65536, 1);
    const uint64_t value = 1;
    struct shard_output output;
    struct shard_input input = {span_of(zeros, 65535 - 8), zeros, zeros, &value};
    cr_assert(status_ok(vdaf_shard(vdaf, &input, 1, &arena, &output)));
    struct verify_input verify = {span_of(zeros, 32), input.ctx, zeros, output.public_share,
                                  output.input_shares[0]};
    cr_assert_eq(init_verdict(vdaf, 0, verify), STATUS_OK);
    input.ctx.len++;
    verify.ctx.len++;
    cr_assert_eq(vdaf_shard(vdaf, &input, 1, &arena, &output).code, STATUS_INVALID_ARGUMENT);
    cr_assert_eq(init_verdict(vdaf, 0, verify), STATUS_INVALID_ARGUMENT);
    arena_release(&arena);
    vdaf_free(vdaf);
}

/* Beyond which they aren't counted, and nothing is read or written. */
Test(decode, batches_have_a_largest) {
    struct vdaf *vdaf = instance_new(COUNT, 2);
    struct arena arena = ARENA_INIT;
    struct verify_batch *batch;
    const size_t too_many = (size_t)UINT32_MAX + 1;
    cr_assert_eq(verify_batch_new(vdaf, 0, SPAN_EMPTY, too_many, &batch).code, STATUS_NO_MEMORY);
    cr_assert_eq(verify_batch_new(vdaf, 0, SPAN_EMPTY, SIZE_MAX, &batch).code, STATUS_NO_MEMORY);
    cr_assert_eq(verify_shares_to_message(vdaf, SPAN_EMPTY, NULL, NULL, too_many, &arena, NULL,
                                          NULL).code,
                 STATUS_NO_MEMORY);
    arena_release(&arena);
    vdaf_free(vdaf);
}
