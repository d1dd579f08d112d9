/* SPDX-License-Identifier: Apache-2.0 */
#include "dap/hpke_choice.h"

static bool usable(const struct hpke_config *config) {
    return hpke_suite_supported(config->suite) &&
           config->public_key.len == hpke_public_key_size(config->suite.kem_id);
}

struct status hpke_config_choose(struct span body, struct hpke_config *out) {
    struct arena arena = ARENA_INIT;
    struct hpke_config_list list;
    struct status status;
    TRY_GOTO(status, hpke_config_list_decode(body, &arena, &list), done);
    status = FAIL(UNSUPPORTED_ALGORITHM);
    for (size_t i = 0; i < list.count; i++) {
        if (usable(&list.items[i])) {
            *out = list.items[i];
            status = OK;
            break;
        }
    }
done:
    arena_release(&arena);
    return status;
}
