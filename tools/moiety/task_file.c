/* SPDX-License-Identifier: Apache-2.0 */
#include "task_file.h"

#include <jansson.h>
#include <stdlib.h>

#include "aggregator/auth.h"
#include "base/file.h"
#include "base/secret.h"
#include "cli.h"
#include "config/schema.h"
#include "hpke/provider/default.h"
#include "moiety/collector.h"
#include "wire/base64url.h"

enum { FORMAT = 1, FILE_MAX = 1 << 20, TOKEN_BYTES = 32 };

static const char *const kind_names[] = {"leader", "helper", "collector", "client"};

const char *task_file_kind_name(enum task_file_kind kind) { return kind_names[kind]; }

/* ---- Reading ---- */

/* Fails sticky, like a wire reader: the first thing that is wrong is said. */
struct file_reader {
    const char *path;
    struct arena *arena;
    bool failed;
};

static void file_fail(struct file_reader *reader, const char *key, const char *expected) {
    if (!reader->failed) {
        cli_fail("%s: %s: expected %s", reader->path, key, expected);
    }
    reader->failed = true;
}

static const char *read_string(struct file_reader *reader, const json_t *object, const char *key,
                               bool required) {
    const json_t *value = json_object_get(object, key);
    if (value == NULL && !required) {
        return NULL;
    }
    if (!json_is_string(value)) {
        file_fail(reader, key, "a string");
        return "";
    }
    char *copy = arena_printf(reader->arena, "%s", json_string_value(value));
    if (copy == NULL) {
        file_fail(reader, key, "less: out of memory");
        return "";
    }
    return copy;
}

static struct span read_text(struct file_reader *reader, const json_t *object, const char *key,
                             bool required) {
    const char *text = read_string(reader, object, key, required);
    return text == NULL ? SPAN_EMPTY : span_of_string(text);
}

static struct span read_bytes(struct file_reader *reader, const json_t *object, const char *key,
                              size_t len, bool required) {
    struct span bytes = SPAN_EMPTY;
    struct span text = read_text(reader, object, key, required);
    if (text.len == 0 && !required) {
        return bytes;
    }
    if (!reader->failed && (!status_ok(base64url_decode_any(reader->arena, text, &bytes)) ||
                            (len != 0 && bytes.len != len))) {
        file_fail(reader, key,
                  len == 32 ? "32 bytes in unpadded base64url" : "bytes in unpadded base64url");
    }
    return bytes;
}

static struct span read_token(struct file_reader *reader, const json_t *object) {
    struct span text = read_text(reader, object, "token", false);
    if (text.len > 0 && !task_file_is_token(text)) {
        file_fail(reader, "token", "a token: letters, digits and -._~+/, then = if any");
    }
    return text;
}

static void read_peer(struct file_reader *reader, const json_t *root, const char *key,
                      struct task_file_peer *out) {
    const json_t *object = json_object_get(root, key);
    if (!json_is_object(object)) {
        file_fail(reader, key, "an object");
        return;
    }
    out->name = read_string(reader, object, "name", true);
    out->dialect = read_string(reader, object, "dialect", false);
    if (out->dialect == NULL) {
        out->dialect = "draft-18";
    }
    out->token = read_token(reader, object);
    out->token_hash = read_bytes(reader, object, "token_hash", 32, false);
}

static void read_verify_keys(struct file_reader *reader, const json_t *root,
                             struct task_file *out) {
    const json_t *list = json_object_get(root, "verify_keys");
    size_t count = json_array_size(list);
    struct task_verify_key *keys = ARENA_ARRAY(reader->arena, struct task_verify_key, count + 1);
    if (count == 0 || keys == NULL) {
        file_fail(reader, "verify_keys", "a list of keys");
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *object = json_array_get(list, i);
        json_int_t id = json_integer_value(json_object_get(object, "id"));
        if (id < 0 || id > 255) {
            file_fail(reader, "verify_keys", "ids from 0 to 255");
        }
        keys[i].id = (uint8_t)id;
        keys[i].key = read_bytes(reader, object, "key", 0, true);
    }
    out->verify_keys = keys;
    out->verify_key_count = count;
}

static void read_settings(struct file_reader *reader, const json_t *root, struct task_file *out) {
    const json_t *settings = json_object_get(root, "settings");
    char *text = settings == NULL ? NULL : json_dumps(settings, JSON_COMPACT | JSON_SORT_KEYS);
    if (text != NULL &&
        !status_ok(arena_copy(reader->arena, span_of_string(text), &out->settings))) {
        file_fail(reader, "settings", "less: out of memory");
    }
    free(text);
}

