/* SPDX-License-Identifier: Apache-2.0 */
#include "net/address.h"

#include <criterion/criterion.h>

Test(address, reads_and_writes) {
    static const char *const texts[] = {"127.0.0.1:8080", "[::1]:0", "0.0.0.0:65535",
                                        "[2001:db8::1]:443"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct address address;
        char written[ADDRESS_TEXT_MAX];
        cr_assert(status_ok(address_parse(&address, texts[i])), "%s", texts[i]);
        address_format(&address, written);
        cr_assert_str_eq(written, texts[i]);
    }
}

Test(address, refuses) {
    static const char *const texts[] = {"",         "127.0.0.1",   "127.0.0.1:",  "127.0.0.1:65536",
                                        ":80",      "::1:80",      "[::1]",       "[::1]80",
                                        "[::1:80",  "localhost:1", "1.2.3:4",     "127.0.0.1:+1",
                                        "[1.2.3.4]:5", "127.0.0.1:1x", "127.0.0.1:000001"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct address address;
        cr_assert_eq(address_parse(&address, texts[i]).code, STATUS_INVALID_ARGUMENT, "%s",
                     texts[i]);
    }
}

Test(address, knows_loopback) {
    static const struct {
        const char *text;
        bool loopback;
    } cases[] = {{"127.0.0.1:1", true},  {"127.255.0.9:1", true},          {"128.0.0.1:1", false},
                 {"0.0.0.0:1", false},   {"[::1]:1", true},                {"[::]:1", false},
                 {"[::2]:1", false},     {"[::ffff:127.0.0.1]:1", true},   {"[fe80::1]:1", false},
                 {"10.0.0.1:1", false},  {"[::ffff:10.0.0.1]:1", false},
                 {"[2001:db8::7f00:1]:1", false}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct address address;
        cr_assert(status_ok(address_parse(&address, cases[i].text)));
        cr_assert_eq(address_is_loopback(&address), cases[i].loopback, "%s", cases[i].text);
    }
    cr_assert(address_host_is_loopback("localhost"));
    cr_assert(address_host_is_loopback("::1"));
    cr_assert(address_host_is_loopback("127.0.0.2"));
    cr_assert_not(address_host_is_loopback("localhost.example"));
    cr_assert_not(address_host_is_loopback("127.0.0.1.example"));
    cr_assert_not(address_host_is_loopback("example.org"));
}
