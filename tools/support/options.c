/* SPDX-License-Identifier: Apache-2.0 */
#include "support/options.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config/scalar.h"

const char *program_version(void) { return MOIETY_VERSION; }

void options_complain(const struct command_spec *command, const char *format, ...) {
    va_list arguments;
    fprintf(stderr, "%s: ", command->name);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, " (%s --help shows what it takes)\n", command->name);
}

static void print_option(const struct option_spec *option) {
    enum { COLUMN = 28 };
    char left[64];
    const char *line = option->help;
    snprintf(left, sizeof(left), "  --%s%s%s", option->name, option->argument == NULL ? "" : " ",
             option->argument == NULL ? "" : option->argument);
    printf("%-*s%s", COLUMN, left, strlen(left) >= COLUMN ? "\n" : "");
    bool indent = strlen(left) >= COLUMN;
    while (*line != '\0') {
        size_t len = strcspn(line, "\n");
        printf("%*s%.*s\n", indent ? COLUMN : 0, "", (int)len, line);
        line += len + (line[len] == '\n');
        indent = true;
    }
}

void options_print_help(const struct command_spec *command) {
    printf("usage: %s%s%s\n\n%s\n", command->name, command->arguments[0] == '\0' ? "" : " ",
           command->arguments, command->summary);
    if (command->help != NULL) {
        printf("\n%s", command->help);
    }
    if (command->options != NULL && command->options->name != NULL) {
        printf("\noptions:\n");
        for (const struct option_spec *o = command->options; o->name != NULL; o++) {
            print_option(o);
        }
    }
}

static const struct option_spec *find_option(const struct command_spec *command, const char *name,
                                             size_t len) {
    const struct option_spec *o = command->options;
    for (; o != NULL && o->name != NULL; o++) {
        if (strlen(o->name) == len && strncmp(o->name, name, len) == 0) {
            return o;
        }
    }
    return NULL;
}

static void unknown_option(const struct command_spec *command, const char *name) {
    size_t count = 0;
    while (command->options != NULL && command->options[count].name != NULL) {
        count++;
    }
    const char *meant = scalar_nearest(name, command->options, sizeof(command->options[0]), count);
    options_complain(command, "unknown option --%s%s%s%s", name,
                     meant == NULL ? "" : "; did you mean --", meant == NULL ? "" : meant,
                     meant == NULL ? "" : "?");
}

static bool read_value(const struct command_spec *command, const struct option_spec *option,
                       const char *text) {
    switch (option->kind) {
    case OPTION_FLAG: *(bool *)option->value = true; return true;
    case OPTION_STRING: *(const char **)option->value = text; return true;
    case OPTION_NUMBER:
        if (scalar_integer(text, option->value)) {
            return true;
        }
        options_complain(command, "--%s: expected a whole number, found \"%s\"", option->name,
                         text);
        return false;
    case OPTION_DURATION:
        if (scalar_duration(text, option->value)) {
            return true;
        }
        options_complain(command,
                         "--%s: expected a duration such as 30s, 5m, 12h or 30d, found \"%s\"",
                         option->name, text);
        return false;
    }
    return false;
}

/* Reads the option at argv[*at], which starts with "--". */
static bool read_option(const struct command_spec *command, int argc, char **argv, int *at) {
    const char *name = argv[*at] + 2;
    size_t len = strcspn(name, "=");
    const char *text = name[len] == '=' ? name + len + 1 : NULL;
    const struct option_spec *option = find_option(command, name, len);
    if (option == NULL) {
        unknown_option(command, name);
        return false;
    }
    if (option->kind == OPTION_FLAG && text != NULL) {
        options_complain(command, "--%s takes no value", option->name);
        return false;
    }
    if (option->kind != OPTION_FLAG && text == NULL) {
        if (*at + 1 >= argc) {
            options_complain(command, "--%s needs a value: %s", option->name, option->argument);
            return false;
        }
        text = argv[++*at];
    }
    if (option->given != NULL) {
        *option->given = true;
    }
    return read_value(command, option, text);
}

enum options_result options_parse(const struct command_spec *command, int *argc, char **argv) {
    int kept = 0;
    bool ended = false;
    for (int i = 0; i < *argc; i++) {
        if (!ended && strcmp(argv[i], "--") == 0) {
            ended = true;
        } else if (!ended && (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)) {
            options_print_help(command);
            return OPTIONS_HELP;
        } else if (!ended && strncmp(argv[i], "--", 2) == 0) {
            if (!read_option(command, *argc, argv, &i)) {
                return OPTIONS_BAD;
            }
        } else {
            argv[kept++] = argv[i];
        }
    }
    *argc = kept;
    if ((size_t)kept < command->min_arguments || (size_t)kept > command->max_arguments) {
        options_complain(command, kept == 0 ? "arguments are missing: %s" : "expected: %s",
                         command->arguments);
        return OPTIONS_BAD;
    }
    return OPTIONS_RUN;
}
