"""Power cuts of a node: what was not flushed to the disk is really gone, and no acknowledged point is among it.

One node on a disk whose write-back cache dies with it. Batches of points go in, each acknowledged by the router's clean
close; at a random moment the node is killed and the disk loses what it was not told to flush. The file system comes back from its
journal, the node starts, and every point acknowledged in all cycles so far must be there; shoalctl reads every page.
"""

import argparse
import random
import shutil
import subprocess
import tempfile
import threading
import time

from cluster import Cluster, NotAcknowledged
from disk_stack import DiskStack, skip_unless_possible

STEP = 10
SERIES = 200
SLOTS = 2000


def value_of(series, slot):
    return float(slot * 31 + series) if series % 2 else round(random.Random(series << 20 | slot).uniform(-1000, 1000), 2)


class Sender(threading.Thread):
    """Sends from `slot` on until told to stop; `slot` is the first that is not acknowledged."""

    def __init__(self, cluster, first_time, slot):
        super().__init__()
        self.cluster, self.first_time, self.slot, self.stopping = cluster, first_time, slot, False

    def run(self):
        while not self.stopping and self.slot < SLOTS:
            # A new series with every slot, so that definitions are cut off as well.
            lines = [f"cut.s{series} {value_of(series, self.slot)!r} {self.first_time + self.slot * STEP}"
                     for series in range(SERIES)]
            lines.append(f"cut.new{self.slot} {self.slot} {self.first_time + self.slot * STEP}")
            try:
                self.cluster.send_acknowledged(lines, timeout=5)
                self.slot += 1
            except (NotAcknowledged, OSError):
                time.sleep(0.01)


def check(cluster, first_time, slots):
    got = cluster.render("cut.*", first_time - STEP, first_time + SLOTS * STEP)
    lost = wrong = 0
    where = set()
    for slot in range(slots):
        before = lost + wrong
        timestamp = first_time + slot * STEP
        for series in range(SERIES):
            value = got.get(f"cut.s{series}", {}).get(timestamp)
            lost += value is None
            wrong += value is not None and value != value_of(series, slot)
        lost += got.get(f"cut.new{slot}", {}).get(timestamp) != slot
        if lost + wrong > before:
            where.add(slot)
    assert (lost, wrong) == (0, 0), f"{lost} of {slots} slots' acknowledged points lost, {wrong} wrong, in slots {sorted(where)[:20]}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--keep")
    parser.add_argument("--cycles", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    skip_unless_possible()
    generator = random.Random(arguments.seed)
    place = tempfile.mkdtemp(prefix="shoal-disk-")
    # Small segments and frequent rounds: the cuts fall into rollovers, flushes and checkpoints, too.
    settings = 'flush_interval = "300ms"\nwal_segment_bytes = "1MiB"\ndisk_reserve = "4MiB"'
    begun = time.monotonic()
    try:
        with DiskStack(f"{place}/node", write_back=True, mib=512) as disk:
            cluster = Cluster(arguments.bin, nodes=1, replication=1, retentions="10s:6h,60s:1d", node_settings=settings,
                              router_settings="", keep=arguments.keep)
            path = cluster.dir / "node-1.toml"
            path.write_text(path.read_text().replace('data_dir = "node-1"', f'data_dir = "{disk.mount}/node-1"'))
            with cluster:
                first_time = (int(time.time()) // STEP - SLOTS - 60) * STEP
                slot = 0
                for cycle in range(arguments.cycles):
                    sender = Sender(cluster, first_time, slot)
                    sender.start()
                    time.sleep(generator.uniform(0.4, 1.6))
                    cluster.kill("node-1")
                    disk.power_cut()
                    sender.stopping = True
                    sender.join()
                    slot = sender.slot
                    disk.start()
                    verify = subprocess.run([f"{arguments.bin}/shoalctl", "verify", "--data", f"{disk.mount}/node-1"],
                                            capture_output=True, text=True, timeout=60)
                    assert verify.returncode == 0, verify.stdout + verify.stderr
                    cluster.start("node-1")
                    cluster.wait_whole()
                    check(cluster, first_time, slot)
                print(f"{arguments.cycles} power cuts in {time.monotonic() - begun:.0f} s, "
                      f"{slot * (SERIES + 1)} acknowledged points, 0 lost, 0 files unreadable")
                cluster.terminate("node-1")
    finally:
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    main()
