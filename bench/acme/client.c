/* SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "acme/challenge.h"
#include "acme/csr.h"
#include "wire/base64url.h"

bool acme_client_init(struct acme_client *client, struct http_client *http, const char *base) {
    *client = (struct acme_client){.http = http, .arena = ARENA_INIT};
    acme_client_set_base(client, base);
    return status_ok(key_new(KEY_P256, &client->key));
}

void acme_client_set_base(struct acme_client *client, const char *base) {
    struct acme_directory *d = &client->directory;
    snprintf(d->new_nonce, sizeof d->new_nonce, "%s/acme/new-nonce", base);
    snprintf(d->new_account, sizeof d->new_account, "%s/acme/new-account", base);
    snprintf(d->new_order, sizeof d->new_order, "%s/acme/new-order", base);
}

static bool take_url(const json_t *object, const char *name, char out[256]) {
    const char *url = json_text(object, name);
    return url != NULL && snprintf(out, 256, "%s", url) < 256;
}

bool acme_client_discover(struct acme_client *client, const char *directory) {
    struct acme_answer answer;
    struct acme_directory *d = &client->directory;
    if (!acme_get(client, directory, &answer)) {
        return false;
    }
    bool read = take_url(answer.json, "newNonce", d->new_nonce) &&
                take_url(answer.json, "newAccount", d->new_account) &&
                take_url(answer.json, "newOrder", d->new_order);
    acme_answer_release(&answer);
    return read;
}

void acme_client_release(struct acme_client *client) {
    EVP_PKEY_free(client->key);
    arena_release(&client->arena);
}

void acme_answer_release(struct acme_answer *answer) {
    json_decref(answer->json);
    buffer_release(&answer->body);
    *answer = (struct acme_answer){.status = 0};
}

/* ---- Requests ---- */

static void copy_header(char *out, size_t max, const struct http_client_response *response,
                        const char *name) {
    struct span value = http_client_response_header(response, name);
    snprintf(out, max, "%.*s", (int)value.len, value.data == NULL ? "" : (const char *)value.data);
}

static void read_answer(const struct http_client_response *response, struct acme_answer *out) {
    static const char urn[] = "urn:ietf:params:acme:error:";
    out->status = response->status;
    copy_header(out->location, sizeof out->location, response, "Location");
    copy_header(out->nonce, sizeof out->nonce, response, "Replay-Nonce");
    (void)!status_ok(buffer_append(&out->body, buffer_span(&response->body)));
    if (status_ok(json_parse(buffer_span(&response->body), &out->json))) {
        const char *type = json_text(out->json, "type");
        if (type != NULL && strncmp(type, urn, sizeof urn - 1) == 0) {
            snprintf(out->type, sizeof out->type, "%s", type + sizeof urn - 1);
        }
    }
}

static bool call(struct acme_client *client, const char *method, const char *url,
                 struct span body, struct acme_answer *out) {
    struct http_client_response *response;
    const struct http_header type =
        HTTP_HEADER("Content-Type", SPAN_OF_LITERAL("application/jose+json"));
    const struct http_client_request request = {
        .method = method, .url = url, .headers = &type, .header_count = body.len > 0,
        .body = body, .tls = {.ca_file = client->ca_file}};
    *out = (struct acme_answer){.status = 0};
    client->requests++;
    if (!status_ok(http_client_call(client->http, &request, &response))) {
        return false;
    }
    bool came = status_ok(response->outcome);
    if (came) {
        read_answer(response, out);
    }
    http_client_response_free(response);
    if (out->nonce[0] != '\0') {
        snprintf(client->nonce, sizeof client->nonce, "%s", out->nonce);
    }
    return came;
}

bool acme_get(struct acme_client *client, const char *url, struct acme_answer *out) {
    return call(client, "GET", url, SPAN_EMPTY, out);
}

bool acme_send(struct acme_client *client, const char *url, struct span body,
               struct acme_answer *out) {
    return call(client, "POST", url, body, out);
}

static bool fetch_nonce(struct acme_client *client) {
    struct acme_answer answer;
    bool got =
        client->nonce[0] != '\0' || acme_get(client, client->directory.new_nonce, &answer);
    if (got && client->nonce[0] != '\0') {
        return true;
    }
    acme_answer_release(&answer);
    return got;
}

