/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "acme/ca/ca.h"
#include "acme/ca/log.h"
#include "acme/ca/record.h"
#include "acme/certificate.h"
#include "acme/client.h" /* of bench/ */
#include "base/clock.h"
#include "base/log.h"
#include "fixture.h"
#include "wire/base64url.h"

/* The whole CA in this process but for its signer, and a client that does as it
 * is told. */
static struct ca_fixture f;
static struct ca_options options;
static struct ca *ca;
static struct loop_group *loops;
static struct router *router;
static struct http_server *server;
static struct http_client *http;
static char base[64];
static struct acme_client client;
static struct acme_responder *responder;

static uint16_t free_port(void) {
    /* The URL has to be known before the server is made. */
    struct acme_responder *taken;
    uint16_t port = 0;
    cr_assert(acme_responder_start(client.key, &taken, &port));
    acme_responder_stop(taken);
    return port;
}

static void serve(void) {
    struct http_server_config config = {.loops = NULL};
    char listen[64];
    cr_assert(status_ok(ca_new(&options, &ca)));
    cr_assert(status_ok(router_new(&router)) && status_ok(ca_add_routes(ca, router)));
    cr_assert(status_ok(loop_group_new(&loops, 1)));
    cr_assert(status_ok(ca_start(ca)));
    snprintf(listen, sizeof listen, "%s", base + strlen("http://"));
    config.loops = loops;
    config.service = router_service(router);
    cr_assert(status_ok(address_parse(&config.listen, listen)));
    cr_assert(status_ok(http_server_new(&server, &config)));
    cr_assert(status_ok(loop_group_start(loops)));
}

static void end(void) {
    ca_stop(ca);
    http_server_free(server);
    loop_group_free(loops);
    router_free(router);
    ca_free(ca);
}

static void setup(void) {
    static struct ca_issuer_files issuer;
    static const char *chain;
    const struct http_client_config config = {.user_agent = "test"};
    uint16_t port = 0;
    log_configure(LOG_OFF, LOG_TEXT, 2);
    ca_fixture_init(&f);
    cr_assert(status_ok(http_client_new(&http, &config)));
    cr_assert(acme_client_init(&client, http, base));
    cr_assert(acme_responder_start(client.key, &responder, &port));
    snprintf(base, sizeof base, "http://127.0.0.1:%u", (unsigned)free_port());
    acme_client_set_base(&client, base);
    chain = f.root_pem;
    issuer = (struct ca_issuer_files){f.issuing_pem, {.file = f.issuing_key}, &chain, 1};
    options = (struct ca_options){
        .database = f.database, .url = base, .public_url = base, .issuers = &issuer,
        .issuer_count = 1, .log_key_file = f.log_key, .log_origin = "test/log",
        .passphrase_file = f.passphrase, .profiles = ca_profiles_default,
        .profile_count = CA_ROLE_COUNT, .policy = f.policy, .crl_shards = 4,
        .crl_lifetime_s = CA_DAY, .order_lifetime_s = CA_DAY, .authorization_lifetime_s = CA_HOUR,
        .validation = {.http_port = port, .tls_port = 1, .timeout_ms = 5000, .workers = 4},
        .workers = 4};
    serve();
}

static void teardown(void) {
    end();
    acme_responder_stop(responder);
    acme_client_release(&client);
    http_client_free(http);
    ca_fixture_release(&f);
}

TestSuite(server, .init = setup, .fini = teardown);

static const char *const names[] = {"localhost", "127.0.0.1"};

static void post(const char *path, const char *payload, struct acme_answer *out) {
    char url[512];
    snprintf(url, sizeof url, "%s%s", strncmp(path, "http", 4) == 0 ? "" : base, path);
    cr_assert(acme_post(&client, url, payload, out));
}

/* The problem's type after a request that should fail with this status. */
static void expect_problem(const char *path, const char *payload, int status, const char *type) {
    struct acme_answer answer;
    post(path, payload, &answer);
    cr_expect_eq(answer.status, status, "%s %s: %d %.*s", path, payload, answer.status,
                 (int)answer.body.len, (const char *)answer.body.data);
    cr_expect_str_eq(answer.type, type);
    acme_answer_release(&answer);
}

