/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <unistd.h>

#include "acme/client/account.h"
#include "acme/client/account_file.h"
#include "acme/client/ari.h"
#include "acme/client/hook.h"
#include "acme/client/links.h"
#include "acme/client/pair.h"
#include "acme/client/responder.h"
#include "acme/client/schedule.h"
#include "acme/client/solver.h"
#include "base/file.h"

enum { DAY = 24 * 3600 };

static struct arena arena;
static char folder[32];

static void start(void) {
    arena = ARENA_INIT;
    strcpy(folder, "/tmp/moiety-acme-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
}

static void stop(void) {
    char *command = arena_printf(&arena, "rm -rf %s", folder);
    cr_assert_eq(system(command), 0);
    arena_release(&arena);
}

TestSuite(client, .init = start, .fini = stop);

/* ---- When ---- */

Test(client, a_moment_lies_in_its_window) {
    const struct schedule_window window = {1000, 2000};
    cr_assert_eq(schedule_in_window(&window, 0), 1000);
    cr_assert_eq(schedule_in_window(&window, UINT32_MAX), 1999);
    cr_assert_eq(schedule_in_window(&window, UINT32_C(1) << 31), 1500);
}

Test(client, lifetimes_of_any_length_are_renewed_in_time) {
    const struct certificate_times ninety = {0, 90 * DAY - 1};
    const struct certificate_times days = {0, 160 * 3600 - 1};
    const struct certificate_times minute = {0, 59};
    cr_assert_eq(schedule_by_lifetime(&ninety, 0), 60 * DAY);
    cr_assert_lt(schedule_by_lifetime(&ninety, UINT32_MAX), 65 * DAY);
    cr_assert_eq(schedule_by_lifetime(&days, 0), 80 * 3600);
    cr_assert_eq(schedule_by_lifetime(&minute, 0), 30);
}

Test(client, failures_are_retried_ever_more_rarely) {
    const uint32_t middle = UINT32_C(1) << 31;
    const int64_t life = 90 * DAY;
    cr_assert_eq(schedule_retry(1, 30 * DAY, life, 0, middle), 60);
    cr_assert_eq(schedule_retry(2, 30 * DAY, life, 0, middle), 120);
    cr_assert_eq(schedule_retry(50, 30 * DAY, life, 0, middle), DAY);
    cr_assert_eq(schedule_retry(50, 30 * DAY, life, 0, 0), DAY * 4 / 5);
    /* A tenth of what is left, but at a pace that CAs put up with. */
    cr_assert_eq(schedule_retry(50, DAY, life, 0, middle), DAY / 10);
    cr_assert_eq(schedule_retry(50, 600, life, 0, middle), 900);
    cr_assert_eq(schedule_retry(50, -DAY, life, 0, middle), 900);
    cr_assert_eq(schedule_retry(50, 0, 0, 0, middle), 900);
    cr_assert_eq(schedule_retry(1, 30, 60, 0, middle), 3);
    cr_assert_eq(schedule_retry(1, 0, 60, 0, middle), 1);
    cr_assert_eq(schedule_retry(1, 30 * DAY, life, 7200, middle), 7200);
}

Test(client, times_of_the_internet_are_read) {
    static const struct {
        const char *text;
        int64_t seconds;
    } good[] = {{"1970-01-01T00:00:00Z", 0},
                {"2026-01-01T00:00:00.123456Z", 1767225600},
                {"2026-01-01T02:30:00+02:30", 1767225600},
                {"2025-12-31t23:00:00-01:00", 1767225600}};
    static const char *const bad[] = {"", "2026-01-01", "2026-01-01T00:00:00", "2026-13-01T00:00:00Z",
                                      "2026-01-01T00:00:00Zx", "2026-01-01T00:00:00.Z",
                                      "2026-01-01T00:00:00+1:00", "2026-01-01T24:00:00Z"};
    int64_t seconds;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        cr_assert(status_ok(rfc3339_parse(good[i].text, &seconds)), "%s", good[i].text);
        cr_assert_eq(seconds, good[i].seconds, "%s", good[i].text);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_assert_eq(rfc3339_parse(bad[i], &seconds).code, STATUS_INVALID_MESSAGE, "%s", bad[i]);
    }
}

