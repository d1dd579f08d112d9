# SPDX-License-Identifier: Apache-2.0
"""The generated source: decoders and encoders."""

from emitter import NOTICE, Emitter
from names import constant
from schema import Bytes, Enum, Integer, Opaque, Rest, Select, Struct, Vector


class SourceEmitter(Emitter):
    def emit(self):
        self.line(NOTICE + f'#include "dap/{self.stem}.h"\n')
        self.line("static struct status reader_status(const struct reader *reader) {")
        self.line("return reader->failed ? FAIL(INVALID_MESSAGE) : OK;", 1)
        self.line("}\n")
        for enum in self.enums_used():
            self.enum_source(enum)
        for element in self.elements():
            if id(element) not in self.own:
                self.list_source(element)
        for definition in self.schema.own:
            self.definition_source(definition)
        return self.text()

    def definition_source(self, definition):
        if isinstance(definition, Enum):
            self.enum_name_source(definition)
        elif isinstance(definition, Struct):
            self.struct_source(definition)
        elif isinstance(definition, Vector):
            self.vector_source(definition)
        if any(element is definition for element in self.elements()):
            self.list_source(definition)

    def elements(self):
        """What sequences are made of, each once."""
        return list({id(kind.element): kind.element for kind in self.sequences()}.values())

    def enums_used(self):
        """The enums of fields, each once."""
        seen = {}
        for definition in self.schema.own:
            for field in getattr(definition, "fields", []):
                inner = [f for _, f in field.type.cases if f] \
                    if isinstance(field.type, Select) else [field]
                seen.update({id(f.type): f.type for f in inner if isinstance(f.type, Enum)})
        return seen.values()

    # ---- Fields ----

    def read(self, field, indent=1):
        kind, target = field.type, f"out->{field.name}"
        if isinstance(kind, Integer):
            self.line(f"{target} = reader_u{kind.bits}(reader);", indent)
        elif isinstance(kind, Enum):
            self.line(f"{target} = {self.name(kind)}_read(reader);", indent)
        elif isinstance(kind, Opaque):
            where = f"{target}.bytes" if kind.name else target
            self.line(f"reader_copy(reader, {where}, {kind.size});", indent)
        elif isinstance(kind, Bytes):
            self.line(f"{target} = reader_vector(reader, {self.bounds(kind)});", indent)
        elif isinstance(kind, Vector):
            self.line(f"TRY({self.list_name(kind.element)}_read_vector(reader, "
                      f"{self.bounds(kind)}, arena, &{target}));", indent)
        elif isinstance(kind, Rest):
            self.line(f"TRY({self.list_name(kind.element)}_read_rest(reader, arena, "
                      f"&{target}));", indent)
        elif isinstance(kind, Struct):
            self.line(f"TRY({self.name(kind)}_read(reader, arena, &{target}));", indent)
        else:
            self.read_select(kind, indent)

    def read_select(self, kind, indent):
        enum_name = self.tag_enum(kind)
        for _, inner in kind.cases:
            if inner:
                self.line(f"memset(&out->{inner.name}, 0, sizeof(out->{inner.name}));", indent)
        for case, inner in kind.cases:
            if inner:
                self.line(f"if (out->{kind.tag} == {constant(enum_name, case)}) {{", indent)
                self.read(inner, indent + 1)
                self.line("}", indent)

    def tag_enum(self, select):
        for definition in self.schema.own:
            for field in getattr(definition, "fields", []):
                if field.type is select:
                    return next(self.name(f.type) for f in definition.fields
                                if f.name == select.tag)
        raise AssertionError("a select outside of a struct")

    def write(self, field, indent=1):
        kind, source = field.type, f"value->{field.name}"
        if isinstance(kind, Integer):
            self.line(f"writer_u{kind.bits}(writer, {source});", indent)
        elif isinstance(kind, Enum):
            self.line(f"{self.name(kind)}_write(writer, {source});", indent)
        elif isinstance(kind, Opaque):
            where = f"{source}.bytes" if kind.name else source
            self.line(f"writer_bytes(writer, span_of({where}, {kind.size}));", indent)
        elif isinstance(kind, Bytes):
            self.line(f"writer_vector(writer, {self.bounds(kind)}, {source});", indent)
        elif isinstance(kind, Vector):
            self.line(f"{self.list_name(kind.element)}_write_vector(writer, "
                      f"{self.bounds(kind)}, &{source});", indent)
        elif isinstance(kind, Rest):
            self.line(f"{self.list_name(kind.element)}_write_rest(writer, &{source});", indent)
        elif isinstance(kind, Struct):
            self.line(f"{self.name(kind)}_write(writer, &{source});", indent)
        else:
            enum_name = self.tag_enum(kind)
            for case, inner in kind.cases:
                if inner:
                    self.line(f"if (value->{kind.tag} == {constant(enum_name, case)}) {{", indent)
                    self.write(inner, indent + 1)
                    self.line("}", indent)

    # ---- Definitions ----

    def enum_source(self, definition):
        name, width = self.name(definition), f"u{definition.bits}"
        if not definition.open:
            self.line(f"static bool {name}_valid(enum {name} value) {{")
            numbers = [constant(name, v) for v, _ in definition.values if v != "reserved"]
            self.line("return " + " || ".join(f"value == {n}" for n in numbers) + ";", 1)
            self.line("}\n")
        self.line(f"static enum {name} {name}_read(struct reader *reader) {{")
        if definition.open:
            self.line(f"return (enum {name})reader_{width}(reader);", 1)
        else:
            self.line(f"enum {name} value = (enum {name})reader_{width}(reader);", 1)
            self.line(f"if (!{name}_valid(value)) {{", 1)
            self.line("reader_fail(reader);", 2)
            self.line("}", 1)
            self.line("return value;", 1)
        self.line("}\n")
        self.line(f"static void {name}_write(struct writer *writer, enum {name} value) {{")
        limit = f"value > {2 ** definition.bits - 1:#x}" if definition.open \
            else f"!{name}_valid(value)"
        self.line(f"if (({limit}) && writer->failure == STATUS_OK) {{", 1)
        self.line("writer->failure = STATUS_INVALID_ARGUMENT;", 2)
        self.line("}", 1)
        self.line(f"writer_{width}(writer, (uint{definition.bits}_t)value);", 1)
        self.line("}\n")

    def enum_name_source(self, definition):
        name = self.name(definition)
        self.line(f"const char *{name}_name(enum {name} value) {{")
        self.line("switch (value) {", 1)
        for value, _ in definition.values:
            self.line(f"case {constant(name, value)}:", 1)
            self.line(f'return "{value}";', 2)
        self.line("}", 1)
        self.line('return "unknown";', 1)
        self.line("}\n")

    def struct_source(self, definition):
        name, rest = self.name(definition), definition.rest()
        head = [field for field in definition.fields if field is not rest]
        reader = f"{name}_begin" if rest else f"{name}_read"
        self.line(f"struct status {reader}(struct reader *reader, struct arena *arena, "
                  f"struct {name} *out) {{")
        if not any(isinstance(field.type, (Vector, Struct)) for field in head):
            self.line("(void)arena;", 1)
        if rest:
            self.line(f"out->{rest.name} = (struct {self.list_name(rest.type.element)}){{0}};", 1)
        for field in head:
            self.read(field)
        self.line("return reader_status(reader);", 1)
        self.line("}\n")
        self.line(f"{'static ' if rest else ''}void {name}_write(struct writer *writer, "
                  f"const struct {name} *value) {{")
        for field in definition.fields:
            self.write(field)
        self.line("}\n")
        if rest:
            self.next_source(name, self.name(rest.type.element))
        self.whole_source(name, reader, rest)

    def next_source(self, name, element):
        self.line(f"struct status {name}_next(struct reader *reader, struct arena *arena, "
                  f"struct {element} *out, bool *found) {{")
        self.line("*found = reader_left(reader) > 0;", 1)
        self.line("if (!*found) {", 1)
        self.line("return reader_status(reader);", 2)
        self.line("}", 1)
        self.line(f"return {element}_read(reader, arena, out);", 1)
        self.line("}\n")

    def whole_source(self, name, reader, rest=None):
        self.line(f"struct status {name}_decode(struct span bytes, struct arena *arena, "
                  f"struct {name} *out) {{")
        self.line("struct reader reader = reader_of(bytes);", 1)
        self.line(f"struct {name} value;", 1)
        self.line(f"TRY({reader}(&reader, arena, &value));", 1)
        if rest:
            self.line(f"TRY({self.list_name(rest.type.element)}_read_rest(&reader, arena, "
                      f"&value.{rest.name}));", 1)
        self.line("TRY(reader_finish(&reader));", 1)
        self.line("*out = value;", 1)
        self.line("return OK;", 1)
        self.line("}\n")
        self.line(f"struct status {name}_encode(const struct {name} *value, "
                  "struct buffer *out) {")
        self.line("size_t start = out->len;", 1)
        self.line("struct writer writer = writer_to(out);", 1)
        self.line(f"{name}_write(&writer, value);", 1)
        self.line("struct status status = writer_finish(&writer);", 1)
        self.line("if (!status_ok(status)) {", 1)
        self.line("out->len = start;", 2)
        self.line("}", 1)
        self.line("return status;", 1)
        self.line("}\n")

    def vector_source(self, definition):
        name, listed = self.name(definition), self.list_name(definition.element)
        self.line(f"struct status {name}_read(struct reader *reader, struct arena *arena, "
                  f"struct {name} *out) {{")
        self.line(f"TRY({listed}_read_vector(reader, {self.bounds(definition)}, arena, out));", 1)
        self.line("return reader_status(reader);", 1)
        self.line("}\n")
        self.line(f"void {name}_write(struct writer *writer, const struct {name} *value) {{")
        self.line(f"{listed}_write_vector(writer, {self.bounds(definition)}, value);", 1)
        self.line("}\n")
        self.whole_source(name, f"{name}_read")

    def list_source(self, element):
        forms = {type(kind) for kind in self.sequences() if kind.element is element}
        names = {"name": self.name(element), "list": self.list_name(element)}
        self.line(LIST_SOURCE.format(**names))
        if Vector in forms:
            self.line(VECTOR_SOURCE.format(**names))


