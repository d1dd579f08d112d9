/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/jws.h"

#include "wire/base64url.h"

/* ---- Reading ---- */

/* What is wrong is told by the problem; the status only says that it is. */
static struct status refuse(struct acme_problem *problem, enum acme_error error,
                            const char *detail) {
    *problem = (struct acme_problem){.error = error, .detail = detail};
    return FAIL(INVALID_MESSAGE);
}

/* What a flattened JWS consists of, encoded. NULL: it isn't there, or no string. */
enum { PROTECTED, PAYLOAD, SIGNATURE, PART_COUNT };
struct parts {
    struct span of[PART_COUNT];
};
static const char *const part_names[] = {"protected", "payload", "signature"};

static struct parts parts_of_object(const json_t *object) {
    struct parts parts = {0};
    for (int i = 0; i < PART_COUNT; i++) {
        const char *text = json_text(object, part_names[i]);
        parts.of[i] = text == NULL ? SPAN_EMPTY : span_of_string(text);
    }
    return parts;
}

static const uint8_t *skip_space(const uint8_t *at, const uint8_t *end) {
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n')) {
        at++;
    }
    return at;
}

static bool skip_byte(const uint8_t **at, const uint8_t *end, uint8_t byte) {
    *at = skip_space(*at, end);
    const bool there = *at < end && **at == byte;
    *at += there;
    return there;
}

/* A string without escapes. */
static bool scan_text(const uint8_t **at, const uint8_t *end, struct span *out) {
    if (!skip_byte(at, end, '"')) {
        return false;
    }
    const uint8_t *start = *at;
    const uint8_t *quote = memchr(start, '"', (size_t)(end - start));
    if (quote == NULL || memchr(start, '\\', (size_t)(quote - start)) != NULL) {
        return false;
    }
    *out = span_of(start, (size_t)(quote - start));
    *at = quote + 1;
    return true;
}

static bool scan_member(const uint8_t **at, const uint8_t *end, struct parts *out) {
    struct span name;
    struct span text;
    if (!scan_text(at, end, &name) || !skip_byte(at, end, ':') || !scan_text(at, end, &text)) {
        return false;
    }
    for (int i = 0; i < PART_COUNT; i++) {
        if (span_equal_vartime(name, span_of_string(part_names[i])) && out->of[i].data == NULL) {
            out->of[i] = text;
            return true;
        }
    }
    return false;
}

/* Reads what nearly every client sends, an object of these three strings and nothing
 * else, in a fraction of a parser's time. False for all else, which is for the parser
 * to judge. That the strings are base64url is seen when they are decoded. */
static bool parts_scan(struct span body, struct parts *out) {
    const uint8_t *at = body.data;
    const uint8_t *end = body.data + body.len;
    *out = (struct parts){0};
    if (body.len > JSON_BYTES_MAX || !skip_byte(&at, end, '{')) {
        return false;
    }
    for (int i = 0; i < PART_COUNT; i++) {
        if ((i > 0 && !skip_byte(&at, end, ',')) || !scan_member(&at, end, out)) {
            return false;
        }
    }
    return skip_byte(&at, end, '}') && skip_space(at, end) == end;
}

static struct status read_key(const json_t *header, struct arena *arena, struct jws *jws,
                              struct acme_problem *problem) {
    const json_t *jwk = json_object_get(header, "jwk");
    TRY(json_text_copy(header, "kid", arena, &jws->kid));
    if ((jwk == NULL) == (jws->kid == NULL)) {
        return refuse(problem, ACME_MALFORMED, "the header needs exactly one of jwk and kid");
    }
    if (jwk == NULL) {
        return OK;
    }
    struct status status = jwk_read(jwk, &jws->key);
    if (!status_ok(status)) {
        return refuse(problem, ACME_BAD_PUBLIC_KEY,
                      status.code == STATUS_UNSUPPORTED_ALGORITHM
                          ? "the jwk's kind or size of key is not supported"
                          : "the jwk is malformed or no valid key");
    }
    return OK;
}

static struct status read_algorithm(const json_t *header, struct jws *jws,
                                    struct acme_problem *problem) {
    const char *name = json_text(header, "alg");
    jws->algorithm = name == NULL ? JWS_NONE : jws_algorithm_of_name(name);
    if (name == NULL) {
        return refuse(problem, ACME_MALFORMED, "the header has no alg");
    }
    if (jws->algorithm == JWS_NONE) {
        return refuse(problem, ACME_BAD_SIGNATURE_ALGORITHM,
                      "alg must be ES256, ES384, ES512, RS256 or EdDSA");
    }
    return OK;
}

