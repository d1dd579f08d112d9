/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

/* The two aggregators of one batch. */
struct pair {
    struct reports reports;
    struct verify_batch *leader, *helper;
    struct verify_input *leader_inputs, *helper_inputs;
    struct span *to_helper, *to_leader;
};

static void pair_new(struct pair *pair, const struct vdaf *vdaf, size_t count) {
    reports_new(&pair->reports, vdaf, count);
    cr_assert(status_ok(verify_batch_new(vdaf, 0, SPAN_EMPTY, count, &pair->leader)));
    cr_assert(status_ok(verify_batch_new(vdaf, 1, SPAN_EMPTY, count, &pair->helper)));
    pair->leader_inputs = reports_inputs(&pair->reports, 0);
    pair->helper_inputs = reports_inputs(&pair->reports, 1);
    pair->to_helper = ARENA_ARRAY(&pair->reports.arena, struct span, count);
    pair->to_leader = ARENA_ARRAY(&pair->reports.arena, struct span, count);
}

static void pair_free(struct pair *pair) {
    verify_batch_free(pair->leader);
    verify_batch_free(pair->helper);
    reports_release(&pair->reports);
}

static void leader_init(struct pair *pair) {
    cr_assert(status_ok(pingpong_leader_init(pair->leader, pair->leader_inputs)));
    for (size_t i = 0; i < pair->reports.count; i++) {
        pair->to_helper[i] = pingpong_outbound(pair->leader, i);
    }
}

static void helper_init(struct pair *pair) {
    cr_assert(status_ok(pingpong_helper_init(pair->helper, pair->helper_inputs, pair->to_helper)));
    for (size_t i = 0; i < pair->reports.count; i++) {
        pair->to_leader[i] = pingpong_outbound(pair->helper, i);
    }
}

static void leader_continued(struct pair *pair) {
    cr_assert(status_ok(pingpong_leader_continued(pair->leader, pair->to_leader)));
}

/* A copy of bytes in the arena with one of them changed. */
static struct span flipped(struct pair *pair, struct span bytes, size_t at) {
    struct span copy;
    cr_assert(status_ok(arena_copy(&pair->reports.arena, bytes, &copy)));
    ((uint8_t *)copy.data)[at] ^= 1;
    return copy;
}

/* Faults in the middle of a batch, by report; all others must be counted. */
enum fault { LEADER_SHORT = 3, LEADER_FLIPPED = 5, MESSAGE_FLIPPED = 7, HELPER_LONG = 9,
             HELPER_FLIPPED = 11, ANSWER_LOST = 12, REPORTS = 20 };

static void break_inputs(struct pair *pair) {
    pair->leader_inputs[LEADER_SHORT].input_share.len--;
    struct span *leader = &pair->leader_inputs[LEADER_FLIPPED].input_share;
    *leader = flipped(pair, *leader, 0);
    struct span *helper = &pair->helper_inputs[HELPER_LONG].input_share;
    uint8_t *longer = arena_alloc(&pair->reports.arena, helper->len + 1, 1);
    memcpy(longer, helper->data, helper->len);
    *helper = span_of(longer, helper->len + 1);
    helper = &pair->helper_inputs[HELPER_FLIPPED].input_share;
    *helper = flipped(pair, *helper, 0);
}

/* Sums the reports that both sides accept; a helper that hears later that the
 * leader did not takes them out again. */
static void check_sum(struct pair *pair) {
    const struct vdaf *vdaf = pair->reports.vdaf;
    const size_t size = vdaf_agg_share_size(vdaf), len = vdaf_result_len(vdaf);
    uint8_t *shares[2];
    uint32_t buckets[REPORTS] = {0};
    for (int side = 0; side < 2; side++) {
        shares[side] = arena_alloc(&pair->reports.arena, size, 1);
        vdaf_agg_init(vdaf, shares[side]);
        cr_assert(status_ok(verify_batch_accumulate(side == 0 ? pair->leader : pair->helper,
                                                    buckets, &shares[side], 1)));
    }
    vdaf_value values[16], expected[16] = {0};
    size_t counted = 0;
    for (size_t i = 0; i < REPORTS; i++) {
        if (verify_batch_verdict(pair->leader, i) != STATUS_OK) {
            if (verify_batch_verdict(pair->helper, i) == STATUS_OK) {
                cr_assert(status_ok(verify_batch_subtract(pair->helper, i, shares[1])));
            }
            continue;
        }
        counted++;
        const uint64_t *measurement = pair->reports.values + i * vdaf_measurement_len(vdaf);
        if (strcmp(vdaf_name(vdaf), "Prio3Histogram") == 0) {
            expected[measurement[0]]++;
            continue;
        }
        for (size_t j = 0; j < len; j++) {
            expected[j] += measurement[j];
        }
    }
    const struct span encoded[] = {span_of(shares[0], size), span_of(shares[1], size)};
    cr_assert(status_ok(vdaf_unshard(vdaf, SPAN_EMPTY, encoded, counted, values)));
    for (size_t j = 0; j < len; j++) {
        cr_assert_eq(values[j], expected[j], "%s: value %zu", vdaf_name(vdaf), j);
    }
}

