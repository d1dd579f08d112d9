/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CLIENT_ACCOUNT_FILE_H
#define MOIETY_ACME_CLIENT_ACCOUNT_FILE_H

#include "acme/client/vault.h"
#include "acme/key.h"

/*
 * An account's key and URL in one file, "account-<name>.pem" of a vault, the
 * name being made of the directory's URL, so that one vault serves several
 * CAs. The key stands as PEM below two lines that say whose it is; it is
 * written before it is used, the URL when the server has said it.
 */
struct account_file {
    struct vault *vault;             /* borrowed */
    const struct vault_lease *lease; /* that writing needs; NULL: none; borrowed */
    const char *directory;           /* borrowed */
    const char *name;                /* of the arena, as is the URL */
    const char *url;                 /* NULL: not registered yet */
    EVP_PKEY *key;                   /* owned: see account_file_release() */
};

/* Reads it: NOT_FOUND, INVALID_CONFIG if it isn't one, and as vault_load(). */
struct status account_file_read(struct vault *vault, const char *directory, struct arena *arena,
                                struct account_file *out);
/* Makes one with a new P-256 key, and writes it. `lease` is for all writing. */
struct status account_file_make(struct vault *vault, const struct vault_lease *lease,
                                const char *directory, struct arena *arena,
                                struct account_file *out);
/* Writes what the struct holds. As vault_save(). */
struct status account_file_write(const struct account_file *account);
/* For a key that is to replace it: written beside it, "<name>.next", and put in
 * its place when the server has taken it. A crash in between leaves both. The key is
 * the account's from the commit on. */
struct status account_file_stage(const struct account_file *account, EVP_PKEY *key);
struct status account_file_commit(struct account_file *account, EVP_PKEY *key);
/* What a crash in a key change left: the staged key, or NULL. */
struct status account_file_staged(const struct account_file *account, EVP_PKEY **out);
void account_file_release(struct account_file *account);

#endif
