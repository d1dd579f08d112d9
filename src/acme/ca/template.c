/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/ca/template.h"

#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "acme/key_info.h"

struct status ca_serial_new(uint8_t serial[static CA_SERIAL_SIZE]) {
    if (RAND_bytes(serial, CA_SERIAL_SIZE) != 1) {
        return FAIL(CRYPTO);
    }
    serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x40);
    return OK;
}

struct status ca_extension_add(X509 *certificate, int nid, bool critical, void *value) {
    return X509_add1_ext_i2d(certificate, nid, value, critical, X509V3_ADD_DEFAULT) == 1
               ? OK
               : FAIL(NO_MEMORY);
}

/* ---- Extensions, each built and given up in one place ---- */

static struct status add_basic_constraints(X509 *certificate) {
    BASIC_CONSTRAINTS *constraints = BASIC_CONSTRAINTS_new();
    if (constraints == NULL) {
        return FAIL(NO_MEMORY);
    }
    struct status status = ca_extension_add(certificate, NID_basic_constraints, true, constraints);
    BASIC_CONSTRAINTS_free(constraints);
    return status;
}

static struct status add_key_usage(X509 *certificate) {
    enum { DIGITAL_SIGNATURE = 0 };
    ASN1_BIT_STRING *usage = ASN1_BIT_STRING_new();
    if (usage == NULL || ASN1_BIT_STRING_set_bit(usage, DIGITAL_SIGNATURE, 1) != 1) {
        ASN1_BIT_STRING_free(usage);
        return FAIL(NO_MEMORY);
    }
    struct status status = ca_extension_add(certificate, NID_key_usage, true, usage);
    ASN1_BIT_STRING_free(usage);
    return status;
}

static struct status add_extended_key_usage(X509 *certificate, unsigned uses) {
    EXTENDED_KEY_USAGE *usage = sk_ASN1_OBJECT_new_null();
    bool made = usage != NULL;
    if (made && (uses & CA_USE_SERVER) != 0) {
        made = sk_ASN1_OBJECT_push(usage, OBJ_nid2obj(NID_server_auth)) > 0;
    }
    if (made && (uses & CA_USE_CLIENT) != 0) {
        made = sk_ASN1_OBJECT_push(usage, OBJ_nid2obj(NID_client_auth)) > 0;
    }
    struct status status =
        made ? ca_extension_add(certificate, NID_ext_key_usage, false, usage) : FAIL(NO_MEMORY);
    sk_ASN1_OBJECT_free(usage); /* the objects are static */
    return status;
}

/* The issuer's key, by its identifier alone (RFC 5280 section 4.2.1.1). */
static struct status add_authority_key(X509 *certificate, const X509 *issuer) {
    AUTHORITY_KEYID *id = AUTHORITY_KEYID_new();
    if (id == NULL) {
        return FAIL(NO_MEMORY);
    }
    id->keyid = ASN1_OCTET_STRING_dup(X509_get0_subject_key_id((X509 *)issuer));
    struct status status = id->keyid == NULL
                               ? FAIL(NO_MEMORY)
                               : ca_extension_add(certificate, NID_authority_key_identifier,
                                                  false, id);
    AUTHORITY_KEYID_free(id);
    return status;
}

/* The subject is empty, so the names are critical (RFC 5280 section 4.2.1.6). */
static struct status add_names(X509 *certificate, const struct ca_template *template) {
    GENERAL_NAMES *names = identifiers_names(template->identifiers, template->identifier_count);
    if (names == NULL) {
        return FAIL(NO_MEMORY);
    }
    struct status status = ca_extension_add(certificate, NID_subject_alt_name, true, names);
    GENERAL_NAMES_free(names);
    return status;
}

static GENERAL_NAME *uri_name(const char *url) {
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *text = ASN1_IA5STRING_new();
    if (name == NULL || text == NULL || ASN1_STRING_set(text, url, (int)strlen(url)) != 1) {
        GENERAL_NAME_free(name);
        ASN1_IA5STRING_free(text);
        return NULL;
    }
    GENERAL_NAME_set0_value(name, GEN_URI, text);
    return name;
}

static DIST_POINT *distribution_point(const char *url) {
    DIST_POINT *point = DIST_POINT_new();
    GENERAL_NAME *name = uri_name(url);
    if (point == NULL || name == NULL) {
        goto failed;
    }
    point->distpoint = DIST_POINT_NAME_new();
    if (point->distpoint == NULL) {
        goto failed;
    }
    point->distpoint->type = 0; /* fullName */
    point->distpoint->name.fullname = GENERAL_NAMES_new();
    if (point->distpoint->name.fullname == NULL ||
        sk_GENERAL_NAME_push(point->distpoint->name.fullname, name) <= 0) {
        goto failed;
    }
    return point;
failed:
    DIST_POINT_free(point);
    GENERAL_NAME_free(name);
    return NULL;
}

static struct status add_crl_points(X509 *certificate, const struct ca_template *template) {
    char url[CA_URL_MAX];
    ca_issuer_crl_url(template->issuer, ca_issuer_shard(template->issuer, template->serial), url);
    CRL_DIST_POINTS *points = sk_DIST_POINT_new_null();
    DIST_POINT *point = distribution_point(url);
    struct status status = FAIL(NO_MEMORY);
    if (points != NULL && point != NULL && sk_DIST_POINT_push(points, point) > 0) {
        point = NULL;
        status = ca_extension_add(certificate, NID_crl_distribution_points, false, points);
    }
    DIST_POINT_free(point);
    sk_DIST_POINT_pop_free(points, DIST_POINT_free);
    return status;
}

