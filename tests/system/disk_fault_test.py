"""A node's disk fills, lies about space, fails writes and fails reads: the node says so, loses nothing, and goes on by itself.

Needs root: the disks are loop devices, and the failing ones lie behind nbdkit.
"""

import argparse
import pathlib
import shutil
import tempfile
import threading
import time
import unittest

from cluster import Cluster, NotAcknowledged, http_get, wait_until
from disk_stack import DiskStack, LoopDisk, Tmpfs, skip_unless_possible

BIN = KEEP = None
STEP = 10
SERIES = 100
SLOTS = 2000


def value_of(series, slot):
    return slot * 7 + series / 8


class Sender(threading.Thread):
    """Sends slot after slot; keeps the slots that were acknowledged and when."""

    def __init__(self, cluster, pause=0.0):
        super().__init__()
        self.cluster, self.pause, self.stopping = cluster, pause, False
        self.first_time = (int(time.time()) // STEP - SLOTS - 60) * STEP
        self.slot = 0
        self.acknowledged_at = 0.0

    def run(self):
        while not self.stopping and self.slot < SLOTS:
            lines = [f"fault.s{series} {value_of(series, self.slot)!r} {self.first_time + self.slot * STEP}"
                     for series in range(SERIES)]
            try:
                self.cluster.send_acknowledged(lines, timeout=5)
                self.acknowledged_at = time.monotonic()
                self.slot += 1
                time.sleep(self.pause)
            except (NotAcknowledged, OSError):
                time.sleep(0.02)

    def stop(self):
        self.stopping = True
        self.join()


class DiskFaultTest(unittest.TestCase):
    def setUp(self):
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="shoal-disk-"))
        self.addCleanup(shutil.rmtree, self.place, True)

    def cluster_on(self, disk, nodes=1, replication=1, settings=""):
        """A cluster whose first node keeps its data on the disk."""
        cluster = Cluster(BIN, nodes=nodes, replication=replication, retentions="10s:6h,60s:1d",
                          node_settings='wal_segment_bytes = "1MiB"\n' + settings, keep=KEEP)
        path = cluster.dir / "node-1.toml"
        path.write_text(path.read_text().replace('data_dir = "node-1"', f'data_dir = "{disk.mount}/node-1"'))
        return cluster

    def written(self, cluster):
        return cluster.metrics("node-1").get("shoal_node_points_written_total", 0)

    def read_only(self, cluster):
        return cluster.metrics("node-1").get("shoal_node_read_only", 0) == 1

    def check(self, cluster, sender):
        """Every acknowledged point, and no other value."""
        got = cluster.render("fault.*", sender.first_time - STEP, sender.first_time + SLOTS * STEP)
        self.assertGreater(sender.slot, 0)
        for series in range(SERIES):
            points = got[f"fault.s{series}"]
            for slot in range(sender.slot):
                self.assertEqual(points.get(sender.first_time + slot * STEP), value_of(series, slot), f"s{series} slot {slot}")
            for timestamp, value in points.items():
                self.assertEqual(value, value_of(series, (timestamp - sender.first_time) // STEP))

    def test_a_full_disk_is_read_only_at_the_reserve_and_takes_writes_when_there_is_room_again(self):
        with LoopDisk(self.place / "small", 64) as disk, self.cluster_on(disk, settings='disk_reserve = "8MiB"') as cluster:
            sender = Sender(cluster)
            sender.start()
            try:
                wait_until(lambda: sender.slot > 10, 30, "traffic")
                filler = disk.mount / "filler"
                with open(filler, "wb") as file:
                    try:
                        while True:
                            file.write(b"\1" * (64 << 10))
                            file.flush()
                    except OSError:
                        pass
                wait_until(lambda: self.read_only(cluster), 20, "read-only")
                self.assertIn("disk full", cluster.log_tail("node-1"))
                before = self.written(cluster)
                # Reads go on, and the node lives.
                self.assertTrue(cluster.render("fault.s1", sender.first_time, sender.first_time + 100)["fault.s1"])
                self.assertEqual(self.written(cluster), before)
                filler.unlink()
                freed = time.monotonic()
                wait_until(lambda: self.written(cluster) > before, 5, "writes taken again")
                print(f"first write {time.monotonic() - freed:.2f} s after there was room")
                cluster.wait_whole()
            finally:
                sender.stop()
            cluster.wait_whole()
            self.check(cluster, sender)
            self.assertEqual(cluster.terminate("node-1"), 0)
            cluster.start("node-1")
            cluster.wait_whole()
            self.check(cluster, sender)

    def test_space_that_is_promised_and_not_there_costs_no_acknowledged_point(self):
        # write() succeeds, fsync says ENOSPC: the file system is larger than what holds it.
        with Tmpfs(self.place / "tmpfs", 24) as tmpfs, LoopDisk(self.place / "thin", 128, on=tmpfs.dir) as disk:
            with self.cluster_on(disk, settings='disk_reserve = "0B"') as cluster:
                sender = Sender(cluster)
                sender.start()
                try:
                    wait_until(lambda: sender.slot > 10, 30, "traffic")
                    ballast = tmpfs.dir / "ballast"
                    with open(ballast, "wb") as file:
                        try:
                            while True:
                                file.write(b"\1" * (64 << 10))
                                file.flush()
                        except OSError:
                            pass
                    wait_until(lambda: self.read_only(cluster), 20, "read-only")
                    time.sleep(1)  # of writes that cannot be kept
                    self.assertIsNone(cluster.processes["node-1"].poll())
                    ballast.unlink()
                    # The file system has seen an error and may refuse everything: a stop, a check, a start, as an operator would.
                    cluster.kill("node-1")
                finally:
                    sender.stop()
                disk.repair()
                cluster.start("node-1")
                cluster.wait_whole()
                self.check(cluster, sender)

    def test_failing_writes_are_stepped_over_and_lose_nothing(self):
        with DiskStack(self.place / "eio") as disk, self.cluster_on(disk, settings='disk_reserve = "4MiB"\nflush_interval = "500ms"') as cluster:
            sender = Sender(cluster, pause=0.01)
            sender.start()
            restarts = 0
            try:
                wait_until(lambda: sender.slot > 10, 30, "traffic")
                for _ in range(10):
                    disk.fail_writes(True)
                    time.sleep(0.3)
                    disk.fail_writes(False)
                    before = self.written(cluster)
                    try:
                        wait_until(lambda n=before: self.written(cluster) > n, 4, "writes taken again")
                    except AssertionError:
                        # ext4 gives up when its journal cannot be written: then there is only a new mount.
                        self.assertIsNone(cluster.processes["node-1"].poll(), cluster.log_tail("node-1"))
                        cluster.kill("node-1")
                        disk.remount()
                        cluster.start("node-1")
                        restarts += 1
                cluster.wait_whole()
            finally:
                sender.stop()
            cluster.wait_whole()
            self.check(cluster, sender)
            cluster.kill("node-1")
            disk.remount()  # nothing but what is on the disk
            cluster.start("node-1")
            cluster.wait_whole()
            self.check(cluster, sender)
            print(f"10 times EIO, {restarts} of them took the file system down; {sender.slot * SERIES} points, 0 lost")

    def test_a_failing_read_is_an_error_and_the_other_replica_answers(self):
        with DiskStack(self.place / "rderr") as disk, self.cluster_on(disk, nodes=2, replication=2) as cluster:
            sender = Sender(cluster)
            sender.start()
            wait_until(lambda: sender.slot > 100, 60, "traffic")
            sender.stop()
            cluster.wait_whole()
            # Clean stop: all points are in ring files, none in memory.
            self.assertEqual(cluster.terminate("node-1"), 0)
            disk.remount()
            cluster.start("node-1")
            cluster.wait_whole()
            disk.fail_reads(True)
            try:
                self.check(cluster, sender)  # complete and right, from node-2
                self.assertIsNone(cluster.processes["node-1"].poll())
            finally:
                disk.fail_reads(False)
            self.check(cluster, sender)
            # And the node's own answers are right again, alone.
            cluster.kill("node-2")
            self.check(cluster, sender)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--keep")
    options, rest = parser.parse_known_args()
    BIN, KEEP = options.bin, options.keep
    skip_unless_possible()
    unittest.main(argv=["disk_fault_test"] + rest)
