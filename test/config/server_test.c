/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "config/keyfile.h"
#include "config/server.h"

static char folder[] = "/tmp/moiety-config-XXXXXX";
static char file[64];
static struct arena arena;
static struct buffer errors;

static void setup(void) {
    cr_assert_not_null(mkdtemp(folder));
    snprintf(file, sizeof(file), "%s/m.yaml", folder);
}

static void teardown(void) {
    unlink(file);
    rmdir(folder);
    arena_release(&arena);
    buffer_release(&errors);
}
TestSuite(server, .init = setup, .fini = teardown);

#define HEAD "database: sqlite:m.db\nwrapping_keys: [w.key]\n"

static struct status load(const char *text, struct server_config *out) {
    FILE *stream = fopen(file, "w");
    cr_assert_not_null(stream);
    fputs(text, stream);
    fclose(stream);
    buffer_clear(&errors);
    return server_config_load(file, &arena, out, &errors);
}

static void expect_mistake(const char *text, const char *message) {
    struct server_config config;
    cr_assert_eq(load(text, &config).code, STATUS_INVALID_CONFIG, "accepted: %s", text);
    cr_assert(buffer_append_u8(&errors, 0).code == STATUS_OK);
    cr_assert_not_null(strstr((const char *)errors.data, message), "%s\ngave: %s", text,
                       (const char *)errors.data);
}

Test(server, paths_are_taken_from_the_files_folder) {
    struct server_config config;
    char expected[96];
    cr_assert(status_ok(load(HEAD "listen: [{address: \"127.0.0.1:0\"}]\n", &config)), "%.*s",
              (int)errors.len, (const char *)errors.data);
    snprintf(expected, sizeof(expected), "sqlite:%s/m.db", folder);
    cr_assert_str_eq(config.database, expected);
    snprintf(expected, sizeof(expected), "%s/w.key", folder);
    cr_assert_str_eq(config.wrapping_keys.items[0], expected);
    cr_assert_str_eq(config.base_path, "");
    cr_assert_null(config.admin.address);
    cr_assert_eq(server_config_kem(&config), 0x20);
    cr_assert_eq(server_config_aead(&config), 1);
    cr_assert_eq(config.limits.upload_bytes, 1 << 30);
}

Test(server, plain_http_beyond_this_machine_must_be_asked_for) {
    struct server_config config;
    expect_mistake(HEAD "listen:\n  - address: 0.0.0.0:80\n",
                   ":4: 0.0.0.0:80 can be reached from other machines");
    expect_mistake(HEAD "listen: [{address: \"127.0.0.1:0\"}]\nadmin: {address: \"[::]:80\"}\n",
                   "[::]:80 can be reached from other machines");
    cr_assert(status_ok(
        load(HEAD "listen: [{address: \"0.0.0.0:80\", allow_plain_http: true}]\n", &config)));
    cr_assert(status_ok(load(
        HEAD "listen: [{address: \"0.0.0.0:80\", tls: {certificate: a, key: b}}]\n", &config)));
    cr_assert(status_ok(load(HEAD "listen: [{address: \"[::1]:80\"}]\n", &config)));
}

Test(server, mistakes_across_keys) {
    expect_mistake(HEAD "listen: []\n", "expected at least one address");
    expect_mistake(HEAD "listen: [{address: localhost:80}]\n", "expected a numeric address");
    expect_mistake(HEAD "listen: [{address: \"127.0.0.1:70000\"}]\n", "expected a numeric address");
    expect_mistake(HEAD "listen: [{address: \"127.0.0.1:1\", tls: {certificate: a, key: b, "
                        "client_certificate: required}}]\n",
                   "needs client_ca");
    expect_mistake(HEAD "listen: [{address: \"127.0.0.1:1\", tls: {certificate: a, key: b, "
                        "client_ca: c}}]\n",
                   "has no effect");
    expect_mistake(HEAD "listen: [{address: \"127.0.0.1:1\"}]\nbase_path: dap/\n",
                   "expected a path such as /dap");
    expect_mistake(HEAD "listen: [{address: \"127.0.0.1:1\"}]\npeers: {certificate: c}\n",
                   "go together");
    expect_mistake("database: x\nwrapping_keys: []\nlisten: [{address: \"127.0.0.1:1\"}]\n",
                   "wrapping_keys: expected at least one file");
}

/* The sample in docs/ is the table's, and is a configuration itself. */
#define ACME_LISTENER HEAD "listen: [{address: \"0.0.0.0:443\", tls: acme}]\n"

Test(server, tls_by_acme_is_said_in_a_word) {
    struct server_config config;
    cr_assert(status_ok(load(ACME_LISTENER "acme: {names: [a.example], folder: acme}\n", &config)),
              "%.*s", (int)errors.len, (const char *)errors.data);
    cr_assert(server_config_uses_acme(&config));
    cr_assert_eq(config.acme.challenge, 2); /* tls-alpn-01 */
    cr_assert(status_ok(load(HEAD "listen: [{address: \"127.0.0.1:0\"}]\n", &config)));
    cr_assert_not(server_config_uses_acme(&config));
}

