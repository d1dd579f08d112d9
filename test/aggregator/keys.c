/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "aggregator/auth.h"
#include "aggregator/keyring.h"
#include "aggregator/solo.h"

/* Who gets in, and how HPKE keys come and go. */

/* ---- Credentials -------------------------------------------------------------------- */

static struct task_peer peer_with(const uint8_t *hash, const char *certificate_name) {
    return (struct task_peer){.token_hash = span_of(hash, hash != NULL ? 32 : 0),
                              .certificate_name = certificate_name};
}

static struct status check(const char *name, const char *value, const struct task_peer *peer) {
    struct http_header header = {span_of_string(name), span_of_string(value)};
    struct http_request request = {.headers = &header, .header_count = 1};
    return auth_check(&request, peer);
}

Test(auth, takes_the_token_alone) {
    uint8_t hash[32];
    auth_hash(SPAN_OF_LITERAL("secret"), hash);
    struct task_peer peer = peer_with(hash, NULL);
    cr_assert(status_ok(check("Authorization", "Bearer secret", &peer)));
    cr_assert(status_ok(check("authorization", "bearer  secret", &peer)));
    static const char *const wrong[] = {"",         "Bearer",        "Bearer ",
                                        "secret",   "Bearer secre",  "Bearer secret2",
                                        "Bearersecret", "Basic secret", "Bearer Secret"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        cr_assert_eq(check("Authorization", wrong[i], &peer).code, STATUS_UNAUTHORIZED, "%s",
                     wrong[i]);
    }
    cr_assert_eq(check("DAP-Auth-Token", "secret", &peer).code, STATUS_UNAUTHORIZED);
    peer.dialect = TASK_DIALECT_JANUS;
    cr_assert(status_ok(check("DAP-Auth-Token", "secret", &peer)));
    cr_assert_eq(check("DAP-Auth-Token", "other", &peer).code, STATUS_UNAUTHORIZED);
}

Test(auth, takes_one_authorization_only) {
    uint8_t hash[32];
    auth_hash(SPAN_OF_LITERAL("secret"), hash);
    struct task_peer peer = peer_with(hash, NULL);
    struct http_header headers[] = {
        HTTP_HEADER("Authorization", SPAN_OF_LITERAL("Bearer secret")),
        HTTP_HEADER("Authorization", SPAN_OF_LITERAL("Bearer other"))};
    struct http_request request = {.headers = headers, .header_count = 2};
    cr_assert_eq(auth_check(&request, &peer).code, STATUS_UNAUTHORIZED);
}

Test(auth, takes_the_certificates_name) {
    static const char *const names[] = {"DNS:www.example", "DNS:leader.example"};
    struct http_peer certificate = {.names = names, .name_count = 2};
    struct http_request request = {.peer = &certificate};
    struct task_peer peer = peer_with(NULL, "leader.example");
    cr_assert(status_ok(auth_check(&request, &peer)));
    peer.certificate_name = "DNS:leader.example";
    cr_assert(status_ok(auth_check(&request, &peer)));
    peer.certificate_name = "example";
    cr_assert_eq(auth_check(&request, &peer).code, STATUS_UNAUTHORIZED);
    peer.certificate_name = "leader.example";
    request.peer = NULL;
    cr_assert_eq(auth_check(&request, &peer).code, STATUS_UNAUTHORIZED);
}

Test(auth, lets_nobody_in_where_there_are_no_credentials) {
    struct task_peer peer = peer_with(NULL, NULL);
    struct http_request request = {0};
    cr_assert_eq(auth_check(&request, &peer).code, STATUS_UNAUTHORIZED);
    cr_assert_eq(check("Authorization", "Bearer ", &peer).code, STATUS_UNAUTHORIZED);
    cr_assert_eq(check("Authorization", "Bearer x", &peer).code, STATUS_UNAUTHORIZED);
}

/* ---- Rotation ------------------------------------------------------------------------- */

static struct solo solo;
static const struct solo_options idle = {.role = ROLE_LEADER, .idle = true};
static const struct hpke_suite x25519 = {MOIETY_KEM_X25519_HKDF_SHA256,
                                         MOIETY_KDF_HKDF_SHA256, MOIETY_AEAD_AES_128_GCM};
enum { LIFETIME_S = 30 * 24 * 3600, MAX_AGE_S = 86400 };

static struct keyring_changes rotate(uint32_t lifetime_s, int64_t after_s) {
    const struct keyring_policy policy = {lifetime_s, MAX_AGE_S, x25519};
    struct keyring_changes changes;
    solo.now_us += after_s * 1000000;
    must(keyring_rotate(solo.store, hpke_provider_default(), &policy, solo.now_us, &changes));
    return changes;
}

static void expect(struct keyring_changes changes, unsigned added, unsigned accepted,
                   unsigned open_only, unsigned deleted) {
    cr_assert_eq(changes.added, added);
    cr_assert_eq(changes.accepted, accepted);
    cr_assert_eq(changes.open_only, open_only);
    cr_assert_eq(changes.deleted, deleted);
}

/* The ids that hpke_config shows, after a restart so that nothing is cached. */
static struct hpke_config_list advertised(void) {
    struct hpke_config_list list;
    solo_restart(&solo);
    struct answer answer = solo_call(&solo, "GET", "/hpke_config", NULL, NULL, SPAN_EMPTY);
    must(hpke_config_list_decode(answer.body, &solo.arena, &list));
    return list;
}

static struct answer upload(const struct sample *sample) {
    return solo_call(&solo, "POST", solo_path(&solo, "reports"),
                     media_type_string(MEDIA_UPLOAD_REQ), NULL, solo_encode(&solo, sample, 1));
}

