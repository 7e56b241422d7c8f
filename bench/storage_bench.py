#!/usr/bin/env python3
"""The figures of the storage engine, measured on whole processes on this machine: one router and one node, R=1.

    bench/storage_bench.py --bin build/release/bin [--rows cpu-known,disk] [--quick] [--runs 3] [--out results]

Prints what it does, then a Markdown table; with --out also writes DIR/storage.json and DIR/storage.md. Where a peer is named it
runs beside it: the same stream, in turn, and the ratio is that of each pair of runs. The load generator shares the machine's cores
with what it loads, so rates are lower bounds; CPU figures count the processes that are measured, and not the generator.
"""

import argparse
import datetime
import json
import os
import pathlib
import random
import signal
import sys
import time
import traceback

from measured import (RETENTIONS, Shoal, Tool, VictoriaMetrics, cpu_seconds, disk_bytes, http_get, median, stream_cost,
                      wait_until)

STRIPE_SEC = 512 * 10  # what a stripe covers

ROWS = {}  # name -> (title, target, function)


def row(name, title, target):
    def add(function):
        ROWS[name] = (title, target, function)
        return function
    return add


class Bench:
    def __init__(self, arguments):
        self.tool = Tool(arguments.bin)
        self.quick = arguments.quick
        self.runs = 1 if arguments.quick else arguments.runs
        self.peer = VictoriaMetrics if VictoriaMetrics.binary and not arguments.no_peer else None
        self.deadline = time.monotonic() + 60 * arguments.minutes_max

    def size(self, full, quick):
        return quick if self.quick else full

    def shoal(self, **options):
        return Shoal(self.tool, **options)

    def note(self, text):
        print(f"  {text}", flush=True)

    def paired(self, measure, metric="cpu_seconds_per_million"):
        """`runs` runs of `measure(system)`, each on a fresh one, the peer's in turn."""
        ours, peers = [], []
        for run in range(self.runs):
            if run > 0 and time.monotonic() > self.deadline:
                self.note(f"out of time after {run} run(s)")
                break
            with self.shoal() as system:
                ours.append(measure(system))
            self.note(f"run {run + 1}, shoal: {ours[-1][metric]:.3g} {ours[-1].get('by_process', '')}")
            if self.peer:
                with self.peer() as system:
                    peers.append(measure(system))
                self.note(f"run {run + 1}, {self.peer.name}: {peers[-1][metric]:.3g}")
        result = {"runs": ours, "value": median([run[metric] for run in ours])}
        if peers:
            result |= {"peer": self.peer.name, "peer_runs": peers, "peer_value": median([run[metric] for run in peers]),
                       "ratio": median([a[metric] / b[metric] for a, b in zip(ours, peers)])}
        return result


def make_known(bench, system, series, points):
    """Names that are known, and a minute of each on disk, before a stream of `points` that ends now. That stream is then older than the
    last rollup, so rollups are made anew for all of it in the flush that is measured: its cost is that of everything, and more than what
    rollups in their own time cost."""
    now = int(time.time())
    bench.tool.load(system.line_port, series=series, points=6, until=now - 10 * points)
    system.await_accepted(series * 6)
    system.flush()
    return now


@row("cpu-known", "CPU-s per million points, socket to flushed, router + node, known series", "<= 0.4, <= 0.5 x peer")
def cpu_known(bench):
    series, points = bench.size(100_000, 20_000), bench.size(100, 100)

    def measure(system):
        now = make_known(bench, system, series, points)
        return stream_cost(system, bench.tool, points, series=series, until=now)

    result = bench.paired(measure)
    result["what"] = f"{series:,} series, {points} points each, median of {len(result['runs'])}"
    return result


@row("cpu-new", "the same, all series new, 6 points each", "<= 1.5")
def cpu_new(bench):
    series = bench.size(1_000_000, 100_000)
    result = bench.paired(lambda system: stream_cost(system, bench.tool, 6, series=series))
    result["what"] = f"{series:,} series, median of {len(result['runs'])}"
    return result


