/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/secret.h"
#include "cli.h"
#include "dap/interval.h"
#include "dap/url.h"
#include "hpke/provider/default.h"
#include "moiety/collector.h"
#include "task_file.h"
#include "wire/base64url.h"

enum { SMALL_BATCH = 100, ALL_FILES = 4 };

static struct {
    const char *leader, *helper, *vdaf, *batch_mode, *start, *end, *out, *collector, *info;
    uint64_t length, max_measurement, max_weight, chunk_length;
    uint64_t min_batch_size, time_precision, max_job_size;
    uint64_t batch_target_size, batch_deadline, report_expiry;
    bool length_given, max_measurement_given, max_weight_given, chunk_length_given;
    bool allow_small_batches, helper_async, janus_leader, janus_helper;
} o = {
    .batch_mode = "time-interval",
    .time_precision = UINT64_C(3600000000),
    .out = ".",
    .max_job_size = 1000,
};

static const struct option_spec options[] = {
    {"leader", OPTION_STRING, &o.leader, "URL", "the leader's endpoint", NULL},
    {"helper", OPTION_STRING, &o.helper, "URL", "the helper's endpoint", NULL},
    {"vdaf", OPTION_STRING, &o.vdaf, "TYPE", "count, sum, sumvec, histogram or multihotcountvec",
     NULL},
    {"length", OPTION_NUMBER, &o.length, "N", "numbers in a vector, or buckets", &o.length_given},
    {"max-measurement", OPTION_NUMBER, &o.max_measurement, "N",
     "the largest number of a sum or sumvec", &o.max_measurement_given},
    {"max-weight", OPTION_NUMBER, &o.max_weight, "N", "the most ones of a multihotcountvec",
     &o.max_weight_given},
    {"chunk-length", OPTION_NUMBER, &o.chunk_length, "N", "of the proof; left out: chosen well",
     &o.chunk_length_given},
    {"min-batch-size", OPTION_NUMBER, &o.min_batch_size, "N",
     "the fewest reports that a result may cover", NULL},
    {"allow-small-batches", OPTION_FLAG, &o.allow_small_batches, NULL,
     "accept a minimum under 100, which protects\nnobody: for tests", NULL},
    {"batch-mode", OPTION_STRING, &o.batch_mode, "MODE",
     "time-interval (default) or leader-selected", NULL},
    {"time-precision", OPTION_DURATION, &o.time_precision, "TIME",
     "what report times are rounded to; default 1h", NULL},
    {"start", OPTION_STRING, &o.start, "TIME", "reports must not be older (task_interval)", NULL},
    {"end", OPTION_STRING, &o.end, "TIME", "and must be older than this", NULL},
    {"info", OPTION_STRING, &o.info, "TEXT", "task_info; default: NAME", NULL},
    {"collector", OPTION_STRING, &o.collector, "FILE",
     "use the key of this collector's file of another\ntask instead of a new one", NULL},
    {"out", OPTION_STRING, &o.out, "FOLDER", "where the files go; default: here", NULL},
    {"max-job-size", OPTION_NUMBER, &o.max_job_size, "N",
     "reports in one aggregation job; default 1000", NULL},
    {"helper-async", OPTION_FLAG, &o.helper_async, NULL,
     "the helper answers aggregation jobs later", NULL},
    {"batch-target-size", OPTION_NUMBER, &o.batch_target_size, "N",
     "leader-selected: close a batch at this size", NULL},
    {"batch-deadline", OPTION_DURATION, &o.batch_deadline, "TIME",
     "leader-selected: or at this age, if it has the\nminimum", NULL},
    {"report-expiry", OPTION_DURATION, &o.report_expiry, "TIME",
     "forget reports of this age; default: never", NULL},
    {"janus-leader", OPTION_FLAG, &o.janus_leader, NULL,
     "the leader runs Janus (dialect janus-2026-08)", NULL},
    {"janus-helper", OPTION_FLAG, &o.janus_helper, NULL, "the helper runs Janus", NULL},
    {.name = NULL},
};

