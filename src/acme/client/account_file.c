/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/client/account_file.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "wire/base64url.h"

static const char url_line[] = "Account: ";

static const char *name_of(const char *directory, struct arena *arena) {
    enum { NAME_BYTES = 9 };
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA256((const uint8_t *)directory, strlen(directory), digest);
    const char *name = base64url_string(arena, span_of(digest, NAME_BYTES));
    return name == NULL ? NULL : arena_printf(arena, "account-%s.pem", name);
}

/* The rest of the line that begins with "Account: "; NULL if there is none. */
static struct status find_url(struct span text, struct arena *arena, const char **out) {
    const uint8_t *line = memmem(text.data, text.len, url_line, sizeof(url_line) - 1);
    *out = NULL;
    if (line == NULL) {
        return OK;
    }
    const char *start = (const char *)line + sizeof(url_line) - 1;
    const size_t left = text.len - (size_t)(start - (const char *)text.data);
    const char *end = memchr(start, '\n', left);
    *out = end == NULL ? NULL : arena_printf(arena, "%.*s", (int)(end - start), start);
    return end == NULL ? FAIL(INVALID_CONFIG) : *out == NULL ? FAIL(NO_MEMORY) : OK;
}

static struct status read_key(struct vault *vault, const char *name, struct arena *arena,
                              const char **url, EVP_PKEY **key) {
    struct span text;
    TRY(vault_load(vault, name, arena, &text));
    TRY(find_url(text, arena, url));
    return status_ok(key_read(text, key)) ? OK : FAIL(INVALID_CONFIG);
}

static struct status write_key(const struct account_file *account, const char *name,
                               EVP_PKEY *key) {
    struct secret pem = SECRET_INIT;
    struct secret whole = SECRET_INIT;
    TRY(key_write(key, &pem));
    const char *line = account->url == NULL ? "" : url_line;
    const char *end = account->url == NULL ? "" : "\n";
    const char *url = account->url == NULL ? "" : account->url;
    const size_t head =
        strlen(line) + strlen(url) + strlen(end) + strlen(account->directory) + 16;
    struct status status = secret_new(&whole, head + pem.len);
    if (status_ok(status)) {
        const int at = snprintf((char *)whole.data, head, "Directory: %s\n%s%s%s",
                                account->directory, line, url, end);
        memcpy(whole.data + at, pem.data, pem.len);
        status = vault_save(account->vault, name, span_of(whole.data, (size_t)at + pem.len),
                            account->lease);
    }
    secret_release(&whole);
    secret_release(&pem);
    return status;
}

struct status account_file_read(struct vault *vault, const char *directory, struct arena *arena,
                                struct account_file *out) {
    struct account_file account = {
        .vault = vault, .directory = directory, .name = name_of(directory, arena)};
    if (account.name == NULL) {
        return FAIL(NO_MEMORY);
    }
    TRY(read_key(vault, account.name, arena, &account.url, &account.key));
    *out = account;
    return OK;
}

struct status account_file_make(struct vault *vault, const struct vault_lease *lease,
                                const char *directory, struct arena *arena,
                                struct account_file *out) {
    struct account_file account = {
        .vault = vault, .lease = lease, .directory = directory, .name = name_of(directory, arena)};
    if (account.name == NULL) {
        return FAIL(NO_MEMORY);
    }
    TRY(key_new(KEY_P256, &account.key));
    struct status status = account_file_write(&account);
    if (!status_ok(status)) {
        account_file_release(&account);
        return status;
    }
    *out = account;
    return OK;
}

struct status account_file_write(const struct account_file *account) {
    return write_key(account, account->name, account->key);
}

/* ---- Key changes ---- */

static const char *staged_name(const struct account_file *account, struct arena *arena) {
    return arena_printf(arena, "%s.next", account->name);
}

struct status account_file_stage(const struct account_file *account, EVP_PKEY *key) {
    struct arena arena = ARENA_INIT;
    const char *name = staged_name(account, &arena);
    struct status status = name == NULL ? FAIL(NO_MEMORY) : write_key(account, name, key);
    arena_release(&arena);
    return status;
}

/* A crash between the two leaves a staged key that is the account's: to take it once
 * more changes nothing. */
struct status account_file_commit(struct account_file *account, EVP_PKEY *key) {
    struct arena arena = ARENA_INIT;
    const char *name = staged_name(account, &arena);
    struct status status =
        name == NULL ? FAIL(NO_MEMORY) : write_key(account, account->name, key);
    if (status_ok(status)) {
        EVP_PKEY_free(account->key);
        account->key = key;
        struct status ignored = vault_drop(account->vault, name);
        (void)ignored;
    }
    arena_release(&arena);
    return status;
}

struct status account_file_staged(const struct account_file *account, EVP_PKEY **out) {
    struct arena arena = ARENA_INIT;
    const char *name = staged_name(account, &arena);
    const char *url;
    EVP_PKEY *key = NULL;
    struct status status =
        name == NULL ? FAIL(NO_MEMORY) : read_key(account->vault, name, &arena, &url, &key);
    arena_release(&arena);
    if (status.code == STATUS_NOT_FOUND) {
        status = OK;
    }
    if (status_ok(status)) {
        *out = key;
    }
    return status;
}

void account_file_release(struct account_file *account) {
    EVP_PKEY_free(account->key);
    account->key = NULL;
}
