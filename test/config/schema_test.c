/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>

#include "config/scalar.h"
#include "config/schema.h"

struct item {
    const char *label;
    uint64_t weight;
    size_t line;
};

struct example {
    const char *name;
    const char *file;
    bool flag;
    uint64_t count, wait, room, colour;
    struct schema_strings words;
    struct {
        uint64_t depth;
        const char *must;
    } inner;
    struct schema_sections items;
};

static const char *const colours[] = {"red", "green", "blue", NULL};

static const struct schema_field item_fields[] = {
    {.name = "label", .kind = SCHEMA_STRING, .offset = offsetof(struct item, label), .required = true},
    {.name = "weight", .kind = SCHEMA_INTEGER, .offset = offsetof(struct item, weight), .initial = "7"},
    {.name = "line", .kind = SCHEMA_LINE, .offset = offsetof(struct item, line)},
    {.name = NULL},
};

static const struct schema_field inner_fields[] = {
    {.name = "depth", .kind = SCHEMA_INTEGER, .initial = "3"},
    {.name = "must", .kind = SCHEMA_STRING, .offset = sizeof(uint64_t), .required = true},
    {.name = NULL},
};

static const struct schema_field fields[] = {
    {.name = "name", .kind = SCHEMA_STRING, .offset = offsetof(struct example, name),
     .required = true, .example = "me", .doc = "Who."},
    {.name = "file", .kind = SCHEMA_PATH, .offset = offsetof(struct example, file)},
    {.name = "flag", .kind = SCHEMA_BOOL, .offset = offsetof(struct example, flag), .initial = "true"},
    {.name = "count", .kind = SCHEMA_INTEGER, .offset = offsetof(struct example, count),
     .initial = "5", .min = 1, .max = 10},
    {.name = "wait", .kind = SCHEMA_DURATION, .offset = offsetof(struct example, wait),
     .initial = "5m", .min = 1000000, .max = 3600000000},
    {.name = "room", .kind = SCHEMA_SIZE, .offset = offsetof(struct example, room), .initial = "2KiB"},
    {.name = "colour", .kind = SCHEMA_CHOICE, .offset = offsetof(struct example, colour),
     .choices = colours, .initial = "green"},
    {.name = "words", .kind = SCHEMA_STRINGS, .offset = offsetof(struct example, words)},
    {.name = "inner", .kind = SCHEMA_SECTION, .offset = offsetof(struct example, inner),
     .fields = inner_fields},
    {.name = "items", .kind = SCHEMA_SECTIONS, .offset = offsetof(struct example, items),
     .fields = item_fields, .size = sizeof(struct item)},
    {.name = NULL},
};

static struct arena arena;
static struct buffer errors;

static void teardown(void) {
    arena_release(&arena);
    buffer_release(&errors);
}
TestSuite(schema, .fini = teardown);

static struct status parse(const char *text, struct example *out) {
    *out = (struct example){0};
    return schema_parse(fields, span_of_string(text), "dir/f.yaml", &arena, out, &errors);
}

static void expect_mistake(const char *text, const char *message) {
    struct example out;
    buffer_clear(&errors);
    cr_assert_eq(parse(text, &out).code, STATUS_INVALID_CONFIG, "accepted: %s", text);
    cr_assert(buffer_append_u8(&errors, 0).code == STATUS_OK);
    cr_assert_not_null(strstr((const char *)errors.data, message), "%s\ngave: %s", text,
                       (const char *)errors.data);
}

Test(schema, defaults) {
    struct example out;
    cr_assert(status_ok(parse("name: x\n", &out)));
    cr_assert_str_eq(out.name, "x");
    cr_assert_null(out.file);
    cr_assert(out.flag);
    cr_assert_eq(out.count, 5);
    cr_assert_eq(out.wait, 300000000);
    cr_assert_eq(out.room, 2048);
    cr_assert_eq(out.colour, 1);
    cr_assert_eq(out.inner.depth, 3);
    cr_assert_eq(out.words.count + out.items.count, 0);
}

Test(schema, everything) {
    struct example out;
    cr_assert(status_ok(parse("name: x\nfile: a/b\nflag: no\ncount: 10\nwait: 30s\nroom: 1MiB\n"
                              "colour: blue\nwords: [p, q]\ninner: {depth: 9, must: m}\n"
                              "items:\n  - label: one\n  - label: two\n    weight: 8\n",
                              &out)),
              "%.*s", (int)errors.len, (const char *)errors.data);
    cr_assert_str_eq(out.file, "dir/a/b");
    cr_assert_not(out.flag);
    cr_assert_eq(out.wait, 30000000);
    cr_assert_eq(out.room, 1 << 20);
    cr_assert_eq(out.colour, 2);
    cr_assert_eq(out.words.count, 2);
    cr_assert_str_eq(out.words.items[1], "q");
    cr_assert_eq(out.inner.depth, 9);
    const struct item *items = out.items.items;
    cr_assert_eq(out.items.count, 2);
    cr_assert_eq(items[0].weight, 7);
    cr_assert_eq(items[1].weight, 8);
    cr_assert_eq(items[1].line, 12);
}

