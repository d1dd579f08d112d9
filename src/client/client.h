/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_CLIENT_CLIENT_H
#define MOIETY_CLIENT_CLIENT_H

#include "client/description.h"
#include "moiety/client.h"

/* An aggregator as the client knows it. */
struct recipient {
    char *config_url;
    bool known; /* whether `config` is set */
    struct hpke_config config;
    uint8_t public_key[65]; /* what `config` borrows */
};

struct moiety_client {
    const struct moiety_provider *provider;
    struct arena arena; /* what the task borrows, and the URLs */
    struct task task;
    struct vdaf *vdaf;
    char *reports_url;
    struct recipient leader;
    struct recipient helper;
};

struct moiety_report {
    uint8_t id[16];
    bool perhaps_sent; /* a copy may have reached the leader before */
    struct buffer encoded;
};

#endif
