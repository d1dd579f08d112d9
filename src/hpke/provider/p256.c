/* SPDX-License-Identifier: Apache-2.0 */
#include "hpke/provider/p256.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <stddef.h>
#include <threads.h>

/*
 * EC_POINT_mul() rather than EVP_PKEY, which would build and check a key
 * object for every ciphertext. OpenSSL multiplies a single point or the
 * generator in constant time.
 */

static EC_GROUP *group; /* never changed once made */
static once_flag group_made = ONCE_FLAG_INIT;

static void make_group(void) { group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1); }

/* All that one multiplication needs. */
struct work {
    BN_CTX *context;
    BIGNUM *scalar;
    EC_POINT *base;
    EC_POINT *product;
};

static void work_release(struct work *work) {
    EC_POINT_clear_free(work->product);
    EC_POINT_free(work->base);
    BN_clear_free(work->scalar);
    BN_CTX_free(work->context);
}

static int work_init(struct work *work) {
    *work = (struct work){NULL, NULL, NULL, NULL};
    call_once(&group_made, make_group);
    if (group == NULL) {
        return -1;
    }
    work->context = BN_CTX_secure_new();
    work->scalar = BN_secure_new();
    work->base = EC_POINT_new(group);
    work->product = EC_POINT_new(group);
    return work->context != NULL && work->scalar != NULL && work->base != NULL &&
                   work->product != NULL
               ? 0
               : -1;
}

static int set_scalar(struct work *work, const uint8_t private_key[32]) {
    if (BN_bin2bn(private_key, 32, work->scalar) == NULL || BN_is_zero(work->scalar) ||
        BN_cmp(work->scalar, EC_GROUP_get0_order(group)) >= 0) {
        return -1;
    }
    BN_set_flags(work->scalar, BN_FLG_CONSTTIME);
    return 0;
}

int p256_public_of(const uint8_t private_key[32], uint8_t public_key[65]) {
    struct work work;
    int result = -1;
    if (work_init(&work) == 0 && set_scalar(&work, private_key) == 0 &&
        EC_POINT_mul(group, work.product, work.scalar, NULL, NULL, work.context) == 1 &&
        EC_POINT_point2oct(group, work.product, POINT_CONVERSION_UNCOMPRESSED, public_key, 65,
                           work.context) == 65) {
        result = 0;
    }
    work_release(&work);
    return result;
}

int p256_keypair(uint8_t private_key[32], uint8_t public_key[65]) {
    struct work work;
    int result = -1;
    if (work_init(&work) == 0 &&
        BN_priv_rand_range(work.scalar, EC_GROUP_get0_order(group)) == 1 &&
        BN_bn2binpad(work.scalar, private_key, 32) == 32) {
        /* Zero, once in 2^256, is refused here. */
        result = p256_public_of(private_key, public_key);
    }
    work_release(&work);
    return result;
}

int p256_dh(const uint8_t private_key[32], const uint8_t public_key[65], uint8_t shared[32]) {
    struct work work;
    BIGNUM *x = BN_secure_new();
    int result = -1;
    /* EC_POINT_oct2point() refuses what is not on the curve; the first byte
     * rules out the other encodings and the point at infinity. */
    if (x != NULL && public_key[0] == 4 && work_init(&work) == 0) {
        if (set_scalar(&work, private_key) == 0 &&
            EC_POINT_oct2point(group, work.base, public_key, 65, work.context) == 1 &&
            EC_POINT_mul(group, work.product, NULL, work.base, work.scalar, work.context) == 1 &&
            EC_POINT_get_affine_coordinates(group, work.product, x, NULL, work.context) == 1 &&
            BN_bn2binpad(x, shared, 32) == 32) {
            result = 0;
        }
        work_release(&work);
    }
    BN_clear_free(x);
    return result;
}
