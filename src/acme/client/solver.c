/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/client/solver.h"

#include "acme/client/hook.h"

static bool is_served(enum challenge_type type) {
    return type == CHALLENGE_HTTP_01 || type == CHALLENGE_TLS_ALPN_01;
}

unsigned solver_rank(const struct solver *solver, enum challenge_type type) {
    if (type == CHALLENGE_NONE ||
        (is_served(type) ? solver->responder == NULL : solver->hook == NULL)) {
        return 0;
    }
    for (unsigned i = 0; i < CHALLENGE_TYPE_COUNT && solver->types[i] != CHALLENGE_NONE; i++) {
        if (solver->types[i] == type) {
            return i + 1;
        }
    }
    return 0;
}

static struct status call_hook(const struct solver *solver, const struct solver_task *task,
                               const char *action) {
    return hook_run(solver->hook, &(struct hook_call){
                                      .action = action,
                                      .type = challenge_name(task->type),
                                      .identifier = task->identifier->value,
                                      .record = task->record,
                                      .value = task->value,
                                  });
}

unsigned solver_settle_ms(const struct solver *solver, const struct solver_task *task) {
    return is_served(task->type) && solver->vault != NULL ? VAULT_SETTLE_MS : 0;
}

static struct status serve(const struct solver *solver, const struct solver_task *task) {
    const struct vault_challenge challenge = {
        .token = task->token,
        .type = task->type,
        .identifier = *task->identifier,
        .authorization = task->authorization,
    };
    TRY(task->type == CHALLENGE_HTTP_01
            ? responder_add_http(solver->responder, task->token, task->authorization)
            : responder_add_alpn(solver->responder, task->token, task->identifier,
                                 task->authorization));
    if (solver->vault == NULL) {
        return OK;
    }
    struct status status =
        vault_challenge_put(solver->vault, &challenge, (int64_t)clock_now_s(solver->clock));
    if (!status_ok(status)) {
        responder_remove(solver->responder, task->token);
    }
    return status;
}

struct status solver_present(const struct solver *solver, const struct solver_task *task) {
    return is_served(task->type) ? serve(solver, task) : call_hook(solver, task, "present");
}

/* What stays in the vault ends by itself. */
static void unserve(const struct solver *solver, const struct solver_task *task) {
    if (solver->vault != NULL) {
        struct status ignored = vault_challenge_drop(solver->vault, task->token);
        (void)ignored;
    }
    responder_remove(solver->responder, task->token);
}

void solver_clean(const struct solver *solver, const struct solver_task *task) {
    if (is_served(task->type)) {
        unserve(solver, task);
    } else if (task->type != CHALLENGE_NONE && task->type != CHALLENGE_DNS_PERSIST_01) {
        /* What it can't take away does no harm; the hook's failure was logged. */
        struct status ignored = call_hook(solver, task, "clean");
        (void)ignored;
    }
}
