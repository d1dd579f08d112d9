/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/ca/lint.h"

#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "acme/ca/leaf.h"

/* One certificate under its checks. */
struct subject {
    const struct ca_lint_input *input;
    LEAF *leaf;
    const STACK_OF(X509_EXTENSION) *extensions;
    struct span key_der; /* of its key: NULL if that can't be read */
    EVP_PKEY *key;
    struct arena arena;
    struct ca_finding *finding;
};

static bool fail(struct subject *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static bool fail(struct subject *s, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(s->finding->text, sizeof s->finding->text, format, arguments);
    va_end(arguments);
    return false;
}

/* ---- The frame ---- */

/* What OpenSSL read, written anew, must be the same bytes: nothing is encoded
 * otherwise than DER demands. */
static bool lint_der(struct subject *s) {
    struct span tbs;
    uint8_t *again = NULL;
    if (!status_ok(ca_tbs_of(s->input->der, &tbs))) {
        return fail(s, "the certificate is not a DER sequence, or bytes follow it");
    }
    int len = ca_leaf_tbs_write(s->leaf, &again);
    bool same = len > 0 && span_equal_vartime(tbs, span_of(again, (size_t)len));
    OPENSSL_free(again);
    return same || fail(s, "the to-be-signed part is not DER");
}

static bool lint_version(struct subject *s) {
    const ASN1_INTEGER *version = s->leaf->tbs->version;
    return (version != NULL && ASN1_INTEGER_get(version) == X509_VERSION_3) || fail(s, "the version is not 3");
}

/* RFC 5280 section 4.1.2.2, and at least 128 random bits of our 20 octets. */
static bool lint_serial(struct subject *s) {
    const ASN1_INTEGER *serial = s->leaf->tbs->serial;
    const uint8_t *bytes = ASN1_STRING_get0_data(serial);
    int len = ASN1_STRING_length(serial);
    unsigned seen = 0;
    if (ASN1_STRING_type(serial) != V_ASN1_INTEGER || len != CA_SERIAL_SIZE || bytes[0] > 0x7f) {
        return fail(s, "the serial number is not a positive one of 20 octets");
    }
    for (int i = 1; i < len; i++) {
        seen += bytes[i] != bytes[0];
    }
    return seen >= 8 || fail(s, "the serial number is not random");
}

static bool algorithm_good(const X509_ALGOR *algorithm) {
    const ASN1_OBJECT *object;
    int kind;
    X509_ALGOR_get0(&object, &kind, NULL, algorithm);
    return OBJ_obj2nid(object) == NID_ecdsa_with_SHA256 && kind == V_ASN1_UNDEF;
}

/* RFC 5280 section 4.1.1.2: the same inside and outside; RFC 5758 section 3.2:
 * without parameters. */
static bool lint_signature_algorithm(struct subject *s) {
    return (algorithm_good(s->leaf->algorithm) && algorithm_good(s->leaf->tbs->algorithm)) ||
           fail(s, "the signature algorithm is not ecdsa-with-SHA256 inside and outside");
}

static bool lint_issuer(struct subject *s) {
    const uint8_t *ours;
    const uint8_t *theirs;
    size_t our_len;
    size_t their_len;
    bool same =
        X509_NAME_get0_der(X509_get_subject_name(s->input->issuer->certificate), &ours,
                           &our_len) == 1 &&
        X509_NAME_get0_der(s->leaf->tbs->issuer, &theirs, &their_len) == 1 &&
        span_equal_vartime(span_of(ours, our_len), span_of(theirs, their_len));
    return same || fail(s, "the issuer's name is not the issuer's subject byte for byte");
}

/* The names stand in the extension alone. */
static bool lint_subject(struct subject *s) {
    return X509_NAME_entry_count(s->leaf->tbs->subject) == 0 ||
           fail(s, "the subject is not empty");
}

static bool lint_unique_ids(struct subject *s) {
    return (s->leaf->tbs->issuer_id == NULL && s->leaf->tbs->subject_id == NULL) ||
           fail(s, "unique identifiers are not used");
}

/* ---- Validity ---- */

/* RFC 5280 section 4.1.2.5: UTCTime to 2049, GeneralizedTime after, both to the
 * second and in Zulu time. */
static bool time_form(const ASN1_TIME *time, int64_t seconds) {
    const int64_t year_2050 = 2524608000;
    int len = ASN1_STRING_length(time);
    bool form = seconds < year_2050 ? ASN1_STRING_type(time) == V_ASN1_UTCTIME && len == 13
                                    : ASN1_STRING_type(time) == V_ASN1_GENERALIZEDTIME && len == 15;
    return form && ASN1_STRING_get0_data(time)[len - 1] == 'Z';
}

struct validity {
    int64_t first, last;
};

static bool validity_read(struct subject *s, struct validity *out) {
    const ASN1_TIME *first = s->leaf->tbs->validity->notBefore;
    const ASN1_TIME *last = s->leaf->tbs->validity->notAfter;
    return (ca_time_seconds(first, &out->first) && ca_time_seconds(last, &out->last) &&
            time_form(first, out->first) && time_form(last, out->last)) ||
           fail(s, "a time is not in the form that RFC 5280 demands");
}

static bool lint_validity_form(struct subject *s) {
    struct validity validity;
    return validity_read(s, &validity);
}

/* Both ends count: a certificate that is valid for n seconds has n different
 * seconds from notBefore to notAfter. Exact, since what is a second too long
 * breaks the profile's promise as surely as what is a day too long. */
static bool lint_validity_inclusive(struct subject *s) {
    struct validity validity;
    if (!validity_read(s, &validity)) {
        return false;
    }
    int64_t seconds = validity.last - validity.first + 1;
    return seconds == s->input->profile->lifetime_s ||
           fail(s, "valid for %lld s, which the profile limits to %u s, both ends counted",
                (long long)seconds, (unsigned)s->input->profile->lifetime_s);
}

static bool lint_validity_start(struct subject *s) {
    enum { AHEAD = 300, SLACK = 300 };
    struct validity validity;
    if (!validity_read(s, &validity)) {
        return false;
    }
    int64_t oldest = s->input->now - ca_profile_backdate_s(s->input->profile) - SLACK;
    return (validity.first >= oldest && validity.first <= s->input->now + AHEAD) ||
           fail(s, "notBefore is not about now");
}

static bool lint_validity_issuer(struct subject *s) {
    struct validity validity;
    int64_t first;
    int64_t last;
    const X509 *issuer = s->input->issuer->certificate;
    if (!validity_read(s, &validity)) {
        return false;
    }
    return (ca_time_seconds(X509_get0_notBefore(issuer), &first) &&
            ca_time_seconds(X509_get0_notAfter(issuer), &last) && validity.first >= first &&
            validity.last <= last) ||
           fail(s, "valid when its issuer is not");
}

/* ---- The key ---- */

static bool lint_key_encoding(struct subject *s) {
    return s->key != NULL ||
           fail(s, "the public key can't be read, or is not encoded in the one usual way");
}

static bool lint_key_quality(struct subject *s) { return ca_key_good(s->key, s->finding->text); }

static bool lint_key_ours(struct subject *s) {
    uint8_t *ours = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(s->input->issuer->certificate), &ours);
    bool other = len > 0 && !span_equal_vartime(s->key_der, span_of(ours, (size_t)len));
    OPENSSL_free(ours);
    return other || fail(s, "the key is the issuer's own");
}

