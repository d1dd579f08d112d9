/* SPDX-License-Identifier: Apache-2.0 */
#include "client/fixture.h"

#include <criterion/criterion.h>

#include "hpke/provider/default.h"

static const uint8_t task_id[32] = {1, 2, 3, 4, 5, 6, 7, 8};
static const struct moiety_param params[] = {{"length", BUCKETS}, {"chunk_length", 2}};

struct moiety_task fixture_description(const char *leader_url, enum moiety_batch_mode mode) {
    return (struct moiety_task){
        .size = sizeof(struct moiety_task),
        .task_id = task_id,
        .task_info = (const uint8_t *)"test",
        .task_info_len = 4,
        .leader_url = leader_url,
        .helper_url = "https://helper.example/dap/",
        .time_precision = PRECISION,
        .min_batch_size = 2,
        .batch_mode = mode,
        .vdaf = "Prio3Histogram",
        .params = params,
        .param_count = 2,
    };
}

struct hpke_key fixture_key(uint16_t kem, uint8_t id) {
    struct hpke_suite suite = {kem, MOIETY_KDF_HKDF_SHA256, MOIETY_AEAD_AES_128_GCM};
    struct hpke_key key;
    cr_assert(status_ok(hpke_key_generate(hpke_provider_default(), suite, id, &key)));
    return key;
}

/* The same task, put together by the other layer. */
static void open_task(struct fixture *fixture) {
    const struct moiety_task *given = &fixture->description;
    static const uint8_t histogram[] = {0, 0, 0, BUCKETS, 0, 0, 0, 2};
    const struct task_configuration configuration = {
        .task_info = span_of(given->task_info, given->task_info_len),
        .leader_aggregator_endpoint = span_of_string(given->leader_url),
        .helper_aggregator_endpoint = span_of_string(given->helper_url),
        .time_precision = given->time_precision,
        .min_batch_size = given->min_batch_size,
        .batch_mode = (enum batch_mode)given->batch_mode,
        .vdaf_type = 4,
        .vdaf_configuration = SPAN_OF_ARRAY(histogram),
    };
    struct task_id id;
    memcpy(id.bytes, given->task_id, sizeof(id.bytes));
    cr_assert(status_ok(task_make(&id, &configuration, &fixture->arena, &fixture->task)));
}

void fixture_setup(struct fixture *fixture, const struct moiety_task *description) {
    *fixture = (struct fixture){.description = *description, .arena = ARENA_INIT};
    open_task(fixture);
    fixture->leader = fixture_key(MOIETY_KEM_X25519_HKDF_SHA256, 11);
    fixture->helper = fixture_key(MOIETY_KEM_P256_HKDF_SHA256, 22);
}

void fixture_release(struct fixture *fixture) {
    hpke_key_release(&fixture->leader);
    hpke_key_release(&fixture->helper);
    arena_release(&fixture->arena);
}

struct span fixture_configs(struct fixture *fixture, const struct hpke_key *const keys[],
                            size_t count) {
    struct hpke_config *configs = ARENA_ARRAY(&fixture->arena, struct hpke_config, count);
    for (size_t i = 0; i < count; i++) {
        configs[i] = hpke_key_config(keys[i]);
    }
    struct hpke_config_list list = {configs, count};
    struct buffer encoded = BUFFER_INIT;
    struct span copy = SPAN_EMPTY;
    cr_assert(status_ok(hpke_config_list_encode(&list, &encoded)));
    cr_assert(status_ok(arena_copy(&fixture->arena, buffer_span(&encoded), &copy)));
    buffer_release(&encoded);
    return copy;
}