static bool is_text_or_absent(const json_t *object, const char *name) {
    const json_t *member = json_object_get(object, name);
    return member == NULL || json_is_string(member);
}

static struct status read_header(struct span encoded, struct arena *arena, struct jws *jws,
                                 struct acme_problem *problem) {
    json_t *header = NULL;
    if (!status_ok(json_parse(encoded, &header))) {
        return refuse(problem, ACME_MALFORMED, "the protected header is no JSON object");
    }
    struct status status = OK;
    if (json_object_get(header, "crit") != NULL || json_object_get(header, "b64") != NULL) {
        status = refuse(problem, ACME_MALFORMED, "the header asks for an extension of JWS");
        goto done;
    }
    if (!is_text_or_absent(header, "nonce") || !is_text_or_absent(header, "url") ||
        !is_text_or_absent(header, "kid")) {
        status = refuse(problem, ACME_MALFORMED, "nonce, url and kid must be strings");
        goto done;
    }
    TRY_GOTO(status, read_algorithm(header, jws, problem), done);
    TRY_GOTO(status, json_text_copy(header, "nonce", arena, &jws->nonce), done);
    TRY_GOTO(status, json_text_copy(header, "url", arena, &jws->url), done);
    TRY_GOTO(status, read_key(header, arena, jws, problem), done);
done:
    json_decref(header);
    return status;
}

static struct status decode(struct span text, struct arena *arena, struct span *out) {
    return text.data == NULL ? FAIL(INVALID_MESSAGE) : base64url_decode_any(arena, text, out);
}

/* What was signed: the encoded header, a dot, the encoded payload. */
static struct status join(const struct parts *parts, struct arena *arena, struct span *out) {
    const struct span header = parts->of[PROTECTED];
    const struct span payload = parts->of[PAYLOAD];
    uint8_t *input = arena_alloc(arena, header.len + 1 + payload.len, 1);
    if (input == NULL) {
        return FAIL(NO_MEMORY);
    }
    memcpy(input, header.data, header.len);
    input[header.len] = '.';
    memcpy(input + header.len + 1, payload.data, payload.len);
    *out = span_of(input, header.len + 1 + payload.len);
    return OK;
}

static struct status read_parts(const struct parts *parts, struct arena *arena, struct jws *jws,
                                struct acme_problem *problem) {
    struct span header;
    if (!status_ok(decode(parts->of[PROTECTED], arena, &header)) ||
        !status_ok(decode(parts->of[PAYLOAD], arena, &jws->payload)) ||
        !status_ok(decode(parts->of[SIGNATURE], arena, &jws->signature))) {
        return refuse(problem, ACME_MALFORMED,
                      "protected, payload and signature must be there, in base64url");
    }
    TRY(join(parts, arena, &jws->input));
    return read_header(header, arena, jws, problem);
}

static struct status read_object(const json_t *object, struct arena *arena, struct jws *jws,
                                 struct acme_problem *problem) {
    if (!json_is_object(object)) {
        return refuse(problem, ACME_MALFORMED, "a JWS is a JSON object");
    }
    if (json_object_get(object, "header") != NULL || json_object_get(object, "signatures") != NULL) {
        return refuse(problem, ACME_MALFORMED,
                      "the JWS must be flattened, with all of its header protected");
    }
    const struct parts parts = parts_of_object(object);
    return read_parts(&parts, arena, jws, problem);
}

/* `jws` becomes `out`, or is given up. */
static struct status finish(struct status status, struct jws *jws, struct jws *out) {
    if (status_ok(status)) {
        *out = *jws;
    } else {
        jws_release(jws);
    }
    return status;
}

struct status jws_read_object(const json_t *object, struct arena *arena, struct jws *out,
                              struct acme_problem *problem) {
    struct jws jws = {0};
    return finish(read_object(object, arena, &jws, problem), &jws, out);
}

struct status jws_read(struct span body, struct arena *arena, struct jws *out,
                       struct acme_problem *problem) {
    json_t *object = NULL;
    struct parts parts;
    if (parts_scan(body, &parts)) {
        struct jws jws = {0};
        return finish(read_parts(&parts, arena, &jws, problem), &jws, out);
    }
    if (!status_ok(json_parse(body, &object))) {
        return refuse(problem, ACME_MALFORMED, "the body is no JSON object");
    }
    struct status status = jws_read_object(object, arena, out, problem);
    json_decref(object);
    return status;
}

