/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "acme/ca/log.h"
#include "acme/certificate.h"
#include "acme/json.h"
#include "base/file.h"
#include "ca_config.h"
#include "http.h"

static const char *verifier, *state_path = "ca-audit.state";
static bool quiet;
static struct cli_http http;

static const struct option_spec options[] = {
    {"verifier", OPTION_STRING, &verifier, "KEY",
     "the log's key, as /log/key shows it; needed the\nfirst time", NULL},
    {"state", OPTION_STRING, &state_path, "FILE",
     "what was seen; default ca-audit.state", NULL},
    {"quiet", OPTION_FLAG, &quiet, NULL, "print no certificates", NULL},
    CLI_HTTP_OPTIONS(http),
    {.name = NULL},
};

static const struct command_spec command = {
    .name = "moiety ca audit",
    .arguments = "[options] URL",
    .summary = "Checks the log of everything that a CA issued, and prints what is new.",
    .help = "The first time it reads the whole log, then what came since; the file remembers\n"
            "the tree. Every certificate's hash goes into the tree again, whose root must be\n"
            "the one that the CA signed: so nothing that was seen can go or change, and\n"
            "nothing is in the log that is not shown. Run it from where the CA's operator has\n"
            "no say. Exit status 1 says that the log is wrong, or can't be read.\n",
    .options = options,
    .min_arguments = 1,
    .max_arguments = 1,
};

/* The tree as far as it was seen: its newest complete subtree of each size, which
 * is all that going on takes. */
struct tree {
    uint64_t size;
    struct {
        uint64_t index;
        struct merkle_hash hash;
        bool known;
    } newest[64];
};

struct audit {
    struct arena arena;
    const char *url;
    const char *verifier;
    const char *origin;
    uint8_t key[CA_LOG_KEY_SIZE];
    struct tree tree;
};

static struct status node_get(void *context, unsigned level, uint64_t index,
                              struct merkle_hash *out) {
    const struct tree *tree = context;
    if (level >= 64 || !tree->newest[level].known || tree->newest[level].index != index) {
        return FAIL(NOT_FOUND);
    }
    *out = tree->newest[level].hash;
    return OK;
}

/* A node on the right replaces one that is not needed again: its parent is made
 * at once. */
static struct status node_put(void *context, unsigned level, uint64_t index,
                              const struct merkle_hash *hash) {
    struct tree *tree = context;
    if ((index & 1) == 1) {
        return OK;
    }
    tree->newest[level].index = index;
    tree->newest[level].hash = *hash;
    tree->newest[level].known = true;
    return OK;
}

/* ---- State ---- */

static bool hash_read(const char *text, struct merkle_hash *out) {
    for (size_t i = 0; i < MERKLE_HASH_SIZE; i++) {
        unsigned byte;
        if (sscanf(text + 2 * i, "%2x", &byte) != 1) {
            return false;
        }
        out->bytes[i] = (uint8_t)byte;
    }
    return true;
}

static bool state_parse(struct audit *a, const char *text) {
    char key[512];
    int used;
    if (sscanf(text, "moiety-ca-audit 1\n%500s\n%" SCNu64 "\n%n", key, &a->tree.size, &used) != 2) {
        return false;
    }
    a->verifier = arena_printf(&a->arena, "%s", key);
    for (const char *at = text + used; *at != '\0'; at += used) {
        unsigned level;
        uint64_t index;
        char hash[65];
        if (sscanf(at, "%u %" SCNu64 " %64[0-9a-f]\n%n", &level, &index, hash, &used) != 3 ||
            level >= 64 || strlen(hash) != 64) {
            return false;
        }
        a->tree.newest[level].index = index;
        a->tree.newest[level].known = hash_read(hash, &a->tree.newest[level].hash);
    }
    return true;
}

