/* SPDX-License-Identifier: Apache-2.0 */
#include "primitive/little_endian.h"
#include "vdaf/internal.h"

struct status verify_outputs_new(struct verify_batch *batch, struct verify_outputs **out) {
    const struct flp *flp = &batch->vdaf->flp;
    struct verify_outputs *outputs = arena_reserve(&batch->arena, 1, sizeof(*outputs));
    uint64_t *vector = arena_reserve(&batch->arena, flp_output_room(flp) * flp->field->words,
                                     sizeof(uint64_t));
    if (outputs == NULL || vector == NULL) {
        return FAIL(NO_MEMORY);
    }
    outputs->older = batch->outputs;
    outputs->vector = vector;
    outputs->used = 0;
    batch->outputs = outputs;
    *out = outputs;
    return OK;
}

/* An element's words are those of its encoding, so that only lanes have to be
 * told apart. */
void verify_outputs_encode(const struct verify_batch *batch, size_t report, uint8_t encoded[]) {
    const struct flp *flp = &batch->vdaf->flp;
    const struct verify_report *from = &batch->reports[report];
    const uint64_t *word = from->outputs->vector + from->lane;
    const size_t words = flp->circuit.output_len * flp->field->limbs;
    for (size_t i = 0; i < words; i++, word += flp->field->lanes) {
        store_le64(encoded + 8 * i, *word);
    }
}

struct status verify_outputs_decode(struct verify_batch *batch, size_t report,
                                    const uint8_t encoded[]) {
    const struct flp *flp = &batch->vdaf->flp;
    struct verify_outputs *outputs = batch->outputs;
    if (outputs == NULL || outputs->used == flp->field->lanes) {
        TRY(verify_outputs_new(batch, &outputs));
    }
    verify_outputs_assign(batch, outputs, report);
    uint64_t *word = outputs->vector + batch->reports[report].lane;
    const size_t words = flp->circuit.output_len * flp->field->limbs;
    for (size_t i = 0; i < words; i++, word += flp->field->lanes) {
        *word = load_le64(encoded + 8 * i);
    }
    return OK;
}
