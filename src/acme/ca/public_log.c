/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/ca/log.h"
#include "acme/ca/public.h"
#include "wire/base64url.h"

/* The log over HTTP. Hashes and certificates are standard base64 in JSON. */

static struct status not_found(struct ca_exchange *x, const char *what) {
    struct status status = ca_fail(x, ACME_MALFORMED, "%s", what);
    x->problem.http = 404;
    return status;
}

static json_t *base64_json(struct arena *arena, struct span bytes) {
    char *text = arena_alloc(arena, bytes.len * 4 / 3 + 8, 1);
    if (text == NULL) {
        return NULL;
    }
    EVP_EncodeBlock((uint8_t *)text, bytes.data, (int)bytes.len);
    return json_string(text);
}

static json_t *proof_json(struct arena *arena, const struct merkle_proof *proof) {
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < proof->count; i++) {
        if (json_array_append_new(list, base64_json(arena, SPAN_OF_ARRAY(proof->hashes[i].bytes))) !=
            0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static bool number(struct ca_exchange *x, const char *name, uint64_t *out) {
    struct span text;
    uint64_t value = 0;
    if (!http_request_query(x->request, name, &text) || text.len == 0 || text.len > 18) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        value = value * 10 + (text.data[i] - '0');
    }
    *out = value;
    return true;
}

/* ---- Key and checkpoint ---- */

static struct status log_key(struct ca_exchange *x) {
    const char *key = ca_log_verifier(x->ca->options->log_origin,
                                      ca_signer_log_key(x->ca->mint.signer), x->arena);
    return key == NULL ? FAIL(NO_MEMORY)
                       : ca_reply_bytes(x, 200, "text/plain; charset=utf-8", span_of_string(key));
}

static struct status checkpoint(struct ca_exchange *x) {
    const char *note;
    TRY(ca_log_checkpoint(x->ca, x->arena, &note));
    return ca_reply_bytes(x, 200, "text/plain; charset=utf-8", span_of_string(note));
}

/* ---- Entries ---- */

enum { ENTRIES_MAX = 256 };

struct entries {
    struct ca_exchange *x;
    uint64_t start;
    struct ca_certificate *list;
    size_t count;
};

static struct status read_entries(struct store_tx *tx, void *argument) {
    struct entries *e = argument;
    return ca_certificate_list(tx, e->x->arena, (int64_t)e->start, ENTRIES_MAX, &e->list,
                               &e->count);
}

/* GET /log/entries?start=N: the certificates from leaf N on, as many as fit. */
static struct status log_entries(struct ca_exchange *x) {
    struct entries e = {.x = x};
    if (!number(x, "start", &e.start)) {
        return ca_fail(x, ACME_MALFORMED, "start must be a number");
    }
    TRY(ca_db_read(x->ca->db, read_entries, &e));
    json_t *list = json_array();
    bool made = list != NULL;
    for (size_t i = 0; made && i < e.count; i++) {
        made = json_array_append_new(list, base64_json(x->arena, e.list[i].der)) == 0;
    }
    json_t *document = json_object();
    if (!json_put(document, "certificates", list) || !made) {
        json_decref(document);
        return FAIL(NO_MEMORY);
    }
    return ca_reply_json(x, 200, document);
}

/* ---- Proofs ---- */

struct inclusion {
    struct ca_exchange *x;
    uint8_t serial[CA_SERIAL_SIZE];
    uint64_t size;
    struct ca_certificate certificate;
    struct merkle_proof proof;
};

static struct status read_inclusion(struct store_tx *tx, void *argument) {
    struct inclusion *i = argument;
    const struct merkle_nodes nodes = ca_log_nodes(tx);
    TRY(ca_certificate_get(tx, i->x->arena, i->serial, &i->certificate));
    return merkle_inclusion(&nodes, (uint64_t)i->certificate.number, i->size, &i->proof);
}

/* GET /log/proof/SERIAL: a checkpoint, and that it has the certificate. */
static struct status log_proof(struct ca_exchange *x) {
    struct inclusion i = {.x = x};
    const char *note;
    struct ca_checkpoint checkpoint_read;
    if (!status_ok(base64url_decode(i.serial, sizeof i.serial,
                                    http_request_parameter(x->request, "serial")))) {
        return not_found(x, "there is no such certificate");
    }
    TRY(ca_log_checkpoint(x->ca, x->arena, &note));
    TRY(ca_checkpoint_verify(span_of_string(note), x->ca->options->log_origin,
                             ca_signer_log_key(x->ca->mint.signer), &checkpoint_read));
    i.size = checkpoint_read.size;
    struct status status = ca_db_read(x->ca->db, read_inclusion, &i);
    if (status.code == STATUS_NOT_FOUND) {
        return not_found(x, "there is no such certificate");
    }
    TRY(status);
    json_t *document = json_object();
    bool made = json_put(document, "index", json_integer(i.certificate.number)) &&
                json_put(document, "checkpoint", json_string(note)) &&
                json_put(document, "proof", proof_json(x->arena, &i.proof));
    if (!made) {
        json_decref(document);
        return FAIL(NO_MEMORY);
    }
    return ca_reply_json(x, 200, document);
}

struct consistency {
    uint64_t from, to, size;
    struct merkle_proof proof;
};

static struct status read_consistency(struct store_tx *tx, void *argument) {
    struct consistency *c = argument;
    const struct merkle_nodes nodes = ca_log_nodes(tx);
    TRY(ca_log_size(tx, &c->size));
    if (c->to > c->size) {
        return FAIL(INVALID_ARGUMENT);
    }
    return merkle_consistency(&nodes, c->from, c->to, &c->proof);
}

/* GET /log/consistency?from=N&to=M: that the tree of M begins with that of N. */
static struct status log_consistency(struct ca_exchange *x) {
    struct consistency c = {.from = 0};
    if (!number(x, "from", &c.from) || !number(x, "to", &c.to)) {
        return ca_fail(x, ACME_MALFORMED, "from and to must be numbers");
    }
    struct status status = ca_db_read(x->ca->db, read_consistency, &c);
    if (status.code == STATUS_INVALID_ARGUMENT) {
        return ca_fail(x, ACME_MALFORMED, "from and to must ascend, up to the tree's size");
    }
    TRY(status);
    json_t *document = json_object();
    if (!json_put(document, "proof", proof_json(x->arena, &c.proof))) {
        json_decref(document);
        return FAIL(NO_MEMORY);
    }
    return ca_reply_json(x, 200, document);
}

const struct ca_endpoint ca_endpoint_log_key = {.who = CA_WHO_ANYBODY, .run = log_key};
const struct ca_endpoint ca_endpoint_checkpoint = {.who = CA_WHO_ANYBODY, .run = checkpoint};
const struct ca_endpoint ca_endpoint_log_entries = {.who = CA_WHO_ANYBODY, .run = log_entries};
const struct ca_endpoint ca_endpoint_log_proof = {.who = CA_WHO_ANYBODY, .run = log_proof};
const struct ca_endpoint ca_endpoint_consistency = {
    .who = CA_WHO_ANYBODY, .run = log_consistency};