static bool lint_key_requested(struct subject *s) {
    return s->input->key.data == NULL || span_equal_vartime(s->key_der, s->input->key) ||
           fail(s, "the key is not the one that was asked for");
}

/* ---- Extensions ---- */

static const struct {
    int nid;
    bool critical;
} extensions[] = {
    {NID_key_usage, true},          {NID_ext_key_usage, false},
    {NID_basic_constraints, true},  {NID_authority_key_identifier, false},
    {NID_info_access, false},       {NID_subject_alt_name, true},
    {NID_crl_distribution_points, false},
};

enum { EXTENSION_COUNT = sizeof extensions / sizeof extensions[0] };

/* Exactly these, once each, as critical as they should be; and perhaps must-staple. */
static bool lint_extensions(struct subject *s) {
    int stapled = X509v3_get_ext_by_NID(s->extensions, NID_tlsfeature, -1) >= 0;
    int count = X509v3_get_ext_count(s->extensions) - stapled;
    if (count != EXTENSION_COUNT) {
        return fail(s, "%d extensions instead of %d", count, EXTENSION_COUNT);
    }
    for (size_t i = 0; i < EXTENSION_COUNT; i++) {
        int at = X509v3_get_ext_by_NID(s->extensions, extensions[i].nid, -1);
        if (at < 0) {
            return fail(s, "%s is missing", OBJ_nid2sn(extensions[i].nid));
        }
        bool critical = X509_EXTENSION_get_critical(X509v3_get_ext(s->extensions, at)) != 0;
        if (critical != extensions[i].critical) {
            return fail(s, "%s must %sbe critical", OBJ_nid2sn(extensions[i].nid),
                        extensions[i].critical ? "" : "not ");
        }
    }
    return true;
}