@row("sustained", "points per second accepted and durable, sustained with flushing", ">= 2,000,000")
def sustained(bench):
    series, points = bench.size(100_000, 20_000), bench.size(600, 300)

    def measure(system):
        now = make_known(bench, system, series, points)
        rounds = flush_rounds(system)
        got = stream_cost(system, bench.tool, points, series=series, until=now)
        got["flush_rounds"] = flush_rounds(system) - rounds
        return got

    result = bench.paired(measure, "accepted_points_per_second")
    result["what"] = (f"{series:,} known series, {points} points each, generator on the same cores; flush rounds in the run: "
                      f"{[run['flush_rounds'] for run in result['runs']]}, points by way of the spool: "
                      f"{[run['spooled_points'] for run in result['runs']]}")
    return result


def flush_rounds(system):
    if not isinstance(system, Shoal):
        return 0
    return int(system.cluster.metrics("node-1").get("shoal_node_flush_seconds_count", 0))


@row("node-only", "points per second, node only, through the Write stream", ">= 4,000,000")
def node_only(bench):
    series, points = bench.size(100_000, 20_000), bench.size(200, 200)
    runs = []
    for _ in range(bench.runs):
        with bench.shoal() as system:
            now = int(time.time())
            target = {**system.node_target(), "series": series}
            bench.tool.node_load(points=1, until=now - 10 * points, **target)
            before = cpu_seconds(system.pid("node-1"))
            # The names are defined once for the stream, with its first step.
            got = bench.tool.node_load(points=points, until=now, **target)
            got["cpu_seconds_per_million"] = (cpu_seconds(system.pid("node-1")) - before) / got["points_acknowledged"] * 1e6
            runs.append(got)
            bench.note(f"{got['points_per_second']:,.0f} points/s, node {got['cpu_seconds_per_million']:.3f} CPU-s/M")
    return {"runs": runs, "value": median([run["points_per_second"] for run in runs]),
            "what": f"{series:,} known series, {points} points each, client on the same cores; node's CPU-s per million: "
                    f"{median([run['cpu_seconds_per_million'] for run in runs]):.3f}"}