static void check_verdicts(const struct pair *pair) {
    for (size_t i = 0; i < REPORTS; i++) {
        const enum status_code leader = verify_batch_verdict(pair->leader, i);
        const enum status_code helper = verify_batch_verdict(pair->helper, i);
        const bool faulty = i == LEADER_SHORT || i == LEADER_FLIPPED || i == MESSAGE_FLIPPED ||
                            i == HELPER_LONG || i == HELPER_FLIPPED;
        cr_assert_eq(helper != STATUS_OK, faulty, "report %zu: %s", i, status_name(helper));
        cr_assert_eq(leader != STATUS_OK, faulty || i == ANSWER_LOST, "report %zu", i);
        cr_assert_eq(pingpong_state(pair->leader, i),
                     leader == STATUS_OK ? VERIFY_FINISHED : VERIFY_REJECTED);
        cr_assert_eq(pingpong_state(pair->helper, i),
                     helper == STATUS_OK ? VERIFY_FINISHED_WITH_OUTBOUND : VERIFY_REJECTED);
    }
    cr_assert_eq(verify_batch_verdict(pair->leader, LEADER_SHORT), STATUS_INVALID_MESSAGE);
    cr_assert_eq(verify_batch_verdict(pair->helper, LEADER_FLIPPED), STATUS_VERIFY_FAILED);
    cr_assert_eq(verify_batch_verdict(pair->helper, MESSAGE_FLIPPED), STATUS_VERIFY_FAILED);
    cr_assert_eq(verify_batch_verdict(pair->helper, HELPER_LONG), STATUS_INVALID_MESSAGE);
    cr_assert_eq(verify_batch_verdict(pair->helper, HELPER_FLIPPED), STATUS_VERIFY_FAILED);
}

Test(pingpong, bad_reports_leave_the_others_alone) {
    for (int i = 0; i < INSTANCES; i++) {
        struct vdaf *vdaf = instance_new(i, 2);
        struct pair pair;
        pair_new(&pair, vdaf, REPORTS);
        break_inputs(&pair);
        leader_init(&pair);
        pair.to_helper[MESSAGE_FLIPPED] = flipped(&pair, pair.to_helper[MESSAGE_FLIPPED], 6);
        helper_init(&pair);
        pair.to_leader[ANSWER_LOST] = SPAN_EMPTY;
        leader_continued(&pair);
        check_verdicts(&pair);
        check_sum(&pair);
        pair_free(&pair);
        vdaf_free(vdaf);
    }
}

/* A message type and the vectors that follow, as section 5.7.1 has them. */
Test(pingpong, messages_are_the_drafts) {
    struct vdaf *vdaf = instance_new(4, 2);
    struct pair pair;
    pair_new(&pair, vdaf, 1);
    leader_init(&pair);
    helper_init(&pair);
    const struct span share = verify_batch_share(pair.leader, 0);
    const uint8_t initialize[] = {0, 0, 0, (uint8_t)(share.len >> 8), (uint8_t)share.len};
    cr_assert_eq(pair.to_helper[0].len, 5 + share.len);
    cr_assert_eq(memcmp(pair.to_helper[0].data, initialize, 5), 0);
    cr_assert_eq(memcmp(pair.to_helper[0].data + 5, share.data, share.len), 0);
    cr_assert_eq(pair.to_leader[0].len, 5 + 32);
    cr_assert_eq(memcmp(pair.to_leader[0].data, "\x02\0\0\0\x20", 5), 0);
    pair_free(&pair);
    vdaf_free(vdaf);
}

/* What the receiver of a message makes of another in its place. */
static enum status_code leader_verdict(const struct vdaf *vdaf, struct span message) {
    struct pair pair;
    pair_new(&pair, vdaf, 1);
    leader_init(&pair);
    pair.to_leader[0] = copy_exact(message);
    leader_continued(&pair);
    const enum status_code verdict = verify_batch_verdict(pair.leader, 0);
    free((void *)pair.to_leader[0].data);
    pair_free(&pair);
    return verdict;
}

