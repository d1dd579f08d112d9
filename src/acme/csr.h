/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CSR_H
#define MOIETY_ACME_CSR_H

#include <openssl/x509.h>

#include "acme/identifier.h"
#include "acme/key.h"

/* Certificate signing requests (RFC 2986, RFC 8555 section 7.4). Thread-safe. */

/* Appends the DER of a request for `identifiers` (as subject alternative
 * names; the subject is empty), signed by `key`. CRYPTO, NO_MEMORY. */
struct status csr_write(EVP_PKEY *key, const struct acme_identifier *identifiers, size_t count,
                        struct buffer *der);

/* What was asked for. */
struct csr {
    EVP_PKEY *key; /* owned: see csr_release() */
    struct acme_identifier *identifiers; /* subject alternative names and common name, each once */
    size_t identifier_count;
    struct span key_der; /* its SubjectPublicKeyInfo, of the arena */
    bool must_staple;    /* status_request of RFC 7633 is asked for */
};

/* Reads one and verifies that it is signed by its own key. INVALID_MESSAGE with
 * a static text in *reason if it isn't, is malformed, has bytes after it, or names
 * what is no identifier of ACME's. Whether the key is good enough is the caller's
 * question; extensions other than those here are the caller's to leave out. */
struct status csr_read(struct span der, struct arena *arena, struct csr *out,
                       const char **reason);
void csr_release(struct csr *csr);

#endif
