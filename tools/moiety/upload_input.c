/* SPDX-License-Identifier: Apache-2.0 */
#include "upload_input.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

uint64_t upload_input_count(struct upload_input *input) {
    struct stat about;
    uint64_t count = 0;
    int c, last = '\n';
    if (input->arguments != NULL) {
        return (uint64_t)input->argument_count;
    }
    long start = ftell(input->stream);
    if (fstat(fileno(input->stream), &about) != 0 || !S_ISREG(about.st_mode) || start < 0) {
        return 0;
    }
    while ((c = getc_unlocked(input->stream)) != EOF) {
        count += c != '\n' && last == '\n' && c != '#';
        last = c;
    }
    count -= input->header && count > 0;
    return fseek(input->stream, start, SEEK_SET) == 0 ? count : 0;
}

/* The field of a CSV line, in place. */
static char *csv_field(char *line, uint64_t column) {
    for (; column > 1 && line != NULL; column--) {
        line = strchr(line, ',');
        line += line == NULL ? 0 : 1;
    }
    if (line == NULL) {
        return NULL;
    }
    line[strcspn(line, ",")] = '\0';
    return line;
}

/* The next measurement's text, which lives until the next call; NULL at the
 * end. */
static char *next_text(struct upload_input *input) {
    if (input->arguments != NULL) {
        return input->line < (uint64_t)input->argument_count ? input->arguments[input->line++]
                                                             : NULL;
    }
    ssize_t len;
    while ((len = getline(&input->text, &input->capacity, input->stream)) >= 0) {
        input->line++;
        while (len > 0 && (input->text[len - 1] == '\n' || input->text[len - 1] == '\r')) {
            input->text[--len] = '\0';
        }
        if (len > 0 && input->text[0] != '#' && !(input->header && input->line == 1)) {
            char *field = input->column == 0 ? input->text : csv_field(input->text, input->column);
            return field == NULL ? input->text + len : field; /* no such column: empty */
        }
    }
    input->failed |= ferror(input->stream) != 0;
    return NULL;
}

size_t upload_input_take(struct upload_input *input, size_t max, char *texts[], uint64_t lines[]) {
    size_t taken = 0;
    char *text;
    pthread_mutex_lock(&input->lock);
    while (taken < max && !input->failed && (text = next_text(input)) != NULL) {
        texts[taken] = strdup(text);
        lines[taken] = input->line;
        if (texts[taken] == NULL) {
            input->failed = true;
            break;
        }
        taken++;
    }
    pthread_mutex_unlock(&input->lock);
    return taken;
}
