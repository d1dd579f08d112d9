/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/ca/public.h"

#include <stdlib.h>

/* ---- The directory (RFC 8555 section 7.1.1) ---- */

static bool put_url(struct ca_exchange *x, json_t *document, const char *name, const char *path) {
    const char *url = arena_printf(x->arena, "%s/acme/%s", x->ca->options->url, path);
    return url != NULL && json_put(document, name, json_string(url));
}

static json_t *profiles_json(const struct ca_options *o) {
    json_t *profiles = json_object();
    for (size_t i = 0; i < o->profile_count; i++) {
        if (!json_put(profiles, o->profiles[i].name,
                      json_sprintf("%s, for %u hours", ca_role_text(o->profiles[i].role),
                                   (unsigned)(o->profiles[i].lifetime_s / CA_HOUR)))) {
            json_decref(profiles);
            return NULL;
        }
    }
    return profiles;
}

static json_t *caa_json(const struct ca_options *o) {
    json_t *names = json_array();
    for (size_t i = 0; i < o->validation.caa_count; i++) {
        if (json_array_append_new(names, json_string(o->validation.caa[i])) != 0) {
            json_decref(names);
            return NULL;
        }
    }
    return names;
}

static json_t *meta_json(const struct ca_options *o) {
    json_t *meta = json_object();
    bool made = json_put(meta, "profiles", profiles_json(o)) &&
                json_put(meta, "externalAccountRequired",
                         json_boolean(o->external_account_required)) &&
                (o->terms_of_service == NULL ||
                 json_put(meta, "termsOfService", json_string(o->terms_of_service))) &&
                (o->validation.caa_count == 0 ||
                 json_put(meta, "caaIdentities", caa_json(o)));
    if (!made) {
        json_decref(meta);
        return NULL;
    }
    return meta;
}

static struct status directory(struct ca_exchange *x) {
    json_t *document = json_object();
    bool made = put_url(x, document, "newNonce", "new-nonce") &&
                put_url(x, document, "newAccount", "new-account") &&
                put_url(x, document, "newOrder", "new-order") &&
                put_url(x, document, "revokeCert", "revoke-cert") &&
                put_url(x, document, "keyChange", "key-change") &&
                put_url(x, document, "renewalInfo", "renewal-info") &&
                json_put(document, "meta", meta_json(x->ca->options));
    if (!made) {
        json_decref(document);
        return FAIL(NO_MEMORY);
    }
    return ca_reply_json(x, 200, document);
}

const struct ca_endpoint ca_endpoint_directory = {.who = CA_WHO_ANYBODY, .run = directory};

/* ---- CRLs and issuing certificates ---- */

static struct status not_found(struct ca_exchange *x) {
    struct status status = ca_fail(x, ACME_MALFORMED, "there is nothing at this address");
    x->problem.http = 404;
    return status;
}

struct lookup {
    struct ca_exchange *x;
    const struct ca_issuer *issuer;
    unsigned shard;
    struct ca_crl crl;
};

static struct status read_crl(struct store_tx *tx, void *argument) {
    struct lookup *lookup = argument;
    return ca_crl_get(tx, lookup->x->arena, lookup->issuer->id, lookup->shard, &lookup->crl);
}

/* "7.crl" */
static bool read_shard(struct span text, unsigned *out) {
    char copy[16] = "";
    char *end;
    if (text.len >= sizeof copy || text.len == 0 || text.data[0] < '0' || text.data[0] > '9') {
        return false;
    }
    memcpy(copy, text.data, text.len);
    unsigned long shard = strtoul(copy, &end, 10);
    *out = (unsigned)shard;
    return strcmp(end, ".crl") == 0 && shard < CA_SHARDS_MAX;
}

static struct status crl(struct ca_exchange *x) {
    struct lookup lookup = {.x = x};
    lookup.issuer = ca_issuer_find(x->ca, http_request_parameter(x->request, "issuer"));
    if (lookup.issuer == NULL ||
        !read_shard(http_request_parameter(x->request, "shard"), &lookup.shard)) {
        return not_found(x);
    }
    struct status status = ca_db_read(x->ca->db, read_crl, &lookup);
    if (status.code == STATUS_NOT_FOUND) {
        return not_found(x);
    }
    TRY(status);
    return ca_reply_bytes(x, 200, "application/pkix-crl", lookup.crl.der);
}

static struct status issuer(struct ca_exchange *x) {
    static const char suffix[] = ".der";
    struct span name = http_request_parameter(x->request, "issuer");
    size_t end = sizeof suffix - 1;
    if (name.len <= end || memcmp(name.data + name.len - end, suffix, end) != 0) {
        return not_found(x);
    }
    const struct ca_issuer *found = ca_issuer_find(x->ca, span_of(name.data, name.len - end));
    if (found == NULL) {
        return not_found(x);
    }
    uint8_t *der = NULL;
    int len = i2d_X509(found->certificate, &der);
    struct status status =
        len <= 0 ? FAIL(CRYPTO)
                 : ca_reply_bytes(x, 200, "application/pkix-cert", span_of(der, (size_t)len));
    OPENSSL_free(der);
    return status;
}

const struct ca_endpoint ca_endpoint_crl = {.who = CA_WHO_ANYBODY, .run = crl};
const struct ca_endpoint ca_endpoint_issuer = {.who = CA_WHO_ANYBODY, .run = issuer};
