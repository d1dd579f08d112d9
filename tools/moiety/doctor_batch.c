/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doctor.h"

/* How many reports are named of each side; all are counted. */
enum { NAMED_MAX = 100 };

/* One line of a dump: what it is called, and what is known of it (may be empty). */
struct entry {
    const char *name, *rest;
};

struct entries {
    struct entry *items;
    size_t count, capacity;
};

struct dump {
    const char *path, *role, *task;
    unsigned long long in_jobs;
    bool whole;
    struct entries batches, reports;
    char *text; /* that all of it points into */
};

/* ---- Reading --------------------------------------------------------------------- */

static bool entry_add(struct entries *entries, char *line) {
    if (entries->count == entries->capacity) {
        size_t capacity = entries->capacity == 0 ? 1024 : 2 * entries->capacity;
        struct entry *items = realloc(entries->items, capacity * sizeof items[0]);
        if (items == NULL) {
            return false;
        }
        entries->items = items;
        entries->capacity = capacity;
    }
    char *space = strchr(line, ' ');
    if (space != NULL) {
        *space++ = '\0';
    }
    entries->items[entries->count++] = (struct entry){line, space == NULL ? "" : space};
    return true;
}

/* What follows a word and a space at the start of a line; NULL if others do. */
static char *after_word(char *line, const char *word) {
    size_t len = strlen(word);
    return strncmp(line, word, len) == 0 && line[len] == ' ' ? line + len + 1 : NULL;
}

static bool line_read(struct dump *dump, char *line) {
    char *rest;
    if ((rest = after_word(line, "report")) != NULL) {
        return entry_add(&dump->reports, rest);
    }
    if ((rest = after_word(line, "batch")) != NULL) {
        return entry_add(&dump->batches, rest);
    }
    if ((rest = after_word(line, "task")) != NULL) {
        dump->task = rest;
    } else if ((rest = after_word(line, "role")) != NULL) {
        dump->role = rest;
    } else if ((rest = after_word(line, "in-jobs")) != NULL) {
        dump->in_jobs = strtoull(rest, NULL, 10);
    } else if (strcmp(line, "end") == 0) {
        dump->whole = true;
    }
    return true;
}

static int entry_order(const void *left, const void *right) {
    return strcmp(((const struct entry *)left)->name, ((const struct entry *)right)->name);
}

static void entries_sort(struct entries *entries) {
    if (entries->count > 0) {
        qsort(entries->items, entries->count, sizeof entries->items[0], entry_order);
    }
}

static char *file_text(const char *path) {
    char *text = NULL;
    size_t room = 0;
    FILE *file = fopen(path, "r");
    if (file == NULL || getdelim(&text, &room, '\0', file) < 0) {
        free(text);
        text = NULL;
    }
    if (file != NULL) {
        fclose(file);
    }
    return text;
}

static bool dump_read(struct doctor *doctor, const char *path, struct dump *out) {
    char *state = NULL;
    *out = (struct dump){.path = path, .text = file_text(path)};
    if (out->text == NULL) {
        doctor_bad(doctor, "%s can't be read", path);
        return false;
    }
    char *line = strtok_r(out->text, "\n", &state);
    bool known = line != NULL && strcmp(line, "moiety-batch-dump 1") == 0;
    while (known && (line = strtok_r(NULL, "\n", &state)) != NULL) {
        known = line_read(out, line);
    }
    if (!known || !out->whole || out->task == NULL || out->role == NULL) {
        doctor_bad(doctor, "%s is not a whole file of `moiety batch dump`", path);
        return false;
    }
    entries_sort(&out->batches);
    entries_sort(&out->reports);
    return true;
}

static void dump_release(struct dump *dump) {
    free(dump->batches.items);
    free(dump->reports.items);
    free(dump->text);
}

/* ---- Comparing ---------------------------------------------------------------------- */

/* Walks two sorted lists; `told` hears of every name with what either knows of it
 * (NULL: it doesn't have it). */
