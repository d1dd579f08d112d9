#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Generates C from a message schema.

usage: dapgen.py (header|source|fuzz) SCHEMA STEM OUT

STEM is the generated header's name, as in dap/STEM.h.
"""

import sys
from pathlib import Path

from emit import Emitter
from schema import SchemaError, load


def main():
    if len(sys.argv) != 5 or sys.argv[1] not in ("header", "source", "fuzz"):
        sys.exit(__doc__)
    what, schema, stem, out = sys.argv[1:]
    try:
        text = getattr(Emitter(load(schema), stem), what)()
    except SchemaError as error:
        sys.exit(str(error))
    Path(out).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
