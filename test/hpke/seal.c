/* SPDX-License-Identifier: Apache-2.0 */
/* Sealing many at once, on every lane type that this processor runs: what it
 * makes opens one by one without a batch table. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "hpke/batch.h"
#include "hpke/hpke.h"
#include "hpke/provider/default.h"
#include "simd/cpu.h"

enum { ITEMS = 140, KEYS = 3 };

static const struct hpke_suite suites[KEYS] = {
    {MOIETY_KEM_X25519_HKDF_SHA256, MOIETY_KDF_HKDF_SHA256, MOIETY_AEAD_AES_128_GCM},
    {MOIETY_KEM_P256_HKDF_SHA256, MOIETY_KDF_HKDF_SHA256, MOIETY_AEAD_AES_256_GCM},
    {MOIETY_KEM_X25519_HKDF_SHA256, MOIETY_KDF_HKDF_SHA256, MOIETY_AEAD_CHACHA20_POLY1305},
};

static struct {
    struct arena arena;
    struct hpke_key keys[KEYS];
    struct hpke_config configs[KEYS];
    struct hpke_seal_item items[ITEMS];
} set;

static uint8_t text[ITEMS]; /* message i is i bytes long */

static void must(struct status status) {
    cr_assert(status_ok(status), "%s", status_name(status.code));
}

static size_t key_of(size_t i) { return i * i % 7 % KEYS; }

static void set_up(void) {
    for (size_t k = 0; k < KEYS; k++) {
        must(hpke_key_generate(hpke_provider_default(), suites[k], (uint8_t)k, &set.keys[k]));
        set.configs[k] = hpke_key_config(&set.keys[k]);
    }
    for (size_t i = 0; i < ITEMS; i++) {
        text[i] = (uint8_t)i;
        set.items[i] = (struct hpke_seal_item){
            .config = &set.configs[key_of(i)],
            .info = i / 10 % 2 ? SPAN_OF_LITERAL("info") : SPAN_OF_LITERAL("other info"),
            .aad = span_of(text, i % 40),
            .plaintext = span_of(text, i),
        };
    }
}

static void check_opens(size_t first, size_t count) {
    struct moiety_provider plain = *hpke_provider_default();
    plain.batch = NULL;
    for (size_t i = first; i < first + count; i++) {
        const struct hpke_seal_item *sealed = &set.items[i];
        struct hpke_open_item item = {.key = &set.keys[key_of(i)],
                                      .info = sealed->info,
                                      .aad = sealed->aad,
                                      .enc = sealed->enc,
                                      .ciphertext = sealed->ciphertext};
        must(hpke_open_batch(&plain, &item, 1, &set.arena));
        cr_assert_eq(item.verdict, STATUS_OK, "item %zu of %zu from %zu", i, count, first);
        cr_assert(span_equal_vartime(item.plaintext, sealed->plaintext));
        for (size_t j = first; j < i; j++) {
            cr_assert_not(span_equal_vartime(set.items[j].enc, sealed->enc), "%zu, %zu", i, j);
        }
    }
}

/* Each test is a process of its own, in which the table is made once. */
static void check_lanes(enum simd_type type) {
    if (!simd_supported(type)) {
        fprintf(stderr, "%s: skipped: not on this processor\n", simd_name(type));
        return;
    }
    setenv("MOIETY_CPU", simd_name(type), 1);
    set_up();
    static const size_t counts[] = {0, 1, 2, 7, 8, 9, 64, 65};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        must(hpke_seal_batch(hpke_provider_default(), set.items + i, counts[i], &set.arena));
        check_opens(i, counts[i]);
    }
    must(hpke_seal_batch(hpke_provider_default(), set.items, ITEMS, &set.arena));
    check_opens(0, ITEMS);
    arena_release(&set.arena);
}

Test(seal, portable) { check_lanes(SIMD_PORTABLE); }
Test(seal, avx2) { check_lanes(SIMD_AVX2); }
Test(seal, avx512) { check_lanes(SIMD_AVX512); }
Test(seal, neon) { check_lanes(SIMD_NEON); }

/* The lanes are used: the table's single functions are not, but for one alone. */
static unsigned single_calls;
static int counted_keypair(uint16_t kem, uint8_t *private_key, uint8_t *public_key) {
    single_calls += kem == MOIETY_KEM_X25519_HKDF_SHA256;
    return hpke_provider_default()->keypair(kem, private_key, public_key);
}

Test(seal, x25519_goes_through_the_lanes) {
    set_up();
    struct moiety_provider counting = *hpke_provider_default();
    counting.keypair = counted_keypair;
    if (counting.batch->x25519 == NULL) {
        fprintf(stderr, "skipped: no lanes on this processor\n");
        return;
    }
    must(hpke_seal_batch(&counting, set.items, 64, &set.arena));
    cr_assert_eq(single_calls, 0);
    must(hpke_seal_batch(&counting, set.items, 1, &set.arena));
    cr_assert_eq(single_calls, 1);
    arena_release(&set.arena);
}

Test(seal, one_bad_recipient_fails_the_batch) {
    static const uint8_t zeros[66]; /* of small order, or no point at all */
    set_up();
    for (size_t k = 0; k < KEYS; k++) {
        const size_t size = set.configs[k].public_key.len;
        for (size_t len = size - 1; len <= size + 1; len++) {
            struct hpke_config bad = {0, suites[k], {zeros, len}};
            set.items[5].config = &bad;
            cr_assert_eq(
                hpke_seal_batch(hpke_provider_default(), set.items, 20, &set.arena).code,
                STATUS_INVALID_ARGUMENT);
        }
    }
    arena_release(&set.arena);
}

static int no_random(void *out, size_t len) {
    (void)out, (void)len;
    return -1;
}

Test(seal, no_ephemeral_keys_without_randomness) {
    set_up();
    struct moiety_provider broken = *hpke_provider_default();
    broken.random = no_random;
    if (broken.batch->x25519 != NULL) {
        cr_assert_eq(hpke_seal_batch(&broken, set.items, 20, &set.arena).code, STATUS_CRYPTO);
    }
    arena_release(&set.arena);
}
