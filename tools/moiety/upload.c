/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli.h"
#include "hpke/provider/default.h"
#include "http.h"
#include "moiety/client.h"
#include "progress.h"
#include "task_file.h"
#include "upload_input.h"

enum { BATCH_MAX = 10000, THREADS_MAX = 64, COMPLAINTS_MAX = 5, REMAKES_MAX = 3 };

static struct {
    const char *task, *time, *out;
    uint64_t batch, threads, column, patience;
    bool header;
    struct cli_http http;
} o = {.batch = 500, .patience = UINT64_C(600) * 1000000};

static const struct option_spec options[] = {
    {"task", OPTION_STRING, &o.task, "FILE", "the client's file of the task", NULL},
    {"batch", OPTION_NUMBER, &o.batch, "N", "reports in one request; default 500", NULL},
    {"parallel", OPTION_NUMBER, &o.threads, "N", "requests at once; default: one per processor",
     NULL},
    {"time", OPTION_STRING, &o.time, "TIME", "when it was measured; default: now", NULL},
    {"column", OPTION_NUMBER, &o.column, "N", "take this column of CSV lines", NULL},
    {"header", OPTION_FLAG, &o.header, NULL, "the first line is a header", NULL},
    {"patience", OPTION_DURATION, &o.patience, "TIME",
     "give up when nothing got through for so long;\ndefault 10m", NULL},
    {"out", OPTION_STRING, &o.out, "FILE",
     "write the encrypted reports there, one after the\nother, instead of sending them", NULL},
    CLI_HTTP_OPTIONS(o.http),
    {.name = NULL},
};

static const struct command_spec command = {
    .name = "moiety upload",
    .arguments = "--task FILE [options] [MEASUREMENT... | -]",
    .summary = "Splits measurements, encrypts the shares to the two servers, uploads them.",
    .help =
        "A measurement is a number (a count's 0 or 1, a sum's value, a histogram's bucket), or\n"
        "a vector as 1,0,3 or [1,0,3]. Without any, or with -, each line of standard input\n"
        "is one, so CSV and JSON lines both do. A request that fails is sent again, with\n"
        "pauses that grow; no report ever counts twice. Exit status 1 if any measurement\n"
        "was refused or did not get through.\n",
    .options = options,
    .max_arguments = SIZE_MAX,
};

/* What the threads share. `lock` guards all that changes. */
struct uploader {
    pthread_mutex_t lock;
    const struct task_file *file;
    struct upload_input input;
    struct progress progress;
    uint64_t time_s;        /* 0: now */
    struct span configs[2]; /* leader's, helper's; of the arena */
    struct arena arena;
    uint64_t accepted, invalid, undelivered, complaints;
    uint64_t rejected[256]; /* by DAP's ReportError */
    int64_t last_success_ns;
    FILE *out; /* NULL: reports are sent */
    bool failed;
};

static const enum moiety_role roles[] = {MOIETY_LEADER, MOIETY_HELPER};

static void complain(struct uploader *u, const char *what, const char *why) {
    pthread_mutex_lock(&u->lock);
    if (u->complaints++ < COMPLAINTS_MAX) {
        fprintf(stderr, "%smoiety: %s: %s\n", u->progress.terminal ? "\r\033[K" : "", what, why);
    }
    pthread_mutex_unlock(&u->lock);
}

static bool out_of_patience(struct uploader *u) {
    pthread_mutex_lock(&u->lock);
    bool out = (uint64_t)(clock_monotonic_ns() - u->last_success_ns) / 1000 > o.patience;
    pthread_mutex_unlock(&u->lock);
    return out;
}

/* ---- HPKE configurations ---- */

