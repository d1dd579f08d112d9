/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/secret.h"
#include "cli.h"
#include "config/keyfile.h"
#include "hpke/provider/default.h"

static const char *listen_address = "127.0.0.1:8080";
static const char *admin_address, *base_path, *certificate, *key;
static bool allow_plain_http;

static const struct option_spec options[] = {
    {"listen", OPTION_STRING, &listen_address, "ADDRESS",
     "numeric address and port to serve DAP on; default\n127.0.0.1:8080", NULL},
    {"admin", OPTION_STRING, &admin_address, "ADDRESS", "serve metrics and probes here too", NULL},
    {"base-path", OPTION_STRING, &base_path, "PATH", "path of the endpoint URL, such as /dap",
     NULL},
    {"tls-certificate", OPTION_STRING, &certificate, "FILE", "serve HTTPS with this chain (PEM)",
     NULL},
    {"tls-key", OPTION_STRING, &key, "FILE", "and its private key (PEM)", NULL},
    {"allow-plain-http", OPTION_FLAG, &allow_plain_http, NULL,
     "serve plain HTTP beyond this machine, as behind\na proxy that ends TLS", NULL},
    {.name = NULL},
};

static const struct command_spec command = {
    .name = "moiety init",
    .arguments = "[options] FOLDER",
    .summary = "Writes FOLDER/moietyd.yaml and FOLDER/wrapping.key.",
    .help = "Nothing is overwritten. The wrapping key opens what is secret in the database:\n"
            "back it up apart from the database, since neither is of use without the other.\n",
    .options = options,
    .min_arguments = 1,
    .max_arguments = 1,
};

/* The configuration takes paths from its own folder, the command line from the
 * current one. */
static struct status append_file(struct buffer *out, const char *name, const char *path) {
    static const char credential[] = "credential:";
    char folder[PATH_MAX] = "";
    bool relative = path[0] != '/' && strncmp(path, credential, strlen(credential)) != 0;
    if (relative && getcwd(folder, sizeof(folder)) == NULL) {
        return FAIL(IO);
    }
    return buffer_printf(out, "      %s: \"%s%s%s\"\n", name, folder, relative ? "/" : "", path);
}

static struct status write_config(struct buffer *out) {
    TRY(buffer_printf(out,
                      "# moietyd's configuration; `moietyd --print-config` shows every key.\n"
                      "database: sqlite:moiety.db\n"
                      "wrapping_keys: [wrapping.key]\n"
                      "listen:\n"
                      "  - address: \"%s\"\n",
                      listen_address));
    if (certificate != NULL) {
        TRY(buffer_append_string(out, "    tls:\n"));
        TRY(append_file(out, "certificate", certificate));
        TRY(append_file(out, "key", key));
    }
    if (allow_plain_http) {
        TRY(buffer_append_string(out, "    allow_plain_http: true\n"));
    }
    if (base_path != NULL) {
        TRY(buffer_printf(out, "base_path: \"%s\"\n", base_path));
    }
    if (admin_address != NULL) {
        TRY(buffer_printf(out, "admin:\n  address: \"%s\"\n", admin_address));
    }
    return OK;
}

static struct status write_key(const char *path) {
    uint8_t secret[KEYFILE_KEY_SIZE];
    if (hpke_provider_default()->random(secret, sizeof(secret)) != 0) {
        return FAIL(CRYPTO);
    }
    struct status status = keyfile_create(path, secret);
    secret_wipe(secret, sizeof(secret));
    return status;
}

/* Both files, and the check that moietyd would make. */
static int write_files(const char *folder, struct arena *arena, struct buffer *config) {
    const char *config_file = arena_printf(arena, "%s/moietyd.yaml", folder);
    const char *key_file = arena_printf(arena, "%s/wrapping.key", folder);
    if (config_file == NULL || key_file == NULL) {
        return cli_fail("out of memory");
    }
    struct status status = write_config(config);
    if (!status_ok(status)) {
        return cli_fail_status(status, "no configuration can be made");
    }
    status = file_create(config_file, buffer_span(config), 0644);
    if (status.code == STATUS_CONFLICT) {
        return cli_fail("%s exists already; nothing was changed", config_file);
    }
    if (!status_ok(status)) {
        return cli_fail_status(status, "%s", config_file);
    }
    status = write_key(key_file);
    if (!status_ok(status) && status.code != STATUS_CONFLICT) {
        return cli_fail_status(status, "%s", key_file);
    }
    struct cli_server check;
    if (!cli_server_load(&check, config_file)) {
        remove(config_file);
        return EXIT_FAILURE;
    }
    cli_server_close(&check);
    printf("%s\n%s%s\n", config_file, key_file,
           status_ok(status) ? "" : " (was there already, and is used)");
    printf("start it with: moietyd --config %s\n", config_file);
    return EXIT_SUCCESS;
}

int init_main(int argc, char **argv) {
    int result;
    struct arena arena = ARENA_INIT;
    struct buffer config = BUFFER_INIT;
    if (!cli_options(&command, &argc, argv, &result)) {
        return result;
    }
    if ((certificate == NULL) != (key == NULL)) {
        options_complain(&command, "--tls-certificate and --tls-key go together");
        return EXIT_USAGE;
    }
    if (mkdir(argv[0], 0700) != 0 && errno != EEXIST) {
        return cli_fail("%s can't be made: %s", argv[0], strerror(errno));
    }
    result = write_files(argv[0], &arena, &config);
    buffer_release(&config);
    arena_release(&arena);
    return result;
}