/* Each value, decoded and encoded again, is the same. */
static bool lint_extension_der(struct subject *s) {
    for (int i = 0; i < X509v3_get_ext_count(s->extensions); i++) {
        X509_EXTENSION *extension = X509v3_get_ext(s->extensions, i);
        int nid = OBJ_obj2nid(X509_EXTENSION_get_object(extension));
        void *value = X509V3_EXT_d2i(extension);
        X509_EXTENSION *again =
            value == NULL ? NULL
                          : X509V3_EXT_i2d(nid, X509_EXTENSION_get_critical(extension), value);
        bool same = again != NULL && ASN1_OCTET_STRING_cmp(X509_EXTENSION_get_data(extension),
                                                           X509_EXTENSION_get_data(again)) == 0;
        X509_EXTENSION_free(again);
        const X509V3_EXT_METHOD *method = X509V3_EXT_get(extension);
        if (value != NULL && method != NULL) {
            ASN1_item_free(value, ASN1_ITEM_ptr(method->it));
        }
        if (!same) {
            return fail(s, "%s is not DER", OBJ_nid2sn(nid));
        }
    }
    return true;
}

static bool lint_basic_constraints(struct subject *s) {
    BASIC_CONSTRAINTS *constraints =
        X509V3_get_d2i(s->extensions, NID_basic_constraints, NULL, NULL);
    bool good = constraints != NULL && !constraints->ca && constraints->pathlen == NULL;
    BASIC_CONSTRAINTS_free(constraints);
    return good || fail(s, "the basic constraints don't say that it is no CA");
}

static bool lint_key_usage(struct subject *s) {
    ASN1_BIT_STRING *usage = X509V3_get_d2i(s->extensions, NID_key_usage, NULL, NULL);
    bool good = usage != NULL && ASN1_STRING_length(usage) == 1 &&
                ASN1_STRING_get0_data(usage)[0] == KU_DIGITAL_SIGNATURE;
    ASN1_BIT_STRING_free(usage);
    return good || fail(s, "the key usage is not digitalSignature alone");
}

/* Those of the role, each once, and no other. */
static bool uses_are(const EXTENDED_KEY_USAGE *usage, unsigned wanted) {
    unsigned seen = 0;
    for (int i = 0; i < sk_ASN1_OBJECT_num(usage); i++) {
        int nid = OBJ_obj2nid(sk_ASN1_OBJECT_value(usage, i));
        unsigned use = nid == NID_server_auth   ? CA_USE_SERVER
                       : nid == NID_client_auth ? CA_USE_CLIENT
                                                : 0;
        if (use == 0 || (seen & use) != 0) {
            return false;
        }
        seen |= use;
    }
    return seen == wanted;
}

static bool lint_extended_key_usage(struct subject *s) {
    EXTENDED_KEY_USAGE *usage = X509V3_get_d2i(s->extensions, NID_ext_key_usage, NULL, NULL);
    bool good = uses_are(usage, ca_role_uses(s->input->profile->role));
    sk_ASN1_OBJECT_pop_free(usage, ASN1_OBJECT_free);
    return good || fail(s, "the extended key usages are not those of %s",
                        ca_role_name(s->input->profile->role));
}

static bool lint_authority_key(struct subject *s) {
    AUTHORITY_KEYID *id =
        X509V3_get_d2i(s->extensions, NID_authority_key_identifier, NULL, NULL);
    const ASN1_OCTET_STRING *ours =
        X509_get0_subject_key_id(s->input->issuer->certificate);
    bool good = id != NULL && id->keyid != NULL && id->issuer == NULL && id->serial == NULL &&
                ASN1_OCTET_STRING_cmp(id->keyid, ours) == 0;
    AUTHORITY_KEYID_free(id);
    return good || fail(s, "the authority key identifier is not the issuer's");
}

static bool name_is_url(const GENERAL_NAME *name, const char *url) {
    int kind;
    const ASN1_STRING *text = GENERAL_NAME_get0_value(name, &kind);
    return kind == GEN_URI &&
           span_equal_vartime(span_of_string(url), span_of(ASN1_STRING_get0_data(text),
                                                           (size_t)ASN1_STRING_length(text)));
}

static bool access_is(const AUTHORITY_INFO_ACCESS *access, int at, int method, const char *url) {
    const ACCESS_DESCRIPTION *description = sk_ACCESS_DESCRIPTION_value(access, at);
    return description != NULL && OBJ_obj2nid(description->method) == method &&
           name_is_url(description->location, url);
}

