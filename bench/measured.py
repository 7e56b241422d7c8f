"""What the whole-process benchmarks measure with: processes, their CPU and memory, load generators, and the peer."""

import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "system"))
from cluster import Cluster, free_ports, http_get, wait_until  # noqa: E402

# From the call of shoal-bench to its first byte, and from its last to the answer that all is in place: not the system's time.
LOAD_START_SECONDS = 0.1
RETENTIONS = "10s:6h,60s:7d,10m:1y"


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_bytes(pid, field="VmRSS"):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    return 0


def disk_bytes(path):
    """Bytes that the files under `path` take on disk, not their sizes: ring files are sparse."""
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                total += os.lstat(os.path.join(folder, name)).st_blocks * 512
            except FileNotFoundError:
                pass
    return total


def median(values):
    return statistics.median(values) if values else None


class Tool:
    """shoal-bench and shoalctl of one build."""

    def __init__(self, bin_dir, timeout=600):
        self.bin_dir = pathlib.Path(bin_dir).resolve()
        self.timeout = timeout

    def run(self, binary, *arguments):
        command = [str(self.bin_dir / binary), *map(str, arguments)]
        result = subprocess.run(command, capture_output=True, text=True, timeout=self.timeout)
        if result.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: {result.stdout}{result.stderr}")
        return result.stdout

    def load(self, port, **options):
        return self._bench("load", {"to": f"127.0.0.1:{port}", "batch": 1_000_000, "connections": 2, **options})

    def node_load(self, **options):
        return self._bench("node", options)

    def query(self, *urls, **options):
        return self._bench("query", options, *urls)

    def _bench(self, command, options, *positional):
        arguments = [x for name, value in options.items() for x in (f"--{name}", value)]
        return json.loads(self.run("shoal-bench", command, *arguments, "--json", *positional).splitlines()[-1])


class Shoal:
    """One router and one node, R=1."""

    name = "shoal"

    def __init__(self, tool, retentions=RETENTIONS, node_settings="", router_settings=""):
        self.tool = tool
        self.cluster = Cluster(tool.bin_dir, nodes=1, replication=1, retentions=retentions, node_settings=node_settings,
                               router_settings=router_settings)

    def __enter__(self):
        self.cluster.__enter__()
        self.line_port = self.cluster.line_port
        return self

    def __exit__(self, kind, value, trace):
        # What a benchmark leaves behind is not worth a flush at the end.
        for name in list(self.cluster.processes):
            self.cluster.kill(name)
        self.cluster.stop(failed=kind is not None)

    def pid(self, name):
        return self.cluster.processes[name].pid

    def cpu(self):
        return {name: cpu_seconds(self.pid(name)) for name in ("router", "node-1")}

    def await_accepted(self, points):
        """What is acknowledged may lie in the router's spool, when the node was too slow for it: it has to get from there to the node."""
        self.cluster.wait_whole(timeout=300)

    def spooled_points(self):
        return int(self.cluster.metrics("router").get('shoal_router_spool_points_total{node="node-1"}', 0))

    def flush(self):
        self.tool.run("shoalctl", "flush", "--topology", self.cluster.dir / "topology.toml")

    def data_dir(self):
        return self.cluster.dir / "node-1"

    def rss(self):
        return rss_bytes(self.pid("node-1"))

    def node_target(self):
        return {"to": f"127.0.0.1:{self.cluster.node_ports['node-1'][0]}", "cluster": "test", "node": "node-1"}


class VictoriaMetrics:
    """The peer, as its package installs it, with its Graphite listener."""

    name = "victoria-metrics"
    binary = shutil.which("victoria-metrics")

    def __enter__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="shoal-peer-"))
        self.http_port, self.line_port = free_ports(2)
        self.accepted = 0
        log = open(self.dir / "log", "ab")
        self.process = subprocess.Popen(
            [self.binary, f"-storageDataPath={self.dir / 'data'}", f"-httpListenAddr=127.0.0.1:{self.http_port}",
             f"-graphiteListenAddr=127.0.0.1:{self.line_port}", "-retentionPeriod=1y"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        log.close()
        wait_until(self._up, 30, "VictoriaMetrics answers")
        return self

    def __exit__(self, kind, value, trace):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def _get(self, path):
        return http_get(f"http://127.0.0.1:{self.http_port}{path}", timeout=120)

    def _up(self):
        try:
            return self._get("/health")[0] == 200
        except (OSError, urllib.error.URLError):
            return False

    def _gauges(self, prefix):
        return sum(float(line.rsplit(" ", 1)[1]) for line in self._get("/metrics")[1].splitlines()
                   if line.startswith(prefix))

    def cpu(self):
        return {"victoria-metrics": cpu_seconds(self.process.pid)}

    def flush(self):
        """Until nothing is pending: its data is then in files."""
        self._get("/internal/force_flush")
        wait_until(lambda: self._gauges("vm_pending_rows{") == 0 and self._gauges('vm_rows{type="storage/inmemory"}') == 0,
                   60, "no pending rows")

    def merge(self):
        """The state that its background merges reach at last."""
        self._get("/internal/force_merge")
        time.sleep(1)
        wait_until(lambda: self._gauges("vm_active_force_merges") == 0, 120, "merged")

    def await_accepted(self, points):
        """It closes a connection before it has worked through all that it read from it."""
        self.accepted += points
        wait_until(lambda: self._gauges('vm_rows_inserted_total{type="graphite"}') >= self.accepted, 60, "all rows inserted")

    def data_dir(self):
        return self.dir / "data"

    def rss(self):
        return rss_bytes(self.process.pid)


def stream_cost(system, tool, points, **options):
    """Loads, flushes; CPU-seconds per million points by process, and the rate until accepted and until flushed."""
    before = system.cpu()
    begun = time.monotonic()
    got = tool.load(system.line_port, points=points, **options)
    system.await_accepted(got["points_sent"])
    accepted_seconds = max(got["seconds"], time.monotonic() - begun - LOAD_START_SECONDS)
    accepted = system.cpu()
    system.flush()
    seconds = time.monotonic() - begun
    after = system.cpu()
    millions = got["points_acknowledged"] / 1e6
    cost = {f"{name} ingest": (accepted[name] - before[name]) / millions for name in after}
    cost.update({f"{name} flush": (after[name] - accepted[name]) / millions for name in after
                 if after[name] - accepted[name] > 0.01 * millions})
    return {
        "points": got["points_acknowledged"],
        "cpu_seconds_per_million": sum(after[name] - before[name] for name in after) / millions,
        "by_process": cost,
        "accepted_points_per_second": got["points_acknowledged"] / accepted_seconds,
        "spooled_points": system.spooled_points() if isinstance(system, Shoal) else 0,
        "flushed_points_per_second": got["points_acknowledged"] / seconds,
        "ack_ms": got["ack_ms"],
    }