static bool state_load(struct audit *a) {
    enum { STATE_MAX = 64 * 1024 };
    struct span text;
    struct status status = file_read(state_path, STATE_MAX, &a->arena, &text);
    if (status.code == STATUS_NOT_FOUND) {
        a->verifier = verifier;
        return verifier != NULL ||
               (cli_fail("%s is not there: the first time --verifier is needed", state_path),
                false);
    }
    const char *copy = status_ok(status) ? arena_printf(&a->arena, "%.*s", (int)text.len,
                                                        (const char *)text.data)
                                         : NULL;
    if (copy == NULL || !state_parse(a, copy)) {
        return cli_fail("%s can't be read", state_path), false;
    }
    if (verifier != NULL && strcmp(verifier, a->verifier) != 0) {
        return cli_fail("%s is of another log", state_path), false;
    }
    return true;
}

static bool state_save(struct audit *a) {
    struct buffer text = BUFFER_INIT;
    struct status status = buffer_printf(&text, "moiety-ca-audit 1\n%s\n%" PRIu64 "\n",
                                         a->verifier, a->tree.size);
    for (unsigned level = 0; level < 64 && status_ok(status); level++) {
        if (!a->tree.newest[level].known) {
            continue;
        }
        status = buffer_printf(&text, "%u %" PRIu64 " ", level, a->tree.newest[level].index);
        for (size_t i = 0; i < MERKLE_HASH_SIZE && status_ok(status); i++) {
            status = buffer_printf(&text, "%02x", a->tree.newest[level].hash.bytes[i]);
        }
        if (status_ok(status)) {
            status = buffer_append_string(&text, "\n");
        }
    }
    if (status_ok(status)) {
        status = file_replace(state_path, buffer_span(&text), 0644);
    }
    buffer_release(&text);
    return status_ok(status) || (cli_fail_status(status, "%s", state_path), false);
}

/* ---- The log ---- */

/* NULL if it can't be had, which was said. */
static struct http_client_response *get(struct audit *a, const char *path) {
    const char *url = arena_printf(&a->arena, "%s%s", a->url, path);
    struct http_client_response *response =
        url == NULL ? NULL : cli_http_call(&http, "GET", url, NULL, SPAN_EMPTY, SPAN_EMPTY);
    if (response == NULL) {
        return cli_fail("out of memory"), NULL;
    }
    if (!status_ok(response->outcome) || response->status != 200) {
        cli_fail("%s: %s", url, cli_http_explain(response));
        http_client_response_free(response);
        return NULL;
    }
    return response;
}

static bool read_checkpoint(struct audit *a, struct ca_checkpoint *out) {
    struct http_client_response *response = get(a, "/log/checkpoint");
    if (response == NULL) {
        return false;
    }
    struct status status =
        ca_checkpoint_verify(buffer_span(&response->body), a->origin, a->key, out);
    http_client_response_free(response);
    return status_ok(status) || (cli_fail("the checkpoint is not signed by the log's key"), false);
}

static void print_certificate(struct audit *a, const X509 *certificate) {
    struct certificate_times times;
    struct acme_identifier *names;
    size_t count = 0;
    char from[CLI_TIME_MAX];
    char until[CLI_TIME_MAX];
    if (quiet || !status_ok(certificate_times_of(certificate, &times))) {
        return;
    }
    printf("%" PRIu64 "  %s  %s ", a->tree.size,
           cli_format_time((uint64_t)times.not_before, from),
           cli_format_time((uint64_t)times.not_after, until));
    if (status_ok(certificate_identifiers(certificate, &a->arena, &names, &count))) {
        for (size_t i = 0; i < count; i++) {
            printf(" %s", names[i].value);
        }
    }
    printf("\n");
}

