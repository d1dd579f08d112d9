/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/mutator.h"

#include <stdlib.h>
#include <string.h>

static uint64_t random_state = 0x9e3779b97f4a7c15;

/* xorshift64: enough to be repeatable. */
static uint64_t random_next(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static size_t random_below(size_t limit) { return limit > 0 ? random_next() % limit : 0; }

static size_t insert(uint8_t *bytes, size_t len, size_t capacity) {
    size_t at = random_below(len + 1);
    size_t more = 1 + random_below(len < 16 ? 16 : len);
    if (len + more > capacity) {
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

static size_t mutate_once(uint8_t *bytes, size_t len, size_t capacity) {
    static const uint8_t interesting[] = {0, 1, 2, 0x7f, 0x80, 0xff};
    if (len == 0) {
        return insert(bytes, len, capacity);
    }
    switch (random_below(6)) {
    case 0:
        return insert(bytes, len, capacity);
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

static size_t mutate(uint8_t *bytes, size_t len, size_t capacity) {
    for (size_t steps = random_below(5); steps > 0; steps--) {
        len = mutate_once(bytes, len, capacity);
    }
    return len;
}

struct span mutant_of(struct span seed, size_t capacity) {
    uint8_t *bytes = malloc(capacity);
    uint8_t *exact;
    if (bytes == NULL || seed.len > capacity) {
        abort();
    }
    memcpy(bytes, seed.data, seed.len);
    size_t len = mutate(bytes, seed.len, capacity);
    exact = malloc(len > 0 ? len : 1);
    if (exact == NULL) {
        abort();
    }
    memcpy(exact, bytes, len);
    free(bytes);
    return span_of(exact, len);
}

void mutant_free(struct span mutant) { free((void *)mutant.data); }
