/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "acme/client/session.h"
#include "wire/retry_after.h"

enum { RETRY_AFTER_MAX_S = 7 * 24 * 3600 };

void session_answer_release(struct session_answer *answer) {
    json_decref(answer->body);
    http_client_response_free(answer->response);
    arena_release(&answer->arena);
    *answer = (struct session_answer){0};
}

/* ---- Headers ---- */

static bool is_json(const struct http_client_response *response) {
    const struct span type = http_client_response_header(response, "content-type");
    return type.len >= 16 && memcmp(type.data, "application/", 12) == 0 &&
           memmem(type.data, type.len, "json", 4) != NULL;
}

static struct status read_links(struct session_answer *answer) {
    for (size_t i = 0; i < answer->response->header_count; i++) {
        const struct http_header *header = &answer->response->headers[i];
        if (http_name_equal(header->name, "link")) {
            TRY(links_add(&answer->alternate, header->value, "alternate", &answer->arena));
        }
    }
    return OK;
}

static struct status read_headers(const struct session *session, struct session_answer *answer) {
    const struct http_client_response *response = answer->response;
    const struct span retry = http_client_response_header(response, "retry-after");
    const struct span location = http_client_response_header(response, "location");
    answer->http = response->status;
    answer->has_retry_after =
        retry.len > 0 &&
        status_ok(retry_after_parse(retry, clock_now_s(session->config.clock), RETRY_AFTER_MAX_S,
                                    &answer->retry_after_s));
    if (location.len > 0) {
        answer->location =
            arena_printf(&answer->arena, "%.*s", (int)location.len, (const char *)location.data);
        if (answer->location == NULL) {
            return FAIL(NO_MEMORY);
        }
    }
    return read_links(answer);
}

/* ---- Refusals ---- */

static enum status_code code_of(int http) {
    switch (http) {
    case 401: return STATUS_UNAUTHORIZED;
    case 403: return STATUS_FORBIDDEN;
    case 404: return STATUS_NOT_FOUND;
    case 409: return STATUS_CONFLICT;
    case 429: return STATUS_TOO_MANY_REQUESTS;
    default: return http >= 500 ? STATUS_PEER_FAILED : STATUS_BAD_REQUEST;
    }
}

/* The server's words go to logs and terminals: no control character gets there. */
static void make_printable(char *text) {
    for (; *text != '\0'; text++) {
        *text = *text >= ' ' && *text <= '~' ? *text : '?';
    }
}

static void describe(struct session_failure *failure, const char *url,
                     const struct acme_problem *problem) {
    int at = snprintf(failure->text, sizeof(failure->text), "%s: %d %s: %s", url, failure->http,
                      acme_error_name(problem->error),
                      problem->detail != NULL ? problem->detail : acme_error_text(problem->error));
    for (size_t i = 0; i < problem->subproblem_count && at > 0 && at < (int)sizeof(failure->text);
         i++) {
        const struct acme_problem *sub = &problem->subproblems[i];
        at += snprintf(failure->text + at, sizeof(failure->text) - (size_t)at, "; %s: %s",
                       sub->identifier != NULL ? sub->identifier->value : "",
                       sub->detail != NULL ? sub->detail : acme_error_text(sub->error));
    }
    make_printable(failure->text);
}

static struct status refuse(struct session *session, const char *url,
                            struct session_answer *answer) {
    struct acme_problem problem = {0};
    struct session_failure failure = {.http = answer->http,
                                      .retry_after_s = answer->retry_after_s};
    if (answer->body != NULL) {
        TRY(acme_problem_read(answer->body, &answer->arena, &problem));
    }
    failure.error = problem.error;
    describe(&failure, url, &problem);
    session->failure = failure;
    return (struct status){failure.error == ACME_RATE_LIMITED ? STATUS_TOO_MANY_REQUESTS
                                                              : code_of(answer->http)};
}

struct status session_answer_read(struct session *session, const char *url,
                                  struct http_client_response *response,
                                  struct session_answer *answer) {
    struct session_answer read = {.response = response};
    const struct span body = buffer_span(&response->body);
    struct status status = read_headers(session, &read);
    if (status_ok(status) && is_json(response) && !status_ok(json_parse(body, &read.body)) &&
        read.http < 300 && body.len > 0) {
        status = session_fail(session, STATUS_INVALID_MESSAGE, "%s: the answer is no JSON object",
                              url);
    }
    if (status_ok(status) && (read.http < 200 || read.http > 299)) {
        status = refuse(session, url, &read);
    }
    if (!status_ok(status)) {
        session_answer_release(&read);
        return status;
    }
    *answer = read;
    return OK;
}
