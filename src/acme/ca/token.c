/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/ca/token.h"

#include <p11-kit/p11-kit.h>
#include <p11-kit/uri.h>
#include <stdlib.h>
#include <string.h>

#include "acme/ca/hierarchy.h"
#include "acme/key.h"
#include "base/log.h"

struct ca_token {
    const char *name; /* the URI, for the log */
    P11KitUri *uri;
    CK_FUNCTION_LIST *module;
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE key;
    bool initialized, in_session;
};

enum { SLOTS_MAX = 64, ATTRIBUTES_MAX = 16 };

bool ca_token_supported(void) { return true; }

static struct status failed(const struct ca_token *token, struct status status, const char *what) {
    log_event(LOG_ERROR, "a PKCS#11 key can't be used", LOG_STRING("key", token->name),
              LOG_STRING("reason", what));
    return status;
}

static struct status module_failed(const struct ca_token *token, CK_RV result) {
    struct status status = result == CKR_PIN_INCORRECT || result == CKR_PIN_LOCKED ||
                                   result == CKR_PIN_LEN_RANGE || result == CKR_PIN_INVALID
                               ? FAIL(PERMISSION_DENIED)
                               : FAIL(CRYPTO);
    return failed(token, status, p11_kit_strerror(result));
}

/* ---- Its token ---- */

static struct status read_uri(struct ca_token *token) {
    const char *text = token->name;
    if (strstr(text, "pin-value") != NULL || strstr(text, "pin-source") != NULL) {
        token->name = "pkcs11:..."; /* a PIN is not for the log */
        return failed(token, FAIL(INVALID_CONFIG), "the PIN belongs in a file, not in the URI");
    }
    token->uri = p11_kit_uri_new();
    if (token->uri == NULL) {
        return FAIL(NO_MEMORY);
    }
    if (p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, token->uri) != P11_KIT_URI_OK) {
        return failed(token, FAIL(INVALID_CONFIG), "this is no PKCS#11 URI");
    }
    return p11_kit_uri_get_module_path(token->uri) != NULL
               ? OK
               : failed(token, FAIL(INVALID_CONFIG), "the URI needs a module-path");
}

static struct status load_module(struct ca_token *token) {
    p11_kit_be_quiet();
    token->module = p11_kit_module_load(p11_kit_uri_get_module_path(token->uri), 0);
    if (token->module == NULL) {
        return failed(token, FAIL(NOT_FOUND), "the module can't be loaded");
    }
    CK_RV result = p11_kit_module_initialize(token->module);
    token->initialized = result == CKR_OK;
    return token->initialized ? OK : module_failed(token, result);
}

static struct status find_slot(struct ca_token *token, CK_SLOT_ID *out) {
    CK_SLOT_ID slots[SLOTS_MAX];
    CK_TOKEN_INFO info;
    CK_ULONG count = SLOTS_MAX;
    CK_RV result = token->module->C_GetSlotList(CK_TRUE, slots, &count);
    if (result != CKR_OK) {
        return module_failed(token, result);
    }
    for (CK_ULONG i = 0; i < count; i++) {
        if (token->module->C_GetTokenInfo(slots[i], &info) == CKR_OK &&
            (info.flags & CKF_TOKEN_INITIALIZED) != 0 &&
            p11_kit_uri_match_token_info(token->uri, &info) == 1) {
            *out = slots[i];
            return OK;
        }
    }
    return failed(token, FAIL(NOT_FOUND), "there is no such token");
}

static struct status log_in(struct ca_token *token, const char *pin_file) {
    struct secret pin = SECRET_INIT;
    if (pin_file == NULL) {
        return OK;
    }
    if (!status_ok(ca_passphrase_load(pin_file, &pin))) {
        return failed(token, FAIL(INVALID_CONFIG), "its PIN can't be read");
    }
    CK_RV result = token->module->C_Login(token->session, CKU_USER, pin.data, pin.len);
    secret_release(&pin);
    return result == CKR_OK || result == CKR_USER_ALREADY_LOGGED_IN ? OK
                                                                    : module_failed(token, result);
}

/* ---- Its key ---- */

/* What the URI asks of an object, which is to be of this class. */
static CK_ULONG describe(const struct ca_token *token, CK_OBJECT_CLASS *class,
                         CK_ATTRIBUTE out[ATTRIBUTES_MAX]) {
    CK_ULONG given;
    CK_ULONG count = 0;
    const CK_ATTRIBUTE *from = p11_kit_uri_get_attributes(token->uri, &given);
    out[count++] = (CK_ATTRIBUTE){CKA_CLASS, class, sizeof *class};
    for (CK_ULONG i = 0; i < given && count < ATTRIBUTES_MAX; i++) {
        if (from[i].type != CKA_CLASS) {
            out[count++] = from[i];
        }
    }
    return count;
}

