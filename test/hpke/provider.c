/* SPDX-License-Identifier: Apache-2.0 */
/* The provider tables against Wycheproof and RFC 9180's AEAD messages. */
#include "moiety/provider.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "hpke/provider/default.h"
#include "hpke/vectors.h"
#include "moiety/provider_openssl.h"

enum { TABLES = 2 };

static const struct moiety_provider *table(int i) {
    return i == 0 ? hpke_provider_default() : &moiety_provider_openssl;
}

#define FOR_EACH_TABLE(provider)                                                   \
    for (int table_ = 0; table_ < TABLES; table_++)                                \
        for (const struct moiety_provider *provider = table(table_); provider != NULL; \
             provider = NULL)

Test(provider, x25519_wycheproof) {
    struct vectors v = vectors_open("wycheproof/x25519.txt");
    while (vectors_next(&v)) {
        bool valid = vectors_number(&v, 1) == 1;
        struct span public_key = vectors_bytes(&v, 2);
        struct span private_key = vectors_bytes(&v, 3);
        struct span shared = vectors_bytes(&v, 4);
        FOR_EACH_TABLE(provider) {
            uint8_t got[32];
            int result = provider->dh(MOIETY_KEM_X25519_HKDF_SHA256, private_key.data,
                                      public_key.data, got);
            cr_assert_eq(result == 0, valid, "case %u", vectors_number(&v, 0));
            cr_assert(!valid || memcmp(got, shared.data, 32) == 0, "case %u",
                      vectors_number(&v, 0));
        }
    }
    vectors_close(&v);
}

/* Sealing gives the vector's ciphertext, opening its plaintext; a changed tag
 * is refused. Exact heap blocks let the sanitizer see an overrun. */
static void check_aead(const struct moiety_provider *provider, unsigned aead, struct span key,
                       struct span nonce, struct span aad, struct span plaintext,
                       struct span sealed, bool valid) {
    uint8_t *opened = malloc(plaintext.len + 1);
    uint8_t *made = malloc(sealed.len);
    uint8_t *changed = malloc(sealed.len);
    int result = provider->aead_open((uint16_t)aead, key.data, nonce.data, aad.data, aad.len,
                                     sealed.data, sealed.len, opened);
    cr_assert_eq(result == 0, valid);
    if (valid) {
        cr_assert(span_equal_vartime(span_of(opened, plaintext.len), plaintext));
        cr_assert_eq(provider->aead_seal((uint16_t)aead, key.data, nonce.data, aad.data, aad.len,
                                         plaintext.data, plaintext.len, made),
                     0);
        cr_assert_arr_eq(made, sealed.data, sealed.len);
        memcpy(changed, sealed.data, sealed.len);
        changed[sealed.len - 1] ^= 1;
        cr_assert_neq(provider->aead_open((uint16_t)aead, key.data, nonce.data, aad.data, aad.len,
                                          changed, sealed.len, opened),
                      0);
    }
    free(changed);
    free(made);
    free(opened);
}

static void check_aead_file(const char *path) {
    struct vectors v = vectors_open(path);
    while (vectors_next(&v)) {
        struct span plaintext = vectors_bytes(&v, 6);
        struct span ciphertext = vectors_bytes(&v, 7);
        struct span tag = vectors_bytes(&v, 8);
        struct buffer sealed = BUFFER_INIT;
        cr_assert(status_ok(buffer_append(&sealed, ciphertext)));
        cr_assert(status_ok(buffer_append(&sealed, tag)));
        FOR_EACH_TABLE(provider) {
            check_aead(provider, vectors_number(&v, 2), vectors_bytes(&v, 3),
                       vectors_bytes(&v, 4), vectors_bytes(&v, 5), plaintext,
                       buffer_span(&sealed), vectors_number(&v, 1) == 1);
        }
        buffer_release(&sealed);
    }
    vectors_close(&v);
}

Test(provider, aes_gcm_wycheproof) { check_aead_file("wycheproof/aes_gcm.txt"); }
Test(provider, chacha20_poly1305_wycheproof) {
    check_aead_file("wycheproof/chacha20_poly1305.txt");
}

Test(provider, aead_rfc9180) {
    struct vectors v = vectors_open("hpke/aead.txt");
    while (vectors_next(&v)) {
        FOR_EACH_TABLE(provider) {
            check_aead(provider, vectors_number(&v, 0), vectors_bytes(&v, 1), vectors_bytes(&v, 2),
                       vectors_bytes(&v, 3), vectors_bytes(&v, 4), vectors_bytes(&v, 5), true);
        }
    }
    vectors_close(&v);
}

Test(provider, aead_refuses_unknown_algorithms_and_short_ciphertexts) {
    static const uint8_t key[32];
    static const uint8_t nonce[12];
    static const uint8_t input[16];
    uint8_t out[32];
    FOR_EACH_TABLE(provider) {
        const uint16_t unknown[] = {0, 4, 0xffff};
        for (size_t i = 0; i < 3; i++) {
            cr_assert_neq(provider->aead_seal(unknown[i], key, nonce, input, 0, input, 16, out), 0);
            cr_assert_neq(provider->aead_open(unknown[i], key, nonce, input, 0, input, 16, out), 0);
        }
        cr_assert_neq(provider->aead_open(1, key, nonce, input, 0, input, 15, out), 0);
        cr_assert_neq(provider->dh(0x0021, key, input, out), 0);
    }
}

