/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_CLIENT_H
#define MOIETY_CLIENT_H

#include <moiety/provider.h>
#include <moiety/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * libmoiety-client: reports measurements to a DAP task (draft-ietf-ppm-dap-18,
 * section 4.4) without either aggregator learning them.
 *
 * The library computes and never waits: it does no input or output, starts no
 * thread, and has no global state. The app moves the bytes with whatever HTTP
 * it has, and brings the cryptography as a table (moiety/provider.h).
 * libmoiety-client-curl (moiety/client_curl.h) does both in one call.
 *
 *     struct moiety_client *client;
 *     moiety_client_new(&task, &my_provider, &client);
 *
 *     // GET both, once in a while (honour Cache-Control).
 *     body = my_get(moiety_client_config_url(client, MOIETY_LEADER));
 *     moiety_client_set_config(client, MOIETY_LEADER, body.data, body.len);
 *     body = my_get(moiety_client_config_url(client, MOIETY_HELPER));
 *     moiety_client_set_config(client, MOIETY_HELPER, body.data, body.len);
 *
 *     // Bucket 3 of a histogram, now.
 *     uint64_t bucket = 3;
 *     struct moiety_report *report;
 *     moiety_client_report(client, &bucket, 1, time(NULL), &report);
 *
 *     struct moiety_upload *upload;
 *     moiety_client_upload(client, &report, 1, &upload);
 *     answer = my_post(moiety_upload_url(upload), moiety_upload_media_type(upload),
 *                      moiety_upload_body(upload, &len), len);
 *     struct moiety_outcome outcome;
 *     moiety_upload_answer(upload, answer.status, answer.content_type,
 *                          answer.data, answer.len, &outcome);
 *     if (outcome.verdict == MOIETY_REPORT_REMAKE) {
 *         // Fetch both configurations again, make a new report, try once more.
 *     }
 *
 * A handle belongs to one thread at a time; different handles are independent.
 * On failure outputs are untouched.
 */
struct moiety_client;
struct moiety_report;
struct moiety_upload;

/*
 * INVALID_ARGUMENT if the task is badly described; UNSUPPORTED for a VDAF or a
 * task extension that this library doesn't know. `provider` is borrowed and
 * must outlive the client.
 */
MOIETY_API enum moiety_result moiety_client_new(const struct moiety_task *task,
                                                const struct moiety_provider *provider,
                                                struct moiety_client **out);
MOIETY_API void moiety_client_free(struct moiety_client *client); /* NULL is allowed */

/* Where to GET an aggregator's HPKE configurations. Lives with the client.
 * NULL for another role. */
MOIETY_API const char *moiety_client_config_url(const struct moiety_client *client,
                                                enum moiety_role role);

/*
 * Takes the body of a successful answer and picks the first configuration that
 * this library can use. INVALID_MESSAGE if it isn't a valid, non-empty list;
 * UNSUPPORTED if none can be used. An earlier configuration stays in use then.
 */
MOIETY_API enum moiety_result moiety_client_set_config(struct moiety_client *client,
                                                       enum moiety_role role, const void *body,
                                                       size_t len);

/* Values in one measurement: 1 for Prio3Count (0 or 1), Prio3Sum and
 * Prio3Histogram (the index of a bucket); `length` for the vectors. */
MOIETY_API size_t moiety_client_measurement_len(const struct moiety_client *client);

/* A measurement from text: a number, or numbers with commas between them, in
 * brackets or not. `values` has room for moiety_client_measurement_len().
 * INVALID_ARGUMENT if it isn't a measurement of the task. */
MOIETY_API enum moiety_result moiety_client_parse(const struct moiety_client *client,
                                                  const char *text, uint64_t values[]);

/*
 * Splits a measurement and seals a share to each aggregator. `count` is
 * moiety_client_measurement_len(); `time_s` is when the measurement was taken,
 * in seconds since 1970, of which the report carries the task's precision only.
 *
 * NO_CONFIG before both configurations are set; INVALID_ARGUMENT if the values
 * are no measurement of the task; TASK_INACTIVE if the time is outside of the
 * task's interval; CRYPTO; NO_MEMORY. Release with moiety_report_free().
 */
