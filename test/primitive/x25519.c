/* SPDX-License-Identifier: Apache-2.0 */
/* Every X25519 kernel that this processor runs, against Wycheproof's vectors
 * and another implementation. */
#include "primitive/x25519.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/log.h"
#include "hpke/vectors.h"
#include "reference.h"

enum { PAIRS_MAX = 1024 };

struct pairs {
    uint8_t scalars[PAIRS_MAX][X25519_SIZE];
    uint8_t points[PAIRS_MAX][X25519_SIZE];
    uint8_t expected[PAIRS_MAX][X25519_SIZE];
    bool valid[PAIRS_MAX];
    size_t count;
};
static struct pairs pairs;

static const struct x25519_kernel *kernel_or_skip(int type) {
    const struct x25519_kernel *kernel = x25519_kernel_of((enum simd_type)type);
    if (kernel == NULL) {
        fprintf(stderr, "%s: skipped: not on this processor\n", simd_name((enum simd_type)type));
    } else if (kernel->type != (enum simd_type)type) {
        fprintf(stderr, "%s: skipped: the %s kernel serves it here\n",
                simd_name((enum simd_type)type), simd_name(kernel->type));
        kernel = NULL;
    }
    return kernel;
}

#define FOR_EACH_KERNEL(kernel)                                                                    \
    for (int type_ = 0; type_ < SIMD_TYPES; type_++)                                               \
        for (const struct x25519_kernel *kernel = kernel_or_skip(type_); kernel != NULL;           \
             kernel = NULL)

static void add_pair(const uint8_t scalar[X25519_SIZE], const uint8_t point[X25519_SIZE]) {
    cr_assert_lt(pairs.count, PAIRS_MAX);
    const size_t i = pairs.count++;
    memcpy(pairs.scalars[i], scalar, X25519_SIZE);
    memcpy(pairs.points[i], point, X25519_SIZE);
    pairs.valid[i] = reference_x25519(pairs.expected[i], scalar, point);
}

static void add_random_pair(void) {
    uint8_t pair[2][X25519_SIZE];
    cr_assert_eq(getrandom(pair, sizeof(pair), 0), (ssize_t)sizeof(pair));
    add_pair(pair[0], pair[1]);
}

/* A batch of those pairs that `order` says. */
static void check_batch(const struct x25519_kernel *kernel, const size_t order[], size_t count) {
    const uint8_t *scalars[PAIRS_MAX] = {0}, *points[PAIRS_MAX] = {0};
    bool good[PAIRS_MAX];
    /* An exact heap block lets the sanitizer see a lane too many. */
    uint8_t(*out)[X25519_SIZE] = malloc(count * X25519_SIZE);
    for (size_t i = 0; i < count; i++) {
        scalars[i] = pairs.scalars[order[i]];
        points[i] = pairs.points[order[i]];
    }
    x25519_batch(kernel, out, good, scalars, points, count);
    for (size_t i = 0; i < count; i++) {
        cr_assert_eq(good[i], pairs.valid[order[i]], "%s: pair %zu, place %zu of %zu",
                     simd_name(kernel->type), order[i], i, count);
        cr_assert_arr_eq(out[i], pairs.expected[order[i]], X25519_SIZE, "%s: pair %zu, place %zu",
                         simd_name(kernel->type), order[i], i);
    }
    free(out);
}

static void check_all(const struct x25519_kernel *kernel) {
    size_t order[PAIRS_MAX];
    for (size_t i = 0; i < pairs.count; i++) {
        order[i] = i;
    }
    check_batch(kernel, order, pairs.count);
}

static void read_wycheproof(void) {
    struct vectors v = vectors_open("wycheproof/x25519.txt");
    while (vectors_next(&v)) {
        add_pair(vectors_bytes(&v, 3).data, vectors_bytes(&v, 2).data);
        const size_t i = pairs.count - 1;
        pairs.valid[i] = vectors_number(&v, 1) == 1;
        memcpy(pairs.expected[i], vectors_bytes(&v, 4).data, X25519_SIZE);
    }
    vectors_close(&v);
}

/* One lane has the case, and each other lane the next of those that must be
 * refused or the next of all in turn. */
static void check_case(const struct x25519_kernel *kernel, size_t i, size_t place,
                       const size_t refused[], size_t refused_count) {
    size_t order[SIMD_LANES_MAX];
    for (size_t l = 0; l < kernel->lanes; l++) {
        order[l] = l == place             ? i
                   : (l + place) % 2 == 0 ? (i + l) % pairs.count
                                          : refused[(i + l) % refused_count];
    }
    check_batch(kernel, order, kernel->lanes);
}

Test(x25519, wycheproof_in_every_lane_among_bad_ones) {
    size_t refused[PAIRS_MAX], refused_count = 0;
    read_wycheproof();
    for (size_t i = 0; i < pairs.count; i++) {
        if (!pairs.valid[i]) {
            refused[refused_count++] = i;
        }
    }
    cr_assert_gt(refused_count, 10);
    FOR_EACH_KERNEL(kernel) {
        for (size_t i = 0; i < pairs.count; i++) {
            for (size_t place = 0; place < kernel->lanes; place++) {
                check_case(kernel, i, place, refused, refused_count);
            }
        }
        check_all(kernel);
    }
}

