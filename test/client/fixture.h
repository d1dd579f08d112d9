/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_TEST_CLIENT_FIXTURE_H
#define MOIETY_TEST_CLIENT_FIXTURE_H

#include "dap/task.h"
#include "moiety/task.h"

/* A task description of four buckets, and the aggregators' side of it. */
enum { BUCKETS = 4, PRECISION = 300, NOW = 1700000100 };

struct fixture {
    struct moiety_task description;
    struct arena arena;
    struct task task; /* opened on its own, to compare with */
    struct hpke_key leader;
    struct hpke_key helper;
};

/* The description with the URLs and batch mode that differ between tests. */
struct moiety_task fixture_description(const char *leader_url, enum moiety_batch_mode mode);

void fixture_setup(struct fixture *fixture, const struct moiety_task *description);
void fixture_release(struct fixture *fixture);

/* An HpkeConfigList of the given keys, in the fixture's arena. */
struct span fixture_configs(struct fixture *fixture, const struct hpke_key *const keys[],
                            size_t count);

/* A key pair to take the place of another. */
struct hpke_key fixture_key(uint16_t kem, uint8_t id);

#endif
