/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_ACME_CA_PUBLIC_H
#define MOIETY_ACME_CA_PUBLIC_H

#include "acme/ca/exchange.h"

/* What anybody may read, by GET. */
extern const struct ca_endpoint ca_endpoint_directory; /* public.c */
extern const struct ca_endpoint ca_endpoint_crl;
extern const struct ca_endpoint ca_endpoint_issuer;
extern const struct ca_endpoint ca_endpoint_ocsp;        /* ocsp.c; by POST */
extern const struct ca_endpoint ca_endpoint_renewal;     /* renewal.c */
extern const struct ca_endpoint ca_endpoint_log_key;     /* public_log.c */
extern const struct ca_endpoint ca_endpoint_checkpoint;
extern const struct ca_endpoint ca_endpoint_log_entries;
extern const struct ca_endpoint ca_endpoint_log_proof;
extern const struct ca_endpoint ca_endpoint_consistency;

#endif
