# SPDX-License-Identifier: Apache-2.0
"""Reads the presentation language of schemas/dap into definitions.

The grammar is RFC 8446 section 3, as far as DAP uses it, with the additions
that schemas/dap/dap.tls states in its head.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path


class SchemaError(Exception):
    pass


@dataclass
class Integer:
    """uint16 Name; also the built-in integers."""
    name: str
    bits: int

    def min_size(self):
        return self.bits // 8


@dataclass
class Opaque:
    """opaque Name[n]; if `name` is empty, a bare array in a field."""
    name: str
    size: int

    def min_size(self):
        return self.size


@dataclass
class Bytes:
    """opaque Name<min..max>"""
    name: str
    min: int
    max: int

    def min_size(self):
        return prefix_size(self.max) + self.min


@dataclass
class Enum:
    name: str
    bits: int
    values: list  # of (name, number)
    open: bool

    def min_size(self):
        return self.bits // 8


@dataclass
class Vector:
    """Element Name<min..max>"""
    name: str
    element: object
    min: int
    max: int

    def min_size(self):
        return prefix_size(self.max) + self.min


@dataclass
class Rest:
    """Element name[length]: element after element up to the end."""
    element: object

    def min_size(self):
        return 0


@dataclass
class Select:
    """One of several fields, chosen by the value of an earlier one."""
    tag: str
    cases: list  # of (enumerator, Field or None)

    def min_size(self):
        return min(f.type.min_size() if f else 0 for _, f in self.cases)


@dataclass
class Field:
    name: str
    type: object


@dataclass
class Struct:
    name: str
    fields: list
    header: str  # where the C struct stands, or None

    def min_size(self):
        return sum(f.type.min_size() for f in self.fields)

    def rest(self):
        """The sequence at the end of the message, if there is one."""
        last = self.fields[-1] if self.fields else None
        return last if last and isinstance(last.type, Rest) else None


@dataclass
class Schema:
    imports: list = field(default_factory=list)
    prefix: str = ""
    types: dict = field(default_factory=dict)  # own and imported
    own: list = field(default_factory=list)  # in the file's order
    comments: dict = field(default_factory=dict)  # by type name


def prefix_size(maximum):
    """The bytes of the length before a vector of up to `maximum` bytes."""
    return (maximum.bit_length() + 7) // 8


TOKEN = re.compile(r"""
    (?P<comment>/\*.*?\*/) | (?P<space>\s+) | (?P<string>"[^"]*")
  | (?P<number>2\^\d+-1|\d+) | (?P<word>[A-Za-z_][A-Za-z0-9_.]*)
  | (?P<dots>\.\.) | (?P<mark>[{}()\[\]<>;:,])
