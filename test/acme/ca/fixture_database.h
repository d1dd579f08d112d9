/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_TEST_ACME_CA_FIXTURE_DATABASE_H
#define MOIETY_TEST_ACME_CA_FIXTURE_DATABASE_H

/* The URL of a database for one test, of the kind that the program is linked with;
 * it goes with the folder or with the program. */
enum { CA_FIXTURE_URL_MAX = 128 };
void ca_fixture_database(const char *folder, char out[CA_FIXTURE_URL_MAX]);

#endif
