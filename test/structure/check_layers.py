#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that every file of src/ includes only headers of the layers below it.

The build enforces this too, through include roots; this test says it in one
line where the build would say "no such file", and holds the table that
docs/architecture.md shows.
"""
import pathlib
import re
import sys

MAY_INCLUDE = {
    "base": set(),
    "simd": {"base"},
    "primitive": {"simd", "base"},
    "wire": {"base"},
    "vdaf": {"primitive", "simd", "wire", "base"},
    "hpke": {"primitive", "base"},
    "dap": {"hpke", "wire", "base"},
    "store": {"wire", "base"},
    "pki": {"base"},
    "net": {"pki", "base"},
    "config": {"base"},
    "client": {"vdaf", "hpke", "dap", "wire", "base"},
    "collector": {"vdaf", "hpke", "dap", "wire", "base", "client"},
    "aggregator": {"vdaf", "hpke", "dap", "store", "net", "wire", "base"},
    "acme": {"pki", "store", "net", "wire", "base"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([a-z_0-9]+)/', re.MULTILINE)


def violations(source: pathlib.Path):
    layers = {path.name for path in source.iterdir() if path.is_dir()}
    for unknown in sorted(layers - MAY_INCLUDE.keys()):
        yield f"src/{unknown}: no row in {pathlib.Path(__file__).name}"
    for path in sorted(source.rglob("*")):
        if path.suffix not in {".c", ".h", ".inc", ".def"}:
            continue
        layer = path.relative_to(source).parts[0]
        allowed = MAY_INCLUDE.get(layer, set()) | {layer, "moiety"}
        for used in INCLUDE.findall(path.read_text()):
            if used in MAY_INCLUDE and used not in allowed:
                yield f"{path.relative_to(source.parent)}: {layer} must not include {used}/"


def unlicensed(root: pathlib.Path):
    for folder in ("src", "include", "tools", "test", "cmake", "schemas"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in {".c", ".h", ".def", ".py", ".cmake", ".sql"} or path.name == "CMakeLists.txt":
                if "SPDX-License-Identifier: Apache-2.0" not in path.read_text()[:400]:
                    yield f"{path.relative_to(root)}: no SPDX line"


def main() -> int:
    root = pathlib.Path(sys.argv[1])
    found = list(violations(root / "src")) + list(unlicensed(root))
    print("\n".join(found) if found else "every include points downward")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