static struct status find_object(struct ca_token *token, CK_OBJECT_CLASS class,
                                 CK_OBJECT_HANDLE *out) {
    CK_ATTRIBUTE wanted[ATTRIBUTES_MAX];
    CK_OBJECT_HANDLE found[2];
    CK_ULONG count = 0;
    CK_ULONG wanted_count = describe(token, &class, wanted);
    CK_RV result = token->module->C_FindObjectsInit(token->session, wanted, wanted_count);
    if (result == CKR_OK) {
        result = token->module->C_FindObjects(token->session, found, 2, &count);
        (void)token->module->C_FindObjectsFinal(token->session);
    }
    if (result != CKR_OK) {
        return module_failed(token, result);
    }
    if (count != 1) {
        return count == 0 ? failed(token, FAIL(NOT_FOUND), "the token has no such key")
                          : failed(token, FAIL(INVALID_CONFIG), "the URI means several keys");
    }
    *out = found[0];
    return OK;
}

/* A point as SEC 1 has it, which the attribute wraps in an OCTET STRING. */
static struct status read_point(struct span value, EVP_PKEY **out) {
    enum { POINT_SIZE = 65, OCTET_STRING = 4 };
    if (value.len == POINT_SIZE + 2 && value.data[0] == OCTET_STRING &&
        value.data[1] == POINT_SIZE) {
        value = span_of(value.data + 2, POINT_SIZE);
    }
    return value.len == POINT_SIZE ? key_of_point(KEY_P256, value, out) : FAIL(INVALID_CONFIG);
}

struct status ca_token_public_key(struct ca_token *token, EVP_PKEY **out) {
    uint8_t value[128];
    CK_OBJECT_HANDLE object;
    CK_ATTRIBUTE point = {CKA_EC_POINT, value, sizeof value};
    TRY(find_object(token, CKO_PUBLIC_KEY, &object));
    CK_RV result = token->module->C_GetAttributeValue(token->session, object, &point, 1);
    return result == CKR_OK && status_ok(read_point(span_of(value, point.ulValueLen), out))
               ? OK
               : failed(token, FAIL(INVALID_CONFIG), "it is no key on P-256");
}

struct status ca_token_sign(struct ca_token *token, const uint8_t digest[CA_TOKEN_DIGEST_SIZE],
                            uint8_t signature[CA_TOKEN_SIGNATURE_SIZE]) {
    CK_MECHANISM ecdsa = {CKM_ECDSA, NULL, 0};
    CK_ULONG len = CA_TOKEN_SIGNATURE_SIZE;
    uint8_t copy[CA_TOKEN_DIGEST_SIZE];
    memcpy(copy, digest, sizeof copy);
    CK_RV result = token->module->C_SignInit(token->session, &ecdsa, token->key);
    if (result == CKR_OK) {
        result = token->module->C_Sign(token->session, copy, sizeof copy, signature, &len);
    }
    if (result != CKR_OK) {
        return module_failed(token, result);
    }
    return len == CA_TOKEN_SIGNATURE_SIZE
               ? OK
               : failed(token, FAIL(CRYPTO), "its signatures are none of P-256");
}

/* ---- Life ---- */

static struct status open_token(struct ca_token *token, const char *pin_file) {
    CK_SLOT_ID slot;
    TRY(read_uri(token));
    TRY(load_module(token));
    TRY(find_slot(token, &slot));
    CK_RV result = token->module->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL,
                                                &token->session);
    token->in_session = result == CKR_OK;
    TRY(token->in_session ? OK : module_failed(token, result));
    TRY(log_in(token, pin_file));
    return find_object(token, CKO_PRIVATE_KEY, &token->key);
}

struct status ca_token_open(const struct ca_token_config *config, struct ca_token **out) {
    struct ca_token *token = calloc(1, sizeof *token);
    if (token == NULL) {
        return FAIL(NO_MEMORY);
    }
    token->name = config->uri;
    struct status status = open_token(token, config->pin_file);
    if (!status_ok(status)) {
        ca_token_close(token);
        return status;
    }
    *out = token;
    return OK;
}

void ca_token_close(struct ca_token *token) {
    if (token == NULL) {
        return;
    }
    if (token->in_session) {
        (void)token->module->C_CloseSession(token->session);
    }
    if (token->initialized) {
        (void)p11_kit_module_finalize(token->module);
    }
    if (token->module != NULL) {
        p11_kit_module_release(token->module);
    }
    p11_kit_uri_free(token->uri);
    free(token);
}
