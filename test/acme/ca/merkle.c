/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/ca/merkle.h"

#include <criterion/criterion.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>

enum { LEAVES = 70, LEVELS = 8 };

static struct merkle_hash stored[LEVELS][LEAVES];
static bool present[LEVELS][LEAVES];
static struct merkle_hash leaves[LEAVES];

static struct status get(void *context, unsigned level, uint64_t index, struct merkle_hash *out) {
    (void)context;
    cr_assert(level < LEVELS && index < LEAVES && present[level][index],
              "node %u, %lu was never put", level, (unsigned long)index);
    *out = stored[level][index];
    return OK;
}

static struct status put(void *context, unsigned level, uint64_t index,
                         const struct merkle_hash *hash) {
    (void)context;
    cr_assert(level < LEVELS && index < LEAVES && !present[level][index], "a node changed");
    stored[level][index] = *hash;
    present[level][index] = true;
    return OK;
}

static const struct merkle_nodes nodes = {NULL, get, put};

static void fill(void) {
    for (uint8_t i = 0; i < LEAVES; i++) {
        cr_assert(status_ok(merkle_leaf(span_of(&i, 1), &leaves[i])));
        cr_assert(status_ok(merkle_append(&nodes, i, &leaves[i])));
    }
}

/* MTH as RFC 9162 section 2.1.1 writes it, over everything anew. */
static struct merkle_hash naive(size_t start, size_t count) {
    struct merkle_hash out;
    uint8_t joined[1 + 2 * MERKLE_HASH_SIZE] = {1};
    if (count == 1) {
        return leaves[start];
    }
    size_t split = 1;
    while (split * 2 < count) {
        split *= 2;
    }
    struct merkle_hash left = naive(start, split);
    struct merkle_hash right = naive(start + split, count - split);
    memcpy(joined + 1, left.bytes, MERKLE_HASH_SIZE);
    memcpy(joined + 1 + MERKLE_HASH_SIZE, right.bytes, MERKLE_HASH_SIZE);
    SHA256(joined, sizeof joined, out.bytes);
    return out;
}

/* The roots that Certificate Transparency's implementations test with. */
Test(merkle, known_roots) {
    static const char *const data[] = {"", "\0", "\x10", "\x20\x21", "\x30\x31",
                                       "\x40\x41\x42\x43", "\x50\x51\x52\x53\x54\x55\x56\x57",
                                       "\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f"};
    static const size_t sizes[] = {0, 1, 1, 2, 2, 4, 8, 16};
    static const char *const roots[] = {
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    };
    for (size_t size = 0; size <= 8; size++) {
        struct merkle_hash root;
        char text[65];
        cr_assert(status_ok(merkle_root(&nodes, size, &root)));
        for (size_t i = 0; i < MERKLE_HASH_SIZE; i++) {
            snprintf(text + 2 * i, 3, "%02x", root.bytes[i]);
        }
        cr_expect_str_eq(text, roots[size], "size %zu", size);
        if (size < 8) {
            struct merkle_hash leaf;
            cr_assert(status_ok(merkle_leaf(span_of(data[size], sizes[size]), &leaf)));
            cr_assert(status_ok(merkle_append(&nodes, size, &leaf)));
        }
    }
}

Test(merkle, root_of_every_size) {
    fill();
    for (size_t size = 1; size <= LEAVES; size++) {
        struct merkle_hash root;
        struct merkle_hash wanted = naive(0, size);
        cr_assert(status_ok(merkle_root(&nodes, size, &root)));
        cr_expect_arr_eq(root.bytes, wanted.bytes, MERKLE_HASH_SIZE, "size %zu", size);
    }
}

Test(merkle, every_inclusion) {
    fill();
    for (uint64_t size = 1; size <= LEAVES; size++) {
        struct merkle_hash root = naive(0, size);
        for (uint64_t index = 0; index < size; index++) {
            struct merkle_proof proof;
            cr_assert(status_ok(merkle_inclusion(&nodes, index, size, &proof)));
            cr_expect(status_ok(
                merkle_verify_inclusion(&leaves[index], index, size, &proof, &root)));
            cr_expect(!status_ok(merkle_verify_inclusion(&leaves[index], (index + 1) % size, size,
                                                         &proof, &root)) ||
                      size == 1);
            cr_expect(!status_ok(merkle_verify_inclusion(&leaves[(index + 1) % LEAVES], index,
                                                         size, &proof, &root)));
            if (proof.count > 0) {
                proof.hashes[proof.count - 1].bytes[0] ^= 1;
                cr_expect(!status_ok(
                    merkle_verify_inclusion(&leaves[index], index, size, &proof, &root)));
                proof.hashes[proof.count - 1].bytes[0] ^= 1;
                proof.count--;
                cr_expect(!status_ok(
                    merkle_verify_inclusion(&leaves[index], index, size, &proof, &root)));
            }
        }
    }
    struct merkle_proof proof;
    cr_expect_eq(merkle_inclusion(&nodes, 5, 5, &proof).code, STATUS_INVALID_ARGUMENT);
}

Test(merkle, every_consistency) {
    fill();
    for (uint64_t after = 1; after <= LEAVES; after++) {
        struct merkle_hash new_root = naive(0, after);
        for (uint64_t before = 1; before <= after; before++) {
            struct merkle_hash old_root = naive(0, before);
            struct merkle_hash wrong = old_root;
            struct merkle_proof proof;
            cr_assert(status_ok(merkle_consistency(&nodes, before, after, &proof)));
            cr_expect(status_ok(merkle_verify_consistency(before, &old_root, after, &new_root,
                                                          &proof)),
                      "%lu in %lu", (unsigned long)before, (unsigned long)after);
            wrong.bytes[7] ^= 1;
            cr_expect(!status_ok(
                merkle_verify_consistency(before, &wrong, after, &new_root, &proof)));
            wrong = new_root;
            wrong.bytes[7] ^= 1;
            cr_expect(!status_ok(
                merkle_verify_consistency(before, &old_root, after, &wrong, &proof)));
            if (proof.count > 0) {
                proof.hashes[0].bytes[3] ^= 1;
                cr_expect(!status_ok(merkle_verify_consistency(before, &old_root, after,
                                                               &new_root, &proof)));
            }
        }
    }
    struct merkle_proof proof;
    cr_expect_eq(merkle_consistency(&nodes, 6, 5, &proof).code, STATUS_INVALID_ARGUMENT);
}