static bool lint_issuer_url(struct subject *s) {
    char url[CA_URL_MAX];
    char ocsp[CA_URL_MAX];
    const int before = s->input->issuer->ocsp ? 1 : 0;
    ca_issuer_certificate_url(s->input->issuer, url);
    ca_issuer_ocsp_url(s->input->issuer, ocsp);
    AUTHORITY_INFO_ACCESS *access = X509V3_get_d2i(s->extensions, NID_info_access, NULL, NULL);
    bool good = sk_ACCESS_DESCRIPTION_num(access) == before + 1 &&
                (before == 0 || access_is(access, 0, NID_ad_OCSP, ocsp)) &&
                access_is(access, before, NID_ad_ca_issuers, url);
    AUTHORITY_INFO_ACCESS_free(access);
    return good || fail(s, "the authority information is not the issuer's one URL, with that of "
                           "OCSP before it if there is one");
}

/* RFC 7633: status_request alone, for those that asked, where OCSP is answered. */
static bool lint_must_staple(struct subject *s) {
    TLS_FEATURE *features = X509V3_get_d2i(s->extensions, NID_tlsfeature, NULL, NULL);
    bool stapled = features != NULL;
    bool good = !stapled || (s->input->issuer->ocsp && sk_ASN1_INTEGER_num(features) == 1 &&
                             ASN1_INTEGER_get(sk_ASN1_INTEGER_value(features, 0)) == 5);
    sk_ASN1_INTEGER_pop_free(features, ASN1_INTEGER_free);
    good = good && (s->input->key.data == NULL || stapled == s->input->must_staple);
    return good || fail(s, "must-staple was not asked for, is another, or can't be kept");
}

static bool point_is_url(const DIST_POINT *point, const char *url) {
    return point->reasons == NULL && point->CRLissuer == NULL && point->distpoint != NULL &&
           point->distpoint->type == 0 &&
           sk_GENERAL_NAME_num(point->distpoint->name.fullname) == 1 &&
           name_is_url(sk_GENERAL_NAME_value(point->distpoint->name.fullname, 0), url);
}

static bool lint_crl_point(struct subject *s) {
    char url[CA_URL_MAX];
    const ASN1_INTEGER *serial = s->leaf->tbs->serial;
    if (ASN1_STRING_length(serial) != CA_SERIAL_SIZE) {
        return fail(s, "no CRL shard for a serial number of this size");
    }
    ca_issuer_crl_url(s->input->issuer,
                      ca_issuer_shard(s->input->issuer, ASN1_STRING_get0_data(serial)), url);
    CRL_DIST_POINTS *points =
        X509V3_get_d2i(s->extensions, NID_crl_distribution_points, NULL, NULL);
    bool good =
        sk_DIST_POINT_num(points) == 1 && point_is_url(sk_DIST_POINT_value(points, 0), url);
    sk_DIST_POINT_pop_free(points, DIST_POINT_free);
    return good || fail(s, "the CRL distribution point is not the shard of its serial number");
}

/* ---- Names ---- */

static bool names_read(struct subject *s, struct acme_identifier **out, size_t *count) {
    GENERAL_NAMES *names = X509V3_get_d2i(s->extensions, NID_subject_alt_name, NULL, NULL);
    struct status status = identifiers_of_names(names, &s->arena, out, count);
    int held = sk_GENERAL_NAME_num(names);
    GENERAL_NAMES_free(names);
    if (!status_ok(status) || *count == 0) {
        return fail(s, "the names are none, too many, or malformed");
    }
    return held == (int)*count || fail(s, "a name stands there twice");
}

/* What identifier.h takes, written in the one canonical way. */
static bool lint_names_form(struct subject *s) {
    struct acme_identifier *names;
    size_t count;
    GENERAL_NAMES *again = NULL;
    if (!names_read(s, &names, &count)) {
        return false;
    }
    GENERAL_NAMES *held = X509V3_get_d2i(s->extensions, NID_subject_alt_name, NULL, NULL);
    again = identifiers_names(names, count);
    bool same = again != NULL && held != NULL;
    for (size_t i = 0; same && i < count; i++) {
        same = GENERAL_NAME_cmp(sk_GENERAL_NAME_value(held, (int)i),
                                sk_GENERAL_NAME_value(again, (int)i)) == 0;
    }
    GENERAL_NAMES_free(held);
    GENERAL_NAMES_free(again);
    return same || fail(s, "a name is not in its canonical form");
}

