/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/upload.h"

#include "aggregator/keyring.h"
#include "aggregator/upload_commit.h"
#include "dap/report_check.h"

/* One part on its way. */
struct upload_part {
    struct pending_upload pending; /* first: the committer gives it back */
    struct upload *upload;
    struct arena arena; /* everything below */
    upload_done *done;
    void *argument;
    bool last;
    bool malformed; /* after `total` reports */
    size_t total;
    size_t consumed;
    struct report_upload_status *all; /* every report, in the request's order */
    struct store_report *stored;      /* those without an error so far.. */
    size_t *position;                 /* ..and where they stand in `all` */
};

/* One request; lives in its arena. */
struct upload {
    struct aggregator *aggregator;
    const struct served_task *task;
    struct arena *arena;
    struct upload_part part; /* the present one */
    size_t total;            /* of the parts that are done */
    struct buffer errors;    /* of those, encoded */
    size_t with_unknown_extension;
    const uint16_t *unknown_extensions; /* of the first such report */
    size_t unknown_extension_count;
};

/* ---- Reading a part ------------------------------------------------------------ */

/* More than any report of the task takes that a client has reason to make:
 * what doesn't end within it isn't one. */
static size_t report_bytes_max(const struct served_task *task) {
    enum { EXTENSIONS_AND_CIPHERS = 256 << 10 };
    return 2 * (vdaf_public_share_size(task->vdaf) + vdaf_input_share_size(task->vdaf, 0) +
                vdaf_input_share_size(task->vdaf, 1)) +
           EXTENSIONS_AND_CIPHERS;
}

/* Counts the whole reports that the part begins with. */
static void part_count(struct upload_part *part, struct span body) {
    struct reader reader = reader_of(body);
    struct upload_request request;
    struct report report;
    bool found = true;
    struct status status = upload_request_begin(&reader, NULL, &request);
    while (status_ok(status)) {
        part->consumed = (size_t)(reader.at - body.data);
        status = upload_request_next(&reader, NULL, &report, &found);
        if (!status_ok(status) || !found) {
            break;
        }
        part->total++;
    }
    part->malformed = body.len - part->consumed >
                      (part->last ? 0 : report_bytes_max(part->upload->task));
}

