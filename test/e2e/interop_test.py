#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs moiety-interop's four roles against each other, in the draft's own
dialect with the helper answering at once and later, and in Janus's."""
import contextlib
import os
import pathlib
import subprocess
import sys

ROLES = ("client", "collector", "leader", "helper")
CASES = {
    "draft-18": [],
    "draft-18, the helper answering later": ["--helper-async"],
    "janus-2026-08": ["--dialect", "janus-2026-08"],
}


@contextlib.contextmanager
def parties(program, arguments):
    running = {}
    try:
        for role in ROLES:
            running[role] = subprocess.Popen(
                [program, role, "--listen", "127.0.0.1:0", *arguments],
                stdout=subprocess.PIPE, text=True)
        yield {role: "http://" + process.stdout.readline().split()[-1]
               for role, process in running.items()}
    finally:
        for process in running.values():
            process.terminate()
        for role, process in running.items():
            process.stdout.close()
            if process.wait(timeout=30) != 0:
                sys.exit(f"the {role} ended with {process.returncode}")


def main():
    program = os.environ["MOIETY_INTEROP"]
    matrix = pathlib.Path(__file__).parents[2] / "tools" / "interop-matrix"
    for name, arguments in CASES.items():
        print(name, flush=True)
        with parties(program, arguments) as urls:
            command = [sys.executable, matrix, "--reports", "5"]
            for role, url in urls.items():
                command += [f"--{role}", url]
            if subprocess.run(command, check=False).returncode != 0:
                sys.exit(f"{name}: see above")


if __name__ == "__main__":
    main()
