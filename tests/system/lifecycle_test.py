"""Start, stop and refuse to start: what an operator sees on the command line and in the log."""

import argparse
import glob
import pathlib
import re
import shutil
import socket
import subprocess
import threading
import time
import unittest

from cluster import Cluster, NotAcknowledged, wait_until

BIN = KEEP = None


def run(command, timeout=20):
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout)


def tree(path):
    return sorted((str(p.relative_to(path)), p.stat().st_size) for p in pathlib.Path(path).rglob("*"))


class CommandLineTest(unittest.TestCase):
    """Errors before anything is touched. The configuration files come from a cluster that is not started."""

    def setUp(self):
        self.cluster = Cluster(BIN, nodes=2)
        self.addCleanup(shutil.rmtree, self.cluster.dir, True)

    def expect_refusal(self, name, *texts, extra=(), code=1):
        result = run(self.cluster.command(name) + list(extra))
        self.assertEqual(result.returncode, code, result.stderr + result.stdout)
        for text in texts:
            self.assertIn(text, result.stderr)

    def edit(self, name, old, new):
        path = self.cluster.dir / f"{name}.toml"
        text = path.read_text()
        self.assertIn(old, text)
        path.write_text(text.replace(old, new, 1))
        return text[:text.index(old)].count("\n") + 1

    def test_help_and_version(self):
        for binary in ("shoal-node", "shoal-router", "shoalctl", "shoal-bench"):
            for flag, text in (("--help", "Usage"), ("--version", "0.1")):
                result = run([f"{BIN}/{binary}", flag])
                self.assertEqual(result.returncode, 0, binary)
                self.assertIn(text, result.stdout)

    def test_check_config_touches_nothing(self):
        before = tree(self.cluster.dir)
        for name in ("node-1", "router"):
            self.assertEqual(run(self.cluster.command(name) + ["--check-config"]).returncode, 0)
        self.assertEqual(tree(self.cluster.dir), before)

    def test_unknown_setting_names_key_file_and_line(self):
        for name in ("node-1", "router"):
            line = self.edit(name, "http =", "htpp =")
            self.expect_refusal(name, f"{name}.toml:{line}", "listen.htpp")

    def test_bad_values_name_key_file_and_line(self):
        line = self.edit("node-1", '[listen]\ngrpc = "127.0.0.1', '[listen]\ngrpc = "127.0.0.1:99999')
        self.expect_refusal("node-1", f"node-1.toml:{line + 1}", "listen.grpc")
        self.expect_refusal("router", "cluster.write_copies", extra=["--set", "cluster.write_copies=9"])
        self.expect_refusal("node-2", "storage.no_such_key", extra=["--set", "storage.no_such_key=1"])

    def test_unknown_flag_is_a_usage_error(self):
        self.expect_refusal("node-1", "--frobnicate", extra=["--frobnicate"], code=2)

    def test_bad_graphite_files_name_file_and_line(self):
        (self.cluster.dir / "storage-schemas.conf").write_text("[a]\npattern = .*\nretentions = 10s:6h,15s:7d\n")
        self.expect_refusal("node-1", "storage-schemas.conf:3")

    def test_bad_topology_names_file_and_line(self):
        path = self.cluster.dir / "topology.toml"
        path.write_text(path.read_text().replace("replication = 2", "replication = 5"))
        self.expect_refusal("router", "topology.toml", "replication")

    def test_missing_file(self):
        result = run([f"{BIN}/shoal-node", "--config", "/no/such/file.toml"])
        self.assertEqual(result.returncode, 1)
        self.assertIn("/no/such/file.toml", result.stderr)

    def test_port_in_use(self):
        for name, port in (("node-1", self.cluster.node_ports["node-1"][0]), ("node-2", self.cluster.node_ports["node-2"][1]),
                           ("router", self.cluster.line_port), ("router", self.cluster.http_port)):
            with socket.socket() as sock:
                sock.bind(("127.0.0.1", port))
                sock.listen()
                self.expect_refusal(name, f"127.0.0.1:{port}", "in use")

    def test_data_directory_that_cannot_be_made(self):
        (self.cluster.dir / "node-1").write_text("a file")
        self.expect_refusal("node-1", "node-1")
        (self.cluster.dir / "router").write_text("a file")
        self.expect_refusal("router", "router")