Test(provider, hmac_wycheproof) {
    struct vectors v = vectors_open("wycheproof/hmac_sha256.txt");
    while (vectors_next(&v)) {
        struct span key = vectors_bytes(&v, 2);
        struct span message = vectors_bytes(&v, 3);
        struct span tag = vectors_bytes(&v, 4);
        /* Any split into parts gives the same tag. */
        const uint8_t *parts[] = {message.data, message.data + message.len / 3};
        const size_t lens[] = {message.len / 3, message.len - message.len / 3};
        FOR_EACH_TABLE(provider) {
            uint8_t got[32];
            cr_assert_eq(provider->hmac_sha256(key.data, key.len, parts, lens, 2, got), 0);
            cr_assert_eq(memcmp(got, tag.data, 32) == 0, vectors_number(&v, 1) == 1, "case %u",
                         vectors_number(&v, 0));
        }
    }
    vectors_close(&v);
}

/* HKDF (RFC 5869) over a table's HMAC, as HPKE uses it. */
static void hkdf(const struct moiety_provider *provider, struct span salt,
                 struct span key_material, struct span info, uint8_t *out, size_t len) {
    uint8_t key[32];
    uint8_t block[32];
    cr_assert_eq(provider->hmac_sha256(salt.data, salt.len, &key_material.data, &key_material.len,
                                       1, key),
                 0);
    for (unsigned i = 1; len > 0; i++) {
        uint8_t counter = (uint8_t)i;
        const uint8_t *parts[] = {block, info.data, &counter};
        const size_t lens[] = {i == 1 ? 0 : 32, info.len, 1};
        cr_assert_eq(provider->hmac_sha256(key, 32, parts, lens, 3, block), 0);
        size_t part = len < 32 ? len : 32;
        memcpy(out, block, part);
        out += part;
        len -= part;
    }
}

Test(provider, hkdf_wycheproof) {
    struct vectors v = vectors_open("wycheproof/hkdf_sha256.txt");
    while (vectors_next(&v)) {
        size_t size = vectors_number(&v, 5);
        if (vectors_number(&v, 1) != 1) {
            cr_assert_gt(size, 255 * 32, "only the length is wrong in these");
            continue;
        }
        struct span expected = vectors_bytes(&v, 6);
        FOR_EACH_TABLE(provider) {
            uint8_t *got = malloc(size);
            hkdf(provider, vectors_bytes(&v, 3), vectors_bytes(&v, 2), vectors_bytes(&v, 4), got,
                 size);
            cr_assert(span_equal_vartime(span_of(got, size), expected));
            free(got);
        }
    }
    vectors_close(&v);
}

Test(provider, p256_refuses_points_off_the_curve_and_bad_scalars) {
    const uint16_t kem = MOIETY_KEM_P256_HKDF_SHA256;
    static const uint8_t order[32] = {
        0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
        0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
    static const uint8_t zero[32];
    FOR_EACH_TABLE(provider) {
        uint8_t private_key[32];
        uint8_t public_key[65];
        uint8_t shared[32];
        cr_assert_eq(provider->keypair(kem, private_key, public_key), 0);
        cr_assert_eq(provider->dh(kem, private_key, public_key, shared), 0);

        uint8_t off_curve[65];
        memcpy(off_curve, public_key, 65);
        off_curve[64] ^= 1;
        cr_assert_neq(provider->dh(kem, private_key, off_curve, shared), 0);
        /* The hybrid encoding of the same point, and infinity. */
        memcpy(off_curve, public_key, 65);
        off_curve[0] = (uint8_t)(6 + (public_key[64] & 1));
        cr_assert_neq(provider->dh(kem, private_key, off_curve, shared), 0);
        memset(off_curve, 0, 65);
        cr_assert_neq(provider->dh(kem, private_key, off_curve, shared), 0);

        cr_assert_neq(provider->public_of(kem, zero, public_key), 0);
        cr_assert_neq(provider->public_of(kem, order, public_key), 0);
        uint8_t last[32];
        memcpy(last, order, 32);
        last[31]--;
        cr_assert_eq(provider->public_of(kem, last, public_key), 0);
    }
}

Test(provider, both_sides_of_a_key_exchange_agree) {
    const uint16_t kems[] = {MOIETY_KEM_X25519_HKDF_SHA256, MOIETY_KEM_P256_HKDF_SHA256};
    for (size_t i = 0; i < 2; i++) {
        uint8_t privates[2][32];
        uint8_t publics[2][65];
        uint8_t shared[2][32];
        /* The tables also agree with each other. */
        for (int t = 0; t < TABLES; t++) {
            cr_assert_eq(table(t)->keypair(kems[i], privates[t], publics[t]), 0);
        }
        for (int t = 0; t < TABLES; t++) {
            cr_assert_eq(table(t)->dh(kems[i], privates[t], publics[1 - t], shared[t]), 0);
        }
        cr_assert_arr_eq(shared[0], shared[1], 32);
        cr_assert_arr_neq(privates[0], privates[1], 32);
    }
}

Test(provider, random_bytes_differ) {
    FOR_EACH_TABLE(provider) {
        uint8_t bytes[2][64] = {{0}};
        cr_assert_eq(provider->random(bytes[0], 64), 0);
        cr_assert_eq(provider->random(bytes[1], 64), 0);
        cr_assert_arr_neq(bytes[0], bytes[1], 64);
    }
}
