/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CLIENT_SESSION_H
#define MOIETY_ACME_CLIENT_SESSION_H

#include "acme/client/links.h"
#include "acme/jws.h"
#include "base/clock.h"
#include "net/http_client.h"

/*
 * Talking to one ACME server (RFC 8555 sections 6 and 7.1): its directory, signed
 * requests with fresh nonces, and what its refusals said.
 *
 * A request that the server refuses for its nonce is signed again with the new
 * one, as often as it takes. One that doesn't get through, or that the server
 * fails at, is tried a few times over seconds; longer waits are the caller's.
 * Calls wait for the network. Not thread-safe.
 */
struct session_config {
    struct http_client *http; /* must outlive the session */
    const char *directory;    /* its URL */
    const char *ca_file;      /* whom its TLS certificate must come from; NULL: the system's */
    EVP_PKEY *account_key;    /* borrowed */
    const char *account_url;  /* NULL: not known yet */
    const struct clock *clock;
    /* Sleeps; false if the caller wants to end, which gives CANCELLED. NULL:
     * just sleeps. */
    bool (*pause)(void *context, uint64_t ms);
    void *pause_context;
};

/* What went wrong last, for the log and for deciding when to try again. */
struct session_failure {
    enum acme_error error;  /* NONE: no problem document of a known type */
    int http;               /* 0: no answer came */
    uint64_t retry_after_s; /* what the server asked for; 0: nothing */
    char text[512];         /* printable ASCII, in one line */
};

struct session {
    struct session_config config;
    struct arena arena; /* of the directory's strings and the account's URL */
    json_t *directory;
    const char *account_url;
    char nonce[256]; /* the one to use next; "" if none is left */
    struct session_failure failure;
};

/* What came back with a status of 2xx. */
struct session_answer {
    int http;
    json_t *body; /* NULL if it isn't JSON */
    struct http_client_response *response;
    struct arena arena;
    const char *location;   /* absolute; NULL if there is none */
    struct links alternate; /* other forms of this */
    uint64_t retry_after_s; /* 0: not said */
    bool has_retry_after;
};

/* Fetches the directory. What is copied of the config: nothing. */
struct status session_init(struct session *session, const struct session_config *config);
void session_release(struct session *session);

/* A URL of the directory ("newOrder"); NULL if the server doesn't offer it. */
const char *session_url(const struct session *session, const char *resource);
/* A member of the directory's meta object; NULL if there is none. */
const json_t *session_meta(const struct session *session, const char *member);

/* Posts `payload` (taken, also on failure; NULL: POST-as-GET), signed by the
 * account. On failure session->failure tells more and `answer` is untouched:
 * CANCELLED, NO_MEMORY, CRYPTO, PEER_FAILED (no answer, or its fault), TIMEOUT,
 * TOO_MANY_REQUESTS, NOT_FOUND, CONFLICT, FORBIDDEN, UNAUTHORIZED or
 * BAD_REQUEST (it refuses), INVALID_MESSAGE (no ACME). */
struct status session_post(struct session *session, const char *url, json_t *payload,
                           struct session_answer *answer);
/* The same, signed by another key that shows itself by its jwk. */
struct status session_post_as(struct session *session, EVP_PKEY *key, const char *url,
                              json_t *payload, struct session_answer *answer);
/* A plain GET, as of directories and renewal information. */
struct status session_get(struct session *session, const char *url,
                          struct session_answer *answer);
void session_answer_release(struct session_answer *answer);

/* Waits as said in the config. CANCELLED. */
struct status session_pause(struct session *session, uint64_t ms);
/* Notes a failure that no request had, and returns the status of this code. */
struct status session_fail(struct session *session, enum status_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- Between session.c and session_answer.c ---- */

/* Takes a response apart; it is the answer's from then on, whatever comes out.
 * A refusal fills session->failure. */
struct status session_answer_read(struct session *session, const char *url,
                                  struct http_client_response *response,
                                  struct session_answer *answer);

#endif
