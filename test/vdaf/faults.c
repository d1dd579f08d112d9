/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "primitive/kernels.h"
#include "support.h"

/*
 * Faulty reports side by side with good ones, every fault in every lane: each
 * gets its verdict, the good ones come out as if they were alone among good
 * ones, and all of it as on the portable lanes. Inputs end where a page does,
 * with none behind it, so that a read past one is a crash.
 */
enum fault {
    NONE,
    MEASUREMENT_ELEMENT, /* of the leader's share, is the modulus */
    PROOF_ELEMENT,       /* the last one is */
    PROOF_WRONG,         /* the last element is another */
    SEED_WRONG,          /* the helper's */
    NONCE_WRONG,
    PUBLIC_SHARE_WRONG, /* as the helper has it */
    MESSAGE_ELEMENT,    /* the leader's verifier share ends with the modulus */
    MESSAGE_WRONG,      /* its last byte is another */
    FAULTS
};

/* More than two groups of any lane type, and no multiple of one. */
enum { REPORTS = 2 * SIMD_LANES_MAX + 3 };

struct run {
    const struct vdaf *vdaf;
    struct reports reports;
    struct verify_input *inputs[2];
    struct verify_batch *batches[2];
    struct span messages[REPORTS];
    enum fault faults[REPORTS];
};

/* A copy at the end of a page, the next one out of reach. */
static struct span guarded(struct span bytes) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t size = (bytes.len + page) / page * page;
    uint8_t *pages =
        mmap(NULL, size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert(pages != MAP_FAILED);
    cr_assert_eq(mprotect(pages + size, page, PROT_NONE), 0);
    uint8_t *copy = pages + size - bytes.len;
    if (bytes.len > 0) {
        memcpy(copy, bytes.data, bytes.len);
    }
    return span_of(copy, bytes.len);
}

static void guarded_free(struct span copy) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t size = (copy.len + page) / page * page;
    munmap((uint8_t *)copy.data + copy.len - size, size + page);
}

static size_t element_size(const struct vdaf *vdaf) {
    return vdaf_agg_share_size(vdaf) / vdaf_result_len(vdaf);
}

/* Bytes of joint randomness at the end of a share. */
static size_t tail_size(const struct vdaf *vdaf) { return vdaf_public_share_size(vdaf) / 2; }

static void put_modulus(const struct vdaf *vdaf, struct span bytes, size_t at) {
    const bool small = element_size(vdaf) == 8;
    const field_value modulus = small ? field64_portable.modulus : field128_portable.modulus;
    for (size_t i = 0; i < element_size(vdaf); i++) {
        ((uint8_t *)bytes.data)[at + i] = (uint8_t)(modulus >> (8 * i));
    }
}

static void flip(struct span bytes, size_t at) { ((uint8_t *)bytes.data)[at] ^= 1; }

/* Puts a report's fault into its inputs, which are its own copies. */
static void break_input(struct run *run, size_t i) {
    const struct vdaf *vdaf = run->vdaf;
    const struct verify_input *leader = &run->inputs[0][i], *helper = &run->inputs[1][i];
    const size_t last = leader->input_share.len - tail_size(vdaf) - element_size(vdaf);
    switch (run->faults[i]) {
    case MEASUREMENT_ELEMENT: put_modulus(vdaf, leader->input_share, 0); break;
    case PROOF_ELEMENT: put_modulus(vdaf, leader->input_share, last); break;
    case PROOF_WRONG: flip(leader->input_share, last); break;
    case SEED_WRONG: flip(helper->input_share, 31); break;
    case NONCE_WRONG: flip(span_of(helper->nonce, VDAF_NONCE_SIZE), 15); break;
    case PUBLIC_SHARE_WRONG:
        if (helper->public_share.len > 0) {
            flip(helper->public_share, 0);
        } else {
            run->faults[i] = NONE;
        }
        break;
    default: break;
    }
}