struct walk {
    struct doctor *doctor;
    const struct dump *sides[2];
    size_t alone[2]; /* names of one side only */
    size_t differ;
};
typedef void told_function(struct walk *walk, const char *name, const char *a, const char *b);

static void walk(struct walk *walk, const struct entries *a, const struct entries *b,
                 told_function *told) {
    size_t i = 0, j = 0;
    while (i < a->count || j < b->count) {
        int order = i == a->count   ? 1
                    : j == b->count ? -1
                                    : strcmp(a->items[i].name, b->items[j].name);
        const struct entry *left = order <= 0 ? &a->items[i++] : NULL;
        const struct entry *right = order >= 0 ? &b->items[j++] : NULL;
        told(walk, left != NULL ? left->name : right->name, left != NULL ? left->rest : NULL,
             right != NULL ? right->rest : NULL);
    }
}

static void batch_told(struct walk *walk, const char *name, const char *a, const char *b) {
    if (a != NULL && b != NULL && strcmp(a, b) == 0) {
        return;
    }
    walk->differ++;
    doctor_bad(walk->doctor, "batch %s differs (count and checksum): the %s has %s, the %s %s",
               name, walk->sides[0]->role, a == NULL ? "nothing" : a, walk->sides[1]->role,
               b == NULL ? "nothing" : b);
}

static void report_told(struct walk *walk, const char *name, const char *a, const char *b) {
    if (a != NULL && b != NULL) {
        return;
    }
    int side = a == NULL;
    const char *job = side == 0 ? a : b;
    if (walk->alone[side]++ < NAMED_MAX) {
        doctor_bad(walk->doctor, "report %s: the %s alone has counted it%s%s", name,
                   walk->sides[side]->role, job[0] != '\0' ? ", in aggregation job " : "", job);
    }
}

static void advise(struct walk *walk) {
    unsigned long long in_jobs = walk->sides[0]->in_jobs + walk->sides[1]->in_jobs;
    if (walk->differ + walk->alone[0] + walk->alone[1] == 0) {
        doctor_good(walk->doctor, "all %zu batches and %zu reports are the same on both sides",
                    walk->sides[0]->batches.count, walk->sides[0]->reports.count);
    } else if (in_jobs > 0) {
        doctor_warn(walk->doctor,
                    "%llu reports are in unfinished jobs, so a difference is to be expected: let "
                    "both servers run until there are none, since the leader asks again for each "
                    "answer, and dump again",
                    in_jobs);
    } else if (walk->alone[0] + walk->alone[1] == 0) {
        doctor_warn(walk->doctor,
                    "both have counted the same reports, so the batches themselves were "
                    "changed on one side, or IDs have expired: look for a restored backup");
    } else {
        doctor_warn(walk->doctor,
                    "no job is left that could settle it: one side lost what it had committed, "
                    "as after a restored backup without `moiety db restored`. These batches "
                    "can't be collected; all others can");
    }
}

void doctor_compare_dumps(struct doctor *doctor, const char *const paths[2]) {
    struct dump dumps[2] = {0};
    struct walk w = {.doctor = doctor, .sides = {&dumps[0], &dumps[1]}};
    bool first = dump_read(doctor, paths[0], &dumps[0]);
    bool second = dump_read(doctor, paths[1], &dumps[1]);
    if (!first || !second) {
        /* said */
    } else if (strcmp(dumps[0].task, dumps[1].task) != 0) {
        doctor_bad(doctor, "the files are of different tasks");
    } else if (strcmp(dumps[0].role, dumps[1].role) == 0) {
        doctor_bad(doctor, "both files are the %s's", dumps[0].role);
    } else {
        walk(&w, &dumps[0].batches, &dumps[1].batches, batch_told);
        walk(&w, &dumps[0].reports, &dumps[1].reports, report_told);
        for (int i = 0; i < 2; i++) {
            printf("the %s alone has counted %zu of %zu reports\n", dumps[i].role, w.alone[i],
                   dumps[i].reports.count);
        }
        advise(&w);
    }
    dump_release(&dumps[0]);
    dump_release(&dumps[1]);
}
