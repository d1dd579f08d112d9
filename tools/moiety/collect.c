/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli.h"
#include "collect_state.h"
#include "hpke/provider/default.h"
#include "http.h"
#include "moiety/collector.h"
#include "result.h"
#include "task_file.h"

static struct {
    const char *task, *from, *to, *format, *labels, *state, *journal;
    uint64_t last, batches, patience;
    bool last_given, patience_given, no_wait, abandon;
    struct cli_http http;
} o = {.format = "text", .batches = 1};

static const struct option_spec options[] = {
    {"task", OPTION_STRING, &o.task, "FILE", "the collector's file of the task", NULL},
    {"last", OPTION_DURATION, &o.last, "TIME",
     "time-interval: the reports of this long up to now,\nwidened to the task's precision",
     &o.last_given},
    {"from", OPTION_STRING, &o.from, "TIME", "time-interval: of this time and later", NULL},
    {"to", OPTION_STRING, &o.to, "TIME", "time-interval: and before this one", NULL},
    {"batches", OPTION_NUMBER, &o.batches, "N",
     "leader-selected: so many, one after the other;\ndefault 1", NULL},
    {"format", OPTION_STRING, &o.format, "FORMAT", "text (default), csv or json", NULL},
    {"labels", OPTION_STRING, &o.labels, "FILE", "what each value is, a line each", NULL},
    {"wait", OPTION_DURATION, &o.patience, "TIME", "give up waiting after so long; default: never",
     &o.patience_given},
    {"no-wait", OPTION_FLAG, &o.no_wait, NULL, "ask once; exit status 3 if it isn't ready", NULL},
    {"state", OPTION_STRING, &o.state, "FILE",
     "what survives a crash; default: the task's file\nwith .state behind it", NULL},
    {"journal", OPTION_STRING, &o.journal, "FILE",
     "every result is kept here too, as JSON lines;\ndefault: the task's file with .results "
     "behind it",
     NULL},
    {"abandon", OPTION_FLAG, &o.abandon, NULL,
     "forget the collection that was under way; what it\nhad collected is lost", NULL},
    CLI_HTTP_OPTIONS(o.http),
    {.name = NULL},
};

static const struct command_spec command = {
    .name = "moiety collect",
    .arguments = "--task FILE [options]",
    .summary = "Collects the result of a batch of reports.",
    .help = "A batch can be collected once. So what is under way is on disk before the leader\n"
            "is asked, and the same command takes it up again after a crash; the result is on\n"
            "disk (see --journal) before the leader is told to forget it.\n"
            "Reports that come later for a time that was collected are refused. --last takes the\n"
            "current hour too (or whatever the task's precision is): it is for when all is in.\n"
            "Exit status 3 if the result isn't there yet: run it again.\n",
    .options = options,
};

/* One run of the command. */
struct run {
    struct arena arena;
    struct task_file file;
    struct moiety_collector_key *key;
    struct moiety_collector *collector;
    struct result_labels labels;
    enum result_format format;
    const char *state_path, *journal_path;
    bool unasked; /* the leader can't know the collection: nothing was sent yet */
    int64_t started_ns;
};

static int fail_result(enum moiety_result result, const char *what) {
    return cli_fail("%s: %s", what, moiety_result_text(result));
}

/* ---- What to ask for ---- */

static bool query_given(void) { return o.last_given || o.from != NULL || o.to != NULL; }

static bool query_times(const struct run *run, uint64_t *start_s, uint64_t *end_s) {
    uint64_t precision = run->file.task.configuration.time_precision;
    uint64_t now = clock_now_s(&clock_system);
    uint64_t from = now, to = now + 1; /* up to and with this moment */
    if (o.last_given == (o.from != NULL) || (o.from != NULL && !cli_parse_time(o.from, &from)) ||
        (o.to != NULL && !cli_parse_time(o.to, &to))) {
        options_complain(&command, "say which reports: --last 1d, or --from 2026-01-01 --to "
                                   "2026-02-01");
        return false;
    }
    if (o.last_given) {
        uint64_t last_s = o.last / 1000000;
        from = to > last_s ? to - last_s : 0;
    }
    *start_s = from / precision * precision;
    *end_s = (to + precision - 1) / precision * precision;
    if (*end_s <= *start_s) {
        options_complain(&command, "--to must be later than --from");
        return false;
    }
    return true;
}

