/* SPDX-License-Identifier: Apache-2.0 */
/* Making reports (draft 18, section 4.4.2.1). */
#include <stdlib.h>

#include "client/client.h"
#include "dap/binding.h"
#include "dap/interval.h"

/* Reports made at once: enough to fill the VDAF's lanes a few times, and little
 * memory on a phone. */
enum { CHUNK = 64 };

/* The encoded PlaintextInputShare, in an arena since it is secret. */
static struct status make_plaintext(struct span input_share, struct arena *arena,
                                    struct span *out) {
    const struct plaintext_input_share share = {{NULL, 0}, input_share};
    struct buffer encoded = BUFFER_INIT;
    /* Room for all, so that the buffer never moves and leaves a copy behind. */
    TRY(buffer_reserve(&encoded, input_share.len + 16));
    struct status status;
    TRY_GOTO(status, plaintext_input_share_encode(&share, &encoded), done);
    status = arena_copy(arena, buffer_span(&encoded), out);
done:
    secret_wipe(encoded.data, encoded.capacity);
    buffer_release(&encoded);
    return status;
}

/* A report on its way: what is sealed to the leader and to the helper. */
struct draft {
    struct report report;
    struct hpke_seal_item *sealed[2];
};

static struct status draft_share(const struct recipient *recipient, enum role role,
                                 struct span input_share, struct span aad, struct arena *arena,
                                 struct hpke_seal_item *out) {
    struct span plaintext;
    TRY(make_plaintext(input_share, arena, &plaintext));
    *out = (struct hpke_seal_item){.config = &recipient->config,
                                   .info = input_share_info(role),
                                   .aad = aad,
                                   .plaintext = plaintext};
    return OK;
}

static struct status draft_init(const struct moiety_client *client, const uint8_t id[16],
                                uint64_t time, const struct shard_output *shares,
                                struct arena *arena, struct draft *draft) {
    struct report *report = &draft->report;
    *report = (struct report){
        .report_metadata = {.time = time},
        .public_share = shares->public_share,
    };
    memcpy(report->report_metadata.report_id.bytes, id, 16);
    struct span aad;
    TRY(input_share_aad_make(&client->task, &report->report_metadata, report->public_share, arena,
                             &aad));
    TRY(draft_share(&client->leader, ROLE_LEADER, shares->input_shares[0], aad, arena,
                    draft->sealed[0]));
    return draft_share(&client->helper, ROLE_HELPER, shares->input_shares[1], aad, arena,
                       draft->sealed[1]);
}

static struct hpke_ciphertext ciphertext_of(const struct recipient *recipient,
                                            const struct hpke_seal_item *sealed) {
    return (struct hpke_ciphertext){.config_id = recipient->config.id,
                                    .enc = sealed->enc,
                                    .payload = sealed->ciphertext};
}

static struct status draft_encode(const struct moiety_client *client, struct draft *draft,
                                  struct buffer *out) {
    struct report *report = &draft->report;
    report->leader_encrypted_input_share = ciphertext_of(&client->leader, draft->sealed[0]);
    report->helper_encrypted_input_share = ciphertext_of(&client->helper, draft->sealed[1]);
    return report_encode(report, out);
}

/* Fresh randomness and report IDs, which are the VDAF's nonces, for `count`
 * measurements; then their shares. */
static struct status shard_chunk(const struct moiety_client *client, const uint64_t values[],
                                 size_t count, struct arena *arena, struct shard_input inputs[],
                                 struct shard_output outputs[]) {
    size_t rand_size = vdaf_rand_size(client->vdaf);
    uint8_t *context = ARENA_ARRAY(arena, uint8_t, TASK_VDAF_CONTEXT_SIZE);
    uint8_t *nonces = ARENA_ARRAY(arena, uint8_t, count * VDAF_NONCE_SIZE);
    uint8_t *rand = ARENA_ARRAY(arena, uint8_t, count * rand_size);
    if (context == NULL || nonces == NULL || rand == NULL) {
        return FAIL(NO_MEMORY);
    }
    if (client->provider->random(nonces, count * VDAF_NONCE_SIZE) != 0 ||
        client->provider->random(rand, count * rand_size) != 0) {
        return FAIL(CRYPTO);
    }
    task_vdaf_context(&client->task.id, context);
    for (size_t i = 0; i < count; i++) {
        inputs[i] = (struct shard_input){
            .ctx = span_of(context, TASK_VDAF_CONTEXT_SIZE),
            .nonce = nonces + i * VDAF_NONCE_SIZE,
            .rand = rand + i * rand_size,
            .values = values + i * vdaf_measurement_len(client->vdaf),
        };
    }
    return vdaf_shard(client->vdaf, inputs, count, arena, outputs);
}

static struct moiety_report *report_new(const uint8_t id[16]) {
    struct moiety_report *report = calloc(1, sizeof(*report));
    if (report != NULL) {
        memcpy(report->id, id, sizeof(report->id));
    }
    return report;
}

/* All shares for the leader come first, then all for the helper: what they are
 * sealed with is then derived once for each. */