""", re.VERBOSE | re.DOTALL)

BUILT_IN = {f"uint{bits}": Integer(f"uint{bits}", bits) for bits in (8, 16, 32, 64)}


class Parser:
    def __init__(self, path):
        self.path = Path(path)
        self.tokens = []  # of (kind, text, line, comment before it)
        self.at = 0
        self.schema = Schema(types=dict(BUILT_IN))
        self.tokenize(self.path.read_text(encoding="utf-8"))

    def tokenize(self, text):
        at, line, comment = 0, 1, None
        while at < len(text):
            match = TOKEN.match(text, at)
            if not match:
                raise SchemaError(f"{self.path}:{line}: unexpected {text[at]!r}")
            kind, token = match.lastgroup, match.group()
            if kind == "comment":
                comment = token
            elif kind == "space":
                # A comment belongs to what follows it directly.
                if token.count("\n") > 1:
                    comment = None
            else:
                self.tokens.append((kind, token, line, comment))
                comment = None
            line += token.count("\n")
            at = match.end()

    def fail(self, what):
        line = self.tokens[min(self.at, len(self.tokens) - 1)][2]
        raise SchemaError(f"{self.path}:{line}: {what}")

    def peek(self):
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def take(self, expected=None, kind=None):
        if self.at >= len(self.tokens):
            self.fail("unexpected end of file")
        token_kind, token = self.tokens[self.at][:2]
        if expected is not None and token != expected:
            self.fail(f"expected {expected!r}, found {token!r}")
        if kind is not None and token_kind != kind:
            self.fail(f"expected a {kind}, found {token!r}")
        self.at += 1
        return token

    def number(self):
        text = self.take(kind="number")
        if text.startswith("2^"):
            return 2 ** int(text[2:-2]) - 1
        return int(text)

    def bounds(self):
        self.take("<")
        low = self.number()
        self.take("..")
        high = self.number()
        self.take(">")
        if high < low:
            self.fail("the upper bound is below the lower")
        return low, high

    def parse(self):
        while self.at < len(self.tokens):
            comment = self.tokens[self.at][3]
            word = self.peek()
            if word == "import":
                self.parse_import()
            elif word == "prefix":
                self.take()
                self.schema.prefix = self.take(kind="word")
                self.take(";")
            else:
                self.define(self.definition(), comment)
        return self.schema

    def parse_import(self):
        self.take()
        name = self.take(kind="string").strip('"')
        self.take(";")
        other = Parser(self.path.parent / name).parse()
        self.schema.imports.append(Path(name).stem)
        self.schema.types.update(other.types)

    def define(self, definition, comment):
        # A prefixed schema may define anew what it imports.
        if any(own.name == definition.name for own in self.schema.own):
            self.fail(f"{definition.name} is defined twice")
        self.schema.own.append(definition)
        self.schema.types[definition.name] = definition
        if comment:
            self.schema.comments[definition.name] = comment

    def definition(self):
        is_open = header = None
        if self.peek() == "open":
            is_open = self.take()
        if self.peek() == "declared":
            self.take()
            header = self.take(kind="string").strip('"')
        if self.peek() == "enum":
            definition = self.enum(bool(is_open))
        elif self.peek() == "struct":
            definition = self.struct(header)
        else:
            definition = self.alias()
        self.take(";")
        return definition

    def enum(self, is_open):
        self.take("enum")
        self.take("{")
        values, width = [], None
        while self.peek() != "}":
            if self.peek() == "(":
                self.take("(")
                width = self.number()
                self.take(")")
            else:
                name = self.take(kind="word")
                self.take("(")
                values.append((name, self.number()))
                self.take(")")
            if self.peek() == ",":
                self.take()
        self.take("}")
        if width is None:
            self.fail("the enum has no width")
        return Enum(self.take(kind="word"), prefix_size(width) * 8, values, is_open)

    def struct(self, header):
        self.take("struct")
        self.take("{")
        fields = []
        while self.peek() != "}":
            if fields and isinstance(fields[-1].type, Rest):
                self.fail("nothing can follow a sequence without a length")
            fields.append(self.select(fields) if self.peek() == "select" else self.field())
            self.take(";")
        self.take("}")
        return Struct(self.take(kind="word"), fields, header)

    def known(self, name):
        if name not in self.schema.types:
            self.fail(f"{name} is not defined above")
        return self.schema.types[name]

    def sized(self, type_name):
        """What follows a type and a name: [n], [length], <a..b> or nothing."""
        if self.peek() == "[":
            self.take()
            if type_name == "opaque":
                result = Opaque("", self.number())
            else:
                self.take(kind="word")
                result = Rest(self.element(type_name))
            self.take("]")
            return result
        if self.peek() == "<":
            low, high = self.bounds()
            if type_name == "opaque":
                return Bytes("", low, high)
            return Vector("", self.element(type_name), low, high)
        return self.known(type_name)

    def element(self, type_name):
        element = self.known(type_name)
        if not isinstance(element, Struct) or element.min_size() == 0:
            self.fail("a sequence needs structs that are never empty")
        return element

    def field(self):
        type_name = self.take(kind="word")
        name = self.take(kind="word")
        return Field(name, self.sized(type_name))

    def select(self, fields):
        self.take("select")
        self.take("(")
        tag = self.take(kind="word").split(".")[-1]
        self.take(")")
        types = {f.name: f.type for f in fields}
        if not isinstance(types.get(tag), Enum):
            self.fail(f"{tag} is not an enum above")
        self.take("{")
        cases = []
        while self.peek() != "}":
            self.take("case")
            name = self.take(kind="word")
            self.take(":")
            if self.peek() == "Empty":
                self.take()
                cases.append((name, None))
            else:
                cases.append((name, self.field()))
            self.take(";")
        self.take("}")
        if [c[0] for c in cases] != [v[0] for v in types[tag].values]:
            self.fail(f"the cases are not the values of {tag}")
        return Field("", Select(tag, cases))

    def alias(self):
        type_name = self.take(kind="word")
        name = self.take(kind="word")
        definition = self.sized(type_name)
        if isinstance(definition, Integer):
            return Integer(name, definition.bits)
        if not isinstance(definition, (Opaque, Bytes, Vector)):
            self.fail(f"{name} needs a struct around it")
        definition.name = name
        return definition


def load(path):
    return Parser(path).parse()
