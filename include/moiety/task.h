/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_TASK_H
#define MOIETY_TASK_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define MOIETY_API __attribute__((visibility("default")))
#else
#define MOIETY_API
#endif

/* What every function that can fail returns. Values are never renumbered. */
enum moiety_result {
    MOIETY_OK = 0,
    MOIETY_INVALID_ARGUMENT = 1,
    MOIETY_INVALID_MESSAGE = 2,
    MOIETY_UNSUPPORTED = 3,
    MOIETY_NO_CONFIG = 4,
    MOIETY_TASK_INACTIVE = 5,
    MOIETY_WRONG_KEY = 6,
    MOIETY_DECRYPT_FAILED = 7,
    MOIETY_PENDING = 8,
    MOIETY_RETRY_LATER = 9,
    MOIETY_REFUSED = 10,
    MOIETY_BAD_LOCATION = 11,
    MOIETY_NO_MEMORY = 12,
    MOIETY_CRYPTO = 13,
    MOIETY_NETWORK = 14,
    MOIETY_INSECURE = 15,
    MOIETY_INTERNAL = 16,
};

/* One line for people. Static memory. */
static inline const char *moiety_result_text(enum moiety_result result) {
    switch (result) {
    case MOIETY_OK: return "success";
    case MOIETY_INVALID_ARGUMENT: return "an argument is out of range or badly formed";
    case MOIETY_INVALID_MESSAGE: return "the server's answer could not be understood";
    case MOIETY_UNSUPPORTED: return "an algorithm or extension is not supported";
    case MOIETY_NO_CONFIG: return "an aggregator's HPKE configuration is missing";
    case MOIETY_TASK_INACTIVE: return "the task has not begun yet or is over";
    case MOIETY_WRONG_KEY: return "the answer is encrypted to another collector key";
    case MOIETY_DECRYPT_FAILED: return "the ciphertext does not open";
    case MOIETY_PENDING: return "the result is not ready yet";
    case MOIETY_RETRY_LATER: return "the server can't do this now; try again later";
    case MOIETY_REFUSED: return "the server refused the request";
    case MOIETY_BAD_LOCATION: return "the server pointed outside of its own task";
    case MOIETY_NO_MEMORY: return "out of memory";
    case MOIETY_CRYPTO: return "the cryptographic provider failed";
    case MOIETY_NETWORK: return "the server could not be reached";
    case MOIETY_INSECURE: return "plain HTTP to another machine is not allowed";
    case MOIETY_INTERNAL: return "internal error";
    }
    return "unknown result";
}

enum moiety_batch_mode { MOIETY_TIME_INTERVAL = 1, MOIETY_LEADER_SELECTED = 2 };

enum moiety_role { MOIETY_LEADER = 2, MOIETY_HELPER = 3 };

/* A parameter of a VDAF by name, such as {"length", 72}. */
struct moiety_param {
    const char *name;
    uint64_t value;
};

/*
 * The task to take part in, as its author gave it out (DAP section 4.2). All
 * participants must have exactly the same, since it is authenticated with
 * every share. Either `configuration` holds the encoded TaskConfiguration,
 * or it is NULL and the fields after it say what it holds. `moiety task header`
 * makes a whole moiety_task from the file that its author gave out.
 *
 * All is copied by whoever takes a task. Set `size` to sizeof(struct
 * moiety_task), so that later versions can add fields; zero the rest.
 */
struct moiety_task {
    size_t size;
    const uint8_t *task_id; /* 32 bytes */

    const uint8_t *configuration;
    size_t configuration_len;

    const uint8_t *task_info; /* 1 to 255 bytes */
    size_t task_info_len;
    const char *leader_url;
    const char *helper_url;
    uint64_t time_precision; /* seconds */
    uint64_t min_batch_size;
    enum moiety_batch_mode batch_mode;
    /* "Prio3Count"; "Prio3Sum" {max_measurement}; "Prio3SumVec" {length,
     * max_measurement, chunk_length}; "Prio3Histogram" {length, chunk_length};
     * "Prio3MultihotCountVec" {length, max_weight, chunk_length}. */
    const char *vdaf;
    const struct moiety_param *params;
    size_t param_count;
    int has_interval; /* whether reports are limited to an interval */
    uint64_t interval_start; /* in time precisions since 1970 */
    uint64_t interval_duration;
};

#ifdef __cplusplus
}
#endif

#endif
