/* SPDX-License-Identifier: Apache-2.0
 *
 * Challenges that DNS answers, and CAA, against a DNS server of the test's own.
 */
#include "acme/ca/validation.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "acme/ca/ca.h"
#include "base/clock.h"

/* ---- A DNS server ---- */

enum { TXT = 16, CAA = 257, RECORDS_MAX = 8, HEADER = 12 };

struct record {
    const char *name;
    int type;
    const char *value; /* of CAA: without flags and property, which is issue */
};

static struct record zone[RECORDS_MAX];
static size_t zone_count;
static int server = -1;
static pthread_t thread;
static char servers[32];

/* The name of the one question; returns how long that is, with type and class. */
static size_t question(const uint8_t *query, size_t len, char name[256], int *type) {
    size_t at = HEADER;
    size_t out = 0;
    while (at < len && query[at] != 0 && out + query[at] + 1 < 256) {
        memcpy(name + out, query + at + 1, query[at]);
        out += query[at];
        name[out++] = '.';
        at += (size_t)query[at] + 1;
    }
    name[out > 0 ? out - 1 : 0] = '\0';
    *type = query[at + 1] << 8 | query[at + 2];
    return at + 5 - HEADER;
}

static size_t put_record(uint8_t *at, const struct record *record) {
    static const uint8_t issue[] = {0, 5, 'i', 's', 's', 'u', 'e'};
    size_t len = strlen(record->value);
    size_t before = record->type == CAA ? sizeof(issue) : 1;
    const uint8_t head[] = {0xc0, HEADER, (uint8_t)(record->type >> 8), (uint8_t)record->type, 0, 1,
                            0, 0, 0, 0, (uint8_t)((before + len) >> 8), (uint8_t)(before + len)};
    memcpy(at, head, sizeof(head));
    at[sizeof(head)] = (uint8_t)len;
    if (record->type == CAA) {
        memcpy(at + sizeof(head), issue, sizeof(issue));
    }
    memcpy(at + sizeof(head) + before, record->value, len);
    return sizeof(head) + before + len;
}

static void *serve(void *unused) {
    uint8_t packet[2048];
    struct sockaddr_in peer;
    socklen_t peer_len = sizeof(peer);
    ssize_t got;
    (void)unused;
    while ((got = recvfrom(server, packet, 512, 0, (struct sockaddr *)&peer, &peer_len)) > HEADER) {
        char name[256];
        int type;
        size_t len = HEADER + question(packet, (size_t)got, name, &type);
        uint8_t count = 0;
        for (size_t i = 0; i < zone_count; i++) {
            if (zone[i].type == type && strcasecmp(zone[i].name, name) == 0) {
                len += put_record(packet + len, &zone[i]);
                count++;
            }
        }
        packet[2] = 0x81;
        packet[3] = count > 0 ? 0x80 : 0x83; /* no such name */
        memset(packet + 6, 0, 6);
        packet[7] = count;
        sendto(server, packet, len, 0, (struct sockaddr *)&peer, peer_len);
    }
    return NULL;
}

static struct sockaddr_in address;

static void setup(void) {
    socklen_t len = sizeof(address);
    address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    cr_assert(status_ok(resolver_library_init()));
    server = socket(AF_INET, SOCK_DGRAM, 0);
    cr_assert_eq(bind(server, (struct sockaddr *)&address, sizeof(address)), 0);
    cr_assert_eq(getsockname(server, (struct sockaddr *)&address, &len), 0);
    snprintf(servers, sizeof(servers), "127.0.0.1:%d", ntohs(address.sin_port));
    cr_assert_eq(pthread_create(&thread, NULL, serve, NULL), 0);
}

/* An empty datagram ends the server. */
static void teardown(void) {
    int client = socket(AF_INET, SOCK_DGRAM, 0);
    sendto(client, "", 0, 0, (struct sockaddr *)&address, sizeof(address));
    pthread_join(thread, NULL);
    close(client);
    close(server);
}

TestSuite(validation, .init = setup, .fini = teardown);

/* ---- What is validated ---- */

#define ACCOUNT "https://ca.example/acme/account/1"
static const char *const caa[] = {"ca.example"};
static const struct ca_options options = {.validation = {.caa = caa, .caa_count = 1}};
static struct arena arena = ARENA_INIT;

static struct validation of(enum challenge_type type, bool wildcard) {
    return (struct validation){
        .options = &options, .arena = &arena, .identifier = {IDENTIFIER_DNS, "a.b.example"},
        .wildcard = wildcard, .type = type, .token = "token", .authorization = "token.thumb",
        .account_url = ACCOUNT,
        .resolver = {servers, clock_monotonic_ns() + INT64_C(5000000000)}};
}

