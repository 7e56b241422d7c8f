"""Starts of a node: with a full log, over and over, without an index, and the clean stop under load with every point counted."""

import argparse
import pathlib
import shutil
import signal
import threading
import time
import unittest

from cluster import Cluster, NotAcknowledged, wait_until

BIN = KEEP = None
STEP = 10


def rss_mib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0


def disk_mib(path):
    total = 0
    for file in pathlib.Path(path).rglob("*"):
        try:
            total += file.stat().st_blocks * 512
        except FileNotFoundError:  # a log segment that has just gone
            pass
    return total / (1 << 20)


class RestartTest(unittest.TestCase):
    def start_timed(self, cluster):
        begun = time.monotonic()
        cluster.start("node-1")
        return time.monotonic() - begun

    def load(self, cluster, series, slots, first_time, prefix="load"):
        for slot in slots:
            cluster.send_acknowledged("".join(f"{prefix}.s{i} {slot * 3 + i} {first_time + slot * STEP}\n"
                                              for i in range(series)).encode())

    def check(self, cluster, series, slots, first_time, prefix="load"):
        for i in (0, series // 2, series - 1):
            got = cluster.render(f"{prefix}.s{i}", first_time - STEP, first_time + len(slots) * STEP)
            self.assertEqual(got[f"{prefix}.s{i}"], {first_time + s * STEP: slot * 3 + i for s, slot in enumerate(slots)})

    def test_fifty_restarts_a_second_apart_take_no_more_time_and_disk_each_time(self):
        with Cluster(BIN, nodes=1, replication=1, retentions="10s:6h,60s:1d", keep=KEEP) as cluster:
            first_time = (int(time.time()) // STEP - 400) * STEP
            self.load(cluster, 2000, range(20), first_time)
            sizes = []
            longest = 0
            for i in range(50):
                cluster.kill("node-1")
                longest = max(longest, self.start_timed(cluster))
                sizes.append(disk_mib(cluster.dir / "node-1"))
                # Up for a moment only, most of the time killed in the middle of whatever a start does afterwards.
                time.sleep(0.2 if i % 5 else 1.0)
            print(f"50 restarts, the longest {longest:.2f} s, disk {sizes[0]:.1f} -> {sizes[-1]:.1f} MiB")
            self.assertLess(longest, 10)
            self.assertLess(sizes[-1], sizes[1] * 1.1 + 2)
            cluster.wait_whole()
            self.check(cluster, 2000, range(20), first_time)

    def test_a_start_replays_a_full_buffer_within_its_bounds(self):
        # The whole log is replayed: no round has run.
        settings = 'flush_interval = "1h"\nwrite_buffer_bytes_max = "64MiB"'
        with Cluster(BIN, nodes=1, replication=1, retentions="10s:6h,60s:1d", node_settings=settings, keep=KEEP) as cluster:
            first_time = (int(time.time()) // STEP - 400) * STEP
            self.load(cluster, 20_000, range(60), first_time)
            cluster.wait_whole()
            steady = rss_mib(cluster.processes["node-1"].pid)
            log = disk_mib(cluster.dir / "node-1" / "wal")
            cluster.kill("node-1")
            seconds = self.start_timed(cluster)
            replay = rss_mib(cluster.processes["node-1"].pid)
            print(f"{log:.0f} MiB of log, ready in {seconds:.2f} s, peak {replay:.0f} MiB, before the kill {steady:.0f} MiB")
            self.assertLess(seconds, 10)
            self.assertLess(replay, steady * 1.25 + 16)
            cluster.wait_whole()
            self.check(cluster, 20_000, range(60), first_time)

    def test_without_its_index_a_node_has_every_series(self):
        with Cluster(BIN, nodes=1, replication=1, retentions="10s:6h,60s:1d", keep=KEEP) as cluster:
            first_time = (int(time.time()) // STEP - 400) * STEP
            series = 20_000
            self.load(cluster, series, range(2), first_time, "index")
            self.assertEqual(cluster.terminate("node-1"), 0)
            leveldb = cluster.dir / "node-1" / "index" / "leveldb"
            for damage in ("gone", "corrupt"):
                if damage == "gone":
                    shutil.rmtree(leveldb)
                else:
                    for file in leveldb.iterdir():
                        data = bytearray(file.read_bytes())
                        for at in range(0, len(data), 97):
                            data[at] ^= 0x5a
                        file.write_bytes(data)
                seconds = self.start_timed(cluster)
                print(f"index {damage}: {series} series again in {seconds:.2f} s")
                self.assertLess(seconds, 30 * series / 100_000 + 2)
                cluster.wait_whole()
                self.assertEqual(cluster.metrics("node-1")["shoal_node_series"], series)
                self.check(cluster, series, range(2), first_time, "index")
                self.assertEqual(cluster.terminate("node-1"), 0)

    def test_a_clean_stop_under_load_counts_every_point(self):
        with Cluster(BIN, nodes=1, replication=1, retentions="10s:6h,60s:1d", keep=KEEP) as cluster:
            first_time = (int(time.time()) // STEP - 1500) * STEP
            stopping = threading.Event()
            sent = []

            def send():
                for slot in range(1400):
                    if stopping.is_set():
                        return
                    try:
                        cluster.send_acknowledged([f"stop.s{i} {slot} {first_time + slot * STEP}" for i in range(200)])
                    except NotAcknowledged:
                        continue  # counted by the node or never read
                    sent.append(slot)
            sender = threading.Thread(target=send)
            sender.start()
            try:
                for name in ("node-1", "router"):
                    wait_until(lambda n=len(sent): len(sent) > n + 3, 30, "traffic")
                    begun = time.monotonic()
                    self.assertEqual(cluster.terminate(name), 0, cluster.log_tail(name))
                    self.assertLess(time.monotonic() - begun, 10)
                    cluster.start(name)
                    cluster.wait_whole()
            finally:
                stopping.set()
                sender.join()
            cluster.wait_whole()
            # Each process since its last start: what it has read is in one counter, to the point.
            router, node = cluster.metrics("router"), cluster.metrics("node-1")

            def total(metrics, name):
                return sum(value for key, value in metrics.items() if key.split("{")[0] == name)
            received = total(router, "shoal_router_points_received_total")
            self.assertGreater(received, 0)
            self.assertEqual(received, sum(total(router, f"shoal_router_points_{end}") for end in
                                           ("acked_total", "rejected_total", "dropped_total", "in_flight")))
            self.assertEqual(total(node, "shoal_node_points_received_total"),
                             total(node, "shoal_node_points_written_total") + total(node, "shoal_node_points_refused_total"))
            got = cluster.render("stop.*", first_time - STEP, first_time + 14000)
            for points in got.values():
                for slot in sent:
                    self.assertEqual(points.get(first_time + slot * STEP), slot)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--keep")
    options, rest = parser.parse_known_args()
    BIN, KEEP = options.bin, options.keep
    unittest.main(argv=["restart_test"] + rest)