static bool post_once(struct acme_client *client, const char *url, const char *payload,
                      struct acme_answer *out) {
    struct buffer body = BUFFER_INIT;
    char nonce[64];
    if (!fetch_nonce(client)) {
        return false;
    }
    snprintf(nonce, sizeof nonce, "%s", client->nonce);
    client->nonce[0] = '\0';
    const struct jws_header header = {.kid = client->kid, .nonce = nonce, .url = url};
    bool sent =
        status_ok(jws_sign(&header, payload == NULL ? SPAN_EMPTY : span_of_string(payload),
                           client->key, &body)) &&
        acme_send(client, url, buffer_span(&body), out);
    buffer_release(&body);
    return sent;
}

bool acme_post(struct acme_client *client, const char *url, const char *payload,
               struct acme_answer *out) {
    for (;;) {
        if (!post_once(client, url, payload, out)) {
            return false;
        }
        if (strcmp(out->type, "badNonce") != 0) {
            return true;
        }
        acme_answer_release(out);
    }
}

/* ---- Accounts ---- */

static bool binding(struct acme_client *client, const char *url, const char *eab_kid,
                    struct span eab_key, struct buffer *out) {
    struct buffer jwk = BUFFER_INIT;
    const struct jws_header header = {.kid = eab_kid, .url = url};
    json_t *key = jwk_json(client->key);
    bool made = status_ok(json_write(key, &jwk)) &&
                status_ok(buffer_append_string(
                    out, "{\"termsOfServiceAgreed\":true,\"externalAccountBinding\":")) &&
                status_ok(jws_sign_mac(&header, buffer_span(&jwk), eab_key, out)) &&
                status_ok(buffer_printf(out, "}%c", 0));
    json_decref(key);
    buffer_release(&jwk);
    return made;
}

bool acme_register(struct acme_client *client, const char *eab_kid, struct span eab_key) {
    struct acme_answer answer = {.status = 0};
    struct buffer payload = BUFFER_INIT;
    const char *url = client->directory.new_account;
    bool made = eab_kid == NULL || binding(client, url, eab_kid, eab_key, &payload);
    made = made && acme_post(client, url,
                             eab_kid == NULL ? "{\"termsOfServiceAgreed\":true}"
                                             : (const char *)payload.data,
                             &answer) &&
           (answer.status == 200 || answer.status == 201);
    if (made) {
        client->kid = arena_printf(&client->arena, "%s", answer.location);
    }
    acme_answer_release(&answer);
    buffer_release(&payload);
    return made && client->kid != NULL;
}

/* ---- Certificates ---- */

static const char *order_payload(struct arena *arena, const char *const names[], size_t count,
                                 const char *profile) {
    const char *text = "";
    for (size_t i = 0; i < count && text != NULL; i++) {
        struct acme_identifier identifier;
        if (!status_ok(identifier_parse(names[i], arena, &identifier))) {
            return NULL;
        }
        text = arena_printf(arena, "%s%s{\"type\":\"%s\",\"value\":\"%s\"}", text,
                            i == 0 ? "" : ",", identifier.type == IDENTIFIER_IP ? "ip" : "dns",
                            identifier.value);
    }
    return text == NULL ? NULL
                        : arena_printf(arena, "{\"identifiers\":[%s]%s%s%s}", text,
                                       profile == NULL ? "" : ",\"profile\":\"",
                                       profile == NULL ? "" : profile,
                                       profile == NULL ? "" : "\"");
}

static const char *http_challenge(const json_t *authorization) {
    const json_t *list = json_object_get(authorization, "challenges");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *challenge = json_array_get(list, i);
        const char *type = json_text(challenge, "type");
        if (type != NULL && strcmp(type, "http-01") == 0) {
            return json_text(challenge, "url");
        }
    }
    return NULL;
}

/* Waits until the resource's status is no longer one of two: a millisecond first,
 * then twice as long each time, up to a tenth of a second. `out` gets it if it then
 * is as wanted. */
