/* SPDX-License-Identifier: Apache-2.0 */
#include "net/loop.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

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