static const struct command_spec command = {
    .name = "moiety task new",
    .arguments = "[options] NAME",
    .summary = "Makes a task: one file for each party, with all that it needs.",
    .help = "  NAME.leader.json     for the leader's operator: moiety task import\n"
            "  NAME.helper.json     for the helper's operator: moiety task import\n"
            "  NAME.collector.json  for who collects: moiety collect\n"
            "  NAME.client.json     for who measures: moiety upload; the only one without secrets\n"
            "\n"
            "Hand each party its own file and no other: whoever has a party's file can act as that\n"
            "party. Nothing is stored on any server yet.\n"
            "\n"
            "example:\n"
            "  moiety task new visits --vdaf histogram --length 24 --min-batch-size 1000 \\\n"
            "    --leader https://leader.example/ --helper https://helper.example/\n",
    .options = options,
    .min_arguments = 1,
    .max_arguments = 1,
};

/* ---- The parts of a task ---- */

static const char *vdaf_full_name(const char *name) {
    static const char *const names[][2] = {
        {"count", "Prio3Count"},
        {"sum", "Prio3Sum"},
        {"sumvec", "Prio3SumVec"},
        {"histogram", "Prio3Histogram"},
        {"multihotcountvec", "Prio3MultihotCountVec"},
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcasecmp(name, names[i][0]) == 0 || strcasecmp(name, names[i][1]) == 0) {
            return names[i][1];
        }
    }
    return NULL;
}

static bool make_vdaf(struct vdaf **out) {
    struct vdaf_param params[4];
    size_t count = 0;
    const char *name = vdaf_full_name(o.vdaf);
    if (name == NULL) {
        options_complain(&command,
                         "--vdaf: expected count, sum, sumvec, histogram or multihotcountvec, "
                         "found \"%s\"",
                         o.vdaf);
        return false;
    }
    const struct {
        bool given;
        struct vdaf_param param;
    } all[] = {
        {o.length_given, {"length", o.length}},
        {o.max_measurement_given, {"max_measurement", o.max_measurement}},
        {o.max_weight_given, {"max_weight", o.max_weight}},
        {o.chunk_length_given, {"chunk_length", o.chunk_length}},
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (all[i].given) {
            params[count++] = all[i].param;
        }
    }
    if (!status_ok(vdaf_new(name, params, count, 2, out))) {
        options_complain(&command,
                         "%s takes other parameters: sum: --max-measurement; sumvec: --length, "
                         "--max-measurement; histogram: --length; multihotcountvec: --length, "
                         "--max-weight; each at least 1",
                         o.vdaf);
        return false;
    }
    return true;
}

static bool check_url(const char *option, const char *text) {
    struct url url;
    if (text == NULL) {
        options_complain(&command, "--%s is needed", option);
        return false;
    }
    if (!status_ok(url_parse(span_of_string(text), &url)) || url.query.len > 0) {
        options_complain(&command,
                         "--%s: expected a URL such as https://leader.example/, found "
                         "\"%s\"",
                         option, text);
        return false;
    }
    return true;
}

static bool check_options(void) {
    if (!check_url("leader", o.leader) || !check_url("helper", o.helper)) {
        return false;
    }
    if (o.vdaf == NULL || o.min_batch_size == 0) {
        options_complain(&command, "--%s is needed", o.vdaf == NULL ? "vdaf" : "min-batch-size");
        return false;
    }
    if (o.min_batch_size < SMALL_BATCH && !o.allow_small_batches) {
        options_complain(&command,
                         "a minimum batch size of %llu says too much about each person; use at "
                         "least %d, or --allow-small-batches for tests",
                         (unsigned long long)o.min_batch_size, SMALL_BATCH);
        return false;
    }
    if (o.time_precision == 0 || o.time_precision % 1000000 != 0) {
        options_complain(&command, "--time-precision: expected whole seconds");
        return false;
    }
    if (strcmp(o.batch_mode, "time-interval") != 0 &&
        strcmp(o.batch_mode, "leader-selected") != 0) {
        options_complain(&command,
                         "--batch-mode: expected time-interval or leader-selected, "
                         "found \"%s\"",
                         o.batch_mode);
        return false;
    }
    if ((o.start == NULL) != (o.end == NULL)) {
        options_complain(&command, "--start and --end go together");
        return false;
    }
    return true;
}

static bool task_interval(struct interval *out) {
    uint64_t start, end, precision = o.time_precision / 1000000;
    if (!cli_parse_time(o.start, &start) || !cli_parse_time(o.end, &end) || end <= start) {
        options_complain(&command, "--start and --end: expected times such as 2026-01-31, the "
                                   "later one second");
        return false;
    }
    *out =
        (struct interval){start / precision, (end + precision - 1) / precision - start / precision};
    return true;
}