Test(server, tls_is_by_files_or_by_acme) {
    expect_mistake(ACME_LISTENER, "needs a section acme");
    expect_mistake(ACME_LISTENER "acme: {names: [], folder: a}\n", "at least one name");
    expect_mistake(ACME_LISTENER "acme: {names: [a.example]}\n", "a folder, or keep: database");
    expect_mistake(ACME_LISTENER "acme: {names: [a.example], folder: a, challenge: dns-01}\n",
                   "dns-01 needs acme.hook");
    expect_mistake(ACME_LISTENER "acme: {names: [a.example], folder: a, eab_kid: k}\n",
                   "eab_kid needs eab_key");
    expect_mistake(ACME_LISTENER "acme: {names: [a.example], folder: a, http: \"x:80\"}\n",
                   "acme.http: expected a numeric address");
    expect_mistake(HEAD "listen: [{address: \"127.0.0.1:1\", tls: files}]\n",
                   "expected a section of keys");
    expect_mistake(HEAD "listen: [{address: \"127.0.0.1:1\", tls: {client_ca: c}}]\n",
                   "expected certificate and key, or acme");
    expect_mistake(HEAD "listen: [{address: \"127.0.0.1:1\", tls: {certificate: c}}]\n",
                   "certificate and key go together");
    expect_mistake(
        HEAD "listen: [{address: \"127.0.0.1:1\", tls: {acme: true, certificate: c, key: k}}]\n",
        "expected certificate and key, or acme");
}

Test(server, sample) {
    struct buffer sample = BUFFER_INIT;
    struct server_config config;
    struct span committed;
    cr_assert(status_ok(server_config_sample(&sample)));
    cr_assert(status_ok(file_read(MOIETY_SAMPLE, 1 << 20, &arena, &committed)));
    cr_assert(span_equal_vartime(committed, buffer_span(&sample)),
              "run: moietyd --print-config > docs/moietyd.yaml");
    cr_assert(buffer_append_u8(&sample, 0).code == STATUS_OK);
    cr_assert(status_ok(load((const char *)sample.data, &config)), "%.*s", (int)errors.len,
              (const char *)errors.data);
    buffer_release(&sample);
}

/* With every comment mark taken away it is one too, so that each example and
 * each default is accepted by the key that shows it. */
Test(server, sample_uncommented) {
    struct buffer sample = BUFFER_INIT;
    struct buffer bare = BUFFER_INIT;
    struct server_config config;
    cr_assert(status_ok(server_config_sample(&sample)));
    bool start = true;
    for (size_t i = 0; i < sample.len; i++) {
        uint8_t c = sample.data[i];
        bool mark = start && c == '#' && i + 1 < sample.len && sample.data[i + 1] != ' ' ;
        bool indented = start && c == '#' && i + 2 < sample.len && sample.data[i + 1] == ' ' &&
                        sample.data[i + 2] == ' ';
        if (!mark && !indented) {
            cr_assert(buffer_append_u8(&bare, c).code == STATUS_OK);
        }
        start = c == '\n';
    }
    cr_assert(buffer_append_u8(&bare, 0).code == STATUS_OK);
    (void)load((const char *)bare.data, &config).code;
    cr_assert(buffer_append_u8(&errors, 0).code == STATUS_OK);
    /* Only what an example can't know: that a client CA wants certificates. */
    char *line = strtok((char *)errors.data, "\n");
    for (; line != NULL; line = strtok(NULL, "\n")) {
        cr_assert_not_null(strstr(line, "client_ca has no effect"), "%s", line);
    }
    cr_assert_eq(config.timeouts.idle, 75000000);
    cr_assert_str_eq(config.base_path, "/dap");
    cr_assert_not_null(config.admin.tls.certificate);
    buffer_release(&sample);
    buffer_release(&bare);
}

Test(server, key_files) {
    uint8_t key[KEYFILE_KEY_SIZE], read[KEYFILE_KEY_SIZE];
    for (size_t i = 0; i < sizeof(key); i++) {
        key[i] = (uint8_t)(i * 9);
    }
    cr_assert(status_ok(keyfile_create(file, key)));
    cr_assert_eq(keyfile_create(file, key).code, STATUS_CONFLICT);
    cr_assert(status_ok(keyfile_read(file, read, &errors)));
    cr_assert_arr_eq(key, read, sizeof(key));

    cr_assert_eq(chmod(file, 0644), 0);
    cr_assert_eq(keyfile_read(file, read, &errors).code, STATUS_INVALID_CONFIG);
    cr_assert_eq(chmod(file, 0600), 0);
    cr_assert_eq(truncate(file, 63), 0);
    cr_assert_eq(keyfile_read(file, read, &errors).code, STATUS_INVALID_CONFIG);
    cr_assert_eq(unlink(file), 0);
    cr_assert_eq(keyfile_read(file, read, &errors).code, STATUS_INVALID_CONFIG);
    cr_assert(buffer_append_u8(&errors, 0).code == STATUS_OK);
    cr_assert_not_null(strstr((const char *)errors.data, "everyone on this machine"));
    cr_assert_not_null(strstr((const char *)errors.data, "expected a key of 64"));
    cr_assert_not_null(strstr((const char *)errors.data, "no such file"));
}
