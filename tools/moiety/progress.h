/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_PROGRESS_H
#define MOIETY_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * How far something is, on standard error: on a terminal a bar with rate and
 * time left, redrawn a few times a second; elsewhere one line at the end.
 */
struct progress {
    const char *what; /* "reports" */
    uint64_t total;   /* 0: not known */
    int64_t started_ns, drawn_ns;
    bool terminal;
};

void progress_start(struct progress *progress, const char *what, uint64_t total);
void progress_show(struct progress *progress, uint64_t done);
/* The last word; `done` is what was reached, also after a failure. */
void progress_end(struct progress *progress, uint64_t done);

#endif
