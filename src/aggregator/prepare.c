/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/prepare.h"

#include "dap/binding.h"

/* What can be said before decryption, which is the dear part. */
static enum report_error check_before(const struct prepare_context *context,
                                      const struct prepare_item *item) {
    static const struct extension_list none = {NULL, 0};
    const struct task *task = &context->task->dap;
    uint64_t time = item->metadata->time;
    bool fresh = context->mode == PREPARE_NEW;
    enum report_error error =
        report_check_time(task, time, fresh ? context->now_s : UINT64_MAX, context->skew_s);
    if (error == REPORT_VALID && fresh &&
        store_epoch(time, task->configuration.time_precision) < context->watermark) {
        /* The IDs of that epoch are forgotten, so a replay can't be told. */
        error = REPORT_ERROR_REPORT_DROPPED;
    }
    return error != REPORT_VALID ? error
                                 : report_check_extensions(&item->metadata->public_extensions,
                                                           &none);
}

static struct status item_open(const struct prepare_context *context,
                               const struct prepare_item *item, struct arena *arena,
                               struct hpke_open_item *out) {
    *out = (struct hpke_open_item){
        .key = keyring_find(context->keyring, item->ciphertext->config_id),
        .info = input_share_info(context->task->role),
        .enc = item->ciphertext->enc,
        .ciphertext = item->ciphertext->payload,
    };
    return input_share_aad_make(&context->task->dap, item->metadata, item->public_share, arena,
                                &out->aad);
}

/* The plaintext is decoded and its extensions are seen together with the
 * public ones. A share of the wrong size can't be decoded by the VDAF. */
static struct status check_after(const struct prepare_context *context,
                                 const struct hpke_open_item *opened, struct arena *arena,
                                 struct prepare_item *item) {
    struct plaintext_input_share plaintext;
    if (opened->verdict != STATUS_OK) {
        /* The draft has this error for an unknown key as well. */
        item->error = REPORT_ERROR_HPKE_DECRYPT_ERROR;
        return OK;
    }
    struct status status = plaintext_input_share_decode(opened->plaintext, arena, &plaintext);
    if (status.code == STATUS_NO_MEMORY) {
        return status;
    }
    unsigned share = context->task->role == ROLE_LEADER ? 0 : 1;
    if (!status_ok(status) ||
        plaintext.payload.len != vdaf_input_share_size(context->task->vdaf, share)) {
        item->error = REPORT_ERROR_INVALID_MESSAGE;
        return OK;
    }
    item->error = report_check_extensions(&item->metadata->public_extensions,
                                          &plaintext.private_extensions);
    if (item->error == REPORT_VALID) {
        item->payload = plaintext.payload;
    }
    return OK;
}

struct status prepare_items(const struct prepare_context *context, struct prepare_item items[],
                            size_t count, struct arena *arena) {
    struct hpke_open_item *opened = ARENA_ARRAY(arena, struct hpke_open_item, count);
    size_t *item_of = ARENA_ARRAY(arena, size_t, count);
    size_t open_count = 0;
    if (count > 0 && (opened == NULL || item_of == NULL)) {
        return FAIL(NO_MEMORY);
    }
    for (size_t i = 0; i < count; i++) {
        if (items[i].error == REPORT_VALID) {
            items[i].error = check_before(context, &items[i]);
        }
        if (items[i].error == REPORT_VALID) {
            item_of[open_count] = i;
            TRY(item_open(context, &items[i], arena, &opened[open_count]));
            open_count++;
        }
    }
    TRY(hpke_open_batch(context->provider, opened, open_count, arena));
    for (size_t j = 0; j < open_count; j++) {
        TRY(check_after(context, &opened[j], arena, &items[item_of[j]]));
    }
    return OK;
}
