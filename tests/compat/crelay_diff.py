"""Compares carbon-c-relay configurations, compiled by us, with Debian's carbon-c-relay in its test mode: random rules and names.

Left out: "\\g{1}", which Debian's version does not know yet. Expressions stay within what POSIX and RE2 read alike. A rule has one expression: carbon-c-relay acts once per expression that
matches, we once per rule.

usage: crelay_diff.py TOOL [--seed N] [--rounds N] [--names N]
"""

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile

SKIPPED = 77
CRELAY = "/usr/bin/carbon-c-relay"
NODES = ["prod", "apps", "shop", "web1", "web22", "db", "cpu", "user", "x"]
CLUSTERS = """
cluster fwd forward 10.0.0.1:2003 10.0.0.2:2004;
cluster any any_of 10.0.1.1:2003 10.0.1.2:2003 10.0.1.3:2003;
cluster fail failover 10.0.2.1:2003 10.0.2.2:2003;
cluster ch carbon_ch replication 2 10.0.3.1:2003=a 10.0.3.2:2003=b 10.0.3.3:2003 10.0.3.4:2003;
cluster fnv fnv1a_ch replication 2 10.0.4.1:2003 10.0.4.1:2004 10.0.4.3:2003=c;
cluster jump jump_fnv1a_ch replication 2 10.0.5.1:2003 10.0.5.2:2003=7 10.0.5.3:2003=3 10.0.5.4:2003;
"""


def random_expression(rng):
    node, other = rng.choice(NODES), rng.choice(NODES)
    return rng.choice([
        node, f"^{node}\\.", f"\\.{node}$", f"^{node}$", f"\\.{node}\\.", f"^([a-z0-9]+)\\.{node}", f"^{node}\\.(.*)$", f"({node}|{other})",
        "web[0-9]+", "^(.+)\\.([a-z]+)$", "(a|ap|app|apps)", "(.)(.)$", f"{node}.*{other}"])


def random_replacement(rng, groups):
    pieces = ["new", "z.", "0", ""]
    for group in range(1, groups + 1):
        pieces += [f"\\{group}", f"\\_{group}", f"\\^{group}", f"\\.{group}"]
    # Groups side by side: carbon-c-relay then takes "_", "^" and "." of the second one for text.
    return "y" + "-".join(rng.choice(pieces) for _ in range(rng.randint(1, 3)))


def random_rules(rng):
    lines = [CLUSTERS]
    for _ in range(rng.randint(1, 7)):
        expression = rng.choice(["*"] + [random_expression(rng)] * 5)
        groups = 0 if expression == "*" else re.compile(expression).groups
        kind = rng.random()
        # Without a group carbon-c-relay rewrites where some other expression has matched.
        if kind < 0.25 and groups > 0:
            lines.append(f"rewrite {expression} into {random_replacement(rng, groups)};")
        elif kind < 0.35:
            lines.append(f"match {expression} send to blackhole;")
        else:
            using = f"route using {random_replacement(rng, groups)} " if groups and rng.random() < 0.3 else ""
            clusters = " ".join(rng.sample(["fwd", "any", "fail", "ch", "fnv", "jump"], rng.randint(1, 3)))
            lines.append(f"match {expression} {using}send to {clusters}{rng.choice(['', ' stop'])};")
    return "\n".join(lines) + "\n"


def crelays(path, name):
    """The set of cluster:name@host:port that carbon-c-relay would send to."""
    result = subprocess.run([CRELAY, "-t", "-f", path], input=name + "\n", capture_output=True, text=True, check=True)
    sends, current, cluster = [], None, None
    # What it prints before is the configuration.
    lines = result.stdout.split("\n")
    start = max((i for i, line in enumerate(lines) if line == "    ;"), default=0)
    for line in lines[start + 1:]:
        if " -> " in line and line.startswith("    ") and "using(" not in line and "into(" not in line:
            current = line.rsplit(" -> ", 1)[1]
        elif match := re.fullmatch(r"    \w+\((\w+)\)", line):
            cluster = match.group(1)
        elif match := re.fullmatch(r"        ([0-9.]+:\d+)", line):
            sends.append(f"{cluster}:{current}@{match.group(1)}")
    return sorted(set(sends))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tool")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--names", type=int, default=10)
    args = parser.parse_args()
    if not os.path.exists(CRELAY):
        print("carbon-c-relay is not installed")
        return SKIPPED
    rng = random.Random(args.seed)
    compared = failures = sent = 0
    with tempfile.TemporaryDirectory(prefix="shoal-compat-") as folder:
        path = os.path.join(folder, "relay.conf")
        for _ in range(args.rounds):
            rules = random_rules(rng)
            with open(path, "w", encoding="ascii") as f:
                f.write(rules)
            names = [".".join(rng.choice(NODES) for _ in range(rng.randint(1, 5))) for _ in range(args.names)]
            result = subprocess.run([args.tool, path], input="\n".join(names) + "\n", capture_output=True, text=True, check=False)
            if result.returncode != 0:
                print(result.stderr, rules)
                return 1
            for name, line in zip(names, result.stdout.split("\n")):
                want = crelays(path, name)
                compared += 1
                sent += len(want)
                if sorted(set(line.split())) != want:
                    # It rewrites names to what is none; we refuse those.
                    if any(".." in send or ".@" in send or ":." in send for send in want):
                        continue
                    failures += 1
                    if failures <= 5:
                        print(f"{name}: {sorted(set(line.split()))}, expected {want}", rules[len(CLUSTERS):], sep="\n")
    print(f"seed {args.seed}: {compared} names compared with {sent} sends, {failures} differ")
    return 1 if failures or sent < compared else 0


if __name__ == "__main__":
    sys.exit(main())
