/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/identifier.h"

#include <arpa/inet.h>
#include <string.h>

enum { LABEL_MAX = 63 };

/* Letters, digits and hyphens, none at either end (RFC 5890 section 2.3.1). */
static bool label_good(const char *label, size_t len) {
    if (len == 0 || len > LABEL_MAX || label[0] == '-' || label[len - 1] == '-') {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        const char c = label[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) {
            return false;
        }
    }
    return true;
}

/* `name` is in lower case. A top label of digits alone would be an address. */
static bool name_good(const char *name) {
    const char *label = strncmp(name, "*.", 2) == 0 ? name + 2 : name;
    for (;;) {
        const size_t len = strcspn(label, ".");
        if (!label_good(label, len)) {
            return false;
        }
        if (label[len] == '\0') {
            return strspn(label, "0123456789") != len;
        }
        label += len + 1;
    }
}

static struct status make_dns(const char *text, struct arena *arena, struct acme_identifier *out) {
    size_t len = strnlen(text, DNS_NAME_MAX + 2);
    if (len > 1 && text[len - 1] == '.') {
        len--;
    }
    if (len == 0 || len > DNS_NAME_MAX) {
        return FAIL(INVALID_ARGUMENT);
    }
    char *value = arena_printf(arena, "%.*s", (int)len, text);
    if (value == NULL) {
        return FAIL(NO_MEMORY);
    }
    for (char *c = value; *c != '\0'; c++) {
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
    }
    if (!name_good(value)) {
        return FAIL(INVALID_ARGUMENT);
    }
    *out = (struct acme_identifier){IDENTIFIER_DNS, value};
    return OK;
}

static size_t address_of(const char *text, uint8_t out[static 16]) {
    if (inet_pton(AF_INET, text, out) == 1) {
        return 4;
    }
    return inet_pton(AF_INET6, text, out) == 1 ? 16 : 0;
}

static struct status make_address(const uint8_t *bytes, size_t len, struct arena *arena,
                                  struct acme_identifier *out) {
    char text[INET6_ADDRSTRLEN];
    if ((len != 4 && len != 16) ||
        inet_ntop(len == 4 ? AF_INET : AF_INET6, bytes, text, sizeof(text)) == NULL) {
        return FAIL(INVALID_ARGUMENT);
    }
    const char *value = arena_printf(arena, "%s", text);
    if (value == NULL) {
        return FAIL(NO_MEMORY);
    }
    *out = (struct acme_identifier){IDENTIFIER_IP, value};
    return OK;
}

struct status identifier_make(enum acme_identifier_type type, const char *text,
                              struct arena *arena, struct acme_identifier *out) {
    uint8_t bytes[16];
    return type == IDENTIFIER_DNS ? make_dns(text, arena, out)
                                  : make_address(bytes, address_of(text, bytes), arena, out);
}

struct status identifier_parse(const char *text, struct arena *arena, struct acme_identifier *out) {
    uint8_t bytes[16];
    return identifier_make(address_of(text, bytes) > 0 ? IDENTIFIER_IP : IDENTIFIER_DNS, text,
                           arena, out);
}

bool identifier_equal(const struct acme_identifier *a, const struct acme_identifier *b) {
    return a->type == b->type && strcmp(a->value, b->value) == 0;
}

bool identifier_is_wildcard(const struct acme_identifier *identifier) {
    return identifier->type == IDENTIFIER_DNS && identifier->value[0] == '*';
}

const char *identifier_base(const struct acme_identifier *identifier) {
    return identifier->value + (identifier_is_wildcard(identifier) ? 2 : 0);
}

size_t identifier_address(const struct acme_identifier *identifier, uint8_t out[static 16]) {
    return identifier->type == IDENTIFIER_IP ? address_of(identifier->value, out) : 0;
}

/* ---- JSON ---- */

json_t *identifier_json(const struct acme_identifier *identifier) {
    return json_pack("{s:s, s:s}", "type", identifier->type == IDENTIFIER_DNS ? "dns" : "ip",
                     "value", identifier->value);
}

