/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_DAP_PROBLEM_H
#define MOIETY_DAP_PROBLEM_H

#include "dap/messages.h"

/*
 * Problem documents (RFC 9457), as draft 18, section 3.6 uses them. They need
 * a JSON library, which is why they are a library of their own
 * (moiety_problem). Thread-safe.
 */
struct problem {
    /* The row of status.def: its DAP problem type and HTTP status. */
    enum status_code code;
    int status;         /* HTTP; 0 takes the code's */
    const char *detail; /* NULL takes the code's text */
    const struct task_id *task_id; /* NULL if it isn't known */
    /* For unsupportedExtension. */
    const uint16_t *unsupported_extensions;
    size_t unsupported_extension_count;

    /* Of a decoded problem only: its type and title, in the arena. */
    const char *type;
    const char *title;
};

/* Appends the JSON document to `out`. NO_MEMORY; INVALID_ARGUMENT for a detail
 * that isn't UTF-8. */
struct status problem_encode(const struct problem *problem, struct buffer *out);

/*
 * Reads one that a peer sent. A type of DAP's gives the code of that row;
 * any other gives BAD_REQUEST, or PEER_FAILED if the document's own status is
 * 5xx. Members that are missing or of the wrong kind are left out, as RFC 9457
 * asks: detail and title are then NULL. INVALID_MESSAGE if it isn't a JSON
 * object; NO_MEMORY.
 */
struct status problem_decode(struct span body, struct arena *arena, struct problem *out);

#endif
