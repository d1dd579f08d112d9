/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <strings.h>

#include "acme/ca/endpoint.h"
#include "acme/ca/external_account.h"
#include "acme/ca/lint.h"

/* ---- Documents ---- */

static const char *state_name(enum ca_account_state state) {
    static const char *const names[] = {"valid", "deactivated", "revoked"};
    return names[state];
}

static struct status reply_account(struct ca_exchange *x, int status,
                                   const struct ca_account *account) {
    const char *url = ca_resource_url(x, "account", &account->id);
    json_t *document = json_object();
    const char *orders = url == NULL ? NULL : arena_printf(x->arena, "%s/orders", url);
    bool made = orders != NULL &&
                json_put(document, "status", json_string(state_name(account->state))) &&
                json_put(document, "contact", ca_json_stored(account->contacts)) &&
                (account->eab == NULL ||
                 json_put(document, "externalAccountBinding", ca_json_stored(account->eab))) &&
                json_put(document, "orders", json_string(orders));
    if (!made) {
        json_decref(document);
        return FAIL(NO_MEMORY);
    }
    struct status located = ca_header(x, "Location", "%s", url);
    if (!status_ok(located)) {
        json_decref(document);
        return located;
    }
    return ca_reply_json(x, status, document);
}

/* ---- Contacts ---- */

/* One mailto URL with one address and no header fields (RFC 8555 section 7.3). */
static struct status check_contact(struct ca_exchange *x, const char *contact) {
    static const char scheme[] = "mailto:";
    size_t len = sizeof scheme - 1;
    if (contact == NULL) {
        return ca_fail(x, ACME_INVALID_CONTACT, "a contact is not a string");
    }
    if (strncasecmp(contact, scheme, len) != 0) {
        return ca_fail(x, ACME_UNSUPPORTED_CONTACT, "only mailto contacts are supported");
    }
    const char *address = contact + len;
    const char *at = strchr(address, '@');
    bool good = at != NULL && at != address && at[1] != '\0' && strchr(at + 1, '@') == NULL &&
                strpbrk(address, "?, <>\"") == NULL && strlen(contact) <= 320;
    for (const char *c = address; good && *c != '\0'; c++) {
        good = *c > ' ' && *c < 0x7f;
    }
    return good ? OK : ca_fail(x, ACME_INVALID_CONTACT, "a contact is not one e-mail address");
}

/* The payload's contacts as they are stored; NULL if it has none. */
static struct status read_contacts(struct ca_exchange *x, const char **out) {
    enum { CONTACTS_MAX = 10 };
    json_t *contacts = json_object_get(x->payload, "contact");
    *out = NULL;
    if (contacts == NULL) {
        return OK;
    }
    if (!json_is_array(contacts) || json_array_size(contacts) > CONTACTS_MAX) {
        return ca_fail(x, ACME_INVALID_CONTACT, "contact is not an array, or too long");
    }
    for (size_t i = 0; i < json_array_size(contacts); i++) {
        TRY(check_contact(x, json_string_value(json_array_get(contacts, i))));
    }
    return ca_json_text(x->arena, contacts, out);
}

/* ---- newAccount ---- */

struct lookup {
    struct ca_exchange *x;
    const char *thumbprint;
};

static struct status find(struct store_tx *tx, void *argument) {
    struct lookup *lookup = argument;
    return ca_account_find(tx, lookup->x->arena, lookup->thumbprint, &lookup->x->account);
}

struct addition {
    struct ca_exchange *x;
    const struct ca_account *account;
    const char *kid; /* of the external account, or NULL */
};

static struct status add(struct store_tx *tx, void *argument) {
    struct addition *addition = argument;
    TRY(ca_account_put(tx, addition->account));
    return addition->kid == NULL ? OK : ca_eab_bind(tx, addition->kid, &addition->account->id);
}

static struct status make_account(struct ca_exchange *x, const char *thumbprint) {
    struct ca_account account = {.thumbprint = thumbprint, .state = CA_ACCOUNT_VALID,
                                 .profiles = "", .created = x->now};
    struct addition addition = {x, &account, NULL};
    TRY(read_contacts(x, &account.contacts));
    if (account.contacts == NULL) {
        account.contacts = "[]";
    }
    if (x->ca->options->terms_of_service != NULL &&
        !json_is_true(json_object_get(x->payload, "termsOfServiceAgreed"))) {
        return ca_fail(x, ACME_USER_ACTION_REQUIRED, "you must agree to terms of service");
    }
    TRY(external_account_read(x, &addition.kid, &account.profiles, &account.eab));
    TRY(ca_id_new(&account.id));
    json_t *jwk = jwk_json(x->jws.key);
    struct status status = ca_json_text(x->arena, jwk, &account.jwk);
    json_decref(jwk);
    TRY(status);
    status = ca_db_write(x->ca->db, add, &addition);
    if (status.code == STATUS_CONFLICT) {
        return ca_fail(x, ACME_UNAUTHORIZED,
                       "the external account key, or this key, was used for another account");
    }
    TRY(status);
    return reply_account(x, 201, &account);
}

