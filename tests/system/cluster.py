"""Starts real Shoal processes on free loopback ports and talks to them as their users do.

    with Cluster(bin_dir, nodes=3, replication=2) as cluster:
        cluster.send_acknowledged(["a.b 1 1700000000"])
        cluster.kill("node-1"); cluster.start("node-1")
        cluster.render("a.b", start, end)
"""

import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

SCHEMAS = "[default]\npattern = .*\nretentions = {retentions}\n"
AGGREGATION = "[default]\npattern = .*\nxFilesFactor = 0.5\naggregationMethod = average\n"


def free_ports(count):
    """Ports that are free for TCP and UDP now, all different. Below the range that the kernel gives to outgoing
    connections, or one of those could have a node's port when the node wants it back after a restart."""
    held = []
    ports = []
    while len(ports) < count:
        port = random.randrange(10_000, 32_000)
        tcp = socket.socket()
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            tcp.bind(("127.0.0.1", port))
            udp.bind(("127.0.0.1", port))
        except OSError:
            tcp.close()
            udp.close()
            continue
        held += [tcp, udp]
        ports.append(port)
    for sock in held:
        sock.close()
    return ports


def wait_until(condition, timeout, what, interval=0.05):
    """Polls `condition` until it is true; returns its value."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what}")
        time.sleep(interval)


def http_get(url, timeout=30, data=None, headers=None):
    """(status, text); an HTTP error is an answer too."""
    request = urllib.request.Request(url, data=data, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


class NotAcknowledged(Exception):
    """The router closed without the acknowledgement; nothing is promised about what was sent."""


class Cluster:
    def __init__(self, bin_dir, nodes=3, replication=2, retentions="10s:6h,60s:7d,10m:5y",
                 node_settings="", router_settings="", keep=None):
        self.bin_dir = pathlib.Path(bin_dir).resolve()
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="shoal-test-"))
        self.keep = pathlib.Path(keep) if keep else None
        self.node_names = [f"node-{i + 1}" for i in range(nodes)]
        self.names = self.node_names + ["router"]
        self.processes = {}
        ports = free_ports(2 * nodes + 2)
        self.line_port, self.http_port = ports[:2]
        self.node_ports = {name: (ports[2 + 2 * i], ports[3 + 2 * i]) for i, name in enumerate(self.node_names)}
        self._write_config(replication, retentions, node_settings, router_settings)

    def _write_config(self, replication, retentions, node_settings, router_settings):
        (self.dir / "storage-schemas.conf").write_text(SCHEMAS.format(retentions=retentions))
        (self.dir / "storage-aggregation.conf").write_text(AGGREGATION)
        topology = f'cluster = "test"\nepoch = 1\npartitions = 16384\nreplication = {replication}\n'
        for name in self.node_names:
            grpc, http = self.node_ports[name]
            topology += f'\n[[node]]\nname = "{name}"\naddress = "127.0.0.1:{grpc}"\nhttp = "127.0.0.1:{http}"\n'
            (self.dir / f"{name}.toml").write_text(
                f'[node]\nname = "{name}"\ncluster = "test"\ndata_dir = "{name}"\n'
                f'[listen]\ngrpc = "127.0.0.1:{grpc}"\nhttp = "127.0.0.1:{http}"\n'
                f'[storage]\nschemas = "storage-schemas.conf"\naggregation = "storage-aggregation.conf"\n'
                f"{node_settings}\n")
        (self.dir / "topology.toml").write_text(topology)
        (self.dir / "router.toml").write_text(
            f'[router]\nname = "router"\ndata_dir = "router"\n'
            f'[listen]\nline = "127.0.0.1:{self.line_port}"\nhttp = "127.0.0.1:{self.http_port}"\n'
            f'[cluster]\ntopology = "topology.toml"\n{router_settings}\n')

    # Processes.

    def __enter__(self):
        try:
            for name in self.names:
                self.start(name, wait=False)
            for name in self.names:
                self.wait_ready(name)
            self.wait_whole()
        except BaseException:
            self.stop(failed=True)
            raise
        return self

    def __exit__(self, kind, value, trace):
        self.stop(failed=kind is not None)

    def command(self, name):
        binary = "shoal-router" if name == "router" else "shoal-node"
        return [str(self.bin_dir / binary), "--config", str(self.dir / f"{name}.toml")]

    def start(self, name, wait=True):
        log = open(self.dir / f"{name}.log", "ab")
        self.processes[name] = subprocess.Popen(self.command(name), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                                start_new_session=True)
        log.close()
        if wait:
            self.wait_ready(name)

    def kill(self, name):
        """kill -9, and nothing else."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def terminate(self, name, timeout=15):
        """SIGTERM; returns the exit code."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGTERM)
        return process.wait(timeout)

    def pause(self, name):
        self.processes[name].send_signal(signal.SIGSTOP)

    def resume(self, name):
        self.processes[name].send_signal(signal.SIGCONT)

    def http_address(self, name):
        port = self.http_port if name == "router" else self.node_ports[name][1]
        return f"http://127.0.0.1:{port}"

    def wait_ready(self, name, timeout=30):
        def ready():
            code = self.processes[name].poll()
            if code is not None:
                raise AssertionError(f"{name} ended with {code}:\n{self.log_tail(name)}")
            try:
                return http_get(self.http_address(name) + "/readyz", timeout=2)[0] == 200
            except (OSError, urllib.error.URLError):
                return False
        wait_until(ready, timeout, f"{name} ready:\n{self.log_tail(name)}")

    def log_tail(self, name, lines=15):
        path = self.dir / f"{name}.log"
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else ""

    def stop(self, failed=False):
        for name in ["router"] + self.node_names:
            process = self.processes.get(name)
            if process and process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(15)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        self.processes.clear()
        if failed:
            for name in self.names:
                print(f"---- {name}.log\n{self.log_tail(name, 30)}", file=sys.stderr)
            if self.keep:
                self.keep.mkdir(parents=True, exist_ok=True)
                for log in self.dir.glob("*.log"):
                    shutil.copy(log, self.keep / f"{os.getpid()}-{log.name}")
        shutil.rmtree(self.dir, ignore_errors=True)

    # State.

    def nodes(self):
        """name -> what the router says of it."""
        status, text = http_get(self.http_address("router") + "/cluster/nodes", timeout=10)
        assert status == 200, text
        return {node["name"]: node for node in json.loads(text)["nodes"]}

    def wait_whole(self, timeout=60):
        """Until every node is up and has all its points."""
        def whole():
            try:
                return all(node["state"] == "up" for node in self.nodes().values())
            except (OSError, AssertionError):
                return False
        wait_until(whole, timeout, "every node up and caught up")

    def metrics(self, name):
        """Prometheus text -> {'name{labels}': value}."""
        text = http_get(self.http_address(name) + "/metrics")[1]
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1])
                for line in text.splitlines() if line and not line.startswith("#")}

    # Clients.

    def send_acknowledged(self, lines, timeout=60):
        """Sends lines on one connection and waits for the clean-close acknowledgement."""
        payload = lines if isinstance(lines, bytes) else ("\n".join(lines) + "\n").encode()
        try:
            with socket.create_connection(("127.0.0.1", self.line_port), timeout=timeout) as sock:
                sock.settimeout(timeout)
                sock.sendall(payload)
                sock.shutdown(socket.SHUT_WR)
                rest = sock.recv(1)
        except (ConnectionError, socket.timeout) as error:
            raise NotAcknowledged(str(error)) from error
        if rest != b"":
            raise AssertionError(f"the router answered {rest!r} on a line connection")

    def render_raw(self, params, timeout=60):
        query = urllib.parse.urlencode(params, doseq=True)
        return http_get(f"{self.http_address('router')}/render?{query}", timeout=timeout)

    def render(self, target, from_sec, until_sec, **params):
        """{series name: {timestamp: value}} without absent points; fails when the answer is not complete."""
        status, text = self.render_raw({"target": target, "from": int(from_sec), "until": int(until_sec),
                                        "format": "json", "noNullPoints": 1, **params})
        if status != 200:
            raise AssertionError(f"render {target}: {status} {text[:500]}")
        return {series["target"]: {timestamp: value for value, timestamp in series["datapoints"]}
                for series in json.loads(text)}
