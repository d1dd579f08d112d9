/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_TASK_LOOKUP_H
#define MOIETY_TASK_LOOKUP_H

#include "cli.h"

/* A server's tasks and peers, as they stood at one moment, in its arena. */
struct task_table {
    struct store_task *tasks;
    size_t task_count;
    struct store_peer *peers;
    size_t peer_count;
};

struct status task_table_read(struct cli_server *server, struct task_table *out);
/* The one task whose task_info is `word`, or whose id in base64url starts with
 * it. NULL was said. */
const struct store_task *task_table_find(const struct task_table *table, const char *word);
const struct store_peer *task_table_peer(const struct task_table *table, const char *name);

enum { TASK_ID_TEXT = 44 };
const char *task_id_text(const uint8_t id[STORE_TASK_ID_SIZE], char text[TASK_ID_TEXT]);

#endif
