/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/ca/log.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

/* Signed notes: c2sp.org/signed-note. A signature line is an em dash, the
 * signer's name, and base64 of four bytes of the key's hash and the signature. */
static const char dash[] = "\xe2\x80\x94 ";
enum { KEY_HASH = 4, ED25519 = 0x01 };

static void key_hash(const char *origin, const uint8_t key[CA_LOG_KEY_SIZE],
                     uint8_t out[KEY_HASH]) {
    uint8_t digest[SHA256_DIGEST_LENGTH] = {0};
    static const uint8_t kind[2] = {'\n', ED25519};
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
        EVP_DigestUpdate(context, origin, strlen(origin)) == 1 &&
        EVP_DigestUpdate(context, kind, sizeof kind) == 1 &&
        EVP_DigestUpdate(context, key, CA_LOG_KEY_SIZE) == 1) {
        EVP_DigestFinal_ex(context, digest, NULL);
    }
    EVP_MD_CTX_free(context);
    memcpy(out, digest, KEY_HASH);
}

/* ---- Making one ---- */

struct making {
    struct ca *ca;
    struct arena *arena;
    uint64_t size;
    struct merkle_hash root;
    const char *note; /* NULL: there is none of this size */
};

static struct status read_tree(struct store_tx *tx, void *argument) {
    struct making *m = argument;
    const struct merkle_nodes nodes = ca_log_nodes(tx);
    TRY(ca_log_size(tx, &m->size));
    m->note = NULL;
    struct status status = ca_checkpoint_get(tx, m->arena, m->size, &m->note);
    return status.code == STATUS_NOT_FOUND ? merkle_root(&nodes, m->size, &m->root) : status;
}

static struct status store_note(struct store_tx *tx, void *argument) {
    struct making *m = argument;
    return ca_checkpoint_put(tx, m->size, m->note);
}

static struct status sign(struct making *m) {
    const char *origin = m->ca->options->log_origin;
    uint8_t line[KEY_HASH + CA_LOG_SIGNATURE_SIZE];
    char root[64];
    char signature[128];
    struct ca_finding finding;
    EVP_EncodeBlock((uint8_t *)root, m->root.bytes, MERKLE_HASH_SIZE);
    const char *text = arena_printf(m->arena, "%s\n%" PRIu64 "\n%s\n", origin, m->size, root);
    if (text == NULL) {
        return FAIL(NO_MEMORY);
    }
    key_hash(origin, ca_signer_log_key(m->ca->mint.signer), line);
    TRY(ca_signer_checkpoint(m->ca->mint.signer, span_of_string(text), line + KEY_HASH, &finding));
    EVP_EncodeBlock((uint8_t *)signature, line, sizeof line);
    m->note = arena_printf(m->arena, "%s\n%s%s %s\n", text, dash, origin, signature);
    return m->note == NULL ? FAIL(NO_MEMORY) : OK;
}

static struct status make(struct making *m) {
    TRY(ca_db_read(m->ca->db, read_tree, m));
    if (m->note == NULL) {
        TRY(sign(m));
        TRY(ca_db_write(m->ca->db, store_note, m));
    }
    return OK;
}

/* One at a time: the signer refuses a tree smaller than the last one. */
struct status ca_log_checkpoint(struct ca *ca, struct arena *arena, const char **note) {
    struct making m = {.ca = ca, .arena = arena};
    pthread_mutex_lock(&ca->checkpoint);
    struct status status = make(&m);
    pthread_mutex_unlock(&ca->checkpoint);
    TRY(status);
    *note = m.note;
    return OK;
}

/* ---- Reading one ---- */

/* Standard base64 of exactly `len` bytes. */
static bool decode(const char *text, uint8_t *out, size_t len) {
    uint8_t decoded[128];
    size_t chars = (len + 2) / 3 * 4;
    if (strlen(text) != chars || chars > sizeof decoded) {
        return false;
    }
    int got = EVP_DecodeBlock(decoded, (const uint8_t *)text, (int)chars);
    if (got < (int)len) {
        return false;
    }
    memcpy(out, decoded, len);
    return true;
}

static bool signature_good(const uint8_t key[CA_LOG_KEY_SIZE], struct span text,
                           const uint8_t *signature) {
    EVP_PKEY *public_key =
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, CA_LOG_KEY_SIZE);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = public_key != NULL && context != NULL &&
                EVP_DigestVerifyInit(context, NULL, NULL, NULL, public_key) == 1 &&
                EVP_DigestVerify(context, signature, CA_LOG_SIGNATURE_SIZE, text.data,
                                 text.len) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(public_key);
    return good;
}