/* A new collection; NULL was said. */
static struct moiety_collection *new_collection(const struct run *run, int *result) {
    struct moiety_collection *job;
    uint64_t start_s, end_s;
    enum moiety_result made;
    *result = EXIT_USAGE;
    if (run->file.task.configuration.batch_mode == BATCH_MODE_LEADER_SELECTED) {
        if (query_given()) {
            options_complain(&command, "the leader selects this task's batches: no --last, --from "
                                       "or --to");
            return NULL;
        }
        made = moiety_collector_next_batch(run->collector, &job);
    } else {
        if (!query_times(run, &start_s, &end_s)) {
            return NULL;
        }
        made = moiety_collector_interval(run->collector, start_s, end_s - start_s, &job);
    }
    if (made != MOIETY_OK) {
        *result = fail_result(made, "no request can be made");
        return NULL;
    }
    return job;
}

/* ---- State ---- */

static bool save_state(const struct run *run, const struct moiety_collection *job, bool stored) {
    size_t len;
    const uint8_t *request = moiety_collection_request(job, &len);
    const struct collect_state state = {
        .request = span_of(request, len),
        .job_url = moiety_collection_created(job) ? moiety_collection_url(job) : NULL,
        .stored = stored};
    struct status status = collect_state_write(run->state_path, run->file.task.id.bytes, &state);
    if (!status_ok(status)) {
        cli_fail_status(status, "%s can't be written, so nothing more is asked for",
                        run->state_path);
    }
    return status_ok(status);
}

/* Takes up what an earlier run left; `*job` stays NULL if there is nothing. */
static bool resume(struct run *run, struct moiety_collection **job, bool *stored) {
    struct collect_state state;
    struct status status =
        collect_state_read(run->state_path, run->file.task.id.bytes, &run->arena, &state);
    if (status.code == STATUS_NOT_FOUND) {
        return true;
    }
    if (!status_ok(status)) {
        cli_fail("%s is no collection state of this task; --state names another file",
                 run->state_path);
        return false;
    }
    enum moiety_result result = moiety_collection_load(run->collector, state.request.data,
                                                       state.request.len, state.job_url, job);
    if (result != MOIETY_OK) {
        fail_result(result, run->state_path);
        return false;
    }
    *stored = state.stored;
    fprintf(stderr, "moiety: taking up the collection of an earlier run (%s)\n", run->state_path);
    return true;
}

static int end_collection(const struct run *run) {
    struct status status = collect_state_remove(run->state_path);
    return status_ok(status) ? EXIT_SUCCESS
                             : cli_fail_status(status, "%s can't be removed", run->state_path);
}

/* ---- Asking ---- */

static struct http_client_response *ask(const struct run *run,
                                        const struct moiety_collection *job) {
    size_t len;
    const uint8_t *request = moiety_collection_request(job, &len);
    bool created = moiety_collection_created(job);
    return cli_http_call(&o.http, created ? "GET" : "POST", moiety_collection_url(job),
                         created ? NULL : moiety_collection_media_type(job),
                         run->file.collector_token, created ? SPAN_EMPTY : span_of(request, len));
}

static enum moiety_result read_answer(struct moiety_collection *job,
                                      struct http_client_response *response,
                                      struct moiety_aggregate **out) {
    if (response == NULL || !status_ok(response->outcome)) {
        return moiety_collection_answer(job, 0, NULL, NULL, NULL, 0, out);
    }
    return moiety_collection_answer(job, response->status, cli_http_header(response, "Location"),
                                    cli_http_header(response, "Content-Type"), response->body.data,
                                    response->body.len, out);
}

/* The leader said no. What it keeps nothing of is over. Wrong credentials may be
 * put right, and then what was begun before goes on. */
static int refused(const struct run *run, struct http_client_response *response) {
    cli_fail("the leader refuses: %s", cli_http_explain(response));
    if (response != NULL &&
        (run->unasked || (response->status != 401 && response->status != 403))) {
        int ended = end_collection(run);
        (void)ended; /* a failure all the same */
    }
    return EXIT_FAILURE;
}

static bool may_wait(const struct run *run) {
    uint64_t waited_us = (uint64_t)(clock_monotonic_ns() - run->started_ns) / 1000;
    return !o.no_wait && (!o.patience_given || waited_us < o.patience);
}

static void show_waiting(const struct run *run, const char *what) {
    if (isatty(STDERR_FILENO)) {
        fprintf(stderr, "\r\033[Kwaiting, %llu s: %s",
                (unsigned long long)((clock_monotonic_ns() - run->started_ns) / 1000000000), what);
    }
}

