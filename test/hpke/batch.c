/* SPDX-License-Identifier: Apache-2.0 */
/* Opening many at once, on every lane type that this processor runs, gives
 * what opening one by one gives without a batch table. */
#include "hpke/batch.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "hpke/hpke.h"
#include "hpke/provider/default.h"
#include "hpke/vectors.h"
#include "simd/cpu.h"

enum { ITEMS = 150, KEYS = 5 };

static void must(struct status status) {
    cr_assert(status_ok(status), "%s", status_name(status.code));
}

static const uint16_t kems[KEYS] = {MOIETY_KEM_X25519_HKDF_SHA256, MOIETY_KEM_X25519_HKDF_SHA256,
                                    MOIETY_KEM_P256_HKDF_SHA256, MOIETY_KEM_X25519_HKDF_SHA256,
                                    MOIETY_KEM_P256_HKDF_SHA256};
static const uint16_t aeads[KEYS] = {MOIETY_AEAD_AES_128_GCM, MOIETY_AEAD_AES_256_GCM,
                                     MOIETY_AEAD_AES_128_GCM, MOIETY_AEAD_CHACHA20_POLY1305,
                                     MOIETY_AEAD_AES_256_GCM};

static struct {
    struct arena arena;
    struct hpke_key keys[KEYS];
    struct hpke_open_item items[ITEMS];
    enum status_code verdicts[ITEMS];
} set;

static uint8_t text[ITEMS]; /* message i is i bytes long */

/* What an attacker or a mistake may do to one item in three, by turns. */
static void spoil(struct hpke_open_item *item, unsigned how) {
    static const uint8_t zeros[66];
    uint8_t *copy = arena_alloc(&set.arena, item->ciphertext.len, 1);
    memcpy(copy, item->ciphertext.data, item->ciphertext.len);
    switch (how) {
    case 0: item->key = NULL; break;
    case 1: item->ciphertext.len = 15; break;
    case 2: item->enc.len--; break;
    case 3: item->enc = span_of(zeros, item->enc.len + 1); break;
    case 4: item->enc = span_of(zeros, item->enc.len); break; /* of small order */
    case 5:
        copy[item->ciphertext.len - 1] ^= 1;
        item->ciphertext.data = copy;
        break;
    case 6: item->key = &set.keys[item->key == &set.keys[0] ? 1 : 0]; break;
    default: item->info = SPAN_OF_LITERAL("another");
    }
}

static void set_up(void) {
    const struct moiety_provider *provider = hpke_provider_default();
    memset(text, 't', sizeof(text));
    for (size_t k = 0; k < KEYS; k++) {
        struct hpke_suite suite = {kems[k], MOIETY_KDF_HKDF_SHA256, aeads[k]};
        must(hpke_key_generate(provider, suite, (uint8_t)k, &set.keys[k]));
    }
    for (size_t i = 0; i < ITEMS; i++) {
        struct hpke_open_item *item = &set.items[i];
        item->key = &set.keys[i * i % 7 % KEYS];
        item->info = i / 10 % 2 ? SPAN_OF_LITERAL("info") : SPAN_OF_LITERAL("other info");
        item->aad = span_of(text, i % 40);
        struct hpke_config config = hpke_key_config(item->key);
        must(hpke_seal(provider, &config, item->info, item->aad, span_of(text, i), &set.arena,
                       &item->enc, &item->ciphertext));
        set.verdicts[i] = STATUS_OK;
        if (i % 3 == 1) {
            spoil(item, (unsigned)(i / 3 % 8));
            set.verdicts[i] = item->key == NULL ? STATUS_UNKNOWN_KEY : STATUS_DECRYPT_FAILED;
        }
    }
}

