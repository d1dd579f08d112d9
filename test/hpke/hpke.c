/* SPDX-License-Identifier: Apache-2.0 */
#include "hpke/hpke.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "hpke/provider/default.h"
#include "hpke/vectors.h"

static const struct hpke_suite suites[] = {
    {MOIETY_KEM_X25519_HKDF_SHA256, MOIETY_KDF_HKDF_SHA256, MOIETY_AEAD_AES_128_GCM},
    {MOIETY_KEM_X25519_HKDF_SHA256, MOIETY_KDF_HKDF_SHA256, MOIETY_AEAD_AES_256_GCM},
    {MOIETY_KEM_X25519_HKDF_SHA256, MOIETY_KDF_HKDF_SHA256, MOIETY_AEAD_CHACHA20_POLY1305},
    {MOIETY_KEM_P256_HKDF_SHA256, MOIETY_KDF_HKDF_SHA256, MOIETY_AEAD_AES_128_GCM},
    {MOIETY_KEM_P256_HKDF_SHA256, MOIETY_KDF_HKDF_SHA256, MOIETY_AEAD_AES_256_GCM},
    {MOIETY_KEM_P256_HKDF_SHA256, MOIETY_KDF_HKDF_SHA256, MOIETY_AEAD_CHACHA20_POLY1305},
};
enum { SUITES = sizeof(suites) / sizeof(suites[0]) };

static void must(struct status status) {
    cr_assert(status_ok(status), "%s", status_name(status.code));
}

/* A table whose key pairs are all the one that a vector prescribes. */
static struct hpke_key prescribed;

static int prescribed_keypair(uint16_t kem, uint8_t *private_key, uint8_t *public_key) {
    cr_assert_eq(kem, prescribed.suite.kem_id);
    memcpy(private_key, prescribed.private_key, 32);
    memcpy(public_key, prescribed.public_key, prescribed.public_key_len);
    return 0;
}

Test(hpke, rfc9180_base_mode) {
    struct moiety_provider provider = *hpke_provider_default();
    provider.keypair = prescribed_keypair;
    struct vectors v = vectors_open("hpke/base.txt");
    while (vectors_next(&v)) {
        struct arena arena = ARENA_INIT;
        struct hpke_suite suite = {(uint16_t)vectors_number(&v, 0),
                                   (uint16_t)vectors_number(&v, 1),
                                   (uint16_t)vectors_number(&v, 2)};
        struct span info = vectors_bytes(&v, 3);
        struct span aad = vectors_bytes(&v, 10);
        struct span plaintext = vectors_bytes(&v, 11);
        struct hpke_key key;
        must(hpke_key_derive(&provider, suite, 7, vectors_bytes(&v, 4), &key));
        must(hpke_key_derive(&provider, suite, 0, vectors_bytes(&v, 5), &prescribed));
        cr_assert_arr_eq(key.private_key, vectors_bytes(&v, 6).data, 32);
        cr_assert_arr_eq(prescribed.private_key, vectors_bytes(&v, 7).data, 32);
        struct hpke_config config = hpke_key_config(&key);
        cr_assert(span_equal_vartime(config.public_key, vectors_bytes(&v, 8)));
        cr_assert_eq(config.id, 7);

        struct span enc, ciphertext;
        must(hpke_seal(&provider, &config, info, aad, plaintext, &arena, &enc, &ciphertext));
        cr_assert(span_equal_vartime(enc, vectors_bytes(&v, 9)));
        cr_assert(span_equal_vartime(ciphertext, vectors_bytes(&v, 12)));

        struct hpke_open_item item = {&key, info, aad, enc, ciphertext, SPAN_EMPTY, 0};
        must(hpke_open_batch(&provider, &item, 1, &arena));
        cr_assert_eq(item.verdict, STATUS_OK);
        cr_assert(span_equal_vartime(item.plaintext, plaintext));
        hpke_key_release(&key);
        arena_release(&arena);
    }
    cr_assert_eq(v.case_count, SUITES);
    vectors_close(&v);
}

/* One message of each suite, sealed to a key of its own. */
struct mixed {
    struct arena arena;
    struct hpke_key keys[SUITES];
    struct hpke_open_item items[SUITES];
};

