/* SPDX-License-Identifier: Apache-2.0 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "dap/messages.h"
#include "task_lookup.h"
#include "wire/base64url.h"

static const char *config_path;

static const struct option_spec options[] = {CLI_CONFIG_OPTION(config_path), {.name = NULL}};

static const struct command_spec dump_command = {
    .name = "moiety batch dump",
    .arguments = "[options] TASK",
    .summary = "Writes which reports this server has counted in a task, without a secret.",
    .help = "For a batch in which leader and helper disagree: each runs it, redirects it to a\n"
            "file, and `moiety doctor --batch` compares the two. It writes each batch's count\n"
            "and checksum, the IDs of all reports counted, and at a helper the aggregation\n"
            "job of each, as far as they have not expired.\n",
    .options = options,
    .min_arguments = 1,
    .max_arguments = 1,
};

enum { IDS_AT_ONCE = 10000 };

struct dump {
    const struct store_task *task;
    struct task_configuration config;
    struct arena *arena;
    struct member *members; /* of jobs, by report ID */
    size_t member_count;
};

/* ---- Batches ----------------------------------------------------------------- */

static void batch_print(const struct dump *dump, const struct store_bucket *bucket) {
    char key[64], checksum[64];
    if (dump->config.batch_mode == BATCH_MODE_TIME_INTERVAL) {
        uint64_t start = 0;
        for (size_t i = 0; i < bucket->key.len; i++) {
            start = start << 8 | bucket->key.data[i];
        }
        cli_format_time(start * dump->config.time_precision, key);
    } else {
        base64url_encode(key, bucket->key);
    }
    base64url_encode(checksum, SPAN_OF_ARRAY(bucket->checksum));
    printf("batch %s %llu %s\n", key, (unsigned long long)bucket->report_count, checksum);
}

/* Shards of one bucket are neighbours. */
static struct status batches_dump(struct store_tx *tx, void *argument) {
    struct dump *dump = argument;
    uint8_t last[STORE_BATCH_ID_SIZE], digest[STORE_DIGEST_SIZE];
    struct store_bucket *buckets;
    size_t count;
    memset(last, 0xff, sizeof last);
    crypto_hash_sha256(digest, NULL, 0);
    TRY(store_bucket_range(tx, dump->arena, dump->task->id, SPAN_EMPTY, SPAN_OF_ARRAY(last), digest,
                           &buckets, &count));
    for (size_t i = 0; i < count; i++) {
        struct store_bucket *next = i + 1 < count ? &buckets[i + 1] : NULL;
        if (next == NULL || !span_equal_vartime(buckets[i].key, next->key)) {
            batch_print(dump, &buckets[i]);
            continue;
        }
        next->report_count += buckets[i].report_count;
        for (size_t j = 0; j < sizeof next->checksum; j++) {
            next->checksum[j] ^= buckets[i].checksum[j];
        }
    }
    return OK;
}

static struct status waiting_dump(struct store_tx *tx, void *argument) {
    struct dump *dump = argument;
    struct store_usage usage;
    TRY(store_usage_get(tx, dump->task->id, &usage));
    printf("waiting %llu\nin-jobs %llu\n", (unsigned long long)usage.unassigned,
           (unsigned long long)(usage.reports - usage.unassigned));
    return OK;
}

/* ---- Jobs of a helper ----------------------------------------------------------- */

struct member {
    uint8_t id[STORE_ID_SIZE];
    const uint8_t *job;
};

static int member_order(const void *left, const void *right) {
    return memcmp(((const struct member *)left)->id, ((const struct member *)right)->id,
                  STORE_ID_SIZE);
}

/* Who said yes to a report is in the job's answer. */
static struct status members_read(struct store_tx *tx, void *argument) {
    struct dump *dump = argument;
    struct store_resource *jobs;
    size_t count, total = 0, at = 0;
    TRY(store_resource_list(tx, dump->arena, dump->task->id, STORE_AGGREGATION_JOB,
                            STORE_RESOURCE_READY, &jobs, &count));
    struct aggregation_job_resp *answers =
        ARENA_ARRAY(dump->arena, struct aggregation_job_resp, count);
    if (answers == NULL) {
        return FAIL(NO_MEMORY);
    }
    for (size_t i = 0; i < count; i++) {
        TRY(aggregation_job_resp_decode(jobs[i].response, dump->arena, &answers[i]));
        total += answers[i].verify_resps.count;
    }
    struct member *members = ARENA_ARRAY(dump->arena, struct member, total);
    if (members == NULL) {
        return FAIL(NO_MEMORY);
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < answers[i].verify_resps.count; j++) {
            const struct verify_resp *resp = &answers[i].verify_resps.items[j];
            if (resp->verify_resp_type != VERIFY_RESP_TYPE_REJECT) {
                memcpy(members[at].id, resp->report_id.bytes, STORE_ID_SIZE);
                members[at++].job = jobs[i].id;
            }
        }
    }
    qsort(members, at, sizeof members[0], member_order);
    dump->members = members;
    dump->member_count = at;
    return OK;
}

