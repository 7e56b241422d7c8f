#!/usr/bin/env python3
"""Figures of a whole cluster on one machine: ingest rate, CPU per million points by process, acknowledgement and render latency.

    bench/cluster_bench.py --bin build/release/bin [--series 10000] [--points 60] [--nodes 3]

All processes share this machine's cores, so the rates are those of the whole cluster with the generator on it.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "system"))
from cluster import Cluster  # noqa: E402


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0


def bench(binary, *arguments):
    result = subprocess.run([str(binary), *map(str, arguments), "--json"], capture_output=True, text=True, check=True)
    return json.loads(result.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--series", type=int, default=10_000)
    parser.add_argument("--points", type=int, default=100, help="per series")
    parser.add_argument("--connections", type=int, default=2)
    arguments = parser.parse_args()
    tool = pathlib.Path(arguments.bin) / "shoal-bench"

    with Cluster(arguments.bin, nodes=arguments.nodes, retentions="10s:2d,60s:7d,10m:1y") as cluster:
        line = f"127.0.0.1:{cluster.line_port}"
        router = cluster.http_address("router")
        pids = {name: cluster.processes[name].pid for name in cluster.names}

        def loaded(label, **options):
            before = {name: cpu_seconds(pid) for name, pid in pids.items()}
            got = bench(tool, "load", "--to", line, *[x for k, v in options.items() for x in (f"--{k}", v)])
            millions = got["points_acknowledged"] / 1e6
            cpu = {name: (cpu_seconds(pid) - before[name]) / millions for name, pid in pids.items()}
            nodes = sum(cpu[name] for name in cluster.node_names)
            print(f"{label}: {got['points_per_second']:,.0f} points/s acknowledged; CPU-seconds per million points: "
                  f"router {cpu['router']:.2f}, all nodes together {nodes:.2f} (2 copies); "
                  f"acknowledgement p50 {got['ack_ms']['p50']:.1f} ms, p99 {got['ack_ms']['p99']:.1f} ms", flush=True)

        common = {"series": arguments.series, "connections": arguments.connections}
        loaded("new series", points=2, prefix="fresh", batch=100_000, **common)
        loaded("known series, as fast as it goes", points=arguments.points, prefix="bulk", batch=500_000, **common)
        loaded("20,000 points/s in batches of 1,000", series=1000, points=200, prefix="paced", batch=1000, rate=20_000,
               connections=2)
        for name in cluster.names:
            print(f"{name}: {rss_mib(pids[name]):.0f} MiB resident")

        # One series, 24 h at 10 s; in the cache, and after a restart from the ring files.
        now = int(time.time()) // 10 * 10
        cluster.send_acknowledged([f"day.one {i % 977 / 100} {now - 86400 + 10 * i}" for i in range(8641)])
        url = f"{router}/render?target=day.one&from={now - 86400}&until={now}&format=json"
        points = cluster.render("day.one", now - 86400, now)["day.one"]
        assert len(points) == 8640, len(points)

        def asked(label, target_url, requests=1000, clients=1):
            got = bench(tool, "query", "--requests", requests, "--clients", clients, target_url)
            print(f"{label}, {clients} client(s): p50 {got['ms']['p50']:.2f} ms, p99 {got['ms']['p99']:.2f} ms, "
                  f"{got['bytes_per_answer']:,.0f} bytes", flush=True)

        asked("render of one series, 24 h of 10 s points, from the cache", url)
        for name in cluster.node_names:
            cluster.terminate(name)
            cluster.start(name)
        cluster.wait_whole()
        asked("the same from the ring files", url)
        asked("the same from the ring files", url, clients=8)
        asked("sum over 1,000 series, 1 h", f"{router}/render?target=sumSeries(bulk.host0000*.*)&from=-1h&format=json", 100)
        asked("find of 100 names", f"{router}/metrics/find?query=bulk.host00001.*")
        asked("constantLine(100)", f"{router}/render?target=constantLine(100)&from=-1h&format=json")


if __name__ == "__main__":
    main()
