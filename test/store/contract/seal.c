/* SPDX-License-Identifier: Apache-2.0 */
#include "store/fixture.h"

TestSuite(seal, .init = fixture_setup, .fini = fixture_teardown);

static const uint8_t param_digest[STORE_DIGEST_SIZE] = {1};

/* One secret in each sealed column, no two alike. */
static const char token[] = "TOKEN-that-must-not-be-seen-0001";
static const char verify_key[] = "a very secret verification key"; /* of make_task() */
static const char private_key[] = "PRIVATE-KEY-that-must-not-be-seen";
static const char verify_state[] = "VERIFY-STATE-that-must-not-be-seen";
static const char share[] = "AGGREGATE-SHARE-that-must-not-be-seen";
static const char note[] = "NOTE-that-must-not-be-seen-000001";

static void put_secrets(void) {
    struct store_peer peer = {.name = "a", .dialect = "draft-18", .token = span_of_string(token)};
    struct store_hpke_key key = {.id = 1,
                                 .public_key = SPAN_OF_LITERAL("public"),
                                 .private_key = span_of_string(private_key)};
    struct store_bucket bucket = {.key = SPAN_OF_LITERAL("key"),
                                  .agg_share = span_of_string(share)};
    struct store_resource resource = {.kind = STORE_AGGREGATION_JOB,
                                      .note = span_of_string(note)};
    bool found;
    memcpy(resource.task_id, task_id(1), sizeof resource.task_id);
    for (WRITE(tx)) {
        make_task(tx, 1);
        ASSERT_OK(store_peer_put(tx, &peer));
        ASSERT_OK(store_hpke_key_put(tx, &key));
        ASSERT_OK(store_bucket_put(tx, task_id(1), param_digest, 2, &bucket));
        ASSERT_OK(store_resource_create(tx, &fixture_arena, &resource, 0, &resource, &found));
    }
    put_reports(1, 1, 1000);
    struct store_job job = create_job(1);
    for (WRITE(tx)) {
        ASSERT_OK(store_job_release(tx, &job, NULL, 1, span_of_string(verify_state), fixture_now));
    }
}

/* What reading each secret gives, in the order of the columns below. */
enum { SECRETS = 6 };

static void read_secrets(struct span out[SECRETS], struct status statuses[SECRETS]) {
    struct store_peer peer = {.token = SPAN_EMPTY};
    struct store_task task = {.verify_keys = SPAN_EMPTY};
    struct store_hpke_key *keys;
    struct store_job job = {.state = SPAN_EMPTY};
    struct store_bucket bucket = {.agg_share = SPAN_EMPTY};
    struct store_resource resource = {.note = SPAN_EMPTY};
    uint8_t id[STORE_ID_SIZE] = {0};
    size_t count = 0;
    struct arena *arena = &fixture_arena;
    struct store_tx *tx = tx_begin(STORE_WRITE);
    statuses[0] = store_peer_get(tx, arena, "a", &peer);
    statuses[1] = store_task_get(tx, arena, task_id(1), &task);
    statuses[2] = store_hpke_key_list(tx, arena, &keys, &count);
    statuses[3] = store_job_claim(tx, arena, fixture_now, fixture_now, &job);
    statuses[4] = store_bucket_get(tx, arena, task_id(1), SPAN_OF_LITERAL("key"), param_digest, 2,
                                   &bucket);
    statuses[5] =
        store_resource_get(tx, arena, task_id(1), STORE_AGGREGATION_JOB, id, &resource);
    out[0] = peer.token;
    out[1] = task.verify_keys;
    out[2] = count > 0 ? keys[0].private_key : SPAN_EMPTY;
    out[3] = job.state;
    out[4] = bucket.agg_share;
    out[5] = resource.note;
    ASSERT_FAIL(CANCELLED, tx_end(FAIL(CANCELLED)));
}

static const char *const secrets[SECRETS] = {token,        verify_key, private_key,
                                             verify_state, share,      note};
static const struct {
    const char *table, *column;
} columns[SECRETS] = {
    {"peer", "token"},     {"task", "verify_keys"}, {"hpke_key", "private_key"},
    {"job_body", "state"}, {"bucket", "agg_share"}, {"resource_body", "note"},
};

static void assert_readable(void) {
    struct span got[SECRETS];
    struct status statuses[SECRETS];
    read_secrets(got, statuses);
    for (int i = 0; i < SECRETS; i++) {
        cr_assert_eq(statuses[i].code, STATUS_OK, "%s.%s: %s", columns[i].table,
                     columns[i].column, status_name(statuses[i].code));
        cr_assert(span_equal_vartime(got[i], span_of_string(secrets[i])));
    }
}

