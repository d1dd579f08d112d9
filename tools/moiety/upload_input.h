/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_UPLOAD_INPUT_H
#define MOIETY_UPLOAD_INPUT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/*
 * Where measurements come from: arguments, or lines. Each is the text of one
 * measurement: a number, or a vector as CSV (1,0,3) or JSON ([1,0,3]). Empty
 * lines and lines that start with # are passed over. Thread-safe.
 */
struct upload_input {
    pthread_mutex_t lock;
    char **arguments; /* NULL: lines of `stream` */
    int argument_count;
    FILE *stream;
    uint64_t column; /* of a CSV line, from 1; 0: the whole line */
    bool header;     /* pass over the first line */
    uint64_t line;   /* read so far */
    char *text;
    size_t capacity;
    bool failed;
};

/* How many measurements there are, if that can be known without reading from a
 * pipe; else 0. */
uint64_t upload_input_count(struct upload_input *input);

/* The next texts, at most `max`, each copied to one of `texts` and freed by the
 * caller; `lines[i]` says where it stood. Returns how many. */
size_t upload_input_take(struct upload_input *input, size_t max, char *texts[], uint64_t lines[]);

#endif