static bool fetch_config(struct uploader *u, const struct moiety_client *client, size_t which) {
    const char *url = moiety_client_config_url(client, roles[which]);
    for (unsigned attempt = 0;; attempt++) {
        struct http_client_response *response =
            cli_http_call(&o.http, "GET", url, NULL, SPAN_EMPTY, SPAN_EMPTY);
        bool got = response != NULL && status_ok(response->outcome) && response->status == 200;
        bool hopeless = response != NULL && (status_ok(response->outcome)
                                                 ? response->status >= 400 && response->status < 500
                                                 : response->outcome.code != STATUS_PEER_FAILED &&
                                                       response->outcome.code != STATUS_TIMEOUT);
        if (got) {
            pthread_mutex_lock(&u->lock);
            got =
                status_ok(arena_copy(&u->arena, buffer_span(&response->body), &u->configs[which]));
            pthread_mutex_unlock(&u->lock);
        } else if (hopeless || out_of_patience(u)) {
            complain(u, url, cli_http_explain(response));
        }
        int64_t pause = cli_http_backoff_ms(response, attempt);
        http_client_response_free(response);
        if (got || hopeless || out_of_patience(u)) {
            return got;
        }
        cli_sleep_ms(pause);
    }
}

static bool use_configs(struct uploader *u, struct moiety_client *client) {
    for (size_t i = 0; i < 2; i++) {
        pthread_mutex_lock(&u->lock);
        struct span config = u->configs[i];
        pthread_mutex_unlock(&u->lock);
        enum moiety_result result =
            moiety_client_set_config(client, roles[i], config.data, config.len);
        if (result != MOIETY_OK) {
            complain(u, moiety_client_config_url(client, roles[i]), moiety_result_text(result));
            return false;
        }
    }
    return true;
}

static bool refresh_configs(struct uploader *u, struct moiety_client *client) {
    return fetch_config(u, client, 0) && fetch_config(u, client, 1) && use_configs(u, client);
}

/* ---- A batch: measurements that go into one request ---- */

struct batch {
    size_t count;
    uint64_t *values; /* `width` for each */
    size_t width;
    struct moiety_report **reports;
    struct moiety_outcome *outcomes;
    char **texts;
    uint64_t *lines;
    unsigned remakes;
};

static void batch_free(struct batch *b) {
    free(b->values);
    free(b->reports);
    free(b->outcomes);
    free(b->texts);
    free(b->lines);
}

static bool batch_new(struct batch *b, size_t width) {
    *b = (struct batch){.width = width,
                        .values = calloc(o.batch * width, sizeof(b->values[0])),
                        .reports = calloc(o.batch, sizeof(b->reports[0])),
                        .outcomes = calloc(o.batch, sizeof(b->outcomes[0])),
                        .texts = calloc(o.batch, sizeof(b->texts[0])),
                        .lines = calloc(o.batch, sizeof(b->lines[0]))};
    return b->values != NULL && b->reports != NULL && b->outcomes != NULL && b->texts != NULL &&
           b->lines != NULL;
}

/* Reads measurements; those that are none are told and passed over. */
static bool batch_read(struct uploader *u, const struct moiety_client *client, struct batch *b) {
    size_t taken = upload_input_take(&u->input, o.batch, b->texts, b->lines);
    b->count = 0;
    b->remakes = 0;
    for (size_t i = 0; i < taken; i++) {
        char place[64];
        snprintf(place, sizeof(place), "%s %llu", u->input.arguments != NULL ? "argument" : "line",
                 (unsigned long long)b->lines[i]);
        if (moiety_client_parse(client, b->texts[i], b->values + b->count * b->width) ==
            MOIETY_OK) {
            b->count++;
        } else {
            complain(u, place, "not a measurement of this task");
            pthread_mutex_lock(&u->lock);
            u->invalid++;
            pthread_mutex_unlock(&u->lock);
        }
        free(b->texts[i]);
    }
    return taken > 0;
}

static uint64_t report_time(const struct uploader *u) {
    return u->time_s != 0 ? u->time_s : clock_now_s(&clock_system);
}

