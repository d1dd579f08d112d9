/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/challenge.h"

#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

#include "wire/base64url.h"

static const char *const type_names[CHALLENGE_TYPE_COUNT] = {
    [CHALLENGE_NONE] = "",
    [CHALLENGE_HTTP_01] = "http-01",
    [CHALLENGE_DNS_01] = "dns-01",
    [CHALLENGE_TLS_ALPN_01] = "tls-alpn-01",
    [CHALLENGE_DNS_ACCOUNT_01] = "dns-account-01",
    [CHALLENGE_DNS_PERSIST_01] = "dns-persist-01",
};

const char *challenge_name(enum challenge_type type) { return type_names[type]; }

enum challenge_type challenge_of_name(const char *name) {
    for (int type = CHALLENGE_HTTP_01; type < CHALLENGE_TYPE_COUNT; type++) {
        if (strcmp(type_names[type], name) == 0) {
            return (enum challenge_type)type;
        }
    }
    return CHALLENGE_NONE;
}

bool challenge_token_good(const char *token) {
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const size_t len = strspn(token, alphabet);
    return len > 0 && len <= CHALLENGE_TOKEN_MAX && token[len] == '\0';
}

struct status challenge_authorization(const char *token, const EVP_PKEY *account,
                                      struct arena *arena, const char **out) {
    char thumbprint[JWK_THUMBPRINT_LEN + 1];
    TRY(jwk_thumbprint(account, thumbprint));
    const char *text = arena_printf(arena, "%s.%s", token, thumbprint);
    if (text == NULL) {
        return FAIL(NO_MEMORY);
    }
    *out = text;
    return OK;
}

void challenge_digest(const char *authorization, uint8_t out[static 32]) {
    SHA256((const uint8_t *)authorization, strlen(authorization), out);
}

/* ---- DNS ---- */

const char *challenge_txt(const char *authorization, struct arena *arena) {
    uint8_t digest[32];
    challenge_digest(authorization, digest);
    return base64url_string(arena, SPAN_OF_ARRAY(digest));
}

/* The first ten bytes of the account URL's SHA-256 in base32, lower case. */
static void account_label(const char *account_url, char out[static 17]) {
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
    uint8_t digest[32];
    challenge_digest(account_url, digest);
    for (int i = 0; i < 16; i++) {
        const int bit = i * 5;
        const unsigned pair = (unsigned)digest[bit / 8] << 8 | digest[bit / 8 + 1];
        out[i] = alphabet[pair >> (11 - bit % 8) & 31];
    }
    out[16] = '\0';
}

const char *challenge_record_name(enum challenge_type type,
                                  const struct acme_identifier *identifier,
                                  const char *account_url, struct arena *arena) {
    const char *base = identifier_base(identifier);
    char label[17];
    switch (type) {
    case CHALLENGE_DNS_PERSIST_01: return arena_printf(arena, "_validation-persist.%s", base);
    case CHALLENGE_DNS_ACCOUNT_01:
        account_label(account_url, label);
        return arena_printf(arena, "_%s._acme-challenge.%s", label, base);
    default: return arena_printf(arena, "_acme-challenge.%s", base);
    }
}

const char *challenge_persist_txt(const char *issuer, const char *account_url, bool wildcard,
                                  struct arena *arena) {
    return arena_printf(arena, "%s; accounturi=%s%s", issuer, account_url,
                        wildcard ? "; policy=wildcard" : "");
}

/* ---- TLS-ALPN ---- */

const char *challenge_alpn_name(const struct acme_identifier *identifier, struct arena *arena) {
    static const char digits[] = "0123456789abcdef";
    uint8_t b[16];
    const size_t len = identifier_address(identifier, b);
    char nibbles[65];
    if (len == 0) {
        return identifier->value;
    }
    if (len == 4) {
        return arena_printf(arena, "%u.%u.%u.%u.in-addr.arpa", b[3], b[2], b[1], b[0]);
    }
    for (size_t i = 0; i < 32; i++) {
        nibbles[2 * i] = digits[b[15 - i / 2] >> (i % 2 == 0 ? 0 : 4) & 15];
        nibbles[2 * i + 1] = '.';
    }
    nibbles[64] = '\0';
    return arena_printf(arena, "%sip6.arpa", nibbles);
}

