/* SPDX-License-Identifier: Apache-2.0 */
#include "store/vault.h"

#include "store/fixture.h"

TestSuite(vault, .init = fixture_setup, .fini = fixture_teardown);

enum { LEASE_US = 60000000 };

static struct store_item item_of(const char *name, const char *content) {
    return (struct store_item){name, span_of_string(content)};
}

static bool holds(struct store_tx *tx, const char *name, const char *expected) {
    struct span content;
    ASSERT_OK(store_item_get(tx, &fixture_arena, name, &content));
    return span_equal_vartime(content, span_of_string(expected));
}

static struct store_lease take(const char *name) {
    struct store_lease lease = {.name = name};
    for (WRITE(tx)) {
        ASSERT_OK(store_lease_take(tx, &lease, fixture_now, fixture_now + LEASE_US));
    }
    return lease;
}

Test(vault, an_item_is_kept_replaced_and_deleted) {
    const struct store_item first = item_of("pair.pem", "one");
    const struct store_item second = item_of("pair.pem", "another");
    struct span content;
    for (WRITE(tx)) {
        ASSERT_FAIL(NOT_FOUND, store_item_get(tx, &fixture_arena, "pair.pem", &content));
        ASSERT_OK(store_item_put(tx, &first, NULL));
        ASSERT_OK(store_item_delete(tx, "none"));
    }
    fixture_reopen();
    for (WRITE(tx)) {
        cr_assert(holds(tx, "pair.pem", "one"));
        ASSERT_OK(store_item_put(tx, &second, NULL));
        cr_assert(holds(tx, "pair.pem", "another"));
    }
    for (WRITE(tx)) {
        ASSERT_OK(store_item_delete(tx, "pair.pem"));
    }
    for (READ(tx)) {
        ASSERT_FAIL(NOT_FOUND, store_item_get(tx, &fixture_arena, "pair.pem", &content));
    }
}

Test(vault, items_are_listed_by_the_beginning_of_their_names) {
    static const char *const names[] = {"a", "a-", "a-B", "a-a", "a-_", "a-~", "a.", "b-c"};
    struct store_item *found;
    size_t count;
    for (WRITE(tx)) {
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
            const struct store_item item = item_of(names[i], names[i]);
            ASSERT_OK(store_item_put(tx, &item, NULL));
        }
    }
    for (READ(tx)) {
        static const char *const expected[] = {"a-", "a-B", "a-_", "a-a", "a-~"};
        ASSERT_OK(store_item_list(tx, &fixture_arena, "a-", &found, &count));
        cr_assert_eq(count, 5);
        for (size_t i = 0; i < count; i++) {
            cr_assert_str_eq(found[i].name, expected[i]);
            cr_assert(span_equal_vartime(found[i].content, span_of_string(expected[i])));
        }
    }
}

Test(vault, items_are_sealed_to_their_names) {
    const struct store_item item = item_of("key", "a secret of some length");
    struct span content;
    for (WRITE(tx)) {
        ASSERT_OK(store_item_put(tx, &item, NULL));
    }
    cr_assert(!fixture_backend()->contains(fixture_url(), item.content));
    fixture_backend()->execute(fixture_url(), "UPDATE vault_item SET name = 'other'");
    struct store_tx *tx = tx_begin(STORE_READ);
    ASSERT_FAIL(STORE, store_item_get(tx, &fixture_arena, "other", &content));
    ASSERT_OK(tx_end(OK));
}

Test(vault, a_lease_has_one_holder_until_it_ends) {
    struct store_lease first = take("renewal");
    struct store_lease second = {.name = "renewal"};
    const struct store_lease other = take("another");
    cr_assert_str_eq(other.name, "another");
    for (WRITE(tx)) {
        ASSERT_FAIL(BUSY, store_lease_take(tx, &second, fixture_now, fixture_now + LEASE_US));
        ASSERT_OK(store_lease_extend(tx, &first, fixture_now + 2 * LEASE_US));
        ASSERT_FAIL(BUSY, store_lease_take(tx, &second, fixture_now + LEASE_US, INT64_MAX));
    }
    for (WRITE(tx)) {
        ASSERT_OK(store_lease_end(tx, &first));
        ASSERT_FAIL(LEASE_LOST, store_lease_extend(tx, &first, INT64_MAX));
        ASSERT_OK(store_lease_take(tx, &second, fixture_now, fixture_now + LEASE_US));
        cr_assert_gt(second.token, first.token);
    }
    for (WRITE(tx)) { /* who lost it can't end another's */
        ASSERT_OK(store_lease_end(tx, &first));
        ASSERT_OK(store_lease_extend(tx, &second, fixture_now + LEASE_US));
    }
}

Test(vault, whoever_lost_the_lease_writes_nothing) {
    const struct store_lease first = take("renewal");
    const struct store_item mine = item_of("pair.pem", "mine");
    const struct store_item theirs = item_of("pair.pem", "theirs");
    for (WRITE(tx)) {
        ASSERT_OK(store_item_put(tx, &mine, &first));
    }
    fixture_now += LEASE_US;
    for (WRITE(tx)) { /* overdue, but nobody has taken it */
        ASSERT_OK(store_item_put(tx, &mine, &first));
    }
    const struct store_lease second = take("renewal");
    for (WRITE(tx)) {
        ASSERT_FAIL(LEASE_LOST, store_item_put(tx, &mine, &first));
        ASSERT_OK(store_item_put(tx, &theirs, &second));
    }
    for (WRITE(tx)) {
        ASSERT_FAIL(LEASE_LOST, store_item_put(tx, &mine, &first));
        ASSERT_OK(store_lease_end(tx, &second));
        ASSERT_FAIL(LEASE_LOST, store_item_put(tx, &mine, &second));
        cr_assert(holds(tx, "pair.pem", "theirs"));
    }
}
