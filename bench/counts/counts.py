#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts instructions under callgrind and holds them against counts.txt.

usage: counts.py PROGRAM COMPILER [--write]

PROGRAM is run for each lane type that valgrind has. Only instructions of
PROGRAM itself count, so that neither the C library's choice of a memcpy nor
OpenSSL's version matters; valgrind shows every program the same processor up to
AVX2. A rise of more than 3 % fails. What another compiler than the file's makes
is not compared, and nothing is without valgrind: exit status 77, skipped.
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

FILE = pathlib.Path(__file__).with_name("counts.txt")
LANES = ("portable", "avx2")
TOLERANCE = 0.03
SKIPPED = 77
HEAD = """\
SPDX-License-Identifier: Apache-2.0
Instructions that the release preset's code takes on one lane type for one call
on fixed inputs, as tools/bench counts --write counts and writes them.

compiler {}
"""


def own_instructions(profile, program):
    """The instructions of a profile that are the program's own."""
    names, total, mine, called = {}, 0, False, False
    for line in profile.splitlines():
        if match := re.match(r"ob=\((\d+)\)(?: (.*))?", line):
            names.setdefault(match[1], match[2])
            mine = names[match[1]] == program
        elif match := re.match(r"cob=\((\d+)\) (.*)", line):
            names.setdefault(match[1], match[2])
        elif line.startswith("calls="):
            called = True  # the next line is what the called function took
        elif match := re.match(r"[+*-]?\d*(?: [+*-]?\d+)* (\d+)$", line):
            total += int(match[1]) if mine and not called else 0
            called = False
    return total


def count(program, lanes):
    """Names to counts on a lane type; None if it doesn't run here."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["valgrind", "-q", "--tool=callgrind", "--collect-atstart=no",
                   f"--callgrind-out-file={folder}/out", program]
        result = subprocess.run(command, env=dict(os.environ, MOIETY_CPU=lanes), text=True,
                                capture_output=True, check=False)
        if result.returncode == SKIPPED:
            return None
        if result.returncode != 0:
            sys.exit(result.stderr)
        counts = {}
        for path in sorted(pathlib.Path(folder).glob("out.*"), key=lambda p: int(p.suffix[1:])):
            profile = path.read_text(encoding="utf-8")
            if match := re.search(r"^desc: Trigger: Client Request: (\S+)$", profile, re.M):
                counts[match[1]] = own_instructions(profile, program)
        return counts


def read():
    """The file's compiler and counts."""
    compiler, counts = None, {}
    for line in FILE.read_text(encoding="utf-8").splitlines() if FILE.exists() else []:
        if match := re.match(r"compiler (.+)", line):
            compiler = match[1]
        elif match := re.match(rf"({'|'.join(LANES)}) (\S+) +(\d+)$", line):
            counts[match[1], match[2]] = int(match[3])
    return compiler, counts


def write(compiler, counts):
    lines = [f"{lanes} {name:<33} {number:>9}\n" for (lanes, name), number in counts.items()]
    FILE.write_text(HEAD.format(compiler) + "\n" + "".join(lines), encoding="utf-8")
    print(f"{FILE.name}: {len(counts)} counts written")


def compare(recorded, counts):
    """Prints what changed; whether nothing is too much."""
    good = True
    for key in sorted(recorded.keys() | counts.keys()):
        was, now, name = recorded.get(key), counts.get(key), " ".join(key)
        if was is None or now is None:
            print(f"{name}: {'not in the file' if was is None else 'in the file alone'}")
            good = False
        elif abs(now - was) > was * TOLERANCE:
            print(f"{name}: {was} instructions before, {now} now, {(now - was) / was:+.1%}")
            good = good and now < was
            if now < was:
                print("    better: keep it so by `tools/bench counts --write`")
    if not good:
        print("If this is as it must be, write the file anew by `tools/bench counts --write`,\n"
              "and say in the commit why.")
    return good


def main():
    parser = argparse.ArgumentParser(usage=__doc__.replace("%", "%%"))
    parser.add_argument("program")
    parser.add_argument("compiler")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    if shutil.which("valgrind") is None:
        print("skipped: there is no valgrind")
        sys.exit(SKIPPED)
    compiler, recorded = read()
    if compiler != arguments.compiler and not arguments.write:
        print(f"skipped: the counts are those of {compiler}, this is {arguments.compiler}")
        sys.exit(SKIPPED)
    counts = {}
    for lanes in LANES:
        found = count(os.path.realpath(arguments.program), lanes)
        if found is None:
            print(f"{lanes}: skipped: it doesn't run here")
            recorded = {key: value for key, value in recorded.items() if key[0] != lanes}
        for name, number in (found or {}).items():
            counts[lanes, name] = number
    if arguments.write:
        write(arguments.compiler, counts)
    elif not counts or not compare(recorded, counts):
        sys.exit(1)


if __name__ == "__main__":
    main()