static enum status_code helper_verdict(const struct vdaf *vdaf, struct span message) {
    struct pair pair;
    pair_new(&pair, vdaf, 1);
    pair.to_helper[0] = copy_exact(message);
    const struct span message_copy = pair.to_helper[0];
    helper_init(&pair);
    const enum status_code verdict = verify_batch_verdict(pair.helper, 0);
    free((void *)message_copy.data);
    pair_free(&pair);
    return verdict;
}

typedef enum status_code (*receiver)(const struct vdaf *vdaf, struct span message);

static void check_message(const struct vdaf *vdaf, receiver receive, struct span message) {
    uint8_t bytes[4096] = {0};
    memcpy(bytes, message.data, message.len);
    cr_assert_eq(receive(vdaf, message), STATUS_OK);
    for (size_t len = 0; len < message.len; len++) {
        cr_assert_eq(receive(vdaf, span_of(bytes, len)), STATUS_INVALID_MESSAGE, "%zu", len);
    }
    cr_assert_eq(receive(vdaf, span_of(bytes, message.len + 1)), STATUS_INVALID_MESSAGE);
    for (unsigned type = 0; type < 256; type++) {
        bytes[0] = (uint8_t)type;
        cr_assert_eq(receive(vdaf, span_of(bytes, message.len)),
                     type == message.data[0] ? STATUS_OK : STATUS_INVALID_MESSAGE);
    }
    bytes[0] = message.data[0];
    for (size_t byte = 1; byte < message.len; byte++) {
        bytes[byte] ^= 0x40;
        cr_assert_neq(receive(vdaf, span_of(bytes, message.len)), STATUS_OK, "byte %zu", byte);
        bytes[byte] ^= 0x40;
    }
}

Test(pingpong, messages_decode_only_whole) {
    for (int i = 0; i < INSTANCES; i += 4) { /* without and with joint randomness */
        struct vdaf *vdaf = instance_new(i, 2);
        struct pair pair;
        pair_new(&pair, vdaf, 1);
        leader_init(&pair);
        helper_init(&pair);
        check_message(vdaf, helper_verdict, pair.to_helper[0]);
        check_message(vdaf, leader_verdict, pair.to_leader[0]);
        pair_free(&pair);
        vdaf_free(vdaf);
    }
}

/* A helper that has not begun takes no message of a later step, even with a
 * good verifier share in it. */
Test(pingpong, a_helper_begins_at_the_beginning) {
    struct vdaf *vdaf = instance_new(0, 2);
    struct pair pair;
    pair_new(&pair, vdaf, 1);
    leader_init(&pair);
    const struct span good = pair.to_helper[0];
    uint8_t later[256] = {1}; /* continue: an empty message, then the share */
    memcpy(later + 5, good.data + 1, good.len - 1);
    cr_assert_eq(helper_verdict(vdaf, span_of(later, good.len + 4)), STATUS_INVALID_MESSAGE);
    cr_assert_eq(helper_verdict(vdaf, good), STATUS_OK);
    pair_free(&pair);
    vdaf_free(vdaf);
}

Test(pingpong, a_report_refused_by_the_caller_stays_out) {
    struct vdaf *vdaf = instance_new(1, 2);
    struct pair pair;
    pair_new(&pair, vdaf, 3);
    verify_batch_refuse(pair.leader, 1, STATUS_BATCH_OVERLAP);
    leader_init(&pair);
    cr_assert_eq(pair.to_helper[1].len, 0);
    helper_init(&pair);
    leader_continued(&pair);
    verify_batch_refuse(pair.leader, 1, STATUS_GONE);
    cr_assert_eq(verify_batch_verdict(pair.leader, 1), STATUS_BATCH_OVERLAP, "the first stays");
    cr_assert_eq(pingpong_state(pair.leader, 0), VERIFY_FINISHED);
    cr_assert_eq(pingpong_state(pair.leader, 1), VERIFY_REJECTED);
    cr_assert_eq(pingpong_state(pair.leader, 2), VERIFY_FINISHED);
    pair_free(&pair);
    vdaf_free(vdaf);
}

Test(pingpong, an_empty_batch) {
    struct vdaf *vdaf = instance_new(4, 2);
    struct pair pair;
    pair_new(&pair, vdaf, 0);
    leader_init(&pair);
    helper_init(&pair);
    leader_continued(&pair);
    pair_free(&pair);
    vdaf_free(vdaf);
}
