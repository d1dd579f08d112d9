/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CLIENT_ACCOUNT_H
#define MOIETY_ACME_CLIENT_ACCOUNT_H

#include "acme/client/session.h"

/* Accounts (RFC 8555 section 7.3). Failures as session_post() tells them. */
struct account_wishes {
    const char *const *contacts; /* "mailto:.." */
    size_t contact_count;
    const char *eab_kid; /* external account binding (section 7.3.4); NULL: none */
    struct span eab_key; /* its MAC key, decoded */
    bool existing_only;  /* NOT_FOUND or BAD_REQUEST rather than a new account */
};

/* Reads a MAC key from a file that holds it in base64url, with or without padding, or from
 * the one that `moiety ca` writes, with lines "kid: .." and "key: ..": then that is the
 * name, unless `*kid` is one. INVALID_MESSAGE (no such file, or it has no name and there is
 * none), and as file_read(). */
struct status account_read_eab(const char *path, struct arena *arena, const char **kid,
                               struct span *key);

/* Registers, or finds the account that has this key; agrees to the terms. From
 * then on session->account_url is set and requests are signed in its name. */
struct status account_register(struct session *session, const struct account_wishes *wishes);

/* Sets its contacts. */
struct status account_update(struct session *session, const char *const *contacts, size_t count);
/* For good: no request of it is taken any more. */
struct status account_deactivate(struct session *session);
/* Rolls over to a new key (section 7.3.5), which the caller has stored already:
 * the session signs with it from then on, borrowing it. CONFLICT if another account has it. */
struct status account_change_key(struct session *session, EVP_PKEY *new_key);
/* What the server knows of it, as JSON for json_decref(). */
struct status account_show(struct session *session, json_t **out);

#endif
