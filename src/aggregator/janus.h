/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_AGGREGATOR_JANUS_H
#define MOIETY_AGGREGATOR_JANUS_H

#include "aggregator/exchange.h"
#include "aggregator/helper_dialect.h"
#include "aggregator/leader_dialect.h"

/*
 * The dialect "janus-2026-08": Janus's main branch of August 2026, which is
 * partway from draft 17 to draft 18. Where the draft POSTs to a collection and
 * the server names the resource, Janus PUTs to an id that the client chose; and
 * the messages of aggregation jobs are those of schemas/dap/janus.tls.
 *
 * To be deleted, with leader_janus.c, helper_janus.c, the lines that name these
 * tables and routes, and the schema, when Janus has caught up.
 */
extern const struct leader_dialect leader_janus; /* leader_janus.c */
extern const struct helper_dialect helper_janus; /* helper_janus.c */

/* PUT to {collection}/{id}, for tasks whose peer speaks the dialect;
 * METHOD_NOT_ALLOWED for others. */
extern const struct endpoint janus_collection_put; /* leader_janus.c */
extern const struct endpoint janus_job_put;        /* helper_janus.c */
extern const struct endpoint janus_share_put;

#endif
