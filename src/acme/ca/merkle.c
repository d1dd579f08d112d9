/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/ca/merkle.h"

#include <openssl/evp.h>

/* ---- Hashes ---- */

enum { LEAF = 0x00, NODE = 0x01 };

/* SHA-256 of a prefix and two runs of bytes. */
static struct status hash(uint8_t prefix, struct span a, struct span b, struct merkle_hash *out) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context == NULL) {
        return FAIL(NO_MEMORY);
    }
    bool done = EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
                EVP_DigestUpdate(context, &prefix, 1) == 1 &&
                EVP_DigestUpdate(context, a.data, a.len) == 1 &&
                EVP_DigestUpdate(context, b.data, b.len) == 1 &&
                EVP_DigestFinal_ex(context, out->bytes, NULL) == 1;
    EVP_MD_CTX_free(context);
    return done ? OK : FAIL(CRYPTO);
}

struct status merkle_leaf(struct span data, struct merkle_hash *out) {
    return hash(LEAF, data, SPAN_EMPTY, out);
}

/* Of a tree without leaves: the hash of nothing at all. */
static struct status hash_empty(struct merkle_hash *out) {
    return EVP_Digest("", 0, out->bytes, NULL, EVP_sha256(), NULL) == 1 ? OK : FAIL(CRYPTO);
}

/* `out` may be one of the children. */
static struct status join(const struct merkle_hash *left, const struct merkle_hash *right,
                          struct merkle_hash *out) {
    struct merkle_hash joined;
    TRY(hash(NODE, SPAN_OF_ARRAY(left->bytes), SPAN_OF_ARRAY(right->bytes), &joined));
    *out = joined;
    return OK;
}

/* ---- A tree ---- */

struct status merkle_append(const struct merkle_nodes *nodes, uint64_t size,
                            const struct merkle_hash *leaf) {
    struct merkle_hash node = *leaf;
    TRY(nodes->put(nodes->context, 0, size, &node));
    /* Each odd index completes the subtree above it. */
    for (unsigned level = 0; (size >> level & 1) != 0; level++) {
        struct merkle_hash left;
        TRY(nodes->get(nodes->context, level, (size >> level) - 1, &left));
        TRY(join(&left, &node, &node));
        TRY(nodes->put(nodes->context, level + 1, size >> (level + 1), &node));
    }
    return OK;
}

/* The largest power of two below `n`, as an exponent; n > 1. */
static unsigned split_level(uint64_t n) { return 63U - (unsigned)__builtin_clzll(n - 1); }

/* MTH of the leaves from `start` on, `count` of them. `start` is a multiple of
 * the smallest power of two that isn't below `count`, as it is in every
 * recursion of RFC 9162. The recursion is as deep as the tree. */
static struct status range(const struct merkle_nodes *nodes, uint64_t start, uint64_t count,
                           struct merkle_hash *out) {
    if ((count & (count - 1)) == 0) {
        unsigned level = (unsigned)__builtin_ctzll(count);
        return nodes->get(nodes->context, level, start >> level, out);
    }
    uint64_t split = UINT64_C(1) << split_level(count);
    struct merkle_hash left;
    struct merkle_hash right;
    TRY(range(nodes, start, split, &left));
    TRY(range(nodes, start + split, count - split, &right));
    return join(&left, &right, out);
}

struct status merkle_root(const struct merkle_nodes *nodes, uint64_t size,
                          struct merkle_hash *out) {
    return size == 0 ? hash_empty(out) : range(nodes, 0, size, out);
}

static struct status proof_add(struct merkle_proof *proof, const struct merkle_nodes *nodes,
                               uint64_t start, uint64_t count) {
    if (proof->count == MERKLE_PROOF_MAX) {
        return FAIL(INTERNAL);
    }
    return range(nodes, start, count, &proof->hashes[proof->count++]);
}

struct status merkle_inclusion(const struct merkle_nodes *nodes, uint64_t index, uint64_t size,
                               struct merkle_proof *out) {
    if (index >= size) {
        return FAIL(INVALID_ARGUMENT);
    }
    /* From the root down; the proof is written from the leaf up. */
    struct merkle_proof down = {.count = 0};
    for (uint64_t start = 0, count = size; count > 1;) {
        uint64_t split = UINT64_C(1) << split_level(count);
        if (index < start + split) {
            TRY(proof_add(&down, nodes, start + split, count - split));
            count = split;
        } else {
            TRY(proof_add(&down, nodes, start, split));
            start += split;
            count -= split;
        }
    }
    for (size_t i = 0; i < down.count; i++) {
        out->hashes[i] = down.hashes[down.count - 1 - i];
    }
    out->count = down.count;
    return OK;
}

