/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CA_ENDPOINT_H
#define MOIETY_ACME_CA_ENDPOINT_H

#include "acme/ca/exchange.h"

/* What is behind the directory's URLs (RFC 8555 section 7), a file for each kind
 * of resource. */
extern const struct ca_endpoint ca_endpoint_new_account;  /* endpoint_account.c */
extern const struct ca_endpoint ca_endpoint_account;
extern const struct ca_endpoint ca_endpoint_orders;
extern const struct ca_endpoint ca_endpoint_key_change;   /* endpoint_key_change.c */
extern const struct ca_endpoint ca_endpoint_new_order;    /* endpoint_new_order.c */
extern const struct ca_endpoint ca_endpoint_order;        /* endpoint_order.c */
extern const struct ca_endpoint ca_endpoint_finalize;
extern const struct ca_endpoint ca_endpoint_authorization; /* endpoint_authorization.c */
extern const struct ca_endpoint ca_endpoint_challenge;
extern const struct ca_endpoint ca_endpoint_certificate;  /* endpoint_certificate.c */
extern const struct ca_endpoint ca_endpoint_revoke;       /* endpoint_revoke.c */

/* An order as its account sees it, with the state that follows from its
 * authorizations. */
struct ca_order_view {
    struct ca_order order;
    const char *problem; /* JSON, or NULL: of the order, or of what failed in it */
};
/* In a transaction. */
struct status ca_order_view(struct store_tx *tx, struct ca_exchange *x, const struct ca_id *id,
                            struct ca_order_view *out);
/* Answers with it, and its Location. */
struct status ca_order_reply(struct ca_exchange *x, int status, const struct ca_order_view *view);
/* The identifiers of an order; INTERNAL if what was stored can't be read. */
struct status ca_order_identifiers(const struct ca_order *order, struct arena *arena,
                                   struct acme_identifier **out, size_t *count);

/* Answers who waits for a challenge with what became of it, or with the problem of
 * `status`; the exchange is gone afterwards. */
void ca_challenge_answer(struct ca_exchange *x, struct status status,
                         const struct ca_authorization *authorization, enum challenge_type type);

/* Whether a space-separated list of profiles holds one; an empty list holds all. */
bool ca_profile_listed(const char *list, const char *name);

/* What RFC 9773 calls a certificate, read: the issuer is one of ours. INVALID_MESSAGE. */
struct status ca_ari_read(const struct ca *ca, const char *text, uint8_t serial[CA_SERIAL_SIZE]);

#endif
