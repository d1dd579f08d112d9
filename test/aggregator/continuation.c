/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/solo.h"

/* Aggregation jobs that are continued at a helper, by hand, with a VDAF made for
 * it: rounds_vdaf.c. */

enum { MAX_REPORTS = 6 };

static struct solo solo;

/* The leader's side of a job, from one exchange to the next. */
struct play {
    struct sample samples[MAX_REPORTS];
    struct hand_job job;
    const char *location;
    struct verify_continue items[MAX_REPORTS]; /* of the next request */
    size_t index[MAX_REPORTS];                 /* in the leader's verify batch */
    size_t count;
    enum report_error errors[MAX_REPORTS]; /* of each sample */
};

static void start(uint64_t rounds) {
    struct solo_options options = {
        .role = ROLE_HELPER, .vdaf = "Rounds", .params = {{"rounds", rounds}}, .param_count = 1};
    solo_start(&solo, &options);
}

static struct answer create(const struct play *play) {
    return solo_post(&solo, "aggregation_jobs", MEDIA_AGGREGATION_JOB_INIT_REQ, play->job.body);
}

static struct answer post(const char *path, struct span body) {
    return solo_call(&solo, "POST", path, media_type_string(MEDIA_AGGREGATION_JOB_CONTINUE_REQ),
                     SOLO_TOKEN, body);
}

static struct span encode(uint16_t step, const struct verify_continue items[], size_t count) {
    const struct aggregation_job_continue_req request = {.step = step,
                                                         .verify_continues = {items, count}};
    struct buffer bytes = BUFFER_INIT;
    struct span out;
    must(aggregation_job_continue_req_encode(&request, &bytes));
    must(arena_copy(&solo.arena, buffer_span(&bytes), &out));
    buffer_release(&bytes);
    return out;
}

static struct answer continue_with(const struct play *play, uint16_t step,
                                   const struct verify_continue items[], size_t count) {
    return post(play->location, encode(step, items, count));
}

static struct answer continue_at(const struct play *play, uint16_t step) {
    return continue_with(play, step, play->items, play->count);
}

/* The answer has one response for each report that was asked about, in the same
 * order; what the leader makes of them becomes the next request. */
static void take(struct play *play, struct answer answer) {
    struct aggregation_job_resp resp;
    struct span inbound[MAX_REPORTS] = {{0}};
    cr_assert_eq(answer.status, 200, "%d %s", answer.status, answer.text);
    cr_assert_str_eq(answer.content_type, "application/ppm-dap;message=aggregation-job-resp");
    must(aggregation_job_resp_decode(answer.body, &solo.arena, &resp));
    cr_assert_eq(resp.verify_resps.count, play->count);
    bool goes_on[MAX_REPORTS] = {false};
    for (size_t i = 0; i < play->count; i++) {
        const struct verify_resp *item = &resp.verify_resps.items[i];
        cr_assert_arr_eq(item->report_id.bytes, play->items[i].report_id.bytes, 16);
        if (item->verify_resp_type == VERIFY_RESP_TYPE_REJECT) {
            play->errors[play->index[i]] = item->report_error;
            verify_batch_refuse(play->job.batch, play->index[i], STATUS_VERIFY_FAILED);
        } else if (item->verify_resp_type == VERIFY_RESP_TYPE_CONTINUE) {
            inbound[play->index[i]] = item->payload;
            goes_on[play->index[i]] = true;
        } else {
            cr_assert_eq(pingpong_state(play->job.batch, play->index[i]),
                         VERIFY_FINISHED_WITH_OUTBOUND);
        }
    }
    size_t asked = play->count;
    play->count = 0;
    must(pingpong_leader_continued(play->job.batch, inbound));
    for (size_t i = 0; i < asked; i++) {
        size_t index = play->index[i];
        enum verify_state state = pingpong_state(play->job.batch, index);
        if (goes_on[index] && state != VERIFY_FINISHED && state != VERIFY_REJECTED) {
            play->index[play->count] = index;
            play->items[play->count++] =
                (struct verify_continue){play->samples[index].report.report_metadata.report_id,
                                         pingpong_outbound(play->job.batch, index)};
        }
    }
}

