/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/client/account.h"

#include "base/file.h"
#include "wire/base64url.h"

/* What follows `label` at the start of a line; NULL if no line starts so. */
static const char *labelled(const char *text, const char *label) {
    const char *at = text;
    while (strncmp(at, label, strlen(label)) != 0) {
        at = strchr(at, '\n');
        if (at == NULL) {
            return NULL;
        }
        at++;
    }
    return at + strlen(label);
}

/* Without the padding, and to the end of the line. */
static struct span key_text(const char *text) {
    struct span key = span_of(text, strcspn(text, "\r\n"));
    while (key.len > 0 && (key.data[key.len - 1] == ' ' || key.data[key.len - 1] == '=')) {
        key.len--;
    }
    return key;
}

struct status account_read_eab(const char *path, struct arena *arena, const char **kid,
                               struct span *key) {
    enum { EAB_FILE_MAX = 4096 };
    struct span file;
    TRY(file_read(path, EAB_FILE_MAX, arena, &file));
    const char *text = arena_printf(arena, "%.*s", (int)file.len, (const char *)file.data);
    if (text == NULL) {
        return FAIL(NO_MEMORY);
    }
    const char *name = labelled(text, "kid: ");
    const char *value = labelled(text, "key: ");
    const struct span encoded = key_text(value == NULL ? text : value);
    const char *found = name == NULL || *kid != NULL
                            ? *kid
                            : arena_printf(arena, "%.*s", (int)strcspn(name, " \r\n"), name);
    if (found == NULL || encoded.len == 0) {
        return FAIL(INVALID_MESSAGE);
    }
    TRY(base64url_decode_any(arena, encoded, key));
    *kid = found;
    return OK;
}

static json_t *contacts_json(const char *const *contacts, size_t count) {
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < count; i++) {
        if (json_array_append_new(list, json_string(contacts[i])) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

/* A JWS that is a payload's member: written, then read as JSON. */
static struct status embed(struct status signing, struct buffer *text, json_t **out) {
    struct status status = signing;
    if (status_ok(status)) {
        status = json_parse(buffer_span(text), out);
    }
    buffer_release(text);
    return status;
}

/* The account key's jwk, with a MAC by the key that the CA gave out for it. */
static struct status bind_external(struct session *session, const char *url,
                                   const struct account_wishes *wishes, json_t **out) {
    struct buffer payload = BUFFER_INIT;
    struct buffer text = BUFFER_INIT;
    const struct jws_header header = {.kid = wishes->eab_kid, .url = url};
    json_t *jwk = jwk_json(session->config.account_key);
    struct status status = jwk == NULL ? FAIL(NO_MEMORY) : json_write(jwk, &payload);
    json_decref(jwk);
    if (status_ok(status)) {
        status = jws_sign_mac(&header, buffer_span(&payload), wishes->eab_key, &text);
    }
    buffer_release(&payload);
    return embed(status, &text, out);
}

static struct status registration(struct session *session, const char *url,
                                  const struct account_wishes *wishes, json_t **out) {
    json_t *binding = NULL;
    json_t *payload = json_object();
    struct status status = FAIL(NO_MEMORY);
    if (payload == NULL || !json_put(payload, "termsOfServiceAgreed", json_true()) ||
        (wishes->contact_count > 0 &&
         !json_put(payload, "contact", contacts_json(wishes->contacts, wishes->contact_count))) ||
        (wishes->existing_only && !json_put(payload, "onlyReturnExisting", json_true()))) {
        goto done;
    }
    status = OK;
    if (wishes->eab_kid != NULL) {
        TRY_GOTO(status, bind_external(session, url, wishes, &binding), done);
        status = json_put(payload, "externalAccountBinding", binding) ? OK : FAIL(NO_MEMORY);
    }
done:
    if (!status_ok(status)) {
        json_decref(payload);
        return status;
    }
    *out = payload;
    return OK;
}

static struct status keep_url(struct session *session, const char *url) {
    if (url == NULL) {
        return session_fail(session, STATUS_INVALID_MESSAGE, "the account has no Location");
    }
    const char *copy = arena_printf(&session->arena, "%s", url);
    if (copy == NULL) {
        return FAIL(NO_MEMORY);
    }
    session->account_url = copy;
    return OK;
}

struct status account_register(struct session *session, const struct account_wishes *wishes) {
    const char *url = session_url(session, "newAccount");
    struct session_answer answer;
    json_t *payload = NULL;
    if (wishes->eab_kid == NULL && !wishes->existing_only &&
        json_is_true(session_meta(session, "externalAccountRequired"))) {
        return session_fail(session, STATUS_FORBIDDEN,
                            "this CA needs an external account binding for a new account");
    }
    TRY(registration(session, url, wishes, &payload));
    TRY(session_post_as(session, session->config.account_key, url, payload, &answer));
    struct status status = keep_url(session, answer.location);
    session_answer_release(&answer);
    return status;
}

/* Posts a change to the account's own URL. */
static struct status change(struct session *session, json_t *payload) {
    struct session_answer answer;
    if (payload == NULL) {
        return FAIL(NO_MEMORY);
    }
    TRY(session_post(session, session->account_url, payload, &answer));
    session_answer_release(&answer);
    return OK;
}

struct status account_update(struct session *session, const char *const *contacts, size_t count) {
    return change(session, json_pack("{s:o}", "contact", contacts_json(contacts, count)));
}

struct status account_deactivate(struct session *session) {
    return change(session, json_pack("{s:s}", "status", "deactivated"));
}

struct status account_show(struct session *session, json_t **out) {
    struct session_answer answer;
    TRY(session_post(session, session->account_url, NULL, &answer));
    json_t *body = json_incref(answer.body);
    session_answer_release(&answer);
    if (body == NULL) {
        return session_fail(session, STATUS_INVALID_MESSAGE, "the account is no JSON object");
    }
    *out = body;
    return OK;
}

/* The inner half: signed by the new key, saying which account and old key. */
static struct status inner_change(const struct session *session, const char *url,
                                  EVP_PKEY *new_key, json_t **out) {
    struct buffer payload = BUFFER_INIT;
    struct buffer text = BUFFER_INIT;
    const struct jws_header header = {.url = url};
    json_t *object = json_pack("{s:s, s:o}", "account", session->account_url, "oldKey",
                               jwk_json(session->config.account_key));
    struct status status = object == NULL ? FAIL(NO_MEMORY) : json_write(object, &payload);
    json_decref(object);
    if (status_ok(status)) {
        status = jws_sign(&header, buffer_span(&payload), new_key, &text);
    }
    buffer_release(&payload);
    return embed(status, &text, out);
}

struct status account_change_key(struct session *session, EVP_PKEY *new_key) {
    const char *url = session_url(session, "keyChange");
    struct session_answer answer;
    json_t *payload = NULL;
    if (url == NULL) {
        return session_fail(session, STATUS_BAD_REQUEST, "this CA changes no account keys");
    }
    TRY(inner_change(session, url, new_key, &payload));
    TRY(session_post(session, url, payload, &answer));
    session_answer_release(&answer);
    session->config.account_key = new_key;
    return OK;
}