static X509 *issue(EVP_PKEY *key, const char *profile, struct acme_issued *issued) {
    STACK_OF(X509) *chain;
    cr_assert(acme_issue(&client, names, 2, profile, key, issued));
    cr_assert(status_ok(certificates_read(buffer_span(&issued->pem), &chain)));
    cr_expect_eq(sk_X509_num(chain), 2);
    cr_expect(certificates_linked(chain));
    X509 *leaf = sk_X509_shift(chain);
    certificates_free(chain);
    return leaf;
}

static const char *certificate_payload(struct arena *arena, X509 *leaf, const char *rest) {
    uint8_t *der = NULL;
    int len = i2d_X509(leaf, &der);
    char *text = base64url_string(arena, span_of(der, (size_t)len));
    OPENSSL_free(der);
    return arena_printf(arena, "{\"certificate\":\"%s\"%s}", text, rest);
}

Test(server, issues_and_revokes) {
    struct arena arena = ARENA_INIT;
    struct acme_issued issued;
    struct acme_answer answer;
    struct certificate_times times;
    EVP_PKEY *key = fixture_key();
    cr_assert(acme_register(&client, NULL, SPAN_EMPTY));
    X509 *leaf = issue(key, "collector", &issued);
    cr_expect(status_ok(certificate_times_of(leaf, &times)));
    cr_expect_eq(times.not_after - times.not_before + 1, 160 * CA_HOUR);
    cr_expect_eq(X509_get_extended_key_usage(leaf), XKU_SSL_CLIENT);

    expect_problem("/acme/revoke-cert", certificate_payload(&arena, leaf, ",\"reason\":9"), 400,
                   "badRevocationReason");
    post("/acme/revoke-cert", certificate_payload(&arena, leaf, ",\"reason\":1"), &answer);
    cr_expect_eq(answer.status, 200);
    acme_answer_release(&answer);
    expect_problem("/acme/revoke-cert", certificate_payload(&arena, leaf, ""), 400,
                   "alreadyRevoked");
    /* Its key was given away, so nobody gets another certificate for it. */
    struct acme_issued second;
    cr_expect(!acme_issue(&client, names, 2, "collector", key, &second));
    X509_free(leaf);
    EVP_PKEY_free(key);
    buffer_release(&issued.pem);
    arena_release(&arena);
}

Test(server, revokes_by_the_certificates_key) {
    struct arena arena = ARENA_INIT;
    struct acme_issued issued;
    struct acme_answer answer;
    struct acme_client holder;
    EVP_PKEY *key = fixture_key();
    cr_assert(acme_register(&client, NULL, SPAN_EMPTY));
    X509 *leaf = issue(key, NULL, &issued);
    cr_assert(acme_client_init(&holder, http, base));
    char url[128];
    snprintf(url, sizeof url, "%s/acme/revoke-cert", base);
    cr_assert(acme_post(&holder, url, certificate_payload(&arena, leaf, ""), &answer));
    cr_expect_eq(answer.status, 403);
    cr_expect_str_eq(answer.type, "unauthorized");
    acme_answer_release(&answer);
    EVP_PKEY_free(holder.key);
    holder.key = key;
    cr_assert(acme_post(&holder, url, certificate_payload(&arena, leaf, ""), &answer));
    cr_expect_eq(answer.status, 200);
    acme_answer_release(&answer);
    acme_client_release(&holder);
    X509_free(leaf);
    buffer_release(&issued.pem);
    arena_release(&arena);
}

