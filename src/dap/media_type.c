/* SPDX-License-Identifier: Apache-2.0 */
#include "dap/media_type.h"

#include <strings.h>

#define DAP_TYPE "application/ppm-dap"
#define MESSAGE "message="

static const char *const types[] = {
    [MEDIA_HPKE_CONFIG_LIST] = DAP_TYPE ";" MESSAGE "hpke-config-list",
    [MEDIA_UPLOAD_REQ] = DAP_TYPE ";" MESSAGE "upload-req",
    [MEDIA_UPLOAD_ERRORS] = DAP_TYPE ";" MESSAGE "upload-errors",
    [MEDIA_AGGREGATION_JOB_INIT_REQ] = DAP_TYPE ";" MESSAGE "aggregation-job-init-req",
    [MEDIA_AGGREGATION_JOB_RESP] = DAP_TYPE ";" MESSAGE "aggregation-job-resp",
    [MEDIA_AGGREGATION_JOB_CONTINUE_REQ] = DAP_TYPE ";" MESSAGE "aggregation-job-continue-req",
    [MEDIA_AGGREGATE_SHARE_REQ] = DAP_TYPE ";" MESSAGE "aggregate-share-req",
    [MEDIA_AGGREGATE_SHARE] = DAP_TYPE ";" MESSAGE "aggregate-share",
    [MEDIA_COLLECTION_JOB_REQ] = DAP_TYPE ";" MESSAGE "collection-job-req",
    [MEDIA_COLLECTION_JOB_RESP] = DAP_TYPE ";" MESSAGE "collection-job-resp",
    [MEDIA_PROBLEM] = "application/problem+json",
};

const char *media_type_string(enum media_type type) { return types[type]; }

static bool equal_fold(struct span a, struct span b) {
    return a.len == b.len && (a.len == 0 || strncasecmp((const char *)a.data,
                                                        (const char *)b.data, a.len) == 0);
}

static struct span trimmed(struct span text) {
    while (text.len > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text = span_of(text.data + 1, text.len - 1);
    }
    while (text.len > 0 &&
           (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t')) {
        text.len--;
    }
    return text;
}

/* Cuts what stands before the next ';' off the front of *rest. None of the
 * values that we compare holds a ';', so quoted ones need no care. */
static struct span next_part(struct span *rest) {
    const uint8_t *mark = rest->len > 0 ? memchr(rest->data, ';', rest->len) : NULL;
    size_t len = mark != NULL ? (size_t)(mark - rest->data) : rest->len;
    struct span part = span_of(rest->data, len);
    *rest = mark != NULL ? span_of(mark + 1, rest->len - len - 1) : SPAN_EMPTY;
    return trimmed(part);
}

static struct span unquoted(struct span value) {
    bool quoted = value.len >= 2 && value.data[0] == '"' && value.data[value.len - 1] == '"';
    return quoted ? span_of(value.data + 1, value.len - 2) : value;
}

bool media_type_matches(struct span content_type, enum media_type type) {
    struct span wanted = span_of_string(types[type]);
    struct span wanted_type = next_part(&wanted);
    struct span name = SPAN_OF_LITERAL(MESSAGE);
    if (!equal_fold(next_part(&content_type), wanted_type)) {
        return false;
    }
    if (wanted.len == 0) {
        return true;
    }
    struct span value = span_of(wanted.data + name.len, wanted.len - name.len);
    bool found = false;
    while (content_type.len > 0) {
        struct span part = next_part(&content_type);
        if (part.len >= name.len && equal_fold(span_of(part.data, name.len), name)) {
            struct span given = unquoted(span_of(part.data + name.len, part.len - name.len));
            if (found || !equal_fold(given, value)) {
                return false;
            }
            found = true;
        }
    }
    return found;
}