/* What can be said before decryption and without the store. */
static struct status upload_check(struct upload *upload, const struct keyring *keyring,
                                  const struct report *report, enum report_error *error) {
    static const struct extension_list none = {NULL, 0};
    const struct aggregator_options *options = &upload->aggregator->options;
    const struct extension_list *extensions = &report->report_metadata.public_extensions;
    const uint16_t *unknown;
    size_t unknown_count;
    /* The first such list is for the answer; the others go with the part. */
    bool first = upload->with_unknown_extension == 0;
    TRY(report_unsupported_extensions(extensions, first ? upload->arena : &upload->part.arena,
                                      &unknown, &unknown_count));
    if (unknown_count > 0) {
        upload->with_unknown_extension++;
        upload->unknown_extensions = first ? unknown : upload->unknown_extensions;
        upload->unknown_extension_count = first ? unknown_count : upload->unknown_extension_count;
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

static struct status part_add(struct upload_part *part, const struct keyring *keyring,
                              const struct report *report, struct span encoded, size_t i) {
    enum report_error error;
    TRY(upload_check(part->upload, keyring, report, &error));
    part->all[i] = (struct report_upload_status){report->report_metadata.report_id, error};
    if (error != REPORT_VALID) {
        part->pending.refused.by_error[error]++;
        return OK;
    }
    uint64_t time = report->report_metadata.time;
    uint64_t precision = part->upload->task->dap.configuration.time_precision;
    struct store_report *stored = &part->stored[part->pending.count];
    *stored = (struct store_report){.time = time,
                                    .epoch = store_epoch(time, precision),
                                    .config_id = report->leader_encrypted_input_share.config_id,
                                    .body = encoded};
    memcpy(stored->id, report->report_metadata.report_id.bytes, STORE_ID_SIZE);
    part->position[part->pending.count++] = i;
    return OK;
}

static struct status part_decode(struct upload_part *part, const struct keyring *keyring,
                                 struct span body) {
    struct reader reader = reader_of(body);
    for (size_t i = 0; i < part->total; i++) {
        const uint8_t *start = reader.at;
        struct report report;
        bool found;
        TRY(upload_request_next(&reader, &part->arena, &report, &found));
        TRY(part_add(part, keyring, &report, span_of(start, (size_t)(reader.at - start)), i));
    }
    return OK;
}

static struct status part_read(struct upload_part *part, const struct keyring *keyring,
                               struct span body) {
    part_count(part, body);
    size_t total = part->total;
    if (total == 0) {
        return OK;
    }
    part->all = ARENA_ARRAY(&part->arena, struct report_upload_status, total);
    part->stored = ARENA_ARRAY(&part->arena, struct store_report, total);
    part->position = ARENA_ARRAY(&part->arena, size_t, total);
    part->pending.errors = ARENA_ARRAY(&part->arena, enum report_error, total);
    if (part->all == NULL || part->stored == NULL || part->position == NULL ||
        part->pending.errors == NULL) {
        return FAIL(NO_MEMORY);
    }
    part->pending.reports = part->stored;
    return part_decode(part, keyring, body);
}

/* ---- Its outcome ---------------------------------------------------------------- */

/* Adds the part's failed reports to the upload's, in the request's order. */
static struct status part_add_errors(struct upload_part *part) {
    struct upload *upload = part->upload;
    for (size_t i = 0; i < part->pending.count; i++) {
        part->all[part->position[i]].error = part->pending.errors[i];
    }
    struct writer writer = writer_to(&upload->errors);
    for (size_t i = 0; i < part->total; i++) {
        if (part->all[i].error != REPORT_VALID) {
            report_upload_status_write(&writer, &part->all[i]);
        }
    }
    upload->total += part->total;
    return writer_finish(&writer);
}

static struct status part_settle(struct upload_part *part, struct upload_outcome *outcome) {
    struct upload *upload = part->upload;
    TRY(part->pending.status);
    TRY(part_add_errors(part));
    if (part->malformed) {
        counts_add(upload->aggregator->counts.uploads, upload->task->id_text, NULL, "malformed",
                   1);
        return FAIL(INVALID_MESSAGE);
    }
    if (part->last && upload->total > 0 && upload->with_unknown_extension == upload->total) {
        outcome->unsupported_extensions = upload->unknown_extensions;
        outcome->unsupported_extension_count = upload->unknown_extension_count;
        return FAIL(UNSUPPORTED_EXTENSION);
    }
    return OK;
}

static void part_finish(struct pending_upload *pending) {
    struct upload_part *part = (struct upload_part *)pending;
    struct upload_outcome outcome = {.consumed = part->consumed};
    outcome.status = part_settle(part, &outcome);
    if (part->last && status_ok(outcome.status)) {
        outcome.errors = buffer_span(&part->upload->errors);
    }
    arena_release(&part->arena);
    part->done(part->argument, &outcome);
}

/* ---- An upload ------------------------------------------------------------------ */

struct upload *upload_begin(struct aggregator *aggregator, const struct served_task *task,
                            struct arena *arena) {
    struct upload *upload = ARENA_NEW(arena, struct upload);
    if (upload != NULL) {
        *upload = (struct upload){
            .aggregator = aggregator, .task = task, .arena = arena, .errors = BUFFER_INIT};
    }
    return upload;
}

/* `keyring` is NULL if there was a `failure` to get it. */
static void take_with(struct upload *upload, const struct keyring *keyring, struct status failure,
                      struct span body, bool last, upload_done *done, void *argument) {
    struct upload_part *part = &upload->part;
    *part = (struct upload_part){.pending = {.task = upload->task, .done = part_finish},
                                 .upload = upload,
                                 .arena = ARENA_INIT,
                                 .done = done,
                                 .argument = argument,
                                 .last = last};
    part->pending.status = keyring != NULL ? part_read(part, keyring, body) : failure;
    if (!status_ok(part->pending.status) || part->total == 0) {
        part_finish(&part->pending);
        return;
    }
    upload_commit(upload->aggregator->uploads, &part->pending);
}

void upload_take(struct upload *upload, struct span body, bool last, upload_done *done,
                 void *argument) {
    const struct keyring *keyring = NULL;
    struct status status = keyring_acquire(upload->aggregator, &keyring);
    take_with(upload, keyring, status, body, last, done, argument);
    keyring_release(keyring);
}

bool upload_take_small(struct upload *upload, struct span body, upload_done *done,
                       void *argument) {
    const struct keyring *keyring = keyring_acquire_cached(upload->aggregator);
    if (keyring == NULL) {
        return false;
    }
    take_with(upload, keyring, OK, body, true, done, argument);
    keyring_release(keyring);
    return true;
}

void upload_end(struct upload *upload) {
    if (upload != NULL) {
        buffer_release(&upload->errors);
    }
}

/* ---- HTTP ---------------------------------------------------------------------- */

static void upload_reply(struct exchange *exchange, const struct upload_outcome *outcome) {
    struct upload *upload = exchange->state;
    struct reply reply = {.body = outcome->errors};
    if (outcome->errors.len > 0) {
        reply.content_type = media_type_string(MEDIA_UPLOAD_ERRORS);
    }
    struct buffer errors = upload->errors; /* the upload goes with the exchange */
    exchange->unsupported_extensions = outcome->unsupported_extensions;
    exchange->unsupported_extension_count = outcome->unsupported_extension_count;
    exchange_finish(exchange, outcome->status, &reply);
    buffer_release(&errors);
}

static void upload_part_done(void *argument, const struct upload_outcome *outcome) {
    struct exchange *exchange = argument;
    if (status_ok(outcome->status) && !exchange->complete) {
        exchange_continue(exchange, outcome->consumed);
    } else {
        upload_reply(exchange, outcome);
    }
}

static bool upload_has_begun(struct exchange *exchange) {
    if (exchange->state == NULL) {
        exchange->state = upload_begin(exchange->aggregator, exchange->task, exchange->arena);
    }
    return exchange->state != NULL;
}

static bool upload_run_small(struct exchange *exchange) {
    return upload_has_begun(exchange) &&
           upload_take_small(exchange->state, exchange->request->body, upload_part_done, exchange);
}

static void upload_run(struct exchange *exchange) {
    if (!upload_has_begun(exchange)) {
        exchange_finish(exchange, FAIL(NO_MEMORY), NULL);
        return;
    }
    upload_take(exchange->state, exchange->request->body, exchange->complete, upload_part_done,
                exchange);
}

static void upload_abandon(struct exchange *exchange) { upload_end(exchange->state); }

const struct endpoint upload_endpoint = {
    .name = "upload",
    .role = ROLE_LEADER,
    .caller = CALLER_ANYONE,
    .has_body = true,
    .body_type = MEDIA_UPLOAD_REQ,
    .run = upload_run,
    .run_small = upload_run_small,
    .run_part = upload_run,
    .abandon = upload_abandon,
};
