/* SPDX-License-Identifier: Apache-2.0 */
#include "net/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "net/thread.h"

struct loop {
    struct event_base *base;
    struct event *wake_event;
    int wake; /* eventfd */
    pthread_t thread;
    bool running;  /* `thread` is set; for who starts and stops */
    bool stopping; /* the loop's thread alone */

    pthread_mutex_t mutex;
    struct loop_task *first; /* under the mutex */
    struct loop_task **last;
};

struct loop_group {
    unsigned count;
    struct loop loops[];
};

/* The loop that this thread runs. */
static _Thread_local const struct loop *current_loop;

/* What a thread keeps back. Loops beyond these get theirs at once. */
enum { BATCH_LOOPS = 16 };
static _Thread_local struct {
    bool open;
    unsigned count;
    struct {
        struct loop *loop;
        struct loop_task *first, *last;
    } of[BATCH_LOOPS];
} batch;

struct stop_task {
    struct loop_task task; /* first */
    struct loop *loop;
};

/* Runs everything that was posted, and what that posts in turn. */
static void run_tasks(struct loop *loop) {
    for (;;) {
        pthread_mutex_lock(&loop->mutex);
        struct loop_task *task = loop->first;
        loop->first = NULL;
        loop->last = &loop->first;
        pthread_mutex_unlock(&loop->mutex);
        if (task == NULL) {
            return;
        }
        while (task != NULL) {
            struct loop_task *next = task->next; /* the task may free itself */
            task->run(task);
            task = next;
        }
    }
}

static void on_wake(evutil_socket_t fd, short events, void *argument) {
    struct loop *loop = argument;
    uint64_t count;
    if ((events & EV_READ) != 0 && read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN) {
        abort(); /* an eventfd of ours has no other failure */
    }
    run_tasks(loop);
    if (loop->stopping) {
        event_base_loopbreak(loop->base);
    }
}

/* Posts the tasks from `first` to `last`, which are linked. */
static void post_all(struct loop *loop, struct loop_task *first, struct loop_task *last) {
    pthread_mutex_lock(&loop->mutex);
    const bool was_empty = loop->first == NULL;
    *loop->last = first;
    loop->last = &last->next;
    pthread_mutex_unlock(&loop->mutex);
    /* If others wait, whoever posted the first of them has woken the loop. */
    const uint64_t one = 1;
    if (was_empty && loop_is_current(loop)) {
        event_active(loop->wake_event, EV_TIMEOUT, 0); /* in its next turn */
    } else if (was_empty && write(loop->wake, &one, sizeof(one)) < 0 && errno != EAGAIN) {
        abort();
    }
}

/* False if there is no room for another loop. */
static bool batch_add(struct loop *loop, struct loop_task *task) {
    for (unsigned i = 0; i < batch.count; i++) {
        if (batch.of[i].loop == loop) {
            batch.of[i].last->next = task;
            batch.of[i].last = task;
            return true;
        }
    }
    if (batch.count == BATCH_LOOPS) {
        return false;
    }
    batch.of[batch.count].loop = loop;
    batch.of[batch.count].first = batch.of[batch.count].last = task;
    batch.count++;
    return true;
}

void loop_post(struct loop *loop, struct loop_task *task) {
    task->next = NULL;
    if (!batch.open || !batch_add(loop, task)) {
        post_all(loop, task, task);
    }
}

void loop_batch_begin(void) { batch.open = true; }

void loop_batch_end(void) {
    for (unsigned i = 0; i < batch.count; i++) {
        post_all(batch.of[i].loop, batch.of[i].first, batch.of[i].last);
    }
    batch.open = false;
    batch.count = 0;
}

bool loop_is_current(const struct loop *loop) { return current_loop == loop; }

struct event_base *loop_base(struct loop *loop) { return loop->base; }

static struct status loop_init(struct loop *loop) {
    pthread_mutex_init(&loop->mutex, NULL);
    loop->last = &loop->first;
    loop->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    /* The base needs no locks: only its own thread touches it. */
    struct event_config *config = event_config_new();
    if (config != NULL) {
        event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
        loop->base = event_base_new_with_config(config);
        event_config_free(config);
    }
    if (loop->wake < 0 || loop->base == NULL) {
        return FAIL(IO);
    }
    loop->wake_event = event_new(loop->base, loop->wake, EV_READ | EV_PERSIST, on_wake, loop);
    if (loop->wake_event == NULL || event_add(loop->wake_event, NULL) != 0) {
        return FAIL(NO_MEMORY);
    }
    return OK;
}

static void loop_release(struct loop *loop) {
    run_tasks(loop);
    if (loop->wake_event != NULL) {
        event_free(loop->wake_event);
    }
    if (loop->base != NULL) {
        event_base_free(loop->base);
    }
    if (loop->wake >= 0) {
        close(loop->wake);
    }
    pthread_mutex_destroy(&loop->mutex);
}

struct status loop_group_new(struct loop_group **out, unsigned count) {
    if (count == 0) {
        const long processors = sysconf(_SC_NPROCESSORS_ONLN);
        count = processors < 1 ? 1 : (unsigned)processors;
    }
    struct loop_group *group = calloc(1, sizeof(*group) + count * sizeof(struct loop));
    if (group == NULL) {
        return FAIL(NO_MEMORY);
    }
    for (group->count = 0; group->count < count;) {
        struct status status = loop_init(&group->loops[group->count++]);
        if (!status_ok(status)) {
            loop_group_free(group);
            return status;
        }
    }
    *out = group;
    return OK;
}

static void *loop_main(void *argument) {
    struct loop *loop = argument;
    current_loop = loop;
    event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY);
    /* A bufferevent is freed by its base, some turns of the loop after
     * bufferevent_free(). */
    while (event_base_get_num_events(loop->base, EVENT_BASE_COUNT_ACTIVE) > 0) {
        event_base_loop(loop->base, EVLOOP_NONBLOCK);
    }
    return NULL;
}

struct status loop_group_start(struct loop_group *group) {
    for (unsigned i = 0; i < group->count; i++) {
        struct loop *loop = &group->loops[i];
        char name[32];
        snprintf(name, sizeof(name), "loop-%u", i);
        TRY(thread_start(&loop->thread, name, loop_main, loop));
        loop->running = true;
    }
    return OK;
}

static void run_stop(struct loop_task *task) { ((struct stop_task *)task)->loop->stopping = true; }

void loop_group_stop(struct loop_group *group) {
    for (unsigned i = 0; i < group->count; i++) {
        struct loop *loop = &group->loops[i];
        if (!loop->running) {
            continue;
        }
        struct stop_task stop = {.task.run = run_stop, .loop = loop};
        loop_post(loop, &stop.task);
        pthread_join(loop->thread, NULL);
        loop->running = false;
    }
}

void loop_group_free(struct loop_group *group) {
    if (group == NULL) {
        return;
    }
    loop_group_stop(group);
    for (unsigned i = 0; i < group->count; i++) {
        loop_release(&group->loops[i]);
    }
    free(group);
}

unsigned loop_group_count(const struct loop_group *group) { return group->count; }

struct loop *loop_group_at(struct loop_group *group, unsigned index) {
    return &group->loops[index];
}
