/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/upload.h"

#include "aggregator/keyring.h"
#include "aggregator/upload_commit.h"
#include "dap/report_check.h"

/* One request on its way; lives in its arena. */
struct upload {
    struct pending_upload pending; /* first: the committer gives it back */
    struct aggregator *aggregator;
    const struct served_task *task;
    struct arena *arena;
    upload_done *done;
    void *argument;

    bool malformed; /* after `total` reports */
    size_t total;
    struct report_upload_status *all; /* every report, in the request's order */
    struct store_report *stored;      /* those without an error so far.. */
    size_t *position;                 /* ..and where they stand in `all` */
    size_t with_unknown_extension;
    const uint16_t *unknown_extensions; /* of the first such report */
    size_t unknown_extension_count;
};

static struct status upload_count(struct span body, size_t *total) {
    struct reader reader = reader_of(body);
    struct upload_request request;
    struct report report;
    bool found = true;
    *total = 0;
    struct status status = upload_request_begin(&reader, NULL, &request);
    while (status_ok(status)) {
        status = upload_request_next(&reader, NULL, &report, &found);
        if (!status_ok(status) || !found) {
            break;
        }
        ++*total;
    }
    return status;
}

/* What can be said before decryption and without the store. */
static struct status upload_check(struct upload *upload, const struct keyring *keyring,
                                  const struct report *report, enum report_error *error) {
    static const struct extension_list none = {NULL, 0};
    const struct aggregator_options *options = &upload->aggregator->options;
    const struct extension_list *extensions = &report->report_metadata.public_extensions;
    const uint16_t *unknown;
    size_t unknown_count;
    TRY(report_unsupported_extensions(extensions, upload->arena, &unknown, &unknown_count));
    if (unknown_count > 0) {
        if (upload->with_unknown_extension++ == 0) {
            upload->unknown_extensions = unknown;
            upload->unknown_extension_count = unknown_count;
        }
    }
    *error = report_check_extensions(extensions, &none);
    if (*error == REPORT_VALID &&
        !keyring_accepts(keyring, report->leader_encrypted_input_share.config_id)) {
        *error = REPORT_ERROR_OUTDATED_CONFIG;
    }
    if (*error == REPORT_VALID) {
        *error = report_check_upload_time(&upload->task->dap, report->report_metadata.time,
                                          clock_now_s(options->clock), options->clock_skew_s);
    }
    return OK;
}

static struct status upload_take(struct upload *upload, const struct keyring *keyring,
                                 const struct report *report, struct span encoded, size_t i) {
    enum report_error error;
    TRY(upload_check(upload, keyring, report, &error));
    upload->all[i] = (struct report_upload_status){report->report_metadata.report_id, error};
    if (error != REPORT_VALID) {
        upload->pending.refused.by_error[error]++;
        return OK;
    }
    uint64_t time = report->report_metadata.time;
    uint64_t precision = upload->task->dap.configuration.time_precision;
    struct store_report *stored = &upload->stored[upload->pending.count];
    *stored = (struct store_report){.time = time,
                                    .epoch = store_epoch(time, precision),
                                    .config_id = report->leader_encrypted_input_share.config_id,
                                    .body = encoded};
    memcpy(stored->id, report->report_metadata.report_id.bytes, STORE_ID_SIZE);
    upload->position[upload->pending.count++] = i;
    return OK;
}

static struct status upload_decode(struct upload *upload, const struct keyring *keyring,
                                   struct span body) {
    struct reader reader = reader_of(body);
    for (size_t i = 0; i < upload->total; i++) {
        const uint8_t *start = reader.at;
        struct report report;
        bool found;
        TRY(upload_request_next(&reader, upload->arena, &report, &found));
        TRY(upload_take(upload, keyring, &report, span_of(start, (size_t)(reader.at - start)),
                        i));
    }
    return OK;
}

