/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CA_EXCHANGE_H
#define MOIETY_ACME_CA_EXCHANGE_H

#include "acme/ca/context.h"
#include "acme/jws.h"

/*
 * One signed request and its answer (RFC 8555 section 6). It is read, its nonce
 * used up, its signature verified and its account found before an endpoint sees
 * it. On a worker.
 */
enum ca_who {
    CA_WHO_ACCOUNT, /* signed by an account, named by kid */
    CA_WHO_KEY,     /* by a key that comes with it: jwk */
    CA_WHO_EITHER,
    CA_WHO_ANYBODY, /* a plain GET: nothing is signed */
};

struct ca_exchange;

struct ca_endpoint {
    enum ca_who who;
    bool get;       /* POST-as-GET is meant: there must be no payload */
    bool either;    /* with or without */
    bool reads;     /* run() writes nothing, and leaves to hand_over() what does */
    /* Of who CA_WHO_ACCOUNT: reads what the path names into x->found, in the
     * transaction that reads the account, and so before the signature is verified.
     * How it went is for run() to tell, from x->found_status. NULL: nothing. */
    struct status (*look_up)(struct store_tx *tx, struct ca_exchange *x);
    /* Replies and returns OK; or fails, best through ca_fail(). */
    struct status (*run)(struct ca_exchange *x);
};

struct ca_exchange {
    struct ca *ca;
    struct http_request *request;
    struct arena *arena;
    const struct ca_endpoint *endpoint;
    int64_t now; /* seconds since 1970 */
    struct jws jws;
    json_t *payload; /* NULL: none */
    bool by_account;
    struct ca_account account;
    EVP_PKEY *account_key; /* owned */
    void *found; /* by the endpoint's look_up() */
    struct status found_status;
    /* Set by run() to have the exchange handed over instead of answered: called as
     * the last thing that this worker does with it. Whoever has it then ends it. */
    void (*hand_over)(struct ca_exchange *x);
    struct ca_authorization *authorization; /* what it is handed over about */
    /* What went wrong, if run() fails. */
    struct acme_problem problem;
    unsigned retry_after_s;
};

/* Reads the request and runs the endpoint: on a worker (503 if they are busy), or
 * at once if it only reads and the database is a file of this machine. That takes
 * about as long as a handshake, and waking a worker costs more than it gains. */
void ca_exchange_submit(struct ca *ca, struct http_request *request,
                        const struct ca_endpoint *endpoint);

/* Answers with the problem of `status` unless it was answered, and frees it. */
void ca_exchange_end(struct ca_exchange *x, struct status status);

/* Sets the problem; for `return`. */
struct status ca_fail(struct ca_exchange *x, enum acme_error error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Adds a header to the answer. */
struct status ca_header(struct ca_exchange *x, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Answers with a document, which is taken over. */
struct status ca_reply_json(struct ca_exchange *x, int status, json_t *document);
struct status ca_reply_bytes(struct ca_exchange *x, int status, const char *media_type,
                             struct span body);

/* "https://ca.example/acme/order/AAAA", in the arena; NULL if memory is short. */
const char *ca_resource_url(struct ca_exchange *x, const char *kind, const struct ca_id *id);
/* The id in the path's parameter: NOT_FOUND if it is none. */
struct status ca_path_id_read(struct ca_exchange *x, const char *name, struct ca_id *out);
/* The same, failing with a problem. */
struct status ca_path_id(struct ca_exchange *x, const char *name, struct ca_id *out);
/* How look_up() went, as a problem that names the kind of thing it looked for. */
struct status ca_found_check(struct ca_exchange *x, const char *kind);
/* "2026-01-31T12:00:00Z" */
const char *ca_time_text(struct arena *arena, int64_t seconds);
/* An object or array that was stored as text; NULL for NULL or no memory. */
json_t *ca_json_stored(const char *text);
/* As text in the arena. */
struct status ca_json_text(struct arena *arena, json_t *value, const char **out);

/* The header fields of every answer: a nonce, the directory, no caching. */
void ca_answer_fields(struct ca *ca, struct http_request *request);

#endif
