/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_SUPPORT_OPTIONS_H
#define MOIETY_SUPPORT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A program's command line, from one table for each command: what it takes is
 * what its --help shows. Options are long (`--name value` or `--name=value`)
 * and may stand before or after the other arguments; `--` ends them.
 */
enum option_kind {
    OPTION_FLAG,     /* bool: set to true */
    OPTION_STRING,   /* const char * */
    OPTION_NUMBER,   /* uint64_t */
    OPTION_DURATION, /* uint64_t microseconds: 250ms, 30s, 5m, 12h, 30d */
};

struct option_spec {
    const char *name;
    enum option_kind kind;
    void *value;          /* of the kind's type; holds the default, untouched if not given */
    const char *argument; /* its name in the help; NULL for flags */
    const char *help;     /* lines end with \n */
    bool *given;          /* if not NULL, set to true when the option is there */
};

struct command_spec {
    const char *name;                    /* with the program: "moiety task new" */
    const char *arguments;               /* "[options] FILE..." */
    const char *summary;                 /* one line */
    const char *help;                    /* more, or NULL; lines end with \n */
    const struct option_spec *options;   /* ends with a NULL name; may be NULL */
    size_t min_arguments, max_arguments; /* of what is no option */
};

enum { EXIT_USAGE = 2 };

enum options_result {
    OPTIONS_RUN,  /* go on: the arguments are `argv[0..*argc)` */
    OPTIONS_HELP, /* help was asked for and printed: exit with 0 */
    OPTIONS_BAD,  /* what is wrong was printed: exit with EXIT_USAGE */
};

/* Reads `argv`, without program and command names, and leaves in it the
 * arguments that are no options. */
enum options_result options_parse(const struct command_spec *command, int *argc, char **argv);
void options_print_help(const struct command_spec *command);

/* Says on standard error what is wrong with this command line. */
void options_complain(const struct command_spec *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

const char *program_version(void);

#endif
