/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "aggregator/keyring.h"
#include "cli.h"
#include "hpke/provider/default.h"
#include "wire/base64url.h"

static const char *config_path;

static const struct option_spec options[] = {CLI_CONFIG_OPTION(config_path), {.name = NULL}};

static const struct command_spec list_command = {
    .name = "moiety key list",
    .arguments = "[options]",
    .summary = "Lists this server's HPKE keys, the newest first.",
    .help = "An advertised key is given to clients. An accepted one is no longer, but clients\n"
            "may still hold it. An open-only one opens what was uploaded before. A key is\n"
            "destroyed when no stored report names it.\n",
    .options = options,
};

static const struct command_spec rotate_command = {
    .name = "moiety key rotate",
    .arguments = "[options]",
    .summary = "Advertises a new HPKE key; older ones are let go in time.",
    .help = "Works while moietyd runs, which sees the change within a second. With\n"
            "hpke.key_lifetime in its configuration moietyd does this by itself.\n",
    .options = options,
};

static const char *kem_name(uint16_t id) {
    return id == MOIETY_KEM_X25519_HKDF_SHA256 ? "x25519"
           : id == MOIETY_KEM_P256_HKDF_SHA256 ? "p256"
                                               : "unknown";
}

static const char *aead_name(uint16_t id) {
    return id == MOIETY_AEAD_AES_128_GCM         ? "aes-128-gcm"
           : id == MOIETY_AEAD_AES_256_GCM       ? "aes-256-gcm"
           : id == MOIETY_AEAD_CHACHA20_POLY1305 ? "chacha20-poly1305"
                                                 : "unknown";
}

struct key_list {
    struct arena *arena;
    struct store_hpke_key *keys;
    size_t count;
};

static struct status list_keys(struct store_tx *tx, void *argument) {
    struct key_list *list = argument;
    return store_hpke_key_list(tx, list->arena, &list->keys, &list->count);
}

static int print_keys(struct cli_server *server, char **argv) {
    (void)argv;
    static const char *const states[] = {"advertised", "accepted", "open-only"};
    struct key_list list = {.arena = &server->arena};
    char made[CLI_TIME_MAX], since[CLI_TIME_MAX];
    struct status status = store_run(server->store, STORE_READ, list_keys, &list);
    if (!status_ok(status)) {
        return cli_fail_status(status, "the keys can't be listed");
    }
    printf("%-4s %-11s %-21s %-21s %-7s %-18s %s\n", "id", "state", "since", "made", "kem", "aead",
           "public key");
    for (size_t i = 0; i < list.count; i++) {
        const struct store_hpke_key *key = &list.keys[i];
        const char *public_key = base64url_string(&server->arena, key->public_key);
        printf("%-4u %-11s %-21s %-21s %-7s %-18s %s\n", key->id, states[key->state],
               cli_format_time((uint64_t)(key->state_since / 1000000), since),
               cli_format_time((uint64_t)(key->created_at / 1000000), made), kem_name(key->kem_id),
               aead_name(key->aead_id), public_key == NULL ? "" : public_key);
    }
    if (list.count == 0) {
        printf("(none yet: moietyd makes one at its first start)\n");
    }
    return EXIT_SUCCESS;
}

int key_list_main(int argc, char **argv) {
    return cli_on_server(&list_command, &config_path, false, argc, argv, print_keys);
}

static int rotate(struct cli_server *server, char **argv) {
    (void)argv;
    const struct server_config *config = &server->config;
    const struct moiety_provider *provider = hpke_provider_default();
    const struct keyring_policy policy = {
        .lifetime_s = 0,
        .config_max_age_s = (uint32_t)(config->hpke.config_max_age / 1000000),
        .suite = {server_config_kem(config), MOIETY_KDF_HKDF_SHA256, server_config_aead(config)},
    };
    struct keyring_changes changes = {0};
    uint8_t id = 0;
    int64_t now = clock_now_us(&clock_system);
    struct status status = keyring_add(server->store, provider, policy.suite, now, &id);
    if (status_ok(status)) {
        status = keyring_rotate(server->store, provider, &policy, now, &changes);
    }
    if (!status_ok(status)) {
        return cli_fail_status(status, "the keys can't be rotated");
    }
    printf("key %u is advertised; %u now only accepted, %u now open-only, %u destroyed\n", id,
           changes.accepted, changes.open_only, changes.deleted);
    return EXIT_SUCCESS;
}

int key_rotate_main(int argc, char **argv) {
    return cli_on_server(&rotate_command, &config_path, true, argc, argv, rotate);
}
