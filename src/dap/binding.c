/* SPDX-License-Identifier: Apache-2.0 */
#include "dap/binding.h"

/* Roles are written as the escapes of their values: client 1, leader 2,
 * helper 3, collector 0. */
struct span input_share_info(enum role receiver) {
    return receiver == ROLE_LEADER ? SPAN_OF_LITERAL("dap-18 input share\x01\x02")
                                   : SPAN_OF_LITERAL("dap-18 input share\x01\x03");
}

struct span aggregate_share_info(enum role sender) {
    return sender == ROLE_LEADER ? SPAN_OF_LITERAL("dap-18 aggregate share\x02\x00")
                                 : SPAN_OF_LITERAL("dap-18 aggregate share\x03\x00");
}

/* The AAD ends as a report does before its shares: metadata, then the public
 * share as a vector. test/dap compares it with the generated InputShareAad. */
struct status input_share_aad_append(const struct task *task,
                                     const struct report_metadata *metadata,
                                     struct span public_share, struct buffer *out) {
    size_t start = out->len;
    struct writer writer = writer_to(out);
    writer_bytes(&writer, task->aad_prefix);
    report_metadata_write(&writer, metadata);
    writer_vector(&writer, 4, 0, UINT32_MAX, public_share);
    struct status status = writer_finish(&writer);
    if (!status_ok(status)) {
        out->len = start;
    }
    return status;
}

struct status input_share_aad_make(const struct task *task,
                                   const struct report_metadata *metadata,
                                   struct span public_share, struct arena *arena,
                                   struct span *out) {
    struct buffer encoded = BUFFER_INIT;
    struct status status;
    TRY_GOTO(status, input_share_aad_append(task, metadata, public_share, &encoded), done);
    status = arena_copy(arena, buffer_span(&encoded), out);
done:
    buffer_release(&encoded);
    return status;
}

struct status aggregate_share_aad_make(const struct task *task,
                                       struct span encoded_collection_job_req,
                                       struct arena *arena, struct span *out) {
    size_t len = task->aad_prefix.len + encoded_collection_job_req.len;
    uint8_t *aad = ARENA_ARRAY(arena, uint8_t, len);
    if (aad == NULL) {
        return FAIL(NO_MEMORY);
    }
    memcpy(aad, task->aad_prefix.data, task->aad_prefix.len);
    if (encoded_collection_job_req.len > 0) {
        memcpy(aad + task->aad_prefix.len, encoded_collection_job_req.data,
               encoded_collection_job_req.len);
    }
    *out = span_of(aad, len);
    return OK;
}