static void break_message(const struct run *run, size_t i, struct span message) {
    if (run->faults[i] == MESSAGE_ELEMENT) {
        put_modulus(run->vdaf, message,
                    message.len - tail_size(run->vdaf) - element_size(run->vdaf));
    } else if (run->faults[i] == MESSAGE_WRONG) {
        flip(message, message.len - 1);
    }
}

static void run_new(struct run *run, const struct vdaf *vdaf, size_t faults_from) {
    *run = (struct run){.vdaf = vdaf};
    reports_new(&run->reports, vdaf, REPORTS);
    for (unsigned side = 0; side < 2; side++) {
        run->inputs[side] = reports_inputs(&run->reports, side);
        for (size_t i = 0; i < REPORTS; i++) {
            struct verify_input *input = &run->inputs[side][i];
            input->verify_key = guarded(input->verify_key);
            input->ctx = i % 3 == 0 ? input->ctx : guarded(input->ctx);
            input->nonce = guarded(span_of(input->nonce, VDAF_NONCE_SIZE)).data;
            input->public_share = guarded(input->public_share);
            input->input_share = guarded(input->input_share);
        }
    }
    for (size_t i = 0; i < REPORTS; i++) {
        run->faults[i] = faults_from == FAULTS ? NONE : (enum fault)((i + faults_from) % FAULTS);
        break_input(run, i);
    }
}

static void run_free(struct run *run) {
    for (unsigned side = 0; side < 2; side++) {
        for (size_t i = 0; i < REPORTS; i++) {
            const struct verify_input *input = &run->inputs[side][i];
            guarded_free(input->verify_key);
            if (i % 3 != 0) {
                guarded_free(input->ctx);
            }
            guarded_free(span_of(input->nonce, VDAF_NONCE_SIZE));
            guarded_free(input->public_share);
            guarded_free(input->input_share);
        }
        verify_batch_free(run->batches[side]);
    }
    reports_release(&run->reports);
}

/* Replaces a batch by what its encoding decodes to. */
static void restart(struct run *run, unsigned side) {
    struct buffer encoded = BUFFER_INIT;
    cr_assert(status_ok(verify_batch_encode(run->batches[side], &encoded)));
    verify_batch_free(run->batches[side]);
    const struct span copy = guarded(buffer_span(&encoded));
    cr_assert(
        status_ok(verify_batch_decode(run->vdaf, side, SPAN_EMPTY, copy, &run->batches[side])));
    guarded_free(copy);
    buffer_release(&encoded);
}

/* Copies of what a side sends, so that it can be broken and outlives it. */
static void take_messages(struct run *run, unsigned side) {
    for (size_t i = 0; i < REPORTS; i++) {
        run->messages[i] = guarded(pingpong_outbound(run->batches[side], i));
        if (run->messages[i].len > 0 && side == 0) {
            break_message(run, i, run->messages[i]);
        }
    }
}

static void drop_messages(struct run *run) {
    for (size_t i = 0; i < REPORTS; i++) {
        guarded_free(run->messages[i]);
    }
}

static void verify(struct run *run) {
    for (unsigned side = 0; side < 2; side++) {
        cr_assert(
            status_ok(verify_batch_new(run->vdaf, side, SPAN_EMPTY, REPORTS, &run->batches[side])));
    }
    cr_assert(status_ok(pingpong_leader_init(run->batches[0], run->inputs[0])));
    restart(run, 0);
    take_messages(run, 0);
    cr_assert(status_ok(pingpong_helper_init(run->batches[1], run->inputs[1], run->messages)));
    drop_messages(run);
    restart(run, 1);
    take_messages(run, 1);
    cr_assert(status_ok(pingpong_leader_continued(run->batches[0], run->messages)));
    drop_messages(run);
}