static bool batch_seal(struct uploader *u, struct moiety_client *client, struct batch *b) {
    enum moiety_result result =
        moiety_client_reports(client, b->values, b->count, report_time(u), b->reports);
    if (result != MOIETY_OK) {
        complain(u, "a report can't be made", moiety_result_text(result));
        b->count = 0; /* none was made, so none may have got through */
    }
    return result == MOIETY_OK;
}

/* Drops what is settled, so that the batch holds what is still to be sent. */
static void batch_settle(struct uploader *u, struct batch *b) {
    size_t left = 0;
    pthread_mutex_lock(&u->lock);
    for (size_t i = 0; i < b->count; i++) {
        enum moiety_verdict verdict = b->outcomes[i].verdict;
        bool again = verdict == MOIETY_REPORT_RETRY ||
                     (verdict == MOIETY_REPORT_REMAKE && b->remakes < REMAKES_MAX);
        if (again) {
            memmove(b->values + left * b->width, b->values + i * b->width,
                    b->width * sizeof(b->values[0]));
            b->reports[left] = b->reports[i];
            b->outcomes[left++] = b->outcomes[i];
            continue;
        }
        moiety_report_free(b->reports[i]);
        u->accepted += verdict == MOIETY_REPORT_ACCEPTED;
        u->rejected[b->outcomes[i].error] += verdict != MOIETY_REPORT_ACCEPTED;
        u->last_success_ns = clock_monotonic_ns();
    }
    b->count = left;
    progress_show(&u->progress, u->accepted);
    pthread_mutex_unlock(&u->lock);
}

/* Makes new reports for those sealed to a key that is gone. */
static bool batch_remake(struct uploader *u, struct moiety_client *client, struct batch *b) {
    bool wanted = false;
    for (size_t i = 0; i < b->count; i++) {
        wanted |= b->outcomes[i].verdict == MOIETY_REPORT_REMAKE;
    }
    if (!wanted) {
        return true;
    }
    b->remakes++;
    if (!refresh_configs(u, client)) {
        return false;
    }
    for (size_t i = 0; i < b->count; i++) {
        struct moiety_report *fresh;
        if (b->outcomes[i].verdict != MOIETY_REPORT_REMAKE) {
            continue;
        }
        if (moiety_client_report(client, b->values + i * b->width, b->width, report_time(u),
                                 &fresh) != MOIETY_OK) {
            return false;
        }
        moiety_report_free(b->reports[i]);
        b->reports[i] = fresh;
    }
    return true;
}

/* One try. Says whether to go on, and how long to pause first. */
static bool batch_send(struct uploader *u, struct moiety_client *client, struct batch *b,
                       unsigned attempt, int64_t *pause_ms) {
    struct moiety_upload *upload;
    size_t len;
    if (moiety_client_upload(client, b->reports, b->count, &upload) != MOIETY_OK) {
        complain(u, "an upload can't be made", "out of memory");
        return false;
    }
    const uint8_t *body = moiety_upload_body(upload, &len);
    struct http_client_response *response =
        cli_http_call(&o.http, "POST", moiety_upload_url(upload), moiety_upload_media_type(upload),
                      SPAN_EMPTY, span_of(body, len));
    bool answered = response != NULL && status_ok(response->outcome);
    enum moiety_result result = moiety_upload_answer(
        upload, answered ? response->status : 0,
        answered ? cli_http_header(response, "Content-Type") : NULL,
        answered ? response->body.data : NULL, answered ? response->body.len : 0, b->outcomes);
    bool go_on = result == MOIETY_OK;
    *pause_ms = 0;
    if (result == MOIETY_RETRY_LATER || result == MOIETY_INVALID_MESSAGE) {
        go_on = !out_of_patience(u);
        *pause_ms = cli_http_backoff_ms(response, attempt);
        for (size_t i = 0; i < b->count; i++) {
            b->outcomes[i] = (struct moiety_outcome){MOIETY_REPORT_RETRY, 0};
        }
    }
    /* A first failure may be a hiccup; a second one should not pass in silence. */
    if (!go_on || (*pause_ms > 0 && attempt == 1)) {
        complain(u, go_on ? "it will be tried again" : moiety_upload_url(upload),
                 cli_http_explain(response));
    }
    http_client_response_free(response);
    moiety_upload_free(upload);
    return go_on;
}

