/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_TEST_STORE_FIXTURE_POSTGRES_H
#define MOIETY_TEST_STORE_FIXTURE_POSTGRES_H

#include "store/fixture.h"

extern const struct fixture_backend fixture_postgres;

/* A URL of the tests' server, to be freed. */
char *cluster_url(const char *user, const char *database);
/* Runs test/store/postgres_cluster on the tests' server. */
void cluster_do(const char *action, const char *settings);

#endif
