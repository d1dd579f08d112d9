/* SPDX-License-Identifier: Apache-2.0 */
#include "primitive/turboshake.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "primitive/kernels.h"

/* RFC 9861, section 5: messages of a repeating pattern or of bytes 0xff. */
struct figure {
    size_t message_len;
    bool ones;
    uint8_t domain;
    size_t skip;
    const char *output;
};

static const struct figure figures[] = {
    {0, false, 0x1f, 0,
     "1e415f1c5983aff2169217277d17bb538cd945a397ddec541f1ce41af2c1b74c3e8ccae2a4dae56c84a04c2385c0"
     "3c15e8193bdf58737363321691c05462c8df"},
    {0, false, 0x1f, 10000, "a3b9b0385900ce761f22aed548e754da10a5242d62e8c658e3f3a923a7555607"},
    {1, false, 0x1f, 0, "55cedd6f60af7bb29a4042ae832ef3f58db7299f893ebb9247247d856958daa9"},
    {17, false, 0x1f, 0, "9c97d036a3bac819db70ede0ca554ec6e4c2a1a4ffbfd9ec269ca6a111161233"},
    {289, false, 0x1f, 0, "96c77c279e0126f7fc07c9b07f5cdae1e0be60bdbe10620040e75d7223a624d2"},
    {4913, false, 0x1f, 0, "d4976eb56bcf118520582b709f73e1d6853e001fdaf80e1b13e0d0599d5fb372"},
    {83521, false, 0x1f, 0, "da67c7039e98bf530cf7a37830c6664e14cbab7f540f58403b1b82951318ee5c"},
    {3, true, 0x01, 0, "bf323f940494e88ee1c540fe660be8a0c93f43d15ec006998462fa994eed5dab"},
    {1, true, 0x06, 0, "8ec9c66465ed0d4a6c35d13506718d687a25cb05c74cca1e42501abd83874a67"},
    {3, true, 0x07, 0, "b658576001cad9b1e5f399a9f77723bba05458042d68206f7252682dba3663ed"},
    {7, true, 0x0b, 0, "8deeaa1aec47ccee569f659c21dfa8e112db3cee37b18178b2acd805b799cc37"},
    {1, true, 0x30, 0, "553122e2135e363c3292bed2c6421fa232bab03daa07c7d6636603286506325b"},
    {3, true, 0x7f, 0, "16274cc656d44cefd422395d0f9053bda6d28e122aba15c765e5ad0e6eaf26f9"},
};

static uint8_t *message_of(const struct figure *figure) {
    uint8_t *message = malloc(figure->message_len + 1);
    for (size_t i = 0; i < figure->message_len; i++) {
        message[i] = figure->ones ? 0xff : (uint8_t)(i % 251);
    }
    return message;
}

/* Lane 0 and the last lane get the message; those between get other bytes, and
 * the message arrives in pieces of `piece` bytes. */
static void check_figure(const struct kernels *kernels, const struct figure *figure,
                         size_t piece) {
    uint8_t *message = message_of(figure), *other = calloc(1, figure->message_len + 1);
    const unsigned last = kernels->lanes - 1;
    struct turboshake sponge;
    turboshake_init(&sponge, kernels->keccak);
    for (size_t at = 0; at < figure->message_len; at += piece) {
        const uint8_t *data[SIMD_LANES_MAX];
        const size_t left = figure->message_len - at;
        for (unsigned lane = 0; lane < kernels->lanes; lane++) {
            data[lane] = (lane == 0 || lane == last ? message : other) + at;
        }
        turboshake_absorb(&sponge, data, left < piece ? left : piece);
    }
    turboshake_finish(&sponge, figure->domain);
    const size_t len = strlen(figure->output) / 2;
    uint8_t *output[SIMD_LANES_MAX];
    for (unsigned lane = 0; lane < kernels->lanes; lane++) {
        output[lane] = malloc(figure->skip + len);
    }
    turboshake_squeeze(&sponge, output, figure->skip);
    uint8_t *rest[SIMD_LANES_MAX];
    for (unsigned lane = 0; lane < kernels->lanes; lane++) {
        rest[lane] = output[lane] + figure->skip;
    }
    turboshake_squeeze(&sponge, rest, len);
    for (unsigned lane = 0; lane <= last; lane += last > 0 ? last : 1) {
        char hex[256];
        for (size_t i = 0; i < len; i++) {
            snprintf(hex + 2 * i, 3, "%02x", rest[lane][i]);
        }
        cr_assert_str_eq(hex, figure->output, "%s, message of %zu bytes in pieces of %zu",
                         simd_name(kernels->type), figure->message_len, piece);
    }
    for (unsigned lane = 0; lane < kernels->lanes; lane++) {
        free(output[lane]);
    }
    free(message);
    free(other);
}

Test(turboshake, rfc9861) {
    for (int type = 0; type < SIMD_TYPES; type++) {
        const struct kernels *kernels = kernels_of((enum simd_type)type);
        for (size_t i = 0; kernels != NULL && i < sizeof(figures) / sizeof(figures[0]); i++) {
            check_figure(kernels, &figures[i], SIZE_MAX / 2);
        }
    }
}

Test(turboshake, pieces) {
    const size_t pieces[] = {1, 3, 7, 8, 9, 167, 168, 169, 1000};
    for (int type = 0; type < SIMD_TYPES; type++) {
        const struct kernels *kernels = kernels_of((enum simd_type)type);
        for (size_t i = 0; kernels != NULL && i < sizeof(pieces) / sizeof(pieces[0]); i++) {
            check_figure(kernels, &figures[5], pieces[i]);
        }
    }
}

/* Words are the bytes of the stream, in place. */
Test(turboshake, words) {
    for (int type = 0; type < SIMD_TYPES; type++) {
        const struct kernels *kernels = kernels_of((enum simd_type)type);
        if (kernels == NULL) {
            continue;
        }
        uint8_t bytes[SIMD_LANES_MAX][50 * 8];
        uint8_t *out[SIMD_LANES_MAX];
        const uint8_t *data[SIMD_LANES_MAX];
        uint8_t seeds[SIMD_LANES_MAX];
        for (unsigned lane = 0; lane < kernels->lanes; lane++) {
            seeds[lane] = (uint8_t)lane;
            data[lane] = &seeds[lane];
            out[lane] = bytes[lane];
        }
        struct turboshake a, b;
        turboshake_init(&a, kernels->keccak);
        turboshake_absorb(&a, data, 1);
        turboshake_finish(&a, 1);
        b = a;
        turboshake_squeeze(&a, out, sizeof(bytes[0]));
        for (size_t done = 0; done < 50;) {
            size_t got;
            const uint64_t *words = turboshake_words(&b, 50 - done < 4 ? 50 - done : 4, &got);
            cr_assert(got >= 1 && got <= 4);
            for (size_t i = 0; i < got; i++, done++) {
                for (unsigned lane = 0; lane < kernels->lanes; lane++) {
                    cr_assert_eq(memcmp(&words[i * kernels->lanes + lane],
                                        bytes[lane] + 8 * done, 8), 0);
                }
            }
        }
    }
}