static void read_kind(struct file_reader *reader, const json_t *root, struct task_file *out) {
    const char *kind = read_string(reader, root, "moiety_task", true);
    for (size_t i = 0; i < sizeof(kind_names) / sizeof(kind_names[0]); i++) {
        if (strcmp(kind, kind_names[i]) == 0) {
            out->kind = (enum task_file_kind)i;
            return;
        }
    }
    file_fail(reader, "moiety_task", "leader, helper, collector or client");
}

static void read_task(struct file_reader *reader, const json_t *root, struct task_file *out) {
    struct task_id id;
    struct span bytes = read_bytes(reader, root, "task_id", sizeof(id.bytes), true);
    struct span config = read_bytes(reader, root, "task_configuration", 0, true);
    if (reader->failed) {
        return;
    }
    memcpy(id.bytes, bytes.data, sizeof(id.bytes));
    struct status status = task_open(&id, config, reader->arena, &out->task);
    if (!status_ok(status)) {
        cli_fail_status(status, "%s: task_configuration", reader->path);
        reader->failed = true;
    }
}

static void read_root(struct file_reader *reader, const json_t *root, struct task_file *out) {
    if (json_integer_value(json_object_get(root, "format")) != FORMAT) {
        file_fail(reader, "format", "1, which is what this version reads");
    }
    read_kind(reader, root, out);
    read_task(reader, root, out);
    if (reader->failed || out->kind == TASK_FILE_CLIENT) {
        return;
    }
    out->collector_config = read_bytes(reader, root, "collector_hpke_config", 0, true);
    if (out->kind == TASK_FILE_COLLECTOR) {
        out->collector_token = read_token(reader, root);
        out->collector_key =
            read_bytes(reader, root, "collector_key", MOIETY_COLLECTOR_KEY_SIZE, true);
        return;
    }
    read_verify_keys(reader, root, out);
    read_settings(reader, root, out);
    read_peer(reader, root, "aggregator", &out->aggregator);
    if (out->kind == TASK_FILE_LEADER) {
        read_peer(reader, root, "collector", &out->collector);
    }
}

bool task_file_read(const char *path, struct arena *arena, struct task_file *out) {
    struct span text;
    json_error_t error;
    struct status status = file_read(path, FILE_MAX, arena, &text);
    if (!status_ok(status)) {
        cli_fail("%s: %s", path,
                 status.code == STATUS_NOT_FOUND ? "no such file" : status_text(status.code));
        return false;
    }
    json_t *root = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL) {
        cli_fail("%s:%d: not JSON: %s", path, error.line, error.text);
        return false;
    }
    struct task_file file = {0};
    struct file_reader reader = {path, arena, false};
    read_root(&reader, root, &file);
    json_decref(root);
    if (!reader.failed) {
        *out = file;
    }
    return !reader.failed;
}

/* ---- Writing ---- */

static void set_bytes(json_t *object, const char *key, struct span bytes) {
    struct arena arena = ARENA_INIT;
    char *text = base64url_string(&arena, bytes);
    if (bytes.len > 0 && text != NULL) {
        json_object_set_new(object, key, json_string(text));
    }
    arena_release(&arena);
}

static void set_text(json_t *object, const char *key, struct span text) {
    if (text.len > 0) {
        json_object_set_new(object, key, json_stringn((const char *)text.data, text.len));
    }
}

static json_t *peer_json(const struct task_file_peer *peer) {
    json_t *object = json_pack("{s:s, s:s}", "name", peer->name, "dialect", peer->dialect);
    set_text(object, "token", peer->token);
    set_bytes(object, "token_hash", peer->token_hash);
    return object;
}

static json_t *verify_keys_json(const struct task_file *file) {
    json_t *list = json_array();
    for (size_t i = 0; i < file->verify_key_count; i++) {
        json_t *key = json_pack("{s:i}", "id", (int)file->verify_keys[i].id);
        set_bytes(key, "key", file->verify_keys[i].key);
        json_array_append_new(list, key);
    }
    return list;
}

