/* SPDX-License-Identifier: Apache-2.0 */
#include "dap/hpke_choice.h"

/* Walks the list without an array, since the client has no other use for it. */
struct status hpke_config_choose(struct span body, struct hpke_config *out) {
    struct hpke_config_list list;
    TRY(hpke_config_list_decode(body, NULL, &list));
    struct reader outer = reader_of(body);
    struct reader items = reader_of(reader_vector(&outer, 2, 0, UINT16_MAX));
    while (reader_left(&items) > 0) {
        struct hpke_config config;
        TRY(hpke_config_read(&items, NULL, &config));
        if (hpke_suite_supported(config.suite) &&
            config.public_key.len == hpke_public_key_size(config.suite.kem_id)) {
            *out = config;
            return OK;
        }
    }
    return FAIL(UNSUPPORTED_ALGORITHM);
}
