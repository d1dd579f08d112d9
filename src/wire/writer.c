/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/writer.h"

static void write_fail(struct writer *writer, enum status_code code) {
    if (writer->failure == STATUS_OK) {
        writer->failure = code;
    }
}

static void put_integer(uint8_t *out, size_t width, uint64_t value) {
    for (size_t i = width; i > 0; i--) {
        out[i - 1] = (uint8_t)value;
        value >>= 8;
    }
}

static bool fits(uint64_t value, unsigned prefix) {
    return prefix >= 8 || value >> (8 * prefix) == 0;
}

void writer_bytes(struct writer *writer, struct span bytes) {
    if (writer->failure == STATUS_OK) {
        write_fail(writer, buffer_append(writer->out, bytes).code);
    }
}

static void write_integer(struct writer *writer, size_t width, uint64_t value) {
    uint8_t bytes[8];
    put_integer(bytes, width, value);
    writer_bytes(writer, span_of(bytes, width));
}

void writer_u8(struct writer *writer, uint8_t value) { write_integer(writer, 1, value); }
void writer_u16(struct writer *writer, uint16_t value) { write_integer(writer, 2, value); }
void writer_u32(struct writer *writer, uint32_t value) { write_integer(writer, 4, value); }
void writer_u64(struct writer *writer, uint64_t value) { write_integer(writer, 8, value); }

void writer_vector(struct writer *writer, unsigned prefix, size_t min, size_t max,
                   struct span bytes) {
    if (bytes.len < min || bytes.len > max || !fits(bytes.len, prefix)) {
        write_fail(writer, STATUS_INVALID_ARGUMENT);
        return;
    }
    write_integer(writer, prefix, bytes.len);
    writer_bytes(writer, bytes);
}

size_t writer_begin(struct writer *writer, unsigned prefix) {
    size_t mark = writer->out->len;
    write_integer(writer, prefix, 0);
    return mark;
}

void writer_end(struct writer *writer, unsigned prefix, size_t min, size_t max, size_t mark) {
    if (writer->failure != STATUS_OK) {
        return;
    }
    size_t len = writer->out->len - mark - prefix;
    if (len < min || len > max || !fits(len, prefix)) {
        write_fail(writer, STATUS_INVALID_ARGUMENT);
        return;
    }
    put_integer(writer->out->data + mark, prefix, len);
}