/* ---- Reports ---------------------------------------------------------------------- */

static void id_print(const struct dump *dump, const struct store_committed *id) {
    struct member key;
    char text[32];
    memcpy(key.id, id->id, sizeof key.id);
    const struct member *member = dump->member_count == 0
                                      ? NULL
                                      : bsearch(&key, dump->members, dump->member_count,
                                                sizeof key, member_order);
    base64url_encode(text, SPAN_OF_ARRAY(id->id));
    printf("report %s", text);
    if (member != NULL) {
        base64url_encode(text, span_of(member->job, STORE_ID_SIZE));
        printf(" %s", text);
    }
    printf("\n");
}

struct page {
    struct dump *dump;
    struct arena arena;
    struct store_note place; /* of a leader's notes */
    struct store_committed last;
    bool begun;
    struct store_committed *ids;
    size_t count;
};

static struct status page_read(struct store_tx *tx, void *argument) {
    struct page *page = argument;
    return store_ids_list(tx, &page->arena, page->dump->task->id,
                          page->begun ? &page->last : NULL, IDS_AT_ONCE, &page->ids, &page->count);
}

/* Page by page, since there may be many. */
static struct status ids_dump(struct cli_server *server, struct dump *dump) {
    struct page page = {.dump = dump, .arena = ARENA_INIT};
    struct status status;
    do {
        status = store_run(server->store, STORE_READ, page_read, &page);
        for (size_t i = 0; status_ok(status) && i < page.count; i++) {
            id_print(dump, &page.ids[i]);
            page.last = page.ids[i];
        }
        page.begun = true;
        arena_release(&page.arena);
    } while (status_ok(status) && page.count == IDS_AT_ONCE);
    return status;
}

static struct status notes_read(struct store_tx *tx, void *argument) {
    struct page *page = argument;
    return store_notes_next(tx, &page->arena, page->dump->task->id, &page->place, &page->ids,
                            &page->count);
}

static struct status notes_dump(struct cli_server *server, struct dump *dump) {
    struct page page = {.dump = dump, .arena = ARENA_INIT};
    struct status status;
    do {
        status = store_run(server->store, STORE_READ, notes_read, &page);
        for (size_t i = 0; status_ok(status) && i < page.count; i++) {
            id_print(dump, &page.ids[i]);
        }
        arena_release(&page.arena);
    } while (status_ok(status) && page.count > 0);
    return status;
}

static struct status dump_all(struct cli_server *server, struct dump *dump) {
    char id[TASK_ID_TEXT];
    TRY(task_configuration_decode(dump->task->config, dump->arena, &dump->config));
    printf("moiety-batch-dump 1\ntask %s\nrole %s\n", task_id_text(dump->task->id, id),
           dump->task->role == ROLE_LEADER ? "leader" : "helper");
    TRY(store_run(server->store, STORE_READ, waiting_dump, dump));
    TRY(store_run(server->store, STORE_READ, batches_dump, dump));
    TRY(store_run(server->store, STORE_READ, members_read, dump));
    TRY(ids_dump(server, dump));
    TRY(notes_dump(server, dump));
    printf("end\n");
    return OK;
}

static int dump_run(struct cli_server *server, char **argv) {
    struct task_table table;
    struct status status = task_table_read(server, &table);
    if (!status_ok(status)) {
        return cli_fail_status(status, "the tasks can't be read");
    }
    struct dump dump = {.task = task_table_find(&table, argv[0]), .arena = &server->arena};
    if (dump.task == NULL) {
        return EXIT_FAILURE;
    }
    status = dump_all(server, &dump);
    return status_ok(status) ? EXIT_SUCCESS : cli_fail_status(status, "the dump is not whole");
}

int batch_dump_main(int argc, char **argv) {
    return cli_on_server(&dump_command, &config_path, false, argc, argv, dump_run);
}