/* Writes the reports to the file instead. */
static bool batch_write(struct uploader *u, struct batch *b) {
    bool written = true;
    pthread_mutex_lock(&u->lock);
    for (size_t i = 0; i < b->count; i++) {
        size_t len;
        const uint8_t *bytes = moiety_report_bytes(b->reports[i], &len);
        written = written && fwrite(bytes, 1, len, u->out) == len;
        u->accepted += written;
        moiety_report_free(b->reports[i]);
    }
    b->count = 0;
    progress_show(&u->progress, u->accepted);
    pthread_mutex_unlock(&u->lock);
    if (!written) {
        complain(u, o.out, "can't be written");
    }
    return written;
}

/* Sends until nothing is left to be sent or there is no hope. */
static bool batch_deliver(struct uploader *u, struct moiety_client *client, struct batch *b) {
    int64_t pause_ms;
    bool going = batch_seal(u, client, b);
    if (!going || u->out != NULL) {
        return going && batch_write(u, b);
    }
    for (unsigned attempt = 0; going && b->count > 0; attempt++) {
        going = batch_send(u, client, b, attempt, &pause_ms);
        if (going) {
            batch_settle(u, b);
            going = batch_remake(u, client, b);
        }
        if (going && b->count > 0 && pause_ms == 0 && out_of_patience(u)) {
            complain(u, "the leader doesn't take reports yet",
                     moiety_report_error_name(b->outcomes[0].error));
            going = false;
        }
        if (going && b->count > 0) {
            uint8_t error = b->outcomes[0].error;
            if (attempt == 0 && error != 0) {
                complain(u, "some reports will be sent again", moiety_report_error_name(error));
            }
            /* A report that came too early is taken later; so is the rest. */
            cli_sleep_ms(pause_ms > 0 ? pause_ms : cli_http_backoff_ms(NULL, attempt));
        }
    }
    for (size_t i = 0; i < b->count; i++) {
        moiety_report_free(b->reports[i]);
    }
    return going;
}

/* ---- Threads ---- */

static bool has_failed(struct uploader *u) {
    pthread_mutex_lock(&u->lock);
    bool failed = u->failed;
    pthread_mutex_unlock(&u->lock);
    return failed;
}

static void *upload_thread(void *argument) {
    struct uploader *u = argument;
    struct moiety_client *client = NULL;
    struct batch batch = {0};
    struct moiety_task task = task_file_library_task(u->file);
    bool ok = moiety_client_new(&task, hpke_provider_default(), &client) == MOIETY_OK &&
              batch_new(&batch, moiety_client_measurement_len(client)) && use_configs(u, client);
    while (ok && !has_failed(u) && batch_read(u, client, &batch)) {
        size_t count = batch.count;
        ok = count == 0 || batch_deliver(u, client, &batch);
        if (!ok) {
            pthread_mutex_lock(&u->lock);
            u->undelivered += batch.count;
            pthread_mutex_unlock(&u->lock);
        }
    }
    if (!ok) {
        pthread_mutex_lock(&u->lock);
        u->failed = true;
        pthread_mutex_unlock(&u->lock);
    }
    batch_free(&batch);
    moiety_client_free(client);
    return NULL;
}

static void run_threads(struct uploader *u) {
    pthread_t threads[THREADS_MAX];
    size_t started = 0;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t wanted = o.threads != 0 ? o.threads : (uint64_t)(processors > 0 ? processors : 1);
    while (started < wanted && started < THREADS_MAX &&
           pthread_create(&threads[started], NULL, upload_thread, u) == 0) {
        started++;
    }
    for (size_t i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
    }
    u->failed |= started == 0;
}

