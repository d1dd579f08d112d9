/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/ca/hierarchy.h"

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "acme/ca/issuer.h"
#include "acme/ca/template.h"
#include "acme/key.h"

enum { YEAR_S = 365 * CA_DAY + CA_DAY / 4 };

/* ---- Certificates ---- */

static struct status set_name(X509_NAME *name, const char *text) {
    enum { COMMON_NAME_MAX = 64 };
    if (text[0] == '\0' || strlen(text) > COMMON_NAME_MAX) {
        return FAIL(INVALID_ARGUMENT);
    }
    return X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
                                      (const uint8_t *)text, -1, -1, 0) == 1
               ? OK
               : FAIL(INVALID_ARGUMENT);
}

static struct status set_extension(X509 *certificate, X509 *issuer, int nid, const char *value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool added = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return added ? OK : FAIL(CRYPTO);
}

/* RFC 7093 section 2, method 1: the first 160 bits of SHA-256 of the key. */
static struct status set_key_id(X509 *certificate) {
    enum { KEY_ID_SIZE = 20 };
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned len;
    ASN1_OCTET_STRING *id = ASN1_OCTET_STRING_new();
    struct status status = FAIL(NO_MEMORY);
    if (id != NULL && X509_pubkey_digest(certificate, EVP_sha256(), digest, &len) == 1 &&
        ASN1_OCTET_STRING_set(id, digest, KEY_ID_SIZE) == 1) {
        status = ca_extension_add(certificate, NID_subject_key_identifier, false, id);
    }
    ASN1_OCTET_STRING_free(id);
    return status;
}

static struct status set_serial(X509 *certificate) {
    uint8_t serial[CA_SERIAL_SIZE];
    TRY(ca_serial_new(serial));
    BIGNUM *number = BN_bin2bn(serial, sizeof serial, NULL);
    bool set = number != NULL &&
               BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
    BN_free(number);
    return set ? OK : FAIL(NO_MEMORY);
}

static struct status set_common(X509 *certificate, const char *name, EVP_PKEY *key, int64_t first,
                                int64_t last) {
    TRY(set_serial(certificate));
    TRY(set_name(X509_get_subject_name(certificate), name));
    bool set = X509_set_version(certificate, X509_VERSION_3) == 1 &&
               ASN1_TIME_adj(X509_getm_notBefore(certificate), (time_t)first, 0, 0) != NULL &&
               ASN1_TIME_adj(X509_getm_notAfter(certificate), (time_t)last, 0, 0) != NULL &&
               X509_set_pubkey(certificate, key) == 1;
    TRY(set ? OK : FAIL(NO_MEMORY));
    TRY(set_extension(certificate, NULL, NID_key_usage, "critical,keyCertSign,cRLSign"));
    return set_key_id(certificate);
}

static struct status sign(X509 *certificate, EVP_PKEY *key) {
    const EVP_MD *digest = key_kind(key) == KEY_P384 ? EVP_sha384() : EVP_sha256();
    return X509_sign(certificate, key, digest) != 0 ? OK : FAIL(CRYPTO);
}

static struct status root_fill(X509 *certificate, const char *name, int64_t now, EVP_PKEY *key) {
    int64_t last = now + (int64_t)CA_ROOT_YEARS * YEAR_S - 1;
    TRY(set_common(certificate, name, key, now, last));
    TRY(set_extension(certificate, NULL, NID_basic_constraints, "critical,CA:TRUE"));
    bool named =
        X509_set_issuer_name(certificate, X509_get_subject_name(certificate)) == 1;
    TRY(named ? OK : FAIL(NO_MEMORY));
    return sign(certificate, key);
}

static struct status issuing_fill(X509 *certificate, const char *name, int64_t now,
                                  EVP_PKEY *key, EVP_PKEY *root_key, X509 *root) {
    int64_t last = now + (int64_t)CA_ISSUING_YEARS * YEAR_S - 1;
    int64_t root_last;
    if (!ca_time_seconds(X509_get0_notAfter(root), &root_last)) {
        return FAIL(INVALID_ARGUMENT);
    }
    TRY(set_common(certificate, name, key, now, last < root_last ? last : root_last));
    TRY(set_extension(certificate, NULL, NID_basic_constraints, "critical,CA:TRUE,pathlen:0"));
    TRY(set_extension(certificate, NULL, NID_ext_key_usage, "serverAuth,clientAuth"));
    TRY(set_extension(certificate, root, NID_authority_key_identifier, "keyid:always"));
    bool named = X509_set_issuer_name(certificate, X509_get_subject_name(root)) == 1;
    TRY(named ? OK : FAIL(NO_MEMORY));
    return sign(certificate, root_key);
}