Test(server, nonces_are_used_once_across_a_restart) {
    struct acme_answer answer;
    struct buffer body = BUFFER_INIT;
    char url[128];
    cr_assert(acme_register(&client, NULL, SPAN_EMPTY));
    snprintf(url, sizeof url, "%s", client.kid);
    char nonce[64];
    snprintf(nonce, sizeof nonce, "%s", client.nonce);
    const struct jws_header header = {.kid = client.kid, .nonce = nonce, .url = url};
    cr_assert(status_ok(jws_sign(&header, SPAN_EMPTY, client.key, &body)));
    cr_assert(acme_send(&client, url, buffer_span(&body), &answer));
    cr_expect_eq(answer.status, 200);
    acme_answer_release(&answer);
    cr_assert(acme_send(&client, url, buffer_span(&body), &answer));
    cr_expect_str_eq(answer.type, "badNonce");
    acme_answer_release(&answer);
    end();
    serve();
    cr_assert(acme_send(&client, url, buffer_span(&body), &answer));
    cr_expect_str_eq(answer.type, "badNonce");
    cr_expect_neq(answer.nonce[0], '\0', "a fresh nonce comes with it");
    acme_answer_release(&answer);
    buffer_release(&body);
}

Test(server, refuses_bad_requests) {
    struct acme_answer answer;
    char url[128];
    struct buffer body = BUFFER_INIT;
    cr_assert(acme_register(&client, NULL, SPAN_EMPTY));
    expect_problem("/acme/new-order", "{}", 400, "malformed");
    expect_problem("/acme/new-order",
                   "{\"identifiers\":[{\"type\":\"dns\",\"value\":\"o-\"},"
                   "{\"type\":\"dns\",\"value\":\"\u0448.example\"}]}",
                   400, "rejectedIdentifier");
    expect_problem("/acme/new-order", "{\"identifiers\":[{\"type\":\"dns\",\"value\":\"x.test\"}]}",
                   400, "rejectedIdentifier");
    expect_problem("/acme/new-order", "{\"identifiers\":[{\"type\":\"mail\",\"value\":\"x\"}]}", 400,
                   "unsupportedIdentifier");
    expect_problem("/acme/new-order",
                   "{\"identifiers\":[{\"type\":\"dns\",\"value\":\"localhost\"}],"
                   "\"notAfter\":\"2030-01-01T00:00:00Z\"}",
                   400, "malformed");
    expect_problem("/acme/new-order",
                   "{\"identifiers\":[{\"type\":\"dns\",\"value\":\"localhost\"}],"
                   "\"profile\":\"nobody\"}",
                   400, "invalidProfile");
    expect_problem("/acme/new-order", NULL, 400, "malformed");
    expect_problem("/acme/order/AAAAAAAAAAAAAAAAAAAAAA", NULL, 404, "malformed");
    expect_problem(client.kid, "{\"contact\":[\"tel:1\"]}", 400, "unsupportedContact");
    expect_problem(client.kid, "{\"contact\":[\"mailto:a@b,c@d\"]}", 400, "invalidContact");
    /* A signature for another URL. */
    snprintf(url, sizeof url, "%s/acme/new-order", base);
    cr_assert(acme_get(&client, url, &answer));
    cr_expect_eq(answer.status, 405);
    acme_answer_release(&answer);
    snprintf(url, sizeof url, "%s/acme/new-nonce", base);
    cr_assert(acme_get(&client, url, &answer));
    cr_expect_eq(answer.status, 204);
    const struct jws_header header = {.kid = client.kid, .nonce = answer.nonce, .url = client.kid};
    cr_assert(status_ok(jws_sign(&header, SPAN_EMPTY, client.key, &body)));
    acme_answer_release(&answer);
    snprintf(url, sizeof url, "%s/acme/new-order", base);
    cr_assert(acme_send(&client, url, buffer_span(&body), &answer));
    cr_expect_str_eq(answer.type, "unauthorized");
    acme_answer_release(&answer);
    buffer_release(&body);
}