class LifecycleTest(unittest.TestCase):
    def test_foreign_newer_and_busy_data_directories_are_refused_untouched(self):
        with Cluster(BIN, nodes=2, keep=KEEP) as cluster:
            now = int(time.time()) // 10 * 10 - 100
            cluster.send_acknowledged([f"dir.a 1 {now}"])
            # Busy: a second process on the same folder, other ports.
            busy = run(cluster.command("node-1") + ["--set", "listen.grpc=127.0.0.1:0", "--set", "listen.http=127.0.0.1:0"])
            self.assertEqual(busy.returncode, 1)
            self.assertRegex(busy.stderr, "another process|in use|locked")
            self.assertEqual(cluster.terminate("node-1"), 0)
            before = tree(cluster.dir / "node-1")
            foreign = run(cluster.command("node-2") + ["--set", f"node.data_dir={cluster.dir}/node-1", "--set", "listen.grpc=127.0.0.1:0",
                                                       "--set", "listen.http=127.0.0.1:0"])
            self.assertEqual(foreign.returncode, 1)
            self.assertIn("node-1", foreign.stderr)
            identity = cluster.dir / "node-1" / "IDENTITY"
            original = identity.read_bytes()
            newer = re.sub(rb"(format )\d+", rb"\g<1>99", original)
            self.assertNotEqual(newer, original)
            identity.write_bytes(newer)
            refused = run(cluster.command("node-1"))
            self.assertEqual(refused.returncode, 1)
            self.assertIn("99", refused.stderr)
            identity.write_bytes(original)
            self.assertEqual(tree(cluster.dir / "node-1"), before)
            cluster.start("node-1")
            cluster.wait_whole()
            self.assertEqual(cluster.render("dir.a", now - 60, now), {"dir.a": {now: 1}})

    def test_clean_stop_under_load_is_fast_and_loses_nothing(self):
        with Cluster(BIN, nodes=3, keep=KEEP) as cluster:
            start = (int(time.time()) // 10 - 1500) * 10
            acknowledged = []
            stopping = threading.Event()

            def send():
                slot = 0
                while not stopping.is_set() and slot < 1400:
                    try:
                        cluster.send_acknowledged([f"stop.s{i} {slot} {start + 10 * slot}" for i in range(200)])
                        acknowledged.append(slot)
                    except NotAcknowledged:
                        time.sleep(0.05)
                        continue
                    slot += 1
            sender = threading.Thread(target=send)
            sender.start()
            try:
                for name in cluster.names:
                    wait_until(lambda n=len(acknowledged): len(acknowledged) > n + 3, 30, "traffic")
                    begun = time.monotonic()
                    self.assertEqual(cluster.terminate(name), 0, cluster.log_tail(name))
                    self.assertLess(time.monotonic() - begun, 10)
                    cluster.start(name)
                cluster.wait_whole()
            finally:
                stopping.set()
                sender.join()
            got = cluster.render("stop.*", start - 10, start + 14000)
            self.assertEqual(len(got), 200)
            for points in got.values():
                for slot in acknowledged:
                    self.assertEqual(points.get(start + 10 * slot), slot)

    def test_torn_log_tail_is_cut_and_damaged_pages_are_answered_by_the_replica(self):
        with Cluster(BIN, nodes=2, keep=KEEP) as cluster:
            start = (int(time.time()) // 10 - 1500) * 10
            lines = [f"torn.s{i} {i + slot * 0.25} {start + 10 * slot}" for slot in range(600) for i in range(40)]
            cluster.send_acknowledged(lines)
            expected = {f"torn.s{i}": {start + 10 * slot: i + slot * 0.25 for slot in range(600)} for i in range(40)}
            # A crash in the middle of an append leaves part of a record at the end of the newest segment.
            cluster.kill("node-1")
            newest = sorted(glob.glob(str(cluster.dir / "node-1" / "wal" / "*.log")))[-1]
            with open(newest, "ab") as log:
                log.write(b"\x11\x22\x33\x44\x55\x66\x77")
            cluster.start("node-1")
            cluster.wait_whole()
            self.assertIn("torn", cluster.log_tail("node-1", 50))
            self.assertEqual(cluster.render("torn.*", start - 10, start + 6000), expected)
            # A clean stop flushes; then bits rot in the ring files of one node.
            self.assertEqual(cluster.terminate("node-1"), 0)
            flipped = 0
            for ring in glob.glob(str(cluster.dir / "node-1" / "ring" / "*.ring")):
                with open(ring, "r+b") as file:
                    data = bytearray(file.read())
                    # Every page's first bytes after the headers: wherever something was written.
                    for offset in range(64 * 1024, len(data), 512):
                        if data[offset:offset + 16].strip(b"\0"):
                            data[offset + 5] ^= 0x40
                            flipped += 1
                    file.seek(0)
                    file.write(data)
            self.assertGreater(flipped, 0)
            cluster.start("node-1")
            cluster.wait_whole()
            self.assertEqual(cluster.render("torn.*", start - 10, start + 6000), expected)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--keep")
    options, rest = parser.parse_known_args()
    BIN, KEEP = options.bin, options.keep
    unittest.main(argv=["lifecycle_test"] + rest)
