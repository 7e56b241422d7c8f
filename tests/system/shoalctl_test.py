"""shoalctl against a real cluster: status, whereis, and verify and dump on the folder of a stopped node."""

import argparse
import glob
import os
import pathlib
import shutil
import subprocess
import time
import unittest

from cluster import Cluster

BIN = KEEP = None


class ShoalctlTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(BIN, retentions="10s:1h,60s:1d", keep=KEEP)
        cls.cluster.__enter__()
        cls.now = int(time.time()) // 10 * 10 - 1000
        cls.cluster.send_acknowledged([f"ctl.s{i} {i}.5 {cls.now + 10 * t}" for i in range(50) for t in range(20)])

    @classmethod
    def tearDownClass(cls):
        cls.cluster.__exit__(None, None, None)

    def ctl(self, *arguments, code=0):
        result = subprocess.run([f"{BIN}/shoalctl", *map(str, arguments)], capture_output=True, text=True, timeout=60)
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        return result.stdout + result.stderr

    def test_status_shows_every_node_and_fails_when_one_is_down(self):
        topology = self.cluster.dir / "topology.toml"
        text = self.ctl("status", "--topology", topology)
        for name in self.cluster.node_names:
            self.assertIn(name, text)
        self.cluster.kill("node-2")
        try:
            self.assertIn("down", self.ctl("status", "--topology", topology, code=1))
        finally:
            self.cluster.start("node-2")
            self.cluster.wait_whole()

    def test_flush_leaves_nothing_in_memory(self):
        topology = self.cluster.dir / "topology.toml"
        self.cluster.send_acknowledged([f"ctl.s1 7 {self.now}"])
        text = self.ctl("flush", "--topology", topology, "node-1", "node-2", "node-3")
        for name in self.cluster.node_names:
            self.assertIn(f"{name}: flushed", text)
        for line in self.ctl("status", "--topology", topology).splitlines():
            if line.startswith("node-"):
                self.assertIn(" 0 / ", line)
        self.assertIn("node-9", self.ctl("flush", "--topology", topology, "node-9", code=2))

    def test_delete_by_pattern_on_every_node(self):
        topology = self.cluster.dir / "topology.toml"
        lines = [f"gone.{'ab'[i % 2]}.s{i} 1 {self.now}" for i in range(20)]
        self.cluster.send_acknowledged(lines)
        self.assertIn("gone.a.s0", self.ctl("delete", "--topology", topology, "gone.a.*", "--dry-run"))
        text = self.ctl("delete", "--topology", topology, "gone.a.*")
        deleted = sum(int(line.split()[1]) for line in text.splitlines() if line.endswith("deleted"))
        self.assertEqual(deleted, 20)  # ten series, two copies
        self.assertNotIn("gone.", self.ctl("delete", "--topology", topology, "gone.a.*", "--dry-run"))
        self.assertIn("gone.b.s1", self.ctl("delete", "--topology", topology, "gone.b.*", "--dry-run"))
        # A sender that goes on begins them anew, and loses no point.
        self.cluster.send_acknowledged(lines)
        text = self.ctl("delete", "--topology", topology, "gone.a.*", "--dry-run")
        self.assertIn("gone.a.s0", text)
        self.ctl("delete", "--topology", topology, "gone.[", code=2)

    def row(self, text, start):
        return next(line.split() for line in text.splitlines() if line.startswith(start))

    def test_stats_agree_on_a_live_node_and_on_its_directory(self):
        topology = self.cluster.dir / "topology.toml"
        self.cluster.send_acknowledged([f"stats.{'ab'[i % 2]}.s{i} {i} {self.now + 10 * t}" for i in range(40) for t in range(30)])
        self.ctl("flush", "--topology", topology)
        series = points = 0
        for name in self.cluster.node_names:
            live = self.ctl("stats", "--topology", topology, name, "--depth", "2")
            for prefix in ("stats.a", "stats.b"):
                row = self.row(live, prefix)
                series += int(row[1])
                points += int(row[2])
        self.assertEqual(series, 2 * 40)  # two copies
        self.assertGreaterEqual(points, 2 * 40 * 30)
        self.assertIn("smaller prefixes", self.ctl("stats", "--topology", topology, "node-2", "--prefixes", "1", "--depth", "2"))

        live = self.ctl("stats", "--topology", topology, "node-1", "--depth", "2").split(":\n", 1)[1]
        self.assertIn("is held", self.ctl("stats", "--data", self.cluster.dir / "node-1", code=1))
        self.cluster.kill("node-1")
        try:
            stopped = self.ctl("stats", "--data", self.cluster.dir / "node-1", "--depth", "2")
        finally:
            self.cluster.start("node-1")
            self.cluster.wait_whole()
        for prefix in ("stats.a", "stats.b", "ctl.s1"):
            self.assertEqual(self.row(live, prefix)[:3] if prefix in live else None,
                             self.row(stopped, prefix)[:3] if prefix in stopped else None)
        self.assertIn("--topology", self.ctl("stats", code=2))

    def test_verify_finds_damage_in_the_middle_of_a_log(self):
        data = self.cluster.dir / "node-3"
        self.cluster.send_acknowledged([f"damage.s{i} 1 {self.now}" for i in range(200)])
        self.cluster.kill("node-3")
        try:
            self.ctl("verify", "--data", data)
            log = max(glob.glob(str(data / "wal" / "*.log")), key=os.path.getsize)
            original = pathlib.Path(log).read_bytes()
            # In the first record, with others behind it.
            damaged = bytearray(original)
            damaged[64] ^= 1
            pathlib.Path(log).write_bytes(damaged)
            self.assertIn("damaged", self.ctl("verify", "--data", data, code=1))
            pathlib.Path(log).write_bytes(original)
            self.ctl("verify", "--data", data)
        finally:
            self.cluster.start("node-3")
            self.cluster.wait_whole()

    def test_verify_finds_a_flipped_bit_in_every_kind_of_file_and_the_node_starts_without_it(self):
        self.assertEqual(self.cluster.terminate("node-1"), 0)
        data = self.cluster.dir / "node-1"
        copy = self.cluster.dir / "copy"
        shutil.copytree(data, copy)
        wanted = {f"ctl.s{i}": 20 for i in range(50)}
        try:
            self.ctl("verify", "--data", data)
            rings = max(data.glob("ring/*.ring"), key=lambda path: path.stat().st_blocks)
            for path, offset in ((data / "CHECKPOINT", 6), (data / "ring" / "rolled-until", 18), (rings, 40), (rings, 4096 + 20),
                                 (min(data.glob("ring/series-log/*.log")), 64)):
                with self.subTest(path=path.name, offset=offset):
                    content = bytearray(path.read_bytes())
                    content[offset] ^= 4
                    path.write_bytes(content)
                    self.assertIn(path.name if path.suffix != ".log" else "series-log", self.ctl("verify", "--data", data, code=1))
                    self.cluster.start("node-1")
                    self.cluster.wait_whole()
                    got = self.cluster.render("ctl.s*", self.now - 10, self.now + 200)
                    self.assertEqual({name: len(points) for name, points in got.items()}, wanted)
                    self.cluster.kill("node-1")
                    shutil.rmtree(data)
                    shutil.copytree(copy, data)
        finally:
            shutil.rmtree(copy)
            self.cluster.start("node-1")
            self.cluster.wait_whole()

    def test_dump_shows_what_waits_for_a_node(self):
        self.cluster.kill("node-2")
        self.cluster.send_acknowledged([f"spool.s{i} {i}.5 {self.now}" for i in range(30)])
        spool = self.cluster.dir / "router" / "spool" / "node-2" / "log"
        self.assertEqual(self.cluster.terminate("router"), 0)
        try:
            text = self.ctl("dump", "--spool", spool)
            self.assertIn("no such folder", self.ctl("dump", "--spool", spool / "nowhere", code=1))
            waiting = [line.split() for line in text.splitlines() if line.startswith("    spool.")]
            self.assertTrue(waiting, text)
            for name, value, second in waiting:
                self.assertEqual((float(value), int(second)), (float(name[7:]) + 0.5, self.now))
        finally:
            self.cluster.start("node-2")
            self.cluster.start("router")
            self.cluster.wait_whole()

    def test_whereis_names_the_nodes_that_hold_the_series(self):
        text = self.ctl("whereis", "--topology", self.cluster.dir / "topology.toml", "ctl.s7")
        owners = [name for name in self.cluster.node_names if name in text]
        self.assertEqual(len(owners), 2, text)
        # With the third node gone nothing of it is missing; with an owner gone its other replica answers.
        others = set(self.cluster.node_names) - set(owners)
        self.cluster.kill(others.pop())
        got = self.cluster.render("ctl.s7", self.now - 10, self.now + 200)
        self.assertEqual(len(got["ctl.s7"]), 20)
        for name in self.cluster.node_names:
            if name not in self.cluster.processes:
                self.cluster.start(name)
        self.cluster.wait_whole()

    def test_verify_and_dump_work_on_a_stopped_node_only(self):
        data = self.cluster.dir / "node-1"
        # Whatever another test has flushed: the log has points again.
        self.cluster.send_acknowledged([f"ctl.s{i} 1 {self.now + 500}" for i in range(50)])
        self.assertIn("node-1", self.ctl("verify", "--data", data, code=1))  # in use
        self.cluster.kill("node-1")
        self.assertIn("batch", self.ctl("dump", "--wal", data / "wal"))
        self.cluster.start("node-1")
        self.assertEqual(self.cluster.terminate("node-1"), 0)  # flushes
        try:
            self.ctl("verify", "--data", data)
            ring = pathlib.Path(sorted(glob.glob(str(data / "ring" / "*-a0-*.ring")))[0])
            text = self.ctl("dump", "--file", ring)
            self.assertIn("step 10 s", text)
            slot = next(line for line in text.splitlines() if line.startswith("slot "))
            stripe = text.split("written stripes, by place: ")[1].split()[0]
            page = self.ctl("dump", "--page", f"{ring}:{stripe}:{slot.split()[1].rstrip(':')}")
            self.assertIn(slot.split(": ")[1].split(" from")[0], page)  # "series N"
            self.assertIn("no whole batch", self.ctl("dump", "--file", data / "ring" / "journal.dw"))
            self.assertIn("replay begins at", self.ctl("dump", "--file", data / "CHECKPOINT"))
            self.assertIn("archive 1: until", self.ctl("dump", "--file", data / "ring" / "rolled-until"))
            self.assertIn("not a ring file", self.ctl("dump", "--file", data / "IDENTITY", code=2))
            ring = pathlib.Path(sorted(glob.glob(str(data / "ring" / "*-a0-*.ring")))[0])
            original = ring.read_bytes()
            at = len(original.rstrip(b"\0")) - 1  # in the last page that was written
            damaged = bytearray(original)
            damaged[at] ^= 1
            ring.write_bytes(damaged)
            self.assertIn(ring.name, self.ctl("verify", "--data", data, code=1))
            ring.write_bytes(original)
            self.ctl("verify", "--data", data)
        finally:
            self.cluster.start("node-1")
            self.cluster.wait_whole()

    def test_wrong_command_lines_are_usage_errors(self):
        self.assertIn("frobnicate", self.ctl("frobnicate", code=2))
        self.assertIn("--topology", self.ctl("status", code=2))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--keep")
    options, rest = parser.parse_known_args()
    BIN, KEEP = options.bin, options.keep
    unittest.main(argv=["shoalctl_test"] + rest)