@row("disk", "disk bytes per point, one day at 10 s, finest archive with everything it needs, mixed fleet", "<= 1.75")
def disk(bench):
    # Files and stripes are rounded up to blocks: with few series that is what one would measure.
    series, points = bench.size(10_000, 1000), 8640
    result = {}
    now = int(time.time())
    with bench.shoal(retentions="10s:1d") as system:
        bench.tool.load(system.line_port, series=series, points=points, until=now)
        system.await_accepted(series * points)
        system.flush()
        data = system.data_dir()
        ring = disk_bytes(data / "ring")
        index = disk_bytes(data / "index")
        # A journal of fixed size, and a log of what came since the last round: bounded, whatever is kept.
        total = disk_bytes(data)
        # The stripes at both ends are filled in part; their pages are not smaller for it.
        stripes = now // STRIPE_SEC - (now - 10 * (points - 1)) // STRIPE_SEC + 1
        whole = ring / (series * stripes * STRIPE_SEC // 10)
        result |= {"value": (ring + index) / (series * points), "ring_bytes_per_step_of_its_stripes": whole, "ring_bytes": ring,
                   "index_bytes": index, "total_bytes": total,
                   "what": f"{series:,} series; ring {ring / series / points:.3f} ({whole:.3f} for each step of the {stripes} stripes it "
                           f"begins), index {index / series / points:.3f}, whole folder with log {total / series / points:.3f}"}
        bench.note(result["what"])
    if bench.peer:
        with bench.peer() as system:
            bench.tool.load(system.line_port, series=series, points=points, until=now)
            system.await_accepted(series * points)
            system.flush()
            # Before the merge old parts may lie beside the new one.
            system.merge()
            merged = disk_bytes(system.data_dir()) / (series * points)
            bench.note(f"{system.name}: {merged:.3f} after a forced merge")
            result |= {"peer": system.name, "peer_value": merged, "ratio": result["value"] / merged}
    return result


@row("memory", "node's memory per active series, steady state", "<= 500")
def memory(bench):
    series, rounds = bench.size(1_000_000, 100_000), bench.size(6, 3)
    points = 10  # of one load; the step is virtual

    def measure(system):
        now = int(time.time()) // 10 * 10
        seen = []
        for number in range(rounds):
            # Later than what was flushed, as it is when time goes on: ahead of the clock, which is allowed for an hour.
            bench.tool.load(system.line_port, series=series, points=points, until=now + 10 * points * (number + 1))
            system.await_accepted(series * points)
            seen.append(system.rss())
            if number % 2 == 1:
                system.flush()
                seen.append(system.rss())
        steady = seen[len(seen) // 2:]
        return {"rss_bytes": seen, "bytes_per_series": max(steady) / series, "median_bytes_per_series": median(steady) / series}

    with bench.shoal() as system:
        result = {"runs": [measure(system)]}
    result["value"] = result["runs"][0]["bytes_per_series"]
    if bench.peer:
        with bench.peer() as system:
            peer = measure(system)
        result |= {"peer": bench.peer.name, "peer_value": peer["bytes_per_series"], "peer_runs": [peer],
                   "ratio": result["value"] / peer["bytes_per_series"]}
    result["what"] = (f"{series:,} series, {rounds} x {points} points each with a flush between; highest resident size of the "
                      f"second half; median {result['runs'][0]['median_bytes_per_series']:.0f}")
    return result


def sampled(system, series, now, count=100, seconds=1200):
    """The answers for some series, as the router gives them; None when one fails."""
    picks = random.Random(1).sample(range(series), count)
    answers = {}
    for pick in picks:
        name = f"bench.host{pick // 100:05d}.metric{pick % 100:03d}"
        try:
            answers |= system.cluster.render(name, now - seconds, now)
        except (AssertionError, OSError):
            return None
    return answers


@row("restart", "seconds from a start after kill -9 until every query is right", "<= 3")
def restart(bench):
    series, points = bench.size(1_000_000, 100_000), 120
    with bench.shoal() as system:
        cluster = system.cluster
        now = int(time.time()) // 10 * 10
        bench.tool.load(system.line_port, series=series, points=points, until=now)
        system.await_accepted(series * points)
        wanted = sampled(system, series, now)
        assert wanted and all(len(values) == points for values in wanted.values()), "points are missing before the kill"
        wal = cluster.metrics("node-1").get("shoal_node_wal_bytes", 0)
        cluster.kill("node-1")
        begun = time.monotonic()
        cluster.start("node-1", wait=False)
        wait_until(lambda: http_get(cluster.http_address("node-1") + "/readyz")[0] == 200 if listening(cluster) else False,
                   120, "ready", interval=0.01)
        ready = time.monotonic() - begun
        wait_until(lambda: sampled(system, series, now, count=1), 120, "a first answer", interval=0.02)
        answered = time.monotonic() - begun
        assert sampled(system, series, now) == wanted, "answers differ after the restart"
        opened = [line for line in cluster.log_tail("node-1", 40).splitlines() if "opened" in line or "recovered" in line]
    return {"value": answered, "ready_seconds": ready, "wal_bytes": wal, "log": opened,
            "what": f"{series:,} series, 20 min of points; node ready after {ready:.2f} s; {len(wanted)} sampled series exactly as "
                    f"before the kill"}


def listening(cluster):
    try:
        http_get(cluster.http_address("node-1") + "/healthz", timeout=1)
        return True
    except OSError:
        return False


def node_mean_us(bench, system, histogram, urls, requests, batches=10):
    """Median over batches of the mean time inside the node; and what the last whole HTTP requests took."""
    means = []
    for _ in range(batches):
        before = system.cluster.metrics("node-1")
        whole = bench.tool.query(*urls, requests=requests, warmup=0)
        after = system.cluster.metrics("node-1")
        taken, count = (after[f"{histogram}_{part}"] - before.get(f"{histogram}_{part}", 0) for part in ("sum", "count"))
        means.append(1e6 * taken / count)
    return median(means), whole["ms"]


@row("read", "us for one series, 24 h raw, inside the node, from ring files", "<= 200")
def read(bench):
    with bench.shoal(retentions="10s:2d,60s:7d,10m:1y") as system:
        now = int(time.time()) // 10 * 10
        bench.tool.load(system.line_port, series=200, points=8640, until=now)
        system.await_accepted(200 * 8640)
        system.flush()
        urls = [f"{system.cluster.http_address('router')}/render?target=bench.host0000{h}.metric{m:03d}&from={now - 86400}"
                f"&until={now}&format=json" for h in range(2) for m in range(0, 100, 7)]
        bench.tool.query(*urls, requests=100)
        value, whole = node_mean_us(bench, system, "shoal_node_fetch_seconds", urls, 60)
        return {"value": value, "whole_query_ms": whole,
                "what": f"means of 10 x 60 requests over {len(urls)} series of all shapes; a whole HTTP render has median "
                        f"{whole['p50']:.2f} ms"}


@row("find", "ms for find `a.*.b`, 10,000 results of 1 M names, inside the node", "<= 5")
def find(bench):
    series = bench.size(1_000_000, 100_000)
    with bench.shoal() as system:
        bench.tool.load(system.line_port, series=series, points=1)
        system.await_accepted(series)
        url = f"{system.cluster.http_address('router')}/metrics/find?query=bench.*.metric007"
        bench.tool.query(url, requests=3, warmup=0)
        value, whole = node_mean_us(bench, system, "shoal_node_find_seconds", [url], 3)
        return {"value": value / 1000, "whole_query_ms": whole,
                "what": f"{series:,} names, {series // 100:,} results, with the sending of the answer; a whole HTTP request has "
                        f"median {whole['p50']:.1f} ms"}


def text_of(value):
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def markdown(results):
    lines = ["| what | target | measured | peer | ratio | how |", "|---|---|---|---|---|---|"]
    for name, result in results.items():
        title, target, _ = ROWS[name]
        if "error" in result:
            lines.append(f"| {title} | {target} | failed: {result['error']} | | | |")
            continue
        peer = f"{text_of(result['peer_value'])} ({result['peer']})" if "peer" in result else "-"
        ratio = f"{result['ratio']:.2f}" if "ratio" in result else "-"
        lines.append(f"| {title} | {target} | {text_of(result['value'])} | {peer} | {ratio} | {result.get('what', '')} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="folder with shoal-node, shoal-router, shoal-bench, shoalctl")
    parser.add_argument("--rows", default=",".join(ROWS), help=f"some of {','.join(ROWS)}")
    parser.add_argument("--quick", action="store_true", help="a tenth of the series and one run: a smoke test, no figures")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--minutes-max", type=float, default=15, help="rows that would begin later are left out")
    parser.add_argument("--out", type=pathlib.Path)
    arguments = parser.parse_args()
    unknown = set(arguments.rows.split(",")) - set(ROWS)
    if unknown:
        parser.error(f"no such row: {', '.join(sorted(unknown))}")

    # So that what was started is ended, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    bench = Bench(arguments)
    results = {}
    for name in arguments.rows.split(","):
        if time.monotonic() > bench.deadline:
            results[name] = {"error": "left out, --minutes-max has passed"}
            continue
        begun = time.monotonic()
        print(f"{name}: {ROWS[name][0]}", flush=True)
        try:
            results[name] = ROWS[name][2](bench)
        except Exception as error:  # one row that fails must not cost the others
            traceback.print_exc()
            results[name] = {"error": (str(error).strip().splitlines() or [repr(error)])[0][:200]}
        results[name]["took_seconds"] = time.monotonic() - begun
        print(f"  -> {text_of(results[name].get('value'))} ({results[name]['took_seconds']:.0f} s)", flush=True)

    print("\n" + markdown(results))
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        machine = {"cpus": os.cpu_count(), "utc": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
                   "quick": arguments.quick, "load_average": os.getloadavg(), "retentions": RETENTIONS}
        (arguments.out / "storage.json").write_text(json.dumps({"machine": machine, "rows": results}, indent=1))
        (arguments.out / "storage.md").write_text(markdown(results) + "\n")
    return 1 if any("error" in result for result in results.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