/* Asks until the aggregate is there. 0, or the exit status. */
static int wait_for_result(struct run *run, struct moiety_collection *job,
                           struct moiety_aggregate **out) {
    enum { POLL_MS = 1000 };
    for (unsigned attempt = 0;; attempt++) {
        bool created = moiety_collection_created(job);
        struct http_client_response *response = ask(run, job);
        enum moiety_result result = read_answer(job, response, out);
        if (!created && moiety_collection_created(job) && !save_state(run, job, false)) {
            http_client_response_free(response);
            return EXIT_FAILURE;
        }
        bool wait = result == MOIETY_PENDING || result == MOIETY_RETRY_LATER;
        bool hopeless = response != NULL && !status_ok(response->outcome) &&
                        response->outcome.code != STATUS_PEER_FAILED &&
                        response->outcome.code != STATUS_TIMEOUT;
        int64_t pause_ms = cli_http_backoff_ms(response, attempt);
        pause_ms = result == MOIETY_PENDING && pause_ms > POLL_MS &&
                           http_client_response_header(response, "Retry-After").data == NULL
                       ? POLL_MS
                       : pause_ms;
        int exit_status = -1;
        if (result == MOIETY_OK) {
            exit_status = EXIT_SUCCESS;
        } else if (result == MOIETY_REFUSED) {
            exit_status = refused(run, response);
        } else if (!wait || hopeless) {
            exit_status = hopeless ? cli_fail("%s", cli_http_explain(response))
                                   : fail_result(result, "the answer is of no use");
        } else if (!may_wait(run)) {
            fprintf(stderr, "moiety: not there yet (%s); run the same command again\n",
                    result == MOIETY_PENDING ? moiety_result_text(result)
                                             : cli_http_explain(response));
            exit_status = EXIT_NOT_YET;
        } else {
            show_waiting(run, result == MOIETY_PENDING ? moiety_result_text(result)
                                                       : cli_http_explain(response));
        }
        http_client_response_free(response);
        run->unasked = false;
        if (exit_status >= 0) {
            if (attempt > 0 && isatty(STDERR_FILENO)) {
                fprintf(stderr, "\r\033[K");
            }
            return exit_status;
        }
        cli_sleep_ms(pause_ms);
    }
}

/* ---- Results ---- */

static unsigned terminal_columns(void) {
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 100;
}

/* On disk first, then to whoever reads. */
static int keep_and_print(const struct run *run, const struct moiety_collection *job,
                          const struct moiety_aggregate *aggregate, uint64_t batch) {
    struct buffer line = BUFFER_INIT, shown = BUFFER_INIT;
    const char *url = moiety_collection_url(job);
    struct status status = result_print(aggregate, batch, &run->labels, RESULT_JSON, 0, url, &line);
    if (status_ok(status)) {
        status = collect_journal_append(run->journal_path, url, buffer_span(&line));
    }
    if (status_ok(status)) {
        status = result_print(aggregate, batch, &run->labels, run->format, terminal_columns(), url,
                              &shown);
    }
    if (status_ok(status) &&
        (fwrite(shown.data, 1, shown.len, stdout) != shown.len || fflush(stdout) != 0)) {
        status = FAIL(IO);
    }
    buffer_release(&line);
    buffer_release(&shown);
    return status_ok(status)
               ? EXIT_SUCCESS
               : cli_fail_status(status, "the result can't be kept in %s", run->journal_path);
}

/* Tells the leader to forget the job, so that the next request for a
 * leader-selected batch gets the next one. */
static int delete_job(const struct run *run, const struct moiety_collection *job) {
    enum { TRIES = 8 };
    for (unsigned attempt = 0; attempt < TRIES; attempt++) {
        struct http_client_response *response =
            cli_http_call(&o.http, "DELETE", moiety_collection_url(job), NULL,
                          run->file.collector_token, SPAN_EMPTY);
        bool answered = response != NULL && status_ok(response->outcome);
        bool gone = answered &&
                    (response->status < 300 || response->status == 404 || response->status == 410);
        int64_t pause_ms = cli_http_backoff_ms(response, attempt);
        if (!gone && (attempt + 1 == TRIES ||
                      (answered && response->status < 500 && response->status != 429))) {
            cli_fail("the result is kept, but the leader can't be told to forget the job: %s; run "
                     "the same command again",
                     cli_http_explain(response));
            http_client_response_free(response);
            return EXIT_FAILURE;
        }
        http_client_response_free(response);
        if (gone) {
            break;
        }
        cli_sleep_ms(pause_ms);
    }
    return end_collection(run);
}

