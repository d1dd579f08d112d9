/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "vdaf/internal.h"
#include "wire/reader.h"
#include "wire/writer.h"

/*
 * The encoding of a batch:
 *
 *   uint8 version; uint32 count; then for each report
 *   uint8 state; if rejected: opaque verdict<1..255>, its name;
 *   else: uint8 round; opaque ctx<0..2^16-1>; opaque share<0..2^32-1>;
 *   opaque outbound<0..2^32-1>; uint8 has_state; opaque output[agg_share_size];
 *   opaque state[state_size].
 */
enum { STATE_VERSION = 1 };

/* `output` is room for an encoded output share. */
static void write_report(struct writer *writer, const struct verify_batch *batch, size_t i,
                         uint8_t output[]) {
    const struct vdaf *vdaf = batch->vdaf;
    const struct verify_report *report = &batch->reports[i];
    writer_u8(writer, (uint8_t)report->state);
    if (report->state == VERIFY_REJECTED) {
        writer_vector(writer, 1, 1, UINT8_MAX, span_of_string(status_name(report->verdict)));
        return;
    }
    writer_u8(writer, (uint8_t)report->round);
    writer_vector(writer, 2, 0, UINT16_MAX, report->ctx);
    writer_vector(writer, 4, 0, UINT32_MAX, report->share);
    writer_vector(writer, 4, 0, UINT32_MAX, report->outbound);
    writer_u8(writer, report->verify_state != NULL);
    if (report->verify_state != NULL) {
        verify_outputs_encode(batch, i, output);
        writer_bytes(writer, span_of(output, vdaf_agg_share_size(vdaf)));
        writer_bytes(writer, span_of(report->verify_state, vdaf->type->scheme->state_size(vdaf)));
    }
}

struct status verify_batch_encode(const struct verify_batch *batch, struct buffer *out) {
    struct arena arena = ARENA_INIT;
    uint8_t *output = arena_alloc(&arena, vdaf_agg_share_size(batch->vdaf), 1);
    if (output == NULL) {
        return FAIL(NO_MEMORY);
    }
    struct writer writer = writer_to(out);
    writer_u8(&writer, STATE_VERSION);
    writer_u32(&writer, (uint32_t)batch->count);
    for (size_t i = 0; i < batch->count; i++) {
        write_report(&writer, batch, i, output);
    }
    arena_release(&arena);
    return writer_finish(&writer);
}

/* The code of a name; STATUS_OK if there is none. */
static enum status_code code_of(struct span name) {
    for (int code = 0; code < STATUS_COUNT; code++) {
        if (span_equal_vartime(name, span_of_string(status_name((enum status_code)code)))) {
            return (enum status_code)code;
        }
    }
    return STATUS_OK;
}

static struct status read_state(struct reader *reader, struct verify_batch *batch, size_t i) {
    const struct vdaf *vdaf = batch->vdaf;
    struct verify_report *report = &batch->reports[i];
    const uint8_t present = reader_u8(reader);
    /* Before verify_init there is none, and nothing else is known either. */
    const bool fresh = report->round == 0 && report->share.len == 0 &&
                       report->outbound.len == 0 && report->state == VERIFY_CONTINUED;
    if (present > 1 || (present == 0 && !fresh)) {
        reader_fail(reader);
    }
    if (present == 0 || reader->failed) {
        return OK;
    }
    const struct span output = reader_bytes(reader, vdaf_agg_share_size(vdaf));
    struct span state;
    TRY(arena_copy(&batch->arena, reader_bytes(reader, vdaf->type->scheme->state_size(vdaf)),
                   &state));
    if (reader->failed ||
        !field_is_canonical(vdaf->flp.field, output.data, vdaf->flp.circuit.output_len)) {
        reader_fail(reader);
        return OK;
    }
    TRY(verify_outputs_decode(batch, i, output.data));
    report->verify_state = (uint8_t *)state.data; /* the arena's, and writable */
    return OK;
}

static struct status read_report(struct reader *reader, struct verify_batch *batch, size_t i) {
    struct verify_report *report = &batch->reports[i];
    const uint8_t state = reader_u8(reader);
    if (state > VERIFY_REJECTED) {
        reader_fail(reader);
    }
    if (state == VERIFY_REJECTED) {
        const enum status_code verdict = code_of(reader_vector(reader, 1, 1, UINT8_MAX));
        if (verdict == STATUS_OK) {
            reader_fail(reader);
        } else {
            verify_batch_refuse(batch, i, verdict);
        }
        return OK;
    }
    report->state = (enum verify_state)state;
    report->round = reader_u8(reader);
    TRY(arena_copy(&batch->arena, reader_vector(reader, 2, 0, UINT16_MAX), &report->ctx));
    TRY(arena_copy(&batch->arena, reader_vector(reader, 4, 0, UINT32_MAX), &report->share));
    TRY(arena_copy(&batch->arena, reader_vector(reader, 4, 0, UINT32_MAX), &report->outbound));
    const unsigned rounds = vdaf_rounds(batch->vdaf);
    const bool finished = state != VERIFY_CONTINUED;
    if (report->round > rounds || (report->round == rounds) != finished) {
        reader_fail(reader);
    }
    return read_state(reader, batch, i);
}

struct status verify_batch_decode(const struct vdaf *vdaf, unsigned aggregator_id,
                                  struct span agg_param, struct span encoded,
                                  struct verify_batch **out) {
    struct reader reader = reader_of(encoded);
    const uint8_t version = reader_u8(&reader);
    const uint32_t count = reader_u32(&reader);
    /* A report takes at least two bytes, so a count can't ask for memory that
     * nothing stands behind. */
    if (version != STATE_VERSION || count > reader_left(&reader) / 2) {
        return FAIL(INVALID_MESSAGE);
    }
    struct verify_batch *batch;
    TRY(verify_batch_new(vdaf, aggregator_id, agg_param, count, &batch));
    struct status status = OK;
    for (size_t i = 0; i < count && status_ok(status) && !reader.failed; i++) {
        status = read_report(&reader, batch, i);
    }
    if (status_ok(status)) {
        status = reader_finish(&reader);
    }
    if (!status_ok(status)) {
        verify_batch_free(batch);
        return status;
    }
    *out = batch;
    return OK;
}
