/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"
#include "cli.h"
#include "dap/batch.h"
#include "dap/binding.h"
#include "dap/media_type.h"
#include "doctor.h"
#include "hpke/provider/default.h"
#include "wire/retry_after.h"
#include "wire/writer.h"

#include <unistd.h>

/* Whether an answer says that the server doesn't know the task. */
static bool no_task(const struct doctor_answer *answer) {
    return answer->has_problem && answer->problem.code == STATUS_UNRECOGNIZED_TASK;
}

static void say_unexpected(struct doctor *doctor, const char *role, const char *what,
                           const struct doctor_answer *answer) {
    doctor_bad(doctor,
               "the %s answers %d to %s%s%s: it may speak another draft of DAP or another "
               "dialect",
               role, answer->status, what,
               answer->has_problem && answer->problem.detail != NULL ? ", saying: " : "",
               answer->has_problem && answer->problem.detail != NULL ? answer->problem.detail : "");
}

/* Asks for a resource that can't be there: the answer tells about the task and
 * the token, and nothing changes. */
static bool check_access(struct doctor *doctor, const char *role, const char *party,
                         struct span endpoint, enum resource resource, const struct task_file *file,
                         struct span token) {
    struct doctor_answer answer;
    struct job_id nowhere;
    if (hpke_provider_default()->random(nowhere.bytes, sizeof(nowhere.bytes)) != 0) {
        return false;
    }
    const char *url = resource_url(endpoint, resource, &file->task.id, &nowhere, &doctor->arena);
    if (url == NULL || !doctor_ask(doctor, "GET", url, token, NULL, SPAN_EMPTY, &answer)) {
        return false;
    }
    if (answer.status == 401 || answer.status == 403) {
        doctor_bad(doctor,
                   "the %s refuses the %s's credentials: its token for this task is "
                   "another one; import matching files again, or `moiety peer set`",
                   role, party);
    } else if (no_task(&answer)) {
        doctor_bad(doctor, "the %s does not know this task: `moiety task import` its file there",
                   role);
    } else if (answer.status == 404) {
        doctor_good(doctor, "the %s knows the task and takes the %s's credentials", role, party);
        return true;
    } else {
        say_unexpected(doctor, role, "a request for a resource that isn't there", &answer);
    }
    return false;
}

void doctor_check_client(struct doctor *doctor, const struct task_file *file) {
    struct doctor_answer answer;
    const char *url = resource_url(file->task.configuration.leader_aggregator_endpoint,
                                   RESOURCE_REPORTS, &file->task.id, NULL, &doctor->arena);
    /* An upload of no reports: nothing is stored, whatever the answer. */
    if (url == NULL || !doctor_ask(doctor, "POST", url, SPAN_EMPTY,
                                   media_type_string(MEDIA_UPLOAD_REQ), SPAN_EMPTY, &answer)) {
        return;
    }
    if (no_task(&answer)) {
        doctor_bad(doctor, "the leader does not know this task: `moiety task import` the leader's "
                           "file there");
    } else if (answer.status == 200 ||
               (answer.has_problem && answer.problem.code == STATUS_INVALID_MESSAGE)) {
        doctor_good(doctor, "the leader takes uploads for the task");
    } else if (answer.status == 429 || answer.status == 503) {
        doctor_warn(doctor, "the leader is busy (%d) and asks clients to come back later",
                    answer.status);
    } else {
        say_unexpected(doctor, "leader", "an upload", &answer);
    }
}

void doctor_check_collector(struct doctor *doctor, const struct task_file *file) {
    check_access(doctor, "leader", "collector", file->task.configuration.leader_aggregator_endpoint,
                 RESOURCE_COLLECTION_JOBS, file, file->collector_token);
}

/* ---- Does the helper have the same TaskConfiguration? ---- */

/*
 * The configuration is authenticated with each share, so a share that we seal
 * opens at the helper only if it has the same one. What is inside is nonsense:
 * the report is refused either way, and a refusal leaves nothing behind.
 */