# The first pass counts with no arena, so that the array has the right size; the
# second reads into it.
LIST_SOURCE = """\
static struct status {list}_read_rest(struct reader *reader, struct arena *arena, struct {list} *out) {{
    struct {name} item;
    struct reader walk = *reader;
    size_t count = 0;
    for (; reader_left(&walk) > 0; count++) {{
        TRY({name}_read(&walk, NULL, &item));
    }}
    *out = (struct {list}){{NULL, count}};
    if (arena == NULL || count == 0) {{
        *reader = walk;
        return reader_status(reader);
    }}
    struct {name} *items = ARENA_ARRAY(arena, struct {name}, count);
    if (items == NULL) {{
        return FAIL(NO_MEMORY);
    }}
    for (size_t i = 0; i < count; i++) {{
        TRY({name}_read(reader, arena, &items[i]));
    }}
    out->items = items;
    return reader_status(reader);
}}

static void {list}_write_rest(struct writer *writer, const struct {list} *value) {{
    for (size_t i = 0; i < value->count; i++) {{
        {name}_write(writer, &value->items[i]);
    }}
}}
"""

VECTOR_SOURCE = """\
static struct status {list}_read_vector(struct reader *reader, unsigned prefix, size_t min, size_t max,
                                        struct arena *arena, struct {list} *out) {{
    struct reader items = reader_of(reader_vector(reader, prefix, min, max));
    TRY({list}_read_rest(&items, arena, out));
    return reader_status(reader);
}}

static void {list}_write_vector(struct writer *writer, unsigned prefix, size_t min, size_t max,
                                const struct {list} *value) {{
    size_t mark = writer_begin(writer, prefix);
    {list}_write_rest(writer, value);
    writer_end(writer, prefix, min, max, mark);
}}
"""
