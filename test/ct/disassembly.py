#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Looks for what may depend on a secret in the machine code of a kernel.

usage: disassembly.py LIST OBJECT [--must-find TEXT]
       disassembly.py LIST --sources FOLDER

For lane types that valgrind can't run. "Data" is whatever a function takes from
memory, or from vector and mask registers; its arguments, constants and what it
keeps on the stack of these are not. Complains about

  - conditional branches whose source line LIST doesn't have as a `loop` (or, if
    data decides, as a `data` branch),
  - memory whose address is made from data, divisions of data, calls with such
    arguments, where LIST has none of the lines that the code comes from as an
    `address`,
  - instructions that address memory by lanes, or move lanes by a mask.

A line of LIST: KIND FILE: TEXT OF THE SOURCE LINE, each looked at by hand; for
code that the compiler ascribes to no line, the function's name in parentheses.
With --must-find, passes only if a complaint has that text. With --sources, looks
for lines of LIST instead that no file of that name below FOLDER has any more.
"""
import argparse
import os
import pathlib
import re
import sys

import machine_code

FORBIDDEN = re.compile(r"v?p?(gather|scatter|compress|expand)")
# Instructions that take time by registers which they don't name.
BY_REGISTERS = {"div": {"rax", "rdx"}, "idiv": {"rax", "rdx"}, "rep": {"rcx", "rdi", "rsi"},
                "repz": {"rcx", "rdi", "rsi"}, "repnz": {"rcx", "rdi", "rsi"}, "loop": {"rcx"}}
BRANCH = re.compile(r"j(?!mp)[a-z]+$")
READS_FLAGS = re.compile(r"(set|cmov|adc|sbb|adcx|adox|rc[lr])")
ONLY_FLAGS = re.compile(r"(cmp|test|bt)[bwlq]?$")
VECTOR_FLAGS = re.compile(r"v?(kortest|ktest|ptest|testp|u?comis)")
KEEPS_FLAGS = re.compile(r"(mov|lea|set|cmov|push|pop|not|bswap|v|k|shlx|shrx|sarx|rorx|mulx|nop|call|j|xchg)")
MOVES = re.compile(r"(mov|bswap)")
ARGUMENTS = ("rdi", "rsi", "rdx", "rcx", "r8", "r9")
CLOBBERED = ARGUMENTS + ("rax", "r10", "r11")
EXTERNAL = {"memcpy": 3, "memset": 3, "memmove": 3, "explicit_bzero": 2, "__explicit_bzero_chk": 3,
            "__memcpy_chk": 4, "__memset_chk": 4, "__stack_chk_fail": 0,
            "secret_wipe": 2}


def memory_of(operand):
    """An operand's address in memory, or None."""
    return operand if "(" in operand or re.match(r"%[defgs]s:", operand) else None


def vector_of(operand):
    """The vector or mask register that an operand is, as v12 or k1; or None."""
    match = re.match(r"%(?:[xyz]mm(\d+)|(k[0-7]))", operand)
    return match and (match[2] or f"v{match[1]}")


# Compilers keep general registers in vector registers for a while; whatever else
# is in these is data.
VECTORS = frozenset(f"v{i}" for i in range(32)) | {f"k{i}" for i in range(8)}


def is_slot(memory):
    """A place on the stack that has a name of its own."""
    return bool(re.fullmatch(r"-?(0x[0-9a-f]+)?\(%(rsp|rbp)\)", memory))


def slots_of(memory, size):
    """The eight-byte slots that a store of `size` bytes fills."""
    offset, base = re.fullmatch(r"(-?(?:0x[0-9a-f]+)?)\((%\w+)\)", memory).groups()
    start = int(offset, 16) if offset else 0
    return [(base, start + at) for at in range(0, max(size, 8), 8)]


