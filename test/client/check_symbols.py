#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks what the installed libraries show and need.

usage: check_symbols.py LIBRARY... [--curl LIBRARY...]

Every library defines moiety_ symbols and no others. Those before --curl need
the C library alone: neither OpenSSL, nor libcurl, nor libsodium, and no
function that does input or output or starts a thread.
"""
import re
import subprocess
import sys

NEEDED_ALLOWED = re.compile(r"^(libc\.so|libasan\.so|libubsan\.so|ld-linux|libm\.so)")
FOREIGN = re.compile(r"^(EVP|BN|EC|OSSL|RAND|SSL|CRYPTO|ERR)_|^curl_|^sodium_|^crypto_")
WAITING = re.compile(r"^(f?open|read|write|socket|connect|send|recv|poll|select|sleep|fork"
                     r"|pthread_create|thrd_create)(64)?$")
SANITIZER = re.compile(r"^__(asan|ubsan|odr_asan)")


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def symbols(library, which):
    """Names that a library defines for others, or wants from others."""
    flags = ["-D"] if ".so" in library else ["-g"]
    for line in run("nm", *flags, f"--{which}-only", library).splitlines():
        fields = line.split()
        if fields and not line.endswith(":"):
            name = fields[-1].split("@")[0]
            if not SANITIZER.match(name):
                yield name


def check(library, pure):
    defined = set(symbols(library, "defined"))
    if not defined:
        yield "defines nothing"
    for name in sorted(defined):
        if not name.startswith("moiety_"):
            yield f"shows {name}"
    if not pure:
        return
    for name in sorted(set(symbols(library, "undefined"))):
        if FOREIGN.match(name) or WAITING.match(name):
            yield f"uses {name}"
    if ".so" in library:
        for needed in re.findall(r"\(NEEDED\).*\[(.*)\]", run("readelf", "-d", library)):
            if not NEEDED_ALLOWED.match(needed):
                yield f"needs {needed}"


def main(arguments):
    cut = arguments.index("--curl") if "--curl" in arguments else len(arguments)
    problems = 0
    for i, library in enumerate(arguments):
        if i == cut:
            continue
        for problem in check(library, i < cut):
            print(f"{library}: {problem}")
            problems += 1
    print(f"{len(arguments) - 1} libraries, {problems} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
