"""Compares the hash rings with Debian's carbon and carbon-c-relay: the owners of random names on random clusters.

usage: hash_ring_diff.py TOOL [--seed N] [--names N]
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile

sys.path.append("/usr/lib/python3/dist-packages")
SKIPPED = 77
CRELAY = "/usr/bin/carbon-c-relay"
WORDS = ["servers", "stats", "timers", "web", "db", "cpu", "user", "load", "rack", "eu-west", "p99", "count", "x"]


def random_name(rng):
    name = ".".join(rng.choice(WORDS) + rng.choice(["", str(rng.randrange(1000))]) for _ in range(rng.randint(1, 8)))
    if rng.random() < 0.1:
        name += f";host=h{rng.randrange(50)};zone={rng.choice('abc')}"
    return name


def random_nodes(rng, instances, by_address=False):
    """(host, port, instance) of a cluster; without instances the hosts are distinct."""
    count = rng.choice([1, 2, 3, 5, 8, 21, 60])
    nodes = []
    for i in range(count):
        host = f"10.{rng.randrange(4)}.0.{i + 1}" if by_address or rng.random() < 0.5 else f"store-{i}.example.com"
        if instances and nodes and rng.random() < 0.3:
            host = nodes[-1][0]
        nodes.append((host, 2003 + i, instances(i) if instances else None))
    return nodes


def destination(node):
    return f"{node[0]}:{node[1]}" + (f":{node[2]}" if node[2] else "")


def ours(tool, kind, owners, diverse, nodes, names):
    lines = [f"ring {kind} {owners} {int(diverse)} " + " ".join(map(destination, nodes)), *names]
    result = subprocess.run([tool], input="\n".join(lines) + "\n", capture_output=True, text=True, check=True)
    return [[nodes[int(index)] for index in line.split()] for line in result.stdout.split("\n")[:-1]]


def carbons(kind, owners, diverse, nodes, names):
    from carbon.hashing import ConsistentHashRing
    ring = ConsistentHashRing([], hash_type=kind)
    for host, _, instance in nodes:
        ring.add_node((host, instance))
    by_key = {(host, instance): (host, port, instance) for host, port, instance in nodes}
    answers = []
    for name in names:
        found, hosts = [], set()
        for key in ring.get_nodes(name):
            if by_key[key] in found or (diverse and key[0] in hosts):
                continue
            hosts.add(key[0])
            found.append(by_key[key])
            if len(found) == owners:
                break
        answers.append(found)
    return answers


def crelays(kind, owners, nodes, names):
    members = " ".join(f"{host}:{port}" + (f"={instance}" if instance else "") for host, port, instance in nodes)
    by_address = {f"{host}:{port}": (host, port, instance) for host, port, instance in nodes}
    with tempfile.TemporaryDirectory(prefix="shoal-compat-") as folder:
        path = os.path.join(folder, "relay.conf")
        with open(path, "w", encoding="ascii") as f:
            f.write(f"cluster c {kind} replication {owners} {members};\nmatch * send to c stop;\n")
        result = subprocess.run([CRELAY, "-t", "-f", path], input="\n".join(names) + "\n", capture_output=True, text=True,
                                check=True)
    answers = []
    for line in result.stdout.split("\n"):
        if line.startswith("    * -> "):
            answers.append([])
        elif line.startswith("        ") and answers:
            answers[-1].append(by_address[line.strip()])
    return answers


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tool")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--names", type=int, default=2000)
    args = parser.parse_args()
    try:
        import carbon.hashing  # noqa: F401
        with_carbon = True
    except ImportError:
        with_carbon = False
    with_crelay = os.path.exists(CRELAY)
    if not with_carbon and not with_crelay:
        print("neither carbon nor carbon-c-relay is installed")
        return SKIPPED

    rng = random.Random(args.seed)
    letters = lambda i: chr(ord("a") + i % 26) + str(i)  # noqa: E731
    numbers = lambda i: str((i * 7) % 61)  # noqa: E731
    failures = compared = 0
    for _ in range(8):
        names = [random_name(rng) for _ in range(args.names)]
        cases = []
        for diverse in (False, True):
            if with_carbon:
                for kind, instances in (("carbon_ch", None), ("carbon_ch", letters), ("fnv1a_ch", letters)):
                    nodes = random_nodes(rng, instances)
                    cases.append((kind, diverse, nodes, carbons(kind, 3, diverse, nodes, names)))
        if with_crelay:
            # carbon-c-relay looks host names up and asks for as many owners as there are at most.
            for theirs, kind, instances in (("carbon_ch", "carbon_ch_crelay", None), ("carbon_ch", "carbon_ch_crelay", letters),
                                            ("fnv1a_ch", "fnv1a_ch_crelay", None), ("fnv1a_ch", "fnv1a_ch_crelay", letters),
                                            ("jump_fnv1a_ch", "jump_fnv1a_ch", None),
                                            ("jump_fnv1a_ch", "jump_fnv1a_ch", letters),
                                            ("jump_fnv1a_ch", "jump_fnv1a_ch", numbers)):
                nodes = random_nodes(rng, instances, by_address=True)
                cases.append((kind, False, nodes, crelays(theirs, min(3, len(nodes)), nodes, names)))
        for kind, diverse, nodes, expected in cases:
            answers = ours(args.tool, kind, 3, diverse, nodes, names)
            assert len(answers) == len(names) == len(expected), (kind, nodes)
            for name, got, want in zip(names, answers, expected):
                compared += 1
                if got != want:
                    failures += 1
                    if failures <= 10:
                        print(f"{kind} diverse={diverse} {name}: {got}, expected {want}; nodes {nodes}")
    print(f"seed {args.seed}: {compared} names compared, {failures} differ (carbon {with_carbon}, carbon-c-relay {with_crelay})")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
