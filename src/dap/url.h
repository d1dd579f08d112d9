/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_DAP_URL_H
#define MOIETY_DAP_URL_H

#include "dap/messages.h"

/*
 * The URLs of DAP's resources (draft 18, sections 3 and 3.2). Thread-safe.
 *
 * A base URL is an aggregator's endpoint, byte for byte as the task has it.
 * Resource URLs are that base and a path, put together without re-encoding; a
 * slash at the end of the base isn't doubled.
 */
enum resource {
    RESOURCE_HPKE_CONFIG,
    RESOURCE_REPORTS,
    RESOURCE_AGGREGATION_JOBS,
    RESOURCE_AGGREGATE_SHARES,
    RESOURCE_COLLECTION_JOBS,
};

/* Parts of an absolute http or https URL. They borrow it. */
struct url {
    struct span scheme;
    struct span authority;
    struct span path;  /* empty or begins with '/' */
    struct span query; /* with its '?', or empty */
};

/* INVALID_ARGUMENT if it isn't absolute, is of another scheme, has no host, has
 * user information or a fragment, or has characters that a URL can't have. */
struct status url_parse(struct span text, struct url *out);

/* The URL of a resource below `base`: of one thing if `id` is there, otherwise
 * the one to create at. `task` is ignored for hpke_config. NULL if out of
 * memory. */
char *resource_url(struct span base, enum resource resource, const struct task_id *task,
                   const struct job_id *id, struct arena *arena);

/* The same without scheme and host: what a server answers as Location. `step`
 * is added as a query if it isn't negative. */
struct status resource_location(struct span base, enum resource resource,
                                const struct task_id *task, const struct job_id *id, int step,
                                struct arena *arena, char **out);

/*
 * Resolves a Location that the peer answered to a request for `request_url`
 * (RFC 3986, section 5.2), to a terminated string in the arena. Tokens are sent
 * there, so FORBIDDEN unless it stays with the origin of `base` and is one
 * thing of that kind and task. A reference "/tasks/..." is taken from the base,
 * as draft 18, section 4.5.4.2 writes it. The thing's own name is the server's
 * choice, but only of characters that need no encoding.
 */
struct status location_resolve(struct span base, enum resource resource,
                               const struct task_id *task, struct span request_url,
                               struct span location, struct arena *arena, char **out);

#endif