static struct status seal_probe(struct doctor *doctor, const struct task_file *file,
                                const struct hpke_config *key, struct verify_init *out) {
    struct arena *arena = &doctor->arena;
    static const uint8_t nonsense[1] = {0};
    struct buffer plaintext = BUFFER_INIT;
    struct report_share *share = &out->report_share;
    struct span aad;
    *out = (struct verify_init){0};
    if (hpke_provider_default()->random(share->report_metadata.report_id.bytes,
                                        sizeof(share->report_metadata.report_id.bytes)) != 0) {
        return FAIL(CRYPTO);
    }
    share->report_metadata.time =
        clock_now_s(&clock_system) / file->task.configuration.time_precision;
    if (file->task.has_task_interval) {
        share->report_metadata.time = file->task.task_interval.start;
    }
    TRY(input_share_aad_make(&file->task, &share->report_metadata, SPAN_EMPTY, arena, &aad));
    const struct plaintext_input_share content = {.payload = SPAN_OF_ARRAY(nonsense)};
    struct status status = plaintext_input_share_encode(&content, &plaintext);
    if (status_ok(status)) {
        share->encrypted_input_share.config_id = key->id;
        status = hpke_seal(hpke_provider_default(), key, input_share_info(ROLE_HELPER), aad,
                           buffer_span(&plaintext), arena, &share->encrypted_input_share.enc,
                           &share->encrypted_input_share.payload);
    }
    buffer_release(&plaintext);
    /* The ping-pong message "initialize" with a verifier share of one byte. */
    static const uint8_t message[] = {0, 0, 0, 0, 1, 0};
    out->payload = SPAN_OF_ARRAY(message);
    return status;
}

static struct status encode_probe(struct doctor *doctor, const struct task_file *file,
                                  const struct hpke_config *key, struct buffer *out) {
    struct verify_init init;
    struct batch batch = {.mode = file->task.configuration.batch_mode};
    struct aggregation_job_init_req request = {.verification_key_id = file->verify_keys[0].id,
                                               .verify_inits = {&init, 1}};
    TRY(seal_probe(doctor, file, key, &init));
    if (hpke_provider_default()->random(batch.id.bytes, sizeof(batch.id.bytes)) != 0) {
        return FAIL(CRYPTO);
    }
    TRY(batch_to_extensions(&batch, &doctor->arena, &request.extensions));
    return aggregation_job_init_req_encode(&request, out);
}

static void judge_probe(struct doctor *doctor, const struct doctor_answer *answer) {
    struct aggregation_job_resp response;
    if (answer->status != 200 ||
        !status_ok(aggregation_job_resp_decode(answer->body, &doctor->arena, &response)) ||
        response.verify_resps.count != 1) {
        say_unexpected(doctor, "helper", "an aggregation job", answer);
        return;
    }
    const struct verify_resp *verdict = &response.verify_resps.items[0];
    if (verdict->verify_resp_type == VERIFY_RESP_TYPE_REJECT &&
        verdict->report_error == REPORT_ERROR_HPKE_DECRYPT_ERROR) {
        doctor_bad(doctor, "the helper has another configuration of this task: what is sealed for "
                           "it does not open there; import files of one `moiety task new` on both");
    } else if (verdict->verify_resp_type == VERIFY_RESP_TYPE_REJECT) {
        doctor_good(doctor, "the helper has the same configuration of the task");
    } else {
        doctor_bad(doctor, "the helper accepts a report that is nonsense");
    }
}

static bool wait_for_answer(struct doctor *doctor, const char *url, struct span token,
                            struct doctor_answer *answer) {
    enum { TRIES = 10, WAIT_MAX_S = 5 };
    for (int i = 0; i < TRIES && answer->status == 200 && answer->body.len == 0; i++) {
        uint64_t wait_s = 1;
        struct status status =
            retry_after_parse(answer->retry_after, clock_now_s(&clock_system), WAIT_MAX_S, &wait_s);
        sleep(status_ok(status) && wait_s > 0 ? (unsigned)wait_s : 1);
        if (!doctor_ask(doctor, "GET", url, token, NULL, SPAN_EMPTY, answer)) {
            return false;
        }
    }
    return true;
}

