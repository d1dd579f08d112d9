/* SPDX-License-Identifier: Apache-2.0 */
#include "progress.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli.h"

enum { BAR_WIDTH = 30 };

void progress_start(struct progress *progress, const char *what, uint64_t total) {
    *progress = (struct progress){.what = what,
                                  .total = total,
                                  .started_ns = clock_monotonic_ns(),
                                  .terminal = isatty(STDERR_FILENO)};
}

static double seconds_since(int64_t start_ns) {
    return (double)(clock_monotonic_ns() - start_ns) / 1e9;
}

static void draw_bar(double share) {
    char bar[BAR_WIDTH + 1];
    int full = (int)(share * BAR_WIDTH);
    for (int i = 0; i < BAR_WIDTH; i++) {
        bar[i] = i < full ? '#' : '.';
    }
    bar[BAR_WIDTH] = '\0';
    fprintf(stderr, "[%s] %3.0f%%  ", bar, share * 100);
}

static void draw(const struct progress *p, uint64_t done) {
    char count[CLI_COUNT_MAX], total[CLI_COUNT_MAX], rate_text[CLI_COUNT_MAX];
    double elapsed = seconds_since(p->started_ns);
    double rate = elapsed > 0 ? (double)done / elapsed : 0;
    fprintf(stderr, "\r\033[K");
    if (p->total > 0) {
        draw_bar((double)done / (double)p->total);
        fprintf(stderr, "%s of %s %s", cli_format_count(done, count),
                cli_format_count(p->total, total), p->what);
    } else {
        fprintf(stderr, "%s %s", cli_format_count(done, count), p->what);
    }
    fprintf(stderr, ", %s a second", cli_format_count((uint64_t)rate, rate_text));
    if (p->total > 0 && rate > 0 && done < p->total) {
        uint64_t left = (uint64_t)((double)(p->total - done) / rate) + 1;
        fprintf(stderr, ", %llu:%02llu left", (unsigned long long)(left / 60),
                (unsigned long long)(left % 60));
    }
    fflush(stderr);
}

void progress_show(struct progress *progress, uint64_t done) {
    enum { EVERY_NS = 100000000 };
    int64_t now = clock_monotonic_ns();
    if (progress->terminal && now - progress->drawn_ns >= EVERY_NS) {
        progress->drawn_ns = now;
        draw(progress, done);
    }
}

void progress_end(struct progress *progress, uint64_t done) {
    char count[CLI_COUNT_MAX], rate[CLI_COUNT_MAX];
    double elapsed = seconds_since(progress->started_ns);
    if (progress->terminal) {
        draw(progress, done);
        fprintf(stderr, "\n");
        return;
    }
    fprintf(stderr, "%s %s in %.1f s, %s a second\n", cli_format_count(done, count), progress->what,
            elapsed, cli_format_count(elapsed > 0 ? (uint64_t)((double)done / elapsed) : 0, rate));
}
