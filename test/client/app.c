/* SPDX-License-Identifier: Apache-2.0 */
/* An app in plain C99 that sees the public headers and nothing else. It makes a
 * report and collects nothing, which links and runs all three libraries. It
 * defines names that the libraries use inside, which must not meet. */
#include <moiety/client.h>
#include <moiety/client_curl.h>
#include <moiety/collector.h>
#include <stdio.h>
#include <string.h>

int buffer_append(void);
int buffer_append(void) { return 1; }
int hpke_seal = 2;

#define CHECK(condition)                                            \
    do {                                                            \
        if (!(condition)) {                                         \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition); \
            return 1;                                               \
        }                                                           \
    } while (0)

/* An HpkeConfigList of one X25519 key. */
static size_t config_list(uint8_t out[64]) {
    static const uint8_t head[] = {0, 41, 5, 0, 0x20, 0, 1, 0, 1, 0, 32};
    uint8_t private_key[32];
    memcpy(out, head, sizeof(head));
    moiety_provider_openssl.keypair(MOIETY_KEM_X25519_HKDF_SHA256, private_key,
                                    out + sizeof(head));
    return sizeof(head) + 32;
}

static int report(const struct moiety_task *task) {
    struct moiety_client *client;
    struct moiety_report *made;
    struct moiety_upload *upload;
    struct moiety_outcome outcome;
    uint8_t list[64];
    uint64_t value = 1;
    size_t len;
    CHECK(moiety_client_new(task, &moiety_provider_openssl, &client) == MOIETY_OK);
    len = config_list(list);
    CHECK(moiety_client_set_config(client, MOIETY_LEADER, list, len) == MOIETY_OK);
    CHECK(moiety_client_set_config(client, MOIETY_HELPER, list, len) == MOIETY_OK);
    CHECK(moiety_client_report(client, &value, 1, 1700000000, &made) == MOIETY_OK);
    CHECK(moiety_client_upload(client, &made, 1, &upload) == MOIETY_OK);
    CHECK(moiety_upload_body(upload, &len) != NULL && len > 0);
    CHECK(moiety_upload_answer(upload, 200, NULL, NULL, 0, &outcome) == MOIETY_OK);
    CHECK(outcome.verdict == MOIETY_REPORT_ACCEPTED);
    moiety_upload_free(upload);
    moiety_report_free(made);
    moiety_client_free(client);
    return 0;
}

static int collect(const struct moiety_task *task) {
    struct moiety_collector_key *key;
    struct moiety_collector *collector;
    struct moiety_collection *collection;
    struct moiety_aggregate *aggregate;
    CHECK(moiety_collector_key_generate(&moiety_provider_openssl, MOIETY_KEM_P256_HKDF_SHA256,
                                        MOIETY_AEAD_AES_128_GCM, 1, &key) == MOIETY_OK);
    CHECK(moiety_collector_new(task, key, &moiety_provider_openssl, &collector) == MOIETY_OK);
    CHECK(moiety_collector_interval(collector, 300, 300, &collection) == MOIETY_OK);
    CHECK(moiety_collection_answer(collection, 503, NULL, NULL, NULL, 0, &aggregate) ==
          MOIETY_RETRY_LATER);
    moiety_collection_free(collection);
    moiety_collector_free(collector);
    moiety_collector_key_free(key);
    return 0;
}

int main(void) {
    static const uint8_t id[32] = {1};
    struct moiety_task task;
    struct moiety_client_curl *client;
    memset(&task, 0, sizeof(task));
    task.size = sizeof(task);
    task.task_id = id;
    task.task_info = (const uint8_t *)"app";
    task.task_info_len = 3;
    task.leader_url = "https://leader.example/";
    task.helper_url = "https://helper.example/";
    task.time_precision = 300;
    task.min_batch_size = 100;
    task.batch_mode = MOIETY_TIME_INTERVAL;
    task.vdaf = "Prio3Count";
    CHECK(report(&task) == 0);
    CHECK(collect(&task) == 0);
    CHECK(moiety_client_curl_new(&task, NULL, &client) == MOIETY_OK);
    moiety_client_curl_free(client);
    task.helper_url = "http://helper.example/";
    CHECK(moiety_client_curl_new(&task, NULL, &client) == MOIETY_INSECURE);
    CHECK(strcmp(moiety_result_text(MOIETY_INSECURE), moiety_result_text(MOIETY_OK)) != 0);
    return buffer_append() + hpke_seal == 3 ? 0 : 1;
}