Test(keys, rotate_by_age_with_an_overlap) {
    solo_start(&solo, &idle);
    struct sample samples[3];
    for (size_t i = 0; i < 3; i++) { /* encrypted to the first key */
        samples[i] = solo_sample(&solo, "1", SOLO_TIME, GOOD);
    }
    expect(rotate(LIFETIME_S, LIFETIME_S - 1), 0, 0, 0, 0);
    struct keyring_changes changes = rotate(LIFETIME_S, 1);
    expect(changes, 1, 1, 0, 0);
    struct hpke_config_list list = advertised();
    cr_assert_eq(list.count, 1);
    cr_assert_eq(list.items[0].id, changes.added_id);
    cr_assert_neq(list.items[0].id, solo.own_key.id);
    /* Clients that cached the list may still use the old key.. */
    cr_assert_eq(upload(&samples[0]).body.len, 0);
    expect(rotate(LIFETIME_S, 2 * MAX_AGE_S - 1), 0, 0, 0, 0);
    advertised();
    cr_assert_eq(upload(&samples[1]).body.len, 0);
    /* ..for twice as long as they may cache it. */
    expect(rotate(LIFETIME_S, 1), 0, 0, 1, 0);
    advertised();
    struct upload_errors errors;
    must(upload_errors_decode(upload(&samples[2]).body, &solo.arena, &errors));
    cr_assert_eq(errors.status.count, 1);
    cr_assert_eq(errors.status.items[0].error, REPORT_ERROR_OUTDATED_CONFIG);
    /* Two stored reports name it, so it stays. */
    expect(rotate(0, KEYRING_RETAIN_S), 0, 0, 0, 0);
    solo_stop(&solo);
}

Test(keys, go_when_nothing_needs_them) {
    solo_start(&solo, &idle);
    expect(rotate(LIFETIME_S, LIFETIME_S), 1, 1, 0, 0);
    expect(rotate(LIFETIME_S, 2 * MAX_AGE_S), 0, 0, 1, 0);
    expect(rotate(0, KEYRING_RETAIN_S - 1), 0, 0, 0, 0);
    expect(rotate(0, 1), 0, 0, 0, 1);
    cr_assert_eq(advertised().count, 1);
    solo_stop(&solo);
}

/* By hand alone, nothing is added however old the key is; what the operator
 * adds replaces it. Keys of another suite stand beside. */
Test(keys, rotate_by_hand) {
    solo_start(&solo, &idle);
    expect(rotate(0, 10 * (int64_t)LIFETIME_S), 0, 0, 0, 0);
    struct hpke_suite p256 = x25519;
    uint8_t other, newer;
    p256.kem_id = MOIETY_KEM_P256_HKDF_SHA256;
    must(keyring_add(solo.store, hpke_provider_default(), p256, solo.now_us, &other));
    expect(rotate(0, 1), 0, 0, 0, 0);
    cr_assert_eq(advertised().count, 2);
    must(keyring_add(solo.store, hpke_provider_default(), x25519, solo.now_us, &newer));
    expect(rotate(0, 1), 0, 1, 0, 0);
    struct hpke_config_list list = advertised();
    cr_assert_eq(list.count, 2);
    cr_assert_eq(list.items[0].id, newer); /* newest first */
    cr_assert_eq(list.items[1].id, other);
    solo_stop(&solo);
}

Test(keys, run_out_at_256) {
    solo_start(&solo, &idle);
    uint8_t id;
    for (int i = 1; i < 256; i++) {
        must(keyring_add(solo.store, hpke_provider_default(), x25519, solo.now_us + i, &id));
    }
    cr_assert_eq(
        keyring_add(solo.store, hpke_provider_default(), x25519, solo.now_us, &id).code,
        STATUS_CONFLICT);
    solo_stop(&solo);
}

static struct status no_keys(struct store_tx *tx, void *argument) {
    (void)argument;
    return store_hpke_key_delete(tx, solo.own_key.id);
}

Test(keys, without_one_the_server_is_not_ready) {
    solo_start(&solo, &idle);
    const char *why = NULL;
    cr_assert(aggregator_ready(solo.aggregator, &why));
    solo_run(&solo, no_keys, NULL);
    solo_restart(&solo);
    cr_assert_not(aggregator_ready(solo.aggregator, &why));
    cr_assert_not_null(strstr(why, "HPKE"));
    struct answer answer = solo_call(&solo, "GET", "/hpke_config", NULL, NULL, SPAN_EMPTY);
    cr_assert_eq(answer.status, 503);
    cr_assert_not_null(answer.retry_after);
    aggregator_drain(solo.aggregator);
    cr_assert_not(aggregator_ready(solo.aggregator, &why));
    solo_stop(&solo);
}

/* A change of the task or the keys is seen by a running server, soon. */
Test(keys, changes_are_seen_without_a_restart) {
    solo_start(&solo, &idle);
    uint8_t id;
    must(keyring_add(solo.store, hpke_provider_default(), x25519, solo.now_us + 1, &id));
    size_t shown = 1;
    for (int i = 0; i < 300 && shown == 1; i++) {
        struct answer answer = solo_call(&solo, "GET", "/hpke_config", NULL, NULL, SPAN_EMPTY);
        struct hpke_config_list list;
        must(hpke_config_list_decode(answer.body, &solo.arena, &list));
        shown = list.count;
        usleep(10000);
    }
    cr_assert_eq(shown, 2);
    solo_stop(&solo);
}