static bool poll_status(struct acme_client *client, const char *url, const char *wanted,
                        struct acme_answer *out) {
    enum { FIRST_NS = 1000000, LONGEST_NS = 100000000 };
    struct timespec pause = {0, FIRST_NS};
    for (int i = 0; i < 10000; i++) {
        struct acme_answer answer;
        if (!acme_post(client, url, NULL, &answer)) {
            return false;
        }
        const char *status = json_text(answer.json, "status");
        bool done = status != NULL && strcmp(status, wanted) == 0;
        bool waits = status != NULL && (strcmp(status, "pending") == 0 ||
                                        strcmp(status, "processing") == 0);
        if (done) {
            *out = answer;
            return true;
        }
        acme_answer_release(&answer);
        if (!waits) {
            return false;
        }
        nanosleep(&pause, NULL);
        pause.tv_nsec = pause.tv_nsec * 2 < LONGEST_NS ? pause.tv_nsec * 2 : LONGEST_NS;
    }
    return false;
}

static bool authorize(struct acme_client *client, const char *url) {
    struct acme_answer authorization;
    struct acme_answer tried;
    if (!acme_post(client, url, NULL, &authorization)) {
        return false;
    }
    const char *status = json_text(authorization.json, "status");
    bool valid = status != NULL && strcmp(status, "valid") == 0;
    const char *challenge = http_challenge(authorization.json);
    bool good = valid;
    if (!valid && challenge != NULL && acme_post(client, challenge, "{}", &tried)) {
        struct acme_answer proved = {.status = 0};
        const char *outcome = json_text(tried.json, "status");
        good = tried.status == 200 &&
               ((outcome != NULL && strcmp(outcome, "valid") == 0) ||
                poll_status(client, url, "valid", &proved));
        acme_answer_release(&tried);
        acme_answer_release(&proved);
    }
    acme_answer_release(&authorization);
    return good;
}

static const char *csr_payload(struct arena *arena, const char *const names[], size_t count,
                               EVP_PKEY *key) {
    struct buffer der = BUFFER_INIT;
    struct acme_identifier *identifiers = ARENA_ARRAY(arena, struct acme_identifier, count);
    bool made = identifiers != NULL;
    for (size_t i = 0; made && i < count; i++) {
        made = status_ok(identifier_parse(names[i], arena, &identifiers[i]));
    }
    made = made && status_ok(csr_write(key, identifiers, count, &der));
    const char *text = made ? base64url_string(arena, buffer_span(&der)) : NULL;
    buffer_release(&der);
    return text == NULL ? NULL : arena_printf(arena, "{\"csr\":\"%s\"}", text);
}

static bool finalize(struct acme_client *client, const char *url, const char *payload,
                     struct acme_issued *out) {
    struct acme_answer order;
    struct acme_answer chain;
    if (payload == NULL || !acme_post(client, url, payload, &order)) {
        return false;
    }
    bool good = order.status == 200;
    if (good && json_text(order.json, "certificate") == NULL) {
        acme_answer_release(&order);
        good = poll_status(client, out->order, "valid", &order);
    }
    const char *certificate = json_text(order.json, "certificate");
    good = good && certificate != NULL;
    if (good) {
        snprintf(out->certificate, sizeof out->certificate, "%s", certificate);
    }
    acme_answer_release(&order);
    if (!good || !acme_post(client, out->certificate, NULL, &chain)) {
        return false;
    }
    good = chain.status == 200 && status_ok(buffer_append(&out->pem, buffer_span(&chain.body)));
    acme_answer_release(&chain);
    return good;
}

bool acme_issue(struct acme_client *client, const char *const names[], size_t count,
                const char *profile, EVP_PKEY *key, struct acme_issued *out) {
    struct arena arena = ARENA_INIT;
    struct acme_answer order = {.status = 0};
    *out = (struct acme_issued){.pem = BUFFER_INIT};
    const char *payload = order_payload(&arena, names, count, profile);
    bool good = payload != NULL && acme_post(client, client->directory.new_order, payload, &order) &&
                order.status == 201;
    const json_t *list = json_object_get(order.json, "authorizations");
    for (size_t i = 0; good && i < json_array_size(list); i++) {
        good = authorize(client, json_string_value(json_array_get(list, i)));
    }
    snprintf(out->order, sizeof out->order, "%s", order.location);
    const char *finalize_url = json_text(order.json, "finalize");
    good = good && finalize_url != NULL &&
           finalize(client, finalize_url, csr_payload(&arena, names, count, key), out);
    acme_answer_release(&order);
    arena_release(&arena);
    if (!good) {
        buffer_release(&out->pem);
    }
    return good;
}
