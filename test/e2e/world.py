# SPDX-License-Identifier: Apache-2.0
"""What a program takes for the world: its clock, and the room on its disk.

world.c, preloaded, reads it from a file that may be written at any time.
"""
import os
import pathlib
import struct

PRELOAD = os.environ.get("E2E_WORLD", "")


class World:
    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.ahead_s = 0
        self.full = False
        self.write()
        self.path.chmod(0o644)  # PostgreSQL may run as another user

    def environment(self):
        """For a program that lives in it. AddressSanitizer wants to be loaded
        first, and is told that it need not be."""
        options = [os.environ.get("ASAN_OPTIONS", ""), "verify_asan_link_order=0"]
        return {**os.environ, "WORLD": str(self.path), "LD_PRELOAD": PRELOAD,
                "ASAN_OPTIONS": ":".join(filter(None, options))}

    def write(self):
        with open(self.path, "r+b" if self.path.exists() else "wb", buffering=0) as file:
            file.write(struct.pack("=qq", round(self.ahead_s * 1000000), self.full))

    def set_clock(self, ahead_s):
        self.ahead_s = ahead_s
        self.write()

    def set_full(self, full):
        self.full = full
        self.write()