struct status identifier_read(const json_t *object, struct arena *arena,
                              struct acme_identifier *out) {
    const char *type = json_text(object, "type");
    const char *value = json_text(object, "value");
    if (type == NULL || value == NULL) {
        return FAIL(INVALID_MESSAGE);
    }
    const bool dns = strcmp(type, "dns") == 0;
    if (!dns && strcmp(type, "ip") != 0) {
        return FAIL(UNSUPPORTED_ALGORITHM);
    }
    struct status status =
        identifier_make(dns ? IDENTIFIER_DNS : IDENTIFIER_IP, value, arena, out);
    return status.code == STATUS_INVALID_ARGUMENT ? FAIL(INVALID_MESSAGE) : status;
}

/* ---- X.509 ---- */

static GENERAL_NAME *name_of(const struct acme_identifier *identifier) {
    uint8_t bytes[16];
    const size_t len = identifier_address(identifier, bytes);
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_STRING *text = len > 0 ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();
    const void *data = len > 0 ? (const void *)bytes : identifier->value;
    if (name == NULL || text == NULL ||
        ASN1_STRING_set(text, data, len > 0 ? (int)len : -1) != 1) {
        ASN1_STRING_free(text);
        GENERAL_NAME_free(name);
        return NULL;
    }
    GENERAL_NAME_set0_value(name, len > 0 ? GEN_IPADD : GEN_DNS, text);
    return name;
}

GENERAL_NAMES *identifiers_names(const struct acme_identifier *identifiers, size_t count) {
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    for (size_t i = 0; names != NULL && i < count; i++) {
        GENERAL_NAME *name = name_of(&identifiers[i]);
        if (name == NULL || sk_GENERAL_NAME_push(names, name) == 0) {
            GENERAL_NAME_free(name);
            GENERAL_NAMES_free(names);
            names = NULL;
        }
    }
    return names;
}

static struct status of_name(const GENERAL_NAME *name, struct arena *arena,
                             struct acme_identifier *out) {
    if (name->type == GEN_IPADD) {
        const ASN1_OCTET_STRING *bytes = name->d.iPAddress;
        return make_address(ASN1_STRING_get0_data(bytes), (size_t)ASN1_STRING_length(bytes), arena,
                            out);
    }
    if (name->type != GEN_DNS) {
        return FAIL(INVALID_ARGUMENT);
    }
    const size_t len = (size_t)ASN1_STRING_length(name->d.dNSName);
    const char *data = (const char *)ASN1_STRING_get0_data(name->d.dNSName);
    if (len > DNS_NAME_MAX || strnlen(data, len) != len) {
        return FAIL(INVALID_ARGUMENT);
    }
    const char *text = arena_printf(arena, "%.*s", (int)len, data);
    return text == NULL ? FAIL(NO_MEMORY) : make_dns(text, arena, out);
}

static bool holds(const struct acme_identifier *list, size_t count,
                  const struct acme_identifier *wanted) {
    for (size_t i = 0; i < count; i++) {
        if (identifier_equal(&list[i], wanted)) {
            return true;
        }
    }
    return false;
}

struct status identifiers_of_names(const GENERAL_NAMES *names, struct arena *arena,
                                   struct acme_identifier **out, size_t *count) {
    const int all = names == NULL ? 0 : sk_GENERAL_NAME_num(names);
    if (all > IDENTIFIERS_MAX) {
        return FAIL(INVALID_MESSAGE);
    }
    struct acme_identifier *list = ARENA_ARRAY(arena, struct acme_identifier, (size_t)all + 1);
    if (list == NULL) {
        return FAIL(NO_MEMORY);
    }
    size_t kept = 0;
    for (int i = 0; i < all; i++) {
        struct status status = of_name(sk_GENERAL_NAME_value(names, i), arena, &list[kept]);
        if (!status_ok(status)) {
            return status.code == STATUS_INVALID_ARGUMENT ? FAIL(INVALID_MESSAGE) : status;
        }
        kept += !holds(list, kept, &list[kept]);
    }
    *out = list;
    *count = kept;
    return OK;
}

bool identifiers_equal(const struct acme_identifier *a, size_t a_count,
                       const struct acme_identifier *b, size_t b_count) {
    for (size_t i = 0; i < a_count; i++) {
        if (!holds(b, b_count, &a[i])) {
            return false;
        }
    }
    return a_count == b_count;
}
