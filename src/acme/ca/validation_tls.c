/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/ca/ca.h"
#include "acme/ca/probe.h"
#include "acme/ca/validation.h"
#include "acme/challenge.h"

/* tls-alpn-01 (RFC 8737; RFC 8738 section 6 for addresses). */
static struct status check(struct validation *v, struct probe *probe) {
    static const char protocol[] = "acme-tls/1";
    const unsigned char *chosen;
    unsigned len;
    uint8_t digest[32];
    const char *name = challenge_alpn_name(&v->identifier, v->arena);
    if (name == NULL) {
        return FAIL(NO_MEMORY);
    }
    if (!status_ok(probe_tls(probe, name, protocol))) {
        return validation_fail(v, ACME_TLS, "the TLS handshake for %s failed", name);
    }
    SSL_get0_alpn_selected(probe->ssl, &chosen, &len);
    if (!span_equal_vartime(span_of(chosen, len), span_of_string(protocol))) {
        return validation_fail(v, ACME_UNAUTHORIZED, "the server doesn't speak acme-tls/1");
    }
    challenge_digest(v->authorization, digest);
    X509 *certificate = SSL_get1_peer_certificate(probe->ssl);
    bool good =
        certificate != NULL && challenge_alpn_matches(certificate, &v->identifier, digest);
    X509_free(certificate);
    return good ? OK
                : validation_fail(v, ACME_UNAUTHORIZED,
                                  "the certificate is not the one of this challenge");
}

struct status validation_tls(struct validation *v) {
    struct probe probe;
    TRY(validation_connect(v, v->identifier.value, v->options->validation.tls_port, &probe));
    struct status status = check(v, &probe);
    probe_close(&probe);
    return status;
}
