/* SPDX-License-Identifier: Apache-2.0 */
#include "net/work_queue.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/thread.h"

struct work {
    work_function *function;
    void *argument;
};

struct delayed {
    int64_t when;
    uint64_t sequence; /* of submission: equal times run in order */
    struct work work;
};

struct worker {
    struct work_queue *queue;
    pthread_t thread;
    pthread_cond_t wake;
    bool idle;            /* in the queue's list of those */
    struct worker *below; /* in it */
};

/* Invariant: if a delayed item is there and any worker sleeps, one of them is the
 * watcher, who sleeps no longer than until the soonest of them. The others are woken
 * before it, the one that went to sleep last first, as its memory is still warm. */
struct work_queue {
    pthread_mutex_t mutex; /* over everything that follows */
    pthread_cond_t quiet;  /* nothing waits or runs */
    struct worker *idle;   /* those that sleep, but for the watcher */
    struct worker *watcher;

    struct work *ring; /* `capacity` long; `waiting` from `first` on */
    size_t capacity;
    size_t first;
    size_t waiting;

    struct delayed *heap; /* the soonest first */
    size_t delayed;
    size_t heap_capacity;
    uint64_t sequence;

    size_t running;
    bool stopping;
    struct worker *workers;
    unsigned thread_count; /* running; 0 once joined */

    struct metrics *metrics;
    struct metric *refused;
    char metric_names[4][64]; /* depth, delayed, running, refused */
};

static bool sooner(const struct delayed *a, const struct delayed *b) {
    return a->when != b->when ? a->when < b->when : a->sequence < b->sequence;
}

static void swap_delayed(struct delayed *a, struct delayed *b) {
    const struct delayed other = *a;
    *a = *b;
    *b = other;
}

static struct status heap_push(struct work_queue *queue, struct delayed item) {
    if (queue->delayed == queue->heap_capacity) {
        const size_t capacity = queue->heap_capacity == 0 ? 64 : 2 * queue->heap_capacity;
        struct delayed *heap = reallocarray(queue->heap, capacity, sizeof(*heap));
        if (heap == NULL) {
            return FAIL(NO_MEMORY);
        }
        queue->heap = heap;
        queue->heap_capacity = capacity;
    }
    size_t i = queue->delayed++;
    queue->heap[i] = item;
    for (; i > 0 && sooner(&queue->heap[i], &queue->heap[(i - 1) / 2]); i = (i - 1) / 2) {
        swap_delayed(&queue->heap[i], &queue->heap[(i - 1) / 2]);
    }
    return OK;
}

static struct work heap_pop(struct work_queue *queue) {
    struct delayed *heap = queue->heap;
    const struct work soonest = heap[0].work;
    const size_t count = --queue->delayed;
    heap[0] = heap[count];
    for (size_t i = 0;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < count; child++) {
            least = sooner(&heap[child], &heap[least]) ? child : least;
        }
        if (least == i) {
            return soonest;
        }
        swap_delayed(&heap[i], &heap[least]);
        i = least;
    }
}

static struct work ring_pop(struct work_queue *queue) {
    const struct work work = queue->ring[queue->first];
    queue->first = (queue->first + 1) % queue->capacity;
    queue->waiting--;
    return work;
}

static bool delayed_is_due(const struct work_queue *queue) {
    return queue->delayed > 0 && queue->heap[0].when <= clock_monotonic_ns();
}

/* Wakes whoever is to look at what changed: NULL, nobody sleeps. */
static void wake_one(struct work_queue *queue) {
    struct worker *worker = queue->idle;
    if (worker != NULL) {
        queue->idle = worker->below;
        worker->idle = false;
    } else {
        worker = queue->watcher;
    }
    if (worker != NULL) {
        pthread_cond_signal(&worker->wake);
    }
}

static void watch(struct worker *worker) {
    struct work_queue *queue = worker->queue;
    const int64_t when = queue->heap[0].when;
    const struct timespec until = {.tv_sec = when / 1000000000, .tv_nsec = when % 1000000000};
    queue->watcher = worker;
    pthread_cond_timedwait(&worker->wake, &queue->mutex, &until);
    queue->watcher = NULL;
}

/* Until there may be work. */
static void worker_sleep(struct worker *worker) {
    struct work_queue *queue = worker->queue;
    if (queue->delayed > 0 && queue->watcher == NULL) {
        watch(worker);
        return;
    }
    worker->below = queue->idle;
    worker->idle = true;
    queue->idle = worker;
    while (worker->idle && !queue->stopping) {
        pthread_cond_wait(&worker->wake, &queue->mutex);
    }
}

