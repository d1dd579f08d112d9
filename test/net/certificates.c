/* SPDX-License-Identifier: Apache-2.0 */
#include "net/certificates.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[64];

void certificates_folder(void) {
    snprintf(folder, sizeof(folder), "/tmp/moiety-test-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
}

const char *certificate_path(const char *file) {
    static char paths[8][128];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof(paths[0]), "%s/%s", folder, file);
    return path;
}

void certificates_clean(void) {
    DIR *files = opendir(folder);
    cr_assert_not_null(files);
    for (struct dirent *entry; (entry = readdir(files)) != NULL;) {
        if (entry->d_name[0] != '.') {
            char path[512];
            snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
            unlink(path);
        }
    }
    closedir(files);
    rmdir(folder);
}

static void add_extension(X509 *x509, X509V3_CTX *context, int id, const char *value) {
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, context, id, value);
    cr_assert_not_null(extension);
    X509_add_ext(x509, extension, -1);
    X509_EXTENSION_free(extension);
}

struct certificate certificate_make(const char *common_name, const char *names,
                                    const struct certificate *issuer) {
    static long serial = 1;
    struct certificate made = {EVP_EC_gen("P-256"), X509_new()};
    cr_assert(made.key != NULL && made.x509 != NULL);
    X509_set_version(made.x509, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(made.x509), serial++);
    X509_gmtime_adj(X509_getm_notBefore(made.x509), -60);
    X509_gmtime_adj(X509_getm_notAfter(made.x509), 3600);
    X509_set_pubkey(made.x509, made.key);
    X509_NAME *subject = X509_get_subject_name(made.x509);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)common_name, -1,
                               -1, 0);
    const struct certificate *signer = issuer == NULL ? &made : issuer;
    X509_set_issuer_name(made.x509, X509_get_subject_name(signer->x509));
    X509V3_CTX context;
    X509V3_set_ctx(&context, signer->x509, made.x509, NULL, NULL, 0);
    add_extension(made.x509, &context, NID_basic_constraints,
                  issuer == NULL ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (names != NULL) {
        add_extension(made.x509, &context, NID_subject_alt_name, names);
    }
    cr_assert_gt(X509_sign(made.x509, signer->key, EVP_sha256()), 0);
    return made;
}

void certificate_release(struct certificate *certificate) {
    EVP_PKEY_free(certificate->key);
    X509_free(certificate->x509);
}

void certificate_write(const struct certificate *certificate, const char *name) {
    char file[64];
    snprintf(file, sizeof(file), "%s.pem", name);
    FILE *pem = fopen(certificate_path(file), "w");
    cr_assert_not_null(pem);
    PEM_write_X509(pem, certificate->x509);
    fclose(pem);
    snprintf(file, sizeof(file), "%s.key", name);
    pem = fopen(certificate_path(file), "w");
    cr_assert_not_null(pem);
    PEM_write_PrivateKey(pem, certificate->key, NULL, NULL, 0, NULL, NULL);
    fclose(pem);
}
