/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>

#include "cli.h"
#include "dap/hpke_choice.h"
#include "dap/media_type.h"
#include "doctor.h"
#include "http.h"

#include <curl/curl.h>

enum { SKEW_WARN_S = 5, SKEW_BAD_S = 60, TIMEOUT_MS = 20000 };

static void finding(const char *mark, const char *format, va_list arguments) {
    printf("%s  ", mark);
    vprintf(format, arguments);
    printf("\n");
}

#define DOCTOR_FINDING(function, member, mark)                                                     \
    void function(struct doctor *doctor, const char *format, ...) {                                \
        va_list arguments;                                                                         \
        va_start(arguments, format);                                                               \
        finding(mark, format, arguments);                                                          \
        va_end(arguments);                                                                         \
        doctor->member++;                                                                          \
    }
DOCTOR_FINDING(doctor_good, good, "good   ")
DOCTOR_FINDING(doctor_warn, warnings, "warning")
DOCTOR_FINDING(doctor_bad, bad, "BAD    ")

/* ---- Asking ---- */

static void take_answer(struct doctor *doctor, const struct http_client_response *response,
                        struct doctor_answer *out) {
    struct arena *arena = &doctor->arena;
    struct span date = http_client_response_header(response, "Date");
    struct {
        const char *name;
        struct span *out;
    } headers[] = {{"Content-Type", &out->content_type},
                   {"Location", &out->location},
                   {"Retry-After", &out->retry_after}};
    *out = (struct doctor_answer){.status = response->status};
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        struct span value = http_client_response_header(response, headers[i].name);
        if (!status_ok(arena_copy(arena, value, headers[i].out))) {
            *headers[i].out = SPAN_EMPTY;
        }
    }
    out->date = date.data == NULL
                    ? NULL
                    : arena_printf(arena, "%.*s", (int)date.len, (const char *)date.data);
    if (!status_ok(arena_copy(arena, buffer_span(&response->body), &out->body))) {
        out->body = SPAN_EMPTY;
    }
    out->has_problem = media_type_matches(out->content_type, MEDIA_PROBLEM) &&
                       status_ok(problem_decode(out->body, arena, &out->problem));
}

bool doctor_ask(struct doctor *doctor, const char *method, const char *url, struct span token,
                const char *media, struct span body, struct doctor_answer *out) {
    struct http_header headers[2];
    struct http_client_response *response;
    struct http_client_request request = {.method = method,
                                          .url = url,
                                          .headers = headers,
                                          .body = body,
                                          .tls = doctor->tls,
                                          .timeout_ms = TIMEOUT_MS};
    if (media != NULL) {
        headers[request.header_count++] = HTTP_HEADER("Content-Type", span_of_string(media));
    }
    if (token.len > 0) {
        char *bearer =
            arena_printf(&doctor->arena, "Bearer %.*s", (int)token.len, (const char *)token.data);
        headers[request.header_count++] =
            HTTP_HEADER("Authorization", span_of_string(bearer == NULL ? "" : bearer));
    }
    struct status status = http_client_call(doctor->client, &request, &response);
    if (!status_ok(status)) {
        doctor_bad(doctor, "%s: %s", url, status_text(status.code));
        return false;
    }
    bool answered = status_ok(response->outcome);
    if (answered) {
        take_answer(doctor, response, out);
    } else {
        doctor_bad(doctor, "%s: %s (%s)", url, cli_http_unreachable(response->outcome.code),
                   response->reason);
    }
    http_client_response_free(response);
    return answered;
}

/* ---- An endpoint by itself ---- */

static void check_clock(struct doctor *doctor, const char *role, const char *date) {
    time_t theirs = date == NULL ? -1 : curl_getdate(date, NULL);
    if (theirs < 0) {
        doctor_warn(doctor, "the %s gives no Date, so its clock can't be compared", role);
        return;
    }
    int64_t skew = (int64_t)theirs - (int64_t)clock_now_s(&clock_system);
    long long amount = skew < 0 ? -skew : skew;
    const char *way = skew < 0 ? "behind" : "ahead of";
    if (amount >= SKEW_BAD_S) {
        doctor_bad(doctor,
                   "the %s's clock is %lld s %s ours: reports will be refused as too early "
                   "or too old; set both by NTP",
                   role, amount, way);
    } else if (amount >= SKEW_WARN_S) {
        doctor_warn(doctor, "the %s's clock is %lld s %s ours", role, amount, way);
    } else {
        doctor_good(doctor, "the %s's clock is within %d s of ours", role, SKEW_WARN_S);
    }
}

static bool check_keys(struct doctor *doctor, const char *role, const char *url,
                       const struct doctor_answer *answer, struct hpke_config *config) {
    struct hpke_config chosen;
    if (answer->status != 200) {
        doctor_bad(doctor, "%s answers %d%s: is this a DAP endpoint, and is the path right?", url,
                   answer->status, answer->status >= 500 ? " (look at its log)" : "");
        return false;
    }
    if (!media_type_matches(answer->content_type, MEDIA_HPKE_CONFIG_LIST)) {
        doctor_warn(doctor, "the %s's hpke_config has another media type than DAP's", role);
    }
    struct status status = hpke_config_choose(answer->body, &chosen);
    if (status.code == STATUS_UNSUPPORTED_ALGORITHM) {
        doctor_bad(doctor, "the %s advertises no HPKE key with algorithms that we have", role);
    } else if (!status_ok(status)) {
        doctor_bad(doctor,
                   "the %s's hpke_config is no list of HPKE keys: it may speak another "
                   "draft of DAP",
                   role);
    } else {
        doctor_good(doctor, "the %s answers at %s, with HPKE key %u", role, url, chosen.id);
        if (config != NULL) {
            *config = chosen;
        }
    }
    return status_ok(status);
}

bool doctor_check_endpoint(struct doctor *doctor, const char *role, struct span endpoint,
                           struct hpke_config *config) {
    struct doctor_answer answer;
    const char *url = resource_url(endpoint, RESOURCE_HPKE_CONFIG, NULL, NULL, &doctor->arena);
    if (url == NULL || !doctor_ask(doctor, "GET", url, SPAN_EMPTY, NULL, SPAN_EMPTY, &answer)) {
        return false;
    }
    check_clock(doctor, role, answer.date);
    return check_keys(doctor, role, url, &answer, config);
}
