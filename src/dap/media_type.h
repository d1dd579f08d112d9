/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_DAP_MEDIA_TYPE_H
#define MOIETY_DAP_MEDIA_TYPE_H

#include "base/bytes.h"

/* The media types of DAP's messages (draft 18, section 9.1). Pure. */
enum media_type {
    MEDIA_HPKE_CONFIG_LIST,
    MEDIA_UPLOAD_REQ,
    MEDIA_UPLOAD_ERRORS,
    MEDIA_AGGREGATION_JOB_INIT_REQ,
    MEDIA_AGGREGATION_JOB_RESP,
    MEDIA_AGGREGATION_JOB_CONTINUE_REQ,
    MEDIA_AGGREGATE_SHARE_REQ,
    MEDIA_AGGREGATE_SHARE,
    MEDIA_COLLECTION_JOB_REQ,
    MEDIA_COLLECTION_JOB_RESP,
    MEDIA_PROBLEM, /* application/problem+json (RFC 9457) */
};

/* The value of a Content-Type header. Static memory. */
const char *media_type_string(enum media_type type);

/* Whether a Content-Type header names `type`. Type, parameter names and the
 * value are compared without regard to case; other parameters (`version`) are
 * ignored. */
bool media_type_matches(struct span content_type, enum media_type type);

#endif
