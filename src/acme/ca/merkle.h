/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CA_MERKLE_H
#define MOIETY_ACME_CA_MERKLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

/*
 * The Merkle tree of RFC 9162 section 2.1 (the same as RFC 6962's) with
 * SHA-256.
 *
 * A tree is kept as the hashes of its complete subtrees: node (level, index)
 * stands for the leaves from index * 2^level on, 2^level of them. Nodes are
 * written once and never change, so a tree that was is a part of each that
 * follows, and any size from the past can still be proved.
 */
enum { MERKLE_HASH_SIZE = 32, MERKLE_PROOF_MAX = 64 };

struct merkle_hash {
    uint8_t bytes[MERKLE_HASH_SIZE];
};

struct merkle_proof {
    struct merkle_hash hashes[MERKLE_PROOF_MAX];
    size_t count;
};

/* Where the nodes are kept. `get` is asked for nodes that were put alone. */
struct merkle_nodes {
    void *context;
    struct status (*get)(void *context, unsigned level, uint64_t index, struct merkle_hash *out);
    struct status (*put)(void *context, unsigned level, uint64_t index,
                         const struct merkle_hash *hash);
};

struct status merkle_leaf(struct span data, struct merkle_hash *out);

/* Adds the leaf with index `size`, and each subtree that it completes. */
struct status merkle_append(const struct merkle_nodes *nodes, uint64_t size,
                            const struct merkle_hash *leaf);
/* The hash of the tree of the first `size` leaves. */
struct status merkle_root(const struct merkle_nodes *nodes, uint64_t size,
                          struct merkle_hash *out);
/* PATH(index, D[size]); INVALID_ARGUMENT unless index < size. */
struct status merkle_inclusion(const struct merkle_nodes *nodes, uint64_t index, uint64_t size,
                               struct merkle_proof *out);
/* PROOF(before, D[after]); INVALID_ARGUMENT unless before <= after. Empty if
 * `before` is 0 or both are the same. */
struct status merkle_consistency(const struct merkle_nodes *nodes, uint64_t before, uint64_t after,
                                 struct merkle_proof *out);

/* RFC 9162 sections 2.1.3.2 and 2.1.4.2; VERIFY_FAILED. */
struct status merkle_verify_inclusion(const struct merkle_hash *leaf, uint64_t index,
                                      uint64_t size, const struct merkle_proof *proof,
                                      const struct merkle_hash *root);
struct status merkle_verify_consistency(uint64_t before, const struct merkle_hash *before_root,
                                        uint64_t after, const struct merkle_hash *after_root,
                                        const struct merkle_proof *proof);

#endif
