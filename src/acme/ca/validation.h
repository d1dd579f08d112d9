/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CA_VALIDATION_H
#define MOIETY_ACME_CA_VALIDATION_H

#include "acme/ca/record.h"
#include "acme/ca/resolver.h"
#include "acme/problem.h"

/*
 * Trying a challenge. Each method looks at what the client put up and returns
 * OK, or fails with the problem that the client is told. On a thread of the
 * validations' own, which waits for others.
 */
struct validation {
    const struct ca_options *options;
    struct arena *arena;
    struct ca_id id; /* of the authorization */
    struct acme_identifier identifier;
    bool wildcard;
    enum challenge_type type;
    const char *token;
    const char *authorization; /* the key authorization (RFC 8555 section 8.1) */
    const char *account_url;
    struct resolver resolver;
    struct acme_problem problem;
};

struct status validation_http(struct validation *v); /* validation_http.c */
struct status validation_tls(struct validation *v);  /* validation_tls.c */
/* dns-01, dns-account-01, dns-persist-01: validation_dns.c */
struct status validation_dns(struct validation *v);
/* CAA (RFC 8659), bound to account and method (RFC 8657): caa.c. OK too if this CA
 * has no name in CAA, or if the identifier is an address. */
struct status validation_caa(struct validation *v);

/* Sets the problem; for `return`. */
struct status validation_fail(struct validation *v, enum acme_error error, const char *format,
                              ...) __attribute__((format(printf, 3, 4)));
/* Connects to the identifier or another host, at one of its addresses. */
struct probe;
struct status validation_connect(struct validation *v, const char *host, uint16_t port,
                                 struct probe *out);

/* Whether a CAA or persist value ("ca.example; accounturi=..; ..") names `issuer`
 * and what its parameters allow: this account, this method. Thread-safe. */
enum { CAA_PARAMETERS_MAX = 16 };
struct caa_value {
    const char *issuer; /* lower case */
    struct caa_parameter {
        const char *name, *value;
    } parameters[CAA_PARAMETERS_MAX];
    size_t count;
};
/* INVALID_MESSAGE if malformed. */
struct status caa_value_read(const char *text, struct arena *arena, struct caa_value *out);
const char *caa_value_parameter(const struct caa_value *value, const char *name);

#endif