static json_t *about_json(const struct task_file *file) {
    const struct task_configuration *c = &file->task.configuration;
    json_t *about = json_object();
    struct vdaf *vdaf;
    const struct vdaf_param *params;
    set_text(about, "task_info", c->task_info);
    set_text(about, "leader", c->leader_aggregator_endpoint);
    set_text(about, "helper", c->helper_aggregator_endpoint);
    if (status_ok(vdaf_from_config(c->vdaf_type, c->vdaf_configuration, &vdaf))) {
        json_object_set_new(about, "vdaf", json_string(vdaf_name(vdaf)));
        size_t count = vdaf_params(vdaf, &params);
        for (size_t i = 0; i < count; i++) {
            json_object_set_new(about, params[i].name, json_integer((json_int_t)params[i].value));
        }
        vdaf_free(vdaf);
    }
    json_object_set_new(about, "batch_mode", json_string(batch_mode_name(c->batch_mode)));
    json_object_set_new(about, "min_batch_size", json_integer((json_int_t)c->min_batch_size));
    json_object_set_new(about, "time_precision_s", json_integer((json_int_t)c->time_precision));
    return about;
}

static void set_aggregator(json_t *root, const struct task_file *file) {
    json_object_set_new(root, "collector_hpke_config", json_null());
    set_bytes(root, "collector_hpke_config", file->collector_config);
    json_object_set_new(root, "verify_keys", verify_keys_json(file));
    json_object_set_new(root, "aggregator", peer_json(&file->aggregator));
    if (file->kind == TASK_FILE_LEADER) {
        json_object_set_new(root, "collector", peer_json(&file->collector));
    }
    if (file->settings.len > 0) {
        json_object_set_new(
            root, "settings",
            json_loadb((const char *)file->settings.data, file->settings.len, 0, NULL));
    }
}

static json_t *file_json(const struct task_file *file) {
    json_t *root =
        json_pack("{s:s, s:i}", "moiety_task", kind_names[file->kind], "format", (int)FORMAT);
    json_object_set_new(root, "about", about_json(file));
    set_bytes(root, "task_id", SPAN_OF_ARRAY(file->task.id.bytes));
    set_bytes(root, "task_configuration", file->task.encoded);
    if (file->kind == TASK_FILE_COLLECTOR) {
        json_object_set_new(root, "warning",
                            json_string("collector_key is the only key that opens this task's "
                                        "results: whoever loses it loses them, whoever has it "
                                        "can read them"));
        set_bytes(root, "collector_hpke_config", file->collector_config);
        set_bytes(root, "collector_key", file->collector_key);
        set_text(root, "token", file->collector_token);
    } else if (file->kind != TASK_FILE_CLIENT) {
        set_aggregator(root, file);
    }
    return root;
}

struct status task_file_write(const char *path, const struct task_file *file) {
    json_t *root = file_json(file);
    char *text = json_dumps(root, JSON_INDENT(2));
    json_decref(root);
    if (text == NULL) {
        return FAIL(NO_MEMORY);
    }
    size_t len = strlen(text);
    text[len] = '\n'; /* in place of the terminator: files end with a line's end */
    struct status status =
        file_create(path, span_of(text, len + 1), file->kind == TASK_FILE_CLIENT ? 0644 : 0600);
    secret_wipe(text, len + 1);
    free(text);
    return status;
}

struct moiety_task task_file_library_task(const struct task_file *file) {
    return (struct moiety_task){.size = sizeof(struct moiety_task),
                                .task_id = file->task.id.bytes,
                                .configuration = file->task.encoded.data,
                                .configuration_len = file->task.encoded.len};
}

bool task_file_is_token(struct span text) {
    while (text.len > 0 && text.data[text.len - 1] == '=') {
        text.len--;
    }
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && (c == '\0' || strchr("-._~+/", c) == NULL)) {
            return false;
        }
    }
    return text.len > 0;
}

struct status task_file_new_token(struct arena *arena, struct span *token, struct span *hash) {
    uint8_t random[TOKEN_BYTES];
    uint8_t digest[32];
    if (hpke_provider_default()->random(random, sizeof(random)) != 0) {
        return FAIL(CRYPTO);
    }
    char *text = base64url_string(arena, SPAN_OF_ARRAY(random));
    secret_wipe(random, sizeof(random));
    if (text == NULL) {
        return FAIL(NO_MEMORY);
    }
    auth_hash(span_of_string(text), digest);
    TRY(arena_copy(arena, SPAN_OF_ARRAY(digest), hash));
    *token = span_of_string(text);
    return OK;
}