static int finish(const struct run *run, const struct moiety_collection *job,
                  const struct moiety_aggregate *aggregate, uint64_t batch) {
    int result = keep_and_print(run, job, aggregate, batch);
    if (result == EXIT_SUCCESS) {
        result = save_state(run, job, true) ? delete_job(run, job) : EXIT_FAILURE;
    }
    return result;
}

static int collect_batch(struct run *run, uint64_t batch) {
    struct moiety_collection *job = NULL;
    struct moiety_aggregate *aggregate;
    bool stored = false;
    int result = EXIT_FAILURE;
    if (!resume(run, &job, &stored)) {
        return EXIT_FAILURE;
    }
    if (stored) {
        fprintf(stderr, "moiety: its result is in %s\n", run->journal_path);
        result = delete_job(run, job);
        moiety_collection_free(job);
        return result;
    }
    if (job == NULL) {
        job = new_collection(run, &result);
        if (job == NULL || !save_state(run, job, false)) {
            moiety_collection_free(job);
            return result;
        }
        run->unasked = true;
    }
    result = wait_for_result(run, job, &aggregate);
    if (result == EXIT_SUCCESS) {
        result = finish(run, job, aggregate, batch);
        moiety_aggregate_free(aggregate);
    }
    moiety_collection_free(job);
    return result;
}

/* ---- The whole ---- */

static bool read_format(enum result_format *out) {
    static const char *const names[] = {"text", "csv", "json"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(o.format, names[i]) == 0) {
            *out = (enum result_format)i;
            return true;
        }
    }
    options_complain(&command, "--format: expected text, csv or json, found \"%s\"", o.format);
    return false;
}

static bool prepare(struct run *run) {
    if (!task_file_read(o.task, &run->arena, &run->file)) {
        return false;
    }
    if (run->file.kind != TASK_FILE_COLLECTOR) {
        cli_fail("%s is the %s's file; --task needs the collector's", o.task,
                 task_file_kind_name(run->file.kind));
        return false;
    }
    run->state_path = o.state != NULL ? o.state : arena_printf(&run->arena, "%s.state", o.task);
    run->journal_path =
        o.journal != NULL ? o.journal : arena_printf(&run->arena, "%s.results", o.task);
    if (run->state_path == NULL || run->journal_path == NULL) {
        cli_fail("out of memory");
        return false;
    }
    struct status status =
        o.labels == NULL ? OK : result_labels_read(o.labels, &run->arena, &run->labels);
    if (!status_ok(status)) {
        cli_fail_status(status, "%s", o.labels);
        return false;
    }
    struct moiety_task task = task_file_library_task(&run->file);
    enum moiety_result made =
        moiety_collector_key_import(hpke_provider_default(), run->file.collector_key.data,
                                    run->file.collector_key.len, &run->key);
    if (made == MOIETY_OK) {
        made = moiety_collector_new(&task, run->key, hpke_provider_default(), &run->collector);
    }
    if (made != MOIETY_OK) {
        fail_result(made, o.task);
    }
    return made == MOIETY_OK;
}

static int collect(struct run *run) {
    int result = EXIT_SUCCESS;
    if (o.abandon && end_collection(run) != EXIT_SUCCESS) {
        return EXIT_FAILURE;
    }
    for (uint64_t batch = 1; batch <= o.batches && result == EXIT_SUCCESS; batch++) {
        result = collect_batch(run, batch);
    }
    return result;
}

int collect_main(int argc, char **argv) {
    int result;
    struct run run = {.arena = ARENA_INIT, .started_ns = clock_monotonic_ns()};
    if (!cli_options(&command, &argc, argv, &result)) {
        return result;
    }
    if (o.task == NULL) {
        options_complain(&command, "--task is needed");
        return EXIT_USAGE;
    }
    if (!read_format(&run.format)) {
        return EXIT_USAGE;
    }
    result = EXIT_FAILURE;
    if (prepare(&run) && cli_http_start(&o.http)) {
        result = collect(&run);
        cli_http_stop(&o.http);
    }
    moiety_collector_free(run.collector);
    moiety_collector_key_free(run.key);
    arena_release(&run.arena);
    return result;
}
