# SPDX-License-Identifier: Apache-2.0
"""What is measured: bench/vdaf's names as tasks, with measurements and the
result that they must add up to."""
import random
import re


class Instance:
    """`options` are those of `moiety task new`; `draw(random)` gives a
    measurement as the line that `moiety upload` reads, and `add(values, line)`
    counts it into the result."""

    def __init__(self, name, options, length, draw):
        self.name = name
        self.options = options
        self.length = length
        self.draw = draw

    def measurements(self, count, seed=1):
        source = random.Random(seed)
        return [self.draw(source) for _ in range(count)]

    def result(self, measurements):
        values = [0] * self.length
        for line in measurements:
            if "histogram" in self.options:
                values[int(line)] += 1
            else:
                for i, value in enumerate(line.split(",")):
                    values[i] += int(value)
        return values


def _vector(length, values):
    return lambda source: ",".join(str(v) for v in values(source, length))


def _multihot(weight):
    def values(source, length):
        hot = set(source.sample(range(length), source.randint(0, min(weight, length))))
        return [int(i in hot) for i in range(length)]
    return values


def _count(name):
    return Instance(name, ["--vdaf", "count"], 1, lambda source: str(source.getrandbits(1)))


def _sum(name, largest):
    largest = 2**32 - 1 if largest == "2^32-1" else int(largest)
    return Instance(name, ["--vdaf", "sum", "--max-measurement", largest], 1,
                    lambda source: str(source.randint(0, largest)))


def _sum_vec(name, bits, length, chunk):
    largest = 2**int(bits) - 1
    return Instance(name, ["--vdaf", "sumvec", "--length", length, "--max-measurement", largest,
                           "--chunk-length", chunk], int(length),
                    _vector(int(length), lambda source, n: [source.randint(0, largest)
                                                            for _ in range(n)]))


def _histogram(name, length, chunk):
    return Instance(name, ["--vdaf", "histogram", "--length", length, "--chunk-length", chunk],
                    int(length), lambda source: str(source.randrange(int(length))))


def _multihot_count_vec(name, length, weight, chunk):
    return Instance(name, ["--vdaf", "multihotcountvec", "--length", length, "--max-weight",
                           weight, "--chunk-length", chunk], int(length),
                    _vector(int(length), _multihot(int(weight))))


_NAMES = (
    (r"Count", _count),
    (r"Sum_max(\d+|2\^32-1)", _sum),
    (r"SumVec_(\d+)b_len(\d+)_c(\d+)", _sum_vec),
    (r"Histogram_(\d+)_c(\d+)", _histogram),
    (r"Multihot_(\d+)_w(\d+)_c(\d+)", _multihot_count_vec),
)


def instance(name):
    for pattern, make in _NAMES:
        match = re.fullmatch(pattern, name)
        if match:
            return make(name, *match.groups())
    raise ValueError(f"{name}: not a name such as Count, Sum_max255, SumVec_1b_len100_c10, "
                     "Histogram_100_c10, Multihot_100_w10_c10")