static void check_open(const struct moiety_provider *provider, size_t first, size_t count) {
    struct arena arena = ARENA_INIT;
    must(hpke_open_batch(provider, set.items + first, count, &arena));
    for (size_t i = first; i < first + count; i++) {
        const struct hpke_open_item *item = &set.items[i];
        cr_assert_eq(item->verdict, set.verdicts[i], "item %zu of %zu from %zu", i, count, first);
        cr_assert(span_equal_vartime(item->plaintext,
                                     item->verdict == STATUS_OK ? span_of(text, i) : SPAN_EMPTY));
    }
    arena_release(&arena);
}

/* Each test is a process of its own, in which the table is made once. */
static void check_lanes(enum simd_type type) {
    if (!simd_supported(type)) {
        fprintf(stderr, "%s: skipped: not on this processor\n", simd_name(type));
        return;
    }
    setenv("MOIETY_CPU", simd_name(type), 1);
    set_up();
    struct moiety_provider plain = *hpke_provider_default();
    cr_assert_not_null(plain.batch);
    cr_assert_eq(plain.batch->x25519 != NULL, type == SIMD_AVX2 || type == SIMD_AVX512);
    for (size_t count = 0; count <= 67; count++) {
        check_open(hpke_provider_default(), (count * 5) % (ITEMS - 67), count);
    }
    check_open(hpke_provider_default(), 0, ITEMS);
    plain.batch = NULL;
    check_open(&plain, 0, ITEMS);
    arena_release(&set.arena);
}

Test(batch, portable) { check_lanes(SIMD_PORTABLE); }
Test(batch, avx2) { check_lanes(SIMD_AVX2); }
Test(batch, avx512) { check_lanes(SIMD_AVX512); }
Test(batch, neon) { check_lanes(SIMD_NEON); }

/* The lanes are used: the table's single X25519 is not, but for one alone. */
static unsigned single_calls;
static int counted_dh(uint16_t kem, const uint8_t *private_key, const uint8_t *public_key,
                      uint8_t shared[32]) {
    single_calls += kem == MOIETY_KEM_X25519_HKDF_SHA256;
    return hpke_provider_default()->dh(kem, private_key, public_key, shared);
}

Test(batch, x25519_goes_through_the_lanes) {
    set_up();
    struct moiety_provider counting = *hpke_provider_default();
    counting.dh = counted_dh;
    if (counting.batch->x25519 == NULL) {
        fprintf(stderr, "skipped: no lanes on this processor\n");
        return;
    }
    check_open(&counting, 0, 64);
    cr_assert_eq(single_calls, 0);
    check_open(&counting, 0, 1);
    cr_assert_eq(single_calls, 1);
    arena_release(&set.arena);
}

/* A sender can make a whole message out of a point of small order, for which
 * no key is needed: whoever doesn't refuse the all-zero result opens it. */
static int zero_keypair(uint16_t kem, uint8_t *private_key, uint8_t *public_key) {
    memset(private_key, 0, 32);
    memset(public_key, 0, hpke_public_key_size(kem));
    return 0;
}
static int zero_dh(uint16_t kem, const uint8_t *private_key, const uint8_t *public_key,
                   uint8_t shared[32]) {
    (void)kem, (void)private_key, (void)public_key;
    memset(shared, 0, 32);
    return 0;
}

Test(batch, messages_to_anyone_are_refused_among_good_ones) {
    set_up();
    struct moiety_provider anyone = *hpke_provider_default();
    anyone.keypair = zero_keypair;
    anyone.dh = zero_dh;
    for (size_t i = 0; i < ITEMS; i += 3) {
        struct hpke_open_item *item = &set.items[i];
        if (item->key->suite.kem_id == MOIETY_KEM_X25519_HKDF_SHA256) {
            struct hpke_config config = hpke_key_config(item->key);
            must(hpke_seal(&anyone, &config, item->info, item->aad, span_of(text, i), &set.arena,
                           &item->enc, &item->ciphertext));
            set.verdicts[i] = STATUS_DECRYPT_FAILED;
        }
    }
    check_open(hpke_provider_default(), 0, ITEMS);
    check_open(hpke_provider_default(), 0, 1); /* the single way */
    arena_release(&set.arena);
}