static bool take(struct worker *worker, struct work *out) {
    struct work_queue *queue = worker->queue;
    while (!queue->stopping) {
        const bool due = delayed_is_due(queue);
        if (!due && queue->waiting == 0) {
            worker_sleep(worker);
            continue;
        }
        *out = due ? heap_pop(queue) : ring_pop(queue);
        /* This one may have been the watcher; then another must be. */
        if (queue->delayed > 0 && queue->watcher == NULL) {
            wake_one(queue);
        }
        return true;
    }
    return false;
}

static void *worker_main(void *argument) {
    struct worker *worker = argument;
    struct work_queue *queue = worker->queue;
    struct work work;
    pthread_mutex_lock(&queue->mutex);
    while (take(worker, &work)) {
        queue->running++;
        pthread_mutex_unlock(&queue->mutex);
        work.function(work.argument, false);
        pthread_mutex_lock(&queue->mutex);
        if (--queue->running == 0 && queue->waiting == 0) {
            pthread_cond_broadcast(&queue->quiet);
        }
    }
    pthread_mutex_unlock(&queue->mutex);
    return NULL;
}

struct status work_queue_submit(struct work_queue *queue, work_function *function, void *argument) {
    struct status status = OK;
    pthread_mutex_lock(&queue->mutex);
    if (queue->stopping) {
        status = FAIL(CANCELLED);
    } else if (queue->waiting == queue->capacity) {
        status = FAIL(BUSY);
        metric_add(queue->refused, 1);
    } else {
        const size_t slot = (queue->first + queue->waiting++) % queue->capacity;
        queue->ring[slot] = (struct work){function, argument};
        wake_one(queue);
    }
    pthread_mutex_unlock(&queue->mutex);
    return status;
}

/* The soonest item is another now. */
static void watch_anew(struct work_queue *queue) {
    if (queue->watcher != NULL) {
        pthread_cond_signal(&queue->watcher->wake);
    } else {
        wake_one(queue); /* to become the watcher */
    }
}

struct status work_queue_submit_at(struct work_queue *queue, int64_t when, work_function *function,
                                   void *argument) {
    struct status status = FAIL(CANCELLED);
    pthread_mutex_lock(&queue->mutex);
    if (!queue->stopping) {
        const uint64_t sequence = queue->sequence++;
        status = heap_push(queue, (struct delayed){when, sequence, {function, argument}});
        if (status_ok(status) && queue->heap[0].sequence == sequence) {
            watch_anew(queue);
        }
    }
    pthread_mutex_unlock(&queue->mutex);
    return status;
}

struct status work_queue_submit_after_ms(struct work_queue *queue, int64_t delay_ms,
                                         work_function *function, void *argument) {
    return work_queue_submit_at(queue, clock_monotonic_ns() + delay_ms * 1000000, function,
                                argument);
}

static size_t read_locked(const struct work_queue *queue, const size_t *value) {
    pthread_mutex_t *mutex = (pthread_mutex_t *)&queue->mutex;
    pthread_mutex_lock(mutex);
    const size_t copy = *value;
    pthread_mutex_unlock(mutex);
    return copy;
}

size_t work_queue_depth(const struct work_queue *queue) {
    return read_locked(queue, &queue->waiting);
}

struct status work_queue_drain(struct work_queue *queue, int64_t timeout_ms) {
    const int64_t deadline = clock_monotonic_ns() + timeout_ms * 1000000;
    const struct timespec until = {deadline / 1000000000, deadline % 1000000000};
    struct status status = OK;
    pthread_mutex_lock(&queue->mutex);
    while (status_ok(status) && !queue->stopping &&
           (queue->waiting > 0 || queue->running > 0 || delayed_is_due(queue))) {
        if (pthread_cond_timedwait(&queue->quiet, &queue->mutex, &until) == ETIMEDOUT) {
            status = FAIL(TIMEOUT);
        }
    }
    pthread_mutex_unlock(&queue->mutex);
    return status;
}

/* Runs without the mutex: no submission succeeds any more and the threads are
 * gone, but a cancelled work function may still try to submit. */
static void cancel_all(struct work_queue *queue) {
    while (queue->waiting > 0) {
        const struct work work = ring_pop(queue);
        work.function(work.argument, true);
    }
    while (queue->delayed > 0) {
        const struct work work = heap_pop(queue);
        work.function(work.argument, true);
    }
}