class Flow:
    """Which registers, stack slots and flags hold data, along one function."""

    def __init__(self, code):
        self.code = code
        self.index = {instruction.address: i for i, instruction in enumerate(code)}
        self.before = [None] * len(code)
        self.run()

    def next_of(self, i):
        instruction = self.code[i]
        following = []
        if instruction.target in self.index and instruction.name.startswith("j"):
            following.append(self.index[instruction.target])
        if instruction.name not in ("jmp", "ret", "ud2") and i + 1 < len(self.code):
            following.append(i + 1)
        return following

    def run(self):
        self.before[0] = VECTORS
        work = [0]
        while work:
            i = work.pop()
            after = self.step(self.code[i], set(self.before[i]))
            for j in self.next_of(i):
                if self.before[j] is None or not after <= self.before[j]:
                    self.before[j] = frozenset(after | (self.before[j] or frozenset()))
                    work.append(j)

    @staticmethod
    def value(operand, data):
        """Whether an operand's value is data."""
        memory = memory_of(operand)
        if memory:
            if "(%rip)" in memory or "%fs:" in memory:
                return False
            if is_slot(memory):
                return slots_of(memory, 8)[0] in data
            return True
        if re.match(r"%([xyz]mm|k[0-7])", operand):
            return vector_of(operand) in data
        return bool(machine_code.general_of(operand) & data)

    def step(self, instruction, data):
        """The registers that hold data after an instruction."""
        name, operands = instruction.name, instruction.operands
        if name == "call" or name == "syscall":
            data -= set(CLOBBERED)
            return data | VECTORS | {"rax"}
        if name.startswith(("j", "nop", "ret", "push", "ud2", "leave", "prefetch", "endbr")):
            return data
        if name == "pop":
            return data - machine_code.general_of(operands[0])
        if not operands:
            return data
        from_flags = "flags" in data and bool(READS_FLAGS.match(name))
        clears = re.match(r"(xor|sub)", name) and operands[0] == operands[-1]
        sources = operands if ONLY_FLAGS.match(name) or len(operands) == 1 else operands[:-1]
        if len(operands) == 2 and not MOVES.match(name) and name[0] not in "vk" and \
                not name.startswith(("lea", "set", "pop", "tzcnt", "lzcnt", "bs")):
            sources = operands  # the destination is a source too
        if name.startswith("lea"):
            result = bool(machine_code.general_of(operands[0]) & data)
        elif name.startswith("set"):
            result = from_flags
        else:
            result = not clears and (any(self.value(o, data) for o in sources) or from_flags)
        if not KEEPS_FLAGS.match(name):
            data = data | {"flags"} if result else data - {"flags"}
        if VECTOR_FLAGS.match(name):
            data = data | {"flags"}
        if ONLY_FLAGS.match(name) or VECTOR_FLAGS.match(name):
            return data
        return self.write(name, operands, result, data)

    @staticmethod
    def write(name, operands, result, data):
        targets = {operands[-1]}
        if name.startswith("mulx"):
            targets = set(operands[-2:])
        elif re.match(r"i?mul[bwlq]?$", name) and len(operands) == 1:
            result = result or "rax" in data
            targets = {"%rax", "%rdx"}
        elif name.startswith("xchg"):
            targets = set(operands)
        for target in targets:
            memory = memory_of(target)
            if memory and is_slot(memory):
                wide = {"x": 16, "y": 32, "z": 64}
                source = re.match(r"%([xyz])mm", operands[0])
                slots = set(slots_of(memory, wide[source[1]] if source else 8))
                data = data | slots if result else data - slots
            elif vector_of(target):
                kept = name in ("vmovq", "movq") and machine_code.general_of(operands[0])
                data = data | {vector_of(target)} if result or not kept else \
                    data - {vector_of(target)}
            elif not memory and machine_code.general_of(target):
                held = machine_code.general_of(target)
                data = data | held if result else data - held
        return data

    def reads(self):
        """The arguments that the function reads before it writes them."""
        needed = [set() for _ in self.code]
        changed = True
        while changed:
            changed = False
            for i in reversed(range(len(self.code))):
                live = set().union(*(needed[j] for j in self.next_of(i)))
                instruction = self.code[i]
                operands = instruction.operands
                if operands and instruction.name != "call":
                    last, moves = operands[-1], MOVES.match(instruction.name)
                    if not memory_of(last) and (moves or instruction.name[:3] in ("lea", "pop")):
                        live -= machine_code.general_of(last)
                        operands = operands[:-1]
                    live |= machine_code.general_of(" ".join(operands))
                if live != needed[i]:
                    needed[i], changed = live, True
        return needed[0] & set(ARGUMENTS)