/* ---- Links ---- */

static size_t count_links(const char *header, struct links *links) {
    *links = (struct links){0};
    cr_assert(status_ok(links_add(links, span_of_string(header), "alternate", &arena)));
    return links->count;
}

Test(client, links_of_one_relation_are_found) {
    struct links links;
    cr_assert_eq(count_links("<https://ca/1>;rel=\"alternate\"", &links), 1);
    cr_assert_str_eq(links.urls[0], "https://ca/1");
    cr_assert_eq(count_links("<https://ca/dir>; rel=index, <https://ca/2> ; title=\"a, b\"; "
                             "rel=\"up ALTERNATE\"", &links), 1);
    cr_assert_str_eq(links.urls[0], "https://ca/2");
    static const char *const none[] = {"", "<https://ca/1>", "<https://ca/1;rel=alternate",
                                       "</1>;rel=alternate", "<https://ca/ 1>;rel=alternate",
                                       "https://ca/1;rel=alternate", "<>;rel=alternate",
                                       "<https://ca/1>;rel=", "<https://ca/1>;rel=\"alternate2\""};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        cr_assert_eq(count_links(none[i], &links), 0, "%s", none[i]);
    }
}

/* ---- Files ---- */

static struct vault *vault_of_folder(void) {
    struct vault *vault;
    cr_assert(status_ok(vault_folder_new(folder, &vault)));
    return vault;
}

static void save_pair(struct vault *vault, const char *name, struct secret *pem) {
    cr_assert(status_ok(vault_save(vault, name, secret_span(pem), NULL)));
    secret_release(pem);
}

Test(client, a_pair_is_one_file_that_fits_itself) {
    const struct acme_identifier name = {IDENTIFIER_DNS, "a.example"};
    struct vault *vault = vault_of_folder();
    struct secret pem = SECRET_INIT;
    struct pair pair, second;
    struct buffer chain = BUFFER_INIT;
    cr_assert_eq(pair_load(vault, "pair.pem", &pair, NULL).code, STATUS_NOT_FOUND);
    cr_assert(status_ok(pair_placeholder(&name, 1, &pem)));
    save_pair(vault, "pair.pem", &pem);
    cr_assert(status_ok(pair_placeholder(&name, 1, &pem)));
    save_pair(vault, "other.pem", &pem);
    cr_assert(status_ok(pair_load(vault, "pair.pem", &pair, &pem)));
    cr_assert(pair_is_placeholder(&pair));
    cr_assert_gt(pem.len, 0);
    secret_release(&pem);
    /* A certificate of another key is no pair. */
    cr_assert(status_ok(pair_load(vault, "other.pem", &second, NULL)));
    cr_assert(status_ok(certificate_write(pair_leaf(&second), &chain)));
    cr_assert(status_ok(pair_write(pair.key, buffer_span(&chain), &pem)));
    save_pair(vault, "pair.pem", &pem);
    pair_release(&pair);
    cr_assert_eq(pair_load(vault, "pair.pem", &pair, NULL).code, STATUS_INVALID_CONFIG);
    pair_release(&second);
    buffer_release(&chain);
    vault_free(vault);
}

