/* SPDX-License-Identifier: Apache-2.0 */
#include "store/fixture_postgres.h"

#include <stdio.h>
#include <stdlib.h>

#include "fixture_database.h"

void ca_fixture_database(const char *folder, char out[CA_FIXTURE_URL_MAX]) {
    (void)folder;
    char *url = fixture_postgres.make();
    snprintf(out, CA_FIXTURE_URL_MAX, "%s", url);
    free(url);
}
