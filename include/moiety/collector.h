/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_COLLECTOR_H
#define MOIETY_COLLECTOR_H

#include <moiety/provider.h>
#include <moiety/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * libmoiety-collector: asks a DAP task's leader for an aggregate and puts it
 * together from the aggregators' encrypted shares (draft-ietf-ppm-dap-18,
 * section 4.6). No input or output, no thread, no global state: the caller
 * moves the bytes and authenticates to the leader.
 *
 *     struct moiety_collection *job;
 *     moiety_collector_next_batch(collector, &job);
 *     // Store moiety_collection_request() durably here: see below.
 *     answer = my_post(moiety_collection_url(job), moiety_collection_media_type(job),
 *                      moiety_collection_request(job, &len), len);
 *     struct moiety_aggregate *aggregate;
 *     while ((result = moiety_collection_answer(job, answer.status, answer.location,
 *                                               answer.content_type, answer.data, answer.len,
 *                                               &aggregate)) == MOIETY_PENDING) {
 *         // Store moiety_collection_url() too, wait for Retry-After, then
 *         answer = my_get(moiety_collection_url(job));
 *     }
 *     for (size_t i = 0; i < moiety_aggregate_len(aggregate); i++) {
 *         puts(moiety_aggregate_value(aggregate, i)->decimal);
 *     }
 *     // Store the result durably, then DELETE moiety_collection_url().
 *
 * A batch can be collected once. A collector that crashes between request and
 * result must send the same bytes to get the same job, which is what
 * moiety_collection_load() is for. In leader-selected mode every request has
 * the same bytes: DELETE the job before asking for the next batch, or the
 * leader gives this one again.
 *
 * A handle belongs to one thread at a time; different handles are independent.
 * On failure outputs are untouched.
 */
struct moiety_collector;
struct moiety_collector_key;
struct moiety_collection;
struct moiety_aggregate;

/*
 * The collector's key pair, to which both aggregators encrypt.
 *
 * KEEP IT: whoever loses it can never decrypt what the aggregators send. The
 * batches collected under it are spent, and no one can make them again; for
 * batches not yet collected, the aggregators must first be given a new
 * configuration. WHOEVER ELSE HAS IT and the leader's answers can read the
 * aggregates. Store the exported form encrypted, with a copy in another place.
 */
MOIETY_API enum moiety_result moiety_collector_key_generate(const struct moiety_provider *provider,
                                                            uint16_t kem, uint16_t aead,
                                                            uint8_t config_id,
                                                            struct moiety_collector_key **out);

/* The private key and all that goes with it. Secret: wipe it after use. */
enum { MOIETY_COLLECTOR_KEY_SIZE = 40 };
MOIETY_API void moiety_collector_key_export(const struct moiety_collector_key *key,
                                            uint8_t out[MOIETY_COLLECTOR_KEY_SIZE]);
/* INVALID_MESSAGE if it isn't an exported key, UNSUPPORTED for algorithms that
 * this library doesn't know. */
MOIETY_API enum moiety_result moiety_collector_key_import(const struct moiety_provider *provider,
                                                          const void *bytes, size_t len,
                                                          struct moiety_collector_key **out);
/* The encoded HpkeConfig to give to the aggregators: public. Lives with the
 * key. */
MOIETY_API const uint8_t *moiety_collector_key_config(const struct moiety_collector_key *key,
                                                      size_t *len);
/* Wipes the key. NULL is allowed. */
MOIETY_API void moiety_collector_key_free(struct moiety_collector_key *key);

/* `provider` and `key` are borrowed and must outlive the collector. Errors as
 * for moiety_client_new(). */
MOIETY_API enum moiety_result moiety_collector_new(const struct moiety_task *task,
                                                   const struct moiety_collector_key *key,
                                                   const struct moiety_provider *provider,
                                                   struct moiety_collector **out);
MOIETY_API void moiety_collector_free(struct moiety_collector *collector);

