/* SPDX-License-Identifier: Apache-2.0 */
#include "dap/golden.h"

#include <stdio.h>
#include <stdlib.h>

#define REPORT_ID "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf "
#define REPORT_ID_2 "b0b1b2b3b4b5b6b7b8b9babbbcbdbebf "
#define TASK_ID                           \
    "f016344736 4ccf1bc0e3affcca6873c9 " \
    "c381f64acdf9020662f83f46c07219e7 "
#define BATCH_ID                        \
    "1f1e1d1c1b1a19181716151413121110 " \
    "0f0e0d0c0b0a09080706050403020100 "
/* 123456789 */
#define TIME "00000000075bcd15 "
/* start 123456789, duration 11: the draft's example */
#define INTERVAL TIME "000000000000000b "

/* id 0xc2, P-256, HKDF-SHA256, AES-128-GCM, 4 bytes of key */
#define SUITE "0010 0001 0001 "
#define CONFIG "c2 " SUITE "0004 01020304 "
#define CONFIG_2 "11 0020 0001 0003 0002 0403 "
#define CIPHERTEXT "01 0003 0f0e0d 00000002 0b0a "
#define CIPHERTEXT_2 "02 0001 0c 00000004 08000a0b "

/* type 0x17 with 3 bytes, type 0x2a with none */
#define EXTENSION "0017 0003 aabbcc "
#define EXTENSION_2 "002a 0000 "

#define METADATA REPORT_ID TIME "000b " EXTENSION EXTENSION_2
#define METADATA_2 REPORT_ID_2 TIME "0000 "
#define REPORT METADATA "00000005 7075626c69 " CIPHERTEXT CIPHERTEXT_2
#define REPORT_2 METADATA_2 "00000000 " CIPHERTEXT CIPHERTEXT_2

#define TASK_EXTENSION "0001 0010 " INTERVAL
/* "info", "https://l/", "https://h/", 3600 s, 100, time_interval, Prio3Sum(7) */
#define TASK_CONFIGURATION                                          \
    "04 696e666f 000a 68747470733a2f2f6c2f 000a 68747470733a2f2f682f " \
    "0000000000000e10 0000000000000064 01 0000 00000002 "           \
    "0008 0000000000000007 0014 " TASK_EXTENSION

#define JOB_EXTENSION "0001 0020 " BATCH_ID
#define REPORT_SHARE METADATA "00000005 7075626c69 " CIPHERTEXT_2
#define VERIFY_INIT REPORT_SHARE "00000003 010203 "
#define VERIFY_INIT_2 METADATA_2 "00000000 " CIPHERTEXT "00000001 ff "
#define VERIFY_RESP REPORT_ID "00 00000002 beef "
#define VERIFY_RESPS VERIFY_RESP REPORT_ID_2 "01 " REPORT_ID "02 06 "
#define VERIFY_CONTINUE REPORT_ID "00000002 cafe "
#define VERIFY_CONTINUE_2 REPORT_ID_2 "00000001 00 "

#define QUERY "01 0010 " INTERVAL
#define COLLECTION_EXTENSION "0003 0001 77 "
#define COLLECTION_JOB_REQ QUERY "00000002 0001 0005 " COLLECTION_EXTENSION
#define CHECKSUM                        \
    "0a0b0c0d0e0f00010203040506070809 " \
    "1a1b1c1d1e1f10111213141516171819 "
#define BATCH_SELECTOR "02 0020 " BATCH_ID
#define COUNT "00000000000003e8 "

static const struct {
    const char *message;
    const char *hex;
} goldens[] = {
    {"interval", INTERVAL},
    {"hpke_suite", SUITE},
    {"hpke_config", CONFIG},
    {"hpke_config_list", "0018 " CONFIG CONFIG_2},
    {"hpke_ciphertext", CIPHERTEXT},
    {"task_extension", TASK_EXTENSION},
    {"task_configuration", TASK_CONFIGURATION},
    {"task_interval_task_extension", INTERVAL},
    {"extension", EXTENSION},
    {"report_metadata", METADATA},
    {"report", REPORT},
    {"upload_request", REPORT REPORT_2},
    {"report_upload_status", REPORT_ID "02 "},
    {"upload_errors", REPORT_ID "02 " REPORT_ID_2 "c8 "},
    {"plaintext_input_share", "000b " EXTENSION EXTENSION_2 "00000003 736872 "},
    {"input_share_aad", TASK_ID TASK_CONFIGURATION METADATA "00000005 7075626c69 "},
    {"aggregation_job_extension", JOB_EXTENSION},
    {"report_share", REPORT_SHARE},
    {"verify_init", VERIFY_INIT},
    {"aggregation_job_init_req",
     "2a 00000003 010203 0024 " JOB_EXTENSION VERIFY_INIT VERIFY_INIT_2},
    {"verify_resp", VERIFY_RESP},
    {"aggregation_job_resp", VERIFY_RESPS},
    {"verify_continue", VERIFY_CONTINUE},
    {"aggregation_job_continue_req", "0001 " VERIFY_CONTINUE VERIFY_CONTINUE_2},
    {"query", QUERY},
    {"collection_job_extension", COLLECTION_EXTENSION},
    {"collection_job_req", COLLECTION_JOB_REQ},
    {"collection_job_resp", COUNT INTERVAL CIPHERTEXT CIPHERTEXT_2},
    {"batch_selector", BATCH_SELECTOR},
    {"aggregate_share_req", COLLECTION_JOB_REQ BATCH_SELECTOR COUNT CHECKSUM},
    {"aggregate_share", CIPHERTEXT},
    {"aggregate_share_aad", TASK_ID TASK_CONFIGURATION COLLECTION_JOB_REQ},
    {"time_interval_query_config", INTERVAL},
    {"time_interval_batch_selector_config", INTERVAL},
    {"leader_selected_batch_selector_config", BATCH_ID},

    {"janus_partial_batch_selector", BATCH_SELECTOR},
    {"janus_aggregation_job_init_req",
     "2a 00000003 010203 " BATCH_SELECTOR "00000070 " VERIFY_INIT VERIFY_INIT_2},
    {"janus_aggregation_job_continue_req",
     "0001 0000002b " VERIFY_CONTINUE VERIFY_CONTINUE_2},
    {"janus_aggregation_job_resp", "0000003a " VERIFY_RESPS},
};

static unsigned digit(char c) {
    return (unsigned)(c >= 'a' ? c - 'a' + 10 : c - '0');
}

struct span golden_hex(const char *hex) {
    /* Exactly as large as its content, so that reading beyond it is seen. */
    size_t digits = 0;
    for (const char *at = hex; *at != '\0'; at++) {
        digits += *at != ' ';
    }
    uint8_t *bytes = malloc(digits / 2 + (digits == 0));
    if (bytes == NULL) {
        abort();
    }
    size_t done = 0;
    for (const char *at = hex; *at != '\0'; at++) {
        if (*at == ' ') {
            continue;
        }
        bytes[done / 2] = (uint8_t)(done % 2 == 0 ? digit(*at) << 4
                                                  : bytes[done / 2] | digit(*at));
        done++;
    }
    return span_of(bytes, digits / 2);
}

struct span golden_bytes(const char *message) {
    for (size_t i = 0; i < sizeof(goldens) / sizeof(goldens[0]); i++) {
        if (strcmp(goldens[i].message, message) == 0) {
            return golden_hex(goldens[i].hex);
        }
    }
    fprintf(stderr, "no golden bytes for %s\n", message);
    abort();
}

void golden_free(struct span bytes) { free((void *)bytes.data); }
