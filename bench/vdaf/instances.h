/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_BENCH_VDAF_INSTANCES_H
#define MOIETY_BENCH_VDAF_INSTANCES_H

#include "vdaf/vdaf.h"

/* What is measured. The first value of a measurement is 1, all others are 0,
 * which every instance accepts. */
static const struct {
    const char *name, *type;
    struct vdaf_param params[4];
    size_t count;
} instances[] = {
    {"Count", "Prio3Count", {{NULL, 0}}, 0},
    {"Sum_max255", "Prio3Sum", {{"max_measurement", 255}}, 1},
    {"Sum_max65535", "Prio3Sum", {{"max_measurement", 65535}}, 1},
    {"Sum_max2^32-1", "Prio3Sum", {{"max_measurement", UINT32_MAX}}, 1},
    {"SumVec_1b_len100_c10",
     "Prio3SumVec",
     {{"length", 100}, {"max_measurement", 1}, {"chunk_length", 10}},
     3},
    {"SumVec_1b_len1000_c32",
     "Prio3SumVec",
     {{"length", 1000}, {"max_measurement", 1}, {"chunk_length", 32}},
     3},
    {"SumVec_8b_len1000_c89",
     "Prio3SumVec",
     {{"length", 1000}, {"max_measurement", 255}, {"chunk_length", 89}},
     3},
    {"SumVec_1b_len10000_c100",
     "Prio3SumVec",
     {{"length", 10000}, {"max_measurement", 1}, {"chunk_length", 100}},
     3},
    {"Histogram_10_c4", "Prio3Histogram", {{"length", 10}, {"chunk_length", 4}}, 2},
    {"Histogram_100_c10", "Prio3Histogram", {{"length", 100}, {"chunk_length", 10}}, 2},
    {"Histogram_1000_c32", "Prio3Histogram", {{"length", 1000}, {"chunk_length", 32}}, 2},
    {"Histogram_10000_c100", "Prio3Histogram", {{"length", 10000}, {"chunk_length", 100}}, 2},
    {"Histogram_100000_c316",
     "Prio3Histogram",
     {{"length", 100000}, {"chunk_length", 316}},
     2},
    {"Multihot_100_w10_c10",
     "Prio3MultihotCountVec",
     {{"length", 100}, {"max_weight", 10}, {"chunk_length", 10}},
     3},
};

enum { INSTANCES = sizeof(instances) / sizeof(instances[0]) };

#endif