/* Coordinates and scalars about the edges: 0, 1, p - 1 to p + 1, 2^255 - 20 to
 * 2^256 - 1, single limbs full and empty. */
Test(x25519, edges_equal_the_reference) {
    enum { EDGES = 24 };
    uint8_t edges[EDGES][X25519_SIZE] = {{0}, {1}, {2}, {9}};
    for (size_t i = 4; i < 9; i++) { /* p - 2 to p + 2 */
        memset(edges[i], 0xff, X25519_SIZE);
        edges[i][0] = (uint8_t)(0xeb + i - 4);
        edges[i][31] = 0x7f;
    }
    memset(edges[9], 0xff, X25519_SIZE);
    memset(edges[10], 0xff, X25519_SIZE);
    edges[10][31] = 0x7f;
    edges[11][31] = 0x80;
    for (size_t i = 12; i < EDGES; i++) { /* 64-bit runs of ones or zeros */
        for (size_t byte = 0; byte < X25519_SIZE; byte++) {
            const bool inside = byte / 5 == (i - 12) / 2;
            edges[i][byte] = inside == (i % 2 == 0) ? 0xff : 0;
        }
    }
    for (size_t s = 0; s < EDGES; s++) {
        for (size_t p = 0; p < EDGES; p++) {
            add_pair(edges[s], edges[p]);
        }
    }
    FOR_EACH_KERNEL(kernel) { check_all(kernel); }
}

/* The environment variable MOIETY_TEST_PAIRS asks for more, such as a million. */
static size_t random_pairs(void) {
    const char *asked = getenv("MOIETY_TEST_PAIRS");
#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__)
    const size_t usual = 100000;
#else
    const size_t usual = 2000;
#endif
    return asked != NULL ? strtoul(asked, NULL, 10) : usual;
}

Test(x25519, random_pairs_equal_the_reference, .timeout = 600) {
    const size_t asked = random_pairs();
    for (size_t done = 0; done < asked; done += pairs.count) {
        pairs.count = 0;
        while (pairs.count < 1000 && done + pairs.count < asked) {
            add_random_pair();
        }
        FOR_EACH_KERNEL(kernel) { check_all(kernel); }
    }
}

Test(x25519, batches_of_any_size) {
    size_t order[PAIRS_MAX];
    for (size_t i = 0; i < 67; i++) {
        add_random_pair();
        order[i] = 66 - i;
    }
    FOR_EACH_KERNEL(kernel) {
        for (size_t count = 0; count <= 67; count++) {
            check_batch(kernel, order, count);
        }
    }
}

/* RFC 7748, section 5.2: the result of one turn is the scalar of the next, and
 * the scalar its point. */
Test(x25519, a_thousand_turns) {
    static const uint8_t expected[X25519_SIZE] = {0x68, 0x4c, 0xf5, 0x9b, 0xa8, 0x33, 0x09, 0x55,
                                                  0x28, 0x00, 0xef, 0x56, 0x6f, 0x2f, 0x4d, 0x3c,
                                                  0x1c, 0x38, 0x87, 0xc4, 0x93, 0x60, 0xe3, 0x87,
                                                  0x5f, 0x2e, 0xb9, 0x4d, 0x99, 0x53, 0x2c, 0x51};
    FOR_EACH_KERNEL(kernel) {
        uint8_t scalar[1][X25519_SIZE] = {{9}}, point[X25519_SIZE] = {9};
        for (int turn = 0; turn < 1000; turn++) {
            uint8_t out[1][X25519_SIZE];
            const uint8_t *scalars[1] = {scalar[0]}, *points[1] = {point};
            bool good;
            x25519_batch(kernel, out, &good, scalars, points, 1);
            cr_assert(good);
            memcpy(point, scalar[0], X25519_SIZE);
            memcpy(scalar[0], out[0], X25519_SIZE);
        }
        cr_assert_arr_eq(scalar[0], expected, X25519_SIZE);
    }
}

Test(x25519, the_environment_forces) {
    const struct x25519_kernel *kernel = NULL;
    log_configure(LOG_OFF, LOG_TEXT, 2);
    for (int type = 0; type < SIMD_TYPES; type++) {
        setenv("MOIETY_CPU", simd_name((enum simd_type)type), 1);
        const struct status status = x25519_kernel_pick(&kernel);
        if (simd_supported((enum simd_type)type)) {
            cr_assert_eq(status.code, STATUS_OK);
            cr_assert_eq(kernel, x25519_kernel_of((enum simd_type)type));
            cr_assert_leq(kernel->lanes, SIMD_LANES_MAX);
        } else {
            cr_assert_eq(status.code, STATUS_INVALID_CONFIG);
        }
    }
    unsetenv("MOIETY_CPU");
    cr_assert_eq(x25519_kernel_pick(&kernel).code, STATUS_OK);
}