class Checker:
    def __init__(self, listed, found):
        self.listed, self.complaints, self.used = listed, [], set()
        self.flows = {name: Flow(code) for name, code in found.items() if code}
        self.starts = {code[0].address: name for name, code in found.items() if code}
        self.stack_checks = set()
        for code in found.values():
            for before, instruction in zip((None, *code), code):
                if instruction.target == "__stack_chk_fail":
                    self.stack_checks |= {before.address, instruction.address}

    @staticmethod
    def lines(function, places):
        """Source lines as LIST has them, those of the system's headers left out."""
        return [(os.path.basename(place[0]), machine_code.source_of(place) or f"({function})")
                for place in places if not place[0].startswith("/usr/")]

    def check(self, kinds, function, instruction, lines):
        """Complains unless LIST has one of the lines as one of the kinds."""
        allowed = {(kind, *line) for kind in kinds for line in lines} & self.listed
        self.used |= allowed
        if not allowed:
            where = "\n    from ".join(": ".join(line) for line in lines)
            self.complaints.append(f"{kinds[0]} {where}\n    in {function}: {instruction.name} "
                                   f"{', '.join(instruction.operands)}")

    def branch(self, function, instruction, data):
        if instruction.target not in self.stack_checks:
            self.check(["data"] if "flags" in data else ["loop", "data"], function, instruction,
                       self.lines(function, instruction.places)[:1])

    def addresses(self, function, instruction, data):
        name = instruction.name
        made = BY_REGISTERS.get(name.rstrip("bwlq") if "div" in name else name, set())
        if "div" in name:
            made = made | machine_code.general_of(instruction.operands[0])
        for operand in instruction.operands:
            if memory_of(operand) and not name.startswith(("lea", "nop", "prefetch")):
                made = made | machine_code.general_of(operand)
        if name == "call" or (name == "jmp" and
                              instruction.target not in self.flows[function].index):
            made = made | self.arguments(instruction)
        if made & data:
            self.check(["address"], function, instruction,
                       self.lines(function, instruction.places))

    def arguments(self, instruction):
        """Registers that a call passes on."""
        if instruction.target in self.starts:
            return self.flows[self.starts[instruction.target]].reads()
        if instruction.target in EXTERNAL:
            return set(ARGUMENTS[:EXTERNAL[instruction.target]])
        return set(ARGUMENTS)

    def run(self):
        for function, flow in self.flows.items():
            for instruction, data in zip(flow.code, flow.before):
                if data is None:
                    continue
                if BRANCH.match(instruction.name):
                    self.branch(function, instruction, data)
                if FORBIDDEN.match(instruction.name):
                    self.check(["forbidden"], function, instruction,
                               self.lines(function, instruction.places))
                self.addresses(function, instruction, data)
        return self.complaints


def read_list(path):
    entries = set()
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if match := re.match(r"(loop|data|address) ([\w.]+): (.*\S)", line):
                entries.add(match.groups())
    return entries


def outdated(entries, folder):
    """What LIST allows though it isn't in the source: a line, or a function's name."""
    texts = {}
    for path in pathlib.Path(folder).rglob("*.[ch]"):
        texts.setdefault(path.name, []).append(path.read_text(encoding="utf-8"))
    for kind, file, line in sorted(entries):
        found = texts.get(file, [])
        if line.startswith("("):
            known = any(re.search(rf"\b{line[1:-1]}\(", text) for many in texts.values()
                        for text in many) and found
        else:
            known = any(line == other.strip() for text in found for other in text.splitlines())
        if not known:
            yield f"{kind} {file}: {line}\n    is listed, but not in the source"


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("list")
    parser.add_argument("object", nargs="?")
    parser.add_argument("--must-find")
    parser.add_argument("--sources")
    arguments = parser.parse_args()
    if arguments.sources:
        complaints = list(outdated(read_list(arguments.list), arguments.sources))
        print("\n".join(complaints))
        sys.exit(1 if complaints else 0)
    found = machine_code.functions(arguments.object)
    if not any(found.values()):
        sys.exit(f"{arguments.object} has no code")
    checker = Checker(read_list(arguments.list), found)
    complaints = list(dict.fromkeys(checker.run()))
    print("\n".join(complaints))
    if arguments.must_find:
        sys.exit(0 if any(arguments.must_find in c for c in complaints) else 1)
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()