static bool add_access(AUTHORITY_INFO_ACCESS *access, int method, const char *url) {
    ACCESS_DESCRIPTION *description = ACCESS_DESCRIPTION_new();
    GENERAL_NAME *name = uri_name(url);
    if (description != NULL && name != NULL) {
        ASN1_OBJECT_free(description->method);
        GENERAL_NAME_free(description->location);
        description->method = OBJ_nid2obj(method);
        description->location = name;
        name = NULL;
        if (sk_ACCESS_DESCRIPTION_push(access, description) > 0) {
            return true;
        }
    }
    GENERAL_NAME_free(name);
    ACCESS_DESCRIPTION_free(description);
    return false;
}

static struct status add_issuer_urls(X509 *certificate, const struct ca_issuer *issuer) {
    char url[CA_URL_MAX];
    char ocsp[CA_URL_MAX];
    ca_issuer_certificate_url(issuer, url);
    ca_issuer_ocsp_url(issuer, ocsp);
    AUTHORITY_INFO_ACCESS *access = AUTHORITY_INFO_ACCESS_new();
    bool made = access != NULL && (!issuer->ocsp || add_access(access, NID_ad_OCSP, ocsp)) &&
                add_access(access, NID_ad_ca_issuers, url);
    struct status status =
        made ? ca_extension_add(certificate, NID_info_access, false, access) : FAIL(NO_MEMORY);
    AUTHORITY_INFO_ACCESS_free(access);
    return status;
}

/* RFC 7633, section 4.2.3.1: status_request, as RFC 6066 numbers it. */
static struct status add_staple(X509 *certificate) {
    enum { STATUS_REQUEST = 5 };
    TLS_FEATURE *features = sk_ASN1_INTEGER_new_null();
    ASN1_INTEGER *feature = ASN1_INTEGER_new();
    struct status status = FAIL(NO_MEMORY);
    if (features != NULL && feature != NULL && ASN1_INTEGER_set(feature, STATUS_REQUEST) == 1 &&
        sk_ASN1_INTEGER_push(features, feature) > 0) {
        feature = NULL;
        status = ca_extension_add(certificate, NID_tlsfeature, false, features);
    }
    ASN1_INTEGER_free(feature);
    sk_ASN1_INTEGER_pop_free(features, ASN1_INTEGER_free);
    return status;
}

/* ---- The certificate ---- */

static struct status set_serial(X509 *certificate, const uint8_t serial[CA_SERIAL_SIZE]) {
    BIGNUM *number = BN_bin2bn(serial, CA_SERIAL_SIZE, NULL);
    bool set = number != NULL &&
               BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
    BN_free(number);
    return set ? OK : FAIL(NO_MEMORY);
}

/* The bytes as they are: see key_info.h. */
static struct status set_key(X509 *certificate, struct span der) {
    const uint8_t *at = der.data;
    X509_PUBKEY *held = X509_get_X509_PUBKEY(certificate);
    X509_ALGOR *algorithm;
    KEY_INFO *info =
        (KEY_INFO *)ASN1_item_d2i(NULL, &at, (long)der.len, ASN1_ITEM_rptr(KEY_INFO));
    if (info == NULL) {
        return FAIL(INVALID_ARGUMENT);
    }
    int len = ASN1_STRING_length(info->bits);
    uint8_t *bits = OPENSSL_memdup(ASN1_STRING_get0_data(info->bits), (size_t)len);
    bool set = bits != NULL &&
               X509_PUBKEY_set0_param(held, OBJ_nid2obj(NID_undef), V_ASN1_UNDEF, NULL, bits,
                                      len) == 1;
    if (!set) {
        OPENSSL_free(bits);
    }
    set = set && X509_PUBKEY_get0_param(NULL, NULL, NULL, &algorithm, held) == 1 &&
          X509_ALGOR_copy(algorithm, info->algorithm) == 1;
    ASN1_item_free((ASN1_VALUE *)info, ASN1_ITEM_rptr(KEY_INFO));
    return set ? OK : FAIL(NO_MEMORY);
}

static struct status set_fields(X509 *certificate, const struct ca_template *template) {
    time_t first = (time_t)template->not_before;
    time_t last = first + (time_t)template->profile->lifetime_s - 1;
    TRY(set_serial(certificate, template->serial));
    bool set =
        X509_set_version(certificate, X509_VERSION_3) == 1 &&
        X509_set_issuer_name(certificate,
                             X509_get_subject_name(template->issuer->certificate)) == 1 &&
        ASN1_TIME_adj(X509_getm_notBefore(certificate), first, 0, 0) != NULL &&
        ASN1_TIME_adj(X509_getm_notAfter(certificate), last, 0, 0) != NULL;
    return set ? set_key(certificate, template->key) : FAIL(NO_MEMORY);
}

static struct status fill(X509 *certificate, const struct ca_template *template) {
    TRY(set_fields(certificate, template));
    TRY(add_key_usage(certificate));
    TRY(add_extended_key_usage(certificate, ca_role_uses(template->profile->role)));
    TRY(add_basic_constraints(certificate));
    TRY(add_authority_key(certificate, template->issuer->certificate));
    TRY(add_issuer_urls(certificate, template->issuer));
    TRY(template->must_staple ? add_staple(certificate) : OK);
    TRY(add_names(certificate, template));
    return add_crl_points(certificate, template);
}

struct status ca_template_build(const struct ca_template *template, EVP_PKEY *throwaway,
                                X509 **out) {
    X509 *certificate = X509_new();
    if (certificate == NULL) {
        return FAIL(NO_MEMORY);
    }
    struct status status = fill(certificate, template);
    if (status_ok(status) && X509_sign(certificate, throwaway, EVP_sha256()) == 0) {
        status = FAIL(CRYPTO);
    }
    if (!status_ok(status)) {
        X509_free(certificate);
        return status;
    }
    *out = certificate;
    return OK;
}
