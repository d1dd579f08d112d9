/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "hpke/hpke.h"
#include "hpke/provider/default.h"
#include "moiety/provider_openssl.h"
#include "units.h"

/* Opening batches of ciphertexts of 200 bytes, in ns each, by lane type; in a
 * process for each, since a process picks its kernels once. */

enum { PLAINTEXT_SIZE = 200 - 16, AAD_SIZE = 90, BATCH_MAX = 256, REPEATS_MIN = 5 };
enum { HMAC_SIZE = 88 }; /* what HPKE's key is expanded from: two blocks, and one outside */
static const double TIME_MIN_NS = 5e8;
static const struct hpke_suite suite = {MOIETY_KEM_X25519_HKDF_SHA256, MOIETY_KDF_HKDF_SHA256,
                                        MOIETY_AEAD_AES_128_GCM};
static const char instance[] = "X25519_AES128GCM_200";

static const char usage[] = "usage: bench-hpke [--json] [--lanes portable|avx2|avx512|neon]\n"
                            "Without a choice, on all lane types that run here.\n";

static void must(struct status status) {
    if (!status_ok(status)) {
        fprintf(stderr, "bench-hpke: %s\n", status_text(status.code));
        exit(EXIT_FAILURE);
    }
}

/* Messages to one key: a server's reports are mostly those of one task. */
struct batch {
    struct arena arena;
    struct hpke_key key;
    struct hpke_open_item items[BATCH_MAX];
};

static void batch_init(struct batch *batch) {
    const struct moiety_provider *provider = hpke_provider_default();
    *batch = (struct batch){.arena = ARENA_INIT};
    must(hpke_key_generate(provider, suite, 1, &batch->key));
    const struct hpke_config config = hpke_key_config(&batch->key);
    for (size_t i = 0; i < BATCH_MAX; i++) {
        struct hpke_open_item *item = &batch->items[i];
        uint8_t *bytes = arena_alloc(&batch->arena, PLAINTEXT_SIZE + AAD_SIZE, 1);
        memset(bytes, (int)i, PLAINTEXT_SIZE + AAD_SIZE);
        item->key = &batch->key;
        item->info = SPAN_OF_LITERAL("dap-18 input share\x01\x02");
        item->aad = span_of(bytes + PLAINTEXT_SIZE, AAD_SIZE);
        must(hpke_seal(provider, &config, item->info, item->aad, span_of(bytes, PLAINTEXT_SIZE),
                       &batch->arena, &item->enc, &item->ciphertext));
    }
}

static void open_all(const struct moiety_provider *provider, struct batch *batch, size_t count,
                     struct arena *arena) {
    must(hpke_open_batch(provider, batch->items, count, arena));
    for (size_t i = 0; i < count; i++) {
        if (batch->items[i].verdict != STATUS_OK) {
            fprintf(stderr, "bench-hpke: message %zu does not open\n", i);
            exit(EXIT_FAILURE);
        }
    }
}

static double open_ns(const struct moiety_provider *provider, struct batch *batch, size_t count) {
    const double started = bench_now_ns();
    struct bench_min min = {0};
    for (int i = 0; i < REPEATS_MIN || bench_now_ns() - started < TIME_MIN_NS; i++) {
        struct arena arena = ARENA_INIT;
        bench_start(&min);
        open_all(provider, batch, count, &arena);
        bench_stop(&min);
        arena_release(&arena);
    }
    return min.least / (double)count;
}

static void bench_lanes(enum simd_type type, bool json) {
    static struct batch batch;
    static const struct {
        size_t count;
        const char *step;
    } batches[] = {{1, "open_1"}, {8, "open_8"}, {256, "open_256"}};
    const char *lanes = simd_name(type);
    const struct x25519_kernel *kernel = x25519_kernel_of(type);
    setenv("MOIETY_CPU", lanes, 1);
    batch_init(&batch);
    const double ladder = unit_ladder_ns(kernel), hash = unit_hash_block_ns();
    const double aead = unit_aead_ns(PLAINTEXT_SIZE, AAD_SIZE);
    const double sodium = peer_libsodium_ns();
    /* A single lane is left to libsodium. */
    const double one = kernel->lanes > 1 ? ladder : sodium;
    const double cycle = bench_cycle_ns();
    const double limit = one + OPEN_HASH_BLOCKS * hash + aead;
    for (size_t i = 0; i < sizeof(batches) / sizeof(batches[0]); i++) {
        const double ns = open_ns(hpke_provider_default(), &batch, batches[i].count);
        bench_print(&(struct bench_row){.instance = instance, .step = batches[i].step,
                                        .lanes = lanes, .ns = ns, .limit_ns = limit,
                                        .cycles = ns / cycle},
                    json);
    }
    const struct bench_row rows[] = {
        {.step = "unit_ladder", .lanes = lanes, .ns = ladder},
        {.step = "unit_hash_block", .lanes = lanes, .ns = hash},
        {.step = "unit_aead", .lanes = lanes, .ns = aead},
        {.step = "hmac", .lanes = lanes, .ns = unit_hmac_ns(HMAC_SIZE)},
        {.step = "hmac", .lanes = "openssl", .ns = peer_evp_hmac_ns(HMAC_SIZE)},
        {.step = "aead", .lanes = "openssl", .ns = peer_evp_aead_ns(PLAINTEXT_SIZE, AAD_SIZE)},
        {.step = "open_1", .lanes = "openssl", .ns = open_ns(&moiety_provider_openssl, &batch, 1)},
        {.step = "x25519", .lanes = "openssl", .ns = peer_openssl_ns()},
        {.step = "x25519", .lanes = "libsodium", .ns = sodium},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bench_row row = rows[i];
        row.instance = instance;
        bench_print(&row, json);
    }
    hpke_key_release(&batch.key);
    arena_release(&batch.arena);
}

static int bench_in_child(enum simd_type type, bool json) {
    const pid_t child = fork();
    if (child == 0) {
        bench_lanes(type, json);
        exit(EXIT_SUCCESS);
    }
    int result = 0;
    return child > 0 && waitpid(child, &result, 0) == child && result == 0 ? 0 : -1;
}

int main(int argc, char *argv[]) {
    static const struct option known[] = {{"json", no_argument, NULL, 'j'},
                                          {"lanes", required_argument, NULL, 'l'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    bool json = false;
    const char *lanes = NULL;
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        switch (option) {
        case 'j': json = true; break;
        case 'l': lanes = optarg; break;
        default: fputs(usage, option == 'h' ? stdout : stderr); return option == 'h' ? 0 : 2;
        }
    }
    int result = EXIT_SUCCESS;
    for (int type = 0; type < SIMD_TYPES; type++) {
        const char *name = simd_name((enum simd_type)type);
        if (lanes != NULL && strcmp(lanes, name) != 0) {
            continue;
        }
        const struct x25519_kernel *kernel = x25519_kernel_of((enum simd_type)type);
        if (kernel == NULL || kernel->type != (enum simd_type)type) {
            fprintf(stderr, "%s: skipped: not in this build or not on this processor\n", name);
        } else if (bench_in_child((enum simd_type)type, json) != 0) {
            result = EXIT_FAILURE;
        }
    }
    return result;
}