Test(client, an_account_is_kept_with_its_url) {
    static const char directory[] = "https://ca.example/dir";
    struct vault *vault = vault_of_folder();
    struct account_file account, again;
    EVP_PKEY *key = NULL;
    cr_assert_eq(account_file_read(vault, directory, &arena, &account).code, STATUS_NOT_FOUND);
    cr_assert(status_ok(account_file_make(vault, NULL, directory, &arena, &account)));
    cr_assert_null(account.url);
    account.url = "https://ca.example/account/1";
    cr_assert(status_ok(account_file_write(&account)));
    cr_assert(status_ok(account_file_read(vault, directory, &arena, &again)));
    cr_assert_str_eq(again.url, account.url);
    cr_assert_eq(EVP_PKEY_eq(account.key, again.key), 1);
    account_file_release(&again);
    cr_assert(
        status_ok(account_file_make(vault, NULL, "https://other.example/", &arena, &again)));
    cr_assert_neq(EVP_PKEY_eq(account.key, again.key), 1);
    account_file_release(&again);
    /* A key change that is broken off leaves both keys. */
    cr_assert(status_ok(key_new(KEY_P256, &key)));
    cr_assert(status_ok(account_file_stage(&account, key)));
    cr_assert(status_ok(account_file_read(vault, directory, &arena, &again)));
    cr_assert_eq(EVP_PKEY_eq(account.key, again.key), 1);
    EVP_PKEY *staged = NULL;
    cr_assert(status_ok(account_file_staged(&again, &staged)));
    cr_assert_eq(EVP_PKEY_eq(staged, key), 1);
    cr_assert(status_ok(account_file_commit(&again, staged)));
    cr_assert_eq(EVP_PKEY_eq(again.key, key), 1);
    cr_assert(status_ok(account_file_staged(&again, &staged)));
    cr_assert_null(staged);
    account_file_release(&again);
    cr_assert(status_ok(account_file_read(vault, directory, &arena, &again)));
    cr_assert_eq(EVP_PKEY_eq(again.key, key), 1);
    account_file_release(&again);
    account_file_release(&account);
    EVP_PKEY_free(key);
    vault_free(vault);
}

static struct status read_eab(const char *text, const char **kid, struct span *key) {
    const char *path = arena_printf(&arena, "%s/key", folder);
    cr_assert(status_ok(file_replace(path, span_of_string(text), 0600)));
    return account_read_eab(path, &arena, kid, key);
}

Test(client, an_external_key_is_read_with_or_without_its_name) {
    const char *kid = "mine";
    struct span key;
    cr_assert(status_ok(read_eab("AAEC\n", &kid, &key)));
    cr_assert_str_eq(kid, "mine");
    cr_assert(span_equal_vartime(key, SPAN_OF_LITERAL("\0\1\2")));
    cr_assert(status_ok(read_eab("AAE=", &kid, &key)));
    cr_assert_eq(key.len, 2);
    kid = NULL;
    cr_assert(status_ok(read_eab("kid: k-1\nkey: AAEC\nprofiles: web client\n", &kid, &key)));
    cr_assert_str_eq(kid, "k-1");
    cr_assert(span_equal_vartime(key, SPAN_OF_LITERAL("\0\1\2")));
    kid = "mine";
    cr_assert(status_ok(read_eab("kid: k-1\nkey: AAEC\n", &kid, &key)));
    cr_assert_str_eq(kid, "mine"); /* what was said counts */
    cr_assert_eq(read_eab("", &kid, &key).code, STATUS_INVALID_MESSAGE);
    cr_assert_eq(read_eab("kid: k-1\nkey: \n", &kid, &key).code, STATUS_INVALID_MESSAGE);
    kid = NULL;
    cr_assert_eq(read_eab("AAEC\n", &kid, &key).code, STATUS_INVALID_MESSAGE);
    cr_assert_null(kid);
}

/* ---- Answers ---- */

static bool finds(struct responder *responder, const char *server_name) {
    const struct tls_challenges challenges = responder_challenges(responder);
    X509 *certificate = NULL;
    EVP_PKEY *key = NULL;
    const bool found = challenges.find(challenges.context, server_name, &certificate, &key);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return found;
}