Test(schema, mistakes_name_file_line_and_what_was_expected) {
    expect_mistake("flag: true\n", "dir/f.yaml:1: name: required, and missing here");
    expect_mistake("name: x\n\ncuont: 3\n", "dir/f.yaml:3: cuont: unknown key; did you mean count?");
    expect_mistake("name: x\nzzzzzz: 3\n", "dir/f.yaml:2: zzzzzz: unknown key\n");
    expect_mistake("name: x\ncount: 11\n",
                   "dir/f.yaml:2: count: expected a whole number, from 1 to 10, found \"11\"");
    expect_mistake("name: x\ncount: 0x3\n", "found \"0x3\"");
    expect_mistake("name: x\ncount:\n", "found nothing");
    expect_mistake("name: x\nwait: 5\n", "expected a duration such as 250ms, 30s, 5m, 12h or 30d, "
                                         "from 1s to 3600s, found \"5\"");
    expect_mistake("name: x\nroom: [1]\n", "room: expected a size such as 512, 64KiB or 32MiB, found a list");
    expect_mistake("name: x\ncolour: pink\n", "expected one of red, green, blue, found \"pink\"");
    expect_mistake("name: x\nflag: maybe\n", "expected true or false, found \"maybe\"");
    expect_mistake("name: x\nwords: a\n", "words: expected a list of strings, found \"a\"");
    expect_mistake("name: x\nwords: [a, {b: c}]\n", "words[1]: expected a string, found a section");
    expect_mistake("name: x\ninner: 3\n", "inner: expected a section of keys, found \"3\"");
    expect_mistake("name: x\ninner: {depth: 1}\n", "inner.must: required");
    expect_mistake("name: x\nitems: [{label: a, weigth: 1}]\n",
                   "items[0].weigth: unknown key; did you mean weight?");
    expect_mistake("name: x\nitems: [a]\n", "items[0]: expected a section of keys");
    expect_mistake("name: x\nitems: [{label: a, line: 4}]\n", "items[0].line: unknown key");
    expect_mistake("name: x\nname: y\n", "dir/f.yaml:2: name: given twice");
    expect_mistake("name: [\n", "not valid YAML");
    expect_mistake("name: \"x\n", "not valid YAML");
    expect_mistake("", "the file is empty");
    expect_mistake("- a\n", "dir/f.yaml:1: expected a section of keys, found a list");
}

Test(schema, all_mistakes_are_told_at_once) {
    expect_mistake("count: 99\nflag: 3\nfoo: 1\n", "name: required");
    size_t lines = 0;
    for (size_t i = 0; i < errors.len; i++) {
        lines += errors.data[i] == '\n';
    }
    cr_assert_eq(lines, 4);
}

Test(schema, credentials_come_from_systemd) {
    struct example out;
    setenv("CREDENTIALS_DIRECTORY", "/run/credentials/x", 1);
    cr_assert(status_ok(parse("name: x\nfile: credential:key\n", &out)));
    cr_assert_str_eq(out.file, "/run/credentials/x/key");
}

Test(schema, a_file_that_is_not_there) {
    struct example out;
    cr_assert_eq(schema_load(fields, "no/such.yaml", &arena, &out, &errors).code,
                 STATUS_INVALID_CONFIG);
    cr_assert(buffer_append_u8(&errors, 0).code == STATUS_OK);
    cr_assert_str_eq((const char *)errors.data, "no/such.yaml: can't be read: no such file\n");
}

Test(schema, units) {
    uint64_t value = 1;
    cr_assert(scalar_duration("0", &value) && value == 0);
    cr_assert(scalar_duration("250ms", &value) && value == 250000);
    cr_assert(scalar_duration("30d", &value) && value == UINT64_C(2592000000000));
    cr_assert_not(scalar_duration("99999999999999d", &value));
    cr_assert_not(scalar_duration("-1s", &value));
    cr_assert_not(scalar_integer("18446744073709551616", &value));
    cr_assert(scalar_integer("18446744073709551615", &value) && value == UINT64_MAX);
    cr_assert_not(scalar_integer(" 1", &value));
    cr_assert(scalar_size("3GiB", &value) && value == UINT64_C(3) << 30);
    cr_assert_not(scalar_size("3GB", &value));
}