static void mixed_setup(struct mixed *mixed) {
    const struct moiety_provider *provider = hpke_provider_default();
    *mixed = (struct mixed){.arena = ARENA_INIT};
    for (size_t i = 0; i < SUITES; i++) {
        struct hpke_open_item *item = &mixed->items[i];
        item->key = &mixed->keys[i];
        item->info = SPAN_OF_LITERAL("info");
        item->aad = span_of("authenticated", i);
        must(hpke_key_generate(provider, suites[i], (uint8_t)i, &mixed->keys[i]));
        struct hpke_config config = hpke_key_config(&mixed->keys[i]);
        must(hpke_seal(provider, &config, item->info, item->aad, span_of("plaintext", 2 * i),
                       &mixed->arena, &item->enc, &item->ciphertext));
        cr_assert_eq(item->ciphertext.len, 2 * i + 16);
    }
}

Test(hpke, a_batch_mixes_suites_and_keys) {
    struct mixed mixed;
    mixed_setup(&mixed);
    must(hpke_open_batch(hpke_provider_default(), mixed.items, SUITES, &mixed.arena));
    for (size_t i = 0; i < SUITES; i++) {
        cr_assert_eq(mixed.items[i].verdict, STATUS_OK);
        cr_assert(span_equal_vartime(mixed.items[i].plaintext, span_of("plaintext", 2 * i)));
    }
    arena_release(&mixed.arena);
}

/* Flips each bit of a span in turn and expects the item to be refused. */
static void check_flips(struct mixed *mixed, size_t i, struct span *span) {
    struct span original = *span;
    uint8_t copy[128];
    cr_assert_leq(original.len, sizeof(copy));
    for (size_t bit = 0; bit < 8 * original.len; bit++) {
        memcpy(copy, original.data, original.len);
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
        *span = span_of(copy, original.len);
        must(hpke_open_batch(hpke_provider_default(), &mixed->items[i], 1, &mixed->arena));
        /* X25519 ignores a key's top bit; the context still binds it. */
        cr_assert_eq(mixed->items[i].verdict, STATUS_DECRYPT_FAILED, "suite %zu bit %zu", i, bit);
        cr_assert_eq(mixed->items[i].plaintext.len, 0);
    }
    *span = original;
}

/* Also every proper prefix, and one byte more; on exact heap blocks, so that
 * the sanitizer sees a byte too far. */
static void check_lengths(struct mixed *mixed, size_t i, struct span *span) {
    struct span original = *span;
    for (size_t len = 0; len <= original.len + 1; len++) {
        uint8_t *copy = calloc(1, len > 0 ? len : 1);
        memcpy(copy, original.data, len < original.len ? len : original.len);
        *span = span_of(copy, len);
        must(hpke_open_batch(hpke_provider_default(), &mixed->items[i], 1, &mixed->arena));
        cr_assert_eq(mixed->items[i].verdict == STATUS_OK, len == original.len);
        free(copy);
    }
    *span = original;
}

Test(hpke, whatever_is_changed_is_refused) {
    struct mixed mixed;
    mixed_setup(&mixed);
    for (size_t i = 0; i < SUITES; i++) {
        struct span *parts[] = {&mixed.items[i].info, &mixed.items[i].aad, &mixed.items[i].enc,
                                &mixed.items[i].ciphertext};
        for (size_t part = 0; part < 4; part++) {
            check_flips(&mixed, i, parts[part]);
            check_lengths(&mixed, i, parts[part]);
        }
    }
    arena_release(&mixed.arena);
}

Test(hpke, one_bad_item_leaves_the_others_good) {
    struct mixed mixed;
    mixed_setup(&mixed);
    mixed.items[1].key = NULL;
    mixed.items[2].key = &mixed.keys[1];
    mixed.items[3].enc = mixed.items[0].enc;
    must(hpke_open_batch(hpke_provider_default(), mixed.items, SUITES, &mixed.arena));
    const enum status_code expected[SUITES] = {STATUS_OK,
                                               STATUS_UNKNOWN_KEY,
                                               STATUS_DECRYPT_FAILED,
                                               STATUS_DECRYPT_FAILED,
                                               STATUS_OK,
                                               STATUS_OK};
    for (size_t i = 0; i < SUITES; i++) {
        cr_assert_eq(mixed.items[i].verdict, expected[i], "item %zu", i);
    }
    arena_release(&mixed.arena);
}

