/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_BENCH_ACME_CLIENT_H
#define MOIETY_BENCH_ACME_CLIENT_H

#include "acme/jws.h"
#include "net/http_client.h"
#include "net/http_server.h"

/*
 * A small ACME client for loads and tests of the CA: it does what it is told and
 * nothing by itself, so that a test can also do what is wrong. One thread to a
 * client. Answers to http-01 come from a responder that serves every token of
 * one account key.
 */
struct acme_client {
    struct http_client *http; /* shared by many */
    const char *ca_file;      /* whom to trust; NULL: the system's */
    struct acme_directory {
        char new_nonce[256], new_account[256], new_order[256];
    } directory;
    EVP_PKEY *key;            /* the account's */
    struct arena arena;       /* of what lives as long as the client */
    const char *kid;          /* NULL until registered */
    char nonce[64];           /* for the next request; empty: fetch one */
    unsigned long requests;   /* sent so far */
};

struct acme_answer {
    int status;       /* 0: no answer came */
    json_t *json;     /* NULL if the body is no object */
    struct buffer body;
    char location[256];
    char nonce[64];
    char type[64]; /* of a problem, without its URN prefix */
};

bool acme_client_init(struct acme_client *client, struct http_client *http, const char *base);
/* `base` is where our CA is, "http://127.0.0.1:14000", whose paths are known. */
void acme_client_set_base(struct acme_client *client, const char *base);
/* Reads another server's directory. */
bool acme_client_discover(struct acme_client *client, const char *directory);
void acme_client_release(struct acme_client *client);
void acme_answer_release(struct acme_answer *answer);

/* A GET. */
bool acme_get(struct acme_client *client, const char *url, struct acme_answer *out);
/* A signed request, whose payload NULL makes it POST-as-GET; tried again as long
 * as the nonce is refused. False only if no answer came. */
bool acme_post(struct acme_client *client, const char *url, const char *payload,
               struct acme_answer *out);
/* Sends a body as it is. */
bool acme_send(struct acme_client *client, const char *url, struct span body,
               struct acme_answer *out);

/* Registers; with an external account key if `eab_kid` isn't NULL. */
bool acme_register(struct acme_client *client, const char *eab_kid, struct span eab_key);

/* Orders, answers http-01, finalises with `key` and downloads. A challenge that is
 * answered as valid is not asked about again: its authorization is valid too (RFC
 * 8555 section 7.1.6). */
struct acme_issued {
    struct buffer pem;
    char order[256], certificate[256];
};
bool acme_issue(struct acme_client *client, const char *const names[], size_t count,
                const char *profile, EVP_PKEY *key, struct acme_issued *out);

/* Serves the key authorizations of `key` for any token, at `*port`; 0 takes a free
 * one and says which. */
struct acme_responder;
bool acme_responder_start(EVP_PKEY *key, struct acme_responder **out, uint16_t *port);
void acme_responder_stop(struct acme_responder *responder);

#endif
