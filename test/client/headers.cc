/* SPDX-License-Identifier: Apache-2.0 */
/* That the public headers are C++ too shows in that this compiles. */
#include <moiety/client.h>
#include <moiety/client_curl.h>
#include <moiety/collector.h>
#include <moiety/provider.h>
#include <moiety/provider_openssl.h>
#include <moiety/task.h>

extern "C" const char *moiety_test_cxx();
const char *moiety_test_cxx() { return moiety_result_text(MOIETY_OK); }