void work_queue_stop(struct work_queue *queue) {
    pthread_mutex_lock(&queue->mutex);
    queue->stopping = true;
    for (unsigned i = 0; i < queue->thread_count; i++) {
        pthread_cond_signal(&queue->workers[i].wake);
    }
    pthread_cond_broadcast(&queue->quiet);
    pthread_mutex_unlock(&queue->mutex);
    for (; queue->thread_count > 0; queue->thread_count--) {
        struct worker *worker = &queue->workers[queue->thread_count - 1];
        pthread_join(worker->thread, NULL);
        pthread_cond_destroy(&worker->wake);
    }
    cancel_all(queue);
}

void work_queue_free(struct work_queue *queue) {
    if (queue == NULL) {
        return;
    }
    work_queue_stop(queue);
    metrics_forget_reader(queue->metrics, queue);
    pthread_cond_destroy(&queue->quiet);
    pthread_mutex_destroy(&queue->mutex);
    free(queue->ring);
    free(queue->heap);
    free(queue->workers);
    free(queue);
}

static double read_depth(void *queue) {
    return (double)read_locked(queue, &((struct work_queue *)queue)->waiting);
}

static double read_delayed(void *queue) {
    return (double)read_locked(queue, &((struct work_queue *)queue)->delayed);
}

static double read_running(void *queue) {
    return (double)read_locked(queue, &((struct work_queue *)queue)->running);
}

static struct status add_metrics(struct work_queue *queue, struct metrics *metrics,
                                 const char *name) {
    static const char *const suffixes[] = {"depth", "delayed", "running", "refused_total"};
    for (int i = 0; i < 4; i++) {
        snprintf(queue->metric_names[i], sizeof(queue->metric_names[i]), "moiety_%s_queue_%s",
                 name, suffixes[i]);
    }
    const struct metric_description refused = {
        .name = queue->metric_names[3],
        .help = "Submissions refused because the queue was full.",
        .kind = METRIC_COUNTER,
    };
    struct metric_family *family = NULL;
    TRY(metrics_family(metrics, &refused, &family));
    queue->refused = metric_series(family, NULL);
    queue->metrics = metrics;
    TRY(metrics_gauge_reader(metrics, queue->metric_names[0], "Work that waits for a thread.",
                             read_depth, queue));
    TRY(metrics_gauge_reader(metrics, queue->metric_names[1], "Work that waits for its time.",
                             read_delayed, queue));
    return metrics_gauge_reader(metrics, queue->metric_names[2], "Work that runs.", read_running,
                                queue);
}

static void init_clocked(pthread_cond_t *condition) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

static struct status start_threads(struct work_queue *queue, unsigned count, const char *name) {
    for (unsigned i = 0; i < count; i++) {
        char label[32];
        struct worker *worker = &queue->workers[i];
        worker->queue = queue;
        init_clocked(&worker->wake);
        snprintf(label, sizeof(label), "%.11s-%u", name, i);
        struct status status = thread_start(&worker->thread, label, worker_main, worker);
        if (!status_ok(status)) {
            pthread_cond_destroy(&worker->wake);
            return status;
        }
        queue->thread_count++;
    }
    return OK;
}

struct status work_queue_new(struct work_queue **out, const struct work_queue_config *config) {
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    const unsigned threads = config->threads > 0 ? config->threads
                             : processors < 1    ? 1
                                                 : (unsigned)processors;
    const char *name = config->name == NULL ? "worker" : config->name;
    struct work_queue *queue = calloc(1, sizeof(*queue));
    if (queue == NULL) {
        return FAIL(NO_MEMORY);
    }
    pthread_mutex_init(&queue->mutex, NULL);
    init_clocked(&queue->quiet);
    queue->capacity = config->capacity == 0 ? 1024 : config->capacity;
    queue->ring = calloc(queue->capacity, sizeof(*queue->ring));
    queue->workers = calloc(threads, sizeof(*queue->workers));
    struct status status = queue->ring == NULL || queue->workers == NULL ? FAIL(NO_MEMORY) : OK;
    if (status_ok(status) && config->metrics != NULL) {
        status = add_metrics(queue, config->metrics, name);
    }
    if (status_ok(status)) {
        status = start_threads(queue, threads, name);
    }
    if (!status_ok(status)) {
        work_queue_free(queue);
        return status;
    }
    *out = queue;
    return OK;
}
