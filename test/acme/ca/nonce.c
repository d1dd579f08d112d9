/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/ca/nonce.h"

#include <criterion/criterion.h>

#include "acme/ca/limit.h"

Test(nonce, used_once) {
    struct ca_nonces *nonces;
    char made[100][CA_NONCE_LEN + 1];
    cr_assert(status_ok(ca_nonces_new(&nonces)));
    for (size_t i = 0; i < 100; i++) {
        cr_assert(status_ok(ca_nonce_make(nonces, made[i])));
    }
    for (size_t i = 100; i-- > 0;) {
        cr_expect(ca_nonce_use(nonces, made[i]));
        cr_expect(!ca_nonce_use(nonces, made[i]));
    }
    cr_expect(!ca_nonce_use(nonces, ""));
    cr_expect(!ca_nonce_use(nonces, "AAAAAAAAAAAAAAAAAAAAAA"));
    ca_nonces_free(nonces);
}

/* A restart is a new key: nothing from before is accepted, used or not. */
Test(nonce, none_outlives_its_process) {
    struct ca_nonces *before;
    struct ca_nonces *after;
    char nonce[CA_NONCE_LEN + 1];
    char fresh[CA_NONCE_LEN + 1];
    cr_assert(status_ok(ca_nonces_new(&before)) && status_ok(ca_nonces_new(&after)));
    cr_assert(status_ok(ca_nonce_make(before, nonce)) && status_ok(ca_nonce_make(after, fresh)));
    cr_expect(!ca_nonce_use(after, nonce));
    cr_expect(ca_nonce_use(after, fresh));
    ca_nonces_free(before);
    ca_nonces_free(after);
}

/* The bit of a nonce is another one's a million later; the old one is too old by then. */
Test(nonce, old_ones_are_refused) {
    struct ca_nonces *nonces;
    char first[CA_NONCE_LEN + 1];
    char other[CA_NONCE_LEN + 1];
    cr_assert(status_ok(ca_nonces_new(&nonces)));
    cr_assert(status_ok(ca_nonce_make(nonces, first)));
    for (int i = 0; i < 1 << 20; i++) {
        cr_assert(status_ok(ca_nonce_make(nonces, other)));
    }
    cr_expect(!ca_nonce_use(nonces, first));
    cr_expect(ca_nonce_use(nonces, other));
    ca_nonces_free(nonces);
}

Test(limit, bucket_empties_and_fills) {
    struct ca_limits *limits;
    const struct ca_limit limit = {.burst = 3, .refill_ms = 100000};
    unsigned retry = 0;
    cr_assert(status_ok(ca_limits_new(&limits)));
    for (int i = 0; i < 3; i++) {
        cr_expect(ca_limit_take(limits, limit, "a:one", &retry));
    }
    cr_expect(!ca_limit_take(limits, limit, "a:one", &retry));
    cr_expect(retry > 90 && retry <= 100);
    cr_expect(ca_limit_take(limits, limit, "a:two", &retry));
    const struct ca_limit quick = {.burst = 1, .refill_ms = 1};
    cr_expect(ca_limit_take(limits, quick, "a:three", &retry));
    for (volatile int i = 0; i < 100000000 && !ca_limit_take(limits, quick, "a:three", &retry);
         i = i + 1) {
    }
    const struct ca_limit none = {.burst = 0};
    cr_expect(ca_limit_take(limits, none, "a:one", &retry));
    ca_limits_free(limits);
}
