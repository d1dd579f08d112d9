/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/collection_job.h"

#include "wire/reader.h"
#include "wire/writer.h"

enum { NOTE_VERSION = 1 };

struct status collection_note_encode(const struct collection_note *note, struct buffer *out) {
    struct writer writer = writer_to(out);
    writer_u8(&writer, NOTE_VERSION);
    writer_vector(&writer, 2, 1, UINT16_MAX, note->selector);
    writer_u64(&writer, note->report_count);
    writer_bytes(&writer, SPAN_OF_ARRAY(note->checksum));
    interval_write(&writer, &note->interval);
    writer_vector(&writer, 4, 1, UINT32_MAX, note->leader_share);
    writer_vector(&writer, 2, 0, UINT16_MAX, note->location);
    writer_u32(&writer, note->tries);
    return writer_finish(&writer);
}

struct status collection_note_decode(struct span bytes, struct collection_note *out) {
    struct reader reader = reader_of(bytes);
    struct collection_note note;
    if (reader_u8(&reader) != NOTE_VERSION) {
        return FAIL(INTERNAL);
    }
    note.selector = reader_vector(&reader, 2, 1, UINT16_MAX);
    note.report_count = reader_u64(&reader);
    reader_copy(&reader, note.checksum, sizeof note.checksum);
    TRY(interval_read(&reader, NULL, &note.interval));
    note.leader_share = reader_vector(&reader, 4, 1, UINT32_MAX);
    note.location = reader_vector(&reader, 2, 0, UINT16_MAX);
    note.tries = reader_u32(&reader);
    if (!status_ok(reader_finish(&reader))) {
        return FAIL(INTERNAL);
    }
    *out = note;
    return OK;
}