Test(hpke, sealing_twice_differs) {
    struct mixed mixed;
    mixed_setup(&mixed);
    struct hpke_config config = hpke_key_config(&mixed.keys[0]);
    struct span enc[2], ciphertext[2];
    for (int i = 0; i < 2; i++) {
        must(hpke_seal(hpke_provider_default(), &config, SPAN_EMPTY, SPAN_EMPTY,
                       SPAN_OF_LITERAL("same"), &mixed.arena, &enc[i], &ciphertext[i]));
    }
    cr_assert(!span_equal_vartime(enc[0], enc[1]));
    cr_assert(!span_equal_vartime(ciphertext[0], ciphertext[1]));
    arena_release(&mixed.arena);
}

Test(hpke, unsupported_suites_are_refused) {
    const struct hpke_suite bad[] = {
        {0x0021, 1, 1}, {0x0020, 2, 1}, {0x0020, 1, 0}, {0x0020, 1, 4}, {0x0020, 1, 0xffff},
    };
    static const uint8_t bytes[32] = {1};
    struct arena arena = ARENA_INIT;
    const struct moiety_provider *provider = hpke_provider_default();
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct hpke_key key;
        struct span enc, ciphertext;
        struct hpke_config config = {0, bad[i], SPAN_OF_ARRAY(bytes)};
        cr_assert(!hpke_suite_supported(bad[i]));
        cr_assert_eq(hpke_key_generate(provider, bad[i], 0, &key).code,
                     STATUS_UNSUPPORTED_ALGORITHM);
        cr_assert_eq(hpke_key_derive(provider, bad[i], 0, SPAN_OF_ARRAY(bytes), &key).code,
                     STATUS_UNSUPPORTED_ALGORITHM);
        cr_assert_eq(hpke_key_from_private(provider, bad[i], 0, SPAN_OF_ARRAY(bytes), &key).code,
                     STATUS_UNSUPPORTED_ALGORITHM);
        cr_assert_eq(hpke_seal(provider, &config, SPAN_EMPTY, SPAN_EMPTY, SPAN_EMPTY, &arena,
                               &enc, &ciphertext)
                         .code,
                     STATUS_UNSUPPORTED_ALGORITHM);
    }
    arena_release(&arena);
}

Test(hpke, bad_public_keys_are_refused) {
    const struct moiety_provider *provider = hpke_provider_default();
    static const uint8_t zeros[66];
    struct arena arena = ARENA_INIT;
    for (size_t i = 0; i < SUITES; i++) {
        size_t size = hpke_public_key_size(suites[i].kem_id);
        /* Right size: an all-zero result, a point that isn't one. */
        for (size_t len = size - 1; len <= size + 1; len++) {
            struct hpke_config config = {0, suites[i], {zeros, len}};
            struct span enc, ciphertext;
            cr_assert_eq(hpke_seal(provider, &config, SPAN_EMPTY, SPAN_EMPTY, SPAN_EMPTY, &arena,
                                   &enc, &ciphertext)
                             .code,
                         STATUS_INVALID_ARGUMENT);
        }
    }
    arena_release(&arena);
}

Test(hpke, a_key_survives_as_its_private_half) {
    const struct moiety_provider *provider = hpke_provider_default();
    for (size_t i = 0; i < SUITES; i++) {
        struct hpke_key key, again;
        must(hpke_key_generate(provider, suites[i], 9, &key));
        must(hpke_key_from_private(provider, suites[i], 9, SPAN_OF_ARRAY(key.private_key),
                                   &again));
        cr_assert_eq(again.public_key_len, hpke_public_key_size(suites[i].kem_id));
        cr_assert_arr_eq(again.public_key, key.public_key, key.public_key_len);
        cr_assert_eq(
            hpke_key_from_private(provider, suites[i], 9, span_of(key.private_key, 31), &again)
                .code,
            STATUS_INVALID_ARGUMENT);
        cr_assert_eq(
            hpke_key_derive(provider, suites[i], 9, span_of(key.private_key, 31), &again).code,
            STATUS_INVALID_ARGUMENT);
        hpke_key_release(&key);
        static const uint8_t zeros[32];
        cr_assert_arr_eq(key.private_key, zeros, 32);
        hpke_key_release(&again);
    }
}