void jws_release(struct jws *jws) {
    EVP_PKEY_free(jws->key);
    jws->key = NULL;
}

struct status jws_verify(const struct jws *jws, EVP_PKEY *key) {
    const bool good = jws->algorithm == jws_algorithm_of_key(key) &&
                      jws->algorithm != JWS_NONE &&
                      jws_signature_good(key, jws->input, jws->signature);
    return good ? OK : FAIL(VERIFY_FAILED);
}

struct status jws_verify_mac(const struct jws *jws, struct span mac_key) {
    uint8_t mac[32];
    if (jws->algorithm != JWS_HS256 || jws->signature.len != sizeof(mac)) {
        return FAIL(VERIFY_FAILED);
    }
    jws_mac(mac_key, jws->input, mac);
    return secret_equal(mac, jws->signature.data, sizeof(mac)) ? OK : FAIL(VERIFY_FAILED);
}

/* ---- Writing ---- */

static struct status append_base64url(struct buffer *out, struct span bytes) {
    const size_t len = base64url_len(bytes.len);
    TRY(buffer_reserve(out, len + 1));
    base64url_encode((char *)out->data + out->len, bytes);
    out->len += len;
    return OK;
}

static struct status write_header(const struct jws_header *header, enum jws_algorithm algorithm,
                                  const EVP_PKEY *key, struct buffer *out) {
    json_t *object = json_object();
    const bool good =
        object != NULL &&
        json_put(object, "alg", json_string(jws_algorithm_name(algorithm))) &&
        (header->kid != NULL ? json_put(object, "kid", json_string(header->kid))
                             : json_put(object, "jwk", jwk_json(key))) &&
        (header->nonce == NULL || json_put(object, "nonce", json_string(header->nonce))) &&
        json_put(object, "url", json_string(header->url));
    struct status status = good ? json_write(object, out) : FAIL(NO_MEMORY);
    json_decref(object);
    return status;
}

/* The encoded header, a dot, the encoded payload. */
static struct status write_input(const struct jws_header *header, enum jws_algorithm algorithm,
                                 const EVP_PKEY *key, struct span payload, struct buffer *out) {
    struct buffer text = BUFFER_INIT;
    struct status status = write_header(header, algorithm, key, &text);
    if (status_ok(status)) {
        status = append_base64url(out, buffer_span(&text));
    }
    buffer_release(&text);
    TRY(status);
    TRY(buffer_append_u8(out, '.'));
    return append_base64url(out, payload);
}

/* {"protected":..,"payload":..,"signature":..}: base64url needs no escapes. */
static struct status write_flattened(struct span input, struct span signature,
                                     struct buffer *out) {
    const uint8_t *dot = memchr(input.data, '.', input.len);
    const int header = (int)(dot - input.data);
    TRY(buffer_printf(out, "{\"protected\":\"%.*s\",\"payload\":\"%.*s\",\"signature\":\"", header,
                      (const char *)input.data, (int)input.len - header - 1,
                      (const char *)dot + 1));
    TRY(append_base64url(out, signature));
    return buffer_append_string(out, "\"}");
}

struct status jws_sign(const struct jws_header *header, struct span payload, EVP_PKEY *key,
                       struct buffer *out) {
    struct buffer input = BUFFER_INIT;
    struct buffer signature = BUFFER_INIT;
    const enum jws_algorithm algorithm = jws_algorithm_of_key(key);
    struct status status = FAIL(INVALID_ARGUMENT);
    if (algorithm == JWS_NONE) {
        goto done;
    }
    TRY_GOTO(status, write_input(header, algorithm, key, payload, &input), done);
    TRY_GOTO(status, jws_signature_make(key, buffer_span(&input), &signature), done);
    TRY_GOTO(status, write_flattened(buffer_span(&input), buffer_span(&signature), out), done);
done:
    buffer_release(&input);
    buffer_release(&signature);
    return status;
}

struct status jws_sign_mac(const struct jws_header *header, struct span payload,
                           struct span mac_key, struct buffer *out) {
    struct buffer input = BUFFER_INIT;
    uint8_t mac[32];
    struct status status = FAIL(INVALID_ARGUMENT);
    if (header->kid != NULL) {
        status = write_input(header, JWS_HS256, NULL, payload, &input);
    }
    if (status_ok(status)) {
        jws_mac(mac_key, buffer_span(&input), mac);
        status = write_flattened(buffer_span(&input), SPAN_OF_ARRAY(mac), out);
    }
    buffer_release(&input);
    return status;
}