static struct status make_task(const struct vdaf *vdaf, const struct interval *interval,
                               struct arena *arena, struct task *out) {
    struct task_id id;
    struct task_extension extension;
    struct buffer config = BUFFER_INIT;
    struct task_configuration c = {
        .task_info = span_of_string(o.info),
        .leader_aggregator_endpoint = span_of_string(o.leader),
        .helper_aggregator_endpoint = span_of_string(o.helper),
        .time_precision = o.time_precision / 1000000,
        .min_batch_size = o.min_batch_size,
        .batch_mode = strcmp(o.batch_mode, "time-interval") == 0 ? BATCH_MODE_TIME_INTERVAL
                                                                 : BATCH_MODE_LEADER_SELECTED,
        .vdaf_type = vdaf_codepoint(vdaf),
    };
    if (hpke_provider_default()->random(id.bytes, sizeof(id.bytes)) != 0) {
        return FAIL(CRYPTO);
    }
    if (interval != NULL) {
        TRY(task_interval_extension(interval, arena, &extension));
        c.extensions = (struct task_extension_list){&extension, 1};
    }
    struct status status = vdaf_encode_config(vdaf, &config);
    if (status_ok(status)) {
        c.vdaf_configuration = buffer_span(&config);
        status = task_make(&id, &c, arena, out);
    }
    buffer_release(&config);
    return status;
}

static struct status copy_collector_key(const struct moiety_collector_key *key, struct arena *arena,
                                        struct task_file *out) {
    uint8_t exported[MOIETY_COLLECTOR_KEY_SIZE];
    size_t len;
    const uint8_t *config = moiety_collector_key_config(key, &len);
    moiety_collector_key_export(key, exported);
    struct status status = arena_copy(arena, SPAN_OF_ARRAY(exported), &out->collector_key);
    secret_wipe(exported, sizeof(exported));
    return status_ok(status) ? arena_copy(arena, span_of(config, len), &out->collector_config)
                             : status;
}

static struct status make_collector_key(struct arena *arena, struct task_file *out) {
    enum { CONFIG_ID = 1 };
    struct moiety_collector_key *key;
    if (moiety_collector_key_generate(hpke_provider_default(), MOIETY_KEM_X25519_HKDF_SHA256,
                                      MOIETY_AEAD_AES_128_GCM, CONFIG_ID, &key) != MOIETY_OK) {
        return FAIL(CRYPTO);
    }
    struct status status = copy_collector_key(key, arena, out);
    moiety_collector_key_free(key);
    return status;
}

static struct status make_verify_key(const struct vdaf *vdaf, struct arena *arena,
                                     struct task_file *out) {
    size_t size = vdaf_verify_key_size(vdaf);
    uint8_t *bytes = arena_alloc(arena, size, 1);
    struct task_verify_key *key = ARENA_NEW(arena, struct task_verify_key);
    if (bytes == NULL || key == NULL) {
        return FAIL(NO_MEMORY);
    }
    if (hpke_provider_default()->random(bytes, size) != 0) {
        return FAIL(CRYPTO);
    }
    *key = (struct task_verify_key){0, span_of(bytes, size)};
    out->verify_keys = key;
    out->verify_key_count = 1;
    return OK;
}

static struct status make_settings(struct arena *arena, struct span *out) {
    struct buffer text = BUFFER_INIT;
    struct task_settings settings = TASK_SETTINGS_DEFAULT;
    settings.max_job_size = (uint32_t)o.max_job_size;
    settings.helper_async = o.helper_async;
    settings.batch_target_size = o.batch_target_size;
    settings.batch_deadline_s = (uint32_t)(o.batch_deadline / 1000000);
    settings.report_expiry_s = o.report_expiry / 1000000;
    settings.allow_small_batches = o.allow_small_batches;
    struct status status = task_settings_print(&settings, &text);
    if (status_ok(status)) {
        status = arena_copy(arena, buffer_span(&text), out);
    }
    buffer_release(&text);
    return status;
}

/* ---- The files ---- */

/* Tokens: the leader sends one to the helper, the collector one to the leader;
 * who receives one keeps its hash alone. */
