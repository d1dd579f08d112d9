/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/ca/signer.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <openssl/ocsp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "acme/ca/signer_process.h"
#include "base/log.h"

static struct ca_fixture f;
static const struct acme_identifier name = {IDENTIFIER_DNS, "a.example"};

static void setup(void) { ca_fixture_init(&f); }
static void teardown(void) { ca_fixture_release(&f); }
TestSuite(signer, .init = setup, .fini = teardown);

static struct ca_signer *start(void) {
    struct ca_signer *signer;
    const struct ca_key_source keys[] = {{.file = f.issuing_key}};
    const struct ca_signer_config config = {
        .issuers = &f.issuer, .keys = keys, .issuer_count = 1,
        .log_key_file = f.log_key, .log_origin = "ca.example/log",
        .passphrase_file = f.passphrase, .profiles = ca_profiles_default,
        .profile_count = CA_ROLE_COUNT, .policy = &f.policy};
    cr_assert(status_ok(ca_signer_start(&config, &signer)));
    return signer;
}

static struct buffer draft(size_t profile, const struct acme_identifier *identifier) {
    X509 *certificate;
    uint8_t *der = NULL;
    struct buffer out = BUFFER_INIT;
    EVP_PKEY *key = fixture_key();
    struct ca_template template = {.profile = &ca_profiles_default[profile], .issuer = &f.issuer,
                                   .key = fixture_key_info(&f, key), .identifiers = identifier, .identifier_count = 1,
                                   .not_before = fixture_now()};
    cr_assert(status_ok(ca_serial_new(template.serial)));
    cr_assert(status_ok(ca_template_build(&template, f.throwaway, &certificate)));
    int len = i2d_X509(certificate, &der);
    cr_assert(status_ok(buffer_append(&out, span_of(der, (size_t)len))));
    OPENSSL_free(der);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return out;
}

Test(signer, signs_what_was_linted) {
    struct ca_signer *signer = start();
    struct ca_finding finding;
    struct buffer drafted = draft(CA_ROLE_WEB, &name);
    for (int i = 0; i < 20; i++) {
        struct buffer final = BUFFER_INIT;
        cr_assert(status_ok(ca_signer_certificate(signer, 0, CA_ROLE_WEB, buffer_span(&drafted),
                                                  &final, &finding)));
        cr_expect(status_ok(
            ca_lint_same(buffer_span(&drafted), buffer_span(&final), &f.issuer, &finding)));
        buffer_release(&final);
    }
    buffer_release(&drafted);
    ca_signer_stop(signer);
}

static const char *refusal(struct ca_signer *signer, size_t profile, const struct buffer *drafted) {
    static struct ca_finding finding;
    struct buffer final = BUFFER_INIT;
    struct status status =
        ca_signer_certificate(signer, 0, profile, buffer_span(drafted), &final, &finding);
    cr_expect_eq(status.code, STATUS_VERIFY_FAILED);
    cr_expect_eq(final.len, 0);
    buffer_release(&final);
    return finding.lint;
}

/* Whatever the server was made to ask, the signer goes by its own rules. */
Test(signer, refuses_what_its_own_lints_refuse) {
    struct ca_signer *signer = start();
    struct buffer web = draft(CA_ROLE_WEB, &name);
    cr_expect_str_eq(refusal(signer, CA_ROLE_CLIENT, &web), "validity_inclusive");
    cr_expect_str_eq(refusal(signer, 99, &web), "signer");
    buffer_release(&web);
    const struct acme_identifier foreign = {IDENTIFIER_DNS, "elsewhere.test"};
    struct buffer other = draft(CA_ROLE_WEB, &foreign);
    cr_expect_str_eq(refusal(signer, CA_ROLE_WEB, &other), "names_allowed");
    other.len = 10;
    cr_expect_str_eq(refusal(signer, CA_ROLE_WEB, &other), "der");
    buffer_release(&other);
    ca_signer_stop(signer);
}

/* In the name of `responder`, for a certificate of no matter which number. */
static bool signs_ocsp(struct ca_signer *signer, X509 *responder, int64_t seconds) {
    X509 *fake = X509_dup(responder);
    OCSP_BASICRESP *answer = OCSP_BASICRESP_new();
    OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), f.issuing, f.issuing);
    ASN1_TIME *from = ASN1_GENERALIZEDTIME_set(NULL, (time_t)fixture_now());
    ASN1_TIME *until = ASN1_GENERALIZEDTIME_set(NULL, (time_t)(fixture_now() + seconds));
    struct buffer final = BUFFER_INIT;
    struct ca_finding finding;
    uint8_t *der = NULL;
    X509_set_pubkey(fake, f.throwaway);
    cr_assert_not_null(OCSP_basic_add1_status(answer, id, V_OCSP_CERTSTATUS_GOOD, 0, NULL, from,
                                              seconds == 0 ? NULL : until));
    cr_assert_eq(OCSP_basic_sign(answer, fake, f.throwaway, EVP_sha256(), NULL, OCSP_NOCERTS), 1);
    int len = i2d_OCSP_BASICRESP(answer, &der);
    bool made =
        status_ok(ca_signer_ocsp(signer, 0, span_of(der, (size_t)len), &final, &finding));
    cr_expect(made || strcmp(finding.lint, "signer") == 0);
    OPENSSL_free(der);
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
    OCSP_CERTID_free(id);
    OCSP_BASICRESP_free(answer);
    X509_free(fake);
    buffer_release(&final);
    return made;
}