struct status merkle_consistency(const struct merkle_nodes *nodes, uint64_t before, uint64_t after,
                                 struct merkle_proof *out) {
    if (before > after) {
        return FAIL(INVALID_ARGUMENT);
    }
    struct merkle_proof down = {.count = 0};
    uint64_t start = 0;
    uint64_t count = after;
    /* SUBPROOF; `start` is 0 exactly while its third argument is true. */
    while (before != 0 && before != after && before - start != count) {
        uint64_t split = UINT64_C(1) << split_level(count);
        if (before - start <= split) {
            TRY(proof_add(&down, nodes, start + split, count - split));
            count = split;
        } else {
            TRY(proof_add(&down, nodes, start, split));
            start += split;
            count -= split;
        }
    }
    if (start != 0) {
        TRY(proof_add(&down, nodes, start, count));
    }
    for (size_t i = 0; i < down.count; i++) {
        out->hashes[i] = down.hashes[down.count - 1 - i];
    }
    out->count = down.count;
    return OK;
}

/* ---- Verification ---- */

static bool hash_equal(const struct merkle_hash *a, const struct merkle_hash *b) {
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

struct status merkle_verify_inclusion(const struct merkle_hash *leaf, uint64_t index,
                                      uint64_t size, const struct merkle_proof *proof,
                                      const struct merkle_hash *root) {
    if (index >= size) {
        return FAIL(VERIFY_FAILED);
    }
    uint64_t node = index;
    uint64_t last = size - 1;
    struct merkle_hash found = *leaf;
    for (size_t i = 0; i < proof->count; i++) {
        if (last == 0) {
            return FAIL(VERIFY_FAILED);
        }
        if ((node & 1) != 0 || node == last) {
            TRY(join(&proof->hashes[i], &found, &found));
            while ((node & 1) == 0 && node != 0) {
                node >>= 1;
                last >>= 1;
            }
        } else {
            TRY(join(&found, &proof->hashes[i], &found));
        }
        node >>= 1;
        last >>= 1;
    }
    return last == 0 && hash_equal(&found, root) ? OK : FAIL(VERIFY_FAILED);
}

/* The walk of RFC 9162 section 2.1.4.2, steps 3 to 7, for 0 < before < after;
 * `first` is where it starts and `rest` what it goes through. */
static struct status consistency_walk(uint64_t before, uint64_t after,
                                      const struct merkle_hash *first,
                                      const struct merkle_hash rest[], size_t count,
                                      struct merkle_hash *old_root, struct merkle_hash *new_root) {
    uint64_t node = before - 1;
    uint64_t last = after - 1;
    while ((node & 1) != 0) {
        node >>= 1;
        last >>= 1;
    }
    *old_root = *new_root = *first;
    for (size_t i = 0; i < count; i++) {
        if (last == 0) {
            return FAIL(VERIFY_FAILED);
        }
        if ((node & 1) != 0 || node == last) {
            TRY(join(&rest[i], old_root, old_root));
            TRY(join(&rest[i], new_root, new_root));
            while ((node & 1) == 0 && node != 0) {
                node >>= 1;
                last >>= 1;
            }
        } else {
            TRY(join(new_root, &rest[i], new_root));
        }
        node >>= 1;
        last >>= 1;
    }
    return last == 0 ? OK : FAIL(VERIFY_FAILED);
}

struct status merkle_verify_consistency(uint64_t before, const struct merkle_hash *before_root,
                                        uint64_t after, const struct merkle_hash *after_root,
                                        const struct merkle_proof *proof) {
    if (before > after) {
        return FAIL(VERIFY_FAILED);
    }
    if (before == after || before == 0) {
        bool same = before != after || hash_equal(before_root, after_root);
        return proof->count == 0 && same ? OK : FAIL(VERIFY_FAILED);
    }
    /* A complete old tree is a node of the new one, and left out of the proof. */
    bool complete = (before & (before - 1)) == 0;
    if (!complete && proof->count == 0) {
        return FAIL(VERIFY_FAILED);
    }
    const struct merkle_hash *first = complete ? before_root : &proof->hashes[0];
    size_t skip = complete ? 0 : 1;
    struct merkle_hash old_root;
    struct merkle_hash new_root;
    TRY(consistency_walk(before, after, first, proof->hashes + skip, proof->count - skip,
                         &old_root, &new_root));
    return hash_equal(&old_root, before_root) && hash_equal(&new_root, after_root)
               ? OK
               : FAIL(VERIFY_FAILED);
}