/* The answer is these records at the challenge's name; "" stands for the right one. */
static struct acme_problem try(enum challenge_type type, bool wildcard, const char *const values[]) {
    struct validation v = of(type, wildcard);
    const char *name = challenge_record_name(type, &v.identifier, ACCOUNT, &arena);
    zone_count = 0;
    for (; *values != NULL; values++) {
        zone[zone_count++] = (struct record){
            name, TXT, **values == '\0' ? challenge_txt(v.authorization, &arena) : *values};
    }
    struct status status = validation_dns(&v);
    cr_expect_eq(status_ok(status), v.problem.error == ACME_NONE);
    return v.problem;
}

#define TRY_RECORDS(type, wildcard, ...) try(type, wildcard, (const char *const[]){__VA_ARGS__, NULL})

static void expect(struct acme_problem problem, enum acme_error error, const char *text) {
    cr_expect_eq(problem.error, error, "%s: %s", acme_error_name(problem.error), problem.detail);
    cr_expect(error == ACME_NONE || strstr(problem.detail, text) != NULL, "%s", problem.detail);
}

Test(validation, a_record_is_the_right_one) {
    static const enum challenge_type types[] = {CHALLENGE_DNS_01, CHALLENGE_DNS_ACCOUNT_01};
    for (size_t i = 0; i < 2; i++) {
        expect(TRY_RECORDS(types[i], false, ""), ACME_NONE, NULL);
        expect(TRY_RECORDS(types[i], true, "other", ""), ACME_NONE, NULL);
        expect(TRY_RECORDS(types[i], false, "other", "another"), ACME_UNAUTHORIZED,
               "Incorrect TXT records");
        expect(try(types[i], false, (const char *const[]){NULL}), ACME_UNAUTHORIZED,
               "No TXT record found");
    }
}

#define PERSIST "ca.example; accounturi=" ACCOUNT

Test(validation, a_persisting_record_names_ca_and_account) {
    const enum challenge_type type = CHALLENGE_DNS_PERSIST_01;
    expect(TRY_RECORDS(type, false, PERSIST), ACME_NONE, NULL);
    expect(TRY_RECORDS(type, false, PERSIST "; persistUntil=4102444800"), ACME_NONE, NULL);
    expect(TRY_RECORDS(type, true, PERSIST "; policy=wildcard"), ACME_NONE, NULL);
    expect(TRY_RECORDS(type, false, "ca.example", PERSIST), ACME_NONE, NULL);
}

Test(validation, what_is_wrong_with_a_persisting_record_is_said) {
    const enum challenge_type type = CHALLENGE_DNS_PERSIST_01;
    expect(try(type, false, (const char *const[]){NULL}), ACME_UNAUTHORIZED, "No TXT record found");
    expect(TRY_RECORDS(type, false, "other.example; accounturi=" ACCOUNT, "x=y"),
           ACME_UNAUTHORIZED, "No valid TXT record found");
    expect(TRY_RECORDS(type, false, "ca.example"), ACME_MALFORMED, "missing mandatory accounturi");
    expect(TRY_RECORDS(type, false, PERSIST "; persistUntil=soon"), ACME_MALFORMED, "persistUntil");
    expect(TRY_RECORDS(type, false, PERSIST "; persistUntil="), ACME_MALFORMED, "persistUntil");
    expect(TRY_RECORDS(type, false, PERSIST "; persistUntil=99999999999999999999"),
           ACME_MALFORMED, "persistUntil");
    expect(TRY_RECORDS(type, false, PERSIST "2", "ca.example"), ACME_UNAUTHORIZED,
           "accounturi mismatch");
    expect(TRY_RECORDS(type, true, PERSIST), ACME_UNAUTHORIZED, "policy mismatch");
    expect(TRY_RECORDS(type, false, PERSIST "; persistUntil=1700000000"), ACME_UNAUTHORIZED,
           "after persistUntil");
}

/* ---- CAA ---- */

static enum acme_error allowed(enum challenge_type type, const char *at, const char *value) {
    struct validation v = of(type, false);
    zone[0] = (struct record){at, CAA, value};
    zone_count = 1;
    cr_expect_eq(status_ok(validation_caa(&v)), v.problem.error == ACME_NONE);
    return v.problem.error;
}

Test(validation, caa_says_who_may) {
    const enum challenge_type type = CHALLENGE_DNS_01;
    cr_expect_eq(allowed(type, "c.example", ";"), ACME_NONE);
    cr_expect_eq(allowed(type, "a.b.example", "ca.example"), ACME_NONE);
    cr_expect_eq(allowed(type, "a.b.example", ";"), ACME_CAA);
    cr_expect_eq(allowed(type, "example", "other.example"), ACME_CAA, "it is inherited");
    cr_expect_eq(allowed(type, "b.example", "ca.example; accounturi=" ACCOUNT), ACME_NONE);
    cr_expect_eq(allowed(type, "b.example", "ca.example; accounturi=" ACCOUNT "2"), ACME_CAA);
    cr_expect_eq(allowed(type, "b.example", "ca.example; validationmethods=http-01,dns-01"),
                 ACME_NONE);
    cr_expect_eq(allowed(type, "b.example", "ca.example; validationmethods=http-01"), ACME_CAA);
}