static bool take_entry(struct audit *a, const char *text) {
    struct merkle_hash leaf;
    const struct merkle_nodes nodes = {&a->tree, node_get, node_put};
    size_t len = text == NULL ? 0 : strlen(text);
    uint8_t *der = arena_alloc(&a->arena, len + 4, 1);
    int got = der == NULL ? -1 : EVP_DecodeBlock(der, (const uint8_t *)text, (int)len);
    if (got <= 0) {
        return cli_fail("leaf %" PRIu64 " is not base64", a->tree.size), false;
    }
    size_t padding = (text[len - 1] == '=') + (len > 1 && text[len - 2] == '=');
    struct span bytes = span_of(der, (size_t)got - padding);
    const uint8_t *at = bytes.data;
    X509 *certificate = d2i_X509(NULL, &at, (long)bytes.len);
    if (certificate == NULL) {
        return cli_fail("leaf %" PRIu64 " is no certificate", a->tree.size), false;
    }
    print_certificate(a, certificate);
    X509_free(certificate);
    struct status status = merkle_leaf(bytes, &leaf);
    if (status_ok(status)) {
        status = merkle_append(&nodes, a->tree.size, &leaf);
    }
    a->tree.size += status_ok(status);
    return status_ok(status) || (cli_fail_status(status, "the state is not whole"), false);
}

/* A page of entries, but none beyond `end`. */
static bool take_page(struct audit *a, uint64_t end) {
    json_t *document;
    const char *path = arena_printf(&a->arena, "/log/entries?start=%" PRIu64, a->tree.size);
    struct http_client_response *response = path == NULL ? NULL : get(a, path);
    if (response == NULL) {
        return false;
    }
    struct status status =
        response->body.len == 0
            ? FAIL(INVALID_MESSAGE)
            : (document = json_loadb((const char *)response->body.data, response->body.len, 0,
                                     NULL),
               document == NULL ? FAIL(INVALID_MESSAGE) : OK);
    http_client_response_free(response);
    if (!status_ok(status)) {
        return cli_fail("the log's entries are not JSON"), false;
    }
    const json_t *list = json_object_get(document, "certificates");
    bool good = json_array_size(list) > 0 ||
                (cli_fail("the log has fewer entries than its checkpoint says"), false);
    for (size_t i = 0; good && i < json_array_size(list) && a->tree.size < end; i++) {
        good = take_entry(a, json_string_value(json_array_get(list, i)));
    }
    json_decref(document);
    return good;
}

static bool audit_run(struct audit *a) {
    struct ca_checkpoint checkpoint;
    struct merkle_hash root;
    const struct merkle_nodes nodes = {&a->tree, node_get, node_put};
    uint64_t before = a->tree.size;
    if (!read_checkpoint(a, &checkpoint)) {
        return false;
    }
    if (checkpoint.size < before) {
        return cli_fail("the log went back from %" PRIu64 " to %" PRIu64 " entries", before,
                        checkpoint.size),
               false;
    }
    while (a->tree.size < checkpoint.size) {
        if (!take_page(a, checkpoint.size)) {
            return false;
        }
    }
    struct status status = merkle_root(&nodes, a->tree.size, &root);
    if (!status_ok(status) ||
        memcmp(root.bytes, checkpoint.root.bytes, sizeof root.bytes) != 0) {
        return cli_fail("the CA signed another tree than the one it shows: entries were "
                        "changed, left out or hidden"),
               false;
    }
    printf("%" PRIu64 " certificates, %" PRIu64 " of them new; the log is whole\n",
           a->tree.size, a->tree.size - before);
    return state_save(a);
}

int ca_audit_main(int argc, char **argv) {
    int result;
    static struct audit a;
    if (!cli_options(&command, &argc, argv, &result)) {
        return result;
    }
    a.url = argv[0];
    bool good = state_load(&a);
    if (good && !status_ok(ca_log_verifier_read(a.verifier, &a.arena, &a.origin, a.key))) {
        good = (cli_fail("%s is no verifier's key", a.verifier), false);
    }
    if (good && cli_http_start(&http)) {
        good = audit_run(&a);
        cli_http_stop(&http);
    } else {
        good = false;
    }
    arena_release(&a.arena);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
