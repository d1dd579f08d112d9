/* SPDX-License-Identifier: Apache-2.0 */
#include "net/work_queue.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"

static atomic_int ran;
static atomic_int cancelled_count;
static sem_t entered;
static sem_t gate;

static void count(void *argument, bool cancelled) {
    (void)argument;
    atomic_fetch_add(cancelled ? &cancelled_count : &ran, 1);
}

static void block(void *argument, bool cancelled) {
    count(argument, cancelled);
    sem_post(&entered);
    sem_wait(&gate);
}

static struct work_queue *make(unsigned threads, size_t capacity, struct metrics *metrics) {
    struct work_queue *queue = NULL;
    sem_init(&entered, 0, 0);
    sem_init(&gate, 0, 0);
    cr_assert(status_ok(work_queue_new(&queue, &(struct work_queue_config){.threads = threads,
                                                                           .capacity = capacity,
                                                                           .metrics = metrics})));
    return queue;
}

Test(work_queue, is_busy_when_full_and_says_so) {
    struct metrics *metrics;
    cr_assert(status_ok(metrics_new(&metrics)));
    struct work_queue *queue = make(1, 2, metrics);
    cr_assert(status_ok(work_queue_submit(queue, block, NULL)));
    sem_wait(&entered);
    cr_assert(status_ok(work_queue_submit(queue, count, NULL)));
    cr_assert(status_ok(work_queue_submit(queue, count, NULL)));
    cr_assert_eq(work_queue_submit(queue, count, NULL).code, STATUS_BUSY);
    cr_assert_eq(work_queue_depth(queue), 2);

    struct buffer text = BUFFER_INIT;
    cr_assert(status_ok(metrics_write(metrics, &text)));
    cr_assert(status_ok(buffer_append_u8(&text, 0)));
    cr_assert_not_null(strstr((char *)text.data, "\nmoiety_worker_queue_depth 2\n"));
    cr_assert_not_null(strstr((char *)text.data, "\nmoiety_worker_queue_running 1\n"));
    cr_assert_not_null(strstr((char *)text.data, "\nmoiety_worker_queue_refused_total 1\n"));
    buffer_release(&text);

    sem_post(&gate);
    cr_assert(status_ok(work_queue_drain(queue, 5000)));
    cr_assert_eq(atomic_load(&ran), 3);
    cr_assert(status_ok(work_queue_submit(queue, count, NULL)));
    work_queue_free(queue);
    metrics_free(metrics);
}

static int order[4];
static atomic_int order_length;

static void note(void *argument, bool cancelled) {
    (void)cancelled;
    order[atomic_fetch_add(&order_length, 1)] = *(int *)argument;
}

Test(work_queue, runs_the_delayed_in_time_and_in_order) {
    static int names[] = {1, 2, 3, 4};
    struct work_queue *queue = make(1, 0, NULL);
    const int64_t start = clock_monotonic_ns();
    cr_assert(status_ok(work_queue_submit_after_ms(queue, 120, note, &names[3])));
    cr_assert(status_ok(work_queue_submit_after_ms(queue, 40, note, &names[1])));
    cr_assert(status_ok(work_queue_submit_after_ms(queue, 80, note, &names[2])));
    cr_assert(status_ok(work_queue_submit(queue, note, &names[0])));
    while (atomic_load(&order_length) < 4) {
        cr_assert_lt(clock_monotonic_ns() - start, INT64_C(10000000000));
        sched_yield();
    }
    cr_assert_geq(clock_monotonic_ns() - start, INT64_C(120000000));
    work_queue_free(queue);
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(order[i], i + 1);
    }
}

Test(work_queue, watches_the_delayed_while_others_are_busy) {
    struct work_queue *queue = make(2, 0, NULL);
    cr_assert(status_ok(work_queue_submit_after_ms(queue, 50, count, NULL)));
    cr_assert(status_ok(work_queue_submit(queue, block, NULL)));
    sem_wait(&entered);
    for (int i = 0; atomic_load(&ran) < 2; i++) {
        cr_assert_lt(i, 10000);
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
    sem_post(&gate);
    work_queue_free(queue);
}

/* The one that watches the delayed item works too, if all others do. */
Test(work_queue, wakes_all_its_threads) {
    struct work_queue *queue = make(3, 0, NULL);
    cr_assert(status_ok(work_queue_submit_after_ms(queue, 60000, note, &order[0])));
    for (int round = 0; round < 20; round++) {
        struct timespec most;
        clock_gettime(CLOCK_REALTIME, &most);
        most.tv_sec += 10;
        nanosleep(&(struct timespec){0, 1000000}, NULL); /* most of them sleep */
        for (int i = 0; i < 3; i++) {
            cr_assert(status_ok(work_queue_submit(queue, block, NULL)));
        }
        for (int i = 0; i < 3; i++) {
            cr_assert_eq(sem_timedwait(&entered, &most), 0, "round %d: %d run", round, i);
        }
        for (int i = 0; i < 3; i++) {
            sem_post(&gate);
        }
    }
    cr_assert(status_ok(work_queue_drain(queue, 5000)));
    work_queue_free(queue);
}

Test(work_queue, cancels_what_waits_when_it_stops) {
    struct work_queue *queue = make(1, 8, NULL);
    cr_assert(status_ok(work_queue_submit(queue, block, NULL)));
    sem_wait(&entered);
    for (int i = 0; i < 5; i++) {
        cr_assert(status_ok(work_queue_submit(queue, count, NULL)));
        cr_assert(status_ok(work_queue_submit_after_ms(queue, 60000, count, NULL)));
    }
    cr_assert_eq(work_queue_drain(queue, 20).code, STATUS_TIMEOUT);
    pthread_t stopper;
    /* The stop waits for what runs, so let that go from here. */
    cr_assert_eq(pthread_create(&stopper, NULL, (void *(*)(void *))(void *)work_queue_stop, queue),
                 0);
    while (work_queue_submit(queue, count, NULL).code != STATUS_CANCELLED) {
        sched_yield();
    }
    sem_post(&gate);
    pthread_join(stopper, NULL);
    cr_assert_eq(atomic_load(&ran), 1);
    cr_assert_geq(atomic_load(&cancelled_count), 10);
    cr_assert_eq(work_queue_submit_after_ms(queue, 1, count, NULL).code, STATUS_CANCELLED);
    work_queue_free(queue);
}

/* Many delays in random order come out sorted. */
static int64_t last_when;
static int64_t whens[500];

static void check_when(void *argument, bool cancelled) {
    (void)cancelled;
    const int64_t when = *(int64_t *)argument;
    cr_assert_leq(last_when, when);
    cr_assert_leq(when, clock_monotonic_ns());
    last_when = when;
    atomic_fetch_add(&ran, 1);
}

Test(work_queue, sorts_many) {
    struct work_queue *queue = make(1, 0, NULL);
    const int64_t base = clock_monotonic_ns() + 50000000;
    srand(7);
    for (size_t i = 0; i < 500; i++) {
        whens[i] = base + rand() % 50000000;
        cr_assert(status_ok(work_queue_submit_at(queue, whens[i], check_when, &whens[i])));
    }
    for (int i = 0; atomic_load(&ran) < 500; i++) {
        cr_assert_lt(i, 10000);
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
    work_queue_free(queue);
}
