/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/ca/token.h"

#include "base/log.h"

/* For builds without p11-kit. */

bool ca_token_supported(void) { return false; }

struct status ca_token_open(const struct ca_token_config *config, struct ca_token **out) {
    (void)config;
    *out = NULL;
    log_event(LOG_ERROR, "this build has no PKCS#11: it was made without p11-kit");
    return FAIL(INVALID_CONFIG);
}

struct status ca_token_public_key(struct ca_token *token, EVP_PKEY **out) {
    (void)token;
    *out = NULL;
    return FAIL(INVALID_CONFIG);
}

struct status ca_token_sign(struct ca_token *token, const uint8_t digest[CA_TOKEN_DIGEST_SIZE],
                            uint8_t signature[CA_TOKEN_SIGNATURE_SIZE]) {
    (void)token;
    (void)digest;
    (void)signature;
    return FAIL(INVALID_CONFIG);
}

void ca_token_close(struct ca_token *token) { (void)token; }
