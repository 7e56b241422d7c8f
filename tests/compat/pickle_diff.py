"""Compares the pickle parser with Python's own pickle and carbon's rules: random lists, protocols 0 to 5.

usage: pickle_diff.py TOOL [--seed N] [--messages N]
"""

import argparse
import io
import math
import pickle
import random
import struct
import subprocess
import sys

NOW = 1700000000


def expected_lines(message):
    """What carbon takes from a list that was unpickled, with the bounds on timestamps and values that every port has."""
    lines = []
    for element in message:
        try:
            # carbon unpacks any iterable; a text of two letters is no pair to us.
            assert isinstance(element, (list, tuple)) and isinstance(element[1], (list, tuple))
            name, (timestamp, value) = element
            assert isinstance(name, str)
            for number in (timestamp, value):
                assert isinstance(number, (int, float, str)) and "_" not in str(number)
            timestamp, value = float(timestamp), float(value)
            seconds = int(timestamp)
            seconds = NOW if seconds in (0, -1) else seconds
            assert 1 <= seconds < 2**32 and not math.isnan(value)
        except (AssertionError, IndexError, OverflowError, TypeError, ValueError):
            lines.append("bad")
            continue
        lines.append(f"{name.encode('utf-8', 'surrogatepass').hex()} {seconds} {value:.17g}")
    return lines + ["end none"]


class Messages:
    def __init__(self, rng):
        self.rng = rng
        self.shared = [("shared", (NOW, 1)), (NOW, 2), "shared.name", [NOW, 3]]

    def text(self):
        rng = self.rng
        kind = rng.randrange(8)
        if kind == 0:
            return "".join(rng.choice("aé€\U0001f600\\'\"\n\tu0041 ") for _ in range(rng.randrange(12)))
        if kind == 1:
            return "x" * rng.choice([0, 255, 256, 300])
        return ".".join(rng.choice(["servers", "web1", "cpu", "user", "p99"]) for _ in range(rng.randint(1, 5)))

    def number(self):
        rng = self.rng
        return rng.choice([
            lambda: rng.randrange(256), lambda: rng.randrange(1 << 16), lambda: rng.randrange(-(1 << 31), 1 << 31),
            lambda: rng.randrange(1 << 32), lambda: rng.randrange(-(1 << 70), 1 << 70),
            lambda: rng.choice([1, -1]) * (1 << rng.randrange(1023)) + rng.randrange(-2, 3),
            lambda: rng.choice([1, -1]) * ((rng.getrandbits(53) * 2 + 1 << rng.randrange(900)) + rng.randrange(-1, 2)),
            lambda: rng.uniform(-1e6, 1e6), lambda: rng.choice([0.0, -0.0, 1e300, 5e-324, float("inf"), float("nan")]),
            lambda: True, lambda: False,
            lambda: rng.choice(["1.5", " 7\n", "1e3", "-inf", "x", "", "0x10"])])()

    def timestamp(self):
        rng = self.rng
        return self.number() if rng.random() < 0.1 else rng.choice([NOW, NOW + rng.randrange(1000), NOW + 0.5, str(NOW), 0, -1])

    def odd(self, depth=0):
        rng = self.rng
        kind = rng.randrange(8)
        if kind == 0 or depth > 4:
            return None
        if kind == 1:
            return self.text()
        if kind == 2:
            return self.number()
        if kind == 3:
            return {self.text(): self.odd(depth + 1) for _ in range(rng.randrange(3))}
        return rng.choice([list, tuple])(self.odd(depth + 1) for _ in range(rng.randrange(4)))

    def element(self):
        rng = self.rng
        pair = tuple if rng.random() < 0.9 else list
        kind = rng.random()
        if kind < 0.05:
            return self.odd()
        if kind < 0.08:
            return pair([self.text(), self.odd()])
        if kind < 0.12:
            return rng.choice([self.shared[0], ("n", self.shared[1]), (self.shared[2], (NOW, 5))])
        return pair([self.text(), pair([self.timestamp(), self.number()])])

    def message(self):
        rng = self.rng
        count = rng.choice([0, 1, 2, 3, 5, 50, 500, 1001])
        return (list if rng.random() < 0.9 else tuple)(self.element() for _ in range(count))


def is_plain_pair(message):
    """A tuple (text, (number, number)) or (number, number) is no list of points, though it can be iterated."""
    return isinstance(message, tuple) and len(message) == 2


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tool")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--messages", type=int, default=2000)
    args = parser.parse_args()
    messages = Messages(random.Random(args.seed))
    frames = bytearray()
    expected = []
    points = 0
    while len(expected) < args.messages:
        message = messages.message()
        if is_plain_pair(message):
            continue
        protocol = messages.rng.randrange(6)
        with io.BytesIO() as out:
            # Python's own pickler writes other opcodes here and there than the C one.
            pickler = pickle._Pickler if messages.rng.random() < 0.2 else pickle.Pickler
            pickler(out, protocol).dump(message)
            body = out.getvalue()
        frames += struct.pack(">I", len(body)) + body
        lines = expected_lines(message)
        points += sum(1 for line in lines if " " in line) - 1
        expected.append((protocol, message, lines))
    result = subprocess.run([args.tool], input=bytes(frames), capture_output=True, check=True)
    answers = result.stdout.decode("ascii").split("\n")
    at = failures = 0
    for protocol, message, lines in expected:
        got = []
        while not got or not got[-1].startswith("end "):
            got.append(answers[at])
            at += 1
        if got != lines:
            failures += 1
            if failures <= 5:
                where = next((i for i, (a, b) in enumerate(zip(got, lines)) if a != b), None)
                what = message[where] if where is not None and where < len(message) else None
                print(f"protocol {protocol}, element {where} of {len(message)}: {what!r}: got "
                      f"{got[where] if where is not None else got[-1]}, expected {lines[where] if where is not None else None}")
    print(f"seed {args.seed}: {len(expected)} messages with {points} points, {failures} differ")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
