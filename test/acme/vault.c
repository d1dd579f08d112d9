/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/client/vault.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "acme/client/failure_note.h"
#include "acme/client/replica.h"
#include "store/store.h"

/* What every kind of vault promises, to two that share a place. */
enum { LEASE_US = 60000000 };

static struct arena arena;
static char folder[32];
static struct vault *first, *second;

/* ---- Kinds ---- */

static void start(void) {
    arena = ARENA_INIT;
    strcpy(folder, "/tmp/moiety-vault-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
}

static void stop(void) {
    vault_free(first);
    vault_free(second);
    char *command = arena_printf(&arena, "rm -rf %s", folder);
    cr_assert_eq(system(command), 0);
    arena_release(&arena);
}

static void folder_start(void) {
    start();
    cr_assert(status_ok(vault_folder_new(folder, &first)));
    cr_assert(status_ok(vault_folder_new(folder, &second)));
}

static _Atomic int64_t now_us;
static int64_t now(const struct clock *clock) {
    (void)clock;
    return now_us;
}
static const struct clock clock_of_test = {now};
static struct store *stores[2];

static void database_start(void) {
    static const struct store_wrapping_key key = {"a wrapping key for tests 0123456"};
    const struct store_options options = {.wrapping_keys = &key,
                                          .wrapping_key_count = 1,
                                          .clock = &clock_of_test,
                                          .create = true};
    start();
    now_us = 1000000000;
    const char *url = arena_printf(&arena, "sqlite:%s/m.db", folder);
    cr_assert(status_ok(store_open(url, &options, &stores[0])));
    cr_assert(status_ok(store_open(url, &options, &stores[1])));
    cr_assert(status_ok(vault_store_new(stores[0], &clock_of_test, LEASE_US, &first)));
    cr_assert(status_ok(vault_store_new(stores[1], &clock_of_test, LEASE_US, &second)));
}

static void database_stop(void) {
    store_close(stores[0]);
    store_close(stores[1]);
    stop();
}

TestSuite(folder, .init = folder_start, .fini = stop);
TestSuite(database, .init = database_start, .fini = database_stop);

#define CONTRACT(name)             \
    static void name(void);        \
    Test(folder, name) { name(); } \
    Test(database, name) { name(); } \
    static void name(void)

static bool holds(struct vault *vault, const char *name, const char *content) {
    struct span found;
    return status_ok(vault_load(vault, name, &arena, &found)) &&
           span_equal_vartime(found, span_of_string(content));
}

static struct status save(struct vault *vault, const char *name, const char *content,
                          const struct vault_lease *lease) {
    return vault_save(vault, name, span_of_string(content), lease);
}

/* ---- Files ---- */

CONTRACT(files_are_shared_replaced_and_dropped) {
    struct span found;
    cr_assert_eq(vault_load(first, "a.pem", &arena, &found).code, STATUS_NOT_FOUND);
    cr_assert(status_ok(save(first, "a.pem", "one", NULL)));
    cr_assert(holds(second, "a.pem", "one"));
    cr_assert(status_ok(save(second, "a.pem", "another", NULL)));
    cr_assert(holds(first, "a.pem", "another"));
    cr_assert(status_ok(vault_drop(first, "a.pem")));
    cr_assert_eq(vault_load(second, "a.pem", &arena, &found).code, STATUS_NOT_FOUND);
    cr_assert(status_ok(vault_drop(second, "a.pem")));
}

CONTRACT(what_is_too_long_is_not_kept_for_good) {
    char *text = arena_alloc(&arena, VAULT_FILE_MAX + 2, 1);
    struct span found;
    memset(text, 'x', VAULT_FILE_MAX + 1);
    text[VAULT_FILE_MAX] = '\0';
    cr_assert(status_ok(save(first, "a", text, NULL)));
    cr_assert(holds(first, "a", text));
    text[VAULT_FILE_MAX] = 'x';
    cr_assert_eq(save(first, "a", text, NULL).code, STATUS_TOO_LARGE);
    cr_assert(status_ok(vault_load(first, "a", &arena, &found)));
    cr_assert_eq(found.len, VAULT_FILE_MAX);
}

/* ---- Leases ---- */

CONTRACT(a_lease_has_one_holder) {
    struct vault_lease mine = {.name = "pair.pem"};
    struct vault_lease theirs = {.name = "pair.pem"};
    struct vault_lease other = {.name = "other.pem"};
    cr_assert(status_ok(vault_take(first, &mine)));
    cr_assert_eq(vault_take(second, &theirs).code, STATUS_BUSY);
    cr_assert_eq(vault_take(first, &theirs).code, STATUS_BUSY);
    cr_assert(status_ok(vault_take(second, &other)));
    cr_assert(status_ok(vault_keep(first, &mine)));
    cr_assert(status_ok(save(first, "pair.pem", "mine", &mine)));
    vault_give_back(first, &mine);
    cr_assert(status_ok(vault_take(second, &theirs)));
    cr_assert(status_ok(save(second, "pair.pem", "theirs", &theirs)));
    cr_assert(status_ok(save(second, "account.pem", "theirs", &theirs))); /* another file */
    vault_give_back(second, &theirs);
    vault_give_back(second, &other);
}

Test(database, a_lease_that_is_not_kept_ends_and_fences_its_holder) {
    struct vault_lease mine = {.name = "pair.pem"};
    struct vault_lease theirs = {.name = "pair.pem"};
    cr_assert(status_ok(vault_take(first, &mine)));
    now_us += LEASE_US - 1;
    cr_assert(status_ok(vault_keep(first, &mine)));
    now_us += LEASE_US - 1;
    cr_assert_eq(vault_take(second, &theirs).code, STATUS_BUSY);
    now_us += 1;
    cr_assert(status_ok(vault_take(second, &theirs)));
    cr_assert_eq(vault_keep(first, &mine).code, STATUS_LEASE_LOST);
    cr_assert_eq(save(first, "pair.pem", "mine", &mine).code, STATUS_LEASE_LOST);
    cr_assert(status_ok(save(second, "pair.pem", "theirs", &theirs)));
    vault_give_back(first, &mine); /* is no longer its to give */
    cr_assert(status_ok(vault_keep(second, &theirs)));
    cr_assert(holds(first, "pair.pem", "theirs"));
}

Test(database, a_replica_keeps_the_lease_that_it_holds_and_no_other) {
    enum { LOOKS_US = 5 * VAULT_LOOK_MS * 1000 };
    struct vault_lease mine = {.name = "pair.pem"};
    struct vault_lease theirs = {.name = "pair.pem"};
    struct responder *responder;
    struct replica *replica;
    cr_assert(status_ok(responder_new(&responder)));
    cr_assert(status_ok(replica_new(&replica, first, responder, &clock_of_test)));
    cr_assert(status_ok(replica_start(replica)));
    cr_assert(status_ok(vault_take(first, &mine)));
    replica_hold(replica, &mine);
    now_us += LEASE_US - 1;
    usleep(LOOKS_US);
    now_us += LEASE_US - 1;
    cr_assert_eq(vault_take(second, &theirs).code, STATUS_BUSY);
    usleep(LOOKS_US);
    replica_hold(replica, NULL);
    now_us += LEASE_US;
    usleep(LOOKS_US);
    cr_assert(status_ok(vault_take(second, &theirs)));
    replica_free(replica);
    responder_free(responder);
}

Test(folder, a_lease_ends_with_its_process) {
    struct vault_lease lease = {.name = "pair.pem"};
    const pid_t child = fork();
    if (child == 0) {
        _exit(status_ok(vault_take(second, &lease)) ? 0 : 1);
    }
    int ended;
    cr_assert_eq(waitpid(child, &ended, 0), child);
    cr_assert_eq(ended, 0);
    cr_assert(status_ok(vault_take(first, &lease)));
    vault_give_back(first, &lease);
}

Test(folder, files_are_for_their_owner_alone) {
    struct stat about;
    cr_assert(status_ok(save(first, "a.pem", "one", NULL)));
    cr_assert_eq(stat(arena_printf(&arena, "%s/a.pem", folder), &about), 0);
    cr_assert_eq(about.st_mode & 0777, 0600);
}

/* ---- Challenges ---- */

CONTRACT(challenges_are_seen_by_all_until_they_are_dropped) {
    const struct vault_challenge http = {
        "token-1", CHALLENGE_HTTP_01, {IDENTIFIER_IP, "192.0.2.1"}, "token-1.thumb"};
    const struct vault_challenge alpn = {
        "token_2", CHALLENGE_TLS_ALPN_01, {IDENTIFIER_DNS, "a.example"}, "token_2.thumb"};
    struct vault_challenge *found;
    size_t count;
    cr_assert(status_ok(save(first, "pair.pem", "no challenge", NULL)));
    cr_assert(status_ok(vault_challenge_put(first, &http, 1000)));
    cr_assert(status_ok(vault_challenge_put(first, &alpn, 1000)));
    cr_assert(status_ok(vault_challenge_list(second, 1001, &arena, &found, &count)));
    cr_assert_eq(count, 2);
    cr_assert_str_eq(found[0].token, "token-1");
    cr_assert_eq(found[0].type, CHALLENGE_HTTP_01);
    cr_assert(identifier_equal(&found[0].identifier, &http.identifier));
    cr_assert_str_eq(found[0].authorization, "token-1.thumb");
    cr_assert_eq(found[1].type, CHALLENGE_TLS_ALPN_01);
    cr_assert(identifier_equal(&found[1].identifier, &alpn.identifier));
    cr_assert(status_ok(vault_challenge_drop(first, "token-1")));
    cr_assert(status_ok(vault_challenge_list(second, 1001, &arena, &found, &count)));
    cr_assert_eq(count, 1);
    cr_assert_str_eq(found[0].token, "token_2");
    /* What a process left that was killed. */
    cr_assert(status_ok(vault_challenge_list(second, 1000 + 3600, &arena, &found, &count)));
    cr_assert_eq(count, 0);
    cr_assert(status_ok(vault_challenge_list(first, 1001, &arena, &found, &count)));
    cr_assert_eq(count, 0);
}

CONTRACT(what_is_no_challenge_is_passed_over) {
    static const char *const contents[] = {"", "9999999999\nhttp-01\na.example\n",
                                           "9999999999\nnone-01\na.example\nx\n",
                                           "9999999999\nhttp-01\n../a\nx\n", "\n\n\n\n"};
    struct vault_challenge bad = {
        "../pair", CHALLENGE_HTTP_01, {IDENTIFIER_DNS, "a.example"}, "x"};
    struct vault_challenge *found;
    size_t count;
    for (size_t i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
        cr_assert(status_ok(save(first, "challenge-x", contents[i], NULL)));
        cr_assert(status_ok(vault_challenge_list(second, 1, &arena, &found, &count)));
        cr_assert_eq(count, 0, "%zu", i);
    }
    cr_assert_eq(vault_challenge_put(first, &bad, 1).code, STATUS_INVALID_ARGUMENT);
    cr_assert_eq(vault_challenge_drop(first, "../pair").code, STATUS_INVALID_ARGUMENT);
}

/* ---- Failures ---- */

CONTRACT(failures_are_told) {
    struct failure_note note = {3, 1000, 1240};
    cr_assert_not(failure_note_read(first, "pair.pem", &note));
    failure_note_write(first, "pair.pem", &note);
    note = (struct failure_note){0};
    cr_assert(failure_note_read(second, "pair.pem", &note));
    cr_assert(note.failures == 3 && note.when == 1000 && note.again == 1240);
    cr_assert_not(failure_note_read(second, "other.pem", &note));
    cr_assert(status_ok(save(first, "pair.pem.failed", "nonsense", NULL)));
    cr_assert_not(failure_note_read(first, "pair.pem", &note));
}
