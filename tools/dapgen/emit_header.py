# SPDX-License-Identifier: Apache-2.0
"""The generated header: types and prototypes."""

from emitter import NOTICE, Emitter
from names import constant
from schema import Bytes, Enum, Integer, Opaque, Rest, Select, Struct, Vector

HEADER_HELP = """
/*
 * For each message x:
 *
 *   x_decode  parses a whole body; leftover bytes are INVALID_MESSAGE. What it
 *             gives borrows the body; its arrays live in the arena. `out` is
 *             untouched on failure.
 *   x_encode  appends to a buffer, which is left as it was on failure.
 *             INVALID_ARGUMENT if a vector is outside its bounds.
 *   x_read    reads one inside of a larger message. INVALID_MESSAGE once the
 *             reader has failed; `out` is then undefined.
 *   x_write   writes one inside of a larger message; the writer keeps the
 *             failure.
 *
 * A NULL arena only checks: lists have their count and no items.
 *
 * Messages that end in a sequence without a length can also be walked:
 * x_begin reads what stands before the sequence, and each x_next one element,
 * with `*found` false at the end. Since elements are handed out before the
 * rest has been seen, check the body first if it must be good as a whole.
 *
 * All functions are thread-safe. Errors: INVALID_MESSAGE, NO_MEMORY.
 */
"""


class HeaderEmitter(Emitter):
    def __init__(self, schema, stem):
        super().__init__(schema, stem)
        self.listed = {id(kind.element) for kind in self.sequences()}

    def emit(self):
        guard = f"MOIETY_DAP_{self.stem.upper()}_H"
        self.line(NOTICE + f"#ifndef {guard}\n#define {guard}\n")
        for header in self.includes():
            self.line(f'#include "{header}"')
        self.line(HEADER_HELP)
        for definition in self.schema.own:
            if not isinstance(definition, (Integer, Bytes)):
                self.define(definition)
                self.line()
        self.line("#endif")
        return self.text()

    def includes(self):
        wanted = ["base/arena.h"] + (["dap/messages.h"] if self.schema.imports else [])
        wanted += sorted({d.header for d in self.schema.own if getattr(d, "header", None)})
        return wanted + ["wire/reader.h", "wire/writer.h"]

    def define(self, definition):
        if definition.name in self.schema.comments:
            self.line(self.schema.comments[definition.name])
        if isinstance(definition, Enum):
            self.define_enum(definition)
        elif isinstance(definition, Opaque):
            self.define_opaque(definition)
        else:
            if isinstance(definition, Struct):
                self.define_struct(definition)
            for prototype in self.prototypes(definition):
                self.line(prototype + ";")

    def declare(self, field, indent=1):
        kind, name = field.type, field.name
        if isinstance(kind, Select):
            for case, inner in kind.cases:
                if inner:
                    self.declare(inner, indent)
                    self.out[-1] += f" /* if {case} */"
        elif isinstance(kind, Integer):
            self.line(f"uint{kind.bits}_t {name};", indent)
        elif isinstance(kind, Enum):
            self.line(f"enum {self.name(kind)} {name};", indent)
        elif isinstance(kind, Opaque) and not kind.name:
            self.line(f"uint8_t {name}[{kind.size}];", indent)
        elif isinstance(kind, Bytes):
            self.line(f"struct span {name};", indent)
        elif isinstance(kind, (Vector, Rest)):
            self.line(f"struct {self.list_name(kind.element)} {name};", indent)
        else:
            self.line(f"struct {self.name(kind)} {name};", indent)

    def define_enum(self, definition):
        name = self.name(definition)
        self.line(f"enum {name} {{")
        for value, number in definition.values:
            self.line(f"{constant(name, value)} = {number},", 1)
        self.line("};")
        self.line("/* The draft's name, or \"unknown\". */")
        self.line(f"const char *{name}_name(enum {name} value);")

    def define_opaque(self, definition):
        name = self.name(definition)
        self.line(f"struct {name} {{")
        self.line(f"uint8_t bytes[{definition.size}];", 1)
        self.line("};")
        self.line(f"static inline struct span {name}_span(const struct {name} *value) {{")
        self.line(f"return span_of(value->bytes, {definition.size});", 1)
        self.line("}")

    def define_struct(self, definition):
        name = self.name(definition)
        if not definition.header:
            self.line(f"struct {name} {{")
            for field in definition.fields:
                self.declare(field)
            self.line("};")
        if id(definition) in self.listed:
            self.line(f"struct {name}_list {{")
            self.line(f"const struct {name} *items;", 1)
            self.line("size_t count;", 1)
            self.line("};")

    def prototypes(self, definition):
        name = self.name(definition)
        protos = [] if isinstance(definition, Struct) and definition.rest() else [
            f"struct status {name}_read(struct reader *reader, struct arena *arena, "
            f"struct {name} *out)",
            f"void {name}_write(struct writer *writer, const struct {name} *value)"]
        protos += [
            f"struct status {name}_decode(struct span bytes, struct arena *arena, "
            f"struct {name} *out)",
            f"struct status {name}_encode(const struct {name} *value, struct buffer *out)"]
        if isinstance(definition, Struct) and definition.rest():
            element = self.name(definition.rest().type.element)
            protos += [
                f"struct status {name}_begin(struct reader *reader, struct arena *arena, "
                f"struct {name} *out)",
                f"struct status {name}_next(struct reader *reader, struct arena *arena, "
                f"struct {element} *out, bool *found)"]
        return protos
