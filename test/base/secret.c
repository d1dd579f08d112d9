/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

#include <criterion/criterion.h>

Test(secret, equality_sees_every_bit) {
    uint8_t a[33];
    uint8_t b[33];
    memset(a, 0x5a, sizeof(a));
    memcpy(b, a, sizeof(a));
    cr_assert(secret_equal(a, b, sizeof(a)));
    cr_assert(secret_equal(a, b, 0));
    for (size_t bit = 0; bit < 8 * sizeof(a); bit++) {
        b[bit / 8] ^= (uint8_t)(1 << bit % 8);
        cr_assert(!secret_equal(a, b, sizeof(a)));
        b[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

Test(secret, wiping_leaves_zeros) {
    uint8_t bytes[16];
    memset(bytes, 0xff, sizeof(bytes));
    secret_wipe(bytes + 1, 14);
    cr_assert_eq(bytes[0], 0xff);
    cr_assert_eq(bytes[15], 0xff);
    for (size_t i = 1; i < 15; i++) {
        cr_assert_eq(bytes[i], 0);
    }
    secret_wipe(NULL, 0);
}

Test(secret, lives_from_copy_to_release) {
    struct secret secret = SECRET_INIT;
    secret_release(&secret); /* of nothing is nothing */
    cr_assert(status_ok(secret_copy(&secret, SPAN_OF_LITERAL("key"))));
    cr_assert(span_equal_vartime(secret_span(&secret), SPAN_OF_LITERAL("key")));
    secret_release(&secret);
    cr_assert_null(secret.data);
    cr_assert_eq(secret.len, 0);

    cr_assert(status_ok(secret_new(&secret, 8)));
    static const uint8_t zeros[8];
    cr_assert_arr_eq(secret.data, zeros, 8);
    secret_release(&secret);
    cr_assert(status_ok(secret_copy(&secret, SPAN_EMPTY)));
    cr_assert_eq(secret.len, 0);
    secret_release(&secret);
}