/* `root` NULL makes a root. */
static struct status certify(const char *name, int64_t now, EVP_PKEY *root_key, X509 *root,
                             EVP_PKEY *key, X509 **certificate) {
    X509 *made = X509_new();
    struct status status = made == NULL   ? FAIL(NO_MEMORY)
                           : root == NULL ? root_fill(made, name, now, key)
                                          : issuing_fill(made, name, now, key, root_key, root);
    if (!status_ok(status)) {
        X509_free(made);
        return status;
    }
    *certificate = made;
    return OK;
}

static struct status make(const char *name, int64_t now, EVP_PKEY *root_key, X509 *root,
                          EVP_PKEY **key, X509 **certificate) {
    EVP_PKEY *new_key;
    TRY(key_new(root == NULL ? KEY_P384 : KEY_P256, &new_key));
    struct status status = certify(name, now, root_key, root, new_key, certificate);
    if (!status_ok(status)) {
        EVP_PKEY_free(new_key);
        return status;
    }
    *key = new_key;
    return OK;
}

struct status ca_root_make(const char *name, int64_t now, EVP_PKEY **key, X509 **certificate) {
    return make(name, now, NULL, NULL, key, certificate);
}

struct status ca_issuing_certify(const char *name, int64_t now, EVP_PKEY *root_key, X509 *root,
                                 EVP_PKEY *key, X509 **certificate) {
    return certify(name, now, root_key, root, key, certificate);
}

struct status ca_issuing_make(const char *name, int64_t now, EVP_PKEY *root_key, X509 *root,
                              EVP_PKEY **key, X509 **certificate) {
    return make(name, now, root_key, root, key, certificate);
}

struct status ca_log_key_make(EVP_PKEY **key) {
    EVP_PKEY *made = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    if (made == NULL) {
        return FAIL(CRYPTO);
    }
    *key = made;
    return OK;
}

/* ---- Files ---- */

struct status ca_key_write(EVP_PKEY *key, struct span passphrase, struct buffer *pem) {
    BIO *bio = BIO_new(BIO_s_secmem());
    char *text;
    bool written = bio != NULL &&
                   PEM_write_bio_PKCS8PrivateKey(bio, key, EVP_aes_256_cbc(),
                                                 (const char *)passphrase.data,
                                                 (int)passphrase.len, NULL, NULL) == 1;
    struct status status = FAIL(CRYPTO);
    if (written) {
        long len = BIO_get_mem_data(bio, &text);
        status = buffer_append(pem, span_of(text, (size_t)len));
    }
    BIO_free(bio);
    return status;
}

static int give_passphrase(char *out, int size, int writing, void *context) {
    (void)writing;
    const struct span *passphrase = context;
    if (passphrase->len > (size_t)size) {
        return -1;
    }
    memcpy(out, passphrase->data, passphrase->len);
    return (int)passphrase->len;
}

static struct status open_file(const char *path, FILE **out) {
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return errno == ENOENT ? FAIL(NOT_FOUND) : errno == EACCES ? FAIL(PERMISSION_DENIED)
                                                                   : FAIL(IO);
    }
    *out = file;
    return OK;
}

struct status ca_key_load(const char *path, struct span passphrase, EVP_PKEY **out) {
    FILE *file = NULL;
    TRY(open_file(path, &file));
    EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, give_passphrase, &passphrase);
    fclose(file);
    if (key == NULL) {
        return FAIL(VERIFY_FAILED);
    }
    *out = key;
    return OK;
}

struct status ca_passphrase_load(const char *path, struct secret *out) {
    FILE *file = NULL;
    char line[256];
    TRY(open_file(path, &file));
    setvbuf(file, NULL, _IONBF, 0); /* no copy stays in a buffer of the library */
    bool found = fgets(line, sizeof line, file) != NULL;
    fclose(file);
    size_t len = found ? strcspn(line, "\r\n") : 0;
    struct status status =
        len > 0 ? secret_copy(out, span_of(line, len)) : FAIL(INVALID_CONFIG);
    secret_wipe(line, sizeof line);
    return status;
}
