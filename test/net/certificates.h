/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_TEST_NET_CERTIFICATES_H
#define MOIETY_TEST_NET_CERTIFICATES_H

#include <openssl/ssl.h>

/*
 * A CA and its certificates, made on the spot (P-256), as files in a folder
 * that certificates_folder() makes and certificates_clean() takes away.
 */
struct certificate {
    EVP_PKEY *key;
    X509 *x509;
};

/* Self-signed if `issuer` is NULL. `names` as in openssl's subjectAltName
 * ("DNS:localhost,IP:127.0.0.1"), or NULL. */
struct certificate certificate_make(const char *common_name, const char *names,
                                    const struct certificate *issuer);
void certificate_release(struct certificate *certificate);

/* Writes <name>.pem and <name>.key. */
void certificate_write(const struct certificate *certificate, const char *name);
/* A path in the folder; static, eight at a time. */
const char *certificate_path(const char *file);
void certificates_folder(void);
void certificates_clean(void);

#endif