static enum status_code expected_verdict(enum fault fault, unsigned side) {
    switch (fault) {
    case NONE: return STATUS_OK;
    case MEASUREMENT_ELEMENT:
    case PROOF_ELEMENT: /* which the leader tells nobody about */ return STATUS_INVALID_MESSAGE;
    case MESSAGE_ELEMENT: return side == 1 ? STATUS_INVALID_MESSAGE : STATUS_OK;
    default: return side == 1 ? STATUS_VERIFY_FAILED : STATUS_OK;
    }
}

/* The verdicts; the leader hears of the helper's by getting no message. */
static void check_verdicts(const struct run *run) {
    for (size_t i = 0; i < REPORTS; i++) {
        const enum fault fault = run->faults[i];
        cr_assert_eq(verify_batch_verdict(run->batches[1], i), expected_verdict(fault, 1),
                     "%s: report %zu, fault %d", vdaf_name(run->vdaf), i, (int)fault);
        const enum status_code leader = verify_batch_verdict(run->batches[0], i);
        cr_assert_eq(leader != STATUS_OK, fault != NONE, "%s: report %zu, fault %d",
                     vdaf_name(run->vdaf), i, (int)fault);
        cr_assert(expected_verdict(fault, 0) == STATUS_OK || leader == expected_verdict(fault, 0));
    }
}

/* What a side has of report i: its output share, if it was not refused. */
static struct span output_of(struct run *run, unsigned side, size_t i) {
    struct span output = SPAN_EMPTY;
    if (verify_batch_verdict(run->batches[side], i) == STATUS_OK) {
        cr_assert(
            status_ok(verify_batch_out_share(run->batches[side], i, &run->reports.arena, &output)));
    }
    return output;
}

static void check_outputs(struct run *run, struct run *alone) {
    for (unsigned side = 0; side < 2; side++) {
        for (size_t i = 0; i < REPORTS; i++) {
            cr_assert(run->faults[i] != NONE ||
                          span_equal_vartime(output_of(run, side, i), output_of(alone, side, i)),
                      "%s: report %zu, side %u", vdaf_name(run->vdaf), i, side);
        }
    }
}

/* Both sides' sums are those of the reports in good standing. */
static void check_sums(struct run *run) {
    const size_t size = vdaf_agg_share_size(run->vdaf);
    const uint32_t buckets[REPORTS] = {0};
    for (unsigned side = 0; side < 2; side++) {
        uint8_t *expected = arena_alloc(&run->reports.arena, size, 1);
        uint8_t *sum = arena_alloc(&run->reports.arena, size, 1);
        for (size_t i = 0; i < REPORTS; i++) {
            const struct span output = output_of(run, side, i);
            cr_assert(output.len == 0 || status_ok(vdaf_agg_merge(run->vdaf, expected, output)));
        }
        cr_assert(status_ok(verify_batch_accumulate(run->batches[side], buckets, &sum, 1)));
        cr_assert_eq(memcmp(sum, expected, size), 0, "%s", vdaf_name(run->vdaf));
    }
}

static void check(enum simd_type type, int instance) {
    struct vdaf *portable = instance_on(SIMD_PORTABLE, instance);
    struct vdaf *vdaf = instance_on(type, instance);
    struct run good;
    run_new(&good, portable, FAULTS);
    verify(&good);
    for (size_t from = 0; from < FAULTS; from++) {
        struct run run;
        run_new(&run, vdaf, from);
        verify(&run);
        check_verdicts(&run);
        check_outputs(&run, &good);
        check_sums(&run);
        run_free(&run);
    }
    run_free(&good);
    vdaf_free(vdaf);
    vdaf_free(portable);
}

Test(faults, stay_in_their_lane) {
    for (int type = 0; type < SIMD_TYPES; type++) {
        if (kernels_of((enum simd_type)type) == NULL) {
            fprintf(stderr, "%s: skipped: not in this build or not on this processor\n",
                    simd_name((enum simd_type)type));
            continue;
        }
        for (int instance = 0; instance < INSTANCES; instance++) {
            check((enum simd_type)type, instance);
        }
    }
}
