/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CA_LIMIT_H
#define MOIETY_ACME_CA_LIMIT_H

#include "base/bytes.h"

/*
 * Rate limits: a bucket of tokens for each account and each name, which fills at
 * a steady rate. They are kept in memory of a fixed size: two that fall on one
 * slot, which takes tens of thousands in use at once, share a bucket. A restart
 * fills all buckets. Thread-safe.
 */
struct ca_limits;

struct ca_limit {
    uint32_t burst;     /* tokens of a full bucket; 0: no limit */
    uint32_t refill_ms; /* for one token */
};

struct status ca_limits_new(struct ca_limits **out);
void ca_limits_free(struct ca_limits *limits); /* NULL is allowed */

/* Takes a token from the bucket of `key` (which begins with its kind). False if
 * there is none: then `*retry_s` is when to come again. */
bool ca_limit_take(struct ca_limits *limits, struct ca_limit limit, const char *key,
                   unsigned *retry_s);

#endif
