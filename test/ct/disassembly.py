#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Looks for what may depend on a secret in the machine code of a kernel.

usage: disassembly.py LIST NAME OBJECT

Where valgrind can't look (AVX-512), the object may have, function by function,
no more conditional branches and no more loads and stores at an indexed address
than LIST says, which were looked at by hand; and nowhere an instruction that
addresses memory by lanes, moves by a mask of lanes or takes time by its
operands. A line of LIST: NAME FUNCTION BRANCHES INDEXED.
"""
import collections
import re
import subprocess
import sys

FORBIDDEN = re.compile(r"v?p?(gather|scatter|compress|expand)|i?div\b|loop|rep[nez]* (scas|cmps)")
BRANCH = re.compile(r"j(?!mp)[a-z]+\b")
INDEXED = re.compile(r"\(%?\w*,%\w+")
FUNCTION = re.compile(r"^[0-9a-f]+ <([\w.]+)>:$")
INSTRUCTION = re.compile(r"^ +[0-9a-f]+:\t(?:\{\w+\} )?(.+)$")


def allowed(path, name):
    """The counts that LIST gives an object's functions."""
    result = {}
    with open(path, encoding="ascii") as lines:
        for line in lines:
            fields = line.split()
            if fields and fields[0] == name:
                result[fields[1]] = (int(fields[2]), int(fields[3]))
    if not result:
        sys.exit(f"{path} lists nothing for {name}")
    return result


def count(path):
    """Branches and indexed operands of each function, and all that is forbidden."""
    text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", path], check=True,
                          capture_output=True, text=True).stdout
    counts = collections.defaultdict(lambda: [0, 0])
    forbidden, function = [], None
    for line in text.splitlines():
        if match := FUNCTION.match(line):
            function = match[1].split(".")[0]  # without .constprop.0 and its like
        elif match := INSTRUCTION.match(line):
            code = match[1]
            counts[function][0] += bool(BRANCH.match(code))
            counts[function][1] += bool(INDEXED.search(code)) and not re.search(r"\b(lea|nop)", code)
            if FORBIDDEN.match(code):
                forbidden.append(f"{function}: {code}")
    if not counts:
        sys.exit(f"{path} has no code")
    return counts, forbidden


def main():
    list_path, name, path = sys.argv[1:]
    counts, complaints = count(path)
    limits = allowed(list_path, name)
    for function, found in counts.items():
        limit = limits.get(function, (0, 0))
        for what, have, most in zip(("branches", "indexed operands"), found, limit):
            if have > most:
                complaints.append(f"{function}: {have} {what}, {most} listed")
    for complaint in complaints:
        print(complaint)
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()