static struct status seal_chunk(const struct moiety_client *client,
                                const struct shard_input inputs[],
                                const struct shard_output outputs[], size_t count, uint64_t time,
                                struct arena *arena, struct draft drafts[]) {
    struct hpke_seal_item *sealed = ARENA_ARRAY(arena, struct hpke_seal_item, 2 * count);
    if (sealed == NULL) {
        return FAIL(NO_MEMORY);
    }
    for (size_t i = 0; i < count; i++) {
        drafts[i].sealed[0] = &sealed[i];
        drafts[i].sealed[1] = &sealed[count + i];
        TRY(draft_init(client, inputs[i].nonce, time, &outputs[i], arena, &drafts[i]));
    }
    return hpke_seal_batch(client->provider, sealed, 2 * count, arena);
}

static struct status make_chunk(const struct moiety_client *client, const uint64_t values[],
                                size_t count, uint64_t time, struct moiety_report *out[]) {
    struct shard_input inputs[CHUNK];
    struct shard_output outputs[CHUNK];
    struct arena arena = ARENA_INIT;
    struct status status = OK;
    struct draft *drafts = ARENA_ARRAY(&arena, struct draft, count);
    if (drafts == NULL) {
        return FAIL(NO_MEMORY);
    }
    TRY_GOTO(status, shard_chunk(client, values, count, &arena, inputs, outputs), done);
    TRY_GOTO(status, seal_chunk(client, inputs, outputs, count, time, &arena, drafts), done);
    for (size_t i = 0; i < count; i++) {
        out[i] = report_new(inputs[i].nonce);
        if (out[i] == NULL) {
            status = FAIL(NO_MEMORY);
            goto done;
        }
        TRY_GOTO(status, draft_encode(client, &drafts[i], &out[i]->encoded), done);
    }
done:
    arena_release(&arena);
    return status;
}

/* What must hold before anything is made. */
static enum moiety_result check_request(const struct moiety_client *client,
                                        const uint64_t values[], size_t reports, uint64_t time) {
    if (!client->leader.known || !client->helper.known) {
        return MOIETY_NO_CONFIG;
    }
    if (client->task.has_task_interval &&
        !interval_contains(&client->task.task_interval, time)) {
        return MOIETY_TASK_INACTIVE;
    }
    size_t len = vdaf_measurement_len(client->vdaf);
    for (size_t i = 0; i < reports; i++) {
        if (!status_ok(vdaf_check_measurement(client->vdaf, values + i * len, len))) {
            return MOIETY_INVALID_ARGUMENT;
        }
    }
    return MOIETY_OK;
}

enum moiety_result moiety_client_reports(struct moiety_client *client, const uint64_t values[],
                                         size_t reports, uint64_t time_s,
                                         struct moiety_report *out[]) {
    if (values == NULL || out == NULL || reports > SIZE_MAX / sizeof(*out)) {
        return MOIETY_INVALID_ARGUMENT;
    }
    uint64_t time = time_of_seconds(time_s, client->task.configuration.time_precision);
    enum moiety_result result = check_request(client, values, reports, time);
    struct moiety_report **made = NULL;
    if (result != MOIETY_OK) {
        return result;
    }
    made = calloc(reports > 0 ? reports : 1, sizeof(struct moiety_report *));
    if (made == NULL) {
        return MOIETY_NO_MEMORY;
    }
    size_t len = vdaf_measurement_len(client->vdaf);
    for (size_t i = 0; i < reports && result == MOIETY_OK; i += CHUNK) {
        size_t count = reports - i < CHUNK ? reports - i : CHUNK;
        result = result_of(make_chunk(client, values + i * len, count, time, made + i));
    }
    for (size_t i = 0; i < reports; i++) {
        if (result == MOIETY_OK) {
            out[i] = made[i];
        } else {
            moiety_report_free(made[i]);
        }
    }
    free(made);
    return result;
}

enum moiety_result moiety_client_report(struct moiety_client *client, const uint64_t values[],
                                        size_t count, uint64_t time_s,
                                        struct moiety_report **out) {
    if (count != vdaf_measurement_len(client->vdaf)) {
        return MOIETY_INVALID_ARGUMENT;
    }
    return moiety_client_reports(client, values, 1, time_s, out);
}

void moiety_report_free(struct moiety_report *report) {
    if (report != NULL) {
        buffer_release(&report->encoded);
        free(report);
    }
}

const uint8_t *moiety_report_id(const struct moiety_report *report) { return report->id; }

const uint8_t *moiety_report_bytes(const struct moiety_report *report, size_t *len) {
    *len = report->encoded.len;
    return report->encoded.data;
}

enum moiety_result moiety_report_load(const void *bytes, size_t len, struct moiety_report **out) {
    struct arena arena = ARENA_INIT;
    struct report decoded;
    if (out == NULL || (bytes == NULL && len > 0)) {
        return MOIETY_INVALID_ARGUMENT;
    }
    struct status status = report_decode(span_of(bytes, len), &arena, &decoded);
    if (status_ok(status)) {
        struct moiety_report *report = report_new(decoded.report_metadata.report_id.bytes);
        status = report == NULL ? FAIL(NO_MEMORY)
                                : buffer_append(&report->encoded, span_of(bytes, len));
        if (status_ok(status)) {
            /* The app may have stopped between sending it and the answer. */
            report->perhaps_sent = true;
            *out = report;
        } else {
            moiety_report_free(report);
        }
    }
    arena_release(&arena);
    return result_of(status);
}
