# SPDX-License-Identifier: Apache-2.0
"""The machine code of an object file, as objdump prints it, with its sources."""
import collections
import functools
import re
import subprocess

FUNCTION = re.compile(r"^[0-9a-f]+ <([\w.]+)>:$")
PLACE = re.compile(r"^(inlined by )?(/[^:]+):(\d+)")
INSTRUCTION = re.compile(r"^ +([0-9a-f]+):\t(?:\{\w+\} )?(?:(?:notrack|lock|bnd|data16|cs) )*(\S+) *(.*)$")
RELOCATION = re.compile(r"^\t+[0-9a-f]+: R_\w+\t([\w.]+)")
TARGET = re.compile(r"^([0-9a-f]+) <([\w.]+)(?:\+0x[0-9a-f]+)?>$")

# places: (file, line), from the innermost function to what it was inlined into.
# target: the address that a branch goes to, or the name of what is called.
Instruction = collections.namedtuple("Instruction", "address name operands places target")


def registers():
    """Every name of a general register, to its 64-bit one."""
    names = {}
    for letter in "abcd":
        for form in (f"r{letter}x", f"e{letter}x", f"{letter}x", f"{letter}l", f"{letter}h"):
            names[form] = f"r{letter}x"
    for pair in ("si", "di", "bp", "sp"):
        for form in (f"r{pair}", f"e{pair}", pair, f"{pair}l"):
            names[form] = f"r{pair}"
    for number in range(8, 16):
        for suffix in ("", "d", "w", "b"):
            names[f"r{number}{suffix}"] = f"r{number}"
    return names


GENERAL = registers()


def general_of(text):
    """The general registers that an operand names."""
    return {GENERAL[name] for name in re.findall(r"%(\w+)", text) if name in GENERAL}


def split(text):
    """Operands, by the commas outside of parentheses; without a comment."""
    text = text.split(" #")[0].strip()
    return tuple(part.strip() for part in re.split(r",(?![^(]*\))", text)) if text else ()


@functools.cache
def source_lines(path):
    with open(path, encoding="utf-8") as lines:
        return lines.read().splitlines()


def source_of(place):
    """The text of a source line, spaces made one; empty past the file's end."""
    return " ".join("".join(source_lines(place[0])[place[1] - 1:place[1]]).split())


def functions(path):
    """The functions of an object: name to instructions."""
    text = subprocess.run(["objdump", "-drl", "--inlines", "--no-show-raw-insn", path],
                          check=True, capture_output=True, text=True).stdout
    found, code, places, in_places = {}, None, [], False
    for line in text.splitlines():
        if match := FUNCTION.match(line):
            code = found.setdefault(match[1], [])
            places, in_places = [], False
        elif match := PLACE.match(line):
            place = (match[2], int(match[3]))
            if match[1]:
                places = (places if in_places else places[:1]) + [place]
            else:
                places = [place]
            in_places = True
        elif (match := INSTRUCTION.match(line)) and code is not None:
            in_places = False
            operands = split(match[3])
            target = TARGET.match(operands[0]) if operands else None
            code.append(Instruction(int(match[1], 16), match[2], operands, tuple(places),
                                    int(target[1], 16) if target else None))
        elif (match := RELOCATION.match(line)) and code and code[-1].name in ("call", "jmp"):
            code[-1] = code[-1]._replace(target=match[1])
    return found
