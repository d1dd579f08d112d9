/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <openssl/rand.h>
#include <pthread.h>

#include "acme/ca/db.h"
#include "acme/ca/record.h"
#include "fixture.h"

/* Several servers on one database: what each commits fits what the others do. */
enum { SERVERS = 3, EACH = 15, ALL = SERVERS * EACH };

static struct ca_fixture f;
static struct ca_db *dbs[SERVERS];

static void setup(void) {
    ca_fixture_init(&f);
    for (size_t i = 0; i < SERVERS; i++) {
        cr_assert(status_ok(ca_db_open(f.database, true, &dbs[i])));
    }
}

static void teardown(void) {
    for (size_t i = 0; i < SERVERS; i++) {
        ca_db_close(dbs[i]);
    }
    ca_fixture_release(&f);
}

TestSuite(shared, .init = setup, .fini = teardown);

/* ---- At once ---- */

struct server {
    struct ca_db *db;
    store_function *function;
    size_t times;
    size_t done, refused; /* OK, CONFLICT */
    pthread_t thread;
};

static void *run(void *argument) {
    struct server *server = argument;
    for (size_t i = 0; i < server->times; i++) {
        struct status status = ca_db_write(server->db, server->function, server);
        server->done += status_ok(status);
        server->refused += status.code == STATUS_CONFLICT;
    }
    return NULL;
}

static void run_all(store_function *function, size_t times, struct server servers[SERVERS]) {
    for (size_t i = 0; i < SERVERS; i++) {
        servers[i] = (struct server){.db = dbs[i], .function = function, .times = times};
        cr_assert_eq(pthread_create(&servers[i].thread, NULL, run, &servers[i]), 0);
    }
    for (size_t i = 0; i < SERVERS; i++) {
        pthread_join(servers[i].thread, NULL);
    }
}

/* ---- The log ---- */

static struct status put_certificate(struct store_tx *tx, void *argument) {
    (void)argument;
    uint8_t der[64];
    struct ca_certificate certificate = {
        .issuer = "issuer", .profile = "web", .der = SPAN_OF_ARRAY(der), .not_after = INT32_MAX};
    if (RAND_bytes(der, sizeof der) != 1) {
        return FAIL(CRYPTO);
    }
    memcpy(certificate.serial, der, sizeof certificate.serial);
    memcpy(certificate.key_digest, der, sizeof certificate.key_digest);
    return ca_certificate_put(tx, &certificate);
}

/* A tree in memory, of the leaves that the table has. */
enum { LEVELS = 8 };
static struct merkle_hash tree[LEVELS][ALL];

static struct status tree_get(void *context, unsigned level, uint64_t index,
                              struct merkle_hash *out) {
    (void)context;
    *out = tree[level][index];
    return OK;
}

static struct status tree_put(void *context, unsigned level, uint64_t index,
                              const struct merkle_hash *hash) {
    (void)context;
    tree[level][index] = *hash;
    return OK;
}

static struct status compare(struct store_tx *tx, void *argument) {
    (void)argument;
    const struct merkle_nodes expected = {NULL, tree_get, tree_put};
    const struct merkle_nodes nodes = ca_log_nodes(tx);
    struct arena arena = ARENA_INIT;
    struct ca_certificate *list;
    struct merkle_hash root, leaf;
    uint64_t size;
    size_t count;
    cr_assert(status_ok(ca_log_size(tx, &size)));
    cr_assert_eq(size, ALL);
    cr_assert(status_ok(ca_certificate_list(tx, &arena, 0, ALL + 1, &list, &count)));
    cr_assert_eq(count, ALL);
    for (size_t i = 0; i < count; i++) {
        cr_assert_eq(list[i].number, (int64_t)i);
        cr_assert(status_ok(merkle_leaf(list[i].der, &leaf)));
        cr_assert(status_ok(merkle_append(&expected, i, &leaf)));
    }
    cr_assert(status_ok(merkle_root(&expected, size, &leaf)));
    cr_assert(status_ok(merkle_root(&nodes, size, &root)));
    cr_assert_arr_eq(root.bytes, leaf.bytes, MERKLE_HASH_SIZE);
    arena_release(&arena);
    return OK;
}

Test(shared, the_log_has_neither_gap_nor_fork) {
    struct server servers[SERVERS];
    run_all(put_certificate, EACH, servers);
    for (size_t i = 0; i < SERVERS; i++) {
        cr_assert_eq(servers[i].done, EACH);
    }
    cr_assert(status_ok(ca_db_read(dbs[0], compare, NULL)));
}

/* ---- What there may be one of ---- */

static struct status put_account(struct store_tx *tx, void *argument) {
    (void)argument;
    struct ca_account account = {
        .thumbprint = "the same", .jwk = "{}", .contacts = "[]", .profiles = ""};
    TRY(ca_id_new(&account.id));
    return ca_account_put(tx, &account);
}

static struct status put_eab(struct store_tx *tx, void *argument) {
    (void)argument;
    const struct ca_eab eab = {.kid = "one", .mac_key = SPAN_OF_LITERAL("key"), .profiles = ""};
    return ca_eab_put(tx, &eab);
}

static struct status bind_eab(struct store_tx *tx, void *argument) {
    (void)argument;
    struct ca_id account;
    TRY(ca_id_new(&account));
    return ca_eab_bind(tx, "one", &account);
}

static void expect_one(store_function *function) {
    struct server servers[SERVERS];
    size_t done = 0;
    size_t refused = 0;
    run_all(function, 4, servers);
    for (size_t i = 0; i < SERVERS; i++) {
        done += servers[i].done;
        refused += servers[i].refused;
    }
    cr_assert_eq(done, 1);
    cr_assert_eq(refused, 4 * SERVERS - 1);
}

Test(shared, a_key_makes_one_account_and_an_external_key_serves_one) {
    expect_one(put_account);
    expect_one(put_eab);
    expect_one(bind_eab);
}
