/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MOIETY_PROVIDER_OPENSSL_H
#define MOIETY_PROVIDER_OPENSSL_H

#include <moiety/provider.h>
#include <moiety/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The provider table over OpenSSL 3's libcrypto, in libmoiety-client-curl.
 * Algorithms are fetched at the first call. Thread-safe. */
extern MOIETY_API const struct moiety_provider moiety_provider_openssl;

#ifdef __cplusplus
}
#endif

#endif
