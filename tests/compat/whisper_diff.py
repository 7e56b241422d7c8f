"""The `whisper` setting against whisper itself: the same points, in order, with gaps, late and far behind, go to a whisper file
and to an engine with the setting on; every archive must read the same, flushed or not, before and after restarts.

    whisper_diff.py TOOL [SEEDS]
"""
import os
import random
import subprocess
import sys
import tempfile

try:
    import whisper
except ImportError:
    print("whisper is not installed: skipped")
    sys.exit(77)

ARCHIVES = [(10, 360), (60, 360), (600, 288)]
RETENTIONS = "10s:1h,60s:6h,600s:2d"
METHODS = ["average", "sum", "last", "max", "min", "avg_zero", "absmax", "absmin"]
START = 1_700_000_400
# A point this near to the age where an archive ends may fall to either side of it while it waits for its flush; steps that an
# archive has lost in part are where the two differ (docs/rollup.md).
MARGIN = 1400


class Run:
    def __init__(self, tool, method, factor, seed):
        self.random = random.Random(seed)
        self.what = f"{method} xff {factor} seed {seed}"
        self.now = START
        self.flushed = START
        self.path = os.path.join(tempfile.mkdtemp(), "a.wsp")
        whisper.create(self.path, ARCHIVES, xFilesFactor=factor, aggregationMethod=method)
        self.tool = subprocess.Popen([tool], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.say(f"schema {RETENTIONS} {method} {factor}")
        self.say(f"now {self.now}")

    def say(self, line):
        self.tool.stdin.write(line + "\n")
        self.tool.stdin.flush()

    def age(self):
        kind = self.random.random()
        if kind < 0.75:
            return self.random.randrange(0, 60)
        if kind < 0.9:
            return self.random.randrange(0, 3600 - MARGIN)
        if kind < 0.97:
            return self.random.randrange(3600 + MARGIN, 21600 - MARGIN)
        return self.random.randrange(21600 + MARGIN, 172800 - MARGIN)

    def write(self):
        points = [(self.now - self.age(), round(self.random.uniform(-50, 100), 2))
                  for _ in range(self.random.randrange(1, 6))]
        # Of points in one step of an archive whisper keeps the one of the latest time, not of the last in the batch.
        points = sorted(dict(points).items())
        whisper.update_many(self.path, points, self.now)
        self.say("write " + " ".join(f"{t} {v!r}" for t, v in points))
        if self.now - points[0][0] > 3600:
            # What is flushed together counts as one batch, as with carbon: the next one must not join it.
            if self.random.random() < 0.3:
                self.compare()
            self.flush()

    def advance(self, seconds):
        self.now += seconds
        self.say(f"now {self.now}")

    def flush(self):
        self.say("flush")
        self.flushed = self.now

    def compare(self):
        for step, points in ARCHIVES:
            start = self.now - step * points
            self.compare_range(start, self.now)
            middle = start + self.random.randrange(1, step * points)
            self.compare_range(start, middle)

    def compare_range(self, start, until):
        (first, end, step), values = whisper.fetch(self.path, start, until, self.now)
        self.say(f"read {start} {until}")
        words = self.tool.stdout.readline().split()
        if not words:
            sys.exit(f"{self.what}: the tool ended")
        ours = [None if word == "-" else float(word) for word in words[2:]]
        if (int(words[0]), int(words[1])) != (first, step) or len(ours) != len(values):
            sys.exit(f"{self.what}: grid {words[:2]} of {len(ours)}, whisper {first} {step} of {len(values)}")
        for i, (our, theirs) in enumerate(zip(ours, values)):
            if our != theirs:
                sys.exit(f"{self.what}: step {step} at now-{self.now - first - i * step}: {our}, whisper {theirs}")

    def run(self, operations):
        for _ in range(operations):
            if self.now > self.flushed + 500:
                self.flush()
            kind = self.random.random()
            if kind < 0.7:
                self.write()
            elif kind < 0.93:
                self.advance(self.random.choice([1, 5, 10, 20, 60, 120]))
            elif kind < 0.96:
                self.flush()
            elif kind < 0.97:
                self.say("restart")
            else:
                self.compare()
        self.compare()
        self.tool.stdin.close()
        if self.tool.wait() != 0:
            sys.exit(f"{self.what}: the tool failed")
        os.remove(self.path)


def main():
    seeds = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    runs = 0
    for seed in range(seeds):
        for method in METHODS:
            for factor in (0.0, 0.3, 0.5):
                Run(sys.argv[1], method, factor, seed).run(700)
                runs += 1
    print(f"{runs} runs of {len(METHODS)} methods agree with whisper {getattr(whisper, '__version__', '')}".rstrip())


main()
