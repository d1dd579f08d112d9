#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Generates C from a message schema.

usage: dapgen.py (header|source|fuzz) SCHEMA STEM OUT

STEM is the generated header's name, as in dap/STEM.h.
"""

import sys
from pathlib import Path

from emit_fuzz import FuzzEmitter
from emit_header import HeaderEmitter
from emit_source import SourceEmitter
from schema import SchemaError, load

EMITTERS = {"header": HeaderEmitter, "source": SourceEmitter, "fuzz": FuzzEmitter}


def main():
    if len(sys.argv) != 5 or sys.argv[1] not in EMITTERS:
        sys.exit(__doc__)
    what, schema, stem, out = sys.argv[1:]
    try:
        text = EMITTERS[what](load(schema), stem).emit()
    except SchemaError as error:
        sys.exit(str(error))
    Path(out).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
