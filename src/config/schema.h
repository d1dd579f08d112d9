/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_CONFIG_SCHEMA_H
#define MOIETY_CONFIG_SCHEMA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"

/*
 * A configuration file that is declared, not parsed by hand: one table says of
 * each key where it stands in a C struct, what it may hold, what it defaults to
 * and what it is for. From that table come the loader with its error messages
 * and the commented sample file, so that none of them can disagree.
 *
 * The file is YAML. Every mistake is reported, each on a line of its own as
 * `file:line: key: expected this, found that`.
 */
enum schema_kind {
    SCHEMA_STRING,   /* const char *; NULL if left out without a default */
    SCHEMA_PATH,     /* const char *; from the file's own folder, or, as credential:NAME,
                      * from where systemd puts a service's credentials */
    SCHEMA_BOOL,     /* bool */
    SCHEMA_INTEGER,  /* uint64_t in [min, max] */
    SCHEMA_DURATION, /* uint64_t microseconds in [min, max]; written 250ms, 30s, 5m, 12h, 30d */
    SCHEMA_SIZE,     /* uint64_t bytes in [min, max]; written 512, 64KiB, 32MiB, 1GiB */
    SCHEMA_CHOICE,   /* uint64_t index into `choices` */
    SCHEMA_STRINGS,  /* struct schema_strings */
    SCHEMA_PATHS,    /* struct schema_strings, each as SCHEMA_PATH */
    SCHEMA_SECTION,  /* an embedded struct, described by `fields` */
    SCHEMA_SECTIONS, /* struct schema_sections of structs described by `fields` */
    SCHEMA_LINE,     /* not a key: size_t, the line where this section starts; 0 if left out */
};

struct schema_strings {
    const char **items;
    size_t count;
};

struct schema_sections {
    void *items;
    size_t count;
};

struct schema_field {
    const char *name;
    enum schema_kind kind;
    size_t offset;
    bool required;                     /* where its section is given */
    const char *initial;               /* the default, as it would be written; NULL for none */
    const char *example;               /* for the sample, where there is no default */
    uint64_t min, max;                 /* INTEGER, DURATION, SIZE; both 0 for no bounds */
    const char *const *choices;        /* CHOICE; ends with NULL */
    const struct schema_field *fields; /* SECTION, SECTIONS; ends with a NULL name */
    size_t size;                       /* SECTIONS: of one struct */
    bool word;                         /* BOOL: its name alone may stand for its whole section,
                                        * which sets it: `tls: acme` */
    const char *doc;                   /* one or more sentences; lines end with \n */
};

/*
 * Reads `text` into `*out`, a struct described by `fields`. Strings live in the
 * arena. `name` is the file's name in messages; relative paths are taken from
 * its folder. INVALID_CONFIG appends what is wrong to `errors`, one mistake a
 * line; `*out` is then unspecified.
 */
struct status schema_parse(const struct schema_field fields[], struct span text, const char *name,
                           struct arena *arena, void *out, struct buffer *errors);
/* The same from a file; a file that can't be read is INVALID_CONFIG too. */
struct status schema_load(const struct schema_field fields[], const char *path, struct arena *arena,
                          void *out, struct buffer *errors);

/* A database's URL as it stands in the file at `config`, if that is a SQLite file: its
 * path is then taken from that file's folder. NO_MEMORY. */
struct status schema_resolve_database(const char *config, struct arena *arena,
                                      const char **database);

/* Appends a mistake that the table can't express, in the loader's own form. */
void schema_complain(struct buffer *errors, const char *name, size_t line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Appends a sample file: every key with its meaning and default, those that
 * may be left out commented out. */
struct status schema_print_sample(const struct schema_field fields[], struct buffer *out);

#endif