/* ---- The whole ---- */

static bool first_configs(struct uploader *u) {
    struct moiety_client *client;
    struct moiety_task task = task_file_library_task(u->file);
    enum moiety_result result = moiety_client_new(&task, hpke_provider_default(), &client);
    if (result != MOIETY_OK) {
        cli_fail("%s: %s", o.task, moiety_result_text(result));
        return false;
    }
    bool fetched = refresh_configs(u, client);
    moiety_client_free(client);
    return fetched;
}

/* DAP's name of a ReportError, with what it means to who uploads. */
static const char *refusal(uint8_t error) {
    switch (error) {
    case 0: return "no reason given";
    /* Our own second try is told as success, so this is no copy. */
    case REPORT_ERROR_REPORT_REPLAYED:
        return "report_replayed (results of their time were collected already)";
    default: return moiety_report_error_name(error);
    }
}

static int sum_up(struct uploader *u) {
    char count[CLI_COUNT_MAX];
    uint64_t refused = 0;
    progress_end(&u->progress, u->accepted);
    for (size_t i = 0; i < 256; i++) {
        if (u->rejected[i] > 0) {
            refused += u->rejected[i];
            fprintf(stderr, "moiety: %s refused: %s\n", cli_format_count(u->rejected[i], count),
                    refusal((uint8_t)i));
        }
    }
    if (u->invalid > 0) {
        fprintf(stderr, "moiety: %s were no measurements of this task\n",
                cli_format_count(u->invalid, count));
    }
    if (u->failed || u->input.failed) {
        fprintf(stderr, "moiety: not everything was sent\n");
    }
    if (u->undelivered > 0) {
        fprintf(stderr,
                "moiety: %s reports of the last requests may or may not have got through\n",
                cli_format_count(u->undelivered, count));
    }
    return refused + u->invalid > 0 || u->failed || u->input.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int upload(struct uploader *u, int argc, char **argv) {
    bool lines = argc == 0 || (argc == 1 && strcmp(argv[0], "-") == 0);
    u->input = (struct upload_input){.lock = PTHREAD_MUTEX_INITIALIZER,
                                     .arguments = lines ? NULL : argv,
                                     .argument_count = argc,
                                     .stream = stdin,
                                     .column = o.column,
                                     .header = o.header};
    u->last_success_ns = clock_monotonic_ns();
    if (!first_configs(u)) {
        return EXIT_FAILURE;
    }
    if (o.out != NULL && (u->out = fopen(o.out, "wb")) == NULL) {
        return cli_fail("%s can't be written", o.out);
    }
    progress_start(&u->progress, o.out == NULL ? "reports uploaded" : "reports written",
                   upload_input_count(&u->input));
    run_threads(u);
    free(u->input.text);
    if (u->out != NULL && fclose(u->out) != 0) {
        u->failed = true;
    }
    return sum_up(u);
}

int upload_main(int argc, char **argv) {
    int result;
    struct task_file file;
    struct uploader u = {.lock = PTHREAD_MUTEX_INITIALIZER, .arena = ARENA_INIT, .file = &file};
    struct arena arena = ARENA_INIT;
    if (!cli_options(&command, &argc, argv, &result)) {
        return result;
    }
    if (o.task == NULL || o.batch == 0 || o.batch > BATCH_MAX) {
        options_complain(&command,
                         o.task == NULL ? "--task is needed" : "--batch: expected 1 to 10000");
        return EXIT_USAGE;
    }
    if (o.time != NULL && !cli_parse_time(o.time, &u.time_s)) {
        options_complain(&command, "--time: expected a time such as 2026-01-31T12:00");
        return EXIT_USAGE;
    }
    result = EXIT_FAILURE;
    if (task_file_read(o.task, &arena, &file) && cli_http_start(&o.http)) {
        result = upload(&u, argc, argv);
        cli_http_stop(&o.http);
    }
    arena_release(&u.arena);
    arena_release(&arena);
    return result;
}
