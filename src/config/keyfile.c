/* SPDX-License-Identifier: Apache-2.0 */
#include "config/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/secret.h"

static int hex_digit(uint8_t c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static bool parse_key(struct span text, uint8_t key[KEYFILE_KEY_SIZE]) {
    while (text.len > 0 && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r')) {
        text.len--;
    }
    if (text.len != 2 * KEYFILE_KEY_SIZE) {
        return false;
    }
    for (size_t i = 0; i < KEYFILE_KEY_SIZE; i++) {
        int high = hex_digit(text.data[2 * i]);
        int low = hex_digit(text.data[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        key[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

struct status keyfile_read(const char *path, uint8_t key[KEYFILE_KEY_SIZE], struct buffer *errors) {
    enum { KEYFILE_MAX = 4096 };
    struct arena arena = ARENA_INIT; /* wiped when released */
    struct span text;
    struct stat about;
    struct status status = file_read(path, KEYFILE_MAX, &arena, &text);
    if (!status_ok(status)) {
        schema_complain(errors, path, 0, "the key can't be read: %s%s",
                        status.code == STATUS_NOT_FOUND ? "no such file" : status_text(status.code),
                        strncmp(path, "credential:", 11) == 0
                            ? " (systemd sets CREDENTIALS_DIRECTORY for LoadCredential=)"
                            : "");
        status = FAIL(INVALID_CONFIG);
    } else if (stat(path, &about) == 0 && (about.st_mode & S_IRWXO) != 0) {
        schema_complain(errors, path, 0,
                        "everyone on this machine can read this key; make it its owner's alone: "
                        "chmod 600");
        status = FAIL(INVALID_CONFIG);
    } else if (!parse_key(text, key)) {
        schema_complain(errors, path, 0,
                        "expected a key of 64 hexadecimal digits, found %zu bytes of something "
                        "else (openssl rand -hex 32 makes one)",
                        text.len);
        status = FAIL(INVALID_CONFIG);
    }
    arena_release(&arena);
    return status;
}

struct status keyfile_create(const char *path, const uint8_t key[KEYFILE_KEY_SIZE]) {
    char text[2 * KEYFILE_KEY_SIZE + 2];
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return errno == EEXIST                     ? FAIL(CONFLICT)
               : errno == EACCES || errno == EPERM ? FAIL(PERMISSION_DENIED)
                                                   : FAIL(IO);
    }
    for (size_t i = 0; i < KEYFILE_KEY_SIZE; i++) {
        snprintf(text + 2 * i, 3, "%02x", key[i]);
    }
    text[2 * KEYFILE_KEY_SIZE] = '\n';
    bool written =
        write(fd, text, 2 * KEYFILE_KEY_SIZE + 1) == 2 * KEYFILE_KEY_SIZE + 1 && fsync(fd) == 0;
    secret_wipe(text, sizeof(text));
    if (close(fd) != 0 || !written) {
        unlink(path);
        return FAIL(IO);
    }
    return OK;
}