static struct status new_account(struct ca_exchange *x) {
    char *thumbprint = arena_alloc(x->arena, JWK_THUMBPRINT_LEN + 1, 1);
    char why[200];
    if (thumbprint == NULL) {
        return FAIL(NO_MEMORY);
    }
    TRY(jwk_thumbprint(x->jws.key, thumbprint));
    struct lookup lookup = {x, thumbprint};
    struct status status = ca_db_read(x->ca->db, find, &lookup);
    if (status_ok(status)) {
        return x->account.state == CA_ACCOUNT_VALID
                   ? reply_account(x, 200, &x->account)
                   : ca_fail(x, ACME_UNAUTHORIZED, "the account was deactivated");
    }
    if (status.code != STATUS_NOT_FOUND) {
        return status;
    }
    if (json_is_true(json_object_get(x->payload, "onlyReturnExisting"))) {
        return ca_fail(x, ACME_ACCOUNT_DOES_NOT_EXIST, "no account has this key");
    }
    if (key_kind(x->jws.key) != KEY_ED25519 && !ca_key_good(x->jws.key, why)) {
        return ca_fail(x, ACME_BAD_PUBLIC_KEY, "%s", why);
    }
    return make_account(x, thumbprint);
}

/* ---- An account ---- */

static struct status check_own(struct ca_exchange *x) {
    struct ca_id id;
    TRY(ca_path_id(x, "id", &id));
    return ca_id_equal(&id, &x->account.id)
               ? OK
               : ca_fail(x, ACME_UNAUTHORIZED, "this is another account's");
}

struct change {
    struct ca_exchange *x;
    const char *contacts;
    bool deactivate;
};

static struct status change_account(struct store_tx *tx, void *argument) {
    struct change *change = argument;
    const struct ca_id *id = &change->x->account.id;
    if (change->contacts != NULL) {
        TRY(ca_account_set_contacts(tx, id, change->contacts));
    }
    return change->deactivate ? ca_account_set_state(tx, id, CA_ACCOUNT_DEACTIVATED) : OK;
}

static struct status account(struct ca_exchange *x) {
    struct change change = {.x = x};
    TRY(check_own(x));
    if (x->payload == NULL) {
        return reply_account(x, 200, &x->account);
    }
    TRY(read_contacts(x, &change.contacts));
    const char *state = json_text(x->payload, "status");
    change.deactivate = state != NULL && strcmp(state, "deactivated") == 0;
    if (state != NULL && !change.deactivate && strcmp(state, "valid") != 0) {
        return ca_fail(x, ACME_MALFORMED, "an account's status can become deactivated alone");
    }
    TRY(ca_db_write(x->ca->db, change_account, &change));
    if (change.contacts != NULL) {
        x->account.contacts = change.contacts;
    }
    if (change.deactivate) {
        x->account.state = CA_ACCOUNT_DEACTIVATED;
    }
    return reply_account(x, 200, &x->account);
}

/* ---- Its orders ---- */

enum { PAGE = 50 };

struct page {
    struct ca_exchange *x;
    int64_t after;
    struct ca_order *orders;
    size_t count;
};

static struct status read_page(struct store_tx *tx, void *argument) {
    struct page *page = argument;
    return ca_order_list(tx, page->x->arena, &page->x->account.id, page->after, page->x->now,
                         PAGE, &page->orders, &page->count);
}

/* Pages are told apart by the second in which their last order was made. */
static struct status orders(struct ca_exchange *x) {
    struct page page = {.x = x};
    struct span cursor;
    TRY(check_own(x));
    if (http_request_query(x->request, "after", &cursor) && cursor.len < 20) {
        for (size_t i = 0; i < cursor.len && cursor.data[i] >= '0' && cursor.data[i] <= '9'; i++) {
            page.after = page.after * 10 + (cursor.data[i] - '0');
        }
    }
    TRY(ca_db_read(x->ca->db, read_page, &page));
    json_t *list = json_array();
    json_t *document = json_object();
    bool made = list != NULL && document != NULL;
    for (size_t i = 0; made && i < page.count; i++) {
        const char *url = ca_resource_url(x, "order", &page.orders[i].id);
        made = url != NULL && json_array_append_new(list, json_string(url)) == 0;
    }
    if (page.count == PAGE) {
        const char *url = ca_resource_url(x, "account", &x->account.id);
        made = made && url != NULL &&
               status_ok(ca_header(x, "Link", "<%s/orders?after=%lld>;rel=\"next\"", url,
                                   (long long)page.orders[PAGE - 1].created));
    }
    if (!json_put(document, "orders", list) || !made) {
        json_decref(document);
        return FAIL(NO_MEMORY);
    }
    return ca_reply_json(x, 200, document);
}

const struct ca_endpoint ca_endpoint_new_account = {.who = CA_WHO_KEY, .run = new_account};
const struct ca_endpoint ca_endpoint_account = {
    .who = CA_WHO_ACCOUNT, .either = true, .run = account};
const struct ca_endpoint ca_endpoint_orders = {.who = CA_WHO_ACCOUNT, .get = true, .run = orders};
