/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CA_RECORD_H
#define MOIETY_ACME_CA_RECORD_H

#include "acme/ca/issuer.h"
#include "acme/ca/merkle.h"
#include "acme/challenge.h"
#include "acme/identifier.h"
#include "store/sql.h"

/*
 * The rows of the CA's database. Everything runs inside a transaction of
 * ca_db_read() or ca_db_write(); what is returned lives in the arena. Times are
 * seconds since 1970. NOT_FOUND where there is no such row.
 */
struct ca_id {
    uint8_t bytes[16];
};

static inline struct sql_value ca_id_value(const struct ca_id *id) {
    return sql_of_id(id->bytes, sizeof id->bytes);
}
struct status ca_id_new(struct ca_id *out); /* random; CRYPTO */
static inline bool ca_id_equal(const struct ca_id *a, const struct ca_id *b) {
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

/* ---- External account keys and accounts (record_account.c) ---- */

struct ca_eab {
    const char *kid;
    struct span mac_key;
    const char *profiles; /* names with spaces between; "" for all */
    bool bound;           /* to an account, `account` */
    struct ca_id account;
    int64_t created;
};

struct status ca_eab_put(struct store_tx *tx, const struct ca_eab *eab); /* CONFLICT */
struct status ca_eab_get(struct store_tx *tx, struct arena *arena, const char *kid,
                         struct ca_eab *out);
struct status ca_eab_list(struct store_tx *tx, struct arena *arena, struct ca_eab **out,
                          size_t *count);
struct status ca_eab_delete(struct store_tx *tx, const char *kid);
/* CONFLICT if it was bound before. */
struct status ca_eab_bind(struct store_tx *tx, const char *kid, const struct ca_id *account);

enum ca_account_state { CA_ACCOUNT_VALID, CA_ACCOUNT_DEACTIVATED, CA_ACCOUNT_REVOKED };

struct ca_account {
    struct ca_id id;
    const char *thumbprint;
    const char *jwk;      /* JSON */
    const char *contacts; /* a JSON array */
    enum ca_account_state state;
    const char *profiles; /* as of its external key */
    const char *eab;      /* JSON, or NULL */
    int64_t created;
};

/* CONFLICT if an account has the key already. */
struct status ca_account_put(struct store_tx *tx, const struct ca_account *account);
struct status ca_account_get(struct store_tx *tx, struct arena *arena, const struct ca_id *id,
                             struct ca_account *out);
struct status ca_account_find(struct store_tx *tx, struct arena *arena, const char *thumbprint,
                              struct ca_account *out);
struct status ca_account_set_contacts(struct store_tx *tx, const struct ca_id *id,
                                      const char *contacts);
struct status ca_account_set_state(struct store_tx *tx, const struct ca_id *id,
                                   enum ca_account_state state);
/* The caller made sure that no account has the key. */
struct status ca_account_set_key(struct store_tx *tx, const struct ca_id *id,
                                 const char *thumbprint, const char *jwk);

/* ---- Orders (record_order.c) ---- */

/* READY follows from the authorizations, and is not stored. */
enum ca_order_state { CA_ORDER_PENDING, CA_ORDER_READY, CA_ORDER_VALID, CA_ORDER_INVALID };

struct ca_order {
    struct ca_id id;
    struct ca_id account;
    enum ca_order_state state;
    const char *profile;
    const char *identifiers; /* a JSON array */
    const struct ca_id *authorizations;
    size_t authorization_count;
    int64_t expires;
    const char *replaces; /* or NULL */
    bool has_serial;
    uint8_t serial[CA_SERIAL_SIZE];
    const char *problem; /* JSON, or NULL */
    int64_t created;
};

struct status ca_order_put(struct store_tx *tx, const struct ca_order *order);
struct status ca_order_get(struct store_tx *tx, struct arena *arena, const struct ca_id *id,
                           struct ca_order *out);
/* CONFLICT unless it is pending. */
struct status ca_order_finish(struct store_tx *tx, const struct ca_id *id,
                              const uint8_t serial[CA_SERIAL_SIZE]);
struct status ca_order_fail(struct store_tx *tx, const struct ca_id *id, const char *problem);
/* The account's live ones made after `after`, at most `limit`, oldest first. */
struct status ca_order_list(struct store_tx *tx, struct arena *arena, const struct ca_id *account,
                            int64_t after, int64_t now, size_t limit, struct ca_order **out,
                            size_t *count);

/* ---- Authorizations (record_authorization.c) ---- */

enum ca_authorization_state {
    CA_AUTHORIZATION_PENDING,
    CA_AUTHORIZATION_VALID,
    CA_AUTHORIZATION_INVALID,
    CA_AUTHORIZATION_DEACTIVATED,
};

struct ca_authorization {
    struct ca_id id;
    struct ca_id account;
    struct acme_identifier identifier; /* without "*." */
    bool wildcard;
    enum ca_authorization_state state;
    const char *token;
    enum challenge_type challenge; /* that was tried; NONE: none yet */
    int64_t validated;             /* 0: not */
    const char *problem;           /* JSON, or NULL */
    int64_t expires;
};

struct status ca_authorization_put(struct store_tx *tx,
                                   const struct ca_authorization *authorization);
struct status ca_authorization_get(struct store_tx *tx, struct arena *arena,
                                   const struct ca_id *id, struct ca_authorization *out);
/* A valid one of the account for this name, good beyond `until`. */
struct status ca_authorization_find(struct store_tx *tx, struct arena *arena,
                                    const struct ca_id *account,
                                    const struct acme_identifier *identifier, bool wildcard,
                                    int64_t until, struct ca_authorization *out);
/* Takes note that a challenge is tried. CONFLICT if one was already. */
struct status ca_authorization_try(struct store_tx *tx, const struct ca_id *id,
                                   enum challenge_type challenge);
/* How it went: nothing happens unless it is pending. `problem` NULL is success. */
struct status ca_authorization_settle(struct store_tx *tx, const struct ca_id *id, int64_t now,
                                      int64_t expires, const char *problem);
struct status ca_authorization_deactivate(struct store_tx *tx, const struct ca_id *id);
/* Those that were being tried when the server ended. */
struct status ca_authorization_list_tried(struct store_tx *tx, struct arena *arena,
                                          struct ca_authorization **out, size_t *count);

/* ---- Certificates (record_certificate.c) ---- */

enum { CA_DIGEST_SIZE = 32 };

struct ca_certificate {
    int64_t number; /* the index of its leaf */
    uint8_t serial[CA_SERIAL_SIZE];
    bool has_account; /* else it is the CA's own */
    struct ca_id account;
    const char *issuer; /* its id */
    const char *profile;
    struct span der;
    uint8_t key_digest[CA_DIGEST_SIZE];
    int64_t not_before, not_after;
    unsigned shard;
    int64_t revoked; /* when; 0: not */
    int reason;      /* RFC 5280 section 5.3.1 */
    bool replaced;
};

/* Adds it to the table and the log, both or none; sets its number. */
struct status ca_certificate_put(struct store_tx *tx, struct ca_certificate *certificate);
struct status ca_certificate_get(struct store_tx *tx, struct arena *arena,
                                 const uint8_t serial[CA_SERIAL_SIZE], struct ca_certificate *out);
/* By number, from `first` on, at most `limit`. */
struct status ca_certificate_list(struct store_tx *tx, struct arena *arena, int64_t first,
                                  size_t limit, struct ca_certificate **out, size_t *count);
/* CONFLICT if it is revoked already (but keyCompromise replaces another reason
 * if `upgrade`). Its shard of the CRL becomes stale. */
struct status ca_certificate_revoke(struct store_tx *tx, const struct ca_certificate *certificate,
                                    int64_t now, int reason, bool upgrade);
/* Takes note that an order replaces it; CONFLICT if another one does. */
struct status ca_certificate_replace(struct store_tx *tx, const uint8_t serial[CA_SERIAL_SIZE],
                                     const struct ca_id *order);
/* Lets an order that failed not stand in the way of the next one. */
struct status ca_certificate_unreplace(struct store_tx *tx, const struct ca_id *order);
/* What a shard of the CRL lists at `now`. */
struct status ca_certificate_list_revoked(struct store_tx *tx, struct arena *arena,
                                          const char *issuer, unsigned shard, int64_t now,
                                          struct ca_certificate **out, size_t *count);

struct status ca_key_block(struct store_tx *tx, const uint8_t digest[CA_DIGEST_SIZE],
                           int64_t now);
struct status ca_key_is_blocked(struct store_tx *tx, const uint8_t digest[CA_DIGEST_SIZE],
                                bool *out);

/* ---- The log and the CRL (record_log.c) ---- */

/* The log's nodes inside a transaction, for merkle.h. */
struct merkle_nodes ca_log_nodes(struct store_tx *tx);
struct status ca_log_size(struct store_tx *tx, uint64_t *out);
/* The signed note of a size; NOT_FOUND. */
struct status ca_checkpoint_get(struct store_tx *tx, struct arena *arena, uint64_t size,
                                const char **note);
struct status ca_checkpoint_put(struct store_tx *tx, uint64_t size, const char *note);

struct ca_crl {
    int64_t number;
    struct span der;
    int64_t next_update;
    bool stale;
};
struct status ca_crl_get(struct store_tx *tx, struct arena *arena, const char *issuer,
                         unsigned shard, struct ca_crl *out);
/* Stores one that is newer than what is there; CONFLICT otherwise. */
struct status ca_crl_put(struct store_tx *tx, const char *issuer, unsigned shard,
                         const struct ca_crl *crl);

#endif