/* Makes a job out of reports and takes the first answer. */
static struct answer begin(struct play *play, size_t count) {
    hand_init(&solo, &play->job, play->samples, count, NULL);
    struct answer made = create(play);
    play->location = made.location;
    play->count = count;
    for (size_t i = 0; i < count; i++) {
        play->index[i] = i;
        play->items[i].report_id = play->samples[i].report.report_metadata.report_id;
    }
    take(play, made);
    return made;
}

static void begin_with(struct play *play, const char *const measurements[], size_t count) {
    for (size_t i = 0; i < count; i++) {
        play->samples[i] = solo_sample(&solo, measurements[i], SOLO_TIME, GOOD);
    }
    begin(play, count);
}

static void end(struct play *play) {
    hand_release(&play->job);
    solo_stop(&solo);
}

static const char *const ones[] = {"1", "1", "1", "1"};

/* The leader drops one report and the helper another. */
Test(continuation, answers_in_the_leaders_order) {
    struct play play = {0};
    start(2);
    begin_with(&play, (const char *const[]){"1", "3", "1", "2", "1"}, 5);
    cr_assert_eq(play.count, 4);
    cr_assert_eq(solo_counter(&solo, "aggregated"), 0);
    take(&play, continue_at(&play, 1));
    cr_assert_eq(play.count, 0);
    cr_assert_eq(play.errors[3], REPORT_ERROR_VDAF_VERIFY_ERROR);
    cr_assert_eq(solo_counter(&solo, "aggregated"), 3);
    cr_assert_eq(solo_counter(&solo, "report_rejected_vdaf_verify_error"), 1);
    end(&play);
}

/* A step goes ahead by one, or is the last one once more, byte for byte. */
Test(continuation, takes_the_next_step_or_the_same_again) {
    struct play play = {0};
    start(4);
    begin_with(&play, ones, 4);
    struct span first = encode(1, play.items, 4), other = encode(1, play.items, 3);
    assert_problem(continue_at(&play, 0), 400, "invalidMessage");
    assert_problem(continue_at(&play, 2), 400, "stepMismatch");
    assert_problem(continue_at(&play, UINT16_MAX), 400, "stepMismatch");
    struct answer answer = post(play.location, first);
    take(&play, answer);
    for (int i = 0; i < 2; i++) {
        struct answer again = post(play.location, first);
        cr_assert_eq(again.status, 200, "%d %s", again.status, again.text);
        cr_assert(span_equal_vartime(again.body, answer.body));
        assert_problem(post(play.location, other), 400, "stepMismatch");
        assert_problem(continue_at(&play, 3), 400, "stepMismatch");
        assert_problem(continue_at(&play, 0), 400, "invalidMessage");
        solo_restart(&solo);
    }
    take(&play, continue_at(&play, 2));
    assert_problem(post(play.location, first), 400, "stepMismatch");
    cr_assert_eq(solo_counter(&solo, "aggregated"), 4);
    end(&play);
}

/* The location that was given is asked about the step that the leader is on. */
Test(continuation, can_be_read_at_its_step) {
    struct play play = {0};
    start(4);
    begin_with(&play, ones, 2);
    struct answer answer = continue_at(&play, 1);
    const char *at = arena_printf(&solo.arena, "%s?step=1", play.location);
    cr_assert(span_equal_vartime(solo_at(&solo, "GET", at).body, answer.body));
    at = arena_printf(&solo.arena, "%s?step=0", play.location);
    assert_problem(solo_at(&solo, "GET", at), 400, "stepMismatch");
    end(&play);
}

/* Report IDs are distinct, the job's, and in its order; those that are missing
 * were rejected by the leader. What is refused leaves the job as it was. */
Test(continuation, knows_its_reports) {
    struct play play = {0};
    start(2);
    begin_with(&play, ones, 4);
    struct verify_continue items[MAX_REPORTS];
    memcpy(items, play.items, sizeof(items));
    items[1] = items[0];
    assert_problem(continue_with(&play, 1, items, 4), 400, "invalidMessage");
    assert_problem(continue_with(&play, 1, items, 2), 400, "invalidMessage");
    items[1] = play.items[1];
    items[1].report_id.bytes[0] ^= 1;
    assert_problem(continue_with(&play, 1, items, 4), 400, "invalidMessage");
    items[0] = play.items[1];
    items[1] = play.items[0];
    assert_problem(continue_with(&play, 1, items, 4), 400, "invalidMessage");
    /* An empty answer would say that it isn't ready. */
    assert_problem(continue_with(&play, 1, NULL, 0), 400, "invalidMessage");
    cr_assert_eq(solo_counter(&solo, "aggregated"), 0);
    play.items[0] = play.items[1];
    play.index[0] = 1;
    play.items[1] = play.items[3];
    play.index[1] = 3;
    play.count = 2;
    take(&play, continue_at(&play, 1));
    cr_assert_eq(solo_counter(&solo, "aggregated"), 2);
    end(&play);
}

