/* SPDX-License-Identifier: Apache-2.0 */
#include "dap/hpke_choice.h"

#include <criterion/criterion.h>

static uint8_t key[65];

static struct hpke_config config(uint8_t id, uint16_t kem, uint16_t kdf, uint16_t aead,
                                 size_t key_len) {
    return (struct hpke_config){id, {kem, kdf, aead}, {key, key_len}};
}

static enum status_code choose(const struct hpke_config items[], size_t count, uint8_t *id) {
    struct hpke_config_list list = {items, count};
    struct buffer body = BUFFER_INIT;
    struct hpke_config chosen = {.id = 0};
    cr_assert(status_ok(hpke_config_list_encode(&list, &body)));
    struct status status = hpke_config_choose(buffer_span(&body), &chosen);
    *id = chosen.id;
    buffer_release(&body);
    return status.code;
}

Test(hpke_choice, takes_the_first_that_it_can_use) {
    struct hpke_config items[] = {
        config(1, 0x0021, 1, 1, 56), /* X448 */
        config(2, 0x0020, 2, 1, 32), /* HKDF-SHA384 */
        config(3, 0x0020, 1, 1, 31), /* a short key */
        config(4, 0x0020, 1, 3, 32), /* good */
        config(5, 0x0010, 1, 1, 65), /* good as well */
    };
    uint8_t id;
    cr_expect_eq(choose(items, 5, &id), STATUS_OK);
    cr_expect_eq(id, 4);
    cr_expect_eq(choose(items, 3, &id), STATUS_UNSUPPORTED_ALGORITHM);
    cr_expect_eq(choose(items + 4, 1, &id), STATUS_OK);
    cr_expect_eq(id, 5);
}

Test(hpke_choice, refuses_what_is_no_list) {
    struct hpke_config chosen;
    cr_expect_eq(hpke_config_choose(SPAN_EMPTY, &chosen).code, STATUS_INVALID_MESSAGE);
    cr_expect_eq(hpke_config_choose(span_of("\0\0", 2), &chosen).code, STATUS_INVALID_MESSAGE);
    cr_expect_eq(hpke_config_choose(SPAN_OF_LITERAL("<html>"), &chosen).code,
                 STATUS_INVALID_MESSAGE);
}