Test(seal, no_secret_reaches_the_database) {
    put_secrets();
    assert_readable();
    cr_assert(fixture_backend()->contains(fixture_url(), SPAN_OF_LITERAL("collector's key")),
              "the search itself must work");
    for (int i = 0; i < SECRETS; i++) {
        cr_assert_not(fixture_backend()->contains(fixture_url(), span_of_string(secrets[i])),
                      "%s lies open", secrets[i]);
    }
    struct store_options options = fixture_options();
    cr_assert_not(fixture_backend()->contains(fixture_url(),
                                              span_of(options.wrapping_keys[0].key, 32)));
}

/* Format, key number, nonce, ciphertext: whatever byte is altered, it shows,
 * in that column and in no other. */
Test(seal, altered_blob_is_refused) {
    static const size_t offsets[] = {0, 8, 9, 32, 33, 40};
    put_secrets();
    for (size_t offset = 0; offset < sizeof offsets / sizeof offsets[0]; offset++) {
        for (int altered = 0; altered < SECRETS; altered++) {
            struct span got[SECRETS];
            struct status statuses[SECRETS];
            const char *table = columns[altered].table;
            const char *column = columns[altered].column;
            fixture_backend()->flip(fixture_url(), table, column, offsets[offset]);
            read_secrets(got, statuses);
            for (int i = 0; i < SECRETS; i++) {
                cr_assert_eq(statuses[i].code, i == altered ? STATUS_STORE : STATUS_OK,
                             "byte %zu of %s.%s: %s", offsets[offset], table, column,
                             status_name(statuses[i].code));
            }
            fixture_backend()->flip(fixture_url(), table, column, offsets[offset]);
        }
    }
    assert_readable();
}

Test(seal, blob_belongs_to_its_row_and_column) {
    struct store_peer a = {.name = "a", .dialect = "draft-18", .token = SPAN_OF_LITERAL("one")};
    struct store_peer b = {.name = "b", .dialect = "draft-18", .token = SPAN_OF_LITERAL("two")};
    struct store_peer peer;
    struct store_task task;
    for (WRITE(tx)) {
        make_task(tx, 1);
        make_task(tx, 2);
        ASSERT_OK(store_peer_put(tx, &a));
        ASSERT_OK(store_peer_put(tx, &b));
    }
    fixture_backend()->execute(fixture_url(),
                               "UPDATE peer SET token = (SELECT token FROM peer WHERE name = 'b')"
                               " WHERE name = 'a'");
    fixture_backend()->execute(fixture_url(),
                               "UPDATE task SET verify_keys ="
                               " (SELECT verify_keys FROM task WHERE number = 1)"
                               " WHERE number = 2");
    for (READ(tx)) {
        ASSERT_FAIL(STORE, store_peer_get(tx, &fixture_arena, "a", &peer));
        ASSERT_OK(store_peer_get(tx, &fixture_arena, "b", &peer));
        ASSERT_FAIL(STORE, store_task_get(tx, &fixture_arena, task_id(2), &task));
        ASSERT_OK(store_task_get(tx, &fixture_arena, task_id(1), &task));
    }
    fixture_backend()->execute(fixture_url(),
                               "UPDATE peer SET token ="
                               " (SELECT verify_keys FROM task WHERE number = 1)"
                               " WHERE name = 'b'");
    for (READ(tx)) {
        ASSERT_FAIL(STORE, store_peer_get(tx, &fixture_arena, "b", &peer));
    }
}

/* A peer that is called what a task's id spells: rows alike, columns not. */
Test(seal, blob_belongs_to_its_column_alone) {
    char name[STORE_TASK_ID_SIZE + 1] = {0};
    struct store_peer peer = {.name = name, .dialect = "draft-18"};
    memcpy(name, task_id(1), STORE_TASK_ID_SIZE);
    for (WRITE(tx)) {
        make_task(tx, 1);
        ASSERT_OK(store_peer_put(tx, &peer));
    }
    fixture_backend()->execute(fixture_url(),
                               "UPDATE peer SET token = (SELECT verify_keys FROM task)");
    for (READ(tx)) {
        ASSERT_FAIL(STORE, store_peer_get(tx, &fixture_arena, name, &peer));
    }
}

