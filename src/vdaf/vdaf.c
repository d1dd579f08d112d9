/* SPDX-License-Identifier: Apache-2.0 */
#include "vdaf/vdaf.h"

#include <stdlib.h>
#include <string.h>

#include "vdaf/internal.h"
#include "wire/reader.h"
#include "wire/writer.h"

static size_t param_count(const struct vdaf_type *type) {
    size_t count = 0;
    while (type->params[count].name != NULL) {
        count++;
    }
    return count;
}

/* Chooses what was left out and checks every parameter's own range. */
static struct status complete_params(const struct vdaf_type *type, uint64_t params[]) {
    for (size_t i = 0; i < param_count(type); i++) {
        const bool missing = params[i] == 0 && !type->params[i].optional;
        if (missing || params[i] > type->params[i].max) {
            return FAIL(INVALID_ARGUMENT);
        }
    }
    if (type->choose != NULL) {
        type->choose(params);
    }
    return OK;
}

static struct status init(struct vdaf *vdaf, const struct vdaf_type *type, unsigned shares,
                          const struct kernels *kernels) {
    struct circuit circuit;
    vdaf->type = type;
    vdaf->shares = shares;
    vdaf->param_count = param_count(type);
    TRY(complete_params(type, vdaf->values));
    for (size_t i = 0; i < vdaf->param_count; i++) {
        vdaf->params[i] = (struct vdaf_param){type->params[i].name, vdaf->values[i]};
    }
    TRY(type->configure(vdaf->values, &circuit));
    vdaf->proofs = type->proofs != NULL ? type->proofs(vdaf->values) : 1;
    /* A proof has at most arity + 2 * (2 * calls) elements. */
    if ((circuit.arity + 4 * circuit.calls) * vdaf->proofs > VDAF_PROOFS_LEN_MAX) {
        return FAIL(INVALID_ARGUMENT);
    }
    vdaf->kernels = kernels;
    return flp_init(&vdaf->flp, &circuit,
                    type->field == VDAF_FIELD64 ? kernels->field64 : kernels->field128, shares,
                    &vdaf->arena);
}

static struct status new_on(const struct kernels *kernels, const struct vdaf_type *type,
                            const uint64_t params[], unsigned shares, struct vdaf **out) {
    struct vdaf *vdaf = calloc(1, sizeof(*vdaf));
    if (vdaf == NULL) {
        return FAIL(NO_MEMORY);
    }
    memcpy(vdaf->values, params, param_count(type) * sizeof(*params));
    struct status status = init(vdaf, type, shares, kernels);
    if (status_ok(status) && kernels->lanes > 1) {
        status = new_on(kernels_of(SIMD_PORTABLE), type, params, shares, &vdaf->single);
    }
    if (!status_ok(status)) {
        vdaf_free(vdaf);
        return status;
    }
    *out = vdaf;
    return OK;
}

struct status vdaf_new_of_type(const struct vdaf_type *type, const uint64_t params[],
                               unsigned shares, struct vdaf **out) {
    if (shares < 2 || shares > VDAF_SHARES_MAX) {
        return FAIL(INVALID_ARGUMENT);
    }
    const struct kernels *kernels;
    TRY(kernels_pick(&kernels));
    return new_on(kernels, type, params, shares, out);
}

/* What may be relied on (VDAF, section 9.7): with joint randomness, which cheats can
 * search for offline, the smaller field takes three proofs. */
static bool is_sound(const struct vdaf *vdaf) {
    enum { PROOFS_IN_FIELD64 = 3 };
    return vdaf->type->field != VDAF_FIELD64 || vdaf->flp.circuit.joint_rand_len == 0 ||
           vdaf->proofs >= PROOFS_IN_FIELD64;
}

static struct status new_sound(const struct vdaf_type *type, const uint64_t params[],
                               unsigned shares, struct vdaf **out) {
    struct vdaf *vdaf;
    TRY(vdaf_new_of_type(type, params, shares, &vdaf));
    if (!is_sound(vdaf)) {
        vdaf_free(vdaf);
        return FAIL(INVALID_ARGUMENT);
    }
    *out = vdaf;
    return OK;
}

/* Puts named parameters into the type's order. */
static struct status order_params(const struct vdaf_type *type, const struct vdaf_param params[],
                                  size_t count, uint64_t out[]) {
    for (size_t i = 0; i < count; i++) {
        size_t at = 0;
        while (at < param_count(type) && strcmp(type->params[at].name, params[i].name) != 0) {
            at++;
        }
        /* Unknown, given twice, or zero, which stands for left out. */
        if (at == param_count(type) || out[at] != 0 || params[i].value == 0) {
            return FAIL(INVALID_ARGUMENT);
        }
        out[at] = params[i].value;
    }
    return OK;
}

