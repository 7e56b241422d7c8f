"""Compares carbon's rule files, compiled by us, with Debian's carbon: random rules, random names.

usage: rules_diff.py TOOL [--seed N] [--rounds N] [--names N]
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile

sys.path.append("/usr/lib/python3/dist-packages")
SKIPPED = 77
NODES = ["prod", "stage", "apps", "shop", "web1", "web22", "db", "requests", "latency", "p99", "all", "CPU", "cpu", "x"]


def random_name(rng):
    return ".".join(rng.choice(NODES) for _ in range(rng.randint(1, 7)))


def random_regex(rng):
    node = rng.choice(NODES)
    return rng.choice([
        f"^{node}\\.", f"\\.{node}$", f"\\.{node}\\.", node, f"^{node}\\.(.*)\\.{rng.choice(NODES)}", "web\\d+", f"({node}|x)\\.",
        "[a-m]+", "p.*?s", "(a)(p)?", "a|ap|app", "^(\\w+)\\.(\\w+)"])


def groups_of(regex):
    import re
    return re.compile(regex).groups


def rewrite_rules(rng):
    lines = []
    for section in rng.sample(["pre", "post"], 2):
        lines.append(f"[{section}]")
        for _ in range(rng.randrange(3)):
            regex = random_regex(rng)
            pieces = ["new", "z", ""] + [f"\\{i + 1}" for i in range(groups_of(regex))]
            lines.append(f"{regex} = {rng.choice(pieces)}{rng.choice(['q', '_', ''])}{rng.choice(pieces)}")
    return lines


def aggregation_rules(rng):
    lines = []
    for _ in range(rng.randrange(4)):
        fields, pattern = [], []
        for _ in range(rng.randint(1, 5)):
            kind = rng.randrange(6)
            field = f"f{len(fields)}"
            if kind == 0:
                fields.append(field)
                pattern.append(f"<{field}>")
            elif kind == 1:
                fields.append(field)
                pattern.append(rng.choice([f"<<{field}>>", f"w<<{field}>>", f"<{field}>1", f"p<{field}>"]))
            elif kind == 2:
                pattern.append("*")
            elif kind == 3:
                pattern.append(rng.choice(["web*", "*s", "p*", "[a-s]*"]))
            else:
                pattern.append(rng.choice(NODES))
        output = ".".join(["out", *(f"<{field}>" for field in rng.sample(fields, len(fields)))])
        lines.append(f"{output} ({rng.choice([10, 60])}) = {rng.choice(['sum', 'avg', 'p99'])} {'.'.join(pattern)}")
    return lines


def relay_rules(rng):
    lines = []
    for i in range(rng.randrange(5)):
        lines += [f"[r{i}]", f"pattern = {random_regex(rng)}", f"destinations = 10.0.{i}.1:2004, 10.0.{i}.2:2004:b"]
        if rng.random() < 0.5:
            lines.append(f"continue = {rng.choice(['true', 'false'])}")
    return lines + ["[default]", "default = true", "destinations = 10.9.9.9:2004"]


class Carbon:
    """The four steps as carbon's daemons wire them."""

    def __init__(self, rewrite, aggregation, relay):
        from carbon.aggregator.rules import RuleManager
        from carbon.relayrules import loadRelayRules
        from carbon.rewrite import RewriteRule
        self.rewrites = {"pre": [], "post": []}
        section = None
        with open(rewrite, encoding="ascii") as f:
            for line in f:
                line = line.strip()
                if line.startswith("[") and line.endswith("]"):
                    section = line[1:-1]
                else:
                    self.rewrites[section].append(RewriteRule(*(part.strip() for part in line.split("=", 1))))
        with open(aggregation, encoding="ascii") as f:
            self.aggregations = [RuleManager.parse_definition(line.strip()) for line in f]
        self.relay = loadRelayRules(relay)

    def rewrite(self, section, name):
        for rule in self.rewrites[section]:
            name = rule.apply(name)
        return name

    def evaluate(self, name):
        name = self.rewrite("pre", name)
        outputs = [output for output in (rule.get_aggregate_metric(name) for rule in self.aggregations) if output is not None]
        if name in outputs:
            return "", " ".join(outputs)
        name = self.rewrite("post", name)
        sends = []
        for rule in self.relay:
            if rule.matches(name):
                for host, port, instance in rule.destinations:
                    sends.append(f"{name}@{host}:{port}" + (f":{instance}" if instance else ""))
                if not rule.continue_matching:
                    break
        return " ".join(sends), " ".join(outputs)


def is_name(name):
    return bool(name) and all(name.split(".")) and not set(name.split(".")) & {".", ".."}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tool")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--names", type=int, default=300)
    args = parser.parse_args()
    try:
        from carbon.conf import settings
        import carbon.aggregator.rules  # noqa: F401
        settings.update({"CACHE_METRIC_NAMES_TTL": 0, "CACHE_METRIC_NAMES_MAX": 0})
    except ImportError as error:
        print(f"carbon is not installed: {error}")
        return SKIPPED

    rng = random.Random(args.seed)
    compared = failures = 0
    with tempfile.TemporaryDirectory(prefix="shoal-compat-") as folder:
        paths = [os.path.join(folder, name) for name in ("rewrite.conf", "aggregation.conf", "relay.conf")]
        for _ in range(args.rounds):
            for path, rules in zip(paths, (rewrite_rules(rng), aggregation_rules(rng), relay_rules(rng))):
                with open(path, "w", encoding="ascii") as f:
                    f.writelines(line + "\n" for line in rules)
            carbon_rules = Carbon(*paths)
            names = [random_name(rng) for _ in range(args.names)]
            result = subprocess.run([args.tool, *paths], input="\n".join(names) + "\n", capture_output=True, text=True,
                                    check=False)
            if result.returncode != 0:
                print(result.stderr)
                return 1
            for name, line in zip(names, result.stdout.split("\n")):
                sends, outputs = carbon_rules.evaluate(name)
                # What carbon would make of a name that is none we refuse.
                steps = [carbon_rules.rewrite("pre", name), *outputs.split(), *(send.split("@")[0] for send in sends.split())]
                if not all(map(is_name, steps)):
                    continue
                compared += 1
                if line != f"{sends}\t{outputs}":
                    failures += 1
                    if failures <= 5:
                        rules = [open(path, encoding="ascii").read() for path in paths]
                        print(f"{name}: {line!r}, expected {sends!r} {outputs!r}", *rules, sep="\n")
    print(f"seed {args.seed}: {compared} names compared, {failures} differ")
    return 1 if failures or compared < args.rounds * args.names // 2 else 0


if __name__ == "__main__":
    sys.exit(main())