Test(seal, shortened_blob_is_refused) {
    struct store_peer peer;
    put_secrets();
    fixture_backend()->execute(fixture_url(), "UPDATE peer SET token = substr(token, 1, 48)");
    for (READ(tx)) {
        ASSERT_FAIL(STORE, store_peer_get(tx, &fixture_arena, "a", &peer));
    }
    fixture_backend()->execute(fixture_url(), "UPDATE peer SET token = substr(token, 1, 0)");
    for (READ(tx)) {
        ASSERT_FAIL(STORE, store_peer_get(tx, &fixture_arena, "a", &peer));
    }
}

/* ---- Keys -------------------------------------------------------------------------- */

static const struct store_wrapping_key new_key = {"another wrapping key for tests 0"};

static struct status open_with(const struct store_wrapping_key keys[], size_t count) {
    struct store_options options = fixture_options();
    struct store *store;
    options.wrapping_keys = keys;
    options.wrapping_key_count = count;
    TRY(store_open(fixture_url(), &options, &store));
    store_close(store);
    return OK;
}

/* Opens the fixture's store with these keys instead of its own. */
static void reopen_with(const struct store_wrapping_key keys[], size_t count) {
    struct store_options options = fixture_options();
    options.wrapping_keys = keys;
    options.wrapping_key_count = count;
    store_close(fixture_store);
    ASSERT_OK(store_open(fixture_url(), &options, &fixture_store));
}

Test(seal, wrong_wrapping_key_opens_nothing) {
    put_secrets();
    ASSERT_FAIL(UNKNOWN_KEY, open_with(&new_key, 1));
    ASSERT_FAIL(INVALID_ARGUMENT, open_with(NULL, 0));
    fixture_backend()->flip(fixture_url(), "data_key", "wrapped", 40);
    ASSERT_FAIL(UNKNOWN_KEY, open_with(fixture_options().wrapping_keys, 1));
}

Test(seal, reseal_moves_to_the_first_wrapping_key) {
    struct store_wrapping_key both[] = {new_key, *fixture_options().wrapping_keys};
    size_t rewrapped;
    put_secrets();
    ASSERT_OK(store_rotate_data_key(fixture_store));
    reopen_with(both, 2);
    assert_readable();
    ASSERT_FAIL(UNKNOWN_KEY, open_with(&new_key, 1));
    ASSERT_OK(store_reseal(fixture_store, &rewrapped));
    cr_assert_eq(rewrapped, 2);
    ASSERT_OK(store_reseal(fixture_store, &rewrapped));
    cr_assert_eq(rewrapped, 0);
    ASSERT_FAIL(UNKNOWN_KEY, open_with(&both[1], 1));
    reopen_with(&new_key, 1);
    assert_readable();
}

Test(seal, rotated_data_keys_open_old_and_new) {
    struct store_peer b = {.name = "b", .dialect = "draft-18", .token = SPAN_OF_LITERAL("two")};
    struct store_peer peer;
    put_secrets();
    ASSERT_OK(store_rotate_data_key(fixture_store));
    cr_assert_eq(fixture_rows("data_key"), 2);
    for (WRITE(tx)) {
        ASSERT_OK(store_peer_put(tx, &b));
    }
    assert_readable();
    fixture_reopen();
    assert_readable();
    /* The new one sealed what came after it, and nothing before. */
    fixture_backend()->execute(fixture_url(), "DELETE FROM data_key WHERE number ="
                                              " (SELECT MIN(number) FROM data_key)");
    fixture_reopen();
    for (READ(tx)) {
        ASSERT_OK(store_peer_get(tx, &fixture_arena, "b", &peer));
        cr_assert(span_equal_vartime(peer.token, b.token));
        ASSERT_FAIL(STORE, store_peer_get(tx, &fixture_arena, "a", &peer));
    }
}

Test(seal, key_of_another_process_is_found) {
    struct store_options options = fixture_options();
    struct store *other;
    struct store *mine = fixture_store;
    struct store_peer peer = {.name = "b", .dialect = "draft-18", .token = SPAN_OF_LITERAL("two")};
    ASSERT_OK(store_open(fixture_url(), &options, &other));
    ASSERT_OK(store_rotate_data_key(other));
    fixture_store = other;
    for (WRITE(tx)) {
        ASSERT_OK(store_peer_put(tx, &peer));
    }
    fixture_store = mine;
    for (READ(tx)) {
        ASSERT_OK(store_peer_get(tx, &fixture_arena, "b", &peer));
    }
    cr_assert(span_equal_vartime(peer.token, SPAN_OF_LITERAL("two")));
    store_close(other);
}