Test(server, key_change) {
    struct acme_answer answer;
    struct buffer inner = BUFFER_INIT;
    struct buffer payload = BUFFER_INIT;
    struct buffer old = BUFFER_INIT;
    struct acme_client other;
    EVP_PKEY *fresh = fixture_key();
    char url[128];
    snprintf(url, sizeof url, "%s/acme/key-change", base);
    cr_assert(acme_register(&client, NULL, SPAN_EMPTY));
    json_t *jwk = jwk_json(client.key);
    cr_assert(status_ok(json_write(jwk, &old)));
    json_decref(jwk);
    cr_assert(status_ok(buffer_printf(&payload, "{\"account\":\"%s\",\"oldKey\":%.*s}",
                                      client.kid, (int)old.len, (const char *)old.data)));
    const struct jws_header header = {.url = url};
    cr_assert(status_ok(jws_sign(&header, buffer_span(&payload), fresh, &inner)));
    cr_assert(status_ok(buffer_append_u8(&inner, 0)));

    /* Somebody else has the new key. */
    cr_assert(acme_client_init(&other, http, base));
    EVP_PKEY_free(other.key);
    other.key = fresh;
    cr_assert(acme_register(&other, NULL, SPAN_EMPTY));
    post("/acme/key-change", (const char *)inner.data, &answer);
    cr_expect_eq(answer.status, 409);
    cr_expect_str_eq(answer.location, other.kid);
    acme_answer_release(&answer);

    EVP_PKEY *third = fixture_key();
    buffer_clear(&inner);
    cr_assert(status_ok(jws_sign(&header, buffer_span(&payload), third, &inner)));
    cr_assert(status_ok(buffer_append_u8(&inner, 0)));
    post("/acme/key-change", (const char *)inner.data, &answer);
    cr_expect_eq(answer.status, 200);
    acme_answer_release(&answer);
    expect_problem(client.kid, NULL, 400, "malformed"); /* the old key signs nothing now */
    EVP_PKEY_free(client.key);
    client.key = third;
    post(client.kid, "{\"status\":\"deactivated\"}", &answer);
    cr_expect_eq(answer.status, 200);
    cr_expect_str_eq(json_text(answer.json, "status"), "deactivated");
    acme_answer_release(&answer);
    expect_problem(client.kid, NULL, 403, "unauthorized");
    acme_client_release(&other);
    buffer_release(&inner);
    buffer_release(&payload);
    buffer_release(&old);
}

/* ---- External accounts ---- */

static struct status put_eab(struct store_tx *tx, void *argument) {
    (void)argument;
    const struct ca_eab eab = {.kid = "kid1", .mac_key = SPAN_OF_LITERAL("0123456789abcdef"),
                               .profiles = "client"};
    return ca_eab_put(tx, &eab);
}

Test(server, external_accounts_bind_profiles) {
    struct ca_db *db;
    struct acme_issued issued;
    struct acme_client second;
    EVP_PKEY *key = fixture_key();
    end();
    options.external_account_required = true;
    cr_assert(status_ok(ca_db_open(f.database, false, &db)));
    cr_assert(status_ok(ca_db_write(db, put_eab, NULL)));
    ca_db_close(db);
    serve();
    expect_problem("/acme/new-account", "{}", 403, "externalAccountRequired");
    cr_expect(!acme_register(&client, "kid1", SPAN_OF_LITERAL("another key 1234")));
    cr_expect(!acme_register(&client, "kid2", SPAN_OF_LITERAL("0123456789abcdef")));
    cr_assert(acme_register(&client, "kid1", SPAN_OF_LITERAL("0123456789abcdef")));
    cr_assert(acme_client_init(&second, http, base));
    cr_expect(!acme_register(&second, "kid1", SPAN_OF_LITERAL("0123456789abcdef")),
              "a key is for one account");
    acme_client_release(&second);
    cr_expect(!acme_issue(&client, names, 2, "web", key, &issued));
    X509 *leaf = issue(key, NULL, &issued);
    cr_expect_eq(X509_get_extended_key_usage(leaf), XKU_SSL_CLIENT);
    X509_free(leaf);
    EVP_PKEY_free(key);
    buffer_release(&issued.pem);
}

/* ---- Renewal information and the log ---- */

static void get(const char *path, struct acme_answer *out) {
    char url[512];
    snprintf(url, sizeof url, "%s%s", base, path);
    cr_assert(acme_get(&client, url, out));
}

