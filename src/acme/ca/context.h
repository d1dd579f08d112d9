/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CA_CONTEXT_H
#define MOIETY_ACME_CA_CONTEXT_H

#include <pthread.h>

#include "acme/ca/ca.h"
#include "acme/ca/key_cache.h"
#include "acme/ca/mint.h"
#include "acme/ca/nonce.h"
#include "net/work_queue.h"

/* What the CA's files share. Nothing outside src/acme/ca includes it. */
struct ca_chain {
    struct buffer pem; /* what follows the leaf */
};

struct ca_chains {
    struct ca_chain *items; /* the first is the default, the others alternates */
    size_t count;
};

struct ca {
    const struct ca_options *options;
    struct arena arena;
    struct ca_db *db;
    struct ca_issuer *issuers;
    struct ca_chains *chains; /* of each issuer */
    struct ca_mint mint;
    struct ca_nonces *nonces;
    struct ca_key_cache *keys;
    struct ca_limits *limits;
    struct work_queue *work;     /* requests */
    struct work_queue *validate; /* validations, which wait for others */
    char *index_link;            /* <url/directory>;rel="index" */
    pthread_mutex_t checkpoint;  /* one is made at a time */
    pthread_mutex_t trying;      /* guards `jobs` and who waits for them */
    struct ca_job *jobs;         /* validations that wait or run */
    bool watching;               /* somebody will look which of them take long */
    bool started;
};

/* The chains of the issuer with this id; NULL if it isn't known any more. */
const struct ca_chains *ca_chains_find(const struct ca *ca, const char *issuer);
const struct ca_issuer *ca_issuer_find(const struct ca *ca, struct span id);

/* BUSY if so many validations wait that no further one should be begun. */
struct status ca_validation_check_room(struct ca *ca);
/* Starts trying the authorization's challenge, on another thread. `waiter` (NULL:
 * none) is an exchange that is answered by ca_challenge_answer() when the outcome
 * is there, or after a moment without it; until then nothing of the attempt is
 * stored, as nobody was told of it. If this fails, it stays the caller's. */
struct ca_exchange;
struct status ca_validation_submit(struct ca *ca, const struct ca_authorization *authorization,
                                   const struct ca_account *account, struct ca_exchange *waiter);
/* Whether a challenge of this authorization is being tried. */
bool ca_validation_runs(struct ca *ca, const struct ca_id *id);
/* Takes up what was being tried when the server ended. */
struct status ca_validation_resume(struct ca *ca);

/* Signs CRLs that are stale or near their end, and comes again. */
struct status ca_crl_start(struct ca *ca);

/* The routes of each file. */
extern const struct route ca_acme_routes[];
extern const size_t ca_acme_route_count;
extern const struct route ca_public_routes[];
extern const size_t ca_public_route_count;

#endif
