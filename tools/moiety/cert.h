/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_CERT_H
#define MOIETY_CERT_H

#include "acme/client/client.h"
#include "acme/client/listener.h"
#include "cli.h"

/* What all of `moiety cert` shares: which CA, and which folder holds the
 * account and the pair of key and certificate. */
struct cert_options {
    const char *directory, *folder, *ca, *contacts, *eab_kid, *eab_key;
};
extern struct cert_options cert_options;

#define CERT_DIRECTORY "https://acme-v02.api.letsencrypt.org/directory"
#define CERT_OPTIONS                                                                             \
    {"directory", OPTION_STRING, &cert_options.directory, "URL",                                 \
     "the CA's ACME directory; default Let's Encrypt's", NULL},                                  \
        {"folder", OPTION_STRING, &cert_options.folder, "DIR",                                   \
         "where the account and the certificate are kept; default .", NULL},                     \
        {"ca", OPTION_STRING, &cert_options.ca, "FILE",                                          \
         "whom the CA's own TLS certificate must come from (PEM);\ndefault the system's list",   \
         NULL}

#define CERT_ACCOUNT_OPTIONS                                                                     \
    {"contact", OPTION_STRING, &cert_options.contacts, "URL,..",                                 \
     "who is to be told of trouble: mailto:ops@example.org", NULL},                              \
        {"eab-kid", OPTION_STRING, &cert_options.eab_kid, "ID",                                  \
         "external account binding: the key's name, as the CA\ngave it", NULL},                  \
        {"eab-key", OPTION_STRING, &cert_options.eab_key, "FILE",                                \
         "and a file with the key itself, in base64url; or the\nfile that `moiety ca` wrote, which has the name too", NULL}

/* A client and all that it needs. */
struct cert {
    struct arena arena;
    struct http_client *http;
    struct acme_client client;
    bool opened;
    struct vault *vault;
    const char *pair_path; /* "<folder>/pair.pem" */
};

#define CERT_PAIR "pair.pem" /* in the folder */

/* Opens the account; if `make`, makes the folder and an account if there is none.
 * False was said. */
bool cert_open(struct cert *cert, bool make);
void cert_close(struct cert *cert);
/* Reads the pair of the folder. False was said. */
bool cert_read_pair(const struct cert *cert, struct pair *pair);
/* Says what the server said, and returns 1. */
int cert_fail(const struct cert *cert, const char *what);
/* Parts a list at its commas, into the arena; NULL gives none. */
bool cert_split(struct arena *arena, const char *list, const char *const **items, size_t *count);

#endif
