/* SPDX-License-Identifier: Apache-2.0 */
#include "dap/checksum.h"

#include <criterion/criterion.h>

#include "dap/golden.h"

Test(checksum, is_the_xor_of_the_hashes) {
    /* SHA-256 of 16 zero bytes. */
    struct span hash = golden_hex("374708fff7719dd5979ec875d56cd228"
                                  "6f6d3cf7ec317a3b25632aab28ec37bb");
    struct report_id zero = {{0}}, other = {{1}};
    uint8_t sum[CHECKSUM_SIZE] = {0}, reversed[CHECKSUM_SIZE] = {0};
    checksum_add(sum, &zero);
    cr_expect_eq(memcmp(sum, hash.data, sizeof(sum)), 0);
    checksum_add(sum, &other);
    cr_expect_neq(memcmp(sum, hash.data, sizeof(sum)), 0);
    checksum_add(reversed, &other);
    checksum_merge(reversed, hash.data);
    cr_expect_eq(memcmp(sum, reversed, sizeof(sum)), 0);
    golden_free(hash);
}