/* Asks for the reports of an interval of time, in seconds since 1970; both
 * numbers are multiples of the task's time precision. INVALID_ARGUMENT
 * otherwise, for an empty interval, and for a leader-selected task. The
 * collector must outlive the collection. */
MOIETY_API enum moiety_result moiety_collector_interval(const struct moiety_collector *collector,
                                                        uint64_t start_s, uint64_t duration_s,
                                                        struct moiety_collection **out);
/* Asks for the next batch of a leader-selected task; INVALID_ARGUMENT for any
 * other. */
MOIETY_API enum moiety_result moiety_collector_next_batch(const struct moiety_collector *collector,
                                                          struct moiety_collection **out);

/* Takes up a collection where it was left: from moiety_collection_request()'s
 * bytes and, once the leader gave one, the job's URL (otherwise NULL).
 * INVALID_MESSAGE if the bytes are no request of this task; BAD_LOCATION for a
 * URL that is not of its collection jobs. */
MOIETY_API enum moiety_result moiety_collection_load(const struct moiety_collector *collector,
                                                     const void *request, size_t len,
                                                     const char *job_url,
                                                     struct moiety_collection **out);
MOIETY_API void moiety_collection_free(struct moiety_collection *collection);

/* What to POST, and its media type. Live with the collection. */
MOIETY_API const uint8_t *moiety_collection_request(const struct moiety_collection *collection,
                                                    size_t *len);
MOIETY_API const char *moiety_collection_media_type(const struct moiety_collection *collection);
/* Where to POST the request while moiety_collection_created() is 0; then the
 * job to GET and, in the end, DELETE. Lives until the next answer. */
MOIETY_API const char *moiety_collection_url(const struct moiety_collection *collection);
MOIETY_API int moiety_collection_created(const struct moiety_collection *collection);

/*
 * Reads an answer to the POST or to a GET. Headers that didn't come are NULL.
 * `location` is taken only within the leader's origin and this task's
 * collection jobs, since the collector's credentials go there: BAD_LOCATION
 * otherwise, and INVALID_MESSAGE if the answer to a POST has none.
 *
 * OK: the aggregate is in `out`. PENDING: GET moiety_collection_url() later.
 * RETRY_LATER (status 0 for no answer, 408, 425, 429, 5xx): send the same
 * again. REFUSED: any other status; the body is a problem document.
 * WRONG_KEY, DECRYPT_FAILED, INVALID_MESSAGE: the answer is of no use.
 */
MOIETY_API enum moiety_result moiety_collection_answer(struct moiety_collection *collection,
                                                       int status, const char *location,
                                                       const char *content_type, const void *body,
                                                       size_t len, struct moiety_aggregate **out);

/* One value of a result: a count, or a sum. */
struct moiety_value {
    char decimal[48]; /* exact, terminated */
    uint64_t number;  /* the value, or the largest number there is if it overflows */
    int overflows;    /* whether the value needs more than 64 bits */
};

/* Reports that the aggregators counted, and the smallest interval that holds
 * their times, in seconds. */
MOIETY_API uint64_t moiety_aggregate_report_count(const struct moiety_aggregate *aggregate);
MOIETY_API uint64_t moiety_aggregate_start_s(const struct moiety_aggregate *aggregate);
MOIETY_API uint64_t moiety_aggregate_duration_s(const struct moiety_aggregate *aggregate);
/* 1 value for Prio3Count and Prio3Sum, `length` for the others. */
MOIETY_API size_t moiety_aggregate_len(const struct moiety_aggregate *aggregate);
/* Lives with the aggregate. NULL beyond the end. */
MOIETY_API const struct moiety_value *
moiety_aggregate_value(const struct moiety_aggregate *aggregate, size_t i);
MOIETY_API void moiety_aggregate_free(struct moiety_aggregate *aggregate);

#ifdef __cplusplus
}
#endif

#endif
