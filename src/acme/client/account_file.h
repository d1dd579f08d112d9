/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CLIENT_ACCOUNT_FILE_H
#define MOIETY_ACME_CLIENT_ACCOUNT_FILE_H

#include "acme/key.h"
#include "base/arena.h"

/*
 * An account's key and URL in one file, "account-<name>.pem" of a folder, the
 * name being made of the directory's URL, so that one folder serves several
 * CAs. The key stands as PEM below two lines that say whose it is; it is
 * written before it is used, the URL when the server has said it.
 */
struct account_file {
    const char *path; /* of the arena, as is the URL */
    const char *url;  /* NULL: not registered yet */
    EVP_PKEY *key;    /* owned: see account_file_release() */
};

/* Reads it, or makes a new P-256 key and writes it. INVALID_CONFIG if the file
 * isn't one, IO, PERMISSION_DENIED, NOT_FOUND (the folder). */
struct status account_file_open(const char *folder, const char *directory, struct arena *arena,
                                struct account_file *out);
/* Only reads it; NOT_FOUND. */
struct status account_file_read(const char *folder, const char *directory, struct arena *arena,
                                struct account_file *out);
/* Writes what the struct holds. */
struct status account_file_write(const struct account_file *account, const char *directory);
/* For a key that is to replace it: written beside it, "<path>.next", and put in
 * its place when the server has taken it. A crash in between leaves both. */
struct status account_file_stage(const struct account_file *account, const char *directory,
                                 EVP_PKEY *key);
struct status account_file_commit(struct account_file *account, EVP_PKEY *key);
/* What a crash in a key change left: the staged key, or NULL. */
struct status account_file_staged(const struct account_file *account, EVP_PKEY **out);
void account_file_release(struct account_file *account);

#endif