Test(client, other_replicas_challenges_come_and_go_beside_ones_own) {
    const struct vault_challenge shared[] = {
        {"one", CHALLENGE_TLS_ALPN_01, {IDENTIFIER_DNS, "a.example"}, "one.thumb"},
        {"two", CHALLENGE_TLS_ALPN_01, {IDENTIFIER_DNS, "b.example"}, "two.thumb"},
        {"own", CHALLENGE_TLS_ALPN_01, {IDENTIFIER_DNS, "wrong.example"}, "own.thumb"},
    };
    const struct acme_identifier name = {IDENTIFIER_DNS, "own.example"};
    struct responder *responder;
    cr_assert(status_ok(responder_new(&responder)));
    cr_assert(status_ok(responder_add_alpn(responder, "own", &name, "own.thumb")));
    cr_assert(status_ok(responder_share(responder, shared, 3)));
    cr_assert(status_ok(responder_share(responder, shared, 3)));
    cr_assert(finds(responder, "a.example") && finds(responder, "b.example"));
    cr_assert(finds(responder, "own.example"));
    cr_assert_not(finds(responder, "wrong.example"));
    cr_assert(status_ok(responder_share(responder, shared + 1, 1)));
    cr_assert_not(finds(responder, "a.example"));
    cr_assert(finds(responder, "b.example") && finds(responder, "own.example"));
    cr_assert(status_ok(responder_share(responder, NULL, 0)));
    cr_assert_not(finds(responder, "b.example"));
    cr_assert(finds(responder, "own.example"));
    responder_free(responder);
}

Test(client, handshakes_get_the_certificate_of_their_name) {
    const struct acme_identifier name = {IDENTIFIER_DNS, "a.example"};
    struct responder *responder;
    X509 *certificate = NULL;
    EVP_PKEY *key = NULL;
    uint8_t digest[32];
    cr_assert(status_ok(responder_new(&responder)));
    const struct tls_challenges challenges = responder_challenges(responder);
    cr_assert(status_ok(responder_add_alpn(responder, "token", &name, "token.thumb")));
    cr_assert_not(challenges.find(challenges.context, "b.example", &certificate, &key));
    cr_assert(challenges.find(challenges.context, "A.example", &certificate, &key));
    challenge_digest("token.thumb", digest);
    cr_assert(challenge_alpn_matches(certificate, &name, digest));
    X509_free(certificate);
    EVP_PKEY_free(key);
    responder_remove(responder, "token");
    cr_assert_not(challenges.find(challenges.context, "a.example", &certificate, &key));
    responder_free(responder);
}

Test(client, only_what_can_be_answered_is_chosen) {
    struct solver solver = {.types = {CHALLENGE_DNS_01, CHALLENGE_HTTP_01}};
    cr_assert_eq(solver_rank(&solver, CHALLENGE_DNS_01), 0); /* no hook */
    cr_assert_eq(solver_rank(&solver, CHALLENGE_HTTP_01), 0);
    solver.hook = "/bin/true";
    cr_assert_eq(solver_rank(&solver, CHALLENGE_DNS_01), 1);
    cr_assert(status_ok(responder_new(&solver.responder)));
    cr_assert_eq(solver_rank(&solver, CHALLENGE_HTTP_01), 2);
    cr_assert_eq(solver_rank(&solver, CHALLENGE_TLS_ALPN_01), 0); /* not wanted */
    responder_free(solver.responder);
}

Test(client, the_hook_gets_its_words_and_its_failure_is_told) {
    const char *program = arena_printf(&arena, "%s/hook", folder);
    const char *out = arena_printf(&arena, "%s/out", folder);
    const char *script = arena_printf(
        &arena, "#!/bin/sh\necho \"$@\" >%s\n[ \"$1\" = present ]\n", out);
    struct hook_call call = {"present", "dns-01", "a.example", "_acme-challenge.a.example", "v v"};
    struct span said;
    cr_assert(status_ok(file_create(program, span_of_string(script), 0700)));
    cr_assert(status_ok(hook_run(program, &call)));
    cr_assert(status_ok(file_read(out, 1000, &arena, &said)));
    cr_assert(span_equal_vartime(
        said, SPAN_OF_LITERAL("present dns-01 a.example _acme-challenge.a.example v v\n")));
    call.action = "clean";
    cr_assert_eq(hook_run(program, &call).code, STATUS_IO);
    cr_assert_eq(hook_run("/nowhere", &call).code, STATUS_IO);
}