/* As Go writes what a program left out; and one library's spelling of profile. */
Test(server, null_is_left_out) {
    struct acme_answer answer;
    char url[128];
    struct buffer body = BUFFER_INIT;
    snprintf(url, sizeof url, "%s/acme/new-account", base);
    cr_assert(acme_register(&client, NULL, SPAN_EMPTY));
    const struct jws_header header = {.nonce = client.nonce, .url = url};
    EVP_PKEY *fresh = fixture_key();
    cr_assert(status_ok(jws_sign(
        &header, SPAN_OF_LITERAL("{\"contact\":null,\"externalAccountBinding\":null}"), fresh, &body)));
    cr_assert(acme_send(&client, url, buffer_span(&body), &answer));
    cr_expect_eq(answer.status, 201, "%.*s", (int)answer.body.len, (const char *)answer.body.data);
    acme_answer_release(&answer);
    post("/acme/new-order",
         "{\"identifiers\":[{\"type\":\"dns\",\"value\":\"localhost\"}],\"notAfter\":null,"
         "\"Profile\":\"client\"}",
         &answer);
    cr_expect_eq(answer.status, 201);
    cr_expect_str_eq(json_text(answer.json, "profile"), "client");
    acme_answer_release(&answer);
    EVP_PKEY_free(fresh);
    buffer_release(&body);
}

Test(server, renewal_information) {
    struct arena arena = ARENA_INIT;
    struct acme_issued issued;
    struct acme_answer answer;
    const char *id;
    EVP_PKEY *key = fixture_key();
    cr_assert(acme_register(&client, NULL, SPAN_EMPTY));
    X509 *leaf = issue(key, "web", &issued);
    cr_assert(status_ok(certificate_ari_id(leaf, &arena, &id)));
    get(arena_printf(&arena, "/acme/renewal-info/%s", id), &answer);
    cr_assert_eq(answer.status, 200);
    const char *start = json_text(json_object_get(answer.json, "suggestedWindow"), "start");
    char now[32];
    time_t seconds = (time_t)fixture_now();
    strftime(now, sizeof now, "%Y-%m-%dT%H:%M:%SZ", gmtime(&seconds));
    cr_assert_not_null(start);
    cr_expect(strcmp(start, now) > 0, "it is not time yet");
    acme_answer_release(&answer);

    const char *order = arena_printf(&arena,
                                     "{\"identifiers\":[{\"type\":\"dns\",\"value\":"
                                     "\"localhost\"}],\"replaces\":\"%s\"}",
                                     id);
    post("/acme/new-order", order, &answer);
    cr_expect_eq(answer.status, 201);
    cr_expect_str_eq(json_text(answer.json, "replaces"), id);
    acme_answer_release(&answer);
    end(); /* who replaces what survives this */
    serve();
    expect_problem("/acme/new-order", order, 409, "alreadyReplaced");

    post("/acme/revoke-cert", certificate_payload(&arena, leaf, ""), &answer);
    acme_answer_release(&answer);
    get(arena_printf(&arena, "/acme/renewal-info/%s", id), &answer);
    const char *over = json_text(json_object_get(answer.json, "suggestedWindow"), "end");
    cr_assert_not_null(over);
    cr_expect(strcmp(over, now) < 0, "a revoked one is to be renewed at once");
    acme_answer_release(&answer);
    get("/acme/renewal-info/AAAA.BBBB", &answer);
    cr_expect_eq(answer.status, 404);
    acme_answer_release(&answer);
    X509_free(leaf);
    EVP_PKEY_free(key);
    buffer_release(&issued.pem);
    arena_release(&arena);
}

static void read_hash(const char *text, struct merkle_hash *out) {
    uint8_t decoded[64];
    cr_assert_eq(EVP_DecodeBlock(decoded, (const uint8_t *)text, (int)strlen(text)), 33);
    memcpy(out->bytes, decoded, MERKLE_HASH_SIZE);
}