static void probe_configuration(struct doctor *doctor, const struct task_file *file,
                                const struct hpke_config *key) {
    struct span endpoint = file->task.configuration.helper_aggregator_endpoint;
    struct buffer body = BUFFER_INIT;
    struct doctor_answer answer, ignored;
    char *location = NULL;
    const char *url =
        resource_url(endpoint, RESOURCE_AGGREGATION_JOBS, &file->task.id, NULL, &doctor->arena);
    struct status status = url == NULL ? FAIL(NO_MEMORY) : encode_probe(doctor, file, key, &body);
    if (!status_ok(status)) {
        doctor_bad(doctor, "no probe can be made: %s", status_text(status.code));
    } else if (doctor_ask(doctor, "POST", url, file->aggregator.token,
                          media_type_string(MEDIA_AGGREGATION_JOB_INIT_REQ), buffer_span(&body),
                          &answer)) {
        bool located = answer.location.len > 0 &&
                       status_ok(location_resolve(endpoint, RESOURCE_AGGREGATION_JOBS,
                                                  &file->task.id, span_of_string(url),
                                                  answer.location, &doctor->arena, &location));
        if (!located || wait_for_answer(doctor, location, file->aggregator.token, &answer)) {
            judge_probe(doctor, &answer);
        }
        if (located) {
            doctor_ask(doctor, "DELETE", location, file->aggregator.token, NULL, SPAN_EMPTY,
                       &ignored);
        }
    }
    buffer_release(&body);
}

void doctor_check_leader(struct doctor *doctor, const struct task_file *file,
                         const struct hpke_config *helper_key) {
    bool draft = strcmp(file->aggregator.dialect, "draft-18") == 0;
    if (file->aggregator.token.len == 0) {
        doctor_warn(doctor, "the leader has no token for the helper; a certificate alone isn't "
                            "tried here");
        return;
    }
    if (!draft) {
        doctor_warn(doctor, "the helper speaks %s, so its view of the task isn't probed",
                    file->aggregator.dialect);
        return;
    }
    if (check_access(doctor, "helper", "leader",
                     file->task.configuration.helper_aggregator_endpoint, RESOURCE_AGGREGATION_JOBS,
                     file, file->aggregator.token)) {
        probe_configuration(doctor, file, helper_key);
    }
}

/* ---- Files against each other ---- */

static bool same_verify_keys(const struct task_file *a, const struct task_file *b) {
    bool same = a->verify_key_count == b->verify_key_count;
    for (size_t i = 0; same && i < a->verify_key_count; i++) {
        const struct task_verify_key *x = &a->verify_keys[i], *y = &b->verify_keys[i];
        same = x->id == y->id && x->key.len == y->key.len &&
               secret_equal(x->key.data, y->key.data, x->key.len);
    }
    return same;
}

void doctor_compare(struct doctor *doctor, const struct task_file *a, const struct task_file *b) {
    const char *x = task_file_kind_name(a->kind), *y = task_file_kind_name(b->kind);
    bool aggregators = a->verify_key_count > 0 && b->verify_key_count > 0;
    if (!span_equal_vartime(task_id_span(&a->task.id), task_id_span(&b->task.id))) {
        doctor_bad(doctor, "the %s's and the %s's files are of different tasks", x, y);
    } else if (!span_equal_vartime(a->task.encoded, b->task.encoded)) {
        doctor_bad(doctor, "the %s's and the %s's files have different configurations of the task",
                   x, y);
    } else if (aggregators && !same_verify_keys(a, b)) {
        doctor_bad(doctor, "the %s's and the %s's files have different verification keys", x, y);
    } else if (a->collector_config.len > 0 && b->collector_config.len > 0 &&
               !span_equal_vartime(a->collector_config, b->collector_config)) {
        doctor_bad(doctor, "the %s's and the %s's files name different collector keys", x, y);
    } else {
        doctor_good(doctor, "the %s's and the %s's files agree", x, y);
    }
}
