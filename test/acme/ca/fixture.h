/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_TEST_ACME_CA_FIXTURE_H
#define MOIETY_TEST_ACME_CA_FIXTURE_H

#include "acme/ca/hierarchy.h"
#include "acme/ca/lint.h"
#include "acme/ca/template.h"

/* A hierarchy in memory and in files of a folder that goes with the test. Every
 * failure ends the test. */
struct ca_fixture {
    char folder[64];
    char issuing_pem[128], issuing_key[128], root_pem[128], log_key[128], passphrase[128],
        database[128];
    EVP_PKEY *root_private, *issuing_private;
    X509 *root, *issuing;
    struct ca_issuer issuer;
    struct ca_policy policy; /* example and 10.0.0.0/8 */
    EVP_PKEY *throwaway;
    struct arena arena;
};

void ca_fixture_init(struct ca_fixture *fixture);
void ca_fixture_release(struct ca_fixture *fixture);

int64_t fixture_now(void);
EVP_PKEY *fixture_key(void);
/* Its SubjectPublicKeyInfo, as long as the fixture lives. */
struct span fixture_key_info(struct ca_fixture *fixture, const EVP_PKEY *key);

#endif
