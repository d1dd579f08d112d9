/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <stdio.h>

#include "acme/ca/lint.h"
#include "acme/key.h"

static bool bad(char text[200], const char *what) {
    snprintf(text, 200, "%s", what);
    return false;
}

/* ---- Elliptic curves ---- */

/* The point: not at infinity, its coordinates reduced, on the curve. All curves
 * have a prime order, so such a point is in the group. */
static bool point_good(const EVP_PKEY *key, char text[200]) {
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new((EVP_PKEY *)key, NULL);
    bool good = context != NULL && EVP_PKEY_public_check_quick(context) == 1;
    EVP_PKEY_CTX_free(context);
    return good || bad(text, "the point is not a public key of its curve");
}

/* ---- RSA ---- */

enum { SIEVE = 7920, FERMAT_ROUNDS = 100 };

/* Whether a prime below SIEVE (the thousandth prime) divides n. */
static bool has_small_factor(const BIGNUM *n) {
    for (BN_ULONG p = 3; p < SIEVE; p += 2) {
        bool prime = true;
        for (BN_ULONG d = 3; d * d <= p && prime; d += 2) {
            prime = p % d != 0;
        }
        if (prime && BN_mod_word(n, p) == 0) {
            return true;
        }
    }
    return !BN_is_odd(n);
}

/* Keys of CVE-2017-15361 are powers of 65537 modulo each small prime; others
 * are so for all of these with a chance of 2^-28 or so. */
static bool has_roca_structure(const BIGNUM *n) {
    static const unsigned primes[] = {11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109,
                                      127, 151, 157};
    for (size_t i = 0; i < sizeof primes / sizeof primes[0]; i++) {
        unsigned p = primes[i];
        BN_ULONG residue = BN_mod_word(n, p);
        bool reached = false;
        unsigned power = 1;
        for (unsigned k = 0; k < p && !reached; k++) {
            reached = power == residue;
            power = power * (65537 % p) % p;
        }
        if (!reached) {
            return false;
        }
    }
    return true;
}

/* floor(sqrt(n)) by Newton's method from above. */
static bool square_root(BIGNUM *root, const BIGNUM *n, BN_CTX *context) {
    BIGNUM *next = BN_CTX_get(context);
    bool good = next != NULL && BN_one(root) && BN_lshift(root, root, (BN_num_bits(n) + 1) / 2);
    while (good) {
        good = BN_div(next, NULL, n, root, context) && BN_add(next, next, root) &&
               BN_rshift1(next, next);
        if (good && BN_cmp(next, root) >= 0) {
            return true;
        }
        good = good && BN_copy(root, next) != NULL;
    }
    return false;
}

/* Looks for a, b with n = a^2 - b^2 and a near sqrt(n): close factors a-b, a+b.
 * Out of memory counts as found, so that nothing passes unchecked. */
static bool has_close_factors(const BIGNUM *n) {
    BN_CTX *context = BN_CTX_new();
    bool found = true;
    if (context == NULL) {
        return true;
    }
    BN_CTX_start(context);
    BIGNUM *a = BN_CTX_get(context);
    BIGNUM *b = BN_CTX_get(context);
    BIGNUM *rest = BN_CTX_get(context);
    bool good = rest != NULL && square_root(a, n, context);
    found = !good;
    for (unsigned i = 0; good && !found && i < FERMAT_ROUNDS; i++) {
        good = BN_add_word(a, 1) && BN_sqr(rest, a, context) && BN_sub(rest, rest, n) &&
               square_root(b, rest, context) && BN_sqr(b, b, context);
        found = !good || BN_cmp(b, rest) == 0;
    }
    BN_CTX_end(context);
    BN_CTX_free(context);
    return found;
}

static bool modulus_good(const BIGNUM *n, char text[200]) {
    int bits = BN_num_bits(n);
    if (bits < 2048 || bits > 4096 || bits % 8 != 0) {
        return bad(text, "an RSA modulus must have 2048 to 4096 bits, a multiple of 8");
    }
    if (has_small_factor(n)) {
        return bad(text, "the RSA modulus has a small factor");
    }
    if (has_roca_structure(n)) {
        return bad(text, "the RSA modulus has the structure of CVE-2017-15361 (ROCA)");
    }
    if (has_close_factors(n)) {
        return bad(text, "key generated with factors too close together (Fermat)");
    }
    return true;
}

static bool exponent_good(const BIGNUM *e, char text[200]) {
    bool good = BN_is_odd(e) && BN_num_bits(e) >= 17 && BN_num_bits(e) <= 256;
    return good || bad(text, "the RSA exponent must be odd, from 65537 to 2^256");
}

static bool rsa_good(const EVP_PKEY *key, char text[200]) {
    BIGNUM *n = NULL;
    BIGNUM *e = NULL;
    bool good = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n) == 1 &&
                EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) == 1;
    good = good ? exponent_good(e, text) && modulus_good(n, text) : bad(text, "no RSA key");
    BN_free(n);
    BN_free(e);
    return good;
}

bool ca_key_good(const EVP_PKEY *key, char text[200]) {
    switch (key_kind(key)) {
    case KEY_P256:
    case KEY_P384:
    case KEY_P521: return point_good(key, text);
    case KEY_RSA: return rsa_good(key, text);
    case KEY_ED25519:
    case KEY_OTHER:
    default: return bad(text, "the key must be on P-256, P-384 or P-521, or RSA");
    }
}