Test(server, everything_is_in_the_log) {
    struct arena arena = ARENA_INIT;
    struct acme_answer answer;
    struct ca_checkpoint checkpoint;
    const char *origin;
    uint8_t verifier[CA_LOG_KEY_SIZE];
    cr_assert(acme_register(&client, NULL, SPAN_EMPTY));
    get("/log/key", &answer);
    cr_assert(status_ok(buffer_append_u8(&answer.body, 0)));
    cr_assert(status_ok(ca_log_verifier_read((const char *)answer.body.data, &arena, &origin,
                                             verifier)));
    acme_answer_release(&answer);
    for (int i = 0; i < 5; i++) {
        struct acme_issued issued;
        struct merkle_hash leaf_hash;
        uint8_t *der = NULL;
        EVP_PKEY *key = fixture_key();
        X509 *leaf = issue(key, NULL, &issued);
        int len = i2d_X509(leaf, &der);
        cr_assert(status_ok(merkle_leaf(span_of(der, (size_t)len), &leaf_hash)));
        get(arena_printf(&arena, "/log/proof/%s", strrchr(issued.certificate, '/') + 1), &answer);
        cr_assert_eq(answer.status, 200);
        cr_assert(status_ok(ca_checkpoint_verify(
            span_of_string(json_text(answer.json, "checkpoint")), origin, verifier, &checkpoint)));
        cr_expect_eq(checkpoint.size, (uint64_t)i + 1);
        struct merkle_proof proof = {.count = 0};
        const json_t *list = json_object_get(answer.json, "proof");
        for (size_t k = 0; k < json_array_size(list); k++) {
            read_hash(json_string_value(json_array_get(list, k)), &proof.hashes[proof.count++]);
        }
        cr_expect(status_ok(merkle_verify_inclusion(&leaf_hash, (uint64_t)i, checkpoint.size,
                                                    &proof, &checkpoint.root)));
        acme_answer_release(&answer);
        OPENSSL_free(der);
        X509_free(leaf);
        EVP_PKEY_free(key);
        buffer_release(&issued.pem);
    }
    arena_release(&arena);
}

Test(server, limits) {
    struct acme_answer answer;
    end();
    options.name_limit = (struct ca_limit){.burst = 1, .refill_ms = 60000};
    serve();
    cr_assert(acme_register(&client, NULL, SPAN_EMPTY));
    const char *order = "{\"identifiers\":[{\"type\":\"dns\",\"value\":\"localhost\"}]}";
    post("/acme/new-order", order, &answer);
    cr_expect_eq(answer.status, 201);
    acme_answer_release(&answer);
    expect_problem("/acme/new-order", order, 429, "rateLimited");
}

/* A second root certifies the same issuing key, and clients may have that way up. */
Test(server, alternate_chains) {
    static const char *chains[2];
    static char crossed_path[160];
    static struct ca_issuer_files issuer;
    struct acme_issued issued;
    struct acme_answer answer;
    STACK_OF(X509) *chain;
    EVP_PKEY *second_key;
    X509 *second_root;
    struct buffer pem = BUFFER_INIT;
    EVP_PKEY *key = fixture_key();
    end();
    cr_assert(status_ok(ca_root_make("Second Root", fixture_now() - CA_DAY, &second_key,
                                     &second_root)));
    X509 *crossed = X509_dup(f.issuing);
    X509_set_issuer_name(crossed, X509_get_subject_name(second_root));
    cr_assert_neq(X509_sign(crossed, second_key, EVP_sha384()), 0);
    cr_assert(status_ok(certificate_write(crossed, &pem)) &&
              status_ok(certificate_write(second_root, &pem)));
    snprintf(crossed_path, sizeof crossed_path, "%s/crossed.pem", f.folder);
    FILE *file = fopen(crossed_path, "w");
    cr_assert_eq(fwrite(pem.data, 1, pem.len, file), pem.len);
    cr_assert_eq(fclose(file), 0);
    chains[0] = f.root_pem;
    chains[1] = crossed_path;
    issuer = (struct ca_issuer_files){f.issuing_pem, {.file = f.issuing_key}, chains, 2};
    options.issuers = &issuer;
    serve();
    cr_assert(acme_register(&client, NULL, SPAN_EMPTY));
    X509_free(issue(key, NULL, &issued));
    char url[300];
    snprintf(url, sizeof url, "%s/1", issued.certificate);
    post(url, NULL, &answer);
    cr_assert_eq(answer.status, 200);
    cr_assert(status_ok(certificates_read(buffer_span(&answer.body), &chain)));
    cr_expect(certificates_linked(chain));
    cr_expect(certificates_issued_by(chain, "Second Root"));
    cr_expect(!certificates_issued_by(chain, "Test Root"));
    certificates_free(chain);
    acme_answer_release(&answer);
    snprintf(url, sizeof url, "%s/2", issued.certificate);
    expect_problem(url, NULL, 404, "malformed");
    X509_free(crossed);
    X509_free(second_root);
    EVP_PKEY_free(second_key);
    EVP_PKEY_free(key);
    buffer_release(&pem);
    buffer_release(&issued.pem);
}