Test(signer, ocsp_is_the_issuers_and_ends) {
    struct ca_signer *signer = start();
    struct buffer final = BUFFER_INIT;
    struct ca_finding finding;
    cr_expect(signs_ocsp(signer, f.issuing, CA_OCSP_LIFETIME));
    cr_expect(!signs_ocsp(signer, f.issuing, CA_OCSP_LIFETIME + 3600), "it holds for too long");
    cr_expect(!signs_ocsp(signer, f.issuing, 0), "it holds for ever");
    cr_expect(!signs_ocsp(signer, f.root, CA_OCSP_LIFETIME), "it is the root's");
    struct buffer drafted = draft(CA_ROLE_WEB, &name); /* a certificate is no answer */
    cr_expect(!status_ok(
        ca_signer_ocsp(signer, 0, buffer_span(&drafted), &final, &finding)));
    buffer_release(&drafted);
    buffer_release(&final);
    ca_signer_stop(signer);
}

Test(signer, checkpoints_never_contradict) {
    struct ca_signer *signer = start();
    struct ca_finding finding;
    uint8_t signature[CA_LOG_SIGNATURE_SIZE];
    static const char *const good = "ca.example/log\n7\nAAAA\n";
    cr_expect(status_ok(ca_signer_checkpoint(signer, span_of_string(good), signature, &finding)));
    cr_expect(status_ok(ca_signer_checkpoint(signer, span_of_string(good), signature, &finding)));
    static const char *const bad[] = {"ca.example/log\n7\nBBBB\n", "ca.example/log\n6\nAAAA\n",
                                      "other/log\n8\nAAAA\n", "ca.example/log8\n"};
    for (size_t i = 0; i < 4; i++) {
        cr_expect(!status_ok(
            ca_signer_checkpoint(signer, span_of_string(bad[i]), signature, &finding)));
    }
    cr_expect(status_ok(ca_signer_checkpoint(
        signer, span_of_string("ca.example/log\n8\nCCCC\n"), signature, &finding)));
    ca_signer_stop(signer);
}

Test(signer, needs_the_passphrase_and_the_right_key) {
    struct ca_signer *signer = NULL;
    struct ca_key_source keys[] = {{.file = f.log_key}};
    struct ca_signer_config config = {
        .issuers = &f.issuer, .keys = keys, .issuer_count = 1, .log_key_file = f.log_key,
        .log_origin = "x", .passphrase_file = f.passphrase, .policy = &f.policy};
    log_configure(LOG_OFF, LOG_TEXT, STDERR_FILENO);
    cr_expect_eq(ca_signer_start(&config, &signer).code, STATUS_INVALID_CONFIG);
    keys[0].file = f.issuing_key;
    FILE *file = fopen(f.passphrase, "w");
    fputs("other words\n", file);
    fclose(file);
    cr_expect_eq(ca_signer_start(&config, &signer).code, STATUS_INVALID_CONFIG);
}

Test(signer, its_end_is_noticed) {
    struct ca_signer *signer = start();
    struct buffer drafted = draft(CA_ROLE_WEB, &name);
    struct buffer final = BUFFER_INIT;
    struct ca_finding finding;
    log_configure(LOG_OFF, LOG_TEXT, STDERR_FILENO);
    kill(ca_signer_process(signer), SIGKILL);
    cr_expect_eq(ca_signer_certificate(signer, 0, CA_ROLE_WEB, buffer_span(&drafted), &final,
                                       &finding)
                     .code,
                 STATUS_CRYPTO);
    buffer_release(&drafted);
    buffer_release(&final);
    ca_signer_stop(signer);
}

/* How a child ends that confines itself and then does `forbidden`. */
static int confined(void (*forbidden)(int fd)) {
    int ends[2];
    int status;
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    pid_t child = fork();
    if (child == 0) {
        if (status_ok(signer_confine(&ends[0], 1))) {
            forbidden(ends[0]);
        }
        _exit(42);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    close(ends[0]);
    close(ends[1]);
    return status;
}

static void nothing(int fd) { (void)fd; }
static void open_file(int fd) { (void)fd; (void)!open("/dev/null", O_RDONLY); }
static void make_socket(int fd) { (void)fd; (void)!socket(AF_INET, SOCK_STREAM, 0); }
static void make_process(int fd) { (void)fd; (void)!fork(); }
static void read_other(int fd) {
    char byte;
    (void)!read(fd + 1, &byte, 0);
}

Test(signer, confinement) {
    static void (*const forbidden[])(int) = {open_file, make_socket, make_process, read_other};
    int status = confined(nothing);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 42, "status %x", (unsigned)status);
    for (size_t i = 0; i < 4; i++) {
        status = confined(forbidden[i]);
        cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "case %zu: status %x", i,
                  (unsigned)status);
    }
}
