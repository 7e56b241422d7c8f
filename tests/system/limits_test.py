"""Few file descriptors, and signals all the time: no crash, no busy loop, nothing lost, and all well when it is over."""

import argparse
import os
import pathlib
import random
import signal
import socket
import threading
import time
import unittest

from cluster import Cluster, NotAcknowledged, http_get, wait_until

BIN = KEEP = None
STEP = 10


class FewDescriptors(Cluster):
    """The node may have 128 descriptors."""

    def command(self, name):
        command = super().command(name)
        return command if name == "router" else ["prlimit", "--nofile=128"] + command


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def value_of(series, slot):
    # Of every shape: the ring files of many size classes.
    generator = random.Random(series << 20 | slot)
    return [float(series), float(slot * 37), round(generator.uniform(0, 10 ** (series % 7)), series % 5),
            generator.uniform(-1e9, 1e9)][series % 4]


class LimitsTest(unittest.TestCase):
    def send(self, cluster, series, slots, first_time):
        for slot in slots:
            lines = [f"limit.s{i} {value_of(i, slot)!r} {first_time + slot * STEP}" for i in range(series)]
            while True:
                try:
                    cluster.send_acknowledged(lines, timeout=20)
                    break
                except NotAcknowledged:
                    time.sleep(0.05)

    def check(self, cluster, series, slots, first_time):
        got = cluster.render("limit.*", first_time - STEP, first_time + len(slots) * STEP)
        for i in range(series):
            self.assertEqual(got[f"limit.s{i}"], {first_time + s * STEP: value_of(i, s) for s in slots})

    def test_few_descriptors_are_no_reason_to_crash_or_to_spin(self):
        settings = 'flush_interval = "300ms"\nwal_segment_bytes = "1MiB"'
        with FewDescriptors(BIN, nodes=1, replication=1, retentions="10s:6h,60s:1d,10m:30d", node_settings=settings,
                            keep=KEEP) as cluster:
            first_time = (int(time.time()) // STEP - 300) * STEP
            self.send(cluster, 200, range(30), first_time)
            # More connections than there are descriptors.
            port = cluster.node_ports["node-1"][1]
            held = []
            for _ in range(200):
                sock = socket.socket()
                sock.settimeout(2)
                try:
                    sock.connect(("127.0.0.1", port))
                    held.append(sock)
                except OSError:
                    sock.close()
            pid = cluster.processes["node-1"].pid
            before = cpu_seconds(pid)
            time.sleep(2)
            busy = (cpu_seconds(pid) - before) / 2
            self.assertIsNone(cluster.processes["node-1"].poll(), cluster.log_tail("node-1"))
            for sock in held:
                sock.close()
            print(f"{len(held)} connections at 128 descriptors: {busy * 100:.0f} % of a core")
            self.assertLess(busy, 0.10)
            wait_until(lambda: http_get(cluster.http_address("node-1") + "/readyz", timeout=5)[0] == 200, 10, "answers again")
            self.send(cluster, 200, range(30, 60), first_time)
            cluster.wait_whole()
            self.check(cluster, 200, range(60), first_time)
            self.assertEqual(cluster.terminate("node-1"), 0)
            cluster.start("node-1")
            cluster.wait_whole()
            self.check(cluster, 200, range(60), first_time)

    def test_stops_and_continues_all_the_time_cost_nothing(self):
        with Cluster(BIN, nodes=2, replication=2, retentions="10s:6h,60s:1d", node_settings='flush_interval = "200ms"',
                     keep=KEEP) as cluster:
            first_time = (int(time.time()) // STEP - 300) * STEP
            storm_over = threading.Event()

            def storm():
                # Each pair interrupts what the threads of the process are waiting for.
                while not storm_over.is_set():
                    for process in list(cluster.processes.values()):
                        process.send_signal(signal.SIGSTOP)
                        process.send_signal(signal.SIGCONT)
                    time.sleep(0.001)
            thread = threading.Thread(target=storm)
            thread.start()
            try:
                self.send(cluster, 100, range(60), first_time)
            finally:
                storm_over.set()
                thread.join()
            cluster.wait_whole()
            self.check(cluster, 100, range(60), first_time)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--keep")
    options, rest = parser.parse_known_args()
    BIN, KEEP = options.bin, options.keep
    unittest.main(argv=["limits_test"] + rest)
