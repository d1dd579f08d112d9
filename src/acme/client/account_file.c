/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/client/account_file.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "wire/base64url.h"

enum { ACCOUNT_BYTES_MAX = 16 * 1024 };

static const char url_line[] = "Account: ";

static const char *path_of(const char *folder, const char *directory, struct arena *arena) {
    enum { NAME_BYTES = 9 };
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA256((const uint8_t *)directory, strlen(directory), digest);
    const char *name = base64url_string(arena, span_of(digest, NAME_BYTES));
    return name == NULL ? NULL : arena_printf(arena, "%s/account-%s.pem", folder, name);
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

static struct status read_key(const char *path, struct arena *arena, const char **url,
                              EVP_PKEY **key) {
    struct span text;
    TRY(file_read(path, ACCOUNT_BYTES_MAX, arena, &text));
    TRY(find_url(text, arena, url));
    return status_ok(key_read(text, key)) ? OK : FAIL(INVALID_CONFIG);
}

static struct status write_key(const char *path, const char *directory, const char *url,
                               EVP_PKEY *key) {
    struct secret pem = SECRET_INIT;
    struct secret whole = SECRET_INIT;
    TRY(key_write(key, &pem));
    const char *line = url == NULL ? "" : url_line;
    const char *end = url == NULL ? "" : "\n";
    url = url == NULL ? "" : url;
    const size_t head = strlen(line) + strlen(url) + strlen(end) + strlen(directory) + 16;
    struct status status = secret_new(&whole, head + pem.len);
    if (status_ok(status)) {
        const int at = snprintf((char *)whole.data, head, "Directory: %s\n%s%s%s", directory, line,
                                url, end);
        memcpy(whole.data + at, pem.data, pem.len);
        status = file_replace(path, span_of(whole.data, (size_t)at + pem.len), 0600);
    }
    secret_release(&whole);
    secret_release(&pem);
    return status;
}

struct status account_file_read(const char *folder, const char *directory, struct arena *arena,
                                struct account_file *out) {
    struct account_file account = {.path = path_of(folder, directory, arena)};
    if (account.path == NULL) {
        return FAIL(NO_MEMORY);
    }
    TRY(read_key(account.path, arena, &account.url, &account.key));
    *out = account;
    return OK;
}

struct status account_file_open(const char *folder, const char *directory, struct arena *arena,
                                struct account_file *out) {
    struct status status = account_file_read(folder, directory, arena, out);
    if (status.code != STATUS_NOT_FOUND) {
        return status;
    }
    struct account_file account = {.path = path_of(folder, directory, arena)};
    TRY(key_new(KEY_P256, &account.key));
    status = account_file_write(&account, directory);
    if (!status_ok(status)) {
        account_file_release(&account);
        return status;
    }
    *out = account;
    return OK;
}

struct status account_file_write(const struct account_file *account, const char *directory) {
    return write_key(account->path, directory, account->url, account->key);
}

/* ---- Key changes ---- */

static const char *staged_path(const struct account_file *account, struct arena *arena) {
    return arena_printf(arena, "%s.next", account->path);
}

struct status account_file_stage(const struct account_file *account, const char *directory,
                                 EVP_PKEY *key) {
    struct arena arena = ARENA_INIT;
    const char *path = staged_path(account, &arena);
    struct status status =
        path == NULL ? FAIL(NO_MEMORY) : write_key(path, directory, account->url, key);
    arena_release(&arena);
    return status;
}

struct status account_file_commit(struct account_file *account, EVP_PKEY *key) {
    struct arena arena = ARENA_INIT;
    const char *path = staged_path(account, &arena);
    struct status status = path == NULL ? FAIL(NO_MEMORY) : OK;
    if (status_ok(status) && rename(path, account->path) != 0) {
        status = FAIL(IO);
    }
    if (status_ok(status)) {
        EVP_PKEY_free(account->key);
        account->key = key;
    }
    arena_release(&arena);
    return status;
}

struct status account_file_staged(const struct account_file *account, EVP_PKEY **out) {
    struct arena arena = ARENA_INIT;
    const char *path = staged_path(account, &arena);
    const char *url;
    EVP_PKEY *key = NULL;
    struct status status = path == NULL ? FAIL(NO_MEMORY) : read_key(path, &arena, &url, &key);
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