struct status vdaf_new(const char *name, const struct vdaf_param params[], size_t count,
                       unsigned shares, struct vdaf **out) {
    const struct vdaf_type *type = vdaf_type_by_name(name);
    if (type == NULL) {
        return FAIL(INVALID_ARGUMENT);
    }
    uint64_t values[VDAF_PARAMS_MAX] = {0};
    TRY(order_params(type, params, count, values));
    return new_sound(type, values, shares, out);
}

struct status vdaf_from_config(uint32_t codepoint, struct span config, struct vdaf **out) {
    const struct vdaf_type *type = vdaf_type_by_codepoint(codepoint);
    if (type == NULL) {
        return FAIL(UNSUPPORTED_ALGORITHM);
    }
    uint64_t values[VDAF_PARAMS_MAX] = {0};
    struct reader reader = reader_of(config);
    for (size_t i = 0; i < param_count(type); i++) {
        values[i] = type->params[i].size == 4 ? reader_u32(&reader) : reader_u64(&reader);
        if (values[i] == 0) {
            reader_fail(&reader); /* nothing is left out on the wire */
        }
    }
    TRY(reader_finish(&reader));
    struct status status = new_sound(type, values, 2, out);
    return status.code == STATUS_INVALID_ARGUMENT ? FAIL(INVALID_MESSAGE) : status;
}

void vdaf_free(struct vdaf *vdaf) {
    if (vdaf != NULL) {
        vdaf_free(vdaf->single);
        arena_release(&vdaf->arena);
        free(vdaf);
    }
}

const char *vdaf_name(const struct vdaf *vdaf) { return vdaf->type->name; }
uint32_t vdaf_codepoint(const struct vdaf *vdaf) { return vdaf->type->codepoint; }

size_t vdaf_params(const struct vdaf *vdaf, const struct vdaf_param **out) {
    *out = vdaf->params;
    return vdaf->param_count;
}

struct status vdaf_encode_config(const struct vdaf *vdaf, struct buffer *out) {
    if (!vdaf->type->in_dap) {
        return FAIL(UNSUPPORTED_ALGORITHM);
    }
    struct writer writer = writer_to(out);
    for (size_t i = 0; i < vdaf->param_count; i++) {
        if (vdaf->type->params[i].size == 4) {
            writer_u32(&writer, (uint32_t)vdaf->values[i]);
        } else {
            writer_u64(&writer, vdaf->values[i]);
        }
    }
    return writer_finish(&writer);
}

unsigned vdaf_shares(const struct vdaf *vdaf) { return vdaf->shares; }
unsigned vdaf_rounds(const struct vdaf *vdaf) { return vdaf->type->scheme->rounds; }
size_t vdaf_verify_key_size(const struct vdaf *vdaf) {
    (void)vdaf;
    return VDAF_SEED_SIZE;
}
size_t vdaf_rand_size(const struct vdaf *vdaf) { return vdaf->type->scheme->rand_size(vdaf); }
size_t vdaf_public_share_size(const struct vdaf *vdaf) {
    return vdaf->type->scheme->public_share_size(vdaf);
}
size_t vdaf_input_share_size(const struct vdaf *vdaf, unsigned share) {
    return vdaf->type->scheme->input_share_size(vdaf, share);
}
size_t vdaf_agg_share_size(const struct vdaf *vdaf) {
    return vdaf->flp.circuit.output_len * vdaf->flp.field->encoded_size;
}
size_t vdaf_measurement_len(const struct vdaf *vdaf) {
    return vdaf->type->measurement_len(&vdaf->flp.circuit);
}
size_t vdaf_result_len(const struct vdaf *vdaf) { return vdaf->flp.circuit.output_len; }

struct status vdaf_check_agg_param(const struct vdaf *vdaf, struct span agg_param) {
    return vdaf->type->scheme->agg_param_valid(vdaf, agg_param)
               ? OK
               : FAIL(INVALID_AGGREGATION_PARAMETER);
}

struct status vdaf_shard(const struct vdaf *vdaf, const struct shard_input inputs[], size_t count,
                         struct arena *arena, struct shard_output outputs[]) {
    for (size_t i = 0; i < count; i++) {
        TRY(vdaf_check_measurement(vdaf, inputs[i].values, vdaf_measurement_len(vdaf)));
        if (inputs[i].ctx.len > XOF_DST_MAX - XOF_PREFIX_SIZE) {
            return FAIL(INVALID_ARGUMENT);
        }
    }
    /* A client's one report in many lanes would take as long as many do. */
    const struct vdaf *on = count == 1 && vdaf->single != NULL ? vdaf->single : vdaf;
    return vdaf->type->scheme->shard(on, inputs, count, arena, outputs);
}