static struct aead_opener *no_opener(void) { return NULL; }
static int no_absorbing(const uint8_t *key, size_t len, struct hmac_key *out) {
    (void)key, (void)len, (void)out;
    return -1;
}
static int no_hmac(const struct hmac_key *key, const uint8_t *const parts[],
                   const size_t part_lens[], size_t count, uint8_t out[32]) {
    (void)key, (void)parts, (void)part_lens, (void)count, (void)out;
    return -1;
}

Test(batch, what_fails_in_the_table_opens_nothing) {
    set_up();
    struct moiety_provider provider = *hpke_provider_default();
    const struct moiety_provider_batch whole = *provider.batch;
    struct moiety_provider_batch broken[3] = {whole, whole, whole};
    broken[0].opener_new = no_opener;
    broken[1].hmac_absorb_key = no_absorbing;
    broken[2].hmac_sha256 = no_hmac;
    provider.batch = &broken[0];
    struct arena arena = ARENA_INIT;
    cr_assert_eq(hpke_open_batch(&provider, set.items, ITEMS, &arena).code, STATUS_NO_MEMORY);
    for (size_t b = 1; b < 3; b++) {
        provider.batch = &broken[b];
        must(hpke_open_batch(&provider, set.items, ITEMS, &arena));
        for (size_t i = 0; i < ITEMS; i++) {
            cr_assert_eq(set.items[i].verdict,
                         set.items[i].key == NULL ? STATUS_UNKNOWN_KEY : STATUS_DECRYPT_FAILED);
            cr_assert_eq(set.items[i].plaintext.len, 0);
        }
    }
    arena_release(&arena);
    arena_release(&set.arena);
}

Test(batch, hmac_wycheproof) {
    const struct moiety_provider_batch *table = hpke_provider_default()->batch;
    struct vectors v = vectors_open("wycheproof/hmac_sha256.txt");
    while (vectors_next(&v)) {
        struct span key = vectors_bytes(&v, 2);
        struct span message = vectors_bytes(&v, 3);
        struct span tag = vectors_bytes(&v, 4);
        const uint8_t *parts[] = {message.data, message.data + message.len / 3};
        const size_t lens[] = {message.len / 3, message.len - message.len / 3};
        struct hmac_key absorbed;
        cr_assert_eq(table->hmac_absorb_key(key.data, key.len, &absorbed), 0);
        for (int again = 0; again < 2; again++) {
            uint8_t got[32];
            cr_assert_eq(table->hmac_sha256(&absorbed, parts, lens, 2, got), 0);
            cr_assert_eq(memcmp(got, tag.data, 32) == 0, vectors_number(&v, 1) == 1, "case %u",
                         vectors_number(&v, 0));
        }
    }
    vectors_close(&v);
}

Test(batch, an_opener_is_used_again_after_a_refusal) {
    const struct moiety_provider *provider = hpke_provider_default();
    struct aead_opener *opener = provider->batch->opener_new();
    struct vectors v = vectors_open("wycheproof/aes_gcm.txt");
    while (vectors_next(&v)) {
        struct span ciphertext = vectors_bytes(&v, 7), tag = vectors_bytes(&v, 8);
        struct buffer sealed = BUFFER_INIT;
        must(buffer_append(&sealed, ciphertext));
        must(buffer_append(&sealed, tag));
        uint8_t *opened = malloc(ciphertext.len + 1);
        struct span aad = vectors_bytes(&v, 5), plaintext = vectors_bytes(&v, 6);
        const int result = provider->batch->opener_open(
            opener, (uint16_t)vectors_number(&v, 2), vectors_bytes(&v, 3).data,
            vectors_bytes(&v, 4).data, aad.data, aad.len, sealed.data, sealed.len, opened);
        cr_assert_eq(result == 0, vectors_number(&v, 1) == 1);
        cr_assert(result != 0 || span_equal_vartime(span_of(opened, ciphertext.len), plaintext));
        free(opened);
        buffer_release(&sealed);
    }
    vectors_close(&v);
    provider->batch->opener_free(opener);
}
