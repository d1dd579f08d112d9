/* SPDX-License-Identifier: Apache-2.0 */
/* Uploads and their answers (draft 18, section 4.4.2). */
#include <stdlib.h>

#include "client/client.h"
#include "dap/media_type.h"

/* A report of an upload. */
struct sent {
    struct report_id id;
    bool again; /* not for the first time, as far as we know */
};

struct moiety_upload {
    char *url;
    struct buffer body;
    struct sent *sent;
    size_t count;
};

static struct status upload_fill(struct moiety_upload *upload, const char *url,
                                 struct moiety_report *const reports[], size_t count) {
    upload->url = strdup(url);
    upload->sent = calloc(count, sizeof(*upload->sent));
    if (upload->url == NULL || upload->sent == NULL) {
        return FAIL(NO_MEMORY);
    }
    for (size_t i = 0; i < count; i++) {
        TRY(buffer_append(&upload->body, buffer_span(&reports[i]->encoded)));
        memcpy(upload->sent[i].id.bytes, reports[i]->id, sizeof(reports[i]->id));
        upload->sent[i].again = reports[i]->perhaps_sent;
    }
    upload->count = count;
    return OK;
}

enum moiety_result moiety_client_upload(struct moiety_client *client,
                                        struct moiety_report *const reports[], size_t count,
                                        struct moiety_upload **out) {
    if (reports == NULL || out == NULL || count == 0) {
        return MOIETY_INVALID_ARGUMENT;
    }
    struct moiety_upload *upload = calloc(1, sizeof(*upload));
    if (upload == NULL) {
        return MOIETY_NO_MEMORY;
    }
    struct status status = upload_fill(upload, client->reports_url, reports, count);
    if (!status_ok(status)) {
        moiety_upload_free(upload);
        return result_of(status);
    }
    for (size_t i = 0; i < count; i++) {
        reports[i]->perhaps_sent = true;
    }
    *out = upload;
    return MOIETY_OK;
}

void moiety_upload_free(struct moiety_upload *upload) {
    if (upload != NULL) {
        buffer_release(&upload->body);
        free(upload->sent);
        free(upload->url);
        free(upload);
    }
}

const char *moiety_upload_url(const struct moiety_upload *upload) { return upload->url; }

const char *moiety_upload_media_type(const struct moiety_upload *upload) {
    (void)upload;
    return media_type_string(MEDIA_UPLOAD_REQ);
}

const uint8_t *moiety_upload_body(const struct moiety_upload *upload, size_t *len) {
    *len = upload->body.len;
    return upload->body.data;
}

static struct moiety_outcome outcome_of(enum report_error error, bool again) {
    switch (error) {
    case REPORT_ERROR_REPORT_REPLAYED:
        /* The first try got through. On a first try it says instead that the
         * report's batch is collected already, so that it comes too late. */
        return (struct moiety_outcome){
            again ? MOIETY_REPORT_ACCEPTED : MOIETY_REPORT_REJECTED, (uint8_t)error};
    case REPORT_ERROR_REPORT_TOO_EARLY:
        return (struct moiety_outcome){MOIETY_REPORT_RETRY, (uint8_t)error};
    case REPORT_ERROR_OUTDATED_CONFIG:
    case REPORT_ERROR_HPKE_UNKNOWN_CONFIG_ID:
        return (struct moiety_outcome){MOIETY_REPORT_REMAKE, (uint8_t)error};
    default:
        return (struct moiety_outcome){MOIETY_REPORT_REJECTED, (uint8_t)error};
    }
}

/* Matches the errors with the reports sent: they must be in the order of the
 * request, and each report is named once at most. */
static struct status read_errors(const struct moiety_upload *upload,
                                 const struct upload_errors *errors,
                                 struct moiety_outcome outcomes[]) {
    size_t next = 0;
    for (size_t i = 0; i < errors->status.count; i++) {
        const struct report_upload_status *item = &errors->status.items[i];
        while (next < upload->count && !span_equal_vartime(report_id_span(&item->id),
                                                           report_id_span(&upload->sent[next].id))) {
            next++;
        }
        if (next == upload->count || item->error == REPORT_ERROR_RESERVED) {
            return FAIL(INVALID_MESSAGE);
        }
        outcomes[next] = outcome_of(item->error, upload->sent[next].again);
        next++;
    }
    return OK;
}

static struct status read_body(const struct moiety_upload *upload, const char *content_type,
                               struct span body, struct moiety_outcome outcomes[]) {
    struct moiety_outcome *read = calloc(upload->count, sizeof(*read)); /* all accepted */
    struct arena arena = ARENA_INIT;
    struct upload_errors errors = {{NULL, 0}};
    struct status status = OK;
    if (read == NULL) {
        return FAIL(NO_MEMORY);
    }
    if (body.len > 0) {
        if (content_type == NULL ||
            !media_type_matches(span_of_string(content_type), MEDIA_UPLOAD_ERRORS)) {
            status = FAIL(INVALID_MESSAGE);
            goto done;
        }
        TRY_GOTO(status, upload_errors_decode(body, &arena, &errors), done);
        TRY_GOTO(status, read_errors(upload, &errors, read), done);
    }
    memcpy(outcomes, read, upload->count * sizeof(*read));
done:
    arena_release(&arena);
    free(read);
    return status;
}

enum moiety_result moiety_upload_answer(struct moiety_upload *upload, int status,
                                        const char *content_type, const void *body, size_t len,
                                        struct moiety_outcome outcomes[]) {
    if (outcomes == NULL || (body == NULL && len > 0)) {
        return MOIETY_INVALID_ARGUMENT;
    }
    enum moiety_result result = result_of_http(status);
    if (result == MOIETY_OK) {
        return result_of(read_body(upload, content_type, span_of(body, len), outcomes));
    }
    for (size_t i = 0; i < upload->count; i++) {
        outcomes[i] = (struct moiety_outcome){
            result == MOIETY_RETRY_LATER ? MOIETY_REPORT_RETRY : MOIETY_REPORT_REJECTED, 0};
    }
    return result;
}

const char *moiety_report_error_name(uint8_t error) {
    return report_error_name((enum report_error)error);
}
