/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

/* Batches that are encoded and decoded on the way, as by a restart. */

enum { REPORTS = 5, REFUSED = 2 };

/* Replaces a batch by what its encoding decodes to. */
static void restart(struct verify_batch **batch, const struct vdaf *vdaf, unsigned aggregator) {
    struct buffer encoded = BUFFER_INIT;
    struct verify_batch *decoded;
    cr_assert(status_ok(verify_batch_encode(*batch, &encoded)));
    cr_assert(status_ok(verify_batch_decode(vdaf, aggregator, SPAN_EMPTY, buffer_span(&encoded),
                                            &decoded)));
    cr_assert_eq(verify_batch_count(decoded), verify_batch_count(*batch));
    for (size_t i = 0; i < verify_batch_count(decoded); i++) {
        cr_assert_eq(verify_batch_verdict(decoded, i), verify_batch_verdict(*batch, i));
        cr_assert_eq(pingpong_state(decoded, i), pingpong_state(*batch, i));
        cr_assert(span_equal_vartime(pingpong_outbound(decoded, i), pingpong_outbound(*batch, i)));
        cr_assert(
            span_equal_vartime(verify_batch_share(decoded, i), verify_batch_share(*batch, i)));
    }
    buffer_release(&encoded);
    verify_batch_free(*batch);
    *batch = decoded;
}

static void outbound_of(const struct verify_batch *batch, struct arena *arena,
                        struct span out[REPORTS]) {
    for (size_t i = 0; i < REPORTS; i++) {
        cr_assert(status_ok(arena_copy(arena, pingpong_outbound(batch, i), &out[i])));
    }
}

static void check_restarts(const struct vdaf *vdaf) {
    struct reports reports;
    reports_new(&reports, vdaf, REPORTS);
    struct verify_batch *leader, *helper;
    struct span messages[REPORTS];
    cr_assert(status_ok(verify_batch_new(vdaf, 0, SPAN_EMPTY, REPORTS, &leader)));
    cr_assert(status_ok(verify_batch_new(vdaf, 1, SPAN_EMPTY, REPORTS, &helper)));
    restart(&leader, vdaf, 0);
    verify_batch_refuse(leader, REFUSED, STATUS_BATCH_INVALID);
    restart(&leader, vdaf, 0);
    cr_assert(status_ok(pingpong_leader_init(leader, reports_inputs(&reports, 0))));
    restart(&leader, vdaf, 0);
    outbound_of(leader, &reports.arena, messages);
    cr_assert(status_ok(pingpong_helper_init(helper, reports_inputs(&reports, 1), messages)));
    restart(&helper, vdaf, 1);
    outbound_of(helper, &reports.arena, messages);
    cr_assert(status_ok(pingpong_leader_continued(leader, messages)));
    restart(&leader, vdaf, 0);
    for (size_t i = 0; i < REPORTS; i++) {
        cr_assert_eq(pingpong_state(leader, i), i == REFUSED ? VERIFY_REJECTED : VERIFY_FINISHED);
    }
    struct span out_share;
    uint8_t agg_share[512];
    uint8_t *const agg_shares[] = {agg_share};
    const uint32_t buckets[REPORTS] = {0};
    vdaf_agg_init(vdaf, agg_share);
    cr_assert(status_ok(verify_batch_accumulate(leader, buckets, agg_shares, 1)));
    for (size_t i = 1; i < REPORTS; i++) {
        cr_assert(i == REFUSED || status_ok(verify_batch_subtract(leader, i, agg_share)));
    }
    cr_assert(status_ok(verify_batch_out_share(leader, 0, &reports.arena, &out_share)));
    cr_assert_eq(out_share.len, vdaf_agg_share_size(vdaf));
    cr_assert_eq(memcmp(out_share.data, agg_share, out_share.len), 0, "the first alone is left");
    verify_batch_free(leader);
    verify_batch_free(helper);
    reports_release(&reports);
}

Test(state, restarts) {
    for (int i = 0; i < INSTANCES; i++) {
        struct vdaf *vdaf = instance_new(i, 2);
        check_restarts(vdaf);
        vdaf_free(vdaf);
    }
}

static enum status_code decode(const struct vdaf *vdaf, const uint8_t *bytes, size_t len) {
    struct verify_batch *batch = NULL;
    const struct span copy = copy_exact(span_of(bytes, len));
    const struct status status = verify_batch_decode(vdaf, 0, SPAN_EMPTY, copy, &batch);
    verify_batch_free(batch);
    free((void *)copy.data);
    return status.code;
}

/* The state of a batch of two, one of which is refused. */
static void encode_two(const struct vdaf *vdaf, struct buffer *out) {
    struct reports reports;
    struct verify_batch *batch;
    reports_new(&reports, vdaf, 2);
    cr_assert(status_ok(verify_batch_new(vdaf, 0, SPAN_EMPTY, 2, &batch)));
    verify_batch_refuse(batch, 0, STATUS_VERIFY_FAILED);
    cr_assert(status_ok(pingpong_leader_init(batch, reports_inputs(&reports, 0))));
    cr_assert(status_ok(verify_batch_encode(batch, out)));
    verify_batch_free(batch);
    reports_release(&reports);
}

Test(state, decodes_only_whole) {
    for (int i = 0; i < INSTANCES; i++) {
        struct vdaf *vdaf = instance_new(i, 2);
        struct buffer encoded = BUFFER_INIT;
        encode_two(vdaf, &encoded);
        cr_assert_eq(decode(vdaf, encoded.data, encoded.len), STATUS_OK);
        for (size_t len = 0; len < encoded.len; len++) {
            cr_assert_eq(decode(vdaf, encoded.data, len), STATUS_INVALID_MESSAGE, "%zu", len);
        }
        cr_assert(status_ok(buffer_append_u8(&encoded, 0)));
        cr_assert_eq(decode(vdaf, encoded.data, encoded.len), STATUS_INVALID_MESSAGE);
        encoded.len--;
        /* The last report's state is at the end, its output share first. */
        const size_t seed = vdaf_public_share_size(vdaf) > 0 ? 32 : 0;
        uint8_t *out_share = encoded.data + encoded.len - seed - vdaf_agg_share_size(vdaf);
        memset(out_share, 0xff, 16 < vdaf_agg_share_size(vdaf) ? 16 : 8);
        cr_assert_eq(decode(vdaf, encoded.data, encoded.len), STATUS_INVALID_MESSAGE);
        buffer_release(&encoded);
        vdaf_free(vdaf);
    }
}

/* No change of a byte may do worse than change what the bytes stand for. */
Test(state, survives_any_byte) {
    struct vdaf *vdaf = instance_new(0, 2);
    struct buffer encoded = BUFFER_INIT;
    encode_two(vdaf, &encoded);
    for (size_t at = 0; at < encoded.len; at++) {
        const uint8_t before = encoded.data[at];
        for (unsigned byte = 0; byte < 256; byte++) {
            encoded.data[at] = (uint8_t)byte;
            const enum status_code code = decode(vdaf, encoded.data, encoded.len);
            cr_assert(code == STATUS_OK || code == STATUS_INVALID_MESSAGE);
        }
        encoded.data[at] = before;
    }
    buffer_release(&encoded);
    vdaf_free(vdaf);
}
