/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/ca/leaf.h"

ASN1_SEQUENCE(LEAF_TBS) = {
    ASN1_EXP_OPT(LEAF_TBS, version, ASN1_INTEGER, 0),
    ASN1_SIMPLE(LEAF_TBS, serial, ASN1_INTEGER),
    ASN1_SIMPLE(LEAF_TBS, algorithm, X509_ALGOR),
    ASN1_SIMPLE(LEAF_TBS, issuer, X509_NAME),
    ASN1_SIMPLE(LEAF_TBS, validity, X509_VAL),
    ASN1_SIMPLE(LEAF_TBS, subject, X509_NAME),
    ASN1_SIMPLE(LEAF_TBS, key, KEY_INFO),
    ASN1_IMP_OPT(LEAF_TBS, issuer_id, ASN1_BIT_STRING, 1),
    ASN1_IMP_OPT(LEAF_TBS, subject_id, ASN1_BIT_STRING, 2),
    ASN1_EXP_SEQUENCE_OF_OPT(LEAF_TBS, extensions, X509_EXTENSION, 3),
} static_ASN1_SEQUENCE_END(LEAF_TBS)

ASN1_SEQUENCE(LEAF) = {
    ASN1_SIMPLE(LEAF, tbs, LEAF_TBS),
    ASN1_SIMPLE(LEAF, algorithm, X509_ALGOR),
    ASN1_SIMPLE(LEAF, signature, ASN1_BIT_STRING),
} static_ASN1_SEQUENCE_END(LEAF)

LEAF *ca_leaf_read(struct span der) {
    const uint8_t *at = der.data;
    LEAF *leaf = (LEAF *)ASN1_item_d2i(NULL, &at, (long)der.len, ASN1_ITEM_rptr(LEAF));
    if (leaf != NULL && at != der.data + der.len) {
        ca_leaf_free(leaf);
        return NULL;
    }
    return leaf;
}

void ca_leaf_free(LEAF *leaf) { ASN1_item_free((ASN1_VALUE *)leaf, ASN1_ITEM_rptr(LEAF)); }

int ca_leaf_tbs_write(const LEAF *leaf, uint8_t **out) {
    return ASN1_item_i2d((const ASN1_VALUE *)leaf->tbs, out, ASN1_ITEM_rptr(LEAF_TBS));
}
