/* SPDX-License-Identifier: Apache-2.0
 *
 * The fuzz targets under ctest: every golden message, mutated some thousand
 * times from a fixed seed.
 */
#include <criterion/criterion.h>

#include "dap/golden.h"
#include "fuzz/fuzz.h"

enum { ROUNDS = 3000, MAX_SIZE = 2048 };

static uint64_t random_state;

/* xorshift64: enough to be repeatable. */
static uint64_t random_next(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static size_t random_below(size_t limit) { return limit > 0 ? random_next() % limit : 0; }

static size_t insert(uint8_t *bytes, size_t len) {
    size_t at = random_below(len + 1);
    size_t more = 1 + random_below(len < 16 ? 16 : len);
    if (len + more > MAX_SIZE) {
        return len;
    }
    memmove(bytes + at + more, bytes + at, len - at);
    /* Half of the time what is there already, so that elements double. */
    if (random_below(2) == 0 && at >= more) {
        memcpy(bytes + at, bytes + at - more, more);
    } else {
        memset(bytes + at, (int)random_next(), more);
    }
    return len + more;
}

static size_t delete(uint8_t *bytes, size_t len) {
    size_t at = random_below(len);
    size_t less = 1 + random_below(len - at);
    memmove(bytes + at, bytes + at + less, len - at - less);
    return len - less;
}

static size_t mutate(uint8_t *bytes, size_t len) {
    static const uint8_t interesting[] = {0, 1, 2, 0x7f, 0x80, 0xff};
    if (len == 0) {
        return insert(bytes, len);
    }
    switch (random_below(6)) {
    case 0:
        return insert(bytes, len);
    case 1:
        return delete(bytes, len);
    case 2:
        return random_below(len);
    case 3:
        bytes[random_below(len)] ^= (uint8_t)(1u << random_below(8));
        return len;
    case 4:
        bytes[random_below(len)] += (uint8_t)(random_below(5) - 2);
        return len;
    default:
        bytes[random_below(len)] = interesting[random_below(sizeof(interesting))];
        return len;
    }
}

/* On a copy of its exact size, so that AddressSanitizer sees any byte read
 * beyond it. */
static bool run(const struct fuzz_target *target, const uint8_t *bytes, size_t len) {
    uint8_t *copy = malloc(len > 0 ? len : 1);
    if (copy == NULL) {
        abort();
    }
    memcpy(copy, bytes, len);
    bool decoded = target->run(span_of(copy, len));
    free(copy);
    return decoded;
}

static void fuzz(const struct fuzz_target *target) {
    struct span seed = golden_bytes(target->name);
    size_t accepted = 0;
    cr_assert_leq(seed.len, (size_t)MAX_SIZE);
    for (int round = 0; round < ROUNDS; round++) {
        uint8_t bytes[MAX_SIZE];
        size_t len = seed.len;
        memcpy(bytes, seed.data, seed.len);
        for (size_t steps = random_below(5); steps > 0; steps--) {
            len = mutate(bytes, len);
        }
        accepted += run(target, bytes, len);
    }
    cr_expect_gt(accepted, 0, "%s accepts nothing at all", target->name);
    cr_expect_lt(accepted, (size_t)ROUNDS, "%s accepts everything", target->name);
    golden_free(seed);
}

static void fuzz_all(const struct fuzz_target *targets) {
    random_state = 0x9e3779b97f4a7c15;
    for (; targets->name != NULL; targets++) {
        fuzz(targets);
    }
}

Test(fuzz, mutated_messages_round_trip) { fuzz_all(fuzz_targets_messages); }

Test(fuzz, mutated_janus_messages_round_trip) { fuzz_all(fuzz_targets_janus); }