static struct status make_peers(struct arena *arena, struct task_file files[ALL_FILES]) {
    struct span leader_token, leader_hash, collector_token, collector_hash;
    struct task_file *leader = &files[TASK_FILE_LEADER], *helper = &files[TASK_FILE_HELPER];
    const char *id = base64url_string(arena, SPAN_OF_ARRAY(leader->task.id.bytes));
    TRY(task_file_new_token(arena, &leader_token, &leader_hash));
    TRY(task_file_new_token(arena, &collector_token, &collector_hash));
    /* Named after the task, so that an import never changes another task's peer. */
    const char *leader_name = arena_printf(arena, "leader-%.8s", id == NULL ? "" : id);
    const char *helper_name = arena_printf(arena, "helper-%.8s", id == NULL ? "" : id);
    const char *collector_name = arena_printf(arena, "collector-%.8s", id == NULL ? "" : id);
    if (id == NULL || leader_name == NULL || helper_name == NULL || collector_name == NULL) {
        return FAIL(NO_MEMORY);
    }
    static const char draft[] = "draft-18", janus[] = "janus-2026-08";
    leader->aggregator = (struct task_file_peer){helper_name, o.janus_helper ? janus : draft,
                                                 leader_token, SPAN_EMPTY};
    leader->collector = (struct task_file_peer){collector_name, draft, SPAN_EMPTY, collector_hash};
    helper->aggregator = (struct task_file_peer){leader_name, o.janus_leader ? janus : draft,
                                                 SPAN_EMPTY, leader_hash};
    files[TASK_FILE_COLLECTOR].collector_token = collector_token;
    return OK;
}

static struct status make_files(const struct vdaf *vdaf, const struct interval *interval,
                                struct arena *arena, struct task_file files[ALL_FILES]) {
    struct task_file common = {0};
    struct task_file reused = {0};
    TRY(make_task(vdaf, interval, arena, &common.task));
    TRY(make_verify_key(vdaf, arena, &common));
    TRY(make_settings(arena, &common.settings));
    if (o.collector == NULL) {
        TRY(make_collector_key(arena, &common));
    } else if (task_file_read(o.collector, arena, &reused) && reused.kind == TASK_FILE_COLLECTOR) {
        common.collector_config = reused.collector_config;
        common.collector_key = reused.collector_key;
    } else {
        return FAIL(INVALID_ARGUMENT);
    }
    for (int kind = 0; kind < ALL_FILES; kind++) {
        files[kind] = common;
        files[kind].kind = (enum task_file_kind)kind;
    }
    return make_peers(arena, files);
}

static int write_files(const char *name, struct arena *arena,
                       const struct task_file files[ALL_FILES]) {
    static const char *const notes[] = {
        "for the leader: moiety task import", "for the helper: moiety task import",
        "for the collector: moiety collect", "for clients: moiety upload"};
    for (int kind = 0; kind < ALL_FILES; kind++) {
        const char *path = arena_printf(arena, "%s/%s.%s.json", o.out, name,
                                        task_file_kind_name((enum task_file_kind)kind));
        struct status status = path == NULL ? FAIL(NO_MEMORY) : task_file_write(path, &files[kind]);
        if (status.code == STATUS_CONFLICT) {
            return cli_fail("%s exists already and stays as it is; take another NAME", path);
        }
        if (!status_ok(status)) {
            return cli_fail_status(status, "%s can't be written", path == NULL ? name : path);
        }
        printf("%-32s %s\n", path, notes[kind]);
    }
    fprintf(stderr,
            "moiety: the collector's file holds the only key that opens the results; keep a copy "
            "of it\n");
    if (o.min_batch_size < SMALL_BATCH) {
        cli_warn("a minimum batch size of %llu protects nobody: for tests only",
                 (unsigned long long)o.min_batch_size);
    }
    return EXIT_SUCCESS;
}

int task_new_main(int argc, char **argv) {
    int result;
    struct interval interval;
    struct vdaf *vdaf;
    struct arena arena = ARENA_INIT;
    struct task_file files[ALL_FILES];
    if (!cli_options(&command, &argc, argv, &result)) {
        return result;
    }
    o.info = o.info == NULL ? argv[0] : o.info;
    if (!check_options() || (o.start != NULL && !task_interval(&interval)) || !make_vdaf(&vdaf)) {
        return EXIT_USAGE;
    }
    struct status status = make_files(vdaf, o.start == NULL ? NULL : &interval, &arena, files);
    result = status_ok(status) ? write_files(argv[0], &arena, files)
                               : cli_fail_status(status, "the task can't be made");
    vdaf_free(vdaf);
    arena_release(&arena);
    return result;
}