static struct status upload_read(struct upload *upload, struct span body) {
    struct status status = upload_count(body, &upload->total);
    upload->malformed = !status_ok(status);
    size_t total = upload->total;
    upload->all = ARENA_ARRAY(upload->arena, struct report_upload_status, total);
    upload->stored = ARENA_ARRAY(upload->arena, struct store_report, total);
    upload->position = ARENA_ARRAY(upload->arena, size_t, total);
    upload->pending.errors = ARENA_ARRAY(upload->arena, enum report_error, total);
    if (total > 0 && (upload->all == NULL || upload->stored == NULL || upload->position == NULL ||
                      upload->pending.errors == NULL)) {
        return FAIL(NO_MEMORY);
    }
    upload->pending.reports = upload->stored;
    const struct keyring *keyring;
    TRY(keyring_acquire(upload->aggregator, &keyring));
    status = upload_decode(upload, keyring, body);
    keyring_release(keyring);
    return status;
}

/* The failed reports alone, in the request's order. */
static struct status upload_encode_errors(struct upload *upload, struct span *out) {
    struct report_upload_status *failed = upload->all;
    size_t count = 0;
    struct buffer encoded = BUFFER_INIT;
    for (size_t i = 0; i < upload->total; i++) {
        if (upload->all[i].error != REPORT_VALID) {
            failed[count++] = upload->all[i];
        }
    }
    struct status status;
    const struct upload_errors errors = {.status = {failed, count}};
    TRY_GOTO(status, upload_errors_encode(&errors, &encoded), end);
    status = arena_copy(upload->arena, buffer_span(&encoded), out);
end:
    buffer_release(&encoded);
    return status;
}

static void upload_finish(struct pending_upload *pending) {
    struct upload *upload = (struct upload *)pending;
    struct upload_outcome outcome = {.status = pending->status};
    if (status_ok(outcome.status) && upload->malformed) {
        outcome.status = FAIL(INVALID_MESSAGE);
        counts_add(upload->aggregator->counts.uploads, upload->task->id_text, NULL, "malformed",
                   1);
    }
    if (status_ok(outcome.status) && upload->total > 0 &&
        upload->with_unknown_extension == upload->total) {
        outcome.status = FAIL(UNSUPPORTED_EXTENSION);
        outcome.unsupported_extensions = upload->unknown_extensions;
        outcome.unsupported_extension_count = upload->unknown_extension_count;
    }
    if (status_ok(outcome.status)) {
        for (size_t i = 0; i < pending->count; i++) {
            upload->all[upload->position[i]].error = pending->errors[i];
        }
        outcome.status = upload_encode_errors(upload, &outcome.errors);
    }
    upload->done(upload->argument, &outcome);
}

void upload_process(struct aggregator *aggregator, const struct served_task *task,
                    struct span body, struct arena *arena, upload_done *done, void *argument) {
    struct upload *upload = ARENA_NEW(arena, struct upload);
    if (upload == NULL) {
        done(argument, &(struct upload_outcome){.status = FAIL(NO_MEMORY)});
        return;
    }
    *upload = (struct upload){.pending = {.task = task, .done = upload_finish},
                              .aggregator = aggregator,
                              .task = task,
                              .arena = arena,
                              .done = done,
                              .argument = argument};
    upload->pending.status = upload_read(upload, body);
    if (!status_ok(upload->pending.status) || upload->total == 0) {
        upload_finish(&upload->pending);
        return;
    }
    upload_commit(aggregator->uploads, &upload->pending);
}

/* ---- HTTP ---------------------------------------------------------------------- */

static void upload_reply(void *argument, const struct upload_outcome *outcome) {
    struct exchange *exchange = argument;
    struct reply reply = {.body = outcome->errors};
    if (outcome->errors.len > 0) {
        reply.content_type = media_type_string(MEDIA_UPLOAD_ERRORS);
    }
    exchange->unsupported_extensions = outcome->unsupported_extensions;
    exchange->unsupported_extension_count = outcome->unsupported_extension_count;
    exchange_finish(exchange, outcome->status, &reply);
}

static void upload_run(struct exchange *exchange) {
    upload_process(exchange->aggregator, exchange->task, exchange->request->body, exchange->arena,
                   upload_reply, exchange);
}

const struct endpoint upload_endpoint = {
    .name = "upload",
    .role = ROLE_LEADER,
    .caller = CALLER_ANYONE,
    .has_body = true,
    .body_type = MEDIA_UPLOAD_REQ,
    .run = upload_run,
};
