/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/auth.h"

#include <sodium.h>
#include <strings.h>

#include "base/secret.h"

void auth_hash(struct span token, uint8_t hash[32]) {
    crypto_hash_sha256(hash, token.data, token.len);
}

static bool token_matches(struct span token, const struct task_peer *peer) {
    uint8_t hash[32];
    if (token.len == 0 || peer->token_hash.len != sizeof(hash)) {
        return false;
    }
    auth_hash(token, hash);
    return secret_equal(hash, peer->token_hash.data, sizeof(hash));
}

/* RFC 9110, section 11.4: the scheme's case is free, and one or more spaces
 * follow it. */
static struct span bearer_token(struct span header) {
    static const char scheme[] = "bearer ";
    enum { SCHEME = sizeof(scheme) - 1 };
    if (header.len <= SCHEME || strncasecmp((const char *)header.data, scheme, SCHEME) != 0) {
        return SPAN_EMPTY;
    }
    struct span token = span_of(header.data + SCHEME, header.len - SCHEME);
    while (token.len > 0 && token.data[0] == ' ') {
        token = span_of(token.data + 1, token.len - 1);
    }
    return token;
}

/* A name of the certificate, as it stands ("DNS:leader.example") or without its
 * kind. */
static bool certificate_matches(const struct http_peer *certificate, const char *name) {
    for (size_t i = 0; i < certificate->name_count; i++) {
        const char *have = certificate->names[i];
        const char *colon = strchr(have, ':');
        if (strcmp(have, name) == 0 || (colon != NULL && strcmp(colon + 1, name) == 0)) {
            return true;
        }
    }
    return false;
}

struct status auth_check(const struct http_request *request, const struct task_peer *peer) {
    if (http_request_header_count(request, "authorization") == 1 &&
        token_matches(bearer_token(http_request_header(request, "authorization")), peer)) {
        return OK;
    }
    /* DAP up to draft 02 had a header of its own; Janus still uses it. */
    if (peer->dialect == TASK_DIALECT_JANUS &&
        token_matches(http_request_header(request, "dap-auth-token"), peer)) {
        return OK;
    }
    if (peer->certificate_name != NULL && request->peer != NULL &&
        certificate_matches(request->peer, peer->certificate_name)) {
        return OK;
    }
    return FAIL(UNAUTHORIZED);
}
