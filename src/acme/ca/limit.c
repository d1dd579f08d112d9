/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/ca/limit.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"

enum { SLOTS = 1 << 15, SALT = 16 };

/* How far the bucket's tokens reach: the moment at which it is full again.
 * That is all there is to know of a bucket, and 0 is a full one. */
struct ca_limits {
    pthread_mutex_t mutex;
    uint8_t salt[SALT]; /* so that nobody can choose names that meet */
    int64_t full_at_ms[SLOTS];
};

struct status ca_limits_new(struct ca_limits **out) {
    struct ca_limits *limits = calloc(1, sizeof *limits);
    if (limits == NULL) {
        return FAIL(NO_MEMORY);
    }
    if (RAND_bytes(limits->salt, SALT) != 1) {
        free(limits);
        return FAIL(CRYPTO);
    }
    pthread_mutex_init(&limits->mutex, NULL);
    *out = limits;
    return OK;
}

void ca_limits_free(struct ca_limits *limits) {
    if (limits != NULL) {
        pthread_mutex_destroy(&limits->mutex);
        free(limits);
    }
}

static size_t slot_of(const struct ca_limits *limits, const char *key) {
    uint8_t digest[EVP_MAX_MD_SIZE] = {0};
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
        EVP_DigestUpdate(context, limits->salt, SALT) == 1 &&
        EVP_DigestUpdate(context, key, strlen(key)) == 1) {
        EVP_DigestFinal_ex(context, digest, NULL);
    }
    EVP_MD_CTX_free(context);
    return ((size_t)digest[0] << 8 | digest[1]) % SLOTS;
}

bool ca_limit_take(struct ca_limits *limits, struct ca_limit limit, const char *key,
                   unsigned *retry_s) {
    enum { NS_PER_MS = 1000000, MS_PER_S = 1000 };
    if (limit.burst == 0) {
        return true;
    }
    int64_t now = clock_monotonic_ns() / NS_PER_MS;
    int64_t *full_at = &limits->full_at_ms[slot_of(limits, key)];
    pthread_mutex_lock(&limits->mutex);
    int64_t from = *full_at > now ? *full_at : now;
    int64_t over = from + limit.refill_ms - now - (int64_t)limit.burst * limit.refill_ms;
    if (over <= 0) {
        *full_at = from + limit.refill_ms;
    }
    pthread_mutex_unlock(&limits->mutex);
    *retry_s = over <= 0 ? 0 : (unsigned)((over + MS_PER_S - 1) / MS_PER_S);
    return over <= 0;
}