MOIETY_API enum moiety_result moiety_client_report(struct moiety_client *client,
                                                   const uint64_t values[], size_t count,
                                                   uint64_t time_s, struct moiety_report **out);

/* The same for many measurements, which stand one after the other in `values`;
 * cheaper than one by one. All or none are made. */
MOIETY_API enum moiety_result moiety_client_reports(struct moiety_client *client,
                                                    const uint64_t values[], size_t reports,
                                                    uint64_t time_s, struct moiety_report *out[]);

MOIETY_API void moiety_report_free(struct moiety_report *report); /* NULL is allowed */
/* 16 bytes. Lives with the report. */
MOIETY_API const uint8_t *moiety_report_id(const struct moiety_report *report);

/*
 * The sealed report, for keeping until there is a connection, across restarts
 * of the app: it holds no plaintext. Lives with the report. Keep it until the
 * outcome says that it is done with: sending the same bytes again never counts
 * twice.
 */
MOIETY_API const uint8_t *moiety_report_bytes(const struct moiety_report *report, size_t *len);

/* Takes back what moiety_report_bytes() gave. INVALID_MESSAGE if it isn't a
 * report. */
MOIETY_API enum moiety_result moiety_report_load(const void *bytes, size_t len,
                                                 struct moiety_report **out);

/*
 * One upload of one or many reports, which are copied into it. From here on
 * the reports count as sent: that `report_replayed` answers a second try is
 * success, since the first got through.
 */
MOIETY_API enum moiety_result moiety_client_upload(struct moiety_client *client,
                                                   struct moiety_report *const reports[],
                                                   size_t count, struct moiety_upload **out);
MOIETY_API void moiety_upload_free(struct moiety_upload *upload); /* NULL is allowed */

/* What to POST. All live with the upload. */
MOIETY_API const char *moiety_upload_url(const struct moiety_upload *upload);
MOIETY_API const char *moiety_upload_media_type(const struct moiety_upload *upload);
MOIETY_API const uint8_t *moiety_upload_body(const struct moiety_upload *upload, size_t *len);

enum moiety_verdict {
    MOIETY_REPORT_ACCEPTED = 0, /* stored; forget it */
    MOIETY_REPORT_RETRY = 1,    /* send the same report again, later */
    /* It was sealed to a key that is gone. Fetch both HPKE configurations
     * again, not from a cache, and make a new report of the same measurement.
     * If that isn't accepted either, give up. */
    MOIETY_REPORT_REMAKE = 2,
    MOIETY_REPORT_REJECTED = 3, /* no use in trying again; forget it */
};

struct moiety_outcome {
    enum moiety_verdict verdict;
    uint8_t error; /* DAP's ReportError, 0 if the answer named none */
};

/*
 * Reads the answer to an upload and says what became of each report, in the
 * order of the upload. `content_type` may be NULL. Call it with status 0 if no
 * answer came.
 *
 * OK if the leader took the request, though perhaps not every report.
 * RETRY_LATER (no answer, 408, 425, 429, 5xx) and REFUSED (any other status)
 * set the outcomes too. INVALID_MESSAGE if the answer makes no sense: outcomes
 * are untouched, and the reports can be sent again.
 */
MOIETY_API enum moiety_result moiety_upload_answer(struct moiety_upload *upload, int status,
                                                   const char *content_type, const void *body,
                                                   size_t len, struct moiety_outcome outcomes[]);

/* DAP's name of a ReportError, such as "report_too_early". Static memory. */
MOIETY_API const char *moiety_report_error_name(uint8_t error);

/* How many seconds a Retry-After header asks for, at most `cap_s`. 0 for a
 * header that is NULL, in the past or makes no sense. */
MOIETY_API uint64_t moiety_client_retry_after(const char *header, uint64_t now_s, uint64_t cap_s);

#ifdef __cplusplus
}
#endif

#endif
