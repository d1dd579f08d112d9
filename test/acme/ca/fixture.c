/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "acme/certificate.h"
#include "acme/key_info.h"
#include "base/clock.h"
#include "fixture_database.h"

static const char *const domains[] = {"example", "localhost"};
static struct ca_network networks[2];

int64_t fixture_now(void) { return (int64_t)clock_now_s(&clock_system); }

EVP_PKEY *fixture_key(void) {
    EVP_PKEY *key;
    cr_assert(status_ok(key_new(KEY_P256, &key)));
    return key;
}

struct span fixture_key_info(struct ca_fixture *f, const EVP_PKEY *key) {
    struct span der;
    cr_assert(status_ok(key_info_of(key, &f->arena, &der)));
    return der;
}

static void write_file(const char *path, struct span text) {
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    cr_assert_eq(fwrite(text.data, 1, text.len, file), text.len);
    cr_assert_eq(fclose(file), 0);
}

static void write_key(const char *path, EVP_PKEY *key) {
    struct buffer pem = BUFFER_INIT;
    cr_assert(status_ok(ca_key_write(key, SPAN_OF_LITERAL("secret words"), &pem)));
    write_file(path, buffer_span(&pem));
    buffer_release(&pem);
}

static void write_certificate(const char *path, X509 *certificate) {
    struct buffer pem = BUFFER_INIT;
    cr_assert(status_ok(certificate_write(certificate, &pem)));
    write_file(path, buffer_span(&pem));
    buffer_release(&pem);
}

void ca_fixture_init(struct ca_fixture *f) {
    EVP_PKEY *log_key;
    int64_t now = fixture_now() - CA_DAY;
    *f = (struct ca_fixture){.folder = "/tmp/moiety-ca-test-XXXXXX"};
    cr_assert_not_null(mkdtemp(f->folder));
    snprintf(f->issuing_pem, sizeof f->issuing_pem, "%s/issuing.pem", f->folder);
    snprintf(f->issuing_key, sizeof f->issuing_key, "%s/issuing.key", f->folder);
    snprintf(f->root_pem, sizeof f->root_pem, "%s/root.pem", f->folder);
    snprintf(f->log_key, sizeof f->log_key, "%s/log.key", f->folder);
    snprintf(f->passphrase, sizeof f->passphrase, "%s/passphrase", f->folder);
    ca_fixture_database(f->folder, f->database);
    cr_assert(status_ok(ca_root_make("Test Root", now, &f->root_private, &f->root)));
    cr_assert(status_ok(ca_issuing_make("Test Issuing", now, f->root_private, f->root,
                                        &f->issuing_private, &f->issuing)));
    cr_assert(status_ok(ca_log_key_make(&log_key)));
    write_file(f->passphrase, SPAN_OF_LITERAL("secret words\n"));
    write_key(f->issuing_key, f->issuing_private);
    write_key(f->log_key, log_key);
    write_certificate(f->issuing_pem, f->issuing);
    write_certificate(f->root_pem, f->root);
    EVP_PKEY_free(log_key);
    X509_up_ref(f->issuing);
    cr_assert(status_ok(ca_issuer_init(&f->issuer, f->issuing, "http://ca.example", 4)));
    cr_assert(status_ok(ca_network_parse("10.0.0.0/8", &networks[0])));
    cr_assert(status_ok(ca_network_parse("127.0.0.1", &networks[1])));
    f->policy = (struct ca_policy){.domains = domains, .domain_count = 2, .networks = networks,
                                   .network_count = 2};
    f->throwaway = fixture_key();
}

void ca_fixture_release(struct ca_fixture *f) {
    DIR *folder = opendir(f->folder);
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        unlinkat(dirfd(folder), entry->d_name, 0);
    }
    closedir(folder);
    rmdir(f->folder);
    ca_issuer_release(&f->issuer);
    X509_free(f->issuing);
    X509_free(f->root);
    EVP_PKEY_free(f->root_private);
    EVP_PKEY_free(f->issuing_private);
    EVP_PKEY_free(f->throwaway);
    arena_release(&f->arena);
}