/* The line that is `origin`'s, among the signatures. */
static bool find_signature(const char *lines, const char *origin,
                           const uint8_t hash[KEY_HASH], uint8_t out[CA_LOG_SIGNATURE_SIZE]) {
    size_t name = strlen(origin);
    for (const char *at = lines; *at != '\0';) {
        size_t len = strcspn(at, "\n");
        char text[128];
        uint8_t line[KEY_HASH + CA_LOG_SIGNATURE_SIZE];
        size_t skip = sizeof dash - 1 + name + 1;
        if (len > skip && len - skip < sizeof text && strncmp(at, dash, sizeof dash - 1) == 0 &&
            strncmp(at + sizeof dash - 1, origin, name) == 0 && at[skip - 1] == ' ') {
            snprintf(text, sizeof text, "%.*s", (int)(len - skip), at + skip);
            if (decode(text, line, sizeof line) && memcmp(line, hash, KEY_HASH) == 0) {
                memcpy(out, line + KEY_HASH, CA_LOG_SIGNATURE_SIZE);
                return true;
            }
        }
        at += len + (at[len] == '\n');
    }
    return false;
}

static bool read_body(const char *text, const char *origin, struct ca_checkpoint *out) {
    char root[64];
    int end = 0;
    size_t name = strlen(origin);
    return strncmp(text, origin, name) == 0 && text[name] == '\n' &&
           text[name + 1] >= '0' && text[name + 1] <= '9' &&
           sscanf(text + name + 1, "%20" SCNu64 "\n%60[A-Za-z0-9+/=]\n%n", &out->size, root,
                  &end) == 2 &&
           end > 0 && decode(root, out->root.bytes, MERKLE_HASH_SIZE);
}

struct status ca_checkpoint_verify(struct span note, const char *origin,
                                   const uint8_t key[CA_LOG_KEY_SIZE], struct ca_checkpoint *out) {
    enum { NOTE_MAX = 4096 };
    char text[NOTE_MAX];
    uint8_t hash[KEY_HASH];
    uint8_t signature[CA_LOG_SIGNATURE_SIZE];
    struct ca_checkpoint read;
    if (note.len >= sizeof text || memchr(note.data, 0, note.len) != NULL) {
        return FAIL(VERIFY_FAILED);
    }
    memcpy(text, note.data, note.len);
    text[note.len] = '\0';
    char *blank = strstr(text, "\n\n");
    if (blank == NULL) {
        return FAIL(VERIFY_FAILED);
    }
    key_hash(origin, key, hash);
    bool good = find_signature(blank + 2, origin, hash, signature) &&
                signature_good(key, span_of(text, (size_t)(blank + 1 - text)), signature);
    blank[1] = '\0';
    if (!good || !read_body(text, origin, &read)) {
        return FAIL(VERIFY_FAILED);
    }
    *out = read;
    return OK;
}

/* ---- The verifier's key ---- */

const char *ca_log_verifier(const char *origin, const uint8_t key[CA_LOG_KEY_SIZE],
                            struct arena *arena) {
    uint8_t hash[KEY_HASH];
    uint8_t typed[1 + CA_LOG_KEY_SIZE] = {ED25519};
    char text[64];
    key_hash(origin, key, hash);
    memcpy(typed + 1, key, CA_LOG_KEY_SIZE);
    EVP_EncodeBlock((uint8_t *)text, typed, sizeof typed);
    return arena_printf(arena, "%s+%02x%02x%02x%02x+%s", origin, hash[0], hash[1], hash[2],
                        hash[3], text);
}

struct status ca_log_verifier_read(const char *text, struct arena *arena, const char **origin,
                                   uint8_t key[CA_LOG_KEY_SIZE]) {
    uint8_t typed[1 + CA_LOG_KEY_SIZE];
    const char *plus = strchr(text, '+');
    if (plus == NULL || plus == text || strlen(plus) < 10 || plus[9] != '+' ||
        !decode(plus + 10, typed, sizeof typed) || typed[0] != ED25519) {
        return FAIL(INVALID_ARGUMENT);
    }
    const char *name = arena_printf(arena, "%.*s", (int)(plus - text), text);
    const char *again = name == NULL ? NULL : ca_log_verifier(name, typed + 1, arena);
    if (again == NULL) {
        return FAIL(NO_MEMORY);
    }
    if (strcmp(again, text) != 0) {
        return FAIL(INVALID_ARGUMENT);
    }
    *origin = name;
    memcpy(key, typed + 1, CA_LOG_KEY_SIZE);
    return OK;
}