static bool lint_names_requested(struct subject *s) {
    struct acme_identifier *names;
    size_t count;
    if (s->input->identifiers == NULL) {
        return true;
    }
    return names_read(s, &names, &count) &&
           (identifiers_equal(names, count, s->input->identifiers, s->input->identifier_count) ||
            fail(s, "the names are not those that were asked for"));
}

static bool lint_names_allowed(struct subject *s) {
    struct acme_identifier *names;
    size_t count;
    if (!names_read(s, &names, &count)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!ca_policy_allows(s->input->policy, &names[i])) {
            return fail(s, "the CA's policy does not allow %.120s", names[i].value);
        }
    }
    return true;
}

/* ---- All of them ---- */

static const struct {
    const char *name;
    bool (*check)(struct subject *s);
} lints[] = {
    {"der", lint_der},
    {"version", lint_version},
    {"serial", lint_serial},
    {"signature_algorithm", lint_signature_algorithm},
    {"issuer", lint_issuer},
    {"subject", lint_subject},
    {"unique_ids", lint_unique_ids},
    {"validity_form", lint_validity_form},
    {"validity_inclusive", lint_validity_inclusive},
    {"validity_start", lint_validity_start},
    {"validity_issuer", lint_validity_issuer},
    {"key_encoding", lint_key_encoding},
    {"key_quality", lint_key_quality},
    {"key_ours", lint_key_ours},
    {"key_requested", lint_key_requested},
    {"extensions", lint_extensions},
    {"extension_der", lint_extension_der},
    {"must_staple", lint_must_staple},
    {"basic_constraints", lint_basic_constraints},
    {"key_usage", lint_key_usage},
    {"extended_key_usage", lint_extended_key_usage},
    {"authority_key", lint_authority_key},
    {"issuer_url", lint_issuer_url},
    {"crl_point", lint_crl_point},
    {"names_form", lint_names_form},
    {"names_requested", lint_names_requested},
    {"names_allowed", lint_names_allowed},
};

enum { LINT_COUNT = sizeof lints / sizeof lints[0] };

const char *ca_lint_name(size_t index) { return index < LINT_COUNT ? lints[index].name : NULL; }

/* A key that can't be read is left to the lint that says so. */
static struct status subject_read(struct subject *s) {
    s->leaf = ca_leaf_read(s->input->der);
    if (s->leaf == NULL) {
        fail(s, "the certificate can't be read");
        return FAIL(VERIFY_FAILED);
    }
    s->extensions = s->leaf->tbs->extensions;
    TRY(key_info_write(s->leaf->tbs->key, &s->arena, &s->key_der));
    struct status status = key_info_key(s->key_der, &s->key);
    return status.code == STATUS_INVALID_MESSAGE ? OK : status;
}

struct status ca_lint(const struct ca_lint_input *input, struct ca_finding *finding) {
    struct subject subject = {.input = input, .arena = ARENA_INIT, .finding = finding};
    finding->lint = lints[0].name;
    struct status status = subject_read(&subject);
    for (size_t i = 0; status_ok(status) && i < LINT_COUNT; i++) {
        finding->lint = lints[i].name;
        status = lints[i].check(&subject) ? OK : FAIL(VERIFY_FAILED);
    }
    ca_leaf_free(subject.leaf);
    EVP_PKEY_free(subject.key);
    arena_release(&subject.arena);
    return status;
}

static bool signature_good(struct span tbs, struct span signature, const struct ca_issuer *issuer) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context != NULL &&
                EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL,
                                     X509_get0_pubkey(issuer->certificate)) == 1 &&
                EVP_DigestVerify(context, signature.data, signature.len, tbs.data, tbs.len) == 1;
    EVP_MD_CTX_free(context);
    return good;
}

struct status ca_lint_same(struct span linted, struct span final, const struct ca_issuer *issuer,
                           struct ca_finding *finding) {
    struct span before;
    struct span after;
    struct span signature;
    finding->lint = "same";
    if (!status_ok(ca_tbs_of(linted, &before)) ||
        !status_ok(ca_signed_read(final, &after, &signature)) ||
        !span_equal_vartime(before, after)) {
        snprintf(finding->text, sizeof finding->text, "it is not what was linted");
        return FAIL(VERIFY_FAILED);
    }
    if (!signature_good(after, signature, issuer)) {
        finding->lint = "signature";
        snprintf(finding->text, sizeof finding->text, "the signature is not the issuer's");
        return FAIL(VERIFY_FAILED);
    }
    return OK;
}