/* id-pe-acmeIdentifier of RFC 8737; OpenSSL 3.0 has no number for it. */
static ASN1_OBJECT *acme_identifier_oid(void) { return OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1); }

/* The extension's value is an OCTET STRING of 32 bytes, in DER. */
static const uint8_t digest_header[2] = {V_ASN1_OCTET_STRING, 32};

static bool add_digest(X509 *certificate, const uint8_t digest[static 32]) {
    uint8_t der[34];
    memcpy(der, digest_header, sizeof(digest_header));
    memcpy(der + sizeof(digest_header), digest, 32);
    ASN1_OBJECT *oid = acme_identifier_oid();
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    X509_EXTENSION *extension = NULL;
    const bool good = oid != NULL && value != NULL &&
                      ASN1_OCTET_STRING_set(value, der, sizeof(der)) == 1 &&
                      (extension = X509_EXTENSION_create_by_OBJ(NULL, oid, 1, value)) != NULL &&
                      X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(oid);
    return good;
}

static bool add_name(X509 *certificate, const struct acme_identifier *identifier) {
    GENERAL_NAMES *names = identifiers_names(identifier, 1);
    const bool good = names != NULL && X509_add1_ext_i2d(certificate, NID_subject_alt_name, names,
                                                         1, X509V3_ADD_DEFAULT) == 1;
    GENERAL_NAMES_free(names);
    return good;
}

static bool fill_alpn(X509 *certificate, EVP_PKEY *key, const struct acme_identifier *identifier,
                      const uint8_t digest[static 32]) {
    enum { HOUR_S = 3600, WEEK_S = 7 * 24 * HOUR_S };
    X509_NAME *name = X509_get_subject_name(certificate);
    return X509_set_version(certificate, X509_VERSION_3) == 1 &&
           ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1) == 1 &&
           X509_gmtime_adj(X509_getm_notBefore(certificate), -HOUR_S) != NULL &&
           X509_gmtime_adj(X509_getm_notAfter(certificate), WEEK_S) != NULL &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                      (const uint8_t *)"ACME challenge", -1, -1, 0) == 1 &&
           X509_set_issuer_name(certificate, name) == 1 &&
           X509_set_pubkey(certificate, key) == 1 && add_name(certificate, identifier) &&
           add_digest(certificate, digest) && X509_sign(certificate, key, EVP_sha256()) > 0;
}

struct status challenge_alpn_certificate(const struct acme_identifier *identifier,
                                         const uint8_t digest[static 32], X509 **certificate,
                                         EVP_PKEY **key) {
    EVP_PKEY *made = NULL;
    TRY(key_new(KEY_P256, &made));
    X509 *x509 = X509_new();
    if (x509 == NULL || !fill_alpn(x509, made, identifier, digest)) {
        ERR_clear_error();
        X509_free(x509);
        EVP_PKEY_free(made);
        return FAIL(CRYPTO);
    }
    *certificate = x509;
    *key = made;
    return OK;
}

static bool digest_matches(const X509 *certificate, const uint8_t digest[static 32]) {
    ASN1_OBJECT *oid = acme_identifier_oid();
    const int at = oid == NULL ? -1 : X509_get_ext_by_OBJ(certificate, oid, -1);
    const bool once = at >= 0 && X509_get_ext_by_OBJ(certificate, oid, at) < 0;
    ASN1_OBJECT_free(oid);
    if (!once) {
        return false;
    }
    X509_EXTENSION *extension = X509_get_ext(certificate, at);
    const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(extension);
    const uint8_t *bytes = ASN1_STRING_get0_data(value);
    return X509_EXTENSION_get_critical(extension) == 1 && ASN1_STRING_length(value) == 34 &&
           memcmp(bytes, digest_header, sizeof(digest_header)) == 0 &&
           secret_equal(bytes + sizeof(digest_header), digest, 32);
}

bool challenge_alpn_matches(const X509 *certificate, const struct acme_identifier *identifier,
                            const uint8_t digest[static 32]) {
    struct arena arena = ARENA_INIT;
    struct acme_identifier *found = NULL;
    size_t count = 0;
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    const bool named = sk_GENERAL_NAME_num(names) == 1 &&
                       status_ok(identifiers_of_names(names, &arena, &found, &count)) &&
                       count == 1 && identifier_equal(&found[0], identifier);
    GENERAL_NAMES_free(names);
    arena_release(&arena);
    return named && digest_matches(certificate, digest);
}
