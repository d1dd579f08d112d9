/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "fixture_database.h"

void ca_fixture_database(const char *folder, char out[CA_FIXTURE_URL_MAX]) {
    snprintf(out, CA_FIXTURE_URL_MAX, "%s/ca.db", folder);
}