Test(continuation, rejects_what_does_not_verify) {
    struct play play = {0};
    start(2);
    begin_with(&play, ones, 3);
    ((uint8_t *)(uintptr_t)play.items[1].payload.data)[3] ^= 1;
    take(&play, continue_at(&play, 1));
    cr_assert_eq(play.errors[0], REPORT_ERROR_RESERVED);
    cr_assert_eq(play.errors[1], REPORT_ERROR_VDAF_VERIFY_ERROR);
    cr_assert_eq(play.errors[2], REPORT_ERROR_RESERVED);
    cr_assert_eq(solo_counter(&solo, "aggregated"), 2);
    end(&play);
}

/* A job that was continued isn't begun anew by its first request. */
Test(continuation, is_found_by_its_first_request) {
    struct play play = {0};
    start(4);
    begin_with(&play, ones, 3);
    struct answer answer = continue_at(&play, 1);
    take(&play, answer);
    struct answer found = create(&play);
    cr_assert_eq(found.status, 200, "%d %s", found.status, found.text);
    cr_assert_str_eq(found.location, play.location);
    cr_assert(span_equal_vartime(found.body, answer.body));
    take(&play, continue_at(&play, 2));
    cr_assert_str_eq(create(&play).location, play.location);
    cr_assert_eq(solo_counter(&solo, "aggregated"), 3);
    end(&play);
}

Test(continuation, needs_a_task_and_a_job) {
    struct play play = {0};
    start(2);
    begin_with(&play, ones, 2);
    struct span body = encode(1, play.items, 2);
    assert_problem(post("/tasks/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/"
                        "aggregation_jobs/AAAAAAAAAAAAAAAAAAAAAA",
                        body),
                   404, "unrecognizedTask");
    assert_problem(post(solo_path(&solo, "aggregation_jobs/AAAAAAAAAAAAAAAAAAAAAA"), body), 404,
                   "unrecognizedAggregationJob");
    for (size_t len = 0; len < body.len; len++) {
        assert_problem(post(play.location, span_of(body.data, len)), 400, "invalidMessage");
        if (len == 2 + 16 + 4 + 9 - 1) {
            len++; /* one whole report: fewer are no mistake */
        }
    }
    cr_assert_eq(solo_at(&solo, "DELETE", play.location).status, 200);
    assert_problem(post(play.location, body), 404, "unrecognizedAggregationJob");
    cr_assert_eq(solo_counter(&solo, "aggregated"), 0);
    end(&play);
}

static struct status collect_hour(struct store_tx *tx, void *argument) {
    (void)argument;
    return store_collected_interval_put(tx, solo.dap.id.bytes, SOLO_TIME - 1, 1);
}

/* What was committed or collected since the job began is seen at its end. */
Test(continuation, checks_before_it_commits) {
    struct play plays[2] = {0};
    start(2);
    for (size_t i = 0; i < 3; i++) {
        plays[0].samples[i] = solo_sample(&solo, "1", SOLO_TIME - i / 2, GOOD);
    }
    plays[1].samples[0] = plays[0].samples[1];
    begin(&plays[0], 3);
    begin(&plays[1], 1);
    take(&plays[1], continue_at(&plays[1], 1));
    solo_run(&solo, collect_hour, NULL);
    take(&plays[0], continue_at(&plays[0], 1));
    cr_assert_eq(plays[1].errors[0], REPORT_ERROR_RESERVED);
    cr_assert_eq(plays[0].errors[0], REPORT_ERROR_RESERVED);
    cr_assert_eq(plays[0].errors[1], REPORT_ERROR_REPORT_REPLAYED);
    cr_assert_eq(plays[0].errors[2], REPORT_ERROR_BATCH_COLLECTED);
    cr_assert_eq(solo_counter(&solo, "aggregated"), 2);
    hand_release(&plays[1].job);
    end(&plays[0]);
}
