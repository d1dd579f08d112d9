# SPDX-License-Identifier: Apache-2.0
"""The generated fuzz targets: test/fuzz/fuzz.h says what they require."""

from emitter import NOTICE, Emitter
from schema import Struct, Vector


class FuzzEmitter(Emitter):
    def emit(self):
        self.line(NOTICE + f'#include "dap/{self.stem}.h"\n#include "fuzz/fuzz.h"\n')
        messages = [d for d in self.schema.own if isinstance(d, (Struct, Vector))]
        walked = [d for d in messages if isinstance(d, Struct) and d.rest()]
        for message in messages:
            self.line(f"FUZZ_ROUND_TRIP({self.name(message)})")
        for message in walked:
            rest = message.rest()
            self.line(f"FUZZ_WALK({self.name(message)}, {self.name(rest.type.element)}, "
                      f"{rest.name})")
        self.line(f"\nconst struct fuzz_target fuzz_targets_{self.stem}[] = {{")
        for message in messages:
            self.line(f'{{"{self.name(message)}", fuzz_{self.name(message)}}},', 1)
        for message in walked:
            self.line(f'{{"{self.name(message)}", fuzz_walk_{self.name(message)}}},', 1)
        self.line("{NULL, NULL},", 1)
        self.line("};")
        return self.text()