/* A failed validation is told with its cause, and ends the order. */
Test(server, wrong_answers_are_refused) {
    struct acme_issued issued;
    struct acme_answer answer;
    struct acme_client stranger;
    EVP_PKEY *key = fixture_key();
    cr_assert(acme_client_init(&stranger, http, base));
    cr_assert(acme_register(&stranger, NULL, SPAN_EMPTY));
    cr_expect(!acme_issue(&stranger, names, 1, NULL, key, &issued));
    cr_assert(acme_post(&stranger, issued.order, NULL, &answer));
    cr_expect_str_eq(json_text(answer.json, "status"), "invalid");
    const char *type = json_text(json_object_get(answer.json, "error"), "type");
    cr_assert_not_null(type);
    cr_expect_str_eq(type, "urn:ietf:params:acme:error:unauthorized");
    acme_answer_release(&answer);
    acme_client_release(&stranger);
    EVP_PKEY_free(key);
}

/* ---- Servers that don't answer ---- */

/* Takes connections, as the kernel does, and says nothing. */
static int silent_server(uint16_t *port) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&address, len) == 0 && listen(fd, 16) == 0 &&
              getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    *port = ntohs(address.sin_port);
    return fd;
}

/* Asks for a proof by http-01; `url` gets the authorization's. */
static void ask_for_proof(char url[256], struct acme_answer *out) {
    struct acme_answer order;
    struct acme_answer authorization;
    post("/acme/new-order", "{\"identifiers\":[{\"type\":\"dns\",\"value\":\"localhost\"}]}", &order);
    const json_t *list = json_object_get(order.json, "authorizations");
    cr_assert_eq(json_array_size(list), 1);
    snprintf(url, 256, "%s", json_string_value(json_array_get(list, 0)));
    post(url, NULL, &authorization);
    const json_t *challenge =
        json_array_get(json_object_get(authorization.json, "challenges"), 0);
    cr_assert_str_eq(json_text(challenge, "type"), "http-01");
    post(json_text(challenge, "url"), "{}", out);
    acme_answer_release(&order);
    acme_answer_release(&authorization);
}

/* One after the other, so that each is waited for when others are under way. */
Test(server, says_that_a_proof_takes_long) {
    enum { COUNT = 4, WAIT_NS = 50000000 };
    char urls[COUNT][256];
    uint16_t port;
    int silent = silent_server(&port);
    end();
    options.validation.http_port = port;
    options.validation.timeout_ms = 1500;
    serve();
    cr_assert(acme_register(&client, NULL, SPAN_EMPTY));
    for (int i = 0; i < COUNT; i++) {
        struct acme_answer answer;
        int64_t start = clock_monotonic_ns();
        ask_for_proof(urls[i], &answer);
        cr_expect_geq(clock_monotonic_ns() - start, WAIT_NS);
        cr_expect_eq(answer.status, 200);
        cr_expect_str_eq(json_text(answer.json, "status"), "processing");
        acme_answer_release(&answer);
    }
    for (int i = 0; i < COUNT; i++) {
        struct acme_answer answer;
        for (bool pending = true; pending;) {
            post(urls[i], NULL, &answer);
            pending = strcmp(json_text(answer.json, "status"), "pending") == 0;
            if (pending) {
                acme_answer_release(&answer);
                usleep(20000);
            }
        }
        cr_expect_str_eq(json_text(answer.json, "status"), "invalid");
        acme_answer_release(&answer);
    }
    close(silent);
}
