/* SPDX-License-Identifier: Apache-2.0 */
#include "net/loop.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

enum { POSTERS = 4, POSTS = 5000 };

struct job {
    struct loop_task task; /* first */
    struct loop *loop;
    int poster;
    int number;
};

static int seen[POSTERS]; /* on the loop's thread */
static atomic_int total;

static void run_job(struct loop_task *task) {
    struct job *job = (struct job *)task;
    cr_assert(loop_is_current(job->loop));
    cr_assert_eq(job->number, seen[job->poster]++, "out of order");
    atomic_fetch_add(&total, 1);
    free(job);
}

static struct loop *target;

static void *poster_main(void *argument) {
    for (int i = 0; i < POSTS; i++) {
        struct job *job = malloc(sizeof(*job));
        *job = (struct job){{.run = run_job}, target, (int)(intptr_t)argument, i};
        loop_post(target, &job->task);
    }
    return NULL;
}

Test(loop, takes_posts_from_many_threads_in_order) {
    struct loop_group *group;
    cr_assert(status_ok(loop_group_new(&group, 2)));
    cr_assert_eq(loop_group_count(group), 2);
    target = loop_group_at(group, 1);
    pthread_t posters[POSTERS];
    for (intptr_t i = 0; i < POSTERS; i++) {
        pthread_create(&posters[i], NULL, poster_main, (void *)i);
    }
    cr_assert(status_ok(loop_group_start(group)));
    cr_assert_not(loop_is_current(target));
    for (int i = 0; i < POSTERS; i++) {
        pthread_join(posters[i], NULL);
    }
    loop_group_stop(group);
    cr_assert_eq(atomic_load(&total), POSTERS * POSTS);
    loop_group_free(group);
}

static int late;
static void run_late(struct loop_task *task) {
    (void)task;
    late++;
}

Test(loop, runs_what_was_posted_after_the_stop) {
    struct loop_group *group;
    struct loop_task task = {.run = run_late};
    cr_assert(status_ok(loop_group_new(&group, 1)));
    cr_assert(status_ok(loop_group_start(group)));
    loop_group_stop(group);
    loop_group_stop(group);
    loop_post(loop_group_at(group, 0), &task);
    cr_assert_eq(late, 0);
    loop_group_free(group);
    cr_assert_eq(late, 1);
}

static void run_job_of_any_loop(struct loop_task *task) {
    struct job *job = (struct job *)task;
    cr_assert(loop_is_current(job->loop));
    atomic_fetch_add(&total, 1);
    free(job);
}

/* Tasks that note their order, and what has run by then. */
struct note {
    struct loop_task task; /* first */
    int number;
};
static atomic_int noted;

static void run_note(struct loop_task *task) {
    cr_assert_eq(((struct note *)task)->number, atomic_load(&noted), "out of order");
    atomic_fetch_add(&noted, 1);
}

static void wait_for(atomic_int *value, int least) {
    for (int i = 0; i < 10000 && atomic_load(value) < least; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    cr_assert_geq(atomic_load(value), least);
}

Test(loop, keeps_a_batch_back_until_its_end) {
    enum { LOOPS = 20, EACH = 3 }; /* more than a batch has room for */
    static struct note notes[LOOPS * EACH];
    struct loop_group *group;
    cr_assert(status_ok(loop_group_new(&group, LOOPS)));
    cr_assert(status_ok(loop_group_start(group)));
    loop_batch_begin();
    for (int i = 0; i < EACH; i++) {
        notes[i] = (struct note){{.run = run_note}, i};
        loop_post(loop_group_at(group, 0), &notes[i].task);
    }
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    cr_assert_eq(atomic_load(&noted), 0, "a batch isn't kept back");
    loop_batch_end();
    wait_for(&noted, EACH);

    total = 0;
    loop_batch_begin();
    for (int i = 0; i < LOOPS * EACH; i++) {
        struct job *job = malloc(sizeof(*job));
        *job = (struct job){{.run = run_job_of_any_loop},
                            loop_group_at(group, (unsigned)i % LOOPS), 0, 0};
        loop_post(job->loop, &job->task);
    }
    loop_batch_end();
    wait_for(&total, LOOPS * EACH);
    notes[0].number = EACH;
    loop_post(loop_group_at(group, 0), &notes[0].task); /* no batch is open */
    wait_for(&noted, EACH + 1);
    loop_group_free(group);
}
