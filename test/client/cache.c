/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "client/curl/cache_lifetime.h"

Test(cache, lifetimes) {
    cr_assert_eq(cache_lifetime("max-age=86400", NULL), 86400);
    cr_assert_eq(cache_lifetime("public, max-age=60", NULL), 60);
    cr_assert_eq(cache_lifetime("  Max-Age=60 , immutable", NULL), 60);
    cr_assert_eq(cache_lifetime("max-age=\"60\"", NULL), 60);
    cr_assert_eq(cache_lifetime("max-age=100", "30"), 70);
    cr_assert_eq(cache_lifetime("max-age=100", "200"), 0);
    cr_assert_eq(cache_lifetime("max-age=99999999999999999999999", NULL), 30 * 24 * 3600);
    cr_assert_eq(cache_lifetime("max-age=60, no-store", NULL), 0);
    cr_assert_eq(cache_lifetime("no-cache, max-age=60", NULL), 0);
    cr_assert_eq(cache_lifetime("s-maxage=60", NULL), 0);
    cr_assert_eq(cache_lifetime("max-age=soon", NULL), 0);
    cr_assert_eq(cache_lifetime("max-age=", NULL), 0);
    cr_assert_eq(cache_lifetime("max-age=60", "old"), 0);
    cr_assert_eq(cache_lifetime("max-age", NULL), 0);
    cr_assert_eq(cache_lifetime("", NULL), 0);
    cr_assert_eq(cache_lifetime(NULL, NULL), 0);
}
